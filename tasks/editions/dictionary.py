"""The dictionary: every printed cell back to its measure, its table and columns, and the fields
that fill them, by the systems' own names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.city.fields import SourceField
from tasks.editions.figures import definition
from warehouse.layout import Cell, Layout
from warehouse.reading import Measure
from warehouse.tables import Table, all_tables

_WORD = re.compile(r"[a-z_][a-z0-9_]*")
_STRING = re.compile(r"'[^']*'")


@dataclass(frozen=True)
class Lineage:
    """Where a cell comes from. A cell made of others has these as `made_of` and no measure."""

    cell: Cell
    words: str
    measure: str = ""
    table: str = ""
    columns: tuple[str, ...] = ()
    fields: tuple[SourceField, ...] = ()
    made_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class UsedField:
    """A field of a source with the printed cells that rest on it; none: no cell uses it."""

    field: SourceField
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Dictionary:
    """All cells of a layout in their order, and all fields of the sources in theirs."""

    layout: Layout
    cells: tuple[Lineage, ...]
    fields: tuple[UsedField, ...]


def dictionary(
    layout: Layout, measures: Mapping[str, Measure], fields: Sequence[SourceField]
) -> Dictionary:
    """The dictionary of a layout, with its measures and the fields of a city's sources."""
    tables = {table.full_name: table for table in all_tables()}
    cells = tuple(_lineage(layout, c, measures, tables, fields) for c in layout.cells.values())
    used: dict[SourceField, list[str]] = {field: [] for field in fields}
    for lineage in cells:
        for field in lineage.fields:
            used[field].append(lineage.cell.key)
    return Dictionary(
        layout, cells, tuple(UsedField(field, tuple(keys)) for field, keys in used.items())
    )


def _lineage(
    layout: Layout,
    cell: Cell,
    measures: Mapping[str, Measure],
    tables: Mapping[str, Table],
    fields: Sequence[SourceField],
) -> Lineage:
    words = definition(layout, cell)
    measure = measures.get(cell.measure or "")
    if measure is None:
        return Lineage(cell, words, made_of=tuple(cell.made_of))
    table = tables.get(measure.table)
    columns = _columns(cell, measure, table) if table else ()
    others = tuple(
        f"{other.name}.{c}"
        for other in _joined(measure, tables)
        for c in _columns(cell, measure, other, is_joined=True)
        if c not in columns
    )
    named = {(measure.table, c) for c in columns}
    named |= {(f"core.{o.partition('.')[0]}", o.partition(".")[2]) for o in others}
    behind = tuple(f for f in fields if (f.table, f.column) in named)
    return Lineage(cell, words, measure.name, measure.table, (*columns, *others), behind)


def _joined(measure: Measure, tables: Mapping[str, Table]) -> list[Table]:
    """The other tables that a measure looks into."""
    names = dict.fromkeys(re.findall(r"\bcore\.[a-z_]+\b", measure.sql))
    return [tables[name] for name in names if name in tables and name != measure.table]


def _columns(
    cell: Cell, measure: Measure, table: Table, *, is_joined: bool = False
) -> tuple[str, ...]:
    """The columns of a table that decide a cell: those behind what its conditions and its
    quantity ask of the measure, and, of the measure's own table, those by which it picks its
    records."""
    own = {column.name for column in table.columns}
    items = dict(_items(measure.sql))
    asked = _words(" ".join((*cell.conditions, cell.quantity or "")))
    found = {word for name in asked for word in _words(items.get(name, name)) if word in own}
    if is_joined:
        return tuple(c.name for c in table.columns if c.name in found - {"organ_id"})
    picked = measure.sql.rpartition("WHERE")[2] if "WHERE" in measure.sql else ""
    found |= {word for word in _words(picked) if word in own}
    found |= {"organ_id"} & own
    hidden = {"removed_at"}
    return tuple(c.name for c in table.columns if c.name in found - hidden)


def _words(sql: str) -> list[str]:
    return _WORD.findall(_STRING.sub("''", sql))


def _items(sql: str) -> Iterator[tuple[str, str]]:
    """What a measure's query gives: names with the expressions behind them."""
    body = "\n".join(line for line in sql.splitlines() if not line.lstrip().startswith("--"))
    for select in re.split(r"\bSELECT\b", body)[1:]:
        for item in _divided(re.split(r"\bFROM\b", select)[0]):
            expression, found, name = item.rpartition(" AS ")
            if found and _WORD.fullmatch(name.strip()):
                yield name.strip(), expression


def _divided(text: str) -> Iterator[str]:
    """A list divided at the commas that stand in no bracket."""
    depth, start = 0, 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            yield text[start:at].strip()
            start = at + 1
    yield text[start:].strip()
