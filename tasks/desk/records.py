"""一条记录: what the source says of it now, in which printed figures it is, its steps, its loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks.city.corrections import ENTERED, REVIEWED, WITHDRAWN
from tasks.city.names import Names
from tasks.desk.city import names_of
from tasks.desk.codes import in_words, label_of, rows_in_words
from tasks.desk.data import column_label, edition_without_figures, place, root_figures
from tasks.desk.kept import kept, one_look
from tasks.desk.matters import change_told
from tasks.desk.reports import EditionState, edition_states
from tasks.desk.seen import corrections_entered, current_resources
from tasks.desk.sources import State, list_title
from tasks.editions.account import LABELS, NOT_COUNTED, pulled_tables
from tasks.editions.account_states import dated_by
from tasks.editions.edition import CellValue, Edition
from tasks.editions.figures import text as written
from tasks.editions.record_figures import CountedIn, figures_of_record
from tasks.load.reasons import REASONS
from tasks.render.findings import check_text
from tasks.watch.notify import TITLES
from warehouse.errors import EntryError
from warehouse.lake import Connection, Lake
from warehouse.layout import OVERVIEW
from warehouse.tables import Table
from warehouse.tables import table as table_named


class NoRecord(EntryError):
    """There is no such record; the message says where to look."""


@dataclass(frozen=True)
class Fact:
    """A column with what the source says; `value` is None where it says nothing."""

    column: str
    label: str
    value: str | None


@dataclass(frozen=True)
class Counted:
    """A figure in which the record is: its value for the whole city, and what the record adds."""

    key: str
    table: str
    label: str
    value: str
    adds: str


@dataclass(frozen=True)
class Problem:
    """A check of an edition that the record keeps from holding."""

    code: str
    organ: str
    told: str
    blocks: bool


@dataclass(frozen=True)
class Corrected:
    """A correction of the record in the register: what it changes, why, and whether it holds."""

    label: str
    before: str
    after: str
    reason: str
    reported_by: str
    decided_on: date
    is_in_force: bool


@dataclass(frozen=True)
class Entered:
    """A correction of the record that was entered at the page: its number, and where it stands."""

    number: int
    told: str
    state: State
    word: str


@dataclass(frozen=True)
class Moment:
    """Something that happened to the record, with its day or time."""

    at: date | datetime | None
    told: str


@dataclass(frozen=True)
class RecordShown:
    """Everything on the page of a record."""

    source: str
    source_title: str
    table: str
    table_title: str
    list_title: str
    record_id: str
    state: State
    word: str
    why: str
    facts: tuple[Fact, ...]
    steps: tuple[Moment, ...]
    loads: tuple[Moment, ...]
    corrections: tuple[Corrected, ...]
    entered: tuple[Entered, ...]
    edition: EditionState | None
    editions: tuple[EditionState, ...]
    counted: tuple[tuple[str, tuple[Counted, ...]], ...]
    not_counted: str
    problems: tuple[Problem, ...]

    @property
    def blocking(self) -> int:
        return sum(problem.blocks for problem in self.problems)


def pulled_table(name: str) -> Table:
    """The core table of a name without its layer. Raises NoRecord for one that no source fills."""
    found = next((t for t in pulled_tables() if t.name == name), None)
    if found is None:
        raise NoRecord("没有这一类记录。可以从查找开始")
    return found


def record(
    lake: Lake, city: Path, source: str, table_name: str, record_id: str, edition_id: str = ""
) -> RecordShown:
    """A record of a core table, and its figures in an edition: the one named, else the newest of
    its year, else the newest. Raises NoRecord, NoLake."""
    table = pulled_table(table_name)
    with one_look(lake):
        names = names_of(city)
        stored = _stored(lake, table, source, record_id)
        if stored is None:
            raise NoRecord(
                f"没有编号为“{record_id[:60]}”的{table.title}。记录编号要与来源系统一致；刚登记的要等今晚取数以后"
            )
        states = edition_states(lake, city)
        state = _chosen(states, edition_id, _day(table, stored.row))
        edition = edition_without_figures(lake, state.id, state.row.cell_hash) if state else None
        counted = _counted(lake, state, table, source, record_id) if state else ()
        problems = _problems(edition, table, source, record_id) if edition else ()
        mark, word, why = _state(stored, problems)
        rows = rows_in_words(edition.layout) if edition else {}
        title = next(
            (
                list_title(names, r.source_system, r.resource, [r])
                for r in current_resources(lake)
                if (r.source_system, r.table) == (source, table.name)
            ),
            table.title,
        )
        return RecordShown(
            source=source,
            source_title=names.source(source),
            table=table.name,
            table_title=table.title,
            list_title=title,
            record_id=record_id,
            state=mark,
            word=word,
            why=why,
            facts=_facts(table, stored.row, names, rows),
            steps=_steps(stored.events, rows),
            loads=_loads(stored),
            corrections=tuple(_corrected(table, c, stored.row, rows) for c in stored.corrections),
            entered=_entered(lake, table, source, record_id),
            edition=state,
            editions=states,
            counted=counted,
            not_counted="" if counted or state is None else _why_not(table, stored, state),
            problems=problems,
        )


# ---- what the lake has


@dataclass(frozen=True)
class _Stored:
    """The rows of the lake about one record."""

    row: Mapping[str, Any]
    corrections: tuple[Mapping[str, Any], ...]
    quarantine: tuple[Mapping[str, Any], ...]
    rejects: tuple[Mapping[str, Any], ...]
    events: tuple[Mapping[str, Any], ...]
    load: Mapping[str, Any] | None


@kept
def _stored(lake: Lake, table: Table, source: str, record_id: str) -> _Stored | None:
    key = [source, record_id]
    with lake.read() as connection:
        found = _rows(
            connection,
            f"SELECT * FROM core.{table.name} WHERE source_system = ? AND record_id = ?",
            key,
        )
        if not found:
            return None

        def about(name: str, more: str = "TRUE") -> tuple[Mapping[str, Any], ...]:
            return _rows(
                connection,
                f"SELECT * FROM ops.{name} WHERE source_system = ? AND record_id = ? "
                f"AND table_name = ? AND {more}",
                [*key, table.full_name],
            )

        loads = _rows(
            connection,
            "SELECT l.finished_at, l.landing_manifest, r.flow_name, r.run_name FROM ops.load AS l "
            "LEFT JOIN ops.run AS r USING (run_id) WHERE l.load_id = ?",
            [found[0]["load_id"]],
        )
        return _Stored(
            row=found[0],
            corrections=about("correction"),
            quarantine=about("quarantine"),
            rejects=about("reject", "reject_status = 'open'"),
            events=_events(connection, table, key),
            load=loads[0] if loads else None,
        )


def _events(
    connection: Connection, table: Table, key: Sequence[str]
) -> tuple[Mapping[str, Any], ...]:
    """The steps of a record that has a table of them: `<name>_event` by `<name>_id`."""
    name = f"{table.name}_event"
    if not any(t.name == name for t in pulled_tables()):
        return ()
    return _rows(
        connection,
        f"SELECT * FROM core.{name} WHERE source_system = ? AND {table.name}_id = ? "
        "AND removed_at IS NULL ORDER BY event_on, record_id",
        key,
    )


def _rows(connection: Connection, sql: str, values: Sequence[Any]) -> tuple[Mapping[str, Any], ...]:
    found = connection.execute(sql, list(values))
    columns = [name for name, *_ in found.description]
    return tuple(dict(zip(columns, row, strict=True)) for row in found.fetchall())


# ---- what is said of it


def _facts(
    table: Table, row: Mapping[str, Any], names: Names, rows: Mapping[str, str]
) -> tuple[Fact, ...]:
    found = []
    for column in table.business_columns:
        value = in_words(column, row.get(column.name), rows)
        if column.name == "organ_id" and value is not None:
            value = names.organ(value)
        found.append(Fact(column.name, label_of(column), value))
    updated = row.get("source_updated_at")
    found.append(Fact("", "来源更新", f"{updated:%Y-%m-%d %H:%M}" if updated else None))
    return tuple(found)


def _steps(events: Sequence[Mapping[str, Any]], rows: Mapping[str, str]) -> tuple[Moment, ...]:
    if not events:
        return ()
    columns = {c.name: c for c in table_named("core.application_event").columns}
    found = []
    for event in events:
        kind = in_words(columns["event_kind"], event.get("event_kind"), rows) or "未注明"
        amount = event.get("amount_yuan")
        found.append(
            Moment(
                event.get("event_on"),
                kind + (f"，{in_words(columns['amount_yuan'], amount, rows)} 元" if amount else ""),
            )
        )
    return tuple(found)


def _loads(stored: _Stored) -> tuple[Moment, ...]:
    row, load = stored.row, stored.load
    how = TITLES.get(str(load["flow_name"]), "取数") if load else "取数"
    found = [Moment(row["loaded_at"], f"{how}，取到现在的内容")]
    where = place(row.get("origin"))
    if where:
        found.append(Moment(None, f"出处：{where}"))
    if row.get("removed_at"):
        found.append(Moment(row["removed_at"], "来源撤回，本库留底，不再计入"))
    for one in stored.rejects:
        reason = REASONS.get(one["reason"], one["reason"])
        label = column_label(one["table_name"], one["field"])
        found.append(Moment(one["rejected_at"], f"后来取到的内容被退回：{label}{reason}"))
    return tuple(found)


def _corrected(
    table: Table, one: Mapping[str, Any], row: Mapping[str, Any], rows: Mapping[str, str]
) -> Corrected:
    column = next((c for c in table.columns if c.name == one["column_name"]), None)
    if column is None:
        return Corrected(
            "整条记录", "计入", "不计", one["reason"], one["reported_by"], one["decided_on"], True
        )
    now = row.get(column.name)
    said = None if now is None else str(now)
    return Corrected(
        label_of(column),
        in_words(column, one["expected_value"], rows) or "空",
        in_words(column, one["corrected_value"], rows) or "空",
        one["reason"],
        one["reported_by"],
        one["decided_on"],
        said == one["expected_value"],
    )


def _entered(lake: Lake, table: Table, source: str, record_id: str) -> tuple[Entered, ...]:
    words: Mapping[str, tuple[State, str]] = {
        ENTERED: ("wait", "等复核"),
        REVIEWED: ("done", "已复核"),
        WITHDRAWN: ("none", "已撤下"),
    }
    place_ = (table.full_name, source, record_id)
    return tuple(
        Entered(entry.number, change_told(entry), *words.get(entry.state, ("none", "已退回")))
        for entry in corrections_entered(lake)
        if entry.draft.place[:3] == place_
    )


def _state(stored: _Stored, problems: Sequence[Problem]) -> tuple[State, str, str]:
    """The state of a record: its mark, its word, and what follows from it."""
    row = stored.row
    blocking = [p for p in problems if p.blocks]
    if row.get("removed_at"):
        return "none", "来源已撤回", "本库留底，不再计入任何数。"
    if stored.quarantine:
        told = "；".join(
            dict.fromkeys(str(q["message"] or q["rule_code"]) for q in stored.quarantine)
        )
        parts = all(q.get("columns") for q in stored.quarantine)
        return "broken", "隔离中", f"{told}。改正以前{'有关的项' if parts else '整条'}不计入。"
    if blocking:
        return "turn", "等处理", f"使 {len(blocking)} 项核对不符。"
    if problems:
        return "wait", "有提示", f"{len(problems)} 项核对有提示，不影响发布。"
    return "done", "在用", ""


def _day(table: Table, row: Mapping[str, Any]) -> date | None:
    on = dated_by(table)
    value = row.get(on) if on else None
    return value.date() if isinstance(value, datetime) else value


def _chosen(states: Sequence[EditionState], wanted: str, on: date | None) -> EditionState | None:
    """The edition to look at. Raises NoRecord for one that is not there."""
    if wanted:
        found = next((s for s in states if s.id == wanted), None)
        if found is None:
            raise NoRecord(f"没有版次 {wanted[:40]}。可以从版次页开始")
        return found
    current = [s for s in states if s.row.edition_status != "superseded"]
    years = [s for s in current if s.row.period.is_year]
    of_year = [s for s in years if on and s.row.report_year == on.year]
    return next(iter([*of_year, *years, *current]), None)


def _why_not(table: Table, stored: _Stored, state: EditionState) -> str:
    """Why a record counts nowhere in an edition."""
    if stored.row.get("removed_at"):
        return LABELS["withdrawn"]
    if any(not q.get("columns") for q in stored.quarantine):
        return LABELS["set_aside"]
    on = _day(table, stored.row)
    if dated_by(table) and on is None:
        return NOT_COUNTED["undated"]
    period = state.row.period
    if on is not None and not period.first <= on <= period.last:
        return f"属于 {on.year} 年" if period.is_year else f"日期是 {on}"
    return NOT_COUNTED["by_definition"]


@lru_cache(maxsize=256)
def _figures(
    lake: Lake, edition_id: str, cell_hash: str, table: str, source: str, record_id: str
) -> tuple[CountedIn, ...]:
    edition = edition_without_figures(lake, edition_id, cell_hash)
    return figures_of_record(lake, edition, table, source, record_id)


def _counted(
    lake: Lake, state: EditionState, table: Table, source: str, record_id: str
) -> tuple[tuple[str, tuple[Counted, ...]], ...]:
    """The figures of a record by the sections of the form."""
    id_, cell_hash = state.id, state.row.cell_hash
    edition = edition_without_figures(lake, id_, cell_hash)
    found = _figures(lake, id_, cell_hash, table.full_name, source, record_id)
    figures = root_figures(lake, id_, cell_hash) if found else {}
    by_section: dict[str, list[Counted]] = {}
    for one in found:
        figure = figures.get(one.cell.key, CellValue(None))
        adds = (
            "计入"
            if one.quantity == 1
            else f"计入 {_plain(one.quantity)}"
            if one.quantity
            else "分子或分母"
        )
        by_section.setdefault(_section(edition, one.cell.table), []).append(
            Counted(
                one.cell.key,
                one.cell.table,
                one.cell.full_label,
                written(one.cell, figure),
                adds,
            )
        )
    return tuple((name, tuple(cells)) for name, cells in by_section.items())


def _plain(quantity: Decimal) -> str:
    text = f"{quantity:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _section(edition: Edition, table: str) -> str:
    if table == OVERVIEW:
        return edition.form.figures_heading or "总体情况"
    return next(
        (
            s.heading
            for s, tables in edition.form.printed(edition.layout, edition.period)
            if any(t.key == table for t in tables)
        ),
        edition.layout.table(table).title,
    )


def _problems(edition: Edition, table: Table, source: str, record_id: str) -> tuple[Problem, ...]:
    """The checks of an edition behind which the record stands, those that block first."""
    found = [
        Problem(f.code, f.organ_name, check_text(f), f.blocks)
        for f in edition.open_findings
        if any(
            (r.table, r.source_system, r.record_id) == (table.full_name, source, record_id)
            for r in f.records
        )
    ]
    return tuple(sorted(found, key=lambda p: not p.blocks))
