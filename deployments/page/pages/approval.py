"""Approving an edition: the one place where a one-time code is entered.

The code is judged as of the moment the form arrived, before the lake is asked for anything. What
runs afterwards is told the approval's number and nothing else.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.acting import filled, may_approve
from deployments.page.desk import (
    STALE_FORM,
    Desk,
    Forged,
    NotThere,
    client_of,
    desk_of,
    entered,
    page,
    shown,
    to,
    visitor_of,
)
from tasks.clock import now
from tasks.desk.approving import (
    answers_hash,
    before_it,
    conditions,
    headline,
    questions,
    ticked,
)
from tasks.desk.carried import carried
from tasks.desk.edition import files_of
from tasks.desk.matters import matters_of
from tasks.desk.pinned import without_figures
from tasks.desk.publication import given_for, grouped
from tasks.people.persons import APPROVES, Person
from tasks.publish.approvals import Request as Entry
from tasks.publish.approvals import approve
from tasks.publish.approve import approvers
from tasks.publish.conditions import pending_edition, waiting_editions
from tasks.render.findings import rule_title
from tasks.settings import Settings
from warehouse.errors import NianbaoError
from warehouse.lake import NoLake

ANSWER, TICK = "answer.", "seen."
"""How the fields of the form begin in which a rule is answered, and an answer ticked."""
_RUN = re.compile(r"[0-9a-f-]{36}")


async def waiting_page(request: Request) -> Response:
    """The editions that wait to be approved."""
    desk = desk_of(request)
    try:
        waiting = await asyncio.to_thread(waiting_editions, desk.settings.lake())
        said = ""
    except NoLake:
        waiting, said = [], "还没有数据。请先在运行台运行 nightly 取数"
    except NianbaoError as error:
        waiting, said = [], str(error)
    return page(request, "waiting.html.j2", waiting=waiting, said=said)


async def approve_page(request: Request) -> Response:
    """The form for one edition."""
    return await _form(request, {}, "")


async def send_approval(request: Request) -> Response:
    """Judge the code, approve, and begin the run that publishes."""
    entered_at = now()
    desk, visitor = desk_of(request), visitor_of(request)
    try:
        told = await entered(request)
    except Forged:
        return await _form(request, {}, STALE_FORM, 403)
    if visitor.person is not None and visitor.person.role != APPROVES:
        return await _form(request, told, f"您没有批准的权限({visitor.person.role})", 403)
    entry = Entry(
        edition_id=request.path_params["edition"],
        approver=visitor.person.name if visitor.person else told.get("approver", ""),
        statement=told.get("statement", ""),
        code=told.get("code", ""),
        answers={
            key.removeprefix(ANSWER): reason
            for key, reason in told.items()
            if key.startswith(ANSWER)
        },
        stale_reason=told.get("stale_reason", ""),
    )
    by = visitor.person.name if visitor.person else client_of(request)
    try:
        given = await asyncio.to_thread(
            approve,
            desk.settings.lake(),
            desk.settings,
            entry,
            by=by,
            carried=lambda edition: ticked(
                desk.settings.lake(), desk.settings, edition, _ticks(told).values()
            ),
            now=entered_at,
        )
    except NianbaoError as error:
        return await _form(request, told, str(error), 422)
    run = await desk.inside.publish(given.number)
    return to(request, f"/desk/approval/{given.number}{'?run=' if run else ''}{run}")


async def given_page(request: Request) -> Response:
    """An approval that was given, the run that publishes it, and what to do once it has."""
    desk = desk_of(request)
    run = request.query_params.get("run", "")
    run = run if _RUN.fullmatch(run) else ""
    number = str(request.path_params["number"])
    return await shown(
        request, "given.html.j2", lambda: _given(desk, number), run=run, at="editions"
    )


def _given(desk: Desk, number: str) -> Mapping[str, Any]:
    lake = desk.settings.lake()
    found = given_for(lake, desk.settings, number)
    if found is None:
        raise NotThere(f"没有编号为“{number[:20]}”的批准。可以从“版次”中打开")
    row, edition = found.row, None
    # The number is told even where the lake cannot be asked: it is needed to publish.
    with suppress(NianbaoError):
        edition = without_figures(lake, row) if row else None
    checkpoint = found.checkpoint
    return {
        "found": found,
        "title": edition.report_name if edition else "",
        "report": edition.form.short_title if edition else "",
        "titles": {code: rule_title(edition, code) for code in found.approval.answers}
        if edition
        else {},
        "is_superseded": bool(row and not row.is_published and row.approved_at),
        "files": files_of(desk.settings, found.approval.edition_id),
        "groups": grouped(checkpoint) if checkpoint else [],
    }


async def _form(
    request: Request, told: Mapping[str, str], said: str, status: int = 200
) -> Response:
    """The form, with what was filled in, but for the code."""
    desk = desk_of(request)
    person = visitor_of(request).person
    edition_id = request.path_params["edition"]

    def made() -> Mapping[str, Any]:
        lake, settings = desk.settings.lake(), desk.settings
        matters = matters_of(lake, settings, edition_id)
        if not matters.row.is_pending:
            # It says why not, and what there is instead.
            pending_edition(lake, edition_id)
        edition = matters.edition
        return {
            "matters": matters,
            "edition": edition,
            "lines": headline(lake, matters.row, edition.root.id),
            "carried": carried(matters),
            "questions": questions(matters),
            "conditions": conditions(lake, settings, matters, person.name if person else ""),
            "findings_hash": matters.row.findings_hash,
            "answers_hash": answers_hash(matters),
            "before": before_it(lake),
            "is_builder": _is_builder(settings, matters.row.built_by, person),
            "names": approvers(settings).names,
        }

    try:
        values = await asyncio.to_thread(made)
    except NianbaoError as error:
        return page(request, "waiting.html.j2", 404, waiting=[], said=said or str(error))
    return page(
        request,
        "approve.html.j2",
        status,
        **values,
        told=filled({"statement": "同意发布", **told}),
        ticks=_ticks(told),
        ANSWER=ANSWER,
        TICK=TICK,
        said=said,
        may=may_approve(request),
        at="editions",
    )


def _ticks(told: Mapping[str, str]) -> dict[str, str]:
    """The answers that were ticked, as they were shown, by their place in the page."""
    return {key: mark for key, mark in told.items() if key.startswith(TICK)}


def _is_builder(settings: Settings, built_by: str, person: Person | None) -> bool:
    return settings.two_persons and person is not None and person.name == built_by


ROUTES: list[BaseRoute] = [
    Route("/waiting", waiting_page, methods=["GET"]),
    Route("/approve/{edition}", approve_page, methods=["GET"]),
    Route("/approve/{edition}", send_approval, methods=["POST"]),
    Route("/approval/{number:int}", given_page, methods=["GET"]),
]
