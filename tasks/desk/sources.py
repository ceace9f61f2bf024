"""Each source with its resources as they stand: what came, what did not, since when.

A resource that failed in a run counts as not fetched until a later pull brought it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from tasks.city.names import Names
from tasks.desk.city import names_of
from tasks.watch.runs import FailedResource, PastRun
from tasks.watch.status import ResourceStatus
from warehouse.tables import table as table_named

State = Literal["done", "turn", "broken", "wait", "none"]
NIGHTLY = "nightly"


@dataclass(frozen=True)
class Failure:
    """A source that did not bring everything in its last run: since when, which resources, and
    what its system said. `mends_itself` is false where the source answered otherwise than its
    file says, or this machine did not take it."""

    source: str
    title: str
    resources: tuple[str, ...]
    messages: tuple[str, ...]
    nights: int
    until: datetime | None
    is_of_source: bool
    mends_itself: bool
    run_started_at: datetime
    run_ended_at: datetime | None


@dataclass(frozen=True)
class ListState:
    """A resource as the pages show it: its state, and the word for it."""

    title: str
    status: ResourceStatus
    state: State
    word: str
    is_stale: bool


@dataclass(frozen=True)
class SystemState:
    """A source with its resources; its state is the gravest of theirs."""

    source: str
    title: str
    state: State
    word: str
    last_pull_at: datetime | None
    lists: tuple[ListState, ...]
    failure: Failure | None = None


_GRAVITY: Mapping[State, int] = {"broken": 0, "turn": 1, "wait": 2, "done": 3, "none": 4}


def failures(
    runs: Sequence[PastRun], resources: Sequence[ResourceStatus], names: Names
) -> list[Failure]:
    """The sources whose newest run left something out that has not come since; `runs` are the
    finished ones, the newest first."""
    pulled = {(r.source_system, r.resource): r for r in resources}
    found: dict[str, list[tuple[PastRun, FailedResource]]] = {}
    for run in runs:
        for failed in run.failed:
            if not _came_since(failed, run, pulled.values()):
                found.setdefault(failed.source, []).append((run, failed))
    return [
        _failure(source, of, runs, pulled.values(), names) for source, of in sorted(found.items())
    ]


def _came_since(failed: FailedResource, run: PastRun, resources: Iterable[ResourceStatus]) -> bool:
    """Whether what failed in a run was pulled after it: every resource, where all failed."""
    of = [
        r.last_pull_at
        for r in resources
        if r.source_system == failed.source and failed.resource in ("", r.resource)
    ]
    ended = run.finished_at or run.started_at
    return bool(of) and all(at is not None and at > ended for at in of)


def _failure(
    source: str,
    of: Sequence[tuple[PastRun, FailedResource]],
    runs: Sequence[PastRun],
    resources: Iterable[ResourceStatus],
    names: Names,
) -> Failure:
    newest = of[0][0]
    failed = [f for run, f in of if run is newest]
    own = [r for r in resources if r.source_system == source]
    hit = [r for r in own if any(f.resource in ("", r.resource) for f in failed)] or own
    until = min((r.last_pull_at for r in hit if r.last_pull_at), default=None)
    stopped = any(r.last_status == "stopped" for r in hit)
    nights = 0
    for run in runs:
        if run.flow == NIGHTLY:
            if source not in run.failed_sources:
                break
            nights += 1
    is_of_source = all(f.is_of_source for f in failed)
    return Failure(
        source=source,
        title=names.source(source),
        resources=tuple(
            dict.fromkeys(list_title(names, source, f.resource, own) for f in failed if f.resource)
        ),
        messages=tuple(dict.fromkeys(f.message for f in failed)),
        nights=max(nights, 1),
        until=until,
        is_of_source=is_of_source,
        mends_itself=is_of_source and not stopped,
        run_started_at=newest.started_at,
        run_ended_at=newest.finished_at,
    )


def list_title(
    names: Names, source: str, resource: str, resources: Iterable[ResourceStatus] = ()
) -> str:
    """What a resource is called: as its source file says, else as the table that it fills."""
    told = names.resource(source, resource)
    if told != resource:
        return told
    of = [r for r in resources if (r.source_system, r.resource) == (source, resource)]
    return table_title(of[0].table) if of else resource


def table_title(name: str) -> str:
    """The title of a core table; a name that no table has stands as it is."""
    try:
        return table_named(f"core.{name.removeprefix('core.')}").title
    except KeyError:
        return name


def systems(
    city: Path,
    resources: Sequence[ResourceStatus],
    failed: Sequence[Failure],
    missing_workbooks: Mapping[tuple[str, str], int],
    *,
    now: datetime,
    stale_after: timedelta,
) -> list[SystemState]:
    """Every source of the city, those that need someone first; `missing_workbooks` counts what is
    missing of a resource, `stale_after` is when a pull is too old."""
    names = names_of(city)
    by_source = {f.source: f for f in failed}
    sources = dict.fromkeys([*names.sources, *(r.source_system for r in resources)])
    found = []
    for source in sources:
        failure = by_source.get(source)
        lists = tuple(
            _list(one, names, failure, missing_workbooks, now, stale_after)
            for one in resources
            if one.source_system == source
        )
        lists = tuple(sorted(lists, key=lambda one: _GRAVITY[one.state]))
        pulled = [one.status.last_pull_at for one in lists if one.status.last_pull_at]
        state, word = _of_system(lists, failure)
        found.append(
            SystemState(
                source, names.source(source), state, word, min(pulled, default=None), lists, failure
            )
        )
    return sorted(found, key=lambda one: _GRAVITY[one.state])


def _of_system(lists: Sequence[ListState], failure: Failure | None) -> tuple[State, str]:
    if failure is not None:
        return "broken", "没有取到"
    if not lists:
        return "turn", "从未取过"
    worst = lists[0]
    if worst.state in ("done", "none"):
        return "done", "正常"
    return worst.state, worst.word


def _list(
    one: ResourceStatus,
    names: Names,
    failure: Failure | None,
    missing: Mapping[tuple[str, str], int],
    now: datetime,
    stale_after: timedelta,
) -> ListState:
    title = list_title(names, one.source_system, one.resource, [one])
    pulled = one.last_pull_at
    is_stale = pulled is not None and now - pulled > stale_after
    state, word = _state(
        one, title, failure, missing, (now - pulled).days if pulled else 0, is_stale
    )
    return ListState(title, one, state, word, is_stale)


def _state(
    one: ResourceStatus,
    title: str,
    failure: Failure | None,
    missing: Mapping[tuple[str, str], int],
    days: int,
    is_stale: bool,
) -> tuple[State, str]:
    has_failed = failure is not None and (not failure.resources or title in failure.resources)
    if has_failed or one.last_status == "stopped":
        return "broken", "没有取到"
    if one.last_pull_at is None:
        return "broken", "从未取到"
    if is_stale:
        return "broken", f"已 {max(1, days)} 天没有取"
    if one.totals_agree is False:
        gap = abs((one.source_count or 0) - (one.warehouse_count or 0))
        return "turn", f"与来源差 {gap:,} 条"
    if one.open_rejects:
        return "turn", f"退回 {one.open_rejects:,} 条"
    if missing.get((one.source_system, one.resource)):
        return "turn", f"缺 {missing[(one.source_system, one.resource)]} 份"
    return "done", "条数一致" if one.totals_agree else "正常"
