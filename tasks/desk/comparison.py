"""比较: two editions of a report, the records that changed first, then the figures they move.

The figures that differ are found at once. Which records make them differ takes seconds, and is
kept for every two editions that were compared.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from threading import Lock

from tasks.desk import pinned
from tasks.desk.codes import in_words, label_of, rows_in_words
from tasks.editions import figures as print_
from tasks.editions.compare import COLUMNS, SCOPE_LABELS, CellDifference, compare
from tasks.editions.differences import (
    CHANGE_LABELS,
    ChangedRecord,
    Everywhere,
    NotComparable,
    differences_everywhere,
)
from tasks.editions.edition import Edition
from tasks.editions.store import EditionRow, differing_cells
from tasks.render.findings import by_who_must_act, table_label
from warehouse.lake import Lake
from warehouse.layout import OVERVIEW
from warehouse.numbers import number, plain
from warehouse.spreadsheet import safe_text
from warehouse.tables import Column, table

MOST = 200
"""Rows of a table; the rest is in the file to download."""
_Key = tuple[str, str, str]


@dataclass(frozen=True)
class ChangedValue:
    """A value of a record in both editions, each in words."""

    label: str
    was: str
    now: str


@dataclass(frozen=True)
class ChangedLine:
    """A record that is another in the later edition: what of it, how it came to it, and how many
    figures it moves."""

    source: str
    table: str
    id: str
    kind: str
    organ: str
    change: str
    values: tuple[ChangedValue, ...]
    how: str
    figures: int

    @property
    def path(self) -> str:
        """Its page below /desk/record/."""
        return f"{self.source}/{self.table.removeprefix('core.')}/{self.id}"


@dataclass(frozen=True)
class DifferentFigure:
    """A figure of the whole city that is another; `records` are those that make it so."""

    key: str
    label: str
    group: str
    was: str
    now: str
    change: str
    note: str
    is_in_after: bool
    records: tuple[ChangedLine, ...] = ()
    more: int = 0


@dataclass(frozen=True)
class Stood:
    """What the checks of an edition came to."""

    blocking: int
    records: int
    open: int


@dataclass(frozen=True)
class Compared:
    """Two editions beside each other. `records` is None while nobody has looked for them yet;
    then what no record explains is not known either."""

    before: EditionRow
    after: EditionRow
    definitions: tuple[str, ...]
    figures: tuple[DifferentFigure, ...]
    of_root: int
    of_organs: int
    only_in_sides: int
    unprinted: int
    records: tuple[ChangedLine, ...] | None
    without_effect: tuple[ChangedLine, ...]
    unexplained: int
    checks: tuple[Stood, Stood]

    @property
    def count(self) -> int:
        return self.of_root + self.of_organs

    @property
    def sentence(self) -> str:
        """What came out, for the head of the page."""
        two = f"{self.before.edition_id} 与 {self.after.edition_id}："
        if not self.count:
            return f"{two}没有任何数字不同"
        told = f"{two}{self.count:,} 个数不同"
        if self.records is None:
            return told
        if not self.unexplained:
            return f"{told}，都由 {len(self.records):,} 条记录引起"
        behind = f"由 {len(self.records):,} 条记录引起，" if self.records else ""
        return f"{told}，{behind}{self.unexplained:,} 个没有记录可以说明"


def others_of(lake: Lake, row: EditionRow) -> list[EditionRow]:
    """The editions of the same report, which can be compared with each other, the newest first."""
    found = [r for r in pinned.rows(lake) if (r.form, r.period) == (row.form, row.period)]
    return sorted(found, key=lambda r: -r.edition_number)


def compared(lake: Lake, before: EditionRow, after: EditionRow, *, with_records: bool) -> Compared:
    """Compare two editions; the records behind are told where they are known already, or wherever
    `with_records` asks for them.

    Raises NotComparable for editions of different reports, LakeError where a snapshot is gone.
    """
    if (before.form, before.period) != (after.form, after.period):
        raise NotComparable(
            f"版次 {before.edition_id} 与 {after.edition_id} 不是同一种报表的同一时段,不能逐格比较。"
            "请在“版次”中选同一年度的两个"
        )
    identity = lake.catalog.identity()
    key = (lake, identity, before, after)
    if with_records and key not in _found:
        # Who comes while it is looked for waits for it, rather than looking as well.
        with _one_by_one:
            if key not in _found:
                while len(_found) >= MOST_KEPT:
                    del _found[next(iter(_found))]
                _found[key] = _search(lake, before, after)
    was, is_ = _editions(lake, identity, before, after)
    behind = _found.get(key)
    return _told(was, is_, before, after, behind)


MOST_KEPT = 16
_found: dict[tuple[object, ...], _Behind] = {}
_one_by_one = Lock()


@lru_cache(maxsize=16)
def _editions(
    lake: Lake, _identity: object, before: EditionRow, after: EditionRow
) -> tuple[Edition, Edition]:
    """Both, with those figures only that differ."""
    with lake.read() as connection:
        cells = differing_cells(connection, before.edition_id, after.edition_id)
    was, is_ = (pinned.without_figures(lake, row) for row in (before, after))
    return replace(was, cells=cells[0]), replace(is_, cells=cells[1])


@dataclass(frozen=True)
class _Behind:
    """What took long to find: the records behind, and how each came to be another."""

    everywhere: Everywhere
    organs: Mapping[_Key, str]
    how: Mapping[_Key, str]


def _search(lake: Lake, before: EditionRow, after: EditionRow) -> _Behind:
    was, is_ = _editions(lake, lake.catalog.identity(), before, after)
    everywhere = differences_everywhere(lake, was, is_)
    changed = {_key(r): r for cell in everywhere.root.cells for r in cell.records}
    changed |= {_key(r): r for r in everywhere.root.records_only}
    names = {organ.id: organ.name for organ in (*was.organs, *is_.organs)}
    organs: dict[_Key, str] = {}
    how: dict[_Key, str] = {}
    for name in sorted({r.table for r in changed.values()}):
        of_table = {key: r for key, r in changed.items() if r.table == name}
        organs |= _organs(lake, before, after, name, of_table, names)
        how |= _how(lake, before, after, name, of_table)
    return _Behind(everywhere, organs, how)


def _key(record: ChangedRecord) -> _Key:
    return record.table, record.source_system, record.record_id


def _organs(
    lake: Lake,
    before: EditionRow,
    after: EditionRow,
    name: str,
    records: Mapping[_Key, ChangedRecord],
    names: Mapping[str, str],
) -> dict[_Key, str]:
    """Whose the records are, as the later edition has it, else the earlier."""
    if "organ_id" not in {column.name for column in table(name).columns}:
        return {}
    found: dict[_Key, str] = {}
    for row in (before, after):
        with lake.read(row.lake_snapshot) as connection:
            for source, id_, organ in connection.execute(
                f"SELECT t.source_system, t.record_id, t.organ_id FROM lake.{name} AS t "
                "JOIN (SELECT unnest(?) AS s, unnest(?) AS r) AS w "
                "ON t.source_system = w.s AND t.record_id = w.r",
                [[k[1] for k in records], [k[2] for k in records]],
            ).fetchall():
                found[(name, source, id_)] = names.get(organ, organ or "")
    return found


def _how(
    lake: Lake,
    before: EditionRow,
    after: EditionRow,
    name: str,
    records: Mapping[_Key, ChangedRecord],
) -> dict[_Key, str]:
    """How each record came to be another: by a recorded correction, or at its source."""
    corrections = [_corrections(lake, row, name) for row in (before, after)]
    with lake.read(after.lake_snapshot) as connection:
        loaded: dict[_Key, date] = {
            (name, source, id_): at
            for source, id_, at in connection.execute(
                "SELECT t.source_system, t.record_id, CAST(t.loaded_at AS DATE) "
                f"FROM lake.{name} AS t JOIN (SELECT unnest(?) AS s, unnest(?) AS r) AS w "
                "ON t.source_system = w.s AND t.record_id = w.r",
                [[k[1] for k in records], [k[2] for k in records]],
            ).fetchall()
        }
    found = {}
    for key, record in records.items():
        was, is_ = (one.get(key[1:], {}) for one in corrections)
        by_correction = [new[1] for column, new in is_.items() if was.get(column) != new]
        undone = [column for column in was if column not in is_]
        if by_correction:
            found[key] = f"更正，{by_correction[0]}提出"
        elif undone:
            found[key] = "撤销了更正"
        elif record.columns or record.change != "changed":
            on = loaded.get(key)
            verb = {"added": "新取到", "removed": "来源撤去", "changed": "来源改正"}[record.change]
            found[key] = f"{verb}，{on.month} 月 {on.day} 日取到" if on else verb
        else:
            found[key] = "相关的记录、机关或口径变了"
    return found


def _corrections(
    lake: Lake, row: EditionRow, name: str
) -> dict[tuple[str, str], dict[str, tuple[str | None, str]]]:
    """(source, record) → column → to which value it is corrected, and who asked for it."""
    found: dict[tuple[str, str], dict[str, tuple[str | None, str]]] = {}
    with lake.read(row.lake_snapshot) as connection:
        for source, id_, *told in connection.execute(
            "SELECT source_system, record_id, column_name, corrected_value, reported_by "
            "FROM lake.ops.correction WHERE table_name = ? ORDER BY ALL",
            [name],
        ).fetchall():
            column, value, who = told
            found.setdefault((source, id_), {})[column] = (value, who)
    return found


def _told(
    was: Edition, is_: Edition, before: EditionRow, after: EditionRow, behind: _Behind | None
) -> Compared:
    differences = compare(is_, was.cells)
    shown = [d for d in differences if d.scope == "rolled_up"]
    in_value = [d for d in shown if d.is_in_value]
    root = [d for d in in_value if d.organ_id == is_.root.id]
    printed = [d for d in root if not (d.declared and d.declared.derived)]
    records, without_effect, by_cell = _record_lines(behind, rows_in_words(is_.layout))
    definitions = tuple(
        was.definitions.changed(is_.definitions) if was.definitions and is_.definitions else ()
    )
    unexplained = 0
    if behind is not None:
        lost = {(d.organ_id, d.scope, d.cell) for d in behind.everywhere.unexplained}
        unexplained = sum((d.organ_id, d.scope, d.cell) in lost for d in in_value)
    return Compared(
        before=before,
        after=after,
        definitions=definitions,
        figures=tuple(_figure(d, is_, by_cell.get(d.cell, ())) for d in printed[:MOST]),
        of_root=len(root),
        of_organs=len(in_value) - len(root),
        only_in_sides=len(shown) - len(in_value),
        unprinted=len(root) - len(printed),
        records=records,
        without_effect=without_effect,
        unexplained=unexplained,
        checks=(_stood(was), _stood(is_)),
    )


def _record_lines(
    behind: _Behind | None,
    words: Mapping[str, str],
) -> tuple[
    tuple[ChangedLine, ...] | None, tuple[ChangedLine, ...], Mapping[str, Sequence[ChangedLine]]
]:
    """The records that move figures, those that move none, and the former by figure."""
    if behind is None:
        return None, (), {}
    root = behind.everywhere.root
    moved: dict[_Key, int] = {}
    records: dict[_Key, ChangedRecord] = {}
    for cell in root.cells:
        for record in cell.records:
            records.setdefault(_key(record), record)
            moved[_key(record)] = moved.get(_key(record), 0) + cell.difference.is_in_value
    lines = {key: _line(r, behind, words, moved[key]) for key, r in records.items()}
    ordered = sorted(lines.values(), key=lambda line: (-line.figures, line.table, line.id))
    by_cell = {
        cell.difference.cell: [lines[_key(record)] for record in cell.records]
        for cell in root.cells
    }
    only = tuple(_line(r, behind, words, 0) for r in root.records_only)
    return tuple(ordered), only, by_cell


def _line(r: ChangedRecord, behind: _Behind, words: Mapping[str, str], figures: int) -> ChangedLine:
    values = tuple(
        ChangedValue(
            _label(r.table, column),
            _value(words, r.table, column, was),
            _value(words, r.table, column, now),
        )
        for column, (was, now) in r.columns.items()
    )
    return ChangedLine(
        r.source_system,
        r.table,
        r.record_id,
        table_label(r.table),
        behind.organs.get(_key(r), ""),
        CHANGE_LABELS[r.change],
        values if r.change == "changed" else (),
        behind.how.get(_key(r), ""),
        figures,
    )


def _value(words: Mapping[str, str], name: str, column: str, value: str | None) -> str:
    """A value in words: a code by its column's meaning, or by the line of the form that it names."""
    described = _column(name, column)
    if value is None or described is None:
        return value or "空"
    given = value == "true" if described.sql_type == "BOOLEAN" else value
    return in_words(described, given, words) or "空"


def _label(name: str, column: str) -> str:
    described = _column(name, column)
    return label_of(described) if described else column


def _column(name: str, column: str) -> Column | None:
    return next((c for c in table(name).columns if c.name == column), None)


def _figure(d: CellDifference, edition: Edition, records: Sequence[ChangedLine]) -> DifferentFigure:
    cell = d.declared
    if cell is None:
        was, now = number(d.before, ""), number(d.after, "")
    else:
        was, now = print_.text(cell, d.figure_before), print_.text(cell, d.figure_after)
    if cell is not None and cell.table != OVERVIEW:
        group = edition.layout.table(cell.table).title
    else:
        group = edition.form.figures_heading or "总体情况"
    return DifferentFigure(
        d.cell,
        d.label,
        group,
        was or "空白",
        now or "空白",
        _change(d),
        d.note,
        cell is not None,
        tuple(records[:6]),
        max(0, len(records) - 6),
    )


def _change(d: CellDifference) -> str:
    if d.difference is None:
        return ""
    sign = "+" if d.difference > 0 else ""
    if d.declared is not None and print_.is_percentage(d.declared):
        return f"{sign}{d.difference:.2f} 个百分点"
    return f"{sign}{plain(d.difference)}"


def _stood(edition: Edition) -> Stood:
    work = by_who_must_act(edition)
    records = sum(item.severity == "block" for organ in work for item in organ.records)
    return Stood(len(edition.blocking_findings), records, len(edition.open_findings))


def differences_csv(lake: Lake, before: EditionRow, after: EditionRow) -> bytes:
    """Every figure that differs, one a line; UTF-8 with byte order mark for spreadsheet programs.

    Raises NotComparable.
    """
    if (before.form, before.period) != (after.form, after.period):
        raise NotComparable("两个版次不是同一种报表的同一时段,不能逐格比较")
    was, is_ = _editions(lake, lake.catalog.identity(), before, after)
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for d in compare(is_, was.cells):
        figures = [number(value, "") for value in (d.before, d.after, d.difference)]
        organ = safe_text(d.organ_id), safe_text(d.organ_name)
        writer.writerow(
            [*organ, SCOPE_LABELS[d.scope], d.cell, safe_text(d.label), *figures, d.note]
        )
    return file.getvalue().encode("utf-8-sig")
