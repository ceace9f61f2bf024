"""Cells from records: what counts in which year, at which organ, and what is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from tasks.city.csv_file import CityFileError
from tasks.city.register import read_organs
from tasks.editions.tabulate import Tabulation, TabulationError, tabulate
from tests.small_city import SmallCity
from warehouse.cells import _by_measure, _by_organ, _by_organ_directly, whole_figures
from warehouse.lots import lots_of
from warehouse.period import Period
from warehouse.reading import measures, reading


def tabulated(small: SmallCity, year: int, layout: str = "2019") -> Tabulation:
    with reading(small.lake) as opened:
        before = tabulate(opened, small.layout(layout), Period.of_year(year - 1))
        return tabulate(opened, small.layout(layout), Period.of_year(year), before)


def values(tabulation: Tabulation, organ: str, scope: str = "rolled_up") -> dict[str, Decimal]:
    figures = tabulation.cells[(organ, scope)]  # type: ignore[index]
    return {k: f.value for k, f in figures.items() if f.value and k.startswith("t")}


def test_an_application_counts_once_as_new_once_as_result_and_is_carried_between(
    small: SmallCity,
) -> None:
    small.application("2019-12-20", "2021-01-05")
    by_year = {year: values(tabulated(small, year), "R") for year in (2019, 2020, 2021)}
    assert by_year[2019]["t3.new_received.total"] == 1
    assert by_year[2019]["t3.carried_out.total"] == 1
    assert "t3.results_total.total" not in by_year[2019]
    assert by_year[2020]["t3.carried_in.natural_person"] == 1
    assert by_year[2020]["t3.carried_out.natural_person"] == 1
    assert "t3.new_received.total" not in by_year[2020]
    assert by_year[2021]["t3.carried_in.total"] == 1
    assert by_year[2021]["t3.granted.natural_person"] == 1
    assert by_year[2021]["t3.results_total.total"] == 1
    assert "t3.carried_out.total" not in by_year[2021]


@pytest.mark.parametrize(
    ("received", "closed", "expected"),
    [
        ("2020-01-01", "2020-12-31", {"new_received", "granted", "results_total"}),
        ("2019-12-31", "2020-01-01", {"carried_in", "granted", "results_total"}),
        ("2020-12-31", "2021-01-01", {"new_received", "carried_out"}),
        ("2019-06-01", "2019-12-31", set()),
        ("2021-01-01", None, set()),
    ],
)
def test_the_first_and_the_last_day_belong_to_the_year(
    small: SmallCity, received: str, closed: str | None, expected: set[str]
) -> None:
    small.application(received, closed)
    found = values(tabulated(small, 2020), "R")
    assert {key.split(".")[1] for key in found if key.endswith(".total")} == expected


def test_records_roll_up_to_every_organ_above_and_stay_their_own_organs(small: SmallCity) -> None:
    small.application("2020-03-01", organ_id="A1")
    small.application("2020-03-02", organ_id="A")
    small.application("2020-03-03", organ_id="B")
    found = tabulated(small, 2020)
    key = "t3.new_received.total"
    assert [values(found, o)[key] for o in ("R", "A", "A1", "B")] == [3, 2, 1, 1]
    assert values(found, "A", "own")[key] == 1
    assert key not in values(found, "R", "own")


def test_an_abolished_organs_record_counts_at_its_successor_and_an_unknown_ones_at_the_root(
    small: SmallCity,
) -> None:
    small.application("2020-03-01", organ_id="A2")
    small.application("2020-03-02", organ_id="nobody")
    found = tabulated(small, 2020)
    key = "t3.new_received.total"
    assert values(found, "A1", "own")[key] == 1
    assert values(found, "R", "own")[key] == 1
    assert values(found, "R")[key] == 2
    assert "A2" not in {organ.id for organ in found.tree.organs}


def test_a_removed_record_counts_nowhere(small: SmallCity) -> None:
    small.application("2020-03-01", "2020-03-09", removed_at=datetime(2020, 4, 1))
    assert values(tabulated(small, 2020), "R") == {}


def test_an_article_withdrawn_after_the_year_still_counts_in_it(small: SmallCity) -> None:
    small.add("channel", {"record_id": "c", "is_disclosure": True, "channel_kind": "x"})
    published = {"channel_id": "c", "organ_id": "B", "published_at": datetime(2020, 12, 31, 23, 59)}
    small.add("article", published)
    small.add("article", {**published, "removed_at": datetime(2020, 12, 31, 23, 59, 59)})
    small.add("article", {**published, "removed_at": datetime(2021, 1, 1)})
    small.add("article", {**published, "published_at": datetime(2021, 1, 1)})
    with reading(small.lake) as opened:
        table = opened.measure("article", Period.of_year(2020))
        assert opened.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (2,)


def test_a_table_that_was_never_loaded_is_missing_not_zero(small: SmallCity) -> None:
    small.unmark_loaded("hotline_call")
    small.application("2020-03-01")
    figures = tabulated(small, 2020).root_figures()
    assert figures["overview.calls"].value is None
    assert figures["t2.administrative_license.decisions"].value == 0


def test_a_rate_carries_both_sides_and_is_missing_without_a_denominator(small: SmallCity) -> None:
    small.application("2020-03-01", "2020-03-09")
    small.application("2020-03-01")
    small.application("2020-03-01")
    figures = tabulated(small, 2020).root_figures()
    share = figures["overview.granted_share"]
    assert (share.value, share.numerator, share.denominator) == (Decimal("33.333333"), 1, 3)
    assert figures["overview.applications_received_change"].value is None


def test_change_on_year_shows_this_year_and_last(small: SmallCity) -> None:
    small.application("2019-03-01", "2019-03-09")
    for _ in range(3):
        small.application("2020-03-01")
    change = tabulated(small, 2020).root_figures()["overview.applications_received_change"]
    assert (change.value, change.numerator, change.denominator) == (Decimal(200), 3, 1)


def test_items_of_a_power_list_give_prior_number_and_signed_change(small: SmallCity) -> None:
    item = {"organ_id": "B", "action_kind": "administrative_license"}
    small.add(
        "power_item",
        {**item, "valid_from": date(2010, 1, 1)},
        {**item, "valid_from": date(2010, 1, 1), "valid_to": date(2020, 6, 1)},
        {**item, "valid_from": date(2010, 1, 1), "valid_to": date(2020, 7, 1)},
        {**item, "valid_from": date(2020, 6, 1)},
        {**item, "valid_from": date(2020, 2, 1), "valid_to": date(2020, 9, 1)},
    )
    figures = tabulated(small, 2020).root_figures()
    assert figures["t2.administrative_license.prior_items"].value == 3
    assert figures["t2.administrative_license.change"].value == -1


def test_documents_in_force_follow_issue_and_abolition(small: SmallCity) -> None:
    document = {"organ_id": "B", "document_kind": "normative_document"}
    small.add(
        "regulatory_document",
        {**document, "issued_on": date(2019, 5, 1), "disclosed_on": date(2019, 5, 3)},
        {
            **document,
            "issued_on": date(2019, 5, 1),
            "disclosed_on": date(2019, 5, 3),
            "abolished_on": date(2021, 3, 1),
        },
        {**document, "issued_on": date(2021, 5, 1), "disclosed_on": date(2021, 5, 3)},
    )
    key = "t2.normative_document"
    before = tabulated(small, 2020, "2021").root_figures()
    after = tabulated(small, 2021, "2021").root_figures()
    assert before[f"{key}.in_force"].value == 2
    assert [after[f"{key}.{c}"].value for c in ("issued", "abolished", "in_force")] == [1, 1, 2]


def test_fees_add_up_in_ten_thousand_yuan_without_a_float(small: SmallCity) -> None:
    for amount in ("1234.56", "0.01", "99998765.43"):
        small.add(
            "fee_charge",
            {
                "organ_id": "B",
                "fee_kind": "administrative_fee",
                "charged_on": date(2021, 4, 1),
                "amount_yuan": Decimal(amount),
            },
        )
    figures = tabulated(small, 2021, "2021").root_figures()
    assert figures["t2.administrative_fee.amount_10k_yuan"].value == Decimal("10000")


def test_two_roots_are_refused_by_name(small: SmallCity) -> None:
    organs = small.folder / "organs.csv"
    organs.write_text(
        organs.read_text(encoding="utf-8") + "Z,另一个市,city,,2000-01-01,,,true\n",
        encoding="utf-8",
    )
    small.register()
    with pytest.raises(TabulationError, match="另一个市"):
        tabulated(small, 2020)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("X,某局,department,NOPE,2000-01-01,,,true", "第 7 行 parent_organ_id:没有机关 NOPE"),
        ("X,某局,department,R,2000年,,,true", "第 7 行 valid_from:“2000年”不是日期"),
        ("B,市教育局,department,R,2010-01-01,,,true", "第 7 行:机关 B 的有效期与另一行重叠"),
        ("X,,department,R,2010-01-01,,,true", "第 7 行缺少 organ_name"),
    ],
)
def test_a_mistake_in_organs_is_named_with_its_line(small: SmallCity, line: str, told: str) -> None:
    organs = small.folder / "organs.csv"
    organs.write_text(organs.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(CityFileError, match=told):
        read_organs(organs)


def test_measures_in_place_say_what_those_in_memory_say(small: SmallCity) -> None:
    """Over large tables a measure is a view, and each year's stays that year's."""
    for year in (2019, 2020):
        small.application(f"{year}-03-01", f"{year}-04-02")
        small.add("hotline_call", {"called_at": datetime(year, 12, 31, 23), "is_answered": True})
        small.add("work_order", {"organ_id": "A1", "dispatched_at": datetime(year, 12, 31, 23)})
        small.add("article", {"organ_id": "B", "published_at": datetime(year, 5, 1)})
        small.add("new_media_post", {"posted_at": datetime(year, 1, 1)})
    periods = (Period.of_year(2019), Period.of_year(2020))
    told = []
    views = set()
    for copied in (0, 1000):
        with reading(small.lake, copy_up_to=copied) as opened:
            named = {(name, p): opened.measure(name, p) for name in measures() for p in periods}
            told.append(
                {
                    key: opened.connection.execute(f"FROM {relation} ORDER BY ALL").fetchall()
                    for key, relation in named.items()
                }
            )
            views.add(
                tuple(
                    name
                    for (name,) in opened.connection.execute(
                        "SELECT view_name FROM duckdb_views() "
                        "WHERE starts_with(view_name, 'measure_hotline_call') ORDER BY 1"
                    ).fetchall()
                )
            )
    assert told[0] == told[1]
    assert len(told[0][("hotline_call", periods[0])]) == 1
    assert views == {("measure_hotline_call_2019", "measure_hotline_call_2020"), ()}


AMOUNTS = {"procurement": "amount_yuan", "application": "days_to_answer"}


def test_cells_asked_of_lots_come_to_what_they_come_to_record_by_record(small: SmallCity) -> None:
    """By organ and over all, with records of no organ, quantities of no value, and none at all."""
    for day, organ in (("2019-12-30", "A"), ("2020-01-05", "A1"), ("2020-01-05", "nobody")):
        for outcome in ("granted", "no_information"):
            small.application(day, "2020-02-01", organ_id=organ, outcome=outcome)
    small.application("2020-06-01", None, organ_id=None)
    for amount in ("12.50", "0.10", None):
        small.add("procurement", {"signed_on": date(2020, 5, 1), "amount_yuan": amount})
    small.add("hotline_call", {"called_at": datetime(2020, 7, 1), "wait_seconds": 15})
    layout, period = small.layout("2019"), Period.of_year(2020)
    with reading(small.lake) as opened:
        by_measure = _by_measure(opened, layout.cells.values())
        for measure, cells in by_measure.items():
            more = [
                replace(cells[0], key="more", where=where, quantity=quantity)
                for where in ("TRUE", "organ_id = 'A' OR organ_id IS NULL", cells[0].where)
                for quantity in (None, AMOUNTS.get(measure))
            ]
            asked = [*cells, *more]
            assert lots_of(opened, measure, asked, period) is not None, measure
            relation = opened.measure(measure, period)
            directly = list(_by_organ_directly(opened, relation, asked))
            found = dict(_by_organ(opened, measure, asked, period))
            assert found == dict(directly), measure
            whole = whole_figures(opened, cells, period)
            added = [sum(values[at][0] or 0 for _, values in directly) for at in range(len(cells))]
            assert [whole[cell.key] for cell in cells] == added, measure
        assert {"application", "procurement", "hotline_call"} <= set(by_measure)


@pytest.mark.parametrize(
    ("where", "quantity"),
    [("record_on > DATE '2020-03-01'", None), ("is_new", "days_to_answer / 7.0::DOUBLE")],
)
def test_what_makes_as_many_lots_as_records_or_sums_in_another_order_is_asked_directly(
    small: SmallCity, where: str, quantity: str | None
) -> None:
    small.application("2020-06-01", "2020-06-20")
    layout, period = small.layout("2019"), Period.of_year(2020)
    cell = next(c for c in layout.cells.values() if c.measure == "application")
    with reading(small.lake) as opened:
        asked = [replace(cell, where=where, quantity=quantity)]
        assert lots_of(opened, "application", asked, period) is None
        relation = opened.measure("application", period)
        found = list(_by_organ(opened, "application", asked, period))
        assert found == list(_by_organ_directly(opened, relation, asked))
        assert found[0][1][0][1] == 1
