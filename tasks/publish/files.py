"""The files of a published edition: written aside, put in place read only, checked later."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks.editions.compare import CellDifference, write_csv
from tasks.editions.edition import Edition
from tasks.editions.store import changed_rows
from tasks.render import render_edition
from tasks.render.manifest import MANIFEST, changed_files, sha256_of
from tasks.settings import Settings
from warehouse.lake import Lake
from warehouse.sql import quoted

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


@dataclass(frozen=True)
class Approval:
    """What an approver said of an edition; `answers` are reasons by (organ id, check key)."""

    approver: str
    approved_at: datetime
    statement: str
    built_by: str
    replaces: str | None
    answers: Mapping[tuple[str, str], str]

    def as_data(self) -> dict[str, Any]:
        """As the manifest tells it."""
        return {
            "approver": self.approver,
            "approved_at": self.approved_at.isoformat(timespec="seconds"),
            "statement": self.statement,
            "built_by": self.built_by,
            "replaces": self.replaces,
            "answers": [
                {"organ_id": organ, "check_key": key, "reason": reason}
                for (organ, key), reason in sorted(self.answers.items())
            ],
        }


def kept_approval(lake: Lake, edition_id: str) -> Approval | None:
    """The approval of an edition as the lake keeps it; None for one never published."""
    with lake.read() as connection:
        row = connection.execute(
            "SELECT approved_by, approved_at, coalesce(statement, ''), coalesce(built_by, ''), "
            "(SELECT max_by(b.edition_id, b.edition_number) FROM yearly.edition AS b "
            "WHERE b.report_year = e.report_year AND b.edition_number < e.edition_number "
            "AND b.approved_at IS NOT NULL) "
            "FROM yearly.edition AS e WHERE edition_id = ? AND approved_at IS NOT NULL",
            [edition_id],
        ).fetchone()
        answers = connection.execute(
            "SELECT organ_id, check_key, verdict FROM yearly.check_result "
            "WHERE edition_id = ? AND verdict IS NOT NULL",
            [edition_id],
        ).fetchall()
    if row is None:
        return None
    approver, approved_at, statement, built_by, replaces = row
    return Approval(
        approver=approver,
        approved_at=approved_at,
        statement=statement,
        built_by=built_by,
        replaces=replaces,
        answers={(organ, key): reason for organ, key, reason in answers},
    )


def write_files(
    lake: Lake,
    edition: Edition,
    folder: Path,
    approval: Approval,
    differences: Sequence[CellDifference] | None,
) -> str:
    """All files of a published edition in `folder`; returns the manifest's SHA-256."""
    _remove(folder)
    render_edition(edition, folder, lake=lake)
    write_database(lake, edition, folder / DATABASE, approval)
    names = [DATABASE]
    if differences is not None:
        write_csv(differences, folder / DIFFERENCES)
        names.append(DIFFERENCES)
    path = folder / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["approval"] = approval.as_data()
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


def write_database(lake: Lake, edition: Edition, path: Path, approval: Approval) -> None:
    """The edition as one plain `.duckdb` file: edition with its approval, cell (with labels),
    check_result with the answers, check_record, organ. In DuckDB's oldest storage format, so
    that any version opens it. It cannot hold the manifest's hash, as that is taken of it."""
    cells = path.with_name("cells.parquet")
    with lake.read() as connection:
        connection.execute(f"ATTACH {quoted(path)} AS file (STORAGE_VERSION 'v1.0.0')")
        connection.execute(f"CREATE TABLE file.cell AS SELECT * FROM read_parquet({quoted(cells)})")
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
        connection.execute(
            "UPDATE file.edition SET edition_status = 'published', approved_by = ?, "
            "approved_at = ?, statement = ?, manifest_hash = NULL",
            [approval.approver, approval.approved_at, approval.statement],
        )
        for (organ_id, key), reason in approval.answers.items():
            connection.execute(
                "UPDATE file.check_result SET verdict = ?, verdict_by = ?, verdict_at = ? "
                "WHERE organ_id = ? AND check_key = ?",
                [reason, approval.approver, approval.approved_at, organ_id, key],
            )
        connection.execute("DETACH file")


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
    """Published editions that are not what was signed for: edition → names of files, and of
    the lake's tables whose rows no longer give the edition's fingerprints."""
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
        if tables := changed_rows(lake, edition_id):
            found[edition_id] = [*found.get(edition_id, []), *tables]
    return found
