"""Register: the city's own files in the lake — organs, websites, what is entered on record, working
calendar, corrections.

They are replaced as a whole, and only when they differ, so that a snapshot pins them
together with the records.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tasks.city.csv_file import CityFileError, city_text
from tasks.city.entries import entry_files, read_entries, refuse_changed
from tasks.city.websites import FILE as WEBSITES
from tasks.city.websites import read_websites
from warehouse.city_mark import hold_city, mark_city
from warehouse.disk import yaml_of
from warehouse.lake import Connection, Lake, transaction
from warehouse.sql import insert_many, quoted
from warehouse.tables import table

ORGAN_COLUMNS = tuple(c.name for c in table("core.organ").columns)
CORRECTIONS = "ops.correction"
CORRECTION_COLUMNS = (
    *("table_name", "source_system", "record_id", "column_name", "action"),
    *("expected_value", "corrected_value", "reason", "reported_by", "decided_on"),
)
"""What `corrections.yaml` says of each; the other columns are of those entered at the page."""
CITY = "city"
"""The name under which the city's own files are kept in ops.resource_file."""
SATURDAY = 5
CALENDAR_FROM = 2004
"""The first year the calendar package knows."""


class Correction(BaseModel):
    """One entry of `corrections.yaml`.

    `expect` is what the source must still say; once it says something else the correction
    no longer applies and a finding asks for it to be retired.
    """

    model_config = ConfigDict(extra="forbid")

    table: str
    source_system: str
    record_id: str
    column: str = "*"
    action: Literal["override", "drop"] = "override"
    expect: str | None = None
    value: str | None = None
    reason: str
    reported_by: str
    decided_on: date


def read_organs(path: Path) -> list[tuple[Any, ...]]:
    """The rows of `organs.csv`; columns as core.organ (further columns hold vendors' codes).

    Raises CityFileError on a missing column, a bad date, a parent that is not listed, organs
    above each other in a circle, or two rows of one organ that overlap in time.
    """
    if not path.parent.is_dir():
        raise CityFileError(f"没有城市目录 {path.parent}。请检查 NIANBAO_CITY")
    lines = list(csv.DictReader(io.StringIO(city_text(path), newline="")))
    if not lines:
        raise CityFileError(f"{path}: 没有机关")
    missing = [c for c in ORGAN_COLUMNS if c not in lines[0]]
    if missing:
        raise CityFileError(f"{path}: 缺少列 {'、'.join(missing)}")
    ids = {(line["organ_id"] or "").strip() for line in lines}
    rows = [
        _organ(line, f"{path} 第 {number} 行", ids) for number, line in enumerate(lines, start=2)
    ]
    _refuse_overlaps(rows, path)
    _refuse_circles(rows, path)
    return rows


def _organ(line: dict[str, str], place: str, ids: set[str]) -> tuple[Any, ...]:
    """One row of `organs.csv` as typed values. Raises CityFileError."""
    values: dict[str, Any] = {c: (line[c] or "").strip() or None for c in ORGAN_COLUMNS}
    for column in ("valid_from", "valid_to"):
        try:
            values[column] = date.fromisoformat(values[column]) if values[column] else None
        except ValueError as error:
            raise CityFileError(
                f"{place} {column}:“{values[column]}”不是日期,应为 2020-03-05 这样的写法"
            ) from error
    for column in ("organ_id", "organ_name", "organ_kind", "valid_from"):
        if values[column] is None:
            raise CityFileError(f"{place}缺少 {column}")
    for column in ("parent_organ_id", "successor_organ_id"):
        if values[column] and values[column] not in ids:
            raise CityFileError(f"{place} {column}:没有机关 {values[column]}")
    values["has_system"] = str(values["has_system"] or "true").lower() in ("true", "1", "是")
    return tuple(values[c] for c in ORGAN_COLUMNS)


def _refuse_overlaps(rows: Sequence[tuple[Any, ...]], path: Path) -> None:
    """An organ that is valid twice on one day would count twice."""
    at = {name: ORGAN_COLUMNS.index(name) for name in ORGAN_COLUMNS}
    periods: dict[str, list[tuple[date, date]]] = {}
    for number, row in enumerate(rows, start=2):
        organ, begin = row[at["organ_id"]], row[at["valid_from"]]
        end = row[at["valid_to"]] or date.max
        for other_begin, other_end in periods.get(organ, []):
            if begin <= other_end and other_begin <= end:
                raise CityFileError(f"{path} 第 {number} 行:机关 {organ} 的有效期与另一行重叠")
        periods.setdefault(organ, []).append((begin, end))


def _refuse_circles(rows: Sequence[tuple[Any, ...]], path: Path) -> None:
    """An organ that stands above itself would have its figures rolled up nowhere."""
    at = {name: ORGAN_COLUMNS.index(name) for name in ORGAN_COLUMNS}
    for day in sorted({row[at["valid_from"]] for row in rows}):
        parents = {
            row[at["organ_id"]]: row[at["parent_organ_id"]]
            for row in rows
            if row[at["valid_from"]] <= day <= (row[at["valid_to"]] or date.max)
        }
        sound: set[str] = set()
        for organ in parents:
            way: list[str] = []
            above = organ
            while above in parents and above not in sound:
                if above in way:
                    circle = " → ".join([*way[way.index(above) :], above])
                    raise CityFileError(
                        f"{path}: {day} 的上级机关成了一个圈:{circle}。请改正 parent_organ_id"
                    )
                way.append(above)
                above = parents[above]
            sound.update(way)


def read_calendar(until: int) -> list[tuple[Any, ...]]:
    """Days from 2004 to the end of `until`, with the State Council's holidays and make-up days.

    A year whose holiday notice the calendar package does not know yet is filled by weekday and
    by the holidays that the law itself sets (全国年节及纪念日放假办法), with the days off that stand
    for those on a weekend; its make-up days are not known. It is marked `is_official` false.
    """
    import chinese_calendar

    rows = []
    working_days = 0
    day = date(CALENDAR_FROM, 1, 1)
    by_law: Mapping[date, str] = {}
    while day.year <= until:
        name: str | None = None
        try:
            is_working = bool(chinese_calendar.is_workday(day))
            _, name = chinese_calendar.get_holiday_detail(day)
            is_official = True
        except NotImplementedError:
            by_law = by_law or _holidays_by_law(day.year, until)
            name = by_law.get(day)
            is_working, is_official = day.weekday() < SATURDAY and name is None, False
        working_days += is_working
        rows.append((day, is_working, name, is_official, working_days))
        day += timedelta(days=1)
    return rows


def last_official_year(until: int) -> int:
    """The last year, up to `until`, whose holiday notice the calendar package knows."""
    import chinese_calendar

    for year in range(until, CALENDAR_FROM, -1):
        try:
            chinese_calendar.is_workday(date(year, 12, 31))
        except NotImplementedError:
            continue
        return year
    return CALENDAR_FROM


def _holidays_by_law(first: int, last: int) -> dict[date, str]:
    """The statutory holidays of years for which no notice is known."""
    import holidays

    found = holidays.country_holidays("CN", years=range(first, last + 1), language="zh_CN")
    return {day: str(name) for day, name in found.items()}


def read_corrections(path: Path) -> list[tuple[Any, ...]]:
    """The rows of `corrections.yaml`, in the order of CORRECTION_COLUMNS; no file is none.

    Raises CityFileError when an entry is malformed, names a table or column that is not there,
    or corrects a value that another entry corrects.
    """
    if not path.exists():
        return []
    try:
        entries = TypeAdapter(list[Correction]).validate_python(yaml_of(city_text(path)) or [])
    except (yaml.YAMLError, ValidationError) as error:
        raise CityFileError(f"{path}: {error}") from error
    rows = []
    corrected: dict[tuple[str, str, str, str], int] = {}
    for number, entry in enumerate(entries, start=1):
        place = f"{path} 第 {number} 条"
        full_name = entry.table if "." in entry.table else f"core.{entry.table}"
        try:
            columns = {c.name for c in table(full_name).columns}
        except KeyError as error:
            raise CityFileError(f"{place}: 没有表 {entry.table}") from error
        if entry.action == "override" and entry.column not in columns:
            raise CityFileError(f"{place}: 表 {entry.table} 没有列 {entry.column}")
        column = "*" if entry.action == "drop" else entry.column
        value = (full_name, entry.source_system, entry.record_id, column)
        first = corrected.setdefault(value, number)
        if first != number:
            raise CityFileError(
                f"{place}: 与第 {first} 条更正的是同一个值({entry.record_id} {column});只能留一条"
            )
        rows.append(
            (
                *value,
                entry.action,
                entry.expect,
                entry.value,
                entry.reason,
                entry.reported_by,
                entry.decided_on,
            )
        )
    return rows


def _refuse_corrected_twice(
    rows: Sequence[tuple[Any, ...]], connection: Connection, path: Path
) -> None:
    """One value has one correction: what a person entered and another checked stands."""
    for number, row in enumerate(rows, start=1):
        found = connection.execute(
            "SELECT correction_number FROM ops.correction WHERE table_name = ? AND "
            "source_system = ? AND record_id = ? AND column_name = ? "
            "AND correction_number IS NOT NULL",
            list(row[:4]),
        ).fetchone()
        if found is not None:
            raise CityFileError(
                f"{path} 第 {number} 条: {row[2]} {row[3]} 已在页面登记为更正第 {found[0]} 号;只能留一条,"
                "请删去这一条,或在更正页撤下那一条"
            )


def register_city(lake: Lake, city: Path, *, now: datetime) -> list[str]:
    """Bring the city's files into the lake; returns the names of the tables that changed.

    Raises CityFileError before anything is written when a file is bad, OtherCity when the lake is
    another city's.
    """
    # An application of December that is extended, or paused, is due well into the next year.
    until = now.year + 2
    organs, corrections = city / "organs.csv", city / "corrections.yaml"
    websites, entries = city / WEBSITES, entry_files(city)
    fingerprints = {
        "core.organ": _fingerprint(organs),
        # Whose organs there are decides which websites are right, and these which entries are.
        "core.website": _fingerprint(organs, websites) if websites.exists() else "",
        "core.form_entry": _fingerprint(websites, *entries) if entries else "",
        "core.calendar_day": f"chinesecalendar {version('chinesecalendar')} "
        f"holidays {version('holidays')} {until}",
        CORRECTIONS: _fingerprint(corrections),
    }
    with lake.read() as connection:
        hold_city(connection, city, lake.catalog.shown)
        held = dict(
            connection.execute(
                f"SELECT resource, sha256 FROM ops.resource_file WHERE source_system = {quoted(CITY)}"
            ).fetchall()
        )
    # A city without a file has nothing to bring until it once had one.
    stale = [name for name, mark in fingerprints.items() if held.get(name, "") != mark]
    if not stale:
        return []
    readers: dict[str, Callable[[], list[tuple[Any, ...]]]] = {
        "core.organ": lambda: read_organs(organs),
        "core.website": lambda: read_websites(websites, _ids(organs)),
        "core.form_entry": lambda: _entries(lake, city, _website_ids(websites, organs), now.date()),
        "core.calendar_day": lambda: read_calendar(until),
        CORRECTIONS: lambda: read_corrections(corrections),
    }
    rows = {name: readers[name]() for name in stale}
    with lake.write() as connection, transaction(connection):
        # Two cities that begin at once: the one that comes second finds the lake taken.
        hold_city(connection, city, lake.catalog.shown)
        mark_city(connection, city)
        for name in stale:
            if name == CORRECTIONS:
                # What was entered at the page is none of the file's.
                _refuse_corrected_twice(rows[name], connection, corrections)
                connection.execute(f"DELETE FROM {name} WHERE correction_number IS NULL")
                insert_many(connection, name, rows[name], CORRECTION_COLUMNS)
            else:
                connection.execute(f"DELETE FROM {name}")
                insert_many(connection, name, rows[name])
            connection.execute(
                "DELETE FROM ops.resource_file WHERE source_system = ? AND resource = ?",
                [CITY, name],
            )
            connection.execute(
                "INSERT INTO ops.resource_file "
                "(source_system, resource, file_name, sha256, loaded_at, load_id) VALUES (?, ?, ?, ?, ?, ?)",
                [CITY, name, name, fingerprints[name], now, CITY],
            )
    return stale


def _ids(organs: Path) -> list[str]:
    """The ids of the city's organs."""
    at = ORGAN_COLUMNS.index("organ_id")
    return [row[at] for row in read_organs(organs)]


def _website_ids(websites: Path, organs: Path) -> list[str]:
    return [row[0] for row in read_websites(websites, _ids(organs))]


def _entries(lake: Lake, city: Path, websites: Sequence[str], today: date) -> list[tuple[Any, ...]]:
    """What is entered on record, held against what was on record before."""
    rows = read_entries(city, websites, today=today)
    with lake.read() as connection:
        held = connection.execute(
            "SELECT * FROM core.form_entry ORDER BY entries_of, entry_number"
        ).fetchall()
    refuse_changed(city, rows, held)
    return rows


def _fingerprint(*paths: Path) -> str:
    """Of what the files hold, and of what those of several are called; missing ones are empty."""
    if len(paths) == 1:
        return sha256(paths[0].read_bytes()).hexdigest() if paths[0].exists() else ""
    return sha256("".join(f"{p.name} {_fingerprint(p)}\n" for p in paths).encode()).hexdigest()
