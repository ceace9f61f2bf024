"""The gate before everything on the port: whose requests are answered, and what they may ask."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from deployments.page.desk import base_path
from deployments.page.gate import DESK, Gate, only_the_machine
from deployments.page.inside import Inside
from deployments.page.origin import own_names
from deployments.page.pages.sign_in import local_path
from deployments.page.rights import Refused, check_may
from deployments.page.routes import desk_app
from deployments.page.visitor import COOKIE, Door, cookie_of
from deployments.server import DoorsError, Patience, check_doors, server_environment
from tasks.clock import now
from tasks.people import log
from tasks.people.machine import HEADER, machine_token
from tasks.people.office import Office
from tasks.people.persons import APPROVES, MANAGES, VIEWS, WORKS, Person, lock_person
from tasks.people.sessions import form_token, sign_in
from tasks.settings import Settings, SettingsError
from tests.approving import code_at
from tests.operator_room import PASSWORD, SECRET, add_people

PORT = 4200
OWN = f"http://127.0.0.1:{PORT}"
EVIL = "http://evil.example"
# The same in every process: tests are named by it.
DEPLOYMENT = "5b2c0f2e-6f0f-4c39-9b1e-1c1f6f6f2a01"
RUN = f"/api/deployments/{DEPLOYMENT}/create_flow_run"
STATE = "/api/flow_runs/0d9a3a52-8a2b-4a44-9c57-6a3f4f0f7e02/set_state"
READ = "/api/deployments/filter"
FIELDS = {"properties": {"year": {}, "built_by": {}, "approval": {}}}
PEOPLE = {"看": VIEWS, "办": WORKS, "批": APPROVES, "管": MANAGES}
JSON = {"content-type": "application/json"}


async def echo(request: Request) -> Response:
    """What came through the gate."""
    body = await request.body()
    return JSONResponse({"path": request.url.path, "body": body.decode()})


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("in")
    await websocket.close()


class Prefect(Inside):
    """Stands for Prefect's interface behind the gate."""

    begun: tuple[int, ...] = ()

    async def ask(self, path: str, body: Any = None) -> Any:
        return {"parameter_openapi_schema": FIELDS, "name": "year-end", "id": DEPLOYMENT}

    async def publish(self, approval: int) -> str:
        Prefect.begun += (approval,)
        return str(uuid.uuid4())


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Office:
    office = Office(tmp_path_factory.mktemp("people"))
    add_people(office.home, PEOPLE)
    return office


@pytest.fixture(scope="module")
def sessions(people: Office) -> dict[str, str]:
    """A session of everyone's; to begin one takes long, as it should."""
    moment = now()
    return {
        name: sign_in(people, name, PASSWORD, code_at(moment), client="here", now=moment)
        for name in PEOPLE
    }


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", city=tmp_path, port=PORT)


@pytest.fixture
def with_people(tmp_path: Path, people: Office, sessions: dict[str, str]) -> Settings:
    home = tmp_path / "with people"
    home.mkdir()
    shutil.copy(people.path, home)
    return Settings(home=home, city=tmp_path, port=PORT)


def opened(settings: Settings, **headers: str) -> TestClient:
    """A browser at the port, which answers with what came through."""
    door = Door(settings)
    inside = Prefect(echo, settings)  # type: ignore[arg-type]
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    app = Starlette(
        routes=[
            WebSocketRoute("/{path:path}", socket),
            Mount(DESK, desk_app(settings, door, inside)),
            Route("/{path:path}", echo, methods=methods),
        ]
    )
    headers = {"host": OWN.removeprefix("http://"), **headers}
    gate = Gate(app, door, own_names(PORT, settings.page_url), inside, base_path(settings))
    return TestClient(gate, base_url=OWN, headers=headers, follow_redirects=False)


def machine(settings: Settings) -> dict[str, str]:
    return {HEADER: machine_token(settings.home)}


@pytest.fixture
def as_person(with_people: Settings, sessions: dict[str, str]) -> Callable[[str], TestClient]:
    """A browser in which someone is signed in."""

    def of(name: str) -> TestClient:
        return opened(with_people, cookie=f"{COOKIE}={sessions[name]}", origin=OWN)

    return of


FOREIGN: list[dict[str, str]] = [
    {"host": "attacker.example"},
    {"host": f"attacker.example:{PORT}"},
    {"host": "127.0.0.1"},
    {"host": "127.0.0.1:4201"},
    {"host": f"127.0.0.1:{PORT}.evil.example"},
    {"host": f"127.0.0.1.evil.example:{PORT}"},
    {"host": f"0.0.0.0:{PORT}"},
    {"host": ""},
    {"origin": EVIL},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "https://127.0.0.1:4200"},
    {"origin": "http://127.0.0.1:4201"},
    {"origin": f"{OWN}.evil.example"},
    {"origin": f"{EVIL}?{OWN}"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_what_comes_from_elsewhere_is_not_answered(
    settings: Settings, foreign: dict[str, str]
) -> None:
    """Not even with the machine's token, to reading, to a preflight or to a socket."""
    for known in ({}, machine(settings)):
        browser = opened(settings, **foreign, **known)
        for method, path in (
            ("GET", "/"),
            ("GET", "/editions/2020-1/report.html"),
            ("GET", "/desk/"),
            ("OPTIONS", READ),
            ("POST", READ),
            ("POST", RUN),
            ("POST", "/desk/sign-in"),
        ):
            answer = browser.request(method, path, headers={"accept": "text/html"})
            assert answer.status_code == 403, (method, path)
            assert "access-control-allow-origin" not in answer.headers
        with pytest.raises(WebSocketDisconnect), browser.websocket_connect("/api/events/out"):
            pass


def test_a_form_of_another_site_is_no_navigation(settings: Settings) -> None:
    """A link elsewhere may lead here; a form that is sent from there may not."""
    came = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert opened(settings, **came).get("/runs").status_code == 200
    assert opened(settings, **came).post("/desk/approve/2020-1").status_code == 403


def test_the_ports_own_names_and_no_others(settings: Settings) -> None:
    outer = settings.model_copy(update={"page_url": "https://nianbao.example/desk-of-ours"})
    for host in ("nianbao.example", "nianbao.example:443", f"127.0.0.1:{PORT}"):
        assert opened(outer, host=host).get("/api/health").status_code == 200
    assert opened(outer, origin="https://nianbao.example").post(READ).status_code == 200
    assert opened(outer, origin="http://nianbao.example").post(READ).status_code == 403
    # A page opened by another name of the loopback would ask the server by one name.
    page = opened(settings, host=f"localhost:{PORT}", accept="text/html").get("/runs?a=b")
    assert (page.status_code, page.headers["location"]) == (307, f"{OWN}/runs?a=b")
    assert opened(settings, host=f"localhost:{PORT}").post(READ).status_code == 200


def test_prefect_is_told_no_star_and_the_outer_address(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = server_environment(settings, PORT)
    origins = told["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
    assert "*" not in told["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]
    assert OWN in origins
    assert told["NIANBAO_PAGE_URL"] == OWN
    assert told["PREFECT_UI_API_URL"] == f"{OWN}/api"
    outer = settings.model_copy(update={"page_url": "https://nianbao.example/x"})
    told = server_environment(outer, PORT)
    assert told["PREFECT_UI_API_URL"] == "https://nianbao.example/x/api"
    assert told["NIANBAO_PAGE_URL"] == "https://nianbao.example/x"
    assert told["PREFECT_API_URL"] == f"{OWN}/api"
    monkeypatch.setenv("PREFECT_UI_API_URL", "https://api.example/api")
    told = server_environment(outer, PORT)
    assert told["PREFECT_UI_API_URL"] == "https://api.example/api"
    assert "https://api.example" in told["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"].split(",")


WRITES = [
    ("POST", "/api/deployments/"),
    ("PATCH", f"/api/deployments/{DEPLOYMENT}"),
    ("DELETE", f"/api/deployments/{DEPLOYMENT}"),
    ("POST", f"{RUN}/bulk"),
    ("POST", f"/api/deployments/{DEPLOYMENT}/schedules"),
    ("POST", f"/api/deployments/{DEPLOYMENT}/schedule"),
    ("POST", "/api/flow_runs/"),
    ("POST", "/api//deployments/"),
    ("POST", f"/api/x/%2e%2e/deployments/{DEPLOYMENT}/create_flow_run"),
    ("PATCH", f"/api/flow_runs/{DEPLOYMENT}"),
    ("POST", "/api/flow_runs/bulk_set_state"),
    ("POST", f"/api/flow_runs/{DEPLOYMENT}/input"),
    ("POST", "/api/artifacts/"),
    ("POST", "/api/automations/"),
    ("POST", "/api/work_pools/"),
    ("POST", "/api/block_documents/"),
    ("POST", "/api/variables/"),
    ("POST", "/api/events"),
    ("POST", "/api/logs/"),
    ("POST", "/api/admin/database/clear"),
    ("POST", "/api/admin/database/drop"),
    ("PUT", "/api/concurrency_limits/"),
    ("DELETE", "/api/filter"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_whoever_can_change_a_deployment_could_run_anything(
    settings: Settings, as_person: Callable[[str], TestClient], method: str, path: str
) -> None:
    """So nobody at the page may; the machine's own runs and workers must."""
    for browser in (opened(settings), as_person("管")):
        answer = browser.request(method, path, json={})
        assert answer.status_code == 403
        assert "本机" in answer.json()["detail"]
    known = opened(settings, **machine(settings)).request(method, path, json={})
    assert known.status_code == 200


def test_of_all_that_prefect_offers_the_page_writes_only_what_is_named() -> None:
    """A new release of Prefect brings new addresses: none is open before it is named."""
    from prefect.server.api.server import API_ROUTERS

    allowed: dict[str, set[str]] = {role: set() for role in (VIEWS, WORKS, MANAGES)}
    offered = [
        (r.path, m)
        for router in API_ROUTERS
        for r in router.routes
        for m in getattr(r, "methods", ())
    ]
    for declared, method in offered:
        path = re.sub(r"\{\w*id(:uuid)?\}", DEPLOYMENT, f"/api{declared}")
        path = re.sub(r"[{}]", "", path)
        for role, found in allowed.items():
            with suppress(Refused):
                check_may(Person("某", role, now()), method, path)
                if method not in ("GET", "HEAD", "OPTIONS"):
                    found.add(f"{method} {re.sub(':uuid', '', declared)}")
    readings = ("filter", "count", "history", "lateness", "paginate", "next")
    writes = {
        role: {
            one
            for one in found
            if not one.rstrip("/").endswith(readings)
            and "/ui/" not in one
            and "count-by" not in one
        }
        for role, found in allowed.items()
    }
    assert len(allowed[VIEWS]) > 20
    assert writes[VIEWS] == {"POST /deployments/get_scheduled_flow_runs"}
    assert writes[WORKS] - writes[VIEWS] == {
        "POST /deployments/{id}/create_flow_run",
        "POST /flow_runs/{id}/set_state",
    }
    assert writes[MANAGES] - writes[WORKS] == {
        "POST /deployments/{id}/pause_deployment",
        "POST /deployments/{id}/resume_deployment",
        "PATCH /deployments/{id}/schedules/{schedule_id}",
    }


@pytest.mark.parametrize(
    "body",
    [
        {"job_variables": {"env": {"NIANBAO_APPROVERS": ""}}},
        {"work_queue_name": "other"},
        {"infrastructure_document_id": DEPLOYMENT},
        {"parameters": {"code": "123456"}},
        {"parameters": {"year": 2020, "path": "/etc/passwd"}},
        {"parameters": ["year"]},
        {"parameters": {"year": {"__prefect_kind": "jinja", "template": "{{ 1 }}"}}},
        {"parameters": {"year": [{"a": [{"__prefect_kind": "workspace_variable"}]}]}},
        {"parameters": {"year": 2020}, "state": {"type": "COMPLETED"}},
        {"parameters": {"year": 2020}, "state": {"type": "RUNNING"}},
        {"parameters": {"year": 2020}, "state": {"type": ["SCHEDULED"]}},
        {"parameters": {"year": 2020}, "state": "SCHEDULED"},
        [],
    ],
)
def test_a_run_is_asked_for_by_its_forms_fields_only(settings: Settings, body: Any) -> None:
    answer = opened(settings).post(RUN, json=body)
    assert answer.status_code in (403, 422)
    assert "123456" not in answer.text


def test_a_browser_keeps_no_page_for_whoever_comes_next(settings: Settings) -> None:
    async def shell(scope: Any, receive: Any, send: Any) -> None:
        await HTMLResponse("page")(scope, receive, send)

    door = Door(settings)
    gate = Gate(shell, door, own_names(PORT, ""), Prefect(echo, settings))  # type: ignore[arg-type]
    answer = TestClient(gate, base_url=OWN).get("/runs")
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_is_hidden_in_a_body_does_not_pass(settings: Settings) -> None:
    """Of a key that stands twice the last one counts here, and nothing else goes on."""
    hidden = (
        b'{"job_variables": {"env": {"A": "b"}}, "parameters": {"year": 1}, "job_variables": {}}'
    )
    passed = opened(settings).post(RUN, content=hidden, headers=JSON)
    assert json.loads(passed.json()["body"]) == {"parameters": {"year": 1}}
    deep = b'{"parameters": {"year": ' + b"[" * 200_000 + b"]" * 200_000 + b"}}"
    deeper = b'{"parameters": {"year": ' + b'{"a": ' * 200 + b"1" + b"}" * 202
    for broken in (b"{", b"\xff", b"null", b"x" * 1_500_000, deep, deeper):
        for path in (RUN, STATE):
            answer = opened(settings).post(path, content=broken, headers=JSON)
            assert answer.status_code in (413, 422)


def test_of_what_is_sent_only_what_is_named_goes_on(settings: Settings) -> None:
    """Whatever else a release of Prefect may take for an order does not reach it."""
    more = {
        "context": {"a": 1},
        "labels": {"a": "b"},
        "idempotency_key": "x",
        "parent_task_run_id": DEPLOYMENT,
        "enforce_parameter_schema": False,
        "force": True,
        "slug": "x",
        "max_scheduled_runs": 9,
    }
    details = {"scheduled_time": "2021-01-25T09:00:00Z", "flow_run_id": DEPLOYMENT}
    state = {"type": "SCHEDULED", "message": "m", "data": {"a": 1}, "name": "Completed"}
    kept = {"type": "SCHEDULED", "message": "m"}
    for method, path, sent, passed in (
        ("POST", RUN, {"parameters": {"year": 1}}, {"parameters": {"year": 1}}),
        (
            "POST",
            RUN,
            {"parameters": {}, "name": "n", "tags": ["t", 1], "state": {**state, "x": 1}},
            {"parameters": {}, "name": "n", "tags": ["t"], "state": kept},
        ),
        (
            "POST",
            STATE,
            {"state": {**state, "name": "AwaitingRetry", "state_details": details}},
            {
                "state": {
                    **kept,
                    "name": "AwaitingRetry",
                    "state_details": {"scheduled_time": "2021-01-25T09:00:00Z"},
                }
            },
        ),
        (
            "PATCH",
            f"/api/deployments/{DEPLOYMENT}/schedules/{DEPLOYMENT}",
            {"active": False, "schedule": {"cron": "0 1 * * *"}, "parameters": {"code": "1"}},
            {"active": False, "schedule": {"cron": "0 1 * * *"}},
        ),
    ):
        answer = opened(settings).request(method, path, json={**more, **sent})
        assert json.loads(answer.json()["body"]) == passed


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({"type": "CANCELLING"}, 200),
        ({"type": "SCHEDULED", "name": "AwaitingRetry"}, 200),
        ({"type": "COMPLETED"}, 403),
        ({"type": "FAILED"}, 403),
        ({"type": "RUNNING"}, 403),
        ("CANCELLED", 403),
        (None, 403),
    ],
)
def test_nobody_writes_what_a_run_came_to(settings: Settings, state: Any, status: int) -> None:
    assert opened(settings).post(STATE, json={"state": state}).status_code == status


def test_without_signing_in_nothing_is_shown(with_people: Settings) -> None:
    browser = opened(with_people)
    for path in ("/", "/runs", "/editions/2020-1/report.html", "/desk/", "/ui-settings", "/docs"):
        page = browser.get(path, headers={"accept": "text/html"})
        assert page.status_code == 303
        assert page.headers["location"].startswith("/desk/sign-in?next=")
        assert browser.get(path).status_code == 401
    for method, path in (("GET", "/api/flows"), ("POST", READ), ("POST", RUN), *WRITES):
        assert browser.request(method, path).status_code == 401
    for path in (
        "/api/health/../deployments/filter",
        "/desk/static",
        "/desk/sign-in/",
        "/desk/sign-inx",
    ):
        assert browser.get(path).status_code in (401, 404)
    assert browser.get("/api/health").status_code == 200
    assert browser.get("/desk/static/desk.css").status_code == 200
    for path in ("/api/events/out", "/api/logs/out", "/api/events/in"):
        with pytest.raises(WebSocketDisconnect), browser.websocket_connect(path):
            pass
    for forged in (
        {"cookie": f"{COOKIE}=x"},
        {HEADER: "x"},
        {HEADER: ""},
        {"authorization": "Basic eDp4"},
    ):
        assert opened(with_people, **forged).post(READ).status_code == 401


def test_this_machine_is_known_everywhere(with_people: Settings) -> None:
    known = opened(with_people, **machine(with_people))
    assert known.post("/api/deployments/", json={}).status_code == 200
    for path in ("/api/events/in", "/api/events/out"):
        with known.websocket_connect(path) as opened_:
            assert opened_.receive_text() == "in"


def test_what_happened_is_told_by_the_machine_only(
    settings: Settings, as_person: Callable[[str], TestClient]
) -> None:
    for browser in (opened(settings), as_person("管")):
        for path in (
            "/api/events/in",
            "/api/logs/in",
            "/api/runs/subscriptions",
            "/api/task_runs/subscriptions/scheduled",
            "/api/events/out/",
            "/api/events/out/in",
            "/",
        ):
            with pytest.raises(WebSocketDisconnect), browser.websocket_connect(path):
                pass
        for path in ("/api/events/out", "/api/logs/out"):
            with browser.websocket_connect(path) as out:
                assert out.receive_text() == "in"
    known = opened(settings, **machine(settings))
    with known.websocket_connect("/api/task_runs/subscriptions/scheduled") as tasks:
        assert tasks.receive_text() == "in"


def test_roles(as_person: Callable[[str], TestClient]) -> None:
    viewer, worker, manager = map(as_person, ("看", "办", "管"))
    pause = f"/api/deployments/{DEPLOYMENT}/pause_deployment"
    assert viewer.post(READ, json={}).status_code == 200
    for path in (RUN, STATE, pause):
        assert viewer.post(path, json={}).status_code == 403
    assert worker.post(RUN, json={}).status_code == 200
    assert worker.post(pause, json={}).status_code == 403
    assert manager.post(pause, json={}).status_code == 200


def test_the_builder_is_who_is_signed_in(
    as_person: Callable[[str], TestClient], with_people: Settings
) -> None:
    asked = {"parameters": {"year": 2020, "built_by": "别人"}}
    passed = as_person("办").post(RUN, json=asked)
    assert json.loads(passed.json()["body"])["parameters"] == {"year": 2020, "built_by": "办"}
    line = log.lines(Office(with_people.home))[0]
    assert (line.person, line.act, line.about) == ("办", "开始运行", "year-end")


def test_a_session_that_is_over_lets_nobody_in(
    as_person: Callable[[str], TestClient],
    with_people: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser = as_person("办")
    assert browser.post(READ).status_code == 200
    later = now().replace(year=now().year + 1)
    with monkeypatch.context() as patched:
        patched.setattr("deployments.page.visitor.now", lambda: later)
        assert browser.post(READ).status_code == 401
    lock_person(Office(with_people.home), "办", by="管", now=now())
    assert browser.post(READ).status_code == 401


def test_signing_in_and_out(with_people: Settings) -> None:
    browser = opened(with_people, origin=OWN)
    shown = browser.get("/desk/sign-in?next=/runs").text
    token = shown.partition('name="form_token" value="')[2].partition('"')[0]
    moment = now()
    form = {"form_token": token, "name": "批", "password": PASSWORD, "next": "/runs"}
    for forged in ({"form_token": ""}, {"form_token": "x" * 64}):
        assert browser.post("/desk/sign-in", data={**form, **forged}).status_code == 403
    wrong = browser.post("/desk/sign-in", data={**form, "name": "路人", "code": "000000"})
    assert wrong.status_code == 403
    assert "不对" in wrong.text
    for _ in range(4):
        wrong = browser.post("/desk/sign-in", data={**form, "name": "路人", "code": "000000"})
    assert wrong.status_code == 429
    # The one before was used when the sessions of these tests began.
    code = code_at(moment + timedelta(seconds=30))
    done = browser.post("/desk/sign-in", data={**form, "code": code})
    assert (done.status_code, done.headers["location"]) == (303, "/runs")
    cookie = done.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    desk = browser.get("/desk/sign-in")
    assert desk.status_code == 303
    # Without its token a form does nothing.
    browser.post("/desk/sign-out")
    assert browser.post(READ).status_code == 200
    own = browser.get("/desk/").text.partition('name="form_token" value="')[2].partition('"')[0]
    browser.post("/desk/sign-out", data={"form_token": own})
    assert browser.post(READ).status_code == 401


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil",
        "javascript:x",
        "",
        "/a\r\nb",
    ],
)
def test_signing_in_leads_nowhere_else(wanted: str) -> None:
    assert local_path(wanted) == "/"
    assert local_path("/runs?state=a") == "/runs?state=a"


def test_a_proxys_header_is_believed_only_from_the_proxy(with_people: Settings) -> None:
    secret = "between-proxy-and-port"
    with pytest.raises(SettingsError, match="SIGN_ON_SECRET"):
        Settings(home=with_people.home, sign_on_header="X-Remote-User")
    signed_on = Settings(
        home=with_people.home,
        city=with_people.city,
        port=PORT,
        sign_on_header="X-Remote-User",
        sign_on_secret=secret,
    )
    for headers, status in (
        ({"x-remote-user": "%E5%8A%9E", "x-nianbao-proxy": secret}, 200),
        ({"x-remote-user": "%E5%8A%9E"}, 401),
        ({"x-remote-user": "%E5%8A%9E", "x-nianbao-proxy": "guessed"}, 401),
        ({"x-remote-user": "%E8%B7%AF", "x-nianbao-proxy": secret}, 401),
        ({"x-remote-user": "", "x-nianbao-proxy": secret}, 401),
        ({"x-nianbao-proxy": secret}, 401),
        ({"x-other-user": "%E5%8A%9E", "x-nianbao-proxy": secret}, 401),
    ):
        assert opened(signed_on, **headers).post(READ).status_code == status, headers
    # Where no header is named, none is believed; and there is no second way in.
    assert opened(with_people, **{"x-remote-user": "%E5%8A%9E"}).post(READ).status_code == 401
    assert opened(signed_on).get("/desk/", headers={"accept": "text/html"}).status_code == 401
    lock_person(Office(with_people.home), "办", by="管", now=now())
    known = {"x-remote-user": "%E5%8A%9E", "x-nianbao-proxy": secret}
    assert opened(signed_on, **known).post(READ).status_code == 401


def test_the_door_is_not_opened_as_it_should_not_be(
    settings: Settings, with_people: Settings, tmp_path: Path
) -> None:
    check_doors(with_people)
    approvers = f"张三:{SECRET}"
    with pytest.raises(DoorsError, match=r"user add.*--role 批准"):
        check_doors(Settings(home=tmp_path / "empty", approvers=approvers))
    with pytest.raises(DoorsError, match="user add"):
        check_doors(Settings(home=tmp_path / "empty", approvers=approvers, auth="a:b"))
    check_doors(
        with_people.model_copy(update={"approvers": Settings(approvers=approvers).approvers})
    )
    with pytest.raises(DoorsError, match="去掉 NIANBAO_AUTH"):
        check_doors(with_people.model_copy(update={"auth": Settings(auth="a:b").auth}))


def test_a_server_for_one_run_answers_this_machine_only(settings: Settings) -> None:
    app = Starlette(
        routes=[
            WebSocketRoute("/{path:path}", socket),
            Route("/{path:path}", echo, methods=["GET", "POST"]),
        ]
    )
    guarded = only_the_machine(app, Door(settings), own_names(PORT, ""))
    known = machine(settings)
    for headers, status in (
        (known, 200),
        ({}, 403),
        ({**known, "origin": EVIL}, 403),
        ({**known, "host": "evil.example"}, 403),
    ):
        client = TestClient(guarded, base_url=OWN, headers=headers)
        assert client.post(READ).status_code == status
        if status == 403:
            with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/events/in"):
                pass


def test_the_usual_port_is_left_out_by_browsers() -> None:
    names = own_names(80, "")
    for host, origin in (
        ("127.0.0.1", "http://127.0.0.1"),
        ("localhost:80", "http://localhost:80"),
    ):
        assert names.why_not("POST", {"host": host, "origin": origin}, is_socket=False) is None
    refused = {"host": "127.0.0.1", "origin": "https://127.0.0.1"}
    assert names.why_not("POST", refused, is_socket=False) is not None


@pytest.mark.parametrize(
    ("path", "most"),
    [("/desk/sign-in", 500_000), ("/desk/x", 500_000), ("/x", 500_000), ("/api/x", 16_000_000)],
)
def test_nobody_fills_the_memory_before_they_are_known(path: str, most: int) -> None:
    """What is too long is refused with no more read than fits, and no application asked."""
    arrived, sent, read = [], [], [0]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        arrived.append((await receive())["body"])
        await Response()(scope, receive, send)

    async def send(message: Any) -> None:
        sent.append(message)

    def posted(length: int) -> None:
        async def receive() -> Any:
            read[0] += 100_000
            is_more = read[0] < length
            return {"type": "http.request", "body": b"x" * 100_000, "more_body": is_more}

        read[0] = 0
        scope = {"type": "http", "method": "POST", "path": path, "headers": []}
        asyncio.run(Patience(app)(scope, receive, send))

    posted(most)
    assert [len(body) for body in arrived] == [most]
    posted(10 * most)
    assert len(arrived) == 1
    assert read[0] == most + 100_000
    start, told = sent[-2:]
    assert start["status"] == 413
    assert "太长" in (
        json.loads(told["body"])["detail"] if "api" in path else told["body"].decode()
    )


@pytest.mark.parametrize(
    "others",
    ["a=b; {}", "{}; a=b", 'x={{"a": [1]}}; {}', "a b=c; {}", "ключ=знач; {}", "a@b; {}; =;"],
)
def test_a_cookie_of_another_application_signs_nobody_out(
    sessions: dict[str, str], others: str
) -> None:
    cookie = others.format(f"{COOKIE}={sessions['办']}").encode().decode("latin-1")
    assert cookie_of({"cookie": cookie}) == sessions["办"]


def test_an_interface_that_is_busy_for_a_moment_is_asked_again(with_people: Settings) -> None:
    asked: list[str] = []

    async def busy_twice(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["method"])
        answer = PlainTextResponse("{}", 503 if len(asked) < 3 else 201)
        await answer(scope, receive, send)

    assert asyncio.run(Inside(busy_twice, with_people).ask("/flow_runs/", {})) == {}
    assert asked == ["POST"] * 3


async def broken(scope: Any, receive: Any, send: Any) -> None:
    """Prefect's interface while its database cannot be had."""
    raise RuntimeError("database is locked")


@pytest.mark.parametrize(
    "app",
    [broken, PlainTextResponse("busy", 503), PlainTextResponse("no JSON", 200)],
    ids=["raises", "busy", "no JSON"],
)
def test_an_interface_that_fails_is_told_not_raised(
    with_people: Settings, monkeypatch: pytest.MonkeyPatch, sessions: dict[str, str], app: Any
) -> None:
    """The code is used and the approval stored by then: whoever approved must see its number."""
    monkeypatch.setattr("deployments.page.inside.PAUSES", (0.0,))
    inside = Inside(app, with_people)
    assert asyncio.run(inside.ask("/flows/filter", {})) is None
    assert asyncio.run(inside.deployment(DEPLOYMENT)) is None
    assert asyncio.run(inside.publish(1)) == ""
    assert asyncio.run(inside.start("nightly", {})) == ""
    door = Door(with_people)
    desk = Starlette(routes=[Mount(DESK, desk_app(with_people, door, inside))])
    gate = Gate(desk, door, own_names(PORT, ""), inside, "")

    def browser(name: str) -> TestClient:
        headers = {"cookie": f"{COOKIE}={sessions[name]}", "origin": OWN}
        return TestClient(gate, base_url=OWN, headers=headers, follow_redirects=False)

    refused = browser("办").post(RUN, json={"parameters": {"year": 2020}})
    assert refused.status_code == 503
    assert "稍后再试" in refused.json()["detail"]
    with Office(with_people.home).change() as connection:
        number = connection.execute(
            "INSERT INTO approval (edition_id, cell_hash, definition_hash, findings_hash, approver,"
            " entered_by, statement, answers, stale_reason, approved_at) VALUES "
            "('2020-1', 'c', 'd', 'f', '批', '批', '同意发布', '{}', '', '2021-01-25T09:00:00')"
        ).lastrowid
    given = SimpleNamespace(number=number)
    monkeypatch.setattr("deployments.page.pages.approval.approve", lambda *_, **__: given)
    token = form_token(sessions["批"])
    done = browser("批").post("/desk/approve/2020-1", data={"form_token": token})
    assert (done.status_code, done.headers["location"]) == (303, f"/desk/approval/{number}")
    # There is no lake here either.
    shown = browser("批").get(f"/desk/approval/{number}")
    assert shown.status_code == 200
    assert f"中填 {number}" in shown.text
