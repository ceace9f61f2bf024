"""Explain: from a published cell back to its definition, its SQL and its records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tasks.editions.definitions import Definitions
from tasks.editions.edition import CellValue, CityEdition, Edition, Scope
from tasks.editions.figures import definition, why_not_provided
from tasks.editions.figures import number as printed
from tasks.editions.figures import text as shown
from tasks.editions.last_year import TRANSFERS
from tasks.editions.of_cities import known_as
from tasks.editions.store import NoEdition, load_edition, newest_edition
from tasks.editions.store.cities import TakenEdition, taken_editions
from tasks.editions.tabulate import Tabulation, Tree, read_tree, tabulate
from warehouse.cells import Record, cell_sql, count_records, records
from warehouse.errors import EntryError
from warehouse.form import ANNUAL_REPORT, form_of
from warehouse.lake import Lake
from warehouse.layout import Cell, Layout
from warehouse.numbers import json_number
from warehouse.period import Period
from warehouse.reading import Reading, reading


class NoSuchCell(EntryError):
    """The key names no cell, or the organ is not in the year's tree; near ones are named."""


@dataclass(frozen=True)
class Explanation:
    """One figure explained.

    A figure made of other figures carries theirs in `parts`, by the role they play:
    numerator and denominator, this year and last year, or the parts of a sum. `text` is the figure
    as it is printed: words for a cell of words, 是 or 否 for a question; `why_blank` says why it is not there,
    where that is known. `cities` are the figures of cities' editions that a province's is the sum of.
    """

    period: Period
    cell: str
    label: str
    organ_id: str
    organ_name: str
    value: Decimal | None
    text: str
    why_blank: str
    unit: str
    definition: str
    article: str
    rule: str
    sql: str
    snapshot: int
    edition_id: str | None
    record_count: int
    records: tuple[Record, ...]
    offset: int
    parts: tuple[tuple[str, Explanation], ...] = field(default=())
    cities: tuple[CityFigure, ...] = ()


@dataclass(frozen=True)
class CityFigure:
    """What a province's figure has of a city: the city's edition, its figure there, and the command
    that explains it in the city's own lake, down to the records."""

    name: str
    edition: CityEdition
    organ_id: str
    value: Decimal | None
    text: str
    command: str


def explain(
    lake: Lake,
    city: Path,
    period: Period,
    cell_key: str,
    *,
    form: str = ANNUAL_REPORT,
    organ_id: str | None = None,
    scope: Scope = "rolled_up",
    edition_id: str | None = None,
    limit: int = 20,
    offset: int = 0,
) -> Explanation:
    """Explain a cell of a report for the root or one organ, from the edition's own snapshot and
    by its own definitions.

    The newest edition is meant unless one is named; without any edition, the lake as it is.
    Raises NoSuchCell, NoEdition, NoForm, LakeError.
    """
    snapshot: int | None
    try:
        edition = (
            load_edition(lake, edition_id, with_figures=False)
            if edition_id
            else newest_edition(lake, form_of(form, city), period, with_figures=False)
        )
        period, snapshot, shown = edition.period, edition.snapshot, edition.id
        definitions = edition.definitions
    except NoEdition:
        if edition_id:
            raise
        definitions = Definitions.now(form_of(form, city), city, period)
        snapshot, shown = None, None
    assert definitions is not None
    layout, declared = definitions.parsed_layout, definitions.parsed_measures
    if cell_key not in layout.cells:
        raise NoSuchCell(_unknown(cell_key, layout))
    with reading(lake, snapshot, declared=declared) as opened:
        narrow = layout.only(cell_key)
        looks_back = any(c.change_on_year or c.last_year for c in narrow.cells.values())
        before = period.year_before
        # As in the edition, last year is read through this year's organs.
        follows = TRANSFERS in definitions.rules.yearly
        tree = read_tree(opened, period, layout) if follows else None
        if layout.gathers:
            tabulations = _of_cities(tabulate(opened, narrow, period, tree=tree))
        else:
            last_year = tabulate(opened, narrow, before, tree=tree) if looks_back else None
            tabulations = {period: tabulate(opened, narrow, period, last_year)}
            if last_year:
                tabulations[before] = last_year
        tree = tabulations[period].tree
        organ = next((o for o in tree.organs if o.id == (organ_id or tree.root.id)), None)
        if organ is None:
            raise NoSuchCell(
                f"{period.label}没有机关 {organ_id}。机关编号见城市目录中的 organs.csv,网站编号见 websites.csv"
            )
        cell = layout.cells[cell_key]
        if cell.only_root and organ.id != tree.root.id:
            raise NoSuchCell(f"{cell.full_label}只有{tree.root.name}有,{organ.name}没有这一数字")
        context = _Context(opened, layout, tabulations, shown, scope, limit, offset)
        return context.explain(cell, period, organ.id, organ.name)


def explain_kept(
    lake: Lake,
    edition: Edition,
    tree: Tree,
    cell_key: str,
    *,
    organ_id: str | None = None,
    scope: Scope = "rolled_up",
    limit: int = 20,
    offset: int = 0,
) -> Explanation:
    """Explain a cell as `explain` does, of an edition at hand with that organ's figures and its
    organs as `read_tree` gives them: what it keeps is not reckoned again, which is quicker.

    Raises NoSuchCell, LakeError.
    """
    assert edition.definitions is not None
    layout, declared = edition.layout, edition.definitions.parsed_measures
    period, before = edition.period, edition.period.year_before
    organ_id = organ_id or tree.root.id
    name = check_has_cell(edition, cell_key, organ_id)
    with reading(lake, edition.snapshot, declared=declared) as opened:
        narrow = layout.only(cell_key)
        tabulations = {period: Tabulation(period, layout, tree, _as_figures(edition.cells))}
        looks_back = any(c.change_on_year or c.last_year for c in narrow.cells.values())
        if layout.gathers:
            tabulations = _of_cities(tabulate(opened, narrow, period, tree=tree))
        elif looks_back:
            follows = TRANSFERS in edition.definitions.rules.yearly
            if follows and (organ_id, scope) == (tree.root.id, "rolled_up"):
                figures = {(organ_id, scope): dict(edition.last_year)}
                tabulations[before] = Tabulation(before, layout, tree, figures)
            else:
                of_then = tree if follows else None
                tabulations[before] = tabulate(opened, narrow, before, tree=of_then)
        context = _Context(opened, layout, tabulations, edition.id, scope, limit, offset)
        return context.explain(layout.cells[cell_key], period, organ_id, name)


def _of_cities(done: Tabulation) -> dict[Period, Tabulation]:
    """A province's figures, and those of the year before that came with its cities' editions: what
    a city was held against, and of its organs what their change on that year tells."""
    before = done.period.year_before
    cells: dict[tuple[str, Scope], dict[str, CellValue]] = defaultdict(dict)
    for place, figures in done.cells.items():
        for key, cell in done.layout.cells.items():
            figure = figures[key]
            if cell.change_on_year and figure.denominator is not None:
                cells[place][cell.change_on_year] = CellValue(figure.denominator)
            elif cell.last_year:
                cells[place][cell.last_year] = figure
    for organ, figures in done.last_year.items():
        cells[(organ, "rolled_up")] |= figures
    return {done.period: done, before: Tabulation(before, done.layout, done.tree, cells)}


def check_has_cell(edition: Edition, cell_key: str, organ_id: str) -> str:
    """What an organ of an edition is called that has a cell. Raises NoSuchCell."""
    if cell_key not in edition.layout.cells:
        raise NoSuchCell(_unknown(cell_key, edition.layout))
    organ = next((o for o in edition.organs if o.id == organ_id), None)
    if organ is None:
        raise NoSuchCell(
            f"{edition.period.label}没有机关 {organ_id}。机关编号见城市目录中的 organs.csv"
        )
    cell = edition.layout.cells[cell_key]
    if not edition.has_figure(cell, organ_id):
        raise NoSuchCell(f"{cell.full_label}只有{edition.root.name}有,{organ.name}没有这一数字")
    return organ.name


def _as_figures(
    cells: Mapping[tuple[str, Scope], Mapping[str, CellValue]],
) -> dict[tuple[str, Scope], dict[str, CellValue]]:
    return {place: dict(figures) for place, figures in cells.items()}


def _unknown(key: str, layout: Layout) -> str:
    import difflib

    # A label, or a part of one, is as good as a key.
    named = [
        f"{cell.key}({cell.full_label})" for cell in layout.cells.values() if key in cell.full_label
    ]
    near = named[:5] or difflib.get_close_matches(key, layout.cells, n=5, cutoff=0.4)
    hint = f"相近的有:{'、'.join(near)}" if near else "全部的键见工作簿的“编制说明”"
    return f"{layout.title}中没有单元格 {key};{hint}"


@dataclass(frozen=True)
class _Context:
    reading: Reading
    layout: Layout
    tabulations: dict[Period, Tabulation]
    edition_id: str | None
    scope: Scope
    limit: int
    offset: int

    def explain(self, cell: Cell, period: Period, organ_id: str, organ_name: str) -> Explanation:
        tabulation = self.tabulations[period]
        figure = tabulation.cells.get((organ_id, self.scope), {}).get(cell.key, CellValue(None))
        parts = self._parts(cell, period, organ_id, organ_name)
        found: list[Record] = []
        count, sql = 0, ""
        cities: tuple[CityFigure, ...] = ()
        if cell.measure and self.layout.gathers:
            cities = self._of_cities(cell, period, organ_id)
        elif cell.measure:
            organs = tabulation.tree.record_organs(organ_id, self.scope)
            sql = cell_sql(self.reading, cell, period, organs)
            if not figure.is_missing:
                count = count_records(self.reading, [cell], period, organs)
                found = records(
                    self.reading, [cell], period, organs, limit=self.limit, offset=self.offset
                )
        if parts:
            found, count = self._of_parts([e for role, e in parts if role != "denominator"])
            sql = "\n\n".join(f"-- {e.label}\n{e.sql}" for _, e in parts if e.sql)
        return Explanation(
            period=period,
            cell=cell.key,
            label=cell.full_label,
            organ_id=organ_id,
            organ_name=organ_name,
            value=printed(cell, figure),
            text=shown(cell, figure),
            why_blank=why_not_provided(cell, figure),
            unit=cell.unit,
            definition=definition_in_words(cell, self.layout),
            article=cell.article,
            rule=self.reading.measures[cell.measure].rule if cell.measure else "",
            sql=sql,
            snapshot=self.reading.snapshot,
            edition_id=self.edition_id,
            record_count=count,
            records=tuple(found),
            offset=self.offset,
            parts=tuple(parts),
            cities=cities,
        )

    def _parts(
        self, cell: Cell, period: Period, organ_id: str, organ_name: str
    ) -> list[tuple[str, Explanation]]:
        """The figures that a figure is made of, by the role they play; none where it is counted."""

        def part(role: str, key: str, of: Period) -> tuple[str, Explanation]:
            return role, self.explain(self.layout.cells[key], of, organ_id, organ_name)

        if cell.measure:
            return []
        if cell.ratio:
            return [
                part("numerator", cell.ratio[0], period),
                part("denominator", cell.ratio[1], period),
            ]
        if cell.parts:
            return [part("part", key, period) for key in cell.parts]
        has_before = period.year_before in self.tabulations
        parts = []
        if cell.change_on_year:
            parts = [part("this_year", cell.change_on_year, period)]
        if has_before and (key := cell.change_on_year or cell.last_year):
            parts.append(part("last_year", key, period.year_before))
        return parts

    def _of_cities(self, cell: Cell, period: Period, organ_id: str) -> tuple[CityFigure, ...]:
        """The cities' figures behind one of the province: of all of them below an organ of its own,
        of the organ's own city below that."""
        of_period = max(self.tabulations, key=lambda p: p.last)
        tabulation = self.tabulations[period]
        inside = set(tabulation.tree.subtree(organ_id))
        found = []
        for taken in taken_editions(self.reading.connection, self.layout.gathers, of_period.key):
            known = {known_as(taken, organ.id): organ.id for organ in taken.organs}
            place = taken.city_id if taken.city_id in inside else organ_id
            if place not in known:
                continue
            figure = tabulation.cells.get((place, self.scope), {}).get(cell.key, CellValue(None))
            found.append(
                CityFigure(
                    tabulation.tree.name(place),
                    taken.reference,
                    known[place],
                    printed(cell, figure),
                    shown(cell, figure),
                    self._command(taken, cell, period, known[place]),
                )
            )
        return tuple(found)

    def _command(self, taken: TakenEdition, cell: Cell, period: Period, organ_id: str) -> str:
        """How the city's own lake is asked for a figure: of this year by the edition that was added
        up, of the year before by the city's edition of then."""
        command = f"nianbao explain {period.key} {cell.key} --city {taken.reference.city_name}"
        if taken.form != ANNUAL_REPORT:
            command += f" --form {taken.form}"
        if taken.period == period.key:
            command += f" --edition {taken.reference.edition_id}"
        if organ_id != taken.organs[0].id:
            command += f" --organ {organ_id}"
        return command + (" --own" if self.scope == "own" else "")

    def _of_parts(self, parts: Sequence[Explanation]) -> tuple[list[Record], int]:
        """One page over the records of several figures, one after the other."""
        count = sum(e.record_count for e in parts)
        found: list[Record] = []
        skip = self.offset
        for e in parts:
            cells, period = [self.layout.cells[e.cell]], e.period
            if not cells[0].measure or self.layout.gathers:
                found += e.records[: self.limit - len(found)]
            elif skip < e.record_count and len(found) < self.limit:
                organs = self.tabulations[period].tree.record_organs(e.organ_id, self.scope)
                found += records(
                    self.reading, cells, period, organs, limit=self.limit - len(found), offset=skip
                )
            skip = max(0, skip - e.record_count)
        return found, count


def definition_in_words(cell: Cell, layout: Layout) -> str:
    """What a figure means and how it is taken, in words an official can check."""
    words = definition(layout, cell)
    if cell.measure is None:
        return f"{cell.full_label}:{words}"
    counted = f"{cell.quantity} 之和" if cell.quantity else "记录数"
    if cell.text:
        counted = f" {cell.text} 的内容"
    return f"{cell.full_label}:{words}。取自 {cell.measure},条件 {cell.where},取{counted}"


def explanation_json(e: Explanation) -> dict[str, Any]:
    """The explanation as plain data; dates as ISO text."""

    def plain(value: Any) -> Any:
        return value.isoformat() if isinstance(value, date | datetime) else value

    return {
        "report_year": e.period.year,
        "cell": e.cell,
        "label": e.label,
        "organ": {"id": e.organ_id, "name": e.organ_name},
        "value": json_number(e.value),
        "text": e.text,
        **({"why_blank": e.why_blank} if e.why_blank else {}),
        "unit": e.unit,
        "definition": e.definition,
        "article": e.article,
        "rule": e.rule,
        "sql": e.sql,
        "snapshot": e.snapshot,
        "edition": e.edition_id,
        "record_count": e.record_count,
        "offset": e.offset,
        "records": [
            {
                "source": r.source_system,
                "table": r.table,
                "id": r.record_id,
                "organ": r.organ_id,
                "on": plain(r.record_on),
                "quantity": json_number(r.quantity),
                "dates": {name: plain(value) for name, value in r.dates.items()},
                **({"detail": r.detail} if r.detail else {}),
            }
            for r in e.records
        ],
        **_parts_json(e),
        **({"cities": [_city_json(city) for city in e.cities]} if e.cities else {}),
    }


def _city_json(city: CityFigure) -> dict[str, Any]:
    return {
        "city": {"id": city.edition.city_id, "name": city.name},
        "organ": city.organ_id,
        "edition": city.edition.as_data(),
        "value": json_number(city.value),
        "text": city.text,
        "command": city.command,
    }


def _parts_json(e: Explanation) -> dict[str, Any]:
    """`numerator` and `denominator`, `this_year` and `last_year`, or the list `parts`."""
    roles = [role for role, _ in e.parts]
    if "part" in roles:
        return {"parts": [explanation_json(part) for _, part in e.parts]}
    return {role: explanation_json(part) for role, part in e.parts}
