"""Moving a lake's catalog from SQLite to PostgreSQL; the Parquet files stay where they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from warehouse.catalog import PostgresCatalog, SqliteCatalog
from warehouse.errors import ConfigurationError
from warehouse.lake import (
    Connection,
    Lake,
    LakeError,
    NoLake,
    attach_sql,
    connection_config,
    one_thread,
    started,
    transaction,
)
from warehouse.lake_errors import explained
from warehouse.sql import quoted
from warehouse.temporary import spill_folder

INLINED = "ducklake_inlined_data_"
"""Tables of rows that were too few for a file; each kind of catalog types them its own way."""


@dataclass(frozen=True)
class Moved:
    """`tables` of the catalog with `rows` in all; `snapshot` is the newest one."""

    source: str
    target: str
    tables: int
    rows: int
    snapshot: int


def move_catalog(lake: Lake, source: SqliteCatalog, target: PostgresCatalog) -> Moved:
    """Copy the catalog of `lake`, which is open on `source`, to `target`, all or nothing.

    Both are locked meanwhile. The SQLite file is renamed when the copy is whole, so that
    nothing writes to it any more. Snapshots keep their numbers: editions stay pinned. Raises
    LakeError when there is nothing to move or the target holds a lake already.
    """
    if not source.path.exists():
        raise NoLake(f"{source.shown} 不存在,没有可迁移的目录库")
    try:
        with _prepared(lake, target) as connection, lake.write() as writing:
            # What lies in the catalog itself goes to files first; older snapshots see it there.
            with one_thread(writing):
                writing.execute("CALL ducklake_flush_inlined_data('lake')")
            connection.execute(f"ATTACH {quoted(source.path)} AS source (TYPE sqlite, READ_ONLY)")
            with transaction(connection):
                moved = _copy_tables(connection, source, target)
            source.path.rename(source.moved_to)
    except duckdb.Error as error:
        told = explained(error, target.shown)
        if told is None:
            raise
        raise told from error
    return moved


@contextmanager
def _prepared(lake: Lake, target: PostgresCatalog) -> Iterator[Connection]:
    """A connection on which `target` is attached, locked, and holds an empty lake, so that its
    tables are of the types this kind of catalog has them in."""
    connection = started(
        connection_config(lake.memory_limit, lake.threads, spill_folder(lake.spills_to)),
        (*lake.extensions, *target.extensions),
    )
    try:
        lake.storage.prepare(connection)
        target.prepare(connection)
        with target.writing(connection, 0):
            connection.execute(attach_sql(target, lake.storage, read_only=False))
            connection.execute("DETACH lake")
            target.attach(connection, "target")
            if _newest(connection, "target"):
                raise ConfigurationError(f"{target.shown} 中已有一个湖,未改动。请换一个空的库")
            yield connection
    finally:
        connection.close()


def _copy_tables(connection: Connection, source: SqliteCatalog, target: PostgresCatalog) -> Moved:
    tables = [
        name
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'source' ORDER BY 1"
        ).fetchall()
    ]
    rows = 0
    copied = [name for name in tables if not name.startswith(INLINED)]
    for name in copied:
        connection.execute(f"DELETE FROM target.{name}")
        connection.execute(f"INSERT INTO target.{name} BY NAME SELECT * FROM source.{name}")
        counts = [_count(connection, f"{side}.{name}") for side in ("source", "target")]
        if counts[0] != counts[1]:
            raise LakeError(f"目录表 {name} 迁移后行数不符({counts[0]} 与 {counts[1]}),未迁移")
        rows += counts[0]
    left = sum(
        _count(connection, f"source.{name}")
        for name in tables
        if name.startswith(INLINED) and name != f"{INLINED}tables"
    )
    if left:
        raise LakeError(f"目录库中还有 {left} 行未转存为文件,未迁移。请先运行整理(maintenance)")
    return Moved(source.shown, target.shown, len(copied), rows, _newest(connection, "target"))


def _count(connection: Connection, name: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
    assert row is not None
    return int(row[0])


def _newest(connection: Connection, side: str) -> int:
    row = connection.execute(f"SELECT max(snapshot_id) FROM {side}.ducklake_snapshot").fetchone()
    assert row is not None
    return int(row[0] or 0)
