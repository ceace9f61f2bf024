"""Who does what a form asks: the person signed in; where nobody is configured, a name as typed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from deployments.page.desk import client_of, may_work, said, visitor_of
from tasks.people.persons import APPROVES

LONGEST_NAME = 60


@dataclass(frozen=True)
class Actor:
    """Whoever acts, as the registers call them; `is_signed_in` is false for a name that nobody
    proved."""

    name: str
    is_signed_in: bool


def actor_of(request: Request, told: Mapping[str, str], field: str = "who") -> Actor:
    """Who acts. A name that was typed counts only where nobody is configured; without one it is
    known where they sit."""
    person = visitor_of(request).person
    if person is not None:
        return Actor(person.name, is_signed_in=True)
    typed = " ".join(told.get(field, "").split())[:LONGEST_NAME]
    return Actor(typed if typed.isprintable() and typed else client_of(request), is_signed_in=False)


def filled(told: Mapping[str, str] | None) -> Mapping[str, str]:
    """What was filled in, for a form that is shown again; what was not is empty."""
    return defaultdict(str, told or {})


def may_approve(request: Request) -> bool:
    """Whether the one who looks may approve: by role, or because nobody is configured."""
    person = visitor_of(request).person
    return person is None or person.role == APPROVES


def not_allowed(request: Request, what: str, at: str = "") -> Response | None:
    """The page that says why the one who asks may not enter anything; None where they may."""
    if may_work(request):
        return None
    person = visitor_of(request).person
    role = person.role if person else ""
    return said(request, f"您没有{what}的权限。您的角色是{role}。请找经办人", status=403, at=at)
