"""What an audit finds: checks, the evidence they rest on, suggestions, and the whole report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from expectations.balance import CheckResult, Status, number
from tasks.audit.document import Document
from tasks.audit.earlier_form import EarlierForm
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.tables import TableReading
from tasks.wording.typeset import typeset


@dataclass(frozen=True)
class Basis:
    """A cell of the form or a figure of the prose that a check rests on.

    `years_back` 1 is last year's report; `source` names another report or an edition.
    """

    value: Decimal | None
    cell: str = ""
    figure: Figure | None = None
    years_back: int = 0
    source: str = ""


@dataclass(frozen=True)
class Suggestion:
    """A reading that would close a gap: an offer, never a finding.

    `cell` with `found` and `instead` where a single figure would have to be another one.
    """

    text: str
    cell: str = ""
    found: Decimal | None = None
    instead: Decimal | None = None


@dataclass(frozen=True)
class Interpretation:
    """One way to understand the figures of a check, with its equation and gap."""

    text: str
    equation: str
    gap: Decimal


@dataclass(frozen=True)
class AuditCheck:
    """One check. `gap` is the left side minus the right side of the equation."""

    code: str
    key: str
    status: Status
    message: str
    equation: str = ""
    gap: Decimal | None = None
    evidence: tuple[Basis, ...] = ()
    readings: tuple[Interpretation, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


@dataclass
class AuditReport:
    """The audit of one report; `as_json` gives its published shape."""

    document: Document
    report_year: int | None
    organ: str
    tables: TableReading
    narrative: Narrative
    checks: list[AuditCheck] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    earlier_form: EarlierForm | None = None

    @property
    def layout(self) -> str | None:
        return self.tables.layout.name if self.tables.layout else None

    @property
    def title(self) -> str:
        """The report's name: its organ and year, as far as it says them, or the file's."""
        year = f" {self.report_year} 年" if self.report_year else ""
        return (
            f"{self.organ}{year}政府信息公开工作年度报告"
            if self.organ
            else self.document.name + year
        )

    @property
    def tables_read(self) -> str:
        """What was read of the tables, in Chinese."""
        if self.layout is None and self.earlier_form is not None:
            return f"2014 至 2018 年的统计表,读到 {len(self.earlier_form.rows)} 行"
        if self.layout is None:
            return "没有找到现行格式的表格(可能是图片,或是 2019 年以前的格式),只核对正文"
        return f"{self.layout} 年格式,读到 {len(self.tables.cells)} 个单元格"

    @property
    def not_read(self) -> list[str]:
        """What of the report could not be read, in Chinese: pages, pictures, rows, figures."""
        return [*self.unread, *(text for text, _ in self.tables.problems)]

    @property
    def is_judged(self) -> bool:
        """Whether anything could be checked at all."""
        return any(c.status in ("pass", "fail", "uncertain") for c in self.checks)

    @property
    def fails(self) -> list[AuditCheck]:
        return [check for check in self.checks if check.status == "fail"]

    def count(self, status: Status) -> int:
        return sum(1 for check in self.checks if check.status == status)


def once(checks: Sequence[AuditCheck]) -> list[AuditCheck]:
    """The checks, a matter that the text says twice told once, with the places of both."""
    kept: dict[tuple[object, ...], AuditCheck] = {}
    for check in checks:
        told = tuple((b.cell, b.value, b.figure and b.figure.label) for b in check.evidence)
        is_said = check.equation and any(b.figure for b in check.evidence)
        matter = (check.code, check.status, check.equation, told) if is_said else (check.key,)
        if matter in kept:
            evidence = kept[matter].evidence + check.evidence
            check = replace(kept[matter], evidence=evidence)
        kept[matter] = check
    return list(kept.values())


def coarse(check: AuditCheck) -> AuditCheck:
    """A check that does not hold, but might with the digits that figures in 万 do not show."""
    slack = sum(
        (e.figure.step for e in check.evidence if e.figure and e.figure.step > 1), Decimal(0)
    )
    gaps = [reading.gap for reading in check.readings] or [check.gap or Decimal(0)]
    is_within = bool(slack) and min(map(abs, gaps)) <= slack
    if check.status not in ("fail", "uncertain") or not is_within:
        return check
    note = "(以万计的数没有写出末几位,差额在其范围内,不能精确核对)"
    return replace(check, status="not_assessable", message=check.message + note, suggestions=())


def of_balance(result: CheckResult) -> AuditCheck:
    """A check of the form as the rules give it."""
    evidence = tuple(Basis(e.value, cell=e.cell, years_back=e.years_back) for e in result.evidence)
    return AuditCheck(
        result.code,
        result.key,
        result.status,
        result.message,
        result.equation,
        result.gap,
        evidence,
    )


def _json_number(value: Decimal | None) -> int | float | None:
    """A figure for JSON, as `number` writes it."""
    written: int | float | None = None if value is None else json.loads(number(value))
    return written


def _evidence_json(evidence: Basis) -> dict[str, Any]:
    out: dict[str, Any] = {"value": _json_number(evidence.value)}
    if evidence.cell:
        out["cell"] = evidence.cell
    if evidence.figure is not None:
        out["quote"] = evidence.figure.quote
        out["meaning"] = meaning_of(evidence.figure)
    if evidence.years_back:
        out["years_back"] = evidence.years_back
    if evidence.source:
        out["source"] = evidence.source
    return out


def _check_json(check: AuditCheck) -> dict[str, Any]:
    out: dict[str, Any] = {
        "code": check.code,
        "status": check.status,
        "equation": check.equation,
        "gap": _json_number(check.gap),
        "message": typeset(check.message),
        "evidence": [_evidence_json(e) for e in check.evidence],
        "key": check.key,
    }
    if check.readings:
        out["readings"] = [
            {"reading": typeset(r.text), "equation": r.equation, "gap": _json_number(r.gap)}
            for r in check.readings
        ]
    if check.suggestions:
        out["suggestions"] = [
            {
                "text": typeset(s.text),
                "cell": s.cell,
                "found": _json_number(s.found),
                "instead": _json_number(s.instead),
            }
            for s in check.suggestions
        ]
    return out


KIND_LABELS = {
    "share": "占比",
    "change": "同比变化",
    "multiple": "倍数",
    "rate": "比率",
    "points": "百分点变化",
    "difference": "与上年之差",
    "other_year": "其他年份",
}


def meaning_of(figure: Figure) -> str:
    """The project's key for the figure, or else what the text says it is."""
    if figure.meaning and figure.kind in ("amount", "rate"):
        return (
            f"overview.{figure.meaning.overview}"
            if figure.meaning.overview
            else figure.meaning.label
        )
    label = KIND_LABELS.get(figure.kind, "")
    return f"{figure.words}({label})" if label and figure.words else label or figure.words


def _not_judged(report: AuditReport) -> list[dict[str, str]]:
    """What was not judged and why: parts that were not read, then checks that lack a figure."""
    parts = [{"code": "", "key": "", "why": typeset(text)} for text in report.not_read]
    return parts + [
        {"code": c.code, "key": c.key, "why": typeset(c.message)}
        for c in report.checks
        if c.status == "not_assessable"
    ]


def as_json(report: AuditReport) -> dict[str, Any]:
    """The published shape: report_year, layout, organ, cells, narrative, checks,
    not_understood, not_judged.

    Beside it: file, extra_rows, blanks, problems, and in `narrative` the Chinese label and
    kind of every figure. Blank cells are null.
    """
    figures = report.narrative.figures
    return {
        "file": report.document.name,
        "format": report.document.format,
        "report_year": report.report_year,
        "layout": report.layout,
        "organ": report.organ,
        "cells": {k: _json_number(c.value) for k, c in report.tables.cells.items()},
        "extra_rows": [
            {"table": r.table, "label": r.label, "values": list(r.values)}
            for r in report.tables.extra_rows
        ],
        "narrative": [
            {
                "quote": f.quote,
                "value": _json_number(f.value),
                "unit": f.unit,
                "meaning": meaning_of(f),
                "label": f.meaning.label if f.meaning else f.words,
                "kind": f.kind,
                "sure": f.meaning is not None,
                **({"approximate": f.about} if f.about else {}),
            }
            for f in figures
            if f.is_understood
        ],
        "checks": [_check_json(check) for check in report.checks],
        "not_understood": [
            *[
                {"quote": f.quote, "value": _json_number(f.value), "unit": f.unit}
                for f in figures
                if not f.is_understood
            ],
            *[{"quote": text, "value": None, "unit": ""} for text, _ in report.tables.problems],
        ],
        "not_judged": _not_judged(report),
    }
