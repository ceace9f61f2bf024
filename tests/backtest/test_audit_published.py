"""Published reports: what is found in them, what adds up and what does not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tasks.audit.document import Block, Document
from tasks.audit.result import AuditCheck, AuditReport, as_json, meaning_of
from tasks.audit.run import audit_files, check_report, of_document

DATA = Path(__file__).parent / "reports"

# overview key: value as published
SHANWEI = {
    "major_decisions": 43, "normative_documents_abolished": 45, "pilot_fields": 26, "one_thing_items": 103,
    "yueshengshi_items": 856, "intermediary_procurements": 2201, "epidemic_column_items": 2427,
    "applications_received": 3721, "applications_carried_in": 15, "applications_natural_person": 2870,
    "applications_legal_person": 847, "granted": 1298, "partially_granted": 20, "denied": 12, "unavailable": 89,
    "unprocessed": 2286, "other": 9, "applications_carried_out": 5, "gazette_copies": 24200,
    "gazette_city_issues": 12, "gazette_city_copies": 18000, "new_media_accounts": 120, "disclosed_items": 16193,
    "key_field_items": 1626, "regulations": 1, "normative_documents": 195, "work_reports": 1,
    "congress_suggestions": 14, "cppcc_proposals": 3, "portal_visits": 6645864, "wechat_followers": 21983,
    "wechat_posts": 2595, "interpretations": 22, "interviews": 10, "leader_messages": 148,
    "leader_messages_closed": 148, "online_inquiries": 1257, "online_inquiries_closed": 1157,
    "online_inquiries_open": 100, "hotline_calls": 216297, "hotline_work_orders": 27549,
    "hotline_on_time_rate": Decimal("89.10"), "hotline_satisfaction_rate": Decimal("99.98"),
}  # fmt: skip


def _told(*lines: str) -> AuditReport:
    document = Document("report.txt", "text", tuple(Block(text=line) for line in lines))
    return check_report(of_document(document))


def _by_quote(report: AuditReport, part: str) -> list[AuditCheck]:
    return [
        c for c in report.checks if any(e.figure and part in e.figure.quote for e in c.evidence)
    ]


@pytest.fixture(scope="module")
def shanwei() -> AuditReport:
    return audit_files([DATA / "shanwei-2020.txt"])[0]


def test_every_figure_of_shanwei_has_its_meaning(shanwei: AuditReport) -> None:
    found = {meaning_of(f): f.value for f in shanwei.narrative.figures}
    assert {k: found.get(f"overview.{k}") for k in SHANWEI} == SHANWEI
    assert all(f.is_understood for f in shanwei.narrative.figures)
    assert (shanwei.report_year, shanwei.organ) == (2020, "汕尾市人民政府")


def test_shanwei_applicants_fail_by_four(shanwei: AuditReport) -> None:
    (check,) = [c for c in shanwei.checks if c.key.startswith("B10.applicants")]
    assert (check.status, check.gap) == ("fail", -4)
    assert check.equation == "2870 + 847 = 3717 ≠ 3721"


def test_shanwei_outcomes_fail_in_both_readings(shanwei: AuditReport) -> None:
    (check,) = [c for c in shanwei.checks if c.key.startswith("B10.outcomes")]
    assert check.status == "fail"
    assert [(r.gap, r.equation.split(" = ", 1)[1]) for r in check.readings] == [
        (-2, "3719 ≠ 3721"),
        (-17, "3719 ≠ 3736 = 3721 + 15"),
    ]
    assert "3714" in check.message
    assert "3719" in check.message


@pytest.mark.parametrize(
    ("quote", "says"),
    [
        ("占34.88%", "四舍五入与截取均相符"),
        ("占61.43%", "按截取相符(四舍五入为 61.44%)"),
        ("同比增长126.47%", "与基数 1643 一致,按截取相符(四舍五入为 126.48%)"),
    ],
)
def test_shanwei_percentages(shanwei: AuditReport, quote: str, says: str) -> None:
    (check,) = _by_quote(shanwei, quote)
    assert check.status == "pass"
    assert says in check.message


def test_shanwei_wholes_and_parts(shanwei: AuditReport) -> None:
    (inquiries,) = _by_quote(shanwei, "网络问政1257条")
    assert (inquiries.status, inquiries.equation) == ("pass", "1257 = 1157 + 100")
    (disclosed,) = _by_quote(shanwei, "16193条")
    assert disclosed.status == "uncertain"
    assert "1840" in disclosed.equation
    assert {c.key.split(".")[1] for c in shanwei.fails} == {"applicants", "outcomes"}


def test_full_tables_2025_balance() -> None:
    (report,) = audit_files([DATA / "full-tables-2025.txt"])
    assert report.layout == "2021"
    assert len(report.tables.cells) == 200
    cells = as_json(report)["cells"]
    assert cells["t3.new_received.total"] == 14069
    assert cells["t3.other_misc.natural_person"] == 941
    assert cells["t4.reconsideration.pending"] == 121
    assert cells["t4.litigation_after_reconsideration.total"] == 156
    assert cells["t2.administrative_fee.amount_10k_yuan"] == 316441
    statuses = {c.status for c in report.checks if c.code in ("B1", "B2", "B3", "B4", "B9")}
    assert statuses == {"pass"}
    assert not report.fails
    fee = next(f for f in report.narrative.figures if "信息处理费" in f.quote)
    assert (fee.value, fee.unit) == (400, "元")


def _statuses(report: AuditReport) -> dict[str, str]:
    return {c.key.split(".")[1]: c.status for c in report.checks if c.code == "B10"}


def test_ankang_2019_text_agrees_with_table() -> None:
    report = _told(
        "某局2019年政府信息公开工作年度报告", "全年主动公开规范性文件30件。",
        "信息内容 | 本年新制作数量 | 本年新公开数量 | 对外公开总数量 |", "规范性文件 | 30 | 30 | 30 |",
        "信息内容 | 上一年项目数量 | 本年增/减 | 处理决定数量 |", "行政许可 | 0 | 0 | 0 |", "其他对外管理服务事项 | 0 | 0 | 0 |",
        "信息内容 | 采购项目数量 | 采购总金额 |", "政府集中采购 | 8项 | 160.5964万元 |",
    )  # fmt: skip
    assert report.layout == "2019"
    assert report.tables.figures["t2.centralized_procurement.amount"] == Decimal("1605964")
    assert [c.status for c in report.checks if c.code == "B7"] == ["pass"]


def test_xiaogan_2024() -> None:
    report = _told(
        "2024年,全市办理政府信息公开申请1022件(含上年结转14件),按时办结987件,结转下年度35件。"
        "主动公开政府信息39881条,在线访谈11期,召开新闻发布会29场。"
    )
    assert _statuses(report) == {"closing": "pass"}
    assert [c.equation for c in report.checks if c.code == "B10"] == ["987 + 35 = 1022"]


def test_gaochun_2022() -> None:
    report = _told(
        "2022年,全区收到政府信息公开申请130件,同比增长103%。其中,予以公开或部分公开59件(45.3%),不予公开32件(24.6%),"
        "无法提供26件(20%),不予处理1件(0.7%),其他12件(9.2%)。",
        "区政府网站发布信息4583条,其中信息公开2107条,动态信息2476条。网站总访问量3782565次。",
    )
    checks = [c for c in report.checks if c.code == "B10"]
    assert {c.status for c in checks} == {"pass"}
    (outcomes,) = [c for c in checks if c.key.startswith("B10.outcomes")]
    assert outcomes.equation == "59 + 32 + 26 + 1 + 12 = 130"
    cut = [c for c in checks if "按截取相符" in c.message]
    assert len(cut) == 2  # 45.38…% as 45.3, 0.76…% as 0.7


def test_a_district_2022() -> None:
    report = _told(
        "2022年,全区共收到政府信息公开申请1499件,其中通过网络提交1303件,占86.92%;通过信函提交172件,占11.47%;当面提交24件,占1.60%。",
        "答复申请1453件(含上年结转30件),其中予以公开966件,部分公开67件,不予公开81件,无法提供182件,不予处理61件,其他处理96件。",
    )
    assert _statuses(report) == {
        "channels": "pass",
        "outcomes": "pass",
        "closing": "not_assessable",
        "share": "pass",
    }
    (unprinted,) = [c for c in report.checks if c.key.startswith("B10.closing")]
    assert "76" in unprinted.message


def test_qingjiangpu_2021() -> None:
    report = _told(
        "2021年共处理依申请公开92件,其中新收91件,上年结转1件;按时办结88件,结转下年度4件。"
    )
    assert _statuses(report) == {"intake": "pass", "closing": "pass"}


def test_gaoping_2023() -> None:
    report = _told(
        "2023年共收到政府信息公开申请9件,均为自然人申请,上年结转0件。其中部分公开2件,信息不存在5件,结转下年度2件。"
    )
    assert _statuses(report) == {"outcomes": "pass"}


def test_pending_left_out_of_the_text_is_named_not_guessed() -> None:
    report = _told(
        "2025年,全市因政府信息公开被申请行政复议790件,其中维持376件,纠正97件,其他结果196件。"
    )
    (check,) = [c for c in report.checks if c.code == "B10"]
    assert check.status == "uncertain"
    assert "尚未审结" in check.message


def test_shanghai_office_2019_tables_balance_and_the_text_does_not() -> None:
    (report,) = audit_files([DATA / "shanghai-office-2019.html"])
    assert (report.layout, report.report_year, report.organ) == (
        "2019",
        2019,
        "上海市人民政府办公厅",
    )
    cells = as_json(report)["cells"]
    assert cells["t3.new_received.total"] == 859
    assert cells["t3.granted.total"] is None
    assert cells["t4.litigation_direct.total"] == 9
    # Most cells are blank; the equations themselves show which of them are zero.
    assert {c.status for c in report.checks if c.code in ("B1", "B4")} <= {"pass", "not_assessable"}
    assert {c.key for c in report.checks if c.code == "B1" and c.status == "pass"} >= {
        "B1.t3.natural_person",
        "B1.t3.total",
    }
    failed = {(c.code, c.evidence[0].value) for c in report.fails}
    # 258 against 275 granted or partially granted, 265 against 337 that could not be provided, and the share of 258.
    assert failed == {("B7", 258), ("B7", 265), ("B10", 258)}
    agreeing = {c.evidence[0].value for c in report.checks if c.code == "B7" and c.status == "pass"}
    assert agreeing == {859, 805, 18, 72, 35, 158, 7, 9}


def test_ofd_of_another_program_reads_in_full() -> None:
    (report,) = audit_files([DATA / "easyofd.ofd"])
    assert (report.document.format, report.organ, report.layout) == (
        "ofd",
        "测试市人民政府",
        "2021",
    )
    assert len(report.tables.cells) == 200
    assert report.not_read == []
    assert {c.status for c in report.checks if c.code in ("B1", "B2", "B3", "B4")} == {"pass"}
