"""An edition as one of its organs files it: its own tables, or with those below it.

A view, not a build: figures, findings and words are the edition's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tasks.editions.edition import CellValue, Edition, Organ, Scope
from warehouse.layout import Cell, Layout


def part_of(edition: Edition, organ_id: str, scope: Scope = "rolled_up") -> Edition:
    """What an organ files of an edition: `rolled_up` with the organs below it, `own` without.

    Figures that only the whole city has are not there. Raises KeyError for an unknown organ.
    """
    organ = edition.organ(organ_id)
    if organ_id == edition.root.id and scope == "rolled_up":
        return edition
    root = replace(organ, parent_id=None)
    organs = (root, *_below(edition, organ_id)) if scope == "rolled_up" else (root,)
    inside = {member.id for member in organs}
    own = edition.cells[(organ_id, scope)]
    cells: dict[tuple[str, Scope], Mapping[str, CellValue]] = {
        place: figures for place, figures in edition.cells.items() if place[0] in inside
    }
    cells[(organ_id, "rolled_up")] = own
    findings = tuple(f for f in edition.findings if f.organ_id in inside)
    if scope == "own":
        findings = ()
    return replace(
        edition,
        root=root,
        organs=organs,
        layout=_without_root_figures(edition.layout),
        cells=cells,
        findings=findings,
        last_year={},
        series=(),
        account=(),
        part_scope=scope,
    )


def _below(edition: Edition, organ_id: str) -> tuple[Organ, ...]:
    inside = {organ_id}
    found = []
    for organ in edition.organs:
        if organ.parent_id in inside:
            inside.add(organ.id)
            found.append(organ)
    return tuple(found)


def _without_root_figures(layout: Layout) -> Layout:
    """The layout without what only the whole city has, and without what is made of it."""
    gone = {key for key, cell in layout.cells.items() if cell.only_root}
    while more := {k for k, c in layout.cells.items() if k not in gone and _is_of(c, gone)}:
        gone |= more
    return replace(layout, cells={k: c for k, c in layout.cells.items() if k not in gone})


def _is_of(cell: Cell, gone: set[str]) -> bool:
    return any(key in gone for key in cell.made_of)
