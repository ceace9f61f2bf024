"""Projection as one function: the paths of a source file, turned into Python once.

A pull projects hundreds of thousands of records of a dozen fields. A call for every field of
every record would cost more than parsing them, so the simple dotted paths of a list are
written out as look-ups in one loop; what is not simple is called from there. Only names of
the source file enter the code, as literals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tasks.sources.declared import Shape

Row = dict[str, Any]
Context = Mapping[str, Any]
Read = Callable[[Any, Context], Any]

# A value that is no scalar is not landed: it may hold what was never declared. Only its
# kind is, so that typing can say what it found.
NOT_SCALAR = "␟"
SCALARS = frozenset({str, int, float, bool, type(None)})
_KINDS = {dict: "object", list: "list"}
_INDENT = "        "


def scalar(value: Any) -> Any:
    """The value, or of what is no scalar its kind."""
    if value.__class__ in SCALARS:
        return value
    return NOT_SCALAR + _KINDS.get(value.__class__, "value")


def _scalars(row: Row) -> None:
    for name, value in row.items():
        row[name] = scalar(value)


class RowCode:
    """Puts together the loop that makes rows; `build` gives the function.

    Objects on the way to nested fields are looked up once a record. With a `shape`, the records
    are objects of that shape instead of dicts.
    """

    def __init__(self, shape: Shape | None = None) -> None:
        self._shape = shape
        self._values: dict[str, Any] = {
            "SCALARS": SCALARS,
            "scalars": _scalars,
            "NOTHING": {},
        }
        self._objects: dict[tuple[str, ...], str] = {(): "record"}
        self._head: list[str] = []
        self._body: list[str] = []
        self._row: list[str] = []

    def value(self, parts: tuple[str, ...]) -> str:
        """The expression for a dotted path."""
        return self._part(self._object(parts[:-1]), parts)

    def _part(self, owner: str, parts: tuple[str, ...]) -> str:
        if self._shape is None:
            return f"{owner}.get({parts[-1]!r})"
        return f"{owner}.{self._shape.attribute(parts)}"

    def called(self, read: Read) -> str:
        """The expression for anything that is not simple."""
        return f"{self.named('read', read)}(record, context)"

    def first(self, expressions: list[str]) -> str:
        """The expression for the first that gives a value."""
        if len(expressions) == 1:
            return expressions[0]
        return f"next((v for v in ({', '.join(expressions)},) if v is not None and v != ''), None)"

    def constant(self, read: Read) -> str:
        """The expression for what is the same for all records of a call."""
        name = f"around{len(self._head)}"
        self._head.append(f"{name} = {self.named('read', read)}(None, context)")
        return name

    def named(self, prefix: str, value: Any) -> str:
        """A name by which the code knows a value."""
        name = f"{prefix}_{len(self._values)}"
        self._values[name] = value
        return name

    def column(self, name: str, expression: str) -> None:
        """A column of the row."""
        self._row.append(f"{name!r}: {expression}")

    def before(self, line: str) -> None:
        """A line before the row is made; it may say `continue`."""
        self._body.append(line)

    def _object(self, parts: tuple[str, ...]) -> str:
        known = self._objects.get(parts)
        if known is not None:
            return known
        name = f"object{len(self._objects)}"
        self._body.append(f"{name} = {self._part(self._object(parts[:-1]), parts)}")
        if self._shape is None:
            self._body.append(f"if {name}.__class__ is not dict: {name} = NOTHING")
        else:
            empty = self.named("empty", self._shape.empty(parts))
            self._body.append(f"if {name} is None: {name} = {empty}")
        self._objects[parts] = name
        return name

    def objects(self) -> list[tuple[str, str]]:
        """Names in the data and in the code of the objects one level below the record."""
        return [(parts[0], name) for parts, name in self._objects.items() if len(parts) == 1]

    def build(self, after: list[str]) -> Callable[[Any, Context], list[Row]]:
        """The function from records and context to rows; `after` are lines that see `row`."""
        lines = ["def rows(records, context):", "    made = []"]
        lines += [f"    {line}" for line in self._head]
        lines.append("    for index, record in enumerate(records):")
        lines += [_INDENT + line for line in self._body]
        lines.append(f"{_INDENT}row = {{{', '.join(self._row)}}}")
        if self._shape is None:
            lines.append(
                f"{_INDENT}if not SCALARS.issuperset(map(type, row.values())): scalars(row)"
            )
        lines += [_INDENT + line for line in after]
        lines += [f"{_INDENT}made.append(row)", "    return made"]
        # Literals of the source file's own names are all that the text holds beside the above.
        exec(compile("\n".join(lines), "<projection>", "exec"), self._values)
        function: Callable[[Any, Context], list[Row]] = self._values["rows"]
        return function
