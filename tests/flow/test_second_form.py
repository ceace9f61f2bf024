"""A second form, added as a folder of data, goes the whole way; nothing in the program knows it."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest
from docx import Document

from tasks.city.names import form_choices
from tasks.editions.build import build_edition
from tasks.editions.explain import explain
from tasks.editions.store import newest_edition, published_edition
from tasks.publish.publish import Request
from tasks.publish.rebuild import rebuild
from tasks.render import markdown, render_edition, tables_json
from tasks.settings import Settings
from tasks.watch.deadlines import find_deadlines
from tasks.watch.notify import edition_messages
from tests.approving import approve_and_publish
from tests.city import Installation
from tests.second_form import CELLS, FORM, KEY, LAYOUT, add_second_form
from tests.small_city import NOW, SmallCity
from warehouse.errors import ConfigurationError
from warehouse.form import ANNUAL_REPORT, NoForm, form_of, forms
from warehouse.period import Period

YEAR = Period.of_year(2020)
RIGHT = dict(zip(CELLS, (4, 2, 2), strict=True))


@pytest.fixture
def city(small: SmallCity) -> SmallCity:
    add_second_form(small.folder)
    news, directory = small.add(
        "channel",
        {"channel_name": "动态", "channel_kind": "government_news", "organ_id": "R"},
        {"channel_name": "目录", "channel_kind": "disclosure_directory", "is_disclosure": True},
    )
    small.add(
        "article",
        *(
            {"channel_id": channel, "organ_id": organ, "published_at": datetime(year, 5, 4, 9)}
            for channel, organ, year in (
                (news, "R", 2020),
                (news, "A1", 2020),
                (directory, "A1", 2020),
                (directory, "B", 2020),
                (news, "R", 2019),
            )
        ),
    )
    # What breaks a rule of another table does not bear on this form.
    small.application("2020-03-02", "2020-03-20", applicant_kind=None)
    return small


@pytest.fixture
def settings(city: SmallCity) -> Settings:
    return Settings(home=city.lake.home, city=city.folder)


def build(city: SmallCity, settings: Settings, **more: Any) -> Any:
    built = build_edition(city.lake, city.folder, YEAR, now=NOW, form=KEY, **more)
    folder = settings.editions / built.edition.id
    render_edition(built.edition, folder, lake=city.lake)
    return built.edition


def test_it_is_built_beside_the_annual_report(city: SmallCity, settings: Settings) -> None:
    edition = build(city, settings)
    assert (edition.id, edition.form.key) == ("site-report-2020-1", KEY)
    assert {key: figure.value for key, figure in edition.figures().items()} == RIGHT
    # The same span a year before, from its own records.
    assert edition.last_year["w1.published.total"].value == 1
    assert edition.blocking_findings == ()
    assert {f.code for f in edition.findings} >= {"W1", "B8", "B9"}
    assert not {f.code for f in edition.findings} & {"B1", "F1", "APP-03"}
    assert [s.key for s in edition.series] == ["articles_by_month"]

    annual = build_edition(city.lake, city.folder, YEAR, now=NOW).edition
    assert (annual.id, annual.form.key) == ("2020-1", ANNUAL_REPORT)
    assert annual.blocking_findings
    # Neither gives way to the other.
    for form, id_ in ((KEY, edition.id), (ANNUAL_REPORT, annual.id)):
        kept = newest_edition(city.lake, form_of(form, city.folder), YEAR)
        assert (kept.id, kept.status) == (id_, "pending")
        assert kept.cells == (edition if form == KEY else annual).cells


def test_every_output_has_its_figures_and_its_words(city: SmallCity, settings: Settings) -> None:
    edition = build(city, settings)
    folder = settings.editions / edition.id
    title = "某市人民政府2020年政府网站发布情况年度报表"

    book = openpyxl.load_workbook(folder / "tables.xlsx")
    assert book.sheetnames == ["信息发布总数", "问题清单", "记录去向", "编制说明"]
    printed = [[c.value for c in row] for row in book["信息发布总数"].iter_rows()]
    assert [4, 2, 2] in [[v for v in row if isinstance(v, int)] for row in printed]

    document = Document(str(folder / "report.docx"))
    headings = [p.text for p in document.paragraphs if p.style.name == "Heading 1"]
    assert headings == ["信息发布", "信息发布总数", "需要说明的情况"]
    assert "".join(p.text for p in document.paragraphs[:2]).replace("\n", "").startswith(title)
    assert [cell.text for cell in document.tables[0].rows[-1].cells] == ["4", "2", "2"]

    page = (folder / "report.html").read_text(encoding="utf-8")
    assert title in page
    assert 'data-k="w1.published.total"' in page
    assert "总体情况" not in page

    cells = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
    assert cells["organs"][0]["rolled_up"] == RIGHT
    rows = duckdb.sql(
        f"SELECT cell, value::INT FROM '{folder / 'cells.parquet'}' "
        "WHERE organ_id = 'R' AND scope = 'rolled_up'"
    ).fetchall()
    assert dict(rows) == RIGHT
    assert "w1.published.news" in (folder / "cells.csv").read_text(encoding="utf-8-sig")
    assert "W1.w1.published" in (folder / "findings.csv").read_text(encoding="utf-8-sig")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["form"], manifest["edition"]) == (KEY, "site-report-2020-1")
    assert "网站报表（Word" in manifest["files"][1]["title"]

    assert tables_json(edition)["cells"] == RIGHT
    text = markdown.report(edition, folder)
    assert title in text
    assert "| 发布 | 4 | 2 | 2 |" in text
    assert "总体情况" not in text
    assert [m.matter for m in edition_messages(edition)] == ["waiting/site-report-2020"]
    assert "2020 年网站报表" in edition_messages(edition)[0].title


def test_a_figure_is_explained_down_to_its_records(city: SmallCity, settings: Settings) -> None:
    build(city, settings)
    found = explain(city.lake, city.folder, YEAR, "w1.published.news", form=KEY)
    assert (found.value, found.record_count, found.edition_id) == (2, 2, "site-report-2020-1")
    assert "channel_kind = 'overview' or" in found.sql
    of_organ = explain(city.lake, city.folder, YEAR, "w1.published.total", form=KEY, organ_id="A1")
    assert of_organ.value == 2
    before = explain(city.lake, city.folder, Period.of_year(2019), CELLS[0], form=KEY)
    assert (before.value, before.edition_id) == (1, None)


def test_it_is_published_and_proved(city: SmallCity, settings: Settings) -> None:
    edition = build(city, settings)
    request = Request(edition.id, "张三", "同意发布")
    published = approve_and_publish(city.lake, settings, request, now=NOW)
    assert published.folder.name == "site-report-2020-1"
    assert published_edition(city.lake, KEY, YEAR) == edition.id
    assert published_edition(city.lake, ANNUAL_REPORT, YEAR) is None
    done = rebuild(city.lake, settings, edition.id)
    assert done.is_same, done.proofs
    assert {proof.outcome for proof in done.proofs} == {"same"}
    # The city's folder is asked for nothing.
    (city.folder / "forms" / KEY / "form.yaml").unlink()
    assert rebuild(city.lake, settings, edition.id).is_same


def test_a_new_edition_is_compared_with_the_published_one_of_its_form(
    city: SmallCity, settings: Settings
) -> None:
    first = build(city, settings)
    approve_and_publish(city.lake, settings, Request(first.id, "张三", "同意发布"), now=NOW)
    build_edition(city.lake, city.folder, YEAR, now=NOW)
    city.add("article", {"organ_id": "B", "published_at": datetime(2020, 7, 1)})
    second = build(city, settings, reason="补登")
    assert second.id == "site-report-2020-2"
    published = approve_and_publish(
        city.lake, settings, Request(second.id, "张三", "同意发布"), now=NOW
    )
    assert published.replaced == first.id
    assert {d.cell for d in published.differences} == {"w1.published.total"}
    differences = published.folder / "differences.csv"
    assert differences.read_text(encoding="utf-8-sig").count("w1.published.total") == 3


def test_its_statutory_day_is_watched(city: SmallCity, settings: Settings) -> None:
    def filings() -> dict[str, tuple[date, bool]]:
        found = find_deadlines(city.lake, date(2021, 1, 20), city=city.folder)
        return {filing.what: (filing.on, filing.is_published) for filing in found.filings}

    what = "公布上一年度网站报表"
    assert filings()[what] == (date(2021, 1, 31), False)
    edition = build(city, settings)
    approve_and_publish(city.lake, settings, Request(edition.id, "张三", "同意发布"), now=NOW)
    assert filings()[what] == (date(2021, 1, 31), True)
    assert not any(published for name, (_, published) in filings().items() if name != what)


def test_the_command_line_builds_it(city: SmallCity) -> None:
    nianbao = Installation.at(city.lake.home, {"NIANBAO_CITY": str(city.folder)})
    told = nianbao.run("year-end", "2020", "--form", KEY)
    assert "site-report-2020-1" in told
    assert nianbao.json("tables", "2020", "--form", KEY)["cells"] == RIGHT
    assert nianbao.json("explain", "2020", CELLS[0], "--form", KEY)["value"] == 4
    assert nianbao.json("rebuild", "site-report-2020-1")["same"] is True
    nianbao.run("publish", "site-report-2020-1", "--approver", "张三", "--statement", "同意")
    assert (city.lake.home / "editions" / "site-report-2020-1" / "edition.duckdb").exists()


def test_forms_are_offered_by_title_and_an_unknown_one_names_those_there_are(
    city: SmallCity,
) -> None:
    assert form_choices(city.folder) == {
        "政府信息公开工作年度报告": ANNUAL_REPORT,
        "政府网站工作年度报表": "website-report",
        "政府网站发布情况年度报表": KEY,
    }
    with pytest.raises(NoForm, match="没有报表 x。现有:annual-report、website-report、site-report"):
        form_of("x", city.folder)
    # A broken form of the city is told, and is not in the way of the others.
    (city.folder / "forms" / KEY / "form.yaml").write_text("key: [", encoding="utf-8")
    assert list(form_choices(city.folder).values()) == [ANNUAL_REPORT, "website-report"]
    assert form_of(ANNUAL_REPORT, city.folder).key == ANNUAL_REPORT


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"form": FORM.replace("tables: [w1]", "tables: [w9]")}, "form.yaml: sections: 没有列出 2018.yaml 中的表 w1"),
        ({"form": FORM.replace("key: site", "key: Site", 1)}, "form.yaml:\n  key: 写法不对"),
        ({"form": FORM.replace("key: site-report", "key: other")}, "form.yaml: key: 现为 other,须与文件夹同名"),
        ({"form": FORM + "color: red\n"}, "form.yaml:\n  color: 没有这一项"),
        ({"form": FORM.replace("short_title: 网站报表\n", "")}, "form.yaml:\n  short_title: 缺少这一项"),
        ({"form": FORM + 'edition_prefix: ""\n'}, "edition_prefix: 只有年度报告"),
        ({"form": FORM.replace("code: W1", "code: B1")}, "代码 B1 已用于"),
        ({"form": FORM.replace("code: W1", "code: W2")}, "没有核对项 W1"),
        ({"layout": LAYOUT.replace("measure: article", "measure: articles")}, "没有取数口径 articles"),
        ({"layout": LAYOUT.replace("is_disclosure}", "is_disclosed}")}, "w1.published.disclosed: 条件"),
        ({"layout": LAYOUT.replace("from: 2018", "from: 2022")}, "2020 年没有适用的网站报表格式;现有格式从 2022 年起"),
    ],
)  # fmt: skip
def test_a_form_that_cannot_be_used_names_file_key_and_remedy(
    small: SmallCity, changed: dict[str, str], told: str
) -> None:
    add_second_form(small.folder, **changed)
    with pytest.raises(ConfigurationError) as error:
        build_edition(small.lake, small.folder, YEAR, now=NOW, form=KEY)
    assert told in str(error.value), str(error.value)


def test_a_city_brings_measures_of_its_own(city: SmallCity) -> None:
    folder = city.folder / "measures"
    folder.mkdir()
    text = "-- records: core.article\n-- is: every article\nSELECT *, published_at::DATE AS record_on FROM core.article"
    (folder / "every_article.sql").write_text(text, encoding="utf-8")
    layout = city.folder / "forms" / KEY / "layouts" / "2018.yaml"
    told = layout.read_text(encoding="utf-8").replace("measure: article", "measure: every_article")
    told = told.replace(", where: is_published_in_year", "").replace(", where: is_disclosure", "")
    layout.write_text(told.split("      - key: news")[0] + told[told.index("    rows:") :], "utf-8")
    edition = build_edition(city.lake, city.folder, YEAR, now=NOW, form=KEY).edition
    assert edition.figures()["w1.published.total"].value == 5
    (folder / "article.sql").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"article\.sql: 已有同名的取数口径 article"):
        build_edition(city.lake, city.folder, YEAR, now=NOW, form=KEY)


def test_the_shipped_forms_are_whole() -> None:
    found = forms()
    assert next(iter(found)) == ANNUAL_REPORT
    for form in found.values():
        for name in form.layout_paths:
            layout = form.layout(name)
            assert {t.key for t in form.tables(layout)} == {t.key for t in layout.tables}
    assert Path(found[ANNUAL_REPORT].place).is_file()
