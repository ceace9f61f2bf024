"""What `prefect.yaml` declares, and which of it is whose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.city.province import is_province
from tasks.settings import Settings
from warehouse.disk import yaml_of

DEPLOYMENTS = Path(__file__).with_name("prefect.yaml")
OF_RECORDS = frozenset({"nightly", "backfill", "retry-rejects", "deadline-watch"})
"""Deployments of who has records."""
OF_PROVINCE = frozenset({"take-editions"})
"""Deployments of who has the editions of cities."""


def read_deployments(path: Path = DEPLOYMENTS) -> list[dict[str, Any]]:
    """The deployments of `prefect.yaml`, as written there."""
    read: list[dict[str, Any]] = yaml_of(path.read_text(encoding="utf-8"))["deployments"]
    return read


def deployments_of(settings: Settings) -> list[dict[str, Any]]:
    """The deployments of a city, or of a province. Raises CityFileError."""
    others = OF_RECORDS if is_province(settings.city) else OF_PROVINCE
    return [entry for entry in read_deployments() if entry["name"] not in others]
