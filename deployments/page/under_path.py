"""Pages below a path of another server: https://host/path, as `NIANBAO_PAGE_URL` says.

A reverse proxy may send that path on or take it away; both work. Inside, the gate, this project's
pages and Prefect's interface know no path; Prefect's page is made for it and lies below it.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

OURS = ("/api", "/desk", "/editions")
"""What lies at the top of the port, whatever the path is."""


def without_path(app: ASGIApp, base: str) -> ASGIApp:
    """Before the gate: a request's path without `base`, where the proxy sent it on."""
    if not base:
        return app

    async def stripped(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path == base or path.startswith(f"{base}/"):
            scope = _at(scope, path[len(base) :] or "/")
        await app(scope, receive, send)

    return stripped


def with_path(app: ASGIApp, base: str) -> ASGIApp:
    """Behind the gate: Prefect's page below `base`, the rest as it is."""
    if not base:
        return app

    async def put_below(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and not any(
            path == ours or path.startswith(f"{ours}/") for ours in OURS
        ):
            scope = _at(scope, f"{base}{path}")
        await app(scope, receive, send)

    return put_below


def _at(scope: Scope, path: str) -> Scope:
    return {**scope, "path": path, "raw_path": path.encode()}
