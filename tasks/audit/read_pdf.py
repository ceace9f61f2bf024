"""A PDF with text into a document: ruled tables as grids, the lines around them as paragraphs.

A table that goes on over the page is put together again; page numbers are left out.
Tables without rules stay lines, and are found in them later.
"""

from __future__ import annotations

import io
import itertools
import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.audit.characters import RADICALS, plain
from tasks.audit.document import (
    Block,
    Document,
    GridCell,
    TableGrid,
    UnreadableDocument,
    holds_prose,
)
from tasks.audit.labels import match, written

_PAGE_NUMBER = re.compile(
    r"^[\s\-—–―·.]*(第\s*)?\d{1,3}(\s*页)?([\s,/]*共\s*\d+\s*页)?[\s\-—–―·.]*$"
)
_STARTS_NEW = re.compile(
    r"^\s*([一二三四五六七八九十]{1,3}[、.]|\([一二三四五六七八九十]{1,3}\)|第[一二三四五六七八九十]+[章节部])"
)
_STARTS_LABEL = re.compile(r"^\s*(\d{1,2}[.、]|\([一二三四五六七八九十]\)|[一二三四]、)")
_FIGURES = re.compile(r"(\s+[-+]?[\d,.]+){3,}\s*$")
_SHORT = 36
"""Points before the margin (two characters) at which a line that ends a sentence ends its
paragraph too. Other lines end early where a figure did not fit; they end their paragraph only
if they reach less than `_FAR` across the text."""
_FAR = 0.6
_UNMAPPED = re.compile(r"\(cid:\d+\)|[\ue000-\uf8ff\ufffd]")
_MOST_UNMAPPED = 0.3
_RULE = 3
"""Points; a filled rectangle thinner than this is a rule."""
_EDGE = 0.09
"""The part of a page at its head and foot in which running heads stand."""
_SENTENCE = ("。", ";", ":", "!", "?")


def read_pdf(raw: bytes, name: str) -> Document:
    """The text and ruled tables of a PDF, page by page.

    Raises:
        UnreadableDocument: the file is damaged or locked.
    """
    import pdfplumber

    logging.getLogger("pdfminer").setLevel(logging.ERROR)
    pages: list[list[_Placed]] = []
    try:
        with pdfplumber.open(io.BytesIO(raw)) as pdf:
            title = str((pdf.metadata or {}).get("Title") or "")
            for page in pdf.pages:
                # Bold type made by printing twice would double every character.
                pages.append(_page(page.dedupe_chars()))
                page.close()
    except Exception as error:
        # pdfminer raises whatever the damaged place leads to.
        if "PDFPasswordIncorrect" in repr(error) or "PDFEncryptionError" in repr(error):
            raise UnreadableDocument("设有打开密码:请去掉密码后另存,再核对") from error
        raise UnreadableDocument(f"不是有效的 PDF 文件,可能没有下载完整({error})") from error
    empty = [number for number, page in enumerate(pages, 1) if not page]
    unread = tuple(f"第 {number} 页没有文字,多半是扫描件或图片" for number in empty)
    if _unmapped(pages) > _MOST_UNMAPPED:
        raise UnreadableDocument(
            "文字没有编码对照,复制出来也是乱码:请提供 Word(.docx)或网页,或从原稿重新导出 PDF"
        )
    blocks = paragraphs(_rejoined(_without_running_heads(pages)))
    return Document(name, "pdf", tuple(blocks), title, unread if blocks else ())


def _unmapped(pages: list[list[_Placed]]) -> float:
    """The part of all characters for which the file does not say which they are."""
    text = "".join(
        "".join(c.text for row in p.piece.rows for c in row if c)
        if isinstance(p.piece, TableGrid)
        else p.piece
        for page in pages
        for p in page
    )
    known, unknown = _UNMAPPED.subn("", text)
    return unknown / max(unknown + len(known), 1)


def _rejoined(pages: list[list[str | TableGrid]]) -> list[str | TableGrid]:
    """The pages in one, a table row that a page cuts in two put together again."""
    pieces: list[str | TableGrid] = []
    for page in pages:
        upper, lower = pieces[-1:], page[:1]
        if upper and lower and isinstance(upper[0], TableGrid) and isinstance(lower[0], TableGrid):
            joined = _one_row(upper[0], lower[0])
            if joined is not None:
                pieces[-1:] = joined
                pieces.extend(page[1:])
                continue
        pieces.extend(page)
    return pieces


def _one_row(upper: TableGrid, lower: TableGrid) -> list[str | TableGrid] | None:
    """Two tables whose last and first row are one row, with that row whole; else None.

    A row cut by a page has its figures on one side, and on the other only the rest of its
    label, which names no other row.
    """
    last, first = upper.rows[-1], lower.rows[0]
    merged = set(upper.rows[-2]) if len(upper.rows) > 1 else set()
    above = [c.text if c and c not in merged else "" for c in last]
    below = [c.text if c else "" for c in first]
    if len(last) != len(first) or len(lower.rows) < 2:
        return None
    figures = [[written(t).value is not None for t in texts] for texts in (above, below)]
    if any(figures[0]) == any(figures[1]):
        return None
    held, other = (figures[0], below) if any(figures[0]) else (figures[1], above)
    labels = [[t for t in texts if t and written(t).value is None] for texts in (above, below)]
    if any(o.strip() for h, o in zip(held, other, strict=True) if h) or not all(labels):
        return None
    known = [match("rows", texts[-1]) for texts in labels]
    if _STARTS_LABEL.match(plain(labels[1][-1])) or (all(known) and known[0] != known[1]):
        return None
    row = max(cell.row for cell in last if cell)
    # A place that is only merged over keeps its cell.
    cells = tuple(
        old
        if old in merged and not b.strip()
        else GridCell("\n".join(t for t in (a, b) if t.strip()), row, column)
        for column, (old, a, b) in enumerate(zip(last, above, below, strict=True))
    )
    return [TableGrid((*upper.rows[:-1], cells)), TableGrid(lower.rows[1:])]


def _without_running_heads(pages: list[list[_Placed]]) -> list[list[str | TableGrid]]:
    """The pages without lines that stand in the same place of several, and without numbers.

    Page heads and feet would cut sentences and tables that go on over the page.
    """
    counted = Counter(
        _same(placed) for page in pages for placed in {_same(p): p for p in page}.values()
    )
    return [
        [
            p.piece
            for p in page
            if not (p.at_edge and counted[_same(p)] > 1)
            and not (isinstance(p.piece, str) and _PAGE_NUMBER.match(plain(p.piece)))
        ]
        for page in pages
    ]


def _same(placed: _Placed) -> tuple[int, str]:
    """Place and wording of a line, whatever its page number or date."""
    text = "" if isinstance(placed.piece, TableGrid) else re.sub(r"\d+", "#", placed.piece)
    return round(placed.top / 4), text.strip()


@dataclass(frozen=True)
class _Placed:
    """A line or table with its distance from the top; `at_edge` at the head or foot of a page."""

    top: float
    piece: str | TableGrid
    at_edge: bool = False


def _page(page: Any) -> list[_Placed]:
    """Lines and tables of a page from top to bottom."""
    page = page.filter(_is_no_shade)
    tables = [
        _over_the_edge(page, t)
        for t in page.find_tables(_closing_rules(page))
        if len(t.rows) > 1 or len(t.rows[0].cells) > 2
    ]
    found = [_Placed(t.bbox[1], _grid(t)) for t in tables]
    boxes = [t.bbox for t in tables]

    def outside(item: dict[str, Any]) -> bool:
        across = (item["x0"] + item["x1"]) / 2
        down = (item["top"] + item["bottom"]) / 2
        return not any(
            x0 <= across <= x1 and top <= down <= bottom for x0, top, x1, bottom in boxes
        )

    text = page.filter(lambda o: o["object_type"] != "char" or outside(o))
    lines = text.extract_text_lines(return_chars=False)
    left = min((line["x0"] for line in lines), default=0)
    right = max((line["x1"] for line in lines), default=0)
    for line in lines:
        is_sentence = plain(line["text"]).rstrip().endswith(_SENTENCE)
        reach = right - _SHORT if is_sentence else left + _FAR * (right - left)
        end = "\n" if line["x1"] < reach else ""
        edge = min(line["top"], page.height - line["bottom"]) < page.height * _EDGE
        found.append(_Placed(line["top"], line["text"].translate(RADICALS) + end, edge))
    return sorted(found, key=lambda f: f.top)


def _is_no_shade(item: dict[str, Any]) -> bool:
    """Whether an object is anything but a shaded area, whose edges are no rules."""
    is_area = item["object_type"] == "rect" and min(item["width"], item["height"]) > _RULE
    return not (is_area and item.get("fill") and not item.get("stroke"))


def _over_the_edge(page: Any, table: Any) -> Any:
    """The table with its last column as wide as its text, where it is wider than the page.

    Rules end at the edge of the page, text goes on: a figure would lose its last digits.
    """
    reach = max((c["x1"] for c in page.chars), default=0)
    if table.bbox[2] < page.width - _RULE or reach <= page.width:
        return table
    return type(table)(
        table.page,
        [
            (x0, top, reach + 1 if x1 >= page.width - _RULE else x1, bottom)
            for x0, top, x1, bottom in table.cells
        ],
    )


def _closing_rules(page: Any) -> dict[str, Any]:
    """Where a page cuts a table, the rule at the cut is missing: add one at either end.

    The cut is where the upright rules end; elsewhere the added rule falls on one that is there.
    """
    upright = [edge for edge in page.edges if edge["orientation"] == "v"]
    if not upright:
        return {}
    ends = [min(e["top"] for e in upright), max(e["bottom"] for e in upright)]
    return {"explicit_horizontal_lines": ends}


def _grid(table: Any) -> TableGrid:
    """The table's cells; a place that a merged cell covers points to that cell."""
    texts = table.extract()
    boxes = [row.cells for row in table.rows]
    rows: list[tuple[GridCell | None, ...]] = []
    anchors: list[tuple[tuple[float, float, float, float], GridCell]] = []
    for r, (row, row_boxes) in enumerate(zip(texts, boxes, strict=True)):
        for c, (text, box) in enumerate(zip(row, row_boxes, strict=True)):
            if box is not None:
                anchors.append((box, GridCell((text or "").translate(RADICALS), r, c)))
    columns = _edges(
        [box[0] for row in boxes for box in row if box],
        [box[2] for row in boxes for box in row if box],
    )
    for row_boxes in boxes:
        own = [box for box in row_boxes if box is not None]
        if not own:
            continue
        middle = (min(b[1] for b in own) + min(b[3] for b in own)) / 2
        rows.append(tuple(_covering(anchors, across, middle) for across in columns))
    return TableGrid(tuple(rows))


def _edges(lefts: list[float], rights: list[float]) -> list[float]:
    """The middle of every column between two neighbouring rules."""
    edges: list[float] = []
    for edge in sorted({*lefts, *rights}):
        if not edges or edge - edges[-1] > 2:
            edges.append(edge)
    return [(a + b) / 2 for a, b in itertools.pairwise(edges)]


def _covering(
    anchors: list[tuple[tuple[float, float, float, float], GridCell]], across: float, down: float
) -> GridCell | None:
    for (x0, top, x1, bottom), cell in anchors:
        if x0 <= across <= x1 and top <= down <= bottom:
            return cell
    return None


def _is_table_line(line: str) -> bool:
    """A line of a table without rules: figures at its end, words set apart, or known labels."""
    words = line.split()
    if _FIGURES.search(line) is not None:
        return True
    if not words or re.search(r"[。,;]", plain(line)):
        return False
    return len(words) > 2 or all(
        any(match(kind, word) for kind in ("rows", "columns", "sections"))
        or (at > 0 and written(word).value is not None)
        for at, word in enumerate(words)
    )


def paragraphs(pieces: Sequence[str | TableGrid]) -> list[Block]:
    """Paragraphs from wrapped lines; a line of figures stays by itself."""
    blocks: list[Block] = []
    paragraph = ""

    def end() -> None:
        nonlocal paragraph
        if paragraph.strip():
            blocks.append(Block(text=paragraph.strip()))
        paragraph = ""

    for piece in pieces:
        if isinstance(piece, TableGrid):
            end()
            cells = [c for r in range(len(piece.rows)) for c in piece.anchored(r) if c.row == r]
            if holds_prose(c.text for c in cells):
                blocks += [Block(text="".join(c.text.split("\n"))) for c in cells if c.text.strip()]
            else:
                blocks.append(Block(grid=piece))
        elif piece.strip():
            if paragraph.endswith("\n") or _STARTS_NEW.match(plain(piece)) or _is_table_line(piece):
                end()
            latin = paragraph[-1:].isascii() and paragraph[-1:].isalpha() and piece[:1].isascii()
            paragraph += (" " if latin else "") + piece
            if _is_table_line(piece):
                end()
    end()
    return blocks
