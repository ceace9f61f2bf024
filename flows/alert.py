"""Alert: a run that crashed, failed unforeseen, or did not begin when it was due, is told.

Started by the server's triggers (see deployments/prefect.yaml), not by people.
"""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State

from flows.forms import (
    answers_entries,
    done,
    field,
)
from tasks.clock import now
from tasks.settings import Settings
from tasks.steps import notify_step
from tasks.watch.notify import lost_run_message


@flow(
    name="alert",
    description="告知：有运行中断、出错或未按时开始时由系统触发，不需人工运行。",
    flow_run_name=lambda: f"告知 {now():%Y-%m-%d %H:%M}",
    validate_parameters=False,
)
@answers_entries
def alert(
    flow_name: Annotated[str, field("流程", "出事的流程。")] = "nightly",
    run_name: Annotated[str, field("运行", "出事的运行。")] = "",
    state: Annotated[
        str, field("状态", "Crashed 中断,Failed 出错,Late 未按时开始,Cancelled 被取消。")
    ] = "Crashed",
) -> State[None]:
    """告知出事的运行。"""
    settings = Settings()
    lake = settings.lake()
    message = lost_run_message(flow_name, run_name, state, now())
    told = notify_step(lake, settings, [message], now=now())
    return done(f"{message.title}:{'已发消息' if told else '未发消息(未设渠道或已发过)'}")
