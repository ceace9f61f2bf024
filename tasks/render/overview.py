"""The figures of the narrative （一、总体情况） as lines, each with its sides and last year."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tasks.editions import figures as written
from warehouse.layout import OVERVIEW
from warehouse.numbers import plain

if TYPE_CHECKING:
    from tasks.editions.edition import CellValue, Edition
    from warehouse.layout import Cell


@dataclass(frozen=True)
class OverviewLine:
    """A figure of the narrative beside last year's; `origin` is its source, its meaning and
    how a percentage is cut."""

    cell: Cell
    value: CellValue | None
    before: CellValue | None
    origin: str

    @property
    def text(self) -> str:
        return written.text(self.cell, self.value)

    @property
    def before_text(self) -> str:
        return written.text(self.cell, self.before)

    @property
    def sides(self) -> str:
        return written.sides(self.cell, self.value)

    @property
    def numerator(self) -> Decimal | None:
        return self.value.numerator if self.value and written.is_percentage(self.cell) else None

    @property
    def denominator(self) -> Decimal | None:
        return self.value.denominator if self.value and written.is_percentage(self.cell) else None

    @property
    def change_text(self) -> str:
        """The difference from last year; percentages in percentage points."""
        now = written.number(self.cell, self.value)
        before = written.number(self.cell, self.before)
        if now is None or before is None or self.cell.change_on_year or self.cell.last_year:
            return ""
        difference = now - before
        sign = "+" if difference > 0 else ""
        if written.is_percentage(self.cell):
            return f"{sign}{difference:.2f} 个百分点"
        return f"{sign}{plain(difference)}"


def overview_lines(edition: Edition, organ_id: str | None = None) -> list[OverviewLine]:
    """The narrative's figures in the order of their declaration.

    Last year's are known for the root only; figures that only the root has are left out
    for other organs.
    """
    figures = edition.figures(organ_id)
    is_root = organ_id in (None, edition.root.id)
    last = edition.last_year if is_root else {}
    lines = []
    for cell in edition.layout.cells.values():
        if cell.table != OVERVIEW or (cell.only_root and not is_root):
            continue
        value = figures.get(cell.key)
        told = [cell.source, cell.meaning]
        if not cell.meaning and (written.is_percentage(cell) or cell.parts or cell.last_year):
            told.append(written.definition(edition.layout, cell))
        percentage = written.rate(cell, value)
        if percentage is not None:
            told.append(percentage.way)
        lines.append(OverviewLine(cell, value, last.get(cell.key), "；".join(t for t in told if t)))
    return lines
