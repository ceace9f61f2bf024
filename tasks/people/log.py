"""What each person did: a log that only grows, every line chained to the one before it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from tasks.people.office import Office

NOTHING_BEFORE = "0" * 64


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
    last = connection.execute("SELECT hash FROM log ORDER BY number DESC LIMIT 1").fetchone()
    previous = last["hash"] if last else NOTHING_BEFORE
    told = [now.isoformat(), person, act, about, previous]
    connection.execute(
        "INSERT INTO log (done_at, person, act, about, previous, hash) VALUES (?, ?, ?, ?, ?, ?)",
        [*told, _hash(told)],
    )


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
    with office.read() as connection:
        rows = connection.execute("SELECT * FROM log ORDER BY number").fetchall()
        counted = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log'")
        last = counted.fetchone()
    broken, previous = [], NOTHING_BEFORE
    for expected, row in enumerate(rows, start=1):
        told = [row[name] for name in ("done_at", "person", "act", "about", "previous")]
        if row["number"] != expected or row["previous"] != previous or row["hash"] != _hash(told):
            broken.append(int(row["number"]))
        previous = row["hash"]
    if last and last["seq"] != len(rows):
        broken.append(int(last["seq"]))
    return broken


def _hash(told: list[str]) -> str:
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()
