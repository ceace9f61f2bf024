"""Notify: tell people of matters that need them, once each and again only when they change.

A message is about one matter (a source, an edition, the deadlines of a day), never about one
record, and names organs, sources, rule codes and counts: no personal data. Channels are
apprise addresses (WeCom and DingTalk robots, mail, webhook) from `NIANBAO_NOTIFY`. A channel
that fails never fails a run: the message waits and is tried again with the next run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from tasks.city.names import Names
from tasks.editions.edition import Edition
from tasks.settings import Settings
from tasks.watch.deadlines import Deadlines, by_organ, calendar_told, limits
from tasks.watch.runs import Run
from tasks.watch.status import ResourceStatus
from tasks.wording.typeset import typeset
from warehouse.errors import NianbaoError
from warehouse.lake import Connection, Lake, transaction

logger = logging.getLogger("nianbao.notify")
MOST_LINES = 20
TITLES = {
    "nightly": "夜间取数",
    "backfill": "补取",
    "retry-rejects": "退回再试",
    "take-editions": "取入各市版次",
    "year-end": "年终编制",
    "publish": "发布",
    "deadline-watch": "期限查看",
    "maintenance": "整理",
}
"""What the runs of each flow are called."""
LOST = {
    "Crashed": (
        "中断",
        "已装载的数据完好,下次运行会接着补取(由 worker 运行的会自动重新运行,最多两次);"
        "请管理员查看该次运行的日志。",
    ),
    "Failed": ("出错", "已装载的数据完好,下次运行会接着补取;请管理员查看该次运行的日志。"),
    "Late": ("未按时开始", "请管理员检查 nianbao 服务是否在运行(nianbao status)。"),
    "Cancelled": (
        "被取消",
        "这次没有运行:有人取消了它,或前一次还没有结束。数据未更新;"
        "请管理员在页面上看前一次运行,需要时手工再运行一次。",
    ),
}
"""What became of a run, and what to do, by Prefect's name of the state."""


@dataclass(frozen=True)
class Message:
    """One matter. `matter` is its key; `about` is what its fingerprint is made of, so that a
    day's count in the text alone does not send it again."""

    matter: str
    title: str
    body: str
    about: str = ""

    @property
    def fingerprint(self) -> str:
        return sha256((self.about or f"{self.title}\n{self.body}").encode()).hexdigest()[:32]


def run_messages(
    run: Run,
    resources: Sequence[ResourceStatus],
    reject_threshold: int,
    names: Names = Names(),  # noqa: B008 — it cannot be changed
) -> list[Message]:
    """What a nightly run has to tell: each source that failed, each with too many rejects."""
    found = []
    for source in run.failed_sources:
        failed = [f for f in run.failed if f.source == source]
        lines = [
            f"{names.resource(source, f.resource) if f.resource else names.source(source)}:{f.message}"
            for f in failed[:MOST_LINES]
        ]
        found.append(
            Message(
                f"source/{source}",
                f"夜间取数:{names.source(source)}未取到",
                "\n".join([*lines, "其余来源已照常装载;下次运行会接着补取。"]),
                about=",".join(sorted(f.resource for f in failed)),
            )
        )
    rejects: dict[str, int] = {}
    for one in resources:
        rejects[one.source_system] = rejects.get(one.source_system, 0) + one.open_rejects
    for source, count in sorted(rejects.items()):
        if count >= reject_threshold:
            # By half decades: told again when it grows markedly, not by each record.
            size = len(str(count)) * 2 + (count >= 5 * 10 ** (len(str(count)) - 1))
            found.append(
                Message(
                    f"rejects/{source}",
                    f"{names.source(source)}有 {count} 条退回记录待处理",
                    f"这些记录类型不符或缺少必填项,未计入。查看:nianbao rejects --source {source}",
                    about=str(size),
                )
            )
    return found


def edition_messages(edition: Edition) -> list[Message]:
    """An edition that waits for its publication, and what blocks it; none once published."""
    if edition.status != "pending":
        return []
    found = [
        Message(
            f"waiting/{edition.reference}",
            f"{edition.report_name}版次 {edition.id} 待发布",
            "表格、核对问题与文件见年终编制的运行结果。",
            about=edition.id,
        )
    ]
    blocking = edition.blocking_findings
    if blocking:
        counts: dict[str, int] = {}
        for f in blocking:
            counts[f.code] = counts.get(f.code, 0) + 1
        lines = "、".join(f"{code} {count} 项" for code, count in sorted(counts.items()))
        found.append(
            Message(
                f"blocking/{edition.reference}",
                f"{edition.report_name}有 {len(blocking)} 项阻断问题",
                f"{lines}。请按核对结果在来源系统改正或登记更正后重新编制。",
                about=lines,
            )
        )
    return found


def deadline_messages(found: Deadlines) -> list[Message]:
    """The day's deadlines as one message a kind."""
    messages = []
    overdue, soon = found.overdue, found.soon
    if overdue or soon:
        counted = [
            (sum((a.working_days_left or 0) < 0 for a in of), len(of), of[0].organ_name)
            for of in by_organ([*overdue, *soon]).values()
        ]
        lines = [
            f"{organ}:逾期 {late} 件,将到期 {count - late} 件"
            for late, count, organ in sorted(counted, key=lambda c: (-c[0], c[0] - c[1], c[2]))
        ]
        messages.append(
            Message(
                "deadlines/applications",
                f"依申请公开:逾期 {len(overdue)} 件,"
                f"{limits()['application']['soon_working_days']} 个工作日内到期 {len(soon)} 件",
                _lines(lines),
                about=_records(f"{a.source_system}/{a.record_id}" for a in [*overdue, *soon]),
            )
        )
    if found.calendar_ends_soon:
        messages.append(
            Message("deadlines/calendar", "工作日历将用尽,到期日暂定", calendar_told(found))
        )
    if found.work_order_counts:
        late = sum(c[1] for c in found.work_order_counts)
        near = sum(c[2] for c in found.work_order_counts)
        messages.append(
            Message(
                "deadlines/work_orders",
                f"热线工单:逾期 {late} 件,将到期 {near} 件",
                _lines([f"{o}:逾期 {a} 件,将到期 {b} 件" for o, a, b in found.work_order_counts]),
            )
        )
    for key, what, silent in (
        ("accounts", "政务新媒体账号超过两周未更新", found.accounts),
        ("channels", "网站栏目超期未更新", found.channels),
    ):
        if silent:
            messages.append(
                Message(
                    f"deadlines/{key}",
                    f"{what}:{len(silent)} 个",
                    _lines([f"{s.organ_name} {s.name}" for s in silent]),
                    about=_records(f"{s.organ_name}/{s.name}" for s in silent),
                )
            )
    for filing in found.filings:
        if not filing.is_published and -30 <= filing.days_left <= limits()["soon_filing_days"]:
            when = (
                f"还有 {filing.days_left} 天"
                if filing.days_left >= 0
                else f"已过 {-filing.days_left} 天"
            )
            # Told when it comes near, a week before, on the day's eve, and once it is past.
            stage = next(
                (s for s in (-1, 1, 7, 30) if filing.days_left <= s), limits()["soon_filing_days"]
            )
            messages.append(
                Message(
                    f"filing/{filing.on:%Y-%m-%d}/{filing.what}",
                    f"{filing.on.month} 月 {filing.on.day} 日:{filing.what},{when}",
                    f"{filing.report}尚未发布。",
                    about=str(stage),
                )
            )
    return messages


def lost_run_message(flow: str, run_name: str, state: str, at: datetime) -> Message:
    """A run that crashed, was cancelled, or did not begin when it was due."""
    what, remedy = LOST.get(state, (state, LOST["Crashed"][1]))
    title = TITLES.get(flow, flow)
    # Until it begins a run has a name that the server made up.
    named = run_name if run_name.startswith(title) else title
    return Message(f"run/{flow}", f"{named} {what}", remedy, about=f"{state} {at:%Y-%m-%d}")


def _lines(lines: Sequence[str]) -> str:
    more = [f"……另有 {len(lines) - MOST_LINES} 项"] if len(lines) > MOST_LINES else []
    return "\n".join([*lines[:MOST_LINES], *more])


def _records(keys: Iterable[str]) -> str:
    return sha256("\n".join(sorted(keys)).encode()).hexdigest()


def notify(
    lake: Lake,
    settings: Settings,
    messages: Sequence[Message],
    *,
    now: datetime,
    scope: Sequence[str] = (),
) -> list[Message]:
    """Send what is new or changed, and what could not be sent before; returns what was sent.

    `scope` are the beginnings of matter keys that this call speaks for: a matter of the scope
    that is no longer among the messages is resolved, and would be told anew. Never raises:
    a channel that fails is logged, without addresses. What was told is remembered in the lake;
    where that cannot be read or written a message is rather sent twice than never.
    """
    try:
        return _notify(lake, settings, messages, now, scope)
    except Exception as error:
        logger.warning("消息未能处理:%s", type(error).__name__)
        return []


def _notify(
    lake: Lake, settings: Settings, messages: Sequence[Message], now: datetime, scope: Sequence[str]
) -> list[Message]:
    addresses = settings.notify.get_secret_value().split()
    if not addresses:
        return []
    try:
        held = _held(lake)
    except NianbaoError as error:
        told = [replace(m, body=f"{m.body}\n{error}") for m in messages]
        return [m for m in told if not _send(addresses, m)]
    due = [m for m in messages if held.get(m.matter) != (m.fingerprint, "told")]
    sent = {m.matter: _send(addresses, m) for m in due}
    current = {m.matter for m in messages}
    gone = [
        matter
        for matter, (_, status) in held.items()
        if matter not in current
        and status != "resolved"
        and matter.startswith(tuple(scope) or "\0")
    ]
    try:
        if due or gone:
            with lake.write() as connection, transaction(connection):
                for message in due:
                    _keep(connection, message, sent[message.matter], now)
                for matter in gone:
                    connection.execute(
                        "UPDATE ops.message SET message_status = 'resolved', changed_at = ? "
                        "WHERE matter = ?",
                        [now, matter],
                    )
    except NianbaoError as error:
        logger.warning("消息的发送情况未能记下:%s", error)
    return [m for m in due if not sent[m.matter]]


def _held(lake: Lake) -> dict[str, tuple[str, str]]:
    """Fingerprint and status of each matter that was ever told. Raises NoLake."""
    with lake.read() as connection:
        return {
            matter: (fingerprint, status)
            for matter, fingerprint, status in connection.execute(
                "SELECT matter, fingerprint, message_status FROM ops.message"
            ).fetchall()
        }


def _keep(connection: Connection, message: Message, failure: str, now: datetime) -> None:
    connection.execute("DELETE FROM ops.message WHERE matter = ?", [message.matter])
    connection.execute(
        "INSERT INTO ops.message VALUES (?, ?, ?, ?, ?, ?)",
        [
            message.matter,
            message.fingerprint,
            message.title,
            "waiting" if failure else "told",
            now,
            failure or None,
        ],
    )


def _send(addresses: Sequence[str], message: Message) -> str:
    """Send one message over every channel; returns what failed, empty when nothing did.

    Which channel failed is told by its kind and place in the setting: an address holds a
    secret. Once one channel has it the message counts as told.
    """
    import apprise

    failed = []
    for position, address in enumerate(addresses, start=1):
        channel = apprise.Apprise()
        try:
            is_sent = channel.add(address) and channel.notify(
                title=typeset(f"【年报】{message.title}"), body=typeset(message.body)
            )
        except Exception:
            is_sent = False
        if not is_sent:
            failed.append(f"第 {position} 个({address.partition(':')[0]})")
    if not failed:
        return ""
    told = f"未能发出的渠道:{'、'.join(failed)}"
    logger.warning("%s:%s", message.title, told)
    return told if len(failed) == len(addresses) else ""
