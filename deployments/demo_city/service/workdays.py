"""Working days by the State Council's holiday notices, make-up working days included."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, timedelta
from functools import cache

import chinese_calendar

_FIRST, _LAST = date(2017, 12, 1), date(2022, 12, 31)


@cache
def _working_days() -> list[date]:
    days = (_FIRST + timedelta(n) for n in range((_LAST - _FIRST).days + 1))
    return [day for day in days if chinese_calendar.is_workday(day)]


def is_working_day(day: date) -> bool:
    days = _working_days()
    at = bisect_right(days, day)
    return at > 0 and days[at - 1] == day


def add_working_days(day: date, count: int) -> date:
    """The `count`-th working day after `day`, which itself does not count.

    A `count` of 0 gives the last working day up to `day`; negative counts go back from there.
    """
    days = _working_days()
    return days[bisect_right(days, day) - 1 + count]


def working_days_between(first: date, last: date) -> int:
    """Working days after `first` up to and including `last`."""
    days = _working_days()
    return bisect_right(days, last) - bisect_right(days, first)
