"""A proposal from the answer of a list, its paging and cursor tried out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from tasks.connect import personal, vocabulary
from tasks.connect.asking import Asker, Heard
from tasks.connect.changes import Changes, found_changes, says_since, updated_field
from tasks.connect.keys import key_of
from tasks.connect.mapping import ACCEPTED, Candidate, best_table, codes_for, mapped
from tasks.connect.mapping import Mapping as Mapped
from tasks.connect.openapi import Operation
from tasks.connect.paging import Paging, found_paging, given_of, is_part, said_paging
from tasks.connect.proposal import FieldProposal, Proposal
from tasks.connect.sample import SAMPLE, Field, Sample, decoded, form_of, sample_of, the_list
from tasks.load.typed import prepare
from tasks.sources import address
from tasks.sources.client import Client
from tasks.sources.decode import Undecodable
from tasks.sources.errors import SourceContractError
from tasks.sources.exchange import Answer, Request
from tasks.sources.model.fields import FieldRule
from tasks.sources.page import business_code
from tasks.sources.select import text
from warehouse.lake import in_memory
from warehouse.tables import Column, table

MOST_SECOND = 3


def propose_from(
    url: str,
    answer: Answer,
    table_name: str | None = None,
    client: Client | None = None,
    described: Operation | None = None,
) -> Proposal:
    """A proposal from an answer; with a client paging and cursor are tried out. What a description
    calls the fields counts like their names, its parameters are tried first.

    Raises SourceContractError when it holds no list of records.
    """
    form = form_of(answer)
    path, records, body = _records(url, answer, form)
    # Read by its own format from here on.
    request = replace(answer.request, form=form)
    answer = Answer(request, answer.url, answer.status, answer.headers, answer.content)
    near = urlsplit(url).path
    sample = _sampled(records[:SAMPLE], described)
    fields, left_out = without_persons(sample)
    key = key_of(fields, sample.count, near)
    updated = updated_field(fields)
    paging = said_paging(answer, body, path, len(records))
    changes = Changes(updated.path if updated else None)
    if client is not None:
        asker = Asker(client, request, path, key)
        paging, changes = _tried(asker, Heard(answer, records), updated, described)
        if len(asker.most) > len(records):
            sample = _sampled(asker.most[:SAMPLE], described)
            fields, left_out = without_persons(sample)
    best = mapped_to(table_name, fields, key, near)
    proposal = Proposal(
        place=url,
        params=_fixed_params(request.params or given_of(url), paging.paginator, changes),
        records=path,
        count=sample.count,
        key=key,
        paging=paging,
        changes=changes,
        table=best.table.name,
        has_table=table_name is not None,
        request=_request_of(request, form, _sent(paging.paginator, changes)),
        success=business_code(body) if isinstance(body, dict) else None,
        secrets=[n for n in given_of(url) if vocabulary.compact(n) in vocabulary.part("secret")],
        lists=sample.lists,
        left_out=left_out,
        notes=list(paging.notes),
    )
    if changes.cursor is None and updated is not None and client is not None:
        proposal.notes.append(
            f"没有试出按 {updated.path} 筛选的参数:先按完整清单写;"
            "接口文档中若有“自何时起”的参数,请改写为 cursor"
        )
    fill(proposal, fields, best)
    return proposal


def _records(url: str, answer: Answer, form: str) -> tuple[str | None, list[dict[str, Any]], Any]:
    """The path of the list in an answer, its records, and all of the answer."""
    try:
        body = decoded(answer, form)
    except Undecodable as error:
        raise SourceContractError(
            f"{address.shown(url)} 的响应{error}。请确认地址返回的是数据而不是网页"
        ) from None
    found = the_list(body)
    if found is None:
        raise _no_list(url, body)
    path, records = found
    return path or None, records, body


def _sampled(records: list[dict[str, Any]], described: Operation | None) -> Sample:
    """The fields of the records, with what a description calls them."""
    with in_memory() as connection:
        prepare(connection)
        sample = sample_of(connection, records)
    for one in described.fields if described else ():
        if one.path in sample.fields:
            sample.fields[one.path].alias = one.alias
    return sample


def _tried(
    asker: Asker, first: Heard, updated: Field | None, described: Operation | None
) -> tuple[Paging, Changes]:
    """Paging and cursor as the system itself shows them."""
    in_body = asker.request.body is not None
    asker.place = "body" if in_body else "query"
    paging = found_paging(asker, first, asker.records)
    if in_body and paging.paginator["type"] in ("page_number", "offset", "cursor"):
        paging.paginator["send_in"] = "body"
    asker.sent = 0
    named = described.parameters if described else {}
    since = tuple(name for name, said in named.items() if says_since(name, said))
    changes = found_changes(asker, updated, first, since)
    if in_body and changes.cursor is not None:
        changes.cursor["send_in"] = "body"
    return paging, changes


def _no_list(url: str, body: Any) -> SourceContractError:
    found = "、".join(map(str, body)) if isinstance(body, dict) else "(无)"
    code = business_code(body)
    return SourceContractError(
        f"{address.shown(url)} 的响应中没有记录列表,有:{found}"
        + (f";业务状态码 {code}" if code else "")
        + "。请核对地址、参数与登录方式(--source)"
    )


def mapped_to(table_name: str | None, fields: list[Field], key: str | None, near: str) -> Mapped:
    if table_name is None:
        return best_table(fields, key, near)
    return mapped(table(f"core.{table_name}"), fields, key)


def without_persons(sample: Sample) -> tuple[list[Field], dict[str, str]]:
    """The fields that may be proposed, and the others each with the reason."""
    left_out: dict[str, str] = {}
    kept = []
    for one in sample.fields.values():
        reason = personal.reason(one.path, _telling(one), one.alias)
        if reason is not None:
            left_out[one.path] = reason
        elif personal.is_free_text(one.path, one.values):
            left_out[one.path] = "正文类,可能含有个人信息"
        else:
            kept.append(one)
    return kept, left_out


def _telling(one: Field) -> list[Any]:
    """The values in which persons may stand: not times and numbers of other sizes."""
    if one.kind in (
        "timestamp",
        "date",
        "boolean",
        "decimal",
        "timestamp(epoch?)",
        "date(yyyymmdd?)",
    ):
        return []
    return one.values


def fill(proposal: Proposal, fields: list[Field], best: Mapped) -> None:
    """Put the fields with their columns into the proposal, and the code maps."""
    columns = {c.name: c for c in best.table.business_columns}
    by_field = {one.path: one for one in fields}
    mapped_paths = {one.path for one in best.chosen.values()}
    for name in columns:
        if name in best.chosen:
            one = by_field[best.chosen[name].path]
            rule = _rule(columns[name], one, proposal)
            if name == vocabulary.words()["counts_by"].get(best.table.name) and (
                len(one.values) == proposal.count > 0
            ):
                rule["required"] = True
            if proposal.workbook is not None:
                beside = _in_turn(one, best.others.get(name, []), fields)
                rule |= {"path": [one.path, *beside]} if beside else {}
            proposal.fields.append(FieldProposal(one.path, one.kind, len(one.values), name, rule))
    _further_channels(proposal, best, by_field)
    for one in fields:
        if one.path not in mapped_paths:
            proposal.fields.append(FieldProposal(one.path, one.kind, len(one.values), None))
    proposal.others = {
        name: [c.path for c in _sure(candidates)][:MOST_SECOND]
        for name, candidates in best.others.items()
        if _sure(candidates)
    }


def _further_channels(proposal: Proposal, best: Mapped, by_field: dict[str, Field]) -> None:
    """An article in several channels: all but the first, where its channels are a list."""
    chosen = best.chosen.get("channel_id")
    has_column = any(c.name == "other_channel_ids" for c in best.table.business_columns)
    if chosen is None or not has_column or not chosen.path.endswith("[0]"):
        return
    one = by_field[chosen.path]
    if one.longest_list > 1:
        rest = f"join(',', {chosen.path.removesuffix('[0]')}[1:].to_string(@))"
        proposal.fields.append(
            FieldProposal(rest, "text", len(one.values), "other_channel_ids", {"path": rest})
        )


def _in_turn(one: Field, candidates: list[Candidate], fields: list[Field]) -> list[str]:
    """Labels of other sheets for the same column: never filled in where the first one is."""
    by_path = {other.path: other for other in fields}
    rows = set(one.rows)
    found = []
    for candidate in _sure(candidates):
        other = by_path[candidate.path]
        if candidate.weight >= ACCEPTED and other.rows and not rows & other.rows:
            found.append(candidate.path)
            rows |= other.rows
    return found


def _sure(candidates: list[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda one: -one.weight)


def _rule(column: Column, one: Field, proposal: Proposal) -> dict[str, Any]:
    """How the field is written in the file."""
    rule: dict[str, Any] = {"path": one.path}
    if column.sql_type == "VARCHAR" and one.is_html:
        rule["html"] = True
    if column.sql_type in ("TIMESTAMP", "DATE") and _is_in_utc(one):
        rule["timezone"] = "UTC"
    if column.sql_type == "BOOLEAN":
        rule |= _truths(one)
    codes = codes_for(column, one)
    if codes and set(codes) - set(codes.values()):
        proposal.code_maps[column.name] = codes
        if any(codes.values()):
            rule["codes"] = column.name
    return rule


def _is_in_utc(one: Field) -> bool:
    """Whether the name says UTC and the values carry no zone. `gmt_create`, as many Chinese systems
    call a time, is one of the place."""
    said = vocabulary.tokens(vocabulary.last_name(one.path))
    has_zone = any(written.endswith("Z") or "+" in written for written in one.texts)
    return said[-1:] in (["gmt"], ["utc"]) and not has_zone


_NO = re.compile(r"^(?:不|未|否|无|非|没|0|n|f|no|false)", re.IGNORECASE)


def _truths(one: Field) -> dict[str, Any]:
    """The words for yes and no, where they are not the usual ones."""
    usual = FieldRule(path="x")
    known = {*usual.true_values, *usual.false_values}
    said = sorted({text(v).lower() for v in one.values if not isinstance(v, bool)})
    if not set(said) - known:
        return {}
    no = [value for value in said if _NO.match(value)]
    return (
        {"true_values": [v for v in said if v not in no], "false_values": no}
        if no
        else {"true_values": said}
    )


def _sent(paginator: dict[str, Any], changes: Changes) -> set[str]:
    """The parameters that paging and cursor send."""
    own = {str(v) for k, v in paginator.items() if k.endswith("_param")}
    return own | ({str(changes.cursor["param"])} if changes.cursor is not None else set())


def _fixed_params(
    given: dict[str, str], paginator: dict[str, Any], changes: Changes
) -> dict[str, str]:
    """The parameters of the sample's address that are neither paging nor a proof of who asks."""
    sent = _sent(paginator, changes)
    numbered = paginator["type"] in ("page_number", "offset")
    return {
        name: value
        for name, value in given.items()
        if name not in sent
        and not (numbered and (is_part(name, "page") or is_part(name, "offset")))
        and not (
            not numbered and value.isdigit() and (is_part(name, "page") or is_part(name, "offset"))
        )
        and vocabulary.compact(name) not in vocabulary.part("secret")
    }


def _request_of(request: Request, form: str, sent: set[str]) -> dict[str, Any]:
    """How the request is made, beside its address; `sent` are the parameters that paging and cursor
    send anew."""
    made: dict[str, Any] = {}
    if isinstance(request.body, str):
        made |= {"method": "POST", "body_type": request.body_type, "body": request.body}
    elif request.body is not None:
        kept = {n: v for n, v in request.body.items() if n not in sent}
        made |= {"method": "POST", "body": kept}
    elif request.method != "GET":
        made["method"] = request.method
    if form != "json":
        made["format"] = form
    return made
