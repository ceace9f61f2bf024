"""One planned pull: its requests, pages and records, into a new landing folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tasks import clock
from tasks.sources.client import Client
from tasks.sources.connector import ApiPull, cursor_text, requests_of
from tasks.sources.database import pull_query
from tasks.sources.folder import pull_workbooks
from tasks.sources.landing import Landed, LandingWriter
from tasks.sources.model import Resource, Source
from tasks.sources.plan import AHEAD, Pull
from warehouse.lake_errors import LakeError
from warehouse.shelf import Shelf

Progress = Callable[[int, int | None], None]


def pull(
    pull: Pull,
    landing: Path,
    *,
    shelf: Shelf | None = None,
    progress: Progress | None = None,
) -> Landed:
    """Fetch one planned pull into a new landing folder, and keep it on the `shelf`.

    `progress` is told the records read and, where the source says, how many there are.
    Raises SourceUnavailable, SourceDenied or SourceContractError, and LakeError when it cannot be
    kept; nothing is left behind then.
    """
    landed = _landed(pull, landing, progress)
    if shelf is not None:
        try:
            shelf.keep(landed.load_id)
        except LakeError:
            shutil.rmtree(landed.folder, ignore_errors=True)
            raise
    return landed


def _landed(pull: Pull, landing: Path, progress: Progress | None) -> Landed:
    if pull.resource.workbook is not None:
        return pull_workbooks(pull, landing, progress=progress)
    if pull.resource.query is not None:
        return pull_query(pull, landing, progress=progress)
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
            clock_ahead=client.clock_ahead,
            counts=run.counts,
            doubled=run.doubled,
            expected_rows=run.expected_rows,
            window_from=pull.window_from,
            window_to=pull.window_to,
            is_full=pull.is_full,
            is_everything=pull.is_everything,
            moves_watermark=pull.moves_watermark,
            request=client.shown(listed[0][0]),
            notes=[*run.notes, *client.notes],
            new_fields={p.name: sorted(p.watch.found) for p in run.projectors if p.watch},
        )


def _until(source: Source, resource: Resource) -> str | None:
    cursor = resource.cursor
    if cursor is None or cursor.end_param is None or cursor.kind == "number":
        return None
    return cursor_text(source, resource, clock.now() + AHEAD)
