"""YAML that remembers lines: values, and for each key path the line it stands on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tasks.sources.errors import Problem, SourceFileError
from warehouse.disk import UnreadableFile, YamlLoader, text_of

KeyPath = tuple[str | int, ...]


def read_yaml(path: Path) -> tuple[Any, dict[KeyPath, int]]:
    """The values of a YAML file and the line (from 1) of every key and item.

    Keys are kept as text exactly as written, so that the code `01` does not become 1.
    Raises SourceFileError for a file that cannot be read, is no YAML, or repeats a key.
    """
    try:
        text = text_of(path)
    except UnreadableFile as error:
        raise SourceFileError([Problem(str(path), 1, "(文件)", str(error))]) from error
    loader = YamlLoader(text)
    try:
        node = loader.get_single_node()
        lines: dict[KeyPath, int] = {(): 1}
        problems: list[Problem] = []
        value = _value(loader, node, (), lines, problems, str(path)) if node else None
    except yaml.YAMLError as error:
        told = _told_better(text, error)
        mark = getattr(told, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        reason = getattr(told, "problem", None) or str(told)
        raise SourceFileError(
            [Problem(str(path), line, "(YAML)", f"不是合法的 YAML:{reason};请检查缩进、冒号与引号")]
        ) from told
    finally:
        loader.dispose()
    if problems:
        raise SourceFileError(problems)
    return value, lines


def _told_better(text: str, error: yaml.YAMLError) -> yaml.YAMLError:
    """The same error as the loader written in Python tells it, which knows the place better."""
    try:
        yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as plain:
        return plain
    return error


def _value(
    loader: Any,
    node: yaml.Node,
    path: KeyPath,
    lines: dict[KeyPath, int],
    problems: list[Problem],
    file: str,
) -> Any:
    if isinstance(node, yaml.MappingNode):
        written = [key_node for key_node, _ in node.value]
        # What `<<: *name` brings comes first, so that the mapping's own keys override it.
        loader.flatten_mapping(node)
        mapping: dict[str, Any] = {}
        own: set[str] = set()
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key_node in written:
                if key in own:
                    problems.append(Problem(file, line, dotted((*path, key)), "同一个键写了两次"))
                own.add(key)
            lines[(*path, key)] = line
            mapping[key] = _value(loader, value_node, (*path, key), lines, problems, file)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            lines[(*path, index)] = item.start_mark.line + 1
            items.append(_value(loader, item, (*path, index), lines, problems, file))
        return items
    value = loader.construct_object(node)
    # Dates written without quotes are meant as text here: they are dates of the source.
    return value if isinstance(value, str | int | float | bool | None) else node.value


def dotted(path: KeyPath) -> str:
    """`resources[0].fields.outcome`: a key path as a person writes it."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "(文件)"


def nearest_line(path: KeyPath, lines: dict[KeyPath, int]) -> int:
    """The line of the key, or of the closest key around it."""
    while path not in lines:
        path = path[:-1]
    return lines[path]
