"""Load: a landing folder into the core tables, in one transaction.

Typed set-based in DuckDB; rows whose fingerprint is unchanged are not written; rows that
cannot be typed go to `ops.reject` with the reason; the watermark and the load record are in
the same transaction. A load that was made already is not made twice.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from tasks import clock
from tasks.load.batch import LAST_CONTENT, Batch, ListResult, LoadResult, Work, copied_earlier
from tasks.load.left_out import count_not_selected, keep_left_out, prove_left_out
from tasks.load.load_record import LoadRecord
from tasks.load.merge import Write
from tasks.load.stage import Stage
from tasks.sources.errors import SourceContractError
from tasks.sources.landing import Landed, Manifest
from tasks.sources.model import Resource, Source
from tasks.sources.windows import parse_moment
from warehouse.lake import Connection, Lake, transaction
from warehouse.sql import literal

__all__ = [
    "Batch",
    "LastContents",
    "ListResult",
    "LoadResult",
    "load",
    "load_batch",
    "note_failure",
    "note_unchanged",
]


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
    batch, manifest = _batch(landed, source), landed.manifest
    resource = source.resource(manifest.resource)
    result = load_batch(batch, source, resource, lake, now=now, run_id=run_id)
    if manifest.problems:
        result.unread = (
            f"{source.title}·{resource.title or resource.name}有 {len(manifest.problems)} 个文件未能读取,"
            "其余文件已装载:\n" + "\n".join(manifest.problems)
        )
    return result


@dataclass(frozen=True)
class LastContents:
    """What was loaded last of each resource, and of which lists something was not seen, by
    (source, name): read once for all that a run pulls."""

    contents: Mapping[tuple[str, str], str | None]
    unseen: Container[tuple[str, str]]

    @classmethod
    def read(cls, lake: Lake) -> LastContents:
        """Raises LakeError."""
        with lake.read() as connection:
            loads = connection.execute(
                f"SELECT source_system, resource, {LAST_CONTENT} FROM ops.load "
                f"WHERE started_at <= {literal(clock.now())} GROUP BY ALL"
            ).fetchall()
            unseen = connection.execute(
                "SELECT DISTINCT source_system, resource FROM ops.unseen"
            ).fetchall()
        return cls({(source, name): content for source, name, content in loads}, set(unseen))

    def has(self, landed: Landed, source: Source) -> bool:
        """Whether a landing says what the last one of its resource said, so that `note_unchanged`
        will most likely do. What could not be read of a folder is for `load` to tell."""
        resource = source.resource(landed.manifest.resource)
        if landed.manifest.problems:
            return False
        names = [resource.name, *(child.name for child in resource.children)]
        if any((source.name, name) in self.unseen for name in names):
            return False
        last = self.contents.get((source.name, resource.name))
        return last is not None and last == content_hash(landed.manifest, source)


def note_unchanged(
    landings: Sequence[tuple[Landed, Source]],
    lake: Lake,
    *,
    now: datetime | None = None,
    run_id: str | None = None,
) -> list[LoadResult | None]:
    """Load landings that say what the last ones said: their load records, all in one transaction.
    None for one that does say something else by now, which is to be loaded."""
    now = now or clock.now()
    with lake.write() as connection, transaction(connection):
        earlier = copied_earlier(connection)
        works = [
            Work(
                connection,
                _batch(landed, source),
                source,
                source.resource(landed.manifest.resource),
                now,
                run_id,
                earlier,
            )
            for landed, source in landings
        ]
        return [_repeated(work) or _unchanged(work) for work in works]


def _batch(landed: Landed, source: Source) -> Batch:
    """What a landing brings to be loaded."""
    manifest = landed.manifest
    prefix = (
        f"{manifest.source}/{manifest.resource}/"
        if source.resource(manifest.resource).workbook is not None
        else f"{manifest.load_id}/"
    )
    return Batch(
        load_id=manifest.load_id,
        files={
            name: [str(landed.folder / file.name) for file in files]
            for name, files in manifest.lists.items()
        },
        origin_prefix=prefix,
        started_at=parse_moment(manifest.started_at),
        manifest=manifest,
        manifest_path=_below_home(landed.folder),
        content_hash=content_hash(manifest, source),
    )


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

    def work_on(connection: Connection) -> Work:
        return Work(connection, batch, source, resource, now, run_id)

    with lake.read() as connection:
        work = work_on(connection)
        found = _repeated(work)
        is_same = found is None and _is_same(work)
    if found is not None:
        return found
    typed = _Typed(is_due=not is_same)
    with lake.write(before=lambda connection: typed.type(work_on(connection))) as connection:
        work = work_on(connection)
        # Another writer may have loaded the same in between.
        stage = typed.stage or Stage(work)
        stage.goes_on_with(work)
        try:
            # One transaction from the first look on: each would read the lake's state anew.
            with transaction(connection):
                return _repeated(work) or _unchanged(work) or _loaded(work, stage, typed)
        except SourceContractError as error:
            LoadRecord(work, stage.lists).stop(str(error), stage.drift)
            raise


class _Typed:
    """The lists of a batch, typed before the lake is locked: this needs nothing of it, and takes
    about as long as all the rest. Where the source has broken its contract, that is said once the lake is open to put it down.
    """

    def __init__(self, *, is_due: bool) -> None:
        self._is_due = is_due
        self._error: SourceContractError | None = None
        self.stage: Stage | None = None

    def type(self, work: Work) -> None:
        """On the connection that will write."""
        if not self._is_due:
            return
        self.stage = Stage(work)
        try:
            self.stage.stage()
        except SourceContractError as error:
            self._error = error

    def lists(self, stage: Stage) -> None:
        """See that the lists are typed. Raises SourceContractError."""
        if self._error is not None:
            raise self._error
        if self.stage is None:
            stage.stage()


def _repeated(work: Work) -> LoadResult | None:
    """That this very load was made before."""
    status = work.history.status
    if status is None or status == "stopped":
        return None
    return LoadResult(
        work.batch.load_id, work.source.name, work.resource.name, status, is_repeated=True
    )


def content_hash(manifest: Manifest, source: Source) -> str:
    """The fingerprint of what was landed and of how the source file says to read it."""
    resource = source.resource(manifest.resource)
    said = {
        "lists": {name: [file.sha256 for file in files] for name, files in manifest.lists.items()},
        "is_full": manifest.is_full,
        "expected": manifest.expected_rows,
        "new_fields": manifest.new_fields,
        "workbooks": sorted((book.name, book.sha256) for book in manifest.workbooks),
        "problems": manifest.problems,
        "resource": resource.model_dump(mode="json"),
        "reading": [source.timezone, source.null_values, source.code_values],
    }
    return sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _unchanged(work: Work) -> LoadResult | None:
    """Only the load record, when the last load of the resource was of the very same content,
    read the same way: the pulls of two quiet nights overlap by the lag and bring the same rows
    again. Where records were not seen, the second pull that lacks them says something."""
    manifest = work.batch.manifest
    if manifest is None or not _is_same(work):
        return None
    result = _result(work)
    for one in result.lists:
        one.take(manifest, one.name == work.resource.name)
        work.recall(one)
    LoadRecord(work, []).load(result)
    return result


def _is_same(work: Work) -> bool:
    """Whether the landing says what the last one said, and nothing waits to be seen again."""
    said, manifest = work.batch.content_hash, work.batch.manifest
    if manifest is None or said is None or said != work.history.last_content_hash:
        return False
    return not work.has_unseen


def _result(work: Work) -> LoadResult:
    """A result with nothing in it yet; a list that brought nothing was looked at all the same."""
    result = LoadResult(work.batch.load_id, work.source.name, work.resource.name, "unchanged")
    result.lists = [ListResult(rule.name, rule.table) for rule in work.rules]
    result.notes = list(work.batch.manifest.notes) if work.batch.manifest else []
    return result


def _loaded(work: Work, stage: Stage, typed: _Typed) -> LoadResult:
    """Type, judge, merge, and put on record. Raises SourceContractError."""
    typed.lists(stage)
    stage.judge()
    result = _result(work)
    for one in result.lists:
        one.take(work.batch.manifest, one.name == work.resource.name)
        one.rows_not_selected = count_not_selected(work, work.rule(one.name))
    brought = {staged.rule.name: staged.result for staged in stage.lists}
    result.lists = [brought.get(one.name, one) for one in result.lists]
    write = Write(work)
    for staged in stage.lists:
        write.find_changed(staged)
        write.merge(staged)
        write.remove_absent(staged)
        write.keep_rejects(staged)
    for rule in work.rules:
        keep_left_out(work, rule)
    for staged in stage.lists:
        write.prove(staged)
    for rule in work.rules:
        prove_left_out(work, rule)
    if result.rows_written or result.rows_removed:
        result.status = "loaded"
    LoadRecord(work, stage.lists).write(result)
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
        LoadRecord(work, []).stop(str(error), [])


def _below_home(folder: Path) -> str:
    """A landing folder as kept in `ops.load`: relative to the data home."""
    return "/".join(("landing", *folder.parts[-3:], "manifest.json"))
