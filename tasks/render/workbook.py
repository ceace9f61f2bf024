"""The Excel workbook in the official layout: a sheet a table, findings, notes.

Made to be printed and filed: A4, one page wide, header rows repeated, edition and hash in
the footer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.result import SEVERITY_LABELS, STATUS_LABELS
from tasks.editions import figures as written
from tasks.render import account, entries
from tasks.render.entries import entry_lines
from tasks.render.findings import (
    OrganWork,
    by_who_must_act,
    check_text,
    open_codes,
    rule_title,
    summary,
    table_label,
    what_to_do,
)
from tasks.render.form import Grid, section_grids
from tasks.render.overview import overview_lines
from tasks.render.words import MISSING_NOTICE, NO_FIGURES, document_title, edition_facts, notice
from tasks.wording.typeset import balanced, lines_needed, typeset
from tasks.wording.visible import visible
from warehouse.numbers import plain

if TYPE_CHECKING:
    from tasks.editions.edition import Edition
    from warehouse.layout import Cell

A4 = 9
# Excel keeps 15 digits; a longer number is written as text so that none is lost.
LARGEST_NUMBER = Decimal(10) ** 15
LINE_POINTS = 14.5
FINDINGS_SHEET = "问题清单"
NOTES_SHEET = "编制说明"
# GB2312, so that a machine without the named font takes another Chinese one.
CHINESE_CHARSET = 134

_BODY = {
    "font_name": "宋体",
    "font_size": 10.5,
    "font_charset": CHINESE_CHARSET,
    "valign": "vcenter",
}
_TABLE = _BODY | {"border": 1, "text_wrap": True}
FORMATS: dict[str, dict[str, Any]] = {
    "title": {"font_name": "方正小标宋简体", "font_size": 18, "align": "center"},
    "subtitle": {"font_name": "仿宋", "font_size": 11, "align": "center"},
    "notice": {"font_name": "黑体", "font_size": 11, "align": "center", "font_color": "#9C1C1C"},
    "unit": {"font_name": "仿宋", "font_size": 10.5, "align": "right"},
    "note": {"font_name": "仿宋", "font_size": 10, "text_wrap": True, "valign": "top"},
    "heading": {"font_name": "黑体", "font_size": 12},
    "corner": {"border": 1, "text_wrap": True, "align": "center", "font_size": 10},
    "header": {"border": 1, "text_wrap": True, "align": "center"},
    "section": {"border": 1, "align": "center", "bold": True},
    "label": {"border": 1, "text_wrap": True, "align": "left"},
    "label_center": {"border": 1, "text_wrap": True, "align": "center"},
    "number": {"border": 1, "align": "center", "num_format": "0", "shrink": True},
    "text": {"border": 1, "text_wrap": True, "align": "left"},
    "center": {"border": 1, "text_wrap": True, "align": "center"},
    "date": {"border": 1, "align": "center", "num_format": "yyyy-mm-dd"},
    "column": {"border": 1, "text_wrap": True, "align": "center", "bold": True, "bg_color": "#EEF1F4"},
}  # fmt: skip


class Formats:
    """The workbook's formats, each made once; numbers get as many decimals as they have."""

    def __init__(self, book: Any) -> None:
        self.book = book
        # Where each figure is explained, by its key; see `_explained`.
        self.links: dict[str, str] = {}
        self.made: dict[tuple[str, str], Any] = {}

    def __call__(self, name: str, number_format: str = "") -> Any:
        key = (name, number_format)
        if key not in self.made:
            declared = _BODY | FORMATS[name]
            if number_format:
                declared |= {"num_format": number_format}
            self.made[key] = self.book.add_format(declared)
        return self.made[key]

    def number(self, cell: Cell, value: Decimal) -> Any:
        """Percentages with two decimals, other figures with as many as they have."""
        places = 2 if written.is_percentage(cell) else _decimals(value)
        if cell.printed_decimals and places:
            places = cell.printed_decimals
        return self("number", "0." + "0" * places if places else "0")


def _decimals(value: Decimal) -> int:
    return len(plain(value).partition(".")[2])


def sheet_name(title: str) -> str:
    """A table's title as a sheet name: at most 31 characters, none that Excel forbids."""
    return re.sub(r"[\[\]:*?/\\]", " ", typeset(title))[:31].strip("'")


def write(edition: Edition, path: Path) -> None:
    """Write the workbook of the root's figures. The same edition gives the same bytes."""
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties(
        {
            "title": typeset(document_title(edition)),
            "subject": f"版次 {edition.id}",
            "author": edition.root.name,
            "comments": f"cell hash {edition.cell_hash}",
            "created": edition.built_at,
        }
    )
    formats = Formats(book)
    formats.links = _explained(edition)
    work = by_who_must_act(edition)
    for section, tables in section_grids(edition):
        if section.figures:
            _overview(book, formats, edition, section.heading)
        for grid in tables:
            _table(book, formats, edition, grid)
    _findings(book, formats, edition, work)
    if lines := entry_lines(edition):
        _entries(book, formats, edition, lines)
    if edition.account:
        _account(book, formats, edition)
    _notes(book, formats, edition)
    book.close()


def _sheet(book: Any, edition: Edition, name: str, *, landscape: bool) -> Any:
    """A sheet with the print set-up that all share."""
    sheet = book.add_worksheet(name)
    sheet.set_paper(A4)
    if landscape:
        sheet.set_landscape()
    else:
        sheet.set_portrait()
    sheet.set_margins(left=0.6, right=0.6, top=0.75, bottom=0.85)
    sheet.center_horizontally()
    sheet.fit_to_pages(1, 0)
    sheet.hide_gridlines(2)
    sheet.set_footer(
        f'&L&"宋体"&8版次 {edition.id}  指纹 {edition.cell_hash[:12]}'
        f'&C&"宋体"&9第 &P 页，共 &N 页&R&"宋体"&8编制 {edition.built_at:%Y-%m-%d %H:%M}'
    )
    return sheet


def _heads(
    sheet: Any, formats: Formats, edition: Edition, title: str, last: int, unit: str = ""
) -> int:
    """Title lines over the table; gives the row at which the table begins."""
    wide_in(sheet, 0, 0, 0, last, title, formats("title"))
    sheet.set_row(0, 34)
    wide_in(
        sheet, 1, 0, 1, last, f"{edition.root.name}  {edition.period.label}", formats("subtitle")
    )
    sheet.set_row(1, 20)
    row = 2
    if notice(edition):
        wide_in(sheet, row, 0, row, last, notice(edition), formats("notice"))
        sheet.set_row(row, 18)
        row += 1
    if unit:
        wide_in(sheet, row, 0, row, last, f"单位：{unit}", formats("unit"))
        row += 1
    return row


def text_in(sheet: Any, row: int, column: int, text: str, style: Any) -> None:
    """A text for people, in Chinese punctuation."""
    sheet.write_string(row, column, visible(typeset(text)), style)


def wide_in(
    sheet: Any, row: int, column: int, last_row: int, last_column: int, text: str, style: Any
) -> None:
    """A text over several cells."""
    sheet.merge_range(row, column, last_row, last_column, visible(typeset(text)), style)


def _put(sheet: Any, formats: Formats, row: int, column: int, cell: Cell, value: Any) -> None:
    """A figure in its box: a number, an exact text where it is too long, or a blank; a click
    leads to its explanation."""
    words = written.text(cell, value) if written.is_words(cell) else ""
    number = None if words else written.number(cell, value)
    # Words under a link would be set as one, apart from the others.
    if cell.key in formats.links and number is not None:
        # The link first: what is written after it is what the cell holds.
        sheet.write_url(
            row, column, formats.links[cell.key], formats("number"), "", "看这个数字的定义"
        )
    if words:
        text_in(sheet, row, column, words, formats("center"))
    elif number is None:
        sheet.write_blank(row, column, None, formats("number"))
    elif abs(number) >= LARGEST_NUMBER:
        sheet.write_string(row, column, plain(number), formats("number"))
    else:
        sheet.write_number(row, column, float(number), formats.number(cell, number))


def _table(book: Any, formats: Formats, edition: Edition, grid: Grid) -> None:
    landscape = grid.orientation == "landscape"
    sheet = _sheet(book, edition, sheet_name(grid.title), landscape=landscape)
    last = grid.column_count - 1
    for column, width in enumerate(grid.widths):
        sheet.set_column(column, column, width)
    top = _heads(sheet, formats, edition, grid.title, last, grid.unit)
    for at, lines in enumerate(grid.line_counts()):
        sheet.set_row(top + at, max(22.0, LINE_POINTS * lines + 7))
    for box in grid.boxes:
        name: str = box.kind
        if box.kind == "label" and (box.rows > 1 or grid.label_columns == 1):
            name = "label_center"
        row, column = top + box.row, box.column
        if box.rows * box.columns > 1:
            end = (row + box.rows - 1, column + box.columns - 1)
            wide_in(sheet, row, column, *end, "", formats(name))
        if box.cell is not None:
            _put(sheet, formats, row, column, box.cell, box.value)
        else:
            text = box.text
            if box.kind == "header":
                text = balanced(text, grid.width_of(box) - 1)
            text_in(sheet, row, column, text, formats(name))
    if grid.header_rows:
        sheet.repeat_rows(top, top + grid.header_rows - 1)
        sheet.freeze_panes(top + grid.header_rows, grid.label_columns)
    row = _notes_under(sheet, formats, edition, grid, top + grid.row_count, last)
    sheet.print_area(0, 0, row - 1, last)


def _notes_under(
    sheet: Any, formats: Formats, edition: Edition, grid: Grid, row: int, last: int
) -> int:
    """What a reader of the printed sheet must know; gives the next free row."""
    notes = list(grid.notes)
    open_here = sum(
        f.key.partition(".")[2].partition(".")[0] in (grid.tables or (grid.key,))
        for f in edition.open_findings
        if f.organ_id == edition.root.id
    )
    if open_here:
        notes.append(f"本表有 {open_here} 项核对未通过，详见“{FINDINGS_SHEET}”")
    width = sum(grid.widths)
    for note in notes:
        wide_in(sheet, row, 0, row, last, f"注：{note}。", formats("note"))
        sheet.set_row(row, LINE_POINTS * lines_needed(note, width - 8) + 6)
        row += 1
    return row


def _overview(book: Any, formats: Formats, edition: Edition, heading: str) -> None:
    sheet = _sheet(book, edition, sheet_name(heading), landscape=False)
    now, before = edition.period.column, edition.period.column_before
    columns = ["序号", "指标", now, "单位", before, "增减", "分子", "分母", "来源与口径"]
    widths = [5.5, 31, 10.5, 5.5, 10.5, 12, 9.5, 9.5, 40]
    for at, width in enumerate(widths):
        sheet.set_column(at, at, width)
    top = _heads(sheet, formats, edition, f"{heading}（主要数字）", len(columns) - 1)
    for at, name in enumerate(columns):
        text_in(sheet, top, at, name, formats("column"))
    sheet.set_row(top, 24)
    lines = overview_lines(edition)
    for at, line in enumerate(lines, 1):
        row = top + at
        sheet.write_number(row, 0, at, formats("number"))
        text_in(sheet, row, 1, line.cell.label, formats("text"))
        _put(sheet, formats, row, 2, line.cell, line.value)
        text_in(sheet, row, 3, line.cell.unit, formats("center"))
        _put(sheet, formats, row, 4, line.cell, line.before)
        text_in(sheet, row, 5, line.change_text, formats("center"))
        for column, side in ((6, line.numerator), (7, line.denominator)):
            if side is None:
                sheet.write_blank(row, column, None, formats("center"))
            else:
                sheet.write_number(row, column, float(side), formats("number"))
        text_in(sheet, row, 8, line.origin, formats("text"))
        needed = max(
            lines_needed(line.origin, widths[8] - 1),
            lines_needed(line.cell.label, widths[1] - 1),
        )
        sheet.set_row(row, max(20.0, LINE_POINTS * needed + 6))
    row = top + len(lines) + 1
    if not lines:
        wide_in(sheet, row, 0, row, len(columns) - 1, NO_FIGURES, formats("note"))
        row += 1
    for note in (
        "百分数一律截取两位小数；与四舍五入不同的，在“来源与口径”中注明",
        MISSING_NOTICE,
    ):
        wide_in(sheet, row, 0, row, len(columns) - 1, f"注：{note}。", formats("note"))
        sheet.set_row(row, LINE_POINTS + 4)
        row += 1
    sheet.repeat_rows(top)
    sheet.freeze_panes(top + 1, 2)
    sheet.print_area(0, 0, row - 1, len(columns) - 1)


def _findings(book: Any, formats: Formats, edition: Edition, work: list[OrganWork]) -> None:
    """One line a record (or a finding without one), by the organ that must act."""
    sheet = _sheet(book, edition, FINDINGS_SHEET, landscape=True)
    columns = ["应处理机关", "规则", "级别", "结果", "来源系统", "记录类别", "记录编号", "日期", "不符之处", "涉及的核对"]  # fmt: skip
    widths = [26, 11, 6, 6, 10, 12, 30, 12, 34, 42]
    for at, width in enumerate(widths):
        sheet.set_column(at, at, width)
    last = len(columns) - 1
    wide_in(sheet, 0, 0, 0, last, FINDINGS_SHEET, formats("title"))
    sheet.set_row(0, 34)
    told = summary(edition)
    wide_in(sheet, 1, 0, 1, last, told, formats("subtitle"))
    sheet.set_row(1, 20)
    top = 2
    if notice(edition):
        wide_in(sheet, 2, 0, 2, last, notice(edition), formats("notice"))
        top = 3
    for at, name in enumerate(columns):
        text_in(sheet, top, at, name, formats("column"))
    sheet.set_row(top, 22)
    row = top + 1
    for line in findings_lines(edition, work):
        for column, value in enumerate(line):
            style = "text" if column in (0, 8, 9) else "center"
            if column == 7 and value:
                sheet.write_datetime(row, column, value, formats("date"))
            elif column in EXACT_COLUMNS:
                sheet.write_string(row, column, visible(value), formats(style))
            else:
                text_in(sheet, row, column, value or "", formats(style))
        needed = max(
            lines_needed(str(value), widths[column] - 1)
            for column, value in enumerate(line)
            if column != 7
        )
        sheet.set_row(row, min(400.0, max(20.0, LINE_POINTS * needed + 6)))
        row += 1
    if row == top + 1:
        wide_in(sheet, row, 0, row, last, "没有需要处理的问题。", formats("note"))
        row += 1
    else:
        sheet.autofilter(top, 0, row - 1, last)
    sheet.repeat_rows(top)
    sheet.freeze_panes(top + 1, 1)
    sheet.print_area(0, 0, row - 1, last)


MOST_CHECKS_NAMED = 2
# Source and record id are printed as they are, to be found again.
EXACT_COLUMNS = (4, 6)


def findings_lines(edition: Edition, work: list[OrganWork]) -> list[list[Any]]:
    """The lines of the findings sheet; the eighth column is a date or None."""
    lines: list[list[Any]] = []
    for organ in work:
        for item in organ.records:
            record = item.record
            first = item.findings[0]
            messages = item.messages(edition)
            named = ";".join(messages[:MOST_CHECKS_NAMED])
            if len(messages) > MOST_CHECKS_NAMED:
                named += f"；等 {len(messages)} 项"
            lines.append(
                [
                    organ.organ_name,
                    "、".join(item.codes),
                    SEVERITY_LABELS[item.severity],
                    STATUS_LABELS[first.status],
                    record.source_system,
                    table_label(record.table),
                    record.record_id,
                    record.record_on,
                    item.detail,
                    named,
                ]
            )
        for finding in organ.findings:
            text = check_text(finding)
            told = f"{text}({finding.equation})" if finding.equation else text
            lines.append(
                [
                    organ.organ_name,
                    finding.code,
                    SEVERITY_LABELS[finding.severity],
                    STATUS_LABELS[finding.status],
                    "",
                    "",
                    "",
                    None,
                    "没有可指明的记录",
                    told,
                ]
            )
    return lines


def _entries(book: Any, formats: Formats, edition: Edition, lines: Sequence[Sequence[str]]) -> None:
    """What persons entered on record."""
    sheet = _sheet(book, edition, entries.TITLE, landscape=True)
    widths = (34, 12, 70, 30, 10)
    last = len(widths) - 1
    for at, width in enumerate(widths):
        sheet.set_column(at, at, width)
    wide_in(sheet, 0, 0, 0, last, entries.TITLE, formats("title"))
    sheet.set_row(0, 34)
    wide_in(sheet, 1, 0, 1, last, entries.EXPLAINED, formats("text"))
    sheet.set_row(1, 24)
    for at, name in enumerate(entries.HEADS):
        text_in(sheet, 2, at, name, formats("column"))
    for row, line in enumerate(lines, 3):
        for at, value in enumerate(line):
            # The file and its line are printed as they are, to be found again.
            put = sheet.write_string if at >= last - 1 else partial(text_in, sheet)
            put(row, at, value, formats("text" if at in (0, 2, 3) else "center"))
        needed = max(lines_needed(v, w - 1) for v, w in zip(line, widths, strict=True))
        sheet.set_row(row, max(19.0, LINE_POINTS * needed + 5))
    sheet.repeat_rows(2)
    sheet.freeze_panes(3, 1)
    sheet.print_area(0, 0, 2 + len(lines), last)


def _account(book: Any, formats: Formats, edition: Edition) -> None:
    """Where every record of each list went."""
    sheet = _sheet(book, edition, account.TITLE, landscape=True)
    heads = account.heads(edition)
    last = len(heads)
    sheet.set_column(0, 0, 40)
    sheet.set_column(1, last, 11)
    wide_in(sheet, 0, 0, 0, last, account.TITLE, formats("title"))
    sheet.set_row(0, 34)
    wide_in(sheet, 1, 0, 1, last, account.EXPLAINED, formats("text"))
    sheet.set_row(1, 36)
    for at, name in enumerate(["来源、资源与记录", *(label for _, label in heads)]):
        text_in(sheet, 2, at, name, formats("column"))
    row = 2
    for name, numbers, is_balanced in account.lines(edition):
        row += 1
        text_in(sheet, row, 0, name if is_balanced else f"{name}(账目不符)", formats("text"))
        for at, number_ in enumerate(numbers, start=1):
            if number_ is None:
                text_in(sheet, row, at, "—", formats("text"))
            else:
                sheet.write_number(row, at, number_, formats("number", "#,##0"))
        sheet.set_row(row, 19.0)
    sheet.repeat_rows(2)
    sheet.print_area(0, 0, row, last)


def _notes(book: Any, formats: Formats, edition: Edition) -> None:
    """What this edition is, and every cell's definition in words with its article."""
    sheet = _sheet(book, edition, NOTES_SHEET, landscape=False)
    columns = ["数字", "所在列", "定义", "依据", "单位", "键"]
    widths = [28, 16, 42, 22, 6, 34]
    for at, width in enumerate(widths):
        sheet.set_column(at, at, width)
    last = len(columns) - 1
    wide_in(sheet, 0, 0, 0, last, NOTES_SHEET, formats("title"))
    sheet.set_row(0, 34)
    row = 1
    for name, value in edition_facts(edition):
        text_in(sheet, row, 0, name, formats("text"))
        wide_in(sheet, row, 1, row, last, value, formats("text"))
        needed = lines_needed(value, sum(widths[1:]) - 2)
        sheet.set_row(row, max(19.0, LINE_POINTS * needed + 5))
        row += 1
    row = _rules(sheet, formats, edition, row + 1, widths)
    row += 1
    wide_in(sheet, row, 0, row, last, "各数字的定义", formats("heading"))
    row += 1
    top = row
    for at, name in enumerate(columns):
        text_in(sheet, row, at, name, formats("column"))
    for line in written.definitions_by_line(edition.layout):
        row += 1
        values = [line.label, line.columns, line.words, line.article, line.unit, line.key]
        for at, value in enumerate(values):
            # The last is the key, printed as it is.
            put = sheet.write_string if at == last else partial(text_in, sheet)
            put(row, at, value, formats("text"))
        needed = max(lines_needed(v, w - 1) for v, w in zip(values, widths, strict=True))
        sheet.set_row(row, max(19.0, LINE_POINTS * needed + 5))
    sheet.repeat_rows(top)
    sheet.print_area(0, 0, row, last)


def _explained(edition: Edition) -> dict[str, str]:
    """Where the notes explain each figure: links within the workbook, by cell key."""
    codes = [code for code in open_codes(edition) if rule_title(edition, code)]
    row = _first_definition(len(edition_facts(edition)), len(codes))
    places = {}
    for at, line in enumerate(written.definitions_by_line(edition.layout), row):
        places[line.key] = f"internal:'{NOTES_SHEET}'!A{at + 1}"
    found = {}
    for cell in edition.layout.cells.values():
        place = places.get(cell.key) or places.get(f"{cell.table}.{cell.row}.*")
        if place:
            found[cell.key] = place
    return found


def _first_definition(facts: int, rules: int) -> int:
    """The row (from 0) of the first definition in the notes: behind the title, the facts, the
    rules with their heading, and two headings of its own."""
    return 1 + facts + 1 + (rules + 1 if rules else 0) + 3


def _rules(
    sheet: Any, formats: Formats, edition: Edition, row: int, widths: Sequence[float]
) -> int:
    """The rules with open findings and what to do about them; gives the next free row."""
    codes = [code for code in open_codes(edition) if rule_title(edition, code)]
    if not codes:
        return row
    last = len(widths) - 1
    wide_in(sheet, row, 0, row, last, "未通过的规则和处理办法", formats("heading"))
    for code in codes:
        row += 1
        told = what_to_do(edition, code)
        text_in(sheet, row, 0, f"{code} {rule_title(edition, code)}", formats("text"))
        wide_in(sheet, row, 1, row, last, told, formats("text"))
        needed = max(
            lines_needed(told, sum(widths[1:]) - 2),
            lines_needed(f"{code} {rule_title(edition, code)}", widths[0] - 1),
        )
        sheet.set_row(row, max(19.0, LINE_POINTS * needed + 5))
    return row + 1
