"""版次: every edition there is, by year and report, and how one is found again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from tasks.desk import pinned
from tasks.desk.kept import one_look
from tasks.editions.edition import EDITION_STATUS_LABELS
from tasks.editions.store import EditionRow
from tasks.settings import Settings
from tasks.wording.typeset import typeset
from warehouse.errors import ConfigurationError
from warehouse.form import ANNUAL_REPORT, Form, forms
from warehouse.lake import Lake
from warehouse.period import Period

Mark = Literal["done", "turn", "wait", "none", "broken"]
LONGEST_SEARCH = 80
_HASH = re.compile(r"[0-9a-f]{4,64}")
_NUMBER = re.compile(r"[+-]?[\d,]*\.?\d+%?")
_DAY = re.compile(r"(?:(\d{4})\s*[-年./]\s*)?(\d{1,2})\s*[-月./]\s*(?:(\d{1,2})\s*日?)?")


@dataclass(frozen=True)
class State:
    """Where an edition stands: the shape of its mark, and the word."""

    mark: Mark
    word: str


@dataclass(frozen=True)
class Listed:
    """An edition in the list. `found_by` says what of it a search met, besides its number."""

    row: EditionRow
    state: State
    has_files: bool
    found_by: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """Why it was built."""
        if self.row.reason:
            return self.row.reason
        return "第一次编制" if self.row.edition_number == 1 else "重新编制"


@dataclass(frozen=True)
class Report:
    """A report of a period with its editions, the newest first. `note` is its statutory day
    while it is not published."""

    period: Period
    form: str
    title: str
    note: str
    editions: tuple[Listed, ...]


@dataclass(frozen=True)
class Editions:
    """What the page shows: the reports that were asked for, and what there is to choose from."""

    reports: tuple[Report, ...]
    years: tuple[int, ...]
    forms: Mapping[str, str]
    count: int
    found: int

    @property
    def pair(self) -> tuple[str, str]:
        """Two of one report to begin a comparison with: the newest two of the first that has
        two; empty where there are none."""
        for report in self.reports:
            if len(report.editions) > 1:
                newest, before, *_ = report.editions
                return before.row.edition_id, newest.row.edition_id
        return "", ""


def state_of(row: EditionRow, *, is_trial: bool = False) -> State:
    """Where an edition stands. A trial of an incomplete year can never be published."""
    if row.is_published:
        return State("done", EDITION_STATUS_LABELS["published"])
    if not row.is_pending:
        return State("none", "已被替代" if row.approved_at else "已有新版")
    if is_trial:
        return State("wait", "试编")
    return State("turn", "待改正" if row.blocking_findings else "待批准")


def city_forms(settings: Settings) -> Mapping[str, Form]:
    """The forms of the city; the shipped ones where its own cannot be read."""
    try:
        return forms(settings.city)
    except ConfigurationError:
        return forms()


def find_editions(
    lake: Lake,
    settings: Settings,
    *,
    today: date,
    asked: str = "",
    year: int | None = None,
    form: str = "",
    only_published: bool = False,
) -> Editions:
    """The editions by year and report, the newest first.

    `asked` finds by number, person, reason, statement, fingerprint, day (3-29, 2021 年 3 月) or by
    a figure that the whole city has in them. Raises LakeError.
    """
    asked = asked.strip()[:LONGEST_SEARCH]
    figure = _figure(asked)
    with one_look(lake):
        trials, all_rows = pinned.trials(lake), pinned.rows(lake)
        with_figure = pinned.with_figure(lake, figure) if figure is not None else frozenset()
    known = city_forms(settings)
    titles = {row.form: _title(lake, row, known) for row in all_rows}
    with_files = settings.edition_shelf.names()
    listed: dict[tuple[Period, str], list[Listed]] = {}
    for row in all_rows:
        if year not in (None, row.period.year) or form not in ("", row.form):
            continue
        if only_published and not row.is_published:
            continue
        state = state_of(row, is_trial=row.edition_id in trials)
        met = _met(row, state, asked, is_with_figure=row.edition_id in with_figure)
        if asked and met is None:
            continue
        has_files = row.edition_id in with_files
        listed.setdefault((row.period, row.form), []).append(
            Listed(row, state, has_files, tuple(met or ()))
        )
    reports = tuple(
        _report(listed[key], titles, known, all_rows, today)
        for key in sorted(listed, key=lambda k: _place(k[0], k[1], titles[k[1]]))
    )
    return Editions(
        reports,
        tuple(sorted({row.period.year for row in all_rows}, reverse=True)),
        dict(sorted(titles.items(), key=lambda one: (one[0] != ANNUAL_REPORT, one[1]))),
        len(all_rows),
        sum(len(report.editions) for report in reports),
    )


def _place(period: Period, form: str, title: str) -> tuple[Any, ...]:
    """Where a report stands in the list: by year, the annual report first, then by its span."""
    is_first = form == ANNUAL_REPORT and period.is_year
    return (-period.year, not is_first, title, not period.is_year, period.first, period.last)


def _title(lake: Lake, row: EditionRow, known: Mapping[str, Form]) -> str:
    """What a report is called; a form that the city has no longer, as its editions keep it."""
    form = known.get(row.form) or pinned.without_figures(lake, row).form
    return typeset(form.short_title)


def _report(
    editions: Sequence[Listed],
    titles: Mapping[str, str],
    known: Mapping[str, Form],
    all_rows: Iterable[EditionRow],
    today: date,
) -> Report:
    newest_first = tuple(sorted(editions, key=lambda one: -one.row.edition_number))
    row = newest_first[0].row
    is_published = any(
        r.is_published for r in all_rows if (r.form, r.period) == (row.form, row.period)
    )
    note = "" if is_published else due_told(known.get(row.form), row.period, today)
    return Report(row.period, row.form, titles[row.form], note, newest_first)


def due_on(form: Form | None, period: Period) -> date | None:
    """The last statutory day of a yearly report; None for one without any."""
    if form is None or not period.is_year or not form.deadlines:
        return None
    last = max(form.deadlines, key=lambda entry: (entry.month, entry.day))
    return date(period.year + 1, last.month, last.day)


def due_told(form: Form | None, period: Period, today: date) -> str:
    """The statutory day in a sentence: 3 月 31 日前公布，还有 2 天."""
    due = due_on(form, period)
    if due is None:
        return ""
    left = (due - today).days
    named = f"{due.month} 月 {due.day} 日前公布"
    if abs(left) > 366:
        return f"应在 {due.year} 年 {named}"
    return f"{named}，" + (f"还有 {left} 天" if left >= 0 else f"已过 {-left} 天")


def _met(row: EditionRow, state: State, asked: str, *, is_with_figure: bool) -> list[str] | None:
    """What of an edition a search met; None for nothing."""
    if not asked:
        return []
    text = asked.lower()
    if text in row.edition_id.lower():
        return []
    said = {
        "编制人": row.built_by,
        "批准人": row.approved_by,
        "说明": row.reason,
        "批准意见": row.statement,
        "状态": state.word,
    }
    met = [name for name, value in said.items() if text in value.lower()]
    if _HASH.fullmatch(text):
        hashes = (row.cell_hash, row.definition_hash, row.findings_hash, row.manifest_hash)
        met += ["指纹"] if any(value.startswith(text) for value in hashes) else []
    days = {"编制": row.built_at, "数据截至": row.data_as_of, "批准": row.approved_at}
    met += [f"{name}日期" for name, at in days.items() if at is not None and _is_on(at, asked)]
    met += [f"全市有数字 {asked}"] if is_with_figure else []
    return met or None


def _is_on(at: datetime, asked: str) -> bool:
    found = _DAY.fullmatch(asked.strip())
    if found is None:
        return False
    year, month, day = (int(part) if part else None for part in found.groups())
    return (
        month == at.month and (year is None or year == at.year) and (day is None or day == at.day)
    )


def _figure(asked: str) -> Decimal | None:
    """A number as someone reads it off a page; None for anything else."""
    if not _NUMBER.fullmatch(asked):
        return None
    try:
        value = Decimal(asked.replace(",", "").rstrip("%"))
    except InvalidOperation:
        return None
    # What no figure can hold is no figure.
    return value if abs(value) < Decimal(10) ** 17 else None
