"""Which monthly workbooks came, and which are missing, by organ and month.

What a file is called tells whose it is, as the source file declares, and of which month it is: a
year and a month stand in it. A file that does not tell so is not asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from tasks.city.register import CITY
from tasks.desk.kept import kept
from warehouse.disk import UnreadableFile, text_of, yaml_of
from warehouse.lake import Lake

_MONTH = re.compile(r"(?<!\d)(20\d\d)[-_.年]?(0[1-9]|1[0-2])(?!\d)")
_FILE = "$file"


@dataclass(frozen=True)
class MissingWorkbook:
    """A month of which an organ's workbook did not come."""

    organ_id: str
    organ_name: str
    month: date


@dataclass(frozen=True)
class Workbooks:
    """The workbooks of one resource in one year: `organs` are those that owe one a month,
    `came` how many months' came, `missing` those that did not."""

    source: str
    resource: str
    year: int
    organs: int
    months: int
    came: int
    missing: tuple[MissingWorkbook, ...]

    @property
    def owed(self) -> int:
        return self.organs * self.months


@kept
def workbooks_of(lake: Lake, city: Path, year: int, today: date) -> tuple[Workbooks, ...]:
    """The workbooks of a year, up to the month before `today`, by resource. An organ owes them
    that has no system of its own in that month, or that sent any in the year before or since.

    Raises NoLake.
    """
    months = [date(year, m, 1) for m in range(1, 13) if date(year, m, 1) < today.replace(day=1)]
    patterns = _patterns(city)
    if not months or not patterns:
        return ()
    with lake.read() as connection:
        files = connection.execute(
            "SELECT DISTINCT source_system, resource, file_name FROM ops.resource_file "
            "WHERE source_system <> ?",
            [CITY],
        ).fetchall()
        organs = connection.execute(
            "SELECT organ_id, organ_name, valid_from, coalesce(valid_to, DATE '9999-12-31'), "
            "has_system FROM core.organ ORDER BY organ_id, valid_from"
        ).fetchall()
    found = []
    for key, pattern in sorted(patterns.items()):
        came = _came(pattern, (name for *of, name in files if tuple(of) == key))
        # Where none came for two years they are no longer sent.
        if any(month.year in (year - 1, year) for _, month in came):
            found.append(_workbooks(key, year, months, came, organs))
    return tuple(found)


def _workbooks(
    key: tuple[str, str],
    year: int,
    months: list[date],
    came: set[tuple[str, date]],
    organs: Iterable[tuple[str, str, date, date, bool]],
) -> Workbooks:
    senders = {organ for organ, month in came if month.year >= year - 1}
    owed: dict[tuple[str, date], str] = {}
    for organ, name, first, last, has_system in organs:
        for month in months:
            if first <= month <= last and (organ in senders or not has_system):
                owed[(organ, month)] = name
    missing = [
        MissingWorkbook(organ, name, month)
        for (organ, month), name in owed.items()
        if (organ, month) not in came
    ]
    return Workbooks(
        *key,
        year=year,
        organs=len({organ for organ, _ in owed}),
        months=len(months),
        came=sum(place in came for place in owed),
        missing=tuple(sorted(missing, key=lambda m: (m.month, m.organ_id))),
    )


def _came(pattern: re.Pattern[str], names: Iterable[str]) -> set[tuple[str, date]]:
    """Organ and month of every file that tells both."""
    found = set()
    for name in names:
        whose = pattern.search(name)
        organ = (whose[1] if whose.re.groups else whose[0]) if whose else ""
        # What names the organ is taken away first: its digits are no month.
        month = _MONTH.search(name.replace(organ, "", 1)) if organ else None
        if month:
            found.add((organ, date(int(month[1]), int(month[2]), 1)))
    return found


def _patterns(city: Path) -> dict[tuple[str, str], re.Pattern[str]]:
    """Of each resource of workbooks, how a file's name tells whose it is. A file that cannot be
    read declares none: pulling it says what is wrong."""
    found = {}
    for path in sorted((city / "sources").glob("*.y*ml")):
        try:
            told = yaml_of(text_of(path))
        except (UnreadableFile, yaml.YAMLError):
            continue
        resources = told.get("resources") if isinstance(told, Mapping) else None
        for resource in resources if isinstance(resources, list) else ():
            pattern = _organ_pattern(resource)
            if pattern is not None:
                found[(str(told.get("name")), str(resource.get("name")))] = pattern
    return found


def _organ_pattern(resource: Any) -> re.Pattern[str] | None:
    if not isinstance(resource, Mapping) or "workbook" not in resource:
        return None
    fields = resource.get("fields")
    rule = fields.get("organ_id") if isinstance(fields, Mapping) else None
    if not isinstance(rule, Mapping) or rule.get("path") != _FILE:
        return None
    try:
        return re.compile(str(rule.get("pattern") or ".+"))
    except re.error:
        return None
