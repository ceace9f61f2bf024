"""Years of one organ, parents and children, editions, the command and its outputs."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deployments.cli.audit import audit
from tasks.audit.document import Block, Document
from tasks.audit.page import render_page
from tasks.audit.result import AuditReport, as_json
from tasks.audit.run import audit_files, check_report, of_document
from tasks.render.data_files import definitions_json
from tests.audit_reports import Figures, balanced, write_report
from warehouse.form import load_layout

LAYOUT = load_layout("2021")


def told(text: str, name: str = "r.txt") -> AuditReport:
    return of_document(
        Document(name, "text", tuple(Block(text=line) for line in text.splitlines()))
    )


def year_file(folder: Path, year: int, figures: Figures) -> Path:
    path = write_report(folder, "text", LAYOUT, figures)
    text = path.read_text(encoding="utf-8").replace("2022年", f"{year}年")
    renamed = folder / f"{year}.txt"
    renamed.write_text(text, encoding="utf-8")
    return renamed


@pytest.fixture
def two_years(tmp_path: Path) -> tuple[list[Path], Figures, Figures]:
    """2022 and 2023 of one organ, carried over and in force as they must be."""
    before, now = balanced(LAYOUT, random.Random(1)), balanced(LAYOUT, random.Random(2))
    for column in [c.column for c in LAYOUT.printed("t3") if c.row == "carried_in"]:
        moved = before[f"t3.carried_out.{column}"] - now[f"t3.carried_in.{column}"]
        now[f"t3.carried_in.{column}"] += moved
        now[f"t3.new_received.{column}"] -= moved
    for row in ("regulation", "normative_document"):
        now[f"t2.{row}.in_force"] = (
            before[f"t2.{row}.in_force"] + now[f"t2.{row}.issued"] - now[f"t2.{row}.abolished"]
        )
    return [year_file(tmp_path, 2022, before), year_file(tmp_path, 2023, now)], before, now


def test_years_that_follow_pass(two_years: tuple[list[Path], Figures, Figures]) -> None:
    paths, _, _ = two_years
    first, second = audit_files(list(reversed(paths)))
    assert (first.report_year, second.report_year) == (2022, 2023)
    assert {c.status for c in first.checks if c.code in ("B5", "B6")} == {"not_assessable"}
    assert {c.status for c in second.checks if c.code in ("B5", "B6")} == {"pass"}
    assert sum(1 for c in second.checks if c.code == "B5") == 7


def test_years_that_do_not_follow_fail(
    two_years: tuple[list[Path], Figures, Figures], tmp_path: Path
) -> None:
    paths, _, now = two_years
    changed = {**now, "t2.regulation.in_force": now["t2.regulation.in_force"] + 3}
    _, second = audit_files([paths[0], year_file(tmp_path, 2023, changed)])
    assert [(c.key, c.gap) for c in second.fails] == [("B6.t2.regulation", -3)]


def test_reports_of_other_organs_are_not_compared(
    two_years: tuple[list[Path], Figures, Figures],
) -> None:
    paths, _, _ = two_years
    text = paths[1].read_text(encoding="utf-8").replace("测试市人民政府", "另一市人民政府")
    paths[1].write_text(text, encoding="utf-8")
    _, second = audit_files(paths)
    assert {c.status for c in second.checks if c.code == "B5"} == {"not_assessable"}


def test_base_of_a_change_comes_from_last_year() -> None:
    before = check_report(
        told("测试市2020年政府信息公开工作年度报告\n全年收到政府信息公开申请1643件。")
    )
    now = told(
        "测试市2021年政府信息公开工作年度报告\n全年收到政府信息公开申请3721件,同比增长126.47%。"
    )
    (check,) = [c for c in check_report(now, before).checks if ".change." in c.key]
    assert (check.status, check.equation) == ("pass", "(3721 - 1643) / 1643 = 126.4759…%")
    wrong = check_report(
        told("测试市2020年政府信息公开工作年度报告\n全年收到政府信息公开申请1700件。")
    )
    (check,) = [c for c in check_report(now, wrong).checks if ".change." in c.key]
    assert check.status == "fail"


def test_parent_against_its_children(tmp_path: Path) -> None:
    one, two = balanced(LAYOUT, random.Random(5), 50), balanced(LAYOUT, random.Random(6), 50)
    parent = {k: one[k] + two[k] for k in one}
    folders = [tmp_path / n for n in "abc"]
    for folder in folders:
        folder.mkdir()
    paths = [
        year_file(f, 2022, figures) for f, figures in zip(folders, (parent, one, two), strict=True)
    ]
    (report,) = audit_files(paths[:1], children=paths[1:])
    assert [c.status for c in report.checks if c.code == "B8"] == ["pass"]
    (report,) = audit_files(paths[:1], children=paths[1:2])
    assert {c.status for c in report.checks if c.code == "B8"} == {"pass", "uncertain"}
    cell = "t3.granted.natural_person"
    year_file(folders[0], 2022, {**parent, cell: one[cell] + two[cell] - 1})
    if one[cell] + two[cell]:
        (report,) = audit_files(paths[:1], children=paths[1:])
        assert {c.key for c in report.fails if c.code == "B8"} == {f"B8.{cell}"}


def test_against_an_edition(tmp_path: Path) -> None:
    figures = balanced(LAYOUT, random.Random(7))
    path = year_file(tmp_path, 2022, figures)
    path.write_text(
        path.read_text(encoding="utf-8") + "\n全年主动公开政府信息16193条。", encoding="utf-8"
    )
    edition = {
        "report_year": 2022,
        "layout": "2021",
        "cells": dict(figures),
        "overview": {"disclosed_items": 16193},
        "definitions": {
            **definitions_json(LAYOUT),
            "overview.disclosed_items": {
                "label": "主动公开政府信息",
                "definition": "本年首次发布的信息",
                "article": "条例第十九条",
            },
        },
    }
    (report,) = audit_files([path], edition=edition)
    compared = [c for c in report.checks if c.code == "EDITION"]
    assert {c.status for c in compared} == {"pass"}
    assert {c.key for c in compared} == {
        "EDITION.overview.disclosed_items",
        *(f"EDITION.{key}" for key in figures),
    }
    told = {c.key: c.message for c in compared}["EDITION.overview.disclosed_items"]
    assert "16193" in told
    assert "版本的口径:本年首次发布的信息(条例第十九条)" in told
    edition["cells"] = {**figures, "t3.granted.total": figures["t3.granted.total"] + 2}
    edition["overview"] = {"overview.disclosed_items": 16200}
    (report,) = audit_files([path], edition=edition)
    differing = {c.key: c for c in report.fails if c.code == "EDITION"}
    assert set(differing) == {"EDITION.t3.granted.total", "EDITION.overview.disclosed_items"}
    assert differing["EDITION.t3.granted.total"].gap == -2
    assert "办结日期在本年的申请" in differing["EDITION.t3.granted.total"].message
    (report,) = audit_files([path], edition={**edition, "report_year": 2021})
    assert [c.status for c in report.checks if c.code == "EDITION"] == ["not_assessable"]


def _run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(audit)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_command_ends_by_what_it_found(tmp_path: Path) -> None:
    figures = balanced(LAYOUT, random.Random(8))
    good = year_file(tmp_path, 2022, figures)
    code, output = _run(str(good), "--html", str(tmp_path / "page.html"))
    assert code == 0
    assert "不符 0" in output
    assert "200" in output
    bad = year_file(tmp_path, 2023, {**figures, "t4.reconsideration.total": 1})
    code, output = _run(str(bad))
    assert code == 1
    assert "B4" in output
    assert _run(str(tmp_path / "nothing.txt"))[0] == 2
    assert _run(str(good), str(bad), "--year", "2020")[0] == 2
    (tmp_path / "edition.json").write_text("{}", encoding="utf-8")
    assert _run(str(good), "--against-edition", str(tmp_path / "edition.json"))[0] == 2


def test_json_has_the_published_shape(tmp_path: Path) -> None:
    one = year_file(tmp_path, 2022, balanced(LAYOUT, random.Random(8)))
    two = year_file(tmp_path, 2023, balanced(LAYOUT, random.Random(9)))
    report = json.loads(_run(str(one), "--json")[1])
    assert {
        "report_year",
        "layout",
        "organ",
        "cells",
        "narrative",
        "checks",
        "not_understood",
    } <= set(report)
    assert (report["report_year"], report["layout"], report["organ"]) == (
        2022,
        "2021",
        "测试市人民政府",
    )
    for check in report["checks"]:
        assert {"code", "status", "equation", "gap", "message", "evidence"} <= set(check)
    several = json.loads(_run(str(two), str(one), "--json")[1])
    assert [r["report_year"] for r in several] == [2022, 2023]


def test_page_marks_figures_and_loads_nothing() -> None:
    text = "测试市2021年政府信息公开工作年度报告\n收到政府信息公开申请10件,其中自然人6件,法人或其他组织5件。<b>3721。"
    page = render_page([check_report(told(text))])
    assert 'class="fail"' in page
    assert "&lt;b&gt;" in page
    assert "http" not in page
    assert "src=" not in page


def test_blank_and_local_rows_are_in_the_json() -> None:
    lines = [
        "信息内容 | 本年制发件数 | 本年废止件数 | 现行有效件数 |",
        "规章 | / | 0 | 0 |",
        "行政规范性文件 | 1 | 0 | 9 |",
    ]
    out = as_json(check_report(told("\n".join(lines))))
    assert out["cells"]["t2.regulation.issued"] is None
    assert out["cells"]["t2.regulation.abolished"] == 0
