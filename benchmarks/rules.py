"""How long the rules take on a large table, as multiples of one plain scan of it.

    python -m benchmarks.rules --rows 20000000

Makes a lake with that many synthetic calls in a temporary folder (about 30 bytes a row on
disk), times one scan, the plain runner and the Great Expectations runner, each in a
process of its own so that its peak memory is its own, prints a Markdown table and removes
the folder.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from warehouse.lake import Lake, transaction
from warehouse.tables import table
from warehouse.without_pandas import let_pandas_in

ROOT = Path(__file__).parent.parent
TABLE = "core.hotline_call"
AS_OF = date(2021, 12, 31)
PARTS = 20
GIVEN = (
    *("source_system", "record_id", "called_at", "request_channel", "is_answered", "wait_seconds"),
    *("duration_seconds", "disposition", "work_order_id", "category", "source_updated_at"),
    *("removed_at", "origin", "row_hash", "load_id", "loaded_at"),
)


def make(lake: Lake, rows: int) -> None:
    """Calls spread evenly over 2019–2021, every eighth with a work order; a few break a rule."""
    lake.create()
    step = f"INTERVAL 1 SECOND * (i * (3 * 365 * 86400 / {rows}))"
    with lake.write() as connection:
        # In parts, as nightly loads would write it, so that a part fits in memory.
        for part in range(PARTS):
            first, last = rows * part // PARTS, rows * (part + 1) // PARTS
            with transaction(connection):
                connection.execute(
                    f"INSERT INTO {TABLE} ({', '.join(GIVEN)}) SELECT 'hotline', 'C' || CASE WHEN i % 1000000 = 1 THEN i - 1 ELSE i END, "
                    f"TIMESTAMP '2019-01-01' + {step}, 'telephone', i % 9 > 0, i % 40, CASE WHEN i % 9 > 0 OR i % 10000 = 9 THEN i % 600 ELSE 0 END, "
                    "CASE WHEN i % 9 = 0 THEN 'abandoned' WHEN i % 8 = 0 THEN 'work_order' "
                    "ELSE 'answered_directly' END, "
                    "CASE WHEN i % 9 > 0 AND i % 8 = 0 THEN 'W' || (i % 100000) END, 'K' || (i % 30), "
                    "TIMESTAMP '2021-12-31', NULL, 'calls/' || (i // 1000), hash(i)::VARCHAR, 'load', "
                    f"TIMESTAMP '2021-12-31' FROM range({first}, {last}) AS numbers(i)"
                )
        columns = [c.name for c in table("core.work_order").columns]
        given = {"source_system": "'hotline'", "record_id": "'W' || i", "row_hash": "'h'"}
        given |= {"load_id": "'load'", "loaded_at": "TIMESTAMP '2021-12-31'"}
        values = ", ".join(given.get(name, "NULL") for name in columns)
        connection.execute(
            f"INSERT INTO core.work_order SELECT {values} FROM range(100000) AS numbers(i)"
        )


def measure(what: str, home: Path) -> dict[str, Any]:
    """One measurement in this process: seconds, peak memory, and what came of the rules."""
    lake = Lake(home)
    outcome: dict[str, Any] = {}
    from expectations.rules import load_rules

    rules = [r for r in load_rules() if r.table == TABLE]
    began = time.perf_counter()
    if what == "scan":
        greatest = ", ".join(f"max({c.name})" for c in table(TABLE).columns)
        with lake.read() as connection:
            connection.execute(f"SELECT {greatest} FROM {TABLE}").fetchone()
    elif what == "plain":
        from expectations.runner import run_rules

        with lake.read() as connection:
            results = run_rules(connection, rules, as_of=AS_OF)
        outcome = {r.code: [r.status, r.bad_rows] for r in results}
    else:
        let_pandas_in()
        importlib.import_module("great_expectations")

        from expectations.great_expectations_runner import run_rules_with_great_expectations

        outcome["import_seconds"] = time.perf_counter() - began
        began = time.perf_counter()
        results = run_rules_with_great_expectations(lake, rules, as_of=AS_OF)
        outcome |= {r.code: [r.status, r.bad_rows] for r in results}
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_megabytes": peak, "outcome": outcome}


def in_own_process(what: str, home: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.rules", "--measure", what, "--home", str(home)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--json", type=Path, help="where to write all that was measured")
    parser.add_argument("--measure", choices=["scan", "plain", "great_expectations"])
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.home)))
        return
    home = Path(tempfile.mkdtemp(prefix="rules-benchmark-"))
    try:
        began = time.perf_counter()
        make(Lake(home), given.rows)
        made = time.perf_counter() - began
        size = sum(f.stat().st_size for f in home.rglob("*") if f.is_file()) / 2**20
        scan = in_own_process("scan", home)
        plain = in_own_process("plain", home)
        with_gx = in_own_process("great_expectations", home)
    finally:
        shutil.rmtree(home)
    imported = with_gx["outcome"].pop("import_seconds")
    rules = len(plain["outcome"])
    print(f"{given.rows:,} rows, {size:.0f} MB in the lake, made in {made:.0f} s; {rules} rules")
    print(f"Great Expectations imports in {imported:.1f} s (not in its row below)\n")
    print("| | seconds | times one scan | peak memory (MB) |")
    print("|---|---:|---:|---:|")
    for name, result in (
        ("one scan of all columns", scan),
        (f"plain runner, {rules} rules", plain),
        (f"Great Expectations, {rules} rules", with_gx),
    ):
        ratio = result["seconds"] / scan["seconds"]
        print(
            f"| {name} | {result['seconds']:.1f} | {ratio:.1f} | {result['peak_megabytes']:.0f} |"
        )
    if given.json is not None:
        numbers = {"rows": given.rows, "scan": scan, "plain": plain, "great_expectations": with_gx}
        given.json.write_text(json.dumps(numbers), encoding="utf-8")
    if plain["outcome"] != with_gx["outcome"]:
        sys.exit(f"The runners differ: {plain['outcome']} / {with_gx['outcome']}")
    print(
        "\nBoth runners agree:", ", ".join(f"{c} {s} {n}" for c, (s, n) in plain["outcome"].items())
    )


if __name__ == "__main__":
    main()
