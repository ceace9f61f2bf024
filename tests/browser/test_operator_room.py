"""The year's work in the real page: build, read, publish; and what wrong entries answer."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tasks.people.persons import APPROVES, VIEWS, WORKS
from tests.browser.conftest import Pulled
from tests.operator_room import APPROVER, Room
from warehouse.lake import Lake

pytestmark = pytest.mark.timeout(600)

YEAR = 2020
BUILDER, VIEWER = "李科员", "赵科员"


@pytest.fixture(scope="module")
def served(pulled: Pulled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """The room with three persons, two of them required."""
    home = tmp_path_factory.mktemp("room") / "home"
    people = {APPROVER: APPROVES, BUILDER: WORKS, VIEWER: VIEWS}
    with pulled.room(home, people, NIANBAO_TWO_PERSONS="true") as served:
        yield served


@pytest.fixture
def page(opened: Callable[..., Any]) -> Any:
    return opened(viewport={"width": 1280, "height": 1400})


def open_form(served: Room, page: Any, deployment: str) -> None:
    """From the list of deployments to the form, as an operator goes."""
    page.goto(f"{served.address}/deployments")
    page.locator(f"a[href^='/deployments/deployment/']:text-is('{deployment}')").click()
    page.locator(".run-menu__run-button").click()
    page.get_by_text("Custom run").click()
    page.locator("form").wait_for()


def fields(page: Any, title: str) -> Any:
    """The form's fields under a title; the page writes (Optional) behind it."""
    label = page.locator(f"xpath=.//span[starts-with(normalize-space(), '{title} (Optional)')]")
    return page.locator(
        ".schema-form-property", has=page.locator("> .p-label__header").filter(has=label)
    )


def fill(page: Any, title: str, text: str) -> None:
    """Fill every field under a title."""
    found = fields(page, title).locator("> .p-label__body").locator("textarea, input")
    found.first.wait_for()
    for box in found.all():
        box.fill(text)


def choose(page: Any, title: str, option: str) -> None:
    """Choose from a list."""
    fields(page, title).locator(".p-select-button__control").focus()
    page.keyboard.press("Space")
    page.locator(".p-select-option", has_text=option).first.click()


def submit(served: Room, page: Any) -> str:
    """Submit the form and go to the run's page; returns the run's id."""

    def newest() -> set[str]:
        asked = {"flows": {"name": {"any_": ["year-end", "publish"]}}}
        return {run["id"] for run in served.ask("/flow_runs/filter", asked)}

    before = newest()
    button = page.get_by_role("button", name="Submit")
    button.click()
    # The page's own notice is gone after a few seconds; the server knows for certain.
    until, again = time.monotonic() + 90, time.monotonic() + 20
    while not (made := newest() - before):
        assert time.monotonic() < until, "the form was submitted and no run began"
        if time.monotonic() > again and button.is_visible():
            # A server that is too busy refuses, and the form stays: an operator presses again.
            button.click()
            again = time.monotonic() + 20
        page.wait_for_timeout(200)
    (run_id,) = made
    page.goto(f"{served.address}/runs/flow-run/{run_id}")
    return run_id


def read_artifact(served: Room, page: Any, title: str) -> str:
    """Follow a link of the page to an artifact, and read it."""
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=title, exact=True).click()
    shown = opened.value
    shown.locator("h1").last.wait_for()
    text = str(shown.locator("main, .p-content, body").last.inner_text())
    shown.close()
    return text


def test_build_read_publish(served: Room, page: Any) -> None:
    served.sign_in(page, BUILDER, "/deployments")
    open_form(served, page, "year-end")
    fill(page, "报告年度", str(YEAR))
    # Whoever is signed in has built it, whatever is typed.
    fill(page, "编制人", "别人")
    run_id = submit(served, page)
    state = served.until_ended(run_id)
    assert state["name"] == "有阻断问题", state
    edition = re.search(rf"{YEAR}-\d+", state["message"]).group()  # type: ignore[union-attr]
    page.reload()
    page.get_by_text("有阻断问题", exact=True).first.wait_for()
    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text(f"result-{YEAR}", exact=True).first.click()
    page.get_by_text("下一步").wait_for()

    tables = read_artifact(served, page, "法定表格")
    for text in (
        "法定表格",
        "规范性文件",
        "行政许可",
        "予以公开",
        "不予公开",
        "行政复议",
        "演示数据",
    ):
        assert text in tables
    assert "共核对" in read_artifact(served, page, "核对问题")
    assert "增减" in read_artifact(served, page, "与上年比较")
    assert "第一个版次" in read_artifact(served, page, "与上一版次比较")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="网页报告").click()
    report = opened.value
    report.wait_for_load_state()
    assert f"{YEAR}年政府信息公开工作年度报告" in report.title()
    report.close()

    with page.context.expect_page() as opened:
        page.get_by_role("link", name=re.compile("打开批准页")).click()
    form = opened.value
    form.get_by_text("您是这一版次的编制人，不能批准").wait_for()
    served.sign_in(form, APPROVER, f"/desk/approve/{edition}")
    for box in form.locator("textarea[name^='answer.']").all():
        box.fill("已核实，记录正在补登")
    form.get_by_label("批准意见").fill("同意发布")
    form.get_by_label("验证码").fill("000000")
    form.get_by_role("button", name="批准并发布").click()
    form.get_by_text("验证码不对或已过期").wait_for()
    # What was filled in is still there, but for the code.
    assert form.locator("textarea[name^='answer.']").first.input_value() == "已核实，记录正在补登"
    assert form.get_by_label("验证码").input_value() == ""
    code = served.code_of(APPROVER)
    form.get_by_label("验证码").fill(code)
    form.get_by_role("button", name="批准并发布").click()
    form.get_by_text("批准编号").first.wait_for()
    run_id = form.url.rpartition("run=")[2]
    state = served.until_ended(run_id)
    assert code not in json.dumps(served.ask(f"/flow_runs/{run_id}"))
    form.goto(f"{served.address}/runs/flow-run/{run_id}")
    assert state["type"] == "COMPLETED", state
    form.reload()
    form.get_by_text("Completed", exact=True).first.wait_for()
    form.get_by_text("Artifacts", exact=True).first.click()
    form.get_by_text(f"publication-{YEAR}", exact=True).first.click()
    form.get_by_role("heading", name="已发布").wait_for()
    shown = form.inner_text("body")
    for text in (APPROVER, "同意发布", edition, "对阻断问题的答复", "edition.duckdb"):
        assert text in shown
    form.close()

    with Lake(served.home).read() as connection:
        row = connection.execute(
            "SELECT edition_status, approved_by, built_by, statement, manifest_hash "
            "FROM yearly.edition WHERE edition_id = ?",
            [edition],
        ).fetchone()
        unanswered = connection.execute(
            "SELECT count(*) FROM yearly.check_result WHERE edition_id = ? AND severity = 'block' "
            "AND check_status IN ('fail', 'not_run') AND verdict IS NULL",
            [edition],
        ).fetchone()
    assert row is not None
    assert row[:4] == ("published", APPROVER, BUILDER, "同意发布")
    assert unanswered == (0,)
    folder = served.home / "editions" / edition
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["approval"]["approver"] == APPROVER
    assert (folder / "tables.xlsx").stat().st_mode & 0o222 == 0
    assert "没有发现改动" in served.installation.run("verify")


def answer_of(served: Room, run_id: str) -> str:
    began = time.monotonic()
    state = served.until_ended(run_id)
    assert state["name"] == "输入有误", state
    assert time.monotonic() - began < 60
    return str(state["message"])


def test_wrong_entries_are_answered(served: Room, page: Any) -> None:
    served.sign_in(page, BUILDER, "/deployments")
    open_form(served, page, "year-end")
    fill(page, "报告年度", "1999")
    run_id = submit(served, page)
    assert "请填 2019 至" in answer_of(served, run_id)
    page.reload()
    page.get_by_text("报告年度 1999 不能编制").first.wait_for()
    page.get_by_text("输入有误", exact=True).first.wait_for()

    served.run("year-end", year=2019, built_by="李科员")
    with Lake(served.home).read() as connection:
        (edition,) = connection.execute(
            "SELECT edition_id FROM yearly.edition WHERE report_year = 2019 AND edition_status = 'pending'"
        ).fetchone()

    open_form(served, page, "publish")
    fill(page, "批准编号", "99")
    run_id = submit(served, page)
    assert "没有编号为“99”的批准" in answer_of(served, run_id)

    # As whoever has read a code would: forms without what only our own page knows, other origins.
    cookies = {c["name"]: c["value"] for c in page.context.cookies()}
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    publish = served.deployment("publish")["id"]
    for path, body, headers, status in (
        (f"/desk/approve/{edition}", "statement=x&code=123456", {"Cookie": cookie}, 403),
        (f"/desk/approve/{edition}", "statement=x&code=123456", {}, 401),
        ("/api/flow_runs/filter", "{}", {}, 401),
        ("/api/flow_runs/filter", "{}", {"Cookie": cookie, "Origin": "http://evil.example"}, 403),
        ("/api/flow_runs/filter", "{}", {"Cookie": cookie, "Host": "evil.example"}, 403),
        ("/api/deployments/", "{}", {"Cookie": cookie}, 403),
        (
            f"/api/deployments/{publish}/create_flow_run",
            json.dumps({"parameters": {"edition": edition, "code": "123456"}}),
            {"Cookie": cookie},
            422,
        ),
    ):
        assert refused_with(f"{served.address}{path}", body, headers) == status, (path, headers)
    asked = {"deployments": {"name": {"any_": ["publish"]}}}
    assert "123456" not in json.dumps(served.ask("/flow_runs/filter", asked))

    served.sign_in(page, VIEWER, "/deployments")
    open_form(served, page, "year-end")
    fill(page, "报告年度", str(YEAR))
    page.get_by_role("button", name="Submit").click()
    page.wait_for_timeout(1500)
    assert page.get_by_role("button", name="Submit").is_visible()
    with Lake(served.home).read() as connection:
        assert connection.execute(
            "SELECT edition_status FROM yearly.edition WHERE edition_id = ?", [edition]
        ).fetchone() == ("pending",)


def refused_with(url: str, body: str, headers: dict[str, str]) -> int:
    request = urllib.request.Request(url, body.encode(), headers)
    try:
        return int(urllib.request.urlopen(request, timeout=60).status)
    except urllib.error.HTTPError as refused:
        return refused.code
