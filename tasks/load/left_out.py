"""What a source has and no core table takes, as it is now: `ops.left_out`."""

from __future__ import annotations

from tasks.load.batch import Work
from tasks.sources.landing import NOT_SELECTED, Manifest, left_out
from tasks.sources.model import Child, Resource
from warehouse.errors import LostRecords
from warehouse.sql import quoted

_LANDED = "temp.main.left_out_landed"
_SAME = (
    "l.reason = o.reason AND CASE WHEN l.record_id IS NULL OR o.record_id IS NULL"
    " THEN l.origin = o.origin ELSE l.record_id = o.record_id END"
)


def keep_left_out(work: Work, rule: Resource | Child) -> None:
    """Bring `ops.left_out` up to what the landing says of one list. Within the transaction.

    A record that was left out and is no more is dropped: one that came otherwise, one that a
    whole list lacks, a row of a workbook that was read again.
    """
    manifest = work.batch.manifest
    if manifest is None:
        return
    files = work.batch.files.get(left_out(rule.name), [])
    held = work.connection.execute("SELECT 1 FROM ops.left_out LIMIT 1").fetchone() is not None
    if not files and not held:
        return
    _read(work, files)
    of = f"source_system = {quoted(work.source.name)} AND resource = {quoted(rule.name)}"
    if held:
        work.connection.execute(
            f"""DELETE FROM ops.left_out AS o WHERE {of} AND ({_was_looked_at(work, rule, manifest)})
            AND NOT EXISTS (SELECT 1 FROM {_LANDED} l WHERE {_SAME})"""
        )
    work.connection.execute(
        f"""INSERT INTO ops.left_out
            (source_system, resource, table_name, record_id, reason, origin, found_at, load_id)
        SELECT {quoted(work.source.name)}, {quoted(rule.name)}, {quoted(f"core.{rule.table}")},
            record_id, reason, min(origin), {work.moment}, {quoted(work.batch.load_id)}
        FROM {_LANDED} l WHERE NOT EXISTS (SELECT 1 FROM ops.left_out o WHERE {of} AND {_SAME})
        GROUP BY record_id, reason, CASE WHEN record_id IS NULL THEN origin END"""
    )


def prove_left_out(work: Work, rule: Resource | Child) -> None:
    """That each row which the landing left out is on record. Raises LostRecords, which undoes
    the load."""
    files = work.batch.files.get(left_out(rule.name), [])
    if not files:
        return
    _read(work, files)
    of = f"source_system = {quoted(work.source.name)} AND resource = {quoted(rule.name)}"
    missing = work.value(
        f"""SELECT count(*) FROM {_LANDED} l WHERE NOT EXISTS (
            SELECT 1 FROM ops.left_out o WHERE {of} AND {_SAME})"""
    )
    if missing:
        raise LostRecords(f"{work.title(rule)}:{missing:,} 行未落地的内容没有记下原因")


def count_not_selected(work: Work, rule: Resource | Child) -> int:
    """How many different records of a landing's list its conditions did not select."""
    files = work.batch.files.get(left_out(rule.name), [])
    if not files:
        return 0
    _read(work, files)
    return int(
        work.value(
            f"SELECT count(DISTINCT coalesce(record_id, origin)) FROM {_LANDED} WHERE reason = '{NOT_SELECTED}'"
        )
    )


def _read(work: Work, files: list[str]) -> None:
    """The landed rows of what was left out, as a temporary table."""
    rows = "SELECT NULL::VARCHAR AS record_id, NULL::VARCHAR AS reason, NULL::VARCHAR AS origin WHERE false"
    if files:
        listed = ", ".join(map(quoted, files))
        columns = "{'$id': 'VARCHAR', '$reason': 'VARCHAR', '$at': 'VARCHAR'}"
        rows = (
            'SELECT "$id" AS record_id, "$reason" AS reason,'
            f' concat({quoted(work.batch.origin_prefix)}, "$at") AS origin FROM read_json([{listed}],'
            f" format = 'newline_delimited', compression = 'zstd', columns = {columns})"
        )
    work.connection.execute(f"CREATE OR REPLACE TEMP TABLE left_out_landed AS {rows}")


def _was_looked_at(work: Work, rule: Resource | Child, manifest: Manifest) -> str:
    """Which of those that were left out the landing would have to tell of again, as SQL."""
    names = [name for name in (rule.name,) if work.batch.files.get(name)]
    came = "false"
    if names:
        files = ", ".join(quoted(file) for file in work.batch.files[rule.name])
        came = (
            f"""o.record_id IN (SELECT "$id" FROM read_json([{files}],"""
            """ format = 'newline_delimited', compression = 'zstd', columns = {'$id': 'VARCHAR'}))"""
        )
    if isinstance(rule, Child):
        return came
    if rule.workbook is not None:
        read = [book.name for book in manifest.workbooks if book.is_read] + manifest.moved
        begin = [quoted(f"{work.batch.origin_prefix}{name}#") for name in read]
        return " OR ".join(f"starts_with(o.origin, {one})" for one in begin) or "false"
    if manifest.is_full and manifest.window_from is None and not manifest.is_cut:
        return "true"
    return came
