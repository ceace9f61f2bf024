"""What forms are filled in with on a given day: the year and the dates move on while the
server keeps running."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flows.forms import default_year
from tasks.clock import now


def form_defaults(deployment: str, today: date | None = None) -> dict[str, Any]:
    """The parameters a deployment's form shows from the start; none where they never change."""
    today = today or now().date()
    defaults: dict[str, dict[str, Any]] = {
        "year-end": {"year": default_year(today)},
        "backfill": {
            "from_on": (today - timedelta(days=30)).isoformat(),
            "to_on": today.isoformat(),
        },
    }
    return defaults.get(deployment, {})


def refresh_form_defaults() -> list[str]:
    """Bring the deployments on the server up to today; returns the names of those changed."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentUpdate
    from prefect.exceptions import ObjectNotFound

    changed = []
    with get_client(sync_client=True) as client:
        for name in ("year-end", "backfill"):
            try:
                held = client.read_deployment_by_name(f"{name}/{name}")
            except ObjectNotFound:
                continue
            wanted = {**held.parameters, **form_defaults(name)}
            if held.parameters != wanted:
                client.update_deployment(held.id, DeploymentUpdate(parameters=wanted))
                changed.append(name)
    return changed
