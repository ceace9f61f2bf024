"""Editions read back from the lake, whole or for one organ."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tasks.editions.account import TRIAL, Line
from tasks.editions.definitions import Definitions
from tasks.editions.edition import (
    Approval,
    CellValue,
    CityEdition,
    Edition,
    Finding,
    Organ,
    RecordReference,
    Scope,
    Series,
    in_order,
    record_order,
)
from tasks.editions.fingerprints import cell_hash, findings_hash
from tasks.editions.store.rows import EditionRow, edition_rows, editions_of, find_row
from warehouse.errors import EntryError
from warehouse.form import ANNUAL_REPORT, Form
from warehouse.lake import Connection, Lake, stored_columns
from warehouse.period import Period
from warehouse.reading import Reading
from warehouse.sql import quoted

FETCHED_AT_ONCE = 20_000
Cells = dict[tuple[str, Scope], dict[str, CellValue]]


class NoEdition(EntryError):
    """There is no such edition; the message says how to make one."""


def load_edition(
    lake: Lake, edition_id: str, *, organ_id: str | None = None, with_figures: bool = True
) -> Edition:
    """Read an edition back as it was built.

    With `organ_id` only that organ's figures are read, without `with_figures` none, which is
    quick. Raises NoEdition, which names those there are.
    """
    with lake.read() as connection:
        rows = edition_rows(connection)
        row = next((r for r in rows if r.edition_id == edition_id), None)
        if row is None:
            known = "、".join(r.edition_id for r in rows)
            told = f"现有版次:{known}" if known else "还没有任何版次"
            raise NoEdition(f"没有版次 {edition_id}。{told}")
        return read_row(connection, row, organ_id, with_figures=with_figures)


def newest_edition(
    lake: Lake,
    form: Form,
    period: Period,
    *,
    organ_id: str | None = None,
    with_figures: bool = True,
) -> Edition:
    """The newest edition of a report, read as `load_edition` does. Raises NoEdition."""
    with lake.read() as connection:
        found = editions_of(connection, form.key, period)
        if not found:
            option = "" if form.key == ANNUAL_REPORT else f" --form {form.key}"
            raise NoEdition(
                f"还没有{form.named(period)}的版次。请先运行 nianbao year-end {period.key}{option}"
            )
        return read_row(connection, found[0], organ_id, with_figures=with_figures)


def read_row(
    connection: Connection,
    row: EditionRow,
    organ_id: str | None = None,
    *,
    with_figures: bool = True,
    with_passed: bool = True,
) -> Edition:
    """The edition of a row; see `load_edition`. Without `with_passed` the checks that passed are
    left out, which are nearly all of them."""
    text = connection.execute(
        f"SELECT definitions FROM lake.yearly.edition WHERE edition_id = {quoted(row.edition_id)}"
    ).fetchone()
    assert text is not None
    kept = json.loads(text[0])
    definitions = Definitions.from_data(kept)
    organs = tuple(Organ(**organ) for organ in kept["organs"])
    cities = tuple(CityEdition.from_data(city) for city in kept.get("cities", ()))
    return Edition(
        id=row.edition_id,
        number=row.edition_number,
        status=row.edition_status,
        form=definitions.parsed_form,
        period=row.period,
        layout=definitions.parsed_layout,
        snapshot=row.lake_snapshot,
        data_as_of=row.data_as_of,
        built_at=row.built_at,
        cell_hash=row.cell_hash,
        definition_hash=row.definition_hash,
        root=organs[0],
        organs=organs,
        cells=read_cells(connection, row.edition_id, organ_id) if with_figures else {},
        findings=_read_findings(connection, row.edition_id, organs, with_passed=with_passed),
        last_year={k: cell_value(v) for k, v in kept["last_year"].items()},
        series=tuple(
            Series(s["key"], s["title"], s["unit"], tuple((p[0], p[1], p[2]) for p in s["points"]))
            for s in kept["series"]
        ),
        account=tuple(Line.from_data(line) for line in kept.get("account", ())),
        cities=cities,
        is_synthetic=definitions.is_synthetic or any(city.is_synthetic for city in cities),
        reason=row.reason,
        software=row.software_version,
        definitions=definitions,
    )


def pinned_cities(connection: Connection, edition_id: str) -> tuple[CityEdition, ...]:
    """The cities' editions that a province's edition adds up."""
    row = connection.execute(
        "SELECT definitions FROM lake.yearly.edition WHERE edition_id = ?", [edition_id]
    ).fetchone()
    kept = json.loads(row[0]) if row else {}
    return tuple(CityEdition.from_data(city) for city in kept.get("cities", ()))


def with_all_records(lake: Lake, edition: Edition) -> Edition:
    """The edition with every record behind its open findings, where it held the first only.

    An edition that is not stored in the lake stays as it is.
    """
    short = {(f.organ_id, f.key) for f in edition.open_findings if f.record_count > len(f.records)}
    if not short or not lake.exists():
        return edition
    with lake.read() as connection:
        stored = _read_records(connection, edition.id, edition.organs)
    findings = tuple(
        replace(f, records=more)
        if (f.organ_id, f.key) in short
        and len(more := stored.get((f.organ_id, f.key), ())) > len(f.records)
        else f
        for f in edition.findings
    )
    return replace(edition, findings=findings)


@dataclass(frozen=True)
class KeptFigure:
    """A figure as an edition keeps it: of which edition, organ and scope."""

    edition_id: str
    organ_id: str
    scope: Scope
    value: CellValue


def kept_figures(
    connection: Connection,
    cell: str,
    *,
    edition_id: str | None = None,
    organ_id: str | None = None,
) -> list[KeptFigure]:
    """One cell as editions keep it: of one edition for every organ, or of one organ in every
    edition that has it."""
    given = {"edition_id": edition_id, "organ_id": organ_id}
    wanted = {name: value for name, value in given.items() if value is not None}
    conditions = "".join(f" AND {name} = ?" for name in wanted)
    rows = connection.execute(
        "SELECT edition_id, organ_id, scope, value, numerator, denominator "
        f"FROM lake.yearly.cell WHERE cell = ?{conditions} ORDER BY ALL",
        [cell, *wanted.values()],
    ).fetchall()
    return [KeptFigure(e, o, scope, CellValue(*figure)) for e, o, scope, *figure in rows]


def differing_cells(connection: Connection, before: str, after: str) -> tuple[Cells, Cells]:
    """The figures that are others in one edition than in another, as each of the two has them."""
    sides: tuple[Cells, Cells] = (defaultdict(dict), defaultdict(dict))
    names = ("value", "numerator", "denominator")
    columns = ", ".join(f"{side}.{name}" for side in "ba" for name in names)
    differs = " OR ".join(f"b.{name} IS DISTINCT FROM a.{name}" for name in names)
    for organ, scope, key, *figures in connection.execute(
        f"SELECT organ_id, scope, cell, {columns} "
        "FROM (FROM lake.yearly.cell WHERE edition_id = ?) AS b "
        "FULL JOIN (FROM lake.yearly.cell WHERE edition_id = ?) AS a "
        f"USING (organ_id, scope, cell) WHERE {differs} ORDER BY organ_id, scope, cell",
        [before, after],
    ).fetchall():
        for cells, figure in zip(sides, (figures[:3], figures[3:]), strict=True):
            cells[(organ, scope)][key] = CellValue(*figure)
    return dict(sides[0]), dict(sides[1])


def editions_with_figure(connection: Connection, number_: Decimal) -> set[str]:
    """The editions in which some figure of the whole city is a number."""
    rows = connection.execute(
        "SELECT DISTINCT c.edition_id FROM lake.yearly.cell AS c "
        "JOIN lake.yearly.edition AS e USING (edition_id) WHERE c.value = ? "
        "AND c.scope = 'rolled_up' "
        "AND c.organ_id = json_extract_string(e.definitions, '$.organs[0].id')",
        [number_],
    ).fetchall()
    return {edition_id for (edition_id,) in rows}


def counted_checks(connection: Connection, edition_id: str) -> dict[str, int]:
    """How many checks of an edition came to what, by status."""
    rows = connection.execute(
        "SELECT check_status, count(*) FROM lake.yearly.check_result WHERE edition_id = ? "
        "GROUP BY check_status ORDER BY check_status",
        [edition_id],
    ).fetchall()
    return dict(rows)


def trial_editions(connection: Connection) -> set[str]:
    """The editions of a year that was not complete (试编)."""
    rows = connection.execute(
        "SELECT DISTINCT edition_id FROM lake.yearly.check_result "
        "WHERE check_status = 'fail' AND code IN (SELECT unnest(?))",
        [sorted(TRIAL)],
    ).fetchall()
    return {edition_id for (edition_id,) in rows}


def answers_of(connection: Connection, edition_id: str) -> list[tuple[str, str, str]]:
    """(organ id, check key, reason) of what was answered for when an edition was approved."""
    return connection.execute(
        "SELECT organ_id, check_key, verdict FROM lake.yearly.check_result "
        "WHERE edition_id = ? AND verdict IS NOT NULL ORDER BY ALL",
        [edition_id],
    ).fetchall()


def cell_value(values: Sequence[str | None]) -> CellValue:
    """A figure of last year as an edition's row keeps it."""
    value, numerator, denominator = (None if v is None else Decimal(v) for v in values[:3])
    return CellValue(value, numerator, denominator, values[3] if len(values) > 3 else None)


def read_cells(connection: Connection, edition_id: str, organ_id: str | None) -> Cells:
    """An edition's figures by (organ id, scope); those of one organ, or of all."""
    cells: Cells = defaultdict(dict)
    condition, values = ("AND organ_id = ?", [organ_id]) if organ_id else ("", [])
    # A lake of an earlier version, or its snapshot, has no texts.
    text = "cell_text" if "cell_text" in stored_columns(connection)["yearly.cell"] else "NULL"
    cursor = connection.execute(
        f"SELECT organ_id, scope, cell, value, numerator, denominator, {text} FROM lake.yearly.cell "
        f"WHERE edition_id = ? {condition}",
        [edition_id, *values],
    )
    for organ, scope, key, figure in figures_of(cursor):
        cells[(organ, scope)][key] = figure
    return dict(cells)


def figures_of(cursor: Connection) -> Iterator[tuple[str, Scope, str, CellValue]]:
    """(organ, scope, cell, figure) of a query for those columns and a figure's four.

    Most figures and all keys are alike, so each is one object: a province has millions.
    """
    known: dict[tuple[Any, ...], CellValue] = {}
    keys: dict[str, str] = {}
    while rows := cursor.fetchmany(FETCHED_AT_ONCE):
        for organ, scope, key, *told in rows:
            told_ = tuple(told)
            figure = known.get(told_)
            if figure is None:
                figure = known[told_] = CellValue(*told_)
            yield organ, scope, keys.setdefault(key, key), figure


def _read_records(
    connection: Connection, edition_id: str, organs: Sequence[Organ]
) -> dict[tuple[str, str], tuple[RecordReference, ...]]:
    """The records behind an edition's findings by (organ id, check key)."""
    names = {organ.id: organ.name for organ in organs}
    records: dict[tuple[str, str], list[RecordReference]] = defaultdict(list)
    for organ, key, table, source, record_id, owner, on, detail in connection.execute(
        "SELECT organ_id, check_key, table_name, source_system, record_id, record_organ_id, "
        "record_on, coalesce(detail, '') FROM lake.yearly.check_record "
        f"WHERE edition_id = {quoted(edition_id)}"
    ).fetchall():
        records[(organ, key)].append(
            RecordReference(table, source, record_id, owner, names.get(owner), on, detail)
        )
    return {place: tuple(sorted(found, key=record_order)) for place, found in records.items()}


def _read_findings(
    connection: Connection, edition_id: str, organs: Sequence[Organ], *, with_passed: bool
) -> tuple[Finding, ...]:
    names = {organ.id: organ.name for organ in organs}
    records = _read_records(connection, edition_id, organs)
    condition = "" if with_passed else "AND check_status <> 'pass'"
    rows = connection.execute(
        "SELECT code, check_key, organ_id, severity, check_status, message, coalesce(equation, ''), "
        "gap, record_count FROM lake.yearly.check_result "
        f"WHERE edition_id = {quoted(edition_id)} {condition}"
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
            records=records.get((organ, key), ()),
            record_count=count,
        )
        for code, key, organ, severity, status, message, equation, gap, count in rows
    )
    return in_order(found, organs)


def kept_approval(lake: Lake, edition_id: str) -> Approval | None:
    """The approval of an edition as the lake keeps it; None for one never published."""
    with lake.read() as connection:
        row = find_row(connection, edition_id)
        if row is None or row.approved_at is None:
            return None
        before = [
            r.edition_id
            for r in editions_of(connection, row.form, row.period)
            if r.edition_number < row.edition_number and r.approved_at
        ]
        answers = answers_of(connection, edition_id)
    return Approval(
        approver=row.approved_by,
        approved_at=row.approved_at,
        statement=row.statement,
        built_by=row.built_by,
        replaces=before[0] if before else None,
        answers={(organ, key): reason for organ, key, reason in answers},
    )


@dataclass(frozen=True)
class SignedEdition:
    """What was published of a report: the edition's id, the snapshot it stands on, its
    definitions and the figures of every organ with those below it, by organ id."""

    edition_id: str
    snapshot: int
    definitions: Definitions
    root_id: str
    figures: Mapping[str, Mapping[str, CellValue]]

    @property
    def root_figures(self) -> Mapping[str, CellValue]:
        return self.figures.get(self.root_id, {})


def signed_edition(connection: Connection, form: str, period: Period) -> SignedEdition | None:
    """The published edition of a report as a snapshot of the lake has it; None when none is."""
    row = next((r for r in editions_of(connection, form, period) if r.is_published), None)
    if row is None:
        return None
    text = connection.execute(
        f"SELECT definitions FROM lake.yearly.edition WHERE edition_id = {quoted(row.edition_id)}"
    ).fetchone()
    assert text is not None
    kept = json.loads(text[0])
    cells = read_cells(connection, row.edition_id, None)
    figures = {organ: values for (organ, scope), values in cells.items() if scope == "rolled_up"}
    return SignedEdition(
        row.edition_id,
        row.lake_snapshot,
        Definitions.from_data(kept),
        str(kept["organs"][0]["id"]),
        figures,
    )


def changed_rows(lake: Lake, edition_id: str) -> list[str]:
    """Tables of the lake whose rows of an edition no longer give the fingerprints that were
    taken when it was built. What an earlier version fingerprinted otherwise is left out."""
    edition = load_edition(lake, edition_id)
    with lake.read() as connection:
        row = find_row(connection, edition_id)
    assert row is not None
    definitions = edition.definitions
    is_complete = definitions is not None and not definitions.not_kept
    found = []
    if cell_hash(edition.cells) != edition.cell_hash:
        found.append("yearly.cell")
    if is_complete and findings_hash(edition.findings) != row.findings_hash:
        found.append("yearly.check_result")
    if is_complete and definitions and definitions.fingerprint != edition.definition_hash:
        found.append("yearly.edition")
    return found


def figures_besides_tables(connection: Connection, edition: Edition) -> dict[str, Any]:
    """What decides an edition besides core tables, corrections and quarantine: which tables
    were ever loaded, and what was published for the year before."""
    loaded = Reading(connection, 0).loaded_tables
    before = signed_edition(connection, edition.form.key, edition.period.year_before)
    return {"ops.load": loaded, "yearly.edition": before and (before.edition_id, before.figures)}
