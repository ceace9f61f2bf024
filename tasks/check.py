"""Check: the rules over the core tables, recorded in ops.check_run, with the quarantine.

A rule runs again only when its own text, a table it reads, or (where it looks at the
date) the data date has changed; otherwise its last result still holds. Nothing is written
when nothing changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date, datetime
from typing import Literal

from expectations.result import RuleResult
from expectations.rules import BAD_ROW_COLUMNS, Rule, load_rules, result_of
from expectations.runner import (
    FIRST_RECORDS,
    bad_rows,
    copy_small_tables,
    first_bad_rows,
    run_rules,
)
from tasks import clock
from warehouse.errors import must_be
from warehouse.lake import Connection, Lake, current_snapshot, stored_columns, transaction
from warehouse.reading import table_as_corrected
from warehouse.sql import insert_many, literal, quoted
from warehouse.tables import all_tables, table

Runner = Literal["great_expectations", "plain"]
KEPT_RECORDS = 5_000
"""Of a rule that so many records break, they are kept, and need not be looked for again while its result
holds; of one that more break, none."""
KEPT = "lake.ops.check_record"


@dataclass(frozen=True)
class _Earlier:
    """The last recorded result of a rule."""

    status: str
    bad_rows: int | None
    message: str
    fingerprint: str


def check_core(
    lake: Lake,
    *,
    as_of: date | None = None,
    run_id: str,
    runner: Runner = "great_expectations",
    only_tables: Collection[str] | None = None,
    now: datetime | None = None,
) -> list[RuleResult]:
    """Evaluate the rules of the core tables and return a result each, in the order of the files.

    `as_of` is the data date (default: `data_date`). `only_tables` limits to the rules of
    those tables, such as `core.application`. Results of rules that need not run again are
    marked `is_reused`. Writes ops.check_run, ops.check_record and ops.quarantine in one transaction: rows
    that now pass are released, a rule that could not run changes nothing. Raises LakeError
    when there is no lake, RuleError when a rule file cannot be used.
    """
    now = now or clock.now()
    rules = [r for r in load_rules() if only_tables is None or r.table in only_tables]
    with lake.read() as connection:
        snapshot = current_snapshot(connection)
        as_of = as_of or data_date(connection, now)
        relations = corrected_tables(connection)
        versions = _versions_as_corrected(table_versions(connection), relations)
        earlier = _latest_results(connection)
        fingerprints = {r.code: r.fingerprint(as_of, versions) for r in rules}
        stale = [r for r in rules if not _still_holds(earlier.get(r.code), fingerprints[r.code])]
        held = [r for r in rules if r not in stale]
        kept = _kept_whole(connection, earlier)
        results = {
            r.code: _reused(connection, r, earlier[r.code], as_of, relations, r.code in kept)
            for r in held
        }
        has_leftovers = _has_leftovers(connection)
    if stale:
        for result in _run(lake, stale, as_of, snapshot, relations, runner):
            results[result.code] = result
    fresh = [results[r.code] for r in stale]
    if fresh or has_leftovers:
        with lake.write() as connection, transaction(connection):
            _record(connection, fresh, fingerprints, f"{run_id}-{now:%Y%m%d%H%M%S%f}", now)
            _keep_records(connection, fresh)
            _refresh_quarantine(connection, stale, results, as_of, relations, now)
    return [replace(found := results[r.code], records=found.records[:FIRST_RECORDS]) for r in rules]


def data_date(connection: Connection, now: datetime) -> date:
    """The day up to which the sources have told us: their newest record, but never after `now`."""
    newest = " UNION ALL ".join(
        f"SELECT max(source_updated_at) AS newest FROM {t.full_name} WHERE source_updated_at <= $1"
        for t in all_tables()
        if t.layer == "core" and t.is_pulled
    )
    row = connection.execute(f"SELECT CAST(max(newest) AS DATE) FROM ({newest})", [now]).fetchone()
    found: date | None = row[0] if row else None
    return found or now.date()


@dataclass(frozen=True)
class Held:
    """How the last check of a rule ended (`pass`, `fail`), and whether all that it found is kept."""

    status: str
    is_kept: bool


def results_that_hold(
    connection: Connection, rules: Sequence[Rule], as_of: date, snapshot: int
) -> dict[str, Held]:
    """How the last check before a snapshot ended of each rule that would come to the same there: the
    same text, over the same tables with the same corrections, and by the same data date where it
    looks at one. `connection` is open at the snapshot."""
    versions = table_versions(connection, snapshot)
    versions = _versions_as_corrected(versions, corrected_tables(connection))
    earlier = _latest_results(connection)
    kept = _kept_whole(connection, earlier)
    return {
        rule.code: Held(earlier[rule.code].status, rule.code in kept)
        for rule in rules
        if _still_holds(earlier.get(rule.code), rule.fingerprint(as_of, versions))
    }


def kept_records_sql(rule: Rule) -> str:
    """The query of the bad rows that the last check of a rule kept."""
    columns = ", ".join(BAD_ROW_COLUMNS)
    return f"SELECT {columns} FROM {KEPT} WHERE rule_code = {quoted(rule.code)}"


def _kept_whole(connection: Connection, earlier: Mapping[str, _Earlier]) -> frozenset[str]:
    """The codes of the rules of which every bad row of the last check is kept."""
    if KEPT.removeprefix("lake.") not in stored_columns(connection):
        return frozenset()
    counts = connection.execute(f"SELECT rule_code, count(*) FROM {KEPT} GROUP BY ALL").fetchall()
    return frozenset(
        code for code, rows in counts if code in earlier and earlier[code].bad_rows == rows
    )


def table_versions(connection: Connection, until: int | None = None) -> dict[str, str]:
    """The version of every core table: the last snapshot in which its rows or columns changed,
    `until` a snapshot where one is given.

    Snapshots that were expired no longer say what they changed, so a table's version is at
    least the newest snapshot that is missing: a table may be checked once too often then,
    never once too seldom.
    """
    rows = connection.execute(
        f"""
        WITH kept AS (
            SELECT snapshot_id, changes, lag(snapshot_id) OVER (ORDER BY snapshot_id) AS before
            FROM ducklake_snapshots('lake') WHERE snapshot_id <= coalesce({literal(until)}, snapshot_id)
        ),
        missing AS (
            SELECT coalesce(max(snapshot_id - 1), -1) AS newest FROM kept
            WHERE snapshot_id - coalesce(before, -1) > 1
        ),
        changed AS (
            SELECT unnest(flatten(map_values(changes))) AS table_id, snapshot_id FROM kept
        )
        SELECT s.schema_name || '.' || t.table_name, t.table_id,
            greatest(coalesce(max(c.snapshot_id), 0), any_value(m.newest))
        FROM __ducklake_metadata_lake.ducklake_table AS t
        JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id)
        CROSS JOIN missing AS m
        LEFT JOIN changed AS c ON c.table_id = CAST(t.table_id AS VARCHAR)
        WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL
        GROUP BY ALL
        """
    ).fetchall()
    found = {name: f"{table_id}@{snapshot}" for name, table_id, snapshot in rows}
    return {t.full_name: found.get(t.full_name, "missing") for t in all_tables()}


def corrected_tables(connection: Connection) -> dict[str, str]:
    """What is read in place of each table that has recorded corrections: the corrected rows.

    A record that was put right by a correction, in ops.correction, is right for the rules.
    """
    columns: dict[str, list[str]] = defaultdict(list)
    for name, column in connection.execute(
        "SELECT DISTINCT table_name, column_name FROM lake.ops.correction ORDER BY ALL"
    ).fetchall():
        columns[name].append(column)
    return {name: f"({table_as_corrected(table(name), given)})" for name, given in columns.items()}


def _versions_as_corrected(
    versions: Mapping[str, str], corrected: Collection[str]
) -> dict[str, str]:
    """A corrected table is another one when its corrections change."""
    corrections = versions["ops.correction"]
    return {n: f"{v}/{corrections}" if n in corrected else v for n, v in versions.items()}


def _latest_results(connection: Connection) -> dict[str, _Earlier]:
    rows = connection.execute(
        "SELECT rule_code, check_status, bad_rows, coalesce(message, ''), fingerprint "
        "FROM lake.ops.check_run "
        "QUALIFY row_number() OVER (PARTITION BY rule_code ORDER BY checked_at DESC, rowid DESC) = 1"
    ).fetchall()
    return {code: _Earlier(*values) for code, *values in rows}


def _still_holds(earlier: _Earlier | None, fingerprint: str) -> bool:
    return (
        earlier is not None and earlier.status != "not_run" and earlier.fingerprint == fingerprint
    )


def _reused(
    connection: Connection,
    rule: Rule,
    earlier: _Earlier,
    as_of: date,
    relations: Mapping[str, str],
    is_kept: bool,
) -> RuleResult:
    if earlier.status == "not_run":
        return result_of(rule, None, reason=earlier.message, is_reused=True)
    if earlier.status == "pass":
        return result_of(rule, 0, is_reused=True)
    records = (
        first_bad_rows(connection, kept_records_sql(rule), FIRST_RECORDS)
        if is_kept
        else bad_rows(connection, rule, as_of, FIRST_RECORDS, relations=relations)
    )
    return result_of(rule, earlier.bad_rows, records, is_reused=True)


def _run(
    lake: Lake,
    rules: Sequence[Rule],
    as_of: date,
    snapshot: int,
    relations: Mapping[str, str],
    runner: Runner,
) -> list[RuleResult]:
    if runner == "great_expectations":
        # Importing it takes seconds and 250 MB: only when something must be checked.
        from expectations.great_expectations_runner import run_rules_with_great_expectations

        return run_rules_with_great_expectations(
            lake, rules, as_of=as_of, snapshot=snapshot, relations=relations, first=KEPT_RECORDS
        )
    with lake.read(snapshot) as connection:
        read = copy_small_tables(connection, rules, relations)
        return run_rules(connection, rules, as_of=as_of, relations=read, first=KEPT_RECORDS)


def _record(
    connection: Connection,
    results: Sequence[RuleResult],
    fingerprints: Mapping[str, str],
    check_run_id: str,
    now: datetime,
) -> None:
    if not results:
        return
    values: list[object] = []
    for result in results:
        message = result.reason or f"{result.title}:{result.message}"
        values += [check_run_id, result.table, result.code, result.severity, result.status]
        values += [result.bad_rows, message, fingerprints[result.code], now]
    row = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
    connection.execute(
        "INSERT INTO ops.check_run (check_run_id, table_name, rule_code, severity, check_status, "
        f"bad_rows, message, fingerprint, checked_at) VALUES {', '.join([row] * len(results))}",
        values,
    )


def _keep_records(connection: Connection, results: Sequence[RuleResult]) -> None:
    """Make ops.check_record hold what the rules that ran now found. What was found before is left as
    it is, so that a night that finds the same writes nothing."""
    found = [
        (result.code, *astuple(record))
        for result in results
        if result.bad_rows == len(result.records)
        for record in result.records
    ]
    connection.execute("CREATE OR REPLACE TEMP TABLE found_now AS FROM ops.check_record LIMIT 0")
    insert_many(connection, "ops.check_record", found, into="found_now")
    same = " AND ".join(
        f"a.{column} IS NOT DISTINCT FROM b.{column}" for column in ("rule_code", *BAD_ROW_COLUMNS)
    )
    codes = ", ".join(quoted(result.code) for result in results)
    known = ", ".join(quoted(rule.code) for rule in load_rules())
    connection.execute(
        f"DELETE FROM ops.check_record AS a WHERE rule_code NOT IN ({known}) "
        f"OR (rule_code IN ({codes or 'NULL'}) AND NOT EXISTS (SELECT 1 FROM found_now AS b WHERE {same}))"
    )
    connection.execute(
        "INSERT INTO ops.check_record SELECT * FROM found_now AS a "
        f"WHERE NOT EXISTS (SELECT 1 FROM ops.check_record AS b WHERE {same})"
    )
    connection.execute("DROP TABLE found_now")


def _quarantine_codes() -> list[str]:
    return [r.code for r in load_rules() if r.severity == "quarantine"]


def _has_leftovers(connection: Connection) -> bool:
    """Whether rows are set aside by a rule that no longer exists or no longer sets aside."""
    row = connection.execute(
        "SELECT count(*) FROM ops.quarantine "
        f"WHERE rule_code NOT IN ({', '.join(map(quoted, _quarantine_codes()))})"
    ).fetchone()
    return bool(row and row[0])


def _refresh_quarantine(
    connection: Connection,
    rules: Sequence[Rule],
    results: Mapping[str, RuleResult],
    as_of: date,
    relations: Mapping[str, str],
    now: datetime,
) -> None:
    """Make ops.quarantine hold what the rules that ran now find, and release the rest.

    A row that is still bad and unchanged keeps the time it was set aside.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE set_aside (table_name VARCHAR, source_system VARCHAR, "
        "record_id VARCHAR, rule_code VARCHAR, row_hash VARCHAR, message VARCHAR, columns VARCHAR)"
    )
    ran = [r for r in rules if r.severity == "quarantine" and results[r.code].status != "not_run"]
    for rule in ran:
        if results[rule.code].status == "fail":
            connection.execute(
                "INSERT INTO set_aside SELECT $1, b.source_system, b.record_id, $2, "
                "any_value(t.row_hash), concat($3, ':', any_value(b.detail)), "
                f"any_value({rule.sets_aside_sql(as_of)}) "
                f"FROM ({rule.bad_rows_sql(as_of, relations)}) AS b JOIN {rule.table} AS t "
                "ON t.source_system = b.source_system AND t.record_id = b.record_id GROUP BY ALL",
                [rule.table, rule.code, rule.title],
            )
    same = (
        "q.table_name = s.table_name AND q.source_system = s.source_system "
        "AND q.record_id = s.record_id AND q.rule_code = s.rule_code AND q.row_hash = s.row_hash "
        "AND q.columns IS NOT DISTINCT FROM s.columns"
    )
    connection.execute(
        "DELETE FROM ops.quarantine AS q WHERE NOT list_contains($1, rule_code) "
        "OR (list_contains($2, rule_code) "
        f"AND NOT EXISTS (SELECT 1 FROM set_aside AS s WHERE {same}))",
        [_quarantine_codes(), [r.code for r in ran]],
    )
    connection.execute(
        "INSERT INTO ops.quarantine (table_name, source_system, record_id, rule_code, row_hash, "
        "message, columns, quarantined_at) SELECT s.*, $1 FROM set_aside AS s "
        f"WHERE NOT EXISTS (SELECT 1 FROM ops.quarantine AS q WHERE {same})",
        [now],
    )
    _prove_quarantine(connection, ran, as_of, relations)
    connection.execute("DROP TABLE set_aside")


def _prove_quarantine(
    connection: Connection, rules: Sequence[Rule], as_of: date, relations: Mapping[str, str]
) -> None:
    """That each record which a rule finds is set aside by it, and no other. Raises LostRecords."""
    for rule in rules:
        row = connection.execute(
            f"SELECT (SELECT count(DISTINCT (source_system, record_id)) "
            f"FROM ({rule.bad_rows_sql(as_of, relations)})), "
            "(SELECT count(DISTINCT (source_system, record_id)) FROM ops.quarantine "
            "WHERE rule_code = $1 AND table_name = $2)",
            [rule.code, rule.table],
        ).fetchone()
        assert row is not None
        must_be(f"规则 {rule.code} 隔离的记录", row[0], row[1])
