"""From a sample answer to the beginning of a source file: list, key, paging, fields.

A proposal, to be read by a person. Values are looked at, never shown; fields that look like
personal data are left out and named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import duckdb
import yaml

from tasks.load.typed import prepare
from tasks.sources import address
from tasks.sources.client import Client
from tasks.sources.decode import Undecodable, decode
from tasks.sources.errors import SourceContractError
from tasks.sources.exchange import Answer, Request
from tasks.sources.model.auth import Auth
from tasks.sources.model.source import Source
from tasks.sources.page import business_code
from tasks.sources.select import path_of, text
from warehouse.lake import in_memory
from warehouse.tables import Table, table

SAMPLE = 200
PERSONAL_NAMES = re.compile(
    r"姓名|作者|编辑|经办|电话|手机|证件|身份证|住址|地址|邮箱|内容|正文|诉求描述|备注|联系"
    r"|xingming|zuozhe|bianji|jingban|author|editor|operator|dianhua|shouji|shenfen|zhengjian|dizhi|youxiang|neirong|lianxi|zhengwen"
    r"|phone|mobile|(^|[._])tel($|[._])|idcard|idno|idnumber|certno|address|e?mail|content|remark|(caller|reporter|handler|manager|applicant|user|person|contact|real|nick)_?name",
    re.IGNORECASE,
)
PERSONAL_VALUES = re.compile(r"1[3-9]\d{9}|\d{17}[\dXx]|[\w.+-]+@[\w-]+\.[\w.]+")
_PAGE = {
    "page",
    "page_index",
    "page_no",
    "page_num",
    "page_number",
    "pageno",
    "pagenum",
    "pagenumber",
    "pageindex",
    "current",
    "p",
    "curpage",
}
_OFFSET = {"offset", "start", "skip", "begin"}
_SIZE = {"size", "limit", "pagesize", "page_size", "per_page", "perpage", "rows", "count", "num"}
_TOTAL = re.compile(r"total|count|zongshu|zongtiaoshu|totalelements|records?num", re.IGNORECASE)
_SECRET_NAMES = re.compile(r"key|token|secret|sign|passw|pwd|ticket|nonce|timestamp", re.IGNORECASE)
_NEXT = re.compile(r"next", re.IGNORECASE)
_UPDATED = re.compile(r"updat|modif|lastchange|gxsj|xgsj|gengxin|xiugai", re.IGNORECASE)
_IDENTITY = re.compile(r"(^|[._])(id|guid|uuid|no|code|bh|bianhao)$|id$|编号|序号", re.IGNORECASE)


@dataclass(frozen=True)
class FieldProposal:
    """A field of the sample: its type as guessed, how many records have it, a column for it."""

    path: str
    type: str
    filled: int
    column: str | None


@dataclass
class Proposal:
    """What the sample suggests; `left_out` are fields that look like personal data."""

    url: str
    records: str | None
    count: int
    key: str | None
    paginator: dict[str, Any]
    cursor: str | None
    table: str | None
    fields: list[FieldProposal] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)

    def resource(self) -> dict[str, Any]:
        """The resource as it would stand in a source file."""
        known = {f.column: {"path": f.path} for f in self.fields if f.column}
        resource: dict[str, Any] = {
            "name": "records",
            "title": "(中文名称)",
            "table": self.table or "(核心表)",
            "path": urlsplit(self.url).path,
        }
        if self.params:
            resource["params"] = self.params
        resource["paginator"] = self.paginator
        if self.records:
            resource["records"] = self.records
        resource["key"] = self.key or "(编号的路径)"
        if self.cursor:
            resource["cursor"] = {"field": self.cursor, "param": "(自何时起的参数)", "lag": "2d"}
        resource["fields"] = known or {"(列)": "(路径)"}
        return resource

    def yaml(self) -> str:
        """The resource as text, with what could not be decided as comments."""
        written = yaml.safe_dump(
            {"resources": [self.resource()]}, allow_unicode=True, sort_keys=False, width=120
        )
        rest = [f for f in self.fields if f.column is None]
        lines = [f"# 样本 {self.count} 条。以下字段没有对应的列,需要时写入 fields:"] if rest else []
        lines += [f"#   {f.path}  {f.type},{f.filled} 条有值" for f in rest]
        if self.left_out:
            lines.append("# 疑为个人信息,未列入;不声明的字段不会被保存:")
            lines += [f"#   {path}" for path in self.left_out]
        return written + "\n".join(lines) + ("\n" if lines else "")


def propose(
    url: str,
    *,
    auth: Auth | None = None,
    method: str = "GET",
    body: dict[str, Any] | None = None,
    table_name: str | None = None,
) -> Proposal:
    """Fetch one answer and propose a mapping. Raises SourceError."""
    parts = urlsplit(url)
    minimal: dict[str, Any] = {
        "name": "sample",
        "title": parts.netloc.rpartition("@")[2],
        "base_url": f"{parts.scheme}://{parts.netloc}",
        "resources": [
            {"name": "sample", "table": "article", "path": "/", "key": "id", "fields": {}}
        ],
    }
    source = Source.model_validate(minimal)
    if auth is not None:
        source = source.model_copy(update={"auth": auth})
    with Client(source) as client:
        answer = client.get(Request(url, method, body=body))
    return propose_from(url, answer, table_name)


def propose_from(url: str, answer: Answer, table_name: str | None = None) -> Proposal:
    """A proposal from an answer. Raises SourceContractError when it holds no list of records."""
    form = _form(answer)
    try:
        body = decode(answer.content, form)
    except Undecodable as error:
        raise SourceContractError(
            f"{address.shown(url)} 的响应{error}。请确认地址返回的是数据而不是网页"
        ) from None
    lists = sorted(_lists(body, ""), key=lambda found: len(found[1]), reverse=True)
    if not lists:
        found = "、".join(map(str, body)) if isinstance(body, dict) else "(无)"
        code = business_code(body)
        raise SourceContractError(
            f"{address.shown(url)} 的响应中没有记录列表,有:{found}"
            + (f";业务状态码 {code}" if code else "")
            + "。请核对地址、参数与登录方式(--source)"
        )
    path, records = lists[0]
    records = records[:SAMPLE]
    columns = _columns(records)
    target = table(f"core.{table_name}") if table_name else None
    paginator = _paginator(url, answer, body, len(lists[0][1]))
    proposal = Proposal(
        url=url,
        params=_fixed_params(url, paginator),
        records=path or None,
        count=len(records),
        key=_key(columns, len(records)),
        paginator=paginator,
        cursor=next((name for name in columns if _UPDATED.search(name)), None),
        table=table_name,
    )
    with in_memory() as connection:
        prepare(connection)
        for name, values in columns.items():
            if _is_personal(name, values):
                proposal.left_out.append(name)
                continue
            kind = _kind(connection, values)
            proposal.fields.append(
                FieldProposal(name, kind, len(values), _column(name, kind, target))
            )
    return proposal


def _form(answer: Answer) -> str:
    kind = answer.headers.get("Content-Type", "").lower()
    start = answer.content.lstrip()[:1]
    if "csv" in kind:
        return "csv"
    if "xml" in kind or start == b"<":
        return "xml"
    is_lines = "ndjson" in kind or (start == b"{" and b"}\n{" in answer.content)
    return "ndjson" if is_lines else "json"


def _lists(value: Any, path: str) -> Iterator[tuple[str, list[Any]]]:
    """Every list of objects, with its path."""
    if isinstance(value, list):
        if value and all(isinstance(item, dict) for item in value):
            yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            own = path_of([str(name)])
            yield from _lists(inner, f"{path}.{own}" if path else own)


def _columns(records: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Values of every scalar of the records, by dotted path; blanks left out."""
    columns: dict[str, list[Any]] = {}

    def look(value: dict[str, Any], prefix: str) -> None:
        for name, inner in value.items():
            path = f"{prefix}{path_of([str(name)])}"
            if isinstance(inner, dict):
                look(inner, f"{path}.")
            elif not isinstance(inner, list):
                values = columns.setdefault(path, [])
                if text(inner).strip():
                    values.append(inner)

    for record in records:
        look(record, "")
    return columns


def _key(columns: dict[str, list[Any]], count: int) -> str | None:
    unique = [n for n, v in columns.items() if len(v) == count and len(set(map(text, v))) == count]
    return next((n for n in unique if _IDENTITY.search(n)), unique[0] if unique else None)


def paging_of(answer: Answer, count: int) -> dict[str, Any]:
    """The paging that an answer of so many records suggests. Raises Undecodable."""
    return _paginator(answer.url, answer, answer.body, count)


def _paginator(url: str, answer: Answer, body: Any, count: int) -> dict[str, Any]:
    given = {
        n.lower().lstrip("_@$"): n
        for n, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)
    }
    size = next((given[n] for n in given if n in _SIZE), None)
    total = next(
        (p for p, v in _scalars(body, "") if _TOTAL.search(p) and _is_count(v) and int(v) >= count),
        None,
    )
    header = next(
        (
            n
            for n, v in answer.headers.items()
            if _TOTAL.search(n) and _is_count(v) and int(v) >= count
        ),
        None,
    )
    sized: dict[str, Any] = {"size_param": size} if size else {}
    if 'rel="next"' in answer.headers.get("Link", ""):
        return {"type": "link_header", **sized}
    for path, value in _scalars(body, ""):
        if _NEXT.search(path) and isinstance(value, str) and value:
            kind = "next_link" if value.startswith(("http", "/", "?")) else "cursor"
            return {"type": kind, "next": path, **sized}
    if total:
        sized["total"] = total
    elif header:
        sized["total_header"] = header
    for names, kind, param in (
        (_OFFSET, "offset", "offset_param"),
        (_PAGE, "page_number", "page_param"),
    ):
        found = next((given[n] for n in given if n in names), None)
        if found:
            return {"type": kind, param: found, **sized}
    # Nothing of paging in the address: the answer may tell in which words the system counts.
    said = {p.rpartition(".")[2].lower() for p, _ in _scalars(body, "")}
    kind = "offset" if said & _OFFSET else "page_number"
    return {"type": kind, **sized} if total or header else {"type": "single"}


def _is_count(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and str(value).isdigit()


def _fixed_params(url: str, paginator: dict[str, Any]) -> dict[str, str]:
    """The parameters of the sample's address that are neither paging nor a proof of who asks."""
    paging = set(map(str, paginator.values()))
    return {
        name: value
        for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)
        if name not in paging
        and name.lower().lstrip("_@$") not in _PAGE | _OFFSET | _SIZE
        and not _SECRET_NAMES.search(name)
    }


def _scalars(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Every single value of an answer with its path; of a list that of its only item."""
    if isinstance(value, dict):
        for name, inner in value.items():
            path = f"{prefix}{path_of([str(name)])}"
            if isinstance(inner, dict):
                yield from _scalars(inner, f"{path}.")
            elif not isinstance(inner, list):
                yield path, inner
            elif len(inner) == 1:
                yield from _scalars(inner[0], f"{path}[0].")


def _is_personal(name: str, values: list[Any]) -> bool:
    texts = [text(value) for value in values]
    if PERSONAL_NAMES.search(name):
        return True
    return bool(texts) and sum(bool(PERSONAL_VALUES.fullmatch(t)) for t in texts) * 2 > len(texts)


def _kind(connection: duckdb.DuckDBPyConnection, values: list[Any]) -> str:
    """The type that every value of the sample has."""
    texts = sorted({text(value) for value in values})
    if not texts:
        return "没有值"
    if all(isinstance(value, bool) for value in values):
        return "boolean"
    tests = {
        "timestamp": "moment_of(t, 'Asia/Shanghai') IS NOT NULL AND (length(t) >= 8)",
        "integer": "integer_of(t) IS NOT NULL",
        "decimal": "number_of(t) IS NOT NULL",
    }
    found = connection.execute(
        "SELECT "
        + ", ".join(f"bool_and({test})" for test in tests.values())
        + " FROM (SELECT unnest(?::VARCHAR[]) AS t)",
        [texts],
    ).fetchone()
    assert found is not None
    is_time, is_integer, is_decimal = found
    # A number of eight digits may be a day; without a mark between its parts it rather is not.
    if is_time and not is_integer:
        return "timestamp" if any(":" in t for t in texts) else "date"
    if is_integer:
        return "timestamp(epoch?)" if is_time and min(map(len, texts)) in (10, 13) else "integer"
    return "decimal" if is_decimal else "text"


def _column(name: str, kind: str, target: Table | None) -> str | None:
    """A column of the table whose name says the same."""
    if target is None:
        return None
    # The last name that says it: `title.rendered` is the title.
    for part in reversed(name.split(".")):
        said = re.sub(r"[^a-z]", "", part.lower())
        for column in target.business_columns:
            if re.sub(r"[^a-z]", "", column.name) == said:
                return column.name
    return None
