"""The lake on a PostgreSQL catalog: what several processes do with it, and moving there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import warehouse.lake
from tasks.clock import now
from tasks.load.load import load
from tasks.publish.maintain import maintain
from tasks.settings import Settings
from tasks.sources.plan import plan
from tasks.sources.pull import pull
from tasks.watch.doctor import examine
from tests import postgres
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from tests.small_city import SmallCity
from warehouse.catalog import PostgresCatalog, sqlite_of
from warehouse.errors import ConfigurationError, NianbaoError
from warehouse.lake import Lake, LakeBusy, LakeError, NoLake, transaction
from warehouse.lake_errors import CatalogAway
from warehouse.move_catalog import move_catalog

CODE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.running(postgres.programs_or_skip()) as made:
        yield made


@pytest.fixture(scope="module")
def city(cluster: postgres.Cluster, tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    return SmallCity.create(tmp_path_factory.mktemp("city"), cluster.database("city"))


def _other(lake: Lake, code: str) -> subprocess.Popen[str]:
    """Another process with `lake` (impatient) and `count()` of the organs."""
    given = "import os; from pathlib import Path; from warehouse.lake import *\n"
    given += (
        "lake = Lake(Path(os.environ['LAKE']), write_timeout=0.1, address=os.environ['ADDRESS'])\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", given + code],
        cwd=CODE,
        env={**os.environ, "LAKE": str(lake.home), "ADDRESS": lake.address},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _organs(lake: Lake, snapshot: int | None = None) -> int:
    with lake.read(snapshot) as connection:
        row = connection.execute("SELECT count(*) FROM core.organ").fetchone()
    assert row is not None
    return int(row[0])


def test_another_process_reads_while_one_writes_and_may_not_write(city: SmallCity) -> None:
    asking = """
with lake.read() as connection:
    print(connection.execute("SELECT count(*) FROM core.organ").fetchone()[0])
try:
    with lake.write():
        print("wrote")
except LakeBusy as error:
    print(error)
"""
    with city.lake.write() as connection, transaction(connection):
        connection.execute("DELETE FROM core.organ WHERE organ_id = 'B'")
        answer, _ = _other(city.lake, asking).communicate(timeout=60)
        connection.execute("INSERT INTO core.organ SELECT * FROM core.organ LIMIT 0")
        connection.execute(
            "INSERT INTO core.organ VALUES ('B', '市教育局', 'department', 'R', '2000-01-01', NULL, NULL, true)"
        )
    lines = answer.splitlines()
    assert lines[0] == "5"
    assert lines[1].startswith("另一个进程正在写入")
    with city.lake.write():
        pass


def test_two_writers_of_one_process_exclude_each_other_as_well(city: SmallCity) -> None:
    impatient = Lake(city.lake.home, write_timeout=0.1, address=city.lake.address)
    with city.lake.write(), pytest.raises(LakeBusy), impatient.write():
        pass


def test_a_killed_writer_leaves_nothing_and_frees_the_way(city: SmallCity) -> None:
    before = city.lake.snapshot()
    writing = """
with lake.write() as connection, transaction(connection):
    connection.execute("DELETE FROM core.organ")
    connection.execute("INSERT INTO ops.watermark SELECT 's' || i, 'r', '1', now(), 'l' FROM range(5000) t(i)")
    print("half", flush=True)
    input()
"""
    writer = _other(city.lake, writing)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "half\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert (city.lake.snapshot(), _organs(city.lake)) == (before, 5)
    # The server may take a moment to see that the writer is gone; a writer waits for it.
    with city.lake.write() as connection, transaction(connection):
        assert connection.execute("SELECT count(*) FROM ops.watermark").fetchone() == (0,)


def _asked_after(port: int, *, is_server: bool) -> list[float]:
    """In how many seconds whoever is at the other end of each connection of a port is asked for a
    sign of life; as the system's table of connections has it, for either end."""
    found = []
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, remote, state, _, timer, *_ = line.split()
        kind, _, left = timer.partition(":")
        mine = local if is_server else remote
        if state == "01" and kind == "02" and int(mine.partition(":")[2], 16) == port:
            found.append(int(left, 16) / os.sysconf("SC_CLK_TCK"))
    return found


def test_a_writer_whose_machine_is_gone_is_noticed_within_a_minute(
    cluster: postgres.Cluster, city: SmallCity
) -> None:
    """A machine that is switched off closes no connection; its lock would stay for two hours."""

    def asked_soon(*, is_server: bool) -> bool:
        return any(left <= 30 for left in _asked_after(cluster.port, is_server=is_server))

    assert not asked_soon(is_server=True)
    with city.lake.write():
        # While an answer is under way the table shows another timer.
        until = time.monotonic() + 20
        while not (asked_soon(is_server=True) and asked_soon(is_server=False)):
            assert time.monotonic() < until
            time.sleep(0.05)


def test_a_load_is_merged_once_and_a_pinned_snapshot_stays(city: SmallCity, tmp_path: Path) -> None:
    vendor = Vendor(files.records(20))
    with vendor.serving():
        source = files.written(tmp_path, files.raw_source(vendor), "vendor")

        def run() -> tuple[int, str]:
            (due,) = plan(source, city.lake, now=now())
            result = load(pull(due, tmp_path / "landing"), source, city.lake)
            return result.rows_written, result.status

        assert run() == (20, "loaded")
        pinned = city.lake.snapshot()
        assert run() == (0, "unchanged")
        vendor.records[3] |= {"title": "改过的标题"}
        assert run() == (1, "loaded")
    title = "SELECT title FROM core.article WHERE record_id = 'R00003'"
    with city.lake.read() as connection:
        assert connection.execute(title).fetchone() == ("改过的标题",)
    with city.lake.read(pinned) as connection:
        assert connection.execute(title).fetchone() != ("改过的标题",)
    with city.lake.read(pinned) as connection:
        was = connection.execute("FROM core.article ORDER BY record_id").fetchall()
    tidied = maintain(
        city.lake,
        Settings(home=city.lake.home, city=city.folder, catalog=city.lake.address),
        now=now(),
    )
    # What lay in the catalog was written out, as snapshots of their own; none was taken away.
    assert tidied.snapshots_after >= tidied.snapshots_before
    with city.lake.read(pinned) as connection:
        assert connection.execute("FROM core.article ORDER BY record_id").fetchall() == was


def test_a_kept_lake_is_read_on_after_the_server_was_restarted(
    city: SmallCity, cluster: postgres.Cluster
) -> None:
    assert _organs(city.lake) == 5
    cluster.control("stop")
    with pytest.raises(LakeError, match="连不上目录库"):
        _organs(city.lake)
    cluster.control("start")
    assert _organs(city.lake) == 5
    with city.lake.write() as connection:
        assert connection.execute("SELECT count(*) FROM core.organ").fetchone() == (5,)


def test_a_run_waits_for_a_database_that_is_away_and_a_command_does_not(
    cluster: postgres.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = cluster.database("away")
    settings = Settings(home=tmp_path, catalog=address)  # type: ignore[arg-type]
    settings.lake().create()
    cluster.control("stop")
    again = threading.Timer(3, cluster.control, ["start"])
    again.start()
    try:
        with pytest.raises(CatalogAway, match="连不上目录库"):
            settings.lake().snapshot()
        monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "a run")
        with settings.lake().write() as connection, transaction(connection):
            connection.execute("DELETE FROM ops.load")
    finally:
        again.join()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("dbname=city", "dbname=nowhere"), "does not exist"),
        (("password='p", "password='wrong"), "authentication failed"),
    ],
)
def test_what_is_wrong_with_the_database_is_told_without_the_password(
    city: SmallCity, change: tuple[str, str], said: str
) -> None:
    address = city.lake.address.replace(*change)
    settings = Settings(home=city.lake.home, city=city.folder, catalog=address)
    told = {one.name: one for one in examine(settings, now=now())}["湖"]
    assert told.verdict == "bad"
    assert said in told.found
    assert "NIANBAO_CATALOG" in told.found
    with pytest.raises(NianbaoError) as caught:
        settings.lake().exists()
    seen: BaseException | None = caught.value
    while seen is not None:
        assert "s\\s" not in str(seen)
        assert "w@rd" not in str(seen)
        seen = seen.__cause__ or seen.__context__
    assert "w@rd" not in repr(settings.lake())
    assert "w@rd" not in repr(settings)


def test_a_server_that_does_not_speak_english_is_told_of(tmp_path: Path) -> None:
    with postgres.running(postgres.programs_or_skip(), "zh_CN") as chinese:
        address = chinese.database("city")
        lake = Lake(tmp_path / "home", address=address)
        lake.create()
        settings = Settings(home=lake.home, city=tmp_path, catalog=address)

        def told() -> tuple[str, str]:
            (one,) = examine(settings, now=now(), only=("湖",))
            return one.verdict, one.remedy

        verdict, remedy = told()
        assert (verdict, "lc_messages = 'C'" in remedy) == ("doubtful", True)
        statement = "ALTER ROLE nianbao SET lc_messages = 'C'"
        with lake.write() as connection:
            connection.execute("CALL postgres_execute('writer', $1)", [statement])
        warehouse.lake._idle.clear()
        assert told() == ("good", "")


def test_a_database_without_a_lake_is_no_lake(cluster: postgres.Cluster, tmp_path: Path) -> None:
    lake = Lake(tmp_path, address=cluster.database("empty"))
    assert not lake.exists()
    with pytest.raises(NoLake, match="nianbao nightly"), lake.read():
        pass


def test_a_lake_moved_to_postgresql_reads_the_same_at_every_snapshot(
    small: SmallCity, cluster: postgres.Cluster
) -> None:
    small.application("2020-03-02", "2020-03-20")
    small.unmark_loaded("article")
    with small.lake.write() as connection:
        connection.execute("ALTER TABLE ops.load ADD COLUMN remark VARCHAR")
    newest = small.lake.snapshot()
    snapshots = (newest - 3, newest - 1, newest)
    before = _contents(small.lake, snapshots)
    address = cluster.database("moved")
    target = PostgresCatalog.of(address)
    moved_lake = Lake(small.lake.home, address=address)
    with pytest.raises(ConfigurationError, match="move-catalog"):
        moved_lake.exists()
    moved = move_catalog(small.lake, sqlite_of(small.lake.home), target)
    # Writing the inlined rows to files is a snapshot of its own.
    assert moved.snapshot == moved_lake.snapshot() >= newest
    assert _contents(moved_lake, snapshots) == before
    with moved_lake.write() as connection:
        connection.execute("DELETE FROM core.organ WHERE organ_id = 'B'")
    assert _organs(moved_lake) == 4
    assert _organs(moved_lake, moved.snapshot) == 5
    with pytest.raises(ConfigurationError, match="已迁到 PostgreSQL"):
        Lake(small.lake.home).exists()
    with pytest.raises(NoLake):
        move_catalog(small.lake, sqlite_of(small.lake.home), target)


def test_nothing_is_moved_over_a_lake_that_is_there(small: SmallCity, city: SmallCity) -> None:
    before = city.lake.snapshot()
    with pytest.raises(ConfigurationError, match="已有一个湖"):
        move_catalog(small.lake, sqlite_of(small.lake.home), PostgresCatalog.of(city.lake.address))
    assert city.lake.snapshot() == before
    assert _organs(small.lake) == 5


def _contents(lake: Lake, snapshots: Sequence[int]) -> dict[tuple[int, str], object]:
    """The filled tables at some snapshots, as fingerprints."""
    names = ("core.organ", "core.calendar_day", "core.application", "ops.load", "ops.resource_file")
    found: dict[tuple[int, str], object] = {}
    for snapshot in snapshots:
        with lake.read(snapshot) as connection:
            for name in names:
                found[snapshot, name] = connection.execute(
                    f"SELECT count(*), sum(hash(t)) FROM {name} AS t"
                ).fetchone()
    return found
