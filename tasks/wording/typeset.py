"""Chinese punctuation in what a person reads.

Labels, messages and names reach the outputs from many files and sources, some written with
half-width punctuation. Printed Chinese wants full-width marks beside Chinese characters.
Numbers, times, formulas and addresses keep theirs. Codes and record ids are never passed
through here: they must be found again as they are.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Written as code points, so that no editor or channel can fold them to half width.
COMMA, SEMICOLON, COLON = "\uff0c", "\uff1b", "\uff1a"
EXCLAMATION, QUESTION = "\uff01", "\uff1f"
LEFT, RIGHT = "\uff08", "\uff09"
FULL_WIDTH = {
    ",": COMMA,
    ":": COLON,
    "!": EXCLAMATION,
    "?": QUESTION,
}

# Ideographs, Chinese marks and quotation marks, and the full-width forms themselves.
_CHINESE = "\u2018-\u201d\u3001-\u3017\u4e00-\u9fff\uff01-\uff1f"
_MARK = re.compile(f"(?<=[{_CHINESE}])[,:!?]|[,:!?](?=[{_CHINESE}])")
# No number, time or formula holds a semicolon; an entity of Markdown ends with one.
_SEMICOLON = re.compile(r"(&#?\w+)?;")
# Innermost pair of parentheses; one after a square bracket is a Markdown link.
_PAIR = re.compile(r"(?<!\])\(([^()]*)\)")
_HAS_CHINESE = re.compile(f"[{_CHINESE}]")


# What may not begin a line, and what may not end one.
_CLOSING = "\uff0c\u3002\uff1b\uff1a\u3001\uff09\u201d\u300b\u3011\uff01\uff1f"
_OPENING = "\uff08\u201c\u300a\u3010"
_IDEOGRAPH = "\u3400-\u9fff"
_PIECE = re.compile(
    f"\\s+|[{_OPENING}]*(?:[{_IDEOGRAPH}]|[^\\s{_IDEOGRAPH}{_OPENING}{_CLOSING}]+)?[{_CLOSING}]*"
)


@lru_cache(maxsize=4096)
def display_width(written: str) -> int:
    """Columns a text takes where a Chinese character takes two. Names of organs and rules come again and
    again."""
    return sum(2 if unicodedata.east_asian_width(c) in "WFA" else 1 for c in written)


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most so many columns, as Chinese is broken: between any two
    characters, but no line begins with a comma. Words and addresses stay whole."""
    lines = []
    line = ""
    for piece in _PIECE.findall(text):
        if line and display_width(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()]


@lru_cache(maxsize=50_000)
def typeset(text: str) -> str:
    """The text with full-width punctuation where it stands beside Chinese characters.

    Typesetting twice changes nothing more.
    """
    if not _HAS_CHINESE.search(text):
        return text
    text = _SEMICOLON.sub(lambda match: match.group() if match[1] else SEMICOLON, text)
    while True:
        changed = _MARK.sub(lambda match: FULL_WIDTH[match.group()], _PAIR.sub(_pair, text))
        if changed == text:
            return text
        text = changed


def _pair(match: re.Match[str]) -> str:
    before = match.string[: match.start()][-1:]
    if _HAS_CHINESE.search(match.group(1)) or _HAS_CHINESE.match(before):
        return f"{LEFT}{match.group(1)}{RIGHT}"
    return match.group()


def lines_needed(text: str, width: float) -> int:
    """How many lines a text takes in a column `width` half-width characters wide."""
    usable = max(width, 2)
    return sum(max(1, -(-display_width(line) // int(usable))) for line in text.split("\n"))


def balanced(text: str, width: float) -> str:
    """A heading that does not fit a column, in lines of the same length: 结果 and 维持, not
    结果维 and 持. One with anything but Chinese characters stays as it is."""
    count = lines_needed(text, width)
    if count == 1 or display_width(text) != 2 * len(text):
        return text
    length = -(-len(text) // count)
    return "\n".join(text[at : at + length] for at in range(0, len(text), length))
