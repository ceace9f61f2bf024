"""Loading: merged by key, unchanged rows not written, removed and rejected ones on record."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tasks.load.load import LastContents, LoadResult, load, note_unchanged
from tasks.load.merge import Write
from tasks.load.rejects import count_rejects, list_rejects, retry
from tasks.load.stage import Stage
from tasks.sources import client
from tasks.sources.errors import RejectLimitExceeded, SourceContractError
from tasks.sources.landing import Landed
from tasks.sources.model import Source
from tasks.sources.plan import plan
from tasks.sources.pull import pull
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from warehouse.lake import Lake

NOW = datetime(2026, 11, 23, 9, 0)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("lake")
    Lake(home).create()
    return home


class City:
    """A vendor, a lake of its own, and a nightly run in one call."""

    def __init__(self, folder: Path, template: Path, vendor: Vendor) -> None:
        self.folder = folder
        self.lake = Lake(folder / "data")
        self.vendor = vendor
        shutil.copytree(template / "lake", folder / "data" / "lake")

    def source(self, raw: dict[str, Any] | None = None, name: str = "vendor") -> Source:
        return files.written(self.folder, raw or files.raw_source(self.vendor), name)

    def run(self, source: Source, now: datetime = NOW, **given: Any) -> LoadResult:
        results = [
            load(pull(due, self.folder / "data" / "landing"), source, self.lake, now=now)
            for due in plan(source, self.lake, now=now, **given)
        ]
        return results[-1]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.lake.read() as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def city(tmp_path: Path, template: Path) -> Iterator[City]:
    vendor = Vendor(files.records(20))
    with vendor.serving():
        yield City(tmp_path, template, vendor)


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SHORTEST_REST", 0.002)


def _with_cursor(vendor: Vendor, **changes: Any) -> dict[str, Any]:
    cursor = {"field": "updated", "param": "since", "lag": "2d"}
    return files.raw_source(vendor, cursor=cursor, **changes)


def test_a_second_load_writes_only_what_changed(city: City) -> None:
    source = city.source(_with_cursor(city.vendor))
    first = city.run(source)
    assert (first.rows_written, first.status) == (20, "loaded")
    assert first.watermark == "2020-12-20T10:00:19"
    city.vendor.records[3] |= {"title": "改过的标题", "updated": "2020-12-24T08:00:00"}
    late = files.records(1, 900)[0] | {"updated": "2020-12-18T10:00:30"}
    city.vendor.records.append(late)
    second = city.run(source)
    # Two days of lag bring the newest again; only the changed and the late one are written.
    assert (second.rows_written, second.rows_unchanged) == (2, 2)
    assert second.watermark == "2020-12-24T08:00:00"
    third = city.run(source)
    assert (third.rows_written, third.status) == (0, "unchanged")


def test_typed_columns_and_where_they_came_from(city: City) -> None:
    source = city.source()
    result = city.run(source)
    rows = city.query(
        "SELECT record_id, title, organ_id, published_at, removed_at, origin, load_id, loaded_at"
        " FROM core.article WHERE record_id = 'R00004'"
    )
    assert rows == [
        (
            "R00004",
            "关于第4号事项的通知",
            "O4",
            datetime(2020, 5, 5),
            None,
            f"{result.load_id}/articles-0001:5",
            result.load_id,
            NOW,
        )
    ]


def test_the_same_landing_is_not_loaded_twice(city: City) -> None:
    source = city.source()
    landed = pull(plan(source, city.lake)[0], city.folder / "landing")
    assert load(landed, source, city.lake, now=NOW).rows_written == 20
    again = load(landed, source, city.lake, now=NOW)
    assert again.is_repeated
    assert city.query("SELECT count(*) FROM core.article") == [(20,)]
    assert city.query("SELECT count(*) FROM ops.load") == [(1,)]


def test_withdrawn_records_and_their_return(city: City) -> None:
    removed = {"path": "state", "equals": "gone", "at": "gone_at"}
    source = city.source(_with_cursor(city.vendor, removed=removed))
    city.run(source)
    city.vendor.records[5] |= {
        "state": "gone",
        "gone_at": "2020年12月28日",
        "updated": "2020-12-28T09:00:00",
    }
    city.vendor.records[6] |= {"state": "gone", "updated": "2020-12-28T10:00:00"}
    assert city.run(source).rows_written == 2
    assert city.query(
        "SELECT record_id, removed_at FROM core.article WHERE removed_at IS NOT NULL ORDER BY 1"
    ) == [("R00005", datetime(2020, 12, 28)), ("R00006", datetime(2020, 12, 28, 10))]
    city.vendor.records[5] |= {"state": "", "updated": "2020-12-29T09:00:00"}
    city.run(source)
    assert city.query("SELECT record_id FROM core.article WHERE removed_at IS NOT NULL") == [
        ("R00006",)
    ]


def test_a_full_list_finds_deleted_and_changed_records(city: City) -> None:
    source = city.source(files.raw_source(city.vendor, full_list=True))
    city.run(source)
    del city.vendor.records[7]
    city.vendor.records[0]["title"] = "改"
    result = city.run(source)
    assert (result.rows_written, result.rows_removed) == (1, 1)
    assert city.query(
        "SELECT record_id, removed_at FROM core.article WHERE removed_at IS NOT NULL"
    ) == [("R00007", NOW)]
    assert city.run(source).status == "unchanged"
    city.vendor.records += files.records(1, 7)
    assert city.run(source).rows_written == 1
    assert city.query("SELECT count(*) FROM core.article WHERE removed_at IS NULL") == [(20,)]


def test_a_list_cut_short_removes_nothing(city: City) -> None:
    city.vendor.records = files.records(200)
    source = city.source(files.raw_source(city.vendor, full_list=True))
    city.run(source)
    city.vendor.records = files.records(30)
    with pytest.raises(SourceContractError, match="疑为来源返回不全"):
        city.run(source)
    assert city.query("SELECT count(*) FROM core.article WHERE removed_at IS NOT NULL") == [(0,)]
    assert city.query(
        "SELECT load_status, message IS NOT NULL FROM ops.load ORDER BY started_at, load_status"
    ) == [
        ("loaded", False),
        ("stopped", True),
    ]


def test_nested_children_follow_their_parent(city: City) -> None:
    city.vendor.records = files.records(9)
    child = {
        "name": "notes",
        "table": "application_event",
        "records": "notes",
        "key": ["$parent.id", "seq"],
        "fields": {"application_id": "$parent.id", "event_on": {"path": "day", "required": True}},
    }
    raw = _with_cursor(city.vendor, children=[child], table="application")
    raw["resources"][0]["fields"] = {"registered_number": "title"}
    source = city.source(raw)
    city.run(source)
    assert city.query(
        "SELECT record_id FROM core.application_event WHERE application_id = 'R00002' ORDER BY 1"
    ) == [
        ("R00002/0",),
        ("R00002/1",),
    ]
    city.vendor.records[2] |= {
        "notes": [{"seq": 1, "day": "2020-04-01"}],
        "updated": "2020-12-30T00:00:00",
    }
    result = city.run(source)
    assert result.rows_removed == 1
    assert city.query(
        "SELECT record_id, event_on::VARCHAR, removed_at IS NULL FROM core.application_event"
        " WHERE application_id = 'R00002' ORDER BY 1"
    ) == [("R00002/0", "2020-03-05", False), ("R00002/1", "2020-04-01", True)]


def test_two_systems_of_one_kind_lie_side_by_side(city: City) -> None:
    for name in ("north", "south"):
        raw = files.raw_source(city.vendor)
        raw["name"] = name
        city.run(city.source(raw, name))
    assert city.query("SELECT source_system, count(*) FROM core.article GROUP BY 1 ORDER BY 1") == [
        ("north", 20),
        ("south", 20),
    ]


def test_rejects_say_why_and_are_mended_by_a_retry(city: City) -> None:
    for record in city.vendor.records[:3]:
        record["genre"] = "X9"
    city.vendor.records[4]["organ"] = {"code": None}
    city.vendor.records[5]["day"] = "三月"
    city.vendor.records[6]["id"] = ""
    raw = _with_cursor(city.vendor)
    raw["code_maps"] = {"genre": {"values": {"A1": "notice"}, "unknown": "reject"}}
    raw["resources"][0]["fields"] = {**files.FIELDS, "genre": {"path": "genre", "codes": "genre"}}
    source = city.source(raw)
    result = city.run(source)
    assert (result.rows_read, result.rows_written, result.rows_rejected) == (20, 14, 6)
    found = {(r.record_id, r.field, r.reason, r.found, r.expected) for r in list_rejects(city.lake)}
    assert found == {
        ("R00000", "genre", "unknown_code", "X9", "代码表 genre 中的代码"),
        ("R00001", "genre", "unknown_code", "X9", "代码表 genre 中的代码"),
        ("R00002", "genre", "unknown_code", "X9", "代码表 genre 中的代码"),
        ("R00004", "organ_id", "missing_required", None, "文字"),
        ("R00005", "published_at", "wrong_type", "三月", "时间"),
        (None, None, "missing_key", None, "编号 id"),
    }
    assert len(list_rejects(city.lake, reason="unknown_code")) == 3
    assert city.run(source, full=True).rows_rejected == 6
    assert city.query("SELECT count(*) FROM ops.reject") == [(6,)]

    raw["code_maps"]["genre"]["values"]["X9"] = "report"
    mended = city.source(raw)
    results = retry([mended], city.lake, city.folder / "landing", reason="unknown_code", now=NOW)
    assert [(r.tried, r.written, r.still_open) for r in results] == [(3, 3, 0)]
    assert city.query("SELECT count(*) FROM core.article WHERE genre = 'report'") == [(3,)]
    assert city.query("SELECT origin FROM core.article WHERE record_id = 'R00001'")[0][0].endswith(
        "articles-0001:2"
    )
    assert {c.reason for c in count_rejects(city.lake)} == {
        "missing_required",
        "wrong_type",
        "missing_key",
    }

    city.vendor.records[4]["organ"] = {"code": "O4"}
    city.vendor.records[5]["day"] = "2020-03-05"
    results = retry([mended], city.lake, city.folder / "landing", pull_again=True, now=NOW)
    assert [(r.tried, r.still_open) for r in results] == [(3, 1)]
    assert city.query("SELECT count(*), count(DISTINCT record_id) FROM core.article") == [(19, 19)]


def test_too_many_rejects_stop_the_load_before_the_table_is_touched(city: City) -> None:
    city.vendor.records = files.records(100)
    for record in city.vendor.records[:30]:
        record["day"] = "unknown"
    source = city.source(_with_cursor(city.vendor))
    with pytest.raises(
        RejectLimitExceeded,
        match=r"100 条记录中有 30 条无法读取,超过上限 5%.*published_at 应为时间",
    ):
        city.run(source)
    assert city.query("SELECT count(*) FROM core.article") == [(0,)]
    assert city.query("SELECT load_status FROM ops.load") == [("stopped",)]
    assert city.query("SELECT count(*) FROM ops.watermark") == [(0,)]


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda r: r.pop("organ"), "missing_field", "缺少必填字段"),
        (lambda r: r.update(organ={"code": {"id": 1}}), "retyped_field", "都不是文字"),
    ],
)
def test_a_changed_required_field_stops_its_resource_only(
    city: City, change: Any, kind: str, message: str
) -> None:
    raw = _with_cursor(city.vendor)
    other = {
        **raw["resources"][0],
        "name": "others",
        "fields": {"title": "title"},
        "key": ["=other", "id"],
    }
    raw["resources"].append(other)
    source = city.source(raw)
    for record in city.vendor.records:
        change(record)
    first, second = plan(source, city.lake)
    with pytest.raises(SourceContractError, match=message):
        load(pull(first, city.folder / "landing"), source, city.lake, now=NOW)
    assert (
        load(pull(second, city.folder / "landing"), source, city.lake, now=NOW).rows_written == 20
    )
    if kind == "retyped_field":
        assert city.query(
            "SELECT resource, kind, path, expected, found FROM ops.drift WHERE kind = 'retyped_field'"
        ) == [("articles", "retyped_field", "organ.code", "文字", "(对象)")]


def test_a_new_field_is_told_once_and_not_stored(city: City) -> None:
    source = city.source(_with_cursor(city.vendor))
    assert city.run(source).new_fields == []
    for record in city.vendor.records:
        record |= {"mobile": "PD7731-1380000", "updated": "2020-12-30T00:00:00"}
    assert city.run(source).new_fields == ["articles.mobile"]
    assert city.run(source).new_fields == []
    assert city.query("SELECT path FROM ops.drift WHERE kind = 'new_field'") == [("mobile",)]
    for path in (city.folder / "data").rglob("*"):
        if path.is_file():
            assert b"PD7731" not in path.read_bytes(), path


def test_records_that_come_twice_are_joined_by_their_newest_state(city: City) -> None:
    twin = {**city.vendor.records[3], "title": "新", "updated": "2020-12-29T00:00:00"}
    city.vendor.records.insert(0, twin)
    source = city.source(_with_cursor(city.vendor))
    assert city.run(source).rows_read == 20
    assert city.query("SELECT title FROM core.article WHERE record_id = 'R00003'") == [("新",)]


def test_a_watermark_never_runs_ahead_or_back(city: City) -> None:
    city.vendor.records[0]["updated"] = "2099-01-01T00:00:00"
    source = city.source(_with_cursor(city.vendor, max_removed_share=1))
    assert city.run(source).watermark == "2020-12-20T10:00:19"
    city.vendor.records = city.vendor.records[:5]
    assert city.run(source, full=True).watermark in ("2020-12-20T10:00:19", None)
    assert city.query("SELECT cursor_value FROM ops.watermark") == [("2020-12-20T10:00:19",)]


def test_records_are_found_again_whatever_their_date_was(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The core table is looked at where the dates of a landing lie, and everywhere else only for
    records that are not there: with the same outcome as when all of it is read."""
    sources = {
        name: city.source({**files.raw_source(city.vendor, absent="keep"), "name": name}, name)
        for name in ("near", "whole")
    }
    for source in sources.values():
        city.run(source)
    kept = files.records(9, 1)
    for record in kept:
        record["day"] = "2020-06-01"
    # Moved from another year's files and into them, without a date, new, changed, and as it was.
    kept[0]["day"] = "2015-01-01"
    kept[1]["title"] = "改过的标题"
    kept[2] |= {"day": None}
    kept.append(files.records(1, 500)[0] | {"day": "2020-06-02"})
    reaches: list[str | None] = []
    reach = Write._reach

    def noted(self: Write, column: str | None, *dates: str) -> str | None:
        reaches.append(reach(self, column, *dates))
        return reaches[-1]

    for records in (
        kept,
        [r for r in kept if r["day"]],
        kept[3:],
        [{**kept[0], "day": "1999-01-01"}],
    ):
        city.vendor.records[:] = records
        monkeypatch.setattr(Write, "_reach", noted)
        near = city.run(sources["near"])
        monkeypatch.setattr(Write, "_reach", lambda *_: None)
        whole = city.run(sources["whole"])
        for one in ("rows_written", "rows_unchanged", "rows_removed", "rows_new"):
            assert getattr(near.lists[0], one) == getattr(whole.lists[0], one), one
        rows = [
            city.query(
                "SELECT record_id, title, published_at, row_hash, removed_at FROM core.article "
                f"WHERE source_system = '{name}' ORDER BY ALL"
            )
            for name in ("near", "whole")
        ]
        assert rows[0] == rows[1]
        assert len({row[0] for row in rows[0]}) == len(rows[0]) == 21
    assert any(reaches)
    assert not all(reaches)


def test_others_may_write_while_a_landing_is_typed(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = city.source()
    beside = Lake(city.lake.home, write_timeout=0.2)
    stage = Stage.stage

    def typed(self: Stage) -> None:
        with beside.write() as connection:
            connection.execute("DELETE FROM ops.unseen")
        stage(self)

    monkeypatch.setattr(Stage, "stage", typed)
    assert city.run(source).rows_written == 20
    # What a source broke is put down all the same, and nothing else of it.
    for record in city.vendor.records:
        record["day"] = "unknown"
    with pytest.raises(RejectLimitExceeded):
        city.run(source)
    assert city.query("SELECT load_status FROM ops.load ORDER BY started_at") == [
        ("loaded",),
        ("stopped",),
    ]


def test_what_brought_nothing_new_is_put_on_record_in_one_transaction(city: City) -> None:
    source = city.source(files.raw_source(city.vendor, full_list=True))
    other = city.source({**files.raw_source(city.vendor, full_list=True), "name": "other"}, "other")

    def landings() -> list[tuple[Landed, Source]]:
        return [
            (pull(due, city.folder / "data" / "landing"), one)
            for one in (source, other)
            for due in plan(one, city.lake, now=NOW)
        ]

    first = landings()
    assert not any(LastContents.read(city.lake).has(*one) for one in first)
    assert note_unchanged(first, city.lake, now=NOW) == [None, None]
    for one in first:
        load(*one, city.lake, now=NOW)
    again = landings()
    assert all(LastContents.read(city.lake).has(*one) for one in again)
    before = city.lake.snapshot()
    results = note_unchanged(again, city.lake, now=NOW, run_id="r")
    assert city.lake.snapshot() == before + 1
    told = [load(*one, city.lake, now=NOW, run_id="r") for one in landings()]
    for noted, loaded in zip(results, told, strict=True):
        assert noted is not None
        assert noted.status == loaded.status == "unchanged"
        assert noted.lists == loaded.lists
    rows = city.query(
        "SELECT source_system, COLUMNS(c -> starts_with(c, 'rows_')), load_status, content_hash "
        "FROM ops.load WHERE load_status = 'unchanged' ORDER BY ALL"
    )
    # By itself or together, a load leaves the same on record.
    assert rows[0] == rows[1]
    assert rows[2] == rows[3]
    assert note_unchanged(again, city.lake, now=NOW)[0].is_repeated  # type: ignore[union-attr]
    city.vendor.records[0]["title"] = "改过的标题"
    changed = landings()
    assert not LastContents.read(city.lake).has(*changed[0])
    assert note_unchanged(changed, city.lake, now=NOW) == [None, None]
