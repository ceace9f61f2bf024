"""What all trials have in common: the site, its cities' lakes and its runs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.hosts.network import Host
from benchmarks.hosts.site import Site, wait_for
from tasks.settings import Settings

YEAR = 2020
COMPLETE = ("Completed", "有阻断问题")
"""Final states of a run that did what it was for: the demo city's 2020 has findings on purpose."""
Told = dict[str, Any]


@dataclass
class Ground:
    """`wanted` are the numbers that were asked for."""

    site: Site
    wanted: Mapping[str, Any]
    say: Callable[..., None]
    pick: random.Random = field(default_factory=lambda: random.Random(7))

    @property
    def workers(self) -> list[str]:
        return [name for name in self.site.network.hosts if name not in ("a", "s")]

    def settings(self, city: str, host: str = "") -> Settings:
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

    def see_pulled(self, cities: list[str]) -> None:
        """See that these cities had their first night."""
        wanted = [city for city in cities if not self.has_lake(city)]
        if not wanted:
            return
        with self.working(2):
            runs = [self.site.start(f"nightly-{city}") for city in wanted]
            if wrong := wrong_ends(self.site.until_ended(runs)):
                raise RuntimeError(wrong)

    def has_lake(self, city: str) -> bool:
        return self.settings(city).lake().exists()

    @contextmanager
    def working(self, limit: int) -> Iterator[None]:
        hosts = self.workers[:2]
        for host in hosts:
            self.site.begin_worker(host, limit)
        try:
            yield
        finally:
            for host in hosts:
                self.site.stop_worker(host)

    def all_of(self, name: str) -> list[Told]:
        body = {
            "deployments": {"id": {"any_": [self.site.deployments[name]]}},
            "sort": "EXPECTED_START_TIME_ASC",
            "limit": 200,
        }
        found: list[Told] = self.site.ask("/flow_runs/filter", body)
        return found

    def chain(self, name: str, first: str) -> list[Told]:
        """What replaced a run, in order, waited for to its end."""
        found: list[Told] = []
        state = self.site.run(first)["state_type"]
        while state == "CRASHED" and len(found) < 2:
            key = f"replaces:{len(found) + 1}:{first}"

            def replacement(key: str = key) -> Told | None:
                return next((r for r in self.all_of(name) if r["idempotency_key"] == key), None)

            run = wait_for("a replacement", replacement, 120)
            found.append(self.site.until_ended([run["id"]], 1200)[0])
            state = found[-1]["state_type"]
        return found

    def chain_end(self, name: str, first: str) -> Told:
        """The last of a run and its replacements so far."""
        chain = [
            r
            for r in self.all_of(name)
            if r["id"] == first or (r["idempotency_key"] or "").endswith(f":{first}")
        ]
        return max(chain, key=lambda r: r["idempotency_key"] or "")

    def is_over(self, name: str, first: str) -> bool:
        """Whether nothing of a run and its replacements is under way or to come."""
        last = self.chain_end(name, first)
        if last["state_type"] in ("COMPLETED", "FAILED", "CANCELLED"):
            return True
        return last["state_type"] == "CRASHED" and (last["idempotency_key"] or "").startswith(
            "replaces:2:"
        )

    def runs_on(self, host: Host) -> list[str]:
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

    def steps_of(self, run: str) -> list[str]:
        """The steps that a run has begun so far, in order, by the first word of their names."""
        body = {
            "flow_runs": {"id": {"any_": [run]}},
            "task_runs": {"start_time": {"is_null_": False}},
            "limit": 200,
        }
        found: list[Told] = self.site.ask("/task_runs/filter", body)
        found.sort(key=lambda task: task["start_time"])
        return [task["name"].partition(" ")[0] for task in found]

    def host_of(self, run: str) -> str | None:
        return next(
            (name for name in self.workers if run in self.runs_on(self.site.network.hosts[name])),
            None,
        )


def wrong_ends(runs: list[Told]) -> list[str]:
    return [
        f"{run['name']}: {run['state']['name']}: {run['state']['message']}"
        for run in runs
        if run["state"]["name"] not in COMPLETE
    ]
