"""From a source file to a Source, with every mistake named at once: file, line, key, remedy."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tasks.sources.errors import Problem, SourceContractError, SourceFileError
from tasks.sources.model.fields import CodeMap, Fields
from tasks.sources.model.resource import Child, Resource, answer_paths, record_paths
from tasks.sources.model.source import Source
from tasks.sources.model.yaml_lines import KeyPath, dotted, nearest_line, read_yaml
from tasks.sources.select import compile_path
from warehouse.disk import UnreadableFile, text_of
from warehouse.tables import Table, all_tables

TOO_SHORT = "至少要有一项"
_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def load_sources(folder: Path, environment: Mapping[str, str]) -> list[Source]:
    """Every source of a city's `sources` folder, by name.

    Raises SourceFileError that lists every mistake of every file.
    """
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    if not files:
        raise SourceFileError(
            [Problem(str(folder), 1, "(目录)", "没有来源文件(*.yaml);可用 nianbao source new 新建")]
        )
    sources: list[Source] = []
    problems: list[Problem] = []
    for file in files:
        try:
            sources.append(load_source(file, environment))
        except SourceFileError as error:
            problems += error.problems
    seen: dict[str, Path] = {}
    for source in sources:
        if source.name in seen:
            problems.append(
                Problem(
                    str(source.file), 1, "name", f"名称 {source.name} 已被 {seen[source.name]} 使用"
                )
            )
        seen[source.name] = source.file
    if problems:
        raise SourceFileError(problems)
    return sources


def load_source(file: Path, environment: Mapping[str, str]) -> Source:
    """One source file. Raises SourceFileError that lists every mistake."""
    raw, lines = read_yaml(file)
    problems: list[Problem] = []

    def report(path: KeyPath, message: str) -> None:
        problems.append(Problem(str(file), nearest_line(path, lines), dotted(path), message))

    if not isinstance(raw, dict):
        report((), "来源文件应是键与值,例如 name: hotline;可用 nianbao source new 新建")
        raise SourceFileError(problems)
    expanded = _expand(raw, (), environment, report)
    try:
        source = Source.model_validate(expanded)
    except ValidationError as error:
        explained: dict[KeyPath, str] = {}
        for detail in error.errors(include_url=False):
            path, message = _explain(detail, expanded)
            explained.setdefault(path, message)
        for path, message in explained.items():
            # A list that lost its only item to a mistake inside it is not also too short.
            inner = any(len(p) > len(path) and p[: len(path)] == path for p in explained)
            if not (inner and message == TOO_SHORT):
                report(path, message)
        raise SourceFileError(problems) from error
    code_values = {
        name: _code_values(code_map, file.parent, ("code_maps", name), report)
        for name, code_map in source.code_maps.items()
    }
    _check_references(source, report)
    if problems:
        raise SourceFileError(problems)
    return source.settle(file, code_values)


def _expand(value: Any, path: KeyPath, environment: Mapping[str, str], report: Any) -> Any:
    """`${NAME}` and `${NAME:-default}` replaced from the environment."""
    if isinstance(value, dict):
        return {
            key: _expand(item, (*path, key), environment, report) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_expand(item, (*path, i), environment, report) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name in environment:
            return environment[name]
        if default is None:
            report(path, f"环境变量 {name} 没有设置;请在环境或 <数据目录>/<城市>.env 中设置")
            return "http://unset"
        return str(default)

    return _NAME.sub(replace, value)


def _explain(detail: ErrorDetails, raw: Any) -> tuple[KeyPath, str]:
    """Where a validation error is in the file, and what it says in Chinese."""
    path, model = _locate(detail["loc"], raw)
    context = detail.get("ctx", {})
    match detail["type"]:
        case "missing":
            return path, "缺少这个键"
        case "extra_forbidden":
            allowed = _keys(model) if model else []
            close = difflib.get_close_matches(str(path[-1]), allowed, 1)
            hint = f"是否想写 {close[0]}?" if close else ""
            return path, f"没有这个键。{hint}允许:{'、'.join(allowed)}"
        case "union_tag_invalid":
            return (
                *path,
                "type",
            ), f"类型 {context['tag']} 不认识。允许:{_list(context['expected_tags'])}"
        case "union_tag_not_found":
            return path, "缺少 type(类型)"
        case "literal_error":
            return path, f"值不在允许之列。允许:{_list(context['expected'])}"
        case "value_error":
            return path, str(context["error"])
        case "string_pattern_mismatch":
            return (
                path,
                f"写法不对:须符合 {context['pattern']}(小写字母开头,只含小写字母、数字、下划线)",
            )
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            sign = {"ge": "不小于", "gt": "大于", "le": "不大于", "lt": "小于"}
            return path, "值须" + "、".join(
                f"{sign[k]} {v}" for k, v in context.items() if k in sign
            )
        case "too_short":
            return path, TOO_SHORT
    expected = {
        "string_type": "文字",
        "int_type": "整数",
        "int_parsing": "整数",
        "float_type": "数",
        "float_parsing": "数",
        "bool_type": "true 或 false",
        "bool_parsing": "true 或 false",
        "dict_type": "键与值",
        "list_type": "列表",
        "tuple_type": "列表",
        "model_type": "键与值",
        "model_attributes_type": "键与值",
        "time_delta_type": "时长,如 2d",
        "time_delta_parsing": "时长,如 2d",
    }
    return path, f"应是{expected.get(detail['type'], detail['msg'])}"


def _list(quoted: str) -> str:
    return "、".join(re.findall(r"'([^']*)'", quoted)) or quoted


def _locate(loc: tuple[str | int, ...], raw: Any) -> tuple[KeyPath, type[BaseModel] | None]:
    """Drop what pydantic adds to a location (tags of unions), and find the model around it."""
    path: list[str | int] = []
    model: Any = Source
    here = raw
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        inside = (isinstance(here, dict) and part in here) or (
            isinstance(here, list) and isinstance(part, int) and part < len(here)
        )
        variants = _models(model)
        tagged = [m for m in variants if _tag(m) == part]
        if tagged and len(variants) > 1:
            model = tagged[0]
            continue
        if inside:
            path.append(part)
            here = here[part]
            if not last:
                model = _step(model, part)
        elif (
            last
            and isinstance(here, dict)
            and isinstance(part, str)
            and not part.startswith("function-")
        ):
            path.append(part)
    found = _models(model)
    return tuple(path), found[0] if len(found) == 1 else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _tag(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("type")
    return get_args(field.annotation)[0] if field and get_args(field.annotation) else None


def _step(annotation: Any, part: str | int) -> Any:
    """The annotation one key further in."""
    for model in _models(annotation):
        for name, field in model.model_fields.items():
            if part in (name, field.alias):
                return field.annotation
    return annotation


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _code_values(code_map: CodeMap, folder: Path, path: KeyPath, report: Any) -> dict[str, str]:
    values: dict[str, str] = {}
    if code_map.file is not None:
        file = folder / code_map.file
        try:
            rows = list(csv.DictReader(io.StringIO(text_of(file), newline="")))
        except UnreadableFile as error:
            report((*path, "file"), f"读不出代码表文件 {error}")
            return values
        columns = list(rows[0]) if rows else []
        for key, column in (("from", code_map.from_column), ("to", code_map.to_column)):
            if rows and column not in columns:
                report((*path, key), f"{file.name} 中没有列 {column}。现有:{'、'.join(columns)}")
                return values
        for row in rows:
            code = (row[str(code_map.from_column)] or "").strip()
            ours = (row[str(code_map.to_column)] or "").strip()
            # A blank in a file is what nobody has filled in yet; that a code means nothing is
            # written out in `values`.
            if code and ours:
                values[code] = ours
    return values | {code: ours or "" for code, ours in code_map.values.items()}


def _check_references(source: Source, report: Any) -> None:
    """Tables, columns, code maps and names that a key refers to must exist."""
    tables = {t.name: t for t in all_tables() if t.layer == "core" and t.is_pulled}
    names: set[str] = set()
    for index, resource in enumerate(source.resources):
        path: KeyPath = ("resources", index)
        _check_records(source, resource, path, tables, names, report)
        if resource.query is not None and source.database is None:
            report((*path, "query"), "来源没有写 database,不能用查询")
        if resource.path is not None and source.base_url is None:
            report((*path, "path"), "来源没有写 base_url,不能用接口路径")
        if resource.workbook is not None and resource.workbook.url and source.base_url is None:
            report((*path, "workbook", "url"), "来源没有写 base_url")
        for child_index, child in enumerate(resource.children):
            _check_records(source, child, (*path, "children", child_index), tables, names, report)
        table = tables.get(resource.table)
        columns = [c.name for c in table.columns] if table else []
        for key, column in (
            ("windows", resource.windows.column if resource.windows else None),
            ("control_total", resource.control_total.column if resource.control_total else None),
        ):
            if table and column is not None and column not in columns:
                report(
                    (*path, key, "column"),
                    f"表 {table.name} 没有列 {column}。允许:{'、'.join(columns)}",
                )


def _check_records(
    source: Source,
    records: Resource | Child,
    path: KeyPath,
    tables: dict[str, Table],
    names: set[str],
    report: Any,
) -> None:
    if records.name in names:
        report((*path, "name"), f"名称 {records.name} 在本来源中已用过")
    names.add(records.name)
    table = tables.get(records.table)
    if table is None:
        close = difflib.get_close_matches(records.table, tables, 1)
        hint = f"是否想写 {close[0]}?" if close else ""
        report((*path, "table"), f"没有核心表 {records.table}。{hint}允许:{'、'.join(tables)}")
        return
    _check_fields(source, records.fields, table, (*path, "fields"), report)
    # In a workbook a path is a label, whatever it holds.
    if isinstance(records, Child) or records.path is not None:
        for key, written in [*record_paths(records), *answer_paths(records)]:
            try:
                compile_path(written)
            except SourceContractError as error:
                report((*path, *key), str(error))


def _check_fields(source: Source, fields: Fields, table: Table, path: KeyPath, report: Any) -> None:
    columns = [column.name for column in table.business_columns]
    for column, field in fields.items():
        if column not in columns:
            close = difflib.get_close_matches(column, columns, 1)
            hint = f"是否想写 {close[0]}?" if close else ""
            report((*path, column), f"表 {table.name} 没有这一列。{hint}允许:{'、'.join(columns)}")
        if field.codes is not None and field.codes not in source.code_maps:
            known = "、".join(source.code_maps) or "(没有声明代码表)"
            report((*path, column, "codes"), f"没有代码表 {field.codes}。允许:{known}")
