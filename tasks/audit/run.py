"""One report, or several of one organ: read, find the figures, check them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.audit.agreement import agreement_checks
from tasks.audit.document import Document, UnreadableDocument
from tasks.audit.earlier_form import read_earlier_form
from tasks.audit.earlier_form_checks import earlier_form_checks
from tasks.audit.edition import edition_checks
from tasks.audit.groups import groups, with_parts
from tasks.audit.identify import identify
from tasks.audit.items import item_checks
from tasks.audit.kinds import read_documents
from tasks.audit.movements import movement_checks
from tasks.audit.narrative import read_narrative
from tasks.audit.parts import part_checks
from tasks.audit.passage_checks import passage_checks
from tasks.audit.passages import passages
from tasks.audit.rates import rate_checks
from tasks.audit.ratios import ratio_checks
from tasks.audit.result import AuditReport, once
from tasks.audit.split import split_reports, unread_pictures
from tasks.audit.suggestions import confirm, suggest
from tasks.audit.table_checks import table_checks
from tasks.audit.tables import read_tables
from tasks.audit.yearly import period_checks, yearly_checks
from tasks.audit.years import earlier, told_last_year, tree_checks, year_checks

SUFFIXES = (
    ".html", ".htm", ".shtml", ".xhtml", ".mht", ".mhtml", ".docx", ".doc", ".wps", ".pdf", ".txt",
    ".rtf", ".odt", ".ofd", ".xlsx", ".xls", ".ods", ".zip",
)  # fmt: skip


def report_files(path: Path) -> list[Path]:
    """The reports at a path: the file itself, or all in a folder and below it, by name.

    Raises:
        UnreadableDocument: there is nothing there, or no report in the folder.
    """
    if path.is_file():
        return [path]
    if re.match(r"https?:", str(path)):
        raise UnreadableDocument(
            f"{path}:是网址,核对不联网:请先在浏览器里把网页另存为 HTML 或 PDF,再给出文件"
        )
    if not path.exists():
        raise UnreadableDocument(f"{path}:没有这个文件或文件夹")
    found = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
    if not found:
        raise UnreadableDocument(f"{path}:文件夹里没有报告({'、'.join(SUFFIXES)})")
    return found


def read_reports(
    path: Path, year: int | None = None, unread: list[str] | None = None
) -> list[AuditReport]:
    """The figures of a file's reports, not yet checked; `year` overrides what a report says.

    `unread`, if given, takes what is wrong with single files of a bundle.

    Raises:
        UnreadableDocument: the file cannot be read.
    """
    return [
        of_document(part, year)
        for document in read_documents(path, unread)
        for part in split_reports(document)
    ]


def of_document(document: Document, year: int | None = None) -> AuditReport:
    """The figures of a document that is read already."""
    found, organ = identify(document)
    tables = read_tables(document)
    lines = {c.place.block for c in tables.cells.values() if c.place.start is not None}
    old = read_earlier_form(document)
    lines |= tables.blocks | (old.blocks if old else set())
    narrative = with_parts(read_narrative(document, lines, year or found))
    unread = [*document.unread, *unread_pictures(document, tables)]
    return AuditReport(
        document, year or found, organ, tables, narrative, unread=unread, earlier_form=old
    )


def check_report(
    report: AuditReport,
    last_year: AuditReport | None = None,
    children: Sequence[AuditReport] = (),
    edition: Mapping[str, Any] | None = None,
) -> AuditReport:
    """Fill in the checks B1–B11 as far as the figures allow, and the comparison with an edition."""
    figures = report.tables.figures
    found = passages(report.narrative)
    checks = table_checks(report.tables)
    if report.tables.layout is not None:
        checks = suggest(report.tables.layout, checks, figures)
    checks += year_checks(report, last_year)
    checks += agreement_checks(report.narrative, figures, report.organ)
    if report.earlier_form is not None:
        checks += earlier_form_checks(report.earlier_form, report.narrative)
    checks += item_checks(report.narrative, figures)
    for passage in found:
        checks += passage_checks(passage, figures)
    lists = groups(report.narrative)
    checks += part_checks(report.narrative, lists)
    checks += ratio_checks(
        report.narrative, found, told_last_year(report, last_year), figures, lists
    )
    checks += rate_checks(report.narrative, found)
    checks += movement_checks(report.narrative)
    checks += yearly_checks(report.narrative)
    checks += period_checks(report.narrative)
    if children:
        checks += tree_checks(report, children)
    if edition is not None:
        checks += edition_checks(report, edition)
    report.checks = sorted(
        once(confirm(checks)),
        key=lambda c: (len(c.code) > 3, int(c.code[1:]) if c.code[1:].isdigit() else 0),
    )
    return report


def audit_files(
    paths: Sequence[Path],
    year: int | None = None,
    edition: Mapping[str, Any] | None = None,
    children: Sequence[Path] = (),
    unread: list[str] | None = None,
) -> list[AuditReport]:
    """Audit several reports side by side: those of one organ's years are checked across years.

    In: report files; `year` for a single file whose year cannot be read; an edition's cells;
    reports of the organ's direct children. Out: the reports by year. What is wrong with files
    that cannot be read goes into `unread`, if that is given, and the others are audited.

    Raises:
        UnreadableDocument: one of the files cannot be read, and `unread` is not given, or none can.
    """
    reports: list[AuditReport] = []
    for path in paths:
        try:
            reports += read_reports(path, year, unread)
        except UnreadableDocument as error:
            if unread is None or len(paths) == 1:
                raise
            unread.append(str(error))
    if not reports:
        raise UnreadableDocument("\n".join(unread or ()))
    below = [report for path in children for report in read_reports(path)]
    for report in reports:
        others = [r for r in reports if r is not report]
        fits = edition is not None and edition.get("report_year") in (
            None,
            report.report_year,
            str(report.report_year),
        )
        wanted = edition if fits or len(reports) == 1 else None
        check_report(report, earlier(report, others), below, wanted)
    return sorted(reports, key=lambda r: r.report_year or 0)
