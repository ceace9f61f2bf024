"""What those who are signed in may ask of Prefect's server, by role.

What is not named here only this machine may do: whoever can change a deployment can have any
code run. Reading is for everyone who is signed in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.people.persons import MANAGES, VIEWS, Person

_ID = r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"
_READS = re.compile(
    r"/api/(?:ui/.+"
    r"|(?:[a-z_0-9]+/)*(?:filter|count|history|lateness|paginate)"
    r"|deployments/get_scheduled_flow_runs"
    r"|work_pools/[^/]+/(?:queues/)?(?:filter|count)"
    r"|events/(?:filter(?:/next)?|count-by/[a-z_-]+))/?"
)
CREATE_RUN = re.compile(rf"/api/deployments/({_ID})/create_flow_run/?")
SET_STATE = re.compile(rf"/api/flow_runs/({_ID})/set_state/?")
SCHEDULE = re.compile(rf"/api/deployments/({_ID})/schedules/{_ID}/?")
_MANAGING = (
    ("POST", re.compile(rf"/api/deployments/{_ID}/(?:pause|resume)_deployment/?")),
    ("PATCH", SCHEDULE),
)
STATES = ("CANCELLING", "CANCELLED", "SCHEDULED")
"""What a person may set: to stop a run, to have it run again."""
STATE_NAMES: Mapping[str, tuple[str, ...]] = {
    "CANCELLING": ("Cancelling",),
    "CANCELLED": ("Cancelled",),
    "SCHEDULED": ("Scheduled", "AwaitingRetry"),
}
"""By state, what Prefect calls it: another name would be shown as if it were a result."""
PREFECT_KIND = "__prefect_kind"
DEEPEST = 30
"""Levels of lists and objects in what is sent."""
UNREADABLE = "填写的内容读不懂"
_SETS_NOTHING: tuple[Any, ...] = (None, {}, [], "")
_WHERE_IT_RUNS = ("job_variables", "work_queue_name", "infrastructure_document_id")
MACHINE_ONLY = "这件事只能由服务器的管理员在本机用命令做"


@dataclass(frozen=True)
class Refused(Exception):
    """What is asked may not be; the message says who can, or what to do."""

    message: str
    status: int = 403


def check_may(person: Person | None, method: str, path: str) -> None:
    """Whether a request to Prefect's interface may be made at all; `person` is None where nobody
    is configured, and everybody at the page is the operator. Raises Refused."""
    if method in ("GET", "HEAD", "OPTIONS") or (method == "POST" and _READS.fullmatch(path)):
        return
    if method == "POST" and (CREATE_RUN.fullmatch(path) or SET_STATE.fullmatch(path)):
        if person is not None and person.role == VIEWS:
            raise Refused(f"{person.name}的角色是{VIEWS},不能开始或停止运行。请找经办人")
        return
    if any(method == kind and pattern.fullmatch(path) for kind, pattern in _MANAGING):
        if person is not None and person.role != MANAGES:
            raise Refused(f"改动定时与暂停须由{MANAGES}角色的人做")
        return
    raise Refused(MACHINE_ONLY)


def state_body(raw: bytes) -> bytes:
    """What a person may ask a run's state to become, and nothing else of what was sent: the rules
    by which a state follows another are not theirs to pass over. Raises Refused."""
    return _json({"state": _state(_object(raw).get("state"), STATES)})


def schedule_body(raw: bytes) -> bytes:
    """What a person may change of a schedule: when, and whether at all. Raises Refused."""
    told = _object(raw)
    return _json({name: told[name] for name in ("active", "schedule") if name in told})


def run_body(raw: bytes, schema: Mapping[str, Any], person: Person | None) -> bytes:
    """What a person may ask a new run to do: its form's fields, its name and tags and when it
    begins; nothing of where and with what it runs, or of what it came to. Who builds is the
    person signed in, not a name typed. Raises Refused."""
    told = _object(raw)
    for name in _WHERE_IT_RUNS:
        if told.get(name) not in _SETS_NOTHING:
            raise Refused(f"不能另定运行的环境({name})。{MACHINE_ONLY}")
    fields = schema.get("properties") or {}
    parameters = told.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise Refused(UNREADABLE, 422)
    unknown = [name for name in parameters if name not in fields]
    if unknown:
        # What is not asked for, a one-time code above all, must not come to lie in a run.
        raise Refused(f"没有这样的栏目:{'、'.join(unknown)[:200]}。验证码只在批准页填写", 422)
    if person is not None and "built_by" in fields:
        parameters = {**parameters, "built_by": person.name}
    asked: dict[str, Any] = {"parameters": parameters}
    if isinstance(title := told.get("name"), str):
        asked["name"] = title
    if isinstance(tags := told.get("tags"), list):
        asked["tags"] = [tag for tag in tags if isinstance(tag, str)]
    if told.get("state") is not None:
        asked["state"] = _state(told["state"], ("SCHEDULED",))
    return _json(asked)


def _state(told: Any, allowed: Sequence[str]) -> dict[str, Any]:
    """A state by its type, name, words and time; nothing of what Prefect keeps in it. Raises
    Refused."""
    kind = told.get("type") if isinstance(told, dict) else None
    if not isinstance(kind, str) or kind not in allowed:
        raise Refused("只能取消运行,或让它再运行一次;运行的结果不能由人填写")
    state: dict[str, Any] = {"type": kind}
    if told.get("name") in STATE_NAMES[kind]:
        state["name"] = told["name"]
    if isinstance(message := told.get("message"), str):
        state["message"] = message
    details = told.get("state_details")
    at = details.get("scheduled_time") if isinstance(details, dict) else None
    if isinstance(at, str):
        state["state_details"] = {"scheduled_time": at}
    return state


def _object(raw: bytes) -> dict[str, Any]:
    """What was sent, an object of plain values. Raises Refused."""
    try:
        told = json.loads(raw or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refused(UNREADABLE, 422) from error
    if not isinstance(told, dict):
        raise Refused(UNREADABLE, 422)
    level: list[Any] = [told]
    for _ in range(DEEPEST):
        if any(PREFECT_KIND in one for one in level if isinstance(one, dict)):
            # Prefect would make of it what it says: a value of a block, a template that is filled.
            raise Refused(f"填写的内容只能是普通的值,不能有 {PREFECT_KIND}", 422)
        level = [value for one in level for value in _inner(one)]
        if not level:
            return told
    raise Refused(UNREADABLE, 422)


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _json(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told).encode()
