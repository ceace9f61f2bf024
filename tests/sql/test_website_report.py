"""The yearly form of websites (国办函〔2018〕12号): figures by website and rolled up, what is entered on
record, what is blank and why, every check."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from docx import Document
from rich.console import Console

from tasks.city.csv_file import CityFileError
from tasks.city.entries import read_entries
from tasks.city.websites import read_websites
from tasks.editions.build import build_edition, preview
from tasks.editions.differences import differences, differences_json
from tasks.editions.edition import CellValue, Edition, Finding
from tasks.editions.explain import explain, explanation_json
from tasks.editions.part import part_of
from tasks.editions.tabulate import TabulationError
from tasks.publish.publish import Request
from tasks.publish.rebuild import rebuild
from tasks.render import render_edition, tables_json, terminal, word, workbook
from tasks.settings import Settings
from tests.approving import approve_and_publish
from tests.small_city import NOW, SmallCity
from tests.websites import ENTRIES, REGISTRY, add_entries, add_registry, with_websites
from warehouse.form import form_of
from warehouse.period import Period

KEY = "website-report"
YEAR = Period.of_year(2020)


@pytest.fixture(scope="module")
def template(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    return with_websites(small_template.copied_to(tmp_path_factory.mktemp("websites") / "template"))


@pytest.fixture
def city(template: SmallCity, tmp_path: Any) -> SmallCity:
    return template.copied_to(tmp_path / "city")


@pytest.fixture(scope="module")
def edition(template: SmallCity) -> Edition:
    return built(template)


def built(city: SmallCity) -> Edition:
    return preview(city.lake, city.folder, YEAR, now=NOW, form=KEY)


def value(edition: Edition, cell: str, of: str, scope: Any = "rolled_up") -> CellValue:
    return edition.cells[(of, scope)][f"{cell}.value"]


def findings(edition: Edition, code: str, of: str | None = None) -> list[Finding]:
    return [f for f in edition.findings if f.code == code and of in (None, f.organ_id)]


def test_its_units_are_websites_below_the_organs_that_run_them(edition: Edition) -> None:
    tree = [(o.id, o.kind, o.parent_id) for o in edition.organs]
    assert tree == [
        ("R", "city", None),
        ("A", "county", "R"),
        ("B", "department", "R"),
        ("P", "website", "R"),
        ("C", "website", "A"),
        ("E", "website", "B"),
    ]
    assert edition.form.key == KEY
    assert edition.form.named(YEAR) == "2020 年网站报表"


FIGURES = {
    # cell: (portal, county's website, the city)
    "visits.unique_users": (70, None, 70),
    "visits.visits": (150, 7, 157),
    "publishing.total": (4, 2, 6),
    "publishing.overview": (1, 0, 1),
    "publishing.news": (1, 0, 1),
    "publishing.catalogue": (2, 2, 4),
    "columns.maintained": (0, 1, 1),
    "columns.opened": (0, 1, 1),
    "interpretation.total": (1, 1, 2),
    "interpretation.materials": (0, 0, 0),
    "interpretation.products": (1, 0, 1),
    "interpretation.comments": (0, 1, 1),
    "interpretation.responses": (1, 0, 1),
    "interaction.received": (3, None, 3),
    "interaction.closed": (2, None, 2),
    "interaction.published": (1, None, 1),
    "interaction.consultations": (2, None, 2),
    "interaction.opinions": (42, None, 42),
    "interaction.results": (1, None, 1),
    "interaction.interviews": (1, None, 1),
    "interaction.questions": (9, None, 9),
    "interaction.answers": (7, None, 7),
    "safety.checks": (4, 2, 6),
    "new_media.wechat_posts": (2, None, 2),
    "new_media.wechat_followers": (90, None, 90),
    "new_media.weibo_posts": (None, None, None),
}


@pytest.mark.parametrize("cell", FIGURES)
def test_figures_by_website_and_rolled_up(edition: Edition, cell: str) -> None:
    found = tuple(value(edition, cell, of).value for of in ("P", "C", "R"))
    assert found == FIGURES[cell]


def test_days_come_from_records(edition: Edition) -> None:
    days = value(edition, "interaction.days", "P")
    # 3 and 10 days; the third message was closed after the year.
    assert (days.value, days.numerator, days.denominator) == (Decimal("6.5"), 13, 2)
    assert value(edition, "interaction.days", "C") == CellValue(None)


def test_words_are_a_websites_own(edition: Edition) -> None:
    texts = {
        cell: [value(edition, cell, of).text for of in ("P", "C", "E", "R")]
        for cell in ("head.name", "head.organ", "head.kind", "head.police", "new_media.wechat_name")
    }
    assert texts == {
        "head.name": ["某市人民政府门户网站", "甲县人民政府网站", "某市教育专网", ""],
        "head.organ": ["某市人民政府", "甲县人民政府", "市教育局", ""],
        "head.kind": ["政府门户网站", "政府门户网站", "专项网站", ""],
        "head.police": ["11010002000001", None, None, ""],
        "new_media.wechat_name": ["某市发布", None, None, ""],
    }
    assert value(edition, "foot.head", "P").text == "王五"
    assert tables_json(edition, "P")["cells"]["head.name.value"] == "某市人民政府门户网站"
    assert tables_json(edition)["cells"]["head.name.value"] is None


def test_a_question_counts_who_said_yes(edition: Edition) -> None:
    drills = {of: value(edition, "safety.drill", of) for of in ("P", "C", "E", "R")}
    assert {of: (v.value, v.denominator) for of, v in drills.items()} == {
        "P": (1, 1), "C": (0, 1), "E": (None, None), "R": (1, 2),
    }  # fmt: skip
    # From records: whether the organ has an account.
    has = {of: value(edition, "new_media.has", of) for of in ("P", "C", "R")}
    assert {of: (v.value, v.denominator) for of, v in has.items()} == {
        "P": (1, 1), "C": (0, 1), "R": (1, 3),
    }  # fmt: skip


def test_a_website_without_records_is_blank_with_its_reason(edition: Edition) -> None:
    cells = edition.cells[("E", "rolled_up")]
    has_figures = {k for k, v in cells.items() if not v.is_missing}
    assert has_figures == {
        "head.unit.value", "head.name.value", "head.address.value", "head.organ.value",
        "head.kind.value", "new_media.has.value",
    }  # fmt: skip
    (told,) = findings(edition, "E1", "E")
    assert (told.status, told.severity) == ("fail", "warn")
    assert "某市教育专网空白的行:网站登记册没有填写:基本情况·政府网站标识码" in told.message
    assert "来源没有该网站的记录:访问量、信息发布、专栏专题、解读回应" in told.message
    assert "没有登记:办事服务" in told.message
    assert "无从计算:互动交流·平均办理时间" in told.message
    # Accounts and further innovations need not be there.
    assert "微博" not in told.message
    assert "创新发展·其他" not in told.message


def test_what_no_source_provides_says_so(city: SmallCity) -> None:
    with city.lake.write() as connection:
        connection.execute(
            "DELETE FROM core.interaction WHERE interaction_kind IN ('survey', 'consultation')"
        )
    edition = built(city)
    assert value(edition, "interaction.consultations", "P").value is None
    assert value(edition, "interaction.interviews", "P").value == 1
    (told,) = findings(edition, "E1", "P")
    assert (
        "来源没有这一内容:互动交流·征集调查期数、互动交流·收到意见数量、互动交流·公布调查结果期数"
        in told.message
    )


def test_records_of_an_unregistered_website_are_in_the_sum_and_named(city: SmallCity) -> None:
    (lost,) = city.add(
        "article",
        {"organ_id": "A", "site_id": "unknown", "published_at": datetime(2020, 8, 1)},
    )
    edition = built(city)
    assert [value(edition, "publishing.total", of).value for of in ("P", "C", "A", "R")] == [
        4,
        2,
        3,
        7,
    ]
    (told,) = findings(edition, "E3", "A")
    assert told.status == "fail"
    assert [r.record_id for r in told.records] == [lost]
    assert {f.status for f in findings(edition, "E3") if f.organ_id != "A"} == {"pass"}
    assert {f.status for f in findings(edition, "A3")} == {"pass"}


def test_records_of_a_website_that_is_closed_stay_with_its_organ(city: SmallCity) -> None:
    add_registry(city.folder, REGISTRY.replace("2012-05-01,", "2012-05-01,2019-12-31"))
    add_entries(city.folder, ENTRIES)
    city.register()
    edition = built(city)
    assert "C" not in {o.id for o in edition.organs}
    # Its organ has none by now: the organ above answers, and the portal is the nearest website.
    assert value(edition, "publishing.total", "P").value == 6
    assert value(edition, "publishing.total", "R").value == 6


def test_the_last_entry_holds_and_an_empty_one_withdraws(city: SmallCity) -> None:
    later = (
        "P,2020,safety.checks,5,张三,2021-01-12,补报的检测报告",
        "C,2020,safety.checks,,李四,2021-01-12,登错",
        "C,2019,safety.checks,9,李四,2021-01-12,检测报告",
    )
    add_entries(city.folder, (*ENTRIES, *later))
    assert city.register() == ["core.form_entry"]
    edition = built(city)
    assert [value(edition, "safety.checks", of).value for of in ("P", "C", "R")] == [5, None, 5]
    assert edition.last_year["safety.checks.value"].value == 9


def test_entries_are_listed_and_explained(city: SmallCity, edition: Edition) -> None:
    (told,) = findings(edition, "E2", "P")
    assert told.status == "pass"
    first = told.records[0]
    assert (first.source_system, first.record_id, first.record_on, first.detail) == (
        "entries/website-report.csv",
        "第 2 行",
        date(2021, 1, 5),
        "安全防护·安全检测评估次数:登记为“4”;张三登记;依据:检测报告",
    )
    found = explain(city.lake, city.folder, YEAR, "safety.checks.value", form=KEY, organ_id="P")
    (record,) = found.records
    assert (found.value, found.text) == (4, "4")
    assert (record.table, record.record_id, record.quantity) == ("core.form_entry", "第 2 行", 4)
    assert "张三登记" in record.detail
    words = explain(city.lake, city.folder, YEAR, "foot.head.value", form=KEY, organ_id="P")
    assert (words.value, words.text, words.record_count) == (None, "王五", 1)
    blank = explanation_json(
        explain(city.lake, city.folder, YEAR, "safety.found.value", form=KEY, organ_id="E")
    )
    assert (blank["value"], blank["text"], blank["why_blank"]) == (None, "", "没有登记")
    whole = explain(city.lake, city.folder, YEAR, "safety.checks.value", form=KEY)
    assert (whole.value, whole.record_count) == (6, 2)
    # The SQL runs as it is printed, and comes to the same.
    for key, of in (
        ("safety.checks.value", "P"),
        ("head.name.value", "P"),
        ("publishing.total.value", "C"),
    ):
        shown = explain(city.lake, city.folder, YEAR, key, form=KEY, organ_id=of)
        with city.lake.read() as connection:
            connection.execute("USE lake")
            row = connection.execute(shown.sql).fetchone()
        assert row is not None
        assert row[0] == (shown.value if shown.value is not None else shown.text), key


def entry(row: str, value: object, website: str = "P") -> str:
    return f"{website},2020,{row},{value},张三,2021-01-08,台账"


BROKEN: dict[str, tuple[str, str, list[str], dict[str, Any] | None]] = {
    # code: severity, table of further records, entries, the record
    "W2": ("warn", "article", [], {"organ_id": "R", "site_id": "P", "published_at": datetime(2020, 9, 1)}),
    "W4": ("block", "", [entry("services.cases", 10), entry("services.cases_natural", 6), entry("services.cases_legal", 5)], None),
    "W7": ("warn", "", [entry("safety.found", 3), entry("safety.mended", 4)], None),
    "W9": ("warn", "interaction", [], {"organ_id": "R", "site_id": "P", "interaction_kind": "interview", "received_on": date(2020, 7, 1), "message_count": 1, "answered_count": 9}),
    "W10": ("warn", "site_traffic", [], {"organ_id": "R", "site_id": "P", "traffic_on": date(2020, 7, 1), "visit_count": 1, "visitor_count": 999}),
    "W11": ("warn", "", [entry("services.items", 3), entry("services.online_items", 4)], None),
}  # fmt: skip


@pytest.fixture(scope="module")
def broken(template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> Edition:
    """All of it at once: each breaks its own check alone."""
    city = template.copied_to(tmp_path_factory.mktemp("broken") / "city")
    entries = [line for _, _, lines, _ in BROKEN.values() for line in lines]
    for _, table, _, record in BROKEN.values():
        if record:
            city.add(table, record)
    add_entries(city.folder, (*ENTRIES, *entries))
    city.register()
    return built(city)


@pytest.mark.parametrize("code", BROKEN)
def test_a_check_fails_on_what_breaks_it(edition: Edition, broken: Edition, code: str) -> None:
    severity, _, entries, _ = BROKEN[code]
    assert {f.status for f in findings(edition, code, "P")} <= {"pass", "not_assessable"}
    (told,) = (f for f in findings(broken, code, "P") if f.status == "fail")
    assert told.severity == severity
    assert told.record_count >= len(entries) + (not entries)
    assert (told in broken.blocking_findings) == (severity == "block")
    # The county's website is not concerned, the sum is.
    assert not [f for f in findings(broken, code, "C") if f.status == "fail"]
    assert [f.status for f in findings(broken, code, "R") if f.status == "fail"] == ["fail"]


def test_checks_of_counts_of_records_hold_for_every_total() -> None:
    """What records alone make cannot break by records: the equations are held on numbers."""
    from expectations.balance import evaluate

    layout = form_of(KEY).layout("2018")
    by_key = {e.key: e for e in layout.equations}
    assert len(by_key) == len(layout.equations)
    for key, numbers, status in (
        ("W1.publishing.value", {"total": 3, "overview": 1, "news": 1, "catalogue": 2}, "fail"),
        ("W1.publishing.value", {"total": 4, "overview": 1, "news": 1, "catalogue": 2}, "pass"),
        ("W3.interpretation.value.products", {"total": 1, "products": 2}, "fail"),
        ("W3.interpretation.value.comments", {"total": 2, "comments": 2}, "pass"),
        ("W5.interaction.value", {"received": 1, "closed": 2}, "fail"),
        ("W6.interaction.value", {"received": 1, "published": 2}, "fail"),
        ("W8.interaction.value", {"consultations": 1, "results": 2}, "fail"),
        ("W8.interaction.value", {"consultations": 1}, "not_assessable"),
    ):
        table = by_key[key].table
        figures = {f"{table}.{row}.value": n for row, n in numbers.items()}
        assert evaluate(by_key[key], figures).status == status, key


def test_every_check_of_the_form_is_used_and_tried() -> None:
    form = form_of(KEY)
    used = {e.code for e in form.layout("2018").equations}
    assert used == {check.code for check in form.checks}
    tried = {"W1", "W3", "W5", "W6", "W8"} | set(BROKEN)
    assert used == tried
    blocking = {c.code for c in form.checks if c.severity == "block"}
    # What the form prints as a whole with its parts.
    assert blocking == {"W1", "W3", "W4"}
    assert all(check.article for check in form.checks)


def test_it_is_published_and_rebuilt_whatever_is_entered_later(city: SmallCity) -> None:
    settings = Settings(home=city.lake.home, city=city.folder)
    kept = build_edition(city.lake, city.folder, YEAR, now=NOW, form=KEY).edition
    assert kept.id == "website-report-2020-1"
    folder = settings.editions / kept.id
    render_edition(kept, folder, lake=city.lake)
    approve_and_publish(city.lake, settings, Request(kept.id, "张三", "同意"), now=NOW)
    add_entries(city.folder, (*ENTRIES, entry("safety.checks", 8), entry("foot.phone", "0123")))
    add_registry(city.folder, REGISTRY.replace("京ICP备1号", "京ICP备9号"))
    city.register()
    done = rebuild(city.lake, settings, kept.id)
    assert done.is_same, done.proofs
    later = build_edition(city.lake, city.folder, YEAR, now=NOW, form=KEY).edition
    assert later.id == "website-report-2020-2"
    assert value(later, "safety.checks", "P").value == 8
    again = build_edition(city.lake, city.folder, YEAR, now=NOW, form=KEY)
    assert not again.is_new
    assert again.edition.cells == later.cells
    # What differs is told by entries and lines of the registry, words too.
    told = differences_json(differences(city.lake, kept, later, organ_id="P"))
    found = {c["cell"]: (c["before"], c["after"]) for c in told["cells"]}
    assert found == {
        "safety.checks.value": (4, 8),
        "foot.phone.value": (None, "0123"),
        "head.icp.value": ("京ICP备1号", "京ICP备9号"),
    }
    behind = {
        c["cell"]: [(r["id"], r["change"], r.get("weight")) for r in c["records"]]
        for c in told["cells"]
    }
    assert behind == {
        "safety.checks.value": [("第 2 行", "removed", -4), ("第 7 行", "added", 8)],
        "foot.phone.value": [("第 8 行", "added", 1)],
        "head.icp.value": [("P", "changed", 0)],
    }


def test_a_website_prints_its_own_form(edition: Edition, tmp_path: Any) -> None:
    part = part_of(edition, "P")
    word.write(part, tmp_path / "a.docx")
    workbook.write(part, tmp_path / "a.xlsx")
    document = Document(str(tmp_path / "a.docx"))
    (table,) = document.tables
    rows = {row.cells[-2].text: row.cells[-1].text for row in table.rows}
    assert rows["网站名称"] == "某市人民政府门户网站"
    assert rows["安全检测评估次数（单位：次） ※"] == "4"
    assert rows["是否开展应急演练 ※"] == "是"
    assert rows["平均办理时间（单位：天）"] == "6.50"
    assert rows["发现问题数量（单位：个） ※"] == ""
    heading = "".join(p.text for p in document.paragraphs[:4])
    assert "某市人民政府门户网站2020年政府网站工作年度报表" in heading.replace("\n", "")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["政府网站工作年度报表", "问题清单", "人工登记", "编制说明"]
    sheet = book["政府网站工作年度报表"]
    shown = {row[2].value or row[1].value: row[3].value for row in sheet.iter_rows()}
    assert (shown["网站总访问量（单位：次）"], shown["是否开展应急演练 ※"]) == (150, "是")
    told = [[c.value for c in row] for row in book["人工登记"].iter_rows(min_row=4)]
    assert len(told) == 3
    assert told[0][2] == "安全防护·安全检测评估次数：登记为“4”；张三登记；依据：检测报告"


def test_the_terminal_says_why_a_row_is_blank(edition: Edition) -> None:
    console = Console(width=120, record=True, file=StringIO())
    console.print(terminal.tables(edition, "C", width=120))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "网站名称 甲县人民政府网站" in lines
    assert "安全检测评估次数（次） 2" in lines
    assert "是否开展应急演练 否" in lines
    assert "发现问题数量（个） 缺：没有登记" in lines


def test_outputs_of_the_sum_show_every_website(city: SmallCity) -> None:
    settings = Settings(home=city.lake.home, city=city.folder)
    kept = build_edition(city.lake, city.folder, YEAR, now=NOW, form=KEY).edition
    folder = settings.editions / kept.id
    render_edition(kept, folder, lake=city.lake)
    sheet = openpyxl.load_workbook(folder / "upload.xlsx").active
    heads = [c.value for c in sheet[1]]
    rows = {row[1].value: dict(zip(heads, (c.value for c in row), strict=True)) for row in sheet}
    portal = rows["某市人民政府门户网站"]
    assert portal["基本情况·首页网址"] == "http://www.example.gov.cn/"
    assert portal["安全防护·是否开展应急演练"] == "是"
    assert rows["某市人民政府"]["安全防护·是否开展应急演练"] == "1 个是、1 个否"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'data-k="safety.checks.value"' in page
    assert "人工登记" in page
    cells = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
    by_id = {o["id"]: o["rolled_up"] for o in cells["organs"]}
    assert by_id["C"]["head.name.value"] == "甲县人民政府网站"
    assert by_id["C"]["interaction.received.value"] is None
    lines = (folder / "cells.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].endswith(",unit,text")
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    fields = [f["name"] for f in package["resources"][0]["schema"]["fields"]]
    assert fields == lines[0].split(",")


def test_a_city_without_a_registry_is_told_what_to_do(small: SmallCity) -> None:
    with pytest.raises(TabulationError, match=r"没有在用的网站.*websites\.csv"):
        preview(small.lake, small.folder, YEAR, now=NOW, form=KEY)


REGISTRY_MISTAKES = {
    "第 2 行缺少 home_url": ("http://www.example.gov.cn/", ""),
    "第 2 行 website_kind:没有类型 city。可写:portal(政府门户网站)、department(部门网站)、special(专项网站)": (",R,portal", ",R,city"),
    "第 3 行 organ_id:没有机关 X。机关编号见 organs.csv": (",A,portal", ",X,portal"),
    "第 2 行 website_id:A1 已是机关编号。请换一个编号,如 WA1": ("P,某市", "A1,某市"),
    "第 3 行 website_id:“P”与第 2 行相同": ("C,甲县", "P,甲县"),
    "第 3 行 website_name:“某市人民政府门户网站”与第 2 行相同": ("甲县人民政府网站", "某市人民政府门户网站"),
    "第 3 行 identification_code:“1234567890”与第 2 行相同": ("1234567891", "1234567890"),
    "第 3 行 identification_code:“12345”不是标识码,应为 10 位数字": ("1234567891", "12345"),
    "第 3 行 home_url:“a.example.gov.cn”不是网址": ("http://a.example.gov.cn/", "a.example.gov.cn"),
    "第 3 行 valid_from:“2012年5月”不是日期": ("2012-05-01", "2012年5月"),
    "第 3 行 valid_to:关停日期早于开通日期": ("2012-05-01,", "2012-05-01,2011-01-01"),
    "缺少列 police_number": ("police_number", "police"),
    "第 3 行:比表头多出": ("2012-05-01,", "2012-05-01,,x"),
}  # fmt: skip


@pytest.mark.parametrize("told", REGISTRY_MISTAKES)
def test_a_mistake_in_the_registry_is_told_with_its_line(tmp_path: Path, told: str) -> None:
    was, is_ = REGISTRY_MISTAKES[told]
    add_registry(tmp_path, REGISTRY.replace(was, is_, 1))
    with pytest.raises(CityFileError) as error:
        read_websites(tmp_path / "websites.csv", ORGANS)
    assert "websites.csv" in str(error.value)
    assert told in str(error.value)


def test_nothing_of_a_bad_file_is_kept(city: SmallCity) -> None:
    add_registry(city.folder, REGISTRY.replace(",R,portal", ",R,city"))
    with pytest.raises(CityFileError, match="website_kind"):
        city.register()
    assert value(built(city), "head.kind", "P").text == "政府门户网站"


ORGANS = ("R", "A", "A1", "A2", "B")
GOOD = "P,2020,safety.checks,4,张三,2021-01-05,检测报告"
ENTRY_MISTAKES = {
    "第 2 行 website_id:登记册中没有网站 X。见 websites.csv": "X,2020,safety.checks,4,张三,2021-01-05,检测报告",
    "第 2 行 year:2017 年没有网站报表。应为 2018 年或以后的年度": "P,2017,safety.checks,4,张三,2021-01-05,检测报告",
    "第 2 行 year:二〇二〇 年没有网站报表": "P,二〇二〇,safety.checks,4,张三,2021-01-05,检测报告",
    "第 2 行 row:没有由人工登记的行 visits.visits。可登记:services.has_catalogue(": "P,2020,visits.visits,4,张三,2021-01-05,检测报告",
    "第 2 行 value:安全检测评估次数 应填0 或正整数,现为“四”": "P,2020,safety.checks,四,张三,2021-01-05,检测报告",
    "应填0 或正整数,现为“-1”": "P,2020,safety.checks,-1,张三,2021-01-05,检测报告",
    "应填0 或正整数,现为“1.5”": "P,2020,safety.checks,1.5,张三,2021-01-05,检测报告",
    "第 2 行 value:是否开展应急演练 应填是或否,现为“开展”": "P,2020,safety.drill,开展,张三,2021-01-05,检测报告",
    "第 2 行缺少 entered_by": "P,2020,safety.checks,4,,2021-01-05,检测报告",
    "第 2 行缺少 source": "P,2020,safety.checks,4,张三,2021-01-05,",
    "第 2 行 entered_on:“昨天”不是日期": "P,2020,safety.checks,4,张三,昨天,检测报告",
    "第 2 行 entered_on:2031-01-05 在今天(2021-01-20)之后": "P,2020,safety.checks,4,张三,2031-01-05,检测报告",
}  # fmt: skip


def entered(folder: Path, *lines: str) -> list[Any]:
    add_entries(folder, lines)
    return read_entries(folder, ("P", "C", "E"), today=NOW.date())


@pytest.mark.parametrize("told", ENTRY_MISTAKES)
def test_a_mistake_in_an_entry_is_told_with_its_line(tmp_path: Path, told: str) -> None:
    with pytest.raises(CityFileError) as error:
        entered(tmp_path, ENTRY_MISTAKES[told])
    assert "website-report.csv" in str(error.value)
    assert told in str(error.value)


def test_an_entry_is_read_as_its_row_says(tmp_path: Path) -> None:
    lines = (
        GOOD,
        entry("safety.drill", "否"),
        entry("foot.phone", "0123"),
        entry("safety.found", ""),
    )
    assert [(row[1], row[5], row[6]) for row in entered(tmp_path, *lines)] == [
        (2, "4", Decimal(4)), (3, "否", Decimal(0)), (4, "0123", None), (5, None, None),
    ]  # fmt: skip


def test_entries_are_in_order_of_their_days(tmp_path: Path) -> None:
    with pytest.raises(
        CityFileError, match=r"第 3 行 entered_on:2021-01-04 早于上一行的 2021-01-05"
    ):
        entered(tmp_path, GOOD, GOOD.replace("01-05", "01-04"))


def test_a_file_of_entries_that_no_form_asks_for_is_told(tmp_path: Path) -> None:
    add_entries(tmp_path, [GOOD]).rename(tmp_path / "entries" / "other.csv")
    with pytest.raises(CityFileError, match=r"other\.csv: 没有报表用到.*website-report\.csv"):
        read_entries(tmp_path, ("P",), today=NOW.date())


def test_what_is_on_record_is_not_changed(city: SmallCity) -> None:
    for lines in (
        (ENTRIES[0].replace(",4,", ",5,"), *ENTRIES[1:]),
        ENTRIES[:-1],
        (ENTRIES[1], ENTRIES[0], *ENTRIES[2:]),
        None,
    ):
        path = add_entries(city.folder, lines or ())
        if lines is None:
            path.unlink()
        with pytest.raises(CityFileError, match=r"第 \d 行:已登记的内容.*登记只增不改"):
            city.register()
    assert value(built(city), "safety.checks", "P").value == 4
    add_entries(city.folder, ENTRIES)
    assert city.register() == []
