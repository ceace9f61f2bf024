"""A record's texts may hold anything: it is loaded, asked for, written out, and shown as it is."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

from lxml import etree
from rich.console import Console

from deployments.cli.built import summary
from tasks.editions.build import build_edition
from tasks.load.load import load
from tasks.render import render_edition
from tasks.render.outputs import OUTPUTS
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from tests.small_city import NOW, SmallCity
from warehouse.lake import Lake
from warehouse.period import Period

IDS = ("公开\x0b2号", "甲\x1b[2J乙", "丙\u202e丁", "[bold]戊[/bold]", "<script>己</script>", "=1+1")

# What strings, catalogs and their SQL have been tripped up by, and ordinary letters between.
MARKS = "\x00\x00\x01\x1b'\"\\%_;-{}$/∅\u200b\u202e\ufeff\ufffd\uffff😀A甲 "


def _texts(count: int) -> list[str]:
    pick = random.Random(11)
    made = ["\x00", "\\u0000", "\\\x00", "a\x00b", "a\x00\x00'b", "x" * 100_000]
    while len(made) < count:
        made.append("".join(pick.choices(MARKS, k=pick.randint(1, 6))) + str(len(made)))
    return made


def test_any_text_is_loaded_and_found_again(tmp_path: Path) -> None:
    """As id, organ, title and part of a key; a table of which nothing can be asked is no table."""
    lake = Lake(tmp_path / "home")
    lake.create()
    texts = _texts(150)
    vendor = Vendor(files.records(len(texts)), paging="page_number")
    for record, text in zip(vendor.records, texts, strict=True):
        record |= {"id": text, "title": text, "organ": {"code": text}}
    keys = {"plain": "id", "parted": ["id", "day"]}
    with vendor.serving():
        for name, key in keys.items():
            raw = files.raw_source(vendor, key=key) | {"name": name}
            raw["reject_limit"] = {"share": 1.0}
            source = files.written(tmp_path, raw, name)
            for night in range(3):
                result = load(files.pulled(tmp_path, source), source, lake)
                assert result.lists[0].rows_rejected == 0
                assert any("空字符" in note for note in result.notes)
                changed = {0: len(texts), 1: 0, 2: 1}[night]
                assert result.lists[0].rows_written == changed
                vendor.records[night] |= {"title": f"{name} 第 {night} 夜"} if night else {}
    with lake.read() as connection:
        stored = connection.execute(
            "SELECT DISTINCT record_id, organ_id FROM core.article WHERE source_system = 'plain'"
        ).fetchall()
        assert len(stored) == len(texts)
        for record_id, organ_id in stored[::4]:
            found = connection.execute(
                "SELECT count(*) FROM core.article WHERE record_id = ? AND organ_id = ?",
                [record_id, organ_id],
            ).fetchone()
            assert found == (1,)
    kept = {record_id for record_id, _ in stored}
    assert {"\\u0000", "\\\ufffd", "a\ufffdb", "a\ufffd\ufffd'b", "\ufffd"} <= kept


def test_every_output_shows_what_a_record_is_called(small: SmallCity, tmp_path: Path) -> None:
    for record_id in IDS:
        small.application("2020-03-02", "2020-03-20", record_id=record_id, applicant_kind=None)
    edition = build_edition(small.lake, small.folder, Period.of_year(2020), now=NOW).edition
    render_edition(edition, tmp_path / "out", lake=small.lake)
    assert {o.name for o in OUTPUTS} <= {p.name for p in (tmp_path / "out").iterdir()}
    documents = [p for p in (tmp_path / "out").iterdir() if p.suffix in (".docx", ".xlsx")]
    naming = []
    for file in sorted(documents):
        with zipfile.ZipFile(file) as archive:
            texts = [etree.fromstring(archive.read(n)) for n in archive.namelist() if ".xml" in n]
        said = "".join("".join(text.itertext()) for text in texts)
        if "公开" in said and "2号" in said:
            naming.append(file.name)
            assert "公开␋2号" in said, file.name
            assert "丙<U+202E>丁" in said, file.name
    # The report itself names no record; what goes with it does.
    assert naming == ["annex.docx", "tables.xlsx"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<script>己" not in page
    assert "甲␛[2J乙" in page
    printed = io.StringIO()
    Console(file=printed, width=200, force_terminal=False).print(summary(edition, tmp_path / "out"))
    assert "甲␛[2J乙" in printed.getvalue()
    assert "[bold]戊[/bold]" in printed.getvalue()
