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
from warehouse.errors import ConfigurationError, EntryError, MachineError


class LakeError(MachineError):
    """The lake cannot be used; the message says what to do."""


class CatalogAway(LakeError):
    """The database of the catalog does not answer, or no longer."""


class LakeBusy(LakeError):
    """Another process is writing and did not finish in time."""


class NoLake(EntryError):
    """Nothing was ever written: something must be pulled first."""


class NewerLake(ConfigurationError):
    """A later release wrote it: this one would read it wrong."""


class OtherCity(ConfigurationError):
    """The lake holds the records of one city, and the city that is set is another."""


class SharedStorage(ConfigurationError):
    """The data files of another lake lie where this one's should."""


INTACT = "本次未写入的部分已撤销,已有数据完好"

NO_MEMORY = (
    "本机的内存或线程不够用(ulimit -v、ulimit -u 或整机内存)。请放宽上限,"
    "或调小 NIANBAO_MEMORY_LIMIT、NIANBAO_THREADS 后重新运行"
)

STORAGE_HAS_NO_BUCKET = (
    "对象存储中没有这个桶({object})。请先建好桶,或改正 NIANBAO_STORAGE 后重新运行"
)
STORAGE_REFUSES = (
    f"对象存储拒绝访问({{object}})。{INTACT};请检查 NIANBAO_STORAGE_KEY、NIANBAO_STORAGE_SECRET、"
    "NIANBAO_STORAGE_REGION 与桶的权限(列出、读、写、删)后重新运行"
)
STORAGE_AWAY = (
    f"连不上对象存储({{object}};{{http}})。{INTACT};请确认服务在运行,地址、证书与代理正确"
    "(NIANBAO_STORAGE_ENDPOINT、NIANBAO_STORAGE_CA)后重新运行"
)

_FILE = re.compile(r"[\"']([^\"']+\.parquet)[\"']")
_UNREACHABLE = (
    r"Unable to connect to Postgres|server closed the connection|terminating connection"
    r"|no connection to the server|connection to server .* failed|could not receive data from server"
    r"|SSL connection has been closed|connection not open"
)
_TOLD: tuple[tuple[str, type[LakeError], str], ...] = (
    (
        r"(?s)^HTTPException: .*(?:NoSuchBucket|bucket does not exist)",
        LakeError,
        STORAGE_HAS_NO_BUCKET,
    ),
    (
        r"(?s)^HTTPException: .*(?:40[13]\b|Forbidden|AccessDenied|InvalidAccessKeyId|Signature)",
        LakeError,
        STORAGE_REFUSES,
    ),
    (
        r"(?s)^HTTPException: .*404 Not Found.*|^HTTPException: .*404 Not Found",
        LakeError,
        "对象存储中缺少 {object}。刚改过 NIANBAO_STORAGE 的,请先把原处的数据文件全部复制过去;"
        "否则请从备份恢复该文件后重新运行",
    ),
    (
        r"^HTTPException: .*Content-Length from server",
        LakeError,
        "对象存储中有数据文件与目录库记下的大小不符:多半是没有原样复制,或已损坏。"
        "请从原处或备份原样复制后重新运行",
    ),
    (
        r"(?s)for HTTP \w+ to .*|^HTTPException: ",
        LakeError,
        STORAGE_AWAY,
    ),
    (
        r"No space left on device|disk is full|disk quota exceeded|File too large",
        LakeError,
        f"磁盘已满,写不下{{thing}}。{INTACT};请清出空间或扩容后重新运行",
    ),
    (
        r"bad.?alloc|cannot allocate memory|Resource temporarily unavailable",
        LakeError,
        f"{NO_MEMORY}。{INTACT}",
    ),
    (
        r"^OutOfMemoryException: ",
        LakeError,
        f"内存不足:请调大 NIANBAO_MEMORY_LIMIT(如 2GB)后重新运行。{INTACT}",
    ),
    (
        _UNREACHABLE,
        CatalogAway,
        f"连不上目录库 {{catalog}}({{reason}})。{INTACT};"
        "请确认数据库在运行、地址与口令正确(NIANBAO_CATALOG)后重新运行",
    ),
    (
        r"file is not a database|disk image is malformed",
        LakeError,
        "目录库 {catalog} 已损坏。请停止 nianbao,从备份恢复目录库与 files 目录"
        "(docs/operations.md),再运行 nianbao nightly 补取其后的数据",
    ),
    (
        r"disk I/O error|unable to open database file",
        LakeError,
        "目录库 {catalog} 读写不了:多半是磁盘已满、目录不能写或打开的文件数到了上限(ulimit -n)。"
        f"{INTACT};请查看可用空间、权限与上限,都正常时请检查磁盘",
    ),
    (
        r"database is locked|database table is locked",
        LakeBusy,
        f"目录库 {{catalog}} 被另一个程序占用(多半是备份或查看工具)。{INTACT};请等它结束后重新运行",
    ),
    (
        r"Read-only file system|Permission denied|readonly database|permission denied for",
        LakeError,
        f"不能写入{{thing}}:目录为只读或没有权限。{INTACT};"
        "请检查挂载方式与所属用户(运行用户须能写 NIANBAO_HOME)",
    ),
    (
        r"(?s)\.parquet.*No such file|No such file.*\.parquet",
        LakeError,
        "湖中缺少数据文件 {file}。请从备份恢复该文件后重新运行",
    ),
    (
        r"(?s)^(?:IOException|InvalidInputException): .*\.parquet",
        LakeError,
        "湖中的数据文件 {file} 已损坏。请从备份恢复该文件后重新运行",
    ),
    (
        r"Transaction conflict|could not serialize access|conflicts? with .*snapshot",
        LakeBusy,
        f"另一个进程同时改动了同一张表。{INTACT};请重新运行",
    ),
)
"""What is said of each kind: `thing` is the file, or else the catalog. The first that fits."""


def _matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def explained(error: duckdb.Error, catalog: str) -> LakeError | None:
    """The error as a LakeError in the operator's words; None when it is not about the lake's
    surroundings. `catalog` says where the catalog is, without secrets.
    """
    text = f"{type(error).__name__}: {error}"
    found = _FILE.search(text)
    file = found.group(1) if found else ""
    for pattern, kind, told in _TOLD:
        if _matches(pattern, text):
            return kind(
                told.format(
                    thing=file or catalog,
                    file=file,
                    catalog=catalog,
                    reason=_reason(text),
                    object=_object(text),
                    http=_http(text),
                )
            )
    return None


def _object(text: str) -> str:
    """The object, or the address, that an error of the object storage names."""
    found = re.search(r"(?:s3|https?)://[^\s'\"]+", text)
    return found[0].rstrip(":") if found else "地址不详"


def _http(text: str) -> str:
    """What kept an object storage from answering, in its client's words."""
    found = re.search(r"(?:IO|HTTP) Error: (.*?)(?: error)? for HTTP|\((HTTP \d{3}[^)]*)\)", text)
    return next(filter(None, found.groups())) if found else text.partition("\n")[0][-80:]


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
