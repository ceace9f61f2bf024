"""Checks of a form whose units are websites, and of what is entered on record for them.

E1 names what is blank in a website's form, and why; E2 lists what a person entered, with who, when
and on what ground; E3 names records that stand in the sum of an organ and in no website's form.
Ground: 国办函〔2018〕12号, by which each website has a form of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from expectations.result import CheckResult
from tasks.editions.edition import WEBSITE, Organ, RecordReference
from tasks.editions.figures import NO_RECORD, NOT_ENTERED, NOT_PROVIDED
from tasks.editions.tabulate import Tabulation
from warehouse.cells import Record, is_loaded, records
from warehouse.layout import ENTRIES, Cell, Layout
from warehouse.reading import Reading
from warehouse.sql import quoted

MOST_RECORDS = 200
Checked = tuple[CheckResult, Organ, tuple[RecordReference, ...]]


def unit_checks(reading: Reading, tabulation: Tabulation) -> Iterator[Checked]:
    """The checks of every website, and of every organ above some; none for a form of organs."""
    if tabulation.layout.units != WEBSITE:
        return
    entered = _entered(reading, tabulation) if tabulation.layout.entries else {}
    for organ in tabulation.tree.organs:
        if organ.kind == WEBSITE:
            yield _blank(reading, tabulation, organ)
            if tabulation.layout.entries:
                yield _told(organ, entered.get(organ.id, []))
        else:
            yield _of_no_website(reading, tabulation, organ)


def _why_blank(reading: Reading, cell: Cell) -> str:
    """Why a cell of a website is blank, in words."""
    if cell.measure is None:
        return "无从计算"
    if reading.measures[cell.measure].table == "core.website":
        return "网站登记册没有填写"
    if not is_loaded(reading, cell):
        return NOT_PROVIDED if cell.needs else "尚未取到来源的数据"
    return NOT_ENTERED if cell.entered else NO_RECORD


def _blank(reading: Reading, tabulation: Tabulation, organ: Organ) -> Checked:
    figures = tabulation.cells[(organ.id, "rolled_up")]
    layout = tabulation.layout
    reasons: dict[str, list[str]] = defaultdict(list)
    for table in layout.tables:
        asked = [c for c in layout.printed(table.key) if not c.is_optional]
        found: dict[str, list[Cell]] = defaultdict(list)
        for cell in asked:
            if figures[cell.key].is_missing:
                found[_why_blank(reading, cell)].append(cell)
        for reason, cells in found.items():
            is_whole = len(cells) == len(asked)
            reasons[reason] += [table.title] if is_whole else [_named(layout, c) for c in cells]
    told = ";".join(f"{reason}:{'、'.join(rows)}" for reason, rows in reasons.items())
    message = f"{organ.name}空白的行:{told}" if told else "各行都有内容"
    return CheckResult("E1", f"E1.{organ.id}", "fail" if told else "pass", message), organ, ()


def _named(layout: Layout, cell: Cell) -> str:
    """A row by its table: several tables have a 总数."""
    return f"{layout.table(cell.table).title}·{cell.full_label}"


def _entered(reading: Reading, tabulation: Tabulation) -> dict[str, list[RecordReference]]:
    """What was entered, by website, in the order of the form's rows."""
    layout = tabulation.layout
    labels = {f"{c.table}.{c.row}": _named(layout, c) for c in layout.cells.values() if c.entered}
    places = {row: at for at, row in enumerate(labels)}
    rows = reading.connection.execute(
        "SELECT source_system, record_id, organ_id, record_on, entry_row, detail "
        f"FROM {reading.measure(ENTRIES, tabulation.period)} "
        f"WHERE entries_of = {quoted(layout.entries or '')} ORDER BY record_id"
    ).fetchall()
    found: dict[str, list[RecordReference]] = defaultdict(list)
    for source, record_id, website, on, row, detail in sorted(
        rows, key=lambda r: places.get(r[4], len(places))
    ):
        name = tabulation.tree.name(website)
        told = f"{labels.get(row, row)}:{detail}"
        found[website].append(
            RecordReference("core.form_entry", source, record_id, website, name, on, told)
        )
    return found


def _told(organ: Organ, entries: Sequence[RecordReference]) -> Checked:
    message = f"{len(entries)} 行由人工登记,照登记的列出" if entries else "没有人工登记"
    return CheckResult("E2", f"E2.{organ.id}", "pass", message), organ, tuple(entries)


def _of_no_website(reading: Reading, tabulation: Tabulation, organ: Organ) -> Checked:
    """Whether an organ's own figures hold something: then it is in no website's form."""
    own = tabulation.cells[(organ.id, "own")]
    found: dict[tuple[str, str, str], Record] = {}
    labels = []
    for cell in tabulation.layout.cells.values():
        if cell.is_number and not cell.derived and own[cell.key].value:
            labels.append(_named(tabulation.layout, cell))
            whose = tabulation.tree.record_organs(organ.id, "own")
            for r in records(reading, [cell], tabulation.period, whose, limit=MOST_RECORDS):
                found.setdefault((r.table, r.source_system, r.record_id), r)
    references = tuple(
        RecordReference(
            r.table, r.source_system, r.record_id, organ.id, organ.name, r.record_on,
            "所在网站不在登记册内,只计入汇总",
        )
        for r in found.values()
    )  # fmt: skip
    message = (
        f"有记录不属于任何登记的网站,只计入汇总:{'、'.join(labels)}"
        if labels
        else "各条记录都列入某一网站"
    )
    result = CheckResult("E3", f"E3.{organ.id}", "fail" if labels else "pass", message)
    return result, organ, references
