"""Progress of a run: on the terminal, and as progress artifacts in the Prefect UI."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

SECONDS_BETWEEN_UPDATES = 2.0
"""An artifact is updated over the network; more often tells nobody more."""


class Meter:
    """One line of progress. Threads may report; only the flow's own thread writes artifacts."""

    def __init__(self, bar: Progress, task: TaskID, title: str, artifact: UUID | None) -> None:
        self._bar, self._task, self._title = bar, task, title
        self._artifact = artifact
        self._lock = threading.Lock()
        self._done: dict[str, int] = {}
        self._total: dict[str, int | None] = {}
        self._shown_at = 0.0
        self._is_finished = False

    def of(self, part: str) -> Callable[[int, int | None], None]:
        """A callback for one part of the work: records done, records in all if known."""

        def report(done: int, total: int | None) -> None:
            with self._lock:
                self._done[part] = done
                self._total[part] = total
            known = [t for t in self._total.values() if t is not None]
            self._bar.update(
                self._task, completed=sum(self._done.values()), total=sum(known) or None
            )

        return report

    def show(self, fraction: float) -> None:
        """Bring the artifact up to date; `fraction` of the work is done, 0 to 1."""
        if self._artifact is None or self._is_finished:
            return
        if fraction < 1 and time.monotonic() - self._shown_at < SECONDS_BETWEEN_UPDATES:
            return
        self._shown_at = time.monotonic()
        self._is_finished = fraction >= 1
        update_progress_artifact(self._artifact, progress=round(fraction * 100, 1))

    def finish(self) -> None:
        """The work is done, however much it turned out to be."""
        self.show(1)
        done = sum(self._done.values())
        self._bar.update(self._task, completed=done or 1, total=done or 1)


class Progresses:
    """The lines of one run. `steps` is how many steps it has; with it, each is counted in a
    progress artifact of its own."""

    def __init__(self, bar: Progress, steps: int = 0) -> None:
        self._bar = bar
        self._steps, self._done = steps, 0
        made = create_progress_artifact(0.0, key="steps", description="进度") if steps else None
        self._artifact = made if isinstance(made, UUID) else None

    def meter(self, key: str, title: str) -> Meter:
        """A new line; `key` names the artifact (small letters, digits, hyphens)."""
        made = create_progress_artifact(progress=0.0, key=key, description=title)
        artifact = made if isinstance(made, UUID) else None
        return Meter(self._bar, self._bar.add_task(title, total=None), title, artifact)

    def told(self, title: str) -> None:
        """Say on the terminal, or in the run's log, how far a step has come."""
        if self._bar.console.is_terminal:
            self._bar.console.print(f"[dim]·[/dim] {title}")
        else:
            get_run_logger().info("%s", title)

    def step(self, title: str) -> None:
        """Say on the terminal, or in the run's log, what goes on now."""
        self.told(title)
        if self._artifact is not None:
            self._done += 1
            percent = min(99.0, round(100 * (self._done - 1) / self._steps, 1))
            update_progress_artifact(self._artifact, progress=percent, description=f"进度:{title}")

    def finish(self) -> None:
        """Every step is done."""
        if self._artifact is not None:
            update_progress_artifact(self._artifact, progress=100.0, description="进度:完成")


@contextmanager
def progress(steps: int = 0) -> Iterator[Progresses]:
    """Progress of a run of so many steps, where they are known."""
    console = Console(file=sys.stderr)
    with Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=False,
    ) as bar:
        progresses = Progresses(bar, steps)
        yield progresses
        progresses.finish()
