"""Several reports in one file told apart, and tables that are only pictures named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from tasks.audit.characters import plain
from tasks.audit.document import Block, Document
from tasks.audit.identify import titled
from tasks.audit.tables import TABLE_NAMES, TableReading

_LONGEST_TITLE = 60
_FIRST_SECTION = re.compile(r"^\s*(?:一|1)\s*[、.]\s*(?:总体|概述|基本|主要|政府信息)")
_HEADS = {
    "t2": re.compile("主动公开政府信息情况"),
    "t3": re.compile("收到和处理政府信息公开申请"),
    "t4": re.compile("(?:行政复议|行政诉讼).{0,12}情况"),
}


def split_reports(document: Document) -> list[Document]:
    """The reports of a document: each begins at a title of its own and has a first section.

    In: a document as it was read. Out: the document itself where it holds one report.
    """
    starts = list(_starts(document))
    if len(starts) < 2:
        return [document]
    bounds = [0, *starts[1:], len(document.blocks)]
    parts = [document.blocks[a:b] for a, b in pairwise(bounds)]
    return [replace(document, blocks=part, title="") for part in parts]


def _starts(document: Document) -> Iterator[int]:
    """Blocks with a title, a first section behind each before the next title begins."""
    title: int | None = None
    for number, block in enumerate(document.blocks):
        text = re.sub(r"\s+", "", plain(block.text))
        if block.grid is None and len(text) < _LONGEST_TITLE and any(titled(text)):
            title = (
                number if title is None or not _is_near(document.blocks, title, number) else title
            )
        elif _FIRST_SECTION.match(text) and title is not None:
            yield title
            title = None


def _is_near(blocks: tuple[Block, ...], one: int, other: int) -> bool:
    """Whether two titles are one on two lines, or a heading and a running head."""
    return other - one < 3


def unread_pictures(document: Document, tables: TableReading) -> list[str]:
    """Tables of which only a picture is there, in Chinese."""
    there = {key.split(".")[0] for key in tables.cells}
    section = ""
    found: dict[str, str] = {}
    for block in document.blocks:
        for table, head in _HEADS.items():
            if block.grid is None and len(block.text) < _LONGEST_TITLE and head.search(block.text):
                section = table
        if block.picture and section and section not in there:
            found.setdefault(section, block.picture)
    return [
        f"{TABLE_NAMES[table]}是图片({name}),图片里的数读不出来" for table, name in found.items()
    ]
