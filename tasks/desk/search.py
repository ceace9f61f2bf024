"""查找: records by their number, figures by name, key or value, editions, organs; by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from tasks.city.names import Names
from tasks.desk.city import names_of
from tasks.desk.data import column_label, edition_without_figures, root_figures
from tasks.desk.kept import kept, one_look
from tasks.desk.reports import EditionState, edition_states
from tasks.desk.sources import table_title
from tasks.editions.account import pulled_tables
from tasks.editions.edition import EDITION_STATUS_LABELS, CellValue, Edition
from tasks.editions.figures import text as written
from tasks.people import log
from tasks.people.office import Office
from warehouse.lake import Lake, stored_rows

MOST = 20
"""Of a kind; more is said to be there."""
SHORTEST = 2
LONGEST = 100


@dataclass(frozen=True)
class FoundRecord:
    """A record whose number, or registered number, holds what was asked for."""

    table: str
    table_title: str
    source: str
    source_title: str
    record_id: str
    organ: str
    number: str


@dataclass(frozen=True)
class FoundFigure:
    """A figure of the newest edition of a report, by its name, its key or its value."""

    edition_id: str
    key: str
    label: str
    value: str


@dataclass(frozen=True)
class FoundEdition:
    """An edition, and why it was found."""

    edition: EditionState
    why: str


@dataclass(frozen=True)
class FoundOrgan:
    organ_id: str
    name: str


@dataclass(frozen=True)
class FoundCorrection:
    """A correction of the register whose record was asked for."""

    table: str
    source: str
    record_id: str
    label: str
    reason: str


@dataclass(frozen=True)
class Found:
    """What was found, by kind; `more` names the kinds of which there is more."""

    asked: str
    records: tuple[FoundRecord, ...] = ()
    corrections: tuple[FoundCorrection, ...] = ()
    figures: tuple[FoundFigure, ...] = ()
    editions: tuple[FoundEdition, ...] = ()
    organs: tuple[FoundOrgan, ...] = ()
    acts: tuple[log.Line, ...] = ()
    more: frozenset[str] = frozenset()
    is_too_short: bool = False

    @property
    def said(self) -> str:
        """The heading: how many of what."""
        if not self.asked:
            return "查记录编号、数字、版次、机关"
        if self.is_too_short:
            return f"“{self.asked}”太短，请至少填 {SHORTEST} 个字"
        parts = [
            f"{'超过 ' if kind in self.more else ''}{len(found)} {word}"
            for kind, found, word in (
                ("records", self.records, "条记录"),
                ("corrections", self.corrections, "条更正"),
                ("figures", self.figures, "个数字"),
                ("editions", self.editions, "个版次"),
                ("organs", self.organs, "个机关"),
                ("acts", self.acts, "次经过"),
            )
            if found
        ]
        return f"查“{self.asked}”：{'，'.join(parts) if parts else '没有找到'}"


def search(lake: Lake, city: Path, office: Office, asked: str) -> Found:
    """Look for what was asked. Raises NoLake."""
    asked = " ".join(asked.split())[:LONGEST]
    if not asked:
        return Found("")
    if len(asked) < SHORTEST:
        return Found(asked, is_too_short=True)
    with one_look(lake):
        names = names_of(city)
        states = edition_states(lake, city)
        records = _records(lake, asked)
        return _cut(
            Found(
                asked,
                records=tuple(_record(one, names) for one in records),
                corrections=_corrections(lake, asked),
                figures=tuple(_figures(lake, states, asked)),
                editions=tuple(_editions(states, asked)),
                organs=tuple(_organs(names, asked)),
                acts=tuple(one for one in log.lines(office) if asked in one.about),
            )
        )


def _cut(found: Found) -> Found:
    """No more than `MOST` of a kind."""
    kinds = ("records", "corrections", "figures", "editions", "organs", "acts")
    all_of = {kind: getattr(found, kind) for kind in kinds}
    return Found(
        found.asked,
        **{kind: of[:MOST] for kind, of in all_of.items()},
        more=frozenset(kind for kind, of in all_of.items() if len(of) > MOST),
    )


_Row = tuple[str, str, str, str | None, str | None]


@kept
def _records(lake: Lake, asked: str) -> tuple[_Row, ...]:
    """Records whose number is, begins with, or holds what was asked for, in this order; as it was
    written, or in capitals. What has no letter or digit of a number is not looked for."""
    if not any(one.isascii() and one.isalnum() for one in asked):
        return ()
    found: list[_Row] = []
    with lake.read() as connection:
        filled = stored_rows(connection)
        for table in pulled_tables():
            # A table that never held a row costs the most to ask.
            if filled.get(table.full_name, 0) is None:
                continue
            columns = {c.name for c in table.columns}
            organ = "organ_id" if "organ_id" in columns else "NULL"
            number = "registered_number" if "registered_number" in columns else "NULL"
            looked_at = ("record_id",) if number == "NULL" else ("record_id", number)
            holds = " OR ".join(f"contains({c}, $a) OR contains({c}, $b)" for c in looked_at)
            rows = connection.execute(
                f"SELECT source_system, record_id, {organ}, {number} FROM core.{table.name} "
                f"WHERE {holds} ORDER BY record_id LIMIT {MOST * 5}",
                {"a": asked, "b": asked.upper()},
            ).fetchall()
            found += [(table.name, *row) for row in rows]
    return tuple(sorted(found, key=lambda row: _place(row, asked.upper()))[: MOST + 1])


def _place(row: _Row, asked: str) -> tuple[int, bool, str, str]:
    """Sorts what is exactly meant before what begins so, applications before other records."""
    name, _, record_id, _, _ = row
    number = record_id.upper()
    place = 0 if number == asked else 1 if number.startswith(asked) else 2
    return place, name != "application", name, record_id


def _record(row: _Row, names: Names) -> FoundRecord:
    table, source, record_id, organ, number = row
    return FoundRecord(
        table,
        table_title(table),
        source,
        names.source(source),
        record_id,
        names.organ(organ) if organ else "",
        number or "",
    )


@kept
def _corrections(lake: Lake, asked: str) -> tuple[FoundCorrection, ...]:
    with lake.read() as connection:
        rows = connection.execute(
            "SELECT table_name, source_system, record_id, column_name, reason FROM ops.correction "
            "WHERE contains(lower(record_id), $asked) OR contains(lower(reason), $asked) "
            f"ORDER BY decided_on DESC, record_id LIMIT {MOST + 1}",
            {"asked": asked.lower()},
        ).fetchall()
    return tuple(
        FoundCorrection(
            table.removeprefix("core."),
            source,
            record_id,
            "整条记录" if column == "*" else column_label(table, column),
            reason,
        )
        for table, source, record_id, column, reason in rows
    )


def _figures(lake: Lake, states: Sequence[EditionState], asked: str) -> list[FoundFigure]:
    """Figures of the whole city, of the newest edition of each report of the newest year."""
    found = []
    seen: set[str] = set()
    for state in states:
        is_current = state.row.edition_status != "superseded" and state.row.period.is_year
        if state.row.form in seen or not is_current:
            continue
        seen.add(state.row.form)
        edition = edition_without_figures(lake, state.id, state.row.cell_hash)
        figures = root_figures(lake, state.id, state.row.cell_hash)
        found += _figures_of(edition, figures, asked)
    return found


def _figures_of(
    edition: Edition, figures: Mapping[str, CellValue], asked: str
) -> list[FoundFigure]:
    value = _number(asked)
    found = []
    for cell in edition.layout.cells.values():
        figure = figures.get(cell.key, CellValue(None))
        is_named = asked in cell.full_label or asked.lower() == cell.key.lower()
        if is_named or (value is not None and figure.value == value):
            found.append(FoundFigure(edition.id, cell.key, cell.full_label, written(cell, figure)))
    return found


def _number(asked: str) -> Decimal | None:
    try:
        value = Decimal(asked.replace(",", "").replace("，", ""))
    except InvalidOperation:
        return None
    # Digits behind zeros are a record's number.
    is_padded = len(asked) > 1 and asked[0] == "0" and asked[1].isdigit()
    return value if value.is_finite() and not is_padded else None


def _editions(states: Sequence[EditionState], asked: str) -> list[FoundEdition]:
    """Editions by their number, who built or approved them, why, their fingerprints or days."""
    low = asked.lower()
    found = []
    for state in states:
        row = state.row
        looks = (
            (low in row.edition_id.lower(), EDITION_STATUS_LABELS.get(row.edition_status, "")),
            (asked == row.built_by, f"编制人{row.built_by}"),
            (asked == row.approved_by, f"批准人{row.approved_by}"),
            (bool(row.reason) and asked in row.reason, row.reason),
            (len(low) >= 6 and row.cell_hash.startswith(low), "数字指纹"),
            (len(low) >= 6 and row.manifest_hash.startswith(low), "清单指纹"),
            (asked == f"{row.built_at:%Y-%m-%d}", "编制日期"),
        )
        why = next((told for is_found, told in looks if is_found), None)
        if why is not None:
            found.append(FoundEdition(state, why))
    return found


def _organs(names: Names, asked: str) -> list[FoundOrgan]:
    return [
        FoundOrgan(id_, name) for id_, name in names.organs.items() if asked in name or asked == id_
    ]
