"""Kill and age installations of the demo city, and write what came of it.

make soak                                    # the numbers of docs/reliability.md; hours
python -m tests.soak --nightly 5 --nights 0  # a few kills of one kind
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from deployments.demo_city.service import running
from tests.city import Installation
from tests.prefect_server import prefect_server
from tests.soak.beside import CHANGING, CHANGING_AT_ANY_SIZE, beside, grown
from tests.soak.chart import charts
from tests.soak.kills import Killing, Trial
from tests.soak.nights import nights
from tests.warm import warm

KINDS = {"nightly": 100, "year_end": 50, "publish": 50, "maintenance": 25, "serve": 25}
NIGHTS = 400
MINUTES = 10
RESULTS = Path(__file__).parents[2] / "docs" / "pictures" / "reliability"


def say(*told: Any) -> None:
    print(time.strftime("%H:%M:%S"), *told, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.partition("\n")[0])
    for kind, count in KINDS.items():
        parser.add_argument(f"--{kind.replace('_', '-')}", type=int, default=count, metavar="KILLS")
    parser.add_argument("--nights", type=int, default=NIGHTS)
    parser.add_argument("--beside", type=float, default=MINUTES, metavar="MINUTES")
    parser.add_argument("--times", type=int, default=1, help="of the records, for --beside")
    parser.add_argument("--scale", type=float, default=0.005, help="of the demo city")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    for name in [n for n in os.environ if n.startswith(("NIANBAO_", "PREFECT_"))]:
        del os.environ[name]
    began = time.monotonic()
    told: dict[str, Any] = {
        "on": f"{date.today()}",
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "command": " ".join(["python -m tests.soak", *sys.argv[1:]]),
        "load_before": round(os.getloadavg()[2], 1),
        "scale": given.scale,
        "times": given.times,
        "seed": given.seed,
    }
    with tempfile.TemporaryDirectory(prefix="nianbao-soak-") as name:
        folder = Path(name)
        with (
            running(folder / "city", scale=given.scale) as city,
            prefect_server(folder / "prefect") as server,
            warm({**city, **server}) as commands,
        ):
            trials = _killed(folder, {**city, **server}, commands, given)
            told["kills"] = [asdict(trial) for trial in trials]
            if given.beside:
                made = Installation.at(folder / "whole-year-end", {**city, **server}, commands)
                changing = CHANGING
                if given.times > 1:
                    made = grown(made, folder / "grown", given.times)
                    changing = CHANGING_AT_ANY_SIZE
                    say("records", given.times, "times over")
                side = beside(made, given.beside, given.seed, say, changing)
                told["beside"] = asdict(side)
            if given.nights:
                home = Path(folder / "whole-nightly")
                told["nights"] = nights(home, given.nights, say)
    told["minutes"] = round((time.monotonic() - began) / 60)
    given.results.mkdir(parents=True, exist_ok=True)
    (given.results / "soak.json").write_text(
        json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    if given.nights:
        charts(told["nights"], given.results / "nights.svg")
    faults = [fault for trial in trials for fault in trial.faults]
    faults += told.get("beside", {}).get("faults", [])
    for fault in faults:
        say("FAULT", fault)
    say(f"{sum(t.kills for t in trials)} kills, {len(faults)} faults, {given.nights} nights")
    return 1 if faults else 0


def _killed(
    folder: Path, services: dict[str, str], commands: Any, given: argparse.Namespace
) -> list[Trial]:
    killing = Killing(folder, services, commands, given.seed, say)
    trials = []
    for kind in KINDS:
        wanted = getattr(given, kind)
        if wanted:
            trials.append(getattr(killing, kind)(wanted))
            say(trials[-1])
    return trials


if __name__ == "__main__":
    sys.exit(main())
