"""What a sample of records holds: where the list is, and every field with its values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb

from tasks.sources.decode import decode
from tasks.sources.exchange import Answer
from tasks.sources.select import compile_path, path_of, text

SAMPLE = 200
DEEPEST = 5
MOST_NAMED = 40
NAMES_OF_NAMES = (
    "name",
    "key",
    "label",
    "code",
    "field",
    "title",
    "attr",
    "id",
    "fieldName",
    "@name",
)
NAMES_OF_VALUES = ("value", "val", "text", "content", "fieldValue", "#text")
_MARKUP = re.compile(r"</?[a-zA-Z][^>]*>|&(?:#\d+|#x[0-9a-fA-F]+|[a-z]+);")
_DAY_IN_PATH = re.compile(r"[/_](?:19|20)\d{2}(?:[/-]?\d{2})")


@dataclass
class Field:
    """A field of the sample: its values without blanks, and what they look like.

    `alias` is what a description calls it. `kind` is text, integer, decimal, boolean, date, timestamp, `timestamp(epoch?)`, or 没有值;
    `is_list` says that each value is the first of a list of scalars.
    """

    path: str
    values: list[Any] = field(default_factory=list)
    kind: str = "text"
    is_list: bool = False
    longest_list: int = 1
    rows: set[int] = field(default_factory=set)
    alias: str = ""

    @property
    def texts(self) -> list[str]:
        return [text(value) for value in self.values]

    @property
    def is_html(self) -> bool:
        """Whether marks of HTML stand in its values."""
        return any(_MARKUP.search(one) for one in self.texts)

    @property
    def depth(self) -> int:
        return self.path.count(".") + self.path.count("[")


@dataclass
class Sample:
    """The fields of some records, and the lists of objects inside them."""

    count: int
    current: int = 0
    fields: dict[str, Field] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)


def form_of(answer: Answer) -> str:
    """The format of an answer, as a source file calls it."""
    kind = answer.headers.get("Content-Type", "").lower()
    start = answer.content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if "csv" in kind:
        return "csv"
    if "xml" in kind or start == b"<":
        return "xml"
    is_lines = "ndjson" in kind or "jsonl" in kind or (start == b"{" and b"}\n{" in answer.content)
    if is_lines:
        return "ndjson"
    if start not in (b"{", b"[", b"") and "json" not in kind and "script" not in kind:
        line = answer.content.split(b"\n", 1)[0]
        if line.count(b",") + line.count(b"\t") + line.count(b";") >= 2 and b"(" not in line[:40]:
            return "csv"
    return "json"


def decoded(answer: Answer, form: str) -> Any:
    """The values of an answer. Raises Undecodable."""
    return decode(answer.content, form)


def lists_of(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, list[Any]]]:
    """Every list of objects with its path, also an object of objects, and JSON inside a text."""
    if isinstance(value, list):
        if value and all(isinstance(item, dict) for item in value):
            yield path, value
        elif len(value) > 1 and all(
            isinstance(item, list) and len(item) == len(value[0]) for item in value
        ):
            yield from _rows_as_lists(value, path)
    elif isinstance(value, dict) and depth < DEEPEST:
        for name, inner in value.items():
            own = path_of([str(name)])
            here = f"{path}.{own}" if path else own
            inner, here = _unwrapped(inner, here)
            yield from lists_of(inner, here, depth + 1)


def _unwrapped(value: Any, path: str) -> tuple[Any, str]:
    """JSON inside a text, and the path that reads it."""
    if isinstance(value, str) and value[:1] in "[{" and len(value) > 20:
        found = compile_path("from_json(@)")(value)
        if isinstance(found, list | dict):
            return found, f"from_json({path})"
    return value, path


def _rows_as_lists(rows: list[list[Any]], path: str) -> Iterator[tuple[str, list[Any]]]:
    """Rows as lists under a line of names: {"columns": […], "rows": [[…]]} is not told apart, a
    list whose first row holds only names is."""
    head = rows[0]
    if not all(isinstance(name, str) and name.strip() for name in head) or len(set(head)) < len(
        head
    ):
        return
    if all(isinstance(cell, str) for row in rows[1:3] for cell in row) and len(rows) < 3:
        return
    fields = ", ".join(f'"{name}": [{index}]' for index, name in enumerate(head))
    yield f"{path}[1:].{{{fields}}}", [dict(zip(head, row, strict=True)) for row in rows[1:]]


def the_list(body: Any) -> tuple[str, list[dict[str, Any]]] | None:
    """The list that most likely is the one of records: long, with many fields, near the top."""

    def rank(found: tuple[str, list[Any]]) -> tuple[float, ...]:
        path, items = found
        names = set().union(*(item.keys() for item in items[:20]))
        return (min(len(items), 3), len(names) >= 3, len(items), len(names), -path.count("."))

    lists = sorted(lists_of(body), key=rank, reverse=True)
    if lists:
        return lists[0]
    return _alone(body)


def _alone(body: Any) -> tuple[str, list[dict[str, Any]]] | None:
    """XML with one record has no list: the object with the most scalars stands for it."""
    found: list[tuple[int, str, dict[str, Any]]] = []

    def look(value: Any, path: str, depth: int) -> None:
        if not isinstance(value, dict) or depth > DEEPEST:
            return
        scalars = sum(not isinstance(v, dict | list) for v in value.values())
        found.append((scalars, path, value))
        for name, inner in value.items():
            own = path_of([str(name)])
            look(inner, f"{path}.{own}" if path else own, depth + 1)

    look(body, "", 0)
    best = max((f for f in found if f[1].count(".") >= 1), key=lambda f: f[0], default=None)
    return (best[1], [best[2]]) if best is not None and best[0] >= 4 else None


def sample_of(connection: duckdb.DuckDBPyConnection, records: list[dict[str, Any]]) -> Sample:
    """The fields of the records with their values and kinds. The typing macros must be known."""
    sample = Sample(len(records))
    for sample.current, record in enumerate(records):
        _look(sample, record, "", 0)
    for one in sample.fields.values():
        one.kind = kind_of(connection, one.values)
    return sample


def flat_sample_of(connection: duckdb.DuckDBPyConnection, records: list[dict[str, Any]]) -> Sample:
    """The same of a workbook's rows, whose labels are paths as they are."""
    sample = Sample(len(records))
    for sample.current, record in enumerate(records):
        for label, value in record.items():
            _put(sample, label, value)
    for one in sample.fields.values():
        one.kind = kind_of(connection, one.values)
    return sample


def _look(sample: Sample, value: dict[str, Any], prefix: str, depth: int) -> None:
    for name, inner in value.items():
        path = f"{prefix}{path_of([str(name)])}"
        if isinstance(inner, dict):
            if depth < DEEPEST:
                _look(sample, inner, f"{path}.", depth + 1)
        elif isinstance(inner, list):
            _look_at_list(sample, inner, path, depth)
        else:
            _put(sample, path, inner)


def _put(sample: Sample, path: str, value: Any, size: int = 0) -> None:
    found = sample.fields.setdefault(path, Field(path))
    if text(value).strip():
        found.values.append(value)
        found.rows.add(sample.current)
    if size:
        found.is_list = True
        found.longest_list = max(found.longest_list, size)


def _look_at_list(sample: Sample, items: list[Any], path: str, depth: int) -> None:
    """The first of scalars; of named values each by its name; the names of other objects."""
    objects = [item for item in items if isinstance(item, dict)]
    if not objects:
        scalars = [item for item in items if not isinstance(item, list)]
        if scalars or not items:
            _put(sample, f"{path}[0]", scalars[0] if scalars else None, max(len(scalars), 1))
        return
    named = _named_by(objects)
    if named is not None:
        by, under = named
        for item in objects[:MOST_NAMED]:
            said, found = text(item.get(by)), item.get(under)
            if "'" not in said and said and not isinstance(found, dict | list):
                _put(sample, f"{path}[?{path_of([by])}=='{said}'].{path_of([under])} | [0]", found)
        return
    names = sample.lists.setdefault(path, [])
    names += [name for item in objects for name in item if name not in names]
    # A reference to one or few others: its id is that of the first.
    if all(len(item) <= 4 for item in objects) and depth < DEEPEST:
        for name, inner in objects[0].items():
            if not isinstance(inner, dict | list):
                _put(sample, f"{path}[0].{path_of([str(name)])}", inner, len(objects))


def _named_by(objects: list[dict[str, Any]]) -> tuple[str, str] | None:
    """The keys under which a list of named values has their names and values."""
    for by in NAMES_OF_NAMES:
        for under in NAMES_OF_VALUES:
            if (
                by != under
                and all(by in item for item in objects)
                and any(under in item for item in objects)
            ):
                said = [text(item[by]) for item in objects]
                if len(set(said)) == len(said) and by != "id":
                    return by, under
    return None


_TESTS = {
    "timestamp": "moment_of(t, 'Asia/Shanghai') IS NOT NULL AND length(t) >= 8",
    "integer": "integer_of(t) IS NOT NULL",
    "decimal": "number_of(t) IS NOT NULL",
}
NEARLY_ALL = 0.95


def kind_of(connection: duckdb.DuckDBPyConnection, values: list[Any]) -> str:
    """The type that the values of the sample have, one slip among twenty left aside."""
    texts = sorted({text(value).strip() for value in values})
    if not texts:
        return "没有值"
    if all(isinstance(value, bool) for value in values):
        return "boolean"
    found = connection.execute(
        "SELECT "
        + ", ".join(f"avg(CAST(coalesce({test}, false) AS INTEGER))" for test in _TESTS.values())
        + " FROM (SELECT unnest(?::VARCHAR[]) AS t)",
        [texts],
    ).fetchone()
    assert found is not None
    is_time, is_integer, is_decimal = (float(share) for share in found)
    # A number of eight digits may be a day; without a mark between its parts it rather is not.
    if is_time >= NEARLY_ALL and is_integer < NEARLY_ALL:
        return "timestamp" if any(":" in t or "时" in t for t in texts) else "date"
    if is_integer >= NEARLY_ALL:
        is_epoch = is_time >= NEARLY_ALL and {len(t) for t in texts} <= {10, 13}
        is_day = is_time >= NEARLY_ALL and {len(t) for t in texts} == {8} and _are_days(texts)
        if is_epoch:
            return "timestamp(epoch?)"
        return "date(yyyymmdd?)" if is_day else "integer"
    return "decimal" if is_decimal >= NEARLY_ALL else "text"


def _are_days(texts: list[str]) -> bool:
    return all(
        t[:2] in ("19", "20") and "01" <= t[4:6] <= "12" and "01" <= t[6:] <= "31" for t in texts
    )


def has_day_in_path(texts: list[str]) -> bool:
    """Whether addresses carry a day, as those of published pages do."""
    return sum(bool(_DAY_IN_PATH.search(t)) for t in texts) * 2 > len(texts)
