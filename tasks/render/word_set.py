"""How Word sets an official text: styles, paragraphs, content controls and tables as XML.

Written as text and parsed once: a library that builds table cells one by one takes most of a
report's time.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tasks.render.document import (
    CLOSER,
    FOOTER_POINTS,
    LINE,
    NOTE_POINTS,
    NOTICE_POINTS,
    PAGE,
    PAGE_POINTS,
    TEXT_POINTS,
    TITLE_LINE,
    TITLE_POINTS,
    WARNING,
    Document,
    EmptyLine,
    Paragraph,
    Piece,
    Table,
    TableCell,
)
from tasks.wording.visible import visible

TITLE_FONT, HEADING_FONT, TEXT_FONT, TABLE_FONT = "方正小标宋简体", "黑体", "仿宋_GB2312", "宋体"
SECOND_FONT = "楷体_GB2312"
SUBSTITUTES = {
    TITLE_FONT: ("宋体", "roman"),
    HEADING_FONT: ("SimHei", "modern"),
    TEXT_FONT: ("仿宋", "modern"),
    SECOND_FONT: ("楷体", "script"),
    TABLE_FONT: ("SimSun", "roman"),
}
"""What a machine without the official font should take, and of what family it is."""
# Zip entries need a date; the first that the format knows keeps the bytes the same.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
STYLES = {
    "title": "ReportTitle",
    "first": "Heading1",
    "second": "Heading2",
    "body": "ReportText",
    "note": "ReportNote",
    "cell": "ReportCell",
    "notice": "ReportNotice",
}
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


class _Body:
    """A document's paragraphs and tables as XML; `remarks` are the comments by number."""

    def __init__(self, document: Document) -> None:
        self.remarks: list[str] = []
        self.xml = "".join(map(self._block, document.blocks))

    def _block(self, block: Paragraph | EmptyLine | Table) -> str:
        match block:
            case Paragraph():
                kept = "<w:keepNext/>" if block.keep else ""
                runs = "".join(map(self._piece, block.pieces))
                style = STYLES[block.style]
                return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{kept}</w:pPr>{runs}</w:p>'
            case EmptyLine():
                return "<w:p/>"
            case Table():
                return _table(block)

    def _piece(self, piece: Piece) -> str:
        run = _run(piece)
        if piece.tag:
            run = (
                f"<w:sdt><w:sdtPr><w:alias w:val={quoteattr(piece.alias[:60])}/>"
                f"<w:tag w:val={quoteattr(piece.tag[:64])}/></w:sdtPr>"
                f"<w:sdtContent>{run}</w:sdtContent></w:sdt>"
            )
        if not piece.remark:
            return run
        number = len(self.remarks)
        self.remarks.append(piece.remark)
        return (
            f'<w:commentRangeStart w:id="{number}"/>{run}<w:commentRangeEnd w:id="{number}"/>'
            f'<w:r><w:commentReference w:id="{number}"/></w:r>'
        )


def _table(table: Table) -> str:
    columns = [_twips(width) for width in table.widths]
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in columns)
    written = []
    for at, row in enumerate(table.rows):
        keep = table.keeps and (table.keep_last or at < len(table.rows) - 1)
        header = "<w:tblHeader/>" if at < table.header_rows else ""
        cells = "".join(_cell(cell, columns, keep=keep) for cell in row)
        written.append(
            f'<w:tr><w:trPr><w:cantSplit/><w:trHeight w:val="{_twips(table.height)}" '
            f'w:hRule="atLeast"/>{header}</w:trPr>{cells}</w:tr>'
        )
    rule = "".join(
        f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="000000"/>'
        for side in ("top", "left", "bottom", "right", "insideH", "insideV")
    )
    margin = "".join(
        f'<w:{side} w:w="{width}" w:type="dxa"/>'
        for side, width in (("top", 23), ("left", 45), ("bottom", 23), ("right", 45))
    )
    return (
        f'<w:tbl><w:tblPr><w:tblW w:w="{sum(columns)}" w:type="dxa"/><w:jc w:val="center"/>'
        f'<w:tblBorders>{rule}</w:tblBorders><w:tblLayout w:type="fixed"/>'
        f"<w:tblCellMar>{margin}</w:tblCellMar></w:tblPr><w:tblGrid>{grid}</w:tblGrid>"
        f"{''.join(written)}</w:tbl>"
    )


def _cell(cell: TableCell, columns: Sequence[int], *, keep: bool) -> str:
    width = sum(columns[cell.at : cell.at + cell.columns])
    span = f'<w:gridSpan w:val="{cell.columns}"/>' if cell.columns > 1 else ""
    merge = f'<w:vMerge w:val="{cell.down}"/>' if cell.down else ""
    kept = "<w:keepNext/>" if keep else ""
    align = "center" if cell.is_centred else "left"
    run = ""
    if cell.text:
        bold = "<w:b/>" if cell.is_bold else ""
        size = f'<w:sz w:val="{round(cell.points * 2)}"/>'
        run = f"<w:r><w:rPr>{_EAST}{bold}{size}</w:rPr>{_text(cell.text)}</w:r>"
    return (
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{span}{merge}'
        f'<w:vAlign w:val="center"/></w:tcPr><w:p><w:pPr><w:pStyle w:val="{STYLES["cell"]}"/>'
        f'{kept}<w:jc w:val="{align}"/></w:pPr>{run}</w:p></w:tc>'
    )


# So that quotation marks and dashes are set in the Chinese font, as wide as a character.
_EAST = '<w:rFonts w:hint="eastAsia"/>'


def _twips(millimetres: float) -> int:
    return round(millimetres * 1440 / 25.4)


def _text(text: str) -> str:
    lines = visible(text).split("\n")
    return "<w:br/>".join(f'<w:t xml:space="preserve">{escape(line)}</w:t>' for line in lines)


def _run(piece: Piece) -> str:
    look = _EAST
    if piece.font == "second":
        names = " ".join(f'w:{n}="{SECOND_FONT}"' for n in ("ascii", "hAnsi", "eastAsia"))
        look = f'<w:rFonts {names} w:hint="eastAsia"/>'
    if piece.color:
        look += f'<w:color w:val="{piece.color}"/>'
    if piece.is_marked:
        look += '<w:highlight w:val="yellow"/>'
    return f"<w:r><w:rPr>{look}</w:rPr>{_text(piece.text)}</w:r>"


def saved(document: Document) -> bytes:
    """The file. The same in, the same bytes out."""
    import docx

    made: Any = docx.Document()
    _styles(made)
    _page(made, document.footer, document.page_number)
    _fonts(made)
    properties = made.core_properties
    properties.title, properties.author = document.title, document.author
    properties.last_modified_by, properties.comments = "", document.comments
    properties.created = properties.modified = document.built_at
    properties.revision = 1
    written = _Body(document)
    body = made.element.body
    if written.xml:
        from docx.oxml import parse_xml

        for element in list(parse_xml(f"<w:body {_W}>{written.xml}</w:body>")):
            body.insert(len(body) - 1, element)
    _remarks(made, written.remarks, document.author, document.built_at)
    buffer = BytesIO()
    made.save(buffer)
    return _same_bytes(buffer.getvalue())


def _same_bytes(content: bytes) -> bytes:
    """The same archive with fixed dates."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return out.getvalue()


def _style_xml(
    key: str,
    name: str,
    font: str,
    points: float,
    *,
    paragraph: str,
    run: str = "",
    based_on: str = "Normal",
) -> str:
    names = " ".join(f'w:{n}="{font}"' for n in ("ascii", "hAnsi", "eastAsia", "cs"))
    return (
        f'<w:style {_W} w:type="paragraph" w:customStyle="1" w:styleId="{STYLES[key]}">'
        f'<w:name w:val="{name}"/><w:basedOn w:val="{based_on}"/><w:qFormat/>'
        f"<w:pPr>{paragraph}</w:pPr><w:rPr><w:rFonts {names}/>"
        f'<w:b w:val="0"/><w:i w:val="0"/><w:color w:val="000000"/>{run}'
        f'<w:sz w:val="{round(points * 2)}"/><w:szCs w:val="{round(points * 2)}"/></w:rPr></w:style>'
    )


def _spacing(line: int, rule: str = "exact") -> str:
    return f'<w:spacing w:before="0" w:after="0" w:line="{line}" w:lineRule="{rule}"/>'


def _styles(made: Any) -> None:
    """Normal is 3号仿宋 at exact pitch; each level has a style of its own. Headings keep their
    names, by which Word's navigation knows them, and lose their theme fonts, which would win
    over a named one."""
    from docx.oxml import parse_xml
    from docx.oxml.ns import qn

    root = made.styles.element
    # Said of the whole document, or punctuation is set as elsewhere in East Asia and every
    # word is marked as misspelt.
    for language in root.iter(qn("w:lang")):
        language.set(qn("w:eastAsia"), "zh-CN")
    for style in list(root.findall(qn("w:style"))):
        if style.get(qn("w:styleId")) in ("Normal", "Heading1", "Heading2"):
            root.remove(style)
    plain = '<w:autoSpaceDE w:val="0"/><w:autoSpaceDN w:val="0"/>'
    indent = '<w:ind w:firstLineChars="200" w:firstLine="640"/>'
    closer = f'<w:spacing w:val="{CLOSER}"/>'
    normal = _style_xml(
        "body", "Normal", TEXT_FONT, TEXT_POINTS, paragraph=f"{plain}{_spacing(LINE)}", run=closer
    )
    normal = normal.replace('w:customStyle="1"', 'w:default="1"').replace(
        STYLES["body"], "Normal", 1
    )
    root.append(parse_xml(normal.replace('<w:basedOn w:val="Normal"/>', "")))
    heading = f"<w:keepNext/><w:keepLines/>{plain}{_spacing(LINE)}{indent}"
    told = (
        ("first", "heading 1", HEADING_FONT, TEXT_POINTS, f'{heading}<w:outlineLvl w:val="0"/>', closer),
        ("second", "heading 2", SECOND_FONT, TEXT_POINTS, f'{heading}<w:outlineLvl w:val="1"/>', closer),
        ("title", "报告标题", TITLE_FONT, TITLE_POINTS,
         f'<w:keepNext/>{_spacing(TITLE_LINE)}<w:jc w:val="center"/>', ""),
        ("body", "报告正文", TEXT_FONT, TEXT_POINTS,
         f'{plain}{_spacing(LINE)}{indent}<w:jc w:val="both"/>', closer),
        ("note", "表注", TEXT_FONT, NOTE_POINTS, f'{_spacing(300, "atLeast")}<w:jc w:val="left"/>', ""),
        ("cell", "表格文字", TABLE_FONT, 9,
         f'<w:snapToGrid w:val="0"/>{_spacing(240, "auto")}', '<w:spacing w:val="0"/>'),
        ("notice", "提示", HEADING_FONT, NOTICE_POINTS, f'{_spacing(480)}<w:jc w:val="center"/>', ""),
    )  # fmt: skip
    for key, name, font, points, paragraph, run in told:
        xml = _style_xml(key, name, font, points, paragraph=paragraph, run=run)
        if name.startswith("heading"):
            xml = xml.replace(' w:customStyle="1"', "")
        if key == "notice":
            xml = xml.replace('w:val="000000"', f'w:val="{WARNING}"')
        root.append(parse_xml(xml))


def _page(made: Any, footer: str, page_number: str) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Mm

    section = made.sections[0]
    section.page_width, section.page_height = Mm(PAGE["width"]), Mm(PAGE["height"])
    section.top_margin, section.bottom_margin = Mm(PAGE["top"]), Mm(PAGE["bottom"])
    section.left_margin, section.right_margin = Mm(PAGE["left"]), Mm(PAGE["right"])
    # 一字线 of the page number 7 mm below the text.
    section.footer_distance = Mm(PAGE["bottom"] - 7 - 7)
    grid = section._sectPr.find(qn("w:docGrid"))
    if grid is None:
        grid = OxmlElement("w:docGrid")
        section._sectPr.append(grid)
    grid.set(qn("w:type"), "lines")
    grid.set(qn("w:linePitch"), str(LINE))
    outer = page_number == "outer"
    _footer(section.footer, footer, "right" if outer else "center")
    if outer:
        made.settings.odd_and_even_pages_header_footer = True
        _footer(section.even_page_footer, footer, "left")


def _footer(part: Any, told: str, align: str) -> None:
    from docx.oxml import parse_xml

    part.is_linked_to_previous = False
    for paragraph in list(part._element):
        part._element.remove(paragraph)
    fonts = " ".join(f'w:{n}="{TABLE_FONT}"' for n in ("ascii", "hAnsi", "eastAsia"))

    def run(content: str, points: float) -> str:
        size = f'<w:sz w:val="{round(points * 2)}"/>'
        return f"<w:r><w:rPr><w:rFonts {fonts}/>{size}</w:rPr>{content}</w:r>"

    field_ = "".join(
        run(content, PAGE_POINTS)
        for content in (
            "<w:t>— </w:t>".replace("<w:t>", '<w:t xml:space="preserve">'),
            '<w:fldChar w:fldCharType="begin"/>',
            '<w:instrText xml:space="preserve"> PAGE </w:instrText>',
            '<w:fldChar w:fldCharType="separate"/>',
            "<w:t>1</w:t>",
            '<w:fldChar w:fldCharType="end"/>',
            '<w:t xml:space="preserve"> —</w:t>',
        )
    )
    # Outside means one character in from the edge of the text.
    side = {"left": '<w:ind w:left="280"/>', "right": '<w:ind w:right="280"/>'}.get(align, "")
    part._element.append(
        parse_xml(f'<w:p {_W}><w:pPr>{side}<w:jc w:val="{align}"/></w:pPr>{field_}</w:p>')
    )
    if told:
        text = run(_text(told), FOOTER_POINTS)
        part._element.append(
            parse_xml(
                f'<w:p {_W}><w:pPr><w:spacing w:line="240" w:lineRule="auto"/>'
                f'<w:jc w:val="center"/></w:pPr>{text}</w:p>'
            )
        )


def _fonts(made: Any) -> None:
    """What Word takes for the official fonts where they are not there."""
    from lxml import etree

    for relation in made.part.rels.values():
        if relation.reltype.endswith("/fontTable"):
            part = relation.target_part
            break
    else:  # pragma: no cover - the template of the library has one
        return
    root = etree.fromstring(part.blob)
    space = root.nsmap["w"]
    for name, (other, family) in SUBSTITUTES.items():
        font = etree.SubElement(root, f"{{{space}}}font", {f"{{{space}}}name": name})
        for tag, value in (
            ("altName", other), ("charset", "86"), ("family", family), ("pitch", "default"),
        ):  # fmt: skip
            etree.SubElement(font, f"{{{space}}}{tag}", {f"{{{space}}}val": value})
    part._blob = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


def _remarks(made: Any, remarks: Sequence[str], author: str, on: Any) -> None:
    """The comments, dated as the edition is."""
    if not remarks:
        return
    from docx.oxml import parse_xml

    root = made.part._comments_part.element
    for number, text in enumerate(remarks):
        root.append(
            parse_xml(
                f'<w:comment {_W} w:id="{number}" w:author={quoteattr(author)} '
                f'w:date="{on:%Y-%m-%dT%H:%M:%S}" w:initials="">'
                f"<w:p><w:r>{_text(text)}</w:r></w:p></w:comment>"
            )
        )
