"""One set of deployments a city, from one file: nobody's runs in another's lake, nights apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from deployments.declared import read_deployments
from deployments.of_cities import QUEUES, commands, declared_for, queue_of
from tasks.settings import Settings, settings_of_all
from tasks.watch.cities import new_city


@pytest.fixture
def cities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sequence[Settings]:
    """21 cities and their province."""
    folder = tmp_path / "cities"
    monkeypatch.setenv("NIANBAO_CITIES", str(folder))
    for number in range(21):
        new_city(folder / f"city{number:02}", f"第{number}市", f"44{number:02}00")
    new_city(folder / "province", "某省", "440000", is_of_province=True)
    return settings_of_all()


def test_each_city_has_its_own_set(cities: Sequence[Settings]) -> None:
    file = declared_for(cities)
    # As it is written and read again.
    made = yaml.safe_load(yaml.safe_dump(file, allow_unicode=True))["deployments"]
    names = [(d["entrypoint"], d["name"]) for d in made]
    assert len(set(names)) == len(names)
    declared = {entry["name"] for entry in read_deployments()}
    for settings in cities:
        own = [d for d in made if d["tags"][-1] == settings.city_name]
        kinds = {d["name"].removesuffix(f"-{settings.city_name}") for d in own}
        is_of_province = settings.city_name == "province"
        assert ("nightly" in kinds, "take-editions" in kinds) == (
            not is_of_province,
            is_of_province,
        )
        assert kinds <= declared
        for deployment in own:
            pool = deployment["work_pool"]
            assert pool["job_variables"]["env"] == {"NIANBAO_CITY": settings.city_name}
            assert pool["work_queue_name"] in QUEUES
            for trigger in deployment.get("triggers", ()):
                assert {"prefect.resource.role": "tag",
                        "prefect.resource.id": f"prefect.tag.{settings.city_name}"
                        } in trigger["match_related"]  # fmt: skip


@pytest.mark.parametrize("kind", ["nightly", "maintenance"])
def test_nights_begin_one_after_the_other(cities: Sequence[Settings], kind: str) -> None:
    minutes = []
    for deployment in declared_for(cities)["deployments"]:
        if deployment["name"].startswith(f"{kind}-city"):
            minute, hour, *days = deployment["schedules"][0]["cron"].split()
            assert days == ["*", "*", "*"]
            minutes.append(60 * int(hour) + int(minute))
    assert (len(set(minutes)), minutes) == (21, sorted(minutes))
    assert max(minutes) - min(minutes) < 120


def test_what_is_waited_for_goes_first() -> None:
    order = ["publish", "year-end", "nightly", "backfill"]
    assert [QUEUES[queue_of(name)] for name in order] == [1, 2, 3, 4]
    assert queue_of("year-end") == "waited-for"
    assert all(queue_of(entry["name"]) in QUEUES for entry in read_deployments())
    assert next(c for c in commands("x.yaml") if "--priority" in c).split()[-1] == "1"


def test_prefect_reads_the_triggers(cities: Sequence[Settings]) -> None:
    from prefect.events import DeploymentEventTrigger

    (alert,) = (d for d in declared_for(cities)["deployments"] if d["name"] == "alert-city07")
    for trigger in alert["triggers"]:
        read = DeploymentEventTrigger(**{k: v for k, v in trigger.items() if k != "type"})
        assert isinstance(read.match_related, list)
