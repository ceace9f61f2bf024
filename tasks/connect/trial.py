"""A few pages of a source, loaded into a lake of its own: what `source try` shows.

Nothing of the city's lake is touched: the trial has a home of its own, which is gone afterwards.
What is shown is real all the same: the rows as they are typed and kept, the rules on them, and
what a year's cells would be if these were all the records.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from expectations.result import RuleResult
from tasks import clock
from tasks.check import check_core
from tasks.city.register import register_city
from tasks.editions import figures as written
from tasks.editions.build import preview
from tasks.editions.edition import Edition
from tasks.load.load import load
from tasks.sources import database
from tasks.sources.client import Client
from tasks.sources.connector import ApiPull, cursor_text, requests_of
from tasks.sources.errors import SourceError
from tasks.sources.folder import FolderPull, content_of, open_folder
from tasks.sources.landing import Landed, LandingWriter, ListCounts
from tasks.sources.model import Child, RejectLimit, Resource, Source
from tasks.sources.plan import Pull
from tasks.sources.windows import Window, parse_moment, split
from warehouse.errors import NianbaoError
from warehouse.lake import Connection, Lake
from warehouse.layout import Cell
from warehouse.period import Period
from warehouse.sql import named, quoted
from warehouse.tables import table

LAST_WINDOWS = 3
MOST_REJECTS = 8
MOST_ROWS = 3
ROWS_A_PAGE = 200
"""Rows of a database query that count as a page."""


@dataclass
class Tried:
    """What came of one list: its table, records read, kept, removed, left out and rejected, the
    reasons of rejects with an example, the first rows, what was noted."""

    name: str
    title: str
    table: str
    read: int = 0
    kept: int = 0
    removed: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    rejects: list[tuple[str, str, str, str, int]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: NianbaoError | None = None


@dataclass(frozen=True)
class Shown:
    """A cell for people: its key, what it is, and its figure."""

    key: str
    label: str
    text: str


def _label(cell: Cell) -> str:
    return f"{cell.label}({cell.column_label})" if cell.column_label else cell.label


def _unit(cell: Cell) -> str:
    return f" {cell.unit}" if cell.unit and not written.is_percentage(cell) else ""


@dataclass
class Trial:
    """All lists of a source, the rules that fire, and the year that the cells are of."""

    lists: list[Tried]
    rules: list[RuleResult] = field(default_factory=list)
    edition: Edition | None = None
    year: int | None = None
    cells_error: NianbaoError | None = None

    @property
    def is_good(self) -> bool:
        return all(one.error is None and not one.rejects for one in self.lists)

    @property
    def cells(self) -> list[Shown]:
        """The figures of the year that are not nought and come from the lists that were loaded."""
        edition = self.edition
        if edition is None or edition.definitions is None:
            return []
        loaded = {one.table for one in self.lists if one.kept}
        of = {
            name
            for name, measure in edition.definitions.parsed_measures.items()
            if measure.table.removeprefix("core.") in loaded
        }
        return [
            Shown(key, _label(cell), written.text(cell, value) + _unit(cell))
            for key, value in edition.figures().items()
            if (cell := edition.layout.cells[key]).measure in of and value.value
        ]


def try_source(
    source: Source,
    city: Path,
    *,
    pages: int,
    resource: str | None = None,
    year: int | None = None,
    now: datetime | None = None,
) -> Trial:
    """Load the first pages of every resource, or of one, into a lake of its own.

    `year` is by default the one most records are of. Errors of a resource are in its list.
    """
    now = now or clock.now()
    with tempfile.TemporaryDirectory(prefix="nianbao-try-") as home:
        lake = Lake(Path(home))
        lake.create()
        register_city(lake, city, now=now)
        return judged(load_pages(source, lake, pages, now, resource), lake, city, now, year)


def load_pages(
    source: Source, lake: Lake, pages: int, now: datetime, resource: str | None = None
) -> list[Tried]:
    """Load the first pages of every resource, or of one, into a lake; what came of each list."""
    return [
        one
        for rule in source.resources
        if resource is None or rule.name == resource
        for one in _try_resource(source, rule, lake, lake.home / "landing", pages, now)
    ]


def judged(
    lists: list[Tried], lake: Lake, city: Path, now: datetime, year: int | None = None
) -> Trial:
    """What the rules and the year's cells say of the lists that were loaded."""
    trial = Trial(lists)
    if any(one.kept for one in lists):
        tables = {f"core.{one.table}" for one in lists if one.kept}
        found = check_core(lake, run_id="try", runner="plain", only_tables=tables, now=now)
        trial.rules = [result for result in found if result.bad_rows != 0]
        trial.year = year or _year(lake, lists)
        _compute(trial, lake, city, now)
    return trial


def _try_resource(
    source: Source, rule: Resource, lake: Lake, landing: Path, pages: int, now: datetime
) -> Iterator[Tried]:
    lists = [Tried(one.name, one.title or one.name, one.table) for one in _lists(rule)]
    try:
        landed = _landed(source, rule, landing, pages)
        lists[0].notes += landed.manifest.notes + landed.manifest.problems
        # A part of a list tells of no removal, and stops at no share of rejects.
        patient = rule.model_copy(update={"reject_limit": _NO_LIMIT})
        own = source.model_copy(
            update={"resources": tuple(patient if r is rule else r for r in source.resources)}
        )
        own.settle(source.file, source.code_values)
        load(landed, own, lake, now=now, run_id="try")
    except NianbaoError as error:
        lists[0].error = error
        yield lists[0]
        return
    with lake.read() as connection:
        for one in lists:
            one.read = landed.manifest.count(one.name).fetched
            _look(connection, source, one)
            yield one


_NO_LIMIT = RejectLimit(share=1)


def _landed(source: Source, rule: Resource, landing: Path, pages: int) -> Landed:
    """The first pages, or files, of a resource, landed. Raises SourceError."""
    with ExitStack() as stack:
        writer = stack.enter_context(LandingWriter(landing, source.name, rule.name))
        if rule.workbook is not None:
            return _landed_files(source, rule, writer, stack, pages)
        if rule.query is not None:
            return _landed_query(source, rule, writer, pages)
        client = stack.enter_context(Client(source))
        windows: tuple[Window, ...] = ()
        if rule.windows is not None:
            everything = Window(parse_moment(rule.windows.start), clock.now())
            windows = tuple(split(everything, rule.windows.split))[-LAST_WINDOWS:]
        since = None
        if rule.cursor is not None and rule.cursor.initial is not None:
            initial: Any = rule.cursor.initial
            is_time = rule.cursor.kind == "time"
            since = cursor_text(source, rule, parse_moment(initial) if is_time else initial)
        listed = requests_of(client, source, rule, since=since, until=None, windows=windows)
        # The newest span first: the oldest is the likeliest to be empty.
        listed.reverse()
        run = ApiPull(client, rule, writer)
        run.run_pages(listed, pages)
        return _finished(
            writer, run.counts, client.shown(listed[0][0]), [*run.notes, *client.notes]
        )


def _landed_files(
    source: Source, rule: Resource, writer: LandingWriter, stack: ExitStack, pages: int
) -> Landed:
    entries, place = open_folder(source, rule, stack)
    run = FolderPull(Pull(source, rule), writer)
    for entry in entries[-pages:]:
        run.take(entry, content_of(entry))
    if run.problems and not run.versions:
        raise SourceError("工作簿都未能读取。" + run.problems[0])
    return _finished(writer, run.counts, place, run.notes, run.problems)


def _landed_query(source: Source, rule: Resource, writer: LandingWriter, pages: int) -> Landed:
    assert rule.query is not None
    with database.opened(source) as asked:
        projector = database.projector_of(rule)
        for rows in asked.rows(rule.query, database.asked_of(rule), limit=pages * ROWS_A_PAGE):
            projector.project(rows, {"$each": {}}, writer)
    return _finished(writer, {rule.name: ListCounts(projector.read)}, rule.name, [])


def _finished(
    writer: LandingWriter,
    counts: dict[str, ListCounts],
    request: str,
    notes: list[str],
    problems: list[str] | None = None,
) -> Landed:
    return writer.finish(
        counts=counts,
        expected_rows=None,
        window_from=None,
        window_to=None,
        is_full=False,
        moves_watermark=False,
        request=request,
        notes=notes,
        problems=problems or [],
    )


def _look(connection: Connection, source: Source, one: Tried) -> None:
    """What the lake holds of a list now."""
    of = f"source_system = {quoted(source.name)}"
    declared = _declared(source, one.name)
    counted = connection.execute(
        f"SELECT count(*) FILTER (removed_at IS NULL), count(*) FILTER (removed_at IS NOT NULL)"
        f" FROM core.{one.table} WHERE {of}"
    ).fetchone()
    assert counted is not None
    one.kept, one.removed = counted
    one.rejects = [
        (str(name or "编号"), reason, str(found), str(expected), count)
        for name, reason, found, expected, count in connection.execute(
            "SELECT field, reason, min(found), any_value(expected), count(*) FROM ops.reject"
            f" WHERE {of} AND table_name IN ({quoted(one.table)}, {quoted('core.' + one.table)}) GROUP BY 1, 2 ORDER BY 5 DESC LIMIT {MOST_REJECTS}"
        ).fetchall()
    ]
    one.left_out = dict(
        connection.execute(
            f"SELECT reason, count(*) FROM ops.left_out WHERE {of} AND resource = {quoted(one.name)} GROUP BY 1"
        ).fetchall()
    )
    one.columns = ["record_id", *declared]
    selected = ", ".join(f"CAST({named(name)} AS VARCHAR)" for name in one.columns)
    one.rows = [
        [value or "" for value in row]
        for row in connection.execute(
            f"SELECT {selected} FROM core.{one.table} WHERE {of} ORDER BY record_id LIMIT {MOST_ROWS}"
        ).fetchall()
    ]


def _lists(rule: Resource) -> list[Resource | Child]:
    return [rule, *rule.children]


def _declared(source: Source, name: str) -> list[str]:
    for rule in source.resources:
        for one in _lists(rule):
            if one.name == name:
                return list(one.fields)
    raise KeyError(name)


def _year(lake: Lake, lists: list[Tried]) -> int | None:
    """The year that most of the loaded records are of, by all their times."""
    years: Counter[int] = Counter()
    with lake.read() as connection:
        for one in lists:
            times = [
                c.name
                for c in table(f"core.{one.table}").business_columns
                if c.sql_type in ("DATE", "TIMESTAMP")
            ]
            if not times:
                continue
            moment = f"coalesce({', '.join(f'CAST({name} AS TIMESTAMP)' for name in times)})"
            for year, count in connection.execute(
                f"SELECT year({moment}), count(*) FROM core.{one.table} WHERE {moment} IS NOT NULL GROUP BY 1"
            ).fetchall():
                years[int(year)] += count
    return years.most_common(1)[0][0] if years else None


def _compute(trial: Trial, lake: Lake, city: Path, now: datetime) -> None:
    if trial.year is None:
        return
    try:
        trial.edition = preview(lake, city, Period.parse(str(trial.year)), now=now)
    except NianbaoError as error:
        trial.cells_error = error
