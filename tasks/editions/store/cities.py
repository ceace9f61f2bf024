"""What a province's lake keeps of its cities: the edition of each report that was taken in last,
its figures and open findings, and what came of the last look. What was there before lies in the
snapshots that editions pin."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from tasks.editions.definitions import Definitions
from tasks.editions.edition import CellValue, CityEdition, Edition, Organ, Scope, Series
from tasks.editions.store.read import cell_value, figures_of
from tasks.editions.store.rows import EditionRow
from warehouse.lake import Connection, Lake, in_memory, transaction
from warehouse.sql import insert_many, quoted

TABLES = ("city_edition", "city_cell", "city_finding")
FIGURES_COLUMNS = ("organ_id", "scope", "cell", "value", "numerator", "denominator", "cell_text")


LOOK_LABELS = {
    "read": "已读到",
    "empty": "还没有版次",
    "absent": "没有目录",
    "failed": "没有读到",
    "refused": "与指纹不符",
}
"""What came of a look at a city, in Chinese."""


@dataclass(frozen=True)
class TakenEdition:
    """An edition of a city as it was taken in; `kept` is what the city's lake keeps beside cells
    and findings."""

    reference: CityEdition
    form: str
    period: str
    number: int
    kept: Mapping[str, Any]

    @property
    def city_id(self) -> str:
        return self.reference.city_id

    @cached_property
    def organs(self) -> tuple[Organ, ...]:
        """Its organs as the city knows them, the root first."""
        return tuple(Organ(**organ) for organ in self.kept["organs"])

    @cached_property
    def last_year(self) -> dict[str, CellValue]:
        """The city's own figures of the year before, as its edition was held against them."""
        return {key: cell_value(values) for key, values in self.kept["last_year"].items()}

    @cached_property
    def series(self) -> tuple[Series, ...]:
        return tuple(
            Series(s["key"], s["title"], s["unit"], tuple((p[0], p[1], p[2]) for p in s["points"]))
            for s in self.kept["series"]
        )

    @cached_property
    def definitions(self) -> Definitions:
        return Definitions.from_data(self.kept)


@dataclass(frozen=True)
class CityFinding:
    """A check of a city's edition that did not pass; `verdict` is what the approver answered."""

    city_id: str
    organ_id: str
    key: str
    code: str
    severity: str
    status: str
    message: str
    verdict: str

    @property
    def blocks(self) -> bool:
        """Whether it stops the city's edition, and nobody answered for it."""
        return self.severity != "warn" and self.status in ("fail", "not_run") and not self.verdict


@dataclass(frozen=True)
class CityLook:
    """What came of the last look at a city: `read`, `empty` (no edition yet), `absent` (no folder),
    `failed` (its lake could not be read) or `refused` (an edition is not what it was built as)."""

    city_id: str
    city_name: str
    looked_at: datetime
    status: str
    message: str

    @property
    def is_blind(self) -> bool:
        """Whether the city may have an edition that was not seen."""
        return self.status in ("failed", "refused")


def taken_editions(connection: Connection, form: str = "", period: str = "") -> list[TakenEdition]:
    """The editions of the cities as they were taken in last, of one report or of all; by city."""
    wanted = {"form": form, "period": period}
    given = {name: value for name, value in wanted.items() if value}
    conditions = "".join(f" AND {name} = ?" for name in given)
    rows = connection.execute(
        "SELECT city_id, city_name, form, period, edition_id, edition_number, edition_status, "
        "lake_snapshot, data_as_of, cell_hash, definition_hash, findings_hash, "
        "coalesce(manifest_hash, ''), definitions "
        f"FROM lake.yearly.city_edition WHERE TRUE{conditions} ORDER BY city_id, form, period",
        list(given.values()),
    ).fetchall()
    found = []
    for city, name, form_, period_, id_, number, status, snapshot, as_of, *marks, text in rows:
        kept = json.loads(text)
        cell_hash, definition_hash, findings_hash, manifest_hash = marks
        reference = CityEdition(
            *(city, name, id_, status, snapshot, as_of),
            *(cell_hash, definition_hash, findings_hash, manifest_hash),
            is_synthetic=bool(kept.get("is_synthetic")),
        )
        found.append(TakenEdition(reference, form_, period_, number, kept))
    return found


def taken_figures(
    connection: Connection, taken: TakenEdition, keys: Sequence[str] = ()
) -> Iterator[tuple[str, Scope, str, CellValue]]:
    """(organ, scope, cell, figure) of a city's edition, for some cells or for all."""
    condition, values = ("AND cell IN (SELECT unnest(?))", [list(keys)]) if keys else ("", [])
    cursor = connection.execute(
        f"SELECT {', '.join(FIGURES_COLUMNS)} FROM lake.yearly.city_cell "
        f"WHERE city_id = ? AND form = ? AND period = ? {condition}",
        [taken.city_id, taken.form, taken.period, *values],
    )
    yield from figures_of(cursor)


def city_findings(connection: Connection, form: str, period: str) -> list[CityFinding]:
    """The open findings of the cities' editions of a report."""
    rows = connection.execute(
        "SELECT city_id, organ_id, check_key, code, severity, check_status, "
        "coalesce(message, ''), coalesce(verdict, '') FROM lake.yearly.city_finding "
        "WHERE form = ? AND period = ? ORDER BY ALL",
        [form, period],
    ).fetchall()
    return [CityFinding(*row) for row in rows]


def city_looks(connection: Connection) -> dict[str, CityLook]:
    """What came of the last look at each city, by its code."""
    rows = connection.execute(
        "SELECT city_id, coalesce(city_name, ''), looked_at, look_status, coalesce(message, '') "
        "FROM lake.ops.city_look ORDER BY city_id"
    ).fetchall()
    return {row[0]: CityLook(*row) for row in rows}


def export_figures(connection: Connection, edition_id: str, path: Path) -> None:
    """Write an edition's figures to a file, as `keep_taken` takes them."""
    connection.execute(
        f"COPY (SELECT {', '.join(FIGURES_COLUMNS)} FROM lake.yearly.cell "
        f"WHERE edition_id = {quoted(edition_id)} ORDER BY organ_id, scope, cell) "
        f"TO {quoted(path)} (FORMAT parquet)"
    )


def exported_cells(path: Path) -> dict[tuple[str, Scope], dict[str, CellValue]]:
    """The figures of such a file, by organ and scope."""
    found: dict[tuple[str, Scope], dict[str, CellValue]] = defaultdict(dict)
    with in_memory() as connection:
        cursor = connection.execute(
            f"SELECT {', '.join(FIGURES_COLUMNS)} FROM read_parquet({quoted(path)})"
        )
        for organ, scope, key, figure in figures_of(cursor):
            found[(organ, scope)][key] = figure
    return dict(found)


def kept_definitions(connection: Connection, edition_id: str) -> str:
    """The text of what an edition keeps beside its cells and findings."""
    row = connection.execute(
        "SELECT definitions FROM lake.yearly.edition WHERE edition_id = ?", [edition_id]
    ).fetchone()
    assert row is not None
    return str(row[0])


def keep_taken(
    lake: Lake,
    reference: CityEdition,
    edition: Edition,
    row: EditionRow,
    answers: Mapping[tuple[str, str], str],
    definitions: str,
    figures: Path,
    *,
    now: datetime,
) -> None:
    """Keep a city's edition in place of that of the same report. `definitions` is the text that
    the city's lake keeps, `figures` the file of `export_figures`, `answers` what its approver
    answered, by organ and check."""
    place = (reference.city_id, edition.form.key, edition.period.key)
    told = {
        **dict(zip(("city_id", "form", "period"), place, strict=True)),
        "city_name": reference.city_name,
        "edition_id": reference.edition_id,
        "edition_number": row.edition_number,
        "edition_status": reference.status,
        "layout": edition.layout.name,
        "lake_snapshot": reference.snapshot,
        "data_as_of": reference.data_as_of,
        "cell_hash": reference.cell_hash,
        "definition_hash": reference.definition_hash,
        "findings_hash": reference.findings_hash,
        "manifest_hash": reference.manifest_hash or None,
        "definitions": definitions,
        "software_version": edition.software,
        "built_at": edition.built_at,
        "taken_at": now,
    }
    open_ = [
        (*place, f.organ_id, f.key, f.code, f.severity, f.status, f.message, f.gap, f.record_count)
        + (answers.get((f.organ_id, f.key)),)
        for f in edition.open_findings
    ]
    with lake.write() as connection, transaction(connection):
        for name in TABLES:
            connection.execute(
                f"DELETE FROM yearly.{name} WHERE city_id = ? AND form = ? AND period = ?", place
            )
        insert_many(connection, "yearly.city_edition", [list(told.values())], list(told))
        columns = ", ".join(FIGURES_COLUMNS)
        connection.execute(
            f"INSERT INTO yearly.city_cell (city_id, form, period, {columns}) "
            f"SELECT ?, ?, ?, {columns} FROM read_parquet({quoted(figures)})",
            place,
        )
        insert_many(connection, "yearly.city_finding", open_)


def keep_looks(lake: Lake, looks: Sequence[CityLook]) -> None:
    """Keep what came of looking at all cities, in place of the last time."""
    rows = [
        (k.city_id, k.city_name or None, k.looked_at, k.status, k.message or None) for k in looks
    ]
    with lake.write() as connection, transaction(connection):
        connection.execute("DELETE FROM ops.city_look")
        insert_many(connection, "ops.city_look", rows)
