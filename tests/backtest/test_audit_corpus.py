"""The audit on excerpts of real reports, whose figures and equations were written by hand.

The equations are proved by arithmetic here, so that a verdict rests on the text and not on what
the audit says of it. `corpus/README.md` says how an entry is written.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.audit.document import Block, Document
from tasks.audit.meanings import others, rules
from tasks.audit.narrative import Figure
from tasks.audit.result import AuditCheck, AuditReport
from tasks.audit.run import check_report, of_document

FOLDER = Path(__file__).parent / "corpus"
KINDS = {"占比": "share", "同比": "change", "倍数": "multiple", "与上年之差": "difference", "其他年份": "other_year"}  # fmt: skip
LABELS = {rule.meaning.label for rule in rules() if not rule.meaning.generic} | {
    meaning.label for meaning in others().values()
}


@cache
def corpus() -> list[dict[str, Any]]:
    return [
        entry
        for path in sorted(FOLDER.glob("*.yaml"))
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


def audit_text(entry: dict[str, Any], text: str) -> AuditReport:
    """The audit of a text as if it were an entry's."""
    lines = [f"某机关{entry['year']}年政府信息公开工作年度报告", *text.splitlines()]
    return check_report(
        of_document(
            Document("r.txt", "text", tuple(Block(text=line) for line in lines if line.strip()))
        )
    )


@cache
def audited(at: int) -> AuditReport:
    return audit_text(corpus()[at], corpus()[at]["text"])


NUMBER = re.compile(r"\d+(?:\.\d+)?")


def numbers(equation: str) -> Counter[Decimal]:
    """The figures of an equation; what it comes to in between (= 3914 ≠) is not printed."""
    told = re.sub(r"=[\d.]+(?=[≠<>])", "", equation)
    found = Counter(abs(Decimal(n)) for n in NUMBER.findall(told))
    # In a division a figure may stand twice that is printed once: (22-31)/31.
    return Counter(dict.fromkeys(found, 1)) if "/" in equation else found


def value(side: str) -> Fraction:
    """The value of one side: sums, differences and one division."""
    side = side.strip().rstrip("%")
    if "/" in side:
        above, below = side.split("/")
        return value(above) / value(below) * 100
    side = side.strip("()")
    return sum((Fraction(n) for n in re.findall(r"[-+]?[\d.]+", side.replace("(", "").replace(")", ""))), Fraction(0))  # fmt: skip


def is_true(equation: str) -> bool:
    """Whether an equation written by hand holds; percentages rounded or cut off."""
    if " +" in equation or " -" in equation:
        return True  # a change whose base the text does not print
    equation, *about = equation.split("~")
    if about:
        return True  # what the text itself calls about so much
    left, relation, right = re.split("(<=|≠|=|≈|<|>)", equation, maxsplit=1)
    a = value(left)
    if relation == "=" and re.search("[≠<>]", right):
        middle, relation, right = re.split("([≠<>])", right, maxsplit=1)
        return abs(abs(a) - value(middle)) < Fraction(1, 100) and is_true(
            f"{middle}{relation}{right.rstrip('%')}"
        )
    b = value(right)
    if right.endswith("%"):
        digits = len(right.rstrip("%").partition(".")[2])
        near = abs(abs(a) - b) < Fraction(1, 10**digits)
        return near if relation == "=" else not near
    if relation == "≈":
        return abs(a - b) < b / 10
    return {"=": a == b, "≠": a != b, "<=": a <= b, "<": a < b, ">": a > b}[relation]


@pytest.mark.parametrize("entry", corpus(), ids=lambda e: str(e["source"])[-40:])
def test_equations_written_by_hand_are_true(entry: dict[str, Any]) -> None:
    told = [*entry.get("holds", []), *entry.get("broken", []), *entry.get("open", [])]
    assert [e for e in map(str, told) if not is_true(e)] == []


def test_corpus_is_large_and_of_many_kinds() -> None:
    assert len(corpus()) >= 150
    assert len({entry["year"] for entry in corpus()}) > 10
    assert len({entry["body"] for entry in corpus()}) > 40


@dataclass
class Score:
    """What came out right, what was said wrongly, and what was not said, by kind."""

    right: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    missed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def name_of(entry: dict[str, Any]) -> str:
    return str(entry.get("source", entry["text"][:40]))


def kind_of(check: AuditCheck) -> str:
    return check.key.split(".")[1] if check.code == "B10" else check.code


def evidence(check: AuditCheck) -> Counter[Decimal]:
    """The figures that a check rests on, each place once."""
    seen: dict[tuple[object, ...], Decimal] = {}
    for basis in check.evidence:
        place = (basis.figure.block, basis.figure.start) if basis.figure else (basis.cell,)
        if basis.value is not None:
            seen[place] = abs(basis.figure.value if basis.figure else basis.value)
    return Counter(seen.values())


def figures_score(at: int, score: Score) -> None:
    """Every figure of an entry, in its order, with its unit and meaning."""
    entry, report = corpus()[at], audited(at)
    found = [f for f in report.narrative.figures if f.block > 0]
    wanted = [str(w).split(" ", 2) for w in entry["figures"]]
    left = list(found)
    for number, unit, meaning in wanted:
        figure = next((f for f in left if _is(f, number, unit)), None)
        name = f"{entry['source']}: {number} {unit} {meaning}"
        if figure is None:
            score.missed["figure"].append(name)
            continue
        del left[: left.index(figure) + 1]
        score.right["figure"] += 1
        _score_meaning(figure, meaning, name, score)
    extra = Counter((f.value, f.start) for f in found)
    for figure in found:
        if not any(_is(figure, n, u) for n, u, _ in wanted) and extra[(figure.value, figure.start)]:
            score.wrong["figure"].append(f"{entry['source']}: {figure.value} {figure.quote}")


def _score_meaning(figure: Figure, meaning: str, name: str, score: Score) -> None:
    if meaning in KINDS:
        is_right = figure.kind == KINDS[meaning]
    elif meaning in LABELS:
        is_right = figure.label.removeprefix("其中") == meaning
    else:
        # Words of its own: any meaning that the project knows would be another one.
        is_right = figure.meaning is None or figure.meaning.label not in LABELS
    if is_right:
        score.right["meaning"] += 1
    elif figure.meaning is None or figure.meaning.generic or figure.label.startswith("其中"):
        score.missed["meaning"].append(f"{name} ← {figure.label}")
    else:
        score.wrong["meaning"].append(f"{name} ← {figure.label} {figure.kind}")


def _is(figure: Figure, number: str, unit: str) -> bool:
    is_about = number.endswith("~")
    return (
        abs(figure.value) == Decimal(number.rstrip("~"))
        and bool(figure.about) == is_about
        and figure.unit in (unit, "")
    )


def verdicts_score(entry: dict[str, Any], report: AuditReport, score: Score) -> None:
    """Every pass and fail of an entry's report against the equations written by hand."""
    holds = [str(e) for e in entry.get("holds", [])]
    broken = [str(e) for e in entry.get("broken", [])]
    found: set[str] = set()
    for check in report.checks:
        if check.status not in ("pass", "fail", "uncertain") or not check.evidence:
            continue
        held = evidence(check)
        fitting = [e for e in (holds if check.status == "pass" else broken) if numbers(e) <= held]
        if check.status == "uncertain":
            found.update(fitting)
            continue
        found.update(fitting)
        if fitting:
            score.right[kind_of(check)] += 1
        elif check.code != "B9" and any(held):
            name = f"{name_of(entry)}: {check.status} {check.message} {check.equation}"
            score.wrong[kind_of(check)].append(name)
    for equation in [*holds, *broken]:
        if equation not in found:
            score.missed["verdict"].append(f"{name_of(entry)}: {equation}")


@cache
def scored() -> Score:
    score = Score()
    for at in range(len(corpus())):
        figures_score(at, score)
        verdicts_score(corpus()[at], audited(at), score)
    return score


def test_no_verdict_is_false() -> None:
    wrong = {k: v for k, v in scored().wrong.items() if k not in ("figure", "meaning")}
    assert wrong == {}


def test_no_figure_is_read_that_is_none() -> None:
    assert scored().wrong["figure"] == []


def test_no_meaning_is_wrong() -> None:
    assert scored().wrong["meaning"] == []


def test_what_was_missed_is_no_more_than_before() -> None:
    missed = scored().missed
    assert missed["figure"] == []
    assert len(missed["meaning"]) <= 10
    assert len(missed["verdict"]) <= 3


@pytest.mark.parametrize("at", [n for n, e in enumerate(corpus()) if "cells" in e])
def test_cells_of_excerpts(at: int) -> None:
    cells = audited(at).tables.figures
    assert {k: cells.get(k) for k in corpus()[at]["cells"]} == corpus()[at]["cells"]


def test_no_mutant_of_a_real_text_passes() -> None:
    from benchmarks.audit import run_mutants

    outcomes, passed = run_mutants(rounds=2, seed=11)
    assert passed == []
    assert outcomes["silent"] <= 0.1 * outcomes.total()
