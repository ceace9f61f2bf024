"""What is kept of a record: the allow-list, code maps, keys, removal, children."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tasks.sources.model.base import Part, Says, Text, Texts

FieldType = Literal["text", "integer", "decimal", "boolean", "date", "timestamp"]
NAMED_FORMATS = ("auto", "iso", "epoch_s", "epoch_ms", "excel")


class CodeMap(Part):
    """From the source's codes to ours; written out in `values`, or read from a CSV."""

    values: Annotated[
        dict[Text, Text | None],
        Says(
            '来源代码: 本库代码;写 "" 即算没有值。先按原样对照,再不论空白、全半角与大小写对照',
            'their code: our code; "" for no value. Compared as written first, then without white space, width and case',
        ),
    ] = Field(default_factory=dict)
    file: Annotated[
        str | None, Says("CSV 文件,相对来源文件所在目录", "CSV file, relative to the source file")
    ] = None
    from_column: Annotated[str | None, Says("CSV 中来源代码的列", "CSV column of their code")] = (
        Field(None, alias="from")
    )
    to_column: Annotated[str | None, Says("CSV 中本库代码的列", "CSV column of our code")] = Field(
        None, alias="to"
    )
    unknown: Annotated[
        Literal["reject", "keep", "null", "default"],
        Says(
            "遇到未列出的代码:reject 退回该记录,keep 原样保留,null 置空,default 用 default 的值",
            "for a code that is not listed: reject the record, keep it as it is, null, or the default",
        ),
    ] = "reject"
    default: Annotated[
        Text | None, Says("unknown: default 时的值", "value for unknown: default")
    ] = None

    @model_validator(mode="after")
    def _complete(self) -> CodeMap:
        if self.file is None and not self.values:
            raise ValueError("values 与 file 至少写一个")
        if self.file is not None and (self.from_column is None or self.to_column is None):
            raise ValueError("写了 file 就要同时写 from(来源代码列)和 to(本库代码列)")
        if (self.unknown == "default") != (self.default is not None):
            raise ValueError("unknown: default 与 default 的值须同时写")
        return self


class FieldRule(Part):
    """One column of the core table: where it comes from and how it is read."""

    path: Annotated[
        Texts,
        Says(
            "记录中的路径(JMESPath;工作簿为列标题,多级标题以 / 相连);写多个时取第一个有值的。"
            "$parent.… 上级记录,$parent_id 上级记录的编号,$detail.… 详情,$each.… 循环参数,$index 序号,"
            "$file $sheet $row 工作簿的文件、工作表、行,$listing.… 目录中该文件的一项,$cell.B2 单元格,$beside.填报单位 标签右侧的值",
            "path in the record (JMESPath; for workbooks the column label, levels joined by /); of several the first with a value. "
            "$parent.…, $parent_id, $detail.…, $each.…, $index, $file, $sheet, $row, $listing.…, $cell.B2, $beside.<label>",
        ),
    ] = ()
    value: Annotated[Text | None, Says("固定值,代替 path", "a constant instead of a path")] = None
    type: Annotated[
        FieldType | None, Says("类型;默认取该列在表中的类型", "type; by default that of the column")
    ] = None
    format: Annotated[
        Texts,
        Says(
            "时间的写法:auto(默认,识别常见写法)、iso、epoch_s、epoch_ms、excel,或 strptime 格式如 %Y年%m月%d日;可写多个",
            "how times are written: auto, iso, epoch_s, epoch_ms, excel or a strptime format; one or several",
        ),
    ] = ("auto",)
    timezone: Annotated[
        str | None, Says("不带时区的时间所用的时区;默认取来源的", "zone of times that carry none")
    ] = None
    codes: Annotated[str | None, Says("所用的代码表(code_maps 中的名称)", "code map to apply")] = (
        None
    )
    required: Annotated[
        bool, Says("没有值的记录退回;整批都没有则停止该资源", "records without it are rejected")
    ] = False
    default: Annotated[Text | None, Says("没有值时的值", "value when there is none")] = None
    pattern: Annotated[
        str | None,
        Says(
            "正则表达式;取第一个分组(没有分组取全部)",
            "regular expression; its first group is taken",
        ),
    ] = None
    html: Annotated[
        bool,
        Says(
            "值为 HTML 片段:去掉标记,还原 &amp; 等字符",
            "the value is a piece of HTML: its marks are dropped, &amp; and the like resolved",
        ),
    ] = False
    multiply: Annotated[
        float | None, Says("数值乘以(如单位为万元时写 10000)", "factor, such as 10000 for 万元")
    ] = None
    true_values: Annotated[Texts, Says("算作“是”的值", "values that mean true")] = (
        "true",
        "1",
        "是",
        "y",
        "yes",
        "t",
        "有",
        "√",
        "已",
        "1.0",
    )
    false_values: Annotated[Texts, Says("算作“否”的值", "values that mean false")] = (
        "false",
        "0",
        "否",
        "n",
        "no",
        "f",
        "无",
        "×",
        "未",
        "0.0",
    )

    @model_validator(mode="after")
    def _complete(self) -> FieldRule:
        if bool(self.path) == (self.value is not None):
            raise ValueError("path(路径)与 value(固定值)必须且只能写一个")
        for written in self.format:
            if written not in NAMED_FORMATS and "%" not in written:
                raise ValueError(
                    f"时间格式 {written} 不认识;允许:{'、'.join(NAMED_FORMATS)} 或含 % 的 strptime 格式"
                )
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"正则表达式有误:{error}") from error
        return self


def _field(value: Any) -> Any:
    """`column: path` is short for `column: {path: path}`."""
    return {"path": value} if isinstance(value, str | list) else value


Fields = Annotated[
    dict[str, Annotated[FieldRule, BeforeValidator(_field)]],
    # `fields:` with nothing below it yet, as in a file that is being written.
    BeforeValidator(lambda value: {} if value is None else value),
]


class Condition(Part):
    """A test of one value of a record; exactly one of the comparisons."""

    path: Annotated[str, Says("记录中的路径", "path in the record")]
    equals: Annotated[Text | None, Says("等于", "equal to")] = None
    any_of: Annotated[Texts, Says("等于其中之一", "equal to one of these")] = Field((), alias="in")
    none_of: Annotated[Texts, Says("不等于其中任何一个", "equal to none of these")] = Field(
        (), alias="not_in"
    )
    present: Annotated[bool | None, Says("true:有值;false:没有值", "has a value, or has none")] = (
        None
    )

    @model_validator(mode="after")
    def _one(self) -> Condition:
        given = [
            self.equals is not None,
            bool(self.any_of),
            bool(self.none_of),
            self.present is not None,
        ]
        if sum(given) != 1:
            raise ValueError("equals、in、not_in、present 必须且只能写一个")
        return self


class Removed(Condition):
    """How a record says that it is void: typed in twice, by mistake, deleted at the source. What an
    applicant withdraws is not: it counts, with an outcome of its own (docs/counting.md)."""

    at: Annotated[
        str | None,
        Says("撤回时间的路径;没有则用更新时间或发现的时间", "path of the time of withdrawal"),
    ] = None
    format: Annotated[Texts, Says("撤回时间的写法,同字段的 format", "how that time is written")] = (
        "auto",
    )


Key = Annotated[
    Texts,
    Says(
        "记录编号的路径;写多个时以 / 相连。以 = 开头的是固定文字,如 =penalty",
        "path of the record's id; several are joined with /; a part that begins with = is a constant",
    ),
]
