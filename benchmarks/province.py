"""The province's roll-up: 21 cities of 160 organs each, added up to one edition, in processes of
their own.

    python -m benchmarks.province                    # 21 × 160, about two minutes
    python -m benchmarks.province 5 --organs 40      # smaller

The cities' editions are made up: the annual report's layout with the demo city's figures, seeded
numbers in every cell that is counted, rolled up as a city's are. They are kept by the code that keeps
any edition. What is measured is what a province does: taking the editions in, adding them up, keeping
the sum, each with the CPU seconds and the most memory of its process; and whether every figure of the
province is the sum of its cities'. Targets: `benchmarks/targets.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

NOW = datetime(2021, 2, 1, 3)
YEAR = 2020
MOST_CPU, MOST_MEMORY = 60, 2 * 2**30
"""The targets of adding up and keeping."""
STEPS = ("take", "build")


def main() -> None:
    """Make the cities, run each step in a process, say what it took. Ends with 1 where a target is
    missed or a sum is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cities", nargs="?", type=int, default=21)
    parser.add_argument("--organs", type=int, default=160)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(_measured(given.step)))
        return
    with tempfile.TemporaryDirectory(prefix="nianbao-province-") as folder:
        _name(Path(folder))
        began = time.process_time()
        _make(Path(folder), given.cities, given.organs)
        made = time.process_time() - began
        print(f"made {given.cities} cities of {given.organs} organs: {made:.1f} CPU s", flush=True)
        ends = [_step(step, given) for step in STEPS]
    sys.exit(max(ends))


def _step(step: str, given: argparse.Namespace) -> int:
    command = [sys.executable, "-m", "benchmarks.province", str(given.cities)]
    done = subprocess.run(
        [*command, "--organs", str(given.organs), "--step", step],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps({"step": step, **found}), flush=True)
    # Editions are taken in as the cities build them, not all in one night.
    is_quick = step != "build" or found["cpu_seconds"] <= MOST_CPU
    is_good = is_quick and found["memory_bytes"] <= MOST_MEMORY
    return 0 if is_good and found.get("is_sum", True) else 1


def _measured(step: str) -> dict[str, Any]:
    """What a step took in this process."""
    wall = time.monotonic()
    found = _take() if step == "take" else _build()
    used = resource.getrusage(resource.RUSAGE_SELF)
    found |= {
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "wall_seconds": round(time.monotonic() - wall, 1),
        "memory_bytes": used.ru_maxrss * 1024,
    }
    if step == "build":
        found["is_sum"] = _is_sum()
    return found


def _name(root: Path) -> None:
    os.environ["NIANBAO_CITIES"] = str(root / "cities")
    os.environ["NIANBAO_HOME"] = str(root / "data" / "{city}")
    os.environ["NIANBAO_CITY"] = "province"


def _take() -> dict[str, Any]:
    from tasks.city.register import register_city
    from tasks.editions.take import take_editions
    from tasks.settings import Settings, settings_of_all

    settings = Settings()
    lake = settings.lake()
    lake.create()
    register_city(lake, settings.city, now=NOW)
    return {"told": take_editions(lake, settings.city, settings_of_all(), now=NOW).told}


def _build() -> dict[str, Any]:
    from tasks.editions.build import build_edition
    from tasks.settings import Settings
    from warehouse.period import Period

    settings = Settings()
    edition = build_edition(settings.lake(), settings.city, Period.of_year(YEAR), now=NOW).edition
    return {
        "edition": edition.id,
        "organs": len(edition.organs),
        "cells": sum(len(figures) for figures in edition.cells.values()),
        "findings": len(edition.findings),
        "blocking": sorted({f.code for f in edition.blocking_findings}),
    }


def _is_sum() -> bool:
    """Whether every figure of the province that is counted is the sum of its cities', both as they
    lie in the lakes."""
    from tasks.editions.store import newest_edition
    from tasks.settings import Settings, settings_of_all
    from warehouse.form import form_of
    from warehouse.period import Period

    province = Settings()
    year = Period.of_year(YEAR)

    def figures(settings: Settings, root: str) -> Any:
        lake, form = settings.lake(), form_of()
        return newest_edition(lake, form, year, organ_id=root)

    whole = figures(province, "root")
    parts = [
        figures(settings, settings.city.name).figures()
        for settings in settings_of_all()
        if settings.city != province.city
    ]
    return all(
        whole.figures()[key].value == sum((part[key].value for part in parts), Decimal(0))
        for key, cell in whole.layout.cells.items()
        if cell.measure
    )


def _make(root: Path, cities: int, organs: int) -> None:
    """The folders and lakes of all cities, an edition each, and the folder of the province."""
    from tasks.settings import DEMO_CITY, Settings
    from tasks.watch.cities import new_city

    overview = (DEMO_CITY / "overview.yaml").read_text(encoding="utf-8")
    folders = []
    for number in range(1, cities + 1):
        folder = root / "cities" / f"city{number:02}"
        new_city(folder, f"第{number}市人民政府", folder.name)
        (folder / "overview.yaml").write_text(overview, encoding="utf-8")
        folders.append(folder)
        _keep_edition(Settings(city=folder), organs, random.Random(number))
    new_city(root / "cities" / "province", "某省人民政府", "root", folders, is_of_province=True)
    (root / "cities" / "province" / "overview.yaml").write_text(overview, encoding="utf-8")


def _keep_edition(settings: Any, count: int, seeded: random.Random) -> None:
    """An edition of a city of so many organs: the city, a tenth of them districts, and townships and
    offices below them."""
    from tasks.editions.definitions import Definitions
    from tasks.editions.edition import CellValue, Edition, Organ, Scope
    from tasks.editions.fingerprints import cell_hash
    from tasks.editions.store import keep
    from tasks.editions.tabulate import complete
    from warehouse.form import form_of
    from warehouse.period import Period

    code, period = settings.city.name, Period.of_year(YEAR)
    definitions = Definitions.now(form_of(), settings.city, period)
    layout = definitions.parsed_layout
    counted = [cell.key for cell in layout.cells.values() if cell.measure]
    districts = max(1, count // 10)
    organs = [Organ(code, settings.city.name, "city", None)]
    organs += [Organ(f"D{n}", f"第{n}区人民政府", "county", code) for n in range(districts)]
    organs += [
        Organ(f"T{n}", f"第{n}镇人民政府", "township", f"D{n % districts}")
        for n in range(count - districts - 1)
    ]
    own = {
        o.id: {key: Decimal(seeded.choice((0, 0, 0, 1, 7, 48))) for key in counted} for o in organs
    }
    whole = {organ: dict(values) for organ, values in own.items()}
    for organ in reversed(organs):
        if organ.parent_id:
            for key, value in whole[organ.id].items():
                whole[organ.parent_id][key] += value
    by_scope: tuple[tuple[Scope, dict[str, Any]], ...] = (("own", own), ("rolled_up", whole))
    cells = {
        (organ.id, scope): complete(layout, values[organ.id], set(counted), {})
        for scope, values in by_scope
        for organ in organs
    }
    last_year = {key: CellValue(value) for key, value in whole[code].items()}
    edition = Edition(
        *("", 0, "preview", form_of(), period, layout, 0, NOW, NOW),
        cell_hash=cell_hash(cells),
        definition_hash=definitions.fingerprint,
        root=organs[0],
        organs=tuple(organs),
        cells=cells,
        findings=(),
        last_year=last_year,
        is_synthetic=True,
        software="benchmark",
        definitions=definitions,
    )
    keep(settings.lake(), edition, built_by="")


if __name__ == "__main__":
    main()
