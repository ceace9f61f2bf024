"""The replay of recorded nights for more cities and workers than were there."""

from __future__ import annotations

from itertools import pairwise

import pytest

from benchmarks.hosts.pages import shown
from benchmarks.hosts.replay import SPREAD, Night, Setting, limits, replayed, table

NIGHT = Night(processor=20, waiting=10)


def test_one_night_takes_what_was_recorded() -> None:
    told = replayed(Setting("one", cities=1, workers=1), [NIGHT])
    assert told["last_ends_after"] == pytest.approx(30, abs=2)
    assert told["longest_wait"] == 0


def test_nights_that_outnumber_the_places_wait_and_no_more_is_done_than_the_cores_can() -> None:
    nights = [NIGHT, Night(processor=40, waiting=0)]
    ends = []
    for workers in (1, 2, 4):
        setting = Setting("many", cities=2000, workers=workers, cores=2, places=4)
        told = replayed(setting, nights)
        work = sum(nights[at % 2].processor for at in range(2000))
        assert told["last_ends_after"] >= work / (2 * workers)
        assert told["workers_busy"] * told["last_ends_after"] * 2 * workers == pytest.approx(
            work, rel=0.01
        )
        ends.append(told["last_ends_after"])
    assert all(later > sooner for later, sooner in pairwise(ends))
    # With workers enough, the last begins when it is due.
    assert replayed(Setting("m", 2000, 40), nights)["last_ends_after"] < SPREAD + 60


def test_the_table_is_of_what_was_measured() -> None:
    quiet = {
        "workers": 1,
        "nights": [20.0, 30.0],
        "cpu_of_workers": 40.0,
        "cpu_of_shared": {"server": 4.0, "database": 2.0, "redis and door": 1.0, "storage": 2.0},
        "server_database_bytes": 2_000_000,
    }
    measured = {
        "nights": {"cities": 2, "quiet": [quiet]},
        "size": {"files": 70, "catalog_rows": 3000, "catalog_bytes": 1},
    }
    assert limits(measured)["server"] == SPREAD / 2
    lines = table(measured)
    province = next(line for line in lines if line["cities"] == 21)
    assert (province["files"], province["catalog_rows"]) == (1470, 63_000)
    assert province["server_database_bytes_a_night"] == 21_000_000
    page = shown({"replay": {"settings": lines, "fill_one_core": limits(measured)}})
    assert "| a province of 21 cities | 3 | 1,470 | 63,000 | 63 | 20.0 |" in page
