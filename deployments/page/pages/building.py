"""编制 and 编制中: the form that starts a build, and the page of a run that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.acting import actor_of, filled, not_allowed
from deployments.page.desk import (
    STALE_FORM,
    Forged,
    desk_of,
    entered_all,
    is_fragment,
    may_work,
    no_such_page,
    page,
    said,
    shown,
    to,
    visitor_of,
)
from tasks.city.names import form_choices, organ_choices
from tasks.clock import now
from tasks.desk.building import RUN_ID, Since, changes_since, run_shown, years_to_build
from tasks.editions.store import find_row
from tasks.people import log
from warehouse.form import ANNUAL_REPORT, form_of
from warehouse.lake import NoLake
from warehouse.period import NoPeriod, Period

AT = "editions"
DEPLOYMENT = "year-end"


async def build_page(request: Request) -> Response:
    """The form, with what changed since the last build beside it."""
    return await _form(request, dict(request.query_params), request.query_params.getlist("organs"))


async def send_build(request: Request) -> Response:
    """Begin the run, with the person who is signed in as its builder."""
    if (refusal := not_allowed(request, "编制", AT)) is not None:
        return refusal
    try:
        fields = await entered_all(request)
    except Forged:
        return await _form(request, {}, [], STALE_FORM, 403)
    told = {name: values[-1] for name, values in fields.items()}
    organs = [organ for organ in fields.get("organs", []) if organ]
    desk, person = desk_of(request), visitor_of(request).person
    year = told.get("year", "")
    parameters: dict[str, Any] = {
        "form": told.get("form", "") or ANNUAL_REPORT,
        # A year that is no number is answered by the run, in words; it never gets there.
        "year": int(year) if year.isascii() and year.isdigit() and len(year) == len("2020") else 0,
        "span": told.get("span", "").strip(),
        "organs": organs,
        "as_of": told.get("as_of", "").strip(),
        "pull_first": told.get("pull_first") == "on",
        "reason": told.get("reason", "").strip(),
        "built_by": person.name if person else told.get("built_by", "").strip(),
        "sets": told.get("sets") == "on",
    }
    run = await desk.inside.start(DEPLOYMENT, parameters)
    if not run:
        why = "没有开始:运行台没有应答。请过一会儿再试;仍不行的,请管理员看服务器上 nianbao serve 是否在运行"
        return await _form(request, told, organs, why, 503)
    await asyncio.to_thread(_log, request, told, "开始编制", f"{parameters['year']} {run}")
    return to(request, f"/desk/building/{run}")


async def building_page(request: Request) -> Response:
    """How far a run is; how it ended, and what to do then."""
    return await _building(request)


async def send_stop(request: Request) -> Response:
    """Stop a run."""
    if (refusal := not_allowed(request, "停止运行", AT)) is not None:
        return refusal
    try:
        fields = await entered_all(request)
    except Forged:
        return await _building(request, STALE_FORM, 403)
    told = {name: values[-1] for name, values in fields.items()}
    run_id = request.path_params["run"]
    if not RUN_ID.fullmatch(run_id):
        return await no_such_page(request)
    desk = desk_of(request)
    if not await desk.inside.stop(run_id):
        return await _building(request, "没有停下:运行已经结束,或运行台没有应答", 409)
    await asyncio.to_thread(_log, request, told, "停止运行", run_id)
    return to(request, f"/desk/building/{run_id}")


def _log(request: Request, told: Mapping[str, str], act: str, about: str) -> None:
    name = actor_of(request, told, "built_by").name
    with desk_of(request).door.office.change() as connection:
        log.write(connection, name, act, about, now=now())


async def _building(request: Request, refused: str = "", status: int = 200) -> Response:
    run_id, desk = request.path_params["run"], desk_of(request)
    run = await desk.inside.run(run_id) if RUN_ID.fullmatch(run_id) else None
    if run is None:
        told = "没有这次运行,或运行台没有应答。可以从版次看编好的版次"
        return said(request, told, status=404, at=AT)
    made = run_shown(run, await desk.inside.said(run_id), now())
    template = "building_part.html.j2" if is_fragment(request) else "building.html.j2"
    return page(request, template, status, run=made, said=refused, at=AT, may=may_work(request))


async def _form(
    request: Request,
    told: Mapping[str, str],
    organs: list[str],
    refused: str = "",
    status: int = 200,
) -> Response:
    desk = desk_of(request)

    def made() -> Mapping[str, Any]:
        settings = desk.settings
        lake, city = settings.lake(), settings.city
        key, year, span = (told.get(name, "") for name in ("form", "year", "span"))
        if told.get("edition"):
            with lake.read() as connection:
                row = find_row(connection, told["edition"])
            if row is not None:
                key, year, span = row.form, str(row.report_year), row.span
        titles = form_choices(city)
        known = {**{k: k for k in titles.values()}, **titles}
        form = form_of(known.get(key, ANNUAL_REPORT), city)
        years = years_to_build(form, now())
        chosen = int(year) if year.isdigit() and int(year) in years else years[0]
        period = _period(span, chosen)
        try:
            since, has_data = changes_since(lake, form, period), True
        except NoLake:
            since, has_data = Since(None), False
        return {
            "form": form,
            "forms": {k: title for title, k in titles.items()},
            "years": years,
            "year": chosen,
            "span": span,
            "period": period,
            "this_year": now().year,
            "since": since,
            "has_data": has_data,
            "organ_names": list(organ_choices(city)),
            "two_persons": settings.two_persons,
        }

    return await shown(
        request,
        "build.html.j2",
        made,
        status=status,
        at=AT,
        said=refused,
        told=filled(told),
        organs=organs,
        may=may_work(request),
    )


def _period(span: str, year: int) -> Period:
    """The span that is to be built, as far as it can be read; what cannot, the run answers."""
    try:
        return Period.parse(span) if span.strip() else Period.of_year(year)
    except NoPeriod:
        return Period.of_year(year)


ROUTES: list[BaseRoute] = [
    Route("/build", build_page, methods=["GET"]),
    Route("/build", send_build, methods=["POST"]),
    Route("/building/{run}", building_page, methods=["GET"]),
    Route("/building/{run}/stop", send_stop, methods=["POST"]),
]
