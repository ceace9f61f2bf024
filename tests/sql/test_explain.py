"""A figure is explained by exactly the records that it counts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.cli.figures import tables
from tasks.editions.build import build_edition, preview
from tasks.editions.explain import Explanation, NoSuchCell, explain, explanation_json
from tasks.editions.tabulate import tabulate
from tasks.render import tables_json
from tasks.render.data_files import write_cells_csv
from tests.small_city import NOW, SmallCity
from warehouse.lake import transaction
from warehouse.layout import Layout
from warehouse.period import Period


def explained(small: SmallCity, cell: str, **more: object) -> Explanation:
    return explain(small.lake, small.folder, Period.of_year(2020), cell, **more)  # type: ignore[arg-type]


@pytest.fixture
def filled(small: SmallCity) -> SmallCity:
    small.application("2020-01-05", "2020-01-20", record_id="a")
    small.application("2020-02-05", "2020-02-20", record_id="b", organ_id="B")
    small.application("2020-03-05", record_id="c", applicant_kind="commercial_enterprise")
    small.application("2019-12-05", "2020-01-06", record_id="d", organ_id="A2")
    small.application("2020-04-05", record_id="e", organ_id="nobody")
    return small


def ids(e: Explanation) -> list[str]:
    return [r.record_id for r in e.records]


def test_records_dates_definition_article_and_sql(filled: SmallCity) -> None:
    e = explained(filled, "t3.granted.natural_person")
    assert (e.value, e.record_count, ids(e)) == (3, 3, ["d", "a", "b"])
    assert set(e.records[0].dates) == {"received_on", "closed_on"}
    assert "第三十六条" in e.article
    assert "outcome = 'granted'" in e.sql
    assert e.edition_id is None
    assert explanation_json(e)["records"][0]["id"] == "d"


@pytest.mark.parametrize(
    ("organ", "scope", "expected"),
    [
        (None, "rolled_up", ["a", "b", "c", "e"]),
        ("R", "own", ["e"]),
        ("A", "rolled_up", ["a", "c"]),
        ("A1", "own", ["a", "c"]),
        ("B", "rolled_up", ["b"]),
    ],
)
def test_the_records_are_those_of_the_organ(
    filled: SmallCity, organ: str | None, scope: str, expected: list[str]
) -> None:
    e = explained(filled, "t3.new_received.total", organ_id=organ, scope=scope)
    assert ids(e) == expected
    assert e.value == e.record_count == len(expected)


def test_a_sum_is_explained_by_its_parts_and_pages_over_all_of_them(filled: SmallCity) -> None:
    key = "overview.applications_received"
    e = explained(filled, key)
    assert [(role, part.cell, part.value) for role, part in e.parts] == [
        ("part", "t3.new_received.total", 4),
        ("part", "t3.carried_in.total", 1),
    ]
    paged = [
        i for offset in range(0, 6, 2) for i in ids(explained(filled, key, limit=2, offset=offset))
    ]
    assert paged == ids(e) == ["a", "b", "c", "e", "d"]


def test_a_rate_is_explained_by_numerator_and_denominator(filled: SmallCity) -> None:
    e = explanation_json(explained(filled, "overview.granted_share"))
    assert e["value"] == 60
    assert (e["numerator"]["value"], e["denominator"]["value"]) == (3, 5)
    assert [r["id"] for r in e["numerator"]["records"]] == ["d", "a", "b"]


def test_change_on_year_is_explained_by_both_years(filled: SmallCity) -> None:
    e = explanation_json(explained(filled, "overview.applications_received_change"))
    assert (e["this_year"]["value"], e["last_year"]["value"], e["value"]) == (5, 1, 400)


def test_no_more_is_tabulated_than_the_figure_is_made_of(
    filled: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, set[str]]] = []

    def counted(reading: Any, layout: Layout, period: Period, *before: Any, **more: Any) -> Any:
        asked.append((period.year, set(layout.cells)))
        return tabulate(reading, layout, period, *before, **more)

    monkeypatch.setattr("tasks.editions.explain.tabulate", counted)
    explained(filled, "t3.granted.natural_person")
    assert asked == [(2020, {"t3.granted.natural_person"})]
    asked.clear()
    explained(filled, "overview.applications_received_change")
    assert [year for year, _ in asked] == [2019, 2020]
    assert all("t3.granted.natural_person" not in cells for _, cells in asked)


CORRECTIONS = """
- {table: application, source_system: s, record_id: b, column: outcome, expect: granted,
   value: partially_granted, reason: 误登, reported_by: 甲县, decided_on: 2021-01-21}
- {table: application, source_system: s, record_id: d, action: drop,
   reason: 重复, reported_by: 甲县, decided_on: 2021-01-21}
"""


def run_as_printed(small: SmallCity, sql: str) -> list[Any]:
    """The figures that the statements of an explanation give, on the newest lake."""
    with small.lake.read() as connection:
        found = [
            connection.execute(statement).fetchall()
            for statement in sql.split(";")
            if statement.strip()
        ]
    return [Decimal(value) for (value,) in found[-1]]


@pytest.mark.parametrize("scope", ["own", "rolled_up"])
def test_the_sql_gives_the_figure_when_it_is_run_as_it_is_printed(
    filled: SmallCity, scope: str
) -> None:
    """With the edition's snapshot, the corrections, and without what is set aside."""
    (filled.folder / "corrections.yaml").write_text(CORRECTIONS, encoding="utf-8")
    filled.register()
    (directory,) = filled.add("channel", {"channel_kind": "news", "is_disclosure": True})
    filled.add(
        "regulatory_document",
        {"organ_id": "R", "document_kind": "regulation", "issued_on": date(2020, 2, 2)},
    )
    filled.add(
        "procurement",
        {"organ_id": "A1", "signed_on": date(2020, 2, 2), "amount_yuan": Decimal("12.34")},
    )
    with filled.lake.write() as connection, transaction(connection):
        connection.execute(
            "INSERT INTO ops.quarantine "
            "(table_name, source_system, record_id, rule_code, row_hash, quarantined_at) VALUES "
            "('core.application', 's', 'a', 'APP-13', 'h', TIMESTAMP '2021-01-20 01:00')"
        )
    year = Period.of_year(2020)
    edition = build_edition(filled.lake, filled.folder, year, now=NOW).edition
    # What comes later is not in the edition.
    filled.application("2020-05-05", "2020-05-20")
    filled.add("article", {"channel_id": directory, "published_at": NOW})
    granted = explained(filled, "t3.granted.total", organ_id="R")
    assert (granted.value, granted.record_count) == (0, 0)
    checked = 0
    for organ in ("R", "A1"):
        figures = edition.figures(organ, scope)  # type: ignore[arg-type]
        for key, cell in edition.layout.cells.items():
            if cell.measure and (figures[key].value or checked % 60 == 0):
                e = explained(filled, key, organ_id=organ, scope=scope)
                assert run_as_printed(filled, e.sql) == [figures[key].value], (organ, key, e.sql)
                assert e.value == figures[key].value
            checked += 1
    assert edition.figures()["t2.centralized_procurement.amount"].value == Decimal("12.34")


def test_a_figure_that_an_organ_does_not_have_is_absent(filled: SmallCity, tmp_path: Path) -> None:
    overview = filled.folder / "overview.yaml"
    text = overview.read_text(encoding="utf-8")
    overview.write_text(text.replace("key: calls,", "key: calls, only_root: true,"), "utf-8")
    edition = build_edition(filled.lake, filled.folder, Period.of_year(2020), now=NOW).edition
    assert explained(filled, "overview.calls").value == 0
    with pytest.raises(NoSuchCell, match="来电只有某市人民政府有,市教育局没有这一数字"):
        explained(filled, "overview.calls", organ_id="B")
    assert "calls" not in tables_json(edition, "B")["overview"]
    write_cells_csv(edition, tmp_path / "cells.csv")
    lines = (tmp_path / "cells.csv").read_text(encoding="utf-8-sig").splitlines()
    assert {line.split(",")[3] for line in lines if "overview.calls" in line} == {"R"}


def test_the_command_writes_the_chosen_organ_beside_the_root(
    filled: SmallCity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIANBAO_HOME", str(filled.lake.home))
    monkeypatch.setenv("NIANBAO_CITY", str(filled.folder))
    file = tmp_path / "one.csv"

    def organs() -> set[str]:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        return {line.split(",")[3] for line in lines[1:]}

    # Without an edition, and with one of which only an organ would be read.
    for _ in range(2):
        tables("2020", organ="B", csv_file=file)
        assert organs() == {"R", "B"}
        tables("2020", csv_file=file)
        assert organs() == {"R"}
        build_edition(filled.lake, filled.folder, Period.of_year(2020), now=NOW)


def test_a_rate_is_explained_as_it_is_printed_everywhere(filled: SmallCity) -> None:
    for name in ("f", "g"):
        filled.application("2020-06-05", record_id=name)
    edition = build_edition(filled.lake, filled.folder, Period.of_year(2020), now=NOW).edition
    shown = tables_json(edition)["overview"]
    e = explanation_json(explained(filled, "overview.granted_share"))
    # 3 ÷ 7 = 42.857142…: cut after two decimals, here as there.
    assert e["value"] == shown["granted_share"] == 42.85
    for key in ("applications_received", "applications_received_change", "calls"):
        assert explanation_json(explained(filled, f"overview.{key}"))["value"] == shown[key]


def test_an_unknown_cell_or_organ_is_answered_with_what_is_near(filled: SmallCity) -> None:
    with pytest.raises(NoSuchCell, match=r"t3\.granted\.natural_person"):
        explained(filled, "t3.granted.natural_persons")
    # A label is answered with its keys.
    with pytest.raises(NoSuchCell, match=r"t3\.granted\.natural_person（|\("):
        explained(filled, "予以公开")
    with pytest.raises(NoSuchCell, match="编制说明"):
        explained(filled, "zzzz")
    with pytest.raises(NoSuchCell, match=r"organs\.csv"):
        explained(filled, "t3.granted.total", organ_id="ZZ")


applications = st.lists(
    st.fixed_dictionaries(
        {
            "received": st.sampled_from(["2019-05-01", "2020-01-01", "2020-06-01", "2021-01-01"]),
            "closed": st.sampled_from([None, "2019-12-31", "2020-06-30", "2021-02-01"]),
            "kind": st.sampled_from([None, "natural_person", "research_institution", "other"]),
            "outcome": st.sampled_from([None, "granted", "denied_state_secret", "other_misc"]),
            "organ": st.sampled_from(["A1", "A2", "B", "R", None, "nobody"]),
        }
    ),
    min_size=1,
    max_size=12,
)


@given(drawn=applications)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_the_records_every_failing_equation_names_its_gap_record_by_record(
    small: SmallCity, drawn: list[dict[str, str | None]]
) -> None:
    with small.lake.write() as connection:
        connection.execute("DELETE FROM core.application")
    for one in drawn:
        closed = one["closed"]
        if closed and closed < str(one["received"]):
            closed = None
        small.application(
            str(one["received"]),
            closed,
            applicant_kind=one["kind"],
            outcome=one["outcome"] if closed else None,
            organ_id=one["organ"],
        )
    edition = preview(small.lake, small.folder, Period.of_year(2020), now=NOW)
    figures = edition.figures()
    assert figures["t3.new_received.total"].value == sum(
        str(one["received"]).startswith("2020") for one in drawn
    )
    for f in edition.findings:
        if f.organ_id == "R" and f.code in ("B2", "B3") and f.status == "fail":
            assert f.gap == -Decimal(f.record_count), f.message
            assert len(f.records) == f.record_count
        if f.organ_id == "R" and f.code in ("B1", "B5", "B9") and ".total" in f.key:
            assert f.status == "pass", f.message
