"""The rows of `yearly.edition` by name, and which of them is meant."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from tasks.editions.edition import (
    Edition,
)
from warehouse.form import ANNUAL_REPORT
from warehouse.lake import Connection, Lake
from warehouse.period import Period


@dataclass(frozen=True)
class EditionRow:
    """An edition as `yearly.edition` has it, without its definitions."""

    edition_id: str
    form: str
    report_year: int
    span: str
    edition_number: int
    edition_status: str
    lake_snapshot: int
    data_as_of: datetime
    cell_hash: str
    definition_hash: str
    findings_hash: str
    software_version: str
    built_at: datetime
    built_by: str
    reason: str
    approved_by: str
    approved_at: datetime | None
    statement: str
    manifest_hash: str
    blocking_findings: int = 0

    @property
    def period(self) -> Period:
        return Period.parse(self.span) if self.span else Period.of_year(self.report_year)

    @property
    def is_pending(self) -> bool:
        return self.edition_status == "pending"

    @property
    def is_published(self) -> bool:
        return self.edition_status == "published"


_MAY_BE_EMPTY = ("span", "built_by", "reason", "approved_by", "statement", "manifest_hash")
_MAY_LACK = {"form": ANNUAL_REPORT, "blocking_findings": 0}
"""Columns that a lake of before does not have, or has empty, and what is meant then: before forms
were folders all editions were annual reports."""


def edition_rows(connection: Connection) -> list[EditionRow]:
    """All editions, by form, period and number."""
    found = connection.execute("SELECT * EXCLUDE (definitions) FROM lake.yearly.edition")
    columns = [name for name, *_ in found.description]
    rows = [_row(dict(zip(columns, row, strict=True))) for row in found.fetchall()]
    return sorted(
        rows, key=lambda r: (r.form, r.report_year, r.period.first, r.period.last, r.edition_number)
    )


def _row(told: dict[str, Any]) -> EditionRow:
    """A row by the names of its columns; those that are not asked for here are left out. A lake
    from before other spans than years could be built has no `period`."""
    names = [f.name for f in fields(EditionRow)]
    told |= {name: told.get(name) or meant for name, meant in _MAY_LACK.items()}
    told["span"] = told.get("period")
    values: dict[str, Any] = {n: told[n] or "" if n in _MAY_BE_EMPTY else told[n] for n in names}
    return EditionRow(**values)


def find_row(connection: Connection, edition_id: str) -> EditionRow | None:
    """The edition named; None when there is none."""
    return next((r for r in edition_rows(connection) if r.edition_id == edition_id), None)


def editions_of(connection: Connection, form: str, period: Period) -> list[EditionRow]:
    """The editions of a report, the newest first; `form` is its key."""
    return [r for r in reversed(edition_rows(connection)) if (r.form, r.period) == (form, period)]


def earlier_editions(connection: Connection, edition: Edition) -> list[EditionRow]:
    """The editions of the same report before one, the newest first."""
    of_report = editions_of(connection, edition.form.key, edition.period)
    return [r for r in of_report if r.edition_number < edition.number]


def published_edition(lake: Lake, form: str, period: Period) -> str | None:
    """The published edition of a report; None when there is none, or no lake."""
    if not lake.exists():
        return None
    with lake.read() as connection:
        found = editions_of(connection, form, period)
    return next((r.edition_id for r in found if r.is_published), None)


def pinned_snapshots(connection: Connection) -> set[int]:
    """The snapshots that editions were built from."""
    return {row.lake_snapshot for row in edition_rows(connection)}
