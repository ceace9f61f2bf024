"""The answers that go along with an edition to whoever approves it, and bind the approval."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from tasks.desk.matters import Matter, Matters


@dataclass(frozen=True)
class Carried:
    """An answer that goes along to be approved: for which checks, what it says and whose it is.
    `mark` tells whether it is still the one that the approver was shown."""

    matter: Matter
    said: str
    person: str
    done_at: datetime

    @property
    def mark(self) -> str:
        return sha256(f"{self.matter.key}\n{self.person}\n{self.said}".encode()).hexdigest()[:16]


def carried(matters: Matters) -> list[Carried]:
    """The answers that were written for what blocks."""
    return [
        Carried(m, m.answer.said, m.answer.person, m.answer.done_at)
        for m in matters.blocking
        if m.answer is not None
    ]


def answers_of(matters: Matters) -> dict[str, str]:
    """What was answered, by `check key@organ id`, of every check all of whose records were: that
    is how an approval is bound to it."""
    by_finding: dict[tuple[str, str], list[Matter]] = defaultdict(list)
    for matter in matters.blocking:
        for finding in matter.findings:
            by_finding[(finding.key, finding.organ_id)].append(matter)
    found: dict[str, str] = {}
    for finding in matters.edition.blocking_findings:
        of = by_finding.get((finding.key, finding.organ_id), [])
        is_whole = finding.record_count <= len(finding.records)
        if of and is_whole and all(m.answer is not None for m in of):
            told = (f"{m.name}:{m.answer.said}({m.answer.person}答复)" for m in of if m.answer)
            found[f"{finding.key}@{finding.organ_id}"] = ";".join(told)
    return found
