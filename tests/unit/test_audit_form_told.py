"""Every row and column of the form as prose tells it: what agrees passes, what differs does not."""

from __future__ import annotations

import random

import pytest

from tasks.audit.document import Block, Document
from tasks.audit.run import check_report, of_document
from tests.audit_reports import FORMATS, balanced
from warehouse.form import load_layout

RECEIVED = "本年新收政府信息公开申请{t3.new_received.total}件,"
REVIEWED = "因政府信息公开引发行政复议{t4.reconsideration.total}件,其中"
TOLD: dict[str, list[tuple[str, str]]] = {
    "both": [
        (RECEIVED + "上年结转{X}件。", "t3.carried_in.total"),
        (RECEIVED + "办理结果中,属于国家秘密{X}件。", "t3.denied_state_secret.total"),
        (RECEIVED + "其他法律行政法规禁止公开{X}件。", "t3.denied_law_prohibits.total"),
        (RECEIVED + "危及“三安全一稳定”{X}件。", "t3.denied_safety_stability.total"),
        (RECEIVED + "保护第三方合法权益{X}件。", "t3.denied_third_party_rights.total"),
        (RECEIVED + "属于三类内部事务信息{X}件。", "t3.denied_internal_affairs.total"),
        (RECEIVED + "属于四类过程性信息{X}件。", "t3.denied_process_information.total"),
        (RECEIVED + "属于行政执法案卷{X}件。", "t3.denied_enforcement_file.total"),
        (RECEIVED + "属于行政查询事项{X}件。", "t3.denied_administrative_query.total"),
        (RECEIVED + "本机关不掌握相关政府信息{X}件。", "t3.unavailable_not_held.total"),
        (RECEIVED + "没有现成信息需要另行制作{X}件。", "t3.unavailable_needs_creation.total"),
        (RECEIVED + "补正后申请内容仍不明确{X}件。", "t3.unavailable_unclear.total"),
        (RECEIVED + "信访举报投诉类申请{X}件。", "t3.unprocessed_petition.total"),
        (RECEIVED + "重复申请{X}件。", "t3.unprocessed_repeat.total"),
        (RECEIVED + "要求提供公开出版物{X}件。", "t3.unprocessed_publication.total"),
        (RECEIVED + "无正当理由大量反复申请{X}件。", "t3.unprocessed_excessive.total"),
        (
            RECEIVED + "要求行政机关确认或重新出具已获取信息{X}件。",
            "t3.unprocessed_reconfirm.total",
        ),
        (RECEIVED + "予以公开{X}件。", "t3.granted.total"),
        (RECEIVED + "部分公开{X}件。", "t3.partially_granted.total"),
        (RECEIVED + "共办结{X}件。", "t3.results_total.total"),
        (RECEIVED + "结转下年度继续办理{X}件。", "t3.carried_out.total"),
        (RECEIVED + "其中自然人{X}件。", "t3.new_received.natural_person"),
        (RECEIVED + "其中商业企业{X}件。", "t3.new_received.commercial_enterprise"),
        (RECEIVED + "其中科研机构{X}件。", "t3.new_received.research_institution"),
        (RECEIVED + "其中社会公益组织{X}件。", "t3.new_received.public_welfare_organization"),
        (RECEIVED + "其中法律服务机构{X}件。", "t3.new_received.legal_service_organization"),
        ("因政府信息公开引发行政复议{X}件。", "t4.reconsideration.total"),
        (REVIEWED + "结果维持{X}件。", "t4.reconsideration.upheld"),
        (REVIEWED + "结果纠正{X}件。", "t4.reconsideration.corrected"),
        (REVIEWED + "其他结果{X}件。", "t4.reconsideration.other"),
        (REVIEWED + "尚未审结{X}件。", "t4.reconsideration.pending"),
        ("因政府信息公开未经复议直接起诉{X}件。", "t4.litigation_direct.total"),
        (
            "因政府信息公开未经复议直接起诉{t4.litigation_direct.total}件,结果维持{X}件。",
            "t4.litigation_direct.upheld",
        ),
        ("因政府信息公开复议后起诉{X}件。", "t4.litigation_after_reconsideration.total"),
        (
            "因政府信息公开复议后起诉{t4.litigation_after_reconsideration.total}件,尚未审结{X}件。",
            "t4.litigation_after_reconsideration.pending",
        ),
        ("作出行政许可处理决定{X}件。", "t2.administrative_license.decisions"),
        ("作出行政处罚决定{X}件。", "t2.administrative_penalty.decisions"),
        ("行政强制处理决定数量{X}件。", "t2.administrative_coercion.decisions"),
    ],
    "2019": [
        ("新制作规章{X}件。", "t2.regulation.newly_made"),
        ("本年新公开规章{X}件。", "t2.regulation.newly_disclosed"),
        ("规章对外公开总数量{X}件。", "t2.regulation.total_disclosed"),
        ("新制作规范性文件{X}件。", "t2.normative_document.newly_made"),
        ("新公开规范性文件{X}件。", "t2.normative_document.newly_disclosed"),
        ("规范性文件对外公开总数量{X}件。", "t2.normative_document.total_disclosed"),
        ("行政许可上一年项目数量{X}项。", "t2.administrative_license.prior_items"),
        ("其他对外管理服务事项上一年项目数量{X}项。", "t2.other_public_service.prior_items"),
        ("其他对外管理服务事项处理决定数量{X}件。", "t2.other_public_service.decisions"),
        ("行政事业性收费上一年项目数量{X}项。", "t2.administrative_fee.prior_items"),
        ("政府集中采购项目数量{X}个。", "t2.centralized_procurement.items"),
        (RECEIVED + "其他处理{X}件。", "t3.other.total"),
    ],
    "2021": [
        ("制发规章{X}件。", "t2.regulation.issued"),
        ("废止规章{X}件。", "t2.regulation.abolished"),
        ("现行有效规章{X}件。", "t2.regulation.in_force"),
        ("制发行政规范性文件{X}件。", "t2.normative_document.issued"),
        ("废止行政规范性文件{X}件。", "t2.normative_document.abolished"),
        ("现行有效行政规范性文件{X}件。", "t2.normative_document.in_force"),
        ("行政事业性收费{X}万元。", "t2.administrative_fee.amount_10k_yuan"),
        ("行政事业性收费金额{X}万元。", "t2.administrative_fee.amount_10k_yuan"),
        (
            RECEIVED + "申请人无正当理由逾期不补正、行政机关不再处理其政府信息公开申请{X}件。",
            "t3.other_correction_overdue.total",
        ),
        (
            RECEIVED
            + "申请人逾期未按收费通知要求缴纳费用、行政机关不再处理其政府信息公开申请{X}件。",
            "t3.other_fee_overdue.total",
        ),
    ],
}
"""Sentences with {X} for the figure, and the cell that it tells; other cells by their keys."""
CASES = [
    (layout, sentence, cell)
    for layout in ("2019", "2021")
    for sentence, cell in [*TOLD["both"], *TOLD[layout]]
]


@pytest.mark.parametrize(("name", "sentence", "cell"), CASES)
@pytest.mark.parametrize("change", [0, 17])
def test_cell_told_in_prose(name: str, sentence: str, cell: str, change: int) -> None:
    layout = load_layout(name)
    figures = balanced(layout, random.Random(9), 2000)
    prose = sentence.replace("{X}", str(figures[cell] + change))
    for key in (k for k in figures if "{" + k + "}" in prose):
        prose = prose.replace("{" + key + "}", str(figures[key]))
    lines = FORMATS["text"][1](layout, figures).decode().splitlines()
    lines[2:2] = [prose]
    blocks = tuple(Block(text=line) for line in lines)
    report = check_report(of_document(Document("r.txt", "text", blocks)))
    (check,) = [c for c in report.checks if c.code == "B7" and cell in {b.cell for b in c.evidence}]
    assert (check.status == "pass") == (change == 0)
    assert [c.message for c in report.fails if c is not check] == []
