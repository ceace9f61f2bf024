"""The workbook and the Word report, read back with other libraries than wrote them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.editions.edition import CellValue, Edition
from tasks.render import word, workbook
from tasks.render.form import Grid, grids
from tasks.wording.typeset import typeset
from tests.edition_fixture import edition_2020, edition_2025

EDITIONS = (edition_2020, edition_2025)


@pytest.fixture(scope="module", params=EDITIONS, ids=["2020", "2025"])
def edition(request: pytest.FixtureRequest) -> Edition:
    found: Edition = request.param()
    return found


@pytest.fixture(scope="module")
def book(edition: Edition, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("book") / "tables.xlsx"
    workbook.write(edition, path)
    return openpyxl.load_workbook(path)


def top_of(sheet: Any, grid: Grid) -> int:
    """The row (from 1) where the form begins: its first header or section."""
    first = min(grid.boxes, key=lambda box: (box.row, box.column))
    for row in range(1, 10):
        if sheet.cell(row, 1).value == typeset(first.text):
            return row
    raise AssertionError("form not found")


def test_every_cell_reads_back_at_its_place(edition: Edition, book: Any) -> None:
    for grid in grids(edition.layout, edition.figures()):
        sheet = book[workbook.sheet_name(grid.title)]
        top = top_of(sheet, grid)
        merged = {str(r) for r in sheet.merged_cells.ranges}
        for box in grid.boxes:
            cell = sheet.cell(top + box.row, box.column + 1)
            if box.kind == "number":
                assert Decimal(str(cell.value)) == box.value.value  # type: ignore[union-attr]
            else:
                assert (cell.value or "").replace("\n", "") == typeset(box.text)
            if box.rows * box.columns > 1:
                end = sheet.cell(top + box.row + box.rows - 1, box.column + box.columns)
                assert f"{cell.coordinate}:{end.coordinate}" in merged
            assert cell.border.left.style == "thin"


def test_a_figure_stands_beside_its_label(book: Any, edition: Edition) -> None:
    sheet = book[workbook.sheet_name("三、收到和处理政府信息公开申请情况")]
    found = {
        str(cell.value): row
        for row in range(1, sheet.max_row + 1)
        for cell in sheet[row][:3]
        if cell.value
    }
    row = found[typeset("(一)予以公开")]
    assert sheet.cell(row, 10).value == {2020: 1298, 2025: 5548}[edition.report_year]


def test_headings_of_narrow_columns_are_broken_in_the_middle(book: Any, edition: Edition) -> None:
    for grid in grids(edition.layout, edition.figures()):
        if grid.key == "t4":
            sheet = book[workbook.sheet_name(grid.title)]
            top = top_of(sheet, grid)
            assert sheet.cell(top + 2, 1).value == "结果\n维持"


def test_print_set_up(book: Any, edition: Edition) -> None:
    assert len(book.sheetnames) == 6
    for sheet in book.worksheets:
        assert sheet.page_setup.paperSize == 9
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) in ((1, 0), (None, 0))
        assert sheet.print_options.horizontalCentered
        assert sheet.print_area
        footer = sheet.oddFooter
        assert edition.id in footer.left.text
        assert edition.cell_hash[:12] in footer.left.text
        assert "&P" in footer.center.text or "&[Page]" in footer.center.text
    wide = book[workbook.sheet_name("四、政府信息公开行政复议、行政诉讼情况")]
    assert wide.page_setup.orientation == "landscape"
    assert book[workbook.sheet_name("三、收到和处理政府信息公开申请情况")].print_title_rows


def test_synthetic_figures_are_marked_on_every_table(book: Any, edition: Edition) -> None:
    for sheet in book.worksheets[:-1]:
        text = " ".join(str(c.value) for row in sheet.iter_rows(1, 4) for c in row if c.value)
        assert ("均为合成" in text) == edition.is_synthetic


def test_findings_sheet_names_the_records(book: Any, edition: Edition) -> None:
    sheet = book[workbook.FINDINGS_SHEET]
    text = [str(cell.value) for row in sheet.iter_rows() for cell in row if cell.value]
    if edition.report_year == 2020:
        assert {f"YSQ-2020-{i:05d}" for i in range(6)} <= set(text)
        assert sheet.auto_filter.ref
    else:
        assert "没有需要处理的问题。" in text


def test_notes_name_the_edition_and_every_line(book: Any, edition: Edition) -> None:
    sheet = book[workbook.NOTES_SHEET]
    text = {str(cell.value) for row in sheet.iter_rows() for cell in row if cell.value}
    assert edition.cell_hash in text
    assert {"t3.granted.*", "t4.reconsideration.*"} <= text


values = st.one_of(
    st.none(),
    st.integers(-(10**20), 10**20).map(Decimal),
    st.decimals(-(10**9), 10**9, places=6, allow_nan=False, allow_infinity=False),
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(values, min_size=15, max_size=15))
def test_any_figure_survives_the_workbook(tmp_path: Path, drawn: list[Decimal | None]) -> None:
    base = edition_2025()
    keys = [cell.key for cell in base.layout.printed("t4")]
    figures = {key: CellValue(value) for key, value in zip(keys, drawn, strict=True)}
    path = tmp_path / "any.xlsx"
    workbook.write(replace(base, cells={("city", "rolled_up"): figures}), path)
    sheet = openpyxl.load_workbook(path)[workbook.sheet_name(base.layout.table("t4").title)]
    grid = grids(base.layout, figures)[2]
    top = top_of(sheet, grid)
    read = [sheet.cell(top + 3, column).value for column in range(1, 16)]
    for got, value in zip(read, drawn, strict=True):
        if value is None:
            assert got is None
        else:
            assert abs(Decimal(str(got)) - value) <= abs(value) * Decimal("1e-14")
    assert ("不等于 0" in str(sheet.cell(top + 4, 1).value)) == (None in drawn)


def test_word_report_holds_the_six_sections_and_the_forms(edition: Edition, tmp_path: Path) -> None:
    path = tmp_path / "report.docx"
    word.write(edition, path)
    document = docx.Document(str(path))
    headings = [p.text for p in document.paragraphs if p.style and p.style.name == "Heading 1"]
    assert [h[0] for h in headings[:6]] == list("一二三四五六")
    assert len(headings) == 6
    section = document.sections[0]
    assert (round(section.page_width.mm), round(section.page_height.mm)) == (210, 297)  # type: ignore[union-attr]
    text = "\n".join(p.text for p in document.paragraphs)
    assert ("均为合成" in text) == edition.is_synthetic
    for grid in grids(edition.layout, edition.figures()):
        table = next(
            t
            for t in document.tables
            if len(t.rows) == grid.row_count and len(t.columns) == grid.column_count
        )
        rows = [row.cells for row in table.rows]
        for box in grid.boxes:
            assert rows[box.row][box.column].text.replace("\n", "") == typeset(box.text)
            far = rows[box.row + box.rows - 1][box.column + box.columns - 1]
            assert far._tc is rows[box.row][box.column]._tc
        assert "w:tblHeader" in table._tbl.xml or not grid.header_rows
        # The form stays in one piece, with its notes.
        whole = rows if grid.notes else rows[:-1]
        assert all(c.paragraphs[0].paragraph_format.keep_with_next for row in whole for c in row)
    # Chinese punctuation, and no word marked as misspelt.
    assert 'w:eastAsia="zh-CN"' in document.styles.element.xml
    headings_style = document.styles["Heading 1"]
    assert headings_style.font.bold is False
    assert headings_style.font.name == "黑体"
