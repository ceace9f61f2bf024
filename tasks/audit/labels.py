"""Which row or column of the statutory tables a printed label stands for.

Labels come in every spelling: half- or full-width brackets, numbering with 、 or . or
nothing, any quotation marks, spaces and line breaks within, a remark in brackets behind.
The layouts give the official wording, `labels.yaml` the other ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any

from tasks.audit.characters import plain
from warehouse.disk import yaml_of
from warehouse.form import layout_names, load_layout

# All on `plain` text, where brackets and digits are half-width.
_NUMBERING = re.compile(
    r"^(?:[三四]?\([一二三四五六七八九十\d]{1,3}\)、?|[一二三四五六七八九十]{1,2}[、.]|\d{1,2}[.、)]|[①-⑳]"
    r"|\d{1,2}(?=[^\d.,]))"
)
_MARKS = re.compile(r"""[\s="'“”‘’「」『』《》〈〉<>()\[\]【】〔〕,、.。;:·•・\-—_/\\|*]+""")
_REMARK = re.compile(r"[(【〔\[].*$")
# The mark of a footnote behind a label or a figure.
_FOOTNOTE = re.compile(r"(?<=.)(?:[①-⑳*※†]+|\[\d{1,2}\]|【\d{1,2}】|\(?注\d{0,2}\)?)$")
_SIMILAR = 0.84


@cache
def wording() -> dict[str, Any]:
    """The label file as it stands."""
    loaded: dict[str, Any] = yaml_of(
        (Path(__file__).parent / "labels.yaml").read_text(encoding="utf-8")
    )
    return loaded


def squeeze(label: str) -> str:
    """A label without spaces, punctuation and numbering, as labels are compared."""
    text = _FOOTNOTE.sub("", re.sub(r"\s+", "", plain(label)))
    while True:
        shorter = _NUMBERING.sub("", text)
        if shorter == text:
            break
        text = shorter
    return _MARKS.sub("", text)


def _without_remark(label: str) -> str:
    """A label without what follows in brackets; its numbering, in brackets too, stays out."""
    return _REMARK.sub("", _NUMBERING.sub("", re.sub(r"\s+", "", plain(label))))


@dataclass(frozen=True)
class Label:
    """A recognised label: the tables and keys it may stand for.

    `general` labels (其他, 总计 …) say nothing about which table they stand in.
    """

    keys: tuple[tuple[str, str], ...]
    general: bool

    def key_in(self, table: str) -> str | None:
        return next((key for t, key in self.keys if t == table), None)


@cache
def _known() -> dict[str, dict[str, tuple[tuple[str, str], ...]]]:
    """For rows, columns and sections: squeezed wording to (table, key) pairs."""
    known: dict[str, dict[str, dict[tuple[str, str], None]]] = {}
    for kind, text, table, key in (*_of_layouts(), *_of_wording()):
        for spelling in {squeeze(text), squeeze(_without_remark(text))} - {""}:
            known.setdefault(kind, {}).setdefault(spelling, {})[(table, key)] = None
    return {
        kind: {text: tuple(keys) for text, keys in names.items()} for kind, names in known.items()
    }


def _of_layouts() -> Iterator[tuple[str, str, str, str]]:
    """Kind, wording, table and key of every label that the layouts print."""
    for layout in map(load_layout, layout_names()):
        for cell in layout.cells.values():
            if not cell.derived and cell.table != "overview":
                yield "rows", cell.label, cell.table, cell.row
                yield "columns", cell.column_label, cell.table, cell.column


def _of_wording() -> Iterator[tuple[str, str, str, str]]:
    """The same of every other spelling in the label file."""
    for kind in ("rows", "columns"):
        for name, texts in wording()[kind].items():
            table, key = name.split(".")
            yield from ((kind, text, table, key) for text in texts)
    for table, texts in wording()["sections"].items():
        yield from (("sections", text, table, squeeze(text)) for text in texts)


@cache
def match(kind: str, text: str) -> Label | None:
    """The row, column or section that a printed text stands for, or None.

    The same wording first, then without a remark in brackets, then one that only lacks its
    end or has one more character wrong than not.
    """
    known = _known()[kind]
    general = {squeeze(label) for label in wording()["general"]}
    for spelling in (squeeze(text), squeeze(_without_remark(text))):
        if spelling in known:
            return Label(known[spelling], spelling in general)
    spelling = squeeze(_without_remark(text)) or squeeze(text)
    if len(spelling) < 5 or len(spelling) > 60:
        return None
    longer = {known[name] for name in known if name.startswith(spelling)}
    if len(longer) == 1:
        return Label(longer.pop(), False)
    scored = [
        (SequenceMatcher(None, spelling, candidate).ratio(), candidate)
        for candidate in known
        if len(candidate) >= 5
        and abs(len(candidate) - len(spelling)) <= max(3, len(candidate) // 3)
    ]
    best = max(scored, default=(0.0, ""))
    return Label(known[best[1]], False) if best[0] >= _SIMILAR else None


@dataclass(frozen=True)
class Written:
    """What stands in a cell: a figure, nothing (`is_blank`), or a text (neither)."""

    value: Decimal | None
    is_blank: bool = False
    unit: str = ""


_FIGURE = re.compile(
    r"^(?P<sign>[-+]|减少|增加|减|增)?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?P<unit>万元|亿元|千元|元|万|亿|件|条|项|个|宗|份)?$"
)
_TIMES = {"万": Decimal(10_000), "亿": Decimal(100_000_000)}


@cache
def written(text: str) -> Written:
    """A cell's text as a figure. Full-width digits, spaces, separators, 万 and signs are read.

    A dash, a stroke or 无 is a blank. A text that is no figure has neither value nor blank.
    """
    squeezed = re.sub(r"\s+", "", plain(text))
    bare = _FOOTNOTE.sub("", squeezed).strip("()")
    if not squeezed or squeezed in wording()["blanks"]:
        return Written(None, is_blank=True)
    match_ = _FIGURE.match(bare)
    if match_ is None:
        return Written(None)
    value = Decimal(match_["digits"].replace(",", ""))
    if match_["sign"] in ("-", "减", "减少"):
        value = -value
    unit = match_["unit"] or ""
    if unit in _TIMES:
        return Written(value * _TIMES[unit], unit="")
    return Written(value, unit=unit)
