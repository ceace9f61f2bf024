"""`nianbao audit`: does a published report add up?"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from warehouse.errors import ExitCode

if TYPE_CHECKING:
    from tasks.audit.result import AuditCheck, AuditReport

_MARKS = {
    "fail": ("✗", "bold red"),
    "uncertain": ("?", "yellow"),
    "pass": ("✓", "green"),
    "not_assessable": ("–", "dim"),
}


def audit(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="文件",
            help="年度报告文件(网页、Word、WPS、PDF、OFD、RTF、ODT、Excel、文本、压缩包)或文件夹,可一次给出同一机关的几年",
            show_default=False,
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="输出 JSON(一个文件为一个对象,几个文件为一个列表)")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="路径",
            help="另写一个网页:报告原文,每个数都标出核对结果",
            show_default=False,
        ),
    ] = None,
    year: Annotated[
        int | None,
        typer.Option(
            "--year",
            metavar="年度",
            help="报告年度;报告自己没有写明时给出,只用于单个文件",
            show_default=False,
        ),
    ] = None,
    against_edition: Annotated[
        Path | None,
        typer.Option(
            "--against-edition",
            metavar="版次",
            help="与版次逐格比较:版次编号(如 2020-1),或 `nianbao tables YEAR --json` 的输出文件",
            show_default=False,
        ),
    ] = None,
    child: Annotated[
        list[Path] | None,
        typer.Option(
            "--child",
            metavar="文件",
            help="直接下级机关的报告,用于核对汇总(可多次给出)",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        Path | None,
        typer.Option(
            "--batch",
            metavar="文件夹",
            help="另写一个文件夹:汇总页(谁有不符,从多到少)、每份报告的网页、读出的全部数(CSV、Excel)",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="通过的和无法核对的也逐条列出")] = False,
) -> None:
    """核对已发布的政府信息公开工作年度报告:表格与正文的数是否对得上。

    退出码:0 已核对且没有不符;1 有不符;2 用法不对或文件读不了;5 没有一项能核对,或有内容读不出来。
    """
    from tasks.audit.document import UnreadableDocument
    from tasks.audit.run import audit_files, report_files

    edition = _edition(against_edition) if against_edition else None
    try:
        paths = [found for file in files for found in report_files(file)]
        if year is not None and len(paths) > 1:
            _stop("--year 只能用于单个文件")
        unread: list[str] = []
        reports = audit_files(paths, year, edition, child or [], unread)
    except UnreadableDocument as error:
        _stop(str(error))
    if html is not None:
        from tasks.audit.page import render_page

        try:
            html.write_text(render_page(reports), encoding="utf-8")
        except OSError as error:
            _stop(f"{html}:写不进去({error.strerror})")
    if batch is not None:
        from tasks.audit.batch import write_batch

        try:
            front = write_batch(batch, reports, unread)
        except OSError as error:
            _stop(f"{batch}:写不进去({error.strerror})")
        typer.echo(f"汇总已写入 {front}", err=True)
    if as_json:
        from tasks.audit.result import as_json as published

        out = [published(report) for report in reports]
        typer.echo(json.dumps(out[0] if len(out) == 1 else out, ensure_ascii=False, indent=2))
    else:
        _print(reports, html, everything)
    for message in unread:
        typer.echo(_typeset(message), err=True)
    code = _exit_code(reports, unread)
    if code:
        raise typer.Exit(code)


def _exit_code(reports: list[AuditReport], unread: list[str]) -> ExitCode:
    """What does not add up weighs most, then files not read, then what was not judged."""
    if any(report.fails for report in reports):
        return ExitCode.BLOCKED
    if unread:
        return ExitCode.WRONG_USE
    if any(report.not_read or not report.is_judged for report in reports):
        return ExitCode.NOT_JUDGED
    return ExitCode.DONE


def _typeset(message: str) -> str:
    from tasks.wording.typeset import typeset

    return typeset(message)


def _stop(message: str) -> NoReturn:
    typer.echo(_typeset(message), err=True)
    raise typer.Exit(2)


def _edition(path: Path) -> dict[str, Any]:
    if not path.exists() and re.fullmatch(r"\d{4}-\d+", str(path)):
        return _edition_in_lake(str(path))
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        _stop(f"{path}:打不开文件({error.strerror})")
    except ValueError as error:
        _stop(f"{path}:不是有效的 JSON({error})")
    if not isinstance(loaded, dict) or not isinstance(loaded.get("cells"), dict):
        _stop(f"{path}:不是版本的输出,缺少 cells(应为 `nianbao tables YEAR --json` 的结果)")
    return dict(loaded)


def _edition_in_lake(edition_id: str) -> dict[str, Any]:
    """The root's figures of an edition, as `nianbao tables` prints them. Raises NoEdition."""
    from deployments.cli import open_lake
    from tasks.editions.store import load_edition
    from tasks.render import tables_json

    _, lake = open_lake()
    return tables_json(load_edition(lake, edition_id))


def _print(reports: list[AuditReport], html: Path | None, everything: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False)
    for at, report in enumerate(reports):
        if at:
            console.print()
        _print_report(console, report, everything)
    if html is not None:
        console.print(f"网页已写入 {html}")


def _print_report(console: Any, report: AuditReport, everything: bool) -> None:
    from expectations.balance import STATUS_LABELS
    from tasks.audit.tables import TABLE_NAMES
    from tasks.wording.typeset import typeset

    console.print(report.title, style="bold")
    figures = report.narrative.figures
    lost = [f for f in figures if not f.is_understood]
    console.print(
        f"{report.document.name} · {typeset(report.tables_read)} · 正文识别 {len(figures) - len(lost)} 个数",
        style="dim",
    )
    for check in report.checks:
        if everything or check.status in ("fail", "uncertain"):
            _print_check(console, check)
    for row in report.tables.extra_rows:
        console.print(
            f"+ 格式以外的行 {TABLE_NAMES[row.table]} {row.label} {'、'.join(row.values)}",
            style="cyan",
        )
    for text in report.not_read:
        console.print(typeset(f"! 未能读出:{text}"), style="magenta")
    for figure in lost:
        console.print(typeset(f"! 未能理解:“{figure.quote}”"), style="magenta")
    counts = [
        f"{STATUS_LABELS[s]} {report.count(s)}"
        for s in ("fail", "uncertain", "pass", "not_assessable")
    ]
    held = "bold green" if report.count("pass") else "bold yellow"
    console.print(" · ".join(counts), style="bold red" if report.fails else held)
    if len(report.checks) == report.count("not_assessable"):
        console.print(
            "没有一项能够核对:请确认文件是政府信息公开工作年度报告,表格不是图片", style="yellow"
        )


def _print_check(console: Any, check: AuditCheck) -> None:
    from rich.text import Text

    from expectations.balance import STATUS_LABELS
    from tasks.wording.typeset import typeset

    mark, style = _MARKS.get(check.status, ("·", ""))
    head = Text(f"{mark} {check.code} {STATUS_LABELS[check.status]} ", style=style)
    console.print(head.append(typeset(check.message), style="default"))
    if len(check.readings) > 1:
        for reading in check.readings:
            console.print(f"    {typeset(reading.text)}  {reading.equation}")
    elif check.equation:
        console.print(f"    {check.equation}")
    for suggestion in check.suggestions:
        console.print(typeset(f"    提示(仅供参考):{suggestion.text}"), style="dim")
