"""Approving and publishing in tests: the two acts one after the other, and codes of a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks.clock import BEIJING
from tasks.publish.approvals import Request, approve
from tasks.publish.publish import Published, publish
from tasks.settings import Settings
from tests.operator_room import SECRET
from warehouse.lake import Lake


def approve_and_publish(
    lake: Lake, settings: Settings, request: Request, *, now: datetime, **more: Any
) -> Published:
    """What an approver and the run after them do."""
    given = approve(lake, settings, request, now=now)
    return publish(lake, settings, str(given.number), now=now, **more)


def code_at(moment: datetime, secret: str = SECRET) -> str:
    """The code that an authenticator shows at a moment (Asia/Shanghai)."""
    import pyotp

    return pyotp.TOTP(secret).at(int(moment.replace(tzinfo=BEIJING).timestamp()))
