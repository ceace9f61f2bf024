"""Every rule passes on a clean world and fails on what is meant to break it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
import yaml
from rules_world import as_of, break_rule, build_clean, fixture, in_memory

from expectations.rules import Rule, load_rules
from expectations.runner import bad_rows, run_rules
from warehouse.form import load_layout
from warehouse.tables import table


@pytest.fixture(scope="module")
def clean() -> duckdb.DuckDBPyConnection:
    connection = in_memory()
    build_clean(connection)
    return connection


@pytest.fixture
def world(clean: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    clean.execute("BEGIN")
    yield clean
    clean.execute("ROLLBACK")


def test_clean_world_passes(world: duckdb.DuckDBPyConnection) -> None:
    results = run_rules(world, load_rules(), as_of=as_of())
    assert [(r.code, r.status, r.records, r.reason) for r in results if r.status != "pass"] == []


def test_every_rule_has_what_breaks_it() -> None:
    assert set(fixture()["broken"]) == {rule.code for rule in load_rules()}


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.code)
def test_rule_fails_on_what_breaks_it(world: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    meant = break_rule(world, rule.code)
    (result,) = run_rules(world, [rule], as_of=as_of())
    assert result.status == "fail", result.reason
    assert result.bad_rows is not None
    assert result.bad_rows >= meant
    assert len(result.records) == min(result.bad_rows, 20)
    assert all(r.detail and r.source_system and r.record_id for r in result.records)


def broken_by_rows() -> list[Rule]:
    """Rules of pulled tables that added rows break; others are broken by changing clean rows."""
    return [
        rule
        for rule in load_rules()
        if table(rule.table).is_pulled and not isinstance(fixture()["broken"][rule.code][0], str)
    ]


@pytest.mark.parametrize("rule", broken_by_rows(), ids=lambda rule: rule.code)
def test_removed_rows_are_not_checked(world: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    break_rule(world, rule.code)
    world.execute(
        f"UPDATE {rule.table} SET removed_at = TIMESTAMP '2021-06-30' WHERE load_id = 'broken'"
    )
    (result,) = run_rules(world, [rule], as_of=as_of())
    assert result.status == "pass", result.records


def test_empty_tables_pass_where_nothing_is_expected() -> None:
    results = run_rules(in_memory(), load_rules(), as_of=as_of())
    # A city without a root organ is wrong even when nothing else is there.
    assert [r.code for r in results if r.status != "pass"] == ["ORG-07"]


def test_rules_that_share_a_scan_say_the_same_alone(world: duckdb.DuckDBPyConnection) -> None:
    for code in ("APP-03", "APP-04", "APP-07", "APP-13"):
        break_rule(world, code)
    rules = [r for r in load_rules() if r.table == "core.application"]
    together = run_rules(world, rules, as_of=as_of())
    alone = [run_rules(world, [rule], as_of=as_of())[0] for rule in rules]
    assert together == alone


def test_query_error_is_not_run_and_spares_the_others(world: duckdb.DuckDBPyConnection) -> None:
    rules = [r for r in load_rules() if r.table == "core.application"]
    broken = replace(
        rules[2], sql="SELECT * FROM {table} WHERE no_such_column", condition="no_such_column"
    )
    results = run_rules(world, [broken, *rules[3:]], as_of=as_of())
    assert results[0].status == "not_run"
    assert results[0].bad_rows is None
    assert "no_such_column" in results[0].reason
    assert {r.status for r in results[1:]} == {"pass"}


def test_missing_table_is_not_run(world: duckdb.DuckDBPyConnection) -> None:
    world.execute("DROP TABLE core.power_item")
    results = run_rules(world, load_rules(), as_of=as_of())
    not_run = {r.code for r in results if r.status == "not_run"}
    expected = {r.code for r in load_rules() if "core.power_item" in r.depends_on}
    assert not_run == expected
    assert {r.status for r in results if r.code not in not_run} == {"pass"}


def test_bad_rows_are_paged_in_order(world: duckdb.DuckDBPyConnection) -> None:
    break_rule(world, "APP-17")
    rule = next(r for r in load_rules() if r.code == "APP-17")
    everything = bad_rows(world, rule, as_of(), None)
    paged = [bad_rows(world, rule, as_of(), 1, page)[0] for page in range(len(everything))]
    assert paged == list(everything)
    assert everything[0].detail == "自 2021-03-01 至 2021-03-30 共 21 个工作日,期限 20 个工作日"


def test_codes_are_those_of_the_column_comments() -> None:
    """A code list in a rule file is the list in the table's own head, or the form's rows."""
    rows = {
        c.row
        for c in load_layout("2021").cells.values()
        if c.table == "t3" and "outcome =" in c.where and not c.derived
    }
    for path in (Path(__file__).parents[2] / "expectations").glob("*.yaml"):
        if path.name == "yearly.yaml":
            continue
        file = yaml.safe_load(path.read_text(encoding="utf-8"))
        for entry in file["rules"]:
            if "codes" not in entry:
                continue
            column = entry["codes"]["column"]
            meaning = next(c.meaning for c in table(file["table"]).columns if c.name == column)
            named = set(re.findall(r"[a-z_]+(?= [\u4e00-\u9fff])", meaning))
            if (file["table"], column) == ("core.application", "outcome"):
                named = rows
            assert set(entry["codes"]["values"]) == named, (path.name, column)
