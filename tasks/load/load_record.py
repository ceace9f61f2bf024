"""What a load leaves on record: new fields, the watermark, workbooks, counts, the load itself."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

from tasks import clock
from tasks.load.batch import ListResult, LoadResult, Staged, Work
from tasks.sources.windows import moment_text, parse_moment
from warehouse.lake import transaction
from warehouse.sql import insert_sql, literal, quoted

Row = dict[str, Any]
COUNTED = (
    "rows_served",
    "rows_new",
    "rows_rejected_again",
    "rows_fetched",
    "rows_left_out",
    "rows_not_selected",
    "rows_skipped",
    "rows_landed",
    "rows_joined",
    "rows_conflicting",
    "rows_withdrawn",
    "rows_unseen",
)
"""What a load counts beside what it reads, writes, removes and rejects."""


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
        self._note_cursorless(result)
        result.watermark = self._move_watermark(result)
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
            noted = self._noted
            fresh = sorted(found - noted[(name, "new_field")] - noted[(name, "not_kept")])
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

    @cached_property
    def _noted(self) -> Mapping[tuple[str, str], set[str]]:
        """What is noted of the source's lists before this load, paths by list and kind."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for name, kind, path in self._work.connection.execute(
            "SELECT resource, kind, path FROM ops.drift "
            f"WHERE source_system = {quoted(self._work.source.name)}"
        ).fetchall():
            found[(name, kind)].add(path)
        return found

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

    def _note_cursorless(self, result: LoadResult) -> None:
        """That records have no cursor value, by which they could be asked for again: from now on
        the list is pulled whole. A whole list without such records ends that."""
        manifest, cursor = self._work.batch.manifest, self._work.resource.cursor
        if manifest is None or cursor is None or not self._lists:
            return
        column = "cursor_number" if cursor.kind == "number" else "source_updated_at"
        count = self._work.value(
            f"SELECT count(*) FROM {self._lists[0].table} WHERE {column} IS NULL AND NOT is_faulty"
        )
        name = self._work.resource.name
        known = bool(self._noted[(name, "no_cursor_value")])
        if count:
            result.notes.append(
                f"{count:,} 条记录没有游标值 {cursor.field},增量拉取看不到它们的变化,今后每次全量拉取"
            )
        if count and not known:
            found = f"{count} 条没有值"
            self._drift([(name, "no_cursor_value", cursor.field, "有值", found)])
        elif known and not count and manifest.is_full:
            self._work.connection.execute(
                f"DELETE FROM ops.drift WHERE {self._is(name)} AND kind = 'no_cursor_value'"
            )

    def _move_watermark(self, result: LoadResult) -> str | None:
        """Never back, never beyond the pull's own time: a record from the future moves nothing;
        and not by a list that came short, whose missing records would be behind it."""
        manifest, cursor = self._work.batch.manifest, self._work.resource.cursor
        if manifest is None or cursor is None or not manifest.moves_watermark or not self._lists:
            return None
        condition = self._is(self._work.resource.name)
        row = self._work.connection.execute(
            f"SELECT cursor_value FROM ops.watermark WHERE {condition}"
        ).fetchone()
        known = None if row is None else str(row[0])
        if known is not None and cursor.kind == "time":
            # One that a wrong clock has let run ahead is none.
            known = known if parse_moment(known) <= self._work.batch.started_at else None
        if self._work.is_incomplete(self._lists[0]):
            return known
        value = (
            self._highest_number(known, result)
            if cursor.kind == "number"
            else self._latest_moment()
        )
        if value is None or (known is not None and not _is_ahead(value, known, cursor.kind)):
            return known
        if row is not None:
            self._work.connection.execute(f"DELETE FROM ops.watermark WHERE {condition}")
        self._insert(
            "watermark",
            [
                {
                    **self._who,
                    "cursor_value": value,
                    "updated_at": self._work.now,
                    "load_id": self._work.batch.load_id,
                }
            ],
        )
        return value

    def _latest_moment(self) -> str | None:
        found = self._work.value(
            f"SELECT max(source_updated_at) FROM {self._lists[0].table}"
            f" WHERE source_updated_at <= {literal(self._work.batch.started_at)}"
        )
        return None if found is None else moment_text(found)

    def _highest_number(self, known: str | None, result: LoadResult) -> str | None:
        """The highest number that goes on from the others: a test record, or one of another range
        of numbers, far above all others, would let everything between be missed."""
        found = self._work.connection.execute(
            f"SELECT DISTINCT cursor_number FROM {self._lists[0].table}"
            " WHERE cursor_number IS NOT NULL ORDER BY 1"
        ).fetchall()
        numbers = [number for (number,) in found]
        highest = highest_continuous(numbers, None if known is None else int(known))
        if numbers and highest is not None and highest < numbers[-1]:
            result.notes.append(
                f"游标 {numbers[-1]} 远高于其余记录(至 {highest}),水位只移到 {highest};"
                "请在来源核实这条记录的编号"
            )
        return None if highest is None else str(highest)

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
            "warehouse_count": self._work.came(self._lists[0]),
            "compared_at": self._work.now,
            "load_id": self._work.batch.load_id,
        }
        self._insert("control_total", [row])

    def _lag_hours(self) -> float | None:
        """How far a pull reaches back for late entries; None for a list that is read whole."""
        cursor = self._work.resource.cursor
        reach = cursor.reach if cursor is not None else None
        return reach / timedelta(hours=1) if isinstance(reach, timedelta) else None

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
                    **{name: getattr(one, name) for name in COUNTED},
                    "moved_from": json.dumps(one.moved_from) if one.moved_from else None,
                    "lag_hours": self._lag_hours() if number == 0 else None,
                    "has_control_total": number == 0
                    and self._work.resource.control_total is not None,
                    "content_hash": None
                    if result.status == "stopped"
                    else self._work.batch.content_hash,
                    "landing_manifest": self._work.batch.manifest_path,
                    "is_full": manifest.is_full if manifest else False,
                    "message": message or (";".join(result.told) or None if number == 0 else None),
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


FEW_NUMBERS = 10
LARGEST_STEP = 1000
"""How many times the usual step between two numbers a step may be."""


def highest_continuous(numbers: list[int], known: int | None) -> int | None:
    """The last of rising numbers before a step out of all proportion; `known` is where the last
    pull ended.

    A step is usual up to a thousand times the middle one. A larger one is believed when at least
    ten numbers, and a tenth of all, lie beyond it: the system went on to another range.
    """
    before = [] if known is None else [known]
    rising = before + [number for number in numbers if known is None or number > known]
    if not rising:
        return max(numbers, default=None) if known is None else known
    steps = sorted(high - low for low, high in pairwise(rising))
    # The middle of the smaller half: of few numbers the odd one must not be the measure.
    usual = max(steps[(len(steps) - 1) // 2], 1) if len(steps) > 1 else 1
    for index, (low, high) in enumerate(pairwise(rising), 1):
        beyond = len(rising) - index
        if high - low > LARGEST_STEP * usual and beyond < max(FEW_NUMBERS, len(rising) / 10):
            return low
    return rising[-1]


def _is_ahead(value: str, known: str, kind: str) -> bool:
    return int(value) > int(known) if kind == "number" else value > known
