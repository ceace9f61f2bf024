"""What kind of file a report is in, by what the file holds, and what to do with kinds not read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tasks.audit.characters import without_spelling
from tasks.audit.document import Document, UnreadableDocument, decode
from tasks.audit.read_doc import read_doc
from tasks.audit.read_docx import read_docx
from tasks.audit.read_html import read_html, read_web_archive
from tasks.audit.read_odt import read_odt
from tasks.audit.read_ofd import read_ofd
from tasks.audit.read_pdf import read_pdf
from tasks.audit.read_rtf import read_rtf
from tasks.audit.read_sheets import read_sheets
from tasks.audit.read_text import read_text

ReadBytes = Callable[[bytes, str], Document]
"""Reads the bytes of a file that has the given name."""

_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_HTML = ("<html", "<!doctype html", "<body", "<table", "<div", "<p>", "<p ")
_OTHERS = "请提供网页(HTML)、Word(.docx)、PDF 或文本文件"
# What an archive is, by a name in it; the first that is there.
_ARCHIVES: dict[str, tuple[str, ReadBytes]] = {
    "word/": ("docx", read_docx),
    "xl/": ("xlsx", read_sheets),
    "OFD.xml": ("ofd", read_ofd),
}
_LARGEST_BUNDLE = 1_000_000_000
"""Bytes of all files of a bundle together."""
_REPORTS_IN_ARCHIVES = 200
"""Files; an archive with more is no bundle of reports."""


def read_document(path: Path) -> Document:
    """A report from a file of any kind that offices keep; docs/audit.md names them.

    What the file holds decides, not its name: pages saved as .doc or .aspx are common.

    Raises:
        UnreadableDocument: missing, empty, or of a kind that cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableDocument(f"{path}:打不开文件({error.strerror})") from error
    return _read(raw, path.name, str(path))


def _read(raw: bytes, name: str, shown: str) -> Document:
    """A document from its bytes; `shown` names it in messages."""
    try:
        kind, read = reader_of(raw)
        document = read(raw, name)
    except UnreadableDocument as error:
        raise UnreadableDocument(f"{shown}:{error}") from error
    if not any(block.grid or block.text.strip() for block in document.blocks):
        raise UnreadableDocument(
            f"{shown}:没有可读的文字,多半是扫描件或图片:请提供带文字的网页、Word(.docx)或 PDF,或先做文字识别(OCR)"
        )
    blocks = tuple(
        replace(b, text=without_spelling(b.text)) if b.text else b for b in document.blocks
    )
    return replace(document, format=kind, blocks=blocks)


def read_documents(path: Path, unread: list[str] | None = None) -> list[Document]:
    """The reports in a file: one, or those of a .zip of several.

    What is wrong with single files of a bundle goes into `unread`, if that is given.

    Raises:
        UnreadableDocument: missing, empty, or of a kind that cannot be read; of a bundle, one
            of its files without `unread`, or all of them.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableDocument(f"{path}:打不开文件({error.strerror})") from error
    if not raw.startswith(b"PK\x03\x04") or _archive_kind(raw) is not None:
        return [read_document(path)]
    wrong: list[str] = []
    found = list(_bundled(raw, path, wrong))
    if wrong and (unread is None or not found):
        raise UnreadableDocument("\n".join(wrong))
    if unread is not None:
        unread += wrong
    return found


def _bundled(raw: bytes, path: Path, wrong: list[str]) -> Iterator[Document]:
    """The reports of a bundle, in the order of their names; `wrong` takes what is unreadable."""
    archive = zipfile.ZipFile(io.BytesIO(raw))
    entries = [e for e in archive.infolist() if not e.is_dir() and not _is_clutter(e.filename)]
    if len(entries) > _REPORTS_IN_ARCHIVES:
        raise UnreadableDocument(
            f"{path}:压缩包里文件太多({len(entries)} 个):请先解压,再给出报告文件"
        )
    if sum(entry.file_size for entry in entries) > _LARGEST_BUNDLE:
        raise UnreadableDocument(f"{path}:压缩包解开后太大,不像是几份报告:请先解压,再给出报告文件")
    for entry in sorted(entries, key=lambda e: _entry_name(e)):
        name = _entry_name(entry)
        try:
            yield _read(_unpacked(archive, entry), name.rsplit("/", 1)[-1], f"{path} 里的 {name}")
        except UnreadableDocument as error:
            wrong.append(str(error))


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The bytes of one file of a bundle; empty where it is damaged or locked."""
    try:
        return archive.read(entry)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError):
        return b""


def _entry_name(entry: zipfile.ZipInfo) -> str:
    """The name as it was packed: Chinese systems write GBK where the format says CP437."""
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return entry.filename


def _is_clutter(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith((".", "~$"))


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
        kind = _archive_kind(raw)
        if kind is None:
            raise UnreadableDocument("是压缩包,里面没有可读的报告:请先解压,再给出其中的报告文件")
        return kind
    if raw.startswith(_OLD_OFFICE):
        return _old_office(raw)
    if raw.startswith(_IMAGES):
        raise UnreadableDocument(f"是图片,图片里的文字读不出来:{_OTHERS}")
    if raw.startswith(b"{\\rtf"):
        return "rtf", read_rtf
    if b"mime-version:" in raw[:2000].lower() and b"multipart/related" in raw[:4000].lower():
        return "html", read_web_archive
    head = decode(raw)[:20000].lower()
    if any(mark in head for mark in _HTML):
        return "html", read_html
    return "text", read_text


def _old_office(raw: bytes) -> tuple[str, ReadBytes]:
    """A compound file by the name of a stream in it."""
    if "EncryptedPackage".encode("utf-16-le") in raw:
        raise UnreadableDocument("设有打开密码:请去掉密码后另存,再核对")
    is_sheet = "Workbook".encode("utf-16-le") in raw
    return ("xls", read_sheets) if is_sheet else ("doc", read_doc)


def _archive_kind(raw: bytes) -> tuple[str, ReadBytes] | None:
    """What an archive is; None for a bundle of files."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except zipfile.BadZipFile as error:
        raise UnreadableDocument(f"不是有效的 Word 文件,可能没有下载完整({error})") from error
    names = archive.namelist()
    for part, kind in _ARCHIVES.items():
        if any(name.startswith(part) for name in names):
            return kind
    if any(name.startswith("ppt/") for name in names):
        raise UnreadableDocument(f"是演示文稿:{_OTHERS}")
    if "content.xml" not in names:
        return None
    is_sheet = b"spreadsheet" in (archive.read("mimetype") if "mimetype" in names else b"")
    return ("ods", read_sheets) if is_sheet else ("odt", read_odt)
