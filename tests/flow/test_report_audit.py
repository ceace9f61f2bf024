"""The flow `report-audit`: what its final state says."""

from __future__ import annotations

from pathlib import Path

import pytest

REPORT = Path(__file__).parents[1] / "backtest" / "reports" / "shanwei-2020.txt"


@pytest.fixture
def artifacts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The artifacts that the flow publishes, kept instead of sent."""
    from flows import report_audit

    kept: list[str] = []
    monkeypatch.setattr(
        report_audit, "create_markdown_artifact", lambda markdown, **_: kept.append(markdown)
    )
    monkeypatch.setattr(report_audit, "audit_step", report_audit.audit_step.fn)
    return kept


def test_a_report_that_does_not_add_up_fails_and_says_where(
    artifacts: list[str], tmp_path: Path
) -> None:
    from flows.report_audit import report_audit

    state = report_audit.fn(path=str(REPORT), page=str(tmp_path / "page.html"))
    assert state.is_failed()
    assert state.message is not None
    assert "2 处不符" in state.message
    (markdown,) = artifacts
    assert "2870 + 847 = 3717 ≠ 3721" in markdown
    assert "汕尾市人民政府" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_nothing_to_read_is_said(artifacts: list[str], tmp_path: Path) -> None:
    from flows.report_audit import report_audit

    state = report_audit.fn(path=str(tmp_path))
    assert state.is_failed()
    assert state.name == "读不了"
    assert artifacts == []


def test_a_page_that_cannot_be_written_is_said(artifacts: list[str], tmp_path: Path) -> None:
    from flows.report_audit import report_audit

    state = report_audit.fn(path=str(REPORT), page=str(tmp_path / "missing" / "page.html"))
    assert state.name == "写不了"
    assert "请改填" in (state.message or "")
    assert len(artifacts) == 1


def test_a_report_without_figures_is_not_called_right(artifacts: list[str], tmp_path: Path) -> None:
    from flows.report_audit import report_audit

    path = tmp_path / "empty.txt"
    path.write_text(
        "某县人民政府2020年政府信息公开工作年度报告\n\n一、总体情况\n\n略。\n", encoding="utf-8"
    )
    state = report_audit.fn(path=str(path))
    assert state.name == "无法核对"


def test_several_reports_get_a_front_page_of_their_own(
    artifacts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import zipfile

    from flows.report_audit import report_audit

    monkeypatch.setenv("NIANBAO_HOME", str(tmp_path / "home"))
    bundle = tmp_path / "county.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.write(REPORT, "汕尾.txt")
        archive.writestr("扫描.png", b"\x89PNG\r\n")
    other = tmp_path / "b.txt"
    other.write_text(
        "甲县2021年政府信息公开工作年度报告\n一、总体情况\n全年收到政府信息公开申请4件,其中自然人3件,法人1件。\n",
        encoding="utf-8",
    )
    state = report_audit.fn(path=f"{bundle};{other}")
    assert "2 份报告中有 2 处不符" in (state.message or "")
    (front,) = (tmp_path / "home" / "audits").glob("*/index.html")
    assert str(front) in artifacts[0]
    assert "扫描.png" in artifacts[0]
    page = front.read_text(encoding="utf-8")
    assert page.index("汕尾市人民政府") < page.index("甲县")
    assert {p.name for p in front.parent.iterdir()} >= {"figures.csv", "figures.xlsx", "b.html"}
