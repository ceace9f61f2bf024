"""Cells and findings for machines: CSV, Parquet, JSON, and the JSON of `nianbao tables`."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.editions import figures as written
from tasks.editions.figure_file import figures_sql, write_figures
from tasks.render.findings import code_order
from warehouse import csv_lines
from warehouse.layout import OVERVIEW
from warehouse.numbers import json_number, plain
from warehouse.spreadsheet import safe_text as safe_text

if TYPE_CHECKING:
    from tasks.editions.edition import CellValue, Edition, Finding, RecordReference
    from warehouse.layout import Cell, Layout

CELL_COLUMNS = (
    "edition_id",
    "report_year",
    "layout",
    "organ_id",
    "organ_name",
    "scope",
    "cell",
    "table_key",
    "row_key",
    "column_key",
    "row_label",
    "column_label",
    "is_derived",
    "value",
    "numerator",
    "denominator",
    "unit",
)
MOST_IN_CSV = 200
"""A city's organs: with some five hundred figures each a spreadsheet program still opens them."""
TEXT_COLUMN = "text"
"""A further column of the cells of a form that has cells of words."""
FINDING_COLUMNS = (
    "edition_id",
    "organ_id",
    "organ_name",
    "code",
    "check_key",
    "severity",
    "check_status",
    "message",
    "equation",
    "gap",
    "record_count",
)
RECORD_COLUMNS = (
    "edition_id",
    "code",
    "check_key",
    "check_organ_id",
    "table_name",
    "source_system",
    "record_id",
    "record_organ_id",
    "record_organ_name",
    "record_on",
    "detail",
)


def cell_columns(layout: Layout) -> tuple[str, ...]:
    """The columns of a layout's cells."""
    has_words = any(cell.text is not None for cell in layout.cells.values())
    return (*CELL_COLUMNS, TEXT_COLUMN) if has_words else CELL_COLUMNS


def _write_csv(path: Path, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    # The byte order mark lets spreadsheet programs read the Chinese text as UTF-8.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _figures(
    edition: Edition, of: Container[str] | None = None
) -> Iterator[tuple[tuple[str, str], list[tuple[Cell, CellValue]]]]:
    """Every figure by organ and scope, in the order of organs and of the layout; `of` limits to organs
    by id."""
    order = {organ.id: at for at, organ in enumerate(edition.organs)}
    wanted = [group for group in edition.cells if of is None or group[0] in of]
    cells = [*edition.layout.cells.items()]
    of_all = [(key, cell) for key, cell in cells if not cell.only_root]
    for group in sorted(wanted, key=lambda g: (order.get(g[0], len(order)), g)):
        figures = edition.cells[group]
        shown = cells if group[0] == edition.root.id else of_all
        yield group, [(cell, figures[key]) for key, cell in shown if key in figures]


def _csv_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return safe_text(value)
    return plain(value)


def write_cells_csv(edition: Edition, path: Path, organ_id: str = "") -> None:
    """The cells of every organ, one a line; UTF-8 with byte order mark. With `organ_id` those of the
    root and of that organ. Of more than `MOST_IN_CSV` organs the root's alone: no spreadsheet program
    would open all, and they are in the Parquet file."""
    organs = {one for one, _ in edition.cells}
    if organ_id or len(organs) > MOST_IN_CSV:
        organs = {edition.root.id, organ_id}
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        file.write(csv_lines.line(cell_columns(edition.layout)) + csv_lines.END)
        file.writelines(_cell_lines(edition, organs))


def _cell_lines(edition: Edition, of: Container[str]) -> Iterator[str]:
    """The figures of some organs as lines of CSV, with `cell_columns`. What all lines of an organ or of a
    cell say, and what one figure says wherever it stands, is written down once."""
    layout = edition.layout
    names = {organ.id: organ.name for organ in edition.organs}
    has_words = TEXT_COLUMN in cell_columns(layout)
    cells = {
        c.key: (
            _further(c.key, c.table, c.row, c.column, c.label, c.column_label, c.derived),
            _further(c.unit),
        )
        for c in layout.cells.values()
    }
    told: dict[int, tuple[str, str]] = {}
    for (organ_id, scope), figures in _figures(edition, of):
        about = (edition.id, edition.report_year, layout.name)
        about_organ = (organ_id, names.get(organ_id, ""), scope)
        head = csv_lines.line(map(_csv_value, (*about, *about_organ)))
        for cell, v in figures:
            if id(v) not in told:
                words = _further(v.text) if has_words else ""
                told[id(v)] = _further(v.value, v.numerator, v.denominator), words
            (what, unit), (numbers, words) = cells[cell.key], told[id(v)]
            yield f"{head}{what}{numbers}{unit}{words}{csv_lines.END}"


def _further(*values: Any) -> str:
    return csv_lines.further(map(_csv_value, values))


def write_cells_parquet(edition: Edition, path: Path) -> None:
    """All cells of all organs, one a row, values as DECIMAL(24, 6) as the warehouse stores them.

    What is the same for all rows, for an organ's and for a cell's is written down once: of hundreds
    of organs the figures alone are half a million rows.
    """
    from warehouse.lake import in_memory
    from warehouse.sql import quoted, rows_sql

    layout = edition.layout
    organs = dict.fromkeys((one for one, _ in edition.cells), "")
    organs |= {organ.id: organ.name for organ in edition.organs}
    cells = [
        (c.key, c.table, c.row, c.column, c.label, c.column_label, c.derived, c.unit)
        for c in layout.cells.values()
    ]
    given = {
        "edition_id": quoted(edition.id),
        "report_year": f"CAST({edition.report_year} AS BIGINT)",
        "layout": quoted(layout.name),
        "is_derived": "CAST(is_derived AS BOOLEAN)",
        TEXT_COLUMN: "coalesce(cell_text, '')",
    }
    columns = ", ".join(f"{given.get(name, name)} AS {name}" for name in cell_columns(layout))
    labels = ("cell", *CELL_COLUMNS[7:13], "unit")
    # One thread: row groups in the order of the rows, so the bytes repeat.
    with (
        tempfile.TemporaryDirectory(prefix="nianbao-cells-") as folder,
        in_memory(threads=1) as connection,
    ):
        told = Path(folder) / "figures.csv"
        write_figures(
            told,
            (
                (group, ((cell.key, v) for cell, v in figures))
                for group, figures in _figures(edition)
            ),
        )
        connection.execute(f"CREATE TABLE label AS {rows_sql(labels, cells)}")
        connection.execute(
            f"CREATE TABLE name AS {rows_sql(('organ_id', 'organ_name'), [*organs.items()])}"
        )
        connection.execute(
            f"COPY (SELECT {columns} FROM ({figures_sql(told)}) AS figure JOIN label USING (cell) "
            f"JOIN name USING (organ_id) ORDER BY place) TO {quoted(path)} (FORMAT parquet, COMPRESSION zstd)"
        )


def write_json(path: Path, content: Any) -> None:
    """Write JSON values, indented, in the order they come."""
    import msgspec

    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def head(edition: Edition) -> dict[str, Any]:
    """The edition in four words, as every JSON output begins."""
    return {
        "id": edition.id,
        "number": edition.number,
        "status": edition.status,
        "snapshot": edition.snapshot,
    }


def printed_number(cell: Cell, value: CellValue | None) -> int | float | str | None:
    """The figure as it is printed, as a JSON number; a cell of words as its text, a question as how
    many said yes."""
    if cell.text is not None:
        return (value.text or None) if value else None
    return json_number(written.number(cell, value))


def rate_json(cell: Cell, value: CellValue | None) -> dict[str, Any]:
    """A percentage with its sides and both ways of writing it."""
    percentage = written.rate(cell, value)
    return {
        "value": printed_number(cell, value),
        "numerator": json_number(value.numerator) if value else None,
        "denominator": json_number(value.denominator) if value else None,
        "truncated": json_number(percentage.truncated) if percentage else None,
        "rounded": json_number(percentage.rounded) if percentage else None,
    }


def record_json(record: RecordReference) -> dict[str, Any]:
    """A record behind a finding: where it is, whose it is, when it was, what is wrong."""
    return {
        "source": record.source_system,
        "id": record.record_id,
        "organ": {"id": record.organ_id, "name": record.organ_name},
        "on": record.record_on.isoformat() if record.record_on else None,
        "detail": record.detail,
        "table": record.table,
    }


def check_json(finding: Finding) -> dict[str, Any]:
    """A check with the records behind it."""
    return {
        "code": finding.code,
        "status": finding.status,
        "message": finding.message,
        "records": [record_json(record) for record in finding.records],
        "key": finding.key,
        "organ": {"id": finding.organ_id, "name": finding.organ_name},
        "severity": finding.severity,
        "equation": finding.equation,
        "gap": json_number(finding.gap),
        "record_count": finding.record_count,
    }


def tables_json(edition: Edition, organ_id: str | None = None) -> dict[str, Any]:
    """What `nianbao tables YEAR --json` prints; see `tasks.render.tables_json`."""
    figures = edition.figures(organ_id)
    is_root = organ_id in (None, edition.root.id)
    organ = edition.root if organ_id is None or is_root else edition.organ(organ_id)
    cells: dict[str, Any] = {}
    derived: dict[str, Any] = {}
    overview: dict[str, Any] = {}
    rates: dict[str, Any] = {}
    for key, cell in edition.layout.cells.items():
        value = figures.get(key)
        if cell.table != OVERVIEW:
            (derived if cell.derived else cells)[key] = printed_number(cell, value)
        elif edition.has_figure(cell, organ.id):
            overview[cell.row] = printed_number(cell, value)
            if written.is_percentage(cell):
                rates[cell.row] = rate_json(cell, value)
    return {
        "report_year": edition.report_year,
        "layout": edition.layout.name,
        "organ": {"id": organ.id, "name": organ.name},
        "edition": head(edition),
        "cells": cells,
        "overview": overview,
        "checks": [check_json(f) for f in findings_of(edition, organ.id)],
        "derived": derived,
        "rates": rates,
        "is_synthetic": edition.is_synthetic,
        "definitions": definitions_json(edition.layout),
    }


def definitions_json(layout: Layout) -> dict[str, dict[str, Any]]:
    """What each figure counts, in words and with its article, by key."""
    return {
        key: {
            "label": cell.label,
            "column_label": cell.column_label,
            "unit": cell.unit,
            "article": cell.article,
            "definition": written.definition(layout, cell),
            "is_derived": cell.derived,
        }
        for key, cell in layout.cells.items()
    }


def findings_of(edition: Edition, organ_id: str) -> list[Finding]:
    """The checks of one organ's tables; the root's include those of no known organ."""
    known = {organ.id for organ in edition.organs}
    mine = [
        f
        for f in edition.findings
        if f.organ_id == organ_id or (organ_id == edition.root.id and f.organ_id not in known)
    ]
    return sorted(mine, key=lambda f: (code_order(f.code), f.key))


def write_cells_json(edition: Edition, path: Path) -> None:
    """Definitions once, then every organ's figures by scope."""
    layout = edition.layout
    organs = []
    for organ in edition.organs:
        scopes: dict[str, Any] = {}
        own = edition.cells.get((organ.id, "own"))
        for scope in ("own", "rolled_up"):
            figures = edition.cells.get((organ.id, scope))
            # An organ without others below it has the same figures in both.
            if scopes and figures is own:
                scopes[scope] = scopes["own"]
            elif figures is not None:
                scopes[scope] = {
                    key: printed_number(cell, figures[key])
                    for key, cell in layout.cells.items()
                    if key in figures and edition.has_figure(cell, organ.id)
                }
        organs.append(
            {
                "id": organ.id,
                "name": organ.name,
                "kind": organ.kind,
                "parent_id": organ.parent_id,
                **scopes,
            }
        )
    write_json(
        path,
        {
            "report_year": edition.report_year,
            "layout": layout.name,
            "edition": head(edition) | {"cell_hash": edition.cell_hash},
            "is_synthetic": edition.is_synthetic,
            "definitions": definitions_json(layout),
            "organs": organs,
        },
    )


def write_findings_csv(edition: Edition, path: Path) -> None:
    """Every check of every organ, passed ones too, one a line."""
    _write_csv(
        path,
        FINDING_COLUMNS,
        (
            [
                edition.id,
                safe_text(f.organ_id),
                safe_text(f.organ_name),
                f.code,
                f.key,
                f.severity,
                f.status,
                safe_text(f.message),
                safe_text(f.equation),
                "" if f.gap is None else plain(f.gap),
                str(f.record_count),
            ]
            for f in edition.findings
        ),
    )


def write_finding_records_csv(edition: Edition, path: Path) -> None:
    """The records behind open checks, one a line."""
    _write_csv(
        path,
        RECORD_COLUMNS,
        (
            [
                edition.id,
                f.code,
                f.key,
                safe_text(f.organ_id),
                r.table,
                safe_text(r.source_system),
                safe_text(r.record_id),
                safe_text(r.organ_id or ""),
                safe_text(r.organ_name or ""),
                r.record_on.isoformat() if r.record_on else "",
                safe_text(r.detail),
            ]
            for f in edition.open_findings
            for r in f.records
        ),
    )


def write_findings_json(edition: Edition, path: Path) -> None:
    """How many checks ended how, by rule; then every check that did not pass, with records."""
    counts: dict[str, dict[str, int]] = {}
    for finding in edition.findings:
        by_status = counts.setdefault(finding.code, {})
        by_status[finding.status] = by_status.get(finding.status, 0) + 1
    write_json(
        path,
        {
            "report_year": edition.report_year,
            "edition": head(edition),
            "counts": {
                code: dict(sorted(counts[code].items())) for code in sorted(counts, key=code_order)
            },
            "findings": [check_json(f) for f in edition.findings if f.status != "pass"],
        },
    )
