"""版次: every edition, found by what someone remembers of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.desk import desk_of, shown
from tasks.clock import now
from tasks.desk.editions import LONGEST_SEARCH, Editions, find_editions


async def editions_page(request: Request) -> Response:
    """The list; `q`, `year`, `form` and `published` narrow it."""
    settings = desk_of(request).settings
    given = request.query_params
    text, form = given.get("q", "").strip()[:LONGEST_SEARCH], given.get("form", "")
    named = given.get("year", "")
    year = int(named) if named.isascii() and named.isdigit() and len(named) == 4 else None
    only_published = bool(given.get("published"))
    asked = {"q": text, "year": year, "form": form, "published": only_published}

    def make() -> Mapping[str, Any]:
        found = find_editions(
            settings.lake(),
            settings,
            today=now().date(),
            asked=text,
            year=year,
            form=form,
            only_published=only_published,
        )
        return {"found": found, "sentence": _sentence(found, is_search=bool(text))}

    return await shown(request, "editions.html.j2", make, asked=asked, at="editions")


def _sentence(found: Editions, *, is_search: bool) -> str:
    """What the list comes to."""
    if not found.count:
        return "还没有版次"
    if is_search:
        return f"找到 {found.found} 个版次" if found.found else "没有找到这样的版次"
    rows = [one.row for report in found.reports for one in report.editions]
    published = sum(row.is_published for row in rows)
    waiting = sum(row.is_pending for row in rows)
    told = [f"{len(rows)} 个版次"]
    told += [f"已发布 {published} 个"] if published else ["还没有发布过"]
    told += [f"{waiting} 个等着处理"] if waiting else []
    return "，".join(told)


ROUTES: list[BaseRoute] = [Route("/editions", editions_page, methods=["GET"])]
