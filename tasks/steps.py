"""The steps as Prefect tasks: a thin wrapper each around the plain function of the same name.

A task's name begins with a word in Latin letters, because the page draws its picture of a run
with a font that has no others. Arguments are references (paths, sources, windows), never data; nothing is cached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from expectations.result import RuleResult
from tasks.check import check_core
from tasks.city.register import register_city
from tasks.editions.build import Built, build_edition
from tasks.editions.edition import Edition
from tasks.editions.take import Taken, take_editions
from tasks.load.control_totals import Difference, compare_control_totals
from tasks.load.load import LoadResult, load, note_unchanged
from tasks.load.rejects import RetryResult, retry
from tasks.publish.maintain import Maintained, maintain
from tasks.publish.publish import Published, publish
from tasks.render import render_edition
from tasks.render.sets import SetOf, write_sets
from tasks.settings import Settings
from tasks.sources.errors import SourceDenied, SourceUnavailable
from tasks.sources.landing import Landed
from tasks.sources.model import Resource, Source
from tasks.sources.plan import Pull
from tasks.sources.pull import pull
from tasks.watch.deadlines import Deadlines, find_deadlines
from tasks.watch.notify import Message, notify
from warehouse.errors import NianbaoError
from warehouse.lake import Lake
from warehouse.period import Period
from warehouse.shelf import Shelf

Given = ParamSpec("Given")
Made = TypeVar("Made")


def may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed pull is worth another try: the system did not answer. A refused
    sign-in or a broken contract will not mend itself within minutes."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, SourceUnavailable) and not isinstance(error, SourceDenied)


def answering(step: Callable[Given, Made]) -> Callable[Given, Made]:
    """A step whose refusal is told by its flow, in one line: were it to leave the task as an
    exception, Prefect would write a traceback before that line.

    Above `@task`, and `refusals_returned` below it.
    """

    @wraps(step)
    def asked(*given: Given.args, **named: Given.kwargs) -> Made:
        found = step(*given, **named)
        if isinstance(found, NianbaoError):
            raise found
        return found

    return asked


def refusals_returned(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """See `answering`."""

    @wraps(function)
    def answered(*given: Given.args, **named: Given.kwargs) -> Made:
        try:
            return function(*given, **named)
        except NianbaoError as error:
            return cast("Made", error)

    return answered


@answering
@task(name="prepare 准备数据湖", cache_policy=NO_CACHE)
@refusals_returned
def prepare_lake_step(lake: Lake, city: Path, now: datetime) -> list[str]:
    """Make what tables are missing and bring in the city's own files."""
    lake.create()
    return register_city(lake, city, now=now)


@task(
    name="pull 取数",
    task_run_name="pull {pull_of.source.name}.{pull_of.resource.name} {pull_of.title}",
    retries=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=may_pass,
    cache_policy=NO_CACHE,
)
def pull_step(
    pull_of: Pull, shelf: Shelf, progress: Callable[[int, int | None], None] | None = None
) -> Landed:
    """Pull one window of one resource into landing files."""
    return pull(pull_of, shelf.folder, shelf=shelf, progress=progress)


@task(
    name="load 装载",
    task_run_name="load {landed.manifest.source}.{landed.manifest.resource} 装载",
    cache_policy=NO_CACHE,
)
def load_step(landed: Landed, source: Source, lake: Lake, now: datetime, run_id: str) -> LoadResult:
    """Load one landing into the core tables, in one transaction."""
    return load(landed, source, lake, now=now, run_id=run_id)


@task(name="unchanged 没有变化", cache_policy=NO_CACHE)
def unchanged_step(
    landings: Sequence[tuple[Landed, Source]], lake: Lake, now: datetime, run_id: str
) -> list[LoadResult | None]:
    """Put on record, in one transaction, the landings that brought nothing new."""
    return note_unchanged(landings, lake, now=now, run_id=run_id)


@task(
    name="compare 对账",
    task_run_name="compare {source.name}.{resource.name} 对账",
    cache_policy=NO_CACHE,
)
def compare_step(source: Source, resource: Resource, lake: Lake) -> list[Difference]:
    """Compare control totals; returns the windows that differ."""
    return compare_control_totals(source, resource, lake)


@answering
@task(name="retry 再读退回的记录", cache_policy=NO_CACHE)
@refusals_returned
def retry_step(
    sources: Sequence[Source],
    lake: Lake,
    shelf: Shelf,
    now: datetime,
    run_id: str,
    *,
    pull_again: bool,
) -> list[RetryResult]:
    """Read open rejects again, by the source files as they are now."""
    return retry(
        sources, lake, shelf.folder, shelf=shelf, pull_again=pull_again, now=now, run_id=run_id
    )


@task(name="check 核对记录", cache_policy=NO_CACHE)
def check_step(lake: Lake, as_of: date, run_id: str, now: datetime) -> list[RuleResult]:
    """Run the rules of the core tables through Great Expectations."""
    return check_core(lake, as_of=as_of, run_id=run_id, now=now)


@answering
@task(name="build 编制版次", task_run_name="build {period.key} 编制版次", cache_policy=NO_CACHE)
@refusals_returned
def build_edition_step(
    lake: Lake,
    city: Path,
    period: Period,
    *,
    form: str,
    now: datetime,
    snapshot: int | None,
    reason: str,
    built_by: str,
    progress: Callable[[str], None],
) -> Built:
    """Build the pending edition from one snapshot."""
    return build_edition(
        lake,
        city,
        period,
        form=form,
        now=now,
        snapshot=snapshot,
        reason=reason,
        built_by=built_by,
        progress=progress,
    )


@answering
@task(name="take 取入各市版次", cache_policy=NO_CACHE)
@refusals_returned
def take_step(
    lake: Lake,
    province: Path,
    cities: Sequence[Settings],
    *,
    is_published_only: bool,
    now: datetime,
    progress: Callable[[str], None],
) -> Taken:
    """Take the cities' editions into the lake of their province."""
    return take_editions(
        lake,
        province,
        cities,
        is_published_only=is_published_only,
        now=now,
        progress=progress,
    )


@answering
@task(name="render 生成文件", task_run_name="render {edition.id} 生成文件", cache_policy=NO_CACHE)
@refusals_returned
def render_step(edition: Edition, folder: Path, lake: Lake, shelf: Shelf) -> list[Path]:
    """Write the edition's workbook, documents and data files."""
    return render_edition(edition, folder, lake=lake, shelf=shelf)


@answering
@task(
    name="sets 各机关成套文件",
    task_run_name="sets {edition.id} 各机关成套文件",
    cache_policy=NO_CACHE,
)
@refusals_returned
def sets_step(
    edition: Edition, folder: Path, lake: Lake, shelf: Shelf, *, progress: Callable[[str], None]
) -> list[SetOf]:
    """Write every organ's own set of documents."""
    return write_sets(edition, folder, lake=lake, shelf=shelf, progress=progress)


@answering
@task(
    name="publish 发布版次",
    task_run_name="publish 批准 {approval} 发布版次",
    cache_policy=NO_CACHE,
)
@refusals_returned
def publish_step(
    lake: Lake,
    settings: Settings,
    approval: str,
    *,
    now: datetime,
    progress: Callable[[str], None],
) -> Published:
    """Freeze and sign the edition that was approved under a number."""
    return publish(lake, settings, approval, now=now, progress=progress)


@task(name="deadlines 查看期限", task_run_name="deadlines {on} 查看期限", cache_policy=NO_CACHE)
def deadlines_step(lake: Lake, city: Path, on: date) -> Deadlines:
    """What is due, near or overdue on a day."""
    return find_deadlines(lake, on, city=city)


@answering
@task(name="maintain 整理数据湖", cache_policy=NO_CACHE)
@refusals_returned
def maintain_step(
    lake: Lake, settings: Settings, *, now: datetime, progress: Callable[[str], None]
) -> Maintained:
    """Merge small files, expire snapshots that no edition pins."""
    return maintain(lake, settings, now=now, progress=progress)


@task(name="notify 发消息", cache_policy=NO_CACHE)
def notify_step(
    lake: Lake,
    settings: Settings,
    messages: Sequence[Message],
    *,
    now: datetime,
    scope: Sequence[str] = (),
) -> list[Message]:
    """Tell what is new or changed; never fails."""
    return notify(lake, settings, messages, now=now, scope=scope)
