"""转交单: the letter by which an organ gets what it must act on, as a draft or as it was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from tasks.desk.matters import Matter, MatterRefused, Matters
from tasks.people import trail as kept
from tasks.people.trail import Step


@dataclass(frozen=True)
class Letter:
    """A letter to an organ: its kept number, by whom and when it was sent and the day agreed; a
    draft has none of them."""

    organ_id: str
    organ_name: str
    blocking: list[Matter]
    others: list[Matter]
    number: str = ""
    person: str = ""
    sent_on: date | None = None
    due_on: date | None = None

    @property
    def all(self) -> list[Matter]:
        return [*self.blocking, *self.others]


def letters_of(matters: Matters, organ_id: str) -> list[Step]:
    """The letters about a report that an organ was sent, the newest first, a step of each."""
    found: dict[str, Step] = {}
    for matter in matters.of_organ(organ_id):
        for step in matter.steps:
            if step.act == kept.SENT and step.letter:
                found.setdefault(step.letter, step)
    return sorted(found.values(), key=lambda step: step.number, reverse=True)


def letter_of(matters: Matters, organ_id: str, number: str) -> Letter:
    """The letter of a number, or else one that is not sent yet. Raises MatterRefused for an organ
    that has nothing to act on, and for a letter that there is not."""
    of = matters.of_organ(organ_id)
    if not of:
        raise MatterRefused("这个机关没有要处理的核对问题。请从核对问题的机关中选一个")
    if not number:
        open_ = [m for m in of if not m.state.is_settled]
        return _letter(organ_id, open_ or of)
    sent = next((s for s in letters_of(matters, organ_id) if s.letter == number), None)
    if sent is None:
        raise MatterRefused("没有这个编号的转交单。请从核对问题的机关中打开")
    about = [m for m in of if any(s.letter == number for s in m.steps)]
    return replace(
        _letter(organ_id, about),
        number=number,
        person=sent.person,
        sent_on=sent.done_at.date(),
        due_on=sent.due_on,
    )


def _letter(organ_id: str, of: Sequence[Matter]) -> Letter:
    blocking, others = [m for m in of if m.blocks], [m for m in of if not m.blocks]
    return Letter(organ_id, of[0].organ_name, blocking, others)
