"""已批准 and 验真: what was published by an approval, and whether it still is what was signed."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from datetime import datetime

from tasks.desk import pinned
from tasks.editions.store import EditionRow, Publication, last_link
from tasks.people import log
from tasks.people.office import Office
from tasks.publish.approvals import GivenApproval, approval_of
from tasks.publish.signature import Checkpoint
from tasks.publish.verify import Kind, Problem, Verified, verify_folder_with_lake, verify_home
from tasks.settings import Settings
from warehouse.errors import EntryError, NianbaoError
from warehouse.lake import Lake

VERIFIED = "验真"
"""The act in the log."""
KIND_LABELS: dict[Kind, str] = {
    "missing": "缺少",
    "changed": "改动",
    "added": "多出",
    "link": "换成链接",
    "mode": "权限",
    "unreadable": "读不了",
    "manifest": "清单",
    "signature": "签名",
    "chain": "发布链",
    "lake": "湖中登记",
    "log": "日志",
}


class NotPublished(EntryError):
    """There is nothing signed to look at; the message says what to do."""


@dataclass(frozen=True)
class Given:
    """An approval, the edition that it was given for (None where the lake lacks it) and its
    publication, once there is one. `is_newest` says that nothing was published after it."""

    approval: GivenApproval
    row: EditionRow | None
    publication: Publication | None
    is_newest: bool

    @property
    def is_published(self) -> bool:
        """Whether this very approval has led to a publication."""
        return self.publication is not None

    @property
    def checkpoint(self) -> Checkpoint | None:
        return checkpoint_of(self.publication)


def checkpoint_of(publication: Publication | None) -> Checkpoint | None:
    """What is to be kept outside of a publication: its number and the hash of its manifest."""
    if publication is None or publication.publication_number is None:
        return None
    return Checkpoint(publication.publication_number, publication.manifest_hash)


def grouped(checkpoint: Checkpoint) -> list[str]:
    """A checkpoint's hash in groups of four, to be copied by hand."""
    return [checkpoint.head[at : at + 4] for at in range(0, len(checkpoint.head), 4)]


def given_for(lake: Lake, settings: Settings, number: str) -> Given | None:
    """What came of an approval; None where there is none of that number.

    The approval is told even where the lake cannot be asked: its number is needed to publish.
    Raises OfficeError.
    """
    found = approval_of(settings, number)
    if found is None:
        return None
    row, publication, is_newest = None, None, False
    try:
        row = next((r for r in pinned.rows(lake) if r.edition_id == found.edition_id), None)
        register = list(pinned.register(lake))
    except NianbaoError:
        return Given(found, None, None, is_newest=False)
    publication = next((p for p in register if p.approval_number == found.number), None)
    if publication is not None:
        is_newest = last_link(register)[0] == publication.publication_number
    return Given(found, row, publication, is_newest)


def verify_edition(
    lake: Lake,
    settings: Settings,
    row: EditionRow,
    kept: str = "",
    *,
    by: str,
    now: datetime,
) -> Verified:
    """Whether a published edition still is what was signed, and tell the log who asked.

    `kept` is a checkpoint that was copied out, if any. Raises NotPublished, WrongCheckpoint.
    """
    checkpoint = Checkpoint.read(kept) if kept.strip() else None
    if pinned.publication_of(lake, row.edition_id) is None:
        raise NotPublished(
            f"版次 {row.edition_id} 没有发布过,没有签名可以核对。批准并发布以后才能验真"
        )
    folder = settings.edition_shelf.here(row.edition_id, as_it_is=True)
    if folder.is_dir():
        found = verify_folder_with_lake(folder, lake, settings, checkpoint)
    else:
        whole = verify_home(lake, settings, checkpoint)
        told = tuple(p for p in whole.problems if _concerns(p, row.edition_id))
        found = replace(whole, editions=(row.edition_id,), problems=told)
    outcome = "与签名时一致" if found.is_unchanged else f"有 {len(found.problems)} 处不同"
    with Office(settings.home).change() as connection:
        log.write(connection, by, VERIFIED, f"版次 {row.edition_id}:{outcome}", now=now)
    return found


def _concerns(problem: Problem, edition_id: str) -> bool:
    return problem.edition in ("", edition_id) or problem.kind in ("chain", "signature")


def zipped(settings: Settings, edition_id: str) -> bytes:
    """All files of an edition in one, in a folder of its name.

    Raises NotPublished where its folder is gone.
    """
    folder = settings.edition_shelf.here(edition_id)
    if not folder.is_dir():
        raise NotPublished(f"版次 {edition_id} 的文件夹不在了,没有文件可以下载")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path in sorted(folder.iterdir()):
            if path.is_file() and not path.is_symlink():
                packed.write(path, f"{edition_id}/{path.name}")
    return made.getvalue()
