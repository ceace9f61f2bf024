"""What to enter instead: the answer to an entry of the wrong kind, wherever it was entered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS = {
    "int": "整数",
    "float": "数",
    "decimal": "数",
    "date": "日期,写作 2021-01-20",
    "bool": "是(true)或否(false)",
    "string": "文字",
    "path": "文件或文件夹的路径",
    "model": "逐项的内容",
    "list": '列表,如 ["甲", "乙"]',
    "greater_than_equal": "不小于 {ge} 的数",
    "greater_than": "大于 {gt} 的数",
    "less_than_equal": "不大于 {le} 的数",
    "less_than": "小于 {lt} 的数",
    "literal_error": "{expected} 之一",
    "enum": "{expected} 之一",
}
"""By the beginning of the kind of error that pydantic names, the longer names first."""


def instead(wrong: Mapping[str, Any]) -> str:
    """What one error of pydantic asks for, in Chinese; its own message where none is known."""
    if wrong["type"] == "value_error":
        return str(wrong["ctx"]["error"])
    for kind, text in KINDS.items():
        if str(wrong["type"]).startswith(kind):
            return f"请填{text.format(**wrong.get('ctx', {}))}"
    return str(wrong["msg"])
