"""Any span: what is carried in and out at its ends, its parts and the whole, and those beside it."""

from __future__ import annotations

import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tasks.editions.build import build_edition, preview
from tasks.editions.explain import NoSuchCell, explain
from tasks.editions.spans import NoParts, Spans, beside_others, by_parts, changes, spans_json
from tasks.editions.tabulate import tabulate
from tasks.publish.rebuild import rebuild
from tasks.render.folder import write_folder
from tasks.render.words import document_title
from tasks.settings import Settings
from tests.small_city import NOW, SmallCity
from warehouse.period import Period
from warehouse.reading import reading

# Received and closed, over two years.
APPLICATIONS = [
    ("2019-12-20", "2020-01-10"),
    ("2020-01-05", "2020-01-31"),
    ("2020-01-31", "2020-02-01"),
    ("2020-03-31", "2020-04-01"),
    ("2020-04-01", "2020-09-30"),
    ("2020-12-31", None),
    ("2019-02-03", "2019-02-09"),
]
# new, carried in, closed, carried out: by hand.
RIGHT = {
    "2020": (5, 1, 5, 1),
    "2020H1": (4, 1, 4, 1),
    "2020H2": (1, 1, 1, 1),
    "2020Q1": (3, 1, 3, 1),
    "2020Q2": (1, 1, 1, 1),
    "2020Q3": (0, 1, 1, 0),
    "2020Q4": (1, 0, 0, 1),
    "2020-01": (2, 1, 2, 1),
    "2020-02": (0, 1, 1, 0),
    "2020-03": (1, 0, 0, 1),
    "2020-01-31..2020-02-01": (1, 1, 2, 0),
    "2019-02": (1, 0, 1, 0),
}
ROWS = ("new_received", "carried_in", "results_total", "carried_out")


@pytest.fixture(scope="module")
def city(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    small = small_template.copied_to(tmp_path_factory.mktemp("spans") / "small")
    for received, closed in APPLICATIONS:
        small.application(received, closed)
    small.add(
        "regulatory_document",
        *(
            {
                "organ_id": "B",
                "document_kind": "regulation",
                "issued_on": date(2020, month, 1),
                "disclosed_on": date(2020, month, 2),
                "abolished_on": date(2020, 11, 1) if month == 5 else None,
            }
            for month in (2, 5, 8)
        ),
    )
    return small


def test_a_span_counts_what_falls_in_it_and_what_is_open_at_its_ends(city: SmallCity) -> None:
    with reading(city.lake, copy_up_to=1000) as opened:
        layout = city.layout()
        for text, right in RIGHT.items():
            figures = tabulate(opened, layout, Period.parse(text)).root_figures()
            assert tuple(figures[f"t3.{row}.total"].value for row in ROWS) == right, text
            new, carried_in, closed, carried_out = right
            assert new + carried_in == closed + carried_out


def test_months_and_quarters_agree_with_the_year(city: SmallCity) -> None:
    year = Period.of_year(2020)
    quarters = by_parts(city.lake, city.folder, year, "quarter")
    spans = by_parts(city.lake, city.folder, year, "month")
    assert quarters.disagreements == spans.disagreements == ()
    assert quarters.compared == spans.compared > 190
    months = spans_json(spans)
    new = months["cells"]["t3.new_received.total"]
    assert [new[f"2020-{month:02d}"] for month in range(1, 13)] == [2, 0, 1, 1] + [0] * 7 + [1]
    assert new["2020"] == 5
    total = months["cells"]["t2.regulation.total_disclosed"]
    assert (total["2020-05"], total["2020-12"], total["2020"]) == (2, 2, 2)


def test_parts_that_do_not_make_the_whole_are_told(
    city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    year = Period.of_year(2020)
    lacking = year.parts("month")[:-1]
    monkeypatch.setattr(Period, "parts", lambda self, kind: lacking)
    found = {
        d.cell.key: (d.whole, d.parts)
        for d in by_parts(city.lake, city.folder, year, "month").disagreements
    }
    assert found["t3.new_received.total"] == (Decimal(5), Decimal(4))
    assert found["t3.carried_out.total"] == (Decimal(1), Decimal(0))
    assert "t3.results_total.total" not in found


def row(spans: Spans, key: str) -> tuple[list[Decimal | None], list[str]]:
    cell, values = next(r for r in spans.rows() if r[0].key == key)
    return [v.value for v in values], changes(cell, values)


def test_a_span_stands_beside_the_one_before_and_the_same_a_year_ago(city: SmallCity) -> None:
    spans = beside_others(city.lake, city.folder, Period.parse("2020Q1"))
    assert [period.key for _, period in spans.columns] == ["2020Q1", "2019Q4", "2019Q1"]
    assert row(spans, "t3.new_received.total") == ([3, 1, 1], ["+200.00%", "+200.00%"])
    assert row(spans, "t3.carried_out.total") == ([1, 1, 0], ["+0.00%", "基数为 0,增 1"])
    # Of a year the span before and the same a year ago are one.
    year = beside_others(city.lake, city.folder, Period.of_year(2020))
    assert [period.key for _, period in year.columns] == ["2020", "2019"]
    # Half-years before: what was carried out of one is carried into the next.
    half = beside_others(city.lake, city.folder, Period.parse("2020H2"))
    assert row(half, "t3.carried_in.total")[0][0] == row(half, "t3.carried_out.total")[0][1]


def test_the_tables_of_a_span_are_checked_and_explained_as_a_years(city: SmallCity) -> None:
    edition = preview(city.lake, city.folder, Period.parse("2020Q1"), now=NOW)
    failing = {f.code for f in edition.findings if f.status == "fail" and f.code[0] == "B"}
    assert failing == set()
    carried = [f for f in edition.findings if f.code == "B5" and f.organ_id == "A1"]
    # The last quarter's end, not the same quarter's a year ago.
    assert {f.status for f in carried} == {"pass"}
    assert edition.figures()["overview.applications_received_change"].value == Decimal(300)
    told = explain(city.lake, city.folder, Period.parse("2020Q1"), "t3.carried_out.total")
    assert (told.value, told.record_count) == (1, 1)
    assert "DATE '2020-03-31'" in told.sql


def test_the_edition_of_a_span_is_named_printed_and_rebuilt_as_one(
    city: SmallCity, tmp_path: Path
) -> None:
    small = city.copied_to(tmp_path / "small")
    edition = build_edition(
        small.lake, small.folder, Period.parse("2020Q1"), now=NOW, built_by="李四"
    ).edition
    assert (edition.id, edition.report_name) == ("2020Q1-1", "2020 年第一季度政府信息公开统计表")
    assert document_title(edition).endswith("2020年第一季度政府信息公开情况统计表")
    folder = tmp_path / "2020Q1-1"
    write_folder(edition, folder, lake=small.lake)
    text = "\n".join(
        "".join(node.itertext())
        for node in ElementTree.fromstring(
            zipfile.ZipFile(folder / "report.docx").read("word/document.xml")
        ).iter("{http://schemas.openxmlformats.org/wordprocessingml/2006/main}p")
    )
    # The words are those of a year; its columns are not called this year and last year.
    assert "编制本报告" not in text
    assert "由编制单位撰写" not in text
    assert "五、存在的主要问题" not in text
    assert {"本期", "上年同期"} <= set(text.split("\n"))
    settings = Settings(home=small.lake.home, city=small.folder)
    again = rebuild(small.lake, settings, edition.id)
    differing = [p.key for p in again.proofs if p.outcome == "different"]
    assert again.is_same, (
        differing,
        [(c.organ_id, c.cell, c.scope, c.before, c.after) for c in again.cells],
        [
            (f.key, f.kept and f.kept.status, f.rebuilt and f.rebuilt.status)
            for f in again.findings[:5]
        ],
    )


def test_what_cannot_be_parted_or_is_not_there_is_refused(city: SmallCity, tmp_path: Path) -> None:
    with pytest.raises(NoParts, match="2020 年第一季度不能按这样的时段分列"):
        by_parts(city.lake, city.folder, Period.parse("2020Q1"), "quarter")
    with pytest.raises(NoSuchCell, match="没有机关 NOBODY"):
        beside_others(city.lake, city.folder, Period.parse("2020-03"), organ_id="NOBODY")
