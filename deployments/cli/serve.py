"""`nianbao serve`: the operator's page, the schedules and the deployments, in one command."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from tasks.wording.typeset import typeset


def serve(
    demo: Annotated[
        bool, typer.Option("--demo", help="同时启动演示城市的四个系统(仅用于演示城市)")
    ] = False,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="端口;默认取 NIANBAO_PORT(4200)")
    ] = None,
) -> None:
    """启动操作页面、定时运行与各项流程,按 Ctrl-C 全部停止。

    只监听本机;不访问外网。用 nianbao user add 添加人员后须登录。
    """
    import os
    import time

    started = time.monotonic()
    from deployments.serve import check_port, interruptible
    from deployments.serve import serve as run
    from deployments.server import check_doors
    from tasks.people.office import Office
    from tasks.people.persons import has_persons
    from tasks.settings import Settings, check_home

    settings = Settings()
    check_home(settings)
    check_doors(settings)
    port = port or settings.port

    def ready(address: str) -> None:
        print(typeset(f"已就绪({time.monotonic() - started:.0f} 秒):") + address)
        sign_in = "不需要(没有人员)"
        if settings.sign_on_header:
            sign_in = f"由反向代理的 {settings.sign_on_header} 头写明"
        elif has_persons(Office(settings.home)):
            sign_in = "需要(人员)"
        elif settings.auth:
            sign_in = "需要(NIANBAO_AUTH)"
        print(typeset(f"登录:{sign_in}。按 Ctrl-C 停止。"), flush=True)

    try:
        check_port(port)
        with interruptible(), ExitStack() as stack:
            if demo:
                from deployments.demo_city.service import running

                print(typeset("正在启动演示城市(首次需生成数据,约十秒)……"), flush=True)
                os.environ.update(stack.enter_context(running(settings.home)))
            print("正在启动操作页面……", flush=True)
            run(settings, port, ready)
    except KeyboardInterrupt:
        pass
    print("已全部停止。")
