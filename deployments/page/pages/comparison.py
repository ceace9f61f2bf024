"""比较: two editions of a report beside each other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.desk import NotThere, desk_of, is_fragment, said, shown
from deployments.page.pages.edition import download
from tasks.desk import pinned
from tasks.desk.comparison import MOST, compared, differences_csv, others_of
from tasks.desk.kept import one_look
from tasks.editions.store import EditionRow, NoEdition
from warehouse.errors import NianbaoError
from warehouse.lake import Lake

WHICH = "请在“版次”中选前、后两个版次来比较"


async def compare_page(request: Request) -> Response:
    """What differs between `before` and `after`. Which records make it differ is looked for where
    `records` is given, which the page asks for by itself once it is shown."""
    lake = desk_of(request).settings.lake()
    given = request.query_params
    before, after = given.get("before", ""), given.get("after", "")
    with_records = bool(given.get("records"))
    template = "compared.html.j2" if is_fragment(request) else "compare.html.j2"

    def make() -> Mapping[str, Any]:
        with one_look(lake):
            was, is_ = _both(lake, before, after)
            others = others_of(lake, is_)
        found = compared(lake, was, is_, with_records=with_records)
        return {"found": found, "others": others, "most": MOST}

    return await shown(request, template, make, at="editions")


def _both(lake: Lake, before: str, after: str) -> tuple[EditionRow, EditionRow]:
    """Raises NotThere, NoEdition."""
    if not (before and after):
        raise NotThere(WHICH)
    return pinned.row_of(lake, before), pinned.row_of(lake, after)


async def compare_file(request: Request) -> Response:
    """Every difference as CSV."""
    lake = desk_of(request).settings.lake()
    before = request.query_params.get("before", "")
    after = request.query_params.get("after", "")
    try:
        content = await asyncio.to_thread(
            lambda: differences_csv(lake, *_both(lake, before, after))
        )
    except (NotThere, NoEdition) as error:
        return said(request, str(error), status=404, at="editions")
    except NianbaoError as error:
        return said(request, str(error), status=422, at="editions")
    return download(content, f"{before} {after}.csv", "text/csv; charset=utf-8")


ROUTES: list[BaseRoute] = [
    Route("/compare", compare_page, methods=["GET"]),
    Route("/compare.csv", compare_file, methods=["GET"]),
]
