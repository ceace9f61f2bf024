"""Deadlines: what is due, near, or overdue on a day.

Applications by the 20 working days of 条例第三十三条 as `warehouse.answer_time` reckons them, for the
rules as for this. Days beyond the last year whose holidays are published are provisional. Records
are named by their ids; no personal data is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tasks.editions.store import edition_rows
from warehouse.answer_time import answer_times_sql
from warehouse.disk import yaml_of
from warehouse.form import Form, forms
from warehouse.lake import Connection, Lake
from warehouse.organ_names import shown_names
from warehouse.period import Period
from warehouse.reading import reading

LIMITS = Path(__file__).with_suffix(".yaml")
DECEMBER = 12
MOST_NAMED = 200
"""How many records of a kind are listed; all are counted."""


@dataclass(frozen=True)
class OpenApplication:
    """An application without an answer. `working_days_left` is negative when overdue, None
    while the applicant is waited for (`waits_for`: `correction` or `payment`). `is_provisional`
    says that the day due lies where no holidays are published yet: it may move."""

    organ_id: str
    organ_name: str
    source_system: str
    record_id: str
    started_on: date
    due_on: date | None
    working_days_left: int | None
    waits_for: str | None
    is_extended: bool
    excluded_days: int
    is_provisional: bool = False


@dataclass(frozen=True)
class DueWorkOrder:
    """A work order that is not closed; `hours_left` is negative when overdue."""

    organ_id: str
    organ_name: str
    source_system: str
    record_id: str
    due_at: datetime
    hours_left: int


@dataclass(frozen=True)
class Silent:
    """An account or a channel without anything new for longer than it may be."""

    organ_name: str
    kind: str
    name: str
    last_on: date | None
    days: int | None
    limit: int


@dataclass(frozen=True)
class Filing:
    """A statutory day of the year; `report` is what it asks for."""

    on: date
    what: str
    days_left: int
    report: str
    is_published: bool


@dataclass(frozen=True)
class Deadlines:
    """Everything due on a day; the lists hold the first `MOST_NAMED`, the counts all."""

    on: date
    applications: tuple[OpenApplication, ...]
    work_orders: tuple[DueWorkOrder, ...]
    work_order_counts: tuple[tuple[str, int, int], ...]
    accounts: tuple[Silent, ...]
    channels: tuple[Silent, ...]
    filings: tuple[Filing, ...]
    calendar_until: date | None

    @property
    def calendar_is_official(self) -> bool:
        """Whether the holidays of the day's year are published."""
        return self.calendar_until is not None and self.on <= self.calendar_until

    @property
    def calendar_ends_soon(self) -> bool:
        """Whether days due are provisional already: from December on where the holidays of the
        next year are not known, and wherever an application's day lies beyond them."""
        if self.calendar_until is None or self.on > self.calendar_until:
            return True
        ends = self.calendar_until.year <= self.on.year and self.on.month == DECEMBER
        return ends or any(a.is_provisional for a in self.applications)

    @property
    def overdue(self) -> list[OpenApplication]:
        return [a for a in self.applications if (a.working_days_left or 0) < 0]

    @property
    def soon(self) -> list[OpenApplication]:
        limit = limits()["application"]["soon_working_days"]
        return [
            a
            for a in self.applications
            if a.working_days_left is not None and 0 <= a.working_days_left <= limit
        ]


@cache
def limits() -> dict[str, Any]:
    """The limits of `deadlines.yaml`."""
    read: dict[str, Any] = yaml_of(LIMITS.read_text(encoding="utf-8"))
    return read


_ORGANS = """
SELECT o.organ_id, n.organ_name, max(coalesce(o.valid_to, DATE '9999-12-31')) AS valid_to
FROM core.organ AS o JOIN organ_shown AS n USING (organ_id) GROUP BY ALL
"""

_APPLICATIONS = f"""
WITH organs AS ({_ORGANS})
SELECT coalesce(t.organ_id, ''), coalesce(g.organ_name, t.organ_id, '未标明机关'), t.source_system,
    t.record_id, t.started_on, t.due_on,
    CASE WHEN t.waits_for IS NULL THEN t.days_allowed - t.days_passed END, t.waits_for,
    coalesce(t.extended_on <= t.judged_on, FALSE), t.excluded_days, t.waits_for IS NULL AND NOT t.is_due_official
FROM ({answer_times_sql("$on")}) AS t
LEFT JOIN organs AS g ON g.organ_id = t.organ_id
WHERE t.closed_on IS NULL OR t.closed_on > $on
ORDER BY 7 NULLS LAST, 2, t.record_id
"""

_OPEN_WORK_ORDERS = f"""
WITH organs AS ({_ORGANS})
SELECT coalesce(w.organ_id, '') AS organ_id,
    coalesce(g.organ_name, w.organ_id, '未标明机关') AS organ_name, w.source_system, w.record_id,
    w.due_at, CAST(floor(epoch(w.due_at - $at) / 3600) AS BIGINT) AS hours_left
FROM core.work_order AS w
LEFT JOIN organs AS g ON g.organ_id = w.organ_id
WHERE w.removed_at IS NULL AND w.dispatched_at <= $at AND (w.closed_at IS NULL OR w.closed_at > $at)
    AND coalesce(w.work_order_status NOT IN ('closed', 'refused', 'merged'), TRUE)
    AND w.merged_into_id IS NULL AND w.refused_at IS NULL AND w.due_at < $soon
"""

_ACCOUNTS = f"""
WITH organs AS ({_ORGANS}),
posted AS (
    SELECT source_system, account_id, max(CAST(posted_at AS DATE)) AS last_on
    FROM core.new_media_post WHERE removed_at IS NULL AND posted_at < $after GROUP BY ALL
)
SELECT coalesce(g.organ_name, a.organ_id, '未标明机关'), coalesce(a.platform, ''),
    coalesce(a.account_name, a.record_id), p.last_on,
    $on - coalesce(p.last_on, a.opened_on) AS days
FROM core.new_media_account AS a
LEFT JOIN posted AS p ON p.source_system = a.source_system AND p.account_id = a.record_id
LEFT JOIN organs AS g ON g.organ_id = a.organ_id
WHERE a.removed_at IS NULL AND (a.closed_on IS NULL OR a.closed_on > $on)
    AND coalesce(a.opened_on, DATE '1900-01-01') <= $on
    AND coalesce($on - coalesce(p.last_on, a.opened_on), $silent) >= $silent
ORDER BY days DESC NULLS FIRST, 1, 3
"""

_CHANNELS = f"""
WITH organs AS ({_ORGANS}),
published AS (
    SELECT source_system, channel_id, max(CAST(published_at AS DATE)) AS last_on
    FROM core.article WHERE removed_at IS NULL AND published_at < $after GROUP BY ALL
)
SELECT coalesce(g.organ_name, c.organ_id, ''), coalesce(c.channel_kind, ''),
    coalesce(c.channel_name, c.record_id), p.last_on, $on - p.last_on
FROM core.channel AS c
JOIN published AS p ON p.source_system = c.source_system AND p.channel_id = c.record_id
LEFT JOIN organs AS g ON g.organ_id = c.organ_id
WHERE c.removed_at IS NULL AND coalesce(g.valid_to, DATE '9999-12-31') >= $on
ORDER BY 5 DESC, 1, 3
"""

PLATFORMS = {
    "wechat": "微信",
    "weibo": "微博",
    "douyin": "抖音",
    "toutiao": "头条",
    "app": "客户端",
    "other": "其他平台",
    "": "平台不明",
}
"""The codes of `new_media_account.platform` in words."""


def find_deadlines(
    lake: Lake, on: date, *, at: datetime | None = None, city: Path | None = None
) -> Deadlines:
    """What is due, near or overdue on a day, as the records stand in the lake.

    `at` is the moment from which hours are counted, by default 08:00 of that day; `city` is the
    city's folder, for forms of its own. Records that lie after the day are not looked at, so a day
    gone by may be asked for. Raises LakeError without a lake.
    """
    at = at or datetime.combine(on, time(8))
    limit = limits()
    with reading(lake) as opened:
        connection = opened.connection
        _name_organs(connection)
        applications = tuple(
            OpenApplication(*row)
            for row in connection.execute(_APPLICATIONS, {"on": on}).fetchall()
        )
        soon = {"at": at, "soon": at + timedelta(hours=limit["work_order"]["soon_hours"])}
        work_orders = tuple(
            DueWorkOrder(*row)
            for row in connection.execute(
                f"{_OPEN_WORK_ORDERS} ORDER BY w.due_at, w.record_id LIMIT {MOST_NAMED}", soon
            ).fetchall()
        )
        counts = tuple(
            connection.execute(
                "SELECT any_value(organ_name), count(*) FILTER (hours_left < 0), "
                "count(*) FILTER (hours_left >= 0) "
                f"FROM ({_OPEN_WORK_ORDERS}) GROUP BY organ_id ORDER BY 2 DESC, 3 DESC, 1",
                soon,
            ).fetchall()
        )
        silent = limit["account"]["silent_days"]
        after = on + timedelta(days=1)
        accounts = tuple(
            Silent(organ, PLATFORMS.get(kind, kind), name, last_on, days, silent)
            for organ, kind, name, last_on, days in connection.execute(
                _ACCOUNTS, {"on": on, "after": after, "silent": silent}
            ).fetchall()
        )
        channels = tuple(
            Silent(organ, kind, name, last_on, days, allowed)
            for organ, kind, name, last_on, days in connection.execute(
                _CHANNELS, {"on": on, "after": after}
            ).fetchall()
            for allowed in (limit["channel"]["days"].get(kind, limit["channel"]["other_days"]),)
            if days is not None and days >= allowed
        )
        official = connection.execute(
            "SELECT max(day_on) FROM core.calendar_day WHERE is_official"
        ).fetchone()
        filings = _filings(connection, on, forms(city).values())
    return Deadlines(
        on=on,
        applications=applications,
        work_orders=work_orders,
        work_order_counts=counts,
        accounts=accounts,
        channels=channels,
        filings=filings,
        calendar_until=official[0] if official else None,
    )


def overdue_and_filing(lake: Lake, on: date, city: Path) -> tuple[int, Filing | None]:
    """Of a city at a glance: how many applications are overdue on a day, and the first statutory
    day of the year whose report is not published yet; None where all are. Raises LakeError."""
    with reading(lake) as opened:
        connection = opened.connection
        row = connection.execute(
            f"SELECT count(*) FROM ({answer_times_sql('$on')}) AS t "
            "WHERE (t.closed_on IS NULL OR t.closed_on > $on) AND t.waits_for IS NULL "
            "AND t.days_allowed < t.days_passed",
            {"on": on},
        ).fetchone()
        filings = _filings(connection, on, forms(city).values())
    assert row is not None
    return int(row[0]), next((one for one in filings if not one.is_published), None)


def _name_organs(connection: Connection) -> None:
    """What every organ is called today, no two alike, as the table organ_shown."""
    organs = connection.execute(
        "SELECT organ_id, arg_max(organ_name, valid_from), arg_max_null(parent_organ_id, valid_from) "
        "FROM core.organ GROUP BY organ_id ORDER BY organ_id"
    ).fetchall()
    connection.execute("CREATE TEMP TABLE organ_shown (organ_id VARCHAR, organ_name VARCHAR)")
    if names := list(shown_names(organs).items()):
        connection.executemany("INSERT INTO organ_shown VALUES (?, ?)", names)


def _filings(connection: Connection, on: date, forms: Iterable[Form]) -> tuple[Filing, ...]:
    """The statutory days of this year, each with the report of last year that it asks for."""
    published = {(r.form, r.period) for r in edition_rows(connection) if r.is_published}
    period = Period.of_year(on.year - 1)
    found = []
    for form in forms:
        for entry in form.deadlines:
            day = date(on.year, entry.month, entry.day)
            is_published = (form.key, period) in published
            days_left = (day - on).days
            found.append(Filing(day, entry.what, days_left, form.named(period), is_published))
    return tuple(sorted(found, key=lambda filing: filing.on))


def calendar_told(found: Deadlines) -> str:
    """What is not sure about the working calendar, and what to do."""
    if found.calendar_until is None:
        return "工作日历是空的,期限无从核算。请运行 nianbao nightly。"
    provisional = sum(a.is_provisional for a in found.applications)
    named = f",其中在办申请 {provisional} 件" if provisional else ""
    return (
        f"放假安排收录到 {found.calendar_until.year} 年,{found.calendar_until.year + 1} 年及以后的"
        f"到期日只按周末和法定节日推算,是暂定的{named}。"
        "国务院办公厅公布放假安排后,请升级 chinesecalendar 再运行一次 nianbao nightly。"
    )


def is_working_day(lake: Lake, on: date) -> bool:
    """Whether a day is a working day, make-up days included. Raises LakeError without a lake."""
    with lake.read() as connection:
        row = connection.execute(
            "SELECT is_working_day FROM core.calendar_day WHERE day_on = ?", [on]
        ).fetchone()
    return bool(row[0]) if row else on.weekday() < 5


def by_organ(applications: Sequence[OpenApplication]) -> dict[str, list[OpenApplication]]:
    """Applications by the id of their organ, the organ with the most urgent first."""
    found: dict[str, list[OpenApplication]] = {}
    for application in applications:
        found.setdefault(application.organ_id, []).append(application)
    return found
