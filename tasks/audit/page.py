"""The audit as one self-contained HTML page: the report's own text, every figure marked.

A figure's mark is the worst that became of it in any check; behind each mark stand the
checks it took part in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from expectations.balance import STATUS_LABELS, number
from tasks.audit.document import TableGrid
from tasks.audit.result import AuditCheck, AuditReport, Basis, meaning_of
from tasks.audit.tables import TABLE_NAMES
from tasks.audit.templates import rendered
from tasks.wording.typeset import typeset

_WORST_FIRST = ("fail", "uncertain", "pass", "not_assessable")
MARK_LABELS = {
    "fail": "所在的核对不符",
    "uncertain": "所在的核对存疑",
    "pass": "核对通过",
    "not_assessable": "无法核对",
    "read": "已识别 · 无可核对",
    "unknown": "未能理解",
}


@dataclass
class _Mark:
    """One figure on the page."""

    anchor: str
    title: str
    status: str = "read"
    is_suspect: bool = False
    checks: list[int] = field(default_factory=list)


def render_page(reports: Sequence[AuditReport]) -> str:
    """One page for one or several reports, without anything from outside."""
    return rendered(
        "page.html.j2",
        table_names=TABLE_NAMES,
        reports=[_view(report, at) for at, report in enumerate(reports)],
        statuses=[(s, STATUS_LABELS[s]) for s in ("fail", "uncertain", "pass", "not_assessable")],
        mark_labels=MARK_LABELS,
    )


def _view(report: AuditReport, at: int) -> dict[str, Any]:
    cells, figures = _marks(report, at)
    labels = (
        {k: c.full_label for k, c in report.tables.layout.cells.items()}
        if report.tables.layout
        else {}
    )
    checks = [
        _check_view(check, number_, cells, figures, labels)
        for number_, check in enumerate(report.checks)
    ]
    return {
        "id": at,
        "name": report.document.name,
        "title": report.title,
        "counts": {
            status: report.count(status)
            for status in ("fail", "uncertain", "pass", "not_assessable")
        },
        "checks": checks,
        "extra_rows": report.tables.extra_rows,
        "problems": [typeset(text) for text in report.not_read],
        "blocks": list(_blocks(report, cells, figures)),
        "understood": sum(1 for f in report.narrative.figures if f.is_understood),
        "unknown": sum(1 for f in report.narrative.figures if not f.is_understood),
        "tables_read": typeset(report.tables_read),
    }


def _marks(report: AuditReport, at: int) -> tuple[dict[str, _Mark], dict[int, _Mark]]:
    """Marks by cell key and by figure, coloured by the checks they are evidence of."""
    layout = report.tables.layout
    cells: dict[str, _Mark] = {}
    for key in report.tables.cells:
        label = layout.cells[key].full_label if layout else key
        cells[key] = _Mark(f"r{at}-{key}", f"{typeset(label)} {key}")
    figures: dict[int, _Mark] = {}
    for number_, figure in enumerate(report.narrative.figures):
        mark = _Mark(
            f"r{at}-f{number_}", meaning_of(figure), "read" if figure.is_understood else "unknown"
        )
        label = figure.meaning.label if figure.meaning else figure.words
        mark.title = f"{label} · {mark.title}" if label and label != mark.title else mark.title
        figures[id(figure)] = mark
    for number_, check in enumerate(report.checks):
        for mark in filter(None, (_mark_of(e, cells, figures) for e in check.evidence)):
            mark.checks.append(number_)
            mark.title += typeset(f"\n{check.code} {STATUS_LABELS[check.status]}:{check.message}")
            if mark.status not in _WORST_FIRST or _WORST_FIRST.index(
                check.status
            ) < _WORST_FIRST.index(mark.status):
                mark.status = check.status
        for suggestion in check.suggestions[:1]:
            if suggestion.cell in cells:
                cells[suggestion.cell].is_suspect = True
    return cells, figures


def _mark_of(evidence: Basis, cells: dict[str, _Mark], figures: dict[int, _Mark]) -> _Mark | None:
    if evidence.years_back or evidence.source:
        return None
    return (
        figures.get(id(evidence.figure))
        if evidence.figure is not None
        else cells.get(evidence.cell)
    )


def _check_view(
    check: AuditCheck,
    at: int,
    cells: dict[str, _Mark],
    figures: dict[int, _Mark],
    labels: dict[str, str],
) -> dict[str, Any]:
    return {
        "number": at,
        "code": check.code,
        "status": check.status,
        "label": STATUS_LABELS[check.status],
        "message": typeset(check.message),
        "equation": check.equation if len(check.readings) < 2 else "",
        "readings": [(typeset(r.text), r.equation) for r in check.readings]
        if len(check.readings) > 1
        else [],
        "suggestions": [typeset(s.text) for s in check.suggestions],
        "evidence": [
            (
                mark.anchor if (mark := _mark_of(e, cells, figures)) else "",
                _evidence_text(e, labels),
            )
            for e in check.evidence
            if e.figure is not None or e.value != 0 or len(check.evidence) < 4
        ],
    }


def _evidence_text(evidence: Basis, labels: dict[str, str]) -> str:
    back = "上年 " if evidence.years_back else ""
    if evidence.figure is not None:
        return f"{back}“{evidence.figure.quote}”"
    where = {"": "", "edition": "版本 "}.get(evidence.source, f"{evidence.source} ")
    return typeset(
        f"{back}{where}{labels.get(evidence.cell, evidence.cell)}:{number(evidence.value)}"
    )


def _blocks(
    report: AuditReport, cells: dict[str, _Mark], figures: dict[int, _Mark]
) -> Iterator[dict[str, Any]]:
    """Paragraphs as pieces of (text, mark), tables as rows of (text, spans, mark)."""
    at_cell = {
        (c.place.block, c.place.row, c.place.column): cells[k]
        for k, c in report.tables.cells.items()
    }
    spans: dict[int, list[tuple[int, int, _Mark]]] = {}
    for key, cell in report.tables.cells.items():
        if cell.place.start is not None and cell.place.end is not None:
            spans.setdefault(cell.place.block, []).append(
                (cell.place.start, cell.place.end, cells[key])
            )
    for figure in report.narrative.figures:
        spans.setdefault(figure.block, []).append((figure.start, figure.end, figures[id(figure)]))
    for number_, block in enumerate(report.document.blocks):
        if block.grid is not None:
            yield {"rows": _grid_rows(block.grid, number_, at_cell)}
            continue
        pieces: list[tuple[str, _Mark | None]] = []
        position = 0
        for start, end, mark in sorted(spans.get(number_, []), key=lambda s: (s[0], s[1])):
            if start < position:
                continue
            pieces += [(block.text[position:start], None), (block.text[start:end], mark)]
            position = end
        pieces.append((block.text[position:], None))
        yield {
            "pieces": pieces,
            "is_heading": len(block.text) < 40 and block.text[:1] in "一二三四五六七",
        }


def _grid_rows(
    grid: TableGrid, block: int, at_cell: dict[tuple[int, int | None, int | None], _Mark]
) -> list[list[tuple[str, int, int, _Mark | None]]]:
    rows: list[list[tuple[str, int, int, _Mark | None]]] = [[] for _ in grid.rows]
    seen: set[int] = set()
    for r, row in enumerate(grid.rows):
        for c, cell in enumerate(row):
            if cell is None or id(cell) in seen:
                continue
            seen.add(id(cell))
            wide = sum(1 for other in row[c:] if other is cell)
            high = sum(1 for other in grid.rows[r:] if c < len(other) and other[c] is cell)
            rows[r].append((cell.text, wide, high, at_cell.get((block, cell.row, cell.column))))
    return rows
