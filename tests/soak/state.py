"""What a data home holds, so that two can be compared."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from tasks.clock import now
from tasks.publish.maintain import maintain
from tasks.settings import Settings
from warehouse.lake import Lake
from warehouse.tables import all_tables

# What says how a row came, not what it says.
NOT_COMPARED = {"load_id", "loaded_at", "origin"}
MUCH_LATER = timedelta(days=60)


def contents(home: Path) -> dict[str, Any]:
    """What the lake of a home holds, see `contents_of`."""
    return contents_of(Lake(home))


def contents_of(lake: Lake) -> dict[str, Any]:
    """Every row of the pulled tables, watermarks, rejects; by table."""
    found: dict[str, Any] = {}
    with lake.read() as connection:

        def ask(sql: str) -> list[Any]:
            return [list(map(str, row)) for row in connection.execute(sql).fetchall()]

        for table in all_tables():
            if table.is_pulled:
                columns = ", ".join(c.name for c in table.columns if c.name not in NOT_COMPARED)
                rows = ask(f"SELECT {columns} FROM {table.full_name} ORDER BY ALL")
                found[table.full_name] = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
                found[f"{table.full_name} rows"] = len(rows)
                found[f"{table.full_name} doubled"] = ask(
                    "SELECT count(*) FROM (SELECT 1 FROM "
                    f"{table.full_name} GROUP BY source_system, record_id HAVING count(*) > 1)"
                )
        found["watermarks"] = ask(
            "SELECT source_system, resource, cursor_value FROM ops.watermark ORDER BY ALL"
        )
        found["rejects"] = ask("SELECT count(*) FROM ops.reject")
    return found


def editions(home: Path) -> dict[str, Any]:
    """The editions of a home's lake, see `editions_of`."""
    return editions_of(Lake(home))


def editions_of(lake: Lake) -> dict[str, Any]:
    """Editions with their fingerprints, and how many rows each has."""
    with lake.read() as connection:
        found: dict[str, Any] = {
            "editions": connection.execute(
                "SELECT edition_id, edition_status, cell_hash, findings_hash, definition_hash "
                "FROM yearly.edition ORDER BY ALL"
            ).fetchall()
        }
        for table in ("cell", "check_result", "check_record"):
            found[table] = connection.execute(
                f"SELECT edition_id, count(*) FROM yearly.{table} GROUP BY ALL ORDER BY ALL"
            ).fetchall()
    return found


def faults_of_files(home: Path, is_published: bool) -> list[str]:
    """What is wrong with the files of edition 2020-1."""
    folder = home / "editions" / "2020-1"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    found = [
        f"{one['name']} differs"
        for one in manifest["files"]
        if hashlib.sha256((folder / one["name"]).read_bytes()).hexdigest() != one["sha256"]
    ]
    if is_published:
        if "approval" not in manifest:
            found.append("no approval")
        modes = {oct(stat.S_IMODE(p.stat().st_mode)) for p in (folder, *folder.iterdir())}
        if not modes <= {"0o444", "0o555"}:
            found.append(f"can be written to: {sorted(modes)}")
    return found


def after_maintenance(home: Path) -> list[str]:
    """What killed processes left that outlives a maintenance two months later."""
    settings = Settings(home=home)
    maintain(settings.lake(), settings, now=now() + MUCH_LATER)
    return [str(path.relative_to(home)) for path in _left(home)]


def _left(home: Path) -> Iterator[Path]:
    with Lake(home).read() as connection:
        catalog = "__ducklake_metadata_lake"
        known = {
            Path(name).name
            for (name,) in connection.execute(
                f"SELECT path FROM {catalog}.ducklake_data_file "
                f"UNION SELECT path FROM {catalog}.ducklake_delete_file "
                f"UNION SELECT path FROM {catalog}.ducklake_files_scheduled_for_deletion"
            ).fetchall()
        }
    yield from (p for p in (home / "lake" / "files").rglob("*.parquet") if p.name not in known)
    for folder in (home / "landing").glob("*/*/*"):
        if not (folder / "manifest.json").exists():
            yield folder
    yield from (p for p in (home / "editions").glob(".*") if p.is_dir())
