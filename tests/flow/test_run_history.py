"""An installation without a standing server keeps its history of runs bounded as well."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from deployments.child_server import EMBEDDED, for_a_run, start, stop
from tasks.settings import Settings
from tests.operator_room import ask_prefect
from tests.ports import free_port

OLD, NEW = "old", "new"


def names(database: Path) -> set[str]:
    with sqlite3.connect(database) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM flow_run")}


def test_the_server_of_one_run_removes_the_runs_that_are_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Flows that ran in this process before had a Prefect of their own.
    for name in [n for n in os.environ if n.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NIANBAO_KEEP_RUN_DAYS", "30")
    settings = Settings(home=tmp_path)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    server = start(settings, port, EMBEDDED)
    try:
        flow = ask_prefect(address, tmp_path, "/flows/", {"name": "nightly"})["id"]
        for name in (OLD, NEW):
            run = {"flow_id": flow, "name": name, "state": {"type": "COMPLETED"}}
            ask_prefect(address, tmp_path, "/flow_runs/", run)
    finally:
        stop(server)
    [database] = tmp_path.rglob("prefect.db")
    with sqlite3.connect(database) as connection:
        for name, days in ((OLD, 31), (NEW, 29)):
            connection.execute(
                "UPDATE flow_run SET end_time = datetime('now', ?) WHERE name = ?",
                [f"-{days} days", name],
            )
    assert names(database) == {OLD, NEW}
    server = start(settings, port, EMBEDDED)
    try:
        until = time.monotonic() + 120
        while OLD in names(database) and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        stop(server)
    assert names(database) == {NEW}


def test_the_port_of_a_servers_child_is_nobodys_until_the_child_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    asked: list[int] = []

    def starting(
        settings: Settings, port: int, *arguments: str, listener: socket.socket
    ) -> subprocess.Popen[bytes]:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        asked.append(port)
        return subprocess.Popen(["true"])

    monkeypatch.setattr("deployments.child_server.start", starting)
    # It names the server in the environment of this process; what it sets is undone.
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for_a_run(Settings(home=tmp_path))
    assert len(asked) == 1
