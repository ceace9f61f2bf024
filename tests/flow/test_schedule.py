"""`nianbao serve` unattended: the schedule fires, a killed run is noticed, the next catches up."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.city import Installation
from tests.operator_room import Room, descendants, process_of, room
from warehouse.lake import Lake

SCALE = 0.005
SECONDS_BETWEEN_RUNS = 10

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    from deployments.demo_city.service import running

    with running(tmp_path_factory.mktemp("services"), scale=SCALE) as environment:
        yield dict(environment)


@pytest.fixture
def told() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook, and what it was told."""
    messages: list[dict[str, Any]] = []

    class Webhook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://127.0.0.1:{server.server_address[1]}/", messages
    server.shutdown()


def control(address: str, path: str, body: Any, method: str = "POST") -> None:
    """Ask the demo city for a fault, or to change a record."""
    request = urllib.request.Request(
        f"{address}/_control{path}", json.dumps(body).encode(), method=method
    )
    urllib.request.urlopen(request, timeout=10).close()


def wait_for(what: str, found: Any, timeout: float = 400) -> Any:
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        value = found()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError(f"waited in vain for {what}")


def ended(served: Room, state: str) -> list[dict[str, Any]]:
    return [run for run in served.runs("nightly") if run["state"]["type"] == state]


def test_nightly_fires_twice_unattended_and_catches_up_after_a_kill(
    services: dict[str, str], told: tuple[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    webhook, messages = told
    ledger = services["NIANBAO_LEDGER_URL"]
    with room(tmp_path / "home", services, NIANBAO_NOTIFY=webhook) as served:
        deployment = served.deployment("nightly")
        assert [s["schedule"]["cron"] for s in deployment["schedules"]] == ["30 1 * * *"]
        assert deployment["schedules"][0]["schedule"]["timezone"] == "Asia/Shanghai"
        served.ask(
            f"/deployments/{deployment['id']}/schedules",
            [{"schedule": {"interval": SECONDS_BETWEEN_RUNS}, "active": True}],
        )
        first = wait_for("the first run", lambda: ended(served, "COMPLETED"))[0]
        lake = Lake(served.home)
        with lake.read() as connection:
            (record,) = connection.execute(
                "SELECT min(record_id) FROM core.application WHERE source_system = 'ledger'"
            ).fetchone()

        # Something new at the source, and a run that is killed while it pulls.
        control(ledger, "/faults", {"kind": "slow", "seconds": 20, "count": 50})
        killed = wait_for(
            "the next run",
            lambda: [r for r in ended(served, "RUNNING") if r["id"] != first["id"]],
        )[0]
        pid = wait_for("its process", lambda: process_of(killed["id"], served.process.pid))
        control(ledger, f"/records/applications/{record}", {"registeredNumber": "补取-1"}, "PATCH")
        os.kill(pid, signal.SIGKILL)
        urllib.request.urlopen(
            urllib.request.Request(f"{ledger}/_control/faults", method="DELETE"), timeout=10
        ).close()
        wait_for("the kill to be noticed", lambda: ended(served, "CRASHED"))
        assert ended(served, "CRASHED")[0]["id"] == killed["id"]

        second = wait_for("the run after", lambda: ended(served, "COMPLETED")[1:])[0]
        assert second["start_time"] > killed["start_time"]
        assert {r["created_by"]["type"] for r in (first, killed, second)} == {"SCHEDULE"}
        # Other matters may be told as well: the deadline watch runs at its own hour.
        wait_for("the message of the kill", lambda: any("中断" in m["title"] for m in messages), 20)
        assert sum("中断" in m["title"] for m in messages) == 1
        with lake.read() as connection:
            loads = connection.execute(
                "SELECT count(*) FROM ops.load WHERE run_id = ?", [second["id"]]
            ).fetchone()
            state = connection.execute(
                "SELECT count(*), count(DISTINCT record_id) FROM core.application "
                "WHERE source_system = 'ledger'"
            ).fetchone()
            (changed,) = connection.execute(
                "SELECT registered_number FROM core.application WHERE record_id = ?", [record]
            ).fetchone()
            runs = connection.execute("SELECT run_status FROM ops.run").fetchall()
        assert loads is not None
        assert state is not None
        assert state[0] == state[1]
        assert changed == "补取-1"
        assert {status for (status,) in runs} == {"done"}
        served.installation.run("status")


def test_one_room_is_guarded_and_one_ctrl_c_stops_everything(
    services: dict[str, str], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "editions" / "2020-1").mkdir(parents=True)
    (home / "editions" / "2020-1" / "report.html").write_text("报表", encoding="utf-8")
    (home / "editions" / ".hidden").write_text("x", encoding="utf-8")
    with room(home, services, NIANBAO_AUTH="operator:secret-word") as served:
        assert_sign_in_guards_server_and_files(served)
        assert_neither_port_nor_home_is_served_twice(served, services, tmp_path / "other")
        below = descendants(served.process.pid)
        assert below
        assert served.stop() == 0
        assert not [pid for pid in below if Path(f"/proc/{pid}").exists()]
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", int(served.address.rpartition(":")[2])))


def assert_neither_port_nor_home_is_served_twice(
    served: Room, services: dict[str, str], other_home: Path
) -> None:
    other = Installation.at(other_home, services)
    port = served.address.rpartition(":")[2]
    assert "已被占用" in other.run("serve", "--port", port, expect=4)
    served.installation.run("serve", "--port", "1", expect=4)


def assert_sign_in_guards_server_and_files(served: Room) -> None:
    for path in ("/api/deployments/filter", "/editions/2020-1/report.html"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{served.address}{path}", data=b"{}" if "api" in path else None)
        assert refused.value.code == 401
    manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    manager.add_password(None, served.address, "operator", "secret-word")
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
    answer = opener.open(f"{served.address}/editions/2020-1/report.html")
    assert answer.read().decode() == "报表"
    for path in ("/editions/.hidden", "/editions/", "/editions/../serve.lock"):
        with pytest.raises(urllib.error.HTTPError):
            opener.open(f"{served.address}{path}")
    for log in (served.home / "logs").glob("*.log"):
        assert "secret-word" not in log.read_text(encoding="utf-8")
