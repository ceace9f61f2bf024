"""Every record that a source serves is counted once, as what became of it."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.load.load import LoadResult, load
from tasks.load.rejects import list_rejects, retry
from tasks.sources import client
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from warehouse.lake import Lake

names = count()
FIELDS = {
    "title": "title",
    "organ_id": {"path": "organ.code", "required": True},
    "published_at": {"path": "day", "type": "timestamp"},
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    lake.create()
    return lake


# A record: which id, which content, whether it is a draft, has an organ, is withdrawn.
RECORDS = st.lists(
    st.builds(
        lambda number, title, kind: {
            "id": None if kind == "nameless" else f"R{number}",
            "title": title,
            "organ": {"code": None if kind == "bad" else "O1"},
            "day": "2020-03-05",
            "draft": kind == "draft",
            "gone": kind == "gone",
        },
        st.integers(0, 8),
        st.sampled_from(["甲", "乙"]),
        st.sampled_from(["good", "good", "draft", "bad", "gone", "nameless"]),
    ),
    max_size=14,
)


def _source(vendor: Vendor, name: str, paging: str) -> dict[str, Any]:
    raw = files.raw_source(
        vendor,
        paging,
        full_list=True,
        fields=FIELDS,
        where=[{"path": "draft", "not_in": ["true"]}],
        removed={"path": "gone", "equals": True},
        max_removed_share=1,
        reject_limit={"share": 1, "at_least": 10_000},
    )
    return raw | {"name": name}


def _balances(result: LoadResult) -> None:
    one = result.lists[0]
    assert one.rows_fetched == one.rows_left_out + one.rows_landed
    assert one.rows_landed == one.rows_joined + one.rows_conflicting + one.rows_read
    assert one.rows_read == one.rows_written + one.rows_unchanged + one.rows_rejected


@settings(
    deadline=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    nights=st.lists(RECORDS, min_size=1, max_size=3),
    paging=st.sampled_from(["page_number", "single"]),
)
def test_each_record_counts_once(lake: Lake, nights: list[Any], paging: str) -> None:
    name = f"source{next(names)}"
    vendor = Vendor([], paging=paging)
    with (
        tempfile.TemporaryDirectory() as folder,
        vendor.serving(),
        pytest.MonkeyPatch.context() as m,
    ):
        m.setattr(client, "SHORTEST_REST", 0.001)
        for records in nights:
            vendor.records = records
            source = files.written(Path(folder), _source(vendor, name, paging))
            result = load(files.pulled(Path(folder), source), source, lake)
            _balances(result)
            one = result.lists[0]
            landed = [r for r in records if not r["draft"]]
            contents = {(r["id"], r["title"], r["organ"]["code"], r["gone"]) for r in landed}
            identities = {c if c[0] is None else c[0] for c in contents}
            drafts = {r["id"] or repr(r) for r in records if r["draft"]}
            assert one.rows_read == len(identities)
            assert one.rows_conflicting == len(contents) - len(identities)
            assert one.rows_not_selected >= len({d for d in drafts if d.startswith("R")})
            if paging == "page_number":
                assert one.rows_served == len(records)
                # A list that may have shifted is read again; each reading is counted.
                assert one.rows_fetched >= len(records)
            with lake.read() as connection:
                left = connection.execute(
                    "SELECT count(*) FROM ops.left_out WHERE source_system = ?", [name]
                ).fetchone()
                conflicts = connection.execute(
                    "SELECT count(*) FROM ops.reject WHERE source_system = ?"
                    " AND reject_status = 'open' AND reason = 'conflicting_key'",
                    [name],
                ).fetchone()
            assert left == (one.rows_not_selected,)
            assert conflicts is not None
            assert conflicts[0] >= one.rows_conflicting


def test_a_conflict_is_named_and_a_retry_does_not_decide_it(lake: Lake, tmp_path: Path) -> None:
    first = files.records(1)[0]
    vendor = Vendor(
        [first, first | {"title": "另一件"}, first | {"title": "另一件"}], paging="single"
    )
    with vendor.serving():
        raw = files.raw_source(vendor, "single") | {"name": "conflicting"}
        source = files.written(tmp_path, raw)
        result = load(files.pulled(tmp_path, source), source, lake)
        assert (result.rows_read, result.rows_conflicting) == (1, 1)
        (reject,) = list_rejects(lake, source="conflicting")
        assert (reject.record_id, reject.reason, reject.found) == (
            "R00000",
            "conflicting_key",
            "title",
        )
        with lake.read() as connection:
            before = connection.execute(
                "SELECT title FROM core.article WHERE record_id = 'R00000' AND source_system = 'conflicting'"
            ).fetchall()
        retry([source], lake, tmp_path / "landing", source="conflicting")
        with lake.read() as connection:
            after = connection.execute(
                "SELECT title FROM core.article WHERE record_id = 'R00000' AND source_system = 'conflicting'"
            ).fetchall()
        assert before == after == [("另一件",)]
        vendor.records = vendor.records[1:]
        load(files.pulled(tmp_path, source), source, lake)
    assert list_rejects(lake, source="conflicting") == []


@pytest.mark.parametrize(
    ("ids", "read", "told"),
    [
        (["1", 1], 1, 1),
        (["1", " 1 ", "1\u3000", "\u00a01", "\ufeff1"], 1, 0),
        (["２０２０-1", "2020-1"], 1, 0),
        (["ＹＳＱ２０２０－００１", "YSQ2020-001"], 1, 0),
        (["（2020）1号", "(2020)1号"], 2, 0),
        ([1, 1.0], 2, 0),
        ([True, "true"], 1, 1),
    ],
)
def test_ids_of_one_look(lake: Lake, tmp_path: Path, ids: list[Any], read: int, told: int) -> None:
    """Blanks and full-width letters and digits are the writing; another type is told."""
    base = files.records(1)[0]
    vendor = Vendor([base | {"id": one} for one in ids], paging="single")
    name = f"ids{next(names)}"
    with vendor.serving():
        source = files.written(tmp_path, files.raw_source(vendor, "single") | {"name": name})
        result = load(files.pulled(tmp_path, source), source, lake)
    assert (result.rows_read, result.rows_conflicting) == (read, told)


def test_a_number_beyond_fifteen_digits_is_no_id(lake: Lake, tmp_path: Path) -> None:
    base = files.records(1)[0]
    vendor = Vendor(
        [base | {"id": 4.40002202003050001e17}, base | {"id": 440002202003050002}], paging="single"
    )
    with vendor.serving():
        source = files.written(tmp_path, files.raw_source(vendor, "single") | {"name": "long"})
        result = load(files.pulled(tmp_path, source), source, lake)
    assert (result.rows_read, result.rows_rejected) == (2, 1)
    (reject,) = list_rejects(lake, source="long")
    assert reject.reason == "imprecise_key"
    assert "文本格式" in (reject.expected or "")
