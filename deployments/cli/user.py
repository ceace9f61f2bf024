"""`nianbao user`: who may sign in, with which role; at the machine, by whoever keeps it."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tasks.wording.typeset import typeset

app = typer.Typer(help="人员:谁可以登录操作页面,各是什么角色。", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="姓名", help="登录时填的姓名")]


@app.command("add")
def add(
    name: Name,
    role: Annotated[str, typer.Option("--role", metavar="角色", help="查看、经办、批准 或 管理")],
    new_authenticator: Annotated[
        bool, typer.Option("--new-authenticator", help="换验证器(换了手机)")
    ] = False,
) -> None:
    """添加人员;已有的人重设角色与口令,停用的恢复。

    口令询问两遍(不显示),从管道输入时读一行。第一个人添加之后,页面须登录才能打开。
    """
    from tasks.clock import now
    from tasks.people.office import Office
    from tasks.people.persons import ROLES, PersonError, add_person, kept_authenticator
    from tasks.people.persons import new_authenticator as made_authenticator
    from tasks.publish.approve import configured_approvers
    from tasks.settings import Settings, check_home

    settings = Settings()
    check_home(settings)
    if role not in ROLES:
        raise PersonError(f"没有角色“{role}”。可选:{'、'.join(ROLES)}")
    office = Office(settings.home)
    kept = "" if new_authenticator else kept_authenticator(office, name)
    kept = kept or ("" if new_authenticator else configured_approvers(settings).get(name, ""))
    secret = kept or made_authenticator()
    add_person(office, name, role, _asked_password(), secret, by=_at_the_machine(), now=now())
    print(typeset(f"已添加{name.strip()}({role})。"))
    if kept:
        print(typeset("验证器沿用原来的,不必重新绑定。"))
        return
    print(typeset("请本人在手机验证器中添加下面的密钥(只显示这一次):"))
    print(f"  {secret}")
    print(f"  otpauth://totp/nianbao:{quote(name.strip())}?secret={secret}&issuer=nianbao")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON,供程序读取")] = False,
) -> None:
    """列出人员、角色与是否停用。"""
    import json

    from tasks.people.office import Office
    from tasks.people.persons import persons
    from tasks.settings import Settings

    found = persons(Office(Settings().home))
    if as_json:
        told: list[dict[str, Any]] = [
            {"name": p.name, "role": p.role, "locked": p.is_locked} for p in found
        ]
        print(json.dumps(told, ensure_ascii=False, indent=2))
        return
    if not found:
        print(typeset("还没有人员,页面不需要登录。添加:nianbao user add 姓名 --role 经办"))
    for person in found:
        locked = f"  {person.locked_at:%Y-%m-%d} 停用" if person.locked_at else ""
        print(f"{person.role}  {person.name}{locked}")


@app.command("lock")
def lock(name: Name) -> None:
    """停用人员:立即退出,不能再登录,已给出而未发布的批准也不再有效。恢复用 add。"""
    from tasks.clock import now
    from tasks.people.office import Office
    from tasks.people.persons import lock_person
    from tasks.settings import Settings

    lock_person(Office(Settings().home), name, by=_at_the_machine(), now=now())
    print(typeset(f"已停用{name.strip()}。"))


def _at_the_machine() -> str:
    return f"{getpass.getuser()}(服务器)"


def _asked_password() -> str:
    """The password, asked for twice without echo; one line of a pipe where nobody sits there."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return str(
        typer.prompt(
            "口令(不显示)", hide_input=True, confirmation_prompt="再填一遍口令", show_default=False
        )
    )
