"""The form layouts: from the declaration in `warehouse/layouts/*.yaml` to cells and equations.

A layout file declares each cell of the statutory tables once. This module reads it and
gives two flat views of it: `Layout.cells`, from which numbers and their records come, and
`Layout.equations`, from which the checks of the form (勾稽关系) come.

Sources: 国办公开办函〔2019〕60号 (report years 2019 and 2020), 国办公开办函〔2021〕30号 (2021 and
after); 《政府信息公开条例》 (国务院令第711号).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError

from warehouse.disk import UnreadableFile, text_of, yaml_of
from warehouse.errors import ConfigurationError
from warehouse.layout_file import (
    AddedRow,
    Axis,
    Figure,
    LayoutFile,
    OverviewFile,
    Relation,
    ReportYears,
    Selection,
    Table,
)

LAYOUTS = Path(__file__).parent / "layouts"
OVERVIEW = "overview"


class LayoutError(ConfigurationError):
    """A layout or overview file that cannot be used; the message names file and key."""


@dataclass(frozen=True)
class Cell:
    """One cell: `table.row.column`, or `overview.key` for a figure of the narrative.

    A cell counts or adds up records (`measure`, `where`, `quantity`), or is made of other
    cells: `parts` are added, `ratio` is numerator over denominator in percent,
    `change_on_year` compares a cell with last year's, `last_year` repeats it.
    """

    key: str
    table: str
    row: str
    column: str
    label: str
    column_label: str = ""
    measure: str | None = None
    where: str = "TRUE"
    quantity: str | None = None
    unit: str = ""
    decimals: int = 0
    signed: bool = False
    derived: bool = False
    article: str = ""
    meaning: str = ""
    source: str = ""
    only_root: bool = False
    parts: tuple[str, ...] = ()
    ratio: tuple[str, str] | None = None
    change_on_year: str | None = None
    last_year: str | None = None

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
    """A layout ready to use: the printed tables, the cells and the equations."""

    name: str
    title: str
    notice: str
    years: ReportYears
    tables: tuple[Table, ...]
    cells: dict[str, Cell] = field(default_factory=dict)
    equations: tuple[Equation, ...] = ()

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
                waiting += [*cell.parts, *(cell.ratio or ())]
                waiting += filter(None, (cell.change_on_year, cell.last_year))
        return replace(self, cells=needed, equations=())

    def table(self, key: str) -> Table:
        for table in self.tables:
            if table.key == key:
                return table
        raise KeyError(key)


def _and(*conditions: str | None) -> str:
    given = [c for c in conditions if c and c != "TRUE"]
    if len(given) < 2:
        return given[0] if given else "TRUE"
    return " AND ".join(f"({c})" if " OR " in c else c for c in given)


def _walk(axes: list[Axis], outer: Axis | None = None) -> Iterator[tuple[Axis, bool]]:
    """Every row (or column) with its outer selections folded in; the flag marks subtotals."""
    for axis in axes:
        joined = axis.model_copy()
        if outer is not None:
            joined.where = _and(outer.where, axis.where)
            for name in ("measure", "sum", "unit", "decimals", "signed", "article", "meaning"):
                if getattr(joined, name) is None:
                    setattr(joined, name, getattr(outer, name))
        if not axis.members:
            yield joined, False
            continue
        if axis.derived:
            yield joined, True
        yield from _walk(axis.members, joined)


def _member_condition(axis: Axis) -> str:
    """The condition of a derived group: any of its members."""
    return " OR ".join(_and(member.where) for member in axis.leaves())


def _first(*values: Any) -> Any:
    return next((v for v in values if v is not None), None)


def _cells(table: Table) -> Iterator[Cell]:
    for block in table.all_blocks():
        rows = list(_walk(block.rows))
        columns = list(_walk(block.columns))
        for row, row_derived in rows:
            for column, column_derived in columns:
                levels = (column, row, block, table)

                def pick(name: str, levels: tuple[Selection, ...] = levels) -> Any:
                    return _first(*(getattr(level, name) for level in levels))

                where = _and(
                    table.where,
                    block.where,
                    row.where,
                    _member_condition(row) if row_derived else None,
                    column.where,
                    _member_condition(column) if column_derived else None,
                )
                yield Cell(
                    key=f"{table.key}.{row.key}.{column.key}",
                    table=table.key,
                    row=row.key,
                    column=column.key,
                    label=row.label,
                    column_label=column.label,
                    measure=pick("measure"),
                    where=where,
                    quantity=pick("sum"),
                    unit=pick("unit") or "",
                    decimals=pick("decimals") or 0,
                    signed=bool(pick("signed")),
                    derived=row_derived or column_derived,
                    article=_first(row.article, block.article, table.article) or "",
                    meaning=";".join(m for m in dict.fromkeys([row.meaning, column.meaning]) if m),
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
                key=f"{rule.code}.{table.key}.{line}",
                table=table.key,
                each=rule.each,
                line=line,
                line_label=label,
                left=sides[0],
                relation=rule.relation,
                right=sides[1],
                message=rule.message,
            )


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except UnreadableFile as error:
        raise LayoutError(str(error)) from error


def _parsed(text: str, place: str) -> Any:
    try:
        return yaml_of(text)
    except yaml.YAMLError as error:
        raise LayoutError(f"{place}: 不是有效的 YAML:{error}") from error


def _explain(path: str, error: ValidationError) -> LayoutError:
    problems = (f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return LayoutError(f"{path}:\n" + "\n".join(problems))


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
    return Cell(
        key=f"{OVERVIEW}.{figure.key}",
        table=OVERVIEW,
        row=figure.key,
        column="",
        label=figure.label,
        measure=figure.measure,
        where=_and(figure.where),
        quantity=figure.sum,
        unit=figure.unit or ("%" if figure.ratio or figure.change_on_year else ""),
        decimals=2 if figure.ratio or figure.change_on_year else figure.decimals or 0,
        signed=bool(figure.change_on_year),
        article=figure.article or "",
        meaning=figure.meaning or "",
        source=figure.source,
        only_root=figure.only_root,
        parts=tuple(figure.sum_of),
        ratio=(figure.ratio.numerator, figure.ratio.denominator) if figure.ratio else None,
        change_on_year=figure.change_on_year,
        last_year=figure.last_year,
    )


def _insert(tables: list[Table], added: AddedRow, path: str) -> None:
    for table in tables:
        if table.key != added.table:
            continue
        for block in table.all_blocks():
            if added.block not in (None, block.key):
                continue
            for at, row in enumerate(block.rows):
                if row.key == added.after:
                    block.rows.insert(at + 1, added.row)
                    return
    raise LayoutError(f"{path}: added_rows: {added.table} 中没有行 {added.after}")


@cache
def load_layout(name: str, overview: Path | None = None) -> Layout:
    """Read layout `name`, with a city's narrative figures and local rows if `overview` is given.

    Raises LayoutError when a file is missing, has an unknown key, or refers to a cell that
    does not exist.
    """
    path = LAYOUTS / f"{name}.yaml"
    return parse_layout(
        _text(path), _text(overview) if overview else None, str(path), str(overview or "")
    )


def layout_texts(name: str, overview: Path | None = None) -> tuple[str, str | None]:
    """The declarations themselves, kept with an edition so that it can be read years later."""
    return _text(LAYOUTS / f"{name}.yaml"), _text(overview) if overview else None


@cache
def parse_layout(
    text: str, overview_text: str | None, path: str = "layout", overview: str = "overview"
) -> Layout:
    """A layout from the text of its declarations; see `load_layout`."""
    try:
        declared = LayoutFile.model_validate(_parsed(text, path))
    except ValidationError as error:
        raise _explain(path, error) from error
    figures: list[Figure] = []
    tables = declared.tables
    if overview_text is not None:
        try:
            local = OverviewFile.model_validate(_parsed(overview_text, overview))
        except ValidationError as error:
            raise _explain(overview, error) from error
        figures = local.figures
        keys = {
            leaf.key for t in tables for b in t.all_blocks() for r in b.rows for leaf in r.leaves()
        }
        for added in local.added_rows:
            # A local row belongs to the layouts that have the row it stands after.
            if added.after in keys:
                _insert(tables, added, overview)
    cells: dict[str, Cell] = {}
    for table in tables:
        for cell in _cells(table):
            if cell.key in cells:
                raise LayoutError(f"{path}: 单元格 {cell.key} 声明了两次")
            cells[cell.key] = cell
    for figure in figures:
        cell = _figure_cell(figure, overview)
        if cell.key in cells:
            raise LayoutError(f"{overview}: overview.{figure.key} 声明了两次")
        cells[cell.key] = cell
    for cell in list(cells.values()):
        needed = [*cell.parts, *(cell.ratio or ())]
        needed += [k for k in (cell.change_on_year, cell.last_year) if k]
        for key in needed:
            if key not in cells:
                raise LayoutError(f"{overview}: {cell.key} 引用的 {key} 不存在")
    equations = tuple(e for table in tables for e in _equations(table, cells))
    return Layout(
        name=declared.layout,
        title=declared.title,
        notice=declared.notice,
        years=declared.report_years,
        tables=tuple(tables),
        cells=cells,
        equations=equations,
    )


@cache
def layout_names() -> tuple[str, ...]:
    """The layouts there are, oldest first."""
    return tuple(sorted(path.stem for path in LAYOUTS.glob("*.yaml")))


def layout_of_year(year: int, overview: Path | None = None) -> Layout:
    """The layout in force for a report year.

    Raises LayoutError for a year before the form existed.
    """
    for name in layout_names():
        if year in load_layout(name).years:
            return load_layout(name, overview)
    first = min(load_layout(name).years.first for name in layout_names())
    raise LayoutError(f"{year} 年没有适用的报表格式;现有格式从 {first} 年起")
