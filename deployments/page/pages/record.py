"""一条记录 and 查找."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.desk import NotThere, desk_of, shown
from tasks.desk.records import NoRecord, record
from tasks.desk.search import search


async def record_page(request: Request) -> Response:
    """A record: what its source says, and where it counts."""
    desk, path = desk_of(request), request.path_params

    def make() -> dict[str, object]:
        lake, city = desk.settings.lake(), desk.settings.city
        edition = request.query_params.get("edition", "")
        try:
            return {"r": record(lake, city, path["source"], path["table"], path["id"], edition)}
        except NoRecord as error:
            raise NotThere(str(error)) from error

    return await shown(request, "record.html.j2", make, at="data")


async def search_page(request: Request) -> Response:
    """What is found of what was asked for, by kind."""
    desk = desk_of(request)
    asked = request.query_params.get("q", "")

    def make() -> dict[str, object]:
        return {"found": search(desk.settings.lake(), desk.settings.city, desk.door.office, asked)}

    return await shown(request, "search.html.j2", make, at="search")


ROUTES: list[BaseRoute] = [
    Route("/record/{source}/{table}/{id:path}", record_page, methods=["GET"]),
    Route("/search", search_page, methods=["GET"]),
]
