"""B10 for wholes and parts outside the application passages: 其中, 包括, totals, cases closed.

A list behind 其中 or 包括 need not be complete, so a sum that differs is uncertain, not a fail.
What was received against what is closed and what is open is complete, and can fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from expectations.balance import number
from tasks.audit.meanings import pattern
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.passages import compatible
from tasks.audit.recognise import bracket_depth
from tasks.audit.result import AuditCheck, Basis, coarse
from tasks.audit.suggestions import slips

_STOPS = re.compile(r"[。!?\n]")
_REST = re.compile("(?:其中)?(?:其[他它]|其余|剩余)")
_REVIEW_ENDINGS = ("review_upheld", "review_corrected", "review_other", "review_pending")


def part_checks(narrative: Narrative) -> list[AuditCheck]:
    """Checks for every whole that the prose divides, in order."""
    amounts = [f for f in narrative.figures if f.kind == "amount" and f.step and f.unit]
    checks: list[AuditCheck] = []
    for at, figure in enumerate(amounts):
        checks.extend(_listed(narrative, amounts, at))
        checks.extend(_totalled(narrative, amounts, at))
        if figure.role == "case_received":
            checks.extend(_closed(narrative, amounts, at))
        if figure.role in ("review_received", "litigation_received"):
            checks.extend(_reviewed(narrative, amounts, at))
    return [coarse(check) for check in checks]


def _evidence(*figures: Figure) -> tuple[Basis, ...]:
    return tuple(Basis(f.value, figure=f) for f in figures)


def _depth(narrative: Narrative, figure: Figure) -> int:
    return bracket_depth(narrative.texts[figure.block], figure.start)


def _same_sentence(narrative: Narrative, one: Figure, other: Figure) -> bool:
    return one.block == other.block and not _STOPS.search(narrative.between(one, other))


def _listed(narrative: Narrative, amounts: list[Figure], at: int) -> Iterator[AuditCheck]:
    """其中/包括 behind a whole: the parts up to the end of the sentence."""
    whole = amounts[at]
    # What stands in brackets behind the whole is said beside it.
    inner = _depth(narrative, whole)
    following = (f for f in amounts[at + 1 :] if _depth(narrative, f) <= inner)
    beside = amounts[at + 1] if at + 1 < len(amounts) else None
    firsts = [beside, next(following, None)]
    for first in dict.fromkeys(firsts):
        yield from _divided(narrative, amounts, whole, first)


def _divided(
    narrative: Narrative, amounts: list[Figure], whole: Figure, first: Figure | None
) -> Iterator[AuditCheck]:
    """The whole against the parts that begin with `first`, if that is one of them."""
    if first is None or not _divides(narrative, whole, first):
        return
    parts, others = _parts(narrative, amounts, whole, first)
    if len(parts) == 1 and parts[0].unit == whole.unit:
        yield _one_part(whole, parts[0])
    elif len(parts) > 1:
        yield _agreeing(narrative, amounts, whole, parts, others) or _differing(
            whole, parts, others
        )


def _divides(narrative: Narrative, whole: Figure, first: Figure) -> bool:
    """Whether `first` is said to be a part of the whole: 其中 or the like stands between."""
    joint = narrative.between(whole, first)
    # The parts may stand in the next sentence, if that begins with 其中.
    is_near = first.block == whole.block and (
        _same_sentence(narrative, whole, first)
        or re.match(r"[^。!?]*。(?:其中|包括)[^。!?]*$", joint)
    )
    depth = _depth(narrative, first)
    if not is_near or depth < _depth(narrative, whole):
        return False
    if depth == _depth(narrative, whole):
        joint = re.sub(r"\([^()]*\)", "", joint)
    is_accounted = (first.passage and first.role) or first.role in _REVIEW_ENDINGS
    return bool(pattern("parts").search(joint)) and not is_accounted


def _parts(
    narrative: Narrative, amounts: list[Figure], whole: Figure, first: Figure
) -> tuple[list[Figure], list[Figure]]:
    """The parts from the first one on, and what stands among them in another unit."""
    depth = _depth(narrative, first)
    parts: list[Figure] = []
    others: list[Figure] = []
    previous = whole
    for figure in amounts[amounts.index(first) :]:
        words = narrative.between(previous, figure)
        is_beside = _depth(narrative, figure) == depth
        if not _same_sentence(narrative, first, figure) or _depth(narrative, figure) < depth:
            break
        if parts and "其中" in words and is_beside:
            break
        if is_beside and compatible(figure.unit, whole.unit):
            parts.append(figure)
        elif not compatible(figure.unit, whole.unit):
            if re.search(r"[,;]", words) and parts:
                break
            others += [figure] if is_beside else []
        previous = figure
    return parts, others


def _key(whole: Figure) -> str:
    return f"B10.parts.{whole.block}.{whole.start}"


def _one_part(whole: Figure, part: Figure) -> AuditCheck:
    gap = part.value - whole.value
    holds = gap <= 0
    text = f"“{part.quote}”{'不大于' if holds else '大于'}它所属的“{whole.quote}”"
    return AuditCheck(
        "B10", _key(whole), "pass" if holds else "fail", text,
        f"{number(part.value)} {'≤' if holds else '>'} {number(whole.value)}", gap,
        _evidence(part, whole), (), () if holds else slips([part, whole], [1, -1], gap),
    )  # fmt: skip


def _agreeing(
    narrative: Narrative, amounts: list[Figure], whole: Figure, parts: list[Figure],
    others: list[Figure],
) -> AuditCheck | None:  # fmt: skip
    """A pass in any way that the words allow: fewer parts, other wholes, other units."""
    ways = [([whole], parts[:count]) for count in range(2, len(parts) + 1)]
    ways.append(([whole], sorted([*parts, *others], key=lambda p: p.start)))
    ways += [(held, parts) for held in _wholes_before(narrative, amounts, whole)]
    for held, listed in ways:
        if sum(p.value for p in listed) == sum(w.value for w in held):
            quotes = "、".join(f"“{w.quote}”" for w in held)
            return AuditCheck(
                "B10", _key(whole), "pass", f"{quotes}等于所列 {len(listed)} 项之和",
                f"{_plus(held)} = {_plus(listed)}", Decimal(0), _evidence(*held, *listed),
            )  # fmt: skip
    return None


def _differing(whole: Figure, parts: list[Figure], others: list[Figure]) -> AuditCheck:
    """Parts that do not add up: a fail only where the list must be complete."""
    # 其他 takes in all the rest, so a list that ends with it is complete.
    rest = next((at for at, p in enumerate(parts) if at and _REST.match(p.before)), None)
    if rest is not None:
        parts = parts[: rest + 1]
    total = sum((p.value for p in parts), Decimal(0))
    gap = total - whole.value
    is_all = rest is not None and not others
    note = "所列各项可能有重复或不都属于这一整体,不能判定"
    if is_all:
        note = "所列含“其他”,应为全部"
    elif gap < 0:
        note = "所列各项可能不是全部,不能判定"
    text = (
        f"“{whole.quote}”与所列 {len(parts)} 项之和 {number(total)} 相差 {number(abs(gap))}({note})"
    )
    return AuditCheck(
        "B10", _key(whole), "fail" if is_all else "uncertain", text,
        f"{_plus(parts)} = {number(total)} ≠ {number(whole.value)}", gap,
        _evidence(whole, *parts), (), slips([whole, *parts], [-1] + [1] * len(parts), gap),
    )  # fmt: skip


def _wholes_before(
    narrative: Narrative, amounts: list[Figure], whole: Figure
) -> Iterator[list[Figure]]:
    """Other wholes of the same sentence that the parts may belong to: one of them, or several."""
    at = amounts.index(whole)
    before: list[Figure] = []
    for figure in reversed(amounts[:at]):
        if not _same_sentence(narrative, figure, whole) or not compatible(figure.unit, whole.unit):
            return
        before.insert(0, figure)
        yield [figure]
        yield [*before, whole]


def _plus(figures: list[Figure]) -> str:
    return " + ".join(number(f.value) for f in figures)


def _totalled(narrative: Narrative, amounts: list[Figure], at: int) -> Iterator[AuditCheck]:
    """A list that ends in a total: A 10 件、B 20 件,合计 30 件."""
    total = amounts[at]
    if not re.match(f"(?:以上|全[国省市州县区])?(?:{pattern('totals').pattern})", total.before):
        return
    parts: list[Figure] = []
    for figure in reversed(amounts[:at]):
        if not _same_sentence(narrative, figure, total) or not compatible(figure.unit, total.unit):
            break
        parts.insert(0, figure)
        if len(parts) > 1 and sum(p.value for p in parts) == total.value:
            key = f"B10.total.{total.block}.{total.start}"
            text = f"“{total.quote}”等于前列 {len(parts)} 项之和"
            yield AuditCheck(
                "B10",
                key,
                "pass",
                text,
                f"{_plus(parts)} = {number(total.value)}",
                Decimal(0),
                _evidence(*parts, total),
            )
            return
    if len(parts) > 1:
        added = sum((p.value for p in parts), Decimal(0))
        gap = added - total.value
        roles = {p.role for p in parts}
        is_intake = len(parts) == 2 and roles in (
            {"received", "carried_in"},
            {"new_received", "carried_in"},
        )
        text = f"“{total.quote}”与前列 {len(parts)} 项之和 {number(added)} 相差 {number(abs(gap))}"
        text += "" if is_intake else "(所列是否都计入合计不能判定)"
        equation = f"{_plus(parts)} = {number(added)} ≠ {number(total.value)}"
        yield AuditCheck(
            "B10",
            f"B10.total.{total.block}.{total.start}",
            "fail" if is_intake else "uncertain",
            text,
            equation,
            gap,
            _evidence(*parts, total),
            (),
            slips([*parts, total], [1] * len(parts) + [-1], gap),
        )


def _closed(narrative: Narrative, amounts: list[Figure], at: int) -> Iterator[AuditCheck]:
    """Received = closed + still open, said in three clauses of one sentence."""
    whole = amounts[at]
    following = [f for f in amounts[at + 1 : at + 4] if _same_sentence(narrative, whole, f)]
    closed = next((f for f in following if f.role == "case_closed"), None)
    open_ = next((f for f in following if f.role == "case_open"), None)
    if closed is None or open_ is None or not compatible(whole.unit, closed.unit):
        return
    gap = closed.value + open_.value - whole.value
    holds = gap == 0
    text = f"“{whole.quote}”{'等于' if holds else '不等于'}已办结与办理中之和"
    if not holds:
        text += f",相差 {number(abs(gap))}"
    equation = f"{number(whole.value)} {'=' if holds else '≠'} {number(closed.value)} + {number(open_.value)}"
    offers = () if holds else slips([whole, closed, open_], [-1, 1, 1], gap)
    yield AuditCheck(
        "B10",
        f"B10.closed.{whole.block}.{whole.start}",
        "pass" if holds else "fail",
        text,
        equation,
        gap,
        _evidence(whole, closed, open_),
        (),
        offers,
    )


def _reviewed(narrative: Narrative, amounts: list[Figure], at: int) -> Iterator[AuditCheck]:
    """Reviews and lawsuits against their endings; the text often leaves out 尚未审结."""
    whole = amounts[at]
    parts: list[Figure] = []
    for figure in amounts[at + 1 :]:
        if not _same_sentence(narrative, whole, figure) or figure.role.endswith("_received"):
            break
        if figure.role in _REVIEW_ENDINGS:
            parts.append(figure)
    if not parts or (len(parts) == 1 and parts[0].value < whole.value):
        return
    total = sum((p.value for p in parts), Decimal(0))
    gap = total - whole.value
    key = f"B10.review.{whole.block}.{whole.start}"
    equation = f"{_plus(parts)} {'≠' if gap else '='} {number(whole.value)}"
    evidence = _evidence(whole, *parts)
    if gap == 0:
        yield AuditCheck(
            "B10", key, "pass", f"“{whole.quote}”等于各项结果之和", equation, gap, evidence
        )
    elif gap < 0 and not any(p.role == "review_pending" for p in parts):
        text = f"“{whole.quote}”比所列结果之和多 {number(-gap)};文中没有写尚未审结的件数,差额可能即尚未审结,不作推断"
        yield AuditCheck("B10", key, "uncertain", text, equation, gap, evidence)
    else:
        text = f"“{whole.quote}”与各项结果之和 {number(total)} 相差 {number(abs(gap))}"
        status = (
            "fail" if gap > 0 or {p.role for p in parts} >= set(_REVIEW_ENDINGS) else "uncertain"
        )
        yield AuditCheck(
            "B10",
            key,
            "fail" if status == "fail" else "uncertain",
            text,
            equation,
            gap,
            evidence,
            (),
            slips([whole, *parts], [-1] + [1] * len(parts), gap),
        )
