"""An edition as it stands in memory: what was built, read by rendering and by the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from expectations.result import CheckResult, GradedResult
from expectations.rules import Rulebook, rulebook
from tasks.editions.account import TRIAL, Line, standing
from warehouse.form import Form
from warehouse.layout import Cell, Layout
from warehouse.period import Period

if TYPE_CHECKING:
    from tasks.editions.definitions import Definitions

CITY_EDITIONS = "各市版次"
ACCOUNT = "账目"
"""The part of an edition that changes with records of any period."""
Scope = Literal["own", "rolled_up"]
OWN = "本级"
"""What an organ's own figures are called, without those of the organs below it."""
EDITION_STATUS_LABELS = {"pending": "待发布", "published": "已发布", "superseded": "已被替代"}


WEBSITE = "website"
"""The kind of an organ that is a website."""


@dataclass(frozen=True)
class Organ:
    """An organ in the tree of the report year; `parent_id` is empty for the root. In a form of
    websites a website is one too, of the kind `website`, below the organ that runs it."""

    id: str
    name: str
    kind: str
    parent_id: str | None
    has_system: bool = True


@dataclass(frozen=True)
class CellValue:
    """A figure. Percentages carry numerator and denominator, a question how many said yes and how
    many were asked; None is a figure that is not there. A cell of words has `text` in place of a
    value: None where it is not there, empty where the organ has none of its own."""

    value: Decimal | None
    numerator: Decimal | None = None
    denominator: Decimal | None = None
    text: str | None = None

    @property
    def is_missing(self) -> bool:
        return self.value is None and self.text is None


@dataclass(frozen=True)
class RecordReference:
    """A record behind a figure or a finding: where it is, whose it is, when it was."""

    table: str
    source_system: str
    record_id: str
    organ_id: str | None
    organ_name: str | None
    record_on: date | None
    detail: str = ""


def record_order(record: RecordReference) -> tuple[Any, ...]:
    """The one order of a finding's records: by date (those without one last), then by name.

    Whatever order a database or a program hands them over in, the edition stays the same.
    """
    on = record.record_on
    return (
        (on is None, on or date.min, record.source_system, record.record_id)
        + (record.table, record.detail)
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Finding(GradedResult, CheckResult):
    """What became of one check of one organ's tables.

    `record_count` counts all records behind it, `records` lists the first of them.
    """

    organ_id: str
    organ_name: str
    records: tuple[RecordReference, ...] = ()
    record_count: int = 0


def in_order(findings: Iterable[Finding], organs: Iterable[Organ]) -> tuple[Finding, ...]:
    """The one order of an edition's findings: by organ as in the tree, then by rule and check."""
    places = {organ.id: at for at, organ in enumerate(organs)}
    return tuple(
        sorted(findings, key=lambda f: (places.get(f.organ_id, len(places)), f.code, f.key))
    )


@dataclass(frozen=True)
class Series:
    """Counts for a chart: `points` are (label, this year, last year or None)."""

    key: str
    title: str
    unit: str
    points: tuple[tuple[str, int, int | None], ...]


@dataclass(frozen=True)
class CityEdition:
    """An edition of a city that a province's edition adds up: whose it is, what it is called there,
    the snapshot of the city's lake, and the fingerprints by which it is pinned. `city_name` is the
    city's folder, as `--city` takes it; `manifest_hash` is empty until it is published."""

    city_id: str
    city_name: str
    edition_id: str
    status: str
    snapshot: int
    data_as_of: datetime
    cell_hash: str
    definition_hash: str
    findings_hash: str
    manifest_hash: str = ""
    is_synthetic: bool = False

    @property
    def figures_mark(self) -> tuple[str, str, str, str]:
        """What is another where the city has another edition."""
        return self.edition_id, self.cell_hash, self.definition_hash, self.findings_hash

    def as_data(self) -> dict[str, Any]:
        """As JSON values; `from_data` reads them back."""
        return {**asdict(self), "data_as_of": self.data_as_of.isoformat()}

    @classmethod
    def from_data(cls, kept: Mapping[str, Any]) -> CityEdition:
        return cls(**{**kept, "data_as_of": datetime.fromisoformat(kept["data_as_of"])})


@dataclass(frozen=True)
class Edition:
    """A build of a form for a period.

    `cells` holds every organ's figures by (organ id, scope), then cell key; `last_year` the
    root's rolled-up figures of the year before, empty when there is none. `definitions` are
    those it was built by, `software` the version that built it. `part_scope` marks what one of
    its organs files (`tasks.editions.part`), with those below it or its own: `root` is then that
    organ. `cities` are the editions that a province's adds up.
    """

    id: str
    number: int
    status: str
    form: Form
    period: Period
    layout: Layout
    snapshot: int
    data_as_of: datetime
    built_at: datetime
    cell_hash: str
    definition_hash: str
    root: Organ
    organs: tuple[Organ, ...]
    cells: Mapping[tuple[str, Scope], Mapping[str, CellValue]]
    findings: tuple[Finding, ...]
    last_year: Mapping[str, CellValue] = field(default_factory=dict)
    series: tuple[Series, ...] = ()
    account: tuple[Line, ...] = ()
    cities: tuple[CityEdition, ...] = ()
    is_synthetic: bool = False
    reason: str = ""
    software: str = ""
    definitions: Definitions | None = None
    part_scope: Scope | None = None

    @property
    def report_year(self) -> int:
        return self.period.year

    @property
    def reference(self) -> str:
        """The report that this is an edition of, as ids and keys begin: 2020."""
        return self.form.reference(self.period)

    @property
    def report_name(self) -> str:
        """The report in a message: 2020 年年度报告."""
        return self.form.named(self.period)

    @property
    def rules(self) -> Rulebook:
        """The rules it was checked by; this version's where it keeps none."""
        return self.definitions.rules if self.definitions else rulebook()

    def figures(
        self, organ_id: str | None = None, scope: Scope = "rolled_up"
    ) -> Mapping[str, CellValue]:
        """One organ's figures; the root's when no organ is named. Raises KeyError."""
        return self.cells[(organ_id or self.root.id, scope)]

    def has_figure(self, cell: Cell, organ_id: str) -> bool:
        """Whether an organ has a figure at all: some only the whole city has."""
        return not cell.only_root or organ_id == self.root.id

    def organ(self, organ_id: str) -> Organ:
        for organ in self.organs:
            if organ.id == organ_id:
                return organ
        raise KeyError(organ_id)

    @cached_property
    def open_findings(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.is_open)

    @cached_property
    def trial_findings(self) -> tuple[Finding, ...]:
        """Why the year is not complete in this edition, which is then a trial (试编)."""
        return tuple(f for f in self.findings if f.code in TRIAL and f.status == "fail")

    @property
    def is_trial(self) -> bool:
        return bool(self.trial_findings)

    @cached_property
    def blocking_findings(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.blocks)

    def changed_parts(self, later: Edition) -> list[str]:
        """What is printed besides cells and findings and is different in a later edition."""
        parts = {
            "机关": (self.organs, later.organs),
            "上年数": (dict(self.last_year), dict(later.last_year)),
            "图表": (self.series, later.series),
            CITY_EDITIONS: (self.cities, later.cities),
            # Every night adds to the way in, whatever it brought.
            ACCOUNT: (tuple(map(standing, self.account)), tuple(map(standing, later.account))),
        }
        return [name for name, (was, is_) in parts.items() if was != is_]


@dataclass(frozen=True)
class Approval:
    """What an approver said of an edition; `answers` are reasons by (organ id, check key)."""

    approver: str
    approved_at: datetime
    statement: str
    built_by: str
    replaces: str | None
    answers: Mapping[tuple[str, str], str]

    def as_data(self) -> dict[str, Any]:
        """As the manifest tells it."""
        return {
            "approver": self.approver,
            "approved_at": self.approved_at.isoformat(timespec="seconds"),
            "statement": self.statement,
            "built_by": self.built_by,
            "replaces": self.replaces,
            "answers": [
                {"organ_id": organ, "check_key": key, "reason": reason}
                for (organ, key), reason in sorted(self.answers.items())
            ],
        }
