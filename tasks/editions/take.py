"""Take in: the cities' editions into the lake of their province, as the cities keep them.

Each city's lake is read and never written. What is taken is held against the fingerprints that the
city took when it built the edition; a city that cannot be read keeps no other from being taken.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tasks.city.province import cities_of_province, is_province
from tasks.editions.edition import CityEdition
from tasks.editions.fingerprints import cell_hash, findings_hash
from tasks.editions.store import answers_of, edition_rows, load_edition
from tasks.editions.store.cities import (
    CityLook,
    export_figures,
    exported_cells,
    keep_looks,
    keep_taken,
    kept_definitions,
    taken_editions,
)
from tasks.editions.store.rows import EditionRow
from tasks.settings import Settings
from warehouse.city_mark import roots_of
from warehouse.errors import ConfigurationError, FindingsError, NianbaoError
from warehouse.form import forms
from warehouse.lake import Lake
from warehouse.lake_errors import NoLake

Progress = Callable[[str], None]


class NotAProvince(ConfigurationError):
    """The folder is not a province's; the message says how it becomes one."""


class NotAsBuilt(FindingsError):
    """An edition's rows do not give the fingerprints that were taken when it was built."""


@dataclass(frozen=True)
class Change:
    """A report of a city whose edition is another than before: its id before, empty where there was
    none, and now; `is_other` says that its figures may be others, not its status alone."""

    before: str
    now: str
    status: str
    is_other: bool


@dataclass(frozen=True)
class Looked:
    """What came of looking at a city: its name in the province, and what was taken."""

    name: str
    look: CityLook
    changes: tuple[Change, ...] = ()


@dataclass
class Taken:
    """What came of looking at all cities."""

    cities: list[Looked] = field(default_factory=list)

    @property
    def changed(self) -> list[Looked]:
        return [one for one in self.cities if one.changes]

    @property
    def unseen(self) -> list[Looked]:
        """The cities that may have an edition which was not seen."""
        return [one for one in self.cities if one.look.is_blind]

    @property
    def told(self) -> str:
        """In words, for the operator."""
        counts = {
            "取入版次": sum(len(one.changes) for one in self.cities),
            "没有变化的市": sum(
                one.look.status == "read" and not one.changes for one in self.cities
            ),
            "还没有版次的市": sum(one.look.status == "empty" for one in self.cities),
            "没有目录的市": sum(one.look.status == "absent" for one in self.cities),
            "没有读到的市": len(self.unseen),
        }
        return "、".join(f"{name} {count} 个" for name, count in counts.items() if count)


def check_is_province(folder: Path) -> None:
    """Raises NotAProvince for a city's folder."""
    if not is_province(folder):
        raise NotAProvince(
            f"{folder} 是一个市的目录,自己取记录。要由各市版次加总的,请在 city.yaml 中写 kind: province"
            "(新建:nianbao city new 名称 --province),并用 --city 写明省的目录"
        )


def folders_of(province: Path, cities: Sequence[Settings]) -> dict[str, Settings]:
    """The settings of each city that a province names, by its code there, as far as there are."""
    named = cities_of_province(province)
    return {
        root.id: settings
        for settings in cities
        for root in roots_of(settings.city)
        if root.id in named and settings.city != province
    }


def take_editions(
    lake: Lake,
    province: Path,
    cities: Sequence[Settings],
    *,
    now: datetime,
    is_published_only: bool = False,
    progress: Progress = lambda city: None,
) -> Taken:
    """Take in the edition in force of each report of each city: the newest, pending or published, or
    the published one.

    `province` is its folder, `lake` its lake, `cities` the settings of all cities there are. Raises
    NotAProvince, CityFileError and LakeError of the province's own; what is wrong with a city is told
    with it.
    """
    check_is_province(province)
    there = folders_of(province, cities)
    with lake.read() as connection:
        held = {
            (taken.city_id, taken.form, taken.period): taken.reference
            for taken in taken_editions(connection)
        }
    found = Taken()
    for city_id, name in cities_of_province(province).items():
        progress(name)
        settings = there.get(city_id)
        if settings is None:
            told = f"NIANBAO_CITIES 中没有根机关编号为 {city_id} 的城市"
            found.cities.append(Looked(name, CityLook(city_id, "", now, "absent", told)))
            continue
        changes: list[Change] = []
        status, told = "read", ""
        try:
            if not _take(lake, province, city_id, settings, held, is_published_only, now, changes):
                status, told = "empty", "还没有版次"
        except NoLake:
            status, told = "empty", "还没有湖"
        except NotAsBuilt as error:
            status, told = "refused", str(error)
        except NianbaoError as error:
            status, told = "failed", str(error)
        look = CityLook(city_id, settings.city_name, now, status, told)
        found.cities.append(Looked(name, look, tuple(changes)))
    keep_looks(lake, [one.look for one in found.cities])
    return found


def in_force(rows: Sequence[EditionRow], *, is_published_only: bool = False) -> list[EditionRow]:
    """Of each report the newest edition that was not replaced."""
    newest: dict[tuple[str, str], EditionRow] = {}
    for row in rows:
        if row.is_published or (row.is_pending and not is_published_only):
            newest[(row.form, row.period.key)] = row
    return list(newest.values())


def _take(
    lake: Lake,
    province: Path,
    city_id: str,
    settings: Settings,
    held: Mapping[tuple[str, str, str], CityEdition],
    is_published_only: bool,
    now: datetime,
    changes: list[Change],
) -> bool:
    """Take what is new of a city, noting each in `changes` as it is kept; whether the city has any
    edition. Raises NotAsBuilt, LakeError."""
    city_lake, known_forms = settings.lake(), forms(province)
    with city_lake.read() as connection:
        rows = in_force(edition_rows(connection), is_published_only=is_published_only)
    for row in rows:
        if row.form not in known_forms:
            # A form of the city's own is none of the province's.
            continue
        was = held.get((city_id, row.form, row.period.key))
        if was is not None and _is_the_same(was, settings, row):
            continue
        with tempfile.TemporaryDirectory(prefix="nianbao-take-") as folder:
            figures = Path(folder) / "figures.parquet"
            is_ = _take_one(lake, city_lake, city_id, settings, row, figures, now)
        is_other = was is None or was.figures_mark != is_.figures_mark
        changes.append(Change(was.edition_id if was else "", row.edition_id, is_.status, is_other))
    return bool(rows)


def _is_the_same(was: CityEdition, settings: Settings, row: EditionRow) -> bool:
    mark = (row.edition_id, row.cell_hash, row.definition_hash, row.findings_hash)
    beside = (was.city_name, was.status, was.manifest_hash)
    return was.figures_mark == mark and beside == (
        settings.city_name,
        row.edition_status,
        row.manifest_hash,
    )


def _take_one(
    lake: Lake,
    city_lake: Lake,
    city_id: str,
    settings: Settings,
    row: EditionRow,
    figures: Path,
    now: datetime,
) -> CityEdition:
    """Take an edition of a city, by its row. Raises NotAsBuilt."""
    edition = load_edition(city_lake, row.edition_id, with_figures=False)
    with city_lake.read() as connection:
        export_figures(connection, row.edition_id, figures)
        text = kept_definitions(connection, row.edition_id)
        answers = {(o, key): reason for o, key, reason in answers_of(connection, row.edition_id)}
    definitions = edition.definitions
    marks = {
        "单元格": (row.cell_hash, cell_hash(exported_cells(figures))),
        "核对结果": (row.findings_hash, findings_hash(edition.findings)),
        "口径与规则": (row.definition_hash, definitions.fingerprint if definitions else ""),
    }
    # What an edition of an earlier release kept otherwise proves nothing.
    proved = marks if definitions and not definitions.not_kept else {"单元格": marks["单元格"]}
    if changed := [name for name, (was, is_) in proved.items() if was != is_]:
        raise NotAsBuilt(
            f"版次 {row.edition_id} 与编制时的指纹不符({'、'.join(changed)}),没有取入。"
            "请该市从备份恢复或重新编制"
        )
    reference = CityEdition(
        city_id,
        settings.city_name,
        row.edition_id,
        row.edition_status,
        row.lake_snapshot,
        row.data_as_of,
        row.cell_hash,
        row.definition_hash,
        row.findings_hash,
        row.manifest_hash,
        edition.is_synthetic,
    )
    keep_taken(lake, reference, edition, row, answers, text, figures, now=now)
    return reference
