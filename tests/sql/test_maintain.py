"""Maintenance after processes that were killed, and over many nights of changes."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.editions.build import build_edition
from tasks.publish import maintain as maintenance
from tasks.publish.files import finish_all, publishing
from tasks.publish.logs import put_aside_long_logs
from tasks.publish.maintain import maintain
from tasks.publish.publish import Request
from tasks.render import render_edition
from tasks.settings import Settings
from tests.approving import approve_and_publish
from tests.small_city import NOW, SmallCity
from warehouse.lake import Connection, Lake, LakeError, transaction
from warehouse.period import Period
from warehouse.reading import measures, reading

LATER = NOW + timedelta(days=3650)


def settings_of(city: SmallCity) -> Settings:
    return Settings(home=city.lake.home, city=city.folder)


def rows(lake: Lake) -> list[tuple[object, ...]]:
    with lake.read() as connection:
        return connection.execute("SELECT * FROM core.application ORDER BY record_id").fetchall()


def test_what_killed_processes_left_does_not_outlive_it(small: SmallCity, tmp_path: Path) -> None:
    for day in range(1, 9):
        small.application(f"2020-03-0{day}", "2020-03-20")
    # A home that was moved: its catalog still says where it was made.
    moved = small.copied_to(tmp_path / "elsewhere")
    before = rows(moved.lake)
    settings = settings_of(moved)
    whole = next(moved.lake.files.rglob("*.parquet"))
    orphan = whole.with_name("ducklake-00000000-0000-7000-8000-000000000000.parquet")
    shutil.copy(whole, orphan)
    landing = settings.landing / "s" / "application"
    half, kept, fresh = (landing / name for name in ("half", "kept", "fresh"))
    aside = settings.editions / ".2020-1.x"
    for folder in (half, kept, fresh, aside):
        folder.mkdir(parents=True)
    (half / "application.jsonl.zst").write_bytes(b"cut off")
    (kept / "manifest.json").write_text("{}")
    now = NOW.replace(year=2040)
    for folder in (half, kept, aside):
        os.utime(folder, (0, 0))
    os.utime(fresh, (now.timestamp(), now.timestamp()))
    done = maintain(moved.lake, settings, now=now)
    assert done.leftovers == 3
    assert [p.exists() for p in (orphan, half, aside, kept, fresh)] == [False] * 3 + [True] * 2
    assert rows(moved.lake) == before
    assert maintain(moved.lake, settings, now=now).leftovers == 0


class Heard:
    """A connection that notes with how many threads DuckLake is called."""

    def __init__(self, connection: Connection, threads: list[int]) -> None:
        self._connection, self._threads = connection, threads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *values: Any) -> Connection:
        if statement.startswith("CALL ducklake_"):
            self._threads.append(threads_of(self._connection))
        return self._connection.execute(statement, *values)


def test_landings_of_closed_years_go_only_where_years_are_named(small: SmallCity) -> None:
    settings = settings_of(small)

    def landed(name: str, year: int, status: str | None = "loaded", resource: str = "r") -> Path:
        load_id = f"s/{resource}/{name}"
        folder = settings.landing / load_id
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
        if status:
            with small.lake.write() as connection, transaction(connection):
                connection.execute(
                    "INSERT INTO ops.load (load_id, source_system, resource, table_name, started_at, "
                    "load_status, landing_manifest) VALUES (?, 's', ?, 'core.application', ?, ?, ?)",
                    [
                        load_id,
                        resource,
                        f"{year}-06-01",
                        status,
                        f"landing/{load_id}/manifest.json",
                    ],
                )
        return folder

    gone = [landed("a", 2017), landed("b", 2018, "unchanged")]
    kept = [
        landed("c", 2019),
        landed("d", 2021),
        landed("stopped", 2017, "stopped"),
        landed("never", 2017, None),
        landed("only", 2015, resource="once"),
    ]
    now = NOW.replace(year=2021)
    assert maintain(small.lake, settings, now=now).landings_dropped == 0
    assert all(folder.exists() for folder in (*gone, *kept))
    limited = settings.model_copy(update={"keep_landing_years": 2})
    assert maintain(small.lake, limited, now=now).landings_dropped == 2
    assert not any(folder.exists() for folder in gone)
    assert all(folder.exists() for folder in kept)
    assert maintain(small.lake, limited, now=now).landings_dropped == 0


def threads_of(connection: Connection) -> int:
    row = connection.execute("SELECT current_setting('threads')").fetchone()
    assert row is not None
    return int(row[0])


def test_ducklake_is_called_with_one_thread_and_queries_have_all(
    small: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With several it corrupts its heap now and then: all tables share one of its transactions."""
    small.application("2020-03-01")
    lake = Lake(small.lake.home, threads=3)
    threads: list[int] = []
    write = Lake.write

    @contextmanager
    def heard(self: Lake) -> Iterator[Any]:
        with write(self) as connection:
            yield Heard(connection, threads)

    monkeypatch.setattr(Lake, "write", heard)
    maintain(lake, settings_of(small), now=LATER)
    assert len(threads) > 3
    assert set(threads) == {1}
    with lake.read() as connection:
        assert threads_of(connection) == 3


def test_files_that_a_reader_or_a_snapshot_needs_stay(small: SmallCity) -> None:
    ids = [small.application(f"2020-03-0{day}") for day in range(1, 9)]
    pinned = small.lake.snapshot()
    edition = build_edition(small.lake, small.folder, Period.of_year(2020), now=NOW).edition
    with small.lake.write() as connection, transaction(connection):
        connection.execute("DELETE FROM core.application WHERE record_id <> ?", [ids[0]])
    maintain(small.lake, settings_of(small), now=LATER)
    assert len(rows(small.lake)) == 1
    with small.lake.read(edition.snapshot) as connection:
        assert connection.execute("SELECT count(*) FROM core.application").fetchone() == (8,)
    assert edition.snapshot >= pinned


def test_an_older_snapshot_reads_the_same_after_maintenance(small: SmallCity) -> None:
    """Whatever was deleted, filled or emptied since: every condition, count and extreme."""
    for day in range(1, 9):
        small.application(f"2020-03-0{day}", "2020-03-20")
    small.application("2019-12-02", "2020-01-09")
    small.application("2018-05-02", applicant_kind=None)
    edition = build_edition(small.lake, small.folder, Period.of_year(2020), now=NOW).edition
    questions = [
        "SELECT count(*) FROM t WHERE received_on < DATE '2020-01-01'",
        "SELECT count(*) FROM t WHERE received_on BETWEEN DATE '2020-01-01' AND DATE '2020-12-31'",
        "SELECT count(*) FROM t WHERE applicant_kind IS NULL",
        "SELECT count(applicant_kind), count(*), count(closed_on) FROM t",
        "SELECT min(received_on), max(received_on), min(closed_on) FROM t",
        "SELECT count(*) FROM t WHERE closed_on IS NULL OR closed_on > DATE '2020-12-31'",
    ]

    def asked() -> list[Any]:
        at = f"FROM lake.core.application AT (VERSION => {edition.snapshot})"
        with small.lake.read() as connection:
            found = [
                connection.execute(question.replace("FROM t", at)).fetchall()
                for question in questions
            ]
        with reading(small.lake, edition.snapshot) as opened:
            for name in measures():
                table = opened.measure(name, edition.period)
                found.append(opened.connection.execute(f"FROM {table} ORDER BY ALL").fetchall())
        return found

    before = asked()
    with small.lake.write() as connection, transaction(connection):
        connection.execute("DELETE FROM core.application WHERE received_on < DATE '2020-03-02'")
        connection.execute("DELETE FROM core.application WHERE applicant_kind IS NULL")
        connection.execute("UPDATE core.application SET closed_on = DATE '2020-03-21'")
    maintain(small.lake, settings_of(small), now=LATER)
    assert asked() == before


def test_maintenance_that_would_change_history_stops_before_it_removes_a_file(
    small: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.application("2020-03-01", "2020-03-20")
    edition = build_edition(small.lake, small.folder, Period.of_year(2020), now=NOW).edition
    seen = []

    def contents(connection: Connection, snapshots: Any) -> maintenance.Contents:
        found = true_contents(connection, snapshots)
        seen.append(found)
        if len(seen) == 2:  # A row of the edition's snapshot is there twice now.
            key = (edition.snapshot, "core.application")
            found[key] = (found[key][0] + 1, found[key][1])
        return found

    true_contents = maintenance.contents
    monkeypatch.setattr(maintenance, "contents", contents)
    files = set(small.lake.files.rglob("*.parquet"))
    with pytest.raises(
        LakeError, match=rf"快照 {edition.snapshot} 的表 core.application 由 1 行变为 2"
    ):
        maintain(small.lake, settings_of(small), now=LATER)
    assert files <= set(small.lake.files.rglob("*.parquet"))


def test_nights_of_changes_leave_a_lake_of_bounded_size(small: SmallCity) -> None:
    settings = settings_of(small)
    small.add(
        "application",
        *[
            {"organ_id": "A1", "received_on": NOW.date(), "registered_number": f"n{i}"}
            for i in range(200)
        ],
    )
    sizes = []
    for night in range(12):
        with small.lake.write() as connection, transaction(connection):
            connection.execute(
                "UPDATE core.application SET row_hash = md5(row_hash) "
                "WHERE hash(record_id) % 20 = ?",
                [night % 20],
            )
        done = maintain(small.lake, settings, now=LATER + timedelta(days=night))
        sizes.append(done.files_after)
        with small.lake.read() as connection:
            dead = connection.execute(
                "SELECT coalesce(sum(delete_count), 0) "
                "FROM __ducklake_metadata_lake.ducklake_delete_file AS d "
                "JOIN __ducklake_metadata_lake.ducklake_table AS t USING (table_id) "
                "WHERE t.table_name = 'application' AND d.end_snapshot IS NULL"
            ).fetchone()
        assert dead is not None
        assert dead[0] <= 0.25 * 200
    assert len(rows(small.lake)) == 200
    assert max(sizes[6:]) <= max(sizes[:6]) + 2


class Killed(BaseException):
    """Stands for a kill: nothing catches it on the way."""


def killed(*_: object) -> None:
    raise Killed


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(p.stat().st_mode) for p in (folder, *folder.iterdir())}


def ask(city: SmallCity) -> None:
    request = Request(edition_id="2020-1", approver="张三", statement="同意发布")
    approve_and_publish(city.lake, settings_of(city), request, now=NOW)


@pytest.fixture(scope="module")
def approved(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    """The lake says that it is published; the process was killed before its files were moved."""
    city = small_template.copied_to(tmp_path_factory.mktemp("approved"))
    city.application("2020-03-02", "2020-03-20")
    edition = build_edition(city.lake, city.folder, Period.of_year(2020), now=NOW).edition
    render_edition(edition, settings_of(city).editions / edition.id, lake=city.lake)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tasks.publish.files.freeze", killed)
        with pytest.raises(Killed):
            ask(city)
    return city


def test_a_publication_cut_off_while_its_files_are_put_in_place_is_finished(
    approved: SmallCity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off before changes of a folder: the first ones, one in the middle, and all of the end."""
    changes = _finish_but_for(approved.copied_to(tmp_path / "whole"), 10_000, monkeypatch)
    for step in (1, changes // 2, *range(changes - 3, changes + 1)):
        city = approved.copied_to(tmp_path / str(step))
        settings = settings_of(city)
        folder = settings.editions / "2020-1"
        assert _finish_but_for(city, step, monkeypatch) == step
        # At no moment can what was published be written to.
        if (folder / "edition.duckdb").exists():
            assert modes(folder) == {0o444, 0o555}
        _maintain_apart(city)
        assert modes(folder) == {0o444, 0o555}
        assert [p.name for p in settings.editions.iterdir() if p.is_dir()] == ["2020-1"]


def _maintain_apart(city: SmallCity) -> None:
    """Maintenance in a process of its own, as it runs after a kill; no edition's files changed."""
    code = (
        "import sys; from pathlib import Path; from datetime import datetime\n"
        "from tasks.publish.maintain import maintain; from tasks.settings import Settings\n"
        "from warehouse.lake import Lake\n"
        "home, city = map(Path, sys.argv[1:])\n"
        "done = maintain(Lake(home), Settings(home=home, city=city), now=datetime(2040, 1, 1))\n"
        "assert done.changed_editions == {}, done\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code, str(city.lake.home), str(city.folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _finish_but_for(city: SmallCity, last: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Put the files in place, killed before a certain change; returns how many were tried."""
    made = 0

    def counted(change: Any) -> Any:
        def changing(*arguments: Any, **named: Any) -> Any:
            nonlocal made
            made += 1
            return killed() if made == last else change(*arguments, **named)

        return changing

    with monkeypatch.context() as patched, suppress(Killed):
        for name in ("chmod", "rename"):
            patched.setattr(Path, name, counted(getattr(Path, name)))
        patched.setattr(shutil, "rmtree", counted(shutil.rmtree))
        finish_all(city.lake, settings_of(city))
    return made


def test_files_that_an_earlier_release_left_writable_become_read_only(
    approved: SmallCity, tmp_path: Path
) -> None:
    city = approved.copied_to(tmp_path / "city")
    settings = settings_of(city)
    finish_all(city.lake, settings)
    with city.lake.write() as connection:
        # An earlier release did not sign, nor number what it published.
        connection.execute("UPDATE yearly.publication SET publication_number = NULL")
    folder = settings.editions / "2020-1"
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    maintain(city.lake, settings, now=LATER)
    assert modes(folder) == {0o444, 0o555}


def test_a_publication_that_is_going_on_is_left_alone(approved: SmallCity, tmp_path: Path) -> None:
    city = approved.copied_to(tmp_path / "city")
    settings = settings_of(city)
    with publishing(settings):
        finish_all(city.lake, settings)
        assert (settings.editions / ".publishing-2020-1").exists()


def test_logs_of_processes_that_run_for_months_stay_bounded(tmp_path: Path) -> None:
    log = tmp_path / "runs.log"
    (tmp_path / "short.log").write_text("kept\n", encoding="utf-8")
    written = 0
    # As a server that is never started again has its log open.
    with log.open("ab", buffering=0) as server:
        for _ in range(5):
            for _ in range(2000):
                server.write(f"{written:08d} 运行\n".encode())
                written += 1
            put_aside_long_logs(tmp_path, longest=20_000)
            assert sum(p.stat().st_size for p in tmp_path.iterdir()) < 60_000
        server.write("末行\n".encode())
    assert log.read_text(encoding="utf-8").splitlines()[-1] == "末行"
    aside = (tmp_path / "runs.log.1").read_text(encoding="utf-8").splitlines()
    assert [int(line[:8]) for line in aside] == list(range(written - len(aside), written))
    assert (tmp_path / "short.log").read_text(encoding="utf-8") == "kept\n"
