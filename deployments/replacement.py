"""A run of a worker that crashed is begun again by whichever worker has a place.

`automations.py` lets the server call a run crashed that nothing is heard of any more. An automation
of Prefect's could start a deployment then, but not with what the run was asked for, nor only so many
times. So the server looks itself: for each crashed run it makes one of the same deployment with the same
parameters, at most `MOST` times one after the other. A key says what replaces what, so that of several
server processes one makes it, and none makes it twice. What `nianbao serve` runs ends with it and is not
replaced: whoever starts it again looks at what was lost.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette

from deployments.run_history import when_up

MOST = 2
"""Replacements of one run. What crashes three times is no worker's fault: a person is to look."""
LOOK_SECONDS = 20
LOOKED_BACK = timedelta(hours=2)
"""How old a crash may be: as long as the server itself may have been away."""
KEY = "replaces"
TAG = "接替"


def replace_on_start(app: Starlette) -> None:
    """Let an application of Prefect's server replace crashed runs as long as it is up."""
    kept: list[asyncio.Task[None]] = []

    async def begin() -> None:
        kept.append(asyncio.create_task(_keep_looking()))

    when_up(app, begin)


async def _keep_looking() -> None:
    while True:
        # The database may be away for a moment; the next look finds what this one did not.
        try:
            await replace_crashed(datetime.now(UTC))
        except Exception as error:
            print(f"中断的运行没有查成,稍后再查:{error!r}", file=sys.stderr, flush=True)
        await asyncio.sleep(LOOK_SECONDS)


async def replace_crashed(now: datetime) -> list[str]:
    """Make what replaces the runs that crashed of late; returns the ids of what was made."""
    from prefect.server.api.clients import OrchestrationClient
    from prefect.server.database import provide_database_interface

    database: Any = provide_database_interface()
    async with database.session_context() as session:
        runs = await _crashed(database, session, now - LOOKED_BACK)
        wanted = [run for run in runs if not await _is_done_by_another(database, session, run)]
    if not wanted:
        return []
    made = []
    async with OrchestrationClient() as client:
        for run in wanted:
            answer = await client.create_flow_run(run.deployment_id, _request(run))
            answer.raise_for_status()
            made.append(str(answer.json()["id"]))
    return made


def key_of(run_id: str, key: str | None) -> str | None:
    """The key of what replaces a run that has this id and key; None where it was replaced often
    enough."""
    name, _, rest = (key or "").partition(":")
    count, _, first = rest.partition(":") if name == KEY else ("0", "", run_id)
    return f"{KEY}:{int(count) + 1}:{first}" if int(count) < MOST else None


async def _crashed(database: Any, session: Any, since: datetime) -> Sequence[Any]:
    """Runs of workers that crashed since a moment and are neither replaced nor beyond it."""
    import sqlalchemy
    from prefect.server.schemas.states import StateType

    run = database.FlowRun
    found = await session.execute(
        sqlalchemy.select(run).where(
            run.state_type == StateType.CRASHED,
            run.state_timestamp >= since,
            run.deployment_id.is_not(None),
            run.work_queue_id.is_not(None),
        )
    )
    by_key = {
        key: one
        for one in found.scalars().unique()
        if (key := key_of(str(one.id), one.idempotency_key)) is not None
    }
    there = await session.execute(
        sqlalchemy.select(run.idempotency_key).where(run.idempotency_key.in_(list(by_key)))
    )
    made = set(there.scalars())
    return [one for key, one in by_key.items() if key not in made]


async def _is_done_by_another(database: Any, session: Any, crashed: Any) -> bool:
    """Whether another run does the same work: of a deployment that cancels a second run beside the
    first, one that is under way or ended well since the crash."""
    import sqlalchemy
    from prefect.server.schemas.states import StateType

    deployment = await session.get(database.Deployment, crashed.deployment_id)
    options = deployment.concurrency_options if deployment is not None else None
    if options is None or getattr(options, "collision_strategy", None) != "CANCEL_NEW":
        return deployment is None
    run = database.FlowRun
    found = await session.execute(
        sqlalchemy.select(run.id).where(
            run.deployment_id == crashed.deployment_id,
            run.id != crashed.id,
            sqlalchemy.or_(
                run.state_type.in_([StateType.PENDING, StateType.RUNNING]),
                sqlalchemy.and_(
                    run.state_type == StateType.COMPLETED,
                    run.state_timestamp >= crashed.state_timestamp,
                ),
            ),
        )
    )
    return found.first() is not None


def _request(crashed: Any) -> Any:
    from prefect.server.schemas.actions import DeploymentFlowRunCreate

    return DeploymentFlowRunCreate(
        parameters=crashed.parameters,
        idempotency_key=key_of(str(crashed.id), crashed.idempotency_key),
        tags=[*{*crashed.tags, TAG}],
        job_variables=crashed.job_variables or {},
    )
