"""Several lists read side by side, a list a thread, their pages handed on as they come."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence

from tasks.sources.page import Page

Read = Callable[[], Iterator[Page]]
_Item = Page | BaseException | None


class SideBySide:
    """`lists` are functions that read a list; use `pages` once."""

    def __init__(self, lists: Sequence[Read], workers: int) -> None:
        self._waiting = iter(enumerate(lists))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._pages: queue.Queue[tuple[int, _Item]] = queue.Queue(workers * 2)
        self._workers = [
            threading.Thread(target=self._work, name=f"list-{n}", daemon=True)
            for n in range(min(workers, len(lists)))
        ]

    def pages(self) -> Iterator[tuple[int, Page]]:
        """Which list, and a page of it. Raises what reading a list raises; then all stop."""
        for worker in self._workers:
            worker.start()
        try:
            running = len(self._workers)
            while running:
                number, item = self._pages.get()
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    running -= 1
                else:
                    yield number, item
        finally:
            self._stop.set()
            for worker in self._workers:
                worker.join()

    def _work(self) -> None:
        try:
            while (following := self._following()) is not None:
                self._read(*following)
        except BaseException as error:
            self._put(0, error)
        else:
            self._put(0, None)

    def _following(self) -> tuple[int, Read] | None:
        with self._lock:
            return None if self._stop.is_set() else next(self._waiting, None)

    def _read(self, number: int, read: Read) -> None:
        for page in read():
            self._put(number, page)
            if self._stop.is_set():
                return

    def _put(self, number: int, item: _Item) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._pages.put((number, item), timeout=0.2)
                return
