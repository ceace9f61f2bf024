"""A lake whose surroundings fail: told in the operator's words, and intact afterwards."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.settings import Settings
from tasks.watch.doctor import examine
from tests.small_city import NOW, SmallCity
from warehouse.lake import Lake, LakeBusy, LakeError, NoLake, transaction

MANY = (
    "INSERT INTO core.organ SELECT 'o' || i || md5(i::VARCHAR), '某局', 'department', 'R', "
    "DATE '2020-01-01', NULL, NULL, true FROM range({rows}) t(i)"
)


def _grow(lake: Lake, rows: int) -> None:
    with lake.write() as connection, transaction(connection):
        connection.execute(MANY.format(rows=rows))


def _organs(lake: Lake) -> int:
    with lake.read() as connection:
        row = connection.execute(
            "SELECT count(*) FROM core.organ WHERE length(organ_id) > 0"
        ).fetchone()
    assert row is not None
    return int(row[0])


def _data_file(lake: Lake) -> Path:
    _grow(lake, 1000)
    (file,) = (lake.files / "core" / "organ").rglob("*.parquet")
    return file


@pytest.fixture
def _files_end_at_one_megabyte() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("_files_end_at_one_megabyte")
def test_a_full_disk_undoes_the_batch(small: SmallCity) -> None:
    with pytest.raises(LakeError, match=r"磁盘已满,写不下.*\.parquet.*已有数据完好"):
        _grow(small.lake, 200_000)
    assert _organs(small.lake) == 5
    _grow(small.lake, 3)
    assert _organs(small.lake) == 8


def test_a_data_file_that_is_missing_or_damaged_is_named(small: SmallCity) -> None:
    file = _data_file(small.lake)
    whole = file.read_bytes()
    file.unlink()
    with pytest.raises(LakeError, match=f"缺少数据文件 {file}"):
        _organs(small.lake)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LakeError, match=f"{file} 已损坏"):
        _organs(small.lake)
    file.write_bytes(whole)
    # A DuckDB that has read a file may go on with what it has read.
    assert _organs(Lake(small.lake.home, memory_limit="900MB")) == 1005


def test_a_damaged_catalog_is_named(small: SmallCity) -> None:
    catalog = small.lake.home / "lake" / "catalog.sqlite"
    catalog.write_bytes(b"no database at all" * 300)
    for opening in (small.lake.read, small.lake.write):
        with pytest.raises(LakeError, match=f"{catalog} 已损坏.*备份"), opening():
            pass


def test_a_catalog_that_another_program_holds_is_told(
    small: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "warehouse.catalog.SqliteCatalog.options",
        ("META_JOURNAL_MODE 'WAL'", "META_BUSY_TIMEOUT 50"),
    )
    catalog = small.lake.home / "lake" / "catalog.sqlite"
    holding = (
        "import sqlite3, sys; held = sqlite3.connect(sys.argv[1]); "
        "held.execute('BEGIN EXCLUSIVE'); print('held', flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", holding, catalog],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(LakeBusy, match=f"{catalog} 被另一个程序占用"):
        _grow(small.lake, 3)
    other.communicate("\n", timeout=30)
    _grow(small.lake, 3)
    assert _organs(small.lake) == 8
    assert sqlite3.connect(catalog).execute("PRAGMA integrity_check").fetchone() == ("ok",)


HALF_MADE = """
import os, sqlite3, sys
made = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    made.execute(statement)
os._exit(9)
"""
SPILLING = (
    "PRAGMA cache_size = 1",
    "BEGIN",
    "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) "
    "SELECT randomblob(4000) FROM n",
)


@pytest.mark.parametrize("begun", [(), ("PRAGMA journal_mode = WAL",), SPILLING])
def test_a_catalog_whose_maker_was_killed_is_none_yet(
    tmp_path: Path, begun: tuple[str, ...]
) -> None:
    lake = Lake(tmp_path)
    path = tmp_path / "lake" / "catalog.sqlite"
    path.parent.mkdir()
    path.touch()
    ended = subprocess.run([sys.executable, "-c", HALF_MADE, str(path), *begun], check=False)
    assert ended.returncode == 9
    if begun == SPILLING:
        assert path.with_name("catalog.sqlite-journal").stat().st_size
        assert path.stat().st_size
    with pytest.raises(NoLake), lake.read():
        pass
    assert not lake.exists()
    lake.create()
    assert lake.exists()
    with lake.read() as connection:
        assert connection.execute("SELECT count(*) FROM ops.load").fetchone() == (0,)


def test_a_home_that_cannot_be_written_is_told(small: SmallCity, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LakeError, match=r"不能写入.*路径中有一段不是目录"):
        Lake(tmp_path / "file" / "home").create()
    os.unlink(small.lake.home / "lake" / "writer.lock")
    (small.lake.home / "lake" / "writer.lock").mkdir()
    with pytest.raises(LakeError, match=r"不能写入.*writer\.lock"), small.lake.write():
        pass
    assert _organs(small.lake) == 5


def test_a_clock_behind_the_lake_is_told(small: SmallCity) -> None:
    settings = Settings(home=small.lake.home, city=small.folder)
    told = {one.name: one for one in examine(settings, now=NOW - timedelta(days=3650))}["湖"]
    assert (told.verdict, "校准本机时钟" in told.remedy) == ("bad", True)
