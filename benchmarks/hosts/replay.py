"""Recorded nights replayed for more cities, workers and cores than this machine has.

A night is what was recorded: seconds of a worker's processor, seconds in which it waits, seconds of the
shared parts' processors. Nights begin spread over two hours, as `nianbao city deployments` spreads
them; a worker has so many places, and its cores are shared by what runs there. The shared parts are
taken as full when what they are asked for is more than their cores have in the time: what is told of
them is their load, not a queue.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployments.of_cities import SPREAD_MINUTES

SPREAD = SPREAD_MINUTES * 60
WINDOW = 5 * 3600
"""From 01:30 to 06:30, when a province takes its cities' editions in."""
STEP = 1.0


@dataclass(frozen=True)
class Night:
    """Seconds of a worker's processor, and of waiting for others."""

    processor: float
    waiting: float


@dataclass(frozen=True)
class Setting:
    name: str
    cities: int
    workers: int
    cores: int = 4
    places: int = 4


SETTINGS = (
    Setting("one machine, one city", 1, 1),
    Setting("a province of 21 cities", 21, 3),
    Setting("a province, one worker", 21, 1),
    Setting("a country of 333 cities", 333, 3),
    Setting("a country, more workers", 333, 12),
    Setting("a country of 2,844 counties", 2844, 12),
    Setting("the same, more workers", 2844, 60),
)


@dataclass
class _Running:
    left: float
    waiting: float
    length: float


def replayed(setting: Setting, nights: Sequence[Night]) -> dict[str, Any]:
    """When the last night ends, the most that waited for a place, and how busy the workers were."""
    due = [at * SPREAD / setting.cities for at in range(setting.cities)]
    waiting: list[int] = []
    running: list[list[_Running]] = [[] for _ in range(setting.workers)]
    at, begun, used, most = 0.0, 0, 0.0, 0
    late = []
    while begun < len(due) or waiting or any(running):
        while begun < len(due) and due[begun] <= at:
            waiting.append(begun)
            begun += 1
        for place in sorted(running, key=len):
            while waiting and len(place) < setting.places:
                if len(place) > min(map(len, running)):
                    break
                which = waiting.pop(0)
                night = nights[which % len(nights)]
                share = night.processor / (night.processor + night.waiting)
                place.append(_Running(night.processor, night.waiting, share))
                late.append(at - due[which])
        most = max(most, len(waiting))
        for place in running:
            used += _go_on(place, setting.cores)
        at += STEP
    return {
        "name": setting.name,
        "cities": setting.cities,
        "workers": setting.workers,
        "cores": setting.workers * setting.cores,
        "last_ends_after": round(at),
        "most_waiting": most,
        "longest_wait": round(max(late)),
        "workers_busy": round(used / (at * setting.workers * setting.cores), 3),
    }


def _go_on(place: list[_Running], cores: int) -> float:
    """One step of what runs on a worker: who computes shares its cores, who waits needs none.
    Returns the processor's seconds used."""
    wanted = sum(one.length for one in place)
    pace = min(1.0, cores / wanted) if wanted else 1.0
    used = 0.0
    for one in place:
        done = min(one.left, STEP * pace * one.length)
        one.left -= done
        one.waiting -= STEP * pace * (1 - one.length)
        used += done
    place[:] = [one for one in place if one.left > 0.001 or one.waiting > 0.001]
    return used


def table(measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line a setting, of what the trials `nights` and `size` measured."""
    quiet = measured["nights"]["quiet"][0]
    count = measured["nights"]["cities"]
    each = quiet["cpu_of_workers"] / count
    nights = [Night(each, max(0.0, length - each)) for length in quiet["nights"]]
    shared = {name: used / count for name, used in quiet["cpu_of_shared"].items()}
    growth = quiet["server_database_bytes"] / count
    size = measured["size"]
    made = []
    for setting in SETTINGS:
        line = replayed(setting, nights)
        line["shared_busy"] = {
            # The object storage of the trial is a test's; a real one has its own measure.
            name: round(used * setting.cities / max(SPREAD, line["last_ends_after"]), 4)
            for name, used in shared.items()
            if name != "storage"
        }
        line |= {
            "files": size["files"] * setting.cities,
            "catalog_rows": size["catalog_rows"] * setting.cities,
            "runs_a_night": 3 * setting.cities,
            "server_database_bytes_a_night": round(growth * setting.cities),
        }
        made.append(line)
    return made


def limits(measured: Mapping[str, Any]) -> dict[str, float]:
    """How many cities' nights fill one core of each part, begun within two hours."""
    quiet = measured["nights"]["quiet"][0]
    count = measured["nights"]["cities"]
    parts = {"worker": quiet["cpu_of_workers"], **quiet["cpu_of_shared"]}
    return {name: round(SPREAD / (used / count)) for name, used in parts.items() if used > 0}


def middle(nights: Sequence[float]) -> float:
    """The median, to a tenth of a second."""
    return round(statistics.median(nights), 1)
