"""B10 for what moved from one figure to another: 由287件增至364件, 提高3.5个百分点, 加上64件共2382件.

Both ends are printed, so that the way, the difference and the points follow from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from expectations.balance import number
from tasks.audit.meanings import pattern, phrases
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.passages import compatible
from tasks.audit.recognise import bracket_depth
from tasks.audit.result import AuditCheck, Basis, coarse
from tasks.audit.suggestions import slips

_BRACKETS = re.compile(r"\([^()]*\)")
_APART = re.compile("[。;!?\n]")


def movement_checks(narrative: Narrative) -> list[AuditCheck]:
    """A check for every way, every change in points and every sum that is told in words."""
    checks: list[AuditCheck] = []
    for at, figure in enumerate(narrative.figures):
        if figure.kind == "points":
            checks += _points(narrative, at)
        checks += _way(narrative, at)
        checks += _added(narrative, at)
        checks += _without(narrative, at)
    return [coarse(check) for check in checks]


def moved_from(narrative: Narrative, at: int) -> Figure | None:
    """The figure that one has come from, by its number: 287 for 364 in 由287件增至364件."""
    now = narrative.figures[at]
    for before in reversed(narrative.figures[max(at - 4, 0) : at]):
        if before.block != now.block or before.unit != now.unit:
            continue
        joint = _BRACKETS.sub("", narrative.between(before, now))
        is_moved = before.kind == "other_year" and pattern("moved_from").search(before.before)
        return before if is_moved and pattern("moved_to").match(f"{joint}0") else None
    return None


def _evidence(*figures: Figure) -> tuple[Basis, ...]:
    return tuple(Basis(f.value, figure=f) for f in figures)


def _way(narrative: Narrative, at: int) -> Iterator[AuditCheck]:
    """由287件增至264件 cannot be; what moves as it says needs no words."""
    now, before = narrative.figures[at], moved_from(narrative, at)
    if before is None or before.about or now.about or before.value == now.value:
        return
    joint = _BRACKETS.sub("", narrative.between(before, now))
    falls = re.search(phrases()["moved_down"], joint) is not None
    rises = re.search(phrases()["moved_up"], joint) is not None
    if falls == rises or (now.value < before.value) == falls:
        return
    text = f"“{now.quote}”:由 {number(before.value)} 到 {number(now.value)} 是{'上升' if falls else '下降'},与文中所写相反"
    yield AuditCheck(
        "B10", f"B10.way.{now.block}.{now.start}", "fail", text,
        f"{number(before.value)} {'<' if falls else '>'} {number(now.value)}",
        now.value - before.value, _evidence(before, now),
    )  # fmt: skip


def _points(narrative: Narrative, at: int) -> Iterator[AuditCheck]:
    """由91.2%提升至94.7%,提高3.5个百分点; rounding of both ends may move it by one last digit."""
    points = narrative.figures[at]
    ends = _ends_of(narrative, at)
    if ends is None or points.about:
        return
    before, now = ends
    way = pattern("change").search(f"{points.before}§")
    sign = -1 if way is not None and way["way"] in phrases()["downward"] else 1
    told = sign * abs(points.value)
    gap = told - (now.value - before.value)
    slack = max(f.step for f in (points, before, now))
    holds = abs(gap) <= (slack if slack < 1 else Decimal(0))
    text = f"“{points.quote}”:{number(now.value)}% 与 {number(before.value)}% 相差 {number(now.value - before.value)} 个百分点"
    yield AuditCheck(
        "B10", f"B10.points.{points.block}.{points.start}", "pass" if holds else "fail",
        text + ("" if holds else f",文中为 {number(told)}"),
        f"{number(now.value)} - {number(before.value)} {'=' if not gap else '≈' if holds else '≠'} {number(told)}",
        None if holds else gap, _evidence(before, now, points),
    )  # fmt: skip


def _ends_of(narrative: Narrative, at: int) -> tuple[Figure, Figure] | None:
    """The rate before and the rate now that a change in points belongs to."""
    points = narrative.figures[at]
    near = [
        f
        for f in narrative.figures[max(at - 3, 0) : at]
        if f.block == points.block and not _APART.search(narrative.between(f, points))
    ]
    behind = narrative.figures[at + 1] if at + 1 < len(narrative.figures) else points
    is_base = behind.kind == "other_year" and behind.unit == "%"
    # 不合格率1.79%,下降0.24个百分点(上年2.03%)
    is_base &= re.fullmatch(pattern("base_behind"), narrative.between(points, behind)) is not None
    if near and is_base and near[-1].unit == "%":
        return behind, near[-1]
    rates = [f for f in near if f.unit == "%" and f.kind in ("rate", "share", "other_year")]
    if len(rates) < 2 or any(f.about for f in rates[-2:]):
        return None
    one, other = rates[-2:]
    index = narrative.figures.index(other)
    if moved_from(narrative, index) is one:
        return one, other
    # 满意率94.7%,较上年的91.2%提高3.5个百分点
    is_named = other.kind == "other_year" and one.kind != "other_year" and other is near[-1]
    return (other, one) if is_named else None


def _added(narrative: Narrative, at: int) -> Iterator[AuditCheck]:
    """收到2318件,加上上年结转64件,应办理2382件."""
    added = narrative.figures[at]
    if added.kind != "amount" or not re.match("加上|加之|连同", added.before) or not added.step:
        return
    text = narrative.texts[added.block]
    inner = bracket_depth(text, added.start)
    level = [
        f
        for f in narrative.figures
        if f.block == added.block
        and f.kind == "amount"
        and f.step
        and compatible(f.unit, added.unit)
        and bracket_depth(text, f.start) == inner
        and not _APART.search(narrative.between(*sorted((f, added), key=lambda g: g.start)))
    ]
    place = level.index(added) if added in level else 0
    if not place or place + 1 >= len(level):
        return
    total, ahead = level[place + 1], level[:place]
    if not re.search(phrases()["added_total"], total.before):
        return
    first = next((f for f in reversed(ahead) if f.value + added.value == total.value), ahead[-1])
    gap = first.value + added.value - total.value
    equation = (
        f"{number(first.value)} + {number(added.value)} {'≠' if gap else '='} {number(total.value)}"
    )
    yield AuditCheck(
        "B10", f"B10.added.{total.block}.{total.start}",
        "pass" if not gap else "fail" if len(ahead) == 1 else "uncertain",
        f"“{added.quote}”与前数之和" + (f"与“{total.quote}”相差 {number(abs(gap))}" if gap else f"等于“{total.quote}”"),
        equation, gap, _evidence(first, added, total), (),
        slips([first, added, total], [1, 1, -1], gap) if gap else (),
    )  # fmt: skip


def _without(narrative: Narrative, at: int) -> Iterator[AuditCheck]:
    """收到213件,除12件正在办理外,其余201件: what is excepted and the rest are all."""
    if at < 2:
        return
    whole, excepted, rest = narrative.figures[at - 2 : at + 1]
    if not (
        re.match("除", excepted.before)
        and re.match(r"(?:其余|剩余|其他)的?$", rest.before)
        and re.search("外,?(?:其余|剩余|其他)", narrative.between(excepted, rest))
        and whole.kind == excepted.kind == rest.kind == "amount"
        and whole.block == rest.block
        and all(f.step and compatible(f.unit, whole.unit) for f in (excepted, rest))
        and not _APART.search(narrative.between(whole, rest))
    ):
        return
    gap = excepted.value + rest.value - whole.value
    sides = f"{number(excepted.value)} + {number(rest.value)} {'≠' if gap else '='} {number(whole.value)}"
    text = f"“{whole.quote}”与除外的和其余的之和" + (f"相差 {number(abs(gap))}" if gap else "相等")
    yield AuditCheck(
        "B10", f"B10.rest.{rest.block}.{rest.start}", "fail" if gap else "pass", text, sides, gap,
        _evidence(whole, excepted, rest), (),
        slips([excepted, rest, whole], [1, 1, -1], gap) if gap else (),
    )  # fmt: skip
