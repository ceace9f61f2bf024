"""Maintain: small files merged, snapshots that nobody needs expired, their files removed.

A snapshot that an edition was built from is never expired: a figure must be explainable
years later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tasks.editions.store import pinned_snapshots
from tasks.publish.files import frozen_files_changed
from tasks.settings import Settings
from warehouse.beijing import to_beijing
from warehouse.lake import Connection, Lake, NoLake

READERS_MAY_TAKE = timedelta(days=1)
"""A file that no snapshot needs stays this long: someone may be reading it still."""
WORKING_LEFTOVERS = timedelta(days=2)


@dataclass(frozen=True)
class Maintained:
    """What was done, and which published editions' files are not what was signed for."""

    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    snapshots_before: int
    snapshots_after: int
    pinned: int
    leftovers: int
    changed_editions: dict[str, list[str]]


def maintain(
    lake: Lake,
    settings: Settings,
    *,
    now: datetime,
    progress: Callable[[str], None] = lambda step: None,
) -> Maintained:
    """Tidy the lake. Raises LakeError without a lake or while another process writes."""
    if not lake.exists():
        raise NoLake("还没有数据,不需要整理。请先运行夜间取数(nightly)")
    before = _files(lake.files)
    keep_after = now - timedelta(days=settings.keep_snapshot_days)
    with lake.write() as connection:
        held = _snapshots(connection)
        pinned = pinned_snapshots(connection)
        newest = max(held)
        expired = [
            id_
            for id_, taken_at in held.items()
            if id_ not in pinned and id_ != newest and taken_at < keep_after
        ]
        if expired:
            progress("清理快照")
            numbers = ", ".join(map(str, sorted(expired)))
            connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => [{numbers}])")
        progress("合并小文件")
        connection.execute("CALL ducklake_merge_adjacent_files('lake')")
        progress("清理文件")
        hours = int(READERS_MAY_TAKE.total_seconds() // 3600)
        connection.execute(
            f"CALL ducklake_cleanup_old_files('lake', older_than => now() - INTERVAL {hours} HOUR)"
        )
        left = _snapshots(connection)
        missing = pinned & set(held) - set(left)
        assert not missing, missing
    after = _files(lake.files)
    return Maintained(
        files_before=len(before),
        files_after=len(after),
        bytes_before=sum(before),
        bytes_after=sum(after),
        snapshots_before=len(held),
        snapshots_after=len(left),
        pinned=len(pinned),
        leftovers=_remove_leftovers(settings),
        changed_editions=frozen_files_changed(lake, settings),
    )


def _snapshots(connection: Connection) -> dict[int, datetime]:
    """Every snapshot and when it was taken (Asia/Shanghai)."""
    return {
        int(id_): taken_at
        for id_, taken_at in connection.execute(
            f"SELECT snapshot_id, {to_beijing('snapshot_time')} FROM ducklake_snapshots('lake')"
        ).fetchall()
    }


def _files(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.rglob("*.parquet")]


def _remove_leftovers(settings: Settings) -> int:
    """Working folders that a killed process left beside the editions."""
    import shutil
    import time

    count = 0
    for path in settings.editions.glob(".*"):
        age = time.time() - path.stat().st_mtime
        is_ours = path.is_dir() and not path.name.startswith(".publishing-")
        if is_ours and age > WORKING_LEFTOVERS.total_seconds():
            shutil.rmtree(path, ignore_errors=True)
            count += 1
    return count
