"""Checks beyond one report: B5 and B6 against last year's, B8 against the reports of children."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from expectations.balance import evaluate, number
from tasks.audit.result import AuditCheck, AuditReport, Basis, of_balance

_NEEDS = {"B5": "上年结转与上年报告的结转下年度", "B6": "现行有效件数与上年报告"}


def year_checks(report: AuditReport, last_year: AuditReport | None) -> list[AuditCheck]:
    """B5 and B6 of a report with last year's; without it one not_assessable for each.

    Where a report does not name its organ, what differs is uncertain: it may be another's.
    """
    checks: list[AuditCheck] = []
    layout = report.tables.layout
    if last_year is None:
        known = {e.code for e in layout.equations} if layout else set(_NEEDS)
        return [
            AuditCheck(code, code, "not_assessable", f"{needs}:没有提供上年的报告")
            for code, needs in _NEEDS.items()
            if code in known
        ]
    if layout is not None:
        before = last_year.tables.figures
        checks = [
            of_balance(evaluate(e, report.tables.figures, before))
            for e in layout.equations
            if e.crosses_years
        ]
    if not any(check.code == "B5" and check.status != "not_assessable" for check in checks):
        checks.extend(_told_carry_over(report, last_year))
    if report.organ and last_year.organ:
        return checks
    note = "(有报告没有写明机关,可能不是同一机关)"
    return [
        replace(c, status="uncertain", message=c.message + note) if c.status == "fail" else c
        for c in checks
    ]


def _same_organ(one: str, other: str) -> bool:
    """某市 and 某市人民政府 are one; an organ that is not named may be any."""
    return not one or not other or one.removesuffix("人民政府") == other.removesuffix("人民政府")


def _told_carry_over(report: AuditReport, last_year: AuditReport) -> list[AuditCheck]:
    """B5 on the prose, where the tables are lost."""
    now = next((f for f in report.narrative.figures if f.role == "carried_in"), None)
    before = next((f for f in last_year.narrative.figures if f.role == "carried_out"), None)
    if now is None or before is None:
        return []
    gap = before.value - now.value
    text = "正文所写上年结转" + ("等于" if not gap else "不等于") + "上年报告正文所写结转下年度"
    evidence = (
        Basis(before.value, figure=before, years_back=1),
        Basis(now.value, figure=now),
    )
    equation = f"{number(before.value)} {'≠' if gap else '='} {number(now.value)}"
    return [
        AuditCheck("B5", "B5.narrative", "fail" if gap else "pass", text, equation, gap, evidence)
    ]


def earlier(report: AuditReport, others: Sequence[AuditReport]) -> AuditReport | None:
    """Last year's report of the same organ among others; an organ not known is taken as the same."""
    if report.report_year is None:
        return None
    return next(
        (
            o
            for o in others
            if o.report_year == report.report_year - 1 and _same_organ(o.organ, report.organ)
        ),
        None,
    )


def told_last_year(report: AuditReport, last_year: AuditReport | None) -> dict[str, Decimal]:
    """Last year's figures of the prose by meaning, as bases of year-on-year changes."""
    told: dict[str, Decimal] = {}
    if last_year is None or not report.organ or not last_year.organ:
        return told
    for figure in last_year.narrative.figures:
        if figure.kind == "amount" and figure.meaning and figure.step == 1:
            told.setdefault(figure.meaning.overview or figure.meaning.label, figure.value)
    return told


def tree_checks(parent: AuditReport, children: Sequence[AuditReport]) -> list[AuditCheck]:
    """B8: a parent's cell is its own and its direct children's together.

    A published parent seldom says what is its own, so more than the children have is
    uncertain; less than they have is a fail.
    """
    checks: list[AuditCheck] = []
    readable = [c for c in children if c.tables.cells]
    lost = [c.organ or c.document.name for c in children if not c.tables.cells]
    if lost:
        checks.append(
            AuditCheck(
                "B8",
                "B8.missing",
                "not_assessable",
                f"这些下级报告没有可读的表格:{'、'.join(lost)}",
            )
        )
    held, over = 0, []
    layout = parent.tables.layout
    for key, value in parent.tables.figures.items() if layout else ():
        below = [(c, c.tables.figures.get(key)) for c in readable]
        if value is None or not below or any(v is None for _, v in below):
            continue
        total = sum((v for _, v in below if v is not None), Decimal(0))
        if total == value:
            held += 1
            continue
        evidence = (
            Basis(value, cell=key),
            *(Basis(v, cell=key, source=c.organ or c.document.name) for c, v in below),
        )
        equation = f"{number(value)} ≠ {number(total)} = {' + '.join(number(v) for _, v in below)}"
        assert layout is not None
        cell = layout.cells[key]
        label = cell.full_label
        if total > value and not cell.signed:
            checks.append(
                AuditCheck(
                    "B8",
                    f"B8.{key}",
                    "fail",
                    f"{label}:下级之和比本报告多 {number(total - value)}",
                    equation,
                    value - total,
                    evidence,
                )
            )
        else:
            over.append(
                AuditCheck(
                    "B8",
                    f"B8.{key}",
                    "uncertain",
                    f"{label}:比下级之和多 {number(value - total)},可能是本级自己的,也可能缺少下级报告",
                    equation,
                    value - total,
                    evidence,
                )
            )
    if held:
        checks.append(AuditCheck("B8", "B8", "pass", f"{held} 个单元格等于各下级之和"))
    return checks + over
