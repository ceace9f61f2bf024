"""What an operator reads when settings, the data home or the city's files are wrong."""

from __future__ import annotations

import errno
import shutil
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

import deployments.cli as cli
from flows.nightly import LAKE_FAILED, SOURCE_FAILED, end_of
from flows.pulling import _failed
from tasks.city.csv_file import CityFileError
from tasks.city.names import Names, organ_choices, source_choices
from tasks.city.register import read_corrections, read_organs
from tasks.clock import now
from tasks.settings import HomeError, Settings, SettingsError, check_home
from tasks.sources.errors import SourceUnavailable
from tasks.sources.model import load_source
from tasks.watch.runs import FailedResource, Run
from tests.small_city import ORGANS
from warehouse.errors import ExitCode

Usage = namedtuple("Usage", "total used free")


def _ends(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["nianbao", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_a_misspelt_setting_is_refused_with_the_right_name(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NIANBAO_HOMME", "/somewhere")
    assert _ends(["status"], monkeypatch) == ExitCode.WRONG_USE
    told = capsys.readouterr().err
    assert "NIANBAO_HOMME 不认识" in told
    assert "是不是 NIANBAO_HOME" in told


def test_a_name_that_a_source_file_uses_is_not_a_slip(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIANBAO_PORTS", "1")
    with pytest.raises(SettingsError):
        Settings(city=tmp_path)
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "a.yaml").write_text("base_url: ${NIANBAO_PORTS}\n")
    assert Settings(city=tmp_path).port == 4200


def test_a_setting_of_the_wrong_kind_is_told_in_chinese(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NIANBAO_PORT", "x")
    assert _ends(["status"], monkeypatch) == ExitCode.WRONG_USE
    assert "NIANBAO_PORT 不能是“x”：请填整数" in capsys.readouterr().err


def test_a_home_that_cannot_be_used_is_told_before_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match=r"不能写入.*NIANBAO_HOME"):
        check_home(Settings(home=tmp_path / "file" / "home"))
    good = Settings(home=tmp_path / "home")
    check_home(good)
    assert list(good.home.iterdir()) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**30, 2**30, 5 * 2**20))
    with pytest.raises(HomeError, match="只剩 5 MB"):
        check_home(good)


def _has_only(command: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command line have nothing but one command, which needs no name."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    monkeypatch.setattr(cli, "build", lambda: app)


def test_an_unforeseen_error_on_a_full_disk_is_told_as_that(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise RuntimeError("timed out")

    _has_only(fails, monkeypatch)
    # Anything else that nobody foresaw is no finding (1) and no machine's fault (4).
    assert _ends([], monkeypatch) == ExitCode.DEFECT
    told = capsys.readouterr().err
    log = home / "logs" / "errors.log"
    assert f"RuntimeError），这不是操作造成的。已装载的数据完好。请把 {log} 交给" in told
    assert "Traceback" not in told
    assert "timed out" in log.read_text(encoding="utf-8")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**30, 2**30, 0))
    assert _ends([], monkeypatch) == ExitCode.MACHINE_FAILED
    assert "只剩 0 MB" in capsys.readouterr().err


def test_a_file_that_could_not_be_written_is_no_defect(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/d/editions/report.html")

    _has_only(fails, monkeypatch)
    assert _ends([], monkeypatch) == ExitCode.MACHINE_FAILED
    assert "/d/editions/report.html" in capsys.readouterr().err


def _organs(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "organs.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_organs_saved_by_a_spreadsheet(tmp_path: Path) -> None:
    assert len(read_organs(_organs(tmp_path, "\ufeff" + ORGANS.replace("\n", "\r\n")))) == 5
    for text in (ORGANS, "\ufeff" + ORGANS):
        path = _organs(tmp_path, text, "gb18030")
        with pytest.raises(CityFileError, match=r"organs.csv: 不是 UTF-8.*CSV UTF-8"):
            read_organs(path)
        assert organ_choices(tmp_path) == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("A1,甲县东镇,township,A,", "A1,甲县东镇,township,X,"), "没有机关 X"),
        (("B,市教育局", "A1,市教育局"), "有效期与另一行重叠"),
        (("A,甲县人民政府,county,R,", "A,甲县人民政府,county,A1,"), "A → A1 → A"),
        (("A,甲县人民政府,county,R,", "A,甲县人民政府,county,A,"), "A → A"),
        (("B,市教育局,department,R,2000-01-01,,,true", "B,市教育局"), "缺少 organ_kind"),
    ],
)
def test_organs_that_do_not_fit_together(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    assert change[0] in ORGANS
    with pytest.raises(CityFileError, match=said):
        read_organs(_organs(tmp_path, ORGANS.replace(*change)))


def test_organs_that_change_places_over_time_are_no_circle(tmp_path: Path) -> None:
    text = ORGANS.splitlines()[0] + (
        "\nA,甲,county,B,2000-01-01,2009-12-31,,true\nA,甲,county,,2010-01-01,,,true"
        "\nB,乙,county,,2000-01-01,2009-12-31,,true\nB,乙,county,A,2010-01-01,,,true\n"
    )
    assert len(read_organs(_organs(tmp_path, text))) == 4


def test_a_missing_city_is_told_by_the_setting(tmp_path: Path) -> None:
    with pytest.raises(CityFileError, match=r"没有城市目录 .*nowhere.*NIANBAO_CITY"):
        read_organs(tmp_path / "nowhere" / "organs.csv")


def test_other_files_of_the_city_in_another_encoding(tmp_path: Path) -> None:
    corrections = tmp_path / "corrections.yaml"
    corrections.write_bytes("# 更正\n".encode("gb18030"))
    with pytest.raises(CityFileError, match="不是 UTF-8"):
        read_corrections(corrections)
    (tmp_path / "sources").mkdir()
    source = tmp_path / "sources" / "a.yaml"
    source.write_bytes("title: 来源\n".encode("gb18030"))
    with pytest.raises(Exception, match="不是 UTF-8"):
        load_source(source, {})
    assert source_choices(tmp_path) == {}


def test_what_the_lake_did_not_take_is_not_laid_at_the_source() -> None:
    run = Run("r", "nightly", "夜间取数", now())
    names = Names()
    assert end_of(run, names).name == "Completed"
    run.failed.append(FailedResource("cms", "articles", "没有应答"))
    assert end_of(run, names).name == SOURCE_FAILED
    run.failed.append(FailedResource("cms", "channels", "磁盘已满", is_of_source=False))
    state = end_of(run, names)
    assert state.name == LAKE_FAILED
    assert "磁盘已满" in (state.message or "")


def test_whose_failure_it_is_follows_from_the_error() -> None:
    class Named:
        name = "n"

    refused = _failed(Named, Named, SourceUnavailable("没有应答"))  # type: ignore[arg-type]
    assert refused.is_of_source
    unread = _failed(Named, Named, "有 1 个文件未能读取")  # type: ignore[arg-type]
    assert unread.is_of_source
    full = OSError(errno.ENOSPC, "No space left on device", "/d/landing/x")
    disk = _failed(Named, Named, full)  # type: ignore[arg-type]
    assert not disk.is_of_source
    assert "磁盘已满,写不下 /d/landing/x" in disk.message
