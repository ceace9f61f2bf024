"""Run every benchmark and write what it measured to docs/benchmarks.json, .md and a chart.

make bench                        # under ten minutes on two quiet cores; without dlt
make bench DLT_PYTHON=PATH        # with dlt, from the environment that it is installed in
python -m benchmarks --only pull  # one part again, the others as they were measured last
make bench-full                   # an hour: a hundred times the demo city, medians of three
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.verdicts import verdicts

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MEASURED = DOCS / "benchmarks.json"
CHART = DOCS / "benchmarks-growth.svg"
TARGETS = Path(__file__).parent / "targets.md"
"""Why what is missed is missed, and what was tried: written by hand."""
PARTS = (
    ("The main job", "main_job"),
    ("How the work grows", "scale"),
    ("A page beside a bare page", "pages"),
    ("The pull", "pull"),
    ("The rules on one large table", "rules"),
)


def main() -> None:
    """Measure all, or the parts that are named; a benchmark that fails stops the run. What each part came
    to is kept as it comes, so that a run can be gone on with part by part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dlt-python", default="", help="the Python of an environment with dlt")
    parser.add_argument("--full", action="store_true", help="up to a hundred times the demo city")
    parser.add_argument("--only", nargs="+", choices=[module for _, module in PARTS])
    asked = parser.parse_args()
    kept = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
    for title, module in PARTS:
        if module not in (asked.only or [module]):
            continue
        print(f"{title} ...", flush=True)
        kept[module] = _measured(module, _given(module, asked))
        text = json.dumps(kept, ensure_ascii=False, indent=1)
        MEASURED.write_text(f"{text}\n", encoding="utf-8")
    (DOCS / "benchmarks.md").write_text(_page(kept), encoding="utf-8")


def _measured(module: str, given: list[str]) -> dict[str, Any]:
    """What a part said, when and on what machine, and its numbers where it writes them down."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nianbao-bench-") as folder:
        numbers = Path(folder) / "numbers.json"
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{module}", *given, "--json", str(numbers)]
            + (["--chart", str(CHART)] if module == "scale" else []),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found = json.loads(numbers.read_text(encoding="utf-8"))
    return {
        "command": " ".join(["python -m", f"benchmarks.{module}", *map(_shown, given)]),
        "said": done.stdout.strip(),
        "seconds": round(time.monotonic() - began),
        "on": str(date.today()),
        "machine": f"{platform.platform()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[2], 1),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("duckdb", "great-expectations", "prefect")},
        },
        "numbers": found,
    }


def _shown(word: str) -> str:
    """A word of a command, without where this machine keeps what it names."""
    return Path(word).name if word.startswith("/") else word


def _page(kept: dict[str, Any]) -> str:
    """docs/benchmarks.md of what was measured last of each part."""
    page = [
        "# Benchmarks",
        "",
        "Measured, not asserted: machines differ, so look at the ratios. Written by `make bench` from "
        f"`{MEASURED.name}`.",
        "",
        *verdicts(kept),
    ]
    for title, module in PARTS:
        if module not in kept:
            continue
        one = kept[module]
        versions = ", ".join(f"{name} {number}" for name, number in one["versions"].items())
        # Of what was measured before parts were kept it is not known.
        took = f", {one['seconds']} s" if one["seconds"] else ""
        page += ["", f"## {title}", "", f"    {one['command']}", ""]
        page += [
            f"{one['on']}, {one['machine']}, load {one['load']} in the quarter of an hour before the end"
            f"{took}; {versions}.",
            "",
            one["said"],
        ]
        if module == "scale":
            page += ["", f"![How the work grows with the records]({CHART.name})"]
    page += ["", TARGETS.read_text(encoding="utf-8").strip()]
    return "\n".join(page) + "\n"


def _given(module: str, asked: argparse.Namespace) -> list[str]:
    """What a part is told: how large, where to write beside the page."""
    if module == "pull":
        # Ten times the records, and each way three times, only where there is an hour.
        fewer = [] if asked.full else ["--repeats", "1", "--no-larger"]
        return [*fewer, *(["--dlt-python", asked.dlt_python] if asked.dlt_python else [])]
    if module == "rules" and not asked.full:
        return ["--rows", "2000000"]
    if module == "scale":
        return ["--times", "1", "10", *(["100", "--rounds", "3"] if asked.full else [])]
    return []


if __name__ == "__main__":
    main()
