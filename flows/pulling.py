"""Pulling and loading all sources: the part that nightly, backfill and year-end share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from prefect import get_run_logger
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from flows.progress import Meter, Progresses
from tasks.clock import BEIJING, now
from tasks.load.control_totals import Difference
from tasks.load.load import LastContents, LoadResult, note_failure
from tasks.load.waiting import waiting
from tasks.settings import Settings
from tasks.sources.errors import SourceContractError, SourceError
from tasks.sources.landing import Landed
from tasks.sources.model import Resource, Source, load_sources
from tasks.sources.plan import Pull, plan
from tasks.steps import compare_step, load_step, pull_step, unchanged_step
from tasks.watch.runs import FailedResource, Run
from warehouse.lake import Lake
from warehouse.lake_errors import LakeError, unwritable


@dataclass(frozen=True)
class Selection:
    """What to pull: everything since the watermark, or the span and resources named."""

    full: bool = False
    source: str | None = None
    resource: str | None = None
    window_from: str | None = None
    window_to: str | None = None


def pull_sources(
    settings: Settings,
    lake: Lake,
    run: Run,
    progresses: Progresses,
    window: Selection | None = None,
) -> None:
    """Pull every source side by side, load what arrives, compare totals, pull what differs.

    What fails is noted in `run` and keeps nothing else from loading.
    """
    window = window or Selection()
    sources = [
        source
        for source in load_sources(settings.sources, settings.environment)
        if window.source in (None, source.name)
    ]
    _load_waiting(settings, lake, run, sources)
    planned: list[Pull] = []
    for source in sources:
        planned += _planned(source, lake, run, window)
    _pull_and_load(settings, lake, run, progresses, sources, planned)
    if window.window_from is None:
        differing = [p for source in sources for p in _differing(source, lake, run)]
        if differing:
            get_run_logger().info("对账不符,重取 %d 个窗口", len(differing))
            _pull_and_load(settings, lake, run, progresses, sources, differing)
            # Once more, so that what still differs is on record.
            for source, resource in {
                (p.source.name, p.resource.name): (p.source, p.resource) for p in differing
            }.values():
                _compared(source, resource, lake, run)


def _load_waiting(settings: Settings, lake: Lake, run: Run, sources: Sequence[Source]) -> None:
    """Load what a worker that died had pulled: its watermark then need not be asked for again."""
    shelf = settings.landing_shelf
    # This machine may not be the one that maintains.
    shelf.tidy(now().replace(tzinfo=BEIJING))
    for landed, source, resource in waiting(shelf, lake, sources):
        get_run_logger().info("接着装载 %s", landed.load_id)
        _load(landed, Pull(source, resource), lake, run)


def _planned(source: Source, lake: Lake, run: Run, window: Selection) -> list[Pull]:
    try:
        planned = plan(
            source,
            lake,
            full=window.full,
            window_from=window.window_from,
            window_to=window.window_to,
        )
    except SourceError as error:
        run.failed.append(FailedResource(source.name, "", str(error)))
        return []
    return [p for p in planned if window.resource in (None, p.resource.name)]


def _pull_and_load(
    settings: Settings,
    lake: Lake,
    run: Run,
    progresses: Progresses,
    sources: Sequence[Source],
    planned: Sequence[Pull],
) -> None:
    """Pull side by side; load one after the other, as the lake has one writer."""
    by_name = {source.name: source for source in sources}
    count = {name: sum(p.source.name == name for p in planned) for name in by_name}
    meters = {
        name: progresses.meter(f"pull-{name.replace('_', '-')}", source.title)
        for name, source in by_name.items()
        if count[name]
    }
    done = dict.fromkeys(by_name, 0)
    last = _last_contents(lake)
    shelf = settings.landing_shelf
    pulls = Counter((p.source.name, p.resource.name) for p in planned)
    step = pull_step.with_options(
        retry_delay_seconds=exponential_backoff(backoff_factor=settings.retry_seconds)
    )
    # Threads of this process: pulling waits for the network, not for a core.
    with ThreadPoolTaskRunner[Landed](max_workers=settings.fetch_workers) as threads:
        futures: dict[PrefectFuture[Landed], Pull] = {}
        for pull in planned:
            report = meters[pull.source.name].of(pull.title)
            given = {"pull_of": pull, "shelf": shelf, "progress": report}
            futures[threads.submit(step, given)] = pull
        unchanged: list[tuple[Landed, Pull]] = []
        for future in as_completed(list(futures)):
            pull = futures[future]
            name = pull.source.name
            landed = future.result(raise_on_failure=False)
            # Of several landings of one resource each is loaded in its turn.
            is_alone = pulls[(name, pull.resource.name)] == 1
            if is_alone and isinstance(landed, Landed) and last.has(landed, pull.source):
                unchanged.append((landed, pull))
            else:
                _load(landed, pull, lake, run)
            done[name] += 1
            _show(meters[name], done[name], count[name])
    _note_unchanged(unchanged, lake, run)


def _show(meter: Meter, done: int, count: int) -> None:
    if done == count:
        meter.finish()
    else:
        meter.show(done / count)


def _last_contents(lake: Lake) -> LastContents:
    """What was loaded last. Why the lake cannot be asked is for each load to tell."""
    try:
        return LastContents.read(lake)
    except LakeError:
        return LastContents({}, ())


def _note_unchanged(unchanged: Sequence[tuple[Landed, Pull]], lake: Lake, run: Run) -> None:
    """All that brought nothing new, in one transaction: on most nights that is nearly all. What is
    no longer so, or cannot be put on record together, is loaded by itself."""
    if not unchanged:
        return
    landings = [(landed, pull.source) for landed, pull in unchanged]
    state = unchanged_step(landings, lake, now(), run.id, return_state=True)
    results = state.result(raise_on_failure=False)
    if isinstance(results, Exception):
        results = [None] * len(unchanged)
    for (landed, pull), result in zip(unchanged, results, strict=True):
        if result is None:
            _load(landed, pull, lake, run)
        else:
            _note(result, pull, run)


def _load(landed: Landed | BaseException, pull: Pull, lake: Lake, run: Run) -> None:
    """Load what one pull brought, or note why there is nothing to load."""
    error: Exception | str | None = landed if isinstance(landed, Exception) else None
    if isinstance(error, SourceContractError):
        # The source answered otherwise than its file says: `status` must show why it stands still.
        note_failure(pull.source, pull.resource, lake, error, now=now(), run_id=run.id)
    if error is None:
        state = load_step(landed, pull.source, lake, now(), run.id, return_state=True)
        result = state.result(raise_on_failure=False)
        if isinstance(result, Exception):
            error = result
        else:
            _note(result, pull, run)
            error = result.unread
    if error:
        get_run_logger().error("%s:%s", pull.title, error)
        run.failed.append(_failed(pull.source, pull.resource, error))


def _note(result: LoadResult, pull: Pull, run: Run) -> None:
    """What a load brought, in the run and in its log."""
    logger = get_run_logger()
    run.loaded += 1
    run.rows_written += result.rows_written
    run.rows_rejected += result.rows_rejected
    run.rows_removed += result.rows_removed
    run.removed_ids += [i for one in result.lists for i in one.removed_ids]
    logger.info("%s:写入 %d 行,退回 %d 条", pull.title, result.rows_written, result.rows_rejected)
    for told in result.told:
        logger.warning("%s:%s", pull.title, told)


def _failed(source: Source, resource: Resource, error: Exception | str) -> FailedResource:
    """What became of a resource; a text says which of the source's files could not be read."""
    told = unwritable(error.filename or "数据目录", error) if isinstance(error, OSError) else error
    is_of_source = isinstance(error, (SourceError, str))
    return FailedResource(source.name, resource.name, str(told), is_of_source)


def _differing(source: Source, lake: Lake, run: Run) -> list[Pull]:
    """What to pull again of a source, because its counts differ from ours; resources that
    failed are left out."""
    failed = {f.resource for f in run.failed if f.source == source.name}
    found: list[Pull] = []
    if "" in failed:
        return found
    for resource in source.resources:
        if resource.control_total is None or resource.name in failed:
            continue
        for difference in _compared(source, resource, lake, run):
            window = difference.window
            found += plan(
                source,
                lake,
                resources=[resource.name],
                full=window is None,
                window_from=window.start if window else None,
                window_to=window.end if window else None,
            )
    # A resource that cannot be asked for a span is pulled whole, once.
    return list({pull.title: pull for pull in found}.values())


def _compared(source: Source, resource: Resource, lake: Lake, run: Run) -> list[Difference]:
    state = compare_step(source, resource, lake, return_state=True)
    result = state.result(raise_on_failure=False)
    if isinstance(result, Exception):
        run.failed.append(_failed(source, resource, result))
        return []
    return result
