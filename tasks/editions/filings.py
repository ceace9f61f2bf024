"""What organs filed themselves beside what their records give, cell by cell, with the records.

For a parent that adds its organs up: which of their figures it cannot take as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from tasks.editions.edition import Edition, Organ
from tasks.editions.reconcile import filed_figures
from tasks.editions.tabulate import Tree, read_tree
from warehouse.cells import is_loaded, records
from warehouse.lake import Lake
from warehouse.layout import Cell
from warehouse.reading import Reading, reading

MOST_RECORDS = 50
"""Records named for a cell; more are counted."""


@dataclass(frozen=True)
class FiledCell:
    """A cell that an organ filed: what it filed, what its records give, and, where the two
    differ, the records that count (`source/id`)."""

    organ: Organ
    cell: Cell
    filed: Decimal | None
    computed: Decimal | None
    records: tuple[str, ...] = ()
    record_count: int = 0

    @property
    def is_same(self) -> bool:
        return self.filed == self.computed

    @property
    def difference(self) -> Decimal | None:
        """Filed less computed."""
        if self.filed is None or self.computed is None:
            return None
        return self.filed - self.computed


def filings(lake: Lake, edition: Edition) -> dict[str, tuple[FiledCell, ...]]:
    """Every cell that organs filed for an edition's report, by organ, from its snapshot."""
    assert edition.definitions is not None
    with reading(lake, edition.snapshot, declared=edition.definitions.parsed_measures) as opened:
        filed = filed_figures(opened, edition.form, edition.period)
        tree = read_tree(opened, edition.period, edition.layout)
        return {
            organ.id: tuple(_of_organ(opened, tree, edition, organ, filed[organ.id]))
            for organ in edition.organs
            if organ.id in filed
        }


def _of_organ(
    opened: Reading,
    tree: Tree,
    edition: Edition,
    organ: Organ,
    filed: dict[str, tuple[Decimal | None, str, str]],
) -> Iterator[FiledCell]:
    figures = edition.figures(organ.id)
    for key, cell in edition.layout.cells.items():
        if key not in filed:
            continue
        value, computed = filed[key][0], figures[key].value if key in figures else None
        counted: list[str] = []
        count = 0
        if value != computed and is_loaded(opened, cell):
            found = records(
                opened,
                [cell],
                edition.period,
                tree.record_organs(organ.id),
                limit=MOST_RECORDS + 1,
            )
            counted = [f"{record.source_system}/{record.record_id}" for record in found]
            count = len(found)
        yield FiledCell(organ, cell, value, computed, tuple(counted[:MOST_RECORDS]), count)
