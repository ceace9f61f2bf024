"""An edition built again by what it keeps: the same to the byte, whatever became of the rest."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from deployments.cli.rebuild import readable
from expectations.rules import Rulebook, load_rules, yearly_rules
from tasks.clock import BEIJING
from tasks.editions.build import build_edition, preview
from tasks.editions.edition import Edition
from tasks.editions.explain import explain
from tasks.editions.store import NoEdition, changed_rows, newest_edition
from tasks.publish import maintain as maintenance
from tasks.publish.publish import PublishRefused, Request
from tasks.publish.rebuild import CannotRebuild, Proof, Rebuilt, _file_proofs, rebuild, rebuilt_json
from tasks.render import render_edition
from tasks.render.manifest import MANIFEST, sha256_of, writers
from tasks.render.outputs import OUTPUTS
from tasks.settings import Settings
from tests.approving import approve_and_publish
from tests.edition_fixture import edition_2025
from tests.small_city import NOW, SmallCity
from warehouse.form import form_of
from warehouse.lake import transaction
from warehouse.period import Period
from warehouse.reading import measure_texts, parse_measures, reading
from warehouse.tables import all_tables

CORRECTION = """
- {table: application, source_system: s, record_id: a, column: outcome, expect: granted,
   value: partially_granted, reason: 误登, reported_by: 甲县, decided_on: 2021-01-21}
"""
PUBLISHED = "figures:\n  - {key: t3.new_received.total, value: 3}\n"


@pytest.fixture(scope="module")
def template(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    """A city whose year has been built once, with findings that block, and its files."""
    city = small_template.copied_to(tmp_path_factory.mktemp("built") / "template")
    (city.folder / "published").mkdir()
    (city.folder / "published" / "2020.yaml").write_text(PUBLISHED, encoding="utf-8")
    city.application("2020-03-02", "2020-03-20", record_id="a")
    city.application("2020-04-02", "2020-04-20", record_id="b", applicant_kind=None)
    city.application("2019-12-02", "2020-01-09", record_id="c", organ_id="A2")
    assert build(city).blocking_findings
    return city


@pytest.fixture
def built(template: SmallCity, tmp_path: Path) -> SmallCity:
    return template.copied_to(tmp_path / "built")


def settings_of(city: SmallCity) -> Settings:
    return Settings(home=city.lake.home, city=city.folder)


def build(city: SmallCity, **more: Any) -> Edition:
    edition = build_edition(city.lake, city.folder, Period.of_year(2020), now=NOW, **more).edition
    render_edition(edition, settings_of(city).editions / edition.id, lake=city.lake)
    return edition


def again(city: SmallCity, edition_id: str = "2020-1", **more: Any) -> Rebuilt:
    return rebuild(city.lake, settings_of(city), edition_id, **more)


def outcomes(done: Rebuilt, outcome: str) -> set[str]:
    return {proof.key for proof in done.proofs if proof.outcome == outcome}


def change(city: SmallCity, sql: str, values: list[Any] | None = None) -> None:
    with city.lake.write() as connection, transaction(connection):
        connection.execute(sql, values or [])


def approve(city: SmallCity, edition: Edition) -> None:
    answers = {f.code: "已核实" for f in edition.blocking_findings}
    request = Request(edition.id, "张三", "同意发布", answers=answers)
    approve_and_publish(city.lake, settings_of(city), request, now=NOW)


def test_a_published_edition_is_rebuilt_after_all_that_can_happen_to_a_lake(
    built: SmallCity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(built, newest_edition(built.lake, form_of(), Period.of_year(2020)))

    # New loads, changed and deleted records, a correction, other files of the city.
    built.application("2020-06-02", "2020-06-20", record_id="d")
    change(built, "UPDATE core.application SET closed_on = NULL WHERE record_id = 'b'")
    change(built, "DELETE FROM core.application WHERE record_id = 'c'")
    (built.folder / "corrections.yaml").write_text(CORRECTION, encoding="utf-8")
    organs = built.folder / "organs.csv"
    organs.write_text(organs.read_text(encoding="utf-8").replace("甲县", "丙县"), encoding="utf-8")
    overview = built.folder / "overview.yaml"
    overview.write_text(
        overview.read_text(encoding="utf-8").replace("收到申请,", "受理申请,"), encoding="utf-8"
    )
    (built.folder / "published" / "2020.yaml").write_text("figures: []\n", encoding="utf-8")
    built.register()
    newer = build(built, reason="补登")
    approve(built, newer)

    # Every file that no snapshot needs is gone at once, not a day later.
    monkeypatch.setattr(maintenance, "READERS_MAY_TAKE", timedelta(0))
    future = datetime.now(BEIJING).replace(tzinfo=None) + timedelta(days=400)
    tidied = maintenance.maintain(built.lake, settings_of(built), now=future)
    assert tidied.snapshots_after < tidied.snapshots_before
    # Small loads lie in the catalog until now; of each table one file is left.
    assert tidied.files_after <= len(all_tables())
    assert tidied.changed_editions == {}

    written = tmp_path / "written"
    done = again(built, into=written)
    assert outcomes(done, "same") == {proof.key for proof in done.proofs}, done.proofs
    assert outcomes(done, "same") >= {
        *(o.name for o in OUTPUTS),
        MANIFEST,
        "edition.duckdb",
        "signed_manifest",
    }
    assert done.is_same
    assert (done.cells, done.findings, done.not_kept) == ((), (), ())
    folder = settings_of(built).editions / "2020-1"
    told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for file in told["files"]:
        if file["name"] != "edition.duckdb":
            assert sha256_of(written / file["name"]) == file["sha256"], file["name"]
    with pytest.raises(CannotRebuild, match="已有内容"):
        again(built, into=written)
    with duckdb.connect(str(written / "edition.duckdb"), read_only=True) as file:
        approval = file.execute("SELECT approved_by, statement FROM edition").fetchall()
        answers = file.execute("SELECT DISTINCT verdict, verdict_by FROM check_result").fetchall()
    assert approval == [("张三", "同意发布")]
    assert ("已核实", "张三") in answers
    second = again(built, "2020-2")
    assert second.is_same, second.proofs
    assert "differences.csv" in outcomes(second, "same")
    assert second.edition.cell_hash == newer.cell_hash != done.edition.cell_hash


def test_a_later_versions_measures_and_rules_do_not_reach_an_edition(
    built: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = dict(measure_texts())
    texts["application"] += "\nAND FALSE"
    monkeypatch.setattr("warehouse.reading.measures", lambda: parse_measures(texts))
    monkeypatch.setattr("tasks.editions.definitions.measure_texts", lambda city=None: texts)
    fewer = Rulebook(load_rules()[:3], yearly_rules())
    monkeypatch.setattr("tasks.editions.definitions.rulebook", lambda: fewer)
    key = "t3.new_received.total"
    found = explain(built.lake, built.folder, Period.of_year(2020), key)
    assert found.value == found.record_count == 2
    assert again(built).is_same
    newer = preview(built.lake, built.folder, Period.of_year(2020), now=NOW)
    assert newer.figures()[key].value == 0
    assert len(newer.findings) < len(
        newest_edition(built.lake, form_of(), Period.of_year(2020)).findings
    )


def test_what_was_changed_in_the_lake_is_told(built: SmallCity) -> None:
    change(
        built,
        "UPDATE yearly.cell SET value = value + 1 "
        "WHERE cell = 't3.granted.total' AND organ_id = 'A' AND scope = 'rolled_up'",
    )
    change(built, "DELETE FROM yearly.check_result WHERE organ_id = 'B' AND code = 'B9'")
    for was, is_ in (("label: 收到申请,", "label: 受理申请,"), ("市教育局", "市体育局")):
        change(
            built,
            "UPDATE yearly.edition SET definitions = replace(definitions, ?, ?)",
            [was, is_],
        )
    done = again(built)
    assert outcomes(done, "different") >= {
        *("stored_cells", "stored_findings", "definitions", "机关", "report.html")
    }
    assert not {"cells", "上年数"} & outcomes(done, "different")
    (cell,) = done.cells
    assert (cell.organ_id, cell.cell, cell.before, cell.after) == ("A", "t3.granted.total", 4, 3)
    (finding,) = done.findings
    assert (finding.organ_id, finding.key, finding.kept) == ("B", "B9", None)
    told = json.loads(json.dumps(rebuilt_json(done)))
    assert told["same"] is False
    assert told["cells"][0]["kept"]["value"] == 4
    shown = "\n".join(readable(done))
    assert "t3.granted.total:4 → 3" in shown
    assert "没有这一项 → 通过" in shown
    changed = ["yearly.cell", "yearly.check_result", "yearly.edition"]
    assert changed_rows(built.lake, "2020-1") == changed
    with pytest.raises(PublishRefused, match=r"被改动过\(yearly.cell、yearly.check_result"):
        approve(built, newest_edition(built.lake, form_of(), Period.of_year(2020)))


def test_a_changed_file_and_a_lost_snapshot_are_told(built: SmallCity) -> None:
    folder = settings_of(built).editions / "2020-1"
    (folder / "cells.csv").write_text("x", encoding="utf-8")
    done = again(built)
    assert outcomes(done, "different") == {"cells.csv"}
    built.application("2020-06-02")
    snapshot = done.edition.snapshot
    with built.lake.write() as connection:
        connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => [{snapshot}])")
    done = again(built)
    assert outcomes(done, "different") == {"snapshot"}
    assert "备份" in done.proofs[0].note


def test_another_version_of_what_writes_the_files_is_named_and_is_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lies, fresh = tmp_path / "lies", tmp_path / "fresh"
    render_edition(edition_2025(), lies)
    shutil.copytree(lies, fresh)
    (fresh / "tables.xlsx").write_bytes(b"of another version")

    def told() -> dict[str, Proof]:
        return {proof.key: proof for proof in _file_proofs(lies, fresh, "")}

    assert told()["tables.xlsx"].outcome == "different"
    monkeypatch.setattr(
        "tasks.publish.rebuild.writers", lambda: {**writers(), "xlsxwriter": "99.0"}
    )
    other = told()["tables.xlsx"]
    assert other.outcome == "unprovable"
    assert "→ 99.0" in other.note
    assert told()["report.docx"].outcome == "same"
    (lies / "tables.xlsx").unlink()
    assert told()["tables.xlsx"].outcome == "different"


def test_an_edition_of_an_earlier_version_says_what_cannot_be_proved(built: SmallCity) -> None:
    with built.lake.read() as connection:
        row = connection.execute("SELECT definitions FROM yearly.edition").fetchone()
    assert row is not None
    names = ("published", "measures", "rules", "charts")
    kept = {key: value for key, value in json.loads(row[0]).items() if key not in names}
    change(
        built,
        "UPDATE yearly.edition SET definitions = ?, findings_hash = 'as it was then'",
        [json.dumps(kept)],
    )
    done = again(built)
    assert outcomes(done, "unprovable") == {"definitions"}
    assert done.is_same, done.proofs
    assert done.not_kept == names
    assert "无从证明" in "\n".join(readable(done))


def test_a_table_that_a_later_version_added_is_empty_at_an_old_snapshot(small: SmallCity) -> None:
    change(small, "DROP TABLE core.gazette_issue")
    with reading(small.lake) as opened:
        before = opened.snapshot
    small.lake.create()
    small.add("gazette_issue", {"organ_id": "R"})
    counted = "SELECT count(*) FROM core.gazette_issue"
    with reading(small.lake, before) as opened:
        assert opened.connection.execute(counted).fetchone() == (0,)
    with reading(small.lake) as opened:
        assert opened.connection.execute(counted).fetchone() == (1,)


def test_an_unknown_edition_names_those_there_are(
    built: SmallCity, small: SmallCity, tmp_path: Path
) -> None:
    with pytest.raises(NoEdition, match="还没有任何版次"):
        again(small)
    with pytest.raises(NoEdition, match="没有版次 2020-7。现有版次:2020-1"):
        again(built, "2020-7")
