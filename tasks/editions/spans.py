"""The same figures over other spans than a year: its months, quarters and halves beside each other,
and a span beside the one before it (环比) and the same a year ago (同比).

Figures of the parts and of the whole must agree: what happens in a span is the sum of its parts,
what is carried in is the first part's, what is carried out or in force is the last part's
(`Measure.run_of`). A figure for which neither holds, such as the peak of a day, is not compared.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tasks.editions import figures as written
from tasks.editions.definitions import Definitions
from tasks.editions.edition import CellValue, Organ
from tasks.editions.explain import NoSuchCell
from tasks.editions.tabulate import Figures, Tree, read_tree, tabulate
from warehouse.errors import EntryError
from warehouse.form import ANNUAL_REPORT, form_of
from warehouse.lake import Lake
from warehouse.layout import Cell, Layout
from warehouse.numbers import json_number, number, plain
from warehouse.period import Kind, Period
from warehouse.reading import Reading, reading
from warehouse.spreadsheet import safe_text

ROWS_COPIED = 500_000
KINDS: Mapping[str, Kind] = {"month": "month", "quarter": "quarter", "half": "half"}


class NoParts(EntryError):
    """A span is not made of such parts; the message says of which it may be."""


@dataclass(frozen=True)
class Disagreement:
    """A figure of the whole that is not what its parts make."""

    cell: Cell
    whole: Decimal
    parts: Decimal


@dataclass(frozen=True)
class Spans:
    """One organ's figures by span: `period` and, beside it, other spans by what they are to it."""

    period: Period
    layout: Layout
    organ: Organ
    columns: tuple[tuple[str, Period], ...]
    figures: Mapping[Period, Figures]
    compared: int = 0
    disagreements: tuple[Disagreement, ...] = ()

    def rows(self) -> Iterator[tuple[Cell, list[CellValue]]]:
        """The figures, one a line, a value a column; percentages of change are left out."""
        for key, cell in self.layout.cells.items():
            if cell.change_on_year or cell.last_year or cell.derived:
                continue
            if cell.only_root and self.organ.parent_id is not None:
                continue
            yield cell, [self.figures[period][key] for _, period in self.columns]


def by_parts(
    lake: Lake,
    city: Path,
    period: Period,
    kind: Kind,
    *,
    form: str = ANNUAL_REPORT,
    organ_id: str | None = None,
) -> Spans:
    """A span's months, quarters or halves beside each other, and held against the whole.

    Raises NoParts where it is not made of such, NoSuchCell for an unknown organ, LakeError.
    """
    parts = period.parts(kind)
    if not parts:
        raise NoParts(
            f"{period.label}不能按这样的时段分列。年度可分为月(month)、季(quarter)、半年(half),"
            "半年可分为月、季,季度可分为月"
        )
    with reading(lake, copy_up_to=ROWS_COPIED) as opened:
        layout = Definitions.now(form_of(form, city), city, period).parsed_layout
        organ, tree = _organ(opened, layout, period, organ_id)
        figures = {p: _figures(opened, layout, p, tree, organ) for p in (*parts, period)}
        compared, wrong = _held_against(opened, layout, figures, parts, period)
    columns = tuple((p.label, p) for p in parts)
    return Spans(period, layout, organ, (*columns, ("合计", period)), figures, compared, wrong)


def beside_others(
    lake: Lake,
    city: Path,
    period: Period,
    *,
    form: str = ANNUAL_REPORT,
    organ_id: str | None = None,
) -> Spans:
    """A span beside the one before it and the same a year ago, all through its own organs.

    Raises NoSuchCell for an unknown organ, LakeError.
    """
    columns = [(period.label, period), (f"上期({period.before.label})", period.before)]
    if period.year_before != period.before:
        columns.append((f"上年同期({period.year_before.label})", period.year_before))
    with reading(lake, copy_up_to=ROWS_COPIED) as opened:
        layout = Definitions.now(form_of(form, city), city, period).parsed_layout
        organ, tree = _organ(opened, layout, period, organ_id)
        figures = {p: _figures(opened, layout, p, tree, organ) for _, p in columns}
    return Spans(period, layout, organ, tuple(columns), figures)


def _organ(
    opened: Reading, layout: Layout, period: Period, organ_id: str | None
) -> tuple[Organ, Tree]:
    tree = read_tree(opened, period, layout)
    for organ in tree.organs:
        if organ.id == (organ_id or tree.root.id):
            return organ, tree
    raise NoSuchCell(
        f"{period.label}没有机关 {organ_id}。机关编号见城市目录中的 organs.csv,网站编号见 websites.csv"
    )


def _figures(opened: Reading, layout: Layout, period: Period, tree: Tree, organ: Organ) -> Figures:
    return tabulate(opened, layout, period, tree=tree).cells[(organ.id, "rolled_up")]


def _held_against(
    opened: Reading,
    layout: Layout,
    figures: Mapping[Period, Figures],
    parts: Sequence[Period],
    period: Period,
) -> tuple[int, tuple[Disagreement, ...]]:
    """How many figures of the whole were compared with the parts', and those that differ."""
    compared, wrong = 0, []
    for key, cell in layout.cells.items():
        whole = figures[period][key].value
        if not cell.measure or whole is None:
            continue
        values = [figures[part][key].value or Decimal(0) for part in parts]
        run = opened.measures[cell.measure].run_of(cell.where)
        made = {"at start": values[0], "at end": values[-1], "summed": sum(values, Decimal(0))}
        if run in made:
            compared += 1
            if made[run] != whole:
                wrong.append(Disagreement(cell, whole, made[run]))
    return compared, tuple(wrong)


def changes(cell: Cell, values: Sequence[CellValue]) -> list[str]:
    """The first figure against each of the others: in percent, of a percentage in points."""
    now = written.number(cell, values[0])
    told = []
    for other in values[1:]:
        then = written.number(cell, other)
        if now is None or then is None:
            told.append("")
        elif written.is_percentage(cell):
            told.append(f"{now - then:+.2f} 个百分点")
        elif not then:
            told.append("持平" if now == then else f"基数为 0,增 {plain(now)}")
        else:
            change = written.Rate((now - then) * 100 / abs(then), None, None).truncated
            told.append(f"{change:+.2f}%")
    return told


def spans_json(spans: Spans) -> dict[str, Any]:
    """The figures by span as plain data, by cell key and the span's key."""
    return {
        "period": spans.period.key,
        "first": spans.period.first.isoformat(),
        "last": spans.period.last.isoformat(),
        "layout": spans.layout.name,
        "organ": {"id": spans.organ.id, "name": spans.organ.name},
        "columns": [
            {
                "key": period.key,
                "label": label,
                "first": f"{period.first}",
                "last": f"{period.last}",
            }
            for label, period in spans.columns
        ],
        "cells": {
            cell.key: {
                period.key: json_number(written.number(cell, value))
                for (_, period), value in zip(spans.columns, values, strict=True)
            }
            for cell, values in spans.rows()
        },
        "compared": spans.compared,
        "disagreements": [
            {
                "cell": d.cell.key,
                "label": d.cell.full_label,
                "whole": json_number(d.whole),
                "parts": json_number(d.parts),
            }
            for d in spans.disagreements
        ],
    }


def write_csv(spans: Spans, path: Path) -> None:
    """The figures by span, one a line; UTF-8 with byte order mark for spreadsheet programs."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(["键", "项目", "单位", *(label for label, _ in spans.columns)])
        for cell, values in spans.rows():
            shown = ("" if (n := written.number(cell, v)) is None else number(n) for v in values)
            writer.writerow([cell.key, safe_text(cell.full_label), cell.unit, *shown])
