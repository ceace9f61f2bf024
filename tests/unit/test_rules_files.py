"""Rule files: what they must say, and what is said of a mistake in one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from expectations.conditions import FORMS
from expectations.document import PAGE
from expectations.rules import (
    RuleError,
    describe,
    load_file,
    load_rules,
    yearly_rules,
)
from warehouse.tables import all_tables

GOOD = """
table: core.application
record_on: received_on
rules:
  - code: APP-01
    severity: block
    title: 标题
    message: 请改正
    {test}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "application.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_core_table_has_its_file() -> None:
    names = {t.name for t in all_tables() if t.layer == "core"}
    assert {r.table for r in load_rules()} == {f"core.{name}" for name in names}


def test_codes_of_a_table_share_a_prefix_and_count_up() -> None:
    by_table: dict[str, list[str]] = {}
    for rule in load_rules():
        by_table.setdefault(rule.table, []).append(rule.code)
    prefixes = [codes[0][:3] for codes in by_table.values()]
    assert len(set(prefixes)) == len(prefixes)
    for codes in by_table.values():
        assert codes == [f"{codes[0][:3]}-{n:02d}" for n in range(1, len(codes) + 1)]


def test_messages_say_what_to_do() -> None:
    for rule in (*load_rules(), *yearly_rules().values()):
        assert rule.message.endswith("。"), rule.code
        assert not rule.title.endswith("。"), rule.code
        assert any("\u4e00" <= letter <= "\u9fff" for letter in rule.message), rule.code


def test_thresholds_of_the_regulation_are_data() -> None:
    """第三十三条: 20 working days, extended by at most 20; 第二十六条: 20; 第三十条: 7."""
    sql = {rule.code: " ".join((rule.sql or "").split()) for rule in load_rules()}
    assert "20 + CASE WHEN extended_on <= c.judged_on THEN 20 ELSE 0 END" in sql["APP-17"]
    assert "(20) AS days_allowed" in sql["DOC-10"]
    assert "> 7" in sql["AEV-07"]


def test_yearly_rules_describe_every_check_of_the_form() -> None:
    yearly = yearly_rules()
    assert yearly.keys() >= {*(f"B{n}" for n in range(1, 12)), "F1", "P1"}
    assert {c for c, r in yearly.items() if c[0] == "B" and r.severity == "block"} == {
        *("B1", "B2", "B3", "B4", "B5", "B6", "B8", "B9")
    }
    assert describe("B3") is yearly["B3"]
    assert describe("APP-03").table == "core.application"
    with pytest.raises(KeyError):
        describe("XXX-01")


def test_no_rule_blocks_that_is_in_no_article_and_in_no_form() -> None:
    """What keeps a report from being published must be asked for by somebody else than us."""
    for rule in (*load_rules(), *yearly_rules().values()):
        assert rule.severity != "block" or rule.article, rule.code
    assert yearly_rules()["B11"].severity == "warn"
    assert yearly_rules()["B11"].article == ""
    page = PAGE.read_text(encoding="utf-8")
    assert "recalled" not in page
    assert "凭记忆" not in page


def test_depends_on_all_tables_read() -> None:
    rules = {rule.code: rule for rule in load_rules()}
    assert rules["APP-17"].depends_on == (
        "core.application",
        "core.application_event",
        "core.calendar_day",
    )
    assert rules["AEV-07"].depends_on == (
        "core.application",
        "core.application_event",
        "core.calendar_day",
    )
    assert rules["APP-11"].uses_date
    assert not rules["APP-13"].uses_date


def test_relations_take_the_place_of_tables() -> None:
    rule = next(r for r in load_rules() if r.code == "APP-15")
    sql = rule.bad_rows_sql(date(2021, 6, 30), {"core.organ": "organs_now"})
    assert "organs_now" in sql
    assert "core.organ" not in sql
    assert "core.application" in sql


def test_fingerprint_follows_rule_tables_and_date() -> None:
    rules = {rule.code: rule for rule in load_rules()}
    versions = {t.full_name: "1" for t in all_tables()}
    one, other = date(2021, 6, 30), date(2021, 7, 1)
    order, future = rules["APP-13"], rules["APP-11"]
    assert order.fingerprint(one, versions) == order.fingerprint(other, versions)
    assert future.fingerprint(one, versions) != future.fingerprint(other, versions)
    changed = {**versions, "core.application": "2"}
    assert order.fingerprint(one, versions) != order.fingerprint(one, changed)
    elsewhere = {**versions, "core.organ": "2"}
    assert order.fingerprint(one, versions) == order.fingerprint(one, elsewhere)


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("orderr: [received_on]", "APP-01.orderr"),
        ("order: [received_on, finished_on]", "finished_on"),
        ("required: [applicant]", "applicant"),
        ("codes: {column: outcome}", "APP-01.codes.values"),
        ("article: 条例", "须恰有一种检验"),
        ("required: [outcome]\n    order: [received_on, closed_on]", "须恰有一种检验"),
        ("condition: closed_on IS NULL", "detail"),
        ("query: SELECT * FROM core.organ", "表名须写在花括号中"),
        ("query: SELECT * FROM {core.nothing}", "core.nothing"),
        ("query: SELECT {limit} FROM {table}", "limit"),
        ("reference: {column: organ_id, table: core.nothing}", "core.nothing"),
        (
            "volume: {column: received_on, months: 0, minimum: 1, lowest_ratio: 1, highest_ratio: 2}",
            "APP-01.volume.months",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, test: str, said: str) -> None:
    path = written(tmp_path, GOOD.replace("{test}", test))
    with pytest.raises(RuleError) as caught:
        load_file(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_unknown_severity_table_and_syntax_are_named(tmp_path: Path) -> None:
    good = GOOD.replace("{test}", "required: [outcome]")
    assert len(load_file(written(tmp_path, good))) == 1
    for wrong, said in (
        (good.replace("block", "fatal"), "APP-01.severity"),
        (good.replace("core.application", "core.applications"), "core.applications"),
        (good.replace("APP-01", "APP1"), "APP1.code"),
        (good + "  bad: [", "YAML"),
        (
            "table: core.organ\nrules:\n  - {code: ORG-01, severity: quarantine, title: 题, "
            "message: 请, required: [organ_id]}",
            "ORG-01.severity",
        ),
    ):
        with pytest.raises(RuleError) as caught:
            load_file(written(tmp_path, wrong))
        assert said in str(caught.value)
    with pytest.raises(RuleError, match="读不到"):
        load_file(tmp_path / "nothing.yaml")


def test_one_code_is_used_once(tmp_path: Path) -> None:
    text = GOOD.replace("{test}", "required: [outcome]")
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RuleError, match="APP-01: 代码已用于 a"):
        load_rules(tmp_path)


def test_every_form_is_used() -> None:
    """A form that no rule uses is dead vocabulary."""
    import yaml

    used: set[str] = set()
    folder = Path(__file__).parents[2] / "expectations"
    for path in folder.glob("*.yaml"):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["rules"]:
            used |= entry.keys()
    assert set(FORMS) <= used
