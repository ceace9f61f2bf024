"""Compare two editions of a report, cell by cell."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tasks.editions.edition import CellValue, Edition, Scope
from tasks.editions.figures import is_words, text
from tasks.editions.figures import number as printed
from warehouse.layout import Cell
from warehouse.numbers import number
from warehouse.spreadsheet import safe_text

SCOPE_LABELS: dict[Scope, str] = {"own": "本机关", "rolled_up": "含所属"}
MISSING = "缺"
COLUMNS = (
    *("organ_id", "organ_name", "scope", "cell", "label"),
    *("before", "after", "difference", "note"),
)


@dataclass(frozen=True)
class CellDifference:
    """A figure that is another in the later edition, be it only in numerator or denominator.

    `before` and `after` are the figures as they are printed everywhere; None where an edition
    does not have it.
    """

    organ_id: str
    organ_name: str
    scope: Scope
    cell: str
    label: str
    figure_before: CellValue
    figure_after: CellValue
    declared: Cell | None = None

    def _printed(self, figure: CellValue) -> Decimal | None:
        return printed(self.declared, figure) if self.declared else figure.value

    @property
    def before(self) -> Decimal | None:
        return self._printed(self.figure_before)

    @property
    def after(self) -> Decimal | None:
        return self._printed(self.figure_after)

    def _shown(self, figure: CellValue) -> str:
        if self.declared is not None and is_words(self.declared):
            return text(self.declared, figure) or MISSING
        return number(self._printed(figure), MISSING)

    @property
    def shown_before(self) -> str:
        """As it is printed; a cell of words is not a number."""
        return self._shown(self.figure_before)

    @property
    def shown_after(self) -> str:
        return self._shown(self.figure_after)

    @property
    def is_in_value(self) -> bool:
        """Whether the printed figure is another; else only its numerator or denominator is."""
        return self.before != self.after or self.shown_before != self.shown_after

    @property
    def note(self) -> str:
        """What a reader of equal figures must know: the sides of a rate that has not moved."""
        if self.is_in_value:
            return ""
        sides = (
            f"{number(f.numerator, MISSING)} ÷ {number(f.denominator, MISSING)}"
            for f in (self.figure_before, self.figure_after)
        )
        return f"数字相同,只有分子、分母不同:{' → '.join(sides)}"

    @property
    def difference(self) -> Decimal | None:
        if self.before is None or self.after is None:
            return None
        return self.after - self.before


Cells = Mapping[tuple[str, Scope], Mapping[str, CellValue]]


def compare(edition: Edition, before: Cells, *, is_whole: bool = False) -> list[CellDifference]:
    """Every figure of `edition` that differs from `before`, by organ and cell, the root first;
    with `is_whole` also those that are computed and not shown, as an organ does not have them."""
    order = {organ.id: position for position, organ in enumerate(edition.organs)}
    names = {organ.id: organ.name for organ in edition.organs}
    found = []
    for organ_id, scope in {**before, **edition.cells}:
        old, new = before.get((organ_id, scope), {}), edition.cells.get((organ_id, scope), {})
        for key in {**old, **new}:
            was, is_ = old.get(key, CellValue(None)), new.get(key, CellValue(None))
            cell = edition.layout.cells.get(key)
            is_shown = is_whole or cell is None or edition.has_figure(cell, organ_id)
            if was != is_ and is_shown:
                found.append(
                    CellDifference(
                        organ_id,
                        names.get(organ_id, organ_id),
                        scope,
                        key,
                        cell.full_label if cell else key,
                        was,
                        is_,
                        cell,
                    )
                )
    places = {key: position for position, key in enumerate(edition.layout.cells)}
    found.sort(
        key=lambda d: (
            order.get(d.organ_id, len(order)),
            d.scope != "rolled_up",
            places.get(d.cell, len(places)),
            d.cell,
        )
    )
    return found


def write_csv(differences: Sequence[CellDifference], path: Path) -> None:
    """All differences, one a line; UTF-8 with byte order mark for spreadsheet programs."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        for d in differences:
            values = (d.before, d.after, d.difference)
            figures = ["" if value is None else number(value) for value in values]
            if d.declared is not None and is_words(d.declared):
                figures = [safe_text(d.shown_before), safe_text(d.shown_after), ""]
            organ = safe_text(d.organ_id), safe_text(d.organ_name)
            writer.writerow([*organ, d.scope, d.cell, d.label, *figures, d.note])
