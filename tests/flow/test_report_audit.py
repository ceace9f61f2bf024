"""The flow `report-audit`: what its final state says."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

REPORT = Path(__file__).parents[1] / "backtest" / "reports" / "shanwei-2020.txt"


@pytest.fixture
def reports(home: Path) -> Path:
    """The folder of reports of a home, with one that does not add up."""
    folder = home / "reports"
    folder.mkdir(parents=True)
    shutil.copy(REPORT, folder / "report.txt")
    return folder


@pytest.fixture
def artifacts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The artifacts that the flow publishes, kept instead of sent."""
    from flows import forms, report_audit

    kept: list[str] = []
    monkeypatch.setattr(
        report_audit, "create_markdown_artifact", lambda markdown, **_: kept.append(markdown)
    )
    monkeypatch.setattr(report_audit, "audit_step", report_audit.audit_step.fn)
    monkeypatch.setattr(report_audit, "get_run_logger", logging.getLogger)
    monkeypatch.setattr(
        report_audit, "refused", lambda error: report_audit.ended("输入有误", str(error))
    )
    monkeypatch.setattr(forms, "refused", lambda error: forms.ended("输入有误", str(error)))
    return kept


def test_a_report_that_does_not_add_up_fails_and_says_where(
    artifacts: list[str], reports: Path
) -> None:
    from flows.report_audit import report_audit

    state = report_audit.fn(path="report.txt", page=True)
    assert state.is_failed()
    assert state.message is not None
    assert "2 处不符" in state.message
    (markdown,) = artifacts
    assert "2870 + 847 = 3717 ≠ 3721" in markdown
    (page,) = (reports.parent / "audits").iterdir()
    assert "汕尾市人民政府" in page.read_text(encoding="utf-8")
    # The next one is another file.
    assert report_audit.fn(page=True).message == state.message
    assert len(list((reports.parent / "audits").iterdir())) == 2


def test_nothing_to_read_is_said(artifacts: list[str], reports: Path) -> None:
    from flows.report_audit import report_audit

    (reports / "report.txt").unlink()
    state = report_audit.fn()
    assert state.is_failed()
    assert state.name == "读不了"
    assert artifacts == []


def test_a_page_that_cannot_be_written_is_said(artifacts: list[str], reports: Path) -> None:
    from flows.report_audit import report_audit

    (reports.parent / "audits").write_text("in the way", encoding="utf-8")
    state = report_audit.fn(path="report.txt", page=True)
    assert state.name == "写不了"
    assert "请检查" in (state.message or "")
    assert len(artifacts) == 1


@pytest.mark.parametrize(
    "named",
    [
        "{outside}",
        "../secret.txt",
        "sub/../../secret.txt",
        "link.txt",
        "linked",
        "/etc",
        "~",
        "a\x00b",
    ],
)
def test_nothing_outside_the_folder_is_read(
    artifacts: list[str], reports: Path, named: str
) -> None:
    from flows.report_audit import report_audit

    outside = reports.parent / "secret.txt"
    shutil.copy(REPORT, outside)
    (reports / "link.txt").symlink_to(outside)
    (reports / "linked").symlink_to(reports.parent)
    state = report_audit.fn(path=named.format(outside=outside))
    assert state.is_failed()
    assert artifacts == []
    # Nor by way of the whole folder.
    (reports / "report.txt").unlink()
    assert report_audit.fn().name == "读不了"


def test_the_page_is_written_nowhere_else(artifacts: list[str], reports: Path) -> None:
    """Whatever is entered for it: it is yes or no, and a link is not followed."""
    from flows.report_audit import report_audit

    victim = reports.parent / "lake" / "catalog.sqlite"
    victim.parent.mkdir()
    victim.write_bytes(b"SQLite format 3")
    for entered in (str(victim), "../lake/catalog.sqlite", "catalog.sqlite"):
        state = report_audit.fn(path="report.txt", page=entered)
        assert state.name == "输入有误"
    assert victim.read_bytes() == b"SQLite format 3"
    (reports.parent / "audits").symlink_to(victim.parent)
    assert report_audit.fn(path="report.txt", page=True).name == "写不了"
    assert [p.name for p in victim.parent.iterdir()] == ["catalog.sqlite"]


def test_a_report_without_figures_is_not_called_right(artifacts: list[str], reports: Path) -> None:
    from flows.report_audit import report_audit

    path = reports / "empty.txt"
    path.write_text(
        "某县人民政府2020年政府信息公开工作年度报告\n\n一、总体情况\n\n略。\n", encoding="utf-8"
    )
    state = report_audit.fn(path=path.name)
    assert state.name == "无法核对"


def test_several_reports_get_a_front_page_of_their_own(artifacts: list[str], reports: Path) -> None:
    import zipfile

    from flows.report_audit import report_audit

    bundle = reports / "county.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.write(REPORT, "汕尾.txt")
        archive.writestr("扫描.png", b"\x89PNG\r\n")
    other = reports / "b.txt"
    other.write_text(
        "甲县2021年政府信息公开工作年度报告\n一、总体情况\n全年收到政府信息公开申请4件,其中自然人3件,法人1件。\n",
        encoding="utf-8",
    )
    state = report_audit.fn(path=f"{bundle.name};{other.name}")
    assert "2 份报告中有 2 处不符" in (state.message or "")
    (front,) = (reports.parent / "audits").glob("*/index.html")
    assert str(front) in artifacts[0]
    assert "扫描.png" in artifacts[0]
    page = front.read_text(encoding="utf-8")
    assert page.index("汕尾市人民政府") < page.index("甲县")
    assert {p.name for p in front.parent.iterdir()} >= {"figures.csv", "figures.xlsx", "b.html"}
