"""How the work grows with the records: the demo city's lake, and the same with every growing
record many times over, beside one query written by hand over the same columns.

    python -m benchmarks.scale --times 1 10 --json scale.json

Each step is a process of its own, so that its peak memory is its own; the query by hand runs
in the same minutes. Seconds are CPU seconds: a machine with other work on it counts them alike.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from tasks.city.register import register_city
from tasks.clock import now
from tasks.settings import Settings
from warehouse.lake import Connection, Lake, transaction
from warehouse.period import Period
from warehouse.sql import quoted
from warehouse.tables import all_tables, table

ROOT = Path(__file__).parent.parent
YEAR = 2020
NOW = datetime(2021, 7, 15, 9, 0)
MORE_ORGANS = 33
"""Organs that the records of the larger lakes name besides the demo city's own."""
GROWING: dict[str, tuple[str, tuple[str, ...]]] = {
    "hotline_call": ("called_at", ("work_order_id",)),
    "work_order": ("dispatched_at", ("call_id",)),
    "article": ("published_at", ("interprets_article_id",)),
    "application": ("received_on", ()),
    "application_event": ("event_on", ("application_id",)),
    "interaction": ("received_on", ()),
    "review_case": ("accepted_on", ("application_id",)),
    "fee_charge": ("charged_on", ()),
    "administrative_action": ("decided_on", ()),
    "procurement": ("signed_on", ()),
    "new_media_post": ("posted_at", ()),
}
"""Tables whose records grow: by what each is dated, and which columns name a record that grows."""
KEPT = ("ops.load", "ops.watermark", "ops.resource_file")
ALIVE = "removed_at IS NULL"
BY_HAND = """
SELECT
  (SELECT list(x) FROM (SELECT count(*) FILTER (is_answered),
    count(*) FILTER (is_answered AND wait_seconds <= 15),
    count(*) FILTER (disposition = 'work_order'), count(*)
    FROM core.hotline_call WHERE removed_at IS NULL
    AND called_at >= '{first}' AND called_at < '{next}') x),
  (SELECT count(*) FROM (SELECT organ_id, count(*), count(*) FILTER (closed_at <= due_at),
    count(*) FILTER (is_called_back), count(*) FILTER (is_satisfied),
    count(*) FILTER (is_solved), count(responded_at)
    FROM core.work_order WHERE removed_at IS NULL AND dispatched_at < '{next}'
    AND greatest(dispatched_at, due_at, called_back_at) >= '{first}' GROUP BY 1)),
  (SELECT count(*) FROM (SELECT a.organ_id, c.channel_kind, c.is_disclosure, a.key_field, count(*)
    FROM core.article a LEFT JOIN core.channel c
    ON a.source_system = c.source_system AND a.channel_id = c.record_id
    WHERE a.published_at >= '{first}' AND a.published_at < '{next}'
    AND (a.removed_at IS NULL OR a.removed_at >= '{next}') GROUP BY ALL)),
  (SELECT count(*) FROM (SELECT organ_id, applicant_kind, outcome, received_on < '{first}',
    closed_on IS NULL OR closed_on >= '{next}', count(*)
    FROM core.application WHERE removed_at IS NULL AND received_on < '{next}'
    AND (closed_on IS NULL OR closed_on >= '{first}') GROUP BY ALL)),
  (SELECT count(*) FROM (SELECT organ_id, action_kind, sum(decision_count)
    FROM core.administrative_action WHERE removed_at IS NULL
    AND decided_on >= '{first}' AND decided_on < '{next}' GROUP BY ALL)),
  (SELECT count(*) FROM (SELECT account_id, count(*) FROM core.new_media_post
    WHERE removed_at IS NULL AND posted_at >= '{first}' AND posted_at < '{next}' GROUP BY ALL))
"""
"""The annual report's columns of a year, as somebody who knows the tables would ask for them."""
CALLS_OF_YEAR = (
    "FROM core.hotline_call WHERE removed_at IS NULL "
    f"AND called_at >= '{YEAR}-01-01' AND called_at < '{YEAR + 1}-01-01'"
)


# Making a lake ---------------------------------------------------------------------------


def make(base: Lake, target: Lake, times: int, city: Path) -> dict[str, int]:
    """A lake with every growing record of the base `times` over, under ids of its own, written
    month by month as loads would; earlier years a fifth of that. Returns rows a table."""
    core = [t for t in all_tables() if t.layer == "core"]
    folder = Path(tempfile.mkdtemp(prefix="scale-", dir=target.home.parent))
    try:
        with base.read() as connection:
            for name in [*(t.full_name for t in core), *KEPT]:
                connection.execute(
                    f"COPY (FROM {name}) TO {quoted(folder / name)} (FORMAT parquet)"
                )
        target.create()
        with target.write() as connection:
            for one in core:
                if one.name != "organ":
                    _fill(connection, folder / one.full_name, one.name, times)
            for name in KEPT:
                with transaction(connection):
                    connection.execute(
                        f"INSERT INTO {name} BY NAME FROM read_parquet({quoted(folder / name)})"
                    )
            # The city's files are brought in below, with the organs that were added.
            connection.execute("DELETE FROM ops.resource_file WHERE source_system = 'city'")
        register_city(target, _larger_city(city, target.home / "city"), now=now())
        with target.read() as connection:
            names = [f"core.{name}" for name in GROWING]
            counts = ", ".join(f"(SELECT count(*) FROM {name})" for name in names)
            row = connection.execute(f"SELECT {counts}").fetchone() or ()
        return dict(zip(names, row, strict=True))
    finally:
        shutil.rmtree(folder)


def _larger_city(city: Path, folder: Path) -> Path:
    """The city's folder with the organs that the larger lakes' records name besides its own."""
    shutil.copytree(city, folder, ignore=shutil.ignore_patterns("service", "__pycache__"))
    with (folder / "organs.csv").open("a", encoding="utf-8") as organs:
        for n in range(MORE_ORGANS):
            # Columns as in the demo city's file; a vendor's code must be one organ's only.
            organs.write(f"x{n:02d},扩充单位{n:02d},department,441500,2000-01-01,,,true,")
            organs.write(f"XX{n:02d},DX-{n:02d},扩充{n:02d},XX{n:02d}\n")
    return folder


def _fill(connection: Connection, file: Path, name: str, times: int) -> None:
    rows = f"read_parquet({quoted(file)})"
    if name not in GROWING or times == 1:
        with transaction(connection):
            connection.execute(f"INSERT INTO core.{name} BY NAME FROM {rows}")
        return
    dated, names = GROWING[name]
    copy = "CASE WHEN k > 0 THEN '-' || k ELSE '' END"
    sets = [f"record_id || {copy} AS record_id", "md5(row_hash || k) AS row_hash"]
    sets += [f"{column} || {copy} AS {column}" for column in names]
    if any(c.name == "organ_id" for c in table(f"core.{name}").columns):
        sets.append(
            f"CASE WHEN k > 0 AND hash(record_id, k) % 160 < {MORE_ORGANS} THEN "
            f"'x' || lpad((hash(record_id, k) % {MORE_ORGANS})::VARCHAR, 2, '0') "
            "ELSE organ_id END AS organ_id"
        )
    part = f"date_trunc('month', {dated})" if table(f"core.{name}").partition else "NULL"
    for (month,) in connection.execute(f"SELECT DISTINCT {part} FROM {rows} ORDER BY 1").fetchall():
        of_month = "NULL" if month is None else f"TIMESTAMP '{month}'"
        with transaction(connection):
            connection.execute(
                f"INSERT INTO core.{name} BY NAME SELECT * EXCLUDE (k) REPLACE ({', '.join(sets)}) "
                f"FROM {rows}, range({times}) AS n(k) WHERE {part} IS NOT DISTINCT FROM {of_month} "
                f"AND (year({dated}) = {YEAR} OR n.k < greatest(1, {times} // 5)) ORDER BY {dated}"
            )


# Steps, each in a process of its own ------------------------------------------------------

Detail = dict[str, Any]


def by_hand(lake: Lake, city: Path) -> Detail:
    with lake.read() as connection:
        for year in (YEAR - 1, YEAR):
            asked = BY_HAND.format(first=f"{year}-01-01", next=f"{year + 1}-01-01")
            connection.execute(asked).fetchall()
    return {}


def check(lake: Lake, city: Path, runner: Any = "plain") -> Detail:
    from tasks.check import check_core

    with lake.write() as connection, transaction(connection):
        connection.execute("DELETE FROM ops.check_run")
        # As a night does: on the day of its loads.
        found = connection.execute("SELECT max(finished_at)::DATE FROM ops.load").fetchone()
    if runner != "plain":
        import great_expectations  # noqa: F401
    began = time.process_time()
    results = check_core(
        lake, run_id="scale", runner=runner, now=NOW, as_of=found[0] if found else None
    )
    return {
        "cpu": time.process_time() - began,
        "rules": len(results),
        "failed": sum(r.status == "fail" for r in results),
        "not_run": [r.code for r in results if r.status == "not_run"],
    }


def year_end(lake: Lake, city: Path, folder: Path | None = None) -> Detail:
    from tasks.editions.build import build_edition
    from tasks.editions.fingerprints import findings_hash

    stages: dict[str, float] = {}
    at = ["", time.process_time()]

    def told(step: str) -> None:
        if at[0]:
            stages[at[0]] = stages.get(at[0], 0.0) + time.process_time() - at[1]
        at[:] = [step, time.process_time()]

    built = build_edition(lake, city, Period.of_year(YEAR), now=NOW, reason="再编", progress=told)
    edition = built.edition
    told("生成文件")
    if folder is not None:
        from tasks.render import render_edition

        render_edition(edition, folder / edition.id, lake=lake)
    told("")
    return {
        "stages": stages,
        "organs": len(edition.organs),
        "cell_hash": edition.cell_hash,
        "finding_hash": findings_hash(edition.findings),
    }


def explain_by_hand(lake: Lake, city: Path) -> Detail:
    with lake.read() as connection:
        connection.execute(f"SELECT count(*) {CALLS_OF_YEAR}").fetchone()
        connection.execute(
            f"SELECT source_system, record_id, called_at {CALLS_OF_YEAR} "
            "ORDER BY called_at::DATE, source_system, record_id LIMIT 20"
        ).fetchall()
    return {}


def explain(lake: Lake, city: Path, cell: str = "overview.hotline_calls") -> Detail:
    from tasks.editions.explain import explain as explained

    found = explained(lake, city, Period.of_year(YEAR), cell)
    return {"records": found.record_count}


CALLS = """
name: hotline
title: 热线
base_url: http://127.0.0.1
resources:
  - name: scale_calls
    title: 来电
    table: hotline_call
    path: /calls
    paginator: {type: single}
    records: data
    key: id
    fields:
      called_at: {path: called_at, type: timestamp}
      request_channel: request_channel
      is_answered: {path: is_answered, type: boolean}
      wait_seconds: {path: wait_seconds, type: integer}
      duration_seconds: {path: duration_seconds, type: integer}
      disposition: disposition
      work_order_id: work_order_id
      category: category
      request_kind: request_kind
"""
"""A source whose records are the hotline's calls: what changes of them is loaded by it."""


def one_percent(lake: Lake, city: Path) -> Detail:
    """A hundredth of the newest year's calls changed, loaded as a night would."""
    from tasks.load.load import Batch, load_batch
    from tasks.sources.model import load_source

    folder = Path(tempfile.mkdtemp(prefix="scale-", dir=lake.home))
    try:
        (folder / "hotline.yaml").write_text(CALLS, encoding="utf-8")
        source = load_source(folder / "hotline.yaml", {})
        fields = ", ".join(source.resources[0].fields)
        landed = folder / "calls.ndjson"
        with lake.read() as connection:
            connection.execute(
                f"""COPY (SELECT record_id AS "$id", 'calls/' || row_number() OVER () AS "$at",
                    {fields.replace("wait_seconds", "wait_seconds + 1 AS wait_seconds")}
                {CALLS_OF_YEAR} AND hash(record_id) % 100 = 7) TO {quoted(landed)} (FORMAT json)"""
            )
        batch = Batch(
            f"scale-{time.time_ns()}", {"scale_calls": [str(landed)]}, "", now(), None, None
        )
        began = time.process_time()
        result = load_batch(batch, source, source.resources[0], lake)
        return {"cpu": time.process_time() - began, "rows": result.rows_written}
    finally:
        shutil.rmtree(folder)


def one_percent_by_hand(lake: Lake, city: Path) -> Detail:
    """The same rows by one MERGE with the bound of the partition."""
    with lake.write() as connection, transaction(connection):
        connection.execute(
            "CREATE TEMP TABLE changed AS SELECT record_id, md5(row_hash) AS row_hash, "
            f"wait_seconds + 1 AS wait_seconds {CALLS_OF_YEAR} AND hash(record_id) % 100 = 8"
        )
        began = time.process_time()
        connection.execute(
            "MERGE INTO core.hotline_call AS old USING changed AS new "
            "ON old.source_system = 'hotline' AND old.record_id = new.record_id "
            f"AND old.called_at >= '{YEAR}-01-01' AND old.called_at < '{YEAR + 1}-01-01' "
            "WHEN MATCHED THEN UPDATE SET row_hash = new.row_hash, wait_seconds = new.wait_seconds"
        )
    return {"cpu": time.process_time() - began}


def tabulated(lake: Lake, city: Path) -> Detail:
    """The cells of two years, without rules and account."""
    from tasks.editions.build import ROWS_COPIED
    from tasks.editions.definitions import Definitions
    from tasks.editions.fingerprints import cell_hash
    from tasks.editions.tabulate import tabulate
    from warehouse.form import form_of
    from warehouse.reading import reading

    layout = Definitions.now(form_of(city=city), city, Period.of_year(YEAR)).parsed_layout
    began = time.process_time()
    with reading(lake, copy_up_to=ROWS_COPIED) as opened:
        before = tabulate(opened, layout, Period.of_year(YEAR - 1))
        found = tabulate(opened, layout, Period.of_year(YEAR), before)
    return {"cpu": time.process_time() - began, "cell_hash": cell_hash(found.cells)}


STEPS: dict[str, Callable[[Lake, Path], Detail]] = {
    "by_hand": by_hand,
    "tabulate": tabulated,
    "check": check,
    "check_gx": partial(check, runner="great_expectations"),
    "year_end": year_end,
    "explain_by_hand": explain_by_hand,
    "explain_calls": explain,
    "explain_granted": partial(explain, cell="t3.granted.total"),
    "one_percent_by_hand": one_percent_by_hand,
    "one_percent": one_percent,
}
"""In the order in which they are measured; the check of rules comes before the year-end, as in
the night."""
BESIDE = {
    "tabulate": "by_hand",
    "year_end": "by_hand",
    "explain_calls": "explain_by_hand",
    "check_gx": "check",
    "one_percent": "one_percent_by_hand",
}
"""What a step is held against."""
TITLES = {
    "by_hand": "two years by one query by hand",
    "tabulate": "two years tabulated, every organ",
    "check": "every rule, plain",
    "check_gx": "every rule, through Great Expectations",
    "year_end": "year-end with every rule's findings, without files",
    "explain_by_hand": "a count and a first page by hand",
    "explain_calls": "explain: calls of the year, first page",
    "explain_granted": "explain: applications granted, first page",
    "one_percent_by_hand": "1% of a year's calls changed: MERGE by hand with its bound",
    "one_percent": "1% of a year's calls changed: load",
}


def measured_here(step: str, home: Path, city: Path) -> Detail:
    """One step in this process: CPU and wall seconds, peak memory, the most that was spilled."""
    lake = Settings(home=home, city=city).lake()
    spilled, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            try:
                sizes = (f.stat().st_size for f in lake.spills_to.rglob("*") if f.is_file())
                spilled[0] = max(spilled[0], sum(sizes))
            except OSError:
                continue

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    wall, cpu = time.perf_counter(), time.process_time()
    detail = STEPS[step](lake, city)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    ended.set()
    watching.join()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "cpu": round(cpu, 3),
        "wall": round(wall, 3),
        "peak_mb": round(peak),
        "spilled_mb": spilled[0] >> 20,
        "detail": detail,
    }


# The report -------------------------------------------------------------------------------

Runs = dict[int, dict[str, list[Detail]]]
"""By how many times the demo city, by step: its rounds."""


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


def base_home(folder: Path) -> Path:
    """A home with the demo city as one night pulled it."""
    from deployments.demo_city.service import running

    home = folder / "base"
    home.mkdir()
    environment = {
        **os.environ,
        "NIANBAO_HOME": str(home),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    }
    command = [sys.executable, "-c", "from deployments.cli import main; main()", "nightly"]
    with running(home) as services:
        subprocess.run(command, cwd=ROOT, env=environment | services, check=True, stdout=sys.stderr)
    return home


def run(base: Path, folder: Path, sizes: list[int], rounds: int) -> tuple[Runs, dict[int, Detail]]:
    """Every step of every size, in rounds; and how many rows and bytes a size has."""
    runs: Runs = {}
    about: dict[int, Detail] = {}
    city = ROOT / "deployments" / "demo_city"
    for times in sizes:
        home = folder / f"x{times}"
        of = ["--home", str(home), "--city"]
        rows = in_own_process("--make", str(times), "--base", str(base), *of, str(city))
        size = sum(f.stat().st_size for f in (home / "lake" / "files").rglob("*") if f.is_file())
        about[times] = {"rows": rows, "records": sum(rows.values()), "lake_mb": size >> 20}
        runs[times] = {step: [] for step in STEPS}
        for _ in range(rounds):
            for step in STEPS:
                print(f"x{times} {step} ...", file=sys.stderr, flush=True)
                found = in_own_process("--measure", step, *of, str(home / "city"))
                runs[times][step].append(found)
        shutil.rmtree(home)
    return runs, about


def cpu(rounds: list[Detail]) -> float:
    """The median; of a step that tells its own share of the process, that."""
    return median(float(one["detail"].get("cpu", one["cpu"])) for one in rounds)


def exponent(small: float, large: float, growth: float) -> float:
    """By what power of the records the time grew."""
    return math.log(large / small) / math.log(growth)


def report(runs: Runs, about: dict[int, Detail]) -> str:
    """The tables, as Markdown."""
    sizes = sorted(runs)
    lines = [
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in ("duckdb", "great-expectations"))
        + f"; load {os.getloadavg()[2]:.1f} in the quarter of an hour before the end. CPU seconds, "
        f"medians of {len(next(iter(runs[sizes[0]].values())))}; × is beside the row by hand "
        "of the same run.",
        "",
    ]
    lines += [
        f"×{times}: {about[times]['records']:,} growing records, lake {about[times]['lake_mb']} MB"
        for times in sizes
    ]
    heads = "".join(f" ×{times} | beside | peak MB |" for times in sizes)
    lines += ["", f"| |{heads} exponent |", "|---|" + "---:|" * (3 * len(sizes) + 1)]
    for step, title in TITLES.items():
        cells = []
        for times in sizes:
            seconds = cpu(runs[times][step])
            other = BESIDE.get(step)
            ratio = f"{seconds / cpu(runs[times][other]):.1f}×" if other else ""
            peak = max(one["peak_mb"] for one in runs[times][step])
            cells += [f"{seconds:.2f}", ratio, f"{peak}"]
        lines.append(f"| {title} | {' | '.join(cells)} | {_grown(runs, about, step)} |")
    lines += ["", "Stages of the year-end:", ""]
    lines += ["| |" + "".join(f" ×{times} |" for times in sizes) + " exponent |"]
    lines += ["|---|" + "---:|" * (len(sizes) + 1)]
    stages = runs[sizes[0]]["year_end"][0]["detail"]["stages"]
    for stage in (name for name in stages if stages[name] > 0.001):
        seconds = [
            median(one["detail"]["stages"][stage] for one in runs[times]["year_end"])
            for times in sizes
        ]
        growth = about[sizes[-1]]["records"] / about[sizes[0]]["records"]
        power = f"{exponent(seconds[0], seconds[-1], growth):.2f}" if len(sizes) > 1 else ""
        lines.append(f"| {stage} | {' | '.join(f'{s:.2f}' for s in seconds)} | {power} |")
    return "\n".join(lines)


def _grown(runs: Runs, about: dict[int, Detail], step: str) -> str:
    *_, small, large = [0, *sorted(runs)]
    if not small:
        return ""
    growth = about[large]["records"] / about[small]["records"]
    return f"{exponent(cpu(runs[small][step]), cpu(runs[large][step]), growth):.2f}"


def chart(runs: Runs, about: dict[int, Detail]) -> str:
    """How each step's CPU seconds grow with the records, both on scales of powers, as SVG."""
    sizes = sorted(runs)
    records = [math.log10(about[times]["records"]) for times in sizes]
    points = {step: [math.log10(cpu(runs[times][step])) for times in sizes] for step in STEPS}
    low, high = (
        math.floor(min(map(min, points.values()))),
        math.ceil(max(map(max, points.values()))),
    )
    width, height, left, top = 420, 300, 60, 20

    def at(record: float, second: float) -> str:
        x = left + (record - records[0]) / ((records[-1] - records[0]) or 1) * width
        return f"{x:.0f},{top + (high - second) / (high - low) * height:.0f}"

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 330}" '
        f'height="{top + height + 40}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for power in range(low, high + 1):
        x, y = at(records[0], power).split(",")
        drawn.append(f'<path d="M{x} {y}h{width}" stroke="#ddd"/>')
        drawn.append(
            f'<text x="{left - 8}" y="{int(y) + 4}" text-anchor="end">{10**power:g} s</text>'
        )
    for record, times in zip(records, sizes, strict=True):
        x = at(record, low).split(",")[0]
        shown = f"×{times} · {about[times]['records']:,}"
        drawn.append(f'<text x="{x}" y="{top + height + 20}" text-anchor="middle">{shown}</text>')
    # The labels on the right are kept apart from each other.
    below = 0.0
    for number, step in enumerate(sorted(points, key=lambda step: -points[step][-1])):
        colour = f"hsl({number * 360 // len(points)} 65% 40%)"
        line = " ".join(at(r, s) for r, s in zip(records, points[step], strict=True))
        dash = ' stroke-dasharray="4 3"' if step.endswith("by_hand") else ""
        drawn.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        )
        below = max(below + 14, float(at(records[-1], points[step][-1]).split(",")[1]) + 4)
        drawn.append(
            f'<text x="{left + width + 8}" y="{below:.0f}" fill="{colour}">{TITLES[step]}</text>'
        )
    return "\n".join([*drawn, "</svg>", ""])


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
    parser.add_argument("--home", type=Path)
    parser.add_argument("--city", type=Path)
    given = parser.parse_args()
    if given.make:
        lakes = (Lake(home, memory_limit="2GB") for home in (given.base, given.home))
        print(json.dumps(make(*lakes, given.make, given.city)))
        return
    if given.measure:
        print(json.dumps(measured_here(given.measure, given.home, given.city), ensure_ascii=False))
        return
    folder = Path(tempfile.mkdtemp(prefix="nianbao-scale-", dir=given.folder))
    try:
        base = given.base or base_home(folder)
        runs, about = run(base, folder, given.times, given.rounds)
    finally:
        shutil.rmtree(folder)
    if given.json:
        told = {
            "about": about,
            "runs": runs,
            "machine": platform.platform(),
            "on": str(date.today()),
        }
        given.json.write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
    if given.chart:
        given.chart.write_text(chart(runs, about), encoding="utf-8")
    print(report(runs, about))


if __name__ == "__main__":
    main()
