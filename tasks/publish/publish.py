"""Publish: an approved edition is frozen, written as files that stay, signed and chained.

What is checked, in this order: that the approval is there and is for this very edition, that it
can be published, that every blocking finding is answered, and that its figures are still what the
records give. The one-time code was judged when it was entered (`approvals.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tasks.check import table_versions
from tasks.editions.build import preview
from tasks.editions.compare import CellDifference, compare
from tasks.editions.definitions import Definitions
from tasks.editions.differences import Comparison, compare_with
from tasks.editions.edition import ACCOUNT, Approval, Edition
from tasks.editions.store import (
    Publication,
    changed_rows,
    figures_besides_tables,
    keep_approval,
    last_link,
    publications,
)
from tasks.people import log
from tasks.people.office import Office
from tasks.publish.approvals import GivenApproval, Request, approve, given_approval
from tasks.publish.approve import PUBLISHED, check_office_is_kept
from tasks.publish.conditions import (
    PublishRefused,
    Unanswered,
    answered,
    check_conditions,
    check_year_is_over,
    pending_edition,
)
from tasks.publish.files import (
    finish_interrupted,
    publishing,
    put_in_place,
    staging_folder,
    write_files,
)
from tasks.publish.signature import Checkpoint, sign, signing_key
from tasks.render.manifest import MANIFEST
from tasks.settings import Settings
from warehouse.form import form_of
from warehouse.lake import Lake

__all__ = [
    "FIGURE_TABLES",
    "PublishRefused",
    "Published",
    "Request",
    "Staleness",
    "Unanswered",
    "answered",
    "approve",
    "check_year_is_over",
    "pending_edition",
    "publish",
    "staleness",
]

FIGURE_TABLES = ("ops.correction", "ops.quarantine", "ops.city_look", "yearly.city_edition")
"""Tables besides the core ones that decide figures."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Published:
    """What was published: the edition, its files, the answers by finding, and how it differs
    from the one that it replaced."""

    edition: Edition
    folder: Path
    approver: str
    approved_at: datetime
    statement: str
    manifest_hash: str
    answers: Mapping[tuple[str, str], str]
    comparison: Comparison | None
    staleness: str
    checkpoint: Checkpoint
    signing_key: str

    @property
    def replaced(self) -> str | None:
        return self.comparison.earlier if self.comparison else None

    @property
    def differences(self) -> tuple[CellDifference, ...]:
        return self.comparison.differences if self.comparison else ()


@dataclass(frozen=True)
class Staleness:
    """Whether the records still give the edition's figures. `changed` names what changed
    since; `differences` the figures that would be others now, `others` what else would be
    printed differently, `definitions` which of them are others now."""

    changed: tuple[str, ...] = ()
    differences: tuple[CellDifference, ...] = ()
    others: tuple[str, ...] = ()
    new_blocking: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()

    @property
    def is_stale(self) -> bool:
        return bool(self.differences or self.others or self.new_blocking or self.definitions)

    @property
    def text(self) -> str:
        """In words, for the operator."""
        if not self.changed and not self.definitions:
            return "编制之后数据没有变化"
        if not self.is_stale:
            return "编制之后数据有更新,但不影响本版次的任何数字"
        told = []
        if self.definitions:
            told.append(f"{'、'.join(self.definitions)}已改")
        if self.differences:
            first = "、".join(
                f"{d.organ_name} {d.label}({d.shown_before} → {d.shown_after})"
                for d in self.differences[:3]
            )
            told.append(f"按现在的数据有 {len(self.differences)} 个数字不同:{first}")
        if self.others:
            told.append(f"{'、'.join(self.others)}已不同")
        if self.new_blocking:
            told.append(f"新出现阻断问题 {'、'.join(self.new_blocking)}")
        return ";".join(told)


def staleness(lake: Lake, city: Path, edition: Edition, *, now: datetime) -> Staleness:
    """Whether the figures of an edition still hold.

    Tables that did not change since its snapshot settle it at once; else the edition is
    built again, not kept, and its figures are compared.
    """
    present = Definitions.now(form_of(edition.form.key, city), city, edition.period)
    present = present.as_kept(edition.definitions)
    definitions: list[str] = []
    if present.fingerprint != edition.definition_hash:
        kept = edition.definitions
        definitions = (kept.changed(present) if kept else []) or ["报表格式、口径或规则"]
    with lake.read() as connection:
        versions = table_versions(connection)
        besides = figures_besides_tables(connection, edition)
    with lake.read(edition.snapshot) as connection:
        then = figures_besides_tables(connection, edition)
    changed = [
        name
        for name, version in versions.items()
        if (name.startswith("core.") or name in FIGURE_TABLES)
        and int(version.partition("@")[2] or 0) > edition.snapshot
    ]
    changed += [name for name, value in besides.items() if value != then[name]]
    if not changed and not definitions:
        return Staleness()
    fresh = preview(lake, city, edition.period, now=now, form=edition.form.key)
    known = {(f.organ_id, f.key) for f in edition.blocking_findings}
    new = {f.code for f in fresh.blocking_findings if (f.organ_id, f.key) not in known}
    differences = () if fresh.cell_hash == edition.cell_hash else compare(fresh, edition.cells)
    return Staleness(
        tuple(sorted(changed)),
        tuple(differences),
        tuple(part for part in edition.changed_parts(fresh) if part != ACCOUNT),
        tuple(sorted(new)),
        tuple(definitions),
    )


def publish(
    lake: Lake,
    settings: Settings,
    approval: str,
    *,
    now: datetime,
    progress: Progress = lambda step: None,
) -> Published:
    """Publish the edition that was approved under a number. Raises OfficeError, PublishRefused,
    Unanswered or ApprovalRefused before anything is written; an interrupted publication is finished by asking
    again, or by maintenance."""
    check_office_is_kept(lake, settings)
    with publishing(settings):
        return _publish(lake, settings, given_approval(settings, approval), now, progress)


def _publish(
    lake: Lake, settings: Settings, given: GivenApproval, now: datetime, progress: Progress
) -> Published:
    edition_id = given.edition_id
    finish_interrupted(lake, settings, edition_id)
    edition = pending_edition(lake, edition_id)
    built_by, replaced = check_conditions(lake, settings, edition, given.approver)
    given.check_is_for(edition, built_by)
    answers = answered(edition, given.answers)
    progress("核对指纹")
    if changed := changed_rows(lake, edition_id):
        raise PublishRefused(
            f"版次 {edition_id} 与编制时的指纹不符,可能被改动过({'、'.join(changed)})。"
            "请重新编制,并告知管理员"
        )
    progress("核对数据是否有变")
    stale = staleness(lake, settings.city, edition, now=now)
    if stale.is_stale and not given.stale_reason:
        raise PublishRefused(
            f"编制之后数据有变:{stale.text}。请重新编制;确要按原数发布的,请在批准页重新批准,"
            "并在“数据已变仍按原数发布的理由”中写明"
        )
    statement = given.statement
    if stale.is_stale:
        statement += f"(数据已变仍按原数发布:{given.stale_reason})"
    comparison = compare_with(lake, edition, replaced) if replaced else None
    progress("生成文件")
    edition = replace(edition, status="published")
    staging = staging_folder(settings, edition.id)
    approval = Approval(
        approver=given.approver,
        approved_at=given.approved_at,
        statement=statement,
        built_by=built_by,
        replaces=replaced,
        answers=answers,
    )
    with lake.read() as connection:
        before, head = last_link(publications(connection))
    chain = {
        "number": before + 1,
        "previous": head,
        "key": signing_key(settings.home, is_first=before == 0),
        "approval": given.number,
    }
    manifest_hash = write_files(lake, edition, staging, approval, comparison, chain)
    manifest = (staging / MANIFEST).read_bytes()
    signature = sign(settings.home, manifest)
    signature.save(staging)
    # Before the lake says so: whoever finds this cut off, on whichever machine, can finish it.
    settings.edition_shelf.keep(staging.name, under=edition.id)
    progress("写入批准")
    publication = Publication(
        publication_number=before + 1,
        edition_id=edition.id,
        previous_hash=head,
        manifest_hash=manifest_hash,
        manifest=manifest.decode(),
        signature=signature.signature,
        signing_key=signature.key,
        approval_number=given.number,
        registered_at=now,
    )
    if not keep_approval(lake, edition, approval, publication):
        raise PublishRefused(f"版次 {edition.id} 在此期间已被发布、替代或重新编制。请刷新后再看")
    checkpoint = Checkpoint(before + 1, manifest_hash)
    with Office(settings.home).change() as register:
        about = f"版次 {edition.id},批准 {given.number},核对码 {checkpoint}"
        log.write(register, given.approver, PUBLISHED, about, now=now)
    folder = put_in_place(settings, edition.id)
    return Published(
        edition=edition,
        folder=folder,
        approver=given.approver,
        approved_at=approval.approved_at,
        statement=statement,
        manifest_hash=manifest_hash,
        answers=answers,
        comparison=comparison,
        staleness=stale.text,
        checkpoint=checkpoint,
        signing_key=signature.key,
    )
