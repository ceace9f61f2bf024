"""Folders of files that are whole or not there: landings and editions.

They are always written on this machine, beside their place, and moved in when they are whole. Where the storage
is a folder that is all. Where it is a bucket, what lies in the folder is a copy: the files are put as
objects, under a name of their own each time, and last of all one object that lists them with their hashes. That
object is the moment at which a folder is there, or is another one; it is the first to go. Whoever reads on
another machine brings the listed objects here, holds them against the hashes, and reads files.
"""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec
from filelock import FileLock

from warehouse.disk import FOLDER_MODE, make_read_only, move_in, remove_folder, sha256_of
from warehouse.errors import EntryError
from warehouse.lake_errors import LakeError
from warehouse.objects import Listed, NoObject, Objects
from warehouse.storage import Bucket

LISTS, FILES = "manifests", "files"
"""Where the objects that list a folder, and those with its content, lie."""
_PUT = re.compile(r"v\d{8}T\d{6}-[0-9a-f]{8}")
"""A putting of a folder: its objects lie below, so that none is ever written over."""
COPIES_STAY = timedelta(days=2)
TRIES = 3
"""A folder that is replaced while it is being brought is brought anew."""


class IsFrozen(EntryError):
    """What is there was published, and nothing takes its place."""


class Damaged(LakeError):
    """An object is not what was put."""


class Shelf(Protocol):
    """`folder` is where the folders lie on this machine; a name is a path below it. `shown` names
    the place to people."""

    @property
    def folder(self) -> Path: ...

    @property
    def shown(self) -> str: ...

    @property
    def is_shared(self) -> bool:
        """Whether other machines see what is kept, wherever their home is."""

    def look(self) -> None:
        """Ask whether it answers, without changing anything. Raises LakeError."""

    def names(self) -> set[str]:
        """The folders that are there."""

    def has(self, name: str) -> bool:
        """Whether a folder is there."""

    def here(self, name: str, *, as_it_is: bool = False) -> Path:
        """Where a folder can be read on this machine; nothing lies there if there is none.
        `as_it_is` brings even what is not what was put, so that it can be judged. Raises
        LakeError."""

    def forget(self, name: str) -> None:
        """That what lies on this machine is about to become another folder."""

    def keep(self, name: str, *, under: str = "") -> None:
        """That a folder of this machine is whole: it is there from now on, instead of any other of this
        name. `under` names its objects after another folder. Raises LakeError, and IsFrozen."""

    def freeze(self, name: str, staging: str) -> None:
        """That what was kept as `staging`, and lies read only under `name` here, is there under
        this name, for good. Raises LakeError, and IsFrozen."""

    def drop(self, name: str) -> None:
        """Let a folder go; what lies on this machine is for the caller."""

    def sweep(self, until: datetime) -> int:
        """Take away objects that no folder has and that were put before a moment (with zone);
        returns how many."""

    def is_copy(self, name: str) -> bool:
        """Whether what lies on this machine is a copy that can be brought again."""

    def tidy(self, now: datetime) -> None:
        """Let go of copies that nobody can be reading any more (`now` with zone)."""


@dataclass(frozen=True)
class FolderShelf:
    """A folder: what lies in it is what there is."""

    folder: Path
    is_shared = False

    @property
    def shown(self) -> str:
        return str(self.folder)

    def look(self) -> None:
        pass

    def names(self) -> set[str]:
        return {path.name for path in self.folder.glob("*/")}

    def has(self, name: str) -> bool:
        return (self.folder / name).is_dir()

    def here(self, name: str, *, as_it_is: bool = False) -> Path:
        return self.folder / name

    def forget(self, name: str) -> None:
        pass

    def keep(self, name: str, *, under: str = "") -> None:
        pass

    def freeze(self, name: str, staging: str) -> None:
        pass

    def drop(self, name: str) -> None:
        pass

    def sweep(self, until: datetime) -> int:
        return 0

    def is_copy(self, name: str) -> bool:
        return False

    def tidy(self, now: datetime) -> None:
        pass


class HeldFile(msgspec.Struct, frozen=True):
    """A file of a folder: its path in it, what it holds, and the service's own mark of its object."""

    path: str
    bytes: int
    sha256: str
    etag: str


class Held(msgspec.Struct, frozen=True):
    """A folder as the object that lists it says: `at` is where its objects lie."""

    name: str
    at: str
    is_frozen: bool
    files: tuple[HeldFile, ...]


@dataclass(frozen=True)
class BucketShelf:
    """A bucket; `folder` holds copies, and `notes` what each is a copy of."""

    folder: Path
    bucket: Bucket
    room: str
    notes: Path
    is_shared = True

    @property
    def shown(self) -> str:
        return self.bucket.place(self.room)

    @property
    def _objects(self) -> Objects:
        return Objects(self.bucket)

    def _key(self, *parts: str) -> str:
        return self.bucket.key_of(self.room, *parts)

    def _list_key(self, name: str) -> str:
        return self._key(LISTS, f"{name}.json")

    def look(self) -> None:
        self._objects.listed(f"{self._key(LISTS)}/-")

    def names(self) -> set[str]:
        return set(self._lists())

    def _lists(self) -> dict[str, Listed]:
        """The objects that list a folder, by its name."""
        above = f"{self._key(LISTS)}/"
        found = self._objects.listed(above)
        return {key.removeprefix(above).removesuffix(".json"): one for key, one in found.items()}

    def has(self, name: str) -> bool:
        return self._held(name) is not None

    def _held(self, name: str) -> Held | None:
        key = self._list_key(name)
        try:
            return msgspec.json.decode(self._objects.bytes_of(key), type=Held)
        except NoObject:
            return None
        except msgspec.DecodeError as error:
            raise Damaged(
                f"对象存储中的 {self.bucket.place(self.room, LISTS, f'{name}.json')} 读不出来,可能被改动过。"
                "请从桶的历史版本或备份恢复该对象"
            ) from error

    def here(self, name: str, *, as_it_is: bool = False) -> Path:
        folder = self.folder / name
        noted = self._noted(name)
        if noted is not None and noted.is_frozen and not as_it_is and _has_files(folder, noted):
            # What was published stays as it is.
            return folder
        for left in reversed(range(TRIES)):
            held = self._held(name)
            if held is None:
                return folder
            try:
                self._bring(held, folder, is_noted=held == noted, as_it_is=as_it_is)
                return folder
            except NoObject as error:
                if left == 0:
                    raise Damaged(
                        f"对象存储中缺少 {error}。请从桶的历史版本或备份恢复该对象"
                    ) from error
        raise AssertionError

    def _bring(self, held: Held, folder: Path, *, is_noted: bool, as_it_is: bool) -> None:
        if is_noted and not as_it_is and _has_files(folder, held):
            return
        there = self._objects.listed(f"{self._key(FILES, held.at)}/") if as_it_is else None
        self.notes.mkdir(parents=True, exist_ok=True)
        with FileLock(self.notes / ".lock"):
            folder.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            try:
                is_same = True
                for file in held.files:
                    is_same &= self._bring_file(held, file, folder, fresh, there)
                if is_same and _has_files(folder, held):
                    self._note(held)
                    return
                fresh.chmod(0o755)
                if held.is_frozen:
                    make_read_only(fresh)
                self.forget(held.name)
                move_in(fresh, folder)
                self._note(held)
            finally:
                remove_folder(fresh)

    def _bring_file(
        self,
        held: Held,
        file: HeldFile,
        folder: Path,
        fresh: Path,
        there: Mapping[str, Listed] | None,
    ) -> bool:
        """Bring one file into the fresh folder; whether it lay here already as it should. With `there`, what the
        service lists, an object that was changed is brought as it is, and one that is gone is not."""
        key, copy = self._key(FILES, held.at, file.path), fresh / file.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        lies = folder / file.path
        is_whole = there is None or (
            key in there and (there[key].etag, there[key].bytes) == (file.etag, file.bytes)
        )
        is_here = _is(lies, file)
        if is_here and is_whole:
            shutil.copyfile(lies, copy)
            return True
        if there is not None and key not in there:
            return False
        self._objects.bring(key, copy)
        if there is None and not _is(copy, file):
            raise Damaged(
                f"对象存储中的 {self.bucket.place(self.room, FILES, held.at, file.path)} 与放入时的指纹不符,"
                "可能被改动过。请从桶的历史版本或备份恢复该对象"
            )
        return False

    def forget(self, name: str) -> None:
        self._note_path(name).unlink(missing_ok=True)

    def _note_path(self, name: str) -> Path:
        return self.notes / f"{name}.json"

    def _noted(self, name: str) -> Held | None:
        """What lies on this machine under a name."""
        try:
            return msgspec.json.decode(self._note_path(name).read_bytes(), type=Held)
        except (OSError, msgspec.DecodeError):
            return None

    def _note(self, held: Held) -> None:
        path = self._note_path(held.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        fresh.write_bytes(msgspec.json.encode(held))
        fresh.rename(path)

    def keep(self, name: str, *, under: str = "") -> None:
        folder = self.folder / name
        before = self._held(name)
        self._refuse_frozen(before)
        at = f"{under or name}/v{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        files = []
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
            place = path.relative_to(folder).as_posix()
            etag = self._objects.put(self._key(FILES, at, place), path)
            files.append(HeldFile(place, path.stat().st_size, sha256_of(path), etag))
        is_frozen = folder.stat().st_mode & 0o777 == FOLDER_MODE
        self._put(Held(name, at, is_frozen, tuple(files)), before)

    def _refuse_frozen(self, held: Held | None) -> None:
        if held is not None and held.is_frozen:
            raise IsFrozen(
                f"{self.bucket.place(self.room, held.name)} 已发布,不能再改,没有改动任何东西。"
                "更正须另编新版"
            )

    def _put(self, held: Held, before: Held | None) -> None:
        """Write the object that lists the folder, and let go of what it had before."""
        self._objects.put_bytes(self._list_key(held.name), msgspec.json.encode(held))
        self._note(held)
        if before is not None:
            # Maintenance takes what is left.
            with suppress(LakeError):
                self._remove_files(before)

    def _remove_files(self, held: Held) -> None:
        self._objects.remove(self._key(FILES, held.at, file.path) for file in held.files)

    def freeze(self, name: str, staging: str) -> None:
        held, before = self._held(staging), self._held(name)
        if before is None or not before.is_frozen:
            if held is None:
                # Written before the storage was a bucket.
                self.keep(name)
            else:
                self._put(Held(name, held.at, True, held.files), before)
        if held is not None:
            self._objects.remove([self._list_key(staging)])
        self.forget(staging)

    def drop(self, name: str) -> None:
        held = self._held(name)
        if held is not None:
            self._objects.remove([self._list_key(name)])
            # What was frozen has the objects of its staging.
            other = self._held(held.at.rpartition("/")[0])
            if other is None or other.at != held.at:
                self._remove_files(held)
        self.forget(name)

    def sweep(self, until: datetime) -> int:
        above = f"{self._key(FILES)}/"
        there = self._objects.listed(above)
        # Asked for after the objects, so that what was put meanwhile is known.
        lists = self._lists()
        found: dict[str, list[str]] = {}
        for key, one in there.items():
            if one.modified_at < until:
                at = _at(key.removeprefix(above))
                found.setdefault(at, []).append(key)
        known = self._known(lists, {_at(key.removeprefix(above)) for key in there})
        orphans = [key for at, keys in found.items() if at not in known for key in keys]
        self._objects.remove(orphans)
        return len(orphans)

    def _known(self, lists: Iterable[str], places: set[str]) -> set[str]:
        """The places of objects that some folder has. Where a folder never was another one, its only
        place is it, and need not be asked for."""
        by_name: dict[str, set[str]] = {}
        for at in places:
            by_name.setdefault(at.rpartition("/")[0], set()).add(at)
        known: set[str] = set()
        for name in lists:
            own = by_name.get(name, set())
            if len(own) == 1 and not name.startswith("."):
                known |= own
            elif (held := self._held(name)) is not None:
                known.add(held.at)
        return known

    def is_copy(self, name: str) -> bool:
        return self._note_path(name).exists()

    def tidy(self, now: datetime) -> None:
        until = (now - COPIES_STAY).timestamp()
        for note in sorted(self.notes.rglob("*.json")):
            if note.stat().st_mtime < until:
                note.unlink(missing_ok=True)
                name = note.relative_to(self.notes).as_posix().removesuffix(".json")
                remove_folder(self.folder / name)


def _at(path: str) -> str:
    """Where the objects of one putting lie, of the path of one of them below `files`."""
    parts = path.split("/")
    ends = next((n for n, part in enumerate(parts) if _PUT.fullmatch(part)), len(parts) - 1)
    return "/".join(parts[: ends + 1])


def _is(path: Path, file: HeldFile) -> bool:
    """Whether a file holds what was put."""
    return (
        path.is_file()
        and not path.is_symlink()
        and path.stat().st_size == file.bytes
        and sha256_of(path) == file.sha256
    )


def _has_files(folder: Path, held: Held) -> bool:
    """Whether a folder has the files that are listed, and no others, by name and size."""
    if not folder.is_dir():
        return False
    found = {
        path.relative_to(folder).as_posix(): path.lstat().st_size
        for path in folder.rglob("*")
        if not path.is_dir() or path.is_symlink()
    }
    return found == {file.path: file.bytes for file in held.files}
