"""A province's folder: one whose figures are added up of the editions of its cities.

`city.yaml` says so (`kind: province`). Its `organs.csv` names the province and, below it, its cities,
each by the code that is the root organ of the city's own `organs.csv`: what has no organ below it
there is a city. What the province itself holds comes in as a city does, from a lake of its own.
"""

from __future__ import annotations

from pathlib import Path

from tasks.city.csv_file import CityFileError
from tasks.city.register import ORGAN_COLUMNS, read_organs
from warehouse.disk import UnreadableFile, text_of, yaml_of

FILE = "city.yaml"
KINDS = ("city", "province")


def is_province(folder: Path) -> bool:
    """Whether a folder is a province's. Raises CityFileError where `city.yaml` cannot be used."""
    path = folder / FILE
    if not path.exists():
        return False
    try:
        said = (yaml_of(text_of(path)) or {}).get("kind", "city")
    except (UnreadableFile, ValueError, AttributeError) as error:
        raise CityFileError(f"{path}: 读不出来。请照 键: 值 的写法改正") from error
    if said not in KINDS:
        raise CityFileError(
            f"{path}: kind 不能是“{said}”,只能是 city(自己取记录)或 province(由各市版次加总)"
        )
    return bool(said == "province")


def cities_of_province(folder: Path) -> dict[str, str]:
    """The cities that a province's `organs.csv` names, former ones included: name by code. Raises
    CityFileError."""
    at = {name: ORGAN_COLUMNS.index(name) for name in ORGAN_COLUMNS}
    rows = read_organs(folder / "organs.csv")
    above = {row[at["parent_organ_id"]] for row in rows}
    return {
        row[at["organ_id"]]: row[at["organ_name"]]
        for row in rows
        if row[at["parent_organ_id"]] and row[at["organ_id"]] not in above
    }
