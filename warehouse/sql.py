"""How values, names and rows are written in SQL, for every layer.

Bound parameters are as good for a value; but DuckDB imports pandas for the first of them,
which takes longer than a small load, and DDL, ATTACH and COMMENT take none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from warehouse.tables import table

Value = str | int | float | bool | Decimal | date | datetime | None


def quoted(text: str | Path) -> str:
    """A text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def named(name: str) -> str:
    """A column or table as an SQL name."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Value) -> str:
    """A value as an SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return f"TIMESTAMP {quoted(value.isoformat(sep=' '))}"
    if isinstance(value, date):
        return f"DATE {quoted(value.isoformat())}"
    return quoted(value) if isinstance(value, str) else str(value)


def insert_sql(name: str, rows: Sequence[Mapping[str, Value]]) -> str:
    """Rows of one shape, by column, as one statement: each statement is a commit of its own."""
    values = ", ".join(f"({', '.join(map(literal, row.values()))})" for row in rows)
    return f"INSERT INTO {name} ({', '.join(rows[0])}) VALUES {values}"


def insert_many(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    rows: Sequence[Sequence[Any]],
    columns: Sequence[str] | None = None,
) -> None:
    """Many rows of a table of the lake in one statement, whole columns as lists.

    Without `columns` a row has all of them in the table's order. Decimals travel as text, so
    that nothing passes through a float.
    """
    if not rows:
        return
    kinds = {column.name: column.sql_type for column in table(name).columns}
    columns = columns or list(kinds)
    lists = [
        [f"{value:f}" if isinstance(value, Decimal) else value for value in values]
        for values in zip(*rows, strict=True)
    ]
    casts = ", ".join(f"c{i}::{kinds[column]}" for i, column in enumerate(columns))
    connection.execute(
        f"INSERT INTO {name} ({', '.join(columns)}) SELECT {casts} FROM"
        f" (SELECT {', '.join('unnest(?)' for _ in columns)})"
        f" AS rows({', '.join(f'c{i}' for i in range(len(columns)))})",
        lists,
    )


def counted(query: str, order: str) -> str:
    """A part of a query's rows (`order` sorts and limits), each with the number of all of them in a
    last column.

    Not `count(*) OVER ()`: a window without a part and an order now and then ends DuckDB 1.5 with
    an error of its own, and all that is open in the process with it (duckdb/duckdb issue 25713).
    """
    return (
        f"WITH counted AS MATERIALIZED ({query}) "
        f"SELECT *, (SELECT count(*) FROM counted) FROM counted {order}"
    )
