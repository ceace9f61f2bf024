"""Run every benchmark and write what it measured to docs/benchmarks.md.

make bench                        # without dlt
make bench DLT_PYTHON=PATH        # with dlt, from the environment that it is installed in
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
PARTS = (
    ("The main job", "main_job"),
    ("A page beside a bare page", "pages"),
    ("The pull", "pull"),
    ("The rules on 20 million rows", "rules"),
)


def main() -> None:
    """Measure all; a benchmark that fails stops the run and leaves the page as it was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dlt-python", default="", help="the Python of an environment with dlt")
    dlt_python = parser.parse_args().dlt_python
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
        given = ["--dlt-python", dlt_python] if module == "pull" and dlt_python else []
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{module}", *given],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        command = f"python -m benchmarks.{module}{' --dlt-python PATH' if given else ''}"
        page += ["", f"## {title}", "", f"    {command}", "", done.stdout.strip()]
    (ROOT / "docs" / "benchmarks.md").write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
