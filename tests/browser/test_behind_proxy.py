"""The reverse proxies of docs/operations.md, as they are written there, before a served room."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from websockets.sync.client import connect

from deployments.page.visitor import COOKIE
from tasks.people.persons import WORKS
from tests.browser.conftest import Launch
from tests.certificates import certificate
from tests.nginx import nginx_command
from tests.operator_room import Room, add_people, room
from tests.ports import free_port

HOST, PERSON = "nianbao.example", "李科员"
PROXIES = ("nginx", "caddy")
pytestmark = [
    pytest.mark.skipif(not all(map(shutil.which, PROXIES)), reason="no nginx or caddy"),
    pytest.mark.timeout(600),
]
BLOCK = re.compile(
    r"^    # (nginx|nginx, below a path|Caddy)\n((?:    .*\n|\n)+?)(?=\n?    # |\n\S)", re.M
)


def documented() -> dict[str, str]:
    """The examples by name, as they stand in the documentation."""
    text = Path("docs/operations.md").read_text(encoding="utf-8")
    return {name: dedent(block) for name, block in BLOCK.findall(text)}


@contextmanager
def started(command: list[str], folder: Path, port: int) -> Iterator[None]:
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        assert process.poll() is None, (folder / "proxy.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def nginx(block: str, folder: Path, behind: str) -> Iterator[int]:
    """nginx with the example, on a free port."""
    port = free_port()
    trusted, private = certificate(folder, HOST)
    server = (
        block.replace("443 ssl", f"127.0.0.1:{port} ssl")
        .replace("/etc/ssl/nianbao.pem", trusted)
        .replace("/etc/ssl/nianbao.key", private)
        .replace("127.0.0.1:4200", behind)
    )
    with started(nginx_command(folder, server), folder, port):
        yield port


@contextmanager
def caddy(block: str, folder: Path, behind: str) -> Iterator[int]:
    """Caddy with the example, on a free port, with a certificate of its own making."""
    port, plain = free_port(), free_port()
    site = block.replace("127.0.0.1:4200", behind).replace("{\n", "{\n    tls internal\n", 1)
    (folder / "Caddyfile").write_text(
        f"{{\n    admin off\n    https_port {port}\n    http_port {plain}\n"
        f"    skip_install_trust\n    storage file_system {folder}/storage\n}}\n{site}"
    )
    command = ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with started(command, folder, port):
        yield port


def looks_right(served: Room, launch: Launch, port: int, path: str) -> None:
    """As an operator behind the proxy: sign in, our page, Prefect's page with its list of
    deployments, the socket, and nothing from elsewhere."""
    address = f"https://{HOST}{path}"
    with launch(f"--host-resolver-rules=MAP {HOST}:443 127.0.0.1:{port}") as browser:
        context = browser.new_context(locale="zh-CN", ignore_https_errors=True)
        context.set_default_timeout(60_000)
        page: Any = context.new_page()
        asked: list[str] = []
        context.on("request", lambda r: asked.append(r.url))
        failed: list[str] = []
        context.on(
            "response", lambda r: failed.append(f"{r.status} {r.url}") if r.status >= 400 else None
        )
        served.sign_in(page, PERSON, address=address)
        cookie = next(c for c in context.cookies() if c["name"] == COOKIE)
        assert (cookie["secure"], cookie["httpOnly"]) == (True, True)
        page.get_by_role("link", name="运行台").first.click()
        page.wait_for_url(f"{address}/runs**")
        hears_events(port, path, cookie["value"])
        page.goto(f"{address}/deployments")
        page.get_by_text("year-end").first.wait_for()
        elsewhere = [u for u in asked if u.startswith("http") and not u.startswith(address)]
        assert elsewhere == []
        assert failed == []
        sends_large_files(page, address)


def sends_large_files(page: Any, address: str) -> None:
    """More than what a proxy lets through by itself comes to us: it is we who refuse this one."""
    page.goto(f"{address}/desk/audit")
    large = {"name": "大.bin", "mimeType": "application/octet-stream", "buffer": bytes(3_000_000)}
    page.set_input_files("input[type=file]", [large])
    page.get_by_role("button", name="上传并核对").click()
    page.get_by_text("不是报告").wait_for()


def hears_events(port: int, path: str, cookie: str) -> None:
    """The socket by which a page hears of runs, through the proxy, as someone signed in."""
    encrypted = ssl.create_default_context()
    encrypted.check_hostname, encrypted.verify_mode = False, ssl.CERT_NONE
    with connect(
        f"wss://{HOST}{path}/api/events/out",
        sock=socket.create_connection(("127.0.0.1", port)),
        ssl=encrypted,
        server_hostname=HOST,
        origin=f"https://{HOST}",
        subprotocols=["prefect"],
        additional_headers={"Cookie": f"{COOKIE}={cookie}"},
        proxy=None,
    ) as opened:
        opened.send(json.dumps({"type": "auth", "token": None}))
        assert json.loads(opened.recv(timeout=60))["type"] == "auth_success"


@pytest.mark.parametrize("path", ["", "/nianbao"])
def test_the_documented_proxies_serve_page_interface_and_sockets(
    launch: Launch, tmp_path: Path, path: str
) -> None:
    home = tmp_path / "home"
    add_people(home, {PERSON: WORKS})
    examples = documented()
    assert set(examples) == {"nginx", "nginx, below a path", "Caddy"}
    with room(home, {}, NIANBAO_PAGE_URL=f"https://{HOST}{path}") as served:
        behind = served.address.removeprefix("http://")
        for number, (run, name) in enumerate(_proxies(path)):
            folder = tmp_path / str(number)
            folder.mkdir()
            with run(examples[name], folder, behind) as port:
                looks_right(served, launch, port, path)
        _other_names_are_refused(served)


def _proxies(path: str) -> list[tuple[Any, str]]:
    if path:
        return [(nginx, "nginx, below a path")]
    return [(nginx, "nginx"), (caddy, "Caddy")]


def _other_names_are_refused(served: Room) -> None:
    import http.client

    port = int(served.address.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/desk/", headers={"Host": "evil.example"})
    assert connection.getresponse().status == 403
