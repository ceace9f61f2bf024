"""The Word report: the sections of the form in official dress, tables filled in, prose left to write.

Fonts and margins follow the format of official documents (GB/T 9704-2012): title in
小标宋， headings in 黑体 and 楷体， text in 仿宋， A4.
"""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.render.findings import by_who_must_act, check_text, summary
from tasks.render.form import Box, Grid, section_grids
from tasks.render.overview import overview_lines
from tasks.render.words import NO_FIGURES, document_title, edition_facts, notice
from tasks.wording.typeset import balanced, typeset
from tasks.wording.visible import visible

if TYPE_CHECKING:
    from tasks.editions.edition import Edition
    from warehouse.form import Section

TITLE_FONT, HEADING_FONT, TEXT_FONT, TABLE_FONT = "方正小标宋简体", "黑体", "仿宋_GB2312", "宋体"
# Millimetres, of GB/T 9704-2012: the text area is 156 wide on A4.
PAGE = {"width": 210, "height": 297, "top": 37, "bottom": 35, "left": 28, "right": 26}
TEXT_WIDTH = 156
TEXT_POINTS, TABLE_POINTS, SMALL_POINTS = 16, 9, 7.5
TABLE_STYLE = "表格文字"
ROW_HEIGHT, LOW_ROW_HEIGHT = 6.6, 5.4
# The appendix lists no more; the workbook lists all.
MOST_LINES = 40
FIGURES_TO_QUOTE = "以下为总体情况可引用的数字，百分数均截取两位小数。"
# Zip entries need a date; the first that the format knows keeps the bytes the same.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def write(edition: Edition, path: Path) -> None:
    """Write the Word report of the root's figures. The same edition gives the same bytes."""
    from docx import Document
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    document = Document()
    _set_up(document, edition)
    # The organ stands on a line of its own, so the title breaks where it should.
    title = document_title(edition).replace(edition.root.name, f"{edition.root.name}\n", 1)
    _paragraph(document, title, TITLE_FONT, 22, WD_ALIGN_PARAGRAPH.CENTER)
    if notice(edition):
        _paragraph(
            document,
            notice(edition),
            HEADING_FONT,
            12,
            WD_ALIGN_PARAGRAPH.CENTER,
            color="9C1C1C",
        )
    for section, tables in section_grids(edition):
        _section(document, edition, section, tables)
    if edition.status != "published":
        _appendix(document, edition)
    buffer = BytesIO()
    document.save(buffer)
    path.write_bytes(_same_bytes(buffer.getvalue()))


def _section(document: Any, edition: Edition, section: Section, tables: list[Grid]) -> None:
    """A section in print; where its heading is that of its table, it stands once."""
    if [grid.title for grid in tables[:1]] != [section.heading]:
        _heading(document, section.heading)
    told = f"{section.prompt}{FIGURES_TO_QUOTE if section.figures else ''}"
    if told:
        _prose(document, told)
    if section.figures:
        document.add_paragraph(style=TABLE_STYLE)
        _overview(document, edition)
    for grid in tables:
        _heading(document, grid.title, new_page=grid.is_long)
        _form(document, grid)
        for note in grid.notes:
            _paragraph(document, f"注：{note}。", TEXT_FONT, 10.5)


def _same_bytes(content: bytes) -> bytes:
    """The same archive with fixed dates."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return out.getvalue()


def _set_up(document: Any, edition: Edition) -> None:
    from docx.enum.style import WD_STYLE_TYPE
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml.ns import qn
    from docx.shared import Mm, Pt

    section = document.sections[0]
    section.page_width, section.page_height = Mm(PAGE["width"]), Mm(PAGE["height"])
    section.top_margin, section.bottom_margin = Mm(PAGE["top"]), Mm(PAGE["bottom"])
    section.left_margin, section.right_margin = Mm(PAGE["left"]), Mm(PAGE["right"])
    # Said of the whole document, or punctuation is set as elsewhere in East Asia and every
    # word is marked as misspelt.
    for language in document.styles.element.iter(qn("w:lang")):
        language.set(qn("w:eastAsia"), "zh-CN")
    style = document.styles["Normal"]
    style.paragraph_format.space_after = Pt(0)
    _font(style, TEXT_FONT, TEXT_POINTS)
    # A style of its own, so that an empty cell is no taller than a filled one.
    small = document.styles.add_style(TABLE_STYLE, WD_STYLE_TYPE.PARAGRAPH)
    small.base_style = style
    _font(small, TABLE_FONT, TABLE_POINTS)
    footer = section.footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for piece in ("— ", "PAGE", " —"):
        run = footer.add_run("" if piece == "PAGE" else piece)
        _font(run, TABLE_FONT, 14)
        if piece == "PAGE":
            _field(run, piece)
    mark = section.footer.add_paragraph()
    mark.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _font(
        mark.add_run(f"版次 {edition.id}  指纹 {edition.cell_hash[:12]}"), TABLE_FONT, SMALL_POINTS
    )
    properties = document.core_properties
    properties.title = document_title(edition)
    properties.author = edition.root.name
    properties.last_modified_by = ""
    properties.comments = f"cell hash {edition.cell_hash}"
    properties.created = properties.modified = edition.built_at
    properties.revision = 1


def _font(target: Any, name: str, points: float, color: str = "", bold: bool = False) -> None:
    """Set Western and East Asian font of a run or style."""
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    target.font.name, target.font.size, target.font.bold = name, Pt(points), bold or None
    target.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), name)
    if color:
        target.font.color.rgb = RGBColor.from_string(color)


def _field(run: Any, name: str) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for kind in ("begin", "", "end"):
        element = OxmlElement("w:fldChar" if kind else "w:instrText")
        if kind:
            element.set(qn("w:fldCharType"), kind)
        else:
            element.text = name
        run._r.append(element)


def _paragraph(
    document: Any, text: str, font: str, points: float, alignment: Any = None, color: str = ""
) -> Any:
    paragraph = document.add_paragraph()
    paragraph.alignment = alignment
    _font(paragraph.add_run(visible(typeset(text))), font, points, color)
    return paragraph


def _heading(document: Any, text: str, *, new_page: bool = False) -> None:
    """A first-level heading that Word's navigation knows, in 黑体."""
    from docx.shared import Pt, RGBColor

    paragraph = document.add_heading(level=1)
    run = paragraph.add_run(visible(typeset(text)))
    _font(run, HEADING_FONT, TEXT_POINTS)
    # 黑体 is the emphasis; the style of headings would make it bold as well.
    run.font.bold = False
    run.font.color.rgb = RGBColor(0, 0, 0)
    paragraph.paragraph_format.space_before = Pt(14)
    paragraph.paragraph_format.space_after = Pt(8)
    paragraph.paragraph_format.page_break_before = new_page


def _prose(document: Any, text: str) -> None:
    from docx.shared import Pt

    paragraph = _paragraph(document, text, TEXT_FONT, TEXT_POINTS)
    paragraph.paragraph_format.first_line_indent = Pt(2 * TEXT_POINTS)
    paragraph.paragraph_format.line_spacing = Pt(28)


def _fill(
    cell: Any,
    text: str,
    points: float,
    *,
    center: bool,
    bold: bool = False,
    is_exact: bool = False,
) -> None:
    """Write a table cell; an exact text, such as a record id, keeps its punctuation."""
    from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    cell.vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER
    paragraph = cell.paragraphs[0]
    paragraph.style = TABLE_STYLE
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER if center else WD_ALIGN_PARAGRAPH.LEFT
    run = paragraph.add_run(visible(text if is_exact else typeset(text)))
    _font(run, TABLE_FONT, points, bold=bold)


def _table(document: Any, rows: int, widths: list[float]) -> Any:
    """A ruled table as wide as the text, columns in proportion to `widths`."""
    from docx.enum.table import WD_TABLE_ALIGNMENT
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Mm

    table = document.add_table(rows, len(widths), style="Table Grid")
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    table.autofit = False
    margins = OxmlElement("w:tblCellMar")
    for side, twips in (("top", "25"), ("left", "40"), ("bottom", "25"), ("right", "40")):
        margin = OxmlElement(f"w:{side}")
        margin.set(qn("w:w"), twips)
        margin.set(qn("w:type"), "dxa")
        margins.append(margin)
    table._tbl.tblPr.append(margins)
    share = TEXT_WIDTH / sum(widths)
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Mm(width * share)
    return table


def _keep_rows(table: Any, header_rows: int, height: float = ROW_HEIGHT) -> None:
    """Repeat header rows on each page; let no row break across pages; even row heights."""
    from docx.enum.table import WD_ROW_HEIGHT_RULE
    from docx.oxml import OxmlElement
    from docx.shared import Mm

    for at, row in enumerate(table.rows):
        properties = row._tr.get_or_add_trPr()
        properties.append(OxmlElement("w:cantSplit"))
        row.height, row.height_rule = Mm(height), WD_ROW_HEIGHT_RULE.AT_LEAST
        if at < header_rows:
            properties.append(OxmlElement("w:tblHeader"))


def _form(document: Any, grid: Grid) -> None:
    from docx.shared import Mm

    table = _table(document, grid.row_count, list(grid.widths))
    points = TABLE_POINTS if grid.column_count <= 10 else SMALL_POINTS
    share = TEXT_WIDTH / sum(grid.widths)
    cells = [list(row.cells) for row in table.rows]
    for line in cells:
        for cell, width in zip(line, grid.widths, strict=True):
            cell.width = Mm(width * share)
    for box in grid.boxes:
        cell = cells[box.row][box.column]
        if box.rows * box.columns > 1:
            cell = cell.merge(cells[box.row + box.rows - 1][box.column + box.columns - 1])
        text = box.text
        if box.kind == "header":
            text = balanced(text, grid.width_of(box) - 1)
        _fill(cell, text, points, center=_is_centred(grid, box), bold=box.kind == "section")
    low = grid.is_long
    _keep_rows(table, grid.header_rows, LOW_ROW_HEIGHT if low else ROW_HEIGHT)
    # A form stays in one piece, and its notes with it.
    for row in list(table.rows)[: None if grid.notes else -1]:
        for cell in row.cells:
            cell.paragraphs[0].paragraph_format.keep_with_next = True


def _is_centred(grid: Grid, box: Box) -> bool:
    return box.kind != "label" or box.rows > 1 or grid.label_columns == 1


def _overview(document: Any, edition: Edition) -> None:
    lines = overview_lines(edition)
    if not lines:
        _prose(document, NO_FIGURES)
        return
    columns = ["指标", "本年", "单位", "上年", "分子与分母"]
    widths = [34.0, 13.0, 6.0, 13.0, 34.0]
    table = _table(document, len(lines) + 1, widths)
    for cell, name in zip(table.rows[0].cells, columns, strict=True):
        _fill(cell, name, TABLE_POINTS, center=True, bold=True)
    for row, line in zip(list(table.rows)[1:], lines, strict=True):
        unit = "" if line.text.endswith("%") else line.cell.unit
        texts = [line.cell.label, line.text, unit, line.before_text, line.sides]
        for at, (cell, text) in enumerate(zip(row.cells, texts, strict=True)):
            _fill(cell, text, TABLE_POINTS, center=at in (1, 2, 3))
    _keep_rows(table, 1)


def _open_lines(edition: Edition) -> tuple[list[tuple[str, str, str, str]], int]:
    """What blocks publishing, or the first of the rest when nothing does; and how many more."""
    work = by_who_must_act(edition)
    blocking: list[tuple[str, str, str, str]] = []
    others: list[tuple[str, str, str, str]] = []
    for organ in work:
        for item in organ.records:
            line = (organ.organ_name, "、".join(item.codes), item.record.record_id, item.detail)
            (blocking if item.severity == "block" else others).append(line)
        for finding in organ.findings:
            line = (organ.organ_name, finding.code, "", check_text(finding))
            (blocking if finding.blocks else others).append(line)
    shown = (blocking or others)[:MOST_LINES]
    return shown, len(blocking) + len(others) - len(shown)


def _appendix(document: Any, edition: Edition) -> None:
    """What does not add up and what this edition is; a published edition has none."""
    document.add_page_break()
    _heading(document, "附：编制情况（发布前删去）")
    _prose(document, summary(edition))
    rows, others = _open_lines(edition)
    if others:
        _prose(document, f"以下只列最要紧的，另有 {others} 条见工作簿中的问题清单。")
    document.add_paragraph(style=TABLE_STYLE)
    if rows:
        table = _table(document, len(rows) + 1, [26, 13, 24, 37])
        names = ("应处理机关", "规则", "记录编号", "不符之处")
        for cell, name in zip(table.rows[0].cells, names, strict=True):
            _fill(cell, name, TABLE_POINTS, center=True, bold=True)
        for row, texts in zip(list(table.rows)[1:], rows, strict=True):
            for at, (cell, text) in enumerate(zip(row.cells, texts, strict=True)):
                _fill(cell, text, TABLE_POINTS, center=at == 1, is_exact=at == 2)
        _keep_rows(table, 1)
        document.add_paragraph(style=TABLE_STYLE)
    facts = edition_facts(edition)
    table = _table(document, len(facts), [18.0, 82.0])
    for row, (name, value) in zip(table.rows, facts, strict=True):
        _fill(row.cells[0], name, TABLE_POINTS, center=True)
        _fill(row.cells[1], value, TABLE_POINTS, center=False)
    _keep_rows(table, 0)
