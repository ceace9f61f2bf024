"""What `source fields` proposes for public systems, measured against what a person would write."""

from __future__ import annotations

import pytest
import yaml

from tasks.connect.writing import proposal_text
from tests.contract.public import SYSTEMS
from tests.contract.public.figures import DOCS, NAMES, measured, paths_of, proposals, renewed

LEAST = 0.8


@pytest.mark.parametrize("name", NAMES)
def test_four_of_five_columns_are_proposed(name: str) -> None:
    proposal, expected = proposals(name)
    found = measured(proposal, expected)
    assert len(found.right) >= LEAST * found.mapped, found.wrong
    assert not found.persons
    assert found.has_key, proposal.key
    assert found.has_paging, proposal.paginator
    assert found.has_cursor, (proposal.cursor, proposal.changes.cursor)
    loaded = yaml.safe_load(proposal_text(proposal))
    assert set(loaded["resources"][0]["fields"]) == set(paths_of(proposal))


@pytest.mark.parametrize("name", NAMES)
def test_the_table_is_found_out(name: str) -> None:
    proposal, _ = proposals(name, with_table=False)
    assert proposal.table == ("application" if name == "office" else SYSTEMS[name]().table)


@pytest.mark.parametrize(("name", "language"), [("connect.md", "en"), ("connect.zh.md", "zh")])
def test_the_figures_in_the_documents_are_these(name: str, language: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert renewed(text, language) == text, "run: python -m tests.contract.public.figures"
