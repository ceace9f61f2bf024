"""What a form, a link or a script gave is read as what the flow declares, or answered in Chinese."""

from __future__ import annotations

import inspect
from datetime import date
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from flows.backfill import backfill
from flows.deadline_watch import deadline_watch
from flows.forms import WrongInput, checked_period, field, read_entries
from flows.publish import publish
from flows.year_end import year_end
from warehouse.errors import EntryError
from warehouse.form import form_of


class Answer(BaseModel):
    """A line of a list of lines, which a form may have as well."""

    finding: str
    reason: str


def _answering(
    answers: Annotated[list[Answer], field("答复", "逐项的答复")] = (),  # type: ignore[assignment]
    code: Annotated[str, field("代码", "六位数字")] = "",
) -> None:
    """As a flow with such a list declares it."""


answering = SimpleNamespace(fn=_answering)


def read(flow: Any, **entries: Any) -> dict[str, Any]:
    function = inspect.unwrap(flow.fn)
    return read_entries(function, inspect.signature(function).bind(**entries))


def test_entries_are_read_as_the_types_that_are_declared() -> None:
    assert read(year_end, year="2020", pull_first=True) == {"year": 2020, "pull_first": True}
    assert read(backfill, from_on="2020-05-01") == {"from_on": date(2020, 5, 1)}
    answers = [{"finding": "B3", "reason": "已核实"}]
    assert read(answering, answers=answers, code=123456) == {
        "answers": [Answer(finding="B3", reason="已核实")],
        "code": "123456",
    }


def test_an_emptied_field_is_one_that_was_not_filled_in() -> None:
    assert read(year_end, year=None, reason="更正") == {"reason": "更正"}
    assert read(deadline_watch, on=None) == {}


@pytest.mark.parametrize(
    ("flow", "entries", "answer"),
    [
        (year_end, {"year": "二〇二〇"}, "“报告年度”填的是“二〇二〇”,不能用:请填整数"),
        (year_end, {"year": 2020.5}, "请填整数"),
        (year_end, {"organs": "某局"}, "“机关”填的是“某局”,不能用:请填列表"),
        (year_end, {"pull_first": "也许"}, "请填是(true)或否(false)"),
        (deadline_watch, {"on": "2030-13-01"}, "“日期”填的是“2030-13-01”,不能用:请填日期"),
        (publish, {"approval": ["1"]}, "请填文字"),
        (answering, {"answers": ["B3"]}, "“答复”填的是“B3”,不能用:请填逐项的内容"),
    ],
)
def test_what_cannot_be_read_is_answered(flow: Any, entries: dict[str, Any], answer: str) -> None:
    with pytest.raises(WrongInput) as refused:
        read(flow, **entries)
    assert answer in str(refused.value)


def test_every_wrong_entry_is_named_once() -> None:
    with pytest.raises(WrongInput) as refused:
        read(backfill, from_on="昨天", to_on="明天")
    assert str(refused.value).count("请填日期") == 2


@pytest.mark.parametrize(
    ("span", "year", "key"),
    [("", 0, "2024"), ("", 2022, "2022"), ("2020Q1", 2022, "2020Q1"), (" 2023 ", 0, "2023")],
)
def test_a_span_goes_before_the_year(span: str, year: int, key: str) -> None:
    assert checked_period(span, year, date(2025, 3, 1), form_of()).key == key


@pytest.mark.parametrize(
    ("span", "answer"),
    [
        ("2020Q5", "不是可以统计的时段"),
        ("第一季度", "不是可以统计的时段"),
        ("2025Q2", "还没有开始"),
        ("2018-03", "2019 年起才有现行格式"),
        ("2018", "不能编制"),
        ("2020-06-30..2020-01-01", "晚于终止日"),
    ],
)
def test_a_span_that_cannot_be_built_is_answered(span: str, answer: str) -> None:
    with pytest.raises(EntryError, match=answer):
        checked_period(span, 0, date(2025, 3, 1), form_of())
