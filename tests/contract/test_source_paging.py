"""Every paging, sign-in and format, over real sockets: each record comes exactly once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.sources import client
from tasks.sources.errors import SourceContractError, SourceDenied, SourceUnavailable
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from tests.contract.vendor.server import (
    cut_chain,
    cut_short,
    drop,
    fail,
    from_request,
    slip,
)

SERVED = 53


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SHORTEST_REST", 0.002)


def _all(records: list[dict[str, object]]) -> list[str]:
    return sorted(str(record["id"]) for record in records)


@pytest.mark.parametrize("paging", sorted(files.PAGINATORS))
@pytest.mark.parametrize("auth", sorted(files.AUTHS))
def test_every_paging_with_every_sign_in(tmp_path: Path, paging: str, auth: str) -> None:
    vendor = Vendor(files.records(SERVED), paging=paging, auth=auth, token_requests=3)
    with vendor.serving():
        landed = files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor, paging)))
    assert files.ids(landed) == _all(vendor.records)


@pytest.mark.parametrize("auth", sorted(files.RARER_AUTHS))
def test_rarer_ways_to_sign_in(tmp_path: Path, auth: str) -> None:
    """Tokens that run out after a few requests among them, with more requests side by side."""
    vendor = Vendor(files.records(SERVED), auth=auth, token_requests=3)
    changes: dict[str, Any] = {}
    if auth == "body_signature":
        changes = {"method": "POST", "body": {"kind": "通知"}}
    with vendor.serving():
        raw = files.raw_source(vendor, **changes)
        raw["resources"][0]["paginator"]["size"] = 3
        if auth == "body_signature":
            raw["resources"][0]["paginator"]["send_in"] = "body"
        landed = files.pulled(tmp_path, files.written(tmp_path, raw))
    assert files.ids(landed) == _all(vendor.records)


def test_an_answer_wrapped_for_a_page_of_another_host(tmp_path: Path) -> None:
    vendor = Vendor(files.records(SERVED), form="jsonp")
    with vendor.serving():
        landed = files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor)))
    assert files.ids(landed) == _all(vendor.records)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("form", ["json", "xml", "csv", "ndjson"])
def test_every_format_and_encoding(tmp_path: Path, form: str, encoding: str) -> None:
    # Formats without an envelope cannot carry a total, so pages are read until one is empty.
    vendor = Vendor(files.records(SERVED), paging="until_empty", form=form, encoding=encoding)
    selector = {"json": "data.list", "xml": "data.list.item"}.get(form)
    with vendor.serving():
        raw = files.raw_source(vendor, "until_empty", format=form, records=selector)
        raw["resources"][0]["encoding"] = encoding
        if form == "csv":
            # A column of a CSV is one name, dots and all.
            organ = {"path": '"organ.code"', "required": True}
            raw["resources"][0]["fields"] = {**files.FIELDS, "organ_id": organ}
        landed = files.pulled(tmp_path, files.written(tmp_path, raw))
    assert files.ids(landed) == _all(vendor.records)
    assert {row["title"] for row in files.rows(landed)} == {r["title"] for r in vendor.records}
    assert {row["organ_id"] for row in files.rows(landed)} == {f"O{n}" for n in range(7)}


@pytest.mark.parametrize("served", [0, 1, 6, 7, 8, 14])
@pytest.mark.parametrize("paging", sorted(files.PAGINATORS))
def test_boundaries_of_pages(tmp_path: Path, paging: str, served: int) -> None:
    vendor = Vendor(files.records(served), paging=paging)
    with vendor.serving():
        landed = files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor, paging)))
    assert files.ids(landed) == _all(vendor.records)


@pytest.mark.parametrize(
    "paging", ["page_number", "total_pages", "until_empty", "offset", "has_more"]
)
def test_a_page_size_that_the_server_caps(tmp_path: Path, paging: str) -> None:
    vendor = Vendor(files.records(SERVED), paging=paging, size_cap=5)
    with vendor.serving():
        raw = files.raw_source(vendor, paging)
        raw["resources"][0]["paginator"]["size"] = 1000
        landed = files.pulled(tmp_path, files.written(tmp_path, raw))
    assert files.ids(landed) == _all(vendor.records)


@pytest.mark.parametrize("paging", ["page_number", "offset"])
def test_a_page_size_that_the_server_refuses(tmp_path: Path, paging: str) -> None:
    vendor = Vendor(files.records(SERVED), paging=paging, refuses_over=20)
    with vendor.serving():
        raw = files.raw_source(vendor, paging)
        raw["resources"][0]["paginator"]["size"] = 1000
        landed = files.pulled(tmp_path, files.written(tmp_path, raw))
    assert files.ids(landed) == _all(vendor.records)


@pytest.mark.parametrize("paging", ["page_number", "until_empty"])
def test_a_server_that_ignores_the_page_size(tmp_path: Path, paging: str) -> None:
    vendor = Vendor(files.records(SERVED), paging=paging, ignores_size=10)
    with vendor.serving():
        landed = files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor, paging)))
    assert files.ids(landed) == _all(vendor.records)


def test_a_server_that_repeats_its_last_page(tmp_path: Path) -> None:
    vendor = Vendor(files.records(SERVED), paging="until_empty", clamps_page=True)
    with vendor.serving():
        landed = files.pulled(
            tmp_path, files.written(tmp_path, files.raw_source(vendor, "until_empty"))
        )
    assert sorted(set(files.ids(landed))) == _all(vendor.records)


@pytest.mark.parametrize("paging", ["page_number", "total_pages", "total_header", "offset"])
@pytest.mark.parametrize("clamps", [False, True])
def test_a_count_that_is_too_small(tmp_path: Path, paging: str, clamps: bool) -> None:
    """Some systems count to a limit and serve on; some repeat their last page beyond it."""
    for served in (SERVED, 56):
        vendor = Vendor(files.records(served), paging=paging, total_told=14, clamps_page=clamps)
        with vendor.serving():
            raw = files.raw_source(vendor, paging)
            landed = files.pulled(tmp_path, files.written(tmp_path, raw))
        assert sorted(set(files.ids(landed))) == _all(vendor.records)


@pytest.mark.parametrize(("status", "past_end"), [(404, None), (400, 400), (422, [400, 422])])
@pytest.mark.parametrize("served", [SERVED, 49])
def test_a_page_beyond_the_last_that_is_refused(
    tmp_path: Path, status: int, past_end: Any, served: int
) -> None:
    vendor = Vendor(files.records(served), paging="until_empty", past_end_status=status)
    with vendor.serving():
        raw = files.raw_source(vendor, "until_empty")
        if past_end is not None:
            raw["resources"][0]["paginator"]["past_end"] = past_end
        landed = files.pulled(tmp_path, files.written(tmp_path, raw))
    assert files.ids(landed) == _all(vendor.records)


def test_a_refusal_that_is_not_declared_as_the_end_is_none(tmp_path: Path) -> None:
    vendor = Vendor(files.records(SERVED), paging="until_empty", past_end_status=400)
    with vendor.serving(), pytest.raises(SourceContractError, match="past_end: 400"):
        files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor, "until_empty")))


@pytest.mark.parametrize("paging", ["page_number", "total_pages", "until_empty"])
@pytest.mark.parametrize("kept", [0, 2])
def test_a_page_that_comes_short_once(tmp_path: Path, paging: str, kept: int) -> None:
    vendor = Vendor(files.records(SERVED), paging=paging)
    body = {"data": {"list": vendor.records[14 : 14 + kept], "total": SERVED}, "pages": 8}
    vendor.faults = [slip(3, body)]
    with vendor.serving():
        landed = files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor, paging)))
    assert not vendor.faults
    assert sorted(set(files.ids(landed))) == _all(vendor.records)


@pytest.mark.parametrize("paging", ["page_number", "until_empty", "offset"])
def test_records_that_come_twice_on_a_page(tmp_path: Path, paging: str) -> None:
    vendor = Vendor(files.records(SERVED), paging=paging, doubled=2)
    with vendor.serving():
        landed = files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor, paging)))
    assert sorted(set(files.ids(landed))) == _all(vendor.records)


@pytest.mark.parametrize("paging", sorted(files.PAGINATORS))
def test_answers_that_are_cut_short(tmp_path: Path, paging: str) -> None:
    """The first page, and one after it: what they say of paging is asked for again as well."""
    vendor = Vendor(files.records(SERVED), paging=paging, faults=[cut_short])
    if paging != "single":
        vendor.faults.append(from_request(3, cut_short))
    with vendor.serving():
        landed = files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor, paging)))
    assert not vendor.faults
    assert files.ids(landed) == _all(vendor.records)


@pytest.mark.parametrize("paging", ["cursor_body", "cursor_header", "next_link", "link_header"])
def test_a_chain_of_pages_that_is_cut_once(tmp_path: Path, paging: str) -> None:
    vendor = Vendor(files.records(SERVED), paging=paging, faults=[cut_chain])
    with vendor.serving():
        raw = files.raw_source(vendor, paging)
        raw["resources"][0]["paginator"]["total"] = "data.total"
        landed = files.pulled(tmp_path, files.written(tmp_path, raw))
    assert not vendor.faults
    assert sorted(set(files.ids(landed))) == _all(vendor.records)
    assert landed.manifest.expected_rows == SERVED


def test_a_page_parameter_without_effect(tmp_path: Path) -> None:
    vendor = Vendor(files.records(SERVED))
    with vendor.serving():
        raw = files.raw_source(vendor)
        raw["resources"][0]["paginator"]["page_param"] = "pageNo"
        source = files.written(tmp_path, raw)
        with pytest.raises(SourceContractError, match="翻页参数没有起作用"):
            files.pulled(tmp_path, source)


@pytest.mark.parametrize("records", ["data.list", "data.list[*].{id: id}", "from_json(data).list"])
def test_an_error_with_http_200_is_no_empty_list(tmp_path: Path, records: str) -> None:
    vendor = Vendor(files.records(SERVED))
    with vendor.serving():
        source = files.written(tmp_path, files.raw_source(vendor, records=records))
        vendor.faults = [slip(1, {"code": 500, "msg": "系统异常", "data": None})]
        with pytest.raises(SourceContractError, match=r"业务状态码 code=500.*写明怎样算成功"):
            files.pulled(tmp_path, source)


@pytest.mark.parametrize("paging", ["next_link", "link_header"])
def test_pages_that_come_twice(tmp_path: Path, paging: str) -> None:
    vendor = Vendor(files.records(SERVED), paging=paging, repeats_page=True)
    with vendor.serving():
        landed = files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor, paging)))
    assert sorted(set(files.ids(landed))) == _all(vendor.records)
    assert len(files.ids(landed)) > SERVED


@pytest.mark.parametrize("paging", ["page_number", "offset"])
@pytest.mark.parametrize("change", ["insert_first", "insert_last", "delete_first", "delete_middle"])
def test_lists_that_shift_while_they_are_read(tmp_path: Path, paging: str, change: str) -> None:
    """No record that was there from beginning to end is missed."""
    vendor = Vendor(files.records(SERVED), paging=paging)
    changes = iter(range(1000, 1006))

    def shift(number: int) -> None:
        with vendor.lock:
            if number % 2 == 0 and (n := next(changes, None)) is not None:
                if change.startswith("insert"):
                    at = 0 if change == "insert_first" else len(vendor.records)
                    vendor.records.insert(at, files.records(1, n)[0])
                else:
                    del vendor.records[0 if change == "delete_first" else 20]

    vendor.before_page = shift
    before = set(_all(vendor.records))
    with vendor.serving():
        landed = files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor, paging)))
    stayed = before & set(_all(vendor.records))
    assert stayed <= set(files.ids(landed))


@pytest.mark.parametrize("paging", ["page_number", "cursor_body"])
def test_page_parameters_in_a_posted_body(tmp_path: Path, paging: str) -> None:
    vendor = Vendor(files.records(SERVED), paging=paging)
    for body_type in ("json", "form"):
        with vendor.serving():
            raw = files.raw_source(
                vendor, paging, method="POST", body={"q": "x"}, body_type=body_type
            )
            raw["resources"][0]["paginator"]["send_in"] = "body"
            landed = files.pulled(tmp_path, files.written(tmp_path, raw))
        assert files.ids(landed) == _all(vendor.records)


def test_page_parameters_inside_a_posted_object(tmp_path: Path) -> None:
    vendor = Vendor(files.records(SERVED), paging="page_number")
    with vendor.serving():
        raw = files.raw_source(vendor, method="POST", body={"q": "x"})
        raw["resources"][0]["paginator"] |= {"send_in": "body", "page_param": "pager.page"}
        landed = files.pulled(tmp_path, files.written(tmp_path, raw))
    assert files.ids(landed) == _all(vendor.records)


def test_pages_from_zero_and_a_bare_list(tmp_path: Path) -> None:
    vendor = Vendor(files.records(SERVED), start=0)
    with vendor.serving():
        raw = files.raw_source(vendor)
        raw["resources"][0]["paginator"]["start"] = 0
        assert files.ids(files.pulled(tmp_path, files.written(tmp_path, raw))) == _all(
            vendor.records
        )
        vendor.paging = "bare_list"
        raw = files.raw_source(vendor, "single", records=None)
        assert files.ids(files.pulled(tmp_path, files.written(tmp_path, raw))) == _all(
            vendor.records
        )


def test_known_pages_are_fetched_side_by_side(tmp_path: Path) -> None:
    vendor = Vendor(files.records(300))
    vendor.before_page = lambda number: __import__("time").sleep(0.02)
    with vendor.serving():
        files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor)))
    assert 2 <= vendor.largest_at_once <= 4


def test_endless_pages_are_stopped(tmp_path: Path) -> None:
    vendor = Vendor(files.records(SERVED), paging="next_link")
    with vendor.serving():
        raw = files.raw_source(vendor, "next_link")
        raw["resources"][0]["paginator"]["max_pages"] = 3
        with pytest.raises(SourceContractError, match="页数超过上限 3"):
            files.pulled(tmp_path, files.written(tmp_path, raw))
        raw = files.raw_source(vendor, "cursor_body", params={"cursor": "7"})
        raw["resources"][0]["paginator"]["cursor_param"] = "ignored"
        vendor.paging = "cursor_body"
        with pytest.raises(SourceContractError, match="翻页不再前进"):
            files.pulled(tmp_path, files.written(tmp_path, raw))


def test_a_next_link_to_another_host_is_refused(tmp_path: Path) -> None:
    vendor = Vendor(files.records(SERVED), paging="next_link")
    with vendor.serving():
        raw = files.raw_source(vendor, "next_link")
        raw["base_url"] = vendor.url.replace("127.0.0.1", "localhost")
        with pytest.raises(SourceContractError, match=r"指向别的主机 http://127\.0\.0\.1"):
            files.pulled(tmp_path, files.written(tmp_path, raw))


@pytest.mark.parametrize(
    "fault", [fail(500), fail(429, {"Retry-After": "0"}), fail(503), drop, cut_short]
)
def test_failures_that_pass(tmp_path: Path, fault: object) -> None:
    vendor = Vendor(files.records(SERVED), faults=[lambda handler: False, fault])
    vendor.faults.pop(0)
    with vendor.serving():
        landed = files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor)))
    assert files.ids(landed) == _all(vendor.records)


def test_retry_after_is_honoured_by_everyone(tmp_path: Path) -> None:
    import time

    vendor = Vendor(files.records(SERVED), faults=[fail(429, {"Retry-After": "1"})])
    started = time.monotonic()
    with vendor.serving():
        files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor)))
    assert time.monotonic() - started >= 1


def test_a_system_that_stays_down_is_named_without_secrets(tmp_path: Path) -> None:
    vendor = Vendor(files.records(SERVED), auth="api_key_query", faults=[fail(500)] * 9)
    with vendor.serving():
        raw = files.raw_source(vendor, params={"secretword": "hidden-value"})
        with pytest.raises(SourceUnavailable) as raised:
            files.pulled(tmp_path, files.written(tmp_path, raw))
    message = str(raised.value)
    assert "测试系统没有正常响应(返回 HTTP 500,已重试 3 次)" in message
    assert "size=7" in message
    assert "hidden-value" not in message
    assert "the-key" not in message
    assert "PD7731" not in message
    assert not list((tmp_path / "landing").rglob("*.zst"))


def test_nobody_there(tmp_path: Path) -> None:
    vendor = Vendor([])
    with vendor.serving():
        raw = files.raw_source(vendor)
    raw["http"]["retries"] = 0
    with pytest.raises(SourceUnavailable, match="连接失败或中断"):
        files.pulled(tmp_path, files.written(tmp_path, raw))


@pytest.mark.parametrize("auth", ["basic", "oauth2_client", "session", "hmac_header"])
def test_wrong_credentials(tmp_path: Path, auth: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        files,
        "ENVIRONMENT",
        {**files.ENVIRONMENT, "VENDOR_SECRET": "wrong", "VENDOR_PASSWORD": "wrong"},
    )
    vendor = Vendor(files.records(3), auth=auth)
    with vendor.serving(), pytest.raises(SourceDenied, match="请核对来源文件 auth"):
        files.pulled(tmp_path, files.written(tmp_path, files.raw_source(vendor)))


def test_answers_that_are_something_else(tmp_path: Path) -> None:
    vendor = Vendor(files.records(3))
    with vendor.serving():
        raw = files.raw_source(vendor, records="data.rows")
        with pytest.raises(SourceContractError, match=r"没有记录列表 data\.rows.*响应中有:data"):
            files.pulled(tmp_path, files.written(tmp_path, raw))
        with pytest.raises(SourceContractError, match="没有这个地址"):
            files.pulled(
                tmp_path, files.written(tmp_path, files.raw_source(vendor, path="/nowhere"))
            )
        with pytest.raises(SourceContractError, match="不是合法的 JSON"):
            files.pulled(
                tmp_path, files.written(tmp_path, files.raw_source(vendor, path="/files/"))
            )


def test_requests_per_second(tmp_path: Path) -> None:
    import time

    vendor = Vendor(files.records(70))
    with vendor.serving():
        raw = files.raw_source(vendor)
        raw["http"]["requests_per_second"] = 20
        started = time.monotonic()
        files.pulled(tmp_path, files.written(tmp_path, raw))
    assert time.monotonic() - started >= 9 / 20
