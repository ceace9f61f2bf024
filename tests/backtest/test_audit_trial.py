"""A small number of the generated reports that `python -m benchmarks.audit` tries by thousands."""

from __future__ import annotations

from benchmarks.audit_trial import KINDS_OF_FILE, run_altered, run_balanced


def test_reports_that_balance_fail_nowhere_in_any_kind_of_file() -> None:
    trial = run_balanced(60, seed=31)
    assert trial.wrong == []
    assert set(trial.reports) == set(KINDS_OF_FILE)


def test_one_change_fails_where_it_must_and_names_its_cell() -> None:
    trial = run_altered(60, seed=77)
    assert trial.wrong == []
    assert sum(trial.found.values()) > 60
    assert trial.unseen < 10
