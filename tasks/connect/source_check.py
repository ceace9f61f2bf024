"""Looking at a source through its file: one page of each resource, nothing written anywhere.

For the person who is writing the file: the request as it went out (without secrets), the
first records field by field, what was not mapped, what is wrong and what is its likely cause.
"""

from __future__ import annotations

import difflib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import duckdb

from tasks import clock
from tasks.connect.cursor_check import cursor_faults, cursor_hints
from tasks.connect.mapping import own_codes
from tasks.connect.paging import paging_of
from tasks.connect.vocabulary import compact, part
from tasks.load.typed import ListTyping, code_key, codes_table, folded_table, make_codes, prepare
from tasks.sources import address, database
from tasks.sources.client import Client
from tasks.sources.compiled import Context
from tasks.sources.connector import ApiPull, control_count, cursor_text, requests_of
from tasks.sources.errors import SourceContractError, SourceError
from tasks.sources.exchange import Request
from tasks.sources.folder import Entry, Placed, open_folder, projector_of, wanted_of
from tasks.sources.landing import LandingWriter
from tasks.sources.landing import left_out as left_out_of
from tasks.sources.model import ApiKey, Child, Resource, Single, Source
from tasks.sources.page import Page, business_code, is_same
from tasks.sources.windows import Window, parse_moment, split
from tasks.sources.workbook import SKIPPED, Sheet, UnreadableWorkbook, read_workbook
from warehouse.lake import in_memory
from warehouse.sql import named, quoted

SAMPLE = 50
MOST_WORDINGS = 20
LEFT_OUT = {"not_selected": "不符合 where", **SKIPPED}
"""Why a record of a source is none of ours, and what that is called."""
PLACEHOLDERS = ("0000-00-00", "0001-01-01", "1899-12-30", "1900-01-01", "1970-01-01", "9999-12-31", "2099-12-31", "2999-12-31")  # fmt: skip
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


@dataclass(frozen=True)
class Account:
    """What became of the records of the page: each is in one of these numbers."""

    read: int
    kept: int
    removed: int
    rejected: int
    joined: int
    left_out: dict[str, int]

    @property
    def text(self) -> str:
        """For people: 读到 50 = 保留 46 + 登记作废 2 + 退回 2."""
        parts = [f"保留 {self.kept:,}"]
        parts += [f"登记作废 {self.removed:,}"] if self.removed else []
        parts += [f"退回 {self.rejected:,}"] if self.rejected else []
        parts += [f"编号重复 {self.joined:,}"] if self.joined else []
        parts += [f"{LEFT_OUT[reason]} {count:,}" for reason, count in self.left_out.items()]
        return f"读到 {self.read:,} = {' + '.join(parts)}"


@dataclass(frozen=True)
class UnknownCodes:
    """Values of a column that its code map lacks, each with its number, and what becomes of them."""

    column: str
    map: str
    unknown: str
    values: dict[str, int]


@dataclass
class ListCheck:
    """What was found of a resource, or of one kind of its children.

    `places` are the pages or files that were read, by their names. `not_mapped` are fields of the source that nothing declares, `empty` columns for which no
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
    places: list[str] = field(default_factory=list)
    account: Account | None = None
    unknown_codes: list[UnknownCodes] = field(default_factory=list)
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
            found.not_mapped = _look(source, rule)(source, rule, writer, found)
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
                    _account(connection, files, result)
                yield result


Look = Callable[[Source, Resource, LandingWriter, ListCheck], list[str]]


def _look(source: Source, rule: Resource) -> Look:
    """How a resource is looked at."""
    if rule.workbook is not None:
        return _look_at_workbooks
    return _look_at_query if rule.query is not None else _look_at_api


def _look_at_query(
    source: Source, rule: Resource, writer: LandingWriter, found: ListCheck
) -> list[str]:
    assert rule.query is not None
    found.request = rule.query.strip()
    with database.opened(source) as asked:
        names = database.asked_of(rule)
        columns = asked.columns(rule.query)
        lacking = [name for name in names if name not in columns]
        if lacking:
            raise SourceContractError(f"查询没有列 {'、'.join(lacking)};有:{'、'.join(columns)}")
        found.total = asked.count(rule.query, "")
        projector = database.projector_of(rule)
        for rows in asked.rows(rule.query, names, limit=SAMPLE):
            projector.project(rows, {"$each": {}}, writer)
        found.records_on_page = projector.read
    if rule.cursor is None and not rule.full_list:
        found.hints.append("没有写 cursor 与 full_list:每次取全部,且看不到来源中删除的记录")
    return [name for name in columns if name not in names]


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
            found.request = _shown(all_shown(client, page.answer.request), sent)
            found.places = [_page_text(rule, page)]
            found.records_on_page, found.total = len(page.records), page.total
            if page.records:
                found.hints = list(_hints(source, rule, page, run.second_page(request)))
                found.hints += cursor_hints(client, source, rule, page, run.first_page)
                found.faults += cursor_faults(client, source, rule, run.first_page)
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
        if not entries:
            raise SourceContractError(
                f"{source.title}·{found.title}的目录 {found.request} 中没有符合 {'、'.join(rule.workbook.match)} 的文件"
            )
        found.hints += _not_read(entries)
        for entry in entries[-WORKBOOKS:]:
            try:
                sheets = read_workbook(entry.read(), entry.name, rule.workbook, wanted_of(rule))
            except UnreadableWorkbook as error:
                raise SourceContractError(f"{entry.name}:{error}") from error
            for sheet in sheets:
                count = sum(1 for _ in sheet.records())
                found.places.append(
                    f"{entry.name}{'#' + sheet.name if sheet.name else ''} {count:,} 行"
                )
                undeclared.update(sheet.undeclared)
                for number, record in sheet.records():
                    context: Context = sheet.around(entry.name, entry.listing, number)
                    place = f"{entry.name}#{sheet.name}!{number}"
                    projector.project([record], context, Placed(writer, place))
                    found.records_on_page += 1
                found.hints += [f"{entry.name}#{sheet.name}:{note}" for note in sheet.notes]
                for number, reason in sheet.skipped:
                    skipped = Placed(writer, f"{entry.name}#{sheet.name}!{number}")
                    skipped.add(left_out_of(rule.name), [{"$id": None, "$reason": reason}])
                if sheet.skipped:
                    found.hints.append(
                        f"{entry.name}#{sheet.name}:{len(sheet.skipped)} 行不算记录:{_places(sheet)}"
                    )
    return sorted(undeclared)


def _not_read(entries: list[Entry]) -> list[str]:
    if len(entries) <= WORKBOOKS:
        return []
    rest = [entry.name for entry in entries[:-WORKBOOKS]]
    named = "、".join(rest[:SHOWN]) + (" 等" if len(rest) > SHOWN else "")
    return [f"目录中有 {len(entries)} 个文件,只看了最后 {WORKBOOKS} 个;没有看:{named}"]


def _page_text(rule: Resource, page: Page) -> str:
    """What was read of a list: which page, of how many."""
    if page.total is None or isinstance(rule.paginator, Single) or not page.records:
        return f"第 1 页 {len(page.records):,} 条"
    return f"第 1 页 {len(page.records):,} 条(按此共 {-(-page.total // len(page.records)):,} 页)"


def all_shown(client: Client, request: Request) -> str:
    """The request with every parameter as it is, but for what proves who asks."""
    auth = client.source.auth
    proofs = {
        *getattr(auth, "params", ()),
        *(n for n in (getattr(auth, "token_param", None),) if n),
        *([auth.name] if isinstance(auth, ApiKey) else []),
    }
    pairs = [
        *parse_qsl(urlsplit(request.url).query, keep_blank_values=True),
        *request.params.items(),
    ]
    names = {n for n, _ in pairs if n not in proofs and compact(n) not in part("secret")}
    shown = f"{request.method} {address.shown(request.url, names, request.params)}"
    if request.body is None:
        return shown
    body = (
        request.body
        if isinstance(request.body, str)
        else json.dumps(
            {
                n: "***" if compact(n) in part("secret") or n in getattr(auth, "body", ()) else v
                for n, v in request.body.items()
            },
            ensure_ascii=False,
        )
    )
    return f"{shown}\n{body.strip()}"


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
    found.unknown_codes = list(_unknown_codes(connection, typing))
    found.hints += _placeholders(connection, typing)
    found.hints += _foreign_codes(connection, typing)
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


def _unknown_codes(
    connection: duckdb.DuckDBPyConnection, typing: ListTyping
) -> Iterator[UnknownCodes]:
    """What each code map of the list lacks, the commonest first."""
    for item in typing.columns:
        if item.rule.codes is None:
            continue
        raw = named(f"{item.column.name}$")
        rows = connection.execute(
            f"SELECT {raw}, count(*) FROM looked WHERE {raw} IS NOT NULL"
            f" AND {raw} NOT IN (SELECT code FROM {codes_table(typing.source, item.rule.codes)})"
            f" AND {code_key(raw)} NOT IN (SELECT code FROM {folded_table(typing.source, item.rule.codes)})"
            f" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_WORDINGS}"
        ).fetchall()
        if rows:
            unknown = typing.source.code_maps[item.rule.codes].unknown
            yield UnknownCodes(item.column.name, item.rule.codes, unknown, dict(rows))


def _foreign_codes(connection: duckdb.DuckDBPyConnection, typing: ListTyping) -> Iterator[str]:
    """Columns of codes that have no code map, and hold values that are none of our codes."""
    for item in typing.columns:
        own = own_codes(item.column)
        if item.rule.codes is not None or not own:
            continue
        name = named(item.column.name)
        listed = ", ".join(quoted(code) for code in own)
        values = [
            value
            for (value,) in connection.execute(
                f"SELECT DISTINCT {name} FROM looked WHERE {name} IS NOT NULL AND {name} NOT IN ({listed})"
                f" ORDER BY 1 LIMIT {SHOWN + 1}"
            ).fetchall()
        ]
        if values:
            shown = "、".join(values[:SHOWN]) + (" 等" if len(values) > SHOWN else "")
            yield (
                f"{item.column.name} 的值 {shown} 不是本库代码,年度数字不会计入;请写代码表(codes),"
                f"本库代码:{'、'.join(own)}"
            )


def _placeholders(connection: duckdb.DuckDBPyConnection, typing: ListTyping) -> Iterator[str]:
    """Days that systems write where there is none."""
    for item in typing.columns:
        if item.type not in ("date", "timestamp"):
            continue
        raw = named(f"{item.column.name}$")
        listed = ", ".join(quoted(day) for day in PLACEHOLDERS)
        for day, count in connection.execute(
            f"SELECT left(replace({raw}, '/', '-'), 10) AS day, count(*) FROM looked"
            f" WHERE day IN ({listed}) GROUP BY 1"
        ).fetchall():
            yield (
                f"{item.column.name} 有 {count} 条为 {day},像是“没有”的占位:"
                f'确是如此即写入来源的 null_values(如 null_values: ["{day}"],连同时分秒照来源的写法)'
            )


def _account(
    connection: duckdb.DuckDBPyConnection, files: Mapping[str, list[str]], found: ListCheck
) -> None:
    """What became of each record that was read; `looked` and `wrong` hold them."""
    row = connection.execute(
        'SELECT count(*), count(*) FILTER ("$fault"),'
        ' count(*) FILTER (NOT "$fault" AND coalesce("$removed" = \'true\', false)),'
        ' count(DISTINCT "$id") FILTER (NOT "$fault"), count(*) FILTER (NOT "$fault") FROM looked'
    ).fetchone()
    assert row is not None
    landed, rejected, removed, different, good = row
    left_out: dict[str, int] = {}
    for file in files.get(left_out_of(found.name), []):
        for reason, count in connection.execute(
            f"SELECT \"$reason\", count(*) FROM read_json({quoted(file)}, format = 'newline_delimited',"
            " columns = {'$reason': 'VARCHAR'}) GROUP BY 1"
        ).fetchall():
            left_out[reason] = left_out.get(reason, 0) + count
    found.account = Account(
        read=landed + sum(left_out.values()),
        kept=different - removed,
        removed=removed,
        rejected=rejected,
        joined=good - different,
        left_out=left_out,
    )


_DAY = re.compile(r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?(?:[ T].*)?|\d{8}")


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
    if example is not None and _DAY.fullmatch(example):
        return f"“{example}”没有这一天(或时刻)。请在来源更正;是“没有”的占位时写入 null_values"
    return f"“{example}”不是{expected}。请核对 type,时间可在 format 中写明写法"


def _near(path: str, not_mapped: list[str]) -> str:
    close = difflib.get_close_matches(path, not_mapped, 3, 0.6)
    return f"路径可能写错,相近的字段:{'、'.join(close)}" if close else ""
