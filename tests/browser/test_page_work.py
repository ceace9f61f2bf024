"""The pages that write, as an operator uses them: build, answer, correct with a second person, hand
over, approve, and send reports to be audited."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.people.persons import APPROVES, WORKS
from tests.browser.conftest import Pulled
from tests.operator_room import APPROVER, Room

pytestmark = pytest.mark.timeout(600)
BUILDER, SECOND = "李科员", "周科员"


@pytest.fixture(scope="module")
def served(pulled: Pulled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """The room with two who work and one who approves, two persons required."""
    home = tmp_path_factory.mktemp("work") / "home"
    people = {APPROVER: APPROVES, BUILDER: WORKS, SECOND: WORKS}
    with pulled.room(home, people, NIANBAO_TWO_PERSONS="true") as served:
        yield served


@pytest.fixture
def page(opened: Callable[..., Any]) -> Any:
    return opened()


def test_a_year_is_built_settled_and_approved_from_the_page(served: Room, page: Any) -> None:
    served.sign_in(page, BUILDER, "/desk/build?year=2020")
    page.get_by_role("button", name="开始编制").click()
    page.wait_for_url("**/desk/building/*")
    # The page follows the run by itself.
    page.get_by_role("link", name="处理核对问题").click()
    page.wait_for_url("**/findings")
    edition = re.findall(r"/edition/([^/]+)/findings", page.url)[0]
    records = page.locator("article.rec.turn")
    records.first.wait_for()
    assert records.count() > 1
    corrected = records.first.locator(".id").inner_text()
    records.first.get_by_role("link", name="登记更正").click()
    page.locator("#val").select_option(index=1)
    page.get_by_label("理由").fill("申请表载明")
    page.get_by_label("谁提出的").fill("公开科")
    page.get_by_label("请谁复核").select_option(SECOND)
    page.get_by_role("button", name="登记，送复核").click()
    page.wait_for_url(re.compile(r"/desk/correction/\d+$"))
    correction = page.url.removeprefix(served.address)
    assert page.get_by_role("button", name="复核同意").is_disabled()
    # Every other record is answered.
    page.goto(f"{served.address}/desk/edition/{edition}/findings")
    while page.locator("article.rec.turn").count():
        record = page.locator("article.rec.turn").first
        record.get_by_text("写答复").click()
        record.get_by_label("为什么可以带着这个问题发布").fill("申请表已遗失")
        with page.expect_navigation():
            record.get_by_role("button", name="保存答复").click()
    served.sign_in(page, SECOND, correction)
    page.get_by_role("button", name="复核同意").click()
    page.get_by_text("有效", exact=True).wait_for()
    # The correction is built in, the answers are there again, and all of it goes to the approver.
    page.goto(f"{served.address}/desk/build?edition={edition}")
    page.get_by_role("button", name="开始编制").click()
    page.get_by_role("link", name="处理核对问题").click()
    page.get_by_role("button", name="送批准").wait_for()
    assert corrected not in page.locator("article.rec .id").all_inner_texts()
    page.get_by_role("button", name="送批准").click()
    page.get_by_role("link", name="看批准页").click()
    page.wait_for_url("**/desk/approve/*")
    edition = page.url.rpartition("/")[2]
    served.sign_in(page, APPROVER, f"/desk/approve/{edition}")
    for box in page.locator("input[type=checkbox]").all():
        box.check()
    assert page.locator("textarea[name^='answer.']").count() == 0
    page.get_by_label("验证码").fill(served.code_of(APPROVER))
    page.get_by_role("button", name="批准并发布").click()
    page.wait_for_url("**/desk/approval/*")
    assert page.get_by_text("申请表已遗失").count() > 0


def test_reports_are_sent_and_shown(served: Room, page: Any, tmp_path: Path) -> None:
    report = tmp_path / "某局2020年报.txt"
    text = "某局2020年政府信息公开工作年度报告\n全年收到申请12件，其中予以公开8件、不予公开2件。"
    report.write_text(text, encoding="utf-8")
    served.sign_in(page, BUILDER, "/desk/audit")
    page.get_by_label("报告文件").set_input_files([report])
    page.get_by_role("button", name="上传并核对").click()
    page.get_by_role("heading", name="谁在哪里不符").wait_for()
    page.get_by_role("link", name="某局").first.click()
    page.get_by_role("link", name="看原文，逐数标明").click()
    page.get_by_text("全年收到申请").first.wait_for()
