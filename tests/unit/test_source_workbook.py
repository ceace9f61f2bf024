"""Workbooks as offices fill them in: headers, totals, notes, mixed cells, several sheets."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tasks.sources.compiled import NOT_SCALAR
from tasks.sources.model import Workbook
from tasks.sources.workbook import UnreadableWorkbook, Wanted, match_labels, normal, read_workbook

RULE = Workbook(folder=".")
WANTED = Wanted(
    labels=("登记编号", "收到日期", "申请人/类别", "办理情况/办理结果"),
    needed=(("登记编号",), ("收到日期",)),
)


def book(*sheets: tuple[str, list[list[Any]], list[str]]) -> bytes:
    """An .xlsx of sheets: name, rows, merged ranges."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, rows, merged in sheets:
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for cells in merged:
            sheet.merge_cells(cells)
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


REGISTER: list[list[Any]] = [
    ["2020年3月 政府信息公开申请\n登记表", None, None, None, None, None],
    ["填报单位:东涌镇", None, None, "填报日期", "2020-04-03", None],
    [None] * 6,
    ["序号", "登记 编号", "收到\n日期", "申请人", None, "办理情况"],
    [None, None, None, "姓名", "类 别", "办理结果"],
    ["1", "2", "3", "4", "5", "6"],
    [1, "DC-001", datetime(2020, 3, 5), "王某", "自然人", "予以公开"],
    [None] * 6,
    [2, "DC-002", "2020年3月6日", "李某", "商业企业", "—"],
    ["合  计", None, 2, None, None, None],
    ["注:本表一式两份,由填报单位留存一份", None, None, None, None, None],
]
MERGED = ["A1:F1", "A4:A5", "B4:B5", "C4:C5", "D4:E4", "F4:F4"]


def records(
    content: bytes, name: str = "a.xlsx", rule: Workbook = RULE, wanted: Wanted = WANTED
) -> list[Any]:
    return [
        (s.name, n, r) for s in read_workbook(content, name, rule, wanted) for n, r in s.records()
    ]


EXPECTED = [
    (
        "登记表",
        7,
        {
            "登记编号": "DC-001",
            "收到日期": "2020-03-05 00:00:00",
            "申请人/类别": "自然人",
            "办理情况/办理结果": "予以公开",
        },
    ),
    (
        "登记表",
        9,
        {
            "登记编号": "DC-002",
            "收到日期": "2020年3月6日",
            "申请人/类别": "商业企业",
            "办理情况/办理结果": "—",
        },
    ),
]


def _dates(found: list[Any]) -> list[Any]:
    """Dates may come with or without the time of day."""
    for _, _, record in found:
        record["收到日期"] = str(record["收到日期"])
        if record["收到日期"] == "2020-03-05":
            record["收到日期"] += " 00:00:00"
    return found


def test_a_register_with_merged_header_totals_and_notes() -> None:
    assert _dates(records(book(("登记表", REGISTER, MERGED)))) == EXPECTED


def test_the_same_without_merged_ranges() -> None:
    assert _dates(records(book(("登记表", REGISTER, [])))) == EXPECTED


@pytest.mark.parametrize("name", ["register.xls", "register.ods"])
def test_the_same_in_the_other_forms_of_office_programs(name: str) -> None:
    """The files are `book` above as LibreOffice 7.4 converts it (`--convert-to xls`, `ods`; of
    the .ods only mimetype, manifest and content.xml are kept)."""
    content = (Path(__file__).parent / "workbooks" / name).read_bytes()
    assert _dates(records(content, name)) == EXPECTED
    sheet = read_workbook(content, name, RULE, replace(WANTED, beside=("填报单位",)))[0]
    assert sheet.beside == {"填报单位": "东涌镇"}


HTML_TABLE = """<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head>
<meta http-equiv="Content-Type" content="text/html; charset=gb2312"></head><body><table border=1>
<tr><th colspan=5>登记表</th></tr>
<tr><th rowspan=2>序号</th><th rowspan=2>登记编号</th><th colspan=2>申请人</th><th rowspan=2>收到<br>日期</th></tr>
<tr><th>姓名</th><th>类别</th></tr>
<tr><td>1&nbsp;</td><td>H-1</td><td>王某</td><td>自然人</td><td>2020-03-05</td></tr>
<tr><td>合计</td><td></td><td></td><td></td><td></td></tr></table></body></html>"""
XML_SHEET = """<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">
<Worksheet ss:Name="登记表"><Table>
<Row><Cell ss:MergeDown="1"><Data ss:Type="String">登记编号</Data></Cell>
<Cell ss:MergeAcross="1"><Data ss:Type="String">申请人</Data></Cell>
<Cell ss:MergeDown="1"><Data ss:Type="String">收到日期</Data></Cell></Row>
<Row><Cell ss:Index="2"><Data ss:Type="String">姓名</Data></Cell><Cell><Data ss:Type="String">类别</Data></Cell></Row>
<Row ss:Index="4"><Cell><Data ss:Type="String">H-1</Data></Cell>
<Cell ss:Index="3"><Data ss:Type="String">自然人</Data></Cell><Cell><Data ss:Type="DateTime">2020-03-05</Data></Cell></Row>
</Table></Worksheet></Workbook>"""
TABBED = "登记编号\t申请人/类别\t收到日期\nH-1\t自然人\t2020-03-05\n"


@pytest.mark.parametrize(
    ("content", "sheet", "row"),
    [
        (HTML_TABLE.encode("gb18030"), "", 4),
        (b"\xef\xbb\xbf" + HTML_TABLE.encode(), "", 4),
        (XML_SHEET.encode(), "登记表", 4),
        (TABBED.encode("gb18030"), "", 2),
    ],
)
def test_exports_that_are_only_called_workbooks(content: bytes, sheet: str, row: int) -> None:
    record = {"登记编号": "H-1", "申请人/类别": "自然人", "收到日期": "2020-03-05"}
    assert records(content, "export.xls") == [(sheet, row, record)]


def test_a_line_above_the_header_is_no_part_of_it() -> None:
    rows = [
        ["登记表", None, None, None],
        ["单位代码:", "0755", None, None],
        ["序号", "登记编号", "收到日期", "类别"],
        [1, "A-1", "2020-03-05", "自然人"],
    ]
    content = book(("登记表", rows, ["A1:D1"]))
    sheet = read_workbook(content, "a.xlsx", RULE, WANTED)[0]
    assert sheet.undeclared == ["序号", "类别"]


def test_names_of_undeclared_columns_but_not_their_values() -> None:
    sheet = read_workbook(book(("登记表", REGISTER, MERGED)), "a.xlsx", RULE, WANTED)[0]
    assert sheet.undeclared == ["序号", "申请人/姓名"]
    list(sheet.records())
    assert sheet.skipped == [(6, "numbering"), (10, "total"), (11, "note")]


def test_cells_and_values_beside_labels() -> None:
    wanted = Wanted(WANTED.labels, WANTED.needed, cells=("E2",), beside=("填报单位", "填报日期"))
    sheet = read_workbook(book(("登记表", REGISTER, MERGED)), "a.xlsx", RULE, wanted)[0]
    assert sheet.cells == {"E2": "2020-04-03"}
    assert sheet.beside == {"填报单位": "东涌镇", "填报日期": "2020-04-03"}


def test_sheets_without_the_header_are_left_out_unless_they_were_named() -> None:
    content = book(
        ("说明", [["填表说明"]], []), ("一月", REGISTER, MERGED), ("二月", REGISTER, MERGED)
    )
    assert {name for name, _, _ in records(content)} == {"一月", "二月"}
    assert {
        name for name, _, _ in records(content, rule=Workbook(folder=".", sheets=("二*",)))
    } == {"二月"}
    with pytest.raises(UnreadableWorkbook, match="工作表“说明”"):
        records(content, rule=Workbook(folder=".", sheets=("说明",)))


def test_a_missing_column_is_named_with_those_there_are() -> None:
    rows = [["登记编号", "收件时间"], ["1", "2020-01-01"]]
    with pytest.raises(UnreadableWorkbook, match="缺少列 收到日期;现有列:登记编号、收件时间"):
        records(book(("a", rows, [])))


def test_vertically_merged_cells_and_fill_down() -> None:
    rows = [
        ["登记编号", "收到日期", "单位"],
        ["1", "2020-01-01", "甲"],
        ["2", "2020-01-02", None],
        ["3", "2020-01-03", None],
    ]
    wanted = Wanted(("登记编号", "收到日期", "单位"), ())
    found = records(book(("a", rows, ["C2:C3"])), wanted=wanted)
    assert [r["单位"] for _, _, r in found] == ["甲", "甲", None]
    rule = Workbook(folder=".", fill_down=("单位",))
    assert [r["单位"] for _, _, r in records(book(("a", rows, [])), rule=rule, wanted=wanted)] == [
        "甲"
    ] * 3


def test_a_header_that_is_repeated_on_every_printed_page() -> None:
    rows = [
        ["登记编号", "收到日期"],
        ["1", "2020-01-01"],
        ["登记编号", "收到日期"],
        ["2", "2020-01-02"],
    ]
    assert [r["登记编号"] for _, _, r in records(book(("a", rows, [])))] == ["1", "2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_in_the_encodings_offices_use(encoding: str) -> None:
    content = "登记编号,收到日期\r\n001,2020/3/5\r\n合计,1\r\n".encode(encoding)
    assert records(content, "a.csv") == [("", 2, {"登记编号": "001", "收到日期": "2020/3/5"})]


def test_a_broken_file_says_what_to_do() -> None:
    with pytest.raises(UnreadableWorkbook, match="加密或损坏"):
        records(b"not a workbook", "a.xlsx")


@pytest.mark.parametrize("said", ["#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"])
def test_what_a_formula_says_that_went_wrong_is_no_text(said: str) -> None:
    workbook = openpyxl.Workbook()
    for row in (
        ["登记编号", "收到日期", "备注"],
        ["A1", "2020-03-05", "x"],
        ["A2", "2020-03-06", "y"],
    ):
        workbook.active.append(row)
    for place in ("A2", "C3"):
        workbook.active[place] = said
        workbook.active[place].data_type = "e"
    workbook.active["C2"] = "#N/A"
    workbook.active["C2"].data_type = "e"
    stream = io.BytesIO()
    workbook.save(stream)
    wanted = Wanted(labels=("登记编号", "收到日期", "备注"), needed=(("登记编号",),))
    (_, _, first), (_, _, second) = records(stream.getvalue(), wanted=wanted)
    assert first["登记编号"] == second["备注"] == f"{NOT_SCALAR}error{said}"
    assert first["备注"] == "#N/A"


def test_labels_are_compared_without_blanks_width_and_brackets() -> None:
    assert normal(" 收到\n日 期 ") == "收到日期"
    assert normal("金额(万元)") == "金额(万元)"
    labels = ["序号", "金额(元)", "期限/答复期限", "办理/答复期限"]
    assert match_labels(labels, ["金额", "期限/答复期限", "答复期限"]) == {
        "金额": 1,
        "期限/答复期限": 2,
    }


def test_old_and_open_document_formats(tmp_path: Path) -> None:
    """The same rows from .ods; .xls is covered where an office program is at hand."""
    import zipfile

    cells = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{c}</text:p></table:table-cell>'
            for c in row
        )
        + "</table:table-row>"
        for row in [["登记编号", "收到日期"], ["7", "2020.3.5"]]
    )
    names = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    path = tmp_path / "a.ods"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr(
            "content.xml",
            f'<?xml version="1.0"?><office:document-content {names}><office:body><office:spreadsheet>'
            f'<table:table table:name="表">{cells}</table:table></office:spreadsheet></office:body></office:document-content>',
        )
    assert records(path.read_bytes(), "a.ods") == [
        ("表", 2, {"登记编号": "7", "收到日期": "2020.3.5"})
    ]


def test_numbers_and_dates_as_scalars() -> None:
    rows = [["登记编号", "收到日期"], [12.0, date(2020, 3, 5)], [12.5, True]]
    found = records(book(("a", rows, [])))
    assert [r["登记编号"] for _, _, r in found] == [12, 12.5]
