"""The account of records: what each source has, and where every record of it went.

Two halves. The way in, from `ops.load` and `ops.reject`: each record that was landed is by
now joined (the same record in the same state again), overtaken within its own landing by
another state of the same key (conflicting), replaced by a later state, rejected, or loaded.
The standing, from the core tables at the snapshot: each loaded record is counted in the year by
some cell of the form, or it is not, for a reason. Every number is counted where the thing
happens, none is the difference of two others, so that what is lost leaves a gap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tasks.editions.account_states import copy_decisions, count_states, standing_sql
from warehouse.layout import Layout
from warehouse.period import Period
from warehouse.reading import Reading
from warehouse.sql import quoted
from warehouse.tables import Table, all_tables
from warehouse.tables import table as table_named

TRIAL = frozenset({"A4", "Y1", "Y2", "Y3"})
"""Codes of checks that make an edition a trial (试编) when they fail: its year is not complete."""
NOT_COUNTED = {
    "another_year": "属于其他年度",
    "undated": "没有日期",
    "by_definition": "按口径不计",
    "no_cell": "不直接计入单元格",
    "dropped": "更正剔除",
}
"""Why a record in force counts in no cell of the year."""
LABELS = {
    "served": "来源有",
    "fetched": "取到",
    "not_selected": "未选取",
    "landed": "落地",
    "joined": "合并",
    "conflicting": "冲突",
    "replaced": "已更新",
    "rejected": "退回",
    "loaded": "入库",
    "in_force": "在用",
    "withdrawn": "撤回",
    "unseen": "不再出现",
    "set_aside": "隔离",
    "counted": "计入",
}
"""The items of a line, in their order, in Chinese."""


STATES = {
    **{name: LABELS[name] for name in ("counted", "set_aside", "withdrawn", "unseen")},
    **NOT_COUNTED,
    **{name: LABELS[name] for name in ("rejected", "conflicting", "not_selected")},
}
"""What may have become of a record, in Chinese; the last three never reached a core table."""


@dataclass(frozen=True)
class WayIn:
    """What the loads of one list brought in all, one number a fate; see the module."""

    fetched: int = 0
    not_selected: int = 0
    landed: int = 0
    joined: int = 0
    conflicting: int = 0
    replaced: int = 0
    inserted: int = 0
    moved: int = 0


@dataclass(frozen=True)
class Equation:
    """One number of the account that must be the sum of others, with what they are called."""

    code: str
    left: tuple[str, int]
    right: tuple[tuple[str, int], ...]

    @property
    def gap(self) -> int:
        """Left minus right."""
        return self.left[1] - sum(number for _, number in self.right)

    def __str__(self) -> str:
        sign = "≠" if self.gap else "="
        parts = [part for part in self.right if part[1]] or [self.right[0]]
        return f"{_named(self.left)} {sign} {' + '.join(map(_named, parts))}"


def _named(part: tuple[str, int]) -> str:
    return f"{part[0]} {part[1]:,}"


@dataclass(frozen=True)
class Line:
    """The account of one list of one source in one core table.

    `way_in` is None where an earlier version loaded without keeping it. `served` is how many
    records the source itself says that it has, None where it cannot count. `rejected` are
    records with an open reject, `rejected_only` those of them that no row stands for;
    `in_force` are those that the source has not withdrawn, or only after the year.
    """

    source: str
    resource: str
    table: str
    served: int | None = None
    compared: int | None = None
    way_in: WayIn | None = None
    rejected: int = 0
    rejected_only: int = 0
    loaded: int = 0
    in_force: int = 0
    withdrawn: int = 0
    unseen: int = 0
    set_aside: int = 0
    counted: int = 0
    not_counted: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.source}.{self.resource}"

    def equations(self) -> Iterator[Equation]:
        """What must be equal in the account, each side counted by itself."""
        w = self.way_in
        if w is not None:
            fetched = (("落地", w.landed), ("未选取", w.not_selected))
            yield Equation("A1", ("取到", w.fetched), fetched)
            kept = (("入库", w.inserted), ("合并", w.joined), ("已更新", w.replaced))
            left_out = (("冲突", w.conflicting), ("退回", self.rejected))
            yield Equation("A1", ("落地", w.landed), (*kept, *left_out))
            moved = (("转入", w.moved),) if w.moved else ()
            yield Equation("A2", ("库内", self.loaded), (("历次入库", w.inserted), *moved))
        standing = (("在用", self.in_force), ("撤回", self.withdrawn), ("不再出现", self.unseen))
        yield Equation("A2", ("库内", self.loaded), standing)
        reasons = ((label, self.not_counted.get(name, 0)) for name, label in NOT_COUNTED.items())
        counted = (("计入", self.counted), ("隔离", self.set_aside), *reasons)
        yield Equation("A3", ("在用", self.in_force), counted)
        if self.served is not None and self.compared is not None:
            held = (("对账时库内", self.compared), ("退回而未入库", self.rejected_only))
            yield Equation("A4", ("来源有", self.served), held)

    @property
    def is_balanced(self) -> bool:
        return all(equation.gap == 0 for equation in self.equations())

    @classmethod
    def from_data(cls, kept: Mapping[str, Any]) -> Line:
        """A line as an edition keeps it (`dataclasses.asdict`)."""
        way_in = kept["way_in"]
        return cls(**{**kept, "way_in": None if way_in is None else WayIn(**way_in)})

    def as_json(self) -> dict[str, Any]:
        """As `nianbao account --json` prints it; what is not known is null."""
        way_in = asdict(self.way_in) if self.way_in else {}
        numbers = {
            name: way_in[name] if name in way_in else getattr(self, name, None) for name in LABELS
        }
        who = {"source": self.source, "resource": self.resource, "table": self.table}
        return {
            **who,
            **numbers,
            "not_counted": dict(self.not_counted),
            "balanced": self.is_balanced,
        }


def standing(line: Line) -> Line:
    """The line without its way in and the source's counts: the records as they stand."""
    return replace(line, way_in=None, served=None, compared=None)


def read_account(
    reading: Reading, layout: Layout, period: Period, tables: Sequence[Table] | None = None
) -> tuple[Line, ...]:
    """The account of a period at a reading's snapshot: a line for each list of each source that
    ever landed, was loaded or rejected anything, in their order; `tables` limits to theirs."""
    lines: dict[tuple[str, str, str], dict[str, Any]] = defaultdict(dict)
    copy_decisions(reading)
    wanted = pulled_tables() if tables is None else tables
    for table in wanted:
        for key, numbers in _standing(reading, layout, table, period).items():
            lines[key].update(numbers)
    for key, way_in_ in _way_in(reading).items():
        lines[key]["way_in"] = way_in_
    for key, numbers in _rejected(reading).items():
        way_in: WayIn | None = lines[key].get("way_in")
        overtaken = numbers.pop("overtaken")
        lines[key].update(numbers)
        if way_in is not None:
            lines[key]["way_in"] = WayIn(
                **{**asdict(way_in), "replaced": way_in.replaced + overtaken}
            )
    for key, counts in _served(reading).items():
        lines[key].update(counts)
    names = {table.name for table in wanted}
    return tuple(Line(*key, **numbers) for key, numbers in sorted(lines.items()) if key[2] in names)


def pulled_tables() -> list[Table]:
    return [t for t in all_tables() if t.layer == "core" and t.is_pulled]


# ---- the standing of each record


def _standing(
    reading: Reading, layout: Layout, table: Table, period: Period
) -> dict[tuple[str, str, str], dict[str, Any]]:
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    loaded, states = count_states(reading, layout, table, period)
    for source, resource, count in loaded:
        found[(source, resource, table.name)] = {"loaded": count, "not_counted": {}}
    for source, resource, state, count in states:
        numbers = found[(source, resource, table.name)]
        kept = numbers["not_counted"] if state in NOT_COUNTED else numbers
        kept[state] = kept.get(state, 0) + count
        if state not in ("withdrawn", "unseen"):
            numbers["in_force"] = numbers.get("in_force", 0) + count
    return found


# ---- the way in


def _way_in(reading: Reading) -> dict[tuple[str, str, str], WayIn]:
    """By source, resource and table, the sums of all loads; none for a list of which an earlier
    version loaded something without counting so."""
    if "rows_new" not in reading.stored_columns["ops.load"]:
        return {}
    rows = reading.connection.execute(
        """
        WITH loads AS (
            SELECT *, split_part(load_id, '/', 2) AS brought_by, replace(table_name, 'core.', '') AS name
            FROM account_load WHERE load_status <> 'stopped'
        ),
        moved AS (
            SELECT source_system, unnest(map_entries(moved_from::JSON::MAP(VARCHAR, BIGINT))) AS one,
                brought_by, name
            FROM loads WHERE moved_from IS NOT NULL
        ),
        moves AS (
            SELECT source_system, brought_by, name, one.value AS rows FROM moved
            UNION ALL SELECT source_system, one.key, name, -one.value FROM moved
        ),
        balance AS (SELECT source_system, brought_by, name, sum(rows) AS moved FROM moves GROUP BY ALL)
        SELECT source_system, brought_by, name,
            sum(rows_fetched), sum(rows_left_out), sum(rows_landed),
            sum(rows_joined) + sum(rows_unchanged) + sum(rows_rejected_again),
            sum(rows_conflicting), sum(rows_written) - sum(rows_new), sum(rows_new),
            coalesce(any_value(balance.moved), 0)
        FROM loads LEFT JOIN balance USING (source_system, brought_by, name)
        GROUP BY ALL HAVING bool_and(rows_new IS NOT NULL) ORDER BY ALL
        """
    ).fetchall()
    return {(source, resource, name): WayIn(*map(int, n)) for source, resource, name, *n in rows}


def _rejected(reading: Reading) -> dict[tuple[str, str, str], dict[str, int]]:
    """Open rejects by list, a record once; `overtaken` are landed rows that were rejected and
    whose record was landed again in another state since."""
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    tables = reading.connection.execute("SELECT DISTINCT table_name FROM account_reject")
    for table in [table_named(name) for (name,) in tables.fetchall()]:
        rows = reading.connection.execute(
            f"""
            WITH landed AS (
                SELECT source_system, split_part(coalesce(origin, ''), '/', 2) AS landed_by,
                    coalesce(record_id, origin, reject_id) AS record,
                    any_value(record_id) AS record_id, load_id,
                    bool_or(reject_status = 'open') AS is_open
                FROM account_reject
                WHERE table_name = {quoted(table.full_name)} AND reason <> 'conflicting_key'
                GROUP BY source_system, landed_by, record, load_id
            )
            SELECT source_system, landed_by, count(*),
                count(DISTINCT record) FILTER (is_open),
                count(DISTINCT record) FILTER (is_open AND (source_system, record_id) NOT IN (
                    SELECT (source_system, record_id) FROM {reading.as_stored(table.full_name)}
                    WHERE removed_at IS NULL))
            FROM landed GROUP BY ALL
            """
        ).fetchall()
        for source, resource, landed, rejected, alone in rows:
            found[(source, resource, table.name)] = {
                "rejected": rejected,
                "rejected_only": alone,
                "overtaken": landed - rejected,
            }
    return found


def _served(reading: Reading) -> dict[tuple[str, str, str], dict[str, int]]:
    """What each source itself counts, beside what the lake held when it was asked: the newest
    control totals of all its windows. Records without a date lie in no window."""
    rows = reading.connection.execute(
        """
        WITH newest AS (
            SELECT source_system, resource, max(compared_at) AS compared_at
            FROM account_control_total GROUP BY ALL
        ),
        own AS (
            SELECT source_system, resource, arg_max(table_name, started_at) AS table_name
            FROM account_load GROUP BY ALL
        )
        SELECT source_system, resource, table_name, sum(source_count), sum(warehouse_count)
        FROM account_control_total JOIN newest USING (source_system, resource, compared_at)
        JOIN own USING (source_system, resource)
        GROUP BY ALL
        """
    ).fetchall()
    return {
        (source, resource, table.removeprefix("core.")): {"served": int(a), "compared": int(b)}
        for source, resource, table, a, b in rows
    }


# ---- the records behind a number


@dataclass(frozen=True)
class AccountRecord:
    """A record of the account: where it is, what became of it, and why."""

    source: str
    resource: str
    table: str
    record_id: str
    state: str
    detail: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def account_records(
    reading: Reading,
    layout: Layout,
    period: Period,
    states: Sequence[str],
    *,
    source: str | None = None,
    resource: str | None = None,
    tables: Sequence[Table] | None = None,
    limit: int = 20,
    offset: int = 0,
) -> list[AccountRecord]:
    """The records of which one of `states` is true in a period's account, a page of them; `tables`
    limits to those of some core tables, which is quicker."""
    copy_decisions(reading)
    selects = [
        f"SELECT source_system, resource, {quoted(t.name)} AS table_name, record_id, state, "
        f"'' AS detail FROM ({sql})"
        for t in (pulled_tables() if tables is None else tables)
        if (sql := standing_sql(reading, layout, t, period)) is not None
    ]
    selects.append(
        "SELECT source_system, split_part(coalesce(origin, ''), '/', 2), "
        "replace(table_name, 'core.', ''), coalesce(record_id, origin), "
        "if(reason = 'conflicting_key', 'conflicting', 'rejected'), "
        "string_agg(concat_ws(' ', field, reason, found), ';' ORDER BY field) "
        "FROM account_reject WHERE reject_status = 'open' GROUP BY ALL"
    )
    if "ops.left_out" in reading.stored_columns:
        selects.append(
            "SELECT source_system, resource, replace(table_name, 'core.', ''), "
            "coalesce(record_id, origin), 'not_selected', concat_ws(' ', reason, origin) "
            "FROM lake.ops.left_out"
        )
    rows = reading.connection.execute(
        f"SELECT * FROM ({' UNION ALL '.join(selects)}) WHERE list_contains($1, state) "
        "AND ($2 IS NULL OR source_system = $2) AND ($3 IS NULL OR resource = $3) "
        "ORDER BY ALL LIMIT $4 OFFSET $5",
        [list(states), source, resource, limit, offset],
    ).fetchall()
    return [AccountRecord(*row) for row in rows]
