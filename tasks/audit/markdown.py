"""The audit as Markdown for the artifact of a run."""

from __future__ import annotations

from collections.abc import Sequence

from expectations.balance import STATUS_LABELS, Status
from tasks.audit.result import AuditCheck, AuditReport
from tasks.audit.tables import TABLE_NAMES
from tasks.render.markdown import code, escaped, table
from tasks.wording.typeset import typeset

_SHOWN: tuple[Status, ...] = ("fail", "uncertain", "pass", "not_assessable")


def as_markdown(reports: Sequence[AuditReport], unread: Sequence[str] = ()) -> str:
    """One section a report: counts, then what does not add up, what is uncertain, what was not read.

    `unread` says what is wrong with files that could not be read at all.
    """
    parts = [part for report in reports for part in _report(report)]
    if unread:
        parts.append("## 读不了的文件\n\n" + "\n".join(f"- {escaped(text)}" for text in unread))
    return "\n".join(parts)


def _report(report: AuditReport) -> list[str]:
    parts = [f"## {escaped(report.title)}\n"]
    understood = sum(1 for f in report.narrative.figures if f.is_understood)
    parts.append(
        typeset(
            f"{escaped(report.document.name)}:{report.tables_read};正文识别 {understood} 个数。"
        )
        + "\n"
    )
    parts.append(
        table(
            [STATUS_LABELS[s] for s in _SHOWN], [[str(report.count(s)) for s in _SHOWN]], numbers=4
        )
    )
    for status in ("fail", "uncertain"):
        chosen = [check for check in report.checks if check.status == status]
        if chosen:
            parts.append(f"### {STATUS_LABELS[status]}\n")
            parts.append(
                table(["规则", "说明", "算式", typeset("提示(仅供参考)")], map(_row, chosen))
            )
    rows = [
        typeset(
            f"- 格式以外的行:{TABLE_NAMES[row.table]} {escaped(row.label)} {escaped('、'.join(row.values))}"
        )
        for row in report.tables.extra_rows
    ]
    rows += [typeset(f"- 未能读出:{escaped(text)}") for text in report.not_read]
    rows += [
        typeset(f"- 未能理解:“{escaped(f.quote)}”")
        for f in report.narrative.figures
        if not f.is_understood
    ]
    if rows:
        parts.append("### 其他\n\n" + "\n".join(rows) + "\n")
    return parts


def _row(check: AuditCheck) -> list[str]:
    equations = [r.equation for r in check.readings] or [check.equation]
    return [
        check.code,
        escaped(typeset(check.message)),
        "<br>".join(code(e) for e in equations if e),
        "<br>".join(escaped(typeset(s.text)) for s in check.suggestions),
    ]
