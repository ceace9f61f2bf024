"""The four services in one process: sockets, credentials, start and stop."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from deployments.demo_city.service.cms_service import CmsService
from deployments.demo_city.service.control import Controlled
from deployments.demo_city.service.hotline_service import HotlineLimits, HotlineService
from deployments.demo_city.service.ledger_service import LedgerService
from deployments.demo_city.service.media_service import MediaService
from deployments.demo_city.service.vendor import Service

HOST = "127.0.0.1"
NAMES = ("cms", "hotline", "new_media", "ledger")


class PortTaken(OSError):
    """A port asked for is in use, or the address is none of this machine."""


@dataclass(frozen=True)
class Running:
    """What is served where."""

    services: Mapping[str, Service]
    urls: Mapping[str, str]
    environment: Mapping[str, str]


class _Server(uvicorn.Server):
    """Leaves signals to the process: four servers share them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bind(host: str, port: int) -> socket.socket:
    # asyncio turns Nagle off only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"端口 {port} 已被占用") from error
        reason = error.strerror or str(error)
        raise PortTaken(f"不能在 {host}:{port} 上监听({reason})") from error
    return listener


def write_environment(path: Path, environment: Mapping[str, str]) -> None:
    """Write the environment file, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    working = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(working, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.writelines(f"{name}={value}\n" for name, value in environment.items())
    os.replace(working, path)


def serve(
    data: Path,
    ready: Callable[[Running], None],
    ports: Mapping[str, int] | None = None,
    limits: HotlineLimits | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called once every service answers.

    `ports` fixes the port of a service by its name; the others get free ones.
    """
    serve_cities({"": data}, lambda running: ready(running[""]), ports, limits)


def serve_cities(
    data: Mapping[str, Path],
    ready: Callable[[Mapping[str, Running]], None],
    ports: Mapping[str, int] | None = None,
    limits: HotlineLimits | None = None,
    host: str = HOST,
) -> None:
    """Serve the systems of several cities, each with its own data, in this one process, as `serve`
    does those of one; `ready` gets what is served of each by its name. `host` is the address of this
    machine on which they answer."""
    running, served = {}, []
    for city, folder in data.items():
        services: dict[str, Service] = {
            "cms": CmsService(folder / "cms"),
            "hotline": HotlineService(folder / "hotline", limits),
            "new_media": MediaService(folder / "new_media"),
            "ledger": LedgerService(folder / "ledger"),
        }
        sockets = {name: _bind(host, (ports or {}).get(name, 0)) for name in services}
        urls = {name: f"http://{host}:{s.getsockname()[1]}" for name, s in sockets.items()}
        environment: dict[str, str] = {}
        for name, service in services.items():
            environment |= service.environment(urls[name])
        running[city] = Running(services, urls, environment)
        served += [(service, sockets[name]) for name, service in services.items()]
    asyncio.run(_serve(served, lambda: ready(running)))


async def _serve(
    served: Sequence[tuple[Service, socket.socket]], ready: Callable[[], None]
) -> None:
    servers = [
        _Server(
            uvicorn.Config(
                Controlled(service),
                log_level="critical",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=2,
                backlog=256,
            )
        )
        for service, _ in served
    ]

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    tasks = [
        asyncio.create_task(server.serve(sockets=[listener]))
        for server, (_, listener) in zip(servers, served, strict=True)
    ]
    while not all(server.started for server in servers):
        if any(task.done() for task in tasks):
            break
        await asyncio.sleep(0.01)
    else:
        ready()
    await asyncio.gather(*tasks)
