"""The flows as commands, run here on an embedded Prefect: nightly, backfill, year-end, publish."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import typer

from deployments.cli.figures import FormOption, PeriodText
from tasks.wording.typeset import typeset
from warehouse.errors import EntryError, ExitCode
from warehouse.form_file import ANNUAL_REPORT


class UsageError(EntryError):
    """A command used where it cannot work; the message says how."""


DemoOption = Annotated[
    bool, typer.Option("--demo", help="运行期间启动演示城市的四个系统(仅用于演示城市)")
]


@contextmanager
def _demo_city(wanted: bool) -> Iterator[None]:
    """The demo city's services for the time of a run."""
    if not wanted:
        yield
        return
    from deployments.demo_city.service import running
    from tasks.settings import Settings

    print(typeset("正在启动演示城市(首次需生成数据,约半分钟)……"))
    with running(Settings().home) as environment:
        os.environ.update(environment)
        yield


def _tell_if_not_served() -> None:
    """The demo city must be served by someone; say how before a source file complains."""
    from tasks.settings import Settings

    settings = Settings()
    if settings.city_name == "demo_city" and "NIANBAO_CMS_URL" not in settings.environment:
        raise UsageError(
            "演示城市的四个系统没有启动。请加 --demo,或另开一个终端运行 nianbao demo-city"
        )


def _quiet_prefect() -> None:
    """Keep Prefect's own log lines off the terminal: the command says itself what happened.
    They stay in the run's log in the UI. Set PREFECT_LOGGING_LEVEL to see them."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_SERVER_LEVEL", "CRITICAL")


def ready_to_run() -> None:
    """See that a run can be kept at all: a home with room, and a server of Prefect's."""
    from deployments.child_server import for_a_run
    from tasks.settings import Settings, check_home, quiet_environment

    settings = Settings()
    check_home(settings)
    _quiet_prefect()
    quiet_environment(settings)
    for_a_run(settings)


def tell_refusal(state: Any) -> None:
    """End with the flow's own answer where it was asked for something that cannot be."""
    code = None if state.is_completed() else state.result(raise_on_failure=False)
    if isinstance(code, ExitCode):
        print(typeset(f"错误:{state.message}"), file=sys.stderr)
        raise typer.Exit(code)


def nightly(
    full: Annotated[bool, typer.Option("--full", help="不按水位,全量重取")] = False,
    demo: DemoOption = False,
) -> None:
    """夜间取数:从各系统取数、装载、对账并核对记录。

    可随时重跑:中断后再次运行会接着做,不会重复。
    """
    if not demo:
        _tell_if_not_served()
    ready_to_run()
    with _demo_city(demo):
        from flows.nightly import nightly as flow

        state: Any = flow(full=full, return_state=True)
    _tell_run(state, "nightly", "夜间取数")


def _tell_run(state: Any, kind: str, title: str) -> None:
    """What a run that pulled came to, and which sources it could not pull."""
    from deployments.cli import open_lake
    from flows.nightly import LAKE_FAILED, SOURCE_FAILED
    from tasks.watch.runs import last_run

    _, lake = open_lake()
    kept = last_run(lake, kind)
    if kept is None or (
        not state.is_completed() and state.name not in (SOURCE_FAILED, LAKE_FAILED)
    ):
        state.result()
        return
    told = {SOURCE_FAILED: "有来源未取到", LAKE_FAILED: "没有全部装载"}.get(state.name, "完成")
    print(typeset(f"{title}{told}:{state.message}"))
    for failed in kept[1]:
        print(typeset(f"  {failed.source} {failed.resource}:{failed.message}"))
    print(typeset("各项资源的情况:nianbao status"))
    if kept[1]:
        raise typer.Exit(
            ExitCode.SOURCE_FAILED if state.name == SOURCE_FAILED else ExitCode.WRONG_USE
        )


def backfill(
    source: Annotated[
        str, typer.Argument(metavar="来源", help="来源系统的名称或标题;不填为全部来源")
    ] = "",
    resource: Annotated[
        str, typer.Argument(metavar="资源", help="资源的名称;不填为该来源的全部资源")
    ] = "",
    from_on: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], metavar="日期", help="起始日期,含当日"),
    ] = None,
    to_on: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], metavar="日期", help="终止日期,含当日"),
    ] = None,
    demo: DemoOption = False,
) -> None:
    """补取:把某个来源某段时间的记录重取一遍。

    如 nianbao backfill hotline calls --from 2020-05-01 --to 2020-05-31。重复补取不会重复计数;
    不填日期为最近 30 天。
    """
    if not demo:
        _tell_if_not_served()
    ready_to_run()
    with _demo_city(demo):
        from flows.backfill import backfill as flow
        from tasks.city.names import resource_choices, source_choices
        from tasks.settings import Settings

        city = Settings().city
        wanted: dict[str, Any] = {}
        if source:
            sources = source_choices(city)
            wanted["source"] = _offered(source, sources, "来源系统")
            if resource:
                owner = sources[wanted["source"]]
                of_source = {
                    title: r for title, (s, r) in resource_choices(city).items() if s == owner
                }
                wanted["resource"] = _offered(resource, of_source, "资源")
        for name, day in (("from_on", from_on), ("to_on", to_on)):
            if day is not None:
                wanted[name] = day.date()
        state: Any = flow(**wanted, return_state=True)
    tell_refusal(state)
    _tell_run(state, "backfill", "补取")


def _offered(given: str, offered: Mapping[str, str], what: str) -> str:
    """The title in a form's list that is meant, by title or by name. Raises UsageError."""
    for title, name in offered.items():
        if given in (title, title.rpartition("·")[2], name):
            return title
    listed = "、".join(f"{name}({title})" for title, name in offered.items()) or "无"
    raise UsageError(f"没有{what}“{given}”。可选:{listed}")


def year_end(
    when: PeriodText,
    form: FormOption = ANNUAL_REPORT,
    pull: Annotated[bool, typer.Option("--pull", help="编制前先取一次数")] = False,
    as_of: Annotated[
        str, typer.Option("--as-of", help="数据截至(北京时间),如 2021-01-20 18:00;默认现在")
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="已发布过的年度再编新版的理由")] = "",
    built_by: Annotated[str, typer.Option("--built-by", help="编制人")] = "",
    sets: Annotated[
        bool,
        typer.Option(
            "--sets", help="另为每个机关生成自己的 Word、PDF、Excel 与网页,一个机关一个文件夹"
        ),
    ] = False,
    demo: DemoOption = False,
) -> None:
    """年终编制:以一个快照编制某年度的法定表格,形成待发布的版次。

    也可编制半年、季度、月或任意起止日期的统计表;年度报告只有整年的。
    """
    from deployments.cli import open_lake
    from warehouse.period import Period

    period = Period.parse(when)
    if pull and not demo:
        _tell_if_not_served()
    ready_to_run()
    with _demo_city(demo):
        from flows.year_end import year_end as flow

        state: Any = flow(
            form=form,
            span=when,
            pull_first=pull,
            as_of=as_of,
            reason=reason,
            built_by=built_by,
            sets=sets,
            return_state=True,
        )
    tell_refusal(state)
    if not state.is_completed() and state.name != "有阻断问题":
        state.result()
        return
    from tasks.editions.store import newest_edition
    from warehouse.form import form_of

    settings, lake = open_lake()
    report = form_of(form, settings.city)
    edition = newest_edition(lake, report, period, with_figures=False)
    from rich.console import Console

    from deployments.cli.built import summary

    Console().print(summary(edition, settings.editions / edition.id))
    if sets:
        from tasks.render.sets import INDEX, sets_folder

        print(f"各机关成套文件:{sets_folder(settings.editions / edition.id) / INDEX}")
    print(state.message)
    if edition.blocking_findings:
        raise typer.Exit(ExitCode.BLOCKED)


def publish(
    edition: Annotated[str, typer.Argument(metavar="版次", help="待发布的版次编号,如 2020-1")],
    approver: Annotated[str, typer.Option("--approver", help="批准人姓名")] = "",
    statement: Annotated[str, typer.Option("--statement", help="批准意见,如“同意发布”")] = "",
    code: Annotated[
        str, typer.Option("--code", help="批准人验证器上的六位验证码;须有而未给时会询问")
    ] = "",
    answers: Annotated[
        list[str] | None,
        typer.Option(
            "--answer",
            metavar="规则=理由",
            help="对阻断问题的答复,如 B3=已函告机关补登;可多次。规则处也可写核对项的键",
        ),
    ] = None,
    stale_reason: Annotated[
        str, typer.Option("--accept-stale", metavar="理由", help="数据已变仍按原数发布的理由")
    ] = "",
) -> None:
    """发布:批准一个待发布的版次并冻结。发布后不能再改,更正须另编新版。"""
    from deployments.cli import open_lake
    from tasks.clock import now
    from tasks.publish.approvals import Request, approve

    given = dict(_answer(text) for text in answers or [])
    code = code or _asked_code(approver.strip())
    # Judged here and now: what starts next takes a while, and takes the approval's number only.
    entered_at = now()
    settings, lake = open_lake()
    approval = approve(
        lake,
        settings,
        Request(edition, approver, statement, code, given, stale_reason),
        by=f"{approver.strip()}(命令行)",
        now=entered_at,
    )
    print(typeset(f"已批准,批准编号 {approval.number}。正在发布……"), flush=True)
    ready_to_run()
    from flows.publish import publish as flow

    state: Any = flow(approval=str(approval.number), return_state=True)
    tell_refusal(state)
    if not state.is_completed():
        state.result()
    print(state.message)
    print(f"文件:{settings.editions / str(state.result())}")


def _answer(text: str) -> tuple[str, str]:
    """An answer as typed. Raises UsageError."""
    rule, found, reason = text.replace("\uff1d", "=").partition("=")
    if not found or not rule.strip() or not reason.strip():
        raise UsageError(f"--answer “{text}”看不懂:应为 规则=理由,如 B3=已函告机关补登")
    return rule.strip(), reason.strip()


def _asked_code(approver: str) -> str:
    """The approver's one-time code, asked for without echo where one is needed and someone
    is there to enter it."""
    from tasks.publish.approve import approvers
    from tasks.settings import Settings

    if approver not in approvers(Settings()).names or not sys.stdin.isatty():
        return ""
    return str(typer.prompt("验证码(不显示)", default="", show_default=False, hide_input=True))
