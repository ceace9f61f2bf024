"""An OpenDocument text (.odt) into a document: paragraphs and tables, changes as accepted."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tasks.audit.document import Block, Document, UnreadableDocument, holds_prose, unfold

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_URN = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_TEXT, _TABLE, _OFFICE, _DRAW = (_URN % n for n in ("text", "table", "office", "drawing"))
_STYLE = _URN % "style"
_SKIPPED = {f"{_TEXT}tracked-changes", f"{_TEXT}note", f"{_OFFICE}annotation"}
_ROWS = {f"{_TABLE}table-header-rows", f"{_TABLE}table-rows", f"{_TABLE}table-row-group"}


def read_odt(raw: bytes, name: str) -> Document:
    """The body of an OpenDocument text in reading order.

    Raises:
        UnreadableDocument: the file is damaged or holds no text.
    """
    import lxml.etree

    try:
        content = zipfile.ZipFile(io.BytesIO(raw)).read("content.xml")
        root = lxml.etree.fromstring(content)
    except (KeyError, zipfile.BadZipFile, lxml.etree.XMLSyntaxError) as error:
        raise UnreadableDocument(
            f"不是有效的 OpenDocument 文件:请另存为 Word(.docx)后再核对({error})"
        ) from error
    body = root.find(f".//{_OFFICE}text")
    if body is None:
        raise UnreadableDocument("OpenDocument 文件里没有正文:请另存为 Word(.docx)后再核对")
    return Document(name, "odt", tuple(_blocks(body, _hidden_styles(root))))


def _hidden_styles(root: Element) -> set[str]:
    """Names of styles whose text is struck out or not shown."""
    return {
        style.get(f"{_STYLE}name") or ""
        for style in root.iter(f"{_STYLE}style")
        for look in style.iter(f"{_STYLE}text-properties")
        if look.get(f"{_STYLE}text-line-through-style") not in (None, "none")
        or look.get(f"{_TEXT}display") == "none"
    }


def _blocks(parent: Element, hidden: set[str]) -> Iterator[Block]:
    for element in parent:
        if element.tag in (f"{_TEXT}p", f"{_TEXT}h"):
            if text := _text(element, hidden).strip():
                yield Block(text=text)
            if next(element.iter(f"{_DRAW}image"), None) is not None:
                yield Block(picture="图片")
        elif element.tag == f"{_TABLE}table":
            yield from _table(element, hidden)
        elif element.tag not in _SKIPPED:
            yield from _blocks(element, hidden)


def _text(element: Element, hidden: set[str]) -> str:
    pieces = [element.text or ""]
    for child in element:
        is_shown = child.tag not in _SKIPPED and child.get(f"{_TEXT}style-name") not in hidden
        if child.tag == f"{_TEXT}s":
            pieces.append(" " * int(child.get(f"{_TEXT}c") or 1))
        elif child.tag in (f"{_TEXT}tab", f"{_TEXT}line-break"):
            pieces.append("\t" if child.tag.endswith("tab") else "\n")
        elif isinstance(child.tag, str) and is_shown:
            pieces.append(_text(child, hidden))
        pieces.append(child.tail or "")
    return "".join(pieces)


def _rows(table: Element) -> Iterator[Element]:
    for child in table:
        if child.tag == f"{_TABLE}table-row":
            yield child
        elif child.tag in _ROWS:
            yield from _rows(child)


def _table(table: Element, hidden: set[str]) -> Iterator[Block]:
    laid: list[list[tuple[str, int, int]]] = []
    for row in _rows(table):
        cells: list[tuple[str, int, int]] = []
        for cell in row.findall(f"{_TABLE}table-cell"):
            paragraphs = (_text(p, hidden).strip() for p in cell.iter(f"{_TEXT}p"))
            text = "\n".join(p for p in paragraphs if p)
            wide = int(cell.get(f"{_TABLE}number-columns-spanned") or 1)
            high = int(cell.get(f"{_TABLE}number-rows-spanned") or 1)
            cells += [(text, wide, high)] * int(cell.get(f"{_TABLE}number-columns-repeated") or 1)
        laid.append(cells)
    if holds_prose(text for row in laid for text, _, _ in row):
        for cell in table.iter(f"{_TABLE}table-cell"):
            yield from _blocks(cell, hidden)
    elif laid:
        yield Block(grid=unfold(laid))
