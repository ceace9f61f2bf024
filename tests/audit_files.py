"""Balanced reports in the other kinds of files that offices keep: workbooks, RTF, ODT, OFD, .doc."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from xml.sax.saxutils import escape

from tests.audit_reports import Figures, Span, as_html, paragraphs, tables
from warehouse.layout import Layout

Render = Callable[[Layout, Figures], bytes]


def _laid(rows: list[list[Span]]) -> list[list[tuple[int, str, int, int]]]:
    """Rows of (column, text, wide, high), spans of rows above counted in."""
    taken: set[tuple[int, int]] = set()
    laid = []
    for r, row in enumerate(rows):
        cells, c = [], 0
        for text, wide, high in row:
            while (r, c) in taken:
                c += 1
            taken |= {(r + i, c + j) for i in range(high) for j in range(wide)}
            cells.append((c, text, wide, high))
        laid.append(cells)
    return laid


def as_xlsx(layout: Layout, figures: Figures) -> bytes:
    """A workbook with the text on its first sheet and a table on each of the next."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "正文"
    for text in paragraphs(layout, figures):
        sheet.append([text])
    for title, rows in tables(layout, figures):
        sheet = book.create_sheet(title[:20])
        sheet.cell(1, 1, title)
        for r, row in enumerate(_laid(rows), 2):
            for c, text, wide, high in row:
                sheet.cell(r, c + 1, int(text) if text.lstrip("-").isdigit() else text)
                if wide * high > 1:
                    sheet.merge_cells(
                        start_row=r, start_column=c + 1, end_row=r + high - 1, end_column=c + wide
                    )
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _odf_table(rows: list[list[Span]]) -> str:
    xml = '<table:table table:name="t">'
    for row in rows:
        xml += "<table:table-row>"
        for text, wide, high in row:
            lines = "".join(f"<text:p>{escape(line)}</text:p>" for line in text.split("\n"))
            spans = f'table:number-columns-spanned="{wide}" table:number-rows-spanned="{high}"'
            value = f'office:value-type="float" office:value="{text}"' if text.lstrip("-").isdigit() else 'office:value-type="string"'  # fmt: skip
            xml += f"<table:table-cell {value} {spans}>{lines}</table:table-cell>"
        xml += "</table:table-row>"
    return xml + "</table:table>"


_SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "text", "table", "style")
)


def _odf(kind: str, body: str, mimetype: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{mimetype}")
        archive.writestr(
            "content.xml",
            f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_SPACES}><office:body>'
            f"<office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
        )
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return stream.getvalue()


def as_odt(layout: Layout, figures: Figures) -> bytes:
    """An OpenDocument text."""
    body = "".join(f"<text:p>{escape(p)}</text:p>" for p in paragraphs(layout, figures))
    for title, rows in tables(layout, figures):
        body += f"<text:p>{escape(title)}</text:p>" + _odf_table(rows)
    return _odf("text", body, "text")


def as_ods(layout: Layout, figures: Figures) -> bytes:
    """An OpenDocument spreadsheet: the text on its first sheet, the tables on the next."""
    rows = [[(text, 1, 1)] for text in paragraphs(layout, figures)]
    sheets = [_odf_table(rows)]
    for title, table in tables(layout, figures):
        sheets.append(_odf_table([[(title, 1, 1)], *_padded(table)]))
    named = (s.replace('"t"', f'"表{n}"', 1) for n, s in enumerate(sheets, 1))
    return _odf("spreadsheet", "".join(named), "spreadsheet")


def _padded(rows: list[list[Span]]) -> list[list[Span]]:
    """Rows with an empty cell wherever a merged one covers the grid, as spreadsheets keep them."""
    padded: list[list[Span]] = []
    for row in _laid(rows):
        cells: list[Span] = []
        for c, text, wide, high in row:
            cells += [("", 1, 1)] * (c - len(cells))
            cells += [(text, wide, high), *[("", 1, 1)] * (wide - 1)]
        padded.append(cells)
    return padded


def as_mht(layout: Layout, figures: Figures) -> bytes:
    """A page saved with all that belongs to it in one file."""
    from email.mime.image import MIMEImage
    from email.mime.multipart import MIMEMultipart
    from email.mime.text import MIMEText

    whole = MIMEMultipart("related")
    whole.attach(MIMEText(as_html(layout, figures).decode(), "html", "utf-8"))
    whole.attach(MIMEImage(b"\x89PNG\r\n", "png"))
    return whole.as_bytes()


def as_zip(layout: Layout, figures: Figures) -> bytes:
    """A bundle with one report in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("2023/年度报告.html", as_html(layout, figures))
    return stream.getvalue()


def as_rtf(layout: Layout, figures: Figures) -> bytes:
    """A rich text file as WPS writes it: Chinese as escaped bytes of code page 936."""

    def coded(text: str) -> str:
        return "".join(c if c.isascii() else f"\\u{ord(c) - 65536 if ord(c) > 32767 else ord(c)} ?" for c in text).replace("\n", "\\line ")  # fmt: skip

    def byte_coded(text: str) -> str:
        return "".join(c if 32 <= ord(c) < 127 else "".join(f"\\'{b:02x}" for b in c.encode("gb18030")) for c in text)  # fmt: skip

    rtf = "{\\rtf1\\ansi\\ansicpg936\\uc1{\\fonttbl{\\f0 SimSun;}}"
    for text in paragraphs(layout, figures):
        rtf += byte_coded(text) + "\\par\n"
    for title, rows in tables(layout, figures):
        rtf += coded(title) + "\\par\n"
        laid = _laid(rows)
        width = max(c + wide for row in laid for c, _, wide, _ in row)
        above: dict[int, tuple[int, int]] = {}
        for row in laid:
            cells: list[tuple[int, int, str, bool]] = []
            places = {c: (text, wide, high) for c, text, wide, high in row}
            c = 0
            while c < width:
                if c in places:
                    text, wide, high = places[c]
                    cells.append((c, wide, text, False))
                    above[c] = (wide, high - 1)
                elif above.get(c, (0, 0))[1] > 0:
                    wide, left = above[c]
                    cells.append((c, wide, "", True))
                    above[c] = (wide, left - 1)
                else:
                    wide = 1
                    cells.append((c, 1, "", False))
                c += wide
            rtf += "\\trowd" + "".join(
                ("\\clvmrg" if goes_on else "") + f"\\cellx{(c + wide) * 800}"
                for c, wide, _, goes_on in cells
            )
            rtf += "".join(f"\\intbl {coded(text)}\\cell " for _, _, text, _ in cells) + "\\row\n"
        rtf += "\\pard "
    return (rtf + "}").encode("ascii")


def as_ofd(layout: Layout, figures: Figures) -> bytes:
    """An OFD file, a line of text a text object, the figures of a row set apart."""
    lines = [
        text[at : at + 60] for text in paragraphs(layout, figures) for at in range(0, len(text), 60)
    ]
    for title, rows in tables(layout, figures):
        lines.append(title)
        for row in rows:
            lines.append("   ".join(text.replace("\n", "") for text, _, _ in row))
    name = 'xmlns:ofd="http://www.ofdspec.org/2016"'
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(
            "OFD.xml",
            f"<ofd:OFD {name}><ofd:DocBody><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>",
        )
        pages = [lines[at : at + 40] for at in range(0, len(lines), 40)]
        told = "".join(
            f'<ofd:Page ID="{n}" BaseLoc="Pages/Page_{n}/Content.xml"/>' for n in range(len(pages))
        )
        archive.writestr(
            "Doc_0/Document.xml",
            f"<ofd:Document {name}><ofd:Pages>{told}</ofd:Pages></ofd:Document>",
        )
        for n, page in enumerate(pages):
            texts = ""
            for at, line in enumerate(page):
                steps = " ".join("2.2" if c.isascii() else "4" for c in line[:-1])
                texts += (
                    f'<ofd:TextObject Boundary="20 {20 + at * 6} 170 6" Size="4">'
                    f'<ofd:TextCode X="0" Y="4" DeltaX="{steps}">{escape(line)}</ofd:TextCode></ofd:TextObject>'
                )
            archive.writestr(
                f"Doc_0/Pages/Page_{n}/Content.xml",
                f"<ofd:Page {name}><ofd:Content><ofd:Layer>{texts}</ofd:Layer></ofd:Content></ofd:Page>",
            )
    return stream.getvalue()


def as_doc(layout: Layout, figures: Figures) -> bytes:
    """A Word 97 file: text in one Unicode piece, row ends marked in its paragraph properties."""
    text = "".join(p + "\r" for p in paragraphs(layout, figures))
    ends: list[int] = []
    for title, rows in tables(layout, figures):
        text += title + "\r"
        for row in rows:
            for cell, _, _ in row:
                text += cell.replace("\n", "\x0b") + "\x07"
            ends.append(len(text))
            text += "\x07"
    return word_file(text + "\r", ends)


Runs = list[tuple[int, int, bytes]]
"""Runs of a Word document: first and last byte, and its record."""


def _add_pages(body: bytearray, runs: Runs, *, wide: int) -> list[tuple[int, int]]:
    """Formatted pages of some runs each; where each begins in the text and in the file."""
    pages = []
    for at in range(0, len(runs), 10):
        part = runs[at : at + 10]
        pages.append((part[0][0], len(body) // 512))
        body.extend(_page_of(part, wide))
    return pages


def _page_of(part: Runs, wide: int) -> bytes:
    page = bytearray(512)
    for n, (first, _, _) in enumerate(part):
        struct.pack_into("<I", page, n * 4, first)
    struct.pack_into("<I", page, len(part) * 4, part[-1][1])
    where = 500
    for n, (_, _, record) in enumerate(part):
        if record:
            where -= len(record) + len(record) % 2
            page[where : where + len(record)] = record
            page[(len(part) + 1) * 4 + n * wide] = where // 2
    page[511] = len(part)
    return bytes(page)


def word_file(text: str, row_ends: list[int], hidden: tuple[int, int] | None = None) -> bytes:
    """A compound file with a Word document of this text; `row_ends` are positions of row marks."""
    start = 2048
    body = bytearray(start) + text.encode("utf-16-le")
    body += bytes(-len(body) % 512)
    runs: list[tuple[int, int, bytes]] = []
    before = start
    for end in row_ends:
        place = start + end * 2
        runs += [(before, place, b""), (place, place + 2, b"\x03" + b"\0\0" + b"\x17\x24\x01")]
        before = place + 2
    runs.append((before, start + len(text) * 2, b""))
    paragraph_pages = _add_pages(body, runs, wide=13)
    pages: list[tuple[int, int]] = []
    if hidden:
        first, last = (start + at * 2 for at in hidden)
        pages = _add_pages(
            body,
            [(start, first, b""), (first, last, b"\x03\x3c\x08\x01"), (last, start + len(text) * 2, b"")],
            wide=1,
        )  # fmt: skip
    struct.pack_into("<H", body, 0, 0xA5EC)
    struct.pack_into("<H", body, 10, 0x0200)
    struct.pack_into("<I", body, 0x4C, len(text))
    table = bytearray()

    def add(at: int, raw: bytes) -> None:
        struct.pack_into("<II", body, at, len(table), len(raw))
        table.extend(raw)

    plc = struct.pack("<II", 0, len(text)) + struct.pack("<HIH", 0, start, 0)
    add(0x1A2, b"\x02" + struct.pack("<I", len(plc)) + plc)
    for at, listed in ((0x102, paragraph_pages), (0xFA, pages)):
        if listed:
            places = [first for first, _ in listed] + [start + len(text) * 2]
            add(at, struct.pack(f"<{len(places)}I", *places) + struct.pack(f"<{len(listed)}I", *(n for _, n in listed)))  # fmt: skip
    return _compound(
        {"WordDocument": bytes(body.ljust(5000, b"\0")), "1Table": bytes(table.ljust(5000, b"\0"))}
    )


def _compound(streams: dict[str, bytes]) -> bytes:
    """A compound file (version 3) of streams that are large enough for sectors of their own."""
    sectors: list[bytes] = []
    chain: list[int] = []
    entries = [("Root Entry", 5, 0xFFFFFFFE, 0)]
    for name, raw in streams.items():
        first = len(sectors)
        parts = [raw[at : at + 512].ljust(512, b"\0") for at in range(0, len(raw), 512)]
        sectors += parts
        chain += [first + n + 1 for n in range(len(parts) - 1)] + [0xFFFFFFFE]
        entries.append((name, 2, first, len(raw)))
    directory = b""
    for n, (name, kind, first, size) in enumerate(entries):
        label = name.encode("utf-16-le")
        entry = label.ljust(64, b"\0") + struct.pack("<HBB", len(label) + 2, kind, 1)
        child = 1 if n == 0 else 0xFFFFFFFF
        right = n + 1 if 0 < n < len(entries) - 1 else 0xFFFFFFFF
        entry += struct.pack("<III", 0xFFFFFFFF, right, child) + bytes(36)
        directory += entry + struct.pack("<IQ", first, size)
    directory = directory.ljust(-(-len(directory) // 512) * 512, b"\0")
    at = len(sectors)
    parts = [directory[n : n + 512] for n in range(0, len(directory), 512)]
    sectors += parts
    chain += [at + n + 1 for n in range(len(parts) - 1)] + [0xFFFFFFFE]
    tables = 1
    while (len(chain) + tables) > tables * 128:
        tables += 1
    first_table = len(sectors)
    chain += [0xFFFFFFFD] * tables
    chain += [0xFFFFFFFF] * (tables * 128 - len(chain))
    raw_chain = struct.pack(f"<{len(chain)}I", *chain)
    sectors += [raw_chain[n : n + 512] for n in range(0, len(raw_chain), 512)]
    listed = [first_table + n for n in range(tables)] + [0xFFFFFFFF] * (109 - tables)
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)  # fmt: skip
    header += bytes(6) + struct.pack(
        "<IIIIIIIII", 0, tables, at, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0
    )
    return header + struct.pack("<109I", *listed) + b"".join(sectors)


OTHER_FORMATS: dict[str, tuple[str, Render]] = {
    "xlsx": (".xlsx", as_xlsx),
    "odt": (".odt", as_odt),
    "rtf": (".rtf", as_rtf),
    "ofd": (".ofd", as_ofd),
    "doc": (".doc", as_doc),
    "wps": (".wps", as_doc),
    "ods": (".ods", as_ods),
    "mht": (".mht", as_mht),
    "zip": (".zip", as_zip),
}
