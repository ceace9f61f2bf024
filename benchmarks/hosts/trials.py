"""The trials of a site: what each of them did and measured, and what was wrong."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.hosts.network import Host
from benchmarks.hosts.site import CODE, NIANBAO, Site, wait_for
from tasks.clock import now
from tasks.editions.build import preview
from tasks.publish.approvals import Request, approve
from tasks.render import render_edition
from tasks.settings import Settings
from tests.soak.state import contents_of, editions_of, faults_of_files
from warehouse.lake import Lake
from warehouse.lake_errors import LakeBusy
from warehouse.period import Period

YEAR = 2020
AT = datetime(2021, 2, 1, 3)
COMPLETE = ("Completed", "有阻断问题")
"""Final states of a run that did what it was for: the demo city's 2020 has findings on purpose."""
KINDS = ("nightly", "year-end", "publish")
"""What is killed, in this order."""
STEPS = {
    "nightly": ("pull", "load", "check"),
    "year-end": ("build", "render"),
    "publish": ("publish",),
}
"""The steps of a run that kills are aimed at, in turn."""
Told = dict[str, Any]


@dataclass
class Trial:
    """`wanted` are the numbers that were asked for."""

    site: Site
    wanted: Mapping[str, Any]
    say: Callable[..., None]
    pick: random.Random = field(default_factory=lambda: random.Random(7))

    @property
    def workers(self) -> list[str]:
        return [name for name in self.site.network.hosts if name not in ("a", "s")]

    # One night

    def nights(self) -> Told:
        """All cities' nights on 1, 2, 3 workers with one place each; before that their first one."""
        counts = sorted(set(self.wanted["workers"]))
        first = self._night(self.workers[: counts[-1]])
        quiet = [self._night(self.workers[:count]) for count in counts]
        alone = next((one for one in quiet if one["workers"] == 1), quiet[0])
        for one in quiet:
            share = alone["elapsed"] / one["workers"]
            one["ratio"] = round(one["elapsed"] / share, 2)
            bound = one["cpu_seconds"] / (os.cpu_count() or 1)
            one["ratio_of_cores"] = round(one["elapsed"] / max(share, bound), 2)
        faults = [fault for one in (first, *quiet) for fault in one.pop("faults")]
        return {"cities": self.site.count, "first": first, "quiet": quiet, "faults": faults}

    def _night(self, hosts: list[str]) -> Told:
        site = self.site
        before, used = self._shared_cpu(), _cpu_of_children()
        size = self._database_size()
        for host in hosts:
            site.begin_worker(host, 1)
        began = time.time()
        runs = site.until_ended([site.start(f"nightly-{city}") for city in site.cities])
        elapsed = time.time() - began
        for host in hosts:
            site.stop_worker(host)
        workers = _cpu_of_children() - used
        shared = {
            name: round(value - before[name], 1) for name, value in self._shared_cpu().items()
        }
        told = {
            "workers": len(hosts),
            "elapsed": round(elapsed),
            "nights": [round(run["total_run_time"], 1) for run in runs],
            "cpu_of_workers": round(workers, 1),
            "cpu_of_shared": shared,
            "cpu_seconds": round(workers + sum(shared.values()), 1),
            "server_database_bytes": self._database_size() - size,
            "load": round(os.getloadavg()[0], 1),
            "faults": _wrong_ends(runs),
        }
        self.say("night", {k: v for k, v in told.items() if k != "nights"})
        return told

    def _shared_cpu(self) -> dict[str, float]:
        """What the shared parts have used by now."""
        site = self.site
        parts = {"a": site.a.cpu_seconds(), "storage": site.storage.cpu_seconds()}
        server, database = (_cpu_of_tree(p.pid) for p in (site.server, site.database))
        return {
            "server": server,
            "database": database,
            "redis and door": parts["a"] - server - database,
            "storage": parts["storage"],
        }

    def _database_size(self) -> int:
        return int(self.site.sql("SELECT pg_database_size('prefect')", "prefect")[0][0])

    # Writers

    def commits(self) -> Told:
        """So many commits of as many writers as there are cities, each with its own lake; then of some
        processes that want the writer's lock of one lake."""
        writers, wanted = self.wanted["writers"], self.wanted["commits"]
        apart = self._committed([f"w{n:02}" for n in range(writers)], -(-wanted // writers))
        beside = self._committed(["w00"] * 6, -(-wanted // 6))
        return {
            "apart": apart,
            "one_lake": beside,
            "faults": apart.pop("faults") + beside.pop("faults"),
        }

    def _committed(self, lakes: list[str], each: int) -> Told:
        site = self.site
        there = {row[0] for row in site.sql("SELECT datname FROM pg_database", "postgres")}
        for name in sorted({*lakes}):
            if f"nianbao_{name}" not in there:
                site.sql(f'CREATE DATABASE "nianbao_{name}" OWNER nianbao', "postgres")
            self._lake(name).create()
        began, processes = time.monotonic(), []
        before = {name: self._count(name) for name in {*lakes}}
        for at, name in enumerate(lakes):
            host = self.site.network.hosts[self.workers[at % len(self.workers)]]
            command = [sys.executable, "-m", "benchmarks.hosts.writer", *self._place(name)]
            label = f"writer-{name}-{at}-{each}"
            processes.append(
                (
                    host,
                    label,
                    host.begin(
                        label, [*command, f"{label}-{began}", str(each)], {**os.environ}, CODE
                    ),
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
            came = self._count(name) - before[name]
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
        self.say("commits", found)
        return found

    def _place(self, name: str) -> list[str]:
        site = self.site
        address = f"postgresql://nianbao:{site.password}@{site.a.address}/nianbao_{name}"
        return [address, str(site.folder / "writers" / name)]

    def _lake(self, name: str) -> Lake:
        address, home = self._place(name)
        return Lake(Path(home), address=address)

    def _count(self, name: str) -> int:
        with self._lake(name).read() as connection:
            row = connection.execute("SELECT count(DISTINCT load_id) FROM ops.load").fetchone()
        return int(row[0]) if row else 0

    # The same as with the default

    def equal(self) -> Told:
        """Cities pulled here and by the embedded default: rows, figures and the bytes of files."""
        cities, faults, same = self.site.cities[: self.wanted["equal"]], [], 0
        self._pulled(cities)
        for city in cities:
            default = self._default(city)
            mine = self._settings(city)
            if contents_of(default.lake()) != contents_of(mine.lake()):
                faults.append(f"{city}: other rows than by the default")
            folders = [self._files(settings) for settings in (default, mine)]
            names = [sorted(path.name for path in folder.iterdir()) for folder in folders]
            if names[0] != names[1]:
                faults.append(f"{city}: other files than by the default")
            for name in names[0]:
                if (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes():
                    same += 1
                else:
                    faults.append(f"{city}: {name} has other bytes than by the default")
            self.say("equal", city, len(names[0]), "files", faults)
        return {"cities": len(cities), "files_of_equal_bytes": same, "faults": faults}

    def _default(self, city: str) -> Settings:
        """The city pulled on one machine with nothing but the default."""
        site = self.site
        home = site.folder / "default" / city
        home.mkdir(parents=True, exist_ok=True)
        secret = Path(site.common("a")["NIANBAO_HOME"].replace("{city}", city)) / f"{city}.env"
        (home / secret.name).write_bytes(secret.read_bytes())
        folder = Path(site.common("a")["NIANBAO_CITIES"]) / city
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("NIANBAO_", "PREFECT_"))}
        given = {**kept, "NIANBAO_HOME": str(home), "NIANBAO_CITY": str(folder)}
        subprocess.run(
            [NIANBAO, "nightly"], cwd=CODE, env=given, check=True, stdout=subprocess.DEVNULL
        )
        return Settings(home=home, city=folder, catalog="", storage="")

    def _files(self, settings: Settings) -> Path:
        """The files of the year's edition as of one moment: when the lake was last written to, and how
        often (the number of the snapshot), are two nights' own."""
        edition = preview(settings.lake(), settings.city, Period.of_year(YEAR), now=AT)
        edition = replace(edition, id=f"{YEAR}-1", snapshot=1, data_as_of=AT)
        into = self.site.folder / "files" / f"{settings.city_name}-{int(bool(settings.storage))}"
        render_edition(edition, into, lake=settings.lake())
        return into

    def _settings(self, city: str, host: str = "") -> Settings:
        """A city's settings, as on a worker's host."""
        given = self.site.common(host or self.workers[0])
        return Settings(
            city=Path(given["NIANBAO_CITIES"]) / city,
            home=given["NIANBAO_HOME"].replace("{city}", city),
            catalog=given["NIANBAO_CATALOG"].replace("{city}", city),
            storage=given["NIANBAO_STORAGE"].replace("{city}", city),
            storage_endpoint=given["NIANBAO_STORAGE_ENDPOINT"],
            storage_key=given["NIANBAO_STORAGE_KEY"],
            storage_secret=given["NIANBAO_STORAGE_SECRET"],
            temporary=given["NIANBAO_TEMPORARY"].replace("{city}", city),
        )

    def _pulled(self, cities: list[str]) -> None:
        """See that these cities had their first night."""
        wanted = [city for city in cities if not self._has_lake(city)]
        if not wanted:
            return
        with self._working(2):
            runs = [self.site.start(f"nightly-{city}") for city in wanted]
            if wrong := _wrong_ends(self.site.until_ended(runs)):
                raise RuntimeError(wrong)

    def _has_lake(self, city: str) -> bool:
        return self._settings(city).lake().exists()

    @contextmanager
    def _working(self, limit: int) -> Iterator[None]:
        hosts = self.workers[:2]
        for host in hosts:
            self.site.begin_worker(host, limit)
        try:
            yield
        finally:
            for host in hosts:
                self.site.stop_worker(host)

    # Away for a while

    def cut(self) -> Told:
        """A host cut off for two minutes, the catalog and the storage away for one, each during a full
        night; and a host that was switched off while it held a writer's lock."""
        city = self.site.cities[0]
        self._pulled([city])
        before, lines = contents_of(self._settings(city).lake()), []
        ways = {
            "host": (self._cut_host, 120),
            "catalog": (self._stop_database, 60),
            "storage": (self._cut_storage, 60),
        }
        faults = []
        for name in [one for one in ways if one in self.wanted["away"]]:
            leave, seconds = ways[name]
            with self._working(1):
                line = {"what": name, **self._gone_for(city, leave, seconds)}
            if contents_of(self._settings(city).lake()) != before:
                faults.append(f"{name}: other rows afterwards")
            faults += [f"{name}: {fault}" for fault in line.pop("faults")]
            lines.append(line)
            self.say("cut", line)
        freed = self._switched_off()
        self.say("a writer's lock is free after", freed)
        if freed > 120:
            faults.append(f"the lock of a host that was switched off was held for {freed} seconds")
        return {"away": lines, "lock_free_after": freed, "faults": faults}

    def _gone_for(
        self, city: str, leave: Callable[[str], Callable[[], None]], seconds: int
    ) -> Told:
        """Start a full night, take something away in its midst; what became of it and of the next."""
        site = self.site
        run = site.start(f"nightly-{city}", full=True)
        host = wait_for("a host that runs it", lambda: self._host_of(run), 240)
        wait_for("its beginning", lambda: site.run(run)["state_type"] == "RUNNING", 240)
        time.sleep(self.pick.uniform(3, 20))
        is_running = site.run(run)["state_type"] == "RUNNING"
        come_back = leave(host)
        try:
            time.sleep(seconds)
        finally:
            come_back()
        ended = site.until_ended([run], 1200)[0]["state"]
        chain = self._chain(f"nightly-{city}", run)
        last = chain[-1]["state"] if chain else ended
        following = site.until_ended([site.start(f"nightly-{city}")], 1200)[0]["state"]
        faults = (
            [] if following["name"] in COMPLETE else [f"the next night: {following['message']}"]
        )
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

    def _cut_host(self, host: str) -> Callable[[], None]:
        self.site.network.hosts[host].cut()
        return self.site.network.hosts[host].join

    def _cut_storage(self, host: str) -> Callable[[], None]:
        self.site.storage.cut()
        return self.site.storage.join

    def _stop_database(self, host: str) -> Callable[[], None]:
        """The whole PostgreSQL, so the server's database with it."""
        self.site.a.stop(self.site.database, signal.SIGINT)
        return self.site.begin_database

    def _switched_off(self) -> float:
        """For how many seconds nobody may write after the host of the writer was switched off."""
        self._committed(["w00"], 1)
        host = self.site.network.hosts[self.workers[-1]]
        command = [sys.executable, "-m", "benchmarks.hosts.writer", *self._place("w00")]
        log = host.logs / f"holder-{host.name}.log"
        host.begin("holder", [*command, "holder", "hold"], {**os.environ}, CODE)
        wait_for("the lock", lambda: log.exists() and "held" in log.read_text())
        host.cut()
        try:
            host.kill()
            began = time.monotonic()
            try:
                with replace(self._lake("w00"), write_timeout=600).write():
                    pass
            except LakeBusy:
                pass
            return round(time.monotonic() - began, 1)
        finally:
            host.join()

    # Killed

    def kills(self) -> Told:
        """Hosts of workers are killed, with all that runs there, at random moments of first nights, full
        nights, year-ends and publications; each run must be replaced within ten minutes."""
        cities = self.site.cities[: self.wanted["kill_cities"]]
        wanted, kinds = [kind for kind in KINDS if kind in self.wanted["kinds"]], []
        for kind in wanted:
            asked = self._asked(kind, cities)
            kinds.append(self._killed(kind, cities, -(-self.wanted["kills"] // len(wanted)), asked))
        faults = [fault for kind in kinds for fault in kind.pop("faults")]
        for city in cities if "publish" in wanted else []:
            found = faults_of_files(self._settings(city, "a").home, is_published=True)
            faults += [f"{city}: {fault}" for fault in found]
        return {"kinds": kinds, "faults": faults}

    def _asked(self, kind: str, cities: list[str]) -> dict[str, Told]:
        """What runs of a kind are asked for in each city; what they need is there afterwards."""
        if kind == "nightly":
            return {city: {"full": True} for city in cities}
        self._pulled(cities)
        if kind == "year-end":
            return {city: {"year": YEAR} for city in cities}
        new = [c for c in cities if not editions_of(self._settings(c).lake())["editions"]]
        if new:
            with self._working(2):
                self.site.until_ended([self.site.start(f"year-end-{c}", year=YEAR) for c in new])
        return {city: {"approval": str(self._approved(city))} for city in cities}

    def _approved(self, city: str) -> int:
        settings = self._settings(city, "a")
        with settings.lake().read() as connection:
            found = connection.execute(
                "SELECT DISTINCT code FROM yearly.check_result "
                "WHERE severity = 'block' AND check_status <> 'pass'"
            ).fetchall()
        request = Request(
            f"{YEAR}-1", "张三", "同意发布", answers={code: "已核实" for (code,) in found}
        )
        return approve(settings.lake(), settings, request, now=now()).number

    def _killed(self, kind: str, cities: list[str], wanted: int, asked: Mapping[str, Told]) -> Told:
        """Runs of one kind in all these cities, killed until so many were."""
        site, lost = self.site, dict[str, float]()
        hosts = self.workers[:2]
        whole = {city: self._whole(city) for city in cities}

        def begin(host: str) -> None:
            site.begin_worker(host, -(-len(cities) // 2), is_of_pages=kind == "publish")

        for host in hosts:
            begin(host)
        began: dict[str, str] = {}
        at = 0
        while len(lost) < wanted:
            for city in cities:
                name = f"{kind}-{city}"
                if city not in began or self._is_over(name, began[city]):
                    began[city] = site.start(name, **asked[city])
            host = site.network.hosts[hosts[at % 2]]
            at += 1
            step = STEPS[kind][at // 2 % len(STEPS[kind])]
            wait_for(f"a run in {step}", lambda h=host, s=step: self._is_in(h, s), 900)
            time.sleep(self.pick.uniform(0, 3))
            there = self._runs_on(host)
            site.kill_worker(host.name)
            lost |= dict.fromkeys(there, time.time())
            self.say(kind, "killed", len(lost), "of", wanted)
            begin(host.name)
        wait_for(
            "the end of all",
            lambda: all(self._is_over(f"{kind}-{city}", began[city]) for city in cities),
            3600,
            every=5,
        )
        if new := [city for city in cities if whole[city] is None]:
            # There is nothing to compare with: a full night afterwards may find nothing more.
            whole |= {city: self._whole(city) for city in new}
            site.until_ended([site.start(f"{kind}-{city}", full=True) for city in new])
        for host_name in hosts:
            site.stop_worker(host_name)
        return self._judged(kind, cities, lost, began, whole)

    def _judged(
        self,
        kind: str,
        cities: list[str],
        lost: Mapping[str, float],
        began: Mapping[str, str],
        whole: Mapping[str, Any],
    ) -> Told:
        """What became of the runs that were lost, and of the lakes."""
        faults, noticed, replaced, alone = [], [], [], 0
        by_id = {r["id"]: r for city in cities for r in self._all(f"{kind}-{city}")}
        steps = Counter((["before the first step", *self._begun(run)])[-1] for run in lost)
        for run, killed in lost.items():
            state = by_id[run]["state"]
            if state["type"] != "CRASHED":
                # It had ended in the moment of the kill.
                alone += 1
                continue
            noticed.append(_seconds(state["timestamp"]) - killed)
            later = [
                _seconds(r["start_time"]) - killed
                for r in by_id.values()
                # A run that crashed before it began is said to have begun when it crashed.
                if r["id"] != run
                and r["deployment_id"] == by_id[run]["deployment_id"]
                and r["start_time"]
                and _seconds(r["start_time"]) > killed
            ]
            if later:
                replaced.append(min(later))
            else:
                faults.append(f"{kind}: nothing replaced a run that crashed")
        if replaced and max(replaced) > 600:
            faults.append(f"{kind}: replaced only after {max(replaced):.0f} seconds")
        ends: dict[str, int] = {}
        for city in cities:
            end = self._chain_end(f"{kind}-{city}", began[city])["state"]
            ends[f"{end['name']}: {end['message']}"[:60]] = (
                ends.get(f"{end['name']}: {end['message']}"[:60], 0) + 1
            )
            faults += self._differs(kind, city, whole[city])
            active = site_slots(self.site, f"{kind}-{city}")
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
        self.say(kind, told)
        return told

    def _whole(self, city: str) -> Any:
        return contents_of(self._settings(city).lake()) if self._has_lake(city) else None

    def _differs(self, kind: str, city: str, whole: Any) -> list[str]:
        lake = self._settings(city).lake()
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

    def _all(self, name: str) -> list[Told]:
        body = {
            "deployments": {"id": {"any_": [self.site.deployments[name]]}},
            "sort": "EXPECTED_START_TIME_ASC",
            "limit": 200,
        }
        found: list[Told] = self.site.ask("/flow_runs/filter", body)
        return found

    def _chain(self, name: str, first: str) -> list[Told]:
        """What replaced a run, in order, waited for to its end."""
        found: list[Told] = []
        state = self.site.run(first)["state_type"]
        while state == "CRASHED" and len(found) < 2:
            key = f"replaces:{len(found) + 1}:{first}"
            run = wait_for(
                "a replacement",
                lambda k=key: next((r for r in self._all(name) if r["idempotency_key"] == k), None),
                120,
            )
            found.append(self.site.until_ended([run["id"]], 1200)[0])
            state = found[-1]["state_type"]
        return found

    def _chain_end(self, name: str, first: str) -> Told:
        """The last of a run and its replacements so far."""
        chain = [
            r
            for r in self._all(name)
            if r["id"] == first or (r["idempotency_key"] or "").endswith(f":{first}")
        ]
        return max(chain, key=lambda r: r["idempotency_key"] or "")

    def _is_over(self, name: str, first: str) -> bool:
        """Whether nothing of a run and its replacements is under way or to come."""
        last = self._chain_end(name, first)
        if last["state_type"] in ("COMPLETED", "FAILED", "CANCELLED"):
            return True
        return last["state_type"] == "CRASHED" and (last["idempotency_key"] or "").startswith(
            "replaces:2:"
        )

    def _runs_on(self, host: Host) -> list[str]:
        """The runs that have a process on a host."""
        found = set()
        for pid in host.processes():
            try:
                environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            found |= {
                one.partition(b"=")[2].decode()
                for one in environment
                if one.startswith(b"PREFECT__FLOW_RUN_ID=")
            }
        return [r for r in found if self.site.run(r)["state_type"] in ("PENDING", "RUNNING")]

    def _is_in(self, host: Host, step: str) -> bool:
        """Whether one of a host's runs has begun a step, and none after it."""
        return any(self._begun(run)[-1:] == [step] for run in self._runs_on(host))

    def _begun(self, run: str) -> list[str]:
        """The steps that a run has begun so far, in order, by the first word of their names."""
        body = {
            "flow_runs": {"id": {"any_": [run]}},
            "task_runs": {"start_time": {"is_null_": False}},
            "limit": 200,
        }
        found: list[Told] = self.site.ask("/task_runs/filter", body)
        found.sort(key=lambda task: task["start_time"])
        return [task["name"].partition(" ")[0] for task in found]

    def _host_of(self, run: str) -> str | None:
        return next(
            (name for name in self.workers if run in self._runs_on(self.site.network.hosts[name])),
            None,
        )

    # What a simulation needs

    def size(self) -> Told:
        """Files and catalog rows of a city's lake."""
        self._pulled(self.site.cities[:1])
        cities = [city for city in self.site.cities if self._has_lake(city)]
        found = []
        for city in cities[:3]:
            database = f"nianbao_{city}"
            tables = self.site.sql(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'ducklake%'",
                database,
            )
            rows = sum(
                int(self.site.sql(f'SELECT count(*) FROM "{name}"', database)[0][0])
                for (name,) in tables
            )
            files = int(self.site.sql("SELECT count(*) FROM ducklake_data_file", database)[0][0])
            size = int(self.site.sql(f"SELECT pg_database_size('{database}')", database)[0][0])
            found.append({"files": files, "catalog_rows": rows, "catalog_bytes": size})
        middle = {key: round(statistics.median(one[key] for one in found)) for key in found[0]}
        return {"cities": len(cities), **middle, "faults": []}


def site_slots(site: Site, name: str) -> int:
    """How many places of a deployment's own limit are taken."""
    limit = site.ask(f"/deployments/{site.deployments[name]}").get("global_concurrency_limit")
    return int(limit["active_slots"]) if limit else 0


def _wrong_ends(runs: list[Told]) -> list[str]:
    return [
        f"{run['name']}: {run['state']['name']}: {run['state']['message']}"
        for run in runs
        if run["state"]["name"] not in COMPLETE
    ]


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


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
