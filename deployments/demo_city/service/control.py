"""The control surface: faults on request, changed records, counts of what was asked.

For tests and benchmarks only, on loopback, without credentials.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.demo_city.service.store import as_json
from deployments.demo_city.service.vendor import BadParameter, Record, Service, answer

PREFIX = "/_control"
FaultKind = Literal["status", "slow", "truncated", "dropped", "wrong_total"]
_KINDS = ("status", "slow", "truncated", "dropped", "wrong_total")
_TOTAL = re.compile(rb'"(total|zongshu|count)":(\d+)')


@dataclass
class Fault:
    """The next `count` answers under `path` go wrong."""

    kind: FaultKind
    path: str = "/"
    count: int = 1
    status: int = 500
    retry_after: int | None = None
    seconds: float = 1.0
    delta: int = 1


class Controlled:
    """Wraps a service: counts requests and lets the faults happen."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.faults: list[Fault] = []
        self.requests: Counter[str] = Counter()
        self.last_stamp = 0
        self.app: ASGIApp = Starlette(
            routes=[*_control_routes(self), *service.routes()],
            exception_handlers={BadParameter: self._refuse},
        )

    async def _refuse(self, request: Request, error: Exception) -> Response:
        return self.service.refuse(str(error))

    def now(self) -> int:
        """The present to the second, and never the same twice."""
        self.last_stamp = max(int(time.time()) * 1000, self.last_stamp + 1000)
        return self.last_stamp

    def _fault_for(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.count > 0 and path.startswith(fault.path):
                fault.count -= 1
                return fault
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        fault = self._fault_for(path)
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault and fault.kind == "status":
            retry = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            self.requests[f"{path} {fault.status}"] += 1
            await answer(b'{"error":"fault"}', fault.status, retry)(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.requests[f"{path} {message['status']}"] += 1
            await send(message)

        if fault is None or fault.kind == "slow":
            await self.app(scope, receive, counted)
            return
        await _spoiled(self.app, fault, scope, receive, counted)


async def _spoiled(app: ASGIApp, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    """Let the app answer, then spoil the answer on its way out."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    start = messages[0]
    body = b"".join(m.get("body", b"") for m in messages[1:])
    headers = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
    if fault.kind == "wrong_total":

        def spoil(match: re.Match[bytes]) -> bytes:
            return b'"%s":%d' % (match[1], max(0, int(match[2]) + fault.delta))

        body = _TOTAL.sub(spoil, body, count=1)
        headers = [
            (k, str(max(0, int(v) + fault.delta)).encode()) if k == b"x-total-count" else (k, v)
            for k, v in headers
        ]
    elif fault.kind == "truncated":
        body = body[: len(body) // 2]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({**start, "headers": headers})
    if fault.kind == "dropped":
        # Returning before the announced length is sent makes the server close the connection.
        await send(
            {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        )
        return
    await send({"type": "http.response.body", "body": body})


class _Control:
    """What a test may ask of one service: faults, records, counts, a fresh start."""

    def __init__(self, controlled: Controlled) -> None:
        self._controlled = controlled
        self._service = controlled.service

    async def faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._controlled.faults.clear()
            return answer(b"{}")
        try:
            fault = Fault(**msgspec.json.decode(await request.body()))
        except (TypeError, msgspec.DecodeError) as error:
            raise BadParameter(f"故障写法不对:{error}") from error
        if fault.kind not in _KINDS:
            raise BadParameter(f"kind 须为 {'、'.join(_KINDS)} 之一")
        self._controlled.faults.append(fault)
        return answer(b"{}")

    def _known(self, resource: str) -> str:
        if resource not in self._service.stores:
            raise BadParameter(f"没有资源 {resource};有 {'、'.join(self._service.stores)}")
        return resource

    async def record(self, request: Request) -> Response:
        name, record_id = self._named(request)
        store, shape = self._service.stores[name], self._service.shapes[name]
        current = store.get(record_id)
        if current is None and request.method in ("GET", "PATCH"):
            return answer(b"{}", 404)
        if current is not None and request.method == "GET":
            return answer(as_json(current))
        given: Record = msgspec.json.decode(await request.body())
        if current is not None and request.method == "PATCH":
            given = current | given
        if shape.record_id(given) != record_id:
            raise BadParameter(f"记录的编号不是 {record_id}")
        if request.query_params.get("keep_time") != "1":
            shape.stamp(given, self._controlled.now())
        store.put(shape.row(given))
        return answer(as_json(given))

    def _named(self, request: Request) -> tuple[str, str]:
        return self._known(request.path_params["resource"]), request.path_params["record_id"]

    async def withdraw(self, request: Request) -> Response:
        name, record_id = self._named(request)
        store, shape = self._service.stores[name], self._service.shapes[name]
        current = store.get(record_id)
        if current is None:
            return answer(b"{}", 404)
        shape.withdraw(current, self._controlled.now())
        store.put(shape.row(current))
        return answer(as_json(current))

    async def stats(self, _: Request) -> Response:
        counts: dict[str, Any] = {"requests": dict(sorted(self._controlled.requests.items()))}
        return answer(as_json(counts))

    async def reset(self, _: Request) -> Response:
        self._service.reset()
        self._controlled.faults.clear()
        self._controlled.requests.clear()
        return answer(b"{}")


def _control_routes(controlled: Controlled) -> list[Route]:
    control = _Control(controlled)
    one = f"{PREFIX}/records/{{resource}}/{{record_id:path}}"
    return [
        Route(f"{PREFIX}/faults", control.faults, methods=["POST", "DELETE"]),
        Route(f"{PREFIX}/stats", control.stats),
        Route(f"{PREFIX}/reset", control.reset, methods=["POST"]),
        Route(f"{one}/withdraw", control.withdraw, methods=["POST"]),
        Route(one, control.record, methods=["GET", "PUT", "PATCH"]),
    ]
