"""Runs of the flows, kept in the lake: when, what became of them, which sources failed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from warehouse.lake import Lake, transaction
from warehouse.sql import literal


@dataclass(frozen=True)
class FailedResource:
    """A resource that was not loaded: what happened and what to do, in one text.

    `is_of_source` is false where the source answered and the lake or the disk did not take it.
    """

    source: str
    resource: str
    message: str
    is_of_source: bool = True


NAMED = 3
"""How many removed records a message names."""


@dataclass
class Run:
    """One run of a flow, gathered while it goes on."""

    id: str
    flow: str
    name: str
    started_at: datetime
    failed: list[FailedResource] = field(default_factory=list)
    loaded: int = 0
    rows_written: int = 0
    rows_rejected: int = 0
    rows_removed: int = 0
    removed_ids: list[str] = field(default_factory=list)

    @property
    def told_loaded(self) -> str:
        """What was loaded, for people; what was removed is named apart from what was written."""
        removed = ""
        if self.rows_removed:
            named = "、".join(self.removed_ids[:NAMED])
            more = " 等" if self.rows_removed > NAMED else ""
            removed = f"来源中不再有而算删除 {self.rows_removed} 条({named}{more}),"
        return f"装载 {self.loaded} 项,写入 {self.rows_written} 行,{removed}退回 {self.rows_rejected} 条"

    @property
    def failed_sources(self) -> list[str]:
        return sorted({f.source for f in self.failed})

    @property
    def status(self) -> str:
        if not self.failed:
            return "done"
        return "partial" if self.loaded else "failed"


def keep_run(lake: Lake, run: Run, *, now: datetime) -> None:
    """Write a finished run to ops.run."""
    failed = [f.__dict__ for f in run.failed]
    with lake.write() as connection, transaction(connection):
        told = json.dumps(failed, ensure_ascii=False) if failed else None
        values = (run.id, run.flow, run.name, run.started_at, now, run.status, told)
        connection.execute(f"INSERT INTO ops.run VALUES ({', '.join(map(literal, values))})")


def last_run(lake: Lake, flow: str) -> tuple[str, list[FailedResource]] | None:
    """Status and failures of a flow's newest finished run; None before the first."""
    with lake.read() as connection:
        row = connection.execute(
            f"SELECT run_status, failed_sources FROM ops.run WHERE flow_name = {literal(flow)} "
            "ORDER BY started_at DESC LIMIT 1"
        ).fetchone()
    if row is None:
        return None
    return row[0], list(_failures(row[1]))


@dataclass(frozen=True)
class PastRun:
    """A run that is over, with what its loads brought: rows new or changed, rows that a whole list
    lacked, records rejected. `failed` are the resources that were not loaded."""

    id: str
    flow: str
    name: str
    started_at: datetime
    finished_at: datetime | None
    status: str
    failed: tuple[FailedResource, ...]
    written: int
    removed: int
    rejected: int

    @property
    def failed_sources(self) -> list[str]:
        return sorted({f.source for f in self.failed})


_PAST = """
SELECT r.run_id, r.flow_name, coalesce(r.run_name, r.flow_name), r.started_at, r.finished_at,
    r.run_status, r.failed_sources, coalesce(sum(l.rows_written), 0),
    coalesce(sum(l.rows_removed), 0),
    coalesce(sum(l.rows_rejected), 0)
FROM (
    SELECT * FROM ops.run WHERE $flow IS NULL OR flow_name = $flow
    ORDER BY started_at DESC LIMIT $most
) AS r
LEFT JOIN ops.load AS l ON l.run_id = r.run_id
GROUP BY ALL ORDER BY r.started_at DESC
"""


def past_runs(lake: Lake, *, flow: str | None = None, most: int = 10) -> list[PastRun]:
    """The newest finished runs, of one flow or of all, the newest first. Raises NoLake."""
    with lake.read() as connection:
        rows = connection.execute(_PAST, {"flow": flow, "most": most}).fetchall()
    return [
        PastRun(
            id_, of, name, began, ended, status, _failures(failed), int(w), int(gone), int(back)
        )
        for id_, of, name, began, ended, status, failed, w, gone, back in rows
    ]


def _failures(told: str | None) -> tuple[FailedResource, ...]:
    return tuple(FailedResource(**f) for f in json.loads(told or "[]"))
