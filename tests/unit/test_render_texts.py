"""How figures, percentages, punctuation, findings and changes are put into words."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.editions import figures as written
from tasks.editions.edition import CellValue, Finding, RecordReference
from tasks.render import markdown
from tasks.render.charts import chart
from tasks.render.findings import (
    RecordToFix,
    by_who_must_act,
    check_text,
    code_order,
    rule_title,
    summary,
)
from tasks.render.overview import overview_lines
from tasks.render.terminal import tables as terminal_tables
from tasks.wording.typeset import balanced, typeset
from tests.edition_fixture import edition_2020, edition_2025
from warehouse.layout import Cell
from warehouse.numbers import json_number

SHARE = Cell("overview.share", "overview", "share", "", "占比", ratio=("a", "b"), decimals=2)
CHANGE = Cell("overview.change", "overview", "change", "", "同比", change_on_year="a", signed=True)
COUNT = Cell("t.a.b", "t", "a", "行", "列")


def part(above: int, below: int, value: str | None = None) -> CellValue:
    return CellValue(Decimal(value) if value else None, Decimal(above), Decimal(below))


@pytest.mark.parametrize(
    ("cell", "value", "text"),
    [
        (SHARE, part(2286, 3721), "61.43%"),
        (SHARE, part(24547, 27549), "89.10%"),
        (SHARE, part(0, 5), "0.00%"),
        # A stored value rounded up on the way must not be printed.
        (SHARE, part(99999999999, 100000000000, "100.000000"), "99.99%"),
        (CHANGE, part(3721, 1643), "+126.47%"),
        (CHANGE, part(1, 3), "-66.66%"),
        (CHANGE, part(3, 3), "0.00%"),
        (SHARE, CellValue(None, Decimal(3), Decimal(0)), ""),
        (SHARE, None, ""),
        (COUNT, CellValue(Decimal("0")), "0"),
        (COUNT, CellValue(Decimal("-0.00")), "0"),
        (COUNT, CellValue(Decimal("-12")), "-12"),
        (COUNT, CellValue(Decimal("1605964.50")), "1605964.5"),
        (COUNT, CellValue(Decimal("1E+6")), "1000000"),
        (COUNT, CellValue(None), ""),
    ],
)
def test_figures_as_text(cell: Cell, value: CellValue | None, text: str) -> None:
    assert written.text(cell, value) == text


def test_a_percentage_names_both_sides_and_the_way_it_is_cut() -> None:
    assert typeset(written.sides(SHARE, part(2286, 3721))) == typeset(
        "2286 ÷ 3721,截取两位小数,四舍五入为 61.44%"
    )
    assert "四舍五入相同" in written.sides(SHARE, part(1298, 3721))
    assert written.sides(CHANGE, part(3721, 1643)).startswith("(3721 − 1643) ÷ 1643")
    assert written.short_sides(CHANGE, part(3721, 1643)).startswith("(3721 − 1643) ÷ 1643 ")
    assert "缺" in written.sides(SHARE, CellValue(None))
    assert written.sides(COUNT, CellValue(Decimal(1))) == ""


@given(st.integers(0, 10**12), st.integers(1, 10**12))
def test_cut_and_rounded_differ_by_a_hundredth_at_most(above: int, below: int) -> None:
    found = written.rate(SHARE, part(above, below))
    assert found is not None
    assert 0 <= found.rounded - found.truncated <= Decimal("0.01")
    assert 0 <= found.exact - found.truncated < Decimal("0.01")


@given(st.one_of(st.none(), st.decimals(allow_nan=False, allow_infinity=False, places=6)))
def test_json_numbers_are_whole_where_the_figure_is(value: Decimal | None) -> None:
    number = json_number(value)
    if value is None:
        assert number is None
    elif value == value.to_integral_value() and abs(value) < 2**63:
        assert isinstance(number, int)
        assert number == value
    else:
        assert isinstance(number, float)


FULL = {
    "comma": "\uff0c",
    "colon": "\uff1a",
    "semicolon": "\uff1b",
    "left": "\uff08",
    "right": "\uff09",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(一)予以公开", "{left}一{right}予以公开"),
        ("共 3 项:通过 2 项,不符", "共 3 项{colon}通过 2 项{comma}不符"),
        ("2020-01-12 02:30", "2020-01-12 02:30"),
        ("(3721 − 1643) ÷ 1643,截取", "(3721 − 1643) ÷ 1643{comma}截取"),
        ("通知(2019)60号", "通知{left}2019{right}60号"),
        ("[表格](http://a/数据/b)", "[表格](http://a/数据/b)"),
        ("f(x), 1:2", "f(x), 1:2"),
        # No mark stands beside a character here, and yet it parts two Chinese sentences.
        ("甲:系统记录 34;2.乙:填报 3", "甲{colon}系统记录 34{semicolon}2.乙{colon}填报 3"),
        ("甲 &amp; 乙 &lt;丙", "甲 &amp; 乙 &lt;丙"),
        ("((一)甲(二))", "{left}{left}一{right}甲{left}二{right}{right}"),
    ],
)
def test_punctuation(text: str, expected: str) -> None:
    assert typeset(text) == expected.format(**FULL)


@given(st.text(alphabet="甲乙一,:;()[]ab 1.。、“”", max_size=40))
def test_typesetting_twice_changes_nothing_more(text: str) -> None:
    once = typeset(text)
    assert typeset(once) == once
    assert len(once) == len(text)


def test_each_record_is_to_be_put_right_once_by_the_organ_that_holds_it() -> None:
    edition = edition_2020()
    work = by_who_must_act(edition)
    records = [item for organ in work for item in organ.records]
    assert len(records) == 6
    assert "涉及记录 6 条" in summary(edition)
    assert {item.record.record_id for item in records} == {f"YSQ-2020-{i:05d}" for i in range(6)}
    for organ in work:
        assert all(item.record.organ_id == organ.organ_id for item in organ.records)
        assert organ.total == sum(organ.count(code) for code in organ.codes)
    without = [f for organ in work for f in organ.findings]
    assert [f.code for f in without] == ["B10"]
    assert "阻断发布" in summary(edition)


def test_a_check_beside_a_record_ends_where_a_sentence_ends() -> None:
    edition = edition_2020()
    differences = [f"{n}.某项 · 自然人:填报 {n},系统记录 {n + 1}" for n in range(1, 6)]
    told = {"F1": ";".join(differences), "APP-17": f"{rule_title(edition, 'APP-17')}:很长的办法"}
    listed, late = (
        Finding(
            code=code,
            key=key,
            organ_id="c1",
            organ_name="某局",
            severity="warn",
            status="fail",
            message=told[code],
        )
        for code, key in (("F1", "F1.c1"), ("APP-17", "APP-17"))
    )
    record = RecordToFix(RecordReference("core.application", "s", "1", "c1", "某局", None, ""))
    record.findings += [listed, late]
    first, second = record.messages(edition)
    assert "…" not in first
    assert first.startswith(f"某局：{differences[0]}；{differences[1]}")
    assert first.endswith("；等 5 项")
    assert second == f"某局：{rule_title(edition, 'APP-17')}"


def test_many_rules_are_shown_in_several_tables() -> None:
    edition = edition_2020()
    held = edition.findings[0]
    many = tuple(
        replace(
            held, code=f"X-{n:02}", key=f"X-{n:02}", severity="block", status="fail", records=()
        )
        for n in range(1, 12)
    )
    other = replace(many[-1], organ_id="c9", organ_name="另一机关")
    shown = markdown.findings(replace(edition, findings=(*many, other)))
    first, second = (line for line in shown.splitlines() if line.startswith("| 应处理机关"))
    assert first.count("X-") == 8
    assert first.startswith("| 应处理机关 | 合计 | 阻断 | X-01 |")
    assert second == "| 应处理机关 | X-09 | X-10 | X-11 |"
    assert "| 另一机关 | **1** | 1 |" in shown
    assert "| 另一机关 |  |  | 1 |" in shown


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("结果维持", "结果/维持"),
        ("社会公益组织", "社会公/益组织"),
        ("总计", "总计"),
        ("12345 来电", "12345 来电"),
    ],
)
def test_a_heading_is_broken_in_equal_lines(text: str, lines: str) -> None:
    assert balanced(text, 7.4) == lines.replace("/", "\n")


def test_codes_sort_by_their_number() -> None:
    assert sorted(["B10", "B2", "APP-10", "APP-02"], key=code_order) == [
        "APP-02", "APP-10", "B2", "B10",
    ]  # fmt: skip


def test_the_list_of_records_is_left_out_where_records_are_listed() -> None:
    finding = edition_2020().open_findings[0]
    named = replace(finding, message="总计:不等;所涉记录:A、B(2 件)")
    assert check_text(named) == "总计:不等"
    assert rule_title(edition_2020(), "no-such-rule") == ""


def test_overview_of_an_organ_leaves_out_what_only_the_root_has() -> None:
    edition = edition_2020()
    of_root = {line.cell.row: line for line in overview_lines(edition)}
    of_organ = {line.cell.row: line for line in overview_lines(edition, "c1")}
    assert of_root["portal_visits"].text == "6645864"
    assert "portal_visits" not in of_organ
    assert of_root["applications_change"].text == "+126.47%"
    assert of_root["granted_share"].change_text.endswith("个百分点")
    assert of_organ["disclosed_items"].before_text == ""


def test_largest_movers_leave_small_counts_out() -> None:
    edition = edition_2020()
    movers = written.largest_movers(edition, 5)
    assert len(movers) == 5
    assert all(abs(move.difference) >= 10 for move in movers)
    assert not any(written.is_percentage(move.cell) for move in movers)
    assert written.largest_movers(edition_2025()) == []


def test_definitions_say_once_what_holds_for_a_whole_line() -> None:
    lines = written.definitions_by_line(edition_2020().layout)
    by_key = {line.key: line for line in lines}
    assert by_key["t3.granted.*"].article == "条例第三十六条第(一)(二)项"
    assert by_key["t2.administrative_license.change"].unit == "项"
    assert len(lines) < 100


def tables_in(text: str) -> list[list[str]]:
    """Runs of table lines."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [run for run in found if run]


def test_markdown_tables_are_well_formed() -> None:
    import re

    for edition in (edition_2020(), edition_2025()):
        text = markdown.report(edition, None)
        assert typeset(text) == text or "`" in text
        for run in tables_in(text):
            columns = {len(re.findall(r"(?<!\\)\|", line)) for line in run}
            assert len(columns) == 1, run[:3]
            assert set(run[1]) <= set("|-: ")
    for name in ("tables", "findings", "changes"):
        assert getattr(markdown, name)(edition_2020()).startswith("# ")
    assert "**1298**" not in markdown.tables(edition_2020())
    assert "| 1298 |" in markdown.tables(edition_2020())
    assert "`ledger/YSQ-2020-00004`" in markdown.findings(edition_2020())
    assert "没有需要处理的问题" in markdown.findings(edition_2025())


@given(st.text(max_size=30))
def test_markdown_text_stays_in_its_cell(text: str) -> None:
    shown = markdown.escaped(text)
    assert "\n" not in shown
    assert shown.count("|") == shown.count("\\|")
    assert "`" not in markdown.code(text)[1:-1]


def test_terminal_shows_figures_checks_and_records() -> None:
    from rich.console import Console

    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(terminal_tables(edition_2020()))
    text = console.export_text()
    for shown in ("3706", "+126.47%", "24547 ÷ 27549", "YSQ-2020-00005", "演示数据", "不予公开"):
        assert shown in text
    console.print(terminal_tables(edition_2020(), "c1t01"))
    assert "6645864" not in console.export_text()
    with pytest.raises(KeyError):
        terminal_tables(edition_2020(), "nobody")


def test_terminal_takes_brackets_in_messages_as_text() -> None:
    from rich.console import Console

    edition = edition_2020()
    finding = replace(edition.open_findings[0], organ_id="city", message="[red]甲[/nope]")
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(terminal_tables(replace(edition, findings=(finding,))))
    assert "[red]甲[/nope]" in console.export_text()


def test_charts_scale_to_their_highest_value_and_name_the_rest() -> None:
    months, organs, outcomes, _ = edition_2020().series
    assert chart(months).count("<rect") == 24
    drawn = chart(organs)
    assert drawn.count("<rect") == 20
    assert "其余 62 个" in drawn
    assert chart(outcomes).count("<rect") == 6
    assert chart(replace(months, points=())).startswith("<svg")
    assert "&lt;b&gt;" in chart(replace(months, title="<b>"))


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_terminal_cuts_a_figure_off(width: int) -> None:
    from rich.console import Console

    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(terminal_tables(edition_2020(), width=width))
    text = console.export_text()
    assert "…" not in text.replace("……", "")
    row = next(line for line in text.splitlines() if typeset("(一)予以公开") in line)
    assert row.split()[-7:] == ["1002", "214", "3", "14", "46", "19", "1298"]
