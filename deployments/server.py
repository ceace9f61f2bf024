"""Prefect's server with its page, and the editions' files beside it: `python -m deployments.server`.

One port serves both, so that a link in an artifact opens the report it names. `nianbao serve`
starts this as a child; a real installation runs it as a service of its own.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import sys
from collections.abc import MutableMapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.automations import declare_on_start
from tasks.lifeline import end_with_starter
from tasks.settings import Settings, quiet_environment

HOST = "127.0.0.1"
EMBEDDED = "--embedded"
"""For one run on this machine: no page, no schedules, no files."""
FILES_PATH = "/editions"
LEASES = "prefect.server.concurrency.lease_storage.filesystem"


class EditionFiles(StaticFiles):
    """The editions' folder, read only: no listing, nothing hidden, no link that leads out."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, check_dir=False, html=False)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        if any(part.startswith(".") for part in Path(path).parts):
            return "", None
        return super().lookup_path(path)

    def file_response(self, *args: Any, **values: Any) -> Any:
        response = super().file_response(*args, **values)
        # A pending edition is built again under the same name; a browser must ask each time.
        response.headers["Cache-Control"] = "no-cache"
        return response


class SignIn:
    """Basic authentication before an application, by the same user and password as Prefect's."""

    def __init__(self, app: ASGIApp, expected: str) -> None:
        self._app = app
        self._expected = "Basic " + base64.b64encode(expected.encode()).decode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_known(scope):
            answer = PlainTextResponse(
                "需要登录",
                status_code=401,
                headers={"WWW-Authenticate": 'Basic realm="nianbao", charset="UTF-8"'},
            )
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_known(self, scope: MutableMapping[str, Any]) -> bool:
        headers = dict(scope["headers"])
        given = headers.get(b"authorization", b"").decode("latin-1")
        return secrets.compare_digest(given.encode(), self._expected.encode())


class Patience:
    """Asks an application again that is busy for a moment, before whoever asked is told.

    Prefect answers 503 when its database is held by another writer, with nothing done. Its own
    clients ask again; a browser that sends a form does not.
    """

    def __init__(self, app: ASGIApp, waits: Sequence[float] = (0.1, 0.2, 0.5, 1, 2, 4)) -> None:
        self._app = app
        self._waits = waits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        for wait in self._waits:
            if await self._is_answered(scope, _again(body, receive), send):
                return
            await asyncio.sleep(wait)
        await self._app(scope, _again(body, receive), send)

    async def _is_answered(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Pass an answer on, but for one that only says that it is busy."""
        is_busy = False

        async def passed_on(message: Message) -> None:
            nonlocal is_busy
            if message["type"] == "http.response.start":
                is_busy = message["status"] == HTTPStatus.SERVICE_UNAVAILABLE
            if not is_busy:
                await send(message)

        try:
            await self._app(dict(scope), receive, passed_on)
        except Exception:
            # What made it busy is raised once more after the answer, for the server's log.
            if not is_busy:
                raise
        return not is_busy


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever comes: that the asker is gone."""
    told = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receiving() -> Message:
        return next(told, None) or await receive()

    return receiving


def server_environment(settings: Settings, port: int) -> dict[str, str]:
    """What Prefect's server and its clients are told: where they are, how long runs are kept,
    who may sign in. Nothing of it leaves this machine."""
    address = f"http://{HOST}:{port}"
    told = {
        "PREFECT_API_URL": f"{address}/api",
        "PREFECT_UI_API_URL": f"{address}/api",
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(settings.keep_run_days * 86400),
        # A run that lives on while the server is started again keeps its slot.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
        "NIANBAO_PAGE_URL": address,
    }
    if settings.auth is not None:
        secret = settings.auth.get_secret_value()
        told |= {"PREFECT_SERVER_API_AUTH_STRING": secret, "PREFECT_API_AUTH_STRING": secret}
    return told


def create() -> ASGIApp:
    """Prefect's application with the editions' files mounted before its page."""
    settings = Settings()
    quiet_environment(settings)
    from prefect.server.api.server import create_app

    app = create_app(final=True)
    declare_on_start(app)
    files: ASGIApp = EditionFiles(settings.editions)
    if settings.auth is not None:
        files = SignIn(files, settings.auth.get_secret_value())
    # Prefect's page answers every path, so this one must come before it.
    app.router.routes.insert(0, Mount(FILES_PATH, app=files, name="editions"))
    return Patience(app)


def create_embedded(settings: Settings) -> ASGIApp:
    """Prefect's application as Prefect itself would start it for a run without a server."""
    os.environ.update(
        PREFECT_UI_ENABLED="0", PREFECT__SERVER_EPHEMERAL="1", PREFECT__SERVER_FINAL="1"
    )
    quiet_environment(settings)
    from prefect.server.api.server import create_app

    return create_app(final=True)


def main() -> None:
    """Serve on the loopback port of the settings until told to stop, or until the command that
    started this is gone."""
    end_with_starter()
    settings = Settings()
    quiet_environment(settings)
    is_embedded = EMBEDDED in sys.argv[1:]
    if not is_embedded:
        for name, value in server_environment(settings, settings.port).items():
            os.environ.setdefault(name, value)
    import uvicorn

    uvicorn.run(
        create_embedded(settings) if is_embedded else create(),
        host=HOST,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
