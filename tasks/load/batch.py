"""What a load is made of: what goes in, what is typed, what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from tasks import clock
from tasks.load.typed import ListTyping
from tasks.sources.landing import Manifest, left_out
from tasks.sources.model import Child, Resource, Source
from warehouse.lake import Connection
from warehouse.sql import literal

NAMED = 3
"""How many records a message names."""


@dataclass
class ListResult:
    """What one list (the resource's own, or a child's) brought, record by record:

    fetched = left out + landed; landed = joined + conflicting + rejected + new + updated +
    unchanged. Each is counted where it happens, none is the difference of others: a record that
    is lost leaves a gap (`tasks.editions.account`). Left out are records that conditions did not
    select, and rows of workbooks that are none; a record that came several times over is joined
    all times but one. `rejected_again` are rejected for what they were rejected for before.
    `moved_from` counts, of the updated, those that another list brought until now.
    `removed_ids`, `unseen_ids` name the first of those.
    """

    name: str
    table: str
    rows_read: int = 0
    rows_written: int = 0
    rows_unchanged: int = 0
    rows_removed: int = 0
    rows_rejected: int = 0
    rows_served: int | None = None
    rows_new: int = 0
    rows_rejected_again: int = 0
    rows_fetched: int = 0
    rows_left_out: int = 0
    rows_not_selected: int = 0
    rows_skipped: int = 0
    rows_landed: int = 0
    rows_joined: int = 0
    rows_conflicting: int = 0
    rows_withdrawn: int = 0
    rows_unseen: int = 0
    moved_from: dict[str, int] = field(default_factory=dict)
    removed_ids: list[str] = field(default_factory=list)
    unseen_ids: list[str] = field(default_factory=list)

    def take(self, manifest: Manifest | None, is_own: bool) -> None:
        """What the landing says of the list."""
        if manifest is None:
            return
        count = manifest.count(self.name)
        self.rows_fetched, self.rows_skipped = count.fetched, count.skipped
        self.rows_landed = sum(file.rows for file in manifest.files(self.name))
        self.rows_left_out = sum(file.rows for file in manifest.files(left_out(self.name)))
        self.rows_served = manifest.expected_rows if is_own else None


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
    notes: list[str] = field(default_factory=list)
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
    def rows_conflicting(self) -> int:
        return self._sum("rows_conflicting")

    @property
    def rows_unseen(self) -> int:
        return self._sum("rows_unseen")

    def _first(self, name: str) -> str:
        """The first ids of those that lists name so, for people."""
        found = [record_id for one in self.lists for record_id in getattr(one, name)]
        return f"({'、'.join(found[:NAMED])}{' 等' if len(found) > NAMED else ''})" if found else ""

    @property
    def told(self) -> list[str]:
        """What a person should know though the load went through."""
        told = list(self.notes)
        if self.rows_removed:
            told.append(
                f"清单中不再有、算撤回或删除 {self.rows_removed:,} 条{self._first('removed_ids')}"
            )
        if self.rows_unseen:
            told.append(
                f"清单中未再出现 {self.rows_unseen:,} 条{self._first('unseen_ids')},仍算有效,待再次拉取核实"
            )
        if self.rows_conflicting:
            told.append(
                f"{self.rows_conflicting:,} 条与另一条编号相同而内容不同(nianbao rejects 查看)"
            )
        return told

    @property
    def message(self) -> str:
        """For people: 读取 1,200,写入 30,未变 1,170."""
        withdrawn = self._sum("rows_withdrawn")
        parts = [
            f"读取 {self.rows_read:,}" + (f"(其中来源注明作废 {withdrawn:,})" if withdrawn else ""),
            f"写入 {self.rows_written:,}",
            f"未变 {self.rows_unchanged:,}",
        ]
        if self.rows_rejected:
            parts.append(f"退回 {self.rows_rejected:,}(nianbao rejects 查看)")
        if self.new_fields:
            parts.append(f"来源新增字段(未保存):{'、'.join(self.new_fields)}")
        return ",".join([*parts, *self.told])


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


@dataclass(frozen=True)
class Absent:
    """Records in force that a list lacks: temporary tables of those that are gone, by proof or
    because a further list lacks them, and of those that are only not seen."""

    gone: str
    unseen: str


@dataclass
class Staged:
    """One list, typed into a temporary table.

    `absent` tells of rows of the core table that the list no longer has;
    `has_known` says that rows of this list are in the core table already, `was_known` that rows of
    its system were before the load.
    """

    rule: Resource | Child
    typing: ListTyping
    result: ListResult
    table: str
    files: list[str]
    parent_column: str | None = None
    absent: Absent | None = None
    has_known: bool = False
    was_known: bool = False

    @property
    def faulty(self) -> str:
        """The temporary table of the rows that cannot be kept; `…_reasons` says why."""
        return self.table.replace("staged", "faulty")

    @property
    def doubled(self) -> str:
        """The temporary table of the rows whose id another row has that is kept."""
        return self.table.replace("staged", "doubled")

    @property
    def changed(self) -> str:
        """The temporary table of the rows that are to be written."""
        return self.table.replace("staged", "changed")

    @property
    def known(self) -> str:
        """The temporary table of what the core table holds of the staged rows."""
        return self.table.replace("staged", "known")

    @property
    def dated_by(self) -> str | None:
        """The column by which the core table's files are kept apart, where the list has it."""
        column = self.typing.table.partition_column
        return column if column in self.typing.column_names else None

    @property
    def core(self) -> str:
        """The core table."""
        return f"core.{self.rule.table}"


@dataclass(frozen=True)
class Earlier:
    """Where to ask what was loaded, and what was not seen, before."""

    loads: str = "ops.load"
    unseen: str = "ops.unseen"


EARLIER = Earlier()


def copied_earlier(connection: Connection) -> Earlier:
    """The same from memory, for many landings at once: each question to the lake costs a look into
    its catalog. As of now; in the order in which it was written."""
    copied = Earlier("temp.main.earlier_load", "temp.main.earlier_unseen")
    for source, name in ((EARLIER.loads, copied.loads), (EARLIER.unseen, copied.unseen)):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name.removeprefix('temp.main.')} AS "
            f"SELECT * FROM {source} ORDER BY rowid"
        )
    return copied


LAST_CONTENT = "arg_max_null(content_hash, (started_at, rowid))"
"""Of loads, the fingerprint of what the newest was made of."""


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
    earlier: Earlier = EARLIER

    @property
    def rules(self) -> list[Resource | Child]:
        """The resource and its kinds of children: a list each."""
        return [self.resource, *self.resource.children]

    def rule(self, name: str) -> Resource | Child:
        """The resource or child of that name."""
        return next(rule for rule in self.rules if rule.name == name)

    @cached_property
    def history(self) -> History:
        """What was loaded before."""
        batch, source, resource = self.batch, self.source.name, self.resource.name
        return History(
            *self.row(
                f"""SELECT max(load_status) FILTER (load_id = {literal(batch.load_id)}),
                    {LAST_CONTENT} FILTER (started_at <= {literal(max(self.now, clock.now()))})
                FROM {self.earlier.loads} WHERE source_system = {literal(source)} AND resource = {literal(resource)}"""
            )
        )

    @property
    def has_unseen(self) -> bool:
        """Whether records of the resource or its children were not seen last time."""
        if (
            self.connection.execute(f"SELECT 1 FROM {self.earlier.unseen} LIMIT 1").fetchone()
            is None
        ):
            return False
        names = ", ".join(literal(rule.name) for rule in self.rules)
        return bool(
            self.value(
                f"""SELECT count(*) FROM {self.earlier.unseen} WHERE source_system = {literal(self.source.name)}
                AND resource IN ({names})"""
            )
        )

    def recall(self, result: ListResult) -> None:
        """What the last load counted of the same content of a list."""
        row = self.connection.execute(
            f"""SELECT coalesce(rows_rejected, 0), coalesce(rows_read, 0), coalesce(rows_conflicting, 0),
                coalesce(rows_withdrawn, 0), coalesce(rows_not_selected, 0), coalesce(rows_joined, 0)
            FROM {self.earlier.loads}
            WHERE source_system = {literal(self.source.name)} AND resource = {literal(result.name)}
            AND content_hash = {literal(self.batch.content_hash)}
            ORDER BY started_at DESC, rowid DESC LIMIT 1"""
        ).fetchone()
        if row is not None:
            result.rows_rejected, result.rows_read, result.rows_conflicting = row[:3]
            result.rows_withdrawn, result.rows_not_selected, result.rows_joined = row[3:]
            result.rows_unchanged = result.rows_read - result.rows_rejected
            result.rows_rejected_again = result.rows_rejected

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
        if manifest is None:
            return False
        return manifest.is_cut or (
            manifest.expected_rows is not None and self.came(staged) < manifest.expected_rows
        )

    def is_proven(self, staged: Staged) -> bool:
        """Whether the source's own count says that the list is whole."""
        manifest = self.batch.manifest
        return (
            manifest is not None
            and manifest.expected_rows is not None
            and not self.is_incomplete(staged)
        )

    def came(self, staged: Staged) -> int:
        """How many records of the list came, as the source counts them."""
        doubled = self.batch.manifest.doubled if self.batch.manifest is not None else 0
        return staged.result.rows_read + staged.result.rows_not_selected + doubled


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
