"""A pull from a folder of workbooks, on this machine or over HTTP: what changed is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tasks.sources import address, sftp
from tasks.sources.client import Client
from tasks.sources.compiled import Row
from tasks.sources.errors import SourceContractError, SourceUnavailable
from tasks.sources.exchange import Request
from tasks.sources.landing import Landed, LandingWriter, ListCounts, WorkbookVersion, left_out
from tasks.sources.model import Resource, Source, Workbook
from tasks.sources.model.resource import record_paths
from tasks.sources.page import select_list
from tasks.sources.plan import Pull
from tasks.sources.project import Projector
from tasks.sources.select import compile_path, text
from tasks.sources.workbook import Sheet, UnreadableWorkbook, Wanted, read_workbook
from warehouse.errors import LostRecords
from warehouse.tables import table

LARGEST = 512 << 20
"""Bytes of a file beyond which it is no register that people keep."""


@dataclass(frozen=True)
class Entry:
    """A file of the folder; `mark` changes with its content, where the folder tells one."""

    name: str
    mark: str
    listing: dict[str, Any]
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Placed:
    """Notes in each row where in the workbook it stands."""

    writer: LandingWriter
    place: str

    def add(self, name: str, rows: list[Row]) -> None:
        self.writer.add(name, [{**row, "$at": self.place} for row in rows])


class FolderPull:
    """One pull of a folder: what is new or has changed is read, file by file."""

    def __init__(self, pull: Pull, writer: LandingWriter) -> None:
        assert pull.resource.workbook is not None
        self._pull = pull
        self._rule = pull.resource.workbook
        self._writer = writer
        self._wanted = wanted_of(pull.resource)
        self._undeclared: set[str] = set()
        self._filled = self._skipped = 0
        self.projector = projector_of(pull.resource)
        self.versions: list[WorkbookVersion] = []
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.looked_at: set[str] = set()

    def take(self, entry: Entry, content: bytes | UnreadableWorkbook) -> None:
        """Land the records of a file, unless it is as it was."""
        self.looked_at.add(entry.name)
        if isinstance(content, UnreadableWorkbook):
            self.problems.append(f"{entry.name}:{content}")
            return
        digest = hashlib.sha256(content).hexdigest()
        known = self._pull.known_files.get(entry.name)
        is_read = known is None or known[0] != digest
        if is_read:
            passed_over: list[str] = []
            try:
                sheets = read_workbook(content, entry.name, self._rule, self._wanted, passed_over)
            except UnreadableWorkbook as error:
                self.problems.append(f"{entry.name}:{error}")
                return
            self.notes += [f"{entry.name}:{one},未读取" for one in passed_over]
            for sheet in sheets:
                self._land(entry, sheet)
        if is_read or (known is not None and known[1] != entry.mark):
            self.versions.append(WorkbookVersion(entry.name, digest, entry.mark, is_read))

    def _land(self, entry: Entry, sheet: Sheet) -> None:
        name = self._pull.resource.name
        self._undeclared.update(sheet.undeclared)
        self.notes += [f"{entry.name}#{sheet.name}:{note}" for note in sheet.notes]
        for number, record in sheet.records():
            around = sheet.around(entry.name, entry.listing, number)
            place = Placed(self._writer, f"{entry.name}#{sheet.name}!{number}")
            self.projector.project([record], around, place)
        for number, reason in sheet.skipped:
            place = Placed(self._writer, f"{entry.name}#{sheet.name}!{number}")
            place.add(left_out(name), [{"$id": None, "$reason": reason}])
        self._filled += sheet.filled_rows
        self._skipped += len(sheet.skipped)

    @property
    def counts(self) -> dict[str, ListCounts]:
        """What came of the rows so far; a row that is neither a record nor skipped leaves a gap."""
        return {self.projector.name: ListCounts(self._filled, self._skipped)}

    @property
    def new_fields(self) -> dict[str, list[str]]:
        return {self.projector.name: sorted(self._undeclared)}

    def moved(self, listed: set[str]) -> list[str]:
        """Files that the folder has no more, and whose content lies in it under another name."""
        here = {version.sha256 for version in self.versions if version.is_read}
        return sorted(
            name
            for name, (sha256, _) in self._pull.known_files.items()
            if name not in listed and sha256 in here
        )


def pull_workbooks(
    pull: Pull, landing: Path, *, progress: Callable[[int, int | None], None] | None = None
) -> Landed:
    """Land the records of every workbook that is new or has changed.

    A workbook that cannot be read does not keep the others back; it is named in the manifest.
    Raises SourceUnavailable or SourceContractError.
    """
    source, resource = pull.source, pull.resource
    with ExitStack() as stack:
        writer = stack.enter_context(LandingWriter(landing, source.name, resource.name))
        entries, place = open_folder(source, resource, stack)
        run = FolderPull(pull, writer)
        due = [
            e for e in entries if not e.mark or pull.known_files.get(e.name, ("", ""))[1] != e.mark
        ]
        executor = stack.enter_context(ThreadPoolExecutor(source.http.concurrency, "file"))
        for entry, content in zip(due, executor.map(content_of, due), strict=True):
            run.take(entry, content)
            if progress is not None:
                progress(run.projector.read, None)
        if run.problems and not run.versions and len(run.problems) == len(entries):
            raise SourceContractError(
                f"{source.title}·{resource.title or resource.name}的工作簿都未能读取。{run.problems[0]}。"
                "请核对表头与来源文件的字段名"
            )
        _all_looked_at(pull, entries, run)
        listed = {entry.name for entry in entries}
        moved = run.moved(listed)
        return writer.finish(
            counts=run.counts,
            expected_rows=None,
            window_from=None,
            window_to=None,
            is_full=not pull.known_files,
            moves_watermark=False,
            request=place,
            new_fields=run.new_fields,
            workbooks=run.versions,
            problems=run.problems,
            notes=[*run.notes, *_gone(pull, listed, moved)],
            listed=sorted(listed),
            moved=moved,
        )


def content_of(entry: Entry) -> bytes | UnreadableWorkbook:
    """What a file holds, or why it cannot be read: the other files are read all the same."""
    try:
        return entry.read()
    except UnreadableWorkbook as error:
        return error
    except OSError as error:
        return UnreadableWorkbook(f"读不出({error.strerror or error});请核对文件的权限与所在磁盘")


def _all_looked_at(pull: Pull, entries: list[Entry], run: FolderPull) -> None:
    """That each file which the folder lists was looked at, or is as it was. Raises LostRecords."""
    for entry in entries:
        _, mark = pull.known_files.get(entry.name, ("", ""))
        if entry.name not in run.looked_at and not (mark and mark == entry.mark):
            raise LostRecords(f"{pull.source.title}的文件 {entry.name} 在目录中而未读取")


def _gone(pull: Pull, listed: set[str], moved: list[str]) -> list[str]:
    """That files which were loaded are no longer there; their records stay in force."""
    here = {sha256 for name, (sha256, _) in pull.known_files.items() if name in listed}
    gone = sorted(
        name
        for name, (sha256, _) in pull.known_files.items()
        if name not in listed and name not in moved and sha256 not in here
    )
    if not gone:
        return []
    named = "、".join(gone[:3]) + (" 等" if len(gone) > 3 else "")
    return [f"目录中不再有已装载过的 {len(gone)} 个文件({named}),其记录仍算有效"]


def wanted_of(resource: Resource) -> Wanted:
    """What the fields, the key and the conditions of a resource ask of a workbook."""
    rules = list(resource.fields.values())
    needed = [rule.path for rule in rules if rule.required and rule.default is None]
    needed += [(part,) for part in resource.key if not part.startswith(("=", "$"))]
    unique = list(dict.fromkeys(path for _, path in record_paths(resource)))
    return Wanted(
        labels=tuple(path for path in unique if not path.startswith("$")),
        needed=tuple(
            group
            for group in dict.fromkeys(needed)
            if group and not any(p.startswith("$") for p in group)
        ),
        cells=tuple(p.removeprefix("$cell.") for p in unique if p.startswith("$cell.")),
        beside=tuple(p.removeprefix("$beside.") for p in unique if p.startswith("$beside.")),
        amounts=frozenset(_amounts(resource)),
    )


def _amounts(resource: Resource) -> Iterator[str]:
    """Labels of columns that hold numbers."""
    kinds = {column.name: column.sql_type for column in table(f"core.{resource.table}").columns}
    for name, rule in resource.fields.items():
        is_number = kinds[name] == "BIGINT" or kinds[name].startswith("DECIMAL")
        if rule.type in ("integer", "decimal") or (rule.type is None and is_number):
            yield from rule.path


def projector_of(resource: Resource) -> Projector:
    """The projection of a workbook's rows, in which a path is a label."""
    return Projector(resource, parts_of=_label, watch=False)


def _label(path: str) -> tuple[str, ...]:
    """In a workbook a path is the column's label, as it is written."""
    return (path,)


def open_folder(source: Source, resource: Resource, stack: ExitStack) -> tuple[list[Entry], str]:
    """The files of the folder that match, by name, and where the folder is."""
    rule = resource.workbook
    assert rule is not None
    if rule.folder is not None:
        folder = (source.file.parent / rule.folder).resolve()
        return list(_local(source, folder, rule)), str(folder)
    if rule.sftp is not None:
        remote = stack.enter_context(sftp.opened(source, rule.sftp))
        return list(_on_server(remote, rule)), f"sftp://{rule.sftp.shown}/{rule.sftp.folder}"
    client = stack.enter_context(Client(source))
    request = Request(address.join(client.base_url, rule.url or ""), form="json")
    entries = _json_listing if rule.listing.type == "json" else _html_listing
    found = sorted(entries(client, request, rule), key=lambda entry: entry.name)
    return found, client.shown(request)


def _matches(name: str, rule: Workbook) -> bool:
    base = name.rpartition("/")[2]
    # Office programs leave ~$name beside a file that is open.
    if base.startswith(("~$", ".")):
        return False
    return any(
        fnmatch((name if "/" in pattern else base).lower(), pattern.lower())
        for pattern in rule.match
    )


def _local(source: Source, folder: Path, rule: Workbook) -> Iterator[Entry]:
    if not folder.is_dir():
        raise SourceUnavailable(
            f"{source.title}的目录 {folder} 不存在或不可读;请核对 workbook.folder"
        )
    is_deep = any("/" in pattern for pattern in rule.match)
    for path in sorted(folder.rglob("*") if is_deep else folder.iterdir()):
        name = path.relative_to(folder).as_posix()
        # A link to nowhere is a file that cannot be read, not none.
        if (path.is_file() or path.is_symlink()) and _matches(name, rule):
            yield Entry(name, "", {"name": name}, partial(_read_local, path, folder))


def _on_server(remote: sftp.SftpFolder, rule: Workbook) -> Iterator[Entry]:
    """The files of a server's folder; what is as it was is not fetched again."""
    is_deep = any("/" in pattern for pattern in rule.match)
    for file in remote.files(is_deep):
        if _matches(file.name, rule):
            read = partial(remote.read, file.name, LARGEST)
            yield Entry(file.name, file.mark, {"name": file.name}, read)


def _read_local(path: Path, folder: Path) -> bytes:
    """A file's content. Raises UnreadableWorkbook for one that leads out of the folder, or is
    larger than any workbook."""
    if not path.resolve().is_relative_to(folder):
        raise UnreadableWorkbook("是指向目录之外的链接,未读取;请把文件本身放入目录")
    if path.stat().st_size > LARGEST:
        raise UnreadableWorkbook(f"大于 {LARGEST >> 20} MB,未读取;请删去表格之外的内容后另存")
    return path.read_bytes()


def _json_listing(client: Client, request: Request, rule: Workbook) -> Iterator[Entry]:
    listing = rule.listing
    body = client.body(client.get(request))
    name_of, marks = compile_path(listing.name), [compile_path(mark) for mark in listing.mark]
    url_of = compile_path(listing.url) if listing.url else None
    for item in select_list(compile_path(listing.records), body):
        name = text(name_of(item))
        if not name:
            raise SourceContractError(
                f"{client.source.title}的文件目录中没有文件名 {listing.name}:{client.shown(request)}。"
                "请核对 workbook.listing"
            )
        if not _matches(name, rule):
            continue
        link = text(url_of(item)) if url_of else name
        mark = "|".join(text(mark(item)) for mark in marks)
        yield _remote(client, request, name, link, mark, item)


def _html_listing(client: Client, request: Request, rule: Workbook) -> Iterator[Entry]:
    from lxml import html

    answer = client.get(request)
    names = set()
    for anchor in html.fromstring(answer.content).iter("a"):
        link = anchor.get("href")
        if not link:
            continue
        parts = urlsplit(link)
        name = unquote(parts.path.rpartition("/")[2])
        if name in names or not _matches(name, rule):
            continue
        names.add(name)
        yield _remote(client, request, name, link, "", {"name": name})


def _remote(
    client: Client, folder: Request, name: str, link: str, mark: str, item: dict[str, Any]
) -> Entry:
    base = folder.url if folder.url.endswith("/") else folder.url + "/"
    url = address.follow(base, link, client.base_url)
    return Entry(name, mark, item, lambda: client.get(Request(url)).content)
