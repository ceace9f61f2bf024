"""From the bytes of an answer to plain values: JSON, lines of JSON, XML, CSV; any encoding."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import msgspec

_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_XML_HEAD = re.compile(rb"^\s*<\?xml[^>]*encoding=[\"']([\w.-]+)[\"']", re.IGNORECASE)
_BYTE = re.compile(r"\(byte (\d+)\)")
# callback({...}); as systems answer that were made for pages of another host.
_JSONP = re.compile(rb"(?:/\*.*?\*/)?\s*[\w$.]+\((.*)\)\s*;?", re.DOTALL)
_ALIASES = {"gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "cp936": "gb18030"}


class Undecodable(ValueError):
    """The bytes are not what the format says."""


def decode_text(content: bytes, encoding: str | None = None) -> str:
    """Text in the named encoding; else by its mark, else UTF-8, else GB18030."""
    for mark, name in _BOMS.items():
        if content.startswith(mark):
            return content.decode(name)
    candidates = [_ALIASES.get(encoding.lower(), encoding)] if encoding else []
    for name in [*candidates, "utf-8", "gb18030"]:
        try:
            return content.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    raise Undecodable("编码不是 UTF-8,也不是 GB18030")


def decode(content: bytes, form: str, encoding: str | None = None) -> Any:
    """Values of a `json`, `ndjson`, `xml` or `csv` answer. Raises Undecodable."""
    if form == "json":
        return _json(content, encoding)
    if form == "ndjson":
        return [_json(line, encoding) for line in content.splitlines() if line.strip()]
    if form == "xml":
        return decode_xml(content, encoding)
    return decode_csv(decode_text(content, encoding))


def _json(content: bytes, encoding: str | None) -> Any:
    try:
        if encoding is None or encoding.lower() in ("utf-8", "utf8"):
            try:
                return msgspec.json.decode(content)
            except (msgspec.DecodeError, UnicodeDecodeError):
                content = decode_text(content).encode()
        else:
            content = decode_text(content, encoding).encode()
        return msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        wrapped = _JSONP.fullmatch(content.strip())
        if wrapped:
            return _json(wrapped[1], None)
        line, column = _place(content, str(error))
        raise Undecodable(f"不是合法的 JSON(第 {line} 行第 {column} 列)") from None


def _place(content: bytes, error: str) -> tuple[int, int]:
    """Line and column, from 1, of the byte that an error names; the end where it names none."""
    named = _BYTE.search(error)
    before = content[: int(named[1])] if named else content
    line_start = before.rfind(b"\n") + 1
    return before.count(b"\n") + 1, len(before[line_start:].decode(errors="ignore")) + 1


def decode_xml(content: bytes, encoding: str | None = None) -> Any:
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
    parser = etree.XMLParser(
        encoding=name,
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise Undecodable(f"不是合法的 XML(第 {error.lineno} 行)") from None
    return _element(root)


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
