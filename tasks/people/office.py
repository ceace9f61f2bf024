"""The office's own register: one SQLite file in the data home, beside the lake.

It holds persons, sessions, codes that were used, approvals, the log, and the trail of what keeps an
edition from being published. It is no part of the lake, because a load may hold the lake's lock for minutes, and a code is judged at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from warehouse.disk import reason_of
from warehouse.errors import MachineError

NAME = "office.sqlite"
WAIT_SECONDS = 60
VERSION = 3
_APPEND_ONLY = ("approval", "log", "trail")
_TRAIL = """
-- What was done about a matter of a report: a record that keeps something from adding up, a rule
-- where no record is named, or an edition. It belongs to the period, so a later edition has it too.
CREATE TABLE trail (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    form TEXT NOT NULL,
    period TEXT NOT NULL,
    matter TEXT NOT NULL,
    act TEXT NOT NULL,
    person TEXT NOT NULL,
    done_at TEXT NOT NULL,
    edition_id TEXT NOT NULL,
    said TEXT NOT NULL,
    organ_id TEXT NOT NULL,
    letter TEXT NOT NULL,
    due_on TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX trail_of ON trail (form, period, matter);
"""
_SCHEMA = f"""
CREATE TABLE person (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    authenticator TEXT NOT NULL,
    added_at TEXT NOT NULL,
    locked_at TEXT
);
-- The last time step (30 seconds) whose code a person has entered: none at or before it serves.
CREATE TABLE code_used (person TEXT PRIMARY KEY, step INTEGER NOT NULL);
-- Who tried, not for whom: it is the one who tries that must wait.
CREATE TABLE attempt (tried_by TEXT NOT NULL, what TEXT NOT NULL, tried_at TEXT NOT NULL);
CREATE INDEX attempt_by ON attempt (tried_by, tried_at);
CREATE TABLE session (
    token_hash TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    seen_at TEXT NOT NULL
);
CREATE TABLE approval (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    edition_id TEXT NOT NULL,
    cell_hash TEXT NOT NULL,
    definition_hash TEXT NOT NULL,
    findings_hash TEXT NOT NULL,
    approver TEXT NOT NULL,
    entered_by TEXT NOT NULL,
    statement TEXT NOT NULL,
    answers TEXT NOT NULL,
    stale_reason TEXT NOT NULL,
    approved_at TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    built_by TEXT NOT NULL DEFAULT ''
);
CREATE TABLE log (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    done_at TEXT NOT NULL,
    person TEXT NOT NULL,
    act TEXT NOT NULL,
    about TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
{_TRAIL}"""


class OfficeError(MachineError):
    """The register cannot be read or written; the message says what to do."""


@dataclass(frozen=True)
class Office:
    """The register of a data home. Nothing is made before something is kept."""

    home: Path

    @property
    def path(self) -> Path:
        return self.home / NAME

    def exists(self) -> bool:
        return self.path.exists()

    def approvals(self) -> set[int]:
        """The numbers of all approvals that were given. Raises OfficeError."""
        with self.read() as connection:
            return {row["number"] for row in connection.execute("SELECT number FROM approval")}

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that reads; an empty register where there is none yet.

        Raises OfficeError.
        """
        with self._opened() as connection:
            yield connection

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, one after the other. Raises OfficeError."""
        with self._opened(makes=True) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _opened(self, *, makes: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            if makes:
                self.home.mkdir(parents=True, exist_ok=True)
            if makes and not self.path.exists():
                # Made by us, so that nobody else may read it at any moment.
                self.path.touch(mode=0o600)
            is_kept = makes or self.path.exists()
            connection = sqlite3.connect(
                self.path if is_kept else ":memory:", timeout=WAIT_SECONDS, isolation_level=None
            )
            try:
                connection.row_factory = sqlite3.Row
                _prepare(connection)
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise OfficeError(
                f"人员登记库 {self.path} 读写不了({error})。请检查磁盘与所属用户,或从备份恢复该文件"
            ) from error
        except OSError as error:
            raise OfficeError(f"人员登记库 {self.path} 写不了({reason_of(error)})") from error


def _prepare(connection: sqlite3.Connection) -> None:
    """The tables, where they are missing."""
    if connection.execute("PRAGMA user_version").fetchone()[0] >= VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have been first.
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        _run(connection, _SCHEMA)
        _only_grow(connection, _APPEND_ONLY)
    if version == 1:
        for column in ("reason", "built_by"):
            connection.execute(f"ALTER TABLE approval ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")
    if version in (1, 2):
        _run(connection, _TRAIL)
        _only_grow(connection, ("trail",))
    if version < VERSION:
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _run(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):
        connection.execute(statement)


def _only_grow(connection: sqlite3.Connection, tables: tuple[str, ...]) -> None:
    """See that nothing of these tables is changed or taken away."""
    for table in tables:
        for act in ("UPDATE", "DELETE"):
            connection.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"
            )
