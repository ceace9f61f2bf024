"""A form that is sent after the session has ended: nothing typed is lost, nothing is done."""

from __future__ import annotations

import html
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tasks.clock import now
from tasks.people import log
from tasks.people.office import Office
from tasks.people.persons import MANAGES, persons
from tasks.settings import Settings
from tests.approving import code_at
from tests.desk_browser import OWN, Browser
from tests.operator_room import PASSWORD, add_people

HOSTILE = '"><script>x</script> 说明\n第二行 &amp; 末'
FIELDS = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', re.DOTALL)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    add_people(home, {"管": MANAGES})
    return Settings(home=home, city=tmp_path)


def fields(answer: Any) -> dict[str, str]:
    return {html.unescape(n): html.unescape(v) for n, v in FIELDS.findall(answer.text)}


def signed_in(browser: Browser, told: dict[str, str]) -> Any:
    told = {**told, "name": "管", "password": PASSWORD, "code": code_at(now())}
    return browser.client.post("/desk/sign-in", data=told, headers={"origin": OWN})


def test_what_was_typed_is_sent_after_signing_in(settings: Settings) -> None:
    browser = Browser(settings)
    typed = {"name": "新来的", "role": "经办", "note": HOSTILE, "code": "123456", "password": "p-w"}
    asked = browser.post("/people/add?from=1", typed, token="old", referer=f"{OWN}/desk/people")
    assert asked.status_code == 401
    assert "您填的内容还在" in asked.text
    assert "<script>x" not in asked.text
    assert "123456" not in asked.text
    assert "p-w" not in asked.text
    # A wrong code first: it is still there.
    wrong = browser.client.post(
        "/desk/sign-in",
        data={**fields(asked), "name": "管", "password": "wrong", "code": "000000"},
        headers={"origin": OWN},
    )
    assert wrong.status_code == 403
    until = time.monotonic() + 60
    while (told := signed_in(browser, fields(wrong))).status_code == 429:
        assert time.monotonic() < until, told.text
        time.sleep(0.3)
    assert told.status_code == 200
    assert "<script>x" not in told.text
    # Nothing was done yet: a person says so.
    assert [p.name for p in persons(Office(settings.home))] == ["管"]
    assert 'action="/desk/people/add?from=1"' in told.text
    assert "/desk/people" in told.text
    held = fields(told)
    assert held["note"].split() == HOSTILE.split()
    assert "code" not in held
    done = browser.post("/people/add", held, token=held["form_token"])
    assert done.status_code in (200, 303)
    assert "新来的" in [p.name for p in persons(Office(settings.home))]
    assert "新来的" in str([line.about for line in log.lines(Office(settings.home))])


def test_only_a_form_of_our_own_pages_is_kept(settings: Settings) -> None:
    browser = Browser(settings)
    foreign = browser.client.post(
        "/desk/people/add", data={"name": "甲"}, headers={"origin": "http://evil.example"}
    )
    assert foreign.status_code == 403
    long = browser.post("/people/add", {"note": "长" * 300_000}, token="x")
    assert long.status_code == 401
    assert "太长" in long.text
    files = browser.client.post(
        "/desk/audit", files={"report": ("a.txt", b"x")}, headers={"origin": OWN}
    )
    assert files.status_code == 401
    assert "请重新选文件" in files.text
    as_script = browser.post("/people/add", {"name": "甲"}, token="x", accept="application/json")
    assert as_script.status_code == 401
    assert "<" not in as_script.text


@pytest.mark.parametrize("where", ["https://evil.example/", "//evil.example", "/api/flows", ""])
def test_it_is_sent_to_our_own_pages_only(settings: Settings, where: str) -> None:
    browser = Browser(settings)
    told = {"form_token": browser.token("/sign-in"), "held_for": where, "held": "name=x"}
    answer = signed_in(browser, told)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/")


def test_there_is_nothing_to_see_at_its_address(settings: Settings) -> None:
    answer = Browser(settings, "管").get("/sign-in/held")
    assert answer.status_code == 303
    assert Browser(settings).client.post(
        "/desk/sign-in/held", data={"held_for": "//evil"}, headers={"origin": OWN}
    ).status_code in (303, 401)
