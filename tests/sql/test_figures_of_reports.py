"""Figures that real reports print: each from its records, blank where no source has what it takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from expectations.balance import evaluate
from tasks.editions.figures import definition, sides, text
from tasks.editions.tabulate import Tabulation, tabulate
from tests.small_city import SmallCity
from warehouse.cells import ALL_ORGANS, cell_sql
from warehouse.form import form_of, load_layout
from warehouse.layout import Layout, LayoutError
from warehouse.period import Period
from warehouse.reading import Reading, reading

OVERVIEW = Path("deployments/demo_city/overview.yaml").resolve()
YEAR = Period.of_year(2021)
EXPECTED = {
    # Applications: one late, one answered after an extension, one lapsed, one open.
    "applications_online": 3,
    "applications_by_mail": 1,
    "applications_in_person": 0,
    "applications_other_channel": 1,
    "applications_answered": 3,
    "applications_on_time": 2,
    "applications_extended": 1,
    "applications_days": 10 + 38 + 40,
    "fee_notices": 1,
    "fee_notices_amount": "300.5",
    "regulations_issued": 0,
    "regulations_amended": 0,
    "regulations_repealed": 0,
    "regulations_in_force": 1,
    "normative_documents_issued": 1,
    "normative_documents_amended": 1,
    "normative_documents_repealed": 1,
    "normative_documents_in_force": 1,
    "website_items": 4,
    "profile_items": 1,
    "news_items": 0,
    "catalogue_items": 1,
    "special_columns_opened": 1,
    "special_columns": 2,
    "peak_visits": 70,
    "portal_visitors": 9,
    "interpretations_text": 0,
    "interpretations_graphic": 1,
    "interpretations_question_answer": 0,
    "interpretations_video": 1,
    "interpretations_interview": 0,
    "documents_published": 1,
    "documents_interpreted": 1,
    "messages": 3,
    "messages_closed": 2,
    "messages_answered_in_public": 1,
    "messages_answered_by_telephone": 1,
    "messages_days": 7,
    "consultations": 1,
    "consultation_opinions": 12,
    "consultation_results": 1,
    "press_conferences": 1,
    "new_media_posts": 3,
    "new_media_posts_wechat": 2,
    "new_media_posts_weibo": 1,
    "new_media_posts_douyin": 0,
    "new_media_posts_toutiao": 0,
    "new_media_posts_app": 0,
    "new_media_posts_other": 0,
    "new_media_posts_original": 2,
    "new_media_posts_forwarded": 1,
    "new_media_accounts_opened": 1,
    "new_media_accounts_closed": 1,
    "new_media_accounts_silent": 1,
    "new_media_inspections": 2,
    "new_media_inspections_failed": 1,
    "inspections_stale_two_weeks": 1,
    "inspections_no_interaction": 0,
    "inspections_unusable": 0,
    "inspections_security_incident": 0,
    "hotline_calls": 4,
    "hotline_telephone_calls": 3,
    "hotline_calls_answered": 2,
    "hotline_calls_answered_15_seconds": 1,
    "hotline_requests_wechat": 1,
    "hotline_requests_web": 0,
    "hotline_requests_app": 0,
    "hotline_requests_other": 0,
    "hotline_calls_consultation": 2,
    "hotline_calls_complaint": 1,
    "hotline_calls_report": 0,
    "hotline_calls_help": 0,
    "hotline_calls_suggestion": 0,
    "hotline_calls_praise": 0,
    "work_orders_consultation": 0,
    "work_orders_complaint": 1,
    "work_orders_report": 0,
    "work_orders_help": 1,
    "work_orders_suggestion": 0,
    "work_orders_closed": 2,
    "work_orders_open": 1,
    "work_orders_days": "4.5",
    "organs_counties": 1,
    "organs_functional_zones": 0,
    "organs_townships": 1,
    "organs_departments": 1,
    "organs_city_departments": 1,
    "disclosure_zones": 1,
    "reading_points": 1,
    "applications_new": 5,
    "litigations": 0,
    "litigations_upheld": 0,
    "litigations_corrected": 0,
    "litigations_other": 0,
    "litigations_pending": 0,
}
SHARES = {
    "on_time_rate": "66.66%",
    "applications_average_days": "29.33",
    "interpretation_share": "100.00%",
    "messages_average_days": "3.50",
    "hotline_answer_rate": "66.66%",
    "hotline_answer_rate_15_seconds": "33.33%",
    "work_orders_average_days": "2.25",
}


def filled(small: SmallCity) -> None:
    for more in (
        {"received_on": date(2021, 3, 1), "closed_on": date(2021, 3, 11)},
        # 28 working days with an extension; 29 without one.
        {
            "received_on": date(2021, 3, 1),
            "extended_on": date(2021, 3, 20),
            "closed_on": date(2021, 4, 8),
        },
        {
            "received_on": date(2021, 3, 1),
            "closed_on": date(2021, 4, 10),
            "receipt_channel": "mail",
        },
        {
            "received_on": date(2021, 3, 1),
            "closed_on": date(2021, 7, 1),
            "outcome": "other_fee_overdue",
            "receipt_channel": "fax",
        },
        {"record_id": "open", "received_on": date(2021, 12, 20), "outcome": None},
    ):
        small.add(
            "application",
            {
                "organ_id": "A1",
                "applicant_kind": "natural_person",
                "outcome": "granted",
                "receipt_channel": "online",
                **more,
            },
        )
    small.add(
        "application_event",
        {
            "application_id": "open",
            "event_kind": "fee_notified",
            "event_on": date(2021, 12, 28),
            "amount_yuan": Decimal("300.5"),
        },
    )
    document = {"organ_id": "B", "document_kind": "normative_document"}
    small.add(
        "regulatory_document",
        {**document, "issued_on": date(2021, 2, 1), "amended_on": date(2021, 9, 1)},
        {**document, "issued_on": date(2019, 2, 1), "abolished_on": date(2021, 9, 1)},
        {**document, "document_kind": "regulation", "issued_on": date(2019, 2, 1)},
    )
    small.add(
        "channel",
        {"record_id": "p", "channel_kind": "overview"},
        {"record_id": "c", "channel_kind": "disclosure_directory"},
        {"record_id": "i", "channel_kind": "interpretation"},
        {"record_id": "s1", "channel_kind": "special_column", "opened_on": date(2021, 5, 1)},
        {"record_id": "s2", "channel_kind": "special_column", "opened_on": date(2019, 5, 1)},
        {
            "record_id": "s3",
            "channel_kind": "special_column",
            "opened_on": date(2019, 5, 1),
            "closed_on": date(2021, 5, 1),
        },
    )
    on = {"organ_id": "B", "published_at": datetime(2021, 3, 1)}
    small.add(
        "article",
        {**on, "channel_id": "p"},
        {**on, "record_id": "doc", "channel_id": "c", "genre": "normative_document"},
        {
            **on,
            "channel_id": "i",
            "interprets_article_id": "doc",
            "interpretation_form": "graphic",
        },
        {**on, "channel_id": "i", "interpretation_form": "video"},
    )
    day = {"site_name": "门户", "is_portal": True, "organ_id": "R"}
    small.add(
        "site_traffic",
        {**day, "traffic_on": date(2021, 3, 1), "visit_count": 70, "visitor_count": 5},
        {**day, "traffic_on": date(2021, 3, 2), "visit_count": 40, "visitor_count": 4},
        {**day, "traffic_on": date(2020, 3, 2), "visit_count": 400, "visitor_count": 4},
    )
    message = {
        "organ_id": "B",
        "interaction_kind": "leader_message",
        "received_on": date(2021, 3, 1),
    }
    small.add(
        "interaction",
        {
            **message,
            "closed_on": date(2021, 3, 5),
            "published_on": date(2021, 3, 6),
            "answer_channel": "public",
        },
        {**message, "closed_on": date(2021, 3, 4), "answer_channel": "telephone"},
        {**message, "interaction_kind": "online_inquiry"},
        {
            **message,
            "interaction_kind": "consultation",
            "message_count": 12,
            "published_on": date(2021, 6, 1),
        },
        {**message, "interaction_kind": "press_conference"},
    )
    account = {"organ_id": "B", "opened_on": date(2019, 1, 1)}
    small.add(
        "new_media_account",
        {**account, "record_id": "w", "platform": "wechat"},
        {**account, "record_id": "q", "platform": "weibo", "opened_on": date(2021, 2, 1)},
        {**account, "record_id": "x", "platform": "weibo", "closed_on": date(2021, 2, 1)},
    )
    small.add(
        "new_media_post",
        {"account_id": "w", "posted_at": datetime(2021, 12, 20), "is_original": True},
        {"account_id": "w", "posted_at": datetime(2021, 3, 20), "is_original": False},
        {"account_id": "q", "posted_at": datetime(2021, 12, 17), "is_original": True},
    )
    small.add(
        "new_media_inspection",
        {"account_id": "w", "inspected_on": date(2021, 3, 1), "is_passed": True},
        {
            "account_id": "q",
            "inspected_on": date(2021, 3, 1),
            "is_passed": False,
            "veto_indicator": "stale_two_weeks",
        },
    )
    call = {"called_at": datetime(2021, 3, 1, 9), "is_answered": True, "wait_seconds": 5}
    small.add(
        "hotline_call",
        {**call, "request_channel": "telephone", "request_kind": "consultation"},
        {**call, "request_channel": "telephone", "wait_seconds": 40, "request_kind": "complaint"},
        # Without a channel a call is one by telephone.
        {**call, "is_answered": False},
        {**call, "request_channel": "wechat", "request_kind": "consultation"},
    )
    order = {"organ_id": "B", "due_at": datetime(2021, 3, 8)}
    small.add(
        "work_order",
        {
            **order,
            "dispatched_at": datetime(2021, 3, 1),
            "closed_at": datetime(2021, 3, 4),
            "request_kind": "complaint",
        },
        {
            **order,
            "dispatched_at": datetime(2020, 12, 31, 12),
            "closed_at": datetime(2021, 1, 2),
            "request_kind": "help",
        },
        {**order, "dispatched_at": datetime(2021, 12, 1), "request_kind": "help"},
    )
    place = {"organ_id": "B", "opened_on": date(2020, 1, 1)}
    small.add(
        "disclosure_place",
        {**place, "place_kind": "zone"},
        {**place, "place_kind": "reading_point"},
        {**place, "place_kind": "zone", "closed_on": date(2021, 3, 1)},
    )


@pytest.fixture(scope="module")
def opened(
    small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Reading, Tabulation]]:
    small = small_template.copied_to(tmp_path_factory.mktemp("figures") / "small")
    filled(small)
    with reading(small.lake, copy_up_to=1000) as found:
        yield found, tabulate(found, layout(), YEAR)


def layout() -> Layout:
    return load_layout("2021", OVERVIEW)


def test_each_figure_counts_what_it_says(opened: tuple[Reading, Tabulation]) -> None:
    figures = opened[1].root_figures()
    told = {key: figures[f"overview.{key}"].value for key in EXPECTED}
    assert told == {key: Decimal(value) for key, value in EXPECTED.items()}


def test_shares_and_averages_show_both_sides(opened: tuple[Reading, Tabulation]) -> None:
    figures, cells = opened[1].root_figures(), layout().cells
    for key, shown in SHARES.items():
        cell, value = cells[f"overview.{key}"], figures[f"overview.{key}"]
        assert text(cell, value) == shown, key
        assert value.numerator is not None, key
        assert value.denominator, key
        assert "÷" in sides(cell, value)
        # Every rate says its population.
        assert "占" in cell.meaning or "除以" in cell.meaning, key
    for cell in cells.values():
        if cell.ratio and cell.table == "overview":
            assert cell.meaning, cell.key


def test_figures_hold_for_every_organ(opened: tuple[Reading, Tabulation]) -> None:
    figures = opened[1].cells[("A1", "rolled_up")]
    assert figures["overview.on_time_rate"].denominator == 3
    assert figures["overview.work_orders_open"].value == 0
    assert opened[1].cells[("B", "own")]["overview.work_orders_open"].value == 1


FORMS = {
    "hotline-report": {
        "calls.telephone.received": 3,
        "calls.telephone.answered": 2,
        "calls.wechat.received": 1,
        "calls.wechat.answered": 0,
        "calls.total.within_15_seconds": 1,
        "orders.complaint.closed": 1,
        "orders.help.dispatched": 1,
        "orders.help.open": 1,
        "orders.total.due": 3,
        "orders.total.on_time": 2,
    },
    "new-media-inspection": {
        "accounts.wechat.active": 1,
        "accounts.weibo.closed": 1,
        "accounts.total.silent": 1,
        "inspections.weibo.failed": 1,
        "inspections.total.inspected": 2,
        "inspections.total.stale_two_weeks": 1,
    },
    "application-ledger": {
        "handled.online.new": 3,
        "handled.total.closed": 4,
        "handled.total.answered": 3,
        "handled.total.on_time": 2,
        "handled.total.carried_out": 1,
    },
    "interaction-report": {
        "messages.leader_message.closed": 2,
        "messages.leader_message.in_public": 1,
        "messages.consultation.in_public": 1,
        "messages.press_conference.received": 1,
    },
}


@pytest.mark.parametrize("key", FORMS)
def test_the_tables_of_the_four_systems(opened: tuple[Reading, Tabulation], key: str) -> None:
    """Owed by year and by quarter: forms in the city's folder, their checks hold."""
    form = form_of(key, OVERVIEW.parent)
    of_form = form.layout_of(YEAR)
    figures = tabulate(opened[0], of_form, YEAR).root_figures()
    assert {cell: figures[cell].value for cell in FORMS[key]} == FORMS[key]
    values = {cell: figure.value for cell, figure in figures.items()}
    assert {evaluate(e, values).status for e in of_form.equations} == {"pass"}
    assert {e.code for e in of_form.equations} <= {check.code for check in form.checks}


def test_the_sql_that_explains_a_figure_gives_it(opened: tuple[Reading, Tabulation]) -> None:
    connection, figures = opened[0].connection, opened[1].root_figures()
    for key in ("applications_on_time", "organs_townships", "peak_visits", "documents_interpreted"):
        cell = layout().cells[f"overview.{key}"]
        sql = cell_sql(opened[0], cell, YEAR, ALL_ORGANS)
        assert connection.execute(sql).fetchone() == (figures[cell.key].value,), key


def test_what_no_source_provides_is_blank_with_its_reason(small: SmallCity) -> None:
    small.application("2021-03-01", "2021-03-11")
    small.add("new_media_account", {"record_id": "w", "platform": "wechat", "organ_id": "B"})
    small.add("new_media_post", {"account_id": "w", "posted_at": datetime(2021, 3, 20)})
    with reading(small.lake, copy_up_to=1000) as found:
        figures = tabulate(found, layout(), YEAR).root_figures()
    assert figures["overview.new_media_posts"].value == 1
    needing = [cell for cell in layout().cells.values() if cell.needs]
    assert len(needing) > 30
    for cell in needing:
        assert figures[cell.key].value is None, cell.key
        assert "来源没有这一内容时空白" in definition(layout(), cell)
        assert sides(cell, figures[cell.key]) == "来源没有这一内容"


def test_a_need_that_is_no_condition_is_told_with_the_figure(
    small: SmallCity, tmp_path: Path
) -> None:
    small.application("2021-03-01")
    overview = tmp_path / "overview.yaml"
    overview.write_text(
        "figures:\n  - {key: mine, label: 申请, unit: 件, measure: application, "
        "where: is_new, needs: no_such_column IS NOT NULL}\n",
        encoding="utf-8",
    )
    with (
        reading(small.lake, copy_up_to=1000) as found,
        pytest.raises(LayoutError, match=r"overview\.mine: needs 的条件 no_such_column"),
    ):
        tabulate(found, load_layout("2021", overview), YEAR)
