"""What the browser tests share: Chromium, a city that was pulled once, and a page for someone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.city import Installation
from tests.once import once
from tests.operator_room import Room, add_people, room

SCALE = 0.01
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)

Launch = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="session")
def launch() -> Launch:
    """Begins a Chromium for a `with` block; arguments are its own switches."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")

    @contextmanager
    def launched(*switches: str) -> Iterator[Any]:
        with sync_api.sync_playwright() as play:
            browser = play.chromium.launch(executable_path=program, args=[*QUIET, *switches])
            yield browser
            browser.close()

    return launched


@pytest.fixture(scope="module")
def chromium(launch: Launch) -> Iterator[Any]:
    with launch() as browser:
        yield browser


@dataclass(frozen=True)
class Pulled:
    """A small demo city that goes on serving, and a home into which it was pulled once."""

    home: Path
    services: Mapping[str, str]

    @contextmanager
    def room(self, home: Path, people: Mapping[str, str], **settings: str) -> Iterator[Room]:
        """A room over a copy of the home, with persons by name and role."""
        shutil.copytree(self.home, home)
        add_people(home, people)
        with room(home, self.services, **settings) as served:
            yield served


@pytest.fixture(scope="session")
def pulled(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pulled]:
    from deployments.demo_city.service import running

    folder = tmp_path_factory.mktemp("pulled")
    with running(folder / "city", scale=SCALE) as services:
        # Each worker's demo city serves the same records.
        home = once(
            tmp_path_factory,
            "pulled-home",
            lambda making: Installation.at(making, services).run("nightly"),
        )
        yield Pulled(home, services)


@pytest.fixture
def opened(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages that note in `faults` what scripts of ours broke and what was asked of another host
    than that of the page's first address; there must be none when the test ends."""
    contexts, pages = [], []

    def open_page(**more: Any) -> Any:
        context = chromium.new_context(locale="zh-CN", timezone_id="Asia/Shanghai", **more)
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.faults = []

        def broke(told: Any) -> None:
            # Prefect's own scripts break now and then when a page of a run is left as it is drawn.
            url = told.page.url if told.page else ""
            if "/desk/" in url or "/editions/" in url:
                page.faults.append(str(told.error))

        context.on("weberror", broke)
        hosts: set[str] = set()

        def asked(request: Any) -> None:
            if request.url.startswith(("http", "ws")):
                hosts.add(request.url.split("/")[2])
                if len(hosts) > 1:
                    page.faults.append(request.url)

        context.on("request", asked)
        contexts.append(context)
        pages.append(page)
        return page

    yield open_page
    found = [page.faults for page in pages if page.faults]
    for context in contexts:
        context.close()
    assert found == []
