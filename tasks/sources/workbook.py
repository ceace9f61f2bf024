"""Records in office workbooks: .xlsx, .xls, .ods and .csv, as offices really fill them in.

The header is found by its labels, over one to three rows, merged or not; totals, notes, blank
lines and repeated headers are left out; where each record stands is kept.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import pairwise
from typing import Any

from tasks.sources.grids import Grid, Range, UnreadableWorkbook, column_number, plain, read_grids
from tasks.sources.model import Workbook
from warehouse.errors import LostRecords

__all__ = [
    "SKIPPED",
    "Sheet",
    "UnreadableWorkbook",
    "Wanted",
    "match_labels",
    "normal",
    "read_workbook",
]

MOST_HEADER_ROWS = 3
TOTALS = frozenset({"合计", "总计", "小计", "共计", "累计"})
SKIPPED = {
    "total": "合计",
    "note": "备注或落款",
    "heading": "重复的表头",
    "numbering": "栏次",
    "nothing_declared": "所声明的列都没有值",
}
"""Why a row is no record, and what that is called."""
TOTAL = tuple(sorted(TOTALS))
_NUMBERED = re.compile(r"\d+|[甲乙丙丁戊己庚辛]")
_BRACKETS = re.compile(r"\([^()]*\)")
_ADDRESS = re.compile(r"([A-Za-z]{1,3})(\d+)")

Cell = Any
Cells = list[list[Cell]]
_LAST_COLUMN = 16_383


@dataclass(frozen=True)
class Wanted:
    """What the fields ask of a workbook: column labels, those that must be there, cells, labels;
    `amounts` are the labels of numbers."""

    labels: tuple[str, ...]
    needed: tuple[tuple[str, ...], ...]
    cells: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    amounts: frozenset[str] = frozenset()


@dataclass
class Sheet:
    """A sheet whose header was found."""

    name: str
    columns: dict[str, int]
    first_row: int
    undeclared: list[str]
    cells: dict[str, Any]
    beside: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    _grid: Cells = field(default_factory=list)
    _skip: tuple[str, ...] = ()
    _needed: tuple[tuple[str, ...], ...] = ()
    _fill_down: tuple[str, ...] = ()
    _amounts: frozenset[str] = frozenset()
    _repeated: set[tuple[int, int]] = field(default_factory=set)
    _header: list[str] = field(default_factory=list)

    def around(self, file: str, listing: dict[str, Any], row: int) -> dict[str, Any]:
        """What a field can ask of a row beside its columns: `$file`, `$sheet`, `$cell.B2` …"""
        return {
            "$file": file,
            "$listing": listing,
            "$sheet": self.name,
            "$row": row,
            "$cell": self.cells,
            "$beside": self.beside,
        }

    @property
    def filled_rows(self) -> int:
        """How many rows under the header hold anything, counted apart from `records`."""
        rows = self._grid[self.first_row :]
        return sum(any(not _is_blank(value) for value in row) for row in rows)

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Row number (from 1, as the office program shows it) and label → value.

        Rows that are no records stand in `skipped` afterwards, with the reason.
        """
        self.skipped.clear()
        above: dict[str, Any] = {}
        for number, row in enumerate(self._grid[self.first_row :], self.first_row + 1):
            filled = [value for value in row if not _is_blank(value)]
            if not filled:
                continue
            record = self._record(row, number)
            reason = self._reason_to_skip(row, filled, record, number)
            if reason is not None:
                self.skipped.append((number, reason))
                continue
            for label in self._fill_down:
                if record.get(label) is None:
                    record[label] = above.get(label)
            above = record
            yield number, record

    def _record(self, row: list[Cell], number: int) -> dict[str, Any]:
        """Label → value. An amount that is merged over several rows is that of all of them: only
        the first has it."""
        record = {}
        for label, index in self.columns.items():
            value = plain(row[index]) if index < len(row) else None
            if (
                value is not None
                and label in self._amounts
                and (number - 1, index) in self._repeated
            ):
                value = None
                note = f"列“{label}”有合并的单元格,其中的数只算在首行"
                if note not in self.notes:
                    self.notes.append(note)
            record[label] = value
        return record

    def _reason_to_skip(
        self, row: list[Cell], filled: list[Cell], record: dict[str, Any], number: int
    ) -> str | None:
        """Why a row is no record; None when it is one. A look alone decides nothing: a row that
        has its number, and all that a record must have, is one, whatever words it begins with."""
        texts = [normal(value) for value in filled]
        if all(value is None for value in record.values()):
            return self._reason_of_look(texts) or "nothing_declared"
        if number == self.first_row + 1 and len(texts) >= 3 and _is_numbering(texts):
            return "numbering"
        if self._repeats_header(row):
            return "heading"
        # A note or a signature under the table stands alone in its line.
        if len(filled) == 1 and len(self.columns) >= 3:
            return self._reason_of_look(texts) or "note"
        return None if self._is_whole(record) else self._reason_of_look(texts)

    def _reason_of_look(self, texts: list[str]) -> str | None:
        if TOTALS & {text.partition("(")[0] for text in texts[:3]} or texts[0].startswith(TOTAL):
            return "total"
        return "note" if texts[0].startswith(self._skip) else None

    def _is_whole(self, record: dict[str, Any]) -> bool:
        """Whether a row has all that a record must have, and no word of a total in its place."""
        needed = [[record.get(path) for path in paths] for paths in self._needed]
        values = [next((v for v in found if v is not None), None) for found in needed]
        return bool(values) and all(
            value is not None and normal(value) not in TOTALS for value in values
        )

    def _repeats_header(self, row: list[Cell]) -> bool:
        labels = [self._header[index] for index in self.columns.values()]
        same = sum(
            normal(row[index]) == label.rpartition("/")[2]
            for index, label in zip(self.columns.values(), labels, strict=True)
            if index < len(row)
        )
        return same * 2 > len(labels)


def read_workbook(
    content: bytes,
    name: str,
    rule: Workbook,
    wanted: Wanted,
    passed_over: list[str] | None = None,
) -> list[Sheet]:
    """The sheets of a workbook that have the header; `passed_over` is told of each other one that
    holds anything and was not left out by the source file, and why. Raises UnreadableWorkbook."""
    found: list[Sheet] = []
    lacking: list[str] = []
    unasked = 0
    grids = read_grids(content, name, rule.encoding)
    for sheet in grids:
        sheet_name, grid, merged = sheet.name, sheet.cells, sheet.merged
        if rule.sheets and not any(fnmatch(sheet_name, pattern) for pattern in rule.sheets):
            unasked += 1
            continue
        repeated = fill_merged(grid, merged, rule.header_within)
        header = _find_header(grid, rule, wanted, merged or [])
        if isinstance(header, str):
            lacking.append(f"工作表“{sheet_name}”{header}")
            if passed_over is not None and any(not _is_blank(v) for row in grid for v in row):
                passed_over.append(lacking[-1])
            continue
        first_row, labels, columns = header
        used = set(columns.values())
        found.append(
            Sheet(
                name=sheet_name,
                columns=columns,
                first_row=first_row,
                undeclared=[label for i, label in enumerate(labels) if label and i not in used],
                cells={address: plain(_at(grid, address)) for address in wanted.cells},
                beside={label: _beside(grid, label) for label in wanted.beside},
                _grid=grid,
                _skip=tuple(normal(word) for word in rule.skip_rows),
                _needed=wanted.needed,
                _fill_down=rule.fill_down,
                _amounts=wanted.amounts,
                _repeated=repeated,
                notes=_notes(sheet, labels, columns),
                _header=labels,
            )
        )
    if not found:
        raise UnreadableWorkbook(";".join(lacking) or "没有符合 sheets 的工作表")
    if rule.sheets and lacking:
        raise UnreadableWorkbook(";".join(lacking))
    if len(found) + len(lacking) + unasked != len(grids):
        raise LostRecords(f"{name} 有 {len(grids)} 个工作表,未全部读取")
    return found


def _notes(sheet: Grid, labels: list[str], columns: dict[str, int]) -> list[str]:
    """What a person should know of how a sheet was read."""
    notes = [*sheet.notes, *(["工作表是隐藏的,照常读取"] if sheet.is_hidden else [])]
    for path, index in columns.items():
        same = [i for i, label in enumerate(labels) if label == labels[index]]
        if len(same) > 1:
            notes.append(f"列标题“{path}”出现 {len(same)} 次,取最左的一列")
    return notes


def fill_merged(
    grid: Cells, merged: list[Range] | None, header_within: int
) -> set[tuple[int, int]]:
    """Give every cell of a merged range its value: in the header both ways, below it downwards.

    Returns the places below the first row of a range that were filled so.
    """
    repeated = set()
    for (top, left), (bottom, right) in merged or []:
        if top >= len(grid) or left >= len(grid[top]):
            continue
        value = grid[top][left]
        last = right if top < header_within else left
        for number, row in enumerate(grid[top : bottom + 1], top):
            row += [None] * (min(last, _LAST_COLUMN) + 1 - len(row))
            for index in range(left, last + 1):
                row[index] = value
                if number > top:
                    repeated.add((number, index))
    return repeated


def _find_header(
    grid: Cells, rule: Workbook, wanted: Wanted, merged: list[Range]
) -> tuple[int, list[str], dict[str, int]] | str:
    """First data row, the label of each column, and where each wanted label is; or what lacks."""
    depths = [rule.header_rows] if rule.header_rows else list(range(1, MOST_HEADER_ROWS + 1))
    best: tuple[tuple[int, int], int, list[str], dict[str, int]] | None = None
    for top in range(min(rule.header_within, len(grid))):
        for depth in depths:
            rows = grid[top : top + depth]
            labels = labels_of(rows, has_groups(rows, top, merged))
            columns = match_labels(labels, wanted.labels)
            # Of two that have as many of the labels, the one without a line of something else
            # above it: there more of them are whole.
            whole = sum(labels[index] == label_of(path) for path, index in columns.items())
            fit = (len(columns), whole)
            if columns and (best is None or fit > best[0]):
                best = (fit, top + depth, labels, columns)
    if best is None:
        return f"的前 {rule.header_within} 行中没有找到表头({'、'.join(wanted.labels[:8])}…)"
    _, first_row, labels, columns = best
    missing = ["或".join(paths) for paths in wanted.needed if not any(p in columns for p in paths)]
    if missing:
        present = "、".join(label for label in labels if label)
        return f"缺少列 {'、'.join(missing)};现有列:{present}"
    return first_row, labels, columns


def has_groups(rows: Cells, top: int, merged: list[Range]) -> bool:
    """Whether headings over several columns are merged; a title over all of them is none."""
    width = max((len(row) for row in rows), default=0)
    return any(
        top <= first < top + len(rows) and 0 < right - left < width - 1
        for (first, left), (_, right) in merged
    )


def labels_of(rows: Cells, has_merged: bool) -> list[str]:
    """The label of each column: its levels, the same one not twice, joined by `/`."""
    width = max((len(row) for row in rows), default=0)
    levels = [[normal(row[i]) if i < len(row) else "" for i in range(width)] for row in rows]
    if not has_merged:
        # Without the ranges a blank beside a heading, over a label, belongs to that heading.
        for level, below in pairwise(levels):
            for index in range(1, width):
                if not level[index] and below[index] and below[index - 1]:
                    level[index] = level[index - 1]
    labels = []
    for index in range(width):
        parts: list[str] = []
        for level in levels:
            if level[index] and (not parts or parts[-1] != level[index]):
                parts.append(level[index])
        labels.append("/".join(parts))
    return labels


def match_labels(labels: list[str], wanted: Collection[str]) -> dict[str, int]:
    """Where each wanted label is: by its whole, without its brackets, or by its last levels."""
    columns: dict[str, int] = {}
    bare = [_BRACKETS.sub("", label) for label in labels]
    for path in wanted:
        sought = label_of(path)
        for candidates in (labels, bare):
            whole = [i for i, label in enumerate(candidates) if label == sought]
            ending = [i for i, label in enumerate(candidates) if label.endswith("/" + sought)]
            if whole or len(ending) == 1:
                columns[path] = (whole or ending)[0]
                break
    return columns


def label_of(path: str) -> str:
    """A path of the source file as labels are compared: its levels joined by `/`."""
    return "/".join(normal(part) for part in path.split("/"))


def normal(value: Cell) -> str:
    """A label as it is compared: no blanks or breaks, half width, no marks around it."""
    if value is None:
        return ""
    text = unicodedata.normalize("NFKC", str(plain(value) if not isinstance(value, str) else value))
    return re.sub(r"\s+", "", text).strip("*:★")


def _is_blank(value: Cell) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_numbering(texts: list[str]) -> bool:
    """Whether a line only numbers the columns: 1 2 3, or 甲 乙 1 2."""
    if not all(_NUMBERED.fullmatch(text) for text in texts):
        return False
    numbers = [int(text) for text in texts if text.isdigit()]
    return numbers == list(range(1, len(numbers) + 1))


def _at(grid: Cells, address: str) -> Cell:
    """The cell of an address such as B2."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    column = column_number(match[1]) + 1
    row = int(match[2]) - 1
    return grid[row][column - 1] if row < len(grid) and column <= len(grid[row]) else None


def _beside(grid: Cells, label: str) -> Any:
    """What stands behind a label: after its colon, or in the next filled cell to the right."""
    sought = normal(label)
    for row in grid:
        for index, value in enumerate(row):
            if not isinstance(value, str):
                continue
            head, colon, rest = unicodedata.normalize("NFKC", value).partition(":")
            if normal(head) != sought:
                continue
            if colon and rest.strip():
                return rest.strip()
            following = (v for v in row[index + 1 :] if not _is_blank(v) and v != value)
            return plain(next(following, None))
    return None
