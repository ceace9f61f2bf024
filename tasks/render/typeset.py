"""Chinese punctuation in what a person reads.

Labels, messages and names reach the outputs from many files and sources, some written with
half-width punctuation. Printed Chinese wants full-width marks beside Chinese characters.
Numbers, times, formulas and addresses keep theirs. Codes and record ids are never passed
through here: they must be found again as they are.
"""

from __future__ import annotations

import re

# Written as code points, so that no editor or channel can fold them to half width.
COMMA, SEMICOLON, COLON = "\uff0c", "\uff1b", "\uff1a"
EXCLAMATION, QUESTION = "\uff01", "\uff1f"
LEFT, RIGHT = "\uff08", "\uff09"
FULL_WIDTH = {
    ",": COMMA,
    ";": SEMICOLON,
    ":": COLON,
    "!": EXCLAMATION,
    "?": QUESTION,
}

# Ideographs, Chinese marks and quotation marks, and the full-width forms themselves.
_CHINESE = "\u2018-\u201d\u3001-\u3017\u4e00-\u9fff\uff01-\uff1f"
_MARK = re.compile(f"(?<=[{_CHINESE}])[,;:!?]|[,;:!?](?=[{_CHINESE}])")
# Innermost pair of parentheses; one after a square bracket is a Markdown link.
_PAIR = re.compile(r"(?<!\])\(([^()]*)\)")
_HAS_CHINESE = re.compile(f"[{_CHINESE}]")


def typeset(text: str) -> str:
    """The text with full-width punctuation where it stands beside Chinese characters.

    Typesetting twice changes nothing more.
    """
    if not _HAS_CHINESE.search(text):
        return text
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
