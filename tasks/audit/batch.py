"""A folder for a batch of reports, as a county with all its offices hands in.

`index.html` says who fails where, the worst first, each linking to its own marked page;
`figures.csv` and `figures.xlsx` list every figure that was read, and `result.json` says the same as
the front page as plain data.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from expectations.balance import STATUS_LABELS, Status, number
from tasks.audit.edition import CODE as EDITION
from tasks.audit.page import render_page
from tasks.audit.result import AuditCheck, AuditReport, meaning_of
from tasks.audit.templates import rendered
from tasks.wording.typeset import typeset

_WORST_FIRST: tuple[Status, ...] = ("fail", "uncertain", "pass", "not_assessable")
_HEADS = ("文件", "机关", "年度", "位置", "含义", "数值", "单位", "约数", "原文", "核对结果")
_Key = TypeVar("_Key")
RESULT = "result.json"
_SHOWN = 3
"""Fails told on the front page for each report; the rest stand on its own page."""


def write_batch(folder: Path, reports: Sequence[AuditReport], unread: Sequence[str] = ()) -> Path:
    """Write the front page, a page for each report, and the lists of figures.

    In: the folder, made if it is not there; audited reports; what is wrong with files that
    could not be read. Out: the front page.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = {id(report): name for report, name in zip(reports, _names(reports), strict=True)}
    for report in reports:
        (folder / pages[id(report)]).write_text(render_page([report]), encoding="utf-8")
    front = folder / "index.html"
    front.write_text(_front_page(reports, pages, unread), encoding="utf-8")
    rows = [row for report in reports for row in figure_rows(report)]
    # The mark at the start lets spreadsheets see that it is UTF-8.
    with (folder / "figures.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_HEADS)
        writer.writerows([_harmless(text) for text in row] for row in rows)
    _write_workbook(folder / "figures.xlsx", rows)
    told = _result(reports, pages, unread)
    # The last: where it lies, the batch is whole.
    (folder / RESULT).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    return front


KINDS: Mapping[str, str] = {
    "tables": "表内勾稽",
    "years": "与上年衔接",
    "prose": "正文与表",
    "text": "正文自身",
    "edition": "与版次",
}
"""What is checked, by kind, as a batch's matrix has it."""
_KIND_OF = {"B5": "years", "B6": "years", "B7": "prose", "B8": "tables", "B10": "text"}


def kind_of(code: str) -> str:
    """Which of KINDS a check belongs to, by its code."""
    return "edition" if code == EDITION else _KIND_OF.get(code, "tables")


def _result(
    reports: Sequence[AuditReport], pages: Mapping[int, str], unread: Sequence[str]
) -> dict[str, Any]:
    """A batch as plain data, the worst first: by report how many checks of each kind came to what,
    and each fail with what it rests on."""
    ranked = sorted(reports, key=lambda r: (-r.count("fail"), -r.count("uncertain"), r.title))
    return {
        "unread": [typeset(text) for text in unread],
        "reports": [
            {
                "title": report.title,
                "organ": report.organ,
                "year": report.report_year,
                "file": report.document.name,
                "page": pages[id(report)],
                "counts": {status: report.count(status) for status in _WORST_FIRST},
                "kinds": {
                    kind: {
                        status: sum(
                            c.status == status and kind_of(c.code) == kind for c in report.checks
                        )
                        for status in _WORST_FIRST
                    }
                    for kind in KINDS
                },
                "fails": [
                    _told(check)
                    for status in ("fail", "uncertain")
                    for check in report.checks
                    if check.status == status
                ],
                "not_read": [typeset(text) for text in report.not_read],
                "is_judged": report.is_judged,
            }
            for report in ranked
        ],
    }


def _told(check: AuditCheck) -> dict[str, Any]:
    quotes = (b.figure.quote for b in check.evidence if b.figure is not None)
    return {
        "code": check.code,
        "kind": KINDS[kind_of(check.code)],
        "status": check.status,
        "message": typeset(check.message),
        "equation": check.equation,
        "gap": number(check.gap) if check.gap else "",
        "quote": next(quotes, ""),
        "suggestion": typeset(check.suggestions[0].text) if check.suggestions else "",
    }


def _harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula: what a report says is not ours."""
    is_number = re.fullmatch(r"[-+]?\d+(?:\.\d+)?", text) is not None
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") and not is_number else text


def figure_rows(report: AuditReport) -> Iterator[tuple[str, ...]]:
    """Every cell and every figure of the prose, with the worst that became of it."""
    head = (report.document.name, report.organ, str(report.report_year or ""))
    cells: dict[str, Status] = {}
    figures: dict[int, Status] = {}
    for check in report.checks:
        for basis in check.evidence:
            if basis.years_back or basis.source:
                continue
            if basis.figure is not None:
                _keep_worst(figures, id(basis.figure), check.status)
            else:
                _keep_worst(cells, basis.cell, check.status)
    layout = report.tables.layout
    for key, cell in report.tables.cells.items():
        label = typeset(layout.cells[key].full_label) if layout else key
        told = STATUS_LABELS[cells[key]] if key in cells else ""
        value = number(cell.value) if cell.value is not None else ""
        yield (*head, key, label, value, "", "", cell.text.strip(), told)
    for figure in report.narrative.figures:
        told = STATUS_LABELS[figures[id(figure)]] if id(figure) in figures else ""
        yield (
            *head, f"第 {figure.block + 1} 段", figure.label or meaning_of(figure),
            number(figure.value), figure.unit, figure.about, figure.quote, told,
        )  # fmt: skip


def _keep_worst(kept: dict[_Key, Status], key: _Key, status: Status) -> None:
    if key not in kept or _WORST_FIRST.index(status) < _WORST_FIRST.index(kept[key]):
        kept[key] = status


def _names(reports: Sequence[AuditReport]) -> Iterator[str]:
    """A file name for each report's page, none twice."""
    used: dict[str, int] = {}
    for report in reports:
        stem = re.sub(r"[\\/:*?\"<>|\s]+", "_", Path(report.document.name).stem) or "report"
        used[stem] = used.get(stem, 0) + 1
        yield f"{stem}.html" if used[stem] == 1 else f"{stem}_{used[stem]}.html"


def _front_page(
    reports: Sequence[AuditReport], pages: dict[int, str], unread: Sequence[str]
) -> str:
    ranked = sorted(
        reports,
        key=lambda r: (
            -r.count("fail"), -r.count("uncertain"), -len(r.not_read), r.is_judged, r.title,
        ),
    )  # fmt: skip
    return rendered(
        "batch.html.j2",
        unread=[typeset(text) for text in unread],
        totals={s: sum(r.count(s) for r in reports) for s in _WORST_FIRST},
        labels=STATUS_LABELS,
        rows=[
            {
                "title": report.title,
                "name": report.document.name,
                "page": pages[id(report)],
                "counts": {s: report.count(s) for s in _WORST_FIRST},
                "fails": [typeset(c.message) for c in report.fails[:_SHOWN]],
                "more": max(len(report.fails) - _SHOWN, 0),
                "not_read": [typeset(text) for text in report.not_read[:_SHOWN]],
                "is_judged": report.is_judged,
            }
            for report in ranked
        ],
    )


def _write_workbook(path: Path, rows: Sequence[tuple[str, ...]]) -> None:
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("读出的数")
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, _HEADS, book.add_format({"bold": True}))
    value = _HEADS.index("数值")
    for at, row in enumerate(rows, 1):
        for column, text in enumerate(row):
            if column == value and text:
                sheet.write_number(at, column, float(text))
            else:
                sheet.write_string(at, column, text)
    sheet.autofilter(0, 0, max(len(rows), 1), len(_HEADS) - 1)
    book.close()
