"""In which state each record of a core table stands in a period's account, and how many are in each.

Two ways to the same numbers. One asks each record by its key whether some cell counts it. The other
reads the table and what the cells count once each, and holds both against each other in buckets of
keys: two lots of records with the same number of keys and the same keys' hashes, taken together bit
by bit, are the same records, so they need not be laid side by side one by one. Only the records of a
bucket that differs, or holds what was set aside or corrected, are asked by their keys. Neither takes
from the figures that the form shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container
from datetime import date, timedelta

from warehouse.layout import Layout
from warehouse.period import Period
from warehouse.reading import Reading, table_as_corrected
from warehouse.sql import quoted
from warehouse.tables import Table

BUCKETS = 4096
"""Into how many lots the keys of a table are divided: many enough that a few records by themselves
make few others be asked, few enough to be kept at hand. A power of two."""

Loaded = list[tuple[str, str, int]]
States = list[tuple[str, str, str, int]]
_KEY = "hash(source_system, record_id)"
_LOT = "count(*) AS records, bit_xor(key) AS keys"
"""What is told of the keys of a lot. Their sum would tell no more, and takes longer."""


def _bucket() -> str:
    return f"CAST(key & {BUCKETS - 1} AS USMALLINT)"


def copy_decisions(reading: Reading) -> None:
    """What was set aside, dropped, corrected and rejected, the loads and what the sources counted, in
    memory: every table is asked for it, and each question to the lake costs a look into its catalog."""
    for name, sql in (
        ("aside", "SELECT DISTINCT table_name, source_system, record_id FROM lake.ops.quarantine"),
        ("corrected", "SELECT * FROM lake.ops.correction"),
        ("reject", "SELECT * FROM lake.ops.reject"),
        ("load", "SELECT *, rowid AS place FROM lake.ops.load"),
        ("control_total", "SELECT * FROM lake.ops.control_total"),
    ):
        reading.connection.execute(f"CREATE OR REPLACE TEMP TABLE account_{name} AS {sql}")


def dated_by(table: Table, stored: Container[str] | None = None) -> str | None:
    """The column whose date tells a record's year: that of the partition, else the first date. Of
    a snapshot that lacks later columns only those that are `stored` count, as they did then."""
    if table.partition_column:
        return table.partition_column
    dates = (c.name for c in table.business_columns if c.sql_type in ("DATE", "TIMESTAMP"))
    return next((name for name in dates if stored is None or name in stored), None)


def brought_sql() -> str:
    """What tells the list that brought a row, as SQL: the same text for many rows, and after its
    first slash begins the list's name. An origin begins with the load that wrote the row, unless
    another load marked it since; a load's id is one text for all its rows, an origin one each."""
    return (
        "CASE WHEN starts_with(origin, load_id) AND load_id LIKE '%/%/%' THEN load_id "
        "ELSE '/' || split_part(coalesce(origin, ''), '/', 2) END"
    )


def standing_sql(reading: Reading, layout: Layout, table: Table, period: Period) -> str | None:
    """Every record of a core table with its list and its state in the account of a period, as SQL:
    source_system, resource, record_id, state. None where the snapshot lacks the table, or it never
    held a record.

    Each record has one state. What a cell counts is counted, even if it was withdrawn after the
    year; the states below that are looked at in the order of their lines.
    """
    if not _has_records(reading, table):
        return None
    counted = _counted_sql(reading, layout, table, period)
    rows = _rows(reading, table)
    same = "counted.source_system = t.source_system AND counted.record_id = t.record_id"
    not_counted = _not_counted(reading, table, period, has_cell=bool(counted))
    return (
        "SELECT source_system, split_part(brought, '/', 2) AS resource, record_id, state "
        f"FROM ({_states_sql(reading, table, rows, counted or _NONE, same, not_counted)})"
    )


def _states_sql(
    reading: Reading, table: Table, rows: str, counted: str, same: str, not_counted: str
) -> str:
    """Some rows of a table with what brought each and its state: source_system, brought, record_id,
    state. `same` tells which of the rows `counted` is it."""
    return f"""
    SELECT t.source_system, {brought_sql()} AS brought, t.record_id,
        CASE WHEN counted.is_so THEN 'counted'
            WHEN t.removed_at IS NOT NULL THEN {_removal(reading, table)}
            WHEN aside.record_id IS NOT NULL THEN 'set_aside'
            WHEN dropped.record_id IS NOT NULL THEN 'dropped'
            {not_counted} END AS state
    FROM ({rows}) AS t
    LEFT JOIN (SELECT *, TRUE AS is_so FROM ({counted})) AS counted ON {same}
    LEFT JOIN (
        SELECT source_system, record_id FROM account_aside
        WHERE table_name = {quoted(table.full_name)}
    ) AS aside ON aside.source_system = t.source_system AND aside.record_id = t.record_id
    LEFT JOIN (
        SELECT DISTINCT source_system, record_id FROM account_corrected
        WHERE table_name = {quoted(table.full_name)} AND column_name = '*' AND action = 'drop'
    ) AS dropped ON dropped.source_system = t.source_system AND dropped.record_id = t.record_id"""


_NONE = "SELECT NULL AS source_system, NULL AS record_id WHERE FALSE"


def _has_records(reading: Reading, table: Table) -> bool:
    return table.full_name in reading.stored_columns and table.full_name in reading.filled_tables


def _removal(reading: Reading, table: Table) -> str:
    has_reason = "removal" in reading.stored_columns[table.full_name]
    return "coalesce(removal, 'withdrawn')" if has_reason else "'withdrawn'"


def _corrected(reading: Reading, table: Table) -> list[str]:
    """The columns of which some value is corrected."""
    rows = reading.connection.execute(
        "SELECT DISTINCT column_name FROM account_corrected "
        f"WHERE table_name = {quoted(table.full_name)} AND column_name <> '*'"
    ).fetchall()
    return [name for (name,) in rows]


def _rows(reading: Reading, table: Table) -> str:
    """The table with its corrections and all that is set aside."""
    corrected = _corrected(reading, table)
    if corrected:
        return table_as_corrected(table, corrected)
    return f"SELECT * FROM {reading.as_stored(table.full_name)}"


def _not_counted(reading: Reading, table: Table, period: Period, *, has_cell: bool) -> str:
    """The last branches of a CASE: why a record in force is in no cell."""
    if not has_cell:
        return "ELSE 'no_cell'"
    on = dated_by(table, reading.stored_columns[table.full_name])
    if on is None:
        return "ELSE 'by_definition'"
    return (
        f"WHEN {on} IS NULL THEN 'undated' WHEN {_within(on, period)} THEN 'by_definition' "
        "ELSE 'another_year'"
    )


def _within(on: str, period: Period) -> str:
    """Condition: that a day or moment is of a period."""
    return f"{on} >= DATE '{period.first}' AND {on} < DATE '{_over(period)}'"


def _over(period: Period) -> date:
    """The day after a period."""
    return period.last + timedelta(days=1)


def _counted_sql(reading: Reading, layout: Layout, table: Table, period: Period) -> str:
    """The records of a table that some cell of the form counts, as SQL; empty for a table that
    no cell looks at."""
    conditions: dict[str, dict[str, None]] = defaultdict(dict)
    for cell in layout.cells.values():
        if cell.measure and reading.measures[cell.measure].table == table.full_name:
            conditions[cell.measure][cell.where] = None
    return " UNION ".join(
        f"SELECT source_system, record_id FROM {reading.measure(measure, period)} "
        f"WHERE {' OR '.join(f'({condition})' for condition in wanted)}"
        for measure, wanted in conditions.items()
    )


def count_states(
    reading: Reading, layout: Layout, table: Table, period: Period
) -> tuple[Loaded, States]:
    """How many records each list brought that the table holds (source_system, resource, count), and
    how many of them stand in which state (source_system, resource, state, count); the first are
    counted in the table alone. A state may come in several rows. `copy_decisions` goes before."""
    if not _has_records(reading, table):
        return [], []
    counted = _counted_sql(reading, layout, table, period)
    not_counted = _not_counted(reading, table, period, has_cell=bool(counted))
    if table.full_name in reading.in_memory:
        same = "counted.source_system = t.source_system AND counted.record_id = t.record_id"
        rows = _rows(reading, table)
        states = _states_sql(reading, table, rows, counted or _NONE, same, not_counted)
        stored = reading.as_stored(table.full_name)
        held = f"(SELECT *, {brought_sql()} AS brought, 1 AS records FROM {stored})"
        return _loaded(reading, held), _counts(reading, states)
    _divide(reading, table, period, counted, not_counted)
    # In a bucket that is not in doubt all that is in force and of the period is counted.
    surely = reading.connection.execute(
        f"""
        SELECT source_system, split_part(brought, '/', 2),
            CASE WHEN {"state = 'by_definition'" if counted else "FALSE"} THEN 'counted'
                WHEN {_WENT_LATE} AND bucket IN (SELECT bucket FROM account_doubt WHERE has_late)
                THEN 'counted' ELSE replace(state, {quoted(_LATE)}, '') END AS state,
            CAST(sum(records) AS BIGINT)
        FROM account_bucket WHERE bucket NOT IN {_IN_DOUBT} GROUP BY ALL
        """
    ).fetchall()
    asked = _in_doubt(reading, table, counted, not_counted)
    return _loaded(reading, "account_bucket"), surely + asked


_LATE = "late/"
_WENT_LATE = f"starts_with(state, {quoted(_LATE)})"
_IN_DOUBT = "(SELECT bucket FROM account_doubt WHERE NOT has_late)"


def _in_doubt(reading: Reading, table: Table, counted: str, not_counted: str) -> States:
    """The states of the records of buckets in doubt, each asked by its key."""
    row = reading.connection.execute(f"SELECT count(*) FROM {_IN_DOUBT}").fetchone()
    if not row or not row[0]:
        return []
    rows, keys = (
        f"SELECT * FROM (SELECT *, {_KEY} AS key FROM ({of})) WHERE {_bucket()} IN {_IN_DOUBT}"
        for of in (_rows(reading, table), counted or _NONE)
    )
    same = "counted.key = t.key"
    return _counts(reading, _states_sql(reading, table, rows, keys, same, not_counted))


def _loaded(reading: Reading, rows: str) -> Loaded:
    return reading.connection.execute(
        "SELECT source_system, split_part(brought, '/', 2), CAST(sum(records) AS BIGINT) "
        f"FROM {rows} GROUP BY ALL"
    ).fetchall()


def _counts(reading: Reading, states: str) -> States:
    """How many records stand in which state, by list."""
    return reading.connection.execute(
        "SELECT source_system, split_part(brought, '/', 2), state, CAST(sum(records) AS BIGINT) FROM ("
        f"SELECT source_system, brought, state, count(*) AS records FROM ({states}) GROUP BY ALL"
        ") GROUP BY ALL"
    ).fetchall()


def _divide(reading: Reading, table: Table, period: Period, counted: str, not_counted: str) -> None:
    """Reads the table and what cells count, once each, into temporary tables. `account_bucket`: the
    records by list, bucket and the state in which they are if nothing is corrected or set aside; before
    it stands `late/` where one of the period was withdrawn after it, as some cells still count it.
    `account_doubt`: the buckets in which what is in force and of the period is not what is counted;
    with `has_late` it is, together with what was withdrawn later. In doubt are also the buckets of
    what was set aside or corrected."""
    on = dated_by(table, reading.stored_columns[table.full_name])
    removal = _removal(reading, table)
    went_late = f"removed_at >= DATE '{_over(period)}' AND {_within(on, period) if on else 'TRUE'}"
    for name, sql in (
        (
            "bucket",
            f"""
            SELECT source_system, {brought_sql()} AS brought,
                CASE WHEN {went_late} THEN {quoted(_LATE)} || {removal}
                    WHEN removed_at IS NOT NULL THEN {removal} {not_counted} END AS state,
                {_bucket()} AS bucket, {_LOT}
            FROM (SELECT *, {_KEY} AS key FROM lake.{table.full_name}) GROUP BY ALL
            """,
        ),
        (
            "doubt",
            f"""
            WITH held AS (
                SELECT bucket,
                    sum(records) FILTER (state = 'by_definition') AS records,
                    bit_xor(keys) FILTER (state = 'by_definition') AS keys,
                    sum(records) AS all_records, bit_xor(keys) AS all_keys
                FROM account_bucket WHERE state = 'by_definition' OR {_WENT_LATE} GROUP BY bucket
            ),
            counted AS (
                SELECT {_bucket()} AS bucket, {_LOT}
                FROM (SELECT {_KEY} AS key FROM ({counted or _NONE})) GROUP BY ALL
            ),
            decided AS (
                SELECT DISTINCT {_bucket()} AS bucket FROM (
                    SELECT {_KEY} AS key FROM (
                        SELECT table_name, source_system, record_id FROM account_aside
                        UNION ALL SELECT table_name, source_system, record_id FROM account_corrected
                    ) WHERE table_name = {quoted(table.full_name)}
                )
            )
            SELECT bucket,
                decided.bucket IS NULL AND all_records IS NOT DISTINCT FROM counted.records
                    AND all_keys IS NOT DISTINCT FROM counted.keys AS has_late
            FROM held FULL JOIN counted USING (bucket) FULL JOIN decided USING (bucket)
            WHERE decided.bucket IS NOT NULL OR held.records IS DISTINCT FROM counted.records
                OR held.keys IS DISTINCT FROM counted.keys
            """,
        ),
    ):
        reading.connection.execute(f"CREATE OR REPLACE TEMP TABLE account_{name} AS {sql}")
