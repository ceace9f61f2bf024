"""The header of a sheet of which nothing is known yet: which rows hold the labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tasks.connect import vocabulary
from tasks.sources.grids import Grid, UnreadableWorkbook, read_grids
from tasks.sources.model import Workbook
from tasks.sources.workbook import (
    MOST_HEADER_ROWS,
    Wanted,
    fill_merged,
    has_groups,
    labels_of,
    normal,
    read_workbook,
)
from warehouse.tables import all_tables

WITHIN = 15
LONGEST_LABEL = 40
_DATA = re.compile(r"[\d\s.,/:-]{3,}|\d{4}年.*|.*\d{5,}.*")


@dataclass(frozen=True)
class Table:
    """The records of one sheet, by their labels, and where it stands."""

    file: str
    sheet: str
    labels: list[str]
    records: list[dict[str, Any]]


def tables_of(content: bytes, name: str) -> list[Table]:
    """The tables of a workbook, one a sheet that has a header. Raises UnreadableWorkbook."""
    found: list[Table] = []
    for grid in read_grids(content, name, None):
        labels = best_labels(grid)
        if labels:
            found += _read(content, name, grid, labels)
    return found


def _read(content: bytes, name: str, grid: Grid, labels: list[str]) -> Iterator[Table]:
    """The records as a pull would read them with these labels."""
    rule = Workbook(folder=".", sheets=(_plain(grid.name),)) if grid.name else Workbook(folder=".")
    try:
        sheets = read_workbook(content, name, rule, Wanted(tuple(labels), ()))
    except UnreadableWorkbook:
        return
    for sheet in sheets:
        records = [record for _, record in sheet.records()]
        if records:
            yield Table(name, sheet.name, labels, records)


def _plain(pattern: str) -> str:
    """A name as a pattern that means itself."""
    return re.sub(r"([\[*?])", r"[\1]", pattern)


def best_labels(grid: Grid) -> list[str]:
    """The labels of the columns; none where no row looks like a header."""
    cells = [list(row) for row in grid.cells]
    fill_merged(cells, grid.merged, WITHIN)
    best: tuple[float, list[str]] = (0.0, [])
    for top in range(min(WITHIN, len(cells) - 1)):
        # Cells merged with those above begin nothing.
        if any(first < top <= last for (first, _), (last, _) in grid.merged or []):
            continue
        for depth in range(1, MOST_HEADER_ROWS + 1):
            rows = cells[top : top + depth]
            if len(rows) < depth or top + depth >= len(cells):
                break
            labels = labels_of(rows, has_groups(rows, top, grid.merged or []))
            weight = _weight(rows, labels, cells[top + depth :])
            if weight > best[0]:
                best = (weight, [label for label in labels if label])
    return list(dict.fromkeys(best[1]))


def _weight(rows: list[list[Any]], labels: list[str], below: list[list[Any]]) -> float:
    """How much rows look like a header over what is below them."""
    named = [label for label in labels if label]
    if len(named) < 2 or len(set(named)) < 0.8 * len(named):
        return 0.0
    levels = [normal(cell) for row in rows for cell in row if normal(cell)]
    if any(len(cell) > LONGEST_LABEL or _DATA.fullmatch(cell) for cell in levels):
        return 0.0
    # Each row of a header has a label of its own in some column.
    own = [sum(bool(normal(cell)) for cell in row) for row in rows]
    if min(own) < 2 or not below:
        return 0.0
    known = sum(_is_known(label) for label in named)
    filled = [sum(cell not in (None, "") for cell in row) for row in below[:5]]
    share = max(filled, default=0) / len(named)
    twice = len(named) - len(set(named))
    return (known + 0.3 * len(named)) * min(share, 1.0) - 0.4 * (len(rows) - 1) - twice


def _is_known(label: str) -> bool:
    """Whether any core table, or personal data, has a word like this label."""
    last = label.rpartition("/")[2]
    if vocabulary.personal().weight(last) > 0.7 or vocabulary.compact(last) in _identities():
        return True
    return any(
        known.weight(last) > 0.7
        for table in all_tables()
        if table.layer == "core" and table.is_pulled
        for known in vocabulary.columns_of(table).values()
    )


@cache
def _identities() -> frozenset[str]:
    """What a record's number, or its place in the list, is called."""
    said = vocabulary.words()["identity"]
    return frozenset(
        vocabulary.compact(str(word)) for what in ("zh", "counters") for word in said[what]
    )


def files_of(folder: Path) -> list[Path]:
    """The workbooks of a folder, as a pull would list them, below it too."""
    kinds = {".xlsx", ".xls", ".ods", ".csv"}
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in kinds and not path.name.startswith(("~$", ".")) and path.is_file()
    )
