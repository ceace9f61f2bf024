"""An explanation for the terminal."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from tasks.editions.edition import EDITION_STATUS_LABELS
from tasks.editions.explain import Explanation
from tasks.wording.typeset import typeset
from tasks.wording.visible import as_markup
from warehouse.numbers import number

ROLES = {
    "numerator": "分子",
    "denominator": "分母",
    "part": "其中",
    "this_year": "本年",
    "last_year": "上年",
}


def shown(e: Explanation) -> str:
    """A figure with its unit; a rate cut off after two decimals, as it is published."""
    if e.value is None and not e.text:
        return f"空白({e.why_blank})" if e.why_blank else "无数据"
    if e.value is None or not _is_number(e.text):
        return e.text
    if e.unit == "%":
        return f"{e.value.quantize(Decimal('0.01'), rounding=ROUND_DOWN)}%"
    return f"{number(e.value)} {e.unit}".strip()


def _is_number(text: str) -> bool:
    """Whether a figure is printed as a number, rather than as words."""
    return bool(text) and text.strip("+%")[-1:].isdigit()


def readable(e: Explanation, page: int, page_size: int) -> RenderableType:
    """Value, definition, article, SQL and one page of records."""
    head = Table.grid(padding=(0, 2))
    head.add_column(style="dim", no_wrap=True)
    head.add_column(overflow="fold")
    head.add_row("数字", Text(shown(e), style="bold"))
    head.add_row("机关", typeset(f"{e.organ_name}({e.organ_id})"))
    head.add_row("口径", typeset(e.definition))
    if e.article:
        head.add_row("依据", typeset(e.article))
    if e.rule:
        head.add_row("规则", typeset(e.rule))
    for role, part in e.parts:
        text = typeset(f"{part.period.label}{part.label}:{shown(part)}")
        head.add_row(ROLES[role], f"{text} [dim]{part.cell}[/dim]")
    pinned = f"版次 {e.edition_id}" if e.edition_id else "预览"
    head.add_row("快照", typeset(f"{e.snapshot}({pinned})"))
    blocks: list[RenderableType] = [
        Panel(head, title=f"{e.period.label} {e.cell}", title_align="left")
    ]
    if e.cities:
        blocks += [_cities(e), *(Text(city.command, style="dim") for city in e.cities)]
    elif e.records:
        blocks.append(_records(e))
        pages = -(-e.record_count // page_size)
        more = f";下一页加 --page {page + 1}" if page < pages else ""
        blocks.append(
            Text(typeset(f"共 {e.record_count} 条记录,第 {page}/{pages} 页{more}"), style="dim")
        )
    elif not any(part.cities for _, part in e.parts):
        blocks.append(Text("没有记录。" if not e.record_count else "这一页没有记录。", style="dim"))
    if e.sql:
        blocks.append(Text("\nSQL", style="dim"))
        blocks.append(Syntax(e.sql, "sql", word_wrap=True, background_color="default"))
    return Group(*blocks)


def _cities(e: Explanation) -> Table:
    """The figures of the cities' editions; the commands that go on into them follow it, a line each,
    to be copied."""
    listed = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("市", "版次", "状态", "快照", "单元格指纹"):
        listed.add_column(name, no_wrap=name != "市")
    listed.add_column("数字", justify="right")
    for city in e.cities:
        edition = city.edition
        listed.add_row(
            as_markup(typeset(city.name)),
            edition.edition_id,
            EDITION_STATUS_LABELS[edition.status],
            str(edition.snapshot),
            edition.cell_hash[:12],
            city.text or "无数据",
        )
    return listed


def _records(e: Explanation) -> Table:
    listed = Table(box=None, header_style="bold", pad_edge=False)
    dates = list(dict.fromkeys(name for r in e.records for name in r.dates))
    has_quantity = any(r.quantity != 1 for r in e.records)
    has_detail = any(r.detail for r in e.records)
    for name in ("来源", "记录", "机关", "日期"):
        listed.add_column(name, no_wrap=name != "机关")
    for name in dates:
        listed.add_column(name)
    if has_quantity:
        listed.add_column("数量", justify="right")
    if has_detail:
        listed.add_column("内容", overflow="fold")
    for r in e.records:
        row = [r.source_system, as_markup(r.record_id), r.organ_id or "—", str(r.record_on or "—")]
        row += [str(r.dates.get(name) or "—") for name in dates]
        row += [number(r.quantity)] if has_quantity else []
        listed.add_row(*row, *([as_markup(typeset(r.detail))] if has_detail else []))
    return listed
