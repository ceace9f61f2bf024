"""What somebody has to do today: one duty a line, in the order of weight.

First what a statutory day within a week asks for, then what is broken, then by the day by which
it must be done, then by how long it waits. Whoever has no role for a matter does not get it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from tasks.city.corrections import ENTERED
from tasks.desk.people import Staffing
from tasks.desk.reports import EditionState, due_on
from tasks.desk.seen import Seen
from tasks.desk.settling import Settling
from tasks.desk.sources import State
from tasks.people.persons import APPROVES, MANAGES, WORKS
from tasks.settings import Settings
from tasks.watch.deadlines import OpenApplication, by_organ, limits
from warehouse.form import ANNUAL_REPORT, forms
from warehouse.period import Period

MOST = 7
A_WEEK = 7
LONG_PAST = 200
"""Days after a statutory day from which on it is not counted any more."""
NAMED = 3
"""Organs that a line names."""


@dataclass(frozen=True)
class Who:
    """Who looks: `role` is None where nobody is configured, and everybody may act."""

    name: str
    role: str | None

    def may(self, *roles: str) -> bool:
        return self.role is None or self.role in roles


@dataclass(frozen=True)
class Duty:
    """One thing to do: `when` and `left` say by when, `path` is where to do it."""

    key: str
    state: State
    title: str
    why: str
    when: str
    left: str
    action: str
    path: str
    due: date | None = None
    waited: int = 0
    is_statutory: bool = False

    def order(self, today: date) -> tuple[int, date, int]:
        """Sorts duties as the module says."""
        # A day long past, of a year that was never published, presses no more.
        due = self.due if self.due and (today - self.due).days <= LONG_PAST else None
        is_near = self.is_statutory and due is not None and (due - today).days <= A_WEEK
        group = 0 if is_near else 1 if self.state == "broken" else 2 if due else 3
        return group, due or date.max, -self.waited


def duties(seen: Seen, settings: Settings, who: Who, staffing: Staffing) -> list[Duty]:
    """Everything that somebody has to do, in its order. Raises FormError."""
    sources: tuple[Callable[[Seen, Settings, Who], Iterator[Duty]], ...] = (
        _report,
        _approvals,
        _corrections,
        _workbooks,
        _rejects,
        _applications,
    )
    found = [matter for look in sources for matter in look(seen, settings, who)]
    found += _people(who, staffing)
    return sorted(found, key=lambda matter: matter.order(seen.today))


def _report(seen: Seen, settings: Settings, who: Who) -> Iterator[Duty]:
    """The report of the year at work: to be built, or its records to be settled."""
    edition, today = seen.edition, seen.today
    stage = seen.stage
    is_over = today > Period.of_year(seen.year).last
    if not who.may(WORKS) or not is_over:
        return
    due = due_on(settings.city, ANNUAL_REPORT, seen.year)
    when, left = _statutory(seen, settings, due, edition)
    if stage == "build" and seen.records.records:
        trial = f"现有的 {edition.id} 是试编，不能发布。" if edition else "还没有版次。"
        yield Duty(
            "build",
            "turn",
            f"编制 {seen.year} 年度报告",
            f"{trial}第一次编制只为找出问题，不会发布任何东西，可以编多次。"
            if edition is None
            else f"{trial}数据取齐之后请重新编制。",
            when,
            left,
            f"编制 {seen.year} 年",
            f"/desk/build?year={seen.year}",
            due,
            is_statutory=True,
        )
    if stage not in ("build", "done") and edition is not None:
        yield from _settling(seen, who, edition, due, when, left)


def _settling(
    seen: Seen, who: Who, edition: EditionState, due: date | None, when: str, left: str
) -> Iterator[Duty]:
    """What whoever edits has to do about an edition: its records, another build, handing it over."""
    work = seen.settling(edition)
    name = f"{seen.year} 年度报告"
    waits = f"，{work.waits} 条在等机关和复核" if work.waits else ""
    done = f"，已了结 {work.settled} 条" if work.settled else ""
    findings = f"/desk/edition/{edition.id}/findings"

    def duty(title: str, why: str, action: str, path: str) -> Duty:
        return Duty("settle", "turn", title, why, when, left, action, path, due, is_statutory=True)

    if work.remark:
        title = f"{work.returned_by}退回了版次 {edition.id}"
        yield duty(title, work.remark, "处理记录", findings)
    elif work.turns:
        cause = f"由 {edition.records} 条记录引起" if edition.records else "没有了结"
        why = f"{edition.blocking} 项核对不符{cause}{done}{waits}。"
        yield duty(f"{name}：{work.turns} 条等您处理", why, "处理记录", findings)
    elif work.mended and not work.waits:
        why = "改正的要重新编制才计入。"
        path = f"/desk/build?year={seen.year}"
        yield duty(f"{name}：{work.mended} 条已改正，请重新编制", why, "重新编制", path)
    elif not work.open and not work.is_handed_over and who.role is not None:
        why = f"没有要处理的记录{done}。"
        yield duty(f"{name}：版次 {edition.id} 可以送批准", why, "看过并送批准", findings)


def _statutory(
    seen: Seen, settings: Settings, due: date | None, edition: EditionState | None
) -> tuple[str, str]:
    """The statutory day that comes next for the year's report, and how long until then."""
    declared = forms(settings.city)[ANNUAL_REPORT].deadlines
    days = [(date(seen.year + 1, d.month, d.day), d.what) for d in declared]
    coming = [one for one in days if one[0] >= seen.today]
    if coming and edition is None:
        on, what = min(coming)
        return f"{_short(what)} {in_words(on)}", left_until(on, seen.today)
    if due is not None and (seen.today - due).days <= LONG_PAST:
        return f"公布 {in_words(due)}", left_until(due, seen.today)
    if edition is not None:
        return f"编成 {in_words(edition.row.built_at.date())}", waited(
            (seen.today - edition.row.built_at.date()).days
        )
    return "", ""


def _short(what: str) -> str:
    """What a statutory day asks for, in a word."""
    return next((word for word in ("上报", "公布") if word in what), "期限")


def _approvals(seen: Seen, settings: Settings, who: Who) -> Iterator[Duty]:
    """Editions that wait to be approved, of every form."""
    if not who.may(APPROVES):
        return
    for edition in seen.editions:
        row = edition.row
        is_own = settings.two_persons and row.built_by == who.name and who.role is not None
        if not row.is_pending or edition.is_trial or is_own:
            continue
        work = seen.settling(edition)
        if not work.is_handed_over and (work.open or work.mended or work.remark):
            # It is still with those who edit.
            continue
        due = edition.last_day
        is_near = due is not None and (seen.today - due).days <= LONG_PAST
        yield Duty(
            f"approve.{edition.id}",
            "turn",
            f"批准 {edition.report}，版次 {edition.id}",
            _sent(edition, work),
            f"公布 {in_words(due)}" if due and is_near else f"编成 {in_words(row.built_at.date())}",
            left_until(due, seen.today) if due and is_near else "",
            "看过并批准",
            f"/desk/approve/{edition.id}",
            due if is_near else None,
            (seen.today - row.built_at.date()).days,
            is_statutory=is_near,
        )


def _sent(edition: EditionState, work: Settling) -> str:
    """From whom it comes, and how it stands."""
    state = f"{work.settled} 条记录已了结。" if work.settled else "没有阻断的问题。"
    if work.sent_at is not None:
        return f"{work.sender} {in_words(work.sent_at.date())} {work.sent_at:%H:%M} 送来。{state}"
    at = in_words(edition.row.built_at.date())
    by = f"{edition.row.built_by} " if edition.row.built_by else ""
    return f"{by}{at}编成，还没有送批准。{state}"


def _corrections(seen: Seen, settings: Settings, who: Who) -> Iterator[Duty]:
    """Corrections that wait for a second person: whoever was asked, else anybody but the first."""
    if not who.may(WORKS):
        return
    for entry in seen.corrections:
        asked = entry.draft.reviewer
        is_mine = asked == who.name if asked else entry.entered_by != who.name
        if entry.state != ENTERED or (who.role is not None and not is_mine):
            continue
        days = (seen.today - entry.acts[0].done_at.date()).days
        yield Duty(
            f"correction.{entry.number}",
            "turn",
            f"更正第 {entry.number} 号等您复核",
            f"{entry.draft.record_id}，{entry.entered_by}登记。复核以后重新编制才计入。",
            f"登记 {in_words(entry.acts[0].done_at.date())}",
            waited(days),
            "看过并复核",
            f"/desk/correction/{entry.number}",
            waited=days,
        )


def _workbooks(seen: Seen, settings: Settings, who: Who) -> Iterator[Duty]:
    if not who.may(WORKS):
        return
    for one in seen.workbooks:
        if not one.missing:
            continue
        names = list(dict.fromkeys(m.organ_name for m in one.missing))
        first = one.missing[0].month
        due = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        days = (seen.today - due).days
        months = "、".join(dict.fromkeys(f"{m.month.month} 月" for m in one.missing))
        yield Duty(
            f"workbooks.{one.source}.{one.resource}.{one.year}",
            "turn",
            f"{one.year} 年月报表缺 {len(one.missing)} 份：{listed(names, NAMED)}",
            f"{months}的登记表没有收到。不补齐，本年申请数不能送批准。",
            f"最早 {first.month} 月" if len(one.missing) > 1 else f"{first.month} 月应报",
            left_until(due, seen.today) if days <= LONG_PAST else "",
            "看缺哪份" if len(one.missing) == 1 else "看缺哪些",
            "/desk/data#workbooks",
            waited=days if days <= LONG_PAST else 0,
        )


def _rejects(seen: Seen, settings: Settings, who: Who) -> Iterator[Duty]:
    if not who.may(WORKS, MANAGES) or not seen.rejects:
        return
    of = sorted({seen.names.source(r.source_system) for r in seen.resources if r.open_rejects})
    yield Duty(
        "rejects",
        "turn",
        f"{seen.rejects:,} 条退回的记录",
        f"{listed(of, NAMED)}：写法不符或缺少必填项，没有入库。",
        "未计入",
        "",
        "看退回",
        "/desk/data#rejects",
    )


def _applications(seen: Seen, settings: Settings, who: Who) -> Iterator[Duty]:
    if not who.may(WORKS):
        return
    overdue, soon = seen.deadlines.overdue, seen.deadlines.soon
    days = limits()["application"]["soon_working_days"]
    if overdue:
        yield Duty(
            "overdue",
            "turn",
            f"依申请公开：{len(overdue)} 件逾期未答复",
            _organs(overdue),
            f"最早 {in_words(_first_due(overdue), seen.today)}",
            "已到期",
            "看是哪几件",
            "/desk/deadlines",
            _first_due(overdue),
        )
    if soon:
        yield Duty(
            "soon",
            "turn",
            f"依申请公开：{len(soon)} 件在 {days} 个工作日内到期",
            _organs(soon),
            f"最早 {in_words(_first_due(soon), seen.today)}",
            "到期",
            "看是哪几件",
            "/desk/deadlines",
            _first_due(soon),
        )


def _first_due(applications: list[OpenApplication]) -> date:
    return min(a.due_on for a in applications if a.due_on)


def _organs(applications: list[OpenApplication]) -> str:
    counted = [f"{of[0].organ_name} {len(of)} 件" for of in by_organ(applications).values()]
    return listed(counted, NAMED) + "。"


def _people(who: Who, staffing: Staffing) -> list[Duty]:
    """What is wrong with who may do what; only who keeps the persons can change it."""
    if who.role != MANAGES:
        return []
    return [
        Duty(
            f"people.{number}",
            "turn",
            shortage.title,
            shortage.told,
            "人员",
            "",
            "看人员",
            "/desk/people",
        )
        for number, shortage in enumerate(staffing.shortages)
    ]


def in_words(day: date, today: date | None = None) -> str:
    """A day in a sentence, with its year where it is not this one."""
    year = f"{day.year} 年 " if today is not None and day.year != today.year else ""
    return f"{year}{day.month} 月 {day.day} 日"


def left_until(day: date, today: date) -> str:
    """How long until a day, or since it."""
    days = (day - today).days
    if days > 1:
        return f"还有 {days} 天"
    return {1: "明天", 0: "今天"}.get(days, f"已过 {-days} 天")


def waited(days: int) -> str:
    return f"已 {days} 天" if days else "今天"


def listed(names: list[str], most: int) -> str:
    """The first of some names, and that there are more."""
    return "、".join(names[:most]) + (f" 等 {len(names)} 个" if len(names) > most else "")
