"""Load: a landing folder into the core tables, in one transaction.

Typed set-based in DuckDB; rows whose fingerprint is unchanged are not written; rows that
cannot be typed go to `ops.reject` with the reason; the watermark and the load record are in
the same transaction. A load that was made already is not made twice.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks import clock
from tasks.sources.errors import PartlyLoaded, RejectLimitExceeded, SourceContractError
from tasks.sources.landing import Landed, Manifest
from tasks.sources.model import Child, Resource, Source
from tasks.sources.windows import moment_text, parse_moment
from tasks.typed import ListTyping, make_codes, named, prepare, quoted
from warehouse.lake import Connection, Lake, transaction

FEW = 3
FEW_REMOVED = 20


@dataclass
class ListResult:
    """What one list (the resource's own, or a child's) brought."""

    name: str
    table: str
    rows_read: int = 0
    rows_written: int = 0
    rows_unchanged: int = 0
    rows_removed: int = 0
    rows_rejected: int = 0


@dataclass
class LoadResult:
    """What a load brought; the row counts are the resource's own and its children's together."""

    load_id: str
    source: str
    resource: str
    status: str
    lists: list[ListResult] = field(default_factory=list)
    watermark: str | None = None
    new_fields: list[str] = field(default_factory=list)
    is_repeated: bool = False

    def _sum(self, name: str) -> int:
        return sum(getattr(one, name) for one in self.lists)

    @property
    def rows_read(self) -> int:
        return self._sum("rows_read")

    @property
    def rows_written(self) -> int:
        return self._sum("rows_written")

    @property
    def rows_unchanged(self) -> int:
        return self._sum("rows_unchanged")

    @property
    def rows_removed(self) -> int:
        return self._sum("rows_removed")

    @property
    def rows_rejected(self) -> int:
        return self._sum("rows_rejected")

    @property
    def message(self) -> str:
        """For people: 读取 1,200,写入 30,未变 1,170."""
        parts = [
            f"读取 {self.rows_read:,}",
            f"写入 {self.rows_written:,}",
            f"未变 {self.rows_unchanged:,}",
        ]
        if self.rows_removed:
            parts.append(f"撤回或删除 {self.rows_removed:,}")
        if self.rows_rejected:
            parts.append(f"退回 {self.rows_rejected:,}(nianbao rejects 查看)")
        if self.new_fields:
            parts.append(f"来源新增字段(未保存):{'、'.join(self.new_fields)}")
        return ",".join(parts)


@dataclass(frozen=True)
class Batch:
    """What is loaded: files of landing rows by list, and what a landing says about them.

    `origin_prefix` goes before each row's `$at`; `manifest` is None for records that are
    tried again, which neither move the watermark nor say anything about absent records.
    """

    load_id: str
    files: dict[str, list[str]]
    origin_prefix: str
    started_at: datetime
    manifest: Manifest | None
    manifest_path: str | None


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
            "SELECT load_status FROM ops.load WHERE load_id = ?", [batch.load_id]
        ).fetchone()
        if done is not None and done[0] != "stopped":
            return LoadResult(batch.load_id, source.name, resource.name, done[0], is_repeated=True)
        work = _Load(connection, batch, source, resource, now, run_id)
        try:
            work.stage()
            work.judge()
        except SourceContractError as error:
            work.note_stop(str(error))
            raise
        return work.write()


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
        _Load(connection, batch, source, resource, now, run_id).note_stop(str(error))


def _below_home(folder: Path) -> str:
    """A landing folder as kept in `ops.load`: relative to the data home."""
    return "/".join(("landing", *folder.parts[-3:], "manifest.json"))


@dataclass
class _Staged:
    """One list, typed into a temporary table."""

    rule: Resource | Child
    typing: ListTyping
    result: ListResult
    table: str
    files: list[str]
    parent_column: str | None = None

    @property
    def core(self) -> str:
        return f"core.{self.rule.table}"


class _Load:
    def __init__(
        self,
        connection: Connection,
        batch: Batch,
        source: Source,
        resource: Resource,
        now: datetime,
        run_id: str | None,
    ) -> None:
        self._connection = connection
        self._batch = batch
        self._source = source
        self._resource = resource
        self._now = now
        self._run_id = run_id
        self._lists: list[_Staged] = []
        self._absent: dict[str, str] = {}

    # ---- typing

    def stage(self) -> None:
        """Type every list into a temporary table. Raises SourceContractError."""
        rules: list[Resource | Child] = [self._resource, *self._resource.children]
        rules = [rule for rule in rules if self._batch.files.get(rule.name)]
        if rules:
            prepare(self._connection)
            make_codes(self._connection, self._source, rules)
        for number, rule in enumerate(rules):
            staged = _Staged(
                rule,
                ListTyping(self._source, rule),
                ListResult(rule.name, rule.table),
                f"temp.main.staged_{number}",
                self._batch.files[rule.name],
                parent_column(rule, self._resource),
            )
            self._stage(staged)
            self._lists.append(staged)

    def _stage(self, staged: _Staged) -> None:
        typing = staged.typing
        removed = self._resource_removed(staged.rule)
        columns = ", ".join(named(name) for name in typing.column_names)
        self._connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE {staged.table.removeprefix("temp.main.")} AS
            SELECT *, {typing.hash_sql()} AS row_hash FROM (
                SELECT "$id" AS record_id, {columns}, "$at" AS place, "$parent" AS parent_id, "$fault" AS is_faulty,
                       TRY_CAST("$cursor" AS BIGINT) AS cursor_number,
                       {typing.moment_sql("$updated")} AS source_updated_at,
                       coalesce("$removed" = 'true', false) AS is_removed,
                       {removed} AS removed_at
                FROM ({typing.typed_sql(typing.landing_sql(staged.files))}))"""
        )
        total, distinct = self._row(
            f"SELECT count(*), count(DISTINCT record_id) + count(*) FILTER (record_id IS NULL) FROM {staged.table}"
        )
        if total != distinct:
            # The same record on two pages: the newer state, else the later page, is kept.
            self._connection.execute(
                f"""CREATE OR REPLACE TEMP TABLE {staged.table.removeprefix("temp.main.")} AS
                SELECT * FROM {staged.table}
                QUALIFY record_id IS NULL OR row_number() OVER (
                    PARTITION BY record_id
                    ORDER BY source_updated_at DESC NULLS LAST,
                             regexp_replace(place, '[0-9]+$', '') DESC, length(place) DESC, place DESC) = 1"""
            )
        staged.result.rows_read = distinct

    def _resource_removed(self, rule: Resource | Child) -> str:
        """When a withdrawn record was withdrawn: as the record says, else when it last changed."""
        if rule.removed is None:
            return "CAST(NULL AS TIMESTAMP)"
        moment = ListTyping(self._source, rule).moment_sql
        own = moment("$removed_at", rule.removed.format)
        return f"CASE WHEN \"$removed\" = 'true' THEN coalesce({own}, {moment('$updated')}) END"

    # ---- judging

    def judge(self) -> None:
        """Stop before anything is written when the source has broken its contract."""
        for staged in self._lists:
            faulty = self._value(f"SELECT count(*) FROM {staged.table} WHERE is_faulty")
            staged.result.rows_rejected = faulty
            if faulty:
                self._make_faulty(staged)
                self._judge_columns(staged)
                self._judge_share(staged)
        for staged in self._lists:
            self._find_absent(staged)

    def _make_faulty(self, staged: _Staged) -> None:
        typing, name = staged.typing, staged.table.replace("staged", "faulty")
        self._connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE {name.removeprefix("temp.main.")} AS
            SELECT * FROM ({typing.typed_sql(typing.landing_sql(staged.files))})
            WHERE "$fault" AND "$at" IN (SELECT place FROM {staged.table} WHERE is_faulty)"""
        )
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name.removeprefix('temp.main.')}_reasons AS {typing.faults_sql(name)}"
        )

    def _judge_columns(self, staged: _Staged) -> None:
        """A required field that is at fault in every record has changed its form."""
        reasons = f"{staged.table.replace('staged', 'faulty')}_reasons"
        rows = staged.result.rows_read
        if rows < FEW or self._batch.manifest is None:
            return
        for name, reason, found, expected, origin in self._connection.execute(
            f"""SELECT field, mode(reason), min(found), any_value(expected), min("$at") FROM {reasons}
            WHERE field IS NOT NULL GROUP BY field HAVING count(*) = {rows} ORDER BY field"""
        ).fetchall():
            rule = staged.rule.fields[name]
            if not rule.required:
                continue
            what = (
                "都没有值"
                if reason == "missing_required"
                else f"都不是{expected},例如“{_short(found)}”"
            )
            self._drift(
                staged,
                "missing_field" if reason == "missing_required" else "retyped_field",
                name,
                expected,
                found,
            )
            raise SourceContractError(
                f"{self._title(staged)}的必填字段 {name} ← {'、'.join(rule.path)}:"
                f"{rows} 条记录{what},应为{expected}(如 {self._batch.origin_prefix}{origin})。"
                "请与系统厂商核实接口是否变动,并修改来源文件;本资源未写入任何数据"
            )

    def _judge_share(self, staged: _Staged) -> None:
        limit = self._resource.reject_limit or self._source.reject_limit
        result = staged.result
        if (
            self._batch.manifest is None
            or result.rows_rejected < limit.at_least
            or result.rows_rejected <= limit.share * result.rows_read
        ):
            return
        reasons = f"{staged.table.replace('staged', 'faulty')}_reasons"
        common = self._connection.execute(
            f"SELECT coalesce(field, '编号'), expected, count(*), min(found) FROM {reasons}"
            " GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 3"
        ).fetchall()
        told = ";".join(
            f"{name} 应为{expected},{count} 条不符,例如“{_short(found)}”"
            for name, expected, count, found in common
        )
        raise RejectLimitExceeded(
            f"{self._title(staged)}的 {result.rows_read:,} 条记录中有 {result.rows_rejected:,} 条无法读取,"
            f"超过上限 {limit.share:.0%},未写入任何数据。{told}。"
            "请修改来源文件的字段或代码表;确属来源数据问题的,可调大 reject_limit.share"
        )

    def _find_absent(self, staged: _Staged) -> None:
        """Records that a complete list no longer has; told apart from a list cut short."""
        condition = self._absent_condition(staged)
        if condition is None:
            return
        # A faulty record is in the list all the same.
        condition += f" AND record_id NOT IN (SELECT record_id FROM {staged.table} WHERE record_id IS NOT NULL)"
        absent = self._value(f"SELECT count(*) FROM {staged.core} WHERE {condition}")
        if not absent:
            return
        if isinstance(staged.rule, Resource) and staged.rule.workbook is None:
            held = self._value(
                f"SELECT count(*) FROM {staged.core} WHERE {self._absent_condition(staged)}"
            )
            most = staged.rule.max_removed_share
            if absent > FEW_REMOVED and absent > held * most:
                raise SourceContractError(
                    f"{self._title(staged)}的完整清单少了 {absent:,} 条(库内 {held:,} 条),超过上限 {most:.0%},"
                    "疑为来源返回不全,未写入任何数据。请在来源系统核实;确已删除的,调大 max_removed_share 后重新运行"
                )
        self._absent[staged.rule.name] = condition
        staged.result.rows_removed = absent

    def _absent_condition(self, staged: _Staged) -> str | None:
        """Which rows of the core table this landing would have to contain."""
        manifest, rule = self._batch.manifest, staged.rule
        if manifest is None:
            return None
        own = f"source_system = {quoted(self._source.name)} AND removed_at IS NULL"
        if isinstance(rule, Child):
            if staged.parent_column is None:
                return None
            parents = self._lists[0].table
            return (
                f"{own} AND starts_with(origin, {quoted(f'{manifest.source}/{manifest.resource}/')})"
                f" AND {staged.parent_column} IN (SELECT record_id FROM {parents} WHERE NOT is_faulty)"
            )
        if rule.absent == "keep":
            return None
        if rule.workbook is not None:
            files = [
                quoted(f"{self._batch.origin_prefix}{book.name}#")
                for book in manifest.workbooks
                if book.is_read
            ]
            return (
                f"{own} AND ({' OR '.join(f'starts_with(origin, {file})' for file in files)})"
                if files
                else None
            )
        if not manifest.is_full or self._is_incomplete(staged):
            return None
        own += f" AND starts_with(origin, {quoted(f'{manifest.source}/{manifest.resource}/')})"
        if manifest.window_from is None or rule.windows is None:
            return own
        column = rule.windows.column
        if column is None:
            return None
        return f"{own} AND {column} >= TIMESTAMP {quoted(manifest.window_from)} AND {column} < TIMESTAMP {quoted(manifest.window_to or '')}"

    def _is_incomplete(self, staged: _Staged) -> bool:
        """Whether fewer records came than the source said it has."""
        manifest = self._batch.manifest
        if manifest is None or manifest.expected_rows is None:
            return False
        return staged.result.rows_read + manifest.rows_not_selected < manifest.expected_rows

    # ---- writing

    def write(self) -> LoadResult:
        """Everything in one transaction."""
        result = LoadResult(
            self._batch.load_id, self._source.name, self._resource.name, "unchanged"
        )
        for staged in self._lists:
            self._find_changed(staged)
        with transaction(self._connection):
            for staged in self._lists:
                self._merge(staged)
                self._remove_absent(staged)
                self._keep_rejects(staged)
                result.lists.append(staged.result)
            if not result.lists:
                result.lists.append(ListResult(self._resource.name, self._resource.table))
            if result.rows_written or result.rows_removed:
                result.status = "loaded"
            result.new_fields = self._keep_new_fields()
            result.watermark = self._move_watermark()
            self._keep_workbooks()
            self._keep_expected()
            self._keep_load(result)
        return result

    def _find_changed(self, staged: _Staged) -> None:
        changed = staged.table.replace("staged", "changed")
        self._connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE {changed.removeprefix("temp.main.")} AS
            SELECT s.*, known.row_hash IS NOT NULL AS is_known, known.removed_at AS known_removed_at
            FROM {staged.table} s LEFT JOIN (
                SELECT record_id, row_hash, removed_at FROM {staged.core} WHERE source_system = {quoted(self._source.name)}
            ) known USING (record_id)
            WHERE NOT s.is_faulty AND known.row_hash IS DISTINCT FROM s.row_hash"""
        )
        written, known = self._row(f"SELECT count(*), count(*) FILTER (is_known) FROM {changed}")
        staged.result.rows_written = written
        staged.result.rows_unchanged = (
            staged.result.rows_read - staged.result.rows_rejected - written
        )
        self._has_known = {**getattr(self, "_has_known", {}), staged.table: known > 0}

    def _merge(self, staged: _Staged) -> None:
        if not staged.result.rows_written:
            return
        typing, changed = staged.typing, staged.table.replace("staged", "changed")
        business = [column.name for column in typing.table.business_columns]
        mapped = set(typing.column_names)
        values = {
            "source_system": quoted(self._source.name),
            "record_id": "record_id",
            **{name: named(name) if name in mapped else "NULL" for name in business},
            "source_updated_at": "source_updated_at",
            "removed_at": f"CASE WHEN is_removed THEN coalesce(removed_at, known_removed_at, {self._moment}) END",
            "origin": f"concat({quoted(self._batch.origin_prefix)}, place)",
            "row_hash": "row_hash",
            "load_id": quoted(self._batch.load_id),
            "loaded_at": self._moment,
        }
        columns = ", ".join(named(name) for name in values)
        rows = f"SELECT {', '.join(f'{sql} AS {named(name)}' for name, sql in values.items())} FROM {changed}"
        if not self._has_known[staged.table]:
            self._connection.execute(f"INSERT INTO {staged.core} ({columns}) {rows}")
            return
        updates = ", ".join(
            f"{named(name)} = new.{named(name)}"
            for name in values
            if name not in ("source_system", "record_id")
        )
        inserted = ", ".join(f"new.{named(name)}" for name in values)
        self._connection.execute(
            f"""MERGE INTO {staged.core} AS old USING ({rows}) AS new
            ON old.source_system = {quoted(self._source.name)} AND old.record_id = new.record_id
            WHEN MATCHED THEN UPDATE SET {updates}
            WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({inserted})"""
        )

    def _remove_absent(self, staged: _Staged) -> None:
        condition = self._absent.get(staged.rule.name)
        if condition is None:
            return
        self._connection.execute(
            f"""UPDATE {staged.core} SET removed_at = {self._moment}, row_hash = md5(row_hash || 'absent'),
                load_id = {quoted(self._batch.load_id)}, loaded_at = {self._moment}
            WHERE {condition}"""
        )

    def _keep_rejects(self, staged: _Staged) -> None:
        """New rejects are kept, repeated ones not doubled, mended ones resolved."""
        who = (
            f"source_system = {quoted(self._source.name)} AND resource = {quoted(staged.rule.name)}"
        )
        has_open = self._value(
            f"SELECT count(*) FROM ops.reject WHERE {who} AND reject_status = 'open'"
        )
        faulty = staged.table.replace("staged", "faulty")
        if has_open:
            still = (
                f"""SELECT 1 FROM {faulty}_reasons f WHERE f."$id" = r.record_id
                AND f.field IS NOT DISTINCT FROM r.field AND f.reason = r.reason AND f.found IS NOT DISTINCT FROM r.found"""
                if staged.result.rows_rejected
                else "SELECT 1 WHERE false"
            )
            self._connection.execute(
                f"""UPDATE ops.reject AS r SET reject_status = 'resolved', resolved_at = {self._moment}
                WHERE {who} AND reject_status = 'open'
                AND record_id IN (SELECT record_id FROM {staged.table}) AND NOT EXISTS ({still})"""
            )
        if not staged.result.rows_rejected:
            return
        known = (
            f"""WHERE NOT EXISTS (SELECT 1 FROM ops.reject r WHERE {who} AND reject_status = 'open'
            AND f."$id" IS NOT DISTINCT FROM r.record_id AND f.field IS NOT DISTINCT FROM r.field
            AND f.reason = r.reason AND f.found IS NOT DISTINCT FROM r.found
            AND (r.record_id IS NOT NULL OR r.payload = {staged.typing.payload_sql()}))"""
            if has_open
            else ""
        )
        self._connection.execute(
            f"""INSERT INTO ops.reject (reject_id, load_id, source_system, resource, table_name, record_id, field,
                reason, found, expected, origin, payload, rejected_at, reject_status)
            SELECT concat({quoted(self._batch.load_id)}, '/', f."$at", '/', coalesce(f.field, '$id')),
                {quoted(self._batch.load_id)}, {quoted(self._source.name)}, {quoted(staged.rule.name)},
                {quoted(staged.core)}, f."$id", f.field, f.reason, f.found, f.expected,
                concat({quoted(self._batch.origin_prefix)}, f."$at"), {staged.typing.payload_sql()}, {self._moment}, 'open'
            FROM {faulty}_reasons f JOIN (SELECT * EXCLUDE ("$id") FROM {faulty}) USING ("$at") {known}"""
        )

    def _keep_new_fields(self) -> list[str]:
        """Note undeclared fields once; what the first load finds is the state to compare with."""
        manifest = self._batch.manifest
        if manifest is None or not any(manifest.new_fields.values()):
            return []
        told = []
        for name, paths in manifest.new_fields.items():
            if not paths:
                continue
            known = {
                path
                for (path,) in self._connection.execute(
                    "SELECT path FROM ops.drift WHERE source_system = ? AND resource = ?"
                    " AND kind IN ('new_field', 'not_kept')",
                    [self._source.name, name],
                ).fetchall()
            }
            declared = self._resource.not_kept if name == self._resource.name else None
            known |= set(declared or ())
            kind = "not_kept" if declared is None and not known else "new_field"
            fresh = [path for path in paths if path not in known]
            if fresh:
                rows = ", ".join(
                    f"({quoted(self._source.name)}, {quoted(name)}, {quoted(kind)}, {quoted(path)},"
                    f" '未声明', '出现', {self._moment}, {quoted(self._batch.load_id)})"
                    for path in fresh
                )
                self._connection.execute(f"INSERT INTO ops.drift VALUES {rows}")
            if kind == "new_field":
                told += [f"{name}.{path}" for path in fresh]
        return told

    def _move_watermark(self) -> str | None:
        """Never back, never beyond the pull's own time: a record from the future moves nothing."""
        manifest, cursor = self._batch.manifest, self._resource.cursor
        if manifest is None or cursor is None or not manifest.moves_watermark or not self._lists:
            return None
        table = self._lists[0].table
        if cursor.kind == "number":
            found = self._value(f"SELECT max(cursor_number) FROM {table}")
        else:
            found = self._value(
                f"SELECT max(source_updated_at) FROM {table} WHERE source_updated_at <= TIMESTAMP {quoted(moment_text(self._batch.started_at))}"
            )
        if found is None:
            return None
        value = str(found) if cursor.kind == "number" else moment_text(found)
        known = self._connection.execute(
            "SELECT cursor_value FROM ops.watermark WHERE source_system = ? AND resource = ?",
            [self._source.name, self._resource.name],
        ).fetchone()
        if known is not None:
            is_ahead = int(value) > int(known[0]) if cursor.kind == "number" else value > known[0]
            if not is_ahead:
                return str(known[0])
            self._connection.execute(
                "DELETE FROM ops.watermark WHERE source_system = ? AND resource = ?",
                [self._source.name, self._resource.name],
            )
        self._connection.execute(
            "INSERT INTO ops.watermark (source_system, resource, cursor_value, updated_at, load_id) VALUES (?, ?, ?, ?, ?)",
            [self._source.name, self._resource.name, value, self._now, self._batch.load_id],
        )
        return value

    def _keep_workbooks(self) -> None:
        manifest = self._batch.manifest
        if manifest is None or not manifest.workbooks:
            return
        rows = ", ".join(
            f"({quoted(self._source.name)}, {quoted(self._resource.name)}, {quoted(book.name)}, {quoted(book.sha256)},"
            f" {quoted(book.mark)}, {self._moment}, {quoted(self._batch.load_id)})"
            for book in manifest.workbooks
        )
        self._connection.execute(
            "INSERT INTO ops.resource_file (source_system, resource, file_name, sha256, mark, loaded_at, load_id)"
            f" VALUES {rows}"
        )

    def _keep_expected(self) -> None:
        """A list that came shorter than the source said is on record as a difference."""
        manifest = self._batch.manifest
        if manifest is None or not self._lists or not self._is_incomplete(self._lists[0]):
            return
        self._connection.execute(
            "INSERT INTO ops.control_total (source_system, resource, window_from, window_to, source_count,"
            " warehouse_count, compared_at, load_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                self._source.name,
                self._resource.name,
                manifest.window_from,
                manifest.window_to,
                manifest.expected_rows,
                self._lists[0].result.rows_read + manifest.rows_not_selected,
                self._now,
                self._batch.load_id,
            ],
        )

    def _keep_load(self, result: LoadResult, message: str | None = None) -> None:
        manifest = self._batch.manifest
        rows: list[list[Any]] = []
        for number, one in enumerate(result.lists):
            rows.append(
                [
                    result.load_id if number == 0 else f"{result.load_id}/{one.name}",
                    self._run_id,
                    self._source.name,
                    one.name,
                    f"core.{one.table}",
                    self._batch.started_at,
                    clock.now(),
                    result.status,
                    manifest.window_from if manifest else None,
                    manifest.window_to if manifest else None,
                    one.rows_read,
                    one.rows_written,
                    one.rows_unchanged,
                    one.rows_removed,
                    one.rows_rejected,
                    self._batch.manifest_path,
                    manifest.is_full if manifest else False,
                    message,
                ]
            )
        places = ", ".join(f"({', '.join('?' * len(row))})" for row in rows)
        self._connection.execute(
            "INSERT INTO ops.load (load_id, run_id, source_system, resource, table_name, started_at, finished_at,"
            " load_status, window_from, window_to, rows_read, rows_written, rows_unchanged, rows_removed,"
            f" rows_rejected, landing_manifest, is_full, message) VALUES {places}",
            [value for row in rows for value in row],
        )

    def note_stop(self, message: str) -> None:
        """The load record of a load that was stopped, and what was found to have changed."""
        result = LoadResult(self._batch.load_id, self._source.name, self._resource.name, "stopped")
        result.lists = [staged.result for staged in self._lists] or [
            ListResult(self._resource.name, self._resource.table)
        ]
        with transaction(self._connection):
            # Of a landing that is tried again only the last verdict is kept.
            self._connection.execute(
                "DELETE FROM ops.load WHERE load_status = 'stopped' AND starts_with(load_id, ?)",
                [result.load_id],
            )
            self._keep_load(result, message)
            for drift in self._found_drift:
                self._connection.execute(
                    "INSERT INTO ops.drift SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM ops.drift"
                    " WHERE source_system = ? AND resource = ? AND kind = ? AND path = ?)",
                    [*drift, self._now, self._batch.load_id, *drift[:4]],
                )

    _found_drift: tuple[tuple[Any, ...], ...] = ()

    def _drift(
        self, staged: _Staged, kind: str, column: str, expected: str, found: str | None
    ) -> None:
        path = "、".join(staged.rule.fields[column].path)
        self._found_drift = (
            *self._found_drift,
            (self._source.name, staged.rule.name, kind, path, expected, _short(found)),
        )

    # ---- small help

    @property
    def _moment(self) -> str:
        return f"TIMESTAMP {quoted(moment_text(self._now))}"

    def _title(self, staged: _Staged) -> str:
        return f"{self._source.title}·{staged.rule.title or staged.rule.name}"

    def _row(self, sql: str) -> tuple[Any, ...]:
        row = self._connection.execute(sql).fetchone()
        assert row is not None
        return tuple(row)

    def _value(self, sql: str) -> Any:
        return self._row(sql)[0]


def parent_column(rule: Resource | Child, resource: Resource) -> str | None:
    """The column of a child's table that holds its parent's record id."""
    if not isinstance(rule, Child):
        return None
    meant = {"$parent_id"}
    if len(resource.key) == 1:
        meant.add(f"$parent.{resource.key[0]}")
    for column, field_rule in rule.fields.items():
        if len(field_rule.path) == 1 and field_rule.path[0] in meant:
            return column
    return None


def _short(found: str | None) -> str:
    return (found or "")[:40]
