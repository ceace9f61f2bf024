"""The manifest: every file's size and SHA-256, and what the edition was built from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.editions.edition import Edition

MANIFEST = "manifest.json"


WRITERS = ("duckdb", "jinja2", "lxml", "msgspec", "python-docx", "xlsxwriter")
"""The packages whose version decides a file's bytes."""


def writers() -> dict[str, str]:
    """What writes the files, by name and version: another version may write other bytes."""
    import platform
    import zlib
    from importlib.metadata import version

    found = {name: version(name) for name in WRITERS}
    return {**found, "python": platform.python_version(), "zlib": zlib.ZLIB_RUNTIME_VERSION}


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest(edition: Edition, folder: Path) -> dict[str, Any]:
    """What the manifest says about the files that are in `folder` now."""
    from tasks.render.folder import FILES

    return {
        "edition": edition.id,
        "number": edition.number,
        "status": edition.status,
        "report_year": edition.report_year,
        "layout": edition.layout.name,
        "organ": {"id": edition.root.id, "name": edition.root.name},
        "snapshot": edition.snapshot,
        "data_as_of": edition.data_as_of.isoformat(),
        "built_at": edition.built_at.isoformat(),
        "cell_hash": edition.cell_hash,
        "definition_hash": edition.definition_hash,
        "is_synthetic": edition.is_synthetic,
        "reason": edition.reason,
        "software": {"name": "nianbao", "version": edition.software, "writers": writers()},
        "files": [
            {
                "name": name,
                "title": FILES[name],
                "bytes": (folder / name).stat().st_size,
                "sha256": sha256_of(folder / name),
            }
            for name in FILES
            if name != MANIFEST
        ],
    }


def write(edition: Edition, path: Path) -> None:
    """Write the manifest of the folder that `path` lies in."""
    content = json.dumps(manifest(edition, path.parent), ensure_ascii=False, indent=2)
    path.write_text(content + "\n", encoding="utf-8")


def changed_files(folder: Path) -> list[str]:
    """Names of files that are missing or differ from the folder's manifest.

    Raises OSError when there is no manifest.
    """
    told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return [
        file["name"]
        for file in told["files"]
        if not (folder / file["name"]).is_file()
        or sha256_of(folder / file["name"]) != file["sha256"]
    ]
