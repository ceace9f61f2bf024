"""`nianbao city`: the cities of an installation, each with a folder, a data home and a lake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.wording.typeset import typeset
from warehouse.errors import ExitCode

if TYPE_CHECKING:
    from rich.table import Table

    from tasks.watch.cities import CityState

app = typer.Typer(
    help="城市:一个城市一个目录、一个数据目录、一个湖,都在 NIANBAO_CITIES 中。",
    no_args_is_help=True,
)


@app.command("new")
def new(
    name: Annotated[
        str, typer.Argument(metavar="名称", help="目录名,小写字母、数字和下划线;也可写成路径")
    ],
    title: Annotated[
        str, typer.Option("--title", prompt="根机关的名称(如 某市人民政府)", help="根机关的名称")
    ],
    code: Annotated[
        str, typer.Option("--code", prompt="根机关的编号(如行政区划代码)", help="根机关的编号")
    ],
    province: Annotated[
        bool,
        typer.Option("--province", help="省:不取记录,由 NIANBAO_CITIES 中各市的版次加总"),
    ] = False,
) -> None:
    """新建一个城市(或省)的目录:根机关、约定与来源目录,并说明下一步。"""
    from tasks.settings import cities_folder, cities_of
    from tasks.watch.cities import new_city

    folder = Path(name).expanduser().absolute() if "/" in name else cities_folder() / name
    beside = cities_of(folder.parent)
    for path in new_city(folder, title, code, beside, is_of_province=province):
        print(typeset(f"已写出 {path}"))
    which = name if "/" in name else folder.name
    print(typeset("下一步:"))
    if province:
        print(typeset(f"  1. 核对 {folder / 'organs.csv'} 中的各市:编号用该市自己的根机关编号"))
        print(f"  2. nianbao province take --city {which}")
        print(f"  3. nianbao year-end 2020 --city {which}")
        return
    print(typeset(f"  1. 在 {folder / 'organs.csv'} 中填上所属机关,一行一个"))
    print(f"  2. nianbao source fields <网址或目录> --city {which}")
    print(f"  3. nianbao city check {which}")
    print(f"  4. nianbao nightly --city {which}")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON,供程序读取")] = False,
) -> None:
    """列出 NIANBAO_CITIES 中的城市:属于谁、数据在哪里、最近一次取数、最新版次。

    有城市的湖读不了时,退出码为 1;资源过期与取数失败见 nianbao status --all。
    """
    from tasks.clock import now
    from tasks.settings import settings_of_all
    from tasks.watch.cities import states

    found = list(states(settings_of_all(), now=now()))
    show(found, as_json)
    if any(one.wrong for one in found):
        raise typer.Exit(ExitCode.BLOCKED)


@app.command("check")
def check(
    name: Annotated[
        str | None, typer.Argument(metavar="名称", help="只查这个城市;默认全部,并查互相有无共用")
    ] = None,
) -> None:
    """查各城市的目录、来源、格式与湖是否齐备、是否是自己的;不改动任何东西,不访问网络。

    有误时退出码为 2,本机有故障时为 4。
    """
    from tasks.clock import now
    from tasks.settings import Settings, settings_of_all
    from tasks.watch.cities import check_city, shared
    from tasks.watch.doctor import exit_code

    cities = [Settings(city=name)] if name else settings_of_all()
    marks = {"good": "正常", "doubtful": "留意", "bad": "有误"}
    examined = []
    for settings in cities:
        print(typeset(f"{settings.city_name}({settings.city})"))
        for one in check_city(settings, now=now()):
            examined.append(one)
            print(typeset(f"  {marks[one.verdict]}  {one.name}:{one.found}"))
            if one.remedy:
                print(typeset(f"        {one.remedy}"))
    faults = shared(cities)
    for told in faults:
        print(typeset(f"有误  {told}"))
    if not cities:
        print(typeset("没有城市。新建:nianbao city new 名称"))
    if code := exit_code(examined) or (ExitCode.WRONG_USE if faults else ExitCode.DONE):
        raise typer.Exit(code)


@app.command("deployments")
def deployments(
    into: Annotated[
        Path | None, typer.Argument(metavar="文件", help="写到这个文件;默认打印到屏幕")
    ] = None,
) -> None:
    """写出全部城市的部署(供各机器上的 Prefect worker):一城一套,城市为标签,夜间错开,按轻重排队。

    之后照所列的命令在 Prefect 服务器上建立;增减城市或升级后重新写出、重新建立。
    """
    import yaml

    from deployments.of_cities import commands, declared_for
    from tasks.settings import settings_of_all

    text = yaml.safe_dump(declared_for(settings_of_all()), allow_unicode=True, sort_keys=False)
    if into is None:
        print(text, end="")
        return
    into.write_text(f"# 由 nianbao city deployments 写出,不要手改。\n{text}", encoding="utf-8")
    print(typeset(f"已写出 {into}。在 Prefect 服务器上建立:"))
    for command in commands(str(into)):
        print(f"  {command}")


def show(found: list[CityState], as_json: bool) -> None:
    """Print cities as a table or as JSON."""
    from rich.console import Console

    if as_json:
        import json

        print(json.dumps([_plain(one) for one in found], ensure_ascii=False, indent=1))
        return
    if not found:
        print(typeset("没有城市。新建:nianbao city new 名称"))
        return
    Console().print(_table(found))
    for one in found:
        if one.wrong:
            print(typeset(f"{one.name}:{one.wrong}"))


def _plain(one: CityState) -> dict[str, Any]:
    return {
        "city": one.name,
        "roots": list(one.roots),
        "folder": str(one.folder),
        "home": str(one.home),
        "has_lake": one.is_begun,
        "last_pull_at": one.last_pull_at.isoformat() if one.last_pull_at else None,
        "resources": one.resources,
        "late": one.late,
        "stopped": one.stopped,
        "open_rejects": one.open_rejects,
        "editions": [{"edition": id_, "status": status} for id_, status in one.editions],
        "stale": list(one.stale),
        "overdue_applications": one.overdue,
        "next_filing": None
        if one.filing is None
        else {
            "on": one.filing.on.isoformat(),
            "what": one.filing.what,
            "report": one.filing.report,
        },
        "wrong": one.wrong or None,
    }


def _table(found: list[CityState]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from tasks.editions.edition import EDITION_STATUS_LABELS

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("城市", "根机关", "最近取数"):
        table.add_column(name, overflow="fold")
    for name in ("资源", "过期", "失败", "退回", "超期申请"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("最新版次", overflow="fold")
    table.add_column("待公布", overflow="fold")
    table.add_column("数据目录", overflow="fold")
    for one in found:
        pulled = f"{one.last_pull_at:%Y-%m-%d %H:%M}" if one.last_pull_at else "从未"
        counts = (one.resources, one.late, one.stopped, one.open_rejects, one.overdue)
        table.add_row(
            Text(one.name, style="red" if one.needs_person else ""),
            "、".join(one.roots) or "organs.csv 有误",
            "读不了" if one.wrong else pulled,
            *(f"{count:,}" if count else "" for count in counts),
            "、".join(
                f"{id_} {EDITION_STATUS_LABELS[status]}{'(市已另编)' if id_ in one.stale else ''}"
                for id_, status in one.editions
            ),
            f"{one.filing.report}({one.filing.on:%m-%d})" if one.filing else "",
            str(one.home),
        )
    return table
