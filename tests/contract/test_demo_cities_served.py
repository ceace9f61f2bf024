"""Several demo cities in one process: each with its own systems, credentials and records."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from deployments.demo_city.others import folder_name
from deployments.demo_city.service.runner import read_environment

COUNT = 2


def _asked(environment: dict[str, str], key: str) -> str:
    """The first page of a list of a city's content management, asked for with a key."""
    url = f"{environment['NIANBAO_CMS_URL']}/api/wenzhang"
    request = urllib.request.Request(url, headers={"X-Api-Key": key})
    try:
        with urllib.request.urlopen(request, timeout=30) as answered:
            return str(answered.read().decode())
    except urllib.error.HTTPError as error:
        return f"{error.code}"


def test_each_city_has_systems_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "cities").mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in ("NIANBAO_CITY",)}
    process = subprocess.Popen(
        [sys.executable, "-c", "from deployments.cli import main; main()", "demo-cities"]
        + [str(COUNT), "--scale", "0.002"],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **kept,
            "NIANBAO_CITIES": str(tmp_path / "cities"),
            "NIANBAO_HOME": str(tmp_path / "data" / "{city}"),
        },
    )
    try:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(COUNT + 1)]
        assert f"{COUNT} 个演示城市已启动" in told[-1], told
        environments = [
            read_environment(tmp_path / "data" / name / f"{name}.env")
            for name in (folder_name(number) for number in range(1, COUNT + 1))
        ]
        first, second = environments
        assert not set(first.values()) & set(second.values())
        own = [_asked(one, one["NIANBAO_CMS_KEY"]) for one in environments]
        assert own[0] != own[1]
        assert _asked(first, second["NIANBAO_CMS_KEY"]) not in own
    finally:
        process.terminate()
        process.wait(timeout=20)
    assert process.returncode == 0
