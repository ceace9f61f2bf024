"""数据: where each record of a source went, what was rejected, and what the runs brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tasks.city.names import Names
from tasks.desk.codes import label_of
from tasks.desk.duties import in_words, listed
from tasks.desk.kept import kept
from tasks.desk.reports import EditionState
from tasks.desk.seen import Seen, current_resources
from tasks.desk.sources import State, list_title, table_title
from tasks.desk.today import chinese
from tasks.editions.account import NOT_COUNTED, STATES, AccountRecord, Equation, Line
from tasks.editions.account_view import records_of
from tasks.editions.edition import CellValue, Edition
from tasks.editions.store import load_edition
from tasks.load.reasons import REASONS
from tasks.load.rejects import Reject, list_rejects
from tasks.watch.runs import PastRun
from warehouse.errors import EntryError
from warehouse.lake import Lake
from warehouse.tables import table as table_named

REJECTS_A_PAGE = 20
RECORDS_A_PAGE = 50
MOST_RECORDS = 5000
"""Records behind a number of the account that the page lists; the command line has them all."""
MOST_FOUND = 60
"""Characters of a rejected value that are shown."""
_REMEDIES = {
    "unknown_code": "请来源单位改成约定的写法；写法没有错的，请管理员在来源文件里认下它，再试",
    "wrong_type": "请来源单位改正写法；写法没有错的，请管理员改来源文件里的类型或写法，再试",
    "missing_required": "请来源单位补填；补填以后下次取数自动再读",
    "missing_key": "请来源单位补上编号；补上以后下次取数自动再读",
    "not_scalar": "请管理员核对来源文件里这一项的路径，再试",
    "imprecise_key": "请来源单位把编号作为文字给出，再从来源重取",
    "conflicting_key": "同一编号有两种内容，请来源单位说明以哪一条为准",
}


def sentence(seen: Seen) -> str:
    """The heading: what of the data needs somebody."""
    count = sum(bool(system.lists) for system in seen.systems)
    parts = []
    if seen.failures:
        failed = seen.failures[0]
        until = f"，停在 {in_words(failed.until.date(), seen.today)}" if failed.until else ""
        names = listed([f.title for f in seen.failures], 2)
        parts.append(f"{chinese(count)}个来源中，{names}没有取到{until}")
    elif seen.is_stale:
        parts.append("没有按时取数，各个来源的数据都旧了")
    else:
        parts.append(f"{chinese(count)}个来源全部取到")
    rejected = [s.title for s in seen.systems if any(one.status.open_rejects for one in s.lists)]
    if rejected:
        parts.append(f"{listed(rejected, 2)}有 {seen.rejects:,} 条退回")
    elif not seen.failures and not seen.is_stale:
        parts.append("没有退回的记录")
    missing = sum(len(w.missing) for w in seen.workbooks)
    if missing:
        parts.append(f"月报表缺 {missing} 份")
    return "；".join(parts) + "。"


# ---- the account of records


@dataclass(frozen=True)
class Entry:
    """A number of the account: what it is called, and the state that its records have; empty for
    one whose records have none of their own."""

    label: str
    number: int | None
    state: str = ""
    is_sum: bool = False


@dataclass(frozen=True)
class Sheet:
    """The account of one list of one source: what there is, and where each record of it went."""

    source: str
    resource: str
    table: str
    title: str
    source_title: str
    there: tuple[Entry, ...]
    went: tuple[Entry, ...]
    gaps: tuple[Equation, ...]

    @property
    def is_balanced(self) -> bool:
        return not self.gaps


@dataclass(frozen=True)
class Account:
    """The accounts of the lists that fill one core table, as an edition keeps them. `tables` are
    all of which it has one, with their titles."""

    edition_id: str
    period: str
    table: str
    title: str
    tables: tuple[tuple[str, str], ...]
    sheets: tuple[Sheet, ...]

    @property
    def is_balanced(self) -> bool:
        return all(sheet.is_balanced for sheet in self.sheets)


def account(lake: Lake, state: EditionState, names: Names, table: str) -> Account:
    """What an edition keeps of a core table's records; of its first table where it has none of
    that name. Raises NoEdition, NoLake."""
    edition = edition_without_figures(lake, state.id, state.row.cell_hash)
    tables = tuple(dict.fromkeys(line.table for line in edition.account))
    # Tables in which something is counted come first: of the others nothing is asked.
    counted = {line.table for line in edition.account if line.counted}
    order = sorted(tables, key=lambda t: (t not in counted, t != "application", tables.index(t)))
    chosen = table if table in tables else order[0] if order else ""
    return Account(
        edition_id=edition.id,
        period=edition.period.label,
        table=chosen,
        title=table_title(chosen),
        tables=tuple((name, table_title(name)) for name in order),
        sheets=tuple(
            _sheet(line, names, edition.period.label, _title_of(lake, names, line))
            for line in edition.account
            if line.table == chosen
        ),
    )


@lru_cache(maxsize=8)
def edition_without_figures(lake: Lake, edition_id: str, _cell_hash: str) -> Edition:
    """An edition without its figures: built again under its id, it has another fingerprint."""
    return load_edition(lake, edition_id, with_figures=False)


@lru_cache(maxsize=4)
def root_figures(lake: Lake, edition_id: str, cell_hash: str) -> Mapping[str, CellValue]:
    """The figures of the whole city in an edition."""
    root = edition_without_figures(lake, edition_id, cell_hash).root.id
    return load_edition(lake, edition_id, organ_id=root).figures()


def _sheet(line: Line, names: Names, period: str, title: str) -> Sheet:
    there = [
        Entry("来源说有", line.served),
        Entry("来源已撤回，本库留底", line.withdrawn, "withdrawn"),
        Entry("完整清单中不再出现", line.unseen, "unseen"),
        Entry("在库", line.loaded, is_sum=True),
    ]
    went = [
        Entry(f"计入 {period}", line.counted, "counted"),
        *(
            Entry(f"没有计入：{label}", line.not_counted.get(name, 0), name)
            for name, label in NOT_COUNTED.items()
        ),
        Entry("没有计入：规则认为有误，改正前隔离", line.set_aside, "set_aside"),
        Entry("没有计入：已撤回", line.withdrawn, "withdrawn"),
        Entry("没有计入：不再出现", line.unseen, "unseen"),
        Entry("合计", line.loaded, is_sum=True),
        Entry("退回，没有入库", line.rejected, "rejected"),
    ]
    return Sheet(
        source=line.source,
        resource=line.resource,
        table=line.table,
        title=title,
        source_title=names.source(line.source),
        there=tuple(e for e in there if e.number or e.is_sum or e.label == "来源说有"),
        went=tuple(e for e in went if e.number or e.is_sum or e.state in ("counted", "rejected")),
        gaps=tuple(equation for equation in line.equations() if equation.gap),
    )


def _title_of(lake: Lake, names: Names, line: Line) -> str:
    """A list by its resource's name; one within another resource by its table's."""
    own = {(r.source_system, r.resource): r.table for r in current_resources(lake)}
    if own.get((line.source, line.resource)) == line.table:
        told = list_title(names, line.source, line.resource)
        return told if told != line.resource else table_title(line.table)
    return table_title(line.table)


@dataclass(frozen=True)
class Behind:
    """The records behind a number of the account."""

    edition_id: str
    title: str
    state: str
    word: str
    source: str
    resource: str
    table: str
    count: int
    is_cut: bool
    records: tuple[AccountRecord, ...]


def behind(
    lake: Lake,
    city: Path,
    state: EditionState,
    names: Names,
    *,
    source: str,
    resource: str,
    table: str,
    fate: str,
    page: int,
) -> Behind:
    """One page of the records behind a number of an edition's account.

    Raises EntryError for what the account does not have, NoEdition, NoLake.
    """
    edition = edition_without_figures(lake, state.id, state.row.cell_hash)
    line = next(
        (
            one
            for one in edition.account
            if (one.source, one.resource, one.table) == (source, resource, table)
        ),
        None,
    )
    if line is None or fate not in STATES:
        raise EntryError("账目里没有这一项。请从数据页的“记录去向”打开")
    found = _all_behind(lake, city, state.id, state.row.cell_hash, source, resource, table, fate)
    first = (page - 1) * RECORDS_A_PAGE
    return Behind(
        edition_id=state.id,
        title=f"{names.source(source)}·{_title_of(lake, names, line)}",
        state=fate,
        word=STATES[fate],
        source=source,
        resource=resource,
        table=table,
        count=min(len(found), MOST_RECORDS),
        is_cut=len(found) > MOST_RECORDS,
        records=found[:MOST_RECORDS][first : first + RECORDS_A_PAGE],
    )


@lru_cache(maxsize=16)
def _all_behind(
    lake: Lake,
    city: Path,
    edition_id: str,
    cell_hash: str,
    source: str,
    resource: str,
    table: str,
    fate: str,
) -> tuple[AccountRecord, ...]:
    """The first records of a state in one list, as at the edition's own snapshot."""
    edition = edition_without_figures(lake, edition_id, cell_hash)
    return tuple(
        record
        for record in records_of(
            lake,
            city,
            edition.period,
            [fate],
            source=source,
            resource=resource,
            tables=[table_named(f"core.{table}")],
            edition_id=edition_id,
            limit=MOST_RECORDS + 1,
        )
        if record.table == table
    )


# ---- rejects


@dataclass(frozen=True)
class RejectShown:
    """A rejected record as the page shows it."""

    record_id: str
    list_title: str
    source_title: str
    field: str
    reason: str
    found: str
    expected: str
    origin: str
    remedy: str


@kept
def rejects_page(lake: Lake, page: int) -> tuple[Reject, ...]:
    """Open rejects, a page of them, the newest first."""
    offset = (page - 1) * REJECTS_A_PAGE
    return tuple(list_rejects(lake, limit=REJECTS_A_PAGE, offset=offset))


@kept
def count_of_rejects(lake: Lake) -> int:
    """All open rejects: reasons, of which a record may have more than one."""
    with lake.read() as connection:
        row = connection.execute(
            "SELECT count(*) FROM ops.reject WHERE reject_status = 'open'"
        ).fetchone()
    return int(row[0]) if row else 0


def reject_shown(reject: Reject, names: Names) -> RejectShown:
    """A reject in words: the field as the table calls it, what was read, what to do."""
    found = reject.found if reject.found not in (None, "") else None
    return RejectShown(
        record_id=reject.record_id or "没有编号",
        list_title=table_title(reject.table),
        source_title=names.source(reject.source),
        field=column_label(reject.table, reject.field),
        reason=REASONS.get(reject.reason, reject.reason),
        found="空"
        if found is None
        else f"“{found[:MOST_FOUND]}{'…' if len(found) > MOST_FOUND else ''}”",
        expected=(reject.expected or "")[: 2 * MOST_FOUND],
        origin=place(reject.origin),
        remedy=_REMEDIES.get(reject.reason, "请管理员查看"),
    )


def column_label(table: str, column: str | None) -> str:
    """What a column is called; the record's number where none is named."""
    if not column:
        return "编号"
    try:
        columns = table_named(f"core.{table.removeprefix('core.')}").columns
    except KeyError:
        return column
    return next((label_of(c) for c in columns if c.name == column), column)


def place(origin: str | None) -> str:
    """Where a record was read, in words: a workbook with its sheet and row, or the line of what
    was pulled."""
    path = (origin or "").rpartition("/")[2]
    if "#" in path:
        file, _, inside = path.partition("#")
        sheet, _, row = inside.rpartition("!")
        return f"{file} 工作表“{sheet}”第 {row} 行" if sheet else f"{file} 第 {row} 行"
    name, _, line = path.rpartition(":")
    return (
        f"取到的第 {int(line)} 条" + (f"（{name}）" if "-" in name else "")
        if line.isdigit()
        else ""
    )


# ---- runs


@dataclass(frozen=True)
class RunShown:
    """A run as the page shows it."""

    run: PastRun
    title: str
    state: State
    word: str


def runs_shown(runs: Sequence[PastRun], names: Names, titles: dict[str, str]) -> list[RunShown]:
    """Runs that pull or read again, with what became of them in a word."""
    pulling = ("nightly", "backfill", "retry-rejects", "year-end")
    found = []
    for run in runs:
        if run.flow not in pulling or (
            run.flow == "year-end" and not run.written and not run.failed
        ):
            continue
        state: State = "done"
        word = "全部取到" if run.flow == "nightly" else "完成"
        if run.failed:
            state, word = (
                "broken",
                f"{listed([names.source(s) for s in run.failed_sources], 2)}没有取到",
            )
        elif run.rejected:
            state, word = "turn", f"退回 {run.rejected:,} 条"
        found.append(RunShown(run, titles.get(run.flow, run.name), state, word))
    return found
