"""The audit on generated reports: figures that balance, then the same with one of them changed.

What must fail is worked out here by arithmetic of its own from the layouts' equations and from
the sentences that quote the tables, so that a change which no check sees is shown to break none.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from tasks.audit.result import AuditCheck, AuditReport
from tasks.audit.run import audit_files
from tests.audit_files import OTHER_FORMATS
from tests.audit_reports import FORMATS, STYLES, Figures, balanced, quoted_cells, told
from warehouse.form import load_layout
from warehouse.layout import Equation, Layout

KINDS_OF_FILE = {**FORMATS, **OTHER_FORMATS}
QUICK = tuple(kind for kind in KINDS_OF_FILE if not kind.startswith("pdf"))
SLOW = tuple(kind for kind in KINDS_OF_FILE if kind.startswith("pdf"))
EVERY = 20
"""One report in so many is a PDF, which takes many times as long."""
TABLE_CODES = ("B1", "B2", "B3", "B4", "B11")
OTHER_SENTENCES = {
    "2019": "本年作出行政许可决定{t2.administrative_license.decisions}件、行政处罚决定{t2.administrative_penalty.decisions}件、行政强制决定{t2.administrative_coercion.decisions}件。",
    "2021": "全年制发行政规范性文件{t2.normative_document.issued}件,废止行政规范性文件{t2.normative_document.abolished}件,现行有效的行政规范性文件{t2.normative_document.in_force}件。"
    "作出行政许可决定{t2.administrative_license.decisions}件、行政处罚决定{t2.administrative_penalty.decisions}件、行政强制决定{t2.administrative_coercion.decisions}件。",
}
"""What the prose quotes of table 二, cell by cell."""


@dataclass
class Trial:
    """What came out: by check and by kind of file, and what was wrong."""

    reports: Counter[str] = field(default_factory=Counter)
    faulty: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    doubted: Counter[str] = field(default_factory=Counter)
    unseen: int = 0
    wrong: list[str] = field(default_factory=list)

    def note(self, kind: str, wrong: list[str], told: str) -> None:
        """One report of a kind of file, and what came out wrong in it."""
        self.reports[kind] += 1
        if wrong:
            self.faulty[kind] += 1
            self.wrong.append(f"{told}: {wrong[:3]}")


def _drawn(count: int, seed: int) -> Iterator[tuple[str, Layout, Figures, random.Random, str]]:
    """Balanced reports with prose that quotes them: kind of file, layout, figures, draw, name."""
    for n in range(count):
        draw = random.Random(seed + n)
        kind = SLOW[n // EVERY % len(SLOW)] if n % EVERY == 0 else QUICK[n % len(QUICK)]
        layout = load_layout(draw.choice(["2019", "2021"]))
        figures = balanced(layout, draw, draw.choice([3, 40, 2000]))
        _write_prose(layout, figures, draw.choice(STYLES), told(layout, figures))
        yield kind, layout, figures, draw, f"{seed + n} {kind} {layout.name}"


def _write_prose(layout: Layout, figures: Figures, style: str, values: dict[str, int]) -> None:
    sentence = OTHER_SENTENCES[layout.name]
    for key in (k for k in figures if f"{{{k}}}" in sentence):
        sentence = sentence.replace(f"{{{key}}}", str(figures[key]))
    applications = style.format(year=layout.years.first + 1, **values)
    figures.prose = (sentence, "(二)依申请公开情况", applications)


def _audited(folder: Path, kind: str, layout: Layout, figures: Figures) -> AuditReport:
    suffix, render = KINDS_OF_FILE[kind]
    path = folder / f"report{suffix}"
    path.write_bytes(render(layout, figures))
    (report,) = audit_files([path])
    return report


def run_balanced(count: int, seed: int) -> Trial:
    """Reports that balance: nothing may fail or be doubted, nothing be unread."""
    trial = Trial()
    with tempfile.TemporaryDirectory() as folder:
        for kind, layout, figures, _, name in _drawn(count, seed):
            report = _audited(Path(folder), kind, layout, figures)
            wrong = [c.message for c in report.checks if c.status in ("fail", "uncertain")]
            read = {k: int(v) for k, v in report.tables.figures.items() if v is not None}
            wrong += [*report.not_read, *(["cells"] if read != figures else [])]
            trial.note(kind, wrong, name)
    return trial


def run_altered(count: int, seed: int) -> Trial:
    """One figure changed in the tables, or in every fifth report in the prose."""
    trial = Trial()
    with tempfile.TemporaryDirectory() as folder:
        for kind, layout, figures, draw, name in _drawn(count, seed):
            if draw.randrange(5) == 0:
                wrong = _altered_prose(trial, Path(folder), kind, layout, figures, draw)
            else:
                wrong = _altered_cell(trial, Path(folder), kind, layout, figures, draw)
            trial.note(kind, wrong, name)
    return trial


def _other(draw: random.Random, value: int) -> int:
    """Another figure as people mistype one: more, two digits swapped, one lost, one twice."""
    written = str(abs(value))
    at = draw.randrange(len(written))
    ways = [
        value + draw.randint(1, 500),
        int(written[:at] + written[at + 1 : at + 2] + written[at] + written[at + 2 :]),
        int(written[:at] + written[at + 1 :] or 0),
        int(written[: at + 1] + written[at:]),
    ]
    changed = [w for w in ways if w != value]
    return draw.choice(changed)


def _altered_cell(
    trial: Trial, folder: Path, kind: str, layout: Layout, figures: Figures, draw: random.Random
) -> list[str]:
    cell = draw.choice(sorted(figures))
    altered = Figures({**figures, cell: _other(draw, figures[cell])})
    altered.prose = figures.prose
    report = _audited(folder, kind, layout, altered)
    broken = {e.key: e.code for e in layout.equations if not _holds(e, altered)}
    failed = {c.key: c for c in report.fails if c.code in TABLE_CODES}
    wrong = []
    for key, code in broken.items():
        if key in failed and cell in {b.cell for b in failed[key].evidence}:
            trial.found[code] += 1
        else:
            trial.missed[code] += 1
            wrong.append(f"missed {key}")
    for key in failed.keys() - broken.keys():
        trial.false[failed[key].code] += 1
        wrong.append(f"false {key}")
    seen = _against_prose(trial, report, altered, cell, wrong)
    trial.unseen += not broken and not seen
    return wrong


def _holds(equation: Equation, figures: Figures) -> bool:
    """Whether an equation of the form holds, by arithmetic of its own."""
    if equation.crosses_years:
        return True
    left, right = (
        sum(t.sign * figures[t.cell] for t in side) for side in (equation.left, equation.right)
    )
    return left == right if equation.relation == "=" else left >= right


def _against_prose(
    trial: Trial, report: AuditReport, altered: Figures, cell: str, wrong: list[str]
) -> bool:
    """B7 and B10 where a cell is changed that the prose may quote: whether one of them sees it.

    The prose itself adds up, so only a comparison with that cell can be right.
    """
    seen = False
    for check in report.checks:
        if check.code == "B7" and cell in {b.cell for b in check.evidence}:
            seen = seen or check.status in ("fail", "uncertain")
            trial.found["B7"] += check.status == "fail"
            trial.doubted["B7"] += check.status == "uncertain"
        elif check.code in ("B7", "B10") and check.status == "fail":
            trial.false[check.code] += 1
            wrong.append(f"false {check.code} {check.message}")
    is_quoted = any(cell in cells for cells in quoted_cells(altered).values())
    is_quoted |= f"{{{cell}}}" in OTHER_SENTENCES[report.layout or ""]
    if is_quoted and not seen and not _all_true(report):
        trial.missed["B7"] += 1
        wrong.append(f"missed B7 {cell}")
    return seen


def _all_true(report: AuditReport) -> bool:
    """Whether every quoted figure is compared, and is the sum of the cells that its pass names."""
    compared = [c for c in report.checks if c.code == "B7"]
    quoted = [f for f in report.narrative.figures if f.meaning and f.meaning.cells]
    passed = [c for c in compared if c.status == "pass"]
    return len(compared) == len(quoted) > 10 and all(_is_true(c) for c in passed)


def _is_true(check: AuditCheck) -> bool:
    """Whether the figure of the prose is the sum of the cells that a pass rests on."""
    figure, *cells = check.evidence
    return figure.value == sum((b.value or 0 for b in cells), Decimal(0))


def _altered_prose(
    trial: Trial, folder: Path, kind: str, layout: Layout, figures: Figures, draw: random.Random
) -> list[str]:
    """One figure of the prose changed: B7 names it, unless the words allow another reading."""
    style = draw.choice(STYLES)
    values = told(layout, figures)
    name = draw.choice([n for n in values if f"{{{n}}}" in style])
    changed = {**values, name: _other(draw, values[name])}
    _write_prose(layout, figures, style, changed)
    report = _audited(folder, kind, layout, figures)
    wrong = []
    for check in report.fails:
        is_of_it = any(b.figure and b.figure.value == changed[name] for b in check.evidence)
        if check.code in TABLE_CODES or not is_of_it:
            trial.false[check.code] += 1
            wrong.append(f"false {check.code} {check.message}")
    told_wrong = {
        c.status
        for c in report.checks
        if c.code == "B7" and c.evidence[:1] and c.evidence[0].value == changed[name]
    }
    if "fail" in told_wrong:
        trial.found["B7"] += 1
    elif "uncertain" in told_wrong:
        trial.doubted["B7"] += 1
    elif _all_true(report):
        trial.unseen += 1
    else:
        trial.missed["B7"] += 1
        wrong.append(f"missed B7 {name} {values[name]} → {changed[name]}")
    return wrong
