"""Hosts of workers killed, with all that runs there."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from benchmarks.hosts.network import Host
from benchmarks.hosts.site import Site, wait_for
from benchmarks.hosts.trials.ground import YEAR, Ground, Told
from tasks.clock import now
from tasks.publish.approvals import Request, approve
from tests.soak.state import contents_of, editions_of, faults_of_files

KINDS = ("nightly", "year-end", "publish")
"""What is killed, in this order."""
STEPS = {
    "nightly": ("pull", "load", "check"),
    "year-end": ("build", "render"),
    "publish": ("publish",),
}
"""The steps of a run that kills are aimed at, in turn."""


def kills(ground: Ground) -> Told:
    """Hosts of workers are killed, with all that runs there, at random moments of first nights, full
    nights, year-ends and publications; each run must be replaced within ten minutes."""
    cities = ground.site.cities[: ground.wanted["kill_cities"]]
    wanted, kinds = [kind for kind in KINDS if kind in ground.wanted["kinds"]], []
    for kind in wanted:
        asked = _asked(ground, kind, cities)
        kinds.append(
            _killed(ground, kind, cities, -(-ground.wanted["kills"] // len(wanted)), asked)
        )
    faults = [fault for kind in kinds for fault in kind.pop("faults")]
    for city in cities if "publish" in wanted else []:
        found = faults_of_files(ground.settings(city, "a").home, is_published=True)
        faults += [f"{city}: {fault}" for fault in found]
    return {"kinds": kinds, "faults": faults}


def _asked(ground: Ground, kind: str, cities: list[str]) -> dict[str, Told]:
    """What runs of a kind are asked for in each city; what they need is there afterwards."""
    if kind == "nightly":
        return {city: {"full": True} for city in cities}
    ground.see_pulled(cities)
    if kind == "year-end":
        return {city: {"year": YEAR} for city in cities}
    new = [c for c in cities if not editions_of(ground.settings(c).lake())["editions"]]
    if new:
        with ground.working(2):
            ground.site.until_ended([ground.site.start(f"year-end-{c}", year=YEAR) for c in new])
    return {city: {"approval": str(_approved(ground, city))} for city in cities}


def _approved(ground: Ground, city: str) -> int:
    settings = ground.settings(city, "a")
    with settings.lake().read() as connection:
        found = connection.execute(
            "SELECT DISTINCT code FROM yearly.check_result "
            "WHERE severity = 'block' AND check_status <> 'pass'"
        ).fetchall()
    request = Request(
        f"{YEAR}-1", "张三", "同意发布", answers={code: "已核实" for (code,) in found}
    )
    return approve(settings.lake(), settings, request, now=now()).number


def _killed(
    ground: Ground, kind: str, cities: list[str], wanted: int, asked: Mapping[str, Told]
) -> Told:
    """Runs of one kind in all these cities, killed until so many were."""
    site, lost = ground.site, dict[str, float]()
    hosts = ground.workers[:2]
    whole = {city: _whole(ground, city) for city in cities}

    def begin(host: str) -> None:
        site.begin_worker(host, -(-len(cities) // 2), is_of_pages=kind == "publish")

    for name in hosts:
        begin(name)
    began: dict[str, str] = {}
    at = 0
    while len(lost) < wanted:
        host = site.network.hosts[hosts[at % 2]]
        step = STEPS[kind][at // 2 % len(STEPS[kind])]
        at += 1

        def is_there(host: Host = host, step: str = step) -> bool:
            for city in cities:
                name = f"{kind}-{city}"
                if city not in began or ground.is_over(name, began[city]):
                    began[city] = site.start(name, **asked[city])
            return any(ground.steps_of(run)[-1:] == [step] for run in ground.runs_on(host))

        wait_for(f"a run in {step}", is_there, 900)
        time.sleep(ground.pick.uniform(0, 3))
        there = ground.runs_on(host)
        site.kill_worker(host.name)
        lost |= dict.fromkeys(there, time.time())
        ground.say(kind, "killed", len(lost), "of", wanted, step)
        begin(host.name)
    wait_for(
        "the end of all",
        lambda: all(ground.is_over(f"{kind}-{city}", began[city]) for city in cities),
        3600,
        every=5,
    )
    if new := [city for city in cities if whole[city] is None]:
        # There is nothing to compare with: a full night afterwards may find nothing more.
        whole |= {city: _whole(ground, city) for city in new}
        site.until_ended([site.start(f"{kind}-{city}", full=True) for city in new])
    for name in hosts:
        site.stop_worker(name)
    return _judged(ground, kind, cities, lost, began, whole)


def _judged(
    ground: Ground,
    kind: str,
    cities: list[str],
    lost: Mapping[str, float],
    began: Mapping[str, str],
    whole: Mapping[str, Any],
) -> Told:
    """What became of the runs that were lost, and of the lakes."""
    faults, noticed, replaced, alone = [], [], [], 0
    by_id = {r["id"]: r for city in cities for r in ground.all_of(f"{kind}-{city}")}
    steps = Counter((["before the first step", *ground.steps_of(run)])[-1] for run in lost)
    for run, killed in lost.items():
        state = by_id[run]["state"]
        if state["type"] != "CRASHED":
            # It had ended in the moment of the kill.
            alone += 1
            continue
        noticed.append(_seconds(state["timestamp"]) - killed)
        later = [
            _taken_up(r) - killed
            for r in by_id.values()
            if r["id"] != run
            and r["deployment_id"] == by_id[run]["deployment_id"]
            and r["start_time"]
            and _taken_up(r) > killed
        ]
        if later:
            replaced.append(min(later))
        else:
            faults.append(f"{kind}: nothing replaced a run that crashed")
    if replaced and max(replaced) > 600:
        faults.append(f"{kind}: replaced only after {max(replaced):.0f} seconds")
    ends: dict[str, int] = {}
    for city in cities:
        end = ground.chain_end(f"{kind}-{city}", began[city])["state"]
        ends[f"{end['name']}: {end['message']}"[:60]] = (
            ends.get(f"{end['name']}: {end['message']}"[:60], 0) + 1
        )
        faults += _differs(ground, kind, city, whole[city])
        active = _places_taken(ground.site, f"{kind}-{city}")
        if active:
            faults.append(f"{kind}-{city}: {active} places are not free")
    told = {
        "kind": kind,
        "kills": len(lost),
        "ended_just_then": alone,
        "in_step": dict(steps.most_common()),
        "noticed_after": [round(s) for s in sorted(noticed)],
        "replaced_after": [round(s) for s in sorted(replaced)],
        "ends": ends,
        "faults": faults,
    }
    ground.say(kind, told)
    return told


def _whole(ground: Ground, city: str) -> Any:
    return contents_of(ground.settings(city).lake()) if ground.has_lake(city) else None


def _differs(ground: Ground, kind: str, city: str, whole: Any) -> list[str]:
    lake = ground.settings(city).lake()
    found = contents_of(lake)
    wrong = [
        f"{kind}-{city}: {name}: {rows}"
        for name, rows in found.items()
        if name.endswith(" doubled") and rows != [["0"]]
    ]
    if whole is not None and found != whole:
        wrong.append(f"{kind}-{city}: other rows afterwards")
    if kind != "nightly":
        editions = editions_of(lake)["editions"]
        wanted = "published" if kind == "publish" else "pending"
        if [one[:2] for one in editions] != [(f"{YEAR}-1", wanted)]:
            wrong.append(f"{kind}-{city}: editions {editions}")
    return wrong


def _places_taken(site: Site, name: str) -> int:
    """How many places of a deployment's own limit are taken."""
    limit = site.ask(f"/deployments/{site.deployments[name]}").get("global_concurrency_limit")
    return int(limit["active_slots"]) if limit else 0


def _taken_up(run: Told) -> float:
    """When a run began. One that was lost before it began is said to have begun when it crashed; it
    was there when it was made."""
    never = run["state_type"] == "CRASHED" and run["start_time"] == run["end_time"]
    return _seconds(run["created" if never else "start_time"])


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
