"""Rendering: an edition in memory to what people and machines read.

`render_edition` writes an edition's folder: workbook, Word report, HTML report, cells and
findings as CSV, Parquet and JSON, and a manifest. `tables_json` is what
`nianbao tables YEAR --json` prints. `markdown` and `terminal` make the texts for artifacts
and for the terminal.

Nothing heavy is imported before it is needed: the command line imports this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.editions.edition import Edition
    from warehouse.lake import Lake
    from warehouse.shelf import Shelf

__all__ = ["render_edition", "tables_json"]


def render_edition(
    edition: Edition, folder: Path, *, lake: Lake | None = None, shelf: Shelf | None = None
) -> list[Path]:
    """Write all outputs of an edition into `folder` and return their paths, manifest last.

    The files are written beside the folder and moved into place when all are there, so a
    reader never sees half an edition; what was in the folder is replaced. The same edition
    gives the same bytes. `lake` is where records that the edition holds only in part are
    read in full; a pending edition's folder is kept on the `shelf`. Raises OSError when the folder
    cannot be written, LakeError when it cannot be kept.
    """
    from tasks.render.folder import write_folder

    return write_folder(edition, folder, lake=lake, shelf=shelf)


def tables_json(edition: Edition, organ_id: str | None = None) -> dict[str, Any]:
    """One organ's tables as JSON values; the root's when no organ is named.

    Raises KeyError for an organ that the edition does not have.
    """
    from tasks.render.data_files import tables_json as build

    return build(edition, organ_id)
