"""The pages of editions: found again, shown as printed, every figure opened, compared, verified."""

from __future__ import annotations

import csv
import io
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as any_of
from hypothesis import settings as effort
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from deployments.page.desk import commas, size, when
from deployments.page.gate import DESK, Gate
from deployments.page.inside import Inside
from deployments.page.origin import own_names
from deployments.page.routes import desk_app
from deployments.page.visitor import COOKIE, Door
from tasks.clock import now
from tasks.desk import pinned
from tasks.desk.comparison import compared
from tasks.desk.edition import checks, printed_form
from tasks.desk.editions import State, due_told, find_editions, state_of
from tasks.desk.figure import in_every_edition, open_figure
from tasks.editions.build import build_edition
from tasks.editions.explain import explain
from tasks.editions.store import NoEdition, edition_rows, load_edition
from tasks.people import log
from tasks.people.office import Office
from tasks.people.persons import VIEWS, WORKS
from tasks.people.sessions import sign_in
from tasks.publish.approvals import Request, approve
from tasks.settings import Settings
from tests.approving import approve_and_publish, code_at
from tests.operator_room import PASSWORD, add_people
from tests.second_form import KEY, add_second_form
from tests.small_city import NOW, SmallCity
from tests.sql.test_verify import remove, replaced, writable
from warehouse.form import form_of
from warehouse.lake import Lake
from warehouse.period import Period

PORT = 4200
OWN = f"http://127.0.0.1:{PORT}"
TODAY = date(2021, 3, 29)
HOSTILE = '<script>alert("1")</script>'
CORRECTION = """
- {table: application, source_system: s, record_id: unknown-kind, column: applicant_kind, expect: null,
   value: natural_person, reason: 申请表写明, reported_by: 甲县东镇, decided_on: 2021-01-21}
"""
Y2020 = Period.of_year(2020)
SPAN = "2020H1-1"
EVERY = {"2019-1", "2020-1", "2020-2", "2020-3", SPAN, f"{KEY}-2020-1"}


def settings_of(city: SmallCity) -> Settings:
    return Settings(home=city.lake.home, city=city.folder, port=PORT)


def build(city: SmallCity, by: str = "甲", reason: str = "", **more: Any) -> str:
    period = more.pop("period", Y2020)
    return build_edition(
        city.lake, city.folder, period, now=NOW, built_by=by, reason=reason, **more
    ).edition.id


@pytest.fixture(scope="module")
def city(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    """Three editions of 2020 (replaced, published, pending), one of 2019, one of another form."""
    city = small_template.copied_to(tmp_path_factory.mktemp("desk"))
    add_second_form(city.folder)
    (city.folder / "city.yaml").write_text("synthetic: true", encoding="utf-8")
    city.application("2020-01-05", "2020-01-20", record_id="first")
    city.application("2020-02-05", "2020-02-20", record_id="elsewhere", organ_id="B")
    city.application("2020-03-05", record_id="unknown-kind", applicant_kind=None)
    city.application("2019-12-05", "2020-01-06", record_id="carried", organ_id="A2")
    city.application("2020-04-05", record_id=f"odd {HOSTILE}/.. ?#", organ_id="nobody")
    city.add("hotline_call", *({"called_at": datetime(2020, 5, n)} for n in range(1, 26)))
    city.add("article", {"published_at": NOW, "channel_id": None})
    build(city, period=Period.of_year(2019))
    assert build(city) == "2020-1"
    (city.folder / "corrections.yaml").write_text(CORRECTION, encoding="utf-8")
    city.register()
    assert build(city, reason="更正申请人类别") == "2020-2"
    edition = load_edition(city.lake, "2020-2")
    answers = {f.code: "已核实" for f in edition.blocking_findings}
    request = Request("2020-2", "丙", "同意发布。", answers=answers)
    approve_and_publish(city.lake, settings_of(city), request, now=NOW)
    city.application("2020-12-30", record_id="late")
    assert build(city, by="乙", reason="漏登一件") == "2020-3"
    build_edition(city.lake, city.folder, Y2020, now=NOW, form=KEY)
    assert build(city, period=Period.parse("2020H1")) == SPAN
    return city


def browser(settings: Settings, **headers: str) -> TestClient:
    door = Door(settings)

    class Prefect(Inside):
        async def publish(self, approval: int) -> str:
            return ""

    inside = Prefect(Starlette(), settings)  # type: ignore[arg-type]
    app = Starlette(routes=[Mount(DESK, desk_app(settings, door, inside))])
    gate = Gate(app, door, own_names(PORT, ""), inside)
    told = {"host": OWN.removeprefix("http://"), "origin": OWN, **headers}
    return TestClient(gate, base_url=OWN, headers=told, follow_redirects=False)


@pytest.fixture(scope="module")
def desk(city: SmallCity) -> TestClient:
    """A browser where nobody is configured."""
    return browser(settings_of(city))


def token_of(text: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', text)
    assert found is not None
    return found[1]


def ids(found: Any) -> set[str]:
    return {one.row.edition_id for report in found.reports for one in report.editions}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", EVERY),
        ("乙", {"2020-3"}),
        ("丙", {"2020-2"}),
        ("漏登", {"2020-3"}),
        ("同意发布", {"2020-2"}),
        ("已发布", {"2020-2"}),
        ("2020-3", {"2020-3"}),
        ("SITE-REP", {f"{KEY}-2020-1"}),
        ("1 月 20 日", EVERY),
        ("2021-01-20", EVERY),
        ("2021 年 2 月", set()),
        ("2 月 30 日", set()),
        ("25", {"2020-1", "2020-2", "2020-3", SPAN}),
        ("25.00", {"2020-1", "2020-2", "2020-3", SPAN}),
        ("987,654", set()),
        ("没有这样的", set()),
        (HOSTILE, set()),
        ("9" * 80, set()),
        ("%", set()),
        (".", set()),
    ],
)
def test_an_edition_is_found_by_what_someone_remembers(
    city: SmallCity, desk: TestClient, asked: str, expected: set[str]
) -> None:
    found = find_editions(city.lake, settings_of(city), today=TODAY, asked=asked)
    assert ids(found) == expected
    answer = desk.get(f"{DESK}/editions", params={"q": asked})
    assert answer.status_code == 200
    assert HOSTILE not in answer.text
    for edition in expected:
        assert f'href="/desk/edition/{edition}"' in answer.text


def test_a_fingerprint_finds_its_edition(city: SmallCity) -> None:
    for row in pinned.rows(city.lake):
        for fingerprint in (row.cell_hash[:8], row.findings_hash, row.manifest_hash[:12]):
            found = find_editions(
                city.lake, settings_of(city), today=TODAY, asked=fingerprint.upper()
            )
            assert not fingerprint or row.edition_id in ids(found)


@any_of(st.text(max_size=90))
@effort(max_examples=12, deadline=None)
def test_whatever_is_searched_for_is_answered(city: SmallCity, asked: str) -> None:
    find_editions(city.lake, settings_of(city), today=TODAY, asked=asked)


def test_the_list_is_narrowed_and_says_what_it_comes_to(city: SmallCity, desk: TestClient) -> None:
    settings = settings_of(city)
    one = find_editions(city.lake, settings, today=TODAY, year=2019)
    assert ids(one) == {"2019-1"}
    assert one.count == 6
    assert one.years == (2020, 2019)
    published = find_editions(city.lake, settings, today=TODAY, only_published=True)
    assert ids(published) == {"2020-2"}
    forms = find_editions(city.lake, settings, today=TODAY, form=KEY)
    assert ids(forms) == {f"{KEY}-2020-1"}
    assert forms.forms[KEY] == "网站报表"
    assert find_editions(city.lake, settings, today=TODAY).pair == ("2020-2", "2020-3")
    told = desk.get(f"{DESK}/editions").text
    assert "<h1>6 个版次，已发布 1 个，4 个等着处理</h1>" in told
    assert "没有找到这样的版次" in desk.get(f"{DESK}/editions?q=zzz").text
    assert desk.get(f"{DESK}/editions?year=x&form=%00&published=").status_code == 200


def test_where_an_edition_stands_is_a_shape_and_a_word(city: SmallCity) -> None:
    rows = {row.edition_id: row for row in pinned.rows(city.lake)}
    assert state_of(rows["2020-1"]) == State("none", "已有新版")
    assert state_of(rows["2020-2"]) == State("done", "已发布")
    waits = replace(rows["2020-3"], blocking_findings=0)
    assert state_of(waits) == State("turn", "待批准")
    assert state_of(replace(waits, blocking_findings=2)) == State("turn", "待改正")
    assert state_of(waits, is_trial=True) == State("wait", "试编")
    old = replace(rows["2020-2"], edition_status="superseded")
    assert state_of(old) == State("none", "已被替代")


@pytest.mark.parametrize(
    ("today", "told"),
    [
        (date(2021, 3, 29), "3 月 31 日前公布，还有 2 天"),
        (date(2021, 3, 31), "3 月 31 日前公布，还有 0 天"),
        (date(2021, 4, 2), "3 月 31 日前公布，已过 2 天"),
        (date(2026, 1, 1), "应在 2021 年 3 月 31 日前公布"),
    ],
)
def test_the_statutory_day_is_told(today: date, told: str) -> None:
    assert due_told(form_of(), Y2020, today) == told
    assert due_told(form_of(), Period.parse("2020H1"), today) == ""
    assert due_told(None, Y2020, today) == ""


def test_the_form_shows_every_organs_figures_as_the_edition_keeps_them(city: SmallCity) -> None:
    whole = load_edition(city.lake, "2020-1")
    row = pinned.row_of(city.lake, "2020-1")
    for organ in whole.organs:
        for scope in ("rolled_up", "own"):
            form = printed_form(city.lake, row, organ.id, scope)  # type: ignore[arg-type]
            kept = whole.cells[(organ.id, scope)]  # type: ignore[index]
            shown = {
                box.cell.key: box.value for grid in form.grids for box in grid.numbers if box.cell
            }
            assert shown == {key: kept[key] for key in shown}
            assert len(shown) > 150
    with pytest.raises(NoEdition, match="没有机关“nobody”"):
        printed_form(city.lake, row, "nobody")


def test_what_does_not_add_up_is_marked_with_what_its_parts_come_to(city: SmallCity) -> None:
    form = printed_form(city.lake, pinned.row_of(city.lake, "2020-1"))
    off = {one.cell.key: (one.text, one.totals) for one in form.off}
    assert off["t3.new_received.total"] == ("4", ("3",))
    assert form.record_count == 1
    # With the correction nothing is off; an organ that does not hold the record never was.
    assert not printed_form(city.lake, pinned.row_of(city.lake, "2020-2")).off
    assert not printed_form(city.lake, pinned.row_of(city.lake, "2020-1"), "B").off
    own = printed_form(city.lake, pinned.row_of(city.lake, "2020-1"), "A1", "own")
    assert "t3.new_received.total" in own.off_keys


def test_every_figure_of_every_edition_opens(city: SmallCity, desk: TestClient) -> None:
    """What is opened is what `explain` says, of every organ that has the figure."""
    for id_, step in (("2020-1", 60), (SPAN, 97), (f"{KEY}-2020-1", 2)):
        row = pinned.row_of(city.lake, id_)
        edition = pinned.without_figures(city.lake, row)
        for key in [*edition.layout.cells][::step]:
            figure = open_figure(city.lake, row, key)
            said = explain(city.lake, city.folder, row.period, key, form=row.form, edition_id=id_)
            assert figure.record_count == said.record_count
            assert [r.id for r in figure.records] == [r.record_id for r in said.records]
            assert figure.sql == said.sql
            answer = desk.get(f"{DESK}/edition/{id_}/figure/{key}")
            assert answer.status_code == 200
            assert key in answer.text


@pytest.mark.parametrize(
    ("key", "organ", "scope"),
    [
        ("overview.applications_received_change", "R", "rolled_up"),
        ("overview.applications_received_change", "A1", "rolled_up"),
        ("overview.granted_share", "A", "rolled_up"),
        ("overview.granted_share", "B", "own"),
    ],
)
def test_a_figure_made_of_others_is_told_by_both_its_sides(
    city: SmallCity, key: str, organ: str, scope: Any
) -> None:
    row = pinned.row_of(city.lake, "2020-3")
    figure = open_figure(city.lake, row, key, organ_id=organ, scope=scope)
    said = explain(
        city.lake, city.folder, Y2020, key, organ_id=organ, scope=scope, edition_id="2020-3"
    )
    assert [part.label for part in figure.parts] == [part.label for _, part in said.parts]
    assert len(figure.parts) == 2
    assert figure.record_count == said.record_count


def test_a_figure_names_its_checks_organs_and_records(city: SmallCity) -> None:
    row = pinned.row_of(city.lake, "2020-1")
    figure = open_figure(city.lake, row, "t3.new_received.total")
    off, *others = figure.checks
    assert not off.holds
    assert off.title.endswith("差 1")
    assert "≠ 4" in off.equation
    assert [r.record_id for r in off.records] == ["unknown-kind"]
    assert all(told.holds for told in others)
    assert any("各机关之和等于某市人民政府：4 个机关" in told.title for told in others)
    assert [(s.organ_id, s.text, s.is_own) for s in figure.shares] == [
        ("A", "2", False), ("B", "1", False), ("R", "1", True),
    ]  # fmt: skip
    assert figure.scope_label == "含所属 3 个机关"
    assert figure.unit == "件"
    assert figure.date_labels[0] == "收到日期"
    found = in_every_edition(city.lake, row, figure)
    assert [(one.edition_id, one.text) for one in found] == [
        ("2020-3", "5"), ("2020-2", "4"), ("2020-1", "4"), ("2019-1", "1"),
    ]  # fmt: skip


def test_records_come_page_by_page_and_whole(city: SmallCity, desk: TestClient) -> None:
    path = f"{DESK}/edition/2020-1/figure/overview.calls"
    first, second = desk.get(path).text, desk.get(f"{path}?page=2").text
    assert "第 1–20 条，共 25 条" in first
    assert "第 21–25 条，共 25 条" in second
    assert "没有第 3 页，共 2 页" in desk.get(f"{path}?page=3").text
    for page in ("0", "-1", "x", "9" * 30, "１"):
        assert desk.get(path, params={"page": page}).status_code == 200
    answer = desk.get(f"{path}/records.csv")
    lines = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert answer.headers["content-type"].startswith("text/csv")
    assert len(lines) == 26
    assert "2020-1%20overview.calls.csv" in answer.headers["content-disposition"]


def test_an_edition_page_says_all_there_is(city: SmallCity, desk: TestClient) -> None:
    told = desk.get(f"{DESK}/edition/2020-1").text
    assert "2020 年年度报告，<span" in told
    assert "已有新版" in told
    assert "与分项之和不符" in told
    assert 'href="/desk/edition/2020-1/findings"' in told
    # In the head of the page, which does not print, and over the print.
    assert told.count("演示数据：除已公布总数外均为合成") == 2
    # The print has all tables; a number is a link that opens it, without any script.
    assert told.count('<table class="official"') == 3
    assert 'href="/desk/edition/2020-1?figure=t3.granted.total#t3.granted.total"' in told
    opened = desk.get(f"{DESK}/edition/2020-1?figure=t3.granted.total").text
    assert 'class="panel figure shown"' in opened
    assert 'class="n open"' in opened
    span = desk.get(f"{DESK}/edition/{SPAN}").text
    assert "2020 年上半年" in span
    organ = desk.get(f"{DESK}/edition/2020-1?organ=A&scope=own").text
    assert '<option value="A" selected>' in organ
    assert "organ=A&amp;scope=own&amp;figure=" in organ
    other = desk.get(f"{DESK}/edition/{KEY}-2020-1").text
    assert "政府网站发布情况年度报表" in other
    assert "w1.published.total" in other


def test_a_part_of_the_page_is_the_column_beside_the_form(desk: TestClient) -> None:
    asks = {"hx-request": "true"}
    part = desk.get(f"{DESK}/edition/2020-1?figure=t3.granted.total", headers=asks).text
    assert part.strip().startswith('<div class="side" id="side"')
    assert "<html" not in part
    closed = desk.get(f"{DESK}/edition/2020-1", headers=asks).text
    assert 'class="beside sheet"' in closed
    assert "<html" not in closed
    # Going back in a browser asks for the page again, not for its part.
    back = {**asks, "hx-history-restore-request": "true"}
    assert "<html" in desk.get(f"{DESK}/edition/2020-1", headers=back).text


def test_the_overview_stands_beside_last_year(city: SmallCity, desk: TestClient) -> None:
    told = desk.get(f"{DESK}/edition/2020-1/overview").text
    row = next(r for r in told.split("<tr>") if "收到申请<span" in r and "上年" not in r)
    assert re.findall(r">(\+?\d+)<", row) == ["5", "1", "+4"]
    assert "2 ÷ 5" not in told
    assert "3 ÷ 5" in told
    assert "没有总体情况的数字" in desk.get(f"{DESK}/edition/{KEY}-2020-1/overview").text
    assert desk.get(f"{DESK}/edition/2020-1/overview?organ=A").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "edition/2020-9",
        "edition/%3Cscript%3Ealert(%221%22)%3C%2Fscript%3E",
        "edition/2020-1?organ=nobody",
        "edition/2020-1?organ=%3Cscript%3E",
        "edition/2020-1?figure=t3.nothing.total",
        "edition/2020-1?figure=%3Cscript%3E",
        "edition/2020-1/figure/t3.nothing.total",
        "edition/2020-1/figure/%3Cscript%3E/records.csv",
        "edition/2020-9/figure/t3.granted.total/records.csv",
        "edition/2020-1/figure/t3.granted.total?organ=nobody",
        "edition/2020-1/figure/overview.calls?organ=" + "A" * 5000,
        "edition/2020-9/overview",
        "edition/2020-9/files.zip",
        "edition/2020-1/files.zip",
        "edition/..%2F..%2Fetc/files.zip",
        "edition/2020-9/verify",
        "approval/99",
        "compare",
        "compare?before=2020-1",
        "compare?before=2020-1&after=%3Cscript%3E",
        "edition/2020H1-1/files.zip",
        "compare.csv?before=2020-1",
        "compare.csv?before=2020-1&after=nothing",
    ],
)
def test_what_is_not_there_is_said(desk: TestClient, path: str) -> None:
    answer = desk.get(f"{DESK}/{path}")
    assert answer.status_code == 404
    assert "<h1>" in answer.text
    assert "<script>" not in answer.text
    assert "Traceback" not in answer.text


def test_two_editions_are_compared_by_the_records_that_changed(
    city: SmallCity, desk: TestClient
) -> None:
    # What is kept is kept for the lake as the page opens it.
    lake = settings_of(city).lake()
    before, after = (pinned.row_of(lake, id_) for id_ in ("2020-1", "2020-3"))
    address = f"{DESK}/compare?before=2020-1&after=2020-3"
    quick = compared(lake, before, after, with_records=False)
    assert quick.records is None
    assert quick.count > 5
    assert "个数不同" in quick.sentence
    # Without a script the records are one link away.
    assert f"{address.replace('&', '&amp;')}&amp;records=1" in desk.get(address).text
    found = compared(lake, before, after, with_records=True)
    assert found.records is not None
    assert {r.id: r.how.partition("，")[0] for r in found.records} == {
        "unknown-kind": "更正",
        "late": "新取到",
    }
    mended = next(r for r in found.records if r.id == "unknown-kind")
    assert [(v.label, v.was, v.now) for v in mended.values] == [("申请人类别", "空", "自然人")]
    assert mended.how == "更正，甲县东镇提出"
    assert mended.organ == "甲县东镇"
    assert found.unexplained == 0
    assert "都由 2 条记录引起" in found.sentence
    # Once they are found the page shows them by itself.
    told = desk.get(address).text
    assert "都由 2 条记录引起" in told
    assert "/desk/record/s/application/unknown-kind" in told
    part = desk.get(f"{address}&records=1", headers={"hx-request": "true"}).text
    assert part.strip().startswith('<div id="compared"')
    assert "<html" not in part
    lines = desk.get(f"{DESK}/compare.csv?before=2020-1&after=2020-3").content
    rows = list(csv.DictReader(io.StringIO(lines.decode("utf-8-sig"))))
    assert {"t3.new_received.total"} <= {row["cell"] for row in rows}


def test_editions_that_cannot_be_compared_say_so(city: SmallCity, desk: TestClient) -> None:
    for before, after in (("2019-1", "2020-1"), (SPAN, "2020-1"), (f"{KEY}-2020-1", "2020-1")):
        answer = desk.get(f"{DESK}/compare?before={before}&after={after}")
        assert answer.status_code == 422
        assert "不是同一种报表" in answer.text
        assert desk.get(f"{DESK}/compare.csv?before={before}&after={after}").status_code == 422
    same = desk.get(f"{DESK}/compare?before=2020-1&after=2020-1&records=1")
    assert "没有任何数字不同" in same.text


def test_a_difference_that_no_record_makes_is_counted(small: SmallCity) -> None:
    """A condition that says something else moves figures, and no record."""
    small.application("2020-01-05", "2020-01-20", record_id="a")
    build(small)
    text = (small.folder / "overview.yaml").read_text(encoding="utf-8")
    for old, new in (("measure: hotline_call, where: is_in_year", "sum_of: [t3.granted.total]"),):
        assert old in text
        text = text.replace(old, new)
    (small.folder / "overview.yaml").write_text(text, encoding="utf-8")
    build(small)
    before, after = (pinned.row_of(small.lake, id_) for id_ in ("2020-1", "2020-2"))
    found = compared(small.lake, before, after, with_records=True)
    assert found.definitions == ("总体情况数字的口径",)
    moved = {f.key: (f.was, f.now) for f in found.figures}
    assert moved["overview.calls"] == ("0", "1")
    assert found.records == ()
    # The root's, and those of the two organs that the record belongs to.
    assert found.unexplained == found.count == 3
    assert found.sentence.endswith("3 个数不同，3 个没有记录可以说明")


def test_only_measures_that_can_differ_are_weighed(city: SmallCity, monkeypatch: Any) -> None:
    """What nothing has touched is not read record by record."""
    import tasks.editions.differences as module

    asked: list[set[str]] = []
    whole = module._export

    def noted(lake: Lake, edition: Any, folder: Path, measures: Any) -> Any:
        asked.append(set(measures))
        return whole(lake, edition, folder, measures)

    monkeypatch.setattr(module, "_export", noted)
    before, after = (load_edition(city.lake, id_) for id_ in ("2020-1", "2020-2"))
    found = module.differences(city.lake, before, after)
    assert asked == [{"application"}] * 2
    assert {r.record_id for c in found.cells for r in c.records} == {"unknown-kind"}


def test_an_approval_says_what_is_next_and_hands_out_its_checkpoint(
    city: SmallCity, desk: TestClient
) -> None:
    told = desk.get(f"{DESK}/approval/1").text
    assert "2020 年年度报告已批准并冻结，版次 2020-2" in told
    assert "下一步" in told
    (checkpoint,) = re.findall(r'value="(1:[0-9a-f]{64})"', told)
    grouped = "".join(re.findall(r"<span>([0-9a-f]{4})</span>", told))
    assert checkpoint == f"1:{grouped}"
    assert 'href="/editions/2020-2/report.docx"' in told
    packed = desk.get(f"{DESK}/edition/2020-2/files.zip")
    assert packed.headers["content-type"] == "application/zip"
    names = zipfile.ZipFile(io.BytesIO(packed.content)).namelist()
    assert {"2020-2/report.docx", "2020-2/manifest.sig"} <= set(names)


def test_an_approval_that_is_not_published_yet_says_how_to_go_on(small: SmallCity) -> None:
    small.application("2020-01-05", "2020-01-20")
    build(small)
    request = Request("2020-1", "丙", "同意", answers={})
    given = approve(small.lake, settings_of(small), request, now=NOW)
    told = browser(settings_of(small)).get(f"{DESK}/approval/{given.number}").text
    assert "已批准版次 2020-1，还没有发布" in told
    assert f"填 {given.number}。" in told
    assert "留存核对码" not in told


@pytest.fixture
def changed(city: SmallCity, tmp_path: Path) -> Any:
    """The published folder, put back as it was."""
    folder = city.lake.home / "editions" / "2020-2"
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    yield folder
    if folder.exists():
        remove(folder)
    shutil.copytree(kept, folder)


def _replace_file(folder: Path) -> None:
    with writable(folder):
        replaced(folder / "report.docx", b"other")


def _add_file(folder: Path) -> None:
    with writable(folder):
        (folder / f"{HOSTILE.replace('/', '')}.txt").write_text("x")


def _make_writable(folder: Path) -> None:
    folder.chmod(0o755)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_replace_file, ["report.docx", "改动"]),
        (_add_file, ["多出"]),
        (_make_writable, ["权限"]),
        (remove, ["缺少", "文件夹 2020-2 不在了"]),
    ],
    ids=["replaced", "added", "writable", "gone"],
)
def test_verifying_shows_what_differs(
    desk: TestClient, changed: Path, change: Callable[[Path], None], told: list[str]
) -> None:
    token = token_of(desk.get(f"{DESK}/edition/2020-2/verify").text)
    change(changed)
    answer = desk.post(f"{DESK}/edition/2020-2/verify", data={"form_token": token})
    assert answer.status_code == 200
    assert "与签名时不同" in answer.text
    assert all(part in answer.text for part in told)
    assert "<script>" not in answer.text
    # The figures are in the lake: the page of the edition does not need the folder.
    page = desk.get(f"{DESK}/edition/2020-2")
    assert page.status_code == 200
    assert ("文件夹不在了" in page.text) == (change is remove)


def test_verifying_is_asked_by_a_form_and_told_to_the_log(
    city: SmallCity, desk: TestClient
) -> None:
    path = f"{DESK}/edition/2020-2/verify"
    token = token_of(desk.get(path).text)
    answer = desk.post(path, data={"form_token": token})
    assert answer.status_code == 200
    assert "与签名时一致" in answer.text
    (checkpoint,) = re.findall(r"1:[0-9a-f]{64}", answer.text)
    assert (
        "与签名时一致" in desk.post(path, data={"form_token": token, "checkpoint": checkpoint}).text
    )
    cut = f"2:{checkpoint[2:]}"
    assert "尾部被截去" in desk.post(path, data={"form_token": token, "checkpoint": cut}).text
    wrong = desk.post(path, data={"form_token": token, "checkpoint": HOSTILE})
    assert wrong.status_code == 422
    assert "看不懂" in wrong.text
    assert HOSTILE not in wrong.text
    for forged in ({}, {"form_token": "x"}):
        assert desk.post(path, data=forged).status_code == 403
    elsewhere = desk.post(
        path, data={"form_token": token}, headers={"origin": "http://evil.example"}
    )
    assert elsewhere.status_code == 403
    assert desk.post(f"{DESK}/edition/2020-9/verify", data={"form_token": token}).status_code == 404
    never = desk.post(f"{DESK}/edition/2020-3/verify", data={"form_token": token})
    assert never.status_code == 422
    assert "没有发布过" in never.text
    lines = [line for line in log.lines(Office(city.lake.home)) if line.act == "验真"]
    assert {line.person for line in lines} == {"未登录 testclient"}
    assert lines[0].about.startswith("版次 2020-2:")


def test_who_may_only_look_sees_all_and_whoever_is_unknown_nothing(
    city: SmallCity, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(city.lake.home, home)
    add_people(home, {"看": VIEWS, "办": WORKS})
    settings = Settings(home=home, city=city.folder, port=PORT)
    moment = now()
    session = sign_in(Office(home), "看", PASSWORD, code_at(moment), client="here", now=moment)
    viewer = browser(settings, cookie=f"{COOKIE}={session}")
    for path in ("editions", "edition/2020-1", "edition/2020-1/figure/t3.granted.total"):
        assert viewer.get(f"{DESK}/{path}").status_code == 200
        stranger = browser(settings, accept="text/html").get(f"{DESK}/{path}")
        assert stranger.status_code == 303
        assert "/desk/sign-in?next=" in stranger.headers["location"]
    verify = f"{DESK}/edition/2020-2/verify"
    told = viewer.post(verify, data={"form_token": token_of(viewer.get(verify).text)})
    assert told.status_code == 200
    assert next(line.person for line in log.lines(Office(home)) if line.act == "验真") == "看"


def test_without_a_lake_the_pages_say_so(tmp_path: Path, city: SmallCity) -> None:
    empty = browser(Settings(home=tmp_path / "none", city=city.folder, port=PORT))
    for path in ("editions", "edition/2020-1", "compare?before=a&after=b"):
        answer = empty.get(f"{DESK}/{path}")
        assert answer.status_code == 200
        assert "还没有数据" in answer.text
    assert empty.get(f"{DESK}/approval/1").status_code == 404


def test_what_is_read_once_is_read_anew_when_the_edition_is_another(small: SmallCity) -> None:
    small.application("2020-01-05", "2020-01-20")
    build(small, reason="")
    first = pinned.without_figures(small.lake, pinned.row_of(small.lake, "2020-1"))
    with small.lake.write() as connection:
        connection.execute("UPDATE yearly.edition SET reason = '说明' WHERE edition_id = '2020-1'")
    again = pinned.without_figures(small.lake, pinned.row_of(small.lake, "2020-1"))
    assert (first.reason, again.reason) == ("", "说明")


def test_the_checks_of_the_page_are_those_of_the_edition(city: SmallCity) -> None:
    """Reckoned on the figures they come to what was found when it was built."""
    for id_ in ("2020-1", "2020-3", f"{KEY}-2020-1"):
        whole = load_edition(city.lake, id_)
        keys = {e.key for e in whole.layout.equations}
        for organ in whole.organs:
            failed = {
                f.key for f in whole.findings if f.organ_id == organ.id and f.status == "fail"
            }
            edition = pinned.with_organ(city.lake, pinned.row_of(city.lake, id_), organ.id)
            told = {t.key for t in checks(edition, organ.id, "rolled_up") if not t.holds}
            assert told == failed & keys


def test_a_lake_before_editions_counted_what_blocks_is_read(city: SmallCity) -> None:
    with city.lake.read() as connection:
        rows = edition_rows(connection)
    assert {row.edition_id: row.blocking_findings for row in rows} == {
        row.edition_id: len(load_edition(city.lake, row.edition_id).blocking_findings)
        for row in rows
    }


def test_numbers_and_days_are_written_for_reading() -> None:
    figures = {
        "": "", "0": "0", "293102296.61": "293,102,296.61", "+1561": "+1,561", "-12": "-12",
        "34.88%": "34.88%", "+0.02 个百分点": "+0.02 个百分点", "-12345.60": "-12,345.60",
        "缺": "缺",
    }  # fmt: skip
    assert {text: commas(text) for text in figures} == figures
    assert [size(n) for n in (0, 999, 1000, 1_234_567)] == ["0 字节", "999 字节", "1 KB", "1.2 MB"]
    assert when(datetime(2001, 6, 9, 8)) == "2001 年 6 月 9 日"
    assert when(None) == ""
    assert when(now().replace(hour=9, minute=5)).endswith("09:05")
    assert commas(str(Decimal("10") ** 15)) == "1,000,000,000,000,000"
