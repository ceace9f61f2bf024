"""A body that is sent as it is written: a SOAP envelope, or any other text.

Parameters go into the XML element of their name, or where `{name}` stands. What nothing fills is
sent empty: an envelope without a beginning asks for everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

from tasks.sources.errors import SourceContractError
from tasks.sources.select import compile_path, text

_PLACE = re.compile(r"\{([A-Za-z_$][\w.$]*)\}")


def filled(body: str, values: Mapping[str, Any]) -> str:
    """The body with those places filled for which there is a value."""

    def replace(match: re.Match[str]) -> str:
        found = compile_path(match[1])(values)
        return match[0] if found is None else _written(body, text(found))

    return _PLACE.sub(replace, body)


def with_values(body: str, values: Mapping[str, str | int]) -> str:
    """The body with parameters set. Raises SourceContractError for one that has no place in it."""
    for name, value in values.items():
        written = _written(body, str(value))
        place = "{" + name + "}"
        element = _element(name)
        if place in body:
            body = body.replace(place, written)
        elif element.search(body):
            body = element.sub(partial(_with_text, written), body)
        else:
            raise SourceContractError(
                f"请求体中没有参数 {name} 的位置:应有名为 {name} 的 XML 元素,或写 {{{name}}}"
            )
    return body


def _with_text(written: str, found: re.Match[str]) -> str:
    if found[1]:
        return f"{found[1]}{written}{found[3]}"
    return f"{found[4]}>{written}</{found[5]}>"


def sent(body: str) -> str:
    """The body as it goes out: places that nothing filled are empty in XML."""
    return _PLACE.sub("", body) if _is_xml(body) else body


def given(body: str) -> dict[str, str]:
    """The texts of the innermost XML elements by their names."""
    found = re.findall(r"<(?:[\w.-]+:)?([\w.-]+)(?:\s[^<>]*)?>([^<]*)</(?:[\w.-]+:)?\1\s*>", body)
    return {name: value.strip() for name, value in found}


def wrong_xml(body: str) -> str | None:
    """What is wrong with a body that should be XML; None for nothing."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        etree.fromstring(body.strip().encode(), parser)
    except etree.XMLSyntaxError as error:
        return f"第 {error.lineno} 行"
    return None


def _element(name: str) -> re.Pattern[str]:
    """The innermost elements of a name, whatever their prefix, open and closed or empty."""
    own = rf"(?:[\w.-]+:)?{re.escape(name)}"
    return re.compile(rf"(<{own}(?:\s[^<>]*)?(?<!/)>)([^<]*)(</{own}\s*>)|(<({own}))\s*/>")


def _is_xml(body: str) -> bool:
    return body.lstrip().startswith("<")


def _written(body: str, value: str) -> str:
    return escape(value) if _is_xml(body) else value
