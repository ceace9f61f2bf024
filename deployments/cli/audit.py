"""`nianbao audit`: does a published report add up?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from tasks.audit.result import AuditReport, Check

_MARKS = {"fail": ("✗", "bold red"), "uncertain": ("?", "yellow"), "pass": ("✓", "green"), "not_assessable": ("–", "dim")}


def audit(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="年度报告文件(HTML、Word .docx、PDF、文本),可一次给出同一机关的几年", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON(一个文件为一个对象,几个文件为一个列表)")] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="PATH", help="另写一个网页:报告原文,每个数都标出核对结果", show_default=False)] = None,
    year: Annotated[int | None, typer.Option("--year", metavar="YEAR", help="报告年度;报告自己没有写明时给出,只用于单个文件", show_default=False)] = None,
    against_edition: Annotated[Path | None, typer.Option("--against-edition", metavar="JSON", help="与版本逐格比较:`nianbao tables YEAR --json` 的输出文件", show_default=False)] = None,
    child: Annotated[list[Path] | None, typer.Option("--child", metavar="FILE", help="直接下级机关的报告,用于核对汇总(可多次给出)", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="通过的和无法核对的也逐条列出")] = False,
) -> None:
    """核对已发布的政府信息公开工作年度报告:表格与正文的数是否对得上。

    退出码:0 没有不符;1 有不符;2 用法不对或文件读不了。
    """
    from tasks.audit.document import UnreadableDocument
    from tasks.audit.run import audit_files

    if year is not None and len(files) > 1:
        _stop("--year 只能用于单个文件")
    edition = _edition(against_edition) if against_edition else None
    try:
        reports = audit_files(files, year, edition, child or [])
    except UnreadableDocument as error:
        _stop(str(error))
    if html is not None:
        from tasks.audit.page import render_page

        try:
            html.write_text(render_page(reports), encoding="utf-8")
        except OSError as error:
            _stop(f"{html}:写不进去({error.strerror})")
    if as_json:
        from tasks.audit.result import as_json as published

        out = [published(report) for report in reports]
        typer.echo(json.dumps(out[0] if len(out) == 1 else out, ensure_ascii=False, indent=2))
    else:
        _print(reports, html, everything)
    if any(report.fails for report in reports):
        raise typer.Exit(1)


def _stop(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)


def _edition(path: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        _stop(f"{path}:打不开文件({error.strerror})")
    except ValueError as error:
        _stop(f"{path}:不是有效的 JSON({error})")
    if not isinstance(loaded, dict) or not isinstance(loaded.get("cells"), dict):
        _stop(f"{path}:不是版本的输出,缺少 cells(应为 `nianbao tables YEAR --json` 的结果)")
    return dict(loaded)


def _print(reports: list[AuditReport], html: Path | None, everything: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for at, report in enumerate(reports):
        if at:
            console.print()
        _print_report(console, report, everything)
    if html is not None:
        console.print(f"\n网页已写入 {html}", markup=False)


def _print_report(console: Any, report: AuditReport, everything: bool) -> None:
    from rich.markup import escape

    from expectations.balance import STATUS_LABELS

    year = f" {report.report_year} 年" if report.report_year else ""
    console.print(f"[bold]{escape(report.organ or report.document.name)}{year}政府信息公开工作年度报告[/bold]")
    tables = f"{report.layout} 年格式,读到 {len(report.tables.cells)} 个单元格" if report.layout else "没有找到可读的表格"
    figures = report.narrative.figures
    lost = [f for f in figures if not f.is_understood]
    console.print(f"[dim]{escape(report.document.name)} · {tables} · 正文识别 {len(figures) - len(lost)} 个数[/dim]")
    for check in report.checks:
        if everything or check.status in ("fail", "uncertain"):
            _print_check(console, check)
    for row in report.tables.extra_rows:
        console.print(f"[cyan]+[/cyan] 格式以外的行:{row.table} {escape(row.label)}:{escape('、'.join(row.values))}")
    for text, _ in report.tables.problems:
        console.print(f"[magenta]![/magenta] 未能读出:{escape(text)}")
    for figure in lost:
        console.print(f"[magenta]![/magenta] 未能理解:“{escape(figure.quote)}”")
    counts = [f"{STATUS_LABELS[s]} {report.count(s)}" for s in ("fail", "uncertain", "pass", "not_assessable")]
    style = "bold red" if report.fails else "bold green"
    console.print(f"[{style}]{' · '.join(counts)}[/{style}]")


def _print_check(console: Any, check: Check) -> None:
    from rich.markup import escape

    from expectations.balance import STATUS_LABELS

    mark, style = _MARKS.get(check.status, ("·", ""))
    console.print(f"[{style}]{mark} {check.code} {STATUS_LABELS[check.status]}[/{style}] {escape(check.message)}")
    if len(check.readings) > 1:
        for reading in check.readings:
            console.print(f"      {escape(reading.text)}:{escape(reading.equation)}")
    elif check.equation:
        console.print(f"      {escape(check.equation)}")
    for suggestion in check.suggestions:
        console.print(f"      [dim]提示(仅供参考):{escape(suggestion.text)}[/dim]")
