"""Every kind of file that an office keeps: the same report reads back the same."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest

from tasks.audit.document import UnreadableDocument
from tasks.audit.kinds import read_document, read_documents
from tasks.audit.read_docx import read_docx
from tasks.audit.read_html import read_html
from tasks.audit.run import audit_files, read_reports
from tasks.audit.tables import read_tables
from tests.audit_files import OTHER_FORMATS, word_file
from tests.audit_reports import as_html, balanced
from warehouse.form import load_layout


@pytest.mark.parametrize("form", OTHER_FORMATS)
@pytest.mark.parametrize("name", ["2019", "2021"])
def test_balanced_report_reads_back(form: str, name: str, tmp_path: Path) -> None:
    layout = load_layout(name)
    figures = balanced(layout, random.Random(4))
    suffix, render = OTHER_FORMATS[form]
    path = tmp_path / f"report{suffix}"
    path.write_bytes(render(layout, figures))
    (document,) = read_documents(path)
    assert document.format == {"wps": "doc", "mht": "html", "zip": "html"}.get(form, form)
    read = {k: None if v is None else int(v) for k, v in read_tables(document).figures.items()}
    assert read == figures
    (audit,) = audit_files([path])
    assert [c.message for c in audit.checks if c.status in ("fail", "uncertain")] == []
    assert audit.organ == "测试市人民政府"
    assert audit.not_read == []


def test_bundle_of_reports(tmp_path: Path) -> None:
    layout = load_layout("2021")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for n in (1, 2):
            archive.writestr(f"报告/{n}.html", as_html(layout, balanced(layout, random.Random(n))))
        archive.writestr("__MACOSX/._1.html", "x")
    path = tmp_path / "all.zip"
    path.write_bytes(stream.getvalue())
    assert [d.name for d in read_documents(path)] == ["1.html", "2.html"]
    assert [len(r.tables.cells) for r in read_reports(path)] == [200, 200]


def test_bundle_with_a_file_that_cannot_be_read_names_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("扫描.png", b"\x89PNG\r\n")
    with pytest.raises(UnreadableDocument, match=r"扫描\.png"):
        read_documents(tmp_path / "all.zip")


SHOWN = [
    ("<p>收到<s>5</s>6件<del>7件</del></p>", "收到6件"),
    ("<p>收到<span style='text-decoration:line-through'>5</span>6件</p>", "收到6件"),
    ("<p>收到6件<span hidden>8</span><span style='visibility:hidden'>9</span></p>", "收到6件"),
    ("<p>规范性文件6<sup>1</sup>件<sup>[2]</sup></p>", "规范性文件6件"),
    ("<p>面积6m<sup>3x</sup></p>", "面积6m3x"),
]


@pytest.mark.parametrize(("page", "text"), SHOWN)
def test_what_is_struck_out_or_hidden_is_not_read(page: str, text: str) -> None:
    document = read_html(f"<html><body>{page}</body></html>".encode(), "r.html")
    assert [b.text for b in document.blocks] == [text]


@pytest.mark.parametrize(
    ("look", "text"),
    [
        ("<w:strike/>", "收到6件"),
        ("<w:dstrike/>", "收到6件"),
        ("<w:vanish/>", "收到6件"),
        ('<w:vertAlign w:val="superscript"/>', "收到6件"),
        ('<w:strike w:val="0"/>', "收到56件"),
    ],
)
def test_runs_that_word_does_not_show(look: str, text: str) -> None:
    import docx
    from docx.oxml import parse_xml

    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    document = docx.Document()
    xml = f"<w:p {space}><w:r><w:t>收到</w:t></w:r><w:r><w:rPr>{look}</w:rPr><w:t>5</w:t></w:r><w:r><w:t>6件</w:t></w:r></w:p>"
    document.element.body.insert(0, parse_xml(xml))
    stream = io.BytesIO()
    document.save(stream)
    assert [b.text for b in read_docx(stream.getvalue(), "r.docx").blocks] == [text]


def test_hidden_runs_and_fields_of_a_word_97_file(tmp_path: Path) -> None:
    text = "收到5\x136件\x14申请\x15七件\r"
    path = tmp_path / "r.doc"
    path.write_bytes(word_file(text, [], hidden=(2, 3)))
    assert [b.text for b in read_document(path).blocks] == ["收到申请七件"]


def test_struck_out_text_of_rtf(tmp_path: Path) -> None:
    path = tmp_path / "r.rtf"
    path.write_bytes(rb"{\rtf1\ansi\ansicpg936 a{\strike 5}{\v 7}{\deleted 8}6\par b\par}")
    assert [b.text for b in read_document(path).blocks] == ["a6", "b"]


def test_pages_without_text_are_named(tmp_path: Path) -> None:
    from reportlab.pdfgen.canvas import Canvas

    path = tmp_path / "r.pdf"
    canvas = Canvas(str(path))
    canvas.drawString(50, 500, "2023 report 12")
    canvas.showPage()
    canvas.rect(50, 50, 90, 90)
    canvas.showPage()
    canvas.save()
    (report,) = read_reports(path)
    assert report.not_read == ["第 2 页没有文字,多半是扫描件或图片"]


def test_tables_that_are_pictures_are_named() -> None:
    page = (
        "<p>某县2023年政府信息公开工作年度报告</p><p>三、收到和处理政府信息公开申请情况</p>"
        "<img src='upload/t3.png' width=800 height=600><p>四、行政复议、行政诉讼情况</p>"
        "<img src='/images/logo.png'>"
    )
    from tasks.audit.run import of_document

    report = of_document(read_html(f"<html><body>{page}</body></html>".encode(), "r.html"))
    assert report.not_read == ["表三是图片(t3.png),图片里的数读不出来"]
