"""The lake: DuckDB over a DuckLake catalog, opened for reading, writing or at a snapshot.

Embedded default: a SQLite catalog and a folder of Parquet files under one home. Readers
need no lock; one writer at a time holds a file lock, because two writers at once on a
SQLite catalog end in "database is locked".
"""

from __future__ import annotations

import importlib.util
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from warehouse.tables import Table

LAYERS = ("core", "ops", "yearly")
EXTENSIONS = ("sqlite_scanner", "ducklake")
Connection = duckdb.DuckDBPyConnection


class LakeError(RuntimeError):
    """The lake cannot be used; the message says what to do."""


class LakeBusy(LakeError):
    """Another process is writing and did not finish in time."""


def extension_file(name: str) -> Path:
    """The extension binary that its wheel carries, so nothing is downloaded at run time."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        raise LakeError(
            f"缺少 DuckDB 扩展 {name};请重新安装依赖(pip install duckdb-extension-{name})"
        )
    version = f"v{duckdb.__version__}"
    for path in Path(spec.origin).parent.rglob("*.duckdb_extension"):
        if path.parent.name == version:
            return path
    raise LakeError(
        f"DuckDB 扩展 {name} 与 DuckDB {duckdb.__version__} 版本不符;请按锁定文件重新安装依赖"
    )


def _quoted(text: str | Path) -> str:
    return "'" + str(text).replace("'", "''") + "'"


@dataclass(frozen=True)
class Lake:
    """A lake under `home`: `lake/catalog.sqlite`, `lake/files/`.

    On each connection the lake is attached as `lake`; what is made for the connection's time
    goes into the empty database `scratch`, or is temporary.

    `memory_limit` and `threads` apply to each connection. `write_timeout` is how many
    seconds a writer waits for another to finish.
    """

    home: Path
    memory_limit: str = "1GB"
    threads: int | None = None
    write_timeout: float = 600

    @property
    def catalog(self) -> Path:
        return self.home / "lake" / "catalog.sqlite"

    @property
    def files(self) -> Path:
        return self.home / "lake" / "files"

    def exists(self) -> bool:
        return self.catalog.exists()

    def attach_sql(
        self, name: str = "lake", *, read_only: bool = True, snapshot: int | None = None
    ) -> str:
        """The ATTACH statement; also used where another library opens the connection."""
        options = [
            f"DATA_PATH {_quoted(self.files)}",
            # The home may be moved or restored elsewhere: where the files are is said here.
            "OVERRIDE_DATA_PATH true",
            "META_JOURNAL_MODE 'WAL'",
            "META_BUSY_TIMEOUT 10000",
        ]
        if read_only:
            options.append("READ_ONLY")
        if snapshot is not None:
            options.append(f"SNAPSHOT_VERSION {snapshot}")
        source = _quoted(f"ducklake:sqlite:{self.catalog}")
        return f"ATTACH {source} AS {name} ({', '.join(options)})"

    @contextmanager
    def _connect(self, *, read_only: bool, snapshot: int | None = None) -> Iterator[Connection]:
        temporary = self.home / "lake" / "temporary"
        wanted = self.attach_sql(read_only=read_only, snapshot=snapshot)
        with _instance((self.memory_limit, self.threads, temporary), wanted) as instance:
            connection = instance.connection.cursor()
            try:
                if instance.attached != (wanted, _identity(self.catalog)):
                    instance.detach()
                    connection.execute(wanted)
                    instance.attached = (wanted, _identity(self.catalog))
                connection.execute("ATTACH ':memory:' AS scratch")
                connection.execute("USE lake")
                yield connection
            finally:
                connection.close()

    @contextmanager
    def read(self, snapshot: int | None = None) -> Iterator[Connection]:
        """A connection that cannot write, on the newest or a given snapshot.

        Raises LakeError when there is no lake yet.
        """
        if not self.exists():
            raise LakeError(f"还没有数据:{self.catalog} 不存在。请先运行 nianbao nightly")
        with self._connect(read_only=True, snapshot=snapshot) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """The one writing connection. Raises LakeBusy after `write_timeout` seconds."""
        self.catalog.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.home / "lake" / "writer.lock")
        try:
            lock.acquire(timeout=self.write_timeout)
        except Timeout as error:
            raise LakeBusy(
                f"另一个进程正在写入,等待 {self.write_timeout:.0f} 秒仍未结束。"
                "请确认没有卡住的 nianbao 进程后重试"
            ) from error
        try:
            with self._connect(read_only=False) as connection:
                yield connection
        finally:
            lock.release()

    def create(self) -> None:
        """Make what is missing: layers, tables, and columns that a newer version added.

        Safe to repeat; a lake made by an earlier version keeps its rows.
        """
        from warehouse.tables import all_tables

        with self.write() as connection:
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
            if steps:
                with transaction(connection):
                    for layer in LAYERS:
                        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {layer}")
                    for step in steps:
                        connection.execute(step)

    def snapshot(self) -> int:
        """The number of the newest snapshot."""
        with self.read() as connection:
            return current_snapshot(connection)

    def snapshot_at(self, moment: datetime) -> int:
        """The snapshot that was newest at a moment (Asia/Shanghai, without zone).

        Raises LakeError when the lake began later.
        """
        with self.read() as connection:
            row = connection.execute(
                "SELECT max(snapshot_id) FROM ducklake_snapshots('lake') "
                "WHERE epoch_us(snapshot_time) <= epoch_us(?::TIMESTAMP) - 28800000000",
                [moment.replace(tzinfo=None)],
            ).fetchone()
        if row is None or row[0] is None:
            raise LakeError(f"{moment:%Y-%m-%d %H:%M} 时还没有数据,请选更晚的时刻")
        return int(row[0])


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file this is: a catalog put in another's place is another."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@dataclass
class _Instance:
    """A DuckDB with the extensions loaded, and the lake that it still has attached, if any."""

    connection: Connection
    attached: tuple[str, tuple[int, int] | None] | None = None

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


_Kind = tuple[str, int | None, Path]
_idle: dict[_Kind, list[_Instance]] = defaultdict(list)
_idle_lock = threading.Lock()


@contextmanager
def _instance(kind: _Kind, wanted: str) -> Iterator[_Instance]:
    """A DuckDB for one opening at a time, kept for the next use; `kind` is memory limit,
    threads and where it spills to, which DuckDB refuses to change after it was used.

    Loading the extensions checks their signatures, which takes four times as long as all the
    rest of opening a lake; attaching takes longer than a small load. So both are kept, and
    one that has attached what is `wanted` is taken first. What else an opening made is gone
    before the next; an instance that cannot be cleaned is thrown away.
    """
    with _idle_lock:
        idle = _idle[kind]
        fitting = (i for i in idle if i.attached is not None and i.attached[0] == wanted)
        instance = next(fitting, idle[-1] if idle else None)
        if instance is not None:
            idle.remove(instance)
    if instance is None:
        memory_limit, threads, temporary = kind
        config = {**connection_config(memory_limit, threads), "temp_directory": str(temporary)}
        instance = _Instance(duckdb.connect(config=config))
        prepare(instance.connection)
    try:
        yield instance
    finally:
        if instance.clean():
            with _idle_lock:
                _idle[kind].append(instance)
        else:
            instance.connection.close()


def _making(table: Table) -> list[str]:
    steps = [table.sql]
    if table.partition:
        steps.append(f"ALTER TABLE {table.full_name} SET PARTITIONED BY ({table.partition})")
    steps.append(f"COMMENT ON TABLE {table.full_name} IS {_quoted(table.title)}")
    return steps


def connection_config(memory_limit: str, threads: int | None) -> dict[str, Any]:
    """DuckDB settings of every connection: nothing is looked up or fetched outside."""
    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": memory_limit,
    }
    if threads:
        config["threads"] = threads
    return config


def prepare(connection: Connection) -> None:
    """Load the extensions from their wheels."""
    for name in EXTENSIONS:
        connection.execute(f"LOAD {_quoted(extension_file(name))}")


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


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All or nothing: commit on success, roll back on any error."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
