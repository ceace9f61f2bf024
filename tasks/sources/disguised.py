"""Workbooks that are none: the HTML table or XML sheet that a system calls .xls.

Many systems "export to Excel" by sending a page under another name. Office programs open it, so
offices keep such files without knowing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tasks.sources.decode import decode_text

Range = tuple[tuple[int, int], tuple[int, int]]
Table = tuple[str, list[list[Any]], list[Range]]
_ZIP, _OLE = b"PK", b"\xd0\xcf\x11\xe0"


def is_disguised(content: bytes) -> bool:
    """Whether the bytes are neither of the two forms in which office programs keep workbooks."""
    return not content.startswith((_ZIP, _OLE))


def tables_of(content: bytes) -> list[Table]:
    """Name, cells and merged ranges of every table; none when the content is no markup."""
    from lxml import etree, html

    text = decode_text(content).lstrip("\ufeff \r\n\t")
    if not text.startswith("<"):
        return []
    # A declared encoding is that of the bytes; here it is text already.
    markup = text.partition("?>")[2] if text.startswith("<?xml") else text
    if "urn:schemas-microsoft-com:office:spreadsheet" in markup[:4000]:
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, recover=True, remove_pis=True
        )
        root = etree.fromstring(markup.strip().encode(), parser)
        return [
            _laid_out(_attribute(sheet, "Name") or "", _xml_rows(sheet))
            for sheet in root.iter("{*}Worksheet")
        ]
    return [_laid_out("", _html_rows(table)) for table in html.fromstring(markup).iter("table")]


def _html_rows(table: Any) -> Iterator[list[tuple[int | None, int, int, str]]]:
    for row in table.iter("tr"):
        yield [
            (None, _span(cell.get("colspan")), _span(cell.get("rowspan")), _text(cell))
            for cell in row
            if cell.tag in ("td", "th")
        ]


def _xml_rows(sheet: Any) -> Iterator[list[tuple[int | None, int, int, str]]]:
    at = 0
    for row in sheet.iter("{*}Row"):
        number = int(_attribute(row, "Index") or at + 1)
        for _ in range(number - at - 1):
            yield []
        at = number
        yield [
            (
                int(_attribute(cell, "Index") or 0) or None,
                int(_attribute(cell, "MergeAcross") or 0) + 1,
                int(_attribute(cell, "MergeDown") or 0) + 1,
                "".join(data.xpath("string()") for data in cell.iter("{*}Data")),
            )
            for cell in row.iter("{*}Cell")
        ]


def _laid_out(name: str, rows: Iterator[list[tuple[int | None, int, int, str]]]) -> Table:
    """Cells put where they stand: those of a span take room in the rows below."""
    cells: dict[tuple[int, int], str] = {}
    taken: set[tuple[int, int]] = set()
    merged: list[Range] = []
    height = width = 0
    for top, row in enumerate(rows):
        left = 0
        for place, across, down, text in row:
            left = place - 1 if place is not None else left
            while (top, left) in taken:
                left += 1
            cells[top, left] = text
            if across > 1 or down > 1:
                merged.append(((top, left), (top + down - 1, left + across - 1)))
                taken.update(
                    (y, x) for y in range(top, top + down) for x in range(left, left + across)
                )
            left += across
            width, height = max(width, left), max(height, top + down)
        height = max(height, top + 1)
    grid = [[cells.get((y, x)) for x in range(width)] for y in range(height)]
    return name, grid, merged


def _text(cell: Any) -> str:
    return str(cell.xpath("string()")).replace("\xa0", " ").strip()


def _span(value: str | None) -> int:
    return max(int(value), 1) if value and value.isdigit() else 1


def _attribute(element: Any, name: str) -> str | None:
    return next((v for k, v in element.attrib.items() if k.rpartition("}")[2] == name), None)
