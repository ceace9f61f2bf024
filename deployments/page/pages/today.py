"""今天: what the day asks of whoever looks, and where the year's report stands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deployments.page.desk import NO_DATA, desk_of, page, shown, thousands, visitor_of
from deployments.page.pages.data import has_lake
from tasks.clock import now
from tasks.desk.completeness import Completeness
from tasks.desk.duties import MOST, Who
from tasks.desk.today import DUE_SHOWN, WEEKDAYS, Today, today
from tasks.people.persons import APPROVES
from tasks.settings import Settings
from tasks.watch.deadlines import limits


@dataclass(frozen=True)
class _Line:
    """A line of the table of a year's records; those that cannot be counted share one."""

    title: str
    source_title: str
    served: str
    held: str
    last_pull_at: datetime | None
    state: str
    word: str


async def today_page(request: Request) -> Response:
    """The page to which everyone comes first."""
    desk, who = desk_of(request), who_of(request)
    if not await asyncio.to_thread(has_lake, desk.settings):
        return page(request, "empty.html.j2", at="today", said=NO_DATA, run=None)
    return await shown(
        request,
        "today.html.j2",
        lambda: values(desk.settings, who, now()),
        at="today",
        said="",
        most=MOST,
        soon_days=limits()["application"]["soon_working_days"],
    )


def who_of(request: Request) -> Who:
    """Whoever looks, as the desk asks for them."""
    person = visitor_of(request).person
    return Who(person.name, person.role) if person else Who("", None)


def values(settings: Settings, who: Who, moment: datetime) -> Mapping[str, Any]:
    """What the template shows. Raises NianbaoError."""
    day = today(settings, who, now=moment)
    seen = day.seen
    urgent = [*seen.deadlines.overdue, *seen.deadlines.soon]
    return {
        "day": day,
        "seen": seen,
        "weekday": WEEKDAYS[seen.today.weekday()],
        "waiting": [e for e in seen.editions if e.row.is_pending],
        "approvers": day.staffing.named(APPROVES),
        "shown_lists": _lines(day),
        "due_applications": urgent[:DUE_SHOWN],
        "reports": [e for e in seen.editions if e.row.edition_status != "superseded"][:4],
    }


def _lines(day: Today) -> list[_Line]:
    """One line for each resource that tells how many it has or lacks something, one for the rest."""
    lists = day.seen.records.lists
    alone = [one for one in lists if not one.is_complete or one.served is not None or one.workbooks]
    rest = [one for one in lists if one not in alone]
    names = day.seen.names
    doubled = {one.title for one in lists if sum(o.title == one.title for o in lists) > 1}
    found = [
        _Line(
            one.title,
            names.source(one.source) if one.title in doubled else "",
            _served(one),
            _held(one),
            one.last_pull_at,
            one.state,
            one.word,
        )
        for one in alone
    ]
    if rest:
        titles = "、".join(one.title for one in rest)
        oldest = min(one.last_pull_at for one in rest if one.last_pull_at)
        found.append(_Line(titles, "", "不能报数", "已取到", oldest, "done", "年后取过"))
    return found


def _served(one: Completeness) -> str:
    if one.workbooks:
        return f"{one.workbooks.months} 个月 × {one.workbooks.organs} 份"
    return thousands(one.served, "不能报数")


def _held(one: Completeness) -> str:
    if one.workbooks:
        return f"缺 {len(one.workbooks.missing)} 份" if one.workbooks.missing else "收齐"
    return thousands(one.held if one.held is not None else one.records)


ROUTES: list[BaseRoute] = [Route("/", today_page, methods=["GET"])]
