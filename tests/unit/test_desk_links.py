"""What a run tells leads to the pages of 年报工作台, and those are there."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from starlette.routing import Match

from deployments.page.routes import ROUTES
from tasks.editions.differences import Comparison
from tasks.render import operator
from tests.edition_fixture import edition_2020

PAGE = "https://city.example/office"
TITLES = (*operator.PAGES, "与上一版次比较")


def links(text: str) -> dict[str, str]:
    return dict(re.findall(r"\[([^\]]+)\]\(([^)]+)\)", text))


def is_answered(address: str) -> bool:
    """Whether a page answers an address, other than by saying that there is none."""
    path = urlsplit(address.removeprefix(f"{PAGE}/desk")).path
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    *routes, _no_such_page = ROUTES
    return any(route.matches(scope)[0] == Match.FULL for route in routes)


def result(desk: str, comparison: Comparison | None = None) -> str:
    pages = dict.fromkeys(TITLES, "")
    return operator.result(edition_2020(), comparison or Comparison(), pages, "", desk)


def test_the_result_of_a_build_leads_to_the_pages_where_it_is_worked_on() -> None:
    told = links(result(f"{PAGE}/desk", Comparison("2019-9")))
    here = f"{PAGE}/desk/edition/2020-1"
    assert told["打开版次 2020-1（年报工作台）"] == here
    assert told["打开批准页（版次 2020-1）"] == f"{PAGE}/desk/approve/2020-1"
    assert told["逐数查看"] == here
    assert told["按记录处理"] == f"{here}/findings"
    assert told["总体与上年"] == f"{here}/overview"
    assert told["下载"] == f"{here}#files"
    assert told["按记录比较"] == f"{PAGE}/desk/compare?before=2019-9&after=2020-1"
    assert [address for address in told.values() if not is_answered(address)] == []


def test_the_first_edition_is_compared_with_nothing() -> None:
    assert "按记录比较" not in result(f"{PAGE}/desk")


def test_where_no_page_is_served_nothing_leads_there() -> None:
    told = result("")
    assert links(told) == {}
    assert "年报工作台" not in told


@pytest.mark.parametrize("path", ["/nothing", "/edition/2020-1/nothing", "/edition"])
def test_an_address_that_no_page_answers_is_noticed(path: str) -> None:
    assert not is_answered(f"{PAGE}/desk{path}")


def test_a_page_of_a_run_ends_with_the_way_to_the_desk() -> None:
    text = operator.with_way_to_desk("正文\n", "打开期限(年报工作台)", f"{PAGE}/desk/deadlines")
    assert text == f"正文\n\n[打开期限（年报工作台）]({PAGE}/desk/deadlines)\n"
    assert operator.with_way_to_desk("正文\n", "打开", "") == "正文\n"
    assert is_answered(f"{PAGE}/desk/deadlines")
    assert is_answered(f"{PAGE}/desk/data")
