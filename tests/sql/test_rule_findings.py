"""An edition's rules: what the last check found to hold is not asked again, and the findings are
those of an edition for which every rule was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from expectations.rules import Rule, load_rules
from tasks.check import check_core
from tasks.editions import rule_findings
from tasks.editions.edition import Finding
from tasks.editions.fingerprints import findings_hash
from tasks.editions.rule_findings import rules_that_held
from tasks.editions.tabulate import Tabulation, read_tree
from tests.small_city import NOW, SmallCity
from warehouse.lake import transaction
from warehouse.period import Period
from warehouse.reading import reading

YEAR = Period.of_year(2020)


def checked(small: SmallCity, day: int = 0) -> None:
    as_of = (NOW + timedelta(days=day)).date()
    check_core(small.lake, as_of=as_of, run_id="r", runner="plain", now=NOW)


def built(
    small: SmallCity,
    *,
    trusts_checks: bool = True,
    snapshot: int | None = None,
    rules: Sequence[Rule] | None = None,
) -> dict[str, Finding]:
    """The findings of the rules for 2020, by code."""
    rules = rules or load_rules()
    with reading(small.lake, snapshot, copy_up_to=1000) as opened:
        as_of = NOW.date()
        held = rules_that_held(opened, rules, as_of) if trusts_checks else {}
        tabulation = Tabulation(YEAR, small.layout(), read_tree(opened, YEAR), {})
        found = rule_findings.rule_findings(opened, rules, tabulation, as_of, held=held)
        return {finding.code: finding for finding in found}


def is_the_same(small: SmallCity) -> dict[str, Finding]:
    quick, whole = built(small), built(small, trusts_checks=False)
    assert quick == whole
    assert findings_hash(list(quick.values())) == findings_hash(list(whole.values()))
    return quick


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The codes of the rules that are put to the lake, instead of to what the check kept."""
    codes: set[str] = set()
    together, alone = rule_findings.count_rows_together, rule_findings._bad_rows_of_year

    def counted(connection, rules, *more):  # type: ignore[no-untyped-def]
        codes.update(rule.code for rule in rules if rule.condition is not None)
        return together(connection, rules, *more)

    def bad_rows(opened, rule, bad, *more):  # type: ignore[no-untyped-def]
        if "check_record" not in bad:
            codes.add(rule.code)
        return alone(opened, rule, bad, *more)

    monkeypatch.setattr(rule_findings, "count_rows_together", counted)
    monkeypatch.setattr(rule_findings, "_bad_rows_of_year", bad_rows)
    return codes


def failed(findings: dict[str, Finding]) -> set[str]:
    return {f.code for f in findings.values() if f.status == "fail"}


def test_only_what_changed_is_asked_again(small: SmallCity, asked: set[str]) -> None:
    small.application("2020-03-02", "2020-03-09", applicant_kind="nobody")
    before = small.lake.snapshot()
    checked(small)
    known = failed(built(small))
    assert known
    assert not asked
    assert failed(is_the_same(small)) == known
    asked.clear()
    small.add("channel", {"channel_name": "x"})
    assert failed(built(small)) >= known
    assert any(code.startswith("CHN") for code in asked)
    assert not any(code.startswith("CAL") for code in asked)
    asked.clear()
    # A later check is none of an older snapshot's, and whoever proves an edition asks all.
    built(small, snapshot=before)
    every = set(asked)
    asked.clear()
    built(small, trusts_checks=False)
    assert asked == every
    assert len(every) > len(load_rules()) / 2


def test_what_more_records_break_than_are_kept_is_asked_again(
    small: SmallCity, asked: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.check.KEPT_RECORDS", 2)
    for _ in range(3):
        small.application("2020-03-02", "2020-03-09", applicant_kind="nobody")
    small.application("2020-03-02", "2020-03-09", outcome="no outcome")
    checked(small)
    found = built(small)
    many = {f.code for f in found.values() if f.record_count > 2}
    assert many
    assert many < failed(found)
    assert asked == many
    assert is_the_same(small) == found


def test_a_rule_that_looks_at_the_date_is_asked_on_another_day(
    small: SmallCity, asked: set[str]
) -> None:
    small.application("2020-03-02", "2020-03-09")
    checked(small, day=1)
    built(small)
    assert "APP-11" in asked
    assert "APP-01" not in asked


def test_records_that_are_set_aside_or_corrected_are_judged_as_ever(
    small: SmallCity, asked: set[str]
) -> None:
    small.application("2020-03-02", "2020-03-25")
    small.application("2020-03-02", "2029-03-25")
    future = small.application("2029-03-02")
    corrected = small.application("2029-04-02")
    event = {"event_kind": "received", "event_on": YEAR.first}
    small.add("application_event", {"application_id": future, **event})
    with small.lake.write() as connection, transaction(connection):
        connection.execute(
            "INSERT INTO ops.correction (table_name, source_system, record_id, column_name, action,"
            " reason, reported_by, decided_on, expected_value, corrected_value) VALUES "
            "('core.application', 's', ?, 'received_on', 'override', '误登', '某岗', "
            "'2020-05-01', '2029-04-02', '2020-04-02')",
            [corrected],
        )
    checked(small)
    with small.lake.read() as connection:
        night = dict(
            connection.execute("SELECT rule_code, check_status FROM ops.check_run").fetchall()
        )
    asked.clear()
    found = is_the_same(small)
    # The night finds the application there; to an edition it is set aside.
    assert night["AEV-04"] == "pass"
    assert "AEV-04" in failed(found)
    # The night reads applications as corrected; an edition looks for bad ones as they lie.
    asked.clear()
    built(small)
    assert "APP-11" in asked
    by_closing = {
        rule.code
        for rule in load_rules()
        if rule.table == "core.application"
        and "closed_on" in rule.sql
        and rule.severity != "quarantine"
    }
    assert by_closing
    assert by_closing <= asked


def test_a_rule_that_cannot_run_is_told_and_not_passed(small: SmallCity) -> None:
    checked(small)
    first, *others = (r for r in load_rules() if r.table == "core.application")
    broken = replace(first, sql=f"{first.sql} AND no_such_column", condition=None)
    finding = built(small, rules=[broken, *others])[first.code]
    assert finding.status == "not_run"
    assert "no_such_column" in finding.message
