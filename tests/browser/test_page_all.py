"""Every page of 年报工作台, light and dark, on a phone and on a desk: axe finds nothing, nothing is
wider than the window, nothing comes from elsewhere, and reading needs no script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tasks.people.persons import APPROVES, MANAGES, WORKS
from tests.browser.test_operator_room import (
    CHROMIUM,
    IS_REQUIRED,
    PASSWORD,
    QUIET,
    code_of,
    sync_api,
)
from tests.city import Installation
from tests.operator_room import Room, add_people, room

if IS_REQUIRED:
    from axe_playwright_python.sync_playwright import Axe
else:
    Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None and not IS_REQUIRED, reason="no chromium on this machine"),
    pytest.mark.timeout(600),
]
MANAGER = "管主任"
EDITION = "2020-1"
PAGES = (
    "/",
    "/deadlines",
    "/data",
    "/search",
    "/search?q={record}",
    "/record/ledger/application/{record}",
    "/log",
    "/people",
    "/editions",
    f"/edition/{EDITION}",
    f"/edition/{EDITION}?figure=t3.granted.total",
    f"/edition/{EDITION}/overview",
    f"/edition/{EDITION}/figure/t3.granted.total",
    f"/edition/{EDITION}/figure/t3.results_total.total",
    f"/edition/{EDITION}/findings",
    f"/edition/{EDITION}/transfer/441502",
    f"/edition/{EDITION}/verify",
    "/compare?before=2019-1&after=2020-1",
    "/corrections",
    "/correction/new",
    "/correction/new?source=ledger&table=application&record={record}&column=outcome",
    "/build",
    "/audit",
    f"/approve/{EDITION}",
    "/nosuch",
)
NOT_THERE = ("/nosuch", "/compare?before=2019-1&after=2020-1")
"""These say where to begin instead."""
WAYS: tuple[tuple[int, str, tuple[str, ...]], ...] = (
    (1440, "light", ()),
    # What is otherwise there is the same.
    (1440, "dark", ("color-contrast",)),
    (
        390,
        "light",
        ("color-contrast", "target-size", "scrollable-region-focusable", "meta-viewport"),
    ),
)
"""Width, colours, and the rules of axe that are tried; none: all."""
WIDTHS = (390, 768, 1920)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Room, str]]:
    """The room over a small city with an edition, and the number of an application in it."""
    from deployments.demo_city.service import running

    home = tmp_path_factory.mktemp("pages")
    with running(home, scale=0.005) as services:
        city = Installation.at(home, services)
        city.run("nightly")
        city.run("year-end", "2020", expect=1)
    found = city.json("explain", "2020", "t3.granted.total")
    add_people(home, {MANAGER: MANAGES, "王处长": APPROVES, "李科员": WORKS, "周科员": WORKS})
    with room(home, services) as served:
        yield served, str(found["records"][0]["id"])


@pytest.fixture
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


def signed_in(served: Room, browser: Any) -> list[dict[str, Any]]:
    """The cookies of someone who may see everything."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{served.address}/desk/")
    page.get_by_label("姓名").fill(MANAGER)
    page.get_by_label("口令").fill(PASSWORD)
    page.get_by_label("验证器").fill(code_of(MANAGER))
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(f"{served.address}/desk/")
    found: list[dict[str, Any]] = context.cookies()
    context.close()
    return found


def test_every_page_is_for_everyone(served: tuple[Room, str], browser: Any) -> None:
    room, record = served
    cookies = signed_in(room, browser)
    wrong: list[str] = []
    for width, scheme, rules in WAYS:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, locale="zh-CN"
        )
        context.add_cookies(cookies)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda r, asked=asked: asked.append(r.url))
        page.on("pageerror", lambda error, wrong=wrong: wrong.append(f"script: {error}"))
        for path in PAGES:
            address = f"{room.address}/desk{path.format(record=record)}"
            answer = page.goto(address)
            place = f"{path} {width} {scheme}"
            if answer.status != (404 if path in NOT_THERE else 200):
                wrong.append(f"{place}: {answer.status}")
                continue
            told = Axe().run(page, options={"runOnly": list(rules)} if rules else None)
            wrong += [
                f"{place}: {v['id']} {v['impact']}: {v['nodes'][0]['html'][:200]}"
                for v in told.response["violations"]
            ]
            for other in {width, *(WIDTHS if scheme == "light" and width > 390 else ())}:
                page.set_viewport_size({"width": other, "height": 900})
                wide = page.evaluate("document.documentElement.scrollWidth")
                if wide > other:
                    wrong.append(f"{path}: {wide} wide at {other}")
            page.set_viewport_size({"width": width, "height": 900})
            text = page.inner_text("body")
            wrong += [f"{place}: says {said}" for said in UNSAID.findall(text)]
        wrong += [url for url in asked if not url.startswith((room.address, "data:"))]
        context.close()
    assert wrong == [], "\n".join(wrong)


UNSAID = re.compile(r"Traceback|None\b|Undefined|/tmp/\S+|抱歉|请稍候|\bFalse\b|\bTrue\b")
"""What an official is never shown."""


def test_reading_needs_no_script(served: tuple[Room, str], browser: Any) -> None:
    room, record = served
    context = browser.new_context(java_script_enabled=False, locale="zh-CN")
    context.add_cookies(signed_in(room, browser))
    page = context.new_page()
    page.goto(f"{room.address}/desk/edition/{EDITION}")
    page.locator("a.n").nth(30).click()
    assert "figure=" in page.url
    page.get_by_text("怎么数的").first.wait_for()
    page.goto(f"{room.address}/desk/record/ledger/application/{record}")
    page.get_by_text(record).first.wait_for()
    page.goto(f"{room.address}/desk/edition/{EDITION}/findings")
    record_of = page.locator("article.rec").first
    record_of.get_by_text("写答复").click()
    record_of.get_by_label("为什么可以带着这个问题发布").fill("申请表已遗失")
    record_of.get_by_role("button", name="保存答复").click()
    page.get_by_text("申请表已遗失").first.wait_for()
