"""更正: what a record says, what it may be changed to, and what would change with it."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version

from tasks.city.corrections import (
    WHOLE,
    Draft,
    Entry,
    Found,
    Recorded,
    entries,
    find_record,
    find_records,
    recorded,
)
from tasks.desk.codes import codes_of
from tasks.editions.account_states import dated_by
from tasks.editions.build import Progress, compute
from tasks.editions.compare import CellDifference, compare
from tasks.editions.edition import Edition, Finding
from tasks.editions.store import EditionRow, edition_rows, load_edition
from tasks.people.office import Office
from tasks.people.persons import VIEWS, persons
from tasks.render.findings import table_label
from tasks.settings import Settings
from warehouse.errors import NianbaoError
from warehouse.form import layout_of_year
from warehouse.lake import Lake
from warehouse.numbers import number
from warehouse.reading import measures
from warehouse.tables import Column, table

EMPTY = "空(未登记)"
MOST_SHOWN = 40
"""Differences that are listed; the others are counted."""


# ---- what a record says, and what it may say


def choices_of(table_name: str, column: str, year: int | None = None) -> dict[str, str]:
    """What a column of codes may say: labels by code; empty for a column that is no list.

    Codes stand in the column's own meaning, or are what the lines of the yearly form count.
    """
    described = next((c for c in table(table_name).columns if c.name == column), None)
    found = codes_of(described) if described else {}
    if len(found) > 1:
        return dict(found)
    return _lines_of(table_name, column, year or datetime.now().year)


@lru_cache(maxsize=256)
def _lines_of(table_name: str, column: str, year: int) -> dict[str, str]:
    """The lines of the annual report that count one value of a column."""
    try:
        layout = layout_of_year(year)
    except NianbaoError:
        return {}
    of_table = {name for name, m in measures().items() if m.table == table_name}
    wanted = re.compile(rf"{re.escape(column)} = '([^']*)'")
    found: dict[str, str] = {}
    for cell in layout.cells.values():
        if cell.measure not in of_table:
            continue
        for condition in cell.conditions:
            if match := wanted.fullmatch(condition):
                found.setdefault(match[1], cell.label)
    return found


def in_words(table_name: str, column: str, value: str | None) -> str:
    """A value as people read it: what a code stands for."""
    return "空" if value is None else choices_of(table_name, column).get(value, value)


@dataclass(frozen=True)
class Value:
    """A column that can be corrected: what it says now, and what it may say where it is a list."""

    name: str
    label: str
    kind: str
    says: str | None
    choices: dict[str, str] = field(hash=False)

    @property
    def is_date(self) -> bool:
        return self.kind == "DATE"

    def told(self, value: str | None) -> str:
        """A value as it is shown."""
        if value is None:
            return EMPTY
        return self.choices.get(value, value)


@dataclass(frozen=True)
class Shown:
    """A record as the page shows it."""

    record: Found
    title: str
    organ: str
    columns: list[Value] = field(hash=False)

    def column(self, name: str) -> Value | None:
        return next((c for c in self.columns if c.name == name), None)


def shown(lake: Lake, found: Found) -> Shown:
    """A record with its columns in words, those of a list with what they may say."""
    declared = table(found.table)
    year = _year_of(found)
    columns = [
        Value(c.name, c.label, c.sql_type, found.values.get(c.name), _choices(found, c, year))
        for c in declared.business_columns
    ]
    return Shown(found, table_label(found.table), _organ(lake, found.organ_id), columns)


def _choices(found: Found, column: Column, year: int | None) -> dict[str, str]:
    return choices_of(found.table, column.name, year) if column.sql_type == "VARCHAR" else {}


def _organ(lake: Lake, organ_id: str | None) -> str:
    if organ_id is None:
        return "未标明机关"
    with lake.read() as connection:
        row = connection.execute(
            "SELECT organ_name FROM core.organ WHERE organ_id = ? ORDER BY valid_from DESC LIMIT 1",
            [organ_id],
        ).fetchone()
    return str(row[0]) if row else organ_id


def _year_of(found: Found) -> int | None:
    on = dated_by(table(found.table))
    text = found.values.get(on or "") or ""
    return int(text[:4]) if text[:4].isdigit() else None


def found_by(lake: Lake, record_id: str, table_name: str, source: str) -> list[Shown]:
    """The records of a number; of one source and table where they are named.

    Raises CorrectionRefused, NoLake.
    """
    if table_name and source and record_id:
        one = find_record(lake, full_name(table_name), source, record_id)
        return [shown(lake, one)] if one else []
    return [shown(lake, found) for found in find_records(lake, record_id)]


def full_name(name: str) -> str:
    """A core table by its short name, as it stands in an address."""
    return name if "." in name else f"core.{name}"


def said_of(draft: Draft, value: str | None) -> str:
    """A value of a correction's column in words."""
    return "整条不计" if draft.is_whole else in_words(draft.table, draft.column, value)


def label_of(draft: Draft) -> str:
    """What the column of a correction is called."""
    if draft.column == WHOLE:
        return "整条记录"
    found = (c.label for c in table(draft.table).columns if c.name == draft.column)
    return next(found, draft.column)


def reviewers(settings: Settings, but: str) -> list[str]:
    """Who may check a correction of someone's."""
    known = persons(Office(settings.home))
    return [p.name for p in known if not p.is_locked and p.role != VIEWS and p.name != but]


@dataclass(frozen=True)
class Listed:
    """A correction in the list: entered at the page, or of `corrections.yaml`."""

    draft: Draft
    entry: Entry | None
    record: Recorded | None

    @property
    def number(self) -> int | None:
        return self.entry.number if self.entry else None

    @property
    def column(self) -> str:
        return label_of(self.draft)

    @property
    def was(self) -> str:
        return said_of(self.draft, self.draft.expect)

    @property
    def becomes(self) -> str:
        return said_of(self.draft, self.draft.value)

    @property
    def state(self) -> tuple[str, str]:
        """The shape of its mark, and the word."""
        if self.record is not None and not self.record.holds:
            says = said_of(self.draft, self.record.says)
            return "turn", f"失效:来源已是“{says}”"
        if self.entry is None or self.entry.state == "reviewed":
            return "done", "有效"
        if self.entry.state == "entered":
            who = self.entry.draft.reviewer
            return "wait", f"等{who}复核" if who else "等复核"
        return "none", {"returned": "已退回", "withdrawn": "已撤下"}[self.entry.state]


def corrections_of(lake: Lake) -> list[Listed]:
    """Every correction: those that wait first, then those in force, then what is over."""
    in_force = recorded(lake)
    by_number = {r.number: r for r in in_force if r.number is not None}
    found = [Listed(e.draft, e, by_number.get(e.number)) for e in entries(lake)]
    found += [Listed(r.draft, None, r) for r in in_force if r.number is None]
    order = {"turn": 0, "wait": 1, "done": 2, "none": 3}
    return sorted(found, key=lambda one: order[one.state[0]])


# ---- what would change


@dataclass(frozen=True)
class CheckChange:
    """A check that comes out otherwise: `kind` is mended, broken, or nearer (its gap is another)."""

    kind: str
    organ: str
    text: str
    before: str
    after: str


@dataclass(frozen=True)
class Effect:
    """What a correction would change in an edition: figures of the whole city, how many of other
    organs, and checks."""

    edition_id: str
    city: list[CellDifference] = field(hash=False)
    organs: list[tuple[str, int]] = field(hash=False)
    checks: list[CheckChange] = field(hash=False)

    def count(self, kind: str) -> int:
        return sum(change.kind == kind for change in self.checks)


@dataclass
class Job:
    """A computation that goes on, or is over: then there is an effect, or why there is none."""

    key: str
    edition_id: str
    step: str = "等前一个算完"
    effect: Effect | None = None
    failed: str = ""

    @property
    def is_over(self) -> bool:
        return self.effect is not None or bool(self.failed)


class Previews:
    """What corrections would change, computed one after the other and kept for a while: it takes
    seconds at a city's size."""

    MOST = 32

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="correction")

    def begin(self, lake: Lake, row: EditionRow, draft: Draft) -> Job:
        """Begin, or find what was begun."""
        told = (row.edition_id, row.cell_hash, row.findings_hash, repr(draft.supposed))
        key = sha256("\n".join(told).encode()).hexdigest()[:24]
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.failed:
                waiting = sum(not j.is_over for j in self._jobs.values())
                job = Job(key, row.edition_id)
                if waiting >= self.MOST // 4:
                    job.failed = "已有好几个在算,请过一会儿再看"
                    return job
                self._jobs[key] = job
                self._worker.submit(self._run, job, lake, draft)
                while len(self._jobs) > self.MOST:
                    self._jobs.popitem(last=False)
        return job

    def find(self, key: str) -> Job | None:
        with self._lock:
            return self._jobs.get(key)

    def _run(self, job: Job, lake: Lake, draft: Draft) -> None:
        def progress(step: str) -> None:
            job.step = step

        try:
            progress("读版次")
            job.effect = effect_of(lake, job.edition_id, draft, progress)
        except NianbaoError as error:
            job.failed = str(error)
        except Exception as error:
            job.failed = f"程序出错({type(error).__name__}),没有算出来;不影响登记"


def effect_of(
    lake: Lake, edition_id: str, draft: Draft, progress: Progress = lambda step: None
) -> Effect:
    """What a correction would change in an edition, computed on the edition's own snapshot by its
    own definitions. Raises NoEdition, LakeError."""
    before = load_edition(lake, edition_id)
    definitions = before.definitions
    assert definitions is not None

    def computed(supposed: bool) -> Edition:
        return compute(
            lake,
            definitions,
            before.period,
            now=before.built_at,
            snapshot=before.snapshot,
            supposed=draft.supposed if supposed else None,
            progress=progress,
        )

    if before.software != version("nianbao"):
        # Another version may come to other figures by itself.
        before = computed(supposed=False)
    after = computed(supposed=True)
    changed = [d for d in compare(after, before.cells) if d.is_in_value and d.scope == "rolled_up"]
    root = after.root.id
    counts: dict[str, int] = {}
    for d in changed:
        if d.organ_id != root:
            counts[d.organ_name] = counts.get(d.organ_name, 0) + 1
    return Effect(
        edition_id,
        [d for d in changed if d.organ_id == root],
        list(counts.items()),
        _check_changes(before.findings, after.findings),
    )


def _check_changes(before: Sequence[Finding], after: Sequence[Finding]) -> list[CheckChange]:
    known = {(f.organ_id, f.key): f for f in before}
    found = []
    for finding in after:
        was = known.get((finding.organ_id, finding.key))
        told = _told(was), _told(finding)
        if was is None or told[0] == told[1]:
            continue
        kind = "nearer"
        if was.status != finding.status:
            kind = "mended" if finding.status == "pass" else "broken"
        text = re.split("[;\uff1b]", finding.message)[0]
        found.append(CheckChange(kind, finding.organ_name, f"{finding.code} {text}", *told))
    return found


def _told(finding: Finding | None) -> str:
    if finding is None or finding.status == "not_assessable":
        return "无法核对"
    if finding.status == "pass":
        return "相符"
    if finding.gap:
        return f"差 {number(finding.gap)}"
    return f"不符 {finding.record_count} 条" if finding.record_count else "不符"


def edition_for(lake: Lake, draft: Draft, wanted: str = "") -> EditionRow | None:
    """The edition on which a correction is looked at: the one that is named, else the newest of the
    year of the record, else the newest. None where there is none."""
    with lake.read() as connection:
        rows = sorted(edition_rows(connection), key=lambda r: (r.built_at, r.edition_number))
    if wanted and (named := [r for r in rows if r.edition_id == wanted]):
        return named[-1]
    found = find_record(lake, draft.table, draft.source_system, draft.record_id)
    year = _year_of(found) if found else None
    of_year = [r for r in rows if r.report_year == year]
    return next(reversed(of_year or rows), None)
