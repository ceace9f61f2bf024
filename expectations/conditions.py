"""The short forms in which common rules are declared, and what each one means in SQL.

A form is given one line in a rule file and becomes either a condition on a single row
(`RowTest`: true for a bad row) or, where other rows or tables decide, a whole query of bad
rows (`QueryTest`). Names of tables stand in braces, `{core.organ}`; `{table}` is the table
of the rule file, `{as_of}` the data date.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from warehouse.answer_time import EXTENSION_WORKING_DAYS, IS_LAPSED, Tables, answer_times_sql
from warehouse.sql import quoted
from warehouse.tables import Column, Table

NOT_REMOVED = "removed_at IS NULL"


class Declared(BaseModel):
    """A part of a rule file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Codes(Declared):
    """`codes`: a column holds one of the listed values, or nothing."""

    column: str
    values: list[str] = Field(min_length=1)


class NotFuture(Declared):
    """`not_future`: a date lies at most `grace_days` after the data date."""

    column: str
    grace_days: int = 0


class Plausible(Declared):
    """`plausible`: dates lie between 1949 and the end of the year after the data date's.

    Only what rests on a bad date is set aside, unless it is `main`, by which the record itself
    is dated. Values that a vendor writes for "none" or "not ended" belong into the source file's
    null_values.
    """

    main: str | None = None
    columns: list[str] = Field(default_factory=list)


class Within(Declared):
    """`within`: a number lies between two bounds, either of which may be left out."""

    column: str
    lowest: float | None = None
    highest: float | None = None


class Reference(Declared):
    """`reference`: what a column names exists in another table of the same source system."""

    column: str
    table: str
    key: str = "record_id"


class OrganTest(Declared):
    """`organ`: the organ is in core.organ (`known`), or was valid on the record's day (`valid`)."""

    test: Literal["known", "valid"]
    column: str = "organ_id"
    day: str | None = None


class WorkingDays(Declared):
    """`working_days`: from one day to another pass at most so many working days.

    Counted by core.calendar_day: the first day does not count, and what happens on a day off
    counts as the next working day. `start`, `finish` and `at_most` are SQL over the row.
    """

    start: str
    finish: str
    at_most: str


class AnswerTime(Declared):
    """`answer_time`: an application is answered, or extended, in the time that the law gives.

    `late` says what is looked at: `answer` those that are closed, on the day they were; `open`
    those that are not, on the data date; `extension` the day of the extension, against the time
    before it; `registered` the last day that the source has registered, against the lawful one.
    How the time runs is `warehouse.answer_time`.
    """

    late: Literal["answer", "open", "extension", "registered"]


class Volume(Declared):
    """`volume`: the number of records in a month stays in proportion to last year's same month.

    Looks at the `months` months before the source's newest record; that a source has gone
    quiet altogether is told by its age. Months in which both years have fewer than `minimum`
    records are left alone, and so is a source that was not there a year ago.
    """

    column: str
    months: int = Field(ge=1)
    minimum: int = Field(ge=1)
    lowest_ratio: float = Field(gt=0)
    highest_ratio: float = Field(gt=1)


@dataclass(frozen=True)
class RowTest:
    """A condition that is true for a bad row, and SQL text that says what is wrong with it."""

    condition: str
    detail: str


@dataclass(frozen=True)
class QueryTest:
    """A query of bad rows: source_system, record_id, organ_id, record_on, detail."""

    sql: str


@dataclass(frozen=True)
class Subject:
    """The table under test, and how a record of it is named.

    `source_system`, `record_id`, `organ_id` and `record_on` are SQL over the row.
    """

    table: Table
    source_system: str
    record_id: str
    organ_id: str
    record_on: str

    @property
    def alive(self) -> str:
        """The rows that are checked at all: those not removed at the source."""
        return NOT_REMOVED if any(c.name == "removed_at" for c in self.table.columns) else "TRUE"

    def rows(self, detail: str, source: str = "{table}", alias: str = "r") -> str:
        """The head of a query of bad rows, up to WHERE."""
        return (
            f"SELECT {self.source_system} AS source_system, {self.record_id} AS record_id, "
            f"{self.organ_id} AS organ_id, CAST({self.record_on} AS DATE) AS record_on, "
            f"{detail} AS detail FROM {source} AS {alias}"
        )

    def column(self, name: str) -> Column:
        """A column of the table. Raises KeyError."""
        for column in self.table.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def label(self, column: str) -> str:
        """What a column is called in Chinese: the beginning of its comment."""
        return self.column(column).label


def both(*conditions: str | None) -> str:
    """Conditions that must all hold."""
    given = [f"({c})" for c in conditions if c]
    return " AND ".join(given) or "TRUE"


def either(conditions: list[str]) -> str:
    return " OR ".join(f"({c})" for c in conditions)


def _listed(parts: list[tuple[str, str]]) -> str:
    """SQL text that joins the labels whose condition holds."""
    cases = ", ".join(f"CASE WHEN {condition} THEN {label} END" for condition, label in parts)
    return f"concat_ws('、', {cases})"


def required(subject: Subject, columns: list[str]) -> RowTest:
    tests = []
    for column in columns:
        missing = f"{column} IS NULL"
        if subject.column(column).sql_type == "VARCHAR":
            missing = f"({missing} OR trim({column}) = '')"
        tests.append((missing, quoted(subject.label(column))))
    return RowTest(either([c for c, _ in tests]), f"concat('缺少:', {_listed(tests)})")


def codes(subject: Subject, form: Codes) -> RowTest:
    values = ", ".join(quoted(v) for v in form.values)
    detail = (
        f"concat({quoted(subject.label(form.column) + ':代码“')}, {form.column}, '”不在代码表内')"
    )
    return RowTest(f"{form.column} NOT IN ({values})", detail)


def order(subject: Subject, columns: list[str]) -> RowTest:
    """Each later than or equal to every one before it; empty ones are passed over."""
    tests = []
    for position, later in enumerate(columns):
        for earlier in columns[:position]:
            said = (
                f"concat({quoted(subject.label(earlier) + ' ')}, {earlier}, "
                f"{quoted(' 晚于 ' + subject.label(later) + ' ')}, {later})"
            )
            tests.append((f"{earlier} > {later}", said))
    return RowTest(either([c for c, _ in tests]), _listed(tests))


FIRST_POSSIBLE_YEAR = 1949


def _impossible(column: str) -> str:
    return (
        f"coalesce(year({column}) NOT BETWEEN {FIRST_POSSIBLE_YEAR} AND year({{as_of}}) + 1, FALSE)"
    )


def plausible(subject: Subject, form: Plausible) -> RowTest:
    names = [*filter(None, [form.main]), *form.columns]
    found = [
        f"CASE WHEN {_impossible(n)} THEN concat({quoted(subject.label(n) + ' ')}, {n}) END"
        for n in names
    ]
    return RowTest(either([_impossible(n) for n in names]), f"concat_ws(';', {', '.join(found)})")


def set_aside_by(value: Plausible) -> str:
    """The columns with an impossible date as SQL over the row, NULL where the record's own is
    among them."""
    found = [f"CASE WHEN {_impossible(name)} THEN {quoted(name)} END" for name in value.columns]
    listed = f"nullif(concat_ws(',', {', '.join(found)}), '')" if found else "NULL"
    if value.main is None:
        return listed
    return f"CASE WHEN NOT {_impossible(value.main)} THEN {listed} END"


def not_future(subject: Subject, form: NotFuture) -> RowTest:
    limit = f"{{as_of}} + {form.grace_days}" if form.grace_days else "{as_of}"
    detail = f"concat({quoted(subject.label(form.column) + ' ')}, {form.column}, ' 晚于数据日期 ', {{as_of}})"
    return RowTest(f"CAST({form.column} AS DATE) > {limit}", detail)


def within(subject: Subject, form: Within) -> RowTest:
    tests = []
    if form.lowest is not None:
        tests.append(f"{form.column} < {form.lowest:g}")
    if form.highest is not None:
        tests.append(f"{form.column} > {form.highest:g}")
    detail = f"concat({quoted(subject.label(form.column) + ':')}, {form.column})"
    return RowTest(either(tests), detail)


def unique(subject: Subject, columns: list[str], when: str | None) -> QueryTest:
    """Rows that share their key with another.

    Suspects are found by an 8-byte hash first, so that a table of any size fits in memory;
    only they are compared exactly.
    """
    key = ", ".join(columns)
    filled = both(subject.alive, when, *(f"{c} IS NOT NULL" for c in columns))
    rows = subject.rows(
        f"concat('重复 ', count(*) OVER (PARTITION BY {key}), ' 次:', concat_ws(' / ', {key}))"
    )
    return QueryTest(
        f"{rows} WHERE {filled} AND hash({key}) IN "
        f"(SELECT hash({key}) FROM {{table}} WHERE {filled} GROUP BY 1 HAVING count(*) > 1) "
        f"QUALIFY count(*) OVER (PARTITION BY {key}) > 1"
    )


def reference(subject: Subject, form: Reference, when: str | None) -> QueryTest:
    label = subject.label(form.column)
    rows = subject.rows(f"concat({quoted(label + ' ')}, r.{form.column}, ' 不存在')")
    return QueryTest(
        f"{rows} WHERE {both(subject.alive, when)} AND r.{form.column} IS NOT NULL "
        f"AND (r.source_system, r.{form.column}) NOT IN "
        f"(SELECT (source_system, {form.key}) FROM {{{form.table}}} WHERE {form.key} IS NOT NULL)"
    )


def organ(subject: Subject, form: OrganTest, when: str | None) -> QueryTest:
    column = form.column
    known = f"r.{column} IN (SELECT organ_id FROM {{core.organ}})"
    label = subject.label(column)
    if form.test == "known":
        rows = subject.rows(f"concat({quoted(label + ' ')}, r.{column}, ' 不在机关表内')")
        wanted = f"r.{column} IS NOT NULL AND NOT {known}"
    else:
        day = f"CAST({form.day or subject.record_on} AS DATE)"
        rows = subject.rows(
            f"concat({quoted(label + ' ')}, r.{column}, ' 在 ', {day}, ' 不是有效机关')"
        )
        wanted = (
            f"{day} IS NOT NULL AND {known} AND NOT EXISTS (SELECT 1 FROM {{core.organ}} AS o "
            f"WHERE o.organ_id = r.{column} AND o.valid_from <= {day} "
            f"AND (o.valid_to IS NULL OR o.valid_to >= {day}))"
        )
    return QueryTest(f"{rows} WHERE {both(subject.alive, when)} AND {wanted}")


def working_days(subject: Subject, form: WorkingDays, when: str | None) -> QueryTest:
    """Only calendar days both ends of which the calendar has; its own rules see to its reach."""
    passed = (
        "finish_day.working_day_number + CASE WHEN finish_day.is_working_day THEN 0 ELSE 1 END "
        "- start_day.working_day_number"
    )
    inner = (
        f"SELECT r.*, CAST({form.start} AS DATE) AS start_on, CAST({form.finish} AS DATE) AS finish_on, "
        f"({form.at_most}) AS days_allowed FROM {{table}} AS r WHERE {both(subject.alive, when)}"
    )
    joined = (
        f"(SELECT i.*, {passed} AS days_passed FROM ({inner}) AS i "
        "JOIN {core.calendar_day} AS start_day ON start_day.day_on = i.start_on "
        "JOIN {core.calendar_day} AS finish_day ON finish_day.day_on = i.finish_on)"
    )
    rows = subject.rows(
        "concat('自 ', start_on, ' 至 ', finish_on, ' 共 ', days_passed, ' 个工作日,期限 ', "
        "days_allowed, ' 个工作日')",
        source=joined,
    )
    return QueryTest(f"{rows} WHERE days_passed > days_allowed")


_ANSWER_TABLES = Tables("{table}", "{core.application_event}", "{core.calendar_day}")
_PASSED = (
    "concat('自 ', started_on, ' 至 ', judged_on, ' 共 ', days_passed, ' 个工作日,期限 ', "
    "{allowed}, ' 个工作日')"
)
_ANSWERS_LATE = {
    "answer": (
        "a.closed_on",
        f"closed_on IS NOT NULL AND NOT {IS_LAPSED} AND waits_for IS NULL "
        "AND days_passed > days_allowed",
        _PASSED.format(allowed="days_allowed"),
    ),
    "open": (
        "{as_of}",
        "closed_on IS NULL AND outcome IS NULL AND waits_for IS NULL AND days_passed > days_allowed",
        _PASSED.format(allowed="days_allowed"),
    ),
    "extension": (
        "a.extended_on",
        f"extended_on IS NOT NULL AND waits_for IS NULL "
        f"AND days_passed > days_allowed - {EXTENSION_WORKING_DAYS}",
        _PASSED.format(allowed=f"days_allowed - {EXTENSION_WORKING_DAYS}"),
    ),
    "registered": (
        "coalesce(a.closed_on, {as_of})",
        "due_on IS NOT NULL AND registered_due_on > due_on",
        "concat('登记的答复期限 ', registered_due_on, ',法定期限 ', due_on)",
    ),
}
"""For each kind: the day judged by, the condition of a bad row, and what is wrong with it."""


def answer_time(subject: Subject, form: AnswerTime, when: str | None) -> QueryTest:
    judged_on, late, detail = _ANSWERS_LATE[form.late]
    rows = subject.rows(detail, source=f"({answer_times_sql(judged_on, _ANSWER_TABLES)})")
    return QueryTest(f"{rows} WHERE {both(when, late)}")


def volume(subject: Subject, form: Volume) -> QueryTest:
    # A day made of each month's year and number takes a third of the time that cutting off days does.
    counts = (
        "SELECT source_system, make_date(of_year, of_month, 1) AS month_on, records FROM ("
        f"SELECT source_system, year({form.column}) AS of_year, month({form.column}) AS of_month, "
        f"count(*) AS records FROM {{table}} WHERE {subject.alive} "
        f"AND CAST({form.column} AS DATE) <= {{as_of}} GROUP BY ALL)"
    )
    detail = "concat(strftime(month_on, '%Y年%m月'), ' 共 ', this_year, ' 条,上年同月 ', last_year, ' 条')"
    return QueryTest(
        f"WITH counts AS ({counts}), "
        "sources AS (SELECT source_system, min(month_on) AS oldest_on, max(month_on) AS newest_on "
        "FROM counts GROUP BY ALL), "
        "months AS (SELECT source_system, oldest_on, "
        "CAST(newest_on - INTERVAL (n + 1) MONTH AS DATE) AS month_on, "
        "CAST(newest_on - INTERVAL (n + 13) MONTH AS DATE) AS year_before_on "
        f"FROM sources, range({form.months}) AS numbers(n)), "
        "compared AS (SELECT m.source_system, m.month_on, coalesce(now.records, 0) AS this_year, "
        "coalesce(before.records, 0) AS last_year FROM months AS m "
        "LEFT JOIN counts AS now ON now.source_system = m.source_system AND now.month_on = m.month_on "
        "LEFT JOIN counts AS before ON before.source_system = m.source_system "
        "AND before.month_on = m.year_before_on WHERE m.oldest_on <= m.year_before_on) "
        "SELECT source_system, strftime(month_on, '%Y-%m') AS record_id, "
        "CAST(NULL AS VARCHAR) AS organ_id, month_on AS record_on, "
        f"{detail} AS detail FROM compared "
        f"WHERE greatest(this_year, last_year) >= {form.minimum} "
        f"AND (this_year < last_year * {form.lowest_ratio:g} "
        f"OR (last_year > 0 AND this_year > last_year * {form.highest_ratio:g}))"
    )


Test = RowTest | QueryTest
Builder = Callable[[Subject, Any, str | None], Test]

FORMS: dict[str, Builder] = {
    "required": lambda subject, value, when: required(subject, value),
    "codes": lambda subject, value, when: codes(subject, value),
    "order": lambda subject, value, when: order(subject, value),
    "not_future": lambda subject, value, when: not_future(subject, value),
    "plausible": lambda subject, value, when: plausible(subject, value),
    "within": lambda subject, value, when: within(subject, value),
    "unique": unique,
    "reference": reference,
    "organ": organ,
    "working_days": working_days,
    "answer_time": answer_time,
    "volume": lambda subject, value, when: volume(subject, value),
}
"""How each form of a rule file becomes SQL; `condition` and `query` are SQL already."""
