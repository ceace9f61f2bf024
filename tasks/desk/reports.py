"""Where a year's report stands: its editions, what blocks the newest, who has to act next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from tasks.desk.kept import kept
from tasks.desk.settling import Settling
from tasks.editions.account import TRIAL
from tasks.editions.store import EditionRow, edition_rows
from warehouse.form import forms
from warehouse.lake import Lake
from warehouse.period import Period
from warehouse.sql import quoted

StepState = Literal["done", "now", "todo"]
NOTHING_DONE = Settling()
Stage = Literal["build", "settle", "approve", "publish", "done"]
"""What a report waits for."""


@dataclass(frozen=True)
class EditionState:
    """An edition with what keeps it from being published: how many checks, and how many records
    cause them; `is_trial` says that its year was not complete."""

    row: EditionRow
    report: str
    blocking: int
    records: int
    is_trial: bool
    last_day: date | None

    @property
    def id(self) -> str:
        return self.row.edition_id


@dataclass(frozen=True)
class Step:
    """One of the steps of a year's report: its state, the word, and who or when beneath it."""

    title: str
    state: StepState
    told: str


@kept
def edition_states(lake: Lake, city: Path) -> tuple[EditionState, ...]:
    """All editions, the newest year first, of a year the newest first. Raises NoLake, FormError."""
    known = forms(city)
    with lake.read() as connection:
        rows = edition_rows(connection)
        if not rows:
            return ()
        trial = ", ".join(quoted(code) for code in sorted(TRIAL))
        counts: Mapping[str, tuple[int, int, bool]] = {
            edition: (checks, records, is_trial)
            for edition, checks, records, is_trial in connection.execute(
                f"""
                WITH blocking AS (
                    SELECT edition_id, organ_id, check_key FROM lake.yearly.check_result
                    WHERE severity <> 'warn' AND check_status IN ('fail', 'not_run')
                ),
                records AS (
                    SELECT edition_id,
                        count(DISTINCT (table_name, source_system, record_id)) AS records
                    FROM lake.yearly.check_record JOIN blocking USING (edition_id, organ_id, check_key)
                    GROUP BY edition_id
                )
                SELECT edition_id,
                    count(*) FILTER (severity <> 'warn' AND check_status IN ('fail', 'not_run')),
                    coalesce(any_value(records.records), 0),
                    bool_or(code IN ({trial}) AND check_status = 'fail')
                FROM lake.yearly.check_result LEFT JOIN records USING (edition_id)
                GROUP BY edition_id
                """
            ).fetchall()
        }
    found = []
    for row in sorted(rows, key=_newest_first):
        checks, records, is_trial = counts.get(row.edition_id, (0, 0, False))
        form = known.get(row.form)
        report = form.named(row.period) if form else f"{row.report_year} 年报告"
        last = form.deadlines[-1] if form and form.deadlines else None
        # A statutory day asks for the report of a year; a month or a quarter has none.
        is_asked = last is not None and row.period.is_year
        day = date(row.report_year + 1, last.month, last.day) if last and is_asked else None
        found.append(EditionState(row, report, checks, records, is_trial, day))
    return tuple(found)


def _newest_first(row: EditionRow) -> tuple[int, str, bool, int, int]:
    """Years first, in a year its reports, of each the year's own before those of its parts."""
    period = row.period
    return (
        -row.report_year,
        row.form,
        not period.is_year,
        -period.last.toordinal(),
        -row.edition_number,
    )


def newest_of(editions: tuple[EditionState, ...], form: str, year: int) -> EditionState | None:
    """The newest edition of a report that nothing has replaced; None before the first."""
    of = [
        e
        for e in editions
        if (e.row.form, e.row.period) == (form, Period.of_year(year))
        and e.row.edition_status != "superseded"
    ]
    return next((e for e in of if e.row.is_pending), of[0] if of else None)


def stage_of(edition: EditionState | None, work: Settling = NOTHING_DONE) -> Stage:
    """What a report with that newest edition, whose records are settled so far, waits for."""
    if edition is None or (edition.row.is_pending and edition.is_trial):
        return "build"
    if edition.row.is_published:
        return "done"
    if work.is_handed_over:
        return "approve"
    is_open = work.open or work.mended or work.remark
    return "settle" if is_open or (edition.blocking and not work.settled) else "approve"


def due_on(city: Path, form: str, year: int) -> date | None:
    """The last statutory day of a year's report: by then it must be public. Raises FormError."""
    days = [date(year + 1, d.month, d.day) for d in forms(city)[form].deadlines]
    return max(days, default=None)


def steps_of(
    edition: EditionState | None,
    work: Settling,
    approvers: tuple[str, ...],
    due: date | None,
    today: date,
) -> list[Step]:
    """The four steps of a year's report, with who and when beneath them."""
    stage = stage_of(edition, work)
    row = edition.row if edition else None
    year = f"{due.year} 年 " if due and due.year != today.year else ""
    until = f"{year}{due.month} 月 {due.day} 日前" if due else ""
    if row is None or edition is None:
        told = ["还没有版次", "—", "—", until or "—"]
    else:
        told = [
            _who(row.built_by, row.built_at),
            _settled(edition, work),
            _who(row.approved_by, row.approved_at) if row.approved_at else _waits(stage, approvers),
            _who("", row.approved_at) if row.is_published else until or "—",
        ]
        if stage == "build":
            told[0] = f"只有试编 {row.edition_id}"
    at = {"build": 0, "settle": 1, "approve": 2, "publish": 3, "done": 4}[stage]
    titles = ("编制", "核对与改正", "批准", "公布")
    return [
        Step(title, "done" if i < at else "now" if i == at else "todo", told[i])
        for i, title in enumerate(titles)
    ]


def _who(name: str, at: datetime | None) -> str:
    when = f"{at.month} 月 {at.day} 日" if at else ""
    return "，".join(filter(None, (name, when)))


def _settled(edition: EditionState, work: Settling) -> str:
    if work.returned_by:
        return f"{work.returned_by}退回"
    if work.open:
        parts = (
            f"{work.turns} 条待处理" if work.turns else "",
            f"{work.waits} 条在等" if work.waits else "",
        )
        return "，".join(filter(None, parts))
    if work.mended:
        return f"{work.mended} 条已改正，等重编"
    if work.settled:
        return f"{work.settled} 条已了结"
    if edition.blocking:
        behind = f"{edition.records} 条记录" if edition.records else f"{edition.blocking} 项核对"
        return f"还有 {behind}" if edition.row.is_pending else f"{behind}，已答复"
    return "全部核对通过"


def _waits(stage: Stage, approvers: tuple[str, ...]) -> str:
    if stage != "approve":
        return "—"
    return f"等{'、'.join(approvers)}" if approvers else "尚未"


def year_at_work(
    editions: tuple[EditionState, ...], form: str, last_year: int, records_of_last_year: int
) -> int:
    """The year that the office works on: the last that is over, once there are records of it;
    else the newest of which an edition waits; else the last that is over."""
    if records_of_last_year:
        return last_year
    waiting = [
        e.row.report_year
        for e in editions
        if e.row.form == form and e.row.is_pending and e.row.period.is_year
    ]
    return max(waiting, default=last_year)
