"""A workbook (.xlsx, .xls, .ods) into a document: a sheet is its name and a table."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator
from typing import Any

from tasks.audit.document import Block, Document, UnreadableDocument, unfold

_PROSE = 40
"""Characters; a cell that stands alone in its row and is longer is a paragraph, not a title."""


def read_sheets(raw: bytes, name: str) -> Document:
    """The visible sheets of a workbook in order.

    Raises:
        UnreadableDocument: the file is damaged or locked.
    """
    import python_calamine as calamine

    try:
        workbook = calamine.CalamineWorkbook.from_filelike(io.BytesIO(raw))
        blocks = [
            block
            for sheet in workbook.sheets_metadata
            if sheet.visible == calamine.SheetVisibleEnum.Visible
            for block in _sheet(workbook.get_sheet_by_name(sheet.name))
        ]
    except calamine.PasswordError as error:
        raise UnreadableDocument("设有打开密码:请去掉密码后另存,再核对") from error
    except calamine.CalamineError as error:
        raise UnreadableDocument(f"不是有效的 Excel 或 ODS 表格({error})") from error
    return Document(name, "sheets", tuple(blocks))


def _sheet(sheet: Any) -> Iterator[Block]:
    rows = [[_written(value) for value in row] for row in sheet.to_python(skip_empty_area=False)]
    spans = {
        (top, left): (right - left + 1, bottom - top + 1)
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or ()
    }
    covered = {
        (top + down, left + across)
        for (top, left), (wide, high) in spans.items()
        for down in range(high)
        for across in range(wide)
    } - set(spans)
    laid: list[list[tuple[str, int, int]]] = []
    for r, row in enumerate(rows):
        told = [text for text in row if text]
        if len(told) == 1 and (len(told[0]) > _PROSE or not laid):
            if laid:
                yield Block(grid=unfold(laid))
                laid = []
            yield from (Block(text=line) for line in told[0].splitlines() if line.strip())
        elif told or laid:
            cells = enumerate(row)
            laid.append(
                [(t, *spans.get((r, c), (1, 1))) for c, t in cells if (r, c) not in covered]
            )
    if laid:
        yield Block(grid=unfold(laid))


def _written(value: Any) -> str:
    """A cell as a reader sees it: whole numbers without their point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value).strip()
