"""A proposal from a description of a system's interface: OpenAPI or WSDL."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tasks.connect import personal, vocabulary
from tasks.connect.changes import Changes, updated_field
from tasks.connect.from_answer import fill, mapped_to, propose_from, without_persons
from tasks.connect.openapi import PLACES, Operation, is_description, operations_of
from tasks.connect.paging import Paging, is_part
from tasks.connect.proposal import Proposal
from tasks.connect.sample import Sample, decoded
from tasks.connect.wsdl import soap_operations
from tasks.sources import address
from tasks.sources.client import Client
from tasks.sources.decode import Undecodable
from tasks.sources.errors import SourceContractError, SourceError
from tasks.sources.exchange import Request

MOST_OTHERS = 12
MOST_OPERATIONS = 8


def described_operation(client: Client, request: Request) -> Operation | None:
    """The operation behind an address, where the system describes itself in one of the usual places."""
    path = urlsplit(request.url).path
    for place in PLACES:
        try:
            answer = client.get(Request(address.join(client.base_url, place)), retries=0)
            body = decoded(answer, "json")
        except (SourceError, Undecodable):
            continue
        if is_description(body):
            own = [o for o in operations_of(body) if o.path.rstrip("/") == path.rstrip("/")]
            return own[0] if own else None
    return None


def propose_from_openapi(
    client: Client, place: str, body: dict[str, Any], table_name: str | None
) -> Proposal:
    """The operation whose list goes best with the table: asked where that can be, else as described."""
    listed = list(operations_of(body))
    if not listed:
        raise SourceContractError(f"{address.shown(place)} 的接口描述中没有返回列表的操作")

    def weight(operation: Operation) -> float:
        kept = [f for f in operation.fields if personal.reason(f.path, (), f.alias) is None]
        return mapped_to(table_name, kept, None, operation.path).weight

    best = max(listed, key=weight)
    others = [f"{o.method} {o.path}({o.summary})" for o in listed if o is not best]
    parts = urlsplit(place)
    url = f"{parts.scheme}://{parts.netloc}{best.path}"
    request = Request(url, best.method, body={} if best.method == "POST" else None)
    try:
        if not best.is_plain:
            raise SourceContractError("path")
        proposal = propose_from(url, client.get(request, retries=0), table_name, client, best)
    except SourceError:
        proposal = _from_description(url, best, table_name)
    proposal.notes += [f"接口描述中的其他列表:{one}" for one in others[:MOST_OTHERS]]
    return proposal


def _from_description(url: str, operation: Operation, table_name: str | None) -> Proposal:
    """What a description alone tells, where its operation cannot be asked."""
    sample = Sample(0, fields={f.path: f for f in operation.fields})
    fields, left_out = without_persons(sample)
    own = vocabulary.identity()
    ids = [
        f
        for f in fields
        if max(own.weight(vocabulary.last_name(f.path)), own.weight(f.alias)) > 0.9
    ]
    key = min(ids, key=lambda f: (f.depth, len(f.path))).path if ids else None
    best = mapped_to(table_name, fields, key, operation.path)
    names = operation.parameters
    page = next((n for n in names if is_part(n, "page")), None)
    size = next((n for n in names if is_part(n, "size")), None)
    offset = next((n for n in names if is_part(n, "offset") and n != size), None)
    paginator: dict[str, Any] = {"type": "single"}
    if page:
        paginator = {"type": "page_number", "page_param": page, "size_param": size}
    elif offset:
        paginator = {"type": "offset", "offset_param": offset, "size_param": size}
    updated = updated_field(fields)
    proposal = Proposal(
        place=url,
        records=operation.records,
        count=0,
        key=key,
        paging=Paging(paginator),
        changes=Changes(updated.path if updated else None),
        table=best.table.name,
        has_table=table_name is not None,
        request={"method": "POST", "body": {}} if operation.method == "POST" else {},
        left_out=left_out,
        notes=["接口没有取到数据(可能需要登录,请以 --source 指定),以上按接口描述写出,请核对"],
    )
    fill(proposal, fields, best)
    return proposal


def propose_from_wsdl(
    client: Client, place: str, content: bytes, table_name: str | None
) -> Proposal:
    """The first operation that answers with records. Its address is that of the description's host."""
    tried = []
    for operation in soap_operations(content)[:MOST_OPERATIONS]:
        path = urlsplit(operation.location).path or urlsplit(place).path
        parts = urlsplit(place)
        url = f"{parts.scheme}://{parts.netloc}{path}"
        headers = {"SOAPAction": f'"{operation.action}"'} if operation.action else {}
        request = Request(url, "POST", headers=headers, body=operation.envelope, body_type="xml")
        try:
            proposal = propose_from(url, client.get(request, retries=0), table_name, client)
        except SourceError as error:
            tried.append(f"{operation.name}({type(error).__name__})")
            continue
        if headers:
            proposal.request["headers"] = headers
        return proposal
    raise SourceContractError(
        f"{address.shown(place)} 描述的操作都没有取到记录:{'、'.join(tried) or '(没有操作)'}。"
        "请按接口文档写出报文,用 --body @报文.xml 指定,需要登录时用 --source"
    )
