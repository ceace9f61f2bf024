"""Cities: those of the folder of cities, each with its own lake; begun, and looked at together."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tasks.city.province import is_province
from tasks.settings import Settings
from tasks.watch.deadlines import Filing, overdue_and_filing
from tasks.watch.doctor import OF_THE_CITY, Examined, examine
from tasks.watch.province import stale_editions
from tasks.watch.status import read_status
from warehouse.city_mark import ORGANS, roots_of
from warehouse.errors import EntryError, NianbaoError
from warehouse.lake import Lake
from warehouse.lake_errors import NoLake
from warehouse.tables import table

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
FIRST_DAY = "2000-01-01"
"""From when a city's first organ is valid, unless the file says otherwise: before any report."""
CITY_FILE = """\
# 整个城市的约定。
# 记录是虚构的(演示、测试)写 true:每一份输出都会注明。
synthetic: false
"""


class CityEntryError(EntryError):
    """A city that cannot be begun as it was asked for; the message says what to change."""


PROVINCE_FILE = """\
# 省:数字由各市的版次加总,自己不取记录。各市写在 organs.csv 中,编号用该市自己的根机关编号。
kind: province
"""


def new_city(
    folder: Path,
    title: str,
    code: str,
    beside: Iterable[Path] = (),
    *,
    is_of_province: bool = False,
) -> list[Path]:
    """Begin a city's folder: its root organ, what holds for it, a place for its sources. That of a
    province (`is_of_province`) has no sources, and the cities that are there below its root.

    `title` is the root organ's name, `code` its id; `beside` are the cities that are there. Returns
    the files that were written. Raises CityEntryError where something is there already, or the
    name or the code cannot be.
    """
    title, code = title.strip(), code.strip()
    if not NAME.fullmatch(folder.name):
        raise CityEntryError(
            f"城市名称“{folder.name}”不能用:它也用作目录、库名与对象存储前缀,"
            "请用小写字母、数字和下划线,以字母开头,不超过 40 个字符,如 haibin"
        )
    if folder.exists():
        raise CityEntryError(f"{folder} 已存在,没有改动。请换一个名称,或直接编辑其中的文件")
    if not title or not code:
        raise CityEntryError("根机关的名称和编号都要填,如 某市人民政府、440100")
    cities = [root for other in beside for root in roots_of(other) if not is_province(other)]
    for other in beside:
        if code in {root.id for root in roots_of(other)}:
            raise CityEntryError(
                f"编号 {code} 已是城市 {other.name} 的根机关。湖靠根机关编号认城市,请用本城市自己的编号"
            )
    columns = [column.name for column in table("core.organ").columns]
    line = {"organ_id": code, "organ_name": title, "organ_kind": "city"}
    line |= {"valid_from": FIRST_DAY, "has_system": "true"}
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerow(line | {"organ_kind": "province"} if is_of_province else line)
    if is_of_province:
        for root in cities:
            below = {"organ_id": root.id, "organ_name": root.name, "parent_organ_id": code}
            writer.writerow({**line, **below})
    (folder if is_of_province else folder / "sources").mkdir(parents=True)
    written = [folder / ORGANS, folder / "city.yaml"]
    said = PROVINCE_FILE if is_of_province else CITY_FILE
    for path, told in zip(written, (text.getvalue(), said), strict=True):
        path.write_text(told, encoding="utf-8")
    return written


@dataclass(frozen=True)
class CityState:
    """A city as it stands. `roots` names it; `wrong` says why its lake cannot be read, empty where
    it can; `late` counts the resources that are older than allowed, `stopped` those whose last pull
    failed, `editions` the period's newest editions as `id status`, the newest first; `stale` those of a
    province that add up what a city has replaced since; `overdue` counts the applications past their
    day, `filing` is the first statutory day of this year whose report is not published."""

    name: str
    folder: Path
    home: Path
    roots: tuple[str, ...]
    wrong: str = ""
    is_begun: bool = False
    last_pull_at: datetime | None = None
    resources: int = 0
    late: int = 0
    stopped: int = 0
    open_rejects: int = 0
    editions: tuple[tuple[str, str], ...] = ()
    stale: tuple[str, ...] = ()
    overdue: int = 0
    filing: Filing | None = None

    @property
    def needs_person(self) -> bool:
        """Whether somebody has to look."""
        return bool(self.wrong or self.late or self.stopped or self.stale)


def states(all_settings: Sequence[Settings], *, now: datetime) -> Iterator[CityState]:
    """Each city as it stands; one that cannot be read keeps no other from being told."""
    for settings in all_settings:
        yield state_of(settings, now)


def state_of(settings: Settings, now: datetime) -> CityState:
    told = (
        settings.city_name,
        settings.city,
        settings.home,
        tuple(str(root) for root in roots_of(settings.city)),
    )
    lake = settings.lake()
    try:
        found = read_status(lake, now=now)
        editions = _newest_editions(lake)
        with lake.read() as connection:
            stale = tuple(stale_editions(connection)) if is_province(settings.city) else ()
        overdue, filing = overdue_and_filing(lake, now.date(), settings.city)
    except NoLake:
        return CityState(*told)
    except NianbaoError as error:
        return CityState(*told, wrong=str(error))
    limit = timedelta(hours=settings.lag_hours)
    pulled = [one.last_pull_at for one in found if one.last_pull_at is not None]
    return CityState(
        *told,
        is_begun=True,
        last_pull_at=max(pulled, default=None),
        resources=len(found),
        late=sum(one.is_stale(limit) for one in found),
        stopped=sum(one.last_status == "stopped" for one in found),
        open_rejects=sum(one.open_rejects for one in found),
        editions=editions,
        stale=stale,
        overdue=overdue,
        filing=filing,
    )


def _newest_editions(lake: Lake) -> tuple[tuple[str, str], ...]:
    """The newest edition of the newest period of each form."""
    with lake.read() as connection:
        rows = connection.execute(
            "SELECT edition_id, edition_status FROM yearly.edition "
            "QUALIFY row_number() OVER (PARTITION BY form ORDER BY report_year DESC, period DESC, edition_number DESC) = 1 "
            "ORDER BY form"
        ).fetchall()
    return tuple((str(id_), str(status)) for id_, status in rows)


def check_city(settings: Settings, *, now: datetime) -> Iterator[Examined]:
    """Look at what is one city's own: its files, its sources, its lake."""
    return examine(settings, now=now, only=OF_THE_CITY)


def shared(all_settings: Sequence[Settings]) -> list[str]:
    """What two cities must not share, and do: sentences with the remedy, none where all is well."""
    found = []
    for title, remedy, told in (
        ("根机关编号", "请改正其中一份 organs.csv", _roots),
        ("数据目录", "请在 NIANBAO_HOME 中写上 {city},如 /srv/nianbao/data/{city}", _home),
        ("数据文件的位置", "请在 NIANBAO_STORAGE 中写上 {city}", _storage),
        ("目录库", "请在 NIANBAO_CATALOG 的库名中写上 {city},每城一库", _catalog),
    ):
        users = defaultdict(list)
        for settings in all_settings:
            for one in told(settings):
                users[one].append(settings.city_name)
        found += [
            f"{'、'.join(names)}共用{title}{shown}。{remedy}"
            for (_, shown), names in users.items()
            if len(names) > 1
        ]
    return found


def _roots(settings: Settings) -> list[tuple[str, str]]:
    return [(root.id, f" {root.id}") for root in roots_of(settings.city)]


def _home(settings: Settings) -> list[tuple[str, str]]:
    return [(str(settings.home), f" {settings.home}")]


def _storage(settings: Settings) -> list[tuple[str, str]]:
    return [(settings.storage, f" {settings.storage}")] if settings.storage else []


def _catalog(settings: Settings) -> list[tuple[str, str]]:
    # The address may hold a password.
    address = settings.catalog.get_secret_value()
    return [(address, "")] if address else []
