"""Runs the demo city in a process of its own, apart in memory and interpreter lock."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tasks.lifeline import lifeline

_PROJECT = Path(__file__).parents[3]
_STOP_SECONDS = 10


class DemoCityFailed(RuntimeError):
    """The demo city did not start; the message says why."""


def read_environment(path: Path) -> dict[str, str]:
    """The variables of an environment file."""
    pairs = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: value for name, _, value in pairs if name}


@contextmanager
def running(
    home: Path,
    ports: Mapping[str, int] | None = None,
    seed: int | None = None,
    scale: float | None = None,
    token_requests: int | None = None,
    token_seconds: float | None = None,
) -> Iterator[dict[str, str]]:
    """The four services, for the length of a `with` block.

    Generates the data under `home` if they are not there, writes `<home>/demo_city.env`, and
    yields its variables. `ports` fixes ports by service name (cms, hotline, new_media, ledger);
    `token_requests` and `token_seconds` say how soon a hotline token ends.
    Raises DemoCityFailed when the process ends before it is ready.
    """
    command = [sys.executable, "-m", "deployments.demo_city.service", "--home", str(home)]
    options = {
        "--seed": seed,
        "--scale": scale,
        "--token-requests": token_requests,
        "--token-seconds": token_seconds,
        **{f"--{name.replace('_', '-')}-port": port for name, port in (ports or {}).items()},
    }
    for option, value in options.items():
        if value is not None:
            command += [option, str(value)]
    path = os.pathsep.join(filter(None, [str(_PROJECT), os.environ.get("PYTHONPATH", "")]))
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **lifeline(), "PYTHONPATH": path},
    )
    try:
        if process.stdout is None or process.stdout.readline().strip() != "ready":
            reason = process.communicate()[1].strip()
            raise DemoCityFailed(f"演示城市没有启动:{reason or process.returncode}")
        yield read_environment(home / "demo_city.env")
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
