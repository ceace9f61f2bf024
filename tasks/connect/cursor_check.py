"""What an incremental pull cannot see, found out at the source while its file is being written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from tasks.sources.client import Client
from tasks.sources.connector import cursor_text, requests_of
from tasks.sources.errors import SourceError
from tasks.sources.exchange import Request
from tasks.sources.model import Resource, Source
from tasks.sources.page import Page
from tasks.sources.select import compile_path, text
from tasks.sources.windows import parse_moment


def cursor_hints(
    client: Client,
    source: Source,
    rule: Resource,
    page: Page,
    first_page: Callable[[Request], Page],
) -> Iterator[str]:
    """Warnings for a resource with a cursor, from its first records and one more request."""
    cursor = rule.cursor
    if cursor is None:
        return
    value_of = compile_path(cursor.field)
    values = [value_of(record) for record in page.records]
    without = sum(text(value).strip() == "" for value in values)
    if without:
        yield (
            f"{len(values)} 条中有 {without} 条没有游标值 {cursor.field}:"
            "带起点的请求看不到它们,该资源将每次全量拉取"
        )
    if cursor.lag is None:
        yield (
            f"cursor 没有写 lag,按默认往回多取 {'1 天' if cursor.kind == 'time' else '100'};"
            "迟提交更久的记录会漏掉,请按系统的实际情况写明"
        )
    if rule.removed is None and rule.control_total is None:
        yield "没有写 removed 与 control_total:来源中删除的记录,增量拉取看不到"
    told = _is_inclusive(client, source, rule, values, first_page)
    if told is False:
        yield (
            f"来源按“大于”比较 {cursor.param}:与上次最后一条同一{'时刻' if cursor.kind == 'time' else '编号'}的记录"
            "只靠 lag 取回,lag 不能为 0"
        )


FUTURE = datetime(2999, 1, 1)


def cursor_faults(
    client: Client, source: Source, rule: Resource, first_page: Callable[[Request], Page]
) -> Iterator[str]:
    """That a source passes over the cursor's parameter: asked for the far future, it gives records."""
    cursor = rule.cursor
    if cursor is None or cursor.kind != "time":
        return
    since = cursor_text(source, rule, FUTURE)
    request, _ = requests_of(client, source, rule, since=since, until=None, windows=())[0]
    try:
        found = first_page(request)
    except SourceError:
        # A far future may be refused; then the parameter is looked at.
        return
    if found.records:
        yield (
            f"cursor.param {cursor.param} 没有起作用:问 2999 年以后的更改,仍给出 {len(found.records)} 条。"
            "请核对参数名与 format;系统不能按更新时间筛选的,改写 full_list: true"
        )


def _is_inclusive(
    client: Client,
    source: Source,
    rule: Resource,
    values: list[Any],
    first_page: Callable[[Request], Page],
) -> bool | None:
    """Whether records of the asked-for value itself come too; None where that cannot be told."""
    cursor = rule.cursor
    assert cursor is not None
    asked = _asked(source, rule, values)
    if asked is None:
        return None
    highest, since = asked
    request, _ = requests_of(client, source, rule, since=since, until=None, windows=())[0]
    try:
        found = first_page(request)
    except SourceError:
        return None
    value_of = compile_path(cursor.field)
    return any(text(value_of(record)) == highest for record in found.records)


def _asked(source: Source, rule: Resource, values: list[Any]) -> tuple[str, str] | None:
    """The highest value of the sample as it is written there, and as a request writes it."""
    cursor = rule.cursor
    assert cursor is not None
    written = [text(value) for value in values if text(value).strip()]
    try:
        if cursor.kind == "number":
            highest = max(written, key=int)
            return highest, highest
        if cursor.format in ("epoch_s", "epoch_ms"):
            highest = max(written, key=int)
            return highest, highest
        highest = max(written, key=parse_moment)
        return highest, cursor_text(source, rule, parse_moment(highest))
    except ValueError:
        return None
