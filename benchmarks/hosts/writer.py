"""One writer of many, as a process: so many commits to a lake whose writer's lock others may want.

    python -m benchmarks.hosts.writer LAKE-ADDRESS HOME NAME COMMITS
    python -m benchmarks.hosts.writer LAKE-ADDRESS HOME NAME hold    # hold the lock until killed

Prints what it came to as JSON: how long each commit took, and what a person would have been told.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tasks.clock import now
from warehouse.errors import NianbaoError
from warehouse.lake import Lake, transaction


def main() -> None:
    address, home, name, wanted = sys.argv[1:]
    lake = Lake(Path(home), address=address)
    if wanted == "hold":
        with lake.write():
            print("held", flush=True)
            time.sleep(3600)
    seconds, told = [], []
    for number in range(int(wanted)):
        began = time.monotonic()
        try:
            with lake.write() as connection, transaction(connection):
                connection.execute(
                    "INSERT INTO ops.load (load_id, source_system, resource, table_name, "
                    "started_at, finished_at, load_status) VALUES (?, ?, 'trial', 'trial', ?, ?, "
                    "'loaded')",
                    [f"{name}-{number}", name, now(), now()],
                )
        except NianbaoError as error:
            told.append(str(error))
        seconds.append(round(time.monotonic() - began, 3))
    print(json.dumps({"name": name, "seconds": seconds, "told": told}, ensure_ascii=False))


if __name__ == "__main__":
    main()
