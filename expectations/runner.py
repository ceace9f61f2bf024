"""The plain runner: rules evaluated in place on a DuckDB connection.

It serves gates and the quarantine, and is what the Great Expectations runner is compared
with. Rules over single rows of one table share one scan of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import duckdb

from expectations.result import BadRow, RuleResult
from expectations.rules import BAD_ROW_COLUMNS, Rule, result_of
from warehouse.lake import Connection, stored_rows
from warehouse.tables import table

FIRST_RECORDS = 20
SMALL_TABLE_ROWS = 60_000


def run_rules(
    connection: Connection,
    rules: Sequence[Rule],
    *,
    as_of: date,
    relations: Mapping[str, str] | None = None,
    first: int = FIRST_RECORDS,
) -> list[RuleResult]:
    """Evaluate `rules` and return a result each, in their order.

    `as_of` is the data date. `relations` says what is read in place of a table (default: the
    table). A rule whose query fails, or whose table is missing, is `not_run` with the
    reason: neither failed nor passed.
    """
    relations = relations or {}
    counted = count_rows_together(connection, rules, as_of, relations)
    results = []
    for rule in rules:
        count = counted.get(rule.code)
        if count is None:
            count = _count(connection, rule, as_of, relations)
        if isinstance(count, str):
            results.append(result_of(rule, None, reason=count))
            continue
        try:
            records = bad_rows(connection, rule, as_of, first, relations=relations) if count else ()
        except duckdb.Error as error:
            results.append(result_of(rule, None, reason=reason_of(error)))
            continue
        results.append(result_of(rule, count, records))
    return results


def count_rows_together(
    connection: Connection, rules: Iterable[Rule], as_of: date, relations: Mapping[str, str]
) -> dict[str, int | str]:
    """The bad rows of those rules to which a row of the table alone is bad, by code, in one scan
    of each table; the reason of one that could not run. The other rules are left out."""
    found: dict[str, int | str] = {}
    by_table: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        if rule.condition is not None:
            by_table[rule.table].append(rule)
    for table_name, group in by_table.items():
        found.update(_count_together(connection, table_name, group, as_of, relations))
    return found


def bad_rows(
    connection: Connection,
    rule: Rule,
    as_of: date,
    limit: int | None = 1000,
    offset: int = 0,
    *,
    relations: Mapping[str, str] | None = None,
) -> tuple[BadRow, ...]:
    """The bad rows of a rule, by source system and record. Raises duckdb.Error."""
    return first_bad_rows(connection, rule.bad_rows_sql(as_of, relations or {}), limit, offset)


def first_bad_rows(
    connection: Connection, query: str, limit: int | None, offset: int = 0
) -> tuple[BadRow, ...]:
    """The bad rows that a query gives, by source system and record."""
    sql = f"SELECT {', '.join(BAD_ROW_COLUMNS)} FROM ({query})"
    sql += " ORDER BY source_system, record_id, detail"
    if limit is not None:
        sql += f" LIMIT {limit} OFFSET {offset}"
    return tuple(BadRow(*row) for row in connection.execute(sql).fetchall())


def small_table_copies(
    connection: Connection,
    rules: Iterable[Rule],
    relations: Mapping[str, str],
    rows: int = SMALL_TABLE_ROWS,
) -> dict[str, str]:
    """Statements that copy the small tables of `rules` into DuckDB's memory, by table.

    Every query of a lake table asks the catalog for its files, which costs more than
    scanning a small table; dozens of rules then read a copy (`relation_of`), and large
    tables are read in place. Row counts are the catalog's own; without a lake: nothing.
    `relations` says what is read in place of a table.
    """
    wanted = {name for rule in rules for name in rule.depends_on}
    return {
        name: f"CREATE OR REPLACE TABLE {relation_of(name)} AS FROM {relations.get(name, name)}"
        if count is not None
        else f"CREATE OR REPLACE TABLE {relation_of(name)} ({table(name).columns_sql})"
        for name, count in stored_rows(connection).items()
        if name in wanted and (count or 0) <= rows
    }


def copy_small_tables(
    connection: Connection, rules: Iterable[Rule], relations: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Make the copies of `small_table_copies`; returns the `relations` to run rules with."""
    relations = relations or {}
    copies = small_table_copies(connection, rules, relations)
    for statement in copies.values():
        connection.execute(statement)
    return {**relations, **{name: relation_of(name) for name in copies}}


def relation_of(table_name: str) -> str:
    """What the copy of a table is called."""
    return "scratch.main.copy_of_" + table_name.replace(".", "_")


def reason_of(error: BaseException) -> str:
    """The first line of an error, which is what it says."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _count(
    connection: Connection, rule: Rule, as_of: date, relations: Mapping[str, str]
) -> int | str:
    try:
        row = connection.execute(
            f"SELECT count(*) FROM ({rule.bad_rows_sql(as_of, relations)})"
        ).fetchone()
    except duckdb.Error as error:
        return reason_of(error)
    assert row is not None
    return int(row[0])


def _count_together(
    connection: Connection,
    table_name: str,
    rules: Sequence[Rule],
    as_of: date,
    relations: Mapping[str, str],
) -> Iterator[tuple[str, int | str]]:
    """The counts of rules over single rows in one scan; one by one if that cannot run."""
    counts = ", ".join(f"count(*) FILTER (WHERE {r.condition_sql(as_of)})" for r in rules)
    relation = relations.get(table_name, table_name)
    try:
        row = connection.execute(f"SELECT {counts} FROM {relation} AS r").fetchone()
    except duckdb.Error:
        # One of them is at fault, and only that one may be called not run.
        for rule in rules:
            yield rule.code, _count(connection, rule, as_of, relations)
        return
    assert row is not None
    for rule, count in zip(rules, row, strict=True):
        yield rule.code, int(count)
