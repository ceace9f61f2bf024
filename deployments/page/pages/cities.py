"""各市: of a province, all its cities at a glance: last night, what is late, editions, days due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.desk import NotThere, desk_of, shown
from tasks.city.province import is_province
from tasks.clock import now
from tasks.editions.edition import EDITION_STATUS_LABELS
from tasks.settings import Settings, settings_of_all
from tasks.watch.cities import CityState, state_of


async def cities_page(request: Request) -> Response:
    """One line a city; those that need somebody come first."""
    desk = desk_of(request)

    def make() -> Mapping[str, Any]:
        if not is_province(desk.settings.city):
            raise NotThere("各市的情况在省的年报工作台里;这里只有本市的。可以从今天开始")
        at = now().replace(second=0, microsecond=0)
        folders = [s.city for s in settings_of_all() if not is_province(s.city)]
        found = [_state(folder, at) for folder in folders]
        return {
            "cities": sorted(found, key=lambda one: not one.needs_person),
            "labels": EDITION_STATUS_LABELS,
            "wanting": sum(one.needs_person for one in found),
            "seen_at": at,
        }

    return await shown(request, "cities.html.j2", make, at="cities")


@lru_cache(maxsize=256)
def _state(folder: Path, at: datetime) -> CityState:
    """A city at a minute: whoever looks within the same one is shown the same."""
    return state_of(Settings(city=folder), at)


ROUTES: list[BaseRoute] = [Route("/cities", cities_page, methods=["GET"])]
