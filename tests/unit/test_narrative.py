"""The words of the report: figures in, the sentence out; what must not be said is not said."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tasks.editions.edition import CellValue
from tasks.editions.narrative.draft import Draft, Facts, Note, draft
from tasks.editions.narrative.narrative import CHILDREN, Narrative, parse_narrative, text_cells
from tasks.editions.narrative.narrative_file import NarrativeError
from warehouse.form import form_of, load_layout
from warehouse.layout import Cell

DEMO = Path(__file__).parents[2] / "deployments" / "demo_city"
SHIPPED = form_of().narrative_texts(None)["form"][1]
SHORT_NAMES = {
    "new": "t3.new_received.total",
    "carried_in": "t3.carried_in.total",
    "closed": "t3.results_total.total",
    "carried_out": "t3.carried_out.total",
    "natural": "overview.applications_natural_person",
    "legal": "overview.applications_legal_person",
    "not_held": "t3.unavailable_not_held.total",
    "petition": "t3.unprocessed_petition.total",
}
OVERVIEW = {
    *("granted", "partially_granted", "denied", "unavailable", "unprocessed", "other"),
    *("disclosed_items", "key_field_items", "interpretations", "portal_visits", "regulations"),
    *("leader_messages", "leader_messages_closed", "online_inquiries", "online_inquiries_closed"),
    *("online_inquiries_open", "hotline_calls", "hotline_work_orders", "normative_documents"),
    *("new_media_accounts", "new_media_posts", "fee_notices", "fee_notices_amount"),
    "information_processing_fee",
}
RATES = {
    "overview.granted_share": ("granted", "applications_received"),
    "overview.unprocessed_share": ("unprocessed", "applications_received"),
    "overview.hotline_on_time_rate": ("work_orders_on_time", "work_orders_due"),
    "overview.hotline_satisfaction_rate": ("callbacks_satisfied", "callbacks_successful"),
}


def cells(layout: str, narrative: Narrative, left_out: tuple[str, ...]) -> dict[str, Cell]:
    """The demo city's cells and those that the cases add."""
    declared = load_layout(layout, DEMO / "overview.yaml").cells
    found = {k: c for k, c in declared.items() if k.removeprefix("overview.") not in left_out}
    for key in ("new_media_posts", "fee_notices", "fee_notices_amount"):
        found.pop(f"overview.{key}", None)
        if key not in left_out:
            found[f"overview.{key}"] = Cell(f"overview.{key}", "overview", key, "", key)
    found[CHILDREN] = Cell(CHILDREN, "organ", "children", "", "所属机关数")
    return {**found, **text_cells(narrative, found)}


def facts_of(
    values: dict[str, Any],
    *,
    kind: str = "city",
    layout: str = "2021",
    settings: str = "",
    undeclared: tuple[str, ...] = ("fee_notices", "fee_notices_amount", "new_media_posts"),
    is_root: bool = True,
) -> tuple[Narrative, Facts]:
    """The facts of a case. `last` is last year's received; None says that it is missing, its
    absence that the organ has no last year. Figures that are not named are 0."""
    narrative = parse_narrative(SHIPPED, settings or None)
    known = cells(layout, narrative, undeclared)
    figures: dict[str, CellValue] = {key: CellValue(Decimal(0)) for key in known}
    before: dict[str, CellValue] = {}
    numbers = {name: value for name, value in values.items() if name not in ("last", "change")}
    for name, value in numbers.items():
        key = SHORT_NAMES.get(name) or (f"overview.{name}" if name in OVERVIEW else name)
        figures[key] = CellValue(None if value is None else Decimal(str(value)))

    def at(key: str) -> Decimal | None:
        return figures[key].value

    received = (at("t3.new_received.total") or 0) + (at("t3.carried_in.total") or 0)
    figures["overview.applications_received"] = CellValue(Decimal(received))
    figures["overview.applications_carried_in"] = figures["t3.carried_in.total"]
    last = values.get("last")
    figures["overview.applications_received_change"] = CellValue(
        None, Decimal(received), None if last is None else Decimal(last)
    )
    if "change" in values:
        before["overview.disclosed_items"] = CellValue(Decimal(values["change"]))
    for key, sides in RATES.items():
        above, below = (figures[f"overview.{side}"].value for side in sides)
        figures[key] = CellValue(None, above, below)
    words = narrative.words_of("海川市人民政府" if kind == "city" else "海川县东镇人民政府", kind)
    return narrative, Facts(
        year=2020 if layout == "2019" else 2021,
        layout=layout,
        kind=kind,
        words={**words, "year": "2020" if layout == "2019" else "2021", "organ": "海川市人民政府"},
        cells=known,
        figures=figures,
        before=before,
        is_root=is_root,
        has_last_year="last" in values or "change" in values,
    )


def drafted(values: dict[str, Any], **more: Any) -> Draft:
    narrative, facts = facts_of(values, **more)
    return draft(narrative, facts, "R")


def told(done: Draft) -> str:
    """All of section one, headings too."""
    return "".join(p.text if p.runs_in else f"{p.head}{p.text}" for p in done.general)


APPLICATIONS_2020 = {
    "new": 3706, "carried_in": 15, "last": 1643, "natural": 2870, "legal": 847, "granted": 1298,
    "partially_granted": 20, "denied": 12, "unavailable": 89, "not_held": 71, "unprocessed": 2286,
    "petition": 2101, "other": 9, "closed": 3716, "carried_out": 5,
}  # fmt: skip
REVIEWS = {
    "t4.reconsideration.upheld": 5, "t4.reconsideration.pending": 1, "t4.reconsideration.total": 6,
    "t4.litigation_direct.upheld": 1, "t4.litigation_direct.total": 1,
    "t4.litigation_after_reconsideration.upheld": 1,
    "t4.litigation_after_reconsideration.pending": 1,
    "t4.litigation_after_reconsideration.total": 2,
}  # fmt: skip
HOTLINE = {
    "hotline_calls": 5000, "hotline_work_orders": 800, "leader_messages": 148,
    "leader_messages_closed": 148, "online_inquiries": 1257, "online_inquiries_closed": 1157,
    "online_inquiries_open": 100, "overview.work_orders_on_time": 19999,
    "overview.work_orders_due": 20000, "overview.callbacks_satisfied": 300,
    "overview.callbacks_successful": 300,
}  # fmt: skip
DOCUMENTS = "t2.normative_document"
ROUND = "settings: {percent: round}\n"
LONG_2020 = (
    "2020年，全市共受理政府信息公开申请3721件，同比增长126.47%，其中新收3706件、上年结转15件。"
    "申请人中，自然人申请2870件、法人或其他组织申请847件。全年办结3716件，其中予以公开1298件"
    "（占受理件数的34.88%）、部分公开20件、不予公开12件、因不掌握相关政府信息等原因无法提供89件、"
    "属信访举报投诉等情形不予处理2286件（占受理件数的61.43%）、其他处理9件。结转下年度继续办理5件。"
)
CASES: list[tuple[str, dict[str, Any], dict[str, Any], str | None, str | None]] = [
    # name, values, settings of the case, expected in the long text, in the short one
    ("nothing at all", {"last": 0}, {},
     "2021年，全市未收到政府信息公开申请，无上年结转。全年没有因政府信息公开引起的行政复议和行政诉讼案件。",
     "（二）依申请公开。2021年，我镇未收到政府信息公开申请，无上年结转。没有行政复议和行政诉讼案件。"),
    ("published 2020, cut", APPLICATIONS_2020, {"layout": "2019"}, LONG_2020,
     "（二）依申请公开。2020年，我镇收到政府信息公开申请3706件，上年结转15件；办结3716件，其中予以公开"
     "1298件、部分公开20件、不予公开12件、无法提供89件、不予处理2286件、其他处理9件；结转下年度5件。"),
    ("published 2020, rounded", APPLICATIONS_2020, {"layout": "2019", "settings": ROUND},
     LONG_2020.replace("126.47", "126.48").replace("61.43", "61.44"), None),
    ("one, granted, base 0",
     {"new": 1, "last": 0, "natural": 1, "granted": 1, "closed": 1}, {},
     "2021年，全市共受理政府信息公开申请1件，上年为0件，为本年新收，无上年结转。申请人为自然人。"
     "全年办结1件，予以公开。无结转下年度继续办理的申请。",
     "我镇收到政府信息公开申请1件，无上年结转；办结1件，予以公开；无结转下年度。"),
    ("one, still open", {"new": 1, "legal": 1, "last": 0, "carried_out": 1}, {},
     "2021年，全市共受理政府信息公开申请1件，上年为0件，为本年新收，无上年结转。"
     "申请人为法人或其他组织。年内没有办结的申请。结转下年度继续办理1件。",
     "我镇收到政府信息公开申请1件，无上年结转；年内没有办结的申请；结转下年度1件。"),
    ("carried in only, base under ten",
     {"carried_in": 2, "last": 5, "natural": 1, "legal": 1, "granted": 1, "unavailable": 1,
      "not_held": 1, "closed": 2}, {},
     "2021年，全市共受理政府信息公开申请2件，比上年减少3件，均为上年结转，本年未收到新的申请。"
     "申请人中，自然人申请1件、法人或其他组织申请1件。全年办结2件，其中予以公开1件"
     "（占受理件数的50%）、因不掌握相关政府信息等原因无法提供1件。无结转下年度继续办理的申请。",
     "我镇未收到新的政府信息公开申请，上年结转2件；办结2件，其中予以公开1件、无法提供1件；无结转下年度。"),
    ("as last year, one kind, one outcome",
     {"new": 11, "carried_in": 1, "last": 12, "natural": 12, "granted": 12, "closed": 12}, {},
     "2021年，全市共受理政府信息公开申请12件，与上年持平，其中新收11件、上年结转1件。"
     "申请人均为自然人。全年办结12件，均予以公开。无结转下年度继续办理的申请。",
     "我镇收到政府信息公开申请11件，上年结转1件；办结12件，均予以公开；无结转下年度。"),
    ("fell, cut", {"new": 430, "carried_in": 9, "last": 501}, {},
     "受理政府信息公开申请439件，同比下降12.37%，其中新收430件、上年结转9件。", None),
    ("fell, rounded", {"new": 430, "carried_in": 9, "last": 501}, {"settings": ROUND},
     "受理政府信息公开申请439件，同比下降12.38%，", None),
    ("beyond measure", {"new": 150, "last": 12}, {},
     "申请150件，比上年增加138件，均为本年新收，无上年结转。", None),
    ("999.99% is still said", {"new": 109_999, "last": 10_000}, {}, "，同比增长999.99%，", None),
    ("more than doubled", {"new": 45, "last": 20}, {},
     "申请45件，同比增长125%，均为本年新收，无上年结转。", None),
    ("no year before", {"new": 7}, {},
     "2021年，全市共受理政府信息公开申请7件，均为本年新收，无上年结转。", None),
    ("last year's figure missing", {"new": 30, "last": None}, {},
     "2021年，全市共受理政府信息公开申请30件，【缺：上年受理依申请公开】，均为本年新收，无上年结转。",
     "我镇收到政府信息公开申请30件，无上年结转；"),
    ("a figure missing", {"disclosed_items": None, "key_field_items": 40}, {},
     "2021年，全市各级行政机关主动公开政府信息【缺：累计主动公开政府信息】条，其中重点领域信息40条。",
     "（一）主动公开。2021年，我镇主动公开政府信息【缺：累计主动公开政府信息】条，其中重点领域信息40条。"),
    ("almost all is not all", HOTLINE, {},
     "收到领导信箱等留言148件，均已办结。收到网络问政1257条，已办结1157条、受理中100条。"
     "12345热线全年接到群众来电5000件，转派工单800件，按时办结率99.99%，群众满意率100%。", None),
    ("two decimals stay", {**HOTLINE, "overview.work_orders_on_time": 8910,
                           "overview.work_orders_due": 10000}, {}, "，按时办结率89.10%，", None),
    ("a share under 0.01%",
     {"new": 20001, "granted": 1, "denied": 20000, "closed": 20001, "last": 20001}, {},
     "全年办结20001件，其中予以公开1件、不予公开20000件。",
     "办结20001件，其中予以公开1件、不予公开20000件；"),
    ("a change under 0.01%", {"new": 20001, "last": 20000}, {},
     "申请20001件，与上年基本持平，均为本年新收，无上年结转。", None),
    ("nothing disclosed", {}, {}, "2021年，全市没有新增主动公开的政府信息。",
     "（一）主动公开。2021年，我镇没有新增主动公开的政府信息。"),
    ("one item, the whole", {"disclosed_items": 1, "key_field_items": 1}, {},
     "主动公开政府信息1条，为重点领域信息。", "主动公开政府信息1条，为重点领域信息。"),
    ("six items, the whole", {"disclosed_items": 6, "key_field_items": 6}, {},
     "主动公开政府信息6条，均为重点领域信息。", "，均为重点领域信息。"),
    ("documents 2021, all", {"t2.regulation.issued": 1, f"{DOCUMENTS}.issued": 2,
                             f"{DOCUMENTS}.abolished": 3, f"{DOCUMENTS}.in_force": 120}, {},
     "制发政府规章1件、行政规范性文件2件，废止行政规范性文件3件，年末现行有效行政规范性文件120件。",
     "（三）政府信息管理。年末现行有效行政规范性文件120件。"),
    ("documents 2021, abolished only",
     {f"{DOCUMENTS}.abolished": 3, f"{DOCUMENTS}.in_force": 118}, {},
     "。废止行政规范性文件3件，年末现行有效行政规范性文件118件。", None),
    ("documents 2021, in force only", {f"{DOCUMENTS}.in_force": 118}, {},
     "本年度没有制发和废止行政规范性文件，年末现行有效行政规范性文件118件。", None),
    ("documents 2021, none", {}, {},
     "本年度没有制发和废止行政规范性文件，年末没有现行有效的行政规范性文件。",
     "（三）政府信息管理。没有现行有效的行政规范性文件。"),
    ("documents 2019", {"regulations": 1, "normative_documents": 195,
                        "t2.regulation.total_disclosed": 6,
                        f"{DOCUMENTS}.total_disclosed": 402}, {"layout": "2019"},
     "新公开政府规章1件、政府及部门规范性文件195件，年末对外公开的规章6件、规范性文件402件。", None),
    ("documents 2019, no regulation",
     {"normative_documents": 195, "t2.regulation.total_disclosed": 6,
      f"{DOCUMENTS}.total_disclosed": 402}, {"layout": "2019"},
     "新公开政府及部门规范性文件195件，年末对外公开的规章6件、规范性文件402件。", None),
    ("review only, one result",
     {"t4.reconsideration.upheld": 4, "t4.reconsideration.total": 4}, {},
     "全年因政府信息公开引起的行政复议案件4件，结果均为维持。没有行政诉讼案件。",
     "行政复议案件4件，没有行政诉讼案件。"),
    ("one review, open", {"t4.reconsideration.pending": 1, "t4.reconsideration.total": 1}, {},
     "行政复议案件1件，尚未审结。", None),
    ("review and litigation", REVIEWS, {},
     "全年因政府信息公开引起的行政复议案件6件，其中结果维持5件、尚未审结1件。行政诉讼案件3件，其中"
     "未经复议直接起诉1件、复议后起诉2件。行政诉讼中，结果维持2件、尚未审结1件。",
     "行政复议案件6件、行政诉讼案件3件。"),
    ("litigation only", {"t4.litigation_direct.corrected": 2, "t4.litigation_direct.total": 2}, {},
     "全年没有因政府信息公开引起的行政复议案件。行政诉讼案件2件，均为未经复议直接起诉。"
     "行政诉讼中，结果均为纠正。", "没有行政复议案件，行政诉讼案件2件。"),
    ("visits plain", {"portal_visits": 6645864}, {}, "市政府门户网站全年访问量6645864次。", None),
]  # fmt: skip
IN_TEN_THOUSANDS = "settings: {wan: [overview.portal_visits]}\n"


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_figures_in_the_sentence_out(
    case: tuple[str, dict[str, Any], dict[str, Any], str | None, str | None],
) -> None:
    _, values, more, long, short = case
    if long is not None:
        assert long in told(drafted(values, **more))
    if short is not None:
        assert short in told(drafted(values, kind="township", is_root=False, **more))


@pytest.mark.parametrize(
    ("visits", "written"),
    [(6645864, "664.58万次"), (99999, "99999次"), (1200000, "120万次"), (100000, "10万次")],
)
def test_ten_thousands_where_the_city_wants_them(visits: int, written: str) -> None:
    done = drafted({"portal_visits": visits}, settings=IN_TEN_THOUSANDS)
    assert f"访问量{written}。" in told(done)


@pytest.mark.parametrize(
    ("layout", "values", "undeclared", "written"),
    [
        ("2021", {"fee_notices": 0}, (), "2021年全市没有发出收费通知，没有收取信息处理费。"),
        ("2021", {"fee_notices": 25, "fee_notices_amount": 3100, "information_processing_fee": 2950},
         (), "2021年全市发出收费通知25件，应收3100元，实际收取信息处理费2950元。"),
        ("2021", {}, ("fee_notices", "fee_notices_amount"), "2021年全市没有收取信息处理费。"),
        ("2021", {"information_processing_fee": 2950}, ("fee_notices", "fee_notices_amount"),
         "2021年全市实际收取信息处理费2950元。"),
        ("2019", {}, (), "2020年全市没有收取信息处理费。"),
        ("2019", {"information_processing_fee": 2950.5}, (),
         "2020年全市依据《条例》第四十二条收取信息处理费2950.50元。"),
    ],
)  # fmt: skip
def test_fees(layout: str, values: dict[str, Any], undeclared: Any, written: str) -> None:
    done = drafted(values, layout=layout, undeclared=(*undeclared, "new_media_posts"))
    told = "".join(paragraph.text for paragraph in done.others)
    assert written in told
    assert ("国办函〔2020〕109号" in told) == (layout == "2021")


def test_administrative_fees_in_ten_thousands_of_yuan() -> None:
    settings = "settings: {switches: {administrative_decisions: true}}\n"
    values = {"t2.administrative_fee.amount_10k_yuan": "1396.837971"}
    assert "行政事业性收费1396.84万元。" in told(drafted(values, settings=settings))
    assert "行政事业性收费" not in told(drafted(values))


def test_the_longest_short_text_stays_short() -> None:
    values = {
        "disclosed_items": 1298, "change": 1100, "key_field_items": 162, "interpretations": 22,
        "new_media_posts": 2595, "new": 98, "carried_in": 12, "granted": 40,
        "partially_granted": 11, "denied": 12, "unavailable": 13, "unprocessed": 14, "other": 15,
        "closed": 105, "carried_out": 5, f"{DOCUMENTS}.in_force": 118, "new_media_accounts": 3,
        "t4.reconsideration.total": 4, "t4.litigation_direct.total": 2, "last": 0,
    }  # fmt: skip
    done = drafted(values, kind="township", undeclared=())
    text = "\n".join(paragraph.text for paragraph in done.general)
    assert text == (
        "（一）主动公开。2021年，我镇主动公开政府信息1298条，同比增长18%，其中重点领域信息162条、"
        "政策解读22条。政务新媒体发布信息2595条。\n"
        "（二）依申请公开。2021年，我镇收到政府信息公开申请98件，上年结转12件；办结105件，其中"
        "予以公开40件、部分公开11件、不予公开12件、无法提供13件、不予处理14件、其他处理15件；"
        "结转下年度5件。行政复议案件4件、行政诉讼案件2件。\n"
        "（三）政府信息管理。年末现行有效行政规范性文件118件。【填：审核发布制度】\n"
        "（四）平台建设。年末在用政务新媒体账号3个。【填：网站栏目、公开栏、公开专区】\n"
        "（五）监督保障。【填：责任人和培训；乡镇人民政府另写工作考核、社会评议和责任追究结果】"
    )
    whole = [*done.introduction, *done.general, *done.others]
    bare = sum(len(s.text) for p in whole for s in p.sentences if "【填" not in s.text)
    assert bare <= 600


def test_what_only_the_city_has_is_not_said_of_others_nor_missed() -> None:
    done = drafted(HOTLINE, is_root=False)
    assert "热线" not in told(done)
    assert done.missing == []
    narrative, facts = facts_of(HOTLINE)
    absent = replace(facts, figures={**facts.figures, "overview.hotline_calls": CellValue(None)})
    assert "12345热线全年接到群众来电【缺：12345 群众来电】件，" in told(
        draft(narrative, absent, "R")
    )


@pytest.mark.parametrize("layout", ["2019", "2021"])
@pytest.mark.parametrize("kind", ["city", "county", "township", "department"])
def test_nothing_is_typed_and_nothing_said_that_a_machine_must_not(layout: str, kind: str) -> None:
    """Every digit is a figure's, the year's, or of a notice's number."""
    done = drafted({**APPLICATIONS_2020, **HOTLINE, **REVIEWS}, layout=layout, kind=kind)
    allowed = ("〔2019〕60号", "〔2021〕30号", "〔2020〕109号", "1月1日至12月31日", "12345热线")
    for span in done.spans():
        if span.kind == "words" and span.text not in ("2020", "2021"):
            words = span.text
            for text in allowed:
                words = words.replace(text, "")
            assert not any(c.isdigit() for c in words), words
        if span.kind == "figure":
            assert span.key.count(".") in (1, 2)
    written = "".join(span.text for span in done.spans() if span.kind != "mark")
    for banned in (
        "指导思想",
        "成效显著",
        "由于",
        "新发生",
        "累计",
        "截止",
        "增长-",
        "我市我市",
        "倍",
    ):
        assert banned not in written
    assert ("60号" in written, "30号" in written) == (layout == "2019", layout == "2021")


def test_what_no_system_has_is_left_out_and_noted() -> None:
    narrative, facts = facts_of({"interpretations": 22})
    key = "overview.interpretations_text"
    needed = replace(facts.cells[key], needs="interpretation_form IS NOT NULL")
    absent = replace(
        facts,
        cells={**facts.cells, key: needed},
        figures={**facts.figures, key: CellValue(None)},
    )
    done = draft(narrative, absent, "R")
    assert "全年发布政策解读22条。" in told(done)
    assert "没有来源提供 interpretations_text" in {note.told for note in done.notes}


def test_notes_say_where_in_the_template() -> None:
    done = drafted({"new": 30, "last": None})
    (note,) = [n for n in done.notes if n.kind == "missing"]
    assert (note.sentence, note.key) == ("L20", "overview.applications_received_change")
    assert SHIPPED.splitlines()[note.place.line - 1].strip() in ("- id: L20", "id: L20")
    kinds = {n.kind for n in drafted({"new": 7}).notes}
    assert "last_year" in kinds
    checks: list[Note] = [n for n in drafted({}).notes if n.kind == "check"]
    assert checks
    assert "请核对" in checks[0].told


LAYOUT = load_layout("2021", DEMO / "overview.yaml")


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ('change:\n  L41:\n    id: L41\n    text: "访问{overview.portal_visit}次"\n',
         r"city.yaml:4: \{overview.portal_visit\} 不存在.*overview.portal_visits"),
        ('add:\n  - after: L41\n    sentence: {id: C1, when: t3.granted.totals > 0, text: 有}\n',
         r"city.yaml:3: \{t3.granted.totals\} 不存在"),
        ('add:\n  - after: L41\n    sentence: {id: C1, text: "{overview.portal_visits:万}"}\n',
         "city.yaml:3: 花括号或方括号的写法不对"),
        ('add:\n  - after: L41\n    sentence: {id: C1, text: "{overview.portal_visits:tons}"}\n',
         "city.yaml:3: 没有写法 tons;现有:pct"),
        ('add:\n  - after: L41\n    sentence: {id: C1, text: "{town}很好"}\n', r"city.yaml:3: 没有词 \{town\}"),
        ("add:\n  - after: L99\n    sentence: {id: C1, text: 有}\n", "after: 没有句子 L99"),
        ("add:\n  - after: L41\n    sentence: {id: L41, text: 有}\n", "L41 用了两次"),
        ("change: {L99: null}\n", "change: 没有句子 L99"),
        ("settings: {template_of_kind: {city: huge}}\n", "没有模板 huge;现有:long、short"),
        ("settings: {percent: up}\n", "settings.percent: 应为 'cut' or 'round' 之一"),
        ("add:\n  - after: L41\n    sentence: {id: C1, when: 有访问, text: 有}\n", "“有访问”不是条件"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_and_line(own: str, told: str) -> None:
    with pytest.raises(NarrativeError, match=told):
        parse_narrative(SHIPPED, own, "form.yaml", "city.yaml").check(LAYOUT)


def test_a_city_changes_what_it_wants() -> None:
    own = (
        "settings: {template_of_organ: {R: short}}\n"
        "change: {S12: null, S40: {id: S40, text: '账号{overview.new_media_accounts}个'}}\n"
        "add: [{after: S10, sentence: {id: C1, text: '公开{overview.disclosed_items}条'}}]\n"
    )
    text = told(drafted({"disclosed_items": 5, "new_media_accounts": 2}, settings=own))
    assert text.startswith("（一）主动公开。2021年，我市主动公开政府信息5条。公开5条。")
    assert "账号2个。" in text


def test_the_shipped_template_asks_only_for_what_is_there_or_documented() -> None:
    """A misspelt figure would be taken for one that the city does not declare."""
    documented = (Path(__file__).parents[2] / "docs" / "forms.md").read_text(encoding="utf-8")
    for name in ("2019", "2021"):
        layout = load_layout(name, DEMO / "overview.yaml")
        narrative = parse_narrative(SHIPPED, None)
        narrative.check(layout)
        done = drafted({**APPLICATIONS_2020, **HOTLINE}, layout=name)
        undeclared = {note.key for note in done.notes if note.kind == "left_out"}
        for key in undeclared:
            assert f"`{key.removeprefix('overview.')}`" in documented, key


@pytest.mark.parametrize("seed", range(40))
def test_whatever_a_city_declares_no_sentence_is_broken(seed: int) -> None:
    """A city declares what its systems have: any of the figures may be none of its."""
    pick = random.Random(seed)
    names = [
        key.removeprefix("overview.")
        for key in load_layout("2021", DEMO / "overview.yaml").cells
        if key.startswith("overview.")
    ]
    names += ["fee_notices", "fee_notices_amount", "new_media_posts"]
    # Of what a rate is made is declared where the rate is.
    sides = {side for pair in RATES.values() for side in pair}
    undeclared = tuple(name for name in names if name not in sides and pick.random() < 0.5)
    values = {"new": 12, "carried_in": pick.choice([0, 3]), "closed": 14, "disclosed_items": 90}
    values = {name: value for name, value in values.items() if name not in undeclared}
    narrative, facts = facts_of(
        values,
        kind=pick.choice(["city", "county", "township", "department"]),
        layout=pick.choice(["2019", "2021"]),
        undeclared=undeclared,
    )
    done = draft(narrative, facts, "R")
    for name in ("introduction", "general", "problems", "others"):
        for paragraph in done.part(name):
            for sentence in paragraph.sentences:
                assert not re.search(
                    "[，、]。|。[，、]|[，、][，、]|^[，、]|^其中", sentence.text
                ), sentence


def test_a_place_keeps_its_number_whichever_clauses_are_written() -> None:
    own = """
add:
  - after: L00
    sentence:
      id: C1
      clauses:
        - {when: overview.disclosed_items > 100, text: "做法【填：甲】"}
        - {text: "，成效【填：乙】"}
"""
    for items in (5, 500):
        narrative, facts = facts_of({"disclosed_items": items}, settings=own)
        done = draft(narrative, replace(facts, filled={"C1.1": "一", "C1.2": "二"}), "R")
        said = next(
            s.text
            for paragraph in done.part("general")
            for s in paragraph.sentences
            if s.id == "C1"
        )
        assert said == ("做法一，成效二。" if items > 100 else "成效二。")
