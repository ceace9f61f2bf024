"""Tables as sites and offices really lay them out, and what stands around them."""

from __future__ import annotations

import io
import random
import re
import zipfile
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest

from tasks.audit.agreement import cell_sum
from tasks.audit.characters import plain
from tasks.audit.document import (
    Block,
    Document,
    UnreadableDocument,
    decode,
    unfold,
)
from tasks.audit.identify import identify
from tasks.audit.kinds import read_document
from tasks.audit.read_docx import read_docx
from tasks.audit.read_html import read_html
from tasks.audit.read_pdf import read_pdf
from tasks.audit.run import audit_files, report_files
from tasks.audit.tables import TableReading, read_tables
from tests.audit_reports import Figures, Span, as_pdf, balanced, tables
from warehouse.form import load_layout
from warehouse.layout import Layout

Rows = list[list[Span]]


def laid(rows: Rows, *, spans: bool = True, tag: str = "td") -> str:
    def cell(text: str, wide: int, high: int) -> str:
        return f"<{tag}{f' colspan={wide} rowspan={high}' if spans else ''}>{text}</{tag}>"

    return (
        "<table>"
        + "".join("<tr>" + "".join(cell(*c) for c in row) + "</tr>" for row in rows)
        + "</table>"
    )


def read(html: str) -> TableReading:
    return read_tables(read_html(f"<html><body>{html}</body></html>".encode(), "report.html"))


@pytest.fixture(params=["2019", "2021"])
def form(request: pytest.FixtureRequest) -> tuple[Layout, Figures, dict[str, Rows]]:
    layout = load_layout(request.param)
    figures = balanced(layout, random.Random(21), 300)
    return (
        layout,
        figures,
        dict(zip(("t2", "t3", "t4"), [rows for _, rows in tables(layout, figures)], strict=True)),
    )


Form = tuple[Layout, Figures, dict[str, Rows]]


def _same(reading: TableReading, figures: Figures) -> bool:
    return reading.figures == figures


def test_merged_cells_that_lost_their_spans(form: Form) -> None:
    _, figures, rows = form
    assert _same(read("".join(laid(r, spans=False) for r in rows.values())), figures)


def test_merged_cells_that_lost_one_kind_of_span(form: Form) -> None:
    _, figures, rows = form
    tall = [[(t, 1, h) for t, _, h in row] for r in rows.values() for row in r]
    wide = [[(t, w, 1) for t, w, _ in row] for r in rows.values() for row in r]
    assert _same(read(laid(tall)), figures)
    assert _same(read(laid(wide)), figures)


def test_serial_numbers_before_the_rows(form: Form) -> None:
    _, figures, rows = form
    numbered = [laid([[(str(n), 1, 1), *row] for n, row in enumerate(r, 1)]) for r in rows.values()]
    reading = read("".join(numbered))
    assert _same(reading, figures)
    assert reading.extra_rows == []


def test_applicants_without_their_total(form: Form) -> None:
    _, figures, rows = form
    narrow: Rows = [[rows["t3"][0][0], ("申请人情况", 6, 1)], rows["t3"][1][:-1], rows["t3"][2]]
    narrow += [row[:-1] for row in rows["t3"][3:]]
    reading = read(laid(rows["t2"]) + laid(narrow) + laid(rows["t4"]))
    lost = {k for k in figures if k.startswith("t3.") and k.endswith(".total")}
    assert reading.figures == {k: v for k, v in figures.items() if k not in lost}
    denied = cell_sum("t3.denied.total", reading.figures)
    by_applicant = [
        v for k, v in reading.figures.items() if v is not None and k.startswith("t3.denied_")
    ]
    assert denied is not None
    assert denied.value == sum(by_applicant)


def test_text_merged_down_into_the_figures_labels_no_row(form: Form) -> None:
    _, figures, rows = form
    lines = [*rows["t3"][:3], [*rows["t3"][3][:2], ("总计", 1, 2), *rows["t3"][3][2:]]]
    reading = read(laid(rows["t2"]) + laid([*lines, *rows["t3"][4:]]) + laid(rows["t4"]))
    carried_in = {k: v for k, v in figures.items() if k.startswith("t3.carried_in.")}
    assert carried_in.items() <= reading.figures.items()


def test_header_cells_and_page_design_around_the_tables(form: Form) -> None:
    _, figures, rows = form
    page = "".join(laid(r, tag="th") for r in rows.values())
    assert _same(read(f"<table><tr><td>栏目</td><td>{page}</td></tr></table>"), figures)


def test_all_three_in_one_table(form: Form) -> None:
    _, figures, rows = form
    assert _same(read(laid([row for r in rows.values() for row in r])), figures)


def test_subtotal_row_is_local(form: Form) -> None:
    _, figures, rows = form
    table = laid(rows["t3"])
    first = "<td colspan=1 rowspan=1>1.属于国家秘密</td>"
    table = table.replace(
        first, "<td>小计</td>" + "".join(f"<td>{n}</td>" for n in range(7)) + f"</tr><tr>{first}"
    )
    table = re.sub(r"rowspan=8>\(三\)", "rowspan=9>(三)", table)
    table = re.sub(r"rowspan=(\d+)>三、", lambda m: f"rowspan={int(m[1]) + 1}>三、", table)
    reading = read(laid(rows["t2"]) + table + laid(rows["t4"]))
    assert _same(reading, figures)
    assert [(r.label, r.values) for r in reading.extra_rows] == [("小计", tuple("0123456"))]


def test_column_that_the_form_does_not_have(form: Form) -> None:
    _, figures, rows = form

    def wider(row: list[Span], at: int) -> list[Span]:
        if at == 0:
            return [row[0], ("申请人情况", 8, 1)]
        if at == 1:
            return [row[0], ("法人或其他组织", 6, 1), row[2]]
        if at == 2:
            return [*row, ("小计", 1, 1)]
        return [*row[:-1], (str(sum(int(c[0]) for c in row[-6:-1])), 1, 1), row[-1]]

    wide = [wider(row, at) for at, row in enumerate(rows["t3"])]
    assert _same(read(laid(rows["t2"]) + laid(wide) + laid(rows["t4"])), figures)


def test_reviews_and_lawsuits_in_tables_of_their_own(form: Form) -> None:
    _, figures, rows = form
    _, _, endings, line = rows["t4"]
    reviews: Rows = [[("行政复议", 5, 1)], endings[:5], line[:5]]
    lawsuits: Rows = [
        [("行政诉讼", 10, 1)],
        [("未经复议直接起诉", 5, 1), ("复议后起诉", 5, 1)],
        endings[5:],
        line[5:],
    ]
    assert _same(
        read(laid(rows["t2"]) + laid(rows["t3"]) + laid(reviews) + laid(lawsuits)), figures
    )


def test_reviews_row_by_row(form: Form) -> None:
    _, figures, rows = form
    _, _, endings, line = rows["t4"]
    names = ["行政复议", "未经复议直接起诉", "复议后起诉"]
    turned: Rows = [
        [("类别", 1, 1), *endings[:5]],
        *[[(n, 1, 1), *line[5 * i : 5 * i + 5]] for i, n in enumerate(names)],
    ]
    assert _same(read(laid(rows["t2"]) + laid(rows["t3"]) + laid(turned)), figures)


def test_a_second_set_of_tables_is_told_and_not_mixed_in(form: Form) -> None:
    layout, figures, rows = form
    others = [r for _, r in tables(layout, balanced(layout, random.Random(22), 300))]
    reading = read("".join(laid(r) for r in [*rows.values(), *others]))
    assert _same(reading, figures)
    assert {text[:2] for text, _ in reading.problems} == {"表二", "表三", "表四"}


def test_other_tables_of_the_page_are_passed_over(form: Form) -> None:
    _, figures, rows = form
    other: Rows = [
        [("单位", 1, 1), ("主动公开", 1, 1), ("总计", 1, 1)],
        [("市教育局", 1, 1), ("12", 1, 1), ("15", 1, 1)],
        [("总计", 1, 1), ("12", 1, 1), ("15", 1, 1)],
    ]
    reading = read("".join(laid(r) for r in [other, *rows.values(), other]))
    assert _same(reading, figures)
    assert reading.extra_rows == []


def test_an_article_in_a_design_table_stays_prose() -> None:
    article = "全年收到政府信息公开申请12件。" * 20
    document = read_html(
        f"<table><tr><td>栏目</td><td><p>{article}</p></td></tr></table>".encode(), "r.html"
    )
    assert article in [block.text for block in document.blocks]


def test_money_in_another_unit_than_the_form() -> None:
    head = "<tr><td>信息内容</td><td>本年收费金额(单位:元)</td></tr>"
    rows = "<tr><td>行政许可</td><td>3</td></tr><tr><td>行政处罚</td><td>3</td></tr><tr><td>行政事业性收费</td><td>12000</td></tr>"
    reading = read(
        f"<table><tr><td>信息内容</td><td>本年处理决定数量</td></tr>{rows[: rows.index('<tr><td>行政事业')]}{head}{rows[rows.index('<tr><td>行政事业') :]}</table>"
    )
    fee = reading.cells["t2.administrative_fee.amount_10k_yuan"]
    assert (str(fee.value.normalize() if fee.value else ""), fee.note) == ("1.2", "原文单位为元")


def test_page_of_a_pdf_without_its_closing_rule() -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(5))
    document = read_pdf(as_pdf(layout, figures, cut_at=7), "r.pdf")
    assert _same(read_tables(document), figures)


def test_row_that_the_page_cuts_in_two() -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(5))
    for at in (8, 9, 20):
        document = read_pdf(as_pdf(layout, figures, cut_at=at, cuts_rows=True), "r.pdf")
        reading = read_tables(document)
        assert _same(reading, figures)
        assert reading.problems == [] == reading.extra_rows


def test_table_wider_than_the_page_keeps_its_last_digits() -> None:
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=A4)
    # Rules end with the page, text does not: so LibreOffice writes it.
    canvas.grid([400, 500, 570, A4[0]], [600, 630, 660])
    for row, y in enumerate((610, 640)):
        for at, x in enumerate((410, 510, 580)):
            canvas.drawString(x, y, f"{row}{at}4810")
    canvas.save()
    (block,) = read_pdf(stream.getvalue(), "r.pdf").blocks
    assert block.grid is not None
    assert [[c.text for c in row if c] for row in block.grid.rows] == [
        ["104810", "114810", "124810"],
        ["004810", "014810", "024810"],
    ]


def test_shaded_rows_are_no_ruled_table() -> None:
    from reportlab.pdfgen.canvas import Canvas

    stream = io.BytesIO()
    canvas = Canvas(stream)
    for row in range(6):
        canvas.setFillGray(0.8)
        for column in range(3) if row % 2 else ():
            canvas.rect(60 + 80 * column, 600 - 20 * row, 80, 20, stroke=0, fill=1)
        canvas.setFillGray(0)
        for column in range(3):
            canvas.drawString(70 + 80 * column, 606 - 20 * row, str(10 * row + column))
    canvas.save()
    blocks = read_pdf(stream.getvalue(), "r.pdf").blocks
    assert [b.text for b in blocks] == [f"{10 * r} {10 * r + 1} {10 * r + 2}" for r in range(6)]


def test_labels_wrapped_beside_their_figures() -> None:
    lines = [
        "(三)不予 1.属于国 265 0 0 0 61 0 326",
        "公开 家秘密",
        "2.其他法 0 0 493 0 0 317 810",
        "律行政法",
        "规禁止公",
        "开",
        "3.危 0 0 0 0 0 227 227",
        "及“三安",
        "全一稳定”",
        "5.要求行政机关确认或重新",
        "(五)不予处理 出具已获取信息 0 7 0 0 0 0 7",
        "(七)总计 265 0 493 0 61 544 1363",
    ]
    reading = read_tables(Document("r.txt", "text", tuple(Block(text=line) for line in lines)))
    totals = {k.split(".")[1]: v for k, v in reading.figures.items() if k.endswith(".total")}
    assert totals == {
        "denied_state_secret": 326,
        "denied_law_prohibits": 810,
        "denied_safety_stability": 227,
        "unprocessed_reconfirm": 7,
        "results_total": 1363,
    }


def test_a_row_of_blanks_between_tabs(form: Form) -> None:
    _, figures, rows = form
    lines = [
        "\t".join("" if t == "0" else t.replace("\n", "") for t, _, _ in row)
        for r in rows.values()
        for row in r
    ]
    reading = read_tables(Document("r.txt", "text", tuple(Block(text=line) for line in lines)))
    assert {k: v or 0 for k, v in reading.figures.items()} == figures


def test_running_heads_do_not_cut_sentences() -> None:
    from reportlab.lib.pagesizes import A5
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfgen.canvas import Canvas

    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    prose = (
        "全年收到政府信息公开申请3721件,其中自然人2870件,法人或其他组织851件,均依法办理并按时答复申请人。"
        * 9
    )
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=A5)
    lines = [prose[at : at + 28] for at in range(0, len(prose), 28)]
    for page in range(0, len(lines), 5):
        canvas.setFont("STSong-Light", 12)
        canvas.drawString(40, 575, "某市政府信息公开工作年度报告")
        for at, line in enumerate(lines[page : page + 5]):
            canvas.drawString(40, 530 - 20 * at, line)
        canvas.drawString(200, 20, f"第 {page // 5 + 1} 页")
        canvas.showPage()
    canvas.save()
    assert [block.text for block in read_pdf(stream.getvalue(), "r.pdf").blocks] == [prose]


def test_radicals_and_full_width_forms_are_read_as_characters() -> None:
    assert plain("\u2f8f政许可\uff11\uff12\uff08\u2f00\uff09") == "行政许可12(一)"


def test_tracked_deletion_and_text_box_in_word() -> None:
    import docx
    from docx.oxml import parse_xml

    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    document = docx.Document()
    body = document.element.body
    for at, xml in enumerate(
        (
            f"<w:p {space}><w:r><w:t>收到申请</w:t></w:r><w:del><w:r><w:delText>11</w:delText></w:r></w:del><w:ins><w:r><w:t>12件</w:t></w:r></w:ins></w:p>",
            f"<w:sdt {space}><w:sdtContent><w:p><w:r><w:t>结转下年度0件</w:t></w:r></w:p></w:sdtContent></w:sdt>",
        )
    ):
        body.insert(at, parse_xml(xml))
    stream = io.BytesIO()
    document.save(stream)
    assert [b.text for b in read_docx(stream.getvalue(), "r.docx").blocks] == [
        "收到申请12件",
        "结转下年度0件",
    ]


def test_spans_that_run_over_each_other_are_cut_short() -> None:
    grid = unfold([[("a", 2, 3), ("b", 1, 1)], [("c", 9, 1)]])
    assert [c.text if c else "" for c in grid.rows[0][:3]] == ["a", "a", "b"]
    assert grid.rows[1][2] is not None


def zipped(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, "")
    return stream.getvalue()


def locked() -> bytes:
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    stream = io.BytesIO()
    canvas = Canvas(stream, encrypt=StandardEncryption("secret"))
    canvas.drawString(50, 50, "12")
    canvas.save()
    return stream.getvalue()


def blank_page() -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    stream = io.BytesIO()
    canvas = Canvas(stream)
    canvas.rect(50, 50, 9, 9)
    canvas.save()
    return stream.getvalue()


def test_page_saved_with_all_its_parts_in_one_file(tmp_path: Path) -> None:
    message = MIMEMultipart("related")
    message.attach(MIMEText("<html><body><p>收到申请12件</p></body></html>", "html", "utf-8"))
    path = tmp_path / "report.mht"
    path.write_bytes(message.as_bytes())
    document = read_document(path)
    assert (document.format, [b.text for b in document.blocks]) == ("html", ["收到申请12件"])


def test_address_and_missing_file_say_what_to_do(tmp_path: Path) -> None:
    for path, says in (
        (Path("https://example.gov.cn/2022.html"), "另存为 HTML"),
        (tmp_path / "none.html", "没有这个文件"),
        (tmp_path, "文件夹里没有报告"),
    ):
        with pytest.raises(UnreadableDocument, match=says):
            report_files(path)


def test_files_that_cannot_be_read_do_not_keep_the_others_from_it(tmp_path: Path) -> None:
    (tmp_path / "a.doc").write_bytes(b"\xd0\xcf\x11\xe0")
    (tmp_path / "b.txt").write_text("某市2022年政府信息公开工作年度报告", encoding="utf-8")
    unread: list[str] = []
    reports = audit_files(report_files(tmp_path), unread=unread)
    assert [r.report_year for r in reports] == [2022]
    assert [text for text in unread if "a.doc" in text and "另存为 .docx" in text] == unread != []
    with pytest.raises(UnreadableDocument):
        audit_files(report_files(tmp_path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings(encoding: str) -> None:
    assert decode("年度报告".encode(encoding)) == "年度报告"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "空"),
        (b"\xd0\xcf\x11\xe0" + b"0" * 99, "另存为 .docx"),
        (b"\xd0\xcf\x11\xe0" + "Workbook".encode("utf-16-le"), "Excel"),
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "密码"),
        (b"PK\x03\x04junk", "Word"),
        (zipped("xl/workbook.xml"), "Excel"),
        (zipped("OFD.xml"), "OFD"),
        (zipped("content.xml"), "另存为 Word"),
        (zipped("report.html"), "解压"),
        (b"%PDF-1.4 junk", "PDF"),
        (locked(), "密码"),
        (blank_page(), "扫描件"),
        (b"\x89PNG\r\n", "图片"),
        (b"\xff\xd8\xff\xe0", "图片"),
        (b"{\\rtf1\\ansi }", "RTF"),
    ],
)
def test_files_that_cannot_be_read_say_why(raw: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "r.bin"
    path.write_bytes(raw)
    with pytest.raises(UnreadableDocument, match=says):
        read_document(path)


@pytest.mark.parametrize(
    ("lines", "title", "found"),
    [
        (
            [
                "首页",
                "2023年政府信息公开年报",
                "甲市人民政府2021年政府信息公开工作年度报告",
                "2021年,全市认真。",
            ],
            "",
            (2021, "甲市人民政府"),
        ),
        (
            [
                "甲市2023年政府信息公开工作年度报告",
                "甲市2021年政府信息公开工作年度报告",
                "2021年,自2021年1月1日起。",
            ],
            "",
            (2021, "甲市"),
        ),
        (["2021年报告"], "甲市教育局2020年政府信息公开工作年度报告_甲市", (2020, "甲市教育局")),
        (["甲县卫生健康局", "2019年政府信息公开工作年度报告"], "", (2019, "甲县卫生健康局")),
        (["现将我局2019年度政府信息公开工作报告如下:"], "", (2019, "")),
        (["没有年份"], "", (None, "")),
    ],
)
def test_year_and_organ(lines: list[str], title: str, found: tuple[int | None, str]) -> None:
    assert (
        identify(Document("r.txt", "text", tuple(Block(text=line) for line in lines), title))
        == found
    )


def test_lost_tables_are_not_assessable_not_failed() -> None:
    from tasks.audit.run import check_report, of_document

    audit = check_report(
        of_document(Document("r.txt", "text", (Block(text="三、收到和处理政府信息公开申请情况"),)))
    )
    assert {c.status for c in audit.checks} == {"not_assessable"}
