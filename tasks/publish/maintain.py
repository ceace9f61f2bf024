"""Maintain: small files merged, dead rows written out, snapshots that nobody needs expired, the
files removed that nothing needs, and what killed processes left.

A snapshot that an edition was built from is never expired: a figure must be explainable
years later.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tasks.editions.store import pinned_snapshots
from tasks.publish.files import STAGING, finish_all, publishing
from tasks.publish.verify import Problem, Verified, verify_home
from tasks.render.sets import INDEX
from tasks.settings import Settings
from tasks.sources.landing import MANIFEST as LANDED
from warehouse.beijing import BEIJING, to_beijing
from warehouse.lake import Connection, Lake, LakeBusy, LakeError, NoLake, one_thread, stored_rows

READERS_MAY_TAKE = timedelta(days=1)
"""A file that no snapshot needs stays this long: someone may be reading it still."""
WORKING_LEFTOVERS = timedelta(days=2)
DEAD_SHARE = 0.1
"""A file with this share of its rows overwritten is written anew."""


@dataclass(frozen=True)
class Maintained:
    """What was done, and which published editions are not what was signed for: `problems` says
    what of them, `changed_editions` names it by edition. Nothing is known of them where a
    publication was going on, and they were not looked at."""

    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    snapshots_before: int
    snapshots_after: int
    pinned: int
    leftovers: int
    landings_dropped: int
    changed_editions: dict[str, list[str]]
    problems: tuple[Problem, ...] = ()
    is_verified: bool = True


def maintain(
    lake: Lake,
    settings: Settings,
    *,
    now: datetime,
    progress: Callable[[str], None] = lambda step: None,
) -> Maintained:
    """Tidy the lake. Raises LakeError without a lake, while another process writes, or when a
    snapshot that an edition was built from holds other rows than before: no file is removed
    then, so that the catalog's back-up brings all back."""
    if not lake.exists():
        raise NoLake("还没有数据,不需要整理。请先运行夜间取数(nightly)")
    finish_all(lake, settings)
    keep_after = now - timedelta(days=settings.keep_snapshot_days)
    with lake.write() as connection:
        lake.hold_storage(connection)
        before = lake.storage.sizes(connection)
        held = _snapshots(connection)
        pinned = pinned_snapshots(connection)
        newest = max(held)
        progress("核对整理前的快照")
        kept = contents(connection, pinned | {newest})
        expired = [
            id_
            for id_, taken_at in held.items()
            if id_ not in pinned and id_ != newest and taken_at < keep_after
        ]
        _tidy(connection, expired, progress)
        progress("核对整理后的快照")
        _held_unchanged(kept, contents(connection, pinned | {newest}))
        progress("清理文件")
        unread = (now - READERS_MAY_TAKE).replace(tzinfo=BEIJING).isoformat()
        with one_thread(connection):
            connection.execute(
                f"CALL ducklake_cleanup_old_files('lake', older_than => TIMESTAMPTZ '{unread}')"
            )
        # No one else writes meanwhile, so what no snapshot knows was left by one that was killed.
        with one_thread(connection):
            leftovers = lake.storage.remove_unknown(connection, _known(connection))
        landings = _landings_of_closed_years(connection, settings, now)
        left = _snapshots(connection)
        missing = pinned & set(held) - set(left)
        assert not missing, missing
        after = lake.storage.sizes(connection)
    shelf = settings.landing_shelf
    for name in landings:
        shelf.drop(name)
    landings_dropped = len(landings)
    _remove(settings.landing / name for name in landings)
    leftovers += _tidied_shelves(settings, now)
    verified = _verified(lake, settings)
    return Maintained(
        files_before=len(before),
        files_after=len(after),
        bytes_before=sum(before),
        bytes_after=sum(after),
        snapshots_before=len(held),
        snapshots_after=len(left),
        pinned=len(pinned),
        leftovers=leftovers + _remove(_working_leftovers(settings, now)),
        landings_dropped=landings_dropped,
        changed_editions=verified.by_edition() if verified else {},
        problems=verified.problems if verified else (),
        is_verified=verified is not None,
    )


def _tidy(connection: Connection, expired: list[int], progress: Callable[[str], None]) -> None:
    """Let snapshots go, and write anew what lies in many small files or is mostly overwritten."""
    with one_thread(connection):
        # First of all, as DuckLake's own CHECKPOINT does it: what lies in the catalog itself is
        # written out while all snapshots that it belongs to are there.
        progress("合并小文件")
        connection.execute("CALL ducklake_flush_inlined_data('lake')")
        if expired:
            progress("清理快照")
            numbers = ", ".join(map(str, sorted(expired)))
            connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => [{numbers}])")
        progress("改写有失效行的文件")
        connection.execute(
            f"CALL ducklake_rewrite_data_files('lake', delete_threshold => {DEAD_SHARE})"
        )
        connection.execute("CALL ducklake_merge_adjacent_files('lake')")


def _verified(lake: Lake, settings: Settings) -> Verified | None:
    """What is wrong with what was published; None while a publication goes on, of which the
    lake tells already what its folder does not yet."""
    with suppress(LakeBusy), publishing(settings, timeout=0):
        return verify_home(lake, settings)
    return None


Contents = dict[tuple[int, str], tuple[int, int]]
"""Of a snapshot and table: how many rows, and the sum of what each comes to."""


def contents(connection: Connection, snapshots: Iterable[int]) -> Contents:
    """What tables that ever held a row hold at snapshots, whichever files it lies in."""
    catalog = "__ducklake_metadata_lake"
    filled = {name for name, count in stored_rows(connection).items() if count is not None}
    found = {}
    for snapshot in sorted(snapshots):
        for (name,) in connection.execute(
            f"SELECT s.schema_name || '.' || t.table_name FROM {catalog}.ducklake_table AS t "
            f"JOIN {catalog}.ducklake_schema AS s USING (schema_id) "
            "WHERE t.begin_snapshot <= $1 AND (t.end_snapshot IS NULL OR t.end_snapshot > $1) "
            "ORDER BY 1",
            [snapshot],
        ).fetchall():
            if name not in filled:
                continue
            row = connection.execute(
                "SELECT count(*), coalesce(sum(hash(t)), 0) "
                f"FROM lake.{name} AS t AT (VERSION => {snapshot})"
            ).fetchone()
            assert row is not None
            found[(snapshot, name)] = (int(row[0]), int(row[1]))
    return found


def _held_unchanged(before: Contents, after: Contents) -> None:
    changed = sorted(key for key in before if before[key] != after.get(key))
    if changed:
        (snapshot, name), was = changed[0], before[changed[0]][0]
        now = after.get(changed[0], (0, 0))[0]
        raise LakeError(
            f"整理改变了历史数据:快照 {snapshot} 的表 {name} 由 {was} 行变为 {now} 行"
            f"(共 {len(changed)} 张表不同)。没有删除任何文件;"
            "请用最近一次备份恢复目录库后再运行,并把本条信息报给维护人员"
        )


def _snapshots(connection: Connection) -> dict[int, datetime]:
    """Every snapshot and when it was taken (Asia/Shanghai)."""
    return {
        int(id_): taken_at
        for id_, taken_at in connection.execute(
            f"SELECT snapshot_id, {to_beijing('snapshot_time')} FROM ducklake_snapshots('lake')"
        ).fetchall()
    }


def _known(connection: Connection) -> set[str]:
    """The names of the files that the catalog knows: of any snapshot, or of the list of those to
    be removed. Names are never used twice, so they suffice wherever the lake lies."""
    catalog = "__ducklake_metadata_lake"
    return {
        name.rpartition("/")[2]
        for (name,) in connection.execute(
            f"SELECT path FROM {catalog}.ducklake_data_file "
            f"UNION SELECT path FROM {catalog}.ducklake_delete_file "
            f"UNION SELECT path FROM {catalog}.ducklake_files_scheduled_for_deletion"
        ).fetchall()
    }


def _tidied_shelves(settings: Settings, now: datetime) -> int:
    """Where landings and editions lie in a bucket: what a home held before it was one is put there, and what
    killed processes left there is taken away; returns how many objects. Of landings no copy is
    kept longer than someone may be reading it."""
    until = now.replace(tzinfo=BEIJING) - WORKING_LEFTOVERS
    left = 0
    for shelf, depth in ((settings.landing_shelf, 3), (settings.edition_shelf, 1)):
        if not shelf.is_shared:
            continue
        there = shelf.names()
        for folder in shelf.folder.glob("/".join("*" * depth)):
            name = folder.relative_to(shelf.folder).as_posix()
            is_whole = any((folder / last).exists() for last in (LANDED, INDEX))
            is_new = is_whole and name not in there and not shelf.is_copy(name)
            if is_new and not folder.name.startswith("."):
                shelf.keep(name)
        left += shelf.sweep(until)
    settings.landing_shelf.tidy(now.replace(tzinfo=BEIJING))
    return left


def _working_leftovers(settings: Settings, now: datetime) -> Iterator[Path]:
    """What killed processes left beside the editions, and landings that were never whole."""
    asides = (p for p in settings.editions.glob(".*") if not p.name.startswith(STAGING))
    landings = (
        folder
        for folder in settings.landing.glob("*/*/*")
        if folder.is_dir() and (folder.name.startswith(".") or not (folder / LANDED).exists())
    )
    until = now.replace(tzinfo=BEIJING) - WORKING_LEFTOVERS
    for path in (*asides, *landings):
        if path.is_dir() and path.stat().st_mtime < until.timestamp():
            yield path


def _landings_of_closed_years(
    connection: Connection, settings: Settings, now: datetime
) -> list[str]:
    """The names of landings that were loaded before the years that are kept, if any years are named. The newest of
    each resource stays whenever it was, as does one that was never loaded."""
    years = settings.keep_landing_years
    if years is None:
        return []
    rows = connection.execute(
        f"""
        WITH landing AS (
            SELECT landing_manifest, source_system, split_part(landing_manifest, '/', 3) AS resource,
                max(started_at) AS started_at,
                bool_and(load_status IN ('loaded', 'unchanged')) AS is_loaded
            FROM ops.load WHERE starts_with(landing_manifest, 'landing/') GROUP BY ALL
        ),
        newest AS (
            SELECT source_system, resource, max(started_at) AS newest_at FROM landing GROUP BY ALL
        )
        SELECT landing_manifest FROM landing JOIN newest USING (source_system, resource)
        WHERE is_loaded AND year(started_at) < {now.year - years} AND started_at < newest_at
        ORDER BY landing_manifest
        """
    ).fetchall()
    names = [str(manifest).removeprefix("landing/").rpartition("/")[0] for (manifest,) in rows]
    shelf = settings.landing_shelf
    if shelf.is_shared:
        there = shelf.names()
        return [name for name in names if name in there]
    folders = {name: settings.landing / name for name in names}
    return [
        name
        for name, folder in folders.items()
        if folder.resolve().is_relative_to(settings.landing.resolve())
        and (folder / LANDED).exists()
    ]


def _remove(paths: Iterable[Path]) -> int:
    """Take files and folders away; returns how many."""
    count = 0
    for path in list(paths):
        if path.is_dir():
            path.chmod(0o755)
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        count += 1
    return count
