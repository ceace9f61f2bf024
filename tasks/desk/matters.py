"""核对问题: what keeps an edition from being published, by record; who must act, and what was done.

A matter is a record that keeps something from adding up, with all the checks it stands behind, or
a rule at an organ where a finding names no record. Its trail belongs to the period: an answer that
was written for one edition stands in the next.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from tasks.check import corrected_tables
from tasks.city.corrections import ENTERED, REVIEWED, WITHDRAWN, Entry, entries
from tasks.desk.correcting import in_words
from tasks.desk.pinned import check_counts, without_figures
from tasks.editions.edition import Edition, Finding, RecordReference
from tasks.editions.store import EditionRow, NoEdition, find_row, with_all_records
from tasks.people import trail as kept
from tasks.people.office import Office
from tasks.people.trail import Step
from tasks.render.findings import RecordToFix, by_who_must_act, identity, table_label, what_to_do
from tasks.settings import Settings
from warehouse.errors import EntryError
from warehouse.lake import Connection, Lake, NoLake, current_snapshot, stored_columns
from warehouse.tables import TECHNICAL_COLUMNS, table

Mark = Literal["done", "turn", "wait", "none"]
MOST_OF_A_CHECK = 400
LONG_NUMBER = 24


class MatterRefused(EntryError):
    """What was asked about a matter cannot be done; the message says what to do."""


@dataclass(frozen=True)
class Told:
    """A line of a trail: when, and what was done by whom."""

    at: datetime
    text: str


@dataclass(frozen=True)
class State:
    """Where a matter stands: the shape of its mark and the word; `is_settled` says that nothing
    more need be done about it before the edition goes to be approved."""

    mark: Mark
    word: str
    is_settled: bool = False


@dataclass(frozen=True)
class Seen:
    """What the lake says now of a record behind a finding, beside what it said when the edition
    was built: columns that the source changed (then, now), whether it is still wrong by the rules
    of its table (None where none of them is about it), whether it is gone."""

    changed: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    is_wrong: bool | None = None
    is_gone: bool = False


@dataclass
class Matter:
    """A record, or a rule at an organ, with what is wrong and what was done about it."""

    key: str
    organ_id: str
    organ_name: str
    blocks: bool
    detail: str
    remedy: str
    codes: list[str]
    checks: list[str]
    findings: list[Finding]
    record: RecordReference | None = None
    steps: list[Step] = field(default_factory=list)
    corrections: list[Entry] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)

    @property
    def ref(self) -> str:
        """As it is called in an address of the page."""
        return f"m{sha256(self.key.encode()).hexdigest()[:10]}"

    @property
    def name(self) -> str:
        return self.record.record_id if self.record else "、".join(self.codes)

    @property
    def label(self) -> str:
        """The record's number, or what it is where that is long."""
        return self.name if len(self.name) < LONG_NUMBER else self.title

    @property
    def title(self) -> str:
        """What kind of record it is."""
        return table_label(self.record.table) if self.record else "没有指明记录"

    @property
    def last(self) -> int:
        """The number of the newest step: what whoever acts must have seen."""
        return max((step.number for step in self.steps), default=0)

    @property
    def column(self) -> str:
        """The column that is empty though a rule wants it, where just one is."""
        labels = re.search("缺少[:\uff1a]([^;\uff1b,，。]+)", self.detail)
        if self.record is None or labels is None:
            return ""
        columns = table(self.record.table).business_columns
        return next((c.name for c in columns if c.label == labels[1].strip()), "")

    @property
    def changes(self) -> list[str]:
        """What the source changed since, in words."""
        if self.record is None:
            return []
        labels = {c.name: c.label for c in table(self.record.table).columns}
        name = self.record.table
        return [
            f"{labels[column]} {in_words(name, column, was)} → {in_words(name, column, is_)}"
            for column, (was, is_) in self.seen.changed.items()
        ]

    @property
    def answer(self) -> Step | None:
        """The answer with which it goes to be approved, if one was written and not taken back."""
        step = kept.last_of(self.steps, kept.ANSWERED, kept.TAKEN_BACK)
        return step if step and step.act == kept.ANSWERED else None

    @property
    def letter(self) -> Step | None:
        return kept.last_of(self.steps, kept.SENT)

    @property
    def correction(self) -> Entry | None:
        """The newest correction of the record that waits or is in force."""
        return next((e for e in self.corrections if e.state in (ENTERED, REVIEWED)), None)

    @property
    def state(self) -> State:
        return _state(self)

    @property
    def trail(self) -> list[Told]:
        """All that happened, the oldest first."""
        found = [Told(step.done_at, _step_told(step, self.organ_name)) for step in self.steps]
        for entry in self.corrections:
            found += [Told(act.done_at, _act_told(entry, act.state)) for act in entry.acts]
        return sorted(found, key=lambda told: told.at)


def _state(matter: Matter) -> State:
    correction, seen = matter.correction, matter.seen
    if correction is not None and correction.state == ENTERED:
        who = correction.draft.reviewer
        return State("wait", f"等{who}复核更正" if who else "等复核更正")
    if seen.is_gone:
        return State("done", "来源已撤回", is_settled=True)
    if correction is not None and seen.is_wrong is not True:
        return State("done", "已由更正改正", is_settled=True)
    if seen.changed and seen.is_wrong is not True:
        return State("done", "来源已改正", is_settled=True)
    if matter.answer is not None:
        return State("done", "已答复", is_settled=True)
    last = kept.last_of(matter.steps, kept.SENT, kept.URGED, kept.REPLIED)
    if last is not None and last.act != kept.REPLIED:
        return State("wait", "等机关改正")
    return State("turn", "等您处理") if matter.blocks else State("none", "未处理")


def _step_told(step: Step, organ: str) -> str:
    due = f",约定 {step.due_on.month} 月 {step.due_on.day} 日前" if step.due_on else ""
    number = f"(转交单 {step.letter})" if step.letter else ""
    told = {
        kept.SENT: f"{step.person}转交{organ}{due}{number}",
        kept.URGED: f"{step.person}催办{due}" + (f":{step.said}" if step.said else ""),
        kept.REPLIED: f"{organ}回复:{step.said}({step.person}记)",
        kept.ANSWERED: f"{step.person}写答复:{step.said}",
        kept.TAKEN_BACK: f"{step.person}撤回答复" + (f":{step.said}" if step.said else ""),
    }
    return told.get(step.act, f"{step.person}{step.act}")


def _act_told(entry: Entry, state: str) -> str:
    act = next(a for a in entry.acts if a.state == state)
    unproved = "" if act.is_signed_in else "(未登录)"
    who = f"{act.person}{unproved}"
    if state == ENTERED:
        return f"{who}登记更正第 {entry.number} 号:{change_told(entry)}"
    if state == REVIEWED:
        return f"{who}复核更正第 {entry.number} 号,同意"
    done = "撤下" if state == WITHDRAWN else "退回"
    return f"{who}{done}更正第 {entry.number} 号:{act.remark}"


def change_told(entry: Entry) -> str:
    """What a correction changes, in a few words."""
    draft = entry.draft
    if draft.is_whole:
        return "整条不计"
    label = next((c.label for c in table(draft.table).columns if c.name == draft.column), "")
    was, becomes = (in_words(draft.table, draft.column, v) for v in (draft.expect, draft.value))
    return f"{label} {was} → {becomes}"


# ---- the matters of an edition


@dataclass(frozen=True)
class Matters:
    """What the page shows of an edition. `steps` are those of the edition itself: handed over,
    returned; `all_checks` counts the checks where none is open."""

    edition: Edition
    row: EditionRow
    blocking: list[Matter]
    others: list[Matter]
    steps: list[Step]
    all_checks: int = 0

    @property
    def all(self) -> list[Matter]:
        return [*self.blocking, *self.others]

    @property
    def settled(self) -> list[Matter]:
        return [m for m in self.blocking if m.state.is_settled]

    @property
    def waiting(self) -> list[Matter]:
        return [m for m in self.blocking if m.state.mark == "wait"]

    @property
    def turns(self) -> list[Matter]:
        return [m for m in self.blocking if m.state.mark == "turn"]

    @property
    def mended(self) -> list[Matter]:
        """Those that only another build takes in."""
        return [m for m in self.settled if m.answer is None]

    @property
    def records(self) -> int:
        return sum(m.record is not None for m in self.blocking)

    @property
    def checks(self) -> int:
        """How many checks block."""
        return len(self.edition.blocking_findings)

    @property
    def handed_over(self) -> Step | None:
        """By whom and when it was handed over to be approved, if it was not returned since."""
        step = kept.last_of(self.steps, kept.HANDED_OVER, kept.RETURNED)
        return step if step and step.act == kept.HANDED_OVER else None

    @property
    def returned(self) -> Step | None:
        """Why the approver gave it back, if that was last."""
        step = kept.last_of(self.steps, kept.HANDED_OVER, kept.RETURNED)
        return step if step and step.act == kept.RETURNED else None

    @property
    def may_act(self) -> bool:
        """Whether anything can still be done: an edition that is published or replaced is read."""
        return self.row.is_pending

    def of(self, key: str) -> Matter:
        """Raises MatterRefused for one that this edition does not have."""
        for matter in self.all:
            if key in (matter.key, matter.ref):
                return matter
        raise MatterRefused("这一版次没有这一条核对问题。请刷新页面后再看")

    def of_organ(self, organ_id: str) -> list[Matter]:
        return [m for m in self.all if m.organ_id == organ_id]

    @property
    def by_organ(self) -> list[tuple[str, str, int, int]]:
        """(organ id, name, how many block, how many do not), the most blocking first."""
        names: dict[str, str] = {}
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for matter in self.all:
            names[matter.organ_id] = matter.organ_name
            counts[matter.organ_id][0 if matter.blocks else 1] += 1
        found = [(o, names[o], counts[o][0], counts[o][1]) for o in names]
        return sorted(found, key=lambda one: (-one[2], -one[3], one[0]))


def matters_of(lake: Lake, settings: Settings, edition_id: str) -> Matters:
    """The matters of an edition with their trails, those of whoever looks first.

    Raises NoEdition, OfficeError, LakeError.
    """
    with lake.read() as connection:
        row = find_row(connection, edition_id)
        snapshot = current_snapshot(connection)
    if row is None:
        raise NoEdition(f"没有版次“{edition_id[:40]}”。可以从“版次”中查找")
    edition = _edition(lake, lake.catalog.identity(), row)
    found = _bare_matters(edition)
    steps: dict[str, list[Step]] = defaultdict(list)
    of_period = kept.steps_of(Office(settings.home), edition.form.key, edition.period.key)
    for step in of_period:
        steps[step.matter].append(step)
    state = (snapshot, lake.catalog.identity())
    corrections = _corrections(lake, state)
    seen = _look(lake, state, row) if row.is_pending else {}
    for matter in found:
        matter.steps = steps.get(matter.key, [])
        if matter.record is not None:
            matter.corrections = corrections.get(identity(matter.record), [])
            matter.seen = seen.get(identity(matter.record), Seen())
    order = {"turn": 0, "wait": 1, "none": 2, "done": 3}
    found.sort(key=lambda m: order[m.state.mark])
    return Matters(
        edition,
        row,
        [m for m in found if m.blocks],
        [m for m in found if not m.blocks],
        steps.get(edition_matter(edition_id), []),
        sum(check_counts(lake, row).values()) if not found else 0,
    )


def edition_matter(edition_id: str) -> str:
    """The matter under which an edition's own steps are kept."""
    return f"edition/{edition_id}"


@lru_cache(maxsize=16)
def _edition(lake: Lake, _identity: object, row: EditionRow) -> Edition:
    """An edition with whatever check did not pass, and every record behind it."""
    return with_all_records(lake, without_figures(lake, row))


def _bare_matters(edition: Edition) -> list[Matter]:
    found: list[Matter] = []
    for work in by_who_must_act(edition):
        found += [
            _of_record(edition, work.organ_id, work.organ_name, item) for item in work.records
        ]
        by_code: dict[str, list[Finding]] = defaultdict(list)
        for finding in work.findings:
            by_code[finding.code].append(finding)
        found += [
            Matter(
                key=f"rule/{code}/{work.organ_id}",
                organ_id=work.organ_id,
                organ_name=work.organ_name,
                blocks=any(f.blocks for f in of),
                detail=";".join(dict.fromkeys(f.message for f in of)),
                remedy=what_to_do(edition, code),
                codes=[code],
                checks=[f"{f.organ_name}:{f.message[:MOST_OF_A_CHECK]}" for f in of],
                findings=of,
            )
            for code, of in by_code.items()
        ]
    return found


def _of_record(edition: Edition, organ_id: str, organ: str, item: RecordToFix) -> Matter:
    remedies = (what_to_do(edition, code) for code in item.codes)
    return Matter(
        key=record_key(item.record),
        organ_id=organ_id,
        organ_name=organ,
        blocks=item.severity == "block",
        detail=item.detail,
        remedy=next(filter(None, remedies), ""),
        codes=item.codes,
        checks=[f"{code_of} {text}" for code_of, text in _told_checks(edition, item)],
        findings=list(item.findings),
        record=item.record,
    )


def _told_checks(edition: Edition, item: RecordToFix) -> Iterable[tuple[str, str]]:
    for finding in item.findings:
        alone = RecordToFix(item.record, [finding])
        yield from ((finding.code, text) for text in alone.messages(edition))


def record_key(record: RecordReference) -> str:
    """The matter of a record, whichever edition names it."""
    return "/".join(identity(record))


@lru_cache(maxsize=8)
def _corrections(lake: Lake, _state: object) -> dict[tuple[str, str, str], list[Entry]]:
    found: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries(lake):
        d = entry.draft
        found[(d.table, d.source_system, d.record_id)].append(entry)
    return found


# ---- what the sources say by now


@lru_cache(maxsize=32)
def _look(lake: Lake, _state: object, row: EditionRow) -> Mapping[tuple[str, str, str], Seen]:
    """What became of the records behind an edition's open findings, as of the newest snapshot."""
    edition = _edition(lake, lake.catalog.identity(), row)
    by_table: dict[str, list[RecordReference]] = defaultdict(list)
    for work in by_who_must_act(edition):
        for item in work.records:
            by_table[item.record.table].append(item.record)
    found: dict[tuple[str, str, str], Seen] = {}
    try:
        with lake.read(row.lake_snapshot) as connection:
            before = {name: _rows(connection, name, of) for name, of in by_table.items()}
        with lake.read() as connection:
            after = {name: _rows(connection, name, of) for name, of in by_table.items()}
            wrong = _still_wrong(connection, edition, by_table)
    except NoLake:
        return {}
    for name, of in by_table.items():
        for record in of:
            key = (record.source_system, record.record_id)
            was, is_ = before[name].get(key, {}), after[name].get(key, {})
            changed = {c: (was.get(c), is_[c]) for c in is_ if was and was.get(c) != is_[c]}
            is_gone = bool(was) and (not is_ or changed.pop("removed_at", (None, None))[1])
            changed.pop("removed_at", None)
            found[(name, *key)] = Seen(changed, wrong.get((name, *key)), bool(is_gone))
    return found


def _rows(
    connection: Connection, name: str, records: Sequence[RecordReference]
) -> dict[tuple[str, str], dict[str, str | None]]:
    """The business columns of some records, and whether they are gone."""
    stored = stored_columns(connection).get(name, frozenset())
    technical = set(TECHNICAL_COLUMNS) - {"removed_at"}
    columns = [c.name for c in table(name).columns if c.name in stored - technical]
    if not columns:
        return {}
    selected = ", ".join(f"CAST({c} AS VARCHAR)" for c in columns)
    rows = connection.execute(
        f"SELECT source_system, record_id, {selected} FROM {name} "
        "WHERE record_id IN (SELECT unnest($1))",
        [[record.record_id for record in records]],
    ).fetchall()
    return {(row[0], row[1]): dict(zip(columns, row[2:], strict=True)) for row in rows}


def _still_wrong(
    connection: Connection, edition: Edition, by_table: Mapping[str, Sequence[RecordReference]]
) -> dict[tuple[str, str, str], bool]:
    """By record, whether a rule of its table that it broke is broken still, corrections taken."""
    relations = corrected_tables(connection)
    codes = {f.code for f in edition.open_findings}
    broke: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for finding in edition.open_findings:
        broke[finding.code] |= {identity(r) for r in finding.records}
    found: dict[tuple[str, str, str], bool] = {}
    for rule in edition.rules.core:
        if rule.code not in codes or rule.table not in by_table:
            continue
        sql = rule.bad_rows_sql(edition.data_as_of.date(), relations)
        ids = [record_id for _, _, record_id in broke[rule.code]]
        bad = {
            (rule.table, source, record_id)
            for source, record_id in connection.execute(
                f"SELECT source_system, record_id FROM ({sql}) "
                "WHERE record_id IN (SELECT unnest($1))",
                [ids],
            ).fetchall()
        }
        for key in broke[rule.code]:
            found[key] = found.get(key, False) or key in bad
    return found
