"""Commands in processes that need not import first.

Starting Python, Prefect and Great Expectations takes a command several seconds; a test that
starts many would do little else. A process that has imported them (`python -m tests.warm`)
forks itself for each command, which then runs as it would have: in an environment and a
process group of its own, with its own exit code. Nothing is started before the fork that a
fork could not survive.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any


@dataclass
class Command:
    """A running command."""

    server: Server
    pid: int
    printed: Path
    code: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.code is None:
            self.code = self.server.ask(wait=self.pid)
        return self.code

    def wait(self, timeout: float = 300) -> int:
        until = time.monotonic() + timeout
        while self.poll() is None:
            assert time.monotonic() < until, self.output
            time.sleep(0.02)
        assert self.code is not None
        return self.code

    def kill(self) -> None:
        """End it and all it started, wherever it is."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    @property
    def output(self) -> str:
        return self.printed.read_text(encoding="utf-8", errors="replace")


class Server:
    """Asks the imported process for commands."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._count = 0

    def ask(self, **request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Command:
        self._count += 1
        printed = self._folder / f"{self._count}.txt"
        pid = self.ask(run=list(arguments), environment=dict(environment), printed=str(printed))
        return Command(self, pid, printed)


@contextmanager
def warm(environment: Mapping[str, str]) -> Iterator[Server]:
    """`environment` is what Prefect must be told before it is imported."""
    with tempfile.TemporaryDirectory(prefix="nianbao-warm-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm"],
            env={**os.environ, **environment, "NIANBAO_HOME": folder},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Server(process, Path(folder))
        finally:
            process.communicate()


def _serve() -> list[str] | None:
    """Answer requests; in a forked command, return its arguments."""
    for line in sys.stdin:
        request = json.loads(line)
        if "run" in request:
            pid = os.fork()
            if pid == 0:
                _become(request)
                arguments: list[str] = request["run"]
                return arguments
            answer: int | None = pid
        else:
            pid, status = os.waitpid(request["wait"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        print(json.dumps(answer), flush=True)
    return None


def _become(request: dict[str, Any]) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(request["environment"])
    printed = os.open(request["printed"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(source, target)


def _import() -> None:
    from deployments.cli.runs import _quiet_prefect

    _quiet_prefect()
    for module in ("great_expectations", "expectations.great_expectations_runner", "flows.nightly"):
        import_module(module)
    assert threading.active_count() == 1


if __name__ == "__main__":
    _import()
    given = _serve()
    if given is not None:
        from deployments.cli import main
        from tests.prefect_server import end_servers_begun_here

        sys.argv, code = ["nianbao", *given], 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        end_servers_begun_here()
        sys.stdout.flush()
        sys.stderr.flush()
        # What was imported before the fork is not taken down twice.
        os._exit(code)
