"""Benchmarks are run by hand now and then: here, that each still goes with the tables and sources of today."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import pull, rules
from warehouse.lake import Lake


def test_the_rules_are_measured(tmp_path: Path) -> None:
    rules.make(Lake(tmp_path), 2000)
    plain = rules.measure("plain", tmp_path)
    assert plain["seconds"] > 0
    assert plain["outcome"]["CAL-02"] == ["pass", 0]


def test_the_pull_is_measured() -> None:
    found = pull.run("ours", 3000, sys.executable, 1)
    assert (found["records"], found["rows"]) == (3000, 3000)
