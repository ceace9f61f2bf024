"""From the structure of one release to the next, forward only.

Tables and columns that are missing are made from their SQL files, whatever the version. A step
here does what that cannot: it gives rows of an earlier release what this one reads. All steps
that are due run in the transaction that makes what is missing, so a lake is of one version or
of the other. Steps are never changed once released; tests keep a home of each release.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from warehouse.beijing import to_beijing

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Migration:
    """A step to `version`; `sql` runs when tables and columns are there."""

    version: int
    title: str
    sql: tuple[str, ...] = ()


MIGRATIONS = (
    Migration(1, "第一版"),
    Migration(2, "版次属于某一表种和期间;记下结构版本"),
    Migration(
        3,
        "发布登记:签名与链",
        # What was published before has no signature; that it was is kept, and the first signature
        # covers it.
        (
            "INSERT INTO yearly.publication (edition_id, manifest_hash, registered_at) "
            "SELECT edition_id, manifest_hash, approved_at FROM yearly.edition "
            "WHERE approved_at IS NOT NULL AND manifest_hash IS NOT NULL",
        ),
    ),
    # What was there is of the city's file: no number, nobody who entered or checked it.
    Migration(4, "更正:登记与复核"),
    Migration(
        5,
        "一城一湖:湖记下属于哪个城市",
        # The city whose organs it holds.
        (
            "INSERT INTO ops.city SELECT organ_id, arg_max(organ_name, valid_from), "
            f"{to_beijing('now()')} FROM core.organ WHERE parent_organ_id IS NULL GROUP BY organ_id",
        ),
    ),
    # Rules that failed before are asked once more, and then their records are there.
    Migration(6, "检查:留下检出的记录"),
)
NEWEST = MIGRATIONS[-1].version


def version_of(connection: Connection) -> int:
    """The version of the lake that is attached; 0 of one that has no tables yet. A lake that
    says none was made by the release before there were versions."""
    # Asked of the catalog itself: DuckDB's own list would read every table's columns first.
    row = connection.execute(
        "SELECT count(*), count(*) FILTER (table_name = 'schema_version') "
        "FROM __ducklake_metadata_lake.ducklake_table WHERE end_snapshot IS NULL"
    ).fetchone()
    assert row is not None
    if not row[1]:
        return 1 if row[0] else 0
    version = connection.execute("SELECT max(schema_version) FROM ops.schema_version").fetchone()
    assert version is not None
    return int(version[0] or 0)


def due(version: int) -> list[str]:
    """The statements that take a lake of a version to the newest, in order."""
    steps: list[str] = []
    for migration in MIGRATIONS:
        if migration.version > version:
            # A lake that is made anew has no rows to take along.
            steps += migration.sql if version else ()
            steps.append(
                f"INSERT INTO ops.schema_version SELECT {migration.version}, "
                f"'{migration.title}', {to_beijing('now()')}"
            )
    return steps
