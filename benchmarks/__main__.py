"""Run every benchmark and write what it measured to docs/benchmarks.md.

make bench                        # without dlt
make bench DLT_PYTHON=PATH        # with dlt, from the environment that it is installed in
make bench-full                   # with a hundred times the demo city, medians of three
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MEASURED = DOCS / "benchmarks.json"
CHART = DOCS / "benchmarks-growth.svg"
TARGETS = Path(__file__).parent / "targets.md"
"""What is aimed at, what of it was measured when, and what was tried: written by hand."""
PARTS = (
    ("The main job", "main_job"),
    ("How the work grows", "scale"),
    ("A page beside a bare page", "pages"),
    ("The pull", "pull"),
    ("The rules on 20 million rows", "rules"),
)


def main() -> None:
    """Measure all; a benchmark that fails stops the run and leaves the page as it was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dlt-python", default="", help="the Python of an environment with dlt")
    parser.add_argument("--full", action="store_true", help="up to a hundred times the demo city")
    asked = parser.parse_args()
    page = [
        "# Benchmarks",
        "",
        "Measured, not asserted: machines differ, so look at the ratios. Written by `make bench`.",
        "",
        f"{date.today()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load {os.getloadavg()[2]:.1f} in the quarter of an hour before.",
    ]
    for title, module in PARTS:
        print(f"{title} ...", flush=True)
        given = _given(module, asked)
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{module}", *given],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        command = " ".join(["python -m", f"benchmarks.{module}", *given])
        page += ["", f"## {title}", "", f"    {command}", "", done.stdout.strip()]
        if module == "scale":
            page += ["", f"![How the work grows with the records]({CHART.name})"]
    page += ["", TARGETS.read_text(encoding="utf-8").strip()]
    (DOCS / "benchmarks.md").write_text("\n".join(page) + "\n", encoding="utf-8")


def _given(module: str, asked: argparse.Namespace) -> list[str]:
    """What a part is told: how large, where to write beside the page."""
    if module == "pull" and asked.dlt_python:
        return ["--dlt-python", asked.dlt_python]
    if module == "scale":
        sizes = ["--times", "1", "10", *(["100", "--rounds", "3"] if asked.full else [])]
        return [
            *sizes,
            "--json",
            str(MEASURED.relative_to(ROOT)),
            "--chart",
            str(CHART.relative_to(ROOT)),
        ]
    return []


if __name__ == "__main__":
    main()
