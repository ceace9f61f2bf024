"""Days and moments: Beijing time in, epoch milliseconds or a vendor's text out."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from functools import cache
from random import Random

from deployments.demo_city.service.workdays import is_working_day

BEIJING = timezone(timedelta(hours=8))

# The demo city's present: what happens later has not happened yet.
PRESENT = date(2022, 1, 31)

YEARS = (2019, 2020, 2021)

_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()
_OFFSET_MS = 8 * 3_600_000


def day_ms(day: date) -> int:
    """The first millisecond of a Beijing day."""
    return (day.toordinal() - _EPOCH) * _DAY_MS - _OFFSET_MS


def ms_day(ms: int) -> date:
    return date.fromordinal((ms + _OFFSET_MS) // _DAY_MS + _EPOCH)


@cache
def _day_text(number: int) -> str:
    return date.fromordinal(number + _EPOCH).isoformat()


def _text(ms: int, between: str) -> str:
    days, rest = divmod((ms + _OFFSET_MS) // 1000, 86_400)
    return f"{_day_text(days)}{between}{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


def spaced(ms: int) -> str:
    """`2020-03-05 14:22:01`"""
    return _text(ms, " ")


def iso(ms: int) -> str:
    """`2020-03-05T14:22:01`"""
    return _text(ms, "T")


def iso_zone(ms: int) -> str:
    """`2020-03-05T14:22:01+08:00`"""
    return _text(ms, "T") + "+08:00"


def parse_ms(text: str) -> int:
    """Epoch milliseconds of any of the forms above, or of a bare date. Raises ValueError."""
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=BEIJING)
    return int(moment.timestamp() * 1000)


def office_hours(rng: Random, day: date) -> int:
    """A moment between 08:30 and 17:30 of a day."""
    return day_ms(day) + 30_600_000 + int(rng.random() * 32_400) * 1000


class DayDraw:
    """Draws days of a year; weekends and holidays with a weight of their own."""

    def __init__(self, rng: Random, first: date, last: date, idle_weight: float) -> None:
        self._rng = rng
        self.days = [first + timedelta(n) for n in range((last - first).days + 1)]
        total, self._cumulative = 0.0, []
        for day in self.days:
            season = 0.8 + 0.4 * (day.month / 12)
            total += season * (1.0 if is_working_day(day) else idle_weight)
            self._cumulative.append(total)

    def pick(self) -> date:
        return self._rng.choices(self.days, cum_weights=self._cumulative)[0]

    def many(self, count: int) -> list[date]:
        return sorted(self._rng.choices(self.days, cum_weights=self._cumulative, k=count))


def until_present(day: date | None) -> date | None:
    """The day, or None while it is still to come."""
    return day if day is not None and day <= PRESENT else None
