"""Control totals: a source's own counts beside ours, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tasks import clock
from tasks.sources.client import Client
from tasks.sources.connector import control_count
from tasks.sources.model import ControlTotal, Resource, Source
from tasks.sources.plan import AHEAD
from tasks.sources.windows import Window, moment_text, parse_moment, split
from warehouse.lake import Lake
from warehouse.sql import insert_sql, literal, quoted


@dataclass(frozen=True)
class Difference:
    """A window in which the source counts other than the warehouse."""

    source: str
    resource: str
    window: Window | None
    source_count: int
    warehouse_count: int


def compare_control_totals(
    source: Source,
    resource: Resource | str,
    lake: Lake,
    *,
    load_id: str | None = None,
    now: datetime | None = None,
) -> list[Difference]:
    """Ask the source for its counts, keep them beside ours in `ops.control_total`.

    Returns the windows that differ; they are to be pulled again. A resource without
    `control_total` has none. Raises SourceError.
    """
    resource = source.resource(resource) if isinstance(resource, str) else resource
    rule = resource.control_total
    if rule is None:
        return []
    now = now or clock.now()
    windows: list[Window | None] = [None]
    if rule.start is not None:
        windows = list(split(Window(parse_moment(rule.start), now + AHEAD), rule.split))
    with Client(source) as client:
        theirs = [control_count(client, source, rule, window) for window in windows]
    ours = _warehouse_counts(source, resource, rule, windows, lake)
    found = [
        Difference(source.name, resource.name, window, their_count, our_count)
        for window, their_count, our_count in zip(windows, theirs, ours, strict=True)
    ]
    _keep(found, lake, now, load_id)
    return [d for d in found if d.source_count != d.warehouse_count]


def _warehouse_counts(
    source: Source,
    resource: Resource,
    rule: ControlTotal,
    windows: list[Window | None],
    lake: Lake,
) -> list[int]:
    begin = quoted(f"{source.name}/{resource.name}/")
    condition = f"source_system = {quoted(source.name)} AND starts_with(origin, {begin})"
    if not rule.counts_removed:
        condition += " AND removed_at IS NULL"
    measures = [
        "count(*)"
        if window is None
        else f"count(*) FILTER ({rule.column} >= {literal(window.start)} "
        f"AND {rule.column} < {literal(window.end)})"
        for window in windows
    ]
    with lake.read() as connection:
        row = connection.execute(
            f"SELECT {', '.join(measures)} FROM core.{resource.table} WHERE {condition}"
        ).fetchone()
    assert row is not None
    return list(row)


def _keep(found: list[Difference], lake: Lake, now: datetime, load_id: str | None) -> None:
    rows = [
        {
            "source_system": d.source,
            "resource": d.resource,
            "window_from": moment_text(d.window.start) if d.window else None,
            "window_to": moment_text(d.window.end) if d.window else None,
            "source_count": d.source_count,
            "warehouse_count": d.warehouse_count,
            "compared_at": now,
            "load_id": load_id,
        }
        for d in found
    ]
    with lake.write() as connection:
        connection.execute(insert_sql("ops.control_total", rows))
