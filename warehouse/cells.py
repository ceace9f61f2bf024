"""From a cell's declaration to its number and to the records behind it.

The one declaration in the layout gives the condition; this module is the only place where
it becomes SQL, so a number and its records cannot disagree.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from warehouse.layout import Cell, Equation, Layout, LayoutError
from warehouse.lots import lots_of
from warehouse.period import Period
from warehouse.reading import Reading, beside
from warehouse.sql import counted, quoted


@dataclass(frozen=True)
class OrganFilter:
    """Whose records: those of `ids`, or with `is_exclusion` all but those (records of unknown
    organs included)."""

    ids: tuple[str, ...] = ()
    is_exclusion: bool = True

    def condition(self) -> tuple[str, list[Any]]:
        """SQL to add to a WHERE, and its values."""
        if not self.ids and self.is_exclusion:
            return "", []
        if self.is_exclusion:
            return " AND (organ_id IS NULL OR organ_id NOT IN (SELECT unnest(?)))", [list(self.ids)]
        return " AND organ_id IN (SELECT unnest(?))", [list(self.ids)]

    def literal(self) -> str:
        """The same, to be read by a person."""
        if not self.ids and self.is_exclusion:
            return ""
        listed = ", ".join(quoted(organ_id) for organ_id in self.ids)
        if self.is_exclusion:
            return f"\n  AND (organ_id IS NULL OR organ_id NOT IN ({listed}))"
        return f"\n  AND organ_id IN ({listed})"


ALL_ORGANS = OrganFilter()


@dataclass(frozen=True)
class Record:
    """A record behind a figure: `quantity` is what it adds, `dates` its dates by column, `detail`
    what its measure says of it, if anything."""

    table: str
    source_system: str
    record_id: str
    organ_id: str | None
    record_on: date | None
    quantity: Decimal
    dates: dict[str, Any]
    detail: str = ""


def own_figures(
    reading: Reading, cells: Iterable[Cell], period: Period
) -> dict[str | None, dict[str, Decimal]]:
    """Every record-based cell by organ, from each organ's own records.

    One look at a measure, whatever the number of cells. Records without an organ come under
    None. Cells of a table that was never loaded are left out: missing, not zero.
    """
    figures: dict[str | None, dict[str, Decimal]] = defaultdict(dict)
    for measure, wanted in _by_measure(reading, cells).items():
        for organ_id, values in _by_organ(reading, measure, wanted, period):
            for cell, (value, asked) in zip(wanted, values, strict=True):
                if cell.blank_without == "cell" and (not asked or value is None):
                    continue
                figures[organ_id][cell.key] = Decimal(value or 0)
                if cell.is_yes_no:
                    figures[organ_id][asked_key(cell.key)] = Decimal(asked)
    return figures


_Values = list[tuple[Any, int]]
"""Of each cell what it comes to, None where no record gives a quantity, and how many records meet its
condition."""


def _by_organ(
    reading: Reading, measure: str, cells: Sequence[Cell], period: Period
) -> Iterator[tuple[str | None, _Values]]:
    """What the cells of one measure come to, by organ."""
    lots = lots_of(reading, measure, cells, period)
    if lots is None:
        yield from _by_organ_directly(reading, reading.measure(measure, period), cells)
        return
    met: dict[str | None, dict[int, tuple[Any, ...]]] = {
        organ_id: {}
        for (organ_id,) in reading.connection.execute(
            f"SELECT DISTINCT organ_id FROM {lots.name} ORDER BY organ_id"
        ).fetchall()
    }
    for organ_id, place, *values in reading.connection.execute(
        lots.met_sql("organ_id, ")
    ).fetchall():
        met[organ_id][place] = tuple(values)
    for organ_id, found in met.items():
        yield organ_id, lots.values(cells, found)


def _by_organ_directly(
    reading: Reading, relation: str, cells: Sequence[Cell]
) -> Iterator[tuple[str | None, _Values]]:
    """The same, asked cell by cell of all records. Raises LayoutError for a cell that cannot be asked."""
    asked = (
        f"{_aggregate(cell)} FILTER (WHERE {cell.where}), count(*) FILTER (WHERE {cell.where})"
        for cell in cells
    )
    for organ_id, *values in _rows_by_organ(reading, relation, cells, asked):
        yield organ_id, list(zip(values[::2], values[1::2], strict=True))


def _rows_by_organ(
    reading: Reading, relation: str, cells: Sequence[Cell], asked: Iterable[str]
) -> list[tuple[Any, ...]]:
    """What is asked for the cells, organ by organ. Raises LayoutError for a cell that cannot be asked."""
    columns = ", ".join(asked)
    sql = f"SELECT organ_id, {columns} FROM {relation} GROUP BY organ_id ORDER BY organ_id"
    try:
        return reading.connection.execute(sql).fetchall()
    except (duckdb.BinderException, duckdb.ParserException):
        _name_the_cell(reading, relation, cells)
        raise


def asked_key(key: str) -> str:
    """Under what key `own_figures` has how many were asked a question."""
    return f"{key}?"


def own_texts(
    reading: Reading, cells: Iterable[Cell], period: Period
) -> dict[str | None, dict[str, str]]:
    """Every cell that shows a text, by organ, from the organ's own records: of several records
    their texts in order, each once. Where no record has one the cell is left out."""
    texts: dict[str | None, dict[str, str]] = defaultdict(dict)
    for measure, wanted in _by_measure(reading, cells, are_texts=True).items():
        table = reading.measure(measure, period)
        asked = (
            f"string_agg(DISTINCT {cell.text}::VARCHAR, '、' ORDER BY {cell.text}::VARCHAR) "
            f"FILTER (WHERE {cell.where})"
            for cell in wanted
        )
        for organ_id, *values in _rows_by_organ(reading, table, wanted, asked):
            for cell, value in zip(wanted, values, strict=True):
                if value is not None:
                    texts[organ_id][cell.key] = value
    return texts


def whole_figures(reading: Reading, cells: Iterable[Cell], period: Period) -> dict[str, Decimal]:
    """Every record-based cell over all records, whosever they are: what the root must show."""
    figures: dict[str, Decimal] = {}
    for measure, wanted in _by_measure(reading, cells).items():
        lots = lots_of(reading, measure, wanted, period)
        if lots is None:
            columns = ", ".join(f"{_aggregate(c)} FILTER (WHERE {c.where})" for c in wanted)
            row = reading.connection.execute(
                f"SELECT {columns} FROM {reading.measure(measure, period)}"
            ).fetchone()
            assert row is not None
            values = list(row)
        else:
            rows = reading.connection.execute(lots.met_sql("")).fetchall()
            told = lots.values(wanted, {place: tuple(of) for place, *of in rows})
            values = [value for value, _ in told]
        figures |= {c.key: Decimal(v or 0) for c, v in zip(wanted, values, strict=True)}
    return figures


def _by_measure(
    reading: Reading, cells: Iterable[Cell], *, are_texts: bool = False
) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.measure and (cell.text is not None) == are_texts and is_loaded(reading, cell):
            found[cell.measure].append(cell)
    return found


def _name_the_cell(reading: Reading, table: str, cells: Iterable[Cell]) -> None:
    """Raises LayoutError for the first of the cells whose condition or quantity cannot run."""
    for cell in cells:
        try:
            reading.connection.execute(
                f"SELECT {_aggregate(cell)} FILTER (WHERE {cell.where}), any_value({cell.text or 1}) "
                f"FROM {table} LIMIT 0"
            )
        except duckdb.Error as error:
            taken = cell.text or cell.quantity
            asked = f"条件 {cell.where}" + (f"、取数 {taken}" if taken else "")
            reason = str(error).strip().splitlines()[0]
            raise LayoutError(
                f"单元格 {cell.key}: {asked} 不能用于取数口径 {cell.measure}:{reason}。"
                f"请改正报表格式,可用的列见 warehouse/measures/{cell.measure}.sql"
            ) from error


def is_loaded(reading: Reading, cell: Cell) -> bool:
    """Whether the table behind a record-based cell was ever loaded, with what the cell needs.

    Raises LayoutError where that is not a condition of the table.
    """
    if cell.measure is None:
        return False
    table = reading.measures[cell.measure].table
    if table not in reading.loaded_tables:
        return False
    if cell.needs is None:
        return True
    try:
        return reading.provides(table, cell.needs)
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise LayoutError(
            f"单元格 {cell.key}: needs 的条件 {cell.needs} 不能用于 {table}:{reason}。"
            f"请改正该数字的 needs,可用的列见 warehouse/core/{table.removeprefix('core.')}.sql"
        ) from error


def weights_sql(cells: Iterable[Cell]) -> list[str]:
    """SQL of what a record adds to each cell, over rows grouped by record."""
    return [
        f"coalesce(sum(CAST({cell.quantity or 1} AS DECIMAL(24, 6))) FILTER (WHERE {cell.where}), 0)"
        for cell in cells
    ]


def _aggregate(cell: Cell) -> str:
    return f"sum({cell.quantity})" if cell.quantity else "count(*)"


def _told_columns(reading: Reading, table: str) -> tuple[list[str], str]:
    """The dates of a measure's records beside their own, and SQL of what it says of each."""
    described = reading.connection.execute(f"DESCRIBE {table}").fetchall()
    kinds = {name: kind for name, kind, *_ in described}
    dates = [n for n, kind in kinds.items() if kind in ("DATE", "TIMESTAMP") and n != "record_on"]
    return dates, "coalesce(detail, '')" if "detail" in kinds else "''"


def count_records(
    reading: Reading, cells: Sequence[Cell], period: Period, organs: OrganFilter
) -> int:
    """How many records stand behind the cells together."""
    total = 0
    for cell in cells:
        organ_filter, values = organs.condition()
        row = reading.connection.execute(
            f"SELECT count(*) FROM {reading.measure(_measure(cell), period)} WHERE ({cell.where}){organ_filter}",
            values,
        ).fetchone()
        total += row[0] if row else 0
    return total


def records(
    reading: Reading,
    cells: Sequence[Cell],
    period: Period,
    organs: OrganFilter,
    *,
    limit: int,
    offset: int = 0,
) -> list[Record]:
    """The records behind the cells, oldest first, one page of them."""
    found: list[Record] = []
    for cell in cells:
        if len(found) >= limit:
            break
        measure = reading.measures[_measure(cell)]
        table = reading.measure(measure.name, period)
        dates, told = _told_columns(reading, table)
        organ_filter, values = organs.condition()
        columns = "".join(f", {name}" for name in dates)
        rows = reading.connection.execute(
            f"SELECT source_system, record_id, organ_id, record_on, {cell.quantity or 1}, {told}{columns} "
            f"FROM {table} WHERE ({cell.where}){organ_filter} "
            "ORDER BY record_on, source_system, record_id LIMIT ? OFFSET ?",
            [*values, limit - len(found), offset],
        ).fetchall()
        for source, record_id, organ_id, on, quantity, detail, *when in rows:
            found.append(
                Record(
                    measure.table,
                    source,
                    record_id,
                    organ_id,
                    on,
                    Decimal(quantity or 0),
                    dict(zip(dates, when, strict=True)),
                    detail,
                )
            )
        if len(cells) > 1:
            offset = max(0, offset - count_records(reading, [cell], period, organs))
    return found


def differing_records(
    reading: Reading,
    layout: Layout,
    equation: Equation,
    period: Period,
    organs: OrganFilter,
    limit: int = 200,
) -> tuple[int, list[Record]]:
    """The records that keep an equation from holding: those that weigh more on one side.

    Left minus right, record by record; `quantity` is the difference. A record counted on
    both sides, or on neither, drops out. Returns how many there are and the first of them.
    """
    weights: dict[str, list[str]] = defaultdict(list)
    table = ""
    for terms, side in ((equation.left, 1), (equation.right, -1)):
        for term in terms:
            cell = layout.cells[term.cell]
            if not cell.measure:
                return 0, []
            table = reading.measures[cell.measure].table
            source = reading.measure(cell.measure, period.before if term.years_back else period)
            weights[source].append(
                f"if({cell.where}, {side * term.sign} * ({cell.quantity or 1}), 0)"
            )
    organ_filter, given = organs.condition()
    # Most records drop out by what one measure says of them: they need not be put side by side.
    selects = [
        "FROM (SELECT source_system, record_id, organ_id, record_on, "
        f"{' + '.join(f'coalesce({one}, 0)' for one in of)} AS weight FROM {source}) "
        f"WHERE weight <> 0{organ_filter}"
        for source, of in weights.items()
    ]
    values = given * len(selects)
    sql = (
        "SELECT source_system, record_id, min(organ_id) AS organ_id, min(record_on) AS record_on, "
        "sum(weight) AS weight FROM (" + " UNION ALL ".join(selects) + ") "
        "GROUP BY source_system, record_id HAVING sum(weight) <> 0"
    )
    order = f"ORDER BY record_on, source_system, record_id LIMIT {limit}"
    rows = reading.connection.execute(counted(sql, order), values).fetchall()
    found = [
        Record(table, source, record_id, organ_id, on, Decimal(weight), {})
        for source, record_id, organ_id, on, weight, _ in rows
    ]
    return (rows[0][5] if rows else 0), found


def _measure(cell: Cell) -> str:
    if cell.measure is None:
        raise ValueError(f"{cell.key} 不直接取自记录")
    return cell.measure


_CORE_TABLE = re.compile(r"\bcore\.(\w+)")


def cell_sql(reading: Reading, cell: Cell, period: Period, organs: OrganFilter) -> str:
    """The SQL of a record-based cell, to be read and run by a person in the lake's DuckDB: at the
    reading's snapshot, with what is corrected and what is set aside."""
    measure = reading.measures[_measure(cell)]
    parts = [*(f"{made};\n" for made in beside(measure.sql)), measure.sql]
    names = sorted({name for part in parts for name in _CORE_TABLE.findall(part)})
    views = "".join(
        f"CREATE OR REPLACE TEMP VIEW {name}_as_counted AS\n"
        f"{reading.as_figures_see_it(f'core.{name}')};\n"
        for name in names
    )
    *made, sql = (_CORE_TABLE.sub(r"\1_as_counted", part) for part in parts)
    indented = sql.replace("\n", "\n    ")
    value = f"coalesce({_aggregate(cell)}, 0)" if cell.quantity else _aggregate(cell)
    if cell.text:
        value = f"string_agg(DISTINCT {cell.text}::VARCHAR, '、' ORDER BY {cell.text}::VARCHAR)"
    elif cell.blank_without == "cell":
        value = f"CASE WHEN count(*) > 0 THEN {value} END"
    return (
        f"SET VARIABLE year_start = DATE '{period.first}';\n"
        f"SET VARIABLE year_end = DATE '{period.last}';\n"
        f"{views}{''.join(made)}"
        f"WITH {measure.name} AS (\n    {indented}\n)\n"
        f"SELECT {value} AS value\nFROM {measure.name}\nWHERE ({cell.where}){organs.literal()};"
    )
