"""One-time codes (RFC 6238): judged at the moment they are entered, used up at first sight."""

from __future__ import annotations

import hmac
import sqlite3
from datetime import datetime
from typing import Literal

from tasks.clock import BEIJING

STEP_SECONDS = 30
WINDOW_STEPS = 1
"""How many steps a clock may be off, either way."""
Verdict = Literal["accepted", "wrong", "reused"]


def judge(
    connection: sqlite3.Connection, person: str, secret: str, code: str, *, now: datetime
) -> Verdict:
    """Judge a code as of `now`, the moment it was entered. A right one serves once: it is used
    up here, whatever comes of what it was entered for. Neither is kept nor told anywhere."""
    step = step_of(secret, code, now)
    if step is None:
        return "wrong"
    used = connection.execute("SELECT step FROM code_used WHERE person = ?", [person]).fetchone()
    if used is not None and step <= used["step"]:
        return "reused"
    connection.execute("INSERT OR REPLACE INTO code_used VALUES (?, ?)", [person, step])
    return "accepted"


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is, within the window; None for a wrong code."""
    import pyotp

    current = int(now.replace(tzinfo=BEIJING).timestamp()) // STEP_SECONDS
    generator = pyotp.TOTP(secret)
    given = "".join(code.split()).encode()
    found = None
    for step in range(current - WINDOW_STEPS, current + WINDOW_STEPS + 1):
        if hmac.compare_digest(generator.at(step * STEP_SECONDS).encode(), given):
            found = step
    return found
