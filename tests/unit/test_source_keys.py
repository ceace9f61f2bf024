"""Ids, cursors and values: what a source writes in many ways, and never two as one."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tasks.load.load_record import highest_continuous
from tasks.sources.decode import decode
from tasks.sources.keys import clean_key, joined

PARTS = st.lists(st.text(alphabet="ab/%2F", min_size=1, max_size=4), min_size=2, max_size=3)


@given(first=PARTS, second=PARTS)
def test_composite_ids_never_run_together(first: list[str], second: list[str]) -> None:
    if len(first) == len(second):
        assert (joined(first) == joined(second)) == (first == second)


BLANK = st.text(alphabet=" \t\n\u3000\u00a0\ufeff\u2003", max_size=3)


@given(
    text=st.from_regex(r"[A-Z0-9]([A-Z0-9 -]*[A-Z0-9])?", fullmatch=True), before=BLANK, after=BLANK
)
def test_blanks_and_width_are_no_part_of_an_id(text: str, before: str, after: str) -> None:
    wide = text.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    assert clean_key(before + wide + after) == text


@given(
    numbers=st.lists(st.integers(1, 10_000), min_size=3, max_size=60, unique=True),
    odd=st.integers(10**9, 10**18),
)
def test_one_number_far_above_all_others_moves_no_cursor(numbers: list[int], odd: int) -> None:
    rising = sorted(numbers)
    assert highest_continuous([*rising, odd], None) == rising[-1]
    assert highest_continuous([*rising, odd], rising[0]) == rising[-1]
    assert highest_continuous([odd], rising[-1]) == rising[-1]


@given(start=st.integers(0, 10**6), step=st.integers(1, 10**12), length=st.integers(2, 40))
def test_numbers_of_any_usual_step_are_followed(start: int, step: int, length: int) -> None:
    rising = [start + n * step for n in range(length)]
    if length > 2 or step <= 1000:
        assert highest_continuous(rising, None) == rising[-1]


def test_a_new_range_of_numbers_is_believed_when_many_lie_in_it() -> None:
    old, new = list(range(1, 50)), list(range(10**9, 10**9 + 20))
    assert highest_continuous([*old, *new], None) == new[-1]
    assert highest_continuous(new[:3], old[-1]) == old[-1]


GOOD = st.dictionaries(
    st.text(alphabet="abc", min_size=1, max_size=2),
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    max_size=3,
)
BAD = st.sampled_from(
    ["NaN", "-Infinity", "1e400", '"\\ud800"', '"a\x01b"', "[" * 3000 + "]" * 3000, "9" * 5000]
)


@given(records=st.lists(GOOD, min_size=1, max_size=5), bad=BAD, at=st.integers(0, 5))
def test_a_bad_value_harms_only_itself(records: list[Any], bad: str, at: int) -> None:
    written = [json.dumps(record, ensure_ascii=False) for record in records]
    written.insert(min(at, len(written)), f'{{"bad": {bad}, "id": "X"}}')
    told: list[str] = []
    found = decode(f"[{','.join(written)}]".encode(), "json", None, told)
    assert [record for record in found if record.get("id") != "X"] == records
    (harmed,) = [record for record in found if record.get("id") == "X"]
    value = harmed["bad"]
    assert not isinstance(value, float) or math.isfinite(value)
    # What was read can be written: no half of a character is left in it.
    json.dumps(found, ensure_ascii=False).encode()


def test_a_charset_that_is_none_and_bytes_of_no_text() -> None:
    for name in ("klingon", "undefined", "idna", "hex", "utf-7-broken"):
        assert decode('{"a": "字"}'.encode(), "json", name) == {"a": "字"}
    told: list[str] = []
    assert decode(b'{"a": "x\xff\xfey"}', "json", None, told) == {"a": "x\ufffd\ufffdy"}
    assert told
