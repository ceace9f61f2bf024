"""`python -m deployments.demo_city.service`: the demo city as a process of its own.

Writes the environment file and then one line, `ready`, to standard output.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deployments.demo_city.service.generate import SEED, generated
from deployments.demo_city.service.hotline_service import HotlineLimits
from deployments.demo_city.service.process import (
    NAMES,
    PortTaken,
    Running,
    serve,
    write_environment,
)
from tasks.lifeline import end_with_starter


def main() -> int:
    end_with_starter()
    parser = argparse.ArgumentParser(prog="demo_city", description="演示城市的四个来源系统")
    parser.add_argument("--home", type=Path, required=True, help="数据目录")
    parser.add_argument("--environment", type=Path, help="环境文件;默认 <home>/demo_city.env")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--token-requests", type=int, default=HotlineLimits.token_requests)
    parser.add_argument("--token-seconds", type=float, default=HotlineLimits.token_seconds)
    for name in NAMES:
        parser.add_argument(f"--{name.replace('_', '-')}-port", type=int, default=0)
    given = parser.parse_args()
    ports = {name: getattr(given, f"{name}_port") for name in NAMES}
    limits = HotlineLimits(token_requests=given.token_requests, token_seconds=given.token_seconds)
    environment: Path = given.environment or given.home / "demo_city.env"

    def ready(running: Running) -> None:
        write_environment(environment, running.environment)
        print("ready", flush=True)

    try:
        serve(generated(given.home, given.seed, given.scale), ready, ports, limits)
    except (PortTaken, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
