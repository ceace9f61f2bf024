"""Load: a landing folder into the core tables, in one transaction.

Typed set-based in DuckDB; rows whose fingerprint is unchanged are not written; rows that
cannot be typed go to `ops.reject` with the reason; the watermark and the load record are in
the same transaction. A load that was made already is not made twice.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path

from tasks import clock
from tasks.load_model import Batch, ListResult, LoadResult, Work
from tasks.load_record import Record
from tasks.load_stage import Stage
from tasks.load_write import Write
from tasks.sources.errors import PartlyLoaded, SourceContractError
from tasks.sources.landing import Landed
from tasks.sources.model import Resource, Source
from tasks.sources.windows import parse_moment
from tasks.typed import quoted
from warehouse.lake import Lake, transaction

__all__ = ["Batch", "ListResult", "LoadResult", "load", "load_batch", "note_failure"]


def load(
    landed: Landed,
    source: Source,
    lake: Lake,
    *,
    now: datetime | None = None,
    run_id: str | None = None,
) -> LoadResult:
    """Merge a landing into the core tables. All of it is written, or nothing.

    `now` is the load's time in Beijing time. Raises RejectLimitExceeded or
    SourceContractError, of which the load record then tells, before the core table is touched.
    """
    manifest = landed.manifest
    prefix = (
        f"{manifest.source}/{manifest.resource}/"
        if source.resource(manifest.resource).workbook is not None
        else f"{manifest.load_id}/"
    )
    batch = Batch(
        load_id=manifest.load_id,
        files={
            name: [str(landed.folder / file.name) for file in files]
            for name, files in manifest.lists.items()
        },
        origin_prefix=prefix,
        started_at=parse_moment(manifest.started_at),
        manifest=manifest,
        manifest_path=_below_home(landed.folder),
    )
    resource = source.resource(manifest.resource)
    result = load_batch(batch, source, resource, lake, now=now, run_id=run_id)
    if manifest.problems:
        raise PartlyLoaded(
            f"{source.title}·{resource.title or resource.name}有 {len(manifest.problems)} 个文件未能读取,"
            "其余文件已装载:\n" + "\n".join(manifest.problems)
        )
    return result


def load_batch(
    batch: Batch,
    source: Source,
    resource: Resource,
    lake: Lake,
    *,
    now: datetime | None = None,
    run_id: str | None = None,
) -> LoadResult:
    """Merge landing rows of one resource and its children; see `load`."""
    now = now or clock.now()
    with lake.write() as connection:
        done = connection.execute(
            f"SELECT load_status FROM ops.load WHERE load_id = {quoted(batch.load_id)}"
        ).fetchone()
        if done is not None and done[0] != "stopped":
            return LoadResult(batch.load_id, source.name, resource.name, done[0], is_repeated=True)
        work = Work(connection, batch, source, resource, now, run_id)
        stage = Stage(work)
        try:
            stage.stage()
            stage.judge()
        except SourceContractError as error:
            Record(work, stage.lists).stop(str(error), stage.drift)
            raise
        return _write(work, stage)


def _write(work: Work, stage: Stage) -> LoadResult:
    """Everything in one transaction."""
    result = LoadResult(work.batch.load_id, work.source.name, work.resource.name, "unchanged")
    result.lists = [staged.result for staged in stage.lists]
    result.lists = result.lists or [ListResult(work.resource.name, work.resource.table)]
    write = Write(work)
    for staged in stage.lists:
        write.find_changed(staged)
    with transaction(work.connection):
        for staged in stage.lists:
            write.merge(staged)
            write.remove_absent(staged)
            write.keep_rejects(staged)
        if result.rows_written or result.rows_removed:
            result.status = "loaded"
        Record(work, stage.lists).write(result)
    return result


def note_failure(
    source: Source,
    resource: Resource,
    lake: Lake,
    error: SourceContractError,
    *,
    now: datetime | None = None,
    run_id: str | None = None,
) -> None:
    """Keep a load record of a pull that was stopped because the source broke its contract."""
    now = now or clock.now()
    load_id = f"{source.name}/{resource.name}/stopped-{secrets.token_hex(6)}"
    batch = Batch(load_id, {}, "", now, None, None)
    with lake.write() as connection:
        work = Work(connection, batch, source, resource, now, run_id)
        Record(work, []).stop(str(error), [])


def _below_home(folder: Path) -> str:
    """A landing folder as kept in `ops.load`: relative to the data home."""
    return "/".join(("landing", *folder.parts[-3:], "manifest.json"))
