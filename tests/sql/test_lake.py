"""The lake: readers beside a writer, snapshots, what an older version left, being moved."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest

import warehouse.lake
from tests.small_city import NOW, SmallCity
from warehouse.catalog import extension_file
from warehouse.lake import Lake, LakeBusy, NoLake, transaction


def test_without_data_the_error_says_what_to_do(home) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NoLake, match="nianbao nightly"), Lake(home).read():
        pass


def test_a_snapshot_is_read_back_as_it_was(small: SmallCity) -> None:
    small.application("2020-03-02")
    pinned = small.lake.snapshot()
    small.application("2020-03-03")
    with small.lake.read(pinned) as connection:
        assert connection.execute("SELECT count(*) FROM core.application").fetchone() == (1,)
    with small.lake.read() as connection:
        assert connection.execute("SELECT count(*) FROM core.application").fetchone() == (2,)


def test_a_reader_cannot_write(small: SmallCity) -> None:
    with small.lake.read() as connection, pytest.raises(Exception, match="read-only"):
        connection.execute("DELETE FROM core.organ")


def test_no_extension_is_loaded_whose_signature_is_not_duckdbs(
    small: SmallCity, tmp_path: Path
) -> None:
    """Our own are loaded without a look at theirs; nobody else's are, nor can that be changed."""
    content = bytearray(extension_file("sqlite_scanner").read_bytes())
    content[-1] ^= 1
    (altered := tmp_path / "altered.duckdb_extension").write_bytes(content)
    with small.lake.read() as connection:
        with pytest.raises(duckdb.IOException, match="signature"):
            connection.execute(f"LOAD '{altered}'")
        with pytest.raises(duckdb.InvalidInputException, match="allow_unsigned_extensions"):
            connection.execute("SET allow_unsigned_extensions = true")


def test_a_failed_transaction_leaves_nothing(small: SmallCity) -> None:
    def fail() -> None:
        with small.lake.write() as connection, transaction(connection):
            connection.execute("DELETE FROM core.organ")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with small.lake.read() as connection:
        assert connection.execute("SELECT count(*) FROM core.organ").fetchone() == (5,)


def test_readers_go_on_while_one_writes_and_a_second_writer_waits(small: SmallCity) -> None:
    impatient = Lake(small.lake.home, write_timeout=0.2)
    with small.lake.write() as connection, transaction(connection):
        connection.execute("DELETE FROM core.organ")
        with small.lake.read() as reader:
            assert reader.execute("SELECT count(*) FROM core.organ").fetchone() == (5,)
        caught: list[Exception] = []

        def second() -> None:
            try:
                with impatient.write():
                    pass
            except LakeBusy as error:
                caught.append(error)

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert len(caught) == 1


def test_columns_of_a_newer_version_are_added_to_an_older_lake(small: SmallCity) -> None:
    with small.lake.write() as connection:
        connection.execute("ALTER TABLE ops.load DROP COLUMN content_hash")
        connection.execute("DROP TABLE ops.quarantine")
    small.lake.create()
    with small.lake.read() as connection:
        assert connection.execute(
            "SELECT count(content_hash), count(*) > 10 FROM ops.load"
        ).fetchone() == (0, True)
        assert connection.execute("SELECT count(*) FROM ops.quarantine").fetchone() == (0,)


def test_a_lake_is_opened_again_after_a_query_that_spilled(
    small: SmallCity, tmp_path: Path
) -> None:
    tight = Lake(small.lake.home, memory_limit="40MB", threads=1)
    sorting = (
        "SELECT sum(x) FROM (SELECT hash(i) AS x FROM range(6000000) t(i) ORDER BY 1 OFFSET 1)"
    )
    with tight.read() as connection:
        connection.execute(sorting).fetchall()
    with tight.write() as connection:
        assert connection.execute("SELECT count(*) FROM core.organ").fetchone() == (5,)
    elsewhere = small.copied_to(tmp_path / "elsewhere").lake
    with Lake(elsewhere.home, memory_limit="40MB", threads=1).read() as connection:
        assert connection.execute("SELECT count(*) FROM core.organ").fetchone() == (5,)


def test_city_files_are_registered_only_when_they_change(small: SmallCity) -> None:
    assert small.register() == []
    organs = small.folder / "organs.csv"
    organs.write_text(
        organs.read_text(encoding="utf-8") + "C,市财政局,department,R,2020-01-01,,,true\n",
        encoding="utf-8",
    )
    before = small.lake.snapshot()
    assert small.register() == ["core.organ"]
    assert small.lake.snapshot() == before + 1


def test_working_days_follow_the_holiday_notices(small: SmallCity) -> None:
    with small.lake.read() as connection:
        days = dict(
            connection.execute(
                "SELECT day_on::VARCHAR, is_working_day FROM core.calendar_day "
                "WHERE day_on IN ('2020-01-19', '2020-01-24', '2020-04-26', '2020-05-09', '2020-10-08')"
            ).fetchall()
        )
        between = connection.execute(
            "SELECT max(working_day_number) - min(working_day_number) FROM core.calendar_day "
            "WHERE day_on IN ('2020-09-25', '2020-10-12')"
        ).fetchone()
    assert days == {
        "2020-01-19": True,
        "2020-01-24": False,
        "2020-04-26": True,
        "2020-05-09": True,
        "2020-10-08": False,
    }
    assert between == (7,)
    assert NOW.year == 2021


def test_many_homes_in_one_process_do_not_pile_up(tmp_path: Path) -> None:
    """Each DuckDB that is kept has threads and memory of its own; a worker opened hundreds."""
    threads = []
    for number in range(24):
        Lake(tmp_path / str(number), threads=2).create()
        threads.append(len(list(Path("/proc/self/task").iterdir())))
    assert threads[-1] <= threads[11] + 2


def test_what_a_command_binds_does_not_bring_pandas(small: SmallCity) -> None:
    """Half a second of every command; whoever needs it for itself still gets it."""
    code = (
        "import sys; from pathlib import Path; from warehouse.lake import Lake\n"
        "from warehouse.without_pandas import let_pandas_in\n"
        "with Lake(Path(sys.argv[1])).read() as connection:\n"
        "    found = connection.execute('SELECT ?::VARCHAR, ?::DATE', ['a', None]).fetchall()\n"
        "    assert found == [('a', None)] and not sys.modules.get('pandas'), found\n"
        "    let_pandas_in()\n"
        "    import pandas\n"
        "    assert connection.execute('SELECT ?', [pandas.NaT]).fetchall() == [(None,)]\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(small.lake.home)], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr


def test_no_duckdb_is_kept_for_ever(small: SmallCity, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that saw many snapshots has grown by a megabyte for each."""
    monkeypatch.setattr(warehouse.lake, "MOST_USES", 3)
    begun: list[object] = []

    def started(*given: Any) -> Any:
        begun.append(warehouse_started(*given))
        return begun[-1]

    warehouse_started = warehouse.lake.started
    monkeypatch.setattr(warehouse.lake, "started", started)
    for _ in range(9):
        with small.lake.read() as connection:
            connection.execute("SELECT count(*) FROM core.application").fetchone()
    # The first reading looks at the lake's release as well.
    assert 3 <= len(begun) <= 4
