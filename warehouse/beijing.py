"""Beijing's time: the zone of every timestamp in the lake, eight hours ahead of UTC all year."""

from __future__ import annotations

from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")
_AHEAD = "28800000000"
"""Eight hours in microseconds, as SQL."""


def to_beijing(instant: str) -> str:
    """An instant (SQL of a TIMESTAMPTZ) as a naive timestamp in Beijing time, as SQL."""
    return f"make_timestamp(epoch_us({instant}) + {_AHEAD})"


def from_beijing(moment: str) -> str:
    """A naive timestamp in Beijing time (SQL) as microseconds since 1970 in UTC, as SQL."""
    return f"epoch_us({moment}::TIMESTAMP) - {_AHEAD}"
