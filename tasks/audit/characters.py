"""Characters as the audit compares them: half-width, simplified, one for one.

A position in the plain text is a position in the original, so that quotes can be found again.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

# PDF files often give a radical where its look-alike character is meant; Unicode says which
# for most, the simplified ones are listed.
RADICALS = {
    code: ord(normal)
    for code in (*range(0x2E80, 0x2FE0), *range(0xF900, 0xFB00))
    if len(normal := unicodedata.normalize("NFKC", chr(code))) == 1 and normal != chr(code)
}
RADICALS |= {
    0x2EA0 + offset: ord(character)
    for offset, character in {
        0x00: "民", 0x24: "西", 0x25: "见", 0x26: "角", 0x2B: "车", 0x29: "贝", 0x33: "长", 0x34: "门",
        0x38: "青", 0x3A: "页", 0x3B: "风", 0x3C: "飞", 0x3D: "食", 0x42: "马", 0x43: "骨", 0x44: "鬼",
        0x45: "鱼", 0x46: "鸟", 0x48: "麦", 0x49: "黄", 0x4C: "齐", 0x50: "龙",
    }.items()
}  # fmt: skip

# One character for one, so that a position in the plain text is a position in the original.
_PLAIN = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_PLAIN |= {ord(c): ord(" ") for c in "\u00a0\u2002\u2003\u2009\u200a\u3000\u202f\ufeff\u200b\t"}
_PLAIN |= RADICALS
_PLAIN |= {ord("﹪"): ord("%"), ord("٪"): ord("%"), ord("−"): ord("-"), ord("﹣"): ord("-")}


_PAIRS = (Path(__file__).parent / "traditional.txt").read_text(encoding="utf-8").split()
_PLAIN |= {
    ord(traditional): ord(simplified)
    for above, below in zip(_PAIRS[::2], _PAIRS[1::2], strict=True)
    for traditional, simplified in zip(above, below, strict=True)
}
_FULL_WIDTH_COMMA = re.compile("(?<=[０-９])，(?=[０-９]{3}(?![０-９]))")
THOUSANDS = "\u066c"
_NUMBER = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?!\d)")
_ACCENTED = re.compile("[àáǎāèéěēìíǐīòóǒōùúǔūǖǘǚǜ][a-z]{0,3}[)）]")
_CHANCE = 3
_SPELT_OUT = re.compile("(?<=[一-龥])[(（][a-zA-Zàáǎāèéěēìíǐīòóǒōùúǔūǖǘǚǜü]{1,7}[)）]")


def plain(text: str) -> str:
    """Half-width digits, letters, signs and spaces, simplified characters, position by position."""
    return text.translate(_PLAIN)


def with_clauses(text: str) -> str:
    """The plain text, but with the full-width commas that divide clauses, not thousands."""
    kept = _FULL_WIDTH_COMMA.sub(",", text)
    return "".join("，" if o == "，" else p for o, p in zip(kept, plain(kept), strict=True))


def with_thousands(text: str) -> str:
    """The plain text with the commas within numbers as a mark of their own, not as clauses.

    共3,216条 is one clause: where a comma divides thousands, THOUSANDS stands for it.
    """
    out = list(plain(text))
    for match in _NUMBER.finditer(with_clauses(text)):
        for at in range(match.start(), match.end()):
            if out[at] == ",":
                out[at] = THOUSANDS
    return "".join(out)


def without_spelling(text: str) -> str:
    """A text without the pinyin that mirrors of sites write behind characters: 報(bào)告."""
    is_spelt = len(_ACCENTED.findall(text)) > _CHANCE
    return _SPELT_OUT.sub("", text) if is_spelt else text
