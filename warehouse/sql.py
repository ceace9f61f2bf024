"""How values, names and rows are written in SQL, for every layer.

Bound parameters are as good for a value; but DDL, ATTACH and COMMENT take none.
"""

from __future__ import annotations

import re
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
    *,
    into: str = "",
) -> None:
    """Many rows of a table of the lake in one statement, whole columns as lists.

    Without `columns` a row has all of them in the table's order; `into` is another table of the same
    columns. Decimals travel as text, so that
    nothing passes through a float.
    """
    if not rows:
        return
    kinds = {column.name: column.sql_type for column in table(name).columns}
    columns = columns or list(kinds)
    casts = [cast(named(column), kinds[column]) for column in columns]
    connection.execute(
        f"INSERT INTO {into or name} ({', '.join(map(named, columns))}) "
        f"SELECT {', '.join(casts)} FROM ({rows_sql(columns, rows)})"
    )


def rows_sql(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows as a SELECT whose columns are texts, in the order of the rows. Each column is one JSON
    text: of hundreds of thousands of rows a bound list takes twice as long."""
    import msgspec

    lists = (
        [f"{value:f}" if isinstance(value, Decimal) else value for value in values]
        for values in zip(*rows, strict=True)
    )
    texts = (
        f"unnest(from_json({quoted(msgspec.json.encode(values).decode())}, '[\"VARCHAR\"]')) "
        f"AS {named(column)}"
        for column, values in zip(columns, lists, strict=True)
    )
    return f"SELECT {', '.join(texts)}"


def cast(sql: str, kind: str) -> str:
    """A text as a value of an SQL type. DuckDB reads a number into a decimal of more than 18 digits
    a hundred times slower than into one of 18, which nearly all fit."""
    wide = _DECIMAL.fullmatch(kind)
    if wide is None or int(wide[1]) <= 18:
        return f"CAST({sql} AS {kind})"
    short = 18 - int(wide[2])
    return (
        f"CASE WHEN length({sql}) <= {short} THEN CAST({sql} AS DECIMAL(18, {wide[2]})) "
        f"ELSE CAST({sql} AS {kind}) END"
    )


_DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")


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
