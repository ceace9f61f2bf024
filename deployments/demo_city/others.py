"""Other demo cities, as many as a province has: the demo city's systems with other records (another
seed each), and folders whose organs have other codes and names.

The vendors' codes are the demo city's own, as each city's systems are its own; what they mean is in
the city's `organs.csv` and `websites.csv`. Names inside records are as they are.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Mapping
from pathlib import Path

from deployments.demo_city.service.generate import SEED
from tasks.settings import DEMO_CITY
from warehouse.city_mark import ORGANS

PREFIX = "4415"
"""How the codes of the demo city's organs begin."""
NAMES = (
    *("临江", "云泽", "青原", "石梁", "望海", "安丰", "白沙", "长宁", "东陵", "凤台", "古田"),
    *("河阳", "建安", "兰溪", "明湖", "南屏", "平川", "清远山", "双桥", "天河口", "西岭"),
)
"""Invented names; from the 22nd city on they come again with a number."""
ONCE = {"汕尾": "{0}", "海丰": "{0}东", "陆丰": "{0}南", "陆河": "{0}西"}
"""What the demo city's places are called in another one."""
COPIED = ("sources", "forms", "overview.yaml", "narrative.yaml", "city.yaml")
ORGAN_IDS = ("organ_id", "parent_organ_id", "successor_organ_id")
WEBSITES = "websites.csv"


def folder_name(number: int) -> str:
    """What the folder of the n-th city is called, from 1."""
    return f"demo{number:02}"


def seed_of(number: int) -> int:
    """The seed of its records."""
    return SEED + number


def name_of(number: int) -> str:
    """What the place is called."""
    again, at = divmod(number - 1, len(NAMES))
    return NAMES[at] + (str(again + 1) if again else "")


def make_folder(folder: Path, number: int) -> bool:
    """Make the folder of the n-th city; False, and nothing written, where it is there."""
    if folder.exists():
        return False
    folder.mkdir(parents=True)
    for name in COPIED:
        place = DEMO_CITY / name
        if place.is_dir():
            shutil.copytree(place, folder / name)
        else:
            shutil.copyfile(place, folder / name)
    names = {was: said.format(name_of(number)) for was, said in ONCE.items()}
    _rewritten(folder, ORGANS, number, names)
    _rewritten(folder, WEBSITES, number, names)
    return True


def _rewritten(folder: Path, name: str, number: int, names: Mapping[str, str]) -> None:
    """A table of the demo city with the codes and names of another. Codes of vendors stay."""
    lines = list(csv.DictReader(io.StringIO((DEMO_CITY / name).read_text(encoding="utf-8"))))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    for line in lines:
        for column in ORGAN_IDS:
            if line.get(column):
                line[column] = code_of(line[column], number)
        for column in ("organ_name", "website_name"):
            for was, is_ in names.items():
                if column in line:
                    line[column] = line[column].replace(was, is_)
        writer.writerow(line)
    (folder / name).write_text(text.getvalue(), encoding="utf-8")


def code_of(organ_id: str, number: int) -> str:
    """The code of an organ of the demo city in the n-th city."""
    return f"9{number:03}{organ_id.removeprefix(PREFIX)}"
