"""The words of the report from draft to publication: drafted, filled in, kept, published clean."""

from __future__ import annotations

import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import docx
import pdfplumber
import pytest

from tasks.city.texts import keep_texts, texts_of
from tasks.editions.build import build_edition, preview
from tasks.editions.edition import OWN, Edition, Finding
from tasks.editions.narrative.narrative_file import NarrativeError
from tasks.editions.wording import Wording
from tasks.publish.publish import Published, PublishRefused, Request
from tasks.publish.rebuild import rebuild
from tasks.publish.words import WordsUnfinished, words_told
from tasks.render import report, word
from tasks.render.filled_words import NoDraft, read_filled
from tasks.render.manifest import read_manifest
from tasks.render.sets import FIXED_FILE, INDEX, TABLES_FILE, WORDS_FILE, sets_folder, write_sets
from tasks.settings import Settings
from tests.approving import approve_and_publish
from tests.small_city import NOW, SmallCity
from warehouse.form import form_of
from warehouse.period import Period

YEAR, NEXT = Period.of_year(2020), Period.of_year(2021)
LATER = datetime(2022, 1, 20, 2, 0)
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@pytest.fixture(scope="module")
def template(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    city = small_template.copied_to(tmp_path_factory.mktemp("words") / "template")
    city.application("2020-03-02", "2020-03-20")
    city.application("2020-04-02", "2020-04-20", organ_id="B")
    city.application("2020-05-02", "2020-05-20", organ_id="A")
    city.add("filed_cell", {"organ_id": "A1", "report_year": 2020, "cell": "t3.granted.total",
                            "value": "7"})  # fmt: skip
    return city


@pytest.fixture
def city(template: SmallCity, tmp_path: Path) -> SmallCity:
    return template.copied_to(tmp_path / "city")


def settings_of(city: SmallCity) -> Settings:
    return Settings(home=city.lake.home, city=city.folder)


def built(city: SmallCity, period: Period = YEAR, now: datetime = NOW, **more: Any) -> Edition:
    edition = build_edition(city.lake, city.folder, period, now=now, **more).edition
    # The Word file alone: publishing writes the others.
    path = report_of(city, edition)
    path.parent.mkdir(parents=True, exist_ok=True)
    word.write(edition, path)
    return edition


def report_of(city: SmallCity, edition: Edition) -> Path:
    return settings_of(city).editions / edition.id / "report.docx"


def fill(path: Path, organ: str = "", skip: str = "") -> Path:
    """A draft with every place filled in, as an official types into the controls."""
    document = docx.Document(str(path))
    for control in document.element.body.iter(f"{W}sdt"):
        tag = control.find(f"{W}sdtPr/{W}tag").get(f"{W}val")
        if tag.startswith(report.MARK) and tag.rpartition(":")[2] != skip:
            place = tag.rpartition(":")[2]
            (text,) = control.iter(f"{W}t")
            text.text = f"本机关{organ}在{place}一项按照规定完成了当年的全部工作任务"
    filled = path.parent.parent / f"filled{organ}.docx"
    document.save(str(filled))
    return filled


def take_in(city: SmallCity, path: Path, period: Period = YEAR) -> None:
    filled = read_filled(path)
    keep_texts(city.folder, form_of(), period, filled.organ, filled.texts)


def approve(city: SmallCity, edition: Edition, now: datetime = NOW) -> Published:
    answers = {f.code: "已核实" for f in edition.blocking_findings}
    request = Request(edition.id, "张三", "同意发布", answers=answers)
    return approve_and_publish(city.lake, settings_of(city), request, now=now)


def of_code(edition: Edition, code: str) -> list[Finding]:
    return [f for f in edition.findings if f.code == code]


def xml_of(path: Path) -> str:
    with zipfile.ZipFile(path) as file:
        return file.read("word/document.xml").decode()


def pdf_text(path: Path) -> str:
    """The text of a PDF without spaces and line ends."""
    with pdfplumber.open(path) as read:
        return "".join("".join((page.extract_text() or "").split()) for page in read.pages)


def test_a_draft_is_filled_in_in_word_and_published_clean(city: SmallCity) -> None:
    edition = built(city)
    (finding,) = of_code(edition, "N2")
    assert "L30" in finding.message
    assert not finding.blocks
    draft = report_of(city, edition)
    assert 'w:val="yellow"' in xml_of(draft)
    assert f'w:val="{report.MARK}R:L30"' in xml_of(draft)
    # Every figure of the words is a field of the edition.
    assert 'w:tag w:val="t3.results_total.total"' in xml_of(draft)

    take_in(city, fill(draft))
    edition = built(city)
    assert edition.id == "2020-2"
    assert of_code(edition, "N2") == []
    done = approve(city, edition)
    clean = done.folder / "report.docx"
    xml = xml_of(clean)
    for left in ("【", "w:sdt", "w:highlight", "comment"):
        assert left not in xml
    document = docx.Document(str(clean))
    assert document.core_properties.comments == ""
    footer = document.sections[0].footer
    assert edition.id not in "".join(p.text for p in footer.paragraphs)
    text = "\n".join(p.text for p in document.paragraphs)
    assert "编制情况" not in text
    assert "本机关在L30一项按照规定完成了当年的全部工作任务。" in text
    fixed = pdf_text(done.folder / "report.pdf")
    for left in ("【", edition.id, "编制情况"):
        assert left not in fixed
    assert "本机关在L30一项按照规定完成了当年的全部工作任务。" in fixed
    annex = docx.Document(str(done.folder / "annex.docx"))
    assert "编制情况" in "".join(p.text for p in annex.paragraphs)
    told = read_manifest(done.folder)["words"]
    assert told["is_final"]
    assert told["unfilled"] == told["missing"] == []
    # What the file fails, the records fail: nothing is wrong with the file alone.
    assert {check["code"] for check in told["audit"]["failed"]} == set()
    assert "定稿" in words_told(read_manifest(done.folder))[0][1]
    proved = rebuild(city.lake, settings_of(city), edition.id)
    assert proved.is_same, proved.proofs
    assert {p.outcome for p in proved.proofs} == {"same"}


def test_a_text_with_a_place_left_is_not_published(city: SmallCity) -> None:
    first = built(city)
    take_in(city, fill(report_of(city, first), skip="L40"))
    edition = built(city)
    done = approve(city, edition)
    told = read_manifest(done.folder)["words"]
    assert (told["is_final"], told["unfilled"]) == (False, ["L40"])
    assert (
        "文字部分尚未定稿：待填 1 处"
        in docx.Document(str(done.folder / "report.docx")).paragraphs[0].text
    )
    fixed = pdf_text(done.folder / "report.pdf")
    assert fixed.startswith("文字部分尚未定稿：待填1处")
    assert "【填" in fixed
    assert f"版次{edition.id}" in fixed
    assert "未定稿:没有作为正式文本发布" in words_told(read_manifest(done.folder))[0][1]
    assert rebuild(city.lake, settings_of(city), edition.id).is_same


def test_a_city_may_refuse_to_publish_without_the_words(city: SmallCity) -> None:
    (city.folder / "narrative.yaml").write_text(
        "settings: {publication: refuse}\n", encoding="utf-8"
    )
    edition = built(city)
    with pytest.raises(WordsUnfinished, match=r"待填 \d+ 处.*L30.*nianbao text"):
        approve(city, edition)
    take_in(city, fill(report_of(city, edition)))
    approve(city, built(city))


def test_words_changed_since_the_build_make_an_edition_stale(city: SmallCity) -> None:
    edition = built(city)
    take_in(city, fill(report_of(city, edition)))
    with pytest.raises(PublishRefused, match="报告文字已改"):
        approve(city, edition)


def test_words_are_kept_for_the_next_year_and_must_not_repeat(city: SmallCity) -> None:
    first = built(city)
    take_in(city, fill(report_of(city, first)))
    following = preview(city.lake, city.folder, NEXT, now=LATER)
    wording = Wording.of(following)
    assert wording is not None
    words = wording.draft(following.root)
    # The address stays; what the organ did is asked for again, with last year's words beside it.
    places = {span.key: span for span in words.spans() if span.key}
    assert places["P5.1"].kind == "filled"
    assert places["L30"].kind == "mark"
    assert "L30一项" in places["L30"].before
    path = city.lake.home / "next.docx"
    word.write(following, path)
    with zipfile.ZipFile(path) as file:
        assert "上年所写：本机关在L30一项" in file.read("word/comments.xml").decode()

    take_in(city, fill(report_of(city, first)), NEXT)
    repeated = of_code(preview(city.lake, city.folder, NEXT, now=LATER), "N3")
    assert repeated
    assert {f.organ_id for f in repeated} == {"R"}
    assert all("以前年度所填雷同" in f.message for f in repeated)
    assert not any("P5" in f.key or "P4" in f.key for f in repeated)


def test_words_of_another_organ_are_found(city: SmallCity) -> None:
    keep_texts(city.folder, form_of(), YEAR, "A", {
        "L30": "甲县严格落实信息发布三审三校制度。", "L60": "不同的话，说的是自己做过的事情。",
    })  # fmt: skip
    keep_texts(
        city.folder, form_of(), YEAR, "B", {"S31": "我局严格落实信息发布“三审三校”制度；另有几句。"}
    )
    (found,) = of_code(built(city), "N3")
    assert found.organ_id == "B"
    assert "甲县人民政府所填雷同" in found.message
    assert texts_of(city.folder, form_of(), YEAR)["B"]["S31"].startswith("我局")


def test_a_missing_figure_is_red_and_a_finding_with_its_line(city: SmallCity) -> None:
    overview = city.folder / "overview.yaml"
    overview.write_text(
        overview.read_text(encoding="utf-8")
        + "  - {key: disclosed_items, label: 主动公开信息, measure: article, where: is_published_in_year}\n",
        encoding="utf-8",
    )
    city.unmark_loaded("article")
    edition = built(city)
    (finding,) = of_code(edition, "N1")
    assert "缺“主动公开信息”" in finding.message
    assert "narrative.yaml:" in finding.message
    assert "overview.disclosed_items" in finding.message
    xml = xml_of(report_of(city, edition))
    assert "【缺：主动公开信息】" in xml
    assert xml.count('w:val="C00000"') > 2
    take_in(city, fill(report_of(city, edition)))
    done = approve(city, built(city))
    assert read_manifest(done.folder)["words"]["missing"] == ["overview.disclosed_items"]


def test_organs_below_the_root_compare_with_their_own_last_year(city: SmallCity) -> None:
    """What they disclosed is compared where the city's figures tell last year's of every organ."""
    overview = city.folder / "overview.yaml"
    told = overview.read_text(encoding="utf-8")
    items = "  - {key: disclosed_items, label: 主动公开信息, unit: 条, measure: article, where: is_disclosure AND is_published_in_year}\n"
    change = (
        "  - {key: disclosed_change, label: 同比增长, change_on_year: overview.disclosed_items}\n"
    )
    city.add("channel", {"record_id": "c", "organ_id": "R", "is_disclosure": True})
    for organ, day, count in (
        ("A1", "2019-05-06", 10), ("A1", "2020-05-06", 15), ("B", "2019-05-06", 20),
        ("B", "2020-05-06", 11),
    ):  # fmt: skip
        row = {"organ_id": organ, "channel_id": "c", "published_at": datetime.fromisoformat(day)}
        city.add("article", *[row] * count)

    def general(organ: str) -> str:
        edition = preview(city.lake, city.folder, YEAR, now=NOW)
        wording = Wording.of(edition)
        assert wording is not None
        words = wording.draft(edition.organ(organ))
        assert words.missing == []
        return "".join(paragraph.text for paragraph in words.general)

    overview.write_text(told + items, encoding="utf-8")
    # Nothing tells last year's figure of any organ but the root.
    assert "我镇主动公开政府信息15条。" in general("A1")
    assert "26条，比上年减少4件" not in general("R")
    assert "26条，同比下降13.33%" in general("R")
    overview.write_text(told + items + change, encoding="utf-8")
    assert "我镇主动公开政府信息15条，同比增长50%。" in general("A1")
    assert "主动公开政府信息15条，同比增长50%" in general("A")
    assert "主动公开政府信息11条，同比下降45%" in general("B")
    assert "26条，同比下降13.33%" in general("R")


def test_an_unknown_figure_stops_the_build_with_file_and_line(city: SmallCity) -> None:
    path = city.folder / "narrative.yaml"
    path.write_text(
        'add:\n  - after: L30\n    sentence: {id: C1, text: "共{t3.granted.totl}件"}\n',
        encoding="utf-8",
    )
    with pytest.raises(NarrativeError, match=rf"{path}:3: \{{t3.granted.totl\}} 不存在"):
        built(city)
    path.write_text("settings: [", encoding="utf-8")
    with pytest.raises(NarrativeError, match=f"{path}: 不是有效的 YAML"):
        built(city)


@pytest.mark.parametrize(
    ("text", "told"),
    [("[", "不是有效的 YAML"), ("R: 3\n", "R: 应按待填处编号"), ("R: {L30: 5}\n", "R.L30: 应为文字"),
     ("- a\n", "应按机关编号")],
)  # fmt: skip
def test_a_wrong_file_of_texts_is_told(city: SmallCity, text: str, told: str) -> None:
    folder = city.folder / "texts"
    folder.mkdir()
    (folder / "2020.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(Exception, match=f"2020.yaml: {told}"):
        built(city)


def test_what_is_no_draft_is_told(tmp_path: Path) -> None:
    docx.Document().save(str(tmp_path / "other.docx"))
    (tmp_path / "broken.docx").write_bytes(b"PK")
    for name, told in (("other.docx", "没有找到待填处"), ("broken.docx", "不是可以读的 Word 文件")):
        with pytest.raises(NoDraft, match=told):
            read_filled(tmp_path / name)


@pytest.fixture(scope="module")
def sets(template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """The city, its edition, the folder of the sets, what was said of the progress."""
    city = template.copied_to(tmp_path_factory.mktemp("sets") / "city")
    edition = build_edition(city.lake, city.folder, YEAR, now=NOW).edition
    folder = sets_folder(settings_of(city).editions / edition.id)
    said: list[str] = []
    written = write_sets(edition, folder, lake=city.lake, progress=said.append)
    return city, edition, folder, said, written


def test_every_organ_its_own_set(sets: tuple[Any, ...]) -> None:
    city, edition, folder, said, written = sets
    names = {told.folder for told in written}
    assert names == {"某市人民政府", "甲县人民政府", "甲县东镇", "市教育局"}
    assert said == ["各机关成套文件 4/4"]
    assert "全县共受理政府信息公开申请2件" in "".join(
        xml_text(folder / "甲县人民政府" / WORDS_FILE)
    )
    own = "".join(xml_text(folder / f"甲县人民政府/{OWN}" / WORDS_FILE))
    assert "本级共受理政府信息公开申请1件" in own
    assert "甲县人民政府本级" in own
    assert "全县" not in own
    assert "各级行政机关" not in own
    assert "我镇收到政府信息公开申请1件" in "".join(xml_text(folder / "甲县东镇" / WORDS_FILE))
    assert "我镇收到政府信息公开申请1件" in pdf_text(folder / "甲县东镇" / FIXED_FILE)
    assert (folder / "甲县东镇" / TABLES_FILE).exists()
    assert not (folder / "甲县东镇" / OWN).exists()
    index = (folder / INDEX).read_text(encoding="utf-8")
    assert index.count("<tr>") == 4
    again = sets_folder(settings_of(city).editions / "again")
    write_sets(edition, again, lake=city.lake)
    for path in folder.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(folder)).read_bytes(), path


def xml_text(path: Path) -> list[str]:
    """The text of a Word file, that of content controls too."""
    return [t.text or "" for t in docx.Document(str(path)).element.body.iter(f"{W}t")]


def test_a_parent_gets_what_was_filed_against_what_was_computed(sets: tuple[Any, ...]) -> None:
    import openpyxl

    folder = sets[2]
    book = openpyxl.load_workbook(folder / "甲县人民政府" / "填报与计算比较.xlsx")
    rows = list(book.worksheets[0].iter_rows(min_row=3, values_only=True))
    ((organ, _, cell, filed, computed, difference, records),) = rows
    assert (organ, cell, filed, computed, difference) == (
        "甲县东镇",
        "t3.granted.total",
        "7",
        "1",
        "6",
    )
    assert records.startswith("s/application-")
    assert not (folder / "某市人民政府" / "填报与计算比较.xlsx").exists()


def test_the_command_takes_words_in_and_lists_what_is_open(
    city: SmallCity, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    import deployments.cli as cli

    monkeypatch.setenv("NIANBAO_HOME", str(city.lake.home))
    monkeypatch.setenv("NIANBAO_CITY", str(city.folder))
    edition = built(city)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["nianbao", "text", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return f"{ended.value.code} {said.out}{said.err}"

    told = run("2020")
    assert told.startswith("0 ")
    assert "L30" in told
    assert "待填 21 处" in told
    filled = fill(report_of(city, edition), skip="L40")
    told = run("2020", str(filled))
    assert told.startswith("0 ")
    assert "机关 R 读入 20 处" in told
    assert "尚有 1 处待填:L40" in told
    assert "L30" in texts_of(city.folder, form_of(), YEAR)["R"]
    told = run("2020", str(city.folder / "organs.csv"))
    assert told.startswith("2 ")
    assert "不是可以读的 Word 文件" in told
