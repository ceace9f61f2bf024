"""The deployments of all cities of an installation as one file for `prefect deploy`: those that
`prefect.yaml` declares, once a city.

A city is a deployment's tag, the end of its name, and what its runs find in the environment. Nights
begin one after the other. What a person waits for lies in a queue of its own, before the nights, and
these before what is pulled anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deployments.declared import DEPLOYMENTS, deployments_of
from tasks.city.province import is_province
from tasks.settings import Settings
from warehouse.disk import yaml_of

QUEUES = {"pages": 1, "waited-for": 2, "night": 3, "backfill": 4}
"""The queues of the work pool with their priorities; 1 goes first. `pages` is for a worker on the machine
with the pages, where machines have no data home in common."""
OF_THE_PAGES = frozenset({"publish"})
"""What needs the persons' register and the signing key."""
NIGHTLY = frozenset({"nightly", "maintenance"})
BY_NIGHT = NIGHTLY | {"take-editions", "deadline-watch"}
LATER = frozenset({"backfill", "retry-rejects"})
SPREAD_MINUTES = 120
"""Over how long the nights of all cities begin: maintenance follows the night two hours later."""


def declared_for(cities: Sequence[Settings]) -> dict[str, Any]:
    """The file of all cities, as data. Raises CityFileError."""
    file = yaml_of(DEPLOYMENTS.read_text(encoding="utf-8"))
    kept = {key: file[key] for key in ("prefect-version", "name", "pull")}
    # A province has no night: its cities' editions are taken in after theirs.
    nights = [one.city for one in cities if not is_province(one.city)]
    made = []
    for settings in cities:
        at = nights.index(settings.city) if settings.city in nights else 0
        minutes = at * SPREAD_MINUTES // max(1, len(nights))
        made += [_of_city(entry, settings.city_name, minutes) for entry in deployments_of(settings)]
    return {**kept, "deployments": made}


def queue_of(deployment: str) -> str:
    """The queue of a deployment, by its name in `prefect.yaml`."""
    if deployment in OF_THE_PAGES:
        return "pages"
    if deployment in LATER:
        return "backfill"
    return "night" if deployment in BY_NIGHT else "waited-for"


def _of_city(entry: dict[str, Any], city: str, minutes: int) -> dict[str, Any]:
    """A deployment of one city; those that come nightly begin `minutes` later."""
    name = entry["name"]
    pool = {
        **entry["work_pool"],
        "work_queue_name": queue_of(name),
        "job_variables": {"env": {"NIANBAO_CITY": city}},
    }
    made = {**entry, "name": f"{name}-{city}", "tags": [*entry["tags"], city], "work_pool": pool}
    if name in NIGHTLY:
        made["schedules"] = [_later(schedule, minutes) for schedule in entry["schedules"]]
    if "triggers" in entry:
        made["triggers"] = [_of_citys_runs(trigger, city) for trigger in entry["triggers"]]
    return made


def _later(schedule: dict[str, Any], minutes: int) -> dict[str, Any]:
    """A daily schedule so many minutes later, within the day."""
    minute, hour, *days = schedule["cron"].split()
    total = int(hour) * 60 + int(minute) + minutes
    return {**schedule, "cron": " ".join([str(total % 60), str(total // 60 % 24), *days])}


def _of_citys_runs(trigger: dict[str, Any], city: str) -> dict[str, Any]:
    """A trigger that is pulled by the runs of one city: those that bear its tag."""
    tag = {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{city}"}
    return {**trigger, "match_related": [trigger["match_related"], tag]}


def commands(path: str) -> list[str]:
    """What makes queues and deployments on a server, once and after each upgrade."""
    queues = [
        f"prefect work-queue create {queue} --pool nianbao --priority {priority}"
        for queue, priority in QUEUES.items()
    ]
    return [
        "prefect work-pool create nianbao --type process",
        *queues,
        f"prefect --no-prompt deploy --all --prefect-file {path}",
    ]
