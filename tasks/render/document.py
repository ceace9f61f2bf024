"""A document before it is set: paragraphs and tables in order, and what is said of the whole.

What stands in the report is decided once (`report`); `word_set` sets it in Word, `pdf_set` in PDF.
Measures are those of GB/T 9704-2012 chapter 7 and 5.2 (A4, 22 lines of 28 characters).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tasks.wording.typeset import typeset

Style = Literal["title", "first", "second", "body", "note", "notice"]
Down = Literal["", "restart", "continue"]
"""Which of the rows of a cell over several rows it is in."""
Font = Literal["", "second"]
"""A run in a font other than its paragraph's: that of a second heading."""
# Millimetres: 天头 37, 订口 28, 版心 156 × 225.
PAGE = {"width": 210, "height": 297, "top": 37, "bottom": 35, "left": 28, "right": 26}
TEXT_WIDTH = 156
TEXT_POINTS, TITLE_POINTS, PAGE_POINTS, NOTE_POINTS, NOTICE_POINTS = 16, 22, 14, 10.5, 12
FOOTER_POINTS = 7.5
# Twentieths of a point. 22 lines fill 225 mm at 28.95 points; at 29 the last falls off. 28
# characters of 16 points fill 156 mm a quarter of a point closer.
LINE, TITLE_LINE, CLOSER = 579, 720, -5
RED, WARNING = "C00000", "9C1C1C"


@dataclass(frozen=True)
class Piece:
    """A run of text. `tag` and `alias` name the figure or the place that it is, whose text stays
    editable where the file can be edited; `remark` is a comment on it."""

    text: str
    color: str = ""
    is_marked: bool = False
    font: Font = ""
    tag: str = ""
    alias: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Paragraph:
    """Pieces in a style; `keep`: on one page with what follows."""

    style: Style
    pieces: tuple[Piece, ...]
    keep: bool = False


@dataclass(frozen=True)
class EmptyLine:
    """A line of text's height with nothing in it."""


@dataclass(frozen=True)
class TableCell:
    """A cell from column `at` over `columns` columns; `down` tells the first and the other rows
    of one that goes over several. `text` stays as it is; line ends are line breaks."""

    text: str
    at: int
    columns: int = 1
    down: Down = ""
    points: float = 9
    is_centred: bool = True
    is_bold: bool = False


@dataclass(frozen=True)
class Table:
    """A ruled table as wide as the text. `widths` are millimetres and add up to that; rows are at
    least `height` millimetres high and do not break. Where it `keeps`, all of it stays in one
    piece, with what follows where `keep_last`."""

    rows: tuple[tuple[TableCell, ...], ...]
    widths: tuple[float, ...]
    header_rows: int
    height: float
    keeps: bool
    keep_last: bool


@dataclass
class Document:
    """A document in the making. `footer` stands under the page number, nothing where it is empty;
    the page number is in the middle (`centre`) or outside (`outer`). `comments` are of the file's
    properties."""

    title: str
    author: str
    built_at: datetime
    comments: str = ""
    footer: str = ""
    page_number: str = "centre"
    blocks: list[Paragraph | EmptyLine | Table] = field(default_factory=list)

    def paragraph(self, style: Style, pieces: Iterable[Piece] | str, *, keep: bool = False) -> None:
        """A paragraph; a plain text is set with Chinese punctuation."""
        if isinstance(pieces, str):
            pieces = [Piece(typeset(pieces))]
        self.blocks.append(Paragraph(style, tuple(pieces), keep))

    def empty_line(self) -> None:
        self.blocks.append(EmptyLine())

    def table(
        self,
        rows: Sequence[Sequence[TableCell]],
        widths: Sequence[float],
        *,
        header_rows: int = 0,
        height: float = 6.6,
        keeps: bool = True,
        keep_last: bool = False,
    ) -> None:
        """A table, its `widths` in proportion; see `Table`."""
        share = TEXT_WIDTH / sum(widths)
        self.blocks.append(
            Table(
                tuple(tuple(row) for row in rows),
                tuple(width * share for width in widths),
                header_rows,
                height,
                keeps,
                keep_last,
            )
        )
