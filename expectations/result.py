"""What became of a check: one family of results, whoever asked and whatever was checked.

A `RuleResult` is a rule over the records of a core table, a `CheckResult` a check of the form
on figures; a finding of an edition (`tasks.editions.edition.Finding`) is a check of one
organ's tables with the records behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

Severity = Literal["block", "quarantine", "warn"]
SEVERITY_LABELS: dict[Severity, str] = {"block": "阻断", "quarantine": "隔离", "warn": "提示"}
Status = Literal["pass", "fail", "uncertain", "not_assessable", "not_run"]
STATUS_LABELS: dict[Status, str] = {
    "pass": "通过",
    "fail": "不符",
    "uncertain": "存疑",
    "not_assessable": "无法核对",
    "not_run": "未能执行",
}


def gravity(severity: Severity) -> int:
    """Sorts what blocks before what only tells."""
    return list(SEVERITY_LABELS).index(severity)


@dataclass(frozen=True)
class Evidence:
    """A cell that a check rests on. `years_back` 1 is last year's."""

    cell: str
    value: Decimal | None
    years_back: int = 0


@dataclass(frozen=True)
class BadRow:
    """A record that breaks a rule. `record_on` is the day that puts it in a report year."""

    source_system: str
    record_id: str
    organ_id: str | None
    record_on: date | None
    detail: str


@dataclass(frozen=True)
class Result:
    """What all results share: the rule's code, and the key of what was checked, which is the
    code itself where a rule checks one thing. "Could not run" is `not_run`: neither failed nor
    passed."""

    code: str
    key: str
    status: Status
    message: str

    @property
    def is_open(self) -> bool:
        """Whether a person must look at it."""
        return self.status in ("fail", "uncertain", "not_run")


@dataclass(frozen=True)
class CheckResult(Result):
    """A check of the form on figures. `gap` is left minus right, in the unit of the cells."""

    equation: str = ""
    gap: Decimal | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GradedResult(Result):
    """A result that knows how grave its rule is."""

    severity: Severity

    @property
    def blocks(self) -> bool:
        """Whether the hand-over must stop: what must hold failed or could not be looked at, or
        records are set aside and a person has not said what they are."""
        return self.severity != "warn" and self.status in ("fail", "not_run")


@dataclass(frozen=True, kw_only=True)
class RuleResult(GradedResult):
    """A rule over the records of a core table.

    `bad_rows` counts all of them and is None when the rule could not run; `records` lists
    the first. `reason` says why it could not run. `is_reused` marks a result of an earlier
    run that still holds because nothing it rests on has changed.
    """

    table: str
    title: str
    article: str
    bad_rows: int | None
    records: tuple[BadRow, ...] = ()
    reason: str = ""
    is_reused: bool = False
