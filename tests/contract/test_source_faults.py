"""Every fault in every way of paging, at three places of a list: all records once, or a reason."""

from __future__ import annotations

import contextlib
import gzip
import io
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.sources import client
from tasks.sources.errors import SourceError, SourceUnavailable
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from tests.contract.vendor.faults import EMPTY, FAULTS, ONE_RECORD, Fault

SERVED = 60
PAGINGS = (
    "page_number",
    "until_empty",
    "has_more",
    "total_pages",
    "offset",
    "cursor_body",
    "next_link",
    "link_header",
    "single",
)
PLACES = {"first": (1, 1), "third": (3, 1), "always": (1, 10_000)}
PASSES = frozenset(
    {
        "truncated JSON",
        "shorter than announced",
        "connection reset",
        "no answer at all",
        "nothing with 200",
        "null",
        "a null list",
        "an empty list",
        "429",
        "429 until year 1",
        "429 soon",
        "503",
        "500",
        "no gzip",
        "a sign-in page",
        "half a UTF-16",
        "a charset of names",
    }
)
"""What a system does once and is over: the list comes whole."""


class Once(list[Any]):
    """The faults of a vendor: from one request on, so many answers go wrong."""

    def __init__(self, fault: Fault, at: int, times: int) -> None:
        self._fault, self._at, self._times, self._asked = fault, at, times, 0
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, index: Any) -> Any:
        return self._answer

    def pop(self, index: Any = 0) -> None:
        """The fault counts by itself."""

    def _answer(self, handler: Any) -> bool:
        with self._lock:
            self._asked += 1
            if not self._at <= self._asked < self._at + self._times:
                return False
        self._fault(handler)
        return True


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SHORTEST_REST", 0.001)


def _outcome(folder: Path, paging: str, fault: Fault, place: str) -> str:
    """`complete`, `refused`, or how many records were taken for the whole list."""
    folder.mkdir()
    vendor = Vendor(files.records(SERVED), paging=paging)
    vendor.faults = Once(fault, *PLACES[place])
    expected = {record["id"] for record in vendor.records}
    with vendor.serving():
        raw = files.raw_source(vendor, paging)
        raw["http"] = {
            "retries": 2,
            "concurrency": 4,
            "timeout_seconds": 5,
            "longest_wait_seconds": 0.5,
            "max_response_megabytes": 16,
        }
        try:
            landed = files.pulled(folder, files.written(folder, raw))
        except SourceError:
            left = list((folder / "landing").rglob("*.*"))
            return "left something behind" if left else "refused"
    came = set(files.ids(landed))
    if came == expected:
        return "complete"
    # A list that is known to be short is told as such.
    return "told" if landed.manifest.notes and landed.manifest.expected_rows else str(len(came))


@pytest.mark.parametrize("place", sorted(PLACES))
@pytest.mark.parametrize("paging", PAGINGS)
def test_all_records_once_or_a_reason(tmp_path: Path, paging: str, place: str) -> None:
    found = {
        name: _outcome(tmp_path / str(number), paging, fault, place)
        for number, (name, fault) in enumerate(FAULTS.items())
        if not (paging == "single" and place == "third")
    }
    taken = {
        name: outcome for name, outcome in found.items() if outcome not in ("complete", "refused")
    }
    # What is well formed and comes every time, or is all that was asked for, is the source's word.
    is_word = place == "always" or paging == "single"
    excused = ONE_RECORD | EMPTY if is_word else frozenset()
    assert {n: o for n, o in taken.items() if n not in excused and o != "told"} == {}
    if place != "always":
        assert {n: found[n] for n in PASSES if n in found and found[n] != "complete"} == {}


def _drip(head: bytes, drops: bytes) -> Callable[[Any], bool]:
    """A head at once, then a byte every now and then, each sooner than a socket's timeout."""

    def fault(handler: Any) -> bool:
        handler.close_connection = True
        with contextlib.suppress(OSError):
            handler.wfile.write(head)
            for number in range(len(drops)):
                handler.wfile.flush()
                time.sleep(0.05)
                handler.wfile.write(drops[number : number + 1])
        # Nobody listens any more.
        handler.wfile = io.BytesIO()
        return True

    return fault


_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_PACKED = gzip.compress(random.Random(1).randbytes(400))
TRICKLES = {
    "status line": _drip(b"", b"H" * 400),
    "head": _drip(_ANSWER, b"X-A: " + b"a" * 400),
    "many heads": _drip(_ANSWER, b"X-A: b\r\n" * 60),
    "body": _drip(_ANSWER + b"Content-Length: 400\r\n\r\n", b" " * 400),
    "body without a length": _drip(_ANSWER + b"Connection: close\r\n\r\n", b" " * 400),
    "chunks": _drip(_ANSWER + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 70),
    "a compressed block": _drip(
        _ANSWER + b"Content-Encoding: gzip\r\nContent-Length: 400\r\n\r\n", _PACKED
    ),
    "between answers": _drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 20),
}


@pytest.mark.parametrize("trickle", TRICKLES)
def test_an_answer_that_trickles_has_an_end(tmp_path: Path, trickle: str) -> None:
    vendor = Vendor(files.records(SERVED), paging="single", stays=True)
    vendor.faults = [TRICKLES[trickle]]
    with vendor.serving():
        raw = files.raw_source(vendor, "single")
        raw["http"] = {"retries": 1, "timeout_seconds": 5, "total_seconds": 0.4}
        source = files.written(tmp_path, raw)
        with pytest.raises(SourceUnavailable, match=r"0\.4 秒内没有传完"):
            files.pulled(tmp_path, source)
        # The next answer comes over a connection that nothing cuts any more.
        vendor.faults = []
        assert len(files.ids(files.pulled(tmp_path, source))) == SERVED
