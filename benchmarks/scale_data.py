"""Lakes to measure on: the demo city's as one night pulled it, and the same with every growing record
many times over, under ids and organs of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import zstandard

from tasks.city.register import register_city
from tasks.clock import now
from warehouse.lake import Connection, Lake, transaction
from warehouse.sql import quoted
from warehouse.tables import all_tables, table

ROOT = Path(__file__).parent.parent
CITY = ROOT / "deployments" / "demo_city"
YEAR = 2020
MORE_ORGANS = 33
"""Organs that the records of the larger lakes name besides the demo city's own."""
MANY_ORGANS = 518
"""The same of a lake whose records are those of the demo city, spread over four times as many."""
GROWING: dict[str, tuple[str, tuple[str, ...]]] = {
    "hotline_call": ("called_at", ("work_order_id",)),
    "work_order": ("dispatched_at", ("call_id",)),
    "article": ("published_at", ("interprets_article_id",)),
    "application": ("received_on", ()),
    "application_event": ("event_on", ("application_id",)),
    "interaction": ("received_on", ()),
    "review_case": ("accepted_on", ("application_id",)),
    "fee_charge": ("charged_on", ()),
    "administrative_action": ("decided_on", ()),
    "procurement": ("signed_on", ()),
    "new_media_post": ("posted_at", ()),
}
"""Tables whose records grow: by what each is dated, and which columns name a record that grows."""
KEPT = ("ops.load", "ops.watermark", "ops.resource_file")


def make(
    base: Lake,
    target: Lake,
    times: int,
    city: Path,
    *,
    apart: bool = False,
    organs: int = MORE_ORGANS,
) -> dict[str, int]:
    """A lake with every growing record of the base `times` over, under ids of its own, written
    month by month as loads would; earlier years a fifth of that. `apart`: what is more than the base's
    is of systems of its own, so that a night may follow. `organs` are those besides the demo city's;
    with `MANY_ORGANS` three quarters of the records are theirs. Returns rows a table."""
    core = [t for t in all_tables() if t.layer == "core"]
    folder = Path(tempfile.mkdtemp(prefix="scale-", dir=target.home.parent))
    try:
        with base.read() as connection:
            for name in [*(t.full_name for t in core), *KEPT]:
                connection.execute(
                    f"COPY (FROM {name}) TO {quoted(folder / name)} (FORMAT parquet)"
                )
        target.create()
        with target.write() as connection:
            for one in core:
                if one.name != "organ":
                    _fill(connection, folder / one.full_name, one.name, times, apart, organs)
            for name in KEPT:
                with transaction(connection):
                    connection.execute(
                        f"INSERT INTO {name} BY NAME FROM read_parquet({quoted(folder / name)})"
                    )
            # The city's files are brought in below, with the organs that were added.
            connection.execute("DELETE FROM ops.resource_file WHERE source_system = 'city'")
        register_city(target, _larger_city(city, target.home / "city", organs), now=now())
        with target.read() as connection:
            names = [f"core.{name}" for name in GROWING]
            counts = ", ".join(f"(SELECT count(*) FROM {name})" for name in names)
            row = connection.execute(f"SELECT {counts}").fetchone() or ()
        return dict(zip(names, row, strict=True))
    finally:
        shutil.rmtree(folder)


def _larger_city(city: Path, folder: Path, more: int) -> Path:
    """The city's folder with the organs that the larger lakes' records name besides its own."""
    shutil.copytree(city, folder, ignore=shutil.ignore_patterns("service", "__pycache__"))
    with (folder / "organs.csv").open("a", encoding="utf-8") as organs:
        for n in range(more):
            # Columns as in the demo city's file; a vendor's code must be one organ's only.
            organs.write(f"x{n:03d},扩充单位{n:03d},department,441500,2000-01-01,,,true,")
            organs.write(f"XX{n:03d},DX-{n:03d},扩充{n:03d},XX{n:03d}\n")
    return folder


def _fill(
    connection: Connection, file: Path, name: str, times: int, apart: bool, organs: int
) -> None:
    rows = f"read_parquet({quoted(file)})"
    is_spread = organs != MORE_ORGANS and name in GROWING
    is_of_a_system = any(c.name == "source_system" for c in table(f"core.{name}").columns)
    if name not in GROWING or (times == 1 and not is_spread):
        with transaction(connection):
            connection.execute(f"INSERT INTO core.{name} BY NAME FROM {rows}")
            if apart and is_of_a_system:
                connection.execute(
                    f"INSERT INTO core.{name} BY NAME SELECT * REPLACE (source_system || '_more' "
                    f"AS source_system) FROM {rows} WHERE source_system <> 'city'"
                )
        return
    dated, names = GROWING[name]
    copy = "CASE WHEN k > 0 THEN '-' || k ELSE '' END"
    sets = [f"record_id || {copy} AS record_id", "md5(row_hash || k) AS row_hash"]
    sets += [f"{column} || {copy} AS {column}" for column in names]
    if apart:
        sets.append("source_system || if(k > 0, '_more', '') AS source_system")
    if any(c.name == "organ_id" for c in table(f"core.{name}").columns):
        of_others = (
            "hash(record_id) % 4 > 0"
            if is_spread
            else f"k > 0 AND hash(record_id, k) % 160 < {organs}"
        )
        sets.append(
            f"CASE WHEN {of_others} THEN 'x' || lpad((hash(record_id, k) % {organs})::VARCHAR, 3, '0') "
            "ELSE organ_id END AS organ_id"
        )
    part = f"date_trunc('month', {dated})" if table(f"core.{name}").partition else "NULL"
    for (month,) in connection.execute(f"SELECT DISTINCT {part} FROM {rows} ORDER BY 1").fetchall():
        of_month = "NULL" if month is None else f"TIMESTAMP '{month}'"
        with transaction(connection):
            connection.execute(
                f"INSERT INTO core.{name} BY NAME SELECT * EXCLUDE (k) REPLACE ({', '.join(sets)}) "
                f"FROM {rows}, range({times}) AS n(k) WHERE {part} IS NOT DISTINCT FROM {of_month} "
                f"AND (year({dated}) = {YEAR} OR n.k < greatest(1, {times} // 5)) ORDER BY {dated}"
            )


def add_years(lake: Lake, years: int) -> int:
    """The newest year's calls as so many earlier years had them as well, under ids of their own.
    Returns how many calls there are."""
    with lake.write() as connection:
        for back in range(2, years + 1):
            with transaction(connection):
                connection.execute(
                    "INSERT INTO core.hotline_call BY NAME SELECT * REPLACE ("
                    f"record_id || '-y{back}' AS record_id, md5(row_hash || {back}) AS row_hash, "
                    f"called_at - INTERVAL {back} YEAR AS called_at) "
                    f"FROM core.hotline_call WHERE year(called_at) = {YEAR} ORDER BY called_at"
                )
        row = connection.execute("SELECT count(*) FROM core.hotline_call").fetchone()
        assert row is not None
        return int(row[0])


def disk(base: Path) -> dict[str, dict[str, float]]:
    """Bytes a record of the demo city's first night, by resource: as lines of JSON that were landed, as
    they lie in the landing, and of its table in the lake."""
    found: dict[str, dict[str, float]] = {}
    sizes = Lake(base)
    with sizes.read() as connection:
        lake = dict(
            connection.execute(
                "SELECT table_name, file_size_bytes FROM ducklake_table_info('lake')"
            ).fetchall()
        )
        loads = connection.execute(
            "SELECT source_system, resource, replace(table_name, 'core.', ''), rows_new, load_id "
            "FROM ops.load WHERE load_status = 'loaded' AND source_system <> 'city' "
            "AND rows_new > 0 ORDER BY rows_new DESC"
        ).fetchall()
        tables = dict(
            connection.execute(
                "SELECT replace(table_name, 'core.', ''), sum(rows_new) FROM ops.load GROUP BY ALL"
            ).fetchall()
        )
    for source, resource, name, rows, load_id in loads:
        files = sorted((base / "landing").glob(f"{load_id}/{resource}-*.ndjson.zst"))
        if not files:
            continue
        found[f"{source}.{resource}"] = {
            "records": rows,
            "json": sum(map(_unpacked, files)) / rows,
            "landing": sum(file.stat().st_size for file in files) / rows,
            "lake": lake[name] / tables[name],
        }
    return found


def _unpacked(file: Path) -> int:
    """Bytes of a compressed file's content."""
    size = 0
    with zstandard.open(file, "rb") as content:
        while part := content.read(1 << 20):
            size += len(part)
    return size


def base_home(folder: Path) -> Path:
    """A home with the demo city as one night pulled it."""
    from deployments.demo_city.service import running

    home = folder / "base"
    home.mkdir()
    environment = {
        **os.environ,
        "NIANBAO_HOME": str(home),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    }
    command = [sys.executable, "-c", "from deployments.cli import main; main()", "nightly"]
    with running(home) as services:
        subprocess.run(command, cwd=ROOT, env=environment | services, check=True, stdout=sys.stderr)
    return home
