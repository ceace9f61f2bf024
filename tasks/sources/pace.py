"""How fast a host is called: one pace for all who call it in this process."""

from __future__ import annotations

import threading
import time


class Pace:
    """Spaces requests to one host; an answer "too many requests" holds everyone back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0
        self._interval = 0.0

    def limit(self, requests_per_second: float | None) -> None:
        """Take the slowest limit that any source sets for this host."""
        if requests_per_second:
            with self._lock:
                self._interval = max(self._interval, 1 / requests_per_second)

    def wait(self) -> None:
        """Sleep until it is this caller's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval
        if turn > now:
            time.sleep(turn - now)

    def hold(self, seconds: float) -> None:
        """No request to the host for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


_paces: dict[tuple[str, int], Pace] = {}
_paces_lock = threading.Lock()


def pace_of(host: tuple[str, int]) -> Pace:
    """The pace of a host and port."""
    with _paces_lock:
        return _paces.setdefault(host, Pace())
