"""B10 for rates whose two figures are printed: 办结率, 答复率, 公开率.

A rate is worked out only from figures of its own sentence or, for applications, of its own
account; where either is missing there is nothing to check, and nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

from expectations.balance import number
from tasks.audit.groups import STOPS
from tasks.audit.meanings import phrases
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.passages import APPLICATION_WHOLES, Passage, compatible
from tasks.audit.percentages import HIDDEN_DIGITS, as_printed, manner, may_give, percent
from tasks.audit.result import AuditCheck, Basis

_Term = tuple[Figure, ...]
IN_TIME = "按[时期]|及时|限时"


def rate_checks(narrative: Narrative, passages: Sequence[Passage]) -> list[AuditCheck]:
    """A check for every rate that two printed figures give."""
    checks = []
    for figure in narrative.figures:
        if figure.kind != "rate" or figure.about or figure.unit != "%":
            continue
        named = (e for e in phrases()["rates"] if re.search(e["name"], figure.before))
        entry = next(named, None)
        # 按时办结率 leaves out what was late, and what was not yet due.
        is_exact = not re.search(IN_TIME, figure.before)
        named_ways = list(_ways(narrative, passages, figure, entry)) if entry else []
        # A part larger than its whole is none where the rate's own words give another.
        within = is_exact and any(_sum(part) <= _sum(whole) for part, whole in named_ways)
        own_ways = [] if within else list(_own_ways(narrative, figure))
        ways = own_ways or named_ways
        is_named = bool(ways) and not own_ways
        check = _check(narrative, figure, ways, is_named=is_named) if ways else None
        # By its own word only, a rate is worth a doubt right behind its part.
        is_near = is_named or (bool(ways) and _is_of_part(narrative, ways[0][0][-1], figure))
        # A doubt of 按时办结率 where 按时办结 is printed.
        is_worth = is_exact or any(re.search(IN_TIME, part[-1].before) for part, _ in ways)
        is_heard = check and (check.status == "pass" or (is_near and is_worth))
        checks += [check] if check and is_heard else []
    return checks


def _own_ways(narrative: Narrative, figure: Figure) -> Iterator[tuple[_Term, _Term]]:
    """征集意见127条,采纳103条,采纳率81%: the part has the rate's own word, the whole stands before."""
    near = [f for f in _near(narrative, figure) if f.unit]
    part = _own_part(narrative, near, figure)
    if part is None and (part := _own_part_behind(narrative, figure)) is not None:
        near = [*near, part]
    if part is None or (near[-1] is not part and ";" in narrative.between(part, near[-1])):
        return
    before = near[: near.index(part)]
    if before and before[-1].unit == part.unit and before[-1].value >= part.value:
        yield (part,), (before[-1],)
    if re.search(IN_TIME, figure.before):
        # Of what was received, handed on, due or closed.
        for whole in reversed(before[:-1]):
            if whole.unit == part.unit and whole.value >= part.value:
                yield (part,), (whole,)


def _own_part(narrative: Narrative, near: list[Figure], figure: Figure) -> Figure | None:
    """The amount whose words end as a rate's name does, the longest such end first."""
    named = re.search(r"([\u4e00-\u9fa5]{2,6})率[^§,]{0,6}$", figure.before)
    if named is None or not near:
        return None
    for name in (named[1][at:] for at in range(len(named[1]) - 1)):
        word = (
            f"(?<!不)(?<!未)(?<!不予)(?<!不宜)(?<!不便)(?<!依申请)(?<!基本)(?<!部分)(?<!较){name}"
        )
        parts = [f for f in near if re.search(f"^{word}|{word}(?:了|的)?$", f.before)]
        if parts:
            return parts[-1]
        # 审议议题186个,其中主动公开议题142个,公开率76.3%
        last = near[-1]
        if figure.value < 100 and re.match(rf"其中[^,]*{word}", last.before):
            return last if _is_beside(narrative, last, figure) else None
    return None


def _own_part_behind(narrative: Narrative, figure: Figure) -> Figure | None:
    """The amount right behind a rate that is told in all of its words: 按期办结率95%,按期办结190件."""
    named = re.search(r"([\u4e00-\u9fa5]{2,6})率[^§,]{0,6}$", figure.before)
    after = next((f for f in narrative.figures if f.place > figure.place), None)
    if named is None or after is None or after.kind != "amount" or not after.step:
        return None
    is_told = re.fullmatch(f"(?:共|已|其中)?{named[1]}(?:了|的)?", after.before) is not None
    is_next = after.block == figure.block and narrative.between(figure, after).startswith(",")
    return after if is_told and is_next else None


def _near(narrative: Narrative, figure: Figure) -> list[Figure]:
    """The exact amounts before a rate in its sentence."""
    return [
        f
        for f in narrative.figures
        if f.block == figure.block
        and f.end <= figure.start
        and f.kind == "amount"
        and f.step
        and not STOPS.search(narrative.between(f, figure))
    ]


def _ways(
    narrative: Narrative, passages: Sequence[Passage], figure: Figure, entry: dict[str, list[str]]
) -> Iterator[tuple[_Term, _Term]]:
    """The figures that the rate may divide, each side one amount or several added."""
    near = _near(narrative, figure)
    parts = [f for f in near if f.role in entry["parts"]] or _behind(narrative, figure, entry)
    # 办理65件,其中按期办结62件,延期办结3件: what was handled is the whole of what was closed.
    parts = [f for f in parts if f.role != "handled"] or parts
    if not parts or (near and _is_cut(narrative, parts[-1], near[-1])):
        return
    wholes: list[_Term]
    passage = next((p for p in passages if parts[-1].passage == p.number), None)
    if passage is None or parts[-1].role.startswith("case"):
        before = [f for f in near if f.role in entry["wholes"] and f.end <= parts[-1].start]
        wholes = [(f,) for f in before[-1:]]
    else:
        given = [passage.figures[r] for r in APPLICATION_WHOLES if r in passage.figures]
        carried = passage.figures.get("carried_in")
        wholes = [(f,) for f in given if f not in parts]
        wholes += [(f, carried) for f in given if carried and f.role != "closed"]
    # 按时答复9件,延期答复1件,答复率100%: the last alone, or all that the sentence names.
    in_time = [f for f in parts if f.role != "closed_late"]
    if not in_time:
        return
    every = [tuple(parts)] if entry.get("added") else [(in_time[-1],), tuple(parts)]
    for added in dict.fromkeys(every):
        for whole in wholes:
            if compatible(added[0].unit, whole[0].unit):
                yield added, whole


def _is_cut(narrative: Narrative, part: Figure, last: Figure) -> bool:
    return part.end <= last.start and ";" in narrative.between(part, last)


def _behind(narrative: Narrative, figure: Figure, entry: dict[str, list[str]]) -> list[Figure]:
    """The part right behind a rate: 答复率99.2%,共答复34845件."""
    after = next((f for f in narrative.figures if f.place > figure.place), None)
    if after is None or after.kind != "amount" or after.role not in entry["parts"]:
        return []
    return [after] if re.fullmatch(r",[^,;。]*", narrative.between(figure, after)) else []


def _check(
    narrative: Narrative, figure: Figure, ways: list[tuple[_Term, _Term]], *, is_named: bool
) -> AuditCheck:
    key = f"B10.rate.{figure.block}.{figure.start}"
    told = [
        (part, whole, exact) for part, whole in ways if (exact := _exact(part, whole)) is not None
    ]
    # A whole that the part exceeds is none, where there is another.
    told = [way for way in told if way[2] <= 100] or told
    for part, whole, exact in told:
        if how := manner(exact, figure.value, figure.decimals):
            is_short = figure.value == 100 and exact != 100
            text = f"“{figure.quote}”:由文中两数算得,{how}"
            return AuditCheck(
                "B10", key, "uncertain" if is_short else "pass",
                text + (f";但 {number(_sum(part))} 不等于 {number(_sum(whole))},并非全部" if is_short else ""),
                _equation(part, whole, exact), None, _evidence(part, whole, figure),
            )  # fmt: skip
    if not told:
        text = f"“{figure.quote}”:分母为 0,无从计算"
        return AuditCheck("B10", key, "not_assessable", text, "", None, _evidence(*ways[0], figure))
    if any(_may_be(figure, part, whole) for part, whole, _ in told):
        text = f"“{figure.quote}”:{HIDDEN_DIGITS}"
        return AuditCheck("B10", key, "not_assessable", text, "", None, _evidence(*ways[0], figure))
    # The nearest reading is told.
    part, whole, exact = min(told, key=lambda way: abs(way[2] - Fraction(figure.value)))
    rounded, cut = as_printed(exact, figure.decimals)
    text = f"“{figure.quote}”:{number(_sum(part))} 与 {number(_sum(whole))} 之比应为 {percent(exact)},文中为 {figure.value}%"
    # 按时办结率 leaves out what was late; other words between make the two figures less sure.
    is_sure = (
        is_named
        and not re.search("按|期限|及时|当场", figure.before)
        and not part[-1].is_in_time
        and len(told) == 1
        and _is_beside(narrative, part[-1], figure)
    )
    return AuditCheck(
        "B10", key, "fail" if is_sure else "uncertain",
        text + ("" if is_sure else "(口径可能不同)"), _equation(part, whole, exact),
        figure.value - (rounded if figure.value >= rounded else cut),
        _evidence(part, whole, figure),
    )  # fmt: skip


def _may_be(figure: Figure, part: _Term, whole: _Term) -> bool:
    """Whether digits that amounts in 万 do not show could give the rate."""
    own, rest = (sum((f.step for f in t if f.step > 1), Decimal(0)) for t in (part, whole))
    return may_give(figure.value, figure.decimals, (_sum(part), own), (_sum(whole), rest))


def _is_of_part(narrative: Narrative, part: Figure, figure: Figure) -> bool:
    """Whether a rate stands right behind its part, or has its whole name: 主动公开178件,…主动公开率."""
    named = re.search(r"([\u4e00-\u9fa5]{4,6})率[^§,]{0,6}$", figure.before)
    return _is_beside(narrative, part, figure) or bool(named and part.before.endswith(named[1]))


def _is_beside(narrative: Narrative, part: Figure, figure: Figure) -> bool:
    one, other = sorted((part, figure), key=lambda f: f.start)
    return re.fullmatch(r"[,、]?[^,;。]*", narrative.between(one, other)) is not None


def _exact(part: _Term, whole: _Term) -> Fraction | None:
    total = _sum(whole)
    return Fraction(_sum(part)) / Fraction(total) * 100 if total > 0 else None


def _sum(term: _Term) -> Decimal:
    return sum((f.value for f in term), Decimal(0))


def _equation(part: _Term, whole: _Term, exact: Fraction) -> str:
    def written(term: _Term) -> str:
        added = " + ".join(number(f.value) for f in term)
        return f"({added})" if len(term) > 1 else added

    return f"{written(part)} / {written(whole)} = {percent(exact)}"


def _evidence(part: _Term, whole: _Term, figure: Figure) -> tuple[Basis, ...]:
    return tuple(Basis(f.value, figure=f) for f in (*part, *whole, figure))
