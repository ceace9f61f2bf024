"""The addresses of this project's pages."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from deployments.page.approval import approve_page, given_page, send_approval, waiting_page
from deployments.page.desk import FOLDER, Desk
from deployments.page.inside import Inside
from deployments.page.sign_in import send_sign_in, send_sign_out, sign_in_page
from deployments.page.visitor import Door
from tasks.settings import Settings

ROUTES: list[BaseRoute] = [
    Mount("/static", StaticFiles(directory=FOLDER / "static"), name="static"),
    Route("/sign-in", sign_in_page, methods=["GET"]),
    Route("/sign-in", send_sign_in, methods=["POST"]),
    Route("/sign-out", send_sign_out, methods=["POST"]),
    Route("/", waiting_page, methods=["GET"]),
    Route("/approve/{edition}", approve_page, methods=["GET"]),
    Route("/approve/{edition}", send_approval, methods=["POST"]),
    Route("/approval/{number:int}", given_page, methods=["GET"]),
]


def desk_app(settings: Settings, door: Door, inside: Inside) -> Starlette:
    """The pages as one application, to be mounted before Prefect's."""
    app = Starlette(routes=ROUTES)
    app.state.desk = Desk(settings, door, inside)
    return app
