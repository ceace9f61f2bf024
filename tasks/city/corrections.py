"""Corrections that are entered at the page: one person enters, another checks, the lake keeps both.

A correction takes the place of one value of a record, or of the whole record, when figures are
built; the source stays as it is. What was entered and checked stands in `ops.correction` beside
the rows of `corrections.yaml`; every step of it, in the order in which it was done, in
`ops.correction_entry`, where rows are only added.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal

from tasks.city.register import CORRECTIONS
from warehouse.errors import EntryError
from warehouse.lake import Connection, Lake, LakeBusy, stored_rows, transaction
from warehouse.reading import Supposed
from warehouse.sql import insert_many
from warehouse.tables import Column, all_tables, table

ENTRIES = "ops.correction_entry"
WHOLE = "*"
"""The column of a correction by which the whole record does not count."""
ENTERED, REVIEWED, SENT_BACK, WITHDRAWN = "entered", "reviewed", "returned", "withdrawn"
State = Literal["entered", "reviewed", "returned", "withdrawn"]
PATIENCE = 5.0
"""Seconds that a form waits for whoever writes to the lake."""
LONGEST = 2000
"""Characters of a reason, of a remark, of whoever asked."""
LONGEST_VALUE = 4000


class CorrectionRefused(EntryError):
    """A correction cannot be entered, checked or taken down; the message says what to do."""


class WriterBusy(CorrectionRefused):
    """Something else writes to the lake, and a form does not wait for it all night."""


@dataclass(frozen=True)
class Found:
    """A record as its source says it now: values as text by column, None where there is none."""

    table: str
    source_system: str
    record_id: str
    organ_id: str | None
    values: dict[str, str | None] = field(hash=False)
    is_removed: bool = False


@dataclass(frozen=True)
class Draft:
    """What a correction should say. `expect` is what the source said when it was read, `value`
    what it should say; None is empty. `column` is `*` where the record is not to count."""

    table: str
    source_system: str
    record_id: str
    column: str
    expect: str | None
    value: str | None
    reason: str
    reported_by: str
    ground: str = ""
    reviewer: str = ""

    @property
    def is_whole(self) -> bool:
        return self.column == WHOLE

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Which value it is of."""
        return self.table, self.source_system, self.record_id, self.column

    @property
    def supposed(self) -> Supposed:
        return Supposed(*self.place, self.expect, self.value)


@dataclass(frozen=True)
class Act:
    """A step of a correction: what it became by it, by whom and when. `is_signed_in` is false for
    a name that was typed where nobody is configured."""

    state: State
    person: str
    done_at: datetime
    is_signed_in: bool
    remark: str = ""


@dataclass(frozen=True)
class Entry:
    """A correction that was entered, with its steps, the oldest first."""

    number: int
    organ_id: str | None
    draft: Draft
    acts: tuple[Act, ...]

    @property
    def state(self) -> State:
        return self.acts[-1].state

    @property
    def entered_by(self) -> str:
        return self.acts[0].person

    @property
    def reviewed_by(self) -> str:
        return next((a.person for a in self.acts if a.state == REVIEWED), "")

    @property
    def is_proved(self) -> bool:
        """Whether everyone who did something was signed in."""
        return all(act.is_signed_in for act in self.acts)


# ---- what can be corrected


def correctable(table_name: str) -> list[Column]:
    """The columns of a core table that a correction may be of. Raises CorrectionRefused."""
    return list(_pulled(table_name).business_columns)


def _pulled(table_name: str) -> Any:
    try:
        found = table(table_name)
    except KeyError:
        found = None
    if found is None or not found.is_pulled or found.layer != "core":
        raise CorrectionRefused(f"没有表 {table_name[:60]},或它的记录不能更正")
    return found


def find_records(lake: Lake, record_id: str, most: int = 20) -> list[Found]:
    """Records of that number, whatever their source and table. Raises NoLake."""
    wanted = record_id.strip()
    if not wanted:
        return []
    with lake.read() as connection:
        # A table that never held a row costs the most to ask.
        filled = stored_rows(connection)
        asked = " UNION ALL ".join(
            f"SELECT '{t.full_name}' AS table_name, source_system FROM {t.full_name} "
            "WHERE record_id = $1"
            for t in all_tables()
            if t.layer == "core" and t.is_pulled and filled.get(t.full_name, 0) is not None
        )
        places = connection.execute(
            f"SELECT table_name, source_system FROM ({asked}) ORDER BY ALL LIMIT {int(most)}",
            [wanted],
        ).fetchall()
        return [
            found
            for name, source in places
            if (found := _read(connection, name, source, wanted)) is not None
        ]


def find_record(lake: Lake, table_name: str, source_system: str, record_id: str) -> Found | None:
    """One record as its source says it now; None where there is none. Raises CorrectionRefused."""
    _pulled(table_name)
    with lake.read() as connection:
        return _read(connection, table_name, source_system, record_id)


def _read(
    connection: Connection, table_name: str, source_system: str, record_id: str
) -> Found | None:
    columns = [c.name for c in _pulled(table_name).business_columns]
    selected = ", ".join(f"CAST({name} AS VARCHAR)" for name in columns)
    row = connection.execute(
        f"SELECT removed_at IS NOT NULL, {selected} FROM {table_name} "
        "WHERE source_system = ? AND record_id = ?",
        [source_system, record_id],
    ).fetchone()
    if row is None:
        return None
    values = dict(zip(columns, row[1:], strict=True))
    return Found(table_name, source_system, record_id, values.get("organ_id"), values, bool(row[0]))


def _has_none(connection: Connection, name: str) -> bool:
    """Whether a table never held a row: then asking it costs the most."""
    return stored_rows(connection).get(name, 0) is None


# ---- the steps of a correction


def enter(lake: Lake, draft: Draft, *, by: str, is_signed_in: bool, now: datetime) -> int:
    """Keep a correction that waits for a second person; returns its number.

    Raises CorrectionRefused, WriterBusy, NoLake; nothing is kept then.
    """
    draft, by = _checked(draft, by), _person(by)
    if _same(draft.reviewer, by):
        raise CorrectionRefused("复核人不能是登记人本人:请另选一人复核")
    with _writing(lake) as write, write as connection, transaction(connection):
        found = _still_says(connection, draft)
        _refuse_second(connection, draft)
        number = _next_number(connection)
        values = _first_step(draft, found.organ_id)
        _add(connection, number, 1, Act("entered", by, now, is_signed_in), values)
    return number


def review(lake: Lake, number: int, *, by: str, is_signed_in: bool, now: datetime) -> Entry:
    """A second person agrees: from now on what is built takes the correction.

    Raises CorrectionRefused where the first would be the second, where the source says something
    else by now, or where the correction does not wait; WriterBusy.
    """
    by = _person(by)
    with _writing(lake) as write, write as connection, transaction(connection):
        entry = _waiting(connection, number)
        _refuse_same_person(entry, by)
        _still_says(connection, entry.draft)
        _refuse_second(connection, entry.draft, but=number)
        act = Act("reviewed", by, now, is_signed_in)
        _add(connection, number, len(entry.acts) + 1, act)
        d = entry.draft
        row = [
            *(*d.place, "drop" if d.is_whole else "override", d.expect, d.value, d.reason),
            *(d.reported_by, now.date(), number, d.ground or None, entry.entered_by, by),
        ]
        insert_many(connection, CORRECTIONS, [row])
    return replace(entry, acts=(*entry.acts, act))


def send_back(
    lake: Lake, number: int, *, by: str, is_signed_in: bool, remark: str, now: datetime
) -> Entry:
    """A second person does not agree, and says why. Raises CorrectionRefused, WriterBusy."""
    by, remark = _person(by), _told(remark, "退回的理由")
    with _writing(lake) as write, write as connection, transaction(connection):
        entry = _waiting(connection, number)
        _refuse_same_person(entry, by)
        act = Act("returned", by, now, is_signed_in, remark)
        _add(connection, number, len(entry.acts) + 1, act)
    return replace(entry, acts=(*entry.acts, act))


def withdraw(
    lake: Lake, number: int, *, by: str, is_signed_in: bool, remark: str, now: datetime
) -> Entry:
    """Take a correction down, be it in force or waiting; figures take the source's own word again.

    Raises CorrectionRefused, WriterBusy.
    """
    by, remark = _person(by), _told(remark, "撤下的理由")
    with _writing(lake) as write, write as connection, transaction(connection):
        entry = _entry(connection, number)
        if entry.state not in (ENTERED, REVIEWED):
            raise CorrectionRefused(f"更正第 {number} 号已经退回或撤下,不必再撤")
        act = Act("withdrawn", by, now, is_signed_in, remark)
        _add(connection, number, len(entry.acts) + 1, act)
        connection.execute(f"DELETE FROM {CORRECTIONS} WHERE correction_number = ?", [number])
    return replace(entry, acts=(*entry.acts, act))


def entries(lake: Lake) -> list[Entry]:
    """Every correction that was entered, the newest first. Raises NoLake."""
    with lake.read() as connection:
        return _entries(connection)


def entry_of(lake: Lake, number: int) -> Entry:
    """One correction. Raises CorrectionRefused where there is none."""
    with lake.read() as connection:
        return _entry(connection, number)


@dataclass(frozen=True)
class Recorded:
    """A correction that figures take now: `number` is None for one of `corrections.yaml`; `holds`
    is whether the source still says what it was made against, `says` what it says."""

    number: int | None
    draft: Draft
    decided_on: date
    entered_by: str
    reviewed_by: str
    holds: bool
    says: str | None


def recorded(lake: Lake) -> list[Recorded]:
    """The corrections in force, as figures take them. Raises NoLake."""
    with lake.read() as connection:
        if _has_none(connection, CORRECTIONS):
            return []
        rows = connection.execute(
            "SELECT table_name, source_system, record_id, column_name, expected_value, "
            "corrected_value, reason, reported_by, coalesce(ground, ''), correction_number, "
            "decided_on, coalesce(entered_by, ''), coalesce(reviewed_by, '') "
            f"FROM {CORRECTIONS} ORDER BY correction_number NULLS FIRST, "
            "table_name, source_system, record_id, column_name"
        ).fetchall()
        found = []
        for row in rows:
            draft = Draft(*row[:9])
            record = _read(connection, *draft.place[:3])
            says = record.values.get(draft.column) if record else None
            holds = record is not None and (draft.is_whole or says == draft.expect)
            found.append(Recorded(row[9], draft, row[10], row[11], row[12], holds, says))
    return found


# ---- what may be


def check(lake: Lake, draft: Draft) -> Draft:
    """A draft as it would be kept. Raises CorrectionRefused."""
    draft = _checked(draft, "")
    with lake.read() as connection:
        _still_says(connection, draft)
    return draft


def _checked(draft: Draft, by: str) -> Draft:
    columns = {column.name: column for column in correctable(draft.table)}
    if not draft.is_whole and draft.column not in columns:
        raise CorrectionRefused("请从列表中选择更正哪一项")
    value = None if draft.is_whole else draft.value
    if value is not None and len(value) > LONGEST_VALUE:
        raise CorrectionRefused(f"应改为的值太长:最多 {LONGEST_VALUE} 个字")
    draft = replace(
        draft,
        value=value,
        expect=None if draft.is_whole else draft.expect,
        reason=_told(draft.reason, "理由"),
        reported_by=_told(draft.reported_by, "谁提出的"),
        ground=_short(draft.ground, "依据"),
        reviewer=draft.reviewer.strip(),
    )
    if not draft.is_whole and draft.value == draft.expect:
        raise CorrectionRefused("应改为的值与来源现在的值相同,不用更正")
    return draft


def _told(text: str, what: str) -> str:
    if not text.strip():
        raise CorrectionRefused(f"请填写{what}")
    return _short(text, what)


def _short(text: str, what: str) -> str:
    if len(text.strip()) > LONGEST:
        raise CorrectionRefused(f"{what}太长:最多 {LONGEST} 个字")
    return text.strip()


def _person(name: str) -> str:
    if not name.strip():
        raise CorrectionRefused("请填写姓名")
    return name.strip()


def _same(one: str, other: str) -> bool:
    """Whether two names are one person's, however they were typed."""

    def plain(name: str) -> str:
        return "".join(unicodedata.normalize("NFKC", name).casefold().split())

    return plain(one) == plain(other)


def _refuse_same_person(entry: Entry, by: str) -> None:
    if _same(entry.entered_by, by):
        raise CorrectionRefused(
            f"{by}是更正第 {entry.number} 号的登记人,不能复核自己登记的更正。请由另一人复核"
        )


def _still_says(connection: Connection, draft: Draft) -> Found:
    """The record, where it says what the correction was made against, and the value fits."""
    found = _read(connection, *draft.place[:3])
    if found is None:
        raise CorrectionRefused(
            f"没有编号为“{draft.record_id[:80]}”的记录。刚登记的要等今晚取数以后"
        )
    if draft.is_whole:
        return found
    says = found.values[draft.column]
    if says != draft.expect:
        raise CorrectionRefused(
            "来源现在的值已经变了,不是登记时的值。请看过记录再填,也许不用更正了"
        )
    kind = next(c.sql_type for c in correctable(draft.table) if c.name == draft.column)
    row = connection.execute(
        f"SELECT TRY_CAST(CAST($1 AS VARCHAR) AS {kind}) IS NULL", [draft.value]
    ).fetchone()
    if draft.value is not None and (row is None or row[0]):
        written = "2020-03-05 这样的日期" if kind in ("DATE", "TIMESTAMP") else "一个数"
        raise CorrectionRefused(f"“{draft.value[:80]}”不能用:应改为的值须是{written}")
    return found


def _refuse_second(connection: Connection, draft: Draft, but: int = 0) -> None:
    """One value has one correction, be it in force or waiting."""
    row = connection.execute(
        f"SELECT correction_number FROM {CORRECTIONS} WHERE table_name = ? AND source_system = ? "
        "AND record_id = ? AND column_name = ?",
        list(draft.place),
    ).fetchone()
    if row is not None:
        where = "corrections.yaml" if row[0] is None else f"更正第 {row[0]} 号"
        raise CorrectionRefused(f"这个值已有更正({where})。要改,请先撤下那一条")
    waiting = [e for e in _entries(connection) if e.state == ENTERED and e.number != but]
    for entry in waiting:
        if entry.draft.place == draft.place:
            raise CorrectionRefused(
                f"这个值已有更正第 {entry.number} 号({entry.entered_by}登记),在等复核"
            )


# ---- rows


class _writing:
    """Writing to the lake after a short wait only. Raises WriterBusy."""

    def __init__(self, lake: Lake) -> None:
        self._lake = replace(lake, write_timeout=min(lake.write_timeout, PATIENCE))

    def __enter__(self) -> Any:
        if not self._lake.exists():
            raise CorrectionRefused("还没有数据。请先取一次数")
        return self._lake.write()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, LakeBusy):
            raise WriterBusy(
                "现在有别的运行在写入数据(如夜间取数),还没有办成。填写的内容都留在这页上,"
                "请过几分钟再提交;等得久的,请在运行台看是哪一个运行"
            ) from error


_STEP = (
    *("correction_number", "step_number", "state", "done_by", "done_at", "is_signed_in"),
    "remark",
)
_CONTENT = (
    *("table_name", "source_system", "record_id", "organ_id", "column_name", "action"),
    *("expected_value", "corrected_value", "reason", "reported_by", "ground", "reviewer"),
)


def _first_step(d: Draft, organ_id: str | None) -> list[Any]:
    return [
        *(d.table, d.source_system, d.record_id, organ_id, d.column),
        *("drop" if d.is_whole else "override", d.expect, d.value),
        *(d.reason, d.reported_by, d.ground, d.reviewer),
    ]


def _add(
    connection: Connection, number: int, step: int, act: Act, values: Sequence[Any] = ()
) -> None:
    row = [number, step, act.state, act.person, act.done_at, act.is_signed_in, act.remark or None]
    content = [*values] or [None] * len(_CONTENT)
    insert_many(connection, ENTRIES, [[*row, *content]], [*_STEP, *_CONTENT])


def _next_number(connection: Connection) -> int:
    row = connection.execute(f"SELECT max(correction_number) FROM {ENTRIES}").fetchone()
    return int(row[0] or 0) + 1 if row else 1


def _entries(connection: Connection) -> list[Entry]:
    if _has_none(connection, ENTRIES):
        return []
    rows = connection.execute(
        f"SELECT {', '.join((*_STEP, *_CONTENT))} FROM {ENTRIES} "
        "ORDER BY correction_number DESC, step_number"
    ).fetchall()
    found: dict[int, Entry] = {}
    for number, step, state, person, done_at, is_signed_in, remark, *content in rows:
        act = Act(state, person, done_at, is_signed_in, remark or "")
        if step > 1:
            found[number] = replace(found[number], acts=(*found[number].acts, act))
            continue
        name, source, record, organ, column, _, expect, value, *told = content
        draft = Draft(name, source, record, column, expect, value, *(t or "" for t in told))
        found[number] = Entry(number, organ, draft, (act,))
    return list(found.values())


def _entry(connection: Connection, number: int) -> Entry:
    for entry in _entries(connection):
        if entry.number == number:
            return entry
    raise CorrectionRefused(f"没有更正第 {number} 号")


def _waiting(connection: Connection, number: int) -> Entry:
    entry = _entry(connection, number)
    if entry.state != ENTERED:
        last = entry.acts[-1]
        raise CorrectionRefused(
            f"更正第 {number} 号不在等复核:{last.person} {last.done_at:%Y-%m-%d %H:%M} 已处理"
        )
    return entry
