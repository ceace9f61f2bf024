"""Deadlines: what is due, near, or overdue on a day.

Applications by the 20 working days of 条例第三十三条: the calendar's holidays and make-up days
count as the State Council set them, a correction starts the clock again (第三十条), an
extension adds its days, days of consultation do not count. Records are named by their ids;
no personal data is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tasks.editions.store import edition_rows
from warehouse.disk import yaml_of
from warehouse.form import Form, forms
from warehouse.lake import Connection, Lake
from warehouse.period import Period
from warehouse.reading import reading

LIMITS = Path(__file__).with_suffix(".yaml")
MOST_NAMED = 200
"""How many records of a kind are listed; all are counted."""


@dataclass(frozen=True)
class OpenApplication:
    """An application without an answer. `working_days_left` is negative when overdue, None
    while the applicant is asked for a correction."""

    organ_name: str
    source_system: str
    record_id: str
    started_on: date
    due_on: date | None
    working_days_left: int | None
    is_extended: bool
    excluded_days: int


@dataclass(frozen=True)
class DueWorkOrder:
    """A work order that is not closed; `hours_left` is negative when overdue."""

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
    calendar_is_official: bool

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
SELECT organ_id, arg_max(organ_name, valid_from) AS organ_name,
    max(coalesce(valid_to, DATE '9999-12-31')) AS valid_to
FROM core.organ GROUP BY organ_id
"""

# A day that is no working day has the number of the working day before it, so the clock that
# starts on it starts at the same place.
_APPLICATIONS = f"""
WITH organs AS ({_ORGANS}),
last_event AS (
    SELECT source_system, application_id,
        max(event_on) FILTER (event_kind = 'correction_requested') AS correction_requested_on,
        max(event_on) FILTER (event_kind = 'corrected') AS corrected_on,
        max(event_on) FILTER (event_kind = 'consulted') AS consulted_on,
        max(event_on) FILTER (event_kind = 'consultation_answered') AS answered_on
    FROM core.application_event WHERE removed_at IS NULL AND event_on <= $on GROUP BY ALL
),
open_ AS (
    SELECT a.*, coalesce(a.corrected_on, e.corrected_on, a.received_on) AS started_on,
        e.correction_requested_on IS NOT NULL
            AND e.correction_requested_on > coalesce(a.corrected_on, e.corrected_on, DATE '1900-01-01')
            AS is_waiting,
        CASE WHEN e.consulted_on > coalesce(e.answered_on, DATE '1900-01-01') THEN e.consulted_on END
            AS consulting_since
    FROM core.application AS a
    LEFT JOIN last_event AS e
        ON e.source_system = a.source_system AND e.application_id = a.record_id
    WHERE a.removed_at IS NULL AND a.received_on <= $on
        AND (a.closed_on IS NULL OR a.closed_on > $on)
),
counted AS (
    SELECT o.*,
        coalesce(o.consultation_working_days, 0)
            + coalesce(today.working_day_number - since.working_day_number, 0) AS excluded_days,
        started.working_day_number + $answer
            + CASE WHEN o.extended_on IS NULL THEN 0 ELSE $extension END
            + coalesce(o.consultation_working_days, 0)
            + coalesce(today.working_day_number - since.working_day_number, 0) AS due_number,
        today.working_day_number AS today_number
    FROM open_ AS o
    JOIN core.calendar_day AS today ON today.day_on = $on
    JOIN core.calendar_day AS started ON started.day_on = o.started_on
    LEFT JOIN core.calendar_day AS since ON since.day_on = o.consulting_since
)
SELECT coalesce(g.organ_name, c.organ_id, '未标明机关'), c.source_system, c.record_id, c.started_on,
    CASE WHEN c.is_waiting THEN NULL ELSE due.day_on END,
    CASE WHEN c.is_waiting THEN NULL ELSE c.due_number - c.today_number END,
    c.extended_on IS NOT NULL, c.excluded_days
FROM counted AS c
LEFT JOIN organs AS g ON g.organ_id = c.organ_id
LEFT JOIN core.calendar_day AS due
    ON due.working_day_number = c.due_number AND due.is_working_day
ORDER BY 6 NULLS LAST, 1, c.record_id
"""

_OPEN_WORK_ORDERS = f"""
WITH organs AS ({_ORGANS})
SELECT coalesce(g.organ_name, w.organ_id, '未标明机关') AS organ_name, w.source_system, w.record_id,
    w.due_at, CAST(floor(epoch(w.due_at - $at) / 3600) AS BIGINT) AS hours_left
FROM core.work_order AS w
LEFT JOIN organs AS g ON g.organ_id = w.organ_id
WHERE w.removed_at IS NULL AND w.dispatched_at <= $at AND (w.closed_at IS NULL OR w.closed_at > $at)
    AND w.work_order_status IS DISTINCT FROM 'closed' AND w.due_at < $soon
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
        applications = tuple(
            OpenApplication(*row)
            for row in connection.execute(
                _APPLICATIONS,
                {
                    "on": on,
                    "answer": limit["application"]["answer_working_days"],
                    "extension": limit["application"]["extension_working_days"],
                },
            ).fetchall()
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
                "SELECT organ_name, count(*) FILTER (hours_left < 0), count(*) FILTER (hours_left >= 0) "
                f"FROM ({_OPEN_WORK_ORDERS}) GROUP BY ALL ORDER BY 2 DESC, 3 DESC, 1",
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
            "SELECT is_official FROM core.calendar_day WHERE day_on = ?", [on]
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
        calendar_is_official=bool(official and official[0]),
    )


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


def is_working_day(lake: Lake, on: date) -> bool:
    """Whether a day is a working day, make-up days included. Raises LakeError without a lake."""
    with lake.read() as connection:
        row = connection.execute(
            "SELECT is_working_day FROM core.calendar_day WHERE day_on = ?", [on]
        ).fetchone()
    return bool(row[0]) if row else on.weekday() < 5


def by_organ(applications: Sequence[OpenApplication]) -> dict[str, list[OpenApplication]]:
    """Applications by organ, the organ with the most urgent first."""
    found: dict[str, list[OpenApplication]] = {}
    for application in applications:
        found.setdefault(application.organ_name, []).append(application)
    return found
