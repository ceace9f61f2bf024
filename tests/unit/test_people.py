"""Persons, sessions, one-time codes, and the log of what they did."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tasks.people import attempts, log
from tasks.people.codes import judge
from tasks.people.machine import NAME, UnusableToken, machine_token
from tasks.people.office import Office
from tasks.people.persons import (
    APPROVES,
    LEAST_PASSWORD,
    ROLES,
    WORKS,
    PersonError,
    add_person,
    authenticators,
    has_persons,
    lock_person,
    persons,
)
from tasks.people.sessions import IDLE, LONGEST, SignInRefused, session_of, sign_in, sign_out
from tests.approving import code_at
from tests.operator_room import PASSWORD, SECRET, add_people

NOW = datetime(2021, 1, 25, 9, 0)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """To keep a password takes long, as it should."""
    office = Office(tmp_path_factory.mktemp("office"))
    add_people(office.home, {"王处长": APPROVES, "李科员": WORKS})
    return office


@pytest.fixture
def office(template: Office, tmp_path: Path) -> Office:
    shutil.copy(template.path, tmp_path)
    return Office(tmp_path)


@pytest.fixture
def signed_in(office: Office) -> Callable[..., str]:
    def begin(now: datetime = NOW, **more: str) -> str:
        values = {
            "name": "王处长",
            "password": PASSWORD,
            "code": code_at(now),
            "client": "10.0.0.9",
        }
        return sign_in(office, **{**values, **more}, now=now)

    return begin


def test_nothing_of_a_person_can_be_read_from_the_file(office: Office) -> None:
    assert [(p.name, p.role) for p in persons(office)] == [("李科员", WORKS), ("王处长", APPROVES)]
    assert authenticators(office) == {"王处长": SECRET}
    assert office.path.stat().st_mode & 0o077 == 0
    assert PASSWORD.encode() not in office.path.read_bytes()
    with sqlite3.connect(office.path) as connection:
        (kept,) = connection.execute("SELECT DISTINCT password_hash FROM person LIMIT 1").fetchone()
    assert kept.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("name", "role", "password"),
    [
        ("", WORKS, PASSWORD),
        ("张\x1b[2J", WORKS, PASSWORD),
        ("张三", "局长", PASSWORD),
        ("张三", WORKS, "x" * (LEAST_PASSWORD - 1)),
        ("张三张三张三张三张三", WORKS, "张三张三张三张三张三"),
        ("张三", WORKS, "x" * 10_000),
    ],
)
def test_who_cannot_be_added(tmp_path: Path, name: str, role: str, password: str) -> None:
    with pytest.raises(PersonError):
        add_person(Office(tmp_path), name, role, password, SECRET, by="管理员", now=NOW)
    assert not has_persons(Office(tmp_path))
    assert len(ROLES) == 4


def test_a_session_is_its_persons_until_it_is_over(
    office: Office, signed_in: Callable[..., str]
) -> None:
    token = signed_in()
    found = session_of(office, token, now=NOW)
    assert found is not None
    assert (found.person.name, found.person.role) == ("王处长", APPROVES)
    assert token not in found.form_token
    assert token.encode() not in office.path.read_bytes()
    for other in ("", "x", token[:-1], token + "a"):
        assert session_of(office, other, now=NOW) is None
    assert session_of(office, token, now=NOW + IDLE + MINUTE) is None
    # Used all the time, it is over all the same.
    moment = NOW
    while moment < NOW + LONGEST - IDLE:
        moment += IDLE - MINUTE
        assert session_of(office, token, now=moment) is not None
    assert session_of(office, token, now=NOW + LONGEST + MINUTE) is None
    second = signed_in(NOW + 5 * MINUTE)
    sign_out(office, second, now=NOW + 6 * MINUTE)
    assert session_of(office, second, now=NOW + 6 * MINUTE) is None


def test_locking_and_a_new_password_end_sessions(
    office: Office, signed_in: Callable[..., str]
) -> None:
    token = signed_in()
    lock_person(office, "王处长", by="管理员", now=NOW)
    assert session_of(office, token, now=NOW) is None
    assert authenticators(office) == {}
    with pytest.raises(SignInRefused):
        signed_in(NOW + MINUTE)
    add_people(office.home, {"王处长": APPROVES})
    token = signed_in(NOW + 5 * MINUTE)
    add_people(office.home, {"王处长": APPROVES})
    assert session_of(office, token, now=NOW + 5 * MINUTE) is None
    with pytest.raises(PersonError, match="现有:李科员、王处长"):
        lock_person(office, "路人", by="管理员", now=NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "路人"},
        {"name": ""},
        {"password": "another-long-word"},
        {"password": ""},
        {"code": "000000"},
        {"code": ""},
        {"code": "六位数字"},
        {"name": "王处长' OR '1'='1"},
    ],
)
def test_all_refusals_are_one(
    office: Office, signed_in: Callable[..., str], wrong: dict[str, str]
) -> None:
    with pytest.raises(SignInRefused) as refused:
        signed_in(**wrong)
    assert str(refused.value) == str(SignInRefused())


def test_a_failed_try_slows_the_next_of_the_one_who_tried(
    office: Office, signed_in: Callable[..., str]
) -> None:
    waits = []
    moment = NOW
    for _ in range(attempts.MOST_WRONG):
        with pytest.raises(SignInRefused):
            signed_in(moment, password="a-guess-like-another")
        with pytest.raises(attempts.TooManyTries) as told:
            signed_in(moment)
        waits.append(told.value.wait)
        moment += told.value.wait
    assert waits == sorted(waits)
    assert waits[0] == timedelta(seconds=1)
    assert waits[-1] == attempts.LOCKED_FOR
    # Where the person of that name sits, nothing was tried.
    assert signed_in(moment - attempts.LOCKED_FOR + 5 * MINUTE, client="10.0.0.1")
    assert signed_in(moment + 10 * MINUTE)


def test_a_code_serves_once_whatever_it_was_entered_for(
    office: Office, signed_in: Callable[..., str]
) -> None:
    with pytest.raises(SignInRefused):
        signed_in(password="a-wrong-long-word")
    with pytest.raises(SignInRefused):
        signed_in(client="10.0.0.1")
    with office.change() as connection:
        assert judge(connection, "王处长", SECRET, code_at(NOW), now=NOW) == "reused"
        # Nor one before it; the next one does.
        earlier = code_at(NOW - timedelta(seconds=30))
        assert judge(connection, "王处长", SECRET, earlier, now=NOW) == "reused"
        following = code_at(NOW + timedelta(seconds=30))
        assert judge(connection, "王处长", SECRET, following, now=NOW) == "accepted"
        # It is the moment of entering that counts, and a minute later it is over.
        late = code_at(NOW + 5 * MINUTE)
        assert judge(connection, "王处长", SECRET, late, now=NOW + 7 * MINUTE) == "wrong"
        assert judge(connection, "李科员", SECRET, code_at(NOW), now=NOW) == "accepted"


def test_the_log_only_grows_and_shows_what_was_taken_out(
    office: Office, signed_in: Callable[..., str]
) -> None:
    signed_in()
    told = [(line.person, line.act) for line in log.lines(office)]
    assert told[0] == ("王处长", "登录")
    assert len(told) == 3
    assert log.broken_lines(office) == []
    for statement in ("UPDATE log SET person = '别人'", "DELETE FROM log"):
        with pytest.raises(sqlite3.IntegrityError), sqlite3.connect(office.path) as connection:
            connection.execute(statement)
    # Whoever has the file can take the lock off; the chain shows it.
    for number, statement in (
        (2, "UPDATE log SET person = '别人' WHERE number = 2"),
        (1, "DELETE FROM log WHERE number = 1"),
        (3, "DELETE FROM log WHERE number = 3"),
    ):
        copy = Office(office.home / str(number))
        copy.home.mkdir()
        copy.path.write_bytes(office.path.read_bytes())
        with sqlite3.connect(copy.path) as connection:
            connection.execute("DROP TRIGGER log_no_update")
            connection.execute("DROP TRIGGER log_no_delete")
            connection.execute(statement)
        assert log.broken_lines(copy)


def test_no_secret_and_no_code_comes_into_the_log(
    office: Office, signed_in: Callable[..., str]
) -> None:
    with suppress(SignInRefused):
        signed_in(password="some-wrong-word", code="123456")
    signed_in(NOW + MINUTE)
    written = office.path.read_bytes()
    for secret in ("some-wrong-word", "123456", code_at(NOW + MINUTE), PASSWORD):
        assert secret.encode() not in written


def test_the_machines_token_is_its_owners(tmp_path: Path) -> None:
    token = machine_token(tmp_path)
    assert len(token) >= 40
    assert machine_token(tmp_path) == token
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert machine_token(tmp_path / "other") != token
    (tmp_path / NAME).write_text("PREFECT_CLIENT_CUSTOM_HEADERS=''\n", encoding="utf-8")
    with pytest.raises(UnusableToken, match="删除该文件"):
        machine_token(tmp_path)


def test_an_approval_of_an_earlier_register_stays(tmp_path: Path) -> None:
    """It was bound to no reason then, and holds for an edition without one only."""
    office = Office(tmp_path)
    with office.change():
        pass
    with sqlite3.connect(office.path) as raw:
        for column in ("reason", "built_by"):
            raw.execute(f"ALTER TABLE approval DROP COLUMN {column}")
        raw.execute(
            "INSERT INTO approval VALUES (7, '2020-1', 'c', 'd', 'f', '张三', '张三', '同意', '{}', "
            "'', '2021-01-25T09:00:00')"
        )
        raw.execute("DROP TABLE trail")
        raw.execute("PRAGMA user_version = 1")
    raw.close()
    for _ in range(2):
        with office.read() as connection:
            row = connection.execute("SELECT number, reason, built_by FROM approval").fetchone()
        assert tuple(row) == (7, "", "")
