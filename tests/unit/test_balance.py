"""How a check of the form writes its equation: what holds with =, what does not with ≠ or <."""

from __future__ import annotations

import pytest

from expectations.balance import evaluate
from warehouse.form import load_layout
from warehouse.layout import Equation

LAYOUT = load_layout("2019")


def equation(code: str, column: str) -> Equation:
    return next(e for e in LAYOUT.equations if e.code == code and e.key.endswith(column))


def figures(**values: int) -> dict[str, int]:
    """Column 总计 of table 三, and the first line of table 二; every other cell is zero."""
    return {
        **dict.fromkeys(LAYOUT.cells, 0),
        **{k.replace("__", "."): v for k, v in values.items()},
    }


B1 = {"t3__new_received__total": 3706, "t3__carried_in__total": 15}


@pytest.mark.parametrize(
    ("code", "column", "values", "status", "text"),
    [
        (
            *("B1", "total", {**B1, "t3__results_total__total": 3716, "t3__carried_out__total": 5}),
            *("pass", "3706 + 15 = 3721 = 3716 + 5"),
        ),
        (
            *("B1", "total", {**B1, "t3__results_total__total": 3714, "t3__carried_out__total": 5}),
            *("fail", "3706 + 15 = 3721 ≠ 3719 = 3714 + 5"),
        ),
        (
            *("B11", "regulation", {"t2__regulation__total_disclosed": 2}),
            *("pass", "2 >= 0"),
        ),
        (
            *("B11", "regulation", {"t2__regulation__newly_disclosed": 2}),
            *("fail", "0 < 2"),
        ),
    ],
)
def test_the_equation_reads_as_what_is_true(
    code: str, column: str, values: dict[str, int], status: str, text: str
) -> None:
    found = evaluate(equation(code, column), figures(**values))
    assert (found.status, found.equation) == (status, text)


def test_a_sum_stands_beside_its_parts_once() -> None:
    parts = {f"t4__reconsideration__{name}": 1 for name in ("upheld", "corrected")}
    whole = "t4__reconsideration__total"
    right = evaluate(equation("B4", "reconsideration"), figures(**parts, **{whole: 2}))
    wrong = evaluate(equation("B4", "reconsideration"), figures(**parts, **{whole: 3}))
    assert right.equation == "1 + 1 + 0 + 0 = 2"
    assert wrong.equation == "1 + 1 + 0 + 0 = 2 ≠ 3"
