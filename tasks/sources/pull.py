"""Pull: what is due at a source, fetched into landing folders.

`plan` says what to pull, `pull` pulls one of it, `compare_control_totals` asks the source for
its own counts afterwards. Nothing here writes to the core tables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from tasks import clock
from tasks.load.typed import insert_sql, quoted
from tasks.sources.connector import ApiPull, control_count, cursor_text, requests_of
from tasks.sources.landing import Landed, LandingWriter
from tasks.sources.model import ControlTotal, Resource, Source, WindowRule
from tasks.sources.session import Client
from tasks.sources.windows import Window, moment_text, parse_moment, split
from warehouse.lake import Lake

WINDOWS_A_PULL = 12
AHEAD = timedelta(days=1)


@dataclass(frozen=True)
class Pull:
    """One resource of one source, for one span of time or since one moment.

    `since` is the cursor value from which records are asked for, lag already taken off;
    `known_files` are the workbooks already loaded, name → (sha256, mark).
    """

    source: Source
    resource: Resource
    windows: tuple[Window, ...] = ()
    since: datetime | int | None = None
    is_full: bool = False
    moves_watermark: bool = True
    known_files: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def window_from(self) -> str | None:
        """Where the span begins, as kept in `ops.load`."""
        if self.windows:
            return moment_text(self.windows[0].start)
        return moment_text(self.since) if isinstance(self.since, datetime) else _text(self.since)

    @property
    def window_to(self) -> str | None:
        """Where the span ends; None for “up to now”."""
        return moment_text(self.windows[-1].end) if self.windows else None

    @property
    def title(self) -> str:
        """For people: 政府信息公开台账·依申请公开 2020-01-01 起."""
        name = f"{self.source.title}·{self.resource.title or self.resource.name}"
        if self.windows:
            last = self.windows[-1].end - timedelta(seconds=1)
            return f"{name} {self.windows[0].start:%Y-%m-%d} 至 {last:%Y-%m-%d}"
        if self.resource.workbook is not None:
            return f"{name} 工作簿"
        if self.since is None:
            return f"{name} 全量"
        return (
            f"{name} {self.since:%Y-%m-%d %H:%M} 起"
            if isinstance(self.since, datetime)
            else f"{name} {self.since} 起"
        )


def plan(
    source: Source,
    lake: Lake,
    *,
    full: bool = False,
    window_from: date | datetime | str | None = None,
    window_to: date | datetime | str | None = None,
    resources: Collection[str] | None = None,
    now: datetime | None = None,
) -> list[Pull]:
    """What is due: every resource, or those named, from where the last load left off.

    `full` asks for everything again; a window asks for that span where the resource can be
    asked for one, and for everything where it cannot. Moments are Beijing time.
    """
    now = now or clock.now()
    state = _State.read(source, lake)
    window = _window(window_from, window_to, now)
    pulls: list[Pull] = []
    for resource in source.resources:
        if resources is None or resource.name in resources:
            pulls += _due(source, resource, state, full, window, now)
    return pulls


@dataclass
class _State:
    """What earlier loads left: watermarks, spans that were loaded and when, workbooks."""

    watermarks: dict[str, str] = field(default_factory=dict)
    spans: dict[str, list[tuple[datetime, datetime, datetime]]] = field(default_factory=dict)
    files: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, source: Source, lake: Lake) -> _State:
        state = cls()
        if not lake.exists():
            return state
        with lake.read() as connection:
            for name, value in connection.execute(
                f"SELECT resource, cursor_value FROM ops.watermark WHERE source_system = {quoted(source.name)}"
            ).fetchall():
                state.watermarks[name] = value
            if any(resource.windows for resource in source.resources):
                for name, start, end, at in connection.execute(
                    "SELECT resource, window_from, window_to, started_at FROM ops.load"
                    f" WHERE source_system = {quoted(source.name)} AND load_status <> 'stopped'"
                    " AND window_to IS NOT NULL"
                ).fetchall():
                    state.spans.setdefault(name, []).append(
                        (parse_moment(start), parse_moment(end), at)
                    )
            if any(resource.workbook for resource in source.resources):
                for name, file, sha256, mark in connection.execute(
                    "SELECT resource, file_name, arg_max(sha256, loaded_at), arg_max(coalesce(mark, ''), loaded_at)"
                    f" FROM ops.resource_file WHERE source_system = {quoted(source.name)} GROUP BY ALL"
                ).fetchall():
                    state.files.setdefault(name, {})[file] = (sha256, mark)
        return state


def _due(
    source: Source,
    resource: Resource,
    state: _State,
    full: bool,
    window: Window | None,
    now: datetime,
) -> Iterable[Pull]:
    if resource.workbook is not None:
        known = {} if full else state.files.get(resource.name, {})
        return [Pull(source, resource, known_files=known)]
    rule, cursor = resource.windows, resource.cursor
    is_first = cursor is not None and resource.name not in state.watermarks
    if rule is not None and (window is not None or full or is_first or cursor is None):
        span = window or Window(parse_moment(rule.start), now + AHEAD)
        windows: Iterable[Window] = split(span, rule.split)
        if cursor is not None and window is None:
            # One pull, because the watermark may move only when every window was loaded.
            return [Pull(source, resource, windows=tuple(windows), is_full=True)]
        if not full and window is None:
            loaded = state.spans.get(resource.name, [])
            windows = (w for w in windows if not _is_settled(w, rule, loaded))
        return [
            Pull(source, resource, windows=group, is_full=True, moves_watermark=False)
            for group in _adjoining(windows)
        ]
    if cursor is not None and window is None and not full:
        since = _since(resource, state.watermarks.get(resource.name))
        return [Pull(source, resource, since=since)]
    # Without a filter that could be asked, the list is pulled whole.
    since = _since(resource, None) if cursor is not None else None
    return [Pull(source, resource, since=since, is_full=since is None, moves_watermark=True)]


def _is_settled(
    window: Window, rule: WindowRule, loaded: list[tuple[datetime, datetime, datetime]]
) -> bool:
    """Whether the window was pulled after it could no longer change."""
    return any(
        start <= window.start and end >= window.end and at >= window.end + rule.lag
        for start, end, at in loaded
    )


def _adjoining(windows: Iterable[Window]) -> Iterable[tuple[Window, ...]]:
    """Runs of windows without a hole, each short enough for one pull."""
    runs: list[list[Window]] = []
    for window in windows:
        if runs and runs[-1][-1].end == window.start:
            runs[-1].append(window)
        else:
            runs.append([window])
    return [
        tuple(run[first : first + WINDOWS_A_PULL])
        for run in runs
        for first in range(0, len(run), WINDOWS_A_PULL)
    ]


def _since(resource: Resource, watermark: str | None) -> datetime | int | None:
    """The watermark less the lag; where there is none, the beginning that the file names."""
    cursor = resource.cursor
    assert cursor is not None
    if watermark is None:
        if cursor.initial is None:
            return None
        return int(cursor.initial) if cursor.kind == "number" else parse_moment(cursor.initial)
    if isinstance(cursor.lag, timedelta):
        return parse_moment(watermark) - cursor.lag
    return int(watermark) - cursor.lag if cursor.kind == "number" else parse_moment(watermark)


def _window(
    start: date | datetime | str | None, end: date | datetime | str | None, now: datetime
) -> Window | None:
    if start is None and end is None:
        return None
    return Window(
        parse_moment(start) if start is not None else datetime(1949, 10, 1),
        parse_moment(end) if end is not None else now + AHEAD,
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def pull(
    pull: Pull,
    landing: Path,
    *,
    progress: Callable[[int, int | None], None] | None = None,
) -> Landed:
    """Fetch one planned pull into a new landing folder.

    `progress` is told the records read and, where the source says, how many there are.
    Raises SourceUnavailable, SourceDenied or SourceContractError; nothing is left behind then.
    """
    if pull.resource.workbook is not None:
        from tasks.sources.folder import pull_workbooks

        return pull_workbooks(pull, landing, progress=progress)
    source, resource = pull.source, pull.resource
    with LandingWriter(landing, source.name, resource.name) as writer, Client(source) as client:
        listed = requests_of(
            client,
            source,
            resource,
            since=cursor_text(source, resource, pull.since) if pull.since is not None else None,
            until=_until(source, resource),
            windows=pull.windows,
        )
        run = ApiPull(client, resource, writer, progress)
        run.run(listed)
        return writer.finish(
            rows_read=run.projector.read,
            rows_not_selected=sum(p.not_selected for p in run.projectors),
            expected_rows=run.expected_rows,
            window_from=pull.window_from,
            window_to=pull.window_to,
            is_full=pull.is_full,
            moves_watermark=pull.moves_watermark,
            request=client.shown(listed[0][0]),
            new_fields={p.name: sorted(p.watch.found) for p in run.projectors if p.watch},
        )


def _until(source: Source, resource: Resource) -> str | None:
    cursor = resource.cursor
    if cursor is None or cursor.end_param is None or cursor.kind == "number":
        return None
    return cursor_text(source, resource, clock.now() + AHEAD)


@dataclass(frozen=True)
class Difference:
    """A window in which the source counts other than the warehouse."""

    source: str
    resource: str
    window: Window | None
    source_count: int
    warehouse_count: int


def compare_control_totals(
    source: Source,
    resource: Resource | str,
    lake: Lake,
    *,
    load_id: str | None = None,
    now: datetime | None = None,
) -> list[Difference]:
    """Ask the source for its counts, keep them beside ours in `ops.control_total`.

    Returns the windows that differ; they are to be pulled again. A resource without
    `control_total` has none. Raises SourceError.
    """
    resource = source.resource(resource) if isinstance(resource, str) else resource
    rule = resource.control_total
    if rule is None:
        return []
    now = now or clock.now()
    windows: list[Window | None] = [None]
    if rule.start is not None:
        windows = list(split(Window(parse_moment(rule.start), now + AHEAD), rule.split))
    with Client(source) as client:
        theirs = [control_count(client, source, rule, window) for window in windows]
    ours = _warehouse_counts(source, resource, rule, windows, lake)
    found = [
        Difference(source.name, resource.name, window, their_count, our_count)
        for window, their_count, our_count in zip(windows, theirs, ours, strict=True)
    ]
    _keep(found, lake, now, load_id)
    return [d for d in found if d.source_count != d.warehouse_count]


def _warehouse_counts(
    source: Source,
    resource: Resource,
    rule: ControlTotal,
    windows: list[Window | None],
    lake: Lake,
) -> list[int]:
    condition = "source_system = ? AND starts_with(origin, ?)"
    if not rule.counts_removed:
        condition += " AND removed_at IS NULL"
    values = [source.name, f"{source.name}/{resource.name}/"]
    measures = [
        "count(*)"
        if window is None
        else f"count(*) FILTER ({rule.column} >= ? AND {rule.column} < ?)"
        for window in windows
    ]
    spans = [moment for window in windows if window for moment in (window.start, window.end)]
    with lake.read() as connection:
        row = connection.execute(
            f"SELECT {', '.join(measures)} FROM core.{resource.table} WHERE {condition}",
            [*spans, *values],
        ).fetchone()
    assert row is not None
    return list(row)


def _keep(found: list[Difference], lake: Lake, now: datetime, load_id: str | None) -> None:
    rows = [
        {
            "source_system": d.source,
            "resource": d.resource,
            "window_from": moment_text(d.window.start) if d.window else None,
            "window_to": moment_text(d.window.end) if d.window else None,
            "source_count": d.source_count,
            "warehouse_count": d.warehouse_count,
            "compared_at": now,
            "load_id": load_id,
        }
        for d in found
    ]
    with lake.write() as connection:
        connection.execute(insert_sql("ops.control_total", rows))
