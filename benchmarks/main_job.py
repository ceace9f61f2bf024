"""How long the main job takes at full volume, beside an empty Prefect flow in the same run.

    python -m benchmarks.main_job [--json FILE]

In a temporary data home: the demo city generated, a first nightly run, nightly runs with
nothing changed and empty flows in turn, the build of 2020, the readers, and the operator's
page until it is ready and until it has stopped. Each is a process of its own, as an operator
would start it; peak memory is that of its largest process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

ROOT = Path(__file__).parent.parent
NIANBAO = [sys.executable, "-c", "from deployments.cli import main; main()"]
EMPTY = """
import flows
from prefect import flow

@flow
def empty() -> None:
    pass

empty()
"""
ROUNDS = 3
PAGE = ROOT / "tests" / "backtest" / "reports" / "shanghai-office-2019.html"
READERS = (
    ("nianbao --help", ["--help"]),
    ("nianbao status", ["status"]),
    ("nianbao tables 2020 --json", ["tables", "2020", "--json"]),
    ("nianbao explain 2020 t3.granted.total", ["explain", "2020", "t3.granted.total", "--json"]),
    ("nianbao audit, a published page", ["audit", str(PAGE)]),
)


@dataclass(frozen=True)
class Measured:
    """Seconds from start to end, and the peak memory of the largest process in MB."""

    seconds: float
    peak_mb: float


def measure(command: list[str], environment: dict[str, str]) -> Measured:
    """Run a command to its end. Exit code 1 (findings that block) is a good end here."""
    began = time.monotonic()
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - began
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1):
        raise SystemExit(f"{command[-2:]} ended with {code}")
    return Measured(seconds, usage.ru_maxrss / 1024)


def middle(measured: list[Measured]) -> Measured:
    """The one of the median time."""
    return sorted(measured, key=lambda one: one.seconds)[len(measured) // 2]


def serve(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds that `nianbao serve` takes until it is ready, and to stop after one Ctrl-C."""
    port = str(free_port())
    began = time.monotonic()
    child = subprocess.Popen(
        [*NIANBAO, "serve", "--port", port],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    while not child.stdout.readline().startswith("已就绪"):
        if child.poll() is not None:
            raise SystemExit(f"serve ended with {child.returncode}")
    ready = time.monotonic()
    child.send_signal(signal.SIGINT)
    child.communicate()
    return ready - began, time.monotonic() - ready


def main() -> None:
    """Measure and print a Markdown table."""
    from deployments.demo_city.service import running

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where to write all that was measured")
    written = parser.parse_args().json
    home = Path(tempfile.mkdtemp(prefix="nianbao-bench-"))
    try:
        environment = {
            **os.environ,
            "NIANBAO_HOME": str(home),
            "PREFECT_LOGGING_LEVEL": "CRITICAL",
            "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
        }
        # The first start of all makes Prefect's own database; that is no part of a flow.
        measure([sys.executable, "-c", EMPTY], environment)
        began = time.monotonic()
        with running(home) as services:
            generated = time.monotonic() - began
            environment |= services
            first = measure([*NIANBAO, "nightly"], environment)
            # Machines change their pace within minutes: what is compared is measured in pairs.
            pairs = [
                (
                    measure([sys.executable, "-c", EMPTY], environment),
                    measure([*NIANBAO, "nightly"], environment),
                )
                for _ in range(ROUNDS)
            ]
            year_end = measure([*NIANBAO, "year-end", "2020"], environment)
            ready, stopped = serve(environment)
        empty = middle([pair[0] for pair in pairs])
        rows = [
            ("an empty Prefect flow (median)", empty),
            ("nightly, everything for the first time", first),
            *(
                (f"nightly again, nothing changed, night {n}", pair[1])
                for n, pair in enumerate(pairs, 2)
            ),
            ("year-end 2020", year_end),
        ]
        readers = {
            name: middle([measure([*NIANBAO, *words], environment) for _ in range(ROUNDS)])
            for name, words in READERS
        }
        rows += readers.items()
        print(f"The demo city was generated and serving in {generated:.1f} s;")
        print(f"`nianbao serve` was ready after {ready:.1f} s and stopped in {stopped:.1f} s.\n")
        print("| | seconds | beside the empty flow | peak memory (MB) |")
        print("|---|---:|---:|---:|")
        for name, measured in rows:
            ratio = measured.seconds / empty.seconds
            print(f"| {name} | {measured.seconds:.1f} | {ratio:.1f}× | {measured.peak_mb:.0f} |")
        more = [again.seconds - alone.seconds for alone, again in pairs]
        told = ", ".join(f"{seconds:.1f}" for seconds in more)
        print(f"\nSeconds that a quiet night took more than the empty flow before it: {told}.")
        if written is not None:
            numbers = {
                "empty_flow": empty.seconds,
                "first_night": first.seconds,
                "quiet_night_more": more,
                "year_end": year_end.seconds,
                "commands": {name: one.seconds for name, one in readers.items()},
            }
            written.write_text(json.dumps(numbers), encoding="utf-8")
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
