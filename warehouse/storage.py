"""Where a lake's data files lie: a folder of this machine, or a bucket of an object storage that speaks
S3 (MinIO, Ceph, the clouds' own). What DuckDB spills and what processes work with stays on the machine.
Landings and editions lie beside them (`shelf.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from math import ceil, log2
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import duckdb

from warehouse.lake_errors import SharedStorage, unwritable
from warehouse.sql import quoted

Connection = duckdb.DuckDBPyConnection
SCHEME = "s3://"
_SECRET = "lake_storage"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:/[\w.=-]+)*/?", re.ASCII)
FILES = ("lake", "files")
"""Below the storage, so that other things may lie beside it."""
WRITER_TRIES = 8
"""The waits between them double: 51 seconds together."""
FIRST_WAIT = 0.2
"""Seconds before the second try."""
MARK = "lake.id"
"""Which lake the files are of. Two at one place would take each other's files for leftovers."""
NAME = "lake"


class Storage(Protocol):
    """`address` is what DuckLake is given, `shown` names it to people and holds no secret."""

    @property
    def address(self) -> str: ...

    @property
    def shown(self) -> str: ...

    @property
    def extensions(self) -> tuple[str, ...]:
        """The DuckDB extensions it needs."""

    def prepare(self, connection: Connection) -> None:
        """What a DuckDB must know before it reads or writes: credentials."""

    def wait_longer(self, connection: Connection, patience: float) -> None:
        """Have one opening ask again for as long as a service takes to be begun anew, and for so many
        seconds at least."""

    def look(self, connection: Connection) -> None:
        """Ask whether it answers, without changing anything."""

    def make_ready(self) -> None:
        """Make what must be there before the first file. Raises LakeError."""

    def sizes(self, connection: Connection) -> list[int]:
        """The size of every data file that lies there."""

    def hold(self, connection: Connection, lake_id: str) -> None:
        """Keep that the files are of this lake. Raises SharedStorage where they are another's."""

    def remove_unknown(self, connection: Connection, known: Collection[str]) -> int:
        """Take away the data files that the lake's catalog does not know, by name; returns how
        many. No one else may be writing."""


@dataclass(frozen=True)
class Folder:
    """A folder of this machine, or one that is mounted."""

    path: Path
    extensions = ()

    @property
    def address(self) -> str:
        return str(self.path)

    @property
    def shown(self) -> str:
        return str(self.path)

    def prepare(self, connection: Connection) -> None:
        pass

    def wait_longer(self, connection: Connection, patience: float) -> None:
        pass

    def look(self, connection: Connection) -> None:
        pass

    def make_ready(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def sizes(self, connection: Connection) -> list[int]:
        return [path.stat().st_size for path in self.path.rglob("*.parquet")]

    def hold(self, connection: Connection, lake_id: str) -> None:
        mark = self.path.parent / MARK
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not mark.exists():
                mark.write_text(lake_id, encoding="utf-8")
            found = mark.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise unwritable(mark, error) from error
        _refuse_shared(found, lake_id, self.shown)

    def remove_unknown(self, connection: Connection, known: Collection[str]) -> int:
        found = [path for path in self.path.rglob("*.parquet") if path.name not in known]
        for path in found:
            path.unlink(missing_ok=True)
        return len(found)


@dataclass(frozen=True)
class Bucket:
    """A prefix of a bucket. `endpoint` is `host:port` of a service of one's own, empty for AWS;
    `authority` is a file with the certificates of the authority that signed the service's."""

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    has_path_style: bool = True
    is_encrypted: bool = True
    authority: Path | None = None

    extensions = ("httpfs",)

    @classmethod
    def of(cls, address: str) -> Bucket:
        """From `s3://bucket/prefix`. Raises ValueError."""
        name, slash, prefix = address.strip().removeprefix(SCHEME).partition("/")
        if not _BUCKET.fullmatch(name) or not _PREFIX.fullmatch(f"{slash}{prefix}"):
            raise ValueError(
                f"对象存储的地址“{address}”读不懂:应写作 s3://桶/前缀,"
                "前缀只用英文字母、数字、- _ . = 与 /"
            )
        return cls(name, prefix.strip("/"))

    @property
    def address(self) -> str:
        return f"{SCHEME}{self.name}/{self.key_of(*FILES)}"

    @property
    def shown(self) -> str:
        return self.place(*FILES)

    def key_of(self, *parts: str) -> str:
        """The key of what lies below the prefix."""
        return "/".join(filter(None, (self.prefix, *parts)))

    def place(self, *parts: str) -> str:
        """What lies below the prefix, for people."""
        return f"{SCHEME}{self.name}/{self.key_of(*parts)}({self.endpoint or 'AWS'})"

    def prepare(self, connection: Connection) -> None:
        # Global, or another cursor of the same DuckDB would not know.
        if self.authority is not None:
            connection.execute(f"SET GLOBAL ca_cert_file = {quoted(self.authority)}")
        # Without these a service that only says it is the right one would be believed.
        connection.execute("SET GLOBAL enable_server_cert_verification = true")
        # What the environment says for other programs is none of ours.
        connection.execute("SET GLOBAL enable_global_s3_configuration = false")
        told = {
            "KEY_ID": self.key,
            "SECRET": self.secret,
            "REGION": self.region,
            "ENDPOINT": self.endpoint,
        }
        options = [f"{name} {quoted(value)}" for name, value in told.items() if value]
        options.append(f"URL_STYLE '{'path' if self.has_path_style else 'vhost'}'")
        options.append(f"USE_SSL {str(self.is_encrypted).lower()}")
        connection.execute(
            f"CREATE OR REPLACE SECRET {_SECRET} (TYPE s3, {', '.join(options)}, "
            f"SCOPE {quoted(SCHEME + self.name)})"
        )

    def wait_longer(self, connection: Connection, patience: float) -> None:
        tries = max(WRITER_TRIES, ceil(log2(patience / FIRST_WAIT + 1)))
        connection.execute(f"SET SESSION http_retries = {tries}")
        connection.execute(f"SET SESSION http_retry_wait_ms = {FIRST_WAIT * 1000:.0f}")
        connection.execute("SET SESSION http_retry_backoff = 2")

    def look(self, connection: Connection) -> None:
        connection.execute(f"FROM glob({quoted(self.address + '/*')}) LIMIT 1").fetchone()

    def make_ready(self) -> None:
        pass

    def sizes(self, connection: Connection) -> list[int]:
        rows = connection.execute(
            f"SELECT size FROM read_blob({quoted(self.address + '/**/*.parquet')})"
        ).fetchall()
        return [int(size) for (size,) in rows]

    def hold(self, connection: Connection, lake_id: str) -> None:
        above = self.address.rpartition("/")[0]
        mark = quoted(f"{above}/{MARK}")
        # A name without a star is taken for there without a look.
        if connection.execute(f"FROM glob({quoted(above + '/*.id')})").fetchone() is None:
            connection.execute(
                f"COPY (SELECT {quoted(lake_id)}) TO {mark} (FORMAT csv, HEADER false)"
            )
        row = connection.execute(f"SELECT content FROM read_text({mark})").fetchone()
        _refuse_shared(str(row[0]).strip() if row else "", lake_id, self.shown)

    def remove_unknown(self, connection: Connection, known: Collection[str]) -> int:
        # DuckDB has no statement that removes an object; DuckLake goes by its own catalog, which
        # is what is known.
        removed = connection.execute(
            f"CALL ducklake_delete_orphaned_files({quoted(NAME)}, cleanup_all => true)"
        ).fetchall()
        return len(removed)


def _refuse_shared(found: str, lake_id: str, shown: str) -> None:
    if found != lake_id:
        raise SharedStorage(
            f"{shown} 已放着另一个湖的数据文件。没有改动任何东西;"
            "请用 NIANBAO_STORAGE 为本湖另指一处(如在地址中写上 {city})"
        )


def endpoint_of(address: str) -> tuple[str, bool]:
    """Host with port, and whether it is encrypted, of `https://host:port` or `host:port`. Raises
    ValueError."""
    text = address.strip().rstrip("/")
    split = urlsplit(text if "://" in text else f"https://{text}")
    if split.scheme not in ("http", "https") or not split.hostname or split.path or split.query:
        raise ValueError(f"对象存储的服务地址“{address}”读不懂:应写作 https://主机:端口,不带路径")
    if split.username or split.password:
        raise ValueError("对象存储的服务地址不写用户与口令")
    return split.netloc, split.scheme == "https"
