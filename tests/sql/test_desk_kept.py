"""What is read of the lake once, however many look at it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from tasks.desk.kept import kept
from tests.small_city import SmallCity
from warehouse.lake import Lake


def test_those_who_ask_at_once_share_one_reading(small: SmallCity) -> None:
    asked: list[str] = []
    all_ask, may_end = Barrier(4), Event()

    @kept
    def read(lake: Lake, what: str) -> str:
        asked.append(what)
        assert may_end.wait(60)
        return what.upper()

    def ask(what: str) -> str:
        all_ask.wait(60)
        return read(small.lake, what)

    with ThreadPoolExecutor(4) as at_once:
        told = [at_once.submit(ask, what) for what in ("a", "a", "a", "b")]
        while len(asked) < 2:
            # The other question does not wait for the first.
            assert not all(one.done() for one in told)
        may_end.set()
        assert [one.result(60) for one in told] == ["A", "A", "A", "B"]
    assert sorted(asked) == ["a", "b"]


def test_one_that_fails_leaves_the_next_to_try(small: SmallCity) -> None:
    tries: list[int] = []

    @kept
    def read(lake: Lake) -> int:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no")
        return len(tries)

    with pytest.raises(OSError, match="no"):
        read(small.lake)
    assert read(small.lake) == 2
    assert read(small.lake) == 2
