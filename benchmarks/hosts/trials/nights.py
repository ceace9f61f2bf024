"""One night of all cities, on one, two and three workers."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from benchmarks.hosts.trials.ground import Ground, Told, wrong_ends


def nights(ground: Ground) -> Told:
    """All cities' nights on 1, 2, 3 workers with one place each; before that their first one."""
    counts = sorted(set(ground.wanted["workers"]))
    most = ground.workers[: counts[-1]]
    first = _night(ground, most)
    # The night after reads again what the first one brought last, so it is none of those that are quiet.
    second = _night(ground, most)
    quiet = [_night(ground, ground.workers[:count]) for count in counts]
    alone = next((one for one in quiet if one["workers"] == 1), quiet[0])
    for one in quiet:
        share = alone["elapsed"] / one["workers"]
        one["ratio"] = round(one["elapsed"] / share, 2)
        bound = one["cpu_seconds"] / (os.cpu_count() or 1)
        one["ratio_of_cores"] = round(one["elapsed"] / max(share, bound), 2)
    faults = [fault for one in (first, second, *quiet) for fault in one.pop("faults")]
    return {
        "cities": ground.site.count,
        "first": first,
        "second": second,
        "quiet": quiet,
        "faults": faults,
    }


def _night(ground: Ground, hosts: list[str]) -> Told:
    site = ground.site
    before, used = _shared_cpu(ground), _cpu_of_children()
    size = _database_size(ground)
    for host in hosts:
        site.begin_worker(host, 1)
    began = time.time()
    runs = site.until_ended([site.start(f"nightly-{city}") for city in site.cities])
    elapsed = time.time() - began
    for host in hosts:
        site.stop_worker(host)
    workers = _cpu_of_children() - used
    shared = {name: round(value - before[name], 1) for name, value in _shared_cpu(ground).items()}
    told = {
        "workers": len(hosts),
        "elapsed": round(elapsed),
        "nights": [round(run["total_run_time"], 1) for run in runs],
        "cpu_of_workers": round(workers, 1),
        "cpu_of_shared": shared,
        "cpu_seconds": round(workers + sum(shared.values()), 1),
        "server_database_bytes": _database_size(ground) - size,
        "load": round(os.getloadavg()[0], 1),
        "faults": wrong_ends(runs),
    }
    ground.say("night", {k: v for k, v in told.items() if k != "nights"})
    return told


def _shared_cpu(ground: Ground) -> dict[str, float]:
    """What the shared parts have used by now."""
    site = ground.site
    parts = {"a": site.a.cpu_seconds(), "storage": site.storage.cpu_seconds()}
    server, database = (_cpu_of_tree(p.pid) for p in (site.server, site.database))
    return {
        "server": server,
        "database": database,
        "redis and door": parts["a"] - server - database,
        "storage": parts["storage"],
    }


def _database_size(ground: Ground) -> int:
    return int(ground.site.sql("SELECT pg_database_size('prefect')", "prefect")[0][0])


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu_of_tree(pid: int) -> float:
    """What a process and all below it have used, with those of theirs that have ended."""
    ticks, left = 0, [pid]
    while left:
        one = left.pop()
        try:
            told = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            left += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            continue
        ticks += sum(map(int, told[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")
