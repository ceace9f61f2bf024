"""Records of one resource, serialised once and served by slices.

On disk: `<name>.data` holds the JSON of all records, sorted by (update time, id) and joined
by commas, so that an unchanged page is one slice of it; `<name>.index` holds the numbers;
`<name>.ids` the ids. In memory the data are mapped, and changes made through the control
surface lie beside them.
"""

from __future__ import annotations

import mmap
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec

Row = tuple[int, str, int, bool, bytes]
"""update time (ms), id, business time (ms), withdrawn, JSON"""


def as_json(record: dict[str, Any]) -> bytes:
    """A record's JSON."""
    return msgspec.json.encode(record)


def write_store(folder: Path, name: str, rows: Iterable[Row]) -> int:
    """Write a resource's records; gives their number."""
    ordered = sorted(rows, key=lambda row: (row[0], row[1]))
    ends = accumulate(len(row[4]) + 1 for row in ordered)
    numbers = array("q", [len(ordered), 0, *ends])
    numbers.extend(row[0] for row in ordered)
    numbers.extend(row[2] for row in ordered)
    numbers.extend(int(row[3]) for row in ordered)
    (folder / f"{name}.index").write_bytes(numbers.tobytes())
    (folder / f"{name}.ids").write_text("\n".join(row[1] for row in ordered), encoding="utf-8")
    with (folder / f"{name}.data").open("wb") as out:
        for row in ordered:
            out.write(row[4])
            out.write(b",")
    return len(ordered)


class Store:
    """The records of one resource in the order of (update time, id)."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._folder = folder
        with (folder / f"{name}.data").open("rb") as data:
            empty = data.seek(0, 2) == 0
            self._data: mmap.mmap | bytes = (
                b"" if empty else mmap.mmap(data.fileno(), 0, access=mmap.ACCESS_READ)
            )
        self.reset()

    def reset(self) -> None:
        """Back to the records as generated."""
        numbers = array("q")
        numbers.frombytes((self._folder / f"{self.name}.index").read_bytes())
        count = numbers[0]
        self._ends = numbers[1 : count + 2]
        self._updated = numbers[count + 2 : 2 * count + 2]
        self._business = numbers[2 * count + 2 : 3 * count + 2]
        self._removed = numbers[3 * count + 2 :]
        # Which generated record stands at each place; negative: a changed one (~slot).
        self._slots: array[int] | None = None
        self._changed: list[bytes] = []
        self._ids: list[str] | None = None
        self._business_sorted: array[int] | None = None
        self._removed_before: array[int] | None = None

    def __len__(self) -> int:
        return len(self._updated)

    @property
    def ids(self) -> list[str]:
        """The ids in the order of the records."""
        if self._ids is None:
            text = (self._folder / f"{self.name}.ids").read_text(encoding="utf-8")
            self._ids = text.split("\n") if text else []
        return self._ids

    def span(self, since: int | None, until: int | None) -> tuple[int, int]:
        """The places of the records updated in [since, until)."""
        first = 0 if since is None else bisect_left(self._updated, since)
        last = len(self) if until is None else bisect_left(self._updated, until)
        return first, max(first, last)

    def after(self, updated: int, record_id: str) -> int:
        """The place behind the record with this update time and id."""
        at = bisect_left(self._updated, updated)
        while at < len(self) and self._updated[at] == updated and self.ids[at] <= record_id:
            at += 1
        return at

    def mark(self, at: int) -> tuple[int, str]:
        """Update time and id of the record at a place."""
        return self._updated[at], self.ids[at]

    def _one(self, slot: int) -> bytes:
        if slot < 0:
            return self._changed[~slot]
        return self._data[self._ends[slot] : self._ends[slot + 1] - 1]

    def page(self, first: int, last: int) -> bytes:
        """The JSON of the records at places [first, last), joined by commas."""
        if first >= last:
            return b""
        if self._slots is None:
            return self._data[self._ends[first] : self._ends[last] - 1]
        return b",".join(self._one(slot) for slot in self._slots[first:last])

    def count(
        self,
        since: int | None = None,
        until: int | None = None,
        business_from: int | None = None,
        business_until: int | None = None,
    ) -> int:
        """Records not withdrawn, by update time, by business time, or by both."""
        first, last = self.span(since, until)
        if business_from is None and business_until is None:
            if self._removed_before is None:
                self._removed_before = array("q", [0, *accumulate(self._removed)])
            return last - first - (self._removed_before[last] - self._removed_before[first])
        low = business_from if business_from is not None else -(2**62)
        high = business_until if business_until is not None else 2**62
        if since is None and until is None:
            if self._business_sorted is None:
                kept = (b for b, r in zip(self._business, self._removed, strict=True) if not r)
                self._business_sorted = array("q", sorted(kept))
            ordered = self._business_sorted
            return max(0, bisect_left(ordered, high) - bisect_left(ordered, low))
        return sum(
            1
            for at in range(first, last)
            if not self._removed[at] and low <= self._business[at] < high
        )

    def get(self, record_id: str) -> dict[str, Any] | None:
        """The record as it is now."""
        try:
            at = self.ids.index(record_id)
        except ValueError:
            return None
        slot = at if self._slots is None else self._slots[at]
        record: dict[str, Any] = msgspec.json.decode(self._one(slot))
        return record

    def put(self, row: Row) -> None:
        """Create or replace a record."""
        updated, record_id, business, removed, text = row
        if self._slots is None:
            self._slots = array("q", range(len(self)))
        if record_id in self.ids:
            old = self.ids.index(record_id)
            for column in (self._slots, self._updated, self._business, self._removed, self.ids):
                del column[old]
        at = self.after(updated, record_id)
        self._changed.append(text)
        self._slots.insert(at, ~(len(self._changed) - 1))
        self._updated.insert(at, updated)
        self._business.insert(at, business)
        self._removed.insert(at, int(removed))
        self.ids.insert(at, record_id)
        self._business_sorted = self._removed_before = None
