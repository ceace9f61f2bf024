"""A list whose pages can be asked for by number or position, read to its end.

Where the number of pages is known after the first, pages are fetched side by side. Lists that
shift while they are read are caught by their total.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future

from tasks.sources.errors import RefusedRequest, SourceContractError, SourceError
from tasks.sources.exchange import Answer, Request
from tasks.sources.model.paginator import Numbered
from tasks.sources.page import Page, Pages, fingerprint, is_same

SMALLER_SIZES = (1000, 500, 200, 100, 50, 20, 10)
SAME_PAGES = 3
SHIFT_REPEATS = 3
ROUND = 1000
"""A count of so many records, or a multiple, may be where a system stops counting."""


class NumberedList:
    """One list, from its first page to its proven end."""

    def __init__(
        self, pages: Pages, paginator: Numbered, request: Request, executor: Executor | None
    ) -> None:
        self._pages = pages
        self._paginator = paginator
        self._request = request
        self._executor = executor
        self._size = self._asked = paginator.size
        self._is_short_by_nature = False
        self._total: int | None = None

    def read(self) -> Iterator[Page]:
        """Every page, in order. Raises SourceError."""
        first = self._first()
        yield first
        count = self._page_count(first)
        if count is None:
            yield from self._until_empty(first, 1)
            return
        last, number = yield from self._counted(first, count)
        # Some systems count only so far, or keep their count apart from the list. A last page
        # that is full may have one behind it, whatever the count says.
        if len(last.records) >= (self._size if number > 1 else self._asked):
            yield from self._beyond(last, number)

    def _first(self) -> Page:
        """The first page; finds the page size that the source takes, and the one it gives."""
        paginator = self._paginator
        smaller = [s for s in SMALLER_SIZES if s < self._asked] if paginator.size_param else []
        while True:
            try:
                page = self._pages.first(paginator.at(self._request, 0, self._asked))
                break
            except RefusedRequest as refusal:
                if refusal.status not in (400, 413, 422) or not smaller:
                    raise
                self._asked = smaller.pop(0)
        if 0 < len(page.records) < self._asked and page.total is None:
            # A short page that nothing proves may be a slip, and its size would be taken for all.
            again = self._pages.get(page.answer.request)
            page = again if len(again.records) > len(page.records) else page
        # A system may cap the size or know only one; the whole list may also be shorter.
        # Asking on with the number that came is right in each case. More than was asked for may
        # be records that came twice: they are no reason to leave any out.
        given = len(page.records) or self._asked
        self._size = min(given, self._asked) if paginator.is_positioned else given
        return page

    def _page_count(self, page: Page) -> int | None:
        return self._paginator.page_count(page.answer, self._size)

    def _request_of(self, number: int) -> Request:
        return self._paginator.at(self._request, number * self._size, self._size)

    def _at(self, number: int) -> Page:
        return self._pages.get(self._request_of(number))

    # ---- a list that says how many pages it has

    def _counted(self, first: Page, count: int) -> Generator[Page, None, tuple[Page, int]]:
        """The pages after the first; gives the last one and how many there were."""
        before, number = first, 1
        self._total = first.total
        ahead = self._ahead()
        while number < count:
            self._pages.guard(number, self._paginator.max_pages)
            page = self._pages.page(ahead(number, count))
            page = yield from self._unshifted(page, before, number)
            if number == 1 and is_same(page, first, self._pages.path):
                raise self._standing_still(page)
            if self._paginator.is_positioned and 0 < len(page.records) < self._size:
                yield from self._gap(page, number)
            yield page
            if len(page.records) < self._awaited(page, number, count):
                page = yield from self._once_more(page, number)
            before, number = page, number + 1
            self._total = self._total if page.total is None else page.total
            newest = self._page_count(page)
            count = count if newest is None else newest
        return before, number

    def _unshifted(self, page: Page, before: Page, number: int) -> Generator[Page, None, Page]:
        """The page, read again with the one before it while the list shrinks between the two.

        A smaller total than on the page before means that it did, or that this page is older
        than that one because they were fetched side by side. Either way a record may have slipped
        across the boundary. Records that come twice are joined by their key.
        """
        for _ in range(SHIFT_REPEATS):
            if page.total is None or before.total is None or page.total >= before.total:
                break
            before = self._at(number - 1)
            yield before
            page = self._at(number)
        return page

    def _awaited(self, page: Page, number: int, count: int) -> int:
        """How many records the page should have: all but the last are full."""
        if number < count - 1:
            return self._size
        total = page.total if page.total is not None else self._total
        return 1 if total is None else max(total - number * self._size, 0)

    def _once_more(self, page: Page, number: int) -> Generator[Page, None, Page]:
        """A page that came short, asked for again; a system may slip once.

        One that hides records from us always gives short pages: it is asked only once.
        """
        if not page.records:
            again = self._pages.again(page)
            # One that stays empty within the count may be hidden from us; only a count of records
            # tells of those it lacks.
            if not again.records and (again.doubt is not None or again.total is None):
                raise self._pages.refusal(again)
        elif self._is_short_by_nature:
            return page
        else:
            again = self._at(number)
        if len(again.records) <= len(page.records):
            self._is_short_by_nature = self._is_short_by_nature or bool(page.records)
            return page
        yield again
        return again

    def _gap(self, page: Page, number: int) -> Iterator[Page]:
        """What a page that came short left out (systems that cap an answer by its bytes)."""
        start, end = number * self._size + len(page.records), (number + 1) * self._size
        while start < min(end, page.total or 0):
            rest = self._pages.get(self._paginator.at(self._request, start, end - start))
            if not rest.records:
                return
            yield rest
            start += len(rest.records)

    def _ahead(self) -> Callable[[int, int], Answer]:
        """Answers by page number, a few fetched ahead side by side."""
        client, executor = self._pages.client, self._executor
        if executor is None:
            return lambda number, count: client.get(self._request_of(number))
        depth = client.source.http.concurrency * 2
        waiting: deque[tuple[int, Future[Answer]]] = deque()

        def answer(number: int, count: int) -> Answer:
            following = waiting[-1][0] + 1 if waiting else number
            while following < count and len(waiting) < depth:
                request = self._request_of(following)
                waiting.append((following, executor.submit(client.get, request)))
                following += 1
            found, future = waiting.popleft()
            assert found == number
            return future.result()

        return answer

    def _beyond(self, last: Page, number: int) -> Iterator[Page]:
        """What is behind a full last page, where the count says that there is nothing."""
        try:
            behind = (number - 1) * self._size + len(last.records)
            page = self._pages.get(self._request_after(number, behind), retries=0)
        except SourceError as error:
            self._end_of_count(last, error)
            return
        if not page.records or is_same(page, last, self._pages.path):
            self._pages.use(page)
            self._end_of_count(last, page.doubt)
            return
        yield page
        yield from self._until_empty(page, number + 1)

    def _end_of_count(self, last: Page, reason: SourceError | str | None) -> None:
        """Judge a list that ended where its count says. Raises SourceContractError when that is
        where such systems stop counting and serving."""
        client, total = self._pages.client, last.total
        if total is not None and total % ROUND == 0 and not self._paginator.exact_total:
            raise SourceContractError(
                f"{client.source.title}的清单自报 {total:,} 条,末页已满而其后的页取不到"
                f"({_told(reason)}),疑为系统最多只给 {total:,} 条:"
                f"{client.shown(last.answer.request)}。请用 windows 或 cursor 分段拉取;"
                "确为恰好这么多条的,在 paginator 中写 exact_total: true"
            )
        is_end = isinstance(reason, RefusedRequest) and reason.status in self._paginator.past_end
        if reason is not None and not is_end:
            self._pages.notes.append(
                f"末页已满而其后的页取不到({_told(reason)});按自报的条数"
                f"{f' {total:,}' if total is not None else ''}算作读完"
            )

    # ---- a list that does not

    def _until_empty(self, page: Page, number: int) -> Iterator[Page]:
        """One after the other from `number` on, until a page is empty, says it is the last, or
        repeats itself. `page` is the one before."""
        paginator = self._paginator
        same, seen = 0, fingerprint(page)
        position = (number - 1) * self._size + len(page.records)
        while page.records:
            if paginator.ends_with(page.answer):
                again = self._without_flag(page)
                if again is None or paginator.ends_with(again.answer):
                    return
                page = again
                yield page
            self._pages.guard(number, paginator.max_pages)
            following = self._following(self._request_after(number, position))
            if following is None:
                return
            if len(page.records) < self._size and not paginator.is_positioned and following.records:
                # The page before was not the last after all.
                yield from self._once_more(page, number - 1)
            page = following
            mark = fingerprint(page)
            same = same + 1 if mark == seen else 0
            # Some systems give the last page again for every number beyond it.
            if same >= SAME_PAGES:
                self._pages.use(page)
                return
            seen = mark
            position += len(page.records)
            number += 1
            if page.records:
                yield page

    def _without_flag(self, page: Page) -> Page | None:
        """A page that does not say whether there is more, asked for again; None for one that says
        that there is not."""
        if self._paginator.says_end(page.answer):
            return None
        return self._pages.get(page.answer.request)

    def _request_after(self, number: int, position: int) -> Request:
        """The request for the page of that number, or from that position on where it can be asked for."""
        if not self._paginator.is_positioned:
            return self._request_of(number)
        return self._paginator.at(self._request, position, self._size)

    def _following(self, wanted: Request) -> Page | None:
        """The page after the last one read; None when the system refuses it as being beyond its
        end. Raises what `Client.get` raises, and SourceContractError for an answer that may be
        anything but an empty page."""
        refusals = 0
        while True:
            try:
                page = self._pages.get(wanted)
            except RefusedRequest as refusal:
                if refusal.status not in self._paginator.past_end:
                    raise RefusedRequest(
                        f"{refusal}。若系统以此表示已无更多页,在 paginator 中写 past_end: {refusal.status}",
                        refusal.status,
                    ) from None
                # Once may be a slip of the system; a list must not end on one.
                refusals += 1
                if refusals > 1:
                    return None
                continue
            if not page.records:
                page = self._pages.again(page)
                if page.doubt is not None:
                    raise self._pages.refusal(page)
            return page

    def _standing_still(self, page: Page) -> SourceContractError:
        client = self._pages.client
        return SourceContractError(
            f"{client.source.title}的第二页与第一页相同,翻页参数没有起作用:"
            f"{client.shown(page.answer.request)}。"
            "请核对 paginator 的参数名与 send_in;本资源未写入任何数据"
        )


def _told(reason: SourceError | str | None) -> str:
    """Why there is no page, in short."""
    if isinstance(reason, RefusedRequest):
        return f"HTTP {reason.status}"
    if isinstance(reason, SourceError):
        return "没有正常响应"
    return reason or "空页或重复的页"
