"""The report in PDF/A: what stands in it is `report`, how it is set `pdf_set`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.render.pdf_set import saved
from tasks.render.report import report

if TYPE_CHECKING:
    from tasks.editions.edition import Edition


def write(edition: Edition, path: Path) -> None:
    """Write the report of the root's figures. The same edition gives the same bytes. Raises
    CannotSet."""
    path.write_bytes(saved(report(edition)))
