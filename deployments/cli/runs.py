"""`nianbao nightly` and `nianbao year-end`: the flows, run here on an embedded Prefect."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from deployments.cli.figures import Year
from tasks.render.typeset import typeset


class UsageError(ValueError):
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


def _refuse_wrong_input(state: Any) -> None:
    """End with the flow's own answer where it was asked for something that cannot be."""
    from deployments.cli import Exit
    from flows.forms import WRONG_INPUT

    if state.name == WRONG_INPUT:
        print(typeset(f"错误:{state.message}"), file=sys.stderr)
        raise typer.Exit(Exit.WRONG_USE)


def nightly(
    full: Annotated[bool, typer.Option("--full", help="不按水位,全量重取")] = False,
    demo: DemoOption = False,
) -> None:
    """夜间取数:从各系统取数、装载、对账并核对记录。

    可随时重跑:中断后再次运行会接着做,不会重复。
    """
    _quiet_prefect()
    from deployments.cli import Exit, open_lake

    if not demo:
        _tell_if_not_served()
    with _demo_city(demo):
        from flows.nightly import nightly as flow

        state: Any = flow(full=full, return_state=True)
    _, lake = open_lake()
    from tasks.runs import last_run

    kept = last_run(lake, "nightly")
    if kept is None or (state.is_failed() and state.name != "来源失败"):
        state.result()
        return
    print(typeset(f"夜间取数{'有来源未取到' if kept[1] else '完成'}:{state.message}"))
    for failed in kept[1]:
        print(typeset(f"  {failed.source} {failed.resource}:{failed.message}"))
    print(typeset("各项资源的情况:nianbao status"))
    if kept[1]:
        raise typer.Exit(Exit.SOURCE_FAILED)


def year_end(
    year: Year,
    pull: Annotated[bool, typer.Option("--pull", help="编制前先取一次数")] = False,
    as_of: Annotated[
        str, typer.Option("--as-of", help="数据截至(北京时间),如 2021-01-20 18:00;默认现在")
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="已发布过的年度再编新版的理由")] = "",
    built_by: Annotated[str, typer.Option("--built-by", help="编制人")] = "",
    demo: DemoOption = False,
) -> None:
    """年终编制:以一个快照编制某年度的法定表格,形成待发布的版次。"""
    _quiet_prefect()
    from deployments.cli import Exit, open_lake

    if pull and not demo:
        _tell_if_not_served()
    with _demo_city(demo):
        from flows.year_end import year_end as flow

        state: Any = flow(
            year=year,
            pull_first=pull,
            as_of=as_of,
            reason=reason,
            built_by=built_by,
            return_state=True,
        )
    _refuse_wrong_input(state)
    if state.is_failed() and state.name != "有阻断问题":
        state.result()
        return
    from tasks.edition_store import load

    settings, lake = open_lake()
    edition = load(lake, year, with_figures=False)
    from rich.console import Console

    from deployments.cli.built import summary

    Console().print(summary(edition, settings.editions / edition.id))
    print(state.message)
    if edition.blocking_findings:
        raise typer.Exit(Exit.BLOCKED)
