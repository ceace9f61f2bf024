"""The span of days that a report tells of: a year, or any other span.

A statutory report tells of a calendar year. Statistics within it are owed by month, quarter and
half-year, and a free span may be asked for; each is reckoned by the same cells. What is carried into
a span is what was open at the end of the span before it.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from warehouse.errors import EntryError

Kind = Literal["year", "half", "quarter", "month", "span"]
MONTHS = {"year": 12, "half": 6, "quarter": 3, "month": 1}
"""How many months a kind of span has."""
HOW_WRITTEN = "2020、2020H1(上半年)、2020Q1(第一季度)、2020-03、2020-01-01..2020-06-30"
FIRST_YEAR, LAST_YEAR = 2004, 2100
_WRITTEN = re.compile(
    r"(?P<year>\d{4})(?:[Hh](?P<half>[12])|[Qq](?P<quarter>[1-4])|-(?P<month>0[1-9]|1[0-2]))?"
)
_DAYS = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})")
_NUMBERS = "一二三四"


class NoPeriod(EntryError):
    """What was entered is no span of time; the message says how one is written."""


@dataclass(frozen=True)
class Period:
    """A span, both days included, in Asia/Shanghai."""

    kind: Kind
    first: date
    last: date

    @classmethod
    def of_year(cls, year: int) -> Period:
        """A calendar year."""
        return cls("year", date(year, 1, 1), date(year, 12, 31))

    @classmethod
    def of_months(cls, kind: Kind, year: int, month: int) -> Period:
        """A month, quarter, half-year or year that begins with a month; months beyond a year run
        into the next, those before the first into the one before."""
        first_year, at = divmod(year * 12 + month - 1, 12)
        last_year, until = divmod(first_year * 12 + at + MONTHS[kind] - 1, 12)
        end = calendar.monthrange(last_year, until + 1)[1]
        return cls(kind, date(first_year, at + 1, 1), date(last_year, until + 1, end))

    @classmethod
    def parse(cls, text: str) -> Period:
        """A span as a person writes it: 2020, 2020H1, 2020Q1, 2020-03, 2020-01-01..2020-06-30.

        Raises NoPeriod.
        """
        text = text.strip()
        if days := _DAYS.fullmatch(text):
            return cls._of_days(days[1], days[2])
        found = _WRITTEN.fullmatch(text)
        if found is None or not FIRST_YEAR <= int(found["year"]) <= LAST_YEAR:
            raise NoPeriod(f"“{text}”不是可以统计的时段。可以写 {HOW_WRITTEN}")
        year = int(found["year"])
        kinds: tuple[Kind, ...] = ("half", "quarter", "month")
        for kind in kinds:
            if found[kind]:
                return cls.of_months(kind, year, (int(found[kind]) - 1) * MONTHS[kind] + 1)
        return cls.of_year(year)

    @classmethod
    def _of_days(cls, first: str, last: str) -> Period:
        try:
            span = cls("span", date.fromisoformat(first), date.fromisoformat(last))
        except ValueError as error:
            raise NoPeriod(f"“{first}..{last}”中有不存在的日期。可以写 {HOW_WRITTEN}") from error
        if span.first > span.last:
            raise NoPeriod(f"“{first}..{last}”的起始日晚于终止日。可以写 {HOW_WRITTEN}")
        if not FIRST_YEAR <= span.first.year <= span.last.year <= LAST_YEAR:
            raise NoPeriod(f"“{first}..{last}”须在 {FIRST_YEAR} 年至 {LAST_YEAR} 年之间")
        return span

    @property
    def is_year(self) -> bool:
        """Whether it is a calendar year, as the statutory reports are."""
        return self.kind == "year"

    @property
    def year(self) -> int:
        """The year whose form holds for it: the one that it ends in."""
        return self.last.year

    @property
    def key(self) -> str:
        """As it stands in the ids of editions and in the names of files, and as `parse` reads it."""
        at = {"half": 6, "quarter": 3}.get(self.kind)
        if at:
            return f"{self.year}{'HQ'[self.kind == 'quarter']}{(self.first.month - 1) // at + 1}"
        if self.kind == "month":
            return f"{self.first:%Y-%m}"
        return str(self.year) if self.is_year else f"{self.first}..{self.last}"

    @property
    def label(self) -> str:
        """As a person reads it."""
        if self.is_year:
            return f"{self.year} 年"
        if self.kind == "half":
            return f"{self.year} 年{'上' if self.first.month == 1 else '下'}半年"
        if self.kind == "quarter":
            return f"{self.year} 年第{_NUMBERS[(self.first.month - 1) // 3]}季度"
        if self.kind == "month":
            return f"{self.year} 年 {self.first.month} 月"
        return f"{self.first} 至 {self.last}"

    @property
    def title(self) -> str:
        """As it stands in a report's title."""
        return self.label if self.kind == "span" else self.label.replace(" ", "")

    @property
    def column(self) -> str:
        """The head of a column of its figures."""
        return "本年" if self.is_year else "本期"

    @property
    def column_before(self) -> str:
        """The head of a column of the figures of the same span a year before."""
        return "上年" if self.is_year else "上年同期"

    @property
    def year_before(self) -> Period:
        """The same span a year before (同比)."""
        if self.kind != "span":
            return Period.of_months(self.kind, self.first.year - 1, self.first.month)
        return Period("span", _a_year_before(self.first), _a_year_before(self.last))

    @property
    def before(self) -> Period:
        """The span before it (环比), at whose end stands what is carried in: of a year the year
        before, of a free span as many days."""
        if self.kind != "span":
            month = self.first.month - MONTHS[self.kind]
            return Period.of_months(self.kind, self.first.year, month)
        days = self.last - self.first
        return Period("span", self.first - timedelta(days=1) - days, self.first - timedelta(days=1))

    def parts(self, kind: Kind) -> tuple[Period, ...]:
        """The months, quarters or half-years that it is made of; none where they do not fit."""
        if self.kind == "span" or kind == "span" or MONTHS[kind] >= MONTHS[self.kind]:
            return ()
        starts = range(self.first.month, self.last.month + 1, MONTHS[kind])
        return tuple(Period.of_months(kind, self.year, month) for month in starts)


def _a_year_before(day: date) -> date:
    last = calendar.monthrange(day.year - 1, day.month)[1]
    return day.replace(year=day.year - 1, day=min(day.day, last))
