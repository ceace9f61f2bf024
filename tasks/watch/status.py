"""Status: how current each resource is, from the operational tables of the lake."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from warehouse.lake import Lake

NAMED = 3
"""How many of the records that were removed last are named."""


@dataclass(frozen=True)
class Removed:
    """Records that are not in force any more: `withdrawn` says the source itself, `unseen` are those
    that a whole list lacks; `newest` names the last ones."""

    withdrawn: int = 0
    unseen: int = 0
    newest: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return self.withdrawn + self.unseen

    @property
    def text(self) -> str:
        """For people; empty where there is none."""
        if not self.count:
            return ""
        parts = [f"来源注明作废 {self.withdrawn:,}"] if self.withdrawn else []
        parts += [f"清单中不再有 {self.unseen:,}"] if self.unseen else []
        last = f",最近:{'、'.join(self.newest)}" if self.newest else ""
        return f"已作废 {self.count:,}({'、'.join(parts)}{last})"


@dataclass(frozen=True)
class ResourceStatus:
    """One resource of one source as it stands.

    `rows` are the records in force, `removed` those that are not any more;
    `age` is the time since it was last pulled successfully; `source_count` and
    `warehouse_count` are the newest control total's sums, None where the source cannot count.
    """

    source_system: str
    resource: str
    table: str
    last_status: str
    last_pull_at: datetime | None
    age: timedelta | None
    watermark: str | None
    rows: int
    open_rejects: int
    source_count: int | None
    warehouse_count: int | None
    message: str
    removed: Removed = field(default_factory=lambda: Removed())

    @property
    def totals_agree(self) -> bool | None:
        if self.source_count is None:
            return None
        return self.source_count == self.warehouse_count

    def is_stale(self, limit: timedelta) -> bool:
        return self.age is None or self.age > limit


NOTHING = (0, Removed())

_STATUS = """
WITH newest AS (
    SELECT * FROM ops.load
    QUALIFY row_number() OVER (PARTITION BY source_system, resource ORDER BY started_at DESC, rowid DESC) = 1
),
done AS (
    SELECT source_system, resource, max(finished_at) AS last_pull_at FROM ops.load
    WHERE load_status IN ('loaded', 'unchanged') GROUP BY ALL
),
rejects AS (
    SELECT source_system, resource, count(DISTINCT coalesce(record_id, reject_id)) AS open_rejects FROM ops.reject
    WHERE reject_status = 'open' GROUP BY ALL
),
totals AS (
    SELECT source_system, resource, sum(source_count) AS source_count, sum(warehouse_count) AS warehouse_count
    FROM (
        SELECT * FROM ops.control_total
        QUALIFY dense_rank() OVER (PARTITION BY source_system, resource ORDER BY compared_at DESC) = 1
    ) GROUP BY ALL
)
SELECT n.source_system, n.resource, n.table_name, n.load_status, d.last_pull_at, w.cursor_value,
    coalesce(r.open_rejects, 0), t.source_count, t.warehouse_count, coalesce(n.message, '')
FROM newest AS n
LEFT JOIN done AS d USING (source_system, resource)
LEFT JOIN ops.watermark AS w USING (source_system, resource)
LEFT JOIN rejects AS r USING (source_system, resource)
LEFT JOIN totals AS t USING (source_system, resource)
ORDER BY n.source_system, n.resource
"""


def read_status(lake: Lake, *, now: datetime) -> list[ResourceStatus]:
    """Every resource that was ever loaded, by source. Raises LakeError without a lake."""
    with lake.read() as connection:
        rows = connection.execute(_STATUS).fetchall()
        tables = sorted({row[2].removeprefix("core.") for row in rows})
        counts: dict[tuple[str, str], tuple[int, Removed]] = {}
        if tables:
            # One question for all: each costs a look into the lake's catalog.
            selects = (
                f"""SELECT source_system, '{table}' AS name, count(*) FILTER (removed_at IS NULL),
                    count(*) FILTER (removed_at IS NOT NULL AND removal IS DISTINCT FROM 'unseen'),
                    count(*) FILTER (removed_at IS NOT NULL AND removal = 'unseen'),
                    max_by(record_id, removed_at, {NAMED}) FILTER (removed_at IS NOT NULL)
                FROM core.{table} GROUP BY ALL"""
                for table in tables
            )
            for source, table, live, withdrawn, unseen, newest in connection.execute(
                " UNION ALL ".join(selects)
            ).fetchall():
                removed = Removed(withdrawn, unseen, tuple(newest or ()))
                counts[(source, table)] = (live, removed)
    return [
        ResourceStatus(
            source_system=source,
            resource=resource,
            table=table.removeprefix("core."),
            last_status=status,
            last_pull_at=pulled,
            age=now - pulled if pulled else None,
            watermark=watermark,
            rows=counts.get((source, table.removeprefix("core.")), NOTHING)[0],
            removed=counts.get((source, table.removeprefix("core.")), NOTHING)[1],
            open_rejects=rejects,
            source_count=None if at_source is None else int(at_source),
            warehouse_count=None if here is None else int(here),
            message=message,
        )
        for source, resource, table, status, pulled, watermark, rejects, at_source, here, message in rows
    ]
