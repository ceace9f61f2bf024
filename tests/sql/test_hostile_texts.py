"""A record's texts may hold anything: every output is written, and shows them as they are."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from lxml import etree
from rich.console import Console

from deployments.cli.built import summary
from tasks.editions.build import build_edition
from tasks.render import render_edition
from tasks.render.outputs import OUTPUTS
from tests.small_city import NOW, SmallCity
from warehouse.period import Period

IDS = ("公开\x0b2号", "甲\x1b[2J乙", "丙\u202e丁", "[bold]戊[/bold]", "<script>己</script>", "=1+1")


def test_every_output_shows_what_a_record_is_called(small: SmallCity, tmp_path: Path) -> None:
    for record_id in IDS:
        small.application("2020-03-02", "2020-03-20", record_id=record_id, applicant_kind=None)
    edition = build_edition(small.lake, small.folder, Period.of_year(2020), now=NOW).edition
    render_edition(edition, tmp_path / "out", lake=small.lake)
    assert {o.name for o in OUTPUTS} <= {p.name for p in (tmp_path / "out").iterdir()}
    for document in (tmp_path / "out").glob("*.docx"), (tmp_path / "out").glob("*.xlsx"):
        for file in document:
            with zipfile.ZipFile(file) as archive:
                texts = [
                    etree.fromstring(archive.read(n)) for n in archive.namelist() if ".xml" in n
                ]
            said = "".join("".join(text.itertext()) for text in texts)
            assert "公开␋2号" in said, file.name
            assert "丙<U+202E>丁" in said, file.name
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<script>己" not in page
    assert "甲␛[2J乙" in page
    printed = io.StringIO()
    Console(file=printed, width=200, force_terminal=False).print(summary(edition, tmp_path / "out"))
    assert "甲␛[2J乙" in printed.getvalue()
    assert "[bold]戊[/bold]" in printed.getvalue()
