"""一个版次: the form as printed, of any organ, with what does not add up in it; files and history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from expectations.balance import evaluate
from expectations.result import CheckResult
from tasks.desk import pinned
from tasks.desk.frame import Frame
from tasks.editions.edition import OWN, CellValue, Edition, RecordReference, Scope
from tasks.editions.figures import Figures
from tasks.editions.figures import text as written
from tasks.editions.store import EditionRow, NoEdition
from tasks.people import log
from tasks.people.office import Office
from tasks.publish.approve import APPROVAL, PUBLISHED
from tasks.publish.files import TITLES
from tasks.publish.signature import SIGNATURE
from tasks.render.form import Grid, grids_of
from tasks.render.manifest import MANIFEST
from tasks.render.outputs import OUTPUTS
from tasks.render.overview import OverviewLine, overview_lines
from tasks.settings import Settings
from warehouse.form import Section
from warehouse.lake import Lake
from warehouse.layout import Cell, Equation, Layout
from warehouse.numbers import plain

SCOPES: dict[Scope, str] = {"rolled_up": "含所属", "own": "本机关"}


@dataclass(frozen=True)
class OrganChoice:
    """An organ to choose; `depth` is how far it stands below the root."""

    id: str
    name: str
    depth: int


@dataclass(frozen=True)
class Told:
    """A check on figures: what must hold, with the figures in it, and the records that keep it
    from holding. `key` is the equation's, where it is one of the form; `cells` are those that it
    is marked at when it does not hold, `total` what the others come to."""

    key: str
    holds: bool
    title: str
    equation: str
    records: tuple[RecordReference, ...] = ()
    record_count: int = 0
    cells: tuple[str, ...] = ()
    total: str = ""


@dataclass(frozen=True)
class Off:
    """A printed figure that its parts do not come to; `totals` are what they come to."""

    cell: Cell
    text: str
    totals: tuple[str, ...]


@dataclass(frozen=True)
class PrintedSection:
    """A section of the form: its tables, and lines of the narrative's figures where it has any."""

    heading: str
    grids: tuple[Grid, ...]
    figures: tuple[OverviewLine, ...]


@dataclass(frozen=True)
class PrintedForm:
    """The form of one organ as it prints."""

    edition: Edition
    organ_id: str
    organ_name: str
    scope: Scope
    sections: tuple[PrintedSection, ...]
    off: tuple[Off, ...]
    organs: tuple[OrganChoice, ...]
    record_count: int

    @property
    def off_keys(self) -> frozenset[str]:
        return frozenset(one.cell.key for one in self.off)

    @property
    def title(self) -> str:
        """As it stands over the print."""
        own = OWN if self.scope == "own" else ""
        return f"{self.organ_name}{own}"

    @property
    def grids(self) -> list[Grid]:
        return [one for section in self.sections for one in section.grids]

    @property
    def is_root(self) -> bool:
        return self.organ_id == self.edition.root.id


def scope_of(text: str) -> Scope:
    """The scope that an address names; with those below where it names none."""
    return "own" if text == "own" else "rolled_up"


def printed_form(
    lake: Lake, row: EditionRow, organ_id: str | None = None, scope: Scope = "rolled_up"
) -> PrintedForm:
    """The form of an edition with one organ's figures, the root's unless one is named.

    Raises NoEdition where the edition does not have that organ.
    """
    edition = pinned.with_organ(lake, row, organ_id)
    organ = edition.organ(organ_id or edition.root.id)
    figures = figures_at(edition, organ.id, scope)
    failed = [t for t in checks(edition, organ.id, scope) if not t.holds]
    behind = {(r.table, r.source_system, r.record_id) for t in failed for r in t.records}
    return PrintedForm(
        edition=edition,
        organ_id=organ.id,
        organ_name=organ.name,
        scope=scope,
        sections=tuple(_sections(edition, organ.id, scope, figures)),
        off=tuple(_off(edition.layout, figures, failed)),
        organs=organ_choices(edition),
        record_count=len(behind),
    )


def figures_at(edition: Edition, organ_id: str, scope: Scope) -> Figures:
    """An organ's figures, without those that only the root publishes."""
    try:
        found = edition.figures(organ_id, scope)
    except KeyError as error:
        raise NoEdition(f"版次 {edition.id} 中没有这个机关的数字") from error
    return {
        key: value
        for key, value in found.items()
        if (cell := edition.layout.cells.get(key)) is None or edition.has_figure(cell, organ_id)
    }


def _sections(
    edition: Edition, organ_id: str, scope: Scope, figures: Figures
) -> Iterable[PrintedSection]:
    for section, tables in edition.form.printed(edition.layout, edition.period):
        grids = tuple(grids_of(edition.layout, section, tables, figures))
        lines = lines_of(edition, section, organ_id, scope) if section.figures else ()
        if grids or lines:
            yield PrintedSection(section.heading, grids, tuple(lines))


def lines_of(
    edition: Edition, section: Section, organ_id: str, scope: Scope
) -> Sequence[OverviewLine]:
    """The figures of the narrative; an organ's own ones are not told beside last year's."""
    lines = overview_lines(edition, organ_id)
    if scope == "rolled_up":
        return lines
    own = edition.figures(organ_id, scope)
    return [OverviewLine(line.cell, own.get(line.cell.key), None, line.origin) for line in lines]


def checks(edition: Edition, organ_id: str, scope: Scope) -> list[Told]:
    """Every equation of the form on an organ's figures, where its figures are there."""
    values = {key: value.value for key, value in figures_at(edition, organ_id, scope).items()}
    is_root = (organ_id, scope) == (edition.root.id, "rolled_up")
    before = {key: value.value for key, value in edition.last_year.items()} if is_root else None
    found = {f.key: f for f in edition.findings if f.organ_id == organ_id}
    told = []
    for equation in edition.layout.equations:
        result = evaluate(equation, values, before or None)
        if result.status == "not_assessable":
            continue
        finding = found.get(equation.key) if scope == "rolled_up" else None
        told.append(
            Told(
                equation.key,
                result.status == "pass",
                _title(equation, result),
                result.equation,
                finding.records if finding else (),
                finding.record_count if finding else 0,
                *_marked(equation, result),
            )
        )
    return told


def _title(equation: Equation, result: CheckResult) -> str:
    """What must hold; where it does not, by how much it misses."""
    gap = "" if result.status == "pass" else f"，差 {plain(abs(result.gap or Decimal(0)))}"
    return f"{equation.message}{gap}"


def _marked(equation: Equation, result: CheckResult) -> tuple[tuple[str, ...], str]:
    """Where an equation is marked that does not hold: at its sum, the side with fewest cells; and
    what the other side comes to."""
    signs = [term.sign for term in equation.left + equation.right]
    values = [sign * (e.value or 0) for sign, e in zip(signs, result.evidence, strict=True)]
    left, right = values[: len(equation.left)], values[len(equation.left) :]
    is_left = len(left) <= len(right)
    side, others = (equation.left, right) if is_left else (equation.right, left)
    cells = tuple(term.cell for term in side if not term.years_back)
    return cells, plain(sum(others, Decimal(0)))


def _off(layout: Layout, figures: Figures, failed: Iterable[Told]) -> Iterable[Off]:
    by_cell: dict[str, list[str]] = {}
    for told in failed:
        for key in told.cells:
            by_cell.setdefault(key, []).append(told.total)
    for key in layout.cells:
        if key in by_cell and not layout.cells[key].derived:
            cell = layout.cells[key]
            totals = tuple(dict.fromkeys(by_cell[key]))
            yield Off(cell, written(cell, figures.get(key)), totals)


def organ_choices(edition: Edition) -> tuple[OrganChoice, ...]:
    """The organs of an edition as a tree: each below the one it belongs to."""
    below: dict[str | None, list[str]] = {}
    for organ in edition.organs:
        below.setdefault(organ.parent_id, []).append(organ.id)
    names = {organ.id: organ.name for organ in edition.organs}
    found: list[OrganChoice] = []

    def add(organ_id: str, depth: int) -> None:
        found.append(OrganChoice(organ_id, names[organ_id], depth))
        for child in below.get(organ_id, []):
            add(child, depth + 1)

    add(edition.root.id, 0)
    return tuple(found)


@dataclass(frozen=True)
class File:
    """A file of an edition as its manifest lists it."""

    name: str
    title: str
    use: str
    size: int
    sha256: str
    is_there: bool


@dataclass(frozen=True)
class Files:
    """The files of an edition; `is_there` says whether its folder is. What is gone can be written
    again (`nianbao rebuild`)."""

    is_there: bool
    files: tuple[File, ...] = ()
    bytes: int = 0


def files_of(settings: Settings, edition_id: str) -> Files:
    """What lies in the folder of an edition, as its manifest lists it."""
    folder = settings.edition_shelf.here(edition_id)
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        listed = [(str(f["name"]), int(f["bytes"]), str(f["sha256"])) for f in told]
    except (OSError, ValueError, KeyError, TypeError):
        return Files(is_there=False)
    titles = {output.name: output.words for output in OUTPUTS} | TITLES
    uses = {output.name: output.use for output in OUTPUTS if output.use}
    kept = [
        *listed,
        *((name, _size(folder / name), "") for name in (MANIFEST, SIGNATURE)),
    ]
    files = tuple(
        File(
            name,
            titles.get(name, "文件清单与指纹" if name == MANIFEST else "清单的签名"),
            uses.get(name, ("", ""))[1],
            size,
            sha256[:16],
            (folder / name).is_file(),
        )
        for name, size, sha256 in kept
        if sha256 or size
    )
    return Files(is_there=True, files=files, bytes=sum(file.size for file in files))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@dataclass(frozen=True)
class Event:
    """Something that happened to an edition."""

    at: datetime
    who: str
    what: str


def history(settings: Settings, frame: Frame) -> list[Event]:
    """What happened to an edition, the oldest first: of the lake, and of the office's log."""
    row = frame.row
    why = f"编制。理由：{row.reason}" if row.reason else "编制"
    events = [Event(row.built_at, row.built_by, f"{why}（数据快照第 {row.lake_snapshot} 号）")]
    if row.approved_at is not None:
        events.append(Event(row.approved_at, row.approved_by, f"批准。意见：{row.statement}"))
    if frame.publication is not None:
        told = _registered(frame.publication.publication_number)
        events.append(Event(frame.publication.registered_at, "", told))
    if not row.is_published and frame.later:
        events.append(_replaced(row, frame.later))
    events += [
        Event(line.done_at, line.person, f"{line.act}：{line.about}" if line.about else line.act)
        for line in log.lines(Office(settings.home))
        if _is_about(line.about, row.edition_id)
        # What the lake tells of itself.
        and not (row.approved_at and line.act in (APPROVAL, PUBLISHED))
    ]
    return sorted(events, key=lambda event: event.at)


def _replaced(row: EditionRow, later: Sequence[EditionRow]) -> Event:
    """By which edition one that was published, or only built, was replaced."""
    for other in later:
        if row.approved_at is None:
            return Event(other.built_at, other.built_by, f"编成 {other.edition_id}，接替本版次")
        if other.approved_at is not None:
            told = f"批准 {other.edition_id}，接替本版次"
            return Event(other.approved_at, other.approved_by, told)
    return Event(later[0].built_at, later[0].built_by, f"编成 {later[0].edition_id}")


def _registered(number: int | None) -> str:
    return "发布，文件冻结" if number is None else f"发布，文件冻结并签名（发布链第 {number} 次）"


def _is_about(about: str, edition_id: str) -> bool:
    """Whether a line of the log names an edition: 2020-1, not 2020-12."""
    before, found, after = about.partition(edition_id)
    return (
        bool(found) and not before[-1:].isalnum() and before[-1:] != "-" and not after[:1].isdigit()
    )


def last_year_of(edition: Edition, organ_id: str, scope: Scope) -> Mapping[str, CellValue]:
    """Last year's figures beside an organ's: kept for the root with those below it only."""
    return edition.last_year if (organ_id, scope) == (edition.root.id, "rolled_up") else {}
