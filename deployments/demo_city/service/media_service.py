"""The new-media monitor: an HMAC-SHA256 signature on each request, offset and limit."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.demo_city.service.moments import iso_zone
from deployments.demo_city.service.store import as_json
from deployments.demo_city.service.vendor import (
    Service,
    Shape,
    answer,
    day_bounds,
    moment,
    whole,
)

SKEW_SECONDS = 300

_RESOURCES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("accounts", ("account_id",), "opened_on"),
    ("followers", ("account_id", "day"), "day"),
    ("posts", ("post_id",), "posted_at"),
    ("inspections", ("inspection_id",), "inspected_on"),
)


def canonical_query(parameters: list[tuple[str, str]]) -> str:
    """Parameters sorted and percent-encoded, as they are signed."""
    return "&".join(
        f"{quote(n, safe='-._~')}={quote(v, safe='-._~')}" for n, v in sorted(parameters)
    )


def signature(secret: str, timestamp: str, nonce: str, parameters: list[tuple[str, str]]) -> str:
    text = f"{timestamp}\n{nonce}\n{canonical_query(parameters)}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class MediaService(Service):
    name = "new_media"
    title = "政务新媒体监测平台"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.key_id = f"nianbao-{secrets.token_hex(4)}"
        self.secret = secrets.token_urlsafe(32)
        self._nonces: dict[str, float] = {}

    def reset(self) -> None:
        super().reset()
        self._nonces.clear()

    def make_shapes(self) -> list[Shape]:
        return [
            Shape(name, keys, day, "updated_at", iso_zone, ("state", "removed"), "removed_at")
            for name, keys, day in _RESOURCES
        ]

    def environment(self, url: str) -> dict[str, str]:
        return {
            "NIANBAO_MEDIA_URL": url,
            "NIANBAO_MEDIA_KEY_ID": self.key_id,
            "NIANBAO_MEDIA_SECRET": self.secret,
        }

    def refuse(self, message: str) -> Response:
        return answer(as_json({"error": "bad_parameter", "message": message}), 400)

    def _reason(self, request: Request) -> str | None:
        """Why a request is refused; None when its signature holds."""
        headers = request.headers
        if headers.get("x-app-key") != self.key_id:
            return "unknown_key"
        timestamp, nonce = headers.get("x-timestamp", ""), headers.get("x-nonce", "")
        now = time.time()
        if not timestamp.isdigit() or abs(now - int(timestamp)) > SKEW_SECONDS:
            return "timestamp_out_of_range"
        if not 8 <= len(nonce) <= 64:
            return "bad_nonce"
        if nonce in self._nonces:
            return "nonce_reused"
        expected = signature(self.secret, timestamp, nonce, request.query_params.multi_items())
        if not hmac.compare_digest(expected.encode(), headers.get("x-signature", "").encode()):
            return "bad_signature"
        if len(self._nonces) > 20_000:
            # A nonce older than the allowed skew is refused by its timestamp anyway.
            self._nonces = {n: t for n, t in self._nonces.items() if now - t <= 2 * SKEW_SECONDS}
        self._nonces[nonce] = now
        return None

    def _list(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            reason = self._reason(request)
            if reason:
                return answer(as_json({"error": reason}), 401)
            offset = whole(request, "offset", 0, 0, 100_000_000)
            limit = whole(request, "limit", 50, 1, 1000)
            store = self.stores[name]
            since, until = moment(request, "updated_since"), moment(request, "updated_until")
            first, last = store.span(since, until)
            begin = min(last, first + offset)
            page = store.page(begin, min(last, begin + limit))
            head = b'{"total":%d,"offset":%d,"limit":%d,"items":['
            return answer(head % (last - first, offset, limit) + page + b"]}")

        return handle

    def _count(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            reason = self._reason(request)
            if reason:
                return answer(as_json({"error": reason}), 401)
            count = self.stores[name].count(
                moment(request, "updated_since"),
                moment(request, "updated_until"),
                *day_bounds(request, "from", "to"),
            )
            return answer(b'{"count":%d}' % count)

        return handle

    def routes(self) -> list[Route]:
        return [
            route
            for name in self.shapes
            for route in (
                Route(f"/openapi/{name}", self._list(name)),
                Route(f"/openapi/{name}/count", self._count(name)),
            )
        ]
