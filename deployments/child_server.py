"""Prefect's server as a child of a command: `nianbao serve` shows its page, a single run only
needs its interface. It ends with the command, however that ends."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tasks.lifeline import lifeline
from tasks.people.machine import machine_variables
from tasks.settings import READY_SECONDS, Settings
from warehouse.errors import MachineError

HOST = "127.0.0.1"
EMBEDDED = "--embedded"
"""For one run on this machine: no page, no schedules, no files."""
LISTENER = "--listener="
"""Before the number of a socket that has the port already and is handed on to the child."""
CODE = Path(__file__).parent.parent
STOP_SECONDS = 15
NAMED_SECONDS = 10
"""How long a server that someone else runs is asked again: it may just be starting."""


class ServerError(MachineError):
    """Prefect's server does not answer; the message says what to do."""


def start(
    settings: Settings, port: int, *arguments: str, listener: socket.socket | None = None
) -> subprocess.Popen[bytes]:
    """Prefect's server as a child, ready to answer on a port, or on a socket that has that port.
    Raises ServerError when it is not in time."""
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "server.log"
    handed_on = () if listener is None else (listener.fileno(),)
    with log.open("ab") as out:
        child = subprocess.Popen(
            [
                *(sys.executable, "-m", "deployments.server", *arguments),
                *(f"{LISTENER}{number}" for number in handed_on),
            ],
            cwd=CODE,
            pass_fds=handed_on,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                **lifeline(),
                "NIANBAO_HOME": str(settings.home),
                "NIANBAO_PORT": str(port),
            },
            # A Ctrl-C at the terminal goes to this process alone, which stops its children
            # in order.
            start_new_session=True,
        )
    try:
        _wait(child, port, log)
    except BaseException:
        stop(child)
        raise
    return child


@contextmanager
def server(settings: Settings, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The server with its page, for the length of a `with` block."""
    child = start(settings, port)
    try:
        yield child
    finally:
        stop(child)


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a child by its own id, by force if it does not go."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def for_a_run(settings: Settings) -> None:
    """See that a server answers, for a run of this process; start one where none is named.

    Raises ServerError. To be called before Prefect is imported.
    """
    named = os.environ.get("PREFECT_API_URL")
    if named:
        until = time.monotonic() + NAMED_SECONDS
        while not (found := _answers(named)) and time.monotonic() < until:
            time.sleep(0.5)
        if not found:
            raise ServerError(
                f"连不上 Prefect 服务 {named}(PREFECT_API_URL)。请启动该服务或更正地址;"
                "去掉这个环境变量,运行时会自行启动一个"
            )
        if urlsplit(named).hostname in ("127.0.0.1", "localhost", "::1"):
            # Known there as this machine; to any other the token is not told.
            for name, value in machine_variables(settings.home).items():
                os.environ.setdefault(name, value)
        return
    # Until the child has it, a port that was merely free would be anybody's.
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port = listener.getsockname()[1]
        child = start(settings, port, EMBEDDED, listener=listener)
    atexit.register(stop, child)
    os.environ["PREFECT_API_URL"] = f"http://{HOST}:{port}/api"
    os.environ.update(machine_variables(settings.home))


def _answers(address: str) -> bool:
    """Whether something answers there; with a sign-in set it wants to know by whom it is asked,
    and that is an answer. No proxy of the environment is asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"{address}/health", timeout=2).close()
    except urllib.error.HTTPError as answer:
        return answer.code < 500
    except (OSError, ValueError):
        return False
    return True


def _wait(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    patience = float(
        os.environ.get("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", READY_SECONDS)
    )
    until = time.monotonic() + patience
    while not _answers(f"http://{HOST}:{port}/api"):
        if child.poll() is not None:
            raise ServerError(
                f"本机的 Prefect 服务没有启动起来,原因见 {log}。已有数据完好;"
                "请按其中的原因处理后重新运行"
            )
        if time.monotonic() > until:
            raise ServerError(
                f"本机的 Prefect 服务在 {patience:.0f} 秒内没有启动起来(记录见 {log})。已有数据完好;"
                "请等机器空闲时重新运行,或调大 PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
            )
        time.sleep(0.2)
