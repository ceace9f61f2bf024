"""A list ends where its records end, or it fails: nothing in between is taken for an end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from tasks.connect.new import PAGINATORS
from tasks.sources import client
from tasks.sources.errors import SourceContractError, SourceError
from tasks.sources.exchange import Answer, Request
from tasks.sources.model.paginator import Chained, paginator_kinds
from tasks.sources.plan import Pull
from tasks.sources.pull import pull
from tests.contract import source_files as files
from tests.contract.vendor import Vendor

SERVED = 40
CHAINS = ("cursor_body", "cursor_header", "next_link", "link_header")
COUNTED = ("page_number", "total_header", "offset")
ODD = {
    "null": b"null",
    "nothing": b"{}",
    "no list": b'{"data":{}}',
    "null list": b'{"data":{"list":null}}',
    "an empty page": b'{"data":{"list":[]}}',
    "a word of trouble": b'{"data":null,"msg":"system busy"}',
    "an error": b'{"error":"timeout"}',
    "an error with an empty list": b'{"code":500,"data":{"list":[]}}',
}


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SHORTEST_REST", 0.002)


class Odd(list[Any]):
    """Faults of a vendor: from one list request on, so many answers are something else."""

    def __init__(self, body: bytes, at: int, times: int) -> None:
        self._body, self._at, self._times, self._asked = body, at, times, 0

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, index: Any) -> Any:
        return self._answer

    def pop(self, index: Any = 0) -> None:
        """The fault stays; it counts by itself."""

    def _answer(self, handler: Any) -> bool:
        self._asked += 1
        if not self._at <= self._asked < self._at + self._times:
            return False
        handler.raw(self._body, "application/json")
        return True


def _pulled(folder: Path, vendor: Vendor, paging: str, **changes: Any) -> list[str]:
    raw = files.raw_source(vendor, paging)
    raw["resources"][0]["paginator"] |= changes
    return sorted(set(files.ids(files.pulled(folder, files.written(folder, raw)))))


@pytest.mark.parametrize("paging", sorted(files.PAGINATORS))
@pytest.mark.parametrize("odd", sorted(ODD))
@pytest.mark.parametrize("at", [1, 3])
def test_an_odd_answer_is_asked_again(tmp_path: Path, paging: str, odd: str, at: int) -> None:
    """The first or a later answer; an error in words on the first is a mistake of the file."""
    vendor = Vendor(files.records(SERVED), paging=paging)
    vendor.faults = Odd(ODD[odd], at, 1)
    expected = [r["id"] for r in vendor.records]
    with vendor.serving():
        if at == 1 and odd in ("an error", "an error with an empty list"):
            with pytest.raises(SourceContractError, match="写明怎样算成功"):
                _pulled(tmp_path, vendor, paging)
        else:
            assert _pulled(tmp_path, vendor, paging) == expected


# Where nothing counts, a page with a null for its list, and nothing else, may be the one behind
# the last; a first answer is the last of a single list.
STAYS = [
    (paging, odd)
    for paging in sorted(files.PAGINATORS)
    for odd in sorted(ODD.keys() - {"an empty page"})
    if paging != "single" and (paging, odd) != ("until_empty", "null list")
]


@pytest.mark.parametrize(("paging", "odd"), STAYS)
def test_a_list_that_stays_odd_fails(tmp_path: Path, paging: str, odd: str) -> None:
    vendor = Vendor(files.records(SERVED), paging=paging)
    vendor.faults = Odd(ODD[odd], 3, 1000)
    with vendor.serving(), pytest.raises(SourceError):
        _pulled(tmp_path, vendor, paging)
    assert not list((tmp_path / "landing").rglob("*.zst"))


@pytest.mark.parametrize("paging", ["cursor_body", "next_link"])
def test_a_null_at_the_end_of_a_chain_that_looks_like_the_others_is_its_end(
    tmp_path: Path, paging: str
) -> None:
    """Systems write an empty last page so; all else in it is as on the pages before."""
    vendor = Vendor(files.records(14), paging=paging)

    def last(handler: Any) -> bool:
        if handler.given.get("cursor") == "7":
            records = vendor.records[7:14]
            body: dict[str, Any] = {"data": {"list": records, "total": 14}}
            if paging == "cursor_body":
                body["next"] = 14
            else:
                body["links"] = {"next": f"{vendor.url}/records?cursor=14&size=7"}
            handler.answer_json(body)
            return True
        if handler.given.get("cursor") == "14":
            body = {"data": {"list": None, "total": None}}
            if paging == "cursor_body":
                body["next"] = None
            else:
                body["links"] = {"next": None}
            handler.answer_json(body)
            return True
        return False

    vendor.faults = [last] * 20
    vendor.stays = True
    with vendor.serving():
        assert _pulled(tmp_path, vendor, paging) == [r["id"] for r in vendor.records]


@pytest.mark.parametrize("paging", COUNTED)
@pytest.mark.parametrize("beyond", ["400", "404", "500", "empty", "error"])
def test_a_round_count_behind_a_full_page_is_where_systems_stop(
    tmp_path: Path, paging: str, beyond: str
) -> None:
    vendor = Vendor(files.records(1234), paging=paging, total_told=1000)

    def cut(handler: Any) -> bool:
        given = handler.given
        start = int(given.get("offset", (int(given.get("page", "1")) - 1) * 100))
        if start < 1000:
            return False
        if beyond.isdigit():
            handler.answer({"error": "Result window is too large"}, int(beyond))
        else:
            body = {"data": {"list": [], "total": 1000}} if beyond == "empty" else {"error": "x"}
            handler.answer_json(body, {"X-Total": "1000"})
        return True

    vendor.faults = [cut] * 9
    vendor.stays = True
    with vendor.serving():
        with pytest.raises(SourceContractError, match=r"自报 1,000 条.*分段拉取.*exact_total"):
            _pulled(tmp_path, vendor, paging, size=100)
        assert len(_pulled(tmp_path, vendor, paging, size=100, exact_total=True)) == 1000


def test_a_refusal_behind_a_full_last_page_is_told(tmp_path: Path) -> None:
    vendor = Vendor(files.records(49), past_end_status=400)
    with vendor.serving():
        source = files.written(tmp_path, files.raw_source(vendor))
        landed = files.pulled(tmp_path, source)
    assert len(files.ids(landed)) == 49
    assert any("HTTP 400" in note for note in landed.manifest.notes)


@pytest.mark.parametrize("paging", COUNTED)
def test_a_count_that_is_not_reached_is_told(tmp_path: Path, paging: str) -> None:
    """A system that counts more than it shows: what came is kept, and is known not to be all."""
    vendor = Vendor(files.records(30), paging=paging, total_told=35)
    with vendor.serving():
        landed = files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor, paging)))
    assert len(set(files.ids(landed))) == 30
    assert landed.manifest.expected_rows == 35
    assert any("自报 35 条,反复读取只得 30 条" in note for note in landed.manifest.notes)


@pytest.mark.parametrize("total", [-5, "many", 10**400, 2.5])
def test_a_count_that_cannot_be_one_is_no_count(tmp_path: Path, total: Any) -> None:
    vendor = Vendor(files.records(5))
    body = json.dumps({"data": {"list": vendor.records, "total": total}}).encode()
    vendor.faults = Odd(body, 1, 1000)
    with vendor.serving(), pytest.raises(SourceContractError, match="总条数不可信"):
        _pulled(tmp_path, vendor, "page_number")


class Token(Chained):
    """A kind that no file of the project knows: a token in the answer, sent back in a header."""

    EXAMPLE = "{type: token}"

    type: Literal["token"] = "token"

    @property
    def most_pages(self) -> int:
        return 1000

    @property
    def parameters(self) -> set[str]:
        return set()

    @property
    def paths(self) -> dict[str, str]:
        return {"token": "meta.token"}

    def first(self, request: Request) -> Request:
        return request

    def following(self, request: Request, answer: Answer, home: str) -> Request | None:
        token = (answer.body.get("meta") or {}).get("token")
        return None if token is None else request.with_values({"cursor": token, "size": 7})


def test_a_new_kind_is_one_class(tmp_path: Path) -> None:
    """Over a real socket, with pages that are read only as far as they are declared."""
    vendor = Vendor(files.records(SERVED), paging="cursor_body")

    def with_token(handler: Any) -> bool:
        start = int(handler.given.get("cursor") or 0)
        following = start + 7 if start + 7 < SERVED else None
        body = {"data": {"list": vendor.records[start : start + 7]}, "meta": {"token": following}}
        handler.answer_json(body)
        return True

    vendor.faults = [with_token] * 100
    vendor.stays = True
    with vendor.serving():
        source = files.written(tmp_path, files.raw_source(vendor, "cursor_body"))
        resource = source.resources[0].model_copy(update={"paginator": Token()})
        landed = pull(Pull(source, resource), tmp_path / "landing")
    assert files.ids(landed) == [r["id"] for r in vendor.records]


def test_a_kind_that_leaves_something_out_cannot_be_made() -> None:
    class Forgetful(Chained):
        """Says nothing of its paths and requests."""

        type: Literal["forgetful"] = "forgetful"

    with pytest.raises(TypeError, match="abstract"):
        Forgetful()  # type: ignore[abstract]
    assert set(PAGINATORS) == set(paginator_kinds())
