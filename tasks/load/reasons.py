"""Why a record could not be kept: light, so that help texts can list them."""

from __future__ import annotations

REASONS = {
    "missing_key": "没有编号",
    "missing_required": "缺少必填字段",
    "wrong_type": "写法不符",
    "unknown_code": "未列出的代码",
    "not_scalar": "不是单个的值",
    "imprecise_key": "编号的数字过长,已失真",
    "conflicting_key": "编号相同而内容不同",
}
