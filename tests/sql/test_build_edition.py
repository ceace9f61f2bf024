"""Editions: the same inputs, the same edition; pinned to a snapshot; read back as built."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tasks.editions.build import Built, build_edition, preview
from tasks.editions.store import (
    NoEdition,
    changed_rows,
    edition_rows,
    load_edition,
    newest_edition,
)
from tests.small_city import NOW, SmallCity
from warehouse.errors import EntryError
from warehouse.form import form_of
from warehouse.lake import transaction
from warehouse.period import Period


def build(small: SmallCity, **more: object) -> Built:
    return build_edition(small.lake, small.folder, Period.of_year(2020), now=NOW, **more)  # type: ignore[arg-type]


def test_the_same_records_are_the_same_edition_whenever_it_is_built(small: SmallCity) -> None:
    small.application("2020-03-02", "2020-03-09", outcome=None)
    first = build(small)
    later = build_edition(
        small.lake, small.folder, Period.of_year(2020), now=NOW + timedelta(days=3)
    )
    assert (first.is_new, later.is_new) == (True, False)
    assert first.edition.id == later.edition.id == "2020-1"
    assert first.edition.cell_hash == later.edition.cell_hash
    assert later.edition.built_at == NOW


def test_changed_records_make_a_new_edition_and_the_old_snapshot_gives_the_old_one_back(
    small: SmallCity,
) -> None:
    small.application("2020-03-02", "2020-03-09")
    first = build(small).edition
    small.application("2020-03-03")
    second = build(small).edition
    assert (second.id, second.number) == ("2020-2", 2)
    assert second.cell_hash != first.cell_hash
    again = preview(
        small.lake, small.folder, Period.of_year(2020), now=NOW, snapshot=first.snapshot
    )
    assert again.cell_hash == first.cell_hash
    assert load_edition(small.lake, "2020-1").status == "superseded"
    assert newest_edition(small.lake, form_of(), Period.of_year(2020)).id == "2020-2"


BUILD = """
import sys
from datetime import datetime
from pathlib import Path
from tasks.editions.build import build_edition
from tests.small_city import NOW
from warehouse.lake import Lake
from warehouse.period import Period

home, city, snapshot, name, start = sys.argv[1:]
while not Path(start).exists():
    pass
built = build_edition(
    Lake(Path(home)), Path(city), Period.of_year(2020), now=NOW, snapshot=int(snapshot), built_by=name
)
print(built.edition.id, built.is_new)
"""


@pytest.mark.parametrize("is_same", [True, False], ids=["the same", "different"])
def test_two_that_build_a_year_at_once_never_write_one_number_twice(
    small: SmallCity, tmp_path: Path, is_same: bool
) -> None:
    small.application("2020-03-02")
    snapshots = [small.lake.snapshot()]
    if not is_same:
        small.application("2020-04-02")
    snapshots.append(small.lake.snapshot())
    start = tmp_path / "start"
    arguments = [str(small.lake.home), str(small.folder)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD, *arguments, str(snapshot), name, str(start)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for snapshot, name in zip(snapshots, ("甲", "乙"), strict=True)
    ]
    start.touch()
    told = sorted(process.communicate()[0].strip() for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    if is_same:
        assert told == ["2020-1 False", "2020-1 True"]
    else:
        assert told == ["2020-1 True", "2020-2 True"]
    with small.lake.read() as connection:
        rows = edition_rows(connection)
        doubled = connection.execute(
            "SELECT count(*) - count(DISTINCT (edition_id, organ_id, scope, cell)) FROM yearly.cell"
        ).fetchone()
    assert [row.edition_id for row in rows] == (["2020-1"] if is_same else ["2020-1", "2020-2"])
    assert [row.is_pending for row in rows][-1:] == [True]
    assert sum(row.is_pending for row in rows) == 1
    assert doubled == (0,)
    assert all(changed_rows(small.lake, row.edition_id) == [] for row in rows)


def test_an_edition_is_read_back_as_it_was_built(small: SmallCity) -> None:
    small.application("2020-03-02", "2020-03-09", outcome=None)
    small.application("2019-12-02", "2020-03-09", applicant_kind=None)
    built = build(small).edition
    kept = newest_edition(small.lake, form_of(), Period.of_year(2020))
    assert kept.cells == built.cells
    assert kept.last_year == dict(built.last_year.items())
    assert kept.series == built.series
    assert kept.organs == built.organs
    assert kept.layout == built.layout

    def told(edition):  # type: ignore[no-untyped-def]
        return {
            (f.organ_id, f.key): (f.status, f.severity, f.message, f.gap, f.records)
            for f in edition.findings
        }

    assert told(kept) == told(built)


def test_the_layout_of_an_edition_stays_when_the_citys_file_changes(small: SmallCity) -> None:
    small.application("2020-03-02")
    build(small)
    overview = small.folder / "overview.yaml"
    overview.write_text(
        overview.read_text(encoding="utf-8").replace("收到申请,", "受理申请,"), encoding="utf-8"
    )
    kept = newest_edition(small.lake, form_of(), Period.of_year(2020))
    assert kept.layout.cells["overview.applications_received"].label == "收到申请"


def test_last_years_published_figures_stand_for_last_year(small: SmallCity) -> None:
    small.application("2019-12-02", "2020-01-09")
    build_edition(small.lake, small.folder, Period.of_year(2019), now=NOW)
    with small.lake.write() as connection, transaction(connection):
        connection.execute("UPDATE yearly.edition SET edition_status = 'published'")
        connection.execute(
            "UPDATE yearly.cell SET value = 2 WHERE cell = 't3.carried_out.natural_person'"
        )
    edition = build(small).edition
    (found,) = [
        f for f in edition.findings if f.key == "B5.t3.natural_person" and f.organ_id == "R"
    ]
    assert (found.status, found.gap) == ("fail", Decimal(1))


def test_an_edition_as_of_a_moment_takes_the_snapshot_of_then(small: SmallCity) -> None:
    with pytest.raises(EntryError, match="还没有数据"):
        small.lake.snapshot_at(NOW - timedelta(days=4000))
    assert small.lake.snapshot_at(NOW + timedelta(days=4000)) == small.lake.snapshot()


def test_without_an_edition_the_error_says_what_to_do(small: SmallCity) -> None:
    with pytest.raises(NoEdition, match="nianbao year-end 2020"):
        newest_edition(small.lake, form_of(), Period.of_year(2020))


def test_a_chart_counts_closed_applications_in_the_month_they_were_closed(
    small: SmallCity,
) -> None:
    """YAML takes a bare `on` for a truth value: as a key it was never found."""
    small.application("2020-03-02", "2020-04-20")
    edition = preview(small.lake, small.folder, Period.of_year(2020), now=NOW)
    months = {
        series.key: [label for label, this_year, _ in series.points if this_year]
        for series in edition.series
    }
    assert months["applications_by_month"] == ["3月"]
    assert months["applications_closed_by_month"] == ["4月"]
