"""The official forms as grids: one place that lays a table out for every output.

A grid is a list of boxes. A box stands at a row and column, spans some, and is a header, a
label, a section line or a number. What the spans are follows from the layout file alone;
the grid knows no form by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from tasks.editions import figures as written
from tasks.render.words import MISSING_NOTICE
from tasks.wording.typeset import lines_needed

if TYPE_CHECKING:
    from tasks.editions.edition import CellValue, Edition
    from tasks.editions.figures import Figures
    from warehouse.form import Section
    from warehouse.layout import Cell, Layout
    from warehouse.layout_file import Axis, Block, Table

_NUMBERED = re.compile("([一二三四五六七八九十]+)、")
Kind = Literal["corner", "header", "section", "label", "number"]
Orientation = Literal["portrait", "landscape"]

# Widths in half-width characters, as spreadsheets measure columns.
BLOCK_WIDTH = 22.0
OUTER_LABEL_WIDTH = 5.0
GROUP_LABEL_WIDTH = 13.0
LEAF_LABEL_WIDTH = 29.5
NUMBER_WIDTH = 8.4
LINE_WIDTH = 8.4
# Group, row, row of a group, and what stands there, of a form that is a list.
LIST_WIDTHS = (12.0, 14.0, 34.0, 38.0)
ENTERED = "※"
ENTERED_NOTICE = f"{ENTERED} 由人员登记，照登记的列出，登记人、日期和依据见“人工登记”"
# More rows do not fit on a page below others.
LONG_TABLE = 20
# Above this width a table is printed on its side.
PORTRAIT_WIDTH = 110.0


@dataclass(frozen=True)
class Box:
    """A rectangle of the grid; `cell` and `value` are set for numbers only."""

    row: int
    column: int
    kind: Kind
    text: str
    rows: int = 1
    columns: int = 1
    cell: Cell | None = None
    value: CellValue | None = None


@dataclass(frozen=True)
class Grid:
    """A statutory table ready to print. Boxes tile `row_count` × `column_count` exactly. `tables`
    are the keys of those that it is joined of; none where it is one. In a list every label says its
    own unit."""

    key: str
    title: str
    row_count: int
    header_rows: int
    label_columns: int
    widths: tuple[float, ...]
    boxes: tuple[Box, ...]
    unit: str = ""
    notes: tuple[str, ...] = field(default=())
    tables: tuple[str, ...] = ()
    is_list: bool = False

    @property
    def column_count(self) -> int:
        return len(self.widths)

    @property
    def orientation(self) -> Orientation:
        return "landscape" if sum(self.widths) > PORTRAIT_WIDTH else "portrait"

    @property
    def is_long(self) -> bool:
        """Whether it begins on a page of its own and is set closer, to stay in one piece."""
        return self.row_count > LONG_TABLE

    @property
    def short_title(self) -> str:
        """表二 for a title that begins with 二、; else the title."""
        numbered = _NUMBERED.match(self.title)
        return f"表{numbered[1]}" if numbered else self.title

    @property
    def numbers(self) -> list[Box]:
        return [box for box in self.boxes if box.kind == "number"]

    @property
    def missing(self) -> list[Box]:
        """The numbers that are not there and print blank."""
        return [box for box in self.numbers if not box.text]

    def lines(self) -> Iterator[list[Box]]:
        """The boxes row by row, each in the row where it begins, left to right."""
        rows: list[list[Box]] = [[] for _ in range(self.row_count)]
        for box in sorted(self.boxes, key=lambda b: (b.row, b.column)):
            rows[box.row].append(box)
        yield from rows

    def width_of(self, box: Box) -> float:
        return sum(self.widths[box.column : box.column + box.columns])

    def line_counts(self) -> list[int]:
        """Text lines each row needs, for outputs that cannot fit heights themselves."""
        needed = [1] * self.row_count
        for box in self.boxes:
            lines = lines_needed(box.text, self.width_of(box) - 1)
            if box.rows == 1:
                needed[box.row] = max(needed[box.row], lines)
        for box in self.boxes:
            if box.rows == 1:
                continue
            lines = lines_needed(box.text, self.width_of(box) - 1)
            short = lines - sum(needed[box.row : box.row + box.rows])
            if short > 0:
                needed[box.row + box.rows - 1] += short
        return needed


def grids(layout: Layout, figures: Figures) -> list[Grid]:
    """All statutory tables of a layout with one organ's figures in them."""
    return [grid(layout, table, figures) for table in layout.tables]


def section_grids(edition: Edition) -> list[tuple[Section, list[Grid]]]:
    """The sections of the form in order, each with its tables and the root's figures in them."""
    figures = edition.figures()
    return [
        (section, grids_of(edition.layout, section, tables, figures))
        for section, tables in edition.form.printed(edition.layout, edition.period)
    ]


def grids_of(layout: Layout, section: Section, tables: list[Table], figures: Figures) -> list[Grid]:
    """A section's tables with one organ's figures in them: one for all where they are joined."""
    if section.joined and tables:
        return [_joined(layout, section.heading, tables, figures)]
    return [grid(layout, table, figures) for table in tables]


def grid(layout: Layout, table: Table, figures: Figures) -> Grid:
    """One statutory table as the layout's `print` says. Raises KeyError for an unknown cell."""
    shape = {"blocks": _blocks, "grid": _grid, "line": _line, "list": _list}[table.print]
    return shape(layout, table, figures)


@dataclass(frozen=True)
class FlatTable:
    """A statutory table, or a block of one, without merged cells: a column carries its whole
    label in parts, a row its whole label except for the outermost group, which is a row of
    its own without figures. For outputs that know plain tables only."""

    title: str
    header: str
    columns: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def flat_tables(layout: Layout, table: Table, figures: Figures) -> list[FlatTable]:
    """The printed figures of a table as plain tables, one a block."""
    found = []
    for block in table.all_blocks():
        columns = list(_paths(block.columns))
        rows: list[tuple[str, tuple[str, ...]]] = []
        outermost = ""
        for path, row in _paths(block.rows):
            # Only a group of groups stands alone; a plain group is repeated in its rows.
            if len(path) > 1 and _depth(block.rows) > 2:
                if path[0] != outermost:
                    rows.append((path[0], ()))
                outermost, path = path[0], path[1:]
            keys = [f"{table.key}.{row}.{column}" for _, column in columns]
            texts = [written.text(layout.cells[key], figures.get(key)) for key in keys]
            rows.append((" · ".join(path), tuple(texts)))
        labels = tuple(path for path, _ in columns)
        found.append(FlatTable(block.label, block.header, labels, tuple(rows)))
    return found


def _paths(axes: list[Axis], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The labels above and of every leaf, and its key."""
    for axis in axes:
        path = (*above, axis.label)
        if axis.members:
            yield from _paths(axis.members, path)
        elif not axis.derived:
            yield path, axis.key


def _number(layout: Layout, figures: Figures, key: str, box: Box) -> Box:
    cell, value = layout.cells[key], figures.get(key)
    return Box(
        box.row,
        box.column,
        "number",
        written.text(cell, value),
        box.rows,
        box.columns,
        cell,
        value,
    )


def _finished(
    layout: Layout,
    table: Table,
    boxes: list[Box],
    *,
    rows: int,
    header_rows: int,
    label_columns: int,
    widths: tuple[float, ...],
    is_list: bool = False,
) -> Grid:
    units = {box.cell.unit for box in boxes if box.cell is not None}
    missing = [
        box.cell.full_label
        for box in boxes
        if box.cell is not None and not box.text and not box.cell.is_optional
    ]
    cells = [box.cell for box in boxes if box.cell is not None]
    # Counts need no unit; an amount does, unless its header says it.
    notes = [
        f"{cell.full_label}以{cell.unit}为单位"
        for cell in cells
        if len(units) > 1 and cell.decimals and cell.unit not in cell.column_label and not is_list
    ]
    if any(cell.entered for cell in cells):
        notes.append(ENTERED_NOTICE)
    if missing:
        named = "、".join(missing[:6]) + (f"等 {len(missing)} 项" if len(missing) > 6 else "")
        notes.append(f"{MISSING_NOTICE}:{named}")
    return Grid(
        key=table.key,
        title=table.title,
        row_count=rows,
        header_rows=header_rows,
        label_columns=label_columns,
        widths=widths,
        boxes=tuple(boxes),
        unit=units.pop() if len(units) == 1 and not is_list else "",
        notes=tuple(notes),
        is_list=is_list,
    )


def _spread(count: int, columns: int) -> list[tuple[int, int]]:
    """Start and span of `count` boxes over `columns`; the last takes what is left."""
    return [(i, 1 if i < count - 1 else columns - i) for i in range(count)]


def _blocks(layout: Layout, table: Table, figures: Figures) -> Grid:
    blocks: list[Block] = table.all_blocks()
    leaves = {block.key: [c for axis in block.columns for c in axis.leaves()] for block in blocks}
    width = max(len(columns) for columns in leaves.values())
    boxes: list[Box] = []
    row = 0
    for block in blocks:
        if block.label:
            boxes.append(Box(row, 0, "section", block.label, columns=width + 1))
            row += 1
        columns = leaves[block.key]
        places = _spread(len(columns), width)
        boxes.append(Box(row, 0, "header", block.header))
        for column, (start, span) in zip(columns, places, strict=True):
            boxes.append(Box(row, start + 1, "header", column.label, columns=span))
        row += 1
        for axis in (leaf for line in block.rows for leaf in line.leaves()):
            boxes.append(Box(row, 0, "label", axis.label))
            for column, (start, span) in zip(columns, places, strict=True):
                place = Box(row, start + 1, "number", "", columns=span)
                boxes.append(
                    _number(layout, figures, f"{table.key}.{axis.key}.{column.key}", place)
                )
            row += 1
    widths = (BLOCK_WIDTH,) * (width + 1)
    # Each block has its own header, so there is none to repeat on a second page.
    return _finished(layout, table, boxes, rows=row, header_rows=0, label_columns=1, widths=widths)


def _depth(axes: list[Axis]) -> int:
    return max((1 + _depth(axis.members) for axis in axes), default=0)


def _headers(axes: list[Axis], row: int, column: int, levels: int) -> Iterator[Box]:
    """Header boxes of a column tree; a leaf reaches down to the last header row."""
    for axis in axes:
        span = sum(1 for _ in axis.leaves())
        down = 1 if axis.members else levels
        yield Box(row, column, "header", axis.label, down, span)
        yield from _headers(axis.members, row + 1, column, levels - 1)
        column += span


def _labels(axes: list[Axis], row: int, column: int, levels: int) -> Iterator[Box]:
    """Label boxes of a row tree; a leaf reaches right to the last label column."""
    for axis in axes:
        span = sum(1 for _ in axis.leaves())
        if not span:
            continue
        across = 1 if axis.members else levels
        yield Box(row, column, "label", axis.label, span, across)
        yield from _labels(axis.members, row, column + 1, levels - 1)
        row += span


def _grid(layout: Layout, table: Table, figures: Figures) -> Grid:
    columns = [leaf for axis in table.columns for leaf in axis.leaves()]
    rows = [leaf for axis in table.rows for leaf in axis.leaves()]
    label_columns, levels = _depth(table.rows), _depth(table.columns)
    above = 1 if table.column_title else 0
    header_rows = levels + above
    boxes = [Box(0, 0, "corner", table.corner, header_rows, label_columns)]
    if table.column_title:
        boxes.append(Box(0, label_columns, "header", table.column_title, columns=len(columns)))
    boxes += _headers(table.columns, above, label_columns, levels)
    boxes += _labels(table.rows, header_rows, 0, label_columns)
    for down, line in enumerate(rows):
        for across, column in enumerate(columns):
            place = Box(header_rows + down, label_columns + across, "number", "")
            boxes.append(_number(layout, figures, f"{table.key}.{line.key}.{column.key}", place))
    labels = (OUTER_LABEL_WIDTH, GROUP_LABEL_WIDTH, LEAF_LABEL_WIDTH)
    narrow = (*labels[: label_columns - 1], LEAF_LABEL_WIDTH)[-label_columns:]
    return _finished(
        layout,
        table,
        boxes,
        rows=header_rows + len(rows),
        header_rows=header_rows,
        label_columns=label_columns,
        widths=(*narrow, *(NUMBER_WIDTH,) * len(columns)),
    )


def _line(layout: Layout, table: Table, figures: Figures) -> Grid:
    """All rows of the table side by side in one line of numbers."""
    columns = [leaf for axis in table.columns for leaf in axis.leaves()]
    rows = [leaf for axis in table.rows for leaf in axis.leaves()]
    levels = _depth(table.rows)
    boxes = []
    for box in _headers(table.rows, 0, 0, levels):
        boxes.append(
            Box(
                box.row,
                box.column * len(columns),
                "header",
                box.text,
                box.rows,
                box.columns * len(columns),
            )
        )
    for at, line in enumerate(rows):
        for across, column in enumerate(columns):
            place = at * len(columns) + across
            boxes.append(Box(levels, place, "header", column.label))
            boxes.append(
                _number(
                    layout,
                    figures,
                    f"{table.key}.{line.key}.{column.key}",
                    Box(levels + 1, place, "number", ""),
                )
            )
    return _finished(
        layout,
        table,
        boxes,
        rows=levels + 2,
        header_rows=levels + 1,
        label_columns=0,
        widths=(LINE_WIDTH,) * (len(columns) * len(rows)),
    )


def _list(layout: Layout, table: Table, figures: Figures) -> Grid:
    """A line a row: what it is, with its unit, and what stands there."""
    levels = _depth(table.rows)
    boxes = list(_list_boxes(layout, table, figures, 0, 0, levels))
    return _finished(
        layout,
        table,
        boxes,
        rows=sum(1 for axis in table.rows for _ in axis.leaves()),
        header_rows=0,
        label_columns=levels,
        widths=(*LIST_WIDTHS[:-1][-levels:], LIST_WIDTHS[-1]),
        is_list=True,
    )


def _joined(layout: Layout, heading: str, tables: list[Table], figures: Figures) -> Grid:
    """Several lists as one, each behind its title."""
    levels = max(_depth(table.rows) for table in tables)
    boxes: list[Box] = []
    row = 0
    for table in tables:
        count = sum(1 for axis in table.rows for _ in axis.leaves())
        boxes.append(Box(row, 0, "label", table.title, count))
        boxes += _list_boxes(layout, table, figures, row, 1, levels)
        row += count
    made = _finished(
        layout,
        tables[0],
        boxes,
        rows=row,
        header_rows=0,
        label_columns=levels + 1,
        widths=(LIST_WIDTHS[0], *LIST_WIDTHS[1:-1][-levels:], LIST_WIDTHS[-1]),
        is_list=True,
    )
    return replace(made, title=heading, tables=tuple(table.key for table in tables))


def _list_boxes(
    layout: Layout, table: Table, figures: Figures, row: int, column: int, levels: int
) -> Iterator[Box]:
    """The boxes of a list from a row and column on, its labels over `levels` columns."""
    leaves = [leaf for axis in table.rows for leaf in axis.leaves()]
    value = table.columns[0].key
    cells = [layout.cells[f"{table.key}.{leaf.key}.{value}"] for leaf in leaves]
    told = {(cell.label, at): _told(cell) for at, cell in enumerate(cells)}
    for box in _labels(table.rows, row, column, levels):
        yield replace(box, text=told.get((box.text, box.row - row), box.text))
    for at, cell in enumerate(cells):
        place = Box(row + at, column + levels, "number", "")
        yield _number(layout, figures, cell.key, place)


def _told(cell: Cell) -> str:
    """What a row of a list is called: with its unit, and marked where a person enters it."""
    unit = f"（单位：{cell.unit}）" if cell.unit else ""
    return f"{cell.label}{unit}{f' {ENTERED}' if cell.entered else ''}"
