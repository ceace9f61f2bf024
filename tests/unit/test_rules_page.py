"""docs/rules.md says what the rule files say."""

from __future__ import annotations

from expectations.document import PAGE, rules_page


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == rules_page(), (
        "docs/rules.md is out of date: run python -m expectations.document"
    )
