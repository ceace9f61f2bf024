"""Reading no more of an answer than the source file declares.

A record of a real system has many times the fields that are kept: texts, names, histories. Of
an answer in JSON whose paths are all simple, the declared ones are turned into types once, and
the decoder passes over everything else: what was not declared never becomes a value, and a
page is read in a third of the time.

Nothing is lost by it. A page that does not fit the types (a field nobody has seen yet, an
object where a list was) is read whole like the first page of every list, and from then on the
new name is among those that are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any, Protocol, TypedDict

import msgspec

from tasks.sources.select import Get, simple_parts

Parts = tuple[str, ...]
# What else a value may be is left to those who read the page whole.
Scalar = str | int | float | bool | None
# Typed dictionaries are made from paths here, which the functional form is for.
_typed_dictionary: Any = TypedDict


class Names(Protocol):
    """The names of fields seen so far: of the record, and of the watched objects in it."""

    top: set[str]
    inner: dict[str, set[str]]


class Shape:
    """Where in a record values are declared; each object on the way becomes a type.

    `paths` lead to scalars, `lists` to whatever is there. Decoded records are instances of
    these types, whose attributes have made-up names: `attribute` tells them. Raises ValueError
    for paths that no type can be made of.
    """

    def __init__(self, paths: Iterable[str], lists: Iterable[str] = ()) -> None:
        paths, lists = set(paths), set(lists)
        self._lists = {simple_parts(path) for path in lists}
        paths |= lists
        self._objects: dict[Parts, dict[str, str]] = {(): {}}
        for path in sorted(paths):
            parts = simple_parts(path)
            if parts is None:
                raise ValueError(f"{path} is no simple path")
            for depth in range(1, len(parts)):
                self._name(parts[:depth])
                self._objects.setdefault(parts[:depth], {})
            self._name(parts)
        self._leaves = {
            (*place, name) for place, names in self._objects.items() for name in names
        } - self._objects.keys()
        if any(simple_parts(path) not in self._leaves for path in paths):
            raise ValueError("a value and a part of it are both declared")

    def _name(self, parts: Parts) -> None:
        names = self._objects[parts[:-1]]
        names.setdefault(parts[-1], f"field{len(names)}")

    def attribute(self, parts: Parts) -> str:
        """The attribute, of the object around it, that holds what the path leads to."""
        return self._objects[parts[:-1]][parts[-1]]

    def empty(self, parts: Parts) -> Any:
        """What stands for an object that a record does not have."""
        return SimpleNamespace(**dict.fromkeys(self._objects[parts].values()))

    def get(self, path: str) -> Get:
        """The value at a declared path of a decoded record."""
        parts = simple_parts(path) or ()
        steps = [self.attribute(parts[: depth + 1]) for depth in range(len(parts))]

        def get(record: Any) -> Any:
            for step in steps:
                if record is None:
                    return None
                record = getattr(record, step)
            return record

        return get

    def record_type(self, names: Names | None) -> Any:
        """The type of a record. With `names`, any other name than those is an error."""
        return self._type((), names)

    def _type(self, place: Parts, names: Names | None) -> Any:
        declared = self._objects[place]
        fields: list[tuple[str, Any, Any]] = []
        renamed = {}
        for name, attribute in declared.items():
            inner = (*place, name)
            kind = Any if inner in self._lists else Scalar
            if inner in self._objects:
                kind = self._type(inner, names) | None
            fields.append((attribute, kind, None))
            renamed[attribute] = name
        known = _known(place, names)
        for number, name in enumerate(sorted(known - declared.keys()) if known else ()):
            fields.append((f"passed{number}", msgspec.Raw, None))
            renamed[f"passed{number}"] = name
        return msgspec.defstruct(
            "Record",
            fields,
            rename=renamed,
            forbid_unknown_fields=known is not None,
            # Trees: the garbage collector has nothing to find in them.
            gc=False,
        )


def _known(place: Parts, names: Names | None) -> set[str] | None:
    """The names that are watched at a place of the record; None where any name may come."""
    if names is None or len(place) > 1:
        return None
    return names.inner.get(place[0]) if place else names.top


class Declared:
    """Decodes answers to what a list needs of them: `paths` around the records, the records
    at `records`, and of each record its `shape`."""

    def __init__(
        self, shape: Shape, records: str | None, paths: Iterable[str], names: Names | None
    ) -> None:
        self._shape = shape
        self._names = names
        self._records = simple_parts(records) if records not in (None, "@") else ()
        self._around: dict[str, Any] = {}
        for path in sorted(paths):
            parts = simple_parts(path)
            if parts is None or self._records is None or not _fits(parts, self._records):
                raise ValueError(f"{path} is no simple path beside the records")
            _put(self._around, parts)
        if self._records is None:
            raise ValueError(f"{records} is no simple path")
        self._decoder: msgspec.json.Decoder[Any] | None = None
        self._compiled_for = (-1, -1)
        self._hits = self._misses = 0
        self._is_first = True

    def decode(self, content: bytes) -> Any | None:
        """The answer as far as it is declared; None when it has to be read whole."""
        if self._is_first or self._misses > self._hits + 3:
            # The first page tells the names there are. Where new ones go on to come (records
            # that use ids for names, say), looking in vain costs more than it saves.
            self._is_first = False
            return None
        try:
            found = self._current().decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._misses += 1
            return None
        self._hits += 1
        return found

    def _current(self) -> msgspec.json.Decoder[Any]:
        names = self._names
        state = (len(names.top), sum(map(len, names.inner.values()))) if names else (0, 0)
        if self._decoder is None or state != self._compiled_for:
            records = list.__class_getitem__(self._shape.record_type(names)) | None
            self._decoder = msgspec.json.Decoder(_body_type(self._around, self._records, records))
            self._compiled_for = state
        return self._decoder


def _fits(parts: Parts, records: Parts) -> bool:
    """Whether a path around the records leads neither into them nor to something they are in."""
    shared = min(len(parts), len(records))
    return parts[:shared] != records[:shared]


def _put(tree: dict[str, Any], parts: Parts) -> None:
    """Add a path to a tree of names. A value and a part of it: the whole is read."""
    for part in parts[:-1]:
        inner = tree.setdefault(part, {})
        if inner is Any:
            return
        tree = inner
    tree[parts[-1]] = Any


def _body_type(around: Mapping[str, Any], path: Parts | None, records: Any) -> Any:
    if not path and path is not None:
        return records
    fields = {
        name: inner if inner is Any else _body_type(inner, None, records) | None
        for name, inner in around.items()
        if path is None or name != path[0]
    }
    if path:
        inner = around.get(path[0], {})
        fields[path[0]] = records if len(path) == 1 else _body_type(inner, path[1:], records) | None
    return _typed_dictionary("Answer", fields, total=False)
