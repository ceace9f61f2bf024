"""The checks of the form on the cells that a report prints: B1–B4, B9 and B11.

The equations are the layout's and are evaluated by `expectations.balance`. What only an
audit meets is added here: blank cells, and tables that are not there at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from expectations.balance import check_value, evaluate, number
from tasks.audit.result import Check, Evidence, Suggestion, of_balance
from tasks.audit.tables import TABLES, TableReading
from warehouse.layout import Equation, Layout, Term

_NAMES = {"t2": "表二", "t3": "表三", "t4": "表四"}


def table_checks(reading: TableReading) -> list[Check]:
    """B1–B4, B9 and B11 for every line of the tables that were found."""
    if reading.layout is None:
        return [
            Check(
                code,
                f"{code}.{table}",
                "not_assessable",
                f"{_NAMES[table]}没有找到(可能是图片,或不是现行格式)",
            )
            for table, code in (
                ("t3", "B1"),
                ("t3", "B2"),
                ("t3", "B3"),
                ("t4", "B4"),
                ("t2", "B9"),
            )
        ]
    checks: list[Check] = []
    figures = reading.figures
    for table in TABLES:
        equations = [
            e for e in reading.layout.equations if e.table == table and not e.crosses_years
        ]
        if not any(cell.startswith(f"{table}.") for cell in reading.cells):
            for code in dict.fromkeys(e.code for e in equations) or ["B9"]:
                checks.append(
                    Check(
                        code,
                        f"{code}.{table}",
                        "not_assessable",
                        f"{_NAMES[table]}没有找到(可能是图片)",
                    )
                )
            continue
        checks.extend(balance_check(e, figures) for e in equations)
        checks.extend(_values(reading.layout, table, figures))
    return checks


def _values(layout: Layout, table: str, figures: Mapping[str, Decimal | None]) -> Iterator[Check]:
    """B9: one pass for all cells that hold, and each that does not by itself."""
    held, blank = 0, 0
    for cell in layout.printed(table):
        if cell.key not in figures:
            continue
        result = of_balance(check_value(cell, figures[cell.key]))
        if result.status == "fail":
            yield result
        elif result.status == "pass":
            held += 1
        else:
            blank += 1
    message = f"{_NAMES[table]} {held} 个单元格是合规的数"
    if blank:
        message += f",{blank} 个空白(不当作 0)"
    yield Check("B9", f"B9.{table}", "pass" if held else "not_assessable", message)


def balance_check(equation: Equation, figures: Mapping[str, Decimal | None]) -> Check:
    """One equation on printed cells. A blank is not zero unless the equation itself makes it so.

    With counts that cannot be negative: if both sides agree without the blanks of one side,
    those must be zero (pass, and said so); if the side without blanks is too small already,
    no value of a blank can help (fail); else a blank may fill the gap (uncertain).
    """
    result = of_balance(evaluate(equation, figures))
    terms = equation.left + equation.right
    blanks = [t.cell for t in terms if t.cell in figures and figures[t.cell] is None]
    if result.status != "not_assessable" or not blanks or len(blanks) == len(terms):
        return result
    if (
        any(t.cell not in figures for t in terms)
        or equation.relation != "="
        or any(t.sign < 0 for t in terms)
    ):
        return result
    left, right = _sum(equation.left, figures), _sum(equation.right, figures)
    gap = left - right
    on_left = any(t.cell in blanks for t in equation.left)
    on_right = any(t.cell in blanks for t in equation.right)
    sides = f"{_written(equation.left, figures)} = {_written(equation.right, figures)}"
    if len(terms) > 2:
        sides += f"({number(left)} 与 {number(right)})"
    place = f"{equation.line_label}:{equation.message}"
    evidence = tuple(Evidence(figures[t.cell], cell=t.cell) for t in terms)
    named = f"{len(blanks)} 个空白单元格"
    if gap == 0 and not (on_left and on_right):
        note = f"{place}({named}由本式可知为 0)"
        return Check(equation.code, equation.key, "pass", note, sides, gap, evidence)
    if (gap > 0 and on_right) or (gap < 0 and on_left):
        blank = next(
            c
            for c in blanks
            if any(t.cell == c for t in (equation.right if gap > 0 else equation.left))
        )
        offer = Suggestion(
            f"若空白的 {blank} 是 {number(abs(gap))},此式成立", blank, None, abs(gap)
        )
        note = f"{place};按空白为 0 算相差 {number(abs(gap))},空白处可能漏填"
        return Check(
            equation.code, equation.key, "uncertain", note, sides, gap, evidence, (), (offer,)
        )
    if gap == 0:
        note = f"{place};按空白为 0 算相等,但等式两边都有空白"
        return Check(equation.code, equation.key, "uncertain", note, sides, gap, evidence)
    note = f"{place};相差 {number(abs(gap))},{named}填任何数都不能相等"
    return Check(equation.code, equation.key, "fail", note, sides, gap, evidence)


def _sum(terms: tuple[Term, ...], figures: Mapping[str, Decimal | None]) -> Decimal:
    return sum((v for t in terms if (v := figures[t.cell]) is not None), Decimal(0))


def _written(terms: tuple[Term, ...], figures: Mapping[str, Decimal | None]) -> str:
    return " + ".join(number(figures[t.cell]) for t in terms)
