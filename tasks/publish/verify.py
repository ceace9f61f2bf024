"""Verify: whether what was published is still what was signed for.

A folder is looked at by itself (files listed, files added, links, modes, signature), and where
there is a lake, both must say the same; the lake's register must be one unbroken chain.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import duckdb

from tasks.editions.store import (
    EditionRow,
    Publication,
    before_signatures,
    changed_rows,
    edition_rows,
    kept_approval,
    last_link,
    publications,
    seals,
)
from tasks.people.log import broken_lines
from tasks.people.office import NAME as OFFICE
from tasks.people.office import Office
from tasks.people.trail import broken_steps
from tasks.publish.approve import is_of_a_worker
from tasks.publish.files import STAGING
from tasks.publish.signature import SIGNATURE, Checkpoint, Signature, bytes_of, public_key
from tasks.render.manifest import MANIFEST, sha256_of
from tasks.render.sets import SUFFIX
from tasks.settings import Settings
from warehouse.disk import FILE_MODE, FOLDER_MODE, reason_of
from warehouse.errors import EntryError
from warehouse.lake import Lake
from warehouse.period import Period

Kind = Literal[
    "missing",
    "changed",
    "added",
    "link",
    "mode",
    "unreadable",
    "manifest",
    "signature",
    "chain",
    "lake",
    "log",
]


class CannotVerify(EntryError):
    """There is nothing that can be looked at; the message says what to give."""


@dataclass(frozen=True)
class Problem:
    """One thing that is not what was signed for: a file of a folder, a table of the lake, a link
    of the chain."""

    edition: str
    kind: Kind
    name: str
    text: str


@dataclass(frozen=True)
class Verified:
    """What was looked at, and what is wrong. `notes` say what could not be judged, and why."""

    editions: tuple[str, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    checkpoint: Checkpoint | None = None
    signing_key: str = ""
    is_judged: bool = field(default=True)

    @property
    def is_unchanged(self) -> bool:
        return not self.problems

    def by_edition(self) -> dict[str, list[str]]:
        """Names of what is changed by edition, each once, in the order they were found."""
        found: dict[str, dict[str, None]] = {}
        for problem in self.problems:
            found.setdefault(problem.edition, {})[problem.name] = None
        return {edition: list(names) for edition, names in sorted(found.items())}

    def as_data(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "unchanged": self.is_unchanged,
            "judged": self.is_judged,
            "editions": list(self.editions),
            "problems": [asdict(problem) for problem in self.problems],
            "notes": list(self.notes),
            "checkpoint": str(self.checkpoint) if self.checkpoint else None,
            "signing_key": self.signing_key or None,
        }


@dataclass(frozen=True)
class _Folder:
    """A published folder as it lies there; `manifest` is what its manifest says, if it can be read."""

    path: Path
    edition: str
    manifest: Mapping[str, Any] | None
    raw: bytes

    @property
    def chain(self) -> Mapping[str, Any]:
        told = (self.manifest or {}).get("chain")
        return told if isinstance(told, dict) else {}


def verify_folder(
    folder: Path, checkpoint: Checkpoint | None = None, key: str = "", own: str = ""
) -> Verified:
    """Look at a folder by itself. `key` is the public key that must have signed it, `own` this
    installation's; of one that another key signed, only a checkpoint that was kept says whose
    it is. Raises CannotVerify where there is no published edition."""
    return _alone(_published(folder), checkpoint, key, own)


def _published(folder: Path) -> _Folder:
    """Raises CannotVerify where no published edition lies."""
    read = _read(folder)
    if read.manifest is not None and read.manifest.get("status") != "published":
        raise CannotVerify(f"{folder} 是待发布的版次,没有签名可以核对。请给出已发布版次的文件夹")
    return read


def _alone(read: _Folder, checkpoint: Checkpoint | None, key: str, own_key: str) -> Verified:
    problems = list(_folder_problems(read))
    notes: list[str] = []
    signature = Signature.of_folder(read.path) if read.chain else None
    wanted = key or own_key
    is_known = bool(wanted) and signature is not None and signature.key == wanted
    if signature is not None and key and not is_known:
        text = f"不是所给的公钥 {key} 所签"
        problems.append(Problem(read.edition, "signature", SIGNATURE, text))
    is_judged = read.manifest is None or is_known or bool(problems)
    if checkpoint is not None:
        found, is_of_checkpoint = _against_checkpoint(read, checkpoint)
        problems += found
        own = _checkpoint_of(read)
        # Its very hash was kept outside: that says more than any signature.
        is_judged = is_of_checkpoint and (is_judged or bool(found) or own == checkpoint)
        if not is_of_checkpoint:
            notes.append(
                f"核对码是第 {checkpoint.number} 次发布的,这个文件夹是第 {read.chain.get('number', '?')} 次:"
                "须有湖,或给出那一次的文件夹"
            )
    if read.manifest is not None and not read.chain:
        notes.append(
            "没有签名(早期版本发布的,或签名被去掉),只核对了清单所列的文件:是不是当时发布的,无法判断"
        )
    elif not is_judged and not is_known:
        notes.append(
            "签名的密钥不是本机的,不知道是谁的,无法判断是不是当时发布的:请用 --key 给出发布单位的公钥"
        )
    return Verified(
        (read.edition,),
        tuple(problems),
        tuple(notes),
        _checkpoint_of(read),
        signature.key if signature else "",
        is_judged,
    )


def verify_home(lake: Lake, settings: Settings, checkpoint: Checkpoint | None = None) -> Verified:
    """Look at everything that a home published: folders, rows of the lake, register, log."""
    with lake.read() as connection:
        rows = {row.edition_id: row for row in edition_rows(connection)}
        register = publications(connection)
    is_worker = is_of_a_worker(settings)
    # A worker knows that one key signed all of it, not whose it is.
    own = next((p.signing_key or "" for p in register if p.is_signed), "")
    own = own if is_worker else public_key(settings.home)
    problems = [*_chain_problems(register, own), *_status_problems(rows, register)]
    shelf = settings.edition_shelf
    for publication in register:
        # What others are given is what the storage holds, not what was once copied here.
        folder = shelf.here(publication.edition_id, as_it_is=True)
        problems += _publication_problems(lake, publication, rows.get(publication.edition_id))
        problems += _published_folder_problems(folder, publication)
        if folder.is_dir() and not shelf.has(publication.edition_id):
            text = f"{shelf.shown} 中没有已发布的版次 {publication.edition_id},只有本机还有一份"
            problems.append(Problem(publication.edition_id, "missing", MANIFEST, text))
        if not publication.is_signed and publication.edition_id in rows:
            problems += _approval_problems(lake, settings, publication)
    problems += _unregistered_folders(settings, {p.edition_id for p in register})
    if not is_worker:
        problems += _office_problems(settings, register)
    number, head = last_link(register)
    if checkpoint is not None:
        problems += _chain_against_checkpoint(register, checkpoint)
    unsigned = [p.edition_id for p in register if not p.is_signed]
    notes = []
    if unsigned:
        notes.append(f"由早期版本发布、没有签名的版次:{'、'.join(unsigned)}")
    if is_worker and register:
        notes.append(
            "人员登记库与签名密钥不在本机(在操作页面所在的机器上):没有核对日志、批准,以及签名是谁的"
        )
    return Verified(
        tuple(p.edition_id for p in register),
        tuple(problems),
        tuple(notes),
        Checkpoint(number, head) if number else None,
        own,
        is_judged=not (is_worker and register),
    )


def verify_folder_with_lake(
    folder: Path,
    lake: Lake,
    settings: Settings,
    checkpoint: Checkpoint | None = None,
    key: str = "",
) -> Verified:
    """Look at a folder, and whether this home's lake says the same. A folder of an edition that
    the lake does not know, or that is signed by the `key` given of another installation, is
    looked at by itself. Raises CannotVerify."""
    read = _published(folder)
    own = public_key(settings.home)
    with lake.read() as connection:
        is_known = any(row.edition_id == read.edition for row in edition_rows(connection))
        found = [p for p in publications(connection) if p.edition_id == read.edition]
    is_same = any(p.manifest_hash == _hash_of(read) for p in found)
    is_here = folder.resolve().parent == settings.editions.resolve()
    alone = _alone(read, checkpoint if not (is_same or is_here) else None, key, own)
    is_own = is_here or is_same or (bool(own) and alone.signing_key == own)
    if not is_own and key and alone.signing_key == key:
        # Two installations may each have an edition of one name.
        return alone
    if not is_own and not (found or is_known):
        told = "本机的湖中没有这一版次:只核对了文件夹本身"
        return replace(alone, notes=(*alone.notes, told))
    problems = list(alone.problems)
    if found:
        problems += _same_manifest(read, found[0])
    else:
        text = "湖中没有登记这一版次的发布,或登记被删去"
        problems.append(Problem(read.edition, "lake", "yearly.publication", text))
    whole = verify_home(lake, settings, checkpoint)
    problems += [
        p
        for p in whole.problems
        if p.edition in ("", read.edition) or p.kind in ("chain", "signature")
    ]
    notes = [*(() if is_same else alone.notes), *whole.notes]
    return Verified(
        (read.edition,),
        tuple(dict.fromkeys(problems)),
        tuple(dict.fromkeys(notes)),
        whole.checkpoint,
        alone.signing_key,
    )


def frozen_files_changed(lake: Lake, settings: Settings) -> dict[str, list[str]]:
    """Published editions that are not what was signed for: edition → names of files, and of
    the lake's tables whose rows are others."""
    return verify_home(lake, settings).by_edition()


def _read(folder: Path) -> _Folder:
    """Raises CannotVerify where no folder of an edition lies."""
    if not folder.is_dir():
        raise CannotVerify(f"{folder}:没有这个文件夹。请给出已发布版次的文件夹,如 editions/2020-1")
    raw = bytes_of(folder / MANIFEST)
    manifest = _manifest_of(raw)
    if manifest is None and not raw and _is_empty(folder):
        raise CannotVerify(f"{folder} 是空的。请给出已发布版次的文件夹")
    return _Folder(folder, str((manifest or {}).get("edition", folder.name)), manifest, raw or b"")


def _manifest_of(raw: bytes | None) -> Mapping[str, Any] | None:
    """What a manifest says; None for what is none: an object that lists files by name."""
    try:
        told = json.loads(raw or b"")
    except (ValueError, RecursionError):
        return None
    files = told.get("files") if isinstance(told, dict) else None
    if not isinstance(files, list):
        return None
    is_listed = all(isinstance(f, dict) and isinstance(f.get("name"), str) for f in files)
    return told if is_listed else None


def _is_empty(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except OSError:
        return False


def _folder_problems(read: _Folder) -> Iterator[Problem]:
    """What the folder itself shows: its files, and the signature over its manifest."""
    edition = read.edition
    if read.manifest is None:
        yield Problem(edition, "manifest", MANIFEST, "文件清单不在或读不出来")
        return
    listed = {str(file.get("name")): file for file in read.manifest["files"]}
    is_signed = bool(read.chain)
    expected = {*listed, MANIFEST, *([SIGNATURE] if is_signed else [])}
    try:
        there = {path.name: path for path in read.path.iterdir()}
    except OSError as error:
        text = f"文件夹读不了({reason_of(error)}),没有核对"
        yield Problem(edition, "unreadable", read.path.name, text)
        return
    for name in sorted(expected - set(there)):
        yield Problem(edition, "missing", name, f"少了文件 {name}")
    for name, path in sorted(there.items()):
        if name not in expected:
            yield Problem(edition, "added", name, f"多出 {name},清单中没有")
        else:
            yield from _file_problems(edition, path, listed.get(name), is_signed=is_signed)
    mode = stat.S_IMODE(read.path.stat().st_mode)
    if read.path.is_symlink():
        yield Problem(edition, "link", read.path.name, "文件夹被换成了链接")
    if is_signed and mode != FOLDER_MODE:
        yield Problem(edition, "mode", read.path.name, f"文件夹的权限是 {mode:04o},应为 0555(只读)")
    if is_signed:
        yield from _signature_problems(read)


def _file_problems(
    edition: str, path: Path, listed: Mapping[str, Any] | None, *, is_signed: bool
) -> Iterator[Problem]:
    name = path.name
    try:
        told = os.lstat(path)
        if not stat.S_ISREG(told.st_mode):
            yield Problem(edition, "link", name, f"{name} 被换成了链接或别的东西,不再是文件")
            return
        if listed is not None and (
            told.st_size != listed.get("bytes") or sha256_of(path) != listed.get("sha256")
        ):
            yield Problem(edition, "changed", name, f"{name} 的内容与清单的指纹不符")
    except OSError as error:
        yield Problem(edition, "unreadable", name, f"{name} 读不了({reason_of(error)}),没有核对")
        return
    mode = stat.S_IMODE(told.st_mode)
    if is_signed and mode != FILE_MODE:
        yield Problem(edition, "mode", name, f"{name} 的权限是 {mode:04o},应为 0444(只读)")
    if is_signed and told.st_nlink != 1:
        yield Problem(edition, "link", name, f"{name} 在别处还有一个名字(硬链接),可以从那里改动")


def _signature_problems(read: _Folder) -> Iterator[Problem]:
    signature = Signature.of_folder(read.path)
    if signature is None:
        yield Problem(read.edition, "signature", SIGNATURE, "签名不在或读不出来")
    elif not signature.is_of(read.raw) or signature.key != read.chain.get("key"):
        yield Problem(read.edition, "signature", SIGNATURE, "签名与文件清单不符")


def _hash_of(read: _Folder) -> str:
    return sha256(read.raw).hexdigest() if read.raw else ""


def _checkpoint_of(read: _Folder) -> Checkpoint | None:
    number = read.chain.get("number")
    return Checkpoint(number, _hash_of(read)) if isinstance(number, int) else None


def _against_checkpoint(read: _Folder, checkpoint: Checkpoint) -> tuple[list[Problem], bool]:
    """What a folder alone says to a checkpoint, and whether that can be judged."""
    own = _checkpoint_of(read)
    if own is not None and own.number == checkpoint.number:
        if own.head == checkpoint.head:
            return [], True
    elif not (own and own.number == checkpoint.number + 1):
        return [], False
    elif read.chain.get("previous") == checkpoint.head:
        return [], True
    text = f"与留存的核对码(第 {checkpoint.number} 次)不符:不是当时发布的那一份"
    return [Problem(read.edition, "chain", MANIFEST, text)], True


def _same_manifest(read: _Folder, publication: Publication) -> Iterator[Problem]:
    if _hash_of(read) != publication.manifest_hash:
        text = "文件清单与湖中登记的指纹不符"
        yield Problem(read.edition, "manifest", MANIFEST, text)


def _published_folder_problems(folder: Path, publication: Publication) -> Iterator[Problem]:
    edition = publication.edition_id
    if not folder.is_dir():
        yield Problem(edition, "missing", MANIFEST, f"已发布版次的文件夹 {folder.name} 不在了")
        return
    try:
        read = _read(folder)
    except CannotVerify:
        yield Problem(edition, "missing", MANIFEST, f"文件夹 {folder.name} 是空的")
        return
    found = [*_same_manifest(read, publication), *_folder_problems(read)]
    if found and found[0].name == MANIFEST and not publication.is_signed:
        # Nothing that another manifest lists says anything.
        found = found[:1]
    yield from (Problem(edition, p.kind, p.name, p.text) for p in found)


def _unregistered_folders(settings: Settings, known: set[str]) -> Iterator[Problem]:
    """Folders that say that they are published, of which the register knows nothing."""
    shelf = settings.edition_shelf
    for name in sorted(shelf.names() - known):
        if name.startswith((STAGING, ".")) or name.endswith(SUFFIX):
            continue
        folder = shelf.here(name, as_it_is=True)
        told = _manifest_of(bytes_of(folder / MANIFEST))
        if told is not None and told.get("status") == "published":
            text = "文件夹说已经发布,湖中却没有登记:登记被删去,或文件夹是放进来的"
            yield Problem(folder.name, "lake", "yearly.publication", text)


def _office_problems(settings: Settings, register: list[Publication]) -> Iterator[Problem]:
    """Whether the log and the trail are whole, and the register of persons holds every approval by which
    something was published."""
    office = Office(settings.home)
    for number in broken_lines(office):
        yield Problem("", "log", f"log {number}", f"日志第 {number} 行前后被改动或删去")
    for number in broken_steps(office):
        text = f"核对问题的经过第 {number} 行前后被改动或删去"
        yield Problem("", "log", f"trail {number}", text)
    signed = {p.approval_number for p in register if p.is_signed and p.approval_number is not None}
    if lost := sorted(signed - office.approvals()):
        text = (
            f"人员登记库中没有发布所依的批准 {'、'.join(map(str, lost))}:"
            f"{office.path} 丢失或被换过。请从备份恢复"
        )
        yield Problem("", "log", OFFICE, text)


def _chain_problems(register: list[Publication], own: str) -> Iterator[Problem]:
    """Whether the register is one chain without a gap, each link signed by this installation, whose
    key is `own`."""
    previous = before_signatures(register)
    seen: set[str] = set()
    for publication in register:
        edition = publication.edition_id
        if edition in seen:
            text = "同一版次登记了两次"
            yield Problem(edition, "chain", "yearly.publication", text)
        seen.add(edition)
    for expected, publication in enumerate((p for p in register if p.is_signed), start=1):
        edition = publication.edition_id
        number = publication.publication_number
        if number != expected or publication.previous_hash != previous:
            text = f"第 {number} 次发布与它之前的接不上:登记被改动或删去"
            yield Problem(edition, "chain", "yearly.publication", text)
        yield from _link_problems(publication, own)
        previous = publication.manifest_hash


def _link_problems(publication: Publication, own: str) -> Iterator[Problem]:
    edition = publication.edition_id
    raw = (publication.manifest or "").encode()
    signature = Signature(publication.signing_key or "", publication.signature or "")
    chain = _chain_of(publication)
    told = (chain.get("number"), chain.get("previous"), chain.get("key"), chain.get("approval"))
    kept = (
        publication.publication_number,
        publication.previous_hash,
        publication.signing_key,
        publication.approval_number,
    )
    if sha256(raw).hexdigest() != publication.manifest_hash or not signature.is_of(raw):
        text = "湖中登记的清单或签名被改动"
        yield Problem(edition, "signature", "yearly.publication", text)
    elif told != kept or publication.signing_key != own:
        text = "湖中登记的发布与所签的清单不符,或不是本机的密钥所签"
        yield Problem(edition, "signature", "yearly.publication", text)


def _chain_of(publication: Publication) -> Mapping[str, Any]:
    try:
        told = json.loads(publication.manifest or "{}")
    except (ValueError, RecursionError):
        return {}
    chain = told.get("chain") if isinstance(told, dict) else None
    return chain if isinstance(chain, dict) else {}


def _chain_against_checkpoint(
    register: list[Publication], checkpoint: Checkpoint
) -> Iterator[Problem]:
    found = [p for p in register if p.publication_number == checkpoint.number]
    if not found:
        text = f"留存的核对码是第 {checkpoint.number} 次发布,湖中没有这一次:登记的尾部被截去"
        yield Problem("", "chain", "yearly.publication", text)
    elif found[0].manifest_hash != checkpoint.head:
        text = f"第 {checkpoint.number} 次发布与留存的核对码不符"
        yield Problem(found[0].edition_id, "chain", "yearly.publication", text)


def _status_problems(
    rows: Mapping[str, EditionRow], register: list[Publication]
) -> Iterator[Problem]:
    """Whether the editions' states are those that the register of publications comes to."""
    known = {p.edition_id for p in register}
    newest: dict[tuple[str, Period], str] = {}
    for publication in register:
        row = rows.get(publication.edition_id)
        if row is None:
            text = "湖中的版次不见了"
            yield Problem(publication.edition_id, "lake", "yearly.edition", text)
            continue
        place = (row.form, row.period)
        if (
            publication.is_signed
            or row.edition_number > rows[newest.get(place, row.edition_id)].edition_number
        ):
            newest[place] = row.edition_id
        else:
            newest.setdefault(place, row.edition_id)
    for row in rows.values():
        is_newest = newest.get((row.form, row.period)) == row.edition_id
        expected = "published" if is_newest else "superseded"
        if row.edition_id in known and row.edition_status != expected:
            text = f"湖中的状态是 {row.edition_status},按发布登记应为 {expected}"
            yield Problem(row.edition_id, "lake", "yearly.edition", text)
        elif row.edition_id not in known and (row.is_published or row.approved_at):
            text = "湖中说已批准或发布,却没有登记"
            yield Problem(row.edition_id, "lake", "yearly.edition", text)


def _publication_problems(
    lake: Lake, publication: Publication, row: EditionRow | None
) -> Iterator[Problem]:
    """Whether the lake's rows are those that were signed for."""
    edition = publication.edition_id
    if row is None:
        return
    if row.manifest_hash != publication.manifest_hash:
        yield Problem(edition, "lake", "yearly.edition", "湖中版次的清单指纹与发布登记不符")
    if publication.is_signed:
        told = _chain_of(publication).get("lake")
        sealed = told if isinstance(told, dict) else {}
        with lake.read() as connection:
            places = {table: f"lake.yearly.{table}" for table in sealed}
            try:
                now = seals(connection, edition, places, sealed)
            except (KeyError, TypeError, duckdb.Error):
                now = {}
        changed = [table for table in sealed if now.get(table) != sealed[table]]
        names = [f"yearly.{table}" for table in changed or ([] if sealed else ["edition"])]
    else:
        names = changed_rows(lake, edition)
    for name in names:
        yield Problem(edition, "lake", name, f"湖中表 {name} 的内容与签名时不同")


def _approval_problems(
    lake: Lake, settings: Settings, publication: Publication
) -> Iterator[Problem]:
    """Of what was published before there were signatures: whether the lake says of the approval
    what the folder's manifest, whose hash is kept, says."""
    raw = bytes_of(settings.editions / publication.edition_id / MANIFEST)
    manifest = _manifest_of(raw)
    if raw is None or manifest is None or sha256(raw).hexdigest() != publication.manifest_hash:
        return
    told = manifest.get("approval")
    kept = kept_approval(lake, publication.edition_id)
    if told is not None and told != (kept.as_data() if kept else None):
        text = "湖中的批准(批准人、时间、意见或答复)与文件清单所写不同"
        yield Problem(publication.edition_id, "lake", "yearly.edition", text)
