"""Run every benchmark and write what it measured to docs/benchmarks.md.

make bench
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = (
    ("The main job", "main_job.py", "python -m benchmarks.main_job"),
    ("The pull", "pull.py", "python benchmarks/pull.py"),
    ("The rules on 20 million rows", "rules.py", "python benchmarks/rules.py"),
)


def main() -> None:
    """Measure all; a benchmark that fails stops the run and leaves the page as it was."""
    page = [
        "# Benchmarks",
        "",
        "Measured, not asserted: machines differ, so look at the ratios. Written by `make bench`.",
        "",
        f"{date.today()}, {os.cpu_count()} cores, Python {platform.python_version()}.",
    ]
    for title, script, command in PARTS:
        print(f"{title} ...", flush=True)
        module = f"benchmarks.{script.removesuffix('.py')}"
        done = subprocess.run(
            [sys.executable, "-m", module], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
        )
        page += ["", f"## {title}", "", f"    {command}", "", done.stdout.strip()]
    (ROOT / "docs" / "benchmarks.md").write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
