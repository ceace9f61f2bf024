"""A host, the catalog, the storage away for a while; a host switched off for good."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from benchmarks.hosts.site import CODE, wait_for
from benchmarks.hosts.trials.commits import committed, lake_of, place_of
from benchmarks.hosts.trials.ground import COMPLETE, Ground, Told
from tests.soak.state import contents_of
from warehouse.lake_errors import LakeBusy

Leave = Callable[[Ground, str], Callable[[], None]]
"""Takes something away, of the host that is named; returns what brings it back."""


def cut(ground: Ground) -> Told:
    """A host cut off for two minutes, the catalog and the storage away for one, each during a full
    night; and a host that was switched off while it held a writer's lock."""
    city = ground.site.cities[0]
    ground.see_pulled([city])
    before, lines = contents_of(ground.settings(city).lake()), []
    ways = {
        "host": (_cut_host, 120),
        "catalog": (_stop_database, 60),
        "storage": (_cut_storage, 60),
    }
    faults = []
    for name in [one for one in ways if one in ground.wanted["away"]]:
        leave, seconds = ways[name]
        with ground.working(1):
            line = {"what": name, **_gone_for(ground, city, leave, seconds)}
        if contents_of(ground.settings(city).lake()) != before:
            faults.append(f"{name}: other rows afterwards")
        faults += [f"{name}: {fault}" for fault in line.pop("faults")]
        lines.append(line)
        ground.say("cut", line)
    freed = _switched_off(ground)
    ground.say("a writer's lock is free after", freed)
    if freed > 120:
        faults.append(f"the lock of a host that was switched off was held for {freed} seconds")
    return {"away": lines, "lock_free_after": freed, "faults": faults}


def _gone_for(ground: Ground, city: str, leave: Leave, seconds: int) -> Told:
    """Start a full night, take something away in its midst; what became of it and of the next."""
    site = ground.site
    run = site.start(f"nightly-{city}", full=True)
    host = wait_for("a host that runs it", lambda: ground.host_of(run), 240)
    wait_for("its beginning", lambda: site.run(run)["state_type"] == "RUNNING", 240)
    time.sleep(ground.pick.uniform(3, 20))
    is_running = site.run(run)["state_type"] == "RUNNING"
    come_back = leave(ground, host)
    try:
        time.sleep(seconds)
    finally:
        come_back()
    ended = site.until_ended([run], 1200)[0]["state"]
    chain = ground.chain(f"nightly-{city}", run)
    last = chain[-1]["state"] if chain else ended
    following = site.until_ended([site.start(f"nightly-{city}")], 1200)[0]["state"]
    faults = [] if following["name"] in COMPLETE else [f"the next night: {following['message']}"]
    if not ended["message"]:
        faults.append("nothing was said of the end")
    return {
        "seconds": seconds,
        "was_running": is_running,
        "ended": [ended["name"], ended["message"]],
        "replaced": [last["name"], last["message"]] if chain else None,
        "next": following["name"],
        "faults": faults,
    }


def _cut_host(ground: Ground, host: str) -> Callable[[], None]:
    ground.site.network.hosts[host].cut()
    return ground.site.network.hosts[host].join


def _cut_storage(ground: Ground, host: str) -> Callable[[], None]:
    ground.site.storage.cut()
    return ground.site.storage.join


def _stop_database(ground: Ground, host: str) -> Callable[[], None]:
    """The whole PostgreSQL, so the server's database with it."""
    ground.site.a.stop(ground.site.database, signal.SIGINT)
    return ground.site.begin_database


def _switched_off(ground: Ground) -> float:
    """For how many seconds nobody may write after the host of the writer was switched off."""
    committed(ground, ["w00"], 1)
    host = ground.site.network.hosts[ground.workers[-1]]
    command = [sys.executable, "-m", "benchmarks.hosts.writer", *place_of(ground, "w00")]
    log = host.logs / f"holder-{host.name}.log"
    host.begin("holder", [*command, "holder", "hold"], {**os.environ}, CODE)
    wait_for("the lock", lambda: log.exists() and "held" in log.read_text())
    host.cut()
    try:
        host.kill()
        began = time.monotonic()
        try:
            with replace(lake_of(ground, "w00"), write_timeout=600).write():
                pass
        except LakeBusy:
            pass
        return round(time.monotonic() - began, 1)
    finally:
        host.join()
