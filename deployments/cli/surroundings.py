"""What a terminal and a machine lack, met before a command or told after it.

The one place where an error that is not of our own family becomes a sentence with an exit code:
whatever ends a command passes here.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from warehouse.errors import OF_THE_MACHINE, ExitCode, MachineError, NianbaoError

LEAST_FILES = 64
MEMORY_OF_ITS_OWN = 1700 * 2**20
MEMORY_OF_A_THREAD = 100 * 2**20
"""Addresses, not bytes in use: below this DuckDB ends the process without a word."""


class NotEnough(MachineError):
    """A limit of this machine leaves too little to work with; the message names it."""


class MachineFailure(MachineError):
    """A service of this machine went away in the middle."""


class Defect(NianbaoError):
    """Something that nobody foresaw; the message says where its particulars are."""

    exit_code = ExitCode.DEFECT
    concern = "machine"


def speak_chinese() -> None:
    """Let output be Chinese where the environment says that the terminal knows none.

    A service or a plain `LANG=C` says so of terminals that do; a character that an encoding
    lacks is replaced rather than ending the command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIO) or hasattr(stream, "reconfigure"):
            stream.reconfigure(  # type: ignore[union-attr]
                encoding=None if _knows_chinese(stream.encoding) else "utf-8", errors="replace"
            )
    # Names of files, too, for whatever this command starts.
    os.environ.setdefault("PYTHONUTF8", "1")


def reach_loopback_directly() -> None:
    """Let nothing that this command starts ask this machine itself through a proxy: systems set
    one for everybody, and often forget to except the machine."""
    for name in ("NO_PROXY", "no_proxy"):
        known = [one.strip() for one in os.environ.get(name, "").split(",") if one.strip()]
        own = [one for one in ("127.0.0.1", "localhost", "::1") if one not in known]
        os.environ[name] = ",".join([*known, *own])


def keep_asides_apart() -> None:
    """What fails beside a command (a thread, a file being let go) goes to the log: the command
    itself says what became of it."""
    sys.unraisablehook = lambda aside: _keep_aside(aside.exc_value)
    threading.excepthook = lambda aside: _keep_aside(aside.exc_value)


def _keep_aside(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        with suppress(Exception):
            _kept(error)


def _knows_chinese(encoding: str) -> bool:
    try:
        "年报".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def check_limits() -> None:
    """Raises NotEnough where the limits of this process are too low to run at all."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < LEAST_FILES:
        if most != resource.RLIM_INFINITY and most < LEAST_FILES:
            raise NotEnough(
                f"可同时打开的文件数上限(ulimit -n)只有 {most},不足以运行。"
                f"请至少设为 {LEAST_FILES} 后重新运行"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (LEAST_FILES, most))
    addresses = resource.getrlimit(resource.RLIMIT_AS)[0]
    needed = MEMORY_OF_ITS_OWN + MEMORY_OF_A_THREAD * _threads()
    if addresses != resource.RLIM_INFINITY and addresses < needed:
        raise NotEnough(
            f"内存上限(ulimit -v)只有 {addresses / 2**20:.0f} MB,不足以运行。"
            f"请至少设为 {needed / 2**20:.0f} MB 或不设,或调小 NIANBAO_THREADS 后重新运行"
        )


def _threads() -> int:
    given = os.environ.get("NIANBAO_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else os.cpu_count() or 1


def as_told(error: BaseException) -> NianbaoError:
    """Any error as one of the family; what nobody foresaw is a Defect.

    A library may meet the machine's limits before we do, and say something else: whose own
    database found the disk full speaks of a time that ran out. So causes are looked at, and the
    data home.
    """
    for one in _causes(error):
        found = _of_family(one)
        if found is not None:
            return found
    from tasks.settings import Settings, check_home

    try:
        check_home(Settings())
    except NianbaoError as found:
        return found
    return Defect(
        f"程序出错({type(error).__name__}),这不是操作造成的。已装载的数据完好。"
        f"请把 {_kept(error)} 交给维护人员"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def _of_family(error: BaseException) -> NianbaoError | None:
    if isinstance(error, NianbaoError):
        return error
    if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
        from warehouse.lake_errors import unwritable

        return unwritable(error.filename or "数据目录", error)
    if isinstance(error, MemoryError) or "can't start new thread" in str(error):
        from warehouse.lake_errors import NO_MEMORY

        return NotEnough(NO_MEMORY)
    if isinstance(error, ImportError) and "shared object" in str(error):
        return NotEnough(f"程序库装不进内存或已缺损({error})。请放宽 ulimit -v,仍不行时重新安装")
    if type(error).__module__.partition(".")[0] == "_duckdb":
        import duckdb

        from warehouse.lake_errors import explained

        return explained(error, "数据湖") if isinstance(error, duckdb.Error) else None
    if type(error).__module__.partition(".")[0] in ("httpx", "httpcore"):
        return MachineFailure(
            f"与 Prefect 服务的连接断了({type(error).__name__})。已装载的数据完好,请重新运行;"
            "仍不行时看数据目录中的 logs/server.log"
        )
    return None


def _kept(error: BaseException) -> Path:
    """The file in which the particulars of a defect are kept."""
    from tasks.clock import now

    told = "".join(traceback.format_exception(error))
    try:
        from tasks.settings import Settings

        path = Settings().home / "logs" / "errors.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{now():%Y-%m-%d %H:%M:%S} {sys.argv[1:2]}\n{told}\n")
    except (OSError, NianbaoError):
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="nianbao-error-", suffix=".log", delete=False
        ) as kept:
            kept.write(told)
        return Path(kept.name)
    return path
