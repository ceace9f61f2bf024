"""The data files of an edition as a Frictionless data package: `datapackage.json`.

By it an open-data portal or a researcher reads them without this program: types, units,
definitions, articles, hashes (https://specs.frictionlessdata.io).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.render.account import CSV_COLUMNS as ACCOUNT_COLUMNS
from tasks.render.account import NUMBERS
from tasks.render.data_files import (
    CELL_COLUMNS,
    FINDING_COLUMNS,
    RECORD_COLUMNS,
    cell_columns,
    definitions_json,
    write_json,
)
from tasks.render.manifest import sha256_of
from tasks.render.words import SYNTHETIC_NOTICE, document_title

if TYPE_CHECKING:
    from tasks.editions.edition import Edition

NAME = "datapackage.json"
MEANINGS = {
    "edition_id": "版次编号", "report_year": "报告年度", "layout": "报表格式", "organ_id": "机关编号",
    "organ_name": "机关名称", "scope": "范围:own 本机关,rolled_up 含所属", "cell": "单元格的键",
    "table_key": "表的键", "row_key": "行的键", "column_key": "列的键", "row_label": "行",
    "column_label": "列", "is_derived": "不印出、由其他单元格算出的小计", "value": "数值;空为缺失,不是 0",
    "numerator": "百分数的分子", "denominator": "百分数的分母", "unit": "计量单位", "text": "文字单元格的内容;不是文字的为空", "code": "规则代码",
    "check_key": "核对项的键", "severity": "级别", "check_status": "结果", "message": "说明",
    "equation": "算式", "gap": "相差", "record_count": "所涉记录数", "check_organ_id": "核对所属机关的编号",
    "table_name": "记录所在的表", "source_system": "来源系统", "record_id": "来源系统中的记录编号",
    "record_organ_id": "记录所属机关的编号", "record_organ_name": "记录所属机关的名称",
    "record_on": "记录的日期", "detail": "不符之处", "source": "来源系统", "resource": "资源",
    "table": "写入的表", "balanced": "去向与来源相等", **NUMBERS,
}  # fmt: skip
"""What the columns of the CSV files mean."""
TYPES = {
    "report_year": "year", "is_derived": "boolean", "value": "number", "numerator": "number",
    "denominator": "number", "gap": "number", "record_count": "integer", "record_on": "date",
    "balanced": "boolean", **dict.fromkeys(NUMBERS, "integer"),
}  # fmt: skip
CSV_FILES: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "cells.csv": ("全部单元格", CELL_COLUMNS, ("organ_id", "scope", "cell")),
    "findings.csv": ("核对结果", FINDING_COLUMNS, ("organ_id", "check_key")),
    "finding_records.csv": ("核对所涉记录", RECORD_COLUMNS, ()),
    "account.csv": ("记录去向", ACCOUNT_COLUMNS, ()),
}
"""Title, columns and key of each."""
OTHERS = {
    "cells.parquet": "各机关全部单元格(Parquet)",
    "cells.json": "各机关全部单元格(JSON)",
    "findings.json": "核对结果(JSON)",
}


def write(edition: Edition, path: Path) -> None:
    """Write the description of the data files that lie beside `path`."""
    folder = path.parent
    resources = [
        _table(
            folder / name,
            title,
            cell_columns(edition.layout) if columns is CELL_COLUMNS else columns,
            key,
        )
        for name, (title, columns, key) in CSV_FILES.items()
        if (folder / name).exists()
    ]
    resources += [
        {**_file(folder / name, title), "format": name.rpartition(".")[2]}
        for name, title in OTHERS.items()
        if (folder / name).exists()
    ]
    told: dict[str, Any] = {
        "name": f"{edition.form.key}-{edition.id}".lower() if edition.id else edition.form.key,
        "title": document_title(edition),
        "version": str(edition.number),
        "created": edition.built_at.strftime("%Y-%m-%dT%H:%M:%S+08:00"),
        "profile": "data-package",
        "description": f"{edition.form.title}的全部数字,每个数字的定义与依据见 definitions。"
        + (SYNTHETIC_NOTICE if edition.is_synthetic else ""),
        "contributors": [{"title": edition.root.name, "role": "publisher"}],
        "resources": resources,
        # What each cell counts, in words, with its unit and article.
        "definitions": definitions_json(edition.layout),
        "cell_hash": edition.cell_hash,
    }
    write_json(path, told)


def _file(path: Path, title: str) -> dict[str, Any]:
    return {
        "name": path.name.replace(".", "-").replace("_", "-"),
        "path": path.name,
        "title": title,
        "bytes": path.stat().st_size,
        "hash": f"sha256:{sha256_of(path)}",
    }


def _table(
    path: Path, title: str, columns: tuple[str, ...], key: tuple[str, ...]
) -> dict[str, Any]:
    fields = [
        {
            "name": name,
            "type": TYPES.get(name, "string"),
            "description": MEANINGS[name],
        }
        for name in columns
    ]
    schema: dict[str, Any] = {"fields": fields, "missingValues": [""]}
    if key:
        schema["primaryKey"] = list(key)
    return {
        **_file(path, title),
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8-sig",
        "dialect": {"delimiter": ",", "lineTerminator": "\r\n", "header": True},
        "schema": schema,
    }
