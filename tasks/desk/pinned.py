"""Editions at hand: what an edition keeps does not change, so it is read once, however many look.

The row of an edition is asked for each time, and is part of what is remembered by: an edition that
was published, built again or brought back from a backup is read anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache

from tasks.desk.kept import kept
from tasks.editions.edition import CellValue, Edition, Scope
from tasks.editions.store import (
    EditionRow,
    KeptFigure,
    NoEdition,
    Publication,
    counted_checks,
    edition_rows,
    editions_with_figure,
    kept_figures,
    publications,
    read_cells,
    read_row,
    trial_editions,
)
from tasks.editions.tabulate import Tree, read_tree
from warehouse.lake import Lake
from warehouse.reading import reading

Figures = Mapping[tuple[str, Scope], Mapping[str, CellValue]]


@kept
def rows(lake: Lake) -> Sequence[EditionRow]:
    """All editions there are. Raises LakeError."""
    with lake.read() as connection:
        return tuple(edition_rows(connection))


@kept
def register(lake: Lake) -> Sequence[Publication]:
    """The register of publications. Raises LakeError."""
    with lake.read() as connection:
        return tuple(publications(connection))


@kept
def trials(lake: Lake) -> frozenset[str]:
    """The editions of a year that was not complete. Raises LakeError."""
    with lake.read() as connection:
        return frozenset(trial_editions(connection))


@kept
def with_figure(lake: Lake, figure: Decimal) -> frozenset[str]:
    """The editions in which some figure of the whole city is a number. Raises LakeError."""
    with lake.read() as connection:
        return frozenset(editions_with_figure(connection, figure))


@kept
def in_every_edition(lake: Lake, cell: str, organ_id: str) -> Sequence[KeptFigure]:
    """A cell of an organ in every edition that has it. Raises LakeError."""
    with lake.read() as connection:
        return tuple(kept_figures(connection, cell, organ_id=organ_id))


def publication_of(lake: Lake, edition_id: str) -> Publication | None:
    """The publication of an edition; None for one never published. Raises LakeError."""
    return next((p for p in register(lake) if p.edition_id == edition_id), None)


def row_of(lake: Lake, edition_id: str) -> EditionRow:
    """The edition named. Raises NoEdition, LakeError."""
    for row in rows(lake):
        if row.edition_id == edition_id:
            return row
    raise NoEdition(f"没有版次“{edition_id[:40]}”。可以从“版次”中查找")


def without_figures(lake: Lake, row: EditionRow) -> Edition:
    """An edition with its definitions and whatever check did not pass, without figures."""
    return _without_figures(lake, lake.catalog.identity(), row)


@lru_cache(maxsize=24)
def _without_figures(lake: Lake, _identity: object, row: EditionRow) -> Edition:
    with lake.read() as connection:
        return read_row(connection, row, with_figures=False, with_passed=False)


def with_organ(lake: Lake, row: EditionRow, organ_id: str | None = None) -> Edition:
    """An edition with the figures of one organ, of the root unless one is named.

    Raises NoEdition where it does not have that organ.
    """
    edition = without_figures(lake, row)
    organ_id = organ_id or edition.root.id
    if all(organ.id != organ_id for organ in edition.organs):
        raise NoEdition(f"版次 {row.edition_id} 中没有机关“{organ_id[:40]}”。请从机关中选一个")
    return replace(edition, cells=_figures(lake, lake.catalog.identity(), row, organ_id))


@lru_cache(maxsize=128)
def _figures(lake: Lake, _identity: object, row: EditionRow, organ_id: str) -> Figures:
    with lake.read() as connection:
        return read_cells(connection, row.edition_id, organ_id)


def tree_of(lake: Lake, row: EditionRow) -> Tree:
    """The organs of an edition, with those that others stand for. Raises LakeError where its
    snapshot is gone."""
    return _tree(lake, lake.catalog.identity(), row)


@lru_cache(maxsize=24)
def _tree(lake: Lake, identity: object, row: EditionRow) -> Tree:
    layout = _without_figures(lake, identity, row).layout
    with reading(lake, row.lake_snapshot) as opened:
        return read_tree(opened, row.period, layout)


def check_counts(lake: Lake, row: EditionRow) -> Mapping[str, int]:
    """How many of an edition's checks came to what."""
    return _check_counts(lake, lake.catalog.identity(), row)


@lru_cache(maxsize=64)
def _check_counts(lake: Lake, _identity: object, row: EditionRow) -> Mapping[str, int]:
    with lake.read() as connection:
        return counted_checks(connection, row.edition_id)
