"""How fast records come in: pulled over HTTP and merged by key, beside two other ways.

    python benchmarks/pull.py                        # ours and bare, and both with ten times the records
    python benchmarks/pull.py --dlt-python PATH      # dlt as well, with the Python it is installed in

200,000 nested records of a loopback server, 1,000 a page. Three ways, each in a process of
its own so that its peak memory is its own:

ours  source file → landing → typed and merged by key into the lake (`tasks.sources.pull`, `tasks.load.load`)
dlt   its REST source into DuckDB with merge and Parquet load files; it is no dependency of
      this project: `python -m venv …; pip install -r benchmarks/dlt.txt`
bare  `requests` with eight threads, the pages to files, DuckDB's JSON reader into a table;
      nothing projected, landed, typed, checked, merged or accounted for
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from multiprocessing import Process, Queue
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

PAGE = 1000
# What DuckDB may use.
MEMORY = "256MB"
RECORD = (
    '{"orderId":"GD%(n)08d","callId":"LD%(n)08d","handleUnit":{"code":"DW-%(unit)04d","name":"某某市某某局",'
    '"contact":{"name":"经办人","phone":"00000000000"}},"categoryCode":"C%(category)02d","status":"60",'
    '"times":{"dispatch":%(at)d,"limit":%(limit)d,"response":%(response)d,"finish":%(finish)d},'
    '"visit":{"time":%(finish)d,"success":true,"satisfied":true,"solved":%(solved)s},'
    '"steps":[{"seq":1,"unit":"DW-0001","at":%(at)d},{"seq":2,"unit":"DW-%(unit)04d","at":%(response)d}],'
    '"updateTime":%(finish)d,"content":"反映某某路段路灯不亮,请有关部门处理。反映某某路段路灯不亮。"}'
)
SOURCE = """
name: bench
title: 测试系统
base_url: ${BENCH_URL}
http: {concurrency: 4}
resources:
  - name: work_orders
    table: work_order
    path: /orders
    paginator: {type: page_number, page_param: page, size_param: size, size: 1000, total: total, exact_total: true}
    records: items
    key: orderId
    cursor: {field: updateTime, param: since, format: epoch_ms}
    fields:
      call_id: callId
      organ_id: {path: handleUnit.code, required: true}
      category: categoryCode
      dispatched_at: {path: times.dispatch, format: epoch_ms, required: true}
      due_at: {path: times.limit, format: epoch_ms}
      responded_at: {path: times.response, format: epoch_ms}
      closed_at: {path: times.finish, format: epoch_ms}
      is_called_back: visit.success
      is_satisfied: visit.satisfied
      is_solved: visit.solved
"""


def page(number: int, records: int) -> bytes:
    """A page (from 1) of the list, as the server sends it."""
    first = (number - 1) * PAGE
    rows = []
    for n in range(first, min(first + PAGE, records)):
        at = 1_577_808_000_000 + n * 60_000
        rows.append(
            RECORD
            % {
                "n": n,
                "unit": n % 97,
                "category": n % 30,
                "at": at,
                "limit": at + 432_000_000,
                "response": at + 3_600_000,
                "finish": at + 172_800_000,
                "solved": "true" if n % 9 else "false",
            }
        )
    return f'{{"total":{records},"items":[{",".join(rows)}]}}'.encode()


class _Connection(asyncio.Protocol):
    def __init__(self, records: int, pages: dict[int, bytes]) -> None:
        self._records = records
        self._pages = pages
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            number = int(parse_qs(urlsplit(target).query).get("page", ["1"])[0])
            body = self._pages.get(number) or page(number, self._records)
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
            self._transport.write(answer + str(len(body)).encode() + b"\r\n\r\n" + body)  # type: ignore[attr-defined]


def serve(records: int, ready: Queue[int]) -> None:
    """The server; pages are made beforehand as far as memory reasonably allows."""
    pages = {n: page(n, records) for n in range(1, min(records // PAGE, 200) + 1)}

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(records, pages), "127.0.0.1", 0)
        ready.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


PEAKS: dict[str, int] = {}
"""Peak memory in MB by when it was looked at."""


def peak() -> int:
    """Peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def ours(url: str, folder: Path) -> int:
    """Source file to merged rows; the lake's tables are there before, as every night."""
    from tasks.load.load import load
    from tasks.sources.model import load_source
    from tasks.sources.plan import plan
    from tasks.sources.pull import pull
    from warehouse.lake import Lake

    file = folder / "bench.yaml"
    file.write_text(SOURCE, encoding="utf-8")
    source = load_source(file, {"BENCH_URL": url})
    lake = Lake(folder / "data", memory_limit=MEMORY)
    written = 0
    for due in plan(source, lake):
        landed = pull(due, folder / "landing")
        PEAKS["pulling"] = peak()
        written += load(landed, source, lake).rows_written
    return written


def bare(url: str, folder: Path) -> int:
    """Fetch the pages with eight threads, read them with DuckDB's JSON reader."""
    from concurrent.futures import ThreadPoolExecutor

    import duckdb
    import requests

    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=10)
    session.mount("http://", adapter)

    def fetch(number: int) -> int:
        answer = session.get(f"{url}/orders", params={"page": number, "size": PAGE}, timeout=60)
        (folder / f"{number}.json").write_bytes(answer.content)
        return int(json.loads(answer.content)["total"]) if number == 1 else 0

    total = fetch(1)
    with ThreadPoolExecutor(8) as executor:
        list(executor.map(fetch, range(2, -(-total // PAGE) + 1)))
    with duckdb.connect(str(folder / "bare.duckdb")) as connection:
        connection.execute(
            f"""CREATE TABLE work_order AS SELECT r.orderId, r.callId, r.handleUnit.code, r.categoryCode,
                r.times.dispatch, r.times."limit", r.times.response, r.times.finish, r.visit.success,
                r.visit.satisfied, r.visit.solved, r.updateTime
            FROM (SELECT unnest(items) AS r FROM read_json('{folder}/*.json', maximum_object_size = 100000000))"""
        )
        row = connection.execute("SELECT count(*) FROM work_order").fetchone()
    assert row is not None
    return int(row[0])


def with_dlt(url: str, folder: Path) -> int:
    """dlt's REST source into DuckDB, merged by key, Parquet load files."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt
    from dlt.sources.rest_api import rest_api_source

    source = rest_api_source(
        {
            "client": {"base_url": url},
            "resources": [
                {
                    "name": "orders",
                    "primary_key": "orderId",
                    "write_disposition": "merge",
                    "endpoint": {
                        "path": "orders",
                        "params": {"size": PAGE},
                        "data_selector": "items",
                        "paginator": {
                            "type": "page_number",
                            "base_page": 1,
                            "page_param": "page",
                            "total_path": None,
                            "stop_after_empty_page": True,
                        },
                    },
                }
            ],
        }
    )
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb")),
        dataset_name="bench",
    )
    pipeline.run(source, loader_file_format="parquet")
    with pipeline.sql_client() as client:
        rows = client.execute_sql("SELECT count(*) FROM orders")
    assert rows is not None
    return int(rows[0][0])


def prepare(way: str, folder: Path) -> None:
    """What is there before on any night: modules imported, and for ours the lake's tables."""
    for name in MODULES[way]:
        importlib.import_module(name)
    if way == "ours":
        from warehouse.lake import Lake

        Lake(folder / "data", memory_limit=MEMORY).create()


MODULES = {
    "ours": ("tasks.load.load", "tasks.sources.pull", "tasks.sources.connector"),
    "bare": ("duckdb", "requests"),
    "dlt": ("dlt.destinations", "dlt.sources.rest_api"),
}
WAYS = {"ours": ours, "bare": bare, "dlt": with_dlt}


def measure(way: str, url: str) -> dict[str, Any]:
    """One way in this process: seconds, CPU seconds, peak memory, rows."""
    folder = Path(tempfile.mkdtemp(prefix=f"nianbao-bench-{way}-"))
    try:
        prepare(way, folder)
        began = time.perf_counter()
        rows = WAYS[way](url, folder)
        seconds = time.perf_counter() - began
        mine = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "way": way,
            "rows": rows,
            "seconds": round(seconds, 2),
            "cpu_seconds": round(
                mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime, 2
            ),
            "megabytes": peak(),
            "megabytes_pulling": PEAKS.get("pulling"),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(way: str, records: int, python: str, repeats: int) -> dict[str, Any]:
    """The best of a few runs, each in a fresh process against a fresh server."""
    best: dict[str, Any] = {}
    for _ in range(repeats):
        ready: Queue[int] = Queue()
        server = Process(target=serve, args=(records, ready), daemon=True)
        server.start()
        try:
            url = f"http://127.0.0.1:{ready.get(timeout=120)}"
            done = subprocess.run(
                [python, __file__, "--measure", way, "--url", url],
                capture_output=True,
                text=True,
                check=False,
                cwd=ROOT,
            )
            if done.returncode:
                sys.exit(done.stderr)
            found = json.loads(done.stdout.splitlines()[-1])
        finally:
            server.terminate()
            server.join()
        assert found["rows"] == records, found
        if not best or found["seconds"] < best["seconds"]:
            best = found
    return {**best, "records": records}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dlt-python", help="the Python of an environment with dlt")
    parser.add_argument(
        "--no-larger", action="store_true", help="leave out the runs with ten times the records"
    )
    parser.add_argument("--json", type=Path, help="where to write all that was measured")
    parser.add_argument("--measure", choices=sorted(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.url)))
        return
    ways = {"ours": sys.executable, "bare": sys.executable}
    if given.dlt_python:
        ways["dlt"] = given.dlt_python
    sizes = [(given.records, given.repeats)]
    if not given.no_larger:
        sizes.append((given.records * 10, 1))
    results = [
        run(way, records, python, repeats)
        for records, repeats in sizes
        for way, python in ways.items()
    ]
    if given.json is not None:
        given.json.write_text(json.dumps(results), encoding="utf-8")
    print(
        "| way | records | seconds | CPU seconds | peak MB while pulling | peak MB | × ours |\n"
        "|---|---:|---:|---:|---:|---:|---:|"
    )
    for one in results:
        ours_ = next(r for r in results if (r["way"], r["records"]) == ("ours", one["records"]))
        ratio = one["seconds"] / ours_["seconds"]
        print(
            f"| {one['way']} | {one['records']:,} | {one['seconds']:.2f} | {one['cpu_seconds']:.2f}"
            f" | {one['megabytes_pulling'] or '—'} | {one['megabytes']:,} | {ratio:.2f} |"
        )
    print(f"\nDuckDB may use {MEMORY}: what a load needs beyond it is on disk.")


if __name__ == "__main__":
    main()
