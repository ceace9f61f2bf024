"""Reading only what is declared gives the very rows that reading everything gives."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.sources.compiled import Row
from tasks.sources.declared import Declared, Shape
from tasks.sources.model import Resource
from tasks.sources.project import Projector

RULE = {
    "name": "orders",
    "table": "work_order",
    "path": "/orders",
    "records": "data.items",
    "key": "id",
    "where": [{"path": "kind", "not_in": ["draft"]}],
    "removed": {"path": "state.deleted", "equals": "true"},
    "fields": {
        "organ_id": {"path": ["unit.code", "unitCode"]},
        "category": "分类",
        "call_id": {"path": "unit.contact.number", "pattern": "[0-9]+"},
    },
    "children": [
        {
            "name": "steps",
            "table": "application_event",
            "records": "steps",
            "key": ["$parent_id", "seq"],
            "fields": {"event_kind": "what"},
        }
    ],
}
AROUND = ["data.total", "code"]


class Rows:
    """Takes the rows of each list."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Row]] = {}

    def add(self, name: str, rows: list[Row]) -> None:
        self.lists.setdefault(name, []).extend(rows)


def projected(pages: list[bytes], *, is_declared: bool, **changes: Any) -> tuple[Any, ...]:
    """Rows of every list, new names, what was left out, pages that were read declared."""
    projector = Projector(Resource.model_validate({**RULE, **changes}))
    decoder = projector.declared(AROUND) if is_declared else None
    sink, hits = Rows(), 0
    for page in pages:
        body = decoder.decode(page) if decoder else None
        hits += body is not None
        if body is None:
            body = msgspec.json.decode(page)
        projector.project(body["data"]["items"], {}, sink)
    found = [projector.watch.found, *(child.watch.found for child in projector.children)]
    return (sink.lists, found, projector.not_selected), hits


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(-9, 9)
VALUES = SCALARS | st.lists(st.integers(), max_size=2) | st.dictionaries(st.text(), SCALARS)
STEPS = st.lists(
    st.fixed_dictionaries({"seq": st.integers(0, 3)}, optional={"what": SCALARS, "who": VALUES}),
    max_size=2,
)
UNIT = st.fixed_dictionaries(
    {},
    optional={
        "code": SCALARS,
        "name": VALUES,
        "contact": st.none() | st.fixed_dictionaries({}, optional={"number": SCALARS, "p": VALUES}),
    },
)
RECORDS = st.fixed_dictionaries(
    {"id": st.integers() | st.text(min_size=1, max_size=4)},
    optional={
        "unit": st.none() | UNIT,
        "unitCode": VALUES,
        "分类": SCALARS,
        "kind": st.sampled_from(["draft", "final", None]),
        "state": st.none() | st.fixed_dictionaries({}, optional={"deleted": st.booleans()}),
        "steps": st.none() | STEPS,
        "content": VALUES,
        "new": VALUES,
    },
)


# How long an example may take says nothing about it on a busy machine.
@settings(deadline=None)
@given(st.lists(st.lists(RECORDS, max_size=3), max_size=6))
def test_rows_and_new_names_are_the_same_however_a_page_is_read(
    pages: list[list[dict[str, Any]]],
) -> None:
    written = [
        msgspec.json.encode({"code": 0, "data": {"total": 9, "items": page}, "at": "now"})
        for page in pages
    ]
    whole, _ = projected(written, is_declared=False)
    declared, _ = projected(written, is_declared=True)
    assert declared == whole


def page(*records: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"code": 0, "data": {"total": 2, "items": list(records)}})


def test_after_the_first_page_undeclared_values_are_never_made() -> None:
    known = {"id": "1", "name": "某人", "unit": {"code": "A", "name": "某局"}}
    found, hits = projected([page(known), page(known), page(known)], is_declared=True)
    assert hits == 2
    assert found[1] == [{"name", "unit.name"}, set()]
    decoder = Projector(Resource.model_validate(RULE)).declared(AROUND)
    assert decoder is not None
    assert decoder.decode(page({"id": "1"})) is None
    body = decoder.decode(page({"id": "1"}))
    assert body["code"] == 0
    assert body["data"].keys() == {"total", "items"}
    assert not hasattr(body["data"]["items"][0], "name")


def test_a_name_that_comes_later_is_noted_and_passed_over_from_then_on() -> None:
    old, new = {"id": "1"}, {"id": "2", "telephone": "0"}
    found, hits = projected([page(old), page(old), page(new), page(new)], is_declared=True)
    assert found[1][0] == {"telephone"}
    assert hits == 2


def test_records_that_use_ids_for_names_are_read_whole_after_a_few_pages() -> None:
    projector = Projector(Resource.model_validate(RULE))
    decoder = projector.declared(AROUND)
    assert decoder is not None
    for number in range(8):
        assert decoder.decode(page({"id": "1", f"field{number}": 1})) is None
    assert decoder.decode(page({"id": "1"})) is None


def test_numbers_of_more_digits_than_a_machine_word_are_kept() -> None:
    long = 20_200_301_123_456_789_012
    found, hits = projected([page({"id": 1}), page({"id": long, "分类": long})], is_declared=True)
    assert hits == 1
    row = found[0]["orders"][1]
    assert (row["$id"], row["category"]) == (str(long), long)


@pytest.mark.parametrize(
    "changes",
    [
        {"fields": {"category": "items[0].name"}},
        {"fields": {"category": "unit", "organ_id": "unit.code"}},
        {"records": "data.items[].entry"},
        {"records": None},
    ],
    ids=["an expression", "a value and its part", "records by an expression", "total in the list"],
)
def test_what_types_cannot_say_is_read_whole(changes: dict[str, Any]) -> None:
    projector = Projector(Resource.model_validate({**RULE, **changes, "children": []}))
    assert projector.declared(AROUND) is None


def test_nested_lists_that_look_back_at_the_whole_record_are_read_whole() -> None:
    child = {**RULE["children"][0], "fields": {"event_kind": "$parent.kind"}}  # type: ignore[index]
    projector = Projector(Resource.model_validate({**RULE, "children": [child]}))
    assert projector.declared(AROUND) is None


def test_a_list_without_anything_around_it() -> None:
    shape = Shape(["id"])
    decoder = Declared(shape, None, [], None)
    decoder.decode(b"[]")
    assert shape.get("id")(decoder.decode(b'[{"id": 7, "name": "x"}]')[0]) == 7
    assert decoder.decode(b'{"id": 7}') is None
