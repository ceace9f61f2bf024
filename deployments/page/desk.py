"""What every page of 年报工作台 is made with: its template, its forms, and whoever looks at it.

A page is a function in a module of `pages/`, its template in `templates/`, its data from
`tasks/desk/`. Whoever asks is in `request.state.visitor`; a form carries `visitor.form_token`, and
`entered` refuses one that does not.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from deployments.page.body import MOST_OF_A_FORM, TooLong, whole_body
from deployments.page.inside import Inside
from deployments.page.origin import LOOPBACK
from deployments.page.visitor import Door, Visitor
from tasks.clock import now
from tasks.desk.city import City, city_of
from tasks.editions.explain import NoSuchCell
from tasks.editions.store import NoEdition
from tasks.people.persons import VIEWS
from tasks.settings import Settings
from tasks.wording.typeset import typeset
from warehouse.errors import NianbaoError
from warehouse.lake import NoLake
from warehouse.numbers import number

FOLDER = Path(__file__).parent
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
_WHOLE = re.compile(r"([+-]?)([1-9]\d*|0)(?![\d,])")
STALE_FORM = "这个页面放得太久,或不是从本系统打开的。请重新填写"
NO_DATA = "还没有数据。请先取一次数"


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


def client_of(request: Request) -> str:
    """By what the log calls someone where nobody is configured."""
    return f"未登录 {request.client.host if request.client else ''}".strip()


def may_work(request: Request) -> bool:
    """Whether the one who looks may enter anything: by role, or because nobody is configured."""
    person = visitor_of(request).person
    return person is None or person.role != VIEWS


def is_fragment(request: Request) -> bool:
    """Whether a part of a page is asked for, to be swapped in (htmx). Going back in a browser
    asks for the whole page again."""
    goes_back = request.headers.get("hx-history-restore-request") == "true"
    return request.headers.get("hx-request") == "true" and not goes_back


def thousands(value: Decimal | int | None, missing: str = "—") -> str:
    """A number for reading, with its thousands; `missing` where there is none, never 0."""
    if value is None:
        return missing
    whole, dot, places = number(value).partition(".")
    return f"{int(whole):,}{dot}{places}" if whole not in ("-0",) else f"-0{dot}{places}"


def day(value: date | datetime | None) -> str:
    """A date in a sentence: 3 月 30 日; a date in a column is written 2021-03-30 by itself."""
    return "" if value is None else f"{value.month} 月 {value.day} 日"


def moment(value: datetime | None) -> str:
    """A date and a time in a sentence: 3 月 30 日 01:32."""
    return "" if value is None else f"{day(value)} {value:%H:%M}"


def when(value: date | datetime | None) -> str:
    """A day as a column has it that may reach back: 3 月 30 日 09:14, 2020 年 6 月 9 日."""
    if value is None:
        return ""
    if value.year != now().year:
        return f"{value.year} 年 {day(value)}"
    return moment(value) if isinstance(value, datetime) else day(value)


def commas(text: str) -> str:
    """A figure as it prints, with its thousands: 293,102,296.61, 34.88%, +1,561."""
    found = _WHOLE.match(text)
    return f"{found[1]}{int(found[2]):,}{text[found.end() :]}" if found else text


def size(count: int) -> str:
    """How large a file is."""
    if count < 1000:
        return f"{count} 字节"
    return f"{count / 1000:,.0f} KB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"typeset": typeset, "n": thousands, "day": day, "moment": moment}
    made.filters |= {"when": when, "commas": commas, "size": size}
    made.filters["encoded"] = urlencode
    return made


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page from its template; nothing of it is kept by a browser or a proxy.

    `at` among the values names the main page to which this one belongs, for the navigation.
    """
    desk = desk_of(request)
    given = {
        "base": desk.base,
        "visitor": visitor_of(request),
        "has_persons": desk.door.has_persons,
        "city": _city(desk.settings),
        "may_work": may_work(request),
        "at": "",
        **values,
    }
    text = _templates().get_template(template).render(given)
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(text, status, headers)


def _city(settings: Settings) -> City:
    """Whose pages these are. A folder that cannot be read must not take every page away."""
    try:
        return city_of(settings.city)
    except NianbaoError:
        return City("", is_synthetic=False)


async def shown(
    request: Request,
    template: str,
    make: Callable[[], Mapping[str, Any]],
    status: int = 200,
    **values: Any,
) -> Response:
    """A page of what `make` reads, in a thread of its own; or a page that says why there is none.

    `make` may raise any NianbaoError: its message is shown, with what to do.
    """
    try:
        made = await asyncio.to_thread(make)
    except NoLake:
        return said(request, NO_DATA, at=values.get("at", ""))
    except (NotThere, NoEdition, NoSuchCell) as error:
        return said(request, str(error), status=404, at=values.get("at", ""))
    except NianbaoError as error:
        return said(request, str(error), status=422, at=values.get("at", ""))
    return page(request, template, status, **values, **made)


class NotThere(NianbaoError):
    """What an address names is not there; the message says where to begin instead."""


def said(request: Request, message: str, *, status: int = 200, at: str = "") -> Response:
    """A page that only says something: why there is nothing, and the next step."""
    return page(request, "said.html.j2", status, message=message, at=at)


async def no_such_page(request: Request) -> Response:
    """Whatever no page answers."""
    return said(request, "没有这一页。可以从今天或查找开始", status=404)


def to(request: Request, path: str) -> Response:
    """On to another path of this port, after something was done."""
    return RedirectResponse(f"{desk_of(request).base}{path}", 303)


async def entered(request: Request) -> Mapping[str, str]:
    """What a form was filled in with. Raises Forged for one without this visitor's token."""
    return {name: values[-1] for name, values in (await entered_all(request)).items()}


async def entered_all(request: Request) -> Mapping[str, list[str]]:
    """The same, with all values of a field that may be chosen more than once."""
    told: dict[str, list[str]] = {}
    try:
        raw = await whole_body(request.receive, MOST_OF_A_FORM)
        for name, value in fields_of(raw):
            told.setdefault(name, []).append(value)
    except (TooLong, ValueError) as error:
        raise Forged from error
    check_form_token(request, told.get("form_token", [""])[-1])
    return told


def fields_of(raw: bytes) -> list[tuple[str, str]]:
    """The fields of a form as it is sent. Raises ValueError for what is none."""
    return parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=2000)


def check_form_token(request: Request, given: str) -> None:
    """Raises Forged where a form does not carry this visitor's token."""
    expected = visitor_of(request).form_token
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise Forged
