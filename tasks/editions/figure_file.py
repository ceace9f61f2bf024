"""An edition's figures as a file that DuckDB reads: a province has millions, and as texts or parameters of
a statement they take three times as long and several times the memory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from tasks.editions.edition import CellValue
from warehouse.csv_lines import further
from warehouse.sql import cast, quoted

Group = tuple[str, str]
NUMBERS = ("value", "numerator", "denominator")
_COLUMNS = ("organ_id", "scope", "cell", *NUMBERS, "cell_text")


def write_figures(
    path: Path, figures: Iterable[tuple[Group, Iterable[tuple[str, CellValue]]]]
) -> None:
    """Write figures by their organ and scope, each with the key of its cell, in their order. What the same
    object says is put into words once."""
    told: dict[int, str] = {}
    cells: dict[str, str] = {}
    place = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        for group, found in figures:
            head = further(group)
            lines = []
            for key, figure in found:
                numbers = told.get(id(figure))
                if numbers is None:
                    numbers = told[id(figure)] = _told(figure)
                cell = cells.get(key) or cells.setdefault(key, further((key,)))
                lines.append(f"{place}{head}{cell}{numbers}\n")
                place += 1
            file.write("".join(lines))


def _told(figure: CellValue) -> str:
    numbers = map(_written, (figure.value, figure.numerator, figure.denominator))
    # A text is one line, and empty is not missing.
    return further((*numbers, "" if figure.text is None else json.dumps(figure.text)))


def _written(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"


def figures_sql(path: Path) -> str:
    """The figures of such a file as a SELECT: `place` in their order, organ_id, scope, cell, the numbers as
    the warehouse stores them, and cell_text."""
    described = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in _COLUMNS)
    numbers = ", ".join(f"{cast(name, 'DECIMAL(24, 6)')} AS {name}" for name in NUMBERS)
    return (
        f"SELECT place, organ_id, scope, cell, {numbers}, json_extract_string(cell_text, '$') AS cell_text "
        f"FROM read_csv({quoted(path)}, header = false, auto_detect = false, delim = ',', quote = '\"', "
        f"escape = '\"', nullstr = '', columns = {{'place': 'BIGINT', {described}}})"
    )
