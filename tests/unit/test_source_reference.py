"""The documents' reference of every key is the model's, and its examples load."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.connect.reference import DOCS, PARTS, Example, examples, renewed
from tasks.settings import DEMO_CITY
from tasks.sources.client import Client
from tasks.sources.connector import requests_of
from tasks.sources.model import Source, load_source

BASE: dict[str, Any] = {
    "name": "example",
    "title": "示例",
    "base_url": "http://127.0.0.1:1",
    "code_maps": {"kind": {"values": {"1": "notice"}}},
}
RESOURCE: dict[str, Any] = {"name": "articles", "table": "article"}
SECRETS = dict.fromkeys(
    [
        "NIANBAO_CMS_KEY",
        "NIANBAO_CMS_PASSWORD",
        "NIANBAO_CMS_TOKEN",
        "NIANBAO_CMS_SECRET",
        "NIANBAO_GATEWAY_SECRET",
        "NIANBAO_LEDGER_DATABASE",
        "NIANBAO_SFTP_PASSWORD",
        "NIANBAO_SFTP_PASSPHRASE",
    ],
    "x",
)


@pytest.mark.parametrize(("name", "language"), [("connect.md", "en"), ("connect.zh.md", "zh")])
def test_the_reference_is_up_to_date(name: str, language: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert renewed(text, language) == text, "run: python -m tasks.connect.reference"


def loaded(folder: Path, one: Example) -> Source:
    """The example in a whole source file, read as a city's would be."""
    given = yaml.safe_load(one.text)
    raw = (
        {**BASE, **given}
        if one.level == "source"
        else {**BASE, "resources": [{**RESOURCE, **given}]}
    )
    raw.setdefault(
        "resources", [{**RESOURCE, "path": "/articles", "key": "id", "fields": {"title": "title"}}]
    )
    sources = folder / "sources"
    sources.mkdir()
    shutil.copy(DEMO_CITY / "organs.csv", folder)
    file = sources / "example.yaml"
    file.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return load_source(file, SECRETS)


@pytest.mark.parametrize(
    "one", examples(), ids=[f"{n}-{one.part}" for n, one in enumerate(examples())]
)
def test_an_example_loads(tmp_path: Path, one: Example) -> None:
    source = loaded(tmp_path, one)
    assert source.resources
    if source.base_url is None or any(r.path is None for r in source.resources):
        return
    with Client(source) as client:
        for resource in source.resources:
            assert requests_of(client, source, resource, since=None, until=None, windows=())


def test_a_request_goes_out_for_each_value(tmp_path: Path) -> None:
    one = next(one for one in examples() if "for_each" in one.text)
    source = loaded(tmp_path, one)
    with Client(source) as client:
        listed = requests_of(
            client, source, source.resources[0], since=None, until=None, windows=()
        )
    assert [request.url.rpartition("/sites/")[2] for request, _ in listed] == [
        "main/articles",
        "county/articles",
    ]
    assert [request.headers["X-Site"] for request, _ in listed] == ["main", "county"]


@pytest.mark.parametrize(("part", "model"), [(en, model) for _, en, model in PARTS])
def test_every_key_stands_in_an_example(part: str, model: Any) -> None:
    keys = {info.alias or name for name, info in model.model_fields.items()}
    shown = {
        key for one in examples() if one.part == part for key in _keys(yaml.safe_load(one.text))
    }
    assert keys <= shown, keys - shown


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)
