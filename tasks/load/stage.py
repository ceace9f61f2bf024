"""The first half of a load: landing rows typed into temporary tables, and judged.

Nothing of the lake is changed here. A source that broke its contract stops the load.
"""

from __future__ import annotations

from tasks.load.absent import Absence
from tasks.load.batch import ListResult, Staged, Work, parent_column, short
from tasks.load.left_out import count_not_selected
from tasks.load.typed import KEY, NO_KEY, ListTyping, make_codes, prepare
from tasks.sources.errors import RejectLimitExceeded, SourceContractError
from tasks.sources.model import Child, Resource
from warehouse.errors import must_be
from warehouse.sql import named, quoted

FEW = 3
_BARE = "temp.main."


class Stage:
    """Types every list of a batch (`lists`) and finds what is at fault or absent.

    `drift` is what was found to have changed at the source: list, kind, path, expected, found.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self.lists: list[Staged] = []
        self.drift: list[tuple[str, str, str, str, str]] = []

    def goes_on_with(self, work: Work) -> None:
        """From here on the lake may be asked: `work` has it at hand."""
        self._work = work

    def stage(self) -> None:
        """Type every list into a temporary table. Raises SourceContractError."""
        work = self._work
        absence = Absence(work, self.lists)
        rules = [
            rule
            for rule in work.rules
            if work.batch.files.get(rule.name) or absence.may_be_told_by_nothing(rule)
        ]
        if rules:
            prepare(work.connection)
            make_codes(work.connection, work.source, rules)
        for number, rule in enumerate(rules):
            staged = Staged(
                rule,
                ListTyping(work.source, rule),
                ListResult(rule.name, rule.table),
                f"{_BARE}staged_{number}",
                work.batch.files.get(rule.name, []),
                parent_column(rule, work.resource),
            )
            staged.result.take(work.batch.manifest, rule is work.resource)
            staged.result.rows_not_selected = count_not_selected(work, rule)
            self._stage(staged)
            self.lists.append(staged)

    def _stage(self, staged: Staged) -> None:
        typing, work = staged.typing, self._work
        removed = self._removed_sql(staged.rule)
        columns = ", ".join(named(name) for name in typing.column_names)
        work.connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE {staged.table.removeprefix(_BARE)} AS
            SELECT *, {typing.hash_sql()} AS row_hash FROM (
                SELECT {KEY} AS record_id, CASE WHEN {NO_KEY} THEN md5({typing.payload_sql(without=("$at",))}) END AS bare_hash,
                       {columns}, "$at" AS place, "$kind" AS kind, "$parent" AS parent_id,
                       "$fault" AS is_faulty, TRY_CAST("$cursor" AS BIGINT) AS cursor_number,
                       {typing.moment_sql("$updated")} AS source_updated_at,
                       coalesce("$removed" = 'true', false) AS is_removed,
                       {removed} AS removed_at
                FROM ({typing.typed_sql(typing.landing_sql(staged.files))}))"""
        )
        total, distinct = work.row(
            f"SELECT count(*), count(DISTINCT coalesce(record_id, bare_hash)) FROM {staged.table}"
        )
        staged.result.rows_landed = total
        staged.result.rows_read = distinct
        if work.batch.manifest is None:
            staged.result.rows_fetched = total
        if total != distinct:
            self._set_doubled_aside(staged)

    def _set_doubled_aside(self, staged: Staged) -> None:
        """Of rows with one id the newer state, else the later one, is kept. Those of the same
        content are joined to it; each other content is told as conflicting, once."""
        work = self._work
        contents = work.value(
            "SELECT count(DISTINCT (coalesce(record_id, bare_hash), concat(row_hash, kind)))"
            f" FROM {staged.table}"
        )
        work.connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE {staged.doubled.removeprefix(_BARE)} AS
            SELECT place, kept_place, said IS DISTINCT FROM kept_said
                   AND row_number() OVER (PARTITION BY identity, said ORDER BY number) = 1 AS is_conflicting
            FROM (
                SELECT place, identity, said, row_number() OVER newest AS number,
                       first_value(place) OVER newest AS kept_place, first_value(said) OVER newest AS kept_said
                FROM (SELECT *, coalesce(record_id, bare_hash) AS identity, concat(row_hash, kind) AS said
                      FROM {staged.table})
                WINDOW newest AS (
                    PARTITION BY identity
                    ORDER BY source_updated_at DESC NULLS LAST,
                             regexp_replace(place, '[0-9]+$', '') DESC, length(place) DESC, place DESC))
            WHERE number > 1"""
        )
        work.connection.execute(
            f"DELETE FROM {staged.table} WHERE place IN (SELECT place FROM {staged.doubled})"
        )
        staged.result.rows_conflicting, staged.result.rows_joined = work.row(
            f"SELECT count(*) FILTER (is_conflicting), count(*) FILTER (NOT is_conflicting) FROM {staged.doubled}"
        )
        told = staged.result.rows_read + staged.result.rows_conflicting
        must_be(f"{work.title(staged.rule)}:编号或内容不同的", contents, told)

    def _removed_sql(self, rule: Resource | Child) -> str:
        """When a withdrawn record was withdrawn: as the record says, else when it last changed."""
        if rule.removed is None:
            return "CAST(NULL AS TIMESTAMP)"
        moment = ListTyping(self._work.source, rule).moment_sql
        own = moment("$removed_at", rule.removed.format)
        return f"CASE WHEN \"$removed\" = 'true' THEN coalesce({own}, {moment('$updated')}) END"

    def judge(self) -> None:
        """Stop before anything is written when the source has broken its contract."""
        absence = Absence(self._work, self.lists)
        self.lists[:] = [s for s in self.lists if s.files or absence.is_told_by_nothing(s.rule)]
        for staged in self.lists:
            result = staged.result
            result.rows_rejected, result.rows_withdrawn = self._work.row(
                f"""SELECT count(*) FILTER (is_faulty), count(*) FILTER (is_removed AND NOT is_faulty)
                FROM {staged.table}"""
            )
            if result.rows_rejected or result.rows_conflicting:
                self._make_faulty(staged)
                self._judge_columns(staged)
                self._judge_share(staged)
        for staged in self.lists:
            absence.find(staged)

    def _make_faulty(self, staged: Staged) -> None:
        typing, name = staged.typing, staged.faulty
        conflicting = (
            f' OR "$at" IN (SELECT place FROM {staged.doubled} WHERE is_conflicting)'
            if staged.result.rows_conflicting
            else ""
        )
        self._work.connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE {name.removeprefix(_BARE)} AS
            SELECT * FROM ({typing.typed_sql(typing.landing_sql(staged.files))})
            WHERE "$at" IN (SELECT place FROM {staged.table} WHERE is_faulty){conflicting}"""
        )
        reasons = typing.faults_sql(name)
        if staged.result.rows_conflicting:
            reasons = (
                f'SELECT * FROM ({reasons}) WHERE "$at" NOT IN (SELECT place FROM {staged.doubled})'
                f" UNION ALL {self._conflicts_sql(staged)}"
            )
        self._work.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name.removeprefix(_BARE)}_reasons AS {reasons}"
        )

    def _conflicts_sql(self, staged: Staged) -> str:
        """A row a conflict: which columns differ from the row that was kept, and where that is."""
        names = staged.typing.column_names
        differing = ", ".join(
            f"CASE WHEN f.{named(name)} IS DISTINCT FROM k.{named(name)} THEN {quoted(name)} END"
            for name in names
        )
        prefix = quoted(self._work.batch.origin_prefix)
        return f"""SELECT f."$id", f."$at", NULL, 'conflicting_key',
                coalesce(nullif(concat_ws('、', {differing}), ''), '撤回的状态或编号的类型'),
                concat('与 ', {prefix}, d.kept_place, ' 相同的内容(编号相同,留用该处)')
            FROM {staged.faulty} f JOIN {staged.doubled} d ON f."$at" = d.place
            JOIN {staged.table} k ON k.place = d.kept_place WHERE d.is_conflicting"""

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
            " WHERE reason <> 'conflicting_key' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 3"
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
