"""An edition's folder: every output, written beside its place and moved in as a whole."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tasks.editions.edition import Edition
from tasks.editions.store import with_all_records
from tasks.render.manifest import MANIFEST, write_manifest
from tasks.render.outputs import OUTPUTS
from warehouse.lake import Lake


def write_folder(edition: Edition, folder: Path, *, lake: Lake | None = None) -> list[Path]:
    """Write every file of `OUTPUTS` into `folder`; see `tasks.render.render_edition`."""
    if lake is not None:
        edition = with_all_records(lake, edition)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        fresh.chmod(0o755)
        for output in OUTPUTS:
            output.write(edition, fresh / output.name)
        write_manifest(edition, fresh, {output.name: output.title(edition) for output in OUTPUTS})
        _put_in_place(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return [*(folder / output.name for output in OUTPUTS), folder / MANIFEST]


def _put_in_place(fresh: Path, folder: Path) -> None:
    """Swap the finished folder in. A folder cannot be replaced in one step, so the old one
    steps aside first and comes back if the new one cannot take its place."""
    if not folder.exists():
        fresh.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    folder.rename(aside / "folder")
    try:
        fresh.rename(folder)
    except OSError:
        (aside / "folder").rename(folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
