"""数据: the sources as they stand, where their records went, and getting them once more.

What pulls or reads again is a run of a deployment, begun here under the name of whoever asked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.desk import (
    NO_DATA,
    STALE_FORM,
    Desk,
    Forged,
    NotThere,
    client_of,
    desk_of,
    entered,
    may_work,
    page,
    said,
    shown,
    to,
    visitor_of,
)
from tasks.city.names import source_choices
from tasks.clock import now
from tasks.desk import data
from tasks.desk.city import names_of
from tasks.desk.kept import one_look
from tasks.desk.reports import EditionState, edition_states
from tasks.desk.seen import see
from tasks.people import log
from tasks.settings import Settings
from tasks.watch.notify import TITLES
from warehouse.errors import NianbaoError
from warehouse.lake import Lake

AT = "data"
ALL = "全部"
_RUN = re.compile(r"[0-9a-f-]{36}")
NO_ROLE = "您的角色只能查看,不能取数。请找经办人或管理员"
NOT_BEGUN = "没有开始:运行台正忙,或还没有启动完。请稍后再试"
OVER = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
STATES: Mapping[str, tuple[str, str]] = {
    "COMPLETED": ("done", "已完成"),
    "FAILED": ("broken", "没有全部办成"),
    "CRASHED": ("broken", "中断"),
    "CANCELLED": ("none", "已取消"),
    "RUNNING": ("wait", "正在进行"),
}
BACK_DAYS = 30


async def data_page(request: Request) -> Response:
    """The page."""
    desk, query = desk_of(request), request.query_params
    wanted = query.get("run", "")
    run = await _run(desk, wanted) if _RUN.fullmatch(wanted) else None
    if not await asyncio.to_thread(has_lake, desk.settings):
        # The first pull is begun from here, and told here how it goes.
        return page(request, "empty.html.j2", at=AT, said=NO_DATA, run=run)
    return await shown(
        request,
        "data.html.j2",
        partial(_values, desk, query.get("table", ""), query.get("edition", ""), number_of(query)),
        at=AT,
        run=run,
    )


def has_lake(settings: Settings) -> bool:
    """Whether anything was ever pulled; a lake that cannot be asked says itself what is wrong."""
    try:
        return settings.lake().exists()
    except NianbaoError:
        return True


def number_of(query: Mapping[str, str]) -> int:
    """Which page is asked for; the first for what is no number."""
    told = query.get("page", "")
    return max(1, int(told)) if told.isascii() and told.isdigit() and len(told) < 8 else 1


def _values(desk: Desk, table: str, edition: str, number: int) -> Mapping[str, Any]:
    lake = desk.settings.lake()
    with one_look(lake):
        return _of_lake(desk, lake, table, edition, number)


def _of_lake(desk: Desk, lake: Lake, table: str, edition: str, number: int) -> Mapping[str, Any]:
    moment = now()
    seen = see(desk.settings, now=moment)
    state = _edition(seen.editions, edition)
    rejects = data.count_of_rejects(lake)
    pages = max(1, -(-rejects // data.REJECTS_A_PAGE))
    found = data.rejects_page(lake, min(number, pages))
    return {
        "seen": seen,
        "told": data.sentence(seen),
        "account": data.account(lake, state, seen.names, table) if state else None,
        "editions": seen.editions,
        "rejects": [data.reject_shown(one, seen.names) for one in found],
        "reject_count": rejects,
        "number": min(number, pages),
        "pages": pages,
        "runs": data.runs_shown(seen.runs, seen.names, dict(TITLES))[:10],
        "sources": list(seen.names.sources.values()),
        "from_on": moment.date() - timedelta(days=BACK_DAYS),
        "to_on": moment.date(),
        "all": ALL,
    }


def _edition(editions: tuple[EditionState, ...], wanted: str) -> EditionState | None:
    """The edition named, else the newest; None before the first. Raises NotThere."""
    if not wanted:
        return editions[0] if editions else None
    found = next((e for e in editions if e.id == wanted), None)
    if found is None:
        raise NotThere(f"没有版次 {wanted[:40]}。可以从版次页开始")
    return found


async def records_page(request: Request) -> Response:
    """The records behind a number of the account."""
    desk, query = desk_of(request), request.query_params
    asked = {name: query.get(name, "") for name in ("source", "resource", "table", "state")}

    def make() -> Mapping[str, Any]:
        lake, city = desk.settings.lake(), desk.settings.city
        state = _edition(edition_states(lake, city), query.get("edition", ""))
        if state is None:
            raise NotThere("还没有版次,账目在编制以后才有")
        number = number_of(query)
        found = data.behind(
            lake,
            city,
            state,
            names_of(city),
            source=asked["source"],
            resource=asked["resource"],
            table=asked["table"],
            fate=asked["state"],
            page=number,
        )
        pages = max(1, -(-found.count // data.RECORDS_A_PAGE))
        return {"found": found, "number": min(number, pages), "pages": pages}

    url = urlencode({"edition": query.get("edition", ""), **asked})
    return await shown(request, "records.html.j2", make, at=AT, url=url)


async def send_pull(request: Request) -> Response:
    """Begin a run that pulls what is due of every source."""
    return await _begin(request, "nightly", lambda _: ({}, "全部来源"), "取数")


async def send_backfill(request: Request) -> Response:
    """Begin a run that pulls a span again."""
    return await _begin(request, "backfill", lambda told: _span(request, told), "补取")


async def send_retry(request: Request) -> Response:
    """Begin a run that reads rejects again."""

    def parameters(told: Mapping[str, str]) -> tuple[dict[str, Any], str]:
        pulls = told.get("pull_again") == "1"
        return {"pull_again": pulls}, "从来源重取" if pulls else "再读"

    return await _begin(request, "retry-rejects", parameters, "退回再试")


def _span(request: Request, told: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """The parameters of a backfill. Raises NotThere for what cannot be."""
    source = told.get("source", ALL)
    if source != ALL and source not in source_choices(desk_of(request).settings.city):
        raise NotThere("没有这个来源。请从列表中选择")
    try:
        first, last = (date.fromisoformat(told.get(name, "")) for name in ("from_on", "to_on"))
    except ValueError as error:
        raise NotThere("日期请写作 2021-01-31 这样") from error
    if last < first:
        raise NotThere(f"终止日期 {last} 早于起始日期 {first}。请对调或改正")
    if first > now().date():
        raise NotThere(f"起始日期 {first} 还没有到。请填今天或以前的日期")
    parameters = {"source": source, "from_on": first.isoformat(), "to_on": last.isoformat()}
    return parameters, f"{source} {first} 至 {last}"


async def _begin(request: Request, name: str, parameters: Any, act: str) -> Response:
    """Begin a run, and go to where its progress is shown."""
    desk = desk_of(request)
    try:
        told = await entered(request)
    except Forged:
        return said(request, STALE_FORM, status=403, at=AT)
    if not may_work(request):
        return said(request, NO_ROLE, status=403, at=AT)
    try:
        given, about = parameters(told)
    except NotThere as error:
        return said(request, str(error), status=422, at=AT)
    run = await desk.inside.start(name, given)
    if not run:
        return said(request, NOT_BEGUN, status=503, at=AT)
    person = visitor_of(request).person
    by = person.name if person else client_of(request)
    await asyncio.to_thread(_log, desk, by, act, about)
    return to(request, f"/desk/data?run={run}#run")


def _log(desk: Desk, by: str, act: str, about: str) -> None:
    with desk.door.office.change() as connection:
        log.write(connection, by, act, about, now=now())


async def run_fragment(request: Request) -> Response:
    """How a run that was begun here stands; asked for again until it is over."""
    run = await _run(desk_of(request), str(request.path_params["run"]))
    return page(request, "run.html.j2", run=run)


async def _run(desk: Desk, run_id: str) -> Mapping[str, str | bool] | None:
    """A run's state in words; None where it cannot be read."""
    found = await desk.inside.ask(f"/flow_runs/{run_id}") if _RUN.fullmatch(run_id) else None
    if not found:
        return None
    state = found.get("state") or {}
    kind, word = STATES.get(str(state.get("type")), ("wait", "等待开始"))
    return {
        "id": run_id,
        "name": str(found.get("name") or ""),
        "kind": kind,
        "word": word,
        "message": str(state.get("message") or "") if state.get("type") in OVER else "",
        "is_over": state.get("type") in OVER,
    }


ROUTES: list[BaseRoute] = [
    Route("/data", data_page, methods=["GET"]),
    Route("/data/records", records_page, methods=["GET"]),
    Route("/data/run/{run}", run_fragment, methods=["GET"]),
    Route("/pull", send_pull, methods=["POST"]),
    Route("/backfill", send_backfill, methods=["POST"]),
    Route("/retry", send_retry, methods=["POST"]),
]
