"""The disclosure ledger: HTTP Basic, Link headers, and a folder of workbooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.demo_city.service.moments import iso
from deployments.demo_city.service.store import as_json
from deployments.demo_city.service.vendor import (
    Service,
    Shape,
    answer,
    day_bounds,
    moment,
    read_time,
    whole,
)

_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_RESOURCES = (
    ("applications", "receivedDate"),
    ("reviews", "acceptedDate"),
    ("documents", "issuedDate"),
    ("items", "validFrom"),
    ("actions", "decidedDate"),
    ("fees", "chargedDate"),
    ("procurements", "signedDate"),
    ("gazette", "publishedDate"),
    ("filed-cells", "year"),
)


class LedgerService(Service):
    name = "ledger"
    title = "政府信息公开台账"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.user = f"nianbao-{secrets.token_hex(4)}"
        self.password = secrets.token_urlsafe(24)
        self._read_listing()

    def _read_listing(self) -> None:
        listing = msgspec.json.decode((self.folder / "workbooks" / "listing.json").read_bytes())
        self._files: dict[str, dict[str, Any]] = {entry["name"]: entry for entry in listing}
        self._put_files: dict[str, bytes] = {}

    def reset(self) -> None:
        super().reset()
        self._read_listing()

    def make_shapes(self) -> list[Shape]:
        return [
            Shape(name, ("id",), day, "updatedAt", iso, ("status", "withdrawn"), "withdrawnAt")
            for name, day in _RESOURCES
        ]

    def environment(self, url: str) -> dict[str, str]:
        return {
            "NIANBAO_LEDGER_URL": url,
            "NIANBAO_LEDGER_USER": self.user,
            "NIANBAO_LEDGER_PASSWORD": self.password,
        }

    def refuse(self, message: str) -> Response:
        return answer(as_json({"message": message}), 400)

    def _turned_away(self, request: Request) -> Response | None:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        given = b""
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(text)
            except binascii.Error:
                given = b""
        if secrets.compare_digest(given, f"{self.user}:{self.password}".encode()):
            return None
        headers = {"WWW-Authenticate": 'Basic realm="ledger"'}
        return answer(as_json({"message": "用户名或口令不对"}), 401, headers)

    def _list(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            refusal = self._turned_away(request)
            if refusal:
                return refusal
            number = whole(request, "page", 1, 1, 10_000_000)
            size = whole(request, "per_page", 100, 1, 1000)
            store = self.stores[name]
            since, until = moment(request, "updated_since"), moment(request, "updated_until")
            first, last = store.span(since, until)
            begin = min(last, first + (number - 1) * size)
            page = store.page(begin, min(last, begin + size))
            pages = max(1, -(-(last - first) // size))
            headers = {
                "Link": _links(request, number, pages),
                "X-Total-Count": str(last - first),
            }
            return answer(b'{"data":{"items":[' + page + b"]}}", 200, headers)

        return handle

    def _count(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            refusal = self._turned_away(request)
            if refusal:
                return refusal
            count = self.stores[name].count(
                moment(request, "updated_since"),
                moment(request, "updated_until"),
                *day_bounds(request, "from", "to"),
            )
            return answer(b'{"count":%d}' % count)

        return handle

    async def _listing(self, request: Request) -> Response:
        refusal = self._turned_away(request)
        if refusal:
            return refusal
        since = moment(request, "updated_since")
        files = [
            f for f in self._files.values() if since is None or read_time(f["modified"]) >= since
        ]
        return answer(as_json({"files": files}))

    async def _file(self, request: Request) -> Response:
        refusal = self._turned_away(request)
        if refusal:
            return refusal
        name = request.path_params["name"]
        if name not in self._files:
            return answer(as_json({"message": f"没有文件 {name}"}), 404)
        content = self._put_files.get(name)
        if content is None:
            content = (self.folder / "workbooks" / name).read_bytes()
        return Response(content, media_type=_WORKBOOK)

    async def _put_file(self, request: Request) -> Response:
        name, content = request.path_params["name"], await request.body()
        unit, month = request.query_params.get("unitCode"), request.query_params.get("month")
        old = self._files.get(name, {"unitCode": unit, "month": month})
        self._files[name] = {
            "name": name,
            "unitCode": unit or old["unitCode"],
            "month": month or old["month"],
            "size": len(content),
            "modified": request.query_params.get("modified") or "2022-02-01T09:00:00",
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        self._put_files[name] = content
        return answer(as_json(self._files[name]))

    def routes(self) -> list[Route]:
        routes = [
            Route("/_control/files/{name}", self._put_file, methods=["PUT"]),
            Route("/workbooks/", self._listing),
            Route("/workbooks/{name}", self._file),
        ]
        for name in self.shapes:
            routes.append(Route(f"/{name}", self._list(name)))
            routes.append(Route(f"/{name}/count", self._count(name)))
        return routes


def _links(request: Request, number: int, pages: int) -> str:
    """The Link header: first, prev, next and last, with the request's own parameters."""
    kept = [(n, v) for n, v in request.query_params.multi_items() if n != "page"]
    base = str(request.url.replace(query="", fragment=""))

    def link(page: int, relation: str) -> str:
        return f'<{base}?{urlencode([*kept, ("page", page)])}>; rel="{relation}"'

    links = [link(1, "first"), link(pages, "last")]
    if number > 1:
        links.append(link(min(number - 1, pages), "prev"))
    if number < pages:
        links.insert(0, link(number + 1, "next"))
    return ", ".join(links)
