"""Processes and threads beside each other on one data home, each with more than fits into memory."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.small_city import SmallCity
from warehouse.lake import Lake
from warehouse.temporary import OWNER, spill_folder

ROWS = 2_000_000
SPILLING = (
    "SELECT count(*), bit_xor(h), max(r) FROM (SELECT hash(i) AS h, row_number() OVER "
    f"(ORDER BY md5(i::VARCHAR)) AS r FROM range({ROWS}) t(i))"
)
TIGHT = {"memory_limit": "80MB", "threads": 1}
READER = """
import json, sys
from pathlib import Path
from warehouse.lake import Lake
with Lake(Path(sys.argv[1]), memory_limit="80MB", threads=1).read() as connection:
    for _ in range(2):
        print(json.dumps(connection.execute(sys.argv[2]).fetchone()), flush=True)
"""
WRITER = """
import json, sys
from pathlib import Path
from warehouse.lake import Lake, transaction
lake = Lake(Path(sys.argv[1]), memory_limit="80MB", threads=1)
for _ in range(2):
    with lake.write() as connection, transaction(connection):
        connection.execute("DELETE FROM core.organ WHERE organ_id LIKE 'spilled%'")
        row = connection.execute(sys.argv[2]).fetchone()
        connection.execute("INSERT INTO core.organ SELECT 'spilled' || h, '某局', 'department', 'R', "
            "DATE '2020-01-01', NULL, NULL, true FROM (SELECT md5(i::VARCHAR) AS h "
            "FROM range(300000) t(i) ORDER BY 1)")
    print(json.dumps(row), flush=True)
"""
HOLDING = """
import sys
from pathlib import Path
from warehouse.temporary import spill_folder
print(spill_folder(Path(sys.argv[1])).parent, flush=True)
input()
"""


def _started(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _answers(processes: Sequence[subprocess.Popen[str]]) -> list[list[int]]:
    """What each printed; none may end otherwise than by itself."""
    answers = []
    for process in processes:
        printed, told = process.communicate(timeout=300)
        assert process.returncode == 0, (process.returncode, told)
        answers += [json.loads(line) for line in printed.splitlines()]
    return answers


def _alone(lake: Lake) -> list[int]:
    with Lake(lake.home).read() as connection:
        row = connection.execute(SPILLING).fetchone()
    assert row is not None
    return list(row)


def test_processes_that_spill_beside_each_other_are_right(small: SmallCity) -> None:
    home = small.lake.home
    processes = [_started(READER, home, SPILLING) for _ in range(3)]
    processes += [_started(WRITER, home, SPILLING) for _ in range(2)]
    assert _answers(processes) == [_alone(small.lake)] * 10
    with small.lake.read() as connection:
        assert connection.execute(
            "SELECT count(*), count(DISTINCT organ_id) FROM core.organ WHERE organ_id LIKE 'spilled%'"
        ).fetchone() == (300_000, 300_000)


def test_threads_of_one_process_that_spill_beside_each_other_are_right(small: SmallCity) -> None:
    lake = Lake(small.lake.home, **TIGHT)  # type: ignore[arg-type]
    found: list[list[int]] = []

    def ask() -> None:
        with lake.read() as connection:
            row = connection.execute(SPILLING).fetchone()
        assert row is not None
        found.append(list(row))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [_alone(small.lake)] * 3


def test_what_a_dead_process_spilled_is_swept_and_a_living_ones_stays(tmp_path: Path) -> None:
    base = tmp_path / "temporary"
    base.mkdir()
    (base / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"of a release with one folder")
    processes = [_started(HOLDING, base) for _ in range(2)]
    folders = []
    for process in processes:
        assert process.stdout is not None
        folders.append(Path(process.stdout.readline().strip()))
        (folders[-1] / "1").mkdir()
        (folders[-1] / "1" / "block.tmp").write_bytes(b"x")
    dead, living = processes
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    mine = spill_folder(base)
    assert mine is not None
    assert not folders[0].exists()
    assert (folders[1] / "1" / "block.tmp").exists()
    assert {p.name for p in base.iterdir() if p.is_dir()} == {folders[1].name, mine.parent.name}
    assert not list(base.glob("duckdb_temp*"))
    living.communicate("\n", timeout=30)
    assert living.returncode == 0
    assert not folders[1].exists()


def test_each_duckdb_has_a_folder_of_its_own(tmp_path: Path) -> None:
    folders = [spill_folder(tmp_path) for _ in range(5)]
    assert len(set(folders)) == 5
    assert {f.parent / OWNER for f in folders if f} == {next(tmp_path.glob(f"*/{OWNER}"))}


def test_where_nothing_can_be_written_reading_goes_on(small: SmallCity, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lake = Lake(small.lake.home, temporary=tmp_path / "file" / "temporary")
    with lake.read() as connection:
        assert connection.execute("SELECT count(*) FROM core.organ").fetchone() == (5,)


def test_another_folder_may_be_named(small: SmallCity, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    lake = Lake(small.lake.home, temporary=elsewhere, **TIGHT)  # type: ignore[arg-type]
    with lake.read() as connection:
        connection.execute(SPILLING).fetchone()
        assert list(elsewhere.rglob("*.tmp")) or list(elsewhere.glob("*/*"))


@pytest.mark.parametrize("module", ["tasks", "flows", "expectations", "deployments"])
def test_no_duckdb_is_made_past_the_warehouse(module: str) -> None:
    root = Path(__file__).parents[2] / module
    assert not [p for p in root.rglob("*.py") if "duckdb.connect(" in p.read_text(encoding="utf-8")]
