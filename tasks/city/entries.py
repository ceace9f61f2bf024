"""What a person enters on record because no system holds it: `entries/<name>.csv` of the city's folder.

A line an entry: website, year, row of the form, value, who entered it, when, and on what ground
(国办函〔2018〕12号: security checks, drills, persons responsible …). Lines are only added: a later line
replaces an earlier one of the same row, an empty value withdraws it, and a line that is changed or
gone is refused, so that what an edition showed stays on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from tasks.city.csv_file import CityFileError, Line, csv_lines
from warehouse.form import Form, forms
from warehouse.layout import Cell, Layout

FOLDER = "entries"
COLUMNS = ("website_id", "year", "row", "value", "entered_by", "entered_on", "source")
YES_NO = {"是": Decimal(1), "否": Decimal(0)}
_WRITTEN = {"count": "0 或正整数", "yes_no": "是或否", "text": "文字"}
Row = tuple[Any, ...]
"""In the order of core.form_entry."""


@dataclass(frozen=True)
class _Rows:
    """The rows of a form that are entered, by layout."""

    form: Form
    layouts: tuple[Layout, ...]

    def of(self, year: int, row: str) -> Cell | None:
        """The cell of a row in the layout of a year."""
        for layout in self.layouts:
            if year in layout.years:
                return self.cells(layout).get(row)
        return None

    def cells(self, layout: Layout) -> Mapping[str, Cell]:
        return {f"{c.table}.{c.row}": c for c in layout.cells.values() if c.entered}

    def has_year(self, year: int) -> bool:
        return any(year in layout.years for layout in self.layouts)


def entry_files(city: Path) -> list[Path]:
    """The files of entries, in order."""
    return sorted((city / FOLDER).glob("*.csv"))


def read_entries(city: Path, websites: Iterable[str], *, today: date) -> list[Row]:
    """The entries of all files, in the order of core.form_entry.

    Raises CityFileError on a file that no form asks for, a missing column, a website that is not
    in the registry, a year or row that the form does not have, a value that is not of the row's
    kind, a missing person or ground, or a day that is no day, lies in the future, or before the
    line above.
    """
    files = entry_files(city)
    if not files:
        return []
    asked = _asked(city)
    known = frozenset(websites)
    rows: list[Row] = []
    for path in files:
        if path.stem not in asked:
            listed = "、".join(f"{name}.csv" for name in asked) or "(无)"
            raise CityFileError(f"{path}: 没有报表用到这一登记文件。可用的文件名:{listed}")
        rows += _of_file(path, asked[path.stem], known, today)
    return rows


def _asked(city: Path) -> dict[str, _Rows]:
    """What forms let persons enter, by the name of the file."""
    found: dict[str, _Rows] = {}
    for form in forms(city).values():
        layouts = tuple(form.layout(name) for name in form.layout_paths)
        for name in dict.fromkeys(layout.entries for layout in layouts if layout.entries):
            found[name] = _Rows(form, tuple(x for x in layouts if x.entries == name))
    return found


def _of_file(path: Path, rows: _Rows, websites: frozenset[str], today: date) -> list[Row]:
    found: list[Row] = []
    before: date | None = None
    for line in csv_lines(path, COLUMNS):
        on = _day(line, before, today)
        before = on
        website, cell = _place(line, rows, websites)
        text = line.values["value"]
        found.append(
            (path.stem, line.number, website, int(line.values["year"]), f"{cell.table}.{cell.row}")
            + (text or None, _value(line, cell, text), line.required("entered_by"), on)
            + (line.required("source"),)
        )
    return found


def _day(line: Line, before: date | None, today: date) -> date:
    line.required("entered_on")
    on = line.day("entered_on")
    if on > today:
        raise CityFileError(f"{line.place} entered_on:{on} 在今天({today})之后。请写登记的当天")
    if before is not None and on < before:
        raise CityFileError(
            f"{line.place} entered_on:{on} 早于上一行的 {before}。登记只在末尾追加,请写登记的当天"
        )
    return on


def _place(line: Line, rows: _Rows, websites: frozenset[str]) -> tuple[str, Cell]:
    """Whose row an entry is of."""
    website, year, row = (line.required(column) for column in ("website_id", "year", "row"))
    if website not in websites:
        raise CityFileError(f"{line.place} website_id:登记册中没有网站 {website}。见 websites.csv")
    if not (year.isdecimal() and rows.has_year(int(year))):
        raise CityFileError(
            f"{line.place} year:{year} 年没有{rows.form.short_title}。应为 {rows.form.first_year} "
            "年或以后的年度,如 2020"
        )
    cell = rows.of(int(year), row)
    if cell is None:
        listed = "、".join(
            f"{key}({c.full_label})"
            for layout in rows.layouts
            for key, c in rows.cells(layout).items()
        )
        raise CityFileError(f"{line.place} row:没有由人工登记的行 {row}。可登记:{listed}")
    return website, cell


def _value(line: Line, cell: Cell, text: str) -> Decimal | None:
    """The number that an entry stands for; None for words, and for an entry that is withdrawn."""
    if not text or cell.entered == "text":
        return None
    value = YES_NO.get(text) if cell.entered == "yes_no" else _count(text)
    if value is None:
        raise CityFileError(
            f"{line.place} value:{cell.full_label} 应填{_WRITTEN[str(cell.entered)]},现为“{text}”"
        )
    return value


def _count(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return (
        value if value.is_finite() and value >= 0 and value == value.to_integral_value() else None
    )


def refuse_changed(city: Path, rows: Sequence[Row], held: Sequence[Row]) -> None:
    """Raises CityFileError where an entry that is on record is not in its file as it was."""
    now = {(row[0], row[1]): row for row in rows}
    for row in held:
        name, number = row[0], row[1]
        if now.get((name, number)) == row:
            continue
        what = "已不在文件中" if (name, number) not in now else "与登记时不同"
        raise CityFileError(
            f"{city / FOLDER / f'{name}.csv'} 第 {number} 行:已登记的内容{what}"
            f"(登记时为 {row[2]},{row[3]},{row[4]},{row[5] or ''},{row[7]},{row[8]},{row[9]})。"
            "登记只增不改:请恢复这一行,在文件末尾追加一行改正;撤回的,value 留空"
        )
