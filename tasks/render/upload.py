"""The upload form as a workbook: one row an organ, sums and counts as values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.editions import figures as written
from tasks.editions.upload import UploadColumn, upload_of
from tasks.render.workbook import Formats, sheet_name, text_in
from tasks.wording.typeset import typeset
from tasks.wording.visible import visible
from warehouse.numbers import plain

if TYPE_CHECKING:
    from tasks.editions.edition import Edition, Organ

WIDTH, NAME_WIDTH, ROW_HEAD = 13, 30, 60


def write(edition: Edition, path: Path) -> None:
    """Write the upload form. The same edition gives the same bytes."""
    import xlsxwriter

    told = edition.definitions.upload if edition.definitions else None
    form = upload_of(told, edition.layout)
    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"author": edition.root.name, "created": edition.built_at})
    formats = Formats(book)
    sheet = book.add_worksheet(sheet_name(form.title))
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.set_row(0, ROW_HEAD)
    for at, column in enumerate(form.columns):
        sheet.set_column(at, at, NAME_WIDTH if column.organ in ("name", "parent") else WIDTH)
        text_in(sheet, 0, at, column.name, formats("column"))
    organs = [o for o in edition.organs if not form.kinds or o.kind in form.kinds]
    names = {organ.id: organ.name for organ in edition.organs}
    for row, organ in enumerate(organs, 1):
        figures = edition.cells.get((organ.id, form.scope), {})
        for at, column in enumerate(form.columns):
            if column.cell:
                _figure(sheet, formats, row, at, edition, organ, column, figures)
            else:
                text = column.text or _of_organ(organ, column.organ, names)
                sheet.write_string(row, at, text, formats("text"))
    sheet.repeat_rows(0)
    sheet.freeze_panes(1, 2)
    book.close()


def _figure(
    sheet: Any,
    formats: Formats,
    row: int,
    at: int,
    edition: Edition,
    organ: Organ,
    column: UploadColumn,
    figures: written.Figures,
) -> None:
    cell = edition.layout.cells[column.cell]
    shown = written.number(cell, figures.get(cell.key))
    words = written.text(cell, figures.get(cell.key)) if written.is_words(cell) else ""
    if words:
        sheet.write_string(row, at, visible(typeset(words)), formats("text"))
    elif shown is None or not edition.has_figure(cell, organ.id):
        sheet.write_blank(row, at, None, formats("number"))
    elif abs(shown) >= 10**15:
        sheet.write_string(row, at, plain(shown), formats("number"))
    else:
        sheet.write_number(row, at, float(shown), formats.number(cell, shown))


def _of_organ(organ: Organ, what: str, names: dict[str, str]) -> str:
    return {
        "": "", "id": organ.id, "name": organ.name, "kind": organ.kind,
        "parent": names.get(organ.parent_id or "", ""),
    }[what]  # fmt: skip
