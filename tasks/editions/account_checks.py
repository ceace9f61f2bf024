"""What the account of records says of an edition: equations that leave a gap, records that
nobody has decided on, and whether the year is complete.

An edition of a year that is not complete is a trial (试编); see `tasks.editions.account.TRIAL`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal

from expectations.balance import CheckResult
from tasks.editions.account import Equation, Line
from tasks.editions.account_states import brought_sql, dated_by
from tasks.editions.edition import RecordReference
from tasks.editions.tabulate import Tabulation
from warehouse.cells import whole_figures
from warehouse.period import Period
from warehouse.reading import Reading
from warehouse.sql import literal, quoted
from warehouse.tables import Table

LAG = timedelta(days=2)
"""How long after the year a pull must begin to have seen its late entries, where the source's
own lag is not on record."""
USUAL = 5
"""A month in which last year had fewer records may well have none: at five, an empty month has
a chance of less than one in a hundred."""

Checked = tuple[CheckResult, tuple[RecordReference, ...]]
_YEAR = re.compile(r"(?<!\d)(19\d\d|2[01]\d\d)(?=\D|[01]\d)")


def account_checks(
    reading: Reading,
    account: Iterable[Line],
    period: Period,
    data_as_of: datetime,
    tables: Sequence[Table],
) -> Iterator[Checked]:
    """Each check of the account with the records behind it: A1–A4 the equations of each list,
    A5 conflicts, A6 open rejects, Y1–Y3 whether the period is complete. `tables` are those that
    the form looks at."""
    for line in account:
        yield from _equations(line)
    yield from _uncompared(reading, period)
    yield _conflicts(reading)
    yield from _untold_conflicts(reading)
    yield _rejects(reading, period)
    yield _is_over(period, data_as_of)
    names = [table.full_name for table in tables]
    yield from _pulled_after(reading, period, names)
    if period.is_year:
        yield from _months(reading, period.year, tables)


def _equations(line: Line) -> Iterator[Checked]:
    by_code: dict[str, list[Equation]] = defaultdict(list)
    for equation in line.equations():
        by_code[equation.code].append(equation)
    for code, equations in by_code.items():
        broken = [e for e in equations if e.gap]
        told = ";".join(f"{e},相差 {abs(e.gap):,}" for e in broken) or "账目相符"
        yield (
            CheckResult(
                code=code,
                key=f"{code}.{line.name}.{line.table}",
                status="fail" if broken else "pass",
                message=f"{line.name}({line.table}):{told}",
                # What holds is in the account itself; here it would change every night.
                equation=";".join(map(str, broken)),
            ),
            (),
        )


def _uncompared(reading: Reading, period: Period) -> Iterator[Checked]:
    """A4 for lists whose source can count them, and was not asked since the year ended."""
    if "has_control_total" not in reading.stored_columns["ops.load"]:
        return
    over = literal(datetime.combine(period.last, time.max))
    for source, resource, compared_at in reading.connection.execute(
        f"""
        WITH declared AS (
            SELECT source_system, resource, min(started_at) FILTER (started_at > {over}) AS first_after,
                arg_max(has_control_total, started_at) AS is_declared
            FROM account_load WHERE load_status <> 'stopped' GROUP BY ALL
        )
        SELECT source_system, resource, max(compared_at) AS newest
        FROM declared LEFT JOIN account_control_total USING (source_system, resource)
        WHERE is_declared GROUP BY source_system, resource, first_after
        HAVING newest IS NULL OR newest < CAST(first_after AS DATE) ORDER BY ALL
        """
    ).fetchall():
        since = f"{compared_at:%Y-%m-%d %H:%M} 后" if compared_at else "从"
        told = f"{source}.{resource}:来源能自报条数,而{since}未核对;请重新运行夜间取数"
        yield _told("A4", f"A4.{source}.{resource}", False, told), ()


def rolled_up_checks(reading: Reading, tabulation: Tabulation) -> Iterator[Checked]:
    """A3 for cells that lost or doubled records on their way up the tree of organs: the root's
    figure against one count over all records, whosever they are."""
    root = tabulation.root_figures()
    whole = whole_figures(reading, tabulation.layout.cells.values(), tabulation.period)
    # What is blank without a record is blank at the root where the count is none.
    differing = {k: v for k, v in whole.items() if (root[k].value or Decimal(0)) != v}
    if differing:
        shown = ";".join(
            f"{tabulation.layout.cells[key].label} {root[key].value} ≠ {value}"
            for key, value in list(differing.items())[:3]
        )
        told = f"{len(differing)} 个单元格的汇总与全部记录的计数不符:{shown}"
        yield _told("A3", "A3.rolled_up", False, told), ()


def _conflicts(reading: Reading) -> Checked:
    """Keys of which a source gave two states at once: nobody has said which is right."""
    records = _open_rejects(reading, "reason = 'conflicting_key'", None)
    told = f"{len(records)} 条记录的同一编号有不同内容" if records else "没有同编号而内容不同的记录"
    return _told("A5", "A5", not records, told), records


def _untold_conflicts(reading: Reading) -> Iterator[Checked]:
    """Lists of which the newest load counts conflicting rows, and none stands as a reject."""
    if "rows_conflicting" not in reading.stored_columns["ops.load"]:
        return
    for source, resource, rows in reading.connection.execute(
        "SELECT source_system, resource, arg_max(rows_conflicting, (started_at, place)) AS rows "
        "FROM account_load WHERE load_status <> 'stopped' GROUP BY ALL HAVING rows > 0 "
        "AND (source_system, resource) NOT IN (SELECT (source_system, resource) "
        "FROM account_reject WHERE reject_status = 'open' AND reason = 'conflicting_key') ORDER BY ALL"
    ).fetchall():
        told = f"{source}.{resource}:最近一次装载有 {rows:,} 条冲突,未见其记录"
        yield _told("A5", f"A5.{source}.{resource}", False, told), ()


def _rejects(reading: Reading, period: Period) -> Checked:
    """Open rejects that one of their dates, or the lack of any, can bring into the year."""
    records = _open_rejects(reading, "reason <> 'conflicting_key'", period.year)
    told = (
        f"{len(records)} 条退回的记录可能属于本年度" if records else "没有可能属于本年度的退回记录"
    )
    return _told("A6", "A6", not records, told), records


def _told(code: str, key: str, holds: bool, message: str) -> CheckResult:
    return CheckResult(code=code, key=key, status="pass" if holds else "fail", message=message)


def _open_rejects(
    reading: Reading, condition: str, year: int | None
) -> tuple[RecordReference, ...]:
    rows = reading.connection.execute(
        "SELECT table_name, source_system, coalesce(record_id, origin, reject_id) AS record, payload, "
        "string_agg(concat_ws(' ', field, reason, found), ';' ORDER BY field, found) "
        f"FROM account_reject WHERE reject_status = 'open' AND {condition} "
        "GROUP BY table_name, source_system, record, payload ORDER BY ALL"
    ).fetchall()
    return tuple(
        RecordReference(table, source, record, None, None, None, f"退回:{why}")
        for table, source, record, payload, why in rows
        if year is None or touches(payload or "", year)
    )


def touches(payload: str, year: int) -> bool:
    """Whether a rejected record may belong to a year: it names it, or no possible year at all."""
    years = {int(found) for found in _YEAR.findall(payload)}
    return not years or year in years


def _is_over(period: Period, data_as_of: datetime) -> Checked:
    is_over = data_as_of.date() > period.last
    told = (
        f"{period.label}已结束"
        if is_over
        else f"数据截至 {data_as_of:%Y-%m-%d %H:%M},{period.label}尚未结束"
    )
    return _told("Y1", "Y1", is_over, told), ()


def _pulled_after(reading: Reading, period: Period, tables: Sequence[str]) -> Iterator[Checked]:
    """Whether each resource was pulled after the year and its lag."""
    lag = "max(lag_hours)" if "lag_hours" in reading.stored_columns["ops.load"] else "NULL"
    for source, resource, pulled_at, hours in reading.connection.execute(
        f"SELECT source_system, resource, max(started_at), {lag} FROM account_load "
        "WHERE load_status IN ('loaded', 'unchanged') AND 'core.' || replace(table_name, 'core.', '') "
        f"IN (NULL, {', '.join(map(quoted, tables))}) GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        wait = LAG if hours is None else timedelta(hours=float(hours))
        needed = datetime.combine(period.last, time.min) + timedelta(days=1) + wait
        is_late = pulled_at >= needed
        yield (
            _told(
                "Y2",
                f"Y2.{source}.{resource}",
                is_late,
                f"{source}.{resource}:"
                + (
                    f"{needed:%Y-%m-%d %H:%M} 之后取过数"
                    if is_late
                    else f"最近一次取数 {pulled_at:%Y-%m-%d %H:%M},早于 {needed:%Y-%m-%d %H:%M}"
                ),
            ),
            (),
        )


def _months(reading: Reading, year: int, tables: Sequence[Table]) -> Iterator[Checked]:
    """Months in which last year had records as usual, and this year has none, by list."""
    looked_at = reading.loaded_tables & reading.filled_tables
    for table in tables:
        on = dated_by(table, reading.stored_columns.get(table.full_name))
        if on is None or table.is_standing or table.full_name not in looked_at:
            continue
        rows = reading.connection.execute(
            f"""
            SELECT source_system, split_part(origin, '/', 2) AS resource,
                list(month ORDER BY month) FILTER (before >= {USUAL} AND now = 0)
            FROM (
                SELECT source_system, origin, month({on}) AS month,
                    count(*) FILTER (year({on}) = {year}) AS now,
                    count(*) FILTER (year({on}) = {year - 1}) AS before
                FROM (SELECT source_system, {on}, {brought_sql()} AS origin FROM {reading.as_stored(table.full_name)}
                    WHERE {on} >= DATE '{year - 1}-01-01' AND {on} < DATE '{year + 1}-01-01')
                GROUP BY ALL
            )
            GROUP BY ALL ORDER BY ALL
            """
        ).fetchall()
        for source, resource, months in rows:
            listed = "、".join(f"{month}月" for month in months or ())
            told = f"{listed}没有记录,而上年同月有" if months else "上年有记录的月份本年都有"
            key = ".".join(filter(None, ("Y3", source, resource, table.name)))
            name = ".".join(filter(None, (source, resource)))
            yield _told("Y3", key, not months, f"{name}({table.name}):{told}"), ()
