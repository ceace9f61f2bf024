"""The check step: what runs again, what is recorded, what is set aside and released."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest
from rules_world import as_of, break_rule, in_lake, insert

from expectations.rules import load_rules
from tasks import check
from tasks.check import check_core, data_date, table_versions
from tasks.city.register import CORRECTION_COLUMNS
from warehouse.lake import Lake

NOW = datetime(2021, 7, 1, 2, 0)
TABLES = {"core.application", "core.administrative_action", "core.power_item"}
RULES = [r for r in load_rules() if r.table in TABLES]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return in_lake(tmp_path, "APP-13", "APP-04")


def checked(lake: Lake, run_id: str = "run", on: date | None = None) -> dict[str, check.RuleResult]:
    results = check_core(
        lake, as_of=on or as_of(), run_id=run_id, runner="plain", only_tables=TABLES, now=NOW
    )
    assert [r.code for r in results] == [r.code for r in RULES]
    return {r.code: r for r in results}


def quarantine(lake: Lake) -> list[tuple[object, ...]]:
    with lake.read() as connection:
        return connection.execute(
            "SELECT table_name, source_system, record_id, rule_code, row_hash FROM ops.quarantine"
        ).fetchall()


def test_records_results_and_sets_aside(lake: Lake) -> None:
    results = checked(lake)
    assert {c for c, r in results.items() if r.status == "fail"} == {"APP-04", "APP-13"}
    assert results["APP-04"].blocks
    # What is set aside is kept out of the figures; a person must say what it is.
    assert results["APP-13"].blocks
    assert quarantine(lake) == [("core.application", "ledger", "APP-13/0", "APP-13", "h")]
    with lake.read() as connection:
        recorded = connection.execute(
            "SELECT count(*), count(DISTINCT check_run_id) FROM ops.check_run"
        ).fetchone()
        assert recorded == (len(RULES), 1)
    kept = checked(lake, "again").values()
    assert all(r.is_reused for r in kept)
    assert [(r.code, r.bad_rows, r.records[0].record_id) for r in kept if r.is_open] == [
        ("APP-04", 1, "APP-04/0"),
        ("APP-13", 1, "APP-13/0"),
    ]


def test_nothing_changed_nothing_run_nothing_written(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = checked(lake)
    snapshot = lake.snapshot()
    monkeypatch.setattr(check, "_run", lambda *_: pytest.fail("nothing changed"))
    second = checked(lake, "again")
    assert lake.snapshot() == snapshot
    assert all(r.is_reused for r in second.values())
    for code, result in first.items():
        assert (result.status, result.bad_rows, result.records) == (
            second[code].status,
            second[code].bad_rows,
            second[code].records,
        )


def found_records(lake: Lake) -> list[tuple[object, ...]]:
    with lake.read() as connection:
        return connection.execute(
            "SELECT rule_code, record_id FROM ops.check_record ORDER BY ALL"
        ).fetchall()


def table_versions_of(lake: Lake, name: str) -> str:
    with lake.read() as connection:
        return table_versions(connection)[name]


def test_what_a_rule_found_is_kept_until_it_finds_otherwise(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked(lake)
    assert found_records(lake) == [("APP-04", "APP-04/0"), ("APP-13", "APP-13/0")]
    with monkeypatch.context() as patched:
        patched.setattr(check, "bad_rows", lambda *_, **__: pytest.fail("it is kept"))
        again = checked(lake, "again")
    assert [record.record_id for record in again["APP-04"].records] == ["APP-04/0"]
    with lake.write() as connection:
        insert(connection, "core.power_item", {"record_id": "I9"})
    # Rules run again find the same: nothing is written of their records.
    before = table_versions_of(lake, "ops.check_record")
    with lake.write() as connection:
        connection.execute(
            "UPDATE core.application SET row_hash = 'h2' WHERE record_id = 'APP-13/0'"
        )
    checked(lake, "later")
    assert table_versions_of(lake, "ops.check_record") == before
    with lake.write() as connection:
        connection.execute("DELETE FROM core.application WHERE record_id = 'APP-04/0'")
        connection.execute(
            "INSERT INTO ops.check_record VALUES ('GONE-01', 'ledger', '1', NULL, NULL, 'x')"
        )
    checked(lake, "mended")
    assert found_records(lake) == [("APP-13", "APP-13/0")]


def test_of_a_rule_that_very_many_break_none_is_kept(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "KEPT_RECORDS", 1)
    with lake.write() as connection:
        insert(connection, "core.application", {"record_id": "another", "outcome": None})
    results = checked(lake)
    assert results["APP-04"].bad_rows == 2
    assert len(results["APP-04"].records) == 1
    assert found_records(lake) == [("APP-13", "APP-13/0")]
    again = checked(lake, "again")["APP-04"]
    assert (again.bad_rows, len(again.records), again.is_reused) == (2, 2, True)


def test_only_rules_of_changed_tables_run_again(lake: Lake) -> None:
    checked(lake)
    with lake.write() as connection:
        insert(connection, "core.power_item", {"record_id": "I9"})
    again = {code for code, r in checked(lake, "again").items() if not r.is_reused}
    assert again == {r.code for r in RULES if "core.power_item" in r.depends_on}
    assert "ACT-08" in again


def test_only_rules_that_look_at_the_date_run_again(lake: Lake) -> None:
    checked(lake)
    later = checked(lake, "later", date(2021, 7, 1))
    assert {c for c, r in later.items() if not r.is_reused} == {
        r.code for r in RULES if r.uses_date
    }


def test_mended_row_is_released_and_changed_row_is_set_aside_anew(lake: Lake) -> None:
    with lake.write() as connection:
        break_rule(connection, "APP-12")
    checked(lake)
    assert {row[3] for row in quarantine(lake)} == {"APP-12", "APP-13"}
    with lake.write() as connection:
        connection.execute(
            "UPDATE core.application SET received_on = DATE '2021-03-02', row_hash = 'h2' "
            "WHERE record_id = 'APP-13/0'"
        )
        connection.execute(
            "UPDATE core.application SET applicant_kind = 'other_organization', row_hash = 'h3' "
            "WHERE record_id = 'APP-12/0'"
        )
    checked(lake, "again")
    assert quarantine(lake) == [("core.application", "ledger", "APP-12/0", "APP-12", "h3")]


def test_not_run_changes_nothing_and_runs_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked(lake)
    before = quarantine(lake)
    with lake.write() as connection:
        insert(connection, "core.application", {"record_id": "A99"})
    with monkeypatch.context() as patched:
        patched.setattr(
            check,
            "_run",
            lambda _, rules, *__: [check.result_of(r, None, reason="坏了") for r in rules],
        )
        failed = checked(lake, "broken")
    assert {r.status for r in failed.values() if not r.is_reused} == {"not_run"}
    assert quarantine(lake) == before
    again = checked(lake, "again")
    assert {c for c, r in again.items() if not r.is_reused} == {
        c for c, r in failed.items() if r.status == "not_run"
    }
    assert {c for c, r in again.items() if r.status == "fail"} == {"APP-04", "APP-13"}


def test_recorded_correction_puts_a_record_right(lake: Lake) -> None:
    checked(lake)
    with lake.write() as connection:
        connection.execute(
            f"INSERT INTO ops.correction ({', '.join(CORRECTION_COLUMNS)}) VALUES "
            "('core.application', 'ledger', 'APP-04/0', 'outcome', 'override', NULL, 'granted', "
            "'按答复文书', '公开科', DATE '2021-06-01'), "
            "('core.application', 'ledger', 'APP-13/0', 'received_on', 'override', '2021-03-11', "
            "'2021-03-01', '按登记簿', '公开科', DATE '2021-06-01')"
        )
    results = checked(lake, "corrected")
    assert {c for c, r in results.items() if r.status != "pass"} == set()
    assert not results["APP-04"].is_reused
    assert quarantine(lake) == []
    assert all(r.is_reused for r in checked(lake, "again").values())


def test_rows_of_a_rule_that_is_gone_are_released(lake: Lake) -> None:
    checked(lake)
    with lake.write() as connection:
        connection.execute("UPDATE ops.quarantine SET rule_code = 'OLD-01'")
    checked(lake, "again")
    assert quarantine(lake) == []


def test_versions_follow_changes_and_survive_expired_snapshots(lake: Lake) -> None:
    def versions() -> dict[str, str]:
        with lake.read() as connection:
            return table_versions(connection)

    start = versions()
    with lake.write() as connection:
        insert(connection, "core.procurement", {"record_id": "B9"})
    changed = versions()
    assert {n for n in changed if changed[n] != start[n]} == {"core.procurement"}
    with lake.write() as connection:
        connection.execute("DELETE FROM core.gazette_issue WHERE record_id = 'G3'")
        insert(connection, "core.fee_charge", {"record_id": "F9"})
        connection.execute(
            f"CALL ducklake_expire_snapshots('lake', versions => [{lake.snapshot() - 1}])"
        )
    expired = versions()
    # What changed in the expired snapshot is no longer known, so no older version stands.
    assert all(expired[n] != changed[n] for n in expired if n.startswith("core."))
    assert versions() == expired


def test_data_date_is_the_newest_record_but_never_the_future(lake: Lake) -> None:
    with lake.write() as connection:
        for record, moment in (("T8", "2021-06-29 23:00:00"), ("T9", "2099-01-01 00:00:00")):
            insert(connection, "core.article", {"record_id": record, "source_updated_at": moment})
        assert data_date(connection, NOW) == date(2021, 6, 29)
        connection.execute("UPDATE core.article SET source_updated_at = NULL")
        assert data_date(connection, NOW) == NOW.date()


def test_great_expectations_is_not_imported_when_nothing_changed(lake: Lake) -> None:
    checked(lake)
    code = (
        "import sys; from datetime import date; from pathlib import Path\n"
        "from tasks.check import check_core; from warehouse.lake import Lake\n"
        f"check_core(Lake(Path({str(lake.home)!r})), as_of=date(2021, 6, 30), run_id='again', only_tables={sorted(TABLES)!r})\n"
        "sys.exit('great_expectations' in sys.modules or 'sqlalchemy' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=120)
