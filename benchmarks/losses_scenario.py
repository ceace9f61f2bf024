"""A small world in which every record is known: five sources, two nights, an edition of 2020.

Run by `benchmarks.losses` in a process of its own, over a tree in which one loss is planted; it
prints what the project itself says of its records, as JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from copy import deepcopy
from datetime import date, datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from expectations.balance import CheckResult
from tasks.check import check_core
from tasks.city.register import register_city
from tasks.editions.account import read_account
from tasks.editions.account_checks import account_checks, rolled_up_checks
from tasks.editions.build import build_edition
from tasks.editions.edition import CellValue, Finding
from tasks.editions.tabulate import Tabulation, tabulate
from tasks.load.control_totals import compare_control_totals
from tasks.load.load import load, note_failure
from tasks.sources import client
from tasks.sources.errors import SourceContractError
from tasks.sources.model import Source
from tasks.sources.plan import plan
from tasks.sources.pull import pull
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from tests.small_city import ORGANS, OVERVIEW
from warehouse.form import load_layout
from warehouse.lake import Lake
from warehouse.period import Period
from warehouse.reading import Reading, reading
from warehouse.tables import Table, table

NIGHTS = (datetime(2021, 1, 10, 2, 0), datetime(2021, 1, 11, 2, 0))
SOURCES = ("portal", "ledger", "site", "links", "books")
TABLES = ("article", "application", "application_event")
YEAR = Period.of_year(2020)
CODES = ("A", "A1", "B", "R")
ARTICLES = (
    "  - {key: articles, label: 文章, unit: 篇, measure: article, where: is_published_in_year}\n"
)
CORRECTIONS = """
- {table: application, source_system: ledger, record_id: L00001, action: drop,
   reason: 重复登记, reported_by: 甲, decided_on: 2021-01-02}
- {table: application, source_system: ledger, record_id: L00002, column: received_on,
   expect: "2020-03-03", value: "2019-03-03", reason: 登记有误, reported_by: 甲, decided_on: 2021-01-02}
"""
CLOSED = {"closed_on": {"path": "closed", "type": "date"}, "outcome": "outcome"}
APPLICATION = {
    "organ_id": {"path": "organ.code", "required": True},
    "received_on": {"path": "day", "type": "date", "required": True},
    "applicant_kind": "kind",
    **CLOSED,
}
SHEET = ("登记编号", "机关", "收到日期", "类别", "办结日期", "结果")
Record = dict[str, Any]


def records(prefix: str, count: int, year: int = 2020) -> list[Record]:
    """Records as a system keeps them, each with a day of its own month."""
    return [
        {
            "id": f"{prefix}{n:05d}",
            "title": f"第{n}号",
            "organ": {"code": CODES[n % 4]},
            "day": f"{year}-{n % 12 + 1:02d}-{n % 27 + 1:02d}",
            "closed": f"{year}-{n % 12 + 1:02d}-{n % 27 + 2:02d}",
            "outcome": "granted",
            "kind": "natural_person",
            "updated": f"2020-12-{n % 27 + 1:02d}T10:00:00",
            "state": "on",
            "notes": [{"seq": k, "day": "2020-03-05"} for k in range(n % 3)],
        }
        for n in range(count)
    ]


class World:
    """The sources, and what happens to them between the two nights."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.vendors = {name: Vendor(**given) for name, given in _served().items()}
        for vendor in self.vendors.values():
            stack.enter_context(vendor.serving())
        self.books = folder / "books"
        self.books.mkdir()
        self.write_books(is_second=False)

    def sources(self) -> Iterator[Source]:
        """The source files, as a city writes them."""
        folder = self.folder / "sources"
        folder.mkdir(exist_ok=True)
        for name, resource in _resources().items():
            vendor = self.vendors[name]
            raw = files.raw_source(vendor, vendor.paging, **resource)
            yield files.written(folder, raw | {"name": name, "reject_limit": {"share": 0.5}}, name)
        raw = files.raw_source(self.vendors["portal"]) | {"name": "books"}
        fields = {
            "organ_id": "机关",
            "received_on": {"path": "收到日期", "type": "date", "required": True},
            "applicant_kind": "类别",
            "closed_on": {"path": "办结日期", "type": "date"},
            "outcome": "结果",
        }
        raw["resources"] = [
            {
                "name": "registers",
                "table": "application",
                "workbook": {"folder": "../books", "match": "*.xlsx"},
                "key": "登记编号",
                "max_removed_share": 0.9,
                "fields": fields,
            }
        ]
        yield files.written(folder, raw, "books")

    def write_books(self, is_second: bool) -> None:
        """Two workbooks of the registers, one with two sheets; totals and notes among the rows."""
        rows = [
            (r["id"], r["organ"]["code"], r["day"], r["kind"], r["closed"], r["outcome"])
            for r in records("B", 15)
        ]
        first = rows[:5] + [("B00100", "B", "2020-05-06", "natural_person", None, None)] * is_second
        _write(self.books / "one.xlsx", {"上半年": first, "下半年": rows[5:10]})
        _write(self.books / "two.xlsx", {"登记": rows[10:]})

    def change(self) -> None:
        """What happens between the nights: new, changed, withdrawn, deleted, doubled, mended."""
        portal, site = self.vendors["portal"].records, self.vendors["site"].records
        portal.remove(next(r for r in portal if r["title"] == "另一个标题"))
        for record in portal:
            if record["id"] == "P00005":
                record["organ"] = {"code": "B"}
        portal[3] |= {"state": "gone", "gone_on": "2020-12-20"}
        portal[7] |= {"day": "2019-02-02", "title": "改期"}
        portal[8] |= {"title": "改题"}
        del portal[20]
        portal += records("Q", 2)
        ledger = self.vendors["ledger"].records
        ledger[4] |= {"day": "2020-08-08", "closed": "2020-08-09"}
        ledger += records("M", 3)
        site[2] |= {"title": "新标题", "updated": "2021-01-10T12:00:00"}
        # A late record: written after the first night, with a moment before its watermark.
        late = records("T", 2)
        late[0] |= {"updated": "2020-12-18T10:00:00"}
        late[1] |= {"updated": "2021-01-10T13:00:00"}
        site += late
        self.write_books(is_second=True)

    def figures(self) -> dict[str, int]:
        """The city's figures, counted by hand from what the sources have, without the project."""
        year = "2020"
        portal = self.vendors["portal"].records
        good = {
            r["id"]: r["day"] for r in portal if r["state"] == "on" and r.get("draft") != "true"
        }
        # P00020 is deleted after the year: it still was there at the year's end.
        articles = [d for d in good.values() if d.startswith(year)] + ["P00020"]
        for name in ("site", "links"):
            articles += [r["day"] for r in self.vendors[name].records if r["day"].startswith(year)]
        # L00001 is dropped and L00002 moved to 2019 by corrections; of L00009 a date is set aside.
        ledger = [
            r
            for r in self.vendors["ledger"].records
            if r["id"] not in ("L00001", "L00002") and r["day"].startswith(year)
        ]
        return {"overview.articles": len(articles), "t3.new_received.total": len(ledger) + 16}


def _served() -> dict[str, dict[str, Any]]:
    """What each system has on the first night: by its way of paging, and its quirks."""
    portal = records("P", 30)
    portal[1] |= {"draft": "true"}
    portal[2] |= {"draft": "true"}
    portal[5] |= {"organ": {"code": None}}
    portal[6] |= {"organ": {"code": None}, "day": "2017-05-06", "updated": "2017-05-06"}
    portal[6] |= {"closed": "2017-05-07", "notes": []}
    portal.append(deepcopy(portal[10]))
    portal.append(portal[11] | {"title": "另一个标题"})
    ledger = records("L", 24)
    ledger[2] |= {"day": "2020-03-03"}
    ledger[9] |= {"closed": "2020-01-01"}
    ledger.append({**records("K", 1)[0], "day": "2017-05-40", "closed": None, "updated": ""})
    return {
        "portal": {"records": portal, "paging": "page_number"},
        "ledger": {"records": ledger, "paging": "cursor_body"},
        "site": {"records": records("S", 20), "paging": "until_empty"},
        "links": {"records": records("N", 16), "paging": "next_link"},
    }


def _resources() -> dict[str, dict[str, Any]]:
    count = {"path": "/count", "total": "count", "counts_removed": True}
    notes = {
        "name": "notes",
        "table": "application_event",
        "records": "notes",
        "key": ["$parent_id", "seq"],
        "fields": {"application_id": "$parent_id", "event_on": "day"},
    }
    return {
        "portal": {
            "where": [{"path": "draft", "not_in": ["true"]}],
            "removed": {"path": "state", "equals": "gone", "at": "gone_on"},
            "max_removed_share": 0.5,
            "children": [notes],
        },
        "ledger": {
            "name": "applications",
            "table": "application",
            "fields": APPLICATION,
            "control_total": count,
        },
        "site": {
            "cursor": {"field": "updated", "param": "since", "lag": "3d", "format": "iso"},
            "control_total": count,
        },
        "links": {},
    }


def _write(path: Path, sheets: dict[str, list[tuple[Any, ...]]]) -> None:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in (SHEET, *rows, ("合计", None, len(rows))):
            sheet.append(row)
        sheet.append(["填表人:某某"])
    book.save(path)


def make_template(home: Path) -> None:
    """A lake with the city's own files, to be copied for every run."""
    city = home / "city"
    city.mkdir(parents=True)
    (city / "organs.csv").write_text(ORGANS, encoding="utf-8")
    (city / "overview.yaml").write_text(OVERVIEW + ARTICLES, encoding="utf-8")
    (city / "corrections.yaml").write_text(CORRECTIONS, encoding="utf-8")
    Lake(home / "data").create()


def run(template: Path, folder: Path, names: Collection[str]) -> dict[str, Any]:
    """Both nights (with `first` only the first) of the named sources, then the account, with
    `edition` a whole edition and its account; what was told of the records, and the figures."""
    shutil.copytree(template, folder)
    client.SHORTEST_REST = 0.002
    lake, city = Lake(folder / "data"), folder / "city"
    told: list[dict[str, str]] = []
    with ExitStack() as stack:
        world = World(folder, stack)
        for number, now in enumerate(NIGHTS[:1] if "first" in names else NIGHTS, 1):
            if number == 2:
                world.change()
            for source in world.sources():
                if source.name in names:
                    told += _night(source, lake, folder, now)
        by_hand = world.figures()
    register_city(lake, city, now=NIGHTS[-1])
    if "ledger" in names:
        told += _checked(lake)
    if "edition" in names:
        edition = build_edition(lake, city, YEAR, now=NIGHTS[-1]).edition
        return {
            "told": told + [_told(f) for f in edition.findings if f.status == "fail"],
            "figures": _figures(edition.cells),
            "by_hand": by_hand,
        }
    layout = load_layout("2019", city / "overview.yaml")
    tables = [table(f"core.{name}") for name in TABLES]
    with reading(lake, copy_up_to=1000) as opened:
        tabulation = tabulate(opened, layout, YEAR)
        told += _account(opened, tabulation, tables)
        figures = _figures(tabulation.cells)
    return {"told": told, "figures": figures, "by_hand": by_hand}


def _account(
    opened: Reading, tabulation: Tabulation, tables: Sequence[Table]
) -> list[dict[str, str]]:
    lines = read_account(opened, tabulation.layout, YEAR, tables)
    as_of = opened.data_as_of or NIGHTS[-1]
    checked = [
        *account_checks(opened, lines, YEAR, as_of, tables),
        *rolled_up_checks(opened, tabulation),
    ]
    return [_told(result) for result, _ in checked if result.status == "fail"]


def _told(found: Finding | CheckResult) -> dict[str, str]:
    organ = f" {found.organ_name}" if isinstance(found, Finding) else ""
    return {"code": found.code, "key": found.key + organ, "message": found.message}


def _night(source: Source, lake: Lake, folder: Path, now: datetime) -> Iterator[dict[str, str]]:
    """One source pulled, loaded and compared; what stopped and which counts differ."""
    for due in plan(source, lake, now=now):
        name = f"{source.name}.{due.resource.name}"
        try:
            try:
                landed = pull(due, folder / "landing")
            except SourceContractError as error:
                note_failure(source, due.resource, lake, error, now=now)
                raise
            result = load(landed, source, lake, now=now)
            for note in result.told:
                yield {"code": "note", "key": name, "message": note}
            if result.unread:
                yield {"code": "unread", "key": name, "message": result.unread}
            for found in compare_control_totals(source, due.resource, lake):
                counts = f"{found.source_count} ≠ {found.warehouse_count}"
                yield {"code": "control total", "key": name, "message": counts}
        except Exception as error:
            # Whatever stops a resource is told of by the nightly run.
            yield {"code": "stopped", "key": name, "message": str(error)[:200]}


def _checked(lake: Lake) -> list[dict[str, str]]:
    results = check_core(
        lake,
        as_of=date(2021, 1, 11),
        run_id="losses",
        runner="plain",
        only_tables={"core.application"},
        now=NIGHTS[-1],
    )
    return [
        {"code": r.code, "key": r.table, "message": f"{r.title} {r.bad_rows}"}
        for r in results
        if r.status != "pass"
    ]


def _figures(figures: Mapping[Any, Mapping[str, CellValue]]) -> dict[str, str]:
    return {
        f"{organ}/{scope}/{key}": str(cell.value)
        for (organ, scope), cells in figures.items()
        for key, cell in cells.items()
        if cell.value
    }


if __name__ == "__main__":
    home, names = Path(sys.argv[1]), sys.argv[3:]
    if not names:
        make_template(home)
    else:
        print(json.dumps(run(home, Path(sys.argv[2]), names), ensure_ascii=False))
