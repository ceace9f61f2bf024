"""What a load is made of: what goes in, what is typed, what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from tasks.load.typed import ListTyping
from tasks.sources.landing import Manifest
from tasks.sources.model import Child, Resource, Source
from warehouse.lake import Connection
from warehouse.sql import literal


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
    """What a load brought; the row counts are the resource's own and its children's together.

    `unread` tells of files of a folder that could not be read; what the others hold was loaded.
    """

    load_id: str
    source: str
    resource: str
    status: str
    lists: list[ListResult] = field(default_factory=list)
    watermark: str | None = None
    new_fields: list[str] = field(default_factory=list)
    is_repeated: bool = False
    unread: str = ""

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
    content_hash: str | None = None


@dataclass
class Staged:
    """One list, typed into a temporary table.

    `absent` is the condition for rows of the core table that a complete list no longer has;
    `has_known` says that rows of this list are in the core table already.
    """

    rule: Resource | Child
    typing: ListTyping
    result: ListResult
    table: str
    files: list[str]
    parent_column: str | None = None
    absent: str | None = None
    has_known: bool = False

    @property
    def faulty(self) -> str:
        """The temporary table of the rows that cannot be kept; `…_reasons` says why."""
        return self.table.replace("staged", "faulty")

    @property
    def changed(self) -> str:
        """The temporary table of the rows that are to be written."""
        return self.table.replace("staged", "changed")

    @property
    def core(self) -> str:
        """The core table."""
        return f"core.{self.rule.table}"


@dataclass(frozen=True)
class History:
    """How this very load ended, if it was made before, and the fingerprint of what the
    resource's last load was made of."""

    status: str | None
    last_content_hash: str | None


@dataclass(frozen=True)
class Work:
    """What every step of a load needs: the writing connection, what is loaded, and when."""

    connection: Connection
    batch: Batch
    source: Source
    resource: Resource
    now: datetime
    run_id: str | None

    @property
    def rules(self) -> list[Resource | Child]:
        """The resource and its kinds of children: a list each."""
        return [self.resource, *self.resource.children]

    @cached_property
    def history(self) -> History:
        """What was loaded before."""
        batch, source, resource = self.batch, self.source.name, self.resource.name
        return History(
            *self.row(
                f"""SELECT max(load_status) FILTER (load_id = {literal(batch.load_id)}),
                    arg_max_null(content_hash, (started_at, load_id)) FROM ops.load
                WHERE source_system = {literal(source)} AND resource = {literal(resource)}"""
            )
        )

    @property
    def moment(self) -> str:
        """The load's time as SQL."""
        return literal(self.now)

    def title(self, rule: Resource | Child) -> str:
        """The list for people."""
        return f"{self.source.title}·{rule.title or rule.name}"

    def row(self, sql: str) -> tuple[Any, ...]:
        """The one row of a query."""
        found = self.connection.execute(sql).fetchone()
        assert found is not None
        return tuple(found)

    def value(self, sql: str) -> Any:
        """The one value of a query."""
        return self.row(sql)[0]

    def is_incomplete(self, staged: Staged) -> bool:
        """Whether fewer records came than the source said it has."""
        manifest = self.batch.manifest
        if manifest is None or manifest.expected_rows is None:
            return False
        return staged.result.rows_read + manifest.rows_not_selected < manifest.expected_rows


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


def short(found: str | None) -> str:
    """A value for a message."""
    return (found or "")[:40]
