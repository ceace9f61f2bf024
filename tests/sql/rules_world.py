"""The small world of `rules_fixture.yaml`, built on any connection with the core tables."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import yaml

from warehouse.lake import Lake, transaction
from warehouse.tables import all_tables, table

FIXTURE = Path(__file__).with_name("rules_fixture.yaml")
TECHNICAL = {"row_hash": "h", "load_id": "load", "loaded_at": "2021-06-30 00:00:00"}


@cache
def fixture() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FIXTURE.read_text(encoding="utf-8"))
    return loaded


def as_of() -> date:
    given: date = fixture()["as_of"]
    return given


def insert(connection: duckdb.DuckDBPyConnection, name: str, *rows: dict[str, Any]) -> None:
    """Rows laid over the template of their table, in one statement."""
    template = fixture()["templates"][name]
    if table(name).is_pulled:
        template = {**TECHNICAL, **template}
    columns = list(dict.fromkeys([*template, *(column for row in rows for column in row)]))
    marks = ", ".join(["(" + ", ".join("?" * len(columns)) + ")"] * len(rows))
    values = [{**template, **row}.get(column) for row in rows for column in columns]
    connection.execute(f"INSERT INTO {name} ({', '.join(columns)}) VALUES {marks}", values)


def build_clean(connection: duckdb.DuckDBPyConnection) -> None:
    """A world in which every rule passes."""
    connection.execute(
        "INSERT INTO core.calendar_day SELECT CAST(d AS DATE), isodow(d) < 6, NULL, TRUE, "
        "sum(CASE WHEN isodow(d) < 6 THEN 1 ELSE 0 END) OVER (ORDER BY d) "
        "FROM range(DATE '2010-01-01', DATE '2022-01-01', INTERVAL 1 DAY) AS days(d)"
    )
    for name, rows in fixture()["clean"].items():
        insert(connection, name, *rows)


def break_rule(connection: duckdb.DuckDBPyConnection, code: str) -> int:
    """Add what breaks one rule; returns how many rows were meant to break it."""
    breaks = fixture()["broken"][code]
    for number, entry in enumerate(breaks):
        if isinstance(entry, str):
            connection.execute(entry)
            continue
        for name, values in entry.items():
            given = {"record_id": f"{code}/{number}", "load_id": "broken", **values}
            insert(connection, name, given if table(name).is_pulled else values)
    return len(breaks)


def in_memory() -> duckdb.DuckDBPyConnection:
    """The core tables in a plain DuckDB."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA core")
    for declared in all_tables():
        if declared.layer == "core":
            connection.execute(declared.sql)
    return connection


def in_lake(home: Path, *codes: str) -> Lake:
    """A lake with the clean world, and with the given rules broken."""
    lake = Lake(home)
    lake.create()
    with lake.write() as connection, transaction(connection):
        build_clean(connection)
        for code in codes:
            break_rule(connection, code)
    return lake
