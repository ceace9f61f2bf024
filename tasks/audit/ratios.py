"""B10 for percentages: quoted shares and changes follow from the quoted figures.

Published percentages are rounded or cut off; both are accepted and the check says which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from expectations.balance import number
from tasks.audit.agreement import CellValues, cell_sum, named
from tasks.audit.belonging import counted, own_whole, part_behind, row_of
from tasks.audit.changes import change_checks, unknown
from tasks.audit.groups import STOPS, Group
from tasks.audit.meanings import pattern
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.passages import APPLICATION_WHOLES, Passage, compatible
from tasks.audit.percentages import (
    EITHER,
    HIDDEN_DIGITS,
    as_printed,
    either,
    manner,
    may_give,
    percent,
)
from tasks.audit.result import AuditCheck, Basis, Suggestion
from tasks.audit.suggestions import slip

_FORM_WHOLES = (
    "t3.results_total.total",
    "t3.new_received.total",
    "t3.new_received.total + t3.carried_in.total",
)


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
        if figure.kind in ("difference", "change", "multiple"):
            checks += change_checks(narrative, at, last_year or {})
        if figure.kind != "share":
            continue
        of, key = counted(narrative, at), f"B10.share.{figure.block}.{figure.start}"
        if of is None:
            checks.append(unknown(figure, key))
            continue
        passage, group = by_passage.get(of.passage if of.role else 0), group_of.get(of.place)
        checks.append(_share(narrative, at, of, passage, key, cells or {}, group))
    return checks


def _share(
    narrative: Narrative, at: int, of: Figure, passage: Passage | None, key: str,
    cells: CellValues, group: Group | None,
) -> AuditCheck:  # fmt: skip
    figure = narrative.figures[at]
    # Sums of money in several units are counted in one of them.
    of = next((p for p in group.parts if p.place == of.place), of) if group else of
    own = own_whole(narrative, at)
    row = row_of(narrative, at)
    beside = narrative.figures[max(2 * row[0] - row[1] - 1, 0) : row[0]] if row else []
    wholes = [
        whole
        for whole in (_named_whole(own) if own else _wholes(narrative, of, passage, cells, group))
        if not any(e.figure is one for e in whole[2] for one in beside)
    ]
    evidence = (Basis(of.value, figure=of), Basis(figure.value, figure=figure))
    usable = [
        (name, value, figures)
        for name, value, figures in wholes
        if value >= of.value and value > 0 and not _are_beside(narrative, figures, of)
    ]
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
    is_sure = (
        own is not None
        or passage is not None
        or (group is not None and sum(len(held) == 1 for held in group.wholes) == 1)
    )
    is_sure = is_sure and _may_name(figure, figures)
    text = f"“{figure.quote}”:{number(of.value)} 占{name} {number(value)} 应为 {either(rounded, cut)},文中为 {figure.value}%"
    offers = tuple(
        Suggestion(f"百分数疑为 {p}%({why})", "", figure.value, p)
        for p in dict.fromkeys((rounded, cut))
        if (why := slip(figure.value, p))
    )
    return AuditCheck(
        "B10", key, "fail" if is_sure else "uncertain", text, equation, gap, evidence + figures,
        (), offers,
    )  # fmt: skip


def _are_beside(narrative: Narrative, wholes: tuple[Basis, ...], of: Figure) -> bool:
    """Whether a whole is itself told as the part of a share, beside another part and not above it.

    A区占25%,即50件;B区占20%,即40件: the 40 are none of the 50, but they are after 其中.
    """
    figures = narrative.figures
    led_to = {part.place for n in range(len(figures)) if (part := part_behind(narrative, n))}
    return any(
        e.figure is not None
        and e.figure.place in led_to
        and e.figure.end <= of.start
        and "其中" not in narrative.between(e.figure, of)
        for e in wholes
    )


def _may_name(share: Figure, whole: tuple[Basis, ...]) -> bool:
    """Whether the words of a share may name the whole that was found: 占市级机关受理量的 does not
    name what the districts received."""
    named = pattern("any_whole").sub("", share.before.rpartition("占")[2])
    if "占" not in share.before or not named:
        return True
    words = "".join(b.figure.before + b.figure.label for b in whole if b.figure)
    return any(named[n : n + 2] in words for n in range(max(len(named) - 1, 1)))


def _not_comparable(
    figure: Figure, of: Figure, usable: list[tuple[str, Decimal, tuple[Basis, ...]]]
) -> str:
    """Why a share cannot be judged, in Chinese; empty where it can."""
    if not of.step or figure.about:
        return "所依据的数或百分数是约数,不能精确核对"
    if not usable:
        return "没有找到所占的整体"
    if any(_may_be(figure, of, value, figures) for _, value, figures in usable):
        return HIDDEN_DIGITS
    return ""


def _may_be(figure: Figure, of: Figure, whole: Decimal, figures: tuple[Basis, ...]) -> bool:
    """Whether digits that a part or whole in 万 does not show could give the percentage."""
    rest = sum((e.figure.step for e in figures if e.figure and e.figure.step > 1), Decimal(0))
    return may_give(figure.value, figure.decimals, (of.value, of.step), (whole, rest))


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


def _named_whole(whole: Figure) -> list[tuple[str, Decimal, tuple[Basis, ...]]]:
    return [(whole.label or "所写整体", whole.value, (Basis(whole.value, figure=whole),))]


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
