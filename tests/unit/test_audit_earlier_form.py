"""The statistical table of reports for 2014 to 2018, in the shapes it is published in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.audit.result import AuditReport
from tasks.audit.run import audit_files

TITLE = "某县2017年政府信息公开工作年度报告"
PROSE = "2017年,全县收到政府信息公开申请86件,已办结84件。"
ROWS = """一、主动公开情况||
(一)主动公开政府信息数(不同渠道和方式公开相同信息计1条)|条|2356
其中:主动公开规范性文件数|条|12
制发规范性文件总数|件|12
1.政府公报公开政府信息数|条|126
2.政府网站公开政府信息数|条|2103
(一)收到申请数|件|86
1.当面申请数|件|12
2.传真申请数|件|1
3.网络申请数|件|55
4.信函申请数|件|18
(二)申请办结数|件|84
1.按时办结数|件|82
2.延期办结数|件|2
四、行政复议数量|件|3
(一)维持具体行政行为数|件|2
(二)被依法纠错数|件|0
(三)其他情形数|件|1
五、行政诉讼数量|件|2
(一)维持具体行政行为或者驳回原告诉讼请求数|件|1
(二)被依法纠错数|件|0
(三)其他情形数|件|1
(三)从事政府信息公开工作人员数|人|38
1.专职人员数(不包括政府公报及政府网站工作人员数)|人|8
2.兼职人员数|人|30"""


def laid(kind: str, rows: str) -> str:
    lines = rows.split("\n")
    if kind == "html":
        cells = "".join(
            "<tr>" + "".join(f"<td>{c}</td>" for c in line.split("|")) + "</tr>" for line in lines
        )
        return f"<html><body><h1>{TITLE}</h1><p>{PROSE}</p><table>{cells}</table></body></html>"
    if kind == "one line a cell":
        return "\n".join([TITLE, PROSE, *(c for line in lines for c in line.split("|") if c)])
    mark = {"tabs": "\t", "blanks": "  ", "strokes": " | "}[kind]
    return "\n".join([TITLE, PROSE, *(line.replace("|", mark) for line in lines)])


def audited(folder: Path, kind: str, rows: str) -> AuditReport:
    path = folder / ("r.html" if kind == "html" else "r.txt")
    path.write_text(laid(kind, rows), encoding="utf-8")
    return audit_files([path])[0]


def of_form(report: AuditReport, status: str) -> set[str]:
    return {c.key.split(".")[-1] for c in report.checks if ".form." in c.key and c.status == status}


KINDS = ["html", "tabs", "blanks", "strokes", "one line a cell"]


@pytest.mark.parametrize("kind", KINDS)
def test_sums_of_the_form_hold(kind: str, tmp_path: Path) -> None:
    report = audited(tmp_path, kind, ROWS)
    assert report.fails == []
    assert of_form(report, "pass") >= {
        "received", "closed", "reconsiderations", "lawsuits", "staff", "disclosed_normative"
    }  # fmt: skip
    assert "2014 至 2018 年的统计表" in report.tables_read
    assert [c.equation for c in report.checks if c.key.startswith("B7.form")] == [
        "86 = 86",
        "84 = 84",
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("row", "instead", "fails"),
    [
        ("3.网络申请数|件|55", "3.网络申请数|件|65", {"received"}),
        ("(二)申请办结数|件|84", "(二)申请办结数|件|48", {"closed"}),
        ("2.兼职人员数|人|30", "2.兼职人员数|人|33", {"staff"}),
        ("数|条|12", "数|条|3356", {"disclosed_normative"}),
        ("四、行政复议数量|件|3", "四、行政复议数量|件|2", {"reconsiderations"}),
    ],
)
def test_one_figure_changed(
    kind: str, row: str, instead: str, fails: set[str], tmp_path: Path
) -> None:
    assert row in ROWS
    report = audited(tmp_path, kind, ROWS.replace(row, instead, 1))
    assert of_form(report, "fail") == fails


def test_cases_that_are_open_may_be_left_out(tmp_path: Path) -> None:
    report = audited(
        tmp_path, "html", ROWS.replace("五、行政诉讼数量|件|2", "五、行政诉讼数量|件|4")
    )
    assert of_form(report, "uncertain") == {"lawsuits"}
    assert report.fails == []


def test_a_row_of_the_province_may_be_a_part(tmp_path: Path) -> None:
    rows = ROWS.replace("4.信函申请数|件|18", "电子邮件申请数|件|3\n4.信函申请数|件|15")
    report = audited(tmp_path, "html", rows)
    assert of_form(report, "uncertain") == {"received"}
    assert report.fails == []
