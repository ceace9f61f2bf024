"""What organs filed against what their records give, as a workbook for the organ above them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.editions.filings import MOST_RECORDS
from tasks.render.workbook import Formats, text_in, wide_in
from tasks.wording.visible import visible
from warehouse.numbers import plain

if TYPE_CHECKING:
    from tasks.editions.edition import Edition, Organ
    from tasks.editions.filings import FiledCell

COLUMNS = ("机关", "数字", "单元格", "填报数", "按记录计算", "相差", "计入的记录")
WIDTHS = (28, 36, 34, 10, 12, 8, 60)


def write(
    edition: Edition,
    path: Path,
    organs: Sequence[Organ],
    filed: dict[str, tuple[FiledCell, ...]],
) -> None:
    """A sheet of what differs and one of every organ: what it filed, how much of it differs."""
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"author": edition.root.name, "created": edition.built_at})
    formats = Formats(book)
    sheet = book.add_worksheet("填报与计算不同")
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    for at, width in enumerate(WIDTHS):
        sheet.set_column(at, at, width)
    title = f"{edition.report_name}：各机关填报数与按记录计算数比较"
    wide_in(sheet, 0, 0, 0, len(COLUMNS) - 1, title, formats("title"))
    sheet.set_row(0, 34)
    for at, name in enumerate(COLUMNS):
        text_in(sheet, 1, at, name, formats("column"))
    row = 2
    for organ in organs:
        for cell in filed.get(organ.id, ()):
            if not cell.is_same:
                _line(sheet, formats, row, cell)
                row += 1
    if row == 2:
        wide_in(
            sheet, 2, 0, 2, len(COLUMNS) - 1, "填报数与按记录计算的数没有不同。", formats("note")
        )
    sheet.repeat_rows(1)
    sheet.freeze_panes(2, 1)
    _summary(book, formats, organs, filed)
    book.close()


def _line(sheet: object, formats: Formats, row: int, cell: FiledCell) -> None:
    named = "、".join(cell.records)
    if cell.record_count > MOST_RECORDS:
        named += f" 等（只列前 {MOST_RECORDS} 条）"
    texts = (cell.organ.name, cell.cell.full_label, cell.cell.key)
    for at, text in enumerate(texts):
        text_in(sheet, row, at, text, formats("text"))
    for at, value in ((3, cell.filed), (4, cell.computed), (5, cell.difference)):
        shown = "缺" if value is None else plain(value)
        text_in(sheet, row, at, shown, formats("center"))
    sheet.write_string(row, 6, visible(named), formats("text"))  # type: ignore[attr-defined]


def _summary(
    book: object,
    formats: Formats,
    organs: Sequence[Organ],
    filed: dict[str, tuple[FiledCell, ...]],
) -> None:
    sheet = book.add_worksheet("各机关填报情况")  # type: ignore[attr-defined]
    for at, (name, width) in enumerate((("机关", 34), ("填报的数字", 12), ("与计算不同", 12))):
        sheet.set_column(at, at, width)
        text_in(sheet, 0, at, name, formats("column"))
    for row, organ in enumerate(organs, 1):
        cells = filed.get(organ.id)
        different = sum(not cell.is_same for cell in cells or ())
        text_in(sheet, row, 0, organ.name, formats("text"))
        text_in(sheet, row, 1, f"{len(cells)}" if cells else "未填报", formats("center"))
        text_in(sheet, row, 2, f"{different}" if cells else "", formats("center"))
