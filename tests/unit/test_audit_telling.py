"""What an audit tells: equations that are true, a matter once, the nearest first, a batch."""

from __future__ import annotations

import csv
import random
import re
from fractions import Fraction
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from deployments.cli.audit import audit
from tasks.audit.batch import figure_rows, write_batch
from tasks.audit.document import Block, Document
from tasks.audit.result import AuditReport
from tasks.audit.run import check_report, of_document
from tests.audit_reports import balanced, write_report
from warehouse.form import load_layout


def audited(*lines: str, name: str = "r.txt") -> AuditReport:
    return check_report(of_document(Document(name, "text", tuple(Block(text=t) for t in lines))))


def value(side: str) -> Fraction | None:
    """What one side of an equation comes to; None where it is cut off (…) or a share."""
    if "…" in side or "空" in side:
        return None
    side = side.replace("%", "/100").replace("倍", "")
    if not re.fullmatch(r"[\d.+\-*/() ]+", side):
        return None
    return Fraction(
        eval(re.sub(r"(\d+(?:\.\d+)?)", r"Fraction('\1')", side), {"Fraction": Fraction})
    )


def is_true(equation: str) -> bool:
    """Whether every relation of an equation holds between the sides beside it."""
    for part in re.split("[;与]", equation):
        pieces = re.split("(=|≠|≤|≥|<|>)", part)
        for at in range(1, len(pieces) - 1, 2):
            a, b = value(pieces[at - 1].strip()), value(pieces[at + 1].strip())
            if a is None or b is None:
                continue
            holds = {"=": a == b, "≠": a != b, "≤": a <= b, "≥": a >= b, "<": a < b, ">": a > b}
            if not holds[pieces[at]]:
                return False
    return True


STYLES = [
    "新收申请{a}件,上年结转{b}件;办结{c}件,其中予以公开{d}件(占{p}%),部分公开{e}件,结转下年度{f}件。",
    "收到申请{a}件,同比增长{p}%,其中自然人{c}件,法人或其他组织{d}件。答复{e}件,答复率{p}%。",
    "公开信息{a}条,其中政策{c}条、动态{d}条、其他{e}条。共受理留言{a}件,已办结{c}件,办理中{d}件。",
    "2022年收到申请{a}件,2023年收到{c}件,增长{p}%,是2022年的{q}倍。行政复议{d}件(维持{e}件,纠正{f}件)。",
    "办理申请{a}件。其中,网络申请{c}件,信函申请{d}件。发布信息{b}余条,其中微信{e}余条。",
]


@given(
    style=st.sampled_from(STYLES),
    numbers=st.lists(st.integers(0, 60), min_size=6, max_size=6),
    percent=st.decimals(0, 120, places=2),
)
@settings(max_examples=150, deadline=None)
def test_equations_are_true_as_printed(style: str, numbers: list[int], percent: object) -> None:
    told = dict(zip("abcdef", numbers, strict=True))
    text = style.format(**told, p=percent, q=numbers[0] % 7 + 1)
    report = audited("某县2023年政府信息公开工作年度报告", "(二)依申请公开情况", text)
    for check in report.checks:
        equations = [check.equation, *(r.equation for r in check.readings)]
        assert [e for e in equations if e and not is_true(e)] == []


@given(seed=st.integers(0, 10**6), change=st.integers(1, 90))
@settings(max_examples=25, deadline=None)
def test_equations_of_the_form_are_true_as_printed(seed: int, change: int) -> None:
    from tests.audit_reports import FORMATS

    layout = load_layout("2021")
    draw = random.Random(seed)
    figures = balanced(layout, draw)
    key = draw.choice(sorted(figures))
    lines = (
        FORMATS["text"][1](layout, {**figures, key: figures[key] + change}).decode().splitlines()
    )
    report = audited(*lines)
    assert [c.equation for c in report.checks if c.equation and not is_true(c.equation)] == []


def test_readings_stand_the_nearest_first() -> None:
    report = audited(
        "(二)依申请公开情况。收到申请100件,上年结转30件。予以公开50件,部分公开20件,不予公开10件,"
        "无法提供10件,不予处理5件,其他处理4件,结转下年度2件。"
    )
    (check,) = [c for c in report.checks if c.key.startswith("B10.outcomes")]
    gaps = [abs(r.gap) for r in check.readings]
    assert gaps == sorted(gaps)


def test_a_matter_said_twice_is_told_once() -> None:
    sentence = "收到留言30件,已办结25件,办理中6件。"
    (check,) = [c for c in audited(sentence, sentence).checks if c.status == "fail"]
    assert len({e.figure.block for e in check.evidence if e.figure}) == 2


@pytest.fixture
def county(tmp_path: Path) -> Path:
    """Three offices: one right, one wrong, one that holds nothing to judge."""
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(8))
    folder = tmp_path / "county"
    folder.mkdir()
    write_report(folder, "text", layout, figures).rename(folder / "甲局.txt")
    wrong = {**figures, "t4.reconsideration.total": figures["t4.reconsideration.total"] + 1}
    write_report(folder, "html", layout, wrong).rename(folder / "乙局.html")
    (folder / "丙局.txt").write_text("丙局2022年政府信息公开工作年度报告\n略。", encoding="utf-8")
    return folder


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(audit)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_batch_says_who_fails_where_the_worst_first(county: Path, tmp_path: Path) -> None:
    code, _ = run(str(county), "--batch", str(tmp_path / "out"))
    assert code == 1
    front = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert front.index("乙局.html") < front.index("丙局.txt") < front.index("甲局.txt")
    assert "没有一项能够核对" in front
    assert "http" not in front
    assert 'class="fail"' in (tmp_path / "out" / "乙局.html").read_text(encoding="utf-8")
    with (tmp_path / "out" / "figures.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sum(row["文件"] == "甲局.txt" for row in rows) >= 200
    assert {row["核对结果"] for row in rows if row["文件"] == "乙局.html"} >= {"通过", "不符"}


def test_figures_of_a_batch_open_as_a_workbook(tmp_path: Path) -> None:
    import openpyxl

    lines = ("某县2023年政府信息公开工作年度报告", "全年网站访问量2000余万人次,收到申请5件。")
    report, other = audited(*lines), audited(*lines)
    write_batch(tmp_path, [report, other])
    sheet = openpyxl.load_workbook(tmp_path / "figures.xlsx").worksheets[0]
    rows = list(sheet.iter_rows(values_only=True))
    assert [row[5] for row in rows[1:]] == [20_000_000, 5, 20_000_000, 5]
    assert {p.name for p in tmp_path.glob("*.html")} == {"index.html", "r.html", "r_2.html"}
    assert [row[7] for row in figure_rows(report)] == ["余", ""]


def test_words_of_a_report_are_no_formula_in_the_list_of_figures(tmp_path: Path) -> None:
    import csv

    lines = ("某县2023年政府信息公开工作年度报告", "=HYPERLINK(1)收到申请5件。")
    write_batch(tmp_path, [audited(*lines, name="=cmd.txt")])
    with (tmp_path / "figures.csv").open(encoding="utf-8-sig", newline="") as stream:
        told = [text for row in csv.reader(stream) for text in row]
    assert "'=cmd.txt" in told
    assert [text for text in told if text.startswith(("=", "+", "@"))] == []


def test_command_says_when_nothing_could_be_judged(county: Path) -> None:
    assert run(str(county / "甲局.txt"))[0] == 0
    assert run(str(county / "丙局.txt"))[0] == 5
    assert run(str(county / "乙局.html"), str(county / "丙局.txt"))[0] == 1
