"""Numbers of items in table 二 of 2019, told in prose with their way in words."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tasks.audit.run import audit_files
from tests.audit_reports import as_html, balanced
from warehouse.form import load_layout

PRIOR, CHANGE = "行政许可上一年项目数量120项", "t2.administrative_license.change"


@pytest.mark.parametrize(
    ("prose", "statuses"),
    [
        (f"{PRIOR},本年减少6项,处理决定数量3211件。", ["pass"]),
        (f"{PRIOR},本年减少9项,处理决定数量3211件。", ["fail"]),
        (f"{PRIOR},本年增加6项。", ["fail"]),
        ("行政许可事项较上年减少6项。", ["pass"]),
        ("行政许可事项较上年增加6项。", ["uncertain"]),
        ("现有行政许可项目114项,比上年减少6项。", ["pass", "pass"]),
        ("现有行政许可项目116项。", ["uncertain"]),
        ("行政许可办理时限压缩,新增网上办理3项。", []),
    ],
)
def test_items_told_in_prose(prose: str, statuses: list[str], tmp_path: Path) -> None:
    layout = load_layout("2019")
    figures = balanced(layout, random.Random(5), 300)
    figures["t2.administrative_license.prior_items"] = 120
    figures[CHANGE] = -6
    figures["t2.administrative_license.decisions"] = 3211
    figures.prose = (prose,)
    path = tmp_path / "r.html"
    path.write_bytes(as_html(layout, figures))
    found = [c.status for c in audit_files([path])[0].checks if c.key.startswith("B7.items.")]
    assert found == statuses
