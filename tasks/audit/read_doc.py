"""A Word 97–2003 or WPS file (.doc, .wps) into a document.

Read as [MS-CFB] and [MS-DOC] describe: the streams of the container, then the text by its
piece table, then which paragraphs end a table row and which runs are deleted or hidden.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.audit.document import Block, Document, UnreadableDocument, holds_prose, unfold

_FREE = 0xFFFFFFF0
"""Sector numbers from here on are marks, not sectors."""
_ROW_ENDS = {0x2417}
_HIDDEN = {0x0800, 0x083C, 0x0837, 0x2A53}
"""Single property modifiers: a row ends; deleted, hidden, struck out, struck out twice."""
_OPERANDS = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}
_CELL, _PARAGRAPH, _LINE = "\x07", "\r", "\x0b"
_CANNOT = "是旧版 Word 文件(.doc)或 WPS 文件,读不出来:请另存为 .docx 后再核对"


def read_doc(raw: bytes, name: str) -> Document:
    """The text and tables of a Word 97–2003 file.

    Raises:
        UnreadableDocument: locked, damaged, or of an older kind.
    """
    try:
        word = _streams(raw)
        main = word["WordDocument"]
        flags = struct.unpack_from("<H", main, 10)[0]
        if flags & 0x0100:
            raise UnreadableDocument("设有打开密码:请去掉密码后另存,再核对")
        table = word["1Table" if flags & 0x0200 else "0Table"]
        pieces = list(_characters(main, table))
        ends = _marked(main, table, 0x102, _ROW_ENDS, is_paragraph=True)
        hidden = _marked(main, table, 0xFA, _HIDDEN, is_paragraph=False)
    except (KeyError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise UnreadableDocument(f"{_CANNOT}({error})") from error
    if not any(character.strip() for character, _ in pieces):
        raise UnreadableDocument(_CANNOT)
    return Document(name, "doc", tuple(_blocks(pieces, ends, hidden)))


def _streams(raw: bytes) -> dict[str, bytes]:
    """The streams of a compound file by their names."""
    size = 1 << struct.unpack_from("<H", raw, 30)[0]
    small = 1 << struct.unpack_from("<H", raw, 32)[0]
    first_directory, cutoff, first_small = (
        struct.unpack_from("<I", raw, at)[0] for at in (48, 56, 60)
    )
    sectors = list(struct.unpack_from("<109I", raw, 76))
    following = struct.unpack_from("<I", raw, 68)[0]
    while following < _FREE:
        more = struct.unpack_from(f"<{size // 4}I", raw, (following + 1) * size)
        sectors += more[:-1]
        following = more[-1]
    chains: list[int] = []
    for sector in sectors:
        if sector < _FREE:
            chains += struct.unpack_from(f"<{size // 4}I", raw, (sector + 1) * size)

    def chain(start: int) -> bytes:
        read = bytearray()
        while start < _FREE and len(read) <= len(raw):
            read += raw[(start + 1) * size : (start + 2) * size]
            start = chains[start]
        return bytes(read)

    directory = chain(first_directory)
    entries = {}
    for at in range(0, len(directory), 128):
        entry = directory[at : at + 128]
        letters = max(struct.unpack_from("<H", entry, 64)[0] - 2, 0)
        label = entry[:letters].decode("utf-16-le")
        start, length = (
            struct.unpack_from("<I", entry, 116)[0],
            struct.unpack_from("<I", entry, 120)[0],
        )
        entries[label] = (start, length)
    minor = chain(entries["Root Entry"][0])
    links = struct.unpack(f"<{len(chain(first_small)) // 4}I", chain(first_small))

    def stream(start: int, length: int) -> bytes:
        if length >= cutoff:
            return chain(start)[:length]
        read = bytearray()
        while start < _FREE and len(read) < length:
            read += minor[start * small : (start + 1) * small]
            start = links[start]
        return bytes(read[:length])

    wanted = ("WordDocument", "0Table", "1Table")
    return {label: stream(*entries[label]) for label in wanted if label in entries}


def _characters(main: bytes, table: bytes) -> Iterator[tuple[str, int]]:
    """The characters of the main text, each with its place in the main stream."""
    start, length = struct.unpack_from("<II", main, 0x1A2)
    pieces = table[start : start + length]
    while pieces[:1] == b"\x01":
        pieces = pieces[3 + struct.unpack_from("<H", pieces, 1)[0] :]
    size = struct.unpack_from("<I", pieces, 1)[0]
    plc = pieces[5 : 5 + size]
    count = (size - 4) // 12
    places = struct.unpack_from(f"<{count + 1}I", plc, 0)
    left = struct.unpack_from("<I", main, 0x4C)[0]
    for at in range(count):
        where = struct.unpack_from("<I", plc, (count + 1) * 4 + at * 8 + 2)[0]
        long = min(places[at + 1] - places[at], left)
        left -= long
        if where & 0x40000000:
            offset = (where & 0x3FFFFFFF) // 2
            told = main[offset : offset + long].decode("cp1252", errors="replace")
            yield from ((c, offset + n) for n, c in enumerate(told))
        else:
            told = main[where : where + 2 * long].decode("utf-16-le", errors="replace")
            yield from ((c, where + 2 * n) for n, c in enumerate(told))


@dataclass(frozen=True)
class _Range:
    """Bytes of the main stream that have a property."""

    first: int
    last: int


def _marked(
    main: bytes, table: bytes, at: int, wanted: set[int], *, is_paragraph: bool
) -> list[_Range]:
    """Where paragraphs or runs have one of the wanted properties switched on."""
    start, length = struct.unpack_from("<II", main, at)
    count = (length - 4) // 8
    numbers = struct.unpack_from(f"<{count}I", table, start + (count + 1) * 4) if count > 0 else ()
    found = []
    for number in numbers:
        page = main[(number & 0x3FFFFF) * 512 :][:512]
        runs = page[511]
        places = struct.unpack_from(f"<{runs + 1}I", page, 0)
        for run in range(runs):
            offset = page[(runs + 1) * 4 + run * (13 if is_paragraph else 1)] * 2
            if offset and any(p in wanted for p in _properties(page, offset, is_paragraph)):
                found.append(_Range(places[run], places[run + 1]))
    return found


def _properties(page: bytes, offset: int, is_paragraph: bool) -> Iterator[int]:
    """The properties switched on in one record of a formatted page."""
    size, first = page[offset], offset + 1
    if is_paragraph:
        long = size * 2 - 1
        if size == 0:
            long, first = page[offset + 1] * 2, offset + 2
        grpprl = page[first + 2 : first + long]
    else:
        grpprl = page[first : first + size]
    at = 0
    while at + 2 < len(grpprl):
        code = struct.unpack_from("<H", grpprl, at)[0]
        kind = code >> 13
        if grpprl[at + 2] == 1:
            yield code
        # A property of varying length says its own; that of a table's definition in two bytes.
        at += 2 + (_OPERANDS[kind] if kind in _OPERANDS else 1 + grpprl[at + 2])


def _blocks(
    pieces: list[tuple[str, int]], ends: list[_Range], hidden: list[_Range]
) -> Iterator[Block]:
    """Paragraphs and tables; fields keep their result and lose their code."""
    text = ""
    rows: list[list[str]] = []
    row: list[str] = []
    depth = 0
    for character, place in pieces:
        if character in "\x13\x14\x15":
            depth = {"\x13": 1, "\x14": 0, "\x15": 0}[character]
        elif character == _CELL:
            if any(r.first <= place < r.last for r in ends):
                rows.append(row)
                row = []
            else:
                row.append(text.strip())
            text = ""
        elif character == _PARAGRAPH:
            if row:
                text += "\n"
                continue
            if text.strip():
                yield from _table(rows)
                rows = []
                yield Block(text=text.strip())
            text = ""
        elif not depth and not any(r.first <= place < r.last for r in hidden):
            text += "\n" if character == _LINE else character if character >= " " else ""
    yield from _table(rows)
    if text.strip():
        yield Block(text=text.strip())


def _table(rows: list[list[str]]) -> Iterator[Block]:
    if holds_prose(text for row in rows for text in row):
        yield from (Block(text=text) for row in rows for text in row if text)
    elif rows:
        yield Block(grid=unfold([[(text, 1, 1) for text in row] for row in rows]))
