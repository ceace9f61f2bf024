"""A page saved from a government site into a document.

The report stands among menus and footers; tables used for the page's design are told from
tables that hold figures; what an office program pastes (namespaced tags, conditional
comments, XML islands, empty spans) is passed over.
"""

from __future__ import annotations

import email
import re
from typing import TYPE_CHECKING

from tasks.audit.document import (
    Block,
    Document,
    UnreadableDocument,
    decode,
    holds_prose,
    unfold,
)

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_SKIPPED = {
    "script",
    "style",
    "noscript",
    "template",
    "head",
    "xml",
    "select",
    "option",
    "button",
    "textarea",
    "svg",
    "del",
    "s",
    "strike",
}
_BREAKING = {
    "p", "div", "section", "article", "main", "header", "footer", "nav", "aside", "h1", "h2", "h3",
    "h4", "h5", "h6", "li", "ul", "ol", "dl", "dt", "dd", "tr", "td", "th", "tbody", "thead", "table",
    "center", "form", "fieldset", "blockquote", "pre", "body", "figure", "hr", "ucapcontent",
}  # fmt: skip
_FIGURE = re.compile(r"[-+]?[\d,.]+%?")
_HIDDEN = re.compile(
    r"display\s*:\s*none|mso-hide\s*:\s*all|visibility\s*:\s*hidden|line-through", re.IGNORECASE
)
_ICON = 120
"""Pixels; no smaller picture holds a table."""
_DECORATION = re.compile(
    r"logo|icon|banner|qr|share|arrow|btn|\.gif|\.svg|/css/|/skin|/images?/", re.I
)
_FOOTNOTE = re.compile(r"[\[(【(]?\d{1,2}[\])】)]?|[①-⑳*※]+|注\d*")
_SPACES = re.compile(r"[ \t\r\n\f]+")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def read_html(raw: bytes, name: str) -> Document:
    """The page's paragraphs and its tables of figures, in the order they are read."""
    import lxml.html

    text = _DECLARATION.sub("", decode(raw)).replace("\x00", "")
    root = lxml.html.document_fromstring(text)
    head = root.find(".//title")
    title = _SPACES.sub(" ", head.text or "").strip() if head is not None else ""
    reader = _PageReader()
    reader.flow(root)
    reader.end_paragraph()
    return Document(name, "html", tuple(reader.blocks), title)


def read_web_archive(raw: bytes, name: str) -> Document:
    """A page that a browser saved with all its parts in one file (.mht): its first HTML part.

    Raises:
        UnreadableDocument: no part of it is a page.
    """
    for part in email.message_from_bytes(raw).walk():
        payload = part.get_payload(decode=True)
        if part.get_content_type() == "text/html" and isinstance(payload, bytes):
            return read_html(payload, name)
    raise UnreadableDocument("网页存档(.mht)里没有网页:请把网页另存为 HTML 后再核对")


def _tag(element: HtmlElement) -> str:
    """The tag without its office namespace; empty for comments and instructions."""
    tag = element.tag
    return tag.rsplit(":", 1)[-1].lower() if isinstance(tag, str) else ""


def _is_skipped(element: HtmlElement) -> bool:
    if _tag(element) in _SKIPPED or element.get("hidden") is not None:
        return True
    if _tag(element) == "sup" and _FOOTNOTE.fullmatch(element.text_content().strip()):
        return True
    return bool(_HIDDEN.search(element.get("style") or ""))


def _is_figure(element: HtmlElement) -> bool:
    """A figure of a table that answers a click, as in the report that this project writes."""
    return _tag(element) == "button" and bool(_FIGURE.fullmatch(element.text_content().strip()))


def _holds_tables(table: HtmlElement) -> bool:
    return any(True for _ in table.iterdescendants("table"))


def _cell_text(element: HtmlElement) -> str:
    """All text of a cell, with a space where the page breaks the line."""
    pieces: list[str] = []

    def collect(node: HtmlElement) -> None:
        if _tag(node) and (not _is_skipped(node) or _is_figure(node)):
            breaking = _tag(node) in _BREAKING or _tag(node) == "br"
            if breaking:
                pieces.append("\n")
            pieces.append(_SPACES.sub(" ", node.text or ""))
            for child in node:
                collect(child)
                pieces.append(_SPACES.sub(" ", child.tail or ""))
            if breaking:
                pieces.append("\n")

    collect(element)
    return "\n".join(line.strip() for line in "".join(pieces).split("\n") if line.strip())


def _span(cell: HtmlElement, name: str) -> int:
    match = re.match(r"\s*(\d+)", cell.get(name) or "")
    return max(int(match[1]), 1) if match else 1


def _rows(table: HtmlElement) -> list[HtmlElement]:
    return [row for row in table.iter("tr") if next(row.iterancestors("table"), None) is table]


class _PageReader:
    """Walks the page once; paragraphs grow until something breaks them."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._text: list[str] = []

    def end_paragraph(self) -> None:
        text = _SPACES.sub(" ", "".join(self._text)).strip()
        self._text.clear()
        if text.strip(" \u00a0\u3000\u200b"):
            self.blocks.append(Block(text=text))

    def flow(self, element: HtmlElement) -> None:
        tag = _tag(element)
        if not tag or _is_skipped(element):
            return
        if tag == "br":
            self.end_paragraph()
            return
        if tag == "img":
            self._picture(element)
            return
        if tag == "table" and not _holds_tables(element):
            self._table(element)
            return
        breaking = tag in _BREAKING
        if breaking:
            self.end_paragraph()
        self._text.append(element.text or "")
        for child in element:
            self.flow(child)
            self._text.append(child.tail or "")
        if breaking:
            self.end_paragraph()

    def _picture(self, element: HtmlElement) -> None:
        """A picture in the text; icons and what the page is decorated with are passed over."""
        source = element.get("src") or ""
        size = [
            int(n) for n in re.findall(r"\d+", f"{element.get('width')} {element.get('height')}")
        ]
        name = element.get("alt") or element.get("title") or source.rsplit("/", 1)[-1]
        if not _DECORATION.search(source) and all(n > _ICON for n in size):
            self.end_paragraph()
            self.blocks.append(Block(picture=name[:40] or "图片"))

    def _table(self, table: HtmlElement) -> None:
        """A table of figures, or a table with one cell a row: page design, read as text."""
        rows = _rows(table)
        cells = [[c for c in row if _tag(c) in ("td", "th")] for row in rows]
        is_design = holds_prose(_cell_text(cell) for row in cells for cell in row)
        if is_design or max((len(row) for row in cells), default=0) <= 1:
            self.end_paragraph()
            for row in cells:
                for cell in row:
                    self._text.append(cell.text or "")
                    for child in cell:
                        self.flow(child)
                        self._text.append(child.tail or "")
                    self.end_paragraph()
            return
        self.end_paragraph()
        for caption in table.iter("caption"):
            self.blocks.append(Block(text=_cell_text(caption)))
        spans = [
            [(_cell_text(cell), _span(cell, "colspan"), _span(cell, "rowspan")) for cell in row]
            for row in cells
        ]
        self.blocks.append(Block(grid=unfold(spans)))
