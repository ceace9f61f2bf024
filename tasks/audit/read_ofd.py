"""A fixed-layout file (.ofd, GB/T 33190) into a document: its lines of text, page by page.

The text of a page is placed character by character. Characters of one height make a line;
a gap wider than a character stands between two words or two cells.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tasks.audit.document import Block, Document, UnreadableDocument
from tasks.audit.read_pdf import paragraphs

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_SAME_LINE = 0.5
"""Parts of a character's size by which the characters of a line may differ in height."""
_Placed = tuple[float, float, float, str]
"""Top, left, size, character."""


def read_ofd(raw: bytes, name: str) -> Document:
    """The text of an OFD file in reading order.

    Raises:
        UnreadableDocument: the file is damaged, or there is no text in it.
    """
    import lxml.etree

    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
        pages = list(_pages(archive))
    except (KeyError, ValueError, zipfile.BadZipFile, lxml.etree.XMLSyntaxError) as error:
        raise UnreadableDocument(
            f"OFD 文件已损坏({error}):请用阅读器另存(导出)为 PDF 或 Word(.docx)后再核对"
        ) from error
    lines = [list(_lines(page)) for page in pages]
    empty = [number for number, found in enumerate(lines, 1) if not found]
    unread = tuple(f"第 {number} 页没有文字,多半是图片" for number in empty)
    blocks: list[Block] = paragraphs([line for page in lines for line in page])
    return Document(name, "ofd", tuple(blocks), unread=unread if blocks else ())


def _xml(archive: zipfile.ZipFile, path: str) -> Element:
    import lxml.etree

    root: Element = lxml.etree.fromstring(archive.read(path.lstrip("/")))
    return root


def _named(root: Element, name: str) -> Iterator[Element]:
    yield from root.iter(f"{{*}}{name}")


def _pages(archive: zipfile.ZipFile) -> Iterator[list[_Placed]]:
    roots = [e.text or "" for e in _named(_xml(archive, "OFD.xml"), "DocRoot")]
    for root in roots:
        folder = posixpath.dirname(root)
        document = _xml(archive, root)
        for page in _named(document, "Page"):
            if location := page.get("BaseLoc"):
                path = location if location.startswith("/") else posixpath.join(folder, location)
                yield list(_characters(_xml(archive, posixpath.normpath(path))))


def _characters(page: Element) -> Iterator[_Placed]:
    """Every character with its place on the page, in millimetres."""
    for text in _named(page, "TextObject"):
        if text.get("Visible") == "false":
            continue
        left, top, _, high = (float(n) for n in (text.get("Boundary") or "0 0 0 4").split())
        # Some writers spell the attribute small, some leave it out.
        size = float(text.get("Size") or text.get("size") or high)
        scale = [float(n) for n in (text.get("CTM") or "1 0 0 1 0 0").split()]
        for code in _named(text, "TextCode"):
            x, y = float(code.get("X") or 0), float(code.get("Y") or 0)
            steps = list(_deltas(code.get("DeltaX") or ""))
            for at, character in enumerate(code.text or ""):
                yield (
                    top + scale[1] * x + scale[3] * y + scale[5],
                    left + scale[0] * x + scale[2] * y + scale[4],
                    size * abs(scale[3]),
                    character,
                )
                x += steps[at] if at < len(steps) else size


def _deltas(written: str) -> Iterator[float]:
    """The steps between characters; `g 3 4.2` is three steps of 4.2."""
    words = iter(written.split())
    for word in words:
        if word == "g":
            count, step = int(next(words)), float(next(words))
            yield from [step] * count
        else:
            yield float(word)


def _lines(page: list[_Placed]) -> Iterator[str]:
    line: list[_Placed] = []
    for placed in sorted(page, key=lambda p: (p[0], p[1])):
        if line and placed[0] - line[0][0] > _SAME_LINE * line[0][2]:
            yield _joined(line)
            line = []
        line.append(placed)
    if line:
        yield _joined(line)


def _joined(line: list[_Placed]) -> str:
    """The characters from left to right, with a space where the line leaves room for one."""
    text = ""
    end = None
    for _, left, size, character in sorted(line, key=lambda p: p[1]):
        wide = size * (0.55 if character.isascii() else 1)
        if end is not None and left - end > size * 0.6:
            text += " "
        text += character
        end = left + wide
    return text.strip()
