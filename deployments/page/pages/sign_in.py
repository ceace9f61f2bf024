"""Signing in and out."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.desk import STALE_FORM, Forged, desk_of, entered, page, to, visitor_of
from deployments.page.visitor import COOKIE
from tasks.clock import now
from tasks.people.attempts import TooManyTries
from tasks.people.sessions import LONGEST, SignInRefused, sign_in, sign_out

_AT_ONCE = asyncio.Semaphore(2)
"""Sign-ins judged at the same time: a password costs time and memory, as it should."""


async def sign_in_page(request: Request) -> Response:
    """The form; who is signed in goes on to where they wanted."""
    wanted = local_path(request.query_params.get("next", ""))
    if not visitor_of(request).needs_sign_in:
        return to(request, wanted)
    return page(request, "sign_in.html.j2", name="", wanted=wanted, said="")


async def send_sign_in(request: Request) -> Response:
    """Begin a session, if name, password and code are right; one answer for all that is wrong."""
    entered_at = now()
    desk = desk_of(request)
    if desk.door.is_signed_on_elsewhere or not desk.door.has_persons:
        return to(request, "/")
    try:
        told = await entered(request)
    except Forged:
        return page(request, "sign_in.html.j2", 403, name="", wanted="/", said=STALE_FORM)
    wanted, name = local_path(told.get("next", "")), told.get("name", "")
    client = request.client.host if request.client else ""
    try:
        async with _AT_ONCE:
            token = await asyncio.to_thread(
                sign_in,
                desk.door.office,
                name,
                told.get("password", ""),
                told.get("code", ""),
                client=client,
                now=entered_at,
            )
    except (SignInRefused, TooManyTries) as error:
        status = 429 if isinstance(error, TooManyTries) else 403
        return page(request, "sign_in.html.j2", status, name=name, wanted=wanted, said=str(error))
    answer = to(request, wanted)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(LONGEST.total_seconds()),
        path=desk.base or "/",
        secure=desk.settings.page_url.startswith("https:"),
        httponly=True,
        samesite="lax",
    )
    return answer


async def send_sign_out(request: Request) -> Response:
    """End the session."""
    desk, visitor = desk_of(request), visitor_of(request)
    try:
        await entered(request)
    except Forged:
        return to(request, "/desk/")
    if visitor.token:
        await asyncio.to_thread(sign_out, desk.door.office, visitor.token, now=now())
    answer = to(request, "/desk/sign-in")
    answer.delete_cookie(COOKIE, path=desk.base or "/")
    return answer


def local_path(wanted: str) -> str:
    """Where to go on to: a path of this port, nowhere else."""
    is_local = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if is_local and wanted.isprintable() and "\\" not in wanted else "/"


ROUTES: list[BaseRoute] = [
    Route("/sign-in", sign_in_page, methods=["GET"]),
    Route("/sign-in", send_sign_in, methods=["POST"]),
    Route("/sign-out", send_sign_out, methods=["POST"]),
]
