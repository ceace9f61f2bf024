"""The report and its annex in Word: what stands in them is `report`, how Word sets it `word_set`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.render.report import annex, report
from tasks.render.word_set import saved

if TYPE_CHECKING:
    from tasks.editions.edition import Edition


def write(edition: Edition, path: Path) -> None:
    """Write the report of the root's figures. The same edition gives the same bytes."""
    path.write_bytes(saved(report(edition)))


def write_annex(edition: Edition, path: Path) -> None:
    """Write what is for the office only. The same edition gives the same bytes."""
    path.write_bytes(saved(annex(edition)))
