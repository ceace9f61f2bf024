"""A small city for tests: five organs, a lake, and records added by hand."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from tasks.city.register import register_city
from warehouse.form import load_layout
from warehouse.lake import Lake, transaction
from warehouse.tables import all_tables, table

NOW = datetime(2021, 1, 20, 2, 0)
ORGANS = """organ_id,organ_name,organ_kind,parent_organ_id,valid_from,valid_to,successor_organ_id,has_system
R,某市人民政府,city,,2000-01-01,,,true
A,甲县人民政府,county,R,2000-01-01,,,true
A1,甲县东镇,township,A,2000-01-01,,,true
A2,甲县西镇,township,A,2000-01-01,2018-12-31,A1,true
B,市教育局,department,R,2000-01-01,,,true
"""
OVERVIEW = """
figures:
  - {key: applications_received, label: 收到申请, unit: 件, sum_of: [t3.new_received.total, t3.carried_in.total]}
  - {key: applications_received_last_year, label: 上年收到申请, unit: 件, last_year: overview.applications_received}
  - {key: applications_received_change, label: 收到申请增减, change_on_year: overview.applications_received}
  - {key: granted_share, label: 予以公开占比, ratio: {numerator: t3.granted.total, denominator: overview.applications_received}}
  - {key: calls, label: 来电, unit: 件, measure: hotline_call, where: is_in_year}
"""


@dataclass
class SmallCity:
    """`folder` is the city's folder, `lake` its lake with every table marked as loaded."""

    folder: Path
    lake: Lake
    _count: int = 0

    def copied_to(self, root: Path) -> SmallCity:
        """The same city elsewhere: a lake may be moved with its home."""
        shutil.copytree(self.folder.parent, root, dirs_exist_ok=True)
        return SmallCity.at(root)

    @classmethod
    def at(cls, root: Path) -> SmallCity:
        """The one that lies below `root`."""
        return cls(root / "city", Lake(root / "home", threads=1))

    @classmethod
    def create(cls, root: Path, address: str = "") -> SmallCity:
        """A new one, its catalog at `address`; `copied_to` is quicker."""
        folder = root / "city"
        folder.mkdir(parents=True)
        (folder / "organs.csv").write_text(ORGANS, encoding="utf-8")
        (folder / "overview.yaml").write_text(OVERVIEW, encoding="utf-8")
        city = cls(folder, Lake(root / "home", address=address, threads=1))
        city.lake.create()
        city.register()
        city.mark_loaded([t.name for t in all_tables() if t.is_pulled])
        return city

    def register(self) -> list[str]:
        return register_city(self.lake, self.folder, now=NOW)

    def layout(self, name: str = "2019"):  # type: ignore[no-untyped-def]
        return load_layout(name, self.folder / "overview.yaml")

    def mark_loaded(self, names: Sequence[str]) -> None:
        with self.lake.write() as connection, transaction(connection):
            for name in names:
                connection.execute(
                    "INSERT INTO ops.load (load_id, source_system, resource, table_name, started_at, "
                    "finished_at, load_status) VALUES (?, 's', ?, ?, ?, ?, 'loaded')",
                    [f"first-{name}", name, name, NOW, NOW],
                )

    def unmark_loaded(self, name: str) -> None:
        with self.lake.write() as connection:
            connection.execute("DELETE FROM ops.load WHERE table_name = ?", [name])

    def add(self, name: str, *rows: dict[str, Any]) -> list[str]:
        """Add records to core.<name>; ids are made up where none is given. Returns the ids."""
        ids = []
        columns = [c.name for c in table(f"core.{name}").columns]
        with self.lake.write() as connection, transaction(connection):
            for row in rows:
                self._count += 1
                full = {
                    "source_system": "s",
                    "record_id": f"{name}-{self._count}",
                    "row_hash": f"h{self._count}",
                    "load_id": "test",
                    "loaded_at": NOW,
                    **row,
                }
                assert not set(full) - set(columns), set(full) - set(columns)
                connection.execute(
                    f"INSERT INTO core.{name} ({', '.join(full)}) VALUES ({', '.join('?' * len(full))})",
                    list(full.values()),
                )
                ids.append(full["record_id"])
        return ids

    def application(self, received: str, closed: str | None = None, **more: Any) -> str:
        """One application, by default of a natural person and granted if closed."""
        values = {
            "organ_id": "A1",
            "received_on": date.fromisoformat(received),
            "closed_on": date.fromisoformat(closed) if closed else None,
            "applicant_kind": "natural_person",
            "outcome": "granted" if closed else None,
            **more,
        }
        return self.add("application", values)[0]
