"""Every exchange has its end, whichever of them began first and however many there are."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tasks.sources.bounded import Watch

LONG = 600.0


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(LONG)
        yield ours, theirs


def is_open(ours: socket.socket, theirs: socket.socket) -> bool:
    theirs.send(b"x")
    return ours.recv(1) == b"x"


def waits_in_vain(seconds: float) -> bool:
    """An exchange whose answer never comes; whether it was cut for its time."""
    with pair() as (ours, _), Watch(seconds) as watch:
        watch.watch(ours)
        assert ours.recv(1) == b""
        return watch.is_over


def test_a_shorter_one_that_begins_later_ends_first() -> None:
    with pair() as (ours, theirs), Watch(LONG) as long:
        long.watch(ours)
        assert waits_in_vain(0.05)
        assert not long.is_over
        assert is_open(ours, theirs)


def test_each_of_many_at_once_ends() -> None:
    cut: list[bool] = []
    threads = [
        threading.Thread(target=lambda s=n: cut.append(waits_in_vain(0.01 * s))) for n in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert cut == [True] * 30


def test_what_ended_in_time_is_not_cut_afterwards() -> None:
    with pair() as (ours, theirs):
        with ExitStack() as stack:
            watch = stack.enter_context(Watch(0.05))
            watch.watch(ours)
        assert waits_in_vain(0.2)
        assert not watch.is_over
        assert is_open(ours, theirs)


def test_many_that_follow_each_other_need_no_thread_each() -> None:
    assert waits_in_vain(0.01)
    before = threading.active_count()
    for _ in range(200):
        with Watch(LONG):
            assert threading.active_count() <= before
    assert threading.active_count() <= before


def test_a_forked_process_cuts_its_own() -> None:
    assert waits_in_vain(0.01)
    child = os.fork()
    if child == 0:
        os._exit(0 if waits_in_vain(0.05) else 1)
    until = time.monotonic() + 60
    ended = (0, 0)
    while ended[0] == 0 and time.monotonic() < until:
        ended = os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)
    if ended[0] == 0:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert ended == (child, 0)
