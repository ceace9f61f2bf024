"""Looking at a source through its file: one page of each resource, nothing written anywhere.

For the person who is writing the file: the request as it went out (without secrets), the
first records field by field, what was not mapped, what is wrong and what is its likely cause.
"""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from tasks import clock
from tasks.connect.cursor_check import cursor_hints
from tasks.connect.paging import paging_of
from tasks.load.typed import ListTyping, make_codes, prepare
from tasks.sources.client import Client
from tasks.sources.compiled import Context
from tasks.sources.connector import ApiPull, control_count, cursor_text, requests_of
from tasks.sources.errors import SourceContractError, SourceError
from tasks.sources.folder import Placed, open_folder, projector_of, wanted_of
from tasks.sources.landing import LandingWriter
from tasks.sources.model import Child, Resource, Single, Source
from tasks.sources.page import Page, business_code, is_same
from tasks.sources.windows import Window, parse_moment, split
from tasks.sources.workbook import SKIPPED, Sheet, UnreadableWorkbook, read_workbook
from warehouse.lake import in_memory
from warehouse.sql import named

SAMPLE = 50
SHOWN = 3
WORKBOOKS = 2
LAST_WINDOWS = 3


@dataclass(frozen=True)
class FieldSample:
    """A column of one record: from where, as read, as typed (None when it could not be)."""

    column: str
    path: str
    read: str | None
    typed: str | None
    is_faulty: bool


@dataclass(frozen=True)
class RecordSample:
    """One record, field by field; `place` is where it stands in a workbook."""

    record_id: str | None
    fields: list[FieldSample]
    place: str


@dataclass
class ListCheck:
    """What was found of a resource, or of one kind of its children.

    `not_mapped` are fields of the source that nothing declares, `empty` columns for which no
    record of the page has a value, `hints` what is no fault and should be looked at.
    """

    name: str
    title: str
    table: str
    request: str = ""
    records_on_page: int = 0
    total: int | None = None
    records: list[RecordSample] = field(default_factory=list)
    not_mapped: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    control_total: int | None = None
    error: SourceError | None = None

    @property
    def is_good(self) -> bool:
        return self.error is None and not self.faults


def check_source(source: Source, resource: str | None = None) -> Iterator[ListCheck]:
    """Sign in and look at the first records of every resource, or of one; children follow.

    Errors of a resource are in its `error`; the next resource is looked at all the same.
    """
    for rule in source.resources:
        if resource is None or rule.name == resource:
            yield from _check_resource(source, rule)


def _check_resource(source: Source, rule: Resource) -> Iterator[ListCheck]:
    found = ListCheck(rule.name, rule.title or rule.name, rule.table)
    rules: list[Resource | Child] = [rule, *rule.children]
    with tempfile.TemporaryDirectory(prefix="nianbao-check-") as folder, ExitStack() as stack:
        writer = stack.enter_context(LandingWriter(Path(folder), source.name, rule.name))
        try:
            look = _look_at_workbooks if rule.workbook is not None else _look_at_api
            found.not_mapped = look(source, rule, writer, found)
        except SourceError as error:
            found.error = error
            yield found
            return
        files = {
            name: [str(writer.folder / file.name) for file in listed]
            for name, listed in writer.close().items()
        }
        with in_memory() as connection:
            prepare(connection)
            make_codes(connection, source, rules)
            for one in rules:
                result = found
                if one is not rule:
                    result = ListCheck(one.name, one.title or one.name, one.table)
                if files.get(one.name):
                    _judge(connection, ListTyping(source, one), files[one.name], result)
                yield result


def _look_at_api(
    source: Source, rule: Resource, writer: LandingWriter, found: ListCheck
) -> list[str]:
    sent: list[Mapping[str, str]] = []
    with Client(source, on_request=sent.append) as client:
        windows: tuple[Window, ...] = ()
        if rule.windows is not None:
            everything = Window(parse_moment(rule.windows.start), clock.now())
            windows = tuple(split(everything, rule.windows.split))[-LAST_WINDOWS:]
        since = None
        if rule.cursor is not None and rule.cursor.initial is not None:
            initial: Any = rule.cursor.initial
            if rule.cursor.kind == "time":
                initial = parse_moment(initial)
            since = cursor_text(source, rule, initial)
        run = ApiPull(client, rule, writer)
        # The newest window first: the oldest is the likeliest to be empty.
        for request, context in reversed(
            requests_of(client, source, rule, since=since, until=None, windows=windows)
        ):
            page = run.sample(request, context, SAMPLE)
            found.request = _shown(client.shown(page.answer.request), sent)
            found.records_on_page, found.total = len(page.records), page.total
            if page.records:
                found.hints = list(_hints(source, rule, page, run.second_page(request)))
                found.hints += cursor_hints(client, source, rule, page, run.first_page)
                break
        if rule.control_total is not None:
            found.control_total = control_count(client, source, rule.control_total, None)
        if run.projector.watch is None:
            return []
        return sorted(run.projector.watch.found)


def _hints(source: Source, rule: Resource, first: Page, second: Page | None) -> Iterator[str]:
    """What in an answer does not go with what the file says of it."""
    code = business_code(first.answer.whole)
    if code is not None and source.success is None:
        yield (
            f"响应中有业务状态码 {code},而没有写 success:出错时可能被当作没有记录。"
            f"可写 success: {{path: {code.partition('=')[0]}, values: [{code.partition('=')[2]}]}}"
        )
    if isinstance(rule.paginator, Single):
        seen = paging_of(first.answer, len(first.records))
        if seen["type"] != "single":
            yield f"响应像是分页的,而没有写 paginator:可能只取到第一页。可从这里写起:{seen}"
    if second is not None and is_same(first, second, rule.records):
        yield "第二页与第一页相同:翻页参数可能没有起作用,请核对 paginator 的参数名"


def _shown(request: str, sent: list[Mapping[str, str]]) -> str:
    """The request with the names of the headers that carry the proof, not their values."""
    names = [
        name
        for name in (sent[-1] if sent else {})
        if name.lower() in ("authorization", "cookie") or name.lower().startswith("x-")
    ]
    return request + "".join(f"\n{name}: ***" for name in names)


def _look_at_workbooks(
    source: Source, rule: Resource, writer: LandingWriter, found: ListCheck
) -> list[str]:
    assert rule.workbook is not None
    undeclared: set[str] = set()
    projector = projector_of(rule)
    with ExitStack() as stack:
        entries, found.request = open_folder(source, rule, stack)
        found.total = len(entries)
        if not entries:
            raise SourceContractError(
                f"{source.title}·{found.title}的目录 {found.request} 中没有符合 {'、'.join(rule.workbook.match)} 的文件"
            )
        for entry in entries[-WORKBOOKS:]:
            try:
                sheets = read_workbook(entry.read(), entry.name, rule.workbook, wanted_of(rule))
            except UnreadableWorkbook as error:
                raise SourceContractError(f"{entry.name}:{error}") from error
            for sheet in sheets:
                undeclared.update(sheet.undeclared)
                for number, record in sheet.records():
                    context: Context = sheet.around(entry.name, entry.listing, number)
                    place = f"{entry.name}#{sheet.name}!{number}"
                    projector.project([record], context, Placed(writer, place))
                    found.records_on_page += 1
                found.hints += [f"{entry.name}#{sheet.name}:{note}" for note in sheet.notes]
                if sheet.skipped:
                    found.hints.append(
                        f"{entry.name}#{sheet.name}:{len(sheet.skipped)} 行不算记录:{_places(sheet)}"
                    )
    return sorted(undeclared)


def _places(sheet: Sheet) -> str:
    """Rows that are no records, for people: 合计行 第 10 行."""
    by_reason: dict[str, list[int]] = {}
    for number, reason in sheet.skipped:
        by_reason.setdefault(reason, []).append(number)
    return ";".join(
        f"{SKIPPED[reason]} 第 {'、'.join(map(str, rows[:SHOWN]))}{' 等' if len(rows) > SHOWN else ''} 行"
        for reason, rows in by_reason.items()
    )


def _judge(
    connection: duckdb.DuckDBPyConnection, typing: ListTyping, files: list[str], found: ListCheck
) -> None:
    """Type the landed records; samples of them and what is wrong with them."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE looked AS {typing.typed_sql(typing.landing_sql(files))}"
    )
    names = typing.column_names
    selected = ", ".join(
        f"CAST({named(f'{name}$')} AS VARCHAR), CAST({named(name)} AS VARCHAR)" for name in names
    )
    paths = {
        name: "、".join(rule.path) or f"={rule.value}" for name, rule in typing.rule.fields.items()
    }
    for record_id, place, *values in connection.execute(
        f'SELECT "$id", "$at", {selected} FROM looked LIMIT {SHOWN}'
    ).fetchall():
        pairs = list(zip(values[::2], values[1::2], strict=True))
        found.records.append(
            RecordSample(
                record_id,
                [
                    FieldSample(name, paths[name], read, typed, read is not None and typed is None)
                    for name, (read, typed) in zip(names, pairs, strict=True)
                ],
                place,
            )
        )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE wrong AS {typing.faults_sql('looked')}")
    for name, reason, example, expected, count in connection.execute(
        "SELECT field, reason, min(found), any_value(expected), count(*) FROM wrong GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall():
        path = paths.get(name, "、".join(typing.rule.key))
        found.faults.append(
            f"{name or '编号'} ← {path}:{count} 条{_cause(reason, example, expected, path, found.not_mapped)}"
        )
    counted = ", ".join(f"count({named(f'{name}$')})" for name in names)
    row = connection.execute(f"SELECT count(*), {counted} FROM looked").fetchone()
    assert row is not None
    for name, filled in zip(names, row[1:], strict=True):
        if row[0] and not filled and not typing.rule.fields[name].required:
            near = _near(paths[name], found.not_mapped)
            if not near:
                found.empty.append(f"{name} ← {paths[name]}")
            else:
                found.faults.append(f"{name} ← {paths[name]}:{row[0]} 条都没有值。{near}")


def _cause(
    reason: str, example: str | None, expected: str, path: str, not_mapped: list[str]
) -> str:
    """What is wrong and what it probably comes from."""
    if reason == "missing_key":
        return "没有编号。请核对 key 的路径"
    if reason == "missing_required":
        return "缺少必填的值。" + (_near(path, not_mapped) or "请核对路径,或取消 required")
    if reason == "unknown_code":
        return f"的代码“{example}”不在{expected}。请补入代码表,或设 unknown: keep"
    if reason == "not_scalar":
        return f"不是单个的值而是{example}。路径应再深入一层"
    return f"“{example}”不是{expected}。请核对 type,时间可在 format 中写明写法"


def _near(path: str, not_mapped: list[str]) -> str:
    close = difflib.get_close_matches(path, not_mapped, 3, 0.6)
    return f"路径可能写错,相近的字段:{'、'.join(close)}" if close else ""
