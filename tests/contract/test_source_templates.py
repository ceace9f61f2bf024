"""Every template loads a few pages of a fake of its system, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.connect.new import file_from, templates
from tasks.connect.trial import Tried, judged, load_pages
from tasks.sources.model import Source, load_source
from tests.contract.public import SYSTEMS, serving
from tests.small_city import NOW, SmallCity


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    return SmallCity.create(tmp_path_factory.mktemp("templates"))


def written(folder: Path, template: str, url: str) -> Source:
    """The source of a template, under a name of its own."""
    name = template.replace("-", "_")
    file = folder / f"{name}.yaml"
    file.write_text(file_from(template, name, "试接系统", url), encoding="utf-8")
    secrets = {f"NIANBAO_{name.upper()}_{what}": "x" for what in ("KEY", "USER", "PASSWORD")}
    return load_source(file, secrets)


def loaded(city: SmallCity, folder: Path, template: str) -> list[Tried]:
    system = SYSTEMS[template]()
    with serving(system):
        return load_pages(written(folder, template, system.url), city.lake, 3, NOW)


@pytest.mark.parametrize("name", templates())
def test_a_template_loads_pages_of_its_system(city: SmallCity, tmp_path: Path, name: str) -> None:
    lists = loaded(city, tmp_path, name)
    one = next(found for found in lists if found.table == SYSTEMS[name]().table)
    assert all(found.error is None and not found.rejects for found in lists), [
        (found.error, found.rejects) for found in lists
    ]
    assert one.kept + one.removed == one.read > 50


def test_what_was_loaded_is_judged_and_counted(small: SmallCity, tmp_path: Path) -> None:
    lists = loaded(small, tmp_path, "redmine")
    trial = judged(lists, small.lake, small.folder, NOW)
    assert trial.year == 2020
    assert trial.edition is not None
    # What its records lack, and nothing of another system's.
    assert {rule.code for rule in trial.rules} == {"WKO-12"}


def test_every_system_of_a_template_says_what_it_is() -> None:
    assert all(said and not said.startswith("name:") for said in templates().values())
    assert set(templates()) <= set(SYSTEMS)
