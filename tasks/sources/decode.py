"""From the bytes of an answer to plain values: JSON, lines of JSON, XML, CSV; any encoding."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from typing import Any

import msgspec

_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_XML_HEAD = re.compile(rb"^\s*<\?xml[^>]*encoding=[\"']([\w.-]+)[\"']", re.IGNORECASE)
_BYTE = re.compile(r"\(byte (\d+)\)")
# callback({...}); as systems answer that were made for pages of another host.
_JSONP = re.compile(rb"(?:/\*.*?\*/)?\s*[\w$.]+\((.*)\)\s*;?", re.DOTALL)
MOST_WRONG_BYTES = 20
LONGEST_NUMBER = 400
DEEPEST = 64
_ALIASES = {"gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "cp936": "gb18030"}


class Undecodable(ValueError):
    """The bytes are not what the format says."""


def decode_text(
    content: bytes, encoding: str | None = None, mended: list[str] | None = None
) -> str:
    """Text in the named encoding; else by its mark, else UTF-8, else GB18030.

    With `mended`, a few bytes that belong to none of them are replaced and told there.
    """
    marked = [name for mark, name in _BOMS.items() if content.startswith(mark)]
    named = [_ALIASES.get(encoding.lower(), encoding)] if encoding else []
    for name in [*marked, *named, "utf-8", "gb18030"]:
        try:
            return content.decode(name)
        # What a server calls an encoding may be none, or one of Python's that is not of texts.
        except (UnicodeError, LookupError):
            continue
    if mended is not None:
        text = content.decode("utf-8", errors="replace")
        wrong = text.count("\ufffd")
        if wrong <= max(MOST_WRONG_BYTES, len(content) // 10_000):
            mended.append(f"{wrong} 处字节不合编码,以 � 代替")
            return text
    raise Undecodable("编码不是 UTF-8,也不是 GB18030")


def decode(
    content: bytes, form: str, encoding: str | None = None, mended: list[str] | None = None
) -> Any:
    """Values of a `json`, `ndjson`, `xml` or `csv` answer. Raises Undecodable.

    A value that the format does not know (NaN, a lone surrogate, a control character, 1e400, what
    is nested too deep) harms only itself: it comes as text, or cut off, and is told in `mended`.
    """
    mended = [] if mended is None else mended
    if form == "json":
        return _json(content, encoding, mended)
    if form == "ndjson":
        return [_json(line, encoding, mended) for line in content.splitlines() if line.strip()]
    if form == "xml":
        return decode_xml(content, encoding, mended)
    return decode_csv(decode_text(content, encoding, mended))


def _json(content: bytes, encoding: str | None, mended: list[str]) -> Any:
    if encoding is None or encoding.lower() in ("utf-8", "utf8"):
        try:
            return msgspec.json.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    content = decode_text(content, encoding, mended).encode("utf-8", errors="replace")
    try:
        return msgspec.json.decode(content)
    except (msgspec.MsgspecError, RecursionError) as error:
        wrapped = _JSONP.fullmatch(content.strip())
        if wrapped:
            return _json(wrapped[1], None, mended)
        try:
            return _lenient(content, mended)
        except (ValueError, RecursionError):
            line, column = _place(content, str(error))
            raise Undecodable(f"不是合法的 JSON(第 {line} 行第 {column} 列)") from None


def _lenient(content: bytes, mended: list[str]) -> Any:
    """JSON whose form is right and some value is not. Raises ValueError."""
    text = _shallow(content).decode()
    value = json.loads(
        text,
        strict=False,
        parse_constant=str,
        parse_float=lambda said: float(said) if math.isfinite(float(said)) else said,
        parse_int=lambda said: int(said) if len(said) < LONGEST_NUMBER else said,
    )
    mended.append("个别值不合 JSON 的写法(如 NaN、孤立的代理字符、控制字符),按文字读取")
    return _without_surrogates(value) if "\\u" in text else value


_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)


def _shallow(content: bytes) -> bytes:
    """The JSON with what is nested deeper than any record of a system cut off."""
    kept, depth, begin = [], 0, 0
    for token in _BRACKETS.finditer(content):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
            if depth == DEEPEST + 1:
                kept += [content[begin : token.start()], b"null"]
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == DEEPEST:
                begin = token.end()
    return b"".join([*kept, content[begin:]]) if kept else content


def _without_surrogates(value: Any) -> Any:
    """Halves of characters, which no text may hold, replaced."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value


def _place(content: bytes, error: str) -> tuple[int, int]:
    """Line and column, from 1, of the byte that an error names; the end where it names none."""
    named = _BYTE.search(error)
    before = content[: int(named[1])] if named else content
    line_start = before.rfind(b"\n") + 1
    return before.count(b"\n") + 1, len(before[line_start:].decode(errors="ignore")) + 1


def decode_xml(content: bytes, encoding: str | None = None, mended: list[str] | None = None) -> Any:
    """XML as nested dicts: repeated elements become lists, attributes `@name`, text `#text`.

    The root element is the value itself; namespaces are dropped. Entities are not resolved.
    """
    from lxml import etree

    head = _XML_HEAD.match(content)
    declared = head[1].decode("ascii") if head else None
    name = encoding or declared
    if name and name.lower() in _ALIASES:
        content = content.decode("gb18030", errors="replace").encode("utf-8")
        name = "utf-8"
    try:
        root = _xml_root(content, name)
    except etree.XMLSyntaxError as error:
        # Control characters, which XML cannot hold, are the commonest slip of those who write it.
        cleaned = _XML_FORBIDDEN.sub(b"", content)
        if mended is None or cleaned == content:
            raise Undecodable(f"不是合法的 XML(第 {error.lineno} 行)") from None
        try:
            root = _xml_root(cleaned, name)
        except etree.XMLSyntaxError:
            raise Undecodable(f"不是合法的 XML(第 {error.lineno} 行)") from None
        mended.append("XML 中有控制字符,已去掉")
    try:
        return _element(root)
    except RecursionError:
        raise Undecodable("嵌套过深") from None


_XML_FORBIDDEN = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:0*(?:[0-8]|1[124-9]|2[0-9]|3[01])|[xX]0*(?:[0-8bBcCeEfF]|1[0-9a-fA-F]));"
)


def _xml_root(content: bytes, encoding: str | None) -> Any:
    from lxml import etree

    given: dict[str, Any] = {
        "resolve_entities": False,
        "no_network": True,
        "remove_comments": True,
        "remove_pis": True,
    }
    try:
        parser = etree.XMLParser(encoding=encoding, **given)
    except LookupError:
        parser = etree.XMLParser(**given)
    return etree.fromstring(content, parser)


def _element(element: Any) -> Any:
    value: dict[str, Any] = {f"@{_local(k)}": v for k, v in element.attrib.items()}
    for child in element:
        name = _local(child.tag)
        inner = _element(child)
        if name in value:
            if not isinstance(value[name], list):
                value[name] = [value[name]]
            value[name].append(inner)
        else:
            value[name] = inner
    content = (element.text or "").strip()
    if not value:
        return content or None
    if content:
        value["#text"] = content
    return value


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def decode_csv(content: str) -> list[dict[str, str]]:
    """Rows of a CSV with a header line; the delimiter is found by itself."""
    head = content[: content.find("\n") + 1] or content
    delimiter = max(",;\t|", key=head.count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    try:
        labels = [label.strip() for label in next(reader, [])]
        return [dict(zip(labels, row, strict=False)) for row in reader if any(row)]
    except csv.Error as error:
        raise Undecodable(f"不是合法的 CSV(第 {reader.line_num} 行)") from error
