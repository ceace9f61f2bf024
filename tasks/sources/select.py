"""Paths of a source file, compiled once: from a record to a value.

Simple dotted paths, by far the most, become plain look-ups; anything else is JMESPath.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jmespath
import msgspec
from jmespath import functions
from jmespath.exceptions import JMESPathError

from tasks.sources.errors import SourceContractError

Get = Callable[[Any], Any]
# A name of a path: as it is, also @attribute and prefix:name, which JMESPath cannot mean; or
# in double quotes, whatever it holds.
_NAME = r"""(?:@(?=\w))?[^\s.\[\]{}()|&*?'"`,:@!=<>][^\s.\[\]{}()|&*?'"`,@!=<>]*"""
_PART = re.compile(rf"""({_NAME})|"([^"\\]+)\"""")
_SIMPLE = re.compile(rf"""(?:{_PART.pattern})(?:\.(?:{_PART.pattern}))*""")


def compile_path(path: str | None) -> Get:
    """What the path gives on a value; None where it leads nowhere. No path gives the value.

    Raises SourceContractError for a path that is no JMESPath.
    """
    if path is None or path == "@":
        return lambda value: value
    parts = simple_parts(path)
    if parts is None:
        return _jmespath(path)
    if len(parts) == 1:
        return _one(parts[0])
    if len(parts) == 2:
        return _two(*parts)
    return _many(parts)


class _Functions(functions.Functions):  # type: ignore[misc]
    """What the paths of a source file can call beside the functions of JMESPath."""

    @functions.signature({"types": ["string", "null"]})  # type: ignore[untyped-decorator]
    def _func_from_json(self, written: str | None) -> Any:
        """The value of a JSON text, as systems put one into a field of another."""
        try:
            return msgspec.json.decode(written or "null")
        except msgspec.DecodeError:
            return None


_OPTIONS = jmespath.Options(custom_functions=_Functions())


def _jmespath(path: str) -> Get:
    try:
        expression = jmespath.compile(path)
    except JMESPathError as error:
        raise SourceContractError(
            f"路径 {path} 不是合法的 JMESPath:{str(error).splitlines()[0]}。"
            '含特殊字符的键请加双引号,如 "申请人-类别"'
        ) from error

    def get(value: Any) -> Any:
        try:
            return expression.search(value, _OPTIONS)
        except JMESPathError:
            return None

    return get


def _one(name: str) -> Get:
    def get(value: Any) -> Any:
        return value.get(name) if value.__class__ is dict else None

    return get


def _two(first: str, second: str) -> Get:
    def get(value: Any) -> Any:
        if value.__class__ is dict:
            inner = value.get(first)
            if inner.__class__ is dict:
                return inner.get(second)
        return None

    return get


def _many(names: tuple[str, ...]) -> Get:
    def get(value: Any) -> Any:
        for name in names:
            if value.__class__ is not dict:
                return None
            value = value.get(name)
        return value

    return get


def simple_parts(path: str) -> tuple[str, ...] | None:
    """The names of a simple dotted path; None for a JMESPath expression."""
    if not _SIMPLE.fullmatch(path):
        return None
    return tuple(plain or quoted for plain, quoted in _PART.findall(path))


def path_of(names: Iterable[str]) -> str:
    """The path that goes by these names, each in quotes where it must be."""
    return ".".join(name if _PART.fullmatch(name) else f'"{name}"' for name in names)


def text(value: Any) -> str:
    """A scalar as the source file writes it: true, 1, abc; nothing is an empty text."""
    if value is None:
        return ""
    if value.__class__ is bool:
        return "true" if value else "false"
    return value if value.__class__ is str else str(value)


_PLACE = re.compile(r"\{([^{}]+)\}")
# Braces within braces, or around blanks, marks and quotes, are not ours.
_PLACES_ONLY = re.compile(r"[^{}]*(\{[^{}\s\"':,]+\}[^{}]*)+")


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """`{path}` in texts (also inside dicts and lists) replaced by what `values` has there.

    A text of a query language, or of JSON, has braces of its own: there, what names nothing in
    `values` stays as it is. Raises SourceContractError for any other place that nothing fills.
    """
    if isinstance(template, dict):
        return {key: fill(item, values) for key, item in template.items()}
    if isinstance(template, list):
        return [fill(item, values) for item in template]
    if not isinstance(template, str) or "{" not in template:
        return template
    has_own_braces = not _PLACES_ONLY.fullmatch(template)

    def replace(match: re.Match[str]) -> str:
        is_path = not has_own_braces or _SIMPLE.fullmatch(match[1])
        found = compile_path(match[1])(values) if is_path else None
        if found is None and has_own_braces:
            return match[0]
        if found is None:
            raise SourceContractError(
                f"请求中的占位 {match[0]} 没有值;请检查 for_each 或上级记录的字段名"
            )
        return text(found)

    return _PLACE.sub(replace, template)
