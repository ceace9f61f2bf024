"""The account of records as a table: what every output shows of it, in one place."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.editions.account import LABELS, NOT_COUNTED
from warehouse.tables import table as table_named

if TYPE_CHECKING:
    from tasks.editions.account import Line
    from tasks.editions.edition import Edition

TITLE = "记录去向"
NUMBERS = {**LABELS, **NOT_COUNTED}
"""Every number of a list by its key, with its heading."""
CSV_COLUMNS = ("edition_id", "source", "resource", "table", *NUMBERS, "balanced")
EXPLAINED = (
    "来源有的记录,或者计入本年,或者因所列的原因不计入。撤回指来源系统已撤回或删除;"
    "不再出现指完整清单中不再有;隔离指规则认为有误、改正前不计。—为来源或以往版本没有计数。"
)


def heads(edition: Edition) -> list[tuple[str, str]]:
    """Key and heading of the numbers that any list has, in their order."""
    shown = []
    for name, label in {**LABELS, **NOT_COUNTED}.items():
        if any(_number(line, name) for line in edition.account):
            shown.append((name, label))
    return shown


def _number(line: Line, name: str) -> int | None:
    if name in NOT_COUNTED:
        return line.not_counted.get(name, 0)
    found: int | None = line.as_json().get(name)
    return found


def list_name(line: Line) -> str:
    """A list by its source, resource and the title of the table that it fills."""
    return f"{line.name} {table_named(f'core.{line.table}').title}".strip(". ")


def lines(edition: Edition) -> Iterator[tuple[str, list[int | None], bool]]:
    """Each list with its numbers under `heads`, and whether its account balances."""
    shown = heads(edition)
    for line in edition.account:
        yield list_name(line), [_number(line, name) for name, _ in shown], line.is_balanced


def open_equations(edition: Edition) -> list[str]:
    """The equations that do not hold, with their lists."""
    return [
        f"{list_name(line)}:{equation}"
        for line in edition.account
        for equation in line.equations()
        if equation.gap
    ]


def write_csv(edition: Edition, path: Path) -> None:
    """`account.csv`: one row a list, every number under its key; what is not known is empty."""
    names = list(NUMBERS)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_COLUMNS)
        for line in edition.account:
            numbers: list[Any] = [_number(line, name) for name in names]
            row = [edition.id, line.source, line.resource, line.table, *numbers]
            writer.writerow([*row, "true" if line.is_balanced else "false"])
