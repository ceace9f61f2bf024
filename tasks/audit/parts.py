"""B10 for wholes and parts outside the application passages: 其中, 包括, totals, cases closed.

A list behind 其中 or 包括 need not be complete, so a sum that differs is uncertain, not a fail.
What was received against what is closed and what is open is complete, and can fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from expectations.balance import number
from tasks.audit.groups import Group, depth, same_sentence
from tasks.audit.meanings import pattern
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.numerals import chinese_number
from tasks.audit.passages import compatible
from tasks.audit.result import AuditCheck, Basis, coarse
from tasks.audit.suggestions import slips

_STOPS = re.compile(r"[。!?\n]")
_REVIEWED = ("review_received", "litigation_received", "litigation_direct", "litigation_after_reconsideration")  # fmt: skip
_REVIEW_ENDINGS = ("review_upheld", "review_corrected", "review_other", "review_pending")


def part_checks(narrative: Narrative, found: Sequence[Group]) -> list[AuditCheck]:
    """Checks for every whole that the prose divides, in order; `found` are its lists of parts."""
    amounts = [f for f in narrative.figures if f.kind == "amount" and f.step and f.unit]
    complete = {g.parts[0].place for g in found if g.is_interleaved and _adds_up(g)}
    checks: list[AuditCheck] = []
    for group in found:
        beside = any(
            g.parts[0].block == group.parts[0].block and g.parts[0].place in complete for g in found
        )
        check = _divided(group, is_complete=group.is_interleaved and beside)
        checks += [check] if check else []
    for at, figure in enumerate(amounts):
        checks.extend(_totalled(narrative, amounts, at))
        if figure.role == "case_received":
            checks.extend(_closed(narrative, amounts, at))
        if figure.role in _REVIEWED:
            checks.extend(_reviewed(narrative, amounts, at))
    return [coarse(check) for check in checks]


def _evidence(*figures: Figure) -> tuple[Basis, ...]:
    return tuple(Basis(f.value, figure=f) for f in figures)


def _sum(figures: Iterable[Figure]) -> Decimal:
    return sum((f.value for f in figures), Decimal(0))


def _adds_up(group: Group) -> bool:
    return _sum(group.parts) == group.whole.value


def _divided(group: Group, *, is_complete: bool) -> AuditCheck | None:
    """The parts against the whole; `is_complete` where another series shows the list to be so.

    In an interleaved list (1 件,420 元;2 件,290 元) one series that adds up shows that nothing
    is left out, so the other must too.
    """
    group = _exact_part(group)
    figures = (*group.parts, *group.others, *(w for held in group.wholes for w in held))
    if not all(f.step for f in figures):
        return _approximate(group)
    if len(group.parts) == 1:
        return _one_part(group)
    return _agreeing(group) or _differing(group, is_complete=is_complete or group.is_complete)


def _exact_part(group: Group) -> Group:
    """The list as far as its first approximate figure, where a stronger mark stands before that.

    其中党务210条、村务386条;通过其他平台约1200条: the last is no part of the list.
    """
    about = next((at for at, p in enumerate(group.parts) if not p.step), None)
    if about is None or about not in group.ends or about < 2:
        return group
    return replace(group, parts=group.parts[:about], ends=())


def _key(whole: Figure) -> str:
    return f"B10.parts.{whole.block}.{whole.start}"


def _one_part(group: Group) -> AuditCheck | None:
    """A part is no larger than its whole, where the whole is one amount in the same unit."""
    part, whole = group.parts[0], group.whole
    holds = part.value <= whole.value
    if part.unit != whole.unit or group.others or (not holds and len(group.wholes) > 1):
        return None
    gap = part.value - whole.value
    text = f"“{part.quote}”{'不大于' if holds else '大于'}它所属的“{whole.quote}”"
    return AuditCheck(
        "B10", _key(whole), "pass" if holds else "fail", text,
        f"{number(part.value)} {'≤' if holds else '>'} {number(whole.value)}", gap,
        _evidence(part, whole), (), () if holds else slips([part, whole], [1, -1], gap),
    )  # fmt: skip


def _approximate(group: Group) -> AuditCheck | None:
    """Parts or a whole that the text itself calls 约 or 余, compared by what these words allow."""
    whole, parts = group.whole, group.parts
    if group.others or any(f.unit != whole.unit for f in parts):
        return None
    (low, high), gap = whole.bounds, _sum(parts) - whole.value
    least, most = (sum(b[n] for b in (p.bounds for p in parts)) for n in (0, 1))
    written = f"{_plus(parts)} 与 {number(whole.value)}"
    if least <= high if len(parts) == 1 else least <= high and most >= low:
        text = f"“{whole.quote}”与所列 {len(parts)} 项在约数的范围内相符"
        return AuditCheck(
            "B10", _key(whole), "pass", text, f"{written}(约数)", None, _evidence(whole, *parts)
        )
    text = f"“{whole.quote}”与所列 {len(parts)} 项超出了约数的范围"
    is_sure = len(parts) == 1 and len(group.wholes) == 1
    return AuditCheck(
        "B10", _key(whole), "fail" if is_sure else "uncertain", text, f"{written}(约数)", gap,
        _evidence(whole, *parts),
    )  # fmt: skip


def _agreeing(group: Group) -> AuditCheck | None:
    """A pass in any way that the words allow: fewer parts, other wholes, other units."""
    parts = group.parts
    everything = tuple(sorted([*parts, *group.others], key=lambda p: p.start))
    nearest = group.wholes[0]
    ways = [(held, parts) for held in group.wholes]
    ways += [(nearest, parts[:count]) for count in group.ends]
    ways += [(nearest, (*parts, *group.beyond))] if group.beyond else []
    # 住建局6件、其他6个部门9件: only what has the unit of the whole.
    ways += [(nearest, tuple(p for p in parts if p.unit == nearest[0].unit))]
    ways.append((nearest, everything))
    for held, listed in ways:
        if _sum(listed) == _sum(held):
            quotes = "、".join(f"“{w.quote}”" for w in held)
            return AuditCheck(
                "B10", _key(held[-1]), "pass", f"{quotes}等于所列 {len(listed)} 项之和",
                f"{_plus(held)} = {_plus(listed)}", Decimal(0), _evidence(*held, *listed),
            )  # fmt: skip
    return None


def _each_has_its_own(group: Group) -> bool:
    """建议132件、提案245件,其中省级建议8件、省级提案11件: no sum, and no part above its own."""
    wholes = {held[0].label: held[0] for held in group.wholes if len(held) == 1}
    own = [wholes.get(p.label.removeprefix("其中")) for p in group.parts]
    return len({id(w) for w in own}) == len(own) > 1 and all(
        w is not None and p.value <= w.value for p, w in zip(group.parts, own, strict=True)
    )


def _differing(group: Group, *, is_complete: bool) -> AuditCheck | None:
    """Parts that do not add up: a fail only where the list must be complete."""
    whole, parts = group.whole, group.parts
    total = _sum(parts)
    gap = total - whole.value
    # 培训3次,参训86人次、92人次: other things; 建议62件(含重点建议3件): no list of all.
    is_other = all(p.unit != whole.unit and p.value > whole.value for p in parts)
    is_example = total * 2 < whole.value and re.match(r"\(?含", parts[0].lead) is not None
    if _each_has_its_own(group) or is_other or is_example:
        return None
    note = "所列各项可能有重复或不都属于这一整体,不能判定"
    if is_complete:
        note = (
            "所列含“其他”,应为全部" if group.is_complete else "并列的另一组数合计相符,所列应为全部"
        )
    elif gap < 0:
        note = "所列各项可能不是全部,不能判定"
    largest = max(p.value for p in parts)
    single = [held[0] for held in group.wholes if len(held) == 1]
    rivals = [w for w in single if w is not whole and w.value >= largest]
    if rivals:
        note += ";也可能属于" + "、".join(f"“{w.quote}”" for w in rivals)
    text = (
        f"“{whole.quote}”与所列 {len(parts)} 项之和 {number(total)} 相差 {number(abs(gap))}({note})"
    )
    return AuditCheck(
        "B10", _key(whole), "fail" if is_complete else "uncertain", text,
        f"{_plus(parts)} = {number(total)} ≠ {number(whole.value)}", gap,
        _evidence(whole, *parts), (), slips([whole, *parts], [-1] + [1] * len(parts), gap),
    )  # fmt: skip


def _plus(figures: Iterable[Figure]) -> str:
    return " + ".join(number(f.value) for f in figures)


def _total_word(total: Figure) -> str:
    """How clearly an amount is told as a total: "sure", "weak", "loose", or "" for not at all.

    合计30件 is sure; 共公开30件 may be something else; 全年共发布各类信息30件 counts only where the
    parts are told in its words.
    """
    clause = f"{total.before}§"
    # 英文版326条,日文版112条,外文版合计438条
    if _counted(total) is not None and re.search(
        rf"{pattern('totals').pattern}|共(?:有|为)?$", total.before
    ):
        return "sure"
    is_weak = re.match(r"[\u4e00-\u9fa5]{2,6}(?:合计|共计|总计)$", total.before) is not None
    if is_weak or pattern("weak_totals").match(clause):
        return "weak"
    sure = f"(?:以上|全[国省市州县区]|前?[两三四五六七八九十]+[者项类家个位])?(?:{pattern('totals').pattern})"
    if re.match(sure, total.before):
        return "sure"
    return "loose" if pattern("loose_totals").match(clause) else ""


def _summands(narrative: Narrative, amounts: list[Figure], at: int) -> list[Figure]:
    """The amounts that a total may add: those before it in its sentence, or in the one before.

    传真申请10件,占1.2%。共计829件: the total is a sentence of its own.
    """
    total = amounts[at]
    is_alone = re.match(rf"。(?:以上)?(?:{pattern('totals').pattern})$", total.lead) is not None
    last = amounts[at - 1] if is_alone and at else total
    # 总计24场(期): parts in either unit.
    other = re.match(r"\(([^\d()]{1,2})\)", narrative.texts[total.block][total.end :])
    parts: list[Figure] = []
    for figure in reversed(amounts[:at]):
        is_near = figure is last or same_sentence(narrative, figure, last)
        is_unit = compatible(figure.unit, total.unit) or (other and figure.unit == other[1])
        if not is_near or not is_unit:
            break
        parts.insert(0, figure)
    return parts


def _shares_words(total: Figure, parts: list[Figure]) -> bool:
    """Whether every part is told in words of the total: 发布信息 … 共发布信息."""
    pairs = {total.before[n : n + 2] for n in range(len(total.before) - 1)}
    pairs -= {"全年", "全市", "全县", "全区", "本年", "年度"}
    return all(any(pair in f"{p.before}{p.after}" for pair in pairs) for p in parts)


def _counts_them(total: Figure, parts: list[Figure]) -> bool:
    """三种方式共推送1541条: as many as there are parts."""
    return _counted(total) == len(parts)


def _counted(total: Figure) -> int | None:
    """How many parts a total says that it has: 三种方式, 上述四家单位."""
    told = re.match(
        r"(?:以上|上述|前述?|这)?([两二三四五六七八九十]+)(?:种|类|个|项|家|大|者)", total.before
    )
    return chinese_number(told[1]) if told else None


def _totalled(narrative: Narrative, amounts: list[Figure], at: int) -> Iterator[AuditCheck]:
    """A list that ends in a total: A 10 件、B 20 件,合计 30 件."""
    total = amounts[at]
    word = _total_word(total)
    parts = _summands(narrative, amounts, at) if word else []
    # 建议145件(主办52件、会办93件),提案98件,共计243件: what stands in brackets is counted already.
    level = [p for p in parts if depth(narrative, p) <= depth(narrative, total)]
    parts = level if len(level) > 1 else parts
    # 受理318件,其中A102件、B87件、C41件,三家合计230件: the last three.
    count = _counted(total)
    parts = parts[-count:] if count else parts
    if len(parts) < 2:
        return
    key = f"B10.total.{total.block}.{total.start}"
    for count in range(2, len(parts) + 1):
        if _sum(parts[-count:]) == total.value:
            # A、B、C合计: of one enumeration the last two alone are no more than a chance.
            is_chance = count < len(parts) and narrative.between(
                parts[-count - 1], parts[-count]
            ).startswith("、")
            text = f"“{total.quote}”等于前列 {count} 项之和"
            yield AuditCheck(
                "B10", key, "uncertain" if is_chance else "pass",
                text + (",但同一列举还有别的项" if is_chance else ""),
                f"{_plus(parts[-count:])} = {number(total.value)}", Decimal(0),
                _evidence(*(parts if is_chance else parts[-count:]), total),
            )  # fmt: skip
            return
    added = _sum(parts)
    is_near = added < 2 * total.value < 4 * added
    is_told = word != "loose" or _shares_words(total, parts) or _counts_them(total, parts)
    if word != "sure" and not (is_near and is_told):
        return
    gap = added - total.value
    # 审核3126条,退回216条,共发布2910条: what is left over is no sum.
    is_rest = parts[0].value - _sum(parts[1:]) == total.value
    if is_rest or _is_left_open(narrative, total, gap):
        return
    is_sure = word == "sure" and (_leaves_nothing_out(parts) or _counts_them(total, parts))
    text = f"“{total.quote}”与前列 {len(parts)} 项之和 {number(added)} 相差 {number(abs(gap))}"
    text += "" if is_sure else "(所列是否都计入合计不能判定)"
    yield AuditCheck(
        "B10", key, "fail" if is_sure else "uncertain", text,
        f"{_plus(parts)} = {number(added)} ≠ {number(total.value)}", gap,
        _evidence(*parts, total), (), slips([*parts, total], [1] * len(parts) + [-1], gap),
    )  # fmt: skip


def _is_left_open(narrative: Narrative, total: Figure, gap: Decimal) -> bool:
    """新收156件,结转4件,共办理151件,结转下年度9件: what is missing was carried out."""
    return total.role in ("handled", "closed") and any(
        f.role == "carried_out" and f.passage == total.passage and f.value == gap
        for f in narrative.figures
    )


def _leaves_nothing_out(parts: list[Figure]) -> bool:
    """Whether a total must be of just these: 其他 ends them, or they are all that came in."""
    has_rest = re.match("(?:通过)?其[他它]", parts[-1].before) is not None
    roles = {p.role for p in parts}
    is_intake = roles in ({"received", "carried_in"}, {"new_received", "carried_in"})
    return has_rest or (len(parts) == 2 and is_intake)


def _closed(narrative: Narrative, amounts: list[Figure], at: int) -> Iterator[AuditCheck]:
    """Received = closed + still open, said in three clauses of one sentence."""
    whole = amounts[at]
    following = [f for f in amounts[at + 1 : at + 4] if same_sentence(narrative, whole, f)]
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
    """Reviews and lawsuits against their endings; the text often leaves out 尚未审结.

    诉讼41件(直接起诉23件、复议后起诉18件),维持26件: the endings are of all, not of the last named.
    """
    parts = _endings(narrative, amounts, at)
    if not parts or (len(parts) == 1 and parts[0].value < amounts[at].value):
        return
    wholes = list(_reviewed_wholes(narrative, amounts, at))
    total = _sum(parts)
    fitting = next((held for held in wholes if _sum(held) == total), None)
    held = fitting or wholes[0]
    whole, gap = held[0], total - _sum(held)
    key = f"B10.review.{whole.block}.{whole.start}"
    equation = f"{_plus(parts)} {'≠' if gap else '='} {_plus(held)}"
    evidence = _evidence(*held, *parts)
    if not gap:
        text = f"“{whole.quote}”等于各项结果之和"
        # 受理41件,审结39件:维持22件…: what the colon names is their whole; another is doubtful.
        named = next((h for h in wholes if _leads_to(narrative, h[-1], parts[0])), None)
        ended = _sum(p for p in parts if p.role != "review_pending")
        if named is None or _sum(named) in (total, ended):
            yield AuditCheck("B10", key, "pass", text, equation, gap, evidence)
            return
        yield AuditCheck(
            "B10", key, "uncertain", text + f",却不等于所列各项紧接的“{named[0].quote}”",
            f"{_plus(parts)} = {number(total)} ≠ {_plus(named)}", total - _sum(named),
            (*evidence, *_evidence(*named)),
        )  # fmt: skip
        return
    if gap < 0 and not any(p.role == "review_pending" for p in parts):
        text = f"“{whole.quote}”比所列结果之和多 {number(-gap)};文中没有写尚未审结的件数,差额可能即尚未审结,不作推断"
        yield AuditCheck("B10", key, "uncertain", text, equation, gap, evidence)
        return
    text = f"“{whole.quote}”与各项结果之和 {number(total)} 相差 {number(abs(gap))}"
    is_full = gap > 0 or {p.role for p in parts} >= set(_REVIEW_ENDINGS)
    is_sure = is_full and (len(wholes) == 1 or all(_sum(h) < total for h in wholes))
    yield AuditCheck(
        "B10", key, "fail" if is_sure else "uncertain", text, equation, gap, evidence, (),
        slips([whole, *parts], [-1] + [1] * len(parts), gap),
    )  # fmt: skip


def _leads_to(narrative: Narrative, whole: Figure, first: Figure) -> bool:
    """Whether a colon, 其中 or a bracket leads from an amount right to the first of its parts."""
    joint = narrative.between(whole, first)
    return re.match(r"[^,;。:()]{0,6}[:(]|,?其中", joint) is not None and not re.search(
        r"\d", joint
    )


def _endings(narrative: Narrative, amounts: list[Figure], at: int) -> list[Figure]:
    """The endings behind an amount of reviews or lawsuits, up to the next such amount."""
    whole, parts = amounts[at], []
    for figure in amounts[at + 1 :]:
        if not same_sentence(narrative, whole, figure):
            break
        is_deeper = depth(narrative, figure) > depth(narrative, whole)
        if figure.role in _REVIEWED and is_deeper:
            continue
        if figure.role in _REVIEWED or depth(narrative, figure) < depth(narrative, whole):
            break
        if figure.role in _REVIEW_ENDINGS:
            parts.append(figure)
    return parts


def _reviewed_wholes(
    narrative: Narrative, amounts: list[Figure], at: int
) -> Iterator[tuple[Figure, ...]]:
    """What the endings may be of: the amount before them, one before it, or several together."""
    yield (amounts[at],)
    # 收到315件,审结287件,其中维持158件: what was closed has its endings.
    yield from (
        (f,)
        for f in amounts[at + 1 : at + 4]
        if same_sentence(narrative, amounts[at], f)
        and re.search("审结|结案|办结", f.before)
        and not re.search("[未尚]", f.before)
    )
    before = [
        f
        for f in amounts[:at]
        if f.role in _REVIEWED
        and same_sentence(narrative, f, amounts[at])
        and ";" not in narrative.between(f, amounts[at])
        and depth(narrative, f) <= depth(narrative, amounts[at])
    ]
    for count, figure in enumerate(reversed(before), 1):
        yield (figure,)
        yield (*before[-count:], amounts[at])
