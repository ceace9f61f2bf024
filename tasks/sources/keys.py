"""A record's id: one way of writing it, whatever the source wraps it in, and never two as one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from tasks.sources.compiled import NOT_SCALAR, Context, Read
from tasks.sources.select import text

IMPRECISE = NOT_SCALAR + "number "
"""How the id of a number begins that cannot be told from its neighbours."""
LARGEST_PRECISE = 10**15
"""Spreadsheets, and floating point, keep fifteen digits; of a longer number the last are made up."""
_IN_NUMBERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-./_"
# As Chinese input methods write them; brackets stay, official numbers are written with wide ones.
_FULL_WIDTH = {ord(mark) + 0xFEE0: mark for mark in _IN_NUMBERS}
# What `str.strip` takes for a blank is not all: marks of byte order and of zero width.
_BLANKS = " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"
_BLANKS += "".join(map(chr, range(0x2000, 0x200E)))
Identity = tuple[str | None, str | None]
Identify = Callable[[Any, Context, int], Identity]


def clean_key(value: Any) -> str | None:
    """A value as an id: no blanks around it, letters and digits in half width; None when there is
    none."""
    if isinstance(value, float) and (not math.isfinite(value) or abs(value) >= LARGEST_PRECISE):
        return f"{IMPRECISE}{value:.0f}"
    cleaned = text(value).strip(_BLANKS).translate(_FULL_WIDTH)
    return None if not cleaned or cleaned.startswith(NOT_SCALAR) else cleaned


def compile_key(parts: tuple[str, ...], read_of: Callable[[str], Read]) -> Identify:
    """The record's id, and of what kind its values are where they are no texts.

    The id is None when any part is missing. In an id of several parts a `/` within one is
    escaped, so that (x/y, z) and (x, y/z) stay two.
    """
    reads = [_constant(part[1:]) if part.startswith("=") else read_of(part) for part in parts]
    needs_index = "$index" in parts

    def identify(record: Any, context: Context, index: int) -> Identity:
        if needs_index:
            context = {**context, "$index": index}
        values = [read(record, context) for read in reads]
        return joined([clean_key(value) for value in values]), kinds(values)

    return identify


def joined(parts: Iterable[str | None]) -> str | None:
    """The parts of an id as one text; None when one is missing."""
    written = list(parts)
    if any(part is None for part in written):
        return None
    imprecise = next((part for part in written if part and part.startswith(IMPRECISE)), None)
    if imprecise is not None or len(written) == 1:
        return imprecise or written[0]
    return "/".join((part or "").replace("%", "%25").replace("/", "%2F") for part in written)


def kinds(values: Iterable[Any]) -> str | None:
    """What the values are, where not all of them are texts: 1 and "1" are two ids of one look."""
    names = [value.__class__.__name__ for value in values]
    return None if all(name == "str" for name in names) else "/".join(names)


def _constant(value: str) -> Read:
    return lambda record, context: value
