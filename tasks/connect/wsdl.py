"""A WSDL description: the operations of a SOAP service, each with an envelope to ask it by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tasks.connect import vocabulary

SOAP11, SOAP12 = (
    "http://schemas.xmlsoap.org/soap/envelope/",
    "http://www.w3.org/2003/05/soap-envelope",
)
_WSDL, _XSD = "{http://schemas.xmlsoap.org/wsdl/}", "{http://www.w3.org/2001/XMLSchema}"
_BINDING = ("{http://schemas.xmlsoap.org/wsdl/soap/}", "{http://schemas.xmlsoap.org/wsdl/soap12/}")
FIRST_SIZE = 20
DEEPEST = 4


@dataclass(frozen=True)
class SoapOperation:
    """An operation: its name, where it is asked, with which action and envelope."""

    name: str
    location: str
    action: str
    envelope: str


def is_wsdl(content: bytes) -> bool:
    """Whether bytes are a WSDL 1.1 description."""
    return b"schemas.xmlsoap.org/wsdl/" in content[:4000] and b"definitions" in content[:4000]


def soap_operations(content: bytes) -> list[SoapOperation]:
    """The operations, those first that look like asking for a list."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    root = etree.fromstring(content, parser)
    found = {one.name: one for one in _operations(root)}
    return sorted(found.values(), key=lambda one: -_likely(one.name))


def _likely(name: str) -> int:
    said = vocabulary.tokens(name)
    asks = {"query", "list", "find", "search", "page", "get", "select", "fetch", "export"}
    changes = {
        "add",
        "save",
        "update",
        "delete",
        "remove",
        "create",
        "set",
        "send",
        "login",
        "push",
        "insert",
    }
    return (
        2 * bool(asks & set(said))
        + any(word in ("list", "page", "all") or word.endswith("s") for word in said)
        - 4 * bool(changes & set(said))
    )


def _operations(root: Any) -> Iterator[SoapOperation]:
    location = next(
        (a.get("location", "") for mark in _BINDING for a in root.iter(f"{mark}address")), ""
    )
    messages = {m.get("name"): m for m in root.iter(f"{_WSDL}message")}
    actions = {
        o.get("name"): next(
            (s.get("soapAction", "") for mark in _BINDING for s in o.iter(f"{mark}operation")), ""
        )
        for b in root.iter(f"{_WSDL}binding")
        for o in b.iter(f"{_WSDL}operation")
    }
    for port in root.iter(f"{_WSDL}portType"):
        for operation in port.iter(f"{_WSDL}operation"):
            name = operation.get("name", "")
            asked = operation.find(f"{_WSDL}input")
            message = messages.get(_local(asked.get("message", ""))) if asked is not None else None
            if message is not None:
                yield SoapOperation(
                    name, location, actions.get(name, ""), _envelope(root, name, message)
                )


def _envelope(root: Any, name: str, message: Any) -> str:
    """The envelope with every element of the request: pages begin at 1, all else is empty."""
    space = root.get("targetNamespace", "")
    inner: list[str] = []
    element = name
    for part in message.iter(f"{_WSDL}part"):
        if part.get("element"):
            element = _local(part.get("element"))
            space, inner = _of_element(root, element)
        else:
            inner.append(_leaf(part.get("name", ""), ""))
    lines = "\n".join(f"      {line}" for line in inner)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<soapenv:Envelope xmlns:soapenv="{SOAP11}" xmlns:t="{space}">\n'
        f"  <soapenv:Body>\n    <t:{element}>\n{lines}\n    </t:{element}>\n  </soapenv:Body>\n</soapenv:Envelope>\n"
    )


def _of_element(root: Any, name: str) -> tuple[str, list[str]]:
    for schema in root.iter(f"{_XSD}schema"):
        for element in schema.findall(f"{_XSD}element"):
            if element.get("name") == name:
                prefix = "t:" if schema.get("elementFormDefault") == "qualified" else ""
                return schema.get("targetNamespace", ""), list(_children(root, element, prefix, 0))
    return root.get("targetNamespace", ""), []


def _children(root: Any, element: Any, prefix: str, depth: int) -> Iterator[str]:
    kind = element.find(f"{_XSD}complexType")
    if kind is None and element.get("type"):
        own = _local(element.get("type"))
        kind = next((t for t in root.iter(f"{_XSD}complexType") if t.get("name") == own), None)
    if kind is None or depth > DEEPEST:
        return
    for child in kind.iter(f"{_XSD}element"):
        name = child.get("name") or _local(child.get("ref", ""))
        inner = list(_children(root, child, prefix, depth + 1))
        if inner:
            yield f"<{prefix}{name}>"
            yield from (f"  {line}" for line in inner)
            yield f"</{prefix}{name}>"
        elif name:
            yield _leaf(name, prefix)


def _leaf(name: str, prefix: str) -> str:
    plain = vocabulary.compact(name)
    value = (
        "1"
        if plain in vocabulary.part("page")
        else str(FIRST_SIZE)
        if plain in vocabulary.part("size")
        else ""
    )
    return f"<{prefix}{name}>{value}</{prefix}{name}>"


def _local(name: str) -> str:
    return name.rpartition(":")[2]
