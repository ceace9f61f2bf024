"""A published report against an edition of the warehouse, cell by cell.

Both sides of every difference are shown with the definition that the edition counts by, so
that a difference of meaning is not taken for a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from expectations.balance import number
from tasks.audit.result import AuditReport, Check, Evidence
from warehouse.layout import Cell, Layout, layout_names, load_layout

CODE = "EDITION"


def edition_checks(report: AuditReport, edition: Mapping[str, Any]) -> list[Check]:
    """The report's cells and figures of the prose against an edition's.

    `edition` is what `nianbao tables YEAR --json` prints: `report_year`, `layout`, `cells`
    (key to value) and `overview` (key, with or without `overview.`, to value).
    """
    checks: list[Check] = []
    year = edition.get("report_year")
    if year is not None and report.report_year is not None and int(year) != report.report_year:
        text = f"版本是 {year} 年的,报告是 {report.report_year} 年的,不能比较"
        return [Check(CODE, CODE, "not_assessable", text)]
    layout = _layout(edition, report)
    cells = {
        **_decimals(edition.get("cells", {})),
        **_decimals(edition.get("overview", {}), "overview."),
    }
    agreeing: dict[str, int] = {}
    for key, reading in report.tables.cells.items():
        value = cells.get(key)
        if reading.value is None or value is None:
            continue
        if reading.value == value:
            agreeing[key.split(".")[0]] = agreeing.get(key.split(".")[0], 0) + 1
        else:
            cell = layout.cells.get(key) if layout else None
            evidence = (
                Evidence(reading.value, cell=key),
                Evidence(value, cell=key, source="edition"),
            )
            checks.append(_difference(key, reading.value, value, cell, evidence))
    for figure in report.narrative.figures:
        overview = (
            figure.meaning.overview if figure.meaning and figure.kind in ("amount", "rate") else ""
        )
        key = f"overview.{overview}"
        value = cells.get(key) if overview else None
        if value is None:
            continue
        evidence = (
            Evidence(figure.value, figure=figure),
            Evidence(value, cell=key, source="edition"),
        )
        if figure.value == value.quantize(Decimal(1).scaleb(-figure.decimals)):
            agreeing["overview"] = agreeing.get("overview", 0) + 1
        else:
            checks.append(
                _difference(
                    key, figure.value, value, layout.cells.get(key) if layout else None, evidence
                )
            )
    for table, count in sorted(agreeing.items()):
        checks.append(Check(CODE, f"{CODE}.{table}", "pass", f"{table}:{count} 个数与版本一致"))
    if not checks:
        checks.append(Check(CODE, CODE, "not_assessable", "报告与版本没有可比的数"))
    return checks


def _difference(
    key: str, printed: Decimal, value: Decimal, cell: Cell | None, evidence: tuple[Evidence, ...]
) -> Check:
    label = cell.full_label if cell else key
    text = f"{label}:报告为 {number(printed)},版本为 {number(value)},相差 {number(abs(printed - value))}"
    if cell and cell.meaning:
        text += f"。版本的口径:{cell.meaning}"
    if cell and cell.article:
        text += f"({cell.article})"
    return Check(
        CODE,
        f"{CODE}.{key}",
        "fail",
        text,
        f"{number(printed)} ≠ {number(value)}",
        printed - value,
        evidence,
    )


def _decimals(values: Mapping[str, Any], prefix: str = "") -> dict[str, Decimal]:
    return {
        key if key.startswith(prefix) else prefix + key: Decimal(str(value))
        for key, value in values.items()
        if value is not None
    }


def _layout(edition: Mapping[str, Any], report: AuditReport) -> Layout | None:
    name = edition.get("layout")
    return load_layout(name) if name in layout_names() else report.tables.layout
