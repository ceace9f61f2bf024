"""The 12345 hotline: OAuth2 client credentials, cursor pages, 429 when pressed, counts."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.demo_city.service.store import as_json
from deployments.demo_city.service.vendor import (
    BadParameter,
    Service,
    Shape,
    answer,
    moment,
    whole,
)


@dataclass
class _Token:
    ends_at: float
    requests_left: int


@dataclass(frozen=True)
class HotlineLimits:
    """How soon a token ends, and how hard the service may be pressed."""

    token_seconds: float = 20
    token_requests: int = 60
    burst: int = 30
    requests_per_second: float = 50


class HotlineService(Service):
    name = "hotline"
    title = "12345 政务服务便民热线平台"

    def __init__(self, folder: Path, limits: HotlineLimits | None = None) -> None:
        super().__init__(folder)
        self.limits = limits or HotlineLimits()
        self.client_id = f"nianbao-{secrets.token_hex(4)}"
        self.client_secret = secrets.token_urlsafe(24)
        self._start()

    def _start(self) -> None:
        self._tokens: dict[str, _Token] = {}
        self._allowance = float(self.limits.burst)
        self._refilled_at = time.monotonic()

    def reset(self) -> None:
        super().reset()
        self._start()

    def make_shapes(self) -> list[Shape]:
        return [
            Shape(name, (key,), business, "updateTime", int, ("deleted", True), "deletedTime")
            for name, key, business in (
                ("calls", "callId", "callTime"),
                ("workOrders", "orderId", "dispatchTime"),
            )
        ]

    def environment(self, url: str) -> dict[str, str]:
        return {
            "NIANBAO_HOTLINE_URL": url,
            "NIANBAO_HOTLINE_CLIENT_ID": self.client_id,
            "NIANBAO_HOTLINE_CLIENT_SECRET": self.client_secret,
        }

    def refuse(self, message: str) -> Response:
        return answer(as_json({"error": "invalid_request", "error_description": message}), 400)

    def _client(self, request: Request, form: dict[str, list[str]]) -> tuple[str, str]:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                client, _, secret = base64.b64decode(text).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return "", ""
            return client, secret
        return form.get("client_id", [""])[0], form.get("client_secret", [""])[0]

    async def _issue(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        if form.get("grant_type") != ["client_credentials"]:
            return answer(b'{"error":"unsupported_grant_type"}', 400)
        client, secret = self._client(request, form)
        known = secrets.compare_digest(client.encode(), self.client_id.encode())
        if not (known and secrets.compare_digest(secret.encode(), self.client_secret.encode())):
            return answer(b'{"error":"invalid_client"}', 401)
        token = secrets.token_urlsafe(24)
        now, limits = time.monotonic(), self.limits
        self._tokens = {t: held for t, held in self._tokens.items() if held.ends_at > now}
        self._tokens[token] = _Token(now + limits.token_seconds, limits.token_requests)
        return answer(
            as_json(
                {
                    "access_token": token,
                    "token_type": "Bearer",
                    "expires_in": int(limits.token_seconds),
                }
            )
        )

    def _turned_away(self, request: Request) -> Response | None:
        """401 without a living token, 429 when the bucket is empty, else None."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        token = self._tokens.get(text) if scheme.lower() == "bearer" else None
        now = time.monotonic()
        if token is None or token.ends_at <= now or token.requests_left <= 0:
            headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return answer(b'{"error":"invalid_token"}', 401, headers)
        refill = (now - self._refilled_at) * self.limits.requests_per_second
        self._allowance = min(self.limits.burst, self._allowance + refill)
        self._refilled_at = now
        if self._allowance < 1:
            return answer(b'{"error":"too_many_requests"}', 429, {"Retry-After": "1"})
        self._allowance -= 1
        token.requests_left -= 1
        return None

    @staticmethod
    def _read_cursor(text: str) -> tuple[int | None, int, str]:
        try:
            until, updated, record_id = msgspec.json.decode(base64.urlsafe_b64decode(text))
            return until, int(updated), str(record_id)
        except (binascii.Error, ValueError, TypeError) as error:
            raise BadParameter("cursor 无效") from error

    def _list(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            refusal = self._turned_away(request)
            if refusal:
                return refusal
            limit = whole(request, "limit", 100, 1, 2000)
            store = self.stores[name]
            cursor = request.query_params.get("cursor")
            if cursor:
                until, updated, record_id = self._read_cursor(cursor)
                first, last = store.after(updated, record_id), store.span(None, until)[1]
            else:
                until = moment(request, "updatedUntil")
                first, last = store.span(moment(request, "updatedSince"), until)
            end = min(last, first + limit)
            following: str | None = None
            if end < last:
                mark = msgspec.json.encode([until, *store.mark(end - 1)])
                following = base64.urlsafe_b64encode(mark).decode()
            paging = as_json({"nextCursor": following, "hasMore": following is not None})
            return answer(b'{"data":[' + store.page(first, end) + b'],"paging":' + paging + b"}")

        return handle

    def _count(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            refusal = self._turned_away(request)
            if refusal:
                return refusal
            names = ("updatedSince", "updatedUntil", "startTime", "endTime")
            count = self.stores[name].count(*(moment(request, n) for n in names))
            return answer(b'{"count":%d}' % count)

        return handle

    def routes(self) -> list[Route]:
        routes = [Route("/oauth/token", self._issue, methods=["POST"])]
        for name in self.shapes:
            routes.append(Route(f"/v2/{name}", self._list(name)))
            routes.append(Route(f"/v2/{name}/count", self._count(name)))
        return routes
