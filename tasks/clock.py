"""The one clock: Asia/Shanghai, as a naive timestamp, which is how the lake keeps time."""

from __future__ import annotations

from datetime import datetime

from warehouse.beijing import BEIJING

__all__ = ["BEIJING", "now"]


def now() -> datetime:
    """The present moment in Asia/Shanghai, to the microsecond, without zone."""
    return datetime.now(BEIJING).replace(tzinfo=None)
