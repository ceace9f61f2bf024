"""Which field of which system fills which column, by the systems' own names.

From the city's source files as they are written: addresses and secrets are not asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from warehouse.disk import UnreadableFile, text_of, yaml_of
from warehouse.tables import table


@dataclass(frozen=True)
class SourceField:
    """A field of a source: the system's own name for it, and the column of a core table that it
    fills. A constant of the source file has its value for a name."""

    source: str
    resource: str
    table: str
    column: str
    name: str


def source_fields(city: Path) -> list[SourceField]:
    """Every field that the city's sources may bring, by source, resource and column. A file that
    cannot be read brings none: pulling it says what is wrong."""
    found = []
    for path in sorted((city / "sources").glob("*.y*ml")):
        try:
            told = yaml_of(text_of(path))
        except (UnreadableFile, yaml.YAMLError):
            continue
        if isinstance(told, Mapping):
            title = str(told.get("title") or told.get("name") or path.stem)
            found += list(_of_resources(title, told.get("resources")))
    if (city / "organs.csv").exists():
        # The city's own file: its columns are called as those of the table.
        columns = (column.name for column in table("core.organ").columns)
        found += [SourceField("机关表", "organs.csv", "core.organ", name, name) for name in columns]
    return found


def _of_resources(source: str, resources: Any) -> Iterator[SourceField]:
    for resource in resources if isinstance(resources, list) else ():
        if not isinstance(resource, Mapping):
            continue
        title = str(resource.get("title") or resource.get("name") or "")
        filled, fields = resource.get("table"), resource.get("fields")
        if isinstance(filled, str) and isinstance(fields, Mapping):
            for column, rule in fields.items():
                yield SourceField(source, title, f"core.{filled}", str(column), _name(rule))
        yield from _of_resources(source, resource.get("children"))


def _name(rule: Any) -> str:
    """What a field is called in the system."""
    if isinstance(rule, Mapping):
        path = rule.get("path")
        if path is None:
            return f"固定值 {rule['value']}" if "value" in rule else ""
        rule = path
    return " 或 ".join(map(str, rule)) if isinstance(rule, list) else str(rule)
