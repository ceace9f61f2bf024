"""What an operator reads in the Prefect UI: artifacts in Chinese, made by the rendering."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from expectations.rules import RuleResult
from tasks.clock import now
from tasks.edition import Edition
from tasks.render import markdown
from tasks.render.nightly import rule_results, source_results
from tasks.runs import Run
from tasks.status import read_status
from warehouse.lake import Lake


def publish_sources(lake: Lake, run: Run) -> None:
    """What each source brought, with the failures first."""
    create_markdown_artifact(
        key="sources",
        markdown=source_results(run, read_status(lake, now=now())),
        description="各来源取数情况",
    )


def publish_findings(results: Sequence[RuleResult]) -> None:
    """The rules that do not hold on the records."""
    create_markdown_artifact(
        key="record-findings", markdown=rule_results(results), description="记录核对情况"
    )


def publish_edition(edition: Edition, folder: Path) -> None:
    """An edition: tables as they will print, findings, changes, files."""
    year = edition.report_year
    for key, text, title in (
        ("tables", markdown.tables(edition), "法定表格"),
        ("findings", markdown.findings(edition), "核对问题"),
        ("changes", markdown.changes(edition), "与上年比较"),
        ("files", markdown.files(edition, folder), "输出文件"),
    ):
        create_markdown_artifact(
            key=f"{key}-{year}", markdown=text, description=f"{year} 年{title}"
        )
