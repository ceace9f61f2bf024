"""A source whose records live, the ways in which it shows them, and the nights that pull it."""

from __future__ import annotations

import csv
import io
import multiprocessing
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tasks.editions.account import Line, read_account
from tasks.load.load import load
from tasks.sources import client
from tasks.sources.model import load_source
from tasks.sources.plan import plan
from tasks.sources.pull import pull
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from warehouse.form import load_layout
from warehouse.lake import Lake
from warehouse.period import Period
from warehouse.reading import reading

FIRST_NIGHT = datetime(2021, 1, 10, 2, 0)
OVERVIEW = """
figures:
  - {key: articles, label: 文章, unit: 篇, measure: article, where: is_published_in_year}
"""
WAYS = ("list", "cursor", "spans", "files")
"""A list that counts itself, one asked for what changed, one asked month by month, workbooks."""
HAPPENINGS = (
    "insert",
    "late",
    "change",
    "withdraw",
    "delete",
    "double",
    "conflict",
    "spoil",
    "mend",
    "move",
)
BOOKS = ("a.csv", "b.csv", "c.csv")
COLUMNS = {"编号": "id", "标题": "title", "机关": "organ", "日期": "day", "状态": "state"}


def template(home: Path) -> Path:
    """An empty lake and a form with one figure, to be copied for each history."""
    Lake(home).create()
    (home / "overview.yaml").write_text(OVERVIEW, encoding="utf-8")
    return home


@dataclass
class History:
    """One source, seen in one of `WAYS`; `now` goes on by a day a night."""

    folder: Path
    way: str
    vendor: Vendor
    now: datetime = FIRST_NIGHT
    seconds: float = 1.0
    """How long the last night took that was not killed."""
    _next: int = 1000
    _random: random.Random = field(default_factory=lambda: random.Random(0))

    @classmethod
    @contextmanager
    def begun(cls, folder: Path, template: Path, way: str) -> Iterator[History]:
        """One with fifteen records that were pulled once."""
        shutil.copytree(template / "lake", folder / "data" / "lake")
        shutil.copy(template / "overview.yaml", folder)
        records = files.records(15)
        for number, record in enumerate(records):
            record |= {"state": "on", "book": BOOKS[number % len(BOOKS)]}
        vendor = Vendor(records)
        with vendor.serving():
            history = cls(folder, way, vendor)
            files.written(folder, history._source_file())
            history.night(is_full=True)
            yield history

    def _source_file(self) -> dict[str, Any]:
        removed = {"path": "state", "equals": "gone"}
        raw = files.raw_source(self.vendor, removed=removed, max_removed_share=0.9)
        resource = raw["resources"][0]
        match self.way:
            case "cursor":
                resource["cursor"] = {"field": "updated", "param": "since", "format": "iso"}
            case "spans":
                windows = {"from_param": "from", "to_param": "to", "split": "month"}
                resource["windows"] = windows | {"start": "2019-01-01", "column": "published_at"}
            case "files":
                (self.folder / "books").mkdir()
                for key in ("path", "paginator", "records"):
                    del resource[key]
                resource |= {
                    "workbook": {"folder": "books"},
                    "key": "编号",
                    "removed": {"path": "状态", "equals": "gone"},
                    "fields": {
                        "title": "标题",
                        "organ_id": {"path": "机关", "required": True},
                        "published_at": {"path": "日期", "type": "timestamp"},
                    },
                }
        raw["reject_limit"] = {"share": 1.0}
        return raw

    # ---- what happens at the source

    def happen(self, kind: str, at: int) -> None:
        """One thing that happens to a record of the source; what it writes has a new moment."""
        records = self.vendor.records
        one = records[at % len(records)]
        moment = {"updated": f"{self.now + timedelta(hours=12):%Y-%m-%dT%H:%M:%S}"}
        match kind:
            case "insert" | "late":
                self._next += 1
                year = "2020" if kind == "insert" else "2019"
                (fresh,) = files.records(1, self._next)
                fresh |= {"day": f"{year}-03-0{at % 9 + 1}", "state": "on", "book": BOOKS[at % 3]}
                records.insert(at % len(records), fresh | moment)
            case "delete":
                if len(records) > 10:
                    records.remove(one)
            case "double":
                records.append(dict(one))
            case "conflict":
                records.append(one | {"title": f"另一个标题 {at}"} | moment)
            case _:
                one |= self._changed(kind, one, at) | moment

    def _changed(self, kind: str, one: dict[str, Any], at: int) -> dict[str, Any]:
        changes: dict[str, dict[str, Any]] = {
            "change": {"title": f"{one['title']}。", "day": f"2020-0{at % 9 + 1}-11"},
            "withdraw": {"state": "gone"},
            "spoil": {"day": "二月三十日", "organ": {}},
            "mend": {"day": "2020-05-05", "organ": {"code": "O1"}, "state": "on"},
            # To another month or year, and to another workbook.
            "move": {"day": f"20{19 + at % 2}-0{at % 9 + 1}-21", "book": BOOKS[at % 3]},
        }
        return changes[kind]

    def ids(self) -> set[str]:
        return {r["id"] for r in self.vendor.records}

    def hidden(self) -> set[str]:
        """Ids of records that the source shows in no list: a list asked month by month has none
        whose day is no date."""
        if self.way != "spans":
            return set()
        return {r["id"] for r in self.vendor.records if not str(r["day"])[:1].isdigit()}

    def _write_books(self) -> None:
        for name in BOOKS:
            sheet = io.StringIO()
            rows = csv.writer(sheet)
            rows.writerow(COLUMNS)
            for record in self.vendor.records:
                if record["book"] == name:
                    organ = record["organ"].get("code", "")
                    rows.writerow(
                        organ if key == "organ" else record[key] for key in COLUMNS.values()
                    )
            (self.folder / "books" / name).write_text(sheet.getvalue(), encoding="utf-8")

    # ---- the nights

    def night(self, *, is_full: bool = False, ends: str = "whole", at: float = 0) -> None:
        """Pull and load; `ends` landed: it never loads, killed: at that part of its usual length."""
        self.now += timedelta(days=1)
        if self.way == "files":
            self._write_books()
        if ends != "killed":
            began = time.monotonic()
            one_night(self.folder, self.now, is_full, loads=ends == "whole")
            self.seconds = time.monotonic() - began if ends == "whole" else self.seconds
            return
        process = _PROCESSES.Process(target=one_night, args=(self.folder, self.now, is_full))
        process.start()
        process.join(at * self.seconds)
        process.kill()
        process.join()

    # ---- what the project says of it

    def account(self) -> Line:
        with reading(Lake(self.folder / "data")) as opened:
            layout = load_layout("2019", self.folder / "overview.yaml")
            (line,) = read_account(opened, layout, Period.of_year(2020))
        return line

    def gaps(self) -> list[str]:
        """The equations of the account that do not hold."""
        return [str(equation) for equation in self.account().equations() if equation.gap]

    def query(self, sql: str) -> set[str]:
        with Lake(self.folder / "data").read() as connection:
            return {row[0] for row in connection.execute(sql).fetchall()}


def one_night(folder: Path, now: datetime, is_full: bool, loads: bool = True) -> None:
    """All that is due of the history's source, pulled and loaded."""
    client.SHORTEST_REST = 0.002
    source = load_source(folder / "vendor.yaml", files.ENVIRONMENT)
    lake = Lake(folder / "data")
    for due in plan(source, lake, now=now, full=is_full):
        landed = pull(due, folder / "data" / "landing")
        if loads:
            load(landed, source, lake, now=now)


# A fork of this process would inherit DuckDB's locks without their threads.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])
