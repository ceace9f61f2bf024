"""Build an edition of a report year: pin a snapshot, tabulate, reconcile, keep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from expectations.balance import number
from expectations.rules import Rule, load_rules
from expectations.runner import run_rules
from tasks.edition import Edition, Finding, RecordReference, Series
from tasks.edition_store import cell_hash, find, findings_hash, published_figures, restate, save
from tasks.reconcile import RECORDS_KEPT, reconcile
from tasks.tabulate import Tabulation, tabulate
from warehouse.disk import text_of
from warehouse.lake import Lake
from warehouse.layout import Layout, layout_of_year, layout_texts
from warehouse.reading import Reading, measures, reading
from warehouse.tables import all_tables

SERIES = Path(__file__).parent.parent / "warehouse" / "series.yaml"
Progress = Callable[[str], None]
ROWS_COPIED = 500_000
"""Tables up to this size are asked from memory while an edition is built."""


@dataclass(frozen=True)
class Built:
    """An edition and whether it is new; an identical pending one is not built twice."""

    edition: Edition
    is_new: bool


def build_edition(
    lake: Lake,
    city: Path,
    year: int,
    *,
    now: datetime,
    snapshot: int | None = None,
    reason: str = "",
    built_by: str = "",
    progress: Progress = lambda step: None,
) -> Built:
    """Build the pending edition of a report year from one snapshot of the lake.

    `city` is the city's folder; `snapshot` is the newest unless one is named; `reason` says
    why a year that was built before is built again. Raises LayoutError, TabulationError,
    LakeError.
    """
    edition, definitions = preview(lake, city, year, now=now, snapshot=snapshot, progress=progress)
    edition = replace(edition, reason=reason)
    with lake.read() as connection:
        newest = find(connection, year)
        row = connection.execute(
            "SELECT coalesce(max(edition_number), 0) FROM yearly.edition WHERE report_year = ?",
            [year],
        ).fetchone()
    last_number = int(row[0]) if row else 0
    if newest and newest[2] == "pending":
        same = (edition.cell_hash, edition.definition_hash, findings_hash(edition.findings))
        if same == (newest[7], newest[8], newest[11]):
            kept = replace(
                edition,
                id=newest[0],
                number=newest[1],
                status=newest[2],
                snapshot=newest[4],
                data_as_of=newest[5],
                built_at=newest[6],
                reason=reason or newest[10],
            )
            restate(lake, kept.id, kept.reason, built_by)
            return Built(kept, is_new=False)
    number_ = last_number + 1
    edition = replace(edition, id=f"{year}-{number_}", number=number_, status="pending")
    progress("写入版次")
    save(lake, edition, definitions, version("nianbao"), built_by)
    return Built(edition, is_new=True)


def preview(
    lake: Lake,
    city: Path,
    year: int,
    *,
    now: datetime,
    snapshot: int | None = None,
    progress: Progress = lambda step: None,
) -> tuple[Edition, str]:
    """An edition that is not kept, and its definitions as JSON; see `build_edition`."""
    overview = city / "overview.yaml"
    overview_path = overview if overview.exists() else None
    layout = layout_of_year(year, overview_path)
    published = city / "published" / f"{year}.yaml"
    with reading(lake, snapshot, copy_up_to=ROWS_COPIED) as opened:
        progress("编制上年数")
        before = tabulate(opened, layout, year - 1)
        progress("编制各机关数字")
        tabulation = tabulate(opened, layout, year, before)
        root = tabulation.tree.root
        progress("核对勾稽关系")
        signed_for = published_figures(opened.connection, year - 1, root.id)
        findings = list(
            reconcile(
                opened,
                tabulation,
                before,
                published=published,
                published_last_year=signed_for,
            )
        )
        data_as_of = opened.data_as_of or now
        progress("核对各类记录")
        findings += rule_findings(opened, tabulation, data_as_of.date())
        series = tuple(read_series(opened, layout, tabulation))
        last_year = {**before.root_figures(), **signed_for}
        snapshot = opened.snapshot
    is_synthetic = is_synthetic_city(city)
    texts = layout_texts(layout.name, overview_path)
    definitions = json.dumps(
        {
            "layout": texts[0],
            "overview": texts[1],
            "organs": [asdict(o) for o in tabulation.tree.organs],
            "last_year": {
                key: [None if v is None else number(v) for v in asdict(figure).values()]
                for key, figure in last_year.items()
            },
            "series": [asdict(s) for s in series],
            "is_synthetic": is_synthetic,
        },
        ensure_ascii=False,
    )
    edition = Edition(
        id="",
        number=0,
        status="preview",
        report_year=year,
        layout=layout,
        snapshot=snapshot,
        data_as_of=data_as_of,
        built_at=now,
        cell_hash=cell_hash(tabulation.cells),
        definition_hash=definition_hash(texts),
        root=root,
        organs=tabulation.tree.organs,
        cells=tabulation.cells,
        findings=tuple(findings),
        last_year=last_year,
        series=series,
        is_synthetic=is_synthetic,
    )
    return edition, definitions


def is_synthetic_city(city: Path) -> bool:
    """Whether the city's folder says that its records are made up (`city.yaml`)."""
    path = city / "city.yaml"
    if not path.exists():
        return False
    return bool((yaml.safe_load(text_of(path)) or {}).get("synthetic"))


def definition_hash(texts: Sequence[str | None]) -> str:
    """The fingerprint of what decides a figure besides the records: layout, measures, rules."""
    digest = sha256()
    for text in texts:
        digest.update((text or "").encode())
    for measure in measures().values():
        digest.update(measure.sql.encode())
    for rule in load_rules():
        digest.update(f"{rule.code}{rule.severity}{rule.sql}".encode())
    return digest.hexdigest()


def rule_findings(opened: Reading, tabulation: Tabulation, as_of: date) -> Iterator[Finding]:
    """The rules of the core tables that fail on records of the report year, one finding a rule.

    Block and warn rules see the records as figures do, corrected and without the quarantined;
    quarantine rules see what lies in the lake, so that what was set aside is named.
    """
    as_seen = {t.full_name: f"lake.{t.full_name}" for t in all_tables() if t.layer != "core"}
    as_stored = {t.full_name: f"lake.{t.full_name}" for t in all_tables()}
    if opened.is_as_stored:
        as_stored = as_seen
    names = {organ.id: organ.name for organ in tabulation.tree.organs}
    for is_quarantine, relations in ((False, as_seen), (True, as_stored)):
        rules = [r for r in load_rules() if (r.severity == "quarantine") == is_quarantine]
        by_code = {rule.code: rule for rule in rules}
        for result in run_rules(
            opened.connection, rules, as_of=as_of, relations=relations, first=0
        ):
            count, records = 0, tuple[RecordReference, ...]()
            status = result.status
            message = f"{result.title}:{result.message}"
            if status == "fail":
                count, records = _bad_rows_of_year(
                    opened, by_code[result.code], as_of, tabulation.year, relations, names
                )
                status = "fail" if count else "pass"
            elif status == "not_run":
                message = f"{result.title}:未能执行({result.reason})"
            root = tabulation.tree.root
            yield Finding(
                code=result.code,
                key=result.code,
                organ_id=root.id,
                organ_name=root.name,
                severity=result.severity,
                status=status,
                message=message,
                records=records,
                record_count=count,
            )


def _bad_rows_of_year(
    opened: Reading,
    rule: Rule,
    as_of: date,
    year: int,
    relations: dict[str, str],
    names: dict[str, str],
) -> tuple[int, tuple[RecordReference, ...]]:
    """Bad rows that belong to the report year, and those that belong to no year."""
    rows = opened.connection.execute(
        "SELECT source_system, record_id, organ_id, record_on, detail, count(*) OVER () "
        f"FROM ({rule.bad_rows_sql(as_of, relations)}) "
        "WHERE record_on IS NULL OR year(record_on) = ? "
        "ORDER BY record_on, source_system, record_id, detail LIMIT ?",
        [year, RECORDS_KEPT],
    ).fetchall()
    records = tuple(
        RecordReference(rule.table, source, record_id, organ, names.get(organ), on, detail or "")
        for source, record_id, organ, on, detail, _ in rows
    )
    return (rows[0][5] if rows else 0), records


def read_series(opened: Reading, layout: Layout, tabulation: Tabulation) -> Iterator[Series]:
    """The year in charts, from `warehouse/series.yaml`; a table never loaded has none."""
    outcomes = {
        cell.row: cell.label
        for cell in layout.printed("t3")
        if cell.column == "total" and "outcome =" in cell.where
    }
    names = {organ.id: organ.name for organ in tabulation.tree.organs}
    for declared in yaml.safe_load(SERIES.read_text(encoding="utf-8")):
        if measures()[declared["measure"]].table not in opened.loaded_tables:
            continue
        this, last = (
            _counted(opened, declared, year) for year in (tabulation.year, tabulation.year - 1)
        )
        has_last = any(last.values())
        by = declared["by"]
        if by == "month":
            labels: list[tuple[Any, str]] = [(month, f"{month}月") for month in range(1, 13)]
        elif by == "organ":
            ranked = sorted((k for k in this if k in names), key=lambda k: (-this[k], k))
            labels = [(key, names[key]) for key in ranked[:20]]
        else:
            labels = list(outcomes.items())
        points = tuple(
            (label, this.get(key, 0), last.get(key, 0) if has_last else None)
            for key, label in labels
        )
        yield Series(declared["key"], declared["title"], declared["unit"], points)


def _counted(opened: Reading, declared: dict[str, Any], year: int) -> dict[Any, int]:
    source = opened.measure(declared["measure"], year)
    expression = {
        "month": f"month({declared.get('on', 'record_on')})",
        "organ": "organ_id",
        "outcome": "outcome",
    }[declared["by"]]
    return dict(
        opened.connection.execute(
            f"SELECT {expression}, count(*) FROM {source} WHERE {declared['where']} GROUP BY 1"
        ).fetchall()
    )
