"""Rows of the statutory tables in lines of text: tables that lost their rules.

Three ways are met: cells divided by | or tabs, one line a row with the figures behind the
label, and one line a cell. A sentence is never taken for a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tasks.audit.characters import plain
from tasks.audit.document import Place, RowCell
from tasks.audit.labels import match, written

_DIVIDER = re.compile(r"[|\t]")
_FIGURE = re.compile(
    r"(?<![\d.])(?!\d{1,2}[.、)]\s*[一-龥])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:万元|元)?"
)
_NUMBERED = re.compile(r"\d{1,2}[.、]|\([一二三四五六七八九十]\)|[一二三四]、")
_MOST_LINES = 12
"""A label set four characters wide takes no more lines."""
_BETWEEN = re.compile(r"[\s,;/\[\]=、]*")
_TABLE_NAME = re.compile(r"^\s*(?:附?表[一二三四]?|[一二三四]、)\s*:\s*")
_LONGEST = 70
"""No label of the form is longer, and hardly any sentence with a figure is shorter."""


def text_rows(lines: Sequence[tuple[int, str]]) -> Iterator[list[RowCell]]:
    """Table rows in consecutive lines, each line with its block number."""
    open_row: list[RowCell] = []
    before: list[str] = []
    for at, (block, line) in enumerate(lines):
        rows = _rows(block, line)
        if rows is None:
            after = [text for _, text in lines[at + 1 : at + 1 + _MOST_LINES]]
            rows = _wrapped(block, line, before, after)
        if rows is None and _is_rest(line):
            # The figures of the row above go on here: better no figure than half of one.
            open_row = []
        before = [*before[-2:], line] if rows is None or not _has_figures(rows) else []
        if rows is None:
            if open_row:
                yield open_row
            open_row = []
            continue
        for row in rows:
            if open_row and all(_is_figure_or_blank(c.text) for c in row):
                first = open_row[-1].column + 1
                open_row += [RowCell(c.text, c.place, first + i) for i, c in enumerate(row)]
                continue
            if open_row:
                yield open_row
            open_row = list(row)
    if open_row:
        yield open_row


def _is_rest(line: str) -> bool:
    """A line of a few stray digits and at most a piece of a label."""
    words = plain(line).split()
    rest = "".join(w for w in words if not w.isdigit())
    return len(rest) <= 6 and any(w.isdigit() for w in words)


def _has_figures(rows: list[list[RowCell]]) -> bool:
    return any(written(cell.text).value is not None for row in rows for cell in row)


def _wrapped(
    block: int, line: str, before: list[str], after: list[str]
) -> list[list[RowCell]] | None:
    """A row whose label began in the lines above or goes on in those below its figures."""
    figure = _FIGURE.search(_masked(plain(line)))
    if figure is None or len(line) > 2 * _LONGEST:
        return None
    for label in _wrapped_labels(line[: figure.start()].split(), before, after):
        if len(label) <= _LONGEST and (known := match("rows", label)) and not known.general:
            rows = _runs(block, line[figure.start() :], figure.start())
            if rows is not None and len(rows) == 1:
                place = Place(block, start=0, end=figure.start())
                moved = [RowCell(c.text, c.place, c.column + 1) for c in rows[0]]
                return [[RowCell(label, place, 0), *moved]]
    return None


def _wrapped_labels(words: list[str], before: list[str], after: list[str]) -> Iterator[str]:
    """Labels that the words left of some figures may be a part of, the shortest first.

    A numbered word right before the figures begins a label: what stands above is the rest of
    another one. The names of groups stand beside a label, in front of it or in between.
    """
    own = [w for w in words if match("sections", w) is None]
    if not own or not _NUMBERED.match(plain(own[-1])):
        begins = [at for at, word in enumerate(own) if _NUMBERED.match(plain(word))]
        rest = "".join(own[begins[-1] + 1 :] if begins else own)
        for count in range(1, len(before) + 1):
            yield "".join(before[-count:]) + rest
        return
    label = own[-1]
    for line in after:
        more = line.split()[-1:]
        if not more or _NUMBERED.match(plain(more[0])) or _FIGURE.search(_masked(plain(line))):
            return
        label += more[0]
        yield label


def _rows(block: int, line: str) -> list[list[RowCell]] | None:
    """The rows that one line holds, or None for a line that belongs to no table."""
    text = plain(line)
    if "|" in line or "\t" in line.lstrip():
        cells = _divided(block, line)
        if all(_is_known(c.text) for c in cells):
            return [cells]
        runs = [_runs(block, c.text, c.place.start or 0) for c in cells]
        found = [row for run in runs if run for row in run]
        return found if found and all(run is not None for run in runs) else [cells]
    if "。" in text:
        return None
    if _is_known(line):
        return [[_cell(block, 0, line, 0)]]
    if any(len(part) > _LONGEST for part in _FIGURE.split(_masked(text))):
        return None
    runs_ = _runs(block, line, 0)
    if runs_:
        return runs_
    words = list(re.finditer(r"\S+", text))
    if len(words) > 1 and all(_is_known(w[0]) for w in words):
        return [
            [_cell(block, i, line[w.start() : w.end()], w.start()) for i, w in enumerate(words)]
        ]
    return None


def _cell(block: int, column: int, text: str, start: int) -> RowCell:
    return RowCell(text, Place(block, start=start, end=start + len(text)), column)


def _divided(block: int, line: str) -> list[RowCell]:
    """The cells of a line. A stroke at its end closes the last cell, a tab opens an empty one."""
    cells: list[RowCell] = []
    start = 0
    for end in [m.start() for m in _DIVIDER.finditer(line)] + [len(line)]:
        if end < len(line) or "|" not in line or line[start:].strip():
            cells.append(_cell(block, len(cells), line[start:end], start))
        start = end + 1
    return cells


def _is_figure_or_blank(text: str) -> bool:
    if " " in plain(text).strip():
        return False
    read = written(text)
    return read.is_blank or read.value is not None


def _is_known(text: str) -> bool:
    if _is_figure_or_blank(text):
        return True
    if len(text) > _LONGEST or _FIGURE.search(_masked(plain(text))):
        return False
    return any(match(kind, text) for kind in ("rows", "columns", "sections"))


def _masked(text: str) -> str:
    """The text with remarks in brackets blanked out, so that figures in them are not read."""
    characters = list(text)
    opened: list[int] = []
    for at, character in enumerate(text):
        if character in "([【〔":
            opened.append(at)
        elif character in ")]】〕" and opened:
            start = opened.pop()
            if len(re.findall(r"[一-龥]", text[start:at])) > 1:
                characters[start : at + 1] = " " * (at + 1 - start)
    return "".join(characters)


def _runs(block: int, line: str, offset: int) -> list[list[RowCell]] | None:
    """A line that is nothing but labels, each followed by its figures, as rows; else None."""
    text = _masked(plain(line))
    name = _TABLE_NAME.match(text)
    position = name.end() if name else 0
    rows: list[list[RowCell]] = []
    label: list[RowCell] = []
    for figure in _FIGURE.finditer(text, position):
        between = text[position : figure.start()]
        if not _BETWEEN.fullmatch(between):
            start, named = _label_end(between)
            if not named:
                return None
            label = [
                _cell(block, 0, line[position + start : figure.start()], offset + position + start)
            ]
            rows.append(list(label))
        elif not rows:
            rows.append([])
        rows[-1].append(
            _cell(
                block, len(rows[-1]), line[figure.start() : figure.end()], offset + figure.start()
            )
        )
        position = figure.end()
    if not rows or not _BETWEEN.fullmatch(text[position:]):
        return None
    return rows


def _label_end(text: str) -> tuple[int, bool]:
    """Where a row's label begins in what stands before its figures, if one ends there."""
    for word in re.finditer(r"\S+", text):
        label = match("rows", text[word.start() :].rstrip(" =[:;"))
        if label is not None:
            return word.start(), True
    return 0, False
