"""今天: one page for every day, beginning with what concerns whoever looks."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from deployments.page.ahead import Ahead
from tasks.city.corrections import Draft, enter
from tasks.clock import now
from tasks.desk.answering import act, give_back, hand_over
from tasks.desk.duties import MOST, Duty, Who
from tasks.desk.matters import Matters, matters_of
from tasks.desk.people import Entry, Shortage, Staffing
from tasks.desk.records import record
from tasks.desk.today import Today, today
from tasks.editions.build import build_edition
from tasks.people.persons import APPROVES, MANAGES, ROLES, VIEWS, WORKS
from tasks.people.trail import ANSWERED
from tasks.settings import Settings
from tests.desk_browser import RUN, Browser, heading
from tests.operator_room import add_people
from tests.small_city import SmallCity
from warehouse.lake import NoLake, transaction
from warehouse.period import Period

MORNING = datetime(2021, 1, 20, 9, 0)
EVERYBODY = Who("", None)


def settings_of(small: SmallCity) -> Settings:
    return Settings(home=small.lake.home, city=small.folder)


def change(small: SmallCity, sql: str, *values: object) -> None:
    with small.lake.write() as connection, transaction(connection):
        connection.execute(sql, list(values))


def pulled(small: SmallCity, at: datetime) -> None:
    """Everything was pulled at a moment."""
    change(small, "UPDATE ops.load SET started_at = ?, finished_at = ?", at, at)


def ran(small: SmallCity, at: datetime, *failed: str, message: str = "HTTP 503") -> None:
    """A run by night, which did not get some resources."""
    told = [
        {"source": "s", "resource": one, "message": message, "is_of_source": True} for one in failed
    ]
    change(
        small,
        "INSERT INTO ops.run VALUES (?, 'nightly', '夜间取数', ?, ?, ?, ?)",
        f"run {at}",
        at,
        at + timedelta(minutes=5),
        "partial" if failed else "done",
        json.dumps(told) if failed else None,
    )


def build(small: SmallCity, year: int = 2020, at: datetime = MORNING) -> str:
    return build_edition(
        small.lake, small.folder, Period.of_year(year), now=at, built_by="甲"
    ).edition.id


def publish(small: SmallCity, edition: str, at: datetime) -> None:
    change(
        small,
        "UPDATE yearly.edition SET edition_status = 'published', approved_by = '丙', "
        "approved_at = ? WHERE edition_id = ?",
        at,
        edition,
    )


@pytest.fixture(scope="module")
def built_once(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    city = small_template.copied_to(tmp_path_factory.mktemp("built") / "city")
    city.application("2020-03-02", "2020-03-20")
    build(city)
    return city


@pytest.fixture
def built(built_once: SmallCity, tmp_path: Path) -> SmallCity:
    """A city whose edition of 2020 has nothing that blocks."""
    return built_once.copied_to(tmp_path / "built")


@pytest.fixture(scope="module")
def blocked_once(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    city = small_template.copied_to(tmp_path_factory.mktemp("blocked") / "city")
    city.application("2020-03-02", "2020-03-20", applicant_kind=None)
    build(city)
    return city


@pytest.fixture
def blocked(blocked_once: SmallCity, tmp_path: Path) -> SmallCity:
    """A city whose edition of 2020 is blocked by one record."""
    return blocked_once.copied_to(tmp_path / "blocked")


def of(small: SmallCity, who: Who = EVERYBODY, at: datetime = MORNING) -> Today:
    return today(settings_of(small), who, now=at)


def keys(day: Today) -> list[str]:
    return [duty.key.partition(".")[0] for duty in day.duties]


def test_a_january_morning_asks_to_build(small: SmallCity) -> None:
    small.application("2020-03-02", "2020-03-20")
    day = of(small, Who("甲", WORKS))
    assert day.said == "2020 年的数据已取齐，可以编制。"
    assert keys(day) == ["build"]
    assert (day.duties[0].when, day.duties[0].left) == ("上报 1 月 31 日", "还有 11 天")
    assert day.duties[0].path == "/desk/build?year=2020"
    assert [(s.title, s.state) for s in day.steps][:2] == [("编制", "now"), ("核对与改正", "todo")]
    assert day.seen.records.records == 1


def test_what_was_not_pulled_after_the_year_is_not_complete(small: SmallCity) -> None:
    small.application("2020-03-02", "2020-03-20")
    change(
        small,
        "UPDATE ops.load SET started_at = ?, finished_at = ? WHERE table_name = 'application'",
        datetime(2020, 12, 31, 1, 30),
        datetime(2020, 12, 31, 1, 30),
    )
    day = of(small, Who("甲", WORKS))
    assert day.said == "2020 年的数据还有 1 项没有取齐。"
    (lacking,) = day.seen.records.incomplete
    assert (lacking.table, lacking.word) == ("application", "年后还没有取过")


def test_counts_that_differ_from_the_sources_are_told(small: SmallCity) -> None:
    small.application("2020-03-02", "2020-03-20")
    window = ("2020-01-01T00:00:00", "2021-01-01T00:00:00")
    change(
        small,
        "INSERT INTO ops.control_total VALUES ('s', 'application', ?, ?, 3, 1, ?, 'l')",
        *window,
        MORNING,
    )
    day = of(small)
    (lacking,) = day.seen.records.incomplete
    assert (lacking.served, lacking.held, lacking.word) == (3, 1, "与来源差 2 条")


def test_a_source_that_failed_comes_first_with_what_it_touches(built: SmallCity) -> None:
    at = datetime(2021, 2, 23, 1, 30)
    for night in (2, 1, 0):
        ran(built, at - timedelta(days=night), *([] if night == 2 else ["hotline_call"]))
    change(
        built,
        "UPDATE ops.load SET started_at = ?, finished_at = ? WHERE resource <> 'hotline_call'",
        at + timedelta(minutes=3),
        at + timedelta(minutes=3),
    )
    day = of(built, Who("甲", WORKS), at.replace(hour=9))
    assert day.said == "昨夜 s没有取到。年报的数字不受影响。"
    ((failure, impact),) = day.impacts
    assert failure.nights == 2
    assert failure.until == datetime(2021, 1, 20, 2, 0)
    assert failure.mends_itself
    assert "版次 2020-1" in impact
    assert "不受影响" in impact
    assert day.seen.systems[0].state == "broken"


def test_what_came_since_is_no_failure_any_more(small: SmallCity) -> None:
    small.application("2020-03-02", "2020-03-20")
    at = datetime(2021, 1, 20, 3, 30)
    ran(small, at, "hotline_call")
    assert of(small).impacts
    pulled(small, at + timedelta(hours=1))
    day = of(small)
    assert not day.impacts
    assert "没有取到" not in day.said


def test_a_contract_that_broke_does_not_mend_itself(small: SmallCity) -> None:
    ran(small, datetime(2021, 1, 20, 3, 30), "hotline_call")
    change(
        small,
        "INSERT INTO ops.load (load_id, source_system, resource, table_name, started_at, "
        "load_status, message) VALUES ('x', 's', 'hotline_call', 'hotline_call', ?, 'stopped', '少了字段')",
        datetime(2021, 1, 20, 3, 31),
    )
    ((failure, _),) = of(small).impacts
    assert not failure.mends_itself


def test_nothing_pulled_for_days_is_told_even_without_a_failed_run(small: SmallCity) -> None:
    small.application("2020-03-02", "2020-03-20")
    day = of(small, Who("甲", WORKS), datetime(2021, 2, 10, 9, 0))
    assert day.said == "没有按时取数，数据停在 1 月 20 日 02:00。"


def test_the_eve_of_a_statutory_day_comes_before_what_is_broken(built: SmallCity) -> None:
    day = of(built, Who("丙", APPROVES), datetime(2021, 3, 30, 9, 0))
    assert day.said == "版次 2020-1 等您批准。明天是公布期限。"
    assert keys(day)[0] == "approve"
    assert day.duties[0].path == "/desk/approve/2020-1"
    assert (day.duties[0].when, day.duties[0].left) == ("公布 3 月 31 日", "明天")


def test_records_that_block_are_counted_as_records(blocked: SmallCity) -> None:
    day = of(blocked, Who("甲", WORKS))
    assert day.said.startswith("2020 年度报告还有 1 条要您处理。")
    assert keys(day) == ["settle"]
    assert "由 1 条记录引起" in day.duties[0].why
    assert day.duties[0].path == "/desk/edition/2020-1/findings"
    assert [s.state for s in day.steps] == ["done", "now", "todo", "todo"]
    assert [s.told for s in day.steps[:2]] == ["甲，1 月 20 日", "1 条待处理"]
    # It is with those who edit: whoever approves is not asked yet, but sees where it stands.
    approver = of(blocked, Who("丙", APPROVES))
    assert (keys(approver), approver.steps[1].state) == ([], "now")


def test_an_edition_goes_to_be_approved_and_comes_back(blocked: SmallCity) -> None:
    settings = settings_of(blocked)

    def found() -> Matters:
        return matters_of(blocked.lake, settings, "2020-1")

    worker, approver = Who("甲", WORKS), Who("丙", APPROVES)
    (matter,) = found().blocking
    act(settings, found(), matter, ANSWERED, by="甲", said="申请表上没有填", seen=0, now=MORNING)
    day = of(blocked, worker)
    assert "可以送批准" in day.said
    assert [d.action for d in day.duties] == ["看过并送批准"]
    hand_over(settings, found(), by="甲", now=MORNING)
    assert keys(of(blocked, worker)) == []
    asked = of(blocked, approver)
    assert asked.said.startswith("版次 2020-1 等您批准。")
    assert "甲 1 月 20 日 09:00 送来。" in asked.more
    assert [s.state for s in asked.steps] == ["done", "done", "now", "todo"]
    give_back(settings, found(), by="丙", said="请补充依据", now=MORNING)
    back = of(blocked, worker)
    assert back.said.startswith("丙退回了版次 2020-1。")
    assert back.more == "请补充依据"
    assert keys(of(blocked, approver)) == []


def test_a_correction_waits_for_the_second_person(blocked: SmallCity) -> None:
    with blocked.lake.read() as connection:
        (id_,) = connection.execute("SELECT record_id FROM core.application").fetchall()[0]
    draft = Draft(
        "core.application", "s", id_, "applicant_kind", None, "natural_person", "补登", "甲县",
        ground="申请表", reviewer="乙",
    )  # fmt: skip
    number = enter(blocked.lake, draft, by="甲", is_signed_in=True, now=MORNING)
    second = of(blocked, Who("乙", WORKS))
    assert keys(second) == ["correction"]
    assert second.duties[0].path == f"/desk/correction/{number}"
    assert second.said == "有 1 件事要您处理；年报在等别人。"
    # Whoever entered it sees that it waits, and is not asked.
    first = of(blocked, Who("甲", WORKS))
    assert (keys(first), first.steps[1].told) == ([], "1 条在等")
    (entered,) = record(blocked.lake, blocked.folder, "s", "application", id_).entered
    assert (entered.number, entered.word) == (number, "等复核")


def test_an_ordinary_day_has_applications_and_nothing_else(built: SmallCity) -> None:
    publish(built, "2020-1", datetime(2021, 3, 30, 9, 14))
    late = built.application("2021-03-01")
    soon = built.application("2021-04-20")
    pulled(built, datetime(2021, 5, 18, 1, 31))
    ran(built, datetime(2021, 5, 18, 1, 30))
    day = of(built, Who("甲", WORKS), datetime(2021, 5, 18, 9, 0))
    assert day.said == "1 件申请已逾期，1 件申请将到期，要催办；年报没有要您做的事。"
    assert keys(day) == ["overdue", "soon"]
    assert [a.record_id for a in day.seen.deadlines.overdue] == [late]
    assert [a.record_id for a in day.seen.deadlines.soon] == [soon]
    viewer = of(built, Who("己", VIEWS), datetime(2021, 5, 18, 9, 0))
    assert viewer.said == "2020 年度报告已发布：版次 2020-1，3 月 30 日批准。"
    assert not viewer.duties


def test_a_day_without_anything_says_so(built: SmallCity) -> None:
    publish(built, "2020-1", datetime(2021, 3, 30, 9, 14))
    pulled(built, datetime(2021, 5, 18, 1, 31))
    day = of(built, EVERYBODY, datetime(2021, 5, 18, 9, 0))
    assert day.said == "今天没有要您处理的事。"
    assert day.next_day is not None
    assert day.next_day.on == date(2022, 1, 31)
    assert [d.told for d in day.days if d.is_past] == ["已发布", "已发布"]


def test_everyone_gets_what_is_theirs_and_nothing_else(blocked: SmallCity) -> None:
    change(
        blocked,
        "INSERT INTO ops.reject (reject_id, load_id, source_system, resource, table_name, reason, "
        "rejected_at, reject_status) VALUES ('r', 'l', 's', 'article', 'core.article', 'unknown_code', ?, 'open')",
        MORNING,
    )
    expected = {
        VIEWS: [],
        WORKS: ["settle", "rejects"],
        APPROVES: [],
        MANAGES: ["rejects"],
    }
    assert {role: keys(of(blocked, Who("某", role))) for role in ROLES} == expected


def test_a_trial_is_no_edition_to_approve(small: SmallCity) -> None:
    small.application("2021-03-02", "2021-03-20")
    build(small, 2021, datetime(2021, 6, 1, 9, 0))
    assert keys(of(small, Who("丙", APPROVES), datetime(2021, 6, 1, 10, 0))) == []


def test_whoever_built_is_not_asked_to_approve_where_two_are_required(built: SmallCity) -> None:
    two = settings_of(built).model_copy(update={"two_persons": True})
    for name, expected in (("甲", []), ("丙", ["approve"])):
        assert keys(today(two, Who(name, APPROVES), now=MORNING)) == expected


def test_matters_are_in_the_order_of_the_law() -> None:
    def matter(key: str, **more: object) -> Duty:
        return Duty(
            key,
            **{
                "state": "turn",
                **dict.fromkeys(("title", "why", "when", "left", "action", "path"), ""),
                **more,
            },
        )  # type: ignore[arg-type]

    day = date(2021, 3, 25)
    found = [
        matter("old", waited=9),
        matter("law, years ago", due=date(2018, 3, 31), is_statutory=True, waited=5),
        matter("due", due=date(2021, 3, 26)),
        matter("new", waited=1),
        matter("law, later", due=date(2021, 4, 30), is_statutory=True),
        matter("broken", state="broken"),
        matter("law", due=date(2021, 3, 31), is_statutory=True),
    ]
    found.sort(key=lambda m: m.order(day))
    assert [m.key for m in found] == [
        "law",
        "broken",
        "due",
        "law, later",
        "old",
        "law, years ago",
        "new",
    ]


def test_without_a_lake_there_is_a_sentence_and_no_error(
    tmp_path: object, small: SmallCity
) -> None:
    settings = settings_of(small).model_copy(update={"home": small.lake.home.parent / "none"})
    with pytest.raises(NoLake):
        today(settings, EVERYBODY, now=MORNING)
    answer = Browser(settings).get("/")
    assert answer.status_code == 200
    assert heading(answer.text) == "还没有数据。请先取一次数"
    # The one thing to be done is there.
    assert 'action="/desk/pull"' in answer.text
    # And how it goes is told, while there is nothing else to show.
    assert 'hx-trigger="every 3s"' in Browser(settings).read(f"/data?run={RUN}")


def test_the_page_shows_the_day_and_escapes_what_it_shows(blocked: SmallCity) -> None:
    hostile = "<script>alert(1)</script>"
    edition = "2020-1"
    change(blocked, "UPDATE yearly.edition SET built_by = ?", hostile)
    ran(blocked, datetime(2021, 1, 20, 1, 30), "hotline_call", message=hostile)
    browser = Browser(settings_of(blocked))
    text = browser.read("/")
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text
    assert f"/desk/edition/{edition}" in text
    assert "等待批准的版次" in text
    assert text.count("btn primary") == 1
    # The list of what waits has its own page as before.
    assert edition in browser.read("/waiting")


def test_signed_in_each_sees_their_own_page(blocked: SmallCity) -> None:
    settings = settings_of(blocked)
    pulled(blocked, now())
    add_people(settings.home, {"甲": WORKS, "丙": APPROVES, "己": VIEWS})
    assert heading(Browser(settings, "丙").read("/")) == "今天没有要您处理的事。"
    worker = Browser(settings, "甲").read("/")
    assert "处理记录" in worker
    viewer = Browser(settings, "己").read("/")
    assert "要您处理" not in viewer
    assert 'action="/desk/pull"' not in viewer
    assert Browser(settings).get("/").status_code == 303


def test_more_than_seven_matters_are_folded(
    small: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = tuple(Shortage("turn", f"第 {number} 件", "请办") for number in range(MOST + 2))
    staff = Staffing((), many)
    monkeypatch.setattr("tasks.desk.today.staffing", lambda office: staff)
    monkeypatch.setattr("deployments.page.pages.today.who_of", lambda request: Who("丁", MANAGES))
    pulled(small, now())
    text = Browser(settings_of(small)).read("/")
    assert f"全部 {MOST + 2} 件" in text
    assert text.index("第 8 件") > text.index("<summary>全部")
    assert not any(isinstance(one, Entry) for one in staff.entries)


def test_it_is_read_before_anyone_opens_it_once_the_lake_has_come_to_rest(
    small: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(small)
    ahead = Ahead(settings)
    # The first look reads at once: somebody is about to open the page.
    assert [ahead.look() for _ in range(4)] == [True, False, False, False]
    small.application("2020-03-02")
    seen = ahead.look()
    small.application("2020-03-03")
    assert [seen, *(ahead.look() for _ in range(3))] == [False, False, True, False]

    def not_again(*_given: object) -> None:
        raise AssertionError("whoever opens the page need not wait for this")

    monkeypatch.setattr("tasks.desk.seen.find_deadlines", not_again)
    monkeypatch.setattr("tasks.desk.seen.read_status", not_again)
    assert today(settings, EVERYBODY, now=now()).seen.resources


def test_nothing_is_read_ahead_where_there_is_no_lake(tmp_path: Path, small: SmallCity) -> None:
    ahead = Ahead(Settings(home=tmp_path / "nothing", city=small.folder))
    assert [ahead.look() for _ in range(3)] == [False, False, False]
    # A lake that came later is being written first.
    ahead = Ahead(settings_of(small))
    home = small.lake.home / "lake"
    home.rename(home.with_name("away"))
    assert not ahead.look()
    home.with_name("away").rename(home)
    assert [ahead.look() for _ in range(3)] == [False, True, False]
