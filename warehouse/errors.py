"""One family of errors: those whose message is meant for the person who must act.

Each class says whom it concerns; its exit code is what a script is told. Anything else that is
raised is a defect of the program. Messages are Chinese: what happened, to which thing, what to
do. They carry no secret.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import ClassVar, Literal

Concern = Literal["entry", "configuration", "findings", "source", "machine"]


class ExitCode(IntEnum):
    """What a command's end tells a script."""

    DONE = 0
    BLOCKED = 1
    WRONG_USE = 2
    SOURCE_FAILED = 3
    MACHINE_FAILED = 4
    NOT_JUDGED = 5
    DEFECT = 70
    INTERRUPTED = 130


EXIT_CODES = (
    "0 完成;1 有阻断问题;2 用法或配置有误;3 有来源未能取到;4 本机有故障(磁盘、内存、服务);"
    "5 有内容无法判断;70 程序出错"
)
"""The same for a person, as the help shows it."""


class NianbaoError(Exception):
    """The root of the family."""

    exit_code: ClassVar[ExitCode]
    concern: ClassVar[Concern]


class EntryError(NianbaoError):
    """What was typed, chosen or filled in cannot be done: whoever entered it must change it."""

    exit_code = ExitCode.WRONG_USE
    concern = "entry"


class ConfigurationError(NianbaoError):
    """A setting or a file that people write cannot be used: whoever keeps it must mend it."""

    exit_code = ExitCode.WRONG_USE
    concern = "configuration"


class FindingsError(NianbaoError):
    """The figures do not let it pass: the office must answer for them or have them put right."""

    exit_code = ExitCode.BLOCKED
    concern = "findings"


class SourceFault(NianbaoError):
    """A source could not be pulled: its vendor or keeper must be asked."""

    exit_code = ExitCode.SOURCE_FAILED
    concern = "source"


class MachineError(NianbaoError):
    """This machine stands in the way: its disk, its memory, a server that it needs."""

    exit_code = ExitCode.MACHINE_FAILED
    concern = "machine"


class LostRecords(RuntimeError):
    """A defect of the program, found by its own count: records that must be somewhere are not.
    What was being done is undone; the message says what is missing where."""

    def __init__(self, found: str) -> None:
        super().__init__(f"{found}。这是程序缺陷,未写入任何数据;请把日志交给维护人员")


def must_be(what: str, expected: int, found: int) -> None:
    """Hold one count of the same records against another. Raises LostRecords where they differ."""
    if expected != found:
        raise LostRecords(f"{what}应有 {expected:,} 条,只见 {found:,} 条")


OF_THE_MACHINE = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    | {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO}
)
"""What the system says when it is the machine that stands in the way, whatever was written."""
