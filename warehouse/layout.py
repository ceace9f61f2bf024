"""Layouts: from the declaration in `layouts/*.yaml` of a form's folder to cells and equations.

A layout file declares each cell of the statutory tables once. This module reads it and
gives two flat views of it: `Layout.cells`, from which numbers and their records come, and
`Layout.equations`, from which the checks of the form (勾稽关系) come.

Sources: 国办公开办函〔2019〕60号 (report years 2019 and 2020), 国办公开办函〔2021〕30号 (2021 and
after); 《政府信息公开条例》 (国务院令第711号).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from warehouse.declared import explained, parsed
from warehouse.errors import ConfigurationError
from warehouse.layout_file import (
    AddedRow,
    Axis,
    Block,
    Entered,
    Figure,
    LayoutFile,
    OverviewFile,
    Ratio,
    Relation,
    ReportYears,
    Selection,
    Table,
    Units,
)

OVERVIEW = "overview"
ENTRIES = "form_entry"
"""The measure of what is entered on record."""
DeclaredFile = TypeVar("DeclaredFile", LayoutFile, OverviewFile)


class LayoutError(ConfigurationError):
    """A layout or overview file that cannot be used; the message names file and key."""


@dataclass(frozen=True)
class Cell:
    """One cell: `table.row.column`, or `overview.key` for a figure of the narrative.

    A cell counts or adds up records (`measure`, `where`, `quantity`), or is made of other
    cells: `parts` are added, `ratio` is numerator over denominator in percent,
    `change_on_year` compares a cell with last year's, `last_year` repeats it. With
    `printed_decimals` it is printed rounded half up, as offices print amounts. `where` is all
    of its `conditions` together. `text` is the column of the measure that a cell shows in place of
    a number; a question (`is_yes_no`) adds up the yeses, and counts whoever was asked.
    `blank_without` says where it is blank and not zero (`Selection`); `entered` how a person
    enters it on record; one that `is_optional` may well be blank.
    """

    key: str
    table: str
    row: str
    column: str
    label: str
    column_label: str = ""
    measure: str | None = None
    where: str = "TRUE"
    conditions: tuple[str, ...] = ()
    quantity: str | None = None
    unit: str = ""
    decimals: int = 0
    printed_decimals: int | None = None
    signed: bool = False
    derived: bool = False
    article: str = ""
    meaning: str = ""
    source: str = ""
    only_root: bool = False
    parts: tuple[str, ...] = ()
    ratio: tuple[str, str] | None = None
    is_average: bool = False
    needs: str | None = None
    change_on_year: str | None = None
    last_year: str | None = None
    text: str | None = None
    is_yes_no: bool = False
    blank_without: Literal["measure", "cell"] | None = None
    entered: Entered | None = None
    is_optional: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it counts or adds up records, rather than show a text or follow from others."""
        return self.measure is not None and self.text is None

    @property
    def made_of(self) -> list[str]:
        """The keys of the cells that it is computed from."""
        single = (self.change_on_year, self.last_year)
        return [*(self.ratio or ()), *self.parts, *(key for key in single if key)]

    @property
    def full_label(self) -> str:
        return f"{self.label} · {self.column_label}" if self.column_label else self.label


@dataclass(frozen=True)
class Term:
    """A cell in an equation: `sign` is +1 or -1, `years_back` is 0 or 1."""

    cell: str
    sign: int = 1
    years_back: int = 0


@dataclass(frozen=True)
class Equation:
    """left (relation) right, for one row or column of one table."""

    code: str
    key: str
    table: str
    each: Literal["row", "column"]
    line: str
    line_label: str
    left: tuple[Term, ...]
    relation: Relation
    right: tuple[Term, ...]
    message: str

    @property
    def crosses_years(self) -> bool:
        return any(t.years_back for t in self.left + self.right)


@dataclass(frozen=True)
class Layout:
    """A layout ready to use: the printed tables, the cells and the equations.

    `units` are what the form is of, `entries` names the file of what is entered on record;
    `gathers` is the key of the form whose editions of cities its figures are added up of, empty where
    they are counted of records;
    `local_rows` tells of the rows that the city adds, `placed_rows` which of them, by number,
    have their place in this layout: a row belongs to the layouts that have the row before it.
    """

    name: str
    title: str
    notice: str
    years: ReportYears
    tables: tuple[Table, ...]
    cells: dict[str, Cell] = field(default_factory=dict)
    equations: tuple[Equation, ...] = ()
    units: Units = "organ"
    entries: str | None = None
    local_rows: tuple[str, ...] = ()
    placed_rows: tuple[int, ...] = ()
    gathers: str = ""

    def printed(self, table: str) -> list[Cell]:
        """The cells of a table that stand in the form, row by row."""
        return [c for c in self.cells.values() if c.table == table and not c.derived]

    def only(self, key: str) -> Layout:
        """The same layout with one cell and those it is made of, to tabulate no more."""
        needed: dict[str, Cell] = {}
        waiting = [key]
        while waiting:
            cell = self.cells[waiting.pop()]
            if cell.key not in needed:
                needed[cell.key] = cell
                waiting += cell.made_of
        return replace(self, cells=needed, equations=())

    def table(self, key: str) -> Table:
        for table in self.tables:
            if table.key == key:
                return table
        raise KeyError(key)


@dataclass(frozen=True)
class _Grammar:
    """How declarations are read. Editions of before forms were folders keep declarations that
    were read otherwise, and must come out as they did: `is_early`."""

    is_early: bool = False

    def joined(self, conditions: Iterable[str | None]) -> str:
        """Conditions that must all hold, each in brackets: what binds weaker than AND may be
        written in any way."""
        given = [c for c in conditions if c and c != "TRUE"]
        if len(given) < 2:
            return given[0] if given else "TRUE"
        if self.is_early:
            return " AND ".join(f"({c})" if " OR " in c else c for c in given)
        return " AND ".join(f"({c})" for c in given)

    def folded(self, conditions: Sequence[str]) -> list[str]:
        """The conditions of a line from the outside in, as those of a cell."""
        if self.is_early and conditions:
            return [reduce(lambda outer, inner: self.joined([outer, inner]), conditions)]
        return list(conditions)

    def either(self, group: Axis) -> str:
        """The condition of a derived group: any of its members."""
        if self.is_early:
            return " OR ".join(self.joined([leaf.where]) for leaf in group.leaves())
        members = (line for line in _walk(group.members) if not line.axis.members)
        return " OR ".join(f"({self.joined(line.conditions)})" for line in members)


@dataclass(frozen=True)
class _Line:
    """A row or column with what the groups around it say folded in; `conditions` are all of
    them from the outside in, `is_derived` marks the subtotal of a group."""

    axis: Axis
    conditions: tuple[str, ...]
    is_derived: bool = False


def _walk(axes: list[Axis], outer: _Line | None = None) -> Iterator[_Line]:
    """Every row (or column), group by group."""
    for axis in axes:
        inherited = outer.conditions if outer else ()
        conditions = (*inherited, axis.where) if axis.where else inherited
        given = {
            name: getattr(outer.axis, name)
            for name in (
                "measure",
                "sum",
                "unit",
                "decimals",
                "printed_decimals",
                "signed",
                "article",
                "meaning",
                "blank_without",
                "needs",
            )
            if outer is not None and getattr(axis, name) is None
        }
        line = _Line(axis.model_copy(update=given), conditions)
        if not axis.members:
            yield replace(line, is_derived=axis.derived)
            continue
        if axis.derived:
            yield replace(line, is_derived=True)
        yield from _walk(axis.members, line)


def _first(*values: Any) -> Any:
    return next((v for v in values if v is not None), None)


def _cells(table: Table, grammar: _Grammar, entries: str | None, path: str) -> Iterator[Cell]:
    for block in table.all_blocks():
        columns = list(_walk(block.columns))
        for row in _walk(block.rows):
            for column in columns:
                cell = _cell(table, block, row, column, grammar)
                if row.axis.ratio:
                    yield _of_others(cell, row.axis.ratio)
                elif row.axis.entered:
                    yield _entered(cell, row.axis.entered, entries, path)
                else:
                    yield cell


def _of_others(cell: Cell, ratio: Ratio) -> Cell:
    """A cell that is a rate or an average of others."""
    return replace(
        cell,
        measure=None,
        where="TRUE",
        conditions=(),
        quantity=None,
        decimals=2,
        ratio=(ratio.numerator, ratio.denominator),
        is_average=not ratio.percent,
    )


def _entered(cell: Cell, entered: Entered, entries: str | None, path: str) -> Cell:
    """A cell that is entered on record: its record is the entry."""
    if entries is None:
        raise LayoutError(f"{path}: {cell.key} 由人工登记,须在 entries 写明登记文件的名称")
    conditions = (f"entries_of = '{entries}'", f"entry_row = '{cell.table}.{cell.row}'")
    return replace(
        cell,
        measure=ENTRIES,
        where=" AND ".join(f"({c})" for c in conditions),
        conditions=conditions,
        quantity=None if entered == "text" else "entry_value",
        text="entry_text" if entered == "text" else None,
        is_yes_no=entered == "yes_no",
        blank_without="cell",
        entered=entered,
    )


def _cell(table: Table, block: Block, row: _Line, column: _Line, grammar: _Grammar) -> Cell:
    levels: tuple[Selection, ...] = (column.axis, row.axis, block, table)

    def pick(name: str) -> Any:
        return _first(*(getattr(level, name) for level in levels))

    outer = [c for c in (table.where, block.where) if c]
    conditions, joined = list(outer), list(outer)
    for line in (row, column):
        is_subtotal = line.is_derived and line.axis.members
        subtotal = [grammar.either(line.axis)] if is_subtotal else []
        conditions += [*line.conditions, *subtotal]
        joined += [*grammar.folded(line.conditions), *subtotal]
    return Cell(
        key=f"{table.key}.{row.axis.key}.{column.axis.key}",
        table=table.key,
        row=row.axis.key,
        column=column.axis.key,
        label=row.axis.label,
        column_label=column.axis.label,
        measure=pick("measure"),
        where=grammar.joined(joined),
        conditions=tuple(conditions),
        quantity=pick("sum"),
        unit=pick("unit") or "",
        decimals=pick("decimals") or 0,
        printed_decimals=pick("printed_decimals"),
        signed=bool(pick("signed")),
        derived=row.is_derived or column.is_derived,
        article=_first(row.axis.article, block.article, table.article) or "",
        meaning=";".join(m for m in dict.fromkeys([row.axis.meaning, column.axis.meaning]) if m),
        text=row.axis.text,
        is_yes_no=row.axis.yes_no,
        blank_without=pick("blank_without"),
        needs=pick("needs"),
        is_optional=row.axis.optional,
    )


_TERM = re.compile(r"^(?P<minus>-)?(?P<prior>last_year\.)?(?P<key>[a-z0-9_]+)$")


def _term(text: str, cell_key: str, where: str) -> tuple[str, int, int]:
    match = _TERM.match(text)
    if match is None:
        raise LayoutError(f"{where}: 勾稽关系中的“{text}”写法不对,应为 key、-key 或 last_year.key")
    key = cell_key.replace("*", match["key"])
    return key, -1 if match["minus"] else 1, 1 if match["prior"] else 0


def _equations(table: Table, cells: dict[str, Cell]) -> Iterator[Equation]:
    own = [c for c in cells.values() if c.table == table.key and not c.derived]
    row_labels = dict.fromkeys((c.row, c.label) for c in own)
    column_labels = dict.fromkeys((c.column, c.column_label) for c in own)
    for rule in table.balance:
        lines = row_labels if rule.each == "row" else column_labels
        for line, label in lines:
            if rule.rows is not None and line not in rule.rows:
                continue
            pattern = f"{table.key}.{line}.*" if rule.each == "row" else f"{table.key}.*.{line}"
            sides = []
            for side in (rule.left, rule.right):
                terms = []
                for text in side:
                    key, sign, back = _term(text, pattern, f"{table.key} {rule.code}")
                    if key not in cells:
                        raise LayoutError(f"{table.key} {rule.code}: 没有单元格 {key}")
                    terms.append(Term(key, sign, back))
                sides.append(tuple(terms))
            yield Equation(
                code=rule.code,
                key=".".join(filter(None, (rule.code, table.key, line, rule.key))),
                table=table.key,
                each=rule.each,
                line=line,
                line_label=label,
                left=sides[0],
                relation=rule.relation,
                right=sides[1],
                message=rule.message,
            )


def _figure_cell(figure: Figure, path: str) -> Cell:
    given = [
        name
        for name in ("measure", "sum_of", "ratio", "change_on_year", "last_year")
        if getattr(figure, name)
    ]
    if len(given) != 1:
        raise LayoutError(
            f"{path}: overview.{figure.key} 须恰有 measure、sum_of、ratio、change_on_year、"
            f"last_year 之一,现有:{'、'.join(given) or '无'}"
        )
    is_rate = bool(figure.change_on_year or (figure.ratio and figure.ratio.percent))
    return Cell(
        key=f"{OVERVIEW}.{figure.key}",
        table=OVERVIEW,
        row=figure.key,
        column="",
        label=figure.label,
        measure=figure.measure,
        where=figure.where or "TRUE",
        conditions=(figure.where,) if figure.where else (),
        quantity=figure.sum,
        unit=figure.unit or ("%" if is_rate else ""),
        decimals=2 if figure.ratio or figure.change_on_year else figure.decimals or 0,
        signed=bool(figure.change_on_year),
        article=figure.article or "",
        meaning=figure.meaning or "",
        source=figure.source,
        only_root=figure.only_root,
        parts=tuple(figure.sum_of),
        ratio=(figure.ratio.numerator, figure.ratio.denominator) if figure.ratio else None,
        is_average=figure.ratio is not None and not figure.ratio.percent,
        needs=figure.needs,
        change_on_year=figure.change_on_year,
        last_year=figure.last_year,
    )


def _placed(tables: list[Table], added: AddedRow, grammar: _Grammar) -> bool:
    """Put a local row in its place; whether this layout has one for it."""
    for table in tables:
        if table.key != added.table:
            continue
        # A table without blocks is one that all_blocks() makes up: its rows are the table's.
        parts: list[tuple[str | None, list[Axis]]]
        parts = [(b.key, b.rows) for b in table.blocks] or [(None, table.rows)]
        for key, rows in parts:
            if key is not None and added.block not in (None, key):
                continue
            # What early readers could not place made no cell.
            if grammar.is_early and not (table.blocks and _has(rows, added.after)):
                continue
            if _insert(rows, added):
                return True
    return False


def _has(rows: list[Axis], key: str) -> bool:
    return any(row.key == key and not row.members for row in rows)


def _insert(rows: list[Axis], added: AddedRow) -> bool:
    for at, row in enumerate(rows):
        if row.key == added.after:
            rows.insert(at + 1, added.row)
            return True
        if _insert(row.rows, added):
            return True
    return False


@lru_cache(maxsize=64)
def parse_layout(
    text: str,
    overview_text: str | None,
    path: str = "layout",
    overview: str = "overview",
    *,
    is_early: bool = False,
) -> Layout:
    """A layout from the text of its declarations: a form's, and a city's own figures and rows.

    `is_early` reads them as they were read before forms were folders. Raises LayoutError when
    a text is not YAML, has an unknown key, or refers to a cell that does not exist.
    """
    grammar = _Grammar(is_early)
    declared = _validated(LayoutFile, text, path)
    local = _validated(OverviewFile, overview_text, overview) if overview_text else OverviewFile()
    tables = declared.tables
    placed = tuple(
        at for at, added in enumerate(local.added_rows) if _placed(tables, added, grammar)
    )
    cells: dict[str, Cell] = {}
    for place, found in (
        (path, (c for table in tables for c in _cells(table, grammar, declared.entries, path))),
        (overview, (_figure_cell(figure, overview) for figure in local.figures)),
    ):
        for cell in found:
            if cell.key in cells:
                raise LayoutError(f"{place}: 单元格 {cell.key} 声明了两次")
            if local.money_decimals is not None and cell.printed_decimals is not None:
                cell = replace(cell, printed_decimals=local.money_decimals)
            cells[cell.key] = cell
    for cell in cells.values():
        for key in cell.made_of:
            if key not in cells:
                place = overview if cell.table == OVERVIEW else path
                raise LayoutError(f"{place}: {cell.key} 引用的 {key} 不存在")
    return Layout(
        name=declared.layout,
        title=declared.title,
        notice=declared.notice,
        years=declared.report_years,
        tables=tuple(tables),
        cells=cells,
        equations=tuple(e for table in tables for e in _equations(table, cells)),
        units=declared.units,
        entries=declared.entries,
        local_rows=tuple(added.place for added in local.added_rows),
        placed_rows=placed,
    )


def _validated(model: type[DeclaredFile], text: str, place: str) -> DeclaredFile:
    try:
        return model.model_validate(parsed(text, place, LayoutError))
    except ValidationError as error:
        raise LayoutError(explained(place, error)) from error
