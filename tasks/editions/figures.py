"""How figures are written: numbers, percentages, definitions in words, change on last year.

Every output takes its texts from here, so a figure reads the same in the workbook, the
report, the artifacts and on the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING

from warehouse.layout import OVERVIEW
from warehouse.numbers import average, half_up, plain

if TYPE_CHECKING:
    from tasks.editions.edition import CellValue, Edition
    from warehouse.layout import Cell, Layout

TWO_PLACES = Decimal("0.01")
HUNDRED = Decimal(100)
SMALLEST_MOVE = Decimal(10)

Figures = Mapping[str, "CellValue"]


@dataclass(frozen=True)
class Rate:
    """A percentage with both its sides, cut to two decimals and rounded to two decimals."""

    exact: Decimal
    numerator: Decimal | None
    denominator: Decimal | None

    @property
    def truncated(self) -> Decimal:
        return self._to_two_places(ROUND_DOWN)

    @property
    def rounded(self) -> Decimal:
        return self._to_two_places(ROUND_HALF_UP)

    def _to_two_places(self, rounding: str) -> Decimal:
        with localcontext() as context:
            context.prec = 60
            return self.exact.quantize(TWO_PLACES, rounding=rounding) + Decimal(0)

    @property
    def way(self) -> str:
        """Which of the two is printed, and what the other would be."""
        if self.truncated == self.rounded:
            return "截取两位小数，四舍五入相同"
        return f"截取两位小数，四舍五入为 {self.rounded:.2f}%"


def is_percentage(cell: Cell) -> bool:
    """Whether the cell is a rate or a change on the year."""
    return (cell.ratio is not None and not cell.is_average) or cell.change_on_year is not None


NOT_PROVIDED = "来源没有这一内容"
NOT_ENTERED = "没有登记"
NO_RECORD = "来源没有该网站的记录"
NONE_OF_ITS_OWN = "—"
"""In the place of words that an organ above others has none of."""


def is_words(cell: Cell) -> bool:
    """Whether the cell is printed in words: a text, or the answer to a question."""
    return cell.text is not None or cell.is_yes_no


def why_not_provided(cell: Cell, value: CellValue | None) -> str:
    """Why a figure is blank although nothing went wrong; empty where it is there, or where its
    source was not reached."""
    if value is not None and not value.is_missing:
        return ""
    if cell.entered:
        return NOT_ENTERED
    if cell.text is not None:
        return NO_RECORD
    reasons = [NO_RECORD] if cell.blank_without else []
    return "，或".join([NOT_PROVIDED, *reasons] if cell.needs is not None else reasons)


def rate(cell: Cell, value: CellValue | None) -> Rate | None:
    """The cell's percentage; None when it is not one or cannot be computed.

    Taken from numerator and denominator where both are there, so that a stored value that
    was rounded on the way cannot change the printed one. A change on the year has this
    year's figure as numerator and last year's as denominator.
    """
    if value is None or not is_percentage(cell):
        return None
    numerator, denominator = value.numerator, value.denominator
    if numerator is not None and denominator:
        with localcontext() as context:
            context.prec = 60
            above = numerator - denominator if cell.change_on_year else numerator
            return Rate(above / denominator * HUNDRED, numerator, denominator)
    if value.value is None:
        return None
    return Rate(value.value, numerator, denominator)


def number(cell: Cell, value: CellValue | None) -> Decimal | None:
    """The figure as it is printed: percentages cut to two decimals, averages rounded half up to
    two, amounts to the decimals that the layout prints, the rest as it is."""
    if value is None:
        return None
    if is_percentage(cell):
        percentage = rate(cell, value)
        return None if percentage is None else percentage.truncated
    if value.value is not None and cell.is_average:
        return average(value.value, value.numerator, value.denominator)
    if value.value is None or cell.printed_decimals is None:
        return value.value
    return half_up(value.value, cell.printed_decimals)


def text(cell: Cell, value: CellValue | None) -> str:
    """The figure as text; a missing one is the empty text, zero is 0."""
    if cell.text is not None:
        told = value.text if value else None
        return NONE_OF_ITS_OWN if told == "" else told or ""
    if cell.is_yes_no:
        return _yes_no(value)
    if is_percentage(cell):
        percentage = rate(cell, value)
        if percentage is None:
            return ""
        sign = "+" if cell.change_on_year and percentage.truncated > 0 else ""
        return f"{sign}{percentage.truncated:.2f}%"
    shown = number(cell, value)
    if shown is None:
        return ""
    # An amount and an average keep their decimals, a whole amount has none.
    if cell.is_average or (cell.printed_decimals is not None and shown % 1):
        return f"{shown:f}"
    return plain(shown)


def _yes_no(value: CellValue | None) -> str:
    """是 or 否 of one that was asked; of several how many said which."""
    if value is None or value.value is None:
        return ""
    asked = value.denominator or Decimal(0)
    if asked <= 1:
        return "是" if value.value else "否"
    return f"{plain(value.value)} 个是、{plain(asked - value.value)} 个否"


def sides(cell: Cell, value: CellValue | None) -> str:
    """A percentage's numerator, denominator and way of rounding in words, an average's sides; else
    empty. A figure that no source provides says so."""
    if why := why_not_provided(cell, value):
        return why
    if cell.is_average:
        both = (value.numerator, value.denominator) if value else (None, None)
        above, below = ("缺" if side is None else plain(side) for side in both)
        return f"{above} ÷ {below}，保留两位小数"
    if not is_percentage(cell):
        return ""
    numerator = value.numerator if value else None
    denominator = value.denominator if value else None
    above = "缺" if numerator is None else plain(numerator)
    below = "缺" if denominator is None else plain(denominator)
    percentage = rate(cell, value)
    way = "无法计算" if percentage is None else percentage.way
    return f"{_operation(cell, above, below)}，{way}"


def _operation(cell: Cell, above: str, below: str) -> str:
    """How a percentage comes from its two sides."""
    return f"({above} − {below}) ÷ {below}" if cell.change_on_year else f"{above} ÷ {below}"


def short_sides(cell: Cell, value: CellValue | None) -> str:
    """Numerator and denominator alone, and the rounded percentage where it differs."""
    percentage = rate(cell, value)
    if percentage is None or percentage.numerator is None or percentage.denominator is None:
        return sides(cell, value)
    way = "截取"
    if percentage.rounded != percentage.truncated:
        way = f"截取 四舍五入 {percentage.rounded:.2f}%"
    both = plain(percentage.numerator), plain(percentage.denominator)
    return f"{_operation(cell, *both)} {way}"


def definition(layout: Layout, cell: Cell) -> str:
    """The cell's definition in words, without the article."""
    if cell.ratio:
        above, below = (layout.cells[key].full_label for key in cell.ratio)
        made = f"“{above}”除以“{below}”" + ("" if cell.is_average else "，以百分数表示")
    elif cell.change_on_year:
        base = layout.cells[cell.change_on_year].full_label
        made = f"本年“{base}”减去上年同一数字，再除以上年数字，以百分数表示"
    elif cell.last_year:
        made = f"上年的“{layout.cells[cell.last_year].full_label}”"
    elif len(cell.parts) == 1:
        made = f"即“{layout.cells[cell.parts[0]].full_label}”"
    elif cell.parts:
        made = "加".join(f"“{layout.cells[key].full_label}”" for key in cell.parts) + "之和"
    elif cell.entered:
        made = "由人员登记，照登记的列出，没有登记时空白"
    elif cell.column_label:
        made = f"列入“{cell.label}”行、“{cell.column_label}”列"
    else:
        made = "" if cell.meaning else cell.label
    if cell.blank_without and not cell.entered:
        made = f"{made}，来源没有该网站的记录时空白" if made else "来源没有该网站的记录时空白"
    if cell.needs:
        made = f"{made}，来源没有这一内容时空白" if made else "来源没有这一内容时空白"
    return "，".join(part for part in (cell.meaning, made) if part)


@dataclass(frozen=True)
class Definition:
    """What a line of figures means: in one column, or in all of them （各列）."""

    label: str
    columns: str
    words: str
    article: str
    unit: str
    key: str


def definitions_by_line(layout: Layout) -> list[Definition]:
    """Every printed figure's definition, said once for a whole line where that is enough."""
    lines: dict[tuple[str, str], list[Cell]] = {}
    for cell in layout.cells.values():
        if not cell.derived:
            lines.setdefault((cell.table, cell.row), []).append(cell)
    found = []
    for (table, row), cells in lines.items():
        first = cells[0]
        same = all((c.meaning, c.unit) == (first.meaning, first.unit) for c in cells)
        if len(cells) > 1 and same:
            words = first.meaning or first.label
            columns = "各列"
            found.append(
                Definition(
                    first.label, columns, words, first.article, first.unit, f"{table}.{row}.*"
                )
            )
            continue
        found += [
            Definition(
                c.label,
                c.column_label,
                definition(layout, c) if table == OVERVIEW or not c.meaning else c.meaning,
                c.article,
                c.unit,
                c.key,
            )
            for c in cells
        ]
    return found


@dataclass(frozen=True)
class Change:
    """A figure beside last year's. `percent` is None when last year's was zero."""

    cell: Cell
    now: Decimal
    before: Decimal

    @property
    def difference(self) -> Decimal:
        return self.now - self.before

    @property
    def percent(self) -> Rate | None:
        if not self.before:
            return None
        with localcontext() as context:
            context.prec = 60
            return Rate(self.difference / abs(self.before) * HUNDRED, self.now, self.before)

    @property
    def percent_text(self) -> str:
        if self.percent is None:
            return "上年为 0"
        return f"{'+' if self.percent.truncated > 0 else ''}{self.percent.truncated:.2f}%"

    @property
    def difference_text(self) -> str:
        return f"{'+' if self.difference > 0 else ''}{plain(self.difference)}"


def changes(edition: Edition) -> list[Change]:
    """Every figure of the root that is there in both years, in the layout's order.

    Percentages and figures that repeat last year's are left out.
    """
    figures = edition.figures()
    found = []
    for key, cell in edition.layout.cells.items():
        if is_percentage(cell) or cell.last_year:
            continue
        now, before = figures.get(key), edition.last_year.get(key)
        if now and before and now.value is not None and before.value is not None:
            found.append(Change(cell, now.value, before.value))
    return found


def largest_movers(edition: Edition, limit: int = 12) -> list[Change]:
    """The figures that moved most against last year, relative to last year's figure.

    Moves of less than ten are left out: small counts double by chance.
    """
    moved = [c for c in changes(edition) if abs(c.difference) >= SMALLEST_MOVE]
    return sorted(
        moved,
        key=lambda c: (-abs(c.difference) / max(abs(c.before), Decimal(1)), c.cell.key),
    )[:limit]
