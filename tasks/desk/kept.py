"""What is read of the lake once for each of its snapshots, however many look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache, update_wrapper
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from warehouse.lake import Lake

Given = ParamSpec("Given")
Read = TypeVar("Read")
MOST = 64
_looked: ContextVar[tuple[Lake, Any] | None] = ContextVar("looked", default=None)


@contextmanager
def one_look(lake: Lake) -> Iterator[None]:
    """For the length of the block the lake is asked only once which snapshot is its newest: what
    one page shows is of one moment, and each question costs time. Raises NoLake."""
    looked = _looked.get()
    if looked is not None and looked[0] == lake:
        yield
        return
    token = _looked.set((lake, state_of(lake)))
    try:
        yield
    finally:
        _looked.reset(token)


def kept(
    function: Callable[Concatenate[Lake, Given], Read],
) -> Callable[Concatenate[Lake, Given], Read]:
    """Keeps what a function read of a lake until the lake changes. What is given besides the lake
    must be hashable, and the answer must not be changed by whoever gets it.

    Raises NoLake, and whatever the function raises, which is not kept.
    """

    @lru_cache(maxsize=MOST)
    def read(_of: Any, lake: Lake, given: tuple[Any, ...]) -> Any:
        return function(lake, *given)  # type: ignore[call-arg]

    def asked(lake: Lake, *given: Given.args, **named: Given.kwargs) -> Read:
        assert not named, "what is kept is asked for by place"
        looked = _looked.get()
        state = looked[1] if looked and looked[0] == lake else state_of(lake)
        with _alone((function, state, lake, given)):
            found: Read = read(state, lake, given)
        return found

    return cast("Callable[Concatenate[Lake, Given], Read]", update_wrapper(asked, function))


@dataclass
class _Turn:
    """Whose turn it is to read something, and how many read it or wait."""

    lock: Lock = field(default_factory=Lock)
    asked_by: int = 0


_turns: dict[Any, _Turn] = {}
_counting = Lock()


@contextmanager
def _alone(what: Any) -> Iterator[None]:
    """One at a time for the length of the block: who asks for what another is reading waits for it
    instead of reading it as well."""
    with _counting:
        turn = _turns.setdefault(what, _Turn())
        turn.asked_by += 1
    try:
        with turn.lock:
            yield
    finally:
        with _counting:
            turn.asked_by -= 1
            if not turn.asked_by:
                del _turns[what]


def state_of(lake: Lake) -> Any:
    """What is another when the lake has changed. Raises NoLake."""
    # A lake that was restored from a backup may come to the same number again.
    return lake.snapshot(), lake.catalog.identity()
