"""The printable grids: spans as the official forms have them, nothing lost, nothing twice."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.editions import figures as written
from tasks.editions.edition import CellValue
from tasks.render.form import Grid, flat_tables, grid, grids
from tests.edition_fixture import edition_2020, edition_2025
from warehouse.form import load_layout
from warehouse.layout import Layout

LAYOUTS = ("2019", "2021")


def laid_out(layout: Layout, table: str) -> Grid:
    return grid(layout, layout.table(table), {})


def spans(grid: Grid, kind: str) -> list[tuple[str, int, int, int, int]]:
    """Text, row, column, rows and columns of every box of a kind."""
    return [(b.text, b.row, b.column, b.rows, b.columns) for b in grid.boxes if b.kind == kind]


@pytest.mark.parametrize("name", LAYOUTS)
def test_boxes_tile_every_grid(name: str) -> None:
    layout = load_layout(name)
    for shown in grids(layout, {}):
        covered: dict[tuple[int, int], str] = {}
        for box in shown.boxes:
            for row in range(box.row, box.row + box.rows):
                for column in range(box.column, box.column + box.columns):
                    assert (row, column) not in covered, (box, covered[(row, column)])
                    covered[(row, column)] = box.text
        assert len(covered) == shown.row_count * shown.column_count


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_printed_cell_stands_once(name: str) -> None:
    layout = load_layout(name)
    for shown in grids(layout, {}):
        keys = [box.cell.key for box in shown.numbers if box.cell]
        assert sorted(keys) == sorted(cell.key for cell in layout.printed(shown.key))


def test_table_3_has_three_label_columns_and_the_organisations_header() -> None:
    shown = laid_out(load_layout("2019"), "t3")
    assert (shown.row_count, shown.column_count) == (26, 10)
    assert (shown.header_rows, shown.label_columns) == (3, 3)
    assert spans(shown, "corner") == [
        ("(本列数据的勾稽关系为:第一项加第二项之和,等于第三项加第四项之和)", 0, 0, 3, 3)
    ]
    headers = spans(shown, "header")
    assert ("申请人情况", 0, 3, 1, 7) in headers
    assert ("自然人", 1, 3, 2, 1) in headers
    assert ("法人或其他组织", 1, 4, 1, 5) in headers
    assert ("总计", 1, 9, 2, 1) in headers
    assert [h for h in headers if h[1] == 2] == [
        ("商业企业", 2, 4, 1, 1),
        ("科研机构", 2, 5, 1, 1),
        ("社会公益组织", 2, 6, 1, 1),
        ("法律服务机构", 2, 7, 1, 1),
        ("其他", 2, 8, 1, 1),
    ]
    labels = {text: place for text, *place in spans(shown, "label")}
    assert labels["一、本年新收政府信息公开申请数量"] == [3, 0, 1, 3]
    assert labels["三、本年度办理结果"] == [5, 0, 20, 1]
    assert labels["(一)予以公开"] == [5, 1, 1, 2]
    assert labels["(三)不予公开"] == [7, 1, 8, 1]
    assert labels["1.属于国家秘密"] == [7, 2, 1, 1]
    assert labels["(四)无法提供"] == [15, 1, 3, 1]
    assert labels["(五)不予处理"] == [18, 1, 5, 1]
    assert labels["(六)其他处理"] == [23, 1, 1, 2]
    assert labels["(七)总计"] == [24, 1, 1, 2]
    assert labels["四、结转下年度继续办理"] == [25, 0, 1, 3]


def test_table_3_of_2021_tells_three_other_outcomes_apart() -> None:
    shown = laid_out(load_layout("2021"), "t3")
    assert shown.row_count == 28
    labels = {text: place for text, *place in spans(shown, "label")}
    assert labels["三、本年度办理结果"] == [5, 0, 22, 1]
    assert labels["(六)其他处理"] == [23, 1, 3, 1]
    assert labels["3.其他"] == [25, 2, 1, 1]


def test_table_4_stands_in_one_line() -> None:
    shown = laid_out(load_layout("2021"), "t4")
    assert (shown.row_count, shown.column_count, shown.orientation) == (4, 15, "landscape")
    headers = spans(shown, "header")
    assert headers[:4] == [
        ("行政复议", 0, 0, 2, 5),
        ("行政诉讼", 0, 5, 1, 10),
        ("未经复议直接起诉", 1, 5, 1, 5),
        ("复议后起诉", 1, 10, 1, 5),
    ]
    names = [text for text, row, *_ in sorted(headers, key=lambda h: h[2]) if row == 2]
    assert names == ["结果维持", "结果纠正", "其他结果", "尚未审结", "总计"] * 3
    assert [box.cell.key for box in shown.numbers if box.cell][5] == "t4.litigation_direct.upheld"


def test_table_2_has_blocks_whose_last_column_fills_the_row() -> None:
    shown = laid_out(load_layout("2019"), "t2")
    assert (shown.row_count, shown.column_count) == (18, 4)
    assert [s[0] for s in spans(shown, "section")] == [f"第二十条第({n})项" for n in "一五六八九"]
    headers = spans(shown, "header")
    assert ("本年增/减", 13, 2, 1, 2) in headers
    assert ("采购总金额", 16, 2, 1, 2) in headers
    newer = laid_out(load_layout("2021"), "t2")
    assert ("本年处理决定数量", 5, 1, 1, 3) in spans(newer, "header")


def test_missing_prints_blank_and_is_said_and_zero_prints_zero() -> None:
    layout = load_layout("2019")
    figures = {cell.key: CellValue(Decimal(0)) for cell in layout.printed("t4")}
    figures["t4.reconsideration.upheld"] = CellValue(None)
    shown = grid(layout, layout.table("t4"), figures)
    assert [box.text for box in shown.numbers] == ["", *["0"] * 14]
    assert len(shown.missing) == 1
    assert "不等于 0" in shown.notes[0]
    assert "行政复议 · 结果维持" in shown.notes[0]
    assert (
        grid(layout, layout.table("t4"), dict.fromkeys(figures, CellValue(Decimal(1)))).notes == ()
    )


values = st.one_of(
    st.none(),
    st.decimals(
        min_value=-(10**17), max_value=10**17, places=6, allow_nan=False, allow_infinity=False
    ),
    st.integers(-(10**17), 10**17).map(Decimal),
)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(LAYOUTS))
def test_a_figure_is_read_back_from_its_box(data: st.DataObject, name: str) -> None:
    layout = load_layout(name)
    printed = [cell for table in layout.tables for cell in layout.printed(table.key)]
    figures = {cell.key: CellValue(data.draw(values)) for cell in printed[:40]}
    for shown in grids(layout, figures):
        for box in shown.numbers:
            assert box.cell is not None
            value = written.number(box.cell, figures.get(box.cell.key))
            assert box.text == "" if value is None else Decimal(box.text) == value
            assert "E" not in box.text


def test_an_amount_names_its_unit_once() -> None:
    edition = edition_2020()
    older = grids(edition.layout, edition.figures())[0]
    assert older.notes == ("政府集中采购 · 采购总金额以元为单位",)
    newer = edition_2025()
    assert grids(newer.layout, newer.figures())[0].notes == ()


def test_plain_tables_repeat_the_whole_label() -> None:
    edition = edition_2020()
    layout = edition.layout
    (flat,) = flat_tables(layout, layout.table("t3"), edition.figures())
    assert flat.columns[1] == ("法人或其他组织", "商业企业")
    rows = dict(flat.rows)
    assert rows["(一)予以公开"][-1] == "1298"
    assert rows["(三)不予公开 · 1.属于国家秘密"][-1] == "0"
    assert rows["三、本年度办理结果"] == ()
    assert len(rows) == 24
    (flat,) = flat_tables(layout, layout.table("t4"), edition.figures())
    assert [label for label, _ in flat.rows] == [
        "行政复议", "行政诉讼 · 未经复议直接起诉", "行政诉讼 · 复议后起诉",
    ]  # fmt: skip


def test_published_tables_of_2025_are_all_there() -> None:
    edition = edition_2025()
    texts = {
        box.cell.key: box.text
        for shown in grids(edition.layout, edition.figures())
        for box in shown.numbers
        if box.cell
    }
    assert texts["t2.administrative_license.decisions"] == "11398889"
    assert texts["t3.results_total.total"] == "13810"
    assert texts["t4.litigation_after_reconsideration.total"] == "156"
    assert "" not in texts.values()
