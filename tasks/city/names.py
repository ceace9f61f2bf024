"""What an operator may choose in a form: the city's organs, its sources and their resources.

Read from the city's files alone, leniently: a file that cannot be read offers no choice here
and is named by the run that needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tasks.city.csv_file import CityFileError
from tasks.city.register import read_organs
from tasks.city.websites import FILE as WEBSITES
from tasks.city.websites import read_websites
from tasks.wording.typeset import typeset
from warehouse.disk import UnreadableFile, text_of, yaml_of
from warehouse.errors import ConfigurationError
from warehouse.form import forms
from warehouse.organ_names import shown_names


def organ_choices(city: Path) -> dict[str, str]:
    """Organs as shown in forms → organ id, in the order of `organs.csv`.

    Where two organs share a name they are shown with the organ above (`shown_names`).
    """
    try:
        rows = read_organs(city / "organs.csv")
    except CityFileError:
        return {}
    # The newest row of an organ says what it is called and what stands above it.
    newest = {row[0]: (row[0], row[1], row[3]) for row in sorted(rows, key=lambda r: r[4])}
    order = dict.fromkeys(row[0] for row in rows)
    names = shown_names(newest[id_] for id_ in order)
    return {typeset(name): id_ for id_, name in names.items()}


def unit_choices(city: Path) -> dict[str, str]:
    """Whose tables may be asked for: organs, and websites behind them, as shown → their ids."""
    organs = organ_choices(city)
    try:
        rows = read_websites(city / WEBSITES, list(organs.values()))
    except CityFileError:
        return organs
    return organs | {typeset(f"网站·{row[1]}"): row[0] for row in rows}


def form_choices(city: Path) -> dict[str, str]:
    """Reports as shown in forms (their titles) → the key of the form, the annual report first."""
    try:
        return {typeset(form.title): key for key, form in forms(city).items()}
    except ConfigurationError:
        # The run that needs a form names what is wrong with its file.
        return {typeset(form.title): key for key, form in forms().items()}


def source_choices(city: Path) -> dict[str, str]:
    """Sources as shown in forms (their titles) → their names."""
    return {typeset(read.get("title", name)): name for name, read in _sources(city).items()}


def resource_choices(city: Path) -> dict[str, tuple[str, str]]:
    """Resources as shown in forms (source and resource title) → (source, resource)."""
    return {
        typeset(f"{read.get('title', name)}·{resource.get('title', resource['name'])}"): (
            name,
            resource["name"],
        )
        for name, read in _sources(city).items()
        for resource in read.get("resources", [])
        if isinstance(resource, dict) and "name" in resource
    }


@dataclass(frozen=True)
class Names:
    """What sources, resources and organs are called; what has no name is called by its id."""

    sources: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[tuple[str, str], str] = field(default_factory=dict)
    organs: Mapping[str, str] = field(default_factory=dict)

    def source(self, name: str) -> str:
        return self.sources.get(name, name)

    def resource(self, source: str, name: str) -> str:
        return self.resources.get((source, name), name)

    def organ(self, id_: str) -> str:
        return self.organs.get(id_, id_)


def city_names(city: Path) -> Names:
    """The names of a city's sources, resources and organs, by what the lake knows them by."""
    return Names(
        {name: title for title, name in source_choices(city).items()},
        {key: title.partition("·")[2] for title, key in resource_choices(city).items()},
        {id_: name for name, id_ in organ_choices(city).items()},
    )


def _sources(city: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted((city / "sources").glob("*.y*ml")):
        try:
            read = yaml_of(text_of(path))
        except (UnreadableFile, yaml.YAMLError):
            continue
        if isinstance(read, dict) and "name" in read:
            found[str(read["name"])] = read
    return found
