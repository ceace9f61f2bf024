"""What a layout file and a city's overview file may say: the vocabulary of declarations.

`warehouse/forms/annual-report/layouts/2019.yaml` explains it by example; `warehouse/layout.py` makes cells and
equations of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import ConfigDict, Field

from warehouse.declared import Declared

Relation = Literal["=", ">="]
Units = Literal["organ", "website"]
Entered = Literal["count", "yes_no", "text"]


class Selection(Declared):
    """What picks a cell's records; given at any level, joined from the outside in.

    `blank_without` says where a cell is blank and not zero: without any record of the unit in the
    measure (`measure`), or without one that meets the cell's own condition (`cell`). `needs` is a
    condition over the core table of the measure: where no record at all meets it no source provides
    what the cell counts, and it is blank.
    """

    measure: str | None = None
    where: str | None = None
    sum: str | None = None
    unit: str | None = None
    decimals: int | None = None
    printed_decimals: int | None = None
    signed: bool | None = None
    article: str | None = None
    meaning: str | None = None
    blank_without: Literal["measure", "cell"] | None = None
    needs: str | None = None


class Ratio(Declared):
    """A rate in percent, or with `percent: false` an average such as days a case. Both sides are
    figures of their own, so both are always shown."""

    numerator: str
    denominator: str
    percent: bool = True


class Axis(Selection):
    """A row or a column, or a labelled group of them.

    `derived` on a group makes a subtotal of its members that the form does not print but
    the narrative quotes, such as 不予公开; on a row alone, a figure that is not printed. A row may
    show a `text`, a column of its measure, in place of a number; be a question (`yes_no`), whose
    quantity is 1 for yes and 0 for no; be an average or a rate of other cells (`ratio`); or be
    `entered` on record by a person, in the file that the layout names. An `optional` row may well
    be blank.
    """

    key: str
    label: str
    derived: bool = False
    text: str | None = None
    yes_no: bool = False
    ratio: Ratio | None = None
    entered: Entered | None = None
    optional: bool = False
    rows: list[Axis] = Field(default_factory=list)
    columns: list[Axis] = Field(default_factory=list)

    @property
    def members(self) -> list[Axis]:
        return self.rows or self.columns

    def leaves(self) -> Iterator[Axis]:
        """The rows or columns that are printed."""
        if not self.members and not self.derived:
            yield self
        for member in self.members:
            yield from member.leaves()


class Balance(Declared):
    """One rule of the form that holds for each row or each column of a table. `key` tells rules
    of one code in one table apart."""

    code: str
    key: str = ""
    each: Literal["row", "column"]
    rows: list[str] | None = None
    left: list[str]
    relation: Relation = "="
    right: list[str]
    message: str


class Block(Selection):
    """A part of a table with columns of its own."""

    key: str
    label: str = ""
    header: str = ""
    columns: list[Axis]
    rows: list[Axis]


class Table(Selection):
    """A statutory table. `print` says how its form is laid out on paper; a `list` is a line a row."""

    key: str
    title: str
    print: Literal["blocks", "grid", "line", "list"]
    corner: str = ""
    column_title: str = ""
    blocks: list[Block] = Field(default_factory=list)
    columns: list[Axis] = Field(default_factory=list)
    rows: list[Axis] = Field(default_factory=list)
    balance: list[Balance] = Field(default_factory=list)

    def all_blocks(self) -> list[Block]:
        """The table's blocks; a table without any is one block."""
        return self.blocks or [Block(key=self.key, columns=self.columns, rows=self.rows)]


class ReportYears(Declared):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    first: int = Field(alias="from")
    last: int | None = Field(default=None, alias="to")

    def __contains__(self, year: int) -> bool:
        return self.first <= year and (self.last is None or year <= self.last)


class Figure(Selection):
    """A figure of the narrative (`overview.<key>`), for each city's own file.

    Exactly one of `measure`, `sum_of`, `ratio`, `change_on_year`, `last_year` says where it
    comes from.
    """

    key: str
    label: str
    source: str = ""
    only_root: bool = False
    sum_of: list[str] = Field(default_factory=list)
    ratio: Ratio | None = None
    change_on_year: str | None = None
    last_year: str | None = None


class AddedRow(Declared):
    """A local row that a province adds to a statutory table, after a row of whatever depth: it
    stands in the same group, and the group's conditions hold for it too."""

    table: str
    block: str | None = None
    after: str
    row: Axis

    @property
    def place(self) -> str:
        """In words, for messages."""
        block = f" 的 {self.block}" if self.block else ""
        return f"表 {self.table}{block} 中没有行 {self.after}(要加入的行:{self.row.key})"


class LayoutFile(Declared):
    """A layout. `units` are what a form is of: organs, or websites below their organs; `entries`
    names the city's file of what is entered on record (`entries/<name>.csv`)."""

    layout: str
    title: str
    notice: str
    report_years: ReportYears
    units: Units = "organ"
    entries: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9-]*$")
    tables: list[Table]


class OverviewFile(Declared):
    title: str = "一、总体情况"
    money_decimals: int | None = Field(default=None, ge=0, le=6)
    figures: list[Figure] = Field(default_factory=list)
    added_rows: list[AddedRow] = Field(default_factory=list)
