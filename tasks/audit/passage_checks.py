"""B10 within one passage about applications: intake, applicants, channels, outcomes, carry-over.

Where the words allow several readings, all are tried: one that fits is a pass and is named,
none is a fail if the account is complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from expectations.balance import Status, number
from tasks.audit.agreement import CellValues, cell_sum, named
from tasks.audit.meanings import pattern, phrases
from tasks.audit.narrative import Figure
from tasks.audit.passages import APPLICATION_WHOLES, Passage
from tasks.audit.result import AuditCheck, Basis, Interpretation, coarse
from tasks.audit.suggestions import slips

_FEW = 4
"""Fewer outcomes than this are examples, not an account of all."""


def passage_checks(passage: Passage, cells: CellValues | None = None) -> list[AuditCheck]:
    """The sums within one passage: applicants, ways of submission, outcomes.

    `cells` are those of the form: what the text leaves out may stand there.
    """
    if not all(f.step for f in [*passage.figures.values(), *passage.leaves.values()]):
        return []
    checks = [
        _intake(passage),
        _applicants(passage),
        _channels(passage),
        _outcomes(passage, cells or {}),
        _closing(passage),
        *_divisions(passage),
    ]
    return [coarse(check) for check in checks if check is not None]


def scopes(figure: Figure) -> set[str]:
    """The words by which a figure is one of some organs only: 市本级, 各县."""
    return set(pattern("scopes").findall(figure.before))


def _plus(figures: list[Figure]) -> str:
    return " + ".join(number(f.value) for f in figures)


def _evidence(*figures: Figure | None) -> tuple[Basis, ...]:
    return tuple(Basis(f.value, figure=f) for f in figures if f is not None)


def _intake(passage: Passage) -> AuditCheck | None:
    """All that was to be handled = newly received + carried in, where all three are given."""
    whole = passage.figures.get("handled") or passage.figures.get("received")
    new, carried = passage.figures.get("new_received"), passage.figures.get("carried_in")
    if whole is None or new is None or carried is None or whole.start > new.start:
        return None
    if whole.role == "received" and whole.value == new.value:
        # The same said twice: what was received leaves out what was carried in.
        return None
    gap = new.value + carried.value - whole.value
    key, evidence = f"B10.intake.{passage.number}", _evidence(whole, new, carried)
    equation = (
        f"{number(whole.value)} {'≠' if gap else '='} {number(new.value)} + {number(carried.value)}"
    )
    if gap == 0:
        return AuditCheck(
            "B10", key, "pass", "新收与上年结转之和等于收到或办理的申请", equation, gap, evidence
        )
    text = f"新收与上年结转之和与收到或办理的申请 {number(whole.value)} 相差 {number(abs(gap))}"
    return AuditCheck(
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


def _applicants(passage: Passage) -> AuditCheck | None:
    """Natural persons and legal persons, or the kinds of these that the text names."""
    parts = [passage.figures[r] for r in phrases()["applicants"] if r in passage.figures]
    is_all = len(parts) > 1
    if "natural_person" in passage.figures and not is_all:
        parts += passage.organizations()
    whole = passage.whole()
    if len(parts) < 2 or whole is None:
        return None
    names = "自然人与法人或其他组织" if is_all else "所列各类申请人"
    total = sum((f.value for f in parts), Decimal(0))
    carried = passage.figures.get("carried_in")
    readings = [("收到的申请", whole.value, number(whole.value))]
    for role in ("handled", "closed"):
        other = passage.figures.get(role)
        if other is not None and other is not whole and other.meaning is not None:
            readings.append((other.meaning.label, other.value, number(other.value)))
    if carried:
        readings.append(
            (
                "收到与上年结转之和",
                whole.value + carried.value,
                f"{number(whole.value)} + {number(carried.value)}",
            )
        )
        if passage.includes_carry_in(whole):
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
            return AuditCheck(
                "B10",
                key,
                "pass",
                f"{names}之和等于{name}",
                f"{left} = {written}",
                Decimal(0),
                evidence,
            )
    gap = total - whole.value
    status: Status = (
        "uncertain"
        if passage.doubles & {"natural_person", "legal_person", "received"}
        or not (is_all or gap > 0)
        else "fail"
    )
    text = (
        f"{names}之和为 {number(total)},与收到的申请 {number(whole.value)} 相差 {number(abs(gap))}"
    )
    made = tuple(
        Interpretation(name, f"{left} = {number(total)} ≠ {written}", total - value)
        for name, value, written in readings
    )
    return AuditCheck(
        "B10",
        key,
        status,
        text,
        f"{left} = {number(total)} ≠ {number(whole.value)}",
        gap,
        evidence,
        made,
        slips([*parts, whole], [1] * len(parts) + [-1], gap),
    )


def _divisions(passage: Passage) -> Iterator[AuditCheck]:
    """A group of outcomes or applicants against what stands right behind it as its parts.

    不予处理2件(重复申请1件、信访类1件). Parts above their group are a contradiction; parts that
    do not reach it need not be all.
    """
    for whole, parts in passage.divided():
        gap = sum((p.value for p in parts), Decimal(0)) - whole.value
        told = {f.meaning.row or f.role for f in (whole, *parts) if f.meaning}
        if passage.doubles & told or (gap < 0 and len(parts) < 2) or (gap == 0 and len(parts) < 2):
            continue
        held = f"“{whole.quote}”"
        text = f"{held}等于所列 {len(parts)} 项之和"
        if gap:
            note = ";所列各项可能不是全部" if gap < 0 else ""
            text = f"{held}与所列 {len(parts)} 项之和相差 {number(abs(gap))}{note}"
        status: Status = "fail" if gap > 0 else "uncertain" if gap else "pass"
        left = f"{_plus(parts)} = {number(whole.value + gap)}" if len(parts) > 1 else _plus(parts)
        yield AuditCheck(
            "B10", f"B10.division.{whole.block}.{whole.start}", status, text,
            f"{left} ≠ {number(whole.value)}" if gap else left, gap,
            _evidence(whole, *parts), (),
            slips([whole, *parts], [-1] + [1] * len(parts), gap) if gap else (),
        )  # fmt: skip


def _channels(passage: Passage) -> AuditCheck | None:
    """The ways of submission against what was received, or handled where that is all there is."""
    parts = passage.channels
    if len(parts) < 2 or (whole := passage.nearest_whole(parts[0])) is None:
        return None
    total = sum((f.value for f in parts), Decimal(0))
    gap = total - whole.value
    key, evidence = f"B10.channels.{passage.number}", _evidence(*parts, whole)
    for text, held, value, equation in _channel_readings(passage, whole, parts):
        if total == value:
            evidence = _evidence(*parts, *held)
            return AuditCheck("B10", key, "pass", text, equation, Decimal(0), evidence)
    text = f"各提交方式之和为 {number(total)},与{whole.label} {number(whole.value)} 相差 {number(abs(gap))}"
    return AuditCheck(
        "B10",
        key,
        "fail" if gap > 0 else "uncertain",
        text + ("" if gap > 0 else ";可能还有未列出的方式"),
        f"{_plus(parts)} = {number(total)} ≠ {number(whole.value)}",
        gap,
        evidence,
        (),
        slips([*parts, whole], [1] * len(parts) + [-1], gap),
    )


def _channel_readings(
    passage: Passage, whole: Figure, parts: list[Figure]
) -> Iterator[tuple[str, list[Figure], Decimal, str]]:
    """What the ways of submission may add up to: text, figures, value, equation."""
    left = _plus(parts)
    others = [passage.figures[r] for r in APPLICATION_WHOLES if r in passage.figures]
    for figure in dict.fromkeys([whole, *others]):
        equation = f"{left} = {number(figure.value)}"
        yield f"各提交方式之和等于{figure.label}", [figure], figure.value, equation
    carried = passage.figures.get("carried_in")
    if carried is None:
        return
    name = f"各提交方式之和等于{whole.label}与上年结转"
    both = f"{left} = {number(whole.value)} {{}} {number(carried.value)}"
    held = [whole, carried]
    yield f"{name}之和", held, whole.value + carried.value, both.format("+")
    if passage.includes_carry_in(whole):
        yield f"{name}之差", held, whole.value - carried.value, both.format("-")


def _outcomes(passage: Passage, cells: CellValues) -> AuditCheck | None:
    """The outcomes against what was received, in every reading that the words allow."""
    parts = passage.outcomes()
    wholes = [passage.figures[r] for r in APPLICATION_WHOLES if r in passage.figures]
    if len(parts) < 2 or not wholes:
        return None
    ways = sorted(_outcome_ways(passage, parts, wholes), key=lambda w: abs(w.reading.gap))
    agreeing = _outcomes_agree(passage, cells, parts, wholes, ways)
    if agreeing is None and len(every := passage.all_outcomes()) > len(parts):
        ways_of_all = list(_outcome_ways(passage, every, wholes))
        agreeing = _outcomes_agree(passage, {}, every, wholes, ways_of_all)
        if min(abs(w.reading.gap) for w in ways_of_all) < min(abs(w.reading.gap) for w in ways):
            parts, ways = every, sorted(ways_of_all, key=lambda w: abs(w.reading.gap))
    agreeing = agreeing or _outcomes_behind(passage, parts)
    return agreeing or _outcomes_differ(passage, parts, wholes, [w.reading for w in ways])


def _outcomes_behind(passage: Passage, parts: list[Figure]) -> AuditCheck | None:
    """2宗撤回申请,实际答复20宗,公开12宗…: what was told before what was closed is none of it."""
    whole = passage.figures.get("closed") or passage.figures.get("handled")
    behind = [p for p in parts if whole and p.place > whole.place]
    if whole is None or len(behind) < _FEW or len(behind) == len(parts):
        return None
    if sum((p.value for p in behind), Decimal(0)) != whole.value:
        return None
    return AuditCheck(
        "B10", f"B10.outcomes.{passage.number}", "pass",
        f"各项办理结果之和相符:按{whole.label} {number(whole.value)} 之后所列各项",
        f"{_plus(behind)} = {number(whole.value)}", Decimal(0), _evidence(*behind, whole),
    )  # fmt: skip


@dataclass(frozen=True)
class _Way:
    """One reading with the figures that it rests on; `is_doubtful` where another is likelier."""

    reading: Interpretation
    held: tuple[Figure, ...]
    is_doubtful: bool = False


def _outcomes_agree(
    passage: Passage, cells: CellValues, parts: list[Figure], wholes: list[Figure],
    ways: list[_Way],
) -> AuditCheck | None:  # fmt: skip
    """A pass in one reading; uncertain where the words speak for another one that does not fit."""
    key, total = f"B10.outcomes.{passage.number}", sum((f.value for f in parts), Decimal(0))
    fitting = sorted((w for w in ways if w.reading.gap == 0), key=lambda w: w.is_doubtful)
    form = cell_sum("t3.results_total.total", cells)
    if fitting:
        reading, evidence = fitting[0].reading, _evidence(*fitting[0].held)
        text = f"各项办理结果之和相符:按{reading.text}"
        if fitting[0].is_doubtful:
            # The reading that the words speak for differs, so nothing is settled.
            others = tuple(w.reading for w in ways if not w.is_doubtful)
            text = f"各项办理结果之和只按{reading.text}相符,按通常的读法不符"
            return AuditCheck(
                "B10", key, "uncertain", text, others[0].equation if others else reading.equation,
                others[0].gap if others else None, evidence, (*others, reading),
            )  # fmt: skip
        return AuditCheck("B10", key, "pass", text, reading.equation, Decimal(0), evidence)
    if form is not None and form.value == total:
        text = f"各项办理结果之和相符:按表中{named(form.written)} {number(total)}"
        equation = f"{_plus(parts)} = {number(total)}"
        evidence = (*_evidence(*parts), *form.cells)
        return AuditCheck("B10", key, "pass", text, equation, Decimal(0), evidence)
    return None


def _outcomes_differ(
    passage: Passage, parts: list[Figure], wholes: list[Figure], made: list[Interpretation]
) -> AuditCheck | None:
    """A fail where the account is complete, else uncertain, or nothing where it only names some."""
    total = sum((f.value for f in parts), Decimal(0))
    carried_in, carried_out = passage.figures.get("carried_in"), passage.figures.get("carried_out")
    best, least = made[0], min(r.gap for r in made)
    is_complete = passage.is_complete()
    if not is_complete and len(parts) < _FEW and least < 0 and not _is_listed(parts, wholes):
        return None
    first = min(parts, key=lambda f: (f.block, f.start))
    leading = next((w for w in wholes if _leads(w, first)), None)
    why = _why_uncertain(
        passage, wholes, best, is_complete=is_complete, least=least, leading=leading, first=first
    )
    text = f"各项办理结果之和为 {number(total)}"
    if carried_out:
        left = number(total + carried_out.value)
        text += f",加结转下年度 {number(carried_out.value)} 为 {left}"
    text += ";" + ";".join(f"若{r.text},相差 {number(abs(r.gap))}" for r in made)
    text += f"({why})" if why else ";没有一种读法相符" if len(made) > 1 else ""
    return AuditCheck(
        "B10", f"B10.outcomes.{passage.number}", "uncertain" if why else "fail", text,
        ";".join(dict.fromkeys(r.equation for r in made)), best.gap,
        _evidence(*parts, carried_out, *wholes, carried_in), tuple(made),
        slips([*parts, wholes[0]], [1] * len(parts) + [-1], best.gap),
    )  # fmt: skip


def _why_uncertain(
    passage: Passage, wholes: list[Figure], best: Interpretation, *, is_complete: bool,
    least: Decimal, leading: Figure | None, first: Figure,
) -> str:  # fmt: skip
    """Why outcomes that do not add up need not be wrong, in Chinese; empty where they must be."""
    # What was closed is the sum of its outcomes, whatever was carried over.
    is_closed = is_complete and any(w.role in ("closed", "handled") for w in wholes)
    if passage.doubles:
        return "同一事项写了两个数"
    if leading is None and not scopes(first) <= set().union(*map(scopes, wholes)):
        return "可能只指一部分机关"
    if best.gap > 0 and leading is not None and leading.role in ("closed", "handled"):
        return ""
    if "carried_out" not in passage.figures and best.gap < 0 and not is_closed:
        return "结转下年度的件数没有写明"
    if "carried_in" not in passage.figures and best.gap > 0 and not is_closed:
        return "上年结转的件数没有写明"
    return "没有写出全部办理结果" if not is_complete and least < 0 else ""


def _is_listed(parts: list[Figure], wholes: list[Figure]) -> bool:
    """Whether 其中 or the like leads from a whole to the outcomes, so that they may be all."""
    first = min(parts, key=lambda f: (f.block, f.start))
    leads = re.search(rf"^\(|{pattern('parts').pattern}", first.lead) is not None
    return leads and any(first.block == whole.block for whole in wholes)


def _outcome_ways(passage: Passage, parts: list[Figure], wholes: list[Figure]) -> Iterator[_Way]:
    """The readings that the words allow.

    What was received leaves out what was carried in, unless the text says that it holds it: that
    reading is doubtful, as is any other whole where 其中 leads right from one to the outcomes.
    """
    carried_in, carried_out = passage.figures.get("carried_in"), passage.figures.get("carried_out")
    results = sum((f.value for f in parts), Decimal(0))
    first = min(parts, key=lambda f: (f.block, f.start))
    leading = next((w for w in wholes if _leads(w, first)), None)
    closed = passage.figures.get("closed")
    # 办结29件 says what the outcomes must come to, whatever else would fit.
    is_told = closed is not None and not closed.is_in_time and closed.value != results

    def way(text: str, extra: Figure | None, *held: Figure, is_doubtful: bool = False) -> _Way:
        left = results + (extra.value if extra else Decimal(0))
        right = sum((f.value for f in held), Decimal(0))
        written = _plus([*parts, extra] if extra else parts) + f" = {number(left)}"
        added = f" = {_plus(list(held))}" if len(held) > 1 else ""
        target = added if left == right else f" ≠ {number(right)}{added}"
        is_other = leading is not None and leading not in held
        figures = (*parts, *([extra] if extra else []), *held)
        reading = Interpretation(text, written + target, left - right)
        return _Way(reading, figures, is_doubtful or is_other)

    for whole in wholes:
        name = f"{whole.label} {number(whole.value)}"
        if whole.role in ("closed", "handled"):
            # What is handled in a year has its carry-in already.
            yield way(name, None, whole)
            if _may_hold_open(whole) and carried_out is not None:
                yield way(f"{name} 含结转下年度", carried_out, whole)
            continue
        is_apart = carried_in is not None and not passage.includes_carry_in(whole)
        if carried_in is None or not passage.excludes_carry_in(whole):
            text = f"{name} 已含上年结转" if carried_in else name
            is_doubtful = is_apart and carried_in is not None and carried_in.value > 0
            yield way(text, carried_out, whole, is_doubtful=is_doubtful or is_told)
        if carried_in is not None and is_apart:
            both = whole.value + carried_in.value
            text = f"{name} 不含上年结转(合计应为 {number(both)})"
            yield way(text, carried_out, whole, carried_in, is_doubtful=is_told)


def _leads(whole: Figure, first: Figure) -> bool:
    """Whether 其中 leads from this whole to the first outcome, with no other figure between."""
    is_next = whole.block == first.block and first.start - len(first.lead) == whole.end
    return is_next and re.search(rf"^\(|{pattern('parts').pattern}", first.lead) is not None


def _closing(passage: Passage) -> AuditCheck | None:
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
        is_within = passage.includes_carry_in(whole)
        added = Decimal(0) if is_within else carried_in.value
        left_open = whole.value + added - done.value
        text = f"结转下年度的件数没有写明;按所写各数应为 {number(left_open)}"
        sides = number(whole.value) if is_within else f"{number(whole.value)} + {number(added)}"
        equation = f"{sides} - {number(done.value)} = {number(left_open)}"
        status: Status = "not_assessable" if left_open >= 0 else "uncertain"
        return AuditCheck(
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
    sides = f"{number(done.value)} + {number(carried_out.value)}"
    key = f"B10.closing.{passage.number}"
    evidence = _evidence(done, carried_out, whole, carried_in, _due(passage, whole))
    values = list(_closing_wholes(passage, whole))
    is_doubtful = len(values) > 1 and values[0][1] != values[1][1]
    for name, value, written in values:
        if left == value:
            text, equation = f"办结与结转下年度之和等于{name}", f"{sides} = {written}"
            if is_doubtful and value == whole.value:
                # Carried in is said apart, so it should add; only if it does not, this fits.
                other = _unequal(values[1][2], values[1][1], left, sides)
                note = f"{text};上年结转另计则相差 {number(values[1][1] - left)}"
                gap = values[1][1] - left
                return AuditCheck("B10", key, "uncertain", note, other, gap, evidence)
            return AuditCheck("B10", key, "pass", text, equation, Decimal(0), evidence)
        if _may_hold_open(done) and done.value == value:
            text, equation = f"办理的申请(含结转下年度)等于{name}", f"{number(value)} = {written}"
            return AuditCheck("B10", key, "pass", text, equation, Decimal(0), evidence)
    made = tuple(
        sorted(
            (
                Interpretation(name, _unequal(written, value, left, sides), value - left)
                for name, value, written in values
            ),
            key=lambda r: abs(r.gap),
        )
    )
    # 按时办结 leaves out what was late; an unprinted carry-in can only add.
    sure = (
        done.role == "closed"
        and not done.is_in_time
        and (carried_in is not None or left < whole.value)
        and not passage.doubles
        and scopes(done) <= scopes(whole)
    )
    text = f"办结与结转下年度之和为 {number(left)};" + ";".join(
        f"与{r.text}相差 {number(abs(r.gap))}" for r in made
    )
    return AuditCheck(
        "B10", key, "fail" if sure else "uncertain", text, made[0].equation, made[0].gap,
        evidence, made,
    )  # fmt: skip


def _may_hold_open(done: Figure) -> bool:
    """Whether what was handled (办理, 处理) may hold what is still open; 办结 and 答复 never do."""
    return done.role == "handled" and re.search("办结|答复|回复|完成", done.before) is None


def _unequal(written: str, value: Decimal, left: Decimal, sides: str) -> str:
    """78 + 3 = 81 ≠ 78 = 75 + 3."""
    sum_ = "" if written == number(value) else f"{written} = "
    return f"{sum_}{number(value)} ≠ {number(left)} = {sides}"


def _due(passage: Passage, whole: Figure) -> Figure | None:
    """What had to be answered, where it is told apart: 收到42件,撤回3件,实际应答复39件."""
    due = passage.figures.get("handled")
    is_told = due is not None and due is not whole and re.search("应|需", due.before)
    return due if is_told else None


def _closing_wholes(passage: Passage, whole: Figure) -> Iterator[tuple[str, Decimal, str]]:
    """What may be closed or carried out: all that was received, with or without the carry-in."""
    carried_in = passage.figures.get("carried_in")
    if carried_in is None or not passage.excludes_carry_in(whole):
        yield "收到或办理的申请", whole.value, number(whole.value)
    if (due := _due(passage, whole)) is not None:
        yield "应办理的申请", due.value, number(due.value)
    if carried_in is not None and not passage.includes_carry_in(whole):
        both = whole.value + carried_in.value
        yield "收到与上年结转之和", both, f"{number(whole.value)} + {number(carried_in.value)}"
