"""Asks a list the same question in other words, to learn what its parameters do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tasks.sources import raw_body
from tasks.sources.client import Client
from tasks.sources.decode import Undecodable
from tasks.sources.errors import SourceError
from tasks.sources.exchange import Answer, Request
from tasks.sources.select import compile_path, text

MOST_REQUESTS = 120


@dataclass(frozen=True)
class Heard:
    """An answer with its records."""

    answer: Answer
    records: list[Any]


@dataclass
class Asker:
    """Sends the sample's request with other parameters. A refusal is an answer, too: None.

    `request` is the one that brought the sample, `records` the path of its list, `key` that of the
    records' id; `most` are the records of the longest answer. No more than MOST_REQUESTS are sent.
    """

    client: Client
    request: Request
    records: str | None
    key: str | None
    sent: int = 0
    place: str = "query"
    most: list[Any] = field(default_factory=list)
    _known: dict[str, Heard | None] = field(default_factory=dict)

    def ask(self, values: Mapping[str, Any], without: tuple[str, ...] = ()) -> Heard | None:
        """The answer with these parameters set; None where the system refuses or there is no list."""
        kept = replace(
            self.request, params={n: v for n, v in self.request.params.items() if n not in without}
        )
        try:
            asked = kept.with_values({n: v for n, v in values.items() if v is not None}, self.place)
        except SourceError:
            return None
        return self.get(asked)

    @property
    def given(self) -> dict[str, str]:
        """The parameters that the sample's request carries, those of its body included."""
        body = self.request.body
        inner = (
            raw_body.given(body)
            if isinstance(body, str)
            else {n: text(v) for n, v in (body or {}).items() if not isinstance(v, dict | list)}
        )
        return {
            **dict(parse_qsl(urlsplit(self.request.url).query, keep_blank_values=True)),
            **self.request.params,
            **inner,
        }

    def get(self, request: Request) -> Heard | None:
        """The answer to a request, asked for once."""
        mark = repr((request.url, sorted(request.params.items()), request.content))
        if mark not in self._known:
            self._known[mark] = self._heard(request)
        return self._known[mark]

    def _heard(self, request: Request) -> Heard | None:
        if self.sent >= MOST_REQUESTS:
            return None
        self.sent += 1
        try:
            answer = self.client.get(request, retries=0)
            found = compile_path(self.records)(answer.body)
        except (SourceError, Undecodable):
            return None
        if isinstance(found, dict):
            found = [found]
        if not isinstance(found, list):
            return None if found else Heard(answer, [])
        if len(found) > len(self.most):
            self.most = found
        return Heard(answer, found)

    def marks(self, records: list[Any]) -> list[str]:
        """What tells the records apart: their ids, or all of each."""
        if self.key is None:
            return [repr(record) for record in records]
        select = compile_path(self.key)
        return [text(select(record)) for record in records]
