"""The operator's room for tests: `nianbao serve` as a process, and its server asked directly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyotp

from tasks.clock import now
from tasks.people.machine import HEADER, machine_token
from tasks.people.office import Office
from tasks.people.persons import add_person
from tests.city import Installation
from tests.ports import free_port

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
APPROVER = "王处长"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


STEP = 30
"""Seconds for which an authenticator shows a code."""
PASSWORD = "a-long-enough-word"
"""Of everyone in tests."""


def add_people(home: Path, roles: Mapping[str, str]) -> None:
    """Persons of a home by name, with the password and authenticator of all tests."""
    for name, role in roles.items():
        add_person(Office(home), name, role, PASSWORD, SECRET, by="tests", now=now())


def ask_prefect(address: str, home: Path, path: str, body: Any = None, method: str = "") -> Any:
    """An answer of a server's API, asked as the runs of this machine ask it: Prefect answers 503
    while its database is busy with another, and its own client then asks again."""
    request = urllib.request.Request(
        f"{address}/api{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", HEADER: machine_token(home)},
        method=method or None,
    )
    until = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                content = answer.read()
            return json.loads(content) if content else None
        except urllib.error.HTTPError as refused:
            if refused.code != 503 or time.monotonic() > until:
                raise
            time.sleep(0.2)


@dataclass
class Room:
    """A running `nianbao serve`."""

    process: subprocess.Popen[str]
    address: str
    installation: Installation
    steps: dict[str, int] = field(default_factory=dict)
    """The last step (of 30 seconds) whose code a person has used."""

    @property
    def home(self) -> Path:
        return self.installation.home

    def code_of(self, name: str, secret: str = SECRET) -> str:
        """The next code of someone's authenticator: each serves once, so one may have to wait."""
        step = max(int(time.time()) // STEP, self.steps.get(name, 0) + 1)
        while step > int(time.time()) // STEP + 1:
            time.sleep(0.5)
        self.steps[name] = step
        return pyotp.TOTP(secret).at(step * STEP)

    def sign_in(
        self,
        page: Any,
        name: str,
        wanted: str = "/desk/",
        *,
        password: str = PASSWORD,
        secret: str = SECRET,
        address: str = "",
    ) -> None:
        """In a browser's page that shows nothing yet: to a page, as someone. `address` is where
        the browser finds the room, when that is elsewhere."""
        goal = f"{address or self.address}{wanted}"
        page.context.clear_cookies()
        page.goto(goal)
        page.get_by_label("姓名").fill(name)
        page.get_by_label("口令").fill(password)
        page.get_by_label("验证器").fill(self.code_of(name, secret))
        page.get_by_role("button", name="登录").click()
        page.wait_for_url(goal)

    def ask(self, path: str, body: Any = None, method: str = "") -> Any:
        """An answer of the server's API, asked as this machine's own runs ask it."""
        return ask_prefect(self.address, self.home, path, body, method)

    def deployment(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(f"/deployments/name/{name}/{name}")
        return found

    def runs(self, name: str) -> list[dict[str, Any]]:
        """A deployment's runs that began, the oldest first."""
        found: list[dict[str, Any]] = self.ask(
            "/flow_runs/filter",
            {"sort": "START_TIME_ASC", "deployments": {"name": {"any_": [name]}}},
        )
        return [run for run in found if run["start_time"]]

    def start(self, name: str, **parameters: Any) -> str:
        deployment = self.deployment(name)["id"]
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return str(self.ask(f"/deployments/{deployment}/create_flow_run", body)["id"])

    def state(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(f"/flow_runs/{run_id}")["state"]
        return found

    def until_ended(self, run_id: str, timeout: float = 180) -> dict[str, Any]:
        """A run's final state."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            state = self.state(run_id)
            if state["type"] in ENDED:
                return state
            time.sleep(0.3)
        raise AssertionError(f"{run_id} did not end: {state}")

    def run(self, name: str, **parameters: Any) -> dict[str, Any]:
        """Start a run and wait for its final state."""
        return self.until_ended(self.start(name, **parameters))

    def artifact(self, key: str) -> str:
        """The newest artifact of a key, as Markdown."""
        found = self.ask(
            "/artifacts/filter",
            {"sort": "CREATED_DESC", "artifacts": {"key": {"any_": [key]}}, "limit": 1},
        )
        return str(found[0]["data"])

    def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(40)


@contextmanager
def room(
    home: Path, services: Mapping[str, str], port: int | None = None, **settings: str
) -> Iterator[Room]:
    """`nianbao serve` for the length of a `with` block."""
    installation = Installation.at(home, {**services, **settings})
    port = port or free_port()
    home.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        installation.command("serve", "--port", str(port)),
        env=dict(installation.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("已就绪"):
                break
        assert "已就绪" in said, said
        yield Room(process, f"http://127.0.0.1:{port}", installation)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                for pid in [*descendants(process.pid), process.pid]:
                    os.kill(pid, signal.SIGKILL)
                process.wait()


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that they started, the youngest first."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            found = [*descendants(child), child, *found]
    return found


def process_of(run_id: str, under: int) -> int | None:
    """The process in which a flow run goes on, below a process; None before and after."""
    for pid in descendants(under):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if f"PREFECT__FLOW_RUN_ID={run_id}".encode() in environment:
            return pid
    return None
