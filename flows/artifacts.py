"""What an operator reads in the Prefect UI: artifacts in Chinese, made by the rendering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from expectations.result import RuleResult
from flows.forms import default_year
from tasks.city.names import city_names
from tasks.editions.account_view import account_of
from tasks.editions.differences import Comparison
from tasks.editions.edition import Edition
from tasks.editions.take import Taken
from tasks.publish.maintain import Maintained
from tasks.publish.pages import maintenance, publication
from tasks.publish.publish import Published
from tasks.render import account, markdown, operator
from tasks.render.nightly import rule_results, source_results, taken_editions
from tasks.render.sets import INDEX, SUFFIX, sets_folder
from tasks.settings import Settings
from tasks.watch.deadlines import Deadlines
from tasks.watch.runs import Run
from tasks.watch.status import ResourceStatus
from warehouse.lake import Lake
from warehouse.period import Period


def _key(name: str, edition: Edition) -> str:
    """An artifact's key: Prefect takes small letters, digits and dashes only."""
    return f"{name}-{edition.reference.lower().replace('..', '-to-')}"


def publish_sources(run: Run, resources: Sequence[ResourceStatus], settings: Settings) -> None:
    """What each source brought, with the failures first."""
    create_markdown_artifact(
        key="sources",
        markdown=operator.with_way_to_desk(
            source_results(run, resources, city_names(settings.city)),
            "打开数据(年报工作台)",
            _desk(settings, "/data"),
        ),
        description="各来源取数情况",
    )


def publish_findings(results: Sequence[RuleResult], settings: Settings) -> None:
    """The rules that do not hold on the records."""
    create_markdown_artifact(
        key="record-findings",
        markdown=rule_results(results, city_names(settings.city)),
        description="记录核对情况",
    )


def publish_account(lake: Lake, settings: Settings, day: date) -> None:
    """Where every record of every list went, for the last year that is over."""
    period = Period.of_year(default_year(day))
    create_markdown_artifact(
        key="account",
        markdown=markdown.account_page(account_of(lake, settings.city, period), period),
        description=f"{period.label}{account.TITLE}",
    )


def files_url(settings: Settings, edition: Edition) -> str:
    """Where an edition's files are served; empty where they are not."""
    return f"{settings.files_url}/{edition.id}" if settings.files_url else ""


def _desk(settings: Settings, path: str = "") -> str:
    """Where a page of 年报工作台 is served; empty where it is not."""
    return f"{settings.page_url}/desk{path}" if settings.page_url else ""


def publish_edition(
    edition: Edition,
    folder: Path,
    settings: Settings,
    comparison: Comparison,
    chosen: Sequence[str] = (),
) -> None:
    """An edition: tables as they will print, findings, changes, files, and the way on."""
    base_url = files_url(settings, edition)
    here = _desk(settings, f"/edition/{edition.id}")
    texts = [
        ("tables", markdown.tables(edition), "法定表格"),
        ("findings", markdown.findings(edition), "核对问题"),
        ("changes", markdown.changes(edition), "与上年比较"),
        ("earlier", operator.against_earlier(edition, comparison), "与上一版次比较"),
        ("account", markdown.account_page(edition.account, edition.period), account.TITLE),
        ("files", markdown.files(edition, folder, base_url), "输出文件"),
    ]
    if chosen:
        texts.insert(1, ("organs", operator.chosen_organs(edition, chosen), "所选机关的表格"))
    pages = {}
    if settings.edition_shelf.has(sets_folder(folder).name):
        place = f"{base_url}{SUFFIX}/{INDEX}" if base_url else ""
        pages["各机关成套文件"] = place
    for key, text, title in texts:
        made = create_markdown_artifact(
            key=_key(key, edition),
            markdown=operator.with_way_to_desk(text, f"打开版次 {edition.id}(年报工作台)", here),
            description=f"{edition.report_name}{title}",
        )
        pages[title] = f"{settings.page_url}/artifacts/artifact/{made}" if settings.page_url else ""
    create_markdown_artifact(
        key=_key("result", edition),
        markdown=operator.result(edition, comparison, pages, base_url, _desk(settings)),
        description=f"{edition.report_name}编制结果，从这里看起",
    )


def publish_publication(published: Published, settings: Settings) -> None:
    """What was published, by whom, and what it replaces."""
    edition = published.edition
    create_markdown_artifact(
        key=_key("publication", edition),
        markdown=publication(published, files_url(settings, edition), _desk(settings)),
        description=f"{edition.report_name}发布情况",
    )


def publish_deadlines(found: Deadlines, settings: Settings) -> None:
    """What is due, near or overdue."""
    text = operator.deadlines(found)
    create_markdown_artifact(
        key="deadlines",
        markdown=operator.with_way_to_desk(
            text, "打开期限(年报工作台)", _desk(settings, "/deadlines")
        ),
        description=f"{found.on} 期限",
    )


def publish_taken(
    found: Taken, stale: Mapping[str, Sequence[str]], names: Mapping[str, str]
) -> None:
    """What was taken in of the cities of a province, and which of its editions are stale by it."""
    create_markdown_artifact(
        key="taken",
        markdown=taken_editions(found, stale, names),
        description="取入各市版次情况",
    )


def publish_maintenance(done: Maintained) -> None:
    """What was tidied."""
    create_markdown_artifact(key="maintenance", markdown=maintenance(done), description="整理情况")
