"""What each person did: a log that only grows, every line chained to the one before it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

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
    hash: str = ""


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
    return [_line(row) for row in rows]


@dataclass(frozen=True)
class Wanted:
    """Which lines are asked for: of a person, of an act, from one day to another, both included.
    What is empty does not limit."""

    person: str = ""
    act: str = ""
    first: date | None = None
    last: date | None = None

    def condition(self) -> tuple[str, list[str]]:
        """SQL of a WHERE, and its values."""
        after = self.last + timedelta(days=1) if self.last else None
        given = {
            "person = ?": self.person,
            "act = ?": self.act,
            "done_at >= ?": self.first.isoformat() if self.first else "",
            "done_at < ?": after.isoformat() if after else "",
        }
        chosen = {sql: value for sql, value in given.items() if value}
        return " AND ".join(["TRUE", *chosen]), list(chosen.values())


def some_lines(
    office: Office, wanted: Wanted, *, limit: int, offset: int = 0
) -> tuple[list[Line], int]:
    """The lines that are asked for, the newest first, and how many there are in all."""
    condition, values = wanted.condition()
    with office.read() as connection:
        counted = connection.execute(f"SELECT count(*) FROM log WHERE {condition}", values)
        count = int(counted.fetchone()[0])
        rows = connection.execute(
            f"SELECT * FROM log WHERE {condition} ORDER BY number DESC LIMIT ? OFFSET ?",
            [*values, limit, offset],
        ).fetchall()
    return [_line(row) for row in rows], count


def names_in(office: Office) -> tuple[list[str], list[str]]:
    """Everyone and every act that the log names."""
    with office.read() as connection:
        persons, acts = (
            [str(r[0]) for r in connection.execute(f"SELECT DISTINCT {name} FROM log ORDER BY 1")]
            for name in ("person", "act")
        )
    return persons, acts


def _line(row: sqlite3.Row) -> Line:
    told = (row["number"], datetime.fromisoformat(row["done_at"]))
    return Line(*told, row["person"], row["act"], row["about"], row["hash"])


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
