"""The demo city's organs, read from its organs.csv."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

ORGANS_FILE = Path(__file__).parent.parent / "organs.csv"

# The organs of the 2019 reform begin on this day; the abolished ones end the day before.
REFORM = date(2019, 4, 1)

ROOT = "441500"


@dataclass(frozen=True)
class Organ:
    """An organ in one period of validity."""

    organ_id: str
    name: str
    kind: str
    parent: str
    valid_from: date
    valid_to: date | None
    successor: str
    has_system: bool
    cms_code: str
    hotline_code: str
    media_name: str
    ledger_code: str

    def is_valid(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    @property
    def of_city(self) -> bool:
        return self.parent == ROOT


def _read() -> Iterator[Organ]:
    with ORGANS_FILE.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            yield Organ(
                organ_id=row["organ_id"],
                name=row["organ_name"],
                kind=row["organ_kind"],
                parent=row["parent_organ_id"],
                valid_from=date.fromisoformat(row["valid_from"]),
                valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
                successor=row["successor_organ_id"],
                has_system=row["has_system"] == "true",
                cms_code=row["cms_code"],
                hotline_code=row["hotline_code"],
                media_name=row["media_name"],
                ledger_code=row["ledger_code"],
            )


class Organs:
    """The organs with their periods, and weighted draws among those valid on a day."""

    def __init__(self) -> None:
        self.rows = list(_read())
        self._periods: dict[str, list[Organ]] = {}
        for row in self.rows:
            self._periods.setdefault(row.organ_id, []).append(row)

    @property
    def ids(self) -> list[str]:
        return list(self._periods)

    def on(self, organ_id: str, day: date) -> Organ:
        """The organ in its period on `day`, or in its last period when it has ended."""
        periods = self._periods[organ_id]
        return next((row for row in periods if row.is_valid(day)), periods[-1])

    def ended_on(self, organ_id: str) -> date | None:
        return self._periods[organ_id][-1].valid_to

    def existed_from(self, organ_id: str) -> date:
        return self._periods[organ_id][0].valid_from

    def lasting(self) -> list[Organ]:
        """The organs that were there before 2019 and still are, as they are now."""
        return [
            periods[-1]
            for periods in self._periods.values()
            if periods[0].valid_from < REFORM and periods[-1].valid_to is None
        ]


class OrganDraw:
    """Draws organs valid on a day by a weight, the same for equal seeds."""

    def __init__(self, organs: Organs, rng: Random, weight: Callable[[Organ], float]) -> None:
        self._rng = rng
        self._before = self._table([o for o in organs.rows if o.valid_from < REFORM], weight)
        self._after = self._table([o for o in organs.rows if o.valid_to is None], weight)

    @staticmethod
    def _table(
        rows: list[Organ], weight: Callable[[Organ], float]
    ) -> tuple[list[Organ], list[float]]:
        total, cumulative, kept = 0.0, [], []
        for row in rows:
            share = weight(row)
            if share > 0:
                total += share
                cumulative.append(total)
                kept.append(row)
        return kept, cumulative

    def pick(self, day: date) -> Organ:
        rows, cumulative = self._before if day < REFORM else self._after
        return self._rng.choices(rows, cum_weights=cumulative)[0]
