"""Which amount a percentage or a difference belongs to, as its place and its words tell."""

from __future__ import annotations

import re
from itertools import pairwise

from tasks.audit.groups import STOPS
from tasks.audit.meanings import pattern, phrases
from tasks.audit.movements import moved_from
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.passages import compatible
from tasks.audit.recognise import bracket_depth
from tasks.audit.yearly import year_pair


def came_from(narrative: Narrative, of: Figure | None) -> Figure | None:
    """The figure of before that the words lead from to an amount: 由287件增至364件."""
    at = next((n for n, f in enumerate(narrative.figures) if f is of), None)
    return None if at is None else moved_from(narrative, at)


def counted(narrative: Narrative, at: int) -> Figure | None:
    """The amount that a percentage belongs to: the last one before it in its sentence."""
    figure = narrative.figures[at]
    if placed := _placed(narrative, at):
        return placed[0]
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
        if figure.kind == "share" and before.kind == "other_year":
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


def _placed(narrative: Narrative, at: int) -> tuple[Figure | None] | None:
    """The amount that the place of a percentage gives, in a tuple; None where only words tell."""
    if (pair := year_pair(narrative, at)) is not None:
        return (pair[0],)
    if (own := own_whole(narrative, at)) is not None:
        return (_part_of(narrative, at, own),)
    if (part := part_behind(narrative, at)) is not None:
        return (part,)
    row = row_of(narrative, at)
    return None if row is None else (respective(narrative, *row, at),)


def own_whole(narrative: Narrative, at: int) -> Figure | None:
    """The whole that a share names itself: 占应编制单位(48个)的93.75%, 占全部38件申请的94.7%.

    It is that of every share in a row: 占总量(412件)的30.6%、23.8%.
    """
    at = _joined(narrative, at)[0]
    share, whole = narrative.figures[at], narrative.figures[at - 1] if at else None
    if share.kind != "share" or whole is None or whole.kind != "amount" or not whole.unit:
        return None
    if whole.block != share.block or re.search("[,;。、]", narrative.between(whole, share)):
        return None
    ahead = narrative.texts[share.block][: whole.start]
    return whole if re.search("占[^,;。、:]*$", ahead) else None


def _part_of(narrative: Narrative, at: int, whole: Figure) -> Figure | None:
    """The amount before a share and the whole it names, if they have one unit; by its place in a
    row of shares, where as many amounts stand before."""
    first, last = _joined(narrative, at)
    text = narrative.texts[whole.block]
    level = bracket_depth(text, narrative.figures[at].start)
    before = [
        f
        for f in narrative.figures[:first]
        if f.kind == "amount"
        and f is not whole
        and f.block == whole.block
        and bracket_depth(text, f.start) <= level
        and not STOPS.search(narrative.between(f, whole))
    ]
    parts = before[-(last - first + 1) :]
    if len(parts) <= last - first or any(not compatible(f.unit, whole.unit) for f in parts):
        return None
    return parts[at - first]


def part_behind(narrative: Narrative, at: int) -> Figure | None:
    """The amount that a share leads to: 占比80%的250件, 占75%,即60件."""
    share, *behind = narrative.figures[at : at + 2]
    if share.kind != "share" or not behind:
        return None
    (part,) = behind
    is_next = part.kind == "amount" and part.block == share.block
    joint = narrative.between(share, part) if is_next else ""
    return part if re.fullmatch(pattern("part_behind"), joint) else None


def _joined(narrative: Narrative, at: int) -> tuple[int, int]:
    """First and last of the figures of one kind that stand side by side with one, by number."""
    figures = narrative.figures
    first = last = at
    while first > 0 and narrative.joined(figures[first - 1], figures[first]):
        first -= 1
    while last + 1 < len(figures) and narrative.joined(figures[last], figures[last + 1]):
        last += 1
    return first, last


def row_of(narrative: Narrative, at: int) -> tuple[int, int] | None:
    """First and last of the percentages that one 分别 joins, by number; None without it.

    Of changes two or more side by side are a row, too: 较上年增加15.6%、12.2%.
    """
    figures = narrative.figures
    first, last = _joined(narrative, at)
    lead = (
        narrative.between(figures[first - 1], figures[first])
        if first > 0 and figures[first - 1].block == figures[first].block
        else figures[first].before
    )
    is_row = "分别" in re.split("[。;!?]", lead)[-1]
    is_row |= last > first and figures[at].kind == "change"
    return (first, last) if is_row else None


def respective(narrative: Narrative, first: int, last: int, at: int) -> Figure | None:
    """The amount that one of a row of percentages belongs to: as many amounts stand before.

    公开 966 件、部分公开 67 件,分别占 66.5%、4.6%. The amounts have one unit and stand together.
    """
    count = last - first + 1
    amounts = narrative.figures[max(first - count, 0) : first]
    if count < 2 or len(amounts) < count:
        return None
    if (one := _compared_twice(narrative, amounts, narrative.figures[first])) is not None:
        return one
    follows = [*amounts[1:], narrative.figures[first]]
    lead = narrative.between(amounts[-1], narrative.figures[first])
    is_next = re.match(r"[^。!?]*。(?:同比|所?占|比例|[较比与]|分别)", lead) is not None
    is_row = all(
        a.kind == "amount"
        and a.step
        and compatible(a.unit, amounts[0].unit)
        and (a.unit == amounts[0].unit or narrative.figures[at].kind != "share")
        and a.block == b.block
        and (
            not re.search("[。;!?]", narrative.between(a, b))
            or (is_next and b is narrative.figures[first])
        )
        for a, b in zip(amounts, follows, strict=True)
    )
    return amounts[at - first] if is_row else None


def _of_earlier_year(narrative: Narrative, at: int) -> tuple[Figure | None] | None:
    """2024年216件,比2023年的240件下降10%,2023年比2022年的251件下降4.4%: the last is of the 240.

    None where the words name no earlier year as that which changed; a tuple of None where they
    do and its figure is not there.
    """
    change = narrative.figures[at]
    named = re.match(pattern("changed_year"), change.before)
    if named is None or narrative.year is None or int(named[1]) >= narrative.year:
        return None
    told = f"{named[1]}年"
    start = change.start - len(change.before)
    return (
        next(
            (
                f
                for f in reversed(narrative.figures[:at])
                if f.kind == "other_year"
                and f.block == change.block
                and f.end <= start
                and told in f.before
                and len(STOPS.findall(narrative.between(f, change))) < 2
            ),
            None,
        ),
    )


def _compared_twice(narrative: Narrative, bases: list[Figure], change: Figure) -> Figure | None:
    """办理189件,与2014年的170件、2013年的148件相比,分别增长11.2%和27.7%: both are of the 189."""
    joints = [narrative.between(a, b) for a, b in pairwise([*bases, change])]
    is_row = (
        change.kind == "change"
        and re.search("[较比与和同][^,;。]*$", bases[0].before) is not None
        and all(
            b.kind == "other_year" and b.block == change.block and b.unit == bases[0].unit
            for b in bases
        )
        and all(re.match("[、和及与,]", joint) for joint in joints[:-1])
        and not any(re.search("[。;!?]", joint) for joint in joints)
    )
    if not is_row:
        return None
    return next(
        (
            f
            for f in reversed(narrative.figures)
            if f.kind == "amount"
            and f.block == change.block
            and f.end <= bases[0].start
            and f.unit == bases[0].unit
            and not STOPS.search(narrative.between(f, bases[0]))
        ),
        None,
    )


def candidates(narrative: Narrative, at: int) -> list[Figure]:
    """The amounts that a change or a difference may belong to, the nearest first.

    收到120件,其中网络80件、信函40件,比上年增加20件: of the 40, the 80 or, likeliest, the 120.
    """
    if (earlier := _of_earlier_year(narrative, at)) is not None:
        return [f for f in earlier if f is not None]
    nearest = counted(narrative, at)
    if nearest is None:
        return _across(narrative, at)
    placed = year_pair(narrative, at) or row_of(narrative, at) or came_from(narrative, nearest)
    if placed or re.match(phrases()["received_amount"], narrative.figures[at].before):
        return [nearest]
    text = narrative.texts[nearest.block]
    level = bracket_depth(text, narrative.figures[at].start)
    return [
        nearest,
        *(
            f
            for f in reversed(narrative.figures)
            if f.kind == "amount"
            and f.block == nearest.block
            and f.end <= nearest.start
            and f.unit == nearest.unit
            and bracket_depth(text, f.start) <= level
            and _is_before(narrative.between(f, nearest))
        ),
    ]


def _is_before(joint: str) -> bool:
    """Whether the words between two amounts leave them in one sentence, or in two with 其中."""
    stops = len(STOPS.findall(joint))
    return not stops or (stops == 1 and pattern("parts").search(joint) is not None)


def _across(narrative: Narrative, at: int) -> list[Figure]:
    """共531件,其中A186件、B345件;同比2023年(482件)上升10.17%: all amounts of the sentence before
    that have the unit of the base."""
    figure = narrative.figures[at]
    near = [f for f in narrative.figures[max(at - 2, 0) : at] if f.kind == "other_year"]
    base = near[-1] if near else None
    if not figure.is_subject_free or base is None or base.block != figure.block:
        return []
    ahead = narrative.texts[base.block][: base.start]
    opens = re.search(r"[;。](?:同比|[较比与])[^,;。]*$", ahead)
    if opens is None or re.search("[;。]", narrative.between(base, figure)):
        return []
    found = [
        f
        for f in reversed(narrative.figures)
        if f.kind == "amount"
        and f.block == base.block
        and f.end <= opens.start()
        and f.unit == base.unit
        and not STOPS.search(ahead[f.end : opens.start()])
    ]
    # 较2022年新收的21件: of what was newly received, too.
    return [f for f in found if base.meaning and f.meaning == base.meaning] or found


def holds(narrative: Narrative, whole: Figure, part: Figure) -> bool:
    """Whether an amount before another one is its whole, by the words or by the sum."""
    joint = narrative.between(whole, part)
    if pattern("parts").search(joint) or re.search("[(:]", joint):
        return True
    among = [
        f.value
        for f in narrative.figures
        if f.kind == "amount"
        and f.unit == part.unit
        and f.block == part.block
        and whole.end <= f.start <= part.start
    ]
    return len(among) > 1 and sum(among) == whole.value
