"""A report against its edition: what is compared counts the same thing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tasks.audit.run import audit_files

EDITION: dict[str, Any] = {
    "report_year": 2021,
    "layout": "2021",
    "cells": {
        "t3.new_received.total": 3706,
        "t3.carried_in.total": 15,
        "t3.results_total.total": 3716,
        "t2.normative_document.issued": 149,
        "t2.normative_document.abolished": 31,
        "t2.normative_document.in_force": 1143,
    },
    "overview": {
        "applications_received": 3721,
        "applications_carried_in": 15,
        "normative_documents": 151,
        "normative_documents_abolished": 10,
        "portal_visits": 6645864,
    },
}
HEAD = "某市人民政府2021年政府信息公开工作年度报告\n一、总体情况\n"


def outcomes(tmp_path: Path, text: str) -> dict[str, tuple[str, str]]:
    """What became of the comparison by key: status and message."""
    path = tmp_path / "report.txt"
    path.write_text(f"{HEAD}{text}\n", encoding="utf-8")
    (report,) = audit_files([path], edition=EDITION)
    found = {c.key: (c.status, c.message) for c in report.checks if c.code == "EDITION"}
    assert found, text
    return found


@pytest.mark.parametrize(
    "text",
    [
        "2021年，全市共受理政府信息公开申请3721件，其中新收3706件、上年结转15件。",
        "2021年，收到政府信息公开申请3706件，上年结转15件。",
        "制发行政规范性文件149件，废止行政规范性文件31件，年末现行有效行政规范性文件1143件。",
        "清理并公布废止市政府规范性文件10件。",
        "市政府门户网站全年访问量664.58万次。",
        "市政府门户网站全年访问量6645864次。",
    ],
)
def test_a_right_report_does_not_fail(tmp_path: Path, text: str) -> None:
    assert {status for status, _ in outcomes(tmp_path, text).values()} == {"pass"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("全市共受理政府信息公开申请3721件，其中新收3721件、上年结转15件。", "3721.*3706"),
        ("全市共受理政府信息公开申请3722件，其中新收3706件、上年结转15件。", "3722"),
        ("年末现行有效行政规范性文件1142件。", "1142.*1143"),
        ("废止行政规范性文件30件。", "30.*31"),
        ("市政府门户网站全年访问量664.57万次。", "6645864"),
    ],
)
def test_a_wrong_figure_fails_beside_its_own_kind(tmp_path: Path, text: str, told: str) -> None:
    failed = [m for status, m in outcomes(tmp_path, text).values() if status == "fail"]
    assert len(failed) == 1

    assert re.search(told, failed[0]), failed[0]
