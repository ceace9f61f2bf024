"""Editions in the lake: written whole, read back whole or for one organ."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from hashlib import sha256
from typing import Any

from expectations.balance import number
from tasks.editions.definitions import Definitions
from tasks.editions.edition import (
    CellValue,
    Edition,
    Finding,
    Organ,
    RecordReference,
    Scope,
    Series,
    in_order,
    record_order,
)
from warehouse.errors import EntryError
from warehouse.lake import Connection, Lake, transaction
from warehouse.reading import Reading
from warehouse.sql import insert_many

Cells = dict[tuple[str, Scope], dict[str, CellValue]]


class NoEdition(EntryError):
    """There is no such edition; the message says how to make one."""


def cell_hash(cells: Any) -> str:
    """The fingerprint of all cells: organ, scope, key, value, numerator, denominator, sorted."""
    digest = sha256()
    for (organ_id, scope), figures in sorted(cells.items()):
        for key, figure in sorted(figures.items()):
            written = "\t".join(map(number, (figure.value, figure.numerator, figure.denominator)))
            digest.update(f"{organ_id}\t{scope}\t{key}\t{written}\n".encode())
    return digest.hexdigest()


def findings_hash(findings: Sequence[Finding]) -> str:
    """The fingerprint of what every check came to: all that is kept of it, and of each record
    it names."""
    digest = sha256()
    for written in sorted(map(_written, findings)):
        digest.update(f"{written}\n".encode())
    return digest.hexdigest()


def _written(f: Finding) -> str:
    parts = [f.organ_id, f.key, f.code, f.severity, f.status, f.message, f.equation]
    parts += [number(f.gap), str(f.record_count)]
    for r in f.records:
        place = (r.table, r.source_system, r.record_id, r.organ_id or "", str(r.record_on or ""))
        parts.append("\t".join((*place, r.detail)))
    return "\t".join(parts)


def _kept_definitions(edition: Edition) -> str:
    """The definitions, and what was built besides cells and findings, as JSON; see `load`."""
    if edition.definitions is None:
        raise ValueError(f"edition {edition.id} has no definitions")
    return json.dumps(
        {
            **edition.definitions.as_data(),
            "organs": [asdict(o) for o in edition.organs],
            "last_year": {
                key: [None if v is None else number(v) for v in asdict(figure).values()]
                for key, figure in edition.last_year.items()
            },
            "series": [asdict(s) for s in edition.series],
        },
        ensure_ascii=False,
    )


def save(lake: Lake, edition: Edition, built_by: str) -> None:
    """Write a pending edition in one transaction; earlier pending ones of its year give way."""
    with lake.write() as connection, transaction(connection):
        connection.execute(
            "UPDATE yearly.edition SET edition_status = 'superseded' "
            "WHERE report_year = ? AND edition_status = 'pending'",
            [edition.report_year],
        )
        edition_row: dict[str, Any] = {
            "edition_id": edition.id,
            "report_year": edition.report_year,
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
        insert_many(connection, "yearly.edition", [list(edition_row.values())], list(edition_row))
        insert_many(
            connection,
            "yearly.cell",
            [
                (
                    edition.id,
                    organ_id,
                    scope,
                    key,
                    *_place(key),
                    v.value,
                    v.numerator,
                    v.denominator,
                )
                for (organ_id, scope), figures in edition.cells.items()
                for key, v in figures.items()
            ],
            ("edition_id", "organ_id", "scope", "cell", "table_key", "row_key", "column_key")
            + ("value", "numerator", "denominator"),
        )
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


def restate(lake: Lake, edition_id: str, reason: str, built_by: str) -> None:
    """Keep why, and by whom, a pending edition was built that came out the same again. Whoever
    was named as its builder stays so: a second name must not make the first an approver."""
    with lake.read() as connection:
        row = connection.execute(
            "SELECT coalesce(reason, ''), coalesce(built_by, '') FROM yearly.edition "
            "WHERE edition_id = ?",
            [edition_id],
        ).fetchone()
    if row is None or row == (reason, row[1] or built_by):
        return
    with lake.write() as connection, transaction(connection):
        connection.execute(
            "UPDATE yearly.edition SET reason = ?, built_by = ? "
            "WHERE edition_id = ? AND edition_status = 'pending'",
            [reason or None, row[1] or built_by, edition_id],
        )


def _place(key: str) -> tuple[str, str, str]:
    table, row, *column = key.split(".")
    return table, row, column[0] if column else ""


_EDITION = """
SELECT edition_id, edition_number, edition_status, report_year, lake_snapshot, data_as_of, built_at,
    cell_hash, definition_hash, definitions, coalesce(reason, ''), findings_hash, software_version
FROM lake.yearly.edition
"""


def find(
    connection: Connection, year: int, edition_id: str | None = None
) -> tuple[Any, ...] | None:
    """The newest edition of a year, or the one named, as a row; None when there is none."""
    if edition_id:
        return connection.execute(_EDITION + "WHERE edition_id = ?", [edition_id]).fetchone()
    return connection.execute(
        _EDITION + "WHERE report_year = ? ORDER BY edition_number DESC LIMIT 1", [year]
    ).fetchone()


def published_figures(connection: Connection, year: int, organ_id: str) -> dict[str, CellValue]:
    """One organ's rolled-up figures in the published edition of a year; empty when none is."""
    row = connection.execute(
        "SELECT edition_id FROM lake.yearly.edition WHERE report_year = ? AND edition_status = 'published' "
        "ORDER BY edition_number DESC LIMIT 1",
        [year],
    ).fetchone()
    if row is None:
        return {}
    cells = _read_cells(connection, row[0], organ_id)
    return cells.get((organ_id, "rolled_up"), {})


def changed_rows(lake: Lake, edition_id: str) -> list[str]:
    """Tables of the lake whose rows of an edition no longer give the fingerprints that were
    taken when it was built. What an earlier version fingerprinted otherwise is left out."""
    edition = load(lake, 0, edition_id=edition_id)
    with lake.read() as connection:
        row = find(connection, 0, edition_id)
    assert row is not None
    definitions = edition.definitions
    is_complete = definitions is not None and not definitions.not_kept
    found = []
    if cell_hash(edition.cells) != edition.cell_hash:
        found.append("yearly.cell")
    if is_complete and findings_hash(edition.findings) != row[11]:
        found.append("yearly.check_result")
    if is_complete and definitions and definitions.fingerprint != edition.definition_hash:
        found.append("yearly.edition")
    return found


def figures_besides_tables(connection: Connection, year: int, organ_id: str) -> dict[str, Any]:
    """What decides an edition besides core tables, corrections and quarantine: which tables
    were ever loaded, and what was published for the year before."""
    loaded = Reading(connection, 0).loaded_tables
    return {"ops.load": loaded, "yearly.edition": published_figures(connection, year - 1, organ_id)}


def load(
    lake: Lake,
    year: int,
    *,
    edition_id: str | None = None,
    organ_id: str | None = None,
    with_figures: bool = True,
) -> Edition:
    """Read an edition back, the newest of the year unless one is named.

    With `organ_id` only that organ's figures are read, without `with_figures` none, which is
    quick. Raises NoEdition.
    """
    with lake.read() as connection:
        row = find(connection, year, edition_id)
        if row is None:
            raise NoEdition(f"还没有 {year} 年的版次。请先运行 nianbao year-end {year}")
        (id_, number_, status, report_year, snapshot, data_as_of, built_at) = row[:7]
        kept = json.loads(row[9])
        definitions = Definitions.from_data(kept)
        organs = tuple(Organ(**organ) for organ in kept["organs"])
        cells = _read_cells(connection, id_, organ_id) if with_figures else {}
        findings = _read_findings(connection, id_, organs)
    return Edition(
        id=id_,
        number=number_,
        status=status,
        report_year=report_year,
        layout=definitions.parsed_layout,
        snapshot=snapshot,
        data_as_of=data_as_of,
        built_at=built_at,
        cell_hash=row[7],
        definition_hash=row[8],
        root=organs[0],
        organs=organs,
        cells=cells,
        findings=findings,
        last_year={k: _cell_value(v) for k, v in kept["last_year"].items()},
        series=tuple(
            Series(s["key"], s["title"], s["unit"], tuple((p[0], p[1], p[2]) for p in s["points"]))
            for s in kept["series"]
        ),
        is_synthetic=definitions.is_synthetic,
        reason=row[10],
        software=row[12],
        definitions=definitions,
    )


def _cell_value(values: Sequence[str | None]) -> CellValue:
    return CellValue(*(None if v is None else Decimal(v) for v in values))


def _read_cells(connection: Connection, edition_id: str, organ_id: str | None) -> Cells:
    cells: Cells = defaultdict(dict)
    condition, values = ("AND organ_id = ?", [organ_id]) if organ_id else ("", [])
    for organ, scope, key, *figure in connection.execute(
        "SELECT organ_id, scope, cell, value, numerator, denominator FROM lake.yearly.cell "
        f"WHERE edition_id = ? {condition}",
        [edition_id, *values],
    ).fetchall():
        cells[(organ, scope)][key] = CellValue(*figure)
    return dict(cells)


def _read_findings(
    connection: Connection, edition_id: str, organs: Sequence[Organ]
) -> tuple[Finding, ...]:
    names = {organ.id: organ.name for organ in organs}
    records: dict[tuple[str, str], list[RecordReference]] = defaultdict(list)
    for organ, key, table, source, record_id, owner, on, detail in connection.execute(
        "SELECT organ_id, check_key, table_name, source_system, record_id, record_organ_id, "
        "record_on, coalesce(detail, '') FROM lake.yearly.check_record WHERE edition_id = ?",
        [edition_id],
    ).fetchall():
        records[(organ, key)].append(
            RecordReference(table, source, record_id, owner, names.get(owner), on, detail)
        )
    rows = connection.execute(
        "SELECT code, check_key, organ_id, severity, check_status, message, coalesce(equation, ''), "
        "gap, record_count FROM lake.yearly.check_result WHERE edition_id = ?",
        [edition_id],
    ).fetchall()
    found = (
        Finding(
            code=code,
            key=key,
            organ_id=organ,
            organ_name=names.get(organ, organ),
            severity=severity,
            status=status,
            message=message,
            equation=equation,
            gap=gap,
            records=tuple(sorted(records[(organ, key)], key=record_order)),
            record_count=count,
        )
        for code, key, organ, severity, status, message, equation, gap, count in rows
    )
    return in_order(found, organs)
