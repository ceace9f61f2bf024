"""The fields of the forms, and how a wrong entry is answered.

A choice is a plain text with an `enum` in the form's schema: the page shows a list. What the
page and the server would refuse in English only (a text for a year, a name that is not in a
list, given by a link or a script) they let pass (`enforce_parameter_schema` in
deployments/prefect.yaml): the flow answers within seconds and in words that say what to do.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime, time
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import MissingContextError
from prefect.states import Cancelled, Completed, Failed
from pydantic import ConfigDict, Field, ValidationError, create_model

from tasks.render.markdown import escaped
from tasks.wording.entries import instead
from tasks.wording.typeset import typeset
from warehouse.errors import Concern, EntryError, NianbaoError
from warehouse.form import Form
from warehouse.period import Period

Chosen = TypeVar("Chosen")
Entries = ParamSpec("Entries")
ALL = "全部"
BLOCKED = "有阻断问题"
"""The name of the final state when findings keep the edition from being published."""
REFUSED: Mapping[Concern, str] = {
    "entry": "输入有误",
    "configuration": "配置有误",
    "findings": BLOCKED,
    "source": "来源失败",
    "machine": "本机故障",
}
"""Names of the final states of runs in which nothing was done, by whom that concerns."""


LONGEST_ENTRY = 40
"""Characters of a wrong entry that its answer repeats."""


class WrongInput(EntryError):
    """An entry that cannot be used; the message says what to enter instead."""


def field(title: str, description: str, **schema: Any) -> Any:
    """A form's field; `schema` adds to its JSON schema (enum, items).

    Title and description travel in the schema's extra: Prefect puts a parameter's bare name
    over a field's own title. The order is that of the parameters.
    """
    words = {"title": typeset(title), "description": typeset(description)}
    return Field(json_schema_extra={**words, **schema})


def choices(names: Iterable[str], *first: str) -> dict[str, Any]:
    """The schema of one choice from a list; no list, no limit."""
    listed = [*first, *names]
    return {"enum": listed} if len(listed) > len(first) else {}


def many_of(names: Iterable[str]) -> dict[str, Any]:
    """The schema of any number of choices from a list."""
    listed = list(names)
    return {
        "items": {"type": "string", **({"enum": listed} if listed else {})},
        "uniqueItems": True,
    }


def refused(error: NianbaoError) -> State[Any]:
    """The final state that tells the operator why nothing was done, and whom that concerns."""
    told = typeset(str(error))
    _say_in_red(told)
    create_markdown_artifact(
        key="refused", markdown=f"# 没有执行\n\n{escaped(told)}\n", description="没有执行的原因"
    )
    # Grey where only the entry was wrong and nothing was done, red where someone must act; what
    # broke down unforeseen is orange.
    kind = Cancelled if error.concern == "entry" else Failed
    return kind(name=REFUSED[error.concern], message=told, data=error.exit_code)


def broken(error: Exception) -> State[Any]:
    """The final state of a run that ended by a defect of the program: the sentence first, and
    what a maintainer needs after it."""
    logger = get_run_logger()
    told = typeset(
        f"程序出错({type(error).__name__}),本次没有做完;已装载的数据完好。可再运行一次,仍出错请把日志交给维护人员"
    )
    logger.error("%s", told)
    logger.info("%s", "".join(traceback.format_exception(error)))
    # Called as Prefect calls it, by which it is told to those who keep the machine.
    return State(type=StateType.CRASHED, name="Failed", message=told, data=error)


def done(message: str, data: Any = None) -> State[Any]:
    """The final state of a run that did what it was asked."""
    return Completed(message=typeset(message), data=data)


def ended(name: str, message: str, data: Any = None) -> State[Any]:
    """The final state, under its own name, of a run after which a person must act."""
    told = typeset(message)
    _say_in_red(told)
    return Failed(name=name, message=told, data=data)


def _say_in_red(told: str) -> None:
    """The sentence that helps as an error of the run's log, where a run is going on."""
    with suppress(MissingContextError):
        get_run_logger().error("%s", told)


def answers_entries(
    function: Callable[Entries, State[Chosen]],
) -> Callable[Entries, State[Chosen]]:
    """Reads what was entered as the types that a flow's function declares; what cannot be read
    ends the run in Chinese. An emptied field is one that was not filled in.

    For flows with `validate_parameters=False`, whose own check would end in English.
    """

    @wraps(function)
    def answered(*given: Entries.args, **named: Entries.kwargs) -> State[Chosen]:
        try:
            entries = read_entries(function, inspect.signature(function).bind(*given, **named))
        except WrongInput as error:
            return refused(error)
        try:
            return function(**entries)  # type: ignore[call-arg]
        except NianbaoError:
            raise
        except Exception as error:
            return broken(error)

    return answered


def read_entries(function: Callable[..., Any], entered: inspect.BoundArguments) -> dict[str, Any]:
    """What was entered, as the types of the function's parameters. Raises WrongInput."""
    declared: dict[str, Any] = {
        p.name: (p.annotation, p.default)
        for p in inspect.signature(function, eval_str=True).parameters.values()
    }
    model = create_model(
        "Entries",
        # Scripts and links give numbers for texts that consist of digits.
        __config__=ConfigDict(arbitrary_types_allowed=True, coerce_numbers_to_str=True),
        **declared,
    )
    filled = {name: value for name, value in entered.arguments.items() if value is not None}
    try:
        read = model.model_validate(filled)
    except ValidationError as error:
        raise WrongInput(_told(model.model_json_schema()["properties"], error)) from None
    return {name: getattr(read, name) for name in filled}


def _told(fields: Mapping[str, Any], error: ValidationError) -> str:
    """Every entry that cannot be read, by the title of its field, and what to enter instead."""
    told: dict[str, str] = {}
    for wrong in error.errors(include_url=False):
        name = str(wrong["loc"][0])
        title = fields.get(name, {}).get("title", name)
        entry = str(wrong["input"])[:LONGEST_ENTRY]
        told.setdefault(name, f"“{title}”填的是“{entry}”,不能用:{instead(wrong)}")
    return ";".join(told.values())


def known(name: str, offered: Mapping[str, Chosen], what: str) -> Chosen:
    """What a choice stands for, in either width of punctuation. Raises WrongInput for one that
    was not offered."""
    if typeset(name) not in offered:
        raise WrongInput(f"没有{what}“{name}”:请从列表中选择")
    return offered[typeset(name)]


def default_year(today: date) -> int:
    """The last year that is over: a report tells of a whole year (条例第四十九条)."""
    return today.year - 1


def checked_period(text: str, year: int, today: date, form: Form) -> Period:
    """The span that was entered, or else the report year. Raises WrongInput, NoPeriod."""
    if not text.strip():
        return checked_year(year or default_year(today), today, form)
    period = Period.parse(text)
    if period.is_year:
        return checked_year(period.year, today, form)
    if period.first > today:
        raise WrongInput(f"时段 {period.label} 还没有开始,不能编制:请填已经开始的时段,或留空")
    if period.year < form.first_year:
        raise WrongInput(
            f"时段 {period.label} 不能编制:{form.first_year} 年起才有现行格式的{form.short_title}"
        )
    return period


def checked_year(year: int, today: date, form: Form) -> Period:
    """A report year that can be built. Raises WrongInput."""
    first = form.first_year
    if not first <= year <= today.year:
        raise WrongInput(
            f"报告年度 {year} 不能编制:请填 {first} 至 {today.year} 之间的年份"
            f"({first} 年起才有现行格式的{form.short_title})"
        )
    return Period.of_year(year)


def read_moment(text: str, what: str) -> datetime | None:
    """A moment in Beijing time as typed, None for an empty text; a day alone means its end.

    Typed rather than picked: the page's picker takes UTC for granted. Raises WrongInput.
    """
    text = re.sub(r"\s*[日T]\s*|\s+", " ", re.sub("[年月/]", "-", text)).strip()
    if not text:
        return None
    for pattern in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        try:
            moment = datetime.strptime(text, pattern)
        except ValueError:
            continue
        return datetime.combine(moment, time.max) if pattern == "%Y-%m-%d" else moment
    raise WrongInput(f"{what}“{text}”看不懂:请写作 2021-01-20 18:00(北京时间),或留空")
