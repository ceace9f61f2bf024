"""The files of a published edition: written aside, put in place read only, checked later."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.compare_editions import CellDifference, write_csv
from tasks.edition import Edition
from tasks.render import render_edition
from tasks.render.manifest import MANIFEST, changed_files, sha256_of
from tasks.settings import Settings
from warehouse.lake import Lake

DATABASE = "edition.duckdb"
DIFFERENCES = "differences.csv"
TITLES = {
    DATABASE: "版次数据库(DuckDB 单文件,任何 DuckDB 都能打开)",
    DIFFERENCES: "与上一已发布版次逐格比较(CSV)",
}
_EDITION_ID = re.compile(r"\d{4}-\d+")


def staging_folder(settings: Settings, edition_id: str) -> Path:
    """Where the files are written before the lake says that the edition is published."""
    return settings.editions / f".publishing-{edition_id}"


def write_files(
    lake: Lake,
    edition: Edition,
    folder: Path,
    approval: dict[str, Any],
    differences: Sequence[CellDifference] | None,
) -> str:
    """All files of a published edition in `folder`; returns the manifest's SHA-256."""
    _remove(folder)
    render_edition(edition, folder, lake=lake)
    write_database(lake, edition, folder / DATABASE)
    names = [DATABASE]
    if differences is not None:
        write_csv(differences, folder / DIFFERENCES)
        names.append(DIFFERENCES)
    path = folder / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["approval"] = approval
    manifest["files"] += [
        {
            "name": name,
            "title": TITLES[name],
            "bytes": (folder / name).stat().st_size,
            "sha256": sha256_of(folder / name),
        }
        for name in names
    ]
    path.write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return sha256_of(path)


def write_database(lake: Lake, edition: Edition, path: Path) -> None:
    """The edition as one plain `.duckdb` file: edition, cell (with labels), check_result,
    check_record, organ. In DuckDB's oldest storage format, so that any version opens it."""
    cells = path.with_name("cells.parquet")
    with lake.read() as connection:
        connection.execute(f"ATTACH '{_sql(path)}' AS file (STORAGE_VERSION 'v1.0.0')")
        connection.execute(f"CREATE TABLE file.cell AS SELECT * FROM read_parquet('{_sql(cells)}')")
        for table in ("edition", "check_result", "check_record"):
            connection.execute(
                f"CREATE TABLE file.{table} AS SELECT * FROM lake.yearly.{table} "
                "WHERE edition_id = ? ORDER BY ALL",
                [edition.id],
            )
        connection.execute(
            "CREATE TABLE file.organ (organ_id VARCHAR, organ_name VARCHAR, organ_kind VARCHAR, "
            "parent_organ_id VARCHAR)"
        )
        connection.executemany(
            "INSERT INTO file.organ VALUES (?, ?, ?, ?)",
            [[o.id, o.name, o.kind, o.parent_id] for o in edition.organs],
        )
        connection.execute("UPDATE file.edition SET edition_status = 'published'")
        connection.execute("DETACH file")


def _sql(path: Path) -> str:
    return str(path).replace("'", "''")


def freeze(staging: Path, folder: Path) -> None:
    """Put the published files in the place of the pending ones, read only."""
    _remove(folder)
    staging.rename(folder)
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)


def _remove(folder: Path) -> None:
    if folder.exists():
        folder.chmod(0o755)
        shutil.rmtree(folder)


def finish_interrupted(lake: Lake, settings: Settings, edition_id: str) -> bool:
    """Put the files of an edition in place whose publication was cut off after the lake was
    written; what was cut off before is thrown away. Returns whether files were put in place."""
    if not _EDITION_ID.fullmatch(edition_id):
        # It becomes part of a path below.
        return False
    staging = staging_folder(settings, edition_id)
    if not staging.exists():
        return False
    with lake.read() as connection:
        row = connection.execute(
            "SELECT manifest_hash FROM yearly.edition "
            "WHERE edition_id = ? AND edition_status = 'published'",
            [edition_id],
        ).fetchone()
    path = staging / MANIFEST
    if row and path.exists() and sha256_of(path) == row[0] and not changed_files(staging):
        freeze(staging, settings.editions / edition_id)
        return True
    _remove(staging)
    return False


def frozen_files_changed(lake: Lake, settings: Settings) -> dict[str, list[str]]:
    """Published editions whose files are not what was signed for: edition → file names."""
    with lake.read() as connection:
        rows = connection.execute(
            "SELECT edition_id, manifest_hash FROM yearly.edition WHERE approved_at IS NOT NULL"
        ).fetchall()
    found = {}
    for edition_id, manifest_hash in rows:
        folder = settings.editions / edition_id
        path = folder / MANIFEST
        if not path.exists() or sha256_of(path) != manifest_hash:
            found[edition_id] = [MANIFEST]
        elif changed := changed_files(folder):
            found[edition_id] = changed
    return found
