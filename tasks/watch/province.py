"""A province's editions held against its cities: which of them are missing, late, or changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from tasks.city.province import cities_of_province
from tasks.editions.city_findings import is_late, statutory_day
from tasks.editions.definitions import Definitions
from tasks.editions.edition import EDITION_STATUS_LABELS, CityEdition
from tasks.editions.store import EditionRow, edition_rows
from tasks.editions.store.cities import city_looks, taken_editions
from tasks.editions.store.read import pinned_cities
from tasks.editions.take import check_is_province, folders_of, in_force
from tasks.settings import Settings
from tasks.watch.notify import MOST_LINES, Message
from warehouse.errors import NianbaoError
from warehouse.form import Form
from warehouse.lake import Connection, Lake
from warehouse.lake_errors import NoLake
from warehouse.period import Period
from warehouse.reading import organs_of, reading

Standing = Literal["current", "missing", "pending", "late", "changed", "unseen"]
STANDING_LABELS: dict[Standing, str] = {
    "current": "现行",
    "missing": "缺",
    "pending": "待发布",
    "late": "逾期未发布",
    "changed": "已另编,须取入并重新编制",
    "unseen": "没有读到",
}


@dataclass(frozen=True)
class StandingOfCity:
    """A city as a report of the province stands to it: what the province's newest edition adds up,
    what was taken in, and what the city has now (`at_city`, as an edition's row); each None where
    there is none. `wrong` says why the city could not be read."""

    city_id: str
    name: str
    city_name: str
    standing: Standing
    counted: CityEdition | None
    taken: CityEdition | None
    at_city: EditionRow | None
    wrong: str = ""

    @property
    def needs_person(self) -> bool:
        """Whether somebody has to look: what is pending in good time has not to be."""
        return self.standing not in ("current", "pending")

    @property
    def text(self) -> str:
        """How it stands, in words."""
        told = STANDING_LABELS[self.standing]
        if self.standing == "changed":
            was = self.counted or self.taken
            now = self.at_city.edition_id if self.at_city else (self.taken or was)
            now = now.edition_id if isinstance(now, CityEdition) else now
            return f"{was.edition_id if was else '无'} → {now}:{told}"
        return f"{told}:{self.wrong}" if self.wrong else told


@dataclass(frozen=True)
class StandingOfProvince:
    """A report of a province: its newest edition, if there is one, and how each city stands to it."""

    report: str
    edition: EditionRow | None
    cities: tuple[StandingOfCity, ...]

    @property
    def is_stale(self) -> bool:
        """Whether the newest edition adds up what some city has replaced."""
        return self.edition is not None and any(c.standing == "changed" for c in self.cities)

    @property
    def text(self) -> str:
        """In one sentence."""
        counts: dict[str, int] = {}
        for city in self.cities:
            counts[STANDING_LABELS[city.standing]] = (
                counts.get(STANDING_LABELS[city.standing], 0) + 1
            )
        told = "、".join(f"{label} {count} 个市" for label, count in counts.items())
        if self.edition is None:
            return f"{self.report}还没有编制;{told}"
        status = EDITION_STATUS_LABELS[self.edition.edition_status]
        stale = ",已不是各市的现行数字" if self.is_stale else ""
        return f"{self.report}版次 {self.edition.edition_id}({status}){stale};{told}"


def standing(
    lake: Lake,
    settings: Settings,
    all_cities: Sequence[Settings],
    form: Form,
    period: Period,
    *,
    today: date,
) -> StandingOfProvince:
    """How each city stands to a report of a province, looked up in the cities' lakes now.

    Raises NotAProvince, CityFileError, and LakeError of the province's own lake.
    """
    check_is_province(settings.city)
    there = folders_of(settings.city, all_cities)
    with reading(lake) as opened:
        connection = opened.connection
        counted, row = _newest(connection, form, period)
        taken = {t.city_id: t.reference for t in taken_editions(connection, form.key, period.key)}
        looks = city_looks(connection)
        of_period = {organ for organ, *_ in organs_of(opened, period)}
    named = cities_of_province(settings.city)
    names = {city: name for city, name in named.items() if city in of_period}
    due = statutory_day(Definitions.now(form, settings.city, period), period)
    found = []
    for city_id, name in names.items():
        folder = there.get(city_id)
        at_city, wrong = _at_city(folder, city_id, form, period)
        was = counted.get(city_id) if row is not None else taken.get(city_id)
        how = _standing(was, taken.get(city_id), at_city, wrong, due, today)
        if how == "current" and (look := looks.get(city_id)) and look.is_blind:
            how, wrong = "unseen", look.message
        found.append(
            StandingOfCity(
                city_id,
                name,
                folder.city_name if folder else "",
                how,
                counted.get(city_id),
                taken.get(city_id),
                at_city,
                wrong if how in ("missing", "unseen") else "",
            )
        )
    return StandingOfProvince(form.named(period), row, tuple(found))


def stale_editions(connection: Connection) -> dict[str, list[str]]:
    """The newest editions of a province's reports that add up what was replaced by what was taken in
    since: of each the cities, as `code 2020-1 → 2020-2`. No lake but the province's is asked."""
    taken = {(t.form, t.period, t.city_id): t.reference for t in taken_editions(connection)}
    found = {}
    newest = {(row.form, row.period.key): row for row in edition_rows(connection)}
    for (form, period), row in newest.items():
        pinned = {city.city_id: city for city in pinned_cities(connection, row.edition_id)}
        now = {city: t for (of, when, city), t in taken.items() if (of, when) == (form, period)}
        changed = [
            f"{city} {_named(pinned.get(city))} → {_named(now.get(city))}"
            for city in sorted({*pinned, *now})
            if _whole_mark(pinned.get(city)) != _whole_mark(now.get(city))
        ]
        if changed and pinned:
            found[row.edition_id] = changed
    return found


def _named(edition: CityEdition | None) -> str:
    if edition is None:
        return "无"
    return f"{edition.edition_id}({EDITION_STATUS_LABELS[edition.status]})"


def _whole_mark(edition: CityEdition | None) -> tuple[str, ...] | None:
    return None if edition is None else (*edition.figures_mark, edition.status)


def stale_messages(stale: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> list[Message]:
    """A message for each edition that is stale; `names` are the cities' by code."""
    told = []
    for edition_id, changed in stale.items():
        lines = [names.get(c.partition(" ")[0], "") + " " + c.partition(" ")[2] for c in changed]
        told.append(
            Message(
                f"stale/{edition_id}",
                f"版次 {edition_id} 已不是各市的现行数字",
                "\n".join([*lines[:MOST_LINES], "请重新编制;已发布的,另编新版并写明理由。"]),
            )
        )
    return told


def _newest(
    connection: Connection, form: Form, period: Period
) -> tuple[dict[str, CityEdition], EditionRow | None]:
    """What the newest edition of a report adds up, by city."""
    rows = [r for r in edition_rows(connection) if (r.form, r.period) == (form.key, period)]
    if not rows:
        return {}, None
    pinned = pinned_cities(connection, rows[-1].edition_id)
    return {city.city_id: city for city in pinned}, rows[-1]


def _at_city(
    settings: Settings | None, city_id: str, form: Form, period: Period
) -> tuple[EditionRow | None, str]:
    """The edition of a report that is in force at a city, or why that cannot be told."""
    if settings is None:
        return None, f"NIANBAO_CITIES 中没有根机关编号为 {city_id} 的城市"
    try:
        with settings.lake().read() as connection:
            rows = in_force(edition_rows(connection))
    except NoLake:
        return None, ""
    except NianbaoError as error:
        return None, str(error)
    return next((r for r in rows if (r.form, r.period) == (form.key, period)), None), ""


def _standing(
    was: CityEdition | None,
    taken: CityEdition | None,
    at_city: EditionRow | None,
    wrong: str,
    due: date | None,
    today: date,
) -> Standing:
    """How a city stands: `was` is what the province's edition adds up, or would."""
    now = _mark(at_city) if at_city else _whole_mark(taken)
    if now is not None and now != _whole_mark(was):
        return "changed"
    if wrong:
        return "unseen" if was else "missing"
    if was is None:
        return "missing"
    if is_late(was.status, due, today):
        return "late"
    return "current" if was.status == "published" else "pending"


def _mark(row: EditionRow) -> tuple[str, ...]:
    marks = (row.edition_id, row.cell_hash, row.definition_hash, row.findings_hash)
    return (*marks, row.edition_status)
