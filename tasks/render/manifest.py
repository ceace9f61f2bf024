"""The manifest: every file's size and SHA-256, and what the edition was built from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.disk import sha256_of as sha256_of

if TYPE_CHECKING:
    from tasks.editions.edition import Edition

MANIFEST = "manifest.json"


WRITERS = (
    "duckdb",
    "jinja2",
    "lxml",
    "msgspec",
    "pylopdf-fonts-zh-cn",
    "python-docx",
    "typst",
    "xlsxwriter",
)
"""The packages whose version decides a file's bytes; the fonts of the PDF are one."""
ROOMS = ("editions", "render", "wording")
"""Where this project's own part in a file's bytes lies."""


def writers() -> dict[str, str]:
    """What writes the files, by name and version: another version may write other bytes."""
    import platform
    import zlib
    from importlib.metadata import version

    found = {"nianbao": _own_fingerprint(), **{name: version(name) for name in WRITERS}}
    return {**found, "python": platform.python_version(), "zlib": zlib.ZLIB_RUNTIME_VERSION}


@cache
def _own_fingerprint() -> str:
    """The fingerprint of the code and templates that write files: a version number alone does
    not change with every one of their lines."""
    tasks = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(p for room in ROOMS for p in (tasks / room).rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(tasks)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def listed(folder: Path, titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the manifest says of files that are in `folder` now; `titles` by name."""
    return [
        {
            "name": name,
            "title": title,
            "bytes": (folder / name).stat().st_size,
            "sha256": sha256_of(folder / name),
        }
        for name, title in titles.items()
    ]


def write_manifest(edition: Edition, folder: Path, titles: Mapping[str, str]) -> None:
    """Write the manifest of the files in `folder`."""
    told = {
        "edition": edition.id,
        "number": edition.number,
        "status": edition.status,
        "form": edition.form.key,
        "report_year": edition.report_year,
        **({} if edition.period.is_year else {"period": edition.period.key}),
        "layout": edition.layout.name,
        "organ": {"id": edition.root.id, "name": edition.root.name},
        "snapshot": edition.snapshot,
        "data_as_of": edition.data_as_of.isoformat(),
        "built_at": edition.built_at.isoformat(),
        "cell_hash": edition.cell_hash,
        "definition_hash": edition.definition_hash,
        "is_synthetic": edition.is_synthetic,
        # By these fingerprints a province's edition pins those of its cities.
        **({"cities": [city.as_data() for city in edition.cities]} if edition.cities else {}),
        "reason": edition.reason,
        "software": {"name": "nianbao", "version": edition.software, "writers": writers()},
        "files": listed(folder, titles),
    }
    save_manifest(folder, told)


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a folder's manifest says. Raises OSError and ValueError."""
    told: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return told


def save_manifest(folder: Path, told: Mapping[str, Any]) -> None:
    """Write a manifest as it is told."""
    text = json.dumps(told, ensure_ascii=False, indent=2) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def changed_files(folder: Path) -> list[str]:
    """Names of files that are missing or differ from the folder's manifest.

    Raises OSError when there is no manifest.
    """
    return [
        file["name"]
        for file in read_manifest(folder)["files"]
        if not (folder / file["name"]).is_file()
        or sha256_of(folder / file["name"]) != file["sha256"]
    ]
