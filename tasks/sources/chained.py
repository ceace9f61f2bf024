"""A list whose pages each name the next, read to the one that names none."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor

from tasks.sources.errors import SourceContractError
from tasks.sources.exchange import Request
from tasks.sources.model.paginator import Chained
from tasks.sources.page import Page, Pages


class ChainedList:
    """One list; the next page is fetched while this one is being used."""

    def __init__(
        self, pages: Pages, paginator: Chained, request: Request, executor: Executor | None
    ) -> None:
        self._pages = pages
        self._paginator = paginator
        self._request = request
        self._executor = executor

    def read(self) -> Iterator[Page]:
        """Every page, in order. Raises SourceError."""
        client, paginator = self._pages.client, self._paginator
        seen: set[int] = set()
        page, number = self._pages.first(paginator.first(self._request)), 1
        while True:
            self._pages.guard(number, paginator.most_pages)
            page, following = self._settled(page, number)
            if following is None:
                yield page
                return
            mark = hash((following.url, tuple(following.params.items()), following.content))
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

    def _settled(self, page: Page, number: int) -> tuple[Page, Request | None]:
        """The page and the one after it, asked for again where a list hardly ends so: without
        records, or with a full page that names no next one.

        Raises SourceContractError for an answer that may be anything but an empty page.
        """
        following = self._following(page)
        if number > 1 and not page.records:
            page = self._pages.again(page)
            if page.doubt is not None:
                raise self._pages.refusal(page)
            following = self._following(page)
        elif following is None and len(page.records) == self._paginator.full_size:
            page = self._pages.get(page.answer.request)
            if page.doubt is not None:
                raise self._pages.refusal(page)
            following = self._following(page)
        return page, following

    def _following(self, page: Page) -> Request | None:
        home = self._pages.client.base_url
        return self._paginator.following(self._request, page.answer, home)
