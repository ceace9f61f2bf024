"""Texts in CSV files that people open with a spreadsheet program, and save again.

A program takes a text that begins like a formula for one, and a text of digits for a number: more
than eleven of them it writes back as 4.4E+17, the sixteenth and following as zeros, and those that
lead as none. Such a text gets an apostrophe in front, and stays what it is. CSV is for people;
programs read the Parquet and JSON files, which hold every text as it is.
"""

from __future__ import annotations

import re

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_TAKEN_FOR_A_NUMBER = re.compile(r"[0-9]{12,}|0[0-9]+|[0-9]+[eE][0-9]+|[0-9]+\.[0-9]*0")


def safe_text(value: str) -> str:
    """A text that no spreadsheet takes for a formula, or for a number that it would change."""
    if value.startswith(_FORMULA_STARTS) or _TAKEN_FOR_A_NUMBER.fullmatch(value):
        return f"'{value}"
    return value
