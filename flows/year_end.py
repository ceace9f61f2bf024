"""Year-end: build the pending edition of a report year from one snapshot of the lake.

Ends as completed when nothing blocks; otherwise as failed under the name 有阻断问题, with the
edition kept as pending all the same: the operator reads the findings, has them put right at
the source or by a recorded correction, and builds again.
"""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.utilities.annotations import quote

from flows.artifacts import publish_edition
from flows.forms import (
    BLOCKED,
    WrongInput,
    answers_entries,
    checked_period,
    done,
    ended,
    field,
    known,
    read_moment,
    refused,
)
from flows.lost_runs import tell_lost_run
from flows.nightly import new_run
from flows.progress import progress
from flows.pulling import pull_sources
from tasks.city.names import form_choices, unit_choices
from tasks.clock import now
from tasks.editions.build import BUILD_STEPS, FILES
from tasks.editions.differences import compare_with_earlier
from tasks.editions.store import published_edition
from tasks.publish.approve import check_builder
from tasks.render.sets import sets_folder
from tasks.settings import Settings
from tasks.steps import build_edition_step, notify_step, prepare_lake_step, render_step, sets_step
from tasks.watch.notify import edition_messages
from tasks.watch.runs import keep_run
from tasks.wording.typeset import typeset
from warehouse.errors import NianbaoError
from warehouse.form import ANNUAL_REPORT, form_of

STEPS = (*BUILD_STEPS, FILES)
"""What a run does, as it is told while it goes on."""


@flow(
    name="year-end",
    description="年终编制：以一个快照编制某年度的法定表格，形成待发布的版次。",
    flow_run_name=lambda: f"年终编制 {now():%Y-%m-%d %H:%M}",
    on_crashed=[tell_lost_run],
    on_failure=[tell_lost_run],
    validate_parameters=False,
)
@answers_entries
def year_end(
    form: Annotated[str, field("报表", "编制哪一种报表。")] = ANNUAL_REPORT,
    year: Annotated[
        int, field("报告年度", "编制哪一年的报表。0 或不填为最近一个已结束的年度。")
    ] = 0,
    span: Annotated[
        str,
        field(
            "时段",
            "不填为整个报告年度。也可写上半年 2020H1、第一季度 2020Q1、某月 2020-03、"
            "起止日期 2020-01-01..2020-06-30;填了时段,“报告年度”不起作用。",
        ),
    ] = "",
    organs: Annotated[
        list[str],
        field(
            "机关",
            "不选为全部机关:结果页列全市的表格。选了机关,结果页另列这些机关各自的表格;"
            "版次总是包含全部机关,因为下级要汇入上级。",
        ),
    ] = [],  # noqa: B006 — the form shows it as an empty list; it is never changed
    as_of: Annotated[
        str,
        field("数据截至", "按此时刻的数据编制(北京时间),写作 2021-01-20 18:00。不填为现在。"),
    ] = "",
    pull_first: Annotated[
        bool, field("先取数", "编制前先从各系统取一次数。填了“数据截至”时不能先取数。")
    ] = False,
    reason: Annotated[
        str, field("编制理由", "已发布过的年度再编新版时必填:为什么要改已发布的数。")
    ] = "",
    built_by: Annotated[str, field("编制人", "本单位要求编制与批准由两人分别进行时必填。")] = "",
    sets: Annotated[
        bool,
        field(
            "各机关成套文件",
            "另为每个机关生成自己的 Word、PDF、Excel 与网页(有下级的另有本级),一个机关一个文件夹。",
        ),
    ] = False,
) -> State[str]:
    """年终编制。"""
    settings = Settings()
    lake = settings.lake()
    started_at = now()
    try:
        keys = form_choices(settings.city)
        report = form_of(keys.get(typeset(form), form), settings.city)
        today = started_at.date()
        period = checked_period(span, year, today, report)
        offered = unit_choices(settings.city)
        chosen = [known(name, offered, "机关") for name in organs]
        moment = read_moment(as_of, "数据截至")
        if moment and pull_first:
            raise WrongInput("“数据截至”与“先取数”不能同时用:请清空“数据截至”,或不勾选“先取数”")
        if moment and moment > started_at:
            raise WrongInput(f"“数据截至”{moment:%Y-%m-%d %H:%M} 还没有到:请填过去的时刻,或留空")
        check_builder(settings, built_by.strip())
        if not pull_first and not lake.exists():
            raise WrongInput("还没有数据:请勾选“先取数”,或先运行夜间取数(nightly)")
        replaced = published_edition(lake, report.key, period)
        if replaced and not reason.strip():
            raise WrongInput(
                f"{report.named(period)}已发布版次 {replaced}。另编新版请填写“编制理由”"
            )
        snapshot = lake.snapshot_at(moment) if moment else None
    except NianbaoError as error:
        return refused(error)
    run = new_run("year-end", f"年终编制 {report.reference(period)}", started_at)
    with progress(len(STEPS)) as progresses:
        prepare_lake_step(lake, settings.city, started_at)
        if pull_first:
            pull_sources(settings, lake, run, progresses)
        built = build_edition_step(
            lake,
            settings.city,
            period,
            form=report.key,
            now=now(),
            snapshot=snapshot,
            reason=reason.strip(),
            built_by=built_by.strip(),
            progress=progresses.step,
        )
        edition = built.edition
        progresses.step(FILES)
        folder, shelf = settings.editions / edition.id, settings.edition_shelf
        # Quoted: Prefect would look through every figure for results of other tasks.
        render_step(quote(edition), folder, lake, shelf)  # type: ignore[arg-type]
        if sets:
            place = sets_folder(folder)
            sets_step(quote(edition), place, lake, shelf, progress=progresses.told)  # type: ignore[arg-type]
    keep_run(lake, run, now=now())
    publish_edition(edition, folder, settings, compare_with_earlier(lake, edition), chosen)
    notify_step(
        lake,
        settings,
        edition_messages(edition),
        now=now(),
        scope=[f"waiting/{edition.reference}", f"blocking/{edition.reference}"],
    )
    blocking = edition.blocking_findings
    kept = "已编成,待发布" if built.is_new else "与上次编制完全相同,未另编新版"
    if blocking:
        codes = "、".join(sorted({f.code for f in blocking}))
        return ended(
            BLOCKED,
            f"版次 {edition.id} {kept};有 {len(blocking)} 项阻断问题({codes})须先处理或说明",
            data=edition.id,
        )
    return done(f"版次 {edition.id} {kept},没有阻断问题", data=edition.id)
