"""The machine's own token: how runs, workers and commands of this machine are known on the port.

It lies in the data home, readable by its owner only, as a file of variables that a unit can name.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from filelock import FileLock

from warehouse.errors import MachineError
from warehouse.lake_errors import unwritable

NAME = "machine.env"
HEADER = "X-Nianbao-Machine"
VARIABLE = "PREFECT_CLIENT_CUSTOM_HEADERS"
"""How Prefect's clients are told to send a header with every request and socket."""


class UnusableToken(MachineError):
    """The file of the machine's token is damaged; the message says what to do."""


def machine_variables(home: Path) -> dict[str, str]:
    """The variables by which a process of this machine is known, made where there are none."""
    return {VARIABLE: json.dumps({HEADER: machine_token(home)})}


def machine_token(home: Path) -> str:
    """The token of a data home; made, for its owner's eyes only, where there is none."""
    path = home / NAME
    try:
        home.mkdir(parents=True, exist_ok=True)
        # Two that start at once must not make two.
        with FileLock(home / f".{NAME}.lock"):
            if not path.exists():
                token = secrets.token_urlsafe(32)
                working = path.with_name(f".{NAME}.new")
                working.unlink(missing_ok=True)
                made = os.open(working, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(made, "w") as file:
                    file.write(f"{VARIABLE}='{json.dumps({HEADER: token})}'\n")
                working.rename(path)
        return _read(path)
    except OSError as error:
        raise unwritable(path, error) from error


def _read(path: Path) -> str:
    told = path.read_text(encoding="utf-8").partition("=")[2].strip().strip("'")
    try:
        return str(json.loads(told)[HEADER])
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableToken(
            f"{path} 的内容不是本机令牌。请删除该文件后重新启动,会自动另写一个"
        ) from error
