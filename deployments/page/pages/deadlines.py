"""期限: what is due on a day, and the letter that urges an organ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.desk import NotThere, desk_of, shown
from deployments.page.pages.data import number_of
from deployments.page.pages.office import day_of
from tasks.clock import now
from tasks.desk.city import city_of
from tasks.desk.letters import A_PAGE, channel_kind, due, letter
from warehouse.errors import EntryError


async def deadlines_page(request: Request) -> Response:
    """What is due on a day, of all organs or of one."""
    desk, query = desk_of(request), request.query_params
    on = day_of(query.get("on", "")) or now().date()
    if on > now().date():
        on = now().date()
    organ = query.get("organ", "")

    def make() -> Mapping[str, Any]:
        found = due(desk.settings.lake(), desk.settings.city, on, organ)
        pages = max(1, -(-len(found.applications) // A_PAGE))
        number = min(number_of(query), pages)
        first = (number - 1) * A_PAGE
        return {
            "found": found,
            "due_applications": found.applications[first : first + A_PAGE],
            "soon_days": found.soon_days,
            "number": number,
            "pages": pages,
            "channel_kind": channel_kind,
        }

    url = urlencode({"on": on.isoformat(), "organ": organ})
    return await shown(request, "deadlines.html.j2", make, at="today", url=url, today=now().date())


async def letter_page(request: Request) -> Response:
    """The letter to an organ, to be printed."""
    desk = desk_of(request)
    on = day_of(request.query_params.get("on", "")) or now().date()
    organ = request.path_params["organ"]

    def make() -> Mapping[str, Any]:
        city = city_of(desk.settings.city)
        lake = desk.settings.lake()
        try:
            return {"letter": letter(lake, desk.settings.city, city.name, on, organ)}
        except EntryError as error:
            raise NotThere(str(error)) from error

    return await shown(request, "letter.html.j2", make, at="today")


ROUTES: list[BaseRoute] = [
    Route("/deadlines", deadlines_page, methods=["GET"]),
    Route("/deadlines/{organ}", letter_page, methods=["GET"]),
]
