"""Importing the program reads no setting and makes no file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOOK = """
import importlib, sys
from pathlib import Path

import pytest
import tasks.settings
def read(*_, **__): raise SystemExit("a setting was read")
tasks.settings.Settings.__init__ = read
for folder in ("warehouse", "expectations", "tasks", "flows", "deployments"):
    for path in sorted((Path(sys.argv[1]) / folder).rglob("*.py")):
        if path.name != "__main__.py":
            name = ".".join(path.relative_to(sys.argv[1]).with_suffix("").parts)
            importlib.import_module(name.removesuffix(".__init__"))
"""


def test_no_module_reads_a_setting_or_makes_a_file(tmp_path: Path) -> None:
    # Prefect itself keeps a home; it is told where, and that is all that may be there.
    prefect = tmp_path / "prefect"
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PREFECT_HOME": str(prefect)}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(ROOT)],
        cwd=tmp_path,
        env={**given, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path for path in tmp_path.rglob("*") if not path.is_relative_to(prefect)] == []


@pytest.mark.parametrize(
    ("module", "spared"),
    [
        ("deployments.cli.runs", ("duckdb", "prefect", "starlette")),
        ("deployments.child_server", ("prefect", "starlette", "tasks.desk", "tasks.audit")),
        ("deployments.server", ("prefect", "deployments.page.routes", "tasks.desk", "pandas")),
    ],
)
def test_what_every_night_starts_imports_no_page(module: str, spared: tuple[str, ...]) -> None:
    look = f"import sys, {module}; print([name for name in {spared!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
