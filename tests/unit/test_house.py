"""The rules of the house that a machine can hold."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = ["warehouse", "expectations", "tasks", "flows", "deployments"]
MODULES = [p for folder in ORDER for p in sorted((ROOT / folder).rglob("*.py"))]
CITY_NAMES = re.compile("汕尾|海丰|陆丰|陆河|shanwei", re.IGNORECASE)


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    level = ORDER.index(path.relative_to(ROOT).parts[0])
    above = {name for name in imported(path) if name.split(".")[0] in ORDER[level + 1 :]}
    assert not above
    assert not any(name.split(".")[0] == "tests" for name in imported(path))


def test_only_sources_speak_http() -> None:
    allowed = (ROOT / "tasks" / "sources", ROOT / "deployments")
    speaking = [
        path
        for path in MODULES
        if not any(path.is_relative_to(folder) for folder in allowed)
        if {name.split(".")[0] for name in imported(path)} & {"requests", "urllib3", "httpx"}
    ]
    assert speaking == []


def test_no_sql_in_flows() -> None:
    statement = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|MERGE INTO)\s")
    assert [
        p for p in (ROOT / "flows").rglob("*.py") if statement.search(p.read_text("utf-8"))
    ] == []


def test_no_citys_name_outside_deployments() -> None:
    named = [
        path
        for folder in ORDER[:-1]
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".sql", ".yaml", ".html", ".js", ".css")
        and CITY_NAMES.search(path.read_text(encoding="utf-8"))
    ]
    assert named == []


def test_the_demo_city_is_data_and_a_server_never_a_dependency() -> None:
    for path in MODULES:
        if "demo_city" not in path.parts and path.parts[-2] != "cli":
            assert not any("demo_city" in name for name in imported(path)), path


def test_locks_pin_every_package_with_hashes_and_name_no_index() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        text = lock.read_text(encoding="utf-8")
        packages = re.findall(r"^([a-z0-9].*?) \\$", text, re.MULTILINE)
        assert packages, lock
        assert all("==" in package for package in packages)
        assert "index" not in text.replace("markdown-it", "")
        assert "://" not in text


def test_what_is_installed_fits_together() -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_table_says_what_it_is() -> None:
    from warehouse.tables import all_tables

    for table in all_tables():
        assert table.title
        assert table.grain
        names = [c.name for c in table.columns]
        assert len(names) == len(set(names))
        assert set(table.key) <= set(names), table.full_name
        assert all(column.meaning for column in table.columns), table.full_name
        declared = table.sql.count("\n    ")
        assert declared == len(table.columns), table.full_name


def test_layouts_have_the_cells_of_the_forms() -> None:
    from warehouse.form import layout_of_year, load_layout
    from warehouse.layout import LayoutError

    counts = {
        name: {t.key: len(load_layout(name).printed(t.key)) for t in load_layout(name).tables}
        for name in ("2019", "2021")
    }
    assert counts == {
        "2019": {"t2": 22, "t3": 161, "t4": 15},
        "2021": {"t2": 10, "t3": 175, "t4": 15},
    }
    assert [layout_of_year(y).name for y in (2019, 2020, 2021, 2025)] == [
        "2019",
        "2019",
        "2021",
        "2021",
    ]
    with pytest.raises(LayoutError, match="2019"):
        layout_of_year(2018)


def test_no_window_is_without_a_part_and_an_order() -> None:
    """Such a window ends DuckDB 1.5 now and then (duckdb/duckdb issue 25713); `counted` of
    warehouse/sql.py is there for what it would count."""
    bare = re.compile(r"\bOVER\s*\(\s*\)", re.IGNORECASE)
    found = [
        str(path.relative_to(ROOT))
        for room in ("warehouse", "expectations", "tasks", "flows", "deployments")
        for path in (ROOT / room).rglob("*")
        if path.suffix in (".py", ".sql", ".yaml")
        and bare.search(path.read_text(encoding="utf-8").replace("count(*) OVER ()`", ""))
    ]
    assert found == []


def test_no_two_files_of_tests_have_one_name() -> None:
    """The second of them would not be collected."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_case_is_named_by_the_text_of_its_values() -> None:
    """The text of a set has another order in each process, and workers that collect cases of
    different names do not begin at all."""
    found = [
        f"{path}:{node.lineno}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.keyword)
        and node.arg == "ids"
        and isinstance(node.value, ast.Name)
        and node.value.id in ("str", "repr")
    ]
    assert found == []
