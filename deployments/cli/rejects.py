"""`nianbao rejects`: records that could not be kept, and another try."""

from __future__ import annotations

from typing import Annotated

import typer

from tasks.load.reasons import REASONS
from tasks.wording.visible import as_markup
from warehouse.errors import EntryError, ExitCode

app = typer.Typer(help="查看和重试未能入库的记录。", invoke_without_command=True)

SourceOption = Annotated[str | None, typer.Option("--source", help="只看这个来源")]
ResourceOption = Annotated[str | None, typer.Option("--resource", help="只看这个资源")]
ReasonOption = Annotated[
    str | None,
    typer.Option(
        "--reason",
        help=f"只看这个原因:{'、'.join(REASONS)}",
    ),
]


@app.callback()
def rejects(
    context: typer.Context,
    source: SourceOption = None,
    resource: ResourceOption = None,
    reason: ReasonOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="最多列出多少条")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="连同已解决的一起列出")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """列出未能入库的记录:来自哪里、哪个字段、原因、读到什么、应为什么。"""
    if context.invoked_subcommand is not None:
        return
    from deployments.cli import open_lake
    from tasks.load.rejects import count_rejects, list_rejects

    _, lake = open_lake()
    reason = _known_reason(reason)
    found = list_rejects(
        lake,
        source=source,
        resource=resource,
        reason=reason,
        status=None if everything else "open",
        limit=limit,
    )
    if as_json:
        import json
        from dataclasses import asdict

        rows = [{**asdict(one), "rejected_at": one.rejected_at.isoformat()} for one in found]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    counts = count_rejects(lake, source=source, resource=resource, reason=reason)
    if not found:
        typer.echo("没有未能入库的记录。")
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    summary = Table(title="未能入库的记录(按原因)")
    for heading in ("来源", "资源", "字段", "原因", "记录数", "读到(例)", "应为"):
        summary.add_column(heading, overflow="fold")
    for one in counts:
        summary.add_row(
            one.source,
            one.resource,
            one.field or "(编号)",
            REASONS.get(one.reason, one.reason),
            f"{one.records:,}",
            as_markup(one.example or "(空)"),
            one.expected or "",
        )
    console.print(summary)
    detail = Table(title=f"明细(最近 {len(found)} 条)")
    for heading in ("编号", "字段", "读到", "出处", "时间"):
        detail.add_column(heading, overflow="fold")
    for reject in found:
        detail.add_row(
            as_markup(reject.record_id or "(无)"),
            reject.field or "(编号)",
            as_markup(reject.found or "(空)"),
            as_markup(reject.origin or ""),
            f"{reject.rejected_at:%Y-%m-%d %H:%M}",
        )
    console.print(detail)
    console.print(
        "修改来源文件(代码表、类型、时间写法)后运行 nianbao rejects retry;"
        "改了路径或来源系统已改正的,运行 nianbao rejects retry --pull"
    )


@app.command("retry")
def retry_rejects(
    source: SourceOption = None,
    resource: ResourceOption = None,
    reason: ReasonOption = None,
    pull: Annotated[
        bool, typer.Option("--pull", help="重读后仍不符的,从来源重新全量拉取该资源")
    ] = False,
) -> None:
    """按现在的来源文件重新读取未能入库的记录;已入库的不会重复。"""
    from deployments.cli import open_lake
    from tasks.load.rejects import retry
    from tasks.sources.model import load_sources

    settings, lake = open_lake()
    results = retry(
        load_sources(settings.sources, settings.environment),
        lake,
        settings.landing,
        shelf=settings.landing_shelf,
        source=source,
        resource=resource,
        reason=_known_reason(reason),
        pull_again=pull,
    )
    if not results:
        typer.echo("没有需要重试的记录。")
        return
    for one in results:
        typer.echo(
            f"{one.source}·{one.resource}:重试 {one.tried:,} 条,解决 {one.tried - one.still_open:,} 条,"
            f"仍未解决 {one.still_open:,} 条"
        )
    if any(one.still_open for one in results):
        raise typer.Exit(ExitCode.BLOCKED)


def _known_reason(reason: str | None) -> str | None:
    """A reason by its key or as it is printed. Raises EntryError for any other."""
    if reason is None or reason in REASONS:
        return reason
    by_label = {label: name for name, label in REASONS.items()}
    if reason not in by_label:
        listed = "、".join(f"{name}({label})" for name, label in REASONS.items())
        raise EntryError(f"没有原因“{reason}”。可选:{listed}")
    return by_label[reason]
