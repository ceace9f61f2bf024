"""Passages about applications: which figures of the prose belong to one account of a year.

A passage begins with what was received or handled and holds the applicants, ways of
submission, outcomes and carry-overs that follow. Its own sums are checked here (B10).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from expectations.balance import Status, number
from tasks.audit.narrative import Figure, Narrative, phrases
from tasks.audit.result import Check, Evidence, Reading, Suggestion
from tasks.audit.suggestions import slip

APPLICATION_WHOLES = ("received", "new_received", "handled", "closed")
_PARENTS = {
    "denied": "denied_",
    "unavailable": "unavailable_",
    "unprocessed": "unprocessed_",
    "other": "other_",
}
Sum = tuple[str, Decimal, tuple[Figure, ...]]


def compatible(one: str, other: str) -> bool:
    """Whether two units may be added: the same, or used for the same things side by side."""
    return one == other or any(
        one in group and other in group for group in phrases()["interchangeable"]
    )


@dataclass
class Passage:
    """The figures of one account by role; `doubles` are roles that stand with two values."""

    number: int
    figures: dict[str, Figure] = field(default_factory=dict)
    leaves: dict[str, Figure] = field(default_factory=dict)
    channels: list[Figure] = field(default_factory=list)
    doubles: set[str] = field(default_factory=set)

    def value(self, role: str) -> Decimal | None:
        figure = self.figures.get(role)
        return figure.value if figure else None

    def whole(self) -> Figure | None:
        """What was received, as the passage says it first."""
        return next(
            (self.figures[r] for r in ("received", "new_received", "handled") if r in self.figures),
            None,
        )

    def outcomes(self) -> list[Figure]:
        """Outcome groups, and rows of the form whose group is not given itself."""
        groups = [self.figures[r] for r in phrases()["outcomes"] if r in self.figures]
        rows = [
            f for row, f in self.leaves.items()
            if not any(row.startswith(prefix) and parent in self.figures for parent, prefix in _PARENTS.items())
        ]  # fmt: skip
        return groups + rows

    def wholes(self) -> Iterator[tuple[str, Decimal, tuple[Evidence, ...]]]:
        """Totals that a share in this passage may refer to: (name, value, figures)."""
        given = [self.figures[r] for r in APPLICATION_WHOLES if r in self.figures]
        for figure in given:
            assert figure.meaning is not None
            yield figure.meaning.label, figure.value, (Evidence(figure.value, figure=figure),)
        carried = self.figures.get("carried_in")
        if carried:
            for figure in given:
                both = (
                    Evidence(figure.value, figure=figure),
                    Evidence(carried.value, figure=carried),
                )
                yield "本年收到与上年结转之和", figure.value + carried.value, both
        outcomes = self.outcomes()
        if len(outcomes) > 2:
            yield (
                "各项结果之和",
                sum((f.value for f in outcomes), Decimal(0)),
                tuple(Evidence(f.value, figure=f) for f in outcomes),
            )


def passages(narrative: Narrative) -> list[Passage]:
    """The passages of a report in order."""
    found: dict[int, Passage] = {}
    for figure in narrative.figures:
        if not figure.passage or not figure.role or figure.kind != "amount":
            continue
        passage = found.setdefault(figure.passage, Passage(figure.passage))
        if figure.role == "channel":
            passage.channels.append(figure)
        elif figure.role == "leaf" and figure.meaning:
            _put(passage, passage.leaves, figure.meaning.row, figure)
        else:
            _put(passage, passage.figures, figure.role, figure)
    return list(found.values())


def _put(passage: Passage, among: dict[str, Figure], role: str, figure: Figure) -> None:
    if role in among and among[role].value != figure.value:
        passage.doubles.add(role)
    among.setdefault(role, figure)


def passage_checks(passage: Passage) -> list[Check]:
    """The sums within one passage: applicants, ways of submission, outcomes."""
    if not all(f.step for f in [*passage.figures.values(), *passage.leaves.values()]):
        return []
    checks = [
        _intake(passage),
        _applicants(passage),
        _channels(passage),
        _outcomes(passage),
        _closing(passage),
    ]
    return [check for check in checks if check is not None]


def _plus(figures: list[Figure]) -> str:
    return " + ".join(number(f.value) for f in figures)


def _evidence(*figures: Figure | None) -> tuple[Evidence, ...]:
    return tuple(Evidence(f.value, figure=f) for f in figures if f is not None)


def _intake(passage: Passage) -> Check | None:
    """All that was to be handled = newly received + carried in, where all three are given."""
    whole = passage.figures.get("handled") or passage.figures.get("received")
    new, carried = passage.figures.get("new_received"), passage.figures.get("carried_in")
    if whole is None or new is None or carried is None or whole.start > new.start:
        return None
    gap = new.value + carried.value - whole.value
    key, evidence = f"B10.intake.{passage.number}", _evidence(whole, new, carried)
    equation = (
        f"{number(whole.value)} {'≠' if gap else '='} {number(new.value)} + {number(carried.value)}"
    )
    if gap == 0:
        return Check(
            "B10", key, "pass", "新收与上年结转之和等于收到或办理的申请", equation, gap, evidence
        )
    text = f"新收与上年结转之和与收到或办理的申请 {number(whole.value)} 相差 {number(abs(gap))}"
    return Check(
        "B10",
        key,
        "fail",
        text,
        equation,
        gap,
        evidence,
        (),
        slips([new, carried, whole], [1, 1, -1], gap),
    )


def _applicants(passage: Passage) -> Check | None:
    parts = [passage.figures[r] for r in phrases()["applicants"] if r in passage.figures]
    whole = passage.whole()
    if len(parts) < 2 or whole is None:
        return None
    total = sum((f.value for f in parts), Decimal(0))
    carried = passage.figures.get("carried_in")
    readings = [("收到的申请", whole.value, str(number(whole.value)))]
    if carried:
        readings.append(
            (
                "收到与上年结转之和",
                whole.value + carried.value,
                f"{number(whole.value)} + {number(carried.value)}",
            )
        )
        readings.append(
            (
                "收到的申请除去上年结转",
                whole.value - carried.value,
                f"{number(whole.value)} - {number(carried.value)}",
            )
        )
    evidence = _evidence(*parts, whole, carried)
    key = f"B10.applicants.{passage.number}"
    left = _plus(parts)
    for name, value, written in readings:
        if total == value:
            return Check(
                "B10",
                key,
                "pass",
                f"自然人与法人或其他组织之和等于{name}",
                f"{left} = {written}",
                Decimal(0),
                evidence,
            )
    gap = total - whole.value
    status: Status = (
        "uncertain" if passage.doubles & {"natural_person", "legal_person", "received"} else "fail"
    )
    text = f"自然人与法人或其他组织之和为 {number(total)},与收到的申请 {number(whole.value)} 相差 {number(abs(gap))}"
    made = tuple(
        Reading(name, f"{left} = {number(total)} ≠ {written}", total - value)
        for name, value, written in readings
    )
    return Check(
        "B10",
        key,
        status,
        text,
        f"{left} = {number(total)} ≠ {number(whole.value)}",
        gap,
        evidence,
        made,
        slips([*parts, whole], [1, 1, -1], gap),
    )


def _channels(passage: Passage) -> Check | None:
    whole = passage.figures.get("received") or passage.figures.get("new_received")
    parts = passage.channels
    if len(parts) < 2 or whole is None:
        return None
    total = sum((f.value for f in parts), Decimal(0))
    gap = total - whole.value
    equation = f"{_plus(parts)} = {number(whole.value)}"
    key, evidence = f"B10.channels.{passage.number}", _evidence(*parts, whole)
    if gap == 0:
        return Check("B10", key, "pass", "各提交方式之和等于收到的申请", equation, gap, evidence)
    carried = passage.value("carried_in")
    text = f"各提交方式之和为 {number(total)},与收到的申请 {number(whole.value)} 相差 {number(abs(gap))}"
    sure = gap > 0 and (carried is None or gap != carried)
    note = "" if gap > 0 else ";可能还有未列出的方式"
    return Check(
        "B10",
        key,
        "fail" if sure else "uncertain",
        text + note,
        f"{_plus(parts)} = {number(total)} ≠ {number(whole.value)}",
        gap,
        evidence,
        (),
        slips([*parts, whole], [1] * len(parts) + [-1], gap),
    )


def _outcomes(passage: Passage) -> Check | None:
    """The outcomes against what was received, in every reading that the words allow."""
    parts = passage.outcomes()
    wholes = [passage.figures[r] for r in APPLICATION_WHOLES if r in passage.figures]
    if len(parts) < 2 or not wholes:
        return None
    total = sum((f.value for f in parts), Decimal(0))
    carried_in, carried_out = passage.figures.get("carried_in"), passage.figures.get("carried_out")
    made = _outcome_readings(parts, wholes, carried_in, carried_out)
    evidence = _evidence(*parts, carried_out, *wholes, carried_in)
    key = f"B10.outcomes.{passage.number}"
    for reading in made:
        if reading.gap == 0:
            return Check(
                "B10",
                key,
                "pass",
                f"各项办理结果之和相符:按{reading.text}",
                reading.equation,
                Decimal(0),
                evidence,
            )
    best = min(made, key=lambda r: abs(r.gap))
    rows = set(phrases()["outcomes"]) - {"granted_or_partially"}
    given = set(passage.figures) | (
        {"granted", "partially_granted"} if "granted_or_partially" in passage.figures else set()
    )
    is_complete = rows <= given
    least = min(r.gap for r in made)
    status: Status = "fail"
    why = ""
    if passage.doubles:
        status, why = "uncertain", "同一事项写了两个数"
    elif carried_out is None and best.gap < 0:
        status, why = "uncertain", "结转下年度的件数没有写明"
    elif carried_in is None and best.gap > 0:
        status, why = "uncertain", "上年结转的件数没有写明"
    elif not is_complete and least < 0:
        status, why = "uncertain", "没有写出全部办理结果"
    text = f"各项办理结果之和为 {number(total)}"
    text += (
        f",加结转下年度 {number(carried_out.value)} 为 {number(total + carried_out.value)}"
        if carried_out
        else ""
    )
    text += ";" + ";".join(f"若{r.text},相差 {number(abs(r.gap))}" for r in made)
    text += f"({why})" if why else ";没有一种读法相符" if len(made) > 1 else ""
    equation = ";".join(dict.fromkeys(r.equation for r in made))
    offers = slips([*parts, wholes[0]], [1] * len(parts) + [-1], best.gap)
    return Check("B10", key, status, text, equation, best.gap, evidence, tuple(made), offers)


def _outcome_readings(
    parts: list[Figure], wholes: list[Figure], carried_in: Figure | None, carried_out: Figure | None
) -> list[Reading]:
    results = sum((f.value for f in parts), Decimal(0))
    readings: list[Reading] = []

    def read(text: str, extra: Figure | None, *wholes_added: Figure) -> None:
        left = results + (extra.value if extra else Decimal(0))
        right = sum((f.value for f in wholes_added), Decimal(0))
        written = _plus([*parts, extra] if extra else parts) + f" = {number(left)}"
        added = f" = {_plus(list(wholes_added))}" if len(wholes_added) > 1 else ""
        target = added if left == right else f" ≠ {number(right)}{added}"
        readings.append(Reading(text, written + target, left - right))

    for whole in wholes:
        assert whole.meaning is not None
        name = f"{whole.meaning.label} {number(whole.value)}"
        if whole.role == "closed":
            read(name, None, whole)
            continue
        if whole.role == "handled":
            # What is handled in a year has its carry-in already.
            read(name, None, whole)
            if carried_out is not None:
                read(f"{name} 含结转下年度", carried_out, whole)
            continue
        read(f"{name} 已含上年结转" if carried_in else name, carried_out, whole)
        if carried_in is not None:
            both = whole.value + carried_in.value
            read(f"{name} 不含上年结转(合计应为 {number(both)})", carried_out, whole, carried_in)
    return readings


def _closing(passage: Passage) -> Check | None:
    """What was received against what was closed and what was carried out."""
    closed, carried_out, whole = (
        passage.figures.get("closed"),
        passage.figures.get("carried_out"),
        passage.whole(),
    )
    carried_in = passage.figures.get("carried_in")
    done = closed or passage.figures.get("handled")
    if whole is None or done is None or done is whole:
        return None
    if carried_in is not None and carried_out is None:
        left_open = whole.value + carried_in.value - done.value
        text = f"结转下年度的件数没有写明;按所写各数应为 {number(left_open)}"
        equation = f"{number(whole.value)} + {number(carried_in.value)} - {number(done.value)} = {number(left_open)}"
        status: Status = "not_assessable" if left_open >= 0 else "uncertain"
        return Check(
            "B10",
            f"B10.closing.{passage.number}",
            status,
            text,
            equation,
            None,
            _evidence(whole, carried_in, done),
        )
    if carried_out is None:
        return None
    left = done.value + carried_out.value
    values = [("收到或办理的申请", whole.value, number(whole.value))]
    if carried_in:
        values.append(
            (
                "收到与上年结转之和",
                whole.value + carried_in.value,
                f"{number(whole.value)} + {number(carried_in.value)}",
            )
        )
    key, evidence = (
        f"B10.closing.{passage.number}",
        _evidence(done, carried_out, whole, carried_in),
    )
    sides = f"{number(done.value)} + {number(carried_out.value)}"
    for name, value, written in values:
        if left == value:
            return Check(
                "B10",
                key,
                "pass",
                f"办结与结转下年度之和等于{name}",
                f"{sides} = {written}",
                Decimal(0),
                evidence,
            )
        if done.role == "handled" and done.value == value:
            equation = f"{number(done.value)} = {written}"
            text = f"办理的申请(含结转下年度)等于{name}"
            return Check("B10", key, "pass", text, equation, Decimal(0), evidence)
    made = tuple(
        Reading(name, f"{sides} = {number(left)} ≠ {written}", left - value)
        for name, value, written in values
    )
    best = min(made, key=lambda r: abs(r.gap))
    # 按时办结 leaves out what was late; an unprinted carry-in can only add.
    sure = (
        done.role == "closed"
        and "按" not in done.before
        and (carried_in is not None or left < whole.value)
        and not passage.doubles
    )
    text = f"办结与结转下年度之和为 {number(left)};" + ";".join(
        f"与{r.text}相差 {number(abs(r.gap))}" for r in made
    )
    return Check(
        "B10", key, "fail" if sure else "uncertain", text, best.equation, best.gap, evidence, made
    )


def slips(figures: list[Figure], signs: list[int], gap: Decimal) -> tuple[Suggestion, ...]:
    """Figures that a slip of the hand would explain the gap by."""
    offers = []
    for figure, sign in zip(figures, signs, strict=True):
        instead = figure.value - sign * gap
        why = slip(figure.value, instead)
        if why:
            offers.append(
                Suggestion(
                    f"若“{figure.quote}”是 {number(instead)} 而不是 {number(figure.value)},此式成立({why})",
                    "",
                    figure.value,
                    instead,
                )
            )
    return tuple(offers[:3])
