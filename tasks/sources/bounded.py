"""An exchange with a system has an end, however slowly its answer comes.

A timeout of a socket is one for each wait: of an answer that comes byte by byte, in its head, in
its body or in a compressed block, none is ever met. A `Watch` cuts the connection through when the
exchange has taken as long as it may.
"""

from __future__ import annotations

import contextlib
import socket
import threading
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
        self._socket: Any = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        _exchange.watch = self
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        _exchange.watch = None
        # The connection may be another's by now.
        self.watch(None)

    def watch(self, connected: Any) -> None:
        """The socket that this exchange uses from now on."""
        with self._lock:
            self._socket = connected
            if self.is_over:
                self._shut()

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown: the reading thread is in the middle of its session.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


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
