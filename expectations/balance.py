"""The checks of the form (勾稽关系), evaluated on figures wherever those come from.

The equations are declared in the layouts; the pipeline evaluates them on the cells it
computed, the audit on the cells it read from a published report. Codes B1–B6, B9 and B11.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from expectations.result import STATUS_LABELS as STATUS_LABELS
from expectations.result import CheckResult as CheckResult
from expectations.result import Evidence
from expectations.result import Status as Status
from warehouse.layout import Cell, Equation, Term
from warehouse.numbers import number as number

Figures = Mapping[str, Decimal | int | None]
"""Cell key to value. A missing key or None is a figure that is not there, never zero."""


def _value(term: Term, figures: Figures, last_year: Figures | None) -> Decimal | None:
    source = (last_year or {}) if term.years_back else figures
    value = source.get(term.cell)
    return None if value is None else Decimal(value)


def _side(terms: tuple[Term, ...], values: list[Decimal | None]) -> str:
    written = ""
    for term, value in zip(terms, values, strict=True):
        written += (" - " if term.sign < 0 else " + " if written else "") + number(value)
    return written


def _total(terms: tuple[Term, ...], values: list[Decimal | None]) -> Decimal:
    return sum(
        (t.sign * v for t, v in zip(terms, values, strict=True) if v is not None), Decimal(0)
    )


def _chain(left: str, total_left: str, relation: str, total_right: str, right: str) -> str:
    """2870 + 847 = 3717 ≠ 3721: a side that is a sum stands beside what it comes to."""
    if relation == "=":
        middle = [total_left] if total_left not in (left, right) else []
        return " = ".join([left, *middle, right])
    begin = " = ".join(dict.fromkeys((left, total_left)))
    return f"{begin} {relation} {' = '.join(dict.fromkeys((total_right, right)))}"


_BROKEN: dict[str, str] = {"=": "≠", ">=": "<"}


def evaluate(equation: Equation, figures: Figures, last_year: Figures | None = None) -> CheckResult:
    """One equation on one set of figures; `last_year` is needed where it crosses years.

    A side of which a figure is missing makes the check not_assessable and names the figure.
    """
    left = [_value(t, figures, last_year) for t in equation.left]
    right = [_value(t, figures, last_year) for t in equation.right]
    evidence = tuple(
        Evidence(t.cell, v, t.years_back)
        for t, v in zip(equation.left + equation.right, left + right, strict=True)
    )
    left_side, right_side = _side(equation.left, left), _side(equation.right, right)
    # A form with one column of figures calls it nothing.
    place = f"{equation.line_label}:{equation.message}".lstrip(":")
    missing = [e for e in evidence if e.value is None]
    if missing:
        names = "、".join(f"{'上年 ' if e.years_back else ''}{e.cell}" for e in missing[:6])
        more = f" 等 {len(missing)} 项" if len(missing) > 6 else ""
        return CheckResult(
            equation.code,
            equation.key,
            "not_assessable",
            f"{place}(缺 {names}{more})",
            f"{left_side} {equation.relation} {right_side}",
            None,
            evidence,
        )
    total_left, total_right = _total(equation.left, left), _total(equation.right, right)
    gap = total_left - total_right
    holds = gap == 0 if equation.relation == "=" else gap >= 0
    relation = equation.relation if holds else _BROKEN[equation.relation]
    sides = _chain(left_side, number(total_left), relation, number(total_right), right_side)
    message = place if holds else f"{place};相差 {number(abs(gap))}"
    return CheckResult(
        equation.code, equation.key, "pass" if holds else "fail", message, sides, gap, evidence
    )


def check_value(cell: Cell, value: Decimal | int | None) -> CheckResult:
    """B9: counts are non-negative integers; fees may have decimals; `change` may be negative."""
    key = f"B9.{cell.key}"
    if value is None:
        return CheckResult("B9", key, "not_assessable", f"{cell.full_label}:空白")
    number_ = Decimal(value)
    evidence = (Evidence(cell.key, number_),)
    fault = value_fault(cell, number_)
    message = fault or f"{cell.full_label}:{number(number_)}"
    return CheckResult("B9", key, "fail" if fault else "pass", message, "", None, evidence)


def value_fault(cell: Cell, value: Decimal | None) -> str:
    """What B9 finds wrong with a figure; empty where nothing is, or there is none."""
    if not value:
        return ""
    if value < 0 and not cell.signed:
        return f"{cell.full_label}:{number(value)} 为负数"
    if not cell.decimals and value != value.to_integral_value():
        return f"{cell.full_label}:{number(value)} 不是整数"
    return ""
