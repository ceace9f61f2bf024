"""日志 and 人员: what the office's register keeps, and who may change who works here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.desk import (
    STALE_FORM,
    Forged,
    desk_of,
    entered,
    page,
    shown,
    to,
    visitor_of,
)
from deployments.page.pages.data import number_of
from tasks.clock import now
from tasks.desk import people
from tasks.desk.journal import HASH_SHOWN, journal, journal_csv
from tasks.people import log
from tasks.people.persons import APPROVES, MANAGES, ROLES
from warehouse.errors import NianbaoError

NO_ROLE = f"人员由{MANAGES}角色的人添加、重设和停用"


async def log_page(request: Request) -> Response:
    """The log, filtered and paged."""
    desk, query = desk_of(request), request.query_params
    wanted = _wanted(query)
    asked = {
        "person": wanted.person,
        "act": wanted.act,
        "first": wanted.first or "",
        "last": wanted.last or "",
    }
    return await shown(
        request,
        "log.html.j2",
        lambda: {"journal": journal(desk.door.office, wanted, number_of(query))},
        at="log",
        url=urlencode(asked),
        hash_shown=HASH_SHOWN,
    )


async def log_file(request: Request) -> Response:
    """The log as a table to keep."""
    office, wanted = desk_of(request).door.office, _wanted(request.query_params)
    text = await asyncio.to_thread(journal_csv, office, wanted)
    headers = {
        "Content-Disposition": 'attachment; filename="log.csv"',
        "Cache-Control": "no-store",
    }
    # Spreadsheets take the mark at the beginning for the sign of UTF-8.
    return Response(f"\ufeff{text}".encode(), media_type="text/csv", headers=headers)


def _wanted(query: Mapping[str, str]) -> log.Wanted:
    return log.Wanted(
        query.get("person", "")[:200],
        query.get("act", "")[:200],
        day_of(query.get("first", "")),
        day_of(query.get("last", "")),
    )


def day_of(text: str) -> date | None:
    """A day as a form gives it; None for none and for what is no day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


async def people_page(request: Request) -> Response:
    """Who works here."""
    return await _people(request)


async def _people(request: Request, said: str = "", status: int = 200, **more: Any) -> Response:
    desk = desk_of(request)
    try:
        staff = await asyncio.to_thread(people.staffing, desk.door.office)
    except NianbaoError as error:
        staff, said, status = people.Staffing((), ()), str(error), 422
    return page(
        request,
        "people.html.j2",
        status,
        **{
            "at": "people",
            "staff": staff,
            "may_manage": may_manage(request),
            "roles": [role for role in ROLES if role != APPROVES],
            "role_may": people.ROLE_MAY,
            "said": said,
            "given": None,
            "told": {},
            **more,
        },
    )


def may_manage(request: Request) -> bool:
    """Whether the one who looks may change who works here. Where nobody is configured, the first
    person is added at the machine: from then on everybody must sign in."""
    person = visitor_of(request).person
    return person is not None and person.role == MANAGES


async def send_add(request: Request) -> Response:
    """Add somebody; what they get is on the page once."""
    return await _change(
        request,
        lambda told, office, by: people.add(
            office, told.get("name", ""), told.get("role", ""), by=by, now=now()
        ),
    )


async def send_reset(request: Request) -> Response:
    """Give somebody a role and a new password; what they get is on the page once."""
    return await _change(
        request,
        lambda told, office, by: people.reset(
            office,
            told.get("name", ""),
            told.get("role", ""),
            with_authenticator=told.get("authenticator") == "1",
            by=by,
            now=now(),
        ),
    )


async def send_lock(request: Request) -> Response:
    """Lock somebody out."""

    def lock(told: Mapping[str, str], office: Any, by: str) -> None:
        people.lock(office, told.get("name", ""), by=by, now=now())

    return await _change(request, lock)


async def _change(request: Request, change: Callable[..., people.Given | None]) -> Response:
    desk = desk_of(request)
    try:
        told = await entered(request)
    except Forged:
        return await _people(request, STALE_FORM, 403)
    if not may_manage(request):
        return await _people(request, NO_ROLE, 403)
    by = visitor_of(request).name
    try:
        given = await asyncio.to_thread(change, told, desk.door.office, by)
    except NianbaoError as error:
        return await _people(request, str(error), 422, told=told)
    if given is None:
        return to(request, "/desk/people")
    if given.name == by:
        # One's own session ended with the old password; what is new must be seen all the same.
        return page(request, "given_once.html.j2", given=given, is_own=True)
    return page(request, "given_once.html.j2", given=given, is_own=False, at="people")


ROUTES: list[BaseRoute] = [
    Route("/log", log_page, methods=["GET"]),
    Route("/log.csv", log_file, methods=["GET"]),
    Route("/people", people_page, methods=["GET"]),
    Route("/people/add", send_add, methods=["POST"]),
    Route("/people/reset", send_reset, methods=["POST"]),
    Route("/people/lock", send_lock, methods=["POST"]),
]
