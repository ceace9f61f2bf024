"""Where a lake keeps its catalog, and who may write.

SQLite in the data home is the embedded default: no server, one machine. A PostgreSQL database
serves several machines that share the folder of files. Both answer the same questions, so
nothing above asks which of them it is.
"""

from __future__ import annotations

import importlib.util
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import duckdb
from filelock import FileLock, Timeout

from warehouse.errors import ConfigurationError
from warehouse.lake_errors import LakeBusy, LakeError, unwritable
from warehouse.sql import quoted

Connection = duckdb.DuckDBPyConnection
Identity = tuple[int, int] | None
NAME = "lake"
"""What the lake is called on a connection."""


class Catalog(Protocol):
    """`shown` names the catalog to people and holds no secret."""

    @property
    def shown(self) -> str: ...

    @property
    def extensions(self) -> tuple[str, ...]:
        """The DuckDB extensions it needs, in the order of loading."""

    @property
    def source(self) -> str:
        """What DuckLake attaches."""

    @property
    def options(self) -> tuple[str, ...]:
        """Options of the ATTACH."""

    def prepare(self, connection: Connection) -> None:
        """What a DuckDB must know before it attaches: credentials."""

    def is_there(self) -> bool | None:
        """Whether it was made already; None when only attaching it can tell."""

    def identity(self) -> Identity:
        """Which catalog this is: one put in another's place is another."""

    def writing(self, connection: Connection, timeout: float) -> AbstractContextManager[None]:
        """Hold the one right to write. Raises LakeBusy after `timeout` seconds."""


def extension_file(name: str) -> Path:
    """The extension binary that its wheel carries, so nothing is downloaded at run time."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        raise LakeError(
            f"缺少 DuckDB 扩展 {name};请重新安装依赖"
            f"(pip install duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__})"
        )
    version = f"v{duckdb.__version__}"
    for path in Path(spec.origin).parent.rglob("*.duckdb_extension"):
        if path.parent.name == version:
            return path
    raise LakeError(
        f"DuckDB 扩展 {name} 与 DuckDB {duckdb.__version__} 版本不符;请按锁定文件重新安装依赖"
    )


def busy(timeout: float) -> LakeBusy:
    return LakeBusy(
        f"另一个进程正在写入,等待 {timeout:.0f} 秒仍未结束。请确认没有卡住的 nianbao 进程后重试"
    )


@dataclass(frozen=True)
class SqliteCatalog:
    """A SQLite file in the data home. Readers need no lock; one writer at a time holds a file
    lock, because two writers at once end in "database is locked"."""

    path: Path

    extensions = ("sqlite_scanner", "ducklake")
    options = ("META_JOURNAL_MODE 'WAL'", "META_BUSY_TIMEOUT 10000")

    @property
    def shown(self) -> str:
        return str(self.path)

    @property
    def moved_to(self) -> Path:
        """What the file is called once its content was moved to another catalog."""
        return self.path.with_name(f"{self.path.name}.moved")

    @property
    def source(self) -> str:
        return f"ducklake:sqlite:{self.path}"

    def prepare(self, connection: Connection) -> None:
        pass

    def is_there(self) -> bool | None:
        """Of an empty file not: whoever began it was killed before it held anything. Of one of a page
        only attaching it can tell."""
        self._roll_back()
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return False
        return None if 0 < size <= PAGE_BYTES else size > 0

    def _roll_back(self) -> None:
        """Undo what somebody who was killed while the file was made left half written: a reader may
        not, and would be told that the home cannot be written."""
        journal = self.path.with_name(f"{self.path.name}-journal")
        if journal.exists() and self.path.exists():
            # To look is enough; while a writer is at work SQLite leaves it alone.
            with suppress(sqlite3.Error), closing(sqlite3.connect(self.path, timeout=1)) as opened:
                opened.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def identity(self) -> Identity:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    @contextmanager
    def writing(self, connection: Connection, timeout: float) -> Iterator[None]:
        lock = FileLock(self.path.with_name("writer.lock"))
        try:
            lock.acquire(timeout=timeout)
        except Timeout as error:
            raise busy(timeout) from error
        except OSError as error:
            raise unwritable(lock.lock_file, error) from error
        try:
            yield
        finally:
            lock.release()


PAGE_BYTES = 4096
"""Of SQLite, as DuckDB makes its files."""
WRITER_KEY = 7_310_125_140
"""The advisory lock of the writer; a lake has a database of its own, so one key serves all."""
PUBLISHER_KEY = WRITER_KEY + 1
"""That of whoever puts editions' files in place."""
POLL_SECONDS = 0.1
CONNECT_SECONDS = "10"
SIGNS_OF_LIFE = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
"""Seconds, and how often: whoever is at the other end of a connection, and says nothing, is asked. A
machine that is switched off closes nothing; by the system's own patience, two hours, the database
would keep the lock of a writer that is gone, and a writer wait for a database that is gone."""
_SECRET = "lake_catalog"
_PAIR = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)\s*")


@dataclass(frozen=True)
class PostgresCatalog:
    """A database of a PostgreSQL server, reached by libpq's parameters.

    The password goes into a secret in DuckDB's memory: what is attached is written into
    error messages. It may as well come from `PGPASSWORD` or a password file. The right to
    write is an advisory lock in an open transaction of the writing process, so it holds across
    machines, through a pooler, and ends with the process however that dies.
    """

    parameters: tuple[tuple[str, str], ...]
    password: str = field(default="", repr=False)

    extensions = ("postgres_scanner", "ducklake")
    options = (f"META_SECRET '{_SECRET}'",)

    @classmethod
    def of(cls, address: str) -> PostgresCatalog:
        """From `postgresql://…` or `host=… dbname=…`. Raises ConfigurationError, without repeating it."""
        found = _of_url(address) if "://" in address else _of_pairs(address)
        if found is None or "dbname" not in found:
            raise ConfigurationError(
                "NIANBAO_CATALOG 读不懂:应写作 postgresql://用户:口令@主机:端口/库名,"
                "或 host=主机 port=端口 user=用户 dbname=库名 password=口令"
            )
        password = found.pop("password", "")
        # A machine that is switched off does not refuse: without this it is waited for.
        found = {"connect_timeout": CONNECT_SECONDS, **SIGNS_OF_LIFE, **found}
        return cls(tuple(found.items()), password)

    @property
    def shown(self) -> str:
        said = dict(self.parameters)
        host, port = said.get("host", "localhost"), said.get("port", "5432")
        return f"PostgreSQL {host}:{port}/{said['dbname']}"

    @property
    def connection_string(self) -> str:
        """For libpq, without the password."""
        return " ".join(
            "{}='{}'".format(name, value.replace("\\", "\\\\").replace("'", "\\'"))
            for name, value in self.parameters
        )

    @property
    def source(self) -> str:
        return f"ducklake:postgres:{self.connection_string}"

    def prepare(self, connection: Connection) -> None:
        password = f", PASSWORD {quoted(self.password)}" if self.password else ""
        connection.execute(f"CREATE OR REPLACE SECRET {_SECRET} (TYPE postgres{password})")

    def attach(self, connection: Connection, name: str) -> None:
        """Attach the database itself, not the lake."""
        connection.execute(
            f"ATTACH {quoted(self.connection_string)} AS {name} (TYPE postgres, SECRET {_SECRET})"
        )

    def speaks_english(self, connection: Connection) -> bool:
        """Whether the server tells this role in English what is wrong: DuckLake tries a commit
        again, and `lake_errors` knows what happened, by the words. The setting of the language
        may be anything, so a harmless mistake is made; `connection` is prepared."""
        self.attach(connection, "asked")
        try:
            _ask(connection, "1 / 0", "asked")
        except duckdb.Error as error:
            return "division by zero" in str(error)
        finally:
            connection.execute("DETACH asked")
        return False

    def is_there(self) -> bool | None:
        return None

    def identity(self) -> Identity:
        return None

    @contextmanager
    def writing(
        self, connection: Connection, timeout: float, key: int = WRITER_KEY
    ) -> Iterator[None]:
        self.attach(connection, "writer")
        holder = connection.cursor()
        try:
            # A lock of the session would be lost: its connection goes back to the pool after
            # each statement. That of a transaction stays, whatever the server's patience.
            holder.execute("BEGIN")
            _ask(holder, "set_config('idle_in_transaction_session_timeout', '0', true)")
            for name, value in SIGNS_OF_LIFE.items():
                _ask(holder, f"set_config('tcp_{name}', '{value}', true)")
            until = time.monotonic() + timeout
            while not _ask(holder, f"pg_try_advisory_xact_lock({key})"):
                if time.monotonic() >= until:
                    raise busy(timeout)
                time.sleep(POLL_SECONDS)
            yield
        finally:
            # Where the connection is lost the lock is, too; the catalog itself refuses a
            # commit that another one has overtaken.
            with suppress(duckdb.Error):
                holder.execute("ROLLBACK")
            holder.close()


def _ask(connection: Connection, expression: str, name: str = "writer") -> object:
    row = connection.execute(
        f"FROM postgres_query({quoted(name)}, {quoted(f'SELECT {expression}')})"
    ).fetchone()
    assert row is not None
    return row[0]


def _of_url(address: str) -> dict[str, str] | None:
    split = urlsplit(address)
    if split.scheme not in ("postgres", "postgresql"):
        return None
    credentials, _, hosts = split.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    pairs = [re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d*))?", one) for one in hosts.split(",")]
    if any(pair is None for pair in pairs):
        return None
    found = {
        "host": ",".join(unquote(pair[1].strip("[]")) for pair in pairs if pair),
        "port": ",".join(pair[2] or "" for pair in pairs if pair).strip(","),
        "user": unquote(user),
        "password": unquote(password),
        "dbname": unquote(split.path.lstrip("/")),
        **dict(parse_qsl(split.query)),
    }
    return {name: value for name, value in found.items() if value}


def _of_pairs(address: str) -> dict[str, str] | None:
    found, at = {}, 0
    while at < len(address):
        pair = _PAIR.match(address, at)
        if pair is None:
            return None
        value = pair[2][1:-1] if pair[2].startswith("'") else pair[2]
        found[pair[1]] = re.sub(r"\\(.)", r"\1", value)
        at = pair.end()
    return found or None


def sqlite_of(home: Path) -> SqliteCatalog:
    """The embedded catalog of a data home."""
    return SqliteCatalog(home / "lake" / "catalog.sqlite")


def opened(home: Path, address: str = "") -> Catalog:
    """The catalog of a data home: PostgreSQL where an address is given, else SQLite.

    Raises ConfigurationError where the home's files belong to the other one: a second catalog over
    them would begin an empty lake unseen.
    """
    embedded = sqlite_of(home)
    if not address:
        if embedded.moved_to.exists() and not embedded.path.exists():
            raise ConfigurationError(
                f"{home} 的目录库已迁到 PostgreSQL:请设 NIANBAO_CATALOG 后重新运行"
            )
        return embedded
    catalog = PostgresCatalog.of(address)
    if embedded.path.exists():
        raise ConfigurationError(
            f"{embedded.path} 仍是本湖的目录库,而 NIANBAO_CATALOG 指向 {catalog.shown}。"
            "请先运行 nianbao move-catalog 迁移,或去掉 NIANBAO_CATALOG"
        )
    return catalog
