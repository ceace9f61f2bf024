"""The allow-list: of a record only what the source file declares goes any further.

A `Projector` is compiled once for a resource or child; it turns records into landing rows,
watches for fields that nobody declared, and counts what it left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tasks.sources.errors import SourceContractError
from tasks.sources.model.fields import Condition, Fields, Removed
from tasks.sources.model.resource import Child, Resource
from tasks.sources.paginate import select_list
from tasks.sources.select import Get, compile_path, simple_parts, text

Row = dict[str, Any]
Context = Mapping[str, Any]
Read = Callable[[Any, Context], Any]

# A value that is no scalar is not landed: it may hold what was never declared. Only its
# kind is, so that typing can say what it found.
NOT_SCALAR = "␟"
_SCALARS = frozenset({str, int, float, bool, type(None)})
_KINDS = {dict: "object", list: "list"}
MOST_NEW_FIELDS = 200


class Projector:
    """From records of one list to landing rows, for the list itself and its nested children."""

    def __init__(
        self,
        rule: Resource | Child,
        reader_of: Callable[[str], Get] = compile_path,
        watch: bool = True,
    ) -> None:
        self.rule = rule
        self.name = rule.name
        self._key = _compile_key(rule.key, reader_of)
        self._fields = _compile_fields(rule.fields, reader_of)
        self._where = [_compile_condition(condition, reader_of) for condition in rule.where]
        self._removed = _compile_condition(rule.removed, reader_of) if rule.removed else None
        self._removed_at = reader_of(rule.removed.at) if rule.removed and rule.removed.at else None
        updated = rule.updated_path if isinstance(rule, Resource) else rule.updated
        self._updated = reader_of(updated) if updated else None
        cursor = rule.cursor if isinstance(rule, Resource) else None
        self._cursor = reader_of(cursor.field) if cursor and cursor.kind == "number" else None
        children = rule.children if isinstance(rule, Resource) else ()
        self.children = [
            (Projector(child), compile_path(child.records))
            for child in children
            if child.path is None
        ]
        self.watch = FieldWatch(rule) if watch else None
        self._seen: dict[str, None] = {}
        self._required = {c: f.path for c, f in rule.fields.items() if f.required and f.path}
        self._lacking = dict(self._required)
        self.read = 0
        self.not_selected = 0

    def project(
        self, records: Iterable[Any], context: Context, emit: Callable[[str, Row], None]
    ) -> None:
        """Give `emit` a row, with the name of its list, for every record that is selected.

        Raises SourceContractError for a record that is no object.
        """
        fields, key, name = self._fields, self._key, self.name
        updated, watch = self._updated, self.watch
        has_extras = bool(self._removed or self._cursor or self.children or self._where)
        for index, record in enumerate(records):
            if record.__class__ is not dict:
                raise SourceContractError(
                    f"资源 {name} 的记录应是对象,读到的是{type(record).__name__};请核对 records"
                )
            self.read += 1
            if watch is not None:
                watch.look(record)
            if has_extras and not self.selects(record, context):
                self.not_selected += 1
                continue
            row: Row = {}
            for column, read in fields:
                value = read(record, context)
                if value is not None:
                    row[column] = value
            if self._lacking:
                self._note_present(row, record)
            row["$id"] = identity = key(record, context, index)
            if updated is not None:
                row["$updated"] = _scalar(updated(record))
            if "$parent_id" in context:
                row["$parent"] = context["$parent_id"]
            if has_extras:
                self._extras(row, record, context)
            emit(name, row)
            for child, select in self.children:
                inner = {**context, "$parent": record, "$parent_id": identity}
                child.project(select_list(select, record), inner, emit)

    def selects(self, record: Any, context: Context) -> bool:
        """Whether the record meets the conditions of `where`."""
        return all(test(record, context) for test in self._where)

    def leave_out(self, number: int) -> None:
        """Count records that were left out before they came here."""
        self.read += number
        self.not_selected += number

    def identity(self, record: Any, context: Context) -> str | None:
        """The record's id."""
        return self._key(record, context, 0)

    @property
    def landed(self) -> int:
        """Rows that were given on."""
        return self.read - self.not_selected

    def always_missing(self) -> list[tuple[str, tuple[str, ...]]]:
        """Required columns, with their paths, that no record has had so far."""
        return list(self._lacking.items())

    def names_seen(self) -> list[str]:
        """Names of the fields of the first records."""
        return list(self._seen)

    def _note_present(self, row: Row, record: Mapping[str, Any]) -> None:
        self._seen.update(dict.fromkeys(str(name) for name in record))
        for column in [c for c in self._lacking if row.get(c) not in (None, "")]:
            del self._lacking[column]

    def _extras(self, row: Row, record: Any, context: Context) -> None:
        if self._cursor is not None:
            row["$cursor"] = _scalar(self._cursor(record))
        if self._removed is not None and self._removed(record, context):
            row["$removed"] = True
            if self._removed_at is not None:
                row["$removed_at"] = _scalar(self._removed_at(record))


def _scalar(value: Any) -> Any:
    if value.__class__ in _SCALARS:
        return value
    return NOT_SCALAR + _KINDS.get(value.__class__, "value")


def _compile_fields(fields: Fields, reader_of: Callable[[str], Get]) -> list[tuple[str, Read]]:
    compiled = []
    for column, field in fields.items():
        if field.value is not None:
            continue
        reads = [compile_read(path, reader_of) for path in field.path]
        read = reads[0] if len(reads) == 1 else _first_of(reads)
        compiled.append((column, _matching(read, field.pattern) if field.pattern else read))
    return compiled


def compile_read(path: str, reader_of: Callable[[str], Get] = compile_path) -> Read:
    """A scalar of the record, or for a path that begins with `$` of what is around it."""
    if path.startswith("$"):
        get = compile_path(path)

        def around(record: Any, context: Context) -> Any:
            return _scalar(get(context))

        return around
    get = reader_of(path)

    def own(record: Any, context: Context) -> Any:
        value = get(record)
        if value.__class__ in _SCALARS:
            return value
        return NOT_SCALAR + _KINDS.get(value.__class__, "value")

    return own


def _first_of(reads: list[Read]) -> Read:
    def read(record: Any, context: Context) -> Any:
        for candidate in reads:
            value = candidate(record, context)
            if value is not None and value != "":
                return value
        return None

    return read


def _matching(read: Read, pattern: str) -> Read:
    compiled = re.compile(pattern)

    def matching(record: Any, context: Context) -> Any:
        found = compiled.search(text(read(record, context)))
        if found is None:
            return None
        return found[1] if compiled.groups else found[0]

    return matching


def _compile_key(
    parts: tuple[str, ...], reader_of: Callable[[str], Get]
) -> Callable[[Any, Context, int], str | None]:
    """The record's id as text; None when any part is missing."""
    if len(parts) == 1 and not parts[0].startswith(("$", "=")):
        get = reader_of(parts[0])

        def one(record: Any, context: Context, index: int) -> str | None:
            value = get(record)
            if value.__class__ is str:
                return value.strip() or None
            return None if value is None or value.__class__ not in _SCALARS else text(value)

        return one
    reads: list[Read] = [
        _constant(p[1:]) if p.startswith("=") else compile_read(p, reader_of) for p in parts
    ]

    def joined(record: Any, context: Context, index: int) -> str | None:
        if needs_index:
            context = {**context, "$index": index}
        values = [text(read(record, context)).strip() for read in reads]
        if not all(values) or any(value.startswith(NOT_SCALAR) for value in values):
            return None
        return "/".join(values)

    needs_index = "$index" in parts
    return joined


def _constant(value: str) -> Read:
    return lambda record, context: value


def _compile_condition(
    condition: Condition | Removed, reader_of: Callable[[str], Get]
) -> Callable[[Any, Context], bool]:
    read = compile_read(condition.path, reader_of)
    if condition.present is not None:
        wanted = condition.present
        return lambda record, context: (text(read(record, context)).strip() != "") is wanted
    if condition.none_of:
        excluded = frozenset(condition.none_of)
        return lambda record, context: text(read(record, context)).strip() not in excluded
    allowed = frozenset(condition.any_of or (condition.equals or "",))
    return lambda record, context: text(read(record, context)).strip() in allowed


class FieldWatch:
    """Names of fields that the source sends and the source file does not declare."""

    def __init__(self, rule: Resource | Child) -> None:
        self.found: set[str] = set()
        paths = [path for field in rule.fields.values() for path in field.path]
        paths += [part for part in rule.key if not part.startswith("=")]
        paths += [condition.path for condition in rule.where]
        if rule.removed is not None:
            paths += [rule.removed.path, *([rule.removed.at] if rule.removed.at else [])]
        if isinstance(rule, Resource):
            paths += [rule.updated_path] if rule.updated_path else []
            paths += [rule.cursor.field] if rule.cursor else []
            paths += [child.records for child in rule.children if child.records and not child.path]
        self._top: set[str] = set()
        self._inner: dict[str, set[str]] = {}
        for path in paths:
            self._declare(path)

    def _declare(self, path: str) -> None:
        parts = simple_parts(path)
        if parts is None:
            # Of an expression every name may be meant; none of them is new.
            self._top.update(re.findall(r"[^\s.\[\]{}()|&*?'\"`,:@!=<>]+", path))
        elif not path.startswith("$"):
            self._top.add(parts[0])
            if len(parts) == 2:
                self._inner.setdefault(parts[0], set()).add(parts[1])

    def look(self, record: Mapping[str, Any]) -> None:
        """Note what is new in a record."""
        if not record.keys() <= self._top:
            self._note(record.keys() - self._top, "")
            self._top.update(record.keys())
        for name, known in self._inner.items():
            inner = record.get(name)
            if inner.__class__ is dict and not inner.keys() <= known:
                self._note(inner.keys() - known, f"{name}.")
                known.update(inner.keys())

    def _note(self, names: Iterable[str], prefix: str) -> None:
        # A system that uses ids as keys would fill the list without end.
        if len(self.found) < MOST_NEW_FIELDS:
            self.found.update(prefix + str(name) for name in names)
