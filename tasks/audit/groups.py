"""Stage 3 of the prose outside the accounts of applications: wholes and the parts they divide into.

A list begins behind 其中, 包括 and the like, behind a colon, or in a bracket. Which of the
amounts before it is its whole is seldom said, so all that may be are kept, the likeliest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from tasks.audit.meanings import Meaning, meaning_of_role, pattern, phrases
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.passages import APPLICATION_WHOLES, compatible
from tasks.audit.recognise import bracket_depth

_MARKS = "、,;"
STOPS = re.compile(r"[。!?\n]")
_ENDINGS_OF_REVIEWS = ("review_upheld", "review_corrected", "review_other", "review_pending")
_OWN_WHOLES = (
    "closed", "case_received", "case_closed", "case_open", "review_received", "litigation_received", "litigation_direct",
    "litigation_after_reconsideration",
)  # fmt: skip
"""Roles that no account of applications adds up, so that they may be parts of a list."""
_NEVER_WHOLE = ("carried_in", "carried_out")
_DONE = ("case_closed", "case_open")
_REST = re.compile('(?:其中)?[“"]?(?:其[他它]|其余|剩余)')
_NEXT_SENTENCE = re.compile(
    r"[^。!?\n]*[。!?](?:[^。!?\n]*,)?\s*(?:其中|包括|[^,;。]{2,14}中[,:])[^。!?\n]*$"
)


@dataclass(frozen=True)
class Group:
    """Parts and the wholes that they may belong to, each whole one amount or several together.

    `is_complete` when the list says that it leaves nothing out (其他 ends it); `others` are
    amounts in another unit among the parts; `is_bracket` when only a bracket makes it a list;
    `ends` are numbers of parts behind which a stronger mark than before may end the list;
    `beyond` are amounts behind it that may yet belong to it, in a unit that can be added.
    """

    wholes: tuple[tuple[Figure, ...], ...]
    parts: tuple[Figure, ...]
    others: tuple[Figure, ...] = ()
    is_complete: bool = False
    is_bracket: bool = False
    is_interleaved: bool = False
    ends: tuple[int, ...] = ()
    beyond: tuple[Figure, ...] = ()

    @property
    def whole(self) -> Figure:
        """The amount that the parts most likely divide: one that holds the largest of them."""
        single = [held[0] for held in self.wholes if len(held) == 1]
        largest = max(p.value for p in self.parts)
        fitting = [w for w in single if w.value >= largest and w.unit == self.parts[0].unit]
        if fitting:
            return fitting[0]
        total = sum(p.value for p in self.parts)
        return min(single, key=lambda w: abs(w.value - total))


def groups(narrative: Narrative) -> list[Group]:
    """Every list of parts in the prose, in order."""
    amounts = _in_one_money([f for f in narrative.figures if f.kind == "amount" and f.unit])
    found: list[Group] = []
    taken: set[tuple[int, int]] = set()
    for at in range(1, len(amounts)):
        if amounts[at].place not in taken and (lead := _lead(narrative, amounts, at)):
            for group in _groups_at(narrative, amounts, at, lead, taken):
                found.append(group)
                taken |= {p.place for p in (*group.parts, *group.others)}
    return found


def _in_one_money(amounts: list[Figure]) -> list[Figure]:
    """The amounts, sums of money of one paragraph in the smallest of its units.

    2.36亿元,其中1520万元、1.76亿元: 23600 万元 with 1520 and 17600.
    """
    worth: dict[str, int] = phrases()["money"]
    smallest: dict[int, str] = {}
    for figure in amounts:
        if figure.unit in worth:
            known = smallest.get(figure.block, figure.unit)
            smallest[figure.block] = min(known, figure.unit, key=lambda unit: worth[unit])
    converted = []
    for figure in amounts:
        unit = smallest.get(figure.block, "")
        if figure.unit in worth and figure.unit != unit:
            times = worth[figure.unit] // worth[unit]
            value, step = figure.value * times, figure.step * times
            converted.append(replace(figure, value=value, step=step, unit=unit))
        else:
            converted.append(figure)
    return converted


def with_parts(narrative: Narrative) -> Narrative:
    """The narrative with parts that count the same as their whole told apart from it.

    解读32篇,其中视频解读8篇: the 8 are no account of all, to be compared with tables or editions.
    """
    changed: dict[tuple[tuple[int, int], str], Meaning] = {}
    for group in groups(narrative):
        for part in group.parts:
            same = [w for held in group.wholes for w in held if w.label == part.label]
            if not part.meaning or not same:
                continue
            if part.role == "closed" and "办理" in same[0].before:
                # 共办理160件,其中作出答复151件: what was handled, and of it what was closed.
                changed[same[0].place, same[0].label] = meaning_of_role("handled")
            else:
                changed[part.place, part.label] = Meaning(f"其中{part.label}")
    figures = [
        replace(f, meaning=changed.get((f.place, f.label), f.meaning)) for f in narrative.figures
    ]
    return replace(narrative, figures=figures)


def depth(narrative: Narrative, figure: Figure) -> int:
    return bracket_depth(narrative.texts[figure.block], figure.start)


def same_sentence(narrative: Narrative, one: Figure, other: Figure) -> bool:
    return one.block == other.block and not STOPS.search(narrative.between(one, other))


def _is_accounted(figure: Figure) -> bool:
    """Whether an account of applications adds the figure up."""
    return bool(figure.passage and figure.role) and figure.role not in _OWN_WHOLES


def _lead(narrative: Narrative, amounts: list[Figure], at: int) -> str:
    """How a list begins at an amount: "word", "bracket", or "" where none does."""
    first = amounts[at]
    if re.match("(?:其中)?(?:每|平均|日均|月均|人均)", first.before):
        return ""  # 队伍24人,其中每村2人
    is_alone = first.role in ("natural_person", "channel") and not _is_beside(
        narrative, amounts, at
    )
    if (_is_accounted(first) and not is_alone) or first.role in _ENDINGS_OF_REVIEWS:
        return ""
    inner = depth(narrative, first)
    before = next((a for a in reversed(amounts[:at]) if depth(narrative, a) <= inner), None)
    if before is None or before.block != first.block:
        return ""
    joint = narrative.between(before, first)
    if pattern("divided_again").search(re.sub(r"\([^()]*\)", "", joint)):
        return "again"
    if not same_sentence(narrative, before, first) and not _NEXT_SENTENCE.match(joint):
        return ""
    if depth(narrative, before) == inner:
        joint = re.sub(r"\([^()]*\)", "", joint)
    # 招标公告412则,其中公开招标占87.6%;接到异议9件: a list that is told in percent ends with it.
    is_ended = re.search(r"其中[^;]*\d[^;]*;", joint) is not None
    if (pattern("parts").search(joint) and not is_ended) or re.match(r"[^,;。()]{0,12}:", joint):
        return "word"
    if re.match(r"[^,;。()]{0,4},(?:主要)?涉及[^,;。]*$", joint) and _ends_in_rest(
        narrative, amounts, at
    ):
        return "topics"
    opens = depth(narrative, before) + 1 == inner and re.match(r"[^,;。、]{0,10}\([^()]*$", joint)
    return "bracket" if opens else ""


def _ends_in_rest(narrative: Narrative, amounts: list[Figure], at: int) -> bool:
    """申请31件,涉及征地17件、拆迁8件、其他6件: a list by its end, for no word begins it."""
    listed = _listed(narrative, amounts, at)
    return len(listed) > 2 and _REST.match(listed[-1].before) is not None


def _is_beside(narrative: Narrative, amounts: list[Figure], at: int) -> bool:
    """Whether another applicant or way of submission stands beside one, so that the account of
    applications adds them up."""
    kinds = (*phrases()["applicants"], *phrases()["organizations"], "other_organization", "channel")
    return any(
        f.role in kinds and f.passage == amounts[at].passage and f is not amounts[at]
        for f in amounts
        if f.block == amounts[at].block
    )


def _groups_at(
    narrative: Narrative, amounts: list[Figure], at: int, lead: str, taken: set[tuple[int, int]]
) -> Iterator[Group]:
    first = amounts[at]
    listed = _listed(narrative, amounts, at)
    before = _wholes(narrative, amounts, at, taken, is_again=lead == "again")
    if not before:
        return
    units = list(dict.fromkeys(f.unit for f in listed))
    if len(units) == 2 and len(listed) > 3 and _alternates([f.unit for f in listed]):
        for unit in units:
            held = tuple((w,) for w in before if w.unit == unit)
            if held:
                yield Group(
                    held[:1], tuple(f for f in listed if f.unit == unit), is_interleaved=True
                )
        return
    fitting = [w for w in before if compatible(w.unit, first.unit)]
    exact = [w for w in fitting if w.unit == first.unit]
    chosen = exact or fitting
    if not chosen:
        return
    parts, others = _of_unit(narrative, listed, chosen[0])
    if len(parts) == 1 and _is_accounted(first):
        return
    if lead == "bracket" and (len(parts) < 2 or any(p.unit != chosen[0].unit for p in parts)):
        return
    has_rest = len(parts) > 1 and _REST.match(parts[-1].before) is not None
    is_sure = len(chosen) == 1 and not others and all(p.unit == chosen[0].unit for p in parts)
    yield Group(
        tuple(_together(chosen)), tuple(parts), tuple(others),
        is_complete=has_rest and is_sure and lead != "topics", is_bracket=lead == "bracket",
        ends=tuple(_ends(narrative, parts)),
        beyond=_beyond(narrative, listed, parts),
    )  # fmt: skip


def _beyond(narrative: Narrative, listed: list[Figure], parts: list[Figure]) -> tuple[Figure, ...]:
    """网站27条,公众号198条,回复诉求11件: the last, where all that is left can be added."""
    after = [f for f in listed if f.start > parts[-1].start]
    can_add = all(compatible(f.unit, parts[0].unit) for f in after)
    is_split = any(";" in narrative.between(parts[-1], f) for f in after)
    return tuple(after) if can_add and not is_split else ()


def _ends(narrative: Narrative, parts: list[Figure]) -> Iterator[int]:
    """Where the mark between two parts is stronger than all before: 、 then , then ;.

    Or where what was done with them begins: 咨询类2018件、投诉类846件、办复2857件.
    """
    strongest = -1
    for count, (one, other) in enumerate(pairwise(parts), 1):
        words = narrative.between(one, other)
        mark = max((_MARKS.index(m) for m in _MARKS if m in words), default=0)
        is_done = other.role in _DONE and one.role not in _DONE
        if count > 1 and (mark > strongest or is_done):
            yield count
        strongest = max(strongest, mark)


def _wholes(
    narrative: Narrative,
    amounts: list[Figure],
    at: int,
    taken: set[tuple[int, int]],
    *,
    is_again: bool,
) -> list[Figure]:
    """The amounts before a list that it may divide, the nearest first.

    Those of its sentence; where that has none, those of the sentence before. A list that divides
    a whole once more (`is_again`) has no parts of the lists before it as its whole.
    """
    first = amounts[at]
    found: list[Figure] = []
    for figure in reversed(amounts[:at]):
        if figure.block != first.block or depth(narrative, figure) > depth(narrative, first):
            if figure.block != first.block:
                break
            continue
        if found and not same_sentence(narrative, figure, found[0]):
            break
        if figure.role in _NEVER_WHOLE or (figure.place in taken and (found or is_again)):
            continue
        if is_again and _is_accounted(figure) and figure.role not in APPLICATION_WHOLES:
            continue
        found.append(figure)
    # What stands in a bracket belongs to the amount right before it; not so 市级占28.4%(60323条).
    is_right_behind = bool(found) and re.match(
        r"[^,;。、]{0,10}\(", narrative.between(found[0], first)
    )
    return found[:1] if depth(narrative, first) and is_right_behind else found


def _listed(narrative: Narrative, amounts: list[Figure], at: int) -> list[Figure]:
    """The amounts from the first part on that go on with the list."""
    first = amounts[at]
    inner = depth(narrative, first)
    found = [first]
    for figure in amounts[at + 1 :]:
        if not same_sentence(narrative, first, figure) or depth(narrative, figure) < inner:
            break
        if depth(narrative, figure) > inner or figure.role in _ENDINGS_OF_REVIEWS:
            continue
        if pattern("subtotals").match(figure.before):
            continue
        words = narrative.between(found[-1], figure)
        if _ends_list(words, figure, found):
            break
        found.append(figure)
    return found


def _ends_list(words: str, figure: Figure, found: list[Figure]) -> bool:
    """Whether an amount begins another matter: a total, a new verb, another unit behind ;."""
    # 其中新增8623条,包括:职能类136条: a list within the list.
    is_inner = re.match(r"[,:]?(?:主要)?(?:包括|包含)", words) is not None
    if pattern("divided_again").search(words):
        return True
    if "其中" in words or is_inner or pattern("not_in_list").match(figure.before):
        return True
    is_outcome = figure.role == "leaf" or figure.role in phrases()["outcomes"]
    is_apart = is_outcome and figure.passage and not _is_accounted(found[0])
    if figure.role in _NEVER_WHOLE or is_apart:
        return True
    return ";" in words and figure.unit not in {f.unit for f in found} and len(found) == 1


def _alternates(units: list[str]) -> bool:
    return units[0] != units[1] and all(u == units[n % 2] for n, u in enumerate(units))


def _of_unit(
    narrative: Narrative, listed: list[Figure], whole: Figure
) -> tuple[list[Figure], list[Figure]]:
    """The parts that may be added to the whole, and what stands among them in another unit."""
    parts: list[Figure] = []
    others: list[Figure] = []
    previous = whole
    for figure in listed:
        is_apart = re.search("[,;]", narrative.between(previous, figure)) is not None
        is_other = figure.unit != whole.unit and sum(p.unit == whole.unit for p in parts) > 1
        is_inside = depth(narrative, figure) > 0
        if is_other and is_apart and not is_inside:
            break
        if compatible(figure.unit, whole.unit):
            parts.append(figure)
        elif parts and is_apart and not is_inside:
            break
        else:
            others.append(figure)
        previous = figure
    return parts, others


def _together(chosen: list[Figure]) -> Iterator[tuple[Figure, ...]]:
    """One amount each, the nearest first, then the nearest several together."""
    yield from ((figure,) for figure in chosen)
    for count in range(2, len(chosen) + 1):
        yield tuple(reversed(chosen[:count]))
