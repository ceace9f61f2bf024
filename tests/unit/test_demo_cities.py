"""Other demo cities: folders that no two cities share a code of, with the demo city's systems."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.demo_city.others import (
    folder_name,
    make_folder,
    name_of,
    seed_of,
)
from deployments.demo_city.service.generate import SEED
from tasks.city.register import ORGAN_COLUMNS, read_organs
from tasks.city.websites import read_websites
from tasks.settings import DEMO_CITY
from tasks.sources.model import load_sources
from warehouse.city_mark import roots_of

COUNT = 23
SYSTEMS = ("CMS", "HOTLINE", "MEDIA", "LEDGER")
SECRETS = (
    *("NIANBAO_CMS_KEY", "NIANBAO_HOTLINE_CLIENT_ID", "NIANBAO_HOTLINE_CLIENT_SECRET"),
    *("NIANBAO_MEDIA_KEY_ID", "NIANBAO_MEDIA_SECRET"),
    *("NIANBAO_LEDGER_USER", "NIANBAO_LEDGER_PASSWORD"),
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("demo")
    made = [root / folder_name(number) for number in range(1, COUNT + 1)]
    assert all(make_folder(folder, number) for number, folder in enumerate(made, 1))
    return made


def test_no_two_share_a_code_or_a_name(folders: list[Path]) -> None:
    ids: set[str] = set()
    roots = []
    for folder in (DEMO_CITY, *folders):
        of_city = {row[0] for row in read_organs(folder / "organs.csv")}
        assert not ids & of_city
        ids |= of_city
        (root,) = roots_of(folder)
        roots.append(root)
    assert len({root.id for root in roots}) == len({root.name for root in roots}) == COUNT + 1
    assert len({name_of(n) for n in range(1, COUNT + 1)}) == COUNT
    assert len({SEED, *map(seed_of, range(1, COUNT + 1))}) == COUNT + 1


def test_each_reads_its_systems_as_the_demo_city_does(folders: list[Path]) -> None:
    environment = dict.fromkeys(SECRETS, "x")
    environment |= {f"NIANBAO_{name}_URL": "http://127.0.0.1:1" for name in SYSTEMS}
    organs = ORGAN_COLUMNS.index("organ_id")
    theirs = read_organs(DEMO_CITY / "organs.csv")
    for folder in folders[:3]:
        rows = read_organs(folder / "organs.csv")
        assert len(rows) == len(theirs)
        ids = [row[organs] for row in rows]
        assert len(read_websites(folder / "websites.csv", ids)) > 0
        names = {path.name for path in (folder / "sources").glob("*.yaml")}
        assert names == {path.name for path in (DEMO_CITY / "sources").glob("*.yaml")}
        assert load_sources(folder / "sources", environment)


def test_what_is_there_is_left(folders: list[Path]) -> None:
    before = (folders[0] / "organs.csv").read_bytes()
    assert not make_folder(folders[0], 2)
    assert (folders[0] / "organs.csv").read_bytes() == before
