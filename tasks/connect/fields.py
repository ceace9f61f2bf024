"""From an address or a folder to the beginning of a source file: list, key, paging, cursor, fields.

A proposal, to be read by a person. Values are looked at, never shown, but for codes, which are few
and short; fields that look like personal data are left out and named with the reason.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tasks.connect.from_answer import propose_from
from tasks.connect.from_description import (
    described_operation,
    propose_from_openapi,
    propose_from_wsdl,
)
from tasks.connect.from_folder import propose_from_folder
from tasks.connect.openapi import is_description
from tasks.connect.paging import given_of
from tasks.connect.proposal import Proposal
from tasks.connect.sample import decoded, form_of
from tasks.connect.wsdl import is_wsdl
from tasks.sources.client import Client
from tasks.sources.decode import Undecodable
from tasks.sources.exchange import Request
from tasks.sources.model.auth import Auth
from tasks.sources.model.source import Source

__all__ = ["Proposal", "propose", "propose_from"]


def propose(
    place: str,
    *,
    source: Source | None = None,
    auth: Auth | None = None,
    method: str = "GET",
    body: dict[str, Any] | str | None = None,
    table_name: str | None = None,
) -> Proposal:
    """Look at an address or a folder and propose a mapping. Raises SourceError.

    With a source its sign-in and limits are used, with a body the request is a POST.
    """
    folder = Path(place)
    if not urlsplit(place).scheme.startswith("http"):
        return propose_from_folder(folder, table_name)
    parts = urlsplit(place)
    minimal: dict[str, Any] = {
        "name": "sample",
        "title": parts.netloc.rpartition("@")[2],
        "base_url": f"{parts.scheme}://{parts.netloc}",
        "resources": [
            {"name": "sample", "table": "article", "path": "/", "key": "id", "fields": {}}
        ],
    }
    own = Source.model_validate(minimal)
    if source is not None:
        own = own.model_copy(update={"auth": source.auth, "http": source.http})
    if auth is not None:
        own = own.model_copy(update={"auth": auth})
    with Client(own) as client:
        bare = parts._replace(query="", fragment="").geturl()
        kind = (
            "json"
            if not isinstance(body, str)
            else "xml"
            if body.lstrip().startswith("<")
            else "text"
        )
        request = Request(
            bare,
            "POST" if body is not None else method,
            params=given_of(place),
            body=body,
            body_type=kind,
        )
        return _looked_at(client, place, request, table_name)


def _looked_at(client: Client, place: str, request: Request, table_name: str | None) -> Proposal:
    """A proposal from what an address answers: a list, or the description of a system's lists."""
    answer = client.get(request)
    if is_wsdl(answer.content):
        return propose_from_wsdl(client, place, answer.content, table_name)
    if request.body is None:
        with contextlib.suppress(Undecodable):
            body = decoded(answer, form_of(answer))
            if is_description(body):
                return propose_from_openapi(client, place, body, table_name)
    aliases = described_operation(client, request) if request.body is None else None
    return propose_from(place, answer, table_name, client, aliases)
