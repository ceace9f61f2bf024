"""The nightly run as it is used: killed at any moment, with a failing source, run again."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.city import Installation
from tests.prefect_server import prefect_server
from tests.soak.beside import beside
from tests.warm import Server, warm
from warehouse.lake import Lake
from warehouse.tables import all_tables

SCALE = 0.005
KILLS = 2
# What says how a row came, not what it says.
NOT_COMPARED = {"load_id", "loaded_at", "origin"}

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    from deployments.demo_city.service import running

    folder = tmp_path_factory.mktemp("services")
    with (
        running(folder / "city", scale=SCALE) as environment,
        prefect_server(folder / "prefect") as server,
    ):
        yield {**environment, **server}


@pytest.fixture(scope="module")
def commands(services: dict[str, str]) -> Iterator[Server]:
    with warm(services) as server:
        yield server


@dataclass(frozen=True)
class Undisturbed:
    """An installation after one whole run, how many seconds that took, and what the page of the
    run and the command told of the records then."""

    installation: Installation
    seconds: float
    page: dict[str, Any]
    account: dict[str, Any]


@pytest.fixture(scope="module")
def undisturbed(
    services: dict[str, str], commands: Server, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    installation = Installation.at(tmp_path_factory.mktemp("undisturbed"), services, commands)
    began = time.monotonic()
    installation.run("nightly")
    seconds = time.monotonic() - began
    answer = requests.get(f"{services['PREFECT_API_URL']}/artifacts/account/latest", timeout=60)
    answer.raise_for_status()
    page = answer.json()
    account = installation.json("account", str(page["description"])[:4])
    return Undisturbed(installation, seconds, page, account)


def contents(home: Path) -> dict[str, list[str]]:
    """Every pulled table's rows as text, in order."""
    found = {}
    with Lake(home).read() as connection:
        for table in all_tables():
            if table.is_pulled:
                columns = ", ".join(c.name for c in table.columns if c.name not in NOT_COMPARED)
                rows = connection.execute(
                    f"SELECT (SELECT t::VARCHAR FROM (SELECT {columns}) AS t) FROM {table.full_name} ORDER BY 1"
                ).fetchall()
                found[table.full_name] = [row[0] for row in rows]
    return found


def test_killed_at_random_moments_the_tables_end_the_same(
    services: dict[str, str], commands: Server, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """A chain of killed runs, each on the home that the one before left behind; `make soak` makes a
    hundred."""
    expected = contents(undisturbed.installation.home)
    assert sum(map(len, expected.values())) > 5000
    moments = random.Random(os.environ.get("PYTEST_RANDOM_SEED", "20201231"))
    lasting = undisturbed.seconds
    disturbed = Installation.at(tmp_path / "chain", services, commands)
    killed = 0
    while killed < KILLS:
        process = disturbed.start("nightly")
        began = time.monotonic()
        # The first tenth is before anything is touched.
        until = began + moments.uniform(0.1, 1) * lasting
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        if process.code is None:
            process.kill()
            killed += 1
        else:
            # It ended by itself: the machine has become faster, or less is left to do.
            assert process.code == 0, process.output
            lasting = time.monotonic() - began
    disturbed.run("nightly")
    assert contents(disturbed.home) == expected


def test_run_again_with_nothing_changed_writes_nothing(undisturbed: Undisturbed) -> None:
    installation = undisturbed.installation
    before = contents(installation.home)
    assert "写入 0 行" in installation.run("nightly")
    assert contents(installation.home) == before


def test_the_page_of_a_night_tells_where_every_record_went(undisturbed: Undisturbed) -> None:
    """One paragraph a list, each number equal to what the command prints of the same lake."""
    page, printed = str(undisturbed.page["data"]), undisturbed.account
    assert printed["balanced"]
    assert "账目不符" not in page
    for line in printed["resources"]:
        assert f"## {line['source']}.{line['resource']}" in page.replace("\\", "")
        assert f"取到 {line['fetched']:,} = " in page
        assert f"在用 {line['in_force']:,} = " in page
    assert page.count("\n## ") == len(printed["resources"]) >= 20


def test_commands_beside_each_other_notice_nothing(
    services: dict[str, str], commands: Server, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """A few seconds of them; `make soak` lets them run for ten."""
    shutil.copytree(undisturbed.installation.home, tmp_path / "home")
    made = Installation.at(tmp_path / "home", services, commands)
    made.run("year-end", "2020", expect=1)
    told = beside(made, 0.1, seed=3, say=lambda *_: None)
    assert told.faults == []
    assert sum(told.commands.values()) >= 4


def without_required_field(city: Path) -> Path:
    """The demo city's folder, its gazette asked for a required field that no record has."""
    shutil.copytree("deployments/demo_city", city, ignore=shutil.ignore_patterns("*.py", "service"))
    ledger = city / "sources" / "ledger.yaml"
    text = ledger.read_text(encoding="utf-8")
    start = text.index("table: gazette_issue")
    renamed = text[start:].replace("copy_count: {path: copies", "copy_count: {path: elsewhere", 1)
    assert renamed != text[start:]
    ledger.write_text(text[:start] + renamed, encoding="utf-8")
    return city


def test_a_failing_source_and_a_broken_contract_leave_the_others_loaded_and_are_caught_up(
    services: dict[str, str], commands: Server, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """A system refuses the sign-in, a resource of another lost a required field: both stand
    still alone and say why, the rest is loaded, and the next run catches up."""
    secret = "NIANBAO_HOTLINE_CLIENT_SECRET"
    city = without_required_field(tmp_path / "demo_city")
    broken = Installation.at(
        tmp_path / "home",
        {**services, secret: "not-the-secret", "NIANBAO_CITY": str(city)},
        commands,
    )
    told = broken.run("nightly", expect=3)
    assert "hotline" in told
    assert "gazette" in told
    assert "not-the-secret" not in told
    status = {one["resource"]: one for one in broken.json("status", expect=1)}
    assert status["gazette"]["last_status"] == "stopped"
    assert status["gazette"]["message"]
    assert status["applications"]["last_status"] == "loaded"
    found = contents(broken.home)
    assert found["core.hotline_call"] == found["core.gazette_issue"] == []
    expected = contents(undisturbed.installation.home)
    assert found["core.application"] == expected["core.application"]
    mended = Installation.at(tmp_path / "home", services, commands)
    mended.run("nightly")
    assert contents(mended.home) == expected


def test_a_withdrawn_and_a_changed_record_are_followed(
    services: dict[str, str], commands: Server, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    from deployments.demo_city.service.client import Client

    installation = Installation.at(tmp_path / "copy", services, commands)
    shutil.copytree(undisturbed.installation.home, installation.home)
    article = next(iter(Client(services).cms("wenzhang")))
    url = f"{services['NIANBAO_CMS_URL']}/_control"
    try:
        done = requests.post(f"{url}/records/wenzhang/{article['wzId']}/withdraw", timeout=10)
        assert done.ok, done.text
        assert "写入 1 行" in installation.run("nightly")
        with Lake(installation.home).read() as connection:
            row = connection.execute(
                "SELECT removed_at FROM core.article WHERE record_id = ?", [article["wzId"]]
            ).fetchone()
        assert row is not None
        assert row[0] is not None
    finally:
        requests.post(f"{url}/reset", timeout=10)


def test_backfill_brings_back_what_is_missing_and_doubles_nothing(
    services: dict[str, str], commands: Server, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """Rows lost behind the watermark, which no nightly run would ask for again."""
    installation = Installation.at(tmp_path / "copy", services, commands)
    shutil.copytree(undisturbed.installation.home, installation.home)
    expected = contents(installation.home)
    with Lake(installation.home).write() as connection:
        (lost,) = connection.execute(
            "DELETE FROM core.hotline_call WHERE called_at >= DATE '2020-05-01' AND called_at < DATE '2020-05-20'"
        ).fetchone() or (0,)
    assert lost > 20
    assert contents(installation.home) != expected
    told = installation.run("backfill", "hotline", "--from", "2020-05-01", "--to", "2020-05-31")
    assert f"写入 {lost} 行" in told
    assert contents(installation.home) == expected
