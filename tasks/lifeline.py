"""A process that ends with the one that started it.

A command that is killed cannot stop what it started. So what it starts watches it, and ends when
it is gone: a server would hold the port that the next command needs, a run would go on beside
the next one.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

ENDS_WITH = "NIANBAO_LIFELINE"
"""The variable that names the process a child ends with: its number and when it began."""
POLL_SECONDS = 0.5
TO_END_BY_ITSELF = 10


def lifeline() -> dict[str, str]:
    """What to lay over the environment of a child that shall end with this process."""
    return {ENDS_WITH: f"{os.getpid()} {_began(os.getpid())}"}


def end_with_starter(environment: Mapping[str, str] = os.environ) -> None:
    """Watch from a thread the process that this one shall end with, if one is named.

    A run that a worker of Prefect's started names none: it ends with the worker, and is asked
    first, so that it can still tell the server.
    """
    named = environment.get(ENDS_WITH, "").split()
    if len(named) == 2:
        pid, began, is_asked = int(named[0]), named[1], False
    elif "PREFECT__FLOW_RUN_ID" in environment:
        pid, is_asked = os.getppid(), True
        began = _began(pid)
    else:
        return
    if pid != os.getpid() and Path("/proc/self/stat").exists():
        threading.Thread(target=_watch, args=(pid, began, is_asked), daemon=True).start()


def _watch(pid: int, began: str, is_asked: bool) -> None:
    while began and _began(pid) == began:
        time.sleep(POLL_SECONDS)
    if is_asked:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(TO_END_BY_ITSELF)
    os.kill(os.getpid(), signal.SIGKILL)


def _began(pid: int) -> str:
    """When a process began, in the system's ticks; empty when it is gone or only waits to be
    taken away. A number alone may long be another's."""
    try:
        after_name = (
            Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
        )
    except OSError:
        return ""
    return "" if after_name[0] in ("Z", "X") else after_name[19]
