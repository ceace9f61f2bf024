"""A Prefect server for tests that start many runs: an embedded one takes seconds to start."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port


def end_servers_begun_here() -> None:
    """End the servers that runs in this process began for themselves. Prefect does so when Python
    exits; a forked command and a worker of the tests do not exit that way."""
    module = sys.modules.get("prefect.server.api.server")
    if module is not None:
        for server in [*module.SubprocessASGIServer._instances.values()]:
            server.stop()


@contextmanager
def prefect_server(home: Path) -> Iterator[dict[str, str]]:
    """A real server for the length of a `with` block; yields what its clients must be told."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NIANBAO_", "PREFECT_"))}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "prefect", "server", "start", "--no-services"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        env={
            **kept,
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}/api"
    try:
        _wait_until_ready(process, address)
        yield {"PREFECT_API_URL": address}
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, "Prefect's server ended while starting"
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError("Prefect's server did not become ready")
