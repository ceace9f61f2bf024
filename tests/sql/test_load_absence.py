"""Gone is not the same as not seen; what moved is found again; nothing leaves without a word."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tasks.load.load import LoadResult, load
from tasks.load.stage import Stage
from tasks.sources import client
from tasks.sources.errors import SourceContractError
from tasks.sources.plan import plan
from tasks.sources.pull import pull
from tasks.watch.status import read_status
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from tests.small_city import NOW
from warehouse.lake import Lake


class World:
    """A vendor, a lake, and a night in one call."""

    def __init__(self, folder: Path, vendor: Vendor) -> None:
        self.folder, self.vendor = folder, vendor
        self.lake = Lake(folder / "home")
        self.lake.create()

    def night(self, raw: dict[str, Any], **given: Any) -> LoadResult:
        """Everything that is due, pulled and loaded; the last result."""
        source = files.written(self.folder, raw)
        results = [
            load(pull(due, self.folder / "landing"), source, self.lake)
            for due in plan(source, self.lake, **given)
        ]
        return results[-1]

    def in_force(self, table: str = "article") -> int:
        return int(self.one(f"SELECT count(*) FROM core.{table} WHERE removed_at IS NULL"))

    def one(self, sql: str) -> Any:
        with self.lake.read() as connection:
            row = connection.execute(sql).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    vendor = Vendor(files.records(12))
    with vendor.serving():
        yield World(tmp_path, vendor)


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SHORTEST_REST", 0.002)


@pytest.mark.parametrize("paging", ["page_number", "offset"])
def test_a_list_proven_whole_by_its_count_says_what_is_gone(world: World, paging: str) -> None:
    world.vendor.paging = paging
    raw = files.raw_source(world.vendor, paging, full_list=True)
    world.night(raw)
    del world.vendor.records[3]
    result = world.night(raw)
    assert (result.rows_removed, result.rows_unseen, world.in_force()) == (1, 0, 11)
    assert "撤回或删除 1 条(R00003)" in result.message


@pytest.mark.parametrize("paging", ["until_empty", "cursor_body", "link_header", "single"])
def test_without_a_count_two_pulls_must_lack_a_record(world: World, paging: str) -> None:
    world.vendor.paging = paging
    raw = files.raw_source(world.vendor, paging, full_list=True)
    world.night(raw)
    lost = world.vendor.records.pop(3)
    result = world.night(raw)
    assert (result.rows_removed, result.rows_unseen, world.in_force()) == (0, 1, 12)
    assert "未再出现 1 条(R00003),仍算有效" in result.message
    world.vendor.records.insert(3, lost)
    assert world.night(raw).rows_unseen == 0
    assert world.one("SELECT count(*) FROM ops.unseen") == 0
    del world.vendor.records[3]
    world.night(raw)
    result = world.night(raw)
    assert (result.rows_removed, world.in_force()) == (1, 11)
    assert world.one("SELECT count(*) FROM ops.unseen") == 0


@pytest.mark.parametrize("held", [2, 6, 30])
def test_the_share_holds_for_lists_of_any_length(world: World, held: int) -> None:
    world.vendor.records = files.records(held)
    raw = files.raw_source(world.vendor, full_list=True)
    world.night(raw)
    world.vendor.records = files.records(held // 2 if held > 2 else 0)
    with pytest.raises(SourceContractError, match="max_removed_share"):
        world.night(raw)
    assert world.in_force() == held


def test_a_list_that_became_empty_waits_for_a_word(world: World) -> None:
    raw = files.raw_source(world.vendor, full_list=True)
    world.night(raw)
    world.vendor.records = []
    with pytest.raises(SourceContractError, match=r"清单已空\(来源自报 0 条\).*等待确认"):
        world.night(raw)
    assert world.in_force() == 12
    raw["resources"][0]["max_removed_share"] = 1
    assert (world.night(raw).rows_removed, world.in_force()) == (12, 0)


def test_a_record_that_moves_into_a_settled_span_is_found_again(world: World) -> None:
    first = date.today().replace(day=1)
    months = [f"{first - timedelta(days=28 * back):%Y-%m}" for back in range(8)]
    for number, record in enumerate(world.vendor.records):
        record["day"] = f"{months[number % 8]}-01"
    windows = {"from_param": "from", "to_param": "to", "split": "month", "lag": "10d"}
    windows |= {"start": f"{months[7]}-01", "column": "published_at"}
    raw = files.raw_source(world.vendor, windows=windows)
    world.night(raw)
    world.vendor.records[0]["day"] = f"{months[6]}-03"
    assert (world.night(raw).rows_unseen, world.in_force()) == (1, 12)
    found = world.night(raw)
    assert (found.rows_removed, found.rows_unseen, world.in_force()) == (0, 0, 12)
    moved = "SELECT published_at::VARCHAR FROM core.article WHERE record_id = 'R00000'"
    assert world.one(moved).startswith(f"{months[6]}-03")


def _book(*sheets: tuple[str, list[str]]) -> bytes:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, numbers in sheets:
        sheet = workbook.create_sheet(name)
        sheet.append(["登记编号", "收到日期", "类别"])
        for number in numbers:
            sheet.append([number, "2020-03-05", "自然人"])
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def _folder(world: World, key: Any = "登记编号") -> dict[str, Any]:
    (world.folder / "books").mkdir(exist_ok=True)
    raw = files.raw_source(world.vendor)
    raw["resources"] = [
        {
            "name": "registers",
            "table": "application",
            "workbook": {"folder": "books"},
            "key": key,
            "fields": {
                "registered_number": "登记编号",
                "received_on": {"path": "收到日期", "required": True},
            },
        }
    ]
    return raw


def _put(world: World, name: str, *sheets: tuple[str, list[str]]) -> None:
    (world.folder / "books" / name).write_bytes(_book(*sheets))


def test_rows_that_move_between_sheets_and_files_stay(world: World) -> None:
    raw = _folder(world)
    _put(world, "a.xlsx", ("1月", ["A1", "A2", "A3", "A4"]), ("2月", ["B1", "B2"]))
    _put(world, "b.xlsx", ("3月", ["C1", "C2", "C3", "C4"]))
    world.night(raw)
    # To another sheet, and to another file first, then out of the old one.
    _put(world, "a.xlsx", ("1月", ["A1", "A2", "A3"]), ("2月", ["B1", "B2", "A4"]))
    _put(world, "b.xlsx", ("3月", ["C1", "C2", "C3", "C4", "A1"]))
    world.night(raw)
    _put(world, "a.xlsx", ("1月", ["A2", "A3"]), ("2月", ["B1", "B2", "A4"]))
    for _ in range(2):
        assert (world.night(raw).rows_removed, world.in_force("application")) == (0, 10)


@pytest.mark.parametrize("kind", ["a list", "workbooks"])
def test_what_was_landed_is_typed_before_the_lake_is_locked(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Of whatever kind the source is: others wait for the write alone."""
    seen = []
    typed = Stage.stage

    def stage(stage: Stage) -> None:
        seen.append(stage._work.value("SELECT current_database()"))
        typed(stage)

    monkeypatch.setattr(Stage, "stage", stage)
    raw = files.raw_source(world.vendor)
    if kind == "workbooks":
        raw = _folder(world)
        _put(world, "a.xlsx", ("1月", ["A1", "A2"]))
    assert world.night(raw).rows_written > 0
    assert seen == ["scratch"]


def test_a_row_that_leaves_a_workbook_is_gone_with_the_second_pull(world: World) -> None:
    raw = _folder(world)
    _put(world, "a.xlsx", ("1月", ["A1", "A2", "A3", "A4"]))
    world.night(raw)
    _put(world, "a.xlsx", ("1月", ["A1", "A2", "A3"]))
    assert (world.night(raw).rows_unseen, world.in_force("application")) == (1, 4)
    assert (world.night(raw).rows_removed, world.in_force("application")) == (1, 3)
    _put(world, "a.xlsx", ("1月", ["A1"]))
    with pytest.raises(SourceContractError, match="max_removed_share"):
        world.night(raw)
    assert world.in_force("application") == 3


def test_a_file_under_a_new_name_is_the_same_file(world: World) -> None:
    raw = _folder(world, ["$file", "登记编号"])
    _put(world, "a.xlsx", ("1月", ["A1", "A2", "A3", "A4"]))
    _put(world, "b.xlsx", ("1月", ["B1"] * 1 + [f"B{n}" for n in range(2, 14)]))
    world.night(raw)
    books = world.folder / "books"
    (books / "a.xlsx").rename(books / "一月.xlsx")
    result = world.night(raw)
    assert (result.rows_written, result.rows_removed, world.in_force("application")) == (4, 4, 17)
    (books / "b.xlsx").unlink()
    assert "目录中不再有已装载过的 1 个文件(b.xlsx)" in world.night(raw).message
    assert world.in_force("application") == 17


def _dated(number: str, day: str) -> bytes:
    workbook = openpyxl.Workbook()
    for row in (
        ["登记编号", "收到日期", "类别"],
        [number, day, "自然人"],
        ["Z" + number, day, "自然人"],
    ):
        workbook.active.append(row)
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def test_one_id_in_two_workbooks_with_another_content_is_told_until_one_is_put_right(
    world: World,
) -> None:
    """Also where only one of the two was read tonight."""
    raw = _folder(world)
    raw["resources"][0]["max_removed_share"] = 1
    books = world.folder / "books"
    conflicts = "SELECT count(*) FROM ops.reject WHERE reject_status = 'open'"
    (books / "a.xlsx").write_bytes(_dated("A1", "2020-03-05"))
    (books / "b.xlsx").write_bytes(_dated("B1", "2020-03-05"))
    world.night(raw)
    assert world.one(conflicts) == 0
    (books / "b.xlsx").write_bytes(_dated("A1", "2020-04-06"))
    world.night(raw)
    assert world.one(conflicts) == 2
    told = world.one("SELECT any_value(origin) FROM ops.reject WHERE record_id = 'A1'")
    assert told.startswith("vendor/registers/a.xlsx#")
    assert world.one("SELECT received_on FROM core.application WHERE record_id = 'A1'") == date(
        2020, 4, 6
    )
    world.night(raw)
    assert world.one(conflicts) == 2
    (books / "a.xlsx").write_bytes(_dated("A1", "2020-04-06"))
    world.night(raw)
    assert world.one(conflicts) == 0
    (books / "b.xlsx").write_bytes(_dated("A1", "2020-05-07"))
    world.night(raw)
    assert world.one(conflicts) == 2
    (books / "a.xlsx").write_bytes(_dated("A2", "2020-04-06"))
    world.night(raw)
    assert world.one(conflicts) == 0


def test_files_that_attack_the_reader_are_named_and_the_others_are_read(world: World) -> None:
    raw = _folder(world)
    books, outside = world.folder / "books", world.folder / "outside.xlsx"
    _put(world, "good.xlsx", ("1月", ["A1", "A2"]))
    whole = _book(("1月", ["S1"]))
    outside.write_bytes(whole)
    (books / "link.xlsx").symlink_to(outside)
    (books / "nowhere.xlsx").symlink_to(books / "none.xlsx")
    (books / "cut.xlsx").write_bytes(whole[: len(whole) // 2])
    (books / "encrypted.xlsx").write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(4096))
    (books / "huge.xlsx").touch()
    os.truncate(books / "huge.xlsx", 4 << 30)
    (books / "bomb.xlsx").write_bytes(_unpacks_to(3 << 30, whole))
    result = world.night(raw)
    assert world.in_force("application") == 2
    named = {
        name: next((line for line in result.unread.splitlines() if line.startswith(name)), "")
        for name in ("link", "nowhere", "cut", "encrypted", "huge", "bomb")
    }
    assert all(named.values()), result.unread
    assert "目录之外的链接" in named["link"]
    assert "展开后超过 2 GB" in named["bomb"]
    assert "good.xlsx" not in result.unread


def _unpacks_to(size: int, workbook: bytes) -> bytes:
    """A workbook whose first sheet says that it unpacks to so many bytes."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        name = next(n for n in archive.namelist() if "sheets/" in n).encode()
    entry = workbook.rindex(b"PK\x01\x02", 0, workbook.rindex(name))
    return workbook[: entry + 24] + struct.pack("<I", size) + workbook[entry + 28 :]


def test_the_status_tells_live_and_removed_records_apart(world: World) -> None:
    world.vendor.paging = "page_number"
    raw = files.raw_source(
        world.vendor, full_list=True, removed={"path": "organ.code", "equals": "O6"}
    )
    first = world.night(raw)
    assert "读取 12(其中来源注明作废 1)" in first.message
    del world.vendor.records[3]
    result = world.night(raw)
    assert "清单中不再有、算撤回或删除 1 条(R00003)" in result.message
    (one,) = read_status(world.lake, now=NOW)
    assert (one.rows, one.removed.withdrawn, one.removed.unseen) == (10, 1, 1)
    assert one.removed.text.startswith("已作废 2(来源注明作废 1、清单中不再有 1,最近:R0000")
