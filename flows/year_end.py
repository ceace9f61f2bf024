"""Year-end: build the pending edition of a report year from one snapshot of the lake.

Ends as completed when nothing blocks; otherwise as failed under the name 有阻断问题, with the
edition kept as pending all the same: the operator reads the findings, has them put right at
the source or by a recorded correction, and builds again.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows.artifacts import publish_edition
from flows.nightly import new_run
from flows.progress import progress
from flows.pulling import pull_sources, side_by_side
from tasks.clock import now
from tasks.runs import keep_run
from tasks.settings import Settings
from tasks.steps import build_edition_step, prepare_lake_step, render_step
from warehouse.lake import Lake


def default_year(today: date) -> int:
    """Last year until 31 March (条例第四十九条), this year after that."""
    return today.year - 1 if (today.month, today.day) <= (3, 31) else today.year


@flow(
    name="year-end",
    description="年终编制:以一个快照编制某年度的法定表格,形成待发布的版次。",
    flow_run_name=lambda: f"年终编制 {now():%Y-%m-%d %H:%M}",
    task_runner=side_by_side(),
)
def year_end(
    year: Annotated[
        int,
        Field(
            ge=2019,
            le=2100,
            title="报告年度",
            description="编制哪一年的年度报告。3 月 31 日前默认为上一年。",
            json_schema_extra={"position": 1},
        ),
    ] = default_year(now().date()),
    as_of: Annotated[
        datetime | None,
        Field(
            title="数据截至",
            description="按此时刻的数据编制(北京时间);不填为现在。",
            json_schema_extra={"position": 2},
        ),
    ] = None,
    pull_first: Annotated[
        bool,
        Field(
            title="先取数",
            description="编制前先从各系统取一次数。",
            json_schema_extra={"position": 3},
        ),
    ] = False,
    reason: Annotated[
        str,
        Field(
            title="编制理由",
            description="已发布过的年度再编新版时,须说明理由。",
            json_schema_extra={"position": 4},
        ),
    ] = "",
) -> State[str]:
    """年终编制。"""
    settings = Settings()
    lake = Lake(settings.home, settings.memory_limit, settings.threads)
    started_at = now()
    run = new_run("year-end", f"年终编制 {year}", started_at)
    with progress() as progresses:
        prepare_lake_step(lake, settings.city, started_at)
        if pull_first:
            pull_sources(settings, lake, run, progresses)
        built = build_edition_step(
            lake,
            settings.city,
            year,
            now=now(),
            snapshot=lake.snapshot_at(as_of) if as_of else None,
            reason=reason,
            built_by="",
            progress=progresses.step,
        )
        edition = built.edition
        progresses.step("生成文件")
        folder = settings.editions / edition.id
        render_step(edition, folder, lake)
    keep_run(lake, run, now=now())
    publish_edition(edition, folder)
    blocking = edition.blocking_findings
    kept = "已编成,待发布" if built.is_new else "与上次编制完全相同,未另编新版"
    if blocking:
        codes = "、".join(sorted({f.code for f in blocking}))
        return Failed(
            name="有阻断问题",
            message=f"版次 {edition.id} {kept};有 {len(blocking)} 项阻断问题({codes})须先处理或说明",
            data=edition.id,
        )
    return Completed(message=f"版次 {edition.id} {kept},没有阻断问题", data=edition.id)
