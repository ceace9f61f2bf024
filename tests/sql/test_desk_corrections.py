"""更正: entered by one, checked by another, kept in the lake; what would change is told before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tasks.city import corrections
from tasks.city.corrections import (
    CorrectionRefused,
    Draft,
    WriterBusy,
    enter,
    entries,
    entry_of,
    find_records,
    recorded,
    review,
    send_back,
    withdraw,
)
from tasks.city.register import CityFileError
from tasks.clock import now
from tasks.desk.correcting import choices_of, corrections_of, effect_of, found_by, shown
from tasks.editions.build import build_edition, compute
from tasks.editions.edition import Edition
from tasks.editions.store import load_edition
from tests.small_city import SmallCity
from warehouse.lake import Lake
from warehouse.period import Period

YEAR = Period.of_year(2020)
NATURAL = "t3.new_received.natural_person"
FILE = """
- table: application
  source_system: s
  record_id: {record}
  column: applicant_kind
  expect: null
  value: natural_person
  reason: 申请表载明
  reported_by: 公开科
  decided_on: 2021-01-05
"""


@pytest.fixture
def record(small: SmallCity) -> str:
    """An application without its applicant's kind."""
    return small.application("2020-03-02", "2020-03-09", applicant_kind=None)


@pytest.fixture
def draft(record: str) -> Draft:
    return Draft(
        *("core.application", "s", record, "applicant_kind", None, "natural_person"),
        *("申请表载明", "甲县东镇 公开岗", "来函", "乙"),
    )


def entered(lake: Lake, draft: Draft, by: str = "甲") -> int:
    return enter(lake, draft, by=by, is_signed_in=True, now=now())


def reviewed(lake: Lake, draft: Draft) -> int:
    number = entered(lake, draft)
    review(lake, number, by="乙", is_signed_in=True, now=now())
    return number


def built(small: SmallCity) -> Edition:
    return build_edition(small.lake, small.folder, YEAR, now=now()).edition


def natural(edition: Edition) -> Any:
    return edition.figures()[NATURAL].value


def test_only_what_a_second_person_checked_is_built_with(small: SmallCity, draft: Draft) -> None:
    assert natural(built(small)) == 0
    number = entered(small.lake, draft)
    assert natural(built(small)) == 0
    review(small.lake, number, by="乙", is_signed_in=True, now=now())
    with_it = built(small)
    assert natural(with_it) == 1
    told = next(f for f in with_it.findings if f.code == "C1")
    assert told.status == "pass"
    assert told.message.endswith("更正第 1 号,甲登记,乙复核)")
    withdraw(small.lake, number, by="丙", is_signed_in=True, remark="来源已改", now=now())
    assert natural(built(small)) == 0
    # The edition stands on its own snapshot, whatever became of the correction since.
    kept = load_edition(small.lake, with_it.id)
    assert kept.definitions is not None
    again = compute(small.lake, kept.definitions, YEAR, now=now(), snapshot=kept.snapshot)
    assert again.cell_hash == with_it.cell_hash
    acts = [(a.state, a.person, a.remark) for a in entry_of(small.lake, number).acts]
    assert acts == [("entered", "甲", ""), ("reviewed", "乙", ""), ("withdrawn", "丙", "来源已改")]


@pytest.mark.parametrize("name", ["甲", " 甲 ", "\u3000甲"])
def test_the_same_person_is_not_two(small: SmallCity, draft: Draft, name: str) -> None:
    number = entered(small.lake, draft)
    for deed in (
        lambda: review(small.lake, number, by=name, is_signed_in=True, now=now()),
        lambda: send_back(small.lake, number, by=name, is_signed_in=True, remark="x", now=now()),
    ):
        with pytest.raises(CorrectionRefused, match="登记人"):
            deed()
    assert entry_of(small.lake, number).state == "entered"
    assert recorded(small.lake) == []


def test_names_are_told_apart_however_they_are_typed(small: SmallCity, draft: Draft) -> None:
    number = entered(small.lake, draft, "Li Ming")
    with pytest.raises(CorrectionRefused, match="登记人"):
        review(small.lake, number, by="ＬＩ ming", is_signed_in=False, now=now())
    with pytest.raises(CorrectionRefused, match="复核人不能是登记人"):
        enter(
            small.lake,
            replace(draft, reviewer="li ming"),
            by="LiMing",
            is_signed_in=False,
            now=now(),
        )


def test_a_source_that_says_something_else_by_now_is_not_corrected(
    small: SmallCity, draft: Draft, record: str
) -> None:
    number = entered(small.lake, draft)
    with small.lake.write() as connection:
        connection.execute("UPDATE core.application SET applicant_kind = 'other_organization'")
    with pytest.raises(CorrectionRefused, match="来源现在的值已经变了"):
        review(small.lake, number, by="乙", is_signed_in=True, now=now())


def test_one_that_no_longer_holds_is_a_finding_and_asks_to_be_taken_down(
    small: SmallCity, draft: Draft
) -> None:
    number = reviewed(small.lake, draft)
    with small.lake.write() as connection:
        connection.execute("UPDATE core.application SET applicant_kind = 'other_organization'")
    told = next(f for f in built(small).findings if f.code == "C1")
    assert told.status == "fail"
    assert told.message.endswith(f"请核对后在更正页撤下更正第 {number} 号")
    (listed,) = corrections_of(small.lake)
    assert listed.state == ("turn", "失效:来源已是“其他”")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"column": "row_hash"}, "请从列表中选择"),
        ({"column": "no_such"}, "请从列表中选择"),
        ({"table": "core.organ"}, "不能更正"),
        ({"table": "core.'; DROP"}, "没有表"),
        ({"record_id": "nobody"}, "没有编号为"),
        ({"source_system": "other"}, "没有编号为"),
        ({"expect": "natural_person", "value": None}, "已经变了"),
        ({"value": None}, "相同"),
        ({"reason": " "}, "请填写理由"),
        ({"reported_by": ""}, "请填写谁提出的"),
        ({"reason": "长" * 2001}, "太长"),
        ({"column": "closed_on", "expect": "2020-03-09", "value": "明天"}, "日期"),
        ({"column": "consultation_working_days", "value": "许多"}, "一个数"),
    ],
)
def test_what_cannot_be_a_correction_is_not_kept(
    small: SmallCity, draft: Draft, wrong: dict[str, Any], why: str
) -> None:
    with pytest.raises(CorrectionRefused, match=why):
        entered(small.lake, replace(draft, **wrong))
    assert entries(small.lake) == []


def test_a_value_has_one_correction(small: SmallCity, draft: Draft) -> None:
    number = entered(small.lake, draft)
    with pytest.raises(CorrectionRefused, match="在等复核"):
        entered(small.lake, draft, "丙")
    send_back(small.lake, number, by="乙", is_signed_in=True, remark="依据不足", now=now())
    second = reviewed(small.lake, draft)
    assert second == number + 1
    with pytest.raises(CorrectionRefused, match=f"更正第 {second} 号"):
        entered(small.lake, draft)
    for deed in (review, send_back, withdraw):
        more = {} if deed is review else {"remark": "x"}
        with pytest.raises(CorrectionRefused):
            deed(small.lake, number, by="丁", is_signed_in=True, now=now(), **more)  # type: ignore[operator]


def test_a_whole_record_is_left_out(small: SmallCity, draft: Draft) -> None:
    before = built(small).figures()["t3.new_received.total"].value
    reviewed(small.lake, replace(draft, column="*", value=None))
    after = built(small).figures()["t3.new_received.total"].value
    assert (before, after) == (1, 0)


def test_the_file_goes_on_working_beside_them(small: SmallCity, draft: Draft, record: str) -> None:
    other = small.application("2020-05-02", applicant_kind=None)
    reviewed(small.lake, draft)
    path = small.folder / "corrections.yaml"
    path.write_text(FILE.format(record=other), encoding="utf-8")
    assert small.register() == ["ops.correction"]
    assert natural(built(small)) == 2
    path.unlink()
    assert small.register() == ["ops.correction"]
    assert [r.number for r in recorded(small.lake)] == [1]
    # One of the same value in both places is refused, from either side.
    path.write_text(FILE.format(record=record), encoding="utf-8")
    with pytest.raises(CityFileError, match="更正第 1 号"):
        small.register()
    withdraw(small.lake, 1, by="丙", is_signed_in=True, remark="改写在文件里", now=now())
    small.register()
    with pytest.raises(CorrectionRefused, match=r"corrections\.yaml"):
        entered(small.lake, draft)


def test_a_form_does_not_wait_for_a_whole_night(
    small: SmallCity, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrections, "PATIENCE", 0.2)
    number = entered(small.lake, draft)
    deeds: list[Callable[[], object]] = [
        lambda: entered(small.lake, replace(draft, column="outcome", expect="granted", value=None)),
        lambda: review(small.lake, number, by="乙", is_signed_in=True, now=now()),
    ]
    with small.lake.catalog.writing(None, 5):  # type: ignore[arg-type]
        for deed in deeds:
            with pytest.raises(WriterBusy, match="填写的内容都留在这页上"):
                deed()
    assert entry_of(small.lake, number).state == "entered"


def test_what_would_change_is_told_and_nothing_is_kept(
    small: SmallCity, draft: Draft, record: str
) -> None:
    edition = built(small)
    snapshot = small.lake.snapshot()
    steps: list[str] = []
    effect = effect_of(small.lake, edition.id, draft, steps.append)
    changed = {d.cell: (d.before, d.after) for d in effect.city}
    assert changed[NATURAL] == (0, 1)
    assert ("甲县东镇", len(changed)) in effect.organs or effect.organs
    assert effect.count("mended") > 0
    assert effect.count("broken") == 0
    assert steps
    assert small.lake.snapshot() == snapshot
    assert recorded(small.lake) == []
    # The same, told beforehand and built afterwards.
    reviewed(small.lake, draft)
    after = built(small)
    assert {d.cell: d.after for d in effect.city} == {
        key: after.figures()[key].value for key in changed
    }


def test_a_record_is_found_by_its_number_and_told_in_words(small: SmallCity, record: str) -> None:
    (found,) = find_records(small.lake, f" {record} ")
    told = shown(small.lake, found)
    assert (told.title, told.organ) == ("政府信息公开申请", "甲县东镇")
    kind = told.column("applicant_kind")
    assert kind is not None
    assert kind.told(kind.says) == "空(未登记)"
    assert kind.choices["natural_person"] == "自然人"
    outcome = choices_of("core.application", "outcome", 2020)
    assert {"granted", "unavailable_not_held"} < set(outcome)
    assert "row_hash" not in {c.name for c in told.columns}
    assert found_by(small.lake, "<script>", "", "") == []
    assert find_records(small.lake, "  ") == []
