"""Backfill: pull a span of time again, of one source or resource or of all.

What was loaded before is compared record by record: an unchanged one is not written again,
so a backfill may be repeated.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic.json_schema import SkipJsonSchema

from flows.artifacts import publish_sources
from flows.forms import (
    ALL,
    WrongInput,
    answers_entries,
    field,
    known,
    refused,
)
from flows.lost_runs import tell_lost_run
from flows.nightly import end_of, new_run
from flows.progress import progress
from flows.pulling import Selection, pull_sources
from tasks.city.names import city_names, resource_choices, source_choices
from tasks.clock import now
from tasks.settings import Settings
from tasks.steps import prepare_lake_step
from tasks.watch.runs import keep_run
from tasks.watch.status import read_status

DAYS_BACK = 30
"""A span that begins that many days before today, where none is given."""


@flow(
    name="backfill",
    description="补取：把某个来源某段时间的记录重取一遍。重复补取不会重复计数。",
    flow_run_name=lambda: f"补取 {now():%Y-%m-%d %H:%M}",
    on_crashed=[tell_lost_run],
    on_failure=[tell_lost_run],
    validate_parameters=False,
)
@answers_entries
def backfill(
    source: Annotated[str, field("来源系统", "从哪个系统补取。")] = ALL,
    resource: Annotated[str, field("资源", "只补取一类记录;“全部”为该来源的每一类。")] = ALL,
    from_on: Annotated[
        date | SkipJsonSchema[None],
        field("起始日期", "含当日;按各类记录自己的日期。不填为 30 天前。"),
    ] = None,
    to_on: Annotated[date | SkipJsonSchema[None], field("终止日期", "含当日。不填为今天。")] = None,
) -> State[None]:
    """补取。"""
    settings = Settings()
    lake = settings.lake()
    started_at = now()
    to_on = to_on or started_at.date()
    from_on = from_on or started_at.date() - timedelta(days=DAYS_BACK)
    try:
        sources = source_choices(settings.city)
        source_name = None if source == ALL else known(source, sources, "来源系统")
        resource_name = None
        if resource != ALL:
            owner, resource_name = known(resource, resource_choices(settings.city), "资源")
            if source_name not in (None, owner):
                raise WrongInput(f"“{resource}”不属于“{source}”:请改选来源系统,或选“{ALL}”")
            source_name = owner
        if to_on < from_on:
            raise WrongInput(f"终止日期 {to_on} 早于起始日期 {from_on}:请对调或改正")
        if from_on > started_at.date():
            raise WrongInput(f"起始日期 {from_on} 还没有到:请填今天或以前的日期")
    except WrongInput as error:
        return refused(error)
    run = new_run("backfill", f"补取 {from_on} 至 {to_on}", started_at)
    window = Selection(
        source=source_name,
        resource=resource_name,
        window_from=f"{from_on}T00:00:00",
        window_to=f"{to_on + timedelta(days=1)}T00:00:00",
    )
    with progress() as progresses:
        prepare_lake_step(lake, settings.city, started_at)
        pull_sources(settings, lake, run, progresses, window)
    keep_run(lake, run, now=now())
    publish_sources(run, read_status(lake, now=now()), settings)
    return end_of(run, city_names(settings.city))
