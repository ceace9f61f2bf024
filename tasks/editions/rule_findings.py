"""What the rules of the core tables say of a period's records.

A rule is asked once. What the last check of the records found to hold is not asked again, as
far as it is the same question about the same rows (`rules_that_held`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType

import duckdb

from expectations.rules import Rule
from expectations.runner import count_rows_together, reason_of
from tasks.check import Held, kept_records_sql, results_that_hold
from tasks.editions.account_states import dated_by
from tasks.editions.edition import Finding, RecordReference
from tasks.editions.reconcile import RECORDS_KEPT
from tasks.editions.tabulate import Tabulation
from warehouse.period import Period
from warehouse.reading import Reading
from warehouse.sql import counted, literal
from warehouse.tables import all_tables


def rules_that_held(opened: Reading, rules: Sequence[Rule], as_of: date) -> Mapping[str, Held]:
    """The rules that need not be asked, by code, as the last check before the snapshot left them:
    those that surely no record fails, and those of which it kept what surely fails.

    The check reads the records as corrected. A rule that nothing failed there still holds for
    the records as figures see them: without those that are set aside no other row of the table
    becomes bad, while a row that is referred to may be missing. What failed is the same only where
    nothing is set aside. A quarantine rule is asked about the rows as they lie in the lake.
    """
    corrected = opened.corrected or {}
    aside = opened.set_aside or {}

    def is_same(rule: Rule, passed: bool) -> bool:
        if rule.severity == "quarantine":
            return not any(name in corrected for name in rule.depends_on)
        others = [name for name in rule.depends_on if name != rule.table]
        if any(name in aside for name in others):
            return False
        columns = aside.get(rule.table)
        if columns is None:
            return True
        return (
            passed
            and rule.is_of_own_rows
            and not any(re.search(rf"(?<!\w){name}(?!\w)", rule.sql) for name in columns)
        )

    last = results_that_hold(opened.connection, rules, as_of, opened.snapshot)
    return {
        r.code: held
        for r in rules
        if (held := last.get(r.code)) is not None
        and (held.status == "pass" or held.is_kept)
        and is_same(r, held.status == "pass")
    }


def rule_findings(
    opened: Reading,
    rules: Sequence[Rule],
    tabulation: Tabulation,
    as_of: date,
    *,
    held: Mapping[str, Held] = MappingProxyType({}),
) -> Iterator[Finding]:
    """The rules of the core tables that fail on records of the period, one finding a rule.

    Block and warn rules see the records as figures do, corrected and without the quarantined;
    quarantine rules see what lies in the lake, so that what was set aside is named. Rules over
    single rows are counted in one scan of their table, any other is asked once; those whose
    codes are `held` are not asked.
    """
    as_seen = {t.full_name: f"lake.{t.full_name}" for t in all_tables() if t.layer != "core"}
    as_stored = {t.full_name: f"lake.{t.full_name}" for t in all_tables()}
    if opened.is_as_stored:
        as_stored = as_seen
    names = {organ.id: organ.name for organ in tabulation.tree.organs}
    root = tabulation.tree.root
    for is_quarantine, relations in ((False, as_seen), (True, as_stored)):
        of_kind = [r for r in rules if (r.severity == "quarantine") == is_quarantine]
        asked = [r for r in of_kind if r.code not in held]
        none = count_rows_together(opened.connection, asked, as_of, relations)
        for rule in of_kind:
            count, records, reason = 0, tuple[RecordReference, ...](), ""
            has_passed = rule.code in held and held[rule.code].status == "pass"
            if not has_passed and none.get(rule.code) != 0:
                bad = (
                    kept_records_sql(rule)
                    if rule.code in held
                    else rule.bad_rows_sql(as_of, relations)
                )
                try:
                    count, records = _bad_rows_of_year(
                        opened, rule, bad, as_of, tabulation.period, names
                    )
                except duckdb.Error as error:
                    reason = reason_of(error)
            yield Finding(
                code=rule.code,
                key=rule.code,
                organ_id=root.id,
                organ_name=root.name,
                severity=rule.severity,
                status="not_run" if reason else "fail" if count else "pass",
                message=f"{rule.title}:未能执行({reason})"
                if reason
                else f"{rule.title}:{rule.message}",
                records=records,
                record_count=count,
            )


def _bad_rows_of_year(
    opened: Reading,
    rule: Rule,
    bad: str,
    as_of: date,
    period: Period,
    names: Mapping[str, str],
) -> tuple[int, tuple[RecordReference, ...]]:
    """Those rows of the query `bad` that are of the period, and those that belong to no day. What is
    set aside belongs to every period that one of its dates, or the lack of it, can touch."""
    sql = (
        "SELECT source_system, record_id, organ_id, record_on, detail "
        f"FROM ({bad}) AS bad "
        "WHERE record_on IS NULL OR CAST(record_on AS DATE) "
        f"BETWEEN {literal(period.first)} AND {literal(period.last)} "
        f"OR {_touches(rule, as_of, period, opened)}"
    )
    order = f"ORDER BY record_on, source_system, record_id, detail LIMIT {RECORDS_KEPT}"
    rows = opened.connection.execute(counted(sql, order)).fetchall()
    records = tuple(
        RecordReference(rule.table, source, record_id, organ, names.get(organ), on, detail or "")
        for source, record_id, organ, on, detail, _ in rows
    )
    return (rows[0][5] if rows else 0), records


def _touches(rule: Rule, as_of: date, period: Period, opened: Reading) -> str:
    """Condition: that a record which is set aside may count in the period by some date of its."""
    table = {t.full_name: t for t in all_tables()}[rule.table]
    stored = opened.stored_columns.get(table.full_name, frozenset())
    main = dated_by(table, stored)
    if rule.severity != "quarantine" or main is None:
        return "FALSE"
    kinds = ("DATE", "TIMESTAMP")
    dates = [c.name for c in table.business_columns if c.sql_type in kinds and c.name in stored]
    first, last = f"DATE '{period.first}'", f"DATE '{period.last}'"
    touched = [f"CAST({name} AS DATE) BETWEEN {first} AND {last}" for name in dates]
    # A date that is set aside may in truth be any from the record's own on.
    touched.append(f"({rule.sets_aside_sql(as_of)} IS NOT NULL AND {main} <= {last})")
    return (
        f"EXISTS (SELECT 1 FROM lake.{rule.table} AS t WHERE t.source_system = bad.source_system "
        f"AND t.record_id = bad.record_id AND ({main} IS NULL OR {' OR '.join(touched)}))"
    )
