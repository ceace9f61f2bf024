"""一个版次, 一个数, 总体与上年: an edition as it prints, with every figure open to question."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.desk import Desk, base_path, desk_of, is_fragment, said, shown
from tasks.clock import now
from tasks.desk import pinned
from tasks.desk.edition import (
    PrintedForm,
    files_of,
    history,
    lines_of,
    organ_choices,
    printed_form,
    scope_of,
)
from tasks.desk.figure import FIRST, PAGE, in_every_edition, open_figure, records_csv
from tasks.desk.frame import frame_of
from tasks.desk.kept import one_look
from tasks.desk.publication import NotPublished, zipped
from tasks.editions.edition import Edition, Scope
from tasks.editions.explain import NoSuchCell
from tasks.editions.figures import largest_movers
from tasks.editions.store import NoEdition
from tasks.render.words import notice
from warehouse.errors import NianbaoError

LARGEST_PAGE = 1_000_000


async def edition_page(request: Request) -> Response:
    """The form of one organ; with `figure` that figure opened beside it. As a fragment the column
    beside the form only."""
    template = "edition_side.html.j2" if is_fragment(request) else "edition.html.j2"
    desk = desk_of(request)
    id_ = request.path_params["edition"]
    given = request.query_params
    organ, scope = given.get("organ") or None, scope_of(given.get("scope", ""))
    key = given.get("figure", "")
    is_whole = not is_fragment(request)

    def make() -> Mapping[str, Any]:
        with one_look(desk.settings.lake()):
            return _edition(desk, id_, organ, scope, key, is_whole=is_whole)

    return await shown(request, template, make, part="form", at="editions")


def _edition(
    desk: Desk, id_: str, organ: str | None, scope: Scope, key: str, *, is_whole: bool
) -> Mapping[str, Any]:
    lake, settings = desk.settings.lake(), desk.settings
    row = pinned.row_of(lake, id_)
    form = printed_form(lake, row, organ, scope)
    figure = None
    if key:
        figure = open_figure(lake, row, key, organ_id=form.organ_id, scope=scope, limit=FIRST)
    here = f"{base_path(settings)}/desk/edition/{quote(id_)}"
    query = _query(form)
    told = {
        "edition_id": id_,
        "form": form,
        "figure": figure,
        "open": key,
        "query": query,
        "closed": f"{here}{query}",
        "opens": f"{here}{query}{'&' if query else '?'}",
    }
    if not is_whole:
        return told
    frame = frame_of(lake, settings, row, now().date())
    return {
        **told,
        "frame": frame,
        "notice": notice(form.edition),
        "files": files_of(settings, id_),
        "history": history(settings, frame),
    }


def _query(form: PrintedForm) -> str:
    """How an address names an organ and its scope; nothing for the root with all below it."""
    return _named(form.organ_id if not form.is_root or form.scope == "own" else "", form.scope)


def _named(organ: str | None, scope: Scope) -> str:
    given = {"organ": organ} if organ else {}
    given |= {"scope": "own"} if scope == "own" else {}
    return f"?{urlencode(given)}" if given else ""


async def figure_page(request: Request) -> Response:
    """A figure with its definition, checks, organs, records page by page, and every edition's."""
    desk = desk_of(request)
    id_, key = request.path_params["edition"], request.path_params["key"]
    organ = request.query_params.get("organ") or None
    scope = scope_of(request.query_params.get("scope", ""))
    text = request.query_params.get("page", "1")
    page = min(int(text), LARGEST_PAGE) if text.isascii() and text.isdigit() else 1
    page = max(page, 1)

    def make() -> Mapping[str, Any]:
        lake, offset = desk.settings.lake(), (page - 1) * PAGE
        with one_look(lake):
            row = pinned.row_of(lake, id_)
            figure = open_figure(
                lake, row, key, organ_id=organ, scope=scope, limit=PAGE, offset=offset
            )
            every = in_every_edition(lake, row, figure)
        query = _named(organ, scope)
        return {
            "row": row,
            "figure": figure,
            "every": every,
            "pages": max(1, -(-figure.record_count // PAGE)),
            "page": page,
            "query": query,
            "paged": f"{query}{'&' if query else '?'}",
        }

    return await shown(request, "figure.html.j2", make, at="editions")


async def records_file(request: Request) -> Response:
    """Every record of a figure as CSV."""
    lake = desk_of(request).settings.lake()
    id_, key = request.path_params["edition"], request.path_params["key"]
    organ = request.query_params.get("organ") or None
    scope = scope_of(request.query_params.get("scope", ""))

    def make() -> bytes:
        return records_csv(lake, pinned.row_of(lake, id_), key, organ, scope)

    try:
        content = await asyncio.to_thread(make)
    except (NoEdition, NoSuchCell) as error:
        return said(request, str(error), status=404, at="editions")
    except NianbaoError as error:
        return said(request, str(error), status=422, at="editions")
    return download(content, f"{id_} {key}.csv", "text/csv; charset=utf-8")


def download(content: bytes, name: str, kind: str) -> Response:
    """A file to be kept by whoever asked."""
    told = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(
        content, media_type=kind, headers={"Content-Disposition": told, "Cache-Control": "no-store"}
    )


async def overview_page(request: Request) -> Response:
    """The figures of the narrative beside last year's, with both sides of each rate."""
    desk = desk_of(request)
    id_ = request.path_params["edition"]
    organ = request.query_params.get("organ") or None

    def make() -> Mapping[str, Any]:
        lake = desk.settings.lake()
        with one_look(lake):
            row = pinned.row_of(lake, id_)
            edition = pinned.with_organ(lake, row, organ)
            frame = frame_of(lake, desk.settings, row, now().date())
        organ_id = organ or edition.root.id
        is_root = organ_id == edition.root.id
        return {
            "edition": edition,
            "groups": _groups(edition, organ_id),
            "movers": largest_movers(edition) if is_root and edition.last_year else [],
            "is_root": is_root,
            "organ_id": organ_id,
            "organs": organ_choices(edition),
            "query": _named(None if is_root else organ_id, "rolled_up"),
            "frame": frame,
        }

    return await shown(request, "overview.html.j2", make, part="overview", at="editions")


def _groups(edition: Edition, organ_id: str) -> list[tuple[str, Any]]:
    sections = [s for s, _ in edition.form.printed(edition.layout, edition.period) if s.figures]
    found = [(s.heading, lines_of(edition, s, organ_id, "rolled_up")) for s in sections]
    return [(heading, lines) for heading, lines in found if lines]


async def files_zip(request: Request) -> Response:
    """All files of an edition in one."""
    settings = desk_of(request).settings
    id_ = request.path_params["edition"]

    def make() -> bytes:
        return zipped(settings, pinned.row_of(settings.lake(), id_).edition_id)

    try:
        content = await asyncio.to_thread(make)
    except (NoEdition, NotPublished) as error:
        return said(request, str(error), status=404, at="editions")
    except NianbaoError as error:
        return said(request, str(error), status=422, at="editions")
    return download(content, f"{id_}.zip", "application/zip")


ROUTES: list[BaseRoute] = [
    Route("/edition/{edition}", edition_page, methods=["GET"]),
    Route("/edition/{edition}/overview", overview_page, methods=["GET"]),
    Route("/edition/{edition}/files.zip", files_zip, methods=["GET"]),
    Route("/edition/{edition}/figure/{key}", figure_page, methods=["GET"]),
    Route("/edition/{edition}/figure/{key}/records.csv", records_file, methods=["GET"]),
]
