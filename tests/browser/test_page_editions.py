"""The pages of editions in a real browser: opened with mouse and keyboard, without scripts, on any width."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from deployments.page.gate import DESK, Gate
from deployments.page.inside import Inside
from deployments.page.origin import own_names
from deployments.page.routes import desk_app
from deployments.page.visitor import Door
from tasks.publish.approvals import Request
from tasks.settings import Settings
from tests.approving import approve_and_publish
from tests.ports import free_port
from tests.small_city import NOW, SmallCity
from tests.sql.test_desk_editions import CORRECTION, build

pytestmark = pytest.mark.timeout(600)
KEY = "t3.new_received.total"
PAGES = (
    "editions",
    "edition/2020-1",
    f"edition/2020-1?figure={KEY}",
    f"edition/2020-1/figure/{KEY}",
    "edition/2020-1/overview",
    "compare?before=2020-1&after=2020-2&records=1",
    "approval/1",
    "edition/2020-2/verify",
)


@pytest.fixture(scope="module")
def address(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The pages alone, behind their gate, over a city with a published edition and the one before."""
    city = small_template.copied_to(tmp_path_factory.mktemp("pages"))
    city.application("2020-01-05", "2020-01-20", record_id="first")
    city.application("2020-03-05", record_id="unknown-kind", applicant_kind=None)
    assert build(city) == "2020-1"
    (city.folder / "corrections.yaml").write_text(CORRECTION, encoding="utf-8")
    city.register()
    assert build(city, reason="更正申请人类别") == "2020-2"
    settings = Settings(home=city.lake.home, city=city.folder, port=free_port())
    approve_and_publish(city.lake, settings, Request("2020-2", "丙", "同意发布。"), now=NOW)
    door, inside = Door(settings), Inside(Starlette(), settings)
    app = Starlette(routes=[Mount(DESK, desk_app(settings, door, inside))])
    gate = Gate(app, door, own_names(settings.port, ""), inside)
    server = uvicorn.Server(
        uvicorn.Config(gate, host="127.0.0.1", port=settings.port, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{settings.port}{DESK}"
    server.should_exit = True
    thread.join(30)


def opened(chromium: Any, **more: Any) -> Any:
    """A page in which every mistake of a script is noted."""
    context = chromium.new_context(locale="zh-CN", **more)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.mistakes = []
    page.on("pageerror", lambda error: page.mistakes.append(str(error)))
    page.on(
        "console",
        lambda said: page.mistakes.append(said.text) if "favicon" not in said.text
        and "404" not in said.text and said.type == "error" else None,
    )  # fmt: skip
    return page


def test_a_figure_is_opened_and_closed_without_leaving_the_form(
    address: str, chromium: Any
) -> None:
    page = opened(chromium, viewport={"width": 1280, "height": 900})
    page.goto(f"{address}/editions")
    page.get_by_role("link", name="2020-1", exact=True).click()
    page.evaluate("window.stays = true")
    number = page.locator(f"[id='{KEY}']")
    number.click()
    panel = page.locator(".panel[data-open]")
    panel.get_by_text("六类申请人之和应等于总计，差 1").wait_for()
    assert page.url == f"{address}/edition/2020-1?figure={KEY}"
    assert number.get_attribute("class") == "n off open"
    # With the keyboard: one stop a table, arrows among its numbers, Enter opens, Esc closes.
    number.focus()
    page.keyboard.press("ArrowDown")
    beside = page.evaluate("document.activeElement.id")
    assert beside == "t3.carried_in.total"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.id") == "t3.carried_in.other_organization"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.locator(f".panel[data-open='{beside}']").wait_for()
    page.keyboard.press("Escape")
    panel.wait_for(state="detached")
    assert page.url == f"{address}/edition/2020-1"
    assert page.evaluate("document.activeElement.id") == beside
    stops = "[...document.querySelectorAll('table.official')].map(t => t.querySelectorAll('a.n[tabindex=\"0\"]').length)"
    assert page.evaluate(stops) == [1, 1, 1]
    # All of it in one page; going back asks for what was shown before.
    assert page.evaluate("window.stays") is True
    page.go_back()
    page.locator(f".panel[data-open='{beside}']").wait_for()
    assert page.mistakes == []
    page.context.close()


def test_two_editions_are_chosen_and_the_records_come_by_themselves(
    address: str, chromium: Any
) -> None:
    page = opened(chromium, viewport={"width": 1280, "height": 900})
    page.goto(f"{address}/editions?q=2020")
    page.get_by_role("button", name="比较所选两版").click()
    page.get_by_role("heading", name="都由 1 条记录引起").wait_for()
    page.get_by_role("link", name="unknown-kind").first.wait_for()
    page.get_by_text("申请人类别：空 → 自然人").wait_for()
    assert page.mistakes == []
    page.context.close()


def test_all_of_it_works_without_scripts(address: str, chromium: Any) -> None:
    page = opened(chromium, java_script_enabled=False)
    page.goto(f"{address}/edition/2020-1")
    page.locator(f"[id='{KEY}']").click()
    page.get_by_role("heading", name="一、本年新收政府信息公开申请数量 · 总计").wait_for()
    page.get_by_role("link", name="全部记录与取数语句").click()
    page.get_by_role("link", name="unknown-kind").first.wait_for()
    page.goto(f"{address}/edition/2020-1")
    page.locator("select[name=organ]").select_option("A1")
    page.get_by_role("button", name="看").click()
    page.locator(".formtitle").get_by_text("甲县东镇").wait_for()
    page.goto(f"{address}/edition/2020-2/verify")
    page.get_by_role("button", name="验真").click()
    page.get_by_role("heading", name="版次 2020-2 与签名时一致").wait_for()
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_its_window(address: str, chromium: Any, scheme: str) -> None:
    for width in (390, 768, 1920):
        page = opened(chromium, viewport={"width": width, "height": 900}, color_scheme=scheme)
        for path in PAGES:
            page.goto(f"{address}/{path}")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (path, width, wide)
        assert page.mistakes == []
        page.context.close()
