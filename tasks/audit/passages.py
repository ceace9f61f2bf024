"""Passages about applications: which figures of the prose belong to one account of a year.

A passage begins with what was received or handled and holds the applicants, ways of
submission, outcomes and carry-overs that follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from tasks.audit.meanings import phrases
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.result import Basis

APPLICATION_WHOLES = ("received", "new_received", "handled", "closed")
_PARENTS = {
    "granted": "granted_",
    "denied": "denied_",
    "unavailable": "unavailable_",
    "unprocessed": "unprocessed_",
    "other": "other_",
}


def compatible(one: str, other: str) -> bool:
    """Whether two units may be added: the same, or used for the same things side by side."""
    return one == other or any(
        one in group and other in group for group in phrases()["interchangeable"]
    )


@dataclass
class Passage:
    """The figures of one account by role; `doubles` are roles that stand with two values."""

    number: int
    figures: dict[str, Figure] = field(default_factory=dict)
    leaves: dict[str, Figure] = field(default_factory=dict)
    channels: list[Figure] = field(default_factory=list)
    doubles: set[str] = field(default_factory=set)

    def value(self, role: str) -> Decimal | None:
        figure = self.figures.get(role)
        return figure.value if figure else None

    def whole(self) -> Figure | None:
        """What was received, as the passage says it first."""
        return next(
            (self.figures[r] for r in ("received", "new_received", "handled") if r in self.figures),
            None,
        )

    def excludes_carry_in(self, whole: Figure) -> bool:
        """Whether a whole is only what came new: by its word, or as the same amount said twice."""
        new = self.figures.get("new_received")
        return whole.role in ("received", "new_received") and bool(
            new and (new is whole or new.value == whole.value)
        )

    def includes_carry_in(self, whole: Figure) -> bool:
        """Whether the text says so: 102件(含上年结转5件)."""
        carried = self.figures.get("carried_in")
        new = self.figures.get("new_received")
        if carried is None:
            return False
        # 共收到68件,其中本年新收65件,上年结转3件.
        both = [f for f in (carried, new) if f is not None and f is not whole]
        parts = [f for f in both if re.match("其中|含|包括|包含", f.before)]
        if not parts:
            return False
        ahead = [
            f
            for role in APPLICATION_WHOLES
            if (f := self.figures.get(role))
            and f.block == carried.block
            and f.start < carried.start
            and not (f is new and f in parts)
        ]
        return bool(ahead) and max(ahead, key=lambda f: f.start) is whole

    def is_complete(self) -> bool:
        """Whether every group of outcomes of the form is told."""
        given = set(self.figures)
        if "granted_or_partially" in given:
            given |= {"granted", "partially_granted"}
        return set(phrases()["outcomes"]) - {"granted_or_partially"} <= given

    def organizations(self) -> list[Figure]:
        """The kinds of legal persons and other organizations that the text names."""
        roles = [*phrases()["organizations"], "other_organization"]
        return [self.figures[r] for r in roles if r in self.figures]

    def divided(self) -> Iterator[tuple[Figure, list[Figure]]]:
        """Groups of the form with what a bracket or 其中 right behind them divides them into."""
        members: list[tuple[str, list[Figure]]] = [
            (role, [f for row, f in self.leaves.items() if row.startswith(prefix)])
            for role, prefix in _PARENTS.items()
        ]
        members.append(("legal_person", self.organizations()))
        for role, figures in members:
            whole = self.figures.get(role)
            if whole is None:
                continue
            behind = [f for f in figures if f.block == whole.block and f.start > whole.start]
            behind.sort(key=lambda f: f.start)
            if behind and _divides(whole, behind[0]):
                yield whole, behind

    def nearest_whole(self, part: Figure) -> Figure | None:
        """What was received or handled, as said last before a part, else as the passage says first."""
        before = [
            f
            for role in ("received", "new_received", "handled")
            if (f := self.figures.get(role)) and (f.block, f.start) < (part.block, part.start)
        ]
        return max(before, key=lambda f: (f.block, f.start), default=self.whole())

    def all_outcomes(self) -> list[Figure]:
        """Outcome groups and every row: where a row stands beside its group, not under it."""
        given = self.outcomes()
        return given + [f for f in self.leaves.values() if f not in given]

    def outcomes(self) -> list[Figure]:
        """Outcome groups, and rows of the form whose group is not given itself."""
        given = [r for r in phrases()["outcomes"] if r in self.figures]
        if "granted_or_partially" in given:
            given = [r for r in given if r not in ("granted", "partially_granted")]
        groups = [self.figures[r] for r in given]
        rows = [
            f for row, f in self.leaves.items()
            if not any(row.startswith(prefix) and parent in self.figures for parent, prefix in _PARENTS.items())
        ]  # fmt: skip
        return groups + rows

    def wholes(self, of: Figure) -> Iterator[tuple[str, Decimal, tuple[Basis, ...]]]:
        """Totals that the share of a figure may refer to: (name, value, figures)."""
        given = [self.figures[r] for r in APPLICATION_WHOLES if r in self.figures]
        # The nearest one before the part is the likeliest.
        place = (of.block, of.start)
        given.sort(
            key=lambda f: ((f.block, f.start) > place, of.block - f.block, of.start - f.start)
        )
        for figure in given:
            assert figure.meaning is not None
            yield figure.meaning.label, figure.value, (Basis(figure.value, figure=figure),)
        carried = self.figures.get("carried_in")
        if carried:
            for figure in given:
                both = (
                    Basis(figure.value, figure=figure),
                    Basis(carried.value, figure=carried),
                )
                yield "本年收到与上年结转之和", figure.value + carried.value, both
        outcomes = self.outcomes()
        if len(outcomes) > 2 and of in outcomes:
            yield (
                "各项结果之和",
                sum((f.value for f in outcomes), Decimal(0)),
                tuple(Basis(f.value, figure=f) for f in outcomes),
            )


def _divides(whole: Figure, first: Figure) -> bool:
    """Whether a bracket, 其中 or a colon leads from a group right to its first part."""
    is_next = first.start - len(first.lead) == whole.end
    return is_next and re.match(r"[^,;。()]{0,4}(?:\(|:|,?其中|,?包括)", first.lead) is not None


def passages(narrative: Narrative) -> list[Passage]:
    """The passages of a report in order."""
    found: dict[int, Passage] = {}
    for figure in narrative.figures:
        if not figure.passage or not figure.role or figure.kind != "amount":
            continue
        passage = found.setdefault(figure.passage, Passage(figure.passage))
        if figure.role == "channel":
            passage.channels.append(figure)
        elif figure.role == "leaf" and figure.meaning:
            _put(passage, passage.leaves, figure.meaning.row, figure)
        else:
            _put(passage, passage.figures, figure.role, figure)
    return list(found.values())


def _put(passage: Passage, among: dict[str, Figure], role: str, figure: Figure) -> None:
    if role in among and among[role].value != figure.value:
        passage.doubles.add(role)
    among.setdefault(role, figure)
