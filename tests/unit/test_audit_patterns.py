"""Every pattern of the audit's data has an example, and does there what it says."""

from __future__ import annotations

import pytest

from tasks.audit.document import Block, Document
from tasks.audit.meanings import Rule, rules
from tasks.audit.recognise import numbers_in, signs
from tasks.audit.run import of_document


@pytest.mark.parametrize("entry", signs()["not_figures"], ids=lambda entry: str(entry["example"]))
def test_what_is_no_figure_is_passed_over(entry: dict[str, str]) -> None:
    assert list(numbers_in(entry["example"])) == []


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule.example))
def test_example_of_a_meaning_has_it(rule: Rule) -> None:
    report = of_document(Document("r.txt", "text", (Block(text=f"2022年,{rule.example}。"),)))
    last = report.narrative.figures[-1]
    assert last.meaning == rule.meaning
