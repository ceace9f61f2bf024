"""Page by page through an answer list, whatever way the source cuts it.

Where the number of pages is known after the first, pages are fetched side by side. Lists
that shift while they are read are caught by their total: see `_numbered`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

from tasks.sources import address
from tasks.sources.client import Client
from tasks.sources.declared import Declared
from tasks.sources.errors import RefusedRequest, SourceContractError, SourceError
from tasks.sources.exchange import Answer, Request
from tasks.sources.model.paginator import (
    Cursor,
    LinkHeader,
    NextLink,
    Offset,
    PageNumber,
    Paginator,
    Single,
)
from tasks.sources.page import (
    YES,
    Page,
    awaited,
    business_code,
    count_of,
    fingerprint,
    is_same,
    kind_of,
    leads_to_nothing,
    next_link,
    page_count,
)
from tasks.sources.select import compile_path, text

SMALLER_SIZES = (1000, 500, 200, 100, 50, 20, 10)
SAME_PAGES = 3
SHIFT_REPEATS = 3


def parameters(paginator: Paginator) -> set[str]:
    """Names of the parameters of paging; their values may be shown in messages."""
    names = ("page_param", "size_param", "offset_param", "cursor_param")
    return {value for name in names if (value := getattr(paginator, name, None))}


class ListReader:
    """Reads one list: the client, the way of paging, and where the records are.

    With `declared` only what it declares is read of each answer in JSON.
    """

    def __init__(
        self,
        client: Client,
        paginator: Paginator,
        records: str | None,
        executor: Executor | None = None,
        declared: Declared | None = None,
    ) -> None:
        self._declared = declared
        self._client = client
        self._paginator = paginator
        self._path = records
        self._select = compile_path(records)
        self._executor = executor
        self._is_short_by_nature = False
        client.visible |= parameters(paginator)

    def pages(self, request: Request) -> Iterator[Page]:
        """Every page of the list, in order. Raises SourceError."""
        paginator = self._paginator
        request = replace(request, declared=self._declared)
        match paginator:
            case PageNumber() | Offset():
                yield from self._numbered(request, paginator)
            case Cursor():
                yield from self._by_cursor(request, paginator)
            case NextLink() | LinkHeader():
                yield from self._by_link(request, paginator)
            case Single():
                yield self._page(self._client.get(request), is_first=True)

    # ---- page numbers and offsets

    def _numbered(self, request: Request, paginator: PageNumber | Offset) -> Iterator[Page]:
        first, size, asked = self._first(request, paginator)
        yield first
        count = page_count(paginator, size, first)
        if count is None:
            yield from self._until_empty(request, paginator, size, first)
            return
        before, number = first, 1
        ahead = self._ahead(lambda n: self._numbered_request(request, paginator, size, n))
        while number < count:
            self._guard(number, paginator.max_pages)
            page = self._page(ahead(number, count))
            # A smaller total than on the page before means that the list shrank between the
            # two, or that this page is older than that one because they were fetched side by
            # side. Either way a record may have slipped across the boundary: both pages are
            # read again, in order. Records that come twice are joined by their key.
            for _ in range(SHIFT_REPEATS):
                if page.total is None or before.total is None or page.total >= before.total:
                    break
                before = self._at(request, paginator, size, number - 1)
                yield before
                page = self._at(request, paginator, size, number)
            if number == 1 and is_same(page, first, self._path):
                raise self._standing_still(page)
            if isinstance(paginator, Offset) and 0 < len(page.records) < size:
                yield from self._gap(request, paginator, size, number, page)
            yield page
            if len(page.records) < awaited(page, size, number, count):
                page = yield from self._once_more(request, paginator, size, number, page)
            before, number = page, number + 1
            newest = page_count(paginator, size, page)
            count = count if newest is None else newest
        # Some systems count only so far, or keep their count apart from the list. A last page
        # that is full may have one behind it, whatever the count says.
        if len(before.records) >= (size if number > 1 else asked):
            yield from self._until_empty(request, paginator, size, before, number, is_counted=True)

    def _first(self, request: Request, paginator: PageNumber | Offset) -> tuple[Page, int, int]:
        """The first page, the page size that the source really gives, and the one it was asked."""
        size = paginator.size
        smaller = [s for s in SMALLER_SIZES if s < size] if paginator.size_param else []
        while True:
            try:
                page = self._at(request, paginator, size, 0, is_first=True)
                break
            except RefusedRequest as refusal:
                if refusal.status not in (400, 413, 422) or not smaller:
                    raise
                size = smaller.pop(0)
        # A system may cap the size or know only one; the whole list may also be shorter.
        # Asking on with the number that came is right in each case. More than was asked for may
        # be records that came twice: they are no reason to leave any out.
        given = len(page.records) or size
        return page, min(given, size) if isinstance(paginator, Offset) else given, size

    def _numbered_request(
        self, request: Request, paginator: PageNumber | Offset, size: int, number: int
    ) -> Request:
        values: dict[str, str | int] = {}
        if isinstance(paginator, PageNumber):
            values[paginator.page_param] = paginator.start + number
        else:
            values[paginator.offset_param] = paginator.start + number * size
        if paginator.size_param:
            values[paginator.size_param] = min(size, paginator.size)
        return request.with_values(values, paginator.send_in)

    def _at(
        self,
        request: Request,
        paginator: PageNumber | Offset,
        size: int,
        number: int,
        *,
        is_first: bool = False,
    ) -> Page:
        wanted = self._numbered_request(request, paginator, size, number)
        return self._page(self._client.get(wanted), is_first=is_first)

    def _once_more(
        self,
        request: Request,
        paginator: PageNumber | Offset,
        size: int,
        number: int,
        page: Page,
    ) -> Generator[Page, None, Page]:
        """A page that came short, asked for again; a system may slip once.

        One that hides records from us always gives short pages: it is asked only once.
        """
        if self._is_short_by_nature and page.records:
            return page
        again = self._at(request, paginator, size, number)
        if len(again.records) <= len(page.records):
            self._is_short_by_nature = self._is_short_by_nature or bool(page.records)
            return page
        yield again
        return again

    def _gap(
        self, request: Request, paginator: Offset, size: int, number: int, page: Page
    ) -> Iterator[Page]:
        """What a page that came short left out (systems that cap an answer by its bytes)."""
        start, end = number * size + len(page.records), (number + 1) * size
        while start < min(end, page.total or 0):
            values: dict[str, str | int] = {paginator.offset_param: paginator.start + start}
            if paginator.size_param:
                values[paginator.size_param] = end - start
            rest = self._page(self._client.get(request.with_values(values, paginator.send_in)))
            if not rest.records:
                return
            yield rest
            start += len(rest.records)

    def _until_empty(
        self,
        request: Request,
        paginator: PageNumber | Offset,
        size: int,
        page: Page,
        number: int = 1,
        *,
        is_counted: bool = False,
    ) -> Iterator[Page]:
        """One after the other from `number` on, until a page is empty, says it is the last, or
        repeats itself. `page` is the one before; with `is_counted` it should be the last.
        """
        has_more = compile_path(paginator.has_more) if paginator.has_more else None
        same, position = 0, (number - 1) * size + len(page.records)
        seen = fingerprint(page)
        while page.records and (has_more is None or text(has_more(page.answer.body)) in YES):
            self._guard(number, paginator.max_pages)
            if isinstance(paginator, Offset):
                values: dict[str, str | int] = {paginator.offset_param: paginator.start + position}
                if paginator.size_param:
                    values[paginator.size_param] = size
                wanted = request.with_values(values, paginator.send_in)
            else:
                wanted = self._numbered_request(request, paginator, size, number)
            following = self._beyond(wanted, paginator, is_counted=is_counted)
            if following is not None and not following.records and not is_counted:
                # Nothing may be a slip as well; a list must not end on one.
                following = self._beyond(wanted, paginator, is_counted=False)
            if following is None:
                return
            if following.records and len(page.records) < size and isinstance(paginator, PageNumber):
                # The page before was not the last after all.
                yield from self._once_more(request, paginator, size, number - 1, page)
            # Some systems give the last page again for every number beyond it.
            if is_counted and is_same(following, page, self._path):
                return
            page, is_counted = following, False
            mark = fingerprint(page)
            same = same + 1 if mark == seen else 0
            if same >= SAME_PAGES:
                return
            seen = mark
            position += len(page.records)
            number += 1
            if page.records:
                yield page

    def _beyond(
        self, wanted: Request, paginator: PageNumber | Offset, *, is_counted: bool
    ) -> Page | None:
        """The page after the last one read; None when the system says that there is none.

        Raises what `Client.get` raises, except when the list should have ended already.
        """
        if is_counted:
            try:
                return self._page(self._client.get(wanted, retries=0))
            except SourceError:
                return None
        refusals = 0
        while True:
            try:
                return self._page(self._client.get(wanted))
            except RefusedRequest as refusal:
                if refusal.status not in paginator.past_end:
                    raise RefusedRequest(
                        f"{refusal}。若系统以此表示已无更多页,在 paginator 中写 past_end: {refusal.status}",
                        refusal.status,
                    ) from None
                # Once may be a slip of the system; a list must not end on one.
                refusals += 1
                if refusals > 1:
                    return None

    def _ahead(self, request_of: Callable[[int], Request]) -> Callable[[int, int], Answer]:
        """Answers by page number, a few fetched ahead side by side."""
        client, executor = self._client, self._executor
        if executor is None:
            return lambda number, count: client.get(request_of(number))
        depth = client.source.http.concurrency * 2
        waiting: deque[tuple[int, Future[Answer]]] = deque()

        def answer(number: int, count: int) -> Answer:
            following = waiting[-1][0] + 1 if waiting else number
            while following < count and len(waiting) < depth:
                waiting.append((following, executor.submit(client.get, request_of(following))))
                following += 1
            found, future = waiting.popleft()
            assert found == number
            return future.result()

        return answer

    # ---- cursors and links

    def _by_cursor(self, request: Request, paginator: Cursor) -> Iterator[Page]:
        following = compile_path(paginator.next) if paginator.next else None
        has_more = compile_path(paginator.has_more) if paginator.has_more else None
        values: dict[str, str | int] = {}
        if paginator.size_param:
            values[paginator.size_param] = paginator.size
        if paginator.first is not None:
            values[paginator.cursor_param] = paginator.first
        current = request.with_values(values, paginator.send_in)

        def step(answer: Answer) -> Request | None:
            if has_more is not None and text(has_more(answer.body)) not in YES:
                return None
            if following is not None:
                cursor = following(answer.body)
            else:
                cursor = answer.headers.get(paginator.next_header or "")
            if cursor is None or cursor == "":
                return None
            return request.with_values(
                {**values, paginator.cursor_param: cursor}, paginator.send_in
            )

        yield from self._chain(current, step, paginator.max_pages)

    def _by_link(self, request: Request, paginator: NextLink | LinkHeader) -> Iterator[Page]:
        following = compile_path(paginator.next) if isinstance(paginator, NextLink) else None
        if paginator.size_param:
            request = request.with_values({paginator.size_param: paginator.size}, paginator.send_in)

        def step(answer: Answer) -> Request | None:
            link = following(answer.body) if following else next_link(answer.headers)
            if not link:
                return None
            url = address.follow(answer.url, str(link), self._client.base_url)
            # The link carries the whole query; only a body is sent again.
            return replace(request, url=url, params={})

        yield from self._chain(request, step, paginator.max_pages)

    def _chain(
        self, request: Request, step: Callable[[Answer], Request | None], most: int
    ) -> Iterator[Page]:
        """Pages that each name the next, which is fetched while this one is being used."""
        seen: set[int] = set()
        number = 0
        answer = self._client.get(request)
        while True:
            page = self._page(answer, is_first=number == 0)
            number += 1
            self._guard(number, most)
            following = step(page.answer)
            if following is None:
                yield page
                return
            mark = hash((following.url, tuple(following.params.items()), following.content))
            if mark in seen:
                raise SourceContractError(
                    f"{self._client.source.title}的翻页不再前进(第 {number} 页给出的下一页已读过):"
                    f"{self._client.shown(request)}。请核对 paginator 的写法,或与系统厂商核实"
                )
            seen.add(mark)
            future = self._executor.submit(self._client.get, following) if self._executor else None
            yield page
            answer = future.result() if future else self._client.get(following)

    # ---- what a page holds

    def _page(self, answer: Answer, *, is_first: bool = False) -> Page:
        answer = self._client.readable(answer)
        body = answer.body
        total = self._total(answer, body)
        value = self._select(body)
        if not isinstance(value, list):
            # What stands in the place of the list is told by all of the answer.
            body = answer.whole
            value = self._select(body)
        if isinstance(value, list):
            return Page(value, answer, total)
        if isinstance(value, dict) and (
            self._path is not None or isinstance(self._paginator, Single)
        ):
            return Page([value], answer, total)
        if value is None and (not is_first or total == 0 or leads_to_nothing(body, self._path)):
            code = business_code(body) if is_first and total is None else None
            if code is not None and self._client.source.success is None:
                raise SourceContractError(
                    f"{self._client.source.title}的响应中没有记录,而有业务状态码 {code}:"
                    f"{self._client.shown(answer.request)}。"
                    f"请在来源文件写明怎样算成功,如 success: {{path: {code.partition('=')[0]}, values: [200]}},"
                    "以免把出错当作没有记录"
                )
            return Page([], answer, total)
        found = "、".join(list(body)[:20]) if isinstance(body, dict) else kind_of(body)
        raise SourceContractError(
            f"{self._client.source.title}的响应中没有记录列表 {self._path or '(响应体本身)'}:"
            f"{self._client.shown(answer.request)}。响应中有:{found}。请核对 records"
        )

    def _total(self, answer: Answer, body: Any) -> int | None:
        paginator = self._paginator
        if isinstance(paginator, Single):
            return None
        return count_of(paginator.total, paginator.total_header, body, answer.headers)

    def _standing_still(self, page: Page) -> SourceContractError:
        return SourceContractError(
            f"{self._client.source.title}的第二页与第一页相同,翻页参数没有起作用:"
            f"{self._client.shown(page.answer.request)}。"
            "请核对 paginator 的参数名与 send_in;本资源未写入任何数据"
        )

    def _guard(self, number: int, most: int) -> None:
        if number > most:
            raise SourceContractError(
                f"{self._client.source.title}的页数超过上限 {most},疑为无尽翻页,已停止。"
                "请核对 paginator 的写法;确有这么多页时调大 max_pages"
            )
