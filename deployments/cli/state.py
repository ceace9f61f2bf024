"""`nianbao status` and `nianbao doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tasks.wording.typeset import typeset
from warehouse.errors import ExitCode

if TYPE_CHECKING:
    from datetime import timedelta

    from rich.table import Table

    from tasks.watch.status import ResourceStatus
    from warehouse.lake import Lake


def status(
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON,供程序读取")] = False,
    is_of_all: Annotated[
        bool, typer.Option("--all", help="NIANBAO_CITIES 中的全部城市,一个城市一行")
    ] = False,
) -> None:
    """显示每项资源的最近取数、水位、有效与作废的记录数、退回数、对账和数据时效。

    任何资源早于允许的时限(NIANBAO_LAG_HOURS)、最近一次未能装载或对账不符时,退出码为 1;
    --all 时任何城市的湖读不了,也是 1。
    """
    if is_of_all:
        _status_of_all(as_json)
        return
    from datetime import timedelta

    from rich.console import Console

    from deployments.cli import open_lake
    from tasks.city.province import is_province
    from tasks.clock import now
    from tasks.watch.status import read_status

    settings, lake = open_lake()
    if is_province(settings.city):
        _status_of_province(lake, as_json)
        return
    limit = timedelta(hours=settings.lag_hours)
    found = read_status(lake, now=now())
    if as_json:
        import json

        print(json.dumps([_plain(one, limit) for one in found], ensure_ascii=False, indent=1))
    else:
        Console().print(_table(found, limit))
    needs_person = [
        one
        for one in found
        if one.is_stale(limit) or one.last_status == "stopped" or one.totals_agree is False
    ]
    if needs_person:
        raise typer.Exit(ExitCode.BLOCKED)


def _status_of_province(lake: Lake, as_json: bool) -> None:
    """Of a province, which has no resources: what came of the last look at each city, and which of
    its editions add up what was replaced since."""
    from tasks.editions.store.cities import LOOK_LABELS, city_looks
    from tasks.watch.province import stale_editions

    with lake.read() as connection:
        looks, stale = city_looks(connection), stale_editions(connection)
    if as_json:
        import json

        cities = [
            {
                "id": look.city_id,
                "city": look.city_name or None,
                "looked_at": look.looked_at.isoformat(),
                "status": look.status,
                "message": look.message or None,
            }
            for look in looks.values()
        ]
        print(json.dumps({"cities": cities, "stale": stale}, ensure_ascii=False, indent=1))
    else:
        for look in looks.values():
            told = f"{look.city_id} {look.city_name or '—'}:{LOOK_LABELS[look.status]}"
            why = f",{look.message}" if look.message else ""
            print(typeset(f"{told}({look.looked_at:%Y-%m-%d %H:%M}){why}"))
        if not looks:
            print(typeset("还没有取入各市的版次。请运行 nianbao province take"))
        for edition_id, changed in stale.items():
            told = "、".join(changed)
            print(typeset(f"版次 {edition_id} 已不是各市的现行数字,请重新编制:{told}"))
        print(typeset("逐市的情况:nianbao province status 年度"))
    if stale or not looks or any(look.status != "read" for look in looks.values()):
        raise typer.Exit(ExitCode.BLOCKED)


def _status_of_all(as_json: bool) -> None:
    from deployments.cli.city import show
    from tasks.clock import now
    from tasks.settings import settings_of_all
    from tasks.watch.cities import states

    found = list(states(settings_of_all(), now=now()))
    show(found, as_json)
    if any(one.needs_person for one in found):
        raise typer.Exit(ExitCode.BLOCKED)


def _age(age: timedelta | None) -> str:
    if age is None:
        return "从未"
    minutes = int(age.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} 分钟前"
    if minutes < 48 * 60:
        return f"{minutes // 60} 小时前"
    return f"{minutes // 1440} 天前"


def _plain(one: ResourceStatus, limit: timedelta) -> dict[str, object]:
    return {
        "source": one.source_system,
        "resource": one.resource,
        "table": one.table,
        "last_status": one.last_status,
        "last_pull_at": one.last_pull_at.isoformat() if one.last_pull_at else None,
        "age_seconds": int(one.age.total_seconds()) if one.age is not None else None,
        "is_stale": one.is_stale(limit),
        "watermark": one.watermark,
        "rows": one.rows,
        "removed": {"withdrawn": one.removed.withdrawn, "unseen": one.removed.unseen},
        "open_rejects": one.open_rejects,
        "control_total": None
        if one.source_count is None
        else {"source": one.source_count, "warehouse": one.warehouse_count},
        "message": one.message,
    }


def _table(found: list[ResourceStatus], limit: timedelta) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("来源 / 资源", overflow="fold")
    table.add_column("最近取数", no_wrap=True)
    table.add_column("水位", no_wrap=True)
    for name in ("有效", "作废", "退回"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("情况", overflow="fold")
    for one in found:
        stale = one.is_stale(limit)
        notes = ["过期"] if stale else []
        if one.totals_agree is False:
            notes.append(f"对账不符:来源 {one.source_count:,},库内 {one.warehouse_count:,}")
        elif one.totals_agree:
            notes.append("对账相符")
        if one.removed.count:
            notes.append(one.removed.text)
        if one.message:
            notes.append(one.message)
        bad = stale or one.totals_agree is False or one.last_status == "stopped"
        table.add_row(
            f"{one.source_system} / {one.resource}",
            _age(one.age),
            (one.watermark or "—").replace("T", " ")[:16],
            f"{one.rows:,}",
            f"{one.removed.count:,}" if one.removed.count else "",
            Text(str(one.open_rejects), style="yellow" if one.open_rejects else ""),
            Text(typeset(";".join(notes) or "正常"), style="red" if bad else ""),
        )
    return table


def doctor() -> None:
    """检查本机与配置是否齐备,并说明如何补齐;不改动任何东西。

    配置有误时退出码为 2,本机有故障(目录不可写、内存、时钟、服务)时为 4。
    """
    from rich.console import Console
    from rich.text import Text

    from tasks.clock import now
    from tasks.settings import Settings
    from tasks.watch.doctor import examine, exit_code

    console = Console()
    marks = {"good": ("正常", "green"), "doubtful": ("留意", "yellow"), "bad": ("有误", "red")}
    examined = []
    for one in examine(Settings(), now=now()):
        examined.append(one)
        word, colour = marks[one.verdict]
        line = Text.assemble((word, colour), typeset(f"  {one.name}:{one.found}"))
        console.print(line)
        if one.remedy:
            console.print(Text(typeset(f"      {one.remedy}"), style="dim"))
    if code := exit_code(examined):
        raise typer.Exit(code)
