"""A list whose pages each name the next, read to the one that names none."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor

from tasks.sources.errors import SourceContractError
from tasks.sources.exchange import Request
from tasks.sources.model.paginator import Chained
from tasks.sources.page import Page, Pages, is_same, mark_of


class ChainedList:
    """One list; the next page is fetched while this one is being used."""

    def __init__(
        self, pages: Pages, paginator: Chained, request: Request, executor: Executor | None
    ) -> None:
        self._pages = pages
        self._paginator = paginator
        self._request = request
        self._executor = executor
        self._came = 0

    def read(self) -> Iterator[Page]:
        """Every page, in order. Raises SourceError."""
        client, paginator = self._pages.client, self._paginator
        seen: set[int] = set()
        page, number = self._pages.first(paginator.first(self._request)), 1
        while True:
            self._pages.guard(number, paginator.most_pages)
            self._came += len(page.records)
            following = self._following(page)
            if following is None and not self._is_end(page, number):
                again = self._again(page)
                if page.records and not is_same(again, page, self._pages.path):
                    yield page
                page = again
                following = self._following(page)
            if following is None:
                yield page
                return
            mark = mark_of(following)
            if mark in seen:
                raise SourceContractError(
                    f"{client.source.title}的翻页不再前进(第 {number} 页给出的下一页已读过):"
                    f"{client.shown(self._request)}。请核对 paginator 的写法,或与系统厂商核实"
                )
            seen.add(mark)
            future = self._executor.submit(client.get, following) if self._executor else None
            yield page
            answer = future.result() if future else client.get(following)
            page, number = self._pages.page(answer), number + 1

    def _is_end(self, page: Page, number: int) -> bool:
        """Whether a page that names no next one surely is the last: the source's own count says
        so. Any other is asked for again: a slip of the system must not end a list."""
        if self._paginator.most_pages == 1:
            return True
        return page.total is not None and self._came >= page.total

    def _again(self, page: Page) -> Page:
        """The last page once more. Raises SourceContractError where it may be anything but one."""
        again = self._pages.again(page) if not page.records else self._ask(page)
        if again.doubt is not None:
            raise self._pages.refusal(again)
        return again

    def _ask(self, page: Page) -> Page:
        return self._pages.get(page.answer.request)

    def _following(self, page: Page) -> Request | None:
        home = self._pages.client.base_url
        return self._paginator.following(self._request, page.answer, home)
