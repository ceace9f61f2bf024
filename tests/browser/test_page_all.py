"""Every page of 年报工作台, light and dark, on a phone and on a desk: axe finds nothing, nothing is
wider than the window, nothing comes from elsewhere, and reading needs no script."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tasks.people.persons import APPROVES, MANAGES, WORKS
from tests.browser.conftest import Pulled
from tests.operator_room import Room

Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
pytestmark = pytest.mark.timeout(600)
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
WIDTHS = (390, 768, 1440, 1920)


@pytest.fixture(scope="module")
def served(pulled: Pulled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Room, str]]:
    """The room with an edition, and the number of an application in it."""
    home = tmp_path_factory.mktemp("pages") / "home"
    people = {MANAGER: MANAGES, "王处长": APPROVES, "李科员": WORKS, "周科员": WORKS}
    with pulled.room(home, people) as served:
        served.installation.run("year-end", "2020", expect=1)
        found = served.installation.json("explain", "2020", "t3.granted.total")
        yield served, str(found["records"][0]["id"])


@pytest.fixture(scope="module")
def cookies(served: tuple[Room, str], chromium: Any) -> list[dict[str, Any]]:
    """Those of someone who may see everything."""
    context = chromium.new_context()
    served[0].sign_in(context.new_page(), MANAGER)
    found: list[dict[str, Any]] = context.cookies()
    context.close()
    return found


def test_every_page_is_for_everyone(
    served: tuple[Room, str], cookies: list[dict[str, Any]], opened: Callable[..., Any]
) -> None:
    room, record = served
    page = opened()
    page.context.add_cookies(cookies)
    wrong: list[str] = []
    for path in PAGES:
        page.set_viewport_size({"width": WAYS[0][0], "height": 900})
        page.emulate_media(color_scheme=WAYS[0][1])
        answer = page.goto(f"{room.address}/desk{path.format(record=record)}")
        if answer.status != (404 if path in NOT_THERE else 200):
            wrong.append(f"{path}: {answer.status}")
            continue
        wrong += [f"{path}: says {said}" for said in UNSAID.findall(page.inner_text("body"))]
        for width, scheme, rules in WAYS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            told = Axe().run(page, options={"runOnly": list(rules)} if rules else None)
            wrong += [
                f"{path} {width} {scheme}: {v['id']} {v['impact']}: {v['nodes'][0]['html'][:200]}"
                for v in told.response["violations"]
            ]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                wrong.append(f"{path}: {wide} wide at {width}")
    assert wrong == [], "\n".join(wrong)


UNSAID = re.compile(r"Traceback|None\b|Undefined|/tmp/\S+|抱歉|请稍候|\bFalse\b|\bTrue\b")
"""What an official is never shown."""


def test_reading_needs_no_script(
    served: tuple[Room, str], cookies: list[dict[str, Any]], opened: Callable[..., Any]
) -> None:
    room, record = served
    page = opened(java_script_enabled=False)
    page.context.add_cookies(cookies)
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
