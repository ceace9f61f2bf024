"""The two runners agree: on a world where every rule fails, on a clean one, and when broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rules_world import as_of, fixture, in_lake

from expectations import great_expectations_runner
from expectations.great_expectations_runner import run_rules_with_great_expectations
from expectations.rules import Rule, RuleResult, load_rules
from expectations.runner import copy_small_tables, run_rules
from warehouse.lake import Connection, Lake


def plain(lake: Lake, rules: tuple[Rule, ...]) -> list[RuleResult]:
    with lake.read() as connection:
        relations = copy_small_tables(connection, rules)
        return run_rules(connection, rules, as_of=as_of(), relations=relations)


@pytest.fixture(scope="module")
def clean_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return in_lake(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def broken_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return in_lake(tmp_path_factory.mktemp("broken"), *fixture()["broken"])


def test_runners_agree_where_every_rule_fails(broken_lake: Lake) -> None:
    rules = load_rules()
    expected = plain(broken_lake, rules)
    assert {r.status for r in expected} == {"fail"}
    assert run_rules_with_great_expectations(broken_lake, rules, as_of=as_of()) == expected


def test_runners_agree_on_a_clean_world(clean_lake: Lake) -> None:
    rules = load_rules()
    expected = plain(clean_lake, rules)
    assert {r.status for r in expected} == {"pass"}
    assert run_rules_with_great_expectations(clean_lake, rules, as_of=as_of()) == expected


def test_large_tables_are_read_in_place(broken_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(great_expectations_runner, "copy_small_tables", lambda *_: {})
    rules = tuple(r for r in load_rules() if r.table == "core.review_case")
    found = run_rules_with_great_expectations(broken_lake, rules, as_of=as_of())
    assert found == plain(broken_lake, rules)


def test_query_error_is_not_run_in_both(clean_lake: Lake) -> None:
    good, other = load_rules()[:2]
    bad = replace(good, code="BAD-01", sql="SELECT no_such_column FROM {table}", condition=None)
    rules = (bad, good, other)
    for results in (
        plain(clean_lake, rules),
        run_rules_with_great_expectations(clean_lake, rules, as_of=as_of()),
    ):
        assert [r.status for r in results] == ["not_run", "pass", "pass"]
        assert results[0].bad_rows is None
        assert "no_such_column" in results[0].reason


def test_broken_connection_is_not_run(clean_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("connection refused")

    monkeypatch.setattr(great_expectations_runner.LakeDialect, "connect", refused)
    results = run_rules_with_great_expectations(clean_lake, load_rules(), as_of=as_of())
    assert {r.status for r in results} == {"not_run"}
    assert all("connection refused" in r.reason for r in results)
    assert any(r.blocks for r in results)


def test_no_lake_is_not_run(tmp_path: Path) -> None:
    results = run_rules_with_great_expectations(Lake(tmp_path), load_rules()[:3], as_of=as_of())
    assert {r.status for r in results} == {"not_run"}


def test_connection_that_breaks_on_the_way_is_not_run(
    clean_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losing(connection: Connection, *_: object) -> dict[str, str]:
        connection.execute("USE scratch")
        connection.execute("DETACH lake")
        connection.execute("ATTACH ':memory:' AS lake")
        return {}

    monkeypatch.setattr(great_expectations_runner, "copy_small_tables", losing)
    results = run_rules_with_great_expectations(clean_lake, load_rules()[:3], as_of=as_of())
    assert {r.status for r in results} == {"not_run"}
    assert all("does not exist" in r.reason for r in results)
