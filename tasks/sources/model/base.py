"""What every part of a source file shares: strict keys, texts in two languages, durations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Part(BaseModel):
    """A part of a source file: no key that is not declared, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True)
class Says:
    """What a key means, for the reference in both languages and for the editor's hints."""

    zh: str
    en: str

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        described = handler(schema)
        if "$ref" in described:
            return {"allOf": [described], "description": self.zh}
        described["description"] = self.zh
        return described


_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def _duration(value: Any) -> Any:
    """`2d`, `12h`, `1d12h`, `90m`, `30s` as a timedelta; anything else is left to pydantic."""
    if isinstance(value, str) and re.fullmatch(r"(\d+[dhms])+", value):
        return timedelta(
            **{_UNITS[unit]: int(number) for number, unit in re.findall(r"(\d+)([dhms])", value)}
        )
    if isinstance(value, str):
        raise ValueError("时长应写作 2d、12h、90m、30s 或它们的组合,如 1d12h")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]


def _text(value: Any) -> Any:
    """A scalar of YAML as text, so that 1 and "1" are the same code."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return value


Text = Annotated[str, BeforeValidator(_text)]


def _texts(value: Any) -> Any:
    """One value stands for a list of one."""
    return value if isinstance(value, list | tuple | None) else [value]


Texts = Annotated[tuple[Text, ...], BeforeValidator(_texts)]
