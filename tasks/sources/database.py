"""A pull from a database: a query's declared columns, from a moment on, read and never written.

The query runs at the database in its own SQL, wrapped so that only the declared columns and the
rows since the watermark leave it. The connection is attached read-only, by an extension that comes
with the installation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb

from tasks.sources.connector import cursor_text
from tasks.sources.errors import SourceContractError, SourceDenied, SourceError, SourceUnavailable
from tasks.sources.landing import Landed, LandingWriter, ListCounts
from tasks.sources.model import Resource, Source
from tasks.sources.model.resource import record_paths
from tasks.sources.plan import Pull
from tasks.sources.project import Projector
from warehouse.catalog import PostgresCatalog
from warehouse.errors import ConfigurationError
from warehouse.lake import Connection, in_memory
from warehouse.sql import quoted

NAME = "pulled"
ROWS_AT_ONCE = 5_000
CONNECT_SECONDS = 10
EXTENSIONS = {"postgres": "postgres_scanner", "mysql": "mysql_scanner", "sqlite": "sqlite_scanner"}
_CREDENTIALS = re.compile(r"(?i)(password|passwd|user)\s*=\s*('(?:[^'\\]|\\.)*'|\S+)|//[^@\s/]+@")
_DENIED = re.compile(r"(?i)authentication failed|access denied|permission denied|no password")
_UNREACHABLE = re.compile(
    r"(?i)could not connect|connection refused|unable to connect|timeout|timed out|could not translate"
    r"|unknown host|can't connect|server closed|connection to server|failed to connect|unable to open database"
)


@dataclass(frozen=True)
class Database:
    """An open database of a source."""

    source: Source
    connection: Connection

    def columns(self, query: str) -> list[str]:
        """The columns that a query gives. Raises SourceError."""
        found = self._run(f"SELECT * FROM ({query}) AS records LIMIT 0")
        return [str(column[0]) for column in found.description]

    def count(self, query: str, condition: str) -> int:
        """How many rows a query gives. Raises SourceError."""
        row = self._run(f"SELECT count(*) FROM ({query}) AS records{condition}").fetchone()
        assert row is not None
        return int(row[0])

    def rows(
        self, query: str, names: list[str], condition: str = "", limit: int | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """Rows of a query, of each the named columns as texts, some at a time. Raises SourceError."""
        selected = ", ".join(self.name(name) for name in names)
        told = f" LIMIT {limit}" if limit is not None else ""
        sql = f"SELECT {selected} FROM ({query}) AS records{condition}{told}"
        found = self._run(sql, outer="CAST(COLUMNS(*) AS VARCHAR)")
        while True:
            try:
                block = found.fetchmany(ROWS_AT_ONCE)
            except duckdb.Error as error:
                raise self._refusal(error) from None
            if not block:
                return
            yield [dict(zip(names, row, strict=True)) for row in block]

    def since(self, resource: Resource, value: str | None) -> str:
        """The condition for rows from a value of the cursor on."""
        if value is None or resource.cursor is None:
            return ""
        written = value if resource.cursor.kind == "number" else quoted(value)
        return f" WHERE {self.name(resource.cursor.field)} >= {written}"

    def name(self, column: str) -> str:
        """A column as the database's own SQL writes it."""
        if self._kind == "mysql":
            return "`" + column.replace("`", "``") + "`"
        return '"' + column.replace('"', '""') + '"'

    @property
    def _kind(self) -> str:
        assert self.source.database is not None
        return self.source.database.type

    def _run(self, sql: str, outer: str = "*") -> Connection:
        function = {"postgres": "postgres_query", "mysql": "mysql_query", "sqlite": "sqlite_query"}
        try:
            return self.connection.execute(
                f"SELECT {outer} FROM {function[self._kind]}({quoted(NAME)}, {quoted(sql)})"
            )
        except duckdb.Error as error:
            raise self._refusal(error) from None

    def _refusal(self, error: duckdb.Error) -> SourceError:
        return refusal(self.source, error)


def refusal(source: Source, error: duckdb.Error) -> SourceError:
    """What a database said, without what proves who asks."""
    said = _CREDENTIALS.sub("***", str(error).strip().splitlines()[0])[:300]
    if _DENIED.search(str(error)):
        return SourceDenied(
            f"{source.title}的数据库拒绝了登录或查询:{said}。请核对账号、口令与读的权限"
        )
    if _UNREACHABLE.search(str(error)):
        return SourceUnavailable(
            f"{source.title}的数据库连不上:{said}。请确认数据库是否在线、地址与端口是否正确"
        )
    return SourceContractError(
        f"{source.title}的查询未能执行:{said}。请核对 query 与 fields 的列名;查询只能读,不能改"
    )


@contextmanager
def opened(source: Source) -> Iterator[Database]:
    """The database of a source, attached read-only. Raises SourceError."""
    rule = source.database
    assert rule is not None
    with in_memory(extensions=[EXTENSIONS[rule.type]]) as connection:
        try:
            _attach(source, connection)
        except duckdb.Error as error:
            raise refusal(source, error) from None
        yield Database(source, connection)


def _attach(source: Source, connection: Connection) -> None:
    rule = source.database
    assert rule is not None
    if rule.file is not None:
        file = (source.file.parent / rule.file).resolve()
        if not file.is_file():
            raise SourceUnavailable(
                f"{source.title}的数据库文件 {file} 不存在;请核对 database.file"
            )
        connection.execute(f"ATTACH {quoted(str(file))} AS {NAME} (TYPE sqlite, READ_ONLY)")
        return
    assert rule.address is not None
    address = rule.address.get_secret_value()
    if rule.type == "postgres":
        try:
            found = PostgresCatalog.of(address)
        except ConfigurationError:
            raise SourceContractError(
                f"{source.title}的 database.address 读不懂:应写作 postgresql://用户:口令@主机:端口/库名"
            ) from None
        secret = f", PASSWORD {quoted(found.password)}" if found.password else ""
        connection.execute(f"CREATE SECRET proof (TYPE postgres{secret})")
        connection.execute(
            f"ATTACH {quoted(found.connection_string)} AS {NAME} (TYPE postgres, SECRET proof, READ_ONLY)"
        )
        return
    connection.execute(f"CREATE SECRET proof (TYPE mysql, {_mysql(source, address)})")
    connection.execute(f"ATTACH '' AS {NAME} (TYPE mysql, SECRET proof, READ_ONLY)")


def _mysql(source: Source, address: str) -> str:
    parts = urlsplit(address)
    try:
        port = parts.port or 3306
    except ValueError:
        port = 0
    if parts.scheme != "mysql" or not parts.hostname or not port or not parts.path.strip("/"):
        raise SourceContractError(
            f"{source.title}的 database.address 读不懂:应写作 mysql://用户:口令@主机:端口/库名"
        )
    given = {
        "HOST": parts.hostname,
        "DATABASE": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
    }
    return ", ".join([f"PORT {port}", *(f"{n} {quoted(v)}" for n, v in given.items() if v)])


def projector_of(resource: Resource) -> Projector:
    """The projection of a query's rows, in which a path is a column."""
    return Projector(resource, parts_of=lambda path: (path,), watch=False)


def asked_of(resource: Resource) -> list[str]:
    """The columns that a resource asks of its query: what is not declared never leaves."""
    paths = dict.fromkeys(path for _, path in record_paths(resource))
    return [path for path in paths if not path.startswith("$")]


def pull_query(
    pull: Pull, landing: Path, *, progress: Callable[[int, int | None], None] | None = None
) -> Landed:
    """Land the rows of a query, all or from the cursor's value on. Raises SourceError."""
    source, resource = pull.source, pull.resource
    assert resource.query is not None
    since = cursor_text(source, resource, pull.since) if pull.since is not None else None
    with (
        opened(source) as database,
        LandingWriter(landing, source.name, resource.name) as writer,
    ):
        names = asked_of(resource)
        lacking = lacking_columns(database, resource)
        if lacking:
            raise SourceContractError(
                f"{source.title}·{resource.title or resource.name}的查询没有列 {'、'.join(lacking)};"
                f"有:{'、'.join(database.columns(resource.query))}"
            )
        condition = database.since(resource, since)
        total = database.count(resource.query, condition)
        projector = projector_of(resource)
        for rows in database.rows(resource.query, names, condition):
            projector.project(rows, {"$each": {}}, writer)
            if progress is not None:
                progress(projector.read, total)
        return writer.finish(
            counts={projector.name: ListCounts(projector.read)},
            expected_rows=total,
            window_from=pull.window_from,
            window_to=None,
            is_full=pull.is_full,
            moves_watermark=pull.moves_watermark,
            request=f"{source.database.type if source.database else ''}: {resource.name}",
        )


def lacking_columns(database: Database, resource: Resource) -> list[str]:
    """Declared columns that the query does not give. Raises SourceError."""
    assert resource.query is not None
    present = set(database.columns(resource.query))
    return [name for name in asked_of(resource) if name not in present]
