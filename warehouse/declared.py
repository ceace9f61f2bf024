"""What is declared in files that people write: the base of their models, and what is told of
one that cannot be used."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from warehouse.disk import yaml_of
from warehouse.errors import ConfigurationError


class Declared(BaseModel):
    """A part of a declaration: a key that is not known is refused, not passed over."""

    model_config = ConfigDict(extra="forbid")


_WANTED = {
    "extra_forbidden": "没有这一项;请核对拼写,或删去",
    "missing": "缺少这一项",
    "string_pattern_mismatch": "写法不对,应符合 {pattern}",
    "string_too_short": "不能为空",
    "too_short": "至少要有一项",
    "literal_error": "应为 {expected} 之一",
    "greater_than_equal": "应不小于 {ge}",
    "less_than_equal": "应不大于 {le}",
    "string": "应为文字;数字与日期请加引号",
    "int": "应为整数",
    "bool": "应为 true 或 false",
    "list": "应为列表",
    "tuple": "应为列表",
    "model": "应为逐项的键与值",
    "dict": "应为逐项的键与值",
}
"""By the beginning of the kind of error that pydantic names, the longer names first."""


def explained(place: str, error: ValidationError) -> str:
    """Every problem of a file: its key, what is wrong, and what is there now."""
    told = []
    for problem in error.errors():
        key = ".".join(map(str, problem["loc"]))
        found = problem["input"]
        shown = f"(现为 {found!r})" if isinstance(found, str | int | float) else ""
        told.append(f"  {key}: {_told(problem)}{shown}" if key else f"  {_told(problem)}")
    return f"{place}:\n" + "\n".join(told)


def _told(problem: Any) -> str:
    context = problem.get("ctx", {})
    if problem["type"] == "value_error":
        return str(context["error"])
    for kind, text in _WANTED.items():
        if problem["type"].startswith(kind):
            return text.format(**context)
    return str(problem["msg"])


def parsed(text: str, place: str, error_class: type[ConfigurationError]) -> Any:
    """The YAML of a declaration. Raises `error_class`, naming the place."""
    try:
        return yaml_of(text)
    except yaml.YAMLError as error:
        raise error_class(f"{place}: 不是有效的 YAML:{error}") from error
