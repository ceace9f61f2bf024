"""Every fault in every way of paging, at three places of a list: all records once, or a reason."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tasks.sources import client
from tasks.sources.errors import SourceError
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
