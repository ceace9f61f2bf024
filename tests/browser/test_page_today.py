"""The office's page as people use it: the day, the data, a record; another pull; a new person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tasks.people import log
from tasks.people.office import Office
from tasks.people.persons import MANAGES, WORKS
from tests.browser.conftest import Pulled
from tests.operator_room import Room

pytestmark = pytest.mark.timeout(600)
WORKER, MANAGER = "李科员", "周主任"


@pytest.fixture(scope="module")
def served(pulled: Pulled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """The room with whoever works and whoever keeps persons."""
    home = tmp_path_factory.mktemp("today") / "home"
    with pulled.room(home, {WORKER: WORKS, MANAGER: MANAGES}) as served:
        yield served


def test_a_day_at_the_desk(served: Room, opened: Callable[..., Any]) -> None:
    """Read the day, find a record, see where it stands, pull once more, read who did so."""
    page = opened()
    served.sign_in(page, WORKER)
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


def test_a_new_person_signs_in_with_what_is_shown_once(
    served: Room, opened: Callable[..., Any]
) -> None:
    page = opened()
    served.sign_in(page, MANAGER)
    page.goto(f"{served.address}/desk/people")
    page.get_by_label("姓名").fill("新来的")
    page.get_by_role("button", name="添加", exact=True).click()
    password, secret = page.locator(".once").all_inner_texts()
    newcomer = opened()
    served.sign_in(newcomer, "新来的", password=password, secret=secret)
    assert "新来的" in newcomer.locator(".who").inner_text()
    # Without scripts everything reads and every form works.
    bare = opened(java_script_enabled=False)
    served.sign_in(bare, MANAGER)
    bare.goto(f"{served.address}/desk/people")
    row = bare.get_by_role("row").filter(has_text="新来的")
    row.get_by_text("停用", exact=True).click()
    row.get_by_role("button", name="停用 新来的").click()
    assert bare.get_by_text("已停用").is_visible()
    newcomer.reload()
    assert "/desk/sign-in" in newcomer.url
