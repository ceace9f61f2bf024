"""The checks of a province's edition: whether its cities are all there (G1–G7, `expectations/
province.yaml`), and whether what is added up adds up (B1–B6, B8, B9, B11).

What an organ's tables come to was checked in its city's edition; here the cities are held against each
other and against the whole. Nothing of it rests on anything but the snapshot and the definitions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from expectations.balance import check_value, evaluate
from expectations.result import CheckResult, Status
from tasks.editions.definitions import Definitions
from tasks.editions.edition import CellValue, CityEdition, Finding, Organ, Series
from tasks.editions.last_year import LastYear
from tasks.editions.of_cities import known_as
from tasks.editions.reconcile import finding, published_checks
from tasks.editions.store.cities import (
    CityFinding,
    CityLook,
    TakenEdition,
    city_findings,
    city_looks,
    taken_editions,
)
from tasks.editions.store.read import pinned_cities
from tasks.editions.store.rows import editions_of
from tasks.editions.tabulate import Tabulation
from warehouse.lake import Connection
from warehouse.layout import Cell, Layout
from warehouse.numbers import number
from warehouse.period import Period

TRIAL = "Y1"
MOST_NAMED = 10
SHOWN_ORGANS = 20
"""How many organs a chart by organ shows."""


@dataclass(frozen=True)
class Gathered:
    """What a snapshot of a province's lake holds for a report: the cities' editions by city, their
    open findings, what came of the last look, and what the published edition before was made of."""

    taken: Mapping[str, TakenEdition]
    findings: Mapping[str, list[CityFinding]]
    looks: Mapping[str, CityLook]
    published_id: str
    published: Mapping[str, CityEdition]

    @property
    def references(self) -> tuple[CityEdition, ...]:
        """What an edition of the province pins."""
        return tuple(taken.reference for taken in self.taken.values())


def gathered(connection: Connection, form: str, period: Period, cities: Iterable[str]) -> Gathered:
    """What there is of some cities for a report."""
    wanted = set(cities)
    found = taken_editions(connection, form, period.key)
    findings: dict[str, list[CityFinding]] = defaultdict(list)
    for told in city_findings(connection, form, period.key):
        findings[told.city_id].append(told)
    before = next((r for r in editions_of(connection, form, period) if r.is_published), None)
    pinned = pinned_cities(connection, before.edition_id) if before else ()
    return Gathered(
        {taken.city_id: taken for taken in found if taken.city_id in wanted},
        findings,
        city_looks(connection),
        before.edition_id if before else "",
        {city.city_id: city for city in pinned},
    )


def city_organs(tabulation: Tabulation, provinces_own: Iterable[str]) -> list[Organ]:
    """The cities of a province among its organs: those of its own that have none of them below."""
    own = set(provinces_own)
    above = {o.parent_id for o in tabulation.tree.organs if o.id in own}
    return [o for o in tabulation.tree.organs if o.id in own and o.id not in above and o.parent_id]


def reconcile_cities(
    found: Gathered,
    tabulation: Tabulation,
    cities: list[Organ],
    definitions: Definitions,
    signed: LastYear,
) -> Iterator[Finding]:
    """All checks of a province's edition; `signed` is what the province published of last year."""
    rules = definitions.rules
    root = tabulation.tree.root
    inner = {o.parent_id for o in cities}
    above = [o for o in tabulation.tree.organs if o.id == root.id or o.id in inner]
    for result, organ in (
        *_equations(tabulation, [*above, *cities], signed),
        *_whole_and_parts(tabulation, above),
        *_cities_and_organs(found, tabulation, cities),
        *_editions(found, definitions, tabulation, cities),
        *_in_all_cities(found, tabulation, cities),
        (_trial(found, cities), root),
    ):
        yield finding(rules, result, organ)
    if definitions.published is not None:
        yield from published_checks(rules, tabulation, definitions.published)


Checked = tuple[CheckResult, Organ]


def _equations(tabulation: Tabulation, organs: list[Organ], signed: LastYear) -> Iterator[Checked]:
    """The layout's equations, and B9, of the cities and of what is above them."""
    for organ in organs:
        figures = tabulation.cells[(organ.id, "rolled_up")]
        values = {key: figure.value for key, figure in figures.items()}
        before = {k: f.value for k, f in tabulation.last_year.get(organ.id, {}).items()}
        before.update(signed.signed_for.get(organ.id, {}))
        for equation in tabulation.layout.equations:
            yield evaluate(equation, values, before), organ
        told = [
            result.message
            for cell in _counted(tabulation.layout)
            if not cell.derived
            for result in (check_value(cell, values[cell.key]),)
            if result.status == "fail"
        ]
        yield _result("B9", "B9", told, "各单元格的数值合法"), organ


def _counted(layout: Layout) -> list[Cell]:
    """The cells that are added up."""
    return [c for c in layout.cells.values() if c.measure and c.is_number]


def _result(code: str, key: str, bad: list[str], good: str) -> CheckResult:
    more = f";等 {len(bad)} 项" if len(bad) > MOST_NAMED else ""
    text = ";".join(bad[:MOST_NAMED]) + more if bad else good
    return CheckResult(code, key, "fail" if bad else "pass", text)


def _whole_and_parts(tabulation: Tabulation, above: list[Organ]) -> Iterator[Checked]:
    """B8 of the province and what stands between it and its cities."""
    for organ in above:
        below = tabulation.tree.children(organ.id)
        bad = [
            f"{cell.full_label} {number(whole)} ≠ {number(parts)}"
            for cell, whole, parts in _sums(tabulation, organ, [(o.id, "rolled_up") for o in below])
            if whole != parts
        ]
        good = f"{len(below)} 个下级之和等于汇总数"
        yield _result("B8", f"B8.{organ.id}", bad, good), organ


def _cities_and_organs(
    found: Gathered, tabulation: Tabulation, cities: list[Organ]
) -> Iterator[Checked]:
    """B8 of each city: what its edition has for the whole city is what its organs have by
    themselves, so that none of them is missing from what is added up."""
    for city in cities:
        taken = found.taken.get(city.id)
        if taken is None:
            continue
        organs = [(known_as(taken, organ.id), "own") for organ in taken.organs]
        bad = [
            f"{cell.full_label} {number(whole)} ≠ 各机关之和 {number(parts)}"
            for cell, whole, parts in _sums(tabulation, city, organs)
            if whole != parts
        ]
        good = f"{taken.reference.edition_id} 中 {len(organs)} 个机关之和等于汇总数"
        yield _result("B8", f"B8.{city.id}", bad, good), city


def _sums(
    tabulation: Tabulation, organ: Organ, parts: list[Any]
) -> Iterator[tuple[Cell, Decimal, Decimal]]:
    """Of each cell that is added up what an organ has, and what others have together; not where
    nobody has anything."""
    figures = tabulation.cells[(organ.id, "rolled_up")]
    others = [tabulation.cells[part] for part in parts]
    for cell in _counted(tabulation.layout):
        known = [v for other in others if (v := other[cell.key].value) is not None]
        whole = figures[cell.key].value
        if whole is not None or any(known):
            yield cell, whole or Decimal(0), sum(known, Decimal(0))


def _editions(
    found: Gathered, definitions: Definitions, tabulation: Tabulation, cities: list[Organ]
) -> Iterator[Checked]:
    """G1 to G6 of each city."""
    period = tabulation.period
    report = definitions.parsed_form.named(period)
    due = statutory_day(definitions, period)
    for city in cities:
        taken, look = found.taken.get(city.id), found.looks.get(city.id)
        yield _is_there(city, taken, look, report), city
        yield _was_seen(city, taken, look), city
        if taken is not None:
            yield _is_published(taken, look, due), city
            yield _is_answered(taken, found.findings.get(city.id, [])), city
            yield _is_declared_alike(taken, definitions, tabulation.layout), city
        if found.published:
            yield _is_another(found, city, taken), city


def statutory_day(definitions: Definitions, period: Period) -> date | None:
    """The last statutory day of a year's report, by which a city must have published it (条例第四十
    九条); None for other spans and for forms without one."""
    days = definitions.parsed_form.deadlines if period.is_year else ()
    return max((date(period.year + 1, d.month, d.day) for d in days), default=None)


def _is_there(
    city: Organ, taken: TakenEdition | None, look: CityLook | None, report: str
) -> CheckResult:
    if taken is not None:
        return CheckResult("G1", f"G1.{city.id}", "pass", f"版次 {taken.reference.edition_id}")
    why = f"({look.message})" if look and look.message else ""
    return CheckResult("G1", f"G1.{city.id}", "fail", f"{city.name}没有{report}的版次{why}")


def _was_seen(city: Organ, taken: TakenEdition | None, look: CityLook | None) -> CheckResult:
    key = f"G3.{city.id}"
    # A city that had an edition and has none now was restored, or moved.
    is_gone = taken is not None and look is not None and look.status != "read"
    if look is None or not (look.is_blind or is_gone):
        return CheckResult("G3", key, "pass", "最近一次查看时已读到")
    return CheckResult("G3", key, "fail", f"{city.name}:{look.message}")


def is_late(status: str, due: date | None, seen_on: date | None) -> bool:
    """Whether a city should have published by a day, and has not."""
    return status != "published" and due is not None and seen_on is not None and seen_on > due


def _is_published(taken: TakenEdition, look: CityLook | None, due: date | None) -> CheckResult:
    edition, key = taken.reference, f"G2.{taken.city_id}"
    if edition.status == "published":
        return CheckResult("G2", key, "pass", f"版次 {edition.edition_id} 已发布")
    late = ""
    if due is not None and is_late(edition.status, due, look.looked_at.date() if look else None):
        late = f",已过法定期限 {due:%Y-%m-%d}"
    return CheckResult("G2", key, "fail", f"版次 {edition.edition_id} 待发布{late}")


def _is_answered(taken: TakenEdition, findings: list[CityFinding]) -> CheckResult:
    counts: dict[str, int] = defaultdict(int)
    for told in findings:
        counts[told.code] += told.blocks
    bad = [f"{code} {count} 项" for code, count in sorted(counts.items()) if count]
    text = f"版次 {taken.reference.edition_id} 没有未答复的阻断问题"
    return _result("G6", f"G6.{taken.city_id}", bad, text)


def _is_declared_alike(
    taken: TakenEdition, definitions: Definitions, layout: Layout
) -> CheckResult:
    theirs = taken.definitions
    key = f"G5.{taken.city_id}"
    if (theirs.layout, theirs.overview) == (definitions.layout, definitions.overview):
        return CheckResult("G5", key, "pass", "口径与省一致")
    cells = theirs.parsed_layout.cells
    bad = [
        cell.full_label
        for cell in layout.cells.values()
        if cell.key in cells and _declared(cell) != _declared(cells[cell.key])
    ]
    return _result("G5", key, bad, "口径与省一致")


def _declared(cell: Cell) -> tuple[Any, ...]:
    """What a figure is made of."""
    counted = (cell.measure, cell.where, cell.quantity, cell.text)
    return (*counted, cell.parts, cell.ratio, cell.last_year, cell.change_on_year)


def _is_another(found: Gathered, city: Organ, taken: TakenEdition | None) -> CheckResult:
    was = found.published.get(city.id)
    now = taken.reference if taken else None
    key = f"G4.{city.id}"
    if (was and was.figures_mark) == (now and now.figures_mark):
        return CheckResult("G4", key, "pass", f"与 {found.published_id} 所汇总的相同")
    told = [edition.edition_id if edition else "无" for edition in (was, now)]
    text = f"{found.published_id} 汇总的是 {told[0]},现为 {told[1]}"
    return CheckResult("G4", key, "fail", text)


def _in_all_cities(
    found: Gathered, tabulation: Tabulation, cities: list[Organ]
) -> Iterator[Checked]:
    """G7: a figure that some cities have and one has not."""
    there = [city for city in cities if city.id in found.taken]
    figures = {city.id: tabulation.cells[(city.id, "rolled_up")] for city in there}
    told = [
        cell
        for cell in _counted(tabulation.layout)
        if any(not figures[city.id][cell.key].is_missing for city in there)
    ]
    for city in there:
        bad = [cell.full_label for cell in told if figures[city.id][cell.key].is_missing]
        yield _result("G7", f"G7.{city.id}", bad, "各项数字都有"), city


def _trial(found: Gathered, cities: list[Organ]) -> CheckResult:
    """Y1: the period was not over when a city's edition was built."""
    early = [
        f"{city.name} {found.taken[city.id].reference.edition_id}"
        for city in cities
        if any(f.code == TRIAL for f in found.findings.get(city.id, ()))
        if city.id in found.taken
    ]
    status: Status = "fail" if early else "pass"
    text = f"编制时数据尚未取全的版次:{'、'.join(early)}" if early else "各市的版次都在期末之后编制"
    return CheckResult(TRIAL, TRIAL, status, text)


def series_of_cities(found: Gathered, cities: list[Organ], charts: list[Any]) -> list[Series]:
    """The charts of a province: the cities' own, added up label by label; of organs those with most.
    A chart shows last year where every city's does."""
    told = []
    for declared in charts:
        parts = [
            (city, found.taken[city.id].organs[0].name, series)
            for city in cities
            if city.id in found.taken
            for series in found.taken[city.id].series
            if series.key == declared["key"]
        ]
        if parts:
            told.append(_series(declared, parts))
    return told


def _series(declared: dict[str, Any], parts: list[tuple[Organ, str, Series]]) -> Series:
    by_organ = declared["by"] == "organ"
    this: dict[str, int] = defaultdict(int)
    last: dict[str, int] = defaultdict(int)
    has_last = all(p[2] is not None for *_, series in parts for p in series.points)
    for city, called, series in parts:
        for label, count, before in series.points:
            name = label
            if by_organ:
                # Organs of two cities may be called alike.
                name = city.name if label == called else f"{city.name} {label}"
            this[name] += count
            last[name] += before or 0
    labels = list(this)
    if by_organ:
        labels = sorted(labels, key=lambda name: (-this[name], name))[:SHOWN_ORGANS]
    points = tuple((name, this[name], last[name] if has_last else None) for name in labels)
    return Series(declared["key"], declared["title"], declared["unit"], points)


def oldest_data(found: Gathered) -> Any:
    """As of when all cities' figures are: the oldest of them; None without any."""
    return min((taken.reference.data_as_of for taken in found.taken.values()), default=None)


def last_year_of(tabulation: Tabulation, signed: LastYear) -> dict[str, CellValue]:
    """The province's figures of last year: of the cities, and over them what it published itself."""
    figures = dict(tabulation.last_year.get(tabulation.tree.root.id, {}))
    return figures | dict(signed.root)
