"""Spans as they are written, what stands before them, and what they are made of."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from warehouse.period import NoPeriod, Period


@pytest.mark.parametrize(
    ("text", "first", "last", "before", "year_before", "label"),
    [
        ("2020", "2020-01-01", "2020-12-31", "2019", "2019", "2020 年"),
        ("2020H1", "2020-01-01", "2020-06-30", "2019H2", "2019H1", "2020 年上半年"),
        ("2020H2", "2020-07-01", "2020-12-31", "2020H1", "2019H2", "2020 年下半年"),
        ("2020Q1", "2020-01-01", "2020-03-31", "2019Q4", "2019Q1", "2020 年第一季度"),
        ("2020Q4", "2020-10-01", "2020-12-31", "2020Q3", "2019Q4", "2020 年第四季度"),
        ("2020-01", "2020-01-01", "2020-01-31", "2019-12", "2019-01", "2020 年 1 月"),
        ("2021-02", "2021-02-01", "2021-02-28", "2021-01", "2020-02", "2021 年 2 月"),
        (
            "2020-02-10..2020-02-29",
            "2020-02-10",
            "2020-02-29",
            "2020-01-21..2020-02-09",
            "2019-02-10..2019-02-28",
            "2020-02-10 至 2020-02-29",
        ),
    ],
)
def test_a_span_and_those_beside_it(
    text: str, first: str, last: str, before: str, year_before: str, label: str
) -> None:
    period = Period.parse(text)
    assert (period.first, period.last) == (date.fromisoformat(first), date.fromisoformat(last))
    assert period.key == text
    assert Period.parse(period.key) == period
    assert (period.before.key, period.year_before.key) == (before, year_before)
    assert period.label == label


def test_lower_case_is_as_good() -> None:
    assert Period.parse(" 2020q3 ") == Period.parse("2020Q3")


@pytest.mark.parametrize(
    "text",
    ["", "2020Q5", "2020H3", "2020-13", "20", "2020-00", "去年", "1999", "2020-02-30..2020-03-01"]
    + ["2020-06-30..2020-01-01", "1990-01-01..2020-01-01", "2020-01-01..2020-06-30..2020-07-01"],
)
def test_what_is_no_span_is_refused_with_how_one_is_written(text: str) -> None:
    with pytest.raises(NoPeriod, match=r"2020|须在"):
        Period.parse(text)


def test_parts_cover_the_whole_without_a_gap() -> None:
    for text in ("2020", "2020H2", "2021Q1"):
        whole = Period.parse(text)
        for kind in ("month", "quarter", "half"):
            parts = whole.parts(kind)  # type: ignore[arg-type]
            if parts:
                assert (parts[0].first, parts[-1].last) == (whole.first, whole.last)
                assert all(b.before == a for a, b in pairwise(parts))
    assert len(Period.parse("2020").parts("month")) == 12
    assert Period.parse("2020Q1").parts("half") == ()
    assert Period.parse("2020-01-01..2020-12-31").parts("month") == ()
