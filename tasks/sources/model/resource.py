"""A resource: one list of records at a source, and the core table it fills."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator

from tasks.sources.model.base import Duration, Part, Says, Text, Texts
from tasks.sources.model.database import wrong_query
from tasks.sources.model.fields import Condition, Fields, Key, Removed
from tasks.sources.model.paginator import Paginator, Single
from tasks.sources.raw_body import wrong_xml

Split = Literal["none", "day", "week", "month", "year"]


BodyType = Annotated[
    Literal["json", "form", "xml", "text"],
    Says(
        "请求体的格式;xml 为 SOAP 等 XML 报文,text 为其他原文",
        "format of the body; xml for SOAP envelopes and other XML, text for anything else",
    ),
]


def _fits(body: dict[str, Any] | str | None, body_type: str) -> None:
    """Raise ValueError where a body is no body of its kind."""
    if isinstance(body, str) != (body_type in ("xml", "text")) and body is not None:
        raise ValueError("body_type 为 xml、text 时 body 写全文(文字),为 json、form 时写键与值")
    if body_type == "xml" and isinstance(body, str):
        wrong = wrong_xml(body)
        if wrong is not None:
            raise ValueError(f"body 不是合法的 XML:{wrong}")


class _Request(Part):
    path: Annotated[
        str | None,
        Says(
            "相对 base_url 的路径;可用 {循环参数}、{上级记录的字段}",
            "path below base_url; may use {names}",
        ),
    ] = None
    method: Annotated[Literal["GET", "POST"], Says("请求方法", "method")] = "GET"
    params: Annotated[dict[str, Text], Says("固定的查询参数", "fixed query parameters")] = Field(
        default_factory=dict
    )
    headers: Annotated[dict[str, str], Says("固定的请求头", "fixed headers")] = Field(
        default_factory=dict
    )
    body: Annotated[
        dict[str, Any] | str | None,
        Says(
            "POST 的请求体(可用占位);body_type 为 xml、text 时写全文,参数按 XML 元素名或 {名称} 填入",
            "body of a POST; for xml and text the whole of it, parameters go into the XML element of their name, or {name}",
        ),
    ] = None
    body_type: BodyType = "json"
    records: Annotated[
        str | None,
        Says(
            "响应体中记录列表的路径(JMESPath);响应体本身就是列表时不写",
            "path of the records in the answer",
        ),
    ] = None
    format: Annotated[
        Literal["json", "ndjson", "xml", "csv"], Says("响应体的格式", "format of the answer")
    ] = "json"
    encoding: Annotated[
        str | None,
        Says(
            "响应体的编码,如 gb18030;默认按响应头,再试 UTF-8 与 GB18030",
            "encoding; by default as the answer says, then UTF-8, then GB18030",
        ),
    ] = None

    @model_validator(mode="after")
    def _body_fits(self) -> _Request:
        _fits(self.body, self.body_type)
        return self


class CursorRule(Part):
    """Incremental pull: only what changed since the last one."""

    field: Annotated[
        str,
        Says("记录中更新时间(或递增编号)的路径", "path of the time of change or a rising number"),
    ]
    param: Annotated[
        str,
        Says(
            "请求中“自何时起”的参数;数据库查询不写",
            "parameter for “changed since”; none for a query",
        ),
    ] = ""
    end_param: Annotated[
        str | None, Says("请求中“至何时止”的参数", "parameter for “changed until”")
    ] = None
    kind: Annotated[
        Literal["time", "number"], Says("游标是时间还是递增的数", "a time or a rising number")
    ] = "time"
    format: Annotated[
        str,
        Says(
            "参数中时间的写法:strptime 格式、epoch_s、epoch_ms、iso",
            "how the parameter writes times",
        ),
    ] = "%Y-%m-%dT%H:%M:%S"
    timezone: Annotated[
        str | None, Says("参数中时间的时区;默认取来源的", "zone of the parameter")
    ] = None
    lag: Annotated[
        Duration | int | None,
        Says(
            "每次往回多取的时长(或数),以免漏掉同一时刻的和迟提交的记录;默认 1d,游标为数时 100",
            "how far each pull reaches back for equal and late values; by default 1d, of numbers 100",
        ),
    ] = None
    initial: Annotated[
        Text | None, Says("首次拉取的起点;不写则不带该参数", "where the first pull begins")
    ] = None
    send_in: Annotated[Literal["query", "body"], Says("参数放在哪里", "where it is sent")] = "query"

    @property
    def reach(self) -> timedelta | int:
        """How far a pull reaches back behind the watermark."""
        if self.kind == "number":
            return self.lag if isinstance(self.lag, int) else DEFAULT_REACH_OF_NUMBERS
        return self.lag if isinstance(self.lag, timedelta) else self._none_or_default()

    def _none_or_default(self) -> timedelta:
        return timedelta(0) if self.lag == 0 else DEFAULT_REACH


DEFAULT_REACH = timedelta(days=1)
DEFAULT_REACH_OF_NUMBERS = 100

Both = Annotated[
    str | None,
    Says(
        "起止写在同一个参数(from_param)里的写法,代替 to_param,如 ><{from}|{to}",
        "how both ends are written into from_param, instead of to_param, such as ><{from}|{to}",
    ),
]


class WindowRule(Part):
    """From/to parameters; a long range is split and fetched side by side."""

    from_param: Annotated[str, Says("请求中窗口起点的参数", "parameter for the beginning")]
    to_param: Annotated[str | None, Says("请求中窗口终点的参数", "parameter for the end")] = None
    both: Both = None
    format: Annotated[
        str,
        Says(
            "参数中时间的写法:strptime 格式、epoch_s、epoch_ms、iso",
            "how the parameters write times",
        ),
    ] = "%Y-%m-%d"
    timezone: Annotated[
        str | None, Says("参数中时间的时区;默认取来源的", "zone of the parameters")
    ] = None
    to_is_inclusive: Annotated[
        bool, Says("终点当天(当秒)的记录是否包括在内", "whether the end itself is included")
    ] = True
    split: Annotated[Split, Says("按日、周、月、年切分", "split by day, week, month or year")] = (
        "month"
    )
    start: Annotated[str, Says("最早的日期,如 2019-01-01", "the earliest day")]
    lag: Annotated[
        Duration,
        Says("窗口结束后多久仍会变化;期内每次都重新拉取", "how long a window may still change"),
    ] = Field("2d", validate_default=True)
    column: Annotated[
        str | None,
        Says(
            "窗口所依据的列;写了它,全量拉取时可发现窗口内被删除的记录",
            "column the window filters by, to find deleted records",
        ),
    ] = None
    send_in: Annotated[Literal["query", "body"], Says("参数放在哪里", "where they are sent")] = (
        "query"
    )

    @model_validator(mode="after")
    def _two_ends(self) -> WindowRule:
        if (self.to_param is None) == (self.both is None):
            raise ValueError("to_param(终点的参数)与 both(起止写在一个参数里)必须且只能写一个")
        if self.both is not None and not all(end in self.both for end in ("{from}", "{to}")):
            raise ValueError("both 中须有 {from} 与 {to}")
        return self


class Detail(_Request):
    """One more request for each record of the list."""

    records: Annotated[
        str | None, Says("响应体中详情的路径;不写即整个响应体", "path of the detail in the answer")
    ] = None


class ControlTotal(Part):
    """The source's own count, compared with ours."""

    path: Annotated[str, Says("计数接口的路径", "path of the count")]
    method: Annotated[Literal["GET", "POST"], Says("请求方法", "method")] = "GET"
    params: Annotated[dict[str, Text], Says("固定的查询参数", "fixed query parameters")] = Field(
        default_factory=dict
    )
    body: Annotated[
        dict[str, Any] | str | None,
        Says("POST 的请求体,同资源的 body", "body of a POST, as a resource's"),
    ] = None
    body_type: BodyType = "json"
    answer_format: Annotated[
        Literal["json", "xml", "csv"], Says("响应体的格式", "format of the answer")
    ] = "json"
    total: Annotated[str | None, Says("响应体中条数的路径", "path of the count")] = None
    total_header: Annotated[str | None, Says("条数所在的响应头", "header with the count")] = None
    from_param: Annotated[str | None, Says("窗口起点的参数", "parameter for the beginning")] = None
    to_param: Annotated[str | None, Says("窗口终点的参数", "parameter for the end")] = None
    both: Both = None
    format: Annotated[str, Says("参数中时间的写法", "how the parameters write times")] = "%Y-%m-%d"
    timezone: Annotated[str | None, Says("参数中时间的时区", "zone of the parameters")] = None
    to_is_inclusive: Annotated[bool, Says("终点是否包括在内", "whether the end is included")] = True
    split: Annotated[
        Split, Says("按日、周、月、年分别核对", "compared by day, week, month or year")
    ] = "year"
    start: Annotated[str | None, Says("最早的日期", "the earliest day")] = None
    column: Annotated[
        str | None, Says("本库中按哪一列计数", "column by which ours are counted")
    ] = None
    counts_removed: Annotated[
        bool, Says("来源的计数是否包括已撤回的记录", "whether the source counts removed records")
    ] = False

    @model_validator(mode="after")
    def _complete(self) -> ControlTotal:
        _fits(self.body, self.body_type)
        if (self.total is None) == (self.total_header is None):
            raise ValueError("total(响应体路径)与 total_header(响应头)必须且只能写一个")
        parts = (self.from_param, self.to_param or self.both, self.start, self.column)
        if any(part is not None for part in parts) and not all(part is not None for part in parts):
            raise ValueError("按窗口核对时 from_param、to_param(或 both)、start、column 要一起写")
        return self


class Listing(Part):
    """How an HTTP folder lists its files."""

    type: Annotated[
        Literal["html", "json"], Says("目录是网页还是 JSON", "an HTML index or JSON")
    ] = "html"
    records: Annotated[str | None, Says("JSON 中文件列表的路径", "path of the files")] = None
    name: Annotated[str, Says("文件名的路径", "path of the file name")] = "name"
    url: Annotated[
        str | None, Says("下载地址的路径;不写则为目录地址加文件名", "path of the address")
    ] = None
    mark: Annotated[
        Texts,
        Says(
            "版本标记的路径(修改时间、大小、哈希等);不变则不再下载",
            "paths of what changes with the file; unchanged files are not fetched",
        ),
    ] = ()


class Sftp(Part):
    """A folder on an SFTP server."""

    host: Annotated[str, Says("主机", "host")]
    port: Annotated[int, Says("端口", "port")] = Field(22, ge=1, le=65535)
    username: Annotated[str, Says("用户名", "user name")]
    password: Annotated[SecretStr | None, Says("口令,写作 ${环境变量}", "password, as ${NAME}")] = (
        None
    )
    private_key: Annotated[
        str | None,
        Says("私钥文件,相对来源文件所在目录,代替口令", "private key file instead of a password"),
    ] = None
    passphrase: Annotated[SecretStr | None, Says("私钥的口令", "passphrase of the private key")] = (
        None
    )
    host_key: Annotated[
        str,
        Says(
            "主机公钥,如 ssh-ed25519 AAAA…(ssh-keyscan 主机,并与对方核对);校验不能关闭",
            "public key of the host, such as ssh-ed25519 AAAA…; checks cannot be turned off",
        ),
    ]
    folder: Annotated[str, Says("服务器上的目录", "folder on the server")] = "."

    @model_validator(mode="after")
    def _one_proof(self) -> Sftp:
        if (self.password is None) == (self.private_key is None):
            raise ValueError("password(口令)与 private_key(私钥文件)必须且只能写一个")
        return self

    @property
    def shown(self) -> str:
        """For messages."""
        return f"{self.host}:{self.port}"


class Workbook(Part):
    """Records in office workbooks: .xlsx, .xls, .ods, .csv, in a folder or an HTTP folder."""

    folder: Annotated[
        str | None,
        Says("本机目录;相对来源文件所在目录", "local folder, relative to the source file"),
    ] = None
    url: Annotated[str | None, Says("HTTP 目录,相对 base_url", "HTTP folder below base_url")] = None
    sftp: Annotated[Sftp | None, Says("SFTP 目录", "a folder on an SFTP server")] = None
    listing: Annotated[Listing, Says("HTTP 目录的写法", "how the HTTP folder lists its files")] = (
        Listing()
    )
    match: Annotated[Texts, Says("文件名通配符", "file names to read")] = (
        "*.xlsx",
        "*.xls",
        "*.ods",
        "*.csv",
    )
    sheets: Annotated[
        Texts,
        Says(
            "工作表名通配符;默认读所有找得到表头的工作表",
            "sheets to read; by default all that have the header",
        ),
    ] = ()
    header_within: Annotated[int, Says("表头在前多少行内", "the header is within so many rows")] = (
        Field(40, ge=1)
    )
    header_rows: Annotated[
        int | None,
        Says("表头占几行;默认自动识别 1–3 行", "rows of the header; found by itself by default"),
    ] = Field(None, ge=1, le=4)
    skip_rows: Annotated[
        Texts,
        Says(
            "首个有值单元格以这些字开头的行不读(合计、备注等)",
            "rows that begin with these words are skipped",
        ),
    ] = (
        "合计",
        "总计",
        "小计",
        "共计",
        "累计",
        "备注",
        "注:",
        "说明:",
        "填表人",
        "审核人",
        "填报人",
        "填表说明",
        "制表",
    )
    fill_down: Annotated[
        Texts,
        Says(
            "空白时沿用上一行的列(合并单元格会自动识别)",
            "columns whose blanks repeat the row above",
        ),
    ] = ()
    null_values: Annotated[Texts, Says("表示没有的写法", "what stands for nothing")] = (
        "-",
        "--",
        "—",
        "——",
        "/",
        "\\",
        "无",
        "N/A",
        "#N/A",
    )
    encoding: Annotated[str | None, Says("CSV 的编码;默认自动识别", "encoding of CSV files")] = None

    @model_validator(mode="after")
    def _one_place(self) -> Workbook:
        if sum(one is not None for one in (self.folder, self.url, self.sftp)) != 1:
            raise ValueError("folder(本机目录)、url(HTTP 目录)与 sftp(SFTP 目录)必须且只能写一个")
        return self


class Child(_Request):
    """Records that belong to a record: nested in it, or asked for one parent at a time."""

    name: Annotated[str, Says("名称,来源内唯一", "name, unique in the source")] = Field(
        pattern=r"^[a-z][a-z0-9_]*$"
    )
    title: Annotated[str, Says("中文名称", "Chinese name")] = ""
    table: Annotated[str, Says("写入的核心表", "core table it fills")]
    records: Annotated[
        str | None,
        Says(
            "上级记录(写了 path 则为响应体)中列表的路径",
            "path of the list in the parent, or in the answer when path is given",
        ),
    ] = None
    paginator: Annotated[Paginator, Says("翻页(写了 path 时)", "paging, when path is given")] = (
        Single()
    )
    key: Key
    where: Annotated[
        tuple[Condition, ...], Says("只取满足全部条件的记录", "only records that meet all")
    ] = ()
    fields: Annotated[Fields, Says("允许保存的字段", "what may be kept")]
    updated: Annotated[str | None, Says("更新时间的路径", "path of the time of change")] = None
    removed: Annotated[
        Removed | None, Says("怎样算已撤回", "how a record says it was withdrawn")
    ] = None


class RejectLimit(Part):
    """How many rejects stop a load before it touches the core table."""

    share: Annotated[float, Says("退回占比超过它即停止", "a larger share stops the load")] = Field(
        0.05, ge=0, le=1
    )
    at_least: Annotated[int, Says("退回不足这么多条时不停止", "fewer rejects never stop it")] = (
        Field(20, ge=1)
    )


class Resource(_Request):
    """One list of records, and how it is paged, filtered, typed and kept."""

    name: Annotated[str, Says("名称,来源内唯一", "name, unique in the source")] = Field(
        pattern=r"^[a-z][a-z0-9_]*$"
    )
    title: Annotated[str, Says("中文名称", "Chinese name")] = ""
    table: Annotated[str, Says("写入的核心表", "core table it fills")]
    workbook: Annotated[
        Workbook | None, Says("从工作簿读取,代替 path", "read workbooks instead of a path")
    ] = None
    query: Annotated[
        str | None,
        Says(
            "数据库来源:一条 SELECT,代替 path;只取 fields 等声明的列",
            "of a database: one SELECT, instead of a path; only declared columns are asked for",
        ),
    ] = None
    paginator: Annotated[Paginator, Says("翻页", "paging")] = Single()
    for_each: Annotated[
        dict[str, Texts],
        Says(
            "对每个取值各请求一遍(写几项则各种组合都请求);在 path、params、headers、body 中写 {名称},字段中写 $each.名称",
            "repeats the request for each value, of several for each combination; {name} in path, params, headers and body, $each.name in fields",
        ),
    ] = Field(default_factory=dict)
    key: Key
    cursor: Annotated[CursorRule | None, Says("增量拉取", "incremental pull")] = None
    windows: Annotated[WindowRule | None, Says("时间窗口", "time windows")] = None
    full_list: Annotated[
        bool,
        Says(
            "每次拉取即完整清单:清单中没有的记录算已删除",
            "each pull is the whole list; what is absent was deleted",
        ),
    ] = False
    absent: Annotated[
        Literal["removed", "keep"],
        Says(
            "完整清单中没有的记录:removed 算已删除,keep 保留",
            "what becomes of records that a whole list lacks",
        ),
    ] = "removed"
    max_removed_share: Annotated[
        float,
        Says(
            "一次消失的记录占比超过它即停止,疑为来源返回不全",
            "a larger share of vanished records stops the load",
        ),
    ] = Field(0.3, ge=0, le=1)
    where: Annotated[
        tuple[Condition, ...], Says("只取满足全部条件的记录", "only records that meet all")
    ] = ()
    fields: Annotated[
        Fields, Says("允许保存的字段:核心表的列 ← 记录中的路径", "what may be kept: column ← path")
    ]
    updated: Annotated[
        str | None,
        Says(
            "更新时间的路径;默认取 cursor.field",
            "path of the time of change; by default cursor.field",
        ),
    ] = None
    removed: Annotated[
        Removed | None, Says("怎样算已撤回", "how a record says it was withdrawn")
    ] = None
    detail: Annotated[
        Detail | None, Says("逐条请求详情,字段中写 $detail.…", "a request for each record")
    ] = None
    children: Annotated[tuple[Child, ...], Says("下级记录", "records that belong to these")] = ()
    control_total: Annotated[ControlTotal | None, Says("对账", "the source's own count")] = None
    reject_limit: Annotated[
        RejectLimit | None, Says("退回上限;默认取来源的", "limit of rejects")
    ] = None
    not_kept: Annotated[
        Texts | None,
        Says(
            "已知而不保存的字段;写了它,其余未声明的字段即算新字段",
            "fields known and not kept; once given, any other is reported as new",
        ),
    ] = None

    @model_validator(mode="after")
    def _consistent(self) -> Resource:
        if sum(one is not None for one in (self.path, self.workbook, self.query)) != 1:
            raise ValueError("path(接口路径)、workbook(工作簿)与 query(查询)必须且只能写一个")
        self._query_fits()
        if self.workbook and (self.cursor or self.windows or self.detail or self.control_total):
            raise ValueError("工作簿资源不能写 cursor、windows、detail、control_total")
        if self.full_list and self.cursor:
            raise ValueError("full_list(完整清单)与 cursor(增量)只能写一个")
        if (
            self.cursor
            and self.cursor.kind == "time"
            and isinstance(self.cursor.lag, int)
            and self.cursor.lag
        ):
            raise ValueError("cursor.lag 须为时长,如 2d;只有 kind: number 时才写整数")
        if self.cursor and self.cursor.kind == "number" and isinstance(self.cursor.lag, timedelta):
            raise ValueError("cursor.kind 为 number 时 lag 须为整数")
        return self

    def _query_fits(self) -> None:
        """Raise ValueError for a query that is none, or keys that do not go with one."""
        if self.query is None:
            if self.cursor is not None and not self.cursor.param:
                raise ValueError("cursor 缺少 param(请求中“自何时起”的参数)")
            return
        wrong = wrong_query(self.query)
        if wrong is not None:
            raise ValueError(f"query {wrong}")
        given = {
            "windows": self.windows,
            "detail": self.detail,
            "children": self.children,
            "control_total": self.control_total,
            "for_each": self.for_each,
        }
        for key, value in given.items():
            if value:
                raise ValueError(f"数据库查询不能写 {key}")

    @property
    def updated_path(self) -> str | None:
        """Where the record's time of change is."""
        if self.updated is None and self.cursor is not None and self.cursor.kind == "time":
            return self.cursor.field
        return self.updated


KeyPath = tuple[str | int, ...]


def record_paths(rule: Resource | Child) -> list[tuple[KeyPath, str]]:
    """Every path in a record by which a rule reads it, with the keys it stands under."""
    paths: list[tuple[KeyPath, str]] = [
        (("fields", column), path) for column, field in rule.fields.items() for path in field.path
    ]
    paths += [(("key",), part) for part in rule.key if not part.startswith("=")]
    paths += [(("where", index, "path"), test.path) for index, test in enumerate(rule.where)]
    if rule.removed is not None:
        paths.append((("removed", "path"), rule.removed.path))
        paths += [(("removed", "at"), rule.removed.at)] if rule.removed.at else []
    if isinstance(rule, Resource):
        paths += [(("updated",), rule.updated_path)] if rule.updated_path else []
        paths += [(("cursor", "field"), rule.cursor.field)] if rule.cursor else []
        paths += [
            (("children", index, "records"), child.records)
            for index, child in enumerate(rule.children)
            if child.records and not child.path
        ]
    elif rule.updated is not None:
        paths.append((("updated",), rule.updated))
    return paths


def answer_paths(rule: Resource | Child) -> list[tuple[KeyPath, str]]:
    """Every path in an answer by which a rule finds records, pages and counts."""
    paths: list[tuple[KeyPath, str]] = [
        (("paginator", key), path) for key, path in rule.paginator.paths.items()
    ]
    paths += [(("records",), rule.records)] if rule.records else []
    if isinstance(rule, Resource):
        detail, count = rule.detail, rule.control_total
        paths += [(("detail", "records"), detail.records)] if detail and detail.records else []
        paths += [(("control_total", "total"), count.total)] if count and count.total else []
    return paths
