"""Help and wrong usage of every command: in Chinese, in straight columns, within the width."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from deployments.cli import command
from deployments.cli.chinese import wrong_usage
from tasks.wording.typeset import display_width, wrapped
from warehouse.errors import EntryError

# What the library says itself; names of options, commands and settings stay as they are.
ENGLISH = re.compile(
    r"\b(Usage|Options|Arguments|Commands|Show this|default|required|COMMAND|OPTIONS|ARGS)\b|<[a-z]"
)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its path, in Chinese."""

    def below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield path, command
        for name, one in getattr(command, "commands", {}).items():
            yield from below(f"{path} {name}", one)

    yield from below("nianbao", command())


COMMANDS = dict(commands())


@pytest.mark.parametrize("path", COMMANDS)
def test_help_is_chinese_and_fits(
    path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    asked = [*path.split()[1:], "--help"]
    COMMANDS["nianbao"].main(asked, prog_name="nianbao", standalone_mode=False)
    told = capsys.readouterr().out
    assert told.startswith(f"用法：{path} ")
    assert ENGLISH.search(told) is None, told
    assert max(map(display_width, told.splitlines())) <= 80
    # What is said of each option begins in one column.
    options = told.partition("选项：\n")[2].partition("\n\n")[0].splitlines()
    named = filter(None, (re.match(r"( +\S.*?\s{2,})\S", line) for line in options))
    assert len({display_width(one[1]) for one in named}) == 1, told


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["nosuch"], "没有命令 nosuch，现有：nightly、backfill、year-end"),
        (["year-end"], "缺少时段"),
        (["account"], "缺少年度"),
        (["account", "二〇二〇"], "年度 不能是“二〇二〇”：请填整数"),
        (["account", "1999"], "请填不小于 2019 的数"),
        (["year-end", "2020", "2021"], "多出了 2021"),
        (["explain", "2020", "t3", "--page", "0"], "--page 不能是“0”：请填不小于 1 的数"),
        (["status", "--jsn"], "没有选项 --jsn，是不是 --json"),
    ],
)
def test_wrong_usage_is_answered_with_what_is_meant(arguments: list[str], answer: str) -> None:
    with pytest.raises(Exception) as refused:  # noqa: PT011 — the library's own, by their text
        COMMANDS["nianbao"].main(arguments, prog_name="nianbao", standalone_mode=False)
    told = wrong_usage(refused.value)
    assert answer in told
    assert told.splitlines()[-1].startswith("详见：nianbao")


def test_chinese_is_broken_between_characters_but_not_before_a_comma() -> None:
    assert wrapped("一二三四五，六七八九十", 10) == ["一二三四", "五，六七八", "九十"]
    assert wrapped("见 https://example.cn/a-long-address 一节", 12) == [
        "见",
        "https://example.cn/a-long-address",
        "一节",
    ]
    assert wrapped("", 10) == [""]


def test_a_reason_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(EntryError, match=r"没有原因“nosuch”.*wrong_type\(写法不符\)"):
        COMMANDS["nianbao"].main(["rejects", "--reason", "nosuch"], standalone_mode=False)
