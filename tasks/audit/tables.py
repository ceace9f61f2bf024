"""The statutory tables of a report: every cell with its key, wherever and however it stands.

Rows are taken one after another, from ruled tables and from lines of text alike, and each
row says by its labels what it is. So it does not matter whether tables 二, 三 and 四 are three
tables, one, or cut by pages. What belongs to none of the three (pre-2019 statistics, lists)
is passed over; a row within them that no layout knows is kept as a local row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache

from tasks.audit.characters import plain
from tasks.audit.document import Block, Document, Place, RowCell
from tasks.audit.labels import Label, match, squeeze, wording, written
from tasks.audit.text_tables import text_rows
from warehouse.form import layout_names, load_layout
from warehouse.layout import Layout

TABLES = ("t2", "t3", "t4")
TABLE_NAMES = {"t2": "表二", "t3": "表三", "t4": "表四"}
APPLICANTS = [
    "natural_person", "commercial_enterprise", "research_institution", "public_welfare_organization",
    "legal_service_organization", "other_organization", "total",
]  # fmt: skip
REVIEWS = ("reconsideration", "litigation_direct", "litigation_after_reconsideration")
ENDINGS = ("upheld", "corrected", "other", "pending", "total")


@dataclass(frozen=True)
class CellReading:
    """A cell of the form as printed. `value` None is a blank; `note` says how it was read."""

    key: str
    text: str
    value: Decimal | None
    place: Place
    note: str = ""


@dataclass(frozen=True)
class ExtraRow:
    """A row inside a statutory table that no layout has, such as 其他主动公开文件."""

    table: str
    label: str
    values: tuple[str, ...]
    place: Place


@dataclass
class TableReading:
    """All that the tables of a report gave.

    `layout` is None when there is nothing to tell it by. `problems` are places within the
    statutory tables that could not be read, in Chinese; `blocks` are the lines of text that
    their rows stand in, read or not.
    """

    cells: dict[str, CellReading] = field(default_factory=dict)
    extra_rows: list[ExtraRow] = field(default_factory=list)
    problems: list[tuple[str, Place]] = field(default_factory=list)
    layout: Layout | None = None
    blocks: set[int] = field(default_factory=set)

    @property
    def figures(self) -> dict[str, Decimal | None]:
        """Cell key to value; blank cells are there with None, unseen cells are not."""
        return {key: cell.value for key, cell in self.cells.items()}


def read_tables(document: Document) -> TableReading:
    """The cells of tables 二, 三 and 四 in a document, and the layout they show."""
    reader = _TableRows()
    lines: list[tuple[int, str]] = []
    for number, block in enumerate(document.blocks):
        if block.grid is None:
            lines.append((number, block.text))
            continue
        for row in text_rows(lines):
            reader.take(row, is_text=True)
        lines = []
        for row in grid_rows(number, block):
            reader.take(row, is_text=False)
    for row in text_rows(lines):
        reader.take(row, is_text=True)
    reader.finish()
    return reader.reading


def grid_rows(number: int, block: Block) -> Iterable[list[RowCell]]:
    """The rows of a ruled table, each cell once and where it begins."""
    assert block.grid is not None
    for r, row in enumerate(block.grid.rows):
        cells: list[RowCell] = []
        seen: set[int] = set()
        for c, cell in enumerate(row):
            if cell is not None and id(cell) not in seen:
                seen.add(id(cell))
                place = Place(number, cell.row, cell.column)
                cells.append(RowCell(cell.text, place, c, own=_first_row(block, cell, r)))
        yield cells


def _first_row(block: Block, cell: object, row: int) -> bool:
    assert block.grid is not None
    return row == 0 or cell not in block.grid.rows[row - 1]


class _TableRows:
    """Keeps what the rows before have shown: which table, which columns."""

    def __init__(self) -> None:
        self.reading = TableReading()
        self._table = ""
        self._is_text = False
        self._header: dict[str, list[tuple[int, str]]] = {}
        self._header_open = False
        self._review_heads: dict[int, dict[str, str]] = {}
        self._money = ""
        self._second: set[str] = set()
        # Cells of table two read without its heads; those of a row under them are believed.
        self._headless: set[str] = set()
        # Rows of grids with other columns than their table's, and what was told of them.
        self._misfits: list[tuple[str, tuple[str, Place]]] = []
        self._block = -1

    def finish(self) -> None:
        """Settle the layout; what it does not have becomes a local row."""
        self.reading.layout = _layout_of(self.reading.cells)
        if self.reading.layout is None:
            self.reading.cells.clear()
            self.reading.extra_rows.clear()
            return
        known = _printed(self.reading.layout.name)
        for row, problem in self._misfits:
            # Read whole elsewhere: that was the table's row, or the rows of the group that it is
            # called by, and this one of another list.
            whole = {key for key in known if key.startswith((f"{row}.", f"{row}_"))}
            if whole and self.reading.cells.keys() >= whole:
                self.reading.problems.remove(problem)
        foreign: dict[tuple[str, str], list[CellReading]] = {}
        for key in [k for k in self.reading.cells if k not in known]:
            table, row, _ = key.split(".")
            foreign.setdefault((table, row), []).append(self.reading.cells.pop(key))
        for (table, row), cells in foreign.items():
            values = tuple(c.text.strip() for c in cells)
            self.reading.extra_rows.append(
                ExtraRow(table, _row_label(table, row), values, cells[0].place)
            )

    def take(self, row: list[RowCell], *, is_text: bool) -> None:
        """One row: a header, a line of figures, or none of ours."""
        self._is_text = is_text
        texts = [c for c in row if not _is_value(c)]
        # A figure left of every label is the row's serial number.
        labelled_from = min((c.column for c in texts), default=-1)
        own_values = [c for c in row if _is_value(c) and c.own and c.column > labelled_from]
        has_figures = any(written(c.text).value is not None for c in own_values)
        if not has_figures and self._take_header(row, texts):
            return
        # What is merged down from above into the figures labels no row.
        table, key, label_at = self._row_key([c for c in texts if c.own], len(own_values))
        if key is not None:
            values = [c for c in own_values if c.column > label_at]
            if values:
                self._take_row(table, key, values)
            return
        if has_figures and self._table == "t4" and (not texts or len(own_values) >= 15):
            self._take_review_line(own_values)
        elif has_figures and texts and self._block == texts[-1].place.block and not self._is_text:
            self._take_extra(texts, own_values)

    # Headers -----------------------------------------------------------------------------

    def _take_header(self, row: list[RowCell], texts: list[RowCell]) -> bool:
        """Column heads, if the row has any and no row label of its own."""
        heads, table = self._heads_in(texts)
        if table:
            self._open_header(table)
            self._header[table].extend(heads[table])
            if table == "t2":
                self._money = next((_money(c.text) for c in texts if _money(c.text)), "")
        elif any((label := match("rows", c.text)) and label.key_in("t4") for c in texts):
            self._open_header(table := "t4")
        elif self._header_open and self._table in ("t3", "t4") and heads[self._table]:
            table = self._table
            self._header[table].extend(heads[table])
        if table == "t4":
            self._note_review_heads(row)
        return bool(table)

    def _heads_in(self, texts: list[RowCell]) -> tuple[dict[str, list[tuple[int, str]]], str]:
        """The column heads in a row for each table, and the table that they are surely of."""
        heads: dict[str, list[tuple[int, str]]] = {t: [] for t in TABLES}
        sure: set[str] = set()
        for cell in texts:
            label = match("columns", cell.text)
            for table in TABLES:
                if label and (key := label.key_in(table)):
                    heads[table].append((cell.column, key))
                    sure |= set() if label.general else {table}
        if "t2" in sure and self._has_row_label(texts):
            sure.discard("t2")
        return heads, next((t for t in TABLES if t in sure), "")

    def _has_row_label(self, texts: list[RowCell]) -> bool:
        """A row label of table 二 beside its columns means a whole table flattened to a line."""
        return any(
            (label := match("rows", c.text)) is not None and label.key_in("t2") for c in texts
        )

    def _open_header(self, table: str) -> None:
        if not (self._header_open and self._table == table):
            self._header[table] = []
            if table == "t4":
                self._review_heads = {}
        self._table, self._header_open = table, True

    def _note_review_heads(self, row: list[RowCell]) -> None:
        for cell in row:
            column = match("columns", cell.text)
            group = match("rows", cell.text)
            heads = self._review_heads.setdefault(cell.column, {})
            if column and (key := column.key_in("t4")):
                heads["ending"] = key
            if group and (key := group.key_in("t4")):
                heads["review"] = key

    # Rows of figures -----------------------------------------------------------------------

    def _row_key(self, texts: list[RowCell], count: int) -> tuple[str, str | None, int]:
        """Table and key by the row's last label that says one, and where that label stands."""
        for cell in reversed(texts):
            label = match("rows", cell.text)
            if label is None:
                continue
            for table in TABLES:
                key = label.key_in(table)
                if key and self._may_be(table, key, label, count):
                    return table, key, cell.column
        return "", None, -1

    def _may_be(self, table: str, key: str, label: Label, count: int) -> bool:
        """Whether a label can open a row of that table here; general ones only in their own."""
        if table == "t4":
            return count == len(ENDINGS)
        return not label.general or table == self._table or (table, key) == ("t2", "regulation")

    def _take_row(self, table: str, key: str, values: list[RowCell]) -> None:
        self._table, self._header_open = table, False
        self._block = values[0].place.block
        if self._is_text:
            self.reading.blocks |= {v.place.block for v in values}
        if table == "t2":
            columns = self._header.get("t2") or list(enumerate(_default_columns(key, len(values))))
        elif table == "t3":
            columns = self._applicant_columns(values)
        else:
            columns = list(enumerate(ENDINGS))
        matched = _align(
            columns, values, by_column=bool(self._header.get(table)) and not self._is_text
        )
        if matched is not None and self._is_text and _lost_places(table, matched, values):
            matched = None
        if matched is None:
            self._take_misfit(table, key, values, len(columns))
            return
        if table == "t2" and not self._is_text and not self._header.get("t2"):
            self._headless |= {f"t2.{key}.{column}" for column, _ in matched} - set(
                self.reading.cells
            )
        elif table == "t2" and not self._is_text:
            self._forget_headless(key)
        for column, cell in matched:
            self._keep(f"{table}.{key}.{column}", cell)

    def _take_misfit(self, table: str, key: str, values: list[RowCell], count: int) -> None:
        """A row whose figures do not go with its table's columns, told where it has figures."""
        # 规章000: the figures of a row run together.
        runs_together = len(plain(values[0].text).strip()) >= count > 1
        if len(values) <= 1 and not runs_together and self._is_text:
            return
        listed = "、".join(v.text.strip() or "空" for v in values)
        row = f"{TABLE_NAMES[table]} {_row_label(table, key)}"
        problem = f"{row}:{len(values)} 个数对不上 {count} 列({listed})", values[0].place
        self.reading.problems.append(problem)
        if not self._is_text:
            self._misfits.append((f"{table}.{key}", problem))

    def _forget_headless(self, key: str) -> None:
        """A row under the table's own heads is the table's; what was taken for it before, of a list
        of figures whose labels are like the table's rows, was not."""
        for cell in [c for c in self._headless if c.split(".")[1] == key]:
            self._headless.discard(cell)
            del self.reading.cells[cell]

    def _applicant_columns(self, values: list[RowCell]) -> list[tuple[int, str]]:
        """The columns of table 三 as its heads stand, else in the form's order.

        Heads in lines of text do not stand above their figures, nor do they where merged cells
        lost their spans: then two share a column, one stands where there is no figure, or
        总计 stands among the applicants.
        """
        heads = sorted(set(self._header.get("t3", [])))
        named = [key for _, key in heads]
        form = APPLICANTS
        if set(named) == set(APPLICANTS[:-1]) and len(values) == len(APPLICANTS[:-1]):
            form = APPLICANTS[:-1]
        places = {at for at, _ in heads}
        is_clear = len(places) == len(heads) and places <= {v.column for v in values}
        is_ordered = named in (form, ["total", *form[:-1]])
        return heads if is_clear and is_ordered and not self._is_text else list(enumerate(form))

    def _take_review_line(self, values: list[RowCell]) -> None:
        """Table 四 prints its fifteen figures in one row under two or three rows of heads."""
        self._header_open = False
        headed = [v for v in values if self._heads_of(v.column)]
        if len(values) > 15 and len(headed) == 15:
            values = headed
        by_heads: dict[tuple[str, str], RowCell] = {}
        review = ""
        for cell in sorted(values, key=lambda c: c.column):
            heads = self._heads_of(cell.column)
            review = heads.get("review", review)
            if review and "ending" in heads:
                by_heads.setdefault((review, heads["ending"]), cell)
        # All fifteen, or a table of its own for reviews or for lawsuits.
        if len(by_heads) == len(values) and len(values) % len(ENDINGS) == 0:
            for (review, ending), cell in by_heads.items():
                self._keep(f"t4.{review}.{ending}", cell)
            return
        if (
            len(values) > 15
            and (filled := [v for v in values if v.text.strip()])
            and len(filled) == 15
        ):
            values = filled
        if len(values) == 15:
            keys = [(r, e) for r in REVIEWS for e in ENDINGS]
            for (review, ending), cell in zip(keys, values, strict=True):
                self._keep(f"t4.{review}.{ending}", cell)
        elif len(values) > 5:
            self.reading.problems.append((f"表四:{len(values)} 个数对不上 15 列", values[0].place))

    def _heads_of(self, column: int) -> dict[str, str]:
        return self._review_heads.get(column, {})

    def _take_extra(self, texts: list[RowCell], values: list[RowCell]) -> None:
        label = texts[-1].text.strip()
        if match("sections", label) is None or len(values) > 1:
            self.reading.extra_rows.append(
                ExtraRow(self._table, label, tuple(v.text.strip() for v in values), texts[-1].place)
            )

    def _keep(self, key: str, cell: RowCell) -> None:
        """A cell read; the first table of a kind is the report's own, a second one is told."""
        read = written(cell.text)
        if read.value is None and not read.is_blank:
            self.reading.problems.append((f"{key}:“{cell.text.strip()}”不是数", cell.place))
            return
        if key in self.reading.cells:
            before = self.reading.cells[key]
            if before.place != cell.place and before.value != read.value:
                table = key.split(".")[0]
                if table not in self._second:
                    self._second.add(table)
                    self.reading.problems.append(
                        (
                            f"{TABLE_NAMES[table]}又出现一张或一行,所列数与前面不同,按前面的核对",
                            cell.place,
                        )
                    )
            return
        value, note = read.value, "空白" if read.is_blank else ""
        units = wording()["money"].get(".".join([key.split(".")[0], key.split(".")[2]]), {})
        unit = read.unit or (self._money if units else "")
        if value is not None and unit in units and Decimal(units[unit]) != 1:
            value, note = value * Decimal(units[unit]), f"原文单位为{unit}"
        self.reading.cells[key] = CellReading(key, cell.text, value, cell.place, note)


def _money(text: str) -> str:
    """The unit that a column head names: 本年收费金额(单位:元)."""
    squeezed = squeeze(text)
    return next((u for u in ("亿元", "万元", "千元", "元") if squeezed.endswith(u)), "")


def _is_value(cell: RowCell) -> bool:
    read = written(cell.text)
    return read.is_blank or read.value is not None


def _default_columns(row: str, count: int) -> list[str]:
    """Columns of a row of table 二 that came without heads: the newest layout with so many."""
    for name in reversed(layout_names()):
        columns = [c.column for c in load_layout(name).printed("t2") if c.row == row]
        if len(columns) == count:
            return columns
    return []


def _lost_places(table: str, matched: list[tuple[str, RowCell]], values: list[RowCell]) -> bool:
    """Whether the figures of a line stand at its front and its blanks behind them.

    A page that drops empty cells leaves 3, 3 of 3, …, 3: whose the second is cannot be told.
    """
    texts = [cell.text.strip() for _, cell in matched]
    filled = [text for text in texts if text]
    if table == "t2" or not filled or len(filled) == len(texts):
        return False
    is_packed = not any(texts[len(filled) :])
    return is_packed and (len(values) > len(texts) or len(filled) > 1)


def _align(
    columns: list[tuple[int, str]], values: list[RowCell], *, by_column: bool
) -> list[tuple[str, RowCell]] | None:
    """Figures to columns: one each in order; else by where they stand; else not at all."""
    keys = [key for _, key in columns]
    if len(values) > len(keys):
        filled = [v for v in values if v.text.strip()]
        if len(filled) == len(keys):
            values = filled
    if len(values) == len(keys):
        return list(zip(keys, values, strict=True))
    # Blank cells that only pad the row at its end.
    if len(values) > len(keys) and all(not v.text.strip() for v in values[len(keys) :]):
        return list(zip(keys, values[: len(keys)], strict=True))
    if by_column:
        at = {cell.column: cell for cell in values}
        found = [(key, at[column]) for column, key in columns if column in at]
        return found if len(found) == len(keys) else None
    return None


@cache
def _printed(name: str) -> frozenset[str]:
    """The keys of the cells that stand in a layout's form; its subtotals do not."""
    return frozenset(c.key for table in TABLES for c in load_layout(name).printed(table))


def _row_label(table: str, row: str) -> str:
    """A row's label in whichever layout has it."""
    for name in layout_names():
        for cell in load_layout(name).printed(table):
            if cell.row == row:
                return cell.label
    return row


def _layout_of(cells: dict[str, CellReading]) -> Layout | None:
    """The layout most of whose cells are there; the newer one where nothing tells them apart.

    None when too little was found to be a statutory table at all.
    """
    if len(cells) < 3:
        return None
    scores = [(sum(1 for key in cells if key in _printed(name)), name) for name in layout_names()]
    return load_layout(max(scores)[1])
