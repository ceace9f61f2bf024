"""Editions written to the lake: built, built again, approved, copied."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tasks.editions.edition import (
    Approval,
    CellValue,
    Edition,
)
from tasks.editions.figure_file import figures_sql, write_figures
from tasks.editions.fingerprints import findings_hash
from tasks.editions.store.read import read_row
from tasks.editions.store.rows import EditionRow, editions_of, find_row
from tasks.editions.store.sealed import Publication, last_link, publications, register
from warehouse.lake import Connection, Lake, transaction
from warehouse.numbers import number
from warehouse.sql import insert_many, quoted


def keep(lake: Lake, edition: Edition, *, built_by: str) -> tuple[Edition, bool]:
    """Keep what was computed as the pending edition of its report, and say whether it is new.

    One that comes to the same as the pending one is that edition; only why and by whom it was
    built is kept. Else it takes the next number, and the pending one gives way. All of it is
    decided under the writer's lock: two that build at once cannot take one number.
    """
    # A lake of an earlier version lacks columns.
    lake.create()
    with lake.write() as connection:
        newest = next(iter(editions_of(connection, edition.form.key, edition.period)), None)
        if newest and newest.is_pending:
            kept = read_row(connection, newest, with_figures=False)
            if _come_to_the_same(newest, kept, edition):
                # By the fingerprint its figures are these, and they need not be read.
                reason = edition.reason or kept.reason
                kept = replace(kept, cells=edition.cells, reason=reason)
                _restate(connection, newest, kept.reason, built_by)
                return kept, False
        number_ = newest.edition_number + 1 if newest else 1
        edition = replace(
            edition, id=f"{edition.reference}-{number_}", number=number_, status="pending"
        )
        with transaction(connection):
            _write(connection, edition, built_by)
    return edition, True


def _come_to_the_same(row: EditionRow, kept: Edition, edition: Edition) -> bool:
    """The fingerprints do not cover everything that is printed."""
    was = (row.cell_hash, row.definition_hash, row.findings_hash)
    is_ = (edition.cell_hash, edition.definition_hash, findings_hash(edition.findings))
    return was == is_ and not kept.changed_parts(edition)


def _restate(connection: Connection, row: EditionRow, reason: str, built_by: str) -> None:
    """Keep why, and by whom, a pending edition was built that came out the same again. Whoever
    was named as its builder stays so: a second name must not make the first an approver."""
    built_by = row.built_by or built_by
    if (row.reason, row.built_by) == (reason, built_by):
        return
    with transaction(connection):
        connection.execute(
            "UPDATE yearly.edition SET reason = ?, built_by = ? WHERE edition_id = ?",
            [reason or None, built_by, row.edition_id],
        )


def _write(connection: Connection, edition: Edition, built_by: str) -> None:
    """Write a pending edition; earlier pending ones of its report give way."""
    _supersede(connection, edition, "pending")
    row: dict[str, Any] = {
        "edition_id": edition.id,
        "form": edition.form.key,
        "report_year": edition.report_year,
        "period": None if edition.period.is_year else edition.period.key,
        "edition_number": edition.number,
        "edition_status": edition.status,
        "layout": edition.layout.name,
        "lake_snapshot": edition.snapshot,
        "data_as_of": edition.data_as_of,
        "cell_hash": edition.cell_hash,
        "definition_hash": edition.definition_hash,
        "definitions": _kept_definitions(edition),
        "software_version": edition.software,
        "findings_hash": findings_hash(edition.findings),
        "built_at": edition.built_at,
        "built_by": built_by,
        "reason": edition.reason or None,
        "blocking_findings": len(edition.blocking_findings),
    }
    insert_many(connection, "yearly.edition", [list(row.values())], list(row))
    _write_cells(connection, edition)
    insert_many(
        connection,
        "yearly.check_result",
        [
            (edition.id, f.organ_id, f.key, f.code, f.severity, f.status)
            + (f.message, f.equation or None, f.gap, f.record_count)
            for f in edition.findings
        ],
        ("edition_id", "organ_id", "check_key", "code", "severity", "check_status")
        + ("message", "equation", "gap", "record_count"),
    )
    insert_many(
        connection,
        "yearly.check_record",
        [
            (edition.id, f.organ_id, f.key, r.table, r.source_system, r.record_id)
            + (r.organ_id, r.record_on, r.detail or None)
            for f in edition.findings
            for r in f.records
        ],
        ("edition_id", "organ_id", "check_key", "table_name", "source_system", "record_id")
        + ("record_organ_id", "record_on", "detail"),
    )


def _supersede(connection: Connection, edition: Edition, status: str) -> None:
    """The editions of the same report that have a status give way."""
    for row in editions_of(connection, edition.form.key, edition.period):
        if row.edition_status == status:
            connection.execute(
                "UPDATE yearly.edition SET edition_status = 'superseded' WHERE edition_id = ?",
                [row.edition_id],
            )


def _kept_definitions(edition: Edition) -> str:
    """The definitions, and what was built besides cells and findings, as JSON; see `load_edition`."""
    if edition.definitions is None:
        raise ValueError(f"edition {edition.id} has no definitions")
    return json.dumps(
        {
            **edition.definitions.as_data(),
            "organs": [asdict(o) for o in edition.organs],
            "last_year": {key: _kept_figure(figure) for key, figure in edition.last_year.items()},
            "series": [asdict(s) for s in edition.series],
            "account": [asdict(line) for line in edition.account],
            **({"cities": [c.as_data() for c in edition.cities]} if edition.cities else {}),
        },
        ensure_ascii=False,
    )


def _kept_figure(figure: CellValue) -> list[str | None]:
    numbers = (figure.value, figure.numerator, figure.denominator)
    told = [None if v is None else number(v) for v in numbers]
    return told if figure.text is None else [*told, figure.text]


def _write_cells(connection: Connection, edition: Edition) -> None:
    with tempfile.TemporaryDirectory(prefix="nianbao-cells-") as folder:
        path = Path(folder) / "figures.csv"
        write_figures(path, ((group, found.items()) for group, found in edition.cells.items()))
        parts = ", ".join(f"split_part(cell, '.', {at})" for at in (1, 2, 3))
        connection.execute(
            "INSERT INTO yearly.cell (edition_id, organ_id, scope, cell, table_key, row_key, "
            "column_key, value, numerator, denominator, cell_text) "
            f"SELECT {quoted(edition.id)}, organ_id, scope, cell, {parts}, value, numerator, denominator, "
            f"cell_text FROM ({figures_sql(path)})"
        )


def keep_approval(
    lake: Lake, edition: Edition, approval: Approval, publication: Publication
) -> bool:
    """Write the approval, its answers and the publication's link of the chain in one transaction;
    the published edition of the report gives way. False, and nothing written, when the edition
    does not wait any more, was built again for another reason since its files were written, or
    another publication took the place in the chain."""
    with lake.write() as connection, transaction(connection):
        row = find_row(connection, edition.id)
        if row is None or not row.is_pending:
            return False
        if (row.reason or "", row.built_by) != (edition.reason, approval.built_by):
            return False
        link = (publication.publication_number, publication.previous_hash)
        number, head = last_link(publications(connection))
        if link != (number + 1, head):
            return False
        register(connection, publication)
        _supersede(connection, edition, "published")
        connection.execute(
            "UPDATE yearly.edition SET edition_status = 'published', approved_by = ?, "
            "approved_at = ?, statement = ?, manifest_hash = ? WHERE edition_id = ?",
            [
                approval.approver,
                approval.approved_at,
                approval.statement,
                publication.manifest_hash,
                edition.id,
            ],
        )
        for (organ_id, key), reason in approval.answers.items():
            connection.execute(
                "UPDATE yearly.check_result SET verdict = ?, verdict_by = ?, verdict_at = ? "
                "WHERE edition_id = ? AND organ_id = ? AND check_key = ?",
                [reason, approval.approver, approval.approved_at, edition.id, organ_id, key],
            )
    return True


def copy_rows(connection: Connection, edition_id: str, database: str) -> None:
    """The rows of an edition, but for its cells, as tables of an attached database."""
    for table in ("edition", "check_result", "check_record"):
        connection.execute(
            f"CREATE TABLE {database}.{table} AS SELECT * FROM lake.yearly.{table} "
            "WHERE edition_id = ? ORDER BY ALL",
            [edition_id],
        )
