"""Batches of reports that were sent to the page: where they lie, and what came of each.

What was sent lies below the home's folder of reports, what the audit writes below its folder of
audits, both under the batch's own name; nothing that was sent names a place.
"""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks.audit.batch import RESULT
from tasks.audit.run import SUFFIXES
from warehouse.errors import EntryError

REPORTS, AUDITED = "reports", "audits"
"""Folders of the home: what is to be audited, and what an audit writes."""
BATCH = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
ABOUT = "upload.json"
MOST_BYTES = 200_000_000
MOST_FILES = 300
LONGEST_NAME = 120


class UploadRefused(EntryError):
    """What was sent cannot be audited; the message says what to send."""


class NoBatch(EntryError):
    """There is no such batch; the message says where to begin."""


def new_batch(now: datetime) -> str:
    """A name for a batch that nobody can guess."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def kept_name(given: str, taken: Sequence[str]) -> str:
    """A name under which a file that was sent is kept: no place, nothing hidden, none twice.

    Raises UploadRefused for a kind that no report has.
    """
    name = re.split(r"[\\/]", unicodedata.normalize("NFC", given))[-1]
    name = "".join(c if c.isprintable() and c not in ':*?"<>|' else "_" for c in name).strip(". ")
    stem, dot, suffix = name.rpartition(".")
    if not dot or not stem or f".{suffix.lower()}" not in SUFFIXES:
        raise UploadRefused(
            f"“{name[:60] or '没有名称'}”不是报告:可以是网页、Word、WPS、PDF、OFD、RTF、ODT、Excel、文本或压缩包(zip)"
        )
    stem = stem[:LONGEST_NAME]
    name, count = f"{stem}.{suffix}", 1
    while name in taken:
        count += 1
        name = f"{stem}_{count}.{suffix}"
    return name


@dataclass(frozen=True)
class Batch:
    """A batch as it was sent: when and by whom, the files' names, the edition that it is held
    against, if any, and the run that audits it. `result` is what came of it, None before."""

    name: str
    sent_at: datetime
    person: str
    files: tuple[str, ...]
    edition_id: str
    run: str
    result: dict[str, Any] | None = field(default=None, hash=False)
    folder: Path | None = None

    @property
    def reports(self) -> list[dict[str, Any]]:
        return list(self.result["reports"]) if self.result else []

    @property
    def unread(self) -> list[str]:
        return list(self.result["unread"]) if self.result else []


def keep_about(home: Path, batch: Batch) -> None:
    """Write down whose a batch is. Raises OSError."""
    told = {
        "sent_at": batch.sent_at.isoformat(timespec="seconds"),
        "person": batch.person,
        "files": list(batch.files),
        "edition": batch.edition_id,
        "run": batch.run,
    }
    path = home / REPORTS / batch.name / ABOUT
    staged = path.with_suffix(".new")
    staged.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    staged.replace(path)


def batch_of(home: Path, name: str) -> Batch:
    """A batch that was sent. Raises NoBatch."""
    try:
        if not BATCH.fullmatch(name):
            raise ValueError(name)
        told = json.loads((home / REPORTS / name / ABOUT).read_text(encoding="utf-8"))
        folder = result_folder(home, name)
        return Batch(
            name,
            datetime.fromisoformat(told["sent_at"]),
            told["person"],
            tuple(told["files"]),
            told["edition"],
            told["run"],
            json.loads((folder / RESULT).read_text(encoding="utf-8")) if folder else None,
            folder,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoBatch("没有这一批报告。可以从核对报告的以前各批中打开") from error


def result_folder(home: Path, name: str) -> Path | None:
    """Where the newest audit of a batch wrote, once it is whole."""
    found = [p.parent for p in (home / AUDITED).glob(f"{name}*/{RESULT}")]
    return max(found, key=lambda p: p.stat().st_mtime, default=None)


def batches(home: Path, most: int = 50) -> list[Batch]:
    """The batches that were sent, the newest first."""
    folder = home / REPORTS
    names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    found = []
    for name in sorted(filter(BATCH.fullmatch, names), reverse=True)[:most]:
        try:
            found.append(batch_of(home, name))
        except NoBatch:
            # Left by an upload that was broken off.
            continue
    return found
