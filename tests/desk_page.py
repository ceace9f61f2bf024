"""The pages of 年报工作台 for tests: a browser at them, with Prefect's interface stood for."""

from __future__ import annotations

import re
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from deployments.page.gate import DESK, Gate
from deployments.page.inside import Inside
from deployments.page.origin import own_names
from deployments.page.routes import desk_app
from deployments.page.visitor import COOKIE, Door
from tasks.settings import Settings

PORT = 4200
OWN = f"http://127.0.0.1:{PORT}"
RUN = "0d9a3a52-8a2b-4a44-9c57-6a3f4f0f7e02"


class Prefect(Inside):
    """Stands for Prefect's interface behind the gate: what was begun and stopped is kept."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(_nothing, settings)  # type: ignore[arg-type]
        self.begun: list[tuple[str, dict[str, Any]]] = []
        self.stopped: list[str] = []
        self.runs: dict[str, dict[str, Any]] = {}
        self.logs: list[tuple[str, str]] = []
        self.is_there = True

    async def start(self, name: str, parameters: dict[str, Any]) -> str:
        if not self.is_there:
            return ""
        self.begun.append((name, parameters))
        return RUN

    async def run(self, run_id: str) -> dict[str, Any] | None:
        return self.runs.get(run_id)

    async def said(self, run_id: str) -> list[tuple[str, str]]:
        return self.logs

    async def stop(self, run_id: str) -> bool:
        self.stopped.append(run_id)
        return self.is_there


async def _nothing(request: Request) -> Response:
    return JSONResponse({}, 404)


def browser(settings: Settings, prefect: Prefect, session: str = "", **headers: str) -> TestClient:
    """A browser at the port, signed in where a session is given."""
    door = Door(settings)
    app = Starlette(
        routes=[
            Mount(DESK, desk_app(settings, door, prefect)),
            Route("/{path:path}", _nothing),
        ]
    )
    sent = {"host": OWN.removeprefix("http://"), "origin": OWN, "accept": "text/html", **headers}
    if session:
        sent["cookie"] = f"{COOKIE}={session}"
    gate = Gate(app, door, own_names(PORT, settings.page_url), prefect, "")
    return TestClient(gate, base_url=OWN, headers=sent, follow_redirects=False)


def token_of(page: str) -> str:
    """The token in a page's forms."""
    found = re.search(r'name="form_token" value="([^"]*)"', page)
    assert found is not None, page[-2000:]
    return found[1]


def text_of(page: str) -> str:
    """What is read of a page."""
    within = page.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", within))
