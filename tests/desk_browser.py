"""A browser at the office's own pages, for tests: the gate and the pages, no Prefect behind."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from deployments.page.desk import base_path
from deployments.page.gate import DESK, Gate
from deployments.page.inside import Inside
from deployments.page.origin import own_names
from deployments.page.routes import desk_app
from deployments.page.visitor import COOKIE, Door
from tasks.clock import now
from tasks.people.office import Office
from tasks.people.sessions import sign_in
from tasks.settings import Settings
from tests.approving import code_at
from tests.operator_room import PASSWORD

PORT = 4200
OWN = f"http://127.0.0.1:{PORT}"
RUN = "0d9a3a52-8a2b-4a44-9c57-6a3f4f0f7e02"


class Prefect(Inside):
    """Stands for Prefect's interface: keeps what was begun, tells what it is told to tell."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, dict[str, Any]]] = []
        self.answers = RUN
        self.state: dict[str, Any] = {"type": "RUNNING", "message": ""}

    async def ask(self, path: str, body: Any = None) -> Any:
        return {"id": RUN, "name": "夜间取数", "state": self.state} if RUN in path else None

    async def start(self, name: str, parameters: dict[str, Any]) -> str:
        if self.answers:
            self.begun.append((name, parameters))
        return self.answers


@dataclass
class Browser:
    """Someone at the pages, or nobody who is known."""

    settings: Settings
    name: str = ""
    inside: Prefect = field(default_factory=Prefect)

    def __post_init__(self) -> None:
        door = Door(self.settings)
        app = Starlette(routes=[Mount(DESK, desk_app(self.settings, door, self.inside))])
        names = own_names(PORT, self.settings.page_url)
        gate = Gate(app, door, names, self.inside, base_path(self.settings))
        headers = {"host": OWN.removeprefix("http://"), "accept": "text/html"}
        if self.name:
            headers["cookie"] = f"{COOKIE}={self._token()}"
        self.client = TestClient(gate, base_url=OWN, headers=headers, follow_redirects=False)

    def _token(self) -> str:
        moment = now()
        office = Office(self.settings.home)
        return sign_in(office, self.name, PASSWORD, code_at(moment), client="tests", now=moment)

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(f"/desk{path}", headers=headers)

    def read(self, path: str) -> str:
        """A page's text, which must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:400])
        return str(answer.text)

    def token(self, path: str = "/people") -> str:
        """What this visitor's forms carry."""
        found = re.search(r'name="form_token" value="(\w+)"', self.get(path).text)
        return found[1] if found else ""

    def post(
        self, path: str, told: dict[str, str], *, token: str | None = None, **headers: str
    ) -> Any:
        told = {"form_token": self.token() if token is None else token, **told}
        return self.client.post(f"/desk{path}", data=told, headers={"origin": OWN, **headers})


def heading(text: str) -> str:
    """The heading of a page."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", text, re.DOTALL)
    return re.sub(r"<[^>]+>", "", found[1]).strip() if found else ""
