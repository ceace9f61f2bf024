"""A Word file (.docx) into a document: paragraphs and tables, tracked changes as accepted."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tasks.audit.document import Block, Document, UnreadableDocument, holds_prose, unfold

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_PICTURE = "{http://schemas.openxmlformats.org/drawingml/2006/picture}pic"
_FOOTNOTE = re.compile(r"[\[(【(]?\d{1,2}[\])】)]?|[①-⑳*※]+|注\d*")
# Deleted text, field codes, and the second copy that Word keeps of a text box.
_SKIPPED = {f"{_W}del", f"{_W}moveFrom", f"{_W}instrText", f"{_W}pPr", f"{_W}rPr", f"{_MC}Fallback"}
# What only wraps: content controls, insertions, text boxes.
_PASSED = {
    f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}moveTo", f"{_W}customXml", f"{_W}smartTag",
    f"{_W}txbxContent",
}  # fmt: skip


def read_docx(raw: bytes, name: str) -> Document:
    """The body of a Word file in reading order.

    Raises:
        UnreadableDocument: the file is damaged or no Word file.
    """
    import docx

    try:
        document: Any = docx.Document(io.BytesIO(raw))
    except Exception as error:
        # python-docx lets zip, XML and key errors through, whichever it meets first.
        raise UnreadableDocument(f"不是有效的 Word 文件({error})") from error
    title = document.core_properties.title or ""
    return Document(name, "docx", tuple(_blocks(document.element.body)), title)


def _blocks(parent: Element) -> Iterator[Block]:
    for element in parent:
        if element.tag == f"{_W}p":
            text = _text(element).strip()
            if text:
                yield Block(text=text)
            if next(element.iter(_PICTURE), None) is not None:
                yield Block(picture="图片")
            for box in element.iter(f"{_W}txbxContent"):
                if not any(a.tag in _SKIPPED for a in box.iterancestors()):
                    yield from _blocks(box)
        elif element.tag == f"{_W}tbl":
            yield from _table(element)
        elif element.tag in _PASSED:
            yield from _blocks(element)


def _text(element: Element) -> str:
    pieces: list[str] = []

    def collect(node: Element) -> None:
        for child in node:
            if child.tag in _SKIPPED or child.tag == f"{_W}txbxContent" or _is_hidden(child):
                continue
            if child.tag == f"{_W}t":
                pieces.append(child.text or "")
            elif child.tag in (f"{_W}tab", f"{_W}br", f"{_W}cr"):
                pieces.append("\t" if child.tag == f"{_W}tab" else "\n")
            elif child.tag == f"{_W}noBreakHyphen":
                pieces.append("-")
            else:
                collect(child)

    collect(element)
    return "".join(pieces)


def _is_hidden(run: Element) -> bool:
    """Whether a run is struck out, not shown, or the mark of a footnote."""
    look = run.find(f"{_W}rPr") if run.tag == f"{_W}r" else None
    if look is None:
        return False
    for name in ("strike", "dstrike", "vanish"):
        found = look.find(f"{_W}{name}")
        if found is not None and found.get(f"{_W}val") not in ("0", "false", "none"):
            return True
    raised = look.find(f"{_W}vertAlign")
    text = "".join(t.text or "" for t in run.iter(f"{_W}t"))
    is_raised = raised is not None and raised.get(f"{_W}val") == "superscript"
    return is_raised and _FOOTNOTE.fullmatch(text.strip()) is not None


def _under(parent: Element, tag: str) -> Iterator[Element]:
    """Rows of a table or cells of a row, through the wrappers between them."""
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in _PASSED:
            yield from _under(child, tag)


def _number(properties: Element | None, tag: str) -> int:
    found = properties.find(f"{_W}{tag}") if properties is not None else None
    value = found.get(f"{_W}val") if found is not None else None
    return max(int(value), 1) if value and value.isdigit() else 1


def _continues(cell: Element) -> bool:
    """Whether the cell is the lower part of one merged downwards."""
    merge = cell.find(f"{_W}tcPr/{_W}vMerge")
    return merge is not None and merge.get(f"{_W}val", "continue") == "continue"


def _table(table: Element) -> Iterator[Block]:
    rows = list(_under(table, f"{_W}tr"))
    cells = [cell for row in rows for cell in _under(row, f"{_W}tc")]
    if holds_prose(map(_text, cells)) or any(c.find(f".//{_W}tbl") is not None for c in cells):
        for cell in cells:
            yield from _blocks(cell)
        return
    # Word repeats a merged cell in every row; counting the repeats gives the rows it spans.
    laid: list[list[list[Any]]] = []
    above: dict[int, list[Any]] = {}
    for row in rows:
        column = _number_before(row)
        current: list[list[Any]] = [["", column, 1]] if column else []
        for cell in _under(row, f"{_W}tc"):
            wide = _number(cell.find(f"{_W}tcPr"), "gridSpan")
            if _continues(cell) and column in above:
                above[column][2] += 1
            else:
                paragraphs = [_text(p).strip() for p in cell.iter(f"{_W}p")]
                entry = ["\n".join(p for p in paragraphs if p), wide, 1]
                current.append(entry)
                above = {c: e for c, e in above.items() if c != column}
                above[column] = entry
            column += wide
        laid.append(current)
    yield Block(grid=unfold([[(t, w, h) for t, w, h in row] for row in laid]))


def _number_before(row: Element) -> int:
    """Columns that a row leaves out on its left."""
    found = row.find(f"{_W}trPr/{_W}gridBefore")
    value = found.get(f"{_W}val") if found is not None else None
    return int(value) if value and value.isdigit() else 0
