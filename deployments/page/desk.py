"""This project's own pages (年报工作台), server-rendered: sign in, sign out, approve.

A page is a function in a module of this package, its template in `templates/`, its route in
`routes.py`. Whoever asks is in `request.state.visitor`; a form carries `visitor.form_token`, and
`entered` refuses one that does not.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from deployments.page.body import MOST_OF_A_FORM, TooLong, whole_body
from deployments.page.inside import Inside
from deployments.page.origin import LOOPBACK
from deployments.page.visitor import Door, Visitor
from tasks.settings import Settings
from tasks.wording.typeset import typeset

FOLDER = Path(__file__).parent
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'"
)


class Forged(Exception):
    """A form that did not come from our own page, or is too old."""


@dataclass(frozen=True)
class Desk:
    """What the pages work with."""

    settings: Settings
    door: Door
    inside: Inside

    @property
    def base(self) -> str:
        return base_path(self.settings)


def base_path(settings: Settings) -> str:
    """The path below which a reverse proxy shows the page; empty where it is at the top."""
    return urlsplit(settings.page_url).path.rstrip("/")


def is_behind_a_proxy(settings: Settings) -> bool:
    """Whether the page has an address that is not this machine's own port."""
    host = urlsplit(settings.page_url).hostname
    return bool(host) and host not in (*LOOPBACK, "::1")


def desk_of(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found


def visitor_of(request: Request) -> Visitor:
    found: Visitor = request.state.visitor
    return found


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["typeset"] = typeset
    return made


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page from its template; nothing of it is kept by a browser or a proxy."""
    desk = desk_of(request)
    text = (
        _templates()
        .get_template(template)
        .render(
            base=desk.base, visitor=visitor_of(request), has_persons=desk.door.has_persons, **values
        )
    )
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(text, status, headers)


def to(request: Request, path: str) -> Response:
    """On to another path of this port, after something was done."""
    return RedirectResponse(f"{desk_of(request).base}{path}", 303)


async def entered(request: Request) -> Mapping[str, str]:
    """What a form was filled in with. Raises Forged for one without this visitor's token."""
    try:
        raw = await whole_body(request.receive, MOST_OF_A_FORM)
        told = dict(parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=2000))
    except (TooLong, ValueError) as error:
        raise Forged from error
    expected = visitor_of(request).form_token
    if not expected or not hmac.compare_digest(
        told.get("form_token", "").encode(), expected.encode()
    ):
        raise Forged
    return told
