"""Deadlines by the working calendar, and the messages that are told of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from expectations.rules import load_rules
from expectations.runner import run_rules
from tasks.city.register import last_official_year, register_city
from tasks.render.operator import deadlines as deadlines_page
from tasks.settings import Settings
from tasks.watch.deadlines import by_organ, find_deadlines, is_working_day
from tasks.watch.notify import Message, deadline_messages, lost_run_message, notify, run_messages
from tasks.watch.runs import FailedResource, Run
from tests.small_city import SmallCity
from warehouse.lake import Lake

NOW = datetime(2020, 9, 28, 7, 30)


@pytest.mark.parametrize(
    ("received", "more", "events", "due"),
    [
        # 20 working days over the holidays of 1–8 October; 27 September and 10 October are made up.
        ("2020-09-14", {}, [], "2020-10-16"),
        # Received on a Saturday: counted from the Monday.
        ("2020-09-12", {}, [], "2020-10-15"),
        # A correction starts the clock again.
        ("2020-08-03", {"corrected_on": date(2020, 9, 14)}, [], "2020-10-16"),
        # An extension adds twenty.
        ("2020-08-03", {"extended_on": date(2020, 8, 28)}, [], "2020-09-27"),
        # Days of consultation do not count.
        ("2020-09-14", {"consultation_working_days": 3}, [], "2020-10-21"),
        # Nor do those of a consultation still going on (25, 27, 28 September).
        ("2020-09-14", {}, [("consulted", "2020-09-24")], "2020-10-21"),
        # While the applicant is asked for a correction there is no date.
        ("2020-09-14", {}, [("correction_requested", "2020-09-16")], None),
        # Nor while a fee is asked for; once it is paid the time runs anew.
        ("2020-08-03", {}, [("fee_notified", "2020-09-07")], None),
        (
            "2020-08-03",
            {},
            [("fee_notified", "2020-09-07"), ("fee_paid", "2020-09-14")],
            "2020-10-16",
        ),
        # A consultation that is over, of which only the events tell (14 to 17 September).
        (
            "2020-09-14",
            {},
            [("consulted", "2020-09-14"), ("consultation_answered", "2020-09-17")],
            "2020-10-21",
        ),
        # Two that are over, a day and two days.
        (
            "2020-09-14",
            {},
            [
                ("consulted", "2020-09-14"),
                ("consultation_answered", "2020-09-15"),
                ("consulted", "2020-09-16"),
                ("consultation_answered", "2020-09-18"),
            ],
            "2020-10-21",
        ),
        # One that is over, and one still going on (25, 27, 28 September).
        (
            "2020-09-14",
            {},
            [
                ("consulted", "2020-09-14"),
                ("consultation_answered", "2020-09-15"),
                ("consulted", "2020-09-24"),
            ],
            "2020-10-22",
        ),
        # One before the time began to run anew does not count twice.
        (
            "2020-08-03",
            {"corrected_on": date(2020, 9, 14)},
            [("consulted", "2020-08-10"), ("consultation_answered", "2020-08-20")],
            "2020-10-16",
        ),
    ],
)
def test_due_dates(
    small: SmallCity,
    received: str,
    more: dict[str, Any],
    events: list[tuple[str, str]],
    due: str | None,
) -> None:
    record = small.application(received, **more)
    for kind, on in events:
        small.add(
            "application_event",
            {"application_id": record, "event_kind": kind, "event_on": date.fromisoformat(on)},
        )
    (found,) = find_deadlines(small.lake, date(2020, 9, 28)).applications
    assert found.due_on == (date.fromisoformat(due) if due else None)


@pytest.mark.parametrize(
    ("received", "closed", "outcome", "events"),
    [
        # Answered on the twentieth working day and on the one after.
        ("2020-09-14", "2020-10-16", "granted", []),
        ("2020-09-14", "2020-10-19", "granted", []),
        ("2020-09-14", "2020-12-01", "other_correction_overdue", []),
        ("2020-09-14", "2020-12-01", "other_fee_overdue", [("fee_notified", "2020-09-20")]),
        (
            "2020-08-03",
            "2020-10-16",
            "granted",
            [("fee_notified", "2020-08-20"), ("fee_paid", "2020-09-14")],
        ),
        (
            "2020-08-03",
            "2020-10-19",
            "granted",
            [("fee_notified", "2020-08-20"), ("fee_paid", "2020-09-14")],
        ),
        ("2020-09-14", "2020-12-01", "other_misc", [("correction_requested", "2020-09-17")]),
    ],
)
def test_the_rules_and_the_watch_reckon_alike(
    small: SmallCity, received: str, closed: str, outcome: str, events: list[tuple[str, str]]
) -> None:
    """What the watch, the day before it was closed, would call overdue on that day is what the
    rule calls late."""
    record = small.application(received, closed, outcome=outcome)
    for kind, on in events:
        small.add(
            "application_event",
            {"application_id": record, "event_kind": kind, "event_on": date.fromisoformat(on)},
        )
    on = date.fromisoformat(closed)
    with small.lake.read() as connection:
        (late,) = run_rules(
            connection, [r for r in load_rules() if r.code == "APP-17"], as_of=date(2021, 1, 20)
        )
    with small.lake.write() as connection:
        connection.execute("UPDATE core.application SET closed_on = NULL")
    (found,) = find_deadlines(small.lake, on).applications
    is_overdue = found.working_days_left is not None and found.working_days_left < 0
    is_lapsed = outcome.endswith("overdue")
    assert (late.status == "fail") is (is_overdue and not is_lapsed)


def test_two_organs_of_one_name_are_two(small: SmallCity) -> None:
    organs = small.folder / "organs.csv"
    organs.write_text(
        organs.read_text(encoding="utf-8")
        + "C,乙县人民政府,county,R,2000-01-01,,,true\n"
        + "A3,城关镇人民政府,township,A,2000-01-01,,,true\n"
        + "C1,城关镇人民政府,township,C,2000-01-01,,,true\n",
        encoding="utf-8",
    )
    small.register()
    for organ in ("A3", "C1"):
        small.application("2020-08-03", organ_id=organ)
        small.add(
            "work_order",
            {
                "organ_id": organ,
                "dispatched_at": datetime(2020, 9, 1),
                "due_at": datetime(2020, 9, 27),
            },
        )
    found = find_deadlines(small.lake, date(2020, 9, 28))
    assert {key: len(of) for key, of in by_organ(found.applications).items()} == {"A3": 1, "C1": 1}
    names = {"甲县城关镇人民政府", "乙县城关镇人民政府"}
    assert {a.organ_name for a in found.applications} == names
    assert {(name, late) for name, late, _ in found.work_order_counts} == {(n, 1) for n in names}
    for message in deadline_messages(found)[:2]:
        assert all(f"{name}:逾期 1 件" in message.body for name in names)
    page = deadlines_page(found)
    assert all(page.count(f"### {name}") == 1 for name in names)


def test_days_beyond_the_published_holidays_are_provisional(small: SmallCity) -> None:
    known = last_official_year(2100)
    register_city(small.lake, small.folder, now=datetime(known, 12, 1))
    with small.lake.read() as connection:
        days = dict(
            connection.execute(
                "SELECT day_on, is_working_day FROM core.calendar_day WHERE NOT is_official"
            ).fetchall()
        )
    # Holidays that the law itself sets are known without the notice.
    assert not days[date(known + 1, 1, 1)]
    assert not any(days[date(known + 1, 10, day)] for day in (1, 2, 3))
    small.application(f"{known}-12-15")
    small.application(f"{known}-11-02")
    found = find_deadlines(small.lake, date(known, 12, 20))
    assert {a.started_on.month: a.is_provisional for a in found.applications} == {
        11: False,
        12: True,
    }
    (told,) = [m for m in deadline_messages(found) if m.matter == "deadlines/calendar"]
    assert f"放假安排收录到 {known} 年" in told.body
    assert "在办申请 1 件" in told.body
    assert "（暂定）" in deadlines_page(found)
    assert not find_deadlines(small.lake, date(known, 11, 20)).calendar_ends_soon


def test_overdue_ones_come_first_and_closed_ones_not_at_all(small: SmallCity) -> None:
    small.application("2020-09-14")
    late = small.application("2020-08-03")
    small.application("2020-08-03", "2020-08-20")
    small.application("2020-10-20")
    found = find_deadlines(small.lake, date(2020, 9, 28))
    assert found.applications[0].record_id == late
    assert len(found.applications) == 2
    assert [a.working_days_left for a in found.overdue] == [-21]


def test_work_orders_accounts_channels(small: SmallCity) -> None:
    small.add(
        "work_order",
        {"organ_id": "A1", "dispatched_at": datetime(2020, 9, 1), "due_at": datetime(2020, 9, 27)},
        {"organ_id": "A1", "dispatched_at": datetime(2020, 9, 1), "due_at": datetime(2020, 9, 29)},
        {"organ_id": "B", "dispatched_at": datetime(2020, 9, 1), "due_at": datetime(2020, 12, 1)},
        {
            "organ_id": "B",
            "dispatched_at": datetime(2020, 9, 1),
            "due_at": datetime(2020, 9, 2),
            "closed_at": datetime(2020, 9, 2),
        },
    )
    accounts = small.add(
        "new_media_account",
        {
            "platform": "wechat",
            "account_name": "静默",
            "organ_id": "B",
            "opened_on": date(2019, 1, 1),
        },
        {
            "platform": "wechat",
            "account_name": "活跃",
            "organ_id": "B",
            "opened_on": date(2019, 1, 1),
        },
    )
    small.add(
        "new_media_post",
        {"account_id": accounts[0], "posted_at": datetime(2020, 9, 14, 8)},
        {"account_id": accounts[1], "posted_at": datetime(2020, 9, 15, 8)},
    )
    channel, fresh = small.add(
        "channel",
        {"channel_name": "动态", "channel_kind": "government_news", "organ_id": "R"},
        {"channel_name": "目录", "channel_kind": "disclosure_directory", "organ_id": "R"},
    )
    small.add(
        "article",
        {"channel_id": channel, "published_at": datetime(2020, 9, 10)},
        {"channel_id": fresh, "published_at": datetime(2020, 9, 10)},
    )
    found = find_deadlines(small.lake, date(2020, 9, 28))
    assert found.work_order_counts == (("甲县东镇", 1, 1),)
    assert [(s.name, s.days) for s in found.accounts] == [("静默", 14)]
    assert [(s.name, s.days) for s in found.channels] == [("动态", 18)]
    assert [(f.on, f.what, f.is_published) for f in found.filings] == [
        (date(2020, 1, 31), "县级以上政府部门上报上一年度年度报告", False),
        (date(2020, 1, 31), "公布上一年度政府网站工作年度报表", False),
        (date(2020, 3, 31), "县级以上地方政府公布上一年度年度报告", False),
    ]


def test_make_up_days_are_working_days(small: SmallCity) -> None:
    assert is_working_day(small.lake, date(2020, 9, 27))
    assert not is_working_day(small.lake, date(2020, 10, 2))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Titles that reach a channel; a channel named “broken” fails."""
    from tasks.watch import notify as module

    titles: list[str] = []

    def send(addresses: list[str], message: Message) -> str:
        if "broken" in addresses[0]:
            return "未能发出"
        titles.append(message.title)
        return ""

    monkeypatch.setattr(module, "_send", send)
    return titles


def test_a_matter_is_told_once_and_again_when_it_changes(small: SmallCity, sent: list[str]) -> None:
    settings = Settings(home=small.lake.home, notify="json://somewhere")

    def tell(*messages: Message) -> None:
        notify(small.lake, settings, messages, now=NOW, scope=["source/"])

    failed = Message("source/a", "a 未取到", "原因", about="x")
    tell(failed)
    tell(failed)
    assert sent == ["a 未取到"]
    tell(Message("source/a", "a 未取到(两类)", "原因", about="x,y"))
    assert len(sent) == 2
    tell()
    tell(failed)
    assert len(sent) == 3


def test_a_failing_channel_fails_nothing_and_is_tried_again(
    small: SmallCity, sent: list[str]
) -> None:
    message = Message("source/a", "a 未取到", "原因")
    broken = Settings(home=small.lake.home, notify="json://broken-token-123")
    assert notify(small.lake, broken, [message], now=NOW) == []
    with small.lake.read() as connection:
        row = connection.execute("SELECT message_status, failure FROM ops.message").fetchone()
    assert row == ("waiting", "未能发出")
    good = Settings(home=small.lake.home, notify="json://somewhere")
    assert notify(small.lake, good, [message], now=NOW) == [message]


def test_a_channel_that_cannot_be_reached_raises_nothing_and_hides_its_address(
    small: SmallCity, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(home=small.lake.home, notify="json://127.0.0.1:9/token-123 nonsense")
    assert notify(small.lake, settings, [Message("a/b", "t", "b")], now=NOW) == []
    assert "token-123" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("nianbao")
    )
    with small.lake.read() as connection:
        (failure,) = connection.execute("SELECT failure FROM ops.message").fetchone() or ("",)
    assert "token-123" not in failure


def test_one_message_a_matter_without_records(small: SmallCity) -> None:
    for _ in range(30):
        small.application("2020-08-03")
    messages = deadline_messages(find_deadlines(small.lake, date(2020, 9, 28)))
    (applications,) = [m for m in messages if m.matter == "deadlines/applications"]
    assert "逾期 30 件" in applications.title
    assert "application-" not in applications.body
    run = Run("1", "nightly", "夜间取数", NOW)
    run.failed += [FailedResource("ledger", name, "没有应答") for name in ("a", "b")]
    (message,) = run_messages(run, [], 50)
    assert message.matter == "source/ledger"
    assert "未按时开始" in lost_run_message("nightly", "夜间取数", "Late", NOW).title
    # A run that never began has only the name that the server made up.
    assert lost_run_message("nightly", "calm-fox", "Cancelled", NOW).title == "夜间取数 被取消"


def test_a_lost_run_is_told_even_where_the_lake_cannot_remember_it(
    small: SmallCity, sent: list[str]
) -> None:
    settings = Settings(home=small.lake.home, notify="json://somewhere")
    (small.lake.home / "lake" / "catalog.sqlite").write_bytes(b"no database at all" * 300)
    message = lost_run_message("nightly", "夜间取数", "Failed", NOW)
    (told,) = notify(small.lake, settings, [message], now=NOW)
    assert sent == ["夜间取数 出错"]
    assert "已损坏" in told.body
    nowhere = Settings(home=small.lake.home / "nowhere", notify="json://somewhere")
    assert notify(nowhere.lake(), nowhere, [message], now=NOW)


def test_a_message_that_was_sent_stays_sent_where_it_cannot_be_noted(
    small: SmallCity, sent: list[str]
) -> None:
    settings = Settings(home=small.lake.home, notify="json://somewhere")
    impatient = Lake(small.lake.home, write_timeout=0)
    message = lost_run_message("nightly", "夜间取数", "Failed", NOW)
    with small.lake.write():
        assert notify(impatient, settings, [message], now=NOW) == [message]
    assert sent == ["夜间取数 出错"]
