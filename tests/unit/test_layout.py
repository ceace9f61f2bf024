"""Layouts: conditions mean what is written at each level, and local rows find their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.disk import text_of
from warehouse.form import form_of, layout_names, load_layout
from warehouse.layout import Layout, LayoutError, parse_layout
from warehouse.layout_file import Axis

LETTERS = "abcd"
TRUTHS = duckdb.connect()
TRUTHS.execute(
    "CREATE TABLE truth AS SELECT a, b, c, d FROM "
    + ", ".join(f"(VALUES (TRUE), (FALSE), (NULL)) AS t{x}({x})" for x in LETTERS)
)


def conditions() -> st.SearchStrategy[str]:
    """SQL conditions in whatever way people write them."""
    letters = st.sampled_from(LETTERS)
    words = st.sampled_from(["or", "OR", "Or", "\nor\n", "and", "AND", "  or\t", "\nand "])
    return st.recursive(
        st.one_of(
            letters, letters.map(lambda x: f"not {x}"), letters.map(lambda x: f"{x} IS NULL")
        ),
        lambda inner: st.tuples(inner, words, inner, st.booleans()).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})" if t[3] else f"{t[0]} {t[1]} {t[2]}"
        ),
        max_leaves=5,
    )


def layout_with(table: str, block: str, group: str, row: str, column: str) -> Layout:
    declared = {
        "layout": "x",
        "title": "x",
        "notice": "x",
        "report_years": {"from": 2000},
        "tables": [
            {
                "key": "t",
                "title": "t",
                "print": "blocks",
                "where": table,
                "measure": "m",
                "blocks": [
                    {
                        "key": "k",
                        "where": block,
                        "columns": [{"key": "c", "label": "c", "where": column}],
                        "rows": [
                            {
                                "key": "g",
                                "label": "g",
                                "where": group,
                                "derived": True,
                                "rows": [{"key": "r", "label": "r", "where": row}],
                            }
                        ],
                    }
                ],
            }
        ],
    }
    return parse_layout(yaml.safe_dump(declared), None)


def selected(condition: str) -> set[Any]:
    return set(TRUTHS.execute(f"SELECT * FROM truth WHERE {condition}").fetchall())


# A crowded machine makes a case slow, not wrong.
@settings(deadline=None)
@given(conditions(), conditions(), conditions(), conditions(), conditions())
def test_a_cell_selects_what_all_levels_select_however_they_are_written(
    table: str, block: str, group: str, row: str, column: str
) -> None:
    layout = layout_with(table, block, group, row, column)
    wanted = set.intersection(*map(selected, (table, block, group, row, column)))
    assert selected(layout.cells["t.r.c"].where) == wanted
    # A subtotal of one row selects what the row does.
    assert selected(layout.cells["t.g.c"].where) == wanted


def test_a_subtotal_holds_the_conditions_of_groups_within_it() -> None:
    text = """
layout: x
title: x
notice: x
report_years: {from: 2000}
tables:
  - key: t
    title: t
    print: grid
    measure: m
    columns: [{key: c, label: c}]
    rows:
      - key: g
        label: g
        derived: true
        rows:
          - {key: inner, label: i, where: a, rows: [{key: r, label: r, where: b or c}]}
          - {key: s, label: s, where: d}
"""
    layout = parse_layout(text, None)
    assert selected(layout.cells["t.g.c"].where) == selected("(a and (b or c)) or d")


def lines(axes: list[Axis]) -> Iterator[Axis]:
    for axis in axes:
        yield axis
        yield from lines(axis.members)


PLACES = [
    (name, table.key, block.key if table.blocks else None, line.key)
    for name in layout_names()
    for table in load_layout(name).tables
    for block in table.all_blocks()
    for line in lines(block.rows)
]


@pytest.mark.parametrize(("name", "table", "block", "after"), PLACES)
def test_a_local_row_stands_after_any_row_of_any_table(
    name: str, table: str, block: str | None, after: str
) -> None:
    form = form_of()
    text = text_of(form.layout_paths[name])
    added = {
        "table": table,
        "after": after,
        "row": {"key": "local", "label": "本地一行", "where": "is_local or is_other"},
    }
    if block:
        added["block"] = block
    overview = yaml.safe_dump({"added_rows": [added]}, allow_unicode=True)
    plain, layout = load_layout(name), parse_layout(text, overview)
    new = {key: cell for key, cell in layout.cells.items() if key not in plain.cells}
    printed = {c.column: c for c in new.values() if not c.derived}
    beside = {c.column: c for c in plain.cells.values() if (c.table, c.row) == (table, after)}
    blocks = layout.table(table).all_blocks()
    found = next(line for b in blocks for line in lines(b.rows) if line.key == after)
    assert printed
    assert {c.row for c in new.values()} == {"local"}
    for cell in new.values():
        assert cell.label == "本地一行"
        assert "is_local or is_other" in cell.conditions
        assert len(cell.conditions) == 1 or "(is_local or is_other)" in cell.where
    # It follows its neighbour and, where that is a row, stands under the same conditions.
    order = [leaf.key for b in blocks for row in b.rows for leaf in row.leaves()]
    assert order.index("local") == order.index([*found.leaves()][-1].key) + 1
    if not found.members:
        assert printed.keys() == {c for c in beside if not beside[c].derived}
        for column, cell in printed.items():
            others = set(beside[column].conditions) - {found.where}
            assert set(cell.conditions) == others | {"is_local or is_other"}
    assert layout.placed_rows == (0,)
    assert {k: c.where for k, c in plain.cells.items() if not c.derived} == {
        k: layout.cells[k].where for k, c in plain.cells.items() if not c.derived
    }


def test_a_local_row_that_belongs_nowhere_is_refused_with_file_and_key(tmp_path: Any) -> None:
    from warehouse.period import Period

    overview = tmp_path / "overview.yaml"

    def write(*rows: dict[str, Any]) -> None:
        told = yaml.safe_dump({"added_rows": list(rows)}, allow_unicode=True)
        overview.write_text(told, encoding="utf-8")

    row = {"key": "local", "label": "本地"}
    # The row before it is only in one of the layouts: it belongs to that one.
    only_2021 = {"table": "t3", "after": "other_misc", "row": row}
    write(only_2021)
    for year in (2020, 2021):
        form_of().texts_of(Period.of_year(year), tmp_path)
    for wrong in ({"after": "grantd"}, {"table": "t9"}, {"table": "t2", "block": "thirty"}):
        write(only_2021, {"table": "t3", "after": "granted", "row": row, **wrong})
        with pytest.raises(LayoutError, match=r"overview\.yaml: added_rows: 表 .*中没有行"):
            form_of().texts_of(Period.of_year(2020), tmp_path)


def test_what_an_early_edition_kept_is_read_as_it_was_then() -> None:
    text = text_of(form_of().layout_paths["2019"])
    overview = """
figures: []
added_rows:
  - {table: t3, after: carried_out, row: {key: local, label: 本地, where: a = 1 or b = 2}}
  - {table: t2, after: normative_document, row: {key: decree, label: 本地, where: a = 1 or b = 2}}
"""
    early = parse_layout(text, overview, is_early=True)
    assert early.cells["t3.granted.natural_person"].where == (
        "is_closed AND outcome = 'granted' AND applicant_kind = 'natural_person'"
    )
    assert early.cells["t3.denied.total"].where.startswith(
        "is_closed AND (outcome = 'denied_state_secret' OR outcome = "
    )
    # A local row of table three made no cell, and one of table two selected too much.
    assert "t3.local.total" not in early.cells
    assert early.cells["t2.decree.newly_made"].where == "a = 1 or b = 2 AND is_issued_in_year"
    assert parse_layout(text, overview).cells["t2.decree.newly_made"].where == (
        "(a = 1 or b = 2) AND (is_issued_in_year)"
    )
