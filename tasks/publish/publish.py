"""Publish: an edition is approved, answered for, frozen, and written as files that stay.

What is checked, in this order: that the edition can be published, that it has an approver
and a statement, that every blocking finding is answered, that its figures are still what the
records give, and last the approver's one-time code, so that a code is not used up in vain.
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
from tasks.editions.edition import ACCOUNT, Approval, Edition, Finding
from tasks.editions.store import (
    NoEdition,
    changed_rows,
    earlier_editions,
    edition_rows,
    figures_besides_tables,
    find_row,
    keep_approval,
    load_edition,
)
from tasks.publish.approve import approvers, check_code, check_two_persons
from tasks.publish.files import (
    finish_interrupted,
    freeze,
    publishing,
    staging_folder,
    write_files,
)
from tasks.publish.words import check_words
from tasks.render.findings import rule_title
from tasks.settings import Settings
from warehouse.errors import EntryError, FindingsError
from warehouse.form import form_of
from warehouse.lake import Lake
from warehouse.numbers import number

FIGURE_TABLES = ("ops.correction", "ops.quarantine")
"""Tables besides the core ones that decide figures."""
Progress = Callable[[str], None]


class PublishRefused(EntryError):
    """The edition cannot be published as asked; the message says what to do."""


class Unanswered(FindingsError):
    """Findings block, and nobody said why the edition may be published all the same."""


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
                f"{d.organ_name} {d.label}({number(d.before, '缺')} → {number(d.after, '缺')})"
                for d in self.differences[:3]
            )
            told.append(f"按现在的数据有 {len(self.differences)} 个数字不同:{first}")
        if self.others:
            told.append(f"{'、'.join(self.others)}已不同")
        if self.new_blocking:
            told.append(f"新出现阻断问题 {'、'.join(self.new_blocking)}")
        return ";".join(told)


def pending_edition(lake: Lake, edition_id: str) -> Edition:
    """The edition named, if it can be published. Raises PublishRefused."""
    waiting = _pending(lake)
    told = f"现有待发布版次:{'、'.join(waiting)}" if waiting else "现在没有待发布的版次,请先编制"
    if not edition_id:
        raise PublishRefused(f"请填写要发布的版次编号。{told}")
    try:
        edition = load_edition(lake, edition_id)
    except NoEdition as error:
        raise PublishRefused(f"没有版次 {edition_id}。{told}") from error
    if edition.status == "published":
        raise PublishRefused(f"版次 {edition_id} 已经发布,不能再改。需要更正时请另编新版并写明理由")
    if edition.status != "pending":
        raise PublishRefused(f"版次 {edition_id} 已被后来的版次替代。{told}")
    return edition


def _pending(lake: Lake) -> list[str]:
    with lake.read() as connection:
        rows = edition_rows(connection)
    waiting = sorted(
        (r for r in rows if r.is_pending), key=lambda r: (-r.report_year, r.form, -r.edition_number)
    )
    return [row.edition_id for row in waiting]


def check_year_is_over(edition: Edition) -> None:
    """Raises PublishRefused for a trial of a year that was not over: no answer makes it whole."""
    for finding in edition.trial_findings:
        if finding.code == "Y1":
            raise PublishRefused(
                f"版次 {edition.id} 是试编,不能发布:{finding.message}。请在年度结束并取数之后重新编制"
            )


def answered(edition: Edition, answers: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """The reason for each blocking finding of an edition, by (organ id, check key).

    Raises PublishRefused that names every finding without one, and every answer that
    belongs to no finding.
    """
    given = {key.strip(): reason.strip() for key, reason in answers.items()}
    found: dict[tuple[str, str], str] = {}
    used = set()
    open_: dict[str, list[Finding]] = {}
    for f in edition.blocking_findings:
        for key in (f"{f.key}@{f.organ_id}", f.key, f.code):
            if given.get(key):
                found[(f.organ_id, f.key)] = given[key]
                used.add(key)
                break
        else:
            open_.setdefault(f.code, []).append(f)
    if open_:
        named = ";".join(
            f"{code} {rule_title(edition, code) or of[0].message}({len(of)} 项)"
            for code, of in sorted(open_.items())
        )
        raise Unanswered(
            f"还有阻断问题没有答复:{named}。请先在来源系统改正后重新编制,或在“对阻断问题的答复”中逐项写明理由"
        )
    unknown = sorted(key for key, reason in given.items() if reason and key not in used)
    if unknown:
        raise PublishRefused(
            f"答复所指的阻断问题不存在:{'、'.join(unknown)}。请照核对结果填写规则代码"
        )
    return found


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
    request: Request,
    *,
    now: datetime,
    progress: Progress = lambda step: None,
) -> Published:
    """Publish a pending edition. Raises PublishRefused or ApprovalRefused before anything
    is written; an interrupted publication is finished by asking again, or by maintenance."""
    with publishing(settings):
        return _publish(lake, settings, request, now, progress)


def _publish(
    lake: Lake, settings: Settings, request: Request, now: datetime, progress: Progress
) -> Published:
    edition_id = request.edition_id.strip()
    finish_interrupted(lake, settings, edition_id)
    edition = pending_edition(lake, edition_id)
    known = approvers(settings)
    approver = request.approver.strip()
    if not approver:
        raise PublishRefused("请填写批准人姓名")
    if not request.statement.strip():
        raise PublishRefused("请填写批准意见,如“同意发布”")
    built_by, replaced = _before(lake, edition)
    check_two_persons(settings, approver, built_by)
    if replaced and not edition.reason.strip():
        raise PublishRefused(
            f"{edition.report_name}已发布版次 {replaced}。另发新版须写明理由:请重新编制并填写“编制理由”"
        )
    check_year_is_over(edition)
    check_words(edition)
    answers = answered(edition, request.answers or {})
    progress("核对指纹")
    if changed := changed_rows(lake, edition_id):
        raise PublishRefused(
            f"版次 {edition_id} 与编制时的指纹不符,可能被改动过({'、'.join(changed)})。"
            "请重新编制,并告知管理员"
        )
    progress("核对数据是否有变")
    stale = staleness(lake, settings.city, edition, now=now)
    if stale.is_stale and not request.stale_reason.strip():
        raise PublishRefused(
            f"编制之后数据有变:{stale.text}。请重新编制;确要按原数发布的,在“数据已变仍按原数发布的理由”中写明"
        )
    check_code(lake, known, approver, request.code, edition_id, now=now)
    statement = request.statement.strip()
    if stale.is_stale:
        statement += f"(数据已变仍按原数发布:{request.stale_reason.strip()})"
    comparison = compare_with(lake, edition, replaced) if replaced else None
    progress("生成文件")
    edition = replace(edition, status="published")
    folder, staging = settings.editions / edition.id, staging_folder(settings, edition.id)
    approval = Approval(
        approver=approver,
        # What the manifest tells, and no more, is what the lake keeps.
        approved_at=now.replace(microsecond=0),
        statement=statement,
        built_by=built_by,
        replaces=replaced,
        answers=answers,
    )
    manifest_hash = write_files(lake, edition, staging, approval, comparison)
    progress("写入批准")
    if not keep_approval(lake, edition, approval, manifest_hash):
        raise PublishRefused(f"版次 {edition.id} 在此期间已被发布或替代。请刷新后再看")
    freeze(staging, folder)
    return Published(
        edition=edition,
        folder=folder,
        approver=approver,
        approved_at=approval.approved_at,
        statement=statement,
        manifest_hash=manifest_hash,
        answers=answers,
        comparison=comparison,
        staleness=stale.text,
    )


def _before(lake: Lake, edition: Edition) -> tuple[str, str | None]:
    """Who built the edition, and the published edition of its year, if any."""
    with lake.read() as connection:
        row = find_row(connection, edition.id)
        before = earlier_editions(connection, edition)
    replaced = next((r.edition_id for r in before if r.is_published), None)
    return (row.built_by if row else ""), replaced
