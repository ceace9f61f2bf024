"""`nianbao account`: what each source has, and where every record of it went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.figures import EditionOption, FormOption, JsonOption, Year
from tasks.wording.typeset import typeset
from tasks.wording.visible import visible
from warehouse.errors import EntryError, ExitCode
from warehouse.form_file import ANNUAL_REPORT

if TYPE_CHECKING:
    from tasks.editions.account import Line


def account(
    year: Year,
    source: Annotated[
        str | None, typer.Option("--source", metavar="来源", help="只看一个来源系统")
    ] = None,
    resource: Annotated[
        str | None, typer.Option("--resource", metavar="资源", help="只看一类记录")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            "--records",
            metavar="去向",
            help="列出某一去向的记录,如 counted、another_year、withdrawn、rejected、conflicting",
        ),
    ] = None,
    page: Annotated[int, typer.Option("--page", help="第几页", min=1)] = 1,
    page_size: Annotated[
        int, typer.Option("--page-size", help="每页记录数", min=1, max=10000)
    ] = 20,
    as_json: JsonOption = False,
    edition: EditionOption = None,
    form: FormOption = ANNUAL_REPORT,
) -> None:
    """记录的去向:来源有多少,取到、落地、入库多少,计入本年多少,不计入的为什么。

    按当前数据清点;指定版次则按该版次的快照。账目不平时退出码为 1。
    """
    from deployments.cli import open_lake
    from tasks.editions.account_view import account_of, records_of
    from warehouse.period import Period

    settings, lake = open_lake()
    period = Period.of_year(year)
    if state:
        records = records_of(
            lake,
            settings.city,
            period,
            [_known_state(state)],
            source=source,
            resource=resource,
            edition_id=edition,
            form=form,
            limit=page_size,
            offset=(page - 1) * page_size,
        )
        _print_records([r.as_json() for r in records], as_json)
        return
    lines = [
        line
        for line in account_of(lake, settings.city, period, edition, form=form)
        if source in (None, line.source) and resource in (None, line.resource)
    ]
    if not lines and (source or resource):
        raise EntryError(f"没有来源或资源“{'.'.join(filter(None, (source, resource)))}”的账目")
    is_balanced = all(line.is_balanced for line in lines)
    if as_json:
        import json

        found = {
            "report_year": year,
            "balanced": is_balanced,
            "resources": [line.as_json() for line in lines],
        }
        print(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        for line in lines:
            print(_readable(line))
        print(typeset("账目相符。" if is_balanced else "账目不符:见标 ✗ 的各行。"))
    if not is_balanced:
        raise typer.Exit(ExitCode.BLOCKED)


def _known_state(state: str) -> str:
    from tasks.editions.account import STATES

    by_label = {label: name for name, label in STATES.items()}
    name = by_label.get(state, state)
    if name not in STATES:
        listed = "、".join(f"{key}({label})" for key, label in STATES.items())
        raise EntryError(f"没有去向“{state}”。可选:{listed}")
    return name


def _readable(line: Line) -> str:
    """A line of the account as the equations that must hold."""
    heads = [f"{line.name} → {line.table}"]
    if line.way_in is None:
        heads.append("(以往版本装载的,没有取数一段的账)")
    told = [("✗ " if e.gap else "  ") + typeset(str(e)) for e in line.equations()]
    return "\n".join([typeset("".join(heads)), *(f"  {one}" for one in told), ""])


def _print_records(records: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        import json

        print(json.dumps(records, ensure_ascii=False, indent=1))
        return
    for record in records:
        told = f"  {record['detail']}" if record["detail"] else ""
        found = f"{record['source']}.{record['resource']}  {record['record_id']}{told}"
        print(visible(found))
    if not records:
        print(typeset("没有这样的记录。"))
