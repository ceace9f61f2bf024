"""An OpenAPI (or Swagger) description: which operations give lists, with what fields and parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tasks.connect.sample import Field
from tasks.sources.select import path_of

PLACES = ("openapi.json", "v3/api-docs", "v2/api-docs", "swagger.json", "api/schema/?format=json", "swagger/v1/swagger.json")  # fmt: skip
"""Where systems keep their description, below the address or the host."""
DEEPEST = 6
_KINDS = {"integer": "integer", "number": "decimal", "boolean": "boolean"}
_FORMATS = {"date-time": "timestamp", "date": "date", "datetime": "timestamp"}


@dataclass
class Operation:
    """An operation that gives a list: its address, its parameters with what is said of them, the
    path of the list and the fields of its records."""

    path: str
    method: str
    summary: str
    records: str | None
    fields: list[Field] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether it can be called as it is: no part of its path is to be filled in."""
        return "{" not in self.path


def is_description(body: Any) -> bool:
    """Whether a decoded answer is an OpenAPI description."""
    return (
        isinstance(body, dict)
        and ("openapi" in body or "swagger" in body)
        and isinstance(body.get("paths"), dict)
    )


def base_of(body: dict[str, Any]) -> str:
    """What stands before the paths: of the servers' addresses the path only."""
    from urllib.parse import urlsplit

    servers = body.get("servers") or [{}]
    own = servers[0].get("url", "") if isinstance(servers[0], dict) else ""
    return (str(body.get("basePath") or "") or urlsplit(own).path).rstrip("/")


def operations_of(body: dict[str, Any]) -> Iterator[Operation]:
    """Every operation that answers with a list of objects."""
    base = base_of(body)
    for path, item in body["paths"].items():
        if not isinstance(item, dict):
            continue
        for method in ("get", "post"):
            said = item.get(method)
            if not isinstance(said, dict):
                continue
            found = _list_in(body, _answer_schema(body, said), "", 0)
            if found is None:
                continue
            records, schema = found
            yield Operation(
                base + path,
                method.upper(),
                str(said.get("summary") or said.get("description") or ""),
                records or None,
                list(_fields(body, schema, "", 0)),
                _parameters(body, [*item.get("parameters", ()), *said.get("parameters", ())]),
            )


def _parameters(body: dict[str, Any], listed: list[Any]) -> dict[str, str]:
    found = (_resolved(body, one) for one in listed)
    return {
        str(one["name"]): str(one.get("description") or "")
        for one in found
        if one.get("in") == "query" and "name" in one
    }


def _answer_schema(body: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    answers = operation.get("responses") or {}
    said = _resolved(body, answers.get("200") or answers.get(200) or answers.get("default") or {})
    if "schema" in said:
        return _resolved(body, said["schema"])
    for kind, content in (said.get("content") or {}).items():
        if "json" in kind or kind == "*/*":
            return _resolved(body, content.get("schema") or {})
    return {}


def _resolved(body: dict[str, Any], schema: Any) -> dict[str, Any]:
    """A schema with its references followed, and `allOf` put together."""
    for _ in range(DEEPEST):
        if not isinstance(schema, dict) or "$ref" not in schema:
            break
        found: Any = body
        for name in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = (
                found.get(name.replace("~1", "/").replace("~0", "~"), {})
                if isinstance(found, dict)
                else {}
            )
        schema = found
    if not isinstance(schema, dict):
        return {}
    if "allOf" in schema:
        merged: dict[str, Any] = {k: v for k, v in schema.items() if k != "allOf"}
        properties = dict(merged.get("properties") or {})
        for part in schema["allOf"]:
            own = _resolved(body, part)
            properties |= own.get("properties") or {}
            merged = {**own, **merged}
        return {**merged, "properties": properties}
    for choice in ("oneOf", "anyOf"):
        if isinstance(schema.get(choice), list):
            real = [one for one in schema[choice] if _resolved(body, one).get("type") != "null"]
            if real and "properties" not in schema:
                return {
                    **_resolved(body, real[0]),
                    **{k: v for k, v in schema.items() if k in ("title", "description")},
                }
    return schema


def _kind(schema: dict[str, Any]) -> str:
    said = schema.get("type")
    found = next((t for t in said if t != "null"), "") if isinstance(said, list) else said
    return str(
        found
        or ("object" if "properties" in schema else "array" if "items" in schema else "string")
    )


def _list_in(
    body: dict[str, Any], schema: dict[str, Any], path: str, depth: int
) -> tuple[str, dict[str, Any]] | None:
    """The nearest list of objects in an answer's schema."""
    if _kind(schema) == "array":
        items = _resolved(body, schema.get("items"))
        return (path, items) if _kind(items) == "object" and items.get("properties") else None
    if depth > 3:
        return None
    for name, inner in (schema.get("properties") or {}).items():
        own = path_of([str(name)])
        found = _list_in(body, _resolved(body, inner), f"{path}.{own}" if path else own, depth + 1)
        if found is not None:
            return found
    return None


def _fields(
    body: dict[str, Any], schema: dict[str, Any], prefix: str, depth: int
) -> Iterator[Field]:
    """The scalars of a record's schema; what is enumerated stands for values."""
    for name, said in (schema.get("properties") or {}).items():
        inner = _resolved(body, said)
        path, kind = f"{prefix}{path_of([str(name)])}", _kind(inner)
        alias = str(inner.get("title") or inner.get("description") or "")
        if kind == "object":
            if depth < 3:
                yield from _fields(body, inner, f"{path}.", depth + 1)
        elif kind != "array":
            values = [value for value in inner.get("enum", ()) if value is not None]
            form = _FORMATS.get(str(inner.get("format")), _KINDS.get(kind, "text"))
            yield Field(path, values, form, alias=alias[:40])
