"""Differences told by records: which records make one edition's figures others than another's.

Both editions are looked at as they were built: each at its own snapshot, by its own measures
and layout. What a record weighs in a cell is compared record by record, so that what cancels
out in every cell is found as well.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from tasks.editions.compare import MISSING, CellDifference, compare
from tasks.editions.edition import Edition, Organ, Scope
from tasks.editions.store import earlier_editions, load_edition
from tasks.editions.tabulate import Tree, read_tree
from warehouse.cells import is_loaded, weights_sql
from warehouse.errors import EntryError
from warehouse.lake import Connection, Lake, in_memory
from warehouse.layout import Layout
from warehouse.numbers import json_number, number
from warehouse.reading import SET_ASIDE, Reading, reading, tables_read
from warehouse.spreadsheet import safe_text
from warehouse.sql import named, quoted
from warehouse.tables import table

Change = Literal["added", "removed", "changed"]
ORGANS = "core.organ"
CHANGE_LABELS: dict[Change, str] = {"added": "新增", "removed": "撤去", "changed": "变动"}
RECORD_COLUMNS = ("cell", "label", "source", "table", "record_id", "change", "weight", "columns")
Term = tuple[str, int]
"""A record-based cell, and how many years back it counts."""
Key = tuple[str, str, str]
"""A record: table, source system, record id."""


class NotComparable(EntryError):
    """The two editions are not of one report; the message names both."""


@dataclass
class _Side:
    """What a record is in one edition: the organ that answers for it, its weight by term."""

    organ: str | None = None
    weights: dict[Term, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class ChangedRecord:
    """A record that is another, or weighs otherwise, in the later edition. `columns` are its
    values before and after; `weight` what it adds to the figure under which it is listed."""

    table: str
    source_system: str
    record_id: str
    change: Change
    columns: Mapping[str, tuple[str | None, str | None]]
    weight: Decimal | None = None


@dataclass(frozen=True)
class CellRecords:
    """A figure that differs, and the records that make the difference."""

    difference: CellDifference
    records: tuple[ChangedRecord, ...]


@dataclass(frozen=True)
class Differences:
    """Two editions of a report compared for one organ and those below it. `definitions` names
    what decides the figures besides the records, and is another; `records_only` are records
    that changed, and cancel out in every figure."""

    before: str
    after: str
    organ: Organ
    definitions: tuple[str, ...]
    cells: tuple[CellRecords, ...]
    records_only: tuple[ChangedRecord, ...]


@dataclass(frozen=True)
class Everywhere:
    """Two editions compared for all organs: `root` told by records, `differences` of every organ
    and scope, `unexplained` those of them that no record explains."""

    root: Differences
    differences: tuple[CellDifference, ...]
    unexplained: tuple[CellDifference, ...]


def differences(
    lake: Lake, before: Edition, after: Edition, *, organ_id: str | None = None
) -> Differences:
    """What differs between two editions of one report, told by records.

    Raises NotComparable for editions of different reports or an unknown organ, LakeError where
    a snapshot is gone.
    """
    organ = _organ(before, after, organ_id)
    found = _records(lake, before, after)
    return _differences(lake, before, after, organ, found)


def differences_everywhere(lake: Lake, before: Edition, after: Edition) -> Everywhere:
    """What differs for the root, told by records, and for all organs what no record explains.

    Raises NotComparable, LakeError as `differences` does.
    """
    root = _organ(before, after, None)
    found = _records(lake, before, after)
    told = _differences(lake, before, after, root, found)
    heavier = _by_organ(*found)
    all_differences = tuple(compare(after, before.cells))
    unexplained = []
    for difference in all_differences:
        terms = _terms_of(before, after, difference.cell)
        if heavier.get((difference.organ_id, difference.scope), frozenset()).isdisjoint(terms):
            unexplained.append(difference)
    return Everywhere(told, all_differences, tuple(unexplained))


def _by_organ(
    found: Mapping[Key, tuple[_Side, _Side]], trees: tuple[Tree, Tree]
) -> dict[tuple[str, Scope], set[Term]]:
    """The cells of each organ in which some record weighs otherwise."""
    heavier: dict[tuple[str, Scope], set[Term]] = defaultdict(set)
    for sides in found.values():
        weights: dict[tuple[str, Scope], dict[Term, Decimal]] = defaultdict(
            lambda: defaultdict(Decimal)
        )
        for side, tree, sign in zip(sides, trees, (-1, 1), strict=True):
            if side.organ is None:
                continue
            places: list[tuple[str, Scope]] = [(side.organ, "own")]
            places += [(organ, "rolled_up") for organ in tree.above(side.organ)]
            for place in places:
                for term, weight in side.weights.items():
                    weights[place][term] += sign * weight
        for place, terms in weights.items():
            heavier[place] |= {term for term, weight in terms.items() if weight}
    return heavier


def _organ(before: Edition, after: Edition, organ_id: str | None) -> Organ:
    """The organ that is asked for, of two editions of one report. Raises NotComparable."""
    if before.reference != after.reference:
        raise NotComparable(
            f"版次 {before.id}({before.report_name})与 {after.id}({after.report_name})"
            "不是同一种报表的同一年度,不能逐格比较"
        )
    organ = next((o for o in after.organs if o.id == (organ_id or after.root.id)), None)
    if organ is None:
        raise NotComparable(f"版次 {after.id} 中没有机关 {organ_id}。机关编号见 organs.csv")
    return organ


def _differences(
    lake: Lake,
    before: Edition,
    after: Edition,
    organ: Organ,
    found_in: tuple[dict[Key, tuple[_Side, _Side]], tuple[Tree, Tree]],
) -> Differences:
    found, trees = found_in
    inside = [set(tree.subtree(organ.id)) for tree in trees]
    weighed = {
        key: _weights(sides, inside) for key, sides in found.items() if _is_inside(sides, inside)
    }
    told = _columns(lake, before, after, weighed)
    cells, listed = [], set()
    for difference in compare(after, before.cells):
        if (difference.organ_id, difference.scope) != (organ.id, "rolled_up"):
            continue
        terms = _terms_of(before, after, difference.cell)
        here = {key: [w[term] for term in terms if w.get(term)] for key, w in weighed.items()}
        # Words change while their record weighs what it did.
        words = after.layout.cells[difference.cell].text if difference.declared else None
        if words:
            here |= {
                key: [Decimal(0)]
                for key in weighed
                if words in told[key][1] and not here[key] and _counts(found[key], terms)
            }
        behind = tuple(_record(key, told[key], sum(w)) for key, w in here.items() if w)
        listed |= {key for key, w in here.items() if w}
        cells.append(CellRecords(difference, behind))
    only = tuple(_record(key, told[key]) for key in weighed if key not in listed and told[key][1])
    was, is_ = before.definitions, after.definitions
    changed = tuple(was.changed(is_)) if was and is_ else ()
    return Differences(before.id, after.id, organ, changed, tuple(cells), only)


def _terms_of(before: Edition, after: Edition, cell: str) -> set[Term]:
    """The record-based cells on which a figure rests in either edition."""
    return set(_terms(before.layout, cell)) | set(_terms(after.layout, cell))


def _counts(sides: Sequence[_Side], terms: Iterable[Term]) -> bool:
    """Whether a record stands behind a figure in one of the editions."""
    return any(side.weights.get(term) for side in sides for term in terms)


def _record(
    key: Key,
    told: tuple[Change, Mapping[str, tuple[str | None, str | None]]],
    weight: Decimal | int | None = None,
) -> ChangedRecord:
    return ChangedRecord(*key, *told, None if weight is None else Decimal(weight))


def _is_inside(sides: Sequence[_Side], inside: Sequence[set[str]]) -> bool:
    return any(side.organ in organs for side, organs in zip(sides, inside, strict=True))


def _weights(sides: Sequence[_Side], inside: Sequence[set[str]]) -> dict[Term, Decimal]:
    """What a record weighs more in the later edition, within some organs."""
    found: dict[Term, Decimal] = defaultdict(Decimal)
    for side, organs, sign in zip(sides, inside, (-1, 1), strict=True):
        if side.organ in organs:
            for term, weight in side.weights.items():
                found[term] += sign * weight
    return {term: weight for term, weight in found.items() if weight}


def _terms(layout: Layout, key: str, years_back: int = 0) -> Iterator[Term]:
    """The record-based cells that a figure rests on."""
    cell = layout.cells.get(key)
    if cell is None:
        return
    if cell.measure:
        yield key, years_back
    for part in (*cell.parts, *(cell.ratio or ())):
        yield from _terms(layout, part, years_back)
    if cell.change_on_year:
        yield from _terms(layout, cell.change_on_year, years_back)
    for part in filter(None, (cell.change_on_year, cell.last_year)):
        # Last year's own last year is not looked at: an edition holds one year back.
        if not years_back:
            yield from _terms(layout, part, 1)


def _records(
    lake: Lake, before: Edition, after: Edition
) -> tuple[dict[Key, tuple[_Side, _Side]], tuple[Tree, Tree]]:
    """Every record that is another, or weighs otherwise, and the organs of both editions."""
    found: dict[Key, tuple[_Side, _Side]] = {}
    differ = _differing_measures(lake, before, after)
    with tempfile.TemporaryDirectory(prefix="nianbao-differences-") as folder:
        exports = [
            _export(lake, edition, Path(folder) / side, differ)
            for side, edition in (("before", before), ("after", after))
        ]
        trees = tuple(tree for _, tree in exports)
        with in_memory() as connection:
            for name in sorted({n for written, _ in exports for n in written}):
                sides = [written.get(name) for written, _ in exports]
                _compare_files(connection, sides, trees, found)
    return found, (trees[0], trees[1])


def _differing_measures(lake: Lake, before: Edition, after: Edition) -> set[str]:
    """The measures whose records may weigh otherwise in one edition than in the other: their
    declaration is another, a cell asks something else of them, or a table that they read is
    another. To look at tables costs little beside what every record weighs."""
    was, is_ = (_signatures(lake, edition) for edition in (before, after))
    return {name for name in {**was, **is_} if was.get(name) != is_.get(name)}


def _signatures(lake: Lake, edition: Edition) -> dict[str, Any]:
    """By measure, all that what its records weigh in an edition rests on."""
    assert edition.definitions is not None
    declared = edition.definitions.parsed_measures
    found = {}
    with reading(lake, edition.snapshot, declared=declared) as opened:
        marks: dict[str, Any] = {}

        def mark(name: str) -> Any:
            if name not in marks:
                marks[name] = (name in opened.loaded_tables, _table_mark(opened, name))
            return marks[name]

        asked: dict[str, list[Any]] = defaultdict(list)
        for (measure, years_back), terms in _wanted(edition).items():
            cells = [edition.layout.cells[key] for key, _ in terms]
            needs = [cell.needs for cell in cells]
            asked[measure].append((years_back, list(terms), weights_sql(cells), needs))
        for measure, told in asked.items():
            tables = {declared[measure].table, *tables_read(declared[measure])}
            found[measure] = (
                declared[measure].sql,
                told,
                {name: mark(name) for name in sorted(tables)},
            )
    return found


def _table_mark(opened: Reading, name: str) -> Any:
    """What a table comes to as figures see it, whatever the order of its rows."""
    described = table(name)
    columns = [*described.key, *(c.name for c in described.business_columns), SET_ASIDE]
    columns += ["removed_at"] if described.is_pulled else []
    listed = ", ".join(f"t.{named(column)}" for column in dict.fromkeys(columns))
    return opened.connection.execute(
        f"SELECT count(*), bit_xor(hash(row({listed}))) FROM {name} AS t"
    ).fetchone()


def _wanted(edition: Edition) -> dict[tuple[str, int], dict[Term, None]]:
    """The record-based cells of an edition by measure, and by how many years back they count."""
    wanted: dict[tuple[str, int], dict[Term, None]] = defaultdict(dict)
    for key in edition.layout.cells:
        for term in _terms(edition.layout, key):
            wanted[(str(edition.layout.cells[term[0]].measure), term[1])][term] = None
    return wanted


@dataclass(frozen=True)
class _File:
    """The records of a measure as written: what each weighs, a column `w<n>` a term."""

    path: Path
    table: str
    terms: tuple[Term, ...]


def _export(
    lake: Lake, edition: Edition, folder: Path, measures: Container[str]
) -> tuple[dict[str, _File], Tree]:
    """Write what every record weighs in an edition, a file a measure and year, of `measures`."""
    folder.mkdir()
    assert edition.definitions is not None
    declared = edition.definitions.parsed_measures
    written = {}
    with reading(lake, edition.snapshot, declared=declared) as opened:
        tree = read_tree(opened, edition.period, edition.layout)
        for (measure, years_back), terms in _wanted(edition).items():
            cells = [edition.layout.cells[key] for key, _ in terms]
            if measure not in measures or not is_loaded(opened, cells[0]):
                continue
            period = edition.period.year_before if years_back else edition.period
            path = folder / f"{measure}-{years_back}.parquet"
            columns = ", ".join(f"{sql} AS w{at}" for at, sql in enumerate(weights_sql(cells)))
            opened.connection.execute(
                f"COPY (SELECT source_system, record_id, min(organ_id) AS organ_id, "
                f"{_fingerprint(opened, declared[measure].table)} AS mark, {columns} "
                f"FROM {opened.measure(measure, period)} AS m GROUP BY source_system, record_id) "
                f"TO {quoted(path)} (FORMAT parquet)"
            )
            written[path.stem] = _File(path, declared[measure].table, tuple(terms))
    return written, tree


def _fingerprint(opened: Reading, name: str) -> str:
    """SQL: what a record's own row comes to, as figures see it."""
    if name == ORGANS:
        # Organs are compared as organs.
        return "0"
    if not table(name).is_pulled:
        return "any_value(hash(m))"
    columns = ", ".join(f"t.{c}" for c in _told_columns(name))
    return (
        f"(SELECT any_value(hash(row({columns}))) FROM {name} AS t "
        "WHERE t.source_system = m.source_system AND t.record_id = m.record_id)"
    )


def _told_columns(name: str) -> list[str]:
    return [*(column.name for column in table(name).business_columns), "removed_at"]


def _compare_files(
    connection: Connection,
    files: Sequence[_File | None],
    trees: Sequence[Tree],
    found: dict[Key, tuple[_Side, _Side]],
) -> None:
    """Join a measure's records of both editions, and keep those that differ."""
    sources, weights = [], []
    for name, file in zip("ba", files, strict=True):
        sources.append(
            f"(SELECT * FROM read_parquet({quoted(file.path)})) AS {name}"
            if file
            else "(SELECT NULL AS source_system, NULL AS record_id, NULL AS organ_id, "
            f"NULL AS mark WHERE FALSE) AS {name}"
        )
        given = enumerate(file.terms if file else ())
        weights.append({term: f"coalesce({name}.w{at}, 0)" for at, term in given})
    terms = list(dict.fromkeys([*weights[0], *weights[1]]))
    pairs = [(weights[0].get(term, "0"), weights[1].get(term, "0")) for term in terms]
    differs = " OR ".join(
        ["b.organ_id IS DISTINCT FROM a.organ_id", "b.mark IS DISTINCT FROM a.mark"]
        + [f"{was} <> {is_}" for was, is_ in pairs]
    )
    counts = " OR ".join(f"{was} <> 0 OR {is_} <> 0" for was, is_ in pairs)
    listed = ", ".join(f"{was}, {is_}" for was, is_ in pairs)
    of = next(file.table for file in files if file)
    for source, record_id, *rest in connection.execute(
        "SELECT coalesce(b.source_system, a.source_system), coalesce(b.record_id, a.record_id), "
        f"b.organ_id, a.organ_id, {listed} FROM {sources[0]} FULL JOIN {sources[1]} "
        "ON b.source_system = a.source_system AND b.record_id = a.record_id "
        f"WHERE ({differs}) AND ({counts}) ORDER BY 1, 2"
    ).fetchall():
        sides = found.setdefault((of, source, record_id), (_Side(), _Side()))
        for at, (side, tree) in enumerate(zip(sides, trees, strict=True)):
            values = {t: Decimal(rest[2 + 2 * n + at]) for n, t in enumerate(terms)}
            if any(values.values()):
                side.organ = tree.answers_for(rest[at])
                side.weights.update({term: value for term, value in values.items() if value})


def _columns(
    lake: Lake, before: Edition, after: Edition, keys: Iterable[Key]
) -> dict[Key, tuple[Change, dict[str, tuple[str | None, str | None]]]]:
    """What happened to each record, and the values that are others now."""
    by_table: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, source, record_id in keys:
        by_table[name].append((source, record_id))
    was, is_ = (_rows(lake, edition, by_table) for edition in (before, after))
    told: dict[Key, tuple[Change, dict[str, tuple[str | None, str | None]]]] = {}
    for name, ids in by_table.items():
        for source, record_id in ids:
            key = (name, source, record_id)
            old, new = was.get(key, {}), is_.get(key, {})
            columns = {
                column: (old.get(column), new.get(column))
                for column in {**old, **new}
                if old.get(column) != new.get(column)
            }
            told[key] = (_change(old, new), columns)
    return told


def _change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    if not old or (old.get("removed_at") and not new.get("removed_at")):
        return "added"
    if not new or (new.get("removed_at") and not old.get("removed_at")):
        return "removed"
    return "changed"


def _rows(
    lake: Lake, edition: Edition, by_table: Mapping[str, Sequence[tuple[str, str]]]
) -> dict[Key, dict[str, str | None]]:
    """The records' own rows as an edition's figures see them, values as text."""
    found = {}
    assert edition.definitions is not None
    measures = edition.definitions.parsed_measures
    with reading(lake, edition.snapshot, declared=measures) as opened:
        for name, ids in by_table.items():
            place, columns = name, _told_columns(name)
            if not table(name).is_pulled:
                # A record of the city's own file is what its measure makes of a line.
                own = next((m.name for m in measures.values() if m.table == name), None)
                if own is None or name == ORGANS:
                    continue
                place = opened.measure(own, edition.period)
                described = opened.connection.execute(f"DESCRIBE {place}").fetchall()
                columns = [c for c, *_ in described if c not in ("source_system", "record_id")]
            selected = ", ".join(f"t.{named(c)}::VARCHAR" for c in columns)
            for source, record_id, *values in opened.connection.execute(
                f"SELECT t.source_system, t.record_id, {selected} FROM {place} AS t "
                "JOIN (SELECT unnest(?) AS s, unnest(?) AS r) AS wanted "
                "ON t.source_system = wanted.s AND t.record_id = wanted.r",
                [[s for s, _ in ids], [r for _, r in ids]],
            ).fetchall():
                found[(name, source, record_id)] = dict(zip(columns, values, strict=True))
    return found


@dataclass(frozen=True)
class Comparison:
    """An edition against an earlier one of its report; `earlier` is empty when it is the first.
    `differences` are those of every organ, `told` the root's with the records behind them."""

    earlier: str = ""
    is_published: bool = False
    differences: tuple[CellDifference, ...] = ()
    told: Differences | None = None

    @property
    def in_value(self) -> list[CellDifference]:
        """The figures that are others as they are printed."""
        return [d for d in self.differences if d.is_in_value]

    @property
    def in_sides(self) -> list[CellDifference]:
        """Rates that stand as they were, from another numerator and denominator."""
        return [d for d in self.differences if not d.is_in_value]


def compare_with(
    lake: Lake, edition: Edition, earlier: str, *, is_published: bool = True
) -> Comparison:
    """An edition against the one named. Raises NoEdition, LakeError."""
    before = load_edition(lake, earlier)
    found = tuple(compare(edition, before.cells))
    return Comparison(earlier, is_published, found, differences(lake, before, edition))


def compare_with_earlier(lake: Lake, edition: Edition) -> Comparison:
    """An edition against the published one of its report, else against the one before it."""
    with lake.read() as connection:
        before = earlier_editions(connection, edition)
    published = next((row for row in before if row.is_published), None)
    earlier = published or next(iter(before), None)
    if earlier is None:
        return Comparison()
    is_published = published is not None
    return compare_with(lake, edition, earlier.edition_id, is_published=is_published)


def write_records_csv(found: Differences, path: Path) -> None:
    """The records behind the differences of the root, one a line and figure."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(RECORD_COLUMNS)
        for cell in found.cells:
            for record in cell.records:
                writer.writerow([cell.difference.cell, cell.difference.label, *_line(record)])
        for record in found.records_only:
            writer.writerow(["", "不影响任何数字", *_line(record)])


def _line(r: ChangedRecord) -> list[str]:
    weight = "" if r.weight is None else number(r.weight)
    columns = json.dumps(r.columns, ensure_ascii=False) if r.columns else ""
    id_ = safe_text(r.record_id)
    return [safe_text(r.source_system), r.table, id_, r.change, weight, safe_text(columns)]


def _told_value(
    difference: CellDifference, value: Decimal | None, shown: str
) -> int | float | str | None:
    """A figure as plain data: a number, or the words that stand there."""
    cell = difference.declared
    if cell is None or cell.text is None:
        return json_number(value)
    return None if shown == MISSING else shown


def differences_json(found: Differences) -> dict[str, Any]:
    """The differences as plain data."""

    def record(r: ChangedRecord) -> dict[str, Any]:
        told = {
            "source": r.source_system,
            "table": r.table,
            "id": r.record_id,
            "change": r.change,
            "columns": {name: list(values) for name, values in r.columns.items()},
        }
        return told if r.weight is None else {**told, "weight": json_number(r.weight)}

    return {
        "before": found.before,
        "after": found.after,
        "organ": {"id": found.organ.id, "name": found.organ.name},
        "definitions": list(found.definitions),
        "cells": [
            {
                "cell": c.difference.cell,
                "label": c.difference.label,
                "organ": c.difference.organ_id,
                "before": _told_value(c.difference, c.difference.before, c.difference.shown_before),
                "after": _told_value(c.difference, c.difference.after, c.difference.shown_after),
                "note": c.difference.note,
                "records": [record(r) for r in c.records],
            }
            for c in found.cells
        ],
        "records_only": [record(r) for r in found.records_only],
    }
