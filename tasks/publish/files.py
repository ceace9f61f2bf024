"""The files of a published edition: written aside, put in place read only, checked later."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import Timeout

from tasks.editions.compare import write_csv
from tasks.editions.differences import Comparison, write_records_csv
from tasks.editions.edition import Approval, Edition
from tasks.editions.fingerprints import findings_hash
from tasks.editions.store import Seals, copy_rows, find_row, publications, seals
from tasks.publish.words import told_of_words
from tasks.render import render_edition
from tasks.render.folder import putting_in_place
from tasks.render.manifest import (
    MANIFEST,
    changed_files,
    listed,
    read_manifest,
    save_manifest,
    sha256_of,
)
from tasks.settings import Settings
from warehouse.disk import make_read_only, remove_folder
from warehouse.lake import Lake, LakeBusy
from warehouse.lake_errors import unwritable
from warehouse.sql import quoted

DATABASE = "edition.duckdb"
DIFFERENCES = "differences.csv"
DIFFERENCE_RECORDS = "difference_records.csv"
TITLES = {
    DATABASE: "版次数据库(DuckDB 单文件,任何 DuckDB 都能打开)",
    DIFFERENCES: "与上一已发布版次逐格比较(CSV)",
    DIFFERENCE_RECORDS: "与上一已发布版次相比变动的记录(CSV)",
}
STAGING = ".publishing-"
_EDITION_ID = re.compile(r"([a-z][a-z0-9-]*-)?\d{4}-\d+")


def staging_folder(settings: Settings, edition_id: str) -> Path:
    """Where the files are written before the lake says that the edition is published."""
    return settings.editions / f"{STAGING}{edition_id}"


@contextmanager
def publishing(settings: Settings, timeout: float = 600) -> Iterator[None]:
    """One publication of a lake at a time. Raises LakeBusy after `timeout` seconds."""
    try:
        settings.editions.mkdir(parents=True, exist_ok=True)
        with putting_in_place(settings.lake(), settings.editions, timeout):
            yield
    except Timeout as error:
        raise LakeBusy(
            f"另一个发布正在进行,等待 {timeout:.0f} 秒仍未结束。请等它结束后重新发布"
        ) from error
    except OSError as error:
        raise unwritable(settings.editions, error) from error


def write_files(
    lake: Lake,
    edition: Edition,
    folder: Path,
    approval: Approval,
    comparison: Comparison | None,
    chain: Mapping[str, Any],
) -> str:
    """All files of a published edition in `folder`; returns the manifest's SHA-256. `chain` is
    what the manifest says of the publication before it."""
    remove_folder(folder)
    render_edition(edition, folder, lake=lake)
    sealed = write_database(lake, edition, folder / DATABASE, approval)
    names = [DATABASE]
    if comparison is not None:
        write_csv(comparison.differences, folder / DIFFERENCES)
        names.append(DIFFERENCES)
        if comparison.told is not None:
            write_records_csv(comparison.told, folder / DIFFERENCE_RECORDS)
            names.append(DIFFERENCE_RECORDS)
    told = read_manifest(folder)
    told["approval"] = approval.as_data()
    told["words"] = told_of_words(edition, folder)
    told["findings_hash"] = findings_hash(edition.findings)
    told["chain"] = {**chain, "lake": sealed}
    told["files"] += listed(folder, {name: TITLES[name] for name in names})
    save_manifest(folder, told)
    return sha256_of(folder / MANIFEST)


def write_database(lake: Lake, edition: Edition, path: Path, approval: Approval) -> Seals:
    """The edition as one plain `.duckdb` file: edition with its approval, cell (with labels),
    check_result with the answers, check_record, organ. In DuckDB's oldest storage format, so
    that any version opens it. It cannot hold the manifest's hash, as that is taken of it.

    Returns the seals of the rows as the lake will have them once the edition is published."""
    cells = path.with_name("cells.parquet")
    with lake.read() as connection:
        connection.execute(f"ATTACH {quoted(path)} AS file (STORAGE_VERSION 'v1.0.0')")
        connection.execute(f"CREATE TABLE file.cell AS SELECT * FROM read_parquet({quoted(cells)})")
        copy_rows(connection, edition.id, "file")
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
        places = {table: f"file.{table}" for table in ("edition", "check_result", "check_record")}
        sealed = seals(connection, edition.id, {**places, "cell": "lake.yearly.cell"})
        connection.execute("DETACH file")
    return sealed


def freeze(staging: Path, folder: Path) -> None:
    """Put the published files in the place of the pending ones, read only from the first moment."""
    make_read_only(staging)
    aside = folder.with_name(f".replaced-{folder.name}")
    remove_folder(aside)
    if folder.exists():
        folder.rename(aside)
    staging.rename(folder)
    remove_folder(aside)


def finish_interrupted(lake: Lake, settings: Settings, edition_id: str) -> bool:
    """Put the files of an edition in place whose publication was cut off after the lake was
    written; what was cut off before is thrown away. Returns whether files were put in place."""
    if not _EDITION_ID.fullmatch(edition_id):
        # It becomes part of a path below.
        return False
    shelf = settings.edition_shelf
    staging = shelf.here(staging_folder(settings, edition_id).name)
    if not staging.exists():
        return False
    with lake.read() as connection:
        row = find_row(connection, edition_id)
    path = staging / MANIFEST
    is_signed = bool(
        row and row.is_published and path.exists() and sha256_of(path) == row.manifest_hash
    )
    if is_signed and not changed_files(staging):
        put_in_place(settings, edition_id)
        return True
    shelf.drop(staging.name)
    remove_folder(staging)
    return False


def put_in_place(settings: Settings, edition_id: str) -> Path:
    """Put the published files, kept beside, in the place of the pending ones; returns where."""
    staging, folder = staging_folder(settings, edition_id), settings.editions / edition_id
    settings.edition_shelf.forget(edition_id)
    freeze(staging, folder)
    settings.edition_shelf.freeze(edition_id, staging.name)
    return folder


def finish_all(lake: Lake, settings: Settings) -> None:
    """Finish every publication that was cut off, unless one is going on; nobody need ask again.

    Files that an earlier release was cut off from making read only become so; those of a signed
    edition are read only from the first moment, and another mode is a finding.
    """
    with suppress(LakeBusy), publishing(settings, timeout=0):
        begun = {path.name for path in settings.editions.glob(f"{STAGING}*/")}
        begun |= {name for name in settings.edition_shelf.names() if name.startswith(STAGING)}
        for name in sorted(begun):
            finish_interrupted(lake, settings, name.removeprefix(STAGING))
        with lake.read() as connection:
            unsigned = [p.edition_id for p in publications(connection) if not p.is_signed]
        for edition_id in unsigned:
            folder = settings.editions / edition_id
            if (folder / MANIFEST).exists() and not folder.is_symlink():
                make_read_only(folder)
