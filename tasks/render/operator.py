"""What an operator reads besides the edition itself: differences and deadlines, as Markdown for
the artifacts of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from tasks.editions.compare import SCOPE_LABELS, CellDifference
from tasks.editions.differences import (
    CHANGE_LABELS,
    ChangedRecord,
    Comparison,
    Differences,
)
from tasks.render.findings import code_order, rule_title, summary, table_label
from tasks.render.markdown import code, escaped, organ_tables, page, table
from tasks.render.outputs import OUTPUTS
from tasks.render.words import document_title, edition_name, notice
from tasks.watch.deadlines import OpenApplication, Silent, by_organ, calendar_told
from warehouse.numbers import number, plain

if TYPE_CHECKING:
    from tasks.editions.edition import Edition
    from tasks.watch.deadlines import Deadlines

MOST_DIFFERENCES = 100
MOST_CHANGED = 20
PAGES = {
    "法定表格": "总体情况与各张表格的全部数字",
    "所选机关的表格": "表单中所选机关各自的表格",
    "核对问题": "哪个机关应处理哪些记录",
    "记录去向": "每类记录取到多少、计入多少、不计入的为什么",
    "与上年比较": "变动最大的数字",
    "各机关成套文件": "一个机关一个文件夹：Word、PDF、Excel、网页",
    "输出文件": "可打印、归档、续写的文件与编制说明",
}
"""What the pages of a build are for, by their titles."""
CHANNEL_KINDS = {
    "government_news": "政务动态",
    "disclosure_directory": "政府信息公开目录",
    "interpretation": "政策解读",
    "overview": "概况",
}


def chosen_organs(edition: Edition, organ_ids: Sequence[str]) -> str:
    """The statutory tables of the organs that were asked for, one after the other."""
    names = {organ.id: organ.name for organ in edition.organs}
    parts = [f"# {edition.report_name}各机关表格\n"]
    for organ_id in organ_ids:
        if organ_id in names:
            parts.append(f"## {escaped(names[organ_id])}(含所属)\n")
            parts.append(organ_tables(edition, organ_id))
        else:
            parts.append(f"机关 {code(organ_id)} 在{edition.period.label}不存在。\n")
    return page(parts)


def result(
    edition: Edition,
    comparison: Comparison,
    pages: Mapping[str, str],
    base_url: str,
    desk: str,
) -> str:
    """The first page of a build: what came out, what to do next, where everything is.

    `pages` are the other artifacts by title; an empty address is shown as text only. `desk` is
    where 年报工作台 is served, which has a page for most of them; empty where it is not.
    """
    blocking = edition.blocking_findings
    parts = [f"# {escaped(document_title(edition))}\n"]
    parts.append(
        f"**{escaped(edition_name(edition))}**,数据截至 {edition.data_as_of:%Y-%m-%d %H:%M}\n"
    )
    if notice(edition):
        parts.append(f"**{notice(edition)}**\n")
    parts.append(f"{escaped(summary(edition))}\n")
    parts.append("## 下一步\n")
    if blocking:
        codes = sorted({f.code for f in blocking}, key=code_order)
        rules = "、".join(f"{c} {escaped(rule_title(edition, c))}" for c in codes)
        parts += [
            f"1. 有 {len(blocking)} 项阻断问题:{rules}。",
            "2. 按“核对问题”交有关机关在来源系统改正,改正后再运行一次年终编制。",
            "3. 确有理由可以带着问题发布的,在批准页逐条写明理由。\n",
        ]
    else:
        parts.append("没有阻断问题。看过表格与变化后即可批准。\n")
    here = f"{desk}/edition/{edition.id}" if desk and edition.id else ""
    if here:
        parts.append(
            f"[打开版次 {escaped(edition.id)}(年报工作台)]({here})\n\n"
            f"[打开批准页(版次 {escaped(edition.id)})]({desk}/approve/{edition.id})\n"
        )
    parts.append("## 内容\n")
    rows = []
    for title, address in pages.items():
        told = PAGES.get(title, "")
        if title == "与上一版次比较":
            told = f"{len(comparison.in_value):,} 处不同"
        at_desk = _at_desk(title, here, desk, comparison.earlier, edition.id)
        rows.append([f"[{title}]({address})" if address else title, told, at_desk])
    if base_url:
        used = [(output.name, *output.use) for output in OUTPUTS if output.use]
        rows += [[f"[{what}]({base_url}/{name})", told, ""] for name, what, told in used]
    if here:
        parts.append(table(["看什么", "说明", "年报工作台"], rows))
    else:
        parts.append(table(["看什么", "说明"], [row[:2] for row in rows]))
    return page(parts)


DESK_PAGES = {
    "法定表格": ("逐数查看", ""),
    "所选机关的表格": ("换机关查看", ""),
    "核对问题": ("按记录处理", "/findings"),
    "与上年比较": ("总体与上年", "/overview"),
    "输出文件": ("下载", "#files"),
}
"""What 年报工作台 has for the pages of a build: what is done there, and where of the edition."""


def _at_desk(title: str, here: str, desk: str, earlier: str, edition_id: str) -> str:
    """A link to what 年报工作台 has for a page of a build; empty where it has nothing."""
    if not here:
        return ""
    if title == "与上一版次比较":
        address = f"{desk}/compare?before={earlier}&after={edition_id}"
        return f"[按记录比较]({address})" if earlier else ""
    told, path = DESK_PAGES.get(title, ("", ""))
    return f"[{told}]({here}{path})" if told else ""


def with_way_to_desk(text: str, told: str, address: str) -> str:
    """A page of a run with a link to where its subject is worked on; as it is without an address."""
    return page([text, f"[{told}]({address})\n"]) if address else text


def against_earlier(edition: Edition, comparison: Comparison) -> str:
    """Cell by cell against the earlier edition, the root's largest movers first."""
    return page([f"# 与上一版次比较\n\n{told_against_earlier(edition, comparison)}"])


def told_against_earlier(edition: Edition, comparison: Comparison) -> str:
    """The differences without a heading, for a page that has more."""
    if not comparison.earlier:
        return f"版次 {edition.id} 是{edition.report_name}的第一个版次,没有上一版次。\n"
    kind = "已发布版次" if comparison.is_published else "版次"
    differences, same = comparison.in_value, comparison.in_sides
    told = f"共 {len(differences):,} 个数字不同" if differences else "没有任何数字不同"
    if same:
        told += f";另有 {len(same):,} 个比率数字相同,只有分子、分母不同"
    parts = [f"与{kind} {comparison.earlier} 相比,{told}。\n"]
    if edition.reason:
        parts.append(f"编制理由:{escaped(edition.reason)}\n")
    root = [d for d in differences if d.organ_id == edition.root.id and d.scope == "rolled_up"]
    others = [d for d in differences if d not in root]
    if root:
        parts += ["**全市**\n", _differences(sorted(root, key=_weight))]
    if others:
        parts += ["**各机关**\n", _differences(sorted(others, key=_weight), with_organ=True)]
    if comparison.told:
        parts += _records_behind(comparison.told)
    return "\n".join(parts)


def _records_behind(told: Differences) -> list[str]:
    """Figure by figure, the records that make it another."""
    parts = []
    if told.definitions:
        parts.append(
            f"两个版次的口径不同:{escaped('、'.join(told.definitions))};数字可能因此不同。\n"
        )
    behind = [cell for cell in told.cells if cell.records]
    if behind:
        parts.append("**由哪些记录引起(全市)**\n")
    for cell in behind[:MOST_DIFFERENCES]:
        d = cell.difference
        shown = f"{number(d.before, '缺')} → {number(d.after, '缺')}"
        parts.append(f"{escaped(d.label)}({shown})\n\n{_changed(cell.records)}")
    if told.records_only:
        parts.append("**变动而不影响任何数字的记录**\n")
        parts.append(_changed(told.records_only))
    return parts


def _changed(records: Sequence[ChangedRecord]) -> str:
    lines = []
    for r in records[:MOST_CHANGED]:
        values = ";".join(
            f"{escaped(name)} {escaped(was or '空')} → {escaped(is_ or '空')}"
            for name, (was, is_) in r.columns.items()
        )
        weight = "" if r.weight is None else f" {'+' if r.weight > 0 else ''}{plain(r.weight)}"
        told = f":{values}" if r.change == "changed" and values else ""
        lines.append(
            f"- {CHANGE_LABELS[r.change]} {table_label(r.table)} "
            f"{code(f'{r.source_system}/{r.record_id}')}{weight}{told}"
        )
    if len(records) > MOST_CHANGED:
        lines.append(f"- 另有 {len(records) - MOST_CHANGED:,} 条,运行 nianbao diff 可列全")
    return "\n".join(lines) + "\n"


def _weight(difference: CellDifference) -> tuple[Decimal, str, str]:
    moved = abs(difference.difference) if difference.difference is not None else Decimal("Infinity")
    return -moved, difference.organ_id, difference.cell


def _differences(differences: Sequence[CellDifference], with_organ: bool = False) -> str:
    rows = []
    for d in differences[:MOST_DIFFERENCES]:
        change = d.difference
        rows.append(
            [
                *([escaped(d.organ_name), SCOPE_LABELS[d.scope]] if with_organ else []),
                escaped(d.label),
                escaped(d.shown_before),
                escaped(d.shown_after),
                "" if change is None else f"{'+' if change > 0 else ''}{plain(change)}",
            ]
        )
    columns = [*(["机关", "范围"] if with_organ else []), "数字", "原", "现", "增减"]
    shown = table(columns, rows, numbers=3)
    if len(differences) > MOST_DIFFERENCES:
        shown += f"\n另有 {len(differences) - MOST_DIFFERENCES:,} 个,见 differences.csv。\n"
    return shown


def deadlines(found: Deadlines) -> str:
    """What is due: overdue applications on top, then by organ, hotline, accounts, columns."""
    counted: list[tuple[str, int]] = [
        ("依申请公开,逾期", len(found.overdue)),
        ("依申请公开,将到期", len(found.soon)),
        ("热线工单,逾期", sum(c[1] for c in found.work_order_counts)),
        ("热线工单,将到期", sum(c[2] for c in found.work_order_counts)),
        ("政务新媒体账号,超期未更新", len(found.accounts)),
        ("网站栏目,超期未更新", len(found.channels)),
    ]
    parts = [f"# {found.on} 期限\n"]
    if found.calendar_ends_soon:
        parts.append(f"**{calendar_told(found)}**\n")
    parts.append(table(["事项", "件数"], [[name, f"{n:,}"] for name, n in counted], numbers=1))
    parts.append(_filings(found))
    parts.append(_applications(found.applications))
    parts.append(_work_orders(found))
    parts.append(_silent("政务新媒体账号", "平台", found.accounts))
    parts.append(_silent("网站栏目", "类别", found.channels))
    return page(parts)


def _filings(found: Deadlines) -> str:
    rows = [
        [
            f"{filing.on}",
            escaped(filing.what),
            "已发布" if filing.is_published else "未发布",
            f"还有 {filing.days_left} 天"
            if filing.days_left >= 0
            else f"已过 {-filing.days_left} 天",
        ]
        for filing in found.filings
    ]
    return "## 法定日期\n\n" + table(["日期", "事项", "报告", "期限"], rows)


def _applications(applications: Sequence[OpenApplication]) -> str:
    if not applications:
        return "## 依申请公开\n\n没有在办的申请。\n"
    parts = [
        "## 依申请公开\n",
        f"在办 {len(applications):,} 件。期限为收到申请(要求补正的,收到补正;收费的,缴费)之日起 20 个工作日;"
        "经批准延长的加 20 个工作日;征求意见、等候补正和缴费的时间不计。\n",
    ]
    for of in by_organ(applications).values():
        parts.append(f"### {escaped(of[0].organ_name)}({len(of)} 件)\n")
        rows = [
            [
                _left(a),
                code(f"{a.source_system}/{a.record_id}"),
                f"{a.started_on}",
                f"{a.due_on or '—'}{'(暂定)' if a.is_provisional else ''}",
                "是" if a.is_extended else "",
                str(a.excluded_days or ""),
            ]
            for a in of
        ]
        columns = ["余下工作日", "记录", "起算", "到期", "已延长", "不计天数"]
        parts.append(table(columns, rows))
    return "\n".join(parts)


def _left(application: OpenApplication) -> str:
    days = application.working_days_left
    if days is None:
        return "待缴费" if application.waits_for == "payment" else "待补正"
    return f"**逾期 {-days}**" if days < 0 else str(days)


def _work_orders(found: Deadlines) -> str:
    if not found.work_order_counts:
        return "## 热线工单\n\n没有逾期或将到期的工单。\n"
    counts = [
        [escaped(o), str(late or ""), str(near or "")] for o, late, near in found.work_order_counts
    ]
    rows = [
        [
            escaped(w.organ_name),
            code(f"{w.source_system}/{w.record_id}"),
            f"{w.due_at:%Y-%m-%d %H:%M}",
            f"**逾期 {_span(-w.hours_left)}**" if w.hours_left < 0 else _span(w.hours_left),
        ]
        for w in found.work_orders
    ]
    total = sum(late + near for _, late, near in found.work_order_counts)
    more = f"\n另有 {total - len(rows):,} 件未列出。\n" if total > len(rows) else ""
    return (
        "## 热线工单\n\n"
        + table(["机关", "逾期", "将到期"], counts, numbers=2)
        + "\n"
        + table(["机关", "记录", "期限", "余下"], rows)
        + more
    )


def _span(hours: int) -> str:
    return f"{hours} 小时" if hours < 48 else f"{hours // 24} 天"


def _silent(title: str, kind: str, silent: Sequence[Silent]) -> str:
    if not silent:
        return f"## {title}\n\n没有超期未更新的。\n"
    rows = [
        [
            escaped(s.organ_name),
            escaped(CHANNEL_KINDS.get(s.kind, s.kind)),
            escaped(s.name),
            _day(s.last_on),
            "—" if s.days is None else str(s.days),
            str(s.limit),
        ]
        for s in silent
    ]
    columns = ["机关", kind, "名称", "最近更新", "已过天数", "限期天数"]
    return f"## {title}超期未更新\n\n" + table(columns, rows, numbers=2)


def _day(on: date | None) -> str:
    return f"{on}" if on else "从未"
