"""Rebuild: an edition proved, by building it again from its own snapshot and definitions.

Neither the city's files nor this version's measures, rules and layouts are asked, but for
what an edition of an earlier version did not keep; that is named, because nothing can be
proved by it. What is compared: the rows that the lake keeps, what is computed now, and the
bytes of the files, each with the fingerprint that was taken when the edition was built.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import duckdb

from expectations.runner import reason_of
from tasks.city.published import published_text
from tasks.editions.build import compute
from tasks.editions.compare import CellDifference, compare
from tasks.editions.definitions import LABELS, Definitions
from tasks.editions.differences import compare_with
from tasks.editions.edition import CITY_EDITIONS, Approval, Edition, Finding
from tasks.editions.fingerprints import cell_hash, findings_hash
from tasks.editions.store import find_row, kept_approval, load_edition
from tasks.publish.files import DATABASE, TITLES, write_files
from tasks.render import render_edition
from tasks.render.manifest import MANIFEST, read_manifest, sha256_of, writers
from tasks.render.outputs import OUTPUTS
from tasks.settings import Settings
from warehouse.errors import EntryError
from warehouse.lake import Lake, in_memory
from warehouse.numbers import json_number
from warehouse.sql import named, quoted

Outcome = Literal["same", "different", "unprovable"]
OUTCOME_LABELS: dict[Outcome, str] = {
    "same": "相同",
    "different": "不同",
    "unprovable": "无从证明",
}
Progress = Callable[[str], None]
NOT_IN_MANIFEST_OF_REBUILT = ("files", "software", "chain")


class CannotRebuild(EntryError):
    """What was asked for cannot be done; the message says why."""


@dataclass(frozen=True)
class Proof:
    """One thing compared: what was taken down for it, and what it is now; `note` says what a
    person must know."""

    key: str
    title: str
    outcome: Outcome
    kept: str = ""
    rebuilt: str = ""
    note: str = ""


@dataclass(frozen=True)
class FindingDifference:
    """A check that came to something else; None where it is missing on one side."""

    organ_id: str
    key: str
    kept: Finding | None
    rebuilt: Finding | None


@dataclass(frozen=True)
class Rebuilt:
    """An edition built again. `cells` and `findings` are what differs between the rows that
    the lake keeps and what was computed; `not_kept` what was taken from this version."""

    edition: Edition
    proofs: tuple[Proof, ...]
    cells: tuple[CellDifference, ...] = ()
    findings: tuple[FindingDifference, ...] = ()
    not_kept: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Nothing is different. What cannot be proved is told, and is no difference."""
        return all(proof.outcome != "different" for proof in self.proofs)


def rebuild(
    lake: Lake,
    settings: Settings,
    edition_id: str,
    *,
    into: Path | None = None,
    progress: Progress = lambda step: None,
) -> Rebuilt:
    """Build an edition again and compare; with `into` its files are written there as well.

    Raises NoEdition for an unknown edition, CannotRebuild for a folder that holds something.
    """
    kept = load_edition(lake, edition_id.strip())
    if into is not None and into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise CannotRebuild(f"{into} 已有内容。请另指一个空的或尚不存在的文件夹")
    assert kept.definitions is not None
    with lake.read() as connection:
        row = find_row(connection, kept.id)
        held = connection.execute(
            "SELECT count(*) FROM ducklake_snapshots('lake') WHERE snapshot_id = ?",
            [kept.snapshot],
        ).fetchone()
    assert row is not None
    if not held or not held[0]:
        note = f"湖中已没有第 {kept.snapshot} 号快照,无法重建。请从备份恢复数据湖"
        gone = Proof("snapshot", "数据快照", "different", str(kept.snapshot), "", note)
        return Rebuilt(kept, (gone,))
    definitions = _definitions(kept, settings)
    try:
        computed = compute(
            lake,
            definitions,
            kept.period,
            now=kept.built_at,
            snapshot=kept.snapshot,
            progress=progress,
        )
    except duckdb.Error as error:
        note = f"第 {kept.snapshot} 号快照读不出来:{reason_of(error)}。请从备份恢复数据湖"
        lost = Proof("snapshot", "数据快照", "different", str(kept.snapshot), "", note)
        return Rebuilt(kept, (lost,), not_kept=definitions.not_kept)
    is_complete = not definitions.not_kept
    proofs = [
        _proof("snapshot", "数据快照", str(kept.snapshot), str(computed.snapshot)),
        _proof("data_as_of", "数据截至", str(kept.data_as_of), str(computed.data_as_of)),
        *_definition_proofs(kept, definitions),
        _proof("cells", "单元格", kept.cell_hash, computed.cell_hash),
        _proof("stored_cells", "湖中所存的单元格", kept.cell_hash, cell_hash(kept.cells)),
        *_finding_proofs(kept, computed, row.findings_hash, is_complete=is_complete),
        *_other_proofs(kept, computed),
    ]
    approval = kept_approval(lake, kept.id)
    printed = replace(
        computed,
        id=kept.id,
        number=kept.number,
        status="published" if approval else "pending",
        built_at=kept.built_at,
        definition_hash=computed.definition_hash if is_complete else kept.definition_hash,
        reason=kept.reason,
        software=kept.software,
    )
    progress("生成文件")
    settings.editions.mkdir(parents=True, exist_ok=True)
    working = Path(tempfile.mkdtemp(prefix=f".rebuild-{kept.id}.", dir=settings.editions))
    try:
        fresh = working / kept.id
        _write(lake, printed, fresh, approval)
        lies = settings.edition_shelf.here(kept.id)
        proofs += _file_proofs(lies, fresh, row.manifest_hash)
        if into is not None:
            shutil.copytree(fresh, into, dirs_exist_ok=True)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return Rebuilt(
        kept,
        tuple(proofs),
        tuple(compare(computed, kept.cells, is_whole=True)),
        tuple(_finding_differences(kept, computed)),
        definitions.not_kept,
    )


def _definitions(kept: Edition, settings: Settings) -> Definitions:
    """The edition's own; figures published elsewhere that it did not keep, from the city."""
    assert kept.definitions is not None
    if "published" not in kept.definitions.not_kept:
        return kept.definitions
    path = settings.city / "published" / f"{kept.reference}.yaml"
    return replace(kept.definitions, published=published_text(path))


def _proof(key: str, title: str, kept: str, rebuilt: str, note: str = "") -> Proof:
    return Proof(key, title, "same" if kept == rebuilt else "different", kept, rebuilt, note)


def _definition_proofs(kept: Edition, definitions: Definitions) -> Iterator[Proof]:
    """That the kept definitions are those that were taken down when the edition was built."""
    title = "口径与规则"
    if not definitions.not_kept:
        yield _proof("definitions", title, kept.definition_hash, definitions.fingerprint)
        return
    missing = "、".join(LABELS[name] for name in definitions.not_kept)
    note = f"{missing}未随版次留存,重建时取自现在的程序与城市目录,与编制时是否相同无从证明"
    yield Proof("definitions", title, "unprovable", kept.definition_hash, "", note)


def _finding_proofs(
    kept: Edition, computed: Edition, taken_down: str, *, is_complete: bool
) -> Iterator[Proof]:
    now, stored = findings_hash(computed.findings), findings_hash(kept.findings)
    if is_complete:
        yield _proof("findings", "核对结果", taken_down, now)
        yield _proof("stored_findings", "湖中所存的核对结果", taken_down, stored)
        return
    # The fingerprint of an earlier version covered less; the rows can still be compared.
    yield _proof("findings", "核对结果", stored, now, "与湖中所存的核对结果比较")


def _other_proofs(kept: Edition, computed: Edition) -> Iterator[Proof]:
    changed = kept.changed_parts(computed)
    for title in ("机关", "上年数", "图表", *([CITY_EDITIONS] if kept.cities else [])):
        yield Proof(title, title, "different" if title in changed else "same")


def _finding_differences(kept: Edition, computed: Edition) -> Iterator[FindingDifference]:
    was = {(f.organ_id, f.key): f for f in kept.findings}
    now = {(f.organ_id, f.key): f for f in computed.findings}
    for place in {**was, **now}:
        before, after = was.get(place), now.get(place)
        if before is None or after is None or findings_hash([before]) != findings_hash([after]):
            yield FindingDifference(*place, before, after)


def _write(lake: Lake, edition: Edition, folder: Path, approval: Approval | None) -> None:
    """The files of an edition as building it, or publishing it, writes them."""
    if approval is None:
        render_edition(edition, folder)
        return
    comparison = None
    if approval.replaces:
        comparison = compare_with(lake, edition, approval.replaces)
    write_files(lake, edition, folder, approval, comparison, {})


def _file_proofs(folder: Path, fresh: Path, signed: str) -> Iterator[Proof]:
    """Each file of the manifest: what it says, what was written now, what lies in the folder."""
    path = folder / MANIFEST
    if not path.is_file():
        note = f"{folder} 中没有文件清单,不能比较文件。请从备份恢复"
        yield Proof(MANIFEST, MANIFEST, "different" if signed else "unprovable", note=note)
        return
    try:
        told = read_manifest(folder)
    except ValueError:
        yield Proof(MANIFEST, MANIFEST, "different", note="文件清单已被改动,读不出来。请从备份恢复")
        return
    written = read_manifest(fresh)
    if signed:
        title = f"{MANIFEST}(批准时的指纹)"
        yield _proof("signed_manifest", title, signed, sha256_of(path))
    others = _other_writers(told)
    # What another version's manifest does not say cannot differ.
    names = told if others else {**told, **written}
    changed = [
        name
        for name in names
        if name not in NOT_IN_MANIFEST_OF_REBUILT and told.get(name) != written.get(name)
    ]
    note = f"不同的项:{'、'.join(changed)}" if changed else ""
    outcome: Outcome = "different" if changed else "same"
    yield Proof(MANIFEST, f"{MANIFEST}(内容)", outcome, note=note)
    files = {file["name"]: file["sha256"] for file in told["files"]}
    for name in (*(output.name for output in OUTPUTS), *TITLES):
        if name in files or (fresh / name).exists():
            yield _file_proof(name, files.get(name), folder / name, fresh / name, others)


def _file_proof(
    name: str, listed: str | None, lies: Path, fresh: Path, others: str | None
) -> Proof:
    now = sha256_of(fresh) if fresh.exists() else ""
    if listed is None or not now:
        note = "清单中没有这个文件" if listed is None else "重建时没有这个文件"
        outcome: Outcome = "different" if others is None else "unprovable"
        return Proof(name, name, outcome, listed or "", now, note)
    if not lies.is_file() or sha256_of(lies) != listed:
        note = "版次文件夹中的文件已被改动" if lies.is_file() else "版次文件夹中没有这个文件"
        return Proof(name, name, "different", listed, now, note)
    if name == DATABASE:
        return _database_proof(name, listed, lies, fresh, others)
    if now == listed:
        return Proof(name, name, "same", listed, now)
    if others is None:
        return Proof(name, name, "different", listed, now)
    # The figures in it are proved by the cells; the bytes are those of another program.
    return Proof(name, name, "unprovable", listed, now, others)


def _other_writers(told: dict[str, Any]) -> str | None:
    """Why the bytes may differ though the figures do not: what writes them is another version.
    None when it is the same."""
    before = told.get("software", {}).get("writers")
    if before is None:
        return "编制时没有记下写文件所用软件包的版本;另一版本写出的字节可能不同"
    now = writers()
    changed = [
        f"{name} {before.get(name, '无')} → {now.get(name, '无')}"
        for name in sorted({**before, **now})
        if before.get(name) != now.get(name)
    ]
    return f"写文件所用的软件已换版本:{'、'.join(changed)}" if changed else None


def _database_proof(name: str, listed: str, lies: Path, fresh: Path, others: str | None) -> Proof:
    """DuckDB gives each file a mark of its own, so its rows are compared, not its bytes."""
    note = "按内容比较:DuckDB 每次写出的文件字节不同"
    with in_memory() as connection:
        for place, path in (("kept", lies), ("fresh", fresh)):
            connection.execute(f"ATTACH {quoted(path)} AS {place} (READ_ONLY)")
        tables = [
            {
                table
                for (table,) in connection.execute(
                    "SELECT table_name FROM duckdb_tables() WHERE database_name = ?", [place]
                ).fetchall()
            }
            for place in ("kept", "fresh")
        ]
        different = sorted(tables[0] ^ tables[1])
        for table in sorted(tables[0] & tables[1]):
            # A later version's table may have more columns; those there were are compared.
            columns = _columns(connection, "kept", table)
            is_narrower = bool(set(columns) - set(_columns(connection, "fresh", table)))
            if is_narrower or _rows(connection, f"kept.{table}", columns) != _rows(
                connection, f"fresh.{table}", columns
            ):
                different.append(table)
    if not different:
        return Proof(name, name, "same", listed, listed, note)
    told = f"{note};不同的表:{'、'.join(different)}"
    # An earlier version wrote the database without the approval.
    outcome: Outcome = "different" if others is None else "unprovable"
    return Proof(name, name, outcome, listed, "", f"{told};{others}" if others else told)


def _columns(connection: duckdb.DuckDBPyConnection, database: str, table: str) -> list[str]:
    rows = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND table_name = ?",
        [database, table],
    ).fetchall()
    return [name for (name,) in rows]


def _rows(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]
) -> list[tuple[Any, ...]]:
    listed = ", ".join(map(named, columns))
    return connection.execute(f"SELECT {listed} FROM {table} ORDER BY ALL").fetchall()


def rebuilt_json(done: Rebuilt) -> dict[str, Any]:
    """The proof as JSON values."""

    def cell(d: CellDifference) -> dict[str, Any]:
        sides = (("kept", d.figure_before), ("rebuilt", d.figure_after))
        return {
            "organ": {"id": d.organ_id, "name": d.organ_name},
            "scope": d.scope,
            "cell": d.cell,
            "label": d.label,
            **{
                side: {
                    "value": json_number(figure.value),
                    "numerator": json_number(figure.numerator),
                    "denominator": json_number(figure.denominator),
                    **({} if figure.text is None else {"text": figure.text}),
                }
                for side, figure in sides
            },
        }

    def result(f: Finding | None) -> dict[str, Any] | None:
        if f is None:
            return None
        return {
            "status": f.status,
            "severity": f.severity,
            "message": f.message,
            "records": f.record_count,
        }

    edition = done.edition
    return {
        "edition": edition.id,
        "report_year": edition.report_year,
        "status": edition.status,
        "snapshot": edition.snapshot,
        "software": edition.software,
        "same": done.is_same,
        "not_kept": list(done.not_kept),
        "proofs": [vars(proof) for proof in done.proofs],
        "cells": [cell(d) for d in done.cells],
        "findings": [
            {
                "organ": d.organ_id,
                "check": d.key,
                "kept": result(d.kept),
                "rebuilt": result(d.rebuilt),
            }
            for d in done.findings
        ],
    }
