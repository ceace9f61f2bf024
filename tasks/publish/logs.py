"""Logs that stay bounded: a long one is put aside, cut to its end, and begun anew."""

from __future__ import annotations

from pathlib import Path

LONGEST = 8 << 20
"""A log longer than this is put aside; what was put aside before is dropped."""


def put_aside_long_logs(folder: Path, longest: int = LONGEST) -> list[str]:
    """Each `*.log` of the folder that is longer keeps its newest lines as `*.log.1`.

    The file itself is emptied, not moved: processes that run for months have it open, and go on
    at its new end. Returns the names.
    """
    put_aside = []
    for log in sorted(folder.glob("*.log")):
        size = log.stat().st_size
        if size <= longest:
            continue
        with log.open("r+b") as stream:
            stream.seek(size - longest)
            # The first line is probably half a one.
            newest = stream.read().partition(b"\n")[2]
            (folder / f"{log.name}.1").write_bytes(newest)
            stream.truncate(0)
        put_aside.append(log.name)
    return put_aside
