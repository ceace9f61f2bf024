"""Whatever happens at a source, night after night: the account balances, each record once.

`HISTORIES=200` tries two hundred random histories; the tests try a few.
"""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tasks.editions.account import Line, read_account
from tasks.load.load import load
from tasks.sources import client
from tasks.sources.plan import plan
from tasks.sources.pull import pull
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from warehouse.form import load_layout
from warehouse.lake import Lake
from warehouse.period import Period
from warehouse.reading import reading

pytestmark = pytest.mark.timeout(3600)
MANY = int(os.environ.get("HISTORIES", "8"))
FIRST_NIGHT = datetime(2021, 1, 10, 2, 0)
OVERVIEW = """
figures:
  - {key: articles, label: 文章, unit: 篇, measure: article, where: is_published_in_year}
"""
KINDS = ("insert", "change", "withdraw", "delete", "double", "conflict", "spoil", "mend", "late")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("lake")
    Lake(home).create()
    (home / "overview.yaml").write_text(OVERVIEW, encoding="utf-8")
    return home


class Nights:
    """A vendor whose records live, and the nights that pull them."""

    def __init__(self, folder: Path, template: Path, vendor: Vendor) -> None:
        self.folder, self.vendor = folder, vendor
        self.lake = Lake(folder / "data")
        self.overview = template / "overview.yaml"
        shutil.copytree(template / "lake", folder / "data" / "lake")
        removed = {"path": "state", "equals": "gone"}
        raw = files.raw_source(vendor, removed=removed, max_removed_share=0.9)
        raw["resources"][0]["fields"] = {**files.FIELDS, "genre": "genre"}
        raw["reject_limit"] = {"share": 1.0}
        self.source = files.written(folder, raw)
        self.now = FIRST_NIGHT
        self._next = 1000

    def happen(self, kind: str, at: int) -> None:
        """One thing that happens to a record of the source."""
        records = self.vendor.records
        one = records[at % len(records)]
        match kind:
            case "insert" | "late":
                self._next += 1
                year = "2020" if kind == "insert" else "2019"
                (fresh,) = files.records(1, self._next)
                records.insert(at % len(records), fresh | {"day": f"{year}-03-0{at % 9 + 1}"})
            case "change":
                one |= {"title": f"{one['title']}。", "day": f"2020-0{at % 9 + 1}-11"}
            case "withdraw":
                one["state"] = "gone"
            case "delete" if len(records) > 10:
                records.remove(one)
            case "double":
                records.append(dict(one))
            case "conflict":
                records.append(one | {"title": f"另一个标题 {at}"})
            case "spoil":
                one["day"] = "二月三十日"
            case "mend":
                one |= {"day": "2020-05-05", "organ": {"code": "O1"}}

    def night(self, is_killed: bool) -> None:
        """Pull and load; a killed night has landed and never loads."""
        self.now += timedelta(days=1)
        for due in plan(self.source, self.lake, now=self.now, full=True):
            landed = pull(due, self.folder / "data" / "landing")
            if not is_killed:
                load(landed, self.source, self.lake, now=self.now)

    def account(self) -> Line:
        with reading(self.lake) as opened:
            layout = load_layout("2019", self.overview)
            lines = read_account(opened, layout, Period.of_year(2020))
        (line,) = lines
        return line

    def query(self, sql: str) -> set[str]:
        with self.lake.read() as connection:
            return {row[0] for row in connection.execute(sql).fetchall()}


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SHORTEST_REST", 0.002)


events = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 60)), max_size=5)
histories = st.lists(st.tuples(events, st.booleans()), min_size=1, max_size=4)


@settings(
    max_examples=MANY,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    # A history takes a second: what fails is told as it was found.
    phases=[Phase.reuse, Phase.generate],
)
@given(history=histories)
def test_after_any_history_every_record_is_accounted_for(
    history: list[tuple[list[tuple[str, int]], bool]],
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("history")
    vendor = Vendor(files.records(15))
    with vendor.serving():
        nights = Nights(folder, template, vendor)
        nights.night(is_killed=False)
        assert nights.account().is_balanced
        for happened, is_killed in history:
            for kind, at in happened:
                nights.happen(kind, at)
            nights.night(is_killed)
            assert [str(e) for e in nights.account().equations() if e.gap] == []
        # What a list lacks is gone when a second pull lacks it as well.
        for _ in range(2):
            nights.night(is_killed=False)
        line = nights.account()
        assert [str(e) for e in line.equations() if e.gap] == []
        there = {r["id"] for r in vendor.records}
        in_force = nights.query("SELECT record_id FROM core.article WHERE removed_at IS NULL")
        gone = nights.query("SELECT record_id FROM core.article WHERE removed_at IS NOT NULL")
        rejected = nights.query(
            "SELECT record_id FROM ops.reject WHERE reject_status = 'open' "
            "AND reason <> 'conflicting_key'"
        )
        assert there <= in_force | gone | rejected
        assert in_force <= there
        standing = line.counted + line.set_aside + sum(line.not_counted.values())
        assert standing == line.in_force
        assert len(there) == len(in_force) + len(there & gone) + len(
            (there & rejected) - in_force - gone
        )
    shutil.rmtree(folder)
