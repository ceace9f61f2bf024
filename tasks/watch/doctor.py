"""Doctor: whether this machine and this installation can do the work, and what to do if not."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from tasks.settings import Settings, check_home
from warehouse.beijing import to_beijing
from warehouse.catalog import PostgresCatalog, extension_file
from warehouse.errors import ExitCode, NianbaoError
from warehouse.lake_errors import unwritable

DECEMBER = 12
CLOCK_MAY_DIFFER = timedelta(hours=1)


@dataclass(frozen=True)
class Examined:
    """One thing looked at. `remedy` says what to do when it is not good, `fault` whose it is when
    it is bad: the configuration's, or this machine's."""

    name: str
    verdict: Literal["good", "doubtful", "bad"]
    found: str
    remedy: str = ""
    fault: ExitCode = ExitCode.WRONG_USE


def exit_code(found: Iterable[Examined]) -> ExitCode:
    """What `nianbao doctor` ends with. A fault of the machine comes first: nothing else can be put
    right before it."""
    faults = {one.fault for one in found if one.verdict == "bad"}
    if ExitCode.MACHINE_FAILED in faults:
        return ExitCode.MACHINE_FAILED
    return ExitCode.WRONG_USE if faults else ExitCode.DONE


OF_THE_CITY = ("城市目录", "来源", "格式与规则", "数据文件", "湖")
"""What is looked at that is one city's and not the machine's."""


def examine(settings: Settings, *, now: datetime, only: Collection[str] = ()) -> Iterator[Examined]:
    """Look at everything a run needs, or at `only` some of it, without changing anything, and
    without the network but for the lake's own catalog and storage."""
    looks: tuple[tuple[str, Callable[[Settings, datetime], Examined]], ...] = (
        ("Python", _python),
        ("DuckDB 扩展", _extensions),
        ("数据目录", _home),
        ("城市目录", _city),
        ("来源", _sources),
        ("格式与规则", _rules),
        ("工作日历", _calendar),
        ("数据文件", _storage),
        ("湖", _lake),
    )
    for name, look in looks:
        if only and name not in only:
            continue
        try:
            yield look(settings, now)
        except NianbaoError as error:
            yield Examined(name, "bad", str(error), fault=error.exit_code)
        except OSError as error:
            told = unwritable(error.filename or settings.home, error)
            yield Examined(name, "bad", str(told), fault=told.exit_code)
        except Exception as error:
            yield Examined(name, "bad", str(error))


def _python(settings: Settings, now: datetime) -> Examined:
    return Examined("Python", "good", f"{platform.python_version()}({sys.executable})")


def _extensions(settings: Settings, now: datetime) -> Examined:
    needed = settings.lake().extensions
    for name in needed:
        extension_file(name)
    return Examined("DuckDB 扩展", "good", "、".join(needed))


def _home(settings: Settings, now: datetime) -> Examined:
    home = settings.home
    if home.exists():
        check_home(settings)
    free = shutil.disk_usage(next(p for p in (home, *home.parents) if p.exists())).free
    found = f"{settings.home},可用 {free / 2**30:.1f} GB"
    if free < 2 * 2**30:
        return Examined(
            "数据目录", "doubtful", found, "可用空间不足 2 GB,请清理或更换 NIANBAO_HOME"
        )
    return Examined("数据目录", "good", found)


def _city(settings: Settings, now: datetime) -> Examined:
    from tasks.city.register import read_corrections, read_organs

    organs = read_organs(settings.city / "organs.csv")
    corrections = read_corrections(settings.city / "corrections.yaml")
    count = len({row[0] for row in organs})
    return Examined("城市目录", "good", f"{settings.city},{count} 个机关,{len(corrections)} 条更正")


def _sources(settings: Settings, now: datetime) -> Examined:
    from tasks.city.province import cities_of_province, is_province
    from tasks.sources.model import load_sources

    if is_province(settings.city):
        count = len(cities_of_province(settings.city))
        return Examined("来源", "good", f"省:{count} 个市的版次,没有自己的来源")
    sources = load_sources(settings.sources, settings.environment)
    resources = sum(len(source.resources) for source in sources)
    return Examined("来源", "good", f"{len(sources)} 个系统,{resources} 项资源")


def _rules(settings: Settings, now: datetime) -> Examined:
    from expectations.rules import load_rules, yearly_rules
    from warehouse.form import layout_names, load_layout

    cells = {name: len(load_layout(name, settings.overview).cells) for name in layout_names()}
    shown = "、".join(f"{name} 格式 {count} 个单元格" for name, count in cells.items())
    return Examined(
        "格式与规则", "good", f"{shown};{len(load_rules()) + len(yearly_rules())} 条规则"
    )


def _calendar(settings: Settings, now: datetime) -> Examined:
    from tasks.city.register import last_official_year

    known = last_official_year(now.year + 1)
    # What is received in December may be due in the next year.
    needed = now.year + 1 if now.month == DECEMBER else now.year
    if known < needed:
        return Examined(
            "工作日历",
            "doubtful",
            f"放假安排收录到 {known} 年,{needed} 年的到期日是暂定的(只按周末和法定节日推算)",
            "国务院办公厅公布放假安排后,请升级 chinesecalendar,再运行 nianbao nightly",
        )
    return Examined("工作日历", "good", f"已收录至 {known} 年")


def _storage(settings: Settings, now: datetime) -> Examined:
    lake = settings.lake()
    lake.look_at_storage()
    shelves = (("落地", settings.landing_shelf), ("版次", settings.edition_shelf))
    for _, shelf in shelves:
        shelf.look()
    told = [f"湖 {lake.storage.shown}", *(f"{name} {shelf.shown}" for name, shelf in shelves)]
    return Examined("数据文件", "good", ";".join(told))


def _lake(settings: Settings, now: datetime) -> Examined:
    lake = settings.lake()
    if not lake.exists():
        return Examined("湖", "doubtful", "还没有数据", "请运行 nianbao nightly")
    with lake.read() as connection:
        row = connection.execute(
            f"SELECT max({to_beijing('snapshot_time')}) FROM ducklake_snapshots('lake')"
        ).fetchone()
        catalog = lake.catalog
        is_understood = not isinstance(catalog, PostgresCatalog) or catalog.speaks_english(
            connection
        )
    written_at = row[0] if row else None
    if written_at is not None and written_at > now.replace(tzinfo=None) + CLOCK_MAY_DIFFER:
        return Examined(
            "湖",
            "bad",
            f"最近一次写入是 {written_at:%Y-%m-%d %H:%M},而本机时钟是 {now:%Y-%m-%d %H:%M}",
            "请校准本机时钟(timedatectl);在此之前的运行会记错时间",
            ExitCode.MACHINE_FAILED,
        )
    if not is_understood:
        return Examined(
            "湖",
            "doubtful",
            f"{lake.catalog.shown} 的提示不是英文:目录库繁忙时的自动重试和故障说明都认英文提示",
            "请数据库管理员执行:ALTER ROLE 用户 SET lc_messages = 'C';再重新启动 nianbao",
        )
    return Examined("湖", "good", f"{lake.catalog.shown},最新快照 {lake.snapshot()}")
