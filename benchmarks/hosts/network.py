"""Hosts on one machine: network namespaces joined by a bridge, each with an address of its own.

Where the system forbids namespaces, hosts are addresses of the loopback: processes, homes and ports are
apart all the same, and only the cutting off cannot be tried.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MARK = "NIANBAO_TRIAL_HOST_OF"
"""Tells the processes of a host where it has no namespace."""


@dataclass
class Host:
    """`namespace` is empty where hosts are addresses of the loopback."""

    name: str
    address: str
    namespace: str
    cable: str
    logs: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def begin(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str], cwd: Path
    ) -> subprocess.Popen[bytes]:
        """Start a process on the host, its output in a file of its name."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}-{self.name}.log").open("ab") as out:
            process = subprocess.Popen(
                [*self._inside(), *command],
                cwd=cwd,
                env={**environment, MARK: f"{os.getpid()}{self.name}"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def run(
        self, command: Sequence[str | Path], environment: Mapping[str, str], cwd: Path
    ) -> subprocess.CompletedProcess[str]:
        """A command on the host, waited for; what it said is in the answer."""
        return subprocess.run(
            [*self._inside(), *command],
            cwd=cwd,
            env={**environment, MARK: f"{os.getpid()}{self.name}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def _inside(self) -> list[str]:
        return ["ip", "netns", "exec", self.namespace] if self.namespace else []

    def processes(self) -> list[int]:
        """All that runs on the host, whoever started it there."""
        if self.namespace:
            told = subprocess.run(
                ["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=False
            )
            return [int(pid) for pid in told.stdout.split()]
        wanted = f"{MARK}={os.getpid()}{self.name}\0".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if wanted in path.read_bytes() + b"\0":
                    found.append(int(path.parent.name))
        return found

    def kill(self) -> int:
        """End all that runs there at once, as switching off does; returns how many those were."""
        pids = self.processes()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.started:
            process.wait()
        self.started.clear()
        return len(pids)

    def stop(self, process: subprocess.Popen[bytes], asked: int = signal.SIGTERM) -> None:
        """End one process that was begun here, in order."""
        if process.poll() is None:
            process.send_signal(asked)
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process in self.started:
            self.started.remove(process)

    def cut(self) -> None:
        """Pull the cable. Nothing is told to whoever is at the other end."""
        _ip("link", "set", self.cable, "down")

    def join(self) -> None:
        """Put the cable back."""
        _ip("link", "set", self.cable, "up")

    def cpu_seconds(self) -> float:
        """What the processes that run there now have used, with their ended children."""
        ticks = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, told[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Network:
    """`address` is the one of what is no host: the cities' systems, and whoever looks on."""

    hosts: Mapping[str, Host]
    address: str
    has_namespaces: bool

    @property
    def told(self) -> str:
        return "network namespaces" if self.has_namespaces else "addresses of the loopback"


@contextmanager
def network(names: Sequence[str], logs: Path) -> Iterator[Network]:
    """Hosts by name; all that runs on them is ended, and they are gone afterwards."""
    mark, made = f"nb{os.getpid()}", shutil.which("ip") is not None and os.geteuid() == 0
    bridge = f"{mark}br"
    part = 16 + os.getpid() % 200
    made = made and _ip("link", "add", bridge, "type", "bridge", check=False)
    hosts = {
        name: Host(
            name,
            f"10.{part}.7.{at}" if made else f"127.{part}.7.{at}",
            f"{mark}{name}" if made else "",
            f"{mark}{name}v",
            logs,
        )
        for at, name in enumerate(names, 1)
    }
    try:
        if made:
            _ip("addr", "add", f"10.{part}.7.254/24", "dev", bridge)
            _ip("link", "set", bridge, "up")
            for host in hosts.values():
                _join(host, bridge)
        yield Network(hosts, f"{10 if made else 127}.{part}.7.254", made)
    finally:
        for host in hosts.values():
            host.kill()
            if made:
                _gone(host)
        if made:
            _ip("link", "delete", bridge, check=False)


def _join(host: Host, bridge: str) -> None:
    inside = ["-n", host.namespace]
    _ip("netns", "add", host.namespace)
    _ip("link", "add", host.cable, "type", "veth", "peer", "name", "eth0", "netns", host.namespace)
    _ip("link", "set", host.cable, "master", bridge, "up")
    _ip(*inside, "addr", "add", f"{host.address}/24", "dev", "eth0")
    _ip(*inside, "link", "set", "eth0", "up")
    _ip(*inside, "link", "set", "lo", "up")


def _gone(host: Host) -> None:
    until = time.monotonic() + 10
    while host.processes() and time.monotonic() < until:
        time.sleep(0.1)
    _ip("link", "delete", host.cable, check=False)
    _ip("netns", "delete", host.namespace, check=False)


def _ip(*given: str, check: bool = True) -> bool:
    done = subprocess.run(["ip", *given], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise OSError(f"ip {' '.join(given)}: {done.stderr.strip()}")
    return done.returncode == 0
