"""Help and wrong usage in Chinese, in columns that take a Chinese character for two.

The library below the commands says both in English and counts characters, not columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import typer

from tasks.wording.typeset import display_width, typeset, wrapped

FORMATTER: Any = typer.Context.formatter_class
HEADINGS = {"Arguments": "参数", "Options": "选项", "Commands": "命令"}
WORDS = (
    (r"Show this message and exit\.", "显示这段说明"),
    (r"\[OPTIONS\]", "[选项]"),
    (r"COMMAND \[ARGS\]\.\.\.", "命令 [参数]..."),
    (r"<(?:int|float)(?: range)?>", "<数>"),
    (r"<str>", "<文字>"),
    (r"<(?:list\[Path\]|path|file|directory)>", "<路径>"),
    (r"\brequired\]", "必填]"),
    (r"\bdefault: ", "默认 "),
    (r"([\d.]+)<=x<=([\d.]+)", r"\1 至 \2"),
    (r"\bx>=([\d.]+)", r"不小于 \1"),
)
FIRST_COLUMN = 34
"""Columns that names of options take at most before their help begins on a line of its own."""


def said(text: str) -> str:
    """The library's own words in a text, in Chinese."""
    for pattern, chinese in WORDS:
        text = re.sub(pattern, chinese, text)
    return text


class ChineseHelp(FORMATTER):  # type: ignore[misc]
    """Writes a help page."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, said(args), "用法：" if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        self.write(f"{' ' * self.current_indent}{HEADINGS.get(heading, heading)}：\n")

    def write_text(self, text: str) -> None:
        indent = " " * self.current_indent
        paragraphs = [" ".join(p.split()) for p in text.split("\n\n")]
        blocks = [
            "\n".join(indent + line for line in wrapped(typeset(p), self.width - len(indent)))
            for p in paragraphs
        ]
        self.write("\n\n".join(blocks) + "\n")

    def write_dl(
        self, rows: Sequence[tuple[str, str]], col_max: int = FIRST_COLUMN, col_spacing: int = 2
    ) -> None:
        named = [(said(first), typeset(said(second))) for first, second in rows]
        widest = max(display_width(first) for first, _ in named)
        first_column = min(widest, col_max) + col_spacing
        indent = " " * self.current_indent
        for first, second in named:
            room = self.width - len(indent) - first_column
            lines = wrapped(" ".join(second.split()), max(room, 10))
            if display_width(first) + col_spacing > first_column:
                self.write(f"{indent}{first}\n")
                first = ""
            for line in lines:
                gap = " " * (first_column - display_width(first))
                self.write(f"{indent}{first}{gap}{line}".rstrip() + "\n")
                first = ""


class ChineseContext(typer.Context):
    formatter_class = ChineseHelp


def in_chinese(command: Any) -> Any:
    """A command, and those below it, with help in Chinese."""
    command.context_class = ChineseContext
    for below in getattr(command, "commands", {}).values():
        in_chinese(below)
    return command


def is_wrong_usage(error: Exception) -> bool:
    """Whether a command was called in a way that it does not know."""
    return hasattr(error, "format_message")


def wrong_usage(error: Any) -> str:
    """What is wrong with a call, and where to read how it is meant."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error.format_message())
    told = typeset(f"用法有误:{_fault(error)}")
    if error.ctx is None:
        return told
    path = error.ctx.command_path
    return f"{told}\n{error.ctx.get_usage()}\n" + typeset(f"详见:{path} -h")


def _fault(error: Any) -> str:
    kind = type(error).__name__
    message = str(error.format_message())
    parameter = getattr(error, "param", None)
    name = said(_name(parameter)) if parameter is not None else ""
    if kind == "MissingParameter":
        return f"缺少{name}"
    if kind == "NoSuchOption":
        near = f",是不是 {'、'.join(error.possibilities)}" if error.possibilities else ""
        return f"没有选项 {error.option_name}{near}"
    if command := re.match(r"No such command '(.*)'\.", message):
        return f"没有命令 {command[1]},现有:{'、'.join(error.ctx.command.commands)}"
    if extra := re.match(r"Got unexpected extra argument\S* \((.*)\)", message):
        return f"多出了 {extra[1]}"
    if hasattr(error.__cause__, "errors"):
        from tasks.wording.entries import instead

        wrong = error.__cause__.errors()[0]
        return f"{name} 不能是“{wrong['input']}”:{instead(wrong)}"
    return message


def _name(parameter: Any) -> str:
    return (
        parameter.opts[-1]
        if parameter.param_type_name == "option"
        else str(parameter.metavar or parameter.name)
    )
