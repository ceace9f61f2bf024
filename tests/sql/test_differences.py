"""Differences between editions, told by the records that make them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from deployments.cli.differences import readable
from tasks.clock import BEIJING
from tasks.editions.build import build_edition
from tasks.editions.compare import compare, write_csv
from tasks.editions.differences import NotComparable, differences, differences_json
from tasks.editions.store import load_edition
from tasks.publish import maintain as maintenance
from tasks.settings import Settings
from tests.small_city import NOW, SmallCity
from warehouse.lake import transaction
from warehouse.period import Period

CORRECTION = """
- {table: application, source_system: s, record_id: mended, column: outcome, expect: granted,
   value: partially_granted, reason: 误登, reported_by: 甲县, decided_on: 2021-01-21}
"""


def change(city: SmallCity, sql: str, *values: Any) -> None:
    with city.lake.write() as connection, transaction(connection):
        connection.execute(sql, list(values))


def build(city: SmallCity, year: int = 2020) -> str:
    return build_edition(city.lake, city.folder, Period.of_year(year), now=NOW).edition.id


def told(city: SmallCity, before: str, after: str, **more: Any) -> dict[str, Any]:
    editions = [load_edition(city.lake, id_) for id_ in (before, after)]
    found = differences_json(differences(city.lake, *editions, **more))
    return dict(json.loads(json.dumps(found)))


def listed(found: dict[str, Any], cell: str) -> dict[str, Any]:
    (one,) = [c for c in found["cells"] if c["cell"] == cell]
    return one


@pytest.fixture
def city(small: SmallCity) -> SmallCity:
    """Two editions of 2020: what lies between them is known to the record."""
    for name in ("still", "mended", "swapped-1", "swapped-2"):
        outcome = "partially_granted" if name == "swapped-2" else "granted"
        small.application("2020-03-02", "2020-03-20", record_id=name, outcome=outcome)
    small.application("2020-03-02", "2020-03-20", record_id="moved", organ_id="B")
    (column,) = small.add(
        "channel", {"channel_kind": "disclosure_directory", "is_disclosure": True}
    )
    small.add(
        "hotline_call",
        *({"record_id": f"call-{n}", "called_at": datetime(2020, 5, n)} for n in (1, 2)),
    )
    small.add("article", {"channel_id": column, "record_id": "page", "published_at": NOW})
    assert build(small) == "2020-1"

    small.application("2020-12-30", record_id="late", organ_id="A1")
    small.application("2021-01-02", record_id="next-year")
    (small.folder / "corrections.yaml").write_text(CORRECTION, encoding="utf-8")
    small.register()
    # Two that change places cancel out in every figure; a name that no figure asks for does too.
    set_ = "UPDATE core.application SET outcome = ?, row_hash = ? WHERE record_id = ?"
    change(small, set_, "partially_granted", "x1", "swapped-1")
    change(small, set_, "granted", "x2", "swapped-2")
    change(small, "UPDATE core.application SET organ_id = 'R' WHERE record_id = 'moved'")
    change(small, "UPDATE core.hotline_call SET removed_at = ? WHERE record_id = 'call-1'", NOW)
    assert build(small) == "2020-2"
    return small


def test_each_figure_names_exactly_the_records_that_make_it_another(city: SmallCity) -> None:
    found = told(city, "2020-1", "2020-2")
    by_cell = {
        c["cell"]: {(r["id"], r["change"], r["weight"]) for r in c["records"]}
        for c in found["cells"]
    }
    late, mended = ("late", "added", 1), "mended"
    assert by_cell["t3.new_received.total"] == {late}
    assert by_cell["t3.carried_out.natural_person"] == {late}
    assert by_cell["t3.granted.total"] == {(mended, "changed", -1)} | {
        ("swapped-1", "changed", -1),
        ("swapped-2", "changed", 1),
    }
    assert by_cell["overview.calls"] == {("call-1", "removed", -1)}
    # A figure made of others rests on the records of those.
    assert by_cell["overview.applications_received"] == {late}
    # The figures stand as tables print them, and agree with the list of differences.
    editions = [load_edition(city.lake, id_) for id_ in ("2020-1", "2020-2")]
    compared = {
        d.cell: (d.before, d.after)
        for d in compare(editions[1], editions[0].cells)
        if (d.organ_id, d.scope) == ("R", "rolled_up")
    }
    assert {c["cell"]: (c["before"], c["after"]) for c in found["cells"]} == {
        cell: tuple(None if v is None else float(v) for v in values)
        for cell, values in compared.items()
    }
    # Another organ answers for it, and no figure of the whole city is another.
    assert {r["id"]: r["columns"] for r in found["records_only"]} == {
        "moved": {"organ_id": ["B", "R"]}
    }
    weights = {
        c["cell"]: sum(r["weight"] for r in c["records"])
        for c in found["cells"]
        if c["cell"].startswith("t3.")
    }
    assert weights == {
        c["cell"]: c["after"] - c["before"] for c in found["cells"] if c["cell"] in weights
    }


def test_the_values_that_changed_stand_beside_each_other(city: SmallCity) -> None:
    records = {
        r["id"]: r for r in listed(told(city, "2020-1", "2020-2"), "t3.granted.total")["records"]
    }
    assert records["mended"]["columns"] == {"outcome": ["granted", "partially_granted"]}
    assert records["swapped-2"]["columns"] == {"outcome": ["partially_granted", "granted"]}
    editions = [load_edition(city.lake, id_) for id_ in ("2020-1", "2020-2")]
    text = "\n".join(readable(differences(city.lake, *editions)))
    assert "变动 s/mended -1 (outcome: granted → partially_granted)" in text
    assert "新增 s/late +1" in text
    assert "变动而不影响任何数字的记录 1 条" in text


def test_one_organ_has_its_own_differences(city: SmallCity) -> None:
    found = told(city, "2020-1", "2020-2", organ_id="B")
    granted = listed(found, "t3.granted.total")
    assert (granted["before"], granted["after"]) == (1, 0)
    assert [(r["id"], r["weight"]) for r in granted["records"]] == [("moved", -1)]
    assert found["records_only"] == []
    with pytest.raises(NotComparable, match="没有机关 X"):
        told(city, "2020-1", "2020-2", organ_id="X")


def test_it_goes_back_and_forth_after_maintenance_and_names_other_definitions(
    city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = told(city, "2020-1", "2020-2")
    overview = city.folder / "overview.yaml"
    text = overview.read_text(encoding="utf-8")
    overview.write_text(text.replace("where: is_in_year}", "where: is_in_year AND FALSE}"), "utf-8")
    assert build(city) == "2020-3"
    monkeypatch.setattr(maintenance, "READERS_MAY_TAKE", timedelta(0))
    future = datetime.now(BEIJING).replace(tzinfo=None) + timedelta(days=400)
    settings = Settings(home=city.lake.home, city=city.folder)
    maintenance.maintain(city.lake, settings, now=future)

    assert told(city, "2020-1", "2020-2") == before
    back = told(city, "2020-2", "2020-1")
    assert listed(back, "t3.new_received.total")["records"][0]["change"] == "removed"
    across = told(city, "2020-2", "2020-3")
    assert across["definitions"] == ["总体情况数字的口径"]
    assert [c["cell"] for c in across["cells"]] == ["overview.calls"]
    assert [(r["id"], r["columns"], r["weight"]) for r in across["cells"][0]["records"]] == [
        ("call-2", {}, -1)
    ]


def test_a_record_that_came_and_was_voided_is_not_told(small: SmallCity) -> None:
    small.application("2020-03-02", "2020-03-20")
    first = build(small)
    small.application("2020-12-30", record_id="late")
    change(small, "UPDATE core.application SET removed_at = ? WHERE record_id = 'late'", NOW)
    # Its account knows the record, its figures do not.
    for second in (first, build(small)):
        found = told(small, first, second)
        assert (found["cells"], found["records_only"]) == ([], [])
    small.application("2020-06-02", record_id="real")
    found = told(small, first, build(small))
    assert {r["id"] for c in found["cells"] for r in c["records"]} == {"real"}
    assert found["records_only"] == []


def test_what_differs_only_in_its_sides_is_said_so(small: SmallCity, tmp_path: Any) -> None:
    for number in range(2):
        small.application("2020-03-02", "2020-03-20", outcome="granted" if number else "other_misc")
    first = load_edition(small.lake, build(small))
    for number in range(2):
        small.application("2020-04-02", "2020-04-20", outcome="granted" if number else "other_misc")
    second = load_edition(small.lake, build(small))
    (share,) = [
        d
        for d in compare(second, first.cells)
        if (d.organ_id, d.scope, d.cell) == ("R", "rolled_up", "overview.granted_share")
    ]
    assert (share.before, share.after, share.is_in_value) == (50, 50, False)
    assert share.note == "数字相同,只有分子、分母不同:1 ÷ 2 → 2 ÷ 4"
    write_csv([share], tmp_path / "d.csv")
    assert "50,50,0,数字相同" in (tmp_path / "d.csv").read_text(encoding="utf-8-sig").replace(
        '"', ""
    )


def test_editions_of_different_reports_are_not_compared(city: SmallCity) -> None:
    other = build(city, 2019)
    with pytest.raises(NotComparable, match="不是同一种报表的同一年度"):
        told(city, "2020-1", other)
