"""Local rows of a province in every table, and editions from before they were all read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import openpyxl

from tasks.editions.build import build_edition, compute
from tasks.editions.definitions import Definitions
from tasks.editions.explain import explain
from tasks.editions.store import keep, load_edition
from tasks.publish.rebuild import rebuild
from tasks.render import render_edition
from tasks.settings import Settings
from tests.small_city import NOW, OVERVIEW, SmallCity
from warehouse.form import form_of
from warehouse.period import Period

YEAR = Period.of_year(2020)
LOCAL = """
added_rows:
  - table: t3
    after: granted
    row: {key: on_the_spot, label: 其中:当场答复, where: organ_id = 'A1' or organ_id = 'B'}
  - table: t4
    after: litigation_direct
    row: {key: mediated, label: 经调解, where: case_kind = 'litigation_direct' or case_kind is null}
"""


def with_local_rows(small: SmallCity) -> SmallCity:
    (small.folder / "overview.yaml").write_text(OVERVIEW + LOCAL, encoding="utf-8")
    for organ, closed in (("A1", True), ("B", True), ("A1", False), ("R", True)):
        small.application("2020-03-02", "2020-03-20" if closed else None, organ_id=organ)
    return small


def test_local_rows_are_counted_explained_and_printed(small: SmallCity, tmp_path: Path) -> None:
    city = with_local_rows(small)
    edition = build_edition(city.lake, city.folder, YEAR, now=NOW).edition
    figures = edition.figures()
    # The group's condition, that it is closed, holds beside a condition with `or`.
    assert figures["t3.on_the_spot.total"].value == 2
    assert figures["t3.on_the_spot.natural_person"].value == 2
    assert figures["t3.results_total.total"].value == 3
    assert figures["t4.mediated.total"].value == 0
    found = explain(city.lake, city.folder, YEAR, "t3.on_the_spot.total")
    assert (found.value, found.record_count) == (2, 2)
    render_edition(edition, tmp_path / "files", lake=city.lake)
    book = openpyxl.load_workbook(tmp_path / "files" / "tables.xlsx")
    texts = {str(c.value) for sheet in book for row in sheet.iter_rows() for c in row}
    assert {"其中：当场答复", "经调解"} <= texts
    settings = Settings(home=city.lake.home, city=city.folder)
    assert rebuild(city.lake, settings, edition.id).is_same


def test_an_edition_from_before_is_rebuilt_as_it_came_out_then(small: SmallCity) -> None:
    """Then a local row of table three made no cell, whatever the city's file said."""
    city = with_local_rows(small)
    definitions = replace(Definitions.now(form_of(), city.folder, YEAR), form=None)
    early, is_new = keep(city.lake, compute(city.lake, definitions, YEAR, now=NOW), built_by="")
    assert is_new
    assert "t3.on_the_spot.total" not in early.figures()
    settings = Settings(home=city.lake.home, city=city.folder)
    render_edition(early, settings.editions / early.id, lake=city.lake)

    kept = load_edition(city.lake, early.id)
    assert (kept.form.key, kept.definitions) == ("annual-report", definitions)
    done = rebuild(city.lake, settings, early.id)
    assert done.is_same, done.proofs
    assert {proof.outcome for proof in done.proofs} == {"same"}

    now = build_edition(city.lake, city.folder, YEAR, now=NOW).edition
    assert now.id == "2020-2"
    assert now.figures()["t3.on_the_spot.total"].value == 2
    others = {
        k: v for k, v in now.figures().items() if ".on_the_spot." not in k and ".mediated." not in k
    }
    assert others == early.figures()
