"""验真: whether a published edition still is what was signed. It changes nothing but the log."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.desk import (
    STALE_FORM,
    Forged,
    client_of,
    desk_of,
    entered,
    page,
    said,
    shown,
    visitor_of,
)
from tasks.clock import now
from tasks.desk import pinned
from tasks.desk.publication import KIND_LABELS, verify_edition
from tasks.editions.store import NoEdition
from warehouse.errors import NianbaoError

LONGEST = 200
"""Of a checkpoint that is entered."""


async def verify_page(request: Request) -> Response:
    """The form: to verify, and to hold against a checkpoint that was kept outside."""
    lake = desk_of(request).settings.lake()
    id_ = request.path_params["edition"]

    def make() -> dict[str, Any]:
        return {"row": pinned.row_of(lake, id_), "verified": None, "told_wrong": "", "kept": ""}

    return await shown(request, "verify.html.j2", make, labels=KIND_LABELS, at="editions")


async def send_verify(request: Request) -> Response:
    """Verify now, and show what differs. Whoever may read may ask for it."""
    desk, id_ = desk_of(request), request.path_params["edition"]
    lake = desk.settings.lake()
    try:
        row = await asyncio.to_thread(pinned.row_of, lake, id_)
    except NoEdition as error:
        return said(request, str(error), status=404, at="editions")
    except NianbaoError as error:
        return said(request, str(error), status=422, at="editions")
    given: dict[str, Any] = {"row": row, "labels": KIND_LABELS, "at": "editions", "kept": ""}
    try:
        told = await entered(request)
    except Forged:
        return page(request, "verify.html.j2", 403, **given, verified=None, told_wrong=STALE_FORM)
    given["kept"] = told.get("checkpoint", "").strip()[:LONGEST]
    person = visitor_of(request).person
    by = person.name if person else client_of(request)
    try:
        verified = await asyncio.to_thread(
            verify_edition, lake, desk.settings, row, given["kept"], by=by, now=now()
        )
    except NianbaoError as error:
        return page(request, "verify.html.j2", 422, **given, verified=None, told_wrong=str(error))
    return page(request, "verify.html.j2", **given, verified=verified, told_wrong="")


ROUTES: list[BaseRoute] = [
    Route("/edition/{edition}/verify", verify_page, methods=["GET"]),
    Route("/edition/{edition}/verify", send_verify, methods=["POST"]),
]
