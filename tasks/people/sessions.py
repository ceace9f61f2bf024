"""Signing in, and the sessions that it begins.

The token of a session is in its holder's cookie only; here lies its hash. What a form must
carry against forged requests is made of the token, so it needs no place of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from tasks.people import log
from tasks.people.attempts import check_may_try, tried_rightly, tried_wrongly
from tasks.people.codes import judge
from tasks.people.office import Office
from tasks.people.persons import Person, find, hasher
from warehouse.errors import EntryError

IDLE = timedelta(hours=2)
LONGEST = timedelta(hours=12)
_SEEN_EVERY = timedelta(minutes=1)
SIGN_IN = "登录"


class SignInRefused(EntryError):
    """Nobody was let in. The message is one for every reason, so that it helps no one guess."""

    def __init__(self) -> None:
        super().__init__(
            "姓名、口令或验证码不对。验证码用过一次就作废,请等验证器显示下一个;每错一次,下一次要等更久"
        )


@dataclass(frozen=True)
class Session:
    """A person who is signed in, and what their forms must carry."""

    person: Person
    form_token: str


def sign_in(
    office: Office, name: str, password: str, code: str, *, client: str, now: datetime
) -> str:
    """Begin a session; returns its token. `client` is where the request comes from.

    Raises SignInRefused, and TooManyTries for a client that failed with this name just before;
    the person of that name elsewhere is not held up.
    """
    name = name.strip()
    tried_by = f"{client} {name}"[:300]
    with office.change() as connection:
        check_may_try(connection, tried_by, SIGN_IN, now)
        # Counted before the slow part, so that many at once do not escape the count.
        tried_wrongly(connection, tried_by, SIGN_IN, now)
        person = find(connection, name)
        row = connection.execute(
            "SELECT password_hash, authenticator FROM person WHERE name = ?", [name]
        ).fetchone()
        is_right_code = person is not None and (
            judge(connection, name, row["authenticator"], code, now=now) == "accepted"
        )
    # Whether the name is known must not be told by the time this takes.
    is_right = hasher().verify(password[:1000], row["password_hash"] if row else _nobodys_hash())
    if person is None or person.is_locked or not is_right or not is_right_code:
        with office.change() as connection:
            log.write(connection, name[:50] or "?", "登录未成", client, now=now)
        raise SignInRefused
    token = secrets.token_urlsafe(32)
    with office.change() as connection:
        tried_rightly(connection, tried_by, SIGN_IN)
        connection.execute("DELETE FROM session WHERE begun_at < ?", [(now - LONGEST).isoformat()])
        connection.execute(
            "INSERT INTO session VALUES (?, ?, ?, ?)",
            [_hash(token), name, now.isoformat(), now.isoformat()],
        )
        log.write(connection, name, "登录", client, now=now)
    return token


def session_of(office: Office, token: str, *, now: datetime) -> Session | None:
    """The session of a token; None where it is unknown, over, or its person locked."""
    if not token or not office.exists():
        return None
    with office.read() as connection:
        row = connection.execute(
            "SELECT * FROM session WHERE token_hash = ?", [_hash(token)]
        ).fetchone()
        person = find(connection, row["person"]) if row else None
    if row is None or person is None or person.is_locked:
        return None
    begun, seen = (datetime.fromisoformat(row[name]) for name in ("begun_at", "seen_at"))
    if now - begun > LONGEST or now - seen > IDLE:
        return None
    if now - seen > _SEEN_EVERY:
        with office.change() as connection:
            connection.execute(
                "UPDATE session SET seen_at = ? WHERE token_hash = ?",
                [now.isoformat(), _hash(token)],
            )
    return Session(person, form_token(token))


def sign_out(office: Office, token: str, *, now: datetime) -> None:
    """End a session."""
    with office.change() as connection:
        row = connection.execute(
            "DELETE FROM session WHERE token_hash = ? RETURNING person", [_hash(token)]
        ).fetchone()
        if row:
            log.write(connection, row["person"], "退出", now=now)


def form_token(token: str) -> str:
    """What a form of this session must carry. It tells nothing of the token."""
    return hmac.new(token.encode(), b"form", hashlib.sha256).hexdigest()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@cache
def _nobodys_hash() -> str:
    return hasher().hash(secrets.token_urlsafe(16))
