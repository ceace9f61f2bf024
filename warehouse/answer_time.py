"""The time in which an application must be answered, in one place: for rules, watch and figures.

条例第三十三条: 20 working days from receipt, extended by at most 20 with approval and notice; the
time in which third parties or other organs are asked does not count. 条例第三十条: the time runs
anew from the day the corrected application is received, and stands still until then.
《政府信息公开信息处理费管理办法》 (国办函〔2020〕109号): it runs anew from the day after the fee is
paid, and stands still from the notice until then. Working days are the State Council's
(core.calendar_day): the first day does not count, and what happens on a day off counts as on the
next working day.

An application that its applicant let lapse (逾期不补正, 逾期未缴费) was not answered late: nothing was
owed any more.
"""

from __future__ import annotations

from dataclasses import dataclass

ANSWER_WORKING_DAYS = 20
EXTENSION_WORKING_DAYS = 20
LAPSED = ("other_correction_overdue", "other_fee_overdue")
"""Outcomes by which an application lapsed: they are no answers, and never late."""
IS_LAPSED = f"coalesce(outcome IN ({', '.join(repr(o) for o in LAPSED)}), FALSE)"

_NEVER = "DATE '1900-01-01'"
_EVENTS = {
    "correction_requested": "correction_requested_on",
    "corrected": "event_corrected_on",
    "fee_notified": "fee_notified_on",
    "fee_paid": "fee_paid_on",
    "consulted": "consulted_on",
    "consultation_answered": "consultation_answered_on",
}


@dataclass(frozen=True)
class Tables:
    """What the three tables are called where the query runs."""

    application: str = "core.application"
    application_event: str = "core.application_event"
    calendar_day: str = "core.calendar_day"


def answer_times_sql(judged_on: str, tables: Tables = Tables()) -> str:
    """A query of each application's time as it stood on a day: the application's columns and

    - `judged_on`: the day, `judged_on` as SQL over the application `a`;
    - `started_on`: from when the time runs;
    - `waits_for`: `correction` or `payment` while the applicant is waited for, else NULL;
    - `excluded_days`: working days of consultation, which do not count;
    - `days_allowed`, `days_passed`: working days; late where more passed than are allowed and
      nothing is waited for;
    - `due_on`: the last day, NULL while the applicant is waited for; the day that the source has
      registered is `registered_due_on`; `is_due_official`: whether the holidays up to then
      are published.

    Applications that are removed, or received later than that day, are left out.
    """
    latest = ",\n        ".join(
        f"max(e.event_on) FILTER (e.event_kind = '{kind}') AS {name}"
        for kind, name in _EVENTS.items()
    )
    return f"""WITH judged AS (
    SELECT a.*, CAST({judged_on} AS DATE) AS judged_on FROM {tables.application} AS a
    WHERE a.removed_at IS NULL AND a.received_on <= CAST({judged_on} AS DATE)
),
steps AS (
    SELECT j.source_system, j.record_id,
        {latest}
    FROM judged AS j
    JOIN {tables.application_event} AS e
        ON e.source_system = j.source_system AND e.application_id = j.record_id
    WHERE e.removed_at IS NULL AND e.event_on <= j.judged_on
    GROUP BY ALL
),
clocked AS (
    SELECT j.*, s.fee_notified_on, s.consulted_on, s.consultation_answered_on,
        greatest(
            CASE WHEN j.corrected_on <= j.judged_on THEN j.corrected_on END, s.event_corrected_on
        ) AS last_corrected_on,
        greatest(j.received_on, last_corrected_on, s.fee_paid_on) AS started_on,
        CASE
            WHEN s.correction_requested_on > coalesce(last_corrected_on, {_NEVER}) THEN 'correction'
            WHEN s.fee_notified_on > coalesce(s.fee_paid_on, {_NEVER}) THEN 'payment'
        END AS waits_for,
        CASE WHEN s.consulted_on > coalesce(s.consultation_answered_on, {_NEVER})
            THEN s.consulted_on END AS consulting_since
    FROM judged AS j LEFT JOIN steps AS s USING (source_system, record_id)
),
asked AS (
    SELECT source_system, record_id, sum(passed) AS days FROM (
        SELECT c.source_system, c.record_id, e.event_kind,
            lag(e.event_kind) OVER w AS kind_before,
            d.working_day_number - lag(d.working_day_number) OVER w AS passed
        FROM clocked AS c
        JOIN {tables.application_event} AS e
            ON e.source_system = c.source_system AND e.application_id = c.record_id
        JOIN {tables.calendar_day} AS d ON d.day_on = e.event_on
        WHERE e.removed_at IS NULL AND e.event_kind IN ('consulted', 'consultation_answered')
            AND e.event_on BETWEEN c.started_on AND c.judged_on
        WINDOW w AS (
            PARTITION BY c.source_system, c.record_id ORDER BY e.event_on, e.event_kind DESC
        )
    ) WHERE event_kind = 'consultation_answered' AND kind_before = 'consulted'
    GROUP BY ALL
),
counted AS (
    SELECT c.* EXCLUDE (due_on), c.due_on AS registered_due_on,
        coalesce(c.consultation_working_days, asked.days, 0)
            + coalesce(judged.working_day_number - since.working_day_number, 0) AS excluded_days,
        {ANSWER_WORKING_DAYS}
            + CASE WHEN extended_on <= c.judged_on THEN {EXTENSION_WORKING_DAYS} ELSE 0 END
            + excluded_days AS days_allowed,
        judged.working_day_number + CASE WHEN judged.is_working_day THEN 0 ELSE 1 END
            - started.working_day_number AS days_passed,
        started.working_day_number + days_allowed AS due_number
    FROM clocked AS c
    JOIN {tables.calendar_day} AS judged ON judged.day_on = c.judged_on
    JOIN {tables.calendar_day} AS started ON started.day_on = c.started_on
    LEFT JOIN {tables.calendar_day} AS since ON since.day_on = c.consulting_since
    LEFT JOIN asked
        ON asked.source_system = c.source_system AND asked.record_id = c.record_id
)
SELECT t.* EXCLUDE (due_number),
    CASE WHEN t.waits_for IS NULL THEN due.day_on END AS due_on,
    coalesce(due.is_official, FALSE) AS is_due_official
FROM counted AS t
LEFT JOIN {tables.calendar_day} AS due
    ON due.working_day_number = t.due_number AND due.is_working_day"""
