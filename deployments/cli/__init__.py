"""The command line `nianbao`.

Only light modules are imported here: heavy ones (DuckDB, Prefect, Great Expectations) are
imported inside the commands, so that `--help` answers at once.

Exit codes: 0 done, 1 findings that block, 2 wrong use or configuration, 3 a source could
not be pulled.
"""

from __future__ import annotations

import errno
import os
import sys
from enum import IntEnum
from importlib import import_module
from typing import Any

# Help is plain text: an operator's terminal may be narrow or have no colours.
os.environ.setdefault("TYPER_USE_RICH", "0")

import typer

COMMANDS = (
    # (name, module, function): a command's module is small and imports what is heavy itself.
    ("nightly", "deployments.cli.runs", "nightly"),
    ("backfill", "deployments.cli.runs", "backfill"),
    ("year-end", "deployments.cli.runs", "year_end"),
    ("publish", "deployments.cli.runs", "publish"),
    ("rebuild", "deployments.cli.rebuild", "rebuild"),
    ("tables", "deployments.cli.figures", "tables"),
    ("explain", "deployments.cli.figures", "explain"),
    ("audit", "deployments.cli.audit", "audit"),
    ("status", "deployments.cli.state", "status"),
    ("doctor", "deployments.cli.state", "doctor"),
    ("move-catalog", "deployments.cli.move_catalog", "move_catalog"),
    ("serve", "deployments.cli.serve", "serve"),
    ("demo-city", "deployments.cli.demo_city", "demo_city"),
)
GROUPS = (
    ("source", "deployments.cli.source", "app"),
    ("rejects", "deployments.cli.rejects", "app"),
)


class Exit(IntEnum):
    """What a command's end tells a script."""

    DONE = 0
    BLOCKED = 1
    WRONG_USE = 2
    SOURCE_FAILED = 3


def build() -> typer.Typer:
    """The application with all its commands."""
    app = typer.Typer(
        name="nianbao",
        help=(
            "政府信息公开工作年度报告:从四个系统取数、核对,编制法定年度表格。\n\n"
            "退出码:0 完成;1 有阻断问题;2 用法或配置有误;3 有来源未能取到。"
        ),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        # Where the library was imported before this module, by a test.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, module, function in COMMANDS:
        app.command(name)(getattr(import_module(module), function))
    for name, module, attribute in GROUPS:
        app.add_typer(getattr(import_module(module), attribute), name=name)
    return app


def main() -> None:
    """Entry point: run a command, and turn an expected error into its message and exit code."""
    from deployments.cli.chinese import in_chinese, is_wrong_usage, wrong_usage

    try:
        code = in_chinese(typer.main.get_command(build())).main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else Exit.DONE)
    except Exception as error:
        if is_wrong_usage(error):
            print(wrong_usage(error), file=sys.stderr)
            sys.exit(Exit.WRONG_USE)
        told = error if _known(error) is not None else _from_the_home()
        if told is None:
            raise
        from tasks.wording.typeset import typeset

        print(typeset(f"错误:{_told(told)}"), file=sys.stderr)
        sys.exit(_known(told))
    except KeyboardInterrupt:
        print("已中断。已装载的数据完好,再次运行会接着做。", file=sys.stderr)
        sys.exit(130)


def _from_the_home() -> Exception | None:
    """What is wrong with the data home, as what may lie behind an error that says something
    else: a library whose own database found the disk full speaks of a time that ran out."""
    from tasks.settings import Settings, SettingsError, check_home

    try:
        check_home(Settings())
    except SettingsError as error:
        return error
    return None


def _is_of_the_disk(error: Exception) -> bool:
    """A file that could not be written for want of room or leave, wherever it was written."""
    denied = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return isinstance(error, OSError) and error.errno in denied


def _told(error: Exception) -> str:
    """An error's message; a setting that cannot be used is named as the operator wrote it."""
    if isinstance(error, OSError) and _is_of_the_disk(error):
        from warehouse.lake_errors import unwritable

        return str(unwritable(error.filename or "数据目录", error))
    if type(error).__name__ != "ValidationError" or getattr(error, "title", "") != "Settings":
        return str(error)
    from tasks.wording.entries import instead

    wrong = [
        f"NIANBAO_{'_'.join(map(str, one['loc'])).upper()} 不能是“{one['input']}”:{instead(one)}"
        for one in error.errors()  # type: ignore[attr-defined]
    ]
    return ";".join(wrong)


def _known(error: Exception) -> int | None:
    """The exit code of an error whose message is meant for the operator; None for a defect.

    Told by name, so that nothing heavy is imported only to be compared with.
    """
    names = {base.__name__ for base in type(error).__mro__}
    expected = {"LakeError", "LayoutError", "RuleError", "TabulationError", "CityFileError"}
    expected |= {"SourceFileError", "ValidationError", "AuditError", "UsageError"}
    expected |= {"SettingsError", "UnreadableFile"}
    if names & expected or _is_of_the_disk(error):
        return Exit.WRONG_USE
    return Exit.SOURCE_FAILED if "SourceError" in names else None


def open_lake() -> tuple[Any, Any]:
    """Settings and the lake they name."""
    from tasks.settings import Settings

    settings = Settings()
    return settings, settings.lake()
