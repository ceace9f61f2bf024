"""Persons: name, role, password (argon2) and authenticator; added and locked at the machine."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from tasks.people import log
from tasks.people.office import Office
from warehouse.errors import EntryError

if TYPE_CHECKING:
    from pwdlib import PasswordHash

VIEWS, WORKS, APPROVES, MANAGES = ROLES = ("查看", "经办", "批准", "管理")
LEAST_PASSWORD = 10
LONGEST = 200
"""Characters of a name or a password."""


class PersonError(EntryError):
    """A person cannot be added, changed or found; the message says what to do."""


@dataclass(frozen=True)
class Person:
    """Someone who may sign in; a locked one may not."""

    name: str
    role: str
    added_at: datetime
    locked_at: datetime | None = None

    @property
    def is_locked(self) -> bool:
        return self.locked_at is not None

    @property
    def works(self) -> bool:
        """Whether runs may be started and stopped."""
        return self.role != VIEWS


@cache
def hasher() -> PasswordHash:
    """The one way in which passwords are kept: argon2id."""
    from pwdlib import PasswordHash

    return PasswordHash.recommended()


def new_authenticator() -> str:
    """A secret for an authenticator (RFC 6238)."""
    import pyotp

    return pyotp.random_base32()


def add_person(
    office: Office,
    name: str,
    role: str,
    password: str,
    authenticator: str,
    *,
    by: str,
    now: datetime,
) -> None:
    """Add a person, or give one that is there a new role, password and authenticator; whoever
    was locked may sign in again. Raises PersonError."""
    name = name.strip()
    if not name or len(name) > LONGEST or not name.isprintable():
        raise PersonError("请填写姓名")
    if role not in ROLES:
        raise PersonError(f"没有角色“{role}”。可选:{'、'.join(ROLES)}")
    if not LEAST_PASSWORD <= len(password) <= LONGEST:
        raise PersonError(f"口令至少 {LEAST_PASSWORD} 个字符,最多 {LONGEST} 个")
    if password.strip().casefold() == name.casefold():
        raise PersonError("口令不能就是姓名")
    with office.change() as connection:
        is_new = find(connection, name) is None
        connection.execute(
            "INSERT INTO person (name, role, password_hash, authenticator, added_at) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET role = excluded.role, "
            "password_hash = excluded.password_hash, authenticator = excluded.authenticator, "
            "locked_at = NULL",
            [name, role, hasher().hash(password), authenticator, now.isoformat()],
        )
        # A password that was changed ends what was begun with the old one.
        connection.execute("DELETE FROM session WHERE person = ?", [name])
        log.write(connection, by, "添加人员" if is_new else "重设人员", f"{name}({role})", now=now)


def lock_person(office: Office, name: str, *, by: str, now: datetime) -> None:
    """Lock a person out, at once and everywhere. What was done stays. Raises PersonError."""
    name = name.strip()
    with office.change() as connection:
        if find(connection, name) is None:
            known = "、".join(p.name for p in _all(connection)) or "无"
            raise PersonError(f"没有人员“{name}”。现有:{known}")
        connection.execute(
            "UPDATE person SET locked_at = ? WHERE name = ?", [now.isoformat(), name]
        )
        connection.execute("DELETE FROM session WHERE person = ?", [name])
        log.write(connection, by, "停用人员", name, now=now)


def persons(office: Office) -> list[Person]:
    """Everyone, by name."""
    with office.read() as connection:
        return _all(connection)


def has_persons(office: Office) -> bool:
    """Whether anyone was ever added: then nobody comes in without signing in."""
    if not office.exists():
        return False
    with office.read() as connection:
        return connection.execute("SELECT 1 FROM person LIMIT 1").fetchone() is not None


def find(connection: sqlite3.Connection, name: str) -> Person | None:
    """The person of a name; None when there is none."""
    row = connection.execute("SELECT * FROM person WHERE name = ?", [name]).fetchone()
    return _person(row) if row else None


def person_named(office: Office, name: str) -> Person | None:
    """A person who may act: there, and not locked."""
    with office.read() as connection:
        found = find(connection, name)
    return None if found is None or found.is_locked else found


def authenticators(office: Office) -> dict[str, str]:
    """The authenticator's secret of everyone who may approve, by name."""
    with office.read() as connection:
        rows = connection.execute(
            "SELECT name, authenticator FROM person WHERE role = ? AND locked_at IS NULL "
            "ORDER BY name",
            [APPROVES],
        ).fetchall()
    return {row["name"]: row["authenticator"] for row in rows}


def kept_authenticator(office: Office, name: str) -> str:
    """The authenticator's secret of someone who is there already; empty for a new person."""
    with office.read() as connection:
        row = connection.execute(
            "SELECT authenticator FROM person WHERE name = ?", [name.strip()]
        ).fetchone()
    return str(row["authenticator"]) if row else ""


def _all(connection: sqlite3.Connection) -> list[Person]:
    return [_person(r) for r in connection.execute("SELECT * FROM person ORDER BY name").fetchall()]


def _person(row: sqlite3.Row) -> Person:
    locked = row["locked_at"]
    return Person(
        row["name"],
        row["role"],
        datetime.fromisoformat(row["added_at"]),
        datetime.fromisoformat(locked) if locked else None,
    )
