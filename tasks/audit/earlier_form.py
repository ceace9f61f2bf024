"""The statistical table that reports for 2014 to 2018 hold, read row by row.

It has a label, a unit and one figure a row, in an order that tells rows of one name apart.
The rows and their sums are data in `earlier_form.yaml`; `earlier_form_checks` judges them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from tasks.audit.characters import plain
from tasks.audit.document import Document, TableGrid
from warehouse.disk import yaml_of

_FEWEST = 8
"""Fewer rows than this are some list in the prose, not the form."""
_NUMBERING = re.compile(r"^(?:其中[::]?|[((]?[一二三四五六七八九十\d]+[))、.]+)+")
_FIGURE = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_UNITS = "(?:件|条|次|篇|个|人次|人|万元|元)"
_LINE = re.compile(rf"(?P<label>.*[一-龥)])[\s|]+{_UNITS}[\s|]+(?P<value>[\d,.]*\d)[\s|]*$")
_UNIT_AND_FIGURE = re.compile(rf"(?P<label>[^\n]{{4,}})\n{_UNITS}\n(?P<value>[\d,.]*\d)$")


@dataclass(frozen=True)
class EarlierRow:
    """One row as printed: its label without numbering, and its figure."""

    label: str
    value: Decimal
    position: int = 0


@dataclass
class EarlierForm:
    """The rows found, by key; `blocks` are the lines of text that belong to the form.

    `unknown` are the positions of rows among them that the form does not have.
    """

    rows: dict[str, EarlierRow] = field(default_factory=dict)
    blocks: set[int] = field(default_factory=set)
    unknown: list[int] = field(default_factory=list)


@cache
def earlier_form() -> dict[str, Any]:
    """The file of rows and sums as it stands."""
    loaded: dict[str, Any] = yaml_of(
        (Path(__file__).parent / "earlier_form.yaml").read_text(encoding="utf-8")
    )
    return loaded


def read_earlier_form(document: Document) -> EarlierForm | None:
    """The form in a document, or None where it has none."""
    found, at, rows = EarlierForm(), 0, earlier_form()["rows"]
    for position, (blocks, label, value) in enumerate(_lines(document)):
        place = next((n for n in range(at, len(rows)) if re.match(rows[n]["label"], label)), None)
        if place is None:
            found.unknown.append(position)
            continue
        found.rows[rows[place]["key"]] = EarlierRow(label, value, position)
        found.blocks |= {block for block in blocks if document.blocks[block].grid is None}
        at = place + 1
    return found if len(found.rows) >= _FEWEST else None


_Line = tuple[tuple[int, ...], str, Decimal]


def _lines(document: Document) -> Iterator[_Line]:
    """Every row of a table, and every line of text, that ends in a unit and a figure."""
    for at, block in enumerate(document.blocks):
        if block.grid is not None:
            yield from _of_grid(at, block.grid)
        elif match := _LINE.match(plain(block.text).strip()):
            yield (at,), _label(match["label"]), _value(match["value"])
        elif match := _UNIT_AND_FIGURE.match(_joined(document, at)):
            yield (at, at + 1, at + 2), _label(match["label"]), _value(match["value"])


def _joined(document: Document, at: int) -> str:
    """Three lines of text, as copied one line a cell: label, unit, figure."""
    blocks = document.blocks[at : at + 3]
    is_text = len(blocks) == 3 and all(block.grid is None for block in blocks)
    return "\n".join(plain(block.text).strip() for block in blocks) if is_text else ""


def _of_grid(at: int, grid: TableGrid) -> Iterator[_Line]:
    for row in range(len(grid.rows)):
        texts = [text for c in grid.anchored(row) if (text := plain(c.text).strip())]
        labels = [text for text in texts[:-1] if len(text) > 3]
        if labels and _FIGURE.fullmatch(texts[-1]):
            yield (at,), _label(labels[-1]), _value(texts[-1])


def _value(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def _label(text: str) -> str:
    """A label without blanks, numbering and what stands in brackets behind it."""
    squeezed = re.sub(r"\s+", "", text)
    return _NUMBERING.sub("", re.sub(r"(?<=.)\([^()]*\)$", "", squeezed))
