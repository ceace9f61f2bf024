"""The website CMS: an API key in a header, page number and page size, a total."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.demo_city.service.moments import spaced
from deployments.demo_city.service.store import as_json
from deployments.demo_city.service.vendor import (
    Service,
    Shape,
    answer,
    day_bounds,
    moment,
    whole,
)

_RESOURCES = (
    ("lanmu", "lanmuId", "gxSj"),
    ("wenzhang", "wzId", "fbSj"),
    ("hudong", "hdId", "slRq"),
    ("fangwenliang", "jlId", "tjRq"),
)


class CmsService(Service):
    name = "cms"
    title = "政府网站内容管理系统"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.key = secrets.token_urlsafe(24)

    def make_shapes(self) -> list[Shape]:
        return [
            Shape(name, (key,), business, "gxSj", spaced, ("zhuangtai", "chexiao"), "chexiaoSj")
            for name, key, business in _RESOURCES
        ]

    def environment(self, url: str) -> dict[str, str]:
        return {"NIANBAO_CMS_URL": url, "NIANBAO_CMS_KEY": self.key}

    def refuse(self, message: str) -> Response:
        return self._failed(40001, message, 400)

    @staticmethod
    def _failed(code: int, message: str, status: int) -> Response:
        return answer(as_json({"code": code, "msg": message, "data": None}), status)

    def _is_known(self, request: Request) -> bool:
        return secrets.compare_digest(request.headers.get("x-api-key", ""), self.key)

    def _list(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            if not self._is_known(request):
                return self._failed(40101, "无效的接口密钥", 401)
            number = whole(request, "pageNo", 1, 1, 10_000_000)
            size = whole(request, "pageSize", 20, 1, 1000)
            store = self.stores[name]
            first, last = store.span(moment(request, "gxSjStart"), moment(request, "gxSjEnd"))
            begin = min(last, first + (number - 1) * size)
            page = store.page(begin, min(last, begin + size))
            head = (
                b'{"code":0,"msg":"success","data":{"total":%d,"pageNo":%d,"pageSize":%d,"list":['
            )
            return answer(head % (last - first, number, size) + page + b"]}}")

        return handle

    def _count(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            if not self._is_known(request):
                return self._failed(40101, "无效的接口密钥", 401)
            count = self.stores[name].count(
                moment(request, "gxSjStart"),
                moment(request, "gxSjEnd"),
                *day_bounds(request, "rqStart", "rqEnd"),
            )
            return answer(b'{"code":0,"msg":"success","data":{"zongshu":%d}}' % count)

        return handle

    def routes(self) -> list[Route]:
        return [
            route
            for name in self.shapes
            for route in (
                Route(f"/api/{name}", self._list(name)),
                Route(f"/api/{name}/tongji", self._count(name)),
            )
        ]
