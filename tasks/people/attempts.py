"""Failed tries slow the one who tries. Nobody is locked out by what others try."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from warehouse.errors import EntryError

MOST_WRONG = 5
LOCKED_FOR = timedelta(minutes=15)


class TooManyTries(EntryError):
    """Whoever tries must wait; the message says how long."""

    def __init__(self, wait: timedelta) -> None:
        self.wait = wait
        seconds = max(1, int(wait.total_seconds() + 0.999))
        told = f"{seconds} 秒" if seconds < 60 else f"{-(-seconds // 60)} 分钟"
        super().__init__(f"刚才填错了;连续错误越多等得越久:请等 {told}后再试。不影响其他人")


def tried_wrongly(connection: sqlite3.Connection, tried_by: str, what: str, now: datetime) -> None:
    """Keep that someone tried in vain."""
    connection.execute("INSERT INTO attempt VALUES (?, ?, ?)", [tried_by, what, now.isoformat()])
    connection.execute(
        "DELETE FROM attempt WHERE tried_at < ?", [(now - 4 * LOCKED_FOR).isoformat()]
    )


def tried_rightly(connection: sqlite3.Connection, tried_by: str, what: str) -> None:
    """Forget what someone tried in vain before."""
    connection.execute("DELETE FROM attempt WHERE tried_by = ? AND what = ?", [tried_by, what])


def wait_of(
    connection: sqlite3.Connection, tried_by: str, what: str, now: datetime, *, slows: bool = True
) -> timedelta:
    """How long whoever tries must still wait: a quarter of an hour after five failures; where
    each one `slows` the next, a second after the first and twice as long after each further one."""
    row = connection.execute(
        "SELECT count(*) AS wrong, max(tried_at) AS last FROM attempt "
        "WHERE tried_by = ? AND what = ? AND tried_at > ?",
        [tried_by, what, (now - LOCKED_FOR).isoformat()],
    ).fetchone()
    if row["wrong"] >= MOST_WRONG:
        pause = LOCKED_FOR
    elif row["wrong"] and slows:
        pause = timedelta(seconds=2 ** (row["wrong"] - 1))
    else:
        return timedelta(0)
    return max(timedelta(0), datetime.fromisoformat(row["last"]) + pause - now)


def check_may_try(connection: sqlite3.Connection, tried_by: str, what: str, now: datetime) -> None:
    """Raises TooManyTries."""
    wait = wait_of(connection, tried_by, what, now)
    if wait > timedelta(0):
        raise TooManyTries(wait)
