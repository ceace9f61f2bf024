"""The tables, read from their SQL files: `warehouse/<layer>/<name>.sql`.

The head of a file says everything about its table, one `-- key: value` a line; the column's
trailing comment says what it means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

WAREHOUSE = Path(__file__).parent
_HEAD = re.compile(r"^-- (\w+):\s+(.*)$", re.MULTILINE)
_COLUMN = re.compile(
    r"^ {4}(\w+) ([A-Z]+(?:\([\d, ]+\))?)( NOT NULL)?,?(?:  -- (.*))?$", re.MULTILINE
)

TECHNICAL_COLUMNS = (
    "source_updated_at",
    "removed_at",
    "removal",
    "origin",
    "row_hash",
    "load_id",
    "loaded_at",
)


@dataclass(frozen=True)
class Column:
    """A column: `sql_type` as declared, `meaning` in Chinese."""

    name: str
    sql_type: str
    is_required: bool
    meaning: str

    @property
    def label(self) -> str:
        """What it is called in Chinese: the beginning of its meaning."""
        return re.split("[;:(]", self.meaning, maxsplit=1)[0] or self.name


@dataclass(frozen=True)
class Table:
    """A table as its file declares it. `is_standing` says that its records are in force over a
    time, rather than happen on a day."""

    layer: str
    name: str
    title: str
    grain: str
    key: tuple[str, ...]
    partition: str
    columns: tuple[Column, ...]
    sql: str
    is_standing: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.layer}.{self.name}"

    @property
    def columns_sql(self) -> str:
        """Names and types, for a table of the same shape elsewhere."""
        return ", ".join(f"{column.name} {column.sql_type}" for column in self.columns)

    @property
    def business_columns(self) -> tuple[Column, ...]:
        """What a source fills: neither the natural key nor the technical columns."""
        return tuple(c for c in self.columns if c.name not in (*self.key, *TECHNICAL_COLUMNS))

    @property
    def partition_column(self) -> str | None:
        """The column by whose date the table's files are kept apart; None without such files."""
        return self.partition.partition("(")[2].partition(")")[0] or None

    @property
    def is_pulled(self) -> bool:
        """Whether sources fill it (rather than files of the deployment)."""
        return self.key == ("source_system", "record_id")


@cache
def all_tables() -> tuple[Table, ...]:
    """Every table of the warehouse, by layer and name."""
    return tuple(
        _read(path)
        for layer in ("core", "ops", "yearly")
        for path in sorted((WAREHOUSE / layer).glob("*.sql"))
    )


def table(full_name: str) -> Table:
    """The table of that name, such as `core.application`. Raises KeyError."""
    for candidate in all_tables():
        if candidate.full_name == full_name:
            return candidate
    raise KeyError(full_name)


def _read(path: Path) -> Table:
    sql = path.read_text(encoding="utf-8")
    head = dict(_HEAD.findall(sql))
    return Table(
        layer=path.parent.name,
        name=path.stem,
        title=head["title"],
        grain=head["grain"],
        key=tuple(part.strip() for part in head["key"].split(",")),
        partition=head.get("partition", ""),
        columns=tuple(
            Column(name, sql_type, bool(required), meaning)
            for name, sql_type, required, meaning in _COLUMN.findall(sql)
        ),
        sql=sql,
        is_standing="stands" in head,
    )
