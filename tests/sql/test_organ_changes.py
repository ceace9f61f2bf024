"""Organs that move, merge, split, end and come back: three years whose right table is known by hand.

Every organ has one application that is open at the end of 2021 and one document in force.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from expectations.rules import Rulebook
from tasks.editions.build import build_edition, compute
from tasks.editions.definitions import Definitions
from tasks.editions.edition import Edition, Finding
from tests.small_city import SmallCity
from warehouse.form import form_of
from warehouse.lake import transaction
from warehouse.period import Period

HEAD = "organ_id,organ_name,organ_kind,parent_organ_id,valid_from,valid_to,successor_organ_id,has_system"
OF_2021 = """R,某市人民政府,city,,2000-01-01,,,true
A,甲县人民政府,county,R,2000-01-01,,,true
B,乙县人民政府,county,R,2000-01-01,,,true
Z,丙区管理委员会,functional_zone,R,2000-01-01,,,true
Z1,丙镇,township,Z,2000-01-01,,,true
MOVE,东镇,township,A,2000-01-01,,,true
MERGE,西镇,township,A,2000-01-01,,,true
STAY,南镇,township,A,2000-01-01,,,true
TAKEN,北镇,township,A,2000-01-01,,,true
TAKER,中镇,township,B,2000-01-01,,,true
SPLIT,某委,department,R,2000-01-01,,,true
ONE,某一局,department,R,2000-01-01,,,true
TWO,某二局,department,R,2000-01-01,,,true
NAME,市旧局,department,R,2000-01-01,,,true
OLD,市老局,department,R,2000-01-01,,,true
END,市撤局,department,R,2000-01-01,,,true
BACK,市回局,department,R,2000-01-01,,,true
"""
OF_2022 = (
    OF_2021.replace(
        "Z,丙区管理委员会,functional_zone,R,2000-01-01,,",
        "Z,丙区管理委员会,functional_zone,R,2000-01-01,2021-12-31,A",
    )
    .replace(
        "Z1,丙镇,township,Z,2000-01-01,,,true",
        "Z1,丙镇,township,Z,2000-01-01,2021-12-31,,true\nZ1,丙镇,township,A,2022-01-01,,,true",
    )
    .replace(
        "MOVE,东镇,township,A,2000-01-01,,,true",
        "MOVE,东镇,township,A,2000-01-01,2021-12-31,,true\nMOVE,东镇,township,B,2022-01-01,,,true",
    )
    .replace(
        "MERGE,西镇,township,A,2000-01-01,,", "MERGE,西镇,township,A,2000-01-01,2021-12-31,STAY"
    )
    # Within the year that is reported already.
    .replace(
        "TAKEN,北镇,township,A,2000-01-01,,", "TAKEN,北镇,township,A,2000-01-01,2021-06-30,TAKER"
    )
    .replace(
        "SPLIT,某委,department,R,2000-01-01,,", "SPLIT,某委,department,R,2000-01-01,2021-12-31,ONE"
    )
    .replace(
        "NAME,市旧局,department,R,2000-01-01,,,true",
        "NAME,市旧局,department,R,2000-01-01,2021-12-31,,true\nNAME,市新局,department,R,2022-01-01,,,true",
    )
    .replace(
        "OLD,市老局,department,R,2000-01-01,,,true",
        "OLD,市老局,department,R,2000-01-01,2021-12-31,NEW,true\nNEW,市替局,department,R,2022-01-01,,,true",
    )
    .replace(
        "END,市撤局,department,R,2000-01-01,,", "END,市撤局,department,R,2000-01-01,2021-12-31,"
    )
    .replace(
        "BACK,市回局,department,R,2000-01-01,,",
        "BACK,市回局,department,R,2000-01-01,2021-12-31,ONE",
    )
)
OF_2023 = OF_2022 + "BACK,市回局,department,R,2023-01-01,,,true\n"

# Applications carried into the year and documents in force, by organ with those below it.
RIGHT_2022 = {
    # END has no successor: its application is the city's, and a rule names it.
    "R": 18,
    # A itself, the zone's, 丙镇, 南镇 with the one it took over.
    "A": 5,
    # B itself, 东镇, 中镇 with the one it took over.
    "B": 4,
    "Z1": 1, "MOVE": 1, "STAY": 2, "TAKER": 2,
    # 某委 had two, of which one was registered anew at 某二局; 市回局 is answered for by 某一局.
    "ONE": 3, "TWO": 2, "NAME": 1, "NEW": 1,
}  # fmt: skip
RIGHT_2023 = {**RIGHT_2022, "ONE": 2, "BACK": 1}
KEY = "t3.carried_in.total"
IN_FORCE = "t2.normative_document.in_force"


def register(small: SmallCity, organs: str) -> None:
    (small.folder / "organs.csv").write_text(f"{HEAD}\n{organs}", encoding="utf-8")
    small.register()


def published(small: SmallCity, year: int) -> Edition:
    moment = datetime(year + 1, 1, 20, 2)
    edition = build_edition(small.lake, small.folder, Period.of_year(year), now=moment).edition
    with small.lake.write() as connection, transaction(connection):
        connection.execute(
            "UPDATE yearly.edition SET edition_status = 'published' WHERE edition_id = ?",
            [edition.id],
        )
    return edition


def across_years(edition: Edition) -> list[Finding]:
    return [f for f in edition.findings if f.code in ("B5", "B6")]


def failing(edition: Edition) -> list[tuple[str, str]]:
    return [(f.organ_id, f.key) for f in across_years(edition) if f.status == "fail"]


def of_organs(edition: Edition, key: str) -> dict[str, int]:
    figures = {o.id: edition.figures(o.id)[key].value for o in edition.organs}
    return {organ: int(value) for organ, value in figures.items() if value}


@pytest.fixture(scope="module")
def reported(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    """The city with 2021 published, and then the organs of 2022."""
    small = small_template.copied_to(tmp_path_factory.mktemp("organs") / "small")
    register(small, OF_2021)
    names = [line.split(",")[0] for line in OF_2021.splitlines()]
    # Two of the organ that will be split, so that each of its successors gets one.
    places = [(name, name) for name in names] + [("SPLIT-2", "SPLIT")]
    small.add(
        "application",
        *(
            {
                "record_id": f"application-{name}",
                "organ_id": organ,
                "received_on": date(2021, 12, 20),
                "applicant_kind": "natural_person",
            }
            for name, organ in places
        ),
    )
    document = {"document_kind": "normative_document", "issued_on": date(2020, 5, 1)}
    small.add(
        "regulatory_document",
        *(
            {"record_id": f"document-{name}", "organ_id": organ, **document}
            for name, organ in places
        ),
    )
    published(small, 2021)
    register(small, OF_2022)
    # The source has the records of the organ that was split at both of its successors.
    with small.lake.write() as connection, transaction(connection):
        for name in ("application", "regulatory_document"):
            connection.execute(
                f"UPDATE core.{name} SET organ_id = 'TWO' WHERE record_id LIKE '%-SPLIT-2'"
            )
        # What the rules take for today.
        connection.execute("UPDATE ops.load SET finished_at = TIMESTAMP '2023-01-10 02:00:00'")
    return small


def test_every_organ_follows_what_was_signed_for(reported: SmallCity, tmp_path: Path) -> None:
    small = reported.copied_to(tmp_path / "city")
    edition = published(small, 2022)
    assert of_organs(edition, KEY) == RIGHT_2022
    assert of_organs(edition, IN_FORCE) == RIGHT_2022
    assert failing(edition) == []
    assert {f.status for f in across_years(edition)} == {"pass"}
    told = {
        f.organ_id: [r.record_id for r in f.records] for f in edition.findings if f.code == "T1"
    }
    assert set(told["MOVE"]) == {"application-MOVE", "document-MOVE"}
    assert set(told["STAY"]) == {"application-MERGE", "document-MERGE"}
    assert set(told["TAKER"]) == {"application-TAKEN", "document-TAKEN"}
    assert set(told["TWO"]) == {"application-SPLIT-2", "document-SPLIT-2"}
    assert set(told["NEW"]) == {"application-OLD", "document-OLD"}
    assert "NAME" not in told
    words = {f.organ_id: f.message for f in edition.findings if f.code == "T1"}
    assert words["MOVE"].startswith("东镇由甲县人民政府划归乙县人民政府:上年报表中的 2 条记录")
    assert words["TAKER"].startswith("北镇的事项由中镇承接")
    # What ended without a successor is named by a rule, with its records.
    (ended,) = [f for f in edition.findings if f.code == "ORG-08"]
    assert (ended.status, ended.severity) == ("fail", "block")
    (organ,) = ended.records
    assert organ.record_id == "END"
    assert "在办申请 1 件(application-END)" in organ.detail
    assert "现行有效文件 1 件(document-END)" in organ.detail

    register(small, OF_2023)
    again = build_edition(
        small.lake, small.folder, Period.of_year(2023), now=datetime(2024, 1, 20)
    ).edition
    assert of_organs(again, KEY) == RIGHT_2023
    assert failing(again) == []
    assert {f.organ_id for f in again.findings if f.code == "T1"} == {"BACK"}


def test_an_edition_of_an_earlier_release_is_computed_as_it_was(
    reported: SmallCity, tmp_path: Path
) -> None:
    """Its rules do not know T1: last year through last year's organs, so that it can be proved."""
    small = reported.copied_to(tmp_path / "city")
    period = Period.of_year(2022)
    now = Definitions.now(form_of(), small.folder, period)
    yearly = {code: rule for code, rule in now.rules.yearly.items() if code not in ("T1", "L1")}
    earlier = replace(now, rules=Rulebook(now.rules.core, yearly))
    edition = compute(small.lake, earlier, period, now=datetime(2023, 1, 20))
    assert ("MOVE", "B5.t3.total") not in failing(edition)
    assert {organ for organ, key in failing(edition) if key == "B5.t3.total"} >= {"B", "STAY"}
    assert not [f for f in edition.findings if f.code in ("T1", "L1")]


def test_a_late_record_is_named_at_its_organ_and_those_above_it(
    reported: SmallCity, tmp_path: Path
) -> None:
    small = reported.copied_to(tmp_path / "city")
    with small.lake.write() as connection, transaction(connection):
        connection.execute(
            "UPDATE core.application SET closed_on = DATE '2021-12-28', outcome = 'granted' "
            "WHERE record_id = 'application-MOVE'"
        )
        connection.execute(
            "UPDATE core.regulatory_document SET abolished_on = DATE '2021-11-01' "
            "WHERE record_id = 'document-TAKEN'"
        )
    small.add(
        "application",
        {
            "record_id": "late",
            "organ_id": "STAY",
            "received_on": date(2021, 12, 1),
            "applicant_kind": "natural_person",
        },
    )
    edition = build_edition(
        small.lake, small.folder, Period.of_year(2022), now=datetime(2023, 1, 20)
    ).edition
    by_key = {(f.organ_id, f.key): f for f in across_years(edition) if f.status == "fail"}
    total, in_force = "B5.t3.total", "B6.t2.normative_document"
    assert {organ for organ, key in by_key if key == total} == {"MOVE", "B", "STAY", "A"}
    assert {organ for organ, key in by_key if key == in_force} == {"TAKER", "B", "R"}
    # One fewer and one more: the city's total hides it, the organs' do not.
    assert ("R", total) not in by_key
    (moved,) = by_key[("MOVE", total)].records
    assert moved.record_id == "application-MOVE"
    assert "已计入上年报表,现不计入:上年报表发布之后办结日期由空改为2021-12-28" in moved.detail
    (late,) = by_key[("A", total)].records
    assert (late.record_id, late.detail) == (
        "late",
        "未计入上年报表,现计入:上年报表发布之后才登记",
    )
    (document,) = by_key[("R", in_force)].records
    assert "废止或失效日期由空改为2021-11-01" in document.detail
    assert all(f.records for f in by_key.values())
    # The published tables stay; what the records would make of them now is told, with the records.
    (rewritten,) = [f for f in edition.findings if f.code == "L1"]
    assert (rewritten.status, rewritten.severity) == ("fail", "warn")
    assert {r.record_id for r in rewritten.records} == {
        "application-MOVE",
        "document-TAKEN",
        "late",
    }
    assert "(一)予以公开 · 总计 已发布 0,现有记录 1" in rewritten.message
