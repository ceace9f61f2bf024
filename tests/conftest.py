"""What all tests share: a quiet environment, and small lakes."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.once import once

# No test may reach for the data home of whoever runs it, nor for a Prefect server.
for name in [n for n in os.environ if n.startswith(("NIANBAO_", "PREFECT_"))]:
    if name != "NIANBAO_TEST_REQUIRE":
        del os.environ[name]
# What the tests ask is small, and as many of them go on as there are cores: more threads to a
# question cost a quarter more and are no quicker. The full demo city is pulled and built with all.
os.environ["NIANBAO_THREADS"] = "1"


IS_REQUIRED = os.environ.get("NIANBAO_TEST_REQUIRE") == "all"
"""CI: what is optional on a laptop is required, so nothing may skip."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IS_REQUIRED and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"may not skip here: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if IS_REQUIRED and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"may not skip here: {report.longrepr}"
    return report


SLOW_TIERS = ("flow", "backtest", "browser")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tiers with long files begin, so that no worker is left alone with one at the end.
    Within them the order stays random."""
    items.sort(key=lambda item: item.path.parent.name not in SLOW_TIERS)


def pytest_sessionfinish() -> None:
    from tests.prefect_server import end_servers_begun_here

    end_servers_begun_here()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data home of the test's own."""
    folder = tmp_path / "data"
    monkeypatch.setenv("NIANBAO_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def small_template(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    from tests.small_city import SmallCity

    return SmallCity.at(once(tmp_path_factory, "small-city", SmallCity.create))


@pytest.fixture
def small(small_template, tmp_path: Path):  # type: ignore[no-untyped-def]
    """An empty small city: organs, a lake with all tables, and a way to add records."""
    return small_template.copied_to(tmp_path / "small")
