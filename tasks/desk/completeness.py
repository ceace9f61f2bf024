"""Whether the records of a year are all there, resource by resource: pulled after the year ended,
as many as the source itself counts, no workbook missing, none rejected.

What an edition's checks A4, A6, Y1–Y3 say of its snapshot, this says of now, before any is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path

from tasks.city.names import Names
from tasks.desk.city import names_of
from tasks.desk.kept import kept
from tasks.desk.sources import State, list_title
from tasks.desk.workbooks import Workbooks, workbooks_of
from tasks.editions.account import pulled_tables
from tasks.editions.account_checks import LAG
from tasks.editions.account_states import dated_by
from tasks.watch.status import ResourceStatus
from warehouse.form import form_of
from warehouse.lake import Connection, Lake
from warehouse.period import Period
from warehouse.reading import measure_texts, parse_measures
from warehouse.sql import quoted
from warehouse.tables import table as table_named


@dataclass(frozen=True)
class Completeness:
    """A resource in a year. `served` is what the source itself counts of the year and `held` what
    the lake held then, None where it cannot count; `records` are the lake's of the year, None for
    records that have no year of their own."""

    source: str
    resource: str
    title: str
    table: str
    served: int | None
    held: int | None
    records: int | None
    last_pull_at: datetime | None
    is_late_enough: bool
    rejects: int
    workbooks: Workbooks | None
    state: State
    word: str

    @property
    def is_complete(self) -> bool:
        return self.state == "done"


@dataclass(frozen=True)
class YearOfRecords:
    """The records of a year: by resource, and how many there are at all."""

    year: int
    lists: tuple[Completeness, ...]

    @property
    def records(self) -> int:
        return sum(one.records or 0 for one in self.lists)

    @property
    def incomplete(self) -> list[Completeness]:
        return [one for one in self.lists if not one.is_complete]

    @property
    def missing_workbooks(self) -> int:
        return sum(len(one.workbooks.missing) for one in self.lists if one.workbooks)


@dataclass(frozen=True)
class _Counted:
    """What the lake says of a year by source and resource; `records` by source, table and the
    resource in whose landing they lay: a list within another lies in that one's."""

    records: Mapping[tuple[str, str, str], int]
    totals: Mapping[tuple[str, str], tuple[int, int]]
    lags: Mapping[tuple[str, str], float]

    def records_of(self, one: ResourceStatus) -> int:
        exact = self.records.get((one.source_system, one.table, one.resource))
        if exact is not None:
            return exact
        of_table = (one.source_system, one.table)
        return sum(n for (*key, _), n in self.records.items() if tuple(key) == of_table)


def year_of_records(
    lake: Lake,
    city: Path,
    form: str,
    year: int,
    resources: Sequence[ResourceStatus],
    *,
    now: datetime,
) -> YearOfRecords:
    """The resources on which a form's figures of a year rest, those that lack something first.

    Raises NoLake, FormError, LayoutError, MeasureError.
    """
    tables = tables_of_form(lake, city, form, year)
    counted = _counted(lake, tables, year)
    workbooks = {(w.source, w.resource): w for w in workbooks_of(lake, city, year, now.date())}
    names = names_of(city)
    lists = [
        _list(one, names, counted, workbooks, year) for one in resources if one.table in tables
    ]
    return YearOfRecords(year, tuple(sorted(lists, key=lambda one: one.is_complete)))


@kept
def tables_of_form(_lake: Lake, city: Path, form: str, year: int) -> frozenset[str]:
    """The core tables from which some cell of a form counts in a year, without their layer."""
    found = form_of(form, city)
    layout = found.layout_of(Period.of_year(year), found.overview_path(city))
    measures = parse_measures(measure_texts(city))
    return frozenset(
        measures[str(cell.measure)].table.removeprefix("core.")
        for cell in layout.cells.values()
        if cell.measure in measures
    )


def _list(
    one: ResourceStatus,
    names: Names,
    counted: _Counted,
    workbooks: Mapping[tuple[str, str], Workbooks],
    year: int,
) -> Completeness:
    key = (one.source_system, one.resource)
    lag = timedelta(hours=counted.lags[key]) if key in counted.lags else LAG
    needed = datetime.combine(Period.of_year(year).last, time.min) + timedelta(days=1) + lag
    is_late_enough = one.last_pull_at is not None and one.last_pull_at >= needed
    served, held = counted.totals.get(key, (None, None))
    state, word = _state(one, is_late_enough, served, held, workbooks.get(key))
    table = table_named(f"core.{one.table}")
    is_dated = dated_by(table) is not None and not table.is_standing
    return Completeness(
        source=one.source_system,
        resource=one.resource,
        title=list_title(names, one.source_system, one.resource, [one]),
        table=one.table,
        served=served,
        held=held,
        records=counted.records_of(one) if is_dated else None,
        last_pull_at=one.last_pull_at,
        is_late_enough=is_late_enough,
        rejects=one.open_rejects,
        workbooks=workbooks.get(key),
        state=state,
        word=word,
    )


def _state(
    one: ResourceStatus,
    is_late_enough: bool,
    served: int | None,
    held: int | None,
    workbooks: Workbooks | None,
) -> tuple[State, str]:
    if one.last_status == "stopped":
        return "broken", "没有取到"
    if not is_late_enough:
        return "turn", "年后还没有取过"
    if served != held:
        return "turn", f"与来源差 {abs((served or 0) - (held or 0)):,} 条"
    if workbooks and workbooks.missing:
        return "turn", f"缺 {len(workbooks.missing)} 份"
    if one.open_rejects:
        return "turn", f"退回 {one.open_rejects:,} 条"
    return "done", "已取齐" if served is not None or workbooks else "年后取过"


@kept
def _counted(lake: Lake, tables: frozenset[str], year: int) -> _Counted:
    with lake.read() as connection:
        lags = connection.execute(
            "SELECT source_system, resource, max(lag_hours) FROM ops.load "
            "WHERE lag_hours IS NOT NULL GROUP BY ALL"
        ).fetchall()
        return _Counted(
            _records(connection, tables, year),
            _totals(connection, Period.of_year(year)),
            {(source, resource): float(hours) for source, resource, hours in lags},
        )


def _records(
    connection: Connection, tables: frozenset[str], year: int
) -> dict[tuple[str, str, str], int]:
    """Records in force that are dated in a year, by source, table and resource."""
    selects = []
    for table in pulled_tables():
        on = dated_by(table) if table.name in tables else None
        if on:
            selects.append(
                "SELECT source_system, split_part(coalesce(origin, ''), '/', 2) AS resource, "
                f"count(*) AS records, {quoted(table.name)} AS name FROM core.{table.name} "
                f"WHERE removed_at IS NULL AND {on} >= DATE '{year}-01-01' "
                f"AND {on} < DATE '{year + 1}-01-01' GROUP BY ALL"
            )
    if not selects:
        return {}
    rows = connection.execute(" UNION ALL ".join(selects)).fetchall()
    return {(source, name, resource): records for source, resource, records, name in rows}


def _totals(connection: Connection, period: Period) -> dict[tuple[str, str], tuple[int, int]]:
    """The source's count and the lake's of the windows within a year, as last compared; none of a
    resource whose windows do not fill the year."""
    rows = connection.execute(
        """
        SELECT source_system, resource, sum(source_count), sum(warehouse_count) FROM (
            SELECT * FROM ops.control_total
            QUALIFY dense_rank() OVER (
                PARTITION BY source_system, resource ORDER BY compared_at DESC) = 1
        )
        WHERE TRY_CAST(window_from AS TIMESTAMP) >= $first AND TRY_CAST(window_to AS TIMESTAMP) <= $after
        GROUP BY ALL
        HAVING min(TRY_CAST(window_from AS TIMESTAMP)) = $first
            AND max(TRY_CAST(window_to AS TIMESTAMP)) = $after
        """,
        {
            "first": datetime.combine(period.first, time.min),
            "after": datetime.combine(period.last, time.min) + timedelta(days=1),
        },
    ).fetchall()
    return {(source, resource): (int(a), int(b)) for source, resource, a, b in rows}
