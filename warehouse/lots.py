"""A measure's records in lots: those alike in all that cells ask of them, counted once together.

A form's table of seven columns and thirty lines asks two hundred conditions, each record meets a few of
them, and many thousand records are alike in what is asked: channel, kind, outcome, whether in the year.
So the records are read once into lots, and the conditions are asked of the lots. What the cells of each
organ come to, and what they come to over all organs, is counted of the same lots.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from warehouse.layout import Cell
from warehouse.period import Period
from warehouse.reading import Reading

_FEW_VALUES = re.compile(r"BOOLEAN|VARCHAR|U?(TINY|SMALL|BIG)?INT(EGER)?|ENUM.*")
"""Types of columns that a condition may divide into lots by: days, moments and amounts are as many as
the records."""
_ADDED_UP = re.compile(r"DECIMAL.*|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BOOLEAN")
"""Types of what may be added up in parts: sums of floating numbers depend on their order."""


@dataclass(frozen=True)
class Lots:
    """The lots of a measure's records in a temporary table: organ_id, the columns that conditions name,
    `records`, and of each quantity its sum."""

    name: str
    conditions: tuple[str, ...]
    quantities: tuple[str, ...]

    def met_sql(self, by: str) -> str:
        """SQL of (`by`,) the place of a condition, how many records meet it, and the sum of each quantity;
        what no record meets has no row."""
        met = ", ".join(f"if({c}, {place}, NULL)" for place, c in enumerate(self.conditions))
        sums = "".join(f", sum(q{at})" for at, _ in enumerate(self.quantities))
        return (
            f"SELECT {by}place, CAST(sum(records) AS BIGINT){sums} FROM (SELECT *, unnest("
            f"list_filter([{met}], lambda place: place IS NOT NULL)) AS place FROM {self.name}) GROUP BY ALL"
        )

    def values(
        self, cells: Sequence[Cell], met: Mapping[int, tuple[Any, ...]]
    ) -> list[tuple[Any, int]]:
        """Of each cell what it comes to, and how many records meet its condition, from rows of
        `met_sql` by place."""
        places = {condition: place for place, condition in enumerate(self.conditions)}
        at = {quantity: 1 + n for n, quantity in enumerate(self.quantities)}
        none = (0, *[None] * len(self.quantities))
        found = [met.get(places[cell.where], none) for cell in cells]
        return [
            (of[at[cell.quantity] if cell.quantity else 0], of[0])
            for cell, of in zip(cells, found, strict=True)
        ]


def lots_of(reading: Reading, measure: str, cells: Sequence[Cell], period: Period) -> Lots | None:
    """The lots of a measure's records by what these cells ask of them, made when first asked. None
    where the records are as many as their lots would be, or a condition cannot be asked."""
    relation = reading.measure(measure, period)
    conditions = tuple(dict.fromkeys(cell.where for cell in cells))
    quantities = tuple(dict.fromkeys(cell.quantity for cell in cells if cell.quantity))
    key = (relation, conditions, quantities)
    if key not in reading.lots:
        name = f"lots_{len(reading.lots)}"
        try:
            made = _make(reading.connection, relation, name, conditions, quantities)
        except (duckdb.BinderException, duckdb.ParserException):
            # Who asks the cells one by one finds out which it is.
            made = False
        reading.lots[key] = Lots(name, conditions, quantities) if made else None
    found: Lots | None = reading.lots[key]
    return found


def _make(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    name: str,
    conditions: Sequence[str],
    quantities: Sequence[str],
) -> bool:
    """Make the table of lots; False where that does not pay, or sums would not be the same."""
    columns = {n: kind for n, kind, *_ in connection.execute(f"DESCRIBE {relation}").fetchall()}
    asked = " ".join(conditions)
    named = [
        column
        for column in columns
        if column != "organ_id" and re.search(rf"(?i)(?<!\w){re.escape(column)}(?!\w)", asked)
    ]
    if not all(_FEW_VALUES.fullmatch(columns[column]) for column in named):
        return False
    added = ", ".join(f"{q} AS q{at}" for at, q in enumerate(quantities))
    kinds = (
        connection.execute(f"DESCRIBE SELECT {added} FROM {relation}").fetchall() if added else []
    )
    if not all(_ADDED_UP.fullmatch(kind) for _, kind, *_ in kinds):
        return False
    by = ", ".join(("organ_id", *named))
    sums = "".join(f", sum({q}) AS q{at}" for at, q in enumerate(quantities))
    connection.execute(
        f"CREATE TEMP TABLE {name} AS SELECT {by}, count(*) AS records{sums} FROM {relation} GROUP BY {by}"
    )
    # That the conditions can be asked of the lots is found out here as well.
    connection.execute(f"SELECT {', '.join(conditions)} FROM {name} LIMIT 0")
    return True
