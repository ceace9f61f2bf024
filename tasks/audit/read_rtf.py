"""A rich text file (.rtf) into a document: paragraphs and tables, hidden text left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from tasks.audit.document import Block, Document, UnreadableDocument, unfold

_TOKEN = re.compile(
    rb"\\'([0-9a-fA-F]{2})|\\([a-zA-Z]+)(-?\d+)? ?|\\([^a-zA-Z'])|([{}])|([^\\{}\r\n]+)"
)
_SKIPPED = {
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "header", "footer", "headerl", "headerr",
    "footerl", "footerr", "footnote", "themedata", "datastore", "latentstyles", "listtable",
    "listoverridetable", "rsidtbl", "generator", "xmlnstbl", "fldinst", "shppict", "nonshppict",
}  # fmt: skip
_HIDING = {"v", "deleted", "strike", "striked"}
_CODE_PAGES = {936: "gb18030", 950: "big5", 65001: "utf-8"}


@dataclass(frozen=True)
class _State:
    """What a group sets: whether its text counts, and how many bytes follow \\u."""

    is_shown: bool = True
    after_unicode: int = 1


@dataclass
class _Row:
    """The cells of a row; `edges` are the right borders as given before the cells."""

    edges: list[int] = field(default_factory=list)
    goes_on: list[bool] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def read_rtf(raw: bytes, name: str) -> Document:
    """The paragraphs and tables of a rich text file.

    Raises:
        UnreadableDocument: there is no text in it.
    """
    reader = _RtfReader()
    for match in _TOKEN.finditer(raw):
        reader.take(match)
    reader.end_paragraph()
    reader.end_table()
    if not reader.blocks:
        raise UnreadableDocument(
            "RTF 文件里没有可读的文字:请用 Word 或 WPS 打开后另存为 .docx 再核对"
        )
    return Document(name, "rtf", tuple(reader.blocks))


class _RtfReader:
    """Follows the file token by token."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._states = [_State()]
        self._encoding = "gb18030"
        self._bytes = bytearray()
        self._text: list[str] = []
        self._skip = 0
        self._row = _Row()
        self._marks = (False, False)
        self._rows: list[_Row] = []

    def take(self, match: re.Match[bytes]) -> None:
        """One token: a byte, a control word, a symbol, a brace, or plain text."""
        byte, word, number, symbol, brace, text = match.groups()
        if byte is not None:
            self._add_bytes(bytes([int(byte, 16)]))
        elif word is not None:
            self._word(word.decode("ascii"), int(number) if number else None)
        elif symbol == b"*":
            self._hide()
        elif symbol in (b"~", b"_"):
            self._write(" " if symbol == b"~" else "-")
        elif symbol is not None:
            self._add_bytes(symbol if symbol in b"\\{}" else b"")
        elif brace == b"{":
            self._states.append(self._states[-1])
        elif brace == b"}" and len(self._states) > 1:
            self._flush()
            self._states.pop()
        elif text is not None:
            self._add_bytes(text)

    def _word(self, word: str, number: int | None) -> None:
        if word in _SKIPPED:
            self._hide()
        elif word in _HIDING:
            self._flush()
            self._states[-1] = replace(self._states[-1], is_shown=number == 0)
        elif word == "plain":
            self._flush()
            if len(self._states) > 1 and self._states[-2].is_shown:
                self._states[-1] = replace(self._states[-1], is_shown=True)
        elif word == "ansicpg":
            self._encoding = _CODE_PAGES.get(number or 0, "gb18030")
        elif word == "uc":
            self._states[-1] = replace(self._states[-1], after_unicode=number or 0)
        elif word == "u" and number is not None:
            self._write(chr(number % 0x10000))
            self._skip = self._states[-1].after_unicode
        else:
            self._layout(word, number)

    def _layout(self, word: str, number: int | None) -> None:
        if word == "par":
            self._paragraph_mark()
        elif word in ("line", "tab"):
            self._write("\n" if word == "line" else "\t")
        elif word == "trowd":
            self._row, self._marks = _Row(texts=self._row.texts), (False, False)
        elif word in ("clvmrg", "clmrg"):
            self._marks = (self._marks[0] or word == "clvmrg", self._marks[1] or word == "clmrg")
        elif word == "cellx":
            self._row.edges.append(number or 0)
            self._row.goes_on.append(self._marks[0])
            self._marks = (False, False)
        elif word == "cell":
            self._flush()
            self._row.texts.append("".join(self._text).strip())
            self._text.clear()
        elif word == "row":
            self._rows.append(self._row)
            self._row = _Row(list(self._row.edges), list(self._row.goes_on))

    def _paragraph_mark(self) -> None:
        if self._row.texts:
            self._write("\n")
        else:
            self.end_paragraph()

    def _hide(self) -> None:
        self._flush()
        self._states[-1] = replace(self._states[-1], is_shown=False)

    def _add_bytes(self, raw: bytes) -> None:
        dropped = min(self._skip, len(raw))
        self._skip -= dropped
        self._bytes += raw[dropped:]

    def _flush(self) -> None:
        if self._bytes and self._states[-1].is_shown:
            self._text.append(self._bytes.decode(self._encoding, errors="replace"))
        self._bytes.clear()

    def _write(self, text: str) -> None:
        self._flush()
        if self._states[-1].is_shown:
            self._text.append(text)

    def end_paragraph(self) -> None:
        """A paragraph ends; a table before it ends too."""
        self._flush()
        text = "".join(self._text).strip()
        self._text.clear()
        if text:
            self.end_table()
            self.blocks.append(Block(text=text))

    def end_table(self) -> None:
        """The rows so far as one table: cells laid by their right borders."""
        if not self._rows:
            return
        edges = sorted({edge for row in self._rows for edge in row.edges})
        above: dict[int, list[int]] = {}
        laid: list[list[list[int | str]]] = []
        for row in self._rows:
            cells: list[list[int | str]] = []
            left = 0
            for at, text in enumerate(row.texts):
                right = edges.index(row.edges[at]) + 1 if at < len(row.edges) else left + 1
                held = above.get(left)
                if at < len(row.goes_on) and row.goes_on[at] and held:
                    laid[held[0]][held[1]][2] = int(laid[held[0]][held[1]][2]) + 1
                else:
                    above[left] = [len(laid), len(cells)]
                    cells.append([text, max(right - left, 1), 1])
                left = right
            laid.append(cells)
        spans = [[(str(t), int(w), int(h)) for t, w, h in row] for row in laid]
        self.blocks.append(Block(grid=unfold(spans)))
        self._rows = []
