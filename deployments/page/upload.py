"""Files that a form sends: written down as they come, within limits, into a folder of their own.

The form's token comes before the first file and is judged before anything is written.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from deployments.page.desk import Forged, check_form_token
from tasks.audit.uploads import MOST_BYTES, MOST_FILES, UploadRefused, kept_name
from warehouse.disk import reason_of
from warehouse.errors import MachineError

MOST_OF_A_FIELD = 10_000
MOST_PARTS = MOST_FILES + 20
TOO_MUCH = f"文件太大:一次最多 {MOST_BYTES // 1_000_000} MB。请分几次上传"


class Unwritable(MachineError):
    """The folder for what was sent cannot be written to; the message says why."""


async def receive_files(request: Request, folder: Path) -> tuple[dict[str, str], list[str]]:
    """The fields of a form and the names of its files, which lie in `folder` then.

    Raises Forged before anything is written where the form is not ours; UploadRefused for what is
    too long, too many or of no kind of report; Unwritable. Nothing is left then.
    """
    parts = _Parts(folder, lambda token: check_form_token(request, token))
    try:
        await _read(request, _boundary(request), parts)
        parts.check()
    except BaseException as error:
        parts.close()
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, MultipartParseError):
            raise Forged from error
        if isinstance(error, OSError):
            raise Unwritable(f"文件写不下({reason_of(error)}),没有收下。请告知管理员") from error
        raise
    return parts.fields, parts.names


def _boundary(request: Request) -> bytes:
    """What stands between the parts. Raises Forged for what is no form with files."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Forged
    return boundary


async def _read(request: Request, boundary: bytes, parts: _Parts) -> None:
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > MOST_BYTES:
        raise UploadRefused(TOO_MUCH)
    # Its types ask for a TypedDict of all callbacks; it takes those that are there.
    parser = MultipartParser(boundary, parts.callbacks)  # type: ignore[arg-type]
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > MOST_BYTES:
            raise UploadRefused(TOO_MUCH)
        await asyncio.to_thread(parser.write, chunk)
    parser.finalize()


class _Parts:
    """What a parser of a form tells, part by part."""

    def __init__(self, folder: Path, check: Callable[[str], None]) -> None:
        self._folder = folder
        self._check = check
        self._count = 0
        self._header = b""
        self._value = b""
        self._field = ""
        self._text = b""
        self._file: Any = None
        self._is_file = False
        self.fields: dict[str, str] = {}
        self.names: list[str] = []
        self.is_ours = False
        self.is_whole = False

    @property
    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._whole,
        }

    def check(self) -> None:
        """That all came, and from our own page. Raises Forged, UploadRefused."""
        if not self.is_ours:
            raise Forged
        if not self.is_whole:
            raise UploadRefused("文件没有传完,没有收下。请再上传一次")
        if not self.names:
            raise UploadRefused("请选择要核对的报告文件")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self._count += 1
        if self._count > MOST_PARTS:
            raise UploadRefused(f"文件太多:一次最多 {MOST_FILES} 个。请分几次上传")
        self._field, self._text, self._is_file = "", b"", False
        self._header = self._value = b""
        self._given: str | None = None

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._field = options.get(b"name", b"").decode("utf-8", "replace")
            if b"filename" in options:
                self._given = options[b"filename"].decode("utf-8", "replace")
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        if self._given is None:
            return
        self._is_file = True
        if not self._given:
            # A field of files in which none was chosen.
            return
        if not self.is_ours:
            raise Forged
        if len(self.names) >= MOST_FILES:
            raise UploadRefused(f"文件太多:一次最多 {MOST_FILES} 个。请分几次上传")
        name = kept_name(self._given, self.names)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = (self._folder / name).open("xb")
        self.names.append(name)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
        elif not self._is_file:
            self._text += data[start:end]
            if len(self._text) > MOST_OF_A_FIELD:
                raise Forged

    def _end(self) -> None:
        self.close()
        if self._is_file:
            return
        text = self._text.decode("utf-8", "replace")
        self.fields[self._field] = text
        if self._field == "form_token":
            self._check(text)
            self.is_ours = True

    def _whole(self) -> None:
        self.is_whole = True
