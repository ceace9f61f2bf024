"""A small province for tests: three small cities whose organs are numbered alike, and its own lake."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from tasks.city.register import register_city
from tasks.editions.build import Built, build_edition
from tasks.editions.take import Taken, take_editions
from tasks.settings import Settings, settings_of_all
from tasks.watch.cities import new_city
from tests.small_city import NOW, ORGANS, OVERVIEW, SmallCity
from warehouse.lake import Lake, transaction
from warehouse.period import Period

YEAR = Period.of_year(2020)
CODES = {"jia": "110", "yi": "120", "bing": "130"}


@dataclass
class SmallProvince:
    """`folder` is the province's, `cities` are its cities by name; all of them in `NIANBAO_CITIES`."""

    folder: Path
    cities: dict[str, SmallCity] = field(default_factory=dict)

    @classmethod
    def create(
        cls, template: SmallCity, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> SmallProvince:
        """A new one, below `root`; its cities are copies of a small one with root organs of their
        own."""
        folder = root / "cities"
        _name(root, monkeypatch)
        cities = {}
        for name, code in CODES.items():
            shutil.copytree(template.folder, folder / name)
            shutil.copytree(template.lake.home, root / "data" / name)
            organs = ORGANS.replace("R,某市", f"{code},{name}市").replace(",R,", f",{code},")
            (folder / name / "organs.csv").write_text(organs, encoding="utf-8")
            city = SmallCity(folder / name, Lake(root / "data" / name))
            with city.lake.write() as connection, transaction(connection):
                connection.execute("UPDATE ops.city SET organ_id = ?", [code])
            city.register()
            cities[name] = city
        beside = [settings.city for settings in settings_of_all()]
        new_city(folder / "sheng", "某省人民政府", "100", beside, is_of_province=True)
        (folder / "sheng" / "overview.yaml").write_text(OVERVIEW, encoding="utf-8")
        made = cls(folder / "sheng", cities)
        made.lake.create()
        register_city(made.lake, made.folder, now=NOW)
        return made

    def copied_to(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> SmallProvince:
        """The same province elsewhere, named by the environment in place of this one."""
        shutil.copytree(self.folder.parents[1], root)
        _name(root, monkeypatch)
        cities = {
            name: SmallCity(root / "cities" / name, Lake(root / "data" / name), city._count)
            for name, city in self.cities.items()
        }
        return SmallProvince(root / "cities" / "sheng", cities)

    def name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Name it in the environment."""
        _name(self.folder.parents[1], monkeypatch)

    @property
    def settings(self) -> Settings:
        return Settings(city="sheng")  # type: ignore[arg-type]

    @property
    def lake(self) -> Lake:
        return self.settings.lake()

    def build_city(self, name: str, *, now: datetime = NOW, reason: str = "") -> Built:
        city = self.cities[name]
        return build_edition(city.lake, city.folder, YEAR, now=now, reason=reason)

    def take(self, *, now: datetime = NOW, is_published_only: bool = False) -> Taken:
        return take_editions(
            self.lake,
            self.folder,
            settings_of_all(),
            now=now,
            is_published_only=is_published_only,
        )

    def build(self, *, now: datetime = NOW, reason: str = "") -> Built:
        return build_edition(self.lake, self.folder, YEAR, now=now, reason=reason)


def _name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIANBAO_CITIES", str(root / "cities"))
    monkeypatch.setenv("NIANBAO_HOME", str(root / "data" / "{city}"))
    monkeypatch.setenv("NIANBAO_CITY", "sheng")
