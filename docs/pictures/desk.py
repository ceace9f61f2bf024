"""Takes the pictures of 年报工作台 in docs/operators.zh.md: a year at the page, from the first look to
the approval, in a demo city of its own.

    python docs/pictures/desk.py [folder of the data home, made when it is not there]

Needs the development environment and Debian's chromium; takes some minutes.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyotp
from playwright.sync_api import Browser, Page, sync_playwright

from deployments.demo_city.service import running
from tasks.people.office import Office
from tasks.people.persons import APPROVES, MANAGES, WORKS, has_persons
from tests.city import Installation
from tests.operator_room import PASSWORD, SECRET, add_people, room

FOLDER = Path(__file__).parent / "operators"
BUILDER, SECOND, APPROVER, MANAGER = "甲", "乙", "丙", "戊"
WIDE, HIGH = 1200, 900
_used: dict[str, int] = {}


def code_of(name: str) -> str:
    """The next code of someone's authenticator: each serves once."""
    step = max(int(time.time()) // 30, _used.get(name, 0) + 1)
    while step > int(time.time()) // 30 + 1:
        time.sleep(0.5)
    _used[name] = step
    return pyotp.TOTP(SECRET).at(step * 30)


def opened(browser: Browser, address: str, name: str) -> Page:
    """A window in which someone is signed in."""
    context = browser.new_context(
        viewport={"width": WIDE, "height": HIGH}, locale="zh-CN", color_scheme="light"
    )
    page = context.new_page()
    page.set_default_timeout(180_000)
    page.goto(f"{address}/desk/")
    page.get_by_label("姓名").fill(name)
    page.get_by_label("口令").fill(PASSWORD)
    if name == BUILDER:
        picture(page, "desk-sign-in", 520)
    page.get_by_label("验证器").fill(code_of(name))
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(f"{address}/desk/")
    return page


def picture(page: Page, name: str, high: int = 0) -> None:
    """What is seen, or so much of the page from its top."""
    page.wait_for_load_state("networkidle")
    if high:
        page.set_viewport_size({"width": WIDE, "height": high})
    page.screenshot(path=FOLDER / f"{name}.png")
    page.set_viewport_size({"width": WIDE, "height": HIGH})
    print(name, flush=True)


def built(page: Page, address: str, query: str) -> str:
    """Build an edition from the page; returns its id."""
    page.goto(f"{address}/desk/build?{query}")
    picture(page, "desk-build")
    page.get_by_role("button", name="开始编制").click()
    page.wait_for_url("**/desk/building/*")
    page.locator("[aria-current=step]").first.wait_for()
    picture(page, "desk-building", 700)
    page.get_by_role("link", name="处理核对问题").click()
    return re.findall(r"/edition/([^/]+)/findings", page.url)[0]


def corrected(page: Page, address: str) -> str:
    """Enter a correction of the first record; returns its page."""
    page.locator("article.rec.turn").first.get_by_role("link", name="登记更正").click()
    page.locator("#val").select_option(index=1)
    page.get_by_label("理由").fill("申请表载明为自然人，台账登记时漏填。")
    page.get_by_label("谁提出的").fill("市住房和城乡建设局 公开科")
    page.get_by_label("请谁复核").select_option(SECOND)
    page.get_by_role("button", name="看改了以后的数").click()
    page.get_by_text("的数据算。").wait_for()
    picture(page, "desk-correction", 1300)
    page.get_by_role("button", name="登记，送复核").click()
    page.wait_for_url(re.compile(r"/desk/correction/\d+$"))
    return page.url.removeprefix(address)


def answered(page: Page, address: str, edition: str) -> None:
    """Answer every record that is left."""
    page.goto(f"{address}/desk/edition/{edition}/findings")
    while page.locator("article.rec.turn").count():
        record = page.locator("article.rec.turn").first
        record.get_by_text("写答复").click()
        record.get_by_label("为什么可以带着这个问题发布").fill(
            "申请表已遗失，机关书面说明无法补登。"
        )
        record.get_by_role("button", name="保存答复").click()
        page.wait_for_load_state()


def a_year(browser: Browser, address: str) -> None:
    """From the first look to the approval."""
    page = opened(browser, address, BUILDER)
    picture(page, "desk-today", 1100)
    page.goto(f"{address}/desk/data")
    picture(page, "desk-data")
    edition = built(page, address, "year=2020")
    picture(page, "desk-findings")
    page.goto(f"{address}/desk/edition/{edition}?figure=t3.results_total.total")
    picture(page, "desk-edition", 1500)
    page.goto(f"{address}/desk/edition/{edition}/findings")
    correction = corrected(page, address)
    answered(page, address, edition)
    page.goto(f"{address}/desk/edition/{edition}/transfer/441502")
    picture(page, "desk-letter", 1100)
    other = opened(browser, address, SECOND)
    other.goto(f"{address}{correction}")
    picture(other, "desk-review")
    other.get_by_role("button", name="复核同意").click()
    newer = built(page, address, f"edition={edition}")
    page.get_by_role("button", name="送批准").click()
    page.goto(f"{address}/desk/compare?before={edition}&after={newer}&records=1")
    picture(page, "desk-compare")
    approver = opened(browser, address, APPROVER)
    picture(approver, "desk-today-approver")
    approver.goto(f"{address}/desk/approve/{newer}")
    for box in approver.locator("input[type=checkbox]").all():
        box.check()
    approver.get_by_label("验证码").fill(code_of(APPROVER))
    approver.screenshot(path=FOLDER / "desk-approve.png", full_page=True)
    approver.get_by_role("button", name="批准并发布").click()
    approver.wait_for_url("**/desk/approval/*")
    while approver.get_by_text("留存核对码").count() == 0:
        approver.wait_for_timeout(3000)
        approver.reload()
    picture(approver, "desk-approved", 1100)
    page.goto(f"{address}/desk/editions")
    picture(page, "desk-editions", 700)
    audited(page, address)
    manager = opened(browser, address, MANAGER)
    manager.goto(f"{address}/desk/people")
    picture(manager, "desk-people", 800)
    manager.goto(f"{address}/desk/log")
    picture(manager, "desk-log")


def audited(page: Page, address: str) -> None:
    """Send two reports and look at who fails where."""
    with tempfile.TemporaryDirectory() as name:
        texts = {
            "某区2020年报.txt": "某区人民政府2020年政府信息公开工作年度报告\n"
            "全年收到申请12件，其中予以公开8件、不予公开2件、其他处理1件。",
            "某县2020年报.txt": "某县人民政府2020年政府信息公开工作年度报告\n"
            "全年新收申请30件，同比增长50%，上年为20件。",
        }
        for file, text in texts.items():
            (Path(name) / file).write_text(text, encoding="utf-8")
        page.goto(f"{address}/desk/audit")
        page.get_by_label("报告文件").set_input_files([Path(name) / file for file in texts])
        page.get_by_role("button", name="上传并核对").click()
        page.get_by_role("heading", name="谁在哪里不符").wait_for()
    page.get_by_role("link", name="某区").first.click()
    picture(page, "desk-audit", 1000)


def main(home: Path) -> None:
    FOLDER.mkdir(exist_ok=True)
    with running(home, scale=1.0) as services:
        city = Installation.at(home, services)
        if not (home / "lake").exists():
            city.run("nightly", timeout=1800)
        if not has_persons(Office(home)):
            people: dict[str, Any] = {BUILDER: WORKS, SECOND: WORKS, APPROVER: APPROVES}
            add_people(home, {**people, MANAGER: MANAGES})
        with (
            room(home, services, NIANBAO_TWO_PERSONS="true") as served,
            sync_playwright() as play,
        ):
            browser = play.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox"]
            )
            a_year(browser, served.address)
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "home")
