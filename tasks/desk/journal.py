"""日志: who did what and when, from the register's log, with its chain looked at."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from tasks.people import log
from tasks.people.office import Office
from warehouse.spreadsheet import safe_text

A_PAGE = 50
HASH_SHOWN = 8
MOST_IN_A_FILE = 1_000_000
COLUMNS = ("编号", "时间", "人", "事", "内容", "指纹")


@dataclass(frozen=True)
class Journal:
    """A page of the log. `broken` are numbers of lines that are not what was written, or before
    which some are missing; `count` are those asked for, `all_lines` all that there are."""

    wanted: log.Wanted
    lines: tuple[log.Line, ...]
    count: int
    page: int
    all_lines: int
    broken: tuple[int, ...]
    persons: tuple[str, ...]
    acts: tuple[str, ...]

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // A_PAGE))

    @property
    def said(self) -> str:
        """The heading: whether the chain is whole."""
        if self.broken:
            return "日志被改动过：有的经过和当时写下的不一样"
        if not self.all_lines:
            return "日志还是空的"
        return f"日志的链完整，共 {self.all_lines:,} 条"


def journal(office: Office, wanted: log.Wanted, page: int) -> Journal:
    """A page of the log, the newest first. Raises OfficeError."""
    _, count = log.some_lines(office, wanted, limit=0)
    page = min(page, max(1, -(-count // A_PAGE)))
    lines, _ = log.some_lines(office, wanted, limit=A_PAGE, offset=(page - 1) * A_PAGE)
    persons, acts = log.names_in(office)
    return Journal(
        wanted=wanted,
        lines=tuple(lines),
        count=count,
        page=page,
        all_lines=log.some_lines(office, log.Wanted(), limit=0)[1],
        broken=tuple(log.broken_lines(office)),
        persons=tuple(persons),
        acts=tuple(acts),
    )


def journal_csv(office: Office, wanted: log.Wanted) -> str:
    """The lines asked for as a table that a spreadsheet opens. Raises OfficeError."""
    lines, _ = log.some_lines(office, wanted, limit=MOST_IN_A_FILE)
    made = io.StringIO()
    writer = csv.writer(made)
    writer.writerow(COLUMNS)
    for line in lines:
        told = (line.person, line.act, line.about)
        writer.writerow(
            [line.number, f"{line.done_at:%Y-%m-%d %H:%M:%S}", *map(safe_text, told), line.hash]
        )
    return made.getvalue()
