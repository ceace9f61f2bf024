"""The one clock: Asia/Shanghai, as a naive timestamp, which is how the lake keeps time."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")


def now() -> datetime:
    """The present moment in Asia/Shanghai, to the microsecond, without zone."""
    return datetime.now(BEIJING).replace(tzinfo=None)
