"""The HTML report in a real browser: every figure answers a click, nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.render.html import write
from tests.edition_fixture import edition_2020

CLICK_EVERY_FIGURE = """() => {
  const panel = document.getElementById("panel"), silent = [];
  document.querySelectorAll("button.n").forEach(button => {
    button.click();
    if (panel.hidden || !panel.querySelector(".big").textContent) silent.push(button.dataset.k);
  });
  return silent;
}"""


@pytest.fixture
def page(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    path = tmp_path / "report.html"
    write(edition_2020(), path)
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.problems = []
    page.on("console", lambda message: page.problems.append(message.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("request", lambda request: page.problems.append(request.url))
    page.goto(path.as_uri())
    page.problems.clear()
    yield page
    page.close()


def test_every_figure_answers_a_click(page: Any) -> None:
    assert page.evaluate(CLICK_EVERY_FIGURE) == []
    page.select_option("#organ", index=3)
    page.select_option("#scope", "own")
    assert page.evaluate(CLICK_EVERY_FIGURE) == []
    assert page.problems == []


def test_a_click_shows_definition_equation_organs_and_records(page: Any) -> None:
    page.click('button[data-k="t3.new_received.total"]')
    told = page.inner_text("#panel")
    for text in ("3706", "收到日期在本年的申请", "≠ 3706", "YSQ-2020-00000", "青湾区人民政府"):
        assert text in told
    page.keyboard.press("Escape")
    assert page.is_hidden("#panel")


def test_choosing_an_organ_changes_the_tables(page: Any) -> None:
    figure = 'button[data-k="t3.granted.total"]'
    assert page.inner_text(figure) == "1298"
    page.select_option("#organ", index=1)
    expected = edition_2020().figures("c1")["t3.granted.total"].value
    assert page.inner_text(figure) == str(expected)
    assert "青湾区人民政府" in page.inner_text("#viewing")
    page.click("#viewing button")
    assert page.inner_text(figure) == "1298"


def test_a_figure_can_be_linked_to(page: Any) -> None:
    page.goto(f"{page.url.partition('#')[0]}#cell=t4.reconsideration.total")
    page.reload()
    assert "行政复议" in page.inner_text("#panel-title")
