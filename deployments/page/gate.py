"""The gate: what stands before everything on the port, Prefect's page and interface included.

A request passes when it names the port as it is called and comes from its own pages (`origin.py`),
when its sender is known where persons are configured (`visitor.py`), and when that sender may do
what it asks (`rights.py`). This machine's own runs, workers and commands show its token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.page.body import TOO_LONG, TooLong, again, whole_body
from deployments.page.inside import Inside
from deployments.page.origin import LOOPBACK, SAFE_METHODS, OwnNames
from deployments.page.rights import (
    CREATE_RUN,
    MACHINE_ONLY,
    SCHEDULE,
    SET_STATE,
    Refused,
    check_may,
    run_body,
    schedule_body,
    state_body,
)
from deployments.page.visitor import Door, Visitor
from tasks.clock import now
from tasks.people import log
from tasks.wording.typeset import typeset

DESK = "/desk"
SIGN_IN = f"{DESK}/sign-in"
HELD = f"{SIGN_IN}/held"
OPEN_PATHS = ("/api/health", "/api/ready")
OPEN_SOCKETS = ("/api/events/out", "/api/logs/out")
"""What a page listens to; every other socket is this machine's."""
OPEN_FOLDERS = (f"{SIGN_IN}", f"{DESK}/static/")
MOST_BYTES = 1_000_000
"""Of a body that is looked into."""
_HTML = b"text/html"
FOR_EVERY_ANSWER = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"SAMEORIGIN",
    b"referrer-policy": b"same-origin",
}


class Gate:
    """Stands before an application; `inside` asks Prefect's interface behind it."""

    def __init__(
        self, app: ASGIApp, door: Door, names: OwnNames, inside: Inside, base: str = ""
    ) -> None:
        self._app = app
        self._door = door
        self._names = names
        self._inside = inside
        self._base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, _marked(send))
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        method, path = scope["method"], scope["path"]
        why_not = self._names.why_not(method, headers, is_socket=False)
        if why_not is not None:
            await refusal(path, why_not, 403)(scope, receive, send)
            return
        if elsewhere := self._usual_name(method, headers, path, scope):
            await RedirectResponse(elsewhere, 307)(scope, receive, send)
            return
        visitor = await asyncio.to_thread(self._door.visitor, headers)
        if visitor.needs_sign_in and not is_open(method, path):
            if self._is_a_form(method, headers, path):
                # What someone typed while the session ran out is not lost.
                await self._app(_held(_with(scope, visitor)), receive, send)
                return
            await self._to_sign_in(method, headers, path, scope)(scope, receive, send)
            return
        try:
            receive = await self._looked_into(visitor, scope, receive)
        except Refused as refused:
            await refusal(path, refused.message, refused.status)(scope, receive, send)
            return
        await self._app(_with(scope, visitor), receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        visitor = await asyncio.to_thread(self._door.visitor, headers)
        is_refused = (
            self._names.why_not("GET", headers, is_socket=True) is not None
            or visitor.needs_sign_in
            # What is sent in elsewhere is taken for what happened, or gives a worker's work away.
            or not (visitor.is_machine or scope["path"] in OPEN_SOCKETS)
        )
        if is_refused:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(_with(scope, visitor), receive, send)

    def _usual_name(
        self, method: str, headers: Mapping[str, str], path: str, scope: Scope
    ) -> str | None:
        """Where a page lies that was asked for under another name of the loopback: its scripts
        ask the server by one name, and what is signed in there is not signed in here."""
        name, _, port = headers["host"].lower().rpartition(":")
        if method != "GET" or name not in LOOPBACK[1:] or not _is_page(headers):
            return None
        query = scope.get("query_string", b"").decode("latin-1")
        return f"http://{LOOPBACK[0]}:{port}{quote(path)}{'?' if query else ''}{query}"

    def _is_a_form(self, method: str, headers: Mapping[str, str], path: str) -> bool:
        """Whether a page's form was sent by someone who could sign in and send it again."""
        return (
            method == "POST"
            and path.startswith(f"{DESK}/")
            and _is_page(headers)
            and not self._door.is_signed_on_elsewhere
        )

    def _to_sign_in(
        self, method: str, headers: Mapping[str, str], path: str, scope: Scope
    ) -> Response:
        told = "需要登录,或登录已过期。请打开页面登录后再来"
        if self._door.is_signed_on_elsewhere:
            told = "须经单位的统一登录进入;已登录的,请管理员核对人员中有没有您的姓名"
            return refusal(path, told, 401)
        if method == "GET" and _is_page(headers):
            query = scope.get("query_string", b"").decode("latin-1")
            wanted = quote(f"{path}{'?' if query else ''}{query}", safe="")
            return RedirectResponse(f"{self._base}{SIGN_IN}?next={wanted}", 303)
        return refusal(path, told, 401)

    async def _looked_into(self, visitor: Visitor, scope: Scope, receive: Receive) -> Receive:
        """What is asked of Prefect's interface, as it may be asked. Raises Refused."""
        method, path = scope["method"], scope["path"]
        if visitor.is_machine or not is_api(path):
            return receive
        check_may(visitor.person, method, path)
        if method in SAFE_METHODS:
            return receive
        run, schedule = CREATE_RUN.fullmatch(path), SCHEDULE.fullmatch(path)
        state = SET_STATE.fullmatch(path)
        if not (run or state or schedule):
            return receive
        try:
            raw = await whole_body(receive, MOST_BYTES)
        except TooLong as error:
            raise Refused(TOO_LONG, 413) from error
        if run:
            about, schema = await self._deployment(run[1])
            act, asked = "开始运行", run_body(raw, schema, visitor.person)
        elif schedule:
            about, _ = await self._deployment(schedule[1])
            act, asked = "改动定时", schedule_body(raw)
        else:
            act, about, asked = "改动运行", f"{state[1] if state else ''}", state_body(raw)
        await asyncio.to_thread(self._log, visitor, act, about)
        scope["headers"] = [
            *((k, v) for k, v in scope["headers"] if k != b"content-length"),
            (b"content-length", str(len(asked)).encode()),
        ]
        return again(asked, receive)

    async def _deployment(self, deployment_id: str) -> tuple[str, dict[str, Any]]:
        """Its name and its form's schema. Raises Refused where they cannot be read now."""
        found = await self._inside.deployment(deployment_id)
        if found is None:
            raise Refused("运行台正忙,或没有这个任务,现在读不到它的表单。请刷新页面,稍后再试", 503)
        return found

    def _log(self, visitor: Visitor, act: str, about: str) -> None:
        if visitor.person is None:
            return
        with self._door.office.change() as connection:
            log.write(connection, visitor.person.name, act, about, now=now())


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers by their names in small letters; of one that is sent twice, nothing is
    believed: its values stand joined, and match nothing."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        told = value.decode("latin-1")
        found[key] = f"{found[key]}, {told}" if key in found else told
    return found


def is_open(method: str, path: str) -> bool:
    """Whether a path may be asked for before signing in."""
    if path in OPEN_PATHS:
        return method == "GET"
    return path == SIGN_IN or (path.startswith(OPEN_FOLDERS[1]) and method in SAFE_METHODS)


def is_api(path: str) -> bool:
    """Whether a path is one of Prefect's interface."""
    return path == "/api" or path.startswith("/api/")


def _is_page(headers: Mapping[str, str]) -> bool:
    return "text/html" in headers.get("accept", "")


def refusal(path: str, message: str, status: int) -> Response:
    """An answer that says why not: as the interface would, or in plain words."""
    told = typeset(message)
    if is_api(path):
        return JSONResponse({"detail": told, "exception_message": told}, status)
    return PlainTextResponse(told, status)


def _with(scope: Scope, visitor: Visitor) -> Scope:
    return {**scope, "state": {**scope.get("state", {}), "visitor": visitor}}


def _held(scope: Scope) -> Scope:
    """The request as one of the page that keeps what was typed; `held_for` is where it was sent."""
    query = scope.get("query_string", b"").decode("latin-1")
    wanted = f"{quote(scope['path'])}{'?' if query else ''}{query}"
    return {
        **scope,
        "path": HELD,
        "raw_path": HELD.encode(),
        "query_string": b"",
        "state": {**scope["state"], "held_for": wanted},
    }


def _marked(send: Send) -> Send:
    """The headers that every answer has."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower(): value for name, value in message.get("headers", [])}
            more = [(k, v) for k, v in FOR_EVERY_ANSWER.items() if k not in given]
            if b"cache-control" not in given and given.get(b"content-type", b"").startswith(_HTML):
                # A browser must not show a page from its own store to whoever comes next.
                more.append((b"cache-control", b"private, no-cache"))
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await send(message)

    return sending


def only_the_machine(app: ASGIApp, door: Door, names: OwnNames) -> ASGIApp:
    """Before a server that has no page and serves one run: nobody but this machine is answered."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        headers = headers_of(scope)
        is_socket = scope["type"] == "websocket"
        is_known = (
            scope["path"] in OPEN_PATHS
            or (await asyncio.to_thread(door.visitor, headers)).is_machine
        )
        method = scope.get("method", "GET")
        if is_known and names.why_not(method, headers, is_socket=is_socket) is None:
            await app(scope, receive, send)
        elif is_socket:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope["path"], MACHINE_ONLY, 403)(scope, receive, send)

    return guarded
