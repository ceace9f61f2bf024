"""What each person did: a log that only grows, every line chained to the one before it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.people.office import Office

NOTHING_BEFORE = "0" * 64
_TOLD = ("done_at", "person", "act", "about")


@dataclass(frozen=True)
class Line:
    """One line of the log: when (Asia/Shanghai), who, what, and on what."""

    number: int
    done_at: datetime
    person: str
    act: str
    about: str


def write(
    connection: sqlite3.Connection, person: str, act: str, about: str = "", *, now: datetime
) -> None:
    """Add a line, in the transaction of what was done. No secret and no code goes in here."""
    append(connection, "log", _TOLD, [now.isoformat(), person, act, about])


def append(
    connection: sqlite3.Connection, table: str, names: Sequence[str], values: Sequence[str]
) -> int:
    """Add a row to a table that only grows, chained to the one before it; returns its number."""
    last = connection.execute(f"SELECT hash FROM {table} ORDER BY number DESC LIMIT 1").fetchone()
    told = [*values, last["hash"] if last else NOTHING_BEFORE]
    done = connection.execute(
        f"INSERT INTO {table} ({', '.join(names)}, previous, hash) "
        f"VALUES ({', '.join('?' * len(names))}, ?, ?)",
        [*told, _hash(told)],
    )
    return int(done.lastrowid or 0)


def lines(office: Office) -> list[Line]:
    """The log, the newest first."""
    with office.read() as connection:
        rows = connection.execute("SELECT * FROM log ORDER BY number DESC").fetchall()
    return [
        Line(r["number"], datetime.fromisoformat(r["done_at"]), r["person"], r["act"], r["about"])
        for r in rows
    ]


def broken_lines(office: Office) -> list[int]:
    """Numbers of lines that are not what was written, or where some are missing before."""
    return broken_rows(office, "log", _TOLD)


def broken_rows(office: Office, table: str, names: Sequence[str]) -> list[int]:
    """Numbers of rows of a table that only grows which are not what was written, or where some are
    missing before."""
    with office.read() as connection:
        rows = connection.execute(f"SELECT * FROM {table} ORDER BY number").fetchall()
        counted = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", [table])
        last = counted.fetchone()
    broken, previous = [], NOTHING_BEFORE
    for expected, row in enumerate(rows, start=1):
        told = [row[name] for name in (*names, "previous")]
        if row["number"] != expected or row["previous"] != previous or row["hash"] != _hash(told):
            broken.append(int(row["number"]))
        previous = row["hash"]
    if last and last["seq"] != len(rows):
        broken.append(int(last["seq"]))
    return broken


def _hash(told: list[str]) -> str:
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()
