"""What the codes of a column mean, as the head of its table says: `closed 办结`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from tasks.wording.typeset import typeset
from warehouse.layout import Layout
from warehouse.numbers import plain
from warehouse.tables import Column

_CODE = re.compile(r"(?:^|[:,]\s*)([a-z][a-z0-9_]*) ([^,;]+)")


@cache
def codes_of(column: Column) -> Mapping[str, str]:
    """The codes of a column in words; none where its meaning lists none."""
    listed = column.meaning.partition(";")[0]
    return {code: word.strip() for code, word in _CODE.findall(listed)}


def label_of(column: Column) -> str:
    """What a column is called beside its value, which for an organ is its name."""
    if column.name.endswith("organ_id"):
        return column.label.removesuffix("编号")
    return re.split("[,，]", column.label, maxsplit=1)[0]


def rows_in_words(layout: Layout) -> dict[str, str]:
    """The rows of a form by their keys, as a record that is filed under one names it."""
    found: dict[str, str] = {}
    for cell in layout.cells.values():
        found.setdefault(cell.row, typeset(cell.label))
    return found


def in_words(column: Column, value: Any, rows: Mapping[str, str]) -> str | None:
    """A value as a person reads it; None where there is none."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal | int | float):
        return plain(Decimal(str(value)))
    text = str(value)
    known = codes_of(column)
    if text in known:
        return known[text]
    # A column whose codes are the rows of a form says so, and lists only examples.
    return rows.get(text, text) if "键" in column.meaning else text
