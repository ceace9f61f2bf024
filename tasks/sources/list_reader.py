"""Page by page through an answer list, whatever way the source cuts it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace
from typing import assert_never

from tasks.sources.chained import ChainedList
from tasks.sources.client import Client
from tasks.sources.declared import Declared
from tasks.sources.exchange import Request
from tasks.sources.model.paginator import Chained, Numbered
from tasks.sources.numbered import NumberedList
from tasks.sources.page import Page, Pages


class ListReader:
    """Reads lists of one kind: the client, the way of paging, and where the records are.

    With `declared` only what it declares is read of each answer in JSON. `notes` gathers what
    a person should be told though the lists were read.
    """

    def __init__(
        self,
        client: Client,
        paginator: Numbered | Chained,
        records: str | None,
        executor: Executor | None = None,
        declared: Declared | None = None,
        notes: list[str] | None = None,
    ) -> None:
        self._client = client
        self._paginator = paginator
        self._records = records
        self._executor = executor
        self._declared = declared
        self._notes = notes if notes is not None else []

    def pages(self, request: Request) -> Iterator[Page]:
        """Every page of the list, in order. Raises SourceError."""
        paginator, executor = self._paginator, self._executor
        request = replace(request, declared=self._declared)
        pages = Pages(self._client, paginator, self._records)
        read: NumberedList | ChainedList
        match paginator:
            case Numbered():
                read = NumberedList(pages, paginator, request, executor)
            case Chained():
                read = ChainedList(pages, paginator, request, executor)
            case _:
                assert_never(paginator)
        for page in read.read():
            pages.use(page)
            yield page
        pages.prove()
        self._notes += pages.notes
