"""What 今天 and 数据 are made of: everything that the lake says of a day, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from tasks.city.corrections import Entry, entries
from tasks.city.names import Names
from tasks.clock import now as clock_now
from tasks.desk.city import names_of
from tasks.desk.completeness import YearOfRecords, year_of_records
from tasks.desk.kept import kept, one_look
from tasks.desk.reports import (
    NOTHING_DONE,
    EditionState,
    Stage,
    edition_states,
    newest_of,
    stage_of,
    year_at_work,
)
from tasks.desk.settling import Settling, settling_of
from tasks.desk.sources import Failure, SystemState, failures, systems
from tasks.desk.workbooks import Workbooks, workbooks_of
from tasks.settings import Settings
from tasks.watch.deadlines import Deadlines, find_deadlines
from tasks.watch.runs import PastRun, past_runs
from tasks.watch.status import ResourceStatus, read_status
from warehouse.form import ANNUAL_REPORT
from warehouse.lake import Lake

RUNS_SEEN = 30
"""How many runs are looked back to tell how many nights a source has failed."""


@dataclass(frozen=True)
class Seen:
    """The lake on a day: `year` is the report year that the office works on, `edition` its newest
    edition, `records` whether its records are all there."""

    now: datetime
    names: Names
    resources: tuple[ResourceStatus, ...]
    runs: tuple[PastRun, ...]
    failures: tuple[Failure, ...]
    systems: tuple[SystemState, ...]
    workbooks: tuple[Workbooks, ...]
    editions: tuple[EditionState, ...]
    deadlines: Deadlines
    year: int
    edition: EditionState | None
    work: Mapping[str, Settling]
    records: YearOfRecords
    corrections: tuple[Entry, ...]

    @property
    def stage(self) -> Stage:
        """What the report of the year at work waits for."""
        return stage_of(self.edition, self.settling(self.edition))

    def settling(self, edition: EditionState | None) -> Settling:
        """How far the records of an edition are settled."""
        return self.work.get(edition.id, NOTHING_DONE) if edition else NOTHING_DONE

    @property
    def today(self) -> date:
        return self.now.date()

    @property
    def last_night(self) -> PastRun | None:
        """The newest run by night that is over."""
        return next((run for run in self.runs if run.flow == "nightly"), None)

    @property
    def rejects(self) -> int:
        return sum(r.open_rejects for r in self.resources)

    @property
    def is_stale(self) -> bool:
        """Whether nothing was pulled for longer than it may be: no run by night took place."""
        lists = [one for system in self.systems for one in system.lists]
        return bool(lists) and all(one.is_stale for one in lists)


def see(settings: Settings, *, now: datetime) -> Seen:
    """The lake of an installation as it is now. Raises NoLake and other NianbaoError."""
    lake, city, today = settings.lake(), settings.city, now.date()
    with one_look(lake):
        resources, runs = current_resources(lake), newest_runs(lake)
        names = names_of(city)
        failed = failures(runs, resources, names)
        editions = edition_states(lake, city)
        last_year = year_of_records(lake, city, ANNUAL_REPORT, today.year - 1, resources, now=now)
        year = year_at_work(editions, ANNUAL_REPORT, today.year - 1, last_year.records)
        records = (
            last_year
            if year == last_year.year
            else year_of_records(lake, city, ANNUAL_REPORT, year, resources, now=now)
        )
        # What is due this month is asked for by year: the months of a year that goes on, too.
        workbooks = tuple(
            w
            for one in dict.fromkeys((year, today.year))
            for w in workbooks_of(lake, city, one, today)
        )
        return Seen(
            now=now,
            names=names,
            resources=resources,
            runs=runs,
            failures=tuple(failed),
            systems=tuple(
                systems(
                    city,
                    resources,
                    failed,
                    missing_of(workbooks),
                    now=now,
                    stale_after=timedelta(hours=settings.lag_hours),
                )
            ),
            workbooks=workbooks,
            editions=editions,
            deadlines=deadlines_of(lake, today, city),
            year=year,
            edition=newest_of(editions, ANNUAL_REPORT, year),
            work={
                e.id: settling_of(lake, settings, e.id)
                for e in editions
                if e.row.is_pending and not e.is_trial
            },
            records=records,
            corrections=corrections_entered(lake),
        )


def missing_of(workbooks: tuple[Workbooks, ...]) -> Mapping[tuple[str, str], int]:
    """How many workbooks are missing, by source and resource."""
    found: dict[tuple[str, str], int] = {}
    for one in workbooks:
        key = (one.source, one.resource)
        found[key] = found.get(key, 0) + len(one.missing)
    return found


@kept
def current_resources(lake: Lake) -> tuple[ResourceStatus, ...]:
    """Every resource that was ever loaded; their `age` is of the moment they were read."""
    return tuple(read_status(lake, now=clock_now()))


@kept
def corrections_entered(lake: Lake) -> tuple[Entry, ...]:
    """The corrections that were entered at the page, with what became of them."""
    return tuple(entries(lake))


@kept
def newest_runs(lake: Lake) -> tuple[PastRun, ...]:
    return tuple(past_runs(lake, most=RUNS_SEEN))


@kept
def deadlines_of(lake: Lake, on: date, city: Path) -> Deadlines:
    """What is due on a day; see `find_deadlines`."""
    return find_deadlines(lake, on, city=city)
