"""The first half of a load: landing rows typed into temporary tables, and judged.

Nothing of the lake is changed here. A source that broke its contract stops the load.
"""

from __future__ import annotations

from tasks.load.batch import ListResult, Staged, Work, parent_column, short
from tasks.load.typed import ListTyping, make_codes, prepare
from tasks.sources.errors import RejectLimitExceeded, SourceContractError
from tasks.sources.model import Child, Resource
from warehouse.sql import named, quoted

FEW = 3
FEW_REMOVED = 20


class Stage:
    """Types every list of a batch (`lists`) and finds what is at fault or absent.

    `drift` is what was found to have changed at the source: list, kind, path, expected, found.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self.lists: list[Staged] = []
        self.drift: list[tuple[str, str, str, str, str]] = []

    def stage(self) -> None:
        """Type every list into a temporary table. Raises SourceContractError."""
        rules = [rule for rule in self._work.rules if self._work.batch.files.get(rule.name)]
        if rules:
            prepare(self._work.connection)
            make_codes(self._work.connection, self._work.source, rules)
        for number, rule in enumerate(rules):
            staged = Staged(
                rule,
                ListTyping(self._work.source, rule),
                ListResult(rule.name, rule.table),
                f"temp.main.staged_{number}",
                self._work.batch.files[rule.name],
                parent_column(rule, self._work.resource),
            )
            self._stage(staged)
            self.lists.append(staged)

    def _stage(self, staged: Staged) -> None:
        typing = staged.typing
        removed = self._removed_sql(staged.rule)
        columns = ", ".join(named(name) for name in typing.column_names)
        self._work.connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE {staged.table.removeprefix("temp.main.")} AS
            SELECT *, {typing.hash_sql()} AS row_hash FROM (
                SELECT "$id" AS record_id, {columns}, "$at" AS place, "$parent" AS parent_id, "$fault" AS is_faulty,
                       TRY_CAST("$cursor" AS BIGINT) AS cursor_number,
                       {typing.moment_sql("$updated")} AS source_updated_at,
                       coalesce("$removed" = 'true', false) AS is_removed,
                       {removed} AS removed_at
                FROM ({typing.typed_sql(typing.landing_sql(staged.files))}))"""
        )
        total, distinct = self._work.row(
            f"SELECT count(*), count(DISTINCT record_id) + count(*) FILTER (record_id IS NULL) FROM {staged.table}"
        )
        if total != distinct:
            # The same record on two pages: the newer state, else the later page, is kept.
            self._work.connection.execute(
                f"""CREATE OR REPLACE TEMP TABLE {staged.table.removeprefix("temp.main.")} AS
                SELECT * FROM {staged.table}
                QUALIFY record_id IS NULL OR row_number() OVER (
                    PARTITION BY record_id
                    ORDER BY source_updated_at DESC NULLS LAST,
                             regexp_replace(place, '[0-9]+$', '') DESC, length(place) DESC, place DESC) = 1"""
            )
        staged.result.rows_read = distinct

    def _removed_sql(self, rule: Resource | Child) -> str:
        """When a withdrawn record was withdrawn: as the record says, else when it last changed."""
        if rule.removed is None:
            return "CAST(NULL AS TIMESTAMP)"
        moment = ListTyping(self._work.source, rule).moment_sql
        own = moment("$removed_at", rule.removed.format)
        return f"CASE WHEN \"$removed\" = 'true' THEN coalesce({own}, {moment('$updated')}) END"

    def judge(self) -> None:
        """Stop before anything is written when the source has broken its contract."""
        for staged in self.lists:
            faulty = self._work.value(f"SELECT count(*) FROM {staged.table} WHERE is_faulty")
            staged.result.rows_rejected = faulty
            if faulty:
                self._make_faulty(staged)
                self._judge_columns(staged)
                self._judge_share(staged)
        for staged in self.lists:
            self._find_absent(staged)

    def _make_faulty(self, staged: Staged) -> None:
        typing, name = staged.typing, staged.faulty
        self._work.connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE {name.removeprefix("temp.main.")} AS
            SELECT * FROM ({typing.typed_sql(typing.landing_sql(staged.files))})
            WHERE "$fault" AND "$at" IN (SELECT place FROM {staged.table} WHERE is_faulty)"""
        )
        self._work.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name.removeprefix('temp.main.')}_reasons AS {typing.faults_sql(name)}"
        )

    def _judge_columns(self, staged: Staged) -> None:
        """A required field that is at fault in every record has changed its form."""
        reasons = f"{staged.faulty}_reasons"
        rows = staged.result.rows_read
        if rows < FEW or self._work.batch.manifest is None:
            return
        for name, reason, found, expected, origin in self._work.connection.execute(
            f"""SELECT field, mode(reason), min(found), any_value(expected), min("$at") FROM {reasons}
            WHERE field IS NOT NULL GROUP BY field HAVING count(*) = {rows} ORDER BY field"""
        ).fetchall():
            rule = staged.rule.fields[name]
            if not rule.required:
                continue
            what = (
                "都没有值"
                if reason == "missing_required"
                else f"都不是{expected},例如“{short(found)}”"
            )
            kind = "missing_field" if reason == "missing_required" else "retyped_field"
            path = "、".join(rule.path)
            self.drift.append((staged.rule.name, kind, path, expected, short(found)))
            raise SourceContractError(
                f"{self._work.title(staged.rule)}的必填字段 {name} ← {'、'.join(rule.path)}:"
                f"{rows} 条记录{what},应为{expected}(如 {self._work.batch.origin_prefix}{origin})。"
                "请与系统厂商核实接口是否变动,并修改来源文件;本资源未写入任何数据"
            )

    def _judge_share(self, staged: Staged) -> None:
        limit = self._work.resource.reject_limit or self._work.source.reject_limit
        result = staged.result
        if (
            self._work.batch.manifest is None
            or result.rows_rejected < limit.at_least
            or result.rows_rejected <= limit.share * result.rows_read
        ):
            return
        reasons = f"{staged.faulty}_reasons"
        common = self._work.connection.execute(
            f"SELECT coalesce(field, '编号'), expected, count(*), min(found) FROM {reasons}"
            " GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 3"
        ).fetchall()
        told = ";".join(
            f"{name} 应为{expected},{count} 条不符,例如“{short(found)}”"
            for name, expected, count, found in common
        )
        raise RejectLimitExceeded(
            f"{self._work.title(staged.rule)}的 {result.rows_read:,} 条记录中有 {result.rows_rejected:,} 条无法读取,"
            f"超过上限 {limit.share:.0%},未写入任何数据。{told}。"
            "请修改来源文件的字段或代码表;确属来源数据问题的,可调大 reject_limit.share"
        )

    def _find_absent(self, staged: Staged) -> None:
        """Records that a complete list no longer has; told apart from a list cut short."""
        condition = self._absent_condition(staged)
        if condition is None:
            return
        # A faulty record is in the list all the same.
        condition += f" AND record_id NOT IN (SELECT record_id FROM {staged.table} WHERE record_id IS NOT NULL)"
        absent = self._work.value(f"SELECT count(*) FROM {staged.core} WHERE {condition}")
        if not absent:
            return
        if isinstance(staged.rule, Resource) and staged.rule.workbook is None:
            held = self._work.value(
                f"SELECT count(*) FROM {staged.core} WHERE {self._absent_condition(staged)}"
            )
            most = staged.rule.max_removed_share
            if absent > FEW_REMOVED and absent > held * most:
                raise SourceContractError(
                    f"{self._work.title(staged.rule)}的完整清单少了 {absent:,} 条(库内 {held:,} 条),超过上限 {most:.0%},"
                    "疑为来源返回不全,未写入任何数据。请在来源系统核实;确已删除的,调大 max_removed_share 后重新运行"
                )
        staged.absent = condition
        staged.result.rows_removed = absent

    def _absent_condition(self, staged: Staged) -> str | None:
        """Which rows of the core table this landing would have to contain."""
        manifest, rule = self._work.batch.manifest, staged.rule
        if manifest is None:
            return None
        own = f"source_system = {quoted(self._work.source.name)} AND removed_at IS NULL"
        if isinstance(rule, Child):
            if staged.parent_column is None:
                return None
            parents = self.lists[0].table
            return (
                f"{own} AND starts_with(origin, {quoted(f'{manifest.source}/{manifest.resource}/')})"
                f" AND {staged.parent_column} IN (SELECT record_id FROM {parents} WHERE NOT is_faulty)"
            )
        if rule.absent == "keep":
            return None
        if rule.workbook is not None:
            files = [
                quoted(f"{self._work.batch.origin_prefix}{book.name}#")
                for book in manifest.workbooks
                if book.is_read
            ]
            return (
                f"{own} AND ({' OR '.join(f'starts_with(origin, {file})' for file in files)})"
                if files
                else None
            )
        if not manifest.is_full or self._work.is_incomplete(staged):
            return None
        own += f" AND starts_with(origin, {quoted(f'{manifest.source}/{manifest.resource}/')})"
        if manifest.window_from is None or rule.windows is None:
            return own
        column = rule.windows.column
        if column is None:
            return None
        return f"{own} AND {column} >= TIMESTAMP {quoted(manifest.window_from)} AND {column} < TIMESTAMP {quoted(manifest.window_to or '')}"
