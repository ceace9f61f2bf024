"""Three machines on one, as docs/scale.md writes them, and what befalls them.

    python -m benchmarks.hosts                         # all trials with the numbers of the docs; hours
    python -m benchmarks.hosts nights --cities 5       # one, smaller
    python -m benchmarks.hosts kills --kills 6 --patience 60
    python -m benchmarks.hosts replay                  # from what docs/scale.json holds; seconds

Hosts are network namespaces (root is needed) or, where the system forbids them, addresses of the loopback.
PostgreSQL, Redis, nginx and iproute2 must be there. What each trial came to is kept in docs/scale.json
as it ends, and shown in docs/scale.md; with --dry neither is written. All that was started is ended.
Ends with 1 where something was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.hosts import replay
from benchmarks.hosts.network import network
from benchmarks.hosts.pages import shown
from benchmarks.hosts.site import DOCS, Site, running
from benchmarks.hosts.trials import KINDS, TRIALS, Ground

MEASURED = DOCS.with_suffix(".json")
BEGIN, END = "<!-- hosts:begin -->", "<!-- hosts:end -->"


def say(*told: Any) -> None:
    print(time.strftime("%H:%M:%S"), *told, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hosts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("trials", nargs="*", choices=[*TRIALS, "replay", []], default=[])
    parser.add_argument("--cities", type=int, default=21)
    parser.add_argument("--scale", type=float, default=0.002, help="of the demo city")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--writers", type=int, default=21)
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--equal", type=int, default=2, help="cities held against the default")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--kill-cities", type=int, default=6)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="what is killed")
    parser.add_argument("--away", nargs="*", default=["host", "catalog", "storage"])
    parser.add_argument(
        "--patience", type=int, help="seconds without a sign of life, in place of the declared ones"
    )
    parser.add_argument("--shared-homes", action="store_true", help="one folder for all data homes")
    parser.add_argument("--dry", action="store_true", help="write nothing into docs")
    given = parser.parse_args()
    wanted = given.trials or [*TRIALS, "replay"]
    faults: list[str] = []
    # So that what was started is ended, however this is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Begun in the background of a script it would ignore this one, and so would workers, which end by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if here := [name for name in TRIALS if name in wanted]:
        with tempfile.TemporaryDirectory(prefix="nianbao-hosts-") as folder:
            faults = _tried(Path(folder), given, here)
    measured = _measured()
    if "replay" in wanted and {"nights", "size"} <= set(measured):
        told = {"settings": replay.table(measured), "fill_one_core": replay.limits(measured)}
        say(json.dumps(told, ensure_ascii=False))
        if not given.dry:
            _keep("replay", told)
    for fault in faults:
        say("FAULT", fault)
    return 1 if faults else 0


def _tried(folder: Path, given: argparse.Namespace, names: list[str]) -> list[str]:
    faults: list[str] = []
    hosts = ("a", "s", "b", "c", "d")
    with network(hosts, folder / "logs") as net:
        site = Site(folder, net, given.cities, given.scale, not given.shared_homes, given.patience)
        with running(site):
            say(f"{given.cities} cities on {len(hosts)} hosts ({net.told})")
            if names != ["commits"]:
                say(f"deployed in {site.deploy():.0f} s")
            ground = Ground(site, vars(given), say)
            for name in names:
                began = time.monotonic()
                try:
                    told = TRIALS[name](ground)
                except Exception as error:
                    _keep_logs(folder)
                    raise RuntimeError(f"{name} could not be tried") from error
                faults += [f"{name}: {fault}" for fault in told["faults"]]
                took = round(time.monotonic() - began)
                told = {
                    **told,
                    "on": str(date.today()),
                    "machine": f"{os.cpu_count()} cores, {net.told}, Python {platform.python_version()}",
                    "load": round(os.getloadavg()[1], 1),
                    "seconds": took,
                    "command": " ".join(["python -m benchmarks.hosts", *sys.argv[1:]]),
                }
                say(name, "took", took, "s,", len(told["faults"]), "faults")
                if not given.dry:
                    _keep(name, told)
        if faults:
            _keep_logs(folder)
    return faults


def _keep_logs(folder: Path) -> None:
    """What all processes said, where a person can read it afterwards."""
    into = Path(tempfile.mkdtemp(prefix="nianbao-hosts-logs-"))
    for log in (folder / "logs").glob("*.log"):
        (into / log.name).write_bytes(log.read_bytes())
    say("logs in", into)


def _measured() -> dict[str, Any]:
    found: dict[str, Any] = {}
    if MEASURED.exists():
        found = json.loads(MEASURED.read_text(encoding="utf-8"))
    return found


def _keep(name: str, told: dict[str, Any]) -> None:
    """Put what a trial came to into docs/scale.json, and the tables between their marks into
    docs/scale.md."""
    measured = {**_measured(), name: told}
    text = json.dumps(measured, ensure_ascii=False, indent=1)
    MEASURED.write_text(f"{text}\n", encoding="utf-8")
    head, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    DOCS.write_text(f"{head}{BEGIN}\n\n{shown(measured)}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
