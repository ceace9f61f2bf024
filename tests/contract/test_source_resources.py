"""Details, children, windows, workbooks and counts over real sockets; pulled and loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
import yaml
from requests.structures import CaseInsensitiveDict

from tasks.connect.fields import propose, propose_from
from tasks.connect.source_check import check_source
from tasks.connect.writing import proposal_text
from tasks.load.control_totals import compare_control_totals
from tasks.load.load import load
from tasks.sources import client
from tasks.sources.errors import SourceContractError
from tasks.sources.exchange import Answer, Request
from tasks.sources.landing import MANIFEST
from tasks.sources.plan import Pull, plan
from tasks.sources.pull import pull
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from tests.contract.vendor.server import envelope
from tests.unit.test_source_workbook import MERGED, REGISTER, book
from warehouse.lake import Lake

NOW = datetime(2021, 1, 15, 3, 0)


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SHORTEST_REST", 0.002)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One lake for the module; each test uses a source name of its own."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    lake.create()
    return lake


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    vendor = Vendor(files.records(40))
    with vendor.serving():
        yield vendor


def _query(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    with lake.read() as connection:
        return connection.execute(sql).fetchall()


def _run(tmp_path: Path, source: Any, lake: Lake, **given: Any) -> list[Any]:
    return [
        load(pull(due, tmp_path / "landing"), source, lake, now=NOW)
        for due in plan(source, lake, now=NOW, **given)
    ]


def test_a_detail_request_for_each_record(tmp_path: Path, vendor: Vendor) -> None:
    raw = files.raw_source(
        vendor,
        detail={"path": "/records/{id}", "records": "data"},
        fields={"title": "title", "organ_id": {"path": "$detail.organ.code", "required": True}},
        where=[{"path": "day", "present": True}],
    )
    landed = files.pulled(tmp_path, files.written(tmp_path, raw))
    assert {r["$id"]: r["organ_id"] for r in files.rows(landed)} == {
        r["id"]: r["organ"]["code"] for r in vendor.records
    }
    assert sum(path.startswith("/records/R") for path in vendor.requests) == 40


def test_children_that_are_asked_for_one_parent_at_a_time(tmp_path: Path, vendor: Vendor) -> None:
    child = {
        "name": "notes",
        "table": "application_event",
        "path": "/records/{id}/notes",
        "records": "notes",
        "key": ["$parent_id", "seq"],
        "fields": {"application_id": "$parent_id", "event_on": "day"},
    }
    landed = files.pulled(
        tmp_path, files.written(tmp_path, files.raw_source(vendor, children=[child]))
    )
    expected = [f"{r['id']}/{n['seq']}" for r in vendor.records for n in r["notes"]]
    assert files.ids(landed, "notes") == sorted(expected)
    assert all(row["$parent"] == row["application_id"] for row in files.rows(landed, "notes"))


def test_the_same_list_for_several_values(tmp_path: Path, vendor: Vendor) -> None:
    for number, record in enumerate(vendor.records):
        record["site"] = number % 3
    raw = files.raw_source(
        vendor,
        for_each={"site": [0, 2]},
        params={"site": "{site}"},
        fields={"title": "title", "organ_id": "$each.site"},
    )
    landed = files.pulled(tmp_path, files.written(tmp_path, raw))
    assert {r["$id"]: r["organ_id"] for r in files.rows(landed)} == {
        r["id"]: str(r["site"]) for r in vendor.records if r["site"] != 1
    }


def test_a_record_in_two_of_the_lists_is_no_shortage(
    tmp_path: Path, vendor: Vendor, lake: Lake
) -> None:
    """An article in two channels: the source counts it in both, and nothing is missing."""
    for number, record in enumerate(vendor.records):
        record["site"] = number % 2
    vendor.records += [r | {"site": 1} for r in vendor.records if r["id"] in ("R00000", "R00002")]
    raw = files.raw_source(vendor, for_each={"site": [0, 1]}, params={"site": "{site}"})
    source = files.written(tmp_path, raw | {"name": "two_channels"})
    result = _run(tmp_path, source, lake)[0]
    assert (result.rows_read, result.lists[0].rows_joined) == (40, 2)
    assert not result.notes
    compared = "SELECT count(*) FROM ops.control_total WHERE source_system = 'two_channels'"
    assert _query(lake, compared) == [(0,)]
    del vendor.records[4]
    # Whole by its own counts, so one pull is enough to say that a record is gone.
    assert _run(tmp_path, source, lake, full=True)[0].rows_removed == 1


@pytest.mark.parametrize("concurrency", [1, 4])
def test_one_of_several_lists_that_moves_while_it_is_read(
    tmp_path: Path, vendor: Vendor, concurrency: int
) -> None:
    for number, record in enumerate(vendor.records):
        record["site"] = number % 2
    moved = iter([1])

    def shift(number: int) -> None:
        with vendor.lock:
            if number == 2 and next(moved, None):
                # One more at the head and one less at the end: the total stays, a page slips.
                last = next(r for r in reversed(vendor.records) if r["site"] == 0)
                vendor.records.remove(last)
                vendor.records.insert(0, files.records(1, 900)[0] | {"site": 0})

    vendor.before_page = shift
    raw = files.raw_source(vendor, for_each={"site": [0, 1]}, params={"site": "{site}"})
    raw["http"]["concurrency"] = concurrency
    landed = files.pulled(tmp_path, files.written(tmp_path, raw))
    assert set(files.ids(landed)) >= {r["id"] for r in vendor.records}
    assert not landed.manifest.notes


@pytest.mark.parametrize("split", ["none", "day", "week", "month", "year"])
def test_windows_are_split_and_fetched_side_by_side(
    tmp_path: Path, vendor: Vendor, lake: Lake, split: str
) -> None:
    windows = {
        "from_param": "from",
        "to_param": "to",
        "split": split,
        "start": "2020-01-01",
        "lag": "2d",
    }
    raw = files.raw_source(vendor, "cursor_body", windows=windows) | {"name": f"windows_{split}"}
    if split == "day":
        windows["start"] = "2020-11-20"
        vendor.records = [r for r in vendor.records if r["day"] >= "2020-11-20"]
    vendor.paging = "cursor_body"
    source = files.written(tmp_path, raw)
    results = _run(tmp_path, source, lake)
    assert sum(r.rows_written for r in results) == len(vendor.records)
    again = plan(source, lake, now=NOW)
    # What ended more than two days before it was pulled is settled.
    assert all(window.end > datetime(2021, 1, 13) for due in again for window in due.windows)


def test_windows_whose_ends_are_one_parameter(tmp_path: Path, vendor: Vendor, lake: Lake) -> None:
    windows = {
        "from_param": "span",
        "both": "{from}~{to}",
        "split": "month",
        "start": "2020-01-01",
        "column": "published_at",
    }
    raw = files.raw_source(vendor, windows=windows)
    raw["name"] = "one_parameter"
    results = _run(tmp_path, files.written(tmp_path, raw), lake)
    assert sum(result.lists[0].rows_written for result in results) == 40
    assert any("span=2020-02-01~2020-02-29" in unquote(path) for path in vendor.requests)


def test_a_window_that_is_asked_for(tmp_path: Path, vendor: Vendor, lake: Lake) -> None:
    windows = {
        "from_param": "from",
        "to_param": "to",
        "split": "month",
        "start": "2020-01-01",
        "column": "published_at",
    }
    raw = files.raw_source(vendor, windows=windows, max_removed_share=1) | {"name": "asked"}
    source = files.written(tmp_path, raw)
    _run(tmp_path, source, lake, window_from="2020-03-01", window_to="2020-05-01")
    expected = sum("2020-03-01" <= r["day"] < "2020-05-01" for r in vendor.records)
    assert _query(lake, "SELECT count(*) FROM core.article WHERE source_system = 'asked'") == [
        (expected,)
    ]
    vendor.records = [r for r in vendor.records if not r["day"].startswith("2020-03")]
    asked = _run(tmp_path, source, lake, window_from="2020-03-01", window_to="2020-05-01")
    in_force = (
        "SELECT count(*) FROM core.article WHERE source_system = 'asked' AND removed_at IS NULL"
    )
    # What a span lacks may have moved to another one: it counts until all were looked at.
    april = sum(r["day"].startswith("2020-04") for r in vendor.records)
    assert _query(lake, in_force) == [(expected,)]
    assert asked[0].rows_unseen == expected - april
    searched = _run(tmp_path, source, lake)
    assert [r.rows_removed for r in searched] == [expected - april]
    assert _query(lake, in_force) == [(len(vendor.records),)]


def test_control_totals_name_the_windows_that_differ(
    tmp_path: Path, vendor: Vendor, lake: Lake
) -> None:
    total = {
        "path": "/count",
        "total": "count",
        "from_param": "from",
        "to_param": "to",
        "start": "2020-01-01",
        "column": "published_at",
        "split": "month",
    }
    windows = {"from_param": "from", "to_param": "to", "split": "month", "start": "2020-01-01"}
    raw = files.raw_source(vendor, control_total=total, windows=windows) | {"name": "counted"}
    source = files.written(tmp_path, raw)
    _run(tmp_path, source, lake)
    assert compare_control_totals(source, "articles", lake, now=NOW) == []
    vendor.records.append(files.records(1, 500)[0] | {"day": "2020-06-15"})
    differing = compare_control_totals(source, "articles", lake, now=NOW)
    assert [(str(d.window), d.source_count - d.warehouse_count) for d in differing] == [
        ("2020-06-01T00:00:00/2020-07-01T00:00:00", 1)
    ]
    window = differing[0].window
    assert window is not None
    _run(
        tmp_path,
        source,
        lake,
        window_from=window.start,
        window_to=window.end,
        resources={"articles"},
    )
    assert compare_control_totals(source, "articles", lake, now=NOW) == []


def test_a_rising_number_as_cursor(tmp_path: Path, vendor: Vendor, lake: Lake) -> None:
    for number, record in enumerate(vendor.records):
        record["updated"] = f"{number + 1:06d}"
    cursor = {"field": "updated", "param": "since", "kind": "number", "lag": 3}
    raw = files.raw_source(vendor, cursor=cursor) | {"name": "numbered"}
    source = files.written(tmp_path, raw)
    assert _run(tmp_path, source, lake)[0].watermark == "40"
    assert plan(source, lake, now=NOW)[0].since == 37


LISTINGS: dict[str, dict[str, Any]] = {
    "html": {"url": "/files/"},
    "json": {
        "url": "/files.json",
        "listing": {"type": "json", "records": "files", "url": "link", "mark": ["sha"]},
    },
    "local": {"folder": "books"},
}


@pytest.mark.parametrize("place", sorted(LISTINGS))
def test_a_folder_of_workbooks(tmp_path: Path, vendor: Vendor, lake: Lake, place: str) -> None:
    rows = [*REGISTER[:7], [3, "DC-003", "43895", "赵某", "自然人", "予以公开"]]
    vendor.files = {
        "DC 2020-03.xlsx": book(("登记表", REGISTER, MERGED)),
        "DC 2020-04.csv": "登记编号,收到日期,类别\nDC-100,2020.4.1,自然人\n".encode("gb18030"),
        "~$DC.xlsx": b"open in an office program",
        "readme.txt": b"",
    }
    folder = tmp_path / "books"
    folder.mkdir()

    def put(name: str, content: bytes) -> None:
        vendor.files[name] = content
        (folder / name).write_bytes(content)

    for name, content in vendor.files.items():
        (folder / name).write_bytes(content)
    raw = files.raw_source(vendor) | {"name": f"books_{place}"}
    raw["resources"] = [
        {
            "name": "registers",
            "table": "application",
            "workbook": LISTINGS[place],
            "key": "登记编号",
            "fields": {
                "registered_number": "登记编号",
                "received_on": {"path": "收到日期", "required": True},
                "organ_id": {"path": "$file", "pattern": "^([A-Z]+) "},
            },
        }
    ]
    source = files.written(tmp_path, raw)
    system = f"source_system = 'books_{place}'"
    assert _run(tmp_path, source, lake)[0].rows_written == 3
    assert _query(
        lake,
        f"SELECT record_id, received_on::VARCHAR, organ_id, origin FROM core.application WHERE {system} ORDER BY 1",
    ) == [
        ("DC-001", "2020-03-05", "DC", f"books_{place}/registers/DC 2020-03.xlsx#登记表!7"),
        ("DC-002", "2020-03-06", "DC", f"books_{place}/registers/DC 2020-03.xlsx#登记表!9"),
        ("DC-100", "2020-04-01", "DC", f"books_{place}/registers/DC 2020-04.csv#!2"),
    ]
    fetched = len(vendor.requests)
    assert _run(tmp_path, source, lake)[0].rows_read == 0
    if place == "json":
        assert len(vendor.requests) == fetched + 1
    put("DC 2020-03.xlsx", book(("登记表", rows, MERGED)))
    result = _run(tmp_path, source, lake)[0]
    assert (result.rows_written, result.rows_removed, result.rows_unseen) == (1, 0, 1)
    result = _run(tmp_path, source, lake)[0]
    assert (result.rows_written, result.rows_removed) == (0, 1)
    assert "撤回或删除 1 条(DC-002)" in result.message
    assert _query(
        lake,
        f"SELECT record_id FROM core.application WHERE {system} AND removed_at IS NULL ORDER BY 1",
    ) == [("DC-001",), ("DC-003",), ("DC-100",)]
    put("bad.xlsx", b"broken")
    put("DC 2020-05.csv", "登记编号,收到日期\nDC-200,2020-05-01\n".encode())
    result = _run(tmp_path, source, lake)[0]
    assert "bad.xlsx:打不开" in result.unread
    assert result.rows_written == 1
    assert _query(
        lake, f"SELECT count(*) FROM core.application WHERE {system} AND record_id = 'DC-200'"
    ) == [(1,)]
    for path in (tmp_path / "landing").rglob("*.zst"):
        assert "王某" not in str(files.lines(path))


def test_a_check_shows_the_first_records_and_writes_nothing(tmp_path: Path, vendor: Vendor) -> None:
    vendor.auth = "api_key_header"
    vendor.records[0]["genre"] = "X"
    raw = files.raw_source(vendor, control_total={"path": "/count", "total": "count"})
    raw["code_maps"] = {"genre": {"values": {"A": "notice"}}}
    raw["resources"][0]["fields"] = {
        **files.FIELDS,
        "genre": {"path": "genre", "codes": "genre"},
        "url": "webaddress",
    }
    found = next(iter(check_source(files.written(tmp_path, raw))))
    assert found.request == f"GET {vendor.url}/records?page=1&size=7\nX-API-Key: ***"
    assert (found.records_on_page, found.total, found.control_total) == (7, 40, 40)
    first = {f.column: (f.read, f.typed, f.is_faulty) for f in found.records[0].fields}
    assert first["published_at"] == ("2020-01-01", "2020-01-01 00:00:00", False)
    assert first["genre"] == ("X", None, True)
    assert found.not_mapped == ["citizen", "notes", "organ.name", "updated"]
    assert found.faults == [
        "genre ← genre:1 条的代码“X”不在代码表 genre 中的代码。请补入代码表,或设 unknown: keep"
    ]
    assert found.empty == ["url ← webaddress"]
    assert "PD7731" not in str(found)
    assert not (tmp_path / "landing").exists()


def test_a_check_of_a_wrong_path_says_so(tmp_path: Path, vendor: Vendor) -> None:
    found = next(
        iter(check_source(files.written(tmp_path, files.raw_source(vendor, records="data.lst"))))
    )
    assert isinstance(found.error, SourceContractError)
    raw = files.raw_source(vendor, fields={"title": "titel"})
    found = next(iter(check_source(files.written(tmp_path, raw))))
    assert found.faults == ["title ← titel:7 条都没有值。路径可能写错,相近的字段:title"]


def test_a_check_hints_at_what_the_file_leaves_out(tmp_path: Path) -> None:
    vendor = Vendor(files.records(60), paging="until_empty")
    vendor.faults = [envelope]
    with vendor.serving():
        raw = files.raw_source(vendor, paginator={"type": "single"})
        found = next(iter(check_source(files.written(tmp_path, raw))))
        assert found.is_good
        assert [hint.partition(",")[0] for hint in found.hints] == [
            "响应中有业务状态码 code=0",
            "响应像是分页的",
        ]
        raw = files.raw_source(vendor, "until_empty")
        assert next(iter(check_source(files.written(tmp_path, raw)))).hints == []
        raw["resources"][0]["paginator"]["page_param"] = "pageNo"
        found = next(iter(check_source(files.written(tmp_path, raw))))
    assert found.hints[0].startswith("第二页与第一页相同")


def test_a_proposal_keeps_the_address_and_quotes_what_it_must() -> None:
    body = {
        "data": {
            "@total": "40",
            "@links": {"next": [{"uri": "http://x.example/issue?@page_index=2"}]},
            "collection": [{"@id": n, "title": {"rendered": f"T{n}"}, "a.b": n} for n in range(3)],
        }
    }
    url = "http://x.example/issue?type=通知&@page_index=1&apikey=s3cret"
    answer = Answer(Request(url), url, 200, CaseInsensitiveDict(), orjson.dumps(body))
    proposal = propose_from(url, answer, "article")
    assert proposal.params == {"type": "通知"}
    assert proposal.paginator == {
        "type": "next_link",
        "next": "data.@links.next[0].uri",
        "total": "data.@total",
    }
    assert (proposal.key, proposal.records) == ("@id", "data.collection")
    assert {f.path: f.column for f in proposal.fields} == {
        "@id": None,
        "title.rendered": "title",
        '"a.b"': None,
    }
    listed = Answer(
        Request(url),
        url,
        200,
        CaseInsensitiveDict({"X-WP-Total": "400"}),
        orjson.dumps(body["data"]["collection"]),
    )
    assert propose_from(url, listed).paginator == {
        "type": "page_number",
        "page_param": "@page_index",
        "size_param": None,
        "total_header": "X-WP-Total",
    }


def test_a_proposal_from_something_else_says_what_came() -> None:
    url = "http://x.example/list?key=s3cret"
    body = orjson.dumps({"code": 500, "msg": "x", "data": None})
    answer = Answer(Request(url), url, 200, CaseInsensitiveDict(), body)
    with pytest.raises(SourceContractError, match="code、msg、data;业务状态码 code=500") as error:
        propose_from(url, answer)
    assert "s3cret" not in str(error.value)


def test_a_proposal_from_a_sample(vendor: Vendor) -> None:
    proposal = propose(f"{vendor.url}/records?page=1&size=20", table_name="article")
    assert (proposal.records, proposal.key, proposal.cursor) == ("data.list", "id", "updated")
    assert proposal.paginator == {
        "type": "page_number",
        "page_param": "page",
        "size_param": "size",
        "size": 20,
        "total": "data.total",
    }
    assert proposal.changes.cursor is not None
    assert proposal.changes.cursor["param"] == "since"
    assert proposal.mapping == {
        "title": "title",
        "organ_id": "organ.code",
        "published_at": "day",
    }
    assert {"citizen.name", "citizen.phone"} <= proposal.left_out.keys()
    assert "PD7731" not in proposal_text(proposal)
    assert yaml.safe_load(proposal_text(proposal))["resources"][0]["path"] == "/records"


def test_a_pull_that_is_killed_leaves_nothing_that_counts(tmp_path: Path) -> None:
    vendor = Vendor(files.records(400))
    vendor.before_page = lambda number: time.sleep(0.05)
    with vendor.serving():
        raw = files.raw_source(vendor)
        source = files.written(tmp_path, raw)
        code = (
            "import sys; from pathlib import Path; from tasks.sources.model import load_source; from tasks.sources.plan import Pull; from tasks.sources.pull import pull;"
            "s = load_source(Path(sys.argv[1]), {}); pull(Pull(s, s.resources[0]), Path(sys.argv[2]))"
        )
        killed = subprocess.Popen(
            [sys.executable, "-c", code, str(source.file), str(tmp_path / "landing")]
        )
        while len(vendor.requests) < 8 and killed.poll() is None:
            time.sleep(0.02)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        left = list((tmp_path / "landing" / "vendor" / "articles").iterdir())
        assert len(left) == 1
        assert not (left[0] / MANIFEST).exists()
        vendor.before_page = lambda number: None
        landed = pull(Pull(source, source.resources[0]), tmp_path / "landing")
    assert files.ids(landed) == sorted(r["id"] for r in vendor.records)
