"""The report in PDF/A, read back with other libraries than wrote it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pdfplumber
import pytest
from pdfminer.pdfdocument import PDFDocument
from pdfminer.pdfparser import PDFParser
from pdfminer.pdftypes import resolve1

from tasks.editions.edition import Edition
from tasks.render import pdf, pdf_set
from tasks.render.document import Document, Piece, TableCell
from tasks.render.form import grids
from tasks.render.report import report
from tasks.wording.typeset import typeset
from tests.edition_fixture import edition_2020, edition_2025


@pytest.fixture(scope="module", params=(edition_2020, edition_2025), ids=["2020", "2025"])
def edition(request: pytest.FixtureRequest) -> Edition:
    found: Edition = request.param()
    return found


@pytest.fixture(scope="module")
def path(edition: Edition, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pdf") / "report.pdf"
    pdf.write(edition, made)
    return made


def bare(text: str | None) -> str:
    return (text or "").replace("\n", "").replace(" ", "")


def text_of(path: Path) -> str:
    with pdfplumber.open(path) as read:
        return "".join(bare(page.extract_text()) for page in read.pages)


def document(**told: Any) -> Document:
    return Document("标题", "某机关", datetime(2021, 1, 31, 9, 0), **told)


def test_every_figure_reads_back_at_its_place(edition: Edition, path: Path) -> None:
    with pdfplumber.open(path) as read:
        tables = [table for page in read.pages for table in page.extract_tables()]
    for grid in grids(edition.layout, edition.figures()):
        shape = (grid.row_count, grid.column_count)
        # In one piece, or none would have its shape.
        table = next(t for t in tables if (len(t), len(t[0])) == shape)
        for box in grid.boxes:
            assert bare(table[box.row][box.column]) == bare(typeset(box.text))
            for row in range(box.row, box.row + box.rows):
                for column in range(box.column, box.column + box.columns):
                    is_first = (row, column) == (box.row, box.column)
                    assert is_first or table[row][column] is None


def test_the_words_are_those_of_word(edition: Edition, path: Path) -> None:
    told = text_of(path)
    for block in report(edition).blocks:
        for piece in getattr(block, "pieces", ()):
            # A page's number may stand between two of its lines.
            assert bare(piece.text)[:12] in told


def test_it_is_an_archive_file_with_its_fonts_in_it(path: Path) -> None:
    with path.open("rb") as file:
        read = PDFDocument(PDFParser(file))
        catalog = read.catalog
        told = resolve1(catalog["Metadata"]).get_data().decode()
        assert "<pdfaid:part>2</pdfaid:part>" in told
        assert "<pdfaid:conformance>A</pdfaid:conformance>" in told
        assert resolve1(catalog["MarkInfo"])["Marked"] is True
        assert catalog["Lang"] == b"zh-CN"
        assert resolve1(resolve1(catalog["OutputIntents"])[0])["DestOutputProfile"]
        names = set()
        for number in read.xrefs[0].get_objids():
            found = resolve1(read.getobj(number))
            if isinstance(found, dict) and "FontDescriptor" in found:
                descriptor = resolve1(found["FontDescriptor"])
                names.add(descriptor["FontName"].name.partition("+")[2])
                assert {"FontFile2", "FontFile3"} & descriptor.keys()
    assert {name.partition("-")[0] for name in names} == {"NotoSerifSC", "NotoSansSC"}


def test_the_same_edition_is_the_same_bytes_wherever_it_is_set(
    edition: Edition, path: Path, tmp_path: Path
) -> None:
    """In another process, at another place, without a font of the machine's."""
    other = tmp_path / "other.pdf"
    code = (
        "import sys; from pathlib import Path; from tests import edition_fixture as f; "
        "from tasks.render import pdf; "
        f"pdf.write(f.edition_{edition.report_year}(), Path(sys.argv[1]))"
    )
    root = Path(__file__).parents[2]
    bare_machine = {"PYTHONPATH": str(root), "HOME": str(tmp_path), "TZ": "America/Lima"}
    subprocess.run(
        [sys.executable, "-c", code, str(other)],
        check=True,
        cwd=tmp_path,
        env={**bare_machine, "FONTCONFIG_FILE": os.devnull, "PATH": os.environ["PATH"]},
    )
    assert other.read_bytes() == path.read_bytes()


def test_another_edition_is_another_file(edition: Edition, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pdf"
    pdf.write(replace(edition, built_at=edition.built_at.replace(second=59)), other)
    assert other.read_bytes() != path.read_bytes()


@pytest.mark.parametrize("mark", ["\U0001f600", "\U0002a6d5", "\u0e01"])
def test_what_no_font_has_is_told_and_never_an_empty_box(tmp_path: Path, mark: str) -> None:
    made = document(footer=f"版次{mark}")
    made.paragraph("title", f"某{mark}镇")
    made.paragraph("body", [Piece(f"第一{mark}句。"), Piece("第二句。", is_marked=True)])
    made.table([[TableCell(f"表{mark}", 0), TableCell("1", 1)]], [1, 1])
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf_set.saved(made))
    told = text_of(path)
    for text in ("某〓镇", "第一〓句。第二句。", "表〓", "版次〓"):
        assert text in told
    assert f"4处以“〓”代替字库没有的字：U+{ord(mark):04X}" in told


def test_a_table_stays_in_one_piece_unless_no_page_holds_it(tmp_path: Path) -> None:
    made = document()
    for rows, long in ((12, ""), (20, ""), (12, "很长的字" * 60), (1, "很长的字" * 2500)):
        made.paragraph("first", f"{rows}行")
        cells = [[TableCell(f"{at}{long}", 0), TableCell("末", 1)] for at in range(rows)]
        made.table(cells, [1, 1], height=8)
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf_set.saved(made))
    with pdfplumber.open(path) as read:
        pages = [page.extract_tables() for page in read.pages]
        edge = max(char["bottom"] for page in read.pages for char in page.chars)
        told = [bare(page.extract_text()) for page in read.pages]
    assert edge < 842 - 30
    assert [len(t) for t in pages[0]] == [12]
    assert len(pages[1][0]) == 20
    assert "20行" in told[1]
    # Nothing of what is longer than a page is lost.
    assert sum(text.count("很长的字") for text in map(bare, told)) >= 12 * 60 + 2400


@pytest.mark.parametrize(("where", "sides"), [("centre", "mm"), ("outer", "rl")])
def test_page_numbers_stand_where_the_city_wants_them(
    tmp_path: Path, where: str, sides: str
) -> None:
    made = document(page_number=where)
    for _ in range(30):
        made.paragraph("body", "一行。")
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf_set.saved(made))
    with pdfplumber.open(path) as read:
        assert len(read.pages) == 2
        lines = {bare(line["text"]) for line in read.pages[0].extract_text_lines()}
        assert "一行。" in lines
        for page, side in zip(read.pages, sides, strict=True):
            (number,) = [w for w in page.extract_words() if w["top"] > 740 and w["text"].isdigit()]
            middle = (number["x0"] + number["x1"]) / 2
            # The middle of the text is a millimetre right of the paper's.
            expected = {"m": 300.5, "l": 79.4 + 14 + 17, "r": 521.6 - 14 - 17}[side]
            assert abs(middle - expected) < 8
            assert 0 <= float(page.width) - 595 < 1


def test_22_lines_of_28_characters_fill_a_page(tmp_path: Path) -> None:
    """GB/T 9704-2012 5.2."""
    made = document()
    made.paragraph("body", "字" * (28 * 30 - 2))
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf_set.saved(made))
    with pdfplumber.open(path) as read:
        lines = [bare(line["text"]) for line in read.pages[0].extract_text_lines()]
        left = min(char["x0"] for char in read.pages[0].chars if char["text"] == "字")
    body = [line for line in lines if line.startswith("字")]
    assert [len(line) for line in body] == [26] + [28] * 21
    assert abs(left - 28 / 25.4 * 72) < 1


def test_a_lost_font_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_set, "fonts", lambda: (tmp_path / "NotoSerifSC-Regular.otf",))
    pdf_set._compiler.cache_clear()
    try:
        with pytest.raises(pdf_set.CannotSet, match=r"缺少排 PDF 用的字体.*重新安装"):
            pdf_set._compiler()
    finally:
        pdf_set._compiler.cache_clear()
