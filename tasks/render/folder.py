"""An edition's folder: every output, written beside its place and moved in as a whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.editions.edition import Edition
    from warehouse.lake import Lake

# What each file is, in the order in which an operator wants them.
FILES = {
    "tables.xlsx": "年度报表（Excel，可直接打印归档）",
    "report.docx": "年度报告（Word，可续写文字部分）",
    "report.html": "年度报表与核对说明（网页，离线打开，可逐数查看口径）",
    "cells.csv": "全部单元格（CSV）",
    "cells.parquet": "全部单元格（Parquet）",
    "cells.json": "全部单元格（JSON）",
    "findings.csv": "核对结果（CSV）",
    "finding_records.csv": "核对所涉记录（CSV）",
    "findings.json": "核对结果及所涉记录（JSON）",
    "manifest.json": "文件清单与指纹",
}


def _writers() -> dict[str, Callable[[Edition, Path], None]]:
    from tasks.render import data_files, html, manifest, word, workbook

    return {
        "tables.xlsx": workbook.write,
        "report.docx": word.write,
        "report.html": html.write,
        "cells.csv": data_files.write_cells_csv,
        "cells.parquet": data_files.write_cells_parquet,
        "cells.json": data_files.write_cells_json,
        "findings.csv": data_files.write_findings_csv,
        "finding_records.csv": data_files.write_finding_records_csv,
        "findings.json": data_files.write_findings_json,
        "manifest.json": manifest.write,
    }


def write_folder(edition: Edition, folder: Path, *, lake: Lake | None = None) -> list[Path]:
    """Write every file of `FILES` into `folder`; see `tasks.render.render_edition`."""
    if lake is not None:
        edition = with_all_records(edition, lake)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        fresh.chmod(0o755)
        for name, write in _writers().items():
            write(edition, fresh / name)
        _put_in_place(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return [folder / name for name in FILES]


def _put_in_place(fresh: Path, folder: Path) -> None:
    """Swap the finished folder in. A folder cannot be replaced in one step, so the old one
    steps aside first and comes back if the new one cannot take its place."""
    if not folder.exists():
        fresh.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    folder.rename(aside / "folder")
    try:
        fresh.rename(folder)
    except OSError:
        (aside / "folder").rename(folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def with_all_records(edition: Edition, lake: Lake) -> Edition:
    """The edition with every record behind its open findings, where it held the first only.

    An edition that is not stored in the lake stays as it is.
    """
    from tasks.editions.edition import RecordReference

    short = [f for f in edition.open_findings if f.record_count > len(f.records)]
    if not short or not lake.exists():
        return edition
    names = {organ.id: organ.name for organ in edition.organs}
    with lake.read() as connection:
        rows = connection.execute(
            "SELECT organ_id, check_key, table_name, source_system, record_id, record_organ_id,"
            " record_on, coalesce(detail, '') FROM yearly.check_record WHERE edition_id = ?"
            " ORDER BY organ_id, check_key, source_system, table_name, record_id",
            [edition.id],
        ).fetchall()
    stored: dict[tuple[str, str], list[RecordReference]] = {}
    for organ_id, key, table, source, record, owner, on, detail in rows:
        stored.setdefault((organ_id, key), []).append(
            RecordReference(table, source, record, owner, names.get(owner), on, detail)
        )
    wanted = {(f.organ_id, f.key) for f in short}
    findings = tuple(
        replace(f, records=tuple(more))
        if (f.organ_id, f.key) in wanted
        and len(more := stored.get((f.organ_id, f.key), [])) > len(f.records)
        else f
        for f in edition.findings
    )
    return replace(edition, findings=findings)
