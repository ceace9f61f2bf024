"""How PDF sets an official text: PDF/A-2a, for keeping for long and for being read aloud.

Set by Typst from `templates/report.typ`, in fonts that come as a package: every machine writes the
same bytes, and none has to have Chinese fonts. The official fonts are not free and are not embedded.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tasks.render.document import (
    CLOSER,
    FOOTER_POINTS,
    LINE,
    NOTE_POINTS,
    NOTICE_POINTS,
    PAGE,
    PAGE_POINTS,
    TEXT_POINTS,
    TITLE_LINE,
    TITLE_POINTS,
    WARNING,
    Document,
    EmptyLine,
    Paragraph,
    Piece,
    Table,
    TableCell,
)
from tasks.wording.visible import visible
from warehouse.errors import MachineError

TEMPLATE = Path(__file__).parent / "templates" / "report.typ"
STANDARD = "a-2a"
NO_GLYPH = "〓"
"""What a printer sets where the case lacks a character."""
NO_GLYPH_NOTICE = "注：{}处以“〓”代替字库没有的字：{}。"
LOOK = {
    "margin": {side: PAGE[side] for side in ("top", "bottom", "left", "right")},
    "room": PAGE["height"] - PAGE["top"] - PAGE["bottom"],
    "text": TEXT_POINTS,
    "title": TITLE_POINTS,
    "page": PAGE_POINTS,
    "note": NOTE_POINTS,
    "notice": NOTICE_POINTS,
    "footer": FOOTER_POINTS,
    "pitch": LINE / 20,
    "title_pitch": TITLE_LINE / 20,
    "closer": CLOSER / 20,
    "warning": f"#{WARNING}",
    "above_table": 6,
}


class CannotSet(MachineError):
    """The PDF could not be set on this machine; the message says what to do."""


def saved(document: Document) -> bytes:
    """The file. The same in, the same bytes out. Raises CannotSet."""
    import msgspec
    import typst

    told = _Told()
    blocks = [told.block(block) for block in document.blocks]
    data = {
        "title": told.text(document.title),
        "author": told.text(document.author),
        "built_at": {
            part: getattr(document.built_at, part)
            for part in ("year", "month", "day", "hour", "minute", "second")
        },
        "footer": told.text(document.footer),
        "page_number": document.page_number,
        "look": LOOK,
        "blocks": blocks,
    }
    if told.lacking:
        blocks.append(told.block(told.notice()))
    try:
        made = _compiler().compile(
            input=TEMPLATE,
            format="pdf",
            sys_inputs={"document": msgspec.json.encode(data).decode()},
            pdf_standards=[STANDARD],
        )
    except typst.TypstError as error:
        raise CannotSet(f"PDF 排版失败:{error.message}。请重新安装本程序后再编制") from error
    assert isinstance(made, bytes)
    return made


def fonts() -> tuple[Path, ...]:
    """The files of the fonts that the text is set in."""
    import pylopdf_fonts_zh_cn as package

    return (package.serif_path(), package.sans_path())


@cache
def _compiler() -> Any:
    """One for the process: reading the fonts is what takes time. Raises CannotSet."""
    import typst

    lacking = [path for path in fonts() if not path.is_file()]
    if lacking:
        raise CannotSet(
            f"缺少排 PDF 用的字体 {lacking[0].name}。请重新安装本程序(字体随程序安装,不用系统中的)"
        )
    found = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[str(fonts()[0].parent)],
    )
    return typst.Compiler(TEMPLATE, root=TEMPLATE.parent, font_paths=found)


@cache
def _characters() -> frozenset[int]:
    """What the fonts have glyphs for."""
    from fontTools.ttLib import TTFont

    found: set[int] = set()
    for path in fonts():
        with TTFont(path, lazy=True) as font:
            found |= font.getBestCmap().keys()
    return frozenset(found)


class _Told:
    """A document as the template reads it; `lacking` are the characters that no font has."""

    def __init__(self) -> None:
        self.lacking: dict[str, int] = {}

    def text(self, text: str) -> str:
        """The text in characters that there are glyphs for."""
        shown = visible(text).replace("\t", " ")
        known = _characters()
        if all(ord(mark) in known or mark == "\n" for mark in shown):
            return shown
        return "".join(self._mark(mark) for mark in shown)

    def _mark(self, mark: str) -> str:
        if mark == "\n" or ord(mark) in _characters():
            return mark
        self.lacking[mark] = self.lacking.get(mark, 0) + 1
        return NO_GLYPH

    def notice(self) -> Paragraph:
        """What is said at the end where characters had to be replaced."""
        named = "、".join(f"U+{ord(mark):04X}" for mark in self.lacking)
        told = NO_GLYPH_NOTICE.format(sum(self.lacking.values()), named)
        return Paragraph("note", (Piece(told),))

    def block(self, block: Paragraph | EmptyLine | Table) -> dict[str, Any]:
        match block:
            case Paragraph():
                return {
                    "kind": "paragraph",
                    "style": block.style,
                    "pieces": [
                        {
                            "text": self.text(piece.text),
                            "color": f"#{piece.color}" if piece.color else "",
                            "marked": piece.is_marked,
                        }
                        for piece in block.pieces
                    ],
                }
            case EmptyLine():
                return {"kind": "line"}
            case Table():
                return {
                    "kind": "table",
                    "widths": block.widths,
                    "height": block.height,
                    "row_count": len(block.rows),
                    "header_rows": block.header_rows,
                    "keeps": block.keeps,
                    "keep_last": block.keep_last,
                    "cells": list(self._cells(block)),
                }

    def _cells(self, table: Table) -> Iterator[dict[str, Any]]:
        """Each cell once, with the rows that it goes over."""
        for row, cells in enumerate(table.rows):
            for cell in cells:
                if cell.down != "continue":
                    yield {
                        "text": self.text(cell.text),
                        "row": row,
                        "at": cell.at,
                        "rows": 1 + _below(table, row, cell),
                        "columns": cell.columns,
                        "points": cell.points,
                        "centred": cell.is_centred,
                        "bold": cell.is_bold,
                    }


def _below(table: Table, row: int, cell: TableCell) -> int:
    """How many rows a cell goes on over."""
    count = 0
    if cell.down == "restart":
        for cells in table.rows[row + 1 :]:
            if not any(c.at == cell.at and c.down == "continue" for c in cells):
                break
            count += 1
    return count
