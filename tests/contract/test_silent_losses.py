"""Losses planted in the code: a few of those of `benchmarks.losses`, and that it is no empty trial."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.losses import ROOT, Bench, is_open
from benchmarks.losses_scenario import SOURCES, make_template, run
from benchmarks.planted_losses import LOSSES
from tasks.sources import client

TRIED = {
    "landing.row": "A1",
    "stage.row": "A1",
    "merge.insert": "stopped",
    "merge.changed": "stopped",
    "totals.compared": "A4",
}


SITE = ("site", "first")
NAMES = {"merge.changed": ("portal",)}


def test_without_a_loss_the_account_balances_and_the_figures_are_those_counted_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SHORTEST_REST", client.SHORTEST_REST)
    make_template(tmp_path / "template")
    outcome = run(tmp_path / "template", tmp_path / "run", SOURCES)
    assert [told for told in outcome["told"] if is_open(told, SOURCES)] == []
    root = "R/rolled_up/"
    assert {key: int(outcome["figures"][root + key]) for key in outcome["by_hand"]} == outcome[
        "by_hand"
    ]


def test_planted_losses_are_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    chosen = [loss for loss in LOSSES if loss.key in TRIED]
    verdicts = [bench.verdict(replace(loss, names=NAMES.get(loss.key, SITE))) for loss in chosen]
    named = {v.loss.key: v.named_by for v in verdicts}
    assert {key: code in named[key] for key, code in TRIED.items()} == dict.fromkeys(TRIED, True)


def test_at_least_forty_losses_are_planted_each_in_a_text_that_is_there_once() -> None:
    assert len({loss.key for loss in LOSSES}) == len(LOSSES) >= 40
    for loss in LOSSES:
        text = (ROOT / loss.file).read_text(encoding="utf-8")
        assert text.count(loss.old) == 1, loss.key
        assert loss.new != loss.old
