"""Whatever the server's order, page boundaries and lateness: what is loaded is what is served."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.load.load import load
from tasks.sources.plan import plan
from tasks.sources.pull import pull
from tasks.sources.windows import Window, split
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from warehouse.lake import Lake

FEW = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
START = datetime(2020, 1, 1)
LAG = timedelta(days=2)
names = count()


@settings(FEW, max_examples=60)
@given(
    paging=st.sampled_from([p for p in sorted(files.PAGINATORS) if p != "single"]),
    order=st.permutations(list(range(23))),
    served=st.integers(0, 23),
    size=st.integers(1, 9),
    cap=st.none() | st.integers(1, 9),
)
def test_every_record_comes_once(
    paging: str, order: list[int], served: int, size: int, cap: int | None
) -> None:
    records = files.records(23)
    vendor = Vendor([records[n] for n in order[:served]], paging=paging, size_cap=cap)
    with tempfile.TemporaryDirectory() as folder, vendor.serving():
        raw = files.raw_source(vendor, paging)
        raw["resources"][0]["paginator"]["size"] = size
        landed = files.pulled(Path(folder), files.written(Path(folder), raw))
        assert files.ids(landed) == sorted(r["id"] for r in vendor.records)


# At which answer of the server, at which position of the list.
moments = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 40)), max_size=6)


@settings(FEW, max_examples=40)
@given(
    inserts=moments,
    deletes=moments,
    kind=st.sampled_from(["inserts", "deletes"]),
    concurrency=st.integers(1, 4),
    paging=st.sampled_from(["page_number", "offset"]),
)
def test_what_stays_is_found_while_the_list_shifts(
    inserts: list[tuple[int, int]],
    deletes: list[tuple[int, int]],
    kind: str,
    concurrency: int,
    paging: str,
) -> None:
    """A list that grows, or one that shrinks. One that does both between two pages looks
    unchanged from outside; what it hides is found by the lag or by the control total."""
    if kind == "inserts":
        deletes = []
    else:
        inserts = []
    vendor = Vendor(files.records(40), paging=paging)
    before = {r["id"] for r in vendor.records}
    served = count(1)
    fresh = count(1000)

    def shift(_: int) -> None:
        with vendor.lock:
            answer = next(served)
            for at, position in inserts:
                if at == answer:
                    vendor.records.insert(position, files.records(1, next(fresh))[0])
            for at, position in deletes:
                if at == answer and position < len(vendor.records):
                    del vendor.records[position]

    vendor.before_page = shift
    with tempfile.TemporaryDirectory() as folder, vendor.serving():
        raw = files.raw_source(vendor, paging)
        raw["http"]["concurrency"] = concurrency
        landed = files.pulled(Path(folder), files.written(Path(folder), raw))
        stayed = before & {r["id"] for r in vendor.records}
        assert stayed <= set(files.ids(landed))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    lake.create()
    return lake


# A record: when its time of change is, and how much later it can be seen, within the lag.
late_records = st.lists(
    st.tuples(st.integers(0, 6 * 24), st.integers(0, int(LAG.total_seconds() // 3600))),
    min_size=1,
    max_size=12,
)


@settings(FEW, max_examples=8)
@given(
    late=late_records, runs=st.lists(st.integers(1, 9 * 24), min_size=1, max_size=4, unique=True)
)
def test_nothing_is_lost_when_records_are_committed_late(
    lake: Lake, late: list[tuple[int, int]], runs: list[int]
) -> None:
    """Runs at any hours; a last one when everything was committed."""
    name = f"late_{next(names)}"
    records: list[dict[str, Any]] = []
    for record, (hour, _) in zip(files.records(len(late)), late, strict=True):
        changed = START + timedelta(hours=hour)
        records.append(record | {"updated": changed.isoformat()})
    vendor = Vendor([])
    with tempfile.TemporaryDirectory() as folder, vendor.serving():
        cursor = {"field": "updated", "param": "since", "lag": "2d"}
        source = files.written(
            Path(folder), files.raw_source(vendor, cursor=cursor) | {"name": name}
        )
        for hour in [*sorted(runs), 9 * 24 + 1]:
            vendor.records = [
                record
                for record, (at, delay) in zip(records, late, strict=True)
                if at + delay <= hour
            ]
            for due in plan(source, lake, now=START + timedelta(hours=hour)):
                load(pull(due, Path(folder) / "landing"), source, lake, now=START)
    with lake.read() as connection:
        found = connection.execute(
            f"SELECT record_id FROM core.article WHERE source_system = '{name}' ORDER BY 1"
        ).fetchall()
    assert [row[0] for row in found] == [record["id"] for record in records]


@settings(FEW, max_examples=200)
@given(
    start=st.datetimes(datetime(2018, 1, 1), datetime(2024, 1, 1)),
    days=st.floats(0.01, 900),
    by=st.sampled_from(["none", "day", "week", "month", "year"]),
)
def test_split_windows_cover_the_whole_without_overlap(
    start: datetime, days: float, by: str
) -> None:
    whole = Window(start, start + timedelta(days=days))
    parts = list(split(whole, by))
    assert parts[0].start == whole.start
    assert parts[-1].end == whole.end
    assert all(a.end == b.start and a.start < a.end for a, b in pairwise(parts))
