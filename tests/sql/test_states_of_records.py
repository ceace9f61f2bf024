"""Work orders that were merged or refused, and articles in several channels: what the measures say."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.small_city import SmallCity
from warehouse.lake import Connection

MEASURES = Path(__file__).parents[2] / "warehouse" / "measures"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    made = SmallCity.create(tmp_path_factory.mktemp("states"))
    order: dict[str, Any] = {
        "organ_id": "B",
        "dispatched_at": datetime(2020, 3, 1, 9),
        "due_at": datetime(2020, 3, 6, 9),
    }
    made.add(
        "work_order",
        {**order, "record_id": "open", "work_order_status": "in_progress"},
        {**order, "record_id": "merged", "merged_into_id": "open"},
        {**order, "record_id": "said merged", "work_order_status": "merged"},
        {**order, "record_id": "said refused", "work_order_status": "refused"},
        {**order, "record_id": "refused", "refused_at": datetime(2020, 3, 2)},
        {**order, "record_id": "refused later", "refused_at": datetime(2021, 3, 2)},
        {**order, "record_id": "on hold", "work_order_status": "on_hold", "is_on_hold": True},
        {**order, "record_id": "nothing said"},
    )
    made.add(
        "channel",
        {"record_id": "news", "channel_name": "动态", "is_disclosure": False},
        {"record_id": "open", "channel_name": "公开目录", "is_disclosure": True},
    )
    article = {"organ_id": "B", "channel_id": "news", "published_at": datetime(2020, 5, 1)}
    made.add(
        "article",
        {**article, "record_id": "one"},
        {**article, "record_id": "both", "other_channel_ids": "archive,open"},
        {**article, "record_id": "other", "other_channel_ids": "archive,opening"},
    )
    return made


def of_2020(connection: Connection, measure: str, column: str) -> dict[str, bool]:
    """A column of a measure by record."""
    connection.execute("SET VARIABLE year_start = DATE '2020-01-01'")
    connection.execute("SET VARIABLE year_end = DATE '2020-12-31'")
    sql = (MEASURES / f"{measure}.sql").read_text(encoding="utf-8")
    return dict(connection.execute(f"SELECT record_id, {column} FROM ({sql})").fetchall())


def test_a_merged_work_order_counts_once(city: SmallCity) -> None:
    with city.lake.read() as connection:
        counted = of_2020(connection, "work_order", "is_dispatched_in_year")
    assert set(counted) == {
        "open", "said refused", "refused", "refused later", "on hold", "nothing said",
    }  # fmt: skip


def test_a_refused_work_order_is_neither_due_nor_open(city: SmallCity) -> None:
    with city.lake.read() as connection:
        due = of_2020(connection, "work_order", "is_due_in_year")
        still_open = of_2020(connection, "work_order", "is_open_at_year_end")
    assert {name for name, is_due in due.items() if is_due} == {"open", "on hold", "nothing said"}
    # What was refused after the year's end was still open at it.
    assert {name for name, is_open in still_open.items() if is_open} == {
        "open", "refused later", "on hold", "nothing said",
    }  # fmt: skip


def test_an_article_is_disclosed_where_any_of_its_channels_is(city: SmallCity) -> None:
    with city.lake.read() as connection:
        found = of_2020(connection, "article", "is_disclosure")
    assert found == {"one": False, "both": True, "other": False}
