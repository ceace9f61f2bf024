"""Runs, servers and commands that are killed: what they held is free, what they began ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deployments.automations import declared
from tests.city import Installation
from tests.operator_room import ENDED, Room, descendants, process_of, room
from tests.ports import free_port
from warehouse.lake import Lake

pytestmark = pytest.mark.timeout(1500)
SOON = 12
SERVER_WITH_LITTLE_PATIENCE = """
import sys
import deployments.automations as automations
entries = automations.declared()
for entry in entries:
    entry["trigger"]["within"] = int(sys.argv[1])
automations.declared = lambda: entries
import deployments.replacement as replacement
replacement.LOOK_SECONDS = 0.5
sys.argv = sys.argv[:1]
from deployments.server import main
main()
"""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    from deployments.demo_city.service import running

    with running(tmp_path_factory.mktemp("services"), scale=0.005) as environment:
        yield dict(environment)


def wait_for(what: str, found: Callable[[], Any], timeout: float = 400) -> Any:
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        value = found()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError(f"waited in vain for {what}")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def server(home: Path, patience: int) -> Iterator[Room]:
    """Prefect's server alone, as a worker's installation has it."""
    installation = Installation.at(home, {})
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER_WITH_LITTLE_PATIENCE, str(patience)],
        env={
            **installation.environment,
            "NIANBAO_PORT": str(port),
            "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_CANCELLING_TIMEOUT_SECONDS": str(
                patience
            ),
        },
        text=True,
    )
    served = Room(process, f"http://127.0.0.1:{port}", installation)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for("the server", answers)
        yield served
    finally:
        process.terminate()
        process.wait(30)


def made(served: Room, name: str, **more: Any) -> str:
    """A deployment that lets one run at a time begin, as the nightly one does."""
    flow = served.ask("/flows/", {"name": "nightly"})["id"]
    body = {
        "name": name,
        "flow_id": flow,
        "concurrency_limit": 1,
        "concurrency_options": {"collision_strategy": "CANCEL_NEW"},
        **more,
    }
    return str(served.ask("/deployments/", body)["id"])


def set_state(served: Room, run: str, kind: str, name: str | None = None) -> str:
    state = {"type": kind, **({"name": name} if name else {})}
    answer = served.ask(f"/flow_runs/{run}/set_state", {"state": state})
    return str(answer["state"]["type"])


STATES = {
    "pending": ["Pending"],
    "submitting": ["Submitting"],
    "began": ["Pending"],
    "running": ["Pending", "Running"],
    "cancelling": ["Pending", "Running", "Cancelling"],
}


def told_of_its_steps(served: Room, run: str) -> None:
    """What a worker's process tells before the run is running."""
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "prefect.flow-run.pull-step.executed",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
    }
    served.ask("/events", [event])


def test_a_run_that_nothing_is_heard_of_any_more_lets_the_next_begin(tmp_path: Path) -> None:
    with server(tmp_path / "home", SOON) as served:
        names = {one["name"] for one in served.ask("/automations/filter", {})}
        assert names == {entry["name"] for entry in declared()}
        deployments = {name: made(served, name) for name in STATES}

        def new_run(name: str) -> str:
            created = served.ask(f"/deployments/{deployments[name]}/create_flow_run", {})
            return str(created["id"])

        lost = {name: new_run(name) for name in STATES}
        for name, states in STATES.items():
            for state in states:
                kind = state.upper() if state != "Submitting" else "PENDING"
                assert set_state(served, lost[name], kind, state) == kind
            assert set_state(served, new_run(name), "PENDING") == "CANCELLED"
        time.sleep(1)
        told_of_its_steps(served, lost["began"])
        for name, run in lost.items():
            # Prefect itself ends what nobody is there to cancel.
            end = "CANCELLED" if name == "cancelling" else "CRASHED"
            wait_for(
                f"the end of {name}",
                lambda r=run, end=end: served.state(r)["type"] == end,
                SOON + 30,
            )
        following = {name: new_run(name) for name in STATES}
        for run in following.values():
            assert set_state(served, run, "PENDING") == "PENDING"
            # One that ended under a name of ours is not called crashed afterwards.
            assert set_state(served, run, "RUNNING") == "RUNNING"
            assert set_state(served, run, "FAILED", "来源失败") == "FAILED"
        time.sleep(SOON + 8)
        assert {served.state(run)["name"] for run in following.values()} == {"来源失败"}


def test_what_the_server_does_by_itself_is_made_once_and_changed_where_declared(
    tmp_path: Path,
) -> None:
    for patience in (SOON, 3 * SOON):
        with server(tmp_path / "home", patience) as served:
            kept = served.ask("/automations/filter", {})
        assert sorted(one["name"] for one in kept) == sorted(e["name"] for e in declared())
        assert {one["trigger"]["within"] for one in kept} == {patience}


def test_a_run_that_waits_for_another_is_not_late_at_once(tmp_path: Path) -> None:
    with server(tmp_path / "home", 900) as served:
        deployment = made(served, "waiting")

        def due(ago: timedelta) -> str:
            state = {
                "type": "SCHEDULED",
                "state_details": {"scheduled_time": (datetime.now(UTC) - ago).isoformat()},
            }
            body = {"state": state}
            return str(served.ask(f"/deployments/{deployment}/create_flow_run", body)["id"])

        waits, late = due(timedelta(minutes=5)), due(timedelta(minutes=11))
        wait_for("the late one", lambda: served.state(late)["name"] == "Late", 90)
        assert served.state(waits)["name"] == "Scheduled"


def of_deployment(served: Room, deployment: str) -> list[dict[str, Any]]:
    """Its runs, the oldest first."""
    body = {"sort": "EXPECTED_START_TIME_ASC", "deployments": {"id": {"any_": [deployment]}}}
    return list(served.ask("/flow_runs/filter", body))


def crashed(served: Room, run: str) -> None:
    for kind in ("PENDING", "RUNNING", "CRASHED"):
        assert set_state(served, run, kind) == kind


def test_a_workers_run_that_crashed_is_begun_again_with_what_it_was_asked_for(
    tmp_path: Path,
) -> None:
    with server(tmp_path / "home", 900) as served:
        served.ask("/work_pools/", {"name": "nianbao", "type": "process"})
        pool = {"work_pool_name": "nianbao", "tags": ["haibin"]}
        names = ("again", "of_serve", "goes_on", "last")
        ids = {n: made(served, n, **({} if n == "of_serve" else pool)) for n in names}

        def new_run(name: str) -> str:
            body = {"parameters": {"full": True}, "job_variables": {"env": {"X": "1"}}}
            return str(served.ask(f"/deployments/{ids[name]}/create_flow_run", body)["id"])

        def runs(name: str, count: int) -> list[dict[str, Any]]:
            wait_for(f"{count} of {name}", lambda: len(of_deployment(served, ids[name])) >= count)
            return of_deployment(served, ids[name])

        first = new_run("again")
        for count in (1, 2):
            newest = runs("again", count)[-1]
            assert newest["parameters"] == {"full": True}
            assert newest["job_variables"] == {"env": {"X": "1"}}
            assert {"haibin"} | ({"接替"} if count > 1 else set()) == {*newest["tags"]}
            crashed(served, newest["id"])
        third = runs("again", 3)[-1]
        crashed(served, new_run("of_serve"))
        # The next night has begun when the one before it is called crashed.
        before, after = new_run("goes_on"), new_run("goes_on")
        assert [set_state(served, after, kind) for kind in ("PENDING", "RUNNING")][1] == "RUNNING"
        assert set_state(served, before, "CRASHED") == "CRASHED"
        crashed(served, third["id"])
        # Whatever is looked at by now was: this one crashed last, and is replaced.
        crashed(served, new_run("last"))
        runs("last", 2)
        time.sleep(2)
        counts = {name: len(of_deployment(served, ids[name])) for name in names}
        assert counts == {"again": 3, "of_serve": 1, "goes_on": 2, "last": 2}
        assert of_deployment(served, ids["again"])[0]["id"] == first


def test_a_killed_serve_takes_all_with_it_and_starts_again_by_the_same_command(
    services: dict[str, str], tmp_path: Path
) -> None:
    """While a run has a process; `make soak` kills at random moments."""
    home = tmp_path / "home"
    with room(home, services) as served:
        port = served.address.rpartition(":")[2]
        lost = served.start("nightly")
        wait_for("its beginning", lambda: served.state(lost)["type"] in ("RUNNING", *ENDED))
        assert served.state(lost)["type"] not in ENDED
        wait_for("its process", lambda: process_of(lost, served.process.pid))
        below = descendants(served.process.pid)
        os.kill(served.process.pid, signal.SIGKILL)
        served.process.wait()
        with room(home, services, port=int(port)) as again:
            assert not [pid for pid in below if is_alive(pid)]
            assert again.state(lost)["type"] == "CRASHED"
            assert again.run("nightly")["type"] == "COMPLETED"
            with Lake(home).read() as connection:
                assert connection.execute(
                    "SELECT count(*) = count(DISTINCT record_id) FROM core.application "
                    "WHERE source_system = 'ledger'"
                ).fetchone() == (True,)


def test_a_killed_command_leaves_nothing_running(services: dict[str, str], tmp_path: Path) -> None:
    installation = Installation.at(tmp_path / "home", services)
    process = subprocess.Popen(
        installation.command("nightly"),
        env=dict(installation.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    below = wait_for("its server", lambda: descendants(process.pid))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for("their end", lambda: not [pid for pid in below if is_alive(pid)], 20)
