"""What an edition must fulfil before anyone can approve or publish it."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.editions.edition import Edition, Finding
from tasks.editions.store import (
    NoEdition,
    earlier_editions,
    edition_rows,
    find_row,
    load_edition,
)
from tasks.publish.approve import check_two_persons
from tasks.publish.words import check_words
from tasks.render.findings import rule_title
from tasks.settings import Settings
from warehouse.errors import EntryError, FindingsError
from warehouse.lake import Lake

YEAR_IS_OVER = "Y1"
"""The check that no answer can mend."""


class PublishRefused(EntryError):
    """The edition cannot be published as asked; the message says what to do."""


class Unanswered(FindingsError):
    """Findings block, and nobody said why the edition may be published all the same."""


def pending_edition(lake: Lake, edition_id: str) -> Edition:
    """The edition named, if it can be published. Raises PublishRefused."""
    waiting = waiting_editions(lake)
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


def waiting_editions(lake: Lake) -> list[str]:
    """The editions that wait to be published, the newest year first."""
    with lake.read() as connection:
        rows = edition_rows(connection)
    waiting = sorted((r for r in rows if r.is_pending), key=lambda r: (r.form, -r.edition_number))
    return [r.edition_id for r in sorted(waiting, key=lambda r: r.period.last, reverse=True)]


def check_year_is_over(edition: Edition) -> None:
    """Raises PublishRefused for a trial of a year that was not over: no answer makes it whole."""
    for finding in edition.trial_findings:
        if finding.code == YEAR_IS_OVER:
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


def check_conditions(
    lake: Lake, settings: Settings, edition: Edition, approver: str
) -> tuple[str, str | None]:
    """Who built the edition, and the published edition of its year, if any.

    Raises PublishRefused, WordsUnfinished and ApprovalRefused for what stands against it whatever is answered.
    """
    with lake.read() as connection:
        row = find_row(connection, edition.id)
        before = earlier_editions(connection, edition)
    built_by = row.built_by if row else ""
    replaced = next((r.edition_id for r in before if r.is_published), None)
    check_two_persons(settings, approver, built_by)
    if replaced and not edition.reason.strip():
        raise PublishRefused(
            f"{edition.report_name}已发布版次 {replaced}。另发新版须写明理由:请重新编制并填写“编制理由”"
        )
    check_year_is_over(edition)
    check_words(edition)
    return built_by, replaced
