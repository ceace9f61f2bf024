"""一个数: what it means, whether it agrees, which organs and records are in it, what it was before."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tasks.desk import pinned
from tasks.desk.edition import SCOPES, Told, checks, figures_at, last_year_of
from tasks.editions import figures as print_
from tasks.editions.edition import CellValue, Edition, Scope
from tasks.editions.explain import Explanation, check_has_cell, explain_kept
from tasks.editions.store import EditionRow, KeptFigure, kept_figures
from tasks.render.findings import table_label
from warehouse.cells import Record
from warehouse.lake import Lake
from warehouse.layout import OVERVIEW, Cell
from warehouse.numbers import number, plain
from warehouse.reading import Measure
from warehouse.spreadsheet import safe_text
from warehouse.tables import table

PAGE = 20
FIRST = 3
"""Records named in the panel."""
MOST_ORGANS = 5
EVERY = 10_000_000
COLUMNS = ("来源", "表", "记录编号", "机关编号", "机关", "日期", "计")


@dataclass(frozen=True)
class Share:
    """What an organ has of a figure; `is_own` is the part of the organ itself."""

    organ_id: str
    name: str
    text: str
    is_own: bool = False


@dataclass(frozen=True)
class Part:
    """A figure that another is made of; without a `key` where it is last year's."""

    role: str
    label: str
    text: str
    key: str


@dataclass(frozen=True)
class Before:
    """The same figure in an edition; `edition_id` is empty for last year's as this one reads it."""

    edition_id: str
    label: str
    text: str
    is_this: bool = False
    note: str = ""


@dataclass(frozen=True)
class RecordLine:
    """A record in a figure."""

    source: str
    table: str
    id: str
    organ: str
    on: date | None
    dates: tuple[tuple[str, date | datetime | None], ...]
    quantity: str

    @property
    def path(self) -> str:
        """Its page below /desk/record/; the id stands last."""
        return f"{self.source}/{self.table.removeprefix('core.')}/{self.id}"


@dataclass(frozen=True)
class Figure:
    """A figure of an organ opened; `records` are those of one page."""

    edition: Edition
    cell: Cell
    table_title: str
    organ_id: str
    organ_name: str
    scope: Scope
    organs_below: int
    text: str
    sides: str
    before: str
    definition: str
    source: str
    sql: str
    checks: tuple[Told, ...]
    parts: tuple[Part, ...]
    shares: tuple[Share, ...]
    more_organs: int
    rest: str
    record_count: int
    records: tuple[RecordLine, ...]
    date_labels: tuple[str, ...]
    offset: int

    @property
    def unit(self) -> str:
        """Its unit, where the text does not hold it."""
        return "" if self.text.endswith("%") or not self.text else self.cell.unit

    @property
    def scope_label(self) -> str:
        if self.scope == "own":
            return SCOPES["own"]
        return f"含所属 {self.organs_below} 个机关" if self.organs_below else "没有所属机关"

    @property
    def off_count(self) -> int:
        """How many checks it fails."""
        return sum(not told.holds for told in self.checks)


def open_figure(
    lake: Lake,
    row: EditionRow,
    key: str,
    *,
    organ_id: str | None = None,
    scope: Scope = "rolled_up",
    limit: int = PAGE,
    offset: int = 0,
) -> Figure:
    """Open a figure of an edition. Raises NoEdition, NoSuchCell, LakeError."""
    edition = pinned.with_organ(lake, row, organ_id)
    organ_id = organ_id or edition.root.id
    name = check_has_cell(edition, key, organ_id)
    cell = edition.layout.cells[key]
    value = figures_at(edition, organ_id, scope).get(key)
    explained = _explained(
        lake, lake.catalog.identity(), row, key, organ_id, scope, limit, max(0, offset)
    )
    kept = _by_organ(lake, lake.catalog.identity(), row, key)
    below = pinned.tree_of(lake, row).subtree(organ_id)
    shares, more, rest = (
        _shares(edition, cell, organ_id, kept) if scope == "rolled_up" else ((), 0, "")
    )
    labels, lines = _lines(edition, explained)
    return Figure(
        edition=edition,
        cell=cell,
        table_title=_table_title(edition, cell),
        organ_id=organ_id,
        organ_name=name,
        scope=scope,
        organs_below=len(below) - 1,
        text=print_.text(cell, value),
        sides=print_.sides(cell, value),
        before=print_.text(cell, last_year_of(edition, organ_id, scope).get(key)),
        definition=print_.definition(edition.layout, cell),
        source=_source(edition, cell),
        sql=explained.sql,
        checks=tuple(_checks(edition, cell, organ_id, scope, kept, below)),
        parts=tuple(_parts(edition, explained)),
        shares=shares,
        more_organs=more,
        rest=rest,
        record_count=explained.record_count,
        records=lines,
        date_labels=labels,
        offset=offset,
    )


@lru_cache(maxsize=512)
def _explained(
    lake: Lake,
    _identity: object,
    row: EditionRow,
    key: str,
    organ_id: str,
    scope: Scope,
    limit: int,
    offset: int,
) -> Explanation:
    """An edition's snapshot does not change: a figure is asked for once."""
    edition = pinned.with_organ(lake, row, organ_id)
    tree = pinned.tree_of(lake, row)
    return explain_kept(
        lake, edition, tree, key, organ_id=organ_id, scope=scope, limit=limit, offset=offset
    )


@lru_cache(maxsize=512)
def _by_organ(
    lake: Lake, _identity: object, row: EditionRow, key: str
) -> Mapping[tuple[str, Scope], CellValue]:
    with lake.read() as connection:
        found = kept_figures(connection, key, edition_id=row.edition_id)
    return {(one.organ_id, one.scope): one.value for one in found}


def _table_title(edition: Edition, cell: Cell) -> str:
    if cell.table == OVERVIEW:
        return edition.form.figures_heading or "总体情况"
    return edition.layout.table(cell.table).title


def _source(edition: Edition, cell: Cell) -> str:
    """From which records it is counted, in words."""
    if cell.measure is None or edition.definitions is None:
        return ""
    measure: Measure = edition.definitions.parsed_measures[cell.measure]
    counted = "每条计它登记的数量" if cell.quantity else f"每条记录计 1 {cell.unit or '条'}"
    return f"取自{table_label(measure.table)}，{counted}"


def _is_additive(cell: Cell) -> bool:
    return not (cell.ratio or cell.change_on_year or cell.last_year or cell.needs)


def _checks(
    edition: Edition,
    cell: Cell,
    organ_id: str,
    scope: Scope,
    kept: Mapping[tuple[str, Scope], CellValue],
    below: Iterable[str],
) -> Iterable[Told]:
    """What the figure must agree with: the form's equations, the figures that repeat it, and the
    organs together. What does not hold comes first."""
    of_cell = {
        e.key
        for e in edition.layout.equations
        if any(t.cell == cell.key and not t.years_back for t in e.left + e.right)
    }
    told = [one for one in checks(edition, organ_id, scope) if one.key in of_cell]
    yield from sorted(told, key=lambda one: one.holds)
    figures = figures_at(edition, organ_id, scope)
    yield from _repeats(edition, cell, figures)
    value = kept.get((organ_id, scope))
    if scope != "rolled_up" or not _is_additive(cell) or value is None or value.value is None:
        return
    own = [kept[(one, "own")].value for one in below if (one, "own") in kept]
    known = [part for part in own if part is not None]
    if len(known) > 1 and len(known) == len(own):
        together = sum(known, Decimal(0))
        name = edition.organ(organ_id).name
        holds = together == value.value
        sign = "=" if holds else "≠"
        title = f"各机关之和等于{name}：{len(known)} 个机关"
        yield Told("", holds, title, f"{plain(together)} {sign} {plain(value.value)}")


def _repeats(edition: Edition, cell: Cell, figures: print_.Figures) -> Iterable[Told]:
    """Figures that only repeat this one, or that this one repeats."""
    layout = edition.layout
    same = [c for c in layout.cells.values() if c.parts == (cell.key,)]
    same += [layout.cells[key] for key in cell.parts if len(cell.parts) == 1]
    own = figures.get(cell.key)
    for other in same:
        value = figures.get(other.key)
        if own is None or value is None or own.value is None or value.value is None:
            continue
        holds = own.value == value.value
        of_overview = other.table == OVERVIEW and cell.table != OVERVIEW
        title = f"与{'总体情况' if of_overview else ''}“{other.full_label}”一致"
        sign = "=" if holds else "≠"
        yield Told("", holds, title, f"{plain(own.value)} {sign} {plain(value.value)}")


def _parts(edition: Edition, explained: Explanation) -> Iterable[Part]:
    """What a figure is made of."""
    names = {
        "numerator": "分子",
        "denominator": "分母",
        "this_year": "本年",
        "last_year": "上年",
        "part": "其中",
    }
    for role, part in explained.parts:
        is_now = part.period == edition.period
        cell = edition.layout.cells[part.cell]
        shown = print_.text(cell, CellValue(part.value))
        yield Part(names[role], part.label, shown or "缺", part.cell if is_now else "")


def _shares(
    edition: Edition, cell: Cell, organ_id: str, kept: Mapping[tuple[str, Scope], CellValue]
) -> tuple[tuple[Share, ...], int, str]:
    """The organs right below with what they have, the largest first, and what is left over."""
    if cell.only_root:
        return (), 0, ""
    places: list[tuple[str, str, Scope]] = [
        (o.id, o.name, "rolled_up") for o in edition.organs if o.parent_id == organ_id
    ]
    if not places:
        return (), 0, ""
    places.append((organ_id, "本级", "own"))
    found = []
    for id_, name, scope in places:
        value = kept.get((id_, scope))
        amount = None if value is None else print_.number(cell, value)
        if amount is not None:
            text = print_.text(cell, value)
            found.append((amount, Share(id_, name, text, is_own=scope == "own")))
    found.sort(key=lambda one: (-one[0], one[1].name))
    shown = tuple(share for _, share in found[:MOST_ORGANS])
    others = [amount for amount, _ in found[MOST_ORGANS:]]
    rest = plain(sum(others, Decimal(0))) if others and _is_additive(cell) else ""
    return shown, len(others), rest


def _lines(
    edition: Edition, explained: Explanation
) -> tuple[tuple[str, ...], tuple[RecordLine, ...]]:
    """A page of records, with the labels of the dates that tell most of them."""
    names = {organ.id: organ.name for organ in edition.organs}
    wanted: dict[str, str] = {}
    for record in explained.records:
        labels = _date_labels(record.table)
        wanted |= {name: labels[name] for name in record.dates if name in labels}
    shown = dict(list(wanted.items())[:2])
    lines = tuple(
        RecordLine(
            r.source_system,
            r.table,
            r.record_id,
            names.get(r.organ_id or "", r.organ_id or "未标明机关"),
            r.record_on,
            tuple((label, r.dates.get(name)) for name, label in shown.items()),
            number(r.quantity),
        )
        for r in explained.records
    )
    return tuple(shown.values()), lines


@lru_cache(maxsize=64)
def _date_labels(name: str) -> Mapping[str, str]:
    try:
        columns = table(name).columns
    except KeyError:
        return {}
    return {c.name: c.label for c in columns if c.sql_type in ("DATE", "TIMESTAMP") and c.meaning}


def in_every_edition(lake: Lake, row: EditionRow, figure: Figure) -> list[Before]:
    """The figure in every edition of the same form and kind of period, the newest first."""
    cell, edition = figure.cell, figure.edition
    rows = {r.edition_id: r for r in pinned.rows(lake)}
    kept = pinned.in_every_edition(lake, cell.key, figure.organ_id)
    of_form = [
        one for one in kept if one.scope == figure.scope and _is_like(rows[one.edition_id], row)
    ]
    of_form.sort(
        key=lambda one: (rows[one.edition_id].period.last, rows[one.edition_id].edition_number)
    )
    found = [_before(one, rows[one.edition_id], cell, row) for one in reversed(of_form)]
    year_before = edition.period.year_before
    is_known = any(rows[one.edition_id].period == year_before for one in of_form)
    last = print_.text(cell, last_year_of(edition, figure.organ_id, figure.scope).get(cell.key))
    if last and not is_known:
        found.append(Before("", year_before.label, last, note="按本版次的口径"))
    return found


def _is_like(other: EditionRow, row: EditionRow) -> bool:
    return other.form == row.form and other.period.kind == row.period.kind


def _before(one: KeptFigure, of: EditionRow, cell: Cell, row: EditionRow) -> Before:
    label = (
        f"{of.edition_id}" if of.period == row.period else f"{of.period.label}（{of.edition_id}）"
    )
    text = print_.text(cell, one.value) or "空白"
    note = {"published": "已发布", "pending": "待发布"}.get(of.edition_status, "")
    return Before(of.edition_id, label, text, of.edition_id == row.edition_id, note)


def records_csv(lake: Lake, row: EditionRow, key: str, organ_id: str | None, scope: Scope) -> bytes:
    """Every record of a figure, one a line; UTF-8 with byte order mark for spreadsheet programs."""
    edition = pinned.with_organ(lake, row, organ_id)
    organ_id = organ_id or edition.root.id
    check_has_cell(edition, key, organ_id)
    tree = pinned.tree_of(lake, row)
    explained = explain_kept(lake, edition, tree, key, organ_id=organ_id, scope=scope, limit=EVERY)
    names = {organ.id: organ.name for organ in edition.organs}
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(_csv_line(record, names) for record in explained.records)
    return file.getvalue().encode("utf-8-sig")


def _csv_line(r: Record, names: Mapping[str, str]) -> list[Any]:
    organ = r.organ_id or ""
    told = (r.source_system, table_label(r.table), r.record_id, organ, names.get(organ, ""))
    return [*map(safe_text, told), r.record_on or "", number(r.quantity)]
