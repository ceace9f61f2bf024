"""Who sends a request: a person who is signed in, this machine, or nobody that is known.

Every page and handler behind the gate finds the person in `request.state.visitor`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import cookie_parser

from tasks.clock import now
from tasks.people.machine import HEADER, machine_token
from tasks.people.office import Office
from tasks.people.persons import Person, has_persons, person_named
from tasks.people.sessions import form_token, session_of
from tasks.settings import Settings

COOKIE = "nianbao_session"
PROXY_HEADER = "x-nianbao-proxy"


@dataclass(frozen=True)
class Visitor:
    """`person` is None for this machine, and where nobody is configured. `form_token` is what
    this visitor's forms must carry; `needs_sign_in` says that a person must sign in first."""

    person: Person | None = None
    is_machine: bool = False
    needs_sign_in: bool = False
    form_token: str = ""
    token: str = ""

    @property
    def name(self) -> str:
        """As the log and the pages call them."""
        return self.person.name if self.person else "未登录"


class Door:
    """Tells visitors apart."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._office = Office(settings.home)
        self._machine = machine_token(settings.home).encode()
        # For forms where nobody is configured, and behind a proxy that signs people on.
        self._secret = secrets.token_bytes(32)
        self._has_persons = False

    @property
    def office(self) -> Office:
        return self._office

    @property
    def has_persons(self) -> bool:
        """Once there were persons, the door does not open again for everybody."""
        self._has_persons = self._has_persons or has_persons(self._office)
        return self._has_persons

    @property
    def is_signed_on_elsewhere(self) -> bool:
        """Whether a reverse proxy says who someone is."""
        return bool(self._settings.sign_on_header)

    def visitor(self, headers: Mapping[str, str]) -> Visitor:
        """Who sends a request with these headers, by their names in small letters."""
        if hmac.compare_digest(headers.get(HEADER.lower(), "").encode(), self._machine):
            return Visitor(is_machine=True)
        if not (self.has_persons or self.is_signed_on_elsewhere):
            return Visitor(form_token=self._token_of(""))
        if self.is_signed_on_elsewhere:
            return self._signed_on(headers)
        token = cookie_of(headers)
        session = session_of(self._office, token, now=now())
        if session is None:
            return Visitor(needs_sign_in=True, form_token=self._token_of(""))
        return Visitor(session.person, form_token=form_token(token), token=token)

    def _signed_on(self, headers: Mapping[str, str]) -> Visitor:
        """Whom the proxy names, if it is the proxy that speaks."""
        secret = self._settings.sign_on_secret.get_secret_value().encode()
        given = headers.get(PROXY_HEADER, "").encode()
        name = decoded(headers.get(self._settings.sign_on_header.lower(), ""))
        if not hmac.compare_digest(given, secret) or not name:
            return Visitor(needs_sign_in=True)
        person = person_named(self._office, name)
        if person is None:
            return Visitor(needs_sign_in=True)
        return Visitor(person, form_token=self._token_of(name))

    def _token_of(self, name: str) -> str:
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()


def cookie_of(headers: Mapping[str, str]) -> str:
    """The token of the session's cookie; empty without one. Another application's cookie beside
    it, however it is written, does not hide it."""
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")


def decoded(text: str) -> str:
    """A header's text: proxies send names as UTF-8, or as %E7%8E%8B."""
    from urllib.parse import unquote

    try:
        text = text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return ""
    return unquote(text).strip()
