"""SIGKILL at random moments of each kind of run; afterwards all is as if nothing had been."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.city import Installation
from tests.operator_room import descendants, room
from tests.soak.state import after_maintenance, contents, editions, faults_of_files
from tests.warm import Server
from warehouse.lake import Lake

MAINTENANCE = "from flows.maintenance import maintenance; maintenance(return_state=True)"
IN_A_ROW = 5
"""Kills of one home before it is let end."""


@dataclass
class Trial:
    """What became of the kills of one kind of run."""

    kind: str
    kills: int = 0
    ended_by_themselves: int = 0
    homes: int = 0
    seconds_undisturbed: float = 0
    faults: list[str] = field(default_factory=list)


class Killing:
    """Works in `folder`, with the services of a demo city and commands forked from `warm`."""

    def __init__(
        self,
        folder: Path,
        services: dict[str, str],
        warm: Server,
        seed: int,
        say: Callable[..., None],
    ) -> None:
        self._folder = folder
        self._services = services
        self._warm = warm
        self._random = random.Random(seed)
        self._say = say
        self._count = 0
        self.pulled = self._whole("nightly", None, ["nightly"], 0)
        self._contents = contents(self.pulled.home)
        self.built = self._whole("year-end", self.pulled.home, ["year-end", "2020"], 1)
        self._publishing = ["publish", "2020-1", "--approver", "张三", "--statement", "同意发布"]
        for code in _blocking(self.built.home):
            self._publishing += ["--answer", f"{code}=已核实"]
        self.published = self._whole("publish", self.built.home, self._publishing, 0)

    def _whole(self, kind: str, start: Path | None, command: list[str], code: int) -> Installation:
        """An installation in which a run was not disturbed."""
        home = self._folder / f"whole-{kind}"
        if start:
            shutil.copytree(start, home)
        made = Installation.at(home, self._services, self._warm)
        made.run(*command, expect=code, timeout=900)
        return made

    def _fresh(self, kind: str, start: Path | None) -> Installation:
        self._count += 1
        home = self._folder / f"{kind}-{self._count}"
        if start:
            shutil.copytree(start, home)
        return Installation.at(home, self._services, self._warm)

    def _seconds(self, run: Callable[[Installation], Any], start: Path | None) -> float:
        made = self._fresh("timed", start)
        began = time.monotonic()
        run(made)
        self._drop(made)
        return time.monotonic() - began

    def _drop(self, made: Installation) -> None:
        for path in (made.home, *made.home.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(made.home)

    def _kill(self, trial: Trial, made: Installation, command: Sequence[str]) -> None:
        """Start a command and end it at a random moment of its length."""
        running = made.start(*command)
        until = time.monotonic() + self._random.uniform(0.02, 1) * trial.seconds_undisturbed
        while running.poll() is None and time.monotonic() < until:
            time.sleep(0.003)
        if running.poll() is None:
            running.kill()
            trial.kills += 1
        else:
            trial.ended_by_themselves += 1

    def _check(self, trial: Trial, made: Installation, found: list[str]) -> None:
        trial.homes += 1
        left = [f"outlives maintenance: {name}" for name in after_maintenance(made.home)]
        if contents(made.home) != self._contents:
            left.append("the lake's rows differ")
        trial.faults += [f"{made.home.name}: {fault}" for fault in [*found, *left]]
        self._say(
            trial.kind, "kills", trial.kills, "homes", trial.homes, "faults", len(trial.faults)
        )
        if not [*found, *left]:
            self._drop(made)

    def nightly(self, wanted: int) -> Trial:
        trial = Trial("nightly")
        trial.seconds_undisturbed = self._seconds(lambda made: made.run("nightly"), None)
        while trial.kills < wanted:
            made = self._fresh("nightly", None)
            for _ in range(min(IN_A_ROW, wanted - trial.kills)):
                self._kill(trial, made, ["nightly"])
            made.run("nightly", timeout=900)
            self._check(trial, made, [])
        return trial

    def year_end(self, wanted: int) -> Trial:
        trial = Trial("year-end")
        command = ["year-end", "2020"]
        trial.seconds_undisturbed = self._seconds(
            lambda made: made.run(*command, expect=1, timeout=900), self.pulled.home
        )
        while trial.kills < wanted:
            made = self._fresh("year-end", self.pulled.home)
            for _ in range(min(2, wanted - trial.kills)):
                self._kill(trial, made, command)
            made.run(*command, expect=1, timeout=900)
            found = faults_of_files(made.home, is_published=False)
            if editions(made.home) != editions(self.built.home):
                found.append("editions differ")
            self._check(trial, made, found)
        return trial

    def publish(self, wanted: int) -> Trial:
        trial = Trial("publish")
        trial.seconds_undisturbed = self._seconds(
            lambda made: made.run(*self._publishing, timeout=900), self.built.home
        )
        while trial.kills < wanted:
            made = self._fresh("publish", self.built.home)
            self._kill(trial, made, self._publishing)
            again = made.start(*self._publishing)
            again.wait(900)
            found = [] if again.code in (0, 2) else [f"exit code {again.code}: {again.output}"]
            found += faults_of_files(made.home, is_published=True)
            if editions(made.home) != editions(self.published.home):
                found.append("editions differ")
            self._check(trial, made, found)
        return trial

    def maintenance(self, wanted: int) -> Trial:
        trial = Trial("maintenance")
        trial.seconds_undisturbed = self._seconds(
            lambda made: self._maintained(made).wait(), self.published.home
        )
        while trial.kills < wanted:
            made = self._fresh("maintenance", self.published.home)
            running = self._maintained(made)
            # Its first half is Python starting.
            time.sleep(trial.seconds_undisturbed * self._random.uniform(0.5, 1))
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
                trial.kills += 1
            running.wait()
            found = []
            if self._maintained(made).wait():
                found.append("the maintenance after it failed")
            found += faults_of_files(made.home, is_published=True)
            if editions(made.home) != editions(self.published.home):
                found.append("editions differ")
            made.run("rebuild", "2020-1", timeout=900)
            self._check(trial, made, found)
        return trial

    def _maintained(self, made: Installation) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", MAINTENANCE],
            env=dict(made.environment),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def serve(self, wanted: int) -> Trial:
        """`serve` alone is killed while a nightly run goes on, and started again."""
        trial = Trial("serve")
        trial.seconds_undisturbed = 30
        city = {k: v for k, v in self._services.items() if not k.startswith("PREFECT_")}
        while trial.kills < wanted:
            made = self._fresh("serve", None)
            found: list[str] = []
            port = None
            for _ in range(min(3, wanted - trial.kills)):
                with room(made.home, city, port=port) as served:
                    port = int(served.address.rpartition(":")[2])
                    lost = served.start("nightly")
                    time.sleep(self._random.uniform(0.1, trial.seconds_undisturbed))
                    below = descendants(served.process.pid)
                    os.kill(served.process.pid, signal.SIGKILL)
                    served.process.wait()
                    trial.kills += 1
                with room(made.home, city, port=port) as served:
                    alive = [pid for pid in below if Path(f"/proc/{pid}").exists()]
                    found += [f"still runs: {pid}" for pid in alive]
                    state = served.state(lost)["type"]
                    if state not in ("CRASHED", "COMPLETED", "SCHEDULED"):
                        found.append(f"the killed run is {state}")
                    ended = served.run("nightly")
                    if ended["type"] != "COMPLETED":
                        found.append(f"the run after it is {ended}")
            self._check(trial, made, found)
        return trial


def _blocking(home: Path) -> list[str]:
    """Codes of the findings that block, to be answered."""
    with Lake(home).read() as connection:
        return [
            code
            for (code,) in connection.execute(
                "SELECT DISTINCT code FROM yearly.check_result "
                "WHERE severity = 'block' AND check_status <> 'pass' ORDER BY 1"
            ).fetchall()
        ]
