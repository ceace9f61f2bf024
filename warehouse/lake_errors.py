"""What can be wrong with a lake, told so that whoever reads it at night knows what to do.

DuckDB, DuckLake, SQLite and PostgreSQL each say in their own words that a disk is full or a
file is damaged. Here their words become one or two sentences that name the thing and the
remedy; an error that is none of these is a defect of ours and is left as it is.
"""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from warehouse.disk import FULL, reason_of
from warehouse.errors import EntryError, MachineError


class LakeError(MachineError):
    """The lake cannot be used; the message says what to do."""


class LakeBusy(LakeError):
    """Another process is writing and did not finish in time."""


class NoLake(EntryError):
    """Nothing was ever written: something must be pulled first."""


INTACT = "本次未写入的部分已撤销,已有数据完好"

NO_MEMORY = (
    "本机的内存或线程不够用(ulimit -v、ulimit -u 或整机内存)。请放宽上限,"
    "或调小 NIANBAO_MEMORY_LIMIT、NIANBAO_THREADS 后重新运行"
)

_FULL = r"No space left on device|disk is full|disk quota exceeded|File too large"
_NOT_ALLOWED = r"Read-only file system|Permission denied|readonly database|permission denied for"
_DAMAGED_CATALOG = r"file is not a database|disk image is malformed"
_BROKEN_DISK = r"disk I/O error|unable to open database file"
_LOCKED = r"database is locked|database table is locked"
_UNREACHABLE = (
    r"Unable to connect to Postgres|server closed the connection|terminating connection"
    r"|no connection to the server|connection to server .* failed|could not receive data from server"
    r"|SSL connection has been closed|connection not open"
)
_NO_MEMORY = r"bad.?alloc|cannot allocate memory|Resource temporarily unavailable"
_CONFLICT = r"Transaction conflict|could not serialize access|conflicts? with .*snapshot"
_FILE = re.compile(r"[\"']([^\"']+\.parquet)[\"']")


def _matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def explained(error: duckdb.Error, catalog: str) -> LakeError | None:
    """The error as a LakeError in the operator's words; None when it is not about the lake's
    surroundings. `catalog` says where the catalog is, without secrets.
    """
    text = str(error)
    file = _FILE.search(text)
    name = file.group(1) if file else ""
    if _matches(_FULL, text):
        return LakeError(f"磁盘已满,写不下{name or catalog}。{INTACT};请清出空间或扩容后重新运行")
    if _matches(_NO_MEMORY, text):
        return LakeError(f"{NO_MEMORY}。{INTACT}")
    if isinstance(error, duckdb.OutOfMemoryException):
        return LakeError(f"内存不足:请调大 NIANBAO_MEMORY_LIMIT(如 2GB)后重新运行。{INTACT}")
    if _matches(_UNREACHABLE, text):
        return LakeError(
            f"连不上目录库 {catalog}({_reason(text)})。{INTACT};"
            "请确认数据库在运行、地址与口令正确(NIANBAO_CATALOG)后重新运行"
        )
    if _matches(_DAMAGED_CATALOG, text):
        return LakeError(
            f"目录库 {catalog} 已损坏。请停止 nianbao,从备份恢复目录库与 files 目录"
            "(docs/operations.md),再运行 nianbao nightly 补取其后的数据"
        )
    if _matches(_BROKEN_DISK, text):
        return LakeError(
            f"目录库 {catalog} 读写不了:多半是磁盘已满、目录不能写或打开的文件数到了上限(ulimit -n)。"
            f"{INTACT};请查看可用空间、权限与上限,都正常时请检查磁盘"
        )
    if _matches(_LOCKED, text):
        return LakeBusy(
            f"目录库 {catalog} 被另一个程序占用(多半是备份或查看工具)。{INTACT};请等它结束后重新运行"
        )
    if _matches(_NOT_ALLOWED, text):
        return LakeError(
            f"不能写入{name or catalog}:目录为只读或没有权限。{INTACT};"
            "请检查挂载方式与所属用户(运行用户须能写 NIANBAO_HOME)"
        )
    if name and isinstance(error, duckdb.IOException) and "No such file" in text:
        return LakeError(f"湖中缺少数据文件 {name}。请从备份恢复该文件后重新运行")
    if name and isinstance(error, (duckdb.IOException, duckdb.InvalidInputException)):
        return LakeError(f"湖中的数据文件 {name} 已损坏。请从备份恢复该文件后重新运行")
    if _matches(_CONFLICT, text):
        return LakeBusy(f"另一个进程同时改动了同一张表。{INTACT};请重新运行")
    return None


def unwritable(path: Path | str, error: OSError) -> LakeError:
    """A file or folder of the data home that the system does not let us write."""
    if error.errno in FULL:
        return LakeError(f"磁盘已满,写不下 {path}。{INTACT};请清出空间或扩容后重新运行")
    return LakeError(
        f"不能写入 {path}({reason_of(error)})。{INTACT};"
        "请检查挂载方式与所属用户(运行用户须能写 NIANBAO_HOME)"
    )


def _reason(text: str) -> str:
    """PostgreSQL's own last sentence; the address before it may be long and is told anyway."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = next((line for line in lines if _matches(_UNREACHABLE, line)), lines[0])
    return first.rsplit(": ", 1)[-1].strip()
