"""Many simulated nights: 1 % of the records change, maintenance follows, time goes on."""

from __future__ import annotations

import resource
import sqlite3
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from tasks.clock import now
from tasks.publish.maintain import maintain
from tasks.settings import Settings
from warehouse.lake import Lake, transaction

TABLES = {"core.hotline_call": "wait_seconds", "core.work_order": None, "core.article": None}


def nights(home: Path, count: int, say: Any) -> list[dict[str, float]]:
    """One line of measurements a night; the lake of `home` is changed."""
    settings = Settings(home=home)
    lake = settings.lake()
    lines = []
    for night in range(count):
        began = time.monotonic()
        cpu = time.process_time()
        changed = _change(lake, night)
        merged = time.monotonic()
        maintain(lake, settings, now=now() + timedelta(days=night + 1))
        maintained = time.monotonic()
        rows = _read(lake)
        lines.append(
            {
                "night": night,
                "changed": changed,
                "change_seconds": round(merged - began, 3),
                "maintenance_seconds": round(maintained - merged, 3),
                "read_seconds": round(time.monotonic() - maintained, 3),
                "cpu_seconds": round(time.process_time() - cpu, 3),
                "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
                "rows": rows,
                **_sizes(lake, home),
            }
        )
        if night % 20 == 0:
            say("night", lines[-1])
    return lines


def _change(lake: Lake, night: int) -> int:
    """A hundredth of each table's rows, another each night."""
    changed = 0
    with lake.write() as connection, transaction(connection):
        for table in TABLES:
            row = connection.execute(
                f"UPDATE {table} SET row_hash = md5(row_hash || '{night}') "
                f"WHERE hash(record_id) % 100 = {night % 100}"
            ).fetchone()
            changed += int(row[0]) if row else 0
    return changed


def _read(lake: Lake) -> int:
    with lake.read() as connection:
        counts = [
            connection.execute(f"SELECT count(DISTINCT (record_id, row_hash)) FROM {t}").fetchone()
            for t in TABLES
        ]
    return sum(int(c[0]) for c in counts if c)


def _sizes(lake: Lake, home: Path) -> dict[str, int]:
    catalog = home / "lake" / "catalog.sqlite"
    files = [p.stat().st_size for p in lake.files.rglob("*.parquet")]
    with sqlite3.connect(catalog) as connection:
        (snapshots,) = connection.execute("SELECT count(*) FROM ducklake_snapshot").fetchone()
        (dead,) = connection.execute(
            "SELECT coalesce(sum(delete_count), 0) FROM ducklake_delete_file "
            "WHERE end_snapshot IS NULL"
        ).fetchone()
    return {
        "files": len(files),
        "files_kb": sum(files) >> 10,
        "catalog_kb": catalog.stat().st_size >> 10,
        "snapshots": snapshots,
        "dead_rows": dead,
    }
