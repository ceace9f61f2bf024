"""How far an edition has come on its way to publication, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from tasks.desk.matters import Mark, Matters
from tasks.editions.edition import Edition


@dataclass(frozen=True)
class Stage:
    """A step of the way to publication; `told` is who and when, or what it waits for."""

    title: str
    mark: Mark | None
    told: str
    is_now: bool = False


def stages(matters: Matters, approvers: Sequence[str], today: date) -> list[Stage]:
    """Where the edition stands on its way."""
    row, handed = matters.row, matters.handed_over
    built = Stage("编制", "done", _who(row.built_by, row.built_at))
    published = Stage("公布", None, _due_told(matters.edition, today))
    if row.approved_at is not None:
        approved = Stage("批准", "done", _who(row.approved_by, row.approved_at))
        return [
            built,
            Stage("核对与改正", "done", "已了结"),
            approved,
            replace(published, told="已冻结"),
        ]
    whom = "、".join(approvers[:3]) or "批准人"
    if not matters.may_act:
        return [
            built,
            Stage("核对与改正", "none", "已有新的版次"),
            Stage("批准", None, ""),
            published,
        ]
    if handed is not None:
        checked = Stage("核对与改正", "done", f"{handed.person}送批准,{_day(handed.done_at)}")
        return [built, checked, Stage("批准", "wait", f"等{whom}", is_now=True), published]
    count = len(matters.blocking)
    settled = len(matters.settled)
    told = f"{count} 条,了结 {settled} 条" if count else "没有阻断问题"
    mark: Mark = "turn" if settled < count else "done"
    if matters.returned is not None:
        told, mark = f"{matters.returned.person}退回,{_day(matters.returned.done_at)}", "turn"
    checked = Stage("核对与改正", mark, told, is_now=True)
    return [built, checked, Stage("批准", None, f"了结后送{whom}"), published]


def _who(person: str, at: datetime) -> str:
    return f"{person},{_day(at)}" if person else _day(at)


def _day(at: datetime) -> str:
    return f"{at.month} 月 {at.day} 日"


def _due_told(edition: Edition, today: date) -> str:
    """The last statutory day of the report, and how far off it is."""
    if not edition.form.deadlines or not edition.period.is_year:
        return ""
    last = max((entry.month, entry.day) for entry in edition.form.deadlines)
    due = date(edition.period.year + 1, *last)
    left = (due - today).days
    if left < 0:
        return f"应在 {due.year} 年 {due.month} 月 {due.day} 日前"
    return f"{due.month} 月 {due.day} 日前,还有 {left} 天"
