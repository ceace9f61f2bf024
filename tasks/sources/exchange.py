"""One exchange with a system: what is asked and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import msgspec
from requests.structures import CaseInsensitiveDict

from tasks.sources import raw_body
from tasks.sources.declared import Declared
from tasks.sources.decode import Undecodable, decode, decode_text
from tasks.sources.select import text


@dataclass(frozen=True)
class Request:
    """What is asked: an address, and everything sent with it."""

    url: str
    method: str = "GET"
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | str | None = None
    body_type: str = "json"
    form: str = "json"
    encoding: str | None = None
    declared: Declared | None = field(default=None, compare=False)

    def with_values(self, values: Mapping[str, str | int], place: str = "query") -> Request:
        """The same request with more values, in the query or (dotted names) in the body."""
        if isinstance(self.body, str) and place == "body":
            return replace(self, body=raw_body.with_values(self.body, values))
        if place == "query":
            return replace(self, params={**self.params, **{k: str(v) for k, v in values.items()}})
        body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self.body or {}))
        for name, value in values.items():
            *parents, last = name.split(".")
            inner = body
            for parent in parents:
                inner = inner.setdefault(parent, {})
            inner[last] = value
        return replace(self, body=body)

    def at_address(self, url: str) -> Request:
        """The same request to an address that holds its whole query."""
        return replace(self, url=url, params={})

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        if self.body is None:
            return b""
        if isinstance(self.body, str):
            return raw_body.sent(self.body).encode()
        if self.body_type == "json":
            return msgspec.json.encode(self.body)
        return urlencode({name: text(value) for name, value in self.body.items()}).encode()


@dataclass
class Answer:
    """What came back; `body` is decoded when it is first asked for, and `mended` then tells of
    values in it that had to be replaced."""

    request: Request
    url: str
    status: int
    headers: CaseInsensitiveDict[str]
    content: bytes
    mended: list[str] = field(default_factory=list)
    _declared: Any = None
    _whole: Any = None
    _is_decoded: bool = False

    @property
    def body(self) -> Any:
        """The decoded answer, or of it what the request says is declared. Raises Undecodable."""
        if self._declared is None and not self._is_decoded:
            declared = self.request.declared
            if declared is not None and self._encoding in (None, "utf-8", "utf8"):
                self._declared = declared.decode(self.content)
        return self.whole if self._declared is None else self._declared

    @property
    def whole(self) -> Any:
        """All of the decoded answer. Raises Undecodable."""
        if not self._is_decoded:
            self._whole = decode(self.content, self.request.form, self._encoding, self.mended)
            self._is_decoded = True
        return self._whole

    @property
    def _encoding(self) -> str | None:
        return self.request.encoding or _charset(self.headers.get("Content-Type", ""))

    @property
    def text(self) -> str:
        """The answer as text, whatever its format."""
        try:
            return decode_text(self.content, _charset(self.headers.get("Content-Type", "")))
        except Undecodable:
            return ""


def _charset(content_type: str) -> str | None:
    _, found, charset = content_type.lower().partition("charset=")
    return charset.split(";")[0].strip(" \"'") or None if found else None
