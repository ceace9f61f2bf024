"""The end of a build on the terminal: what does not add up, and where the files are."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from expectations.result import SEVERITY_LABELS, STATUS_LABELS
from tasks.editions.edition import Edition, Finding
from tasks.wording.typeset import typeset
from tasks.wording.visible import as_markup

RECORDS_SHOWN = 8


def summary(edition: Edition, folder: Path) -> RenderableType:
    """Open findings with their records, the gravest first, then the output files."""
    root = edition.root.id
    shown = [f for f in edition.open_findings if f.organ_id == root or not f.records]
    shown.sort(key=lambda f: (not f.blocks, f.code, f.key))
    blocks: list[RenderableType] = []
    if shown:
        blocks += [
            _findings(shown),
            Text("各机关的问题见 report.html 与工作簿的问题表。", style="dim"),
        ]
    blocks += [Text(""), _outputs(folder)]
    return Group(*blocks)


def _findings(findings: list[Finding]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("规则", no_wrap=True)
    table.add_column("级别", no_wrap=True)
    table.add_column("结果", no_wrap=True)
    table.add_column("问题与所涉记录", overflow="fold")
    for f in findings:
        colour = "red" if f.blocks else "yellow"
        text = as_markup(typeset(f.message))
        if f.equation:
            text += f"\n[dim]{as_markup(f.equation)}[/dim]"
        if f.records:
            # Spaces between them: a line then breaks between ids, never inside one.
            named = " ".join(r.record_id for r in f.records[:RECORDS_SHOWN])
            more = f" 等 {f.record_count} 条" if f.record_count > RECORDS_SHOWN else ""
            text += f"\n[dim]记录：{as_markup(named)}{more}[/dim]"
        severity = SEVERITY_LABELS[f.severity]
        table.add_row(f.code, f"[{colour}]{severity}[/{colour}]", STATUS_LABELS[f.status], text)
    return table


def _outputs(folder: Path) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for path in sorted(folder.iterdir()):
        table.add_row(str(path), f"[dim]{path.stat().st_size / 1024:,.0f} KB[/dim]")
    return table
