"""An explanation for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from expectations.balance import number
from tasks.explain import Explanation
from tasks.render.typeset import typeset

ROLES = {
    "numerator": "分子",
    "denominator": "分母",
    "part": "其中",
    "this_year": "本年",
    "last_year": "上年",
}


def readable(e: Explanation, page: int, page_size: int) -> RenderableType:
    """Value, definition, article, SQL and one page of records."""
    head = Table.grid(padding=(0, 2))
    head.add_column(style="dim", no_wrap=True)
    head.add_column()
    value = "无数据" if e.value is None else f"{number(e.value)} {e.unit}"
    head.add_row("数字", Text(value, style="bold"))
    head.add_row("机关", f"{e.organ_name}({e.organ_id})")
    head.add_row("口径", typeset(e.definition))
    if e.article:
        head.add_row("依据", typeset(e.article))
    if e.rule:
        head.add_row("规则", typeset(e.rule))
    for role, part in e.parts:
        shown = "无数据" if part.value is None else f"{number(part.value)} {part.unit}"
        head.add_row(ROLES[role], f"{part.report_year} 年 {part.label}:{shown}({part.cell})")
    head.add_row("快照", f"{e.snapshot}" + (f"(版次 {e.edition_id})" if e.edition_id else "(预览)"))
    blocks: list[RenderableType] = [
        Panel(head, title=f"{e.report_year} 年 {e.cell}", title_align="left")
    ]
    if e.sql:
        blocks.append(Syntax(e.sql, "sql", word_wrap=True, background_color="default"))
    if e.records:
        blocks.append(_records(e))
        pages = -(-e.record_count // page_size)
        more = f";下一页加 --page {page + 1}" if page < pages else ""
        blocks.append(Text(f"共 {e.record_count} 条记录,第 {page}/{pages} 页{more}", style="dim"))
    else:
        blocks.append(Text("没有记录。" if not e.record_count else "这一页没有记录。", style="dim"))
    return Group(*blocks)


def _records(e: Explanation) -> Table:
    listed = Table(box=None, header_style="bold", pad_edge=False)
    dates = list(dict.fromkeys(name for r in e.records for name in r.dates))
    has_quantity = any(r.quantity != 1 for r in e.records)
    for name in ("来源", "记录", "机关", "日期"):
        listed.add_column(name, no_wrap=name != "机关")
    for name in dates:
        listed.add_column(name)
    if has_quantity:
        listed.add_column("数量", justify="right")
    for r in e.records:
        row = [r.source_system, r.record_id, r.organ_id or "—", str(r.record_on or "—")]
        row += [str(r.dates.get(name) or "—") for name in dates]
        listed.add_row(*row, *([number(r.quantity)] if has_quantity else []))
    return listed
