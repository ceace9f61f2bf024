"""`--city`: which of several cities a command is for. It stands before the command or after it,
and goes before NIANBAO_CITY."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

HELP = "哪个城市:NIANBAO_CITIES 中的名称,或城市目录的路径;默认取 NIANBAO_CITY"


def of_a_city(command: Any) -> Any:
    """A command, and those below it, with the option; it is shown in the help of the first."""
    _give(command, is_shown=True)
    return command


def _give(command: Any, is_shown: bool) -> None:
    # The library makes its options from functions only: it is that of a command with nothing else.
    carrier = typer.Typer(add_completion=False)
    carrier.command()(_carrier)
    option: Any = typer.main.get_command(carrier).params[0]
    option.expose_value = False
    option.hidden = not is_shown
    command.params.append(option)
    for below in getattr(command, "commands", {}).values():
        _give(below, is_shown=False)


def _chosen(given: str | None) -> None:
    if given:
        # What a command starts is of the same city.
        os.environ["NIANBAO_CITY"] = given


def _carrier(
    city: Annotated[
        str | None,
        typer.Option("--city", metavar="城市", help=HELP, is_eager=True, callback=_chosen),
    ] = None,
) -> None:
    pass
