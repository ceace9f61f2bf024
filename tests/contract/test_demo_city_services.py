"""The four services over real sockets: sign-in, paging, limits, faults, changes."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from deployments.demo_city.service import running
from deployments.demo_city.service.client import Client
from deployments.demo_city.service.media_service import signature

SCALE = 0.01
TOKEN_REQUESTS = 5
SERVICES = ("cms", "hotline", "media", "ledger")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("home")
    with running(home, scale=SCALE, token_requests=TOKEN_REQUESTS) as found:
        assert (home / "demo_city.env").stat().st_mode & 0o777 == 0o600
        yield found


@pytest.fixture
def client(environment: dict[str, str]) -> Client:
    client = Client(environment)
    for service in SERVICES:
        client.control(service, "POST", "reset")
    return client


def ids(records: Any, *keys: str) -> list[str]:
    return ["@".join(str(r[k]) for k in keys) for r in records]


# Sign-in


def test_cms_refuses_a_wrong_key(client: Client) -> None:
    url = client.url("cms", "/api/wenzhang")
    for headers in ({}, {"X-Api-Key": "wrong"}):
        answer = requests.get(url, headers=headers, timeout=10)
        assert answer.status_code == 401
        assert answer.json() == {"code": 40101, "msg": "无效的接口密钥", "data": None}


def test_ledger_refuses_without_the_password(client: Client, environment: dict[str, str]) -> None:
    user = environment["NIANBAO_LEDGER_USER"]
    for path in ("/applications", "/applications/count", "/workbooks/"):
        answer = requests.get(client.url("ledger", path), auth=(user, "wrong"), timeout=10)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_hotline_refuses_a_wrong_client(client: Client) -> None:
    form = {"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}
    answer = requests.post(client.url("hotline", "/oauth/token"), data=form, timeout=10)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    assert client.get("hotline", "/v2/calls").status_code == 401


def test_hotline_takes_the_client_as_basic_too(client: Client, environment: dict[str, str]) -> None:
    pair = (environment["NIANBAO_HOTLINE_CLIENT_ID"], environment["NIANBAO_HOTLINE_CLIENT_SECRET"])
    form = {"grant_type": "client_credentials"}
    url = client.url("hotline", "/oauth/token")
    assert requests.post(url, data=form, auth=pair, timeout=10).json()["token_type"] == "Bearer"


def test_hotline_token_ends_during_a_pull(client: Client) -> None:
    client.new_token()
    statuses = [client.get("hotline", "/v2/calls/count").status_code for _ in range(7)]
    assert statuses == [200] * TOKEN_REQUESTS + [401, 401]
    assert len(set(ids(client.hotline("calls", size=300), "callId"))) == 3966


def test_hotline_token_ends_with_time(tmp_path: Path) -> None:
    with running(tmp_path, scale=SCALE, token_seconds=0.4) as environment:
        client = Client(environment)
        client.new_token()
        assert client.get("hotline", "/v2/calls/count").status_code == 200
        time.sleep(0.5)
        assert client.get("hotline", "/v2/calls/count").status_code == 401


def signed(client: Client, environment: dict[str, str], **changed: Any) -> requests.Response:
    """A request to the monitor with some parts of its signature changed."""
    parts = {
        "X-App-Key": environment["NIANBAO_MEDIA_KEY_ID"],
        "X-Timestamp": str(int(time.time())),
        "X-Nonce": secrets.token_hex(8),
    }
    parts |= {name.replace("_", "-"): value for name, value in changed.items()}
    parts.setdefault(
        "X-Signature",
        signature(
            environment["NIANBAO_MEDIA_SECRET"],
            parts["X-Timestamp"],
            parts["X-Nonce"],
            [("limit", "1"), ("updated_since", "2020-03-05T00:00:00+08:00")],
        ),
    )
    return requests.get(
        client.url("media", "/openapi/posts"),
        params={"updated_since": "2020-03-05T00:00:00+08:00", "limit": "1"},
        headers=parts,
        timeout=10,
    )


def test_media_checks_the_signature(client: Client, environment: dict[str, str]) -> None:
    assert signed(client, environment).status_code == 200
    for error, changed in {
        "unknown_key": {"X_App_Key": "x"},
        "bad_signature": {"X_Signature": "0" * 64},
        "timestamp_out_of_range": {"X_Timestamp": str(int(time.time()) - 301)},
        "bad_nonce": {"X_Nonce": "short"},
    }.items():
        answer = signed(client, environment, **changed)
        assert (answer.status_code, answer.json()["error"]) == (401, error)
    nonce = secrets.token_hex(8)
    assert signed(client, environment, X_Nonce=nonce).status_code == 200
    assert signed(client, environment, X_Nonce=nonce).json()["error"] == "nonce_reused"


# Paging: every page size gives the same records, in the order of (update time, id)


@pytest.mark.parametrize(
    ("pull", "keys", "stamp"),
    [
        (lambda c, n: c.cms("wenzhang", n), ("wzId",), "gxSj"),
        (lambda c, n: c.hotline("workOrders", n), ("orderId",), "updateTime"),
        (lambda c, n: c.media("posts", n), ("post_id",), "updated_at"),
        (lambda c, n: c.media("followers", n), ("account_id", "day"), "updated_at"),
        (lambda c, n: c.ledger("applications", n), ("id",), "updatedAt"),
    ],
)
def test_pages_add_up(
    client: Client, pull: Callable[[Client, int], Any], keys: tuple[str, ...], stamp: str
) -> None:
    whole, small = list(pull(client, 1000)), list(pull(client, 97))
    assert ids(whole, *keys) == ids(small, *keys)
    assert len(set(ids(whole, *keys))) == len(whole) > 100
    order = [(r[stamp], "@".join(str(r[k]) for k in keys)) for r in whole]
    assert order == sorted(order)


def test_updated_since_is_inclusive(client: Client) -> None:
    articles = list(client.cms("wenzhang"))
    middle = articles[len(articles) // 2]["gxSj"]
    wanted = [a["wzId"] for a in articles if a["gxSj"] >= middle]
    data = client.get("cms", "/api/wenzhang", gxSjStart=middle, pageSize=1000).json()["data"]
    assert ids(data["list"], "wzId") == wanted
    assert data["total"] == len(wanted)
    orders = list(client.hotline("workOrders"))
    since, until = orders[100]["updateTime"], orders[300]["updateTime"]
    found = list(client.hotline("workOrders", 45, updatedSince=since, updatedUntil=until))
    assert ids(found, "orderId") == ids(orders[100:300], "orderId")


def test_link_header_leads_through_all_pages(client: Client) -> None:
    answer = client.get("ledger", "/documents", per_page=500, updated_since="2019-06-01T00:00:00")
    total = int(answer.headers["X-Total-Count"])
    assert answer.links["next"]["url"].startswith(client.url("ledger", "/documents?"))
    assert "updated_since=2019-06-01" in answer.links["next"]["url"]
    last = client.session.get(answer.links["last"]["url"], **client._sign_ledger({}))
    assert "next" not in last.links
    assert len(last.json()["data"]["items"]) == total % 500 or 500


def test_counts_agree_with_the_lists(client: Client) -> None:
    client.new_token()
    calls = list(client.hotline("calls"))
    begin, end = 1577808000000, 1609430400000
    count = client.get("hotline", "/v2/calls/count", startTime=begin, endTime=end).json()["count"]
    assert count == sum(begin <= c["callTime"] < end for c in calls) == 2163
    kept = [a for a in client.ledger("applications") if a["status"] == "normal"]
    assert client.get("ledger", "/applications/count").json()["count"] == len(kept)
    per_year = [
        client.get(
            "ledger", "/applications/count", **{"from": f"{y}-01-01", "to": f"{y}-12-31"}
        ).json()["count"]
        for y in (2019, 2020, 2021)
    ]
    assert sum(per_year) == len(kept)
    posts = [p for p in client.media("posts") if p["posted_at"] >= "2020-02-01T"]
    counted = client.get("media", "/openapi/posts/count", **{"from": "2020-02-01"}).json()["count"]
    assert counted == sum(p["state"] == "normal" for p in posts)


@pytest.mark.parametrize(
    ("service", "path", "parameters"),
    [
        ("cms", "/api/wenzhang", {"pageSize": 1001}),
        ("cms", "/api/wenzhang", {"gxSjStart": "yesterday"}),
        ("media", "/openapi/posts", {"limit": 0}),
        ("ledger", "/applications", {"per_page": "many"}),
        ("hotline", "/v2/calls", {"cursor": "nonsense"}),
    ],
)
def test_bad_parameters_are_refused(
    client: Client, service: str, path: str, parameters: dict[str, Any]
) -> None:
    client.new_token()
    assert client.get(service, path, **parameters).status_code == 400


def test_hotline_says_when_to_come_back(client: Client) -> None:
    seen = []
    for _ in range(90):
        answer = client.get("hotline", "/v2/calls/count", updatedUntil=0)
        if answer.status_code == 401:
            client.new_token()
        seen.append(answer.status_code)
        if answer.status_code == 429:
            assert answer.headers["Retry-After"] == "1"
            break
    assert seen[-1] == 429
    time.sleep(1)
    assert client.get("hotline", "/v2/calls/count").status_code in (200, 401)


# Workbooks


def test_folder_lists_and_serves_the_workbooks(client: Client) -> None:
    files = client.get("ledger", "/workbooks/").json()["files"]
    entry = files[len(files) // 2]
    content = client.get("ledger", f"/workbooks/{entry['name']}").content
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert len(content) == entry["size"]
    later = client.get("ledger", "/workbooks/", updated_since=entry["modified"]).json()["files"]
    assert later == [f for f in files if f["modified"] >= entry["modified"]]
    assert client.get("ledger", "/workbooks/none.xlsx").status_code == 404


def test_a_workbook_can_be_replaced(client: Client) -> None:
    name = client.get("ledger", "/workbooks/").json()["files"][0]["name"]
    client.control("ledger", "PUT", f"files/{name}", data=b"new")
    assert client.get("ledger", f"/workbooks/{name}").content == b"new"
    client.control("ledger", "POST", "reset")
    assert client.get("ledger", f"/workbooks/{name}").content != b"new"


# Faults and changes


def test_faults_happen_as_often_as_asked(client: Client) -> None:
    fault = {"kind": "status", "status": 503, "retry_after": 2, "count": 2, "path": "/documents"}
    client.control("ledger", "POST", "faults", json=fault)
    assert client.get("ledger", "/items").status_code == 200
    answers = [client.get("ledger", "/documents") for _ in range(3)]
    assert [a.status_code for a in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "2"
    requests_seen = client.control("ledger", "GET", "stats")["requests"]
    assert requests_seen == {"/documents 200": 1, "/documents 503": 2, "/items 200": 1}


def test_bodies_can_be_truncated_or_dropped(client: Client) -> None:
    client.control("cms", "POST", "faults", json={"kind": "truncated"})
    with pytest.raises(requests.exceptions.JSONDecodeError):
        client.get("cms", "/api/lanmu").json()
    client.control("cms", "POST", "faults", json={"kind": "dropped"})
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        client.get("cms", "/api/lanmu")
    assert client.get("cms", "/api/lanmu").status_code == 200


def test_totals_can_be_wrong_and_answers_slow(client: Client) -> None:
    right = client.get("media", "/openapi/accounts").json()["total"]
    client.control("media", "POST", "faults", json={"kind": "wrong_total", "delta": 7})
    assert client.get("media", "/openapi/accounts").json()["total"] == right + 7
    count = int(client.get("ledger", "/documents").headers["X-Total-Count"])
    client.control("ledger", "POST", "faults", json={"kind": "wrong_total", "delta": -1})
    assert int(client.get("ledger", "/documents").headers["X-Total-Count"]) == count - 1
    client.control("media", "POST", "faults", json={"kind": "slow", "seconds": 0.3})
    begun = time.monotonic()
    client.get("media", "/openapi/accounts")
    assert time.monotonic() - begun >= 0.3
    client.control("media", "POST", "faults", json={"kind": "status"})
    client.control("media", "DELETE", "faults")
    assert client.get("media", "/openapi/accounts").status_code == 200


def test_changed_and_withdrawn_records_come_last(client: Client) -> None:
    before = list(client.ledger("applications"))
    first, second = before[0]["id"], before[1]["id"]
    client.control("ledger", "PATCH", f"records/applications/{first}", json={"result": "02"})
    client.control("ledger", "POST", f"records/applications/{second}/withdraw")
    after = list(client.ledger("applications", 60))
    assert ids(after[-2:], "id") == [first, second]
    assert sorted(ids(after, "id")) == sorted(ids(before, "id"))
    assert after[-2]["result"] == "02"
    assert after[-1]["status"] == "withdrawn"
    assert after[-1]["withdrawnAt"] == after[-1]["updatedAt"]
    new = before[0] | {"id": "YSQ2020-99999"}
    client.control("ledger", "PUT", "records/applications/YSQ2020-99999", json=new)
    since = after[-1]["updatedAt"]
    answer = client.get("ledger", "/applications", updated_since=since).json()["data"]["items"]
    assert ids(answer, "id") == [second, "YSQ2020-99999"]
    client.control("ledger", "POST", "reset")
    assert list(client.ledger("applications")) == before


@pytest.mark.parametrize(
    ("service", "resource", "pull", "keys"),
    [
        ("cms", "fangwenliang", lambda c: c.cms("fangwenliang"), ("jlId",)),
        ("hotline", "calls", lambda c: c.hotline("calls"), ("callId",)),
        ("media", "followers", lambda c: c.media("followers"), ("account_id", "day")),
        ("ledger", "filed-cells", lambda c: c.ledger("filed-cells"), ("id",)),
    ],
)
def test_any_record_can_be_withdrawn(
    client: Client,
    service: str,
    resource: str,
    pull: Callable[[Client], Any],
    keys: tuple[str, ...],
) -> None:
    before = list(pull(client))
    (chosen,) = ids(before[5:6], *keys)
    client.control(service, "POST", f"records/{resource}/{chosen}/withdraw")
    after = list(pull(client))
    assert ids(after[-1:], *keys) == [chosen]
    assert len(after) == len(before)


def test_control_names_what_it_does_not_know(client: Client) -> None:
    url = client.url("ledger", "/_control/records/nothing/1")
    answer = requests.get(url, timeout=10)
    assert answer.status_code == 400
    assert "applications" in answer.json()["message"]
    missing = client.url("ledger", "/_control/records/applications/none")
    assert requests.get(missing, timeout=10).status_code == 404


def test_a_taken_port_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    from deployments.demo_city.service.runner import DemoCityFailed

    port = int(environment["NIANBAO_CMS_URL"].rpartition(":")[2])
    with (
        pytest.raises(DemoCityFailed, match=f"端口 {port} 已被占用"),
        running(tmp_path, scale=SCALE, ports={"cms": port}),
    ):
        pass
