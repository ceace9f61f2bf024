"""Lines of CSV put together of parts: what many lines have in common is quoted once."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import StringIO

END = "\r\n"
"""How a line ends in a file for people (RFC 4180)."""


def line(values: Iterable[str]) -> str:
    """Values as a line, without its end."""
    written = StringIO()
    csv.writer(written, lineterminator="").writerow(values)
    return written.getvalue()


def further(values: Iterable[str]) -> str:
    """Values that follow others in a line, with the comma before them."""
    return line(("", *values))
