"""The demo city at full volume, pulled and built once for all backtests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from tests.city import Installation
from tests.warm import warm


@dataclass(frozen=True)
class FullCity:
    """The installation after a nightly run and the build of 2020, and what they printed."""

    installation: Installation
    nightly: str
    year_end: str


@pytest.fixture(scope="session")
def full_city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullCity]:
    from deployments.demo_city.service import running

    home = tmp_path_factory.mktemp("full")
    with running(home) as services:
        # With threads, as in use.
        installation = Installation.at(home, {**services, "NIANBAO_THREADS": "2"})
        nightly = installation.run("nightly", timeout=600)
        year_end = installation.run("year-end", "2020", expect=1, timeout=300)
        with warm(services) as commands:
            yield FullCity(replace(installation, warm=commands), nightly, year_end)
