"""What does not add up is named, record by record; what adds up passes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tasks.city.csv_file import CityFileError
from tasks.city.register import read_corrections
from tasks.editions.build import preview
from tasks.editions.edition import Edition, Finding
from tests.small_city import NOW, SmallCity
from warehouse.period import Period


def built(small: SmallCity, year: int = 2020) -> Edition:
    return preview(small.lake, small.folder, Period.of_year(year), now=NOW)


def finding(edition: Edition, key: str, organ: str = "R") -> Finding:
    (found,) = [f for f in edition.findings if f.key == key and f.organ_id == organ]
    return found


def named(f: Finding) -> list[str]:
    return [r.record_id for r in f.records]


def test_balanced_records_give_no_open_balance_finding(small: SmallCity) -> None:
    small.application("2020-03-02", "2020-03-09")
    small.application("2019-12-30", "2020-01-08", applicant_kind="commercial_enterprise")
    small.application("2020-12-30")
    edition = built(small)
    open_ = [f.key for f in edition.open_findings if f.code.startswith("B")]
    assert open_ == []


def test_an_application_without_an_applicant_kind_is_named_at_every_organ_above_it(
    small: SmallCity,
) -> None:
    small.application("2020-03-02", "2020-03-09")
    bad = small.application("2020-03-02", "2020-03-09", applicant_kind=None)
    edition = built(small)
    for organ in ("R", "A", "A1"):
        for row in ("new_received", "granted", "results_total"):
            f = finding(edition, f"B3.t3.{row}", organ)
            assert (f.status, f.gap, named(f)) == ("fail", Decimal(-1), [bad])
            assert f.records[0].organ_id == "A1"
    assert finding(edition, "B3.t3.new_received", "B").status == "pass"


def test_a_case_closed_without_an_outcome_is_named_by_the_outcome_rule(small: SmallCity) -> None:
    bad = small.application("2020-03-02", "2020-03-09", outcome=None)
    edition = built(small)
    f = finding(edition, "B2.t3.total")
    assert (f.status, named(f), f.severity) == ("fail", [bad], "block")
    assert finding(edition, "B1.t3.total").status == "pass"
    assert bad in {r.record_id for f in edition.blocking_findings for r in f.records}


def test_an_outcome_unknown_to_the_form_is_named_too(small: SmallCity) -> None:
    bad = small.application("2020-03-02", "2020-03-09", outcome="something_new")
    assert named(finding(built(small), "B2.t3.total")) == [bad]


def test_a_review_case_closed_without_an_outcome_is_named(small: SmallCity) -> None:
    case = {"organ_id": "B", "case_kind": "reconsideration", "accepted_on": date(2020, 2, 1)}
    (bad,) = small.add("review_case", {**case, "closed_on": date(2020, 5, 1)})
    small.add("review_case", case, {**case, "closed_on": date(2020, 5, 1), "outcome": "upheld"})
    f = finding(built(small), "B4.t4.reconsideration")
    assert (f.status, f.gap, named(f)) == ("fail", Decimal(-1), [bad])


def test_documents_disclosed_and_abolished_within_the_year_break_b11_by_name(
    small: SmallCity,
) -> None:
    (bad,) = small.add(
        "regulatory_document",
        {
            "organ_id": "B",
            "document_kind": "regulation",
            "issued_on": date(2020, 2, 1),
            "disclosed_on": date(2020, 2, 3),
            "abolished_on": date(2020, 11, 1),
        },
    )
    f = finding(built(small), "B11.t2.regulation")
    assert (f.status, named(f), f.severity) == ("fail", [bad], "warn")


def test_filed_figures_are_compared_and_a_missing_child_is_named(small: SmallCity) -> None:
    small.application("2020-03-02", organ_id="A1")
    small.application("2020-03-02", organ_id="B")

    def filed(organ: str, value: str) -> dict[str, object]:
        return {
            "organ_id": organ,
            "report_year": 2020,
            "cell": "t3.new_received.total",
            "value": value,
        }

    small.add("filed_cell", filed("R", "1"), filed("A", "2"), filed("A1", "2"))
    edition = built(small)
    assert finding(edition, "F1.A1", "A1").status == "fail"
    assert finding(edition, "F1.A1", "A1").records[0].organ_id == "A1"
    assert finding(edition, "B8.filed.A", "A").status == "pass"
    root = finding(edition, "B8.filed.R")
    assert root.status == "uncertain"
    assert "市教育局" in root.message


def test_a_correction_changes_the_figure_and_is_retired_when_the_source_was_mended(
    small: SmallCity,
) -> None:
    bad = small.application("2020-03-02", "2020-03-09", outcome=None)
    (small.folder / "corrections.yaml").write_text(
        f"""
- table: application
  source_system: s
  record_id: {bad}
  column: outcome
  expect: null
  value: granted
  reason: 经办机关书面确认
  reported_by: 政务公开科
  decided_on: 2021-01-15
""",
        encoding="utf-8",
    )
    small.register()
    edition = built(small)
    assert finding(edition, "B2.t3.total").status == "pass"
    assert edition.figures()["t3.granted.total"].value == 1
    applied = finding(edition, f"C1.core.application.s.{bad}.outcome")
    assert applied.status == "pass"
    assert "由“空”改为“granted”(经办机关书面确认;政务公开科提出" in applied.message
    with small.lake.write() as connection:
        connection.execute("UPDATE core.application SET outcome = 'partially_granted'")
    edition = built(small)
    assert edition.figures()["t3.granted.total"].value == 0
    assert edition.figures()["t3.partially_granted.total"].value == 1
    assert finding(edition, f"C1.core.application.s.{bad}.outcome").status == "fail"


def test_two_corrections_of_one_value_are_refused(tmp_path: Path) -> None:
    entry = (
        "- {table: application, source_system: s, record_id: a, column: outcome, value: granted,"
        " reason: 误登, reported_by: 政务公开科, decided_on: 2021-01-15}\n"
    )
    path = tmp_path / "corrections.yaml"
    path.write_text(entry, encoding="utf-8")
    assert len(read_corrections(path)) == 1
    path.write_text(entry + entry, encoding="utf-8")
    with pytest.raises(CityFileError, match="第 2 条: 与第 1 条更正的是同一个值"):
        read_corrections(path)


def test_a_quarantined_record_is_left_out_and_named(small: SmallCity) -> None:
    kept = small.application("2020-03-02", "2020-03-09")
    aside = small.application("2020-03-02", "2020-03-09")
    with small.lake.write() as connection:
        connection.execute(
            "INSERT INTO ops.quarantine VALUES ('core.application', 's', ?, 'APP-99', 'h', '', now()::TIMESTAMP, NULL)",
            [aside],
        )
    edition = built(small)
    assert edition.figures()["t3.new_received.total"].value == 1
    assert kept != aside


def test_published_figures_agree_when_equal_truncated_or_rounded(small: SmallCity) -> None:
    for _ in range(3):
        small.application("2020-03-02")
    small.application("2020-03-02", "2020-03-09")
    small.application("2020-03-02", "2020-03-09")
    small.application("2020-03-02")
    (small.folder / "published").mkdir()
    (small.folder / "published" / "2020.yaml").write_text(
        """
figures:
  - {key: applications_received, value: 6}
  - {key: granted_share, value: 33.33, decimals: 2}
  - {key: t3.granted.total, value: 3}
""",
        encoding="utf-8",
    )
    edition = built(small)
    assert finding(edition, "P1.overview.applications_received").status == "pass"
    assert "截取或四舍五入" in finding(edition, "P1.overview.granted_share").message
    f = finding(edition, "P1.t3.granted.total")
    assert (f.status, f.gap) == ("fail", Decimal(1))
