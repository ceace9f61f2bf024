"""今天, read of the lake before anyone opens it: after a load the first look need not wait."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import date
from typing import Any

import duckdb
from starlette.applications import Starlette

from deployments.run_history import when_up
from tasks.clock import now
from tasks.desk.kept import state_of
from tasks.desk.seen import see
from tasks.settings import Settings
from warehouse.errors import NianbaoError

LOOK_SECONDS = 10


class Ahead:
    """Looks at a lake again and again, and reads what 今天 shows once it has come to rest."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._is_first = True
        self._last: tuple[Any, date] | None = None
        self._read: tuple[Any, date] | None = None

    def look(self) -> bool:
        """One look; True when it read the lake.

        The first look reads at once: whoever started the server is about to open the page. A run by
        night writes for minutes: what changed between two looks is left until it no longer does. Without a lake, or with one that cannot be read now, nothing is done; whoever
        opens the page is told why.
        """
        is_first, self._is_first = self._is_first, False
        with suppress(NianbaoError, duckdb.Error):
            moment = now()
            found = state_of(self._settings.lake()), moment.date()
            at_rest, self._last = found == self._last, found
            if (at_rest or is_first) and found != self._read:
                see(self._settings, now=moment)
                self._read = found
                return True
        return False


def look_ahead_on_start(app: Starlette, settings: Settings) -> None:
    """Let an application look ahead beside its work, from when it is up."""
    kept: list[asyncio.Task[None]] = []

    async def begin() -> None:
        kept.append(asyncio.create_task(_look_on(Ahead(settings))))

    when_up(app, begin)


async def _look_on(ahead: Ahead) -> None:
    while True:
        await asyncio.to_thread(ahead.look)
        await asyncio.sleep(LOOK_SECONDS)
