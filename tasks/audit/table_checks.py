"""The checks of the form on the cells that a report prints: B1–B4, B9 and B11.

The equations are the layout's and are evaluated by `expectations.balance`. What only an
audit meets is added here: blank cells, and tables that are not there at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from decimal import Decimal

from expectations.balance import check_value, evaluate, number
from tasks.audit.result import AuditCheck, Basis, Suggestion, of_balance
from tasks.audit.tables import TABLE_NAMES, TABLES, TableReading
from warehouse.layout import Equation, Layout, Term


def table_checks(reading: TableReading) -> list[AuditCheck]:
    """B1–B4, B9 and B11 for every line of the tables that were found."""
    if reading.layout is None:
        return [
            AuditCheck(
                code,
                f"{code}.{table}",
                "not_assessable",
                f"{TABLE_NAMES[table]}没有找到(可能是图片,或不是现行格式)",
            )
            for table, code in (
                ("t3", "B1"),
                ("t3", "B2"),
                ("t3", "B3"),
                ("t4", "B4"),
                ("t2", "B9"),
            )
        ]
    checks: list[AuditCheck] = []
    figures = reading.figures
    zeros = _known_zeros(reading.layout, figures)
    for table in TABLES:
        equations = [
            e for e in reading.layout.equations if e.table == table and not e.crosses_years
        ]
        if not any(cell.startswith(f"{table}.") for cell in reading.cells):
            for code in dict.fromkeys(e.code for e in equations) or ["B9"]:
                checks.append(
                    AuditCheck(
                        code,
                        f"{code}.{table}",
                        "not_assessable",
                        f"{TABLE_NAMES[table]}没有找到(可能是图片)",
                    )
                )
            continue
        checks.extend(balance_check(e, figures, zeros) for e in equations)
        checks.extend(_values(reading.layout, table, figures))
    return checks


def _values(
    layout: Layout, table: str, figures: Mapping[str, Decimal | None]
) -> Iterator[AuditCheck]:
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
    message = f"{TABLE_NAMES[table]} {held} 个单元格是合规的数"
    if blank:
        message += f",{blank} 个空白(不当作 0)"
    yield AuditCheck("B9", f"B9.{table}", "pass" if held else "not_assessable", message)


def _known_zeros(layout: Layout, figures: Mapping[str, Decimal | None]) -> set[str]:
    """Blank cells that an equation shows to be zero: both sides agree without them.

    Counts cannot be negative, so blanks on one side only, of a side that has figures too,
    leave no other reading. What one equation shows serves the next.
    """
    zeros: set[str] = set()
    while True:
        filled = {**figures, **dict.fromkeys(zeros, Decimal(0))}
        found: set[str] = set()
        for equation in layout.equations:
            terms = equation.left + equation.right
            if (
                equation.crosses_years
                or equation.relation != "="
                or any(t.cell not in filled for t in terms)
            ):
                continue
            blank = [
                [t.cell for t in side if filled[t.cell] is None]
                for side in (equation.left, equation.right)
            ]
            is_open = any(
                len(b) == len(side)
                for b, side in zip(blank, (equation.left, equation.right), strict=True)
            )
            one_sided = bool(blank[0]) != bool(blank[1])
            if (
                one_sided
                and not is_open
                and _sum(equation.left, filled) == _sum(equation.right, filled)
            ):
                found.update(blank[0] + blank[1])
        if not found:
            return zeros
        zeros |= found


def balance_check(
    equation: Equation, figures: Mapping[str, Decimal | None], zeros: Set[str] = frozenset()
) -> AuditCheck:
    """One equation on printed cells. A blank is not zero unless an equation itself makes it so.

    `zeros` are blanks known to be zero. With others left: the side without them being too
    small already, no value can help (fail); both sides agreeing or the gap being one that a
    blank may fill, it is uncertain; a side with nothing but blanks is not assessable.
    """
    terms = equation.left + equation.right
    used = [t.cell for t in terms if t.cell in zeros]
    filled = {**figures, **dict.fromkeys(used, Decimal(0))}
    result = of_balance(evaluate(equation, filled))
    blanks = [t.cell for t in terms if t.cell in filled and filled[t.cell] is None]
    if result.status != "not_assessable" or not blanks:
        note = f"({len(used)} 个空白由等式可知为 0)" if used else ""
        return replace(result, message=result.message + note)
    if (
        any(t.cell not in figures for t in terms)
        or equation.relation != "="
        or any(t.sign < 0 for t in terms)
    ):
        return result
    left, right = _sum(equation.left, filled), _sum(equation.right, filled)
    gap = left - right
    on_left = [t.cell for t in equation.left if t.cell in blanks]
    on_right = [t.cell for t in equation.right if t.cell in blanks]
    sides = f"{_written(equation.left, figures)} 与 {_written(equation.right, figures)}"
    if len(terms) > 2:
        sides += f"(所写各数合计为 {number(left)} 与 {number(right)})"
    place = f"{equation.line_label}:{equation.message}"
    evidence = tuple(Basis(figures[t.cell], cell=t.cell) for t in terms)
    if len(on_left) == len(equation.left) or len(on_right) == len(equation.right):
        other = right if len(on_left) == len(equation.left) else left
        note = f"{place};等式一边空白,另一边为 {number(other)}"
        return AuditCheck(
            equation.code, equation.key, "not_assessable", note, sides, None, evidence
        )
    if gap == 0:
        note = f"{place};按空白为 0 算相等,但等式两边都有空白"
        return AuditCheck(equation.code, equation.key, "uncertain", note, sides, gap, evidence)
    short = on_right if gap > 0 else on_left
    if short:
        offer = Suggestion(
            f"若空白的 {short[0]} 是 {number(abs(gap))},此式成立", short[0], None, abs(gap)
        )
        note = f"{place};按空白为 0 算相差 {number(abs(gap))},空白处可能漏填"
        return AuditCheck(
            equation.code, equation.key, "uncertain", note, sides, gap, evidence, (), (offer,)
        )
    note = f"{place};相差 {number(abs(gap))},{len(blanks)} 个空白填任何数都不能相等"
    return AuditCheck(equation.code, equation.key, "fail", note, sides, gap, evidence)


def _sum(terms: tuple[Term, ...], figures: Mapping[str, Decimal | None]) -> Decimal:
    return sum((v for t in terms if (v := figures[t.cell]) is not None), Decimal(0))


def _written(terms: tuple[Term, ...], figures: Mapping[str, Decimal | None]) -> str:
    return " + ".join(number(figures[t.cell]) for t in terms)
