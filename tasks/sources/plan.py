"""What is due at a source: every resource from where its last load left off."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from tasks import clock
from tasks.sources.model import Resource, Source, WindowRule
from tasks.sources.windows import Window, moment_text, parse_moment, split
from warehouse.lake import Lake
from warehouse.sql import literal, quoted

WINDOWS_A_PULL = 12
AHEAD = timedelta(days=1)


@dataclass(frozen=True)
class Pull:
    """One resource of one source, for one span of time or since one moment.

    `since` is the cursor value from which records are asked for, lag already taken off;
    `is_everything` says that the spans are all there are;
    `known_files` are the workbooks already loaded, name → (sha256, mark).
    """

    source: Source
    resource: Resource
    windows: tuple[Window, ...] = ()
    since: datetime | int | None = None
    is_full: bool = False
    is_everything: bool = False
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
    state = _State.read(source, lake, now)
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
    unseen: set[str] = field(default_factory=set)
    without_cursor: set[str] = field(default_factory=set)
    spans: dict[str, list[tuple[datetime, datetime, datetime]]] = field(default_factory=dict)
    files: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, source: Source, lake: Lake, now: datetime) -> _State:
        """What the lake holds of a source. What was noted at a moment that has not been counts
        for nothing: a clock was wrong."""
        state = cls()
        if not lake.exists():
            return state
        of = f"source_system = {quoted(source.name)}"
        latest = literal(max(now, clock.now()))
        with lake.read() as connection:
            # One statement: each look at a table of the lake asks its catalog.
            for about, name, value in connection.execute(
                f"SELECT 'watermark', resource, cursor_value FROM ops.watermark WHERE {of} "
                f"UNION ALL SELECT DISTINCT 'unseen', resource, NULL FROM ops.unseen WHERE {of} "
                f"UNION ALL SELECT DISTINCT kind, resource, NULL FROM ops.drift WHERE {of} "
                "AND kind = 'no_cursor_value'"
            ).fetchall():
                if about == "watermark":
                    state.watermarks[name] = value
                else:
                    (state.unseen if about == "unseen" else state.without_cursor).add(name)
            if any(resource.windows for resource in source.resources):
                for name, start, end, at in connection.execute(
                    "SELECT resource, window_from, window_to, started_at FROM ops.load"
                    f" WHERE {of} AND load_status <> 'stopped' AND window_to IS NOT NULL"
                    f" AND started_at <= {latest}"
                ).fetchall():
                    state.spans.setdefault(name, []).append(
                        (parse_moment(start), parse_moment(end), at)
                    )
            if any(resource.workbook for resource in source.resources):
                for name, file, sha256, mark in connection.execute(
                    "SELECT resource, file_name, arg_max(sha256, loaded_at), arg_max(coalesce(mark, ''), loaded_at)"
                    f" FROM ops.resource_file WHERE {of} GROUP BY ALL"
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
    # The filter would never give those again that have no value for it: they need the whole list.
    is_followed = cursor is not None and resource.name not in state.without_cursor
    is_first = cursor is not None and resource.name not in state.watermarks
    if rule is not None and (window is not None or full or is_first or not is_followed):
        return _spans(source, resource, rule, state, full, window, now)
    if is_followed and window is None and not full:
        since = _since(resource, state.watermarks.get(resource.name), now)
        return [Pull(source, resource, since=since)]
    # Without a filter that could be asked, the list is pulled whole.
    since = _since(resource, None, now) if is_followed else None
    return [Pull(source, resource, since=since, is_full=since is None, moves_watermark=True)]


def _spans(
    source: Source,
    resource: Resource,
    rule: WindowRule,
    state: _State,
    full: bool,
    window: Window | None,
    now: datetime,
) -> Iterable[Pull]:
    """Pulls of the spans that are due."""
    windows: Iterable[Window] = split(
        window or Window(parse_moment(rule.start), now + AHEAD), rule.split
    )
    is_search = window is None and not full and resource.name in state.unseen
    if window is None and (resource.cursor is not None or is_search):
        # One pull: the watermark may move only when every window was loaded, and what was missed
        # in one span may have moved to any other.
        return [
            Pull(
                source,
                resource,
                windows=tuple(windows),
                is_full=True,
                is_everything=True,
                moves_watermark=resource.cursor is not None,
            )
        ]
    if not full and window is None:
        loaded = state.spans.get(resource.name, [])
        windows = (w for w in windows if not _is_settled(w, rule, loaded))
    return [
        Pull(source, resource, windows=group, is_full=True, moves_watermark=False)
        for group in _adjoining(windows)
    ]


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


def _since(resource: Resource, watermark: str | None, now: datetime) -> datetime | int | None:
    """The watermark less the lag; where there is none, the beginning that the file names."""
    cursor = resource.cursor
    assert cursor is not None
    if watermark is None:
        if cursor.initial is None:
            return None
        return int(cursor.initial) if cursor.kind == "number" else parse_moment(cursor.initial)
    reach = cursor.reach
    if isinstance(reach, timedelta):
        # A watermark that a wrong clock has let run ahead is no later than now.
        return min(parse_moment(watermark), max(now, clock.now())) - reach
    return max(int(watermark) - reach, 0) if int(watermark) >= 0 else int(watermark) - reach


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
