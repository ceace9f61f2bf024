"""The reference part of docs/connect.md and docs/connect.zh.md, written from the model.

python -m tasks.connect.reference            # writes both files anew
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tasks.sources.model import auth, database, fields, resource, source
from tasks.sources.model.base import Says
from tasks.sources.model.paginator import paginator_kinds
from warehouse.disk import YamlLoader, text_of

EXAMPLES = Path(__file__).with_name("examples.yaml")
DOCS = Path(__file__).parents[2] / "docs"
BEGIN = "<!-- reference: written by python -m tasks.connect.reference -->"
# In the order of a file; the kinds of a union follow the key that takes them.
PARTS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("来源", "Source", source.Source),
    ("database 数据库", "database", database.Database),
    ("http 请求的限度", "http", source.Http),
    ("success 业务状态码", "success", source.Success),
    ("auth: api_key", "auth: api_key", auth.ApiKey),
    ("auth: basic", "auth: basic", auth.Basic),
    ("auth: bearer", "auth: bearer", auth.Bearer),
    (
        "auth: oauth2_client_credentials",
        "auth: oauth2_client_credentials",
        auth.OAuth2ClientCredentials,
    ),
    ("auth: oauth2_password", "auth: oauth2_password", auth.OAuth2Password),
    ("auth: signed", "auth: signed", auth.Signed),
    ("auth: session", "auth: session", auth.SessionLogin),
    ("auth.expired 登录失效", "auth.expired", auth.Expired),
    ("auth.page 登录前的页面", "auth.page", auth.SignInPage),
    ("code_maps 代码表", "code_maps", fields.CodeMap),
    ("resources 资源", "resources", resource.Resource),
    ("fields 字段", "fields", fields.FieldRule),
    *(
        (f"paginator: {name}", f"paginator: {name}", kind)
        for name, kind in paginator_kinds().items()
    ),
    ("cursor 增量", "cursor", resource.CursorRule),
    ("windows 时间窗口", "windows", resource.WindowRule),
    ("where 条件", "where", fields.Condition),
    ("removed 撤回", "removed", fields.Removed),
    ("detail 详情请求", "detail", resource.Detail),
    ("children 下级记录", "children", resource.Child),
    ("control_total 对账", "control_total", resource.ControlTotal),
    ("workbook 工作簿", "workbook", resource.Workbook),
    ("workbook.sftp SFTP 目录", "workbook.sftp", resource.Sftp),
    ("workbook.listing 文件目录", "workbook.listing", resource.Listing),
    ("reject_limit 退回上限", "reject_limit", resource.RejectLimit),
)


def reference(language: str) -> str:
    """The reference in `zh` or `en`: a table of keys for every part."""
    return "\n".join(
        _part(zh if language == "zh" else en, model, language) + _examples(en)
        for zh, en, model in PARTS
    )


@dataclass(frozen=True)
class Example:
    """A piece of a source file in which keys of a part stand; `level` is `source` or `resource`."""

    part: str
    level: str
    text: str


@cache
def examples() -> tuple[Example, ...]:
    """All examples of the reference."""
    return tuple(Example(**one) for one in yaml.load(text_of(EXAMPLES), Loader=YamlLoader))


def _examples(part: str) -> str:
    return "".join(f"\n```yaml\n{one.text}```\n" for one in examples() if one.part == part)


def _part(title: str, model: type[BaseModel], language: str) -> str:
    head = (
        "| 键 | 类型 | 默认 | 含义 |" if language == "zh" else "| key | type | default | meaning |"
    )
    lines = [f"### {title}", "", head, "|---|---|---|---|"]
    lines += [
        "| "
        + " | ".join(
            (f"`{name}`", _type(info, language), _default(info, language), _meaning(info, language))
        )
        + " |"
        for name, info in _keys(model)
    ]
    return "\n".join(lines) + "\n"


def _keys(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, info in model.model_fields.items():
        if (
            name != "type"
            or "Literal" not in str(info.annotation)
            or len(get_args(info.annotation)) > 1
        ):
            yield info.alias or name, info


def _meaning(info: FieldInfo, language: str) -> str:
    for said in info.metadata:
        if isinstance(said, Says):
            return (said.zh if language == "zh" else said.en).replace("|", "\\|").replace("\n", " ")
    raise AssertionError(f"a key without its meaning: {info}")


_NAMES = {
    str: ("文字", "text"),
    int: ("整数", "integer"),
    float: ("数", "number"),
    bool: ("true/false", "true/false"),
    dict: ("键与值", "keys and values"),
    tuple: ("列表", "list"),
    timedelta: ("时长", "duration"),
    SecretStr: ("文字(秘密)", "text (secret)"),
}


def _type(info: FieldInfo, language: str) -> str:
    found: list[str] = []

    def look(annotation: Any) -> None:
        origin, inner = get_origin(annotation), get_args(annotation)
        if str(origin) == "typing.Literal":
            found.extend(f"`{value}`" for value in inner)
        elif origin in (dict, tuple):
            found.append(_NAMES[origin][language == "en"])
        elif inner:
            for part in inner:
                if isinstance(part, type) or get_args(part):
                    look(part)
        elif isinstance(annotation, type) and annotation is not NoneType:
            named = _NAMES.get(annotation)
            if named is not None:
                found.append(named[language == "en"])
            elif issubclass(annotation, BaseModel):
                found.append(_NAMES[dict][language == "en"])

    look(info.annotation)
    return "、".join(dict.fromkeys(found)) if language == "zh" else ", ".join(dict.fromkeys(found))


def _default(info: FieldInfo, language: str) -> str:
    if info.is_required():
        return "**必填**" if language == "zh" else "**required**"
    value = info.default
    if (
        value is PydanticUndefined
        or value is None
        or value in ((), "")
        or isinstance(value, BaseModel)
    ):
        return ""
    if isinstance(value, timedelta):
        return "0"
    if isinstance(value, tuple):
        return "`" + ", ".join(map(str, value)) + "`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "`" + str(value).replace("\n", "\\n").replace("|", "\\|") + "`"


def renewed(text: str, language: str) -> str:
    """A document with its reference part written anew."""
    head, found, _ = text.partition(BEGIN)
    if not found:
        raise ValueError("the document has no reference part")
    return f"{head}{BEGIN}\n\n{reference(language)}"


def main() -> int:
    for language, name in (("en", "connect.md"), ("zh", "connect.zh.md")):
        path = DOCS / name
        path.write_text(renewed(path.read_text(encoding="utf-8"), language), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
