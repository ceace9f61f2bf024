"""Spans of time: how sources write moments, how a long span is split, what still may change.

Inside, a moment is a naive datetime in Beijing time, as in the core tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tasks.clock import BEIJING


@dataclass(frozen=True, order=True)
class Window:
    """From `start` up to, not including, `end`."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{moment_text(self.start)}/{moment_text(self.end)}"


def moment_text(moment: datetime) -> str:
    """A moment as it is kept in `ops`: `2020-03-05T00:00:00`."""
    return moment.isoformat(timespec="microseconds" if moment.microsecond else "seconds")


def parse_moment(value: str | date | datetime) -> datetime:
    """A moment from a day or an ISO text; with a zone it is brought to Beijing time.

    Raises ValueError.
    """
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value.astimezone(BEIJING).replace(tzinfo=None) if value.tzinfo else value


def write_moment(moment: datetime, form: str, zone: str) -> str:
    """A moment as a source wants it: `epoch_s`, `epoch_ms`, `iso` or a strptime format."""
    aware = moment.replace(tzinfo=BEIJING)
    if form == "epoch_s":
        return str(int(aware.timestamp()))
    if form == "epoch_ms":
        return str(int(aware.timestamp() * 1000))
    local = aware.astimezone(ZoneInfo(zone))
    if form == "iso":
        return local.isoformat(timespec="seconds")
    text = local.strftime(form)
    if "%z" in form:
        # Python writes +0800, systems that take an ISO time mostly want +08:00.
        compact = local.strftime("%z")
        text = text.replace(compact, f"{compact[:3]}:{compact[3:]}")
    return text


def smallest_step(form: str) -> timedelta:
    """The finest difference that a way of writing moments can show."""
    if form == "epoch_ms" or "%f" in form:
        return timedelta(milliseconds=1)
    if form in ("epoch_s", "iso") or "%S" in form or "%T" in form:
        return timedelta(seconds=1)
    if "%M" in form:
        return timedelta(minutes=1)
    return timedelta(hours=1) if "%H" in form else timedelta(days=1)


def write_window(window: Window, form: str, zone: str, *, to_is_inclusive: bool) -> tuple[str, str]:
    """Both ends as a source wants them.

    When the source counts the end itself, it is given the last moment before it.
    """
    end = window.end - smallest_step(form) if to_is_inclusive else window.end
    return write_moment(window.start, form, zone), write_moment(max(end, window.start), form, zone)


def split(window: Window, by: str) -> Iterator[Window]:
    """The window cut at the beginnings of days, weeks (Monday), months or years."""
    start = window.start
    while start < window.end:
        end = min(_next(start, by), window.end) if by != "none" else window.end
        yield Window(start, end)
        start = end


def _next(moment: datetime, by: str) -> datetime:
    day = datetime(moment.year, moment.month, moment.day)
    if by == "day":
        return day + timedelta(days=1)
    if by == "week":
        return day + timedelta(days=7 - day.weekday())
    if by == "month":
        return datetime(day.year + day.month // 12, day.month % 12 + 1, 1)
    return datetime(day.year + 1, 1, 1)
