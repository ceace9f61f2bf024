"""Lists of other shapes than those of the systems by which proposals are measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from tasks.connect.fields import Proposal, propose
from tests.contract.public.serving import Reply, serving

ORGANS = ("教育局", "公安局", "民政局", "住建局")
PERSONS = ("王小明", "李芳", "张伟", "刘洋", "陈静")
COUNT = 45


def made(n: int) -> datetime:
    return datetime(2021, 2, 3, 9, 5) + timedelta(days=3 * n, minutes=7 * n)


def changed(n: int) -> datetime:
    return made(n) + timedelta(days=(n * 7) % 40, hours=1)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@dataclass
class Shape:
    """A list and how it answers."""

    answer: Callable[[Shape, dict[str, str], str], Reply]
    url: str = ""

    def reply(self, path: str, given: dict[str, str], body: str) -> Reply:
        return self.answer(self, given, body) if path == "/list" else Reply({}, 404)


def _spring(shape: Shape, given: dict[str, str], body: str) -> Reply:
    """Pages from 0, times in milliseconds."""
    rows = [
        {
            "id": n + 7,
            "serialNo": f"YSQ{n:04d}",
            "applyTime": _milliseconds(made(n)),
            "applyWay": ("网络", "信函")[n % 2],
            "applicantName": PERSONS[n % 5],
            "deptCode": f"D{n % 4}",
            "replyTime": _milliseconds(made(n)),
            "lastModifiedDate": _milliseconds(changed(n)),
        }
        for n in range(COUNT)
    ]
    size, page = int(given.get("size", 20)), int(given.get("page", 0))
    found = rows[page * size : (page + 1) * size]
    return Reply({"content": found, "totalElements": COUNT, "size": size, "number": page})


def _odata(shape: Shape, given: dict[str, str], body: str) -> Reply:
    """A link in the body, a filter written as an expression."""
    rows = [
        {
            "TicketID": n + 1,
            "StateName": ("Open", "Closed")[n % 2],
            "DepartmentId": n % 4,
            "CreatedDate": made(n).isoformat() + "Z",
            "ModifiedDate": changed(n).isoformat() + "Z",
            "CustomerPhone": f"139{n:08d}",
        }
        for n in range(COUNT)
    ]
    words = given.get("$filter", "").split()
    if words:
        if words[:2] != ["ModifiedDate", "ge"]:
            return Reply({"error": "x"}, 400)
        rows = [row for row in rows if str(row["ModifiedDate"]) >= words[2]]
    top, skip = int(given.get("$top", 20)), int(given.get("$skip", 0))
    found: dict[str, Any] = {"@odata.count": len(rows), "value": rows[skip : skip + top]}
    if skip + top < len(rows):
        found["@odata.nextLink"] = f"{shape.url}/list?{urlencode({**given, '$skip': skip + top})}"
    return Reply(found)


def _brackets(shape: Shape, given: dict[str, str], body: str) -> Reply:
    """Parameters with brackets, whose names stand nowhere in the answer."""
    rows = [
        {"id": n, "title": f"公告{n}", "publishedAt": made(n).isoformat() + ".000Z", "updatedAt": changed(n).isoformat() + ".000Z"}
        for n in range(COUNT)
    ]  # fmt: skip
    since = given.get("filters[updatedAt][$gte]", "")
    rows = [row for row in rows if str(row["updatedAt"]) >= since]
    size, page = int(given.get("pagination[pageSize]", 25)), int(given.get("pagination[page]", 1))
    found = rows[(page - 1) * size : page * size]
    return Reply({"data": found, "meta": {"pagination": {"page": page, "total": len(rows)}}})


def _tokens(shape: Shape, given: dict[str, str], body: str) -> Reply:
    """Each page names the next by a token that only one parameter takes."""
    rows = [{"uuid": f"u-{n}", "status": "open", "team": ORGANS[n % 4], "opened_at": made(n).isoformat()} for n in range(COUNT)]  # fmt: skip
    position = int(given.get("after", "t0").removeprefix("t"))
    following = f"t{position + 20}" if position + 20 < COUNT else None
    return Reply({"items": rows[position : position + 20], "paging": {"next": following}})


def _posted(shape: Shape, given: dict[str, str], body: str) -> Reply:
    """A POST whose body pages; names are initials."""
    asked = json.loads(body or "{}")
    rows = [
        {
            "sqbh": f"YSQ{n:04d}",
            "sqsj": f"{made(n):%Y-%m-%d %H:%M:%S}",
            "sqrxm": PERSONS[n % 5],
            "sljg": ORGANS[n % 4],
            "dfsj": f"{made(n):%Y-%m-%d}",
            "dflx": ("予以公开", "部分公开")[n % 2],
            "xgsj": f"{changed(n):%Y-%m-%d %H:%M:%S}",
        }
        for n in range(COUNT)
    ]
    rows = [row for row in rows if row["xgsj"] >= asked.get("xgsjStart", "")]
    size, page = int(asked.get("pageSize", 10)), int(asked.get("pageNum", 1))
    found = rows[(page - 1) * size : page * size]
    return Reply({"head": {"code": "0000"}, "body": {"rows": found, "total": len(rows)}})


def _calls(shape: Shape, given: dict[str, str], body: str) -> Reply:
    """Telephone numbers name each record as well as its id does."""
    rows = [
        {"callerNo": f"1380000{n:04d}", "callId": f"c{n}", "callTime": f"{made(n):%Y-%m-%d %H:%M:%S}", "talkTime": 60 + n, "isAnswered": 1}
        for n in range(COUNT)
    ]  # fmt: skip
    size, page = int(given.get("limit", 10)), int(given.get("page", 1))
    return Reply({"code": 0, "count": COUNT, "data": rows[(page - 1) * size : page * size]})


def proposed(answer: Callable[[Shape, dict[str, str], str], Reply], **given: Any) -> Proposal:
    shape = Shape(answer)
    with serving(shape):
        return propose(f"{shape.url}/list", **given)


@pytest.mark.parametrize(
    ("answer", "key", "paginator", "param"),
    [
        (_spring, "id", {"type": "page_number", "page_param": "page", "start": 0, "size_param": "size", "total": "totalElements"}, None),
        (_odata, "TicketID", {"type": "next_link", "next": '"@odata.nextLink"', "size_param": "$top"}, "$filter"),
        (_brackets, "id", {"page_param": "pagination[page]", "size_param": "pagination[pageSize]"}, "filters[updatedAt][$gte]"),
        (_tokens, "uuid", {"type": "cursor", "cursor_param": "after", "next": "paging.next"}, None),
        (_calls, "callId", {"type": "page_number", "page_param": "page", "size_param": "limit", "total": "count"}, None),
    ],
)  # fmt: skip
def test_key_paging_and_changes(
    answer: Callable[[Shape, dict[str, str], str], Reply],
    key: str,
    paginator: dict[str, Any],
    param: str | None,
) -> None:
    proposal = proposed(answer)
    assert proposal.key == key
    assert paginator.items() <= proposal.paginator.items(), proposal.paginator
    assert proposal.paging.is_proven
    assert (proposal.changes.cursor or {}).get("param") == param
    named = {*proposal.mapping.values(), proposal.key}
    assert not named & {"applicantName", "CustomerPhone", "callerNo"}


def test_a_body_pages_and_filters() -> None:
    proposal = proposed(_posted, body={"pageNum": 1, "pageSize": 10, "lx": "1"})
    assert proposal.paginator == {
        "type": "page_number",
        "page_param": "pageNum",
        "size_param": "pageSize",
        "size": 10,
        "total": "body.total",
        "send_in": "body",
    }
    assert proposal.request == {"method": "POST", "body": {"lx": "1"}}
    assert proposal.changes.cursor is not None
    assert (proposal.changes.cursor["param"], proposal.changes.cursor["send_in"]) == (
        "xgsjStart",
        "body",
    )
    assert proposal.mapping == {
        "organ_id": "sljg",
        "registered_number": "sqbh",
        "received_on": "sqsj",
        "closed_on": "dfsj",
        "outcome": "dflx",
    }
    assert "sqrxm" in proposal.left_out


DESCRIPTION = {
    "openapi": "3.0.1",
    "servers": [{"url": "http://inner.example/api"}],
    "paths": {
        "/users": {
            "get": {
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "array",
                                    "items": {"type": "object", "properties": {"phone": {"type": "string"}}},
                                }
                            }
                        }
                    }
                }
            }
        },
        "/gd": {
            "get": {
                "summary": "工单",
                "parameters": [{"name": "bgq", "in": "query", "description": "更新起始时间"}],
                "responses": {"200": {"content": {"*/*": {"schema": {"$ref": "#/components/schemas/Answer"}}}}},
            }
        },
    },
    "components": {
        "schemas": {
            "Answer": {
                "type": "object",
                "properties": {
                    "n": {"type": "integer"},
                    "xs": {"type": "array", "items": {"$ref": "#/components/schemas/Gd"}},
                },
            },
            "Gd": {
                "type": "object",
                "properties": {
                    "f1": {"type": "string", "title": "工单编号"},
                    "f2": {"type": "string", "title": "承办单位"},
                    "f3": {"type": "string", "format": "date-time", "title": "派单时间"},
                    "f4": {"type": "string", "title": "来电人姓名"},
                    "f5": {"type": "string", "title": "工单状态", "enum": ["待受理", "已办结"]},
                    "f6": {"type": "string", "format": "date-time", "title": "更新时间"},
                },
            },
        }
    },
}  # fmt: skip


class Described:
    """A system whose fields only its description names; the list wants a sign-in or does not."""

    url = ""

    def __init__(self, *, is_open: bool) -> None:
        self.is_open = is_open

    def reply(self, path: str, given: dict[str, str], body: str) -> Reply:
        if path == "/api/openapi.json":
            return Reply(DESCRIPTION)
        if path != "/api/gd" or not self.is_open:
            return Reply({"message": "denied"}, 401)
        rows = [
            {"f1": f"G{n}", "f2": f"D{n % 4}", "f3": made(n).isoformat(), "f4": PERSONS[n % 5],
             "f5": ("待受理", "已办结")[n % 2], "f6": changed(n).isoformat()}
            for n in range(COUNT)
        ]  # fmt: skip
        rows = [row for row in rows if row["f6"] >= given.get("bgq", "")]
        size, page = int(given.get("pageSize", 10)), int(given.get("page", 1))
        return Reply({"n": len(rows), "xs": rows[(page - 1) * size : page * size]})


@pytest.mark.parametrize("is_open", [True, False])
def test_a_description_says_what_names_do_not(is_open: bool) -> None:
    system = Described(is_open=is_open)
    with serving(system):
        proposal = propose(f"{system.url}/api/openapi.json")
    assert (proposal.table, proposal.key, proposal.records) == ("work_order", "f1", "xs")
    assert proposal.mapping == {"organ_id": "f2", "work_order_status": "f5", "dispatched_at": "f3"}
    assert "f4" in proposal.left_out
    assert proposal.cursor == "f6"
    assert proposal.code_maps == {"work_order_status": {"待受理": "pending", "已办结": "closed"}}
    if is_open:
        assert proposal.changes.cursor is not None
        assert proposal.changes.cursor["param"] == "bgq"
