"""The account of records: every record once, every loss a gap, a year that is complete."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.editions import account_states
from tasks.editions.account import Line, pulled_tables, read_account
from tasks.editions.account_checks import touches
from tasks.editions.account_states import dated_by
from tasks.editions.account_view import account_of, records_of
from tasks.editions.build import build_edition
from tasks.editions.edition import Edition, Finding
from tasks.editions.store import load_edition
from tasks.publish.publish import PublishRefused, check_year_is_over
from tests.small_city import NOW, SmallCity
from warehouse.form import load_layout
from warehouse.lake import transaction
from warehouse.period import Period
from warehouse.reading import reading
from warehouse.tables import table

YEAR = Period.of_year(2020)


def account(small: SmallCity, year: int = 2020) -> dict[str, Line]:
    return {line.table: line for line in account_of(small.lake, small.folder, Period.of_year(year))}


def run(small: SmallCity, sql: str, values: Sequence[Any] = ()) -> None:
    with small.lake.write() as connection, transaction(connection):
        connection.execute(sql, list(values))


def build(small: SmallCity, year: int = 2020, now: datetime = NOW) -> Edition:
    return build_edition(small.lake, small.folder, Period.of_year(year), now=now).edition


def found(edition: Edition, code: str) -> list[Finding]:
    return [f for f in edition.findings if f.code == code and f.status == "fail"]


def test_each_record_stands_once_with_its_reason(small: SmallCity) -> None:
    counted = small.application("2020-03-02", "2020-03-09")
    small.application("2018-03-02", "2018-03-09")
    gone = small.add("application", {"organ_id": "A1", "removed_at": NOW, "removal": "unseen"})[0]
    aside = small.application("2020-04-01", "2020-04-09")
    dropped = small.application("2020-05-01", "2020-05-09")
    undated = small.add("application", {"organ_id": "A1"})[0]
    run(
        small,
        "INSERT INTO ops.quarantine VALUES ('core.application', 's', ?, 'APP-11', 'h', 'x', ?, NULL)",
        [aside, NOW],
    )
    (small.folder / "corrections.yaml").write_text(
        f"- {{table: application, source_system: s, record_id: {dropped}, action: drop, "
        "reason: 重复登记, reported_by: 甲, decided_on: 2021-01-02}\n",
        encoding="utf-8",
    )
    small.register()
    line = account(small)["application"]
    assert (line.loaded, line.in_force, line.unseen, line.withdrawn) == (6, 5, 1, 0)
    assert (line.counted, line.set_aside) == (1, 1)
    assert dict(line.not_counted) == {"another_year": 1, "dropped": 1, "undated": 1}
    assert line.is_balanced

    def behind(state: str) -> list[str]:
        return [r.record_id for r in records_of(small.lake, small.folder, YEAR, [state])]

    assert behind("counted") == [counted]
    assert behind("unseen") == [gone]
    assert behind("set_aside") == [aside]
    assert behind("dropped") == [dropped]
    assert behind("undated") == [undated]


def test_what_a_cell_counts_is_counted_even_if_withdrawn_after_the_year(small: SmallCity) -> None:
    overview = small.folder / "overview.yaml"
    overview.write_text(
        overview.read_text(encoding="utf-8")
        + "  - {key: articles, label: 文章, unit: 篇, measure: article, where: is_published_in_year}\n",
        encoding="utf-8",
    )
    small.add(
        "article",
        {"organ_id": "B", "published_at": "2020-02-01", "removed_at": "2021-01-05"},
        {"organ_id": "B", "published_at": "2020-02-01", "removed_at": "2020-06-05"},
    )
    line = account(small)["article"]
    assert (line.in_force, line.withdrawn) == (1, 1)
    assert line.counted + sum(line.not_counted.values()) == 1
    assert line.is_balanced


def test_a_table_that_no_cell_looks_at_says_so(small: SmallCity) -> None:
    small.add("channel", {"channel_name": "要闻"})
    line = account(small)["channel"]
    assert dict(line.not_counted) == {"no_cell": 1}


def test_an_open_reject_of_the_year_blocks_and_is_named(small: SmallCity) -> None:
    for record, payload in (
        ("R-1", '{"received_on": "2020-05-xx"}'),
        ("R-2", '{"received_on": "2017-05-40"}'),
        ("R-3", '{"received_on": null}'),
    ):
        run(
            small,
            "INSERT INTO ops.reject (reject_id, load_id, source_system, resource, table_name, "
            "record_id, field, reason, payload, rejected_at, reject_status) "
            "VALUES (?, 'l', 's', 'r', 'core.application', ?, 'received_on', 'not_a_date', ?, ?, 'open')",
            [record, record, payload, NOW],
        )
    (finding,) = found(build(small), "A6")
    assert finding.blocks
    assert [r.record_id for r in finding.records] == ["R-1", "R-3"]
    assert account(small)["application"].rejected == 3


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('{"d": "2020-01-02"}', True),
        ('{"d": "20200102"}', True),
        ('{"d": "2020年1月2日"}', True),
        ('{"d": "1/2/2020"}', True),
        ('{"d": "2019-12-31"}', False),
        ('{"d": "2019-12-31", "closed": "2020-01-04"}', True),
        ('{"d": "去年"}', True),
        ("", True),
    ],
)
def test_a_reject_touches_the_years_that_it_names_or_every_year(
    payload: str, expected: bool
) -> None:
    assert touches(payload, 2020) is expected


def test_a_lost_row_leaves_a_gap(small: SmallCity) -> None:
    ids = [small.application("2020-03-02", "2020-03-09") for _ in range(3)]
    run(
        small,
        "INSERT INTO ops.load (load_id, source_system, resource, table_name, started_at, load_status, "
        "rows_fetched, rows_left_out, rows_landed, rows_joined, rows_conflicting, rows_rejected, "
        "rows_rejected_again, rows_new, rows_written, rows_unchanged) "
        "VALUES ('s/r/1', 's', 'r', 'core.application', '2021-01-19', 'loaded', "
        "4, 1, 3, 0, 0, 0, 0, 3, 3, 0)",
    )
    run(small, "UPDATE core.application SET origin = 's/r/1#1'")
    assert account(small)["application"].is_balanced
    run(small, "DELETE FROM core.application WHERE record_id = ?", [ids[0]])
    line = account(small)["application"]
    assert not line.is_balanced
    assert [str(e) for e in line.equations() if e.gap] == ["库内 2 ≠ 历次入库 3"]
    (finding,) = found(build(small), "A2")
    assert "库内 2 ≠ 历次入库 3,相差 1" in finding.message


OVERVIEW = Path(__file__).parents[2] / "deployments" / "demo_city" / "overview.yaml"


def standing_both_ways(small: SmallCity) -> tuple[Line, ...]:
    """The account by lots of keys, held against the one that asks each record by its key."""
    layout = load_layout("2019", OVERVIEW)
    with reading(small.lake) as opened:
        by_lots = read_account(opened, layout, YEAR)
        core = {t.full_name for t in pulled_tables()}
        assert not opened.in_memory & opened.filled_tables & core
    with reading(small.lake, copy_up_to=10**6) as opened:
        assert by_lots == read_account(opened, layout, YEAR)
    return by_lots


@pytest.mark.parametrize("lots", [1, 16, 4096])
def test_lots_of_keys_give_the_account_that_each_key_gives(
    small: SmallCity, lots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_states, "BUCKETS", lots)
    draw = random.Random(lots)
    ids = []
    dated = {
        "application": "received_on",
        "hotline_call": "called_at",
        # What was withdrawn after the year still counts; of posts it does not.
        "article": "published_at",
        "new_media_post": "posted_at",
    }
    small.add("channel", {"record_id": "open", "channel_name": "公开", "is_disclosure": True})
    small.add("new_media_account", {"record_id": "w", "organ_id": "A", "platform": "wechat"})
    known = {
        "application": {"applicant_kind": "natural_person"},
        "article": {"channel_id": "open"},
        "new_media_post": {"account_id": "w"},
    }
    for table_name, on in dated.items():
        rows = []
        for n in range(80):
            when = date(2019, 12, 1) + timedelta(days=draw.randrange(430))
            gone = draw.choice((None,) * 8 + ("2020-09-01", "2021-03-01"))
            landed = f"s/{draw.choice(('r', 'q'))}/1"
            rows.append(
                {
                    **known.get(table_name, {}),
                    on: draw.choice((None, *[when.isoformat()] * 9)),
                    "removed_at": gone,
                    "removal": gone and draw.choice((None, "unseen", "withdrawn")),
                    # As a load wrote it, as a later one marked it, and as nobody wrote it.
                    "load_id": draw.choice((landed, "s/other/2")),
                    "origin": draw.choice((f"{landed}/a-1:{n}", None, "loose")),
                }
            )
        ids += [(f"core.{table_name}", on, one) for one in small.add(table_name, *rows)]
    for full_name, column, one in draw.sample(ids, 16):
        run(
            small,
            "INSERT INTO ops.quarantine VALUES (?, 's', ?, 'X-1', 'h', 'x', ?, ?)",
            [full_name, one, NOW, draw.choice((None, column))],
        )
    for full_name, column, one in draw.sample(ids, 16):
        action, at, value = draw.choice(
            (("drop", "*", None), ("override", column, "2020-02-02"), ("override", column, None))
        )
        run(
            small,
            "INSERT INTO ops.correction (table_name, source_system, record_id, column_name, action, "
            "expected_value, corrected_value, reason, reported_by, decided_on) "
            f"SELECT $1, 's', $2, $3, $4, {column}::VARCHAR, $5, '误', '甲', '2021-01-02' "
            f"FROM {full_name} WHERE record_id = $2",
            [full_name, one, at, action, value],
        )
    small.mark_loaded([*dated])
    lines = standing_both_ways(small)
    assert {line.table for line in lines if line.counted and line.not_counted} >= {*dated}


def test_what_a_cell_counts_twice_or_not_at_all_shows_with_lots_of_keys(small: SmallCity) -> None:
    kept = small.add("hotline_call", *[{"called_at": "2020-03-02"} for _ in range(50)])
    small.mark_loaded(["hotline_call"])
    with reading(small.lake) as opened:
        # A measure that loses a record and doubles another: as many as there should be.
        relation = opened.measure("hotline_call", YEAR)
        sql = opened.measures["hotline_call"].sql
        assert opened.connection.execute(f"SELECT count(*) FROM {relation}").fetchone() == (50,)
        opened.connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT * FROM ({sql}) "
            f"WHERE record_id <> '{kept[0]}' "
            f"UNION ALL SELECT * FROM ({sql}) WHERE record_id = '{kept[1]}'"
        )
        (line,) = read_account(opened, small.layout(), YEAR, [table("core.hotline_call")])
    assert line.not_counted == {"by_definition": 1}
    assert not line.is_balanced


def test_an_unfinished_year_is_a_trial_that_no_answer_publishes(small: SmallCity) -> None:
    small.application("2021-01-04")
    edition = build(small, 2021)
    assert edition.is_trial
    assert [f.code for f in edition.trial_findings if f.code == "Y1"] == ["Y1"]
    with pytest.raises(PublishRefused, match="试编"):
        check_year_is_over(edition)
    kept = load_edition(small.lake, edition.id)
    assert kept.is_trial
    assert kept.account == edition.account
    assert not build(small, 2020).is_trial


def test_a_resource_not_pulled_after_the_year_makes_a_trial_by_name(small: SmallCity) -> None:
    run(
        small,
        "UPDATE ops.load SET started_at = '2020-12-20' WHERE table_name IN ('article', 'application')",
    )
    run(
        small,
        "UPDATE ops.load SET lag_hours = 24, started_at = '2021-01-01 23:00' WHERE table_name = 'channel'",
    )
    run(
        small,
        "UPDATE ops.load SET lag_hours = 24, started_at = '2021-01-02 00:30' WHERE table_name = 'fee_charge'",
    )
    edition = build(small)
    assert edition.is_trial
    keys = [f.key for f in found(edition, "Y2")]
    assert keys == ["Y2.s.application", "Y2.s.article", "Y2.s.channel"]
    check_year_is_over(edition)


def test_a_month_without_records_where_last_year_had_them(small: SmallCity) -> None:
    for month in (3, 4):
        for _ in range(6):
            small.application(f"2019-0{month}-02", f"2019-0{month}-09")
    small.application("2020-03-02", "2020-03-09")
    small.application("2019-05-02", "2019-05-09")
    (finding,) = found(build(small), "Y3")
    assert "4月没有记录" in finding.message
    assert "5月" not in finding.message


def checked(small: SmallCity) -> None:
    from tasks.check import check_core

    check_core(small.lake, as_of=NOW.date(), run_id="r", runner="plain", now=NOW)


def test_a_wrong_closing_date_sets_aside_only_what_rests_on_it(small: SmallCity) -> None:
    small.application("2020-03-02", "2020-03-09")
    typo = small.application("2020-03-02", "2029-03-25")
    open_ = small.application("2019-12-02", "9999-12-31")
    reversed_ = small.application("2020-05-02", "2002-05-06")
    checked(small)
    edition = build(small)
    figures = edition.figures()
    assert figures["t3.new_received.total"].value == 3
    assert figures["t3.results_total.total"].value == 1
    assert figures["t3.carried_in.total"].value == 0
    assert figures["t3.carried_out.total"].value == 0
    named = {r.record_id for f in edition.blocking_findings for r in f.records}
    assert {typo, open_, reversed_} <= named
    assert account(small)["application"].is_balanced
    later = build(small, 2021)
    assert {typo, open_} <= {r.record_id for f in later.findings for r in f.records}


def test_a_wrong_receipt_date_sets_the_record_aside(small: SmallCity) -> None:
    small.application("2020-03-02", "2020-03-09")
    old = small.application("1920-03-02", "2020-03-09")
    checked(small)
    edition = build(small)
    assert edition.figures()["t3.new_received.total"].value == 1
    assert edition.figures()["t3.results_total.total"].value == 1
    assert old in {r.record_id for f in edition.blocking_findings for r in f.records}
    assert account(small)["application"].set_aside == 1


def test_the_printed_sql_gives_the_figure_with_corrections_and_what_is_set_aside(
    small: SmallCity,
) -> None:
    from tasks.editions.explain import explain

    small.application("2020-03-02", "2020-03-09")
    wrong = small.application("2020-03-02", "2020-03-09", outcome=None)
    small.application("2020-03-02", "2029-03-25")
    small.application("1920-03-02", "2020-03-09")
    (small.folder / "corrections.yaml").write_text(
        f"- {{table: application, source_system: s, record_id: {wrong}, column: outcome, "
        "expect: null, value: granted, reason: 经办机关确认, reported_by: 甲, "
        "decided_on: 2021-01-02}\n",
        encoding="utf-8",
    )
    small.register()
    checked(small)
    edition = build(small)
    small.application("2020-06-02", "2020-06-09")
    for key in ("t3.granted.total", "t3.new_received.total", "t3.carried_out.total"):
        e = explain(small.lake, small.folder, YEAR, key, edition_id=edition.id)
        with small.lake.read() as connection:
            value = connection.execute(e.sql or "").fetchall()[-1][0]
        assert value == e.value, key
    assert edition.figures()["t3.granted.total"].value == 2


def test_a_snapshot_from_before_a_column_is_dated_as_it_was() -> None:
    """A date that a table got later does not date the records of an edition built before."""
    channel = table("core.channel")
    now = {column.name for column in channel.columns}
    assert dated_by(channel) == dated_by(channel, now) == "opened_on"
    assert dated_by(channel, now - {"opened_on", "closed_on"}) not in ("opened_on", "closed_on")
