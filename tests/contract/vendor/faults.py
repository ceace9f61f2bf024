"""What a source may do wrong in one answer, by name."""

from __future__ import annotations

import gzip
import socket
import struct
from collections.abc import Callable
from typing import Any

Fault = Callable[[Any], None]


def _http(
    body: bytes,
    status: str = "200 OK",
    headers: dict[str, str] | None = None,
    kind: str = "application/json",
    length: int | None = None,
) -> Fault:
    def fault(handler: Any) -> None:
        head = {
            "Content-Type": kind,
            "Content-Length": str(len(body) if length is None else length),
            "Connection": "close",
            **(headers or {}),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        handler.wfile.write(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body)
        handler.wfile.flush()
        handler.close_connection = True

    return fault


def _reset(handler: Any) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"data":')
    handler.wfile.flush()
    handler.close_connection = True
    handler.connection.close()


def _silence(handler: Any) -> None:
    handler.close_connection = True


def _to_itself(handler: Any) -> None:
    _http(b"", "302 Found", {"Location": handler.path})(handler)


_NEST = b"[" * 100_000 + b"]" * 100_000
_ONE = b'{"data":{"total":%s,"list":[{"id":"R00001","organ":{"code":"O1"}}]}}'

FAULTS: dict[str, Fault] = {
    "truncated JSON": _http(b'{"data":{"list":[{"id":"R1"'),
    "shorter than announced": _http(b'{"data":', length=5000),
    "connection reset": _reset,
    "no answer at all": _silence,
    "a sign-in page": _http(
        "<html><title>登录</title><form></form></html>".encode(), kind="text/html"
    ),
    "nothing with 200": _http(b""),
    "null": _http(b"null"),
    "a null list": _http(b'{"data":{"list":null}}'),
    "an empty list": _http(b'{"data":{"list":[]}}'),
    "429": _http(b"", "429 Too Many"),
    "429 for a year": _http(b"", "429 x", {"Retry-After": "31536000"}),
    "429 until 2099": _http(b"", "429 x", {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}),
    "429 until year 1": _http(b"", "429 x", {"Retry-After": "Mon, 01 Jan 0001 00:00:00 -0000"}),
    "429 soon": _http(b"", "429 x", {"Retry-After": "soon"}),
    "429 for nan": _http(b"", "429 x", {"Retry-After": "nan"}),
    "429 for ever": _http(b"", "429 x", {"Retry-After": "inf"}),
    "503": _http(b"", "503 x"),
    "500": _http(b"x", "500 x"),
    "404": _http(b"x", "404 x"),
    "401": _http(b"x", "401 x"),
    "led to the metadata of a cloud": _http(
        b"", "302 Found", {"Location": "http://169.254.169.254/latest/meta-data/"}
    ),
    "led to a file": _http(b"", "302 Found", {"Location": "file:///etc/passwd"}),
    "led to itself": _to_itself,
    "led to a host behind a name": _http(
        b"", "302 Found", {"Location": "http://127.0.0.1@evil.example/"}
    ),
    "a list nested without end": _http(b'{"data":{"list":' + _NEST + b"}}"),
    "a record nested without end": _http(
        b'{"data":{"total":60,"list":[{"id":"R00001","organ":{"code":"O1"},"x":' + _NEST + b"}]}}"
    ),
    "a bomb": _http(gzip.compress(b" " * (64 << 20), 1), headers={"Content-Encoding": "gzip"}),
    "no gzip": _http(b"notgzip", headers={"Content-Encoding": "gzip"}),
    "an unknown charset": _http(
        b'{"data":{"list":[]},"x":"\xff"}', kind="application/json; charset=klingon"
    ),
    "an undefined charset": _http(
        b'{"data":{"list":[]},"x":"\xff"}', kind="application/json; charset=undefined"
    ),
    "a charset of names": _http(b'{"a":"\xff.."}', kind="application/json; charset=idna"),
    "half a UTF-16": _http(b"\xff\xfe{"),
    "a lone surrogate": _http(
        b'{"data":{"total":60,"list":[{"id":"R00001","title":"\\ud800","organ":{"code":"O1"}}]}}'
    ),
    "NaN": _http(b'{"data":{"total":60,"list":[{"id":"R00001","x":NaN,"organ":{"code":"O1"}}]}}'),
    "a total of 400 digits": _http(_ONE % (b"9" * 400)),
    "a negative total": _http(_ONE % b"-5"),
    "a total of a billion": _http(_ONE % b"1000000000"),
}
ONE_RECORD = frozenset(
    {
        "a record nested without end",
        "a lone surrogate",
        "NaN",
        "a total of 400 digits",
        "a negative total",
        "a total of a billion",
    }
)
"""Well-formed answers with one record: where nothing counts, they are the source's own word."""
EMPTY = frozenset({"a null list", "an empty list", "an unknown charset", "an undefined charset"})
"""Well-formed answers with none; the charsets are unknown, the bytes are not all text."""
