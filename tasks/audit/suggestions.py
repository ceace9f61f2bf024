"""Readings that would close a gap, offered as suggestions: slips that hands make.

One digit off, two digits swapped, a digit too many or too few, the figure of a neighbouring
cell, a figure left out: for each cell of an equation that does not hold, the value that would
make it hold is compared with what stands there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from expectations.balance import evaluate, number
from tasks.audit.narrative import Figure
from tasks.audit.result import AuditCheck, Suggestion
from warehouse.layout import Equation, Layout

_MOST = 3
"""Suggestions shown with a check."""


def slip(found: Decimal, instead: Decimal) -> str:
    """How `found` may have come from `instead` by one slip, in Chinese; empty if by none."""
    if instead < 0 or found == instead:
        return ""
    a, b = number(found), number(instead)
    if len(a) == len(b):
        wrong = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
        if len(wrong) == 1:
            return "差一位数字"
        if (
            len(wrong) == 2
            and wrong[1] == wrong[0] + 1
            and a[wrong[0]] == b[wrong[1]]
            and a[wrong[1]] == b[wrong[0]]
        ):
            return "相邻两位数字颠倒"
    longer, shorter = (a, b) if len(a) > len(b) else (b, a)
    if len(longer) == len(shorter) + 1 and len(shorter) > 1:
        for i in range(len(longer)):
            if longer[:i] + longer[i + 1 :] == shorter:
                return "多一位数字" if longer == a else "少一位数字"
    return ""


def suggest(
    layout: Layout, checks: list[AuditCheck], figures: Mapping[str, Decimal | None]
) -> list[AuditCheck]:
    """The checks, with suggestions on those of the form that fail.

    A cell is named if with another value every equation it is part of holds, and either two
    or more of them fail now, or a slip of the hand explains the difference.
    """
    by_key = {equation.key: equation for equation in layout.equations if not equation.crosses_years}
    failing = {
        check.key: check for check in checks if check.status == "fail" and check.key in by_key
    }
    containing: dict[str, list[Equation]] = {}
    for equation in by_key.values():
        for term in equation.left + equation.right:
            containing.setdefault(term.cell, []).append(equation)
    offered: dict[str, list[tuple[int, Suggestion]]] = {}
    for key, check in failing.items():
        for cell, instead in _needed(by_key[key], check):
            found = figures.get(cell)
            if found is None or instead < 0:
                continue
            changed = {**figures, cell: instead}
            results = [evaluate(e, changed) for e in containing[cell]]
            if any(r.status == "fail" for r in results):
                continue
            closed = sum(1 for e in containing[cell] if e.key in failing)
            why = slip(found, instead) or _neighbour(layout, cell, found, instead, figures)
            if closed < 2 and not why:
                continue
            label = layout.cells[cell].full_label
            text = f"若“{label}”是 {number(instead)} 而不是 {number(found)},"
            text += f"涉及该格的 {closed} 个不符的等式均成立" if closed > 1 else "此式成立"
            text += f"({why})" if why else ""
            offered.setdefault(key, []).append(
                (closed + bool(why), Suggestion(text, cell, found, instead))
            )
    with_offers = []
    for check in checks:
        ranked = sorted(offered.get(check.key, []), key=lambda o: -o[0])
        with_offers.append(
            replace(check, suggestions=check.suggestions + tuple(s for _, s in ranked))
            if ranked
            else check
        )
    return with_offers


def confirm(checks: list[AuditCheck]) -> list[AuditCheck]:
    """The checks with their likeliest suggestions: first those that table and prose agree on.

    Where an equation of the form would hold with just the figure that the prose gives for a
    cell, the table is likelier wrong than the prose.
    """
    offers = {(s.cell, s.instead) for c in checks if c.code != "B7" for s in c.suggestions}
    told = {
        (cell.cell, figure.value)
        for c in checks
        if c.code == "B7" and c.status == "fail" and len(c.evidence) == 2
        for figure, cell in [c.evidence]
    } & offers
    confirmed = []
    for check in checks:
        suggestions = check.suggestions
        if check.code == "B7" and len(check.evidence) == 2:
            figure, cell = check.evidence
            if (cell.cell, figure.value) in told:
                text = f"表内等式也要求该格为 {number(figure.value)}:疑表格写错"
                suggestions = (Suggestion(text, cell.cell, cell.value, figure.value),)
        else:
            both = [s for s in suggestions if (s.cell, s.instead) in told]
            rest = [s for s in suggestions if (s.cell, s.instead) not in told]
            suggestions = (*[replace(s, text=s.text + ",正文所写也是这个数") for s in both], *rest)
        confirmed.append(replace(check, suggestions=suggestions[:_MOST]))
    return confirmed


def _needed(equation: Equation, check: AuditCheck) -> list[tuple[str, Decimal]]:
    """For each cell of an equation, the value that would close the gap."""
    gap = check.gap or Decimal(0)
    values = {e.cell: e.value for e in check.evidence}
    needed = []
    for terms, side in ((equation.left, -1), (equation.right, 1)):
        for term in terms:
            value = values.get(term.cell)
            if value is not None:
                needed.append((term.cell, value + side * term.sign * gap))
    return needed


def _neighbour(
    layout: Layout,
    cell: str,
    found: Decimal,
    instead: Decimal,
    figures: Mapping[str, Decimal | None],
) -> str:
    """Whether either value stands in the cell above, below, left or right, in Chinese."""
    own = layout.cells[cell]
    printed = layout.printed(own.table)
    columns = [c.key for c in printed if c.row == own.row]
    rows = [c.key for c in printed if c.column == own.column]
    for line in (columns, rows):
        at = line.index(cell)
        for near in line[max(at - 1, 0) : at + 2]:
            for value in (instead, found):
                if near != cell and value and figures.get(near) == value:
                    return f"{number(value)} 是相邻单元格“{layout.cells[near].full_label}”的数"
    return ""


def slips(figures: list[Figure], signs: list[int], gap: Decimal) -> tuple[Suggestion, ...]:
    """Figures that a slip of the hand would explain the gap by."""
    offers = []
    for figure, sign in zip(figures, signs, strict=True):
        instead = figure.value - sign * gap
        why = slip(figure.value, instead)
        if why:
            offers.append(
                Suggestion(
                    f"若“{figure.quote}”是 {number(instead)} 而不是 {number(figure.value)},此式成立({why})",
                    "",
                    figure.value,
                    instead,
                )
            )
    return tuple(offers[:3])
