"""Paths and places of a source file: what they name in a record, and what they leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.sources.errors import SourceContractError
from tasks.sources.model import load_source
from tasks.sources.project import Projector
from tasks.sources.select import compile_path, fill, path_of, simple_parts

RECORD: dict[str, Any] = {
    "@id": 7,
    "organ.code": "O1",
    "dc:title": "通知",
    "at": {"$date": 1583389321000, "#text": "x"},
    "data": '{"list": [1, 2]}',
    "broken": "{",
    "fields": [{"name": "单位", "value": "教育局"}],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("@id", 7),
        ('"@id"', 7),
        ('"organ.code"', "O1"),
        ("dc:title", "通知"),
        ("at.$date", 1583389321000),
        ('at."#text"', "x"),
        ("from_json(data).list", [1, 2]),
        ("from_json(broken)", None),
        ("from_json(nothing)", None),
        ("fields[?name=='单位'].value | [0]", "教育局"),
        ("@.data", '{"list": [1, 2]}'),
    ],
)
def test_what_a_path_names(path: str, found: Any) -> None:
    assert compile_path(path)(RECORD) == found


def test_a_path_of_names_names_them_again() -> None:
    for names in (("@id",), ("organ.code", "a b"), ("dc:title", "#text"), ("d", "__next")):
        assert simple_parts(path_of(names)) == names


def test_places_are_filled_and_the_braces_of_others_stay() -> None:
    assert fill("/a/{id}/{b.c}", {"id": 1, "b": {"c": 2}}) == "/a/1/2"
    query = "query($n:Int){articles(first:$n){edges{node{id title}}}}"
    assert fill(query, {}) == query
    assert fill({"filter": '{"site":{"_eq":"{site}"}}'}, {"site": 3}) == {
        "filter": '{"site":{"_eq":"3"}}'
    }
    with pytest.raises(SourceContractError, match=r"\{siet\}"):
        fill("/a/{siet}", {"site": 3})


FILE = """
name: merged
title: 合写
base_url: http://127.0.0.1:1
resources:
  - &list
    name: first
    table: article
    path: /first
    key: "@id"
    fields: {title: {path: title, html: true}}
    removed: {path: '"@state"', equals: D}
  - <<: *list
    name: second
    path: /second
"""


def test_a_resource_that_takes_over_the_keys_of_another(tmp_path: Path) -> None:
    file = tmp_path / "merged.yaml"
    file.write_text(FILE, encoding="utf-8")
    source = load_source(file, {})
    assert [(r.name, r.path, r.key) for r in source.resources] == [
        ("first", "/first", ("@id",)),
        ("second", "/second", ("@id",)),
    ]


class Rows:
    """Keeps the rows it is given."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, name: str, rows: list[dict[str, Any]]) -> None:
        self.rows += rows


def test_marks_are_dropped_and_quoted_names_are_declared(tmp_path: Path) -> None:
    file = tmp_path / "merged.yaml"
    file.write_text(FILE, encoding="utf-8")
    projector = Projector(load_source(file, {}).resources[0])
    sink = Rows()
    title = "<p>关于&#8220;三公&#8221;经费的<b>通知</b>&amp;说明 1&lt;2 <紧急></p><!-- x -->"
    projector.project([{"@id": 1, "@state": "A", "title": title, "x": 1}], {}, sink)
    assert sink.rows[0]["title"] == "关于“三公”经费的通知&说明 1<2 <紧急>"
    assert projector.watch is not None
    assert projector.watch.found == {"x"}
