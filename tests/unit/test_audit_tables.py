"""Tables read back cell by cell from every format, and what a wrong figure leads to."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.audit.document import Block, Document
from tasks.audit.kinds import read_document
from tasks.audit.labels import match, squeeze, written
from tasks.audit.run import audit_files, check_report, of_document
from tasks.audit.tables import read_tables
from tests.audit_reports import APPLICANTS, FORMATS, Figures, balanced, reports, write_report
from warehouse.form import load_layout
from warehouse.layout import Layout

QUICK = ("html", "html_gb18030", "docx", "text", "lines")
SLOW = ("pdf", "pdf_cut", "pdf_unruled")


def _figures(path: Path) -> dict[str, int | None]:
    read = read_tables(read_document(path)).figures
    return {key: None if value is None else int(value) for key, value in read.items()}


@pytest.mark.parametrize("form", QUICK)
@given(report=reports())
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_balanced_report_reads_back_and_passes(
    form: str, report: tuple[Layout, Figures], tmp_path: Path
) -> None:
    layout, figures = report
    path = write_report(tmp_path, form, layout, figures)
    assert _figures(path) == figures
    (audit,) = audit_files([path])
    assert audit.layout == layout.name
    assert audit.count("fail") == audit.count("uncertain") == 0
    assert audit.tables.problems == [] == audit.tables.extra_rows


@pytest.mark.parametrize("form", SLOW)
@given(report=reports())
@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_balanced_report_reads_back_from_pdf(
    form: str, report: tuple[Layout, Figures], tmp_path: Path
) -> None:
    layout, figures = report
    path = write_report(tmp_path, form, layout, figures)
    assert _figures(path) == figures
    (audit,) = audit_files([path])
    assert audit.count("fail") == 0
    assert audit.report_year == layout.years.first + 1


@given(report=reports(), seed=st.integers(0, 10**6), form=st.sampled_from(QUICK))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_one_altered_figure_fails_the_checks_it_is_part_of(
    report: tuple[Layout, Figures], seed: int, form: str, tmp_path: Path
) -> None:
    layout, figures = report
    draw = random.Random(seed)
    equations = [e for e in layout.equations if e.code in ("B1", "B2", "B3", "B4")]
    cell = draw.choice(sorted({t.cell for e in equations for t in e.left + e.right}))
    altered = {**figures, cell: figures[cell] + draw.randint(1, 500)}
    (audit,) = audit_files([write_report(tmp_path, form, layout, altered)])
    wanted = {e.key for e in equations if any(t.cell == cell for t in e.left + e.right)}
    assert {check.key for check in audit.fails} == wanted
    for check in audit.fails:
        assert cell in {evidence.cell for evidence in check.evidence}
    if len(wanted) > 1:
        offered = [{s.cell: s.instead for s in check.suggestions} for check in audit.fails]
        assert all(offer.get(cell) == figures[cell] for offer in offered)


def test_figure_of_the_neighbouring_cell_is_named() -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(5))
    right = figures["t4.reconsideration.pending"] = 8
    figures["t4.reconsideration.other"] = 5731
    figures["t4.reconsideration.total"] = sum(
        figures[f"t4.reconsideration.{e}"] for e in ("upheld", "corrected", "other", "pending")
    )
    figures["t4.reconsideration.pending"] = 5731
    report = check_report(of_document(_text_document(layout, figures)))
    (check,) = report.fails
    offers = {(s.cell, s.instead) for s in check.suggestions if "相邻单元格" in s.text}
    assert ("t4.reconsideration.pending", right) in offers


def test_column_that_must_exceed_another() -> None:
    layout = load_layout("2019")
    figures = balanced(layout, random.Random(1))
    figures["t2.regulation.total_disclosed"] = figures["t2.regulation.newly_disclosed"] - 1
    document = _text_document(layout, figures)
    audit = check_report(of_document(document))
    assert [check.key for check in audit.fails] == ["B11.t2.regulation"]


def _text_document(layout: Layout, figures: Figures) -> Document:
    raw = FORMATS["text"][1](layout, figures).decode()
    return Document("report.txt", "text", tuple(Block(text=line) for line in raw.splitlines()))


@pytest.mark.parametrize(
    ("printed", "key"),
    [
        ("三、本年新收政府信息公开申请数量", "new_received"),
        ("(二)部分公开(区分处理的,只计这一情形,不计其他情形)", "partially_granted"),
        ('3.危及"三安全一稳定"', "denied_safety_stability"),
        ("3、危 及「三安全一稳定」", "denied_safety_stability"),
        ("6.属于四类过程性性信息", "denied_process_information"),
        ("2. 没有现成信息需要\n另行制作", "unavailable_needs_creation"),
        ("4.无正当理由大量反复申请", "unprocessed_excessive"),
        (
            "1.申请人无正当理由逾期不补正、行政机关不再处理其政府信息公开申请",
            "other_correction_overdue",
        ),
        ("四、结转下年度继续办理", "carried_out"),
    ],
)
def test_labels_in_their_spellings(printed: str, key: str) -> None:
    label = match("rows", printed)
    assert label is not None
    assert label.key_in("t3") == key


@pytest.mark.parametrize(
    "printed",
    ["统计指标", "单位", "本年办理结果合计说明", "收到申请数", "5年以上", "召开新闻发布会总次数"],
)
def test_other_labels_are_not_taken(printed: str) -> None:
    assert match("rows", printed) is None


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("1,298", 1298),
        ("12", 12),
        ("1 298", 1298),
        ("减4", -4),
        ("-8", -8),
        ("+5", 5),
        ("3件", 3),
        ("1.2万", 12000),
    ],
)
def test_figures_in_their_spellings(printed: str, value: int) -> None:
    assert written(printed).value == value


@pytest.mark.parametrize("printed", ["", " ", "/", "—", "-", "无"])
def test_blank_is_not_zero(printed: str) -> None:
    assert written(printed).is_blank
    assert written(printed).value is None


def test_numbering_is_not_part_of_a_label() -> None:
    assert (
        squeeze("三(五)1.信访举报投诉类申请")
        == squeeze("(五) 1、信访举报投诉类申请")
        == "信访举报投诉类申请"
    )


def test_local_row_is_reported_not_lost() -> None:
    layout = load_layout("2019")
    page = FORMATS["html"][1](layout, balanced(layout, random.Random(2))).decode()
    row = "<tr><td>其他主动公开文件</td><td>186</td><td>86</td><td>255</td></tr>"
    at = page.index("</tr>", page.index("规范性文件")) + len("</tr>")
    from tasks.audit.read_html import read_html

    reading = read_tables(read_html((page[:at] + row + page[at:]).encode(), "report.html"))
    assert [(r.table, r.label, r.values) for r in reading.extra_rows] == [
        ("t2", "其他主动公开文件", ("186", "86", "255"))
    ]


def test_a_list_before_the_tables_with_labels_like_theirs_is_not_theirs() -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(3))
    page = FORMATS["html"][1](layout, figures).decode()
    labels = ("现行有效规范性文件", "行政规范性文件", "规章", "行政许可", "其他处理", "结转下年度")
    rows = "".join(
        f"<tr><td>{label}</td><td>999</td><td>件</td><td>777</td><td></td></tr>" for label in labels
    )
    listed = f"<table><tr><td>指标</td><td>本年</td><td>单位</td><td>上年</td><td>分子</td></tr>{rows}</table>"
    at = page.index("<table")
    from tasks.audit.read_html import read_html

    reading = read_tables(read_html((page[:at] + listed + page[at:]).encode(), "report.html"))
    assert reading.figures == {key: Decimal(value) for key, value in figures.items()}
    assert reading.problems == []


def test_statistics_of_before_2019_are_not_mistaken() -> None:
    lines = [
        "指标名称 | 单位 | 2017年",
        "一、主动公开情况 | |",
        "(一)主动公开政府信息数 | 条 | 4000",
        "其中:主动公开规范性文件数 | 条 | 3",
        "(一)收到申请数 | 件 | 12",
        "1.属于已主动公开范围数 | 件 | 4",
        "2.同意公开答复数 | 件 | 5",
    ]
    reading = read_tables(Document("old.txt", "text", tuple(Block(text=line) for line in lines)))
    assert reading.layout is None
    assert reading.cells == {}


def test_blank_cells_are_resolved_only_by_the_equation_itself() -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(4))
    figures |= {f"t3.granted.{c}": 0 for c in APPLICANTS} | {
        "t3.granted.research_institution": 3,
        "t3.granted.total": 3,
    }
    text = FORMATS["text"][1](layout, figures).decode()
    statuses = {}
    for row in (
        "0 | 0 | 3 | 0 | 0 | 0 | 3",
        " |  | 3 |  |  |  | 3",
        " |  | 3 |  |  |  | 10",
        " |  | 3 |  |  |  | 2",
    ):
        changed = text.replace(
            "(一)予以公开 | 0 | 0 | 3 | 0 | 0 | 0 | 3 |", f"(一)予以公开 | {row} |"
        )
        document = Document(
            "r.txt", "text", tuple(Block(text=line) for line in changed.splitlines())
        )
        statuses[row] = next(
            c for c in check_report(of_document(document)).checks if c.key == "B3.t3.granted"
        )
    assert [c.status for c in statuses.values()] == ["pass", "pass", "uncertain", "fail"]
    uncertain = statuses[" |  | 3 |  |  |  | 10"]
    assert uncertain.gap == -7
    assert uncertain.suggestions[0].instead == 7
