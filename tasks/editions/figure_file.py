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

NUMBERS = ("value", "numerator", "denominator")
_COLUMNS = ("place", "organ_id", "scope", "cell", *NUMBERS, "cell_text")


def write_figures(path: Path, figures: Iterable[tuple[tuple[str, str], str, CellValue]]) -> None:
    """Write figures, each with its organ and scope and the key of its cell, in their order. The same
    object, or the same organ and scope one after another, is written down once."""
    told: dict[int, str] = {}
    keys: dict[str, str] = {}
    head: tuple[tuple[str, str] | None, str] = (None, "")
    with path.open("w", encoding="utf-8", newline="") as file:
        for place, (group, key, figure) in enumerate(figures):
            if head[0] != group:
                head = group, further(group)
            numbers = told.get(id(figure)) or told.setdefault(id(figure), _told(figure))
            cell = keys.get(key) or keys.setdefault(key, further((key,)))
            file.write(f"{place}{head[1]}{cell}{numbers}\n")


def _told(figure: CellValue) -> str:
    numbers = map(_written, (figure.value, figure.numerator, figure.denominator))
    # A text is one line, and empty is not missing.
    return further((*numbers, "" if figure.text is None else json.dumps(figure.text)))


def _written(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"


def figures_sql(path: Path) -> str:
    """The figures of such a file as a SELECT: `place` in their order, organ_id, scope, cell, the numbers as
    the warehouse stores them, and cell_text."""
    described = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in _COLUMNS[1:])
    numbers = ", ".join(f"{cast(name, 'DECIMAL(24, 6)')} AS {name}" for name in NUMBERS)
    return (
        f"SELECT place, organ_id, scope, cell, {numbers}, json_extract_string(cell_text, '$') AS cell_text "
        f"FROM read_csv({quoted(path)}, header = false, auto_detect = false, delim = ',', quote = '\"', "
        f"escape = '\"', nullstr = '', columns = {{'place': 'BIGINT', {described}}})"
    )
