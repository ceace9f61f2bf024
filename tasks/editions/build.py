"""Build an edition: pin a snapshot, tabulate, reconcile, keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tasks.editions.account import Line, pulled_tables, read_account
from tasks.editions.account_checks import account_checks, rolled_up_checks
from tasks.editions.city_findings import (
    city_organs,
    gathered,
    last_year_of,
    oldest_data,
    reconcile_cities,
    series_of_cities,
)
from tasks.editions.definitions import Definitions
from tasks.editions.edition import (
    WEBSITE,
    CellValue,
    CityEdition,
    Edition,
    Finding,
    Series,
    in_order,
)
from tasks.editions.fingerprints import cell_hash
from tasks.editions.last_year import TRANSFERS, read_last_year, signed_for_by_the_root
from tasks.editions.reconcile import finding, reconcile
from tasks.editions.rule_findings import rule_findings, rules_that_held
from tasks.editions.store import keep
from tasks.editions.tabulate import Tabulation, TabulationError, Tree, read_tree, tabulate
from tasks.editions.unit_checks import unit_checks
from tasks.editions.wording import Wording, word_findings
from warehouse.disk import yaml_of
from warehouse.form import ANNUAL_REPORT, form_of
from warehouse.lake import Lake
from warehouse.layout import Layout
from warehouse.period import Period
from warehouse.reading import Reading, Supposed, reading

Progress = Callable[[str], None]
ACCOUNT = "A1"
"""The code of a rule without which an edition, built by an earlier version, has no account."""
BUILD_STEPS = LAST_YEAR, THIS_YEAR, BALANCE, COUNTED, RECORDS, WRITTEN = (
    *("编制上年数", "编制各机关数字", "核对勾稽关系"),
    *("清点记录去向", "核对各类记录", "写入版次"),
)
"""What a build does, in this order; each is told to whoever watches as it begins."""
FILES = "生成文件"
"""What follows where the edition is to be read."""
ROWS_COPIED = 60_000
"""Tables up to this size are asked from memory while an edition is built: of larger ones reading the
columns that are asked for is less than copying all of them."""


@dataclass(frozen=True)
class Built:
    """An edition and whether it is new; an identical pending one is not built twice."""

    edition: Edition
    is_new: bool


def build_edition(
    lake: Lake,
    city: Path,
    period: Period,
    *,
    now: datetime,
    form: str = ANNUAL_REPORT,
    snapshot: int | None = None,
    reason: str = "",
    built_by: str = "",
    progress: Progress = lambda step: None,
) -> Built:
    """Build the pending edition of a form for a period from one snapshot of the lake.

    `city` is the city's folder; `snapshot` is the newest unless one is named; `reason` says
    why a report that was built before is built again. Raises NoForm, LayoutError,
    TabulationError, LakeError.
    """
    edition = preview(lake, city, period, now=now, form=form, snapshot=snapshot, progress=progress)
    progress(WRITTEN)
    return Built(*keep(lake, replace(edition, reason=reason), built_by=built_by))


def preview(
    lake: Lake,
    city: Path,
    period: Period,
    *,
    now: datetime,
    form: str = ANNUAL_REPORT,
    snapshot: int | None = None,
    progress: Progress = lambda step: None,
) -> Edition:
    """An edition that is not kept, by what is in force now; see `build_edition`."""
    definitions = Definitions.now(form_of(form, city), city, period)
    return compute(
        lake,
        definitions,
        period,
        now=now,
        snapshot=snapshot,
        trusts_checks=True,
        progress=progress,
    )


def compute(
    lake: Lake,
    definitions: Definitions,
    period: Period,
    *,
    now: datetime,
    snapshot: int | None = None,
    supposed: Supposed | None = None,
    trusts_checks: bool = False,
    progress: Progress = lambda step: None,
) -> Edition:
    """The edition of a period by these definitions, from one snapshot of the lake: the same
    from the same two, whenever and wherever it is computed. It is not kept. A `supposed`
    correction is taken for recorded, to see what it would change. With `trusts_checks` a rule is
    not asked again that no record failed in the last check, as far as nothing that it rests on has
    changed since; who proves an edition asks all of them."""
    layout, measures = definitions.parsed_layout, definitions.parsed_measures
    with reading(
        lake, snapshot, declared=measures, copy_up_to=ROWS_COPIED, supposed=supposed
    ) as opened:
        progress(LAST_YEAR)
        tree = read_tree(opened, period, layout)
        _refuse_none(tree, layout, period)
        build = _of_cities if layout.gathers else _of_records
        done = build(lake, opened, definitions, period, tree, now, trusts_checks, progress)
        snapshot = opened.snapshot
    tabulation = done.tabulation
    wording = Wording.of_tabulation(definitions, tabulation, done.last_year)
    findings = [*done.findings, *word_findings(definitions.rules, wording)]
    return Edition(
        id="",
        number=0,
        status="preview",
        form=definitions.parsed_form,
        period=period,
        layout=layout,
        snapshot=snapshot,
        data_as_of=done.data_as_of,
        built_at=now,
        cell_hash=cell_hash(tabulation.cells),
        definition_hash=definitions.fingerprint,
        root=tabulation.tree.root,
        organs=tabulation.tree.organs,
        cells=tabulation.cells,
        findings=in_order(findings, tabulation.tree.organs),
        last_year=done.last_year,
        series=done.series,
        account=done.account,
        cities=done.cities,
        is_synthetic=definitions.is_synthetic or any(c.is_synthetic for c in done.cities),
        software=version("nianbao"),
        definitions=definitions,
    )


@dataclass(frozen=True)
class _Done:
    """What an edition is made of, besides what it was made by."""

    data_as_of: datetime
    tabulation: Tabulation
    findings: Sequence[Finding]
    last_year: Mapping[str, CellValue]
    series: tuple[Series, ...]
    account: tuple[Line, ...] = ()
    cities: tuple[CityEdition, ...] = ()


def _of_cities(
    lake: Lake,
    opened: Reading,
    definitions: Definitions,
    period: Period,
    tree: Tree,
    now: datetime,
    trusts_checks: bool,
    progress: Progress,
) -> _Done:
    """A province's edition: figures of its cities' editions, held against each other."""
    form, layout = definitions.parsed_form, definitions.parsed_layout
    progress(THIS_YEAR)
    tabulation = tabulate(opened, layout, period, tree=tree)
    own = read_tree(opened, period)
    cities = city_organs(tabulation, own.ids)
    found = gathered(opened.connection, form.key, period, (city.id for city in cities))
    progress(BALANCE)
    signed = signed_for_by_the_root(opened, form, period, tree.root.id)
    findings = list(reconcile_cities(found, tabulation, cities, definitions, signed))
    return _Done(
        oldest_data(found) or now,
        tabulation,
        findings,
        last_year_of(tabulation, signed),
        tuple(series_of_cities(found, cities, yaml_of(definitions.charts) or [])),
        cities=found.references,
    )


def _of_records(
    lake: Lake,
    opened: Reading,
    definitions: Definitions,
    period: Period,
    tree: Tree,
    now: datetime,
    trusts_checks: bool,
    progress: Progress,
) -> _Done:
    """A city's edition: figures counted of records."""
    form, layout = definitions.parsed_form, definitions.parsed_layout
    data_as_of = opened.data_as_of or now
    follows = TRANSFERS in definitions.rules.yearly
    before = tabulate(opened, layout, period.before, tree=tree if follows else None)
    # The same span a year ago, which of a year is the year before.
    year_ago = before
    if period.before != period.year_before:
        year_ago = tabulate(opened, layout, period.year_before, tree=tree if follows else None)
    progress(THIS_YEAR)
    tabulation = tabulate(opened, layout, period, year_ago)
    root = tabulation.tree.root
    progress(BALANCE)
    if follows:
        signed = read_last_year(lake, opened, form, layout, before, period)
    else:
        signed = signed_for_by_the_root(opened, form, period, root.id)
    findings = list(
        reconcile(
            opened,
            tabulation,
            before,
            form=form,
            rules=definitions.rules,
            published=definitions.published,
            before=signed,
        )
    )
    findings += [
        finding(definitions.rules, result, organ, records)
        for result, organ, records in unit_checks(opened, tabulation)
    ]
    account: tuple[Line, ...] = ()
    if ACCOUNT in definitions.rules.yearly:
        progress(COUNTED)
        tables = [table for table in pulled_tables() if form.has_rules_of(table.full_name)]
        account = read_account(opened, layout, period, tables)
        findings += [
            finding(definitions.rules, result, root, records)
            for result, records in (
                *account_checks(opened, account, period, data_as_of, tables),
                *rolled_up_checks(opened, tabulation),
            )
        ]
    progress(RECORDS)
    rules = [rule for rule in definitions.rules.core if form.has_rules_of(rule.table)]
    held = rules_that_held(opened, rules, data_as_of.date()) if trusts_checks else {}
    findings += rule_findings(opened, rules, tabulation, data_as_of.date(), held=held)
    series = tuple(read_series(opened, definitions.charts, layout, tabulation))
    last_year = year_ago.root_figures()
    if period.before == period.year_before:
        last_year = {**last_year, **signed.root}
    return _Done(data_as_of, tabulation, findings, last_year, series, account)


def _refuse_none(tree: Tree, layout: Layout, period: Period) -> None:
    """Raises TabulationError for a form of websites without any."""
    if layout.units == WEBSITE and all(organ.kind != WEBSITE for organ in tree.organs):
        raise TabulationError(
            f"{period.label}没有在用的网站,编不出{layout.title}。请在城市目录放入网站登记册 websites.csv"
            "(每个网站一行,写法见 docs/forms.md),然后重新编制"
        )


def read_series(
    opened: Reading, charts: str, layout: Layout, tabulation: Tabulation
) -> Iterator[Series]:
    """The period in charts as `charts` declares them; a table never loaded has none."""
    names = {organ.id: organ.name for organ in tabulation.tree.organs}
    period = tabulation.period
    for declared in yaml_of(charts) or []:
        if opened.measures[declared["measure"]].table not in opened.loaded_tables:
            continue
        this = _counted(opened, declared, period)
        last = _counted(opened, declared, period.year_before)
        has_last = any(last.values())
        by = declared["by"]
        if by == "month":
            months = range(period.first.month, period.last.month + 1)
            labels: list[tuple[Any, str]] = [(month, f"{month}月") for month in months]
        elif by == "organ":
            ranked = sorted((k for k in this if k in names), key=lambda k: (-this[k], k))
            labels = [(key, names[key]) for key in ranked[:20]]
        else:
            labels = _lines_by(by, declared, layout)
        points = tuple(
            (label, this.get(key, 0), last.get(key, 0) if has_last else None)
            for key, label in labels
        )
        yield Series(declared["key"], declared["title"], declared["unit"], points)


def _lines_by(column: str, declared: dict[str, Any], layout: Layout) -> list[tuple[Any, str]]:
    """The values of a column that a printed line of the form counts, with the line's label: the
    lines of the chart's measure whose one further condition is that value."""
    wanted = re.compile(rf"{re.escape(column)} = '([^']*)'")
    found: dict[Any, str] = {}
    for cell in layout.cells.values():
        others = [c for c in cell.conditions if c != declared["where"]]
        if cell.measure == declared["measure"] and not cell.derived and len(others) == 1:
            value = wanted.fullmatch(others[0])
            if value and declared["where"] in cell.conditions:
                found.setdefault(value[1], cell.label)
    return list(found.items())


def _counted(opened: Reading, declared: dict[str, Any], period: Period) -> dict[Any, int]:
    source = opened.measure(declared["measure"], period)
    by = declared["by"]
    expression = {"month": f"month({declared.get('dated_by', 'record_on')})", "organ": "organ_id"}
    return dict(
        opened.connection.execute(
            f"SELECT {expression.get(by, by)}, count(*) FROM {source} "
            f"WHERE {declared['where']} GROUP BY 1"
        ).fetchall()
    )
