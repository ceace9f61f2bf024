"""How the work grows with the records: the demo city's lake, and the same with every growing
record many times over, beside one query written by hand over the same columns.

    python -m benchmarks.scale --times 1 10 --json scale.json

Each step is a process of its own, so that its peak memory is its own; the query by hand runs
in the same minutes. Seconds are CPU seconds: a machine with other work on it counts them alike.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.scale_data import (
    CITY,
    MANY_ORGANS,
    MORE_ORGANS,
    ROOT,
    add_years,
    base_home,
    disk,
    make,
)
from benchmarks.scale_report import Runs, chart, report
from benchmarks.scale_steps import STEPS, Detail, measured_here
from warehouse.lake import Lake


def in_own_process(*arguments: str) -> Detail:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Detail = json.loads(done.stdout.splitlines()[-1])
    return found


YEARS = 10
"""How many years of calls a change to one year's is measured with, beside those of two."""


def run(
    base: Path, folder: Path, sizes: list[int], rounds: int
) -> tuple[Runs, dict[int, Detail], Detail]:
    """Every step of every size, in rounds; how many rows and bytes a size has; and what more years and
    more organs cost."""
    more: Detail = {}
    runs: Runs = {}
    about: dict[int, Detail] = {}
    for times in sizes:
        home = folder / f"x{times}"
        of = ["--home", str(home), "--city"]
        rows = in_own_process("--make", str(times), "--base", str(base), *of, str(CITY))
        size = sum(f.stat().st_size for f in (home / "lake" / "files").rglob("*") if f.is_file())
        about[times] = {"rows": rows, "records": sum(rows.values()), "lake_mb": size >> 20}
        runs[times] = {step: [] for step in STEPS}
        for _ in range(rounds):
            for step in STEPS:
                print(f"x{times} {step} ...", file=sys.stderr, flush=True)
                found = in_own_process("--measure", step, *of, str(home / "city"))
                runs[times][step].append(found)
        if times == sizes[0]:
            # Where there is an hour.
            if rounds > 1:
                more["organs"] = _organs(base, home, folder / "organs", rounds)
            more["years"] = _years(of, home, rounds)
        shutil.rmtree(home)
    return runs, about, more


def _organs(base: Path, home: Path, many: Path, rounds: int) -> Detail:
    """Year-ends of the same records of some organs and of four times as many, in turn."""
    print(f"{MANY_ORGANS - MORE_ORGANS} more organs ...", file=sys.stderr, flush=True)
    wanted = ["--make", "1", "--organs", str(MANY_ORGANS), "--base", str(base)]
    in_own_process(*wanted, "--home", str(many), "--city", str(CITY))
    homes = {"few": home, "many": many}
    found: Detail = {name: [] for name in homes}
    for of in homes.values():
        in_own_process("--measure", "check", "--home", str(of), "--city", str(of / "city"))
    for _ in range(rounds):
        for name, of in homes.items():
            step = ["--measure", "year_end", "--home", str(of), "--city", str(of / "city")]
            found[name].append(in_own_process(*step))
    shutil.rmtree(many)
    return found


def _years(of: list[str], home: Path, rounds: int) -> Detail:
    """CPU seconds of a change to a year's calls: in a lake of that year and the one before, and in one of
    ten more."""
    print(f"{YEARS} more years ...", file=sys.stderr, flush=True)
    measure = ["--measure", "one_percent", *of, str(home / "city")]

    def measured() -> list[float]:
        return [float(in_own_process(*measure)["detail"]["cpu"]) for _ in range(max(3, rounds))]

    few = measured()
    calls = in_own_process("--add-years", str(YEARS), *of, str(home / "city"))
    return {"few": few, "many": measured(), "calls": calls["calls"]}


def main() -> None:
    """Measure and print Markdown; or, in a process of its own, make one lake or take one step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where to write all that was measured")
    parser.add_argument("--chart", type=Path, help="where to draw the growth (SVG)")
    parser.add_argument("--base", type=Path, help="a home that holds the demo city already")
    parser.add_argument("--folder", type=Path, help="where the lakes are made and removed")
    parser.add_argument("--measure", choices=STEPS)
    parser.add_argument("--make", type=int)
    parser.add_argument("--organs", type=int, default=MORE_ORGANS)
    parser.add_argument("--add-years", type=int)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--city", type=Path)
    given = parser.parse_args()
    if given.make:
        source, target = (Lake(home, memory_limit="2GB") for home in (given.base, given.home))
        print(json.dumps(make(source, target, given.make, given.city, organs=given.organs)))
        return
    if given.add_years:
        lake = Lake(given.home, memory_limit="2GB")
        print(json.dumps({"calls": add_years(lake, given.add_years + 1)}))
        return
    if given.measure:
        print(json.dumps(measured_here(given.measure, given.home, given.city), ensure_ascii=False))
        return
    folder = Path(tempfile.mkdtemp(prefix="nianbao-scale-", dir=given.folder))
    try:
        base = given.base or base_home(folder)
        stored = disk(base)
        runs, about, more = run(base, folder, given.times, given.rounds)
    finally:
        shutil.rmtree(folder)
    if given.json:
        told = {"about": about, "runs": runs, **more, "disk": stored}
        given.json.write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
    if given.chart:
        given.chart.write_text(chart(runs, about), encoding="utf-8")
    print(report(runs, about, more, stored))


if __name__ == "__main__":
    main()
