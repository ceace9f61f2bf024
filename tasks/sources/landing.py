"""Landing: what was pulled, as compressed lines of JSON with a manifest, never changed again.

`<landing>/<source>/<resource>/<utc time>-<id>/`: one or more `<list>-0001.ndjson.zst` for the
resource and each kind of child, and `manifest.json`, which is written last: a folder without
it was left by a run that was stopped, and is ignored. Where the storage is a bucket the folder is put there
next (`warehouse/shelf.py`); another machine reads it with `read_landed`.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec
import zstandard

from tasks.sources.compiled import Row
from warehouse.shelf import Shelf

MANIFEST = "manifest.json"
# Files are read side by side, one by each core.
ROWS_A_FILE = 25_000
COMPRESSION_LEVEL = 1
NOT_SELECTED = "not_selected"
REPLACED = "\ufffd".encode()
_ENCODER = msgspec.json.Encoder()
# U+0000 as JSON writes it, not a backslash before the text u0000.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def left_out(name: str) -> str:
    """What the list of the records is called that did not land in the list of this name."""
    return f"{name}.left_out"


@dataclass(frozen=True)
class LandedFile:
    """One file of a list: its name in the folder, rows, and the hash of its bytes."""

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class WorkbookVersion:
    """One workbook, by content; `is_read` is false when only its mark was new."""

    name: str
    sha256: str
    mark: str
    is_read: bool = True


@dataclass(frozen=True)
class ListCounts:
    """How many records of one list came, and how many rows of a workbook were skipped as being
    none. A record that comes twice counts twice.

    The records that conditions did not select, and the skipped rows, are landed by their ids or
    places in a list of their own.
    """

    fetched: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class Manifest:
    """What one pull brought.

    `lists` names the files of the resource and of each child, `counts` what came of them;
    `expected_rows` is the source's own count of the list, where it gives one; `window_*` is what
    was asked for; `is_full` says that the list should be complete, `is_cut` that it is known not
    to be, `is_everything` that all spans were asked for, the first to the last; `problems` are
    files that could not be read, `notes` what a person should be told; `doubled` counts the
    records that the source's own lists, and so its counts, hold more often than once; `listed`
    are the workbooks that the folder has, `moved` those whose content now has another name.
    """

    load_id: str
    source: str
    resource: str
    started_at: str
    lists: dict[str, list[LandedFile]]
    counts: dict[str, ListCounts]
    expected_rows: int | None
    window_from: str | None
    window_to: str | None
    is_full: bool
    moves_watermark: bool
    request: str
    new_fields: dict[str, list[str]] = field(default_factory=dict)
    workbooks: list[WorkbookVersion] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_cut: bool = False
    is_everything: bool = False
    doubled: int = 0
    listed: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)

    def count(self, name: str) -> ListCounts:
        """What came of the resource's own list or of a child's."""
        return self.counts.get(name, ListCounts())

    def files(self, name: str) -> list[LandedFile]:
        """The files of the resource's own list or of a child's."""
        return self.lists.get(name, [])


@dataclass(frozen=True)
class Landed:
    """A finished landing folder."""

    folder: Path
    manifest: Manifest

    @property
    def load_id(self) -> str:
        return self.manifest.load_id


def read_landed(shelf: Shelf, load_id: str) -> Landed | None:
    """A landing that some machine has made, by the id of its load; None where there is no whole one.
    Raises LakeError."""
    folder = shelf.here(load_id)
    try:
        told = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return None
    return Landed(folder, msgspec.json.decode(told, type=Manifest))


class LandingWriter:
    """Writes one landing folder; leaves nothing behind when the pull fails.

    Use as a context manager: `add` rows, then `finish` with the rest of the manifest.
    """

    def __init__(self, landing: Path, source: str, resource: str) -> None:
        self.started_at = datetime.now(UTC)
        self.load_id = f"{self.started_at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        self._identity = (source, resource)
        self.folder = landing / source / resource / self.load_id
        self._lists: dict[str, _ListWriter] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if not (self.folder / MANIFEST).exists():
            shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, name: str, rows: list[Row]) -> None:
        """Rows of a list; the place of each is noted in it as `$at` unless it has one."""
        writer = self._lists.get(name)
        if writer is None:
            writer = self._lists[name] = _ListWriter(self.folder, name)
        writer.add(rows)

    def close(self) -> dict[str, list[LandedFile]]:
        """Close the files; which there are."""
        return {name: writer.finish() for name, writer in self._lists.items()}

    def finish(
        self, clock_ahead: float | None = None, notes: list[str] | None = None, **rest: Any
    ) -> Landed:
        """Close the files and write the manifest, which makes the landing count.

        Where the source's clock says that ours is ahead by so many seconds, the pull counts as
        made at the source's time: a moment that has not been must settle nothing.
        """
        source, resource = self._identity
        ahead = timedelta(seconds=max(clock_ahead or 0.0, 0.0))
        lists = self.close()
        manifest = Manifest(
            load_id=f"{source}/{resource}/{self.load_id}",
            source=source,
            resource=resource,
            started_at=(self.started_at - ahead).isoformat(timespec="seconds"),
            lists=lists,
            notes=[*(notes or []), *self._notes()],
            **rest,
        )
        temporary = self.folder / f"{MANIFEST}.part"
        with temporary.open("wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.rename(self.folder / MANIFEST)
        return Landed(self.folder, manifest)

    def _notes(self) -> list[str]:
        replaced = sum(writer.replaced for writer in self._lists.values())
        return [f"{replaced:,} 处空字符(U+0000)无法保存,以 � 代替"] if replaced else []


class _ListWriter:
    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._files: list[LandedFile] = []
        self._stream: IO[bytes] | None = None
        self._compressor: Any = None
        self._digest = hashlib.sha256()
        self._rows = 0
        self._part = ""
        self.replaced = 0

    def add(self, rows: list[Row]) -> None:
        while rows:
            if self._stream is None:
                self._open()
            room = ROWS_A_FILE - self._rows
            block, rows = rows[:room], rows[room:]
            for number, row in enumerate(block, self._rows + 1):
                if "$at" not in row:
                    row["$at"] = f"{self._part}:{number}"
            self._write(self._compressor.compress(self._storable(_ENCODER.encode_lines(block))))
            self._rows += len(block)
            if self._rows >= ROWS_A_FILE:
                self.close()

    def _storable(self, lines: bytes) -> bytes:
        """The lines without U+0000, which no catalog can hold or be asked for."""
        if b"\\u0000" not in lines:
            return lines
        lines, found = _NUL.subn(rb"\1" + REPLACED, lines)
        self.replaced += found
        return lines

    def _open(self) -> None:
        self._part = f"{self._name}-{len(self._files) + 1:04d}"
        self._stream = (self._folder / f"{self._part}.ndjson.zst").open("wb")
        self._compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compressobj()
        self._digest = hashlib.sha256()
        self._rows = 0

    def _write(self, content: bytes) -> None:
        assert self._stream is not None
        self._stream.write(content)
        self._digest.update(content)

    def close(self) -> None:
        if self._stream is None:
            return
        self._write(self._compressor.flush())
        self._stream.close()
        self._stream = None
        self._files.append(
            LandedFile(f"{self._part}.ndjson.zst", self._rows, self._digest.hexdigest())
        )

    def finish(self) -> list[LandedFile]:
        self.close()
        return self._files
