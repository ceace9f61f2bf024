"""Nightly: pull the four systems, load, compare totals, check the records.

Runs on schedule at 01:30 (Asia/Shanghai). A source that fails keeps nothing else from
loading; the run then ends as failed and names it, and the next run catches up from the
watermark.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import uuid4

from prefect import flow, runtime
from prefect.client.schemas.objects import State

from flows.artifacts import publish_account, publish_findings, publish_sources
from flows.forms import (
    answers_entries,
    done,
    ended,
    field,
)
from flows.lost_runs import tell_lost_run
from flows.progress import progress
from flows.pulling import Selection, pull_sources
from tasks.city.names import Names, city_names
from tasks.clock import now
from tasks.settings import Settings
from tasks.steps import check_step, notify_step, prepare_lake_step
from tasks.watch.notify import run_messages
from tasks.watch.runs import Run, keep_run
from tasks.watch.status import read_status

SOURCE_FAILED = "来源失败"
LAKE_FAILED = "数据湖出错"
"""Names of final states: whom to go to, the source's people or this machine's."""


def new_run(flow_name: str, name: str, started_at: datetime) -> Run:
    """A run under Prefect's own id, or one of its own outside a flow run."""
    return Run(str(runtime.flow_run.id or uuid4()), flow_name, name, started_at)


def end_of(run: Run, names: Names) -> State[None]:
    """The final state: what was loaded, and which sources were not."""
    loaded = run.told_loaded
    broken = [f for f in run.failed if not f.is_of_source]
    if broken:
        return ended(LAKE_FAILED, f"{len(broken)} 项没有装入数据湖:{broken[0].message}。{loaded}")
    if run.failed:
        failed = "、".join(names.source(source) for source in run.failed_sources)
        return ended(SOURCE_FAILED, f"未取到:{failed}。{loaded}。下次运行会接着补取")
    return done(loaded)


@flow(
    name="nightly",
    description="夜间取数：从各系统取数、装载、对账并核对记录。",
    flow_run_name=lambda: f"夜间取数 {now():%Y-%m-%d %H:%M}",
    on_crashed=[tell_lost_run],
    on_failure=[tell_lost_run],
    validate_parameters=False,
)
@answers_entries
def nightly(
    full: Annotated[
        bool,
        field("全量重取", "不按水位,把各系统的全部记录重取一遍。用时较长,平时不必勾选。"),
    ] = False,
) -> State[None]:
    """夜间取数。"""
    settings = Settings()
    lake = settings.lake()
    started_at = now()
    run = new_run("nightly", f"夜间取数 {started_at:%Y-%m-%d %H:%M}", started_at)
    with progress() as progresses:
        progresses.step("准备数据湖")
        prepare_lake_step(lake, settings.city, started_at)
        pull_sources(settings, lake, run, progresses, Selection(full=full))
        progresses.step("核对记录")
        results = check_step(lake, started_at.date(), run.id, now())
    keep_run(lake, run, now=now())
    resources = read_status(lake, now=now())
    publish_sources(run, resources, settings)
    publish_findings(results, settings)
    if run.rows_written:
        # Where nothing came, the account of the last night stands.
        publish_account(lake, settings, started_at.date())
    names = city_names(settings.city)
    messages = run_messages(run, resources, settings.reject_threshold, names)
    notify_step(lake, settings, messages, now=now(), scope=["source/", "rejects/", "run/nightly"])
    return end_of(run, names)
