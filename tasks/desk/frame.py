"""What stands above every page of an edition: where it stands, how far it came, its parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from tasks.clock import now
from tasks.desk import pinned
from tasks.desk.editions import Mark, State, due_on, due_told, state_of
from tasks.editions.edition import Edition
from tasks.editions.store import EditionRow, Publication
from tasks.publish.conditions import YEAR_IS_OVER
from tasks.render.findings import by_who_must_act
from tasks.settings import Settings
from warehouse.lake import Lake


@dataclass(frozen=True)
class Step:
    """A step of the way to publication: `told` is who and when, or what it waits for."""

    title: str
    mark: Mark | None
    told: str
    is_now: bool = False


@dataclass(frozen=True)
class Frame:
    """The head of an edition's pages. `blocking` counts the records (and findings without one)
    that keep it from being published; `is_unfinished` says that its year is not over, which no
    answer can mend; `later` are the editions of its report that came after it,
    the oldest first, `earlier` is the one before it."""

    row: EditionRow
    title: str
    report: str
    state: State
    steps: tuple[Step, ...]
    blocking: int
    is_unfinished: bool
    has_files: bool
    publication: Publication | None
    later: tuple[EditionRow, ...]
    earlier: str

    @property
    def id(self) -> str:
        return self.row.edition_id

    @property
    def approval(self) -> int | None:
        """The number of the approval by which it was published."""
        return self.publication.approval_number if self.publication else None

    @property
    def newer(self) -> str:
        """The newest edition of the report, where that is another one."""
        return self.later[-1].edition_id if self.later else ""


def frame_of(lake: Lake, settings: Settings, row: EditionRow, today: date) -> Frame:
    """The head of an edition's pages. Raises LakeError."""
    edition = pinned.without_figures(lake, row)
    blocking = _blocking(lake, lake.catalog.identity(), row)
    of_report = [r for r in pinned.rows(lake) if (r.form, r.period) == (row.form, row.period)]
    later = [r for r in of_report if r.edition_number > row.edition_number]
    before = [r.edition_id for r in of_report if r.edition_number < row.edition_number]
    return Frame(
        row=row,
        title=f"{edition.period.label}{edition.form.short_title}",
        report=edition.form.short_title,
        state=state_of(row, is_trial=edition.is_trial),
        steps=_steps(edition, row, blocking, today),
        blocking=blocking,
        is_unfinished=_is_unfinished(edition),
        has_files=settings.edition_shelf.has(row.edition_id),
        publication=pinned.publication_of(lake, row.edition_id),
        later=tuple(later),
        earlier=before[-1] if before else "",
    )


@lru_cache(maxsize=64)
def _blocking(lake: Lake, _identity: object, row: EditionRow) -> int:
    edition = pinned.without_figures(lake, row)
    return sum(work.blocking for work in by_who_must_act(edition))


def _steps(edition: Edition, row: EditionRow, blocking: int, today: date) -> tuple[Step, ...]:
    built = Step("编制", "done", _who(row.built_by, row.built_at))
    if row.approved_at is not None:
        checked = f"{blocking} 项已答复" if blocking else "没有阻断问题"
        approved = Step("批准", "done", _who(row.approved_by, row.approved_at))
        return (built, Step("核对与改正", "done", checked), approved, _published(row))
    if not row.is_pending:
        told = "没有走完，已有新的版次"
        return (
            built,
            Step("核对与改正", "none", told),
            Step("批准", None, ""),
            Step("公布", None, ""),
        )
    due = due_on(edition.form, edition.period)
    announced = Step(
        "公布" if due else "发布",
        None,
        due_told(edition.form, edition.period, today) if due else "",
    )
    if _is_unfinished(edition):
        told = "年度还没有结束，试编不能批准"
        return (
            built,
            Step("核对与改正", "wait", told, is_now=True),
            Step("批准", None, ""),
            announced,
        )
    if blocking:
        told = f"{blocking} 项要处理或答复"
        waits = Step("批准", None, "了结后送批准人")
        return (built, Step("核对与改正", "turn", told, is_now=True), waits, announced)
    passed = Step("核对与改正", "done", "没有阻断问题")
    return (built, passed, Step("批准", "turn", "等批准人", is_now=True), announced)


def _is_unfinished(edition: Edition) -> bool:
    """See `tasks.publish.conditions.check_year_is_over`."""
    return any(finding.code == YEAR_IS_OVER for finding in edition.trial_findings)


def _published(row: EditionRow) -> Step:
    told = "文件已冻结并签名" if row.is_published else "公布后又有更正的版次"
    return Step("发布", "done" if row.is_published else "none", told)


def _who(person: str, at: datetime) -> str:
    when = f"{at.month} 月 {at.day} 日"
    when = when if at.year == now().year else f"{at.year} 年 {when}"
    return f"{person}，{when}" if person else when
