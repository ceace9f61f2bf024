"""Tabulate: every cell of every organ, from its own records and rolled up the tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property

from tasks.editions.edition import WEBSITE, CellValue, Organ, Scope
from tasks.editions.of_cities import ABSENT, organs_below_cities, read_city_figures
from warehouse.cells import OrganFilter, asked_key, is_loaded, own_figures, own_texts
from warehouse.errors import ConfigurationError
from warehouse.layout import Cell, Layout
from warehouse.organ_names import shown_names
from warehouse.period import Period
from warehouse.reading import Reading, organs_of, websites_of
from warehouse.sql import literal

Figures = dict[str, CellValue]
SIX_PLACES = Decimal("0.000001")
ZERO = CellValue(Decimal(0))


class TabulationError(ConfigurationError):
    """The tables cannot be built; the message says what is missing."""


@dataclass(frozen=True)
class Tree:
    """The organs of a report year, parents first. `stands_for` maps an organ of a record to
    the organ that answers for it in this year."""

    organs: tuple[Organ, ...]
    stands_for: Mapping[str, str]

    @property
    def root(self) -> Organ:
        return self.organs[0]

    def children(self, organ_id: str) -> list[Organ]:
        return [o for o in self.organs if o.parent_id == organ_id]

    def subtree(self, organ_id: str) -> list[str]:
        """The ids of an organ and all below it."""
        inside = {organ_id}
        for organ in self.organs:
            if organ.parent_id in inside:
                inside.add(organ.id)
        return sorted(inside)

    def answers_for(self, organ_id: str | None) -> str:
        """The organ that answers for the records of an organ; the root for unknown ones."""
        answers = self.stands_for.get(organ_id, organ_id) if organ_id else None
        return answers if answers in self.ids else self.root.id

    def above(self, organ_id: str) -> frozenset[str]:
        """An organ and all above it."""
        parents = self._parents
        found = []
        organ: str | None = organ_id
        while organ is not None and organ not in found:
            found.append(organ)
            organ = parents.get(organ)
        return frozenset(found)

    def name(self, organ_id: str) -> str:
        """What an organ is called; its id where the tree does not have it."""
        return self._names.get(organ_id, organ_id)

    def parent_name(self, organ_id: str) -> str:
        """What the organ above is called; empty above the root."""
        parent = self._parents.get(organ_id)
        return self.name(parent) if parent else ""

    @cached_property
    def _parents(self) -> Mapping[str, str | None]:
        return {organ.id: organ.parent_id for organ in self.organs}

    @cached_property
    def _names(self) -> Mapping[str, str]:
        return {organ.id: organ.name for organ in self.organs}

    @cached_property
    def ids(self) -> frozenset[str]:
        return frozenset(organ.id for organ in self.organs)

    def record_organs(self, organ_id: str, scope: Scope = "rolled_up") -> OrganFilter:
        """Whose records an organ's figures hold. The root answers for unknown organs too."""
        inside = set(self.subtree(organ_id) if scope == "rolled_up" else [organ_id])
        if organ_id == self.root.id:
            outside = {organ.id for organ in self.organs} - inside
            outside |= {old for old, new in self.stands_for.items() if new in outside}
            return OrganFilter(tuple(sorted(outside)))
        inside |= {old for old, new in self.stands_for.items() if new in inside}
        return OrganFilter(tuple(sorted(inside)), is_exclusion=False)


def read_tree(reading: Reading, period: Period, layout: Layout | None = None) -> Tree:
    """The organ tree of a period, as it stood at its end; under a layout of websites, with these
    below the organs that run them, under one that gathers editions, with the organs of each city
    below it.

    Raises TabulationError when there is no organ, or more than one without a parent.
    """
    rows = organs_of(reading, period)
    if not rows:
        raise TabulationError(
            f"{period.label}没有有效的机关。请检查城市目录中的 organs.csv,然后运行 nianbao nightly"
        )
    known = {row[0] for row in rows}
    roots = [row for row in rows if row[3] is None or row[3] not in known]
    if len(roots) > 1:
        names = "、".join(f"{row[1]}({row[0]})" for row in roots)
        raise TabulationError(
            f"{period.label}有 {len(roots)} 个没有上级的机关:{names}。organs.csv 中只能有一个根"
        )
    successors = dict(
        reading.connection.execute(
            "SELECT organ_id, successor FROM ("
            "SELECT organ_id, arg_max_null(successor_organ_id, valid_from) AS successor "
            f"FROM core.organ WHERE valid_from <= {literal(period.last)} GROUP BY organ_id) "
            "WHERE successor IS NOT NULL"
        ).fetchall()
    )
    stands_for = {}
    for old in successors:
        new, seen = old, set()
        while new not in known and new in successors and new not in seen:
            seen.add(new)
            new = successors[new]
        if new != old and new in known:
            stands_for[old] = new
    shown = shown_names((row[0], row[1], row[3]) for row in rows)
    organs = tuple(
        Organ(i, shown[i], kind, parent if parent in known else None, has_system)
        for i, _, kind, parent, has_system in rows
    )
    tree = Tree(organs, stands_for)
    if layout is None:
        return tree
    if layout.gathers:
        return _with_cities(reading, layout.gathers, period, tree)
    return _with_websites(reading, period, tree) if layout.units == WEBSITE else tree


def _with_cities(reading: Reading, form: str, period: Period, tree: Tree) -> Tree:
    """The tree of a province with the organs of each city, as its edition has them, after it."""
    below = organs_below_cities(reading.connection, form, period)
    organs = [o for city in tree.organs for o in (city, *below.get(city.id, ()))]
    shown = shown_names((o.id, o.name, o.parent_id) for o in organs)
    return Tree(tuple(replace(o, name=shown[o.id]) for o in organs), tree.stands_for)


def _with_websites(reading: Reading, period: Period, tree: Tree) -> Tree:
    """The tree with the period's websites, and without the organs that have none at or below
    them: the nearest organ above answers for what is recorded there, as it does for a website
    that is not in use any more."""
    rows = websites_of(reading, period)
    runs = {website: tree.answers_for(organ) for website, _, organ, _ in rows}
    places = {organ.id: at for at, organ in enumerate(tree.organs)}
    in_use = [(website, name) for website, name, _, is_in_use in rows if is_in_use]
    in_use.sort(key=lambda found: (places[runs[found[0]]], found[0]))
    kept = {tree.root.id}.union(*(tree.above(runs[website]) for website, _ in in_use))

    def kept_above(organ_id: str) -> str:
        parents = {organ.id: organ.parent_id for organ in tree.organs}
        while organ_id not in kept:
            organ_id = parents[organ_id] or tree.root.id
        return organ_id

    shown = shown_names((website, name, runs[website]) for website, name in in_use)
    organs = tuple(o for o in tree.organs if o.id in kept) + tuple(
        Organ(website, shown[website], WEBSITE, runs[website]) for website, _ in in_use
    )
    gone = {o.id: o.id for o in tree.organs if o.id not in kept} | dict(tree.stands_for)
    gone |= {website: runs[website] for website, _, _, is_in_use in rows if not is_in_use}
    return Tree(organs, {old: kept_above(new) for old, new in gone.items()})


@dataclass(frozen=True)
class Tabulation:
    """The figures of one period under one layout, by (organ id, scope), then cell key. Where they
    are gathered of cities' editions, `last_year` are those of the year before that came with them,
    by organ, of the cities and what is above them."""

    period: Period
    layout: Layout
    tree: Tree
    cells: Mapping[tuple[str, Scope], Figures]
    last_year: Mapping[str, Figures] = field(default_factory=dict)

    def root_figures(self) -> Figures:
        return self.cells[(self.tree.root.id, "rolled_up")]


def tabulate(
    reading: Reading,
    layout: Layout,
    period: Period,
    last_year: Tabulation | None = None,
    *,
    tree: Tree | None = None,
) -> Tabulation:
    """Build all cells of a period.

    `last_year`, under the same layout, supplies year-on-year figures; without it they are
    missing. `tree` are other organs than the period's own: last year is read through this year's,
    so that an organ is compared with what it answers for now. A record of an organ that is not in the tree counts at its successor, else at
    the root, so the city's totals lose nothing (the rules name such records).
    """
    tree = tree or read_tree(reading, period, layout)
    if layout.gathers:
        return _of_cities(reading, layout, period, tree)
    own: dict[str, dict[str, Decimal]] = {organ.id: defaultdict(Decimal) for organ in tree.organs}
    for organ_id, values in own_figures(reading, layout.cells.values(), period).items():
        target = own[tree.answers_for(organ_id)]
        for key, value in values.items():
            target[key] += value
    rolled = {organ_id: defaultdict(Decimal, values) for organ_id, values in own.items()}
    for organ in reversed(tree.organs):
        if organ.parent_id is not None:
            for key, value in rolled[organ.id].items():
                rolled[organ.parent_id][key] += value
    loaded = {c.key for c in layout.cells.values() if c.is_number and is_loaded(reading, c)}
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    for organ_id, told in own_texts(reading, layout.cells.values(), period).items():
        texts[tree.answers_for(organ_id)] |= told
    cells: dict[tuple[str, Scope], Figures] = {}
    scopes: tuple[tuple[Scope, dict[str, defaultdict[str, Decimal]]], ...] = (
        ("own", own),  # type: ignore[assignment]
        ("rolled_up", rolled),
    )
    for organ in tree.organs:
        words = _texts(layout, tree, organ, texts[organ.id])
        made: list[tuple[Mapping[str, Decimal], Mapping[str, CellValue], Figures]] = []
        for scope, values_of in scopes:
            values = values_of[organ.id]
            before = last_year.cells.get((organ.id, scope), {}) if last_year else {}
            # Most organs have none below them: with them all they are what they are by themselves.
            same = (found for v, b, found in made if v == values and b == before)
            figures = next(same, None) or complete(layout, values, loaded, before) | words
            made.append((values, before, figures))
            cells[(organ.id, scope)] = figures
    return Tabulation(period, layout, tree, cells)


def _of_cities(reading: Reading, layout: Layout, period: Period, tree: Tree) -> Tabulation:
    """The figures of a province: those of its cities and their organs as the cities' editions have
    them, and above them their sums. A city without an edition has no figures.

    Last year's are what the cities' editions were held against, so that a change on last year is
    one of the same cities.
    """
    of_cities = read_city_figures(reading.connection, layout, period)
    cells = {place: told for place, told in of_cities.cells.items() if place[0] in tree.ids}
    last_year: dict[str, Figures] = {}
    absent = dict.fromkeys(layout.cells, ABSENT)
    for organ in reversed(tree.organs):
        if (organ.id, "rolled_up") in cells:
            last_year[organ.id] = of_cities.last_year.get(organ.id, {})
            continue
        below = [c.id for c in tree.children(organ.id)]
        parts = [cells[(child, "rolled_up")] for child in below]
        before = _sums(layout, [last_year[child] for child in below], {}) if below else {}
        last_year[organ.id] = before
        cells[(organ.id, "own")] = absent
        cells[(organ.id, "rolled_up")] = _sums(layout, parts, before) if below else absent
    return Tabulation(period, layout, tree, cells, last_year)


def _sums(
    layout: Layout, parts: Sequence[Mapping[str, CellValue]], before: Mapping[str, CellValue]
) -> Figures:
    """Figures added up: what is counted is a sum, what is made of other figures is made of those.
    What no part has is missing."""
    values: dict[str, Decimal] = {}
    for key, cell in layout.cells.items():
        if not cell.measure or not cell.is_number:
            continue
        known = [f for part in parts if (f := part.get(key)) is not None and f.value is not None]
        if known:
            values[key] = sum((f.value or Decimal(0) for f in known), Decimal(0))
            if cell.is_yes_no:
                asked = (f.denominator or Decimal(0) for f in known)
                values[asked_key(key)] = sum(asked, Decimal(0))
    figures = complete(layout, values, set(values), before)
    words = {k: CellValue(None, text="") for k, c in layout.cells.items() if c.text is not None}
    return figures | words


def _texts(layout: Layout, tree: Tree, organ: Organ, own: Mapping[str, str]) -> Figures:
    """The cells of words of one organ: its own, as they do not add up; an organ above others has
    none of its own."""
    absent = CellValue(None, text="" if tree.children(organ.id) else None)
    return {
        key: CellValue(None, text=own[key]) if key in own else absent
        for key, cell in layout.cells.items()
        if cell.text is not None
    }


def complete(
    layout: Layout, values: Mapping[str, Decimal], loaded: set[str], before: Mapping[str, CellValue]
) -> Figures:
    """All cells of one organ, those made of other cells included."""
    figures: Figures = {}

    def figure(key: str) -> CellValue:
        if key not in figures:
            figures[key] = _figure(layout.cells[key])
        return figures[key]

    def _figure(cell: Cell) -> CellValue:
        if cell.measure:
            return _counted(cell, values, is_loaded=cell.key in loaded)
        if cell.parts:
            parts = [figure(part).value for part in cell.parts]
            known = [p for p in parts if p is not None]
            return _plain(sum(known, Decimal(0)) if len(known) == len(parts) else None)
        if cell.ratio:
            above, below = (figure(key).value for key in cell.ratio)
            return _average(above, below) if cell.is_average else _percent(above, below)
        if cell.last_year:
            return before.get(cell.last_year, ABSENT)
        assert cell.change_on_year is not None
        now, then = (
            figure(cell.change_on_year).value,
            before.get(cell.change_on_year, ABSENT).value,
        )
        change = _percent(None if now is None or then is None else now - then, then)
        return CellValue(change.value, now, then)

    for key in layout.cells:
        figure(key)
    return figures


def _counted(cell: Cell, values: Mapping[str, Decimal], *, is_loaded: bool) -> CellValue:
    """A cell of records: zero where none counts, unless it is blank without any."""
    if not is_loaded or (cell.blank_without and cell.key not in values):
        return ABSENT
    value = values.get(cell.key, Decimal(0))
    if cell.is_yes_no:
        return CellValue(value, value, values.get(asked_key(cell.key), Decimal(0)))
    return _plain(value)


def _plain(value: Decimal | None) -> CellValue:
    """A figure without sides. Most are zero or missing, and these are one object each: what goes
    through figures by the hundred thousand does its work on each object once."""
    return CellValue(value) if value else ABSENT if value is None else ZERO


def _percent(numerator: Decimal | None, denominator: Decimal | None) -> CellValue:
    """A rate in percent, to six decimals; missing when it has no denominator."""
    if numerator is None or not denominator:
        return CellValue(None, numerator, denominator)
    rate = (numerator * 100 / denominator).quantize(SIX_PLACES)
    return CellValue(rate, numerator, denominator)


def _average(numerator: Decimal | None, denominator: Decimal | None) -> CellValue:
    """An average, to six decimals; missing when there is nothing to share among."""
    if numerator is None or not denominator:
        return CellValue(None, numerator, denominator)
    return CellValue((numerator / denominator).quantize(SIX_PLACES), numerator, denominator)
