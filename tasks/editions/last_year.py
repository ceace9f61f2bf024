"""Last year as this year's tables must follow it: as it was signed for, through organs that change.

上年结转 and 现行有效 of a year follow the year before (B5, B6). What stood there is what was published,
where something was; else what the records say. Organs move, merge, split, end and come back
(机构改革): what an organ was signed for goes with its records to the organ that answers for them now,
so that a check fails only on what is wrong. Every transfer is named with its records (T1), and so is
every record that counts otherwise now than in what was published.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import duckdb

from tasks.editions.edition import CellValue, RecordReference
from tasks.editions.store import SignedEdition, signed_edition
from tasks.editions.tabulate import Tabulation, Tree, read_tree
from warehouse.cells import is_loaded, weights_sql
from warehouse.form import Form
from warehouse.lake import Lake
from warehouse.lake_errors import LakeError
from warehouse.layout import OVERVIEW, Cell, Layout
from warehouse.period import Period
from warehouse.reading import Reading, reading
from warehouse.sql import literal, named
from warehouse.tables import table

Key = tuple[str, str, str]
"""A record: table, source system, record id."""
MOST_COLUMNS = 4
TRANSFERS = "T1"
"""The code of a rule without which an edition, built by an earlier version, read last year through
last year's organs, and held the root alone against what was signed for."""


@dataclass(frozen=True)
class _Weighed:
    """What a record adds to cells, and the organ that it is registered at."""

    organ: str | None
    on: date | None
    weights: Mapping[str, Decimal]


_Records = dict[Key, _Weighed]


@dataclass(frozen=True)
class Transfer:
    """Records that went from one organ to another because the organs changed. `organ_id` is where
    they are registered in last year's tables, `to_id` the organ that answers for them now."""

    organ_id: str
    words: str
    to_id: str
    records: tuple[RecordReference, ...]


@dataclass(frozen=True)
class Changed:
    """A record that counts otherwise now than in last year's published tables: the organs above
    it then and now, what it weighed then and now, and what changed in words."""

    reference: RecordReference
    cell: str
    were: frozenset[str]
    are: frozenset[str]
    before: Decimal
    now: Decimal

    def touches(self, organ_id: str) -> bool:
        """Whether an organ's figure differs by it."""
        was = self.before if organ_id in self.were else 0
        return was != (self.now if organ_id in self.are else 0)


@dataclass(frozen=True)
class LastYear:
    """`signed_for` is what every organ's figures of last year must be, by organ and cell, where a
    published edition says so; `root` the root's published figures, `rewritten` those cells of its
    tables that the records would give otherwise by now, as (published, now)."""

    edition_id: str = ""
    root: Mapping[str, CellValue] = field(default_factory=dict)
    signed_for: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    transfers: tuple[Transfer, ...] = ()
    changed: tuple[Changed, ...] = ()
    rewritten: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)


def crossing_cells(layout: Layout) -> list[Cell]:
    """The cells of the year before that this year's checks rest on, as far as records make them."""
    keys = dict.fromkeys(
        term.cell
        for equation in layout.equations
        for term in (*equation.left, *equation.right)
        if term.years_back
    )
    return [layout.cells[key] for key in keys if layout.cells[key].measure]


def read_last_year(
    lake: Lake, opened: Reading, form: Form, layout: Layout, before: Tabulation, period: Period
) -> LastYear:
    """Last year's figures as they were signed for, read through the organs of `period`.

    `opened` is the reading of now, `before` last year as the records say now, through this year's
    organs. The published edition's own snapshot and measures are asked; where the snapshot is gone
    its stored figures stand alone, through the organs of then.
    """
    tree, of = before.tree, period.before
    crossing = crossing_cells(layout)
    published = signed_edition(opened.connection, form.key, of)
    rewritten = _rewritten(published, layout, before) if published else {}
    cells = list(
        {c.key: c for c in (*crossing, *(layout.cells[key] for key in rewritten))}.values()
    )
    now = _weighed(opened, cells, of)
    then, then_tree = now, read_tree(opened, of, layout)
    columns: dict[Key, str] = {}
    if published is not None:
        measures = published.definitions.parsed_measures
        with (
            suppress(LakeError, duckdb.Error),
            reading(lake, published.snapshot, declared=measures) as old,
        ):
            # All of it or none: records of then are read through the organs of then.
            records = _weighed(old, _declared(published.definitions.parsed_layout, cells), of)
            old_tree = read_tree(old, of, layout)
            columns = _columns(old, opened, _differing(records, now))
            then, then_tree = records, old_tree
    # An organ may be split: then its records are registered anew at those that take them over.
    owner = _owners(opened, tree, then, now, period)
    carried = {c.key for c in crossing}
    standing = {key: w for key, w in then.items() if carried & w.weights.keys()}
    transfers = _transfers(layout, tree, then_tree, standing, owner)
    if published is None:
        return LastYear(transfers=transfers)
    signed = _signed_for(published, crossing, tree)
    for key, weighed in then.items():
        now_above, then_above = tree.above(owner[key]), then_tree.above(_at(then_tree, weighed))
        for organ in now_above ^ then_above:
            for cell, weight in weighed.weights.items():
                if cell in signed.get(organ, {}):
                    signed[organ][cell] += weight if organ in now_above else -weight
    return LastYear(
        published.edition_id,
        published.root_figures,
        signed,
        transfers,
        tuple(_changed(tree, then, now, owner, columns)),
        rewritten,
    )


def signed_for_by_the_root(opened: Reading, form: Form, period: Period, root_id: str) -> LastYear:
    """As earlier versions had it: the root's published figures stand for last year, no others."""
    published = signed_edition(opened.connection, form.key, period.before)
    if published is None:
        return LastYear()
    figures = published.figures.get(root_id, {})
    values = {key: figure.value for key, figure in figures.items() if figure.value is not None}
    return LastYear(published.edition_id, figures, {root_id: values})


def _rewritten(
    published: SignedEdition, layout: Layout, before: Tabulation
) -> dict[str, tuple[Decimal, Decimal]]:
    """The root's cells of the form's tables that were published otherwise than the records say now,
    under one and the same definition."""
    found = {}
    now = before.root_figures()
    for key, figure in published.root_figures.items():
        cell, was = layout.cells.get(key), published.definitions.parsed_layout.cells.get(key)
        if cell is None or was is None or not cell.measure or cell.table == OVERVIEW:
            continue
        is_same = (cell.measure, cell.where, cell.quantity) == (
            was.measure,
            was.where,
            was.quantity,
        )
        value = now[key].value
        if is_same and figure.value is not None and value is not None and figure.value != value:
            found[key] = (figure.value, value)
    return found


def _declared(layout: Layout, cells: Sequence[Cell]) -> list[Cell]:
    """The cells as a layout declares them; those that it does not have were not signed for."""
    found = (layout.cells.get(cell.key) for cell in cells)
    return [cell for cell in found if cell is not None and cell.measure]


def _signed_for(
    published: SignedEdition, cells: Sequence[Cell], tree: Tree
) -> dict[str, dict[str, Decimal]]:
    """What was published for each organ of this year's tree; an organ that is new had nothing."""
    printed = [cell.key for cell in cells if cell.key in published.root_figures]
    signed: dict[str, dict[str, Decimal]] = {}
    for organ in tree.organs:
        figures = published.figures.get(organ.id, {})
        if organ.id == tree.root.id:
            figures = published.root_figures
        values = {key: figures.get(key, CellValue(Decimal(0))).value for key in printed}
        signed[organ.id] = {key: v for key, v in values.items() if v is not None}
    return signed


def _weighed(opened: Reading, cells: Sequence[Cell], period: Period) -> _Records:
    """The records behind some cells of a period, with what each adds to each of them."""
    found: _Records = {}
    by_measure: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.measure and is_loaded(opened, cell):
            by_measure[cell.measure].append(cell)
    for measure, wanted in by_measure.items():
        of = opened.measures[measure].table
        weights = ", ".join(weights_sql(wanted))
        any_of = " OR ".join(f"({cell.where})" for cell in wanted)
        for source, record_id, organ, on, *values in opened.connection.execute(
            f"SELECT source_system, record_id, min(organ_id), min(record_on), {weights} "
            f"FROM {opened.measure(measure, period)} WHERE {any_of} "
            "GROUP BY source_system, record_id ORDER BY 1, 2"
        ).fetchall():
            weighed = {c.key: Decimal(v) for c, v in zip(wanted, values, strict=True) if v}
            found[(of, source, record_id)] = _Weighed(organ, on, weighed)
    return found


def _at(tree: Tree, weighed: _Weighed) -> str:
    return tree.answers_for(weighed.organ)


def _owners(
    opened: Reading, tree: Tree, then: _Records, now: _Records, period: Period
) -> dict[Key, str]:
    """The organ of this year's tree that answers for each record of last year's tables: where the
    record is registered now, if the organ of then has ended."""
    in_force = {
        organ
        for (organ,) in opened.connection.execute(
            f"SELECT organ_id FROM core.organ WHERE valid_from <= {literal(period.last)} "
            f"AND (valid_to IS NULL OR valid_to >= {literal(period.last)})"
        ).fetchall()
    }
    return {
        key: _at(tree, now[key] if key in now and weighed.organ not in in_force else weighed)
        for key, weighed in then.items()
    }


def _transfers(
    layout: Layout, tree: Tree, then_tree: Tree, then: _Records, owner: Mapping[Key, str]
) -> tuple[Transfer, ...]:
    """The records that are now below other organs than in last year's tables."""
    moved: dict[tuple[str, str], list[Key]] = defaultdict(list)
    for key, weighed in then.items():
        was = _at(then_tree, weighed)
        if tree.above(owner[key]) != then_tree.above(was):
            moved[(was, owner[key])].append(key)
    found = []
    for (was, is_), keys in sorted(moved.items()):
        references = tuple(
            RecordReference(*key, is_, tree.name(is_), then[key].on, _labels(layout, then[key]))
            for key in sorted(keys)
        )
        found.append(Transfer(was, _moved(tree, then_tree, was, is_), is_, references))
    return tuple(found)


def _labels(layout: Layout, weighed: _Weighed) -> str:
    """The rows of last year's tables that a record stands in."""
    rows = dict.fromkeys(layout.cells[key].label for key in weighed.weights)
    return "随机关变动转入:上年" + "、".join(f"“{row}”" for row in rows)


def _moved(tree: Tree, then_tree: Tree, was: str, is_: str) -> str:
    """What became of an organ, in words."""
    if was != is_:
        return f"{then_tree.name(was)}的事项由{tree.name(is_)}承接"
    before, after = then_tree.parent_name(was), tree.parent_name(is_)
    if before == after:
        return f"{tree.name(is_)}的上级机关随机构改革变动"
    return f"{then_tree.name(was)}由{before}划归{after}"


def _differing(then: _Records, now: _Records) -> list[Key]:
    return sorted(
        key
        for key in then.keys() | now.keys()
        if key not in then
        or key not in now
        or then[key].weights != now[key].weights
        or then[key].organ != now[key].organ
    )


def _changed(
    tree: Tree,
    then: _Records,
    now: _Records,
    owner: Mapping[Key, str],
    columns: Mapping[Key, str],
) -> Iterator[Changed]:
    """The records that make a figure of last year other than it was signed for."""
    nothing = _Weighed(None, None, {})
    for key in _differing(then, now):
        was, is_ = then.get(key, nothing), now.get(key, nothing)
        were = tree.above(owner[key]) if key in then else frozenset()
        at = _at(tree, is_) if key in now else owner[key]
        are = tree.above(at) if key in now else frozenset()
        reference = RecordReference(*key, at, tree.name(at), is_.on or was.on, columns.get(key, ""))
        for cell in sorted({*was.weights, *is_.weights}):
            before, after = was.weights.get(cell, Decimal(0)), is_.weights.get(cell, Decimal(0))
            if before != after or were != are:
                yield Changed(reference, cell, were, are, before, after)


def _columns(old: Reading, opened: Reading, keys: Sequence[Key]) -> dict[Key, str]:
    """What changed of each record between two readings, in words."""
    by_table: dict[str, list[Key]] = defaultdict(list)
    for key in keys:
        by_table[key[0]].append(key)
    told = {}
    for name, of in by_table.items():
        was, is_ = _rows(old, name, of), _rows(opened, name, of)
        for key in of:
            told[key] = _words(name, was.get(key), is_.get(key))
    return told


def _rows(opened: Reading, name: str, keys: Sequence[Key]) -> dict[Key, dict[str, str | None]]:
    """Some records of a table as figures see them, values as text."""
    columns = [*(c.name for c in table(name).business_columns), "removed_at"]
    selected = ", ".join(f"t.{named(c)}::VARCHAR" for c in columns)
    rows = opened.connection.execute(
        f"SELECT t.source_system, t.record_id, {selected} FROM {name} AS t "
        "JOIN (SELECT unnest(?) AS s, unnest(?) AS r) AS wanted "
        "ON t.source_system = wanted.s AND t.record_id = wanted.r",
        [[k[1] for k in keys], [k[2] for k in keys]],
    ).fetchall()
    return {(name, s, r): dict(zip(columns, values, strict=True)) for s, r, *values in rows}


def _words(
    name: str, was: Mapping[str, str | None] | None, is_: Mapping[str, str | None] | None
) -> str:
    if was is None:
        return "上年报表发布之后才登记"
    if is_ is None:
        return "上年报表发布之后不再计入(更正剔除或隔离)"
    meanings = {c.name: c.label for c in table(name).columns}
    changes = [
        f"{meanings[column]}由{value or '空'}改为{is_.get(column) or '空'}"
        for column, value in was.items()
        if value != is_.get(column)
    ]
    more = f"等 {len(changes)} 处" if len(changes) > MOST_COLUMNS else ""
    return f"上年报表发布之后{'、'.join(changes[:MOST_COLUMNS])}{more}" if changes else ""
