"""Deadline watch, every working day at 07:30: what is due, near or overdue, and who must act."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic.json_schema import SkipJsonSchema

from flows.artifacts import publish_deadlines
from flows.forms import (
    WrongInput,
    answers_entries,
    done,
    field,
    refused,
)
from flows.lost_runs import tell_lost_run
from tasks.clock import now
from tasks.settings import Settings
from tasks.steps import deadlines_step, notify_step
from tasks.watch.deadlines import is_working_day
from tasks.watch.notify import deadline_messages
from tasks.wording.typeset import typeset
from warehouse.errors import NianbaoError


@flow(
    name="deadline-watch",
    description="期限查看：依申请公开、热线工单、新媒体账号、网站栏目与法定日期，逾期的在最前。",
    flow_run_name=lambda: f"期限查看 {now():%Y-%m-%d %H:%M}",
    on_crashed=[tell_lost_run],
    on_failure=[tell_lost_run],
    validate_parameters=False,
)
@answers_entries
def deadline_watch(
    on: Annotated[
        date | SkipJsonSchema[None],
        field("日期", "查看哪一天的期限;不填为今天。填以往日期时按那一天的情形查看,不发消息。"),
    ] = None,
) -> State[None]:
    """期限查看。"""
    settings = Settings()
    lake = settings.lake()
    today = now().date()
    try:
        if on and on > today:
            raise WrongInput(f"{on} 还没有到:请填今天或以前的日期,或留空")
        if on is None and not is_working_day(lake, today):
            return Completed(name="非工作日", message=typeset(f"{today} 不是工作日,不查看期限"))
        found = deadlines_step(lake, settings.city, on or today)
    except NianbaoError as error:
        return refused(error)
    publish_deadlines(found, settings)
    if on in (None, today):
        notify_step(
            lake,
            settings,
            deadline_messages(found),
            now=now(),
            scope=["deadlines/", "filing/"],
        )
    return done(
        f"依申请公开逾期 {len(found.overdue)} 件,将到期 {len(found.soon)} 件;"
        f"热线工单逾期或将到期 {sum(a + b for _, a, b in found.work_order_counts)} 件;"
        f"超期未更新账号 {len(found.accounts)} 个、栏目 {len(found.channels)} 个"
    )
