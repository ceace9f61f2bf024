"""期限 of one day, of all organs or of one, and the letter that urges an organ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tasks.desk.kept import one_look
from tasks.desk.seen import deadlines_of
from tasks.render.operator import CHANNEL_KINDS
from tasks.watch.deadlines import (
    Deadlines,
    DueWorkOrder,
    OpenApplication,
    Silent,
    calendar_told,
    limits,
)
from tasks.wording.typeset import typeset
from warehouse.errors import EntryError
from warehouse.lake import Lake

A_PAGE = 50


@dataclass(frozen=True)
class Due:
    """What is due on a day: of all organs, or of the one chosen. `organs` are those that have an
    application open, with how many."""

    on: date
    organ_id: str
    organ_name: str
    organs: tuple[tuple[str, str, int], ...]
    applications: tuple[OpenApplication, ...]
    overdue: int
    soon: int
    soon_days: int
    work_orders: tuple[DueWorkOrder, ...]
    work_order_counts: tuple[tuple[str, int, int], ...]
    accounts: tuple[Silent, ...]
    channels: tuple[Silent, ...]
    calendar: str

    @property
    def said(self) -> str:
        """The heading: how many are open, late and near."""
        whose = f"{self.organ_name}，" if self.organ_name else ""
        if not self.applications:
            return f"{whose}依申请公开：没有在办的申请"
        return (
            f"{whose}依申请公开：在办 {len(self.applications)} 件，逾期 {self.overdue} 件，"
            f"{self.soon_days} 个工作日内到期 {self.soon} 件"
        )

    @property
    def urged(self) -> list[OpenApplication]:
        """The applications of a letter: late or near."""
        return [a for a in self.applications if _is_urgent(a, self.soon_days)]


def _is_urgent(application: OpenApplication, soon_days: int) -> bool:
    left = application.working_days_left
    return left is not None and left <= soon_days


def due(lake: Lake, city: Path, on: date, organ_id: str = "") -> Due:
    """What is due on a day. Raises EntryError for an organ that has nothing and never had, NoLake."""
    with one_look(lake):
        found = deadlines_of(lake, on, city)
    counts: dict[tuple[str, str], int] = {}
    for application in found.applications:
        key = (application.organ_id, application.organ_name)
        counts[key] = counts.get(key, 0) + 1
    names = dict(counts.keys())
    organs = tuple((id_, name, n) for (id_, name), n in sorted(counts.items(), key=_by_name))
    mine = _of(found.applications, organ_id)
    soon_days = int(limits()["application"]["soon_working_days"])
    name = names.get(organ_id, "")
    return Due(
        on=on,
        organ_id=organ_id,
        organ_name=name,
        organs=organs,
        applications=mine,
        overdue=sum((a.working_days_left or 0) < 0 for a in mine),
        soon=sum(_is_urgent(a, soon_days) and (a.working_days_left or 0) >= 0 for a in mine),
        soon_days=soon_days,
        work_orders=tuple(w for w in found.work_orders if organ_id in ("", w.organ_id)),
        work_order_counts=() if organ_id else found.work_order_counts,
        accounts=_silent(found.accounts, name, organ_id),
        channels=_silent(found.channels, name, organ_id),
        calendar=_calendar(found),
    )


def _by_name(counted: tuple[tuple[str, str], int]) -> tuple[int, str]:
    (_, name), count = counted
    return -count, name


def _of(applications: Sequence[OpenApplication], organ_id: str) -> tuple[OpenApplication, ...]:
    return tuple(a for a in applications if organ_id in ("", a.organ_id))


def _silent(found: Sequence[Silent], name: str, organ_id: str) -> tuple[Silent, ...]:
    return tuple(s for s in found if not organ_id or s.organ_name == name)


def _calendar(found: Deadlines) -> str:
    """What is not sure about the working calendar; empty where nothing is."""
    return calendar_told(found) if found.calendar_ends_soon and found.applications else ""


def channel_kind(kind: str) -> str:
    """The kind of a channel in words."""
    return CHANNEL_KINDS.get(kind, "其他栏目")


@dataclass(frozen=True)
class Letter:
    """A letter that urges an organ: what is late, what is near, from whom, on which day."""

    organ_name: str
    sender: str
    on: date
    applications: tuple[OpenApplication, ...]

    @property
    def overdue(self) -> int:
        return sum((a.working_days_left or 0) < 0 for a in self.applications)

    @property
    def said(self) -> str:
        """The sentence of the letter."""
        near = len(self.applications) - self.overdue
        parts = [
            told
            for count, told in (
                (self.overdue, f"{self.overdue} 件已超过答复期限"),
                (near, f"{near} 件即将到期"),
            )
            if count
        ]
        return typeset(
            f"截至 {self.on.year} 年 {self.on.month} 月 {self.on.day} 日，贵单位承办的政府信息公开申请中，"
            f"{'，'.join(parts)}，见下表。"
        )


def letter(lake: Lake, city: Path, sender: str, on: date, organ_id: str) -> Letter:
    """The letter to an organ. Raises EntryError where there is nothing to urge, NoLake."""
    found = due(lake, city, on, organ_id)
    if not organ_id or not found.urged:
        name = found.organ_name or "这个机关"
        raise EntryError(f"{name}在 {on} 没有逾期或将到期的申请，不用催办。可以从期限页开始")
    return Letter(found.organ_name, sender, on, tuple(found.urged))
