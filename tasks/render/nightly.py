"""The nightly run as Markdown: what each source brought, which rules do not hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from expectations.result import SEVERITY_LABELS, RuleResult, gravity
from tasks.city.names import Names
from tasks.editions.store.cities import LOOK_LABELS
from tasks.editions.take import Taken
from tasks.render.markdown import code, escaped, page, table
from tasks.watch.runs import Run
from tasks.watch.status import ResourceStatus


def source_results(run: Run, resources: Sequence[ResourceStatus], names: Names) -> str:
    """Failures with what to do, then every resource as it stands."""
    parts = [f"# {escaped(run.name)}\n"]
    if run.failed:
        rows = [
            [
                escaped(names.source(f.source)),
                escaped(names.resource(f.source, f.resource) if f.resource else "—"),
                escaped(f.message),
            ]
            for f in run.failed
        ]
        parts.append("## 未取到的资源\n")
        parts.append(table(["来源", "资源", "原因与处置"], rows))
        parts.append("其余来源已照常装载;下次运行会从水位接着补取。\n")
    else:
        parts.append("全部来源均已取到。\n")
    parts.append("## 各项资源\n")
    # A table a source: with the source in a column the last ones would not fit the page.
    for source, of_source in groupby(resources, key=lambda r: r.source_system):
        parts.append(f"### {escaped(names.source(source))}\n")
        rows = [
            [
                escaped(names.resource(source, r.resource)),
                f"{r.last_pull_at:%m-%d %H:%M}" if r.last_pull_at else "从未",
                escaped((r.watermark or "—").replace("T", " ")[:16]),
                "—" if r.source_count is None else f"{r.source_count:,} / {r.warehouse_count:,}",
                f"{r.rows:,}",
                str(r.open_rejects),
            ]
            for r in of_source
        ]
        parts.append(
            table(["资源", "最近取数", "水位", "对账(来源/库内)", "行数", "退回"], rows, numbers=2)
        )
    return page(parts)


def taken_editions(
    found: Taken, stale: Mapping[str, Sequence[str]], names: Mapping[str, str]
) -> str:
    """What was taken in of the cities of a province, those that were not seen first, and which of
    the province's editions are stale by it."""
    parts = ["# 取入各市版次\n", f"{escaped(found.told)}。\n"]
    for edition_id, changed in stale.items():
        parts.append(f"## 版次 {escaped(edition_id)} 已不是各市的现行数字\n")
        parts.append("请重新编制;已发布的,另编新版并写明理由。\n")
        rows = []
        for told in changed:
            city, _, editions = told.partition(" ")
            rows.append([escaped(names.get(city, city)), escaped(editions)])
        parts.append(table(["市", "版次"], rows))
    parts.append("## 各市\n")
    rows = [
        [
            escaped(one.name),
            LOOK_LABELS[one.look.status],
            escaped("、".join(f"{c.before or '无'} → {c.now}" for c in one.changes) or "—"),
            escaped(one.look.message or "—"),
        ]
        for one in sorted(found.cities, key=lambda one: not one.look.is_blind)
    ]
    parts.append(table(["市", "结果", "取入", "原因"], rows))
    return page(parts)


def rule_results(results: Sequence[RuleResult], names: Names) -> str:
    """Rules that fail or could not run, the gravest first, each with its first records."""
    open_ = sorted((r for r in results if r.is_open), key=lambda r: (gravity(r.severity), r.code))
    parts = [
        "# 记录核对\n",
        f"共 {len(results)} 条规则,{len(results) - len(open_)} 条通过,{len(open_)} 条需要查看。\n",
    ]
    if open_:
        rows = [
            [
                code(r.code),
                SEVERITY_LABELS[r.severity],
                escaped(r.title),
                "未能执行" if r.bad_rows is None else f"{r.bad_rows:,}",
            ]
            for r in open_
        ]
        parts.append(table(["规则", "级别", "内容", "不符的记录"], rows, numbers=1))
    for r in open_:
        parts.append(f"## {r.code} {escaped(r.title)}\n")
        parts.append(escaped(r.reason or r.message) + "\n")
        if r.records:
            parts.append(
                table(
                    ["来源", "记录", "机关", "日期", "不符之处"],
                    [
                        [
                            escaped(names.source(b.source_system)),
                            code(b.record_id),
                            escaped(names.organ(b.organ_id) if b.organ_id else "—"),
                            str(b.record_on or "—"),
                            escaped(b.detail),
                        ]
                        for b in r.records
                    ],
                )
            )
            if r.bad_rows and r.bad_rows > len(r.records):
                parts.append(f"另有 {r.bad_rows - len(r.records):,} 条。\n")
    return page(parts)
