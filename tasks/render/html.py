"""The HTML report: one file that opens offline, every figure open to question.

The page is complete without scripts: tables, findings, charts and definitions are written
into it. The script adds what a click needs, from data embedded once and kept small: values
by organ as arrays in the order of the cells.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.result import SEVERITY_LABELS, STATUS_LABELS
from tasks.editions import figures as written
from tasks.render import account, entries
from tasks.render.charts import chart
from tasks.render.findings import (
    by_who_must_act,
    check_text,
    open_codes,
    rule_title,
    summary,
    table_label,
    what_to_do,
)
from tasks.render.form import section_grids
from tasks.render.overview import OverviewLine, overview_lines
from tasks.render.words import NO_FIGURES, document_title, edition_facts, edition_name, notice
from tasks.wording.typeset import typeset
from tasks.wording.visible import visible
from warehouse.numbers import plain

if TYPE_CHECKING:
    from tasks.editions.edition import CellValue, Edition, RecordReference, Scope
    from warehouse.layout import Cell, Term

TEMPLATES = Path(__file__).parent / "templates"
SCOPES: tuple[Scope, Scope] = ("rolled_up", "own")
Values = list[int | str | None]
# Scripts hold integers up to here exactly; larger figures are embedded as text.
LARGEST_EXACT = 2**53
MOST_RECORDS = 500
# An organ's records that block nothing are folded away when there are more.
MOST_OPEN = 5


def write(edition: Edition, path: Path) -> None:
    """Write the report. The same edition gives the same bytes."""
    path.write_text(page(edition), encoding="utf-8")


@cache
def _template() -> Any:
    """The page's template, compiled once for all organs of an edition."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import escape

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(typeset(value)) if type(value) is str else value,
    )
    # What must be found again as it is: ids, keys, hashes.
    environment.filters["exact"] = lambda value: escape(visible(str(value)))
    return environment.get_template("report.html.j2")


def page(edition: Edition) -> str:
    """The whole page as text."""
    from markupsafe import Markup

    def asset(name: str) -> Markup:
        return Markup((TEMPLATES / name).read_text(encoding="utf-8"))

    work = by_who_must_act(edition)
    text: str = _template().render(
        edition=edition,
        title=document_title(edition),
        facts=edition_facts(edition),
        summary=summary(edition),
        notice=notice(edition),
        overview=overview_groups(edition),
        figures_heading=edition.form.figures_heading,
        no_figures=NO_FIGURES,
        sections=section_grids(edition),
        work=work,
        codes=open_codes(edition),
        rule_title=partial(rule_title, edition),
        what_to_do=partial(what_to_do, edition),
        check_text=check_text,
        edition_name=edition_name,
        charts=[(series, Markup(chart(series))) for series in edition.series],
        entries=entries.entry_lines(edition),
        entries_title=entries.TITLE,
        entries_heads=entries.HEADS,
        entries_explained=entries.EXPLAINED,
        account=list(account.lines(edition)),
        account_heads=account.heads(edition),
        account_explained=account.EXPLAINED,
        movers=written.largest_movers(edition),
        changes=written.changes(edition),
        definitions=[
            (cell, written.definition(edition.layout, cell))
            for cell in edition.layout.cells.values()
        ],
        status_labels=STATUS_LABELS,
        severity_labels=SEVERITY_LABELS,
        table_label=table_label,
        MOST_OPEN=MOST_OPEN,
        plain=plain,
        css=asset("report.css"),
        script=asset("report.js"),
        data=Markup(embedded(edition)),
    )
    return text


def overview_groups(edition: Edition) -> list[tuple[str, list[OverviewLine]]]:
    """The narrative's figures by source system, in the order in which sources first occur."""
    groups: dict[str, list[OverviewLine]] = {}
    for line in overview_lines(edition):
        groups.setdefault(line.cell.source, []).append(line)
    return list(groups.items())


def embedded(edition: Edition) -> str:
    """The data for the script as JSON that is safe inside a script element."""
    import msgspec

    text = msgspec.json.encode(report_data(edition)).decode()
    # "</script>" or "<!--" in a text must not end the element.
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def report_data(edition: Edition) -> dict[str, Any]:
    """Everything a click can ask for: values by organ, definitions, equations, findings."""
    layout = edition.layout
    cells = list(layout.cells.values())
    place = {cell.key: at for at, cell in enumerate(cells)}
    organ_place = {organ.id: at for at, organ in enumerate(edition.organs)}
    records: dict[RecordReference, int] = {}
    findings = []
    for finding in edition.open_findings:
        shown = finding.records[:MOST_RECORDS]
        findings.append(
            [
                organ_place.get(finding.organ_id, organ_place[edition.root.id]),
                finding.code,
                finding.key,
                STATUS_LABELS[finding.status],
                typeset(check_text(finding)),
                typeset(finding.equation),
                [records.setdefault(record, len(records)) for record in shown],
                max(finding.record_count, len(finding.records)),
            ]
        )
    return {
        "year": edition.report_year,
        "organs": [
            [organ.id, typeset(organ.name), organ_place.get(organ.parent_id or "", -1)]
            for organ in edition.organs
        ],
        "root": organ_place[edition.root.id],
        "cells": [
            [
                cell.key,
                typeset(cell.label),
                typeset(cell.column_label),
                cell.unit,
                typeset(written.definition(layout, cell)),
                typeset(cell.article),
                int(cell.only_root),
                [place[key] for key in cell.made_of],
            ]
            for cell in cells
        ],
        "values": _values_of_all(edition, cells),
        "rates": _rates(edition, cells),
        "last": _values(cells, edition.last_year),
        "equations": [
            [
                equation.code,
                equation.key,
                typeset(equation.message),
                _terms(equation.left, place),
                "≥" if equation.relation == ">=" else "=",
                _terms(equation.right, place),
            ]
            for equation in layout.equations
        ],
        "findings": findings,
        "records": [
            [
                table_label(record.table),
                record.source_system,
                record.record_id,
                typeset(record.organ_name or ""),
                record.record_on.isoformat() if record.record_on else "",
                typeset(record.detail),
            ]
            for record in records
        ],
    }


def _terms(terms: tuple[Term, ...], place: dict[str, int]) -> list[list[int]]:
    return [[place[term.cell], term.sign, term.years_back] for term in terms]


def _values_of_all(edition: Edition, cells: list[Cell]) -> dict[str, list[Values]]:
    """The figures by scope, in the order of organs. One without others below it has the same
    figures in both, which are written down once."""
    found: dict[str, list[Values]] = {scope: [] for scope in SCOPES}
    for organ in edition.organs:
        is_root = organ.id == edition.root.id
        whole, own = (edition.cells.get((organ.id, scope), {}) for scope in SCOPES)
        values = _values(cells, whole, is_root=is_root)
        found[SCOPES[0]].append(values)
        found[SCOPES[1]].append(values if own is whole else _values(cells, own, is_root=is_root))
    return found


def _values(cells: list[Cell], figures: written.Figures, *, is_root: bool = True) -> Values:
    """Figures in the order of the cells: integers as such, the rest as they are written.

    What only the root publishes is left out for other organs.
    """
    if not figures:
        return []
    return [
        None if cell.only_root and not is_root else _embedded_value(cell, figures.get(cell.key))
        for cell in cells
    ]


def _embedded_value(cell: Cell, value: CellValue | None) -> int | str | None:
    text = written.text(cell, value)
    if not text:
        return None
    if written.is_words(cell) or written.is_percentage(cell) or "." in text:
        return typeset(text) if written.is_words(cell) else text
    return int(text) if abs(int(text)) < LARGEST_EXACT else text


def _rates(edition: Edition, cells: list[Cell]) -> dict[str, dict[int, list[Any]]]:
    """Both sides of each percentage, by scope and cell place, in the order of organs."""
    rates: dict[str, dict[int, list[Any]]] = {}
    for scope in SCOPES:
        by_cell = rates.setdefault(scope, {})
        for at, cell in enumerate(cells):
            if written.is_percentage(cell):
                by_cell[at] = [
                    typeset(
                        written.sides(cell, edition.cells.get((organ.id, scope), {}).get(cell.key))
                    )
                    for organ in edition.organs
                ]
    return {scope: {str(at): found for at, found in r.items()} for scope, r in rates.items()}  # type: ignore[misc]
