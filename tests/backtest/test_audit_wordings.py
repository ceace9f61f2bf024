"""The audit on wordings of offices that are made up, most of them with a figure changed in a second text.

Unlike the corpus these are no published texts; each stands for a kind of wording that was read
or judged wrongly once, or that is close to one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.backtest.test_audit_corpus import Score, audit_text, is_true, verdicts_score

FILE = Path(__file__).parent / "wordings.yaml"


@cache
def wordings() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return loaded


@cache
def scored() -> Score:
    score = Score()
    for entry in wordings():
        verdicts_score(entry, audit_text(entry, entry["text"]), score)
    return score


def test_equations_written_by_hand_are_true() -> None:
    told = [str(e) for w in wordings() for k in ("holds", "broken", "open") for e in w.get(k, [])]
    assert [e for e in told if not is_true(e)] == []


def test_there_are_many_and_many_hold_a_contradiction() -> None:
    assert len(wordings()) >= 150
    assert sum("broken" in w for w in wordings()) >= 60


def test_no_verdict_is_false() -> None:
    assert dict(scored().wrong) == {}


def test_every_contradiction_is_found_or_doubted_and_every_sum_seen() -> None:
    assert dict(scored().missed) == {}
