"""From a record to the figures of an edition that it is in: the inverse of `explain`.

The same declarations decide: a cell's condition is asked of the one record, at the edition's
snapshot and by its own definitions, so that what is said here and what a figure lists agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tasks.editions.edition import Edition
from warehouse.cells import weights_sql
from warehouse.lake import Lake
from warehouse.layout import Cell
from warehouse.reading import Reading, reading

APPLICATIONS = "core.application"


@dataclass(frozen=True)
class CountedIn:
    """A cell in which a record counts, with what it adds. `through` are the keys of the cells by
    which it comes into one that is made of others, empty for one that counts records itself."""

    cell: Cell
    quantity: Decimal
    through: tuple[str, ...] = ()


def figures_of_record(
    lake: Lake, edition: Edition, table: str, source: str, record_id: str
) -> tuple[CountedIn, ...]:
    """The cells of an edition in which a record of a core table (`core.application`) counts, in
    the order of the layout; empty where it counts in none. Raises NoLake."""
    definitions = edition.definitions
    assert definitions is not None
    measures = definitions.parsed_measures
    with reading(lake, edition.snapshot, declared=measures) as opened:
        opened.set_period(edition.period)
        if table == APPLICATIONS:
            _only_answer_time_of(opened, source, record_id)
        found: dict[str, Decimal] = {}
        for name, measure in measures.items():
            cells = [c for c in edition.layout.cells.values() if c.measure == name]
            if measure.table == table and cells:
                found |= _weights(opened, measure.sql, cells, source, record_id)
    return tuple(_in_order(edition, found))


def _only_answer_time_of(opened: Reading, source: str, record_id: str) -> None:
    """Reckon the time to answer of the one application: each is reckoned by itself, and a city's
    take long."""
    opened.connection.execute(
        "CREATE TEMP TABLE answer_time_of_record AS "
        "SELECT * FROM answer_time WHERE source_system = ? AND record_id = ?",
        [source, record_id],
    )
    opened.connection.execute(
        "CREATE OR REPLACE TEMP VIEW answer_time AS SELECT * FROM answer_time_of_record"
    )


def _weights(
    opened: Reading, measure: str, cells: Sequence[Cell], source: str, record_id: str
) -> dict[str, Decimal]:
    """What a record adds to each of the cells of a measure; none to which it adds nothing."""
    row = opened.connection.execute(
        f"SELECT {', '.join(weights_sql(cells))} FROM ({measure}) "
        "WHERE source_system = ? AND record_id = ?",
        [source, record_id],
    ).fetchone()
    weights = zip(cells, row or (), strict=bool(row))
    return {cell.key: Decimal(weight) for cell, weight in weights if weight}


def _in_order(edition: Edition, found: dict[str, Decimal]) -> Iterator[CountedIn]:
    """The cells that count the record, and those made of them by adding or dividing."""
    for cell in edition.layout.cells.values():
        if cell.key in found:
            yield CountedIn(cell, found[cell.key])
            continue
        through = tuple(key for key in cell.made_of if key in found)
        # What only repeats or compares another year's figure has nothing of this record's year.
        if through and not cell.last_year:
            quantity = sum((found[key] for key in cell.parts if key in found), Decimal(0))
            yield CountedIn(cell, quantity, through)
