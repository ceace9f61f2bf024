"""How long a page of 年报工作台 takes at the demo city's size, beside a bare page.

    python -m benchmarks.pages [--home HOME] [--json FILE]

`nianbao serve` runs over a data home with editions: the one named, or a new one with a first night
and the build of 2020. Each address is asked for once, and then in turn with the others; a bare
page is one that reads nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.error import HTTPError

from benchmarks.main_job import NIANBAO, ROOT, measure
from tests.ports import free_port

ROUNDS = 15
BARE = "no-such-page"
EDITION = "edition/2020-1"
FIGURE = "t3.granted.total"
PAGES = (
    (BARE, "a bare page"),
    ("", "今天"),
    ("deadlines", "期限"),
    ("data", "数据"),
    ("log", "日志"),
    ("people", "人员"),
    ("editions", "版次"),
    ("editions?q=3721", "版次, found by a figure"),
    (EDITION, "一个版次"),
    (f"{EDITION}?figure={FIGURE}", "一个版次 with a figure opened"),
    (f"{EDITION}/figure/{FIGURE}", "一个数"),
    (f"{EDITION}/figure/overview.hotline_on_time_rate", "一个数, a rate of 24,051 records"),
    (f"{EDITION}/overview", "总体与上年"),
    (f"{EDITION}/findings", "核对问题"),
    ("corrections", "更正"),
    ("build", "编制"),
    ("audit", "核对报告"),
)


def ask(address: str) -> float:
    """Milliseconds until a page is whole; a page that says that there is none is one too."""
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(address, timeout=120) as answer:
            answer.read()
    except HTTPError as error:
        if error.code != 404:
            raise
        error.read()
    return (time.perf_counter() - began) * 1000


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[str]:
    """The pages' address, while `nianbao serve` runs."""
    port = str(free_port())
    child = subprocess.Popen(
        [*NIANBAO, "serve", "--port", port],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    try:
        while not child.stdout.readline().startswith("已就绪"):
            if child.poll() is not None:
                raise SystemExit(f"serve ended with {child.returncode}")
        yield f"http://127.0.0.1:{port}/desk/"
    finally:
        child.send_signal(signal.SIGINT)
        child.communicate()


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a data home with edition 2020-1")
    parser.add_argument("--json", type=Path, help="where to write all that was measured")
    asked = parser.parse_args()
    given = asked.home
    home = given or Path(tempfile.mkdtemp(prefix="nianbao-bench-"))
    environment = {**os.environ, "NIANBAO_HOME": str(home), "PREFECT_LOGGING_LEVEL": "CRITICAL"}
    try:
        if given is None:
            from deployments.demo_city.service import running

            with running(home) as services:
                environment |= services
                measure([*NIANBAO, "nightly"], environment)
                measure([*NIANBAO, "year-end", "2020"], environment)
        with serving(environment) as address:
            ask(f"{address}{BARE}")
            first = {path: ask(address + path) for path, _ in PAGES}
            again: dict[str, list[float]] = {path: [] for path, _ in PAGES}
            for _ in range(ROUNDS):
                for path, _title in PAGES:
                    again[path].append(ask(address + path))
    finally:
        if given is None:
            shutil.rmtree(home, ignore_errors=True)
    if asked.json is not None:
        numbers = {
            title: {"first_ms": first[path], "again_ms": median(again[path])}
            for path, title in PAGES
        }
        asked.json.write_text(json.dumps(numbers, ensure_ascii=False), encoding="utf-8")
    bare = median(again[BARE])
    print("| page | the first time (ms) | again, median (ms) | the slowest (ms) | × a bare page |")
    print("|---|---:|---:|---:|---:|")
    for path, title in PAGES:
        told = again[path]
        print(
            f"| {title} | {first[path]:.0f} | {median(told):.0f} | {max(told):.0f} "
            f"| {median(told) / bare:.1f} |"
        )


if __name__ == "__main__":
    main()
