"""数据, 一条记录, 查找, 期限: what the lake says, for reading; and what is begun from there."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from tasks.desk.data import place
from tasks.desk.letters import due, letter
from tasks.desk.records import NoRecord, record
from tasks.desk.search import search
from tasks.desk.seen import see
from tasks.desk.workbooks import workbooks_of
from tasks.editions.build import build_edition
from tasks.editions.explain import explain
from tasks.people import log
from tasks.people.office import Office
from tasks.people.persons import MANAGES, VIEWS, WORKS
from tasks.settings import Settings
from tests.desk_browser import RUN, Browser, heading
from tests.operator_room import add_people
from tests.small_city import NOW, SmallCity
from warehouse.errors import EntryError
from warehouse.lake import transaction
from warehouse.period import Period

HOSTILE = "<img src=x onerror=alert(1)>"
COUNTED, BLOCKING, OLD, GONE, OPEN = (
    "YSQ2020-00001",
    "YSQ2020-00002",
    "YSQ2019-00003",
    "YSQ2020-00004",
    f"YSQ/{HOSTILE}",
)
SOURCES = """
name: s
title: 信息公开台账
resources:
  - name: application
    title: 依申请公开登记表
    table: application
    workbook: {}
    fields:
      organ_id: {path: $file, pattern: '^([A-Z]+\\d*)-'}
"""


def change(city: SmallCity, sql: str, *values: object) -> None:
    with city.lake.write() as connection, transaction(connection):
        connection.execute(sql, list(values))


@pytest.fixture(scope="module")
def city(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    """Some applications, an edition of 2020, a reject, a correction, workbooks."""
    made = small_template.copied_to(tmp_path_factory.mktemp("desk") / "city")
    (made.folder / "sources").mkdir()
    (made.folder / "sources" / "s.yaml").write_text(SOURCES, encoding="utf-8")
    origin = "s/application/A1-2020-03.xlsx#登记表!6"
    made.application("2020-03-02", "2020-03-20", record_id=COUNTED, origin=origin)
    made.application("2020-03-02", "2020-03-20", record_id=BLOCKING, applicant_kind=None)
    made.application("2019-03-02", "2019-03-20", record_id=OLD)
    made.application("2020-04-02", "2020-04-20", record_id=GONE, removed_at=NOW)
    made.application("2021-01-04", record_id=OPEN, organ_id="B", registered_number="B-2021-7")
    made.add(
        "application_event",
        {"application_id": COUNTED, "event_kind": "received", "event_on": date(2020, 3, 2)},
        {"application_id": COUNTED, "event_kind": "closed", "event_on": date(2020, 3, 20)},
    )
    (made.folder / "corrections.yaml").write_text(
        f"- {{table: application, source_system: s, record_id: {COUNTED}, column: receipt_channel, "
        "expect: null, value: online, reason: 补登, reported_by: 甲, decided_on: 2021-01-02}\n",
        encoding="utf-8",
    )
    made.register()
    for name in ("A1-2020-01", "A1-2020-02", "B-2020-01"):
        change(
            made,
            "INSERT INTO ops.resource_file VALUES ('s', 'application', ?, 'h', 'm', ?, 'l')",
            f"{name}.xlsx",
            NOW,
        )
    change(
        made,
        "INSERT INTO ops.reject (reject_id, load_id, source_system, resource, table_name, record_id, "
        "field, reason, found, expected, origin, rejected_at, reject_status) VALUES ('r', 'l', 's', "
        "'application', 'core.application', ?, 'outcome', 'unknown_code', ?, '予以公开', ?, ?, 'open')",
        "YSQ2020-00009",
        HOSTILE,
        origin,
        NOW,
    )
    build_edition(made.lake, made.folder, Period.of_year(2020), now=NOW, built_by="甲")
    return made


@pytest.fixture(scope="module")
def settings(city: SmallCity) -> Settings:
    return Settings(home=city.lake.home, city=city.folder)


@pytest.fixture(scope="module")
def browser(settings: Settings) -> Browser:
    return Browser(settings)


def test_a_record_tells_the_figures_that_list_it(city: SmallCity) -> None:
    """The inverse of explain: every figure named lists the record, and no other cell does."""
    found = record(city.lake, city.folder, "s", "application", COUNTED)
    assert found.edition is not None
    assert found.edition.id == "2020-1"
    named = {c.key for _, cells in found.counted for c in cells}
    assert {"t3.new_received.total", "t3.new_received.natural_person", "t3.granted.total"} <= named
    for key in ("t3.new_received.total", "t3.granted.natural_person", "t3.carried_in.total"):
        told = explain(city.lake, city.folder, Period.of_year(2020), key, edition_id="2020-1")
        assert (COUNTED in [r.record_id for r in told.records]) == (key in named), key
    assert [m.told for m in found.steps] == ["收到", "办结"]
    assert any("工作表“登记表”第 6 行" in m.told for m in found.loads)
    (corrected,) = found.corrections
    assert (corrected.label, corrected.before, corrected.after) == ("收到方式", "空", "网络")
    assert corrected.is_in_force


def test_a_record_says_why_it_counts_nowhere_and_what_it_blocks(city: SmallCity) -> None:
    def of(id_: str) -> Any:
        return record(city.lake, city.folder, "s", "application", id_)

    assert (of(OLD).counted, of(OLD).not_counted) == ((), "属于 2019 年")
    assert (of(GONE).word, of(GONE).not_counted) == ("来源已撤回", "撤回")
    blocking = of(BLOCKING)
    assert blocking.word == "等处理"
    assert blocking.blocking
    assert blocking.blocking == sum(p.blocks for p in blocking.problems)
    assert of(COUNTED).word == "在用"


@pytest.mark.parametrize(
    ("source", "table", "id_"),
    [("s", "application", "none"), ("x", "application", COUNTED), ("s", "organ", "A"),
     ("s", "application; DROP TABLE core.organ", "A"), ("s", "../ops.load", "A")],
)  # fmt: skip
def test_what_is_no_record_is_told_so(city: SmallCity, source: str, table: str, id_: str) -> None:
    with pytest.raises(NoRecord):
        record(city.lake, city.folder, source, table, id_)


def test_pages_of_records_and_searches(browser: Browser) -> None:
    text = browser.read(f"/record/s/application/{COUNTED}")
    assert COUNTED in heading(text)
    assert "/desk/edition/2020-1/figure/t3.granted.total" in text
    assert "登记更正" in text
    # An id may hold anything, and is never taken for markup.
    odd = browser.read("/record/s/application/YSQ/%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E")
    assert HOSTILE not in odd
    assert "&lt;img" in odd
    assert browser.get("/record/s/application/none").status_code == 404
    assert browser.get(f"/record/s/application/{COUNTED}?edition=9999-1").status_code == 404
    found = browser.read("/search?q=00001")
    assert heading(found) == "查“00001”：1 条记录，1 条更正"
    assert HOSTILE not in browser.read(f"/search?q={HOSTILE}")
    assert "没有找到" in heading(browser.read("/search?q=%E6%B2%A1%E6%9C%89%E7%9A%84"))
    assert heading(browser.read("/search")) == "查记录编号、数字、版次、机关"
    assert browser.read("/search?q=%25")


def test_everything_is_found_by_kind(city: SmallCity) -> None:
    office = Office(city.lake.home)

    def of(asked: str) -> Any:
        return search(city.lake, city.folder, office, asked)

    assert [r.record_id for r in of("YSQ2020-00001").records] == [COUNTED]
    # What was asked for exactly comes first; a registered number leads to its record.
    assert of("ysq2020").records[0].record_id == COUNTED
    assert [r.record_id for r in of("B-2021-7").records] == [OPEN]
    assert "t3.granted.total" in [f.key for f in of("予以公开").figures]
    assert [f.key for f in of("t3.granted.total").figures] == ["t3.granted.total"]
    assert [e.edition.id for e in of("2020-1").editions] == ["2020-1"]
    assert [e.why for e in of("甲").editions] == []  # one character tells too little
    assert [o.organ_id for o in of("教育").organs] == ["B"]
    assert of("' OR 1=1 --").said == "查“' OR 1=1 --”：没有找到"


def test_which_workbooks_are_missing(city: SmallCity) -> None:
    (found,) = workbooks_of(city.lake, city.folder, 2020, date(2020, 3, 10))
    assert (found.organs, found.months, found.came) == (2, 2, 3)
    assert [(m.organ_name, m.month) for m in found.missing] == [("市教育局", date(2020, 2, 1))]
    # Long after they were last sent nobody is asked for them.
    assert workbooks_of(city.lake, city.folder, 2025, date(2025, 6, 1)) == ()


def test_the_data_page(browser: Browser, settings: Settings) -> None:
    text = browser.read("/data")
    assert "1 条退回" in heading(text)
    assert HOSTILE not in text
    assert "请来源单位改成约定的写法" in text
    assert 'action="/desk/retry"' in text
    assert "账目相符" in text or "账目不符" in text
    seen = see(settings, now=datetime(2021, 1, 20, 9, 0))
    assert seen.rejects == 1
    for query in ("?table=x", "?page=999999", "?page=-1", "?page=abc", f"?table={HOSTILE}"):
        assert HOSTILE not in browser.read(f"/data{query}")
    assert browser.get("/data?edition=1").status_code == 404


def test_the_records_behind_a_number_of_the_account(browser: Browser) -> None:
    about = "edition=2020-1&source=s&resource=application&table=application"
    counted = browser.read(f"/data/records?{about}&state=counted")
    assert heading(counted) == "信息公开台账·依申请公开登记表：计入 1 条"
    assert COUNTED in counted
    for wrong in (f"{about}&state=x", "edition=2020-1&state=counted", "state=counted"):
        assert browser.get(f"/data/records?{wrong}").status_code == 422
    assert browser.get("/data/records?edition=8").status_code == 404


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ("s/application/A-2020-01.xlsx#登记表!6", "A-2020-01.xlsx 工作表“登记表”第 6 行"),
        (
            "ledger/applications/20261126/applications-0001:12",
            "取到的第 12 条（applications-0001）",
        ),
        (None, ""),
        ("x", ""),
    ],
)
def test_where_a_record_was_read(origin: str | None, told: str) -> None:
    assert place(origin) == told


def test_what_is_due_and_the_letter_to_an_organ(city: SmallCity, browser: Browser) -> None:
    on = date(2021, 1, 29)
    found = due(city.lake, city.folder, on)
    assert found.said == "依申请公开：在办 1 件，逾期 0 件，5 个工作日内到期 1 件"
    made = letter(city.lake, city.folder, "某市人民政府", on, "B")
    assert "1 件即将到期" in made.said
    for organ in ("A", "", "' OR 1=1"):
        with pytest.raises(EntryError):
            letter(city.lake, city.folder, "x", on, organ)
    assert heading(browser.read("/deadlines?on=2021-01-29")) == found.said
    text = browser.read("/deadlines/B?on=2021-01-29")
    assert heading(text) == "政府信息公开申请催办单"
    assert HOSTILE not in text
    assert browser.get("/deadlines/A?on=2021-01-29").status_code == 404
    # What is no day, or lies ahead, is today.
    for odd in ("x", "2999-01-01", "0000-00-00"):
        assert browser.read(f"/deadlines?on={odd}")


# ---- what is begun from here


@pytest.fixture
def office_home(city: SmallCity, tmp_path: Path) -> Settings:
    """The same lake, with persons."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "lake").symlink_to(city.lake.home / "lake")
    add_people(home, {"办": WORKS, "看": VIEWS, "管": MANAGES})
    return Settings(home=home, city=city.folder)


def test_a_run_is_begun_under_the_name_of_whoever_asked(office_home: Settings) -> None:
    browser = Browser(office_home, "办")
    token = browser.token("/data")
    assert browser.post("/pull", {}, token=token).headers["location"] == f"/desk/data?run={RUN}#run"
    span = {"source": "信息公开台账", "from_on": "2020-01-01", "to_on": "2020-01-31"}
    assert browser.post("/backfill", span, token=token).status_code == 303
    assert browser.post("/retry", {"pull_again": "1"}, token=token).status_code == 303
    assert browser.inside.begun == [
        ("nightly", {}),
        ("backfill", span),
        ("retry-rejects", {"pull_again": True}),
    ]
    told = [(line.person, line.act) for line in log.lines(Office(office_home.home))][:3]
    assert told == [("办", "退回再试"), ("办", "补取"), ("办", "取数")]
    for wrong in (
        {**span, "source": "别处"},
        {**span, "from_on": "2020-13-01"},
        {**span, "from_on": "2020-02-01"},
        {**span, "from_on": "2999-01-01", "to_on": "2999-01-02"},
        {},
    ):
        assert browser.post("/backfill", wrong, token=token).status_code == 422
    assert len(browser.inside.begun) == 3
    # Its progress is told until it is over.
    running = browser.read(f"/data/run/{RUN}")
    assert 'hx-trigger="every 3s"' in running
    browser.inside.state = {"type": "FAILED", "message": f"没有取到:{HOSTILE}"}
    over = browser.read(f"/data/run/{RUN}")
    assert "hx-trigger" not in over
    assert HOSTILE not in over
    assert RUN in browser.read(f"/data?run={RUN}")
    assert browser.read("/data?run=../../x")
    browser.inside.answers = ""
    assert browser.post("/pull", {}, token=token).status_code == 503


def test_who_may_not_begin_anything(office_home: Settings) -> None:
    viewer = Browser(office_home, "看")
    text = viewer.read("/data")
    assert 'action="/desk/pull"' not in text
    token = viewer.token("/data")
    worker = Browser(office_home, "办")
    for path in ("/pull", "/backfill", "/retry"):
        assert viewer.post(path, {}, token=token).status_code == 403
        assert worker.post(path, {}, token="").status_code == 403
        assert worker.post(path, {}, token=token).status_code == 403
        elsewhere = worker.post(path, {}, token="x", origin="http://evil.example")
        assert elsewhere.status_code == 403
        assert worker.get(path).status_code in (404, 405)
        assert Browser(office_home).post(path, {}, token="x").status_code == 401
    assert not viewer.inside.begun
    assert not worker.inside.begun
