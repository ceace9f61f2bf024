"""How long Prefect's server keeps the history of runs, also where none stands all day."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette

from tasks.settings import Settings

_DAY = 86_400


def history_variables(settings: Settings) -> dict[str, str]:
    """What the server is told: what is removed, and after how many seconds."""
    return {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(settings.keep_run_days * _DAY),
    }


def when_up(app: Starlette, act: Callable[[], Awaitable[None]]) -> None:
    """Let an application do something once it is up, before it answers."""
    starting = app.router.lifespan_context

    @asynccontextmanager
    async def with_act(app: Any) -> AsyncIterator[Any]:
        async with starting(app) as state:
            await act()
            yield state

    app.router.lifespan_context = with_act


def vacuum_on_start(app: Starlette) -> None:
    """Let the server of one run remove the old runs beside its work: it is gone before the
    hourly service of a standing server would begin."""
    kept: list[asyncio.Task[None]] = []

    async def begin() -> None:
        kept.append(asyncio.create_task(_vacuum()))

    when_up(app, begin)


async def _vacuum() -> None:
    from prefect.server.database import provide_database_interface
    from prefect.server.services.db_vacuum import vacuum_old_flow_runs

    # A run must not fail because its history could not be tidied; the next one tries again.
    try:
        with suppress(asyncio.CancelledError):
            await vacuum_old_flow_runs(db=provide_database_interface())
    except Exception as error:
        print(f"旧的运行记录没有清理完,下次再清:{error!r}", file=sys.stderr)
