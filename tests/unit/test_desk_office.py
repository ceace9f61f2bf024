"""日志 and 人员: the register's log with its chain, and who may change who works here."""

from __future__ import annotations

import re
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.clock import now
from tasks.desk.journal import A_PAGE, journal, journal_csv
from tasks.desk.people import staffing
from tasks.people import log
from tasks.people.office import Office
from tasks.people.persons import APPROVES, MANAGES, VIEWS, WORKS, authenticators, persons
from tasks.settings import Settings
from tests.desk_browser import Browser, heading
from tests.operator_room import add_people

PEOPLE = {"办": WORKS, "批": APPROVES, "管": MANAGES, "看": VIEWS}
HOSTILE = "<b onclick=x>甲</b>"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Office:
    office = Office(tmp_path_factory.mktemp("people"))
    add_people(office.home, PEOPLE)
    return office


@pytest.fixture
def settings(people: Office, tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(people.path, home)
    return Settings(home=home, city=tmp_path)


def wrote(office: Office, count: int, act: str = "取数", person: str = "办") -> None:
    with office.change() as connection:
        for number in range(count):
            log.write(connection, person, act, f"第 {number} 次", now=now())


def test_the_log_is_filtered_paged_and_kept(settings: Settings) -> None:
    office = Office(settings.home)
    wrote(office, A_PAGE + 5)
    wrote(office, 1, act="编制", person="=1+1")
    found = journal(office, log.Wanted(person="办", act="取数"), 2)
    assert (found.count, found.page, found.pages, len(found.lines)) == (A_PAGE + 5, 2, 2, 5)
    assert journal(office, log.Wanted(person="办"), 99).page == 2
    tomorrow = (now() + timedelta(days=1)).date()
    assert journal(office, log.Wanted(first=tomorrow), 1).count == 0
    today = now().date()
    assert journal(office, log.Wanted(first=today, last=today), 1).count == found.all_lines
    told = journal_csv(office, log.Wanted(act="编制"))
    assert "'=1+1" in told
    assert told.count("\n") == 2


def test_a_log_that_was_changed_says_so(settings: Settings) -> None:
    office = Office(settings.home)
    wrote(office, 5)
    browser = Browser(settings, "看")
    assert "链完整" in heading(browser.read("/log"))
    with sqlite3.connect(office.path) as connection:
        connection.execute("DROP TRIGGER log_no_update")
        connection.execute("UPDATE log SET person = ? WHERE number = 3", [HOSTILE])
    text = browser.read("/log")
    assert heading(text).startswith("日志被改动过")
    assert "链断在第 3" in text
    assert HOSTILE not in text
    assert journal(office, log.Wanted(), 1).broken == (3,)


def test_the_log_page_reads_whatever_it_is_asked(settings: Settings) -> None:
    browser = Browser(settings, "看")
    for query in (
        "?page=0",
        "?page=x",
        "?first=x&last=9999-99-99",
        f"?person={HOSTILE}",
        "?act=' OR 1",
    ):
        assert HOSTILE not in browser.read(f"/log{query}")
    file = browser.get("/log.csv?act=%E7%99%BB%E5%BD%95")
    assert file.headers["content-type"].startswith("text/csv")
    assert file.content.startswith(b"\xef\xbb\xbf")
    assert Browser(settings).get("/log.csv").status_code == 303


def test_who_is_there_and_whether_they_are_enough(settings: Settings) -> None:
    office = Office(settings.home)
    titles = [s.title for s in staffing(office).shortages]
    # Nobody who may approve has an authenticator that was ever used.
    assert titles == ["没有人能批准", "能经办的只有 1 人"]
    Browser(settings, "批")
    assert staffing(office).shortages[0].title == "能批准的只有 1 人"
    entries = {e.person.name: e for e in staffing(office).entries}
    assert entries["批"].last_in is not None
    assert (entries["办"].last_in, entries["办"].word) == (None, "还没有登录过")


def test_a_manager_adds_resets_and_locks(settings: Settings) -> None:
    office = Office(settings.home)
    manager = Browser(settings, "管")
    made = manager.post("/people/add", {"name": HOSTILE, "role": "经办"})
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    assert HOSTILE not in made.text
    assert "只显示这一次" in heading(made.text)
    secrets = re.findall(r'class="code once">([^<]+)<', made.text)
    assert len(secrets) == 2
    page = manager.read("/people")
    journal_text = journal_csv(office, log.Wanted())
    for secret in secrets:
        assert secret not in page
        assert secret not in journal_text
    again = manager.post("/people/add", {"name": "办", "role": "查看"})
    assert again.status_code == 422
    assert "已有人员" in again.text
    reset = manager.post("/people/reset", {"name": "办", "role": "经办"})
    assert "沿用原来的" in reset.text
    renewed = manager.post("/people/reset", {"name": "办", "role": "经办", "authenticator": "1"})
    assert "otpauth://" in renewed.text
    assert manager.post("/people/lock", {"name": "看"}).status_code == 303
    assert {p.name for p in persons(office) if p.is_locked} == {"看"}
    wrong = [
        ("/people/lock", {"name": "管"}),
        ("/people/lock", {"name": "看"}),
        ("/people/lock", {"name": "无"}),
        ("/people/reset", {"name": "管", "role": "查看"}),
        ("/people/reset", {"name": "无", "role": "查看"}),
        ("/people/reset", {"name": "办", "role": "皇帝"}),
        ("/people/add", {"name": " ", "role": "查看"}),
        ("/people/add", {"name": "新", "role": "皇帝"}),
        ("/people/add", {}),
    ]
    for path, told in wrong:
        assert manager.post(path, told).status_code == 422, (path, told)
    acts = [(line.person, line.act, line.about) for line in log.lines(office)]
    assert ("管", "停用人员", "看") in acts
    assert all(person == "管" for person, act, _ in acts if act in ("重设人员", "停用人员"))


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/people/add", {"name": "新", "role": "批准"}),
        ("/people/reset", {"name": "办", "role": "批准"}),
        ("/people/reset", {"name": "批", "role": "批准"}),
        ("/people/reset", {"name": "批", "role": "批准", "authenticator": "1"}),
        ("/people/reset", {"name": "批", "role": "查看", "authenticator": "1"}),
    ],
)
def test_a_manager_never_gets_to_know_what_signs(
    settings: Settings, path: str, told: dict[str, str]
) -> None:
    office = Office(settings.home)
    before = authenticators(office)
    answer = Browser(settings, "管").post(path, told)
    assert answer.status_code == 422
    assert "批准人只能在服务器上添加和重设" in answer.text
    assert authenticators(office) == before
    assert "once" not in answer.text


def test_nobody_else_changes_who_works_here(settings: Settings) -> None:
    before = persons(Office(settings.home))
    for name in ("办", "批", "看"):
        browser = Browser(settings, name)
        text = browser.read("/people")
        assert "添加人员" not in text
        # Anyone's own token does not make them a manager.
        token = browser.token("/log")
        for path in ("add", "reset", "lock"):
            told = {"name": "管", "role": "查看"}
            assert browser.post(f"/people/{path}", told, token=token).status_code == 403
    manager = Browser(settings, "管")
    for token, more in (("", {}), ("x", {}), (manager.token(), {"origin": "http://evil.example"})):
        answer = manager.post("/people/lock", {"name": "办"}, token=token, **more)
        assert answer.status_code == 403
    assert manager.get("/people/lock").status_code in (404, 405)
    assert persons(Office(settings.home)) == before


def test_the_first_person_is_added_at_the_machine(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", city=tmp_path)
    browser = Browser(settings)
    text = browser.read("/people")
    assert "nianbao user add" in text
    assert browser.post("/people/add", {"name": "甲", "role": "管理"}).status_code == 403
    assert not Office(settings.home).exists() or not persons(Office(settings.home))
