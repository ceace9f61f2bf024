"""核对问题 and 转交单: the records that keep an edition from being published, and what is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.acting import actor_of, filled, may_approve, not_allowed
from deployments.page.desk import (
    STALE_FORM,
    Forged,
    desk_of,
    entered,
    may_work,
    no_such_page,
    shown,
    to,
)
from tasks.clock import now
from tasks.desk.answering import act, give_back, hand_over, send
from tasks.desk.matters import Matters, matters_of
from tasks.desk.stages import stages
from tasks.desk.transfer import letter_of, letters_of
from tasks.people import trail
from tasks.publish.approve import ApprovalRefused, approvers
from tasks.settings import Settings
from warehouse.errors import NianbaoError

AT = "editions"
ACTS = {
    "answer": trail.ANSWERED,
    "take-back": trail.TAKEN_BACK,
    "reply": trail.REPLIED,
    "urge": trail.URGED,
}
"""What a record's forms may do, by the last part of their address."""


async def findings_page(request: Request) -> Response:
    """The records, whose turn it is first."""
    return await _findings(request)


async def send_act(request: Request) -> Response:
    """An answer, an organ's reply, and so on, about one record."""
    what = ACTS.get(request.path_params["act"])
    if what is None:
        return await no_such_page(request)

    def done(settings: Settings, matters: Matters, told: Mapping[str, str], by: str) -> str:
        matter = matters.of(told.get("matter", ""))
        seen = told.get("seen", "")
        act(
            settings,
            matters,
            matter,
            what or "",
            said=told.get("said", ""),
            by=by,
            seen=int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 16 else 0,
            now=now(),
        )
        return f"#{matter.ref}"

    return await _sent(request, done, "处理核对问题")


async def send_hand_over(request: Request) -> Response:
    """Hand the edition over to be approved."""

    def done(settings: Settings, matters: Matters, told: Mapping[str, str], by: str) -> str:
        hand_over(settings, matters, by=by, now=now())
        return ""

    return await _sent(request, done, "送批准")


async def send_return(request: Request) -> Response:
    """Give the edition back to its builder: the approver's to do."""
    if not may_approve(request):
        told = "只有批准人能退回版次"
        return await _findings(request, said=told, status=403)

    def done(settings: Settings, matters: Matters, told: Mapping[str, str], by: str) -> str:
        give_back(settings, matters, by=by, said=told.get("said", ""), now=now())
        return ""

    return await _sent(request, done, "退回版次")


Deed = Callable[[Settings, Matters, Mapping[str, str], str], str]


async def _sent(request: Request, deed: Deed, what: str) -> Response:
    """Do what a form asks and show the page again; what was filled in stays where it was refused."""
    if (refusal := not_allowed(request, what, AT)) is not None:
        return refusal
    edition_id = request.path_params["edition"]
    try:
        told = await entered(request)
    except Forged:
        return await _findings(request, said=STALE_FORM, status=403)
    desk, by = desk_of(request), actor_of(request, told).name

    def done() -> str:
        matters = matters_of(desk.settings.lake(), desk.settings, edition_id)
        return deed(desk.settings, matters, told, by)

    try:
        place = await asyncio.to_thread(done)
    except NianbaoError as error:
        told = {**told, "act": request.path_params.get("act", "")}
        return await _findings(request, told, str(error), 422)
    return to(request, f"/desk/edition/{edition_id}/findings{place}")


async def _findings(
    request: Request, told: Mapping[str, str] | None = None, said: str = "", status: int = 200
) -> Response:
    desk = desk_of(request)
    edition_id = request.path_params["edition"]

    def made() -> Mapping[str, Any]:
        matters = matters_of(desk.settings.lake(), desk.settings, edition_id)
        names = _approvers(desk.settings)
        return {
            "matters": matters,
            "stages": stages(matters, names, now().date()),
            "approvers": names,
            "has_files": desk.settings.edition_shelf.has(edition_id),
        }

    return await shown(
        request,
        "findings.html.j2",
        made,
        status=status,
        at=AT,
        said=said,
        told=filled(told),
        may=may_work(request),
        by_organ=request.query_params.get("by") == "organ",
        may_approve=may_approve(request),
    )


def _approvers(settings: Settings) -> list[str]:
    try:
        return approvers(settings).names
    except (ApprovalRefused, NianbaoError):
        return []


async def transfer_page(request: Request) -> Response:
    """The letter to an organ: what would be sent, or the one that was."""
    return await _transfer(request)


async def send_transfer(request: Request) -> Response:
    """Keep that the letter was sent, under a number and with the day agreed."""
    if (refusal := not_allowed(request, "转交核对问题", AT)) is not None:
        return refusal
    edition_id, organ_id = request.path_params["edition"], request.path_params["organ"]
    try:
        told = await entered(request)
    except Forged:
        return await _transfer(request, said=STALE_FORM, status=403)
    desk, by = desk_of(request), actor_of(request, told).name

    def done() -> str:
        matters = matters_of(desk.settings.lake(), desk.settings, edition_id)
        due = _day(told.get("due_on", ""))
        return send(desk.settings, matters, organ_id, by=by, due_on=due, now=now())

    try:
        letter = await asyncio.to_thread(done)
    except NianbaoError as error:
        return await _transfer(request, told, str(error), 422)
    return to(request, f"/desk/edition/{edition_id}/transfer/{organ_id}?letter={letter}")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


async def _transfer(
    request: Request, told: Mapping[str, str] | None = None, said: str = "", status: int = 200
) -> Response:
    desk = desk_of(request)
    edition_id, organ_id = request.path_params["edition"], request.path_params["organ"]
    wanted = request.query_params.get("letter", "")

    def made() -> Mapping[str, Any]:
        matters = matters_of(desk.settings.lake(), desk.settings, edition_id)
        return {
            "matters": matters,
            "letter": letter_of(matters, organ_id, wanted),
            "letters": letters_of(matters, organ_id),
        }

    return await shown(
        request,
        "transfer.html.j2",
        made,
        status=status,
        at=AT,
        said=said,
        told=filled(told),
        may=may_work(request),
    )


ROUTES: list[BaseRoute] = [
    Route("/edition/{edition}/findings", findings_page, methods=["GET"]),
    Route("/edition/{edition}/findings/hand-over", send_hand_over, methods=["POST"]),
    Route("/edition/{edition}/findings/return", send_return, methods=["POST"]),
    Route("/edition/{edition}/findings/{act}", send_act, methods=["POST"]),
    Route("/edition/{edition}/transfer/{organ}", transfer_page, methods=["GET"]),
    Route("/edition/{edition}/transfer/{organ}", send_transfer, methods=["POST"]),
]
