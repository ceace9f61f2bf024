"""A lake a city: another city is refused at every door, and several cities live side by side."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

import warehouse.lake
from deployments.server import check_doors
from tasks.city.register import register_city
from tasks.settings import Settings, SettingsError
from tasks.watch.doctor import examine
from tests.command import told_by
from tests.small_city import NOW, ORGANS, SmallCity
from warehouse.city_mark import marked
from warehouse.errors import ExitCode
from warehouse.lake import Lake, transaction
from warehouse.lake_errors import OtherCity

OTHER = ORGANS.replace("R,某市", "Q,另市").replace(",R,", ",Q,")


@pytest.fixture
def other(small: SmallCity, tmp_path: Path) -> Path:
    """The folder of another city."""
    folder = tmp_path / "other"
    shutil.copytree(small.folder, folder)
    (folder / "organs.csv").write_text(OTHER, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def as_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse.lake, "_taken_over", set())


def _read(lake: Lake) -> None:
    with lake.read():
        pass


def _write(lake: Lake) -> None:
    with lake.write():
        pass


@pytest.mark.parametrize(
    "use", [_read, _write, Lake.create, Lake.snapshot, Lake.exists], ids=lambda use: use.__name__
)
def test_another_citys_lake_is_not_opened(
    small: SmallCity, other: Path, use: Callable[[Lake], object]
) -> None:
    snapshot = small.lake.snapshot()
    lake = Settings(home=small.lake.home, city=other).lake()
    if use is Lake.exists:
        # That there is one may be told.
        assert use(lake)
        return
    # Not at the second try, either, and not after the rightful city was there.
    for _ in range(2):
        with pytest.raises(
            OtherCity, match=r"“某市人民政府\(R\)”.*“另市人民政府\(Q\)”.*NIANBAO_HOME"
        ):
            use(lake)
        _read(Settings(home=small.lake.home, city=small.folder).lake())
    assert small.lake.snapshot() == snapshot


def test_what_is_given_lake_and_city_apart_holds_them_together(
    small: SmallCity, other: Path
) -> None:
    snapshot = small.lake.snapshot()
    with pytest.raises(OtherCity):
        register_city(small.lake, other, now=NOW)
    assert small.lake.snapshot() == snapshot


@pytest.mark.parametrize(
    "asked",
    [
        "status",
        "tables 2020",
        "explain 2020 t2.x",
        "account 2020",
        "rejects",
        "diff 1 2",
        "serve",
    ],
)
def test_commands_say_whose_lake_it_is(
    small: SmallCity,
    other: Path,
    asked: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NIANBAO_HOME", str(small.lake.home))
    monkeypatch.setenv("NIANBAO_CITY", str(other))
    monkeypatch.setattr(sys, "argv", [])
    code, told = told_by(*asked.split(), capsys=capsys)
    assert (code, "属于“某市人民政府" in told) == (ExitCode.WRONG_USE, True), told


def test_server_and_doctor_look_whose_lake_it_is(small: SmallCity, other: Path) -> None:
    settings = Settings(home=small.lake.home, city=other)
    with pytest.raises(OtherCity):
        check_doors(settings)
    told = {one.name: one for one in examine(settings, now=NOW)}["湖"]
    assert (told.verdict, "一个湖只装一个城市" in told.found) == ("bad", True)


def test_of_two_cities_that_begin_at_once_the_second_is_refused(
    small: SmallCity, other: Path, tmp_path: Path
) -> None:
    home = tmp_path / "new"
    first, second = (Settings(home=home, city=city).lake() for city in (small.folder, other))
    assert not second.exists()
    first.create()
    with pytest.raises(OtherCity):
        second.create()
    with first.read() as connection:
        assert [root.id for root in marked(connection)] == ["R"]


def test_a_lake_from_before_takes_its_city_from_what_it_holds(
    small: SmallCity, other: Path
) -> None:
    """As an earlier release left it, and first opened for the wrong city."""
    with small.lake.write() as connection, transaction(connection):
        connection.execute("DROP TABLE ops.city")
        connection.execute("DELETE FROM ops.schema_version WHERE schema_version >= 5")
    warehouse.lake._taken_over.clear()
    with pytest.raises(OtherCity):
        _read(Settings(home=small.lake.home, city=other).lake())
    with small.lake._connect(read_only=True) as connection:
        assert connection.execute(
            "SELECT max(schema_version) FROM ops.schema_version"
        ).fetchone() == (4,)
    with Settings(home=small.lake.home, city=small.folder).lake().read() as connection:
        assert [str(root) for root in marked(connection)] == ["某市人民政府(R)"]


def test_a_city_stays_itself_when_folder_name_or_code_change(
    small: SmallCity, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere" / "renamed"
    shutil.copytree(small.folder, moved)
    settings = Settings(home=small.lake.home, city=moved)
    organs = moved / "organs.csv"
    organs.write_text(ORGANS.replace("某市人民政府", "某某市人民政府"), encoding="utf-8")
    _read(settings.lake())
    # Another code, the former one kept with its dates; later the former line goes.
    renewed = ORGANS.replace(",R,", ",R2,").replace(
        "R,某市人民政府,city,,2000-01-01,,,true",
        "R,某市人民政府,city,,2000-01-01,2019-12-31,R2,true\nR2,某市人民政府,city,,2020-01-01,,,true",
    )
    organs.write_text(renewed, encoding="utf-8")
    assert "core.organ" in register_city(settings.lake(), moved, now=NOW)
    organs.write_text(ORGANS.replace("R,某", "R2,某").replace(",R,", ",R2,"), encoding="utf-8")
    _read(settings.lake())
    # A file that cannot be read is told by those who read it whole.
    organs.write_text("?", encoding="utf-8")
    _read(settings.lake())


@pytest.fixture
def cities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cities"
    folder.mkdir()
    monkeypatch.setenv("NIANBAO_CITIES", str(folder))
    monkeypatch.setenv("NIANBAO_HOME", str(tmp_path / "data" / "{city}"))
    monkeypatch.setenv("NIANBAO_CITY", "")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", [])
    return folder


def test_cities_are_begun_checked_and_seen_together(
    cities: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, code in (("jia", "440100"), ("yi", "440200")):
        ended, told = told_by(
            *("city", "new", name, "--title", f"{name}市人民政府", "--code", code), capsys=capsys
        )
        assert (ended, f"nianbao nightly --city {name}" in told) == (0, True), told
        settings = Settings(city=name)  # type: ignore[arg-type]
        assert settings.home == tmp_path / "data" / name
        lake = settings.lake()
        lake.create()
        register_city(lake, settings.city, now=NOW)
    # All is well but that no system is connected yet.
    ended, told = told_by("city", "check", capsys=capsys)
    assert (ended, told.count("有误"), told.count("没有来源文件")) == (2, 4, 2), told
    ended, told = told_by("city", "list", "--json", capsys=capsys)
    assert [(one["city"], one["roots"], one["has_lake"]) for one in json.loads(told)] == [
        ("jia", ["jia市人民政府(440100)"], True),
        ("yi", ["yi市人民政府(440200)"], True),
    ]
    # What stands behind the command counts as what stands before it.
    for asked in (("status", "--json", "--city", "jia"), ("--city", "jia", "status", "--json")):
        assert told_by(*asked, capsys=capsys) == (0, "[]\n")
    assert os.environ["NIANBAO_CITY"] == "jia"


def test_what_is_wrong_in_a_folder_of_cities_is_named(
    cities: Path, small: SmallCity, other: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ended, told = told_by("status", capsys=capsys)
    assert (ended, "没有写明是哪个城市" in told) == (2, True), told
    shutil.copytree(small.folder, cities / "jia")
    # The only one need not be named.
    assert Settings().city == cities / "jia"
    shutil.copytree(other, cities / "yi")
    with pytest.raises(SettingsError, match=r"没有写明是哪个城市.*jia、yi"):
        Settings()
    with pytest.raises(SettingsError, match="没有城市“bing”,现有:jia、yi"):
        Settings(city="bing")  # type: ignore[arg-type]
    for name, title, code, said in (
        ("Jia Shi", "丙市", "1", "小写字母"),
        ("jia", "丙市", "1", "已存在"),
        ("bing", " ", "1", "都要填"),
        ("bing", "丙市", "Q", "已是城市 yi 的根机关"),
    ):
        ended, told = told_by("city", "new", name, "--title", title, "--code", code, capsys=capsys)
        assert (ended, said in told) == (2, True), told
        assert sorted(path.name for path in cities.iterdir()) == ["jia", "yi"]
    # Two that would meet: one home, one code, one lake that is another's.
    os.environ["NIANBAO_HOME"] = str(small.lake.home)
    shutil.copytree(cities / "jia", cities / "ding")
    ended, told = told_by("city", "check", capsys=capsys)
    assert ended == 2
    assert "ding、jia、yi共用数据目录" in told.replace(" ", "")
    assert "ding、jia共用根机关编号R" in told.replace(" ", "")
    assert "属于“某市人民政府" in told
    ended, told = told_by("status", "--all", capsys=capsys)
    assert (ended, "读不了" in told, "另设 NIANBAO_HOME" in told) == (1, True, True), told


def test_one_city_that_is_late_shows_beside_the_others(
    cities: Path, small: SmallCity, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(small.folder, cities / "jia")
    shutil.copytree(small.lake.home, cities.parent / "data" / "jia")
    ended, told = told_by("status", "--all", "--json", capsys=capsys)
    (one,) = json.loads(told)
    assert ended == 1
    assert one["late"] == one["resources"] > 0
    assert date.fromisoformat(one["last_pull_at"][:10]) == NOW.date()
    ended, told = told_by("status", "--all", capsys=capsys)
    assert "2021-01-20 02:00" in told
