"""B10 for changes from one year to the next, in percent, 倍 or amounts.

A base that the text prints is the base. A change whose base is not printed is tested against
every whole number that could be the base.
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from expectations.balance import number
from tasks.audit.belonging import (
    came_from,
    candidates,
    counted,
    holds,
    respective,
    row_of,
)
from tasks.audit.groups import STOPS
from tasks.audit.meanings import pattern, phrases
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.percentages import as_printed, either, manner, percent
from tasks.audit.recognise import bracket_depth
from tasks.audit.result import AuditCheck, Basis, coarse
from tasks.audit.suggestions import slips
from tasks.audit.yearly import year_pair

_FAR = Decimal(10**12)
_LONGEST_BASE_RANGE = 1
"""More possible bases than this and the percentage says nothing about the figures."""


def change_checks(narrative: Narrative, at: int, last_year: dict[str, Decimal]) -> list[AuditCheck]:
    """The check of one change, tried with every amount that it may belong to."""
    figure = narrative.figures[at]
    key = f"B10.{figure.kind}.{figure.block}.{figure.start}"
    of = candidates(narrative, at)
    if figure.kind == "difference":
        made = [(f, c) for f in of if (c := _difference(narrative, at, f, key)) is not None]
    else:
        made = [(f, _change(narrative, at, f, last_year, key)) for f in of]
    if not made:
        return [] if figure.kind == "difference" else [unknown(figure, key)]
    return [_likeliest(narrative, made, is_across=counted(narrative, at) is None)]


def unknown(figure: Figure, key: str) -> AuditCheck:
    """What is said of a percentage that belongs to no amount."""
    text = f"“{figure.quote}”:没有写明是哪两个数之比,无法核对"
    evidence = (Basis(figure.value, figure=figure),)
    return AuditCheck("B10", key, "not_assessable", text, evidence=evidence)


def _likeliest(
    narrative: Narrative, made: list[tuple[Figure, AuditCheck]], *, is_across: bool
) -> AuditCheck:
    """The check that stands, of those for each amount that a change may belong to.

    The nearest amount's, if that holds. Where only the whole of its list fits, the whole is
    meant; where another amount fits, or might, nothing is settled. None fits: the nearest to it.
    """
    (nearest, first), *others = made
    if first.status == "pass" and _rests_on_text(first):
        return first
    wholes = [c for f, c in others if holds(narrative, f, nearest)]
    fitting = next((c for c in wholes if c.status == "pass"), None)
    if fitting is not None and (first.status != "pass" or _rests_on_text(fitting)):
        return fitting
    if first.status == "pass":
        return first
    if first.status == "not_assessable":
        return first
    open_ = next((c for c in wholes if c.status == "not_assessable"), None)
    if open_ is not None:
        return open_
    if any(c.status in ("pass", "not_assessable") for _, c in others):
        note = "(也可能属于前面另一个数)"
        return replace(first, status="uncertain", message=first.message + note)
    best = min((*wholes, first), key=lambda c: abs(c.gap) if c.gap is not None else _FAR)
    is_sure = first.status == best.status == "fail" and not is_across
    return best if is_sure else replace(best, status="uncertain")


def _rests_on_text(check: AuditCheck) -> bool:
    """Whether the base of a change is printed, not worked out from the percentage."""
    return len(check.evidence) > 2


def _difference(narrative: Narrative, at: int, of: Figure, key: str) -> AuditCheck | None:
    """收到100件,比上年(80件)增加20件: both years and the difference are printed."""
    figure = narrative.figures[at]
    before = narrative.figures[at - 1] if at else figure
    origin = came_from(narrative, of)
    is_behind = of.start < before.start
    named = [f for f in narrative.figures[at + 1 : at + 3] if _is_base_of(narrative, f, at)]
    if named and before.kind != "other_year":
        before, is_behind = named[0], True
    if origin is not None:
        before, is_behind = origin, True
    if (
        before.kind != "other_year"
        or not is_behind
        or not of.unit == before.unit == figure.unit
        or not all(f.step for f in (of, before, figure))
        or re.search("[。;]", narrative.between(*sorted((before, figure), key=lambda f: f.start)))
    ):
        return None
    gap = of.value - before.value - figure.value
    text = f"“{figure.quote}”:{number(of.value)} 与文中所写上年数 {number(before.value)} 相差 {number(of.value - before.value)}"
    check = AuditCheck(
        "B10", key, "fail" if gap else "pass",
        text + (f",文中为 {number(figure.value)}" if gap else ""),
        f"{number(of.value)} - {number(before.value)} {'≠' if gap else '='} {number(figure.value)}",
        gap, tuple(Basis(f.value, figure=f) for f in (of, before, figure)), (),
        slips([of, before, figure], [1, -1, -1], gap) if gap else (),
    )  # fmt: skip
    return coarse(check)


def _change(
    narrative: Narrative, at: int, of: Figure, last_year: dict[str, Decimal], key: str
) -> AuditCheck:
    figure = narrative.figures[at]
    evidence: tuple[Basis, ...] = (
        Basis(of.value, figure=of),
        Basis(figure.value, figure=figure),
    )
    if of.step != 1 or of.value != of.value.to_integral_value() or figure.about:
        text = f"“{figure.quote}”:现值或变化是约数,无法核对"
        return AuditCheck("B10", key, "not_assessable", text, "", None, evidence)
    base, source, is_sure = _base(narrative, at, of, last_year)
    if base is None or not base.value or base.value < 0:
        return _implied(figure, of, key, evidence)
    exact = _multiple(figure, Fraction(of.value), Fraction(base.value))
    how = manner(exact, figure.value, figure.decimals, figure.unit)
    equation = _change_equation(figure, of.value, base.value, exact)
    if how:
        text = f"“{figure.quote}”:以{source} {number(base.value)} 为基数,{how}"
        return AuditCheck("B10", key, "pass", text, equation, None, (*evidence, base))
    rounded, cut = as_printed(exact, figure.decimals)
    text = f"“{figure.quote}”:以{source} {number(base.value)} 为基数应为 {either(rounded, cut, figure.unit)},文中为 {figure.value}{figure.unit}"
    if not is_sure:
        text += "(文中所写上年数未必是它的基数)"
    return AuditCheck(
        "B10", key, "fail" if is_sure else "uncertain", text, equation, figure.value - rounded,
        (*evidence, base),
    )  # fmt: skip


def _multiple(figure: Figure, now: Fraction, base: Fraction) -> Fraction:
    """The exact change in the unit that the text uses: percent, or 倍."""
    if figure.unit != "倍":
        return (now / base - 1) * 100
    return now / base if figure.kind == "multiple" else now / base - 1


def _change_equation(figure: Figure, now: Decimal, base: Decimal, exact: Fraction) -> str:
    sides = f"({number(now)} - {number(base)}) / {number(base)}"
    if figure.kind == "multiple":
        sides = f"{number(now)} / {number(base)}"
    return f"{sides} = {percent(exact, figure.unit)}"


def _base(
    narrative: Narrative, at: int, of: Figure, last_year: dict[str, Decimal]
) -> tuple[Basis | None, str, bool]:
    """Last year's figure, where it is from, and whether it must be the base.

    From last year's report; else as the sentence gives it, or the sentence before it. A base
    that the text prints is the base: no other one is thought of.
    """
    if of.meaning and (value := last_year.get(of.meaning.overview or of.meaning.label)) is not None:
        return Basis(value, years_back=1), "上年报告所载", True
    origin = came_from(narrative, of)
    if origin is not None and origin.step == 1:
        return Basis(origin.value, figure=origin), "文中所写原数", True
    pair = year_pair(narrative, at)
    in_row = pair[1] if pair else _row_base(narrative, at)
    if in_row is not None:
        return Basis(in_row.value, figure=in_row), "文中所写上年数", True
    if (beside := _base_beside(narrative, at, of)) is not None:
        return beside
    printed = _printed_bases(narrative, of)
    if not printed:
        return None, "", False
    base = printed[-1]
    is_same = base.label == of.label or _is_like(base, of)
    # 由 1128 条增加到 1887 条,另 514 条,总计 2401 条: another amount may be the base's counterpart.
    rivals = [
        f
        for f in narrative.figures
        if f.block == of.block and base.end <= f.start < of.start and f.unit == of.unit
    ]
    is_sure = len(printed) == 1 and is_same and not STOPS.search(narrative.between(base, of))
    is_sure = is_sure and not rivals
    return Basis(base.value, figure=base), "文中所写上年数", is_sure


def _base_beside(narrative: Narrative, at: int, of: Figure) -> tuple[Basis, str, bool] | None:
    """A base printed beside a change, or what a difference beside it gives."""
    near = [
        f
        for f in narrative.figures[max(at - 2, 0) : at + 3]
        if f.start > of.start and f.block == of.block and f.unit == of.unit and f.step == 1
    ]
    base = next((f for f in near if _is_base_of(narrative, f, at)), None)
    if base is not None:
        return Basis(base.value, figure=base), "文中所写上年数", True
    figure = narrative.figures[at]
    for other in near:
        joint = narrative.between(*sorted((other, figure), key=lambda f: f.start))
        if other.kind == "difference" and other.is_subject_free and "。" not in joint:
            return Basis(of.value - other.value, figure=other), "文中差额推得的上年数", True
    return None


def _is_base_of(narrative: Narrative, base: Figure, at: int) -> bool:
    """Whether a figure of another year is what a change rests on: before it, or named behind it."""
    figure = narrative.figures[at]
    if base.kind != "other_year":
        return False
    if base.start < figure.start:
        return "。" not in narrative.between(base, figure)
    among = [f for f in narrative.figures[at + 1 :] if f.start < base.start]
    joint = narrative.between(among[-1] if among else figure, base)
    is_named = re.fullmatch(pattern("base_behind"), joint) is not None
    return is_named and all(f.kind in ("change", "difference") for f in among)


def _row_base(narrative: Narrative, at: int) -> Figure | None:
    """The base of one of a row of changes, where as many figures of last year stand in a row.

    三项分别增长6.2%、下降11.4%。上年三项分别为11710条、1225条: each belongs to its place.
    """
    row = row_of(narrative, at)
    if row is None or row[0] == row[1]:
        return None
    count, change = row[1] - row[0] + 1, narrative.figures[at]
    earlier = [
        f
        for f in narrative.figures
        if f.kind == "other_year"
        and f.block == change.block
        and f.step == 1
        and len(STOPS.findall(narrative.between(*sorted((f, change), key=lambda g: g.start)))) < 2
    ]
    units = [respective(narrative, *row, n) for n in range(row[0], row[1] + 1)]
    if len(earlier) != count or any(u is None for u in units):
        return None
    if any(u and u.unit != e.unit for u, e in zip(units, earlier, strict=True)):
        return None
    return earlier[at - row[0]]


def _printed_bases(narrative: Narrative, of: Figure) -> list[Figure]:
    """Figures of another year before an amount, of the same thing, in its paragraph."""
    return [
        f
        for f in narrative.figures
        if f.kind == "other_year"
        and f.block == of.block
        and f.end <= of.start
        and f.unit == of.unit
        and f.step == 1
        and (f.meaning is None or of.meaning is None or f.meaning.role == of.meaning.role)
        and len(STOPS.findall(narrative.between(f, of))) < 2
        and not _is_taken(narrative, f)
    ]


def _is_like(base: Figure, of: Figure) -> bool:
    """Whether the words of two figures, where no meaning is known, may say the same."""
    if base.meaning is not None or of.meaning is not None:
        return False
    one, other = re.sub("年度?", "", base.words), re.sub("年度?", "", of.words)
    return one in other or other in one


def _is_taken(narrative: Narrative, base: Figure) -> bool:
    """Whether a figure of another year is what an amount before it is compared with.

    发布4623条,较2021年的4210条增长9.8%,其中动态1865条: 4210 is no base of what follows.
    """
    is_in_bracket = bracket_depth(narrative.texts[base.block], base.start) > 0
    return (is_in_bracket or re.search("[较比与]", base.before) is not None) and any(
        f.kind == "amount"
        and f.block == base.block
        and f.end <= base.start
        and f.unit == base.unit
        and not STOPS.search(narrative.between(f, base))
        for f in narrative.figures
    )


def _implied(figure: Figure, of: Figure, key: str, evidence: tuple[Basis, ...]) -> AuditCheck:
    """Whole numbers that could be the base of a printed change, none of them printed."""
    step = Fraction(1, 10**figure.decimals)
    printed = Fraction(figure.value)
    if of.value == 0 or printed <= -100 or figure.unit != "%":
        return AuditCheck(
            "B10", key, "not_assessable", f"“{figure.quote}”:没有上年数", "", None, evidence
        )
    low, high = (printed - step) / 100 + 1, (printed + step) / 100 + 1
    first = max(floor(Fraction(of.value) / high), 1)
    last = ceil(Fraction(of.value) / low) if low > 0 else first
    found: list[tuple[int, str]] = []
    if last - first <= 10_000:
        for base in range(first, last + 1):
            how = manner((Fraction(of.value) / base - 1) * 100, figure.value, figure.decimals)
            if how:
                found.append((base, how))
    if last - first > 10_000 or len(found) > _LONGEST_BASE_RANGE:
        bases = f"{found[0][0]} 至 {found[-1][0]}" if found else f"{first} 至 {last}"
        text = f"“{figure.quote}”:没有写上年数;与基数 {bases} 相符,单凭本文无法核对"
        return AuditCheck("B10", key, "not_assessable", text, "", None, evidence)
    if not found:
        text = f"“{figure.quote}”:没有一个整数基数能由 {number(of.value)} 得出 {figure.value}%"
        direct = of.end <= figure.start and figure.before[:2] in ("", *phrases()["direct_change"])
        return AuditCheck("B10", key, "fail" if direct else "uncertain", text, "", None, evidence)
    base, how = found[0]
    exact = (Fraction(of.value) / base - 1) * 100
    equation = f"({number(of.value)} - {base}) / {base} = {percent(exact)}"
    return AuditCheck(
        "B10", key, "pass", f"“{figure.quote}”:与基数 {base} 一致,{how}", equation, None, evidence
    )
