"""What kind of file a report is in, by what the file holds, and what to do with kinds not read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tasks.audit.document import Document, UnreadableDocument, decode
from tasks.audit.read_docx import read_docx
from tasks.audit.read_html import read_html, read_web_archive
from tasks.audit.read_pdf import read_pdf
from tasks.audit.read_text import read_text

ReadBytes = Callable[[bytes, str], Document]
"""Reads the bytes of a file that has the given name."""

_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_HTML = ("<html", "<!doctype html", "<body", "<table", "<div", "<p>", "<p ")
_OTHERS = "请提供网页(HTML)、Word(.docx)、PDF 或文本文件"
# What an archive or an old Office file is, by a name in it; the first that is there.
_ARCHIVES = {
    "word/": "",
    "xl/": f"是 Excel 表格,不是报告全文:{_OTHERS}",
    "ppt/": f"是演示文稿:{_OTHERS}",
    "OFD.xml": "是 OFD 版式文件:请用阅读器另存(导出)为 PDF 或 Word(.docx)后再核对",
    "content.xml": "是 OpenDocument 文件(.odt):请另存为 Word(.docx)后再核对",
}
_OLD_KINDS = {
    "EncryptedPackage": "设有打开密码:请去掉密码后另存,再核对",
    "WordDocument": "是旧版 Word 文件(.doc)或 WPS 文件:请另存为 .docx 后再核对",
    "Workbook": f"是旧版 Excel 表格(.xls),不是报告全文:{_OTHERS}",
}


def read_document(path: Path) -> Document:
    """A report from a file: an HTML page or web archive, .docx, .pdf, or plain text.

    What the file holds decides, not its name: pages saved as .doc or .aspx are common.

    Raises:
        UnreadableDocument: missing, empty, or of a kind that cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableDocument(f"{path}:打不开文件({error.strerror})") from error
    try:
        name, read = reader_of(raw)
        document = read(raw, path.name)
    except UnreadableDocument as error:
        raise UnreadableDocument(f"{path}:{error}") from error
    if not any(block.grid or block.text.strip() for block in document.blocks):
        raise UnreadableDocument(
            f"{path}:没有可读的文字,多半是扫描件或图片:请提供带文字的网页、Word(.docx)或 PDF,或先做文字识别(OCR)"
        )
    return replace(document, format=name)


def reader_of(raw: bytes) -> tuple[str, ReadBytes]:
    """The name of a file's kind and the function that reads it.

    Raises:
        UnreadableDocument: empty, or of a kind that cannot be read; says what to do.
    """
    if not raw.strip():
        raise UnreadableDocument("文件是空的")
    if raw.startswith(b"%PDF"):
        return "pdf", read_pdf
    if raw.startswith(b"PK\x03\x04"):
        _refuse_other_archives(raw)
        return "docx", read_docx
    if raw.startswith(_OLD_OFFICE):
        names = (n for n in _OLD_KINDS if n.encode("utf-16-le") in raw)
        raise UnreadableDocument(_OLD_KINDS[next(names, "WordDocument")])
    if raw.startswith(_IMAGES):
        raise UnreadableDocument(f"是图片,图片里的文字读不出来:{_OTHERS}")
    if raw.startswith(b"{\\rtf"):
        raise UnreadableDocument("是 RTF 文件:请用 Word 或 WPS 另存为 .docx 后再核对")
    if b"mime-version:" in raw[:2000].lower() and b"multipart/related" in raw[:4000].lower():
        return "html", read_web_archive
    head = decode(raw)[:20000].lower()
    if any(mark in head for mark in _HTML):
        return "html", read_html
    return "text", read_text


def _refuse_other_archives(raw: bytes) -> None:
    try:
        names = zipfile.ZipFile(io.BytesIO(raw)).namelist()
    except zipfile.BadZipFile as error:
        raise UnreadableDocument(f"不是有效的 Word 文件,可能没有下载完整({error})") from error
    for part, message in _ARCHIVES.items():
        if any(name.startswith(part) for name in names):
            if message:
                raise UnreadableDocument(message)
            return
    raise UnreadableDocument("是压缩包:请先解压,再给出其中的报告文件")
