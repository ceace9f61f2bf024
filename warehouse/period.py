"""The span of days that a report tells of.

Reports are yearly today. A quarter, a half-year, a month or a free span is a kind to add here:
its first and last day, what it is called, and the same span a year before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Kind = Literal["year"]


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

    @property
    def year(self) -> int:
        """The year that it lies in: the report year."""
        return self.first.year

    @property
    def key(self) -> str:
        """As it stands in the ids of editions and in the names of files and tables."""
        return str(self.year)

    @property
    def label(self) -> str:
        """As a person reads it."""
        return f"{self.year} 年"

    @property
    def title(self) -> str:
        """As it stands in a report's title."""
        return f"{self.year}年"

    @property
    def year_before(self) -> Period:
        """The same span a year before."""
        return Period.of_year(self.year - 1)
