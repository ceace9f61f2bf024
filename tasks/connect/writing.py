"""A proposal as the text of a source file, with its doubts as comments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from tasks.connect.proposal import Proposal
from warehouse.tables import table

MOST_NAMES = 12


def flow(value: Any) -> str:
    """A value in one line of YAML."""
    written = yaml.safe_dump(
        value, allow_unicode=True, sort_keys=False, default_flow_style=True, width=10_000
    )
    return written.strip().removesuffix("...").strip()


def proposal_text(proposal: Proposal) -> str:
    """The whole file. What is no comment loads as it is, once the names in brackets are filled in."""
    source = proposal.source()
    resource = source.pop("resources")[0]
    lines = [f"# 由样本 {proposal.count} 条记录写出,请逐项核对后运行 nianbao source check 本文件"]
    maps = source.pop("code_maps", {})
    lines += [f"{key}: {flow(value)}" for key, value in source.items()]
    lines += _maps(proposal, maps)
    lines.append("resources:")
    fields = resource.pop("fields")
    for place, (key, value) in enumerate(resource.items()):
        if isinstance(value, str) and "\n" in value:
            lines += [f"    {key}: |", *(f"      {line}" for line in value.rstrip().splitlines())]
            continue
        lines.append(
            f"{'  - ' if place == 0 else '    '}{key}: {flow(value)}{_doubt(proposal, key)}"
        )
    lines.append("    fields:")
    lines += _fields(proposal, fields)
    lines += [f"# ! {note}" for note in proposal.notes]
    lines += _rest(proposal)
    return "\n".join(lines) + "\n"


def _doubt(proposal: Proposal, key: str) -> str:
    if key == "table" and not proposal.has_table:
        return "   # 按字段推断;不对时以 --table 指定"
    if key == "paginator" and proposal.paging.is_proven:
        return "   # 已用第二页验证"
    if key == "cursor":
        return "   # 已试:此参数起筛选作用;lag 按迟提交的实际情况写"
    return ""


def _maps(proposal: Proposal, maps: dict[str, Any]) -> Iterator[str]:
    """The code maps; values of the sample that go with none of our codes as lines to fill in."""
    if proposal.code_maps:
        yield "code_maps:" if maps else "# code_maps:"
    for name, values in proposal.code_maps.items():
        mark = "" if name in maps else "# "
        yield f"{mark}  {name}:"
        yield f"{mark}    values:"
        for value, code in values.items():
            if code:
                yield f"{mark}      {flow(value)}: {flow(code)}"
            else:
                yield f'#      {flow(value)}:    # 样本中的值,写本库代码;写 "" 即置空'
        yield f"{mark}    unknown: reject"


def _fields(proposal: Proposal, fields: dict[str, Any]) -> Iterator[str]:
    meanings = {c.name: c.label for c in table(f"core.{proposal.table}").business_columns}
    by_column = {one.column: one for one in proposal.fields if one.column}
    for column, rule in fields.items():
        one = by_column.get(column)
        told = ""
        if one is not None:
            others = proposal.others.get(column, [])
            told = f"   # {meanings[column]}:{one.type},{one.filled} 条有值"
            told += f";另可:{'、'.join(others)}" if others else ""
        yield f"      {column}: {flow(rule)}{told}"
    for column, meaning in meanings.items():
        if column not in fields:
            others = proposal.others.get(column, [])
            yield (
                f"      # {column}: {flow({'path': others[0]}) if others else '{path: }'}   # {meaning}"
                + (";把握不大" if others else "")
            )


def _rest(proposal: Proposal) -> Iterator[str]:
    rest = [one for one in proposal.fields if one.column is None]
    if rest:
        yield "# 以下字段没有对应的列,需要时写入 fields:"
        yield from (f"#   {one.path}  {one.type},{one.filled} 条有值" for one in rest)
    if proposal.lists:
        yield "# 记录内的列表,可写作 children:"
        for path, names in proposal.lists.items():
            yield f"#   {path}  ({'、'.join(names[:MOST_NAMES])}{' 等' if len(names) > MOST_NAMES else ''})"
    if proposal.left_out:
        yield "# 疑为个人信息,未列入;不声明的字段不会被保存:"
        yield from (f"#   {path}  ({reason})" for path, reason in proposal.left_out.items())
