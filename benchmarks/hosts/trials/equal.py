"""The same as with the default: rows, figures and the bytes of files."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from benchmarks.hosts.site import CODE, NIANBAO
from benchmarks.hosts.trials.ground import YEAR, Ground, Told
from tasks.editions.build import preview
from tasks.render import render_edition
from tasks.settings import Settings
from tests.soak.state import contents_of
from warehouse.period import Period

AT = datetime(2021, 2, 1, 3)


def equal(ground: Ground) -> Told:
    """Cities pulled here and by the embedded default: rows, figures and the bytes of files."""
    cities, faults, same = ground.site.cities[: ground.wanted["equal"]], [], 0
    ground.see_pulled(cities)
    for city in cities:
        default = _default(ground, city)
        mine = ground.settings(city)
        if contents_of(default.lake()) != contents_of(mine.lake()):
            faults.append(f"{city}: other rows than by the default")
        folders = [_files(ground, settings) for settings in (default, mine)]
        names = [sorted(path.name for path in folder.iterdir()) for folder in folders]
        if names[0] != names[1]:
            faults.append(f"{city}: other files than by the default")
        for name in names[0]:
            if (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes():
                same += 1
            else:
                faults.append(f"{city}: {name} has other bytes than by the default")
        ground.say("equal", city, len(names[0]), "files", faults)
    return {"cities": len(cities), "files_of_equal_bytes": same, "faults": faults}


def _default(ground: Ground, city: str) -> Settings:
    """The city pulled on one machine with nothing but the default."""
    site = ground.site
    home = site.folder / "default" / city
    home.mkdir(parents=True, exist_ok=True)
    secret = Path(site.common("a")["NIANBAO_HOME"].replace("{city}", city)) / f"{city}.env"
    (home / secret.name).write_bytes(secret.read_bytes())
    folder = Path(site.common("a")["NIANBAO_CITIES"]) / city
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NIANBAO_", "PREFECT_"))}
    given = {**kept, "NIANBAO_HOME": str(home), "NIANBAO_CITY": str(folder)}
    # The account tells how much was fetched in all, so both have as many nights.
    with ground.settings(city).lake().read() as connection:
        nights = connection.execute("FROM ops.run WHERE flow_name = 'nightly'").fetchall()
    for _ in nights:
        subprocess.run(
            [NIANBAO, "nightly"], cwd=CODE, env=given, check=True, stdout=subprocess.DEVNULL
        )
    return Settings(home=home, city=folder, catalog="", storage="")


def _files(ground: Ground, settings: Settings) -> Path:
    """The files of the year's edition as of one moment: when the lake was last written to, and how
    often (the number of the snapshot), are two nights' own."""
    edition = preview(settings.lake(), settings.city, Period.of_year(YEAR), now=AT)
    edition = replace(edition, id=f"{YEAR}-1", snapshot=1, data_as_of=AT)
    into = ground.site.folder / "files" / f"{settings.city_name}-{int(bool(settings.storage))}"
    render_edition(edition, into, lake=settings.lake())
    return into
