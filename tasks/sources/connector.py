"""A pull from an API: requests, pages, details and children, projected into a landing."""

from __future__ import annotations

import contextlib
import gc
import itertools
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import repeat
from typing import Any

from tasks.sources import address, raw_body
from tasks.sources.client import Client
from tasks.sources.compiled import Context, Row
from tasks.sources.errors import SourceContractError
from tasks.sources.exchange import Request
from tasks.sources.landing import LandingWriter, ListCounts, left_out
from tasks.sources.list_reader import ListReader
from tasks.sources.model import (
    Child,
    ControlTotal,
    Detail,
    Resource,
    Source,
    WindowRule,
)
from tasks.sources.model.paginator import Chained, Numbered
from tasks.sources.page import Page
from tasks.sources.project import Projector
from tasks.sources.select import compile_path, fill
from tasks.sources.side_by_side import SideBySide
from tasks.sources.windows import Window, write_moment, write_window

Progress = Callable[[int, int | None], None]
MOST_MISSING = 3
MOST_COUNTED = 300_000
MOST_PASSES = 3


def base_request(
    client: Client, rule: Resource | Child | Detail | ControlTotal, values: Mapping[str, Any]
) -> Request:
    """The request of a resource, child, detail or count, its places filled from `values`."""
    assert rule.path is not None
    return Request(
        url=address.join(client.base_url, fill(rule.path, values)),
        method=rule.method,
        params=fill(dict(rule.params), values),
        headers={} if isinstance(rule, ControlTotal) else fill(dict(rule.headers), values),
        body=_filled(rule.body, values),
        body_type=rule.body_type,
        # A count's `format` is how its window is written, not how it answers.
        form=rule.answer_format if isinstance(rule, ControlTotal) else rule.format,
        encoding=None if isinstance(rule, ControlTotal) else rule.encoding,
    )


def _filled(body: Any, values: Mapping[str, Any]) -> Any:
    """A body with its places filled; those of a text that nothing fills yet stay for the pages."""
    return raw_body.filled(body, values) if isinstance(body, str) else body and fill(body, values)


def requests_of(
    client: Client,
    source: Source,
    resource: Resource,
    *,
    since: str | None,
    until: str | None,
    windows: tuple[Window, ...],
) -> list[tuple[Request, Context]]:
    """A request for each window and each value of `for_each`, with what the fields may ask of it."""
    listed = []
    names = list(resource.for_each)
    for values in itertools.product(*resource.for_each.values()):
        each = dict(zip(names, values, strict=True))
        request = base_request(client, resource, each)
        cursor = resource.cursor
        if cursor is not None:
            client.visible |= {cursor.param, cursor.end_param or ""}
            if since is not None:
                request = request.with_values({cursor.param: since}, cursor.send_in)
            if until is not None and cursor.end_param is not None:
                request = request.with_values({cursor.end_param: until}, cursor.send_in)
        context: Context = {"$each": each}
        if not windows:
            listed.append((request, context))
        rule = resource.windows
        for window in windows:
            assert rule is not None
            ends = _window_values(client, source, rule, window)
            listed.append((request.with_values(ends, rule.send_in), context))
    return listed


def _window_values(
    client: Client, source: Source, rule: WindowRule | ControlTotal, window: Window
) -> dict[str, str | int]:
    """The parameters that ask for a window; messages may show them."""
    start, end = write_window(
        window,
        rule.format,
        rule.timezone or source.timezone,
        to_is_inclusive=rule.to_is_inclusive,
    )
    assert rule.from_param is not None
    client.visible |= {rule.from_param, rule.to_param or rule.from_param}
    if rule.to_param is None:
        return {rule.from_param: fill(rule.both, {"from": start, "to": end})}
    return {rule.from_param: start, rule.to_param: end}


_pulls = 0
_pulls_lock = threading.Lock()
_usual_threshold = gc.get_threshold()


@contextlib.contextmanager
def few_collections() -> Iterator[None]:
    """Let the garbage collector look less often while pages are decoded.

    Records are trees without cycles and are gone after each page; looking for cycles among
    them takes a fifth of the time. The usual pace is back after the last pull.
    """
    global _pulls, _usual_threshold
    with _pulls_lock:
        if _pulls == 0:
            _usual_threshold = gc.get_threshold()
            gc.set_threshold(100_000, 50, 50)
        _pulls += 1
    try:
        yield
    finally:
        with _pulls_lock:
            _pulls -= 1
            if _pulls == 0:
                gc.set_threshold(*_usual_threshold)


@dataclass
class _Came:
    """What came of one list: `rows` with those that came twice, `doubled` how many the list itself
    has more often than once."""

    seen: set[int] = field(default_factory=set)
    rows: int = 0
    doubled: int = 0

    @property
    def counted(self) -> int:
        """How many records came, as the source counts them."""
        return len(self.seen) + self.doubled


class _Counted:
    """Passes rows on and counts the records of each list among them, those that are left out too.

    A record that is in the lists of two spans is counted by the source in each; within one list
    it came twice because the list moved while it was read, or because the list has it twice.
    """

    def __init__(self, writer: LandingWriter, name: str) -> None:
        self._writer = writer
        self._names = (name, left_out(name))
        self.lists: dict[int, _Came] = defaultdict(_Came)
        self.current = 0
        self._is_known = True

    @property
    def knows(self) -> bool:
        """Whether records are told apart: too many are not counted in memory."""
        return self._is_known

    def add(self, name: str, rows: list[Row]) -> None:
        if name in self._names:
            if self._is_known:
                came = self.lists[self.current]
                came.rows += len(rows)
                came.seen.update([hash(row["$id"] or tuple(row.values())) for row in rows])
            if sum(len(came.seen) for came in self.lists.values()) > MOST_COUNTED:
                self._is_known = False
                self.lists.clear()
        self._writer.add(name, rows)

    @property
    def counted(self) -> int | None:
        """How many records came, as the source counts them."""
        return sum(came.counted for came in self.lists.values()) if self.knows else None

    @property
    def doubled(self) -> int:
        """How many of them came before, from this list or another."""
        different = len(set().union(*(came.seen for came in self.lists.values())))
        return (self.counted or different) - different


class ApiPull:
    """One pull of one resource, from the first request to the last landed row."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        writer: LandingWriter,
        progress: Progress | None = None,
    ) -> None:
        self._client = client
        self._resource = resource
        self._writer = _Counted(writer, resource.name)
        self._progress = progress
        self.projector = Projector(resource)
        self.asked_children = [
            (child, Projector(child)) for child in resource.children if child.path is not None
        ]
        self._declared = (
            self.projector.declared(_around(client.source, resource))
            if resource.format == "json" and resource.detail is None and not self.asked_children
            else None
        )
        self.expected_rows: int | None = None
        self.notes: list[str] = []
        self._totals: dict[int, int] = {}

    @property
    def counts(self) -> dict[str, ListCounts]:
        """What came of each list so far."""
        return {p.name: ListCounts(p.read) for p in self.projectors}

    @property
    def doubled(self) -> int:
        """How many of the records that the source counts are one that it counts already."""
        return self._writer.doubled

    @property
    def projectors(self) -> list[Projector]:
        """Of the resource and all its children."""
        asked = [projector for _, projector in self.asked_children]
        return [self.projector, *self.projector.children, *asked]

    def run(self, listed: list[tuple[Request, Context]]) -> None:
        """Fetch every request's list and land it. Raises SourceError."""
        concurrency = self._client.source.http.concurrency
        with few_collections(), ThreadPoolExecutor(concurrency, "fetch") as executor:
            try:
                for stream, page in self._pages(listed, executor):
                    if page.total is not None:
                        self._totals[stream] = page.total
                    self._writer.current = stream
                    self._land(page, listed[stream][1], executor)
            finally:
                executor.shutdown(wait=True, cancel_futures=True)
        if len(self._totals) == len(listed):
            self.expected_rows = sum(self._totals.values())
        self._note_shortage()
        self._complain_if_missing()

    def run_pages(self, listed: list[tuple[Request, Context]], most: int) -> int:
        """Fetch and land the first pages of the lists, so many in all; how many there were.

        Raises SourceError."""
        read = 0
        with few_collections(), ThreadPoolExecutor(1, "pages") as executor:
            for stream, (request, context) in enumerate(listed):
                self._writer.current = stream
                for page in itertools.islice(self._lister(None).pages(request), most - read):
                    self._land(page, context, executor)
                    read += 1
                if read >= most:
                    break
        return read

    def sample(self, request: Request, context: Context, most: int) -> Page:
        """Land the first records of the first page only, with their details and children."""
        with ThreadPoolExecutor(1, "sample") as executor:
            page = self.first_page(request)
            self._land(replace(page, records=page.records[:most]), context, executor)
        return page

    def first_page(self, request: Request) -> Page:
        """The first page of a list, landing nothing. Raises SourceError."""
        return next(self._reader(self._resource, None).pages(request))

    def second_page(self, request: Request) -> Page | None:
        """The page after the first, of a list whose pages are asked for by number.

        None when there is none. Raises SourceError.
        """
        if not isinstance(self._resource.paginator, Numbered):
            return None
        pages = self._reader(self._resource, None).pages(request)
        return next(itertools.islice(pages, 1, None), None)

    def _note_shortage(self) -> None:
        came, expected = self._writer.counted, self.expected_rows
        if expected is not None and came is not None and came < expected:
            self.notes.append(
                f"来源自报 {expected:,} 条,反复读取只得 {came:,} 条;少的记录可能未对本账号开放,或翻页有误"
            )

    def _pages(
        self, listed: list[tuple[Request, Context]], executor: Executor
    ) -> Iterator[tuple[int, Page]]:
        """The pages of every list, each with the number of its list; what slipped a second time."""
        concurrency = self._client.source.http.concurrency
        if len(listed) == 1 or concurrency == 1:
            for stream, (request, _) in enumerate(listed):
                yield from zip(repeat(stream), self._lister(executor).pages(request), strict=False)
        else:
            lists = [partial(self._lister(None).pages, request) for request, _ in listed]
            yield from SideBySide(lists, concurrency).pages()
        for stream, (request, _) in enumerate(listed):
            yield from self._again(stream, request)

    def _again(self, stream: int, request: Request) -> Iterator[tuple[int, Page]]:
        """A list that moved while it was read, once more."""
        for _ in range(MOST_PASSES - 1):
            if not self._has_slipped(stream):
                return
            came = self._writer.lists[stream]
            different, rows = len(came.seen), came.rows
            # One page after the other this time, so that less can move in between.
            for page in self._lister(None).pages(request):
                yield stream, page
            if self._writer.knows and len(came.seen) == different:
                # Read twice alike: the list itself has records twice, or it came short.
                came.doubled = max(min(came.rows - rows, self._totals[stream]) - different, 0)
                return

    def _has_slipped(self, stream: int) -> bool:
        """Whether records came twice while others did not come at all.

        That is how a list looks that grew and shrank between two pages: its totals agree. A
        chain of pages has been cut where fewer records came than it says it has.
        """
        total = self._totals.get(stream)
        if not self._writer.knows or total is None:
            return False
        came = self._writer.lists[stream]
        is_chain = isinstance(self._resource.paginator, Chained)
        if came.rows == len(came.seen) and not is_chain:
            return False
        return len(came.seen) < total

    def _lister(self, executor: Executor | None) -> ListReader:
        """A reader of the resource's own list."""
        rule = self._resource
        return ListReader(
            self._client, rule.paginator, rule.records, executor, self._declared, self.notes
        )

    def _reader(self, rule: Resource | Child, executor: Executor | None) -> ListReader:
        return ListReader(self._client, rule.paginator, rule.records, executor, notes=self.notes)

    def _land(self, page: Page, context: Context, executor: Executor) -> None:
        projector = self.projector
        before = projector.read
        if self._resource.detail is None and not self.asked_children:
            projector.project(page.records, context, self._writer)
        else:
            self._land_with_requests(page.records, context, executor)
        if before == 0:
            self._complain_if_missing()
        if self._progress is not None:
            total = sum(self._totals.values()) if self._totals else None
            self._progress(projector.read, total)

    def _land_with_requests(self, records: list[Any], context: Context, executor: Executor) -> None:
        """Land records that need further requests, those side by side."""
        selected = self.projector.selected(records, context, self._writer)
        detail = self._resource.detail
        details: list[Any] = [None] * len(selected)
        if detail is not None:
            select = compile_path(detail.records)

            def ask(record: Any) -> Any:
                request = base_request(self._client, detail, {**record, **context})
                return select(self._client.body(self._client.get(request)))

            details = list(executor.map(ask, selected))
        for record, found in zip(selected, details, strict=True):
            own = {**context, "$detail": found} if detail is not None else context
            self.projector.project([record], own, self._writer)
        for child, projector in self.asked_children:

            def ask_list(record: Any, child: Child = child) -> list[Any]:
                request = base_request(self._client, child, {**record, **context})
                reader = self._reader(child, None)
                return [found for page in reader.pages(request) for found in page.records]

            for record, found in zip(selected, executor.map(ask_list, selected), strict=True):
                identity = self.projector.identity(record, context)
                inner = {**context, "$parent": record, "$parent_id": identity}
                projector.project(found, inner, self._writer)

    def _complain_if_missing(self) -> None:
        """Stop when a required field is in no record at all: the source has changed its form."""
        for projector in self.projectors:
            missing = projector.always_missing() if projector.landed >= MOST_MISSING else []
            if missing:
                column, paths = missing[0]
                raise SourceContractError(
                    f"{self._client.source.title}·{projector.rule.title or projector.name}"
                    f"缺少必填字段:{column} ← {'、'.join(paths)},已读 {projector.landed} 条都没有值。"
                    f"记录中有:{'、'.join(projector.names_seen())}。"
                    "请与系统厂商核实接口是否变动,并修改来源文件的 path;本资源未写入任何数据"
                )


def _around(source: Source, resource: Resource) -> list[str]:
    """Paths in an answer, beside the records, by which it is judged and the next one found."""
    success = source.success
    paths = list(resource.paginator.paths.values())
    paths += [path for path in (success.path, success.message) if path] if success else []
    return paths + source.auth.paths


def control_count(client: Client, source: Source, rule: ControlTotal, window: Window | None) -> int:
    """The source's own count, of one window or of all. Raises SourceError."""
    request = base_request(client, rule, {})
    if window is not None:
        request = request.with_values(_window_values(client, source, rule, window))
    answer = client.get(request)
    if rule.total_header is not None:
        found = answer.headers.get(rule.total_header)
    else:
        found = compile_path(rule.total)(client.body(answer))
    try:
        return int(str(found))
    except ValueError:
        where = rule.total or f"响应头 {rule.total_header}"
        raise SourceContractError(
            f"{source.title}的计数接口没有给出条数 {where}:{client.shown(request)}。"
            "请核对 control_total.total"
        ) from None


def cursor_text(source: Source, resource: Resource, value: Any) -> str:
    """A cursor value as the request writes it."""
    cursor = resource.cursor
    assert cursor is not None
    if cursor.kind == "number":
        return str(value)
    return write_moment(value, cursor.format, cursor.timezone or source.timezone)
