"""Signing in and out. What was typed into a form while the session ran out comes along."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.body import MOST_OF_A_FORM, TOO_LONG, TooLong, whole_body
from deployments.page.desk import (
    STALE_FORM,
    Forged,
    desk_of,
    entered,
    fields_of,
    page,
    to,
    visitor_of,
)
from deployments.page.visitor import COOKIE
from tasks.clock import now
from tasks.people.attempts import TooManyTries
from tasks.people.sessions import LONGEST, SignInRefused, form_token, sign_in, sign_out

TYPED = "application/x-www-form-urlencoded"
SECRET_FIELDS = ("form_token", "password", "code")
HELD_FOR_YOU = "登录已过期。您填的内容还在:登录后再提交一次"
NOT_HELD = "登录已过期,选的文件没有收下。登录后请重新选文件"
_AT_ONCE = asyncio.Semaphore(2)
"""Sign-ins judged at the same time: a password costs time and memory, as it should."""


def form(request: Request, status: int = 200, **values: Any) -> Response:
    """The form by which one signs in; `held` is what goes on to `held_for` afterwards."""
    given = {"name": "", "said": "", "note": "", "held": (), "held_for": "", **values}
    return page(request, "sign_in.html.j2", status, **given)


async def sign_in_page(request: Request) -> Response:
    """The form; who is signed in goes on to where they wanted."""
    wanted = local_path(request.query_params.get("next", ""))
    if not visitor_of(request).needs_sign_in:
        return to(request, wanted)
    return form(request, wanted=wanted)


async def held_page(request: Request) -> Response:
    """Whoever sent a form after their session had ended signs in, and sends it again then.

    Nothing of it is acted upon here, so it needs no token; nothing secret of it is kept.
    """
    wanted = getattr(request.state, "held_for", "")
    if not wanted:
        return to(request, "/desk/sign-in")
    held: tuple[tuple[str, str], ...] = ()
    note = NOT_HELD
    if request.headers.get("content-type", "").startswith(TYPED):
        try:
            told = fields_of(await whole_body(request.receive, MOST_OF_A_FORM))
            held, note = tuple((n, v) for n, v in told if n not in SECRET_FIELDS), HELD_FOR_YOU
        except (TooLong, ValueError):
            note = TOO_LONG
    return form(
        request,
        401,
        wanted=page_before(request) or "/desk/",
        note=note,
        held=held,
        held_for=wanted if held else "",
    )


async def send_sign_in(request: Request) -> Response:
    """Begin a session, if name, password and code are right; one answer for all that is wrong."""
    entered_at = now()
    desk = desk_of(request)
    if desk.door.is_signed_on_elsewhere or not desk.door.has_persons:
        return to(request, "/")
    try:
        told = await entered(request)
    except Forged:
        return form(request, 403, wanted="/", said=STALE_FORM)
    wanted, name = local_path(told.get("next", "")), told.get("name", "")
    held_for = local_path(told.get("held_for", ""))
    held = tuple(fields_of(told.get("held", "").encode())) if held_for.startswith("/desk/") else ()
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
        return form(
            request,
            status,
            name=name,
            wanted=wanted,
            said=str(error),
            held=held,
            held_for=held_for,
        )
    if held:
        answer = page(
            request,
            "held.html.j2",
            held=held,
            held_for=held_for,
            texts=[value for _, value in held if not value.isascii()],
            token=form_token(token),
            wanted=wanted,
        )
    else:
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


def page_before(request: Request) -> str:
    """The page on which a form stood, as the browser tells; empty where it does not."""
    told = urlsplit(request.headers.get("referer", ""))
    path = local_path(f"{told.path}{'?' if told.query else ''}{told.query}")
    return path.removeprefix(desk_of(request).base)


def local_path(wanted: str) -> str:
    """Where to go on to: a path of this port, nowhere else."""
    is_local = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if is_local and wanted.isprintable() and "\\" not in wanted else "/"


ROUTES: list[BaseRoute] = [
    Route("/sign-in", sign_in_page, methods=["GET"]),
    Route("/sign-in/held", held_page, methods=["GET", "POST"]),
    Route("/sign-in", send_sign_in, methods=["POST"]),
    Route("/sign-out", send_sign_out, methods=["POST"]),
]
