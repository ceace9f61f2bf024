"""The documents' reference of every key is the model's."""

from __future__ import annotations

import pytest

from tasks.connect.reference import DOCS, renewed


@pytest.mark.parametrize(("name", "language"), [("connect.md", "en"), ("connect.zh.md", "zh")])
def test_the_reference_is_up_to_date(name: str, language: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert renewed(text, language) == text, "run: python -m tasks.connect.reference"
