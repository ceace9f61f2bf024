"""Prefect's server with its page, and the editions' files beside it: `python -m deployments.server`.

One port serves both, so that a link in an artifact opens the report it names. `nianbao serve`
starts this as a child; a real installation runs it as a service of its own.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from tasks.settings import Settings, quiet_environment

HOST = "127.0.0.1"
FILES_PATH = "/editions"


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
    files: ASGIApp = EditionFiles(settings.editions)
    if settings.auth is not None:
        files = SignIn(files, settings.auth.get_secret_value())
    # Prefect's page answers every path, so this one must come before it.
    app.router.routes.insert(0, Mount(FILES_PATH, app=files, name="editions"))
    return app


def main() -> None:
    """Serve on the loopback port of the settings until told to stop."""
    settings = Settings()
    quiet_environment(settings)
    for name, value in server_environment(settings, settings.port).items():
        os.environ.setdefault(name, value)
    import uvicorn

    uvicorn.run(
        create(),
        host=HOST,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
