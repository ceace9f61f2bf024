"""The trail of each matter that keeps an edition from being published: who did what, and when.

A matter is a record, a rule where a finding names no record, or an edition itself. What was done
belongs to the report of a period, so that the next edition of it has it too. Rows are only added,
each chained to the one before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime

from tasks.people import log
from tasks.people.office import Office
from warehouse.errors import EntryError

SENT, URGED, REPLIED = "转交", "催办", "记下回复"
ANSWERED, TAKEN_BACK = "答复", "撤回答复"
HANDED_OVER, RETURNED = "送批准", "退回"
_NAMES = (
    *("form", "period", "matter", "act", "person", "done_at", "edition_id"),
    *("said", "organ_id", "letter", "due_on"),
)


class Overtaken(EntryError):
    """Somebody else acted on the matter since the page was shown; the message says who and when."""


@dataclass(frozen=True)
class Step:
    """One thing that was done. `said` is an answer, a reply, a reason; `letter` the kept number of
    a letter to an organ, `due_on` the day agreed in it."""

    form: str
    period: str
    matter: str
    act: str
    person: str
    done_at: datetime
    edition_id: str
    said: str = ""
    organ_id: str = ""
    letter: str = ""
    due_on: date | None = None
    number: int = 0


def add(connection: sqlite3.Connection, step: Step) -> int:
    """Add a step, and its line in the log, in one transaction; returns its number."""
    told = {
        **{name: getattr(step, name) for name in _NAMES},
        "done_at": step.done_at.isoformat(),
        "due_on": step.due_on.isoformat() if step.due_on else "",
    }
    number = log.append(connection, "trail", _NAMES, [told[name] for name in _NAMES])
    about = "，".join(filter(None, (step.edition_id, step.matter, step.letter)))
    log.write(connection, step.person, step.act, about, now=step.done_at)
    return number


def check_not_overtaken(
    connection: sqlite3.Connection, form: str, period: str, matter: str, seen: int
) -> None:
    """That nothing was done about a matter after its step `seen`. Raises Overtaken."""
    row = connection.execute(
        "SELECT person, done_at, act FROM trail WHERE form = ? AND period = ? AND matter = ? "
        "AND number > ? ORDER BY number DESC LIMIT 1",
        [form, period, matter, seen],
    ).fetchone()
    if row is not None:
        at = datetime.fromisoformat(row["done_at"])
        raise Overtaken(
            f"{row['person']} {at.month} 月 {at.day} 日 {at:%H:%M} 已处理过这一条({row['act']})。"
            "您看到的是此前的内容;您填写的留在下面,看过现在的经过以后可以再提交"
        )


def steps_of(office: Office, form: str, period: str) -> list[Step]:
    """Everything that was done about a report, the oldest first."""
    with office.read() as connection:
        rows = connection.execute(
            "SELECT * FROM trail WHERE form = ? AND period = ? ORDER BY number", [form, period]
        ).fetchall()
    return [_step(row) for row in rows]


def next_letter(connection: sqlite3.Connection, edition_id: str) -> str:
    """The number that the next letter about an edition has: 2020-1-03."""
    row = connection.execute(
        "SELECT count(DISTINCT letter) AS letters FROM trail WHERE edition_id = ? AND letter <> ''",
        [edition_id],
    ).fetchone()
    return f"{edition_id}-{row['letters'] + 1:02d}"


def broken_steps(office: Office) -> list[int]:
    """Numbers of steps that are not what was written, or where some are missing before."""
    return log.broken_rows(office, "trail", _NAMES)


def _step(row: sqlite3.Row) -> Step:
    told = {field.name: row[field.name] for field in fields(Step)}
    due = told["due_on"]
    return Step(
        **{
            **told,
            "done_at": datetime.fromisoformat(told["done_at"]),
            "due_on": date.fromisoformat(due) if due else None,
        }
    )


def last_of(steps: Sequence[Step], *acts: str) -> Step | None:
    """The newest of some acts."""
    return next((step for step in reversed(steps) if step.act in acts), None)
