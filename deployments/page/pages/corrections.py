"""更正: entered by one person, checked by another, kept in the lake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.acting import Actor, actor_of, filled, not_allowed
from deployments.page.desk import (
    STALE_FORM,
    Desk,
    Forged,
    desk_of,
    entered,
    is_fragment,
    may_work,
    no_such_page,
    page,
    shown,
    to,
    visitor_of,
)
from tasks.city.corrections import (
    WHOLE,
    CorrectionRefused,
    Draft,
    Entry,
    enter,
    entry_of,
    review,
    send_back,
    withdraw,
)
from tasks.clock import now
from tasks.desk.correcting import (
    Job,
    Listed,
    Previews,
    corrections_of,
    edition_for,
    found_by,
    full_name,
    reviewers,
)
from tasks.people import log
from warehouse.errors import NianbaoError
from warehouse.lake import Lake

AT = "editions"
NONE = "-"
"""What a form says where a value is empty; no code is written so."""
ACTS: Mapping[str, str] = {"review": "复核更正", "return": "退回更正", "withdraw": "撤下更正"}


@cache
def previews() -> Previews:
    """One for the process: what was computed serves everybody."""
    return Previews()


async def corrections_page(request: Request) -> Response:
    """Every correction, those that wait first."""
    lake = desk_of(request).settings.lake()
    return await shown(
        request,
        "corrections.html.j2",
        lambda: {"listed": corrections_of(lake)},
        at=AT,
        may=may_work(request),
    )


async def new_page(request: Request) -> Response:
    """The form: a record, then one of its values, then what it should say."""
    return await _form(request, dict(request.query_params))


async def send_new(request: Request) -> Response:
    """Keep a correction that waits for a second person."""
    if (refusal := not_allowed(request, "登记更正", AT)) is not None:
        return refusal
    try:
        told = await entered(request)
    except Forged:
        return await _form(request, dict(request.query_params), STALE_FORM, 403)
    desk, actor = desk_of(request), actor_of(request, told)

    def done() -> int:
        if not actor.is_signed_in and not told.get("who", "").strip():
            raise CorrectionRefused("请填写登记人的姓名")
        number = enter(
            desk.settings.lake(),
            _draft(told),
            by=actor.name,
            is_signed_in=actor.is_signed_in,
            now=now(),
        )
        _log(desk, actor, "登记更正", number)
        return number

    try:
        number = await asyncio.to_thread(done)
    except NianbaoError as error:
        return await _form(request, told, str(error), 422)
    return to(request, f"/desk/correction/{number}")


async def send_preview(request: Request) -> Response:
    """Begin to compute what a draft would change; the form stays as it was filled in."""
    if (refusal := not_allowed(request, "登记更正", AT)) is not None:
        return refusal
    try:
        told = await entered(request)
    except Forged:
        return await _form(request, {}, STALE_FORM, 403)
    lake = desk_of(request).settings.lake()
    try:
        job = await asyncio.to_thread(_begin, lake, _draft(told), told.get("edition", ""))
    except NianbaoError as error:
        return await _form(request, told, str(error), 422)
    if is_fragment(request):
        return page(request, "effect.html.j2", job=job)
    return await _form(request, told, job=job)


async def preview_part(request: Request) -> Response:
    """How far a computation is, or what came of it."""
    return page(request, "effect.html.j2", job=previews().find(request.path_params["key"]))


async def correction_page(request: Request) -> Response:
    """One correction, with what may be done about it."""
    return await _correction(request)


async def send_correction_preview(request: Request) -> Response:
    """Begin to compute what a correction that was entered would change."""
    if (refusal := not_allowed(request, "处理更正", AT)) is not None:
        return refusal
    try:
        await entered(request)
    except Forged:
        return await _correction(request, said=STALE_FORM, status=403)
    lake = desk_of(request).settings.lake()

    def begun() -> Job:
        return _begin(lake, entry_of(lake, request.path_params["number"]).draft, "")

    try:
        job = await asyncio.to_thread(begun)
    except NianbaoError as error:
        return await _correction(request, said=str(error), status=422)
    if is_fragment(request):
        return page(request, "effect.html.j2", job=job)
    return await _correction(request, job=job)


async def send_act(request: Request) -> Response:
    """A second person's word on a correction, or taking it down."""
    act = request.path_params["act"]
    if act not in ACTS:
        return await no_such_page(request)
    if (refusal := not_allowed(request, ACTS[act], AT)) is not None:
        return refusal
    try:
        told = await entered(request)
    except Forged:
        return await _correction(request, said=STALE_FORM, status=403)
    desk, actor = desk_of(request), actor_of(request, told)

    def done() -> None:
        if not actor.is_signed_in and not told.get("who", "").strip():
            raise CorrectionRefused("请填写您的姓名")
        _act(act)(
            desk.settings.lake(),
            request.path_params["number"],
            actor,
            told.get("remark", ""),
        )
        _log(desk, actor, ACTS[act], request.path_params["number"])

    try:
        await asyncio.to_thread(done)
    except NianbaoError as error:
        return await _correction(request, told, str(error), 422)
    return to(request, f"/desk/correction/{request.path_params['number']}")


def _act(act: str) -> Callable[[Lake, int, Actor, str], Entry]:
    if act == "review":
        return lambda lake, number, actor, _: review(
            lake, number, by=actor.name, is_signed_in=actor.is_signed_in, now=now()
        )
    deed = send_back if act == "return" else withdraw
    return lambda lake, number, actor, remark: deed(
        lake, number, by=actor.name, is_signed_in=actor.is_signed_in, remark=remark, now=now()
    )


def _log(desk: Desk, actor: Actor, act: str, number: int) -> None:
    with desk.door.office.change() as connection:
        log.write(connection, actor.name, act, f"更正第 {number} 号", now=now())


def _begin(lake: Lake, draft: Draft, edition: str) -> Job:
    """Begin a computation. Raises CorrectionRefused where there is no edition to compute."""
    row = edition_for(lake, draft, edition)
    if row is None:
        raise CorrectionRefused("还没有版次,编制以后才看得到更正改了哪些数")
    return previews().begin(lake, row, draft)


def _draft(told: Mapping[str, str]) -> Draft:
    """What the form says. Raises CorrectionRefused where it says nothing of a column."""
    column = told.get("column", "")
    if not column:
        raise CorrectionRefused("请先选择更正哪一项")
    return Draft(
        full_name(told.get("table", "")),
        told.get("source", ""),
        told.get("record", ""),
        column,
        _value(told.get("expect", NONE)),
        _value(told.get("value", NONE)),
        told.get("reason", ""),
        told.get("reported_by", ""),
        told.get("ground", ""),
        told.get("reviewer", ""),
    )


def _value(text: str) -> str | None:
    return None if text.strip() in ("", NONE) else text.strip()


async def _form(
    request: Request,
    told: Mapping[str, str],
    said: str = "",
    status: int = 200,
    job: Job | None = None,
) -> Response:
    desk = desk_of(request)
    lake = desk.settings.lake()
    person = visitor_of(request).person

    def made() -> Mapping[str, Any]:
        wanted = told.get("record", "").strip()[:200]
        found = found_by(lake, wanted, told.get("table", ""), told.get("source", ""))
        one = found[0] if len(found) == 1 else None
        column = one.column(told.get("column", "")) if one else None
        before: list[Listed] = []
        if one is not None:
            here = (one.record.table, one.record.source_system, one.record.record_id)
            before = [c for c in corrections_of(lake) if c.draft.place[:3] == here]
        return {
            "found": found,
            "one": one,
            "column": column,
            "is_whole": one is not None and told.get("column") == WHOLE,
            "before": before,
            "reviewers": reviewers(desk.settings, person.name if person else ""),
        }

    return await shown(
        request,
        "correction_new.html.j2",
        made,
        status=status,
        at=AT,
        said=said,
        told=filled(told),
        may=may_work(request),
        job=job,
        NONE=NONE,
    )


async def _correction(
    request: Request,
    told: Mapping[str, str] | None = None,
    said: str = "",
    status: int = 200,
    job: Job | None = None,
) -> Response:
    desk = desk_of(request)
    lake = desk.settings.lake()
    number = request.path_params["number"]
    person = visitor_of(request).person

    def made() -> Mapping[str, Any]:
        entry = entry_of(lake, number)
        d = entry.draft
        listed = [c for c in corrections_of(lake) if c.number == number]
        found = found_by(lake, d.record_id, d.table, d.source_system)
        return {
            "entry": entry,
            "listed": listed[0] if listed else Listed(d, entry, None),
            "one": found[0] if found else None,
            "is_own": person is not None and person.name == entry.entered_by,
            "reviewers": reviewers(desk.settings, entry.entered_by),
        }

    return await shown(
        request,
        "correction.html.j2",
        made,
        status=status,
        at=AT,
        said=said,
        told=filled(told),
        may=may_work(request),
        job=job,
    )


ROUTES: list[BaseRoute] = [
    Route("/corrections", corrections_page, methods=["GET"]),
    Route("/correction/new", new_page, methods=["GET"]),
    Route("/correction/new", send_new, methods=["POST"]),
    Route("/correction/preview", send_preview, methods=["POST"]),
    Route("/correction/preview/{key}", preview_part, methods=["GET"]),
    Route("/correction/{number:int}", correction_page, methods=["GET"]),
    Route("/correction/{number:int}/preview", send_correction_preview, methods=["POST"]),
    Route("/correction/{number:int}/{act}", send_act, methods=["POST"]),
]
