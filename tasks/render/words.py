"""Texts that several outputs share: the title, and what an edition is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.editions.edition import EDITION_STATUS_LABELS, OWN
from tasks.render.findings import summary

if TYPE_CHECKING:
    from tasks.editions.edition import Edition

SYNTHETIC_NOTICE = "演示数据：除已公布总数外均为合成"
TRIAL_NOTICE = "试编：该年度的数据尚不完整，不得作为正式年报"
NO_FIGURES = "本版次没有总体情况数字。"
MISSING_NOTICE = "空白表示该数字缺失（未取得或无法计算），不等于 0"


def document_title(edition: Edition) -> str:
    """The report's title as it is published."""
    own = OWN if edition.part_scope == "own" else ""
    return f"{edition.root.name}{own}{edition.period.title}{edition.form.title_of(edition.period)}"


def notice(edition: Edition) -> str:
    """What must be read before any figure: that the edition is a trial, that its records are
    made up; empty for one that is neither."""
    told = [TRIAL_NOTICE] if edition.is_trial else []
    told += [SYNTHETIC_NOTICE] if edition.is_synthetic else []
    return "。".join(told)


def status_label(edition: Edition) -> str:
    """Pending, published, superseded or a preview that was never kept, in Chinese."""
    labels = {"preview": "预览，未编为版次"} | EDITION_STATUS_LABELS
    label = labels.get(edition.status, edition.status)
    return f"试编，{label}" if edition.is_trial else label


def edition_name(edition: Edition) -> str:
    """Edition and its status; a preview has no name yet."""
    return f"版次 {edition.id}({status_label(edition)})" if edition.id else status_label(edition)


def edition_facts(edition: Edition) -> list[tuple[str, str]]:
    """What this edition is, as pairs of name and text."""
    status = status_label(edition)
    facts = [
        ("报告", document_title(edition)),
        ("版次", f"{edition.id}（第 {edition.number} 版，{status}）"),
        ("报表格式", f"{edition.layout.title},{edition.layout.notice}"),
        ("数据截至", f"{edition.data_as_of:%Y-%m-%d %H:%M}（北京时间）"),
        ("编制时间", f"{edition.built_at:%Y-%m-%d %H:%M}（北京时间）"),
        ("数据快照", f"第 {edition.snapshot} 号"),
        ("单元格指纹", edition.cell_hash),
        ("口径指纹", edition.definition_hash),
        ("核对情况", summary(edition)),
        ("空白与零", f"0 为确有其数且为零；{MISSING_NOTICE}"),
        ("百分数", "一律写明分子、分母，截取两位小数；与四舍五入不同的另行注明"),
    ]
    if edition.is_trial:
        why = "；".join(f.message for f in edition.trial_findings)
        facts.insert(2, ("试编", f"{TRIAL_NOTICE}：{why}"))
    if edition.reason:
        facts.insert(2, ("另编理由", edition.reason))
    if edition.is_synthetic:
        facts.insert(1, ("数据性质", SYNTHETIC_NOTICE))
    if edition.software:
        facts.append(("编制软件", f"nianbao {edition.software}"))
    return facts
