"""The lake's data files in an object storage: the same figures, nothing on this machine, faults told."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import warehouse.lake
from tasks.city.register import register_city
from tasks.editions.build import build_edition
from tasks.publish.files import publishing
from tasks.publish.maintain import maintain
from tasks.settings import AWAY_SECONDS, OF_A_RUN, Settings, SettingsError
from tasks.watch.doctor import examine
from tests import object_storage
from tests.object_storage import KEY, ObjectStorage
from tests.small_city import NOW, SmallCity
from warehouse.lake import Lake, LakeError, transaction
from warehouse.lake_errors import SharedStorage
from warehouse.period import Period
from warehouse.storage import Bucket
from warehouse.tables import all_tables

BUCKET = "archive"


@pytest.fixture(scope="module")
def service() -> Iterator[ObjectStorage]:
    with object_storage.running() as made:
        made.make_bucket(BUCKET)
        yield made


@pytest.fixture
def settings_of(service: ObjectStorage, tmp_path: Path) -> Callable[..., Settings]:
    """Settings with the lake's files in the bucket; by default below the test's own prefix."""

    def made(city: SmallCity, **values: Any) -> Settings:
        given = {
            "home": tmp_path / "home",
            "city": city.folder,
            "storage": f"s3://{BUCKET}/{tmp_path.name.replace('[', '').replace(']', '')}",
            "storage_endpoint": service.endpoint,
            "storage_key": KEY,
            "storage_secret": "s3cr3t/+=",
            **values,
        }
        return Settings(**given)

    return made


def _begun(city: SmallCity, settings: Settings) -> SmallCity:
    """The city with a lake made anew by its settings."""
    made = SmallCity(city.folder, settings.lake())
    made.lake.create()
    register_city(made.lake, made.folder, now=NOW)
    made.mark_loaded([t.name for t in all_tables() if t.is_pulled])
    return made


def _fill(city: SmallCity) -> None:
    rows = [
        {
            "organ_id": "A1",
            "received_on": NOW.date() - timedelta(days=300 - number % 200),
            "closed_on": NOW.date() - timedelta(days=90),
            "applicant_kind": "natural_person",
            "outcome": "granted",
            "record_id": f"application-{number}",
        }
        for number in range(40)
    ]
    city.add("application", *rows)
    # So few rows would lie in the catalog.
    with city.lake.write() as connection:
        connection.execute("CALL ducklake_flush_inlined_data('lake')")


def test_a_year_from_a_bucket_is_that_from_a_folder(
    small: SmallCity, settings_of: Callable[..., Settings], service: ObjectStorage, tmp_path: Path
) -> None:
    settings = settings_of(small)
    city = _begun(small, settings)
    for one in (small, city):
        _fill(one)
    year = Period.of_year(2020)
    here, there = (build_edition(c.lake, c.folder, year, now=NOW).edition for c in (small, city))
    assert here.cells == there.cells
    assert (here.cell_hash, here.definition_hash) == (there.cell_hash, there.definition_hash)
    # Other lakes lie in the same bucket.
    own = settings.storage.partition(f"{BUCKET}/")[2]
    held = [k for k in service.objects(BUCKET) if k.startswith(f"{own}/") and "/application/" in k]
    assert held
    # Nothing of it lies on this machine, under whatever name.
    assert [p for p in tmp_path.rglob("*.parquet") if "small" not in p.parts] == []
    assert not any(p.name.startswith("s3") for p in (*Path.cwd().iterdir(), *tmp_path.iterdir()))
    # Maintenance takes away what a killed process left, and nothing that a snapshot needs.
    prefix = held[0].rpartition("/")[0]
    with city.lake.write() as connection, transaction(connection):
        connection.execute("DELETE FROM core.application WHERE record_id <> 'application-1'")
    with city.lake.write() as connection:
        connection.execute(f"COPY (SELECT 1) TO 's3://{BUCKET}/{prefix}/left.parquet'")
    done = maintain(city.lake, settings, now=NOW + timedelta(days=3650))
    assert (done.leftovers, done.pinned) == (1, 1)
    assert done.bytes_after > 0
    with city.lake.read(there.snapshot) as connection:
        assert connection.execute("SELECT count(*) FROM core.application").fetchone() == (40,)


def test_a_killed_load_leaves_nothing_in_the_figures(
    small: SmallCity, settings_of: Callable[..., Settings]
) -> None:
    city = _begun(small, settings_of(small))
    _fill(city)
    killing = """
import os, signal, sys
from pathlib import Path
from tasks.settings import AWAY_SECONDS, OF_A_RUN, Settings
lake = Settings().lake()
with lake.write() as connection:
    connection.execute("BEGIN")
    connection.execute("INSERT INTO ops.watermark SELECT 's' || i, 'r', '1', now(), 'l' FROM range(5000) t(i)")
    connection.execute("DELETE FROM core.application")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    settings = settings_of(small)
    done = subprocess.run(
        [sys.executable, "-c", killing],
        cwd=Path(__file__).parents[2],
        env={
            "NIANBAO_HOME": str(settings.home),
            "NIANBAO_CITY": str(settings.city),
            "NIANBAO_STORAGE": settings.storage,
            "NIANBAO_STORAGE_ENDPOINT": settings.storage_endpoint,
            "NIANBAO_STORAGE_KEY": KEY,
            "NIANBAO_STORAGE_SECRET": "s3cr3t/+=",
        },
        check=False,
    )
    assert done.returncode == -9
    with city.lake.read() as connection:
        assert connection.execute("SELECT count(*) FROM core.application").fetchone() == (40,)
        assert connection.execute("SELECT count(*) FROM ops.watermark").fetchone() == (0,)


def test_two_lakes_at_one_place_are_refused_before_either_loses_a_file(
    small: SmallCity,
    settings_of: Callable[..., Settings],
    service: ObjectStorage,
    tmp_path: Path,
) -> None:
    for place in ({}, {"storage": str(tmp_path / "shared")}):
        first = _begun(small, settings_of(small, home=tmp_path / f"first{len(place)}", **place))
        _fill(first)
        other = settings_of(small, home=tmp_path / f"second{len(place)}", **place)
        with pytest.raises(SharedStorage, match=r"另一个湖.*NIANBAO_STORAGE"):
            other.lake().create()
        kept = other.editions / ".publishing-2020-1"
        kept.mkdir(parents=True)
        with pytest.raises(SharedStorage):
            maintain(other.lake(), other, now=NOW)
        with pytest.raises(SharedStorage), publishing(other):
            pass
        assert kept.exists()
        with first.lake.read() as connection:
            assert connection.execute("SELECT count(*) FROM core.application").fetchone() == (40,)
    # What lies in a folder of its own is a home that may be moved: it needs no mark.
    assert not list(small.lake.home.rglob("lake.id"))


def test_over_tls_only_the_named_authority_is_believed(
    small: SmallCity, settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    with object_storage.running(tmp_path) as service:
        service.make_bucket(BUCKET)
        settings = settings_of(small, storage_endpoint=service.endpoint)
        with pytest.raises(LakeError, match="NIANBAO_STORAGE_CA"):
            settings.lake().look_at_storage()
        trusting = settings.model_copy(update={"storage_ca": service.authority})
        city = _begun(small, trusting)
        _fill(city)
        with city.lake.read() as connection:
            assert connection.execute("SELECT count(*) FROM core.application").fetchone() == (40,)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"storage_key": "other"}, "拒绝访问.*NIANBAO_STORAGE_KEY"),
        ({"storage": "s3://nosuch-bucket/a"}, "没有这个桶"),
        ({"storage_endpoint": "http://127.0.0.1:9"}, "连不上对象存储.*NIANBAO_STORAGE_ENDPOINT"),
    ],
    ids=["key", "bucket", "endpoint"],
)
def test_what_is_wrong_is_told_with_the_remedy_and_without_the_secret(
    small: SmallCity,
    settings_of: Callable[..., Settings],
    change: dict[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("warehouse.storage.WRITER_TRIES", 1)
    settings = settings_of(small, **change)
    lake = settings.lake()
    told = {one.name: one for one in examine(settings, now=NOW)}["数据文件"]
    assert (told.verdict, "s3cr3t" in told.found) == ("bad", False)
    with pytest.raises(LakeError, match=said) as caught:
        _fill(_begun(small, settings))
    assert (
        "s3cr3t"
        not in f"{caught.value} {caught.value.__cause__} {lake} {lake.storage!r} {settings!r}"
    )


def test_a_storage_that_was_away_harms_nothing(
    small: SmallCity, settings_of: Callable[..., Settings], service: ObjectStorage
) -> None:
    city = _begun(small, settings_of(small))
    _fill(city)
    snapshot = city.lake.snapshot()
    service.refuses = (403, "AccessDenied")
    try:
        warehouse.lake._idle.clear()
        with (
            pytest.raises(LakeError, match="拒绝访问"),
            city.lake.write() as connection,
            transaction(connection),
        ):
            connection.execute(
                "INSERT INTO ops.watermark SELECT 's' || i, 'r', '1', now(), 'l' FROM range(5000) t(i)"
            )
    finally:
        service.refuses = None
    assert city.lake.snapshot() == snapshot
    with city.lake.read() as connection:
        assert connection.execute("SELECT count(*) FROM core.application").fetchone() == (40,)


def _waits(lake: Lake, opened: str) -> float:
    """For how many seconds an opening asks a storage that does not answer."""
    with getattr(lake, opened)() as connection:
        tries, first, factor = (
            float(connection.execute(f"SELECT current_setting('http_{name}')").fetchone()[0])
            for name in ("retries", "retry_wait_ms", "retry_backoff")
        )
    return sum(first / 1000 * factor**n for n in range(int(tries)))


def test_a_run_waits_for_a_storage_for_minutes_and_a_page_does_not(
    small: SmallCity, settings_of: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(small)
    lake = _begun(small, settings).lake
    assert _waits(lake, "read") < 3
    assert _waits(lake, "write") > 45
    monkeypatch.setenv(OF_A_RUN, "1")
    assert _waits(settings.lake(), "read") >= AWAY_SECONDS
    assert _waits(settings.lake(), "write") >= AWAY_SECONDS
    monkeypatch.delenv(OF_A_RUN)
    assert _waits(settings.lake(), "read") < 3


def test_a_writer_waits_for_a_storage_that_is_begun_anew(
    small: SmallCity, settings_of: Callable[..., Settings], service: ObjectStorage
) -> None:
    city = _begun(small, settings_of(small))
    service.refuses = (503, "SlowDown")

    def back() -> None:
        service.refuses = None

    # Longer than DuckDB would wait by itself.
    timer = threading.Timer(4, back)
    timer.start()
    try:
        _fill(city)
    finally:
        timer.join()
    with city.lake.read() as connection:
        assert connection.execute("SELECT count(*) FROM core.application").fetchone() == (40,)


def test_files_may_move_from_the_home_to_the_bucket(
    small: SmallCity, settings_of: Callable[..., Settings], service: ObjectStorage
) -> None:
    _fill(small)
    settings = settings_of(small, home=small.lake.home)
    moved = settings.lake()
    count = "SELECT count(outcome) FROM core.application"
    with (
        pytest.raises(LakeError, match="先把原处的数据文件全部复制过去"),
        moved.read() as connection,
    ):
        connection.execute(count).fetchone()
    copied = settings.placed()
    assert isinstance(copied, Bucket)
    for path in small.lake.files.rglob("*.parquet"):
        place = path.relative_to(small.lake.files)
        service.put(f"{copied.address}/{place}", path.read_bytes())
    shutil.rmtree(small.lake.files)
    with moved.read() as connection:
        assert connection.execute(count).fetchone() == (40,)


@pytest.mark.parametrize(
    "place",
    [
        "s3:/bucket",
        "S3://bucket",
        "http://bucket/a",
        "s3://B",
        "s3://ab c",
        "file:///x",
        "s3://bucket/a?b",
    ],
)
def test_an_address_never_becomes_a_folder(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    secrets = {"storage_key": "k", "storage_secret": "s"}
    with pytest.raises(SettingsError, match="NIANBAO_STORAGE "):
        Settings(storage=place, **secrets).lake()  # type: ignore[arg-type]
    for name in ("home", "city", "cities", "temporary", "storage_ca"):
        with pytest.raises(SettingsError, match="须是本机目录"):
            Settings(**{name: "s3://bucket/a"})
    assert list(tmp_path.iterdir()) == []


def test_credentials_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    place = "s3://bucket/{city}"
    with pytest.raises(SettingsError, match="NIANBAO_STORAGE_SECRET_FILE"):
        Settings(storage=place).placed()
    file = tmp_path / "secret"
    file.write_text("NIANBAO_STORAGE_KEY=k1\nNIANBAO_STORAGE_SECRET='s1'\n", encoding="utf-8")
    told = Settings(storage=place, storage_secret_file=file, storage_endpoint="minio:9000").placed()
    assert isinstance(told, Bucket)
    assert (told.key, told.secret, told.endpoint, told.is_encrypted) == (
        "k1",
        "s1",
        "minio:9000",
        True,
    )
    assert told.address == "s3://bucket/demo_city/lake/files"
    assert replace(told, name="b") != told
    with pytest.raises(SettingsError, match="没有文件"):
        Settings(storage=place, storage_secret_file=tmp_path / "none").placed()
    with pytest.raises(SettingsError, match="不带路径"):
        Settings(storage=place, storage_endpoint="https://minio/path")
