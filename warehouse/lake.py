"""The lake: DuckDB over a DuckLake catalog, opened for reading, writing or at a snapshot.

A catalog (`catalog.py`: SQLite in the data home, or a PostgreSQL database) and a folder of
Parquet files. Readers need no lock; one writer at a time holds the catalog's lock.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from warehouse.beijing import from_beijing
from warehouse.catalog import (
    NAME,
    PUBLISHER_KEY,
    Catalog,
    Identity,
    PostgresCatalog,
    extension_file,
    opened,
)
from warehouse.city_mark import Roots, hold_city, mark_city, roots_of
from warehouse.errors import EntryError
from warehouse.lake_errors import CatalogAway, LakeBusy, LakeError, NewerLake, NoLake, explained
from warehouse.migrations import NEWEST, due, version_of
from warehouse.sql import quoted
from warehouse.storage import FILES, Bucket, Folder, Storage
from warehouse.temporary import spill_folder
from warehouse.without_pandas import keep_pandas_out

if TYPE_CHECKING:
    from warehouse.tables import Table

__all__ = [
    "Connection",
    "Lake",
    "LakeBusy",
    "LakeError",
    "NewerLake",
    "NoLake",
    "attach_sql",
    "connection_config",
    "current_snapshot",
    "in_memory",
    "one_thread",
    "started",
    "stored_columns",
    "stored_rows",
    "transaction",
]

LAYERS = ("core", "ops", "yearly")
Connection = duckdb.DuckDBPyConnection
MISLED_BY_HISTORY = "statistics_propagation"
"""What DuckDB may not do with a lake. DuckLake keeps the least and greatest value of a column
for the newest rows only, and offers them for older snapshots as well: after maintenance a
condition on an old snapshot was taken for always true (duckdb/ducklake issue 1377)."""
AWAY_SECONDS = 2
"""Between two looks whether the catalog's database answers again."""
_NO_CATALOG_YET = "creating a new DuckLake is explicitly disabled"


@dataclass(frozen=True)
class Lake:
    """A lake under `home`: its catalog, and the Parquet files in `lake/files/` or where `placed`
    says.

    On each connection the lake is attached as `lake`; what is made for the connection's time
    goes into the empty database `scratch`, or is temporary.

    `memory_limit` and `threads` apply to each connection. `write_timeout` is how many
    seconds a writer waits for another to finish. `address` names a PostgreSQL database as
    catalog; without one it is SQLite under the home. `temporary` is where DuckDB spills, a disk
    of this machine; by default under the home. `city` is the folder of the city that the lake is
    opened for: where it holds another city's records, every opening raises OtherCity. `patience` is
    for how many seconds a database or a storage that does not answer is asked again.
    """

    home: Path
    memory_limit: str = "1GB"
    threads: int | None = None
    write_timeout: float = 600
    address: str = field(default="", repr=False)
    temporary: Path | None = None
    city: Path | None = None
    placed: Storage | None = None
    patience: float = 0

    @cached_property
    def catalog(self) -> Catalog:
        return opened(self.home, self.address)

    @cached_property
    def storage(self) -> Storage:
        """Where the data files lie."""
        return self.placed or Folder(self.home.joinpath(*FILES))

    @property
    def files(self) -> Path:
        """The folder of the data files, where they lie in one."""
        assert isinstance(self.storage, Folder), self.storage.shown
        return self.storage.path

    @property
    def extensions(self) -> tuple[str, ...]:
        """The DuckDB extensions it needs, in the order of loading."""
        return (*self.storage.extensions, *self.catalog.extensions)

    @property
    def spills_to(self) -> Path:
        return self.temporary or self.home / "lake" / "temporary"

    def exists(self) -> bool:
        """Whether anything was ever written. Raises LakeError when that cannot be told."""
        seen = self.catalog.is_there()
        if seen is not None:
            return seen
        try:
            with self.read():
                return True
        except NoLake:
            return False

    @contextmanager
    def _connect(
        self,
        *,
        read_only: bool,
        snapshot: int | None = None,
        before: Callable[[Connection], None] | None = None,
    ) -> Iterator[Connection]:
        """Open; what was lost later is not begun again, only whoever used it knows what it was."""
        until = time.monotonic() + self.patience
        with ExitStack() as stack:
            while True:
                opening = self._opened(read_only=read_only, snapshot=snapshot, before=before)
                try:
                    connection = stack.enter_context(opening)
                    break
                except CatalogAway:
                    if time.monotonic() >= until:
                        raise
                    time.sleep(AWAY_SECONDS)
            # Without patience a reader gives up after two seconds: somebody may be waiting for a page.
            if self.patience or not read_only:
                self.storage.wait_longer(connection, self.patience)
            yield connection

    @contextmanager
    def _opened(
        self,
        *,
        read_only: bool,
        snapshot: int | None,
        before: Callable[[Connection], None] | None,
    ) -> Iterator[Connection]:
        catalog = self.catalog
        kind = (self.memory_limit, self.threads, self.spills_to, catalog, self.storage)
        wanted = attach_sql(catalog, self.storage, read_only=read_only, snapshot=snapshot)
        try:
            with _instance(kind, wanted) as instance, closing(instance.connection.cursor()) as made:
                # What a command prints may be read by a program.
                made.execute("SET enable_progress_bar = false")
                made.execute("ATTACH ':memory:' AS scratch")
                if before is not None:
                    made.execute("USE scratch")
                    before(made)
                with (
                    nullcontext()
                    if read_only
                    else catalog.writing(instance.connection, self.write_timeout),
                    # What is left of a transaction is undone before the next writer begins.
                    closing(made) as connection,
                ):
                    if instance.attached != (wanted, catalog.identity()):
                        instance.detach()
                        connection.execute(wanted)
                        instance.attached = (wanted, catalog.identity())
                    connection.execute(f"USE {NAME}")
                    yield connection
        except duckdb.Error as error:
            if _NO_CATALOG_YET in str(error):
                raise self._no_lake() from error
            told = explained(error, catalog.shown)
            if told is None:
                raise
            raise told from error

    def _no_lake(self) -> NoLake:
        return NoLake(f"还没有数据:{self.catalog.shown} 中还没有湖。请先运行 nianbao nightly")

    @contextmanager
    def read(self, snapshot: int | None = None) -> Iterator[Connection]:
        """A connection that cannot write, on the newest or a given snapshot.

        Raises NoLake when there is no lake yet, OtherCity when it is another city's.
        """
        self._take_over()
        with self._connect(read_only=True, snapshot=snapshot) as connection:
            yield connection

    def _take_over(self) -> None:
        """See that the lake is of this release and of this city, once in a process: one of an
        earlier release is brought forward, one of a later or of another city is refused. Raises
        NoLake, NewerLake, OtherCity."""
        if self.catalog.is_there() is False:
            raise self._no_lake()
        roots = roots_of(self.city)
        known = (self.catalog, self.catalog.identity(), roots)
        if known in _taken_over:
            return
        with self._connect(read_only=True) as connection:
            version = version_of(connection)
            self._refuse_newer(version)
            is_held = version == NEWEST and self._hold_city(connection)
        if version < NEWEST:
            self.create()
        # A lake that knows no city yet may be another's at the next look.
        if is_held or not roots:
            _taken_over.add(known)

    def _hold_city(self, connection: Connection) -> bool:
        """See that the lake is of the city it is opened for, as far as both are known."""
        return hold_city(connection, self.city, self.catalog.shown)

    def _refuse_newer(self, version: int) -> None:
        if version > NEWEST:
            raise NewerLake(
                f"{self.catalog.shown} 由更新版本的 nianbao 写成(结构 {version},本版只认到 {NEWEST})。"
                "没有改动任何东西;请改用那个版本,或从升级前的备份恢复"
            )

    @contextmanager
    def write(self, before: Callable[[Connection], None] | None = None) -> Iterator[Connection]:
        """The one writing connection. Raises LakeBusy after `write_timeout` seconds, OtherCity
        when the lake is another city's.

        `before` is done on the connection before anybody else is kept waiting: it makes temporary
        tables, and does not touch the lake.
        """
        with suppress(NoLake):
            self._take_over()
        with self._write(before) as connection:
            yield connection

    @contextmanager
    def _write(self, before: Callable[[Connection], None] | None = None) -> Iterator[Connection]:
        self.storage.make_ready()
        with self._connect(read_only=False, before=before) as connection:
            yield connection

    def create(self) -> None:
        """Make what is missing: layers, tables, and columns that a newer version added.

        Safe to repeat; a lake made by an earlier version keeps its rows. Raises OtherCity.
        """
        from warehouse.tables import all_tables

        with self._write() as connection:
            present: dict[tuple[str, str], set[str]] = defaultdict(set)
            for schema, name, column in connection.execute(
                "SELECT schema_name, table_name, column_name FROM duckdb_columns() "
                "WHERE database_name = 'lake'"
            ).fetchall():
                present[(schema, name)].add(column)
            steps = []
            for table in all_tables():
                columns = present.get((table.layer, table.name))
                if columns is None:
                    steps += _making(table)
                    continue
                # Existing rows have no value for it, so a new column cannot be required.
                steps += [
                    f"ALTER TABLE {table.full_name} ADD COLUMN {column.name} {column.sql_type}"
                    for column in table.columns
                    if column.name not in columns
                ]
            version = version_of(connection)
            self._refuse_newer(version)
            steps += due(version)
            if not steps:
                self._hold_city(connection)
                self.hold_storage(connection)
                return
            with transaction(connection):
                for layer in LAYERS:
                    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {layer}")
                for step in steps:
                    connection.execute(step)
                # Refused, nothing is brought forward: that is for the lake's own city to do.
                self._hold_city(connection)
                mark_city(connection, self.city)
            self.hold_storage(connection)

    def hold_storage(self, connection: Connection) -> None:
        """See that the data files that lie where this lake's are placed are its own, as far as it
        shares the place with anything. Raises SharedStorage."""
        if self.placed is None:
            return
        row = connection.execute(
            "SELECT schema_uuid::VARCHAR FROM __ducklake_metadata_lake.ducklake_schema "
            "WHERE schema_name = 'core' AND end_snapshot IS NULL"
        ).fetchone()
        assert row is not None
        self.placed.hold(connection, str(row[0]))

    def look_at_storage(self) -> None:
        """Ask the storage of the data files whether it answers. Raises LakeError."""
        with self._beside(self.storage) as connection:
            self.storage.look(connection)

    @contextmanager
    def publishing(self, timeout: float) -> Iterator[None]:
        """Hold the one right to put editions' files in place, where machines have no folder in
        common in which a file could be locked. Raises LakeBusy after `timeout` seconds, and
        SharedStorage where the place is another lake's."""
        if self.placed is not None:
            with suppress(NoLake), self.read() as connection:
                self.hold_storage(connection)
        catalog = self.catalog
        if not isinstance(catalog, PostgresCatalog) or not isinstance(self.placed, Bucket):
            yield
            return
        with (
            self._beside(catalog) as connection,
            catalog.writing(connection, timeout, PUBLISHER_KEY),
        ):
            yield

    @contextmanager
    def _beside(self, part: Storage | Catalog) -> Iterator[Connection]:
        """A DuckDB that knows the catalog or the storage, without the lake."""
        try:
            with closing(in_memory(extensions=part.extensions)) as connection:
                part.prepare(connection)
                yield connection
        except duckdb.Error as error:
            told = explained(error, self.catalog.shown)
            if told is None:
                raise
            raise told from error

    def snapshot(self) -> int:
        """The number of the newest snapshot."""
        with self.read() as connection:
            return current_snapshot(connection)

    def snapshot_at(self, moment: datetime) -> int:
        """The snapshot that was newest at a moment (Asia/Shanghai, without zone).

        Raises EntryError when the lake began later.
        """
        with self.read() as connection:
            row = connection.execute(
                "SELECT max(snapshot_id) FROM ducklake_snapshots('lake') "
                f"WHERE epoch_us(snapshot_time) <= {from_beijing('?')}",
                [moment.replace(tzinfo=None)],
            ).fetchone()
        if row is None or row[0] is None:
            raise EntryError(f"{moment:%Y-%m-%d %H:%M} 时还没有数据,请选更晚的时刻")
        return int(row[0])


def attach_sql(
    catalog: Catalog, storage: Storage, *, read_only: bool, snapshot: int | None = None
) -> str:
    """The statement that attaches a lake; without `read_only` it makes what is not there."""
    options = [
        f"DATA_PATH {quoted(storage.address)}",
        # The home may be moved or restored elsewhere: where the files are is said here.
        "OVERRIDE_DATA_PATH true",
        *catalog.options,
    ]
    if read_only:
        options.append("READ_ONLY")
    if snapshot is not None:
        options.append(f"SNAPSHOT_VERSION {snapshot}")
    return f"ATTACH {quoted(catalog.source)} AS {NAME} ({', '.join(options)})"


@dataclass
class _Instance:
    """A DuckDB with the extensions loaded, and the lake that it still has attached, if any."""

    connection: Connection
    attached: tuple[str, Identity] | None = None
    uses: int = 0

    def detach(self) -> None:
        """Let go of the lake."""
        if self.attached is not None:
            self.attached = None
            self.connection.execute("DETACH lake")

    def clean(self) -> bool:
        """Take away what an opening left but the lake itself; False when that fails."""
        found = None
        try:
            for name, kind in self.connection.execute(
                "SELECT database_name, type FROM duckdb_databases() "
                "WHERE NOT internal AND database_name <> 'memory' "
                "AND NOT starts_with(database_name, '__ducklake_metadata_')"
            ).fetchall():
                if name == "lake":
                    found = kind
                else:
                    self.connection.execute(f"DETACH {name}")
        except duckdb.Error:
            return False
        # The lake itself may have been detached, or something else put in its place.
        return found == (None if self.attached is None else "ducklake")


_taken_over: set[tuple[Catalog, Identity, Roots]] = set()
_Kind = tuple[str, int | None, Path, Catalog, Storage]
MOST_IDLE = 8
"""DuckDBs that are kept for their next use. Each has threads, files and memory of its own."""
MOST_USES = 50
"""How often one is used. DuckLake remembers something of every snapshot that it ever saw, and a page is served for
months."""
_idle: list[tuple[_Kind, _Instance]] = []
_idle_lock = threading.Lock()


@contextmanager
def _instance(kind: _Kind, wanted: str) -> Iterator[_Instance]:
    """A DuckDB for one opening at a time, kept for the next use; `kind` is memory limit,
    threads and where it spills to, which DuckDB refuses to change after it was used, and the
    catalog and storage that it was prepared for.

    Attaching takes longer than a small load, so it is kept, and one that has attached what is
    `wanted` is taken first. What else an opening made is gone
    before the next; an instance that cannot be cleaned is thrown away.
    """
    with _idle_lock:
        same = [entry for entry in _idle if entry[0] == kind]
        fitting = (e for e in same if e[1].attached is not None and e[1].attached[0] == wanted)
        entry = next(fitting, same[-1] if same else None)
        if entry is not None:
            _idle.remove(entry)
    instance = None if entry is None else entry[1]
    if instance is None:
        memory_limit, threads, temporary, catalog, storage = kind
        config = connection_config(memory_limit, threads, spill_folder(temporary))
        config["disabled_optimizers"] = MISLED_BY_HISTORY
        instance = _Instance(started(config, (*storage.extensions, *catalog.extensions)))
        storage.prepare(instance.connection)
        catalog.prepare(instance.connection)
    try:
        yield instance
    finally:
        unused: _Instance | None = instance
        instance.uses += 1
        if instance.uses < MOST_USES and instance.clean():
            with _idle_lock:
                _idle.append((kind, instance))
                # The one that was not used for longest goes.
                unused = _idle.pop(0)[1] if len(_idle) > MOST_IDLE else None
        if unused is not None:
            unused.connection.close()


def _making(table: Table) -> list[str]:
    steps = [table.sql]
    if table.partition:
        steps.append(f"ALTER TABLE {table.full_name} SET PARTITIONED BY ({table.partition})")
    steps.append(f"COMMENT ON TABLE {table.full_name} IS {quoted(table.title)}")
    return steps


def connection_config(
    memory_limit: str | None = None, threads: int | None = None, spills_to: Path | None = None
) -> dict[str, Any]:
    """DuckDB settings of every connection: nothing is looked up or fetched outside, and what
    does not fit into memory goes to a folder that no other DuckDB has, or nowhere."""
    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        # Secrets of the machine's user are none of ours.
        "allow_persistent_secrets": False,
        # Its own default is one folder below wherever the process was started, for all of them.
        "temp_directory": str(spills_to or ""),
    }
    if memory_limit:
        config["memory_limit"] = memory_limit
    if threads:
        config["threads"] = threads
    return config


def in_memory(threads: int | None = None, extensions: Iterable[str] = ()) -> Connection:
    """A DuckDB without a lake, for what fits into memory."""
    return started(connection_config(threads=threads), extensions)


def started(config: Mapping[str, Any], extensions: Iterable[str]) -> Connection:
    """A DuckDB with extensions of our own packages loaded, and no others loadable unsigned.

    DuckDB checks a signature over the whole binary, a third of a CPU second at each start. The
    lock file's hashes have vouched for these when they were installed, as for all other code, so
    they are loaded without it; then the check is on again, and DuckDB lets nobody turn it off.
    """
    keep_pandas_out()
    files = [extension_file(name) for name in dict.fromkeys(extensions)]
    if not files:
        return duckdb.connect(config=dict(config))
    connection = duckdb.connect(config={**config, "allow_unsigned_extensions": True})
    for file in files:
        connection.execute(f"LOAD {quoted(file)}")
    connection.execute("SET allow_unsigned_extensions = false")
    return connection


def current_snapshot(connection: Connection) -> int:
    """The snapshot that a connection with the lake attached sees."""
    row = connection.execute("SELECT id FROM ducklake_current_snapshot('lake')").fetchone()
    assert row is not None
    return int(row[0])


def stored_rows(connection: Connection) -> dict[str, int | None]:
    """Rows of each table (`layer.name`) by the catalog's own newest count; None for a table
    that never held any. Nothing is counted. Empty where no lake is attached.

    Of a table that never held a row the catalog looks for statistics anew with every column
    that a query names, so asking it costs more than asking a filled one.
    """
    try:
        return dict(
            connection.execute(
                "SELECT s.schema_name || '.' || t.table_name, n.record_count "
                "FROM __ducklake_metadata_lake.ducklake_table AS t "
                "JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id) "
                "LEFT JOIN __ducklake_metadata_lake.ducklake_table_stats AS n USING (table_id) "
                "WHERE t.end_snapshot IS NULL "
                "AND t.begin_snapshot <= (SELECT id FROM ducklake_current_snapshot('lake'))"
            ).fetchall()
        )
    except duckdb.Error:
        return {}


def stored_columns(connection: Connection) -> dict[str, frozenset[str]]:
    """The columns of each table (`layer.name`) of the lake as the snapshot that is open has them:
    one question to the catalog for all of them."""
    found: dict[str, set[str]] = defaultdict(set)
    for table, column in connection.execute(
        "SELECT s.schema_name || '.' || t.table_name, c.column_name "
        "FROM __ducklake_metadata_lake.ducklake_table AS t "
        "JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id) "
        "JOIN __ducklake_metadata_lake.ducklake_column AS c USING (table_id) "
        "CROSS JOIN (SELECT id AS open FROM ducklake_current_snapshot('lake')) "
        "WHERE t.begin_snapshot <= open AND (t.end_snapshot IS NULL OR t.end_snapshot > open) "
        "AND c.begin_snapshot <= open AND (c.end_snapshot IS NULL OR c.end_snapshot > open)"
    ).fetchall():
        found[table].add(column)
    return {table: frozenset(columns) for table, columns in found.items()}


@contextmanager
def one_thread(connection: Connection) -> Iterator[None]:
    """DuckDB with one thread, for what DuckLake does to all its tables in one statement: it lets
    several threads at one transaction then, and corrupts its heap now and then (DuckLake of DuckDB
    1.5.5; docs/decisions/2026-11-26-one-thread-for-ducklake.md)."""
    row = connection.execute("SELECT current_setting('threads')").fetchone()
    assert row is not None
    connection.execute("SET threads = 1")
    try:
        yield
    finally:
        connection.execute(f"SET threads = {row[0]}")


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All or nothing: commit on success, roll back on any error."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        # Where even that fails, the connection is gone and with it the transaction; what
        # made it fail is the error to be told.
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
