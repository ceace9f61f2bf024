"""The addresses of this project's pages: those of each module of `pages/`, in one list."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from deployments.page.desk import FOLDER, Desk, no_such_page
from deployments.page.inside import Inside
from deployments.page.pages import (
    approval,
    audit,
    building,
    cities,
    comparison,
    corrections,
    data,
    deadlines,
    edition,
    editions,
    findings,
    office,
    record,
    sign_in,
    today,
    verification,
)
from deployments.page.visitor import Door
from tasks.settings import Settings

ROUTES: list[BaseRoute] = [
    Mount("/static", StaticFiles(directory=FOLDER / "static"), name="static"),
    *sign_in.ROUTES,
    *today.ROUTES,
    *data.ROUTES,
    *record.ROUTES,
    *deadlines.ROUTES,
    *cities.ROUTES,
    *office.ROUTES,
    *approval.ROUTES,
    *findings.ROUTES,
    *corrections.ROUTES,
    *building.ROUTES,
    *audit.ROUTES,
    *editions.ROUTES,
    *edition.ROUTES,
    *comparison.ROUTES,
    *verification.ROUTES,
    # The last: whatever no page answers.
    Route("/{path:path}", no_such_page, methods=["GET", "HEAD"]),
]


def desk_app(settings: Settings, door: Door, inside: Inside) -> Starlette:
    """The pages as one application, to be mounted before Prefect's."""
    app = Starlette(routes=ROUTES)
    app.state.desk = Desk(settings, door, inside)
    return app
