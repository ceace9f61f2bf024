"""The command line `nianbao`.

Only light modules are imported here: heavy ones (DuckDB, Prefect, Great Expectations) are
imported inside the commands, so that `--help` answers at once.

Exit codes: `warehouse/errors.py`.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

# Help is plain text: an operator's terminal may be narrow or have no colours.
os.environ.setdefault("TYPER_USE_RICH", "0")

import typer

from warehouse.errors import EXIT_CODES, ExitCode

COMMANDS = (
    # (name, module, function): a command's module is small and imports what is heavy itself.
    ("nightly", "deployments.cli.runs", "nightly"),
    ("backfill", "deployments.cli.runs", "backfill"),
    ("year-end", "deployments.cli.runs", "year_end"),
    ("text", "deployments.cli.text", "text"),
    ("publish", "deployments.cli.runs", "publish"),
    ("rebuild", "deployments.cli.rebuild", "rebuild"),
    ("verify", "deployments.cli.verify", "verify"),
    ("tables", "deployments.cli.figures", "tables"),
    ("explain", "deployments.cli.figures", "explain"),
    ("diff", "deployments.cli.differences", "diff"),
    ("account", "deployments.cli.account", "account"),
    ("audit", "deployments.cli.audit", "audit"),
    ("status", "deployments.cli.state", "status"),
    ("doctor", "deployments.cli.state", "doctor"),
    ("move-catalog", "deployments.cli.move_catalog", "move_catalog"),
    ("serve", "deployments.cli.serve", "serve"),
    ("demo-city", "deployments.cli.demo_city", "demo_city"),
    ("demo-cities", "deployments.cli.demo_city", "demo_cities"),
)
GROUPS = (
    ("city", "deployments.cli.city", "app"),
    ("province", "deployments.cli.province", "app"),
    ("source", "deployments.cli.source", "app"),
    ("rejects", "deployments.cli.rejects", "app"),
    ("user", "deployments.cli.user", "app"),
)


def build() -> typer.Typer:
    """The application with all its commands."""
    app = typer.Typer(
        name="nianbao",
        help=(
            "政府信息公开工作年度报告:从四个系统取数、核对,编制法定年度表格。\n\n"
            f"退出码:{EXIT_CODES}。"
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


def command() -> Any:
    """The application as it is run: in Chinese, and of the city that `--city` names."""
    from deployments.cli.chinese import in_chinese
    from deployments.cli.which_city import of_a_city

    return in_chinese(of_a_city(typer.main.get_command(build())))


def main() -> None:
    """Entry point: run a command, and turn whatever ends it into its message and exit code."""
    from deployments.cli.surroundings import (
        as_told,
        check_limits,
        keep_asides_apart,
        reach_loopback_directly,
        speak_chinese,
    )

    speak_chinese()
    keep_asides_apart()
    reach_loopback_directly()
    try:
        from deployments.cli.chinese import is_wrong_usage, wrong_usage

        check_limits()
        code = command().main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else ExitCode.DONE)
    except KeyboardInterrupt:
        print("已中断。已装载的数据完好,再次运行会接着做。", file=sys.stderr)
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:
        if is_wrong_usage(error):
            print(wrong_usage(error), file=sys.stderr)
            sys.exit(ExitCode.WRONG_USE)
        from tasks.wording.typeset import typeset

        told = as_told(error)
        print(typeset(f"错误:{told}"), file=sys.stderr)
        sys.exit(told.exit_code)


def open_lake() -> tuple[Any, Any]:
    """Settings and the lake they name."""
    from tasks.settings import Settings

    settings = Settings()
    return settings, settings.lake()
