"""The dictionary, the data package, the upload form, links of the workbook: what explains figures."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tasks.city.fields import SourceField, source_fields
from tasks.editions.definitions import Definitions
from tasks.editions.dictionary import Dictionary, dictionary
from tasks.editions.edition import Edition
from tasks.editions.upload import UploadError, upload_of
from tasks.render import data_package, render_edition, upload, workbook
from tasks.render import dictionary as page
from tasks.render.manifest import sha256_of
from tests.edition_fixture import edition_2020, edition_2025
from warehouse.form import form_of, forms, load_layout
from warehouse.period import Period

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "deployments" / "demo_city"


@pytest.fixture(scope="module", params=[2020, 2021])
def definitions(request: pytest.FixtureRequest) -> Definitions:
    return Definitions.now(form_of(), DEMO, Period.of_year(request.param))


@pytest.fixture(scope="module")
def found(definitions: Definitions) -> Dictionary:
    return dictionary(
        definitions.parsed_layout, definitions.parsed_measures, definitions.parsed_sources
    )


def test_every_printed_cell_leads_back_to_fields_of_systems(found: Dictionary) -> None:
    by_key = {lineage.cell.key: lineage for lineage in found.cells}
    filled = {used.field.table for used in found.fields}
    for cell in found.layout.cells.values():
        lineage = by_key[cell.key]
        if cell.measure:
            assert lineage.table.startswith("core."), cell.key
            assert lineage.columns, cell.key
            # Organs come from the city's own list; what no system brings has no field, and the
            # figure is blank.
            assert lineage.fields or cell.needs or lineage.table not in filled, cell.key
        else:
            assert lineage.made_of, cell.key
    granted = by_key["t3.granted.natural_person"]
    assert {"applicant_kind", "outcome", "closed_on", "organ_id"} <= set(granted.columns)
    names = {(f.column, f.name) for f in granted.fields}
    assert ("outcome", "result") in names
    assert ("applicant_kind", "applicant.kind") in names
    # A column of a table that the measure looks into.
    disclosed = by_key["overview.disclosed_items"]
    assert "channel.is_disclosure" in disclosed.columns
    assert any(f.table == "core.channel" and f.column == "is_disclosure" for f in disclosed.fields)


def test_a_field_that_no_cell_uses_is_marked(found: Dictionary) -> None:
    unused = {(u.field.table, u.field.column) for u in found.fields if not u.cells}
    assert ("core.application", "registered_number") in unused
    assert ("core.application", "outcome") not in unused
    used = {f for lineage in found.cells for f in lineage.fields}
    assert used == {u.field for u in found.fields if u.cells}


def test_fields_are_named_as_the_systems_name_them(tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "a.yaml").write_text(
        "name: a\ntitle: 甲系统\nbase_url: ${NOWHERE}\nresources:\n"
        "  - {name: r, title: 申请, table: application, fields: {outcome: jg, organ_id: {path: [x.y, z]},"
        " receipt_channel: {value: mail}},\n"
        "     children: [{name: c, table: application_event, fields: {event_on: rq}}]}\n",
        encoding="utf-8",
    )
    (folder / "broken.yaml").write_text("[", encoding="utf-8")
    assert source_fields(tmp_path) == [
        SourceField("甲系统", "申请", "core.application", "outcome", "jg"),
        SourceField("甲系统", "申请", "core.application", "organ_id", "x.y 或 z"),
        SourceField("甲系统", "申请", "core.application", "receipt_channel", "固定值 mail"),
        SourceField("甲系统", "c", "core.application_event", "event_on", "rq"),
    ]


def test_the_page_shows_the_way_of_a_cell(found: Dictionary, tmp_path: Path) -> None:
    lineage = next(c for c in found.cells if c.cell.key == "t3.granted.total")
    picture = page.lineage_picture(lineage)
    assert picture.startswith("<svg")
    for told in ("result", "core.application", "application", "予以公开"):
        assert told in picture
    edition = replace(edition_2020(), definitions=None)
    page.write(edition, tmp_path / "d.html")
    assert "t3.granted.total" in (tmp_path / "d.html").read_text(encoding="utf-8")


def test_the_document_is_current() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.markdown_page(), (
        "docs/dictionary.md is out of date: run python -m tasks.render.dictionary"
    )


def test_the_data_package_describes_the_files_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "e"
    edition = edition_2025()
    render_edition(edition, folder)
    told = json.loads((folder / data_package.NAME).read_text(encoding="utf-8"))
    assert re.fullmatch(r"[a-z0-9._-]+", told["name"])
    by_path = {resource["path"]: resource for resource in told["resources"]}
    assert {"cells.csv", "findings.csv", "account.csv", "cells.parquet"} <= set(by_path)
    for name, resource in by_path.items():
        assert resource["hash"] == f"sha256:{sha256_of(folder / name)}"
        assert resource["bytes"] == (folder / name).stat().st_size
        assert re.fullmatch(r"[a-z0-9._-]+", resource["name"])
        if name.endswith(".csv"):
            with (folder / name).open(encoding="utf-8-sig", newline="") as file:
                head = next(csv.reader(file))
            assert [field["name"] for field in resource["schema"]["fields"]] == head
            assert all(field["description"] for field in resource["schema"]["fields"])
    granted = told["definitions"]["t3.granted.total"]
    assert granted["unit"] == edition.layout.cells["t3.granted.total"].unit
    assert "条例" in granted["article"]


def rows_of(edition: Edition, path: Path) -> list[tuple[Any, ...]]:
    upload.write(edition, path)
    return list(openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True))


def test_the_upload_form_has_a_row_an_organ(tmp_path: Path) -> None:
    edition = edition_2020()
    head, *rows = rows_of(edition, tmp_path / "u.xlsx")
    printed = [c for t in edition.layout.tables for c in edition.layout.printed(t.key)]
    assert len(head) == 2 + len(printed)
    assert [row[0] for row in rows] == [organ.id for organ in edition.organs]
    at = 2 + [c.key for c in printed].index("t3.granted.total")
    assert rows[0][at] == 1298


def test_a_province_names_its_columns(tmp_path: Path) -> None:
    class Kept:
        upload = (
            "title: 上报表\nscope: own\nkinds: [county]\ncolumns:\n"
            "  - {name: 单位, organ: name}\n  - {name: 上级单位, organ: parent}\n"
            "  - {name: 类别, text: 县区}\n  - {name: 予以公开数, cell: t3.granted.total}\n"
            "  - {name: 收费, cell: t2.administrative_fee.amount_10k_yuan, layouts: ['2021']}\n"
        )

    edition = replace(edition_2020(), definitions=Kept())  # type: ignore[arg-type]
    head, *rows = rows_of(edition, tmp_path / "u.xlsx")
    assert head == ("单位", "上级单位", "类别", "予以公开数")
    counties = [o for o in edition.organs if o.kind == "county"]
    assert [row[0] for row in rows] == [o.name for o in counties]
    for row, organ in zip(rows, counties, strict=True):
        assert row[1:3] == ("海川市人民政府", "县区")
        assert row[3] == edition.cells[(organ.id, "own")]["t3.granted.total"].value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("columns: [{name: 甲, cell: t3.granted.totl}]", "没有单元格 t3.granted.totl"),
        ("columns: [{name: 甲, cell: t3.granted.total, text: 乙}]", "只能写其一"),
        ("columns: []", "至少要有一项"),
        ("[", "不是有效的 YAML"),
    ],
)
def test_a_wrong_upload_form_is_told(text: str, told: str) -> None:
    with pytest.raises(UploadError, match=told):
        upload_of(text, load_layout("2021"), "upload.yaml")


def test_every_figure_of_the_workbook_links_to_its_explanation(tmp_path: Path) -> None:
    edition = edition_2025()
    workbook.write(edition, tmp_path / "t.xlsx")
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    seen = 0
    for table in edition.layout.tables:
        for row in book[workbook.sheet_name(table.title)].iter_rows():
            for cell in row:
                if isinstance(cell.value, int | float):
                    place = cell.hyperlink.location.partition("!")[2]
                    explained = book[workbook.NOTES_SHEET][place].row
                    key = book[workbook.NOTES_SHEET].cell(explained, 6).value
                    assert key.startswith(f"{table.key}."), (cell.coordinate, key)
                    seen += 1
    assert seen == sum(len(edition.layout.printed(t.key)) for t in edition.layout.tables)


def test_amounts_are_printed_with_two_decimals_or_as_the_city_wants() -> None:
    from decimal import Decimal

    from tasks.editions import figures
    from tasks.editions.edition import CellValue
    from warehouse.layout import parse_layout

    key = "t2.administrative_fee.amount_10k_yuan"
    text = (form_of().layout_paths["2021"]).read_text(encoding="utf-8")
    for local, value, shown in (
        (None, "1396.837971", "1396.84"), (None, "1396.8", "1396.80"), (None, "1396", "1396"),
        ("money_decimals: 4\n", "1396.837971", "1396.8380"), (None, "0.005", "0.01"),
    ):  # fmt: skip
        cell = parse_layout(text, local).cells[key]
        assert figures.text(cell, CellValue(Decimal(value))) == shown


@pytest.mark.parametrize("key", sorted(forms(DEMO)))
def test_every_form_of_the_demo_city_can_be_built(key: str) -> None:
    """The codes of its checks are taken by nothing else, its layouts and words are read."""
    for year in (2019, 2020, 2021):
        period = Period.of_year(year)
        definitions = Definitions.now(form_of(key, DEMO), DEMO, period)
        assert definitions.parsed_form.key == key
        assert definitions.parsed_layout.cells
