"""What Prefect's server does by itself, as `prefect.yaml` declares it under `automations`.

`prefect deploy` knows only triggers that start a deployment. These change a run's state, so the
server makes them when it starts: there is nothing to forget after an installation or an upgrade.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from deployments.run_history import when_up
from warehouse.disk import yaml_of

DECLARED = Path(__file__).with_name("prefect.yaml")


def declared() -> list[dict[str, Any]]:
    """The automations of `prefect.yaml`, as written there."""
    read: list[dict[str, Any]] = yaml_of(DECLARED.read_text(encoding="utf-8"))["automations"]
    return read


def declare_on_start(app: Starlette) -> None:
    """Let an application of Prefect's server make what is declared once it is up."""

    async def make() -> None:
        await _make(declared())

    when_up(app, make)


async def _make(entries: Sequence[dict[str, Any]]) -> None:
    """Make what is missing, change what is otherwise, leave the rest; one that an operator
    turned off stays off."""
    from prefect.server.database import provide_database_interface
    from prefect.server.events.models import automations
    from prefect.server.events.schemas.automations import Automation, AutomationUpdate

    # The server's decorators hide from a type checker what its functions give.
    kept: Any = automations
    async with provide_database_interface().session_context(begin_transaction=True) as session:
        there = {one.name: one for one in await kept.read_automations_for_workspace(session)}
        for entry in entries:
            wanted = Automation(**entry)
            found = there.get(wanted.name)
            if found is None:
                await kept.create_automation(session, wanted)
            elif _said(found) != _said(wanted):
                update = AutomationUpdate(**{**entry, "enabled": found.enabled})
                await kept.update_automation(session, update, found.id)


def _said(automation: Any) -> Any:
    """What an automation says, without the numbers that the server gives."""
    return automation.model_dump(
        include={"description": True, "actions": True, "trigger": True},
        exclude={"trigger": {"id"}},
        mode="json",
    )
