"""A published report against an edition of the warehouse, cell by cell.

Each comparison says by which definition the edition counts, so that a difference of meaning
is not taken for a mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from expectations.balance import number
from tasks.audit.narrative import Figure
from tasks.audit.result import AuditCheck, AuditReport, Basis
from tasks.render.data_files import definitions_json
from warehouse.form import layout_names, load_layout

CODE = "EDITION"


def edition_checks(report: AuditReport, edition: Mapping[str, Any]) -> list[AuditCheck]:
    """The report's cells and figures of the prose against an edition's, a check each.

    `edition` is what `nianbao tables YEAR --json` prints: `report_year`, `layout`, `cells`
    (key to value), `overview` (key, with or without `overview.`, to value), and `definitions`
    (key to label, definition and article), without which those of the layout are shown.
    """
    year = edition.get("report_year")
    if year is not None and report.report_year is not None and int(year) != report.report_year:
        text = f"版本是 {year} 年的,报告是 {report.report_year} 年的,不能比较"
        return [AuditCheck(CODE, CODE, "not_assessable", text)]
    told = _definitions(edition, report)
    checks = [
        _compared(key, printed, value, told.get(key, {}), evidence)
        for key, printed, value, evidence in _pairs(report, edition)
    ]
    return checks or [AuditCheck(CODE, CODE, "not_assessable", "报告与版本没有可比的数")]


def _pairs(
    report: AuditReport, edition: Mapping[str, Any]
) -> Iterator[tuple[str, Decimal, Decimal, Basis]]:
    """Key, the report's figure, the edition's as exact as the report's, and where it stands."""
    cells = {
        **_decimals(edition.get("derived", {})),
        **_decimals(edition.get("cells", {})),
        **_decimals(edition.get("overview", {}), "overview."),
    }
    for key, reading in report.tables.cells.items():
        value = cells.get(key)
        if reading.value is not None and value is not None:
            yield key, reading.value, value, Basis(reading.value, cell=key)
    for figure in report.narrative.figures:
        if figure.meaning is None or figure.kind not in ("amount", "rate"):
            continue
        alike = _alike(figure, cells)
        if alike:
            # What the figure may mean by its words; the one that it is, else the nearest.
            key, value = min(alike, key=lambda one: abs(_printed(figure, one[1]) - figure.value))
            yield key, figure.value, _printed(figure, value), Basis(figure.value, figure=figure)


def _alike(figure: Figure, cells: Mapping[str, Decimal]) -> list[tuple[str, Decimal]]:
    """The edition's figures that count what this one says: new received with new received,
    documents in force with documents in force. A total that the city counts otherwise than the
    form (received, with what was carried in) is one reading beside the form's."""
    meaning = figure.meaning
    assert meaning is not None
    found = {}
    for expression in (
        *meaning.cells,
        *([f"overview.{meaning.overview}"] if meaning.overview else ()),
    ):
        keys = [key.strip() for key in expression.split("+")]
        if all(key in cells for key in keys):
            found[expression] = sum((cells[key] for key in keys), Decimal(0))
    if meaning.role == "new_received" and "t3.new_received.total" in found:
        return [("t3.new_received.total", found["t3.new_received.total"])]
    return list(found.items())


def _printed(figure: Figure, value: Decimal) -> Decimal:
    """The edition's figure as exact as the printed one; 664.58万 stands for all that is cut to it."""
    shown = value.quantize(Decimal(1).scaleb(-figure.decimals))
    least, most = figure.bounds
    return figure.value if least != most and least <= shown <= most else shown


def _compared(
    key: str, printed: Decimal, value: Decimal, told: Mapping[str, str], evidence: Basis
) -> AuditCheck:
    label = "·".join(part for part in (told.get("label"), told.get("column_label")) if part) or key
    quote = f"(“{evidence.figure.quote}”)" if evidence.figure is not None else ""
    if printed == value:
        text = f"{label}:报告与版本同为 {number(value)}{quote}"
    else:
        text = (
            f"{label}:报告为 {number(printed)}{quote},版本为 {number(value)},"
            f"相差 {number(abs(printed - value))}"
        )
    if told.get("definition"):
        text += f"。版本的口径:{told['definition']}"
    if told.get("article"):
        text += f"({told['article']})"
    return AuditCheck(
        CODE,
        f"{CODE}.{key}",
        "pass" if printed == value else "fail",
        text,
        f"{number(printed)} {'=' if printed == value else '≠'} {number(value)}",
        printed - value,
        (evidence, Basis(value, cell=key, source="edition")),
    )


def _definitions(
    edition: Mapping[str, Any], report: AuditReport
) -> Mapping[str, Mapping[str, str]]:
    """The edition's own definitions, else those of its layout, by key."""
    own = edition.get("definitions")
    if isinstance(own, Mapping):
        return {key: told for key, told in own.items() if isinstance(told, Mapping)}
    name = edition.get("layout")
    layout = load_layout(name) if name in layout_names() else report.tables.layout
    return definitions_json(layout) if layout else {}


def _decimals(values: Mapping[str, Any], prefix: str = "") -> dict[str, Decimal]:
    return {
        key if key.startswith(prefix) else prefix + key: Decimal(str(value))
        for key, value in values.items()
        if value is not None
    }
