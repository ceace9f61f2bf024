"""What a deployment's form offers and is filled in with on a given day.

Years and dates move on, and organs and sources change, while the server keeps
running: so nothing of it stands in the flows' own parameters.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from flows.backfill import DAYS_BACK
from flows.forms import ALL, choices, default_year, many_of
from tasks.city.names import form_choices, resource_choices, source_choices, unit_choices
from tasks.clock import now
from tasks.settings import Settings
from warehouse.form import ANNUAL_REPORT

DEPLOYMENTS = ("year-end", "backfill", "retry-rejects")
"""Those whose forms change."""


def form_defaults(deployment: str, today: date | None = None) -> dict[str, Any]:
    """The parameters a deployment's form shows from the start; none where they never change."""
    today = today or now().date()
    defaults: dict[str, dict[str, Any]] = {
        "year-end": {"year": default_year(today), "form": default_form(Settings().city)},
        "backfill": {
            "from_on": (today - timedelta(days=DAYS_BACK)).isoformat(),
            "to_on": today.isoformat(),
        },
    }
    return defaults.get(deployment, {})


def offered_lists(deployment: str) -> dict[str, dict[str, Any]]:
    """The lists that a deployment's form offers, by parameter, as additions to its schema."""
    city = Settings().city
    match deployment:
        case "year-end":
            return {"form": choices(form_choices(city)), "organs": many_of(unit_choices(city))}
        case "backfill":
            return {
                "source": choices(source_choices(city), ALL),
                "resource": choices(resource_choices(city), ALL),
            }
        case "retry-rejects":
            return {"source": choices(source_choices(city), ALL)}
        case _:
            return {}


def default_form(city: Path) -> str:
    """The annual report by its title, as the list shows it."""
    return next(title for title, key in form_choices(city).items() if key == ANNUAL_REPORT)


def with_choices(schema: dict[str, Any], offered: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A form's schema with the lists as they are now, in place of those it had."""
    properties = dict(schema.get("properties", {}))
    for name, addition in offered.items():
        kept = {k: v for k, v in properties[name].items() if k not in ("enum", "uniqueItems")}
        properties[name] = {**kept, **addition}
    return {**schema, "properties": properties}


def refresh_forms() -> list[str]:
    """Bring the deployments on the server up to now; returns the names of those changed."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentUpdate
    from prefect.exceptions import ObjectNotFound

    changed = []
    with get_client(sync_client=True) as client:
        for name in DEPLOYMENTS:
            try:
                held = client.read_deployment_by_name(f"{name}/{name}")
            except ObjectNotFound:
                continue
            parameters = {**held.parameters, **form_defaults(name)}
            schema = with_choices(held.parameter_openapi_schema or {}, offered_lists(name))
            if (held.parameters, held.parameter_openapi_schema) != (parameters, schema):
                client.update_deployment(
                    held.id,
                    DeploymentUpdate(parameters=parameters, parameter_openapi_schema=schema),
                )
                changed.append(name)
    return changed
