"""The folder as a whole: JSON shape, data files, HTML, manifest, the same bytes twice."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from lxml import html as lxml_html

from tasks.audit.run import audit_files
from tasks.editions.edition import CellValue, Edition, record_order
from tasks.editions.store import with_all_records
from tasks.render import folder as folder_module
from tasks.render import render_edition, tables_json
from tasks.render.data_files import safe_text, write_cells_csv
from tasks.render.html import page, report_data
from tasks.render.manifest import MANIFEST, changed_files
from tasks.render.outputs import OUTPUTS, Output
from tests.edition_fixture import edition_2020, edition_2025

FILES = [*(output.name for output in OUTPUTS), MANIFEST]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("editions") / "2020-1"
    paths = render_edition(edition_2020(), folder)
    assert [path.name for path in paths] == list(FILES)
    assert all(path.parent == folder for path in paths)
    return folder


def test_nothing_else_is_left_beside_the_folder(rendered: Path) -> None:
    assert [p.name for p in rendered.parent.iterdir()] == ["2020-1"]
    assert sorted(p.name for p in rendered.iterdir()) == sorted(FILES)


def test_the_same_edition_gives_the_same_bytes(rendered: Path, tmp_path: Path) -> None:
    render_edition(edition_2020(), tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (rendered / name).read_bytes(), name


def test_rendering_again_replaces_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "2025-2"
    render_edition(edition_2025(), folder)
    (folder / "stray.txt").write_text("old")
    render_edition(edition_2025(), folder)
    assert not (folder / "stray.txt").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["2025-2"]


def test_a_failure_leaves_the_old_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "2025-2"
    render_edition(edition_2025(), folder)
    before = (folder / "manifest.json").read_bytes()

    def fails(edition: Edition, path: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(folder_module, "OUTPUTS", (Output("tables.xlsx", "", fails),))
    with pytest.raises(OSError, match="disk full"):
        render_edition(edition_2025(), folder)
    assert (folder / "manifest.json").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["2025-2"]


def test_manifest_vouches_for_every_file(rendered: Path) -> None:
    manifest = json.loads((rendered / "manifest.json").read_text(encoding="utf-8"))
    edition = edition_2020()
    assert manifest["edition"] == "2020-1"
    assert manifest["cell_hash"] == edition.cell_hash
    assert manifest["definition_hash"] == edition.definition_hash
    assert manifest["snapshot"] == 214
    assert [f["name"] for f in manifest["files"]] == [output.name for output in OUTPUTS]
    assert changed_files(rendered) == []


def test_manifest_tells_a_changed_file(tmp_path: Path) -> None:
    render_edition(edition_2025(), tmp_path / "e")
    with (tmp_path / "e" / "cells.csv").open("a") as file:
        file.write("x")
    (tmp_path / "e" / "tables.xlsx").unlink()
    assert sorted(changed_files(tmp_path / "e")) == ["cells.csv", "tables.xlsx"]


def test_tables_json_has_exactly_the_promised_shape() -> None:
    told = json.loads(json.dumps(tables_json(edition_2020())))
    assert list(told)[:7] == [
        "report_year", "layout", "organ", "edition", "cells", "overview", "checks",
    ]  # fmt: skip
    assert told["report_year"] == 2020
    assert told["layout"] == "2019"
    assert told["organ"] == {"id": "city", "name": "海川市人民政府"}
    assert told["edition"] == {"id": "2020-1", "number": 1, "status": "pending", "snapshot": 214}
    printed = [c.key for t in ("t2", "t3", "t4") for c in edition_2020().layout.printed(t)]
    assert list(told["cells"]) == printed
    assert len(printed) == 22 + 161 + 15
    assert told["cells"]["t3.granted.total"] == 1298
    assert told["cells"]["t2.administrative_license.change"] < 0
    assert told["derived"]["t3.unprocessed.total"] == 2286
    assert told["overview"]["disclosed_items"] == 16193
    assert told["overview"]["applications_change"] == 126.47
    assert told["overview"]["hotline_on_time_rate"] == 89.1
    assert told["rates"]["applications_change"] == {
        "value": 126.47, "numerator": 3721, "denominator": 1643,
        "truncated": 126.47, "rounded": 126.48,
    }  # fmt: skip
    failed = [c for c in told["checks"] if c["status"] == "fail" and c["code"] == "B2"]
    assert {r["id"] for c in failed for r in c["records"]} == {"YSQ-2020-00004", "YSQ-2020-00005"}
    assert {"code", "status", "message", "records"} <= set(failed[0])
    assert set(failed[0]["records"][0]) >= {"source", "id", "organ", "on", "detail"}
    assert failed[0]["records"][0]["on"].startswith("2020-")
    assert all(c["organ"]["id"] == "city" for c in told["checks"])


def test_tables_json_of_one_organ() -> None:
    told = tables_json(edition_2020(), "c1t01")
    assert told["organ"] == {"id": "c1t01", "name": "青湾区第1镇人民政府"}
    assert "portal_visits" not in told["overview"]
    assert all(c["organ"]["id"] == "c1t01" for c in told["checks"])
    assert tables_json(edition_2020(), "city") == tables_json(edition_2020())
    with pytest.raises(KeyError):
        tables_json(edition_2020(), "nobody")


def test_missing_is_null_and_amounts_keep_their_decimals() -> None:
    base = edition_2025()
    figures = dict(base.figures())
    figures["t4.reconsideration.upheld"] = CellValue(None)
    del figures["t4.reconsideration.other"]
    figures["t2.administrative_fee.amount_10k_yuan"] = CellValue(Decimal("316441.250000"))
    told = tables_json(replace(base, cells={("city", "rolled_up"): figures}))
    assert told["cells"]["t4.reconsideration.upheld"] is None
    assert told["cells"]["t4.reconsideration.other"] is None
    assert told["cells"]["t2.administrative_fee.amount_10k_yuan"] == 316441.25
    assert isinstance(told["cells"]["t3.results_total.total"], int)


def test_cells_agree_in_csv_parquet_and_json(rendered: Path) -> None:
    edition = edition_2020()
    stored = cells_of_parquet(rendered / "cells.parquet")
    assert len(stored) == sum(len(figures) for figures in edition.cells.values())
    told = cells_of_csv(rendered / "cells.csv")
    assert set(told) == set(stored)
    for key in stored:
        assert (stored[key] is None) == (told[key] == "")
        if (value := stored[key]) is not None:
            assert abs(Decimal(told[key]) - value) < Decimal("0.000001")
    in_json = json.loads((rendered / "cells.json").read_bytes())
    assert in_json["organs"][0]["rolled_up"]["t3.granted.total"] == 1298
    assert [organ["id"] for organ in in_json["organs"]] == [organ.id for organ in edition.organs]
    assert in_json["definitions"]["t3.granted.total"]["article"]


def test_csv_of_more_organs_than_a_spreadsheet_program_opens_holds_the_root(
    rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edition = edition_2020()
    monkeypatch.setattr("tasks.render.data_files.MOST_IN_CSV", len(edition.organs) - 1)
    write_cells_csv(edition, tmp_path / "many.csv")
    stored = cells_of_parquet(rendered / "cells.parquet")
    root = {key for key in stored if key[0] == edition.root.id}
    assert set(cells_of_csv(tmp_path / "many.csv")) == root
    assert len(root) < len(stored) / 10


def test_csv_holds_the_organ_that_is_chosen_beside_the_root(rendered: Path, tmp_path: Path) -> None:
    edition = edition_2020()
    stored = cells_of_parquet(rendered / "cells.parquet")
    for organ in edition.organs[:3]:
        write_cells_csv(edition, tmp_path / "one.csv", organ.id)
        wanted = {key for key in stored if key[0] in (organ.id, edition.root.id)}
        assert set(cells_of_csv(tmp_path / "one.csv")) == wanted


def cells_of_csv(path: Path) -> dict[tuple[str, str, str], str]:
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
    return {(r["organ_id"], r["scope"], r["cell"]): r["value"] for r in rows}


def cells_of_parquet(path: Path) -> dict[tuple[str, str, str], Decimal | None]:
    with duckdb.connect() as connection:
        parquet = connection.read_parquet(str(path))
        rows = parquet.project("organ_id, scope, cell, value").fetchall()
    return {(organ, scope, cell): value for organ, scope, cell, value in rows}


def test_findings_files_hold_checks_and_records(rendered: Path) -> None:
    text = (rendered / "findings.csv").read_text(encoding="utf-8-sig")
    assert len(list(csv.DictReader(io.StringIO(text)))) == len(edition_2020().findings)
    text = (rendered / "finding_records.csv").read_text(encoding="utf-8-sig")
    records = list(csv.DictReader(io.StringIO(text)))
    assert {r["record_id"] for r in records} == {f"YSQ-2020-{i:05d}" for i in range(6)}
    told = json.loads((rendered / "findings.json").read_bytes())
    assert all(f["status"] != "pass" for f in told["findings"])
    assert told["counts"]["B2"]["fail"] > 0


def test_no_text_becomes_a_formula() -> None:
    assert safe_text("=1+1") == "'=1+1"
    assert safe_text("-12") == "'-12"
    assert safe_text("甲=1") == "甲=1"


@pytest.mark.parametrize("id_", ["441500000000000001", "441500123456", "0012", "12E5", "1.10"])
def test_no_id_becomes_a_number_that_a_spreadsheet_changes(id_: str) -> None:
    assert safe_text(id_) == f"'{id_}"


@pytest.mark.parametrize("text", ["441500", "44150000001", "YSQ2020-00001", "0", "12", "(一)"])
def test_what_a_spreadsheet_leaves_alone_stays(text: str) -> None:
    assert safe_text(text) == text


@pytest.mark.parametrize("make", [edition_2020, edition_2025])
def test_html_is_whole_and_opens_offline(make: Any) -> None:
    edition = make()
    text = page(edition)
    assert len(text.encode()) < 2_000_000
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", text)
    document: Any = lxml_html.document_fromstring(text)
    for tag in ("link", "img", "iframe", "object", "embed"):
        assert document.findall(f".//{tag}") == []
    assert all(s.get("src") is None for s in document.iter("script"))
    for anchor in document.iter("a"):
        target = str(anchor.get("href"))
        assert target.startswith("#")
        assert document.xpath("//*[@id=$id]", id=target[1:]), target
    ids = [str(e.get("id")) for e in document.xpath("//*[@id]")]
    assert len(ids) == len(set(ids))
    shown = {b.get("data-k"): b.text_content() for b in document.xpath("//button[@class='n']")}
    for table in ("t2", "t3", "t4"):
        for cell in edition.layout.printed(table):
            value = edition.figures()[cell.key].value
            assert Decimal(shown[cell.key]) == value
    assert ("均为合成" in text) == edition.is_synthetic


def test_html_data_holds_every_organ_and_finding() -> None:
    edition = edition_2020()
    document: Any = lxml_html.document_fromstring(page(edition))
    data = json.loads(document.xpath("//script[@id='data']")[0].text)
    assert len(data["organs"]) == len(edition.organs)
    at = [cell[0] for cell in data["cells"]].index("t3.granted.total")
    assert data["values"]["rolled_up"][data["root"]][at] == 1298
    assert len(data["findings"]) == len(edition.open_findings)
    assert {r[2] for r in data["records"]} == {f"YSQ-2020-{i:05d}" for i in range(6)}
    rate = [cell[0] for cell in data["cells"]].index("overview.hotline_on_time_rate")
    assert data["values"]["rolled_up"][0][rate] == "89.10%"
    assert "24547 ÷ 27549" in data["rates"]["rolled_up"][str(rate)][0]


def test_html_takes_no_markup_from_data() -> None:
    edition = edition_2020()
    bad = "</script><script>alert(1)</script><b>甲</b>"
    finding = edition.open_findings[0]
    record = replace(finding.records[0], record_id=bad, detail=bad, organ_name=bad)
    hostile = replace(
        edition, findings=(replace(finding, message=bad, records=(record,)),), reason=bad
    )
    text = page(hostile)
    assert "<script>alert(1)" not in text
    assert "<b>甲" not in text
    document: Any = lxml_html.document_fromstring(text)
    assert len(list(document.iter("script"))) == 2
    data = json.loads(document.xpath("//script[@id='data']")[0].text)
    assert data["records"][0][2] == bad


def test_html_keeps_figures_that_scripts_cannot_count_as_text() -> None:
    base = edition_2025()
    figures = dict(base.figures())
    figures["t4.reconsideration.upheld"] = CellValue(Decimal(10**17 + 1))
    data = report_data(replace(base, cells={("city", "rolled_up"): figures}))
    at = [cell[0] for cell in data["cells"]].index("t4.reconsideration.upheld")
    assert data["values"]["rolled_up"][0][at] == "100000000000000001"


def test_records_that_the_edition_holds_in_part_are_read_from_the_lake(tmp_path: Path) -> None:
    from warehouse.lake import Lake

    lake = Lake(tmp_path / "home", memory_limit="200MB", threads=1)
    edition = edition_2020()
    assert with_all_records(lake, edition) is edition
    lake.create()
    cut = tuple(replace(f, records=f.records[:1]) for f in edition.findings)
    whole = {
        (f.organ_id, f.key): tuple(sorted(f.records, key=record_order))
        for f in edition.open_findings
    }
    with lake.write() as connection:
        for finding in edition.open_findings:
            for r in finding.records:
                connection.execute(
                    "INSERT INTO yearly.check_record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [
                        edition.id, finding.organ_id, finding.key, r.table, r.source_system,
                        r.record_id, r.organ_id, r.record_on, r.detail,
                    ],
                )  # fmt: skip
    completed = with_all_records(lake, replace(edition, findings=cut))
    assert {(f.organ_id, f.key): f.records for f in completed.open_findings} == whole


@pytest.mark.parametrize("name", ["report.html", "report.docx"])
def test_the_audit_reads_back_every_cell_of_what_was_written(rendered: Path, name: str) -> None:
    edition = edition_2020()
    (report,) = audit_files([rendered / name])
    assert (report.report_year, report.layout) == (2020, "2019")
    read = {key: cell.value for key, cell in report.tables.cells.items()}
    written = edition.figures()
    assert read == {key: written[key].value for key in edition.layout.cells if key in read}
    assert len(read) == 198
