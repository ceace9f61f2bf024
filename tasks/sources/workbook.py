"""Records in office workbooks: .xlsx, .xls, .ods and .csv, as offices really fill them in.

The header is found by its labels, over one to three rows, merged or not; totals, notes, blank
lines and repeated headers are left out; where each record stands is kept.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from tasks.sources.decode import Undecodable, decode_text
from tasks.sources.disguised import is_disguised, tables_of
from tasks.sources.model import Workbook

MOST_HEADER_ROWS = 3
TOTALS = frozenset({"合计", "总计", "小计", "共计", "累计"})
TOTAL = tuple(sorted(TOTALS))
_NUMBERED = re.compile(r"\d+|[甲乙丙丁戊己庚辛]")
_BRACKETS = re.compile(r"\([^()]*\)")
_ADDRESS = re.compile(r"([A-Za-z]{1,3})(\d+)")

Cell = Any
Grid = list[list[Cell]]
Range = tuple[tuple[int, int], tuple[int, int]]


class UnreadableWorkbook(ValueError):
    """A workbook that cannot be opened, or in which no sheet has the header."""


@dataclass(frozen=True)
class Wanted:
    """What the fields ask of a workbook: column labels, those that must be there, cells, labels."""

    labels: tuple[str, ...]
    needed: tuple[tuple[str, ...], ...]
    cells: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


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
    _grid: Grid = field(default_factory=list)
    _skip: tuple[str, ...] = ()
    _needed: tuple[tuple[str, ...], ...] = ()
    _fill_down: tuple[str, ...] = ()
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
            record = {
                label: plain(row[index]) if index < len(row) else None
                for label, index in self.columns.items()
            }
            reason = self._reason_to_skip(row, filled, record, number)
            if reason is not None:
                self.skipped.append((number, reason))
                continue
            for label in self._fill_down:
                if record.get(label) is None:
                    record[label] = above.get(label)
            above = record
            yield number, record

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


def read_workbook(content: bytes, name: str, rule: Workbook, wanted: Wanted) -> list[Sheet]:
    """The sheets of a workbook that have the header. Raises UnreadableWorkbook."""
    found: list[Sheet] = []
    lacking: list[str] = []
    for sheet_name, grid, merged in _grids(content, name, rule):
        if rule.sheets and not any(fnmatch(sheet_name, pattern) for pattern in rule.sheets):
            continue
        _fill_merged(grid, merged, rule.header_within)
        header = _find_header(grid, rule, wanted, merged or [])
        if isinstance(header, str):
            lacking.append(f"工作表“{sheet_name}”{header}")
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
                _header=labels,
            )
        )
    if not found:
        raise UnreadableWorkbook(";".join(lacking) or "没有符合 sheets 的工作表")
    if rule.sheets and lacking:
        raise UnreadableWorkbook(";".join(lacking))
    return found


def _grids(
    content: bytes, name: str, rule: Workbook
) -> Iterator[tuple[str, Grid, list[Range] | None]]:
    """Name, cells from A1 on, and merged ranges of every visible sheet."""
    is_text = PurePosixPath(name).suffix.lower() in (".csv", ".txt", ".tsv")
    if not is_text and is_disguised(content) and content.strip():
        try:
            tables = tables_of(content)
        except Undecodable:
            tables = []
        yield from tables
        if tables:
            return
        # What is no markup either may be lines of text under the name of a workbook.
        is_text = b"\t" in content and b"\0" not in content
    if is_text:
        try:
            text = decode_text(content, rule.encoding)
        except Undecodable as error:
            raise UnreadableWorkbook(str(error)) from None
        delimiter = max(",;\t|", key=text[:4096].count)
        yield "", list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)), None
        return
    from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        for sheet in workbook.sheets_metadata:
            if sheet.visible != SheetVisibleEnum.Visible:
                continue
            data = workbook.get_sheet_by_name(sheet.name)
            yield sheet.name, data.to_python(skip_empty_area=False), data.merged_cell_ranges
    except CalamineError as error:
        raise UnreadableWorkbook(
            f"打不开({type(error).__name__});请确认不是加密或损坏的文件,必要时用办公软件另存为 .xlsx"
        ) from None


def _fill_merged(grid: Grid, merged: list[Range] | None, header_within: int) -> None:
    """Give every cell of a merged range its value: in the header both ways, below it downwards."""
    for (top, left), (bottom, right) in merged or []:
        if top >= len(grid) or left >= len(grid[top]):
            continue
        value = grid[top][left]
        last = right if top < header_within else left
        for row in grid[top : bottom + 1]:
            for index in range(left, min(last + 1, len(row))):
                row[index] = value


def _find_header(
    grid: Grid, rule: Workbook, wanted: Wanted, merged: list[Range]
) -> tuple[int, list[str], dict[str, int]] | str:
    """First data row, the label of each column, and where each wanted label is; or what lacks."""
    depths = [rule.header_rows] if rule.header_rows else list(range(1, MOST_HEADER_ROWS + 1))
    best: tuple[tuple[int, int], int, list[str], dict[str, int]] | None = None
    for top in range(min(rule.header_within, len(grid))):
        for depth in depths:
            rows = grid[top : top + depth]
            labels = _labels(rows, _has_groups(rows, top, merged))
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


def _has_groups(rows: Grid, top: int, merged: list[Range]) -> bool:
    """Whether headings over several columns are merged; a title over all of them is none."""
    width = max((len(row) for row in rows), default=0)
    return any(
        top <= first < top + len(rows) and 0 < right - left < width - 1
        for (first, left), (_, right) in merged
    )


def _labels(rows: Grid, has_merged: bool) -> list[str]:
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


def plain(value: Cell) -> Any:
    """A cell as a scalar that can be landed; a blank is None."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return str(value)
    return value


def _is_blank(value: Cell) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_numbering(texts: list[str]) -> bool:
    """Whether a line only numbers the columns: 1 2 3, or 甲 乙 1 2."""
    if not all(_NUMBERED.fullmatch(text) for text in texts):
        return False
    numbers = [int(text) for text in texts if text.isdigit()]
    return numbers == list(range(1, len(numbers) + 1))


def _at(grid: Grid, address: str) -> Cell:
    """The cell of an address such as B2."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    column = 0
    for letter in match[1].upper():
        column = column * 26 + ord(letter) - 64
    row = int(match[2]) - 1
    return grid[row][column - 1] if row < len(grid) and column <= len(grid[row]) else None


def _beside(grid: Grid, label: str) -> Any:
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
