"""The cells of a workbook, read in a process of their own.

A file from an office may be anything: a cell in the last corner of a sheet, a sheet of gigabytes,
a zip that unpacks without end. What reads it can be made to fall over by it, so it reads in a
process with bounded memory and time, and a file that is too much is one file that could not be
read. The process serves one file after the other and ends with the one that started it.

Run as `python -m tasks.sources.grids` this module is that process.
"""

from __future__ import annotations

import atexit
import csv
import datetime as dt
import io
import re
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO, Any

import msgspec

from tasks.sources.compiled import NOT_SCALAR
from tasks.sources.decode import Undecodable, decode_text
from tasks.sources.disguised import is_disguised, tables_of

MEMORY = 3 << 30
SECONDS = 300
MOST_UNPACKED = 2 << 30
"""Bytes of all parts of a file together; what it says of itself is held against `MEMORY` as well."""
UNCOMPUTED = NOT_SCALAR + "formula"
"""Stands in a cell for a formula that was never computed."""
FAILED = NOT_SCALAR + "error"
"""Stands before what a formula says that went wrong, as #REF!; such a cell has no value."""
MISSING = "#N/A"
"""What a formula says on purpose where there is nothing."""
_LENGTH = struct.Struct(">Q")
_ROOT = Path(__file__).parents[2]
Range = tuple[tuple[int, int], tuple[int, int]]


class UnreadableWorkbook(ValueError):
    """A workbook that cannot be opened, or in which no sheet has the header."""


class Grid(msgspec.Struct):
    """A sheet: its cells from A1 on as scalars (a blank is None), its merged ranges where they are
    known, and whether people who open the file see it."""

    name: str
    cells: list[list[Any]]
    merged: list[Range] | None = None
    is_hidden: bool = False
    notes: list[str] = []


class _Asked(msgspec.Struct):
    name: str
    encoding: str | None
    content: bytes


class _Found(msgspec.Struct):
    grids: list[Grid] = []
    error: str | None = None


def plain(value: Any) -> Any:
    """A cell as a scalar that can be landed; a blank is None."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return str(value)
    return value


def read_grids(content: bytes, name: str, encoding: str | None) -> list[Grid]:
    """The sheets of a file. Raises UnreadableWorkbook for one that is too much as well."""
    return _reader.read(_Asked(name, encoding, content))


class _Reader:
    """The process that reads, started when it is first needed and anew when it fell over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, asked: _Asked) -> list[Grid]:
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            watch = threading.Timer(SECONDS, process.kill)
            watch.start()
            try:
                _send(process.stdin, msgspec.msgpack.encode(asked))
                answer = _receive(process.stdout)
            except OSError:
                answer = None
            finally:
                watch.cancel()
            if answer is None:
                self.close()
                raise UnreadableWorkbook(
                    f"读取时超出内存({MEMORY >> 30} GB)或时间({SECONDS // 60} 分钟)的限度而放弃;"
                    "请检查表格之外很远处是否有内容,或文件是否异常大,删去后另存再试"
                )
        found = msgspec.msgpack.decode(answer, type=_Found)
        if found.error is not None:
            raise UnreadableWorkbook(found.error)
        return found.grids

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tasks.sources.grids"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
            )
        return self._process

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


_reader = _Reader()
atexit.register(_reader.close)


def _send(stream: IO[bytes], content: bytes) -> None:
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes | None:
    """One message; None where the other side is gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    content = stream.read(length)
    return content if len(content) == length else None


# ---- what the process does


def _grids(asked: _Asked) -> Iterator[Grid]:
    content = asked.content
    is_text = PurePosixPath(asked.name).suffix.lower() in (".csv", ".txt", ".tsv")
    if not is_text and is_disguised(content) and content.strip():
        try:
            tables = tables_of(content)
        except Undecodable:
            tables = []
        for name, cells, merged in tables:
            yield Grid(name, _trimmed(cells), merged)
        if tables:
            return
        # What is no markup either may be lines of text under the name of a workbook.
        is_text = b"\t" in content and b"\0" not in content
    if is_text:
        text = decode_text(content, asked.encoding)
        delimiter = max(",;\t|", key=text[:4096].count)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        yield Grid("", _trimmed(list(rows)))
        return
    yield from _office_grids(content)


def _office_grids(content: bytes) -> Iterator[Grid]:
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    sheets: dict[str, _Part] = {}
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > MOST_UNPACKED:
                raise UnreadableWorkbook(
                    f"展开后超过 {MOST_UNPACKED >> 30} GB,未读取;请检查文件是否异常,另存后再试"
                )
            sheets = {name: _look(archive, part) for name, part in _parts(archive)}
            if any(part.kept for part in sheets.values()):
                content = _without_far_cells(archive, sheets.values())
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
    for sheet in workbook.sheets_metadata:
        if sheet.typ != SheetTypeEnum.WorkSheet:
            continue
        data = workbook.get_sheet_by_name(sheet.name)
        cells = _trimmed(data.to_python(skip_empty_area=False))
        looked = sheets.get(sheet.name, _Part(""))
        for (row, column), value in looked.patches.items():
            if row < len(cells):
                line = cells[row]
                line += [None] * (column + 1 - len(line))
                line[column] = value
        is_hidden = sheet.visible != SheetVisibleEnum.Visible
        yield Grid(sheet.name, cells, data.merged_cell_ranges, is_hidden, looked.notes)


def _trimmed(rows: list[list[Any]]) -> list[list[Any]]:
    """The rows as scalars, without the blanks behind the last filled cell of each."""
    found = []
    for row in rows:
        line = [plain(value) for value in row]
        while line and line[-1] is None:
            line.pop()
        found.append(line)
    while found and not found[-1]:
        found.pop()
    return found


_CELL = re.compile(rb'<c r="([A-Z]{1,3})([0-9]+)"([^>]*?)(?:/>|>(.*?)</c>)', re.DOTALL)
_DIMENSION = re.compile(rb"<dimension [^>]*/>")
_VALUE = re.compile(rb"<v>([^<]*)</v>")
_BLOCK = 1 << 24
MOST_CELLS = 20_000_000
"""A sheet whose corners span more cells has some that are far from all others."""
FAR_COLUMN = 1024
FAR_ROWS = 10_000


class _Part(msgspec.Struct):
    """What the XML of a sheet says before it is read: `patches` are cells that read as blanks and
    are none (errors, formulas that were never computed); `rows` how far right each row goes.
    Cells beyond the last column and row that are `kept` are away from all others.
    """

    name: str
    patches: dict[tuple[int, int], str] = {}
    rows: dict[int, int] = {}
    kept: tuple[int, int] | None = None
    far: list[str] = []

    def is_far(self, row: int, column: int) -> bool:
        return self.kept is not None and (row > self.kept[0] or column > self.kept[1])

    def settle(self) -> None:
        """Find where the table ends, if the corners of the sheet span too much."""
        height, width = max(self.rows, default=0), max(self.rows.values(), default=0)
        if (height + 1) * (width + 1) > MOST_CELLS:
            near = [column for column in self.rows.values() if column < FAR_COLUMN]
            self.kept = (_last_near(sorted(self.rows)), max(near, default=FAR_COLUMN - 1))

    @property
    def notes(self) -> list[str]:
        if not self.far:
            return []
        return [
            f"远离表格的 {len(self.far)} 个单元格未读({'、'.join(self.far[:3])});不是有意写的请删去"
        ]


def _look(archive: zipfile.ZipFile, name: str) -> _Part:
    part = _Part(name)
    with archive.open(name) as stream:
        rest = b""
        while block := stream.read(_BLOCK):
            text = rest + block
            end = text.rfind(b"</row>") + 6
            rest = text[end:] if end > 5 else text
            if end > 5:
                _look_at_rows(text[:end], part)
    part.settle()
    return part


def _look_at_rows(text: bytes, part: _Part) -> None:
    """Note the cells of some rows: how far right each row goes, and what is unreadable."""
    has_patches = b"<f" in text or b't="e"' in text
    for letters, number, attributes, inner in _CELL.findall(text):
        row, column = int(number) - 1, column_number(letters.decode())
        part.rows[row] = max(part.rows.get(row, 0), column)
        patch = _patch(attributes, inner) if has_patches else None
        if patch is not None:
            part.patches[row, column] = patch


def _last_near(rows: list[int]) -> int:
    """The last row before a gap of many."""
    for before, row in pairwise(rows):
        if row - before > FAR_ROWS:
            return before
    return rows[-1] if rows else 0


def _without_far_cells(archive: zipfile.ZipFile, sheets: Iterable[_Part]) -> bytes:
    """The file without its far cells, which are noted."""
    parts = {part.name: part for part in sheets if part.kept is not None}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as copy:
        for name in archive.namelist():
            text = archive.read(name)
            if name in parts:
                text = _DIMENSION.sub(b"", _CELL.sub(partial(_near_only, parts[name]), text))
            copy.writestr(name, text)
    return written.getvalue()


def _near_only(part: _Part, cell: re.Match[bytes]) -> bytes:
    if not part.is_far(int(cell[2]) - 1, column_number(cell[1].decode())):
        return cell[0]
    part.far.append((cell[1] + cell[2]).decode())
    return b""


def _patch(attributes: bytes, inner: bytes) -> str | None:
    """What stands in a cell that reads as a blank and is none."""
    value = _VALUE.search(inner)
    said = value[1].decode(errors="replace") if value else ""
    if b't="e"' in attributes:
        return said if said == MISSING else FAILED + said
    if b"<f" in inner and not said and b't="str"' not in attributes:
        return UNCOMPUTED
    return None


def column_number(letters: str) -> int:
    """A column's number, from 0, by its letters."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


def _parts(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Each sheet's name and the part of an .xlsx that holds it; none of other archives."""
    from lxml import etree

    if "xl/workbook.xml" not in archive.namelist():
        return

    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    book = etree.fromstring(archive.read("xl/workbook.xml"), parser)
    relations = etree.fromstring(archive.read("xl/_rels/workbook.xml.rels"), parser)
    targets = {relation.get("Id"): relation.get("Target") for relation in relations}
    known = set(archive.namelist())
    for sheet in book.iter("{*}sheet"):
        identity = next((v for k, v in sheet.attrib.items() if str(k).endswith("}id")), None)
        target = str(targets.get(identity) or "")
        part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        if part in known:
            yield str(sheet.get("name")), part


def _answer(asked: _Asked) -> _Found:
    from python_calamine import CalamineError

    try:
        return _Found(list(_grids(asked)))
    except (Undecodable, UnreadableWorkbook) as error:
        return _Found(error=str(error))
    except (MemoryError, RecursionError):
        raise
    except CalamineError as error:
        kind = type(error).__name__
    except Exception as error:
        # Whatever a broken file makes its reader raise, the file is what cannot be read.
        kind = type(error).__name__
    return _Found(error=f"打不开({kind});请确认不是加密或损坏的文件,必要时用办公软件另存为 .xlsx")


def main() -> int:
    """Answer one file after the other, until there is no more to be asked."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    while (message := _receive(sys.stdin.buffer)) is not None:
        asked = msgspec.msgpack.decode(message, type=_Asked)
        _send(sys.stdout.buffer, msgspec.msgpack.encode(_answer(asked)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
