"""What a load leaves on record: new fields, the watermark, workbooks, counts, the load itself."""

from __future__ import annotations

from typing import Any

from tasks import clock
from tasks.load.batch import ListResult, LoadResult, Staged, Work
from tasks.sources.windows import moment_text
from warehouse.lake import transaction
from warehouse.sql import insert_sql, literal, quoted

Row = dict[str, Any]


class LoadRecord:
    """Writes the `ops` rows of one load. Called inside the one transaction."""

    def __init__(self, work: Work, lists: list[Staged]) -> None:
        self._work = work
        self._lists = lists
        self._who = {
            "source_system": work.source.name,
            "resource": work.resource.name,
        }

    def write(self, result: LoadResult) -> None:
        """Everything that a load leaves on record; completes the result."""
        result.new_fields = self._new_fields()
        result.watermark = self._move_watermark()
        self._workbooks()
        self._expected()
        self.load(result)

    def _insert(self, table: str, rows: list[Row]) -> None:
        self._work.connection.execute(insert_sql(f"ops.{table}", rows))

    def _is(self, resource: str) -> str:
        return f"source_system = {quoted(self._work.source.name)} AND resource = {quoted(resource)}"

    def _new_fields(self) -> list[str]:
        """Note undeclared fields once; what the first load finds is the state to compare with."""
        manifest = self._work.batch.manifest
        told = []
        for name, paths in (manifest.new_fields if manifest else {}).items():
            is_own = name == self._work.resource.name
            declared = self._work.resource.not_kept if is_own else None
            found = set(paths) - set(declared or ())
            if not found:
                continue
            known = self._work.connection.execute(
                f"SELECT path FROM ops.drift WHERE {self._is(name)} AND kind IN ('new_field', 'not_kept')"
            ).fetchall()
            fresh = sorted(found - {path for (path,) in known})
            if not fresh:
                continue
            loads = self._work.value(
                f"SELECT count(*) FROM ops.load WHERE {self._is(name)} AND load_status <> 'stopped'"
            )
            kind = "new_field" if loads or declared is not None else "not_kept"
            self._drift([(name, kind, path, "未声明", "出现") for path in fresh])
            if kind == "new_field":
                told += [f"{name}.{path}" for path in fresh]
        return told

    def _drift(self, found: list[tuple[str, str, str, str, str]]) -> None:
        self._insert(
            "drift",
            [
                {
                    "source_system": self._work.source.name,
                    "resource": name,
                    "kind": kind,
                    "path": path,
                    "expected": expected,
                    "found": value,
                    "first_seen_at": self._work.now,
                    "load_id": self._work.batch.load_id,
                }
                for name, kind, path, expected, value in found
            ],
        )

    def _move_watermark(self) -> str | None:
        """Never back, never beyond the pull's own time: a record from the future moves nothing."""
        manifest, cursor = self._work.batch.manifest, self._work.resource.cursor
        if manifest is None or cursor is None or not manifest.moves_watermark or not self._lists:
            return None
        table = self._lists[0].table
        if cursor.kind == "number":
            found = self._work.value(f"SELECT max(cursor_number) FROM {table}")
        else:
            found = self._work.value(
                f"SELECT max(source_updated_at) FROM {table}"
                f" WHERE source_updated_at <= {literal(self._work.batch.started_at)}"
            )
        if found is None:
            return None
        value = str(found) if cursor.kind == "number" else moment_text(found)
        condition = self._is(self._work.resource.name)
        known = self._work.connection.execute(
            f"SELECT cursor_value FROM ops.watermark WHERE {condition}"
        ).fetchone()
        if known is not None:
            is_ahead = int(value) > int(known[0]) if cursor.kind == "number" else value > known[0]
            if not is_ahead:
                return str(known[0])
            self._work.connection.execute(f"DELETE FROM ops.watermark WHERE {condition}")
        row = {
            **self._who,
            "cursor_value": value,
            "updated_at": self._work.now,
            "load_id": self._work.batch.load_id,
        }
        self._insert("watermark", [row])
        return value

    def _workbooks(self) -> None:
        manifest = self._work.batch.manifest
        if manifest is None or not manifest.workbooks:
            return
        self._insert(
            "resource_file",
            [
                {
                    **self._who,
                    "file_name": book.name,
                    "sha256": book.sha256,
                    "mark": book.mark,
                    "loaded_at": self._work.now,
                    "load_id": self._work.batch.load_id,
                }
                for book in manifest.workbooks
            ],
        )

    def _expected(self) -> None:
        """A list that came shorter than the source said is on record as a difference."""
        manifest = self._work.batch.manifest
        if manifest is None or not self._lists or not self._work.is_incomplete(self._lists[0]):
            return
        row = {
            **self._who,
            "window_from": manifest.window_from,
            "window_to": manifest.window_to,
            "source_count": manifest.expected_rows,
            "warehouse_count": self._lists[0].result.rows_read + manifest.rows_not_selected,
            "compared_at": self._work.now,
            "load_id": self._work.batch.load_id,
        }
        self._insert("control_total", [row])

    def load(self, result: LoadResult, message: str | None = None) -> None:
        """The load record: one row for the resource, one for each kind of child."""
        manifest = self._work.batch.manifest
        rows = []
        for number, one in enumerate(result.lists):
            rows.append(
                {
                    "load_id": result.load_id if number == 0 else f"{result.load_id}/{one.name}",
                    "run_id": self._work.run_id,
                    "source_system": self._work.source.name,
                    "resource": one.name,
                    "table_name": f"core.{one.table}",
                    "started_at": self._work.batch.started_at,
                    "finished_at": clock.now(),
                    "load_status": result.status,
                    "window_from": manifest.window_from if manifest else None,
                    "window_to": manifest.window_to if manifest else None,
                    "rows_read": one.rows_read,
                    "rows_written": one.rows_written,
                    "rows_unchanged": one.rows_unchanged,
                    "rows_removed": one.rows_removed,
                    "rows_rejected": one.rows_rejected,
                    "content_hash": None
                    if result.status == "stopped"
                    else self._work.batch.content_hash,
                    "landing_manifest": self._work.batch.manifest_path,
                    "is_full": manifest.is_full if manifest else False,
                    "message": message,
                }
            )
        self._insert("load", rows)

    def stop(self, message: str, found: list[tuple[str, str, str, str, str]]) -> None:
        """The record of a load that was stopped, and of what has changed at the source."""
        work = self._work
        result = LoadResult(work.batch.load_id, work.source.name, work.resource.name, "stopped")
        result.lists = [staged.result for staged in self._lists]
        result.lists = result.lists or [ListResult(work.resource.name, work.resource.table)]
        with transaction(work.connection):
            # Of a landing that is tried again only the last verdict is kept.
            work.connection.execute(
                "DELETE FROM ops.load WHERE load_status = 'stopped'"
                f" AND starts_with(load_id, {quoted(result.load_id)})"
            )
            self.load(result, message)
            fresh = [
                drift
                for drift in found
                if not work.value(
                    f"SELECT count(*) FROM ops.drift WHERE {self._is(drift[0])}"
                    f" AND kind = {quoted(drift[1])} AND path = {quoted(drift[2])}"
                )
            ]
            if fresh:
                self._drift(fresh)
