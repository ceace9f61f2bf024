"""今天: what a day asks of somebody, in a sentence first.

One page for all days: it begins with what concerns whoever looks, in the order of `duties`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from tasks.desk.duties import A_WEEK, LONG_PAST, Duty, Who, duties, in_words, left_until, listed
from tasks.desk.people import Staffing, staffing
from tasks.desk.reports import Step, due_on, newest_of, steps_of
from tasks.desk.seen import Seen, see
from tasks.desk.sources import Failure
from tasks.people.office import Office
from tasks.people.persons import APPROVES, VIEWS
from tasks.settings import Settings
from warehouse.form import ANNUAL_REPORT, forms
from warehouse.period import Period

WEEKDAYS = "一二三四五六日"
_DIGITS = "零一二三四五六七八九十"
DUE_SHOWN = 8
"""Applications that the page itself lists where nothing else is to be done."""


@dataclass(frozen=True)
class StatutoryDay:
    """A statutory day: what it asks for, and how it stands."""

    on: date
    what: str
    told: str
    is_published: bool
    is_past: bool
    is_near: bool


@dataclass(frozen=True)
class Today:
    """Everything on the page. `said` is its sentence, `more` what follows it."""

    seen: Seen
    who: Who
    said: str
    more: str
    duties: tuple[Duty, ...]
    steps: tuple[Step, ...]
    days: tuple[StatutoryDay, ...]
    staffing: Staffing
    impacts: tuple[tuple[Failure, str], ...]

    @property
    def works_on_report(self) -> bool:
        """Whether the year's report is still to be made."""
        return self.seen.stage != "done" and self.seen.records.records > 0

    @property
    def to_approve(self) -> str:
        """The edition that waits for whoever looks to approve it; empty without one."""
        keys = (duty.key.partition(".") for duty in self.duties)
        return next((id_ for kind, _, id_ in keys if kind == "approve"), "")

    @property
    def other_approvers(self) -> tuple[str, ...]:
        """Who else could approve now."""
        return tuple(n for n in self.staffing.ready(APPROVES) if n != self.who.name)

    @property
    def next_day(self) -> StatutoryDay | None:
        """The statutory day that comes next."""
        return next((day for day in self.days if not day.is_past), None)


def today(settings: Settings, who: Who, *, now: datetime) -> Today:
    """What the day asks of somebody. Raises NoLake and other NianbaoError."""
    seen = see(settings, now=now)
    staff = staffing(Office(settings.home))
    mine = duties(seen, settings, who, staff) if who.role != VIEWS else []
    due = due_on(settings.city, ANNUAL_REPORT, seen.year)
    said, more = _sentence(seen, who, mine, staff, due)
    return Today(
        seen=seen,
        who=who,
        said=said,
        more=more,
        duties=tuple(mine),
        steps=tuple(
            steps_of(
                seen.edition,
                seen.settling(seen.edition),
                staff.named(APPROVES),
                due,
                seen.today,
            )
        ),
        days=tuple(_days(seen, settings)),
        staffing=staff,
        impacts=tuple((failure, _impact(seen, failure)) for failure in seen.failures),
    )


# ---- the sentence


def _sentence(
    seen: Seen, who: Who, mine: list[Duty], staff: Staffing, due: date | None
) -> tuple[str, str]:
    """The heading of the page and what follows it."""
    if who.role == VIEWS:
        return _where_it_stands(seen, staff), ""
    first = mine[0] if mine else None
    is_first = first is not None and first.order(seen.today)[0] == 0
    if (seen.failures or seen.is_stale) and not is_first:
        return _of_failures(seen)
    tell: dict[str, Callable[[Seen, date | None, list[Duty]], tuple[str, str]]] = {
        "approve": _of_approval,
        "settle": _of_records,
        "build": _of_build,
    }
    report = next((m for m in mine if m.key.partition(".")[0] in tell), None)
    if report is not None:
        # The year's report comes into the heading even where something is due earlier.
        return tell[report.key.partition(".")[0]](seen, due, mine)
    if mine:
        return _of_others(seen, mine), ""
    return _nothing(seen, staff)


def _of_failures(seen: Seen) -> tuple[str, str]:
    if seen.is_stale and not seen.failures:
        at = min(s.last_pull_at for s in seen.systems if s.last_pull_at)
        return (
            f"没有按时取数，数据停在 {in_words(at.date(), seen.today)} {at:%H:%M}。",
            "请管理员检查 nianbao 服务是否在运行；可以现在再取一次。",
        )
    failed = listed([f.title for f in seen.failures], 2)
    rest = [s for s in seen.systems if s.failure is None and s.lists]
    told = ""
    if rest and all(s.state != "broken" for s in rest):
        word = "正常" if all(s.state == "done" for s in rest) else "已取到"
        told = f"，其余{chinese(len(rest))}个来源{word}"
    night = "昨夜" if _was_last_night(seen) else "上次取数"
    harmless = all(_is_harmless(seen, f) for f in seen.failures)
    report = "年报的数字不受影响。" if harmless else f"{seen.year} 年的记录还没有取齐。"
    gap = " " if failed[0].isascii() else ""
    return f"{night}{gap}{failed}没有取到{told}。{report}", ""


def _was_last_night(seen: Seen) -> bool:
    run = seen.failures[0]
    return run.run_started_at.date() == seen.today and run.run_started_at.hour < 8


def _is_harmless(seen: Seen, failure: Failure) -> bool:
    """Whether the report's figures stand on what was pulled before a source failed."""
    if seen.stage == "build":
        lists = [one for one in seen.records.lists if one.source == failure.source]
        return bool(lists) and all(one.is_complete for one in lists)
    return True


def _impact(seen: Seen, failure: Failure) -> str:
    """What a source that failed touches."""
    edition = seen.edition
    if edition is not None and seen.stage != "build":
        at = in_words(edition.row.data_as_of.date(), seen.today)
        return (
            f"期限和新到的记录看不到最近的变化。{edition.report}的版次 {edition.id} "
            f"取的是 {at}的数据，不受影响。"
        )
    if _is_harmless(seen, failure):
        return f"期限和新到的记录看不到最近的变化。{seen.year} 年的记录年后取过，不受影响。"
    return f"{seen.year} 年的记录还没有取齐；现在编制，缺的数字会留空，不写 0。"


def _of_approval(seen: Seen, due: date | None, mine: list[Duty]) -> tuple[str, str]:
    ids = [d.key.partition(".")[2] for d in mine if d.key.startswith("approve.")]
    waiting = [e for e in seen.editions if e.id in ids]
    if len(waiting) > 1:
        named = "、".join(e.id for e in waiting[:3])
        return (
            f"有 {len(waiting)} 个版次等您批准。",
            f"{named}{' 等' if len(waiting) > 3 else ''}。",
        )
    edition = waiting[0]
    said = f"版次 {edition.id} 等您批准。{_until(edition.last_day, seen.today)}"
    work, built_at = seen.settling(edition), edition.row.built_at
    at, by = work.sent_at or built_at, work.sender or edition.row.built_by
    sent = (
        f"{by} {in_words(at.date(), seen.today)} {at:%H:%M} {'送来' if work.sent_at else '编成'}。"
    )
    state = (
        f"{work.settled} 条记录已了结，答复在批准页逐条看过。"
        if work.settled
        else "没有阻断的问题。"
    )
    return said, f"{sent.strip()}{state}批准时请带手机验证器。"


def _until(due: date | None, today_: date) -> str:
    """The statutory day in a sentence of its own; nothing of one long past."""
    if due is None or (today_ - due).days > LONG_PAST:
        return ""
    left = left_until(due, today_)
    if left in ("今天", "明天"):
        return f"{left}是公布期限。"
    return f"公布期限 {in_words(due)}，{left}。"


def _of_records(seen: Seen, due: date | None, mine: list[Duty]) -> tuple[str, str]:
    work, year = seen.settling(seen.edition), seen.year
    until = _until(due, seen.today)
    if work.remark:
        return (
            f"{work.returned_by}退回了版次 {seen.edition.id if seen.edition else ''}。{until}",
            work.remark,
        )
    if work.turns:
        more = "在来源系统改正的，今晚取数以后重新编制；确有理由不改的，写明理由带着批准。"
        return f"{year} 年度报告还有 {work.turns} 条要您处理。{until}", more
    if work.mended:
        told = f"{year} 年度报告有 {work.mended} 条已改正，重新编制以后计入。{until}"
        return told, ""
    return f"{year} 年度报告的核对已了结，可以送批准。{until}", ""


def _of_build(seen: Seen, due: date | None, mine: list[Duty]) -> tuple[str, str]:
    lacking = seen.records.incomplete
    papers = seen.records.missing_workbooks
    if not lacking:
        return (
            f"{seen.year} 年的数据已取齐，可以编制。",
            "年后都取过，条数与来源一致。编制不会发布任何东西，可以编多次。",
        )
    if papers and all(one.workbooks and one.workbooks.missing for one in lacking):
        return (
            f"{seen.year} 年的数据只差 {papers} 份月报表，可以先编一次。",
            "其余记录年后都取过，条数与来源一致。先编一个版次，看清要请哪些机关补正；"
            "月报表补齐以后再编一次，送批准。",
        )
    titles = [one.title for one in lacking]
    return (
        f"{seen.year} 年的数据还有 {len(lacking)} 项没有取齐。",
        f"{listed(titles, 4)}。现在编制，缺的数字会留空，不写 0。",
    )


def _of_others(seen: Seen, mine: list[Duty]) -> str:
    """A day without anything to do for the report."""
    late, soon = len(seen.deadlines.overdue), len(seen.deadlines.soon)
    parts = []
    if late:
        parts.append(f"{late} 件申请已逾期")
    if soon:
        parts.append(f"{soon} 件申请将到期")
    if parts and any(m.key in ("overdue", "soon") for m in mine):
        return f"{'，'.join(parts)}，要催办；{_of_report(seen)}"
    return f"有 {len(mine)} 件事要您处理；{_of_report(seen)}"


def _of_report(seen: Seen) -> str:
    """What the report asks of whoever has nothing to do for it."""
    if seen.stage == "done":
        return "年报没有要您做的事。"
    return "年报还没有编成。" if seen.stage == "build" else "年报在等别人。"


def _nothing(seen: Seen, staff: Staffing) -> tuple[str, str]:
    edition = seen.edition
    work = seen.settling(edition)
    if work.waits and edition is not None:
        return f"今天没有要您处理的事。版次 {edition.id} 有 {work.waits} 条在等机关和复核。", ""
    if seen.stage == "approve" and edition is not None:
        waits = "、".join(staff.named(APPROVES)) or "批准人"
        return f"今天没有要您处理的事。版次 {edition.id} 等{waits}批准。", ""
    return "今天没有要您处理的事。", _all_well(seen)


def _all_well(seen: Seen) -> str:
    count = sum(bool(s.lists) for s in seen.systems)
    return f"{chinese(count)}个来源全部取到。" if count and not seen.failures else ""


def _where_it_stands(seen: Seen, staff: Staffing) -> str:
    """For whoever only looks."""
    edition, year = seen.edition, seen.year
    if edition is None:
        return f"{year} 年度报告还没有编制。"
    stage = seen.stage
    if stage == "done":
        at = edition.row.approved_at
        on = f"，{in_words(at.date(), seen.today)}批准" if at else ""
        return f"{year} 年度报告已发布：版次 {edition.id}{on}。"
    if stage == "build":
        return f"{year} 年度报告只有试编 {edition.id}，数据取齐以后重新编制。"
    if stage == "settle":
        work = seen.settling(edition)
        if work.settled and not work.open:
            return f"{year} 年度报告的核对已了结：版次 {edition.id}，还没有送批准。"
        what = f"{edition.records} 条记录" if edition.records else f"{edition.blocking} 项核对"
        return f"{year} 年度报告在核对与改正：版次 {edition.id}，还有 {what}。"
    waits = "、".join(staff.named(APPROVES)) or "批准人"
    return f"{year} 年度报告的版次 {edition.id} 等{waits}批准。"


# ---- the days of the law


def _days(seen: Seen, settings: Settings) -> list[StatutoryDay]:
    """The statutory days that come, and those just past whose report is not out, by form."""
    published = {(e.row.form, e.row.report_year) for e in seen.editions if e.row.is_published}
    found = []
    for key, form in forms(settings.city).items():
        for deadline in form.deadlines:
            for year in (seen.today.year, seen.today.year + 1):
                on = date(year, deadline.month, deadline.day)
                is_out = (key, year - 1) in published
                past = (seen.today - on).days
                has_report = newest_of(seen.editions, key, year - 1) is not None
                if past > LONG_PAST or (past > 0 and not has_report):
                    continue
                report = form.named(Period.of_year(year - 1))
                told = "已发布" if is_out else f"{report}，{left_until(on, seen.today)}"
                is_near = -A_WEEK <= past <= 0
                found.append(StatutoryDay(on, deadline.what, told, is_out, past > 0, is_near))
                if past <= 0:
                    break
    return sorted(found, key=lambda day: day.on)


def chinese(count: int) -> str:
    """A small number as it is written in a sentence."""
    if count == 2:
        return "两"
    return _DIGITS[count] if 0 <= count <= 10 else f" {count} "
