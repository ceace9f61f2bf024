"""Rows that go into the lake whole columns at once: what comes out is what went in."""

from __future__ import annotations

import random
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pytest

from warehouse.sql import cast, rows_sql

TEXTS = (
    "",
    "'",
    '"',
    "\\",
    "\\n",
    "\n\r\t",
    "null",
    "[1]",
    "甲、乙",
    "😀",
    "\u2028",
    "\x00",
    "\x7f",
    "%s",
    "$1",
)


def test_texts_and_what_is_missing_come_back_in_order() -> None:
    rows = [(text, None, at) for at, text in enumerate(TEXTS)] + [(None, "x", 99)]
    with duckdb.connect() as connection:
        found = connection.execute(rows_sql(("a", "order", "c"), rows)).fetchall()
    assert found == [(a, b, str(c)) for a, b, c in rows]


def test_values_of_every_kind_come_back_by_their_type() -> None:
    given = (True, 7, Decimal("1E+3"), date(2020, 2, 29), datetime(2020, 1, 2, 3, 4, 5, 678))
    kinds = ("BOOLEAN", "BIGINT", "DECIMAL(24, 6)", "DATE", "TIMESTAMP")
    columns = [f"c{at}" for at in range(len(given))]
    selected = ", ".join(cast(name, kind) for name, kind in zip(columns, kinds, strict=True))
    with duckdb.connect() as connection:
        sql = f"SELECT {selected} FROM ({rows_sql(columns, [given, (None,) * 5])})"
        assert connection.execute(sql).fetchall() == [given, (None,) * 5]


@pytest.mark.parametrize(
    "kind", ["DECIMAL(24, 6)", "DECIMAL(28,6)", "DECIMAL(18, 2)", "DECIMAL(38, 10)"]
)
def test_the_short_way_to_a_decimal_gives_what_the_long_way_gives(kind: str) -> None:
    draw = random.Random(kind)
    texts = [
        f"{draw.choice(('', '-'))}{draw.randrange(10 ** draw.randrange(1, 16))}"
        + draw.choice(("", f".{draw.randrange(10 ** draw.randrange(1, 11)):010d}"))
        for _ in range(2000)
    ]
    texts += ["0", "-0", "999999999999", "-99999999999", "0.0000005", "-0.0000005", "0.9999999999"]
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS {rows_sql(('x',), [(text,) for text in texts])}")
        rows = connection.execute(
            f"SELECT x, {cast('x', kind)}, CAST(x AS {kind}) FROM t"
        ).fetchall()
        kinds = connection.execute(f"SELECT typeof({cast('x', kind)}) FROM t LIMIT 1").fetchone()
    assert [row for row in rows if row[1] != row[2]] == []
    assert kinds == (kind.replace(", ", ","),)
