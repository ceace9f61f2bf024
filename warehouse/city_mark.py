"""Whose lake it is: a lake holds the records of one city and knows which.

A city is told by its root organs, those of `organs.csv` without a parent: their ids are codes that
the state gives, so a folder may be moved, copied and renamed. A root organ that got another code
stays in the file with its dates of validity, and so the city is known by either.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import duckdb

from warehouse.beijing import to_beijing
from warehouse.disk import UnreadableFile, text_of
from warehouse.lake_errors import OtherCity

Connection = duckdb.DuckDBPyConnection
ORGANS = "organs.csv"


@dataclass(frozen=True)
class RootOrgan:
    """An organ without a parent."""

    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.name}({self.id})"


Roots = tuple[RootOrgan, ...]


def roots_of(folder: Path | None) -> Roots:
    """The root organs that a city's folder names, former ones included; none where its
    `organs.csv` cannot be read: what is wrong with that is told by whoever reads it whole."""
    if folder is None:
        return ()
    path = folder / ORGANS
    try:
        seen = path.stat()
        return _read(path, seen.st_mtime_ns, seen.st_size, seen.st_ino)
    except (OSError, UnreadableFile, csv.Error):
        return ()


@lru_cache(maxsize=256)
def _read(path: Path, *_: int) -> Roots:
    """Read once as long as the file stays: this is asked at every opening of a lake."""
    found = {}
    for line in csv.DictReader(io.StringIO(text_of(path), newline="")):
        told = {name: str(value or "").strip() for name, value in line.items() if name}
        if told.get("organ_id") and "parent_organ_id" in told and not told["parent_organ_id"]:
            found[told["organ_id"]] = RootOrgan(told["organ_id"], told.get("organ_name", ""))
    return tuple(found.values())


def marked(connection: Connection) -> Roots:
    """The root organs of the city that the attached lake belongs to; none of a lake that knows no
    city yet."""
    rows = connection.execute("SELECT organ_id, organ_name FROM ops.city ORDER BY organ_id")
    return tuple(RootOrgan(*row) for row in rows.fetchall())


def hold_city(connection: Connection, folder: Path | None, shown: str) -> bool:
    """See that the attached lake is of the city of a folder; whether both are known.

    `shown` names the lake. Raises OtherCity.
    """
    owners, asking = marked(connection), roots_of(folder)
    if not owners or not asking:
        return False
    if not {root.id for root in owners} & {root.id for root in asking}:
        raise OtherCity(
            f"一个湖只装一个城市:{shown} 属于{_all(owners)},而城市目录 {folder} 是{_all(asking)}。"
            f"没有读写任何数据。请把 NIANBAO_CITY 改回原城市,或为{asking[0].name}另设 NIANBAO_HOME"
            "(用 PostgreSQL 目录库的,另设 NIANBAO_CATALOG);若只是根机关换了编号,请在 organs.csv "
            "保留原编号的一行,填上 valid_to 与 successor_organ_id"
        )
    return True


def mark_city(connection: Connection, folder: Path | None) -> None:
    """Keep whose lake it is; to be called within a transaction, after `hold_city`. What is known of
    it already stays."""
    known = {root.id for root in marked(connection)}
    for root in roots_of(folder):
        if root.id not in known:
            connection.execute(
                f"INSERT INTO ops.city SELECT ?, ?, {to_beijing('now()')}", [root.id, root.name]
            )


def _all(roots: Roots) -> str:
    return "、".join(f"“{root}”" for root in roots[:3]) + ("等" if len(roots) > 3 else "")
