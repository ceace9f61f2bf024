"""Figures by span on a terminal, for `nianbao tables --by` and `--compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tasks.editions import figures as written
from tasks.editions.spans import Spans, changes
from tasks.wording.typeset import typeset
from warehouse.numbers import number

if TYPE_CHECKING:
    from rich.console import RenderableType


def readable(spans: Spans) -> Group:
    """The figures, one a line; lines without any figure are left out. Below them whether parts and
    whole agree, or, beside other spans, how far the first is from each."""
    is_by_parts = bool(spans.compared)
    table = Table(
        title=escape(typeset(f"{spans.organ.name} {spans.period.label}")),
        title_style="bold",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("项目", overflow="fold")
    table.add_column("单位", no_wrap=True)
    for label, _ in spans.columns:
        short = label.removeprefix(f"{spans.period.year} 年") or label
        table.add_column(escape(typeset(short)), justify="right")
    if not is_by_parts:
        # Of a year, the span before is the year before.
        table.add_column("同比" if spans.period.is_year else "环比", justify="right")
        if len(spans.columns) > 2:
            table.add_column("同比", justify="right")
    section = ""
    for cell, values in spans.rows():
        if not any(value.value for value in values):
            continue
        if section and cell.table != section:
            table.add_section()
        section = cell.table
        shown = [written.text(cell, value) or "[dim]缺[/dim]" for value in values]
        told = [] if is_by_parts else [typeset(text) for text in changes(cell, values)]
        unit = "" if written.is_percentage(cell) else cell.unit
        table.add_row(escape(typeset(cell.full_label)), unit, *shown, *told)
    parts: list[RenderableType] = [table]
    if is_by_parts:
        parts.append(Text(typeset(_agreement(spans)), style="red" if spans.disagreements else ""))
    return Group(*parts)


def _agreement(spans: Spans) -> str:
    if not spans.disagreements:
        return f"各部分与{spans.period.label}合计一致:核对 {spans.compared} 个数字。"
    told = [
        f"{d.cell.full_label} 合计 {number(d.whole)},各部分 {number(d.parts)}"
        for d in spans.disagreements[:20]
    ]
    return f"各部分与合计不一致({len(spans.disagreements)} 个数字):" + ";".join(told)
