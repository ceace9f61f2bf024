"""Where a DuckDB spills what does not fit into memory: a folder that nobody else uses.

Two DuckDBs that spill into one folder overwrite each other's blocks and end with a segmentation
fault, within one process as well as in two. So each has a folder of its own, below that of its
process. The process holds a lock on its folder for as long as it lives; whoever comes next takes
away the folders that nobody holds any more. A lock and not a process number tells them apart:
numbers are used again, and another machine has its own.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

OWNER = "owner.lock"
SWEEP = "sweep.lock"


@dataclass
class _Claimed:
    """A folder of this process. `held` is never closed: the system lets go when it ends."""

    folder: Path
    held: int
    made: int = field(default=0)


_claimed: dict[tuple[int, Path], _Claimed] = {}
_guard = threading.Lock()


def spill_folder(base: Path) -> Path | None:
    """A folder below `base` for one DuckDB, which makes it when it needs it.

    None where `base` cannot be written: a reader of a home that is full or read-only goes on,
    within its memory.
    """
    with _guard:
        key = (os.getpid(), base)
        mine = _claimed.get(key)
        if mine is None or not mine.folder.exists():
            try:
                mine = _claimed[key] = _claim(base)
            except OSError:
                return None
        mine.made += 1
        return mine.folder / str(mine.made)


def _claim(base: Path) -> _Claimed:
    base.mkdir(parents=True, exist_ok=True)
    # Whoever sweeps must not meet a folder that is made but not yet held.
    with (base / SWEEP).open("wb") as sweeping:
        fcntl.flock(sweeping, fcntl.LOCK_EX)
        _sweep(base)
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=base))
        held = os.open(folder / OWNER, os.O_CREAT | os.O_RDWR)
        fcntl.flock(held, fcntl.LOCK_EX)
    atexit.register(_leave, os.getpid(), folder)
    return _Claimed(folder, held)


def _sweep(base: Path) -> None:
    """Take away what dead processes left, and what releases left that had one folder for all."""
    for path in base.iterdir():
        if path.name == SWEEP or _is_held(path / OWNER):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _is_held(lock: Path) -> bool:
    try:
        with lock.open("rb") as tried:
            fcntl.flock(tried, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        # Another user's, say: not ours to judge.
        return True
    return False


def _leave(pid: int, folder: Path) -> None:
    # A forked child runs what its parent registered.
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)
