"""What is measured on a lake: a step of the work, or the query by hand that it is held against."""

from __future__ import annotations

import importlib
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.scale_data import YEAR
from tasks.clock import now
from tasks.settings import Settings
from tasks.sources.model import Source, load_source
from warehouse.lake import Lake, transaction
from warehouse.period import Period
from warehouse.sql import quoted
from warehouse.without_pandas import let_pandas_in

NOW = datetime(2021, 7, 15, 9, 0)
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
        # Importing it is no part of the check.
        let_pandas_in()
        importlib.import_module("great_expectations")
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
    name, since = "", time.process_time()

    def told(step: str) -> None:
        nonlocal name, since
        if name:
            stages[name] = stages.get(name, 0.0) + time.process_time() - since
        name, since = step, time.process_time()

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
CALLS_TYPED = (
    "{'$id': 'VARCHAR', '$at': 'VARCHAR', called_at: 'TIMESTAMP', request_channel: 'VARCHAR', "
    "is_answered: 'BOOLEAN', wait_seconds: 'BIGINT', duration_seconds: 'BIGINT', disposition: 'VARCHAR', "
    "work_order_id: 'VARCHAR', category: 'VARCHAR', request_kind: 'VARCHAR'}"
)
"""The same with their types, as somebody who knows them would read them."""


@contextmanager
def _landing(lake: Lake, selected: str, wait: str) -> Iterator[tuple[Path, Source]]:
    """The newest year's calls, or the selected of them, as a night lands them, and their source file."""
    folder = Path(tempfile.mkdtemp(prefix="scale-", dir=lake.home))
    try:
        (folder / "hotline.yaml").write_text(CALLS, encoding="utf-8")
        source = load_source(folder / "hotline.yaml", {})
        fields = ", ".join(source.resources[0].fields)
        landed = folder / "calls.ndjson"
        with lake.read() as connection:
            connection.execute(
                f"""COPY (SELECT record_id AS "$id", 'calls/' || row_number() OVER () AS "$at",
                    {fields.replace("wait_seconds", f"{wait} AS wait_seconds")}
                {CALLS_OF_YEAR} AND {selected}) TO {quoted(landed)} (FORMAT json)"""
            )
        yield landed, source
    finally:
        shutil.rmtree(folder)


def _loaded(lake: Lake, landed: Path, source: Source) -> Detail:
    from tasks.load.load import Batch, load_batch

    files = {"scale_calls": [str(landed)]}
    # The account of records reads of an origin which list brought it.
    load_id = f"hotline/scale_calls/{time.time_ns()}"
    batch = Batch(load_id, files, f"{load_id}/", now(), None, None)
    began = time.process_time()
    result = load_batch(batch, source, source.resources[0], lake)
    return {"cpu": time.process_time() - began, "rows": result.rows_written}


def full_load(lake: Lake, city: Path) -> Detail:
    """The newest year's calls into an empty lake, loaded as the first night would."""
    with _landing(lake, "TRUE", "wait_seconds") as (landed, source):
        empty = Lake(landed.parent / "home", memory_limit=lake.memory_limit)
        empty.create()
        return _loaded(empty, landed, source)


def full_load_by_hand(lake: Lake, city: Path) -> Detail:
    """The same lines by one typed read into an empty table of the same columns, unjudged."""
    with _landing(lake, "TRUE", "wait_seconds") as (landed, _):
        empty = Lake(landed.parent / "home", memory_limit=lake.memory_limit)
        empty.create()
        began = time.process_time()
        with empty.write() as connection, transaction(connection):
            rows = connection.execute(
                "INSERT INTO core.hotline_call BY NAME SELECT 'hotline' AS source_system, "
                '"$id" AS record_id, called_at, request_channel, is_answered, wait_seconds, '
                "duration_seconds, disposition, work_order_id, category, request_kind, "
                'md5("$id") AS row_hash, "$at" AS origin, \'by hand\' AS load_id, '
                f"TIMESTAMP '{now():%Y-%m-%d %H:%M:%S}' AS loaded_at FROM read_json({quoted(landed)}, "
                f"format = 'newline_delimited', columns = {CALLS_TYPED})"
            ).fetchone()
        return {"cpu": time.process_time() - began, "rows": rows[0] if rows else 0}


def one_percent(lake: Lake, city: Path) -> Detail:
    """A hundredth of the newest year's calls changed, loaded as a night would."""
    with _landing(lake, "hash(record_id) % 100 = 7", "wait_seconds + 1") as (landed, source):
        return _loaded(lake, landed, source)


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


def with_files(lake: Lake, city: Path) -> Detail:
    """Year-end with all files."""
    with tempfile.TemporaryDirectory(prefix="scale-", dir=lake.home) as folder:
        return year_end(lake, city, Path(folder))


STEPS: dict[str, Callable[[Lake, Path], Detail]] = {
    "by_hand": by_hand,
    "tabulate": tabulated,
    "check": check,
    "check_gx": partial(check, runner="great_expectations"),
    "year_end": with_files,
    "explain_by_hand": explain_by_hand,
    "explain_calls": explain,
    "explain_granted": partial(explain, cell="t3.granted.total"),
    "one_percent_by_hand": one_percent_by_hand,
    "one_percent": one_percent,
    "full_load_by_hand": full_load_by_hand,
    "full_load": full_load,
}
"""In the order in which they are measured; the check of rules comes before the year-end, as in
the night."""
BESIDE = {
    "tabulate": "by_hand",
    "year_end": "by_hand",
    "explain_calls": "explain_by_hand",
    "check_gx": "check",
    "one_percent": "one_percent_by_hand",
    "full_load": "full_load_by_hand",
}
"""What a step is held against."""
TITLES = {
    "by_hand": "two years by one query by hand",
    "tabulate": "two years tabulated, every organ",
    "check": "every rule, plain",
    "check_gx": "every rule, through Great Expectations",
    "year_end": "year-end with every rule's findings and all files",
    "explain_by_hand": "a count and a first page by hand",
    "explain_calls": "explain: calls of the year, first page",
    "explain_granted": "explain: applications granted, first page",
    "one_percent_by_hand": "1% of a year's calls changed: MERGE by hand with its bound",
    "one_percent": "1% of a year's calls changed: load",
    "full_load_by_hand": "a year's calls: one typed read by hand",
    "full_load": "a year's calls: load into an empty lake",
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
