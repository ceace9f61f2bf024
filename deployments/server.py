"""Prefect's server with its page, the editions' files and this project's own pages beside it:
`python -m deployments.server`.

One port serves all, behind one gate, so that a link in an artifact opens the report it names.
`nianbao serve` starts this as a child; a real installation runs it as a service of its own.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import socket
import sys
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.child_server import EMBEDDED, HOST, LISTENER
from deployments.page.body import (
    MOST_OF_A_CALL,
    MOST_OF_A_FORM,
    TOO_LONG,
    UPLOADS,
    TooLong,
    again,
    whole_body,
)
from deployments.page.gate import DESK, Gate, is_api, only_the_machine, refusal
from deployments.page.inside import Inside
from deployments.page.origin import UI_API_URL, own_names
from deployments.page.under_path import with_path, without_path
from deployments.page.visitor import Door
from deployments.run_history import history_variables, vacuum_on_start
from tasks.lifeline import end_with_starter
from tasks.people.machine import VARIABLE, machine_variables
from tasks.people.office import Office
from tasks.people.persons import has_persons
from tasks.settings import Settings, quiet_environment
from tasks.wording.typeset import typeset
from warehouse.errors import ConfigurationError, NianbaoError
from warehouse.lake_errors import LakeError, NoLake
from warehouse.shelf import Shelf

FILES_PATH = "/editions"
LATE_SECONDS = 600
"""After its time a run that has not begun is late, and somebody is told."""
LEASES = "prefect.server.concurrency.lease_storage.filesystem"


class DoorsError(ConfigurationError):
    """The port must not be opened as it is configured; the message says what to do."""


class EditionFiles(StaticFiles):
    """The folders of editions, read only: no listing, nothing hidden, no link that leads out."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(directory=shelf.folder, check_dir=False, html=False)
        self._shelf = shelf

    async def check_config(self) -> None:
        # Nothing need lie here yet.
        self._shelf.folder.mkdir(parents=True, exist_ok=True)
        await super().check_config()

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        parts = Path(path).parts
        if any(part.startswith(".") for part in parts):
            return "", None
        if len(parts) > 1:
            try:
                self._shelf.here(parts[0])
            except NianbaoError as error:
                raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, typeset(str(error))) from error
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
    clients ask again; a browser that sends a form does not. What is kept to be sent again has a
    limit: more is refused before it is read.
    """

    def __init__(self, app: ASGIApp, waits: Sequence[float] = (0.1, 0.2, 0.5, 1, 2, 4)) -> None:
        self._app = app
        self._waits = waits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_read = scope["type"] != "http" or scope["method"] == "GET"
        # Files that are sent are written down as they come; what receives them has limits.
        if is_read or scope["path"] == f"{DESK}{UPLOADS}":
            await self._app(scope, receive, send)
            return
        most = MOST_OF_A_CALL if is_api(scope["path"]) else MOST_OF_A_FORM
        try:
            body = await whole_body(receive, most)
        except TooLong:
            await refusal(scope["path"], TOO_LONG, 413)(scope, receive, send)
            return
        for wait in self._waits:
            if await self._is_answered(scope, again(body, receive), send):
                return
            await asyncio.sleep(wait)
        await self._app(scope, again(body, receive), send)

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


def check_doors(settings: Settings) -> None:
    """That the port may be opened as it is configured.

    Raises DoorsError where someone may approve and nobody would be asked who they are, and where
    two ways of signing in contradict each other; ApprovalRefused for approvers written wrongly;
    OfficeError where the register of persons is lost; OtherCity where the lake is another city's.
    """
    from tasks.publish.approve import check_office_is_kept, configured_approvers

    _check_lake(settings)
    check_office_is_kept(settings.lake(), settings)
    known = has_persons(Office(settings.home))
    configured = configured_approvers(settings)
    if configured and not known:
        names = "、".join(configured)
        raise DoorsError(
            f"设了批准人({names}),却没有人员登录,谁都可以在页面上操作。请先为每个人运行 nianbao user add 姓名 "
            "--role 批准(其他人用 经办、查看、管理);原有的验证器会沿用。之后可去掉 NIANBAO_APPROVERS"
        )
    if known and settings.auth is not None:
        raise DoorsError(
            "已有人员登录,不能再用共用口令 NIANBAO_AUTH:它认不出人。请去掉 NIANBAO_AUTH 后重新启动"
        )
    if settings.sign_on_header and not known:
        raise DoorsError(
            "设了单点登录(NIANBAO_SIGN_ON_HEADER),还没有人员。请先运行 nianbao user add 姓名 --role 管理"
        )


def _check_lake(settings: Settings) -> None:
    """That the lake is one of this release and city. One that is not there yet, or out of reach
    for the moment, is no reason not to begin."""
    with suppress(NoLake, LakeError), settings.lake().read():
        pass


def server_environment(settings: Settings, port: int) -> dict[str, str]:
    """What Prefect's server and its clients are told: where they are, how long runs are kept,
    by what this machine is known. Nothing of it leaves this machine.

    The address of the page is the one of the port, but for an outer one that the operator set.
    """
    address = f"http://{HOST}:{port}"
    page = settings.page_url or address
    names = own_names(port, page)
    told = {
        "PREFECT_API_URL": f"{address}/api",
        UI_API_URL: os.environ.get(UI_API_URL) or f"{page}/api",
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(sorted(names.origins)),
        **history_variables(settings),
        # Runs wait for each other; with Prefect's own fifteen seconds each would be told as late.
        "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": str(LATE_SECONDS),
        # A run that lives on while the server is started again keeps its slot.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
        "NIANBAO_PAGE_URL": page,
    }
    told |= machine_variables(settings.home)
    if base := urlsplit(page).path.rstrip("/"):
        # Prefect writes its page anew for the path, and must not do so where others read it.
        told |= {
            "PREFECT_UI_SERVE_BASE": base,
            "PREFECT_UI_STATIC_DIRECTORY": str(settings.home / "prefect" / "page"),
        }
    if settings.auth is not None:
        secret = settings.auth.get_secret_value()
        told |= {"PREFECT_SERVER_API_AUTH_STRING": secret, "PREFECT_API_AUTH_STRING": secret}
    return told


def create(settings: Settings) -> ASGIApp:
    """Prefect's application with the editions' files and this project's pages mounted before its
    own page, and the gate before all of them. Raises DoorsError."""
    check_doors(settings)
    quiet_environment(settings)
    from prefect.server.api.server import create_app

    from deployments.automations import declare_on_start
    from deployments.page.ahead import look_ahead_on_start
    from deployments.page.desk import base_path
    from deployments.page.routes import desk_app
    from deployments.replacement import replace_on_start

    door = Door(settings)
    app = create_app(final=True)
    declare_on_start(app)
    replace_on_start(app)
    look_ahead_on_start(app, settings)
    base = base_path(settings)
    patient = with_path(Patience(app), base)
    inside = Inside(patient, settings)
    files: ASGIApp = EditionFiles(settings.edition_shelf)
    desk: ASGIApp = desk_app(settings, door, inside)
    if settings.auth is not None:
        shared = settings.auth.get_secret_value()
        files, desk = SignIn(files, shared), SignIn(desk, shared)
    # Prefect's page answers every path, so these must come before it.
    app.router.routes.insert(0, Mount(FILES_PATH, app=files, name="editions"))
    app.router.routes.insert(0, Mount(DESK, app=desk, name="desk"))
    names = own_names(settings.port, settings.page_url)
    return without_path(Gate(patient, door, names, inside, base), base)


def create_embedded(settings: Settings) -> ASGIApp:
    """Prefect's application as Prefect itself would start it for a run without a server; it
    answers this machine only."""
    os.environ.update(
        history_variables(settings),
        PREFECT_UI_ENABLED="0",
        PREFECT__SERVER_EPHEMERAL="1",
        PREFECT__SERVER_FINAL="1",
    )
    quiet_environment(settings)
    from prefect.server.api.server import create_app

    app = create_app(final=True)
    vacuum_on_start(app)
    return only_the_machine(app, Door(settings), own_names(settings.port, ""))


def _is_behind_a_proxy(settings: Settings) -> bool:
    # The pages take seconds to import, and a server for one run has none.
    from deployments.page.desk import is_behind_a_proxy

    return is_behind_a_proxy(settings)


def main() -> None:
    """Serve on the loopback port of the settings until told to stop, or until the command that
    started this is gone."""
    end_with_starter()
    settings = Settings()
    is_embedded = EMBEDDED in sys.argv[1:]
    try:
        if not is_embedded:
            check_doors(settings)
        told = server_environment(settings, settings.port)
    except NianbaoError as error:
        print(typeset(f"错误:{error}"), file=sys.stderr)
        sys.exit(error.exit_code)
    quiet_environment(settings)
    if not is_embedded:
        for name, value in told.items():
            os.environ.setdefault(name, value)
        settings = Settings()
    # The server shows its settings to those who are signed in; the token is none of theirs.
    os.environ.pop(VARIABLE, None)
    import uvicorn

    config = uvicorn.Config(
        create_embedded(settings) if is_embedded else create(settings),
        host=HOST,
        port=settings.port,
        log_level="warning",
        access_log=False,
        # Only a reverse proxy may say for whom it asks.
        proxy_headers=not is_embedded and _is_behind_a_proxy(settings),
        timeout_keep_alive=60,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(sockets=_handed_on())
    if not server.started:
        sys.exit(1)


def _handed_on() -> list[socket.socket] | None:
    """The socket that the starter holds the port with, where it handed one on."""
    numbers = [one.removeprefix(LISTENER) for one in sys.argv[1:] if one.startswith(LISTENER)]
    return [socket.socket(fileno=int(number)) for number in numbers] or None


if __name__ == "__main__":
    main()
