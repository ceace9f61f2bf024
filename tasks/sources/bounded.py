"""An exchange with a system has an end, however slowly its answer comes.

A timeout of a socket is one for each wait: of an answer that comes byte by byte, in its head, in
its body or in a compressed block, none is ever met. A `Watch` cuts the connection through when the
exchange has taken as long as it may.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_exchange = threading.local()


class Watch:
    """Bounds what this thread exchanges inside its block to so many seconds; `is_over` says that
    the time was up and the connection cut, whatever the exchange then looked like."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self.until = math.inf
        self._seconds = seconds
        self._socket: Any = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self.until = time.monotonic() + self._seconds
        _exchange.watch = self
        _watchman.take(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _watchman.leave(self)
        _exchange.watch = None
        # The connection may be another's by now.
        self.watch(None)

    def watch(self, connected: Any) -> None:
        """The socket that this exchange uses from now on."""
        with self._lock:
            self._socket = connected
            if self.is_over:
                self._shut()

    def cut(self) -> None:
        """The time is up."""
        with self._lock:
            self.is_over = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown: the reading thread is in the middle of its session.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Watchman:
    """One thread that cuts every exchange whose time is up. With a timer each, starting the timer
    took longer than many an answer while other threads were computing."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._changed = threading.Condition()
        self._wakes_at = math.inf
        self._is_there = False

    def take(self, watch: Watch) -> None:
        """From now on see to its end."""
        with self._changed:
            self._watches.add(watch)
            if not self._is_there:
                threading.Thread(target=self._see, name="watchman", daemon=True).start()
                self._is_there = True
            elif watch.until < self._wakes_at:
                self._changed.notify()

    def leave(self, watch: Watch) -> None:
        with self._changed:
            self._watches.discard(watch)

    def _see(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                over = [watch for watch in self._watches if watch.until <= now]
                self._watches.difference_update(over)
                if not over:
                    self._wakes_at = min((w.until for w in self._watches), default=math.inf)
                    self._changed.wait(None if self._wakes_at == math.inf else self._wakes_at - now)
            for watch in over:
                watch.cut()


def _with_new_watchman() -> None:
    global _watchman
    _watchman = _Watchman()


_watchman = _Watchman()
# A forked process has none of its parent's threads.
os.register_at_fork(after_in_child=_with_new_watchman)


class _Watched(HTTPConnection):
    """Tells the watch of the exchange which socket it goes through."""

    _connected: Any = None

    def connect(self) -> None:
        super().connect()
        # The connection lets go of it before the answer has been read.
        self._connected = self.sock
        self._tell()

    def request(self, *given: Any, **named: Any) -> None:
        self._connected = self.sock
        self._tell()
        super().request(*given, **named)

    def _tell(self) -> None:
        watch: Watch | None = getattr(_exchange, "watch", None)
        if watch is not None:
            watch.watch(self._connected)


class _WatchedSecure(_Watched, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _WatchedSecure


_POOLS = {"http": _Pool, "https": _SecurePool}


class BoundedAdapter(HTTPAdapter):
    """An adapter of requests whose connections a `Watch` can cut."""

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **named)
        manager.pool_classes_by_scheme = _POOLS
        return manager
