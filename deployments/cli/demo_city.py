"""`nianbao demo-city`: the demo city's four services, until they are stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.wording.typeset import typeset
from warehouse.errors import ExitCode

if TYPE_CHECKING:
    from rich.table import Table

    from deployments.demo_city.service.process import Running

Port = Annotated[int, typer.Option(min=0, max=65535, help="端口;0 为任选空闲端口")]

_SIGN_IN = {
    "cms": "请求头 X-Api-Key",
    "hotline": "OAuth2 客户端凭据",
    "new_media": "HMAC-SHA256 签名",
    "ledger": "HTTP Basic",
}


def demo_city(
    home: Annotated[
        Path | None, typer.Option("--home", help="数据目录;默认取 NIANBAO_HOME")
    ] = None,
    cms_port: Port = 0,
    hotline_port: Port = 0,
    media_port: Port = 0,
    ledger_port: Port = 0,
    scale: Annotated[
        float, typer.Option("--scale", help="规模:大于 0、不大于 1,其中 1 为 2020 年全量")
    ] = 1.0,
    seed: Annotated[int | None, typer.Option("--seed", help="随机种子;默认固定")] = None,
) -> None:
    """启动演示城市的四个来源系统(仅监听本机),按 Ctrl-C 停止。

    首次启动先生成数据(全量约十秒)。启动后把地址和随机生成的凭据写入
    “<数据目录>/demo_city.env”,取数命令会自动读取。数据均为虚构。
    """
    from rich.console import Console

    from deployments.demo_city.service.generate import SEED, generated
    from deployments.demo_city.service.process import PortTaken, serve, write_environment

    if home is None:
        from tasks.settings import Settings

        home = Settings().home
    environment = home / "demo_city.env"
    console = Console()
    ports = {
        "cms": cms_port,
        "hotline": hotline_port,
        "new_media": media_port,
        "ledger": ledger_port,
    }

    def ready(running: Running) -> None:
        write_environment(environment, running.environment)
        console.print(_table(running))
        console.print(typeset(f"地址与凭据已写入 {environment}(仅本用户可读)。按 Ctrl-C 停止。"))

    try:
        console.print("正在准备演示城市的数据……")
        data = generated(home, SEED if seed is None else seed, scale)
        serve(data, ready, ports)
    except (PortTaken, ValueError) as error:
        console.print(typeset(f"无法启动:{error}"))
        raise typer.Exit(ExitCode.WRONG_USE) from error
    console.print("演示城市已停止。")


def demo_cities(
    count: Annotated[
        int, typer.Argument(metavar="个数", min=1, max=99, help="多少个城市,如 21")
    ] = 21,
    scale: Annotated[
        float, typer.Option("--scale", help="规模:大于 0、不大于 1,其中 1 为演示城市 2020 年全量")
    ] = 0.02,
    host: Annotated[
        str,
        typer.Option("--host", help="监听的本机地址;在多台机器上试用时,写其余机器连得上的地址"),
    ] = "127.0.0.1",
) -> None:
    """在一个进程中启动多个演示城市的来源系统(默认仅监听本机),按 Ctrl-C 停止。

    在 NIANBAO_CITIES 中建立各城市的目录(demo01、demo02……,机关编号与名称各不相同,数据各有种子),
    地址与凭据写入各自的“<数据目录>/<城市>.env”。之后如:nianbao nightly --city demo01。数据均为虚构。
    """
    from deployments.demo_city.others import folder_name, make_folder, seed_of
    from deployments.demo_city.service.generate import generated
    from deployments.demo_city.service.process import PortTaken, serve_cities, write_environment
    from tasks.settings import Settings, cities_folder

    folder = cities_folder()
    data, files = {}, {}
    try:
        for number in range(1, count + 1):
            name = folder_name(number)
            made = "新建" if make_folder(folder / name, number) else "已有"
            settings = Settings(city=folder / name)
            files[name] = settings.environment_file
            data[name] = generated(settings.home, seed_of(number), scale)
            print(typeset(f"{name}:目录{made},数据已备"), flush=True)
    except ValueError as error:
        print(typeset(f"无法启动:{error}"))
        raise typer.Exit(ExitCode.WRONG_USE) from error

    def ready(running: Mapping[str, Running]) -> None:
        for name, one in running.items():
            write_environment(files[name], one.environment)
        print(
            typeset(
                f"{len(running)} 个演示城市已启动,地址与凭据已写入各自的 .env。按 Ctrl-C 停止。"
            )
        )

    try:
        serve_cities(data, ready, host=host)
    except PortTaken as error:
        print(typeset(f"无法启动:{error}"))
        raise typer.Exit(ExitCode.WRONG_USE) from error
    print("演示城市已停止。")


def _table(running: Running) -> Table:
    """The services, where they are and how much they hold."""
    from rich import box
    from rich.table import Table

    table = Table(title="演示城市(数据均为虚构)", box=box.SIMPLE)
    table.add_column("系统")
    table.add_column("地址", no_wrap=True)
    table.add_column("认证")
    table.add_column("记录数", justify="right", no_wrap=True)
    for name, service in running.services.items():
        count = sum(len(store) for store in service.stores.values())
        table.add_row(service.title, running.urls[name], _SIGN_IN[name], f"{count:,}")
    return table
