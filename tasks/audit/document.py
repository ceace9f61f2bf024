"""A report as it was read, whatever it came in: paragraphs and tables in their order.

The readers (`read_html`, `read_docx`, `read_pdf`, `read_text`) each give a `Document`; all
that follows works on that alone. Texts are kept as printed, so that quotes can be found
again; comparisons go through `plain`, which keeps every position.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from warehouse.errors import EntryError


class UnreadableDocument(EntryError):
    """A file that cannot be audited; the message says in Chinese why and what to do."""


@dataclass(frozen=True)
class Place:
    """Where something stands: block number, then table row and column, or text positions."""

    block: int
    row: int | None = None
    column: int | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class RowCell:
    """One cell of a row as it is read; `own` is False for one merged down from a row above."""

    text: str
    place: Place
    column: int
    own: bool = True


@dataclass(frozen=True, eq=False)
class GridCell:
    """A table cell at its upper left corner; a merged cell is one object on all its places."""

    text: str
    row: int
    column: int


@dataclass(frozen=True)
class TableGrid:
    """A table with its merged cells unfolded: every row has a cell, or None, in every column."""

    rows: tuple[tuple[GridCell | None, ...], ...]

    def anchored(self, row: int) -> list[GridCell]:
        """The cells of a row from left to right, each merged cell once."""
        seen: list[GridCell] = []
        for cell in self.rows[row]:
            if cell is not None and cell not in seen:
                seen.append(cell)
        return seen


@dataclass(frozen=True)
class Block:
    """A paragraph, a table (`grid`), or a picture (`picture` is its name); the rest is empty."""

    text: str = ""
    grid: TableGrid | None = None
    picture: str = ""


@dataclass(frozen=True)
class Document:
    """A report in order. `title` is the page's or the file's own title, if it has one.

    `unread` says in Chinese which parts of the file could not be read (pages without text).
    """

    name: str
    format: str
    blocks: tuple[Block, ...]
    title: str = ""
    unread: tuple[str, ...] = ()


_LONGEST_CELL = 180
"""Characters; the longest label of the forms, with a province's remark, is below it."""


def unfold(spans: Sequence[Sequence[tuple[str, int, int]]], limit: int = 60) -> TableGrid:
    """A grid from rows of (text, columns spanned, rows spanned), as HTML and Word give them.

    A span that runs past the table, or over a cell that is already there, is cut short:
    published tables contain both.
    """
    height = len(spans)
    places: list[dict[int, GridCell]] = [{} for _ in range(height)]
    for row, cells in enumerate(spans):
        column = 0
        for text, wide, high in cells:
            while column in places[row]:
                column += 1
            cell = GridCell(text, row, column)
            for r in range(row, min(row + max(high, 1), height)):
                for c in range(column, column + min(max(wide, 1), limit)):
                    places[r].setdefault(c, cell)
            column += min(max(wide, 1), limit)
    width = max((max(p, default=-1) + 1 for p in places), default=0)
    return TableGrid(tuple(tuple(p.get(c) for c in range(width)) for p in places))


def holds_prose(texts: Iterable[str]) -> bool:
    """Whether cells with these texts are page design around an article, not a table."""
    return any(len(text) > _LONGEST_CELL and "。" in text for text in texts)


def decode(raw: bytes) -> str:
    """The text of a file in one of the encodings that Chinese offices save in.

    UTF-16 and UTF-8 marks first, then strict UTF-8, then GB18030 (which holds GBK and
    GB2312). A page's own charset line is not asked: pages are often saved in another
    encoding than they say.

    Raises:
        UnreadableDocument: the bytes are none of these.
    """
    for mark, encoding in (
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
        (b"\xef\xbb\xbf", "utf-8-sig"),
    ):
        if raw.startswith(mark):
            return raw.decode(encoding, errors="replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    text = raw.decode("gb18030", errors="replace")
    if text.count("\ufffd") > len(text) / 100:
        raise UnreadableDocument("文字编码无法识别:请另存为 UTF-8 或 GB18030(GBK)编码后再核对")
    return text
