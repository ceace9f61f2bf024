"""Approvals: what was approved, by whom and when, bound to an edition's fingerprints.

An approval is given once and has a number; the run that publishes takes the number and nothing
else. It does not grow old: whoever entered a right code in time need not fear a long queue. But
it holds for what was approved only, to the fingerprint.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from tasks.editions.edition import Edition
from tasks.editions.fingerprints import findings_hash
from tasks.people import log
from tasks.people.office import Office
from tasks.publish.approve import (
    APPROVAL,
    approvers,
    check_code,
    check_is_approver,
    check_office_is_kept,
)
from tasks.publish.conditions import (
    PublishRefused,
    answered,
    check_conditions,
    pending_edition,
)
from tasks.publish.files import finish_interrupted, publishing
from tasks.settings import Settings
from warehouse.lake import Lake, LakeBusy


@dataclass(frozen=True)
class Request:
    """What the approver entered. `answers` are reasons by rule code, check key, or
    `check key@organ id`; `stale_reason` accepts that the data changed since the build."""

    edition_id: str
    approver: str
    statement: str
    code: str = ""
    answers: Mapping[str, str] | None = None
    stale_reason: str = ""

    def __repr__(self) -> str:
        # A code that was entered appears nowhere, not even in what tells of an error.
        return f"Request({self.edition_id!r}, {self.approver!r})"


@dataclass(frozen=True)
class GivenApproval:
    """An approval as it was given: the edition with the fingerprints of its cells, definitions
    and findings, who approved it with what words, and who sat at the page."""

    number: int
    edition_id: str
    cell_hash: str
    definition_hash: str
    findings_hash: str
    approver: str
    entered_by: str
    statement: str
    answers: Mapping[str, str]
    stale_reason: str
    approved_at: datetime
    reason: str
    built_by: str

    def check_is_for(self, edition: Edition, built_by: str) -> None:
        """Raises PublishRefused for an edition that is not what was approved."""
        approved = (self.edition_id, self.cell_hash, self.definition_hash, self.findings_hash)
        if approved != _identity(edition):
            raise PublishRefused(
                f"批准 {self.number} 所批准的内容与版次 {edition.id} 现在的指纹不符,不能发布。"
                "请核对后重新批准"
            )
        if (self.reason, self.built_by) != (edition.reason, built_by):
            # Both are printed, and built again they may be others while the figures are not.
            raise PublishRefused(
                f"版次 {edition.id} 的编制理由或编制人在批准 {self.number} 之后改过,不能发布。"
                "请核对后重新批准"
            )


Carried = Callable[[Edition], Mapping[str, str]]
"""What was answered before the approval, by `check key@organ id`; asked for once the code is
judged, may refuse."""


def approve(
    lake: Lake,
    settings: Settings,
    request: Request,
    *,
    by: str = "",
    carried: Carried | None = None,
    now: datetime,
) -> GivenApproval:
    """Approve a pending edition as asked, with the answers that are `carried` into it.

    `now` is the moment at which the code was entered; it is judged before anything else, and
    used up whatever comes next. `by` is who entered it: their tries count against them alone.

    Raises OfficeError, ApprovalRefused, TooManyTries, PublishRefused, Unanswered; nothing is
    approved then.
    """
    check_office_is_kept(lake, settings)
    office = Office(settings.home)
    known = approvers(settings)
    approver = request.approver.strip()
    by = by or approver
    check_code(office, known, approver, request.code, tried_by=by, now=now)
    with suppress(LakeBusy), publishing(settings, timeout=0):
        # One that was cut off after the lake was written needs no second approval.
        finish_interrupted(lake, settings, request.edition_id.strip())
    edition = pending_edition(lake, request.edition_id.strip())
    if not request.statement.strip():
        raise PublishRefused("请填写批准意见,如“同意发布”")
    built_by, _ = check_conditions(lake, settings, edition, approver)
    given_now = {k.strip(): r.strip() for k, r in (request.answers or {}).items() if r.strip()}
    answers = {**(carried(edition) if carried else {}), **given_now}
    answered(edition, answers)
    # What the manifest tells, and no more, is what is kept.
    at = now.replace(microsecond=0)
    with office.change() as connection:
        values = [
            *_identity(edition),
            *(approver, by, request.statement.strip()),
            json.dumps(answers, ensure_ascii=False, sort_keys=True),
            *(request.stale_reason.strip(), at.isoformat(), edition.reason, built_by),
        ]
        number = connection.execute(
            "INSERT INTO approval (edition_id, cell_hash, definition_hash, findings_hash, "
            "approver, entered_by, statement, answers, stale_reason, approved_at, "
            "reason, built_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        ).lastrowid
        log.write(connection, by, APPROVAL, f"批准 {number}:版次 {edition.id},{approver}", now=now)
        given = _find(connection, number or 0)
    assert given is not None
    return given


def given_approval(settings: Settings, number: str) -> GivenApproval:
    """The approval of a number, whose approver may still approve.

    Raises PublishRefused, ApprovalRefused.
    """
    told = "请先打开批准页(年终编制结果页中有链接)批准,再填批准之后得到的编号"
    text = number.strip()
    if not text:
        raise PublishRefused(f"请填写批准编号。{told}")
    found = approval_of(settings, text)
    if found is None:
        raise PublishRefused(f"没有编号为“{text[:20]}”的批准。{told}")
    check_is_approver(approvers(settings), found.approver)
    return found


def approval_of(settings: Settings, number: str) -> GivenApproval | None:
    """The approval of a number, to be read; whoever gave it may have no right to it any more.

    Raises OfficeError.
    """
    if not (number.isascii() and number.isdigit() and len(number) < 18):
        return None
    with Office(settings.home).read() as connection:
        return _find(connection, int(number))


def _find(connection: sqlite3.Connection, number: int) -> GivenApproval | None:
    row = connection.execute("SELECT * FROM approval WHERE number = ?", [number]).fetchone()
    if row is None:
        return None
    told = dict(row)
    return GivenApproval(
        **{
            **told,
            "answers": json.loads(told["answers"]),
            "approved_at": datetime.fromisoformat(told["approved_at"]),
        }
    )


def _identity(edition: Edition) -> tuple[str, str, str, str]:
    return (
        edition.id,
        edition.cell_hash,
        edition.definition_hash,
        findings_hash(edition.findings),
    )
