"""B7: figures of the prose against the cells of the form that say the same thing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from expectations.balance import Status, number
from tasks.audit.meanings import pattern
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.result import AuditCheck, Basis, Suggestion
from tasks.audit.suggestions import slip
from tasks.audit.tables import APPLICANTS
from warehouse.form import layout_names, load_layout

_GROUPS = ("denied", "unavailable", "unprocessed", "other")
_ENDINGS = {
    "review_upheld": "upheld",
    "review_corrected": "corrected",
    "review_other": "other",
    "review_pending": "pending",
}
_REVIEWS = {
    "review_received": ["reconsideration"],
    "litigation_direct": ["litigation_direct"],
    "litigation_after_reconsideration": ["litigation_after_reconsideration"],
    "litigation_received": ["litigation_direct", "litigation_after_reconsideration"],
}
_TELLING = 10
"""Smaller figures agree with some cell by chance."""
CellValues = Mapping[str, Decimal | None]


@dataclass(frozen=True)
class _Sum:
    """A sum of cells: how it is written, what it comes to, and its cells."""

    written: str
    value: Decimal
    cells: tuple[Basis, ...]


def cell_sum(expression: str, figures: CellValues) -> _Sum | None:
    """Cells joined by +; a group row (t3.denied) or 法人 column is the sum of its members.

    None when one of them is not there or is blank.
    """
    keys: list[str] = []
    for key in expression.split(" + "):
        table, row, column = key.split(".")
        columns = APPLICANTS[1:-1] if column == "legal_person" else (column,)
        rows = [row]
        if row in _GROUPS and f"{table}.{row}.{columns[0]}" not in figures:
            rows = list(
                dict.fromkeys(k.split(".")[1] for k in figures if k.startswith(f"{table}.{row}_"))
            )
        if not rows:
            return None
        for one in (f"{table}.{r}.{c}" for r in rows for c in columns):
            # A total left blank, or a form without that column, is what the row adds up to.
            members = [one.replace(".total", f".{c}") for c in APPLICANTS[:-1]]
            is_lost = table == "t3" and column == "total" and figures.get(one) is None
            keys += members if is_lost and all(m in figures for m in members) else [one]
    values = [figures.get(key) for key in keys]
    # One blank among the members of a group is read as nothing there; a lone blank is not.
    if any(key not in figures for key in keys) or all(v is None for v in values):
        return None
    cells = tuple(Basis(v, cell=k) for k, v in zip(keys, values, strict=True) if v is not None)
    return _Sum(expression, sum((c.value for c in cells if c.value is not None), Decimal(0)), cells)


@cache
def named(expression: str) -> str:
    """Cells joined by + as the form names them: “(一)予以公开 · 总计”."""
    names = []
    for key in expression.split(" + "):
        found = (load_layout(name).cells.get(key) for name in reversed(layout_names()))
        names.append(next((f"“{cell.full_label}”" for cell in found if cell), key))
    return "加".join(names)


def agreement_checks(
    narrative: Narrative, figures: CellValues, organ: str = ""
) -> list[AuditCheck]:
    """Every figure of the prose that the tables hold too. Without tables, one not_assessable.

    `organ` is the report's: an office that reports on itself alone is no narrower scope.
    """
    told = [
        (f, cells)
        for at, f in enumerate(narrative.figures)
        if f.kind == "amount" and f.meaning and (f.step or f.about)
        if (cells := f.meaning.cells or _of_review(narrative, at))
    ]
    if not figures:
        return (
            [AuditCheck("B7", "B7", "not_assessable", "没有找到表格,正文与表格无法互核")]
            if told
            else []
        )
    sums: list[tuple[Figure, list[_Sum]]] = []
    for figure, expressions in told:
        found = [s for e in expressions if (s := cell_sum(e, figures)) is not None]
        if found:
            sums.append((figure, found))
    agreeing = {id(f) for f, found in sums if any(_agrees(f, s.value) for s in found)}
    main = _main_passage([f for f, _ in sums], agreeing)
    matched = {f.meaning.label for f, _ in sums if id(f) in agreeing and f.meaning}
    around = _Around(narrative, figures, main, matched, organ)
    return [_check(f, found, around) for f, found in sums]


def _of_review(narrative: Narrative, at: int) -> tuple[str, ...]:
    """The cells that an ending (维持6件) may agree with: of the case named last before it in the
    sentence, and of all that the sentence names."""
    figure = narrative.figures[at]
    ending = _ENDINGS.get(figure.role)
    named = [
        f
        for f in narrative.figures[:at]
        if f.role in _REVIEWS
        and f.block == figure.block
        and not re.search("[。!?]", narrative.between(f, figure))
    ]
    if ending is None or not named:
        return ()
    every = list(dict.fromkeys(row for f in named for row in _REVIEWS[f.role]))
    readings = [_REVIEWS[named[-1].role], every]
    return tuple(dict.fromkeys(" + ".join(f"t4.{r}.{ending}" for r in rows) for rows in readings))


@dataclass(frozen=True)
class _Around:
    """What a single comparison needs to know of the report: `main` is the passage that speaks
    of the same applications as the table, `matched` the labels that agree somewhere."""

    narrative: Narrative
    figures: CellValues
    main: int
    matched: set[str]
    organ: str

    def shares_cells(self, figure: Figure) -> bool:
        """Whether another figure of the account is told under the same row of the form."""
        return any(
            f.passage == figure.passage and f.role == "leaf" and f.meaning and figure.meaning
            and f.meaning.cells == figure.meaning.cells and f is not figure
            for f in self.narrative.figures
        )  # fmt: skip


def _main_passage(told: list[Figure], agreeing: set[int]) -> int:
    """The passage that speaks of the same applications as the table: where most agrees."""
    scores: dict[int, int] = {}
    for figure in told:
        if figure.passage:
            scores[figure.passage] = scores.get(figure.passage, 0) + (id(figure) in agreeing)
    return max(scores, key=lambda p: (scores[p], -p), default=0)


def _check(figure: Figure, found: list[_Sum], around: _Around) -> AuditCheck:
    meaning = figure.meaning
    assert meaning is not None
    key = f"B7.{figure.block}.{figure.start}"
    for same in found:
        if _agrees(figure, same.value):
            rest = "" if same.value == figure.value else ",按所写位数或约数"
            text = f"“{figure.quote}”与表格一致({named(same.written)}{rest})"
            return AuditCheck(
                "B7",
                key,
                "pass",
                text,
                f"{number(figure.value)} {'≈' if rest else '='} {number(same.value)}",
                Decimal(0),
                (Basis(figure.value, figure=figure), *same.cells),
            )
    nearest = found[0]
    gap = figure.value - nearest.value
    evidence = (Basis(figure.value, figure=figure), *nearest.cells)
    equation = f"{number(figure.value)} ≠ {number(nearest.value)}"
    pending = cell_sum(meaning.pending, around.figures) if meaning.pending else None
    if pending is not None and figure.value == nearest.value - pending.value:
        text = f"“{figure.quote}”比表格总计少 {number(pending.value)},恰为尚未审结的件数:正文可能没有计入尚未审结"
        return AuditCheck("B7", key, "uncertain", text, equation, gap, (*evidence, *pending.cells))
    status, why = _certainty(figure, around)
    others = ";".join(f"{named(s.written)}为 {number(s.value)}" for s in found)
    text = f"“{figure.quote}”与表格不一致:{others};相差 {number(abs(gap))}" + (
        f"({why})" if why else ""
    )
    offers = tuple(
        Suggestion(f"正文疑为 {number(s.value)}({how})", "", figure.value, s.value)
        for s in found
        if (how := slip(figure.value, s.value))
    )
    offers += tuple(
        Suggestion(f"正文的数恰为表中的{named(row)}", row, figure.value, nearest.value)
        for row in _totals_of(figure.value, around.figures)
    )
    return AuditCheck("B7", key, status, text, equation, gap, evidence, (), offers[:2])


def _agrees(figure: Figure, value: Decimal) -> bool:
    """Whether the figure as printed, with 万 or 余, may stand for a value of the tables."""
    least, most = figure.bounds
    return least <= value <= most


def _totals_of(value: Decimal, figures: CellValues) -> list[str]:
    """Rows of table 三 whose total is the value: the text may mean that row."""
    if value < _TELLING:
        return []
    return [
        k for k, v in figures.items() if v == value and k.startswith("t3.") and k.endswith(".total")
    ]


def _certainty(figure: Figure, around: _Around) -> tuple[Status, str]:
    """Fail only where the prose must mean the same as the table; else uncertain, and why."""
    meaning = figure.meaning
    assert meaning is not None
    text = around.narrative.texts[figure.block][: figure.end]
    scope = pattern("local_scope").search(re.split(r"[。!?\n]", text)[-1])
    if not figure.step:
        return "uncertain", "正文是约数"
    if scope and scope[0] not in around.organ:
        return "uncertain", "正文可能只指一部分机关"
    if meaning.label in around.matched:
        return "uncertain", "另一处同一事项的数与表格一致"
    if figure.role.startswith(("review", "litigation")):
        # In a passage about applications the reviews are of these, unless all are spoken of.
        sentence = re.split(r"[。!?\n]", text)[-1]
        own = sentence if pattern("any_review").search(sentence) else text
        return (
            ("fail", "") if "公开" in own else ("uncertain", "正文可能包括与政府信息公开无关的案件")
        )
    if meaning.role == "leaf" and around.shares_cells(figure):
        return "uncertain", "正文把表中一行分成了几项"
    if meaning.role:
        if figure.passage != around.main:
            return "uncertain", "正文可能另有所指"
        if figure.role == "closed" and figure.is_in_time:
            return "uncertain", "正文只计按时办结的"
        return "fail", ""
    return ("fail", "") if meaning.strict else ("uncertain", "口径可能不同")
