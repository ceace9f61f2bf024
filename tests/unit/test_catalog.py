"""Where the catalog lies, and what is wrong with a lake's surroundings, in the operator's words."""

from __future__ import annotations

import errno
from pathlib import Path

import duckdb
import pytest

from warehouse.catalog import SIGNS_OF_LIFE, PostgresCatalog, opened, sqlite_of
from warehouse.errors import ConfigurationError
from warehouse.lake import LakeBusy
from warehouse.lake_errors import explained, unwritable


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://writer:s%40cret@db.example:5433/lake?sslmode=require",
        "postgres://writer:s%40cret@db.example:5433/lake?sslmode=require",
        "host=db.example port=5433 user=writer password=s@cret dbname=lake sslmode=require",
        "host = 'db.example' port=5433 dbname='lake' user=writer sslmode=require password='s@cret'",
    ],
)
def test_an_address_is_read_and_its_password_kept_apart(address: str) -> None:
    catalog = PostgresCatalog.of(address)
    assert catalog.password == "s@cret"
    assert dict(catalog.parameters) == {
        "host": "db.example",
        "port": "5433",
        "user": "writer",
        "dbname": "lake",
        "sslmode": "require",
        "connect_timeout": "10",
        **SIGNS_OF_LIFE,
    }
    assert catalog.shown == "PostgreSQL db.example:5433/lake"
    for told in (repr(catalog), catalog.source, catalog.connection_string, catalog.shown):
        assert "cret" not in told


def test_several_hosts_a_socket_and_quotes_are_kept() -> None:
    several = PostgresCatalog.of("postgresql://writer@one:5432,[::1]:5433/lake")
    assert dict(several.parameters)["host"] == "one,::1"
    assert dict(several.parameters)["port"] == "5432,5433"
    quoted = PostgresCatalog.of(r"host=/var/run/postgresql dbname='la\'ke \\x' password='a\'b'")
    assert dict(quoted.parameters)["dbname"] == r"la'ke \x"
    assert quoted.password == "a'b"
    assert PostgresCatalog.of(quoted.connection_string).parameters == quoted.parameters


@pytest.mark.parametrize(
    "address", ["mysql://a:s3cret@b/c", "s3cret", "host=a password=s3cret", "host=a dbname='s3cret"]
)
def test_an_address_that_cannot_be_read_is_not_repeated(address: str) -> None:
    with pytest.raises(ConfigurationError, match="NIANBAO_CATALOG") as caught:
        PostgresCatalog.of(address)
    assert "s3cret" not in str(caught.value)


def test_files_of_one_catalog_are_not_opened_with_another(tmp_path: Path) -> None:
    address = "postgresql://writer@db.example/lake"
    embedded = sqlite_of(tmp_path)
    embedded.path.parent.mkdir()
    embedded.path.touch()
    with pytest.raises(ConfigurationError, match="nianbao move-catalog"):
        opened(tmp_path, address)
    embedded.path.rename(embedded.moved_to)
    with pytest.raises(ConfigurationError, match="请设 NIANBAO_CATALOG"):
        opened(tmp_path)
    assert opened(tmp_path, address).shown == "PostgreSQL db.example:5432/lake"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            duckdb.IOException(
                'IO Error: Could not write file "/d/lake/files/a.parquet": No space left on device'
            ),
            "磁盘已满,写不下/d/lake/files/a.parquet",
        ),
        (
            duckdb.TransactionException(
                'Failed to commit: Failed to execute query "COMMIT": database or disk is full'
            ),
            "磁盘已满,写不下/d/catalog",
        ),
        (
            duckdb.IOException('Cannot open file "/d/a.parquet": No such file or directory'),
            "缺少数据文件 /d/a.parquet",
        ),
        (
            duckdb.InvalidInputException("Invalid footer length provided for file '/d/a.parquet'"),
            "数据文件 /d/a.parquet 已损坏",
        ),
        (
            duckdb.IOException(
                'Could not read enough bytes from file "/d/a.parquet": attempted to read 9'
            ),
            "数据文件 /d/a.parquet 已损坏",
        ),
        (duckdb.Error("PRAGMA journal_mode=WAL: file is not a database"), "/d/catalog 已损坏"),
        (duckdb.Error("database disk image is malformed"), "/d/catalog 已损坏"),
        (duckdb.Error("PRAGMA journal_mode=WAL: disk I/O error"), "/d/catalog 读写不了"),
        (duckdb.Error("Failed to execute: database is locked"), "被另一个程序占用"),
        (duckdb.OutOfMemoryException("could not allocate block"), "NIANBAO_MEMORY_LIMIT"),
        (
            duckdb.IOException(
                'Unable to connect to Postgres at "host=x": connection to server at "x", '
                "port 5432 failed: Connection refused\n\tIs the server running?\n"
            ),
            "连不上目录库 /d/catalog(Connection refused)",
        ),
        (
            duckdb.HTTPException(
                "HTTP Error: HTTP GET error on 'http://h/b/a.parquet' in region 'r' "
                "(HTTP 503 Service Unavailable)"
            ),
            "连不上对象存储(http://h/b/a.parquet;HTTP 503 Service Unavailable)",
        ),
    ],
)
def test_an_error_of_the_surroundings_names_the_thing(error: duckdb.Error, said: str) -> None:
    told = explained(error, "/d/catalog")
    assert told is not None
    assert said in str(told)
    assert isinstance(told, LakeBusy) == ("占用" in said)


def test_a_defect_of_ours_is_left_as_it_is() -> None:
    for error in (
        duckdb.BinderException('Referenced column "x" not found'),
        duckdb.ConversionException("Could not convert string 'a.parquet' to INT32"),
        duckdb.InvalidInputException("Values were not provided for parameter 1"),
    ):
        assert explained(error, "/d/catalog") is None


def test_a_full_disk_is_told_apart_from_a_read_only_one() -> None:
    assert "磁盘已满" in str(unwritable("/d", OSError(errno.ENOSPC, "No space left")))
    assert "文件系统是只读的" in str(unwritable("/d", OSError(errno.EROFS, "Read-only")))
