"""Characters that cannot be seen, made visible where a text is written for people.

What comes from a source may hold anything: a vertical tab copied out of Word, an escape sequence,
a mark that turns the direction of writing. Word refuses such a text, a terminal obeys it, and a
reader is shown another one. Data files keep it as it is.
"""

from __future__ import annotations

import re

_CONTROLS = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}
_CONTROLS |= {0x7F: "\u2421"} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")
# Marks of direction and of zero width, the byte order mark; what is no character.
_UNSEEN = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_NONE = re.compile("[\ud800-\udfff\ufffe\uffff]")


def visible(text: str) -> str:
    """The text with each control character as its picture (\u240b), each mark that is not seen as its
    number (<U+202E>), and what is no character as \ufffd. Tabs and line ends stay."""
    if text.isascii() and text.isprintable():
        return text
    shown = _UNSEEN.sub(lambda mark: f"<U+{ord(mark[0]):04X}>", text.translate(_CONTROLS))
    return _NONE.sub("\ufffd", shown)


def as_markup(text: str) -> str:
    """The text for a table of the terminal, where `[bold]` would be an order."""
    from rich.markup import escape

    return escape(visible(text))
