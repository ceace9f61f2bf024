"""An edition's folder: every output, written beside its place and moved in as a whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.editions.edition import Edition
from tasks.editions.store import find_row, with_all_records
from tasks.render.manifest import MANIFEST, write_manifest
from tasks.render.outputs import OUTPUTS
from warehouse.disk import move_in
from warehouse.errors import EntryError
from warehouse.lake import Lake, LakeBusy
from warehouse.shelf import Shelf

PUBLISHING_LOCK = ".publishing.lock"
"""Beside the folders: whoever has it puts them in place."""


class NotPending(EntryError):
    """The edition does not wait any more, and its files stay; the message says what to do."""


@contextmanager
def putting_in_place(lake: Lake, editions: Path, timeout: float) -> Iterator[None]:
    """One that puts editions' files in place at a time, on whichever machine. Raises Timeout or
    LakeBusy after `timeout` seconds."""
    with FileLock(editions / PUBLISHING_LOCK, timeout=timeout), lake.publishing(timeout):
        yield


def write_folder(
    edition: Edition, folder: Path, *, lake: Lake | None = None, shelf: Shelf | None = None
) -> list[Path]:
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
        if lake is not None and edition.status == "pending":
            _put_in_place_while_pending(lake, edition, fresh, folder, shelf)
        else:
            move_in(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return [*(folder / output.name for output in OUTPUTS), folder / MANIFEST]


def _put_in_place_while_pending(
    lake: Lake, edition: Edition, fresh: Path, folder: Path, shelf: Shelf | None
) -> None:
    """What was published while these files were being written is not replaced by them. Raises
    NotPending, LakeBusy."""
    try:
        with putting_in_place(lake, folder.parent, 600):
            with lake.read() as connection:
                row = find_row(connection, edition.id)
            if row is not None and not row.is_pending:
                raise NotPending(
                    f"版次 {edition.id} 在此期间已被发布或替代,它的文件没有改动。请刷新后再看"
                )
            if shelf is not None:
                shelf.forget(folder.name)
            move_in(fresh, folder)
            if shelf is not None:
                shelf.keep(folder.name)
    except Timeout as error:
        raise LakeBusy("另一个发布正在进行,没有生成文件。请等它结束后重新编制") from error
