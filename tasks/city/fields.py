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
    return found + list(_of_own_files(city))


def _of_own_files(city: Path) -> Iterator[SourceField]:
    """The city's own files: their columns are called as those of the tables."""
    for title, file, name in (
        ("机关表", "organs.csv", "core.organ"),
        ("网站登记册", "websites.csv", "core.website"),
    ):
        if (city / file).exists():
            for column in table(name).columns:
                yield SourceField(title, file, name, column.name, column.name)
    called = {"entry_text": "value", "entry_value": "value", "entry_row": "row"}
    called |= {"report_year": "year", "entry_source": "source"}
    for path in sorted((city / "entries").glob("*.csv")):
        for column in table("core.form_entry").columns:
            if column.name not in ("entries_of", "entry_number"):
                name = called.get(column.name, column.name)
                yield SourceField("人工登记", path.name, "core.form_entry", column.name, name)


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
