"""Data homes of earlier releases open with this one; one of a later release is refused."""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

import deployments.cli as cli
import warehouse.lake
from deployments.server import check_doors
from tasks.editions.store import load_edition
from tasks.publish.rebuild import rebuild
from tasks.publish.verify import frozen_files_changed
from tasks.settings import Settings
from tests.small_city import SmallCity
from warehouse.errors import ExitCode
from warehouse.lake import Lake, NewerLake, transaction
from warehouse.migrations import MIGRATIONS, NEWEST, version_of

RELEASES = sorted((Path(__file__).parents[1] / "releases").glob("*.tar.xz"))


@pytest.fixture(params=RELEASES, ids=[path.name for path in RELEASES])
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[SmallCity, dict[str, Any]]:
    """A home as a release left it, and what it was made to hold."""
    with tarfile.open(request.param) as packed:
        packed.extractall(tmp_path, filter="tar")
    for path in tmp_path.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    made = json.loads((tmp_path / "made.json").read_text(encoding="utf-8"))
    return SmallCity(tmp_path / "city", Lake(tmp_path / "home")), made


def versions(lake: Lake) -> list[int]:
    with lake.read() as connection:
        rows = connection.execute("SELECT schema_version FROM ops.schema_version ORDER BY 1")
        return [version for (version,) in rows.fetchall()]


def applications(lake: Lake) -> int:
    with lake.read() as connection:
        row = connection.execute("SELECT count(*) FROM core.application").fetchone()
    assert row is not None
    return int(row[0])


def test_editions_of_an_earlier_release_are_read_and_proved(
    earlier: tuple[SmallCity, dict[str, Any]],
) -> None:
    city, made = earlier
    settings = Settings(home=city.lake.home, city=city.folder)
    assert applications(city.lake) == 12
    for name, kept in made["editions"].items():
        assert load_edition(city.lake, name).cell_hash == kept["cell_hash"]
        proved = {proof.key: proof for proof in rebuild(city.lake, settings, name).proofs}
        assert [p for p in proved.values() if p.outcome == "different"] == []
        assert proved["cells"].rebuilt == kept["cell_hash"]
    assert frozen_files_changed(city.lake, settings) == {}
    assert versions(city.lake)[-1] == NEWEST
    # It is brought forward once.
    before = city.lake.snapshot()
    city.lake.create()
    assert city.lake.snapshot() == before


def test_a_server_starts_on_an_earlier_release(earlier: tuple[SmallCity, dict[str, Any]]) -> None:
    """What it published was approved before there was a register of persons."""
    city, _ = earlier
    check_doors(Settings(home=city.lake.home, city=city.folder))


def test_an_upgrade_that_is_cut_off_leaves_the_earlier_release(
    earlier: tuple[SmallCity, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, _ = earlier
    catalog = city.lake.home / "lake" / "catalog.sqlite"

    def cut_off(version: int) -> list[str]:
        return ["DELETE FROM core.application", "SELECT error('cut off')"]

    before = catalog.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(warehouse.lake, "due", cut_off)
        with pytest.raises(Exception, match="cut off"):
            applications(city.lake)
    with city.lake._connect(read_only=True) as connection:
        assert version_of(connection) == 1
    assert len(before) == len(catalog.read_bytes())
    assert applications(city.lake) == 12
    assert versions(city.lake)[-1] == NEWEST


def test_a_new_lake_is_of_the_newest_version(small: SmallCity) -> None:
    assert versions(small.lake) == [m.version for m in MIGRATIONS] == list(range(1, NEWEST + 1))


def test_a_home_of_a_later_release_is_refused_and_left_as_it_is(
    small: SmallCity, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with small.lake.write() as connection, transaction(connection):
        connection.execute(
            "INSERT INTO ops.schema_version VALUES (?, '以后', now()::TIMESTAMP)", [NEWEST + 1]
        )
    snapshot = small.lake.snapshot()
    # As another process would.
    monkeypatch.setattr(warehouse.lake, "_taken_over", set())
    for use in (applications, Lake.create, Lake.snapshot):
        with pytest.raises(NewerLake, match=f"结构 {NEWEST + 1}.*没有改动任何东西.*备份"):
            use(small.lake)
    with pytest.raises(NewerLake), small.lake.write():
        pass
    monkeypatch.setenv("NIANBAO_HOME", str(small.lake.home))
    monkeypatch.setattr(sys, "argv", ["nianbao", "status"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == ExitCode.WRONG_USE
    assert "更新版本的 nianbao" in capsys.readouterr().err
    with small.lake._connect(read_only=True) as connection:
        assert connection.execute(
            "SELECT id FROM ducklake_current_snapshot('lake')"
        ).fetchone() == (snapshot,)
