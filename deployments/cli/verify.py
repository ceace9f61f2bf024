"""`nianbao verify`: whether what was published is still what was signed for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.wording.typeset import typeset
from warehouse.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.publish.verify import Verified


def verify(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="文件夹", help="已发布版次的文件夹;不填为本机发布的全部"),
    ] = None,
    checkpoint: Annotated[
        str,
        typer.Option(
            "--checkpoint",
            metavar="次数:指纹",
            help="留存在系统之外的核对码,发布时的消息和结果页中有",
        ),
    ] = "",
    key: Annotated[
        str,
        typer.Option(
            "--key",
            metavar="公钥",
            help="发布单位的签名公钥(其 signing.pub 中的 64 位文字);不填为本机的",
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON,供程序读取")] = False,
) -> None:
    """核验已发布的版次:文件、链接、权限、签名、发布链,以及湖中所存是否一致。

    没有湖也能核验一个文件夹,但须知道签名的公钥,或有它的核对码。退出码:0 未被改动;1 有改动;2 用法有误;5 有内容无法判断。
    """
    found = _looked_at(folder, checkpoint, key)
    if as_json:
        print(json.dumps(found.as_data(), ensure_ascii=False, indent=2))
    else:
        for line in _told(found):
            print(typeset(line))
    if found.problems:
        raise typer.Exit(ExitCode.BLOCKED)
    if not found.is_judged:
        raise typer.Exit(ExitCode.NOT_JUDGED)


def _looked_at(folder: Path | None, checkpoint: str, key: str) -> Verified:
    from deployments.cli import open_lake
    from tasks.publish.signature import Checkpoint, key_read, public_key
    from tasks.publish.verify import (
        CannotVerify,
        verify_folder,
        verify_folder_with_lake,
        verify_home,
    )

    kept = Checkpoint.read(checkpoint) if checkpoint else None
    given = key_read(key) if key else ""
    if given and folder is None:
        raise CannotVerify(
            "--key 用于核验一个文件夹。请一并给出文件夹:nianbao verify 文件夹 --key 公钥"
        )
    settings, lake = open_lake()
    has_lake = lake.exists()
    if folder is not None and has_lake:
        return verify_folder_with_lake(folder, lake, settings, kept, given)
    if folder is not None:
        return verify_folder(folder, kept, given, public_key(settings.home))
    if has_lake:
        return verify_home(lake, settings, kept)
    raise CannotVerify("这里没有湖。请给出要核验的文件夹:nianbao verify 文件夹")


def _told(found: Verified) -> Iterator[str]:
    for problem in found.problems:
        yield f"{problem.edition or '全部'}  {problem.name}:{problem.text}"
    for note in found.notes:
        yield f"注意:{note}"
    if found.is_unchanged and not found.is_judged:
        yield f"无法判断:{'、'.join(found.editions)}"
    elif found.is_unchanged:
        yield f"没有发现改动:{'、'.join(found.editions) or '还没有发布的版次'}"
    if found.signing_key:
        yield f"签名密钥 {found.signing_key}"
    if found.checkpoint:
        yield f"核对码 {found.checkpoint}"
