"""The office's page as people use it: the day, the data, a record; another pull; a new person."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest

from tasks.people import log
from tasks.people.office import Office
from tasks.people.persons import MANAGES, WORKS
from tests.city import Installation
from tests.operator_room import PASSWORD, SECRET, Room, add_people, room

CHROMIUM = shutil.which("chromium")
IS_REQUIRED = os.environ.get("NIANBAO_TEST_REQUIRE") == "all"
if IS_REQUIRED:
    from playwright import sync_api
else:
    sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None and not IS_REQUIRED, reason="no chromium on this machine"),
    pytest.mark.timeout(600),
]
SCALE = 0.01
WORKER, MANAGER = "李科员", "周主任"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """The room over a city that was pulled once, with whoever works and whoever keeps persons."""
    from deployments.demo_city.service import running

    home = tmp_path_factory.mktemp("room")
    with running(home, scale=SCALE) as services:
        Installation.at(home, services).run("nightly")
        add_people(home, {WORKER: WORKS, MANAGER: MANAGES})
        with room(home, services) as served:
            yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


used: dict[str, int] = {}


def code_of(secret: str) -> str:
    """The next code of an authenticator: each serves once."""
    step = max(int(time.time()) // 30, used.get(secret, 0) + 1)
    while step > int(time.time()) // 30 + 1:
        time.sleep(0.5)
    used[secret] = step
    return pyotp.TOTP(secret).at(step * 30)


def signed_in(
    served: Room,
    browser: Any,
    name: str,
    password: str = PASSWORD,
    secret: str = SECRET,
    **more: Any,
) -> Any:
    """A page in which someone has signed in; nothing is asked of any other host."""
    context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai", **more)
    context.set_default_timeout(60_000)
    page = context.new_page()
    host = served.address.removeprefix("http://")
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("request", lambda r: page.faults.append(r.url) if host not in r.url else None)
    page.goto(f"{served.address}/desk/")
    page.get_by_label("姓名").fill(name)
    page.get_by_label("口令").fill(password)
    page.get_by_label("验证器").fill(code_of(secret))
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(f"{served.address}/desk/")
    return page


def test_a_day_at_the_desk(served: Room, browser: Any) -> None:
    """Read the day, find a record, see where it stands, pull once more, read who did so."""
    page = signed_in(served, browser, WORKER)
    assert page.get_by_role("heading", level=1).inner_text()
    page.keyboard.press("/")
    page.keyboard.type("YSQ2020")
    page.keyboard.press("Enter")
    page.locator("a.code").first.click()
    page.get_by_role("heading", name="来源现在说的").wait_for()
    page.get_by_role("link", name="数据").first.click()
    page.get_by_role("button", name="全部再取一次").click()
    # It is told how the run goes until it is over, without loading the page again.
    page.locator("#run").get_by_text(re.compile("已完成|没有全部办成")).wait_for(timeout=240_000)
    page.goto(f"{served.address}/desk/log")
    assert page.locator("tbody").get_by_text("取数").first.is_visible()
    acts = [(line.person, line.act) for line in log.lines(Office(served.home))]
    assert (WORKER, "取数") in acts
    assert page.faults == []


def test_a_new_person_signs_in_with_what_is_shown_once(served: Room, browser: Any) -> None:
    page = signed_in(served, browser, MANAGER)
    page.goto(f"{served.address}/desk/people")
    page.get_by_label("姓名").fill("新来的")
    page.get_by_role("button", name="添加", exact=True).click()
    password, secret = page.locator(".once").all_inner_texts()
    newcomer = signed_in(served, browser, "新来的", password, secret)
    assert "新来的" in newcomer.locator(".who").inner_text()
    # Without scripts everything reads and every form works.
    bare = signed_in(served, browser, MANAGER, java_script_enabled=False)
    bare.goto(f"{served.address}/desk/people")
    row = bare.get_by_role("row").filter(has_text="新来的")
    row.get_by_text("停用", exact=True).click()
    row.get_by_role("button", name="停用 新来的").click()
    assert bare.get_by_text("已停用").is_visible()
    newcomer.reload()
    assert "/desk/sign-in" in newcomer.url
    assert page.faults == newcomer.faults == bare.faults == []
