"""A reading of the lake for figures: one snapshot, corrections applied, quarantined rows left out.

Measures see the core tables through views of the same names, so a measure's SQL is the
same whether or not a record was corrected or set aside.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from warehouse.answer_time import IS_LAPSED, Tables, answer_times_sql
from warehouse.disk import UnreadableFile, text_of
from warehouse.errors import ConfigurationError
from warehouse.lake import Connection, Lake, current_snapshot, stored_columns, stored_rows
from warehouse.period import Period
from warehouse.tables import Table, all_tables

CITYS_OWN = frozenset({"core.organ", "core.website", "core.form_entry"})
"""Tables that are filled from the city's own files: they are always there."""
MEASURES = Path(__file__).parent / "measures"


class MeasureError(ConfigurationError):
    """A measure's file that cannot be used; the message names file and remedy."""


Run = Literal["at start", "at end", "summed", "not summed"]
RUNS: tuple[Run, ...] = ("at start", "at end", "summed", "not summed")


@dataclass(frozen=True)
class Measure:
    """The records that cells count: `table` is the core table they come from.

    `runs` says how what a cell counts in a span follows from the parts of the span: by what its
    condition holds, first match first (`*` is any condition). `at start` it is the first part's,
    `at end` the last's, `not summed` neither; what nothing is said of is the sum.
    """

    name: str
    table: str
    meaning: str
    rule: str
    sql: str
    runs: tuple[tuple[Run, str], ...] = ()

    def run_of(self, condition: str) -> Run:
        """How a cell of that condition follows from the parts of a span."""
        for run, mark in self.runs:
            if mark == "*" or re.search(rf"(?<!\w){re.escape(mark)}(?!\w)", condition):
                return run
        return "summed"


@cache
def _shipped_texts() -> Mapping[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(MEASURES.glob("*.sql"))}


def measure_texts(city: Path | None = None) -> Mapping[str, str]:
    """The measures as declared, by name: `warehouse/measures/*.sql`, and those of the city's
    folder, `measures/*.sql`. Raises MeasureError for one that has the name of a shipped one."""
    found = dict(_shipped_texts())
    for path in sorted((city / "measures").glob("*.sql")) if city else []:
        if path.stem in found:
            raise MeasureError(f"{path}: 已有同名的取数口径 {path.stem},请改文件名")
        try:
            found[path.stem] = text_of(path)
        except UnreadableFile as error:
            raise MeasureError(str(error)) from error
    parse_measures(found)
    return found


@cache
def measures() -> Mapping[str, Measure]:
    """The measures by name, as this version declares them."""
    return parse_measures(measure_texts())


def parse_measures(texts: Mapping[str, str]) -> dict[str, Measure]:
    """Measures by name from their declarations, be they of this version or kept with an edition."""
    found = {}
    for name, text in texts.items():
        lines = text.splitlines()
        head = dict(
            line[3:].split(":", 1) for line in lines if line.startswith("-- ") and ":" in line
        )
        head = {key.strip(): value.strip() for key, value in head.items()}
        for key in ("records", "is"):
            if key not in head:
                raise MeasureError(f"measures/{name}.sql: 文件头缺少 -- {key}: 一行")
        found[name] = Measure(
            name=name,
            table=head["records"],
            meaning=head["is"],
            rule=head.get("rule", ""),
            runs=tuple(
                (run, mark.strip()) for run in RUNS for mark in head.get(run, "").split(",") if mark
            ),
            sql="\n".join(line for line in lines if not line.startswith("--")).strip(),
        )
    return found


@dataclass(eq=False)
class Reading:
    """An open reading.

    `snapshot` is what it is pinned to; `measures` are those of this version unless an
    edition's own were given; `is_as_stored` says that nothing is corrected or set aside, so
    that the tables are as they lie in the lake. `corrected` and `set_aside` are the columns of
    each table of which some value is: a snapshot is asked for them once. `in_memory` are the core
    tables that were copied there. `lots` are those that `warehouse.lots` made.
    """

    connection: Connection
    snapshot: int
    measures: Mapping[str, Measure] = field(default_factory=measures)
    is_as_stored: bool = False
    corrected: Mapping[str, list[str]] | None = None
    set_aside: Mapping[str, tuple[str, ...]] | None = None
    in_memory: frozenset[str] = frozenset()
    lots: dict[Any, Any] = field(default_factory=dict)
    _made: set[str] = field(default_factory=set)
    _reckoned: set[str] = field(default_factory=set)
    _period: Period | None = None
    _provided: dict[tuple[str, str], bool] = field(default_factory=dict)

    def set_period(self, period: Period) -> None:
        """Point the measures at the period that is reported."""
        if self._period == period:
            return
        self._period = period
        self.connection.execute(f"SET VARIABLE year_start = DATE '{period.first}'")
        self.connection.execute(f"SET VARIABLE year_end = DATE '{period.last}'")
        for name, sql in BESIDE_MEASURES.items():
            if name not in self._reckoned:
                self.connection.execute(sql)

    def measure(self, name: str, period: Period) -> str:
        """The name of the relation that holds a measure's records of a period, made when first
        asked.

        Over tables that lie in memory it is a table. Over larger ones it is a view: who asks for
        two columns of twenty million records then reads two, and nothing is written twice.
        """
        relation = f"measure_{name}_{re.sub('[^0-9A-Za-z]', '_', period.key)}"
        if relation not in self._made:
            self.set_period(period)
            measure = self.measures[name]
            if _names("answer_time", measure.sql):
                self._reckon_answer_times()
            of_period = None if tables_read(measure) <= self.in_memory else _at(measure.sql, period)
            self.connection.execute(
                f"CREATE TEMP TABLE {relation} AS {measure.sql}"
                if of_period is None
                else f"CREATE TEMP VIEW {relation} AS {of_period}"
            )
            self._made.add(relation)
        return relation

    def _reckon_answer_times(self) -> None:
        """Reckon once when each application was answered: it is the same in every period, and
        takes as long as all other figures of applications."""
        if "answer_time" not in self._reckoned:
            self._reckoned.add("answer_time")
            self.connection.execute("CREATE TEMP TABLE answer_time_reckoned AS FROM answer_time")
            self.connection.execute(
                "CREATE OR REPLACE TEMP VIEW answer_time AS FROM answer_time_reckoned"
            )

    def as_stored(self, full_name: str) -> str:
        """The relation with a core table as it lies in the lake, nothing corrected or set aside: its
        copy in memory where that is the same."""
        decided = (self.corrected, self.set_aside)
        is_same = all(found is not None and full_name not in found for found in decided)
        return full_name if is_same and full_name in self.in_memory else f"lake.{full_name}"

    def as_figures_see_it(self, full_name: str) -> str:
        """The SELECT by which figures see a core table, with the snapshot it is pinned to."""
        described = {t.full_name: t for t in all_tables()}[full_name]
        corrected = self.corrected if self.corrected is not None else _corrected(self.connection)
        aside = self.set_aside if self.set_aside is not None else _set_aside(self.connection)
        sql = table_as_figures_see_it(described, corrected.get(full_name, []), aside.get(full_name))
        return re.sub(r"\blake\.\w+\.\w+", rf"(FROM \g<0> AT (VERSION => {self.snapshot}))", sql)

    @cached_property
    def stored_columns(self) -> Mapping[str, frozenset[str]]:
        """Of each table of the lake (`layer.name`) the columns that it has at the snapshot: an
        edition may be older than a table or a column."""
        return stored_columns(self.connection)

    @cached_property
    def filled_tables(self) -> frozenset[str]:
        """Tables of the lake (`layer.name`) that ever held a row. To ask one that never did costs
        more than to ask one that does (`stored_rows`)."""
        counts = stored_rows(self.connection)
        if not counts:
            return frozenset(self.stored_columns)
        return frozenset(name for name, count in counts.items() if count is not None)

    @property
    def data_as_of(self) -> datetime | None:
        """When the newest load that this snapshot holds was finished (Asia/Shanghai)."""
        row = self.connection.execute("SELECT max(finished_at) FROM lake.ops.load").fetchone()
        return row[0] if row else None

    def provides(self, table: str, condition: str) -> bool:
        """Whether any record of a core table, in force or not, meets a condition: what no source
        has is missing, not zero."""
        key = (table, condition)
        if key not in self._provided:
            row = self.connection.execute(
                f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {condition} LIMIT 1)"
            ).fetchone()
            self._provided[key] = bool(row and row[0])
        return self._provided[key]

    @cached_property
    def loaded_tables(self) -> frozenset[str]:
        """Core tables that a load has filled; a figure from any other is missing, not zero."""
        rows = self.connection.execute(
            "SELECT DISTINCT table_name FROM lake.ops.load WHERE load_status IN ('loaded', 'unchanged')"
        ).fetchall()
        return frozenset("core." + name.removeprefix("core.") for (name,) in rows) | CITYS_OWN


# An organ that moves within the year counts where it stood last; one that ended before the
# year is not in its tables.
ORGAN_OF_YEAR = """
SELECT organ_id, organ_name, organ_kind, parent_organ_id, has_system, valid_from, valid_to
FROM core.organ
WHERE valid_from <= getvariable('year_end') AND (valid_to IS NULL OR valid_to >= getvariable('year_start'))
QUALIFY row_number() OVER (PARTITION BY organ_id ORDER BY valid_from DESC) = 1
"""


# What of an application its time is reckoned from: the clock keeps all that it is given.
_TIMED = """(
    SELECT source_system, record_id, received_on, closed_on, corrected_on, extended_on, due_on,
        consultation_working_days, outcome, removed_at
    FROM core.application
)"""
# When each application was answered, by the one clock of `warehouse.answer_time`.
ANSWER_TIME = f"""
SELECT source_system, record_id, {IS_LAPSED} AS is_lapsed,
    waits_for IS NOT NULL OR days_passed <= days_allowed AS is_on_time
FROM ({answer_times_sql("a.closed_on", Tables(application=_TIMED))}) AS t
"""
# A website counts in every year in which it was in use on some day.
WEBSITE_OF_YEAR = """
SELECT website_id, website_name, home_url, organ_id, website_kind, identification_code, icp_number,
    police_number, valid_from, valid_to
FROM core.website
WHERE valid_from <= getvariable('year_end') AND (valid_to IS NULL OR valid_to >= getvariable('year_start'))
"""
# The website of an organ: its own, of several the main one; else that of the nearest organ above.
WEBSITE_OF_ORGAN = """
WITH RECURSIVE own AS (
    SELECT organ_id, website_id FROM website_of_year
    QUALIFY row_number() OVER (
        PARTITION BY organ_id ORDER BY website_kind = 'special', website_kind <> 'portal', website_id
    ) = 1
),
climb AS (
    SELECT o.organ_id, o.parent_organ_id AS above, w.website_id, TRUE AS is_own
    FROM organ_of_year AS o LEFT JOIN own AS w USING (organ_id)
    UNION
    SELECT c.organ_id, o.parent_organ_id, w.website_id, FALSE
    FROM climb AS c JOIN organ_of_year AS o ON o.organ_id = c.above
    LEFT JOIN own AS w ON w.organ_id = o.organ_id
    WHERE c.website_id IS NULL
)
SELECT organ_id, website_id, is_own FROM climb WHERE website_id IS NOT NULL
"""
BESIDE_MEASURES = {
    "organ_of_year": f"CREATE OR REPLACE TEMP TABLE organ_of_year AS\n{ORGAN_OF_YEAR.strip()}",
    "answer_time": f"CREATE OR REPLACE TEMP VIEW answer_time AS\n{ANSWER_TIME.strip()}",
    "website_of_year": f"CREATE OR REPLACE TEMP VIEW website_of_year AS\n{WEBSITE_OF_YEAR.strip()}",
    "website_of_organ": f"CREATE OR REPLACE TEMP VIEW website_of_organ AS\n{WEBSITE_OF_ORGAN.strip()}",
}
"""What measures may ask besides the core tables: by name, how it is made. One may rest on those
before it."""


def beside(sql: str) -> list[str]:
    """How to make what a measure's query asks besides the core tables, in order."""
    found: list[str] = []
    for name, made in reversed(BESIDE_MEASURES.items()):
        if any(_names(name, asked) for asked in (sql, *found)):
            found.insert(0, made)
    return found


def _names(name: str, sql: str) -> bool:
    """Whether a query asks something by its name."""
    return re.search(rf"\b{name}\b", sql) is not None


def _at(sql: str, period: Period) -> str | None:
    """A measure's query with the days of a period written out, so that it means the same when it
    is asked after another period's. None for one that rests on what is made for one period at a
    time, or is dear to ask twice."""
    if beside(sql):
        return None
    for name, day in (("year_start", period.first), ("year_end", period.last)):
        sql = re.sub(rf"(?i)\bgetvariable\(\s*'{name}'\s*\)", f"DATE '{day}'", sql)
    return None if re.search(r"(?i)\bgetvariable\b", sql) else sql


_CORE_TABLE = re.compile(r"\bcore\.\w+")


def tables_read(measure: Measure) -> frozenset[str]:
    """The core tables that a measure asks, itself or through what it asks besides them."""
    beside = [sql for name, sql in BESIDE_MEASURES.items() if _names(name, measure.sql)]
    texts = [measure.sql, *beside, BESIDE_MEASURES["organ_of_year"]]
    return frozenset(name for text in texts for name in _CORE_TABLE.findall(text))


@contextmanager
def reading(
    lake: Lake,
    snapshot: int | None = None,
    *,
    declared: Mapping[str, Measure] | None = None,
    copy_up_to: int = 0,
    supposed: Supposed | None = None,
) -> Iterator[Reading]:
    """Open a reading at a snapshot, the newest unless one is named.

    `declared` are the measures that an edition keeps, in place of this version's; `supposed` is a
    correction that is taken for recorded, to see what it would change. A table
    that did not exist yet at the snapshot is empty. Tables of at most `copy_up_to` rows are copied into memory first: a build asks them
    hundreds of questions, and each costs a look into the lake's catalog otherwise. Raises
    LakeError when there is no lake yet.
    """
    if snapshot is None:
        snapshot = lake.snapshot()
    with lake.read(snapshot) as connection:
        connection.execute("USE scratch")
        connection.execute("CREATE SCHEMA core")
        aside = _set_aside(connection)
        corrections = CORRECTIONS if supposed is None else _with_supposed(connection, supposed)
        corrected = _corrected(connection, corrections)
        stored, described = stored_rows(connection), stored_columns(connection)
        in_memory = set()
        for table in all_tables():
            if table.layer != "core":
                continue
            # What the catalog does not count is not copied; what it does not name, while it
            # names others, was not there yet.
            rows = stored.get(table.full_name, None if stored else copy_up_to + 1)
            if rows is None:
                in_memory.add(table.full_name)
                connection.execute(
                    f"CREATE TABLE {table.full_name} ({table.columns_sql}, {SET_ASIDE} VARCHAR[])"
                )
                continue
            selected = table_as_figures_see_it(
                table,
                corrected.get(table.full_name, []),
                aside.get(table.full_name),
                corrections=corrections,
            )
            selected = _with_columns(selected, table, described.get(table.full_name))
            kind = "TABLE" if copy_up_to and rows <= copy_up_to else "VIEW"
            if kind == "TABLE":
                in_memory.add(table.full_name)
            connection.execute(f"CREATE {kind} {table.full_name} AS {selected}")
        yield Reading(
            connection,
            current_snapshot(connection),
            measures() if declared is None else declared,
            is_as_stored=not aside and not corrected,
            corrected=corrected,
            set_aside=aside,
            in_memory=frozenset(in_memory),
        )


@dataclass(frozen=True)
class Supposed:
    """A correction that nobody recorded yet: of a column, `*` for the whole record not to count;
    `value` is what it should say while the source says `expect`."""

    table: str
    source_system: str
    record_id: str
    column: str
    expect: str | None
    value: str | None


def _with_supposed(connection: Connection, supposed: Supposed) -> str:
    """The recorded corrections and one more, as a table of this connection; returns its name.
    What was recorded of the same value gives way."""
    s = supposed
    connection.execute(
        "CREATE TABLE scratch.main.supposed_correction AS SELECT table_name, source_system, record_id, "
        f"column_name, action, expected_value, corrected_value FROM {CORRECTIONS} "
        "WHERE NOT (table_name = $1 AND source_system = $2 AND record_id = $3 AND column_name = $4) "
        "UNION ALL SELECT $1, $2, $3, $4, $5, $6, $7",
        [
            *(s.table, s.source_system, s.record_id, s.column),
            "drop" if s.column == "*" else "override",
            *(s.expect, s.value),
        ],
    )
    return "scratch.main.supposed_correction"


CORRECTIONS = "lake.ops.correction"
SET_ASIDE = "set_aside_columns"


def _with_columns(selected: str, table: Table, stored: frozenset[str] | None) -> str:
    """A table as it was at a snapshot, with the columns that it only got later: empty."""
    missing = [c for c in table.columns if stored and c.name not in stored]
    if not missing:
        return selected
    added = ", ".join(f"CAST(NULL AS {c.sql_type}) AS {c.name}" for c in missing)
    return f"SELECT *, {added} FROM ({selected})"


"""A column of each core table as measures see it: names of its columns that are set aside, and
read as NULL. What rests on one of them counts nothing."""


def _corrected(connection: Connection, corrections: str = CORRECTIONS) -> dict[str, list[str]]:
    """The columns of each table of which some value is corrected."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, column in connection.execute(
        f"SELECT DISTINCT table_name, column_name FROM {corrections}"
    ).fetchall():
        found[name].append(column)
    return found


def _set_aside(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Tables with quarantined records, and of which columns single ones are set aside. Earlier
    snapshots know whole records only."""
    known = stored_columns(connection)["ops.quarantine"]
    listed = "columns" if "columns" in known else "NULL"
    found: dict[str, set[str]] = defaultdict(set)
    for name, columns in connection.execute(
        f"SELECT DISTINCT table_name, {listed} FROM lake.ops.quarantine"
    ).fetchall():
        found[name] |= set(columns.split(",")) if columns else set()
    return {name: tuple(sorted(columns)) for name, columns in found.items()}


def table_as_figures_see_it(
    table: Table,
    corrected: list[str],
    aside: tuple[str, ...] | None,
    *,
    corrections: str = CORRECTIONS,
) -> str:
    """The table as corrected, without the records that are set aside whole, and without what is
    set aside of others; `aside` are the columns of which that is so, None where nothing is."""
    as_corrected = table_as_corrected(table, corrected, corrections)
    if aside is None:
        return f"SELECT *, CAST([] AS VARCHAR[]) AS {SET_ASIDE} FROM ({as_corrected})"
    of_table = f"FROM lake.ops.quarantine AS q WHERE q.table_name = '{table.full_name}'"
    same = "q.source_system = t.source_system AND q.record_id = t.record_id"
    if not aside:
        return (
            f"SELECT t.*, CAST([] AS VARCHAR[]) AS {SET_ASIDE} FROM ({as_corrected}) AS t "
            f"WHERE NOT EXISTS (SELECT 1 {of_table} AND {same})"
        )
    nulled = ", ".join(
        f"CASE WHEN list_contains(q.names, '{name}') THEN NULL ELSE t.{name} END AS {name}"
        for name in aside
    )
    return (
        f"SELECT t.* REPLACE ({nulled}), coalesce(q.names, []) AS {SET_ASIDE} "
        f"FROM ({as_corrected}) AS t LEFT JOIN ("
        "SELECT source_system, record_id, bool_or(columns IS NULL) AS is_whole, "
        f"flatten(list(string_split(columns, ',')) FILTER (columns IS NOT NULL)) AS names {of_table} "
        "GROUP BY ALL) AS q USING (source_system, record_id) "
        "WHERE q.is_whole IS DISTINCT FROM TRUE"
    )


def table_as_corrected(table: Table, corrected: list[str], corrections: str = CORRECTIONS) -> str:
    """The table with the recorded corrections. One holds only while the source still says what
    it was made against."""
    source = f"lake.{table.full_name} AS t"
    columns = "t.*"
    conditions = []
    replaced = []
    for column in sorted(corrected):
        match = (
            f"SELECT c.corrected_value FROM {corrections} AS c WHERE c.table_name = '{table.full_name}' "
            f"AND c.source_system = t.source_system AND c.record_id = t.record_id AND c.column_name = '{column}'"
        )
        if column == "*":
            conditions.append(f"NOT EXISTS ({match} AND c.action = 'drop')")
            continue
        kind = next(c.sql_type for c in table.columns if c.name == column)
        holds = f"{match} AND c.action = 'override' AND c.expected_value IS NOT DISTINCT FROM t.{column}::VARCHAR"
        replaced.append(
            f"CASE WHEN EXISTS ({holds}) THEN ({holds})::{kind} ELSE t.{column} END AS {column}"
        )
    if replaced:
        columns = f"t.* REPLACE ({', '.join(replaced)})"
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {columns} FROM {source}{where}"


def websites_of(reading: Reading, period: Period) -> list[tuple[str, str, str, bool]]:
    """(website_id, website_name, organ_id, is_in_use) of the registry: those of the period, and all
    others, whose records may still be there."""
    reading.set_period(period)
    return reading.connection.execute(
        "SELECT website_id, website_name, organ_id, "
        "website_id IN (SELECT y.website_id FROM website_of_year AS y) "
        "FROM core.website ORDER BY website_id"
    ).fetchall()


def organs_of(reading: Reading, period: Period) -> list[tuple[str, str, str, str | None, bool]]:
    """(organ_id, organ_name, organ_kind, parent_organ_id, has_system) of a period, parents first."""
    reading.set_period(period)
    return reading.connection.execute(
        """
        WITH RECURSIVE tree AS (
            SELECT o.*, 0 AS depth FROM organ_of_year AS o
            WHERE parent_organ_id IS NULL OR parent_organ_id NOT IN (SELECT organ_id FROM organ_of_year)
            UNION ALL
            SELECT o.*, tree.depth + 1 FROM organ_of_year AS o JOIN tree ON o.parent_organ_id = tree.organ_id
        )
        SELECT organ_id, organ_name, organ_kind, parent_organ_id, has_system FROM tree
        ORDER BY depth, organ_id
        """
    ).fetchall()
