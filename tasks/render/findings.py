"""Findings by who must act: the organ that holds the record, else the organ checked.

A defect in one record opens a finding at the organ that holds it and at every organ above
it, often in several lines of the form. The operator needs it once, at the organ that can
put it right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from expectations.result import STATUS_LABELS, gravity
from warehouse.tables import table as declared_table

if TYPE_CHECKING:
    from expectations.result import Severity
    from tasks.editions.edition import Edition, Finding, RecordReference

# Either width of the marks before and after.
_RECORDS_NAMED = re.compile("[;\uff1b]所涉记录[:\uff1a]")
LONGEST = 60  # characters of a check's message beside a record
UNKNOWN_ORGAN = "未标明机关"


def identity(record: RecordReference) -> tuple[str, str, str]:
    """A record is known by its table, source and id, whatever a check says of it."""
    return record.table, record.source_system, record.record_id


def check_text(finding: Finding) -> str:
    """The message without the list of records, for places that list them anyway."""
    return _RECORDS_NAMED.split(finding.message)[0]


def _short_text(edition: Edition, finding: Finding) -> str:
    """The message beside a record: of a rule its title alone, as what to do stands elsewhere;
    of a list of differences as many as fit."""
    text, title = check_text(finding), rule_title(edition, finding.code)
    if title and text.startswith(title):
        return title
    first, *others = re.split("[;\uff1b]", text)
    kept = first
    for other in others:
        if len(kept) + len(other) > LONGEST:
            return f"{kept}；等 {len(others) + 1} 项"
        kept += f"；{other}"
    return kept


def rule_title(edition: Edition, code: str) -> str:
    """What a rule of an edition is called; empty for a code that it does not have."""
    return _rule(edition, code)[0]


def what_to_do(edition: Edition, code: str) -> str:
    """What the person who must act is told to do about a rule of an edition."""
    return _rule(edition, code)[1]


def _rule(edition: Edition, code: str) -> tuple[str, str]:
    try:
        rule = edition.rules.describe(code)
    except KeyError:
        return "", ""
    return rule.title, rule.message


def table_label(table: str) -> str:
    """A table's title, as the head of its SQL file says; an unknown one stands as it is."""
    try:
        return declared_table(table).title
    except KeyError:
        return table


@dataclass
class RecordToFix:
    """A record that keeps something from adding up, and all the checks it stands behind."""

    record: RecordReference
    findings: list[Finding] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def add(self, finding: Finding, record: RecordReference) -> None:
        """One more check that it stands behind; each may have its own words for what is wrong."""
        self.findings.append(finding)
        if record.detail:
            self.told.append(record.detail)

    @property
    def codes(self) -> list[str]:
        return sorted({finding.code for finding in self.findings}, key=code_order)

    @property
    def severity(self) -> Severity:
        """The gravest of its findings."""
        return min((finding.severity for finding in self.findings), key=gravity)

    @property
    def detail(self) -> str:
        """What is wrong with the record, in the words of its checks."""
        return ";".join(dict.fromkeys(self.told)) or self.findings[0].message

    def messages(self, edition: Edition) -> list[str]:
        """The checks the record stands behind, each with the organ whose table it is in.

        A check that lists many differences is cut short: the record's own is in `detail`.
        """
        told = (f"{f.organ_name}：{_short_text(edition, f)}" for f in self.findings)
        return list(dict.fromkeys(told))


@dataclass
class OrganWork:
    """What one organ has to look at: its records, and findings that name no record."""

    organ_id: str
    organ_name: str
    records: list[RecordToFix] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def count(self, code: str) -> int:
        """Records and findings without a record under one rule."""
        return sum(code in r.codes for r in self.records) + sum(
            f.code == code for f in self.findings
        )

    @property
    def codes(self) -> list[str]:
        codes = {code for r in self.records for code in r.codes} | {f.code for f in self.findings}
        return sorted(codes, key=code_order)

    @property
    def blocking(self) -> int:
        """Records and findings without a record that keep the edition from being published."""
        return sum(r.severity == "block" for r in self.records) + sum(
            f.blocks for f in self.findings
        )

    @property
    def total(self) -> int:
        return len(self.records) + len(self.findings)


def code_order(code: str) -> tuple[str, int, str]:
    """Sorts B2 before B10."""
    letters = code.rstrip("0123456789")
    return letters, int(code[len(letters) :] or 0), code


def by_who_must_act(edition: Edition) -> list[OrganWork]:
    """Open findings grouped by the organ that must act.

    What keeps the edition from being published comes first, among organs and within each.
    """
    names = {organ.id: organ.name for organ in edition.organs}
    work: dict[str, OrganWork] = {}
    seen: dict[tuple[str, str, str], RecordToFix] = {}

    def of(organ_id: str, organ_name: str | None) -> OrganWork:
        name = organ_name or names.get(organ_id) or organ_id or UNKNOWN_ORGAN
        return work.setdefault(organ_id, OrganWork(organ_id, name))

    for finding in sorted(
        edition.open_findings, key=lambda f: (code_order(f.code), f.key, f.organ_id)
    ):
        if not finding.records:
            of(finding.organ_id, finding.organ_name).findings.append(finding)
        for record in finding.records:
            key = identity(record)
            if key not in seen:
                seen[key] = RecordToFix(record)
                owner = record.organ_id or finding.organ_id
                name = record.organ_name if record.organ_id else finding.organ_name
                of(owner, name).records.append(seen[key])
            seen[key].add(finding, record)
    for organ in work.values():
        organ.records.sort(key=lambda item: gravity(item.severity))
        organ.findings.sort(key=lambda finding: gravity(finding.severity))
    return sorted(work.values(), key=lambda w: (-w.blocking, -w.total, w.organ_id))


def open_codes(edition: Edition) -> list[str]:
    """The rules with an open finding, the gravest first, then in the order of their codes."""
    gravest: dict[str, int] = {}
    for finding in edition.open_findings:
        grave = gravity(finding.severity)
        gravest[finding.code] = min(grave, gravest.get(finding.code, grave))
    return sorted(gravest, key=lambda code: (gravest[code], code_order(code)))


def summary(edition: Edition) -> str:
    """One sentence on the state of the checks."""
    counts = dict.fromkeys(STATUS_LABELS, 0)
    for finding in edition.findings:
        counts[finding.status] += 1
    parts = "、".join(
        f"{STATUS_LABELS[status]} {count} 项" for status, count in counts.items() if count
    )
    if not parts:
        return "没有核对结果。"
    told = f"共核对 {len(edition.findings)} 项：{parts}"
    records = [item for work in by_who_must_act(edition) for item in work.records]
    blocking = len(edition.blocking_findings)
    if blocking:
        behind = sum(item.severity == "block" for item in records)
        told += f"；其中 {blocking} 项阻断发布" + (f"，由 {behind} 条记录引起" if behind else "")
    return f"{told}；共涉及记录 {len(records)} 条。" if records else f"{told}。"
