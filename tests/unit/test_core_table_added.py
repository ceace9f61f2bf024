"""A core table is added as files: findings call it by the title in its head."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.render.findings import table_label
from warehouse import tables

SQL = """-- table:      core.open_day
-- title:      政府开放日
-- is:         one day on which an organ was open to the public
-- grain:      one day of one organ
-- key:        source_system, record_id
-- source:     website CMS
CREATE TABLE IF NOT EXISTS core.open_day (
    source_system VARCHAR NOT NULL,  -- 来源系统
    record_id VARCHAR NOT NULL  -- 来源系统内的编号
);
"""


@pytest.fixture
def with_open_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for layer in ("core", "ops", "yearly"):
        shutil.copytree(tables.WAREHOUSE / layer, tmp_path / layer)
    (tmp_path / "core" / "open_day.sql").write_text(SQL, encoding="utf-8")
    monkeypatch.setattr(tables, "WAREHOUSE", tmp_path)
    tables.all_tables.cache_clear()
    yield
    monkeypatch.undo()
    tables.all_tables.cache_clear()


def test_a_new_table_is_called_by_the_title_in_its_head(with_open_days: None) -> None:
    assert tables.table("core.open_day").grain == "one day of one organ"
    assert table_label("core.open_day") == "政府开放日"
    assert table_label("core.application") == tables.table("core.application").title
