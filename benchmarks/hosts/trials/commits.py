"""Writers beside each other: each with its own lake, and some that want one lock."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

from benchmarks.hosts.site import CODE
from benchmarks.hosts.trials.ground import Ground, Told
from warehouse.lake import Lake


def commits(ground: Ground) -> Told:
    """So many commits of as many writers as there are cities, each with its own lake; then of some
    processes that want the writer's lock of one lake."""
    writers, wanted = ground.wanted["writers"], ground.wanted["commits"]
    apart = committed(ground, [f"w{n:02}" for n in range(writers)], -(-wanted // writers))
    beside = committed(ground, ["w00"] * 6, -(-wanted // 6))
    return {
        "apart": apart,
        "one_lake": beside,
        "faults": apart.pop("faults") + beside.pop("faults"),
    }


def committed(ground: Ground, lakes: list[str], each: int) -> Told:
    site = ground.site
    there = {row[0] for row in site.sql("SELECT datname FROM pg_database", "postgres")}
    for name in sorted({*lakes}):
        if f"nianbao_{name}" not in there:
            site.sql(f'CREATE DATABASE "nianbao_{name}" OWNER nianbao', "postgres")
        lake_of(ground, name).create()
    began, processes = time.monotonic(), []
    before = {name: _count(ground, name) for name in {*lakes}}
    for at, name in enumerate(lakes):
        host = ground.site.network.hosts[ground.workers[at % len(ground.workers)]]
        command = [sys.executable, "-m", "benchmarks.hosts.writer", *place_of(ground, name)]
        label = f"writer-{name}-{at}-{each}"
        processes.append(
            (
                host,
                label,
                host.begin(label, [*command, f"{label}-{began}", str(each)], {**os.environ}, CODE),
            )
        )
    for host, _, process in processes:
        process.wait()
        host.started.remove(process)
    elapsed = time.monotonic() - began
    told = [
        json.loads((host.logs / f"{label}-{host.name}.log").read_text().splitlines()[-1])
        for host, label, _ in processes
    ]
    faults = [message for one in told for message in one["told"]]
    for name in {*lakes}:
        came = _count(ground, name) - before[name]
        if came != each * lakes.count(name):
            faults.append(f"{name}: {came} of {each * lakes.count(name)} commits are there")
    seconds = sorted(second for one in told for second in one["seconds"])
    found = {
        "writers": len(lakes),
        "commits": len(seconds),
        "elapsed": round(elapsed, 1),
        "median": round(statistics.median(seconds), 3),
        "worst": seconds[-1],
        "faults": faults,
    }
    ground.say("commits", found)
    return found


def place_of(ground: Ground, name: str) -> list[str]:
    site = ground.site
    address = f"postgresql://nianbao:{site.password}@{site.a.address}/nianbao_{name}"
    return [address, str(site.folder / "writers" / name)]


def lake_of(ground: Ground, name: str) -> Lake:
    address, home = place_of(ground, name)
    return Lake(Path(home), address=address)


def _count(ground: Ground, name: str) -> int:
    with lake_of(ground, name).read() as connection:
        row = connection.execute("SELECT count(DISTINCT load_id) FROM ops.load").fetchone()
    return int(row[0]) if row else 0
