"""B10 for percentages: quoted shares and year-on-year changes follow from the quoted figures.

Published percentages are rounded or cut off; both are accepted and the check says which. A
change whose base is not printed is tested against every whole number that could be the base.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

from expectations.balance import number
from tasks.audit.agreement import CellValues, cell_sum, named
from tasks.audit.groups import STOPS, Group
from tasks.audit.meanings import pattern, phrases
from tasks.audit.movements import moved_from
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.passages import APPLICATION_WHOLES, Passage, compatible
from tasks.audit.recognise import bracket_depth
from tasks.audit.result import AuditCheck, Basis, Suggestion
from tasks.audit.suggestions import slip, slips
from tasks.audit.yearly import year_pair

_FORM_WHOLES = (
    "t3.results_total.total",
    "t3.new_received.total",
    "t3.new_received.total + t3.carried_in.total",
)
_LONGEST_BASE_RANGE = 1
"""More possible bases than this and the percentage says nothing about the figures."""


EITHER = "四舍五入与截取均相符"


def as_printed(exact: Fraction, decimals: int) -> tuple[Decimal, Decimal]:
    """An exact percentage rounded and cut off to the decimals printed."""
    value = Decimal(exact.numerator) / Decimal(exact.denominator)
    unit = Decimal(1).scaleb(-decimals)
    return value.quantize(unit, ROUND_HALF_UP), value.quantize(unit, ROUND_DOWN)


def manner(exact: Fraction, printed: Decimal, decimals: int, unit: str = "%") -> str:
    """In which manner a percentage was printed, in Chinese; empty if in none."""
    rounded, cut = as_printed(exact, decimals)
    if rounded == cut == printed:
        return EITHER
    if cut == printed:
        return f"按截取相符(四舍五入为 {rounded}{unit})"
    if rounded == printed:
        return f"按四舍五入相符(截取为 {cut}{unit})"
    return ""


def ratio_checks(
    narrative: Narrative,
    passages: list[Passage],
    last_year: dict[str, Decimal] | None = None,
    cells: CellValues | None = None,
    found: Sequence[Group] = (),
) -> list[AuditCheck]:
    """A check for every share and every change.

    `last_year` maps meanings to last year's figures; `cells` are those of the form, whose totals
    a text need not repeat; `found` are the lists of parts, each with its whole.
    """
    checks = []
    by_passage = {p.number: p for p in passages}
    group_of = {part.place: group for group in found for part in group.parts}
    for at, figure in enumerate(narrative.figures):
        if figure.kind == "difference":
            checks += _difference(narrative, at)
        if figure.kind not in ("share", "change", "multiple"):
            continue
        of = _counted(narrative, at)
        key = f"B10.{figure.kind}.{figure.block}.{figure.start}"
        if of is None:
            text = f"“{figure.quote}”:没有写明是哪两个数之比,无法核对"
            checks.append(
                AuditCheck(
                    "B10",
                    key,
                    "not_assessable",
                    text,
                    evidence=(Basis(figure.value, figure=figure),),
                )
            )
        elif figure.kind == "share":
            checks.append(
                _share(
                    narrative,
                    at,
                    of,
                    by_passage.get(of.passage if of.role else 0),
                    key,
                    cells or {},
                    group_of.get(of.place),
                )
            )
        else:
            checks.append(_change(narrative, at, of, last_year or {}, key))
    return checks


def _difference(narrative: Narrative, at: int) -> list[AuditCheck]:
    """收到100件,比上年(80件)增加20件: both years and the difference are printed."""
    figure, of = narrative.figures[at], _counted(narrative, at)
    before = narrative.figures[at - 1] if at else figure
    came_from = _came_from(narrative, of)
    is_behind = of is not None and of.start < before.start
    if came_from is not None:
        before, is_behind = came_from, True
    if (
        of is None
        or before.kind != "other_year"
        or not is_behind
        or not of.unit == before.unit == figure.unit
        or any(f.step != 1 for f in (of, before, figure))
        or re.search("[。;]", narrative.between(before, figure))
    ):
        return []
    gap = of.value - before.value - figure.value
    text = f"“{figure.quote}”:{number(of.value)} 与文中所写上年数 {number(before.value)} 相差 {number(of.value - before.value)}"
    equation = (
        f"{number(of.value)} - {number(before.value)} {'≠' if gap else '='} {number(figure.value)}"
    )
    return [
        AuditCheck(
            "B10",
            f"B10.difference.{figure.block}.{figure.start}",
            "fail" if gap else "pass",
            text + (f",文中为 {number(figure.value)}" if gap else ""),
            equation,
            gap,
            tuple(Basis(f.value, figure=f) for f in (of, before, figure)),
            (),
            slips([of, before, figure], [1, -1, -1], gap) if gap else (),
        )
    ]


def _came_from(narrative: Narrative, of: Figure | None) -> Figure | None:
    """The figure of before that the words lead from to an amount: 由287件增至364件."""
    at = next((n for n, f in enumerate(narrative.figures) if f is of), None)
    return None if at is None else moved_from(narrative, at)


def _counted(narrative: Narrative, at: int) -> Figure | None:
    """The amount that a percentage belongs to: the last one before it in its sentence."""
    figure = narrative.figures[at]
    if (pair := year_pair(narrative, at)) is not None:
        return pair[0]
    if (row := _row(narrative, at)) is not None:
        return _respective(narrative, *row, at)
    if not figure.is_subject_free:
        return None
    # 申请量 names what was received, however many figures stand between.
    text = narrative.texts[figure.block]
    of_received = re.match(phrases()["received_amount"], figure.before) is not None
    for before in reversed(narrative.figures[:at]):
        if before.block != figure.block or any(
            c in narrative.between(before, figure) for c in "。;!?"
        ):
            return None
        # What stands in brackets of its own belongs to them.
        if bracket_depth(text, before.start) > bracket_depth(text, figure.start):
            continue
        if before.kind == "amount" and "分别" in narrative.between(before, figure):
            # 分别增长12%、下降10%: whose change this is, only its place in the row says.
            return None
        if before.kind == "amount" and (
            not of_received or before.role in ("received", "new_received")
        ):
            return before
    return None


def _row(narrative: Narrative, at: int) -> tuple[int, int] | None:
    """First and last of the percentages that one 分别 joins, by number; None without it."""
    figures = narrative.figures
    first = last = at
    while first > 0 and narrative.joined(figures[first - 1], figures[first]):
        first -= 1
    while last + 1 < len(figures) and narrative.joined(figures[last], figures[last + 1]):
        last += 1
    lead = (
        narrative.between(figures[first - 1], figures[first])
        if first > 0 and figures[first - 1].block == figures[first].block
        else figures[first].before
    )
    return (first, last) if "分别" in re.split("[。;!?]", lead)[-1] else None


def _respective(narrative: Narrative, first: int, last: int, at: int) -> Figure | None:
    """The amount that one of a row of percentages belongs to: as many amounts stand before.

    公开 966 件、部分公开 67 件,分别占 66.5%、4.6%. The amounts have one unit and stand together.
    """
    count = last - first + 1
    amounts = narrative.figures[max(first - count, 0) : first]
    if count < 2 or len(amounts) < count:
        return None
    follows = [*amounts[1:], narrative.figures[first]]
    is_row = all(
        a.kind == "amount"
        and a.step
        and compatible(a.unit, amounts[0].unit)
        and (a.unit == amounts[0].unit or narrative.figures[at].kind != "share")
        and a.block == b.block
        and not re.search("[。;!?]", narrative.between(a, b))
        for a, b in zip(amounts, follows, strict=True)
    )
    return amounts[at - first] if is_row else None


def _share(
    narrative: Narrative, at: int, of: Figure, passage: Passage | None, key: str,
    cells: CellValues, group: Group | None,
) -> AuditCheck:  # fmt: skip
    figure = narrative.figures[at]
    # Sums of money in several units are counted in one of them.
    of = next((p for p in group.parts if p.place == of.place), of) if group else of
    row = _row(narrative, at)
    beside = narrative.figures[max(2 * row[0] - row[1] - 1, 0) : row[0]] if row else []
    wholes = [
        whole
        for whole in _wholes(narrative, of, passage, cells, group)
        if not any(e.figure is one for e in whole[2] for one in beside)
    ]
    evidence = (Basis(of.value, figure=of), Basis(figure.value, figure=figure))
    usable = [w for w in wholes if w[1] >= of.value and w[1] > 0]
    exacts = [Fraction(of.value) / Fraction(value) * 100 for _, value, _ in usable]
    manners = [manner(exact, figure.value, figure.decimals) for exact in exacts]
    agreeing = [at for at, how in enumerate(manners) if how]
    if agreeing and of.step:
        # The likeliest whole is first, but one that needs neither rounding nor cutting is likelier.
        best = min(agreeing, key=lambda at: manners[at] != EITHER)
        name, value, figures = usable[best]
        equation = f"{number(of.value)} / {number(value)} = {percent(exacts[best])}"
        text = f"“{figure.quote}”:以{name} {number(value)} 为整体,{manners[best]}"
        return AuditCheck("B10", key, "pass", text, equation, None, evidence + figures)
    why = _not_comparable(figure, of, usable)
    if why:
        return AuditCheck(
            "B10", key, "not_assessable", f"“{figure.quote}”:{why}", "", None, evidence
        )
    name, value, figures = min(usable, key=lambda w: abs(of.value / w[1] * 100 - figure.value))
    if group is not None or passage is not None:
        name, value, figures = usable[0]
    exact = Fraction(of.value) / Fraction(value) * 100
    rounded, cut = as_printed(exact, figure.decimals)
    equation = f"{number(of.value)} / {number(value)} = {percent(exact)}"
    gap = figure.value - (
        rounded if abs(rounded - figure.value) <= abs(cut - figure.value) else cut
    )
    # Only a percentage right behind its part, with a whole that the text names, is certain.
    is_sure = passage is not None or (
        group is not None and sum(len(held) == 1 for held in group.wholes) == 1
    )
    text = f"“{figure.quote}”:{number(of.value)} 占{name} {number(value)} 应为 {_either(rounded, cut)},文中为 {figure.value}%"
    offers = tuple(
        Suggestion(f"百分数疑为 {p}%({why})", "", figure.value, p)
        for p in dict.fromkeys((rounded, cut))
        if (why := slip(figure.value, p))
    )
    return AuditCheck(
        "B10", key, "fail" if is_sure else "uncertain", text, equation, gap, evidence + figures,
        (), offers,
    )  # fmt: skip


def _not_comparable(
    figure: Figure, of: Figure, usable: list[tuple[str, Decimal, tuple[Basis, ...]]]
) -> str:
    """Why a share cannot be judged, in Chinese; empty where it can."""
    if not of.step or figure.about:
        return "所依据的数或百分数是约数,不能精确核对"
    if not usable:
        return "没有找到所占的整体"
    if any(_may_be(figure, of, value, figures) for _, value, figures in usable):
        return "所依据的数以万计,末位以下没有写出,在其范围内相符,不能精确核对"
    return ""


def _either(rounded: Decimal, cut: Decimal, unit: str = "%") -> str:
    """A percentage as it may be printed, once where both manners agree."""
    return (
        f"{rounded}{unit}" if rounded == cut else f"{rounded}{unit}(四舍五入)或 {cut}{unit}(截取)"
    )


def _may_be(figure: Figure, of: Figure, whole: Decimal, figures: tuple[Basis, ...]) -> bool:
    """Whether digits that a part or whole in 万 does not show could give the percentage."""
    rest = sum((e.figure.step for e in figures if e.figure and e.figure.step > 1), Decimal(0))
    own = of.step if of.step > 1 else Decimal(0)
    if not (rest or own) or whole <= rest:
        return False
    unit = Decimal(1).scaleb(-figure.decimals)
    low, high = (of.value - own) / (whole + rest) * 100, (of.value + own) / (whole - rest) * 100
    return low - unit <= figure.value <= high + unit


def percent(exact: Fraction, unit: str = "%") -> str:
    """An exact percentage with four decimals, and … where more follow."""
    value = Decimal(exact.numerator) / Decimal(exact.denominator)
    shown = value.quantize(Decimal("0.0001"), ROUND_DOWN)
    return f"{shown}…{unit}" if Fraction(shown) != exact else f"{number(shown)}{unit}"


def _wholes(
    narrative: Narrative, of: Figure, passage: Passage | None, cells: CellValues,
    group: Group | None,
) -> Iterable[tuple[str, Decimal, tuple[Basis, ...]]]:  # fmt: skip
    """What a part may be a share of: (name, value, figures), the likeliest first."""
    if passage is not None and of.role not in APPLICATION_WHOLES:
        yield from passage.wholes(of)
        for expression in _FORM_WHOLES:
            total = cell_sum(expression, cells)
            if total is not None:
                yield f"表中{named(expression)}", total.value, total.cells
        return
    if group is not None:
        first = group.whole
        for held in sorted(group.wholes, key=lambda held: held != (first,)):
            label = "、".join(f.label or "前述数" for f in held)
            evidence = tuple(Basis(f.value, figure=f) for f in held)
            yield label, sum((f.value for f in held), Decimal(0)), evidence
        return
    row = _with_shares(narrative, of)
    for before in reversed(narrative.figures):
        is_ahead = before.block == of.block and before.end <= of.start and before.kind == "amount"
        if before in row or not is_ahead or not compatible(before.unit, of.unit):
            continue
        if before.value >= of.value:
            yield before.label or "前述数", before.value, (Basis(before.value, figure=before),)
    if len(row) > 1 and abs(_shares_of(narrative, row) - 100) <= 1:
        added = sum((f.value for f in row), Decimal(0))
        yield "所列各项之和", added, tuple(Basis(f.value, figure=f) for f in row)
    yield from _total_behind(narrative, of)


def _shares_of(narrative: Narrative, row: Sequence[Figure]) -> Decimal:
    """What the shares right behind the amounts of a row come to: 100 where it leaves out nothing."""
    behind = {id(f): share for f, share in pairwise(narrative.figures)}
    return sum((behind[id(f)].value for f in row), Decimal(0))


def _with_shares(narrative: Narrative, of: Figure) -> list[Figure]:
    """The amounts of a part's sentence that each have a share right behind them, as it has."""
    figures = narrative.figures
    return [
        f
        for f, share in pairwise(figures)
        if f.kind == "amount"
        and share.kind == "share"
        and share.is_subject_free
        and f.block == of.block == share.block
        and compatible(f.unit, of.unit)
        and not STOPS.search(
            narrative.between(*sorted((f, of), key=lambda figure: figure.start)) if f != of else ""
        )
    ]


def _total_behind(
    narrative: Narrative, of: Figure
) -> Iterable[tuple[str, Decimal, tuple[Basis, ...]]]:
    """A total that the sentence names behind its parts: A 94件,占94%,B 6件,占6%,共100件."""
    for figure in narrative.figures:
        is_behind = figure.block == of.block and figure.start >= of.end
        if not is_behind or STOPS.search(narrative.between(of, figure)):
            continue
        is_total = re.match(rf"(?:以上)?(?:共|{pattern('totals').pattern})", figure.before)
        if is_total and figure.kind == "amount" and compatible(figure.unit, of.unit):
            yield figure.label or "合计", figure.value, (Basis(figure.value, figure=figure),)


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
    text = f"“{figure.quote}”:以{source} {number(base.value)} 为基数应为 {_either(rounded, cut, figure.unit)},文中为 {figure.value}{figure.unit}"
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
    came_from = _came_from(narrative, of)
    if came_from is not None and came_from.step == 1:
        return Basis(came_from.value, figure=came_from), "文中所写原数", True
    figure = narrative.figures[at]
    pair = year_pair(narrative, at)
    in_row = pair[1] if pair else _row_base(narrative, at)
    if in_row is not None:
        return Basis(in_row.value, figure=in_row), "文中所写上年数", True
    for near in narrative.figures[max(at - 2, 0) : at + 2]:
        is_far = near.block != figure.block or "。" in narrative.between(
            *sorted((near, figure), key=lambda f: f.start)
        )
        if is_far or near.unit != of.unit or near.step != 1:
            continue
        if near.kind == "difference" and near.is_subject_free:
            return Basis(of.value - near.value, figure=near), "文中差额推得的上年数", True
        if near.kind == "other_year" and near.start > of.start:
            return Basis(near.value, figure=near), "文中所写上年数", True
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


def _row_base(narrative: Narrative, at: int) -> Figure | None:
    """The base of one of a row of changes, where as many figures of last year stand in a row.

    三项分别增长6.2%、下降11.4%。上年三项分别为11710条、1225条: each belongs to its place.
    """
    row = _row(narrative, at)
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
    units = [_respective(narrative, *row, n) for n in range(row[0], row[1] + 1)]
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
