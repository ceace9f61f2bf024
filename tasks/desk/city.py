"""Whose pages these are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tasks.city.names import Names, city_names
from tasks.city.province import is_province
from tasks.city.register import ORGAN_COLUMNS, read_organs
from tasks.editions.definitions import is_synthetic_city

_ORGANS = "organs.csv"
_NAME, _PARENT, _FROM = (
    ORGAN_COLUMNS.index(name) for name in ("organ_name", "parent_organ_id", "valid_from")
)


@dataclass(frozen=True)
class City:
    """A city as the head of every page names it."""

    name: str
    is_synthetic: bool
    is_province: bool = False


def city_of(folder: Path) -> City:
    """The city of a folder: what its root organ is called now. Raises CityFileError."""
    path = folder / _ORGANS
    return _city(folder, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=8)
def _city(folder: Path, changed_at: int) -> City:
    """Read again only when the file was changed: every page asks."""
    roots = [row for row in read_organs(folder / _ORGANS) if row[_PARENT] is None]
    newest = max(roots, key=lambda row: row[_FROM], default=None)
    name = newest[_NAME] if newest else ""
    return City(name, is_synthetic_city(folder), is_province(folder))


def names_of(folder: Path) -> Names:
    """What a city's sources, resources and organs are called; see `city_names`."""
    files = [folder / _ORGANS, *sorted((folder / "sources").glob("*.y*ml"))]
    return _names(folder, tuple((p.name, p.stat().st_mtime_ns) for p in files if p.exists()))


@lru_cache(maxsize=8)
def _names(folder: Path, changed_at: tuple[tuple[str, int], ...]) -> Names:
    return city_names(folder)
