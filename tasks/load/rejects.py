"""Rejects: records that could not be kept, why, and another try after the cause was mended."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from tasks import clock
from tasks.load.load import Batch, load, load_batch
from tasks.sources.landing import Landed
from tasks.sources.model import Resource, Source
from tasks.sources.plan import Pull, plan
from tasks.sources.pull import pull
from warehouse.lake import Lake
from warehouse.shelf import Shelf


@dataclass(frozen=True)
class Reject:
    """One reason for which one record was not kept; `found` is the value as it was read."""

    source: str
    resource: str
    table: str
    record_id: str | None
    field: str | None
    reason: str
    found: str | None
    expected: str | None
    origin: str | None
    rejected_at: datetime
    status: str


@dataclass(frozen=True)
class RejectCount:
    """How many records of a resource have a field at fault for one reason."""

    source: str
    resource: str
    field: str | None
    reason: str
    records: int
    example: str | None
    expected: str | None


@dataclass(frozen=True)
class RetryResult:
    """What another try of one list brought."""

    source: str
    resource: str
    tried: int
    written: int
    still_open: int


def _condition(
    source: str | None, resource: str | None, reason: str | None, status: str | None
) -> tuple[str, list[str]]:
    given = {
        "source_system": source,
        "resource": resource,
        "reason": reason,
        "reject_status": status,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    return " AND ".join(["true", *(f"{name} = ?" for name in chosen)]), list(chosen.values())


def list_rejects(
    lake: Lake,
    *,
    source: str | None = None,
    resource: str | None = None,
    reason: str | None = None,
    status: str | None = "open",
    limit: int = 100,
    offset: int = 0,
) -> list[Reject]:
    """Rejects, newest first. `status=None` gives resolved ones too. Raises LakeError."""
    condition, values = _condition(source, resource, reason, status)
    with lake.read() as connection:
        rows = connection.execute(
            "SELECT source_system, resource, table_name, record_id, field, reason, found, expected,"
            f" origin, rejected_at, reject_status FROM ops.reject WHERE {condition}"
            " ORDER BY rejected_at DESC, source_system, resource, record_id, field LIMIT ? OFFSET ?",
            [*values, limit, offset],
        ).fetchall()
    return [Reject(*row) for row in rows]


def count_rejects(
    lake: Lake,
    *,
    source: str | None = None,
    resource: str | None = None,
    reason: str | None = None,
) -> list[RejectCount]:
    """Open rejects by resource, field and reason, the most first. Raises LakeError."""
    condition, values = _condition(source, resource, reason, "open")
    with lake.read() as connection:
        rows = connection.execute(
            "SELECT source_system, resource, field, reason, count(DISTINCT coalesce(record_id, origin)),"
            f" min(found), any_value(expected) FROM ops.reject WHERE {condition}"
            " GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4",
            values,
        ).fetchall()
    return [RejectCount(*row) for row in rows]


def retry(
    sources: Iterable[Source],
    lake: Lake,
    landing: Path,
    *,
    shelf: Shelf | None = None,
    source: str | None = None,
    resource: str | None = None,
    reason: str | None = None,
    pull_again: bool = False,
    now: datetime | None = None,
    run_id: str | None = None,
) -> list[RetryResult]:
    """Try open rejects again with the source files as they are now.

    The landed values are typed anew, which is enough when a code map, a type or a format was
    mended. When a path was mended, or the system itself, its resource has to be pulled
    anew: `pull_again` does so, whole, for what is still open. Records are merged by their
    key, so nothing is loaded twice. `run_id` names the run whose loads they are. Raises SourceError.
    """
    now = now or clock.now()
    results = []
    for one in sources:
        if source is not None and one.name != source:
            continue
        for rule in one.resources:
            names = [rule.name, *(child.name for child in rule.children)]
            if resource is not None and resource not in names:
                continue
            wanted = [name for name in names if resource in (None, rule.name, name)]
            pulled = partial(pull, landing=landing, shelf=shelf) if pull_again else None
            results += _retry_resource(one, rule, wanted, lake, reason, pulled, now, run_id)
    return results


def _retry_resource(
    source: Source,
    resource: Resource,
    names: list[str],
    lake: Lake,
    reason: str | None,
    pulled: Callable[[Pull], Landed] | None,
    now: datetime,
    run_id: str | None,
) -> list[RetryResult]:
    before = _open(source, names, lake, reason)
    if not before:
        return []
    written = 0
    with tempfile.TemporaryDirectory(prefix="nianbao-retry-") as folder:
        files: dict[str, list[str]] = {}
        for name in names:
            path = Path(folder) / f"{name}.ndjson"
            if _write_payloads(source, name, lake, reason, path):
                files[name] = [str(path)]
        if files:
            load_id = (
                f"{source.name}/{resource.name}/retry-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
            )
            batch = Batch(load_id, files, "", now, None, None)
            written += load_batch(
                batch, source, resource, lake, now=now, run_id=run_id
            ).rows_written
    if pulled is not None and _open(source, names, lake, reason):
        for due in plan(source, lake, full=True, resources={resource.name}):
            written += load(pulled(due), source, lake, now=clock.now(), run_id=run_id).rows_written
    after = _open(source, names, lake, reason)
    return [
        RetryResult(source.name, name, before[name], written, after.get(name, 0)) for name in before
    ]


def _open(source: Source, names: list[str], lake: Lake, reason: str | None) -> dict[str, int]:
    """Records with open rejects, by list."""
    found = {}
    for name in names:
        condition, values = _condition(source.name, name, reason, "open")
        with lake.read() as connection:
            row = connection.execute(
                f"SELECT count(DISTINCT coalesce(record_id, origin)) FROM ops.reject WHERE {condition}",
                values,
            ).fetchone()
        if row is not None and row[0]:
            found[name] = int(row[0])
    return found


def _write_payloads(source: Source, name: str, lake: Lake, reason: str | None, path: Path) -> int:
    """The newest payload of each record as landing rows, its origin as its place."""
    condition, values = _condition(source.name, name, reason, "open")
    with lake.read() as connection:
        rows = connection.execute(
            f"""SELECT payload, origin FROM ops.reject
            WHERE {condition} AND payload IS NOT NULL AND record_id IS NOT NULL AND reason <> 'conflicting_key'
            QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY rejected_at DESC, reject_id DESC) = 1""",
            values,
        ).fetchall()
    with path.open("wb") as stream:
        for payload, origin in rows:
            row = {**msgspec.json.decode(payload), "$at": origin}
            stream.write(msgspec.json.encode(row) + b"\n")
    return len(rows)
