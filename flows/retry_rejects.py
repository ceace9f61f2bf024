"""Retry of rejects: records that could not be kept are read again, by the source files as they
are now, after what they stumbled over was mended here or at the source.

Whatever is kept already is not loaded twice.
"""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State

from flows.artifacts import publish_sources
from flows.forms import ALL, answers_entries, done, ended, field, known, refused
from flows.lost_runs import tell_lost_run
from flows.nightly import new_run
from flows.progress import progress
from tasks.city.names import source_choices
from tasks.clock import now
from tasks.settings import Settings
from tasks.sources.model import load_sources
from tasks.steps import retry_step
from tasks.watch.runs import keep_run
from tasks.watch.status import read_status
from warehouse.errors import NianbaoError

STILL_OPEN = "仍有退回"
"""The name of the final state when records still cannot be kept."""


@flow(
    name="retry-rejects",
    description="退回再试：来源文件或来源系统改正后，把退回的记录再读一次。",
    flow_run_name=lambda: f"退回再试 {now():%Y-%m-%d %H:%M}",
    on_crashed=[tell_lost_run],
    on_failure=[tell_lost_run],
    validate_parameters=False,
)
@answers_entries
def retry_rejects(
    source: Annotated[str, field("来源系统", "只再试这个来源的;“全部”为每个来源的。")] = ALL,
    pull_again: Annotated[
        bool,
        field(
            "从来源重取",
            "再读一次仍不符的,从来源把这一类记录重取一遍。来源系统已改正、或改了取数路径时勾选。",
        ),
    ] = False,
) -> State[None]:
    """退回再试。"""
    settings = Settings()
    lake = settings.lake()
    run = new_run("retry-rejects", f"退回再试 {now():%Y-%m-%d %H:%M}", now())
    try:
        chosen = source_choices(settings.city)
        name = None if source == ALL else known(source, chosen, "来源系统")
        sources = load_sources(settings.sources, settings.environment)
        with progress() as progresses:
            progresses.step("再读退回的记录")
            results = retry_step(
                [one for one in sources if name in (None, one.name)],
                lake,
                settings.landing_shelf,
                now(),
                run.id,
                pull_again=pull_again,
            )
    except NianbaoError as error:
        return refused(error)
    run.loaded = len(results)
    # What one list's retry wrote is told with each list of its resource.
    run.rows_written = sum(one.tried - one.still_open for one in results)
    run.rows_rejected = sum(one.still_open for one in results)
    keep_run(lake, run, now=now())
    publish_sources(run, read_status(lake, now=now()), settings)
    if not results:
        return done("没有需要再试的记录")
    told = f"再试 {sum(one.tried for one in results):,} 条,入库 {run.rows_written:,} 条"
    if run.rows_rejected:
        return ended(STILL_OPEN, f"{told},仍有 {run.rows_rejected:,} 条退回,原因见“数据”页")
    return done(told)
