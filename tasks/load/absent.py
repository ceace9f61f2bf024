"""Gone is not the same as not seen: what becomes of records in force that a list lacks.

A record is gone when the list that lacks it is proven whole by the source's own count, or when a
further pull lacks it too. Until then it counts, and stands in `ops.unseen`. A list of a span, or
of a workbook, proves nothing by itself: the record may have moved to another one. Withdrawals
beyond a share, and a list that became empty, wait for a person's word.
"""

from __future__ import annotations

from tasks.load.batch import NAMED, Absent, Staged, Work
from tasks.sources.errors import SourceContractError
from tasks.sources.model import Child, Resource
from warehouse.sql import quoted

_BARE = "temp.main."


class Absence:
    """Looks for what the lists of one load lack; `lists` are those staged so far."""

    def __init__(self, work: Work, lists: list[Staged]) -> None:
        self._work = work
        self._lists = lists

    def may_be_told_by_nothing(self, rule: Resource | Child) -> bool:
        """Whether it may mean something that no record of the list came. The lake is not asked."""
        manifest = self._work.batch.manifest
        if manifest is None or isinstance(rule, Child) or rule.absent == "keep":
            return False
        return rule.workbook is not None or manifest.is_full

    def is_told_by_nothing(self, rule: Resource | Child) -> bool:
        """Whether it does: of workbooks, of which only those are read that changed, where one was read
        or a record waits to be seen again."""
        manifest = self._work.batch.manifest
        if manifest is None or isinstance(rule, Child) or not self.may_be_told_by_nothing(rule):
            return False
        if rule.workbook is not None:
            return any(book.is_read for book in manifest.workbooks) or self._has_unseen(rule)
        return True

    def find(self, staged: Staged) -> None:
        """Find what the list lacks, and tell apart what is gone. Raises SourceContractError."""
        scope = self._scope(staged)
        if scope is None:
            return
        work, result = self._work, staged.result
        absent = staged.table.replace("staged", "absent")
        # A faulty record is in the list all the same.
        work.connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE {absent.removeprefix(_BARE)} AS
            SELECT record_id FROM {staged.core} WHERE {scope}
            AND record_id NOT IN (SELECT record_id FROM {staged.table} WHERE record_id IS NOT NULL)"""
        )
        if not work.value(f"SELECT count(*) FROM {absent}"):
            return
        gone = self._gone(staged, absent)
        if not self._is_part(staged):
            self._judge_share(staged, absent, scope)
        staged.absent = Absent(gone, f"(SELECT * FROM {absent} EXCEPT SELECT * FROM {gone})")
        result.rows_removed, removed = self._counted(gone)
        result.rows_unseen, unseen = self._counted(staged.absent.unseen)
        result.removed_ids, result.unseen_ids = removed, unseen

    def _counted(self, records: str) -> tuple[int, list[str]]:
        """How many records, and the first of them."""
        count = self._work.value(f"SELECT count(*) FROM {records}")
        first = self._work.connection.execute(
            f"SELECT record_id FROM {records} ORDER BY record_id LIMIT {NAMED + 1}"
        ).fetchall()
        return count, [record_id for (record_id,) in first]

    def _gone(self, staged: Staged, absent: str) -> str:
        """The temporary table of those that are gone."""
        gone = staged.table.replace("staged", "gone")
        if isinstance(staged.rule, Child) or (
            not self._is_part(staged)
            and staged.rule.workbook is None
            and self._work.is_proven(staged)
        ):
            condition = "true"
        elif self._is_part(staged):
            condition = "false"
        else:
            condition = f"record_id IN (SELECT record_id FROM ops.unseen WHERE {self._of(staged)})"
        moved = self._moved(staged)
        if moved is not None:
            condition += f" OR record_id IN (SELECT record_id FROM {staged.core} WHERE {moved})"
        self._work.connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE {gone.removeprefix(_BARE)} AS
            SELECT record_id FROM {absent} WHERE {condition}"""
        )
        return gone

    def _judge_share(self, staged: Staged, absent: str, scope: str) -> None:
        """Stop where so many are absent that the list was probably cut short."""
        if isinstance(staged.rule, Child):
            return
        is_folder = staged.rule.workbook is not None
        moved = self._moved(staged)
        unmoved = (
            f" AND record_id NOT IN (SELECT record_id FROM {staged.core} WHERE {moved})"
            if moved is not None
            else ""
        )
        count = self._work.value(f"SELECT count(*) FROM {absent} WHERE true{unmoved}")
        # Of a folder only what has changed is read: a share is one of all that it holds.
        of = self._own(staged) if is_folder else scope
        held = self._work.value(f"SELECT count(*) FROM {staged.core} WHERE {of}{unmoved}")
        most = staged.rule.max_removed_share
        title = self._work.title(staged.rule)
        if count and count == held and most < 1 and not staged.result.rows_read:
            said = "来源自报 0 条" if self._work.is_proven(staged) else "没有取到记录"
            raise SourceContractError(
                f"{title}的清单已空({said}),而库内有 {held:,} 条有效,未写入任何数据,等待确认。"
                "请在来源系统核实;确已全部删除的,把 max_removed_share 设为 1 后重新运行"
            )
        if count > max(1, held * most):
            raise SourceContractError(
                f"{title}的完整清单少了 {count:,} 条(库内 {held:,} 条),超过上限 {most:.0%},"
                "疑为来源返回不全,未写入任何数据。请在来源系统核实;确已删除的,调大 max_removed_share 后重新运行"
            )

    def _is_part(self, staged: Staged) -> bool:
        """Whether the list is one of some spans, so that what it lacks may be in another."""
        manifest, rule = self._work.batch.manifest, staged.rule
        if manifest is None or isinstance(rule, Child) or rule.windows is None:
            return False
        return manifest.window_from is not None and not manifest.is_everything

    def _of(self, staged: Staged) -> str:
        source, name = quoted(self._work.source.name), quoted(staged.rule.name)
        return f"source_system = {source} AND resource = {name}"

    def _has_unseen(self, rule: Resource) -> bool:
        return bool(
            self._work.value(
                f"""SELECT count(*) FROM ops.unseen
                WHERE source_system = {quoted(self._work.source.name)} AND resource = {quoted(rule.name)}"""
            )
        )

    def _own(self, staged: Staged) -> str:
        """The rows in force that this resource brought."""
        prefix = quoted(f"{self._work.source.name}/{self._work.resource.name}/")
        return (
            f"source_system = {quoted(self._work.source.name)} AND removed_at IS NULL"
            f" AND starts_with(origin, {prefix})"
        )

    def _scope(self, staged: Staged) -> str | None:
        """Which rows of the core table this landing would have to contain."""
        manifest, rule = self._work.batch.manifest, staged.rule
        if manifest is None:
            return None
        own = self._own(staged)
        if isinstance(rule, Child):
            if staged.parent_column is None:
                return None
            parents = self._lists[0].table
            return f"{own} AND {staged.parent_column} IN (SELECT record_id FROM {parents} WHERE NOT is_faulty)"
        if rule.absent == "keep":
            return None
        if rule.workbook is not None:
            return self._scope_of_files(staged, own)
        if not manifest.is_full or self._work.is_incomplete(staged):
            return None
        if manifest.window_from is None or rule.windows is None:
            return own
        column = rule.windows.column
        if column is None:
            return None
        return (
            f"{own} AND {column} >= TIMESTAMP {quoted(manifest.window_from)}"
            f" AND {column} < TIMESTAMP {quoted(manifest.window_to or '')}"
        )

    def _scope_of_files(self, staged: Staged, own: str) -> str | None:
        """Rows of the workbooks that were read; of those that are as they were, the rows that they
        lacked already; and of those whose content now has another name."""
        manifest = self._work.batch.manifest
        assert manifest is not None
        files = [book.name for book in manifest.workbooks if book.is_read]
        conditions = [self._in_files(files)] if files else []
        same = [name for name in manifest.listed if name not in files]
        if same:
            conditions.append(
                f"({self._in_files(same)} AND record_id IN"
                f" (SELECT record_id FROM ops.unseen WHERE {self._of(staged)}))"
            )
        moved = self._moved(staged)
        if moved is not None:
            conditions.append(moved)
        return f"{own} AND ({' OR '.join(conditions)})" if conditions else None

    def _moved(self, staged: Staged) -> str | None:
        manifest = self._work.batch.manifest
        return self._in_files(manifest.moved) if manifest is not None and manifest.moved else None

    def _in_files(self, names: list[str]) -> str:
        begin = [quoted(f"{self._work.batch.origin_prefix}{name}#") for name in names]
        return "(" + " OR ".join(f"starts_with(origin, {one})" for one in begin) + ")"
