"""编制 and 编制中: what changed since the last build, and how far a run is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from tasks.check import table_versions
from tasks.city.corrections import REVIEWED, WITHDRAWN, entries
from tasks.clock import BEIJING
from tasks.editions.build import BUILD_STEPS, FILES
from tasks.editions.store import EditionRow, editions_of
from warehouse.form import Form
from warehouse.lake import Lake, current_snapshot
from warehouse.period import Period
from warehouse.tables import all_tables

STEPS = (*BUILD_STEPS, FILES)
PULLING = "先取数"
BLOCKED, WRONG_ENTRY = "有阻断问题", "输入有误"
"""Names of final states that flows give (flows/forms.py)."""
StepMark = Literal["done", "wait", "none", "broken"]
_ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
_CHINESE = re.compile("[\u4e00-\u9fff]")
_EDITION = re.compile(r"版次 ([\w.-]+-\d+)")
RUN_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


# ---- before a build


@dataclass(frozen=True)
class Since:
    """What became other after the newest edition of a report: records that were written by table,
    corrections by what was done, and when the sources were last asked."""

    edition: EditionRow | None
    records: tuple[tuple[str, int], ...] = ()
    in_force: int = 0
    withdrawn: int = 0
    loaded_at: datetime | None = None
    published: str = ""

    @property
    def is_unchanged(self) -> bool:
        return not (self.records or self.in_force or self.withdrawn)


def changes_since(lake: Lake, form: Form, period: Period) -> Since:
    """What changed since the last build of a report. Raises NoLake."""
    with lake.read() as connection:
        state = (current_snapshot(connection), lake.catalog.identity())
    return _since(lake, state, form.key, period)


@lru_cache(maxsize=32)
def _since(lake: Lake, _state: object, form: str, period: Period) -> Since:
    with lake.read() as connection:
        of_report = editions_of(connection, form, period)
        loaded = connection.execute("SELECT max(finished_at) FROM ops.load").fetchone()
        loaded_at = loaded[0] if loaded else None
        published = next((r.edition_id for r in of_report if r.is_published), "")
        if not of_report:
            return Since(None, loaded_at=loaded_at, published=published)
        row = of_report[0]
        versions = table_versions(connection)
        records = []
        for t in all_tables():
            version = int(versions[t.full_name].partition("@")[2] or 0)
            if t.layer != "core" or not t.is_pulled or version <= row.lake_snapshot:
                continue
            counted = connection.execute(
                f"SELECT count(*) FROM {t.full_name} AS now "
                f"ANTI JOIN (FROM {t.full_name} AT (VERSION => {int(row.lake_snapshot)})) AS was "
                "ON now.source_system = was.source_system AND now.record_id = was.record_id "
                "AND now.row_hash = was.row_hash "
                "AND now.removed_at IS NOT DISTINCT FROM was.removed_at"
            ).fetchone()
            if counted and counted[0]:
                records.append((t.title, int(counted[0])))
    acts = [a for e in entries(lake) for a in e.acts if a.done_at > row.built_at]
    return Since(
        row,
        tuple(sorted(records, key=lambda one: -one[1])),
        sum(a.state == REVIEWED for a in acts),
        sum(a.state == WITHDRAWN for a in acts),
        loaded_at,
        published,
    )


def years_to_build(form: Form, today: datetime) -> list[int]:
    """The years that a report can be built for, the last that is over first, then this year, whose
    build is a trial, then the earlier ones."""
    last = today.year - 1
    earlier = list(range(last - 1, form.first_year - 1, -1))
    return [year for year in (last, today.year, *earlier) if year >= form.first_year]


# ---- a run that goes on


@dataclass(frozen=True)
class StepShown:
    """A step of a run: done, the present one (wait), one that comes (none), or where it broke off."""

    title: str
    mark: StepMark
    word: str
    seconds: float | None = None

    @property
    def clock(self) -> str:
        """How long it took: 0:14."""
        if self.seconds is None:
            return ""
        whole = int(self.seconds)
        return f"{whole // 60}:{whole % 60:02d}"


@dataclass(frozen=True)
class End:
    """How a run ended, in the words that help: the shape of its mark, the word, the sentence, and
    the edition that came of it."""

    mark: Literal["done", "turn", "broken", "none"]
    word: str
    told: str
    edition_id: str = ""
    may_try_again: bool = False


@dataclass(frozen=True)
class RunShown:
    """A run as the page shows it."""

    id: str
    name: str
    heading: str
    is_over: bool
    is_stopping: bool
    is_waiting: bool
    steps: tuple[StepShown, ...]
    end: End | None
    started_at: datetime | None
    said: str
    asked: Mapping[str, Any] = field(hash=False, default_factory=dict)

    @property
    def at(self) -> int:
        """Which step is the present one, from 1; 0 before the first."""
        return next((i for i, s in enumerate(self.steps, 1) if s.mark == "wait"), 0)


def run_shown(run: Mapping[str, Any], said: Sequence[tuple[str, str]], now: datetime) -> RunShown:
    """A run as Prefect tells it, with what it wrote into its log; `now` in Asia/Shanghai."""
    state = run.get("state") or {}
    kind, name = str(state.get("type", "")), str(state.get("name", ""))
    message = str(state.get("message") or "")
    asked = dict(run.get("parameters") or {})
    is_over = kind in _ENDED
    started = _moment(run.get("start_time"))
    is_build = "年终编制" in str(run.get("name", "")) or "built_by" in asked
    ended = _moment(run.get("end_time")) if is_over else None
    end = _end(kind, name, message) if is_over else None
    steps = _steps(said, asked, started, ended or now, end) if is_build else ()
    told = [text for _, text in said if _CHINESE.search(text)]
    shown = RunShown(
        id=str(run.get("id", "")),
        name=str(run.get("name", "")),
        heading="",
        is_over=is_over,
        is_stopping=kind == "CANCELLING",
        is_waiting=kind in ("SCHEDULED", "PENDING"),
        steps=steps,
        end=end,
        started_at=started,
        said=told[-1] if told else "",
        # Whoever began it elsewhere need not have filled in every field.
        asked=defaultdict(str, asked),
    )
    return RunShown(**{**shown.__dict__, "heading": _heading(shown, name)})


def _heading(run: RunShown, state: str) -> str:
    what = "编制" if run.steps else run.name
    if run.end is not None and run.end.edition_id:
        told = "编好了" if run.end.mark == "done" else run.end.word
        return f"版次 {run.end.edition_id} {told}"
    if run.end is not None:
        return f"{what}:{run.end.word}" if run.end.mark != "done" else f"{what}完成"
    if run.is_stopping:
        return f"正在停止{what}"
    if run.is_waiting:
        return f"{what}在等前一个运行结束" if "Concurrency" in state else f"{what}就要开始"
    if run.steps and run.at:
        return f"正在编制:第 {run.at} 步,共 {len(run.steps)} 步"
    return f"正在进行:{what}"


def _steps(
    said: Sequence[tuple[str, str]],
    asked: Mapping[str, Any],
    started: datetime | None,
    until: datetime,
    end: End | None,
) -> tuple[StepShown, ...]:
    """The steps of a build: what the log tells of has begun, and is over where another follows."""
    titles, begun = _begun(said, asked, started)
    in_order = [title for title in titles if title in begun]
    is_done = end is not None and not end.may_try_again
    if in_order:
        # A form may have fewer steps: one that was passed over does not come any more.
        last = titles.index(in_order[-1])
        titles = [t for at, t in enumerate(titles) if t in begun or (at > last and not is_done)]
    found = []
    for at, title in enumerate(titles):
        if title not in begun:
            found.append(StepShown(title, "none", "未到"))
            continue
        is_last = title == in_order[-1]
        after = until if is_last else begun[titles[at + 1]]
        mark, word = _mark_of(end, is_over=is_done or not is_last)
        found.append(StepShown(title, mark, word, max((after - begun[title]).total_seconds(), 0)))
    return tuple(found)


def _begun(
    said: Sequence[tuple[str, str]], asked: Mapping[str, Any], started: datetime | None
) -> tuple[list[str], dict[str, datetime]]:
    """The steps that a build has, and when each began that did."""
    titles = list(STEPS)
    begun: dict[str, datetime] = {}
    if asked.get("pull_first"):
        titles.insert(0, PULLING)
        if started is not None:
            begun[PULLING] = started
    for at, text in said:
        if text in STEPS and (moment := _moment(at)) is not None:
            begun.setdefault(text, moment)
    return titles, begun


def _mark_of(end: End | None, *, is_over: bool) -> tuple[StepMark, str]:
    if is_over:
        return "done", "完成"
    return ("wait", "进行") if end is None else ("broken", "中断")


def _end(kind: str, name: str, message: str) -> End:
    told = message if _CHINESE.search(message) else ""
    edition = _EDITION.search(told)
    edition_id = edition[1] if edition else ""
    if kind == "COMPLETED":
        return End("done", "完成", told, edition_id)
    if kind == "FAILED" and name == BLOCKED and edition_id:
        return End("turn", "编成了,有问题要处理", told, edition_id)
    if kind == "CANCELLED" and name == WRONG_ENTRY:
        return End("turn", "填写有误,没有编制", told, may_try_again=True)
    if kind == "CANCELLED":
        kept = "已停止。没有留下版次,数据不受影响"
        return End("none", "已停止", told or kept, may_try_again=True)
    if kind == "CRASHED":
        lost = "运行中断,没有做完;已取的数据完好。可再运行一次,仍中断请把运行台中的日志交给维护人员"
        return End("broken", "中断", told or lost, may_try_again=True)
    failed = "没有做完。原因见运行台中的日志,请交给维护人员"
    word = name if _CHINESE.search(name) else "没有做成"
    return End("broken", word, told or failed, may_try_again=True)


def _moment(text: Any) -> datetime | None:
    """A time of Prefect's, in Asia/Shanghai without zone."""
    try:
        told = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        return told.astimezone(BEIJING).replace(tzinfo=None)
    except ValueError:
        return None
