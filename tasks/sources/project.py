"""The allow-list: of a record only what the source file declares goes any further.

A `Projector` is compiled once for a resource or child; it turns records into landing rows,
watches for fields that nobody declared, and counts what it left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any, Protocol

import msgspec

from tasks.sources.compiled import Context, Read, Row, RowCode, scalar
from tasks.sources.declared import Declared, Shape
from tasks.sources.errors import SourceContractError
from tasks.sources.keys import IMPRECISE, Identify, clean_key, compile_key
from tasks.sources.landing import NOT_SELECTED, left_out
from tasks.sources.model.fields import Condition, Removed
from tasks.sources.model.resource import Child, Resource, record_paths
from tasks.sources.page import select_list
from tasks.sources.select import Get, compile_path, simple_parts, text
from warehouse.errors import must_be

MOST_NEW_FIELDS = 200
Parts = Callable[[str], tuple[str, ...] | None]


class RowSink(Protocol):
    """Takes the rows of a list."""

    def add(self, name: str, rows: list[Row]) -> None:
        """Rows of the list of that name."""


@dataclass(frozen=True)
class _Access:
    """How records of one kind (dicts, or objects of a shape) are read."""

    rows: Callable[[Any, Context], list[Row]]
    selects: Callable[[Any, Context], bool]
    identify: Identify
    lists: list[Get]
    """The list of each nested child."""
    parts: Callable[[Any, Context], tuple[str | None, ...]] | None
    """The parts of an id that has several."""
    is_removed: Callable[[Any, Context], bool] | None
    """Whether the source says that a record is withdrawn."""


class Projector:
    """From records of one list to landing rows, for the list itself and its nested children.

    `parts_of` says which paths are simple and what their names are; in a workbook a path
    is one label, whatever it holds.
    """

    def __init__(
        self, rule: Resource | Child, parts_of: Parts = simple_parts, watch: bool = True
    ) -> None:
        self.rule = rule
        self.name = rule.name
        self._parts_of = parts_of
        self.watch = FieldWatch(rule) if watch else None
        self._seen: dict[str, None] = {}
        self._lacking = {c: f.path for c, f in rule.fields.items() if f.required and f.path}
        children = rule.children if isinstance(rule, Resource) else ()
        self.children = [Projector(child) for child in children if child.path is None]
        self._left_out: list[Row] = []
        self._plain = self._compile(None)
        self._shaped: _Access | None = None
        self.read = 0
        self.not_selected = 0

    def project(self, records: list[Any], context: Context, sink: RowSink) -> None:
        """Give the sink a row for every record that is selected, and those of its children.

        Raises SourceContractError for a record that is no object.
        """
        access = self._plain
        if self._shaped is not None and records and isinstance(records[0], msgspec.Struct):
            access = self._shaped
        try:
            rows = access.rows(records, context)
        except AttributeError:
            wrong = next((r for r in records if r.__class__ is not dict), None)
            if wrong is None:
                raise
            raise SourceContractError(
                f"资源 {self.name} 的记录应是对象,读到的是{type(wrong).__name__};请核对 records"
            ) from None
        self.read += len(records)
        self._give_left_out(sink)
        if self._lacking:
            self._note_present(rows, records)
        if self.children or access.parts is not None or access.is_removed is not None:
            kept = (
                [r for r in records if access.selects(r, context)] if self.rule.where else records
            )
            self._prove(access, kept, rows, context)
            for child, select in zip(self.children, access.lists, strict=True):
                nested_before = child.read
                for record, row in zip(kept, rows, strict=True):
                    nested = select_list(select, record)
                    if nested:
                        inner = {**context, "$parent": record, "$parent_id": row["$id"]}
                        child.project(nested, inner, sink)
                nested_count = sum(len(select_list(select, record)) for record in kept)
                must_be(f"资源 {child.name}:明细", nested_count, child.read - nested_before)
        sink.add(self.name, rows)

    def _prove(self, access: _Access, kept: list[Any], rows: list[Row], context: Context) -> None:
        """That records with other parts of an id have other ids, and that each withdrawal which
        the source tells is told on. Raises LostRecords."""
        if access.parts is not None and len(rows) > 1:
            told = {access.parts(record, context) for record in kept}
            whole = {
                parts
                for parts in told
                if not any(part is None or part.startswith(IMPRECISE) for part in parts)
            }
            ids = {row["$id"] for row in rows}
            if len(whole) > len(ids):
                must_be(f"资源 {self.name}:不同的编号", len(whole), len(ids))
        if access.is_removed is not None:
            said = sum(access.is_removed(record, context) for record in kept)
            must_be(
                f"资源 {self.name}:注明已撤回的",
                said,
                sum(bool(row.get("$removed")) for row in rows),
            )

    def selected(self, records: list[Any], context: Context, sink: RowSink) -> list[Any]:
        """The records that meet the conditions of `where`; the sink is told of the others."""
        kept = [record for record in records if self._plain.selects(record, context)]
        if len(kept) < len(records):
            taken = set(map(id, kept))
            for index, record in enumerate(records):
                if id(record) not in taken:
                    self._leave_out(self._plain.identify(record, context, index)[0])
            self.read += len(records) - len(kept)
            self._give_left_out(sink)
        return kept

    def _leave_out(self, record_id: str | None) -> None:
        self._left_out.append({"$id": record_id, "$reason": NOT_SELECTED})

    def _give_left_out(self, sink: RowSink) -> None:
        if self._left_out:
            rows, self._left_out = self._left_out, []
            self.not_selected += len(rows)
            sink.add(left_out(self.name), rows)

    def identity(self, record: Any, context: Context) -> str | None:
        """The record's id."""
        return self._plain.identify(record, context, 0)[0]

    def declared(self, around: Iterable[str]) -> Declared | None:
        """A decoder for answers to this list, of which nothing is read but what is declared
        here and the paths `around` the records; None where these are not all simple.

        Whoever reads with it may hand its records to `project`.
        """
        rule = self.rule
        inner = [path for child in self.children for path in _paths(child.rule)]
        if any(path.startswith("$parent.") for path in inner):
            return None
        lists = [child.rule.records or "" for child in self.children]
        try:
            shape = Shape([p for p in _paths(rule) if not p.startswith("$")], lists)
            declared = Declared(shape, rule.records, around, self.watch)
        except ValueError:
            return None
        self._shaped = self._compile(shape)
        return declared

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

    def _note_present(self, rows: list[Row], records: list[Any]) -> None:
        for record in records[:10]:
            if record.__class__ is dict:
                self._seen.update(dict.fromkeys(str(name) for name in record))
        for row in rows:
            for column in [c for c in self._lacking if row.get(c) not in (None, "")]:
                del self._lacking[column]
            if not self._lacking:
                return

    def _compile(self, shape: Shape | None) -> _Access:
        compiler = _Compiler(self.rule, self._parts_of, shape)
        compiler.add_where(self._leave_out)
        compiler.add_fields()
        compiler.add_key()
        compiler.add_notes()
        if self.watch is not None and shape is None:
            compiler.add_watch(self.watch)
        lists = [
            compile_path(child.rule.records)
            if shape is None
            else shape.get(child.rule.records or "")
            for child in self.children
        ]
        return compiler.build(lists)


class _Compiler:
    """Puts the reading of a list's records together, column by column."""

    def __init__(self, rule: Resource | Child, parts_of: Parts, shape: Shape | None) -> None:
        self._rule = rule
        self._parts_of = parts_of
        self._get = self._plain_get if shape is None else shape.get
        self._code = RowCode(shape)
        self._after: list[str] = []
        self._where = [compile_condition(condition, self._read) for condition in rule.where]
        self._identify = compile_key(rule.key, self._read)
        self._key_reads = [self._read(part) for part in rule.key if not part.startswith("=")]

    def _plain_get(self, path: str) -> Get:
        parts = self._parts_of(path)
        if parts is not None and len(parts) == 1:
            name = parts[0]
            return lambda record: record.get(name)
        return compile_path(path)

    def _read(self, path: str) -> Read:
        """A scalar of the record, or for a path that begins with `$` of what is around it."""
        if path.startswith("$"):
            around = compile_path(path)
            return lambda record, context: scalar(around(context))
        value = self._get(path)
        return lambda record, context: scalar(value(record))

    def _expression(self, path: str) -> str:
        if path.startswith("$"):
            return self._code.constant(self._read(path))
        parts = self._parts_of(path)
        return self._code.value(parts) if parts is not None else self._code.called(self._read(path))

    def _selects(self, record: Any, context: Context) -> bool:
        return all(test(record, context) for test in self._where)

    def add_where(self, leave_out: Callable[[str | None], None]) -> None:
        """Pass over what is not selected, telling its id."""
        if not self._where:
            return
        code, identify = self._code, self._identify
        leave = code.named("leave", lambda r, c, i: leave_out(identify(r, c, i)[0]))
        code.before(f"if not {code.named('selects', self._selects)}(record, context):")
        code.before(f"    {leave}(record, context, index)")
        code.before("    continue")

    def add_fields(self) -> None:
        """The columns of the core table."""
        code = self._code
        for column, field in self._rule.fields.items():
            if not field.path:
                continue
            value = code.first([self._expression(path) for path in field.path])
            if field.html:
                value = f"{code.named('plain', _without_marks)}({value})"
            if field.pattern is not None:
                value = f"{code.named('match', _matcher(field.pattern))}({value})"
            code.column(column, value)

    def add_key(self) -> None:
        """The record's id, and of what kind it is where it is no text."""
        code, key = self._code, self._rule.key
        if len(key) > 1 or key[0].startswith(("$", "=")):
            code.column("$id", "identity[0]")
            code.column("$kind", "identity[1]")
            identify = code.named("identify", self._identify)
            code.before(f"identity = {identify}(record, context, index)")
            return
        code.column("$id", self._expression(key[0]))
        clean = code.named("clean", clean_key)
        self._after.append("key = row['$id']")
        # Most ids are short texts of ASCII without blanks; looking is cheaper than cleaning.
        self._after.append(
            "if key.__class__ is not str or not key.isascii() or not key"
            f" or key[0] <= ' ' or key[-1] <= ' ': row['$id'] = {clean}(key)"
        )
        self._after.append(
            "if key.__class__ is not str and key is not None: row['$kind'] = key.__class__.__name__"
        )

    def add_notes(self) -> None:
        """What a landing row says beside its columns: changes, cursor, parent, withdrawal."""
        code, rule = self._code, self._rule
        updated = rule.updated_path if isinstance(rule, Resource) else rule.updated
        if updated is not None:
            code.column("$updated", self._expression(updated))
        if isinstance(rule, Resource) and rule.cursor and rule.cursor.kind == "number":
            code.column("$cursor", self._expression(rule.cursor.field))
        if isinstance(rule, Child):
            code.column("$parent", code.constant(lambda record, context: context["$parent_id"]))
        if rule.removed is not None:
            test = code.named("removed", compile_condition(rule.removed, self._read))
            self._after.append(f"if {test}(record, context):")
            self._after.append("    row['$removed'] = True")
            if rule.removed.at is not None:
                at = code.named("at", self._read(rule.removed.at))
                self._after.append(f"    row['$removed_at'] = {at}(record, context)")

    def add_watch(self, watch: FieldWatch) -> None:
        """Look for names that nobody declared."""
        code = self._code
        top = code.named("top", watch.top)
        code.before(f"if not record.keys() <= {top}: {code.named('note', watch.note_top)}(record)")
        for name, variable in code.objects():
            known = watch.inner.get(name)
            if known is not None:
                note = code.named("note", watch.note_inner)
                code.before(
                    f"if not {variable}.keys() <= {code.named('known', known)}: {note}({name!r}, {variable})"
                )

    def build(self, lists: list[Get]) -> _Access:
        """How records are read."""
        rule = self._rule
        parts = self._parts if len(rule.key) > 1 and "$index" not in rule.key else None
        removed = compile_condition(rule.removed, self._read) if rule.removed is not None else None
        rows = self._code.build(self._after)
        return _Access(rows, self._selects, self._identify, lists, parts, removed)

    def _parts(self, record: Any, context: Context) -> tuple[str | None, ...]:
        return tuple(clean_key(read(record, context)) for read in self._key_reads)


_MARKS = re.compile(r"<!--.*?-->|</?[a-zA-Z][^>]*>", re.DOTALL)


def _without_marks(value: Any) -> Any:
    return unescape(_MARKS.sub("", value)).strip() if value.__class__ is str else value


def _matcher(pattern: str) -> Callable[[Any], str | None]:
    compiled = re.compile(pattern)

    def match(value: Any) -> str | None:
        found = compiled.search(text(value))
        if found is None:
            return None
        return found[1] if compiled.groups else found[0]

    return match


def compile_condition(
    condition: Condition | Removed, read_of: Callable[[str], Read]
) -> Callable[[Any, Context], bool]:
    """A test of one value of a record."""
    read = read_of(condition.path)
    if condition.present is not None:
        wanted = condition.present
        return lambda record, context: (text(read(record, context)).strip() != "") is wanted
    if condition.none_of:
        excluded = frozenset(condition.none_of)
        return lambda record, context: text(read(record, context)).strip() not in excluded
    allowed = frozenset(condition.any_of or (condition.equals or "",))
    return lambda record, context: text(read(record, context)).strip() in allowed


def _paths(rule: Resource | Child) -> list[str]:
    return [path for _, path in record_paths(rule)]


class FieldWatch:
    """Names of fields that the source sends and the source file does not declare."""

    def __init__(self, rule: Resource | Child) -> None:
        self.found: set[str] = set()
        self.top: set[str] = set()
        self.inner: dict[str, set[str]] = {}
        for path in _paths(rule):
            self._declare(path)

    def _declare(self, path: str) -> None:
        parts = simple_parts(path)
        if parts is None:
            # Of an expression every name may be meant; none of them is new.
            self.top.update(re.findall(r"[^\s.\[\]{}()|&*?'\"`,:@!=<>]+", path))
        elif not path.startswith("$"):
            self.top.add(parts[0])
            if len(parts) > 1:
                self.inner.setdefault(parts[0], set()).add(parts[1])

    def note_top(self, record: Mapping[str, Any]) -> None:
        """Note what is new in a record."""
        self._note(record.keys() - self.top, "")
        self.top.update(record.keys())

    def note_inner(self, name: str, inner: Mapping[str, Any]) -> None:
        """Note what is new in an object of a record."""
        self._note(inner.keys() - self.inner[name], f"{name}.")
        self.inner[name].update(inner.keys())

    def _note(self, names: Iterable[str], prefix: str) -> None:
        # A system that uses ids as keys would fill the list without end.
        if len(self.found) < MOST_NEW_FIELDS:
            self.found.update(prefix + str(name) for name in names)
